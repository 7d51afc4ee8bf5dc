--- Answers `client/tool_call`: what the language servers of the user's buffers know. Nothing is changed here; the
--- edit of a rename is handed back, and comes again like every other.
local positions = require("opal.positions")
local servers = require("opal.servers")
local symbols = require("opal.symbols")

local M = {}

---@type opal.ClientTool[]
M.offered = { "diagnostics", "references", "definition", "symbols", "rename" }

--- What is known of an edited file is settled when it has not changed for so long, and nothing of it is known to
--- be on its way. Without news it is taken for settled.
local QUIET_MS, NEWS_MS, SETTLE_MS = 300, 2000, 10000

local edited = {} ---@type table<integer, true> buffers of which nothing new is known since
local heard = {} ---@type table<integer, integer> when something was, in milliseconds

--- Notes that a buffer was edited: what is known of it is old.
---@param bufnr integer
function M.edited(bufnr)
  edited[bufnr] = true
end

--- Notes from now on when something new is known of a buffer.
function M.listen()
  vim.api.nvim_create_autocmd("DiagnosticChanged", {
    group = vim.api.nvim_create_augroup("opal.tools", {}),
    desc = "Opal: what is wrong in this buffer is known anew",
    callback = function(event)
      edited[event.buf], heard[event.buf] = nil, vim.uv.now()
    end,
  })
end

---@param place opal.PlaceArguments
---@param encoding string of the place
---@param more? table
---@return fun(server: vim.lsp.Client): table
local function at(place, encoding, more)
  return function(server)
    return vim.tbl_extend("error", {
      textDocument = { uri = vim.uri_from_bufnr(vim.uri_to_bufnr(place.uri)) },
      position = positions.convert(place.uri, place.position, encoding, server.offset_encoding),
    }, more or {})
  end
end

--- Leaves out what was there before: several servers may know the same.
---@generic T
---@param list T[]
---@param key fun(one: T): string
---@return T[]
local function unique(list, key)
  local seen = {}
  return vim.tbl_filter(function(one)
    local is_new = not seen[key(one)]
    seen[key(one)] = true
    return is_new
  end, list)
end

---@param location opal.Location
---@return string
local function place_of(location)
  local from, to = location.range.start, location.range["end"]
  return ("%s:%d:%d:%d:%d"):format(location.uri, from.line, from.character, to.line, to.character)
end

