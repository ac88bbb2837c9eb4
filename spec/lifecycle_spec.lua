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

-- Objects in C. A kind that the platform has not got is made as nil.
local kinds = {
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
  batch = batch,
  buffer = buffer,
  ["lookup of an address"] = made_by("lookup", "127.0.0.1"),
  ["lookup of a name"] = made_by("lookup", "localhost"),
}

-- Arguments that an open object takes, for methods that need some.
local arguments = {
  getopt = function() return "rcvbuf" end,
  setopt = function() return "rcvbuf", 4096 end,
  join = function() return "239.1.2.3" end,
  leave = function() return "239.1.2.3" end,
  recvmany = batch,
  sendmany = batch,
  send = function() return "x" end,
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

local adds = { poller = arguments.modify, batch = arguments.append }
local receives = { buffer = function() return (assert(lsocket.pair())) end }

-- The name and the function of every method and metamethod.
local function methods_of(object)
  local all, metatable = {}, debug.getmetatable(object)
  for name, method in pairs(metatable.__index) do all[name] = method end
  for name, method in pairs(metatable) do
    if type(method) == "function" then all[name] = method end
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
  local own = name == "add" and adds[type] or name == "recv" and receives[type] or arguments[name]
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
  assert.truthy(text:find "^%a+: 0x")
end

local function raises_index(ok, text)
  assert.is_false(ok)
  assert.truthy(text:find("index", 1, true))
end

local closed_info = { fd = -1, type = "unknown", listening = false }

local function tells_it_is_closed(ok, info)
  assert.is_true(ok)
  for name, value in pairs(closed_info) do assert.equal(value, info[name]) end
end

local common = { __gc = gives(), __close = gives(true), __tostring = is_shown, __len = gives(0), getfd = gives(-1),
  close = gives(true), clear = gives(true) }

-- By the type of an object: what a method answers that is not named, and what the others do.
local when_closed = {
  socket = { other = fails "EBADF", setfd = gives(true), info = tells_it_is_closed },
  poller = { other = fails "EBADF" },
  lookup = { other = fails "ECANCELED", cancel = gives(true) },
  batch = { add = gives(true), get = raises_index, rewind = gives(true) },
  buffer = { other = gives(false), recv = fails "EBADF", append = fails "EBADF" },
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

-- LuaJIT may go round in its compiler for ever when much of Lua runs in a finalizer, whatever that calls.
local function interpreted(on)
  if jit then jit[on and "off" or "on"]() end -- luacheck: globals jit
end

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
      local before = process.count()
      local problem, answers, back
      interpreted(true)
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
      interpreted(false)
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
      assert.equal(before, process.count())
    end)
  end)
end

-- ---- what is another thing ----

local OWN = { socket = "udp socket", poller = "poll poller", batch = "batch", buffer = "buffer",
  lookup = "lookup of an address" }

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
  local disguised = { file, closed, stream.new(assert(lsocket.pair())) }
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

-- Calls the methods with each of them. What it leaves behind is garbage when it returns, in every Lua.
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
  assert.equal(opened, process.count())
  for thing, metatable in pairs(true_ones) do debug.setmetatable(thing, metatable or nil) end
  for _, thing in ipairs(things) do
    if io.type(thing) == "file" then assert(thing:write "") end
  end
end

