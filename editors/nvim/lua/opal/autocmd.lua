--- `User Opal…` autocommands, for other plugins and the user's own configuration.
local M = {}

--- Neovim itself reports what fails in them.
---@param name string
---@param data table
function M.emit(name, data)
  vim.api.nvim_exec_autocmds("User", { pattern = "Opal" .. name, modeline = false, data = data })
end

return M
