--- A session: what the user may do with it and what becomes of its events. There is one for each working
--- directory, with a server process of its own.
local protocol = require("opal.protocol")
local client = require("opal.client")

local M = {}

local sessions = {} ---@type table<string, opal.Session> by directory

---@class opal.Session
---@field dir string
---@field resume? opal.SessionResumeParams what to go on with
---@field id? string once the server has started it
---@field client? vim.lsp.Client once the server is initialized
---@field gone boolean the server is gone
---@field waiting fun()[] what to do when it has started
---@field transcript? opal.Transcript
---@field seq integer number of the last event
---@field state opal.SessionStatus
---@field waiting_for? opal.WaitingFor
---@field usage? opal.ContextUsage
---@field loading? opal.Past the conversation so far is being written into the transcript
---@field turn? string the running turn
---@field edited string[] turns that changed files, oldest first
---@field undos string[] what was taken back from here, latest last
---@field brings boolean what is being taken back is an undo
---@field compacting? integer tokens when the running compaction began
---@field commands table<string, boolean> running calls; true if it is a command
local Session = {}
Session.__index = Session

---@class opal.Past what is being read of the conversation so far
---@field turn? string that of the last entry

---@return string
local function working_dir()
  return vim.fs.normalize(vim.fn.getcwd())
end

--- The session of the current directory, if there is one.
---@return opal.Session?
function M.find()
  return sessions[working_dir()]
end

--- The session of the current directory. Starts one if there is none.
---@param resume? opal.SessionResumeParams what to go on with instead of starting anew
---@return opal.Session? session nil if the server cannot be started; the user has been told
function M.current(resume)
  local dir = working_dir()
  if sessions[dir] then
    return sessions[dir]
  end
  local self = setmetatable({
    dir = dir,
    resume = resume,
    gone = false,
    waiting = {},
    seq = 0,
    state = "idle",
    commands = {},
    edited = {},
    undos = {},
    brings = false,
  }, Session)
  -- Before the start: a server that ends at once is gone by its hook.
  sessions[dir] = self
  if not client.start(dir, self:hooks()) then
    sessions[dir] = nil
    return nil
  end
  return self
end

--- Goes on with a stored session: the one with this id, or the latest of the current directory.
---@param id? string or the beginning of one
function M.resume(id)
  local params = id and { session_id = id } or { working_dir = working_dir() }
  local self = M.find()
  if self and self.state ~= "idle" then
    vim.notify("Opal is at work here. Stop it first with :Opal abort.", vim.log.levels.WARN)
  elseif self then
    self:when_started(function()
      self.resume = params
      self:start()
    end)
  else
    self = M.current(params)
    if self then
      self:when_started(function()
        self.transcript:show()
      end)
    end
  end
end

---@param err lsp.ResponseError
local function report(err)
  local hint = type(err.data) == "table" and err.data.hint
  vim.notify("Opal: " .. err.message .. (hint and ("\n" .. hint) or ""), vim.log.levels.ERROR)
end

---@private
---@return opal.Hooks
function Session:hooks()
  local methods = protocol.methods
  return {
    ready = function(lsp_client)
      self.client = lsp_client
      self:start()
    end,
    exit = function(reason)
      self:lost(reason)
    end,
    handlers = {
      [methods.event] = function(params)
        self:on_event(params)
      end,
      [methods.confirm] = function(params)
        return require("opal.dialogs").confirm(params, self.transcript)
      end,
      [methods.input] = function(params)
        return require("opal.dialogs").input(params, self.transcript)
      end,
      [methods.resolved] = function(params)
        require("opal.dialogs").resolve(params.question_id)
      end,
      [methods.save_documents] = function(params, ctx)
        return require("opal.documents").save(params, ctx)
      end,
      ["workspace/applyEdit"] = function(params, ctx)
        return require("opal.documents").apply(params, ctx)
      end,
    },
  }
end

---@private
function Session:start()
  local options = require("opal.config").options
  local params = {
    working_dir = self.dir,
    model = options.model,
    thinking_level = options.thinking_level,
    permission_mode = options.permission_mode,
  }
  local resumed = self.resume
  self.resume = nil
  local method = resumed and protocol.methods.session_resume or protocol.methods.session_start
  client.request(self.client, method, resumed or params, function(err, result)
    if err and self.id then
      -- There is another one that goes on.
      report(err)
      return
    elseif err then
      self.gone = true
      sessions[self.dir] = nil
      report(err)
      client.stop(self.client)
      return
    end
    if self.id ~= result.session_id then
      self.id, self.seq = result.session_id, 0
      self.turn, self.edited, self.undos = nil, {}, {}
      self.transcript = require("opal.transcript").new(self.id, self.dir)
      if resumed then
        self.transcript:show()
        self:show_history({})
      end
    end
    self:take_state(result.state)
    self:show_status()
    self:go_on()
  end)
