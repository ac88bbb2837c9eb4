-- Everything at once, at random, for so many seconds: main.lua SECONDS [SEED]. Tasks of one loop play what the other
-- files of this folder have. After each round all of it ends; what is left then is compared with what was left after
-- the first round: not one descriptor more, and hardly any memory. What grows once may be kept for the next time, so
-- memory leaks where it grows again in as long a time. Exit status 1 where something leaks; 2 where a call has answered
-- something else than it must.
local loop = require "lsocket.loop"
local crew = require "spec.crew"
local process = require "spec.process"
local common = require "spec.soak.common"
local waiters = require "spec.soak.waiters"
local streams = require "spec.soak.streams"
local datagrams = require "spec.soak.datagrams"
local mistakes = require "spec.soak.mistakes"
local others = require "spec.soak.others"
local tasks = require "spec.soak.tasks"
local tls = require "spec.soak.tls"
local heap = require "heap" -- heap.c

local SECONDS = assert(tonumber(arg[1]), "main.lua SECONDS [SEED]")
local SEED = tonumber(arg[2]) or os.time()
local WARM_UP = math.min(60, SECONDS / 3)
local ROUND = math.max(5, math.min(60, SECONDS / 6))
local EVERY = math.min(5, SECONDS / 10) -- seconds between lines
local WORKERS = 60
-- What is compared: key, name, how much more there may be in the end.
local FIGURES = {
  { "descriptors", "descriptors", 0 },
  { "lua", "Lua's memory, KiB", jit and 128 or 64 }, -- LuaJIT compiles more or less
  { "c", "C's memory, KiB", 16 }, -- from malloc, but for Lua's
  -- With what is free, and not given back. LuaJIT's own allocator gives little back.
  { "memory", "memory of the process, KiB", jit and math.huge or 8192 },
}

local began = loop.now()

local function say(...)
  print(("%6.0f s  "):format(loop.now() - began) .. string.format(...))
  io.stdout:flush()
end

-- A task that fails has seen something that must not be.
function loop.onerror(_, trace)
  print("FAILED  LS_SEED=" .. SEED .. ": " .. trace)
  os.exit(2)
end

local function play(list)
  return function() return list[common.one_of(list.list)]() end
end

local acts = { streams, streams, streams, tls, datagrams, datagrams, datagrams, mistakes, play(others), play(others),
  play(tasks), play(tasks) }

local function total()
  local sum = 0
  for _, count in pairs(common.counts) do sum = sum + count end
  return sum
end

local least = math.huge -- the descriptors after any round

-- After a round, when nothing is used any more, without garbage.
local function measure()
  local left = { descriptors = crew.settle(least), memory = process.memory() }
  least = math.min(least, left.descriptors)
  local lua, all = collectgarbage "count", (heap() or 0) / 1024
  left.lua = math.floor(lua + 0.5)
  left.c = math.floor(math.max(0, jit and all or all - lua) + 0.5) -- LuaJIT does not take its own from malloc
  return left
end

local function watch(moment)
  local before, since = total(), loop.now()
  while loop.now() < moment do
    loop.sleep(math.min(EVERY, moment - loop.now()))
    local now = total()
    local rss = process.status "VmRSS":match "%d+"
    local lua = math.floor(collectgarbage "count")
    say("%d operations, %.0f a second; %d descriptors, %d threads, %d KiB resident, %d KiB of Lua's", now,
      (now - before) / (loop.now() - since), process.opened(), process.threads(), rss, lua)
    before, since = now, loop.now()
  end
end

-- Plays for so long, and lets everything come to its end.
local function round(seconds)
  loop.run(function()
    local moment = loop.now() + seconds
    local working = WORKERS
    loop.spawn(waiters.run, function() return working > 0 end)
    for _ = 1, WORKERS do
      loop.spawn(function()
        while loop.now() < moment do
          common.one_of(acts)()
          loop.sleep(0)
        end
        working = working - 1
      end)
    end
    watch(moment)
  end)
  waiters.close()
  local left = measure()
  say("all has ended: %d descriptors, %d KiB of Lua's, %d KiB of C's, %d KiB in all", left.descriptors, left.lua,
    left.c, left.memory)
  return left
end

local function print_counts()
  local kinds = {}
  for kind in pairs(common.counts) do kinds[#kinds + 1] = kind end
  table.sort(kinds)
  for _, kind in ipairs(kinds) do print(("%-32s %12d"):format(kind, common.counts[kind])) end
  print(("%-32s %12d"):format("operations", total()))
  print(("%-32s %12d"):format("bytes compared", common.bytes))
  print(("%-32s %12d"):format("UDP datagrams lost", common.lost))
end

-- What there is more of than there may be: a set of keys, or nil.
local function compare(first, last)
  local grown
  print(("%-32s %12s %12s"):format("", "start", "end"))
  for _, figure in ipairs(FIGURES) do
    local key, name, more = figure[1], figure[2], figure[3]
    if last[key] > first[key] + more then
      grown = grown or {}
      grown[key] = true
    end
    print(("%-32s %12d %12d%s"):format(name, first[key], last[key], grown and grown[key] and "   MORE" or ""))
  end
  return grown
end

local function play_rounds(seconds)
  local left
  local moment = loop.now() + seconds
  repeat left = round(math.min(ROUND, moment - loop.now())) until loop.now() >= moment - 1
  return left
end

local function leaks(first)
  local last = play_rounds(SECONDS - WARM_UP)
  local grown = compare(first, last)
  if not grown or grown.descriptors then return grown end
  say("is that kept for the next time? Once more, for as long")
  local again = compare(last, play_rounds(SECONDS - WARM_UP)) or {}
  for key in pairs(grown) do if again[key] then return true end end
  return again.descriptors
end

-- What is random makes a trace after the other, and with the usual room LuaJIT would compile most of the time.
if jit then require "jit.opt".start("maxtrace=20000", "maxmcode=32768", "sizemcode=512") end
print("LS_SEED=" .. SEED .. " " .. (jit and jit.version or _VERSION))
math.randomseed(SEED)
common.prepare()
others.open()
crew.hire()
round(WARM_UP / 2)
local leaked = leaks(round(WARM_UP / 2)) -- when all has been used twice that is kept for the next time
others.close()
print_counts()
print(leaked and "something LEAKS" or "nothing leaks")
os.exit(leaked and 1 or 0)
