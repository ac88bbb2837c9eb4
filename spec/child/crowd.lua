-- So many connections at once between two processes, for where one process may not open both ends of them all.
-- "serve COUNT COMMAND": accepts from a child that COMMAND starts as "visit COUNT PORT", answers every connection while
-- all of them are open, and prints how many there were and the highest descriptors of both processes.
local lsocket = require "lsocket"

local role, count, last = arg[1], tonumber(arg[2]), arg[3]
local patience = 30
local socks, number_of, highest = {}, {}, 0

local function keep(sock)
  socks[#socks + 1] = sock
  number_of[sock] = #socks
  highest = math.max(highest, sock:getfd())
end

-- Calls act with each socket that becomes readable, until that was true for every one.
local function with_each(act)
  local done = 0
  while done < count do
    for _, sock in ipairs(assert(lsocket.select(socks, patience))) do
      if act(sock, number_of[sock]) then done = done + 1 end
    end
  end
end

local function visit(port)
  for i = 1, count do keep(assert(lsocket.connect("127.0.0." .. i % 4 + 1, port))) end
  local _, writable = assert(lsocket.select(nil, socks, patience))
  assert(#writable > 0)
  for _, sock in ipairs(socks) do
    assert(lsocket.select(nil, { sock }, patience) and sock:status())
    assert(sock:send "hello" == 5)
  end
  local answered = {}
  with_each(function(sock)
    assert(not answered[sock] and sock:recv() == "welcome")
    answered[sock] = true
    return true
  end)
  print(highest)
end

local function serve(command)
  local listener = assert(lsocket.bind("0.0.0.0", 0, 1000))
  local visitor = assert(io.popen(command .. " visit " .. count .. " " .. listener:info "socket".port))
  for _ = 1, count do
    assert(lsocket.select({ listener }, patience))
    keep(assert(listener:accept()))
  end
  local greeted = {}
  with_each(function(sock)
    assert(not greeted[sock] and sock:recv() == "hello")
    greeted[sock] = true
    return true
  end)
  for _, sock in ipairs(socks) do assert(sock:send "welcome" == 7) end
  print(("%d sockets, highest descriptors %d and %d"):format(2 * count, highest, visitor:read "*n"))
end

if role == "visit" then visit(last) else serve(last) end