end

--- Does what had to wait.
---@private
function Session:go_on()
  while not self.loading and #self.waiting > 0 do
    table.remove(self.waiting, 1)()
  end
end

--- The server is gone: say so, and let the next prompt start anew.
---@private
---@param reason string
function Session:lost(reason)
  if self.gone or vim.v.exiting ~= vim.NIL then
    return
  end
  self.gone = true
  sessions[self.dir] = nil
  local message = ("Opal's server is gone (%s). The next prompt starts a new one."):format(reason)
  if self.transcript then
    require("opal.dialogs").drop(self.transcript)
    self.transcript:note(message)
  end
  vim.notify(
    message .. "\nIts last words may be in " .. require("vim.lsp.log").get_filename(),
    vim.log.levels.ERROR
  )
  self:show_status()
end

--- Runs `act` as soon as the session has started and the transcript shows its past.
---@param act fun()
function Session:when_started(act)
  if self.id and not self.loading then
    act()
  else
    self.waiting[#self.waiting + 1] = act
  end
end

---@param method string
---@param params table
---@param done? fun(result: any)
---@param refused? fun(err: lsp.ResponseError): boolean? true: nobody has to be told
function Session:request(method, params, done, refused)
  params.session_id = self.id
  client.request(self.client, method, params, function(err, result)
    if err and refused and refused(err) then
      return
    elseif err and err.code == protocol.error_codes.busy then
      local advice = "Say it with :Opal steer, queue it with :Opal follow_up, or stop with :Opal abort."
      if method ~= protocol.methods.prompt then
        advice = "Wait for it, or stop it with :Opal abort."
      end
      vim.notify("Opal is still at work. " .. advice, vim.log.levels.WARN)
    elseif err then
      report(err)
    elseif done then
      done(result)
    end
  end)
end

---@param text string
---@param opts? opal.PromptOpts
function Session:prompt(text, opts)
  local selection = opts and opts.selection
  local documents = require("opal.documents")
  if selection and not documents.is_file(selection.bufnr) then
    vim.notify("Opal: a selection needs a buffer with a file name; save it first.", vim.log.levels.ERROR)
    return
  end
  self:when_started(function()
    self.transcript:show()
    local attachments
    if selection then
      attachments = { documents.attachment(selection, self.client.offset_encoding) }
    end
    self:request(protocol.methods.prompt, { text = text, attachments = attachments })
  end)
end

---@param text string
function Session:steer(text)
  self:when_started(function()
    self.transcript:show()
    self:request(protocol.methods.steer, { text = text })
  end)
end

---@param text string
function Session:follow_up(text)
  self:when_started(function()
    self.transcript:show()
    self:request(protocol.methods.follow_up, { text = text })
  end)
end

function Session:abort()
  self:when_started(function()
    self:request(protocol.methods.abort, {}, function(result)
      for _, message in ipairs(result.queued) do
        -- What is short stands there in full already.
        if require("opal.transcript").short(message.text) ~= message.text then
          self.transcript:note("Not sent: " .. message.text)
        end
      end
    end)
  end)
end

function Session:compact()
  self:when_started(function()
    self.transcript:show()
    self:request(protocol.methods.session_compact, {})
  end)
end

function Session:open()
  self:when_started(function()
    local window = self.transcript:show()
    if window then
      vim.api.nvim_set_current_win(window)
    end
  end)
end

function Session:show_state()
  self:when_started(function()
    self:request(protocol.methods.state, {}, function(state)
      self:take_state(state)
      local lines = {
        ("session   %s in %s"):format(state.session_id, state.working_dir),
        ("status    %s"):format(self:status()),
        ("model     %s"):format(state.model),
        ("may       %s"):format(state.permission_mode),
        ("tokens    %d in, %d out"):format(state.usage.input, state.usage.output),
      }
      for _, message in ipairs(state.queue) do
        local kind = message.kind == "steering" and "steers" or "queued"
        lines[#lines + 1] = ("%-9s %s"):format(kind, message.text)
      end
      vim.notify(table.concat(lines, "\n"))
    end)
  end)
end

---@param n integer
---@return string
local function tokens(n)
  return n < 1000 and tostring(n) or (n < 10000 and "%.1fk" or "%.0fk"):format(n / 1000)
end

---@param before? integer tokens
---@param after integer tokens
---@param summary? string absent if only tool output was left out
---@param by_itself? boolean without a model
---@return string
local function compacted(before, after, summary, by_itself)
  local sizes = (before and tokens(before) .. " → " or "") .. tokens(after) .. " tokens"
  return "✓ compacted: "
    .. sizes
    .. (not summary and " (only old tool output left out)" or "")
    .. (by_itself and " (no model could be asked for the summary)" or "")
end

---@type table<string, fun(session: opal.Session, transcript: opal.Transcript, content: any, past: opal.Past, entry_id: string)>
local told = {
  user = function(_, transcript, content, past)
    past.turn = content.turn_id
    transcript:said(content.text)
  end,
  steering = function(_, transcript, content)
    transcript:said(content.text)
  end,
  assistant = function(_, transcript, content, _, entry_id)
    transcript:complete("entry" .. entry_id, content.text)
    if content.interrupted then
      transcript:note("The answer was cut off here.")
    end
  end,
  tool_result = function(session, transcript, content, past)
    transcript:call_started(content.tool, content.call_id, content.args or {})
    transcript:call_ended(content.call_id, content.result, false)
    if (content.result.diff or "") ~= "" then
      session:changed_files(past.turn)
    end
  end,
  undo = function(_, transcript, content)
    transcript:note("↶ Changes taken back in " .. table.concat(content.files, ", "))
  end,
  compaction = function(_, transcript, content)
    transcript:note(compacted(content.tokens_before, content.tokens_after, content.summary))
  end,
}

--- Writes the conversation so far into the transcript, page by page, and then does what waited for that.
---@private
---@param past opal.Past
---@param cursor? string
function Session:show_history(past, cursor)
  self.loading = past
  local params = { session_id = self.id, cursor = cursor }
  client.request(self.client, protocol.methods.session_history, params, function(err, history)
    if self.loading ~= past then
      return -- it has become another conversation meanwhile
    elseif err then
      report(err)
    else
      for _, entry in ipairs(history.entries) do
        local tell = told[entry.content.kind]
        if tell then
          tell(self, self.transcript, entry.content, past, entry.entry_id)
        end
      end
      if history.next_cursor then
        self:show_history(past, history.next_cursor)
        return
      end
    end
    self.loading = nil
    self:go_on()
  end)
end

---@private
---@param turn_id? string
function Session:changed_files(turn_id)
  if turn_id and not vim.tbl_contains(self.edited, turn_id) then
    table.insert(self.edited, turn_id)
  end
end

---@private
---@param state opal.SessionState
function Session:take_state(state)
  self.seq = math.max(self.seq, state.seq)
  self.state, self.waiting_for, self.usage = state.status, state.waiting_for, state.usage
  -- An undo has an id like a turn.
  local is_turn = not (state.waiting_for and state.waiting_for.kind == "undo")
  self.turn = is_turn and state.turn_id or nil
end

--- Brings the bar above the transcript and the user's own status line up to date.
---@private
function Session:show_status()
  if self.transcript then
    self.transcript:set_status(self:status())
  end
  vim.cmd("redrawstatus!")
end

--- What it does, in a few words.
---@return string
function Session:status()
  local waiting_for = self.waiting_for
  local text
  if self.gone then
    text = "the server is gone"
  elseif not self.id then
    text = "starting"
  elseif self.state == "idle" then
    text = "idle"
  elseif not waiting_for then
    text = "working"
  elseif waiting_for.kind == "model" then
    text = "waiting for the model"
  elseif waiting_for.kind == "tool" then
    text = "running " .. waiting_for.tool
  elseif waiting_for.kind == "answer" then
    text = "asks: " .. waiting_for.title
  elseif waiting_for.kind == "undo" then
    text = "putting files back"
  elseif waiting_for.kind == "compaction" then
    text = "compacting the conversation"
  elseif waiting_for.kind == "retry" then
    text = ("tries again in %d s: %s"):format(math.ceil(waiting_for.delay_ms / 1000), waiting_for.reason)
  else
    text = "waiting"
  end
  local usage = self.usage
  if usage and usage.window and usage.window > 0 and usage.used > 0 then
    text = ("%s, %d%% full"):format(text, math.floor(100 * usage.used / usage.window))
  end
  return "opal: " .. text
end

---@param attachment opal.Attachment
---@return string
local function shown(attachment)
  if attachment.type == "selection" then
    local from, to = attachment.range.start, attachment.range["end"]
    local last = to.character == 0 and to.line or to.line + 1
    local name = vim.fs.basename(vim.uri_to_fname(attachment.uri))
    return ("(%s:%d-%d)"):format(name, from.line + 1, last)
  elseif attachment.type == "file" then
    return ("(%s)"):format(vim.fs.basename(vim.uri_to_fname(attachment.uri)))
  end
  return ("(%s)"):format(attachment.type)
end

local endings = {
  aborted = "Stopped.",
  error = "Ended by the error above.",
  length = "The answer was cut off: the model's output limit was reached.",
  denied = "Ended: everything it tried was denied.",
  loop = "Ended: the model repeated the same call without effect.",
}

---@type table<string, fun(session: opal.Session, transcript: opal.Transcript, event: any)>
local on = {
  turn_start = function(session, transcript, event)
    session.turn = event.turn_id
    transcript:said(event.text, vim.tbl_map(shown, event.attachments or {}))
  end,
  turn_end = function(session)
    session.turn = nil
  end,
  thinking_delta = function(_, transcript, event)
    transcript:delta(event.message_id, event.delta, true)
  end,
  thinking_end = function(_, transcript, event)
    transcript:complete(event.message_id, event.text, true)
  end,
  message_delta = function(_, transcript, event)
    transcript:delta(event.message_id, event.delta)
  end,
  message_end = function(_, transcript, event)
    transcript:complete(event.message_id, event.text)
  end,
  retry = function(_, transcript, event)
    transcript:void(event.message_id)
    local message = "↻ Trying again in %d s: %s"
    transcript:note(message:format(math.ceil(event.delay_ms / 1000), event.reason))
  end,
  tool_execution_start = function(session, transcript, event)
    session.commands[event.call_id] = type(event.args) == "table" and event.args.command ~= nil
    -- A question to the user has a line of its own when it is asked.
    if event.tool ~= "ask_user" then
      transcript:call_started(event.tool, event.call_id, event.args)
    end
  end,
  tool_output = function(_, transcript, event)
    transcript:output(event.call_id, event.delta)
  end,
  document_edited = function(session, transcript, event)
    session:changed_files(session.turn)
    local added, removed = require("opal.documents").show_edit(event.uri, event.diff)
    if not transcript:is_visible() then
      local name = transcript:relative(vim.uri_to_fname(event.uri))
      vim.notify(("Opal edited %s (+%d −%d)"):format(name, added, removed))
    end
  end,
  tool_execution_end = function(session, transcript, event)
    local is_command = session.commands[event.call_id] or false
    session.commands[event.call_id] = nil
    transcript:call_ended(event.call_id, event.result, is_command)
    if is_command then
      require("opal.documents").refresh()
    end
  end,
  changes_undone = function(session, transcript, event)
    local done = session.brings and "↷ Changes brought again in " or "↶ Changes taken back in "
    session.brings = false
    local parts = {}
    if #event.files > 0 then
      parts[1] = done .. table.concat(event.files, ", ")
    end
    if #event.conflicts > 0 then
      parts[#parts + 1] = "✗ Left as they are: " .. table.concat(event.conflicts, ", ")
    end
    transcript:note(table.concat(parts, "\n"))
  end,
  branched = function(session, transcript)
    session.undos = {}
    transcript:clear()
    session:show_history({})
  end,
  compaction_start = function(session, transcript, event)
    session.compacting = event.used
    transcript:line("compaction", "▸ compacting…")
  end,
  compaction_end = function(session, transcript, event)
    local text = "✗ not compacted: " .. (event.error or "")
    if not event.error then
      text = compacted(session.compacting, event.used, event.summary, event.fallback)
    end
    session.compacting = nil
    local shown_before = transcript:settle("compaction", function()
      return text
    end)
    if not shown_before then
      transcript:note(text)
    end
  end,
  message_queued = function(_, transcript, event)
    local label = event.kind == "steering" and "steer" or "next"
    local text = require("opal.transcript").short(event.text)
    transcript:line(event.message_id, ("> %s (waiting): %s"):format(label, text))
  end,
  message_applied = function(_, transcript, event)
    transcript:settle(event.message_id, function(text)
      return (text:gsub(" %(waiting%):", ":", 1))
    end)
  end,
  message_withdrawn = function(_, transcript, event)
    transcript:settle(event.message_id, function(text)
      return (text:gsub("%(waiting%):", "(not sent):", 1))
    end)
  end,
  usage_update = function(session, _, event)
    session.usage = event.usage
    session:show_status()
  end,
  status_update = function(session, _, event)
    session.state, session.waiting_for = event.state, event.waiting_for
    session:show_status()
  end,
  error = function(_, transcript, event)
    transcript:note("✗ " .. event.message .. (event.hint and ("\n" .. event.hint) or ""))
  end,
  agent_end = function(session, transcript, event)
    session.state, session.waiting_for, session.turn = "idle", nil, nil
    transcript:flush()
    if event.reason ~= "completed" then
      transcript:note(endings[event.reason] or ("Ended: " .. tostring(event.reason)))
    end
    session:show_status()
  end,
}

---@private
---@param event opal.EventParams
function Session:on_event(event)
  if event.session_id ~= self.id or event.seq <= self.seq then
    return
  end
  local missed = (event.first_seq or event.seq) ~= self.seq + 1
  self.seq = event.seq
  if missed then
    self.transcript:note("(Some of what happened could not be shown.)")
    self:request(protocol.methods.state, {}, function(state)
      self:take_state(state)
    end)
  end
  local handle = on[event.type]
  if handle then
    handle(self, self.transcript, event)
  end
end

return M
