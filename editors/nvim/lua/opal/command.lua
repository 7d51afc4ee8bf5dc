--- `:Opal`.
local M = {}

---@class opal.Selection
---@field bufnr integer
---@field first integer first line, from 1
---@field last integer last line, included
---@field first_col? integer byte column, from 0; whole lines if absent
---@field last_col? integer byte column of the end, excluded

--- A range of lines; exactly the selected characters if the range is a characterwise selection.
---@param args table
---@return opal.Selection?
local function selection(args)
  if args.range == 0 then
    return nil
  end
  local bufnr = vim.api.nvim_get_current_buf()
  local result = { bufnr = bufnr, first = args.line1, last = args.line2 } ---@type opal.Selection
  local from, to = vim.api.nvim_buf_get_mark(bufnr, "<"), vim.api.nvim_buf_get_mark(bufnr, ">")
  if vim.fn.visualmode() == "v" and from[1] == args.line1 and to[1] == args.line2 then
    local line = vim.api.nvim_buf_get_lines(bufnr, to[1] - 1, to[1], true)[1]
    local last_col = to[2]
    if vim.o.selection ~= "exclusive" and last_col < #line then
      last_col = last_col + vim.str_utf_end(line, last_col + 1) + 1
    end
    result.first_col, result.last_col = from[2], math.min(last_col, #line)
  end
  return result
end

--- Runs `act` with the text given, or with one asked for.
---@param text string
---@param prompt string
---@param act fun(text: string)
local function with_text(text, prompt, act)
  if text ~= "" then
    act(text)
    return
  end
  vim.ui.input({ prompt = prompt }, function(typed)
    if typed and typed ~= "" then
      act(typed)
    end
  end)
end

---@type table<string, fun(text: string, args: table)>
local commands = {
  prompt = function(text, args)
    local selected = selection(args)
    with_text(text, "Prompt: ", function(typed)
      require("opal").prompt(typed, { selection = selected })
    end)
  end,
  steer = function(text)
    with_text(text, "Steer: ", require("opal").steer)
  end,
  follow_up = function(text)
    with_text(text, "Follow up: ", require("opal").follow_up)
  end,
  abort = function()
    require("opal").abort()
  end,
  undo = function(text)
    require("opal").undo(text ~= "" and text or nil)
  end,
  redo = function()
    require("opal").redo()
  end,
  changes = function()
    require("opal").changes()
  end,
  review = function(text)
    require("opal").review(text ~= "" and text or nil)
  end,
  accept = function(text)
    require("opal").accept(text ~= "" and text or nil)
  end,
  reject = function(text)
    require("opal").reject(text ~= "" and text or nil)
  end,
  compact = function()
    require("opal").compact()
  end,
  branch = function()
    require("opal").branch()
  end,
  resume = function(text)
    require("opal").resume(text ~= "" and text or nil)
  end,
  open = function()
    require("opal").open()
  end,
  state = function()
    require("opal").state()
  end,
}

---@return string[]
local function names()
  local list = vim.tbl_keys(commands)
  table.sort(list)
  return list
end

---@param args table as nvim_create_user_command passes it
function M.run(args)
  local name, text = vim.trim(args.args):match("^(%S*)%s*(.*)$")
  local command = commands[name == "" and "open" or name]
  if not command then
    local message = "There is no :Opal %s; there are %s."
    vim.notify(message:format(name, table.concat(names(), ", ")), vim.log.levels.ERROR)
    return
  end
  command(text, args)
end

local arguments = {
  undo = { "file", "hunk" },
  review = { "turn" },
  accept = { "file", "all" },
  reject = { "file", "all" },
}

---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local command = line:match("Opal%s+(%S+)%s+%S*$")
  local offered = command and arguments[command] or {}
  if line:match("Opal%s+%S*$") then
    offered = names()
  end
  return vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, offered)
end

return M