for type, kind in pairs(OWN) do
  describe("the methods of a " .. type, function()
    it("raise for anything else, even with the metatable of a " .. type .. ", and leave it alone", function()
      need.proc(pending)
      local before = process.count()
      try_impostors(type)
      assert.equal(before, process.count())
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
    stream = function() return stream.new((assert(lsocket.pair()))) end }
  for kind, make in pairs(kinds) do
    local object = make()
    if object and debug.getmetatable(object).__close then closables[kind] = make end
  end

  local function is_closed(object)
    if object.watches then return object.watches[1].object:getfd() == -1 end
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

-- ---- inside the loop over what is ready ----

local function in_turn(backend, count, act)
  local open, list = assert(lsocket.poller(backend)), {}
  for i = 1, count do
    list[i] = assert(lsocket.pair())
    assert(open:add(list[i], "w"))
  end
  local _, ready = assert(open:wait(helper.patience))
  assert.equal(count, #ready)
  for i, sock in ipairs(ready) do act(open, sock, i, ready) end
  return open, list
end

for _, backend in ipairs { "epoll", "kqueue", "poll" } do
  describe("in the loop over what is ready, a poller with " .. backend, function()
    local function check() if not lsocket.poller(backend) then pending "no such backend here" end end

    it("can be closed", function()
      check()
      local open, list = in_turn(backend, 3, function(open, sock, i)
        if i == 1 then assert.is_true(open:close()) end
        assert.is_true(sock:status())
        helper.fails("EBADF", open:remove(sock))
      end)
      helper.fails("EBADF", open:wait(0))
      assert.is_true(list[1]:status())
    end)

    it("can lose every other one that is ready", function()
      check()
      local open = in_turn(backend, 5, function(_, sock, i, ready)
        if i > 1 then return helper.fails("EBADF", sock:status()) end
        for other = 2, #ready do assert.is_true(ready[other]:close()) end
      end)
      assert.equal(1, #open)
      assert.equal(1, #select(2, open:wait(0)))
    end)

    it("can be told to remove, to modify and to add", function()
      check()
      local more = {}
      local open = in_turn(backend, 4, function(open, sock, i)
        if i == 1 then assert.is_true(open:remove(sock)) end
        if i == 2 then assert.is_true(open:modify(sock, "r")) end
        more[i] = assert(lsocket.pair())
        assert.is_true(open:add(more[i], "w"))
      end)
      assert.equal(7, #open)
      assert.equal(6, #select(2, open:wait(0)))
    end)

    it("can be finalized, and be waited for by the finalizer of another object", function()
      check()
      local seen
      local open = in_turn(backend, 3, function(open, sock, i)
        if i == 1 then helper.when_collected(function() seen = #select(2, open:wait(0)) end) end
        collectgarbage()
        collectgarbage()
        if i == 3 then finalize(open) end
        assert.is_true(sock:status())
      end)
      assert.equal(3, seen)
      helper.fails("EBADF", open:wait(0))
    end)

    it("can be closed by the method getfd of what it is given", function()
      check()
      local open, sock = assert(lsocket.poller(backend)), assert(lsocket.pair())
      local object = { getfd = function()
        open:close()
        return sock:getfd()
      end }
      helper.fails("EBADF", open:add(object, "r"))
      helper.fails("EBADF", open:modify(object, "r"))
      helper.fails("EBADF", open:remove(object))
    end)
  end)
end

-- ---- hooks and openings ----

describe("a socket", function()
  it("that a hook closes while it is detached gives no descriptor away", function()
    local sock, open = assert(lsocket.pair()), assert(lsocket.poller())
    assert.is_true(open:add(sock, "r"))
    local detach, calls = sock.detach, 0
    debug.sethook(function() -- is called for detach, and once more where that leaves the poller
      calls = calls + 1
      if calls == 2 then
        debug.sethook()
        sock:close()
      end
    end, "c")
    local results = pack(detach(sock))
    debug.sethook()
    if sock:getfd() == -1 and calls < 2 then pending "no hook is called there" end
    helper.fails("EBADF", unpack(results, 1, results.n))
  end)

  it("leaves the pollers of every opening of the library when it is closed", function()
    local loaded = package.loaded.lsocket
    package.loaded.lsocket = nil
    local again = require "lsocket"
    package.loaded.lsocket = loaded
    for _, library in ipairs { lsocket, again } do
      local sock, open = assert(library.pair()), assert((library == lsocket and again or lsocket).poller())
      assert.is_true(open:add(sock, "w"))
      assert.is_true(sock:close())
      assert.equal(0, #open)
      local new = assert(library.pair())
      assert.is_false(open:wait(0))
      new:close()
    end
  end)
end)

-- ---- the loop ----

local function streams()
  local a, b = assert(lsocket.pair())
  return stream.new(a), stream.new(b), a, b
end

describe("a stream of an earlier run of the loop", function()
  local near, far
  before_each(function()
    near, far = streams()
    assert.equal("x", loop.run(function() -- which ends in a read that has waited
      loop.spawn(far.write, far, "x")
      return near:read(1)
    end))
  end)

  it("can be closed when no loop runs", function()
    assert.is_true(near:close())
    assert.equal(-1, near:getfd())
  end)

  it("can be read by the next one", function()
    assert.equal("y", loop.run(function()
      loop.spawn(far.write, far, "y")
      return near:read(1)
    end))
  end)

  it("is collected when nobody has it", function()
    local weak = setmetatable({ near }, { __mode = "v" })
    near = nil
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
  end)
end)

it("a server of an earlier run of the loop can be closed when no loop runs", function()
  local server = loop.run(function()
    local server = assert(loop.listen("127.0.0.1", 0))
    local task = loop.spawn(server.accept, server)
    loop.sleep(0)
    task:cancel()
    return server
  end)
  assert.is_true(server:close())
end)

describe("tasks that the loop gives up, as all of them wait for each other,", function()
  -- Runs fn in a loop that ends so; the tasks that have been left there hold on to each other.
  local function give_up(fn)
    raises("every task waits for another one", loop.run, function()
      local one, two
      one = loop.spawn(function() return two:join() end)
      two = loop.spawn(function() return one:join() end)
      fn(one)
      return one:join()
    end)
  end

  it("have ended, cancelled, and are no part of the next run", function()
    local task
    give_up(function(one) task = one end)
    assert.is_false(task:cancel())
    helper.fails("ECANCELED", task:join())
    assert.equal("to the end", loop.run(function()
      assert.is_false(task:cancel())
      for _ = 1, 3 do loop.sleep(0.001) end
      return "to the end"
    end))
  end)

  it("leave their to-be-closed variables closed", function()
    local compile = loadstring or load
    local block = compile "local object <close>, task = ...; return task:join()"
    if not block then pending "this Lua has none" end
    local sock = assert(lsocket.pair())
    give_up(function(one) loop.spawn(block, sock, one) end)
    assert.equal(-1, sock:getfd())
  end)

  it("leave the clients of a server closed, and everything collected", function()
    need.proc(pending)
    local before = process.count()
    local client, kept
    give_up(function(one)
      local server = assert(loop.serve("127.0.0.1", 0, function(stranger)
        kept = stranger
        return one:join()
      end))
      client = assert(loop.connect("127.0.0.1", server:info("socket").port))
      while not kept do loop.sleep(0) end
      server:close()
    end)
    assert.equal(-1, kept:getfd())
    assert.is_nil(loop.run(client.read, client))
    client, kept = nil, nil -- luacheck: ignore 311
    assert.is_true(process.count() <= before)
  end)
end)

describe("coroutines that are dropped while they wait", function()
  it("let go of their sockets, in a scheduler of the program's own", function()
    need.proc(pending)
    local before = process.count()
    coroutine.wrap(function()
      local open = assert(lsocket.poller())
      for _ = 1, 10 do
        local thread = coroutine.create(function(sock) return sock, coroutine.yield() end)
        local sock = assert(lsocket.pair())
        coroutine.resume(thread, sock)
        open:add(sock, "r", thread)
      end
      open:wait(0)
    end)()
    assert.equal(before, process.count())
  end)

  it("let go of them as tasks that nobody joins, once they have ended", function()
    need.proc(pending)
    local before = process.count()
    loop.run(function()
      for _ = 1, 10 do
        loop.spawn(function()
          local near = streams()
          loop.deadline(0, near.read, near)
        end)
      end
    end)
    assert.is_true(process.count() <= before)
  end)

  it("stay where they are while the loop has them, though nobody steps it, and go on", function()
    local near, far = streams()
    local got
    loop.spawn(function() got = near:read(1) end)
    assert.is_truthy(loop.step(0))
    collectgarbage()
    collectgarbage()
    assert.equal(1, far:getsocket():send "x")
    helper.eventually("the task", function() return loop.step(0.01) == false end)
    assert.equal("x", got)
  end)
end)

-- Those of streams and servers are Lua that takes whatever has the fields.
describe("the methods of a task", function()
  it("raise for anything else, and leave it alone", function()
    local task = loop.run(function() return loop.spawn(function() end) end)
    local things = { true, 1, "x", io.stdout, print, {}, (streams()) }
    for _, kind in pairs(OWN) do things[#things + 1] = kinds[kind]() end
    for name, method in pairs(methods_of(task)) do
      for _, thing in ipairs(things) do raises("task expected, got " .. type(thing), method, thing) end
      raises("bad argument #1 to '" .. name .. "' (task expected, got nil)", method)
    end
  end)
end)

-- ---- the end of the program ----

describe("a program that ends with everything alive", function()
  for _, how in ipairs { "return", "error", "exit", "close", "task", "coroutine", "finalizer" } do
    it("ends as it would without the library: " .. how, function()
      local output, status = helper.run(helper.command("alive", how))
      assert.truthy(output:find("^alive\n"), output)
      local failed = how == "error"
      assert.equal(failed and 1 or 0, status, output)
      if not failed then assert.equal("alive\n", output) end
    end)
  end
end)
