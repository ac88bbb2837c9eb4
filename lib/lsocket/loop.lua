-- The loop: what programs call. What it is made of is in loop/, a concept a file.
local check = require "lsocket.loop.check"
local connecting = require "lsocket.loop.connect"
local deadlines = require "lsocket.loop.deadlines"
local engine = require "lsocket.loop.engine"
local events = require "lsocket.loop.event"
local groups = require "lsocket.loop.group"
local lsocket = require "lsocket"
local names = require "lsocket.loop.names"
local polling = require "lsocket.loop.polling"
local protect = require "lsocket.loop.protect"
local races = require "lsocket.loop.race"
local ready = require "lsocket.loop.ready"
local selecting = require "lsocket.loop.select"
local semaphores = require "lsocket.loop.semaphore"
local servers = require "lsocket.loop.server"
local signals = require "lsocket.loop.signals"
local tasks = require "lsocket.loop.tasks"
local turns = require "lsocket.loop.turns"
local valuequeues = require "lsocket.loop.valuequeue"
local waits = require "lsocket.loop.waits"
local wraps = require "lsocket.loop.wrap"

local loop = {
  connect = connecting.connect, deadline = deadlines.deadline, engine = engine.engine, event = events.new,
  getfd = polling.getfd, group = groups.group, listen = servers.listen, now = lsocket.now, pcall = protect.pcall,
  queue = valuequeues.new, race = races.race, resolve = names.resolve, reverse = names.reverse,
  running = waits.running, select = selecting.select, semaphore = semaphores.new, serve = servers.serve,
  signals = signals.signals, sleep = deadlines.sleep, wait = ready.wait, wrap = wraps.wrap,
}

-- A task has failed that nobody joins.
function loop.onerror(_, trace)
  io.stderr:write("lsocket.loop: ", trace, "\n")
end

-- Calls onerror, in a coroutine of its own as one that yields must not stop the loop: nil | what is wrong with it
local function tell(task, trace)
  local thread = coroutine.create(function() loop.onerror(task, trace) end)
  local ok, problem = coroutine.resume(thread)
  if not ok then return check.text(problem) end
  if coroutine.status(thread) ~= "dead" then return "it has yielded" end
end

-- Tells of an error, whatever happens: onerror may fail, and standard error be closed.
function tasks.report(task, trace)
  local problem = tell(task, trace)
  if not problem then return end
  pcall(function() io.stderr:write("lsocket.loop: onerror: ", problem, "\n", trace, "\n") end)
end

-- loop.run(fn, ...) -> what fn gives, when no task is left;  raises fn's error
function loop.run(fn, ...)
  check.callable(fn, 1, "run")
  return turns.run(fn, ...)
end

-- loop.step([timeout]) -> seconds until the next call must come | false: no task is left
function loop.step(timeout)
  if timeout ~= nil then check.number(timeout, 1, "step") end
  return turns.step(timeout)
end

-- loop.spawn(fn, ...) -> task
function loop.spawn(fn, ...)
  check.callable(fn, 1, "spawn")
  return tasks.spawn(fn, ...)
end

return loop
