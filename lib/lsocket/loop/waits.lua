-- Waiting: the one way into it, and the one way out. What is waited for is left to the kinds of waits.
--
-- A task only tells yield what it waits for; the loop enters the wait when the task has really stopped. So a wait that
-- raises, as its coroutine cannot yield there, has done nothing. A kind of waits is a table of two functions:
--   enter(task, what, how) -> true: it waits | a, b, c: what it gets instead, in the next turn. May raise, half-done
--   leave(task, what, how): undoes what enter did, or had begun to do. Never raises
-- and perhaps the field firm: neither a cancel nor a deadline ends such a wait.
-- Only the loop enters and only leave undoes: where no task waits there is no trace of a wait. A task that waits has
-- the kind in its field wait (else false), and what and how; or in wait the watch alone that it reads from.
local line = require "lsocket.loop.line"
local check = require "lsocket.loop.check"
local lsocket = require "lsocket"
local timers = require "lsocket.loop.timers"

local resume, yield, running = coroutine.resume, coroutine.yield, coroutine.running
local isyieldable = coroutine.isyieldable -- which not every Lua has
local pcall, clock, push, pack = pcall, lsocket.now, line.push, line.pack
local yield_if = getmetatable(lsocket.buffer()).__yieldif -- (thread, ...): yields if that runs, else gives the first
local add, remove, mend = timers.add, timers.remove, timers.recover

-- Does pcall let a coroutine yield? If not, a task has several coroutines, see protect.lua.
local NATIVE = _VERSION ~= "Lua 5.1" or rawget(_G, "jit")
local INNER = NATIVE and "thread" or "inner" -- the field of a task with the one that waits

local waits = { NATIVE = NATIVE, INNER = INNER }

local TIMED_OUT, CANCELED = "The deadline has passed", "Operation canceled"

local current = false        -- the task that runs
local now = { free = false } -- what that task has in this field, or false: it is to be looked at
waits.now, waits.yield_if = now, yield_if
local stopped -- (task, ok, problem): its coroutine has stopped, but not to wait
local unwind  -- (task) -> true: only coroutines that were left stood above the one that runs; see protect.lua

-- What a task yields first: functions, as those are equal to nothing but themselves.
local function WAIT() end  -- kind, what, how, seconds
local function REST() end  -- seconds
local function READ() end  -- watch: it is to become readable
local function WRITE() end -- stream, data, data, data: the ring is to send it
local function PAUSE() end -- a, b, c: what the task gets when the others have had their turn
-- What a wait gives when entering it has raised, before the error.
local function RAISE() end

local check_watch -- (watch): raises where another task reads from it; false, message, name: it is closed
local ask         -- (task, watch, max): asks for what the task waits for, or wakes it
local send        -- (task, stream, data, data, data): has the ring send it, or wakes the task
local leave_send  -- (task, stream): does not wait any more until the ring has sent something
local leave_watch -- (task, watch): does not wait to read from it any more
local lay_aside   -- (stream): a task waits to read from it, which has a buffer

function waits.set(hooks)
  stopped, unwind = hooks.stopped or stopped, hooks.unwind or unwind
  check_watch, ask = hooks.check_watch or check_watch, hooks.ask or ask
  send, leave_send = hooks.send or send, hooks.leave_send or leave_send
  leave_watch, lay_aside = hooks.leave_watch or leave_watch, hooks.lay_aside or lay_aside
end

-- The task that runs, or false.
function waits.current()
  return current
end

-- An error has cut the loop off: no task runs.
function waits.stop()
  current, now.free = false, false
end

-- The task that runs, and may wait here: every wait begins with asking for it.
local function this()
  local task = current
  if not task then check.raise "only a task can wait: see loop.run and loop.spawn" end
  if running() ~= task[INNER] and not unwind(task) then
    check.raise "a coroutine inside of a task cannot wait: spawn a task"
  end
  return task
end
waits.this = this

-- The task that runs and may wait here, or nil; Lua 5.1 and 5.2 do not tell whether a coroutine can yield.
function waits.running()
  local task = current
  if not task or isyieldable and not isyieldable() then return nil end
  return (running() == task[INNER] or unwind(task)) and task or nil
end

-- May a task wait? Not if it is cancelled: its next wait is told so. Or doomed: so is every later one, see doom.lua. Or
-- overdue: its deadline has passed.
local function look(task)
  now.free = false
  task.free = not (task.cancelled or task.doomed or task.overdue) and task[INNER]
end

-- From now on another coroutine of the task waits.
function waits.set_inner(task, thread)
  now.free = false -- first, as an error may come between any two
  task.inner = thread
  look(task)
end

function waits.cancel(task)
  task.cancelled = true
  look(task)
end

-- doomed: false, or the time at which what the task does must have ended
function waits.set_doomed(task, doomed)
  task.doomed = doomed
  look(task)
end

