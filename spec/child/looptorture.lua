-- looptorture.lua COUNT SEED: so many tasks wait, read, write, connect and sleep, and are cancelled, closed under or
-- left alone at random. Prints how many have ended, and how much descriptors and memory have grown since a first run.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local process = require "spec.process"

local COUNT, SEED = tonumber(arg[1]), tonumber(arg[2])
local AT_ONCE = 200

local function pause() return loop.sleep(math.random() / 100) end

local work = {}

function work.sleep() return pause() end

function work.wait(a) return loop.wait(a, math.random(2) == 1 and "r" or "rw", math.random() / 50) end

function work.read(a) return loop.deadline(0.05, a.read, a, math.random(2) == 1 and "l" or 100000) end

function work.write(a) return loop.deadline(0.05, a.write, a, ("x"):rep(math.random(500000))) end

function work.connect(_, port)
  local client, message, name = loop.connect("127.0.0.1", port)
  if not client then return nil, message, name end
  local data
  data, message, name = client:read()
  client:close()
  return data, message, name
end

-- A group whose tasks hand values on, and do not end by themselves.
function work.group(a)
  return loop.deadline(0.05, loop.group, function(group)
    local queue, semaphore = loop.queue(1), loop.semaphore(1)
    for _ = 1, 3 do
      group:spawn(function()
        while semaphore:acquire() and queue:put(true) and pause() do semaphore:release() end
      end)
    end
    group:spawn(a.read, a)
    local value, message, name = loop.race(pause, function() return queue:get() end)
    if math.random(2) == 1 then group:cancel() end
    return value, message, name
  end)
end

local names = { "sleep", "wait", "read", "write", "connect", "group" }

local function disturb(task, a)
  pause()
  local choice = math.random(4)
  if choice == 1 then task:cancel() end
  if choice == 2 then a:close() end
  if choice == 3 then a:getsocket():close() end
end

-- One task, what happens to it, and the answer that it gets.
local function play(port, outcomes)
  local one, two = assert(lsocket.pair())
  local a, b = stream.new(one), stream.new(two)
  local task = loop.spawn(work[names[math.random(#names)]], a, port)
  local other = loop.spawn(function()
    if math.random(2) == 1 then b:write("line\n") end
    if not pause() then return end -- a cancel ends one wait
    if math.random(2) == 1 then b:readsome() end
    if math.random(2) == 1 then b:close() end
  end)
  disturb(task, a)
  local result, _, name = task:join()
  local outcome = name or (result == nil and "end") or "done"
  outcomes[outcome] = (outcomes[outcome] or 0) + 1
  other:cancel()
  other:join()
  if math.random(2) == 1 then a:close() end
end

local function round(count)
  local outcomes = {}
  loop.run(function()
    local server = assert(loop.serve("127.0.0.1", 0, function(client)
      pause()
      client:write "line\n"
      pause()
    end))
    local port = server:info("socket").port
    for _ = 1, count / AT_ONCE do
      local players = {}
      for i = 1, AT_ONCE do players[i] = loop.spawn(play, port, outcomes) end
      for i = 1, AT_ONCE do players[i]:join() end
    end
    server:close(5)
  end)
  return outcomes
end

math.randomseed(SEED)
round(COUNT / 2)
local descriptors, memory = process.count(), process.memory()
local outcomes = round(COUNT)
local grown = process.memory() - memory
for _ = 1, 3 do -- a leak grows in every round, a heap that has found its size does not
  if grown < 8192 then break end
  memory = process.memory()
  round(COUNT)
  grown = process.memory() - memory
end
local sum = 0
for _, count in pairs(outcomes) do sum = sum + count end
print(sum .. " tasks have ended")
print(process.count() - descriptors .. " descriptors more")
print(grown < 8192 and "no memory more" or grown .. " KiB more")
