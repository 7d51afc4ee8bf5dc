--- Buffers: which of them the server sees, how its edits land in them, when they are saved.
local M = {}

---@param bufnr integer
---@return boolean
function M.has_path(bufnr)
  local name = vim.api.nvim_buf_get_name(bufnr)
  -- `oil://`, `fugitive://`: not files. One letter is a Windows drive.
  return vim.bo[bufnr].buftype == "" and name ~= "" and not name:match("^%a[%w+.-]+://")
end

---@param bufnr integer
---@return boolean
function M.is_file(bufnr)
  return vim.api.nvim_buf_is_loaded(bufnr) and M.has_path(bufnr)
end

--- Tells the user that a selection can only be shown from a file.
function M.want_name()
  vim.notify("Opal: a selection needs a buffer with a file name; save it first.", vim.log.levels.ERROR)
end

--- Attaches the client to every file buffer there is and will be, wherever the file lies.
---@param client vim.lsp.Client
---@return fun() stop
function M.follow(client)
  local function attach(bufnr)
    if M.is_file(bufnr) and not vim.lsp.buf_is_attached(bufnr, client.id) then
      vim.lsp.buf_attach_client(bufnr, client.id)
    end
  end
  vim.iter(vim.api.nvim_list_bufs()):each(attach)

  local group = vim.api.nvim_create_augroup("opal.documents." .. client.id, {})
  -- BufWritePost: an unnamed buffer got its name by being written.
  vim.api.nvim_create_autocmd({ "BufReadPost", "BufNewFile", "BufFilePost", "BufWritePost" }, {
    group = group,
    desc = "Opal: show this buffer to the server",
    callback = function(event)
      attach(event.buf)
    end,
  })
  -- Closed under the old name while it still has it; BufFilePost opens it under the new one.
  vim.api.nvim_create_autocmd("BufFilePre", {
    group = group,
    desc = "Opal: this buffer gets another name",
    callback = function(event)
      if vim.lsp.buf_is_attached(event.buf, client.id) then
        vim.lsp.buf_detach_client(event.buf, client.id)
      end
    end,
  })
  return function()
    vim.api.nvim_del_augroup_by_id(group)
  end
end

--- Sends what was typed and is still held back (Neovim waits up to 150 ms for more).
---@param client vim.lsp.Client
function M.flush(client)
  -- Not a public module: without it the server only hears of the change a moment later.
  pcall(function()
    require("vim.lsp._changetracking").flush(client)
  end)
end

--- Ends the undo step of a buffer: what comes is another one.
---@param bufnr integer
local function break_undo(bufnr)
  -- Setting 'undolevels' does so, to the same value as well.
  vim.bo[bufnr].undolevels = vim.bo[bufnr].undolevels
end

--- A new file is one empty line to Neovim, and text put before that line leaves the empty line behind.
---@param change lsp.TextDocumentEdit
local function fit_new_file(change)
  local edit = change.edits[1]
  if #change.edits == 1 and edit.range["end"].line == 0 and edit.range["end"].character == 0 then
    edit.newText = edit.newText:gsub("\r?\n$", "")
  end
end

--- Neovim 0.10 leaves an empty line behind text that is put after the last line.
---@param change lsp.TextDocumentEdit
---@param bufnr integer
local function fit_end(change, bufnr)
  local n_lines = vim.api.nvim_buf_line_count(bufnr)
  for _, edit in ipairs(change.edits) do
    if edit.range.start.line >= n_lines then
      edit.newText = edit.newText:gsub("\r?\n$", "")
    end
  end
end

---@param uri string
---@return boolean
local function is_empty_on_disk(uri)
  local stat = vim.uv.fs_stat(vim.uri_to_fname(uri))
  return not stat or stat.size == 0
end

