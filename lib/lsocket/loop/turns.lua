-- Turns: who runs when, until no task is left.
--
-- Between turns no task runs. In a turn every task in line goes on, then the poller is waited for: the readers of what
-- has come run at once, whoever else has waited goes in line, as those do whose time has come. So no task is ever
-- resumed from inside of another.
local check = require "lsocket.loop.check"
local deadlines = require "lsocket.loop.deadlines"
local engine = require "lsocket.loop.engine"
local line = require "lsocket.loop.line"
local lsocket = require "lsocket"
local polling = require "lsocket.loop.polling"
local queues = require "lsocket.loop.queues"
local recovery = require "lsocket.loop.recovery"
local tasks = require "lsocket.loop.tasks"
local timers = require "lsocket.loop.timers"
local waits = require "lsocket.loop.waits"
local watches = require "lsocket.loop.watches"

local clock, advance, proceed = lsocket.now, line.advance, waits.proceed
local poll, fire, in_line, heap = polling.poll, deadlines.fire, line.state, timers.heap
local unarmed, arm = timers.unarmed, timers.arm

local turns = {}

local turning = false  -- a turn is under way
local checking = false -- run looks whether everything is as it must be after each turn

-- Seconds until the next turn must begin; nil: for ever.
local function time_left()
  if in_line.count > 0 then return 0 end
  local first = heap[1]
  return first and math.max(0, first.when - clock())
end

-- There is nothing to wait for but time: true | false: no task is left
local function sleep(timeout)
  if in_line.count > 0 then return true end
  if tasks.alive == 0 then return false end
  if not timeout then deadlines.drop_spent() end
  local left = timers.earlier(timeout, time_left())
  if not left then error("every task waits for another one", 0) end
  polling.sleep(left)
  return true
end

-- A turn lets go on whoever can, then waits for what comes, at most so many seconds. One turn, or as many as there are:
-- true | false: no task is left
local function turn(timeout, many)
  repeat
    local left = timeout
    if in_line.count > 0 then
      advance(proceed)
      if in_line.count > 0 then left = 0 end
    end
    if unarmed[1] then arm() end
    local more, now = poll(left, many)
    if not more then
      if not sleep(timeout) then return false end
      now = heap[1] and clock()
    end
    if now then fire(now) end
  until not many
  return true
end

local function check_outside()
  if turning or waits.current() then check.raise "the loop runs already: this is one of its tasks" end
end

local function take(fn, ...)
  turning = true
  local result = fn(...)
  turning = false
  return result
end

-- Calls fn(...), in which there are turns: true, what it gives | false, error. Wherever an error comes, turning is
-- false afterwards.
local function take_turns(fn, ...)
  local ok, result = pcall(take, fn, ...)
  if not ok then pcall(take, recovery.recover) end
  turning = false
  return ok, result
end

-- false: no task is left | seconds until it must be called again, if the poller's descriptor does not become readable
function turns.step(timeout)
  check_outside()
  polling.open()
  local ok, problem = take_turns(turn, timeout and timeout >= 0 and timeout or nil)
  if not ok then error(problem, 0) end
  if tasks.alive == 0 then
    polling.sleep(0) -- so that the poller's descriptor tells of nothing that has been due
    return false
  end
  arm()
  return polling.holds() and 0 or time_left() or math.huge
end

local function forget()
  tasks.clear()
  line.clear()
  timers.clear()
  polling.clear()
end

-- Forgets everything: the state of a loop without tasks. What is closed then may call the loop, and is not to turn it.
local function clear()
  local ok, problem = take_turns(forget)
  if ok then return end
  take_turns(forget)
  error(problem, 0)
end

-- The first task has ended: if it failed, the others are not to go on as if nothing were.
local function end_main(main)
  if main.failed then tasks.doom() end
end

-- Runs fn(...) as the first task until no task is left, and gives that task.
local function finish(fn, ...)
  local main = tasks.spawn(fn, ...)
  main.owned, main.onend = true, end_main
  while turn(nil, not checking) do
    if checking then turns.invariant() end
  end
  return main
end

-- Runs until no task is left, and gives what the first one has given.
function turns.run(fn, ...)
  check_outside()
  polling.open()
  engine.start()
  local ok, main = take_turns(finish, fn, ...)
  clear()
  if not ok then error(main, 0) end
  if main.failed and type(main.problem) == "string" then error(main.trace, 0) end
  return tasks.outcome(main)
end

-- ---- for tests ----

function turns.check(wanted)
  checking = wanted
end

-- Does what a task waits for know it?
local function is_known(task)
  local kind = task.wait
  if kind and kind.object then return kind.r == task or kind.holder == task end -- a watch
  if task.wait == watches.one then return task.what.r == task or task.what.w == task end
  if task.wait ~= watches.any then return true end -- it waits for no watch, or by a kind that is made of any
  for _, watch in ipairs(task.what) do
    if watch.r ~= task and watch.w ~= task then return false end
  end
  return true
end

-- Raises where something is not as the heads of these files say. To be called between turns.
function turns.invariant()
  assert(not waits.current(), "a task runs between turns")
  arm()
  local standing = {}
  line.each(function(task)
    assert(not standing[task], "a task is in line twice")
    assert(not task.wait and not task.ended, "a task is in line that waits or has ended")
    standing[task] = true
  end)
  tasks.each(function(task)
    assert(standing[task] or task.wait, "a task has been forgotten")
    assert(is_known(task), "a task waits for a watch that does not know it")
    queues.invariant(task)
    deadlines.invariant(task)
  end)
  timers.invariant()
  watches.invariant()
end

return turns
