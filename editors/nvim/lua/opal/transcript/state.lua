--- The colour of the sign that a line of a transcript begins with.
local M = {}

local namespace = vim.api.nvim_create_namespace("opal.state")
local groups = { ["▸"] = "OpalRunning", ["✓"] = "OpalDone", ["✗"] = "OpalFailed" }

vim.api.nvim_set_hl(0, "OpalRunning", { default = true, link = "DiagnosticInfo" })
vim.api.nvim_set_hl(0, "OpalDone", { default = true, link = "DiagnosticOk" })
vim.api.nvim_set_hl(0, "OpalFailed", { default = true, link = "DiagnosticError" })

--- Colours a line as its sign says.
---@param bufnr integer
---@param row integer
---@param mark? integer what this returned for the line before
---@return integer? mark
function M.paint(bufnr, row, mark)
  local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, true)[1]
  for sign, group in pairs(groups) do
    if vim.startswith(line, sign) then
      return vim.api.nvim_buf_set_extmark(bufnr, namespace, row, 0, {
        id = mark,
        end_col = #sign,
        hl_group = group,
      })
    end
  end
end

return M
