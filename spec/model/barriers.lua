-- Ways to call a function from where, on one Lua or another, nobody can yield: each is called with it. Where it cannot
-- wait an error comes out.
local loop = require "lsocket.loop"

local barriers = {}
local load = loadstring or load -- luacheck: ignore 143

-- In a finalizer LuaJIT of before August 2023 goes round for ever in a compiled loop over pairs that meets other types
-- than before: so nothing is compiled when one is about to run.
local function forget_traces()
  if rawget(_G, "jit") then jit.flush() end -- luacheck: ignore 113
end

-- On Lua 5.1 tables have no __gc, but there is newproxy.
local function with_gc(fn)
  forget_traces()
  if newproxy then -- luacheck: ignore 113
    local proxy = newproxy(true) -- luacheck: ignore 113
    getmetatable(proxy).__gc = fn
    return
  end
  setmetatable({}, { __gc = fn })
end

local function with(event, fn)
  return setmetatable({}, { [event] = function() fn() return "" end })
end

function barriers.gsub(fn) ("x"):gsub("x", function() fn() end) end

function barriers.sort(fn)
  local called = false
  table.sort({ 3, 1, 2 }, function(a, b)
    if not called then
      called = true
      fn()
    end
    return a < b
  end)
end

function barriers.tostring(fn) return tostring(with("__tostring", fn)) end
function barriers.index(fn) return with("__index", fn).x end
function barriers.newindex(fn) with("__newindex", fn).x = 1 end
function barriers.add(fn) return with("__add", fn) + 1 end
function barriers.concat(fn) return with("__concat", fn) .. "x" end
function barriers.call(fn) return with("__call", fn)() end
function barriers.len(fn) return #with("__len", fn) end

function barriers.lt(fn)
  local meta = { __lt = function() fn() return true end }
  return setmetatable({}, meta) < setmetatable({}, meta)
end

function barriers.eq(fn)
  local meta = { __eq = function() fn() return true end }
  return setmetatable({}, meta) == setmetatable({}, meta)
end

-- A finalizer's error would be that of whoever collects.
local function finalizer(fn)
  local done = false
  return function()
    if done then return end
    done = true
    pcall(fn)
  end
end

function barriers.gc(fn)
  with_gc(finalizer(fn))
  collectgarbage()
end

function barriers.gcstep(fn)
  with_gc(finalizer(fn))
  for _ = 1, 100 do collectgarbage("step", 100) end
end

local function again(ok, ...)
  if not ok then error((...), 0) end
  return ...
end

function barriers.pcall(fn) return again(pcall(fn)) end
function barriers.xpcall(fn) return again(xpcall(fn, function(problem) return problem end)) end
function barriers.caught(fn) return again(loop.pcall(fn)) end

-- A protected call of the loop's own in a place that it cannot wait in.
function barriers.nested(fn)
  barriers.gsub(function() again(loop.pcall(fn)) end)
end

function barriers.require(fn)
  package.preload["spec.model.none"] = function() fn() return true end
  package.loaded["spec.model.none"] = nil
  require "spec.model.none"
end

function barriers.load(fn)
  if _VERSION == "Lua 5.1" then return barriers.gsub(fn) end -- reads strings only
  local pieces = { "return ", "1" }
  local done = false
  local chunk, problem = load(function()
    if not done then
      done = true
      fn()
    end
    return table.remove(pieces, 1)
  end)
  if not chunk then error(problem, 0) end -- which assert would not take, unless it is a string
end

function barriers.hook(fn)
  local sum = 0
  debug.sethook(function()
    debug.sethook()
    fn()
  end, "", 1)
  for i = 1, 10 do sum = sum + i end
  debug.sethook()
  return sum
end

function barriers.iterator(fn)
  local done = false
  for _ in function()
    if done then return nil end
    done = true
    fn()
    return 1
  end do done = true end
end

function barriers.pairs(fn)
  local object = setmetatable({}, { __pairs = function(t)
    fn()
    return next, t, nil
  end })
  local count = 0
  for _ in pairs(object) do count = count + 1 end
  return count
end

-- Coroutines of the program's own.
function barriers.wrap(fn) coroutine.wrap(fn)() end
function barriers.resume(fn) again(coroutine.resume(coroutine.create(fn))) end

return barriers
