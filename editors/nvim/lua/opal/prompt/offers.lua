--- What is offered after `@`: what is wrong, what is selected, files.
local documents = require("opal.documents")
local mentions = require("opal.prompt.mentions")
local problems = require("opal.prompt.problems")
local count = require("opal.text").count

local M = {}

--- How many files are offered.
local MOST_FILES = 50

---@class opal.Offer an item of |complete-items|
---@field word string the mention
---@field abbr? string what is shown in its place
---@field menu? string what it is

--- The files in the windows of this tab page, that of the current window first.
---@return integer[] buffers
local function shown()
  local buffers = vim.tbl_map(vim.api.nvim_win_get_buf, vim.api.nvim_tabpage_list_wins(0))
  table.insert(buffers, 1, vim.fn.winbufnr(vim.fn.winnr("#")))
  table.insert(buffers, 1, vim.api.nvim_get_current_buf())
  local seen = {}
  return vim.tbl_filter(function(bufnr)
    local is_new = bufnr ~= -1 and not seen[bufnr]
    seen[bufnr] = true
    return is_new and documents.is_file(bufnr)
  end, buffers)
end

---@param dir string
---@return opal.Offer[]
local function of_problems(dir)
  local offers = {}
  for _, bufnr in ipairs(shown()) do
    local n = #problems.of(bufnr)
    if n > 0 then
      local word = mentions.of_problems(vim.api.nvim_buf_get_name(bufnr), dir)
      offers[#offers + 1] = { word = word, menu = count(n, "problem") }
    end
  end
  local all = #problems.of()
  if all > 0 then
    offers[#offers + 1] = { word = mentions.DIAGNOSTICS, menu = count(all, "problem") .. " in all" }
  end
  return offers
end

--- What was selected last in the files that are shown.
---@param dir string
---@return opal.Offer[]
local function of_selections(dir)
  local offers = {}
  for _, bufnr in ipairs(shown()) do
    local first = vim.api.nvim_buf_get_mark(bufnr, "<")[1]
    local last = vim.api.nvim_buf_get_mark(bufnr, ">")[1]
    if first > 0 and last >= first then
      local word = mentions.of_file(vim.api.nvim_buf_get_name(bufnr), dir, first, last)
      offers[#offers + 1] = { word = word, abbr = "@selection", menu = word:sub(2) }
    end
  end
  return offers
end

---@param dir string
---@param typed string
---@return opal.Offer[]
local function of_files(dir, typed)
  local files = require("opal.prompt.files").of(dir)
  if typed ~= "" then
    files = vim.fn.matchfuzzy(files, (typed:gsub("\\ ", " ")))
  end
  return vim.tbl_map(function(path)
    return { word = "@" .. path:gsub(" ", "\\ ") }
  end, vim.list_slice(files, 1, MOST_FILES))
end

--- What fits what was typed, best first.
---@param dir string
---@param typed string without the @
---@return opal.Offer[]
function M.matching(dir, typed)
  local special = vim.list_extend(of_problems(dir), of_selections(dir))
  special = vim.tbl_filter(function(offer)
    return vim.startswith(offer.abbr or offer.word, "@" .. typed)
  end, special)
  return vim.list_extend(special, of_files(dir, typed))
end

--- Shows what may be meant by what is being typed, if that is a mention. Called for each change of the text: a
--- popup menu of Neovim's own keeps only what begins with the text.
---@param dir string
function M.show(dir)
  local before = vim.api.nvim_get_current_line():sub(1, vim.api.nvim_win_get_cursor(0)[2])
  local start, typed = before:gsub("\\ ", "\1\1"):match("()@(%S*)$")
  if not start or before:sub(1, start - 1):match("%S$") then
    return
  end
  typed = typed:gsub("\1\1", "\\ ")
  local info = vim.fn.complete_info({ "selected", "items" })
  local selected = info.items[info.selected + 1]
  if selected and selected.word == "@" .. typed then
    return -- the user goes through the menu
  end
  vim.fn.complete(start, M.matching(dir, typed))
end

return M
