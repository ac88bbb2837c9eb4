-- Tasks: how they begin and end, joining and cancelling them, and whom their errors are told.
--
-- A task that has ended has neither a thread nor a wait, holds no turn and has no timer. Fields of a task, most of them
-- there only when they are needed, as many tasks take memory:
--   thread                 its coroutine; inner, frame: on Lua 5.1, the one that waits for it, see protect.lua
--   wait, what, how        what it waits for, see waits.lua
--   cancelled              its next wait is told so
--   doomed, limit, group   so is every later one, see doom.lua
--   due, overdue           its deadline, see deadlines.lua
--   free                   the coroutine that may wait, or false: it is cancelled, doomed or overdue
--   owned                  run is told its error; onend: function of the task that is called when it has ended
--   member                 its group
--   ended, failed          and then problem and trace, or results: true alone, or an array with their number n
local check = require "lsocket.loop.check"
local deadlines = require "lsocket.loop.deadlines"
local doom = require "lsocket.loop.doom"
local line = require "lsocket.loop.line"
local protect = require "lsocket.loop.protect"
local queues = require "lsocket.loop.queues"
local rings = require "lsocket.loop.rings"
local waits = require "lsocket.loop.waits"

local create, resume, yield, status = coroutine.create, coroutine.resume, coroutine.yield, coroutine.status
local close = coroutine.close -- which not every Lua has
local NATIVE = waits.NATIVE
local unpack = table.unpack or unpack -- luacheck: ignore 143

local tasks = {
  alive = 0, -- how many have not ended
  report = nil, -- (task, trace): is told of an error that nobody else is; may not raise. loop.lua sets it
}
local Task = {}
local metatable = { __index = Task, __name = "task", __type = "task" }

local BREATH = 0.02 -- seconds that a task still has when those of its groups had to be abandoned

local living = {}     -- the tasks that have not ended
local dooming = false -- no other one is to begin

-- ---- beginning ----

-- What a task's coroutine gives at its end: a function, as that is equal to nothing else that user code might yield.
local function END() end

-- Keeps a task's results, inside of its coroutine. Many tasks end with true: that needs no table.
local function keep(task, ...)
  local count = select("#", ...)
  if count == 1 and ... == true then
    task.results = true
  elseif count > 0 then
    task.results = { n = count, ... }
  end
  return END
end

-- Is a task not even to begin?
local function is_off(task)
  return not task.free and (task.cancelled or task.doomed)
end

-- What the coroutine of a task without arguments runs.
local function begin(fn)
  local task = waits.current()
  if is_off(task) then return keep(task, nil, "Operation canceled", "ECANCELED") end
  return keep(task, fn())
end

-- The same where there are arguments: it is started at once, to hold them, but goes on when it has its turn.
local function hold(task, fn, ...)
  yield()
  if is_off(task) then return keep(task, nil, "Operation canceled", "ECANCELED") end
  return keep(task, fn(...))
end

-- The same where nobody asks for the results: what is called in its place takes no memory.
local function hold_lightly(fn, ...)
  yield()
  if not waits.current().free then return end
  return fn(...)
end

local function new(thread)
  return setmetatable({ thread = thread, wait = false, free = thread }, metatable)
end
if not NATIVE then
  function new(thread)
    return setmetatable({ thread = thread, inner = thread, wait = false, free = thread }, metatable)
  end
end

-- role: true, or what the server of a task is to be told of at its end; told: what its coroutine gets
local function enlist(task, role, told)
  living[task] = role
  line.push(task, told)
  tasks.alive = tasks.alive + 1
  if dooming then waits.cancel(task) end
  return task
end

function tasks.spawn(fn, ...)
  if select("#", ...) == 0 then return enlist(new(create(begin)), true, line.pack(fn)) end
  local thread = create(hold)
  local task = new(thread)
  resume(thread, task, fn, ...)
  return enlist(task, true)
end

-- Spawns a task for a client of a server. There are many of them, and they wait for long: so it has four fields, which
-- is what a table has room for before it doubles again.
function tasks.serve(server, client, fn, ...)
  local thread = create(hold_lightly)
  local task = new(thread)
  task.server = server
  resume(thread, fn, ...)
  return enlist(task, client)
end

-- ---- ending ----

