--- Files that a prompt mentions, as `@path` or `@path:first-last`.
local M = {}

--- How many files are looked at and how many of them offered, and how long git may take to list them.
local MOST_FILES = 20000
local MOST_OFFERED = 50
local GIT_MS = 2000
--- For how long a list is good.
local FRESH_MS = 5000

local listed = {} ---@type table<string, { files: string[], at_ms: integer }> by directory

---@param dir string
---@return string[] paths relative to it
local function walk(dir)
  local files = {}
  local function skip(name)
    return not vim.startswith(vim.fs.basename(name), ".")
  end
  for name, kind in vim.fs.dir(dir, { depth = 8, skip = skip }) do
    if kind == "file" then
      files[#files + 1] = name
    end
    if #files == MOST_FILES then
      break
    end
  end
  return files
end

--- What git knows of, else what is there.
---@param dir string
---@return string[] paths relative to it
local function list(dir)
  local command = { "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard" }
  local ok, result = pcall(function()
    return vim.system(command, { cwd = dir }):wait(GIT_MS)
  end)
  if ok and result.code == 0 then
    return vim.split(result.stdout, "\0", { plain = true, trimempty = true })
  end
  return walk(dir)
end

--- The files that fit what was typed, best first.
---@param dir string
---@param typed string without the @
---@return string[] mentions
function M.matches(dir, typed)
  local known = listed[dir]
  if not known or vim.uv.now() - known.at_ms > FRESH_MS then
    known = { files = list(dir), at_ms = vim.uv.now() }
    listed[dir] = known
  end
  local files = known.files
  if typed ~= "" then
    files = vim.fn.matchfuzzy(files, (typed:gsub("\\ ", " ")))
  end
  return vim.tbl_map(function(path)
    return "@" .. path:gsub(" ", "\\ ")
  end, vim.list_slice(files, 1, MOST_OFFERED))
end

--- Offers files for what is being typed, if that is a mention. Called for each change of the text: a popup menu
--- of Neovim's own keeps only what begins with the text.
---@param dir string
function M.offer(dir)
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
  vim.fn.complete(start, M.matches(dir, typed))
end

--- How lines of a file are mentioned.
---@param selection opal.Selection
---@param dir string
---@return string
function M.of(selection, dir)
  local path = vim.fs.normalize(vim.api.nvim_buf_get_name(selection.bufnr))
  local prefix = dir:gsub("/?$", "/")
  path = vim.startswith(path, prefix) and path:sub(#prefix + 1) or path
  return ("@%s:%d-%d"):format(path:gsub(" ", "\\ "), selection.first, selection.last)
end

---@param dir string
---@param mentioned string
---@return opal.Attachment?
local function attachment(dir, mentioned)
  local path, first, last = mentioned:match("^(.+):(%d+)%-(%d+)$")
  path = path or mentioned
  local is_absolute = path:match("^/") or path:match("^%a:[/\\]")
  local file = vim.fs.normalize(is_absolute and path or dir .. "/" .. path)
  local bufnr = vim.fn.bufnr("^" .. vim.fn.fnameescape(file) .. "$")
  if vim.fn.filereadable(file) == 0 and bufnr == -1 then
    return nil
  end
  local uri = vim.uri_from_fname(file)
  if not first then
    return { type = "file", uri = uri }
  end
  local range = {
    start = { line = math.max(tonumber(first) - 1, 0), character = 0 },
    ["end"] = { line = tonumber(last), character = 0 },
  }
  return { type = "selection", uri = uri, range = range }
end

--- What a text mentions and what there is.
---@param text string
---@param dir string
---@return opal.Attachment[]
function M.attachments(text, dir)
  local found, seen = {}, {}
  for mentioned in (" " .. text:gsub("\\ ", "\1")):gmatch("%s@([^%s]+)") do
    mentioned = mentioned:gsub("\1", " ")
    local one = attachment(dir, mentioned) or attachment(dir, (mentioned:gsub("[%p]+$", "")))
    local key = one and vim.inspect(one)
    if key and not seen[key] then
      seen[key] = true
      found[#found + 1] = one
    end
  end
  return found
end

return M
