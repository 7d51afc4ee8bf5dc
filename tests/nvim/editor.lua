--- A Neovim to drive in a story, with the plugin, a scripted model and a folder of its own.
local M = {}

---@class opal.test.Editor
---@field root string of the source
---@field dir string the working directory, with the story's files
---@field scratch string for everything else
---@field figures string[] what was measured
---@field channel? integer
---@field model_job? integer
local Editor = {}
Editor.__index = Editor

local root =
  vim.fs.dirname(vim.fs.dirname(vim.fs.dirname(vim.fs.normalize(debug.getinfo(1, "S").source:sub(2)))))
local TIMEOUT_MS = 15000
local POLL_MS = 5

---@return opal.test.Editor
function M.new()
  local scratch = vim.uv.fs_realpath(vim.fn.tempname():match("^(.*)/[^/]*$")) .. "/" .. vim.uv.hrtime()
  vim.fn.mkdir(scratch .. "/work", "p")
  return setmetatable({ root = root, scratch = scratch, dir = scratch .. "/work", figures = {} }, Editor)
end

--- Fails the story.
---@param message string
local function fail(message)
  error({ expectation = message }, 0)
end

---@param what string
---@param actual any
---@param expected any
function Editor:expect(what, actual, expected)
  if not vim.deep_equal(actual, expected) then
    fail(("%s\nexpected %s\nbut got  %s"):format(what, vim.inspect(expected), vim.inspect(actual)))
  end
end

--- Waits until `check` returns something, and returns that.
---@generic T
---@param what string
---@param check fun(): T?
---@return T
function Editor:eventually(what, check)
  local result
  vim.wait(TIMEOUT_MS, function()
    result = check()
    return result
  end, POLL_MS)
  if not result then
    fail("never happened: " .. what)
  end
  return result
end

--- Writes a file of the project.
---@param name string
---@param text string
function Editor:file(name, text)
  local path = self.dir .. "/" .. name
  vim.fn.mkdir(vim.fs.dirname(path), "p")
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

--- What is on disk.
---@param name string
---@return string?
function Editor:on_disk(name)
  local file = io.open(self.dir .. "/" .. name, "rb")
  if not file then
    return nil
  end
  local text = file:read("*a")
  file:close()
  return text
end

--- A step of the model's script that waits until `open_gate` is called with the same name.
---@param name string
---@return table
function Editor:gate(name)
  return { wait_for = self.scratch .. "/" .. name }
end

---@param name string
function Editor:open_gate(name)
  assert(io.open(self.scratch .. "/" .. name, "w")):close()
end

--- Starts Neovim with a model that gives these answers; see model.md.
---@param answers table[][]
---@param options? table for `setup()`
function Editor:start(answers, options)
  local script, base_url = self.scratch .. "/script.json", nil
  local file = assert(io.open(script, "w"))
  file:write(vim.json.encode({ answers = answers }))
  file:close()
  local command = vim.split(assert(vim.env.OPAL_TEST_MODEL_CMD), " ", { trimempty = true })
  self.model_job = vim.fn.jobstart(vim.list_extend(command, { script, self.scratch .. "/requests" }), {
    cwd = root,
    on_stdout = function(_, data)
      base_url = base_url or (data[1] ~= "" and data[1] or nil)
    end,
  })
  self:eventually("the model says where it is", function()
    return base_url
  end)
  self:start_nvim({ OPAL_BASE_URL = base_url, OPAL_MODEL = "scripted", OPAL_API_KEY = "none" }, options)
end

--- Starts Neovim with a double of GitHub to sign in to, in place of a model.
function Editor:start_signed_out()
  local data = self.scratch .. "/data"
  self.model_job = vim.fn.jobstart({ assert(vim.env.OPAL_TEST_GITHUB), data, "2" })
  self:eventually("GitHub is there", function()
    local stat = vim.uv.fs_stat(data .. "/config.toml")
    return stat and stat.size > 0
  end)
  self:start_nvim({})
end

---@private
---@param env table<string, string>
---@param options? table for `setup()`
function Editor:start_nvim(env, options)
  local nvim = { vim.v.progpath, "--embed", "--headless", "-u", "NONE", "-i", "NONE", "-n" }
  self.channel = vim.fn.jobstart(nvim, {
    rpc = true,
    cwd = self.dir,
    env = vim.tbl_extend("error", env, {
      OPAL_DATA_DIR = self.scratch .. "/data",
      XDG_STATE_HOME = self.scratch .. "/state",
      XDG_CONFIG_HOME = self.scratch .. "/config",
      XDG_DATA_HOME = self.scratch .. "/share",
    }),
  })
  self:lua(
    [[
      local root, options = ...
      vim.cmd("filetype plugin on | syntax on")
      vim.opt.runtimepath:prepend(root .. "/editors/nvim")
      vim.cmd.runtime("plugin/opal.lua")
      _G.notes = {}
      vim.notify = function(message) table.insert(_G.notes, message) end
      require("opal").setup(options)
    ]],
    root,
    vim.tbl_extend("keep", options or {}, { cmd = { vim.env.OPAL_TEST_BIN, "lsp", "--stdio" } })
  )
