--- A language server inside the Neovim of a story: `def NAME` defines a name, every other NAME uses it, and a line
--- with BAD is an error. Text counts in the encoding that it is told to use.
local M = {}

---@class opal.test.LanguageServerOptions
---@field name? string
---@field encoding? string
---@field capabilities? table in place of all
---@field delay_ms? integer before it says what is wrong
---@field works_ms? integer how long it says that it is at work before it knows better than that nothing is
---@field creates? boolean a rename would create a file too

---@param text string
---@param byte integer from 0
---@param encoding string
---@return lsp.Position
local function position(text, byte, encoding)
  local before = vim.split(text:sub(1, byte), "\n", { plain = true })
  local line = before[#before]
  local utf_32, utf_16 = vim.str_utfindex(line)
  local counts = { ["utf-8"] = #line, ["utf-16"] = utf_16, ["utf-32"] = utf_32 }
  return { line = #before - 1, character = counts[encoding] }
end

--- Every place of a word.
local function places(documents, word, encoding)
  local found = {}
  for uri, text in vim.spairs(documents) do
    for from, to in text:gmatch("()%f[%w_]" .. word .. "%f[^%w_]()") do
      local range = { start = position(text, from - 1, encoding), ["end"] = position(text, to - 1, encoding) }
      found[#found + 1] = { uri = uri, range = range, is_definition = text:sub(from - 4, from - 1) == "def " }
    end
  end
  return found
end

--- The word of the documents at a position.
local function word_at(documents, params, encoding)
  local text = documents[params.textDocument.uri]
  for from, word in text:gmatch("()([%w_]+)") do
    local first = position(text, from - 1, encoding)
    if vim.deep_equal(first, params.position) then
      return word
    end
  end
end

local function locations(list)
  return vim.tbl_map(function(place)
    return { uri = place.uri, range = place.range }
  end, list)
end

local answers = {
  ["textDocument/definition"] = function(documents, params, encoding)
    local word = word_at(documents, params, encoding)
    return locations(vim.tbl_filter(function(place)
      return place.is_definition
    end, word and places(documents, word, encoding) or {}))[1]
  end,
  ["textDocument/references"] = function(documents, params, encoding)
    local word = word_at(documents, params, encoding)
    return word and locations(places(documents, word, encoding))
  end,
  ["textDocument/rename"] = function(documents, params, encoding)
    local word = word_at(documents, params, encoding)
    local changes = vim.empty_dict()
    for _, place in ipairs(word and places(documents, word, encoding) or {}) do
      changes[place.uri] = changes[place.uri] or {}
      table.insert(changes[place.uri], { range = place.range, newText = params.newName })
    end
    return { changes = changes }
  end,
  ["textDocument/documentSymbol"] = function(documents, params, encoding)
    local text = documents[params.textDocument.uri]
    local symbols = {}
    for from, name, to in text:gmatch("def ()([%w_]+)()") do
      local range = { start = position(text, from - 1, encoding), ["end"] = position(text, to - 1, encoding) }
      symbols[#symbols + 1] = { name = name, kind = 12, range = range, selectionRange = range }
    end
    return {
      {
        name = "file",
        kind = 1,
        range = { start = { line = 0, character = 0 }, ["end"] = { line = 0, character = 0 } },
        selectionRange = { start = { line = 0, character = 0 }, ["end"] = { line = 0, character = 0 } },
        children = symbols,
      },
    }
  end,
  ["workspace/symbol"] = function(documents, params, encoding)
    local symbols = {}
    for _, place in ipairs(places(documents, params.query, encoding)) do
      if place.is_definition then
        local location = { uri = place.uri, range = place.range }
        symbols[#symbols + 1] = { name = params.query, kind = 12, location = location }
      end
    end
    return symbols
  end,
}

local everything = {
  definitionProvider = true,
  referencesProvider = true,
  renameProvider = true,
  documentSymbolProvider = true,
  workspaceSymbolProvider = true,
}

--- Starts it for the current buffer, and for all that are loaded later.
---@param options opal.test.LanguageServerOptions
---@return integer client_id
function M.start(options)
  local encoding = options.encoding or "utf-16"
  local documents = {} ---@type table<string, string>
  local function server(dispatchers)
    local function progress(kind)
      dispatchers.notification("$/progress", { token = "work", value = { kind = kind, title = "checking" } })
    end
    local function publish(uri)
      if options.works_ms then
        progress("begin")
        dispatchers.notification("textDocument/publishDiagnostics", { uri = uri, diagnostics = {} })
      end
      vim.defer_fn(function()
        local diagnostics, text = {}, documents[uri] or ""
        for from, message, to in text:gmatch("()(BAD[^\n]*)()") do
          local range =
            { start = position(text, from - 1, encoding), ["end"] = position(text, to - 1, encoding) }
          diagnostics[#diagnostics + 1] = { range = range, message = message, severity = 1, source = "fake" }
        end
        dispatchers.notification("textDocument/publishDiagnostics", { uri = uri, diagnostics = diagnostics })
        if options.works_ms then
          progress("end")
        end
      end, options.works_ms or options.delay_ms or 0)
    end
    return {
      request = function(method, params, callback)
        local result
        if method == "initialize" then
          local capabilities = vim.tbl_extend("force", options.capabilities or everything, {
            positionEncoding = encoding,
            textDocumentSync = { openClose = true, change = 1 },
          })
          result = { capabilities = capabilities, offsetEncoding = encoding }
        elseif answers[method] then
          result = answers[method](documents, params, encoding)
        end
        if method == "textDocument/rename" and options.creates then
          result = { documentChanges = { { kind = "create", uri = params.textDocument.uri .. ".new" } } }
        end
        vim.schedule(function()
          callback(nil, result)
        end)
        return true, 1
      end,
      notify = function(method, params)
        if method == "textDocument/didOpen" then
          documents[params.textDocument.uri] = params.textDocument.text
          publish(params.textDocument.uri)
        elseif method == "textDocument/didChange" then
          documents[params.textDocument.uri] = params.contentChanges[1].text
          publish(params.textDocument.uri)
        end
        return true
      end,
      is_closing = function()
        return false
      end,
      terminate = function() end,
    }
  end
  local config = { name = options.name or "fake", cmd = server, root_dir = vim.fn.getcwd() }
  local id = assert(vim.lsp.start(config))
  vim.api.nvim_create_autocmd("BufReadPost", {
    callback = function(event)
      vim.lsp.buf_attach_client(event.buf, id)
    end,
  })
  return id
end

return M
