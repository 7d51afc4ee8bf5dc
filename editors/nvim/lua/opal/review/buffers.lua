--- The buffers under review: the signs in them, and the keys while there are any.
local signs = require("opal.signs")

local M = {}

---@class opal.ReviewBuffers
---@field hunks opal.ReviewHunk[] what is shown
---@field marks table<opal.ReviewHunk, integer> of those that a loaded buffer shows
---@field keys table<integer, string[]> by buffer that was part of it: what is mapped there
---@field group integer of autocommands
local Buffers = {}
Buffers.__index = Buffers

---@param name string unique
---@param changed fun() called when text of theirs may have changed
---@return opal.ReviewBuffers
function M.new(name, changed)
  local group = vim.api.nvim_create_augroup(name, {})
  local self = setmetatable({ hunks = {}, marks = {}, keys = {}, group = group }, Buffers)
  vim.api.nvim_create_autocmd({ "TextChanged", "InsertLeave", "BufReadPost" }, {
    group = group,
    desc = "Opal: the hunks under review may have changed",
    callback = function(event)
      if self.keys[event.buf] then
        if event.event == "BufReadPost" then
          self:draw(self.hunks)
        end
        changed()
      end
    end,
  })
  vim.api.nvim_create_autocmd("BufDelete", {
    group = group,
    desc = "Opal: the keys of the review go with the buffer",
    callback = function(event)
      self.keys[event.buf] = self.keys[event.buf] and {}
    end,
  })
  return self
end

--- Shows these hunks and no others.
---@param hunks opal.ReviewHunk[]
function Buffers:draw(hunks)
  local by_buffer = {} ---@type table<integer, opal.ReviewHunk[]>
  for bufnr in pairs(self.keys) do
    by_buffer[bufnr] = {}
  end
  for _, hunk in ipairs(hunks) do
    local bufnr = vim.uri_to_bufnr(hunk.uri)
    self.keys[bufnr] = self.keys[bufnr] or {}
    by_buffer[bufnr] = by_buffer[bufnr] or {}
    table.insert(by_buffer[bufnr], hunk)
  end
  self.hunks, self.marks = hunks, {}
  for bufnr, of_buffer in pairs(by_buffer) do
    if not vim.api.nvim_buf_is_valid(bufnr) then
      self.keys[bufnr] = nil
    elseif vim.api.nvim_buf_is_loaded(bufnr) then
      for i, mark in ipairs(signs.draw(bufnr, of_buffer)) do
        self.marks[of_buffer[i]] = mark
      end
      self:map(bufnr, #of_buffer > 0)
    end
  end
end

local plugs = {
  ["]c"] = "<Plug>(opal-next-hunk)",
  ["[c"] = "<Plug>(opal-previous-hunk)",
  ["do"] = "<Plug>(opal-reject)",
  ["dp"] = "<Plug>(opal-accept)",
}

--- Maps the keys of the review where nothing else is mapped, or takes the maps away.
---@private
---@param bufnr integer
---@param wanted boolean
function Buffers:map(bufnr, wanted)
  local mapped = self.keys[bufnr]
  if wanted and #mapped == 0 then
    vim.api.nvim_buf_call(bufnr, function()
      for lhs, plug in pairs(vim.g.opal_no_maps and {} or plugs) do
        if vim.fn.hasmapto(plug, "n") == 0 and vim.tbl_isempty(vim.fn.maparg(lhs, "n", false, true)) then
          -- These keys have their own meaning where differences are shown.
          vim.keymap.set("n", lhs, function()
            return vim.wo.diff and lhs or plug
          end, { buffer = bufnr, expr = true, remap = true, desc = "Opal: review" })
          mapped[#mapped + 1] = lhs
        end
      end
    end)
  elseif not wanted then
    for _, lhs in ipairs(mapped) do
      pcall(vim.keymap.del, "n", lhs, { buffer = bufnr })
    end
    self.keys[bufnr] = {}
  end
end

--- Where a hunk is now.
---@param hunk opal.ReviewHunk
---@return integer bufnr, integer first, integer last rows
function Buffers:place(hunk)
  local bufnr = vim.uri_to_bufnr(hunk.uri)
  local mark = self.marks[hunk]
  local first, last
  if mark and vim.api.nvim_buf_is_loaded(bufnr) then
    first, last = signs.rows(bufnr, mark)
  end
  return bufnr, first or hunk.first, last or math.max(hunk.last - 1, hunk.first)
end

--- Follows and shows nothing any more.
function Buffers:clear()
  vim.api.nvim_del_augroup_by_id(self.group)
  self:draw({})
end

return M
