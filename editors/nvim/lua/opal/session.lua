--- Sessions: one for each working directory, with a server process of its own. Here is how a session comes to be,
--- what it asks of the server, and what is known of it. What the user says to it stands in say.lua, what becomes of
--- its events in session/events.lua.
local protocol = require("opal.protocol")
local client = require("opal.client")
local methods = protocol.methods

local M = {}

local sessions = {} ---@type table<string, opal.Session> by directory

---@class opal.Session
---@field dir string
---@field client_id integer
---@field client? vim.lsp.Client once the server is initialized
---@field connected_acts fun()[] what to do then
---@field resume? opal.SessionResumeParams what to go on with when it starts
---@field starting boolean
---@field id? string once the server has started it
---@field started_acts fun()[] what to do when it has started and its past is shown
---@field refused_acts fun()[] what to do if it cannot be started
---@field loading? opal.Past the conversation so far is being written into the transcript
---@field gone boolean the server is gone
---@field restarting boolean because the user wants it so
---@field transcript? opal.Transcript
---@field seq integer number of the last event
---@field state opal.SessionStatus
---@field waiting_for? opal.WaitingFor
---@field usage? opal.ContextUsage
---@field model? string
---@field thinking_level? opal.ThinkingLevel
---@field permission_mode? opal.PermissionMode
---@field queue opal.QueuedMessage[] oldest first
---@field turn? string the running turn
---@field edited string[] turns that changed files, oldest first
---@field undos string[] what was taken back from here, latest last
---@field brings boolean what is being taken back is an undo
---@field review? opal.Review
---@field compacting? integer tokens when the running compaction began
---@field commands table<string, boolean> running calls; true if it is a command
local Session = {}
Session.__index = Session

---@return string
local function working_dir()
  return vim.fs.normalize(vim.fn.getcwd())
end

--- The session of a directory, if there is one.
---@param dir? string the current one if absent
---@return opal.Session?
function M.find(dir)
  return sessions[dir or working_dir()]
end

--- The session that a transcript shows, if it goes on.
---@param transcript opal.Transcript
---@return opal.Session?
function M.of(transcript)
  for _, session in pairs(sessions) do
    if session.transcript == transcript then
      return session
    end
  end
end

--- The session of a directory. Starts a server if there is none; the session itself begins when something is to
--- be done in it.
---@param dir? string the current one if absent
---@return opal.Session? session nil if the server cannot be started; the user has been told
function M.current(dir)
  dir = dir or working_dir()
  if sessions[dir] then
    return sessions[dir]
  end
  local self = setmetatable({
    dir = dir,
    connected_acts = {},
    started_acts = {},
    refused_acts = {},
    starting = false,
    gone = false,
    restarting = false,
    seq = 0,
    state = "idle",
    queue = {},
    commands = {},
    edited = {},
    undos = {},
    brings = false,
  }, Session)
  -- Before the start: a server that ends at once is gone by its hook.
  sessions[dir] = self
  self.client_id = client.start(dir, self:hooks())
  if not self.client_id then
    sessions[dir] = nil
    return nil
  end
  return self
end

--- Goes on with a stored session: the one with this id, or the latest of the current directory.
---@param id? string or the beginning of one
function M.resume(id)
  local self = M.current()
  if self and self:must_be_idle() then
    self.resume = id and { session_id = id } or { working_dir = working_dir() }
    self:when_connected(function()
      self:start()
    end)
  end
end

--- Leaves the session for a new one.
function M.new()
  local self = M.current()
  if self and self:must_be_idle() then
    self:when_connected(function()
      self.resume = nil
      self:begin(methods.session_start, self:start_params(), function()
        self.transcript:show()
      end)
    end)
  end
end

--- Starts the server of the current directory anew, and goes on with its session.
function M.restart()
  local old = M.find()
  if not old then
    M.current()
  else
    old.restarting = true
    client.stop(old.client_id)
  end
end

---@private
---@return opal.Hooks
function Session:hooks()
  return {
    ready = function(lsp_client)
      self.client = lsp_client
      self:go_on(self.connected_acts)
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
      [methods.auth_device_code] = function(params)
        require("opal.auth").show_code(params)
      end,
      [methods.save_documents] = function(params, ctx)
        return require("opal.documents").save(params, ctx)
      end,
      [methods.tool_call] = function(params, ctx)
        return require("opal.tools").call(params, ctx)
      end,
      ["workspace/applyEdit"] = function(params, ctx)
        return require("opal.documents").apply(params, ctx)
      end,
    },
  }
end

---@private
---@return opal.SessionStartParams
function Session:start_params()
  local options = require("opal.config").options
  return {
    working_dir = self.dir,
    model = options.model,
    thinking_level = options.thinking_level,
    permission_mode = options.permission_mode,
  }
end

--- Starts the session, or goes on with a stored one.
---@private
function Session:start()
  local resumed = self.resume
  self.resume = nil
  if not resumed then
    self:begin(methods.session_start, self:start_params())
    return
  end
  self:begin(methods.session_resume, resumed, function()
    self.transcript:show()
    self:show_history()
  end)
end

---@private
---@param method string
---@param params table
---@param became_another? fun()
function Session:begin(method, params, became_another)
  self.starting = true
  client.request(self.client, method, params, function(err, result)
    self.starting = false
    if err then
      client.report(err)
      self:refuse()
      self:show_status()
      return
    end
    if self.id ~= result.session_id then
      self.id, self.seq = result.session_id, 0
      self.turn, self.edited, self.undos, self.queue = nil, {}, {}, {}
      self:stop_review()
      self.transcript = require("opal.transcript").new(self.id, result.state.working_dir)
      if became_another then
        became_another()
      end
    end
    self:take_state(result.state)
    self:show_status()
    self.refused_acts = {}
    self:go_on(self.started_acts)
  end)
