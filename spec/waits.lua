-- For specs: everything of the loop that waits, places in which nothing can, and whether everything still works.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local sending = require "spec.sending"
local stream = require "lsocket.stream"

local waits = {}

local plain51 = _VERSION == "Lua 5.1" and not rawget(_G, "jit")

-- ---- what waits, each called with a world ----

waits.calls = {
  sleep = function() loop.sleep(0.001) end,
  ["sleep of no time"] = function() loop.sleep(0) end,
  ["wait for a socket"] = function(world) loop.wait(world.silent, "r") end,
  ["wait for a socket for some time"] = function(world) loop.wait(world.silent, "r", 0.001) end,
  ["wait for room"] = function(world) loop.wait(world.full, "w") end,
  ["wait for a number"] = function(world) loop.wait(world.silent:getfd(), "r", 0.001) end,
  ["wait for an object"] = function(world)
    loop.wait({ getfd = function() return world.silent:getfd() end }, "r", 0.001)
  end,
  ["wait for a stream"] = function(world) loop.wait(world.reader, "r", 0.001) end,
  ["wait for a look-up"] = function()
    local lookup = lsocket.lookup "localhost"
    loop.wait(lookup, "r", 0.001)
    loop.sleep(0) -- it may have been there already
  end,
  read = function(world) world.reader:read() end,
  readuntil = function(world) world.reader:readuntil "," end,
  readsome = function(world) world.reader:readsome() end,
  lines = function(world)
    local following, state = world.reader:lines()
    following(state)
  end,
  write = function(world) world.writer:write(("x"):rep(1000000)) end,
  ["write of an array"] = function(world) world.writer:write { ("x"):rep(1000000), "x" } end,
  ["write in turn"] = function(world) world.busy:write "x" end,
  join = function(world) world.task:join() end,
  accept = function(world) world.listener:accept() end,
  clients = function(world)
    local following, state = world.listener:clients()
    following(state)
  end,
  connect = function(world)
    loop.connect("localhost", world.port)
    loop.sleep(0)
  end,
  resolve = function()
    loop.resolve "localhost"
    loop.sleep(0)
  end,
  ["wait for signals"] = function(world) world.signals:wait() end,
  ["values of signals"] = function(world)
    local following, state = world.signals:values()
    following(state)
  end,
  ["close of a server"] = function(world) world.server:close(0.001) end,
  deadline = function() loop.deadline(0.001, loop.sleep, 1) end,
  get = function(world) world.empty:get() end,
  put = function(world) world.filled:put "another" end,
  ["put of no room"] = function(world) world.empty:put "a value" end,
  acquire = function(world) world.semaphore:acquire() end,
  ["wait for an event"] = function(world) world.event:wait() end,
  ["a group that waits for its tasks"] = function(world)
    loop.group(function(group) group:spawn(world.event.wait, world.event) end)
  end,
  ["a group that waits inside"] = function() loop.group(function() loop.sleep(0.001) end) end,
  race = function() loop.race(function() end, function() loop.sleep(60) end) end,
  select = function(world) loop.select({ world.silent }, { world.full }) end,
  ["select for some time"] = function(world) loop.select({ world.silent }, 0.001) end,
}

-- ---- where a coroutine cannot yield: each raises what the function raises ----

local function collect(fn)
  local ran, ok, problem
  helper.when_collected(function()
    ran = true
    ok, problem = pcall(fn)
  end)
  helper.eventually("it is collected", function()
    collectgarbage()
    return ran
  end)
  if not ok then error(problem, 0) end
end

waits.places = {
  ["string.gsub"] = function(fn) string.gsub("x", "x", function() fn() end) end,
  ["string.gsub within another"] = function(fn)
    string.gsub("x", "x", function() string.gsub("x", "x", function() fn() end) end)
  end,
  ["table.sort"] = function(fn)
    table.sort({ 2, 1, 3 }, function(a, b)
      fn()
      return a < b
    end)
  end,
  ["require"] = function(fn)
    package.preload["spec.nothing"] = fn
    package.loaded["spec.nothing"] = nil
    require "spec.nothing"
  end,
  ["load"] = function(fn) assert(load(function() fn() end)) end,
  ["a debug hook"] = function(fn)
    debug.sethook(function()
      debug.sethook()
      fn()
    end, "l")
    local steps = 1
    steps = steps + 1
    debug.sethook()
    return steps
  end,
  ["a finalizer"] = collect,
  ["a coroutine of the program's own"] = function(fn) coroutine.wrap(fn)() end,
  ["a coroutine within string.gsub"] = function(fn)
    string.gsub("x", "x", function() coroutine.wrap(fn)() end)
  end,
}

if not rawget(_G, "jit") then -- which has tostring as a part of its own machine
  waits.places["__tostring"] = function(fn)
    tostring(setmetatable({}, { __tostring = function()
      fn()
      return ""
    end }))
  end
end

