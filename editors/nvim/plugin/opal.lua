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

require("opal.command").map()
