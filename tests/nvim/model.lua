--- The steps of a model's answer; model.md tells what they do.
local M = {}

---@param path string
---@param edits { [1]: string, [2]: string }[] old and new text
function M.edit(path, edits)
  edits = vim.tbl_map(function(e)
    return { old_text = e[1], new_text = e[2] }
  end, edits)
  return { call = { name = "edit", arguments = { path = path, edits = edits } } }
end

---@param path string
function M.read(path)
  return { call = { name = "read", arguments = { path = path } } }
end

---@param path string
---@param content string
function M.write(path, content)
  return { call = { name = "write", arguments = { path = path, content = content } } }
end

---@param command string
function M.run(command)
  return { call = { name = "shell", arguments = { command = command } } }
end

---@param ... string deltas
function M.say(...)
  return { text = { ... } }
end

---@param ... string deltas
function M.think(...)
  return { thinking = { ... } }
end

return M
