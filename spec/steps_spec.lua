-- Sockets in steps: socket, and the methods bind, listen and connect; what they do in every order, and how they fail.
-- What they share with bind and connect is tested there: bind_spec, lsocket_spec, unix_spec.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local lfs = require "lfs"
local loop = require "lsocket.loop"
local process = require "spec.process"
local stream = require "lsocket.stream"

local fails, raises, need, pack = helper.fails, helper.raises, helper.need, helper.pack

after_each(helper.remove_paths)

local function socket(...) return assert(lsocket.socket(...)) end

-- Bound to a port of the system's choice.
local function bound(type, address)
  local sock = socket(type, address and address:find ":" and "inet6" or nil)
  assert.is_true(assert(sock:bind(address or "127.0.0.1", 0)))
  return sock, helper.port(sock)
end

local function listening()
  local sock, port = bound "tcp"
  assert(sock:listen())
  return sock, port
end

describe("socket", function()
  it("makes a socket of each type and family, which is neither bound nor connected", function()
    for _, row in ipairs { { nil, nil, "tcp", "inet" }, { "tcp", nil, "tcp", "inet" }, { "udp", nil, "udp", "inet" },
      { "TCP", "unix", "tcp", "unix" }, { "udp", "unix", "udp", "unix" }, { "seqpacket", nil, "seqpacket", "unix" },
      { "seqpacket", "unix", "seqpacket", "unix" } } do
      local sock = socket(row[1], row[2])
      local info = sock:info()
      local alone = row[3] == "udp"
      assert.same({ fd = info.fd, type = row[3], family = row[4], listening = alone, multicast = false }, info)
      assert.is_true(info.fd >= 0)
      fails("ENOTCONN", sock:info "peer")
      local near = sock:info "socket"
      assert.equal(row[4], near.family)
      assert.equal(row[4] == "unix" and "" or "0.0.0.0", near.addr)
      assert.equal(row[4] ~= "unix" and 0 or nil, near.port)
      sock:close()
    end
  end)

  it("makes IPv6 sockets", function()
    need.ipv6(pending)
    for _, type in ipairs { "tcp", "udp" } do
      assert.same({ family = "inet6", addr = "::", port = 0 }, socket(type, "inet6"):info "socket")
    end
  end)

  it("takes options and inherit by name, and sets them at once", function()
    local sock = socket { type = "udp", family = "inet", rcvbuf = 20000, inherit = true }
    assert.equal(20000, sock:getopt "rcvbuf")
    assert.is_true(socket { reuseaddr = true }:getopt "reuseaddr")
    assert.is_false(socket():getopt "reuseaddr")
    assert.equal("tcp", socket {}:info().type)
    fails("ENOPROTOOPT", lsocket.socket { type = "udp", nodelay = true })
  end)

  it("never blocks, and is not inherited unasked", function()
    need.proc(pending)
    local function flags_of(sock)
      return tonumber(process.read("/proc/self/fdinfo/" .. sock:getfd()):match "flags:%s*(%d+)", 8)
    end
    for _, inherit in ipairs { false, true } do
      local flags = flags_of(socket { inherit = inherit })
      assert.equal(inherit and 0 or 1, math.floor(flags / 524288) % 2) -- O_CLOEXEC
      assert.equal(1, math.floor(flags / 2048) % 2) -- O_NONBLOCK
    end
  end)

  it("fails for what the system has not got, and leaves nothing open", function()
    need.proc(pending)
    local before = process.count()
    for _ = 1, 10 do
      local sock, message, name = lsocket.socket("seqpacket", "inet")
      assert.is_nil(sock)
      assert.is_string(message)
      assert.is_true(name == "ESOCKTNOSUPPORT" or name == "EPROTONOSUPPORT")
      lsocket.socket { type = "udp", nodelay = true }
    end
    assert.equal(before, process.opened())
  end)

  it("raises for other types, families and names", function()
    for _, type in ipairs { "mcast", "", "raw", 1, true } do
      raises("bad argument #1 to ", lsocket.socket, type)
      raises("type: tcp, udp or seqpacket expected", lsocket.socket, { type = type })
    end
    for _, family in ipairs { "", "INET", "unknown", 4, true } do
      raises("bad argument #2 to ", lsocket.socket, "tcp", family)
      raises("family: inet, inet6 or unix expected", lsocket.socket, { family = family })
    end
    for _, name in ipairs { "address", "port", "backlog", "mode", "unlink", "localaddress", "localport" } do
      raises(name .. ": no such argument of socket", lsocket.socket, { [name] = 1 })
    end
    raises("nosuch: no such argument", lsocket.socket, { nosuch = 1 })
    raises("rcvbuf: ", lsocket.socket, { rcvbuf = -1 })
  end)
end)

