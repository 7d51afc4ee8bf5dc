--- A review: the session's changes, hunk by hunk, each to be kept or taken back. They stand in the quickfix list and
--- as signs in the buffers.
---
--- What there is to review is asked of the server again whenever the text or the session may have changed. Only what
--- was accepted is known here alone.
local protocol = require("opal.protocol")
local changes = require("opal.changes")
local hunks = require("opal.hunks")
local signs = require("opal.signs")

local M = {}

--- How long to wait for more changes before they are read.
local SETTLE_MS = 100
local TITLE = "Opal: review"

---@class opal.Review
---@field session opal.Session
---@field turn_id? string only what this turn changed
---@field pending opal.ReviewHunk[] neither accepted nor rejected yet
---@field accepted table<string, true> by `key`
---@field alike table<string, integer> how many hunks of a file read the same, when last seen
---@field marks table<opal.ReviewHunk, integer> those that a loaded buffer shows
---@field buffers table<integer, string[]> that were part of it, and the keys it has mapped there
---@field rejecting table[] what is being taken back, the next one first
---@field n_taken_back integer
---@field list? integer id of the quickfix list
---@field group integer of autocommands
---@field due boolean it will be read again
---@field done? fun(result: opal.SessionChangesResult) what to do when it was read
---@field over boolean
local Review = {}
Review.__index = Review

---@param hunk opal.ReviewHunk
---@return string
local function key(hunk)
  return hunk.uri .. "\n" .. (hunk.hunk_id or "")
end

--- Of hunks that read the same, all but the first have their number behind the id.
---@param hunk opal.ReviewHunk
---@return string
local function without_number(hunk)
  return (key(hunk):gsub("%-%d+$", ""))
end

---@param pending opal.ReviewHunk[]
---@return table[] for the quickfix list
local function items(pending)
  return vim.tbl_map(function(hunk)
    return { filename = vim.uri_to_fname(hunk.uri), lnum = hunk.row + 1, text = hunk.summary }
  end, pending)
