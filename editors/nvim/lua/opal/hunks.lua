--- Reading unified diffs: which lines of a text are new, and what stood there before.
local M = {}

--- A change that can be kept or taken back alone.
---@class opal.ReviewHunk
---@field uri string
---@field hunk_id? string absent where a file is all that can be named
---@field row integer of its first change, from 0
---@field first integer row where it begins, with the lines around the change
---@field last integer row behind it
---@field blocks opal.Block[]
---@field summary string

--- Lines that stand together: `removed` stood where the `added` ones stand.
---@class opal.Block
---@field row integer from 0; where nothing was added, that of the next line
---@field added integer
---@field removed string[]

--- Goes through a unified diff: its hunks and the lines that are not on both sides.
---@param diff string
---@param visit fun(kind: "@"|"+"|"-", row: integer, text: string) row: in the new text, from 0; where a line is gone, that of the next
function M.walk(diff, visit)
  local row ---@type integer? of the next line of the new text; nil before the first hunk
  for line in vim.gsplit(diff, "\n", { plain = true }) do
    local kind, text = line:sub(1, 1), line:sub(2):gsub("\r$", "")
    local start, count = line:match("^@@ %-[%d,]+ %+(%d+),?(%d*) @@")
    if start then
      -- Where nothing is left, the line before is named.
      row = tonumber(start) - (count == "0" and 0 or 1)
      visit("@", row, text)
    elseif row and (kind == "+" or kind == "-") then
      visit(kind, row, text)
    end
    if row and (kind == "+" or kind == " ") then
      row = row + 1
    end
  end
end

---@param blocks opal.Block[]
---@param text string the first line that says something
---@return string
local function summary(blocks, text)
  local added, removed = 0, 0
  for _, block in ipairs(blocks) do
    added, removed = added + block.added, removed + #block.removed
  end
  return ("+%d −%d  %s"):format(added, removed, vim.trim(text))
end

---@param diff string
---@return { blocks: opal.Block[], summary: string }[]
local function read(diff)
  local hunks, blocks, new, old = {}, {}, nil, nil
  local function finish()
    if #blocks > 0 then
      hunks[#hunks + 1] = { blocks = blocks, summary = summary(blocks, new or old or "") }
    end
    blocks, new, old = {}, nil, nil
  end
  M.walk(diff, function(kind, row, text)
    if kind == "@" then
      finish()
      return
    end
    local block = blocks[#blocks]
    if not block or row ~= block.row + block.added then
      block = { row = row, added = 0, removed = {} }
      blocks[#blocks + 1] = block
    end
    if kind == "+" then
      block.added = block.added + 1
      new = new or text
    else
      block.removed[#block.removed + 1] = text
      old = old or text
    end
  end)
  finish()
  return hunks
end

--- What a file's changes are made of; a file whose text cannot be shown is one of it.
---@param file opal.FileChanges
---@return opal.ReviewHunk[]
function M.of(file)
  local hunks = {}
  for i, hunk in ipairs(file.error and {} or read(file.diff)) do
    local place = file.hunks[i]
    local first = math.max(place.new_start - 1, 0)
    hunks[i] = {
      uri = file.uri,
      hunk_id = place.hunk_id,
      row = hunk.blocks[1].row,
      first = first,
      last = first + place.new_lines,
      blocks = hunk.blocks,
      summary = file.removed and ("−%d (removed)"):format(file.removed_lines) or hunk.summary,
    }
  end
  if #hunks == 0 then
    local text = file.error or (file.removed and "(removed)") or (file.created and "(new, empty)") or ""
    hunks[1] = { uri = file.uri, row = 0, first = 0, last = 0, blocks = {}, summary = text }
  end
  return hunks
end

return M
