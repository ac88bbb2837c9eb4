-- Who is there? Announces a name to a multicast group on every interface, and prints who else does so, comes and goes.
-- Usage: lua announce.lua name [group] [port]        ends at the end of its standard input (Ctrl-D), and says goodbye
-- Datagrams: "hello name" from who is new, which the others answer with "here name"; that is also repeated; "bye name".
local lsocket = require "lsocket"

local REPEAT, PATIENCE = 10, 35 -- seconds; after missing three calls somebody counts as gone
local name = assert(arg[1] and arg[1]:match("^[%w._-]+$"), "usage: announce.lua name [group] [port]")
local group, port = arg[2] or "239.255.16.2", arg[3] or 16002
local family = group:find(":", 1, true) and "inet6" or "inet"

-- One socket hears the group on all interfaces. On one machine several programs may share the port.
local sock = assert(lsocket.bind{ type = "udp", address = family == "inet" and "0.0.0.0" or "::", port = port,
  reuseaddr = true })
local senders = {} -- index of an interface -> the socket whose datagrams leave by it
for _, interface in ipairs(assert(lsocket.getinterfaces())) do
  local flags, index = interface.flags, interface.index
  local fit = flags.up and (flags.multicast or flags.loopback) and interface.family == family
  if fit and not senders[index] and sock:join(group, index) then
    senders[index] = lsocket.connect("mcast", group .. "%" .. index, port) -- or nil, where no route leads there
  end
end
assert(next(senders), "no interface can send to " .. group)

-- What cannot be sent now (a link is down, a queue is full) is sent by the next call.
local function announce(word)
  for _, sender in pairs(senders) do sender:send(word .. " " .. name) end
end

local known = {} -- name -> when it was last heard of

local function forget(other)
  known[other] = nil
  print("- " .. other)
end

local function hear(text, address)
  local word, other = text:match("^(%l+) ([%w._-]+)$") -- a stranger may send anything
  if not word or other == name then return end
  if word == "bye" then
    if known[other] then forget(other) end
    return
  end
  if not known[other] then print(("+ %s at %s"):format(other, address)) end
  known[other] = os.time()
  if word == "hello" then announce("here") end
end

io.stdout:setvbuf("line")
announce("hello")
local due = os.time() + REPEAT
while true do
  local ready = lsocket.select({ sock, 0 }, math.max(due - os.time(), 0)) or {} -- 0: the standard input
  local text, address = sock:recvfrom()
  while text do
    hear(text, address)
    text, address = sock:recvfrom() -- false: that was all
  end
  if ready[#ready] == 0 and not io.read() then break end
  if os.time() >= due then
    due = os.time() + REPEAT
    announce("here")
    for other, last in pairs(known) do
      if os.time() - last > PATIENCE then forget(other) end
    end
  end
end
announce("bye")
