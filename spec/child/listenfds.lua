-- What listenfds makes of this process's environment and descriptors. Usage: listenfds.lua
local lsocket = require "lsocket"
local process = require "spec.process"

local before = process.opened()
local sockets, names, name = lsocket.listenfds()
if not sockets then
  print(names, name)
else
  for i, sock in ipairs(sockets) do
    local info = sock:info()
    local flags = tonumber(process.read("/proc/self/fdinfo/" .. info.fd):match "flags:%s*(%d+)", 8)
    print(names[i], info.fd, info.family, info.type, info.listening, math.floor(flags / 524288) % 2, sock:recv())
  end
  print(#sockets .. " sockets, " .. #names .. " names")
end
assert(process.opened() == before, "descriptors were opened or closed")
for _, variable in ipairs { "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES" } do
  assert(not os.getenv(variable), variable .. " is still set")
end
local again, none = lsocket.listenfds()
assert(#again == 0 and #none == 0)
