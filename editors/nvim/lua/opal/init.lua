--- What other Lua code may call. Each function has its twin in `:Opal`.
local M = {}

--- Runs `act` with the session of the current directory; says so if there is none.
---@param act fun(session: opal.Session)
local function with_session(act)
  local session = require("opal.session").find()
  if session then
    act(session)
  else
    vim.notify("Opal is not running here.")
  end
end

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
  with_session(function(session)
    session:abort()
  end)
end

--- Takes changes of files back: those of the last turn that made any, all in the current buffer's file, or the
--- hunk under the cursor.
---@param what? "file"|"hunk"
function M.undo(what)
  with_session(function(session)
    require("opal.changes").undo(session, what)
  end)
end

--- Takes the last undo back.
function M.redo()
  with_session(function(session)
    require("opal.changes").redo(session)
  end)
end

--- Lists in the quickfix window what the session changed in files.
function M.changes()
  with_session(function(session)
    require("opal.changes").list(session)
  end)
end

--- Goes through what the session changed in files, hunk by hunk.
---@param what? "turn" only what the last turn changed
function M.review(what)
  with_session(function(session)
    require("opal.review").start(session, what)
  end)
end

--- Keeps a change under review: the one under the cursor, those of its file, or all.
---@param what? "file"|"all"
function M.accept(what)
  with_session(function(session)
    require("opal.review").accept(session, what)
  end)
end

--- Takes a change under review back.
---@param what? "file"|"all"
function M.reject(what)
  with_session(function(session)
    require("opal.review").reject(session, what)
  end)
end

--- Goes to the next change under review.
function M.next_hunk()
  with_session(function(session)
    require("opal.review").go(session, true)
  end)
end

--- Goes to the change under review before the cursor.
function M.previous_hunk()
  with_session(function(session)
    require("opal.review").go(session, false)
  end)
end

--- Lets a summary stand for what is older, as the model sees it.
function M.compact()
  with_session(function(session)
    session:compact()
  end)
end

--- Goes back in the conversation, and on from there.
function M.branch()
  with_session(function(session)
    require("opal.branch").choose(session)
  end)
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
  with_session(function(session)
    session:show_state()
  end)
end

--- Says in a few words what the session of the current directory does; empty without one. For status lines.
---@return string
function M.status()
  local session = require("opal.session").find()
  return session and session:status() or ""
end

return M