--- The swap files that others have, or left behind, for a file. Not by swapfilelist(): where 'directory' ends
--- in two slashes it lists names that do not exist.
---@param path string
---@return table[] infos as swapinfo() returns them
local function swap_files(path)
  local infos = {}
  path = vim.uv.fs_realpath(path) or path
  for _, dir in ipairs(vim.opt.directory:get()) do
    dir = dir:gsub("^~", vim.uv.os_homedir() or "~")
    local prefix
    if dir == "." then
      prefix = vim.fs.dirname(path) .. "/." .. vim.fs.basename(path)
    elseif dir:match("[/\\][/\\]$") then
      prefix = dir:gsub("[/\\]+$", "/") .. path:gsub("[/\\:]", "%%")
    else
      prefix = dir:gsub("[/\\]*$", "/") .. vim.fs.basename(path)
    end
    for _, suffix in ipairs({ ".swp", ".swo", ".swn" }) do
      local info = vim.fn.swapinfo(prefix .. suffix)
      if not info.error and vim.fn.fnamemodify(info.fname, ":p") == path then
        infos[#infos + 1] = info
      end
    end
  end
  return infos
end

--- Loads a file for an edit. Where another Neovim has a swap file of it this one would stop to say so, and
--- there would be no edit: then it gets none of its own. Work that a crash left in one is for the user to decide.
---@param bufnr integer
---@return string? objection
function M.load(bufnr)
  local path = vim.api.nvim_buf_get_name(bufnr)
  local swaps = swap_files(path)
  for _, swap in ipairs(swaps) do
    -- A process that still runs looks after its own work.
    if swap.dirty == 1 and swap.pid <= 0 then
      local message =
        "Opal: %s was not changed: a swap file holds work that was never saved. Open it to decide."
      vim.notify(message:format(vim.fn.fnamemodify(path, ":~:.")), vim.log.levels.WARN)
      return "a swap file holds work that was never saved; the user has to open the file and recover or delete that"
    end
  end
  local command = (#swaps > 0 and "noswapfile " or "") .. ("call bufload(%d)"):format(bufnr)
  local ok, message = pcall(vim.cmd --[[@as function]], command)
  -- An error in an autocommand of the user's is no reason to stop.
  if not ok and not vim.api.nvim_buf_is_loaded(bufnr) then
    return "the file could not be opened: " .. tostring(message)
  end
end

--- Why a change of a document cannot be made; nil if it can. Neovim itself drops an outdated edit and
--- says that it was applied.
---@param document { uri: string, version: integer? }
---@return string?
local function objection(document)
  local bufnr = vim.uri_to_bufnr(document.uri)
  local loaded = vim.api.nvim_buf_is_loaded(bufnr)
  if document.version then
    if not loaded then
      return "the document is not open any more"
    elseif (vim.lsp.util.buf_versions[bufnr] or 0) > document.version then
      return "the document changed meanwhile"
    end
  end
  local reason = not loaded and M.load(bufnr) or nil
  if not reason and not vim.bo[bufnr].modifiable then
    reason = "the buffer is not modifiable"
  end
  return reason
end

--- Shows another buffer in the windows of one whose file is removed: Neovim would close them.
---@param bufnr integer
local function leave(bufnr)
  for _, window in ipairs(vim.fn.win_findbuf(bufnr)) do
    vim.api.nvim_win_call(window, function()
      local other = vim.fn.bufnr("#")
      vim.cmd(vim.fn.buflisted(other) == 1 and other ~= bufnr and "buffer " .. other or "enew")
    end)
  end
end

--- Answers `workspace/applyEdit` as Neovim does, but each edit is one undo step of its own and a
--- refusal is told to the server.
---@param params lsp.ApplyWorkspaceEditParams
---@param ctx lsp.HandlerContext
---@return lsp.ApplyWorkspaceEditResult
function M.apply(params, ctx)
  local client = assert(vim.lsp.get_client_by_id(ctx.client_id))
  local uris = {} ---@type table<string, true>
  local created = {} ---@type table<string, true>
  local removed = {} ---@type integer[]
  for uri, edits in pairs(params.edit.changes or {}) do
    local reason = objection({ uri = uri })
    if reason then
      return { applied = false, failureReason = reason }
    end
    if is_empty_on_disk(uri) then
      fit_new_file({ edits = edits })
    end
    fit_end({ edits = edits }, vim.uri_to_bufnr(uri))
    uris[uri] = true
  end
  for _, change in ipairs(params.edit.documentChanges or {}) do
    local document = change.textDocument
    if change.kind == "create" then
      created[change.uri] = true
    elseif change.kind == "delete" then
      local bufnr = vim.uri_to_bufnr(change.uri)
      -- Neovim itself would throw away what was typed since the server looked.
      if vim.bo[bufnr].modified then
        M.flush(client)
        return { applied = false, failureReason = "the buffer has unsaved work" }
      end
      removed[#removed + 1] = bufnr
    elseif document then
      local reason = not created[document.uri] and objection(document)
      if reason then
        M.flush(client)
        return { applied = false, failureReason = reason }
      end
      if created[document.uri] or (not document.version and is_empty_on_disk(document.uri)) then
        fit_new_file(change)
      elseif not created[document.uri] then
        fit_end(change, vim.uri_to_bufnr(document.uri))
      end
      -- Checked above, and Neovim's own check fails on null.
      document.version = 0
      uris[document.uri] = true
    end
  end

  for uri in pairs(uris) do
    local bufnr = vim.uri_to_bufnr(uri)
    if vim.api.nvim_buf_is_loaded(bufnr) then
      break_undo(bufnr)
    end
  end
  vim.iter(removed):each(leave)
  params.label = nil -- Neovim would print it over the user's command line
  local result = vim.lsp.handlers["workspace/applyEdit"](nil, params, ctx)
  for uri in pairs(created) do
    M.load(vim.uri_to_bufnr(uri)) -- without text for it Neovim makes the file and no more
  end
  for uri in pairs(uris) do
    local bufnr = vim.uri_to_bufnr(uri)
    require("opal.tools").edited(bufnr)
    local mode = vim.api.nvim_get_mode()
    if bufnr == vim.api.nvim_get_current_buf() and mode.mode == "i" and not mode.blocking then
      -- The user is typing here: i_CTRL-G_u makes what follows a step of its own.
      vim.api.nvim_feedkeys(vim.keycode("<C-g>u"), "ni", false)
    end
  end
  M.flush(client)
  return result
end

--- Whether the file changed on disk behind the buffer. Writing would then ask "really write?".
---@param bufnr integer
---@return boolean
local function changed_on_disk(bufnr)
  local changed = false
  local autocmd = vim.api.nvim_create_autocmd("FileChangedShell", {
    buffer = bufnr,
    callback = function()
      changed = vim.v.fcs_reason == "conflict" or vim.v.fcs_reason == "changed"
      vim.v.fcs_choice = ""
    end,
  })
  vim.cmd.checktime(bufnr)
  pcall(vim.api.nvim_del_autocmd, autocmd)
  return changed
end

---@param bufnr integer
local function write(bufnr)
  if not vim.api.nvim_buf_is_loaded(bufnr) then
    error("it is not open", 0)
  elseif vim.bo[bufnr].modified and changed_on_disk(bufnr) then
    error("it changed on disk meanwhile", 0)
  end
  vim.api.nvim_buf_call(bufnr, function()
    vim.cmd("silent write ++p")
  end)
end

--- Answers `client/save_documents`. The user's autocommands run, a formatter among them.
---@param params opal.SaveDocumentsParams
---@param ctx lsp.HandlerContext
---@return opal.SaveDocumentsResult
function M.save(params, ctx)
  local saved = {}
  for _, uri in ipairs(params.uris) do
    local bufnr = vim.uri_to_bufnr(uri)
    local ok, reason = pcall(write, bufnr)
    if ok then
      saved[#saved + 1] = uri
    else
      local name = vim.api.nvim_buf_get_name(bufnr)
      vim.notify(("Opal: %s was not saved: %s"):format(name, reason), vim.log.levels.WARN)
    end
  end
  M.flush(assert(vim.lsp.get_client_by_id(ctx.client_id)))
  return { saved = saved }
end

--- Reads again what a command changed on disk, where that loses nothing and asks nothing.
function M.refresh()
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if M.is_file(bufnr) and not vim.bo[bufnr].modified and vim.go.autoread then
      vim.cmd("silent! checktime " .. bufnr)
    end
  end
end

local highlights = vim.api.nvim_create_namespace("opal.edits")
--- For how long a change is highlighted.
local SHOWN_MS = 1500

--- Highlights for a moment what an edit changed, where its buffer is visible. The cursor stays where it is.
---@param uri string
---@param diff string unified
---@return integer added, integer removed lines
function M.show_edit(uri, diff)
  local bufnr = vim.uri_to_bufnr(uri)
  local is_visible = #vim.fn.win_findbuf(bufnr) > 0
  local added, removed = 0, 0
  require("opal.hunks").walk(diff, function(kind, row)
    if kind == "-" then
      removed = removed + 1
    elseif kind == "+" then
      added = added + 1
      if is_visible and row < vim.api.nvim_buf_line_count(bufnr) then
        vim.api.nvim_buf_set_extmark(bufnr, highlights, row, 0, { line_hl_group = "DiffAdd" })
      end
    end
  end)
  if is_visible then
    vim.defer_fn(function()
      if vim.api.nvim_buf_is_valid(bufnr) then
        vim.api.nvim_buf_clear_namespace(bufnr, highlights, 0, -1)
      end
    end, SHOWN_MS)
  end
  return added, removed
end

--- The wire's form of a selection.
---@param selection opal.Selection
---@param encoding string
---@return opal.Attachment
function M.attachment(selection, encoding)
  local bufnr = selection.bufnr
  local range
  if selection.first_col then
    local function position(line, col)
      local character = vim.lsp.util.character_offset(bufnr, line - 1, col, encoding)
      return { line = line - 1, character = character }
    end
    range = {
      start = position(selection.first, selection.first_col),
      ["end"] = position(selection.last, selection.last_col),
    }
  else
    range = {
      start = { line = selection.first - 1, character = 0 },
      ["end"] = { line = selection.last, character = 0 },
    }
  end
  return { type = "selection", uri = vim.uri_from_bufnr(bufnr), range = range }
end

return M
