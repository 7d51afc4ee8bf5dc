--- A review: the session's changes, hunk by hunk, each to be kept or taken back. They stand in the quickfix list
--- (review/list.lua) and as signs in the buffers (review/buffers.lua).
---
--- What there is to review is asked of the server again whenever the text or the session may have changed. Only what
--- was accepted (review/accepted.lua) is known here alone.
local protocol = require("opal.protocol")
local changes = require("opal.changes")
local hunks = require("opal.hunks")

local M = {}

--- How long to wait for more changes before they are read.
local SETTLE_MS = 100
local TITLE = "Opal: review"

---@class opal.Review
---@field session opal.Session
---@field turn_id? string only what this turn changed
---@field pending opal.ReviewHunk[] neither accepted nor rejected yet
---@field accepted opal.Accepted
---@field buffers opal.ReviewBuffers
---@field list opal.ReviewList
---@field rejecting table[] what is being taken back, the next one first
---@field n_taken_back integer
---@field due boolean it will be read again
---@field done? fun(result: opal.SessionChangesResult) what to do when it was read
---@field over boolean
local Review = {}
Review.__index = Review

---@param turns string[]
---@return string empty if there are none
local function about_commands(turns)
  if #turns == 0 then
    return ""
  end
  local said = "%d %s commands, which may have changed more than is listed."
  return said:format(#turns, #turns == 1 and "turn ran" or "turns ran")
end

---@param session opal.Session
---@param turn_id? string
---@return opal.Review
local function new(session, turn_id)
  local self = setmetatable({
    session = session,
    turn_id = turn_id,
    pending = {},
    accepted = require("opal.review.accepted").new(),
    list = require("opal.review.list").new(turn_id and TITLE .. " of a turn" or TITLE),
    rejecting = {},
    n_taken_back = 0,
    due = false,
    over = false,
  }, Review)
  self.buffers = require("opal.review.buffers").new("opal.review." .. session.id, function()
    self:refresh()
  end)
  return self
end

--- Reads the changes again, in a moment.
function Review:refresh()
  if self.due or self.over then
    return
  end
  self.due = true
  vim.defer_fn(function()
    self.due = false
    self:read()
  end, SETTLE_MS)
end

--- The session changed files.
function Review:session_edited()
  if #self.pending == 0 and #self.rejecting == 0 then
    self:stop() -- all was looked at; what is new is another review
  else
    self:refresh()
  end
end

---@return table<integer, integer>
local function ticks()
  local list = {}
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    list[bufnr] = vim.api.nvim_buf_is_loaded(bufnr) and vim.api.nvim_buf_get_changedtick(bufnr) or nil
  end
  return list
end

--- Asks the server what there is to review.
---@private
---@param done? fun(result: opal.SessionChangesResult)
function Review:read(done)
  self.done = done or self.done
  if self.over then
    return
  end
  local before, n_taken_back = ticks(), self.n_taken_back
  self.session:request(protocol.methods.session_changes, { turn_id = self.turn_id }, function(result)
    if self.over then
      return
    end
    if self.n_taken_back ~= n_taken_back or #self.rejecting > 0 then
      return -- it may be older than what is taken back, and will be read again
    end
    local now = ticks()
    for _, file in ipairs(result.files) do
      local bufnr = vim.uri_to_bufnr(file.uri)
      if before[bufnr] ~= now[bufnr] then
        self:refresh() -- the user is typing
        return
      end
    end
    self:take(result.files)
    done, self.done = self.done, nil
    if done then
      done(result)
    end
  end)
end

---@private
---@param files opal.FileChanges[]
function Review:take(files)
  local all = vim.iter(files):map(hunks.of):flatten():totable() ---@type opal.ReviewHunk[]
  self.accepted:compare(all)
  self.pending = self.accepted:without(all)
  self:show()
end

--- Brings buffers and quickfix list up to date.
---@private
function Review:show()
  self.buffers:draw(self.pending)
  self.list:update(self.pending)
end

--- Ends it; what was neither accepted nor rejected stays as it is.
function Review:stop()
  self.over = true
  self.pending = {}
  self.buffers:clear()
  self.list:update({})
  if self.session.review == self then
    self.session.review = nil
  end
end

--- The hunk under the cursor: in its buffer, or in the quickfix list.
---@private
---@return opal.ReviewHunk?
function Review:at_cursor()
  local row = vim.api.nvim_win_get_cursor(0)[1] - 1
  if self.list:is_current() then
    return self.pending[row + 1]
  end
  local current = vim.api.nvim_get_current_buf()
  return vim.iter(self.pending):find(function(hunk)
    local bufnr, first, last = self.buffers:place(hunk)
    return bufnr == current and row >= first and row <= last
  end)
end

--- What a command is about; empty if there is nothing, and the user has been told.
---@private
---@param what? "file"|"all" the hunk under the cursor if absent
---@return opal.ReviewHunk[]
function Review:chosen(what)
  if what == "all" then
    return self.pending
  end
  local at_cursor = self:at_cursor()
  if what == "file" then
    local uri = at_cursor and at_cursor.uri or vim.uri_from_bufnr(0)
    local of_file = vim.tbl_filter(function(hunk)
      return hunk.uri == uri
    end, self.pending)
    if #of_file == 0 then
      vim.notify("Opal: nothing in this file is to be reviewed.")
    end
    return of_file
  elseif not at_cursor then
    vim.notify("Opal: nothing at the cursor is to be reviewed; ]c goes to the next change.")
  end
  return { at_cursor }
end

--- Says so when nothing is left.
---@private
function Review:say_done()
  if #self.pending == 0 and not self.over then
    vim.notify("Opal: everything is reviewed.")
  end
end

---@private
---@param what? "file"|"all"
function Review:accept(what)
  local chosen = self:chosen(what)
  for _, hunk in ipairs(chosen) do
    self.accepted:add(hunk)
  end
  self.pending = self.accepted:without(self.pending)
  self:show()
  if #chosen > 0 then
    self:say_done()
  end
end

--- Whether all that the session changed in a file is under review.
---@private
---@param uri string
---@return boolean
function Review:is_whole(uri)
  return not self.turn_id and not self.accepted:is_in(uri)
end

---@private
---@param what? "file"|"all"
function Review:reject(what)
  local is_running = #self.rejecting > 0
  local chosen = self:chosen(what)
  local whole = {} ---@type table<string, true>
  -- From the end: hunks that read the same are counted from the top.
  for _, hunk in vim.iter(chosen):rev():enumerate() do
    if what and self:is_whole(hunk.uri) then
      -- In one step, and what the user changed elsewhere in a hunk is kept.
      if not whole[hunk.uri] then
        whole[hunk.uri] = true
        table.insert(self.rejecting, { path = hunk.uri })
      end
    else
      local turn_id = hunk.hunk_id and self.turn_id
      table.insert(self.rejecting, { path = hunk.uri, hunk_id = hunk.hunk_id, turn_id = turn_id })
    end
  end
  self.pending = vim.tbl_filter(function(hunk)
    return not vim.tbl_contains(chosen, hunk)
  end, self.pending)
  if #chosen > 0 then
    self:show()
    if not is_running then
      self:reject_next()
    end
  end
end

---@private
function Review:reject_next()
  if #self.rejecting == 0 then
    self:read(function()
      self:say_done()
    end)
    return
  end
  changes.take_back(self.session, self.rejecting[1], function()
    table.remove(self.rejecting, 1)
    self.n_taken_back = self.n_taken_back + 1
    self:reject_next()
  end, function()
    self.rejecting = {}
    self:refresh()
  end)
end

--- Begins a review, or goes on with the one there is.
---@param session opal.Session
---@param what? "turn" only what the last turn changed
function M.start(session, what)
  if what ~= nil and what ~= "turn" then
    local message = "There is no :Opal review %s; there are :Opal review, :Opal review turn."
    vim.notify(message:format(what), vim.log.levels.ERROR)
    return
  end
  session:when_started(function()
    local turn_id = what and session.edited[#session.edited]
    local review = session.review
    if review and #review.pending > 0 and review.turn_id == turn_id then
      review.list:open(review.pending)
      return
    elseif review then
      review:stop()
    end
    if what and not turn_id then
      vim.notify("Opal: no turn has changed files.")
      return
    end
    review = new(session, turn_id)
    session.review = review
    review:read(function(result)
      local note = about_commands(result.ran_commands)
      if #review.pending == 0 then
        review:stop()
        vim.notify(vim.trim("Opal: no file differs from what the session found. " .. note))
        return
      end
      review.list:open(review.pending)
      if note ~= "" then
        vim.notify("Opal: " .. note)
      end
    end)
  end)
end

---@param session opal.Session
---@param act fun(review: opal.Review)
local function with_review(session, act)
  local review = session.review
  if review and #review.pending > 0 then
    act(review)
  else
    vim.notify("Opal: nothing is under review; :Opal review begins one.")
  end
end

---@param name "accept"|"reject"
---@param what? string
---@return boolean
local function is_known(name, what)
  if what == nil or what == "file" or what == "all" then
    return true
  end
  local message = "There is no :Opal %s %s; there are :Opal %s, :Opal %s file, :Opal %s all."
  vim.notify(message:format(name, what, name, name, name), vim.log.levels.ERROR)
  return false
end

--- Keeps a change: it is not part of the review any more.
---@param session opal.Session
---@param what? "file"|"all" the change under the cursor if absent
function M.accept(session, what)
  if is_known("accept", what) then
    with_review(session, function(review)
      review:accept(what)
    end)
  end
end

--- Takes a change back.
---@param session opal.Session
---@param what? "file"|"all" the change under the cursor if absent
function M.reject(session, what)
  if is_known("reject", what) then
    with_review(session, function(review)
      review:reject(what)
    end)
  end
end

---@param session opal.Session
---@param forward boolean
function M.go(session, forward)
  with_review(session, function(review)
    require("opal.review.motion").go(review.pending, review.buffers, forward)
  end)
end

return M
