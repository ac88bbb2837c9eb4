-- The socket object: what it tells about itself, accepting, closing, collecting, and what a closed one answers.
-- Bytes over streams and datagrams have specs of their own.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"

local fails, raises, need, pack = helper.fails, helper.raises, helper.need, helper.pack

local function fields(record)
  local names = {}
  for name in pairs(record) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, " ")
end

describe("info", function()
  it("has exactly the five standard fields", function()
    local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
    for _, record in ipairs { sock:info(), sock:info(nil) } do
      assert.equal("family fd listening multicast type", fields(record))
    end
    assert.same({ fd = sock:getfd(), family = "inet", type = "udp", listening = true, multicast = false },
      sock:info())
  end)

  it("says that everything from bind is listening, and nothing else", function()
    local listener, port = helper.bind("127.0.0.1", 0)
    local client, server = helper.connect_to(listener, "127.0.0.1", port)
    assert.is_true(listener:info().listening)
    assert.is_true(lsocket.bind("udp", "127.0.0.1", 0):info().listening)
    assert.is_true(lsocket.bind("mcast", "127.0.0.1", 0):info().listening)
    assert.is_false(client:info().listening)
    assert.is_false(server:info().listening)
    assert.is_false(lsocket.connect("udp", "127.0.0.1", 9):info().listening)
  end)

  it("says which sockets are for multicast", function()
    assert.is_true(lsocket.bind("mcast", "127.0.0.1", 0):info().multicast)
    assert.is_true(lsocket.connect("mcast", "127.0.0.1", 9):info().multicast)
    assert.is_false(lsocket.bind("udp", "127.0.0.1", 0):info().multicast)
    assert.is_false(lsocket.bind("127.0.0.1", 0):info().multicast)
  end)

  it("tells type and family of the listener for an accepted socket", function()
    need.ipv6(pending)
    local _, server4 = helper.tcp "127.0.0.1"
    local _, server6 = helper.tcp "::1"
    assert.same({ "inet", "tcp" }, { server4:info().family, server4:info().type })
    assert.same({ "inet6", "tcp" }, { server6:info().family, server6:info().type })
    assert.is_false(server4:info().multicast)
  end)

  it("tells both ends, in any case", function()
    need.ipv6(pending)
    for address, family in pairs { ["127.0.0.1"] = "inet", ["::1"] = "inet6" } do
      local client, server = helper.tcp(address)
      local near, far = client:info "socket", client:info "PEER"
      assert.equal("addr family port", fields(near))
      assert.equal("addr family port", fields(far))
      assert.same({ family, address }, { near.family, near.addr })
      assert.same(near, server:info "Peer")
      assert.same(far, server:info "SOCKET")
      assert.is_true(near.port > 0 and near.port ~= far.port)
    end
  end)

  it("fails for the peer of a socket that has none", function()
    fails("ENOTCONN", lsocket.bind("127.0.0.1", 0):info "peer")
    fails("ENOTCONN", lsocket.bind("udp", "127.0.0.1", 0):info "peer")
  end)

  it("is nil alone for anything else", function()
    local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
    for _, what in ipairs { "other", "", "peers", "sock", "standard" } do
      assert.same({ n = 1 }, pack(sock:info(what)))
    end
  end)

  it("keeps the zone of a link-local address", function()
    need.zones(pending)
    need.sandbox(pending)
    local sock = assert(lsocket.bind("udp", "fe80::12%veth1", 0))
    assert.equal("fe80::12%veth1", sock:info("socket").addr)
    local other = assert(lsocket.connect("udp", "fe80::11%veth0", 9))
    assert.equal("fe80::11%veth0", other:info("peer").addr)
    assert.equal("fe80::11%veth0", other:info("socket").addr)
  end)

  it("shows an IPv4 peer of an IPv6 socket as a mapped address", function()
    need.ipv6(pending)
    local listener, port = helper.bind("::", 0)
    local client = assert(lsocket.connect("127.0.0.1", port))
    local server, address, peer_port = helper.readable(listener):accept()
    assert.equal("::ffff:127.0.0.1", address)
    assert.equal(helper.port(client), peer_port)
    assert.equal(address, server:info("peer").addr)
  end)
end)

