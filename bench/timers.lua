-- 10,000 timers at once: armed and all cancelled, and armed and all fired after 10 ms. What a timer is: a task that
-- sleeps (lsocket's loop, cqueues, copas 4) or a callback (luv). Each library runs in a process of its own.
local lib = require "bench.lib"

local COUNT, SOON, NEVER = 10000, 0.01, 60

if not arg[2] then
   if lib.interpreter == "lua5.4" then
      lib.remark "timers: cqueues cannot cancel a task that sleeps: it waits for a condition, too, which is signalled"
      lib.remark "timers: copas 1.1.7 has no timers"
   end
   lib.run_each("", lib.loops "timers", lib.others("timers", { "cqueues", "luv" }), lib.copases(4))
end

-- Each with a function for each case, which arms so many and returns when the last has been cancelled or has fired.
local libraries = {}

function libraries.lsocket()
   local loop = require "lsocket.loop"
   local sleep, spawn = loop.sleep, loop.spawn
   local function cancel_all(count)
      local tasks = {}
      for i = 1, count do tasks[i] = spawn(sleep, NEVER) end
      sleep(0) -- now all sleep
      for i = 1, count do tasks[i]:cancel() end
   end
   return function(count) loop.run(cancel_all, count) end, function(count)
      loop.run(function()
         for _ = 1, count do spawn(sleep, SOON) end
      end)
   end
end

function libraries.cqueues()
   local cqueues, condition = require "cqueues", require "cqueues.condition"
   local poll, sleep = cqueues.poll, cqueues.sleep
   return function(count)
      local controller, stop = cqueues.new(), condition.new()
      for _ = 1, count do controller:wrap(poll, stop, NEVER) end
      assert(controller:step(0)) -- now all wait
      stop:signal()
      assert(controller:loop())
   end, function(count)
      local controller = cqueues.new()
      for _ = 1, count do controller:wrap(sleep, SOON) end
      assert(controller:loop())
   end
end

function libraries.luv()
   local uv = require "luv"
   local function arm(count, seconds)
      local timers = {}
      for i = 1, count do
         local timer = uv.new_timer()
         timer:start(seconds * 1000, 0, function() timer:close() end)
         timers[i] = timer
      end
      return timers
   end
   return function(count)
      local timers = arm(count, NEVER)
      uv.run "nowait"
      for i = 1, count do
         timers[i]:stop()
         timers[i]:close()
      end
      uv.run()
   end, function(count)
      arm(count, SOON)
      uv.run()
   end
end

function libraries.copas()
   local copas = require "copas"
   local timer = require "copas.timer"
   local left
   local function fire() left = left - 1 end
   local function arm(count, seconds)
      local timers = {}
      left = count
      for i = 1, count do timers[i] = timer.new { delay = seconds, callback = fire } end
      return timers
   end
   return function(count)
      local timers = arm(count, NEVER)
      copas.step(0)
      for i = 1, count do timers[i]:cancel() end
   end, function(count)
      arm(count, SOON)
      while left > 0 do copas.step() end
   end
end

local name = arg[2]
local function measure(case, run)
   run(COUNT) -- gets warm
   for round = 1, lib.rounds(15) do
      local watch = lib.watch()
      collectgarbage()
      watch:start()
      run(COUNT)
      watch:stop(COUNT)
      lib.emit("timers", case, name, round, COUNT, watch.wall, watch.cpu, "unit=timer")
   end
end

local cancelled, fired = libraries[name:match "^%a+"]()
measure("armed and cancelled", cancelled)
measure("armed and fired", fired)
