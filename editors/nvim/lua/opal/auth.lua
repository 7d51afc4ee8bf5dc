--- Signing in and out.
local client = require("opal.client")
local protocol = require("opal.protocol")
local methods = protocol.methods

local M = {}

---@class opal.SignIn one that is under way
---@field client vim.lsp.Client
---@field request? integer
---@field close? fun() closes the window with the code

local under_way ---@type opal.SignIn?

---@param status opal.ProviderStatus
---@return string
local function as_whom(status)
  local name = status.account and (" as " .. status.account) or ""
  return ("Opal is signed in to %s%s."):format(status.host or status.provider, name)
end

---@param session opal.Session
---@param params opal.AuthLoginParams
local function sign_in(session, params)
  local this = { client = session.client } ---@type opal.SignIn
  under_way = this
  this.request = client.request(session.client, methods.auth_login, params, function(err, result)
    if under_way == this then
      under_way = nil
    end
    if this.close then
      this.close()
    end
    if not err then
      vim.notify(as_whom(result.status))
    elseif err.code ~= protocol.error_codes.request_cancelled then
      client.report(err)
    end
  end)
end

local ANEW = "Sign in anew, with a code"

--- Signs in to GitHub Copilot: with what another program left, if the user wants that, else with a code.
---@param session opal.Session
---@param domain? string of an enterprise
function M.sign_in(session, domain)
  if under_way then
    vim.notify("Opal: a sign-in is under way; q in its window gives it up.")
    return
  end
  session:when_connected(function()
    client.request(session.client, methods.auth_status, {}, function(err, status)
      if err then
        client.report(err)
        return
      elseif domain or #status.existing == 0 then
        sign_in(session, { domain = domain })
        return
      end
      local choices = vim.list_extend({}, status.existing) ---@type any[]
      table.insert(choices, ANEW)
      vim.ui.select(choices, {
        prompt = "Opal: sign in to GitHub Copilot",
        kind = "opal.sign_in",
        format_item = function(item)
          local name = item.account and (" (" .. item.account .. ")") or ""
          return item == ANEW and item or ("Use the sign-in of %s%s"):format(item.found_in, name)
        end,
      }, function(item)
        if item then
          sign_in(session, item == ANEW and {} or { use_existing = item.found_in })
        end
      end)
    end)
  end)
end

--- Handles `auth/device_code`: shows what is to be entered where, with the code in a register.
---@param params opal.DeviceCodeParams
function M.show_code(params)
  local this = under_way
  if not this then
    return
  end
  vim.fn.setreg('"', params.user_code)
  local registers = 'register "'
  if vim.fn.has("clipboard") == 1 then
    vim.fn.setreg("+", params.user_code)
    registers = 'registers " and +'
  end
  local _, close = require("opal.float").open({
    "Enter this code:",
    "",
    "    " .. params.user_code,
    "",
    "at " .. params.verification_uri .. (params.opened and " (opened in the browser)" or ""),
    "",
    ("The code is in the %s; gx on the address opens it."):format(registers),
    ("It is good for %d minutes. q gives up."):format(math.ceil(params.expires_in / 60)),
  }, {
    title = "Sign in to GitHub Copilot",
    closed = function()
      if under_way == this then
        under_way = nil
        client.cancel(this.client, this.request)
        vim.notify("Opal: the sign-in was given up.")
      end
    end,
  })
  this.close = close
end

---@param session opal.Session
function M.sign_out(session)
  session:when_connected(function()
    client.request(session.client, methods.auth_logout, {}, function(err)
      if err then
        client.report(err)
      else
        vim.notify("Opal is signed out of GitHub Copilot.")
      end
    end)
  end)
end

return M
