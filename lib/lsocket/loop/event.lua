-- Events: something that has happened, or not yet.
local check = require "lsocket.loop.check"
local fair = require "lsocket.loop.fair"
local queues = require "lsocket.loop.queues"
local waits = require "lsocket.loop.waits"

local events = {}
local Event = {}
local metatable = { __index = Event, __name = "event", __type = "event" }

-- loop.event() -> event
function events.new()
  return setmetatable({ happened = false, waiting = queues.new() }, metatable)
end

-- event:set(): every task that waits goes on
function Event:set()
  check.self(self, metatable, "set")
  self.happened = true
  queues.wake_all(self.waiting, true)
end

-- event:clear()
function Event:clear()
  check.self(self, metatable, "clear")
  self.happened = false
end

-- event:isset() -> true | false
function Event:isset()
  check.self(self, metatable, "isset")
  return self.happened
end

-- event:wait() -> true: it has been set | nil, message, name
function Event:wait()
  check.self(self, metatable, "wait")
  waits.this()
  local ok, message, name = fair.take()
  if ok and not self.happened then
    fair.rest()
    ok, message, name = queues.wait(self.waiting)
  end
  if ok then return true end
  return nil, message, name
end

return events
