-- Uses the library for very many rounds and says whether descriptors or memory grew: leak.lua KIND ROUNDS [KIB]
-- KIND: tcp, unix, resolve, lookup, signals or interfaces. Exit status 1 where memory grew by more than KIB (1024), or
-- descriptors did.
local lsocket = require "lsocket"
local crew = require "spec.crew"
local process = require "spec.process"

local kind, rounds = arg[1], tonumber(arg[2])
local warm_up = math.min(10000, math.floor(rounds / 5))
local allowed = tonumber(arg[3] or 1024)
local patience = 30

-- A connection, bytes both ways, its end.
local function exchange(listener, ...)
  local client = assert(lsocket.connect(...))
  assert(lsocket.select({ listener }, patience))
  local server = assert(listener:accept())
  assert(lsocket.select(nil, { client }, patience))
  assert(client:status())
  assert(client:send "ping" == 4)
  assert(lsocket.select({ server }, patience))
  assert(server:recv() == "ping")
  assert(server:send "pong" == 4)
  assert(lsocket.select({ client }, patience))
  assert(client:recv() == "pong")
  assert(client:close())
  assert(lsocket.select({ server }, patience))
  assert(server:recv() == nil)
  assert(server:close())
end

local kinds = {}

-- A closed connection keeps its pair of ports for a minute, so many addresses take turns.
function kinds.tcp()
  local listeners, ports = {}, {}
  for i = 1, 16 do
    listeners[i] = assert(lsocket.bind("127.0.0." .. i, 0, 100))
    ports[i] = listeners[i]:info("socket").port
  end
  return function(round)
    local i = round % 16 + 1
    exchange(listeners[i], "127.0.0." .. i, ports[i])
  end
end

function kinds.unix()
  local path = os.tmpname()
  os.remove(path)
  local listener = assert(lsocket.bind(path))
  return function() exchange(listener, path) end, function() os.remove(path) end
end

function kinds.resolve()
  return function()
    local list = assert(lsocket.resolve "localhost")
    assert(list[1].addr)
    local sock = assert(lsocket.connect("udp", "localhost", 9)) -- looks up the name, too
    assert(sock:close())
  end
end

function kinds.lookup()
  crew.hire()
  return function(round)
    local lookup = assert(lsocket.lookup "localhost")
    if round % 4 == 1 then return end -- garbage
    if round % 4 == 2 then return lookup:cancel() end
    assert(lsocket.select({ lookup }, patience))
    assert(lookup:result()[1].addr)
    assert(process.threads() <= 65)
  end
end

function kinds.signals()
  local names = { "TERM", "INT", "USR1", "RTMIN", "HUP" }
  return function(round)
    local signals = assert(lsocket.signals(names[round % 5 + 1], "USR2"))
    assert(lsocket.select({ signals }, 0) == false and signals:next() == false)
    if round % 2 == 1 then assert(signals:close()) end -- else garbage
  end
end

function kinds.interfaces()
  return function()
    local list = assert(lsocket.getinterfaces())
    assert(list[1].addr)
    local sock = lsocket.connect("mcast", "ff02::1", 9) -- looks for an interface, where there is a fit one
    if sock then assert(sock:close()) end
  end
end

local round, finish = assert(kinds[kind], "tcp, unix, resolve, lookup, signals or interfaces")()
local function run(from, to, before)
  for i = from, to do
    round(i)
    if i % 500 == 0 then collectgarbage() end -- how far Lua lets garbage pile up by itself is not the question
  end
  local descriptors, memory = crew.settle(before), process.memory()
  print(("%s after %d rounds: %d descriptors, %d KiB"):format(kind, to, descriptors, memory))
  return descriptors, memory
end

local descriptors, memory = run(1, warm_up, process.count())
local descriptors_after, memory_after = run(warm_up + 1, rounds, descriptors)
if finish then finish() end
if descriptors ~= descriptors_after or memory_after - memory > allowed then
  print "something leaks"
  os.exit(1)
end