if plain51 then
  waits.places["pcall of Lua 5.1"] = function(fn)
    local ok, problem = pcall(fn)
    if not ok then error(problem, 0) end
  end
  waits.places["the iterator of a for of Lua 5.1"] = function(fn)
    for _ in fn do error "it has waited" end
  end
  waits.places["__add of Lua 5.1"] = function(fn)
    return setmetatable({}, { __add = function() fn() end }) + 1
  end
end

-- ---- what may be around a wait, inside of such a place ----

waits.around = {
  ["nothing"] = function(fn) return fn() end,
  ["loop.pcall"] = function(fn)
    local ok, problem = loop.pcall(fn)
    if not ok then error(problem, 0) end
  end,
  ["deadlines"] = function(fn)
    loop.deadline(60, function() loop.deadline(0.001, fn) end)
  end,
  ["loop.pcall of a deadline"] = function(fn)
    local ok, problem = loop.pcall(loop.deadline, 0.001, fn)
    if not ok then error(problem, 0) end
  end,
}

-- ---- worlds ----

local function pair()
  local near, far = assert(lsocket.pair())
  return near, far
end

local function streams()
  local near, far = pair()
  return stream.new(near), stream.new(far)
end

-- Something of each kind that nothing happens to.
function waits.world()
  local world = {}
  world.silent, world.voice = pair()
  world.reader, world.source = streams()
  world.full, world.drain = pair()
  helper.fill(world.full)
  world.writer, world.sink = stream.new(world.full), stream.new(world.drain)
  world.busy, world.idle = streams()
  world.filler = loop.spawn(world.busy.write, world.busy, ("x"):rep(1000000))
  world.gate, world.key = pair()
  world.task = loop.spawn(function()
    loop.wait(world.gate, "r")
    return "ended"
  end)
  world.listener = assert(loop.listen("127.0.0.1", 0))
  world.port = world.listener:info("socket").port
  world.server = assert(loop.serve("127.0.0.1", 0, function(client) client:read() end))
  world.client = assert(loop.connect("127.0.0.1", world.server:info("socket").port))
  world.empty, world.filled = loop.queue(0), loop.queue(1)
  world.semaphore, world.event = loop.semaphore(0), loop.event()
  world.filled:put "the first"
  world.signals = assert(loop.signals "USR1")
  loop.sleep(0)
  return world
end

-- Takes what was written, until nothing comes for a moment.
local function swallow(source)
  while loop.deadline(0.02, source.readsome, source) do end
end

local function expect(wanted, what, got, message)
  if got ~= wanted then error(("%s: %s, %s"):format(what, tostring(got), tostring(message)), 0) end
end

local function takes(seconds, wanted, what, fn, ...)
  local begun = loop.now()
  local got, message = fn(...)
  expect(wanted, what, got, message)
  local took = loop.now() - begun
  if took < seconds then error(("%s: after %.4f s"):format(what, took), 0) end
end

-- Nobody stands in a queue who does not wait.
local function check_between(world)
  expect("the first", "get", world.filled:get())
  expect(0, "count", world.filled:count())
  expect(true, "put", world.filled:put "the first")
  local putter = loop.spawn(world.empty.put, world.empty, "handed over")
  expect("handed over", "get", world.empty:get())
  expect(true, "put", putter:join())
  local acquirer = loop.spawn(world.semaphore.acquire, world.semaphore)
  loop.sleep(0)
  world.semaphore:release()
  expect(true, "acquire", acquirer:join())
  expect(nil, "acquire", loop.deadline(0.001, world.semaphore.acquire, world.semaphore))
  expect(1, "group", loop.group(function(group) return group:spawn(function() return 1 end):join() end))
end

-- What does not change the world.
function waits.check(world)
  takes(0.002, true, "sleep", loop.sleep, 0.002)
  takes(0.002, false, "wait", loop.wait, world.silent, "r", 0.002)
  takes(0.002, nil, "deadline", loop.deadline, 0.002, loop.sleep, helper.patience)
  loop.spawn(world.source.write, world.source, "a line,\n")
  expect("a line,", "read", world.reader:read())
  world.voice:send "x"
  expect("r", "wait", loop.wait(world.silent, "r", helper.patience))
  expect("x", "recv", world.silent:recv())
  local task = loop.spawn(function()
    loop.sleep(0)
    return "joined"
  end)
  expect("joined", "join", task:join())
  check_between(world)
end

-- What uses it up.
function waits.finish(world)
  waits.check(world)
  loop.spawn(swallow, world.sink)
  expect(true, "write", world.writer:write "x")
  loop.spawn(swallow, world.idle)
  expect(true, "the write before", world.filler:join())
  expect(true, "write in turn", world.busy:write "x")
  sending.raise "USR1"
  expect("USR1", "wait for signals", world.signals:wait())
  world.key:send "x"
  expect("ended", "join", world.task:join())
  local client = assert(loop.connect("localhost", world.port))
  local accepted = assert(world.listener:accept())
  client:close()
  accepted:close()
  world.listener:close()
  expect(false, "close of a server", world.server:close(0))
  for name in ("silent voice reader source writer sink busy idle gate key client signals"):gmatch "%a+" do
    world[name]:close()
  end
end

return waits