-- In this order, so that free says which tasks may have to be put right.
function waits.set_overdue(task, overdue)
  if overdue then task.free = false end
  task.overdue = overdue
  look(task)
end

-- What a wait gives instead of waiting: a cancel is told once, the others until they are over. The other tasks have
-- their turn first, so that a task that does not heed the answer keeps nobody from running.
local function interrupt(task)
  local doomed = task.doomed
  if not (task.cancelled or doomed) then return yield(PAUSE, nil, TIMED_OUT, "ETIMEDOUT") end
  if doomed and doomed <= clock() and doomed ~= task.limit then
    check.raise "its group is over, and it has waited for a second since"
  end
  task.cancelled = false
  look(task)
  return yield(PAUSE, nil, CANCELED, "ECANCELED")
end

-- As yield, but looks at the task before.
local function yield_with_care(...)
  local task = this()
  if not task.free then return interrupt(task) end
  return yield(...)
end

-- Gives the others their turn: true | nil, message, name
function waits.pause()
  if yield_if(now.free, PAUSE) == PAUSE then
    if not this().free then return interrupt(current) end
    yield(PAUSE)
  end
  local due = current.due
  if due and (current.overdue or due <= clock()) then return nil, TIMED_OUT, "ETIMEDOUT" end -- it has passed meanwhile
  return true
end

local function result(a, b, c)
  if a == RAISE then check.raise(b) end
  return a, b, c
end

-- Waits: what wake is called with | false: so many seconds have passed | nil, message, name
function waits.wait(kind, what, how, seconds)
  local a, b, c = yield_if(now.free, WAIT, kind, what, how, seconds)
  if a == WAIT then a, b, c = yield_with_care(WAIT, kind, what, how, seconds) end
  return result(a, b, c)
end

-- Waits for nothing but time, as many tasks do, with little on their stacks: true | nil, message, name
function waits.rest(seconds)
  local a, b, c = yield_if(now.free, REST, seconds)
  if a == REST then a, b, c = yield_with_care(REST, seconds) end
  if a == nil then return nil, b, c end
  if a == RAISE then check.raise(b) end
  return true
end

-- Waits to read from a watch: true, what a wait gives, or false, error: it cannot be waited for. Most waits are such,
-- and a function that finds no task reading from the watch, and now.free to be the coroutine that runs, yields READ and
-- the watch itself: that is quick, and takes little of the task's stack, which stays as deep as it once was.
function waits.read(watch, max)
  local free, message, name = check_watch(watch)
  if free == false then return nil, message, name end
  return yield_with_care(READ, watch, max)
end
waits.READ, waits.WRITE = READ, WRITE

-- May the task that runs stop here to have the ring send by a socket? Else, or where nobody can tell, it sends itself.
local here -- (thread, sock): is that the coroutine that runs, may it yield here, does a ring send by that socket?
function waits.may_send(sock)
  return here(now.free, sock)
end

-- Waits, whatever has been told to the task: only for a kind that is firm, and ends by itself.
function waits.wait_firmly(kind, what)
  this()
  return result(yield(WAIT, kind, what))
end

-- ---- what the loop does ----

local function leave(task)
  local kind = task.wait
  task.wait = false
  if kind.r == task then return leave_watch(task, kind) end
  if kind.holder == task then leave_send(task, kind) else kind.leave(task, task.what, task.how) end
  if task.place then remove(task) end
end

-- Lets a task that waits go on in the next turn, its wait giving a, b, c: true | false: it does not wait
local function wake(task, a, b, c)
  if b ~= nil then a = pack(a, b, c) end
  if not task.wait then return false end -- perhaps only since then
  push(task, a) -- first, as memory may end here
  leave(task)
  return true
end
waits.wake = wake

local function cut_off(task, message, name)
  local kind = task.wait
  if not kind or kind.firm then return false end
  return wake(task, nil, message, name)
end

-- Tells a task that waits that it is not to wait any more; false: it does not wait so.
function waits.dismiss(task)
  return cut_off(task, CANCELED, "ECANCELED")
end

function waits.expire(task)
  return cut_off(task, TIMED_OUT, "ETIMEDOUT")
end

-- What a wait gives that has lasted too long: nil, message, name
function waits.timed_out()
  return nil, TIMED_OUT, "ETIMEDOUT"
end

local function enter(task, kind, what, how, seconds)
  task.wait, task.how, task.what = kind, how, what -- from right to left: what leave needs is there
  local a, b, c = kind.enter(task, what, how)
  if a == true and seconds and task.wait then add(task, clock() + seconds) end
  return a, b, c
end

-- A wait has raised as it began, perhaps in the middle of the heap; or before it began, where memory ends.
local function refuse(task, problem)
  pcall(mend)
  if not wake(task, RAISE, problem) then push(task, pack(RAISE, problem)) end
end

