--- Going from one change under review to another.
local M = {}

---@class opal.ReviewPlace
---@field bufnr integer
---@field row integer

---@param hunk opal.ReviewHunk
---@param buffers opal.ReviewBuffers
---@return opal.ReviewPlace of its first change
local function place_of(hunk, buffers)
  local bufnr, first = buffers:place(hunk)
  local row = first + hunk.row - hunk.first
  if vim.api.nvim_buf_is_loaded(bufnr) then -- what was removed may have been the end
    row = math.min(row, vim.api.nvim_buf_line_count(bufnr) - 1)
  end
  return { bufnr = bufnr, row = row }
end

--- The one after the cursor, or before; in the next file if there is none in this one.
---@param places opal.ReviewPlace[]
---@param forward boolean
---@return opal.ReviewPlace? place nil if there is none
local function find(places, forward)
  local current, row = vim.api.nvim_get_current_buf(), vim.api.nvim_win_get_cursor(0)[1] - 1
  if not forward then
    places = vim.iter(places):rev():totable()
  end
  local is_here = false
  local found = vim.iter(places):find(function(place)
    if place.bufnr ~= current then
      return is_here -- the next file
    end
    is_here = true
    return (forward and place.row > row) or (not forward and place.row < row)
  end)
  return found or (not is_here and places[1]) or nil
end

--- Shows a buffer in a window for files.
---@param bufnr integer
local function show(bufnr)
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

--- Goes to the next change, or the one before.
---@param hunks opal.ReviewHunk[]
---@param buffers opal.ReviewBuffers
---@param forward boolean
function M.go(hunks, buffers, forward)
  local places = vim.tbl_map(function(hunk)
    return place_of(hunk, buffers)
  end, hunks)
  local place = find(places, forward)
  if not place then
    vim.notify(("Opal: there is no change to review %s this one."):format(forward and "after" or "before"))
    return
  end
  vim.cmd("normal! m'")
  local ok, message = pcall(show, place.bufnr)
  if not ok then
    vim.notify("Opal: " .. tostring(message), vim.log.levels.ERROR)
    return
  end
  local n_lines = vim.api.nvim_buf_line_count(place.bufnr)
  vim.api.nvim_win_set_cursor(0, { math.min(place.row + 1, n_lines), 0 })
end

return M
