-- socket.select: of this library's objects, and of all that has the methods getfd and dirty. In a task the other tasks
-- run meanwhile: the loop waits for a poller that has what this call asks about.
local arguments = require "lsocket.luasocket.arguments"
local check = require "lsocket.loop.check"
local classes = require "lsocket.luasocket.classes"
local loop_select = require("lsocket.loop.select").select
local lsocket = require "lsocket"
local protect = require "lsocket.loop.protect"
local ready = require "lsocket.loop.ready"
local waiting = require "lsocket.luasocket.waiting"
local waits = require "lsocket.loop.waits"
local yielding = require "lsocket.luasocket.yielding"

local selecting = {}

local clock, type, running = lsocket.now, type, yielding.task
local pause, take = waiting.pause, waiting.take
local ask = getmetatable(classes.closed).__select -- in C: see "LuaSocket's interface" in doc/design.md

-- ---- waiting in a task ----

-- Whose number is what a poller is asked about: the socket of an object of ours, or the number itself.
local function target_of(object)
  local fd = object.getfd and object:getfd()
  if type(fd) ~= "number" or fd < 0 then return nil end
  return type(object) == "table" and check.is_socket(object.object) and object.object or fd
end

local function note(events, list, event)
  for i = 1, list and #list or 0 do
    local target = target_of(list[i])
    if target then events[target] = events[target] and events[target] ~= event and "rw" or event end
  end
end

-- A poller gets all that can be waited for. What epoll does not take is always ready.
local function fill(poller, read, write)
  local events = {}
  note(events, read, "r")
  note(events, write, "w")
  for target, wanted in pairs(events) do poller:add(target, wanted) end
end

local function targets_of(list)
  local targets = {}
  for i = 1, list and #list or 0 do targets[#targets + 1] = target_of(list[i]) end
  return targets
end

local FOR_EVER = 1e9 -- seconds: nothing to wait for is no mistake here
local SOON = 0.005   -- seconds

-- The loop's own poller is asked. Where another task waits for one of them, it is not: then they are looked at again.
local function wait_in_loop(read, write, seconds)
  local called, ok = protect.pcall(loop_select, targets_of(read), targets_of(write), seconds)
  if called then return ok end
  return waits.rest(math.min(seconds, SOON))
end

-- A poller has no descriptor where it is that of poll(2).
local function wait_by(poller, read, write, seconds)
  if not poller:getfd() then return wait_in_loop(read, write, seconds or FOR_EVER) end
  fill(poller, read, write)
  return ready.wait(poller, "r", seconds)
end

-- Waits until anything may be ready: true | false: the time is over, or the task is to end
local function await(read, write, seconds)
  local poller = assert(lsocket.poller())
  local called, ok = protect.pcall(wait_by, poller, read, write, seconds)
  poller:close()
  if not called then check.again(ok) end
  return ok
end

local function wait_in_task(read, write, seconds)
  local due = seconds >= 0 and clock() + seconds
  local readable, writable, name = ask(read, write, 0)
  while name == "timeout" and seconds ~= 0 do
    if not await(read, write, due and math.max(due - clock(), 0) or nil) then break end
    readable, writable, name = ask(read, write, 0)
    if due and due <= clock() then break end
  end
  return readable, writable, name
end

-- ---- elsewhere ----

-- After a signal whose handler is Lua's, the program waits on.
local function wait_again(read, write, seconds, due)
  local readable, writable, name
  repeat
    readable, writable, name = ask(read, write, due and math.max(due - clock(), 0) or seconds)
  until name ~= "EINTR"
  return readable, writable, name
end

local function wait_at_once(read, write, seconds)
  local due = seconds > 0 and clock() + seconds
  local readable, writable, name = ask(read, write, seconds)
  if name == "EINTR" then return wait_again(read, write, seconds, due) end
  return readable, writable, name
end

-- ---- the function ----

local function check_list(list, arg)
  if list ~= nil and type(list) ~= "table" then check.fail(arg, "select", "table expected, got " .. type(list)) end
end

local function time_of(timeout)
  if timeout == nil then return -1 end
  return arguments.seconds(timeout, 3, "select")
end

local function finish(readable, writable, name)
  if not readable then check.raise "select failed" end
  if name then return readable, writable, name end
  return readable, writable
end

-- socket.select(read, write [, timeout]) -> readable, writable [, "timeout"];  both by numbers, and by what is in them
function selecting.select(read, write, timeout)
  check_list(read, 1)
  check_list(write, 2)
  local seconds = time_of(timeout)
  if (seconds == 0 and pause or take)() then seconds = 0 end
  return finish((running() and wait_in_task or wait_at_once)(read, write, seconds))
end

return selecting
