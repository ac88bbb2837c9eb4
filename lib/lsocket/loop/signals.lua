-- Signals: waiting for them while other tasks go on.
local check = require "lsocket.loop.check"
local gates = require "lsocket.loop.gates"
local watches = require "lsocket.loop.watches"

local signals = {}
local Signals = {}
local metatable = { __index = Signals, __name = "signals", __type = "signals" }

-- loop.signals(name, ...) -> signals | nil, message, name
function signals.signals(...)
  local object, message, name = check.core("signals", ...)
  if not object then return nil, message, name end
  local self = setmetatable({ object = object, gate = gates.new() }, metatable)
  self.gate.watches[1] = watches.new({}, object)
  return self
end

-- signals:next() -> name | false: none has come | nil, message, name
function Signals:next()
  check.self(self, metatable, "next")
  return self.object:next()
end

-- signals:getfd() -> descriptor, -1 when closed
function Signals:getfd()
  check.self(self, metatable, "getfd")
  return self.object:getfd()
end

-- Waits also where one has come already: so each task has its turn, and the others theirs.
local function wait(self)
  while true do
    local ok, message, symbol = gates.wait(self.gate)
    if not ok then return nil, message, symbol end
    local name
    name, message, symbol = self.object:next()
    if name ~= false then return name, message, symbol end
  end
end

-- signals:wait() -> name | nil, message, name
function Signals:wait()
  check.self(self, metatable, "wait")
  return wait(self)
end

-- signals:values() -> iterator of names, which ends when it is closed
function Signals:values()
  check.self(self, metatable, "values")
  return wait, self
end

-- signals:close() -> true
function Signals:close()
  check.self(self, metatable, "close")
  gates.close(self.gate)
  return true
end

metatable.__close = Signals.close

function metatable.__tostring(self)
  return tostring(self.object)
end

return signals
