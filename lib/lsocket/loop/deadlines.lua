-- Time: sleeping, deadlines, and the timers that go off.
--
-- A task's field due is the earliest of its deadlines, or false; overdue is true when it has passed. Its alarm is the
-- timer of its deadlines, and when the loop waits it is never later than due. It may go off earlier, as it stays where
-- it is when a deadline's function has ended: tasks that enter one deadline after the other leave the heap alone. If
-- the task is doomed it goes off at its limit, too.
local check = require "lsocket.loop.check"
local protect = require "lsocket.loop.protect"
local timeouts = require "lsocket.loop.timeouts"
local timers = require "lsocket.loop.timers"
local waits = require "lsocket.loop.waits"

local clock, huge, number, callable = require("lsocket").now, math.huge, check.number, check.callable
local this, rest, pause, wake = waits.this, waits.rest, waits.pause, waits.wake
local set_alarm, want_alarm = timers.set_alarm, timers.want_alarm

local deadlines = {
  outlive = nil, -- (task): it is doomed, and has not ended by its limit. tasks.lua sets it
}

-- loop.sleep(seconds) -> true | nil, message, name
function deadlines.sleep(seconds)
  number(seconds, 1, "sleep")
  if seconds > 0 then return rest(seconds) end
  return pause()
end

local function finish(task, around, ok, ...)
  if ok then return ... end
  protect.restore(task, around)
  return protect.raise(...)
end

-- A deadline that was over before it began.
local function call_overdue(task, fn, ...)
  waits.set_overdue(task, true)
  return fn(...)
end

-- loop.deadline(seconds, fn, ...) -> what fn gives;  a wait that lasts longer answers nil, message, "ETIMEDOUT"
function deadlines.deadline(seconds, fn, ...)
  number(seconds, 1, "deadline")
  callable(fn, 2, "deadline")
  local task = this()
  local around, now = task.due, clock()
  local due = now + seconds
  if due == huge then return fn(...) end -- none: run is to see where every task waits for another one
  if around and around <= due then
    if around <= now then waits.set_overdue(task, true) end -- before its alarm
    return fn(...)
  end
  want_alarm(task, due)
  if seconds <= 0 then return finish(task, around, protect.call(task, due, call_overdue, task, fn, ...)) end
  return finish(task, around, protect.call(task, due, fn, ...))
end

-- The alarm has gone off, and is out of the heap.
local function sound(task, now)
  local due, limit = task.due, task.limit
  if limit and limit <= now then return deadlines.outlive(task) end
  if due and due <= now then
    waits.set_overdue(task, true)
    waits.expire(task)
    due = false
  end
  local coming = timers.earlier(due, limit)
  if coming then set_alarm(task, coming) end
end

-- Wakes those whose time has come by then: not those who have begun to wait since the poller was asked, as what they
-- wait for may be there.
function deadlines.fire(now)
  local timer = timers.due(now)
  while timer do
    if timer.wait then
      wake(timer, false)
    elseif timer.task then
      sound(timer.task, now)
    else
      timer.sound(timer, now)
    end
    timer = timers.due(now)
  end
end

-- The alarm of a deadline that is over, or the time-out of a stream that nobody reads.
local function is_spent(timer)
  local task = timer.task
  if task then return not (task.due or task.limit) end
  return not timer.wait and timeouts.is_spent(timer)
end

-- Takes out the first timers while nobody needs them: where nothing else can happen any more, they must not hide it.
function deadlines.drop_spent()
  local first = timers.heap[1]
  while first and is_spent(first) do
    timers.remove(first)
    first = timers.heap[1]
  end
end

-- A task that has an alarm has ended.
function deadlines.forget(task)
  timers.remove(task.alarm)
end

function deadlines.invariant(task)
  local due = task.due
  local armed = due and task.alarm.place and task.alarm.when <= due
  assert(not due or task.overdue or armed, "an alarm is later than its deadline")
end

return deadlines
