--- What is offered after `@`: what is wrong, what is selected, files, symbols.
local documents = require("opal.documents")
local mentions = require("opal.prompt.mentions")
local problems = require("opal.prompt.problems")
local servers = require("opal.servers")
local symbols = require("opal.symbols")
local count = require("opal.text").count

local M = {}

--- How many files are offered, and how many in all.
local MOST_FILES, MOST = 50, 80
--- From how many letters on the symbols of the workspace are looked for.
local LEAST_QUERY = 2

---@class opal.Offer an item of |complete-items|
---@field word string the mention
---@field abbr string what is shown in its place
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
      offers[#offers + 1] = { word = word, abbr = word, menu = count(n, "problem") }
    end
  end
  local all = #problems.of()
  if all > 0 then
    local word = mentions.DIAGNOSTICS
    offers[#offers + 1] = { word = word, abbr = word, menu = count(all, "problem") .. " in all" }
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
    files = vim.fn.matchfuzzy(files, typed)
  end
  return vim.tbl_map(function(path)
    return { word = "@" .. path:gsub(" ", "\\ "), abbr = "@" .. path }
  end, vim.list_slice(files, 1, MOST_FILES))
end

--- What fits what was typed, best first.
---@param dir string
---@param typed string without the @
---@param named? opal.Offer[] by name
---@return opal.Offer[]
function M.matching(dir, typed, named)
  local special = vim.list_extend(of_problems(dir), of_selections(dir))
  special = vim.tbl_filter(function(offer)
    return vim.startswith(offer.abbr, "@" .. typed)
  end, special)
  typed = typed:gsub("\\ ", " ")
  local others = of_files(dir, typed)
  if typed ~= "" and named and #named > 0 then
    others = vim.fn.matchfuzzy(vim.list_extend(others, named), typed, { key = "abbr" })
  end
  return vim.list_slice(vim.list_extend(special, others), 1, MOST)
end

--- The mention that is being typed at the cursor.
---@return integer? start column, from 1
---@return string typed without the @
local function at_cursor()
  local before = vim.api.nvim_get_current_line():sub(1, vim.api.nvim_win_get_cursor(0)[2])
  local start, typed = before:gsub("\\ ", "\1\1"):match("()@(%S*)$")
  if not start or before:sub(1, start - 1):match("%S$") then
    return nil, ""
  end
  return start, (typed:gsub("\1\1", "\\ "))
end

local known = {} ---@type opal.Offer[] symbols, as they were last looked for
local looks = false

--- Looks for the symbols of the files that are shown, and those of the workspace that fit what was typed.
---@param dir string
---@param typed string
---@return opal.Offer[]
local function of_symbols(dir, typed)
  local found = {}
  local function add(find, method, bufnr, about)
    -- What a language server cannot tell is not offered.
    local ok, some = pcall(function()
      return find(servers.of(method, bufnr), about)
    end)
    vim.list_extend(found, ok and some or {})
  end
  for _, bufnr in ipairs(shown()) do
    add(symbols.of_file, symbols.OF_FILE, bufnr, bufnr)
  end
  if #typed >= LEAST_QUERY then
    add(symbols.in_workspace, symbols.IN_WORKSPACE, nil, typed)
  end
  local offers, seen = {}, {}
  for _, symbol in ipairs(found) do
    local from, to = symbol.range.start, symbol.range["end"]
    local last = math.max(to.character == 0 and to.line or to.line + 1, from.line + 1)
    if vim.startswith(symbol.uri, "file:") and not seen[symbol.name .. symbol.uri .. from.line] then
      seen[symbol.name .. symbol.uri .. from.line] = true
      local word = mentions.of_file(vim.uri_to_fname(symbol.uri), dir, from.line + 1, last)
      local kind = (vim.lsp.protocol.SymbolKind[symbol.kind] or "symbol"):lower()
      offers[#offers + 1] = { word = word, abbr = "@" .. symbol.name, menu = kind .. " " .. word:sub(2) }
    end
  end
  return offers
end

--- Shows a menu for the mention that is being typed.
---@param dir string
---@return string? typed nil if nothing is to be offered
local function show(dir)
  local start, typed = at_cursor()
  if not start then
    return nil
  end
  local info = vim.fn.complete_info({ "selected", "items" })
  local selected = info.items[info.selected + 1]
  if selected and selected.word == "@" .. typed then
    return nil -- the user goes through the menu
  end
  vim.fn.complete(start, M.matching(dir, typed, known))
  return typed
end

--- Shows what may be meant by what is being typed, if that is a mention. Called for each change of the text: a
--- popup menu of Neovim's own keeps only what begins with the text. Symbols follow when they are known.
---@param dir string
function M.show(dir)
  local typed = show(dir)
  if not typed or typed == "" or looks then
    return
  end
  looks = true
  local bufnr = vim.api.nvim_get_current_buf()
  coroutine.wrap(function()
    local before = known
    local ok, found = pcall(of_symbols, dir, typed)
    known, looks = ok and found or {}, false
    local selected = vim.fn.complete_info({ "selected" }).selected
    if vim.api.nvim_get_current_buf() ~= bufnr or vim.fn.mode() ~= "i" or selected > 0 then
      return
    end
    local _, now = at_cursor()
    if now ~= typed then
      M.show(dir)
    elseif not vim.deep_equal(known, before) then
      show(dir)
    end
  end)()
end

return M
