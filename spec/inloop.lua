-- What the specs of the loop share.
local loop = require "lsocket.loop"
local helper = require "spec.helper"

local inloop = {}
local unpack = table.unpack or unpack -- luacheck: ignore 143

-- Runs a function as the first task of the loop, for no longer than helper.patience.
function inloop.run(fn)
  return loop.run(loop.deadline, helper.patience, fn)
end

-- Lets the other tasks have some turns, after which they wait.
function inloop.rest(turns)
  for _ = 1, turns or 3 do loop.sleep(0) end
end

-- Calls a function while another task counts its turns: how many it had, what the function returns.
function inloop.turns_during(fn, ...)
  local turns, done = 0, false
  loop.spawn(function()
    while not done do
      turns = turns + 1
      loop.sleep(0)
    end
  end)
  local results = helper.pack(fn(...))
  done = true
  return turns, unpack(results, 1, results.n)
end

-- Collects what onerror is told while a function runs.
function inloop.failures(fn)
  local list, before = {}, loop.onerror
  loop.onerror = function(_, trace) list[#list + 1] = trace end
  local ok, problem = pcall(fn)
  loop.onerror = before
  assert(ok, problem)
  return list
end

-- Sleeps, and looks at no answer.
function inloop.stubborn()
  while true do loop.sleep(0.001) end
end

-- A function, and what its waits have answered.
function inloop.noting(seconds)
  local names = {}
  return function()
    for _, time in ipairs { seconds or 60, 0 } do
      local name = select(3, loop.sleep(time)) or "slept"
      names[#names + 1] = name
    end
  end, names
end

return inloop
