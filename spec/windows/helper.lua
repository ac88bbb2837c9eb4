-- A helper of busted's for Windows: a test that is in spec/windows/skipped.lua is pending, for the reason there.
local busted = require "busted"
local base = require "busted.outputHandlers.base"()
local skipped = require "spec.windows.skipped"

local function reason_of(name)
  for reason, starts in pairs(skipped.tests) do
    for _, start in ipairs(starts) do
      if name:sub(1, #start) == start then return reason end
    end
  end
  for reason, ending in pairs(skipped.endings) do
    if name:sub(-#ending) == ending then return reason end
  end
end

busted.subscribe({ "test", "start" }, function(element)
  local reason = reason_of(base.getFullName(element))
  if reason then element.run = function() element.env.pending(reason) end end
  return nil, true
end)
