-- What a scenario is played with, and what judges it. Every function of the library is watched: which were called, and
-- what failure they told. main.c gives the table torture: what is to fail in this run, and a few harmless calls.
local scene = {}

local ls           -- the module
local failed = {}  -- the names of the failures that were told
local blocked      -- a call has answered false
local called = {}  -- by public name

-- ---- watching ----

function scene.note(...)
  local result, message, name = ...
  if result == nil and type(message) == "string" and type(name) == "string" then failed[name] = true end
  if result == false then blocked = true end
  return ...
end
local note = scene.note

local function watched(name, fn)
  called[name] = false
  return function(...)
    called[name] = true
    return note(fn(...))
  end
end

-- Puts watched functions in the place of those of a table; prefix: "socket:".
local function watch(functions, prefix)
  for name, fn in pairs(functions) do
    if type(fn) == "function" then functions[name] = watched(prefix .. name, fn) end
  end
end

-- One object of each kind, made while nothing fails; some kinds are not there on every platform.
local makers = {
  function() return ls.bind("udp", "127.0.0.1", 0) end,
  function() return ls.poller() end,
  function() return (ls.ring()) end,
  function() return ls.batch(1) end,
  function() return ls.lookup("127.0.0.1") end,
  function() return ls.buffer and ls.buffer() end,
  function() return ls.signals("USR1") end,
}

-- What lib/ alone calls.
local hidden = { "__write", "__wait", "__drop", "__send", "__accept", "__select", "__receive", "__rest", "__gone",
  "__limit" }

local function watch_all()
  for _, make in ipairs(makers) do
    local object = make()
    if object then
      local metatable = getmetatable(object)
      watch(metatable.__index, metatable.__type .. ":")
      for _, name in ipairs(hidden) do
        if metatable[name] then metatable[name] = watched(metatable.__type .. ":" .. name, metatable[name]) end
      end
      if object.close then object:close() end
    end
  end
  watch(ls, "lsocket.")
end

-- ---- what may happen ----

-- What a call tells other than the errno: "call error" -> the name that the library gives.
local told = {
  ["io_uring_setup EINVAL"] = "ENOSYS", ["io_uring_register EINVAL"] = "ENOSYS", -- an older kernel
  ["getaddrinfo EAI_SYSTEM"] = "EIO", ["getnameinfo EAI_SYSTEM"] = "EIO", -- what errno says then
}

-- What is told instead in this scenario, by call.
local instead = {}

-- What nobody is told, and why not.
local silent = {}

local function allow(call, errors, calls)
  for one in calls:gmatch "%S+" do
    for error in errors:gmatch "%S+" do silent[one .. " " .. error] = call end
  end
end

allow("made again", "EINTR", "accept accept4 recv recvfrom recvmsg recvmmsg read pread")
allow("made again", "EINTR", "send sendto sendmsg sendmmsg sendfile write writev")
allow("result answers all the same", "EAGAIN EBADF EDESTADDRREQ EDQUOT EFAULT EFBIG EINVAL EIO ENOSPC EPERM EPIPE",
  "write")
allow("goes on by itself", "EINPROGRESS EINTR", "connect")
allow("told only where nothing is ready", "EINTR", "poll epoll_wait")
allow("the descriptor is gone", "EINTR", "close")
allow("closed by the collector, or after another failure", "EIO ENOSPC EDQUOT", "close")
allow("no socket: read and written as a file", "ENOTSOCK", "recv recvfrom send sendmsg")
allow("read instead", "EINVAL", "sendfile")
allow("the kernel's set and ours agree already", "EEXIST ENOENT", "epoll_ctl")
allow("closing took it out already", "EBADF ENOENT", "epoll_ctl(DEL)")
allow("waits with a time instead", "EBADF EINVAL EMFILE ENFILE ENODEV ENOMEM ENOSPC",
  "timerfd_create timerfd_settime epoll_ctl(timer)")
allow("the next wait tells the kernel anew", "EINVAL ENOMEM EPERM", "epoll_ctl(ONESHOT)")
allow("made again, or the next wait does", "EAGAIN EBUSY EINTR", "io_uring_enter")
allow("receiving tells why", "EBADF EFAULT EINVAL ENOTTY", "ioctl")
allow("not every kernel has it", "ENOPROTOOPT EOPNOTSUPP", "setsockopt(MULTICAST_ALL) getsockopt(extra)")

local names = {} -- of errors, by their texts: those of getaddrinfo have no names in C

-- The name that the library should give to the planned failure.
local function expected()
  local key = torture.call .. " " .. (torture.error or names[torture.text])
  return told[key] or torture.error or names[torture.text]
