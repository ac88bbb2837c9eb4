-- sendfds, recvfds, peercred: what unix domain sockets bring beside data; and samples/workers.lua, which lives on it.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"

local fails, raises, need, pack = helper.fails, helper.raises, helper.need, helper.pack
local kinds = { "tcp", "udp", "seqpacket" }

after_each(helper.remove_paths)

local function receive(sock, ...)
  return helper.readable(sock):recvfds(...)
end

-- So many elements that are all the same.
local function copies(object, count)
  local list = {}
  for i = 1, count do list[i] = object end
  return list
end

local function close_all(objects)
  for _, object in ipairs(objects) do assert(object:close()) end
end

for _, kind in ipairs(kinds) do
  describe("descriptors over a pair of type " .. kind, function()
    local a, b

    before_each(function() a, b = assert(lsocket.pair(kind)) end)

    it("come as sockets that work, with the data", function()
      local near, far = assert(lsocket.pair "seqpacket")
      local listener, port = helper.bind("127.0.0.1", 0)
      local udp = helper.bind("udp", "127.0.0.1", 0)
      assert.same({ n = 1, 5 }, pack(a:sendfds("hello", { near, listener, udp })))
      local results = pack(receive(b))
      assert.equal(2, results.n)
      assert.equal("hello", results[1])
      local got = results[2]
      assert.equal(3, #got)
      local types = {}
      for i, sock in ipairs(got) do
        local info = sock:info()
        types[i] = info.type .. " " .. info.family .. " " .. tostring(info.listening)
      end
      assert.same({ "seqpacket unix false", "tcp inet true", "udp inet true" }, types)
      got[1]:send "through the copy"
      assert.equal("through the copy", far:recv())
      listener:close()
      local client, server = helper.connect_to(got[2], "127.0.0.1", port)
      client:send "x"
      assert.equal("x", helper.readable(server):recv())
    end)

    it("are of files, of anything with getfd, and plain numbers, too", function()
      local file = assert(io.tmpfile())
      file:write "from a file"
      file:flush()
      file:seek "set"
      local pipe = io.popen "printf 'from a pipe'"
      local near, far = assert(lsocket.pair())
      local object = { getfd = function() return near:getfd() end }
      assert.equal(1, a:sendfds("x", { file, pipe, object, near:getfd() }))
      local _, got = receive(b)
      assert.equal(4, #got)
      assert.equal("from a file", got[1]:recv())
      assert.equal("file", got[1]:info().type)
      assert.equal("from a pipe", helper.readable(got[2]):recv())
      assert.equal("pipe", got[2]:info().type)
      got[3]:send "one"
      got[4]:send "two"
      assert.equal("onetwo", helper.receive(far, 6))
      file:close()
      pipe:close()
    end)

    it("are those that were there when they were asked for, whatever another element closes then", function()
      need.proc(pending)
      local function closing(list)
        return { getfd = function(self)
          for _, object in ipairs(list) do object:close() end
          self.fresh = self.fresh or { lsocket.bind("udp", "127.0.0.1", 0), lsocket.bind("udp", "127.0.0.1", 0),
            lsocket.bind("udp", "127.0.0.1", 0) } -- which get their numbers
          return self.fresh[1]:getfd()
        end }
      end
      helper.settle()
      local before = process.count()
      for _, wrapped in ipairs { false, true } do
        local near, far = assert(lsocket.pair "seqpacket")
        local file = assert(io.tmpfile())
        file:write "kept"
        file:flush()
        file:seek "set"
        local own = assert(lsocket.pair "seqpacket")
        local first = wrapped and { getfd = function() return near:getfd() end } or near
        local last = closing { near, file }
        assert.equal(1, a:sendfds("x", { first, file, own:getfd(), last }))
        local _, got = receive(b)
        assert.equal(4, #got)
        got[1]:send "to the first"
        assert.equal("to the first", far:recv())
        assert.equal("kept", got[2]:recv())
        assert.equal("seqpacket", got[3]:info().type)
        assert.equal(helper.port(last.fresh[1]), helper.port(got[4]))
        close_all(got)
        close_all(last.fresh)
        far:close()
        own:close()
      end
      for _ = 1, 10 do -- copies are closed where it raises, or fails
        raises("getfd of its own", a.sendfds, a, "x", { b, { getfd = function() error "getfd of its own" end } })
        fails("EBADF", a:sendfds("x", { b, { getfd = function() return b:getfd() end }, 9999 }))
        fails("EBADF", a:sendfds("x", { { getfd = function() return -1 end }, b }))
      end
      assert.equal(before, process.count())
    end)

    it("are close-on-exec and do not block", function()
      need.proc(pending)
      a:sendfds("x", { a })
      local _, got = receive(b)
      local flags = process.read("/proc/self/fdinfo/" .. got[1]:getfd()):match "flags:%s*(%d+)"
      flags = tonumber(flags, 8)
      assert.is_true(flags % 0x1000 >= 0x800, "O_NONBLOCK")
      assert.is_true(flags % 0x100000 >= 0x80000, "O_CLOEXEC")
    end)

    it("come in all numbers up to 253, in order", function()
      local _, peers = nil, {}
      for i = 1, 5 do peers[i] = { lsocket.pair "udp" } end
      for _, count in ipairs { 0, 1, 5, 252, 253 } do
        local sent = {}
        for i = 1, count do sent[i] = peers[(i - 1) % 5 + 1][1] end
        assert.equal(1, a:sendfds("x", sent))
        local results = pack(receive(b))
        assert.equal(2, results.n)
        assert.equal(count, #results[2])
        for i, sock in ipairs(results[2]) do
          sock:send(tostring(i))
          assert.equal(tostring(i), peers[(i - 1) % 5 + 1][2]:recv())
        end
        close_all(results[2])
      end
      fails("EINVAL", a:sendfds("x", copies(a, 254)))
      assert.is_false((b:recvfds()))
    end)

    it("that are more than are wanted are closed, and the result says so", function()
      need.proc(pending)
      local before, closing = process.count(), helper.scale(2000)
      for round = 1, closing do
        assert(a:sendfds("x", { a, b, a }))
        local max = round % 4
        local data, got, lost = b:recvfds(100, max)
        assert.equal("x", data)
        assert.equal(max, #got)
        assert.equal(max < 3 and 3 - max or nil, lost)
        if round % 2 == 0 then close_all(got) end -- the collector closes the others
      end
      assert.equal(before, process.count())
    end)

    it("are the peer's only: one of its process, which an option by number has asked for, is closed", function()
      need.proc(pending)
      need.pidfds(pending, b)
      local before = process.count()
      assert(a:sendfds("x", { a, b }))
      local data, got, lost = receive(b)
      assert.same({ "x", 2, 1 }, { data, #got, lost })
      assert.same({ "unix", "unix" }, { got[1]:info("socket").family, got[2]:info("socket").family })
      close_all(got)
      assert.equal(before, process.count())
    end)

    it("are closed where nobody asks for them", function()
      need.proc(pending)
      local before = process.count()
      local batch = kind == "udp" and lsocket.batch(4)
      for _ = 1, 20 do
        for _, method in ipairs { "recv", "recvfrom", "recvmsg", "recvmany" } do
          if method ~= "recvmany" or batch then
            assert(a:sendfds("x", { a, b }))
            helper.readable(b)
            b[method](b, method == "recvmany" and batch or nil)
          end
        end
      end
      assert.equal(before, process.count())
    end)

    it("leave none behind where they are not taken off", function()
      need.proc(pending)
      local before = process.count()
      local c, d = assert(lsocket.pair(kind))
      for _ = 1, 5 do c:sendfds("x", { a, b, c, d }) end
      c:close()
      d:close()
      assert.equal(before, process.count())
    end)
  end)
end

describe("recvfds", function()
  it("cuts data to the size, and tells the true length of a record", function()
    for _, kind in ipairs { "udp", "seqpacket" } do
      local a, b = assert(lsocket.pair(kind))
      a:sendfds("0123456789", { a })
      local data, got, lost, length = receive(b, 4)
      assert.same({ "0123", 1, 0, 10 }, { data, #got, lost, length })
      a:sendfds(("x"):rep(60000), { a, a })
      data, got, lost, length = receive(b, 100, 1)
      assert.same({ 100, 1, 1, 60000 }, { #data, #got, lost, length })
      a:sendfds("", { a })
      data, got = receive(b)
      assert.same({ "", 1 }, { data, #got })
      a:setopt("sndbuf", 300000)
      if a:sendfds(("x"):rep(100000), { a }) then
        data, got, lost, length = receive(b, 70000)
        assert.same({ 70000, 1, 0 }, { #data, #got, lost })
        assert.is_true(length > 70000)
      end
    end
  end)

  it("reads a stream up to its end; descriptors come with the first byte that they were sent with", function()
    local a, b = assert(lsocket.pair())
    a:sendfds("abc", { a })
    a:send "def"
    local data, got = receive(b, 2)
    assert.same({ "ab", 1 }, { data, #got })
    local rest = ""
    while #rest < 4 do
      data, got = receive(b, 100)
      rest = rest .. data
      assert.equal(0, #got)
    end
    assert.equal("cdef", rest)
    assert.same({ n = 1, false }, pack(b:recvfds()))
    a:close()
    collectgarbage() -- the copy that was received
    collectgarbage()
    assert.same({ n = 1 }, pack(receive(b)))
  end)

  it("takes what was sent without descriptors", function()
    local a, b = assert(lsocket.pair "seqpacket")
    a:send "plain"
    assert.same({ n = 2, "plain", {} }, pack(receive(b)))
    a:close()
    assert.same({ n = 1 }, pack(receive(b)))
  end)

  it("says true where the system had no room", function()
    helper.settle()
    local text, status = helper.run(helper.limited(64) .. helper.command "crowded")
    assert.equal("1 true\n", text)
    assert.equal(0, status)
  end)

  it("fails as it should", function()
    local a = assert(lsocket.pair())
    local udp = helper.bind("udp", "127.0.0.1", 0)
    fails("EOPNOTSUPP", udp:recvfds())
    a:close()
    fails("EBADF", a:recvfds())
    fails("EINVAL", assert(lsocket.bind(helper.path())):recvfds())
    raises("bad argument #2 to 'recvfds'", function() udp:recvfds(1, 254) end)
    raises("bad argument #2 to 'recvfds'", function() udp:recvfds(1, -1) end)
    raises("bad argument #1 to 'recvfds'", function() udp:recvfds(-1) end)
  end)
end)

describe("sendfds", function()
  it("fails as it should", function()
    local a, b = assert(lsocket.pair())
    local closed = assert(lsocket.pair())
    closed:close()
    fails("EBADF", a:sendfds("x", { closed }))
    fails("EBADF", a:sendfds("x", { -1 }))
    fails("EBADF", a:sendfds("x", { 9999999 }))
    fails("EBADF", a:sendfds("x", { { getfd = function() return -1 end } }))
    local file = io.tmpfile()
    file:close()
    fails("EBADF", a:sendfds("x", { file }))
    fails("EBADF", closed:sendfds("x", { a }))
    fails("EOPNOTSUPP", helper.tcp():sendfds("x", { a }))
    fails("EOPNOTSUPP", helper.bind("udp", "127.0.0.1", 0):sendfds("x", { a }))
    assert.is_false((b:recv()))
    b:close()
    fails("EPIPE", a:sendfds("x", { a }))
  end)

  it("raises where an element has no descriptor, and where no byte can carry them", function()
    local a, b = assert(lsocket.pair())
    for _, wrong in ipairs { "x", true, print, {}, 1.5, coroutine.create(function() end) } do
      raises("element 2: socket, file or descriptor expected", function() a:sendfds("x", { a, wrong }) end)
    end
    raises("bad argument #1 to 'sendfds'", function() a:sendfds("", { a }) end)
    raises("bad argument #2 to 'sendfds'", function() a:sendfds("x", a) end)
    raises("bad argument #2 to 'sendfds'", function() a:sendfds("x") end)
    assert.is_false((b:recv()))
  end)

  it("says false where there is no room, and sends nothing", function()
    for _, kind in ipairs(kinds) do
      local a, b = assert(lsocket.pair(kind))
      while a:send(("x"):rep(10000)) do end
      assert.same({ n = 1, false }, pack(a:sendfds("x", { a })))
      assert.is_truthy((b:recv()))
    end
  end)

  it("keeps objects alive that a getfd method throws out of the array", function()
    local a, b = assert(lsocket.pair())
    local list = {}
    list[1] = (assert(lsocket.pair()))
    list[2] = { getfd = function()
      list[1] = nil
      collectgarbage()
      collectgarbage()
      return a:getfd()
    end }
    assert.equal(1, a:sendfds("x", list))
    assert.equal(2, #select(2, receive(b)))
  end)

  it("sends to Python, which sends back", function()
    need.tool(pending, helper.python "-c 'import socket; socket.send_fds'")
    for _, kind in ipairs(kinds) do
      local a, b = assert(lsocket.pair(kind))
      assert(b:inherit(true))
      local ends, sent = {}, {}
      for i = 1, 3 do
        ends[i], sent[i] = lsocket.pair()
      end
      assert.equal(8, a:sendfds("to whom?", sent))
      assert.equal("to whom? 3 0\n", helper.run(helper.python("spec/child/pass.py receive " .. b:getfd())))
      for i = 1, 3 do assert.equal("through " .. i, helper.readable(ends[i]):recv()) end

      local pipe = io.popen(helper.python("spec/child/pass.py send " .. b:getfd() .. " 4"))
      local data, got = receive(a)
      assert.same({ "from python", 4 }, { data, #got })
      for i, sock in ipairs(got) do
        assert.equal("pipe", sock:info().type)
        assert.equal(6, sock:send("pipe " .. i))
        sock:close()
      end
      assert.equal("['pipe 1', 'pipe 2', 'pipe 3', 'pipe 4']", pipe:read())
      pipe:close()
    end
  end)
end)

describe("peercred", function()
  local function supported(pending)
    local a = assert(lsocket.pair())
    if select(3, a:peercred()) == "ENOPROTOOPT" then pending "needs the credentials of peers" end
    return a
  end

  it("tells who made the other end", function()
    local a = supported(pending)
    local path = helper.path()
    local client, server = helper.connect_to(assert(lsocket.bind(path)), path)
    local uid = tonumber((helper.run "id -u"))
    local gid = tonumber((helper.run "id -g"))
    for _, sock in ipairs { a, client, server } do
      local who = assert(sock:peercred())
      assert.equal(uid, who.uid)
      assert.equal(gid, who.gid)
      assert.equal(tonumber(process.pid()), who.pid)
    end
  end)

  it("tells another process, and also one that has gone", function()
    need.proc(pending)
    supported(pending)
    local path = helper.path()
    local listener = assert(lsocket.bind(path))
    local text = helper.run(helper.command("meet", path))
    helper.readable(listener)
    assert.equal(tonumber(text:match "^%d+"), assert(listener:accept()):peercred().pid)
  end)

  it("fails where there is no peer, or none that is known", function()
    supported(pending)
    fails("ENOTCONN", assert(lsocket.bind("udp", helper.path())):peercred())
    fails("EOPNOTSUPP", helper.tcp():peercred())
    local sock = assert(lsocket.pair())
    sock:close()
    fails("EBADF", sock:peercred())
  end)
end)

describe("samples/workers.lua", function()
  it("hands connections to its workers in turn", function()
    local pipe = assert(io.popen(helper.command("../../samples/workers", 0, 2)))
    local port = tonumber(pipe:read():match "port (%d+)$")
    local clients = {}
    for i = 1, 4 do
      clients[i] = assert(lsocket.connect("127.0.0.1", port))
      helper.writable(clients[i]):send("hello " .. i)
      assert.equal(("worker %d: hello %d"):format((i - 1) % 2 + 1, i), helper.readable(clients[i]):recv())
    end
    clients[2]:send "again"
    assert.equal("worker 2: again", helper.readable(clients[2]):recv())
    clients[3]:send "quit"
    assert.equal("quit", pipe:read())
    pipe:close()
  end)
end)
