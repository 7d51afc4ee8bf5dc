--- How a conversation is shown.
local story = require("story").tell
local model = require("model")
local edit, read, write, run, say, think =
  model.edit, model.read, model.write, model.run, model.say, model.think

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

story("an error is shown with what can be done", function(t)
  t:start({})
  t:keys(":Opal prompt work<CR>")
  t:shows("✗ ")
  t:shows("the script has no answer left")
  t:shows("Ended by the error above.")
  t:idle()
end)

story("the transcript is highlighted as Markdown, a long one by Vim's own syntax", function(t)
  t:start({ { say("Some *words*.") }, { say(("a line\n"):rep(4000), "The end.") } })
  local function highlighted()
    return t:lua([[
      local bufnr = vim.api.nvim_win_get_buf(vim.api.nvim_tabpage_list_wins(0)[2])
      return { vim.treesitter.highlighter.active[bufnr] ~= nil, vim.bo[bufnr].syntax }
    ]])
  end
  local has_parser = t:lua([[return (pcall(vim.treesitter.get_string_parser, "", "markdown"))]])
  t:turn("talk", "words")
  t:expect("where there is a parser", highlighted(), { has_parser, has_parser and "" or "markdown" })
  t:turn("at length", "The end.")
  t:expect("a long one", highlighted(), { false, "markdown" })
end)

story("one goes from turn to turn, and to the files that were touched", function(t)
  local lines = {}
  for i = 1, 30 do
    lines[i] = "line " .. i
  end
  t:file("a.txt", table.concat(lines, "\n") .. "\n")
  t:file("b.txt", "five\n")
  t:start({
    { read("a.txt") },
    { edit("a.txt", { { "line 20\n", "LINE 20\n" } }) },
    { say("See `b.txt:1`.") },
    { say("Second answer.") },
  }, { permission_mode = "auto_edit" })
  t:turn("first", "See `b.txt:1`.")
  t:turn("second", "Second answer.")
  local function line()
    return t:lua("return vim.api.nvim_get_current_line()")
  end
  t:cmd("Opal open")
  t:keys("G[[")
  t:expect("the last turn", line(), "> second")
  t:keys("[[")
  t:expect("the one before", line(), "> first")
  t:keys("[[]]")
  t:expect("there is none before, and one after", line(), "> second")
  t:keys("?+LINE<CR>gd")
  t:expect("the changed line", { t:lua("return vim.fn.expand('%:t')"), line() }, { "a.txt", "LINE 20" })
  t:expect("in the window of the files", #t:lua("return vim.api.nvim_list_wins()"), 3)
  t:cmd("Opal open")
  t:keys("?✓ read<CR><CR>")
  t:expect("the file of the call", t:lua("return vim.fn.expand('%:t')"), "a.txt")
  t:cmd("Opal open")
  t:keys("?b.txt<CR>gd")
  t:expect("a file that is named", { t:lua("return vim.fn.expand('%:t')"), line() }, { "b.txt", "five" })
  t:cmd("Opal open")
  t:keys("?second$<CR>gd")
  t:notified("there is no file at the cursor")
  t:keys("?✓ read<CR>K")
  t:expect("what the model was told", t:text():find("line 1\n", 1, true) ~= nil, true)
  t:keys("q")
  t:expect("it is closed", line(), "✓ read a.txt")
  t:keys("i")
  t:eventually("the cursor is in the prompt area", function()
    return t:lua([[return vim.bo.filetype]]) == "opal_prompt"
  end)
  t:keys("<Esc>")
end)

story("the prompt area goes with the transcript", function(t)
  t:start({})
  t:cmd("Opal open")
  t:eventually("both are there", function()
    return #t:lua("return vim.api.nvim_list_wins()") == 3
  end)
  t:cmd("close")
  t:eventually("both are gone", function()
    return #t:lua("return vim.api.nvim_list_wins()") == 1
  end)
end)

story("another file in the window of the prompt area stays when the transcript goes", function(t)
  t:file("a.txt", "one\n")
  t:start({})
  t:cmd("Opal open")
  t:eventually("both are there", function()
    return #t:lua("return vim.api.nvim_list_wins()") == 3
  end)
  t:cmd("wincmd j")
  t:cmd("edit a.txt")
  t:cmd("wincmd k")
  t:cmd("close")
  t:expect("two windows", #t:lua("return vim.api.nvim_list_wins()"), 2)
  t:lua("vim.wait(0)")
  t:expect("still", #t:lua("return vim.api.nvim_list_wins()"), 2)
end)

story("a fold does not close over who is reading", function(t)
  t:start({ { think("one\ntwo\nthree"), t:gate("go"), think("\nfour"), say("Hello.") } })
  t:keys(":Opal prompt greet me<CR>")
  t:shows("┊ three")
  t:cmd("Opal open")
  t:keys("4G")
  t:open_gate("go")
  t:shows("Hello.")
  t:idle()
  t:expect("open", t:fold(4)[1], -1)
  t:expect("the cursor", t:lua("return vim.fn.line('.')"), 4)
end)

story("a long diff shows its beginning", function(t)
  local lines = {}
  for i = 1, 100 do
    lines[i] = "line " .. i
  end
  t:start({ { write("long.txt", table.concat(lines, "\n") .. "\n") }, { say("Done.") } }, {
    permission_mode = "auto_edit",
  })
  t:turn("make it", "Done.")
  local first = t:line_of("+line 60")
  t:expect("the rest is folded", t:fold(first), { first, first + 40, "… 41 lines more" })
end)

story("the sign before a call has the colour of its state", function(t)
  t:start(
    { { read("none.txt") }, { t:gate("go"), run("true") }, { say("Done.") } },
    { permission_mode = "full" }
  )
  t:keys(":Opal prompt look<CR>")
  t:shows("✗ read none.txt")
  t:open_gate("go")
  t:shows("✓ shell true")
  t:idle()
  t:expect(
    "the colours",
    t:lua([[
      local bufnr = vim.api.nvim_win_get_buf(vim.api.nvim_tabpage_list_wins(0)[2])
      local namespace = vim.api.nvim_get_namespaces()["opal.state"]
      return vim.tbl_map(function(mark)
        return mark[4].hl_group
      end, vim.api.nvim_buf_get_extmarks(bufnr, namespace, 0, -1, { details = true }))
    ]]),
    { "OpalFailed", "OpalDone" }
  )
end)
