--- Questions of the server: one dialog at a time, through `vim.ui`, so that the user's own pickers show them.
---
--- A dialog never opens while the user types: the next keys would answer it. Which answer means what is the
--- server's business; here nothing chosen is a denial.
local preview = require("opal.dialogs.preview")

local M = {}

---@class opal.Dialog
---@field params opal.ConfirmParams|opal.InputParams
---@field open fun(dialog: opal.Dialog) asks the user, then calls `answer`
---@field transcript? opal.Transcript
---@field cancel fun() answers as if nothing was chosen
---@field waiter thread
---@field answered boolean
---@field announced boolean the user was told that it waits
---@field blocking boolean inside a call of Neovim's own blocking dialog
---@field close_preview? fun()
---@field call_id? string the call it is about, if the transcript shows that

local queue = {} ---@type opal.Dialog[]
local active ---@type opal.Dialog?
local polling = false
local POLL_MS = 100

local show_next

---@param text string
---@return string
local function short(text)
  return require("opal.text").short(text)
end

---@param dialog opal.Dialog
---@param outcome string for the transcript
---@param result any
---@param err? lsp.ResponseError
local function answer(dialog, outcome, result, err)
  if dialog.answered then
    return -- it was answered elsewhere meanwhile
  end
  dialog.answered = true
  if dialog.close_preview then
    dialog.close_preview()
  end
  if active == dialog then
    active = nil
  end
  require("opal.autocmd").emit(dialog.params.actions and "ConfirmEnd" or "InputEnd", {
    session_id = dialog.params.session_id,
    question_id = dialog.params.question_id,
    action = result and result.action, -- nil if it needs no answer any more
  })
  if dialog.transcript and dialog.call_id then
    dialog.transcript:annotate(dialog.call_id, outcome)
  elseif dialog.transcript then
    dialog.transcript:settle(dialog.params.question_id, function(text)
      return text .. ": " .. outcome
    end)
  end
  vim.schedule(function()
    -- Sends the answer; it fails only when the server is gone, and then nobody waits for it.
    coroutine.resume(dialog.waiter, result, err)
    show_next()
  end)
end

