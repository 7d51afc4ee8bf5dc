--- Texts as the transcript and the dialogs show them.
local M = {}

---@param text string
---@return string[] lines
function M.split(text)
  return vim.split((text:gsub("\r\n?", "\n")), "\n", { plain = true })
end

--- The first line of a text, if that is not too long.
---@param text string
---@return string
function M.short(text)
  text = vim.trim(text)
  local short = vim.fn.strcharpart(text:match("^[^\n]*"), 0, 100)
  return short == text and text or vim.trim(short) .. " …"
end

--- A fence longer than any in the text.
---@param text string
---@param language? string
---@return string[] lines
function M.fenced(text, language)
  local longest = 2
  for ticks in text:gmatch("`+") do
    longest = math.max(longest, #ticks)
  end
  local fence = ("`"):rep(longest + 1)
  local lines = M.split((text:gsub("%s+$", "")))
  table.insert(lines, 1, fence .. (language or ""))
  table.insert(lines, fence)
  return lines
end

---@param n integer
---@param unit string
---@return string
function M.count(n, unit)
  return ("%d %s%s"):format(n, unit, n == 1 and "" or "s")
end

--- A number of tokens.
---@param n integer
---@return string
function M.tokens(n)
  return n < 1000 and tostring(n) or (n < 10000 and "%.1fk" or "%.0fk"):format(n / 1000)
end

--- A path as it is shown and mentioned: below a directory without that.
---@param path string
---@param dir string
---@return string
function M.relative(path, dir)
  local prefix = vim.fs.normalize(dir):gsub("/?$", "/")
  return vim.startswith(path, prefix) and path:sub(#prefix + 1) or path
end

--- Names a buffer, with a number behind it if another has the name: the transcript of a server that is gone may
--- stand beside that of the same session, resumed.
---@param bufnr integer
---@param name string
function M.name_buffer(bufnr, name)
  local free, n = name, 1
  while vim.fn.bufexists(free) == 1 do
    n = n + 1
    free = ("%s (%d)"):format(name, n)
  end
  vim.api.nvim_buf_set_name(bufnr, free)
end

return M