end

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
    accepted = {},
    alike = {},
    marks = {},
    buffers = {},
    rejecting = {},
    n_taken_back = 0,
    due = false,
    over = false,
  }, Review)
  self.group = vim.api.nvim_create_augroup("opal.review." .. session.id, {})
  vim.api.nvim_create_autocmd("BufDelete", {
    group = self.group,
    desc = "Opal: the keys of the review go with the buffer",
    callback = function(event)
      self.buffers[event.buf] = self.buffers[event.buf] and {}
    end,
  })
  vim.api.nvim_create_autocmd({ "TextChanged", "InsertLeave", "BufReadPost" }, {
    group = self.group,
    desc = "Opal: the hunks under review may have changed",
    callback = function(event)
      if self.buffers[event.buf] then
        if event.event == "BufReadPost" then
          self:draw() -- not the list: Neovim may be on its way to an item of it
        end
        self:refresh()
      end
    end,
  })
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
  local all = {} ---@type opal.ReviewHunk[]
  local alike = {} ---@type table<string, integer>
  for _, file in ipairs(files) do
    for _, hunk in ipairs(hunks.of(file)) do
      all[#all + 1] = hunk
      alike[without_number(hunk)] = (alike[without_number(hunk)] or 0) + 1
    end
  end
  self.pending = vim.tbl_filter(function(hunk)
    -- If one of them is gone, nobody can say which of them was accepted.
    if alike[without_number(hunk)] ~= self.alike[without_number(hunk)] then
      self.accepted[key(hunk)] = nil
    end
    return not self.accepted[key(hunk)]
  end, all)
  self.alike = alike
  self:show()
end

--- Brings buffers and quickfix list up to date.
---@private
function Review:show()
  self:draw()
  if self.list then
    local idx = vim.fn.getqflist({ id = self.list, idx = 0 }).idx or 1
    local list = items(self.pending)
    vim.fn.setqflist({}, "r", { id = self.list, items = list, idx = math.max(math.min(idx, #list), 1) })
  end
end

---@private
function Review:draw()
  local by_buffer = {} ---@type table<integer, opal.ReviewHunk[]>
  for bufnr in pairs(self.buffers) do
    by_buffer[bufnr] = {}
  end
  for _, hunk in ipairs(self.pending) do
    local bufnr = vim.uri_to_bufnr(hunk.uri)
    self.buffers[bufnr] = self.buffers[bufnr] or {}
    by_buffer[bufnr] = by_buffer[bufnr] or {}
    table.insert(by_buffer[bufnr], hunk)
  end
  self.marks = {}
  for bufnr, of_buffer in pairs(by_buffer) do
    if not vim.api.nvim_buf_is_valid(bufnr) then
      self.buffers[bufnr] = nil
    elseif vim.api.nvim_buf_is_loaded(bufnr) then
      for i, mark in ipairs(signs.draw(bufnr, of_buffer)) do
        self.marks[of_buffer[i]] = mark
      end
      self:map(bufnr, #of_buffer > 0)
    end
  end
end

local plugs = {
  ["]c"] = "<Plug>(opal-next-hunk)",
  ["[c"] = "<Plug>(opal-previous-hunk)",
  ["do"] = "<Plug>(opal-reject)",
  ["dp"] = "<Plug>(opal-accept)",
}

--- Maps the keys of the review where nothing else is mapped, or takes the maps away.
---@private
---@param bufnr integer
---@param wanted boolean
function Review:map(bufnr, wanted)
  local mapped = self.buffers[bufnr]
  if wanted and #mapped == 0 then
    vim.api.nvim_buf_call(bufnr, function()
      for lhs, plug in pairs(plugs) do
        if vim.fn.hasmapto(plug, "n") == 0 and vim.tbl_isempty(vim.fn.maparg(lhs, "n", false, true)) then
          -- These keys have their own meaning where differences are shown.
          vim.keymap.set("n", lhs, function()
            return vim.wo.diff and lhs or plug
          end, { buffer = bufnr, expr = true, remap = true, desc = "Opal: review" })
          mapped[#mapped + 1] = lhs
        end
      end
    end)
  elseif not wanted then
    for _, lhs in ipairs(mapped) do
      pcall(vim.keymap.del, "n", lhs, { buffer = bufnr })
    end
    self.buffers[bufnr] = {}
  end
end

--- Ends it; what was neither accepted nor rejected stays as it is.
function Review:stop()
  self.over = true
  vim.api.nvim_del_augroup_by_id(self.group)
  self.pending = {}
  self:show()
  if self.session.review == self then
    self.session.review = nil
  end
end

--- Where a hunk is now.
---@private
---@param hunk opal.ReviewHunk
---@return integer bufnr, integer first, integer last rows
function Review:place(hunk)
  local bufnr = vim.uri_to_bufnr(hunk.uri)
  local mark = self.marks[hunk]
  local first, last
  if mark and vim.api.nvim_buf_is_loaded(bufnr) then
    first, last = signs.rows(bufnr, mark)
  end
  return bufnr, first or hunk.first, last or math.max(hunk.last - 1, hunk.first)
end

--- The hunk under the cursor: in its buffer, or in the quickfix list.
---@private
---@return opal.ReviewHunk?
function Review:at_cursor()
  local row = vim.api.nvim_win_get_cursor(0)[1] - 1
  if vim.bo.buftype == "quickfix" and vim.fn.getqflist({ id = 0 }).id == self.list then
    return self.pending[row + 1]
  end
  local current = vim.api.nvim_get_current_buf()
  return vim.iter(self.pending):find(function(hunk)
    local bufnr, first, last = self:place(hunk)
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
    self.accepted[key(hunk)] = true
  end
  self.pending = vim.tbl_filter(function(hunk)
    return not self.accepted[key(hunk)]
  end, self.pending)
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
  return not self.turn_id
    and not vim.iter(pairs(self.accepted)):any(function(accepted)
      return vim.startswith(accepted, uri .. "\n")
    end)
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

--- Shows a buffer in a window for files.
---@param bufnr integer
local function go_to(bufnr)
  if bufnr == vim.api.nvim_get_current_buf() then
    return
  end
  if vim.bo.buftype ~= "" then
    local window = vim.iter(vim.api.nvim_tabpage_list_wins(0)):find(function(window)
      return vim.bo[vim.api.nvim_win_get_buf(window)].buftype == ""
    end)
    if window then
      vim.api.nvim_set_current_win(window)
    else
      vim.cmd.new()
    end
  end
  vim.bo[bufnr].buflisted = true
  vim.cmd.buffer(bufnr)
end

--- Goes to the next change after the cursor, or the one before; in the next file if there is none in this one.
---@private
---@param forward boolean
function Review:go(forward)
  local current, row = vim.api.nvim_get_current_buf(), vim.api.nvim_win_get_cursor(0)[1] - 1
  local places = vim.tbl_map(function(hunk)
    local bufnr, first = self:place(hunk)
    local row_of_hunk = first + hunk.row - hunk.first
    if vim.api.nvim_buf_is_loaded(bufnr) then -- what was removed may have been the end
      row_of_hunk = math.min(row_of_hunk, vim.api.nvim_buf_line_count(bufnr) - 1)
    end
    return { bufnr = bufnr, row = row_of_hunk }
  end, self.pending)
  if not forward then
    places = vim.iter(places):rev():totable()
  end
  local is_here = false
  local place = vim.iter(places):find(function(place)
    if place.bufnr ~= current then
      return is_here -- the next file
    end
    is_here = true
    return (forward and place.row > row) or (not forward and place.row < row)
  end)
  if not place and is_here then
    vim.notify(("Opal: there is no change to review %s this one."):format(forward and "after" or "before"))
    return
  end
  place = place or places[1]
  vim.cmd("normal! m'")
  local ok, message = pcall(go_to, place.bufnr)
  if not ok then
    vim.notify("Opal: " .. tostring(message), vim.log.levels.ERROR)
    return
  end
  local n_lines = vim.api.nvim_buf_line_count(place.bufnr)
  vim.api.nvim_win_set_cursor(0, { math.min(place.row + 1, n_lines), 0 })
end

--- Shows the list.
---@private
function Review:open_list()
  if not self.list or vim.fn.getqflist({ id = self.list }).id == 0 then
    local title = self.turn_id and TITLE .. " of a turn" or TITLE
    vim.fn.setqflist({}, " ", { title = title, items = items(self.pending) })
    self.list = vim.fn.getqflist({ id = 0 }).id
  else
    local nr = vim.fn.getqflist({ id = self.list, nr = 0 }).nr
    vim.cmd("silent " .. nr .. "chistory")
  end
  vim.cmd("botright copen")
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
      review:open_list()
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
      review:open_list()
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
    review:go(forward)
  end)
end

return M