describe("a tcp socket in steps", function()
  it("is a server: bound, listening, accepting", function()
    local server, port = bound "tcp"
    assert.is_false(server:info().listening)
    assert.is_true(server:listen())
    assert.is_true(server:info().listening)
    assert.equal("127.0.0.1", server:info("socket").addr)
    local client, peer = helper.connect_to(server, "127.0.0.1", port)
    client:send "hello"
    assert.equal("hello", helper.readable(peer):recv())
    assert.same({ "tcp", "inet", false }, { peer:info().type, peer:info().family, peer:info().listening })
  end)

  it("is a client: connected, with a local address of its own or without", function()
    local server, port = listening()
    for _, own in ipairs { false, true } do
      local client = socket()
      if own then assert(client:bind("127.0.0.5", 0)) end
      assert.is_true(client:connect("127.0.0.1", port))
      assert.equal("w", client:wait("w", helper.patience))
      assert.is_true(client:status())
      local peer, address = helper.readable(server):accept()
      assert.equal(own and "127.0.0.5" or "127.0.0.1", address)
      peer:send "hello"
      assert.equal("hello", helper.readable(client):recv())
      assert.equal(port, client:info("peer").port)
    end
  end)

  it("takes the backlog that listen is told, also later", function()
    need.speed(pending)
    local server, port = bound "tcp"
    assert(server:listen(0))
    assert.is_true(helper.count_waiting(port) < 4)
    assert.is_true(server:listen(50))
    assert.is_true(helper.count_waiting(port) > 20)
    raises("bad argument #1 to 'listen' (backlog must be ", function() server:listen(-1) end)
    raises("bad argument #1 to 'listen' (number expected, got string)", function() server:listen "x" end)
  end)

  it("that is not bound listens at a port of the system's choice", function()
    local server = socket()
    assert(server:listen())
    local port = helper.port(server)
    assert.is_true(port > 0)
    helper.connect_to(server, "127.0.0.1", port)
  end)

  it("cannot be bound twice", function()
    local sock, port = bound "tcp"
    fails("EINVAL", sock:bind("127.0.0.1", 0))
    assert.equal(port, helper.port(sock))
    assert(sock:listen())
    fails("EINVAL", sock:bind("127.0.0.1", 0))
  end)

  it("can be bound again where it was not", function()
    local keeper, taken = helper.bind("127.0.0.1", 0)
    local sock = socket()
    fails("EADDRINUSE", sock:bind("127.0.0.1", taken))
    fails("EADDRNOTAVAIL", sock:bind("192.0.2.1", 0))
    assert(sock:bind("127.0.0.1", 0))
    assert(sock:listen())
    keeper:close()
  end)

  it("gets no reuseaddr unasked, and its port back with it", function()
    local server = socket { reuseaddr = true }
    assert(server:bind("127.0.0.1", 0))
    assert(server:listen())
    local port = helper.port(server)
    local client, peer = helper.connect_to(server, "127.0.0.1", port)
    peer:close() -- the end that closes first keeps the port for a while
    assert.is_nil(helper.readable(client):recv())
    client:close()
    server:close()
    fails("EADDRINUSE", socket():bind("127.0.0.1", port))
    local again = socket { reuseaddr = true }
    assert(again:bind("127.0.0.1", port))
    assert(again:listen())
  end)

  it("cannot be connected twice, whatever the first try is at", function()
    local server, port = listening()
    local client = socket()
    assert(client:connect("127.0.0.1", port))
    assert.equal("w", client:wait("w", helper.patience))
    for _ = 1, 3 do fails("EISCONN", client:connect("127.0.0.1", port)) end
    assert.equal("EISCONN", select(3, helper.readable(server):accept():connect("127.0.0.1", port)))
    assert.is_nil((server:connect("127.0.0.1", port)))
  end)

  it("cannot be connected twice, whoever has connected it", function()
    local _, port = listening()
    local function made(client)
      assert.equal("w", client:wait("w", helper.patience))
      return client
    end
    fails("EISCONN", made(assert(lsocket.connect("127.0.0.1", port))):connect("127.0.0.1", port))
    local first = socket()
    local second = assert(first:dup())
    assert(second:connect("127.0.0.1", port))
    made(second)
    fails("EISCONN", first:connect("127.0.0.1", port))
    local third = assert(lsocket.fromfd(assert(first:dup()):detach()))
    fails("EISCONN", third:connect("127.0.0.1", port))
  end)

  it("says that it is connecting while it is", function()
    local server, port = bound "tcp"
    assert(server:listen(0))
    local waiting, sock = {}, nil
    for _ = 1, 20 do -- until the queue is full, and the next one is not answered
      sock = socket()
      assert(sock:connect("127.0.0.1", port))
      waiting[#waiting + 1] = sock
      if not sock:wait("w", 0.05) then break end
    end
    assert.equal("EALREADY", select(3, sock:connect("127.0.0.1", port)))
    fails("ENOTCONN", sock:info "peer")
    for _, one in ipairs(waiting) do one:close() end
  end)

  it("tells as usual how its connection has failed", function()
    local port, keeper = helper.refusing_port()
    local sock = socket()
    assert(sock:bind("127.0.0.7", 0)) -- so that it is not connected to itself
    assert(sock:connect("127.0.0.1", port))
    assert.equal("w", sock:wait("w", helper.patience))
    fails("ECONNREFUSED", sock:status())
    fails("ENOTCONN", sock:info "peer")
    assert(sock:close())
    keeper[1]:close()
  end)

  it("that is not connected works with options, selects, pollers, streams, and is closed", function()
    local sock = socket()
    assert(sock:setopt("nodelay", true))
    assert.is_true(sock:getopt "nodelay")
    assert.is_true(sock:status())
    local poller = assert(lsocket.poller())
    assert(poller:add(sock, "r"))
    assert.is_nil((sock:recv()))
    assert.is_nil((sock:send "x"))
    assert.is_nil((sock:accept()))
    assert.is_table((lsocket.select({ sock }, { sock }, 0)))
    assert(sock:close())
    assert.equal(0, #poller)
    for _, name in ipairs { "bind", "connect" } do fails("EBADF", sock[name](sock, "127.0.0.1", 0)) end
    fails("EBADF", sock:listen())
    fails("EBADF", sock:connect())
    fails("EBADF", sock:connect("no.such.name.is.looked.up", 1))
  end)

  it("can be a stream of the loop", function()
    local server, port = listening()
    loop.run(loop.deadline, helper.patience, function()
      local sock = socket { nodelay = true }
      local client = stream.new(sock)
      assert(sock:connect("127.0.0.1", port))
      assert.equal("w", loop.wait(client, "w"))
      assert(sock:status())
      assert.equal("r", loop.wait(server, "r"))
      local peer = stream.new((server:accept()))
      assert(client:write "hello\n")
      assert.equal("hello", peer:read())
      peer:close()
      assert.is_nil(client:read())
      client:close()
    end)
    server:close()
  end)
end)

describe("a udp socket in steps", function()
  it("is bound, connected, and connected to somebody else", function()
    local one, first = bound "udp"
    local two, second = bound "udp"
    local sock, own = bound "udp"
    for _, peer in ipairs { { one, first }, { two, second } } do
      assert.is_true(sock:connect("127.0.0.1", peer[2]))
      assert.equal(peer[2], sock:info("peer").port)
      assert.is_false(sock:info().listening)
      sock:send "hello"
      assert.same({ n = 3, "hello", "127.0.0.1", own }, pack(helper.readable(peer[1]):recvfrom()))
    end
  end)

  it("may lose its peer, and then takes what comes from anybody", function()
    local free, own = bound "udp"
    free:close()
    local sock = socket "udp"
    assert(sock:bind("127.0.0.1", own)) -- Linux gives up a port that it has chosen itself
    local _, taken = bound "udp"
    local stranger = assert(lsocket.connect("udp", "127.0.0.1", own))
    assert(sock:connect("127.0.0.1", taken))
    stranger:send "not yet"
    assert.is_true(sock:connect())
    fails("ENOTCONN", sock:info "peer")
    assert.is_true(sock:info().listening)
    assert.equal(own, helper.port(sock))
    stranger:status() -- the machine has told it that nobody takes that
    assert.equal(3, stranger:send "now")
    assert.equal("now", helper.readable(sock):recv())
    assert.is_true(sock:connect())
  end)

  it("sends batches to the addresses in them until it has a peer", function()
    local receiver, port = bound "udp"
    local sock, batch = socket "udp", lsocket.batch(2)
    for _, step in ipairs { "made", "connected", "alone" } do
      if step == "connected" then assert(sock:connect("127.0.0.1", port)) end
      if step == "alone" then assert(sock:connect()) end
      batch:clear()
      batch:add(step, "127.0.0.1", step == "connected" and 9 or port)
      assert.equal(1, sock:sendmany(batch))
      assert.equal(step, helper.readable(receiver):recv())
    end
  end)

  it("may be what lsocket.bind and lsocket.connect have made", function()
    local receiver, port = helper.bind("udp", "127.0.0.1", 0)
    local sock = helper.bind("udp", "127.0.0.1", 0)
    assert(sock:connect("127.0.0.1", port))
    assert.is_false(sock:info().listening)
    sock:send "x"
    assert.equal("x", helper.readable(receiver):recv())
    sock = assert(lsocket.connect("udp", "127.0.0.1", 9))
    assert(sock:connect())
    assert.is_true(sock:info().listening)
    sock:sendto("y", "127.0.0.1", port)
    assert.equal("y", helper.readable(receiver):recv())
  end)

  it("cannot listen", function()
    fails("EOPNOTSUPP", socket "udp":listen())
    assert.is_true(socket "udp":info().listening) -- it has no peer
  end)

  it("alone can do without a peer", function()
    fails("EOPNOTSUPP", socket():connect())
    fails("EOPNOTSUPP", socket "seqpacket":connect())
    raises("bad argument #1 to 'connect' (string expected, got nil)", function() socket "udp":connect(nil) end)
    raises("bad argument #1 to 'connect' (string expected, got nil)", function() socket "udp":connect(nil, 80) end)
  end)
end)

describe("the address of a step", function()
  it("is all of the family's addresses where bind is given a port alone", function()
    for _, port in ipairs { 0, "0" } do
      local sock = socket "udp"
      assert(sock:bind(port))
      assert.equal("0.0.0.0", sock:info("socket").addr)
    end
    local named = socket "udp"
    assert(named:bind { port = 0 })
    assert.equal("0.0.0.0", named:info("socket").addr)
    need.ipv6(pending)
    local sock = socket("udp", "inet6")
    assert(sock:bind(0))
    assert.equal("::", sock:info("socket").addr)
  end)

  it("must be of the socket's family", function()
    for _, name in ipairs { "bind", "connect" } do
      fails("EAFNOSUPPORT", socket()[name](socket(), "::1", 9))
      fails("EAFNOSUPPORT", socket()[name](socket(), "/tmp/x"))
      local sock = socket("tcp", "unix")
      fails("EAFNOSUPPORT", sock[name](sock, "127.0.0.1", 9))
      fails("EAFNOSUPPORT", sock[name](sock, "a.name.to.look.up", 9))
    end
    fails("EAFNOSUPPORT", socket("tcp", "unix"):bind(0))
  end)

  it("may be IPv4 for an IPv6 socket, which takes it as ::ffff:a.b.c.d", function()
    need.ipv6(pending)
    local server = socket { family = "inet6", v6only = false }
    assert(server:bind("127.0.0.1", 0))
    assert.equal("::ffff:127.0.0.1", server:info("socket").addr)
    assert(server:listen())
    local port = helper.port(server)
    local client = socket { family = "inet6", v6only = false }
    assert(client:connect("127.0.0.1", port))
    assert.equal("w", client:wait("w", helper.patience))
    assert.equal("::ffff:127.0.0.1", client:info("peer").addr)
    assert.is_nil((socket { type = "udp", family = "inet6", v6only = true }:connect("127.0.0.1", 9)))
  end)

  it("may be a name, which is looked up in the socket's family", function()
    need.sandbox(pending)
    local sock = socket "udp"
    assert(sock:bind("localhost", 0))
    assert.equal("127.0.0.1", sock:info("socket").addr)
    assert(sock:connect("twofaced.example", 9))
    assert.equal("127.0.0.1", sock:info("peer").addr)
    sock = socket("udp", "inet6")
    assert(sock:connect("localhost", 9))
    assert.equal("::1", sock:info("peer").addr)
    assert(sock:connect("feed.example", 9)) -- which has IPv4 alone
    assert.equal("::ffff:127.0.0.1", sock:info("peer").addr)
    assert.equal("EAI_NONAME", select(3, socket():connect("nobody.example", 9)))
    assert.truthy(select(3, socket():connect("global.example", 9)):find "^EAI_")
  end)

  it("is tried with all addresses of a name until one does not fail at once", function()
    need.sandbox(pending)
    local sock = socket "udp"
    assert(sock:bind("halfreachable.example", 0)) -- 192.0.2.1 is not ours, 10.11.0.255 is a broadcast address of ours
    assert.equal("10.11.0.255", sock:info("socket").addr)
  end)

  it("needs a port, but for unix domain addresses", function()
    for _, name in ipairs { "bind", "connect" } do
      local sock = socket()
      assert.same({ n = 3, nil, "an internet address needs a port", "EINVAL" }, pack(sock[name](sock, "127.0.0.1")))
    end
    raises("bad argument #1 to 'bind' (", function() socket():bind() end)
    raises("bad argument #2 to 'bind' (port must be ", function() socket():bind("127.0.0.1", 65536) end)
    raises("bad argument #2 to 'connect' (port must be ", function() socket():connect("127.0.0.1", -1) end)
    raises("bad argument #1 to 'connect' (string expected, got number)", function() socket():connect(80) end)
    raises("bad argument #1 to 'connect' (address contains a NUL byte)", function() socket():connect("::1\0", 9) end)
  end)

  it("keeps its zone, and says where there is no such one", function()
    fails("ENODEV", socket("udp", "inet6"):connect("fe80::1%nosuchinterface", 9))
    fails("EINVAL", socket "udp":connect("239.1.2.3%1", 9))
    need.zones(pending)
    need.sandbox(pending)
    local sock = socket("udp", "inet6")
    assert(sock:bind("fe80::11%veth0", 0))
    assert.equal("fe80::11%veth0", sock:info("socket").addr)
  end)
end)

describe("a step of what is no socket", function()
  it("fails", function()
    local file = io.tmpfile()
    local sock = assert(lsocket.fromfd(file))
    file:close()
    fails("ENOTSOCK", sock:bind("127.0.0.1", 0))
    fails("ENOTSOCK", sock:connect("127.0.0.1", 9))
    fails("ENOTSOCK", sock:connect())
    fails("ENOTSOCK", sock:listen())
  end)

  it("raises where it is no object of ours", function()
    for _, name in ipairs { "bind", "listen", "connect", "wait" } do
      raises("socket expected", socket()[name], {}, "127.0.0.1", 0)
    end
  end)
end)

describe("a unix socket in steps", function()
  it("of each type is bound to a path and connected to", function()
    for _, type in ipairs { "tcp", "udp", "seqpacket" } do
      local path = helper.path()
      local server, client = socket(type, "unix"), socket(type, "unix")
      assert.is_true(server:bind(path))
      if type ~= "udp" then
        fails("ECONNREFUSED", client:connect(path)) -- it does not listen yet
        assert.is_true(server:listen())
      end
      assert.is_true(client:connect(path))
      local peer = type == "udp" and server or assert(helper.readable(server):accept())
      client:send "hello"
      assert.equal("hello", helper.readable(peer):recv())
      assert.equal(path, client:info("peer").addr)
    end
  end)

  it("cannot listen before it is bound", function()
    local _, _, name = socket("tcp", "unix"):listen()
    assert.is_true(name == "EINVAL" or name == "EDESTADDRREQ")
  end)

  it("takes mode and unlink as bind does", function()
    local path = helper.path()
    assert(lsocket.bind(path)):close() -- which leaves a dead socket's file
    local sock = socket("tcp", "unix")
    fails("EADDRINUSE", sock:bind(path))
    assert.is_true(sock:bind { address = path, unlink = true, mode = "600" })
    assert.equal("rw-------", lfs.attributes(path, "permissions"))
    assert(sock:listen())
    helper.connect_to(sock, path)
    fails("EADDRINUSE", socket("tcp", "unix"):bind { address = path, unlink = true }) -- it lives
    assert.same({ n = 3, nil, "only a path can have a mode", "EINVAL" },
      pack(socket():bind { address = "127.0.0.1", port = 0, mode = "600" }))
  end)

  it("that is bound already removes no file", function()
    local path, dead = helper.path(), helper.path()
    assert(lsocket.bind(dead)):close()
    local sock = socket("udp", "unix")
    assert(sock:bind(path))
    local done, _, name = sock:bind { address = dead, unlink = true }
    assert.is_true(not done and (name == "EINVAL" or name == "EADDRINUSE"))
    assert.equal("socket", lfs.attributes(dead, "mode"))
  end)

  it("may lose its peer where it has datagrams", function()
    local path = helper.path()
    local sock, server = socket("udp", "unix"), socket("udp", "unix")
    assert(server:bind(path))
    assert(sock:connect(path))
    sock:send "x"
    assert.equal("x", helper.readable(server):recv())
    assert.is_true(sock:connect())
    assert.is_nil((sock:send "y"))
    assert.equal(1, sock:sendto("z", path))
  end)

  it("refuses what bind by name has and a step has not", function()
    for _, name in ipairs { "type", "family", "backlog", "inherit", "localaddress", "localport" } do
      raises(name .. ": no such argument of bind", function() socket():bind { port = 0, [name] = 1 } end)
    end
    for _, name in ipairs { "reuseaddr", "nosuch", "ttl" } do
      raises(name .. ": no such argument", function() socket():bind { port = 0, [name] = 1 } end)
    end
    raises("mode: ", function() socket():bind { address = "/tmp/x", mode = 600 } end)
  end)
end)

describe("the abstract name @ alone", function()
  it("is one of the system's choice, for bind, connect and a socket in steps", function()
    need.abstract(pending)
    local first, second = assert(lsocket.bind("udp", "@")), assert(lsocket.bind("udp", "@"))
    local name = first:info("socket").addr
    assert.truthy(name:find "^@%x+$")
    assert.not_equal(name, second:info("socket").addr)
    local client = assert(lsocket.connect { type = "udp", address = name, localaddress = "@" })
    client:send "ping"
    local data, address = helper.readable(first):recvfrom()
    assert.same({ "ping", client:info("socket").addr }, { data, address })
    first:sendto("pong", address)
    assert.equal("pong", helper.readable(client):recv())
    local stepped = socket("seqpacket", "unix")
    assert(stepped:bind "@")
    assert(stepped:listen())
    helper.connect_to(stepped, "seqpacket", stepped:info("socket").addr)
    helper.connect_to(assert(lsocket.bind { address = "@nobody else's", unlink = true }), "@nobody else's")
  end)

  it("is nobody's to connect to", function()
    need.abstract(pending)
    fails("ECONNREFUSED", lsocket.connect "@")
  end)
end)
