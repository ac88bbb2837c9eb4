-- Races: the first of several functions that has a result. A race is a kind of groups.
--
-- Fields of such a group: winner, the first task that has given a true value; last, the one that has ended last.
local check = require "lsocket.loop.check"
local doom = require "lsocket.loop.doom"
local groups = require "lsocket.loop.group"
local tasks = require "lsocket.loop.tasks"

local racing = { silent = true }

function racing.judge(group, task)
  group.last = task
  local results = task.results
  if group.winner or not results or results ~= true and not results[1] then return end
  group.winner = task
  doom.group(group)
end

-- A winner that came while the race was being cut off has won: what it gives may have to be closed.
function racing.outcome(group, message, name)
  if message and not group.winner then return nil, message, name end
  return tasks.outcome(group.winner or group.last)
end

local function start(group, ...)
  for i = 1, select("#", ...) do groups.spawn(group, (select(i, ...))) end
end

local races = {}

-- loop.race(fn, ...) -> results of the first that gives a true value, or else of the last | nil, message, name
function races.race(fn, ...)
  check.callable(fn, 1, "race")
  for i = 1, select("#", ...) do check.callable((select(i, ...)), i + 1, "race") end
  return groups.run(racing, start, fn, ...)
end

return races
