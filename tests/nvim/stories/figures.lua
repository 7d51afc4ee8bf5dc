--- Long conversations and long answers, measured.
local story = require("story").tell
local say = require("model").say

local MESSAGES = 5000
local DELTAS = 20000

--- A stored session, as `opal sessions import` reads it.
---@param t opal.test.Editor
---@return string
local function stored(t)
  local lines = {
    {
      session = {
        version = 1,
        id = "bigbigbigbigbig2",
        working_dir = t.dir,
        model = "env/scripted",
        created_at_ms = 1,
        updated_at_ms = 2,
        leaf = MESSAGES,
        settings = { json = vim.empty_dict() },
      },
    },
  }
  local answer = "## Answer %d\n\nSome *words* of it, and `code`:\n\n```rust\nfn answer() -> u32 {\n    %d\n}\n```\n\n"
    .. "- one\n- two\n"
  for id = 1, MESSAGES do
    local kind, payload = "user", { turn_id = "t" .. id, text = "Question " .. id }
    if id % 2 == 0 then
      kind = "assistant"
      payload = {
        message_id = "m" .. id,
        provider = "env",
        model = "scripted",
        response_id = "r" .. id,
        stop = "stop",
        blocks = { { type = "text", text = answer:format(id, id) } },
        usage = { input = 100, cached = 0, cache_write = 0, output = 10, reasoning = 0, total = 110 },
      }
    end
    lines[#lines + 1] = {
      entry = {
        id = id,
        parent = id > 1 and id - 1 or nil,
        kind = kind,
        created_at_ms = id,
        payload = { json = payload },
        search_text = "",
      },
    }
  end
  lines[#lines + 1] = { ["end"] = { n_entries = MESSAGES, n_blobs = 0 } }
  return table.concat(vim.tbl_map(vim.json.encode, lines), "\n") .. "\n"
end

--- What the last lines of the transcript are.
---@param t opal.test.Editor
---@return string
local function ending(t)
  return t:lua([[
    local text = ""
    for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
      if vim.startswith(vim.api.nvim_buf_get_name(bufnr), "opal://") then
        text = table.concat(vim.api.nvim_buf_get_lines(bufnr, -16, -1, false), "\n")
      end
    end
    return text
  ]])
end

---@param t opal.test.Editor
---@return number megabytes
local function memory(t)
  local status = io.open(("/proc/%d/status"):format(t:lua("return vim.fn.getpid()")))
  local text = status and status:read("*a") or ""
  return (tonumber(text:match("VmRSS:%s*(%d+)")) or 0) / 1024
end

---@param since integer of `vim.uv.hrtime()`
---@return number
local function ms_since(since)
  return (vim.uv.hrtime() - since) / 1e6
end

--- Types a key, and sees it drawn.
---@param t opal.test.Editor
---@return number milliseconds
local function typed(t)
  local start = vim.uv.hrtime()
  t:keys("x")
  t:lua("vim.cmd.redraw()")
  return ms_since(start)
end

---@param what string
---@param times number[] milliseconds
---@return string
local function spread(what, times)
  table.sort(times)
  local function at(share)
    return times[math.max(math.ceil(#times * share), 1)]
  end
  return ("%s: median %.1f ms, p99 %.1f ms, longest %.1f ms"):format(what, at(0.5), at(0.99), times[#times])
end

story("a session of 5,000 messages opens and scrolls", function(t)
  local pieces = {}
  for i = 1, 20 do
    vim.list_extend(pieces, { t:gate("piece " .. i), say(("Piece %d. "):format(i)) })
  end
  t:file("a.txt", "")
  t:start({ pieces })
  t:cmd("edit a.txt")
  local import = { vim.env.OPAL_TEST_BIN, "sessions", "import" }
  vim.system(import, { stdin = stored(t), env = { OPAL_DATA_DIR = t.scratch .. "/data" } }):wait()
  t:cmd("Opal open")
  t:idle()
  local before = memory(t)
  local start = vim.uv.hrtime()
  t:keys(":Opal resume bigbig<CR>")
  t:eventually("its end is shown", function()
    return ending(t):find("Answer 5000", 1, true)
  end)
  t:lua("vim.cmd.redraw()")
  table.insert(t.figures, ("shown after %.0f ms, %.0f MB more"):format(ms_since(start), memory(t) - before))
  t:cmd("Opal open")
  t:keys("<Esc>G")
  local times = {}
  for i = 1, 200 do
    start = vim.uv.hrtime()
    t:keys("<C-u>")
    t:lua("vim.cmd.redraw()")
    times[i] = ms_since(start)
  end
  table.insert(t.figures, spread("half a screen up", times))
  t:cmd("wincmd t")
  t:keys(":Opal prompt still there?<CR>")
  t:eventually("it is said", function()
    return ending(t):find("> still there?", 1, true)
  end)
  t:keys("i")
  times = {}
  for i = 1, 20 do
    t:open_gate("piece " .. i)
    t:eventually("it goes on", function()
      times[#times + 1] = typed(t)
      return ending(t):find(("Piece %d."):format(i), 1, true)
    end)
    times[#times + 1] = typed(t)
  end
  t:keys("<Esc>")
  table.insert(t.figures, spread("keys typed while an answer streams, each until it is drawn", times))
end)

story("20,000 pieces of an answer stream smoothly", function(t)
  local words =
    { "Lorem ", "ipsum ", "*dolor* ", "`sit` ", "amet,\n", "consectetur.\n\n", "- adipiscing ", "elit\n\n" }
  local pieces = {}
  for i = 1, DELTAS do
    pieces[i] = words[math.floor(i / 7) % #words + 1]
  end
  pieces[#pieces + 1] = "\n\nThe end."
  t:file("a.txt", "")
  t:start({ { t:gate("go"), { text = pieces } } })
  t:cmd("edit a.txt")
  t:keys(":Opal prompt a long answer<CR>")
  t:shows("> a long answer")
  -- A timer is late by as long as Neovim sees to nothing else.
  t:lua([[
    local last = vim.uv.hrtime()
    _G.longest = 0
    vim.uv.new_timer():start(1, 1, function()
      local now = vim.uv.hrtime()
      _G.longest, last = math.max(_G.longest, now - last), now
    end)
  ]])
  t:keys("i")
  t:open_gate("go")
  local start, times = vim.uv.hrtime(), {}
  t:eventually("all of it is there", function()
    times[#times + 1] = typed(t)
    return ending(t):find("The end.", 1, true)
  end)
  table.insert(t.figures, ("all shown after %.1f s"):format(ms_since(start) / 1000))
  table.insert(t.figures, spread(("%d keys typed meanwhile, each until it is drawn"):format(#times), times))
  table.insert(
    t.figures,
    ("longest time away from everything else: %.1f ms"):format(t:lua("return _G.longest") / 1e6)
  )
  t:keys("<Esc>")
  t:expect("what was typed", #t:text(), #times)
end)
