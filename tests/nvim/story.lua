--- The stories that there are.
local M = {}

---@class opal.test.Story
---@field name string
---@field play fun(t: opal.test.Editor)

M.all = {} ---@type opal.test.Story[]

--- Adds a story.
---@param name string
---@param play fun(t: opal.test.Editor)
function M.tell(name, play)
  M.all[#M.all + 1] = { name = name, play = play }
end

return M
