--- What keys do in a transcript.
local M = {}

---@return opal.Transcript transcript, integer row of the cursor
local function here()
  return assert(require("opal.transcript").of()), vim.api.nvim_win_get_cursor(0)[1] - 1
end

--- The file that the cursor is on: that of the call, else one that is named there.
---@return string? path, integer? line
local function file_at_cursor()
  local transcript, row = here()
  local call, first = transcript.calls:at(row)
  if call and call.path then
    local lines = vim.api.nvim_buf_get_lines(transcript.bufnr, first, row + 1, true)
    return call.path, require("opal.diff").new_line(lines)
  end
  local word = vim.fn.expand("<cWORD>"):gsub("^[^%w@./~]+", ""):gsub("^@", "")
  local named, line = word:match("^([^:`]+):?(%d*)")
  named = named and named:gsub("[^%w/]+$", "")
  if not named or named == "" then
    return nil
  end
  local path = named:match("^[/~]") and vim.fs.normalize(named) or (transcript.dir .. "/" .. named)
  return vim.fn.filereadable(path) == 1 and path or nil, tonumber(line)
end

--- A window for a file: the one the user came from, else one that shows a file, else a new one.
---@return integer window
local function file_window()
  local windows = vim.api.nvim_tabpage_list_wins(0)
  table.insert(windows, 1, vim.fn.win_getid(vim.fn.winnr("#")))
  for _, window in ipairs(windows) do
    if window ~= 0 and vim.bo[vim.api.nvim_win_get_buf(window)].buftype == "" then
      return window
    end
  end
  return vim.api.nvim_open_win(0, false, { split = "left", win = -1 })
end

function M.open_file()
  local path, line = file_at_cursor()
  if not path then
    vim.notify("Opal: there is no file at the cursor.")
    return
  end
  vim.api.nvim_set_current_win(file_window())
  vim.cmd("normal! m'")
  local ok, message = pcall(vim.cmd.edit, vim.fn.fnameescape(vim.fn.fnamemodify(path, ":.")))
  if not ok then
    vim.notify("Opal: " .. tostring(message), vim.log.levels.ERROR)
  elseif line then
    vim.api.nvim_win_set_cursor(0, { math.min(line, vim.api.nvim_buf_line_count(0)), 0 })
  end
end

--- Takes a message that waits back into the prompt, or opens the file.
function M.act()
  local transcript, row = here()
  local session = require("opal.session").of(transcript)
  local key = transcript.lines:at(row)
  if session and key and require("opal.say").waits(session, key) then
    require("opal.say").take_back(session, key)
  else
    M.open_file()
  end
end

--- Shows what the call at the cursor gave the model.
function M.show_result()
  local transcript, row = here()
  local call = transcript.calls:at(row)
  local result = call and call.result
  if not result then
    vim.notify("Opal: there is no result at the cursor.")
    return
  end
  local shown = result.ok and result.output or result.error or ""
  require("opal.float").open(require("opal.text").split(shown), { title = "What the model was told" })
end

---@param step 1|-1
local function turn(step)
  return function()
    for _ = 1, vim.v.count1 do
      here():go_to_turn(step)
    end
  end
end

local function prompt()
  local transcript = here()
  local session = require("opal.session").of(transcript)
  require("opal.prompt").of(session and session.dir or transcript.dir):enter()
end

---@type { [1]: string, [2]: fun(), [3]: string, [4]: string[] }[] name, what it does, in words, keys
local actions = {
  { "next-turn", turn(1), "the next turn", { "]]" } },
  { "previous-turn", turn(-1), "the turn before", { "[[" } },
  { "open-file", M.open_file, "the file at the cursor", { "gd" } },
  { "act", M.act, "take back what waits, or open the file", { "<CR>" } },
  { "show-result", M.show_result, "what the call gave the model", { "K" } },
  { "enter-prompt", prompt, "write a prompt", { "i", "I", "a", "A", "o", "O" } },
}

---@param bufnr integer
function M.map(bufnr)
  for _, action in ipairs(actions) do
    local name = ("<Plug>(opal-%s)"):format(action[1])
    local options = { buffer = bufnr, desc = "Opal: " .. action[3] }
    vim.keymap.set("n", name, action[2], options)
    for _, key in ipairs(vim.g.opal_no_maps and {} or action[4]) do
      vim.keymap.set("n", key, name, options)
    end
  end
end

return M
