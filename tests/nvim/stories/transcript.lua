--- How a conversation is shown.
local story = require("story").tell
local model = require("model")
local run, say, think = model.run, model.say, model.think

story("thinking is shown in one line that opens", function(t)
  t:start({ { think("**Weighing it**\n\nOn the one ", "hand"), t:gate("go"), say("Hello.") } })
  t:keys(":Opal prompt greet me<CR>")
  t:shows("> greet me\n\n┊ **Weighing it**\n┊ \n┊ On the one hand")
  t:open_gate("go")
  t:shows("hand\n\nHello.")
  t:idle()
  t:expect("folded", t:fold(3), { 3, 5, "┊ Weighing it (thinking; zo shows 3 lines)" })
  t:cmd("Opal open")
  t:keys("3Gzo")
  t:expect("open", t:fold(3), { -1, -1, "" })
  t:cmd("tabnew | buffer #")
  t:expect("folded in another window", t:fold(3)[1], 3)
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

story("a running command shows the end of its output, and keeps it", function(t)
  local gate = t:gate("go").wait_for
  local command = ("seq 1 30; until [ -e '%s' ]; do sleep 0.02; done; echo over"):format(gate)
  t:start({ { run(command) }, { say("Done.") } }, { permission_mode = "full" })
  t:keys(":Opal prompt count<CR>")
  t:shows("\n```\n…\n19\n")
  t:shows("\n30\n```")
  t:open_gate("go")
  t:shows("30\nover\n```\n\nDone.")
  t:expect("all of it is there", t:transcript():find("```\n1\n2\n3\n", 1, true) ~= nil, true)
  local first = t:line_of("1")
  t:expect("what comes before the end is folded", t:fold(first), { first, first + 18, "… 19 lines before" })
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
