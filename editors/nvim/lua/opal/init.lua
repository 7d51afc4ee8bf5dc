--- What other Lua code may call. Each function but the last two has its twin in `:Opal`.
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

--- Runs `act` with the session of the current directory, and starts a server if there is none.
---@param act fun(session: opal.Session)
local function with_server(act)
  local session = require("opal.session").current()
  if session then
    act(session)
  end
end

---@class opal.SayOpts
---@field refused? fun() called if it was not taken; the user has been told why

---@class opal.PromptOpts: opal.SayOpts
---@field selection? opal.Selection shown to the model beside the text

--- Changes options; see |opal-options|. Takes effect at the next start of a server or session.
---@param options table<string, any> fields of `opal.Config`
function M.setup(options)
  require("opal.config").set(options or {})
end

--- Sends a prompt and shows the transcript, without leaving the window. Without a text it goes to the prompt
--- area, where the selection is mentioned.
---@param text? string
---@param opts? opal.PromptOpts
function M.prompt(text, opts)
  with_server(function(session)
    if text then
      require("opal.say").prompt(session, text, opts)
    else
      require("opal.prompt").of(session.dir):begin(opts and opts.selection)
    end
  end)
end

--- Says something to the running turn, at its next safe point; when idle it is a prompt.
---@param text string
---@param opts? opal.SayOpts
function M.steer(text, opts)
  with_server(function(session)
    require("opal.say").steer(session, text, opts)
  end)
end

--- Queues a prompt for when the model would stop.
---@param text string
---@param opts? opal.SayOpts
function M.follow_up(text, opts)
  with_server(function(session)
    require("opal.say").follow_up(session, text, opts)
  end)
end

--- Stops the run. What was queued is shown, not sent.
function M.abort()
  with_session(require("opal.say").abort)
end

--- Shows the oldest question that waits for an answer.
function M.answer()
  require("opal.dialogs").open()
end

--- Leaves the session for a new one.
function M.new()
  require("opal.session").new()
end

--- Goes on with a stored session: one to choose, the "latest" of the current directory, or the one whose id
--- begins so.
---@param id? string
function M.resume(id)
  if id then
    require("opal.session").resume(id ~= "latest" and id or nil)
  else
    with_server(require("opal.pick").session)
  end
end

--- Goes back in the conversation, and on from there.
function M.branch()
  with_session(function(session)
    require("opal.branch").choose(session)
  end)
end

--- Lets a summary stand for what is older, as the model sees it.
function M.compact()
  with_session(function(session)
    session:compact()
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

--- Goes through what the session changed in files, hunk by hunk.
---@param what? "turn" only what the last turn changed
function M.review(what)
  with_session(function(session)
    require("opal.review").start(session, what)
  end)
end

--- Keeps a change under review.
---@param what? "file"|"all" the one under the cursor if absent
function M.accept(what)
  with_session(function(session)
    require("opal.review").accept(session, what)
  end)
end

--- Takes a change under review back.
---@param what? "file"|"all" the one under the cursor if absent
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

--- Chooses the model that answers from the next turn on.
---@param name? string `provider/model`; one to choose if absent
function M.model(name)
  with_server(function(session)
    require("opal.pick").model(session, name)
  end)
end

--- Chooses how long the model thinks.
---@param level? opal.ThinkingLevel one to choose if absent
function M.thinking(level)
  with_server(function(session)
    require("opal.pick").thinking(session, level)
  end)
end

--- Chooses how much runs unasked.
---@param mode? opal.PermissionMode one to choose if absent
function M.permissions(mode)
  with_server(function(session)
    require("opal.pick").permissions(session, mode)
  end)
end

--- Signs in to GitHub Copilot.
---@param domain? string of an enterprise
function M.sign_in(domain)
  with_server(function(session)
    require("opal.auth").sign_in(session, domain)
  end)
end

--- Signs out, and removes what was kept for it.
function M.sign_out()
  with_server(function(session)
    require("opal.auth").sign_out(session)
  end)
end

--- Shows the transcript with the prompt area, and goes there.
function M.open()
  with_server(function(session)
    session:open()
  end)
end

--- Shows the state of the session in a message.
function M.state()
  with_session(function(session)
    session:show_state()
  end)
end

--- Shows the log, with what the server wrote.
function M.log()
  vim.cmd.tabedit(vim.fn.fnameescape(require("opal.client").log()))
  vim.cmd("normal! G")
end

--- Starts the server anew; the session goes on.
function M.restart()
  require("opal.session").restart()
end

--- Says in a few words what the session of the current directory does; empty without one.
---@return string
function M.status()
  local session = require("opal.session").find()
  return session and session:status() or ""
end

--- For status lines: what the session of the current directory does, its model, how full that one's window is,
--- and what it has cost. Empty without a session.
---@return string
function M.statusline()
  local session = package.loaded["opal.session"] and require("opal.session").find()
  return session and require("opal.session.status").line(session) or ""
end

return M