end

---@param code string
---@param ... any
---@return any
function Editor:lua(code, ...)
  return vim.rpcrequest(self.channel, "nvim_exec_lua", code, { ... })
end

---@param command string
function Editor:cmd(command)
  vim.rpcrequest(self.channel, "nvim_command", command)
end

--- Starts language servers in the editor, for its current buffer and those to come.
---@param ... opal.test.LanguageServerOptions
function Editor:language_servers(...)
  self:lua(
    [[
      local file = ...
      for _, options in ipairs({ select(2, ...) }) do
        dofile(file).start(options)
      end
    ]],
    root .. "/tests/nvim/language_server.lua",
    ...
  )
end

--- Types keys as a user would, and waits until they are taken. Not for keys into a blocking dialog.
---@param keys string
function Editor:keys(keys)
  vim.rpcrequest(self.channel, "nvim_input", keys)
  -- Answered only when Neovim is through with its input.
  self:lua("return 0")
end

--- Types keys without waiting for what comes of them.
---@param keys string
function Editor:press(keys)
  vim.rpcnotify(self.channel, "nvim_input", keys)
end

--- Whether a dialog of Neovim's own waits for keys.
---@return boolean
function Editor:in_dialog()
  local mode = vim.rpcrequest(self.channel, "nvim_get_mode")
  return mode.blocking or mode.mode:match("^[cr]") ~= nil
end

--- The text of the current buffer.
---@return string
function Editor:text()
  return table.concat(vim.rpcrequest(self.channel, "nvim_buf_get_lines", 0, 0, -1, true), "\n")
end

--- The newest transcript.
---@return string
function Editor:transcript()
  return self:lua([[
    local text = ""
    for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
      if vim.startswith(vim.api.nvim_buf_get_name(bufnr), "opal://") then
        text = table.concat(vim.api.nvim_buf_get_lines(bufnr, 0, -1, true), "\n")
      end
    end
    return text
  ]])
end

--- The number of the first line of the transcript that is this.
---@param line string
---@return integer
function Editor:line_of(line)
  for i, text in ipairs(vim.split(self:transcript(), "\n")) do
    if text == line then
      return i
    end
  end
  fail("there is no such line: " .. line)
  return 0
end

--- The closed fold at a line of the transcript, in the first window of this tab page that shows it.
---@param line integer
---@return { [1]: integer, [2]: integer, [3]: string } first line, last line, what stands for it; -1 where there is none
function Editor:fold(line)
  return self:lua(
    [[
      local line = ...
      for _, window in ipairs(vim.api.nvim_tabpage_list_wins(0)) do
        if vim.startswith(vim.api.nvim_buf_get_name(vim.api.nvim_win_get_buf(window)), "opal://") then
          return vim.api.nvim_win_call(window, function()
            return { vim.fn.foldclosed(line), vim.fn.foldclosedend(line), vim.fn.foldtextresult(line) }
          end)
        end
      end
    ]],
    line
  )
end

---@param part string
function Editor:shows(part)
  self:eventually("the transcript shows: " .. part, function()
    return self:transcript():find(part, 1, true)
  end)
end

--- Waits until the session is idle.
function Editor:idle()
  self:eventually("the session is idle", function()
    return self:status():match("^opal: idle") and true
  end)
end

--- Asks for something and waits until it is done.
---@param prompt string
---@param answer string
function Editor:turn(prompt, answer)
  self:keys(":Opal prompt " .. prompt .. "<CR>")
  self:shows(answer)
  self:idle()
end

--- What is written in the prompt area.
---@return string
function Editor:written()
  return self:lua([[return require("opal.prompt").of(vim.fs.normalize(vim.fn.getcwd())):text()]])
end

--- What stands above the prompt area.
---@return string
function Editor:hint()
  return self:lua([[return require("opal.prompt").of(vim.fs.normalize(vim.fn.getcwd())).hint]])
end

--- Goes to the prompt area and waits until keys are text there.
function Editor:go_to_prompt()
  self:keys(":Opal prompt<CR>")
  self:eventually("the cursor is in the prompt area", function()
    return self:lua([[return vim.bo.filetype == "opal_prompt" and vim.api.nvim_get_mode().mode == "i"]])
  end)
