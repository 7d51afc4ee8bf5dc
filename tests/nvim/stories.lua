--- What a user does, and what comes of it.
local stories = {}

---@param name string
---@param play fun(t: opal.test.Editor)
local function story(name, play)
  stories[#stories + 1] = { name = name, play = play }
end

---@param path string
---@param edits { [1]: string, [2]: string }[]
local function edit(path, edits)
  edits = vim.tbl_map(function(e)
    return { old_text = e[1], new_text = e[2] }
  end, edits)
  return { call = { name = "edit", arguments = { path = path, edits = edits } } }
end

local function read(path)
  return { call = { name = "read", arguments = { path = path } } }
end

local function write(path, content)
  return { call = { name = "write", arguments = { path = path, content = content } } }
end

local function run(command)
  return { call = { name = "shell", arguments = { command = command } } }
end

local function say(...)
  return { text = { ... } }
end

local function think(...)
  return { thinking = { ... } }
end

story("a prompt streams its answer into the transcript", function(t)
  t:start({ { say("Hello ", "there"), t:gate("go"), say(",\nfri", "end") } })
  t:keys(":Opal prompt greet me<CR>")
  t:shows("> greet me\n\nHello there")
  t:eventually("the status says what is awaited", function()
    return t:status() == "opal: waiting for the model"
  end)
  t:eventually("so does the bar above the transcript", function()
    return t:lua([[
      local window = vim.api.nvim_tabpage_list_wins(0)[2]
      local bar = vim.api.nvim_eval_statusline(vim.wo[window].winbar, { winid = window, use_winbar = true })
      return bar.str == "opal: waiting for the model"
    ]])
  end)
  t:expect("the user stays in their window", t:lua("return vim.fn.bufname()"), "")
  t:open_gate("go")
  t:shows("Hello there,\nfriend")
  t:idle()
  t:expect("the transcript", t:transcript(), "> greet me\n\nHello there,\nfriend")
  t:expect(
    "it cannot be changed by accident",
    t:lua([[
    vim.cmd("Opal open")
    return { vim.bo.modifiable, vim.bo.filetype, vim.fn.bufname():match("^opal://%w+$") ~= nil }
  ]]),
    { false, "markdown", true }
  )
end)

story("thinking is shown in one line that opens", function(t)
  t:start({ { think("**Weighing it**\n\nOn the one ", "hand"), t:gate("go"), say("Hello.") } })
  t:keys(":Opal prompt greet me<CR>")
  t:shows("> greet me\n\n┊ **Weighing it**\n┊ \n┊ On the one hand")
  t:open_gate("go")
  t:shows("hand\n\nHello.")
  t:idle()
  local function fold()
    return t:lua([[
      local window = vim.api.nvim_tabpage_list_wins(0)[2]
      return vim.api.nvim_win_call(window, function()
        return { vim.fn.foldclosed(3), vim.fn.foldclosedend(3), vim.fn.foldtextresult(3) }
      end)
    ]])
  end
  t:expect("folded", fold(), { 3, 5, "┊ Weighing it (thinking; zo shows 3 lines)" })
  t:cmd("Opal open")
  t:keys("3Gzo")
  t:expect("open", fold(), { -1, -1, "" })
end)

story("an edit lands in an unsaved buffer as one undo step", function(t)
  t:file("a.txt", "one\ntwo\nthree\n")
  t:start({
    { read("a.txt") },
    { edit("a.txt", { { "one", "ONE" }, { "three", "THREE" } }) },
    { say("Done.") },
  }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  t:keys("omine<Esc>")
  t:keys(":Opal prompt shout<CR>")
  t:shows("Done.")
  t:idle()
  t:expect("after the edit", t:text(), "ONE\nmine\ntwo\nTHREE")
  t:model_was_told("mine") -- the buffer as it stood, not the disk
  t:expect("unsaved work is not saved", t:on_disk("a.txt"), "one\ntwo\nthree\n")
  t:expect("still modified", t:lua("return vim.bo.modified"), true)
  t:keys("u")
  t:expect("u takes back the edit and nothing else", t:text(), "one\nmine\ntwo\nthree")
  t:keys("u")
  t:expect("u takes back the user's line", t:text(), "one\ntwo\nthree")
  t:keys("<C-r><C-r>")
  t:expect("both come back", t:text(), "ONE\nmine\ntwo\nTHREE")
  t:shows("✓ edit a.txt\n```diff\n")
  t:shows("-one\n+ONE\n")
end)

story("two edits of a buffer in the background are two undo steps", function(t)
  t:file("a.txt", "one\ntwo\n")
  t:start({
    { read("a.txt") },
    { edit("a.txt", { { "one", "ONE" } }) },
    { edit("a.txt", { { "two", "TWO" } }) },
    { say("Done.") },
  }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  t:cmd("enew")
  t:keys(":Opal prompt shout<CR>")
  t:shows("Done.")
  t:idle()
  t:cmd("buffer a.txt")
  t:expect("after the edits", t:text(), "ONE\nTWO")
  t:keys("u")
  t:expect("the second is taken back", t:text(), "ONE\ntwo")
  t:keys("u")
  t:expect("the first is taken back", t:text(), "one\ntwo")
end)

story("typing goes on through an edit, and each keeps its undo step", function(t)
  t:file("a.txt", "one\ntwo\n")
  t:start({
    { read("a.txt") },
    { t:gate("go"), edit("a.txt", { { "one", "ONE\nand a half" } }) },
    { say("Done.") },
  }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  t:keys(":Opal prompt shout<CR>")
  t:shows("✓ read a.txt")
  t:keys("GA typed")
  t:open_gate("go")
  t:shows("Done.")
  t:keys(" on<Esc>")
  t:expect("both texts stand", t:text(), "ONE\nand a half\ntwo typed on")
  t:keys("u")
  t:expect("what was typed after", t:text(), "ONE\nand a half\ntwo typed")
  t:keys("u")
  t:expect("the edit", t:text(), "one\ntwo typed")
  t:keys("u")
  t:expect("what was typed before", t:text(), "one\ntwo")
end)

story("a clean buffer is saved after an edit, and formatters run", function(t)
  t:file("a.txt", "one\n")
  t:start({ { read("a.txt") }, { edit("a.txt", { { "one", "ONE" } }) }, { say("Done.") } }, {
    permission_mode = "auto_edit",
  })
  t:cmd("edit a.txt")
  t:cmd([[autocmd BufWritePre <buffer> call append("$", "formatted")]])
  t:keys(":Opal prompt shout<CR>")
  t:shows("Done.")
  t:idle()
  t:expect("on disk", t:on_disk("a.txt"), "ONE\nformatted\n")
  t:expect("not modified", t:lua("return vim.bo.modified"), false)
end)

story("a new file in a new folder has exactly the text", function(t)
  t:start({ { write("src/new.txt", "one\ntwo\n") }, { say("Done.") } }, { permission_mode = "auto_edit" })
  t:keys(":Opal prompt make it<CR>")
  t:shows("Done.")
  t:idle()
  t:expect("on disk", t:on_disk("src/new.txt"), "one\ntwo\n")
  t:cmd("edit src/new.txt")
  t:expect("in the editor", t:text(), "one\ntwo")
end)

story("an empty file that is not open gets exactly the text", function(t)
  t:file("a.txt", "")
  t:start({ { read("a.txt") }, { write("a.txt", "one\ntwo\n") }, { say("Done.") } }, {
    permission_mode = "auto_edit",
  })
  t:keys(":Opal prompt fill it<CR>")
  t:shows("Done.")
  t:idle()
  t:expect("on disk", t:on_disk("a.txt"), "one\ntwo\n")
end)

story("a file that is not open is edited through the editor", function(t)
  t:file("a.txt", "one\r\ntwo\r\n")
  t:start({ { read("a.txt") }, { edit("a.txt", { { "two", "TWO" } }) }, { say("Done.") } }, {
    permission_mode = "auto_edit",
  })
  t:keys(":Opal prompt shout<CR>")
  t:shows("Done.")
  t:idle()
  t:expect("on disk, with its line ends", t:on_disk("a.txt"), "one\r\nTWO\r\n")
  t:cmd("buffer a.txt")
  t:keys("u")
  t:expect("undo works", t:text(), "one\ntwo")
end)

story("a file with an odd name and CRLF is edited in the buffer it has", function(t)
  local name = "app/[id] é%20.txt"
  t:file(name, "one\r\ntwo 🎉 tail")
  t:start({
    { read(name) },
    { edit(name, { { "tail", "TAIL" } }) },
    { read(name) },
    { say("Done.") },
  }, { permission_mode = "auto_edit" })
  t:lua("vim.cmd.edit(vim.fn.fnameescape(...))", name)
  t:keys("ggOmine<Esc>")
  t:keys(":Opal prompt shout<CR>")
  t:shows("Done.")
  t:expect("after the edit", t:text(), "mine\none\ntwo 🎉 TAIL")
  t:expect("in one buffer", t:lua("return #vim.fn.getbufinfo({ buflisted = 1 })"), 1)
  t:keys(":write<CR>")
  t:expect("on disk, with Vim's own last line end", t:on_disk(name), "mine\r\none\r\ntwo 🎉 TAIL\r\n")
end)

story("a file with lost work in a swap file is left alone, and the user is told", function(t)
  t:file("a.txt", "one\n")
  t:start({ { read("a.txt") }, { edit("a.txt", { { "one", "ONE" } }) }, { say("Done.") } }, {
    permission_mode = "auto_edit",
  })
  t:lua([[
    vim.o.updatecount = 200
    local crashed = vim.system({
      vim.v.progpath, "--headless", "-u", "NONE", "-i", "NONE", "a.txt",
      "+call setline(1, 'lost')", "+preserve", "+call system('kill -9 ' .. getpid())",
    }):wait()
    assert(crashed.signal == 9, vim.inspect(crashed))
  ]])
  t:keys(":Opal prompt shout<CR>")
  t:shows("Done.")
  t:expect("on disk", t:on_disk("a.txt"), "one\n")
  t:model_was_told("never saved")
  t:notified("a.txt was not changed: a swap file holds work that was never saved")
end)

story("a file that another Neovim has open is edited all the same", function(t)
  t:file("a.txt", "one\n")
  t:start({ { read("a.txt") }, { edit("a.txt", { { "one", "ONE" } }) }, { say("Done.") } }, {
    permission_mode = "auto_edit",
  })
  t:lua([[
    vim.o.updatecount = 200
    local other = vim.system({
      vim.v.progpath, "--headless", "-u", "NONE", "-i", "NONE", "a.txt", "+call setline(1, 'mine')", "+preserve",
    })
    _G.other = other
    assert(vim.wait(5000, function()
      return #vim.fn.glob(vim.fn.stdpath("state") .. "/swap/*", true, true) > 0
    end))
  ]])
  t:keys(":Opal prompt shout<CR>")
  t:shows("Done.")
  t:expect("on disk", t:on_disk("a.txt"), "ONE\n")
  t:lua("_G.other:kill(9)")
end)

story("an allowed change is made", function(t)
  t:file("a.txt", "one\n")
  t:start({ { read("a.txt") }, { edit("a.txt", { { "one", "ONE" } }) }, { say("Done.") } })
  t:answer("Allow")
  t:cmd("edit a.txt")
  t:keys(":Opal prompt shout<CR>")
  t:shows("Done.")
  t:idle()
  t:expect("after the edit", t:text(), "ONE")
  local asked = t:asked()
  t:expect("asked once", #asked, 1)
  t:expect("what may be answered", { asked[1].labels[1], asked[1].labels[2] }, { "Allow", "Deny" })
  t:expect("the change was seen before", asked[1].shown:find("+ONE", 1, true) ~= nil, true)
  t:expect("the preview is closed", #t:lua("return vim.api.nvim_list_wins()"), 2)
  t:shows("✓ edit a.txt · allowed\n```diff\n@@")
end)

story("a change too long for the screen can be read before it is allowed", function(t)
  local lines = {}
  for i = 1, 100 do
    lines[i] = "line " .. i
  end
  local text = table.concat(lines, "\n") .. "\n"
  t:start({ { write("long.txt", text) }, { say("Done.") } })
  t:answer("Show all of it first")
  t:keys(":Opal prompt make it<CR>")
  t:eventually("all of it is there", function()
    return t:text():find("+line 100", 1, true)
  end)
  t:shows("▸ write long.txt · waiting for your answer")
  t:answer("Allow")
  t:keys("Gq")
  t:shows("Done.")
  t:expect("on disk", t:on_disk("long.txt"), text)
  t:expect("its tab page is closed", #t:lua("return vim.api.nvim_list_tabpages()"), 1)
  t:expect("the preview is closed", #t:lua("return vim.api.nvim_list_wins()"), 2)
end)

story("a denied change is not made, and the word reaches the model", function(t)
  t:file("a.txt", "one\n")
  t:start({ { read("a.txt") }, { edit("a.txt", { { "one", "ONE" } }) }, { say("I see.") } })
  t:answer("Deny", "never shout")
  t:cmd("edit a.txt")
  t:keys(":Opal prompt shout<CR>")
  t:shows("I see.")
  t:expect("untouched", t:text(), "one")
  t:model_was_told("never shout")
  t:shows("✗ edit a.txt · denied: never shout")
end)

story("choosing nothing denies", function(t)
  t:start({ { run("touch ran") }, { say("I see.") } })
  t:answer(nil)
  t:keys(":Opal prompt run it<CR>")
  t:shows("I see.")
  t:expect("it did not run", t:on_disk("ran"), nil)
  t:expect("the command was seen before", t:asked()[1].shown:find("touch ran", 1, true) ~= nil, true)
  t:expect("no word is asked for", #t:asked(), 1)
end)

story("Neovim's own dialog works, by keys", function(t)
  t:start({ { run("touch ran") }, { say("Done.") } })
  t:keys(":Opal prompt run it<CR>")
  t:eventually("the dialog is open", function()
    return t:in_dialog()
  end)
  t:press("1<CR>")
  t:shows("Done.")
  t:expect("it ran", t:on_disk("ran"), "")
end)

story("a question that needs no answer any more is closed, and a late choice changes nothing", function(t)
  t:start({ { run("touch ran") }, { say("Here again.") } })
  t:lua([[vim.ui.select = function(items, _, on_choice)
    _G.choose_late = function() on_choice(items[1], 1) end
  end]])
  t:keys(":Opal prompt run it<CR>")
  t:eventually("the question is asked", function()
    return t:lua("return _G.choose_late ~= nil")
  end)
  t:keys(":Opal abort<CR>")
  t:shows("Stopped.")
  t:expect("the preview is closed", #t:lua("return vim.api.nvim_list_wins()"), 2)
  t:shows("no answer needed")
  t:lua("_G.choose_late()")
  t:keys(":Opal prompt again<CR>")
  t:shows("Here again.")
  t:expect("it did not run", t:on_disk("ran"), nil)
end)

story("Neovim's own dialog closes as well when it needs no answer any more", function(t)
  if vim.fn.has("nvim-0.11") == 0 then
    return -- there it lets nothing else happen until the user closes it
  end
  t:start({ { run("touch ran") }, { say("Here again.") } })
  t:lua([[
    local select = vim.ui.select
    vim.ui.select = function(...)
      vim.defer_fn(require("opal").abort, 200)
      return select(...)
    end
  ]])
  t:keys(":Opal prompt run it<CR>")
  t:eventually("the dialog is open", function()
    return t:in_dialog()
  end)
  t:eventually("the dialog is closed", function()
    return not t:in_dialog()
  end)
  t:shows("Stopped.")
  t:expect("it did not run", t:on_disk("ran"), nil)
end)

story("a question waits until the user has stopped typing", function(t)
  t:start({
    { t:gate("go"), run("touch ran") },
    { say("Done.") },
  })
  t:answer("Allow")
  t:keys(":Opal prompt run it<CR>")
  t:shows("> run it")
  t:keys("ihello")
  t:open_gate("go")
  t:notified("back in Normal mode")
  t:keys("1<CR>world")
  t:expect("not asked yet", #t:asked(), 0)
  t:keys("<Esc>")
  t:shows("Done.")
  t:expect("the keys went into the text", t:text(), "hello1\nworld")
end)

story("a question of the model is answered by typing", function(t)
  local question = { name = "ask_user", arguments = { question = "Which colour?" } }
  t:start({ { { call = question } }, { say("Good.") } })
  t:answer(nil, "ultramarine")
  t:keys(":Opal prompt paint<CR>")
  t:shows("Good.")
  t:model_was_told("ultramarine")
  t:shows("**? Which colour?**: ultramarine")
end)

story("a question with choices is answered by choosing", function(t)
  local question = { name = "ask_user", arguments = { question = "Which?", choices = { "red", "blue" } } }
  t:start({ { { call = question } }, { say("Good.") } })
  t:answer("blue")
  t:keys(":Opal prompt paint<CR>")
  t:shows("**? Which?**: blue")
  t:shows("Good.")
  t:expect("another text may be given", t:asked()[1].labels, { "red", "blue", "Something else …" })
end)

story("a prompt while it works is refused, and steering reaches the model", function(t)
  t:file("a.txt", "one\n")
  t:start({ { t:gate("go"), read("a.txt") }, { say("Understood.") } })
  t:keys(":Opal prompt look<CR>")
  t:shows("> look")
  t:keys(":Opal prompt another<CR>")
  t:notified(":Opal steer")
  t:keys(":Opal steer mind the gap<CR>")
  t:shows("> steer (waiting): mind the gap")
  t:open_gate("go")
  t:shows("Understood.")
  t:model_was_told("mind the gap")
  t:shows("> steer: mind the gap")
end)

story("a follow-up comes after the answer", function(t)
  t:start({ { t:gate("go"), say("First.") }, { say("Second.") } })
  t:keys(":Opal prompt one<CR>")
  t:shows("> one")
  t:keys(":Opal follow_up two<CR>")
  t:shows("> next (waiting): two")
  t:open_gate("go")
  t:shows("> two\n\nSecond.")
  t:idle()
end)

story("abort stops a silent model and hands back what was queued", function(t)
  t:start({ { say("Thinking"), { hang = true } }, { say("Here again.") } })
  t:keys(":Opal prompt wait<CR>")
  t:shows("Thinking")
  t:keys(":Opal follow_up later<CR>")
  t:shows("(waiting): later")
  t:keys(":Opal abort<CR>")
  t:shows("Stopped.")
  t:shows("> next (not sent): later")
  t:idle()
  t:keys(":Opal prompt again<CR>")
  t:shows("Here again.")
end)

story("when the server dies the user is told, and the next prompt works", function(t)
  t:start({ { say("Hello.") }, { say("Hello.") } })
  t:keys(":Opal prompt one<CR>")
  t:shows("Hello.")
  t:idle()
  local nvim = t:lua("return vim.fn.getpid()")
  for _, child in ipairs(vim.api.nvim_get_proc_children(nvim)) do
    vim.uv.kill(child, "sigkill")
  end
  t:notified("Opal's server is gone (signal 9)")
  t:shows("Opal's server is gone")
  t:keys(":Opal prompt two<CR>")
  t:shows("> two\n\nHello.")
  t:expect("its transcript took over the window", #t:lua("return vim.api.nvim_list_wins()"), 2)
end)

story("a conversation goes on after its server was killed", function(t)
  t:start({ { say("Hello.") }, { say("Hello again.") } })
  t:keys(":Opal prompt one<CR>")
  t:shows("Hello.")
  t:idle()
  local nvim = t:lua("return vim.fn.getpid()")
  for _, child in ipairs(vim.api.nvim_get_proc_children(nvim)) do
    vim.uv.kill(child, "sigkill")
  end
  t:notified("Opal's server is gone (signal 9)")
  t:keys(":Opal resume<CR>")
  t:shows("> one\n\nHello.")
  t:keys(":Opal prompt two<CR>")
  t:shows("> one\n\nHello.\n\n> two\n\nHello again.")
  t:idle()
end)

story("the transcript follows its end only for a cursor that is there", function(t)
  t:start({ { say("a\nb\nc\n"), t:gate("go"), say("d\ne\nf") } })
  t:keys(":Opal prompt count<CR>")
  t:shows("a\nb\nc")
  t:cmd("Opal open")
  t:keys("gg")
  t:cmd("split")
  t:keys("G")
  local function rows()
    return t:lua([[return vim.tbl_map(function(window)
      return vim.api.nvim_win_get_cursor(window)[1]
    end, vim.fn.win_findbuf(vim.fn.bufnr()))]])
  end
  t:open_gate("go")
  t:shows("d\ne\nf")
  t:idle()
  local cursors = rows()
  table.sort(cursors)
  t:expect("one stays, one follows", cursors, { 1, 8 })
end)

story("typing while an answer streams keeps the cursor and the text", function(t)
  t:file("a.txt", "one\n")
  local deltas = {}
  for i = 1, 200 do
    deltas[i] = i % 10 == 0 and i .. "\n" or i .. " "
  end
  t:start({ { t:gate("go"), say(unpack(deltas)) } })
  t:cmd("edit a.txt")
  t:keys(":Opal prompt count<CR>")
  t:shows("> count")
  t:keys("A")
  t:open_gate("go")
  for i = 1, 50 do
    t:keys(" " .. i)
  end
  t:shows("199 200")
  t:keys("<Esc>")
  t:expect("what was typed", t:text(), "one " .. vim.fn.join(vim.fn.range(1, 50), " "))
  t:expect("the cursor", t:lua("return vim.api.nvim_win_get_cursor(0)[1]"), 1)
end)

story("an answer that breaks off is taken back and told again", function(t)
  t:start({
    { think("What to say"), say("Half an ans"), { fail = true } },
    { think("Say it all"), say("A whole answer.") },
  })
  t:keys(":Opal prompt tell<CR>")
  t:shows("┊ Say it all\n\nA whole answer.")
  t:idle()
  t:expect("the half is gone", t:transcript():find("Half an ans", 1, true), nil)
  t:expect("what led to it too", t:transcript():find("What to say", 1, true), nil)
  t:shows("↻")
end)

story("a selection goes along", function(t)
  t:file("a.txt", "one\nthe 🎉 needle in it\nthree\n")
  t:start({ { say("I see.") } })
  t:cmd("edit a.txt")
  t:keys("2Gfnve:Opal prompt explain<CR>")
  t:shows("> explain\n> (a.txt:2-2)")
  t:shows("I see.")
  t:model_was_told("needle")
end)

story("buffers opened later, renamed or given a name are read as they stand", function(t)
  t:start({ { read("late.txt") }, { read("named.txt") }, { read("renamed.txt") }, { say("Done.") } })
  t:cmd("Opal open")
  t:eventually("the session has started", function()
    return t:status() == "opal: idle"
  end)
  t:cmd("new late.txt")
  t:keys("iopened late<Esc>")
  t:cmd("new")
  t:keys("ifirst without a name<Esc>")
  t:cmd("file named.txt")
  t:cmd("new old.txt")
  t:keys("irenamed since<Esc>")
  t:cmd("file renamed.txt")
  t:keys(":Opal prompt read<CR>")
  t:shows("Done.")
  t:model_was_told("opened late")
  t:model_was_told("first without a name")
  t:model_was_told("renamed since")
end)

story("a file changed on disk behind an edit is not overwritten, and nothing blocks", function(t)
  t:file("a.txt", "one\n")
  t:start({ { read("a.txt") }, { edit("a.txt", { { "one", "ONE" } }) }, { say("Done.") } }, {
    permission_mode = "auto_edit",
  })
  t:cmd("edit a.txt")
  -- Between the edit and its saving.
  t:lua([[
    local apply = require("opal.documents").apply
    require("opal.documents").apply = function(...)
      local result = apply(...)
      vim.fn.writefile({ "someone else, at length" }, "a.txt")
      return result
    end
  ]])
  t:keys(":Opal prompt shout<CR>")
  t:shows("Done.")
  t:expect("the other's text stands", t:on_disk("a.txt"), "someone else, at length\n")
  t:notified("changed on disk meanwhile")
end)

story("a buffer is read again when a command changed its file", function(t)
  t:file("a.txt", "one\n")
  local command = "printf 'changed by it\\n' > a.txt"
  t:start({ { run(command) }, { say("Done.") } }, {
    permission_mode = "full",
  })
  t:cmd("edit a.txt")
  t:keys(":Opal prompt run<CR>")
  t:shows("Done.")
  t:eventually("the buffer shows it", function()
    return t:text() == "changed by it"
  end)
end)

story("a running command shows the end of its output, and keeps it", function(t)
  local gate = t:gate("go").wait_for
  local command = ("seq 1 30; until [ -e '%s' ]; do sleep 0.02; done; echo over"):format(gate)
  t:start({ { run(command) }, { say("Done.") } }, { permission_mode = "full" })
  t:keys(":Opal prompt count<CR>")
  t:shows("\n```\n…\n19\n")
  t:shows("\n30\n```")
  t:open_gate("go")
  t:shows("\n```\n… 19 lines before\n20\n")
  t:shows("30\nover\n```\n\nDone.")
  t:expect("once", select(2, t:transcript():gsub("30\n", "")), 1)
end)

story("the outputs of two running commands stay apart", function(t)
  local gate = t:gate("go").wait_for
  local function wait_and_say(word)
    return run(("echo %s; until [ -e '%s' ]; do sleep 0.02; done; echo %s again"):format(word, gate, word))
  end
  t:start({ { wait_and_say("one"), wait_and_say("two") }, { say("Done.") } }, { permission_mode = "full" })
  t:keys(":Opal prompt count<CR>")
  -- The line above is cut where the scratch folder's name makes it too long.
  t:shows("\n```\none\n```\n\n▸")
  t:shows("\n```\ntwo\n```")
  t:open_gate("go")
  t:shows("\n```\none\none again\n```\n\n✓")
  t:shows("\n```\ntwo\ntwo again\n```\n\nDone.")
end)

story("an edit is told where the transcript is not to be seen, and lights up where it is", function(t)
  t:file("a.txt", "one\ntwo\n")
  t:start({
    { read("a.txt") },
    { t:gate("go"), edit("a.txt", { { "two", "TWO\nand a half" } }) },
    { say("Done.") },
  }, { permission_mode = "auto_edit" })
  t:keys(":Opal prompt shout<CR>")
  t:shows("> shout")
  t:cmd("tabedit a.txt")
  t:open_gate("go")
  t:notified("Opal edited a.txt (+2 −1)")
  local lit = [[
    local namespace = vim.api.nvim_get_namespaces()["opal.edits"]
    return vim.tbl_map(function(mark) return mark[2] end, vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, {}))
  ]]
  t:expect("the new lines", t:lua(lit), { 1, 2 })
  t:eventually("the light is off", function()
    return #t:lua(lit) == 0
  end)
end)

story("a transcript deleted by the user comes back with what is new", function(t)
  t:start({ { say("First."), t:gate("go"), say(" Second.") } })
  t:keys(":Opal prompt tell<CR>")
  t:shows("First.")
  t:cmd("Opal open")
  t:cmd("bdelete")
  t:open_gate("go")
  t:shows("First. Second.") -- the end of an answer brings all of it
  t:idle()
end)

--- Asks for something and waits until it is done.
---@param t opal.test.Editor
---@param prompt string
---@param answer string
local function turn(t, prompt, answer)
  t:keys(":Opal prompt " .. prompt .. "<CR>")
  t:shows(answer)
  t:idle()
end

story("a turn is taken back as one undo step in each buffer, and what was typed since stays", function(t)
  t:file("a.txt", "one\ntwo\nthree\nfour\n")
  t:file("b.txt", "five\n")
  t:start({
    { read("a.txt"), read("b.txt") },
    { edit("a.txt", { { "one", "ONE" } }), edit("b.txt", { { "five", "FIVE" } }) },
    { edit("a.txt", { { "two", "TWO\nand a half" } }) },
    { say("Done.") },
  }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  turn(t, "shout", "Done.")
  t:keys("Gomine<Esc>")
  t:keys(":Opal undo<CR>")
  t:shows("↶ Changes taken back in a.txt, b.txt")
  t:idle()
  t:expect("after it", t:text(), "one\ntwo\nthree\nfour\nmine")
  t:keys("u")
  t:expect("u brings the agent's text back", t:text(), "ONE\nTWO\nand a half\nthree\nfour\nmine")
  t:keys("u")
  t:expect("then the user's own line goes", t:text(), "ONE\nTWO\nand a half\nthree\nfour")
  t:cmd("edit! b.txt")
  t:expect("the other file", t:text(), "five")
  t:keys("u")
  t:expect("it has its own undo step", t:text(), "FIVE")
end)

story("undo goes from turn to turn, and redo back again", function(t)
  t:file("a.txt", "one\n")
  t:start({
    { read("a.txt"), edit("a.txt", { { "one", "two" } }) },
    { say("First.") },
    { say("Nothing to do.") },
    { edit("a.txt", { { "two", "three" } }) },
    { say("Third.") },
  }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  turn(t, "first", "First.")
  turn(t, "second", "Nothing to do.")
  turn(t, "third", "Third.")
  local function becomes(command, text)
    t:keys(":Opal " .. command .. "<CR>")
    t:eventually(command .. " gives " .. text, function()
      return t:text() == text
    end)
    t:idle()
  end
  becomes("undo", "two")
  becomes("undo", "one")
  t:keys(":Opal undo<CR>")
  t:notified("no turn has changed files that could be taken back")
  becomes("redo", "two")
  t:shows("↷ Changes brought again in a.txt")
  becomes("redo", "three")
  t:keys(":Opal redo<CR>")
  t:notified("nothing was taken back here")
  becomes("undo", "two")
end)

story("a turn can be taken back in a conversation that was resumed", function(t)
  t:file("a.txt", "one\n")
  t:start({
    { read("a.txt"), edit("a.txt", { { "one", "two" } }) },
    { say("First.") },
    { say("Second.") },
  }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  turn(t, "first", "First.")
  turn(t, "second", "Second.")
  local nvim = t:lua("return vim.fn.getpid()")
  for _, child in ipairs(vim.api.nvim_get_proc_children(nvim)) do
    vim.uv.kill(child, "sigkill")
  end
  t:notified("Opal's server is gone (signal 9)")
  t:keys(":Opal resume<CR>")
  t:keys(":Opal undo<CR>")
  t:shows("Second.\n\n↶ Changes taken back in a.txt")
  t:idle()
  t:expect("after it", t:text(), "one")
end)

story("a new file that is taken back goes without closing its window", function(t)
  t:file("a.txt", "one\n")
  t:start({ { write("new.txt", "one\ntwo\n") }, { say("Done.") } }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  turn(t, "make it", "Done.")
  t:cmd("edit new.txt")
  t:keys(":Opal undo<CR>")
  t:shows("↶ Changes taken back in new.txt")
  t:idle()
  t:expect("on disk", t:on_disk("new.txt"), nil)
  t:expect("what was shown before is shown", t:text(), "one")
  t:expect("in its window", #t:lua("return vim.api.nvim_list_wins()"), 2)
  t:keys(":Opal redo<CR>")
  t:shows("↷ Changes brought again in new.txt")
  t:idle()
  t:expect("on disk again", t:on_disk("new.txt"), "one\ntwo\n")
  -- The user types between the server's look at the file and its removal.
  t:cmd("edit new.txt")
  t:lua([[
    local apply = require("opal.documents").apply
    require("opal.documents").apply = function(...)
      vim.api.nvim_buf_set_lines(0, -1, -1, true, { "mine" })
      return apply(...)
    end
  ]])
  t:keys(":Opal undo<CR>")
  t:notified("Opal left new.txt as it is")
  t:expect("what was typed stands", t:text(), "one\ntwo\nmine")
end)

story("what clashes with the user's own text is shown, and nothing is overwritten", function(t)
  t:file("a.txt", "one\ntwo\n")
  t:start({ { read("a.txt"), edit("a.txt", { { "one", "ONE" } }) }, { say("Done.") } }, {
    permission_mode = "auto_edit",
  })
  t:cmd("edit a.txt")
  turn(t, "shout", "Done.")
  t:keys("ggA and mine<Esc>")
  t:keys(":Opal undo<CR>")
  t:notified("Opal left a.txt as it is: it was changed since")
  t:shows("✗ Left as they are: a.txt")
  t:eventually("what clashes is shown", function()
    return t:text():find("<<<<<<< now, line 1\nONE and mine\n", 1, true)
  end)
  t:keys("q")
  t:expect("the user's text stands", t:text(), "ONE and mine\ntwo")
  t:expect("q closed it", #t:lua("return vim.api.nvim_list_wins()"), 2)
end)

story("the file of the buffer is taken back alone, and the hunk under the cursor", function(t)
  local lines = {}
  for i = 1, 30 do
    lines[i] = "line " .. i
  end
  local before = table.concat(lines, "\n")
  t:file("a.txt", before .. "\n")
  t:file("b.txt", "five\n")
  t:start({
    { read("a.txt"), read("b.txt") },
    {
      edit("a.txt", { { "line 2\n", "LINE 2\n" }, { "line 20\n", "LINE 20\n" } }),
      edit("b.txt", { { "five", "FIVE" } }),
    },
    { say("Done.") },
  }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  turn(t, "shout", "Done.")
  local after = t:text()
  t:keys("12G:Opal undo hunk<CR>")
  t:notified("Opal has changed nothing at the cursor")
  -- The user's own line, which the server has not heard of yet, moves the hunk.
  t:keys("ggOmine<Esc>21G:Opal undo hunk<CR>")
  t:shows("↶ Changes taken back in a.txt")
  t:idle()
  local first_only = after:gsub("LINE 20", "line 20")
  t:expect("one hunk is gone", t:text(), "mine\n" .. first_only)
  t:keys(":Opal redo<CR>")
  t:shows("↷ Changes brought again in a.txt")
  t:idle()
  t:expect("and back", t:text(), "mine\n" .. after)
  t:keys(":Opal undo file<CR>")
  t:eventually("the file is as it was", function()
    return t:text() == "mine\n" .. before
  end)
  t:idle()
  t:expect("no other is", t:on_disk("b.txt"), "FIVE\n")
  t:cmd("enew")
  t:keys(":Opal undo file<CR>")
  t:notified("go to the file first")
end)

story("what was changed stands in the quickfix list", function(t)
  local lines = {}
  for i = 1, 30 do
    lines[i] = "line " .. i
  end
  t:file("a.txt", table.concat(lines, "\n") .. "\n")
  t:start({
    { say("Hello.") },
    { read("a.txt") },
    { edit("a.txt", { { "line 2\n", "LINE 2\nand a half\n" }, { "line 20\n", "" } }) },
    { write("new.txt", "new\n"), run("true") },
    { say("Done.") },
  }, { permission_mode = "full" })
  t:keys(":Opal changes<CR>")
  t:notified("Opal is not running here")
  turn(t, "greet", "Hello.")
  t:keys(":Opal changes<CR>")
  t:notified("no file differs from what the session found")
  turn(t, "shout", "Done.")
  t:keys(":Opal changes<CR>")
  t:notified("1 turn ran commands, which may have changed more")
  t:expect(
    "the list",
    t:lua([[return vim.tbl_map(function(item)
      return ("%s:%d: %s"):format(vim.fn.bufname(item.bufnr), item.lnum, item.text)
    end, vim.fn.getqflist())]]),
    {
      "a.txt:2: +2 −1  LINE 2",
      "a.txt:21: +0 −1  line 20",
      "new.txt:1: +1 −0  new",
    }
  )
  t:expect(
    "its window",
    t:lua("return vim.bo.buftype .. ' ' .. vim.w.quickfix_title"),
    "quickfix Opal: changes"
  )
end)

story("compaction is one line", function(t)
  local long = ("0123456789 "):rep(10000)
  t:start({
    { say("First.") },
    { say(long, "second") },
    { t:gate("go"), say("## Goal\nTo talk.") },
    { say("Third.") },
  })
  turn(t, "one", "First.")
  t:keys(":Opal compact<CR>")
  t:shows("First.\n\n✗ not compacted: there is nothing older")
  t:idle()
  turn(t, "two", "second")
  t:keys(":Opal compact<CR>")
  t:shows("second\n\n▸ compacting…")
  t:eventually("the status says so", function()
    return t:status() == "opal: compacting the conversation"
  end)
  t:keys(":Opal compact<CR>")
  t:notified("Opal is still at work. Wait for it, or stop it with :Opal abort.")
  t:open_gate("go")
  t:eventually("the line says what came of it", function()
    return t:transcript():match("second\n\n✓ compacted: [%d.k]+ → [%d.k]+ tokens$")
  end)
  t:idle()
  turn(t, "three", "Third.")
  t:model_was_told("To talk.")
end)

story("what came of a compaction is told in tokens", function(t)
  t:start({ { say("Hello.") } })
  turn(t, "greet", "Hello.")
  -- The scripted model always counts the same few tokens, so these are told as the server would.
  local function check(used, ending, expected)
    t:lua(
      [[
        local session = require("opal.session").find()
        for _, event in ipairs({ ... }) do
          event.session_id, event.seq = session.id, session.seq + 1
          session:on_event(event)
        end
      ]],
      { type = "compaction_start", reason = "threshold", used = used },
      vim.tbl_extend("error", ending, { type = "compaction_end" })
    )
    t:expect("the line", t:transcript():match("[^\n]*$"), expected)
  end
  check(91200, { used = 12400, summary = "## Goal" }, "✓ compacted: 91k → 12k tokens")
  check(
    9140,
    { used = 950, summary = "## Goal", fallback = true },
    "✓ compacted: 9.1k → 950 tokens (no model could be asked for the summary)"
  )
  check(31010, { used = 21900 }, "✓ compacted: 31k → 22k tokens (only old tool output left out)")
  check(31010, { used = 31010, error = "aborted by the user" }, "✗ not compacted: aborted by the user")
end)

story("going back before a prompt brings files, transcript and prompt back", function(t)
  t:file("a.txt", "one\n")
  t:start({
    { read("a.txt"), edit("a.txt", { { "one", "two" } }) },
    { say("First answer.") },
    { edit("a.txt", { { "two", "three" } }) },
    { say("Second answer.") },
    { say("Other answer.") },
  }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  turn(t, "first", "First answer.")
  t:lua([[require("opal").prompt("second\nin two lines")]])
  t:shows("Second answer.")
  t:idle()
  local first = t:transcript():match("^(.*First answer%.)")
  t:answer({ "* > second", "Put files back" })
  t:keys(":Opal branch<CR>")
  t:notified("Opal went back to before: second\nFiles put back: a.txt")
  t:eventually("the transcript ends there", function()
    return t:transcript():match("✓ edit.*First answer%.$")
  end)
  t:idle()
  t:expect("it begins as before", t:transcript():match("^> first\n") ~= nil and first ~= nil, true)
  t:expect("the file", t:text(), "two")
  t:expect("what could be chosen", t:asked()[1].labels, {
    "* > first",
    "*   First answer.",
    "* > second",
  })
  t:keys(":<Up> please<CR>")
  t:shows("First answer.\n\n> second\n> in two lines please\n\nOther answer.")
  t:idle()

  t:answer({ "    Second answer.", "Put files back" })
  t:keys(":Opal branch<CR>")
  t:notified("Opal went back to after: Second answer.")
  t:eventually("the transcript is that of the other branch", function()
    return t:transcript():match("> in two lines\n.*Second answer%.$")
  end)
  t:idle()
  t:expect("the other branch's text", t:text(), "three")
  t:keys(":Opal undo<CR>")
  t:eventually("its last turn is taken back", function()
    return t:text() == "two"
  end)
end)

story("files may stay as they are when a conversation goes back", function(t)
  t:file("a.txt", "one\n")
  t:start({
    { say("First answer.") },
    { read("a.txt"), edit("a.txt", { { "one", "two" } }) },
    { say("Second answer.") },
    { say("Other answer.") },
  }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  t:keys(":Opal branch<CR>")
  t:notified("Opal is not running here")
  turn(t, "first", "First answer.")
  turn(t, "second", "Second answer.")
  t:answer({ "*   First answer.", "Leave files" })
  t:keys(":Opal branch<CR>")
  t:eventually("the transcript ends there", function()
    return t:transcript() == "> first\n\nFirst answer."
  end)
  turn(t, "other", "Other answer.")
  t:expect("the file", t:text(), "two")
  t:model_was_told("have not been put back")
  t:answer(nil)
  t:keys(":Opal branch<CR>")
  t:eventually("it asked", function()
    return #t:asked() == 1
  end)
  t:expect("choosing nothing changes nothing", t:transcript():match("Other answer%.$") ~= nil, true)
end)

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
  t:expect("completion", t:lua([[return vim.fn.getcompletion("Opal a", "cmdline")]]), { "abort" })
  t:expect(
    "completion of what to undo",
    t:lua([[return vim.fn.getcompletion("Opal undo ", "cmdline")]]),
    { "file", "hunk" }
  )
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

return stories
