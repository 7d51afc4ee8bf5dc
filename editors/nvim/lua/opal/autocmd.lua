--- `User Opal…` autocommands, for other plugins and the user's own configuration.
local M = {}

---@param name string
---@param data table
function M.emit(name, data)
  local ok, message = pcall(vim.api.nvim_exec_autocmds, "User", {
    pattern = "Opal" .. name,
    modeline = false,
    data = data,
  })
  -- What others do about it must not stop the session.
  if not ok then
    vim.notify(("Opal: an autocommand for Opal%s failed: %s"):format(name, message), vim.log.levels.ERROR)
  end
end

return M