describe("status", function()
  it("is true where there is no error", function()
    local client, server = helper.tcp()
    assert.same({ n = 1, true }, pack(client:status()))
    assert.is_true(server:status())
    assert.is_true(lsocket.bind("127.0.0.1", 0):status())
  end)

  it("tells an error once", function()
    local sock, keeper = helper.refused()
    fails("ECONNREFUSED", sock:status())
    assert.is_true(sock:status())
    assert.truthy(keeper)
  end)
end)

describe("getfd and setfd", function()
  it("give the descriptor, a whole number", function()
    local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
    local fd = sock:getfd()
    assert.is_true(fd > 2)
    assert.is_nil(tostring(fd):find("%D"))
    assert.equal(fd, sock:info().fd)
  end)

  it("take nothing but -1", function()
    local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
    for _, fd in ipairs { 0, 1, -2, sock:getfd(), 1e9, 2 ^ 53, -1.5, 1 / 0, 0 / 0 } do
      local results = pack(sock:setfd(fd))
      assert.same({ n = 3, nil, "bad argument #1 to 'setfd' (invalid fd)", "EINVAL" }, results)
    end
    raises("bad argument #1 to 'setfd'", function() sock:setfd() end)
    raises("bad argument #1 to 'setfd'", function() sock:setfd "x" end)
    assert.is_true(sock:status())
  end)

  it("forget a descriptor without closing it", function()
    local sock, port = helper.bind("udp", "127.0.0.1", 0)
    assert.same({ n = 1, true }, pack(sock:setfd(-1)))
    assert.equal(-1, sock:getfd())
    fails("EBADF", sock:recv())
    sock:close()
    fails("EADDRINUSE", lsocket.bind("udp", "127.0.0.1", port))
  end)
end)

describe("accept", function()
  it("gives the socket, and address and port of the other end", function()
    need.ipv6(pending)
    for _, address in ipairs { "127.0.0.1", "::1" } do
      local listener, port = helper.bind(address, 0)
      local client = assert(lsocket.connect(address, port))
      local results = pack(helper.readable(listener):accept())
      assert.equal(3, results.n)
      assert.equal(address, results[2])
      assert.equal(helper.port(client), results[3])
      assert.equal("tcp", results[1]:info().type)
      client:close()
    end
  end)

  it("is false where nobody waits", function()
    local listener = assert(lsocket.bind("127.0.0.1", 0))
    assert.same({ n = 1, false }, pack(listener:accept()))
  end)

  it("is false where the connection that was announced has been taken already", function()
    local listener, port = helper.bind("127.0.0.1", 0)
    local client = assert(lsocket.connect("127.0.0.1", port))
    helper.readable(listener)
    assert(listener:accept())
    assert.same({ n = 1, false }, pack(listener:accept()))
    client:close()
  end)

  it("is false where the connection went away between select and accept", function()
    need.injection(pending)
    for _, cause in ipairs { "ECONNABORTED", "EPROTO" } do
      local output = helper.run(helper.inject("accept,accept4", cause .. ":when=1", "accept"))
      assert.equal("false\nsocket\n", output)
    end
  end)

  it("is repeated after a signal, as are sending and receiving", function()
    need.injection(pending)
    local output = helper.run(helper.inject("accept,accept4,sendto,recvfrom", "EINTR:when=1+2", "accept"))
    assert.equal("socket\nsocket\n", output)
  end)

  it("gives a connection that was closed before, with what it had sent", function()
    local listener, port = helper.bind("127.0.0.1", 0)
    local client = assert(lsocket.connect("127.0.0.1", port))
    helper.writable(client):send "hello and good-bye"
    client:close()
    local server = assert(helper.readable(listener):accept())
    assert.equal("hello and good-bye", helper.receive(server, 1000))
  end)

  it("keeps the zone of the other end, and what it gives can be bound", function()
    need.zones(pending)
    need.sandbox(pending)
    local listener, port = helper.bind("::", 0)
    local client = assert(lsocket.connect("fe80::11%veth0", port))
    local _, address, peer_port = helper.readable(listener):accept()
    assert.equal("fe80::11%veth0", address)
    client:close()
    assert.equal(address, assert(lsocket.bind("udp", address, peer_port)):info("socket").addr)
  end)

  it("fails on udp, also with something to be read", function()
    local sock, port = helper.bind("udp", "127.0.0.1", 0)
    sock:sendto("x", "127.0.0.1", port)
    fails("EOPNOTSUPP", helper.readable(sock):accept())
    assert.equal("x", sock:recv())
  end)

  it("fails on a connected socket", function()
    local client, server = helper.tcp()
    fails("EINVAL", client:accept())
    fails("EINVAL", server:accept())
  end)

  it("leaves nothing open where it fails", function()
    need.proc(pending)
    local listener = assert(lsocket.bind("127.0.0.1", 0))
    local udp = assert(lsocket.bind("udp", "127.0.0.1", 0))
    local before = process.count()
    for _ = 1, 20 do
      assert.is_false(listener:accept())
      assert.is_nil((udp:accept()))
    end
    assert.equal(before, process.count())
  end)
end)

