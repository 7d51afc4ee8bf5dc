--- Options, commands and health.
local story = require("story").tell
local model = require("model")
local run, say = model.run, model.say

story("a server that ends at once is told", function(t)
  t:start({}, { cmd = { "sh", "-c", "exit 3" } })
  t:keys(":Opal prompt hello<CR>")
  t:notified("Opal's server is gone (exit code 3)")
  t:expect("no session is left over", t:status(), "")
  t:expect(
    "the prompt is kept",
    t:lua([[
    local prompt = require("opal.prompt").of(vim.fs.normalize(vim.fn.getcwd()))
    return prompt.history
  ]]),
    { "hello" }
  )
end)

story("a server of the project is not run", function(t)
  t:file("opal-here", "#!/bin/sh\ntouch owned\n")
  vim.uv.fs_chmod(t.dir .. "/opal-here", tonumber("755", 8))
  t:start({}, { cmd = { "opal-here" } })
  t:lua("vim.env.PATH = ':.:' .. vim.env.PATH")
  t:keys(":Opal prompt hello<CR>")
  t:notified("Opal's server `opal-here` cannot be run")
  t:expect("the project's program", t:on_disk("owned"), nil)
end)

story("a server that does not come up is started anew", function(t)
  t:start({ { say("Hello.") } }, { cmd = { "sleep", "1000" } })
  t:keys(":Opal prompt hello<CR>")
  t:lua("require('opal').setup({ cmd = ... })", { vim.env.OPAL_TEST_BIN, "lsp", "--stdio" })
  t:keys(":Opal restart<CR>")
  t:eventually("another runs", function()
    return t:status() == "opal: ready"
  end)
  t:turn("hello again", "Hello.")
end)

story("a prompt that a dying server never took is handed back", function(t)
  t:start({}, { cmd = { "sh", "-c", "exit 3" } })
  t:go_to_prompt()
  t:keys("hello<C-s>")
  t:eventually("nothing typed is lost", function()
    return t:written() == "hello"
  end)
  t:keys("<Esc>")
end)

story("a prompt that a server had not answered when it died is handed back", function(t)
  t:start({ { say("Hello.") }, { say("Hello again.") } })
  t:turn("greet me", "Hello.")
  t:stop_server()
  t:go_to_prompt()
  t:keys("again<C-s>")
  t:expect("it is sent", t:written(), "")
  t:kill_server()
  t:eventually("nothing typed is lost", function()
    return t:written() == "again"
  end)
  local told = table.concat(t:lua("return _G.notes"), "\n")
  t:expect("the user is told once", told:find("the server is gone", 1, true), nil)
  t:keys("<C-s>")
  t:shows("> again\n\nHello again.")
  t:expect("it is sent again", t:written(), "")
  t:keys("<Esc>")
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

story("every command does something, and has a mapping", function(t)
  t:start({})
  for _, command in ipairs(t:lua([[return require("opal.protocol").commands]])) do
    local plug = "<Plug>(opal-" .. command.name:gsub("_", "-") .. ")"
    t:expect(plug, t:lua([[return vim.fn.maparg(..., "n")]], plug), "<Cmd>Opal " .. command.name .. "<CR>")
  end
  t:expect(
    "none is missing",
    t:lua([[
      return vim.tbl_filter(function(command)
        return not require("opal.command").action(command.name)
      end, require("opal.protocol").commands)
    ]]),
    {}
  )
  t:keys(":Opal frobnicate<CR>")
  t:notified("There is no :Opal frobnicate; there are prompt, ")
  t:keys(":Opal log<CR>")
  t:expect("the log", t:lua("return vim.fn.bufname()"):match("lsp%.log$"), "lsp.log")
end)

story("no key is mapped where the user wants none", function(t)
  t:file("a.txt", "one\n")
  t:start(
    { { model.read("a.txt"), model.edit("a.txt", { { "one", "two" } }) }, { say("Done.") } },
    { permission_mode = "auto_edit" }
  )
  t:lua("vim.g.opal_no_maps = true")
  t:cmd("edit a.txt")
  t:turn("change it", "Done.")
  local function mapped(mode)
    return t:lua(
      [[return vim.tbl_map(function(map)
        return map.lhs
      end, vim.tbl_filter(function(map)
        return vim.startswith(map.desc or "", "Opal") and not vim.startswith(map.lhs, "<Plug>")
      end, vim.api.nvim_buf_get_keymap(0, ...)))]],
      mode
    )
  end
  t:keys(":Opal review<CR>")
  t:eventually("the list is there", function()
    return t:lua("return vim.bo.buftype") == "quickfix"
  end)
  t:cmd("wincmd t")
  t:expect("under review", mapped("n"), {})
  t:cmd("Opal open")
  t:expect("in the transcript", mapped("n"), {})
  t:go_to_prompt()
  t:expect("in the prompt area", { mapped("n"), mapped("i") }, { {}, {} })
  t:keys("<Esc>")
end)

story("status line and autocommands tell what happens", function(t)
  t:start({ { t:gate("go"), run("touch ran") }, { say("Done.") } })
  t:lua([[
    _G.told = {}
    vim.api.nvim_create_autocmd("User", {
      pattern = "Opal*",
      callback = function(event)
        table.insert(_G.told, { event.match, event.data })
      end,
    })
  ]])
  t:expect("nothing runs", t:lua([[return require("opal").statusline()]]), "")
  t:answer("Deny", "not now")
  t:keys(":Opal prompt run it<CR>")
  t:eventually("it works", function()
    return t:lua([[return require("opal").statusline()]]) == "opal: waiting for the model · env/scripted"
  end)
  t:open_gate("go")
  t:shows("Done.")
  t:idle()
  local told = {}
  for _, event in ipairs(t:lua("return _G.told")) do
    local name, data = event[1], event[2]
    t:expect("the session", type(data.session_id), "string")
    if name == "OpalConfirmEnd" then
      name = name .. " " .. data.action
    elseif name == "OpalTurnStart" then
      name = name .. " " .. data.text
    elseif name == "OpalTurnEnd" then
      name = name .. " " .. data.message
    elseif name == "OpalRunEnd" then
      name = name .. " " .. data.reason
    end
    if name ~= "OpalState" then
      told[#told + 1] = name
    end
  end
  t:expect("what was told", told, {
    "OpalTurnStart run it",
    "OpalConfirm",
    "OpalConfirmEnd deny",
    "OpalTurnEnd Done.",
    "OpalRunEnd completed",
  })
end)

story("an autocommand that fails stops nothing", function(t)
  t:start({ { say("Hello.") } })
  t:lua([[vim.api.nvim_create_autocmd("User", { pattern = "OpalTurnStart", callback = function()
    error("no")
  end })]])
  t:turn("greet", "Hello.")
  t:expect("it was told", t:lua("return vim.v.errmsg"):find(": no", 1, true) ~= nil, true)
  t:lua([[vim.v.errmsg = ""]])
end)
