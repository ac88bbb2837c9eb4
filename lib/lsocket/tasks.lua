-- The scheduler: tasks, what they wait for, deadlines, and the poller. There is one for a Lua state. What is read and
-- written is left to the streams, names and servers to the loop.
--
-- A task that waits is parked: whatever it waits for knows it, and wakes it once. It cleans up behind its wait itself,
-- whoever has woken it. What comes to be read resumes the task at once; room to write, a timer, another task or a
-- cancel puts it in line for the next turn, so that no task is ever resumed from inside of another.
local lsocket = require "lsocket"
local check = require "lsocket.check"
local timers = require "lsocket.timers"

local create, resume, yield = coroutine.create, coroutine.resume, coroutine.yield
local running, status = coroutine.running, coroutine.status
local close = coroutine.close -- which not every Lua has
local unpack = table.unpack or unpack -- luacheck: ignore 143
local clock = lsocket.now

local tasks = {}
local Task = {}
local metatable = { __index = Task, __name = "task", __type = "task" }

local PARKED = {} -- what a task yields when it waits
local TIMED_OUT = "The deadline has passed"
local CANCELED = "Operation canceled"

-- A watch is what can be waited for: a table with the fields object (anything a poller takes), r and w (the task that
-- waits for it to be readable, writable, or false) and events (what the poller was asked for: "r", "w", "rw" or false).
local poller, wait
local watching, registered -- the watches that are in the poller; how many it must have
local lapsed, lapses       -- those that somebody has stopped to wait for: the poller is told before it waits
local heap                 -- the timers
local ready                -- the tasks that go on in this turn
local waiting, waits       -- those that go on in the next one, how many
local living, alive        -- the tasks that have not ended, how many
local current              -- the task that runs
local busy                 -- run has been called
local readable, writable   -- the watches that events came for in this turn

-- Ends a task that will have no turn any more.
local function abandon(task)
  local thread = task.thread
  task.ended, task.parked, task.results = true, false, { n = 3, nil, CANCELED, "ECANCELED" }
  task.thread, task.inner, task.cause = nil, nil, nil
  if close then close(thread) end
  if task.onend then task.onend(task) end
end

-- Forgets everything: the state of a loop that has no tasks. The poller is opened when it is needed.
local function clear()
  while living and next(living) do -- a task that ends may make others
    local left = living
    living = {}
    for task in pairs(left) do abandon(task) end
  end
  if poller then poller:close() end
  for watch in pairs(watching or {}) do watch.r, watch.w, watch.events = false, false, false end -- it may live on
  poller, watching, registered = nil, {}, 0
  lapsed, lapses, readable, writable = {}, 0, {}, {}
  heap = timers.new()
  ready, waiting, waits = {}, {}, 0
  living, alive = {}, 0
  current, busy = nil, false
end
clear()

local function opened()
  if not poller then
    poller = assert(lsocket.poller())
    wait = poller.wait
  end
  return poller
end

-- ---- waking and parking ----

-- Lets a task go on in the next turn, if it is parked; what it waits for answers a, b, c.
local function wake(task, a, b, c)
  if not task.parked then return false end
  waiting[waits + 1] = task -- first, as it may fail for want of memory
  task.a, task.b, task.c = a, b, c
  task.parked = false
  waits = waits + 1
  return true
end

-- The task that runs: every wait begins with asking for it.
local function this()
  local task = current
  if not task then error("only a task can wait: see loop.run and loop.spawn", 0) end
  if running() ~= task.inner then error("a coroutine inside of a task cannot wait: spawn a task", 0) end
  return task
end

local function park(task)
  task.parked = true
  return yield(PARKED)
end

-- Gives the others their turn, and answers a, b, c.
local function line_up(task, a, b, c)
  task.parked = true
  wake(task, a, b, c)
  return yield(PARKED)
end

