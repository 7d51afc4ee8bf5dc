--- Tool calls in a transcript: a line each, with what it wrote or changed below.
local diffs = require("opal.diff")
local folds = require("opal.transcript.folds")
local text = require("opal.text")

local M = {}

--- How many lines of a command's output, of an error and of a diff are seen without opening a fold.
local SHOWN_LINES = 12
local SHOWN_DIFF_LINES = 60
--- How much of a running command's output is kept to show the end of it, and how often that is done.
local OUTPUT_BYTES = 4096
local OUTPUT_EVERY_MS = 50

--- Stands behind a call while its question is open.
M.ASKS = "waiting for your answer"

---@class opal.Call
---@field line opal.Line
---@field path? string absolute: the file that it is about
---@field output? string the end of what it has written so far
---@field result? opal.ToolResult

---@class opal.Calls
---@field blocks opal.Blocks
---@field lines opal.Lines
---@field dir string paths below it are shown relative to it
---@field calls table<string, opal.Call>
---@field by_mark table<integer, opal.Call>
---@field output_due boolean
local Calls = {}
Calls.__index = Calls

---@param blocks opal.Blocks
---@param lines opal.Lines
---@param dir string
---@return opal.Calls
function M.new(blocks, lines, dir)
  return setmetatable({
    blocks = blocks,
    lines = lines,
    dir = dir,
    calls = {},
    by_mark = {},
    output_due = false,
  }, Calls)
end

---@private
---@param path string
---@return string
function Calls:absolute(path)
  local is_absolute = path:match("^/") or path:match("^%a:[/\\]")
  return vim.fs.normalize(is_absolute and path or self.dir .. "/" .. path)
end

--- A call in a few words: its name and what it is about.
---@private
---@param tool string
---@param args any
---@return string
function Calls:describe(tool, args)
  local about
  if type(args) == "table" then
    about = args.command or args.pattern or args.path or args.question or args.prompt or args.description
  end
  if type(about) ~= "string" then
    return tool
  end
  return tool .. " " .. text.short(text.relative(about, self.dir))
end

---@param tool string
---@param call_id string
---@param args any
function Calls:started(tool, call_id, args)
  self.lines:add(call_id, "▸ " .. self:describe(tool, args), "call")
  local call = { line = self.lines.live[call_id] } ---@type opal.Call
  if type(args) == "table" and type(args.path) == "string" then
    call.path = self:absolute(args.path)
  end
  self.calls[call_id], self.by_mark[call.line.mark] = call, call
end

--- The end of a text, in a fence.
---@param output string
---@param is_whole boolean otherwise more may have stood before
---@return string[] lines, integer n_before how many lines of them come before the end
local function tail(output, is_whole)
  local lines = text.split(vim.trim(output))
  local n_before = math.max(#lines - SHOWN_LINES, 0)
  if n_before > 0 and not is_whole then
    lines = vim.list_slice(lines, n_before + 1)
    table.insert(lines, 1, "…")
  end
  return table.concat(lines) == "" and {} or text.fenced(table.concat(lines, "\n")), n_before
end

--- More output of a running command. Its end is shown a moment later.
---@param call_id string
---@param delta string
function Calls:output(call_id, delta)
  local call = self.calls[call_id]
  if not call then
    return
  end
  local output = (call.output or "") .. delta
  if #output > OUTPUT_BYTES then
    output = output:sub(-OUTPUT_BYTES)
    output = output:sub((output:find("\n", 1, true) or 0) + 1)
  end
  call.output = output
  if self.output_due then
    return
  end
  self.output_due = true
  vim.defer_fn(function()
    self.output_due = false
    if not self.blocks:is_loaded() then
      return
    end
    for id, running in pairs(self.calls) do
      if running.output then
        self.lines:set_below(id, (tail(running.output, false)))
      end
    end
  end, OUTPUT_EVERY_MS)
end

---@param call_id string
---@param result opal.ToolResult
---@param is_command boolean
function Calls:ended(call_id, result, is_command)
  local below, n_before = {}, 0
  local failure = not result.ok and vim.trim(result.error or "") or ""
  local diff = result.diff and result.diff ~= "" and diffs.without_names(result.diff) or nil
  if diff then
    below = text.fenced(diff, "diff")
  elseif failure:find("\n") or (is_command and result.ok) then
    below, n_before = tail(result.ok and result.output or failure, true)
  end
  local line = self.lines.live[call_id]
  local denied = line and line.note and vim.startswith(line.note, "denied")
  if line and line.note == M.ASKS then
    line.note = nil
  end
  local reason = #below == 0 and failure ~= "" and not denied and (": " .. failure) or ""
  if line and line.note then
    line.note = line.note .. reason
    reason = ""
  end
  local call = self.calls[call_id]
  if call then
    call.result, call.output = result, nil
    self.calls[call_id] = nil
  end
  local row = self.lines:settle(call_id, function(shown)
    local went_well = result.ok and (result.exit_code or 0) == 0
    return shown:gsub("^▸", went_well and "✓" or "✗") .. reason
  end, denied and {} or below)
  if not row or denied then
    return
  elseif diff then
    diffs.paint(self.blocks.bufnr, row + 2, diff)
    local n_more = #below - 2 - SHOWN_DIFF_LINES
    if n_more > 0 then
      local first = row + 2 + SHOWN_DIFF_LINES
      folds.add(
        self.blocks.bufnr,
        first,
        first + n_more - 1,
        ("… %s more"):format(text.count(n_more, "line"))
      )
    end
  elseif n_before > 0 then
    local shown = ("… %s before"):format(text.count(n_before, "line"))
    folds.add(self.blocks.bufnr, row + 2, row + 1 + n_before, shown)
  end
end

--- The call that a row belongs to.
---@param row integer
---@return opal.Call? call, integer? first row of the call
function Calls:at(row)
  local blocks = self.blocks
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(blocks.bufnr, blocks.namespace, { row, -1 }, 0, {})) do
    local call = self.by_mark[mark[1]]
    if call then
      local is_in_it = row <= mark[2] + call.line.n_below
      return is_in_it and call or nil, mark[2]
    end
  end
end

return M
