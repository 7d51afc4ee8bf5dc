--- The buffer that shows a session: Markdown, only ever written here. It does not decide anything: the session
--- does.
---
--- It is made of blocks, each added at the end. Those that change later (a running call, an answer that streams)
--- are found again by their marks.
local text = require("opal.text")

local M = {}

local turns = vim.api.nvim_create_namespace("opal.turns")

---@class opal.Transcript
---@field name string
---@field dir string paths below it are shown relative to it
---@field status string for the bar above it
---@field bufnr integer
---@field blocks opal.Blocks
---@field lines opal.Lines
---@field streams opal.Streams
---@field calls opal.Calls
local Transcript = {}
Transcript.__index = Transcript

local by_buffer = {} ---@type table<integer, opal.Transcript>

---@param session_id string
---@param dir string
---@return opal.Transcript
function M.new(session_id, dir)
  local self = setmetatable({ name = "opal://" .. session_id, dir = dir, status = "" }, Transcript)
  self:create()
  return self
end

--- The transcript that a buffer shows.
---@param bufnr? integer the current one if absent
---@return opal.Transcript?
function M.of(bufnr)
  return by_buffer[bufnr or vim.api.nvim_get_current_buf()]
end

---@private
function Transcript:create()
  if self.bufnr and vim.api.nvim_buf_is_valid(self.bufnr) then
    vim.api.nvim_buf_delete(self.bufnr, { force = true })
  end
  self.bufnr = vim.api.nvim_create_buf(false, true)
  by_buffer[self.bufnr] = self
  require("opal.text").name_buffer(self.bufnr, self.name)
  local options = vim.bo[self.bufnr]
  options.buftype = "nofile"
  options.bufhidden = "hide"
  options.swapfile = false
  options.undolevels = -1
  options.modifiable = false
  options.filetype = "markdown"
  self:begin()
  vim.b[self.bufnr].opal_status = self.status
  require("opal.transcript.keys").map(self.bufnr)
  vim.api.nvim_create_autocmd("BufWipeout", {
    buffer = self.bufnr,
    desc = "Opal: the transcript is gone",
    callback = function(event)
      by_buffer[event.buf] = nil
      require("opal.transcript.folds").clear(event.buf)
    end,
  })
  vim.api.nvim_create_autocmd("BufWinEnter", {
    buffer = self.bufnr,
    desc = "Opal: the transcript is shown",
    callback = function()
      require("opal.transcript.window").dress(vim.api.nvim_get_current_win())
    end,
  })
end

---@private
function Transcript:begin()
  self.blocks = require("opal.transcript.blocks").new(self.bufnr)
  self.lines = require("opal.transcript.lines").new(self.blocks)
  self.streams = require("opal.transcript.streams").new(self.blocks)
  self.calls = require("opal.transcript.calls").new(self.blocks, self.lines, self.dir)
end

--- The user may have deleted the buffer; what comes from now on is shown again.
---@private
function Transcript:ensure()
  if not self.blocks:is_loaded() then
    self:create()
  end
end

--- Empties it: the conversation has become another one.
function Transcript:clear()
  self:ensure()
  self.blocks:write(function(bufnr)
    vim.api.nvim_buf_clear_namespace(bufnr, -1, 0, -1)
    vim.api.nvim_buf_set_lines(bufnr, 0, -1, true, {})
  end)
  require("opal.transcript.folds").clear(self.bufnr)
  self:begin()
end

--- Changes the bar above it.
---@param status string
function Transcript:set_status(status)
  self.status = status
  if vim.api.nvim_buf_is_valid(self.bufnr) then
    vim.b[self.bufnr].opal_status = status
  end
end

---@return boolean
function Transcript:is_visible()
  return vim.fn.bufwinid(self.bufnr) ~= -1
end

--- Shows it in a window of this tab page.
---@return integer? window nil if there is no room
function Transcript:show()
  self:ensure()
  return require("opal.transcript.window").show(self.bufnr)
end

--- What follows comes after all that has streamed so far.
function Transcript:flush()
  self:ensure()
  self.streams:flush()
end

--- Makes many changes at the cost of one for the windows that follow.
---@param act fun()
function Transcript:together(act)
  self:ensure()
  self.blocks:write(act)
end

--- What the user said.
---@param said string
---@param notes? string[]
function Transcript:said(said, notes)
  self:flush()
  local lines = vim.list_extend(text.split(said), notes or {})
  local mark = self.blocks:add(vim.tbl_map(function(line)
    return (("> " .. line):gsub("%s+$", ""))
  end, lines))
  vim.api.nvim_buf_set_extmark(self.bufnr, turns, self.blocks:position(mark), 0, {})
end

--- Something worth a paragraph of its own.
---@param note string
function Transcript:note(note)
  self:flush()
  local mark = self.blocks:add(text.split(note))
  require("opal.transcript.state").paint(self.bufnr, (self.blocks:position(mark)))
end

--- A line that will change: a message that waits, an open question.
---@param key string
---@param line string
function Transcript:line(key, line)
  self:flush()
  self.lines:add(key, line)
end

--- Says behind such a line what became of the question about it.
---@param key string
---@param note string
---@return boolean found
function Transcript:annotate(key, note)
  self:flush()
  return self.lines:annotate(key, note)
end

--- Changes such a line for the last time.
---@param key string
---@param change fun(line: string): string
---@return boolean found
function Transcript:settle(key, change)
  self:flush()
  return self.lines:settle(key, change) ~= nil
end

--- More of an answer, or of the thinking before it.
---@param id string
---@param delta string
---@param thinking? boolean
function Transcript:delta(id, delta, thinking)
  self:ensure()
  self.streams:delta(id, delta, thinking or false)
end

--- The answer is complete; the text is what counts, whatever was streamed.
---@param id string
---@param whole string
---@param thinking? boolean
function Transcript:complete(id, whole, thinking)
  self:ensure()
  self.streams:complete(id, whole, thinking or false)
end

--- Takes back what was shown of an answer.
---@param id string
function Transcript:void(id)
  self:ensure()
  self.streams:void(id)
end

---@param tool string
---@param call_id string
---@param args any
function Transcript:call_started(tool, call_id, args)
  self:flush()
  self.calls:started(tool, call_id, args)
end

---@param call_id string
---@param delta string
function Transcript:output(call_id, delta)
  self:ensure()
  self.calls:output(call_id, delta)
end

---@param call_id string
---@param result opal.ToolResult
---@param is_command boolean
function Transcript:call_ended(call_id, result, is_command)
  self:flush()
  self.calls:ended(call_id, result, is_command)
end

--- Goes to the next turn, or to the one before.
---@param step 1|-1
function Transcript:go_to_turn(step)
  local row = vim.api.nvim_win_get_cursor(0)[1] - 1
  local from = { math.max(row + step, 0), 0 }
  local mark = vim.api.nvim_buf_get_extmarks(self.bufnr, turns, from, step > 0 and -1 or 0, { limit = 1 })[1]
  if row + step >= 0 and mark then
    vim.cmd("normal! m'")
    vim.api.nvim_win_set_cursor(0, { mark[2] + 1, 0 })
  end
end

return M
