-- Queues of values, from tasks to tasks. (Those of tasks that wait are in queues.lua.)
--
-- While a task waits to get there is no value, and while one waits to put there is no room: so nobody overtakes. A
-- value is in the queue, with the task that waits to put it (its field how), or in the hand of one that is about to get
-- it.
local check = require "lsocket.loop.check"
local fair = require "lsocket.loop.fair"
local queues = require "lsocket.loop.queues"
local waits = require "lsocket.loop.waits"

local valuequeues = {}
local Queue = {}
local metatable = { __index = Queue, __name = "queue", __type = "queue" }

local CLOSED = "Broken pipe"

-- ---- the values: a list from first on, size of them ----

local function push(self, value)
  self.list[self.first + self.size] = value
  self.size = self.size + 1
end

local function shift(self)
  local first = self.first
  local value = self.list[first]
  self.list[first] = nil
  self.size = self.size - 1
  self.first = self.size > 0 and first + 1 or 1
  return value
end

-- The one who was to get a value never runs again: it is the next one's.
local function take_back(self, value)
  if self.getters.first then return queues.hand(self.getters, value) end
  local before = self.first - 1
  self.list[before] = value
  self.first, self.size = before, self.size + 1
end

-- ---- the class ----

-- loop.queue([max]) -> queue
function valuequeues.new(max)
  if max ~= nil then check.whole(max, 1, "queue") end
  local self = setmetatable({
    list = {}, first = 1, size = 0, max = max or math.huge, closed = false,
    getters = queues.new(), putters = queues.new(),
  }, metatable)
  self.getters.owner, self.getters.take_back = self, take_back
  return self
end

-- queue:put(value) -> true | nil, message, name
function Queue:put(value)
  check.self(self, metatable, "put")
  if value == nil then check.fail(1, "put", "value expected, got nil") end
  if self.closed then return nil, CLOSED, "EPIPE" end
  if self.getters.first then
    queues.hand(self.getters, value)
    return true
  end
  if self.size < self.max then
    push(self, value)
    return true
  end
  local ok, message, name = queues.wait(self.putters, nil, value)
  if ok then return true end
  return nil, message, name
end

-- The value of the first task that waits to put one, which goes on, or nil.
local function next_put(self)
  local putter = self.putters.first
  if not putter then return nil end
  local value = putter.how
  queues.wake_first(self.putters)
  return value
end

-- Takes the value of the first task that waits to put one to the others: memory may end before that is changed.
local function follow(self)
  self.list[self.first + self.size] = self.putters.first.how
  queues.wake_first(self.putters)
  self.size = self.size + 1
end

-- The first value that there is, or nil.
local function take(self)
  if self.size == 0 then return next_put(self) end
  if self.putters.first and self.size <= self.max then follow(self) end
  return shift(self)
end

-- queue:get() -> value | nil: it is closed and empty | nil, message, name
function Queue:get()
  check.self(self, metatable, "get")
  waits.this()
  local ok, message, name = fair.take()
  if not ok then return nil, message, name end
  local value = take(self)
  if value ~= nil or self.closed then return value end
  fair.rest()
  ok, value, name = queues.receive(self.getters)
  if ok then return value end
  if not name then return nil end -- it was closed
  return nil, value, name
end

-- queue:close() -> true
function Queue:close()
  check.self(self, metatable, "close")
  self.closed = true
  queues.fail(self.getters)
  queues.fail(self.putters, CLOSED, "EPIPE")
  return true
end

-- Lua gives it an error, too.
function metatable.__close(self) return Queue.close(self) end

-- queue:count() -> how many values it has
function Queue:count()
  check.self(self, metatable, "count")
  return self.size
end

-- queue:values() -> iterator
function Queue:values()
  check.self(self, metatable, "values")
  return self.get, self
end

return valuequeues
