--- The options of `setup()`. Everything works without it.
local M = {}

---@class opal.Config
---@field cmd string[] how to start the server
---@field env table<string, string> environment variables for the server
---@field model? string `provider/model`; the server's default if absent
---@field thinking_level? "off"|"minimal"|"low"|"medium"|"high"|"xhigh"|"max"
---@field permission_mode? "ask"|"auto_edit"|"full"|"read_only" how much runs unasked

---@type opal.Config
M.options = {
  cmd = { "opal", "lsp", "--stdio" },
  env = {},
}

local types = {
  cmd = "table",
  env = "table",
  model = "string",
  thinking_level = "string",
  permission_mode = "string",
}

M.values = {
  thinking_level = { "off", "minimal", "low", "medium", "high", "xhigh", "max" },
  permission_mode = { "ask", "auto_edit", "full", "read_only" },
}

---@param options table<string, any>
function M.set(options)
  for name, value in pairs(options) do
    local expected = types[name]
    if not expected then
      local known = vim.tbl_keys(types)
      table.sort(known)
      error(("opal: there is no option `%s`; there are %s"):format(name, table.concat(known, ", ")), 3)
    elseif type(value) ~= expected then
      error(("opal: option `%s` is a %s, not a %s"):format(name, expected, type(value)), 3)
    elseif M.values[name] and not vim.tbl_contains(M.values[name], value) then
      error(("opal: option `%s` is one of %s"):format(name, table.concat(M.values[name], ", ")), 3)
    end
  end
  for name, value in pairs(options) do
    M.options[name] = value
  end
end

return M
