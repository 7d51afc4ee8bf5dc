--- What a prompt mentions: `@path`, `@path:first-last`, `@diagnostics`, `@diagnostics:path`.
local problems = require("opal.prompt.problems")

local M = {}

--- Mentions what is wrong in files.
M.DIAGNOSTICS = "@diagnostics"

---@param path string
---@param dir string paths below it are mentioned relative to it
---@return string
local function name(path, dir)
  return (require("opal.text").relative(vim.fs.normalize(path), dir):gsub(" ", "\\ "))
end

--- How a file is mentioned, or lines of it.
---@param path string
---@param dir string
---@param first? integer from 1
---@param last? integer included
---@return string
function M.of_file(path, dir, first, last)
  return "@" .. name(path, dir) .. (first and (":%d-%d"):format(first, last) or "")
end

--- How what is wrong in a file is mentioned.
---@param path string
---@param dir string
---@return string
function M.of_problems(path, dir)
  return M.DIAGNOSTICS .. ":" .. name(path, dir)
end

---@class opal.Mentioned
---@field attachments opal.Attachment[]
---@field problems string[] lines that tell the model what is wrong; empty if nobody asks for that

---@param path string
---@param dir string
---@return string? path nil if there is no such file
---@return integer bufnr -1 if it is in none
local function find(path, dir)
  local is_absolute = path:match("^/") or path:match("^%a:[/\\]")
  local file = vim.fs.normalize(is_absolute and path or dir .. "/" .. path)
  local bufnr = vim.fn.bufnr("^" .. vim.fn.fnameescape(file) .. "$")
  return (bufnr ~= -1 or vim.fn.filereadable(file) == 1) and file or nil, bufnr
end

---@param file string
---@param first integer from 1
---@param last integer included
---@return opal.Attachment
local function lines(file, first, last)
  local range = {
    start = { line = math.max(first - 1, 0), character = 0 },
    ["end"] = { line = last, character = 0 },
  }
  return { type = "selection", uri = vim.uri_from_fname(file), range = range }
end

---@param mentioned string
---@param dir string
---@return opal.Mentioned?
local function read_problems(mentioned, dir)
  if "@" .. mentioned == M.DIAGNOSTICS then
    return { attachments = {}, problems = problems.tell(problems.of(), dir) }
  end
  local path = ("@" .. mentioned):match("^" .. M.DIAGNOSTICS .. ":(.+)$")
  local file, bufnr
  if path then
    file, bufnr = find(path, dir)
  end
  if not file then
    return nil
  end
  local found = bufnr ~= -1 and problems.of(bufnr) or {}
  local attachments = {}
  if #found > 0 then
    local last = vim.iter(found):fold(0, function(most, problem)
      return math.max(most, (problem.end_lnum or problem.lnum) + 1)
    end)
    attachments[1] = lines(file, found[1].lnum + 1, last)
  end
  return { attachments = attachments, problems = problems.tell(found, dir) }
end

---@param mentioned string
---@param dir string
---@return opal.Mentioned?
local function read_file(mentioned, dir)
  local path, first, last = mentioned:match("^(.+):(%d+)%-(%d+)$")
  local file = find(path or mentioned, dir)
  if not file then
    return nil
  end
  local attachment = path and lines(file, tonumber(first), tonumber(last))
    or { type = "file", uri = vim.uri_from_fname(file) }
  return { attachments = { attachment }, problems = {} }
end

--- What a text mentions and what there is.
---@param text string
---@param dir string
---@return opal.Mentioned
function M.read(text, dir)
  local all = { attachments = {}, problems = {} } ---@type opal.Mentioned
  local seen = {}
  local function add(list, one)
    local key = vim.inspect(one)
    if not seen[key] then
      seen[key] = true
      list[#list + 1] = one
    end
  end
  for mentioned in (" " .. text:gsub("\\ ", "\1")):gmatch("%s@([^%s]+)") do
    mentioned = mentioned:gsub("\1", " ")
    local bare = mentioned:gsub("[%p]+$", "")
    local found = read_problems(mentioned, dir) or read_problems(bare, dir)
    found = found or read_file(mentioned, dir) or read_file(bare, dir)
    for _, attachment in ipairs(found and found.attachments or {}) do
      add(all.attachments, attachment)
    end
    for _, line in ipairs(found and found.problems or {}) do
      add(all.problems, line)
    end
  end
  return all
end

return M
