-- Takes objects out of a poller while the system refuses, and prints what comes of it.
local lsocket = require "lsocket"

local poller = assert(lsocket.poller(arg[1]))
local a, b = assert(lsocket.pair())
assert(poller:add(a, "w"))
assert(poller:add(b, "w"))

local function ready()
  local _, writable = poller:wait(0)
  return writable and #writable or 0
end

print(poller:remove(a)) -- is refused
print(#poller, ready())
print(poller:remove(a))
print(#poller, ready())
b:close() -- as is this
print(#poller, ready())
