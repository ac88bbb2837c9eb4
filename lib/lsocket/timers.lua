-- Timers by the time they are due: a binary heap. Nothing here waits; who looks at it when is left to the scheduler.
-- A timer is a table with the time in its field when. While it is in the heap, its field place says where, so that one
-- that is no longer wanted is taken out at once; else it is false.
local timers = {}

local function put(heap, place, timer)
  heap[place] = timer
  timer.place = place
end

-- Moves a timer from a place that is free towards the top, to where it belongs.
local function rise(heap, place, timer)
  local when = timer.when
  while place > 1 do
    local above = (place - place % 2) / 2
    if heap[above].when <= when then break end
    put(heap, place, heap[above])
    place = above
  end
  put(heap, place, timer)
end

-- The same towards the bottom.
local function sink(heap, place, timer)
  local when, count = timer.when, heap.count
  while true do
    local below = 2 * place
    if below > count then break end
    if below < count and heap[below + 1].when < heap[below].when then below = below + 1 end
    if when <= heap[below].when then break end
    put(heap, place, heap[below])
    place = below
  end
  put(heap, place, timer)
end

function timers.new()
  return { count = 0 }
end

-- What may fail for want of memory comes before anything changes.
function timers.add(heap, timer)
  local place = heap.count + 1
  timer.place = false
  heap[place] = timer
  heap.count = place
  rise(heap, place, timer)
end

-- Makes a timer that is in due sooner.
function timers.advance(heap, timer, when)
  timer.when = when
  rise(heap, timer.place, timer)
end

-- Takes a timer out; harmless when it is not in.
function timers.remove(heap, timer)
  local place, count = timer.place, heap.count
  if not place then return end
  local last = heap[count]
  heap[count] = nil
  heap.count = count - 1
  timer.place = false
  if last == timer then return end
  if place > 1 and heap[(place - place % 2) / 2].when > last.when then
    rise(heap, place, last)
  else
    sink(heap, place, last)
  end
end

-- The one that is due first; nil where there is none.
function timers.first(heap)
  return heap[1]
end

-- Takes out and answers the first one if it is due at that time.
function timers.due(heap, now)
  local timer = heap[1]
  if not timer or timer.when > now then return nil end
  timers.remove(heap, timer)
  return timer
end

return timers
