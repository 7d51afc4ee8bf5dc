--- The conversation so far, told to the transcript of a session that goes on.
local compacted = require("opal.session.compacted")
local protocol = require("opal.protocol")

local M = {}

---@class opal.Past what is being read of the conversation so far
---@field turn? string that of the last entry

---@type table<string, fun(session: opal.Session, transcript: opal.Transcript, content: any, past: opal.Past, entry_id: string)>
local told = {
  user = function(session, transcript, content, past)
    past.turn = content.turn_id
    transcript:said(content.text)
    require("opal.prompt").of(session.dir):remember(content.text)
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
    local args = content.args or {}
    transcript:call_started(content.tool, content.call_id, args)
    transcript:call_ended(content.call_id, content.result, type(args) == "table" and args.command ~= nil)
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

--- Writes a page, and those after it.
---@param session opal.Session
---@param past opal.Past
---@param cursor? string
---@param done fun()
local function page(session, past, cursor, done)
  session:ask(protocol.methods.session_history, { cursor = cursor }, function(err, history)
    if session.loading ~= past then
      return -- it has become another conversation meanwhile
    elseif err then
      require("opal.client").report(err)
    else
      for _, entry in ipairs(history.entries) do
        local tell = told[entry.content.kind]
        if tell then
          tell(session, session.transcript, entry.content, past, entry.entry_id)
        end
      end
      if history.next_cursor then
        page(session, past, history.next_cursor, done)
        return
      end
    end
    session.loading = nil
    done()
  end)
end

--- Writes the conversation so far, page by page.
---@param session opal.Session
---@param done fun()
function M.show(session, done)
  session.loading = {}
  page(session, session.loading, nil, done)
end

return M
