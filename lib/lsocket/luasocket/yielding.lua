-- The task that may wait here, if any: as loop.running, on every Lua. Lua 5.1 and 5.2 do not tell whether a coroutine
-- can yield where it is: there its stack does. A function in C that has called Lua's cannot be yielded across, but for
-- a few of 5.2. What cannot be seen on 5.1 is a metamethod.
local waits = require "lsocket.loop.waits"

local running, this_thread = waits.running, coroutine.running
local getinfo, getlocal, gethook = debug.getinfo, debug.getlocal, debug.gethook

local yielding = {}

-- [function] = is it one in C, that does not let yield what it has called? Each function is looked at once.
local barriers = setmetatable({}, { __mode = "k" })
if waits.NATIVE then barriers[pcall], barriers[xpcall], barriers[dofile] = false, false, false end

getmetatable(barriers).__index = function(_, fn)
  local is_barrier = getinfo(fn, "S").what == "C"
  barriers[fn] = is_barrier
  return is_barrier
end

-- Lua 5.1 calls iterators so that they cannot yield, and tells by what name it does.
local ITERATOR = "(for generator)"

local WHAT = waits.NATIVE and "f" or "nf"

-- Has the function at this level called an iterator, whose name a tail call has lost? Then the hidden variables of a
-- loop are its last ones, as in a loop's body others follow.
local function calls_iterator(thread, level)
  local last
  for i = 1, math.huge do
    local name = getlocal(thread, level, i)
    if not name or name == "(*temporary)" then return last == "(for control)" end
    last = name
  end
end

-- Can the functions of a coroutine yield that are at this level and below it? deeper: 1 for the coroutine that runs, in
-- which a function that is called from here has a level of its own; else 0
local function can_yield(thread, level, deeper)
  local hook = gethook(thread)
  local info, tail = getinfo(thread, level, WHAT), false
  while info do
    local fn = info.func -- nil: one that has made a tail call
    if fn and (barriers[fn] or fn == hook or info.name == ITERATOR) then return false end
    if tail and fn and calls_iterator(thread, level + deeper) then return false end
    tail = not fn
    level = level + 1
    info = getinfo(thread, level, WHAT)
  end
  return true
end

local forwards = setmetatable({}, { __mode = "k" }) -- [frame] = can its coroutine yield? Found out once, as it stands

-- The same of the coroutines below, on Lua 5.1: each stands in the function that has resumed the next one.
local function can_forward(task)
  local frame = task.frame
  while frame do
    local yields = forwards[frame]
    if yields == nil then
      yields = not frame.inner or can_yield(frame.inner, 1, 0)
      forwards[frame] = yields
    end
    if not yields then return false end
    frame = frame.frame
  end
  return true
end

-- () -> task | nil;  the levels below the third are these two functions
function yielding.task()
  local task = running()
  if task and can_yield(this_thread(), 3, 1) and can_forward(task) then return task end
end

-- A function in C that lets yield what it has called: the function
function yielding.open(fn)
  barriers[fn] = false
  return fn
end

local tells = rawget(coroutine, "isyieldable") or rawget(_G, "jit")
if tells then yielding.task = running end

return yielding
