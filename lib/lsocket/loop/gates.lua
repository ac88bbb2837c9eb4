-- Gates: several tasks wait for the same objects to be readable, and go through one at a time, in the order in which
-- they came. What is to be had there is left to the caller.
--
-- A gate is a table with the fields watches, a list of them; and holder and queue, as of any turn, see queues.lua. The
-- task that waits for the watches holds the turn meanwhile; the others stand in the queue.
local queues = require "lsocket.loop.queues"
local waits = require "lsocket.loop.waits"
local watches = require "lsocket.loop.watches"

local gates = {}

function gates.new()
  return { watches = {}, holder = false, queue = queues.new() }
end

local passing = {}

function passing.enter(task, gate)
  queues.hold(gate, task)
  return watches.any.enter(task, gate.watches, "r")
end

function passing.leave(task, gate)
  watches.any.leave(task, gate.watches)
  queues.pass_on(gate, task)
end

-- Waits for the turn, then until one of the watches can be read: "r", watch | nil, message, name
function gates.wait(gate)
  local task = waits.this()
  local ok, watch, name = queues.await_turn(gate)
  if not ok then return nil, watch, name end
  ok, watch, name = waits.wait(passing, gate)
  queues.pass_on(gate, task) -- where the wait was cut off before it began
  return ok, watch, name
end

-- Closes what the gate is for; those that wait at it are told.
function gates.close(gate)
  queues.dismiss(gate.queue) -- before the turn is passed on
  for _, watch in ipairs(gate.watches) do
    watches.release(watch)
    watch.object:close()
  end
end

return gates
