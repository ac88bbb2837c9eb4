-- Watches: what tasks wait for in the poller.
--
-- A watch is a table with the fields
--   object   what the poller knows it by: an object of the library, else a descriptor
--   r, w     the task that waits for it to be readable, writable, or false
--   events   what the poller is asked for: "r", "w", "rw" or false
--   lapsed   false, or the next watch of which somebody has stopped to wait for something
-- Once the lapsed ones are tidied up, events is what r and w ask for. A stream is its own watch.
local check = require "lsocket.loop.check"
local lsocket = require "lsocket"
local rings = require "lsocket.loop.rings"
local waits = require "lsocket.loop.waits"

local type, wake = type, waits.wake

local watches = {}

local poller, modify
local by_descriptor = {} -- [descriptor] = the watch that is registered for it

local LAST = true -- what stands in the lapsed field of the last one
local state = {
  lapsed = false, -- the first of those of which somebody has stopped to wait for something
}
watches.state = state

-- The poller of all watches.
local function opened()
  if not poller then
    poller = assert(lsocket.poller())
    modify = poller.modify
  end
  return poller
end
watches.poller = opened

-- ---- registering ----

function watches.new(watch, object)
  watch.object, watch.r, watch.w, watch.events, watch.lapsed = object, false, false, false, false
  return watch
end

local function number_of(watch)
  local object = watch.object
  return type(object) == "number" and object or object:getfd()
end

-- The descriptor that a watch is registered for, or nil. Where the object was closed only a search can tell.
local function place_of(watch)
  local fd = number_of(watch)
  if by_descriptor[fd] == watch then return fd end
  if fd >= 0 then return nil end
  for place, other in pairs(by_descriptor) do
    if other == watch then return place end
  end
end

local function take_out(watch, fd)
  watch.events = false
  rings.remove(watch)
  poller:remove(watch.object) -- which fails if it was closed: then it is out already
  by_descriptor[fd] = nil
end

local function unregister(watch)
  local fd = place_of(watch)
  if fd then return take_out(watch, fd) end
  watch.events = false
  rings.remove(watch)
end

local function dismiss(watch)
  if watch.r then waits.dismiss(watch.r) end
  if watch.w then waits.dismiss(watch.w) end
end

-- Wakes whoever waits for a watch whose object is closed, and takes it out of the poller.
local function release(watch)
  dismiss(watch)
  unregister(watch)
end

-- The same for one whose socket is about to be closed, and for the number of that, if a task waits for the number.
function watches.release(watch)
  local other = by_descriptor[watch.object:getfd()]
  if other and other ~= watch then release(other) end
  release(watch)
end

-- Does the poller have what is registered still?
local function is_registered(watch)
  if watch.events == "ring" then return watch.object:getfd() >= 0 end
  return watch.events and modify(poller, watch.object, watch.events) and true or false
end

-- The same for a bare number, of which only the kernel knows whether it is another file's by now.
local function is_same_file(watch)
  local _, _, name = poller:add(watch.object, watch.events, watch)
  return name == "EEXIST"
end

-- The watch that is registered for a descriptor, if it is not one of something closed that had the number before.
local function watch_at(fd)
  local watch = by_descriptor[fd]
  if not watch then return nil end
  if is_registered(watch) and (type(watch.object) ~= "number" or is_same_file(watch)) then return watch end
  release(watch)
end

local function hand_over(from, to, field)
  local task = from[field]
  if not task then return end
  to[field], from[field] = task, false
  if task.wait == from then task.wait = to else task.what = to end
end

local function may_move(task, from, taken)
  return not task or (task.wait == from or task.what == from) and not taken
end

-- Two watches are for one descriptor, as a program has waited for the number of a stream: the new one takes both over.
local function make_way(old, new)
  if not (may_move(old.r, old, new.r) and may_move(old.w, old, new.w)) then
    error("another task waits for it already", 0)
  end
  hand_over(old, new, "r")
  hand_over(old, new, "w")
  unregister(old)
end

local function wanted_of(watch)
  local r, w = watch.r, watch.w
  return r and (w and "rw" or "r") or w and "w"
end

