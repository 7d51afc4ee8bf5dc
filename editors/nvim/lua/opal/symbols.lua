--- What language servers know by name.
local positions = require("opal.positions")
local servers = require("opal.servers")

local M = {}

--- What is asked, to find the language servers that can answer.
M.OF_FILE, M.IN_WORKSPACE = "textDocument/documentSymbol", "workspace/symbol"

---@class opal.Symbol
---@field name string
---@field kind lsp.SymbolKind
---@field container? string what it stands in, such as a class
---@field uri string
---@field range lsp.Range where the whole of it stands
---@field name_range lsp.Range where its name does
---@field encoding string in which these count

--- Symbols of any shape that LSP knows, nested ones beside the others.
---@param list opal.Symbol[]
---@param symbols table[]
---@param encoding string
---@param uri? string of all, where they do not say
---@param container? string
local function flatten(list, symbols, encoding, uri, container)
  -- Some tell only the file.
  local nowhere = { line = 0, character = 0 }
  for _, symbol in ipairs(symbols) do
    local location = symbol.location or { uri = uri, range = symbol.range }
    local range = location.range or { start = nowhere, ["end"] = nowhere }
    list[#list + 1] = {
      name = symbol.name,
      kind = symbol.kind,
      container = symbol.containerName or container,
      uri = positions.uri(location.uri),
      range = range,
      name_range = symbol.selectionRange or range,
      encoding = encoding,
    }
    flatten(list, symbol.children or {}, encoding, uri, symbol.name)
  end
end

---@param answers opal.ServerAnswer[]
---@param uri? string
---@return opal.Symbol[]
local function all(answers, uri)
  local list = {}
  for _, answer in ipairs(answers) do
    flatten(list, answer.result, answer.server.offset_encoding, uri)
  end
  return list
end

--- Those of a file.
---@param asked vim.lsp.Client[]
---@param bufnr integer
---@return opal.Symbol[]
function M.of_file(asked, bufnr)
  local uri = vim.uri_from_bufnr(bufnr)
  return all(
    servers.ask(asked, M.OF_FILE, bufnr, function()
      return { textDocument = { uri = uri } }
    end),
    uri
  )
end

--- Those of the workspace that fit a query.
---@param asked vim.lsp.Client[]
---@param query string
---@return opal.Symbol[]
function M.in_workspace(asked, query)
  return all(servers.ask(asked, M.IN_WORKSPACE, 0, function()
    return { query = query }
  end))
end

return M
