--- What other Lua code may call. Each function has its twin in `:Opal`.
local M = {}

---@class opal.PromptOpts
---@field selection? opal.Selection shown to the model beside the text

--- Changes options; see |opal-options|. Takes effect at the next start of a server or session.
---@param options table<string, any> fields of `opal.Config`
function M.setup(options)
  require("opal.config").set(options or {})
end

--- Sends a prompt and shows the transcript, without leaving the window.
---@param text string
---@param opts? opal.PromptOpts
function M.prompt(text, opts)
  local session = require("opal.session").current()
  if session then
    session:prompt(text, opts)
  end
end

--- Says something to the running turn, at its next safe point; when idle it is a prompt.
---@param text string
function M.steer(text)
  local session = require("opal.session").current()
  if session then
    session:steer(text)
  end
end

--- Queues a prompt for when the model would stop.
---@param text string
function M.follow_up(text)
  local session = require("opal.session").current()
  if session then
    session:follow_up(text)
  end
end

--- Stops the run. What was queued is shown, not sent.
function M.abort()
  local session = require("opal.session").find()
  if session then
    session:abort()
  else
    vim.notify("Opal is not running here.")
  end
end

--- Goes on with a stored session.
---@param id? string its id or the beginning of it; the latest of the current directory if absent
function M.resume(id)
  require("opal.session").resume(id)
end

--- Shows the transcript and goes there.
function M.open()
  local session = require("opal.session").current()
  if session then
    session:open()
  end
end

--- Shows the state of the session in a message.
function M.state()
  local session = require("opal.session").find()
  if session then
    session:show_state()
  else
    vim.notify("Opal is not running here.")
  end
end

--- Says in a few words what the session of the current directory does; empty without one. For status lines.
---@return string
function M.status()
  local session = require("opal.session").find()
  return session and session:status() or ""
end

return M
