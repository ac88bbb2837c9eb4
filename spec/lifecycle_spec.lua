-- Every kind of object, and every method that it has, at the wrong time and on the wrong thing: closed, finalized and
-- brought back to life, foreign, of another kind. The methods are those that are registered, so that none is forgotten.
-- What the methods do on what they are made for, and other wrong arguments, are left to other specs (see value_spec).
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local helper = require "spec.helper"
local process = require "spec.process"

local need, raises, pack = helper.need, helper.raises, helper.pack
local unpack = table.unpack or unpack -- luacheck: ignore 143

after_each(helper.remove_paths)

-- ---- the kinds ----

-- A socket of what is no socket.
local function file_socket()
  local a, b = assert(lsocket.pair())
  local file = io.tmpfile()
  assert(a:sendfds("x", { file }))
  file:close()
  local _, objects = helper.readable(b):recvfds()
  a:close()
  b:close()
  return objects[1]
end

local function made_by(name, ...)
  local args = pack(...)
  return function() return (lsocket[name](unpack(args, 1, args.n))) end
end

local function buffer()
  local made = lsocket.buffer()
  made:append "one\ntwo\n"
  return made
end

local function batch()
  local made = lsocket.batch(2)
  made:add("x", "127.0.0.1", 9)
  return made
end

local function poller(backend)
  return function()
    local made = lsocket.poller(backend)
    if made then made:add(assert(lsocket.pair()), "w") end
    return made
  end
end

-- With a request of each kind.
local function ring()
  local made = lsocket.ring()
  if not made then return end
  local a, b = lsocket.pair()
  assert(made:receive(a) and made:send(a, a, "x") and made:poll(b))
  assert(made:accept(assert(lsocket.bind("127.0.0.1", 0))))
  return made
end

-- Objects in C. A kind that the platform has not got is made as nil.
local kinds = {
  ["socket that only was made"] = made_by("socket"),
  ["tcp listener"] = made_by("bind", "127.0.0.1", 0),
  ["tcp socket"] = function() return (helper.tcp()) end,
  ["udp socket"] = made_by("bind", "udp", "127.0.0.1", 0),
  ["connected udp socket"] = made_by("connect", "udp", "127.0.0.1", 9),
  ["multicast socket"] = made_by("bind", "mcast", "127.0.0.1", 0),
  ["unix listener"] = function() return lsocket.bind(helper.path()) end,
  ["unix socket"] = made_by("pair"),
  ["unix datagram socket"] = made_by("pair", "udp"),
  ["seqpacket socket"] = made_by("pair", "seqpacket"),
  ["socket of a file"] = file_socket,
  ["epoll poller"] = poller "epoll",
  ["kqueue poller"] = poller "kqueue",
  ["poll poller"] = poller "poll",
  ring = ring,
  batch = batch,
  buffer = buffer,
  ["lookup of an address"] = made_by("lookup", "127.0.0.1"),
  ["lookup of a name"] = made_by("lookup", "localhost"),
  signals = made_by("signals", "USR1"),
}

-- Arguments that an open object takes, for methods that need some.
local arguments = {
  bind = function() return "127.0.0.1", 0 end,
  getopt = function() return "rcvbuf" end,
  setopt = function() return "rcvbuf", 4096 end,
  join = function() return "239.1.2.3" end,
  leave = function() return "239.1.2.3" end,
  recvmany = batch,
  sendmany = batch,
  send = function() return "x" end,
  sendrest = function() return 1, "x" end,
  sendto = function() return "x", "127.0.0.1", 9 end,
  sendfile = io.tmpfile,
  sendfds = function() return "x", { 0 } end,
  sendmsg = function() return { data = "x" } end,
  setfd = function() return -1 end,
  modify = function() return assert(lsocket.pair()), "r" end,
  remove = function() return (assert(lsocket.pair())) end,
  wait = function() return 0 end,
  get = function() return 1 end,
  append = function() return "x" end,
  upto = function() return "\n" end,
  take = function() return 1 end,
  readuntil = function() return "\n" end,
  write = function() return "x" end,
}

local waits = { socket = function() return "r", 0 end }
local adds = { poller = arguments.modify, batch = arguments.append }
local function of_ring(name)
  if name == "wait" then return 0, {}, {}, {}, {} end
  return assert(lsocket.pair()), "r", name == "send" and "x" or nil
end
local receives = { buffer = function() return (assert(lsocket.pair())) end }
arguments.__receive, arguments.__send = receives.buffer, arguments.send
arguments.__limit = function() return 1000 end

local apart = { __here = true, __yieldif = true, __select = true, __quick = true } -- which are about no object

-- The name and the function of every method and metamethod.
local function methods_of(object)
  local all, metatable = {}, debug.getmetatable(object)
  for name, method in pairs(metatable.__index) do all[name] = method end
  for name, method in pairs(metatable) do
    if type(method) == "function" and not apart[name] then all[name] = method end
  end
  return all
end

