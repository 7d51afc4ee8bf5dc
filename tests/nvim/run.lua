-- Runs under `nvim -l`: each story gets a Neovim of its own as a child, driven with keys.
local here = vim.fs.dirname(vim.fs.normalize(debug.getinfo(1, "S").source:sub(2)))
package.path = here .. "/?.lua;" .. package.path

local editor = require("editor")
local files = vim.fn.glob(here .. "/stories/*.lua", true, true)
vim.iter(files):each(dofile)
local only = arg[1]
local failed, ran = 0, 0

--- What `print` writes under `nvim -l` lacks the last line's end.
local function say(text)
  io.stdout:write(text, "\n")
end

local version = vim.version()
say(("Neovim %d.%d.%d"):format(version.major, version.minor, version.patch))
for _, story in ipairs(require("story").all) do
  if not only or story.name:find(only, 1, true) then
    ran = ran + 1
    local start = vim.uv.hrtime()
    local t = editor.new()
    local ok, message = xpcall(story.play, function(err)
      return type(err) == "table" and err.expectation or debug.traceback(err, 2)
    end, t)
    local report = ok and "" or t:describe()
    local closed, close_message = pcall(t.close, t)
    if ok and not closed then
      ok, message = false, type(close_message) == "table" and close_message.expectation or close_message
    end
    local ms = (vim.uv.hrtime() - start) / 1e6
    say(("  %s %s (%d ms)"):format(ok and "✓" or "✗", story.name, ms))
    for _, figure in ipairs(t.figures) do
      say("      " .. figure)
    end
    if not ok then
      failed = failed + 1
      say("    " .. (message .. "\n" .. report):gsub("\n", "\n    "))
    end
  end
end
say(("  %d stories, %d failed"):format(ran, failed))
os.exit((failed == 0 and ran > 0) and 0 or 1)