end

for name, text in pairs {
  EAI_ADDRFAMILY = "Address family for hostname not supported", EAI_AGAIN = "Temporary failure in name resolution",
  EAI_BADFLAGS = "Bad value for ai_flags", EAI_FAIL = "Non-recoverable failure in name resolution",
  EAI_FAMILY = "ai_family not supported", EAI_MEMORY = "Memory allocation failure",
  EAI_NODATA = "No address associated with hostname", EAI_NONAME = "Name or service not known",
  EAI_SERVICE = "Servname not supported for ai_socktype", EAI_SOCKTYPE = "ai_socktype not supported",
  EAI_SYSTEM = "System error",
} do names[text] = name end

-- Is this a failure that was ordered?
local function is_ordered(name)
  if not torture.fired() then return false end
  if torture.mode == "alloc" then return name == "ENOMEM" or name == "EAGAIN" or name:find "^EAI_" end
  if torture.mode == "random" then return name == "EINTR" end -- which ends a wait
  return torture.mode == "faults" and (name == expected() or name == instead[torture.call])
end

-- Is it ordered that this call fails with one of these errors? For what a scenario meets then that it would not else.
function scene.spoils(call, errors)
  if torture.mode ~= "faults" or torture.call ~= call or not torture.fired() then return false end
  return not errors or (" " .. errors .. " "):find(" " .. expected() .. " ", 1, true) ~= nil
end

-- ---- what scenarios call ----

local HERE = "127.0.0.1"
local STOPPED = "stopped: "

local function call(object, name, ...)
  if object == ls then return ls[name](...) end
  return object[name](object, ...)
end

-- Calls a function of the module, or a method. What fails as it was ordered is called again, and must not fail then.
function scene.must(object, name, ...)
  local a, b, c, d = call(object, name, ...)
  if a ~= nil or type(c) ~= "string" then return a, b, c, d end
  if not is_ordered(c) then error(("%s: %s (%s)"):format(name, b, c), 2) end
  for _ = 1, torture.mode == "random" and 50 or 1 do
    a, b, c, d = call(object, name, ...)
    if a ~= nil or type(c) ~= "string" then return a, b, c, d end
    if torture.mode ~= "faults" and is_ordered(c) then
      if torture.mode == "alloc" then error(STOPPED .. c, 0) end
    else
      error(("%s, after an ordered failure: %s (%s)"):format(name, b, c), 2)
    end
  end
  error(name .. " does not end", 2)
end

-- The same for what cannot be done again: false where it has failed.
function scene.may(object, name, ...)
  local a, b, c, d = note(call(object, name, ...))
  if a ~= nil or type(c) ~= "string" then return a, b, c, d end
  if not is_ordered(c) then error(("%s: %s (%s)"):format(name, b, c), 2) end
  return false
end

-- This call fails in any case, with that name, if not as it was ordered.
function scene.fails(expectation, object, name, ...)
  local a, b, c = call(object, name, ...)
  if a == nil and (c == expectation or is_ordered(c)) then return end
  error(("%s should fail with %s, but: %s, %s, %s"):format(name, expectation, tostring(a), tostring(b), tostring(c)), 2)
end

-- must, as often as it would block. events: what to wait for in between.
function scene.io(object, events, name, ...)
  for _ = 1, 1000 do
    local a, b, c, d = scene.must(object, name, ...)
    if a ~= false then return a, b, c, d end
    if not torture.wait(object:getfd(), events) then error(name .. " waits in vain", 2) end
  end
  error(name .. " does not end", 2)
end

function scene.check(condition, text)
  if not condition then error(text, 2) end
  return condition
end

-- Calls a function while nothing fails.
function scene.quietly(fn, ...)
  local armed = torture.arm(false)
  local a, b, c, d = fn(...)
  torture.arm(armed)
  return a, b, c, d
end

-- Gives the Lua stack room beforehand, where a call that fails for want of it, before it begins, would leave a bare
-- descriptor open.
function scene.room() scene.quietly(string.byte, ("x"):rep(300), 1, -1) end

-- In this scenario nobody is told of failures of these calls.
function scene.silent(calls)
  for one in calls:gmatch "%S+" do silent[one] = true end
end

-- Or this is told instead.
function scene.instead(calls, name)
  for one in calls:gmatch "%S+" do instead[one] = name end
end

-- How many seconds a scenario may wait for what a failure has taken away, as many have to; where the collector never
-- rests all takes its time, but no longer than main.c waits.
local PATIENCE = { collect = 25, plain = 5 }
function scene.patience() return PATIENCE[torture.mode] or 0.5 end