local function begin(task, kind, what, how, seconds)
  local entered, a, b, c = pcall(enter, task, kind, what, how, seconds)
  if not entered then return refuse(task, a) end
  if a ~= true then wake(task, a, b, c) end
end

-- The kind of a task that rests: all that can be undone is its timer.
local resting = { leave = remove }
waits.leave, waits.resting = leave, resting

local function rest(task, seconds)
  if task.what ~= nil then task.what, task.how = nil, nil end -- of the wait before
  task.wait = resting
  local added, problem = pcall(add, task, clock() + seconds)
  if not added then refuse(task, problem) end
end

-- A task has stopped: to wait, or for good.
local function settle(task, ok, token, kind, what, how, seconds)
  if token == READ then
    kind.r, task.wait = task, kind -- from right to left, as below
    if kind.buffer then lay_aside(kind) end
    if kind.events ~= "r" then ask(task, kind, what) end
  elseif token == REST then
    rest(task, kind)
  elseif token == WRITE then
    task.wait, kind.holder = kind, task
    send(task, kind, what, how, seconds)
  elseif token == WAIT then
    begin(task, kind, what, how, seconds)
  elseif token == PAUSE then
    if what ~= nil then kind = pack(kind, what, how) end
    push(task, kind)
  else
    stopped(task, ok, token)
  end
end

-- Lets a task run, until it waits or ends.
function waits.proceed(task, a, b, c)
  current = task
  now.free = task.free
  local ok, token, kind, what, how, seconds = resume(task.thread, a, b, c)
  current, now.free = false, false
  return settle(task, ok, token, kind, what, how, seconds)
end

-- Lets those run that wait to read from watches. As this is what the loop does most, it is all in one function.
function waits.resume_readers(list, lapse)
  for i = 1, #list do
    local watch = list[i]
    local task = watch.r
    if task then
      if task.wait == watch then -- as leave would, but for the lapse
        task.wait = false
        watch.r = false
      else
        leave(task)
      end
      current = task
      now.free = task.free
      local ok, token, kind, what, how, seconds = resume(task.thread, "r", watch)
      current = false
      if token == READ and kind == watch and watch.events == "r" then
        task.wait = watch
        watch.r = task
        if watch.buffer then lay_aside(watch) end
      else
        settle(task, ok, token, kind, what, how, seconds)
        if not watch.r then lapse(watch) end
      end
    end
  end
  now.free = false
end

-- ---- with a ring, see rings.lua ----

local ring, receive, transmit, missed, release, lapse

function waits.set_ring(...)
  ring, receive, transmit, here, missed, release, lapse = ...
end

-- A task has stopped, that a ring has let run, and not to receive or to send by the same stream at once.
local function settle_otherwise(stream, ...)
  settle(...)
  if not stream.r then lapse(stream) end
end

-- Lets those run for which a ring has received something. other: not all of it is data. What a task has got leaves the
-- list before it runs, and what one takes from another that is cancelled, see rings.lua.
function waits.resume_received(list, data, count, other)
  local mark = "d"
  for i = 1, count do
    local stream, what = list[i], data[i]
    local task = stream and stream.r
    list[i] = false
    if task then
      if task.wait == stream then task.wait, stream.r = false, false else leave(task) end
      if other then mark = type(what) == "string" and "d" or "e" end
      current = task
      now.free = task.free
      local ok, token, kind, a, b, c = resume(task.thread, mark, what)
      current = false
      if token == WRITE and kind == stream and transmit(ring, stream.object, stream, a, b, c) then
        task.wait = stream
        stream.holder = task
      elseif token == READ and kind == stream and stream.events == "ring" and
        receive(ring, stream.object, stream, a) then
        task.wait = stream
        stream.r = task
        if stream.buffer then lay_aside(stream) end
      else
        settle_otherwise(stream, task, ok, token, kind, a, b, c)
      end
    elseif stream then
      missed(stream, what)
    end
  end
  now.free = false
end

-- Lets those run for which it has sent something.
function waits.resume_senders(list, sent, count)
  for i = 1, count do
    local stream, what = list[i], sent[i]
    local task = stream and stream.holder
    list[i] = false
    if task and task.wait == stream then
      task.wait = false
      if task.place then remove(task) end
      if what == true and not stream.queue then stream.holder = false else release(stream, task, what) end
      current = task
      now.free = task.free
      local ok, token, kind, a, b, c = resume(task.thread, what)
      current = false
      if token == READ and kind == stream and stream.events == "ring" and receive(ring, stream.object, stream, a) then
        task.wait = stream
        stream.r = task
        if stream.buffer then lay_aside(stream) end
      elseif token == WRITE and kind == stream and transmit(ring, stream.object, stream, a, b, c) then
        task.wait = stream
        stream.holder = task
      else
        settle_otherwise(stream, task, ok, token, kind, a, b, c)
      end
    end
  end
  now.free = false
end

return waits
