--- `:checkhealth opal`.
local M = {}

local health = vim.health

---@return boolean
local function check_server()
  local name = require("opal.config").options.cmd[1]
  local program = require("opal.client").find_program(name)
  if not program then
    health.error(("the server `%s` is not on PATH"):format(name), {
      "Install Opal, or name it in your configuration:",
      'require("opal").setup{ cmd = { "/path/to/opal", "lsp", "--stdio" } }',
    })
    return false
  end
  local ok, result = pcall(function()
    return vim.system({ program, "--version" }, { text = true }):wait(5000)
  end)
  if not ok or result.code ~= 0 then
    local reason = ok and vim.trim(result.stderr or "") or tostring(result)
    health.error(("`%s --version` failed: %s"):format(program, reason), {
      "Run it in a terminal to see more, then install Opal anew.",
    })
    return false
  end
  health.ok(("%s (%s)"):format(vim.trim(result.stdout), program))
  return true
end

local function check_session()
  local session = require("opal.session").find()
  if not session then
    health.info("no session in this directory; the first `:Opal prompt` starts one")
  elseif session.client and not session.id then
    health.ok("the server runs; the first `:Opal prompt` starts a session")
  elseif not session.id then
    health.warn(
      "the server is starting",
      { "If it stays so, look into " .. require("vim.lsp.log").get_filename() }
    )
  else
    health.ok(("session %s, %s"):format(session.id, session:status()))
    local lsp_client = session.client
    local version = vim.tbl_get(lsp_client.server_capabilities, "experimental", "opal", "version")
    local expected = require("opal.protocol").version
    if version == expected then
      health.ok(("protocol version %d"):format(version))
    else
      local message = "the server speaks version %s of the protocol, this plugin %d"
      health.warn(message:format(version, expected), { "Update the older of the two." })
    end
    local attached = vim.tbl_count(lsp_client.attached_buffers)
    health.ok(("%d open files are shown to the server as they stand"):format(attached))
  end
end

function M.check()
  health.start("opal")
  local version = tostring(vim.version())
  if vim.fn.has("nvim-0.10") == 0 then
    health.error("Neovim " .. version .. " is too old", { "Install Neovim 0.10 or later." })
    return
  end
  health.ok("Neovim " .. version)
  if check_server() then
    check_session()
  end
end

return M
