-- Looks names up with a name server that never answers, as spec/silent/run provides: lookups.lua WHAT
local lsocket = require "lsocket"
local process = require "spec.process"
local system = require "system"

local server = assert(lsocket.bind("udp", "127.0.0.1", 53)) -- the name server; nobody reads what it is asked
local patience = 30

local function start(count)
  local list = {}
  for i = 1, count do list[i] = assert(lsocket.lookup(("name%d.example"):format(i))) end
  return list
end

-- Answers what was asked, and is asked meanwhile, with "no such name", until all lookups are done.
local function answer(list)
  local left = #list
  local poller = assert(lsocket.poller())
  for _, lookup in ipairs(list) do assert(poller:add(lookup, "r")) end
  poller:add(server, "r")
  while left > 0 do
    for _, object in ipairs(assert(poller:wait(patience), "the resolver does not end")) do
      if object == server then
        local question, address, port = server:recvfrom()
        server:sendto(question:sub(1, 2) .. "\129\131" .. question:sub(5), address, port)
      else
        local result, _, name = object:result()
        assert(result == nil and name == "EAI_NONAME", name)
        object:cancel()
        left = left - 1
      end
    end
  end
  assert(#poller == 1)
end

local children = {}

-- Prints by how many milliseconds timers of 1 ms are late: at the 99th percentile, and at the most.
function children.timers()
  local poller = assert(lsocket.poller())
  for _, lookup in ipairs(start(100)) do assert(poller:add(lookup, "r")) end
  local late = {}
  for i = 1, 1000 do
    local before = system.monotime()
    assert(poller:wait(0.001) == false)
    late[i] = (system.monotime() - before - 0.001) * 1000
  end
  table.sort(late)
  print(("%.3f %.3f"):format(late[990], late[1000]))
end

-- Prints the longest time in milliseconds that a call took, of those that start, ask for and cancel lookups.
function children.calls()
  local longest = 0
  local function timed(call, ...)
    local before = system.monotime()
    local result = call(...)
    longest = math.max(longest, system.monotime() - before)
    return result
  end
  for i = 1, 100 do
    local lookup = timed(lsocket.lookup, "name" .. i)
    assert(timed(lookup.result, lookup) == false and timed(lookup.getfd, lookup) >= 0)
    if i % 2 == 0 then timed(lookup.cancel, lookup) end
  end
  timed(collectgarbage)
  print(("%.3f"):format(longest * 1000))
end

-- Other names are looked up meanwhile.
function children.others()
  local list = start(10)
  for _ = 1, 100 do
    local lookup = lsocket.lookup "localhost"
    assert(lsocket.select({ lookup }, patience), "localhost waits for the others")
    assert(lookup:result()[1].addr)
  end
  for _, lookup in ipairs(list) do assert(lookup:result() == false) end
  print "answered"
end

-- Very many at once; descriptors are taken only where somebody asks for them.
function children.many()
  local list, before = start(5000), process.bells()
  for i = 4000, 5000 do assert(list[i]:cancel()) end
  for i = 1, 100 do assert(lsocket.select({ list[i] }, 0) == false) end
  local taken = process.bells() - before
  assert(taken == 100 or taken == 200, taken) -- a pipe is two
  local own = os.getenv "LS_EMULATED" and 1 or 0 -- qemu-user has a thread of its own
  assert(process.threads() <= 65 + own, process.threads())
  print "waiting"
end

-- What is cancelled, or forgotten, does not hold others up while there are threads left; but there is a bound to these.
function children.places()
  local own = os.getenv "LS_EMULATED" and 1 or 0
  for _ = 1, 3 do
    local list = start(16)
    for i = 1, 8 do
      list[i]:cancel()
      list[i + 8] = nil
    end
    list = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    local lookup = assert(lsocket.lookup "localhost")
    assert(lsocket.select({ lookup }, patience / 2), "no place")
    assert(lookup:result()[1].addr)
  end
  for i = 1, 100 do
    for _, lookup in ipairs(start(16)) do lookup:cancel() end
    assert(process.threads() <= 65 + own, process.threads())
    if i % 10 == 0 then lsocket.select(0.001) end
  end
  print "answered"
end

-- The answers come at last.
function children.late()
  local list = start(100)
  assert(lsocket.select({ list[1], list[100] }, 0.05) == false)
  for i = 81, 100 do
    list[i]:cancel()
    list[i] = nil
  end
  answer(list)
  print "answered"
end

-- A forked child goes on with what was asked before, as its parent does; LuaJIT needs no help to fork. The child has
-- the name server's socket, too, and answers what its parent has asked.
function children.fork()
  local ffi = require "ffi"
  ffi.cdef "int fork(void); int waitpid(int, int *, int);"
  local list = start(40)
  assert(lsocket.select(list, 0.05) == false)
  local child = ffi.C.fork()
  if child == 0 then
    assert(lsocket.lookup "localhost")
    answer(list)
    os.exit(7)
  end
  local status = ffi.new "int[1]"
  assert(ffi.C.waitpid(child, status, 0) == child)
  answer(list)
  print(status[0] / 256)
end

-- The end of a program, in each way.
function children.ending()
  start(50)
  print "ended"
end

function children.exit()
  start(50)
  io.stdout:write "ended\n"
  io.stdout:flush()
  os.exit(0)
end

function children.closing()
  start(50)
  io.stdout:write "ended\n"
  os.exit(0, true) -- closes the state, where the interpreter can
end

children[arg[1]]()
