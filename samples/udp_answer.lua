-- A UDP server on all addresses of this machine, which answers each datagram from the address that it was sent to. With
-- sendto the system would choose one, and a client that asked at another one would not know whose answer it is.
-- Usage: lua udp_answer.lua [address [port]]      "::" by default, which takes IPv4, too; port 16002; "quit" ends it
local lsocket = require "lsocket"

io.stdout:setvbuf("line")
local server = assert(lsocket.bind("udp", arg[1] or "::", arg[2] or 16002))
assert(server:setopt("pktinfo", true)) -- tell where each datagram was sent to
print(("answering on port %d"):format(server:info("socket").port))

-- A group or a broadcast address cannot be answered from: the system chooses then.
local own = {}
for _, interface in ipairs(assert(lsocket.getinterfaces())) do own[interface.addr] = true end
local function source_of(message)
  local bare = message.destination:gsub("%%.*", ""):gsub("^::ffff:", "")
  return (own[bare] or bare:find("^127%.")) and message.destination or nil
end

local message, running = {}, true -- one table for all that comes
while running do
  assert(lsocket.select({ server }))
  local data, problem = server:recvmsg(2000, message)
  if data == nil then print("cannot receive: " .. problem) end
  if data then
    local count, failure = server:sendmsg {
      data = { "you asked ", message.destination, ": ", data },
      address = message.address, port = message.port,
      source = source_of(message),
    }
    if not count then print("not answered: " .. (failure or "no room")) end -- UDP promises nothing
    if data == "quit" then running = false end
  end
end
print("quit")