-- A task holds nothing any more: its role.
local function bury(task)
  local role = living[task]
  living[task] = nil
  tasks.alive = tasks.alive - 1
  task.ended = true
  task.thread, task.free, task.cause, task.what, task.how = nil, nil, nil, nil, nil
  if not NATIVE then task.inner, task.frame = nil, nil end
  if task.group then doom.leave_groups(task, nil) end
  if task.alarm then deadlines.forget(task) end
  if task.turn or task.giver then queues.forget(task) end
  if task.joiners then queues.wake_all(task.joiners, true) end
  return role
end

-- Tells whom it concerns that a task has ended.
local function announce(task, role)
  if task.server then task.server:ended(task, role) end
  if task.onend then task.onend(task) end
end

-- Ends a task that will have no turn any more, and those of its groups before.
function tasks.abandon(task)
  if task.ended then return end
  doom.each_child(task, tasks.abandon)
  local thread = task.thread
  if task.wait then waits.leave(task) end
  task.results = { n = 3, nil, "Operation canceled", "ECANCELED" }
  local role = bury(task)
  local closed, problem = true, nil
  if close then closed, problem = close(thread) end
  if not closed then tasks.report(task, protect.trace(problem, thread)) end
  announce(task, role)
end

-- A task that is doomed has not ended in time.
function deadlines.outlive(task)
  if not doom.has_children(task) then return tasks.abandon(task) end
  doom.each_child(task, tasks.abandon)
  doom.extend(task, BREATH)
end

local function fail(task, problem)
  local cause = task.cause
  task.failed, task.problem = true, problem
  task.trace = cause and rawequal(cause.problem, problem) and cause.trace or protect.trace(problem, task.thread)
end

-- Whoever runs or joins a task is told its error, and its group unless that is over; onerror where there is nobody.
local function is_told(task)
  local group = task.member
  return task.owned or task.joiners and task.joiners.first or group and (group.silent or not group.doomed)
end

-- A task's coroutine has stopped, but not to wait: it has ended, or user code has yielded, which is a pause.
local function stopped(task, ok, problem)
  if ok and problem ~= END and status(task.thread) ~= "dead" then return line.push(task) end
  local untold = false
  if not ok then
    fail(task, problem)
    untold = not is_told(task)
  end
  local role = bury(task)
  if untold then tasks.report(task, task.trace) end
  announce(task, role)
end

waits.set { stopped = stopped }

-- ---- what others do with a task ----

-- What run and join give: the task's results, or its error, raised.
function tasks.outcome(task)
  if not task.failed then
    local results = task.results
    if results == true then return true end
    if results then return unpack(results, 1, results.n) end
    return
  end
  local current = waits.current()
  if current then current.cause = task end
  error(task.problem, 0)
end

-- task:join() -> its results | nil, message, name;  raises its error
function Task:join()
  check.self(self, metatable, "join")
  if self.ended then return tasks.outcome(self) end
  if waits.this() == self then check.raise "a task cannot join itself" end
  self.joiners = self.joiners or queues.new()
  local joined, message, name = queues.wait(self.joiners)
  if joined then return tasks.outcome(self) end
  return nil, message, name
end

-- task:cancel() -> true: its wait, or else its next one, answers nil, message, "ECANCELED" | false: it has ended
function Task:cancel()
  check.self(self, metatable, "cancel")
  if self.ended then return false end
  if not waits.dismiss(self) then waits.cancel(self) end
  doom.each_child(self, Task.cancel)
  return true
end

-- ---- all of them ----

-- Dooms every task, and no further one begins.
function tasks.doom()
  local limit, list = doom.limit(), {}
  dooming = true
  for task in pairs(living) do list[#list + 1] = task end
  for _, task in ipairs(list) do doom.task(task, limit) end
end

-- Ends the tasks that an error has cut off on their way into a wait or into line. standing: [task] = true: it is there.
function tasks.abandon_lost(standing)
  local lost, alive = {}, 0
  for task in pairs(living) do
    alive = alive + 1
    if not (task.wait or standing[task]) then lost[#lost + 1] = task end
  end
  tasks.alive = alive -- an error may have come before one that has ended was counted
  for _, task in ipairs(lost) do tasks.abandon(task) end
end

-- Ends all tasks, also those that others make while they end.
function tasks.clear()
  local task = next(living)
  while task do
    pcall(tasks.abandon, task)
    living[task] = nil
    task = next(living)
  end
  living, tasks.alive, dooming = {}, 0, false
end

-- fn(task, role) for each.
function tasks.each(fn)
  for task, role in pairs(living) do fn(task, role) end
end

rings.set { each_task = tasks.each }

return tasks
