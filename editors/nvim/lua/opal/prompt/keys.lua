--- What keys do in the prompt area.
local M = {}

---@param keys string
---@return string
local function typed(keys)
  return vim.api.nvim_replace_termcodes(keys, true, true, true)
end

--- What a key does that goes through the history at the edge of the text, and moves the cursor elsewhere.
---@param prompt opal.Prompt
---@param key string
---@param step 1|-1
---@return fun()
local function move(prompt, key, step)
  return function()
    local line = vim.api.nvim_win_get_cursor(0)[1]
    local edge = step < 0 and 1 or vim.api.nvim_buf_line_count(prompt.bufnr)
    if vim.fn.pumvisible() == 1 or line ~= edge then
      vim.api.nvim_feedkeys(typed(key), "n", false)
    else
      prompt:recall(step)
    end
  end
end

---@param prompt opal.Prompt
function M.map(prompt)
  ---@type { [1]: string, [2]: fun(), [3]: string, [4]: table<string, string[]> } name, what it does, in words, keys by mode
  local actions = {
    {
      "send",
      function()
        prompt:send("say")
      end,
      "send, or steer the running turn",
      { n = { "<CR>", "<C-s>" }, i = { "<C-s>" } },
    },
    {
      "send-queue",
      function()
        prompt:send("queue")
      end,
      "queue for when the model would stop",
      { n = { "<M-CR>" }, i = { "<M-CR>" } },
    },
    { "history-previous", move(prompt, "<Up>", -1), "the prompt before", { n = { "<Up>" }, i = { "<Up>" } } },
    { "history-next", move(prompt, "<Down>", 1), "the next prompt", { n = { "<Down>" }, i = { "<Down>" } } },
    { "history-older", move(prompt, "<C-p>", -1), "the prompt before", { n = { "<C-p>" }, i = { "<C-p>" } } },
    { "history-newer", move(prompt, "<C-n>", 1), "the next prompt", { n = { "<C-n>" }, i = { "<C-n>" } } },
  }
  for _, action in ipairs(actions) do
    local name = ("<Plug>(opal-%s)"):format(action[1])
    local options = { buffer = prompt.bufnr, desc = "Opal: " .. action[3] }
    vim.keymap.set({ "n", "i" }, name, action[2], options)
    for mode, keys in pairs(vim.g.opal_no_maps and {} or action[4]) do
      for _, key in ipairs(keys) do
        vim.keymap.set(mode, key, name, options)
      end
    end
  end
  if not vim.g.opal_no_maps then
    vim.keymap.set("i", "<Tab>", function()
      return vim.fn.pumvisible() == 1 and "<C-y>" or "<Tab>"
    end, { buffer = prompt.bufnr, expr = true, desc = "Opal: take what is offered" })
  end
end

return M
