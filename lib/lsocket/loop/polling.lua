-- Polling: waiting for what tasks wait for, in the poller or in the ring, and having it handled.
local line = require "lsocket.loop.line"
local lsocket = require "lsocket"
local rings = require "lsocket.loop.rings"
local timers = require "lsocket.loop.timers"
local waits = require "lsocket.loop.waits"
local watches = require "lsocket.loop.watches"

local clock, wake, resume_readers = lsocket.now, waits.wake, waits.resume_readers
local lapse, state = watches.lapse, watches.state
local in_line, heap, unarmed = line.state, timers.heap, timers.unarmed

local polling = {}

local ringed = false -- does the loop use a ring?
rings.tell(function(on) ringed = on end)

local poller, poll, holds, lend, take_back
local readable, writable = {}, {}

function polling.open()
  local metatable
  poller = watches.poller()
  metatable = getmetatable(poller)
  poll, holds, lend, take_back = metatable.__wait, metatable.__ready, metatable.__lend, metatable.__takeback
end

function polling.getfd()
  return watches.poller():getfd()
end

-- Would the next poll return at once for what its descriptor does not show: bytes that a layer holds?
function polling.holds()
  return holds(poller)
end

function polling.clear()
  watches.clear()
  poller, readable, writable = nil, {}, {}
end

local function wake_writers(list)
  for i = 1, #list do
    local watch = list[i]
    if watch.w then wake(watch.w, "w", watch) end
  end
end

-- The poller has failed, as it was interrupted, or as something was closed; raises where there is another reason.
local function mend(message, name)
  if name == "ESTALE" then
    watches.find_closed()
  elseif name ~= "EINTR" then
    error(message, 0)
  end
end

-- ---- with a ring ----

-- The ring has failed, as it was interrupted, or as this is the child of a fork.
local function mend_ring(message, name)
  if name == "EBADF" then
    rings.lose()
    watches.leave_rings()
  elseif name ~= "EINTR" then
    error(message, 0)
  end
end

-- The poller has something to tell.
local function poll_at_once()
  local r, w, name = poll(poller, 0, readable, writable)
  if r == false then r, w, name = poll(poller, 0, readable, writable) end -- of what has left it tells only then
  if r then
    resume_readers(r, lapse)
    if w[1] then wake_writers(w) end
  elseif w then
    mend(w, name)
  end
end

-- Seconds until a timer is due, or fewer.
local function time_until(first, timeout)
  return timers.earlier(timeout, math.max(0, first.when - clock()))
end

-- As polling.poll; the ring is waited for, which looks whether the poller has something to tell. What has left it, and
-- what layers hold or have to send, the poller's descriptor does not show. What can run a finalizer comes before that.
local function poll_ring(timeout, many)
  local first = heap[1]
  repeat
    if state.lapsed then watches.tidy() end
    local armed, left, lent = rings.arm(poller), first and time_until(first, timeout) or timeout, lend(poller)
    if not lent and rings.idle() and #poller == 0 then return false end
    local held = lent or not armed
    local told, message, name = rings.wait(held and 0 or left)
    if lent ~= nil then take_back(poller) end
    if told == nil then mend_ring(message, name) end
    if told or held then poll_at_once() end
    if first then
      local now = clock()
      if now >= first.when then return true, now end
    end
  until not many or in_line.count > 0 or unarmed[1] or heap[1] ~= first or not ringed
  return true
end

-- ---- what the loop calls ----

-- Waits for events, at most so many seconds and until the first timer is due, and has them handled, once, or as long as
-- there is nothing else to do: true, and what time it is where a timer may be due | false: there is nothing to wait
-- for. What comes to be read resumes the task at once; room to write puts it in line. As this is what the loop does
-- most, it is all in one function.
function polling.poll(timeout, many)
  if ringed then
    if not rings.idle() then return poll_ring(timeout, many) end
    many = false -- what runs now may ask the ring for something
  end
  local first = heap[1]
  repeat
    if state.lapsed then watches.tidy() end
    local r, w, now
    if first then
      r, w, now = poll(poller, timeout, readable, writable, first.when)
    else
      r, w, now = poll(poller, timeout, readable, writable)
    end
    if r then
      resume_readers(r, lapse)
      if w[1] then wake_writers(w) end
    elseif r == nil then
      if not w then return false end
      now = mend(w, now)
    end
    if now then return true, now end
  until not many or in_line.count > 0 or unarmed[1] or heap[1] ~= first
  return true
end

-- Waits for nothing but time, or what somebody else does to the poller.
function polling.sleep(seconds)
  poller:wait(seconds, readable, writable)
end

return polling
