--- The buffer that shows a session: Markdown, only ever written here.
---
--- Everything is added at the end, in blocks with an empty line between them. Blocks that change later (a
--- running tool, an answer that streams) are found again through extmarks. It does not decide anything: the
--- session does.
local M = {}

local namespace = vim.api.nvim_create_namespace("opal.transcript")

--- What each line of the model's thinking begins with; windows fold these lines.
local THINKING = "┊ "
--- How many lines of a command's output, or of an error, are shown.
local SHOWN_LINES = 12
--- How much of a running command's output is kept to show the end of it, and how often that is done.
local OUTPUT_BYTES = 4096
local OUTPUT_EVERY_MS = 50

--- Stands behind a call while its question is open.
M.ASKS = "waiting for your answer"

---@class opal.Transcript
---@field name string
---@field dir string paths below it are shown relative to it
---@field bufnr integer
---@field last? string kind of the last block; tool lines stand close together
---@field status string for the bar above it
---@field messages table<string, opal.Stream> what streams, by message
---@field thoughts table<string, opal.Stream[]> by message, the last of them perhaps streaming
---@field deltas opal.Delta[] not in the buffer yet
---@field lines table<string, opal.Line> by call, queued message or question
---@field output_due boolean
local Transcript = {}
Transcript.__index = Transcript

---@class opal.Delta
---@field id string
---@field thinking boolean
---@field parts string[]

---@class opal.Stream
---@field parts string[]
---@field first integer extmark where it begins
---@field last integer extmark where the next delta goes
---@field done boolean

--- A line that changes, with what stands below it.
---@class opal.Line
---@field mark integer
---@field text string
---@field note? string what became of the question about it
---@field n_below integer lines
---@field output? string the end of what the command has written so far

---@param session_id string
---@param dir string
---@return opal.Transcript
function M.new(session_id, dir)
  local self = setmetatable({
    name = "opal://" .. session_id,
    dir = dir,
    status = "",
    output_due = false,
  }, Transcript)
  self:create()
  return self
end

---@private
function Transcript:forget()
  self.last, self.messages, self.thoughts, self.lines, self.deltas = nil, {}, {}, {}, {}
end

--- Empties it: the conversation has become another one.
function Transcript:clear()
  self:forget()
  self:write(function(bufnr)
    vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
    vim.api.nvim_buf_set_lines(bufnr, 0, -1, true, {})
  end)
end

---@private
function Transcript:create()
  if self.bufnr and vim.api.nvim_buf_is_valid(self.bufnr) then
    vim.api.nvim_buf_delete(self.bufnr, { force = true })
  end
  self.bufnr = vim.api.nvim_create_buf(false, true)
  self:forget()
  -- A resumed session may have the transcript of a server that is gone beside it.
  local name, n = self.name, 1
  while vim.fn.bufexists(name) == 1 do
    n = n + 1
    name = ("%s (%d)"):format(self.name, n)
  end
  vim.api.nvim_buf_set_name(self.bufnr, name)
  local options = vim.bo[self.bufnr]
  options.buftype = "nofile"
  options.bufhidden = "hide"
  options.swapfile = false
  options.undolevels = -1
  options.modifiable = false
  options.filetype = "markdown"
  vim.b[self.bufnr].opal_status = self.status
  vim.api.nvim_create_autocmd("BufWinEnter", {
    buffer = self.bufnr,
    desc = "Opal: the transcript is shown",
    callback = function()
      M.dress(vim.api.nvim_get_current_win())
    end,
  })
end

--- Sets what a window needs to show a transcript.
---@param window integer
function M.dress(window)
  local options = vim.wo[window][0]
  options.wrap = true
  options.linebreak = true
  options.winbar = "%{get(b:, 'opal_status', '')}%<"
  options.foldmethod = "expr"
  options.foldexpr = ("getline(v:lnum)=~#'^%s'"):format(vim.trim(THINKING))
  options.foldtext = "v:lua.require'opal.transcript'.fold_text()"
  options.foldenable = true
  options.foldlevel = 0
  options.foldminlines = 0 -- one line of it may be long
  options.fillchars = "fold: "
  options.winhighlight = "Folded:Comment"
