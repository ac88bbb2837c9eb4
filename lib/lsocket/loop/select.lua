-- lsocket.select for a task: what is ready is asked of lsocket, and the poller is waited for meanwhile.
local check = require "lsocket.loop.check"
local fair = require "lsocket.loop.fair"
local lsocket = require "lsocket"
local streams = require "lsocket.loop.streams"
local waits = require "lsocket.loop.waits"
local watches = require "lsocket.loop.watches"

local clock = lsocket.now

local selecting = {}

-- ---- what is ready now ----

-- What has data in its buffer is ready whatever lsocket says; the order is that of the list.
local function add_filled(list, ready)
  local is_ready, all = {}, {}
  for _, object in ipairs(ready) do is_ready[object] = true end
  for _, object in ipairs(list) do
    local stream = streams.is(object)
    if is_ready[object] or is_ready[object] == nil and stream and streams.is_filled(stream) then
      all[#all + 1] = object
      is_ready[object] = false -- each once
    end
  end
  return all
end

local function is_any_filled(list)
  for _, object in ipairs(list or {}) do
    local stream = streams.is(object)
    if stream and streams.is_filled(stream) then return true end
  end
end

-- As lsocket.select with no time.
local function look(read, write)
  local readable, writable, name = check.core("select", read, write, 0)
  if readable == nil or not is_any_filled(read) then return readable, writable, name end
  return add_filled(read, readable or {}), write and (writable or {})
end

-- ---- waiting for it ----

-- The watches of a list go into another one, with their events: one for each descriptor, a stream or else an object
-- where there is one, as the poller does not hear of a number that is closed.
local function note(found, list, event)
  for _, object in ipairs(list or {}) do
    local stream = streams.is(object)
    local watch = stream or watches.find(object, "select")
    local fd = watch and (type(watch.object) == "number" and watch.object or watch.object:getfd())
    if fd and fd >= 0 then
      local known = found[fd]
      if not known then
        found[fd] = { watch = watch, events = event }
      else
        known.watch = (stream or type(known.watch.object) == "number") and watch or known.watch
        known.events = known.events == event and event or "rw"
      end
    end
  end
end

-- The watches of all, and the events of each.
local function watches_of(read, write)
  local found, list, events = {}, {}, {}
  note(found, read, "r")
  note(found, write, "w")
  for _, entry in pairs(found) do
    list[#list + 1] = entry.watch
    events[entry.watch] = entry.events
  end
  return list, events
end

-- Waits until one of the list may be ready, at most until then: true | false: the time is over | nil, message, name
local function await(list, events, due)
  local left = due and due - clock()
  if left and left <= 0 then
    local ok, message, name = waits.pause()
    if not ok then return nil, message, name end
    return false
  end
  if #list == 0 and not due then return lsocket.select(-1) end -- says that there is nothing to wait for
  local event, message, name = watches.wait_any(list, events, left)
  if event then return true end
  return event, message, name
end

local function await_ready(read, write, due)
  local count = 0
  while true do
    local list, events = watches_of(read, write)
    if #list < count then return nil, "Operation canceled", "ECANCELED" end -- one was closed as it was ready
    count = #list
    local more, message, failure = await(list, events, due)
    if more == nil then return nil, message, failure end
    local readable, writable, name = look(read, write)
    if readable ~= false or not more then return readable, writable, name end
  end
end

-- ---- the function ----

-- The first number is the time, wherever it stands: read, write, timeout, its place
local function arrange(read, write, timeout)
  if type(read) == "number" then return nil, nil, read, 1 end
  if type(write) == "number" then return read, nil, write, 2 end
  return read, write, timeout, 3
end

local function give(readable, writable, name)
  if name then return nil, writable, name end
  if writable then return readable, writable end
  return readable
end

-- loop.select([read], [write], [timeout]) -> as lsocket.select
function selecting.select(...)
  local read, write, timeout, arg = arrange(...)
  if timeout ~= nil then check.number(timeout, arg, "select") end
  waits.this()
  local due = timeout and timeout >= 0 and timeout < math.huge and clock() + timeout
  local ok, message, failure = fair.take()
  if not ok then return nil, message, failure end
  local readable, writable, name = look(read, write)
  if readable == false then readable, writable, name = await_ready(read, write, due) end
  return give(readable, writable, name)
end

return selecting
