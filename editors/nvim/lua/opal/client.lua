--- The connection to `opal lsp`: a client of Neovim's own LSP, so the server sees every open buffer as it stands.
--- What crosses it is Opal's; what is done with it is decided in the session.
local M = {}

---@class opal.Hooks what a session wants to know
---@field ready fun(client: vim.lsp.Client) initialized, with all open files sent
---@field exit fun(reason: string) the server is gone
---@field handlers table<string, fun(params: any, ctx: lsp.HandlerContext): any, any> for what the server sends

-- Neovim 0.10 has functions where later ones have methods.
local has_methods = vim.fn.has("nvim-0.11") == 1
--- How long a server may take to stop.
local STOP_MS = 3000

--- What waits for an answer, by client: a server that ends gives none.
local unanswered = {} ---@type table<integer, table<fun(err: lsp.ResponseError), true>>

--- On the wire null equals absent; newer versions of Neovim pass it on as `vim.NIL`.
---@param value any
---@return any
local function without_null(value)
  if value == vim.NIL then
    return nil
  elseif type(value) == "table" then
    for key, field in pairs(value) do
      value[key] = without_null(field)
    end
  end
  return value
end

---@param told boolean the user knows already
---@return lsp.ResponseError
local function gone(told)
  local code = vim.lsp.protocol.ErrorCodes.InternalError
  return { code = code, message = "the server is gone", data = { told = told } }
end

--- Asks a server. There is always an answer, if only that the server is gone.
---@param client vim.lsp.Client
---@param method string
---@param params table
---@param callback fun(err: lsp.ResponseError?, result: any)
---@param bufnr? integer what it is about
---@return integer? id nil if it could not be sent
function M.request(client, method, params, callback, bufnr)
  -- Neovim sends what was typed in the current buffer before a request; the others count as well.
  require("opal.documents").flush(client)
  local waiting = unanswered[client.id] or {}
  local function answered(err, result)
    waiting[answered] = nil
    callback(without_null(err), without_null(result))
  end
  local sent, id
  if has_methods then
    sent, id = client:request(method, params, answered, bufnr)
  else
    sent, id = client.request(method, params, answered, bufnr) ---@diagnostic disable-line
  end
  if sent then
    waiting[answered] = true
    return id
  end
  vim.schedule(function()
    callback(gone(false))
  end)
end

--- Gives up a request.
---@param client vim.lsp.Client
---@param id integer
function M.cancel(client, id)
  if has_methods then
    client:cancel_request(id)
  else
    client.cancel_request(id) ---@diagnostic disable-line
  end
end

--- Stops a server; one that does not stop is killed after a while, and one that is not there yet at once.
---@param id integer
function M.stop(id)
  local function stop(force)
    local client = vim.lsp.get_client_by_id(id)
    if client and has_methods then
      client:stop(force or not client.initialized)
    elseif client then
      client.stop(force or not client.initialized) ---@diagnostic disable-line
    end
  end
  stop(false)
  vim.defer_fn(function()
    stop(true)
  end, STOP_MS)
end

--- Tells the user what went wrong, and what to do.
---@param err lsp.ResponseError
function M.report(err)
  local data = type(err.data) == "table" and err.data or {}
  if data.told then
    return
  end
  local lines = { "Opal: " .. err.message, data.hint }
  if err.code == require("opal.protocol").error_codes.not_signed_in then
    lines[#lines + 1] = "Here, :Opal sign_in signs in to GitHub Copilot."
  end
  vim.notify(table.concat(lines, "\n"), vim.log.levels.ERROR)
end

--- Where the server's log is.
---@return string
function M.log()
  return require("vim.lsp.log").get_filename()
end

--- Finds the server's program. A name is looked for in the absolute entries of PATH: an empty or relative one is the
--- project's directory, whose programs are not Opal's.
---@param name string
---@return string? path nil if there is none that can be run
function M.find_program(name)
  local windows = vim.fn.has("win32") == 1
  if name:find(windows and "[/\\]" or "/") then
    return vim.fn.executable(name) == 1 and name or nil
  end
  for dir in vim.gsplit(vim.env.PATH or "", windows and ";" or ":", { plain = true }) do
    local path = dir .. "/" .. name
    if dir:find(windows and "^%a:[/\\]" or "^/") and vim.fn.executable(path) == 1 then
      return path
    end
  end
end

---@param dir string
---@param hooks opal.Hooks
---@return integer? client_id nil if the server cannot be started; the user has been told
function M.start(dir, hooks)
  local options = require("opal.config").options
  local program = M.find_program(options.cmd[1])
  if not program then
    local message = "Opal's server `%s` cannot be run. Install it, or name it: "
      .. 'require("opal").setup{ cmd = { "/path/to/opal", "lsp", "--stdio" } }'
    vim.notify(message:format(options.cmd[1]), vim.log.levels.ERROR)
    return nil
  end

  local capabilities = vim.lsp.protocol.make_client_capabilities()
  -- Neovim takes edits with versions but does not say so.
  capabilities.workspace.workspaceEdit.documentChanges = true
  local tools = require("opal.tools")
  capabilities.experimental = {
    opal = {
      version = 1,
      confirm = true,
      input = true,
      save_documents = true,
      tools = tools.offered,
      -- A CR is a character of its line here.
      line_ends = "lf",
    },
  }
  tools.listen()
  local stop_following = function() end
  local handlers = {} ---@type table<string, lsp.Handler>
  for method, handler in pairs(hooks.handlers) do
    handlers[method] = function(_, params, ctx)
      return handler(without_null(params), ctx)
    end
  end

  ---@type vim.lsp.ClientConfig
  local config = {
    name = "opal",
    cmd = vim.list_extend({ program }, options.cmd, 2),
    cmd_cwd = dir,
    cmd_env = options.env,
    root_dir = dir,
    capabilities = capabilities,
    handlers = handlers,
    on_init = vim.schedule_wrap(function(client)
      unanswered[client.id] = {}
      stop_following = require("opal.documents").follow(client)
      hooks.ready(client)
    end),
    on_exit = vim.schedule_wrap(function(code, signal, client_id)
      stop_following()
      hooks.exit(signal ~= 0 and ("signal %d"):format(signal) or ("exit code %d"):format(code))
      local waiting = unanswered[client_id] or {}
      unanswered[client_id] = nil
      for answered in pairs(waiting) do
        answered(gone(true))
      end
    end),
  }
  if has_methods then
    return vim.lsp.start(config, {
      attach = false,
      reuse_client = function()
        return false
      end,
    })
  end
  local id, message = vim.lsp.start_client(config) ---@diagnostic disable-line: deprecated
  if not id then
    vim.notify(tostring(message), vim.log.levels.ERROR)
  end
  return id
end

return M
