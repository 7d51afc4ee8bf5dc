--- What the user says to a session, and takes back.
local methods = require("opal.protocol").methods

local M = {}

--- Says something, and shows what comes of it.
---@param session opal.Session
---@param method string
---@param text string
---@param attachments fun(mentioned: opal.Attachment[]): opal.Attachment[]?
---@param refused? fun() it was not taken
local function say(session, method, text, attachments, refused)
  require("opal.prompt").of(session.dir):remember(text)
  session:when_started(function()
    session.transcript:show()
    local mentioned = require("opal.prompt.mentions").read(text, session.dir)
    local whole = text
    if #mentioned.problems > 0 then
      whole = text .. "\n\nProblems that the editor shows:\n" .. table.concat(mentioned.problems, "\n")
    end
    session:request(method, { text = whole, attachments = attachments(mentioned.attachments) }, nil, refused)
  end, refused)
end

local function nothing() end

---@param session opal.Session
---@param text string
---@param opts? opal.PromptOpts
function M.prompt(session, text, opts)
  opts = opts or {}
  local documents = require("opal.documents")
  if opts.selection and not documents.is_file(opts.selection.bufnr) then
    documents.want_name()
    return
  end
  say(session, methods.prompt, text, function(attachments)
    if opts.selection then
      table.insert(attachments, 1, documents.attachment(opts.selection, session.client.offset_encoding))
    end
    return #attachments > 0 and attachments or nil
  end, opts.refused)
end

---@param session opal.Session
---@param text string
---@param opts? opal.SayOpts
function M.steer(session, text, opts)
  say(session, methods.steer, text, nothing, (opts or {}).refused)
end

---@param session opal.Session
---@param text string
---@param opts? opal.SayOpts
function M.follow_up(session, text, opts)
  say(session, methods.follow_up, text, nothing, (opts or {}).refused)
end

--- Whether a queued message still waits.
---@param session opal.Session
---@param message_id string
---@return boolean
function M.waits(session, message_id)
  return vim.iter(session.queue):any(function(message)
    return message.message_id == message_id
  end)
end

--- Takes a queued message back into the prompt.
---@param session opal.Session
---@param message_id string
function M.take_back(session, message_id)
  local message = vim.iter(session.queue):find(function(queued)
    return queued.message_id == message_id
  end)
  session:request(methods.cancel_queued, { message_id = message_id }, function(result)
    if result.ok and message then
      require("opal.prompt").of(session.dir):put(message.text)
    else
      vim.notify("Opal: that has reached the model already.")
    end
  end)
end

---@param session opal.Session
function M.abort(session)
  session:when_started(function()
    session:request(methods.abort, {}, function(result)
      for _, message in ipairs(result.queued) do
        -- What is short stands there in full already.
        if require("opal.text").short(message.text) ~= message.text then
          session.transcript:note("Not sent: " .. message.text)
        end
      end
    end)
  end)
end

return M
