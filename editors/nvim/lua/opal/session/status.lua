--- What a session does, in a few words.
local M = {}

---@type table<string, fun(waiting_for: any): string>
local waits = {
  model = function()
    return "waiting for the model"
  end,
  tool = function(waiting_for)
    return "running " .. waiting_for.tool
  end,
  answer = function(waiting_for)
    return "asks: " .. waiting_for.title
  end,
  undo = function()
    return "putting files back"
  end,
  compaction = function()
    return "compacting the conversation"
  end,
  retry = function(waiting_for)
    return ("tries again in %d s: %s"):format(math.ceil(waiting_for.delay_ms / 1000), waiting_for.reason)
  end,
}

---@param session opal.Session
---@return string
local function doing(session)
  local waiting_for = session.waiting_for
  if session.gone then
    return "the server is gone"
  elseif not session.id then
    return (session.client and not session.starting) and "ready" or "starting"
  elseif session.state == "idle" then
    return "idle"
  elseif not waiting_for then
    return "working"
  end
  local wait = waits[waiting_for.kind]
  return wait and wait(waiting_for) or "waiting"
end

--- How much of the model's window is taken, in percent: `12`, or `~12` if that is an estimate.
---@param usage? opal.ContextUsage
---@return string? percent
local function fullness(usage)
  if usage and usage.window and usage.window > 0 and usage.used > 0 then
    return (usage.estimated and "~%d" or "%d"):format(math.floor(100 * usage.used / usage.window))
  end
end

---@param session opal.Session
---@return string
function M.text(session)
  local full = fullness(session.usage)
  return "opal: " .. doing(session) .. (full and (", %s%% full"):format(full) or "")
end

--- For status lines: state, model, fullness, cost.
---@param session opal.Session
---@return string
function M.line(session)
  local parts = { "opal: " .. doing(session) }
  if session.model then
    parts[#parts + 1] = session.model
  end
  local full = fullness(session.usage)
  if full then
    parts[#parts + 1] = full .. "%"
  end
  local cost = session.usage and session.usage.cost
  if cost and cost > 0 then
    parts[#parts + 1] = ("$%.2f"):format(cost)
  end
  return table.concat(parts, " · ")
end

--- All there is to know, for a message.
---@param session opal.Session
---@param state opal.SessionState
---@return string
function M.report(session, state)
  local lines = {
    ("session   %s in %s"):format(state.session_id, state.working_dir),
    ("status    %s"):format(M.text(session)),
    ("model     %s"):format(state.model),
    ("thinks    %s"):format(state.thinking_level or "as the model does by itself"),
    ("may       %s"):format(state.permission_mode),
    ("tokens    %d in, %d out"):format(state.usage.input, state.usage.output),
  }
  for _, message in ipairs(state.queue) do
    local kind = message.kind == "steering" and "steers" or "queued"
    lines[#lines + 1] = ("%-9s %s"):format(kind, message.text)
  end
  return table.concat(lines, "\n")
end

return M
