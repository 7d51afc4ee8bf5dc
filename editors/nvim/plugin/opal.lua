if vim.g.loaded_opal or vim.fn.has("nvim-0.10") == 0 then
  return
end
vim.g.loaded_opal = true

vim.api.nvim_create_user_command("Opal", function(args)
  require("opal.command").run(args)
end, {
  nargs = "*",
  range = true,
  desc = "Opal, the coding agent",
  complete = function(...)
    return require("opal.command").complete(...)
  end,
})

local function map(name, call)
  vim.keymap.set("n", "<Plug>(" .. name .. ")", function()
    require("opal")[call]()
  end, { desc = "Opal: " .. name })
end
map("opal-accept", "accept")
map("opal-reject", "reject")
map("opal-next-hunk", "next_hunk")
map("opal-previous-hunk", "previous_hunk")
