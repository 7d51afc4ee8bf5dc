--- The files of a directory that can be mentioned.
local M = {}

--- How many files are looked at, and how long git may take to list them.
local MOST_FILES = 20000
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

---@param dir string
---@return string[] paths relative to it
function M.of(dir)
  local known = listed[dir]
  if not known or vim.uv.now() - known.at_ms > FRESH_MS then
    known = { files = list(dir), at_ms = vim.uv.now() }
    listed[dir] = known
  end
  return known.files
end

return M
