--- Going back in a conversation, and on from there.
local protocol = require("opal.protocol")

local M = {}

--- As many entries as there may be on a page.
local PAGE = 1000
local RESTORE, LEAVE = "Put files back as they were there", "Leave files as they are"

--- Reads all pages of the tree.
---@param session opal.Session
---@param done fun(entries: opal.TreeEntry[], leaf?: string)
local function read(session, done)
  local entries = {}
  local function page(cursor)
    session:request(protocol.methods.session_tree, { cursor = cursor, limit = PAGE }, function(result)
      vim.list_extend(entries, result.entries)
      if result.next_cursor then
        page(result.next_cursor)
      else
        done(entries, result.leaf)
      end
    end)
  end
  page(nil)
end

--- What one can go back to: prompts, and the answers that ended a turn.
---@param entries opal.TreeEntry[]
---@param leaf? string
---@return opal.TreeEntry[]
local function offered(entries, leaf)
  local went_on = {} ---@type table<string, true> answers that called tools
  for _, entry in ipairs(entries) do
    if entry.kind == "tool_result" and entry.parent_id then
      went_on[entry.parent_id] = true
    end
  end
  return vim.tbl_filter(function(entry)
    local is_answer = entry.kind == "assistant" and not went_on[entry.entry_id] and entry.entry_id ~= leaf
    return entry.kind == "user" or is_answer
  end, entries)
end

---@param entry opal.TreeEntry
---@return string
local function label(entry)
  local mark = entry.on_branch and "* " or "  "
  return mark .. (entry.kind == "user" and "> " or "  ") .. entry.summary
end

---@param session opal.Session
---@param entry opal.TreeEntry
---@param restore boolean
local function go(session, entry, restore)
  local text = entry.text -- of a prompt, before which the conversation goes on
  local params = { entry_id = entry.entry_id, before = text ~= nil, restore_files = restore }
  session:request(protocol.methods.session_branch, params, function(result)
    session.transcript:show()
    local where = text and "before" or "after"
    local said = { ("Opal went back to %s: %s"):format(where, entry.summary) }
    if #result.restored.files > 0 then
      local files = vim.tbl_map(function(file)
        return file.path
      end, result.restored.files)
      said[#said + 1] = "Files put back: " .. table.concat(files, ", ")
    end
    if text then
      require("opal.prompt").of(session.dir):put(text)
    end
    vim.notify(table.concat(said, "\n"))
    require("opal.changes").show_conflicts(result.restored.conflicts)
  end)
end

--- Asks where to go back to, and whether files go back as well.
---@param session opal.Session
function M.choose(session)
  session:when_started(function()
    read(session, function(entries, leaf)
      local choices = offered(entries, leaf)
      if #choices == 0 then
        vim.notify("Opal: there is nothing to go back to yet.")
        return
      end
      vim.ui.select(choices, {
        prompt = "Opal: go on after an answer, or before a prompt (*: of this branch)",
        format_item = label,
        kind = "opal.branch",
      }, function(entry)
        if not entry then
          return
        end
        vim.ui.select({ RESTORE, LEAVE }, {
          prompt = "Opal: files that were changed since",
          kind = "opal.branch.files",
        }, function(files)
          if files then
            go(session, entry, files == RESTORE)
          end
        end)
      end)
    end)
  end)
end

return M
