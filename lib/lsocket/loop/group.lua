-- Groups: a function and the tasks that it makes, which have all ended when it is left.
--
-- A kind of groups is a table of two functions; groups differ in nothing else:
--   judge(group, task): a task has ended. A failure has been looked at before
--   outcome(group, message, name, ...): what is given in the end. With a message the wait for the tasks was cut off;
--     what follows is what the function has given
-- and silent, if errors that come when the group is over are nobody's business. The fields of a group are in doom.lua;
-- beside them: due, the deadline that its tasks have, too; failure: the task that has failed first, and ended it;
-- waiting: a queue, in which its own task waits for the others.
local check = require "lsocket.loop.check"
local doom = require "lsocket.loop.doom"
local protect = require "lsocket.loop.protect"
local queues = require "lsocket.loop.queues"
local tasks = require "lsocket.loop.tasks"
local timers = require "lsocket.loop.timers"
local waits = require "lsocket.loop.waits"

local clock = require("lsocket").now

local groups = {}
local Group = {}
local metatable = { __index = Group, __name = "group", __type = "group" }

-- ---- its tasks ----

local function end_member(task)
  local group = task.member
  group.tasks[task], task.member = nil, nil
  group.count = group.count - 1
  if task.failed and not group.doomed then
    group.failure = task
    doom.group(group)
  end
  group.kind.judge(group, task)
  if group.count == 0 then queues.wake_all(group.waiting, true) end
end

local function limit_to(task, due)
  task.due = due
  timers.want_alarm(task, due)
  if due <= clock() then waits.set_overdue(task, true) end
end

function groups.spawn(group, fn, ...)
  local task = tasks.spawn(fn, ...)
  task.member, task.onend = group, end_member
  group.tasks[task] = true
  group.count = group.count + 1
  if group.due then limit_to(task, group.due) end
  if group.doomed then doom.task(task, group.doomed) end
  return task
end

-- group:spawn(fn, ...) -> task
function Group:spawn(fn, ...)
  check.self(self, metatable, "spawn")
  check.callable(fn, 1, "spawn")
  if self.over then check.raise "the group is over" end
  return groups.spawn(self, fn, ...)
end

-- group:cancel() -> true | false: it is over
function Group:cancel()
  check.self(self, metatable, "cancel")
  if self.over then return false end
  doom.group(self)
  return true
end

-- ---- from its beginning to its end ----

local function open(kind)
  local task = waits.this()
  local group = setmetatable({
    kind = kind, silent = kind.silent, task = task, running = true, outer = task.group, around = task.doomed,
    doomed = task.doomed, due = task.due, tasks = {}, count = 0, waiting = queues.new(),
  }, metatable)
  task.group = group
  return group
end

-- Waits until all tasks have ended. Where this wait is cut off they are, too: nil | message, name
local function await_tasks(group)
  local _, message, name
  if not group.doomed then
    _, message, name = queues.wait(group.waiting)
    if message then doom.group(group) end
  end
  if group.count > 0 then queues.wait_firmly(group.waiting) end
  return message, name
end

-- The function has ended, with an error or what it gives.
local function close(group, ok, ...)
  local task = group.task
  group.running = false
  protect.restore(task, group.due)
  if not ok then doom.group(group) end
  local waited, message, name = true, nil, nil
  if group.count > 0 then waited, message, name = protect.call(task, task.due, await_tasks, group) end
  doom.leave_groups(task, group.outer)
  if group.failure then return tasks.outcome(group.failure) end
  if not ok then return protect.raise(...) end
  if not waited then error(message, 0) end
  return group.kind.outcome(group, message, name, ...)
end

-- Calls fn(group, ...), and gives the outcome when all tasks of the group have ended.
function groups.run(kind, fn, ...)
  local group = open(kind)
  return close(group, protect.call(group.task, group.due, fn, group, ...))
end

-- ---- the plain kind ----

local plain = { judge = function() end }

function plain.outcome(_, message, name, ...)
  if message then return nil, message, name end
  return ...
end

-- loop.group(fn, ...) -> what fn(group, ...) gives, when all have ended | nil, message, name;  raises the first error
function groups.group(fn, ...)
  check.callable(fn, 1, "group")
  return groups.run(plain, fn, ...)
end

return groups