-- Runs a function of a scenario in a loop: what was told to one task may have been no more than the end of the stream
-- to the next.
function scene.in_loop(fn, ...)
  local loop = scene.quietly(require, "lsocket.loop")
  function loop.onerror() end
  local ok, problem = pcall(loop.run, loop.deadline, scene.patience(), fn, loop, ...)
  if ok then return end
  if torture.mode == "plain" or not torture.fired() then error(problem, 0) end
  if torture.mode == "alloc" then error "not enough memory, in a task" end
end

-- ---- what main.c calls ----

local scenarios = {}
for _, file in ipairs { "scenarios", "signals", "layers", "tls" } do
  for _, scenario in ipairs(dofile("spec/torture/" .. file .. ".lua")) do scenarios[#scenarios + 1] = scenario end
end

scene.names = {}
for i, scenario in ipairs(scenarios) do scene.names[i] = scenario[1] end

local function find(name)
  for _, scenario in ipairs(scenarios) do
    if scenario[1] == name then return scenario[2] end
  end
end

-- Answers the function to run, in which things may fail.
function scene.prepare()
  local play = find(torture.scenario)
  if jit and torture.mode == "alloc" then jit.off() end
  if torture.scenario ~= "open" then
    ls = require "lsocket"
    watch_all()
  end
  collectgarbage()
  return function() return play(scene, ls) end
end

-- What the finalizers of mode collect do: whatever borrows memory of the state, or leaves some in an object.
local intruder

local function make_intruder()
  local low, lower = assert(ls.pair()) -- the lowest descriptors are left to the scenario
  local a, b = assert(ls.pair())
  low:close()
  lower:close()
  return { a = a, b = b, text = ("i"):rep(70000), buffer = ls.buffer(), batch = ls.batch(2), poller = ls.poller "poll",
    read = {}, written = {}, many = { a, b } }
end

function scene.intrude()
  if not ls then return end
  intruder = intruder or make_intruder()
  local i = intruder
  local sent = assert(i.a:send(i.text))
  assert(#i.b:peek(100000) == sent and i.buffer:recv(i.b, 100) == 100)
  assert(i.buffer:take(100) == i.text:sub(1, 100) and #i.b:recv(100000) == sent - 100)
  assert(ls.select(i.many, 0) == false)
  assert(i.batch:clear() and i.batch:add(i.text:sub(1, 10), HERE, 9) and i.batch:get(1))
  assert(i.poller:add(i.a, "w") and #select(2, i.poller:wait(0, i.read, i.written)) == 1 and i.poller:remove(i.a))
end

-- luaL_checkstack says of a stack that cannot grow that it overflows, even if it is for want of memory.
local function is_about_memory(text)
  return text:find "not enough memory" or text:find("^" .. STOPPED) or text:find "stack overflow %("
end

-- What was wrong with the run; nil: nothing.
function scene.judge(problem)
  for name, was in pairs(called) do
    if was then torture.called(name) end
  end
  if torture.mode == "alloc" and torture.fired() then
    local text = tostring(problem)
    return problem and not is_about_memory(text) and text or nil
  end
  if problem then return tostring(problem) end
  if torture.mode ~= "faults" or not torture.fired() then return nil end
  local name = expected()
  if failed[name] or silent[torture.call .. " " .. name] or silent[torture.call] then return nil end
  if instead[torture.call] and failed[instead[torture.call]] then return nil end
  if blocked and (name == "EAGAIN" or name == "ECONNABORTED" or name == "EPROTO") then return nil end
  return "nobody was told"
end

-- After whatever has failed the state still works, and is left without anything live but what the collector finds.
function scene.finish()
  if not ls then return end
  local receiver = assert(ls.bind("udp", "127.0.0.1", 0))
  local sender = assert(ls.connect("udp", "127.0.0.1", receiver:info("socket").port))
  local poller = assert(ls.poller())
  assert(poller:add(receiver, "r", 17))
  assert(sender:send "still here" == 10)
  local readable = assert(poller:wait(5))
  assert(readable[1] == 17 and receiver:recv() == "still here")
  assert(ls.select({ receiver }, 0) == false)
  receiver:close()
  assert(#poller == 0)
  collectgarbage()
  collectgarbage()
end

-- The public functions that are not in this set, in order.
function scene.missing(set)
  ls = require "lsocket"
  watch_all()
  local list = {}
  for name in pairs(called) do
    if not set[name] then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

return scene