end

---@private
---@param name string of a signal for the server
function Editor:signal_server(name)
  for _, child in ipairs(vim.api.nvim_get_proc_children(self:lua("return vim.fn.getpid()"))) do
    vim.uv.kill(child, name)
  end
end

--- Keeps the server from doing anything.
function Editor:stop_server()
  self:signal_server("sigstop")
end

--- Kills the server, and waits until the user has been told.
function Editor:kill_server()
  self:signal_server("sigkill")
  self:notified("Opal's server is gone (signal 9)")
end

---@return string
function Editor:status()
  return self:lua([[return require("opal").status()]])
end

---@param part string
function Editor:notified(part)
  self:eventually("a message says: " .. part, function()
    return table.concat(self:lua("return _G.notes"), "\n"):find(part, 1, true)
  end)
end

--- Everything the model was sent, as JSON.
---@return string
function Editor:sent()
  local file = io.open(self.scratch .. "/requests", "rb")
  if not file then
    return ""
  end
  local text = file:read("*a")
  file:close()
  return text
end

--- What the calls came to, as the model was last told.
---@return string[]
function Editor:results()
  local requests = vim.split(vim.trim(self:sent()), "\n")
  local results = {}
  for _, item in ipairs(vim.json.decode(requests[#requests]).input) do
    if item.type == "function_call_output" then
      results[#results + 1] = item.output
    end
  end
  return results
end

---@param part string
function Editor:model_was_told(part)
  self:eventually("the model was told: " .. part, function()
    return self:sent():find(part, 1, true)
  end)
end

--- Answers dialogs by these rules: what `vim.ui.select` chooses (nil: nothing), what `vim.ui.input` gets.
---@param choice? string|string[] how the label begins; several for one dialog after the other
---@param typed? string
function Editor:answer(choice, typed)
  self:lua(
    [[
      local choice, typed = ...
      local choices = type(choice) == "table" and choice or nil
      _G.asked = {}
      vim.ui.select = function(items, opts, on_choice)
        local format = opts.format_item or tostring
        local entry = { prompt = opts.prompt, labels = vim.tbl_map(format, items), shown = "" }
        if choices then
          choice = table.remove(choices, 1) or vim.NIL
        end
        for _, window in ipairs(vim.api.nvim_list_wins()) do
          local lines = vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, true)
          entry.shown = entry.shown .. table.concat(lines, "\n") .. "\n"
        end
        table.insert(_G.asked, entry)
        for i, label in ipairs(entry.labels) do
          if choice ~= vim.NIL and label:find(choice, 1, true) == 1 then
            return vim.schedule(function() on_choice(items[i], i) end)
          end
        end
        vim.schedule(function() on_choice(nil) end)
      end
      vim.ui.input = function(opts, on_confirm)
        table.insert(_G.asked, { prompt = opts.prompt })
        vim.schedule(function() on_confirm(typed ~= vim.NIL and typed or nil) end)
      end
    ]],
    choice or vim.NIL,
    typed or vim.NIL
  )
end

---@return table[]
function Editor:asked()
  return self:lua("return _G.asked")
end

--- What there is to see when a story fails.
---@return string
function Editor:describe()
  local ok, text = pcall(function()
    local blocked = vim.rpcrequest(self.channel, "nvim_get_mode")
    if blocked.blocking then
      return "(Neovim waits for input in mode " .. blocked.mode .. ")"
    end
    local messages = vim.rpcrequest(self.channel, "nvim_exec2", "messages", { output = true }).output
    return ("transcript:\n%s\n\nnotes:\n%s\n\nmessages:\n%s\n\nstatus: %s"):format(
      self:transcript():sub(-5000),
      table.concat(self:lua("return _G.notes"), "\n"),
      messages,
      self:status()
    )
  end)
  return tostring(text) .. (ok and "" or " (no more to see)")
end

--- Ends what the story started. An error message in Neovim fails the story.
function Editor:close()
  local errors = ""
  if self.channel then
    local ok, mode = pcall(vim.rpcrequest, self.channel, "nvim_get_mode")
    if ok and not mode.blocking then
      errors = self:lua("return vim.v.errmsg")
      pcall(vim.rpcnotify, self.channel, "nvim_command", "qall!")
      vim.fn.jobwait({ self.channel }, 5000)
    end
    vim.fn.jobstop(self.channel)
  end
  if self.model_job then
    vim.fn.jobstop(self.model_job)
  end
  vim.fn.delete(self.scratch, "rf")
  if errors ~= "" then
    fail("Neovim reported an error: " .. errors)
  end
end

return M
