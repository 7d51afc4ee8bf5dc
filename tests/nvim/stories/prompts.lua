--- What is said to the agent, and how it is taken.
local story = require("story").tell
local model = require("model")
local read, say = model.read, model.say

--- What is offered in the menu.
---@param t opal.test.Editor
---@return string[]
local function offered(t)
  return t:lua([[return vim.tbl_map(function(item)
    return item.word
  end, vim.fn.complete_info({ "items", "pum_visible" }).items)]])
end

story("a prompt streams its answer", function(t)
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

story("a selection goes along", function(t)
  t:file("a.txt", "one\nthe 🎉 needle in it\nthree\n")
  t:start({ { say("I see.") } })
  t:cmd("edit a.txt")
  t:keys("2Gfnve:Opal prompt explain<CR>")
  t:shows("> explain\n> (a.txt:2-2)")
  t:shows("I see.")
  t:model_was_told("needle")
end)

story("steering reaches the running turn", function(t)
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

story("a follow-up waits for the answer, and can be withdrawn", function(t)
  t:start({ { t:gate("go"), say("First.") }, { say("Second.") } })
  t:keys(":Opal prompt one<CR>")
  t:shows("> one")
  t:keys(":Opal follow_up two<CR>")
  t:shows("> next (waiting): two")
  t:keys(":Opal follow_up never mind<CR>")
  t:shows("> next (waiting): never mind")
  t:expect("the prompt area says what waits", t:hint(), "waiting: two · never mind (<Up> takes it back)")
  t:go_to_prompt()
  t:keys("<Up>")
  t:eventually("the last is back in the prompt area", function()
    return t:written() == "never mind"
  end)
  t:shows("> next (not sent): never mind")
  t:keys("<Esc>")
  t:open_gate("go")
  t:shows("> two\n\nSecond.")
  t:idle()
  t:expect("nothing of it was sent", t:sent():find("never mind", 1, true), nil)
end)

story("a message that waits is taken back from the transcript", function(t)
  t:start({ { t:gate("go"), say("First.") } })
  t:keys(":Opal prompt one<CR>")
  t:shows("> one")
  t:keys(":Opal steer wait<CR>")
  t:shows("> steer (waiting): wait")
  t:cmd("Opal open")
  t:keys(t:line_of("> steer (waiting): wait") .. "G<CR>")
  t:eventually("it is back in the prompt area", function()
    return t:written() == "wait"
  end)
  t:keys("<Esc>")
  t:open_gate("go")
  t:shows("First.")
  t:idle()
end)

story("the prompt area sends, steers and queues", function(t)
  t:start({
    { say("Working"), t:gate("go") },
    { say("Steered."), t:gate("on") },
    { say("And more.") },
  })
  t:go_to_prompt()
  t:keys("first line<CR>second line<Esc>")
  t:expect("its hint", t:hint(), "<C-s> sends, @ names a file")
  t:keys("<CR>")
  t:shows("> first line\n> second line\n\nWorking")
  t:expect("it is empty", t:written(), "")
  t:expect("its hint while a turn runs", t:hint(), "<C-s> steers, <M-CR> queues")
  t:keys("imore of it<M-CR>")
  t:shows("> next (waiting): more of it")
  t:keys("shorter<C-s>")
  t:shows("> steer (waiting): shorter")
  t:open_gate("go")
  t:open_gate("on")
  t:shows("> more of it\n\nAnd more.")
  t:idle()
  t:model_was_told("shorter")
  t:keys("<Esc>")
end)

story("what was written before comes back in the prompt area", function(t)
  t:start({ { say("First.") }, { say("Second.") } })
  t:turn("one", "First.")
  t:turn("two", "Second.")
  t:go_to_prompt()
  local function after(keys)
    t:keys(keys)
    return t:written()
  end
  t:expect("the last", after("three<C-p>"), "two")
  t:expect("the one before", after("<Up>"), "one")
  t:expect("there is none before", after("<Up>"), "one")
  t:expect("back", after("<Down>"), "two")
  t:expect("to what was being written", after("<C-n>"), "three")
  t:keys("<Esc>")
end)

story("files are offered after @, and go along", function(t)
  t:file("src/total price.txt", "the needle in it\n")
  t:file("other.txt", "nothing\n")
  t:start({ { say("I see.") } })
  local completeopt = t:lua("return vim.o.completeopt")
  t:go_to_prompt()
  t:keys("look at @")
  t:expect("all files", #offered(t), 2)
  t:expect("nothing is put there unasked", t:written(), "look at @")
  t:keys("tot")
  t:expect("what fits", offered(t), { "@src/total\\ price.txt" })
  t:keys("<Tab>")
  t:expect("chosen", t:written(), "look at @src/total\\ price.txt")
  t:keys(", please<C-s>")
  t:shows("> look at @src/total\\ price.txt, please\n> (total price.txt)")
  t:model_was_told("the needle")
  t:expect("no other file", t:sent():find("nothing", 1, true), nil)
  t:keys("<Esc>")
  t:expect("the option is as it was", t:lua("return vim.o.completeopt"), completeopt)
end)

story("selected lines are mentioned in the prompt area", function(t)
  t:file("a.txt", "one\nthe needle\nthree\n")
  t:start({ { say("I see.") } })
  t:cmd("edit a.txt")
  t:keys("2GV:Opal prompt<CR>")
  t:eventually("they are mentioned", function()
    return t:written() == "@a.txt:2-2"
  end)
  t:eventually("the cursor is behind that", function()
    return t:lua([[return vim.api.nvim_get_mode().mode == "i"]])
  end)
  t:keys("explain<C-s>")
  t:shows("> @a.txt:2-2 explain\n> (a.txt:2-2)")
  t:model_was_told("the needle")
  t:keys("<Esc>")
end)

story("what is wrong is offered after @, and goes along", function(t)
  t:file("a.txt", "one\ntwo\nthree\n")
  t:file("b c.txt", "four\n")
  t:start({ { say("I see.") }, { say("All of it.") } })
  t:cmd("edit b\\ c.txt")
  t:cmd("edit a.txt")
  t:lua([[
    local severity = vim.diagnostic.severity
    local namespace = vim.api.nvim_create_namespace("story")
    vim.diagnostic.set(namespace, vim.fn.bufnr("a.txt"), {
      { lnum = 1, col = 0, message = "no such thing", severity = severity.ERROR, source = "fake" },
      { lnum = 0, col = 0, message = "could be shorter", severity = severity.HINT },
    })
    vim.diagnostic.set(namespace, vim.fn.bufnr("b c.txt"), {
      { lnum = 0, col = 0, message = "four?", severity = severity.WARN },
    })
  ]])
  t:go_to_prompt()
  t:keys("@dia")
  t:expect("of the file that is shown, and of all", offered(t), { "@diagnostics:a.txt", "@diagnostics" })
  t:keys("<Tab> please<C-s>")
  t:shows("I see.")
  t:expect(
    "what is said",
    t:transcript():match("^(.-)\n\nI see"),
    "> @diagnostics:a.txt please\n>\n> Problems that the editor shows:\n"
      .. "> - a.txt:2: error: no such thing (fake)\n> (a.txt:2-2)"
  )
  t:model_was_told("two")
  t:idle()
  t:keys("<Up>")
  t:expect("what was typed comes back", t:written(), "@diagnostics:a.txt please")
  t:keys("<Esc>ccand @diagnostics.<C-s>")
  t:shows("> - a.txt:2: error: no such thing (fake)\n> - b c.txt:1: warning: four?\n\nAll of it.")
  t:keys("<Esc>")
end)

story("what was selected last is offered after @", function(t)
  t:file("a.txt", "one\nthe needle\nthree\n")
  t:start({ { say("I see.") } })
  t:cmd("edit a.txt")
  t:keys("2GV<Esc>")
  t:go_to_prompt()
  t:keys("@sel")
  t:expect("it is offered", offered(t), { "@a.txt:2-2" })
  t:keys("<Tab><C-s>")
  t:shows("> @a.txt:2-2\n> (a.txt:2-2)")
  t:model_was_told("the needle")
  t:keys("<Esc>")
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
