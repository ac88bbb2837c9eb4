-- The model: main.lua one SEED plays one program and prints it; main.lua many SEED SECONDS plays those from a seed on.
-- "at SEED" is printed before each, "wrong SEED: ..." after one that was. It ends at the first that was, as the
-- next ones could suffer from it.
local loop = require "lsocket.loop"
local driver = require "spec.model.driver"
local process = require "spec.process"
local program = require "spec.model.program"

local how, seed, seconds = arg[1], tonumber(arg[2]), tonumber(arg[3])

local function descriptors()
  if not process.read "/proc/self/stat" then return 0 end
  loop.getfd() -- the poller's, which is there or not
  return process.count()
end

-- How many descriptors were not closed. The thread of a look-up that nobody waits for any more may read a file yet.
local function left_over(before)
  local stop = loop.now() + 10 -- as that thread may not get to run on a machine that is busy
  local left = descriptors() - before
  while left > 0 and loop.now() < stop do
    loop.run(loop.sleep, 0.01)
    left = descriptors() - before
  end
  return left
end

local function report(number, faults)
  for _, fault in ipairs(faults) do print(("wrong %d: %s"):format(number, fault)) end
end

local function play(number, verbose)
  local g = program.new(number)
  if verbose then print(program.print(g)) end
  local before = descriptors()
  local faults = driver.play(g, verbose, function(list)
    report(number, list)
    os.exit(1)
  end)
  local left = faults[1] and 0 or left_over(before)
  if left > 0 then faults[1] = ("%d descriptors are left"):format(left) end
  report(number, faults)
  return not faults[1]
end

-- What is opened once and kept is no leak.
loop.run(function()
  loop.resolve "localhost"
  loop.sleep(0.001)
end)

if how == "one" then
  os.exit(play(seed, true) and 0 or 1)
end

local stop = loop.now() + seconds
while loop.now() < stop do
  print("at " .. seed)
  io.stdout:flush()
  if not play(seed) then os.exit(1) end
  seed = seed + 1
end
