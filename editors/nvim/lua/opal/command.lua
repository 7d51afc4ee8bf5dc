--- `:Opal`. Which subcommands there are stands in the list that all clients share; here is what they do.
local protocol = require("opal.protocol")

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

---@param text string
---@return string?
local function some(text)
  return text ~= "" and text or nil
end

--- What is not here is the function of that name, called with what follows if something may.
---@type table<string, fun(text: string, args: table)>
local special = {
  prompt = function(text, args)
    require("opal").prompt(some(text), { selection = selection(args) })
  end,
  prompt_selection = function(text, args)
    if args.range == 0 then
      local from, to = vim.fn.line("'<"), vim.fn.line("'>")
      args = { range = 2, line1 = math.max(from, 1), line2 = math.max(to, 1) }
    end
    require("opal").prompt(some(text), { selection = selection(args) })
  end,
  steer = function(text)
    with_text(text, "Steer: ", function(typed)
      require("opal").steer(typed)
    end)
  end,
  follow_up = function(text)
    with_text(text, "Follow up: ", function(typed)
      require("opal").follow_up(typed)
    end)
  end,
  undo_file = function()
    require("opal").undo("file")
  end,
  undo_hunk = function()
    require("opal").undo("hunk")
  end,
}

--- What is a click elsewhere.
---@type opal.Command[]
local keyboard = {
  { name = "accept", title = "Keep This Change", argument = "none", help = "Keeps a change under review." },
  {
    name = "reject",
    title = "Reject This Change",
    argument = "none",
    help = "Takes a change under review back.",
  },
  {
    name = "next_hunk",
    title = "Next Change",
    argument = "none",
    help = "Goes to the next change under review.",
  },
  {
    name = "previous_hunk",
    title = "Previous Change",
    argument = "none",
    help = "Goes to the change under review before.",
  },
}
local commands = vim.list_extend(vim.list_slice(protocol.commands), keyboard)

---@return string[]
local function names()
  return vim.tbl_map(function(command)
    return command.name
  end, commands)
end

---@param name string
---@return opal.Command?
local function find(name)
  return vim.iter(commands):find(function(command)
    return command.name == name
  end)
end

--- What a command does.
---@param name string
---@return fun(text: string, args: table)?
function M.action(name)
  local act = require("opal")[name]
  return special[name] or act and function(text)
    act(some(text))
  end
end

---@param args table as nvim_create_user_command passes it
function M.run(args)
  local name, text = vim.trim(args.args):match("^(%S*)%s*(.*)$")
  local command = find(name == "" and "open" or name)
  local act = command and M.action(command.name)
  if act then
    act(text, args)
  else
    local message = "There is no :Opal %s; there are %s."
    vim.notify(message:format(name, table.concat(names(), ", ")), vim.log.levels.ERROR)
  end
end

---@type table<opal.Argument, fun(lead: string): string[]>
local arguments = {
  none = function()
    return {}
  end,
  text = function(lead)
    local typed = lead:match("^@(.*)$")
    local offers = typed and require("opal.prompt.offers").matching(vim.fn.getcwd(), typed) or {}
    return vim.tbl_map(function(offer)
      return offer.word
    end, offers)
  end,
  session = function()
    return vim.list_extend({ "latest" }, require("opal.pick").known_sessions())
  end,
  model = function()
    return require("opal.pick").known_models()
  end,
  thinking_level = function()
    return require("opal.config").values.thinking_level
  end,
  permission_mode = function()
    return require("opal.config").values.permission_mode
  end,
}

--- What these take here, beyond what all clients know.
local more = {
  review = { "turn" },
  accept = { "file", "all" },
  reject = { "file", "all" },
}

---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local name = line:match("Opal%s+(%S+)%s+")
  if not name then
    return vim.tbl_filter(function(one)
      return vim.startswith(one, lead)
    end, names())
  end
  local command = find(name)
  local offer = command and arguments[command.argument] or arguments.none
  return vim.tbl_filter(function(one)
    return vim.startswith(one, lead) or vim.startswith(lead, "@")
  end, more[name] or offer(lead))
end

--- Maps `<Plug>(opal-…)` for each: `_` is `-` there. Those that take a text use the selection as well.
function M.map()
  for _, command in ipairs(commands) do
    local name = ("<Plug>(opal-%s)"):format((command.name:gsub("_", "-")))
    vim.keymap.set("n", name, ("<Cmd>Opal %s<CR>"):format(command.name), { desc = "Opal: " .. command.title })
    if command.argument == "text" then
      vim.keymap.set("x", name, (":Opal %s<CR>"):format(command.name), { desc = "Opal: " .. command.title })
    end
  end
end

return M
