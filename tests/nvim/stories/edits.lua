--- How edits land in buffers and files.
local story = require("story").tell
local model = require("model")
local edit, read, write, run, say = model.edit, model.read, model.write, model.run, model.say

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

story("an edit lands in an unsaved buffer as one undo step, while the user types", function(t)
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

story("text after the last line leaves no empty line behind it", function(t)
  t:file("a.txt", "one\n")
  t:file("b.txt", "one\r\n")
  t:start({
    { read("a.txt"), read("b.txt") },
    { write("a.txt", "one\ntwo\n"), write("b.txt", "one\r\ntwo\r\n") },
    { say("Done.") },
  }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  t:turn("count", "Done.")
  t:expect("in the editor", t:text(), "one\ntwo")
  t:expect("on disk", t:on_disk("a.txt"), "one\ntwo\n")
  t:expect("of a file that was not open", t:on_disk("b.txt"), "one\r\ntwo\r\n")
end)

story("a CR inside a line is a character, in edits and in what is typed", function(t)
  t:file("a.txt", "a\rb\nc\nd\ne\n")
  t:start({
    { read("a.txt") },
    { edit("a.txt", { { "d", "D" } }) },
    { say("Done.") },
    { edit("a.txt", { { "mine\nD\ne", "all" } }) },
    { say("Followed.") },
  }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  t:turn("shout", "Done.")
  t:expect("after the edit", t:text(), "a\rb\nc\nD\ne")
  t:expect("on disk", t:on_disk("a.txt"), "a\rb\nc\nD\ne\n")
  t:keys("2Gccmine<Esc>")
  t:turn("follow", "Followed.")
  t:expect("what was typed below the CR was followed", t:text(), "a\rb\nall")
end)

story("a clean buffer of a file in Latin-1 is saved after an edit", function(t)
  t:file("a.txt", "caf\233 one\r\n")
  t:start({ { read("a.txt") }, { edit("a.txt", { { "one", "très" } }) }, { say("Done.") } }, {
    permission_mode = "auto_edit",
  })
  t:cmd("edit a.txt")
  t:turn("translate", "Done.")
  t:expect("on disk", t:on_disk("a.txt"), "caf\233 tr\232s\r\n")
  t:expect("nobody is said to have typed", t:results()[2]:find("not saved", 1, true), nil)
end)

story("a buffer that gets its last line end by saving counts as saved", function(t)
  t:file("a.txt", "one")
  t:start({ { read("a.txt") }, { edit("a.txt", { { "one", "ONE" } }) }, { say("Done.") } }, {
    permission_mode = "auto_edit",
  })
  t:cmd("edit a.txt")
  t:turn("shout", "Done.")
  t:expect("on disk", t:on_disk("a.txt"), "ONE\n")
  t:expect("the model hears of no difference", t:results()[2]:find("saved", 1, true), nil)
end)

story("a buffer that holds no text is said to be unknown", function(t)
  t:file("a.txt", "caf\233 one\n")
  t:start({ { read("a.txt") }, { edit("a.txt", { { "one", "two" } }) }, { say("Done.") } }, {
    permission_mode = "auto_edit",
  })
  t:cmd("edit ++enc=utf-8 ++bad=keep a.txt")
  t:turn("change it", "Done.")
  t:model_was_told("is not known")
  t:expect("nothing was changed", t:on_disk("a.txt"), "caf\233 one\n")
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
