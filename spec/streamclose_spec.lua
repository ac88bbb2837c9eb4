-- The end of a stream's patience: time-outs, and a close that lets an answer arrive.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local edges = require "spec.edges"
local helper = require "spec.helper"
local rest = require "spec.inloop".rest

local later, run, timed = edges.later, edges.run, edges.timed
local fails, raises, pack = helper.fails, helper.raises, helper.pack

describe("a stream's time-out", function()
  local SECONDS = 0.04

  -- The waits that it cuts off, each a function of a stream that nobody writes to, and whose other end reads nothing.
  local ways = {
    read = function(s) return s:read() end,
    count = function(s) return s:read(5) end,
    all = function(s) return s:read "a" end,
    readsome = function(s) return s:readsome() end,
    readuntil = function(s) return s:readuntil ";" end,
    readexactly = function(s) return s:readexactly(5) end,
    peek = function(s) return s:peek() end,
  }
  for name, way in pairs(ways) do
    it("ends " .. name .. ", and loses nothing", function()
      run(function(a, b)
        for _ = 1, 2 do
          local r = timed(way, b)
          fails("ETIMEDOUT", r[1], r[2], r[3])
          assert.is_true(r.seconds >= SECONDS and r.seconds < helper.patience / 4)
        end
        a:write "xyz"
        if name ~= "readsome" and name ~= "peek" then fails("ETIMEDOUT", way(b)) end
        assert.is_true(b:status())
        assert.equal("xyz", b:readexactly(3))
      end, { timeout = SECONDS })
    end)
  end

  it("ends lines, and status tells", function()
    run(function(_, b)
      local next_line, state = b:lines()
      assert.is_nil((next_line(state)))
      fails("ETIMEDOUT", b:status())
    end, { timeout = SECONDS })
  end)

  it("ends write, which says how much was taken", function()
    run(function(a, b)
      local data = ("x"):rep(3000000)
      local second = later(SECONDS / 4, a.write, a, "y")
      local r = timed(a.write, a, data)
      assert.same({ nil, "ETIMEDOUT" }, { r[1], r[3] })
      assert.is_true(r[4] > 0 and r.seconds >= SECONDS)
      fails("ETIMEDOUT", (function(ok, message, name, count)
        assert.equal(0, count)
        return ok, message, name
      end)(second:join()))
      local file = helper.adopt(helper.file(data), "rb")
      assert.equal("ETIMEDOUT", select(3, a:sendfile(file:getfd())))
      file:close()
      helper.remove_paths()
      assert.equal(r[4], #b:readexactly(r[4]))
    end, { timeout = SECONDS })
  end)

  it("is that of each wait, and not of all together", function()
    run(function(a, b)
      later(0, function()
        for i = 1, 6 do
          loop.sleep(SECONDS / 2)
          a:write(tostring(i))
        end
      end)
      assert.equal("123456", b:readexactly(6))
      fails("ETIMEDOUT", b:readsome())
    end, { timeout = SECONDS })
  end)

  it("finds the wait that lasts too long after thousands that did not", function()
    run(function(a, b)
      local answering = loop.spawn(function()
        local data, _, name = b:readsome()
        while data do
          b:write(data)
          data, _, name = b:readsome()
        end
        return name
      end)
      local stop = loop.now() + 3 * SECONDS
      while loop.now() < stop do
        a:write "ping"
        assert.equal("ping", a:readsome())
      end
      local r = timed(answering.join, answering)
      assert.equal("ETIMEDOUT", r[1])
      assert.is_true(r.seconds >= SECONDS * 0.95)
      fails("ETIMEDOUT", a:readsome())
    end, { timeout = SECONDS })
  end)

  it("is set, changed and taken away, also under a wait", function()
    run(function(_, b)
      assert.is_true(b:settimeout(SECONDS))
      fails("ETIMEDOUT", b:read())
      for _, none in ipairs { false, math.huge } do
        assert.is_true(b:settimeout(none))
        fails("ETIMEDOUT", loop.deadline(2 * SECONDS, b.read, b))
      end
      assert.is_true(b:settimeout(0))
      fails("ETIMEDOUT", b:read())
      assert.is_true(b:settimeout())
      local reader = loop.spawn(b.read, b)
      loop.sleep(0.001)
      b:settimeout(SECONDS)
      fails("ETIMEDOUT", reader:join())
      reader = loop.spawn(b.read, b)
      loop.sleep(SECONDS / 2) -- the wait is timed by now
      b:settimeout(2 * SECONDS)
      local r = timed(reader.join, reader)
      fails("ETIMEDOUT", r[1], r[2], r[3])
      assert.is_true(r.seconds >= 1.9 * SECONDS)
      reader = loop.spawn(b.read, b)
      loop.sleep(SECONDS / 2)
      b:settimeout(false)
      loop.sleep(3 * SECONDS)
      b:close()
      fails("ECANCELED", reader:join())
    end)
  end)

  it("is no limit for loop.wait, and none for a task that does not read", function()
    run(function(_, b)
      assert.is_false(loop.wait(b, "r", 2 * SECONDS))
      fails("ETIMEDOUT", b:readsome())
      assert.is_false(loop.wait(b, "r", 2 * SECONDS))
      local r = timed(loop.deadline, 2 * SECONDS, loop.wait, b, "r")
      assert.is_true(r.seconds >= 2 * SECONDS)
    end, { timeout = SECONDS })
  end)

  it("gives way to a deadline and a cancel", function()
    run(function(_, b)
      local r = timed(loop.deadline, SECONDS / 4, b.read, b)
      assert.equal("ETIMEDOUT", r[3])
      local reader = loop.spawn(b.read, b)
      loop.sleep(SECONDS / 2)
      reader:cancel()
      fails("ECANCELED", reader:join())
    end, { timeout = SECONDS })
  end)

  it("does not keep a loop that has nothing else to do", function()
    run(function(a, b)
      a:write "x"
      assert.equal("x", b:readsome())
    end, { timeout = 60 })
    local ok, problem = pcall(loop.run, function()
      local a, b = assert(lsocket.pair())
      a, b = stream.new(a, { timeout = 60 }), stream.new(b, { timeout = 60 })
      a:write "x"
      b:readsome()
      loop.spawn(b.readsome, b)
      loop.sleep(0.001)
      a:write "x"
      loop.sleep(0.001)
      local task
      task = loop.spawn(function()
        loop.sleep(0)
        return task:join()
      end)
      local other = loop.spawn(function() return task:join() end)
      other:join()
    end)
    assert.is_false(ok)
    assert.truthy(problem)
  end)

  it("limits connecting, too", function()
    run(function()
      local path = helper.path()
      local listener = assert(lsocket.bind { address = path, backlog = 1 })
      local waiting, sock = {}, true -- until the backlog is full
      while sock do
        sock = lsocket.connect(path)
        waiting[#waiting + 1] = sock
      end
      local r = timed(loop.connect, path, nil, { timeout = SECONDS })
      assert.same({ nil, "ETIMEDOUT" }, { r[1], r[3] })
      assert.is_true(r.seconds >= SECONDS)
      for _, other in ipairs(waiting) do other:close() end
      listener:close()
      helper.remove_paths()
    end)
  end)

  it("is that of the streams of connect, listen and serve", function()
    run(function()
      local told
      local server = assert(loop.serve("127.0.0.1", 0, function(client)
        told = select(3, client:read())
      end, { timeout = SECONDS }))
      local port = server:info("socket").port
      local client = assert(loop.connect("127.0.0.1", port, { timeout = SECONDS / 2 }))
      fails("ETIMEDOUT", client:read())
      client:settimeout(false)
      assert.is_nil((client:read()))
      assert.equal("ETIMEDOUT", told)
      client:close()
      server:close()
      server = assert(loop.listen("127.0.0.1", 0, { timeout = SECONDS }))
      client = assert(loop.connect("127.0.0.1", server:info("socket").port, { timeout = false }))
      fails("ETIMEDOUT", assert(server:accept()):read())
      client:close()
      server:close()
    end)
  end)
end)

-- ---- closing ----

describe("a time-out that is set while tasks write", function()
  it("is theirs, too, from then on", function()
    run(function(a, b)
      local big = ("x"):rep(5000000)
      local first = loop.spawn(a.write, a, big)
      loop.sleep(0)
      local second = loop.spawn(a.write, a, big)
      loop.sleep(0.001)
      a:settimeout(0.02)
      assert.equal("ETIMEDOUT", (select(3, first:join())))
      assert.equal("ETIMEDOUT", (select(3, second:join())))
      a:settimeout(0.02)
      local third = loop.spawn(loop.deadline, 0.1, a.write, a, big)
      loop.sleep(0.001)
      a:settimeout(false)
      local begun = loop.now()
      assert.equal("ETIMEDOUT", (select(3, third:join())))
      assert.is_true(loop.now() - begun > 0.05)
      b:close()
    end)
  end)
end)

describe("stream:close with a grace", function()
  it("returns when the other end has ended, too", function()
    run(function(a, b)
      a:write "goodbye"
      later(0.01, function()
        b:write(("x"):rep(300000))
        assert.equal("goodbye", b:read "a")
        b:close()
      end)
      assert.same({ n = 1, true }, pack(a:close(helper.patience)))
      assert.equal(-1, a:getfd())
    end)
  end)

  it("waits no longer than that", function()
    run(function(a, b)
      local r = timed(a.close, a, 0.02)
      assert.same({ n = 1, false }, { n = r.n, r[1] })
      assert.is_true(r.seconds >= 0.02)
      assert.equal(-1, a:getfd())
      assert.is_nil((b:read()))
      a, b = assert(lsocket.pair())
      assert.is_false(stream.new(a):close(0))
      b:close()
    end)
  end)

  it("leaves nothing to read of what it has taken", function()
    run(function()
      local a, b = lsocket.pair()
      a = stream.new(a)
      b:send "one\ntwo\n"
      assert.equal("one", a:read())
      b:send "three\n"
      for _, grace in ipairs { 0, 0.01 } do
        a:close(grace)
        fails("EBADF", a:read())
        assert.equal(0, a:buffered())
      end
      b:close()
    end)
  end)

  it("is the end for every other task, whichever way it reads, or waits", function()
    local reads = {
      function(a) return a:read() end, function(a) return a:readsome() end, function(a) return a:readuntil "\n" end,
      function(a) return a:readexactly(1) end, function(a) return a:peek() end,
      function(a) return loop.wait(a, "r") end, function(a) return loop.wait(a, "w") end,
    }
    for _, size in ipairs { 1, 65536 } do -- as much as is asked for at once: there may be more
      for _, read in ipairs(reads) do
        run(function(a, b)
          b:write(("x"):rep(size))
          assert.equal(size, #a:readsome())
          local closing = loop.spawn(a.close, a, helper.patience)
          loop.sleep(0)
          loop.sleep(0)
          b:write "too late\n"
          fails("EBADF", read(a))
          b:close()
          assert.is_true(closing:join())
        end)
      end
    end
  end)

  it("is one end for all that close it so", function()
    run(function(a, b)
      local first = loop.spawn(a.close, a, helper.patience)
      local second = loop.spawn(a.close, a, helper.patience)
      loop.sleep(0)
      assert.is_nil((b:read()))
      b:write "the last word"
      b:close()
      assert.same({ n = 1, true }, pack(first:join()))
      assert.same({ n = 1, true }, pack(second:join()))
    end)
  end)

  it("leaves nothing to read to a task that comes between two of its waits", function()
    run(function(a, b)
      local closer = loop.spawn(a.close, a, helper.patience)
      for _ = 1, 3 do loop.sleep(0) end
      b:write "some bytes\n"
      for _ = 1, 5 do
        fails("EBADF", a:read())
        loop.sleep(0)
      end
      b:close()
      assert.is_true(closer:join())
    end)
  end)

  it("is cut off by the one of several that waits least, and by a close without", function()
    run(function(a, b)
      local first = loop.spawn(a.close, a, helper.patience)
      loop.sleep(0)
      assert.is_false(a:close(0.01))
      fails("ECANCELED", first:join())
      b:close()
    end)
    run(function(a, b)
      local first = loop.spawn(a.close, a, helper.patience)
      local second = loop.spawn(a.close, a, helper.patience)
      rest()
      assert.is_true(a:close())
      fails("ECANCELED", first:join())
      fails("ECANCELED", second:join())
      b:close()
    end)
  end)

  it("lets nobody read any more", function()
    run(function(a, b)
      local closer = loop.spawn(a.close, a, 0.02)
      rest()
      fails("EBADF", a:read())
      assert.is_false(closer:join())
      b:close()
    end)
  end)

  it("waits no longer than that for an end that sends and sends", function()
    run(function(a, b)
      local sender = loop.spawn(function()
        while b:write(("x"):rep(65536)) do end
      end)
      assert.is_false(loop.deadline(helper.patience, a.close, a, 0.02))
      sender:join()
    end)
  end)

  it("closes at once where it is cut off", function()
    run(function(a, b)
      fails("ETIMEDOUT", loop.deadline(0.005, a.close, a, helper.patience))
      assert.equal(-1, a:getfd())
      local closer = loop.spawn(b.close, b, helper.patience)
      closer:cancel()
      fails("ECANCELED", closer:join())
    end)
    run(function(a)
      local closer = loop.spawn(a.close, a, helper.patience)
      rest()
      closer:cancel()
      fails("ECANCELED", closer:join())
      assert.equal(-1, a:getfd())
    end)
    run(function(a, b)
      local closer = loop.spawn(a.close, a, helper.patience)
      rest()
      fails("EBADF", a:read())
      a:close()
      fails("ECANCELED", closer:join())
      b:close()
      assert.is_true(loop.deadline(0, a.close, a, helper.patience)) -- it is closed, and waits for nothing
    end)
  end)

  it("tells those who read and write that it is closed", function()
    run(function(a, b)
      local reader = loop.spawn(a.read, a)
      local writer = loop.spawn(a.write, a, ("x"):rep(3000000))
      loop.sleep(0.001)
      later(0.001, b.close, b)
      a:close(helper.patience)
      fails("ECANCELED", reader:join())
      assert.equal("ECANCELED", select(3, writer:join()))
    end)
  end)

  it("is harmless when it is closed, and for a pipe", function()
    run(function(a)
      a:close()
      assert.is_true(a:close(5))
      local file = stream.new(helper.adopt(helper.file "x", "rb"))
      assert.is_true(file:close(5))
      assert.equal(-1, file:getfd())
      helper.remove_paths()
    end)
  end)

  it("needs a task, and seconds", function()
    local a, b = assert(lsocket.pair())
    a = stream.new(a)
    raises("only a task can wait", a.close, a, 1)
    assert.is_true(a:getfd() >= 0)
    for _, odd in ipairs { -1, 0 / 0, "1", false } do raises("#1 to 'close' (number from 0 on", a.close, a, odd) end
    assert.is_true(a:close())
    b:close()
  end)
end)

-- A client that sends everything before it looks for an answer: the answer, or nil.
local function post(port, data)
  local client = assert(loop.connect("127.0.0.1", port))
  client:write("POST\n", data)
  local answer = client:read()
  client:close()
  return answer
end

describe("loop.serve with a grace", function()
  it("lets an answer arrive that is sent while the client still sends", function()
    run(function()
      local server = assert(loop.serve("127.0.0.1", 0, function(client)
        client:read()
        client:write "no\n"
        if client.fail then error "never" end
      end, { grace = helper.patience }))
      local port, data = server:info("socket").port, ("x"):rep(10000000)
      for _ = 1, helper.scale(1000) / 100 do assert.equal("no", post(port, data)) end
      assert.is_true(server:close(helper.patience))
      assert.equal(0, server:count())
    end)
  end)

  it("does so, too, where the handler fails; and not where it has closed its stream", function()
    local onerror, told = loop.onerror, 0
    loop.onerror = function() told = told + 1 end -- luacheck: ignore 122
    run(function()
      local answered = 0
      local server = assert(loop.serve("127.0.0.1", 0, function(client)
        answered = answered + 1
        client:read()
        client:write "no\n"
        if answered == 1 then error "a mistake" end
        client:close(helper.patience)
      end, { grace = helper.patience }))
      local port, data = server:info("socket").port, ("x"):rep(10000000)
      for _ = 1, 2 do assert.equal("no", post(port, data)) end
      server:close(helper.patience)
    end)
    loop.onerror = onerror -- luacheck: ignore 122
    assert.equal(1, told)
  end)

  it("counts the client until then, and server:close cuts it off", function()
    run(function()
      local server = assert(loop.serve("127.0.0.1", 0, function(client) client:write "hello\n" end,
        { grace = helper.patience, limit = 1 }))
      local port = server:info("socket").port
      local client = assert(loop.connect("127.0.0.1", port))
      assert.equal("hello", client:read())
      assert.is_nil((client:read()))
      assert.equal(1, server:count())
      assert.is_false(server:close(0.01))
      client:close()
      while server:count() > 0 do loop.sleep(0.001) end
    end)
  end)

  it("ends with the loop", function()
    local fds
    assert.is_false(pcall(loop.run, function()
      local server = assert(loop.serve("127.0.0.1", 0, function(client) client:write "hello\n" end,
        { grace = helper.patience }))
      fds = assert(loop.connect("127.0.0.1", server:info("socket").port))
      fds:read()
      fds:read()
      error "the end"
    end))
    fds:close()
  end)
end)

describe("loop.serve", function()
  it("needs no port for a unix path, and counts its clients", function()
    run(function()
      local path = helper.path()
      local server = assert(loop.serve(path, function(client) client:write(client:read(), "\n") end))
      assert.equal(0, server:count())
      local client = assert(loop.connect(path))
      client:write "one\n"
      assert.equal("one", client:read())
      client:close()
      server:close(helper.patience)
      os.remove(path)
      server = assert(loop.serve(path, function(other) other:read() end, { limit = 5, mode = "600" }))
      client = assert(loop.connect(path))
      while server:count() == 0 do loop.sleep(0) end
      assert.equal(1, server:count())
      client:close()
      while server:count() == 1 do loop.sleep(0.001) end
      server:close()
      raises("#3 to 'serve' (limit: ", loop.serve, path, print, { limit = 0 })
      fails("EINVAL", (function(ok, _, name) return ok, helper.texts.EINVAL, name end)(loop.serve("127.0.0.1", print)))
      helper.remove_paths()
    end)
  end)

  it("without a handler counts nobody", function()
    run(function()
      local server = assert(loop.listen("127.0.0.1", 0))
      assert.equal(0, server:count())
      server:close()
    end)
  end)
end)