--- Waits until a question is answered. Neovim runs the handler of a request in a coroutine and sends
--- what it returns, whenever that is.
---@param params opal.ConfirmParams|opal.InputParams
---@param transcript? opal.Transcript
---@param open fun(dialog: opal.Dialog)
---@return any result, lsp.ResponseError? err
local function ask(params, transcript, open)
  local dialog = { params = params, open = open, transcript = transcript, answered = false }
  dialog.waiter = assert(coroutine.running())
  queue[#queue + 1] = dialog
  local kind = params.actions and "Confirm" or "Input"
  require("opal.autocmd").emit(kind, {
    session_id = params.session_id,
    question_id = params.question_id,
    title = params.title or params.prompt,
  })
  local call_id = (params.details or {}).call_id
  if transcript and call_id and transcript:annotate(call_id, require("opal.transcript.calls").ASKS) then
    dialog.call_id = call_id
  elseif transcript then
    transcript:line(params.question_id, ("**? %s**"):format(short(params.title or params.prompt)))
  end
  vim.schedule(show_next)
  return coroutine.yield()
end

show_next = function()
  if active or #queue == 0 then
    return
  end
  local mode = vim.api.nvim_get_mode()
  if mode.blocking or not (mode.mode == "n" or mode.mode == "nt") then
    if not queue[1].announced then
      queue[1].announced = true
      vim.notify("Opal asks something; the question opens when you are back in Normal mode.")
    end
    if not polling then
      polling = true
      vim.defer_fn(function()
        polling = false
        show_next()
      end, POLL_MS)
    end
    return
  end
  active = table.remove(queue, 1)
  active:open()
end

--- Opens the oldest question that waits.
function M.open()
  if active then
    vim.notify("Opal: the question is open: " .. short(active.params.title or active.params.prompt))
  elseif #queue == 0 then
    vim.notify("Opal asks nothing.")
  else
    show_next()
  end
end

--- Calls a function of `vim.ui`. Neovim's own ones return when the dialog is closed.
---@param dialog opal.Dialog
---@param call fun()
local function during(dialog, call)
  dialog.blocking = true
  local ok, message = pcall(call)
  dialog.blocking = false
  -- Ctrl-C in a blocking dialog is an error; a picker may fail as well.
  if not ok and not dialog.answered then
    if not tostring(message):match("Keyboard interrupt") then
      vim.notify("Opal: the dialog failed: " .. tostring(message), vim.log.levels.ERROR)
    end
    dialog.cancel()
  end
end

--- Shows all of what is to be decided, and then the question again.
---@param dialog opal.Dialog
local function study(dialog)
  dialog.close_preview()
  dialog.close_preview = preview.apart(dialog.params --[[@as opal.ConfirmParams]], function()
    if not dialog.answered then
      dialog:open()
    end
  end)
end

---@param params opal.ConfirmParams
---@return fun(action: string): string
local function labels(params)
  local grant = (params.details or {}).grant
  local known = {
    allow = "Allow",
    deny = "Deny",
    allow_session = "Allow for this session" .. (grant and (": " .. short(grant)) or ""),
    study = "Show all of it",
  }
  return function(action)
    return known[action] or action
  end
end

local outcomes = {
  allow = "allowed",
  deny = "denied",
  allow_session = "allowed for this session",
}

--- Answers `client/confirm`.
---@param params opal.ConfirmParams
---@param transcript? opal.Transcript
---@return opal.ConfirmResult? result, lsp.ResponseError? err
function M.confirm(params, transcript)
  return ask(params, transcript, function(dialog)
    local function choose(action, word)
      local outcome = (outcomes[action] or action) .. (word and (": " .. word) or "")
      answer(dialog, outcome, { action = action, message = word })
    end
    function dialog.cancel()
      choose("deny")
    end
    during(dialog, function()
      local is_cut
      dialog.close_preview, is_cut = preview.above(params)
      vim.cmd.redraw()
      -- Numbers never move: who has learnt that 2 denies must not allow with it what does not fit the screen.
      local choices = vim.list_extend({}, params.actions)
      if is_cut then
        choices[#choices + 1] = "study"
      end
      vim.ui.select(choices, {
        prompt = "Opal: " .. short(params.title),
        format_item = labels(params),
        kind = "opal.confirm",
      }, function(action)
        if dialog.answered then
          return
        elseif action == "study" then
          study(dialog)
          return
        elseif action ~= "deny" then
          choose(action or "deny")
          return
        end
        vim.ui.input({ prompt = "Denied. A word to the model (optional): " }, function(word)
          choose("deny", word and word ~= "" and word or nil)
        end)
      end)
    end)
  end)
end

--- Answers `client/input`.
---@param params opal.InputParams
---@param transcript? opal.Transcript
---@return opal.InputResult? result, lsp.ResponseError? err
function M.input(params, transcript)
  return ask(params, transcript, function(dialog)
    local function choose(text)
      if text == nil then
        answer(dialog, "cancelled", { text = vim.NIL })
      else
        answer(dialog, params.sensitive and "answered" or text, { text = text })
      end
    end
    function dialog.cancel()
      choose(nil)
    end
    local function type_in()
      local prompt = "Opal asks: " .. params.prompt .. " "
      if params.sensitive then
        local text = vim.fn.inputsecret(prompt)
        choose(text ~= "" and text or nil)
      else
        vim.ui.input({ prompt = prompt }, choose)
      end
    end
    during(dialog, function()
      local choices = params.choices or {}
      if #choices == 0 then
        type_in()
        return
      end
      local other = {}
      local items = vim.list_extend({}, choices) ---@type any[]
      items[#items + 1] = other
      vim.ui.select(items, {
        prompt = "Opal asks: " .. params.prompt,
        format_item = function(item)
          return item == other and "Something else …" or item
        end,
        kind = "opal.input",
      }, function(item)
        if item == other and not dialog.answered then
          type_in()
        else
          choose(item)
        end
      end)
    end)
  end)
end

--- Handles `client/resolved`: someone else answered, or nobody needs to any more.
---@param question_id string
function M.resolve(question_id)
  local err = { code = vim.lsp.protocol.ErrorCodes.RequestCancelled, message = "answered elsewhere" }
  queue = vim.tbl_filter(function(dialog)
    if dialog.params.question_id ~= question_id then
      return true
    end
    answer(dialog, "no answer needed", nil, err)
    return false
  end, queue)
  if active and active.params.question_id == question_id then
    local dialog = active
    answer(dialog, "no answer needed", nil, err)
    if dialog.blocking then
      vim.api.nvim_input("<Esc>") -- closes Neovim's own dialog; others close when the user closes them
    end
  end
end

--- Forgets the questions of a server that is gone.
---@param transcript opal.Transcript
function M.drop(transcript)
  local dropped = vim.tbl_filter(function(dialog)
    return dialog.transcript == transcript
  end, queue)
  if active and active.transcript == transcript then
    dropped[#dropped + 1] = active
  end
  for _, dialog in ipairs(dropped) do
    M.resolve(dialog.params.question_id)
  end
end

return M