end

--- What stands for the model's thinking while that is folded: its last heading, or its first line.
---@return string
function M.fold_text()
  local first
  local heading
  for _, line in ipairs(vim.fn.getline(vim.v.foldstart, vim.v.foldend)) do
    line = vim.trim(line:sub(#THINKING + 1))
    first = first or (line ~= "" and line or nil)
    heading = line:match("^%*%*(.+)%*%*$") or heading
  end
  local count = vim.v.foldend - vim.v.foldstart + 1
  return ("%s%s (thinking; zo shows %s)"):format(
    THINKING,
    M.short(heading or first or "…"),
    count == 1 and "it" or count .. " lines"
  )
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

--- Shows it in a window of this tab page, beside the others if it is in none.
---@return integer? window nil if there is no room
function Transcript:show()
  self:ensure()
  local window = vim.fn.bufwinid(self.bufnr)
  if window ~= -1 then
    return window
  end
  -- A transcript of an earlier session gives up its window.
  for _, other in ipairs(vim.api.nvim_tabpage_list_wins(0)) do
    local name = vim.api.nvim_buf_get_name(vim.api.nvim_win_get_buf(other))
    if vim.startswith(name, "opal://") then
      vim.api.nvim_win_set_buf(other, self.bufnr)
      M.dress(other)
      return other
    end
  end
  local ok, opened = pcall(vim.api.nvim_open_win, self.bufnr, false, { split = "right", win = -1 })
  if not ok then
    vim.notify("Opal: there is no room for the transcript; make the window larger and use :Opal open.")
    return nil
  end
  M.dress(opened)
  return opened
end

---@private
function Transcript:ensure()
  -- The user may have deleted the buffer; what comes from now on is shown again.
  if not vim.api.nvim_buf_is_loaded(self.bufnr) then
    self:create()
  end
end

--- The windows that follow the end: those whose cursor is on the last line.
---@private
---@return integer[]
function Transcript:followers()
  local last = vim.api.nvim_buf_line_count(self.bufnr)
  local selecting = vim.api.nvim_get_mode().mode:match("^[vV\22]")
  return vim.tbl_filter(function(window)
    return vim.api.nvim_win_get_cursor(window)[1] == last
      and not (selecting and window == vim.api.nvim_get_current_win())
  end, vim.fn.win_findbuf(self.bufnr))
end

---@private
---@param change fun(bufnr: integer)
function Transcript:write(change)
  self:ensure()
  local bufnr = self.bufnr
  local followers = self:followers()
  vim.bo[bufnr].modifiable = true
  local ok, message = pcall(change, bufnr)
  vim.bo[bufnr].modifiable = false
  vim.bo[bufnr].modified = false
  local last = vim.api.nvim_buf_line_count(bufnr)
  for _, window in ipairs(followers) do
    vim.api.nvim_win_set_cursor(window, { last, 0 })
  end
  if not ok then
    error(message, 0)
  end
end

---@param bufnr integer
---@param mark integer
---@return integer row, integer col
local function position(bufnr, mark)
  local place = vim.api.nvim_buf_get_extmark_by_id(bufnr, namespace, mark, {})
  return place[1], place[2]
end

---@param text string
---@return string[]
local function split(text)
  return vim.split((text:gsub("\r\n?", "\n")), "\n", { plain = true })
end

--- A fence longer than any in the text.
---@param text string
---@param language? string
---@return string[]
function M.fenced(text, language)
  local longest = 2
  for ticks in text:gmatch("`+") do
    longest = math.max(longest, #ticks)
  end
  local fence = ("`"):rep(longest + 1)
  local lines = split((text:gsub("%s+$", "")))
  table.insert(lines, 1, fence .. (language or ""))
  table.insert(lines, fence)
  return lines
end

--- The end of a command's output.
---@param text string
---@param is_whole boolean otherwise more may have stood before
---@return string[]
local function tail(text, is_whole)
  local lines = split(vim.trim(text))
  local shown = vim.list_slice(lines, math.max(#lines - SHOWN_LINES + 1, 1))
  if #lines > #shown then
    table.insert(shown, 1, is_whole and ("… %d lines before"):format(#lines - #shown) or "…")
  end
  return table.concat(shown) == "" and {} or M.fenced(table.concat(shown, "\n"))
end

--- Adds a block.
---@private
---@param lines string[]
---@param kind? string
---@return integer mark at its first line
function Transcript:block(lines, kind)
  local mark
  self:write(function(bufnr)
    local count = vim.api.nvim_buf_line_count(bufnr)
    local empty = count == 1 and vim.api.nvim_buf_get_lines(bufnr, 0, 1, true)[1] == ""
    local first = empty and 0 or count
    if not empty and not (kind and kind == self.last) then
      lines = vim.list_extend({ "" }, lines)
      first = first + 1
    end
    vim.api.nvim_buf_set_lines(bufnr, empty and 0 or -1, -1, true, lines)
    mark = vim.api.nvim_buf_set_extmark(bufnr, namespace, first, 0, { right_gravity = false })
  end)
  self.last = kind
  return mark
end

--- A line that will change: a running call, a message that waits, an open question.
---@param key string
---@param text string
---@param kind? string
function Transcript:line(key, text, kind)
  self:flush()
  text = text:gsub("%s*\n%s*", " ")
  local mark = self:block({ text }, kind)
  self.lines[key] = { mark = mark, text = text, n_below = 0 }
end

--- Writes such a line and what stands below it anew.
---@private
---@param line opal.Line
---@param below string[]
---@return integer row of the line
function Transcript:put(line, below)
  local row
  self:write(function(bufnr)
    row = position(bufnr, line.mark)
    local text = line.text .. (line.note and (" · " .. line.note) or "")
    local lines = vim.list_extend({ (text:gsub("%s*\n%s*", " ")) }, below)
    local end_row = row + line.n_below
    local next_line = vim.api.nvim_buf_get_lines(bufnr, end_row + 1, end_row + 2, false)[1]
    if #below > 0 and not next_line then
      self.last = nil
    elseif #below > 0 and next_line ~= "" then
      lines[#lines + 1] = ""
    end
    -- As one text within the old one, so that marks on the next line move along.
    local end_text = vim.api.nvim_buf_get_lines(bufnr, end_row, end_row + 1, true)[1]
    vim.api.nvim_buf_set_text(bufnr, row, 0, end_row, #end_text, lines)
    line.n_below = #lines - 1
  end)
  return row
end

--- Says behind such a line what became of the question about it.
---@param key string
---@param note string
---@return boolean found
function Transcript:annotate(key, note)
  self:flush()
  local line = self.lines[key]
  if line then
    line.note = note
    self:put(line, line.output and tail(line.output, false) or {})
  end
  return line ~= nil
end

--- Changes such a line for the last time, and says more below it.
---@param key string
---@param change fun(text: string): string
---@param below? string[]
---@return integer? row
function Transcript:settle(key, change, below)
  self:flush()
  local line = self.lines[key]
  if not line then
    return nil
  end
  self.lines[key] = nil
  line.text = change(line.text)
  return self:put(line, below or {})
end

--- What the user said.
---@param text string
---@param notes? string[]
function Transcript:said(text, notes)
  self:flush()
  local lines = vim.list_extend(split(text), notes or {})
  self:block(vim.tbl_map(function(line)
    return (("> " .. line):gsub("%s+$", ""))
  end, lines))
end

--- Something worth a paragraph of its own.
---@param text string
function Transcript:note(text)
  self:flush()
  self:block(split(text))
end

--- A diff of one file without the lines that name it.
---@param diff string
---@return string
function M.without_names(diff)
  return (diff:gsub("^%-%-%- [^\n]*\n%+%+%+ [^\n]*\n", "", 1))
end

--- Colours a diff.
---@param bufnr integer
---@param row integer where it begins
---@param diff string
function M.paint_diff(bufnr, row, diff)
  local groups = { ["+"] = "Added", ["-"] = "Removed", ["@"] = "Comment" }
  for i, line in ipairs(split((diff:gsub("%s+$", "")))) do
    local group = groups[line:sub(1, 1)]
    if group then
      vim.api.nvim_buf_set_extmark(bufnr, namespace, row + i - 1, 0, { end_col = #line, hl_group = group })
    end
  end
end

--- More of an answer, or of the thinking before it. It reaches the buffer with all that came in the same
--- round of the event loop.
---@param id string
---@param delta string
---@param thinking? boolean
function Transcript:delta(id, delta, thinking)
  thinking = thinking or false
  local last = self.deltas[#self.deltas]
  if last and last.id == id and last.thinking == thinking then
    last.parts[#last.parts + 1] = delta
    return
  end
  self.deltas[#self.deltas + 1] = { id = id, thinking = thinking, parts = { delta } }
  if #self.deltas == 1 then
    vim.schedule(function()
      self:flush()
    end)
  end
end

--- Puts the deltas into the buffer. The work depends on their size, not on that of the transcript.
function Transcript:flush()
  self:ensure()
  local deltas = self.deltas
  self.deltas = {}
  for _, delta in ipairs(deltas) do
    self:append(self:stream(delta.id, delta.thinking), table.concat(delta.parts), delta.thinking)
  end
end

--- What streams of a message. A new block if nothing does.
---@private
---@param id string
---@param thinking boolean
---@return opal.Stream
function Transcript:stream(id, thinking)
  local thoughts = self.thoughts[id] or {}
  local stream = self.messages[id]
  if thinking then
    stream = thoughts[#thoughts]
  end
  if stream and not stream.done then
    return stream
  end
  local lead = thinking and THINKING or ""
  local first = self:block({ lead })
  local row = position(self.bufnr, first)
  local last = vim.api.nvim_buf_set_extmark(self.bufnr, namespace, row, #lead, {})
  stream = { parts = {}, first = first, last = last, done = false }
  if thinking then
    vim.api.nvim_buf_set_extmark(self.bufnr, namespace, row, 0, {
      end_row = row,
      end_col = #lead,
      right_gravity = false,
      end_right_gravity = true, -- grows with the text
      hl_group = "Comment",
    })
    thoughts[#thoughts + 1] = stream
    self.thoughts[id] = thoughts
  else
    self.messages[id] = stream
  end
  return stream
end

---@param text string
---@return string[]
local function split_thinking(text)
  local lines = split(text)
  for i = 2, #lines do
    lines[i] = THINKING .. lines[i]
  end
  return lines
end

---@private
---@param stream opal.Stream
---@param text string
---@param thinking boolean
function Transcript:append(stream, text, thinking)
  stream.parts[#stream.parts + 1] = text
  self:write(function(bufnr)
    local row, col = position(bufnr, stream.last)
    local lines = thinking and split_thinking(text) or split(text)
    vim.api.nvim_buf_set_text(bufnr, row, col, row, col, lines)
  end)
end

--- The answer is complete; the text is what counts, whatever was streamed.
---@param id string
---@param text string
---@param thinking? boolean
function Transcript:complete(id, text, thinking)
  thinking = thinking or false
  self:flush()
  local thoughts = self.thoughts[id] or {}
  local stream = self.messages[id]
  if thinking then
    stream = thoughts[#thoughts]
  end
  if not stream or stream.done then
    if text ~= "" then
      stream = self:stream(id, thinking)
      self:append(stream, text, thinking)
    end
  elseif text == "" then
    self:remove(stream)
  elseif table.concat(stream.parts) ~= text then
    self:write(function(bufnr)
      local row, col = position(bufnr, stream.first)
      local last_row, last_col = position(bufnr, stream.last)
      local lines = thinking and split_thinking(THINKING .. text) or split(text)
      vim.api.nvim_buf_set_text(bufnr, row, col, last_row, last_col, lines)
    end)
  end
  if stream then
    stream.done = true
  end
  if not thinking then
    self.messages[id], self.thoughts[id] = nil, nil
  end
end

--- Takes back what was shown of an answer.
---@param id string
function Transcript:void(id)
  self:flush()
  for _, stream in ipairs(self.thoughts[id] or {}) do
    self:remove(stream)
  end
  if self.messages[id] then
    self:remove(self.messages[id])
  end
  self.messages[id], self.thoughts[id] = nil, nil
end

---@private
---@param stream opal.Stream
function Transcript:remove(stream)
  self:write(function(bufnr)
    local first, last = position(bufnr, stream.first), (position(bufnr, stream.last))
    -- Together with the empty line that parts it from what stands before.
    vim.api.nvim_buf_set_lines(bufnr, math.max(first - 1, 0), last + 1, true, {})
  end)
  self.last = nil
end

--- The first line of a text, if that is not too long.
---@param text string
---@return string
function M.short(text)
  text = vim.trim(text)
  local short = vim.fn.strcharpart(text:match("^[^\n]*"), 0, 100)
  return short == text and text or vim.trim(short) .. " …"
end

---@param path string
---@return string
function Transcript:relative(path)
  local prefix = vim.fs.normalize(self.dir):gsub("/?$", "/")
  return vim.startswith(path, prefix) and path:sub(#prefix + 1) or path
end

--- A call in a few words: its name and what it is about.
---@param tool string
---@param args any
---@return string
function Transcript:describe(tool, args)
  local about
  if type(args) == "table" then
    about = args.command or args.pattern or args.path or args.question or args.prompt or args.description
  end
  if type(about) ~= "string" then
    return tool
  end
  return tool .. " " .. M.short(self:relative(about))
end

---@param tool string
---@param call_id string
---@param args any
function Transcript:call_started(tool, call_id, args)
  self:line(call_id, "▸ " .. self:describe(tool, args), "call")
end

--- More output of a running command. Its end is shown a moment later.
---@param call_id string
---@param delta string
function Transcript:output(call_id, delta)
  local line = self.lines[call_id]
  if not line then
    return
  end
  local output = (line.output or "") .. delta
  if #output > OUTPUT_BYTES then
    output = output:sub(-OUTPUT_BYTES)
    output = output:sub((output:find("\n", 1, true) or 0) + 1)
  end
  line.output = output
  if self.output_due then
    return
  end
  self.output_due = true
  vim.defer_fn(function()
    self.output_due = false
    self:flush()
    for _, running in pairs(self.lines) do
      if running.output then
        self:put(running, tail(running.output, false))
      end
    end
  end, OUTPUT_EVERY_MS)
end

---@param call_id string
---@param result opal.ToolResult
---@param is_command boolean
function Transcript:call_ended(call_id, result, is_command)
  local below = {}
  local failure = not result.ok and vim.trim(result.error or "") or ""
  local diff = result.diff and result.diff ~= "" and M.without_names(result.diff) or nil
  if diff then
    below = M.fenced(diff, "diff")
  elseif failure:find("\n") or (is_command and result.ok) then
    below = tail(result.ok and result.output or failure, true)
  end
  local line = self.lines[call_id]
  local denied = line and line.note and vim.startswith(line.note, "denied")
  if line and line.note == M.ASKS then
    line.note = nil
  end
  local reason = #below == 0 and failure ~= "" and not denied and (": " .. failure) or ""
  if line and line.note then
    line.note = line.note .. reason
    reason = ""
  end
  local row = self:settle(call_id, function(text)
    local went_well = result.ok and (result.exit_code or 0) == 0
    return text:gsub("^▸", went_well and "✓" or "✗") .. reason
  end, denied and {} or below)
  if row and diff then
    M.paint_diff(self.bufnr, row + 2, diff)
  end
end

return M
