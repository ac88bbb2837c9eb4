-- Who is there? Announces a name to a multicast group on every interface, and prints who else does so, comes and goes.
-- Usage: lua samples/announce.lua name [group] [port]        239.255.16.2 16002
-- It ends at the end of its standard input (Ctrl-D), and says goodbye.
-- Datagrams: "hello name" from who is new, which the others answer with "here name"; that is also repeated; "bye name".
local lsocket = require "lsocket"

local REPEAT, PATIENCE = 10, 35 -- seconds; after missing three calls somebody counts as gone
local MOST = 1000 -- names that are known at a time

local function fail(message)
  io.stderr:write("announce: ", message, "\n")
  os.exit(1)
end

local name = arg[1] and arg[1]:match("^[%w._-]+$")
local group, port = arg[2] or "239.255.16.2", arg[3] or 16002
local family = group:find(":", 1, true) and "inet6" or "inet"

-- One socket hears the group on all interfaces. On one machine several programs may share the port.
local ok, sock, problem = pcall(lsocket.bind, { type = "udp", address = family == "inet" and "0.0.0.0" or "::",
  port = port, reuseaddr = true }) -- which raises where the port is none
if not ok or not name or #name > 60 then fail("usage: announce.lua name [group] [port]") end
if not sock then fail(("port %s: %s"):format(port, problem)) end
local senders = {} -- index of an interface -> the socket whose datagrams leave by it
for _, interface in ipairs(lsocket.getinterfaces() or {}) do
  local flags, index = interface.flags, interface.index
  local fit = flags.up and (flags.multicast or flags.loopback) and interface.family == family
  if fit and not senders[index] and sock:join(group, index) then
    senders[index] = lsocket.connect("mcast", group .. "%" .. index, port) -- or nil, where no route leads there
  end
end
if not next(senders) then fail("no interface can send to " .. group) end

-- What cannot be sent now (a link is down, a queue is full) is sent by the next call.
local said = 0 -- when
local function announce(word)
  said = lsocket.now()
  for _, sender in pairs(senders) do sender:send(word .. " " .. name) end
end

local known, count, asked = {}, 0, false -- known: name -> when it was last heard of; asked: by somebody new

local function forget(other)
  known[other], count = nil, count - 1
  print("- " .. other)
end

local function hear(text, address)
  local word, other = text:match("^(%l+) ([%w._-]+)$") -- a stranger may send anything
  if not word or other == name or #other > 60 then return end
  if word == "bye" then return known[other] and forget(other) end
  asked = asked or word == "hello"
  if not known[other] then
    if count == MOST then return end
    count = count + 1
    print(("+ %s at %s"):format(other, address))
  end
  known[other] = lsocket.now()
end

io.stdout:setvbuf("line")
announce("hello")
while true do
  local due = said + (asked and 1 or REPEAT) -- however many ask, one answer a second is enough
  local ready = lsocket.select({ sock, 0 }, math.max(due - lsocket.now(), 0)) or {} -- 0: the standard input
  for _ = 1, 100 do -- not for ever: others want to hear of us, too
    local text, address = sock:recvfrom()
    if not text then break end -- false: that was all
    hear(text, address)
  end
  if ready[#ready] == 0 and not io.read() then break end
  if lsocket.now() >= due then
    announce("here")
    asked = false
    for other, last in pairs(known) do
      if lsocket.now() - last > PATIENCE then forget(other) end
    end
  end
end
announce("bye")
