--- Windows over the others, closed by `q`.
local M = {}

---@class opal.FloatOpts
---@field title string
---@field closed? fun() called once, however it is closed
---@field filetype? string

---@param lines string[]
---@param opts opal.FloatOpts
---@return integer bufnr, fun() close
function M.open(lines, opts)
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, true, lines)
  vim.bo[bufnr].bufhidden = "wipe"
  vim.bo[bufnr].modifiable = false
  local width = vim.fn.strdisplaywidth(opts.title) + 2
  for _, line in ipairs(lines) do
    width = math.max(width, vim.fn.strdisplaywidth(line))
  end
  width = math.max(math.min(width, vim.o.columns - 4), 1)
  local height = math.max(math.min(#lines, vim.o.lines - 6), 1)
  -- Who types meanwhile goes on typing where they are.
  local enter = vim.api.nvim_get_mode().mode == "n"
  local window = vim.api.nvim_open_win(bufnr, enter, {
    relative = "editor",
    width = width,
    height = height,
    row = math.max(math.floor((vim.o.lines - height) / 2) - 1, 0),
    col = math.max(math.floor((vim.o.columns - width) / 2), 0),
    style = "minimal",
    border = "rounded",
    title = " " .. opts.title .. " ",
  })
  vim.wo[window].wrap = true
  local function close()
    if vim.api.nvim_win_is_valid(window) then
      vim.api.nvim_win_close(window, true)
    end
  end
  for _, key in ipairs({ "q", "<Esc>" }) do
    vim.keymap.set("n", key, close, { buffer = bufnr, nowait = true, desc = "Opal: close" })
  end
  vim.api.nvim_create_autocmd("BufWipeout", {
    buffer = bufnr,
    once = true,
    callback = function()
      if opts.closed then
        vim.schedule(opts.closed)
      end
    end,
  })
  return bufnr, close
end

return M
