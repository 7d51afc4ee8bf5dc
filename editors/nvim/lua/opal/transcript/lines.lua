--- Lines of a transcript that change, with what stands below them: a running call, a message that waits, an
--- open question.
local split_lines = "%s*\n%s*"

local M = {}

---@class opal.Line
---@field mark integer
---@field text string
---@field note? string what became of the question about it
---@field below string[] what stands below it
---@field n_below integer lines it takes there, an empty one included

---@class opal.Lines
---@field blocks opal.Blocks
---@field live table<string, opal.Line> by call, queued message or question
local Lines = {}
Lines.__index = Lines

---@param blocks opal.Blocks
---@return opal.Lines
function M.new(blocks)
  return setmetatable({ blocks = blocks, live = {} }, Lines)
end

---@param key string
---@param text string
---@param kind? string as `Blocks:add` takes it
function Lines:add(key, text, kind)
  text = text:gsub(split_lines, " ")
  self.live[key] = { mark = self.blocks:add({ text }, kind), text = text, below = {}, n_below = 0 }
end

--- Writes a line and what stands below it anew.
---@private
---@param line opal.Line
---@param below string[]
---@return integer row of the line
function Lines:put(line, below)
  local blocks = self.blocks
  local row
  blocks:write(function(bufnr)
    row = blocks:position(line.mark)
    local text = line.text .. (line.note and (" · " .. line.note) or "")
    local lines = vim.list_extend({ (text:gsub(split_lines, " ")) }, below)
    local end_row = row + line.n_below
    local next_line = vim.api.nvim_buf_get_lines(bufnr, end_row + 1, end_row + 2, false)[1]
    if #below > 0 and not next_line then
      blocks.last = nil
    elseif #below > 0 and next_line ~= "" then
      lines[#lines + 1] = ""
    end
    -- As one text within the old one, so that marks on the next line move along.
    local end_text = vim.api.nvim_buf_get_lines(bufnr, end_row, end_row + 1, true)[1]
    vim.api.nvim_buf_set_text(bufnr, row, 0, end_row, #end_text, lines)
    line.below, line.n_below = below, #lines - 1
  end)
  return row
end

--- Says behind a line what became of the question about it.
---@param key string
---@param note string
---@return boolean found
function Lines:annotate(key, note)
  local line = self.live[key]
  if line then
    line.note = note
    self:put(line, line.below)
  end
  return line ~= nil
end

--- Changes what stands below a line.
---@param key string
---@param below string[]
function Lines:set_below(key, below)
  local line = self.live[key]
  if line then
    self:put(line, below)
  end
end

--- Changes a line for the last time, and what stands below it.
---@param key string
---@param change fun(text: string): string
---@param below? string[]
---@return integer? row nil if there is no such line
function Lines:settle(key, change, below)
  local line = self.live[key]
  if not line then
    return nil
  end
  self.live[key] = nil
  line.text = change(line.text)
  return self:put(line, below or {})
end

--- The line that stands in a row.
---@param row integer
---@return string? key
function Lines:at(row)
  for key, line in pairs(self.live) do
    if self.blocks:position(line.mark) == row then
      return key
    end
  end
end

return M
