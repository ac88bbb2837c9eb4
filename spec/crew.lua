-- The threads that look names up, of which there are at most 64: each takes some memory once, which is no leak. What
-- they and look-ups that were dropped have open is closed a little later.
local lsocket = require "lsocket"
local process = require "spec.process"

local PATIENCE = 30 -- seconds

local crew = {}

-- Has all of them at work before somebody looks at the memory.
function crew.hire()
  local limit = lsocket.now() + PATIENCE
  repeat
    local list = {}
    for i = 1, 200 do list[i] = assert(lsocket.lookup "localhost") end
    for i = 1, 200 do assert(lsocket.select({ list[i] }, PATIENCE)) end
  until process.threads() >= 65 or lsocket.now() > limit
end

-- Waits until there are no more descriptors than that; answers how many there are.
function crew.settle(descriptors)
  local count, limit = process.count(), lsocket.now() + PATIENCE
  while count > descriptors and lsocket.now() < limit do
    lsocket.select(0.002)
    count = process.count()
  end
  return count
end

return crew
