-- A helper of busted's for Windows: a test that is in spec/windows/skipped.lua is pending, for the reason there.
local busted = require "busted"
local base = require "busted.outputHandlers.base"()
local skipped = require "spec.windows.skipped"

local function first_words(name, words) return name:sub(1, #words) == words end

local function last_words(name, words) return name:sub(-#words) == words end

local function find(name, reasons, has)
  for reason, list in pairs(reasons) do
    for _, words in ipairs(list) do
      if has(name, words) then return reason end
    end
  end
end

local function reason_of(name)
  return find(name, skipped.tests, first_words) or find(name, skipped.endings, last_words)
end

busted.subscribe({ "test", "start" }, function(element)
  local reason = reason_of(base.getFullName(element))
  if reason then element.run = function() element.env.pending(reason) end end
  return nil, true
end)
