--- What the model learns from the language servers of the editor.
local story = require("story").tell
local model = require("model")
local edit, read, say = model.edit, model.read, model.say

local function call(name, arguments)
  return { call = { name = name, arguments = arguments } }
end

local function place(path, line, symbol, more)
  return vim.tbl_extend("error", { path = path, line = line, symbol = symbol }, more or {})
end

story("the model finds definitions, uses and symbols, in files that are not open too", function(t)
  t:file("a.txt", "-- 🎉 def greet\n")
  t:file("b.txt", "🎉 greet and greet\n")
  t:start({
    {
      call("definition", place("b.txt", 1, "greet")),
      call("references", place("b.txt", 1, "greet", { occurrence = 2 })),
    },
    { call("symbols", { path = "a.txt" }), call("symbols", { query = "greet" }) },
    { say("Done.") },
  })
  t:cmd("edit a.txt")
  -- Two of them know the same, and count otherwise.
  t:language_servers({ encoding = "utf-16" }, { name = "other", encoding = "utf-8" })
  t:turn("look", "Done.")
  t:expect("what was found", t:results(), {
    "1 line in 1 file\na.txt:1: -- 🎉 def greet",
    "2 lines in 2 files\na.txt:1: -- 🎉 def greet\nb.txt:1: 🎉 greet and greet",
    "a.txt:1: file file\na.txt:1: function greet in file",
    "a.txt:1: function greet",
  })
end)

for _, encoding in ipairs({ "utf-8", "utf-16", "utf-32" }) do
  story(
    "a name is changed by a language server that counts in " .. encoding .. ", confirmed and undone",
    function(t)
      t:file("a.txt", "-- 🎉 def greet\n")
      t:file("b.txt", "🎉 greet and greet\n")
      t:start({
        { call("rename", place("b.txt", 1, "greet", { occurrence = 2, new_name = "welcome" })) },
        { say("Done.") },
      })
      t:cmd("edit b.txt")
      t:cmd("edit a.txt")
      t:language_servers({ encoding = encoding })
      t:lua([[
      vim.api.nvim_buf_call(vim.fn.bufnr("b.txt"), function()
        vim.lsp.buf_attach_client(0, vim.lsp.get_clients({ name = "fake" })[1].id)
      end)
    ]])
      t:keys("omine<Esc>")
      t:answer("Allow")
      t:turn("rename", "Done.")
      t:expect("asked once", #t:asked(), 1)
      local asked = t:asked()[1]
      t:expect("what for", asked.prompt, "Opal: Rename greet to welcome in 2 files (+2 −2)")
      t:expect("with the diff", asked.shown:find("+🎉 welcome and welcome", 1, true) ~= nil, true)
      t:expect("the one buffer", t:text(), "-- 🎉 def welcome\nmine")
      t:expect("the other file", t:on_disk("b.txt"), "🎉 welcome and welcome\n")
      t:keys(":Opal undo<CR>")
      t:shows("↶ Changes taken back in")
      t:idle()
      t:expect("it is taken back", t:text(), "-- 🎉 def greet\nmine")
      t:expect("there as well", t:on_disk("b.txt"), "🎉 greet and greet\n")
    end
  )
end

story("what is wrong is told of the text after an edit, not before it", function(t)
  t:file("a.txt", "good\n")
  t:file("closed.txt", "one\nBAD luck\n")
  t:start({
    { call("diagnostics", { paths = { "a.txt", "closed.txt" } }), read("a.txt") },
    { edit("a.txt", { { "good", "🎉 BAD idea" } }) },
    { call("diagnostics", { paths = { "a.txt" } }) },
    { edit("a.txt", { { "BAD idea", "good" } }) },
    { call("diagnostics", vim.empty_dict()) },
    { say("Done.") },
  }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  t:language_servers({ delay_ms = 200 })
  t:turn("look", "Done.")
  local results = t:results()
  t:expect("before", results[1], "closed.txt:2: error (fake): BAD luck")
  t:expect("after the first edit", results[4], "a.txt:1: error (fake): BAD idea")
  t:expect("after the second", results[6], "closed.txt:2: error (fake): BAD luck")
end)

story("a language server that says that it is at work is waited for", function(t)
  t:file("a.txt", "good\n")
  t:start({
    { read("a.txt") },
    { edit("a.txt", { { "good", "BAD" } }) },
    { call("diagnostics", { paths = { "a.txt" } }) },
    { say("Done.") },
  }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  t:language_servers({ works_ms = 800 })
  t:turn("look", "Done.")
  t:expect("what it found in the end", t:results()[3], "a.txt:1: error (fake): BAD")
end)

story("what the editor cannot know is said", function(t)
  t:file("a.txt", "good\n")
  t:file("b.txt", "good\n")
  t:start({
    { call("definition", place("a.txt", 1, "good")), call("diagnostics", { paths = { "a.txt" } }) },
    { call("symbols", { query = "good" }) },
    { t:gate("go"), call("rename", place("b.txt", 1, "good", { new_name = "better" })) },
    { say("Done.") },
  })
  t:cmd("edit a.txt")
  t:keys(":Opal prompt look<CR>")
  t:shows("✗ symbols")
  t:language_servers({ capabilities = { definitionProvider = true } }, { name = "odd", creates = true })
  t:open_gate("go")
  t:shows("Done.")
  t:idle()
  t:expect("what was told", t:results(), {
    "the editor says: no language server of a.txt can tell that",
    "nothing is wrong, as far as the editor knows\n[the editor knows nothing of a.txt]",
    "the editor says: no language server knows the symbols of the workspace",
    "the editor says: odd would also create, move or delete files; only text can be changed here",
  })
end)
