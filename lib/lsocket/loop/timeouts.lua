-- Time-outs of streams: no wait to read one lasts longer than so many seconds.
--
-- A wait that is over soon must cost nothing, and so no wait sets a timer. A stream has one that is in the heap, and
-- goes off again and again while tasks read. When it finds a task that waits it times the wait from then on, and makes
-- it another kind of wait, which knows the timer: so it knows it again, and one that began later is not timed yet. A
-- wait lasts a period longer than it may, at most.
--
-- A timer has the fields of those in timers.lua, but for task, and
--   stream    whose it is
--   seconds   how long a wait may last
--   began     when it found the wait that it times
--   timed     the task whose wait that is, or false
local lsocket = require "lsocket"
local timers = require "lsocket.loop.timers"
local waits = require "lsocket.loop.waits"
local watches = require "lsocket.loop.watches"

local clock = lsocket.now

local timeouts = {}

local PARTS, LONGEST = 8, 1 -- a period is this part of the time, but no more seconds than that

local function period_of(timer)
  return math.min(timer.seconds / PARTS, LONGEST)
end

-- The wait that is timed. Only the timer enters it.
local timed = {}

function timed.leave(task, watch, timer)
  watches.one.leave(task, watch)
  timer.timed = false
  if timer.place then timers.advance(timer, math.min(timer.when, clock() + period_of(timer))) end
end

-- Times the wait of a task that reads.
local function begin(timer, task, now)
  timer.began, timer.timed = now, task
  task.wait, task.how, task.what = timed, timer, timer.stream -- from right to left: what leave needs is there
end

-- Does the task that waits to read from a stream do so by a read? loop.wait, say, has a time of its own.
local function reads(task, stream)
  return task.wait == stream or task.wait == timed
end
timeouts.reads = reads

-- The timer has gone off, and is out of the heap, where it stays out if nobody reads.
local function sound(timer, now)
  local stream = timer.stream
  local task = stream.r
  if stream.timer ~= timer or not task or not reads(task, stream) then return end
  if timer.timed ~= task then begin(timer, task, now) end
  local due = timer.began + timer.seconds
  if due <= now then return waits.expire(task) end
  timers.add(timer, due)
end

-- Before a stream is waited for whose timer is not in the heap.
function timeouts.start(timer)
  timers.want(timer, clock() + period_of(timer))
end

local function new_timer(stream, seconds)
  return { stream = stream, seconds = seconds, sound = sound, when = 0, place = false, began = 0, timed = false }
end

-- From now on no wait of a stream lasts longer than so many seconds; false, nil: as long as it likes. Its field timer
-- is its timer, or nil; dry is that or true where the socket may be empty (see reading.lua), so that who waits sees it.
function timeouts.set(stream, seconds)
  local timer
  if seconds and seconds < math.huge then timer = new_timer(stream, seconds) end
  stream.timer = timer
  if stream.dry then stream.dry = timer or true end
  if timer and stream.r then timeouts.start(timer) end
end

-- From now on the wait of a task that waits may last so many seconds; nil: as long as it likes.
function timeouts.limit(task, seconds)
  timers.remove(task)
  if seconds then timers.add(task, clock() + seconds) end
end

-- Is nobody there whom the timer could stop?
function timeouts.is_spent(timer)
  return timer.stream.timer ~= timer or not timer.stream.r
end

return timeouts