-- The same in order of the names: { { name, function }, ... }
local function list_methods(object)
  local list = {}
  for name, method in pairs(methods_of(object)) do list[#list + 1] = { name, method } end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list
end

local function call(object, name, method)
  local type = debug.getmetatable(object).__type
  local own = name == "add" and adds[type] or name == "recv" and receives[type] or name == "wait" and waits[type]
    or arguments[name]
  if type == "ring" and not name:find "^__" then return pcall(method, object, of_ring(name)) end
  if own then return pcall(method, object, own()) end
  return pcall(method, object)
end

-- ---- what is promised ----

local function gives(...)
  local expected = pack(true, ...)
  return function(...) assert.same(expected, pack(...)) end
end

local function fails(name)
  return function(ok, ...)
    assert.is_true(ok, (...))
    helper.fails(name, ...)
  end
end

local function is_shown(ok, text)
  assert.is_true(ok)
  assert.truthy(text:find "^%a+: 0?x?%x+")
end

local function is_count(ok, count)
  assert.is_true(ok)
  assert.is_number(count)
end

local function raises_index(ok, text)
  assert.is_false(ok)
  assert.truthy(text:find("index", 1, true))
end

local function gives_no_line(ok, iterator, empty)
  assert.is_true(ok)
  assert.is_nil((iterator(empty)))
end

local closed_info = { fd = -1, type = "unknown", listening = false }

local function tells_it_is_closed(ok, info)
  assert.is_true(ok)
  for name, value in pairs(closed_info) do assert.equal(value, info[name]) end
end

local common = {
  __gc = gives(), __close = gives(true), __drop = gives(true), __tostring = is_shown, __len = gives(0),
  getfd = gives(-1), close = gives(true), clear = gives(true),
}

-- By the type of an object: what a method answers that is not named, and what the others do.
local when_closed = {
  socket = { other = fails "EBADF", setfd = gives(true), info = tells_it_is_closed },
  poller = { other = fails "EBADF", __lend = gives(), __takeback = gives() },
  ring = { other = fails "EBADF", cancel = gives(nil), busy = gives(false, false), remove = gives(true) },
  lookup = { other = fails "ECANCELED", cancel = gives(true) },
  signals = { other = fails "EBADF" },
  batch = { add = gives(true), get = raises_index, rewind = gives(true) },
  buffer = { other = gives(false), recv = fails "EBADF", append = fails "EBADF",
    lines = gives_no_line, __receive = fails "EBADF", __rest = gives "", __gone = is_count, __limit = gives() },
}

-- Calls every method: a list of { type, name, results }. A batch has no end: it is as good as new.
local function ask_all(object)
  local type, answers = debug.getmetatable(object).__type, {}
  for _, entry in ipairs(list_methods(object)) do
    if type == "batch" then object:clear() end
    answers[#answers + 1] = { type, entry[1], pack(call(object, entry[1], entry[2])) }
  end
  return answers
end

local function judge(answers)
  for _, answer in ipairs(answers) do
    local type, name, results = answer[1], answer[2], answer[3]
    local promise = when_closed[type][name] or common[name] or when_closed[type].other
    assert(promise, "nothing is said about " .. type .. ":" .. name)
    local ok, problem = pcall(promise, unpack(results, 1, results.n))
    if not ok then error(("%s:%s: %s"):format(type, name, tostring(problem)), 2) end
  end
end

local function judge_all(object) judge(ask_all(object)) end

-- LuaJIT may go round in its compiler for ever when much of Lua runs in a finalizer, whatever that calls, and what it
-- has compiled leaves behind what is garbage in the interpreter.
setup(function()
  if jit then -- luacheck: globals jit
    jit.off()
    jit.flush()
  end
end)

teardown(function()
  if jit then jit.on() end
end)

local function finalize(object) debug.getmetatable(object).__gc(object) end

for kind, make in pairs(kinds) do
  describe("a " .. kind, function()
    if not make() then
      it("is nothing that this platform has", function() pending "no such kind here" end)
      return
    end

    it("keeps every promise of a closed one", function()
      local object = make()
      local finish = object.close or object.cancel
      if not finish then pending "has no method that closes it" end
      finish(object)
      judge_all(object)
      judge_all(object) -- and what these calls have done changes nothing
    end)

    it("keeps them after its finalizer was called by hand", function()
      local object = make()
      finalize(object)
      judge_all(object)
      finalize(object)
      judge_all(object)
    end)

    it("keeps them in the finalizer of what held it, and when that has brought it back to life", function()
      need.proc(pending)
      collectgarbage()
      collectgarbage()
      local before = process.count()
      local problem, answers, back
      coroutine.wrap(function() -- on a stack of its own, which goes
        local box = {}
        helper.when_collected(function()
          local ok, result = pcall(ask_all, box[1])
          if ok then answers = result else problem = result end
          back = box[1]
        end)
        box[1] = make() -- made after its holder, and so finalized before it
      end)()
      helper.eventually("the finalizer", function()
        collectgarbage()
        return back
      end)
      assert.is_nil(problem)
      judge(answers)
      judge_all(back)
      local sock = assert(lsocket.bind("udp", "127.0.0.1", 0)) -- which may have its descriptor now
      judge_all(back)
      back, answers = nil, nil -- luacheck: ignore 311
      collectgarbage()
      collectgarbage()
      assert.is_true(sock:status())
      sock:close()
      helper.closes(before)
    end)
  end)
end

-- ---- what is another thing ----

local OWN = { socket = "udp socket", poller = "poll poller", batch = "batch", buffer = "buffer",
  lookup = "lookup of an address", signals = "signals" }

-- Things that are no object of that type, though some have its metatable; disguise is told of those.
local function impostors(type, disguise)
  local list = { io.tmpfile(), io.stdout }
  for other, kind in pairs(OWN) do
    if other ~= type then list[#list + 1] = kinds[kind]() end
  end
  if debug.upvalueid then list[#list + 1] = debug.upvalueid(function() return list end, 1) end -- a light userdata
  local metatable = debug.getmetatable(kinds[OWN[type]]())
  local file, closed = io.tmpfile(), io.tmpfile()
  closed:close()
  local disguised = { file, closed, stream.new((assert(lsocket.pair()))) }
  for other, kind in pairs(OWN) do
    if other ~= type then
      disguised[#disguised + 1] = kinds[kind]()
      local gone = kinds[kind]()
      finalize(gone)
      disguised[#disguised + 1] = gone
    end
  end
  if newproxy then disguised[#disguised + 1] = newproxy() end -- luacheck: globals newproxy
  for _, thing in ipairs(disguised) do
    disguise(thing, metatable)
    list[#list + 1] = thing
  end
  return list
end

-- Calls the methods with each of them; answers how many descriptors there are more. What it leaves behind is garbage
-- when it returns, in every Lua.
local function try_impostors(type)
  local true_ones = {}
  local things = impostors(type, function(thing, metatable)
    true_ones[thing] = debug.getmetatable(thing) or false
    debug.setmetatable(thing, metatable)
  end)
  local opened = process.count()
  for name, method in pairs(methods_of(kinds[OWN[type]]())) do
    for _, thing in ipairs(things) do
      local ok, text = pcall(method, thing, 1)
      assert.is_false(ok, name)
      assert.truthy(text:find(type .. " expected, got ", 1, true), text)
    end
  end
  local more = process.count() - opened
  for thing, metatable in pairs(true_ones) do debug.setmetatable(thing, metatable or nil) end
  for _, thing in ipairs(things) do
    if io.type(thing) == "file" then assert(thing:write "") end
  end
  return more
end

for type, kind in pairs(OWN) do
  describe("the methods of a " .. type, function()
    it("raise for anything else, even with the metatable of a " .. type .. ", and leave it alone", function()
      need.proc(pending)
      local before, more = process.count(), nil
      for _ = 1, 5 do -- a look-up that was dropped earlier may close its files meanwhile
        more = try_impostors(type)
        if more == 0 then break end
      end
      assert.equal(0, more)
      helper.closes(before)
    end)

    it("do not crash when its own metatable is gone", function()
      local object = kinds[kind]()
      local methods, metatable = methods_of(object), debug.getmetatable(object)
      debug.setmetatable(object, nil)
      for name, method in pairs(methods) do
        if name ~= "__gc" then pcall(method, object, 1) end
      end
      methods.__gc(object)
      for _, method in pairs(methods) do raises(type .. " expected, got userdata", method, object, 1) end
      debug.setmetatable(object, metatable)
      judge_all(object)
    end)
  end)
end

-- ---- to-be-closed variables ----

describe("a to-be-closed variable", function()
  local compile = loadstring or load
  local block = compile "local make, use = ...; local object <close> = make(); return use(object)"

  -- Everything with the metamethod, the loop's objects among it.
  local closables = { server = function() return assert(loop.listen("127.0.0.1", 0)) end,
    stream = function() return stream.new((assert(lsocket.pair()))) end,
    ["signals of the loop"] = function() return assert(loop.signals "USR1") end }
  for kind, make in pairs(kinds) do
    local object = make()
    if object and debug.getmetatable(object).__close then closables[kind] = make end
  end

  local function is_closed(object)
    if object.gate then object = object.gate.watches[1].object end
    if object.submit then return select(3, object:submit()) == "EBADF" end -- a ring, which has no getfd
    return object:getfd() == -1
  end

  for kind, make in pairs(closables) do
    it("closes a " .. kind .. " at the end of its block, by an error, and by coroutine.close", function()
      if not block then pending "this Lua has none" end
      local kept
      local function keep(object) kept = object end
      block(make, keep)
      assert.is_true(is_closed(kept))
      raises("inside", block, make, function(object)
        keep(object)
        error "inside"
      end)
      assert.is_true(is_closed(kept))
      local thread = coroutine.create(block)
      coroutine.resume(thread, make, function(object)
        keep(object)
        coroutine.yield()
      end)
      assert.is_false(is_closed(kept))
      assert.is_true(coroutine.close(thread))
      assert.is_true(is_closed(kept))
    end)
  end
end)
