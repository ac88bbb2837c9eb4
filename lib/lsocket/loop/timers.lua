-- Timers by the time they are due: the loop's heap. Nothing here waits; who looks at it when is left to others.
--
-- A timer is a table with the time in its field when. Its field place says where it is in the heap, or is false or nil:
-- so it is there once or not at all, and is taken out at once when it is no longer wanted. There are three kinds:
--   a task, whose wait is to last no longer
--   its alarm, which has it in its field task: see deadlines.lua
--   that of a stream, which has a function sound: see timeouts.lua
--
-- Each place of the heap has up to four below it: place p has those from 4p - 2 to 4p + 1. Their times are in an array
-- of their own, as most of what is done here is to compare them.
local timers = {}

local floor = math.floor

local heap, times, count = { false }, {}, 0
local moving, gone_off = false, false -- the timer that was moved, and the one that was due, last
timers.heap = heap -- for whoever asks often: the first is due first, false where there is none; not to be changed

local function put(place, timer, when)
  heap[place], times[place], timer.place = timer, when, place
end

-- Moves a timer from a place that is free towards the top, to where it belongs.
local function rise(place, timer, when)
  moving = timer
  while place > 1 do
    local above = floor((place + 2) / 4)
    local time = times[above]
    if time <= when then break end
    local moved = heap[above]
    heap[place], times[place], moved.place = moved, time, place
    place = above
  end
  put(place, timer, when)
end

-- The same at the end of the heap: there may be fewer than four places below.
local function sink_last(place, timer, when)
  local first, time = place, when
  for below = 4 * place - 2, count do
    if times[below] < time then first, time = below, times[below] end
  end
  if first ~= place then put(place, heap[first], time) end
  put(first, timer, when)
end

-- The same towards the bottom.
local function sink(place, timer, when)
  local all, due, full = heap, times, count - 3 -- in locals, as this is where the time goes
  local below = 4 * place - 2
  while below <= full do
    local first, time, second, third, fourth = below, due[below], due[below + 1], due[below + 2], due[below + 3]
    if second < time then first, time = below + 1, second end
    if third < time then first, time = below + 2, third end
    if fourth < time then first, time = below + 3, fourth end
    if when <= time then return put(place, timer, when) end
    local moved = all[first]
    all[place], due[place], moved.place = moved, time, place
    place = first
    below = 4 * place - 2
  end
  sink_last(place, timer, when)
end

function timers.new(task)
  return { task = task, when = 0, place = false }
end

-- Puts a timer in that is not there. Memory may end where a table grows, before anything has changed, and in any call:
-- so the timer has its place before the first one.
function timers.add(timer, when)
  if timer.place then error("a timer is in the heap already") end
  local place = count + 1
  timer.when, timer.place = when, false
  times[place] = when
  heap[place] = timer
  timer.place, count = place, place
  if place > 1 and when < times[floor((place + 2) / 4)] then rise(place, timer, when) end
end

-- Makes a timer that is in due sooner.
function timers.advance(timer, when)
  timer.when = when
  rise(timer.place, timer, when)
end

-- The earlier of two times, of which there may be one or none.
function timers.earlier(a, b)
  if a and b then return math.min(a, b) end
  return a or b
end

-- Has a task's alarm, the timer of its deadlines, go off then or earlier. For the loop alone: in a task the error of a
-- debug hook could leave the heap half-done.
function timers.set_alarm(task, due)
  local alarm = task.alarm or timers.new(task)
  task.alarm = alarm
  if not alarm.place then
    timers.add(alarm, due)
  elseif due < alarm.when then
    timers.advance(alarm, due)
  end
end

-- Tasks with a deadline that their alarm may be too late for, and timers that are to be put in; the first, or false.
local unarmed, wanted = { false }, 0
timers.unarmed = unarmed

local function want(one)
  if unarmed[wanted] == one then return end -- as in a row of calls that do not wait
  unarmed[wanted + 1] = one
  wanted = wanted + 1
end

-- Has a timer put in before the loop waits.
function timers.want(timer, when)
  timer.when = when
  want(timer)
end

-- Has that looked after before the loop waits.
function timers.want_alarm(task, due)
  local alarm = task.alarm
  if not (alarm and alarm.place and alarm.when <= due) then want(task) end
end

function timers.arm()
  for i = wanted, 1, -1 do
    local one = unarmed[i]
    local first = timers.earlier(one.due, one.limit)
    if one.sound then
      if not one.place then timers.add(one, one.when) end
    elseif first and not one.ended then
      timers.set_alarm(one, first)
    end
    unarmed[i], wanted = nil, i - 1
  end
  unarmed[1] = false
end

-- Takes a timer out; harmless when it is not in.
function timers.remove(timer)
  local place = timer.place
  if not place then return end
  local last, when = heap[count], times[count]
  moving = last
  if count == 1 then heap[1] = false else heap[count] = nil end
  timer.place, count = false, count - 1
  if last == timer then return end
  heap[place], times[place], last.place = last, when, place
  if place > 1 and times[floor((place + 2) / 4)] > when then
    rise(place, last, when)
  else
    sink(place, last, when)
  end
end

-- Takes out and gives the first one if it is due at that time.
function timers.due(now)
  local timer = heap[1]
  gone_off = timer and timer.when <= now and timer
  if not gone_off then return nil end
  timers.remove(timer)
  return timer
end

function timers.clear()
  for place = count, 1, -1 do heap[place].place, heap[place] = false, nil end
  for i = wanted, 1, -1 do unarmed[i] = nil end
  heap[1], unarmed[1], count, wanted, moving, gone_off = false, false, 0, 0, false, false
end

-- Is it of use, where an error may have come between any two steps?
local function is_wanted(timer)
  return timer.sound or timer.wait or timer.task and not timer.task.ended
end

-- An error has cut the loop off, perhaps in a function of this file: makes the heap anew. What had just gone off does
-- so again.
function timers.recover()
  local all = {}
  if gone_off then all[gone_off] = true end
  if moving and moving.place then all[moving] = true end
  for _, timer in pairs(heap) do
    if timer and timer.place then all[timer] = true end
  end
  for place in pairs(heap) do heap[place] = nil end
  heap[1], count = false, 0
  for timer in pairs(all) do
    timer.place = false
    if is_wanted(timer) then timers.add(timer, timer.when) end
  end
end

function timers.invariant()
  assert(#heap == math.max(count, 1), "the heap has holes")
  for place = 1, count do
    local timer = heap[place]
    assert(timer.place == place, "a timer is not where it says it is")
    assert(timer.when == times[place], "a timer is due at another time than the heap says")
    local above = heap[floor((place + 2) / 4)]
    assert(not above or above.when <= timer.when, "a timer is below one that is due later")
    local task = timer.task
    assert(task or timer.sound or timer.wait, "a timer is nobody's, or a task that does not wait")
    assert(not task or timer == task.alarm and not task.ended, "an alarm is not that of a task")
  end
end

return timers