-- What a wait answers instead of waiting: task.pending, which is TIMED_OUT until the deadline's end, CANCELED once, or
-- false. The others have their turn first, so that a task that does not heed the answer keeps nobody from running.
local function interrupt(task)
  if task.pending == TIMED_OUT then return line_up(task, nil, TIMED_OUT, "ETIMEDOUT") end
  task.pending = task.due and task.due <= clock() and TIMED_OUT
  return line_up(task, nil, CANCELED, "ECANCELED")
end

-- Gives the others their turn: true | nil, message, name
function tasks.pause()
  local task = this()
  if task.pending then return interrupt(task) end
  return line_up(task, true)
end

-- ---- timers ----

-- Wakes the task with false after some seconds, unless it is disarmed.
local function arm(task, seconds)
  local timer = task.timer
  if not timer then
    timer = { task = task }
    task.timer = timer
  end
  timer.when = clock() + seconds
  timers.add(heap, timer)
end

local function disarm(task)
  if task.timer then timers.remove(heap, task.timer) end
end

-- loop.sleep(seconds) -> true | nil, message, name
function tasks.sleep(seconds)
  check.number(seconds, 1, "sleep")
  if seconds <= 0 then return tasks.pause() end
  local task = this()
  if task.pending then return interrupt(task) end
  arm(task, seconds)
  local slept, message, name = park(task)
  disarm(task)
  if slept == false then return true end
  return nil, message, name
end

-- A task's alarm is the timer of its deadlines. It may go off early, as it stays in the heap when a deadline's function
-- has ended: tasks that enter one deadline after the other leave the heap alone.
local function set_alarm(task, due)
  local alarm = task.alarm
  if not alarm then
    alarm = { task = task, place = false }
    task.alarm = alarm
  end
  if not alarm.place then
    alarm.when = due
    timers.add(heap, alarm)
  elseif due < alarm.when then
    timers.advance(heap, alarm, due)
  end
end

-- The alarm has gone off, and is out of the heap.
local function sound(task, now)
  local due = task.due
  if not due then return end
  if due > now then return set_alarm(task, due) end
  task.pending = task.pending or TIMED_OUT
  wake(task, nil, TIMED_OUT, "ETIMEDOUT")
end

local function fire()
  local now = clock()
  local timer = timers.due(heap, now)
  while timer do
    local task = timer.task
    if timer == task.alarm then sound(task, now) else wake(task, false) end
    timer = timers.due(heap, now)
  end
end

-- ---- queues: lists of tasks that wait for another one ----

