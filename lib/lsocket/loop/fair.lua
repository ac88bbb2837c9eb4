-- Fairness among tasks: how long one may go on with calls that need not wait, such as reads of what is in a buffer.
-- Who calls it counts what is cheap, as looking at the clock is not.
local waits = require "lsocket.loop.waits"

local clock = require("lsocket").now

local SLICE = 0.0001 -- seconds; several tasks that go on so have their turns after each other

-- Cheap calls from one look at the clock to the next: at first, and where they are quick. LuaJIT's are; and what it has
-- compiled ends where it looks at the clock.
local FEW, MANY = 16, 128
if rawget(_G, "jit") then FEW, MANY = 256, 512 end

local fair = { CALLS = FEW }

local slice = {
  began = false, -- when a task began to go on so; to be set to false where it waits
  calls = FEW,   -- how many cheap calls there may be until the next check
}
fair.slice = slice

-- Has the task had its share? Then the others have their turn: true | true, true: they have run | nil, message, name
function fair.check()
  local now, began = clock(), slice.began
  local taken = began and now - began
  if taken and taken >= SLICE then
    slice.began, slice.calls = false, FEW
    if not waits.running() then return true end -- where it cannot wait nobody can have a turn
    local ok, message, name = waits.pause()
    if ok then return true, true end
    return nil, message, name
  end
  slice.began = began or now
  slice.calls = taken and taken < SLICE / 16 and MANY or FEW
  return true
end

local left = FEW

-- A call of a task begins that need not wait, perhaps. Once in a while the others have their turn before it: true |
-- nil, message, name
function fair.take()
  left = left - 1
  if left >= 0 then return true end
  local ok, message, name = fair.check()
  left = slice.calls
  return ok, message, name
end

-- The task is about to wait, so that the others have their turn.
function fair.rest()
  left, slice.began = FEW, false
end

return fair
