--- Going through what was changed, hunk by hunk.
local story = require("story").tell
local model = require("model")
local edit, read, write, say = model.edit, model.read, model.write, model.say

local function numbered(n)
  local lines = {}
  for i = 1, n do
    lines[i] = "line " .. i
  end
  return table.concat(lines, "\n") .. "\n"
end

--- What is under review, as the quickfix list has it.
local function listed(t)
  return t:lua([[return vim.tbl_map(function(item)
    return ("%s:%d: %s"):format(vim.fn.bufname(item.bufnr), item.lnum, item.text)
  end, vim.fn.getqflist())]])
end

---@param t opal.test.Editor
---@param expected string[]
local function lists(t, expected)
  local last
  local ok = pcall(t.eventually, t, "the list", function()
    last = listed(t)
    return vim.deep_equal(last, expected)
  end)
  if not ok then
    t:expect("what is listed", last, expected)
  end
end

--- What the current buffer shows of the review: by line the removed lines above or below it, and the sign.
local function shown(t)
  return t:lua([[
    local namespace = vim.api.nvim_get_namespaces()["opal.review"]
    local lines = {}
    for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })) do
      local row, details = mark[2] + 1, mark[4]
      if details.line_hl_group then
        lines[#lines + 1] = row .. "+" .. vim.fn.getline(row)
      end
      for _, line in ipairs(details.virt_lines or {}) do
        lines[#lines + 1] = row .. (details.virt_lines_above and "-" or "_") .. vim.trim(line[1][1])
      end
    end
    table.sort(lines)
    return lines
  ]])
end

