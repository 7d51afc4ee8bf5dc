--- What a session changed in files, taken back and brought again. What is taken back where, and what may
--- be, the server decides; its edits arrive like all others.
local protocol = require("opal.protocol")

local M = {}

--- How much of the screen what clashes may take.
local MOST_OF_SCREEN = 1 / 2

--- Says which files were left as they are and why, and shows what clashes.
---@param conflicts opal.UndoConflict[]
function M.show_conflicts(conflicts)
  local reasons, lines = {}, {}
  for _, conflict in ipairs(conflicts) do
    reasons[#reasons + 1] = ("Opal left %s as it is: %s."):format(conflict.path, conflict.reason)
    if conflict.shown then
      lines[#lines + 1] = ("%s: %s"):format(conflict.path, conflict.reason)
      vim.list_extend(lines, vim.split(conflict.shown, "\n"))
    end
  end
  if #reasons > 0 then
    vim.notify(table.concat(reasons, "\n"), vim.log.levels.WARN)
  end
  if #lines == 0 then
    return
  end
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, true, lines)
  vim.bo[bufnr].bufhidden = "wipe"
  vim.bo[bufnr].modifiable = false
  vim.keymap.set("n", "q", "<Cmd>close<CR>", { buffer = bufnr, nowait = true })
  -- Who types meanwhile goes on typing where they are.
  local enter = vim.api.nvim_get_mode().mode == "n"
  local height = math.min(#lines, math.floor(vim.o.lines * MOST_OF_SCREEN))
  local options = { split = "below", win = -1, height = height, style = "minimal" }
  local ok, window = pcall(vim.api.nvim_open_win, bufnr, enter, options)
  if ok then
    vim.wo[window][0].winbar = "%#WarningMsg#What clashes; q closes"
  else
    vim.api.nvim_buf_delete(bufnr, { force = true }) -- no room; the message has said why
  end
end

---@param session opal.Session
---@param params table what to take back
---@param done fun(result: opal.SessionUndoResult)
---@param refused? fun(err: lsp.ResponseError): boolean?
local function undo(session, params, done, refused)
  session:request(protocol.methods.session_undo, params, function(result)
    M.show_conflicts(result.conflicts)
    if #result.files == 0 and #result.conflicts == 0 then
      vim.notify("Opal: the files stand so already.")
    end
    done(result)
  end, refused)
end

--- Takes changes back, in a way that `redo` can bring again.
---@param session opal.Session
---@param params table what to take back
---@param done? fun()
---@param refused? fun(err: lsp.ResponseError): boolean? true: nobody has to be told
function M.take_back(session, params, done, refused)
  undo(session, params, function(result)
    if result.turn_id then
      table.insert(session.undos, result.turn_id)
    end
    if done then
      done()
    end
  end, refused)
end

--- Takes back the latest turn that still has something to take back.
---@param session opal.Session
---@param idx integer of the turn to try, in those that changed files
local function undo_turn(session, idx)
  local turn_id = session.edited[idx]
  if not turn_id then
    vim.notify("Opal: no turn has changed files that could be taken back.")
    return
  end
  M.take_back(session, { turn_id = turn_id }, nil, function(err)
    if err.code == protocol.error_codes.nothing_to_do then
      undo_turn(session, idx - 1)
      return true
    end
  end)
end

---@param uri string
---@param name string of a buffer
---@return boolean
local function is_same_file(uri, name)
  local path = vim.uri_to_fname(uri)
  return path == name or (vim.uv.fs_realpath(path) or path) == vim.uv.fs_realpath(name)
end

---@param session opal.Session
---@param name string of a buffer
---@param line integer from 1
local function undo_hunk(session, name, line)
  session:request(protocol.methods.session_changes, {}, function(result)
    for _, file in ipairs(result.files) do
      for _, hunk in ipairs(is_same_file(file.uri, name) and file.hunks or {}) do
        -- Where nothing is left, the line before is named.
        local first, last = hunk.new_start, hunk.new_start + hunk.new_lines - 1
        if (line >= first and line <= last) or (hunk.new_lines == 0 and line == math.max(first, 1)) then
          M.take_back(session, { path = file.uri, hunk_id = hunk.hunk_id })
          return
        end
      end
    end
    vim.notify("Opal has changed nothing at the cursor; :Opal review lists what it has.")
  end)
end

---@param session opal.Session
---@param what? "file"|"hunk"
function M.undo(session, what)
  if what ~= nil and what ~= "file" and what ~= "hunk" then
    local message = "There is no :Opal undo %s; there are :Opal undo, :Opal undo_file, :Opal undo_hunk."
    vim.notify(message:format(what), vim.log.levels.ERROR)
    return
  end
  local name, line = vim.api.nvim_buf_get_name(0), vim.api.nvim_win_get_cursor(0)[1]
  if what and not require("opal.documents").is_file(vim.api.nvim_get_current_buf()) then
    vim.notify("Opal: go to the file first whose changes are to be taken back.", vim.log.levels.ERROR)
    return
  end
  session:when_started(function()
    if what == "file" then
      M.take_back(session, { path = name })
    elseif what == "hunk" then
      undo_hunk(session, name, line)
    else
      undo_turn(session, #session.edited)
    end
  end)
end

---@param session opal.Session
function M.redo(session)
  session:when_started(function()
    -- Taken out before the answer, which may come after the next redo.
    local undo_id = table.remove(session.undos)
    if not undo_id then
      vim.notify("Opal: nothing was taken back here that could be brought again.")
      return
    end
    session.brings = true
    undo(session, { turn_id = undo_id }, function(result)
      if #result.conflicts > 0 then
        table.insert(session.undos, undo_id)
      elseif #result.files == 0 then
        session.brings = false -- there is no event of it
      end
    end, function(err)
      session.brings = false
      if err.code ~= protocol.error_codes.nothing_to_do then
        table.insert(session.undos, undo_id)
      end
    end)
  end)
end

return M
