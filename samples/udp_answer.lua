-- A UDP server on all addresses of this machine, which answers each datagram from the address that it was sent to. With
-- sendto the system would choose one, and a client that asked at another one would not know whose answer it is.
-- Usage: lua samples/udp_answer.lua [address [port]]      "::" by default, which takes IPv4, too; port 16007
-- "quit" from this machine ends it.
local lsocket = require "lsocket"

local MOST = 1000 -- answers that one sender gets in a second

local function fail(message)
  io.stderr:write("udp_answer: ", message, "\n")
  os.exit(1)
end

io.stdout:setvbuf("line")
local address, port = arg[1] or "::", arg[2] or 16007
local ok, server, problem = pcall(lsocket.bind, "udp", address, port) -- which raises where the port is none
if not ok then fail("usage: udp_answer.lua [address [port]]") end
if server then ok, problem = server:setopt("pktinfo", true) end -- tell where each datagram was sent to
if not server or not ok then fail(("%s port %s: %s"):format(address, port, problem)) end
print(("answering on port %d"):format(server:info("socket").port))

local own = {}
for _, interface in ipairs(lsocket.getinterfaces() or {}) do own[interface.addr] = true end
local function is_own(addr)
  local bare = addr:gsub("%%.*", ""):gsub("^::ffff:", "")
  return own[bare] or bare:find("^127%.")
end

-- Two servers that answer everything would send datagrams back and forth for ever, and anybody can start that with the
-- address of one as his own. So a sender who asks too often gets no answers until the next second.
local second, asked = 0, {} -- asked: sender -> how often, in this second
local function may_ask(message)
  local now, sender = math.floor(lsocket.now()), message.address .. " " .. message.port
  if now ~= second then second, asked = now, {} end
  asked[sender] = (asked[sender] or 0) + 1
  return asked[sender] <= MOST
end

local function answer(data, message)
  local count, failure = server:sendmsg {
    data = { "you asked ", message.destination, ": ", data },
    address = message.address, port = message.port,
    source = is_own(message.destination) and message.destination or nil, -- none can send from a group's address
  }
  if not count then print("not answered: " .. (failure or "no room")) end -- UDP promises nothing
end

local message, running = {}, true -- one table for all that comes
while running do
  local ready, failure = lsocket.select({ server })
  if not ready then fail(failure) end
  local data, trouble = server:recvmsg(2000, message)
  if data == nil then print("cannot receive: " .. trouble) end
  if data and may_ask(message) then
    answer(data, message)
    if data:find("^quit\r?\n?$") and is_own(message.address) then running = false end
  end
end
print("quit")
