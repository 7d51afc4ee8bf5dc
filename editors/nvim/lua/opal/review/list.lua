--- The quickfix list of a review.
local M = {}

---@class opal.ReviewList
---@field title string
---@field id? integer nil before it is first opened
local List = {}
List.__index = List

---@param title string
---@return opal.ReviewList
function M.new(title)
  return setmetatable({ title = title }, List)
end

---@param hunks opal.ReviewHunk[]
---@return table[]
local function items(hunks)
  return vim.tbl_map(function(hunk)
    return { filename = vim.uri_to_fname(hunk.uri), lnum = hunk.row + 1, text = hunk.summary }
  end, hunks)
end

--- Lists these hunks and no others.
---@param hunks opal.ReviewHunk[]
function List:update(hunks)
  if self.id then
    local idx = vim.fn.getqflist({ id = self.id, idx = 0 }).idx or 1
    idx = math.max(math.min(idx, #hunks), 1)
    vim.fn.setqflist({}, "r", { id = self.id, items = items(hunks), idx = idx })
  end
end

--- Shows it; anew where it was pushed off the stack of lists.
---@param hunks opal.ReviewHunk[]
function List:open(hunks)
  if not self.id or vim.fn.getqflist({ id = self.id }).id == 0 then
    vim.fn.setqflist({}, " ", { title = self.title, items = items(hunks) })
    self.id = vim.fn.getqflist({ id = 0 }).id
  else
    local nr = vim.fn.getqflist({ id = self.id, nr = 0 }).nr
    vim.cmd("silent " .. nr .. "chistory")
  end
  vim.cmd("botright copen")
end

--- Whether the cursor is in it.
---@return boolean
function List:is_current()
  return vim.bo.buftype == "quickfix" and vim.fn.getqflist({ id = 0 }).id == self.id
end

return M