--- Locations of any shape that LSP knows, in Opal's encoding.
---@param answers opal.ServerAnswer[]
---@param encoding string
---@return opal.Location[]
local function locations(answers, encoding)
  local list = {}
  for _, answer in ipairs(answers) do
    for _, location in ipairs(vim.islist(answer.result) and answer.result or { answer.result }) do
      local uri = positions.uri(location.uri or location.targetUri)
      local range = location.range or location.targetSelectionRange
      range = positions.convert_range(uri, range, answer.server.offset_encoding, encoding)
      list[#list + 1] = { uri = uri, range = range }
    end
  end
  return unique(list, place_of)
end

---@param bufnr integer
---@param encoding string
---@return opal.Diagnostic[]
local function diagnostics_of(bufnr, encoding)
  local uri = vim.uri_from_bufnr(bufnr)
  local function position(row, col)
    return positions.convert(uri, { line = row, character = col }, "utf-8", encoding)
  end
  return vim.tbl_map(function(diagnostic)
    local from = position(diagnostic.lnum, diagnostic.col)
    local to = position(diagnostic.end_lnum or diagnostic.lnum, diagnostic.end_col or diagnostic.col)
    return {
      range = { start = from, ["end"] = to },
      message = diagnostic.message,
      severity = diagnostic.severity,
      code = diagnostic.code,
      source = diagnostic.source,
    }
  end, vim.diagnostic.get(bufnr))
end

--- Whether a language server says that it is at work.
---@param bufnr integer
---@return boolean
local function is_working(bufnr)
  return vim.iter(vim.lsp.get_clients({ bufnr = bufnr })):any(function(server)
    return server.name ~= "opal" and next(server.progress.pending) ~= nil
  end)
end

--- Waits until what is known of these buffers is about the text that stands there.
---@param buffers integer[]
local function settle(buffers)
  local start = vim.uv.now()
  servers.wait(SETTLE_MS, function()
    local now = vim.uv.now()
    return not vim.iter(buffers):any(function(bufnr)
      local awaits_news = edited[bufnr] and #servers.of("textDocument/publishDiagnostics", bufnr) > 0
      return (awaits_news and now - start < NEWS_MS)
        or now - (heard[bufnr] or 0) < QUIET_MS
        or is_working(bufnr)
    end)
  end)
end

--- The buffers of these files. Those that are not open are opened, so that language servers look at them.
---@param uris string[]
---@return integer[]
local function opened(uris)
  local new = {}
  local buffers = vim.tbl_map(function(uri)
    local bufnr = vim.uri_to_bufnr(uri)
    if not vim.api.nvim_buf_is_loaded(bufnr) and not require("opal.documents").load(bufnr) then
      new[#new + 1] = bufnr
      M.edited(bufnr)
    end
    return bufnr
  end, uris)
  if #new > 0 then
    servers.wait(servers.ATTACH_MS, function()
      return vim.iter(new):all(function(bufnr)
        return #servers.of("textDocument/publishDiagnostics", bufnr) > 0
      end)
    end)
  end
  return buffers
end

--- The buffers of which something is known, or was before they were edited.
---@return integer[]
local function known()
  local buffers = vim.tbl_filter(vim.api.nvim_buf_is_loaded, vim.tbl_keys(edited))
  for _, diagnostic in ipairs(vim.diagnostic.get()) do
    buffers[#buffers + 1] = diagnostic.bufnr
  end
  return unique(buffers, tostring)
end

---@type table<opal.ClientTool, fun(arguments: any, encoding: string): table>
local tools = {
  diagnostics = function(arguments, encoding)
    local buffers = arguments.uris and opened(arguments.uris) or known()
    if arguments.settle or arguments.uris then
      settle(buffers)
    end
    local files = {}
    -- The user may have wiped one out meanwhile.
    for _, bufnr in ipairs(vim.tbl_filter(vim.api.nvim_buf_is_valid, buffers)) do
      local diagnostics = diagnostics_of(bufnr, encoding)
      -- Of others nobody knows that nothing is wrong.
      if #diagnostics > 0 or #servers.of("textDocument/publishDiagnostics", bufnr) > 0 then
        files[#files + 1] = { uri = vim.uri_from_bufnr(bufnr), diagnostics = diagnostics }
      end
    end
    return { files = files }
  end,
  references = function(arguments, encoding)
    local method = "textDocument/references"
    local bufnr, asked = servers.open(arguments.uri, method)
    local params = at(arguments, encoding, { context = { includeDeclaration = true } })
    return { locations = locations(servers.ask(asked, method, bufnr, params), encoding) }
  end,
  definition = function(arguments, encoding)
    local method = "textDocument/definition"
    local bufnr, asked = servers.open(arguments.uri, method)
    return { locations = locations(servers.ask(asked, method, bufnr, at(arguments, encoding)), encoding) }
  end,
  symbols = function(arguments, encoding)
    local found
    if arguments.uri then
      local bufnr, asked = servers.open(arguments.uri, symbols.OF_FILE)
      found = symbols.of_file(asked, bufnr)
    else
      local asked = servers.of(symbols.IN_WORKSPACE)
      if #asked == 0 then
        servers.fail("no language server knows the symbols of the workspace")
      end
      found = symbols.in_workspace(asked, arguments.query)
    end
    local list = vim.tbl_map(function(symbol)
      local range = positions.convert_range(symbol.uri, symbol.name_range, symbol.encoding, encoding)
      return {
        name = symbol.name,
        kind = symbol.kind,
        location = { uri = symbol.uri, range = range },
        containerName = symbol.container,
      }
    end, found)
    return {
      symbols = unique(list, function(symbol)
        return symbol.name .. "\n" .. place_of(symbol.location)
      end),
    }
  end,
  rename = function(arguments, encoding)
    local method = "textDocument/rename"
    local bufnr, asked = servers.open(arguments.uri, method)
    -- One after the other: two edits that do the same could not both be made.
    for i, server in ipairs(asked) do
      local params = at(arguments, encoding, { newName = arguments.new_name })
      local ok, answers = pcall(servers.ask, { server }, method, bufnr, params)
      if not ok and i == #asked then
        error(answers, 0)
      end
      local edit = ok and answers[1] and answers[1].result
      local changes = edit and positions.text_changes(edit, server.offset_encoding, encoding)
      if edit and not changes then
        servers.fail(
          ("%s would also create, move or delete files; only text can be changed here"):format(server.name)
        )
      elseif edit and next(changes) then
        return { edit = { changes = changes } }
      end
    end
    servers.fail("the language server finds nothing to rename there")
  end,
}

--- Answers `client/tool_call`.
---@param params opal.ClientToolParams
---@param ctx lsp.HandlerContext
---@return opal.ClientToolResult
function M.call(params, ctx)
  local tool = tools[params.tool]
  if not tool then
    return { ok = false, error = ("this editor has no tool %s"):format(params.tool) }
  end
  local encoding = assert(vim.lsp.get_client_by_id(ctx.client_id)).offset_encoding
  local ok, output = pcall(tool, params.arguments, encoding)
  if not ok then
    return { ok = false, error = type(output) == "table" and output.text or tostring(output) }
  end
  output.tool = params.tool
  return { ok = true, output = output }
end

return M
