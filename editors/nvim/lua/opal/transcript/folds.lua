--- Folds of a transcript: what is there to be read, but seldom is.
---
--- They are made by hand, once a text stands: an expression would be asked again for every line that streams.
local M = {}

local namespace = vim.api.nvim_create_namespace("opal.folds")
local texts = {} ---@type table<integer, table<integer, string>> what stands for a fold, by buffer and extmark

---@param window integer
---@param first integer row
---@param last integer row
local function fold(window, first, last)
  vim.api.nvim_win_call(window, function()
    local row = vim.fn.line(".") - 1
    -- Who is reading it goes on reading; on the last line one only follows.
    local keeps_open = row >= first and row <= last and row + 1 < vim.fn.line("$")
    vim.cmd(("%d,%dfold"):format(first + 1, last + 1))
    if keeps_open then
      vim.cmd(("%dfoldopen!"):format(first + 1))
    end
  end)
end

--- Folds rows, in every window there is and will be.
---@param bufnr integer
---@param first integer row
---@param last integer row, included
---@param text string stands for them
function M.add(bufnr, first, last, text)
  local last_line = vim.api.nvim_buf_get_lines(bufnr, last, last + 1, true)[1]
  local mark = vim.api.nvim_buf_set_extmark(bufnr, namespace, first, 0, {
    end_row = last,
    end_col = #last_line,
    invalidate = true,
    undo_restore = false,
  })
  texts[bufnr] = texts[bufnr] or {}
  texts[bufnr][mark] = text
  for _, window in ipairs(vim.fn.win_findbuf(bufnr)) do
    fold(window, first, last)
  end
end

--- Makes the folds that there are in a window that has just got the buffer.
---@param window integer
function M.restore(window)
  local bufnr = vim.api.nvim_win_get_buf(window)
  vim.wo[window][0].foldmethod = "manual"
  vim.api.nvim_win_call(window, function()
    vim.cmd("normal! zE")
    for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(bufnr, namespace, 0, -1, { details = true })) do
      if not mark[4].invalid then
        vim.cmd(("%d,%dfold"):format(mark[2] + 1, mark[4].end_row + 1))
      end
    end
  end)
end

--- Forgets a buffer.
---@param bufnr integer
function M.clear(bufnr)
  texts[bufnr] = nil
  if vim.api.nvim_buf_is_valid(bufnr) then
    vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
  end
end

--- 'foldtext'.
---@return string
function M.text()
  local bufnr, row = vim.api.nvim_get_current_buf(), vim.v.foldstart - 1
  local mark = vim.api.nvim_buf_get_extmarks(bufnr, namespace, { row, 0 }, { row, 0 }, { limit = 1 })[1]
  return mark and (texts[bufnr] or {})[mark[1]] or vim.fn.foldtext()
end

return M
