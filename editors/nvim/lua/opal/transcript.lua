--- The buffer that shows a session: Markdown, only ever written here.
---
--- Everything is added at the end, in blocks with an empty line between them. Blocks that change later (a
--- running tool, an answer that streams) are found again through extmarks. It does not decide anything: the
--- session does.
local M = {}

local namespace = vim.api.nvim_create_namespace("opal.transcript")

---@class opal.Transcript
---@field name string
---@field dir string paths below it are shown relative to it
---@field bufnr integer
---@field last? string kind of the last block; tool lines stand close together
---@field messages table<string, opal.StreamedMessage>
---@field deltas { id: string, parts: string[] }[] not in the buffer yet
---@field lines table<string, { mark: integer, text: string }> by call, queued message or question
local Transcript = {}
Transcript.__index = Transcript

---@class opal.StreamedMessage
---@field parts string[]
---@field first integer extmark where it begins
---@field last integer extmark where the next delta goes

---@param session_id string
---@param dir string
---@return opal.Transcript
function M.new(session_id, dir)
  local self = setmetatable({ name = "opal://" .. session_id, dir = dir, deltas = {} }, Transcript)
  self:create()
  return self
end

---@private
function Transcript:create()
  if self.bufnr and vim.api.nvim_buf_is_valid(self.bufnr) then
    vim.api.nvim_buf_delete(self.bufnr, { force = true })
  end
  self.bufnr = vim.api.nvim_create_buf(false, true)
  self.last, self.messages, self.lines = nil, {}, {}
  vim.api.nvim_buf_set_name(self.bufnr, self.name)
  local options = vim.bo[self.bufnr]
  options.buftype = "nofile"
  options.bufhidden = "hide"
  options.swapfile = false
  options.undolevels = -1
  options.modifiable = false
  options.filetype = "markdown"
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
      return other
    end
  end
  local ok, opened = pcall(vim.api.nvim_open_win, self.bufnr, false, { split = "right", win = -1 })
  if not ok then
    vim.notify("Opal: there is no room for the transcript; make the window larger and use :Opal open.")
    return nil
  end
  vim.wo[opened][0].wrap = true
  vim.wo[opened][0].linebreak = true
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
  self.lines[key] = { mark = mark, text = text }
end

--- Changes such a line for the last time, and says more below it.
---@param key string
---@param change fun(text: string): string
---@param below? string[]
function Transcript:settle(key, change, below)
  self:flush()
  local line = self.lines[key]
  if not line then
    return
  end
  self.lines[key] = nil
  self:write(function(bufnr)
    local row = position(bufnr, line.mark)
    local text = change(line.text):gsub("%s*\n%s*", " ")
    local lines = vim.list_extend({ text }, below or {})
    local next_line = vim.api.nvim_buf_get_lines(bufnr, row + 1, row + 2, false)[1]
    if #lines > 1 and not next_line then
      self.last = nil
    elseif #lines > 1 and next_line ~= "" then
      lines[#lines + 1] = ""
    end
    vim.api.nvim_buf_set_lines(bufnr, row, row + 1, true, lines)
  end)
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

--- More of an answer. It reaches the buffer with all that came in the same round of the event loop.
---@param id string
---@param delta string
function Transcript:delta(id, delta)
  local last = self.deltas[#self.deltas]
  if last and last.id == id then
    last.parts[#last.parts + 1] = delta
    return
  end
  self.deltas[#self.deltas + 1] = { id = id, parts = { delta } }
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
    self:append(delta.id, table.concat(delta.parts))
  end
end

---@private
---@param id string
---@param text string
function Transcript:append(id, text)
  local message = self.messages[id]
  if not message then
    local first = self:block({ "" })
    local row = position(self.bufnr, first)
    local last = vim.api.nvim_buf_set_extmark(self.bufnr, namespace, row, 0, {})
    message = { parts = {}, first = first, last = last }
    self.messages[id] = message
  end
  message.parts[#message.parts + 1] = text
  self:write(function(bufnr)
    local row, col = position(bufnr, message.last)
    vim.api.nvim_buf_set_text(bufnr, row, col, row, col, split(text))
  end)
end

--- The answer is complete; the text is what counts, whatever was streamed.
---@param id string
---@param text string
function Transcript:complete(id, text)
  self:flush()
  local message = self.messages[id]
  if not message then
    if text ~= "" then
      self:append(id, text)
    end
  elseif text == "" then
    self:void(id)
  elseif table.concat(message.parts) ~= text then
    self:write(function(bufnr)
      local row, col = position(bufnr, message.first)
      local last_row, last_col = position(bufnr, message.last)
      vim.api.nvim_buf_set_text(bufnr, row, col, last_row, last_col, split(text))
    end)
  end
  self.messages[id] = nil
end

--- Takes back what was streamed of an answer.
---@param id string
function Transcript:void(id)
  self:flush()
  local message = self.messages[id]
  self.messages[id] = nil
  if not message then
    return
  end
  self:write(function(bufnr)
    local first, last = position(bufnr, message.first), (position(bufnr, message.last))
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

--- How many lines of a command's output, or of an error, are shown.
local SHOWN_LINES = 12

---@param call_id string
---@param result opal.ToolResult
---@param is_command boolean
function Transcript:call_ended(call_id, result, is_command)
  local below = {}
  local failure = not result.ok and vim.trim(result.error or "") or ""
  if result.diff and result.diff ~= "" then
    below = M.fenced(result.diff, "diff")
  elseif failure:find("\n") or (is_command and result.ok) then
    local lines = split(vim.trim(result.ok and result.output or failure))
    local shown = vim.list_slice(lines, math.max(#lines - SHOWN_LINES + 1, 1))
    if #lines > #shown then
      table.insert(shown, 1, ("… %d lines more"):format(#lines - #shown))
    end
    below = table.concat(shown) == "" and {} or M.fenced(table.concat(shown, "\n"))
  end
  self:settle(call_id, function(text)
    local label = text:gsub("^▸", result.ok and "✓" or "✗")
    local reason = #below == 0 and failure ~= "" and (": " .. failure) or ""
    return label .. reason
  end, below)
end

return M