local function ask_poller(watch, wanted)
  local ok, message, name = opened():add(watch.object, wanted, watch)
  if ok then
    watch.events = wanted
    return true
  end
  unregister(watch)
  return nil, message, name
end

-- What may raise comes before what would have to be undone: unregister bears anything between.
local function enlist(watch)
  local fd = number_of(watch)
  local old = watch_at(fd)
  if old then make_way(old, watch) end
  by_descriptor[fd] = watch
end

local function register(watch)
  enlist(watch)
  return ask_poller(watch, wanted_of(watch))
end

-- From now on the poller is asked in place of the ring, if there is something left to wait for.
local function leave_ring(watch)
  local reader, data = watch.r, rings.cancel(watch)
  if data ~= nil and reader then wake(reader, type(data) == "string" and "d" or "e", data) end
  watch.events = false
  return wanted_of(watch)
end

-- Makes the poller ask for what is waited for: true | nil, message, name
local function update(watch)
  local wanted, events = wanted_of(watch), watch.events
  if events == "ring" then
    if rings.has(watch) then return true end
    wanted = wanted and leave_ring(watch)
    if wanted then return ask_poller(watch, wanted) end
  end
  if not wanted then
    unregister(watch)
    return true
  end
  if wanted == events then return true end
  if not events then return register(watch) end
  local ok, message, name = modify(poller, watch.object, wanted)
  if not ok then return nil, message, name end
  watch.events = wanted
  return true
end

-- ---- the kinds of waits ----

-- Why a task cannot wait for a watch: another one does | nil
local function taken(watch, events)
  if events ~= "w" and watch.r then return "another task is reading from it already" end
  if events ~= "r" and watch.w then return "another task is writing to it already" end
end

local function enter(task, watch, events)
  local problem = taken(watch, events)
  if problem then error(problem, 0) end
  if events ~= "w" then watch.r = task end
  if events ~= "r" then watch.w = task end
  if watch.events == events then return true end
  local ok, message, name = update(watch)
  if ok then return true end
  -- What epoll does not take, a file or /dev/null, never makes anybody wait.
  if name == "EPERM" then return events == "w" and "w" or "r", watch end
  return nil, message, name
end

local function lapse(watch)
  if watch.lapsed then return end
  watch.lapsed = state.lapsed or LAST
  state.lapsed = watch
end

local function leave(task, watch)
  if watch.r == task then
    watch.r = false
    if watch.events == "ring" then rings.abandon(watch) end
  end
  if watch.w == task then watch.w = false end
  lapse(watch)
end

local one = { enter = enter, leave = leave }
local any = {}
watches.one, watches.any = one, any -- what other kinds are made of

local function events_of(watch, events)
  return type(events) == "table" and events[watch] or events
end

function any.enter(task, list, events)
  for _, watch in ipairs(list) do
    local ok, message, name = enter(task, watch, events_of(watch, events))
    if ok ~= true then return ok, message, name end
  end
  return true
end

function any.leave(task, list)
  for _, watch in ipairs(list) do leave(task, watch) end
end

-- What enter would raise, with the place of the caller, whatever else would keep the task from waiting.
local function check_free(watch, events)
  local problem = taken(watch, events)
  if problem then check.raise(problem) end
end

-- Waits for a watch: "r" or "w", whichever came first, and the watch | false: so many seconds have passed |
-- nil, message, name
function watches.wait(watch, events, seconds)
  check_free(watch, events)
  return waits.wait(one, watch, events, seconds)
end

-- The same for a program that waits, whose time may be negative, for ever: "r" | "w" | false | nil, message, name
function watches.wait_for(watch, events, timeout)
  local ok, message, name = watches.wait(watch, events, timeout and timeout >= 0 and timeout or nil)
  if ok ~= nil then return ok end
  return nil, message, name
end

-- The same for the first one of a list. events: for all of them, or a table: [watch] = events
function watches.wait_any(list, events, seconds)
  for _, watch in ipairs(list) do check_free(watch, events_of(watch, events)) end
  return waits.wait(any, list, events, seconds)
end

-- ---- reading, see waits.read ----

-- Raises where another task reads from a stream. One that was closed under its reader may seem to have one still:
-- false, message, name
local function check_watch(watch)
  if watch.r and watch.object:getfd() < 0 then return false, "Bad file descriptor", "EBADF" end
  check_free(watch, "r")
