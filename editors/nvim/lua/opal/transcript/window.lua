--- Windows that show a transcript.
local M = {}

--- Whether a window shows a transcript.
---@param window integer
---@return boolean
function M.is_transcript(window)
  return vim.b[vim.api.nvim_win_get_buf(window)].opal_status ~= nil
end

--- Sets what a window needs to show a transcript.
---@param window integer
function M.dress(window)
  local options = vim.wo[window][0]
  options.wrap = true
  options.linebreak = true
  options.conceallevel = 2 -- as in Neovim's own windows for Markdown
  options.winbar = "%{get(b:, 'opal_status', '')}%<"
  options.foldtext = "v:lua.require'opal.transcript.folds'.text()"
  options.foldenable = true
  options.foldlevel = 0
  options.foldminlines = 0 -- one line of it may be long
  options.fillchars = "fold: ,eob: "
  options.winhighlight = "Folded:Comment"
  require("opal.transcript.folds").restore(window)
end

--- Shows a transcript in a window of this tab page, beside the others if it is in none.
---@param bufnr integer
---@return integer? window nil if there is no room
function M.show(bufnr)
  local window = vim.fn.bufwinid(bufnr)
  if window ~= -1 then
    return window
  end
  -- A transcript of an earlier session gives up its window.
  for _, other in ipairs(vim.api.nvim_tabpage_list_wins(0)) do
    if M.is_transcript(other) then
      vim.api.nvim_win_set_buf(other, bufnr)
      M.dress(other)
      return other
    end
  end
  local ok, opened = pcall(vim.api.nvim_open_win, bufnr, false, { split = "right", win = -1 })
  if not ok then
    vim.notify("Opal: there is no room for the transcript; make the window larger and use :Opal open.")
    return nil
  end
  M.dress(opened)
  return opened
end

return M
