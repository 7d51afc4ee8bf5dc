--- The text of a transcript: blocks with an empty line between them, each added at the end.
---
--- Windows whose cursor is on the last line follow it; in all others nothing moves.
local M = {}

--- Up to how many lines tree-sitter highlights them. It looks at all of the text after each change: of 40,000 lines
--- that takes 0.2 s for each piece of an answer. A longer text gets Vim's own syntax, which looks at what is seen.
local MOST_PARSED_LINES = 3000

local namespace = vim.api.nvim_create_namespace("opal.transcript")

---@class opal.Blocks
---@field bufnr integer
---@field last? string kind of the last block; those of one kind stand close together
---@field together boolean several changes are one for the windows
local Blocks = {}
Blocks.__index = Blocks

Blocks.namespace = namespace

--- Of a buffer that is empty.
---@param bufnr integer
---@return opal.Blocks
function M.new(bufnr)
  pcall(vim.treesitter.start, bufnr, "markdown") -- without a parser there is Vim's own syntax
  return setmetatable({ bufnr = bufnr, together = false }, Blocks)
end

---@return boolean
function Blocks:is_loaded()
  return vim.api.nvim_buf_is_loaded(self.bufnr)
end

--- The last line that a cursor stands on: of a closed fold it is on all.
---@param window integer
---@return integer
local function cursor_line(window)
  local line = vim.api.nvim_win_get_cursor(window)[1]
  return vim.api.nvim_win_call(window, function()
    return math.max(vim.fn.foldclosedend(line), line)
  end)
end

---@private
---@return integer[] windows that follow the end
function Blocks:followers()
  local last = vim.api.nvim_buf_line_count(self.bufnr)
  local selecting = vim.api.nvim_get_mode().mode:match("^[vV\22]")
  return vim.tbl_filter(function(window)
    local at_end = vim.api.nvim_win_get_cursor(window)[1] == last or cursor_line(window) == last
    return at_end and not (selecting and window == vim.api.nvim_get_current_win())
  end, vim.fn.win_findbuf(self.bufnr))
end

--- The only place where the buffer is written. Changes made inside of a change are part of it.
---@param change fun(bufnr: integer)
function Blocks:write(change)
  local bufnr = self.bufnr
  if self.together then
    change(bufnr)
    return
  end
  local followers = self:followers()
  vim.bo[bufnr].modifiable = true
  self.together = true
  local ok, message = pcall(change, bufnr)
  self.together = false
  vim.bo[bufnr].modifiable = false
  vim.bo[bufnr].modified = false
  local last = vim.api.nvim_buf_line_count(bufnr)
  if last > MOST_PARSED_LINES and vim.treesitter.highlighter.active[bufnr] then
    vim.api.nvim_buf_call(bufnr, vim.treesitter.stop)
  end
  for _, window in ipairs(followers) do
    vim.api.nvim_win_set_cursor(window, { last, 0 })
  end
  if not ok then
    error(message, 0)
  end
end

--- A place that moves with the text.
---@param row integer
---@param col integer
---@param options? vim.api.keyset.set_extmark
---@return integer mark
function Blocks:mark(row, col, options)
  return vim.api.nvim_buf_set_extmark(self.bufnr, namespace, row, col, options or {})
end

---@param mark integer
---@return integer row, integer col
function Blocks:position(mark)
  local place = vim.api.nvim_buf_get_extmark_by_id(self.bufnr, namespace, mark, {})
  return place[1], place[2]
end

---@param lines string[]
---@param kind? string
---@return integer mark at its first line
function Blocks:add(lines, kind)
  local mark
  self:write(function(bufnr)
    local count = vim.api.nvim_buf_line_count(bufnr)
    local ends_empty = vim.api.nvim_buf_get_lines(bufnr, -2, -1, true)[1] == ""
    local empty = count == 1 and ends_empty
    local first = empty and 0 or count
    if not ends_empty and not (kind and kind == self.last) then
      lines = vim.list_extend({ "" }, lines)
      first = first + 1
    end
    vim.api.nvim_buf_set_lines(bufnr, empty and 0 or -1, -1, true, lines)
    mark = self:mark(first, 0, { right_gravity = false })
  end)
  self.last = kind
  return mark
end

--- Takes a block back, together with the empty line that parts it from what stands before.
---@param first integer row
---@param last integer row
function Blocks:remove(first, last)
  self:write(function(bufnr)
    vim.api.nvim_buf_set_lines(bufnr, math.max(first - 1, 0), last + 1, true, {})
  end)
  self.last = nil
end

return M
