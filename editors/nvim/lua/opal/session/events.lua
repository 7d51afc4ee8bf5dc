--- What becomes of a session's events.
local compacted = require("opal.session.compacted")
local relative, short = require("opal.text").relative, require("opal.text").short

local M = {}

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

--- A queued message is not in the queue any more.
---@param session opal.Session
---@param message_id string
local function forget_queued(session, message_id)
  session.queue = vim.tbl_filter(function(message)
    return message.message_id ~= message_id
  end, session.queue)
  session:show_status()
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
    session:tell("TurnStart", { turn_id = event.turn_id, text = event.text })
  end,
  turn_end = function(session, _, event)
    session.turn = nil
    session:tell("TurnEnd", { turn_id = event.turn_id, message = event.message })
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
    if session.review then
      session.review:session_edited()
    end
    session:tell("Edit", { uri = event.uri, diff = event.diff })
    if not transcript:is_visible() then
      local name = relative(vim.uri_to_fname(event.uri), session.dir)
      vim.notify(("Opal edited %s (+%d −%d)"):format(name, added, removed))
    end
  end,
  tool_execution_end = function(session, transcript, event)
    local is_command = session.commands[event.call_id] or false
    session.commands[event.call_id] = nil
    transcript:call_ended(event.call_id, event.result, is_command)
    if is_command then
      require("opal.documents").refresh()
      if session.review then
        session.review:refresh()
      end
    end
  end,
  changes_undone = function(session, transcript, event)
    -- Here, not with the answer: the session is idle before that comes, and a redo may be asked for at once.
    if not session.brings and #event.files > 0 then
      table.insert(session.undos, event.turn_id)
    end
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
    session:show_history()
  end,
  model_changed = function(session, _, event)
    session.model, session.thinking_level = event.model, event.thinking_level
    session:show_status()
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
  message_queued = function(session, transcript, event)
    local label = event.kind == "steering" and "steer" or "next"
    transcript:line(event.message_id, ("> %s (waiting): %s"):format(label, short(event.text)))
    table.insert(session.queue, { message_id = event.message_id, text = event.text, kind = event.kind })
    session:show_status()
  end,
  message_applied = function(session, transcript, event)
    forget_queued(session, event.message_id)
    transcript:settle(event.message_id, function(text)
      return (text:gsub(" %(waiting%):", ":", 1))
    end)
  end,
  message_withdrawn = function(session, transcript, event)
    forget_queued(session, event.message_id)
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
    session:tell("State", { state = event.state, waiting_for = event.waiting_for })
  end,
  warning = function(_, transcript, event)
    transcript:note("⚠ " .. event.message .. (event.hint and ("\n" .. event.hint) or ""))
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
    session:tell("RunEnd", { reason = event.reason })
  end,
}

---@param session opal.Session
---@param event opal.EventParams
function M.handle(session, event)
  local handle = on[event.type]
  if handle then
    handle(session, session.transcript, event)
  end
end

return M
