--- Where a conversation stands: after its server died, on another branch, made shorter.
local story = require("story").tell
local model = require("model")
local edit, read, say = model.edit, model.read, model.say

story("when the server dies the user is told, and the next prompt works", function(t)
  t:start({ { say("Hello.") }, { say("Hello.") } })
  t:keys(":Opal prompt one<CR>")
  t:shows("Hello.")
  t:idle()
  t:kill_server()
  t:shows("Opal's server is gone")
  t:keys(":Opal prompt two<CR>")
  t:shows("> two\n\nHello.")
  t:expect("its transcript took over the window", #t:lua("return vim.api.nvim_list_wins()"), 2)
end)

story("a session is not left while it starts with a prompt", function(t)
  t:start({ { say("Hello.") } })
  t:lua([[require("opal").prompt("greet me") require("opal").new()]])
  t:notified("Opal is at work here.")
  t:shows("> greet me\n\nHello.")
end)

story("a conversation goes on after its server was killed", function(t)
  t:start({ { say("Hello.") }, { say("Hello again.") } })
  t:keys(":Opal prompt one<CR>")
  t:shows("Hello.")
  t:idle()
  t:kill_server()
  t:keys(":Opal resume latest<CR>")
  t:shows("> one\n\nHello.")
  t:keys(":Opal prompt two<CR>")
  t:shows("> one\n\nHello.\n\n> two\n\nHello again.")
  t:idle()
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
  t:turn("first", "First answer.")
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
  t:expect("what could be chosen", t:asked()[1].labels, {
    "* > first",
    "*   First answer.",
    "* > second",
  })
  t:eventually("the prompt is there to be changed", function()
    return t:written() == "second\nin two lines" and t:lua("return vim.api.nvim_get_mode().mode") == "i"
  end)
  t:keys(" please<C-s><Esc>")
  t:cmd("wincmd t")
  t:expect("the file", t:text(), "two")
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
  t:turn("first", "First answer.")
  t:turn("second", "Second answer.")
  t:answer({ "*   First answer.", "Leave files" })
  t:keys(":Opal branch<CR>")
  t:eventually("the transcript ends there", function()
    return t:transcript() == "> first\n\nFirst answer."
  end)
  t:turn("other", "Other answer.")
  t:expect("the file", t:text(), "two")
  t:model_was_told("have not been put back")
  t:answer(nil)
  t:keys(":Opal branch<CR>")
  t:eventually("it asked", function()
    return #t:asked() == 1
  end)
  t:expect("choosing nothing changes nothing", t:transcript():match("Other answer%.$") ~= nil, true)
end)

story("compaction is one line", function(t)
  local long = ("0123456789 "):rep(10000)
  t:start({
    { say("First.") },
    { say(long, "second") },
    { t:gate("go"), say("## Goal\nTo talk.") },
    { say("Third.") },
  })
  t:turn("one", "First.")
  t:keys(":Opal compact<CR>")
  t:shows("First.\n\n✗ not compacted: there is nothing older")
  t:idle()
  t:turn("two", "second")
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
  t:turn("three", "Third.")
  t:model_was_told("To talk.")
end)

story("what came of a compaction is told in tokens", function(t)
  t:start({ { say("Hello.") } })
  t:turn("greet", "Hello.")
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
