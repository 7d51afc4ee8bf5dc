--- What is wrong in files, as the editor shows it.
local documents = require("opal.documents")
local relative = require("opal.text").relative

local M = {}

--- How many are told.
local MOST_TOLD = 100
local severities = { "error", "warning", "information" }

--- Those of a file, or of all, in the order in which they stand. Hints are none.
---@param bufnr? integer
---@return vim.Diagnostic[]
function M.of(bufnr)
  local found = vim.tbl_filter(function(diagnostic)
    return documents.has_path(diagnostic.bufnr)
  end, vim.diagnostic.get(bufnr, { severity = { min = vim.diagnostic.severity.INFO } }))
  table.sort(found, function(a, b)
    if a.bufnr ~= b.bufnr then
      return vim.api.nvim_buf_get_name(a.bufnr) < vim.api.nvim_buf_get_name(b.bufnr)
    end
    return a.lnum < b.lnum
  end)
  return found
end

--- In words, for the model.
---@param problems vim.Diagnostic[]
---@param dir string
---@return string[] lines
function M.tell(problems, dir)
  local lines = vim.tbl_map(function(problem)
    local file = relative(vim.fs.normalize(vim.api.nvim_buf_get_name(problem.bufnr)), dir)
    local source = problem.source and (" (%s)"):format(problem.source) or ""
    local kind = severities[problem.severity]
    return ("- %s:%d: %s: %s%s"):format(file, problem.lnum + 1, kind, problem.message, source)
  end, vim.list_slice(problems, 1, MOST_TOLD))
  if #problems > MOST_TOLD then
    lines[#lines + 1] = ("- and %d more"):format(#problems - MOST_TOLD)
  end
  return #lines > 0 and lines or { "- none" }
end

return M
