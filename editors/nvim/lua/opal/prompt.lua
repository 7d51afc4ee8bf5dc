--- The prompt area: a small buffer below the transcript to write in, with a history, one for each directory.
local M = {}

local LEAST_LINES, MOST_LINES = 3, 12

local prompts = {} ---@type table<string, opal.Prompt> by directory

---@class opal.Prompt
---@field dir string
---@field bufnr integer -1 before it is first used
---@field hint string
---@field history string[] oldest first
---@field place? integer in the history, while going through it
---@field draft string what was being written before that
local Prompt = {}
Prompt.__index = Prompt

---@param dir string
---@return opal.Prompt
function M.of(dir)
  if not prompts[dir] then
    prompts[dir] = setmetatable({ dir = dir, bufnr = -1, hint = "", history = {}, draft = "" }, Prompt)
  end
  return prompts[dir]
end

---@private
function Prompt:ensure()
  if vim.api.nvim_buf_is_loaded(self.bufnr) then
    return
  end
  if vim.api.nvim_buf_is_valid(self.bufnr) then
    vim.api.nvim_buf_delete(self.bufnr, { force = true })
  end
  self.bufnr = vim.api.nvim_create_buf(false, true)
  require("opal.text").name_buffer(self.bufnr, "opal-prompt://" .. vim.fs.basename(self.dir))
  local options = vim.bo[self.bufnr]
  options.buftype = "nofile"
  options.bufhidden = "hide"
  options.swapfile = false
  options.filetype = "opal_prompt"
  pcall(vim.treesitter.start, self.bufnr, "markdown") -- without a parser it is plain text
  vim.b[self.bufnr].opal_hint = self.hint
  require("opal.prompt.keys").map(self)
  vim.api.nvim_create_autocmd({ "TextChanged", "TextChangedI", "TextChangedP" }, {
    buffer = self.bufnr,
    desc = "Opal: the prompt area is as high as its text",
    callback = function(event)
      self:fit()
      if event.event ~= "TextChanged" then
        require("opal.prompt.offers").show(self.dir)
      end
    end,
  })
  -- A menu that puts nothing into the text before it is chosen. The option is global in Neovim 0.10.
  local completeopt
  vim.api.nvim_create_autocmd({ "InsertEnter", "BufEnter", "InsertLeave", "BufLeave" }, {
    buffer = self.bufnr,
    desc = "Opal: how what may be mentioned is offered",
    callback = function(event)
      local types = event.event == "InsertEnter" or (event.event == "BufEnter" and vim.fn.mode() == "i")
      if types and not completeopt then
        completeopt = vim.go.completeopt
        vim.go.completeopt = "menu,menuone,noinsert"
      elseif not types and completeopt then
        vim.go.completeopt, completeopt = completeopt, nil
      end
    end,
  })
end

--- Makes its windows as high as the text, within limits.
---@private
function Prompt:fit()
  for _, window in ipairs(vim.fn.win_findbuf(self.bufnr)) do
    local needed = vim.api.nvim_win_text_height(window, {}).all + 1 -- the hint
    local height = math.max(math.min(needed, MOST_LINES), LEAST_LINES)
    if vim.api.nvim_win_get_height(window) ~= height then
      vim.api.nvim_win_set_height(window, height)
    end
  end
end

--- Shows it below a transcript, without going there.
---@param transcript_window? integer below everything if absent
---@return integer? window nil if there is no room
function Prompt:show(transcript_window)
  self:ensure()
  local window = vim.fn.bufwinid(self.bufnr)
  if window ~= -1 then
    return window
  end
  local ok, opened = pcall(vim.api.nvim_open_win, self.bufnr, false, {
    split = "below",
    win = transcript_window or -1,
    height = LEAST_LINES,
  })
  if not ok then
    return nil
  end
  local options = vim.wo[opened][0]
  options.winfixheight = true
  options.wrap = true
  options.linebreak = true
  options.number = false
  options.relativenumber = false
  options.signcolumn = "no"
  options.fillchars = "eob: "
  options.winbar = "%{get(b:, 'opal_hint', '')}%<"
  self:fit()
  if not transcript_window then
    return opened
  end
  vim.api.nvim_create_autocmd("WinClosed", {
    pattern = tostring(transcript_window),
    once = true,
    desc = "Opal: the prompt area goes with the transcript",
    callback = vim.schedule_wrap(function()
      if vim.api.nvim_win_is_valid(opened) and vim.api.nvim_win_get_buf(opened) == self.bufnr then
        pcall(vim.api.nvim_win_close, opened, true)
      end
    end),
  })
  return opened
