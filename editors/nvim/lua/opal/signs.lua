--- Hunks as a buffer shows them: a sign and a colour on what is new, and what stood there before above it.
--- The marks move with the text, so a hunk is found again where somebody typed meanwhile.
local M = {}

local namespace = vim.api.nvim_create_namespace("opal.review")

local groups = {
  OpalReviewAdded = "DiffAdd",
  OpalReviewRemoved = "DiffDelete",
  OpalReviewSign = "Changed",
}

--- What stood there, in full lines of colour.
---@param lines string[]
---@return table[] for `virt_lines`
local function virtual(lines)
  local width = vim.o.columns
  return vim.tbl_map(function(line)
    local text = line:gsub("\t", (" "):rep(vim.o.tabstop))
    return { { text .. (" "):rep(width - vim.fn.strdisplaywidth(text)), "OpalReviewRemoved" } }
  end, lines)
end

---@param bufnr integer
---@param block opal.Block
local function draw_block(bufnr, block)
  local count = vim.api.nvim_buf_line_count(bufnr)
  for row = block.row, math.min(block.row + block.added, count) - 1 do
    vim.api.nvim_buf_set_extmark(bufnr, namespace, row, 0, {
      sign_text = "┃",
      sign_hl_group = "OpalReviewSign",
      line_hl_group = "OpalReviewAdded",
    })
  end
  if #block.removed == 0 then
    return
  end
  local row = math.min(block.row, count - 1)
  vim.api.nvim_buf_set_extmark(bufnr, namespace, row, 0, {
    sign_text = block.added == 0 and (block.row > row and "▁" or "▔") or nil,
    sign_hl_group = block.added == 0 and "OpalReviewSign" or nil,
    virt_lines = virtual(block.removed),
    virt_lines_above = block.row <= row,
  })
end

--- What stands above the first line is seen only where the window is scrolled for it.
---@param bufnr integer
---@param n_above integer lines
local function uncover(bufnr, n_above)
  for _, window in ipairs(vim.fn.win_findbuf(bufnr)) do
    vim.api.nvim_win_call(window, function()
      if vim.fn.line("w0") == 1 then
        vim.fn.winrestview({ topline = 1, topfill = n_above })
      end
    end)
  end
end

--- Shows these hunks and no others.
---@param bufnr integer a loaded one
---@param hunks opal.ReviewHunk[]
---@return integer[] marks by which each is found
function M.draw(bufnr, hunks)
  for name, link in pairs(groups) do
    vim.api.nvim_set_hl(0, name, { link = link, default = true })
  end
  M.clear(bufnr)
  local count = vim.api.nvim_buf_line_count(bufnr)
  return vim.tbl_map(function(hunk)
    vim.iter(hunk.blocks):each(function(block)
      draw_block(bufnr, block)
    end)
    local first = hunk.blocks[1]
    if first and first.row == 0 and #first.removed > 0 then
      uncover(bufnr, #first.removed)
    end
    local last = math.min(math.max(hunk.last - 1, hunk.first), count - 1)
    return vim.api.nvim_buf_set_extmark(bufnr, namespace, math.min(hunk.first, last), 0, { end_row = last })
  end, hunks)
end

---@param bufnr integer
function M.clear(bufnr)
  vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
end

--- The rows of a hunk now, with the lines around the change.
---@param bufnr integer
---@param mark integer
---@return integer? first, integer? last nil if the mark is gone with the text that was there
function M.rows(bufnr, mark)
  local place = vim.api.nvim_buf_get_extmark_by_id(bufnr, namespace, mark, { details = true })
  return place[1], place[3] and place[3].end_row or place[1]
end

return M
