--- What was accepted in a review. The server does not know of it.
local M = {}

---@class opal.Accepted
---@field keys table<string, true>
---@field alike table<string, integer> how many hunks of a file read the same, when last seen
local Accepted = {}
Accepted.__index = Accepted

---@return opal.Accepted
function M.new()
  return setmetatable({ keys = {}, alike = {} }, Accepted)
end

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

---@param hunk opal.ReviewHunk
function Accepted:add(hunk)
  self.keys[key(hunk)] = true
end

--- Those that were not accepted.
---@param hunks opal.ReviewHunk[]
---@return opal.ReviewHunk[]
function Accepted:without(hunks)
  return vim.tbl_filter(function(hunk)
    return not self.keys[key(hunk)]
  end, hunks)
end

--- Compares with all hunks that there are now: if one of those that read the same is gone, nobody can say which of
--- them was accepted.
---@param hunks opal.ReviewHunk[]
function Accepted:compare(hunks)
  local alike = {} ---@type table<string, integer>
  for _, hunk in ipairs(hunks) do
    alike[without_number(hunk)] = (alike[without_number(hunk)] or 0) + 1
  end
  for _, hunk in ipairs(hunks) do
    if alike[without_number(hunk)] ~= self.alike[without_number(hunk)] then
      self.keys[key(hunk)] = nil
    end
  end
  self.alike = alike
end

--- Whether something in a file was accepted.
---@param uri string
---@return boolean
function Accepted:is_in(uri)
  return vim.iter(pairs(self.keys)):any(function(accepted)
    return vim.startswith(accepted, uri .. "\n")
  end)
end

return M
