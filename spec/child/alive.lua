-- Ends with one of everything open and in use: alive.lua HOW, where HOW is the way it ends.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"

local HERE = "127.0.0.1"
local how = arg[1]
local kept = {}

local function keep(...)
  kept[#kept + 1] = { ... }
  return ...
end

-- A finalizer that outlives what it uses.
local function keep_finalizer(run)
  if newproxy then -- luacheck: globals newproxy
    local proxy = keep(newproxy(true))
    getmetatable(proxy).__gc = run
  else
    keep(setmetatable({}, { __gc = run }))
  end
end

if how == "finalizer" then
  keep_finalizer(function() -- of the state's end: all that was made later is finalized by then
    for _, list in ipairs(kept) do
      local object = list[1]
      if type(object) == "userdata" and getmetatable(object).__type then
        for name, method in pairs(getmetatable(object).__index) do
          pcall(method, object, name == "recvmany" and kept.batch or "x", "r")
        end
      end
    end
    pcall(lsocket.select, { kept.sock }, 0)
    pcall(lsocket.lookup, "localhost")
    pcall(lsocket.pair)
  end)
end

-- Objects in use.
local listener = keep(assert(lsocket.bind(HERE, 0)))
local client = keep(assert(lsocket.connect(HERE, listener:info "socket".port)))
local a, b = keep(assert(lsocket.pair()))
kept.sock, kept.batch = a, keep(lsocket.batch(10))
keep(lsocket.buffer()):append(("x"):rep(100000))
for _, backend in ipairs { "epoll", "kqueue", "poll" } do
  local poller = lsocket.poller(backend)
  if poller then
    keep(poller)
    for _, object in ipairs { listener, client, a, b } do assert(poller:add(object, "rw")) end
    assert(poller:wait(10))
  end
end
for i = 1, 20 do -- some are under way, some wait for their turn
  local lookup = keep(assert(lsocket.lookup("localhost", i % 2 == 0 and "inet" or "inet6")))
  if i % 3 == 0 then lookup:getfd() end
end

-- The loop: tasks that wait for everything that there is, and a stream that is half written.
local near, far = assert(lsocket.pair())
near, far = keep(stream.new(near), stream.new(far))
loop.spawn(near.write, near, ("x"):rep(10000000))
loop.spawn(function() return far:readuntil "y" end)
loop.spawn(near.read, near)
loop.spawn(loop.sleep, 1000)
loop.spawn(loop.deadline, 1000, loop.wait, a, "r")
loop.spawn(loop.resolve, "localhost")
local server = keep(assert(loop.serve(HERE, 0, function(stranger) return stranger:read() end)))
local waiting = loop.spawn(loop.connect, HERE, server:info "socket".port)
loop.spawn(function()
  waiting:join()
  waiting = loop.spawn(loop.sleep, 1000)
  return waiting:join()
end)
for _ = 1, 10 do assert(loop.step(0)) end

io.stdout:write "alive\n"
io.stdout:flush()

local ways = {
  ["return"] = function() end,
  finalizer = function() end,
  error = function() error "the end" end,
  exit = function() os.exit(0) end,
  close = function() os.exit(0, true) end, -- closes the state, where the interpreter can
  coroutine = function() coroutine.wrap(function() os.exit(0, true) end)() end,
  task = function()
    loop.spawn(function() os.exit(0, true) end)
    loop.step(0)
  end,
}
ways[how]()
