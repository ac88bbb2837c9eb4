-- Sockets of the unix kind: paths, abstract names, unnamed ends, streams and datagrams over them.
-- What all kinds have in common is in the specs of sockets, streams and datagrams.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"

local fails, raises, need, pack = helper.fails, helper.raises, helper.need, helper.pack

-- Both kinds of name, by a function that makes a new one.
local kinds = {
  { what = "a path", make = helper.path, need = function() end },
  { what = "an abstract name", make = helper.name, need = need.abstract },
}

after_each(helper.remove_paths)

for _, kind in ipairs(kinds) do
  describe("a unix socket with " .. kind.what, function()
    local name

    before_each(function() name = kind.make() end)

    it("is bound and connected to without a port", function()
      kind.need(pending)
      local listener = assert(lsocket.bind(name))
      local client, server = helper.connect_to(listener, name)
      assert.equal(5, client:send "hello")
      assert.equal("hello", helper.readable(server):recv())
      assert.equal(3, server:send "bye")
      server:close()
      assert.equal("bye", helper.readable(client):recv())
      assert.same({ n = 1 }, pack(helper.readable(client):recv()))
    end)

    it("takes a type before its name, in any case", function()
      kind.need(pending)
      local listener = assert(lsocket.bind("TCP", name))
      helper.connect_to(listener, "Tcp", name)
      listener:close()
      local other = kind.make()
      local receiver = assert(lsocket.bind("udp", other))
      assert.equal(1, assert(lsocket.connect("Udp", other)):send "x")
      assert.equal("x", helper.readable(receiver):recv())
    end)

    it("ignores a port", function()
      kind.need(pending)
      local listener = assert(lsocket.bind(name, 80))
      helper.connect_to(listener, name, 81)
      helper.connect_to(listener, name, "82")
      helper.connect_to(listener, { address = name, port = 83 })
      assert.same({ family = "unix", addr = name }, listener:info "socket")
    end)

    it("is made from named arguments", function()
      kind.need(pending)
      local listener = assert(lsocket.bind { address = name })
      helper.connect_to(listener, { address = name })
    end)

    it("tells its kind in info", function()
      kind.need(pending)
      local listener = assert(lsocket.bind(name))
      local client, server = helper.connect_to(listener, name)
      assert.same({ fd = listener:getfd(), family = "unix", type = "tcp", listening = true, multicast = false },
        listener:info())
      assert.same({ fd = client:getfd(), family = "unix", type = "tcp", listening = false, multicast = false },
        client:info())
      assert.same({ fd = server:getfd(), family = "unix", type = "tcp", listening = false, multicast = false },
        server:info())
      assert.equal("udp", assert(lsocket.bind("udp", kind.make())):info().type)
    end)

    it("gives its name under socket where bound, under peer where connected, and has no port", function()
      kind.need(pending)
      local listener = assert(lsocket.bind(name))
      local client, server = helper.connect_to(listener, name)
      local named, unnamed = { family = "unix", addr = name }, { family = "unix", addr = "" }
      assert.same(named, listener:info "socket")
      assert.same(named, client:info "peer")
      assert.same(unnamed, client:info "socket")
      assert.same(named, server:info "socket")
      assert.same(unnamed, server:info "peer")
      fails("ENOTCONN", listener:info "peer")
    end)

    it("gives a socket and two nils from accept, false where nobody waits", function()
      kind.need(pending)
      local listener = assert(lsocket.bind(name))
      assert.same({ n = 1, false }, pack(listener:accept()))
      local client = assert(lsocket.connect(name))
      local results = pack(helper.readable(listener):accept())
      assert.equal(3, results.n)
      assert.equal("unix", results[1]:info().family)
      assert.is_nil(results[2])
      assert.is_nil(results[3])
      client:close()
    end)

    it("accepts a connection that was given up again, and reads its end", function()
      kind.need(pending)
      local listener = assert(lsocket.bind(name))
      local client = assert(lsocket.connect(name))
      client:send "last words"
      client:close()
      local server = assert(helper.readable(listener):accept())
      assert.equal("last words", server:recv())
      assert.same({ n = 1 }, pack(server:recv()))
      assert.same({ n = 1 }, pack(server:recvfrom()))
    end)

    it("refuses where the backlog is full", function()
      kind.need(pending)
      local function waiting(...)
        local address = kind.make()
        local listener = assert(lsocket.bind(address, ...))
        local clients = {}
        for i = 1, 50 do
          local results = pack(lsocket.connect(address))
          if not results[1] then
            assert.same({ n = 3, nil, "Resource temporarily unavailable", "EAGAIN" }, results)
            listener:close()
            return #clients
          end
          clients[i] = results[1]
        end
        error "the backlog has no end"
      end
      local default = waiting()
      assert.equal(default - 3, waiting(nil, 2))
      assert.equal(default + 5, waiting(0, 10))
    end)

    it("sends datagrams, and tells a named sender by its name and 0", function()
      kind.need(pending)
      local sender_name = kind.make()
      local receiver, sender = assert(lsocket.bind("udp", name)), assert(lsocket.bind("udp", sender_name))
      assert.equal(5, sender:sendto("hello", name, 0))
      assert.same({ n = 3, "hello", sender_name, 0 }, pack(helper.readable(receiver):recvfrom()))
      assert.equal(2, receiver:sendto("ok", sender_name, 4711)) -- what recvfrom gave is what sendto takes
      assert.equal("ok", helper.readable(sender):recv())
    end)

    it("tells an unnamed sender of a datagram by two nils, and keeps the data", function()
      kind.need(pending)
      local receiver = assert(lsocket.bind("udp", name))
      local sender = assert(lsocket.connect("udp", name))
      sender:send "who?"
      assert.same({ n = 3, "who?" }, pack(helper.readable(receiver):recvfrom()))
      sender:send ""
      assert.same({ n = 3, "" }, pack(helper.readable(receiver):recvfrom()))
      sender:send "truncated"
      assert.same({ n = 4, "trunc", nil, nil, 9 }, pack(helper.readable(receiver):recvfrom(5)))
    end)

    it("says false where the receiver of datagrams is full", function()
      kind.need(pending)
      local receiver = assert(lsocket.bind("udp", name))
      for _, sender in ipairs { assert(lsocket.bind("udp", kind.make())), assert(lsocket.connect("udp", name)) } do
        local count = 0
        while sender:sendto("x", name, 0) do count = count + 1 end
        assert.same({ n = 1, false }, pack(sender:sendto("x", name, 0)))
        for _ = 1, count do assert.equal("x", receiver:recv()) end
        assert.is_false(receiver:recv())
        assert.equal(1, sender:sendto("x", name, 0))
        assert.equal("x", receiver:recv())
      end
    end)

    it("needs no port in sendto", function()
      kind.need(pending)
      local sock = assert(lsocket.bind("udp", name))
      assert.equal(1, sock:sendto("x", name))
      assert.equal(1, sock:sendto("y", name, nil))
      assert.same({ "x", "y" }, { (sock:recv()), (sock:recv()) })
      for _, port in ipairs { 65536, 9.5, "http", true } do
        raises("bad argument #3 to 'sendto'", function() sock:sendto("x", name, port) end)
      end
    end)

    it("gives stream data from recvfrom, with two nils", function()
      kind.need(pending)
      local client, server = helper.connect_to(assert(lsocket.bind(name)), name)
      client:send "data"
      assert.same({ n = 3, "data" }, pack(helper.readable(server):recvfrom()))
    end)

    it("cannot be bound where another socket has its name", function()
      kind.need(pending)
      local listener = assert(lsocket.bind(name))
      fails("EADDRINUSE", lsocket.bind(name))
      listener:close()
      local other = kind.make()
      local receiver = assert(lsocket.bind("udp", other))
      fails("EADDRINUSE", lsocket.bind("udp", other))
      receiver:close()
    end)

    it("refuses when the listener is gone", function()
      kind.need(pending)
      local listener = assert(lsocket.bind(name))
      listener:close()
      fails("ECONNREFUSED", lsocket.connect(name))
    end)

    it("has no multicast", function()
      for _, make in ipairs { lsocket.bind, lsocket.connect } do
        local sock, message, symbol = make("mcast", name)
        assert.is_nil(sock)
        assert.equal("multicast not available for unix domain sockets", message)
        assert.equal("EOPNOTSUPP", symbol)
        assert.is_nil((make("mcast", name, 80)))
        assert.is_nil((make { type = "mcast", address = name }))
      end
    end)

    it("keeps datagrams of more than 64 KiB whole where the size allows, and says when they were cut", function()
      kind.need(pending)
      local receiver, sender = assert(lsocket.bind("udp", name)), assert(lsocket.connect("udp", name))
      local big = ("0123456789"):rep(10000)
      assert.equal(100000, sender:send(big))
      assert.same({ n = 1, big }, pack(helper.readable(receiver):recv(200000)))
      sender:send(big)
      assert.same({ n = 1, big }, pack(helper.readable(receiver):recv(100000)))
      sender:send(big)
      local data, length = helper.readable(receiver):recv()
      assert.equal(65536, #data)
      -- Told by all systems that have abstract names, and by some others.
      if not length and kind.make == helper.path then pending "this system does not tell the true length" end
      assert.equal(100000, length)
      sender:send(big)
      assert.same({ n = 2, big:sub(1, 70000), 100000 }, pack(helper.readable(receiver):recv(70000)))
    end)

    it("takes no more datagrams than the receiver has room for", function()
      kind.need(pending)
      local receiver, sender = assert(lsocket.bind("udp", name)), assert(lsocket.connect("udp", name))
      local sent = 0
      repeat
        local count = sender:send "x"
        if count then sent = sent + 1 end
      until not count or sent > 100000
      assert.is_true(sent > 0 and sent <= 100000)
      assert.is_false(sender:send "x")
      assert.is_false(helper.is_writable(sender))
      assert.equal("x", receiver:recv())
      assert.equal(1, helper.writable(sender):send "x")
    end)
  end)
end

describe("a unix path", function()
  it("is anything with a slash in it", function()
    local directory, base = helper.path():match "^(.*)/([^/]+)$"
    local relative = ("../"):rep(20) .. directory:sub(2) .. "/" .. base
    local listener = assert(lsocket.bind(relative))
    assert.same({ family = "unix", addr = relative }, listener:info "socket")
    helper.connect_to(listener, directory .. "//" .. base)
    os.remove(relative)
  end)

  it("stays in the file system after its socket is closed", function()
    local path = helper.path()
    lsocket.bind(path):close()
    fails("ECONNREFUSED", lsocket.connect(path))
    fails("EADDRINUSE", lsocket.bind(path))
    assert.is_true(os.remove(path))
    fails("ENOENT", lsocket.connect(path))
    assert(lsocket.bind(path))
  end)

  it("is of one type at both ends", function()
    local name, other = helper.path(), helper.path()
    local listener, receiver = assert(lsocket.bind(name)), assert(lsocket.bind("udp", other))
    fails("EPROTOTYPE", lsocket.connect("udp", name))
    fails("EPROTOTYPE", lsocket.connect(other))
    fails("EPROTOTYPE", receiver:sendto("x", name, 0))
    listener:close()
  end)

  it("of the other end is nil from accept, also where it has one", function()
    need.tool(pending, helper.python "--version")
    local path, other = helper.path(), helper.path()
    local listener = assert(lsocket.bind(path))
    local child = io.popen(helper.python "-c " .. helper.quote("import socket, sys\n" ..
      "sock = socket.socket(socket.AF_UNIX)\nsock.bind(sys.argv[2])\nsock.connect(sys.argv[1])\nsock.recv(1)") ..
      " " .. path .. " " .. other)
    local results = pack(helper.readable(listener):accept())
    assert.same({ n = 3, results[1] }, results)
    assert.same({ family = "unix", addr = other }, results[1]:info "peer")
    results[1]:close()
    child:close()
  end)

  it("fails with the system's cause", function()
    fails("ENOENT", lsocket.bind "/nowhere/at/all")
    fails("ENOENT", lsocket.connect "/nowhere/at/all")
    fails("ECONNREFUSED", lsocket.connect "/dev/null")
  end)

  it("may fill the room that the system has for it, and not one byte more", function()
    local path = helper.path()
    local filled = path .. ("x"):rep(107 - #path)
    local listener = assert(lsocket.bind(filled))
    assert.equal(filled, listener:info("socket").addr)
    helper.connect_to(listener, filled)
    os.remove(filled)
    fails("ENAMETOOLONG", lsocket.bind(filled .. "x"))
    fails("ENAMETOOLONG", lsocket.connect(filled .. "x"))
    fails("ENAMETOOLONG", lsocket.bind("/" .. ("x"):rep(1000000)))
  end)

  it("with a NUL in it raises, as it would be cut short", function()
    local path = helper.path()
    raises("address contains a NUL byte", lsocket.bind, path .. "\0")
    raises("address contains a NUL byte", lsocket.bind, path .. "\0x")
    raises("address contains a NUL byte", lsocket.connect, path .. "\0x")
    raises("address contains a NUL byte", lsocket.connect, { address = path .. "\0x" })
    assert.is_nil(io.open(path))
  end)
end)

describe("an abstract unix name", function()
  it("is exact: no NUL is added to it, and none in it ends it", function()
    need.abstract(pending)
    local name = helper.name()
    local listener = assert(lsocket.bind(name .. "\0mid\0"))
    assert.equal(name .. "\0mid\0", listener:info("socket").addr)
    for _, other in ipairs { name, name .. "\0", name .. "\0mid", name .. "\0mid\0\0" } do
      fails("ECONNREFUSED", lsocket.connect(other))
    end
    local client = helper.connect_to(listener, name .. "\0mid\0")
    assert.equal(name .. "\0mid\0", client:info("peer").addr)
    assert(lsocket.bind(name))
    assert(lsocket.bind(name .. "\0"))
  end)

  it("is what the kernel lists, byte for byte", function()
    need.abstract(pending)
    need.proc(pending)
    local name = helper.name()
    local sock = assert(lsocket.bind(name))
    assert.truthy(process.read "/proc/net/unix":find(" " .. name .. "\n", 1, true))
    sock:close()
  end)

  it("names the sender of a datagram with its NULs", function()
    need.abstract(pending)
    local from, to = helper.name() .. "\0a\0", helper.name() .. "\0b"
    local sender, receiver = assert(lsocket.bind("udp", from)), assert(lsocket.bind("udp", to))
    sender:sendto("x", to, 0)
    assert.same({ n = 3, "x", from, 0 }, pack(helper.readable(receiver):recvfrom()))
  end)

  it("is free again as soon as its socket is closed", function()
    need.abstract(pending)
    local name = helper.name()
    lsocket.bind(name):close()
    assert(lsocket.bind(name))
  end)

  it("may contain slashes and begin like a path", function()
    need.abstract(pending)
    local name = helper.name() .. "/a/b"
    local listener = assert(lsocket.bind(name))
    assert.equal(name, listener:info("socket").addr)
    assert.is_nil(io.open(name:sub(2)))
  end)

  it("may fill the room that the system has for it, and not one byte more", function()
    need.abstract(pending)
    local name = helper.name()
    local filled = name .. ("x"):rep(108 - #name)
    local listener = assert(lsocket.bind(filled))
    assert.equal(filled, listener:info("socket").addr)
    helper.connect_to(listener, filled)
    fails("ENAMETOOLONG", lsocket.bind(filled .. "x"))
    fails("ENAMETOOLONG", lsocket.connect(filled .. "x"))
  end)

  it("is of an unknown family where the system has none", function()
    local sock = lsocket.bind(helper.name())
    if not sock then
      fails("EAFNOSUPPORT", lsocket.bind(helper.name()))
      fails("EAFNOSUPPORT", lsocket.connect(helper.name()))
      fails("EAFNOSUPPORT", lsocket.bind("udp", helper.name()))
    end
  end)
end)
