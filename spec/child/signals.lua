-- Uses everything, writes to closed connections among it, and says whether the handling of any signal changed.
local process = require "spec.process"

local before = process.signals()
local lsocket = require "lsocket"

local listener = assert(lsocket.bind("127.0.0.1", 0))
local client = assert(lsocket.connect("127.0.0.1", listener:info("socket").port))
assert(lsocket.select({ listener }, 10))
local server = assert(listener:accept())
assert(client:status())
assert(client:send "x" == 1)
assert(lsocket.select({ server }, 10))
assert(server:recvfrom())
server:close()
local file = io.tmpfile()
file:write "x"
file:flush()
local name
for _ = 1, 1000 do
  local count, _, symbol = client:send "x"
  name = symbol
  if count == nil then break end
  lsocket.select({ client }, {}, 0.01)
end
assert(name == "EPIPE" or name == "ECONNRESET", name)

local function check_broken(count, _, symbol)
  assert(count == nil and symbol == "EPIPE", symbol)
end

for _ = 1, 3 do
  check_broken(client:send "x")
  check_broken(client:sendto("x", "127.0.0.1", 9))
  check_broken(client:send { "x", "y" })
  check_broken(client:sendfile(file))
end
local path = os.tmpname()
os.remove(path)
local unix = assert(lsocket.bind(path))
local near = assert(lsocket.connect(path))
unix:accept():close()
check_broken(near:send "x")
check_broken(near:sendfile(file))
os.remove(path)
local udp = assert(lsocket.bind("udp", "127.0.0.1", 0))
assert(udp:sendto("x", "127.0.0.1", udp:info("socket").port))
assert(lsocket.bind("mcast", "127.0.0.1", 0))
assert(lsocket.resolve "127.0.0.1")
assert(lsocket.getinterfaces())
lsocket.resolve "1.2.3.4.5"
for _, sock in ipairs { listener, client, unix, near, udp } do sock:close() end

print(before == process.signals() and "unchanged" or "changed")
