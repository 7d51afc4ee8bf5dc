local tokens = require("opal.text").tokens

--- What came of a compaction.
---@param before? integer tokens
---@param after integer tokens
---@param summary? string absent if only tool output was left out
---@param by_itself? boolean without a model
---@return string
return function(before, after, summary, by_itself)
  local sizes = (before and tokens(before) .. " → " or "") .. tokens(after) .. " tokens"
  return "✓ compacted: "
    .. sizes
    .. (not summary and " (only old tool output left out)" or "")
    .. (by_itself and " (no model could be asked for the summary)" or "")
end
