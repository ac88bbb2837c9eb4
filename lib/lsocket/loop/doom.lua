-- Doom: what is meant to end ends.
--
-- When a run or a group is over, each of its tasks is doomed: every wait answers ECANCELED from then on, and what has
-- not ended when its patience is over is abandoned. The function of a group runs in a task that goes on behind it: that
-- one cannot be abandoned, so its waits raise instead. Fields of a task:
--   doomed   false, or the time by which what it does must have ended
--   limit    the same where it is the task itself that must have
--   group    the innermost of the groups whose functions it runs
-- Fields of a group, which is made in group.lua:
--   task     the one that runs its function, while running is true, and then waits for its tasks
--   outer    the group around it, in the same task
--   tasks    [task] = true: those that have not ended; count: how many
--   doomed   as of a task; around: what the task's field was outside of the group
--   over     the task has left it
local queues = require "lsocket.loop.queues"
local timers = require "lsocket.loop.timers"
local waits = require "lsocket.loop.waits"

local clock, set_doomed, dismiss = require("lsocket").now, waits.set_doomed, waits.dismiss

local doom = {}

local PATIENCE = 0.9 -- seconds that what is meant to end has to do so: it is gone within a second

function doom.limit() return clock() + PATIENCE end

-- fn(task) for each of a group, which may end meanwhile, while others begin.
local function each(group, fn)
  local list = {}
  for task in pairs(group.tasks) do list[#list + 1] = task end
  for _, task in ipairs(list) do fn(task) end
end

-- The same for all groups that a task is in.
function doom.each_child(task, fn)
  local group = task.group
  while group do
    each(group, fn)
    group = group.outer
  end
end

function doom.has_children(task)
  local group = task.group
  while group and group.count == 0 do group = group.outer end
  return group and true or false
end

-- Dooms a task, and the tasks of its groups.
function doom.task(task, limit)
  if task.ended or task.limit then return end
  task.limit = limit
  timers.want_alarm(task, limit)
  doom.surround(task, nil, limit)
  dismiss(task)
end

-- Gives a task that is doomed so many seconds more.
function doom.extend(task, seconds)
  local limit = clock() + seconds
  timers.want_alarm(task, limit)
  task.limit = limit
  set_doomed(task, limit)
end

-- Dooms what a task does inside of a group, or in all.
function doom.surround(task, group, limit)
  local inner = task.group
  while inner ~= group do
    inner.around, inner.doomed = inner.around or limit, inner.doomed or limit
    each(inner, function(child) doom.task(child, limit) end)
    inner = inner.outer
  end
  if not task.doomed then set_doomed(task, limit) end
end

-- A group is over: its tasks are to end, and its function if that is still running.
function doom.group(group)
  if group.doomed then return end
  local task, limit = group.task, doom.limit()
  group.doomed = limit
  each(group, function(child) doom.task(child, limit) end)
  if not group.running then return queues.wake_all(group.waiting, true) end -- to wait firmly
  doom.surround(task, group, limit)
  dismiss(task)
end

-- A task leaves its groups, the innermost first, but for one and those around it. Tasks are left only where an error
-- that nothing could foresee has ended the group.
function doom.leave_groups(task, outermost)
  while task.group ~= outermost do
    local group = task.group
    task.group, group.running, group.over = group.outer, false, true
    if group.count > 0 then doom.group(group) end
    set_doomed(task, group.around)
  end
end

return doom
