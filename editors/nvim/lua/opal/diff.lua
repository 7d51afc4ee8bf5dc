--- Unified diffs, shown.
local M = {}

local namespace = vim.api.nvim_create_namespace("opal.diff")
local groups = { ["+"] = "Added", ["-"] = "Removed", ["@"] = "Comment" }

--- A diff of one file without the lines that name it.
---@param diff string
---@return string
function M.without_names(diff)
  return (diff:gsub("^%-%-%- [^\n]*\n%+%+%+ [^\n]*\n", "", 1))
end

--- Colours a diff.
---@param bufnr integer
---@param row integer where it begins
---@param diff string
function M.paint(bufnr, row, diff)
  for i, line in ipairs(require("opal.text").split((diff:gsub("%s+$", "")))) do
    local group = groups[line:sub(1, 1)]
    if group then
      vim.api.nvim_buf_set_extmark(bufnr, namespace, row + i - 1, 0, { end_col = #line, hl_group = group })
    end
  end
end

--- The line of the new text that a line of a diff stands for.
---@param lines string[] from the diff's beginning to that line
---@return integer? line from 1
function M.new_line(lines)
  local line
  for _, text in ipairs(lines) do
    local start = text:match("^@@ %-[%d,]+ %+(%d+)")
    if start then
      line = tonumber(start) - 1
    elseif line and text:sub(1, 1) ~= "-" then
      line = line + 1
    end
  end
  return line and math.max(line, 1)
end

return M