-- Waits at the end of the queue: true | false (somebody armed a timer) | nil, message, name
function tasks.queue(queue)
  local task = this()
  if task.pending then return interrupt(task) end
  queue[#queue + 1] = task
  local ok, message, name = park(task)
  for i = ok and 0 or #queue, 1, -1 do
    if queue[i] == task then table.remove(queue, i) end
  end
  return ok, message, name
end

-- Wakes the first one of a queue; false: nobody is there.
function tasks.wake_first(queue)
  while queue[1] do
    if wake(table.remove(queue, 1), true) then return true end
  end
  return false
end

-- Tells a whole queue that what it waits for will not be.
function tasks.dismiss(queue)
  for _, task in ipairs(queue) do wake(task, nil, CANCELED, "ECANCELED") end
end

-- ---- errors ----

-- Remembers where an error that will be raised again has come from.
local function remember(task, problem, thread)
  local cause = task.cause
  if cause and rawequal(cause.problem, problem) then return end
  task.cause = { problem = problem, trace = debug.traceback(thread, tostring(problem)) }
end

local protect = require "lsocket.protect"(function() return current end, remember)
local protected_call, handler = protect.call, protect.handler
tasks.pcall = protect.pcall

-- ---- tasks ----

-- Keeps a task's results, inside of its coroutine.
local function keep(task, ...)
  local count = select("#", ...)
  if count > 0 then task.results = { n = count, ... } end
end

-- What a task's coroutine runs. It is started at once, to hold the arguments, but goes on when it has its turn.
local function body(task, fn, ...)
  yield(PARKED)
  if task.pending then return keep(task, nil, CANCELED, "ECANCELED") end
  return keep(task, fn(...))
end

function tasks.spawn(fn, ...)
  local thread = create(body)
  local task = { thread = thread, inner = thread, parked = true, pending = false, due = false }
  setmetatable(task, metatable)
  resume(thread, task, fn, ...)
  waiting[waits + 1] = task -- first, as wake does it
  living[task] = true
  waits, alive = waits + 1, alive + 1
  task.parked = false
  return task
end

-- For whom a failure is not told by onerror, as somebody else will tell it.
local function has_joiner(task)
  return task.joiners and #task.joiners > 0
end

local function fail(task, problem)
  local cause = task.cause
  task.failed, task.problem = true, problem
  if cause and rawequal(cause.problem, problem) then
    task.trace = cause.trace
  else
    task.trace = debug.traceback(task.thread, tostring(problem))
  end
end

-- The task's coroutine has stopped, but not to wait: it has ended, or user code has yielded, which is a pause.
local function stopped(task, ok, problem)
  current = nil
  if ok and status(task.thread) ~= "dead" then
    task.parked = true
    return wake(task)
  end
  living[task] = nil
  alive = alive - 1
  if not ok then fail(task, problem) end
  task.ended, task.parked = true, false
  task.thread, task.inner, task.cause = nil, nil, nil
  if task.alarm then timers.remove(heap, task.alarm) end
  if not ok and not has_joiner(task) then tasks.report(task, task.trace) end
  if task.joiners then
    repeat until not tasks.wake_first(task.joiners)
  end
  if task.onend then task.onend(task) end
end

-- What run and join give: the task's results, or its error, raised.
local function outcome(task)
  if not task.failed then
    if task.results then return unpack(task.results, 1, task.results.n) end
    return
  end
  if current then current.cause = task end
  error(task.problem, 0)
end

local function check_task(self, name)
  if getmetatable(self) == metatable then return end
  error(("bad argument #1 to '%s' (task expected, got %s)"):format(name, type(self)), 3)
end

-- task:join() -> its results | nil, message, name;  raises its error
function Task:join()
  check_task(self, "join")
  if self.ended then return outcome(self) end
  local task = this()
  if task == self then error("a task cannot join itself", 2) end
  self.joiners = self.joiners or {}
  local joined, message, name = tasks.queue(self.joiners)
  if joined then return outcome(self) end
  return nil, message, name
end

-- task:cancel() -> true: its wait, or else its next one, answers nil, message, "ECANCELED" | false: it has ended
function Task:cancel()
  check_task(self, "cancel")
  if self.ended then return false end
  if self.parked then
    wake(self, nil, CANCELED, "ECANCELED")
  else
    self.pending = CANCELED
  end
  return true
end

-- ---- deadlines ----

-- A deadline's function has ended; the deadline around it, if there is one, holds again.
local function leave(task, around, ok, ...)
  task.due = around
  if task.pending == TIMED_OUT then task.pending = false end
  if around and not task.alarm.place then set_alarm(task, around) end
  if not ok then error((...), 0) end
  return ...
end

-- loop.deadline(seconds, fn, ...) -> what fn gives;  a wait that lasts longer answers nil, message, "ETIMEDOUT"
-- task.due is the earliest of its deadlines, or false.
function tasks.deadline(seconds, fn, ...)
  check.number(seconds, 1, "deadline")
  check.callable(fn, 2, "deadline")
  local task = this()
  local around, due = task.due, clock() + seconds
  if around and around <= due then return fn(...) end
  set_alarm(task, due)
  if seconds <= 0 then task.pending = task.pending or TIMED_OUT end
  task.due = due -- last, as memory may end in set_alarm
  return leave(task, around, protected_call(fn, handler, ...))
end

-- ---- watches ----

function tasks.watch(watch, object)
  watch.object, watch.r, watch.w, watch.events = object, false, false, false
  return watch
end

function tasks.is_watch(object)
  return type(object) == "table" and rawget(object, "object") and rawget(object, "events") ~= nil
end

local function unregister(watch)
  watch.events = false
  if watching[watch] then
    watching[watch] = nil
    registered = registered - 1
  end
end

-- Makes the poller ask for what is waited for: true | nil, message, name
local function update(watch)
  local r, w, events = watch.r, watch.w, watch.events
  local wanted = r and (w and "rw" or "r") or w and "w"
  if wanted == events then return true end
  if not wanted then
    unregister(watch)
    return poller:remove(watch.object) -- which fails if it was closed: then it is out already
  end
  local ok, message, name
  if events then
    ok, message, name = poller:modify(watch.object, wanted)
  else
    ok, message, name = opened():add(watch.object, wanted, watch)
  end
  if not ok then return nil, message, name end
  watch.events = wanted
  if not events then
    watching[watch] = true
    registered = registered + 1
  end
  return true
end

-- Makes the task one that the watch wakes.
local function enter(task, watch, events)
  if events ~= "w" then watch.r = task end
  if events ~= "r" then watch.w = task end
  if watch.events == events then return true end
  return update(watch)
end

local function lapse(watch)
  lapses = lapses + 1
  lapsed[lapses] = watch
end

local function exit(watch, events)
  if events ~= "w" then watch.r = false end
  if events ~= "r" then watch.w = false end
  lapse(watch)
end

local function check_free(watch, events)
  if events ~= "w" and watch.r then error("another task is reading from it already", 0) end
  if events ~= "r" and watch.w then error("another task is writing to it already", 0) end
end

-- Waits for a watch: "r" or "w", whichever came first, and the watch | false (somebody armed a timer) |
-- nil, message, name
function tasks.await(watch, events)
  local task = this()
  check_free(watch, events)
  if task.pending then return interrupt(task) end
  local ok, message, name = enter(task, watch, events)
  if ok then ok, message, name = park(task) end
  exit(watch, events)
  return ok, message, name
end

-- The same for reading alone, which is what most waits are: all in one function. After an event resume_readers has the
-- poller told, should nobody wait for the next one.
function tasks.await_readable(watch)
  local task = current
  if not task or watch.r or task.pending or running() ~= task.inner then return tasks.await(watch, "r") end
  watch.r = task
  if watch.events ~= "r" then
    local ok, message, name = update(watch)
    if not ok then
      watch.r = false
      return nil, message, name
    end
  end
  task.parked = true
  local ok, message, name = yield(PARKED)
  if ok then
    watch.r = false
    return ok
  end
  exit(watch, "r")
  return ok, message, name
end

-- The same for the first one of several.
function tasks.await_any(watches, events)
  local task = this()
  for _, watch in ipairs(watches) do check_free(watch, events) end
  if task.pending then return interrupt(task) end
  local ok, message, name
  for _, watch in ipairs(watches) do
    ok, message, name = enter(task, watch, events)
    if not ok then break end
  end
  if ok then ok, message, name = park(task) end
  for _, watch in ipairs(watches) do
    if watch.r == task or watch.w == task then exit(watch, events) end
  end
  return ok, message, name
end

-- Waits by one of these functions, or in a queue, which answers false after some seconds; nil: for ever.
function tasks.within(seconds, call, what, events)
  if not seconds then return call(what, events) end
  local task = this()
  arm(task, seconds)
  local ok, message, name = call(what, events)
  disarm(task)
  return ok, message, name
end

-- Wakes whoever waits for a watch whose object is closed, and takes it out of the poller.
function tasks.release(watch)
  local r, w = watch.r, watch.w
  if r then wake(r, nil, CANCELED, "ECANCELED") end
  if w and w ~= r then wake(w, nil, CANCELED, "ECANCELED") end
  if watch.events then
    unregister(watch)
    poller:remove(watch.object)
  end
end

-- The poller has lost something: a socket was closed while a task waited for it.
local function find_closed()
  local closed = {}
  for watch in pairs(watching) do
    local object = watch.object
    if type(object) ~= "number" and object:getfd() < 0 then closed[#closed + 1] = watch end
  end
  for _, watch in ipairs(closed) do tasks.release(watch) end
  registered = #poller
end

-- ---- turns ----

local function go_on()
  local count = waits
  ready, waiting, waits = waiting, ready, 0
  for i = 1, count do
    local task = ready[i]
    ready[i] = nil
    local a, b, c = task.a, task.b, task.c
    task.a, task.b, task.c = nil, nil, nil
    current = task
    local ok, token = resume(task.thread, a, b, c)
    if token ~= PARKED then stopped(task, ok, token) end
  end
  current = nil
end

local function resume_readers(watches)
  for i = 1, #watches do
    local watch = watches[i]
    local task = watch.r
    if task and task.parked then
      task.parked = false
      current = task
      local ok, token = resume(task.thread, "r", watch)
      if token ~= PARKED then stopped(task, ok, token) end
      if not watch.r then lapse(watch) end
    end
  end
  current = nil
end

local function wake_writers(watches)
  for i = 1, #watches do
    local watch = watches[i]
    if watch.w then wake(watch.w, "w", watch) end
  end
end

local function tidy()
  for i = 1, lapses do
    update(lapsed[i])
    lapsed[i] = nil
  end
  lapses = 0
end

-- Takes out the first timers while they are alarms of deadlines that are over: where nothing else can happen any more,
-- they must not hide it.
local function drop_spent()
  local first = timers.first(heap)
  while first and first == first.task.alarm and not first.task.due do
    timers.remove(heap, first)
    first = timers.first(heap)
  end
end

-- Seconds until the next turn must begin; nil: for ever.
local function time_left()
  if waits > 0 then return 0 end
  local first = timers.first(heap)
  return first and math.max(0, first.when - clock())
end

-- One turn: lets go on whoever can, then waits for what comes, at most so many seconds.
local function turn(timeout)
  if waits > 0 then go_on() end
  if lapses > 0 then tidy() end
  if #poller ~= registered then find_closed() end
  if alive == 0 then return end
  if waits == 0 and registered == 0 then drop_spent() end
  local left = timeout
  if waits > 0 or heap.count > 0 then
    left = time_left()
    if timeout and timeout < left then left = timeout end
  elseif not left and registered == 0 then
    error("every task waits for another one", 0)
  end
  local r, w, name = wait(poller, left, readable, writable)
  if r then
    if r[1] then resume_readers(r) end
    if w[1] then wake_writers(w) end
  elseif r == nil and name ~= "EINTR" then
    error(w, 0)
  end
  if heap.count > 0 then fire() end
end

local function check_outside(level)
  if current then error("the loop runs already: this is one of its tasks", level + 1) end
end

-- false: no task is left | seconds until it must be called again, if the poller's descriptor does not become readable
function tasks.step(timeout)
  check_outside(2)
  opened()
  turn(timeout)
  if alive == 0 then return false end
  return time_left() or math.huge
end

function tasks.getfd()
  return opened():getfd()
end

-- The first task has ended: if it failed, the others do not go on as if nothing were.
local function end_main(main)
  if not main.failed then return end
  for task in pairs(living) do task:cancel() end
end

local function finish()
  while alive > 0 do turn() end
end

-- Runs until no task is left, and gives what the first one has given.
function tasks.run(fn, ...)
  check_outside(2)
  if busy then error("the loop runs already", 2) end
  opened()
  local main = tasks.spawn(fn, ...)
  main.joiners = { main } -- run tells its error
  main.onend = end_main
  busy = true
  local ok, problem = pcall(finish)
  clear()
  if not ok then error(problem, 0) end
  if main.failed and type(main.problem) == "string" then error(main.trace, 0) end
  return outcome(main)
end

return tasks