end

-- Has the ring receive what is read, or asks the poller: true | nil, message, name
local function request(watch, max)
  local events = watch.events
  local may_receive = rings.on and not watch.w and (not events or events == "ring")
  if not may_receive or not rings.receive(watch, max) then return update(watch) end
  if events then return true end
  local ok, problem = pcall(enlist, watch)
  if not ok then
    rings.abandon(watch)
    error(problem, 0)
  end
  watch.events = "ring"
  if watch.w then return update(watch) end -- another task waits for its number
  return true
end

-- Asks for what a task waits for that reads. What epoll does not take is always ready.
local function ask(task, watch, max)
  local called, ok, message, name = pcall(request, watch, max)
  if not called then return wake(task, false, ok) end
  if ok then return end
  if name == "EPERM" then return wake(task, true) end
  wake(task, nil, message, name)
end

waits.set { check_watch = check_watch, ask = ask, leave_watch = leave }

-- ---- what anybody may wait for ----

local selves = {} -- [metatable] = true: its objects are their own watches
watches.selves = selves

-- The watch of a socket, of a descriptor or of another library's object | nil: it is closed. Those for one descriptor
-- share it; but an object takes over from its number, as the poller cannot tell when a number is closed.
function watches.find(object, name)
  local fd = check.descriptor_of(object, 1, name)
  if not check.is_descriptor(fd) then return nil end
  if selves[getmetatable(object)] then return object end
  local watch, own = watch_at(fd), check.tells_its_end(object) and object
  if watch and not (own and type(watch.object) == "number") then return watch end
  return watches.new({}, own or fd)
end

-- ---- what the loop does ----

-- The poller has lost something: it was closed while a task waited for it.
function watches.find_closed()
  local closed = {}
  for fd, watch in pairs(by_descriptor) do
    if not is_registered(watch) then closed[fd] = watch end
  end
  for fd, watch in pairs(closed) do
    dismiss(watch)
    take_out(watch, fd)
  end
end

-- Tells the poller of what nobody waits for any more.
function watches.tidy()
  while state.lapsed do
    local watch = state.lapsed
    state.lapsed, watch.lapsed = watch.lapsed ~= LAST and watch.lapsed, false
    if not update(watch) then release(watch) end -- a number that was closed
  end
end

function watches.clear()
  watches.tidy()
  rings.close()
  if poller then poller:close() end
  for _, watch in pairs(by_descriptor) do watch.r, watch.w, watch.events = false, false, false end
  poller, by_descriptor = nil, {}
end

-- There is no ring any more, as in the child of a fork: the poller takes over.
function watches.leave_rings()
  for fd, watch in pairs(by_descriptor) do
    if watch.events == "ring" then
      watch.events, by_descriptor[fd] = false, nil
      lapse(watch)
    end
  end
end

-- What was closed elsewhere has left the poller by itself, and the next turn finds out.
local function count_registered()
  local count = 0
  for _, watch in pairs(by_descriptor) do
    if watch.events ~= "ring" and is_registered(watch) then count = count + 1 end
  end
  return count
end

function watches.invariant()
  local count = 0
  for fd, watch in pairs(by_descriptor) do
    local number = number_of(watch)
    if number >= 0 and watch.events ~= "ring" then count = count + 1 end
    assert(number == fd or number < 0, "a watch is registered for another descriptor")
    for _, task in ipairs { watch.r or nil, watch.w or nil } do
      assert(task.wait, "a watch names a task that does not wait")
    end
    local is_ended = watch.events == "ring" and number < 0 -- closed: the next wait tells of it
    assert(watch.lapsed or watch.events == wanted_of(watch) or rings.has(watch) or is_ended,
      "the poller is not asked for what is waited for")
  end
  assert(count == #poller or count_registered() == #poller, "the number of watches is wrong")
end

-- fn(watch) for each that is registered.
function watches.each(fn)
  for _, watch in pairs(by_descriptor) do fn(watch) end
end

watches.lapse, watches.is_registered = lapse, is_registered
rings.set { lapse = lapse }

return watches