story("changes are reviewed hunk by hunk", function(t)
  t:file("a.txt", numbered(40))
  t:file("b.txt", "five\nsix\n")
  t:start({
    { read("a.txt"), read("b.txt") },
    {
      edit("a.txt", {
        { "line 2\n", "LINE 2\nand a half\n" },
        { "line 20\n", "" },
        { "line 40\n", "LINE 40\n" },
      }),
    },
    { edit("b.txt", { { "six\n", "" } }) },
    { say("Done.") },
  }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  t:turn("shout", "Done.")
  t:keys(":Opal review<CR>")
  lists(t, {
    "a.txt:2: +2 −1  LINE 2",
    "a.txt:21: +0 −1  line 20",
    "a.txt:40: +1 −1  LINE 40",
    "b.txt:2: +0 −1  six",
  })
  t:expect("the list is open", t:lua("return vim.w.quickfix_title"), "Opal: review")
  t:keys("<CR>")
  t:expect("Enter goes to the hunk", { t:lua("return vim.fn.bufname()"), t:lua("return vim.fn.line('.')") }, {
    "a.txt",
    2,
  })
  t:expect("what is shown", shown(t), {
    "2+LINE 2",
    "2-line 2",
    "21-line 20",
    "3+and a half",
    "40+LINE 40",
    "40-line 40",
  })
  t:keys("]c")
  t:expect("the next", t:lua("return vim.fn.line('.')"), 21)
  t:keys("]c]c")
  t:expect("the next of the next file", t:lua("return vim.fn.bufname()"), "b.txt")
  t:expect("what is shown there", shown(t), { "1_six" })
  t:keys("]c")
  t:notified("there is no change to review after this one")
  t:keys("[c[c")
  t:expect("back", { t:lua("return vim.fn.bufname()"), t:lua("return vim.fn.line('.')") }, { "a.txt", 21 })

  t:keys("dp")
  lists(t, { "a.txt:2: +2 −1  LINE 2", "a.txt:40: +1 −1  LINE 40", "b.txt:2: +0 −1  six" })
  t:expect("what is kept is not shown any more", #shown(t), 5)
  t:keys("dp")
  t:notified("nothing at the cursor is to be reviewed")
  t:keys("[c:Opal reject<CR>")
  lists(t, { "a.txt:39: +1 −1  LINE 40", "b.txt:2: +0 −1  six" })
  t:expect(
    "what is rejected is as it was",
    t:lua("return vim.fn.getline(1, 3)"),
    { "line 1", "line 2", "line 3" }
  )
  t:expect("only that", t:lua("return vim.fn.getline(19, '$')")[1], "line 19")
  t:keys("u")
  lists(t, { "a.txt:2: +2 −1  LINE 2", "a.txt:40: +1 −1  LINE 40", "b.txt:2: +0 −1  six" })
  t:expect("u brings it back in one step", t:lua("return vim.fn.getline(2, 3)"), { "LINE 2", "and a half" })
  t:keys(":Opal reject<CR>")
  lists(t, { "a.txt:39: +1 −1  LINE 40", "b.txt:2: +0 −1  six" })
  t:cmd("copen")
  t:keys("2G:Opal reject<CR>")
  t:eventually("what stands in the list can be rejected there", function()
    return t:on_disk("b.txt") == "five\nsix\n"
  end)
  t:keys("1G:Opal accept<CR>")
  t:notified("Opal: everything is reviewed.")
  t:expect("the file", t:on_disk("a.txt"), (numbered(40):gsub("line 20\n", ""):gsub("line 40", "LINE 40")))
  t:cmd("buffer a.txt")
  t:expect("nothing is shown any more", shown(t), {})
  t:expect("the keys are free", t:lua("return vim.tbl_isempty(vim.fn.maparg('dp', 'n', false, true))"), true)
end)

story("a review goes on while the user types and the session works", function(t)
  t:file("a.txt", numbered(40))
  t:start({
    { read("a.txt"), edit("a.txt", { { "line 2\n", "LINE 2\n" }, { "line 20\n", "LINE 20\n" } }) },
    { say("First.") },
    { edit("a.txt", { { "line 40\n", "LINE 40\n" } }) },
    { t:gate("go"), say("Second.") },
  }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  t:turn("first", "First.")
  t:keys(":Opal review<CR>")
  lists(t, { "a.txt:2: +1 −1  LINE 2", "a.txt:20: +1 −1  LINE 20" })
  t:keys("<CR>GOmine<Esc>")
  lists(t, { "a.txt:2: +1 −1  LINE 2", "a.txt:20: +1 −1  LINE 20", "a.txt:40: +1 −0  mine" })
  t:keys("dpggdp")
  lists(t, { "a.txt:20: +1 −1  LINE 20" })
  t:keys("ggOmine<Esc>")
  lists(t, { "a.txt:1: +2 −1  mine", "a.txt:21: +1 −1  LINE 20" })
  t:expect(
    "the signs have moved along",
    shown(t),
    { "1+mine", "21+LINE 20", "21-line 20", "3+LINE 2", "3-line 2" }
  )
  t:keys(":Opal accept<CR>")
  t:keys(":Opal prompt second<CR>")
  lists(t, { "a.txt:21: +1 −1  LINE 20", "a.txt:41: +2 −1  mine" })
  t:keys("]cA and mine")
  t:expect("the mark moves with what is typed", shown(t)[1], "21+LINE 20 and mine")
  t:keys("<Esc>")
  lists(t, { "a.txt:21: +1 −1  LINE 20 and mine", "a.txt:41: +2 −1  mine" })
  t:keys("do")
  t:notified("Opal is still at work. Wait for it")
  lists(t, { "a.txt:21: +1 −1  LINE 20 and mine", "a.txt:41: +2 −1  mine" })
  t:open_gate("go")
  t:shows("Second.")
  t:idle()
  t:keys("do")
  lists(t, { "a.txt:41: +2 −1  mine" })
  t:eventually("what stood there is back", function()
    return t:lua("return vim.fn.getline(21)") == "line 20"
  end)
  t:idle()
  t:keys("]c:Opal accept<CR>")
  t:notified("everything is reviewed")
end)

story("new and removed files are reviewed, open or not", function(t)
  t:file("gone.txt", "one\n")
  t:file("closed.txt", "one\ntwo\n")
  t:start({
    { read("gone.txt"), read("closed.txt") },
    { edit("gone.txt", { { "one", "ONE" } }) },
    { edit("closed.txt", { { "two", "TWO" } }) },
    { write("new.txt", "new\n") },
    { write("empty.txt", "") },
    { say("Done.") },
  }, { permission_mode = "auto_edit" })
  t:turn("shout", "Done.")
  t:lua([[
    vim.cmd("silent! bwipeout! gone.txt closed.txt new.txt empty.txt")
    os.remove("gone.txt")
  ]])
  t:keys(":Opal review<CR>")
  lists(t, {
    "gone.txt:1: −1 (removed)",
    "closed.txt:2: +1 −1  TWO",
    "new.txt:1: +1 −0  new",
    "empty.txt:1: (new, empty)",
  })
  t:keys("gg:Opal reject<CR>")
  t:eventually("what was removed is back", function()
    return t:on_disk("gone.txt") == "one\n"
  end)
  lists(t, { "closed.txt:2: +1 −1  TWO", "new.txt:1: +1 −0  new", "empty.txt:1: (new, empty)" })
  t:idle()
  t:keys("gg:Opal reject<CR>")
  t:eventually("what is not open is put back", function()
    return t:on_disk("closed.txt") == "one\ntwo\n"
  end)
  t:idle()
  t:keys("2G:Opal reject<CR>")
  t:eventually("an empty file goes", function()
    return t:on_disk("empty.txt") == nil
  end)
  t:idle()
  t:keys("gg<CR>")
  t:expect("a new file is new throughout", shown(t), { "1+new" })
  t:keys("do")
  t:notified("everything is reviewed")
  t:expect("it is gone", t:on_disk("new.txt"), nil)
end)

story("a whole file under review is taken back in one step, and what clashes is shown", function(t)
  t:file("a.txt", numbered(40))
  t:file("b.txt", "five\n")
  t:start({
    { read("a.txt"), read("b.txt") },
    { edit("a.txt", { { "line 2\n", "LINE 2\n" }, { "line 40\n", "LINE 40\n" } }) },
    { edit("b.txt", { { "five", "FIVE" } }) },
    { say("Done.") },
  }, { permission_mode = "auto_edit" })
  t:cmd("edit b.txt")
  t:cmd("edit a.txt")
  t:turn("shout", "Done.")
  t:keys("20GOmine<Esc>")
  t:keys(":Opal review<CR>")
  lists(t, {
    "a.txt:2: +1 −1  LINE 2",
    "a.txt:20: +1 −0  mine",
    "a.txt:41: +1 −1  LINE 40",
    "b.txt:1: +1 −1  FIVE",
  })
  t:keys("4G<CR>A and mine<Esc>")
  lists(t, {
    "a.txt:2: +1 −1  LINE 2",
    "a.txt:20: +1 −0  mine",
    "a.txt:41: +1 −1  LINE 40",
    "b.txt:1: +1 −1  FIVE and mine",
  })
  t:keys(":Opal reject all<CR>")
  t:notified("Opal left b.txt as it is: it was changed since")
  t:eventually("what clashes is shown", function()
    return t:text():find("<<<<<<< now, line 1\nFIVE and mine\n", 1, true)
  end)
  t:keys("q")
  lists(t, { "a.txt:20: +1 −0  mine", "b.txt:1: +1 −1  FIVE and mine" })
  t:idle()
  t:expect("the user's text stands", t:text(), "FIVE and mine")
  t:cmd("buffer a.txt")
  t:expect("there as well", t:text(), (numbered(40):gsub("line 20\n", "mine\n%0"):gsub("\n$", "")))
  t:keys("u")
  t:expect(
    "one step for the file",
    t:text(),
    (numbered(40):gsub("line 20\n", "mine\n%0"):gsub("line 2\n", "LINE 2\n"):gsub("line 40\n", "LINE 40"))
  )
  t:keys(":Opal accept all<CR>")
  t:notified("everything is reviewed")
end)

story("a change under review that is not as it was listed is left alone and listed again", function(t)
  t:file("a.txt", "one\n")
  t:start({ { read("a.txt"), edit("a.txt", { { "one", "ONE" } }) }, { say("Done.") } }, {
    permission_mode = "auto_edit",
  })
  t:cmd("edit a.txt")
  t:turn("shout", "Done.")
  t:keys(":Opal review<CR>")
  lists(t, { "a.txt:1: +1 −1  ONE" })
  -- The buffer is not the current one: Neovim tells nobody that it changes.
  t:lua([[vim.api.nvim_buf_set_lines(vim.fn.bufnr("a.txt"), 0, 1, true, { "TWO" })]])
  t:keys(":Opal reject<CR>")
  t:notified("Opal left a.txt as it is: there is no such hunk, or it has changed")
  lists(t, { "a.txt:1: +1 −1  TWO" })
  t:keys("<CR>")
  t:expect("the text stands", t:text(), "TWO")
end)

story("one turn can be reviewed, and alike changes are told apart", function(t)
  local function block(word)
    return word .. "\n" .. ("-\n"):rep(8)
  end
  t:file("a.txt", block("top") .. block("x") .. block("x") .. block("x"))
  t:start({
    { read("a.txt"), edit("a.txt", { { "top", "TOP" } }) },
    { say("First.") },
    {
      {
        call = {
          name = "edit",
          arguments = { path = "a.txt", edits = { { old_text = "x", new_text = "y", replace_all = true } } },
        },
      },
    },
    { say("Second.") },
  }, { permission_mode = "auto_edit" })
  t:cmd("edit a.txt")
  t:turn("first", "First.")
  t:turn("second", "Second.")
  t:keys(":Opal review turn<CR>")
  lists(t, { "a.txt:10: +1 −1  y", "a.txt:19: +1 −1  y", "a.txt:28: +1 −1  y" })
  t:keys("2G<CR>dp[cdo")
  t:eventually("the first is taken back", function()
    return t:lua("return vim.fn.getline(10)") == "x"
  end)
  t:idle()
  lists(t, { "a.txt:19: +1 −1  y", "a.txt:28: +1 −1  y" })
  t:expect("what was accepted is asked again rather than hidden by mistake", #listed(t), 2)
  t:keys(":Opal reject file<CR>")
  t:notified("everything is reviewed")
  t:expect("the other turn's change stands", t:text():gsub("\n.*", ""), "TOP")
  t:expect("this one's do not", t:text():find("y", 1, true), nil)
end)

story("what cannot be reviewed is said", function(t)
  t:start({ { say("Hello.") } })
  t:keys(":Opal review<CR>")
  t:notified("Opal is not running here")
  t:turn("greet", "Hello.")
  t:keys(":Opal review<CR>")
  t:notified("no file differs from what the session found")
  t:keys(":Opal review turn<CR>")
  t:notified("no turn has changed files")
  t:keys(":Opal accept<CR>")
  t:notified(":Opal review begins one")
  t:keys(":Opal review yesterday<CR>")
  t:notified("There is no :Opal review yesterday")
  t:keys(":Opal reject everything<CR>")
  t:notified("There is no :Opal reject everything")
  t:expect("completion", t:lua([[return vim.fn.getcompletion("Opal reject ", "cmdline")]]), { "file", "all" })
end)

story("the keys of a review are there again in a buffer that was deleted and read again", function(t)
  t:file("a.txt", numbered(40))
  t:start({
    { edit("a.txt", { { "line 2\n", "LINE 2\n" } }) },
    { edit("a.txt", { { "line 20\n", "LINE 20\n" } }) },
    { say("Done.") },
  }, { permission_mode = "full" })
  t:cmd("edit a.txt")
  t:turn("shout", "Done.")
  t:keys(":Opal review<CR>")
  lists(t, { "a.txt:2: +1 −1  LINE 2", "a.txt:20: +1 −1  LINE 20" })
  t:keys(":cclose<CR>:bdelete a.txt<CR>:edit a.txt<CR>gg")
  t:keys("]c]c")
  t:expect("the second change", t:lua("return vim.fn.line('.')"), 20)
  t:keys("dp")
  lists(t, { "a.txt:2: +1 −1  LINE 2" })
end)
