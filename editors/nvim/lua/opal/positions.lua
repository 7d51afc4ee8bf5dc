--- Positions of LSP: language servers may count characters otherwise than Opal's server does.
local M = {}

local has_encodings = vim.fn.has("nvim-0.11") == 1

--- As Neovim spells it, whatever a language server escapes.
---@param uri string
---@return string
function M.uri(uri)
  return vim.startswith(uri, "file:") and vim.uri_from_fname(vim.uri_to_fname(uri)) or uri
end

local read = {} ---@type table<string, string[]> files that are not open, until all that is at hand is converted

---@param path string
---@return string[]
local function lines_of(path)
  if not read[path] then
    local ok, lines = pcall(vim.fn.readfile, path)
    read[path] = ok and lines or {}
    vim.schedule(function()
      read[path] = nil
    end)
  end
  return read[path]
end

--- A line of a file, as it stands in the buffer if there is one.
---@param uri string
---@param row integer
---@return string
local function line_of(uri, row)
  local path = vim.uri_to_fname(uri)
  local bufnr = vim.fn.bufexists(path) == 1 and vim.fn.bufadd(path) or -1
  if bufnr ~= -1 and vim.api.nvim_buf_is_loaded(bufnr) then
    return vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ""
  end
  return lines_of(path)[row + 1] or ""
end

---@param line string
---@param character integer
---@param encoding string
---@return integer
local function to_byte(line, character, encoding)
  if encoding == "utf-8" then
    return math.min(character, #line)
  elseif has_encodings then
    return vim.str_byteindex(line, encoding, character, false)
  end
  local ok, byte = pcall(vim.str_byteindex, line, character, encoding == "utf-16")
  return ok and byte or #line
end

---@param line string
---@param byte integer
---@param encoding string
---@return integer
local function from_byte(line, byte, encoding)
  if encoding == "utf-8" then
    return byte
  elseif has_encodings then
    return vim.str_utfindex(line, encoding, byte, false)
  end
  local utf_32, utf_16 = vim.str_utfindex(line, math.min(byte, #line))
  return encoding == "utf-16" and utf_16 or utf_32
end

---@param uri string
---@param position opal.Position
---@param from string encoding
---@param to string encoding
---@return opal.Position
function M.convert(uri, position, from, to)
  if from == to or position.character == 0 then
    return position
  end
  local line = line_of(uri, position.line)
  local character = from_byte(line, to_byte(line, position.character, from), to)
  return { line = position.line, character = character }
end

---@param uri string
---@param range opal.Range
---@param from string encoding
---@param to string encoding
---@return opal.Range
function M.convert_range(uri, range, from, to)
  return {
    start = M.convert(uri, range.start, from, to),
    ["end"] = M.convert(uri, range["end"], from, to),
  }
end

--- The changes of text in a workspace edit, by file.
---@param edit lsp.WorkspaceEdit
---@param from string encoding
---@param to string encoding
---@return table<string, lsp.TextEdit[]>? changes nil if it also does something else
function M.text_changes(edit, from, to)
  local changes = vim.empty_dict()
  local function add(uri, edits)
    uri = M.uri(uri)
    changes[uri] = changes[uri] or {}
    for _, one in ipairs(edits) do
      local range = M.convert_range(uri, one.range, from, to)
      table.insert(changes[uri], { range = range, newText = one.newText })
    end
  end
  -- Where both are there, this one counts.
  for _, change in ipairs(edit.documentChanges or {}) do
    if change.kind then
      return nil
    end
    add(change.textDocument.uri, change.edits)
  end
  for uri, edits in pairs(edit.documentChanges and {} or edit.changes or {}) do
    add(uri, edits)
  end
  return changes
end

return M
