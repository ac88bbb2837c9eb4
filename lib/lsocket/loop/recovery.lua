-- Recovery: an error has cut a turn short, perhaps in the middle of the loop itself, as that of a debug hook after
-- Ctrl-C. Between two steps of what goes together it leaves one done and the other not. What is known of each task and
-- each watch says which one is right: the task that was cut off ends, and the others go on.
local line = require "lsocket.loop.line"
local queues = require "lsocket.loop.queues"
local rings = require "lsocket.loop.rings"
local tasks = require "lsocket.loop.tasks"
local timers = require "lsocket.loop.timers"
local waits = require "lsocket.loop.waits"
local watches = require "lsocket.loop.watches"

local recovery = {}

-- A task that does not wait any more may still be known where it has waited.
local function drop_strays(watch)
  if watch.r and not watch.r.wait then watch.r = false end
  if watch.w and not watch.w.wait then watch.w = false end
end

-- The list of those that have lapsed may be in two pieces, and the poller be asked for something else: so it is asked
-- anew for all of them.
local function recover_watches()
  local watch = watches.state.lapsed
  watches.state.lapsed = false
  while type(watch) == "table" do
    local following = watch.lapsed
    watch.lapsed = false
    watch = following
  end
  watches.each(function(known)
    drop_strays(known)
    watches.is_registered(known)
    known.lapsed = false
    watches.lapse(known)
  end)
end

-- A task may have been cut off on its way out of a wait, and be in line already; or into one, which has not begun then.
local function recover_wait(task, is_in_line)
  local kind = task.wait
  if kind and is_in_line then
    waits.leave(task)
  elseif kind == waits.resting then
    task.wait = task.place and kind
  elseif kind and kind.object then
    kind.r = kind.r or task
    watches.lapse(kind)
  end
  queues.recover(task)
end

function recovery.recover()
  local standing = {}
  waits.stop()
  rings.recover()
  line.recover()
  line.each(function(task) standing[task] = true end)
  timers.recover()
  recover_watches()
  tasks.each(function(task) recover_wait(task, standing[task]) end)
  tasks.abandon_lost(standing)
end

return recovery
