--- What there is to choose from: sessions to go on with, models, thinking levels, permission modes.
local client = require("opal.client")
local protocol = require("opal.protocol")
local text = require("opal.text")
local methods = protocol.methods

local M = {}

--- How long completion waits for the server.
local COMPLETION_MS = 1000
local MOST_SESSIONS = 200

--- Asks the server, and tells the user if it refuses.
---@param session opal.Session
---@param method string
---@param params table
---@param done fun(result: any)
local function ask(session, method, params, done)
  session:when_connected(function()
    client.request(session.client, method, params, function(err, result)
      if err then
        client.report(err)
      else
        done(result)
      end
    end)
  end)
end

---@param summary opal.SessionSummary
---@return string
local function session_label(summary)
  local parts = {
    text.short(summary.name or summary.first_prompt or "(nothing said)"),
    tostring(os.date("%d %b %H:%M", math.floor(summary.updated_at_ms / 1000))),
  }
  if vim.fs.normalize(summary.working_dir) ~= vim.fs.normalize(vim.fn.getcwd()) then
    parts[#parts + 1] = vim.fn.fnamemodify(summary.working_dir, ":~")
  end
  if summary.found then
    parts[#parts + 1] = "…" .. text.short(summary.found)
  end
  return table.concat(parts, " · ")
end

local SEARCH = "Search all sessions …"

---@param session opal.Session
---@param params opal.SessionListParams
---@param prompt string
local function choose_session(session, params, prompt)
  params.limit = MOST_SESSIONS
  ask(session, methods.session_list, params, function(result)
    local items = vim.tbl_filter(function(summary)
      return summary.session_id ~= session.id
    end, result.sessions) ---@type any[]
    table.insert(items, SEARCH)
    vim.ui.select(items, {
      prompt = prompt,
      kind = "opal.session",
      format_item = function(item)
        return item == SEARCH and item or session_label(item)
      end,
    }, function(item)
      if item == SEARCH then
        vim.ui.input({ prompt = "Words to search for: " }, function(words)
          if words and vim.trim(words) ~= "" then
            choose_session(session, { query = words }, ("Opal: sessions with “%s”"):format(words))
          end
        end)
      elseif item then
        require("opal.session").resume(item.session_id)
      end
    end)
  end)
end

--- Goes on with a session that the user chooses.
---@param session opal.Session
function M.session(session)
  if session:must_be_idle() then
    choose_session(session, { working_dir = session.dir }, "Opal: go on with")
  end
end

--- Changes the session and says so.
---@param session opal.Session
---@param params opal.SessionSetParams
---@param said string
local function set(session, params, said)
  session:when_started(function()
    session:set(params, function()
      vim.notify("Opal: " .. said)
    end)
  end)
end

---@param session opal.Session
---@param model string
local function set_model(session, model)
  set(session, { model = model }, ("%s answers from the next turn on."):format(model))
end

---@param session opal.Session
---@param name? string
function M.model(session, name)
  if name then
    set_model(session, name)
    return
  end
  ask(session, methods.models_list, {}, function(result)
    for _, problem in ipairs(result.problems) do
      local hint = problem.hint and ("\n" .. problem.hint) or ""
      vim.notify(("Opal: %s: %s%s"):format(problem.provider, problem.message, hint), vim.log.levels.WARN)
    end
    if #result.models == 0 then
      vim.notify("Opal: there is no model to choose. Sign in with :Opal sign_in, or set a key.")
      return
    end
    vim.ui.select(result.models, {
      prompt = "Opal: the model that answers from the next turn on",
      kind = "opal.model",
      format_item = function(model)
        local mark = model.model == session.model and "* " or "  "
        local window = model.context_window and (" · " .. text.tokens(model.context_window)) or ""
        local name_after = model.name ~= "" and (" · " .. model.name) or ""
        return mark .. model.model .. name_after .. window
      end,
    }, function(model)
      if model then
        set_model(session, model.model)
      end
    end)
  end)
end

---@param session opal.Session
---@param level string
local function set_thinking(session, level)
  set(session, { thinking_level = level }, ("thinks “%s” from the next turn on."):format(level))
end

---@param session opal.Session
---@param level? string
function M.thinking(session, level)
  if level then
    set_thinking(session, level)
    return
  end
  session:when_started(function()
    ask(session, methods.models_list, {}, function(result)
      local info = vim.iter(result.models):find(function(model)
        return model.model == session.model
      end)
      local levels = info and info.thinking_levels or require("opal.config").values.thinking_level
      if #levels == 0 then
        vim.notify(("Opal: %s does not think."):format(session.model))
        return
      end
      vim.ui.select(levels, {
        prompt = "Opal: how long the model thinks",
        kind = "opal.thinking",
        format_item = function(one)
          return (one == session.thinking_level and "* " or "  ") .. one
        end,
      }, function(one)
        if one then
          set_thinking(session, one)
        end
      end)
    end)
  end)
end

local modes = {
  ask = "reads in the project are free, the rest asks",
  auto_edit = "edits in the project are free as well",
  full = "never asks",
  read_only = "refuses edits and commands",
}

---@param session opal.Session
---@param mode? string
function M.permissions(session, mode)
  local function choose(one)
    set(session, { permission_mode = one }, ("%s: %s."):format(one, modes[one] or "set"))
  end
  if mode then
    choose(mode)
    return
  end
  session:when_started(function()
    vim.ui.select(require("opal.config").values.permission_mode, {
      prompt = "Opal: how much runs unasked",
      kind = "opal.permissions",
      format_item = function(one)
        return ("%s%s: %s"):format(one == session.permission_mode and "* " or "  ", one, modes[one] or "")
      end,
    }, function(one)
      if one then
        choose(one)
      end
    end)
  end)
end

--- What the server answers soon; completion cannot wait.
---@param method string
---@param params table
---@return any? result nil without a server
local function ask_now(method, params)
  local session = require("opal.session").find()
  local result
  if session and session.client then
    client.request(session.client, method, params, function(_, answer)
      result = answer
    end)
    vim.wait(COMPLETION_MS, function()
      return result ~= nil
    end, 10)
  end
  return result
end

---@return string[] ids
function M.known_sessions()
  local result = ask_now(methods.session_list, { working_dir = vim.fn.getcwd() })
  return vim.tbl_map(function(summary)
    return summary.session_id
  end, result and result.sessions or {})
end

---@return string[] names
function M.known_models()
  local result = ask_now(methods.models_list, {})
  return vim.tbl_map(function(model)
    return model.model
  end, result and result.models or {})
end

return M
