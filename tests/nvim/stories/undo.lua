--- What was changed, and taking it back.
local story = require("story").tell
local model = require("model")
local edit, read, write, run, say = model.edit, model.read, model.write, model.run, model.say

story("the last turn is undone", function(t)
  t:file("a.txt", "one\ntwo\nthree\nfour\n")
  t:file("b.txt", "five\n")
  t:start({
    { read("a.txt"), read("b.txt") },
    { edit("a.txt", { { "one", "ONE" } }), edit("b.txt", { { "five", "FIVE" } }) },
    { edit("a.txt", { { "two", "TWO\nand a half" } }) },
    { say("Done.") },
  }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  t:turn("shout", "Done.")
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
  t:turn("first", "First.")
  t:turn("second", "Nothing to do.")
  t:turn("third", "Third.")
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
  t:turn("first", "First.")
  t:turn("second", "Second.")
  t:kill_server()
  t:keys(":Opal resume latest<CR>")
  t:keys(":Opal undo<CR>")
  t:shows("Second.\n\n↶ Changes taken back in a.txt")
  t:idle()
  t:expect("after it", t:text(), "one")
end)

story("a new file that is taken back goes without closing its window", function(t)
  t:file("a.txt", "one\n")
  t:start({ { write("new.txt", "one\ntwo\n") }, { say("Done.") } }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  t:turn("make it", "Done.")
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
  t:turn("shout", "Done.")
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
  t:turn("shout", "Done.")
  local after = t:text()
  t:keys("12G:Opal undo_hunk<CR>")
  t:notified("Opal has changed nothing at the cursor")
  -- The user's own line, which the server has not heard of yet, moves the hunk.
  t:keys("ggOmine<Esc>21G:Opal undo_hunk<CR>")
  t:shows("↶ Changes taken back in a.txt")
  t:idle()
  local first_only = after:gsub("LINE 20", "line 20")
  t:expect("one hunk is gone", t:text(), "mine\n" .. first_only)
  t:keys(":Opal redo<CR>")
  t:shows("↷ Changes brought again in a.txt")
  t:idle()
  t:expect("and back", t:text(), "mine\n" .. after)
  t:keys(":Opal undo_file<CR>")
  t:eventually("the file is as it was", function()
    return t:text() == "mine\n" .. before
  end)
  t:idle()
  t:expect("no other is", t:on_disk("b.txt"), "FIVE\n")
  t:cmd("enew")
  t:keys(":Opal undo_file<CR>")
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
  t:keys(":Opal review<CR>")
  t:notified("Opal is not running here")
  t:turn("greet", "Hello.")
  t:keys(":Opal review<CR>")
  t:notified("no file differs from what the session found")
  t:turn("shout", "Done.")
  t:keys(":Opal review<CR>")
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
    "quickfix Opal: review"
  )
end)
