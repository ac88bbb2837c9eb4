-- What is closed, dropped or ends while it is in use: pollers in the loop over what they gave, sockets under a hook,
-- tasks and streams of a loop that has ended, programs with everything open.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local helper = require "spec.helper"
local process = require "spec.process"

local need, raises, pack = helper.need, helper.raises, helper.pack
local unpack = table.unpack or unpack -- luacheck: ignore 143

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

for _, backend in ipairs(helper.backends) do
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
        if i == 3 then getmetatable(open).__gc(open) end
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
    local things = { true, 1, "x", io.stdout, print, {}, (streams()), (assert(lsocket.pair())) }
    for name, method in pairs(getmetatable(task).__index) do
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
