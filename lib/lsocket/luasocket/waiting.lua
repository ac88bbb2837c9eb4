-- Waiting: in a task the other tasks run meanwhile, anywhere else the program waits.
--
-- An object's field block is how long a call may take, in seconds from its start, and total the same by mode "t";
-- negative: for ever. With both, block is what each single wait may take.
local arguments = require "lsocket.luasocket.arguments"
local check = require "lsocket.loop.check"
local lsocket = require "lsocket"
local waits = require "lsocket.loop.waits"
local watches = require "lsocket.loop.watches"
local yielding = require "lsocket.luasocket.yielding"

local clock, max, min = lsocket.now, math.max, math.min
local current, running, pause, wait_for = waits.current, yielding.task, waits.pause, watches.wait

-- Calls that need not wait until the next look whether others are to run, without a task and in one.
local ALONE, AMONG = 64, 4
local SLICE = 0.000025 -- seconds that a task may go on so; a hundred have one each before a timer goes off

local waiting = { CALLS = ALONE }

-- What ended a wait in place of what was waited for.
local function reason(name)
  if name == "ETIMEDOUT" then return "timeout" end
  if name == "ECANCELED" then return "closed" end
end

-- Lets other tasks run, where there may be any: nil | "timeout" or "closed": what ended the pause
function waiting.pause()
  if not (current() and running()) then return nil end
  local ok, _, name = pause()
  if not ok then return reason(name) end
end

local last, began -- the task that has called last, and when it began to go on without a wait

-- Has the task had its share? Then the others run: how many calls there may be until the next look, nil | text: what
-- ended the pause
function waiting.share()
  local task, now = current(), clock()
  if not task then return ALONE end
  if task ~= last then last, began = task, now end
  if now - began < SLICE then return AMONG end
  last = false
  return AMONG, waiting.pause()
end

local left = ALONE

-- A call begins that need not wait, perhaps: as share, once in a while: nil | text
function waiting.take()
  left = left - 1
  if left >= 0 then return nil end
  local text
  left, text = waiting.share()
  return text
end

-- How many calls there may be until the first look.
function waiting.calls()
  return current() and AMONG or ALONE
end

-- When a call that starts now must have ended; false: never.
local function due_of(self)
  local seconds = self.total >= 0 and self.total or self.block
  return seconds >= 0 and clock() + seconds
end

-- How long the next wait of a call may last, or nil.
local function time_left(self, due)
  if not due then return nil end
  local seconds = max(due - clock(), 0)
  return self.total >= 0 and self.block >= 0 and min(self.block, seconds) or seconds
end

local function wait_in_task(self, events, seconds)
  last = false
  local ok, message, name = wait_for(self, events, seconds)
  if ok then return true end
  if ok == false then return nil, "timeout" end
  return nil, reason(name) or message
end

-- The whole program waits. After a signal whose handler is Lua's it does so again. Which events have come | nil, text
local function wait_at_once(self, events, seconds)
  local due = seconds and clock() + seconds
  local ok, message, name
  repeat
    ok, message, name = self.object:wait(events, due and max(due - clock(), 0))
  until name ~= "EINTR"
  if ok then return ok end
  if ok == false then return nil, "timeout" end
  return nil, name == "EBADF" and "closed" or message
end

-- The program waits for an object that has no time-out.
local function wait_long(self, events)
  local ok, message, name = self.object:wait(events)
  if ok then return ok end
  if name == "EINTR" then return wait_at_once(self, events) end
  return nil, name == "EBADF" and "closed" or message
end

-- Waits for an object's events. due: when the call must have ended, nil where it waits for the first time:
-- true, or which of them have come, due | nil, text
function waiting.wait(self, events, due)
  local block = self.block
  if block < 0 and self.total < 0 and not current() then return wait_long(self, events) end
  if block == 0 then return nil, waiting.pause() or "timeout" end
  if due == nil then due = due_of(self) end
  local ok, text = (running() and wait_in_task or wait_at_once)(self, events, time_left(self, due))
  return ok, ok and due or text
end

-- Waits for seconds alone. In plain code a signal does not end it.
function waiting.sleep(seconds)
  if running() then
    if seconds > 0 then waits.rest(seconds) else waits.pause() end
    return
  end
  local due = clock() + seconds
  while seconds > 0 do
    lsocket.select(seconds)
    seconds = due - clock()
  end
end

-- ---- time-outs ----

-- object:settimeout([seconds [, mode]]) -> 1
function waiting.settimeout(self, seconds, mode)
  if seconds ~= nil then seconds = arguments.seconds(seconds, 1, "settimeout") end
  mode = mode == nil and "b" or tostring(mode)
  local kind = mode:sub(1, 1)
  if kind == "b" then
    self.block = seconds or -1
  elseif kind == "t" or kind == "r" then
    self.total = seconds or -1
  else
    check.fail(2, "settimeout", "invalid timeout mode")
  end
  return 1
end

-- object:gettimeout() -> block, total;  -1: for ever
function waiting.gettimeout(self)
  return self.block, self.total
end

return waiting