end

--- Does what had to wait.
---@private
---@param acts fun()[]
function Session:go_on(acts)
  while not self.loading and #acts > 0 do
    table.remove(acts, 1)()
  end
end

--- It cannot be started: what had to wait is given up.
---@private
function Session:refuse()
  self.started_acts, self.loading = {}, nil
  self:go_on(self.refused_acts)
end

--- Runs `act` as soon as the server can be asked.
---@param act fun()
function Session:when_connected(act)
  if self.client then
    act()
  else
    table.insert(self.connected_acts, act)
  end
end

--- Runs `act` as soon as the session has started and the transcript shows its past. Starts it if need be.
---@param act fun()
---@param refused? fun() it cannot be started; the user has been told why
function Session:when_started(act, refused)
  if self.id and not self.loading and not self.starting then
    act()
    return
  end
  table.insert(self.started_acts, act)
  table.insert(self.refused_acts, refused)
  self:when_connected(function()
    if not self.id and not self.starting then
      self:start()
    end
  end)
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
  self:stop_review()
  if self.transcript then
    require("opal.dialogs").drop(self.transcript)
  end
  self.state, self.queue = "idle", {}
  self:refuse()
  if self.restarting then
    self:show_status()
    local again = M.current(self.dir)
    if again and self.id then
      again.resume = { session_id = self.id }
      again:when_connected(function()
        again:start()
      end)
    end
    return
  end
  local message = ("Opal's server is gone (%s). The next prompt starts a new one."):format(reason)
  if self.transcript then
    self.transcript:note(message)
  end
  vim.notify(message .. "\nIts last words may be in " .. client.log(), vim.log.levels.ERROR)
  self:show_status()
end

--- Asks the server about this session.
---@param method string
---@param params table
---@param answered fun(err?: lsp.ResponseError, result: any)
function Session:ask(method, params, answered)
  params.session_id = self.id
  client.request(self.client, method, params, answered)
end

--- Asks the server, and tells the user if it refuses.
---@param method string
---@param params table
---@param done? fun(result: any)
---@param refused? fun(err: lsp.ResponseError): boolean? true: nobody has to be told why
function Session:request(method, params, done, refused)
  self:ask(method, params, function(err, result)
    if err and refused and refused(err) then
      return
    elseif err and err.code == protocol.error_codes.busy then
      local advice = "Say it with :Opal steer, queue it with :Opal follow_up, or stop with :Opal abort."
      if method ~= methods.prompt then
        advice = "Wait for it, or stop it with :Opal abort."
      end
      vim.notify("Opal is still at work. " .. advice, vim.log.levels.WARN)
    elseif err then
      client.report(err)
    elseif done then
      done(result)
    end
  end)
end

--- Whether nothing runs or is about to; the user is told if something does.
---@return boolean
function Session:must_be_idle()
  local is_idle = self.state == "idle" and not self.starting and #self.started_acts == 0
  if not is_idle then
    vim.notify("Opal is at work here. Stop it first with :Opal abort.", vim.log.levels.WARN)
  end
  return is_idle
end

function Session:compact()
  self:when_started(function()
    self.transcript:show()
    self:request(methods.session_compact, {})
  end)
end

--- Shows the transcript with the prompt area, and goes there.
function Session:open()
  self:when_started(function()
    local window = self.transcript:show()
    if window then
      require("opal.prompt").of(self.dir):show(window)
      vim.api.nvim_set_current_win(window)
    end
  end)
end

--- Changes the session.
---@param params opal.SessionSetParams
---@param done fun()
function Session:set(params, done)
  self:request(methods.session_set, params, function()
    self:request(methods.state, {}, function(state)
      self:take_state(state)
      self:show_status()
      done()
    end)
  end)
end

function Session:show_state()
  self:when_started(function()
    self:request(methods.state, {}, function(state)
      self:take_state(state)
      vim.notify(require("opal.session.status").report(self, state))
    end)
  end)
end

--- Writes the conversation so far into the transcript, and then does what waited for that.
function Session:show_history()
  require("opal.session.history").show(self, function()
    self:go_on(self.started_acts)
  end)
end

---@param turn_id? string
function Session:changed_files(turn_id)
  if turn_id and not vim.tbl_contains(self.edited, turn_id) then
    table.insert(self.edited, turn_id)
  end
end

---@private
function Session:stop_review()
  if self.review then
    self.review:stop()
  end
end

---@private
---@param state opal.SessionState
function Session:take_state(state)
  self.seq = math.max(self.seq, state.seq)
  self.state, self.waiting_for, self.usage = state.status, state.waiting_for, state.usage
  self.model, self.thinking_level = state.model, state.thinking_level
  self.permission_mode, self.queue = state.permission_mode, state.queue
  -- An undo has an id like a turn.
  local is_turn = not (state.waiting_for and state.waiting_for.kind == "undo")
  self.turn = is_turn and state.turn_id or nil
end

--- Brings the bars of transcript and prompt and the user's own status line up to date.
function Session:show_status()
  if self.transcript then
    self.transcript:set_status(self:status())
  end
  require("opal.prompt").of(self.dir):show_hint(self.state, self.queue)
  vim.cmd("redrawstatus!")
end

--- What it does, in a few words.
---@return string
function Session:status()
  return require("opal.session.status").text(self)
end

--- Runs the user's autocommands.
---@param name string
---@param data table
function Session:tell(name, data)
  data.session_id = self.id
  require("opal.autocmd").emit(name, data)
end

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
    self:request(methods.state, {}, function(state)
      self:take_state(state)
    end)
  end
  require("opal.session.events").handle(self, event)
end

return M
