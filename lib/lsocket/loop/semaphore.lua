-- Semaphores: so many tasks at once.
--
-- While tasks wait for a permit none is free. One that is released is the first waiter's at once.
local check = require "lsocket.loop.check"
local fair = require "lsocket.loop.fair"
local queues = require "lsocket.loop.queues"
local waits = require "lsocket.loop.waits"

local semaphores = {}
local Semaphore = {}
local metatable = { __index = Semaphore, __name = "semaphore", __type = "semaphore" }

local function release(self)
  if self.waiting.first then return queues.hand(self.waiting, true) end
  self.free = self.free + 1
end

-- loop.semaphore(count) -> semaphore
function semaphores.new(count)
  check.whole(count, 1, "semaphore")
  local self = setmetatable({ free = count, waiting = queues.new() }, metatable)
  self.waiting.owner, self.waiting.take_back = self, release
  return self
end

-- semaphore:acquire() -> true | nil, message, name
function Semaphore:acquire()
  check.self(self, metatable, "acquire")
  waits.this()
  local ok, message, name = fair.take()
  if not ok then return nil, message, name end
  if self.free == 0 then
    fair.rest()
    ok, message, name = queues.receive(self.waiting)
    if not ok then return nil, message, name end
    return true
  end
  self.free = self.free - 1
  return true
end

-- semaphore:release()
function Semaphore:release()
  check.self(self, metatable, "release")
  release(self)
end

return semaphores
