--- Language servers of the user's buffers: which there are, and what they answer.
local client = require("opal.client")

local M = {}

--- How long to wait for a language server to be there for a file that was just opened, and for it to answer.
M.ATTACH_MS = 2000
local ANSWER_MS = 10000
local POLL_MS = 20

--- Waits, with everything else going on, until `check` returns something, or for so long.
---@generic T
---@param ms integer
---@param check fun(): T?
---@return T?
function M.wait(ms, check)
  local waiter = assert(coroutine.running())
  local deadline = vim.uv.now() + ms
  while true do
    local result = check()
    if result or vim.uv.now() >= deadline then
      return result
    end
    vim.defer_fn(function()
      coroutine.resume(waiter)
    end, POLL_MS)
    coroutine.yield()
  end
end

---@class opal.ServersError
---@field text string

---@param text string
function M.fail(text)
  error({ text = text }, 0)
end

---@param bufnr integer
---@return string
local function name(bufnr)
  return vim.fn.fnamemodify(vim.api.nvim_buf_get_name(bufnr), ":~:.")
end

--- The language servers of a buffer, or of all.
---@param method string
---@param bufnr? integer
---@return vim.lsp.Client[]
function M.of(method, bufnr)
  return vim.tbl_filter(function(server)
    return server.name ~= "opal"
  end, vim.lsp.get_clients({ bufnr = bufnr, method = method }))
end

--- The buffer of a file, with the language servers that can answer. A file that is not open is opened.
---@param uri string
---@param method string
---@return integer bufnr, vim.lsp.Client[]
function M.open(uri, method)
  local bufnr = vim.uri_to_bufnr(uri)
  local patience = 0
  if not vim.api.nvim_buf_is_loaded(bufnr) then
    local objection = require("opal.documents").load(bufnr)
    if objection then
      M.fail(objection)
    end
    patience = M.ATTACH_MS
  end
  local servers = M.wait(patience, function()
    local found = M.of(method, bufnr)
    return #found > 0 and found or nil
  end)
  if not servers then
    M.fail(("no language server of %s can tell that"):format(name(bufnr)))
  end
  return bufnr, servers
end

---@class opal.ServerAnswer
---@field server vim.lsp.Client
---@field result any

--- Asks all of them at once.
---@param servers vim.lsp.Client[]
---@param method string
---@param bufnr integer
---@param params fun(server: vim.lsp.Client): table
---@return opal.ServerAnswer[] those that know something, in the order of the servers
function M.ask(servers, method, bufnr, params)
  local answers = {} ---@type table<integer, { err: lsp.ResponseError?, result: any }> by the place of the server
  local requests = {} ---@type table<integer, integer>
  for i, server in ipairs(servers) do
    requests[i] = client.request(server, method, params(server), function(err, result)
      answers[i] = { err = err, result = result }
    end, bufnr)
  end
  M.wait(ANSWER_MS, function()
    return vim.tbl_count(answers) == #servers
  end)
  local known, errors = {}, {}
  for i, server in ipairs(servers) do
    local answer = answers[i]
    if not answer then
      client.cancel(server, requests[i])
      errors[#errors + 1] = ("%s: no answer in %d s"):format(server.name, ANSWER_MS / 1000)
    elseif answer.err then
      errors[#errors + 1] = ("%s: %s"):format(server.name, answer.err.message)
    elseif answer.result then
      known[#known + 1] = { server = server, result = answer.result }
    end
  end
  if #known == 0 and #errors > 0 then
    M.fail(table.concat(errors, "; "))
  end
  return known
end

return M