describe("close", function()
  it("is true, also the second time", function()
    local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
    assert.same({ n = 1, true }, pack(sock:close()))
    assert.same({ n = 1, true }, pack(sock:close()))
  end)

  it("frees descriptor and address at once", function()
    need.proc(pending)
    local sock, port = helper.bind("127.0.0.1", 0)
    local before = process.count()
    sock:close()
    assert.equal(before - 1, process.count())
    assert(lsocket.bind("127.0.0.1", port))
  end)

  it("leaves an object that says so", function()
    for _, sock in ipairs { lsocket.bind("127.0.0.1", 0), lsocket.bind("udp", "127.0.0.1", 0), (helper.tcp()) } do
      sock:close()
      assert.equal(-1, sock:getfd())
      local info = sock:info()
      assert.equal("family fd listening multicast type", fields(info))
      assert.equal(-1, info.fd)
      assert.equal("unknown", info.type)
      assert.is_false(info.listening)
      fails("EBADF", sock:info "peer")
      fails("EBADF", sock:info "socket")
      assert.truthy(tostring(sock):match "^socket: ")
    end
  end)

  it("makes every other method fail without raising", function()
    for _, sock in ipairs { lsocket.bind("127.0.0.1", 0), lsocket.bind("udp", "127.0.0.1", 0), (helper.tcp()) } do
      sock:close()
      fails("EBADF", sock:accept())
      fails("EBADF", sock:recv())
      fails("EBADF", sock:recv(0))
      fails("EBADF", sock:recv(1e6))
      fails("EBADF", sock:recvfrom())
      fails("EBADF", sock:recvfrom(10))
      fails("EBADF", sock:send "x")
      fails("EBADF", sock:send "")
      fails("EBADF", sock:sendto("x", "127.0.0.1", 9))
      fails("EBADF", sock:status())
      assert.is_true(sock:setfd(-1))
    end
  end)
end)

