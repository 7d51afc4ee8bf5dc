--- What is said to the agent, and how it is taken.
local story = require("story").tell
local model = require("model")
local read, say = model.read, model.say

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

story("a selection goes along", function(t)
  t:file("a.txt", "one\nthe 🎉 needle in it\nthree\n")
  t:start({ { say("I see.") } })
  t:cmd("edit a.txt")
  t:keys("2Gfnve:Opal prompt explain<CR>")
  t:shows("> explain\n> (a.txt:2-2)")
  t:shows("I see.")
  t:model_was_told("needle")
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
