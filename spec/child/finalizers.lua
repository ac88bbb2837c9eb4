-- Finalizers that the collector runs in the middle of the loop, at every allocation that it can, and that spawn tasks,
-- while others are woken. Prints how many were woken, and whether every task that was spawned has run.
local loop = require "lsocket.loop"
local helper = require "spec.helper"

local ROUNDS = 5000
local MOST = 5000 -- tasks that finalizers spawn, each of which lets more finalizers run

local spawned, ran, woken = 0, 0, 0
local going = true

local function count() ran = ran + 1 end

local function finalize()
  if not going then return end
  if spawned < MOST then
    spawned = spawned + 1
    loop.spawn(count)
  end
  helper.when_collected(finalize)
end

helper.tune("pause", 0)
helper.tune("stepmul", 400)
helper.when_collected(finalize)
loop.run(function()
  for _ = 1, ROUNDS do
    local task = loop.spawn(function() return select(3, loop.sleep(60)) end)
    loop.sleep(0)
    task:cancel()
    if loop.deadline(5, task.join, task) == "ECANCELED" then woken = woken + 1 end
  end
  going = false -- what has been spawned by then runs before the loop ends
end)
assert(spawned > 0, "no finalizer has run")
print(woken, spawned == ran)