describe("a socket object", function()
  it("is named by its type and address", function()
    local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
    assert.truthy(tostring(sock):match "^socket: 0?x?%x+$")
    assert.are_not.equal(tostring(sock), tostring(lsocket.bind("udp", "127.0.0.1", 0)))
  end)

  it("has the type socket in its metatable", function()
    assert.equal("socket", getmetatable(lsocket.bind("udp", "127.0.0.1", 0)).__type)
  end)

  it("has the ten methods of the specification", function()
    local methods = getmetatable(lsocket.bind("udp", "127.0.0.1", 0)).__index
    for name in ("info status getfd setfd accept recv recvfrom send sendto close"):gmatch "%a+" do
      assert.is_function(methods[name])
    end
  end)

  it("has a metatable that no key of the registry leads to", function()
    if not (debug and debug.getregistry) then pending "needs debug.getregistry" end
    local metatable = getmetatable(lsocket.bind("udp", "127.0.0.1", 0))
    for key, value in pairs(debug.getregistry()) do
      assert.is_false(rawequal(value, metatable), "registry key " .. tostring(key))
    end
  end)

  it("can be a key of a table, and select gives back the same object", function()
    local client, server = helper.tcp()
    local handlers = { [client] = "client", [server] = "server" }
    client:send "x"
    assert.equal("server", handlers[lsocket.select({ client, server }, helper.patience)[1]])
  end)

  it("is closed when it is collected", function()
    local client, server = helper.tcp()
    client:send "last"
    client = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    assert.equal("last", helper.readable(server):recv())
    assert.same({ n = 1 }, pack(helper.readable(server):recv()))
  end)

  it("is closed by the end of its block where Lua has to-be-closed variables", function()
    local compile = loadstring or load
    local block = compile "local sock <close> = ...; return sock:getfd()"
    if not block then pending "this Lua has no to-be-closed variables" end
    local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
    local fd = sock:getfd()
    assert.equal(fd, block(sock))
    assert.equal(-1, sock:getfd())
  end)

  it("is closed by the end of its block also when that fails", function()
    local compile = loadstring or load
    local block = compile "local sock <close> = ...; error 'inside'"
    if not block then pending "this Lua has no to-be-closed variables" end
    local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
    raises("inside", block, sock)
    assert.equal(-1, sock:getfd())
  end)

  it("survives __gc called by hand, and is closed by it", function()
    local client, server = helper.tcp()
    local collect = getmetatable(client).__gc
    collect(client)
    collect(client)
    assert.equal(-1, client:getfd())
    fails("EBADF", client:send "x")
    assert.is_true(client:close())
    assert.same({ n = 1 }, pack(helper.readable(server):recv()))
    assert.is_false(lsocket.select({ client }, 0))
  end)

  it("has a __gc that raises for anything but a socket", function()
    need.proc(pending)
    local collect = getmetatable(lsocket.bind("udp", "127.0.0.1", 0)).__gc
    local before = process.count()
    for _, value in ipairs { 1, 0, "x", true, {}, print, io.stdout, coroutine.create(function() end) } do
      raises("socket expected, got " .. type(value), collect, value)
    end
    raises("socket expected, got nil", collect, nil)
    raises("socket expected, got no value", collect)
    assert.equal(before, process.count())
    assert.truthy(io.stdout:write "")
  end)

  it("raises for anything else in its place", function()
    local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
    raises("socket expected, got no value", function() sock.recv() end)
    raises("socket expected, got nil", function() sock.recv(nil) end)
    raises("socket expected, got table", function() sock.send({}, "x") end)
    raises("socket expected, got userdata", function() sock.close(io.stdout) end)
    raises("bad argument #1 to 'getfd'", function() sock.getfd "x" end)
  end)

  it("gives whole numbers, in every Lua", function()
    local listener, port = helper.bind("127.0.0.1", 0)
    local client = assert(lsocket.connect("127.0.0.1", port))
    local server, _, peer_port = helper.readable(listener):accept()
    local receiver, udp_port = helper.bind("udp", "127.0.0.1", 0)
    local sent = receiver:sendto("0123456789", "127.0.0.1", udp_port)
    local _, _, from, length = helper.readable(receiver):recvfrom(1)
    local count = client:send "x"
    for _, number in ipairs { port, peer_port, server:getfd(), server:info().fd, count, sent, from, length } do
      assert.truthy(tostring(number):match "^%d+$")
    end
  end)

  it("works in a coroutine", function()
    local client, server = helper.tcp()
    local received = coroutine.wrap(function()
      while true do
        local data = server:recv()
        if data then return data end
        coroutine.yield()
      end
    end)
    assert.is_nil(received())
    client:send "resumed"
    helper.readable(server)
    assert.equal("resumed", received())
  end)
end)
