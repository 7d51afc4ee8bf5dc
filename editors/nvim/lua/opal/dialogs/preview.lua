--- What a question is about, shown while it is open.
local M = {}

--- How much of the screen it may take, and how many lines Neovim's own dialog wants beside its choices.
local MOST_OF_SCREEN = 2 / 3
local DIALOG_LINES = 6

---@param params opal.ConfirmParams
---@return integer bufnr
local function describe(params)
  local diffs, split = require("opal.diff"), require("opal.text").split
  local details = params.details or {}
  local lines = split(details.command or params.title)
  if details.directory then
    vim.list_extend(lines, split("\nin " .. details.directory))
  end
  local diff = details.diff and diffs.without_names(details.diff)
  local diff_row = #lines + 1
  if diff then
    vim.list_extend(lines, split("\n" .. diff:gsub("%s+$", "")))
  elseif details.path then
    vim.list_extend(lines, split("\n" .. details.path))
  end
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, true, lines)
  vim.bo[bufnr].bufhidden = "wipe"
  vim.bo[bufnr].modifiable = false
  if diff then
    diffs.paint(bufnr, diff_row, diff)
  end
  return bufnr
end

--- Closes what shows a buffer, even in the last window there is.
---@param bufnr integer
local function close(bufnr)
  if vim.api.nvim_buf_is_valid(bufnr) then
    vim.api.nvim_buf_delete(bufnr, { force = true })
  end
end

---@param text string
---@return string for 'statusline'
local function literal(text)
  return (text:gsub("%%", "%%%%"):gsub("\n", " "))
end

--- Shows what is to be decided, leaving the cursor where it is: in a split at the top, because Neovim's
--- own dialog covers the bottom.
---@param params opal.ConfirmParams
---@return fun() close, boolean is_cut not all of it is to be seen
function M.above(params)
  local bufnr = describe(params)
  local sizes = vim.fn.winrestcmd()
  local options = { split = "above", win = -1, style = "minimal" } ---@type vim.api.keyset.win_config
  local ok, window = pcall(vim.api.nvim_open_win, bufnr, false, options)
  if not ok then
    vim.api.nvim_buf_delete(bufnr, { force = true })
    return function() end, true -- no room
  end
  vim.wo[window].wrap = true
  vim.wo[window].statusline = " Opal asks: "
    .. literal(params.message ~= "" and params.message or params.title)
  local needed = vim.api.nvim_win_text_height(window, {}).all
  local room =
    math.min(math.floor(vim.o.lines * MOST_OF_SCREEN), vim.o.lines - DIALOG_LINES - #params.actions)
  local height = math.min(needed, math.max(room, 1))
  local is_cut = height < needed
  if is_cut then
    -- Nobody should agree to what they take for the whole.
    vim.wo[window].winbar = ("%%#WarningMsg#Only the first %d of %d lines are shown"):format(
      height - 1,
      needed
    )
  end
  vim.api.nvim_win_set_height(window, height)
  return function()
    close(bufnr)
    pcall(vim.cmd, sizes)
  end, is_cut
end

--- Shows all of what is to be decided in a tab page of its own, to scroll and search in.
---@param params opal.ConfirmParams
---@param closed fun()
---@return fun() close
function M.apart(params, closed)
  local bufnr = describe(params)
  vim.cmd("tab sbuffer " .. bufnr)
  local window = vim.api.nvim_get_current_win()
  vim.wo[window][0].winbar = "%#WarningMsg#q goes back to the question"
  vim.keymap.set(
    "n",
    "q",
    "<Cmd>close<CR>",
    { buffer = bufnr, nowait = true, desc = "Opal: back to the question" }
  )
  vim.api.nvim_create_autocmd("BufWipeout", {
    buffer = bufnr,
    desc = "Opal: back to the question",
    callback = function()
      vim.schedule(closed)
    end,
  })
  return function()
    close(bufnr)
  end
end

return M