end

--- Goes there to write, at the end. Starts a session if there is none.
function Prompt:enter()
  local session = require("opal.session").current(self.dir)
  if not session then
    return
  end
  local function go()
    local window = self:show(session.transcript and session.transcript:show())
    if window then
      vim.api.nvim_set_current_win(window)
      self:to_end()
      vim.cmd.startinsert({ bang = true })
    end
  end
  -- Where no session can be started one may write all the same, and send it when that is mended.
  session:when_started(go, go)
end

--- Goes there to write, about what is selected if something is.
---@param selection? opal.Selection
function Prompt:begin(selection)
  if not selection then
    self:enter()
  elseif require("opal.documents").is_file(selection.bufnr) then
    local path = vim.api.nvim_buf_get_name(selection.bufnr)
    local mention = require("opal.prompt.mentions").of_file(path, self.dir, selection.first, selection.last)
    self:put(mention .. " ")
  else
    require("opal.documents").want_name()
  end
end

---@private
function Prompt:to_end()
  local last = vim.api.nvim_buf_line_count(self.bufnr)
  for _, window in ipairs(vim.fn.win_findbuf(self.bufnr)) do
    vim.api.nvim_win_set_cursor(window, { last, #vim.api.nvim_buf_get_lines(self.bufnr, -2, -1, true)[1] })
  end
end

---@return string
function Prompt:text()
  self:ensure()
  return vim.trim(table.concat(vim.api.nvim_buf_get_lines(self.bufnr, 0, -1, true), "\n"))
end

--- Replaces its text.
---@param text string
function Prompt:set(text)
  self:ensure()
  vim.api.nvim_buf_set_lines(self.bufnr, 0, -1, true, require("opal.text").split(text))
  self:to_end()
  self:fit()
end

--- Adds a text to what is written there, and goes there.
---@param text string
function Prompt:put(text)
  local before = self:text()
  self:set(before == "" and text or before .. "\n" .. text)
  self:enter()
end

--- Keeps a text for going back to it.
---@param text string
function Prompt:remember(text)
  self.place = nil
  if self.history[#self.history] ~= text then
    table.insert(self.history, text)
  end
end

--- Goes through the history.
---@param step 1|-1
function Prompt:recall(step)
  local session = require("opal.session").find(self.dir)
  local queue = session and session.queue or {}
  if step < 0 and not self.place and #queue > 0 and self:text() == "" then
    require("opal.say").take_back(session, queue[#queue].message_id)
    return
  end
  local place = (self.place or #self.history + 1) + step
  if place < 1 or place > #self.history + 1 then
    return
  end
  if not self.place then
    self.draft = self:text()
  end
  self.place = place <= #self.history and place or nil
  self:set(self.place and self.history[place] or self.draft)
end

--- Sends the text. While a turn runs it steers that, or is queued for after it.
---@param how "say"|"queue"
function Prompt:send(how)
  local text = self:text()
  local session = text ~= "" and require("opal.session").current(self.dir)
  if not session then
    return
  end
  local say = require("opal.say")
  self:set("")
  local opts = {
    refused = function()
      -- Nothing typed is lost.
      if self:text() == "" then
        self:set(text)
      end
    end,
  }
  if session.state == "idle" then
    say.prompt(session, text, opts)
  elseif how == "queue" then
    say.follow_up(session, text, opts)
  else
    say.steer(session, text, opts)
  end
end

--- Says above it what sending does, and what waits.
---@param state opal.SessionStatus
---@param queue opal.QueuedMessage[]
function Prompt:show_hint(state, queue)
  local hint = state == "idle" and "<C-s> sends, @ names a file" or "<C-s> steers, <M-CR> queues"
  if #queue > 0 then
    local waiting = vim.tbl_map(function(message)
      return require("opal.text").short(message.text)
    end, queue)
    hint = ("waiting: %s (<Up> takes it back)"):format(table.concat(waiting, " · "))
  end
  self.hint = hint
  if vim.api.nvim_buf_is_valid(self.bufnr) then
    vim.b[self.bufnr].opal_hint = hint
  end
end

return M
