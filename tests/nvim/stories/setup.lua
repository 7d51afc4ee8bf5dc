--- Options, commands and health.
local story = require("story").tell
local model = require("model")
local say = model.say

story("a server that ends at once is told", function(t)
  t:start({}, { cmd = { "sh", "-c", "exit 3" } })
  t:keys(":Opal prompt hello<CR>")
  t:notified("Opal's server is gone (exit code 3)")
  t:expect("no session is left over", t:status(), "")
end)

story("options are checked by name, subcommands complete", function(t)
  t:start({})
  local function setup(options)
    return t:lua([[return select(2, pcall(require("opal").setup, ...)) or ""]], options)
  end
  local unknown = setup({ permission = "ask" })
  t:expect("an unknown option", unknown:find("no option `permission`", 1, true) ~= nil, true)
  local wrong = setup({ permission_mode = "yolo" })
  t:expect("a wrong value", wrong:find("ask, auto_edit, full, read_only", 1, true) ~= nil, true)
  local function completed(typed)
    return t:lua([[return vim.fn.getcompletion(..., "cmdline")]], typed)
  end
  t:expect("completion", completed("Opal a"), { "abort", "answer", "accept" })
  t:expect("completion of what may follow", completed("Opal permissions a"), { "ask", "auto_edit" })
  t:expect(
    "nothing is loaded before it is used",
    t:lua([[return package.loaded["opal.session"] == nil]]),
    true
  )
  t:lua([[require("opal").setup({ cmd = { "no-such-opal" } })]])
  t:keys(":Opal prompt hello<CR>")
  t:notified("`no-such-opal` cannot be run")
end)

story("checkhealth tells the versions and the session", function(t)
  t:start({ { say("Hello.") } })
  t:keys(":Opal prompt hi<CR>")
  t:shows("Hello.")
  t:cmd("checkhealth opal")
  local report = t:text()
  for _, part in ipairs({ "Neovim 0.", "opal ", "protocol version 1", "session " }) do
    t:expect("the report has " .. part, report:find(part, 1, true) ~= nil, true)
  end
  t:expect("no failure", report:find("ERROR", 1, true), nil)
end)
