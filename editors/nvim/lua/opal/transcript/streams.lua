--- Answers that stream into a transcript, and the thinking before them.
---
--- Deltas reach the buffer a frame at a time: each change of it is parsed and drawn. The work depends on their size,
--- not on that of the transcript.
local split = require("opal.text").split
local short = require("opal.text").short

local M = {}

local FRAME_MS = 30
--- What each line of the model's thinking begins with.
local THINKING = "┊ "

---@class opal.Streams
---@field blocks opal.Blocks
---@field messages table<string, opal.Stream> by message
---@field thoughts table<string, opal.Stream[]> by message, the last of them perhaps streaming
---@field deltas opal.Delta[] not in the buffer yet
---@field flushed_ms integer when some last came there
local Streams = {}
Streams.__index = Streams

---@class opal.Delta
---@field id string
---@field thinking boolean
---@field parts string[]

---@class opal.Stream
---@field parts string[]
---@field first integer mark where it begins
---@field last integer mark where the next delta goes
---@field done boolean

---@param blocks opal.Blocks
---@return opal.Streams
function M.new(blocks)
  return setmetatable({ blocks = blocks, messages = {}, thoughts = {}, deltas = {}, flushed_ms = 0 }, Streams)
end

--- More of an answer, or of the thinking before it.
---@param id string
---@param delta string
---@param thinking boolean
function Streams:delta(id, delta, thinking)
  local last = self.deltas[#self.deltas]
  if last and last.id == id and last.thinking == thinking then
    last.parts[#last.parts + 1] = delta
    return
  end
  self.deltas[#self.deltas + 1] = { id = id, thinking = thinking, parts = { delta } }
  if #self.deltas == 1 then
    vim.defer_fn(function()
      if self.blocks:is_loaded() then
        self:flush()
      end
    end, math.max(self.flushed_ms + FRAME_MS - vim.uv.now(), 0))
  end
end

--- Puts the deltas into the buffer.
function Streams:flush()
  local deltas = self.deltas
  self.deltas, self.flushed_ms = {}, vim.uv.now()
  for _, delta in ipairs(deltas) do
    self:append(self:open(delta.id, delta.thinking), table.concat(delta.parts), delta.thinking)
  end
end

---@private
---@param id string
---@param thinking boolean
---@return opal.Stream? stream the latest of the message
function Streams:find(id, thinking)
  local thoughts = self.thoughts[id] or {}
  return thinking and thoughts[#thoughts] or (not thinking and self.messages[id]) or nil
end

--- What streams of a message. A new block if nothing does.
---@private
---@param id string
---@param thinking boolean
---@return opal.Stream
function Streams:open(id, thinking)
  local stream = self:find(id, thinking)
  if stream and not stream.done then
    return stream
  end
  local blocks = self.blocks
  local lead = thinking and THINKING or ""
  local first = blocks:add({ lead })
  local row = blocks:position(first)
  stream = { parts = {}, first = first, last = blocks:mark(row, #lead), done = false }
  if thinking then
    blocks:mark(row, 0, {
      end_row = row,
      end_col = #lead,
      right_gravity = false,
      end_right_gravity = true, -- grows with the text
      hl_group = "Comment",
    })
    self.thoughts[id] = self.thoughts[id] or {}
    table.insert(self.thoughts[id], stream)
  else
    self.messages[id] = stream
  end
  return stream
end

---@param text string
---@param thinking boolean
---@return string[]
local function lines_of(text, thinking)
  local lines = split(text)
  for i = 2, thinking and #lines or 0 do
    lines[i] = THINKING .. lines[i]
  end
  return lines
end

---@private
---@param stream opal.Stream
---@param text string
---@param thinking boolean
function Streams:append(stream, text, thinking)
  stream.parts[#stream.parts + 1] = text
  self.blocks:write(function(bufnr)
    local row, col = self.blocks:position(stream.last)
    vim.api.nvim_buf_set_text(bufnr, row, col, row, col, lines_of(text, thinking))
  end)
end

--- What stands for the model's thinking while that is folded: its last heading, or its first line.
---@param text string
---@param n_lines integer
---@return string
local function fold_text(text, n_lines)
  local first, heading
  for _, line in ipairs(split(text)) do
    line = vim.trim(line)
    first = first or (line ~= "" and line or nil)
    heading = line:match("^%*%*(.+)%*%*$") or heading
  end
  local rest = n_lines == 1 and "it" or n_lines .. " lines"
  return ("%s%s (thinking; zo shows %s)"):format(THINKING, short(heading or first or "…"), rest)
end

--- The answer is complete; the text is what counts, whatever was streamed.
---@param id string
---@param text string
---@param thinking boolean
function Streams:complete(id, text, thinking)
  self:flush()
  local blocks = self.blocks
  local stream = self:find(id, thinking)
  if not stream or stream.done then
    stream = nil
    if text ~= "" then
      stream = self:open(id, thinking)
      self:append(stream, text, thinking)
    end
  elseif text == "" then
    self:remove(stream)
  elseif table.concat(stream.parts) ~= text then
    blocks:write(function(bufnr)
      local row, col = blocks:position(stream.first)
      local last_row, last_col = blocks:position(stream.last)
      local lines = lines_of((thinking and THINKING or "") .. text, thinking)
      vim.api.nvim_buf_set_text(bufnr, row, col, last_row, last_col, lines)
    end)
  end
  if stream then
    stream.done = true
  end
  if not thinking then
    self.messages[id], self.thoughts[id] = nil, nil
  elseif stream and text ~= "" then
    local first, last = blocks:position(stream.first), (blocks:position(stream.last))
    require("opal.transcript.folds").add(blocks.bufnr, first, last, fold_text(text, last - first + 1))
  end
end

--- Takes back what was shown of an answer.
---@param id string
function Streams:void(id)
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
function Streams:remove(stream)
  local first, last = self.blocks:position(stream.first), (self.blocks:position(stream.last))
  self.blocks:remove(first, last)
end

return M
