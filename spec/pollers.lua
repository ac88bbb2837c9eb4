-- What the specs of pollers share.
local helper = require "spec.helper"

local pollers = {}

local held = {}

-- Nothing of it is garbage, which would be closed, before the test is over.
function pollers.hold(...)
  held[#held + 1] = { ... }
  return ...
end

-- A connected pair of TCP sockets, held.
function pollers.pair()
  return pollers.hold(helper.tcp())
end

function pollers.let_go()
  held = {}
end

-- Waits and answers both arrays, empty where the time ran out.
function pollers.wait(poller, timeout, ...)
  local readable, writable = poller:wait(timeout or helper.patience, ...)
  if readable == false then return {}, {} end
  return assert(readable, writable), writable
end

return pollers
