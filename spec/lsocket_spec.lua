-- bind and connect: every form of their arguments, which address they take, what is left when they fail.
-- What the sockets can do then is in the specs of sockets; multicast, unix names and wrong values have their own.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"

local fails, raises, need = helper.fails, helper.raises, helper.need

local function local_end(sock)
  local name = sock:info "socket"
  return name.addr, name.port, name.family
end

describe("the module", function()
  it("has the constants of the specification", function()
    assert.equal("0.0.0.0", lsocket.INADDR_ANY)
    assert.equal("::", lsocket.IN6ADDR_ANY)
    assert.is_string(lsocket._VERSION)
    assert.truthy(lsocket._VERSION:match "^%d+%.%d+%.%d+$")
  end)

  it("sets no global variable", function()
    assert.is_nil(rawget(_G, "lsocket"))
  end)

  it("understands sockets that another load of it made", function()
    local first = lsocket.bind("udp", "127.0.0.1", 0)
    local loaded = package.loaded.lsocket
    package.loaded.lsocket = nil
    local again = require "lsocket"
    package.loaded.lsocket = loaded
    local second = again.bind("udp", "127.0.0.1", 0)
    second:sendto("x", "127.0.0.1", helper.port(first))
    assert.same({ first }, again.select({ second, first }, helper.patience))
    assert.equal("x", first:recv())
    assert.same({ {}, { second } }, { lsocket.select({ first }, { second }, helper.patience) })
  end)
end)

describe("bind", function()
  it("takes a port alone, for tcp on every IPv4 address", function()
    local sock = assert(lsocket.bind(0))
    local address, port, family = local_end(sock)
    assert.equal("0.0.0.0", address)
    assert.equal("inet", family)
    assert.is_true(port > 0)
    assert.equal("tcp", sock:info().type)
    for _, target in ipairs { "127.0.0.1", "127.0.0.2" } do
      local client, server = helper.connect_to(sock, target, port)
      assert.equal(target, server:info("socket").addr)
      client:close()
      server:close()
    end
  end)

  it("takes a string of digits that a number follows as the address", function()
    for _, type in ipairs { "tcp", "udp" } do
      local spare, port = helper.bind(type, "127.0.0.1", 0)
      spare:close()
      for _, given in ipairs { port, tostring(port) } do
        for text, address in pairs { ["0"] = "0.0.0.0", ["000"] = "0.0.0.0", ["2130706433"] = "127.0.0.1" } do
          local sock = assert(lsocket.bind(type, text, given, 3))
          assert.same({ family = "inet", addr = address, port = port }, sock:info "socket")
          sock:close()
        end
      end
      if type == "tcp" then assert.equal(port, helper.port(assert(lsocket.bind("0", port)))) end
    end
    fails("EADDRNOTAVAIL", lsocket.bind("80", 128)) -- 0.0.0.80
    raises("bad argument #1 ", lsocket.bind, "2130706433")
    raises("bad argument #1 ", lsocket.bind, "2130706433", nil, 5)
  end)

  it("takes a string of digits as the port", function()
    local spare, port = helper.bind("127.0.0.1", 0)
    spare:close()
    assert.equal(port, helper.port(assert(lsocket.bind(tostring(port)))))
    assert.is_true(helper.port(assert(lsocket.bind("udp", "0"))) > 0)
    assert.is_true(helper.port(assert(lsocket.bind("127.0.0.1", "0"))) > 0)
    assert.is_true(helper.port(assert(lsocket.bind("127.0.0.1", "000"))) > 0)
  end)

  it("takes an address and a port", function()
    local sock = assert(lsocket.bind("127.0.0.1", 0))
    assert.equal("127.0.0.1", (local_end(sock)))
    assert.equal("tcp", sock:info().type)
  end)

  it("takes a type and a port", function()
    local sock = assert(lsocket.bind("udp", 0))
    assert.equal("0.0.0.0", (local_end(sock)))
    assert.equal("udp", sock:info().type)
  end)

  it("takes a type, an address and a port", function()
    for kind, shown in pairs { tcp = "tcp", udp = "udp", mcast = "udp" } do
      local sock = assert(lsocket.bind(kind, "127.0.0.1", 0))
      assert.equal(shown, sock:info().type)
      assert.equal("127.0.0.1", (local_end(sock)))
    end
  end)

  it("knows types in any case", function()
    for name, shown in pairs { TCP = "tcp", Udp = "udp", uDP = "udp", MCast = "udp" } do
      assert.equal(shown, assert(lsocket.bind(name, "127.0.0.1", 0)):info().type)
    end
  end)

  it("makes an IPv6 socket for an IPv6 address", function()
    need.ipv6(pending)
    for _, address in ipairs { "::1", "[::1]", "0:0:0:0:0:0:0:1" } do
      local found, _, family = local_end(assert(lsocket.bind(address, 0)))
      assert.equal("::1", found)
      assert.equal("inet6", family)
    end
    local sock, port = helper.bind(lsocket.IN6ADDR_ANY, 0)
    assert.equal("::", (local_end(sock)))
    helper.connect_to(sock, "::1", port)
  end)

  it("takes the older spellings of IPv4 addresses as numbers", function()
    for _, address in ipairs { "127.1", "127.0.1", "0x7f.1", "0X7F.0.0.1", "2130706433", "0177.1", "[127.0.0.1]" } do
      assert.equal("127.0.0.1", (local_end(assert(lsocket.bind("udp", address, 0)))))
    end
  end)

  it("takes a backlog, which is 5 where none is given", function()
    local function waiting(...)
      local listener, port = helper.bind("127.0.0.1", 0, ...)
      local count = helper.count_waiting(port)
      listener:close()
      return count
    end
    local short, default = waiting(1), waiting()
    assert.equal(4, default - short)
    assert.equal(short + 2, waiting "3")
    assert.is_true(waiting(4096) > 20)
  end)

  it("raises where the port is missing", function()
    local expected = "(number expected, got no value)"
    raises("bad argument #1 to 'bind' " .. expected, function() lsocket.bind() end)
    raises("bad argument #2 to 'bind' " .. expected, function() lsocket.bind("udp") end)
    raises("bad argument #1 to 'bind' " .. expected, function() lsocket.bind(nil, 80) end)
    raises("bad argument #2 to 'bind' " .. expected, function() lsocket.bind("tcp", nil, 80) end)
  end)

  it("fails where an internet address or a name comes without a port", function()
    for _, address in ipairs { "127.0.0.1", "::1", "localhost" } do
      local sock, message, name = lsocket.bind(address)
      assert.is_nil(sock)
      assert.is_string(message)
      assert.equal("EINVAL", name)
      assert.is_nil((lsocket.bind("udp", address)))
    end
  end)

  it("raises for ports that are none", function()
    for _, port in ipairs { 70000, 65536, -5, -1, 45001.5, 0 / 0, 1 / 0, -1 / 0, 2 ^ 32, 2 ^ 53 } do
      raises("bad argument #1 to 'bind'", function() lsocket.bind(port) end)
      raises("bad argument #3 to 'bind'", function() lsocket.bind("udp", "127.0.0.1", port) end)
    end
    for _, port in ipairs { "70000", "-5", "80.5", "0x50", "http", "", " 80", "80 ", "1e2", "80\0" } do
      raises("bad argument #2 to 'bind'", function() lsocket.bind("127.0.0.1", port) end)
    end
  end)

  it("fails with the cause where another socket has the address", function()
    local _, port = helper.bind("127.0.0.1", 0)
    fails("EADDRINUSE", lsocket.bind("127.0.0.1", port))
  end)

  it("fails for an address of another machine", function()
    fails("EADDRNOTAVAIL", lsocket.bind("192.0.2.1", 0))
    fails("EADDRNOTAVAIL", lsocket.bind("udp", "192.0.2.1", 0))
  end)

  it("fails for a name that nobody has", function()
    need.sandbox(pending)
    fails("EAI_NONAME", lsocket.bind("nobody.example", 0))
  end)

  it("binds a tcp port again right after a connection on it was closed", function()
    local listener, port = helper.bind("127.0.0.1", 0)
    local client, server = helper.connect_to(listener, "127.0.0.1", port)
    listener:close()
    server:close() -- the side that closes first keeps the port for a while
    assert.is_nil(helper.readable(client):recv())
    client:close()
    assert(lsocket.bind("127.0.0.1", port))
  end)

  it("does not share a udp port that is in use", function()
    local sock, port = helper.bind("udp", "127.0.0.1", 0)
    fails("EADDRINUSE", lsocket.bind("udp", "127.0.0.1", port))
    fails("EADDRINUSE", lsocket.bind("udp", port))
    sock:close()
    assert(lsocket.bind("udp", "127.0.0.1", port))
  end)

  it("never chooses a udp port that is in use", function()
    local seen, socks = {}, {}
    for i = 1, 300 do
      local sock, port = helper.bind("udp", "127.0.0.1", 0)
      socks[i] = sock
      assert.is_nil(seen[port])
      seen[port] = true
    end
    for _, sock in ipairs(socks) do sock:close() end
  end)

  it("shares a udp port where both ask for it with reuseaddr", function()
    local function share(port, wanted)
      return lsocket.bind { type = "udp", address = "127.0.0.1", port = port, reuseaddr = wanted }
    end
    local first = assert(share(0, true))
    assert(share(helper.port(first), true))
    fails("EADDRINUSE", share(helper.port(first), false))
    fails("EADDRINUSE", share(helper.port(first), nil))
  end)
end)

describe("bind with named arguments", function()
  it("takes type, address, port and backlog", function()
    local sock = assert(lsocket.bind { type = "UDP", address = "127.0.0.2", port = "0" })
    assert.equal("127.0.0.2", (local_end(sock)))
    assert.equal("udp", sock:info().type)
    sock = assert(lsocket.bind { address = "127.0.0.1", port = 0, backlog = 1 })
    assert.equal("tcp", sock:info().type)
    assert.is_true(sock:info().listening)
  end)

  it("binds every IPv4 address where none is named", function()
    assert.equal("0.0.0.0", (local_end(assert(lsocket.bind { port = 0 }))))
  end)

  it("fails without a port for an internet address", function()
    assert.equal("EINVAL", select(3, lsocket.bind {}))
    assert.equal("EINVAL", select(3, lsocket.bind { address = "127.0.0.1" }))
  end)

  it("takes a multicast socket's ttl", function()
    assert(lsocket.connect { type = "mcast", address = "127.0.0.1", port = 9, ttl = 4 })
  end)

  it("raises for a name that it does not know", function()
    raises("prot: no such argument", function() lsocket.bind { port = 0, prot = 1 } end)
    raises("Port: no such argument", function() lsocket.bind { Port = 0 } end)
    raises("no such argument", function() lsocket.bind { "udp", 0 } end)
    raises("no such argument", function() lsocket.connect { address = "127.0.0.1", port = 9, [true] = 1 } end)
  end)

  it("raises for wrong values, and says under which name they stand", function()
    raises("type: tcp, udp, mcast or seqpacket expected", function() lsocket.bind { type = "sctp", port = 0 } end)
    raises("port: ", function() lsocket.bind { port = 65536 } end)
    raises("port: ", function() lsocket.bind { port = {} } end)
    raises("address: ", function() lsocket.bind { address = 127, port = 0 } end)
    raises("backlog: ", function() lsocket.bind { backlog = -1, port = 0 } end)
    raises("ttl: ", function() lsocket.connect { address = "127.0.0.1", port = 9, ttl = 256 } end)
  end)

  it("must all be in the table", function()
    local problem = " (number expected, got table: pass all arguments in one table)"
    raises("#3 to 'bind'" .. problem, function() lsocket.bind("127.0.0.1", 0, { reuseport = true }) end)
    raises("#4 to 'connect'" .. problem, function() lsocket.connect("udp", "127.0.0.1", 9, { broadcast = true }) end)
  end)
end)

describe("connect", function()
  local listener, port

  before_each(function() listener, port = helper.bind("127.0.0.1", 0) end)
  after_each(function() listener:close() end)

  it("takes an address and a port, for tcp", function()
    local client, server = helper.connect_to(listener, "127.0.0.1", port)
    assert.equal("tcp", client:info().type)
    assert.equal(helper.port(client), server:info("peer").port)
  end)

  it("takes the port as a string", function()
    helper.connect_to(listener, "127.0.0.1", tostring(port))
  end)

  it("takes a type before the address, and a ttl after the port", function()
    helper.connect_to(listener, "tcp", "127.0.0.1", port)
    helper.connect_to(listener, "TCP", "127.0.0.1", port, 7)
    for name in pairs { udp = 1, Udp = 1, mcast = 1, MCAST = 1 } do
      local sock = assert(lsocket.connect(name, "127.0.0.1", 9, 3))
      assert.equal("udp", sock:info().type)
      assert.same({ family = "inet", addr = "127.0.0.1", port = 9 }, sock:info "peer")
    end
  end)

  it("takes named arguments", function()
    helper.connect_to(listener, { address = "127.0.0.1", port = port })
    local sock = assert(lsocket.connect { type = "udp", address = "127.0.0.1", port = "9" })
    assert.equal("udp", sock:info().type)
    raises("address expected", function() lsocket.connect { port = port } end)
    raises("address expected", function() lsocket.connect {} end)
  end)

  it("reaches an IPv6 address, with or without brackets", function()
    need.ipv6(pending)
    local listener6, port6 = helper.bind("::1", 0)
    for _, address in ipairs { "::1", "[::1]" } do
      local client = helper.connect_to(listener6, address, port6)
      assert.equal("inet6", client:info().family)
    end
  end)

  it("takes the older spellings of IPv4 addresses as numbers", function()
    for _, address in ipairs { "127.1", "0x7f.1", "2130706433" } do helper.connect_to(listener, address, port) end
  end)

  it("raises where the address is missing, and fails where the port is", function()
    raises("bad argument #1 to 'connect'", function() lsocket.connect() end)
    raises("bad argument #2 to 'connect'", function() lsocket.connect("udp") end)
    raises("bad argument #1 to 'connect'", function() lsocket.connect(80) end)
    assert.equal("EINVAL", select(3, lsocket.connect "127.0.0.1"))
    assert.equal("EINVAL", select(3, lsocket.connect("udp", "127.0.0.1")))
  end)

  it("raises for a ttl that is none", function()
    for _, ttl in ipairs { -1, 256, 1.5, "x", 0 / 0 } do
      raises("bad argument #4 to 'connect'", function() lsocket.connect("mcast", "127.0.0.1", 9, ttl) end)
    end
  end)

  it("does not wait for the connection", function()
    need.sandbox(pending)
    local sock
    local function seconds()
      local before = helper.now()
      sock = assert(lsocket.connect("10.11.0.77", 9)) -- nobody is there to answer
      return helper.now() - before
    end
    assert.is_true(helper.below(1, seconds) < 1)
    assert.is_false(lsocket.select({ sock }, { sock }, 0.05))
    assert.is_true(sock:status())
  end)

  it("fails at once where there is no way to the address", function()
    need.sandbox(pending)
    fails("ENETUNREACH", lsocket.connect("192.0.2.1", 9))
    fails("ENETUNREACH", lsocket.connect("udp", "192.0.2.1", 9))
  end)

  it("fails for a broadcast address, but for mcast", function()
    fails("EACCES", lsocket.connect("udp", "127.255.255.255", 9))
    assert(lsocket.connect("mcast", "127.255.255.255", 9))
  end)
end)

describe("a name", function()
  it("of hex digits only is looked up", function()
    need.sandbox(pending)
    for _, name in ipairs { "db", "cafe", "fe", "feed.example" } do
      local listener = assert(lsocket.bind(name, 0))
      assert.equal("127.0.0.1", (local_end(listener)))
      helper.connect_to(listener, name, helper.port(listener))
    end
    assert.equal("127.0.0.2", (local_end(assert(lsocket.bind("0xcafe.example", 0)))))
  end)

  it("of digits and dots alone is never looked up", function()
    for _, name in ipairs { "1.2.3.4.5", "999.1.1.1", "1..2", ".", "127.0.0.1.", "4294967296" } do
      fails("EAI_NONAME", lsocket.bind("udp", name, 0))
      fails("EAI_NONAME", lsocket.connect("udp", name, 9))
    end
  end)

  it("that is empty, or no name, fails", function()
    fails("EAI_NONAME", lsocket.bind("udp", "", 0))
    fails("EAI_NONAME", lsocket.connect("", 9))
    fails("EAI_NONAME", lsocket.connect("::1::2", 9))
    fails("ENAMETOOLONG", lsocket.connect(("x"):rep(2000), 9))
  end)

  it("has no brackets around it, and is not looked up with them", function()
    fails("EAI_NONAME", lsocket.connect("[bracketed.example]", 9))
    fails("EAI_NONAME", lsocket.bind("[bracketed.example]", 0))
    fails("EAI_NONAME", lsocket.connect("[localhost]", 9))
  end)

  it("stands for the IPv6 address where it has no other", function()
    need.sandbox(pending)
    assert.equal("::1", (local_end(assert(lsocket.bind("six.example", 0)))))
  end)

  it("with several addresses binds the first that can be bound", function()
    need.sandbox(pending)
    -- fd11::77 comes first, and is no address of this machine
    local sock = assert(lsocket.bind("halflocal.example", 0))
    assert.equal("127.0.0.1", (local_end(sock)))
    assert.equal("inet", sock:info().family)
    local taken = helper.port(sock)
    fails("EADDRINUSE", lsocket.bind("halflocal.example", taken)) -- the last failure is told
  end)

  it("with several addresses connects to the first that does not fail at once", function()
    need.sandbox(pending)
    -- There is no way to 192.0.2.1; the other is a broadcast address.
    local sock = assert(lsocket.connect("mcast", "halfreachable.example", 9))
    assert.equal("10.11.0.255", sock:info("peer").addr)
    fails("EACCES", lsocket.connect("udp", "halfreachable.example", 9))
    fails("ENETUNREACH", lsocket.connect("unreachable.example", 9))
  end)

  it("with several addresses leaves nothing open of those that failed", function()
    need.sandbox(pending)
    local before = process.count()
    local socks = { assert(lsocket.bind("halflocal.example", 0)),
      assert(lsocket.connect("mcast", "halfreachable.example", 9)) }
    assert.equal(before + 2, process.count())
    assert.equal(2, #socks)
  end)
end)

describe("an address with a zone", function()
  it("can be bound and connected to, by the interface's name or number", function()
    need.zones(pending)
    need.sandbox(pending)
    local listener, port = helper.bind("fe80::11%veth0", 0)
    assert.equal("fe80::11%veth0", (local_end(listener)))
    local client, server = helper.connect_to(listener, "fe80::11%veth0", port)
    assert.equal("fe80::11%veth0", client:info("peer").addr)
    assert.equal("fe80::11%veth0", server:info("peer").addr)
    helper.connect_to(listener, "fe80::11%" .. process.interface "veth0", port)
    helper.connect_to(listener, "[fe80::11%veth0]", port)
  end)

  it("that does not exist fails", function()
    fails("ENODEV", lsocket.bind("fe80::11%nowhere", 0))
    fails("ENODEV", lsocket.connect("udp", "fe80::11%nowhere", 9))
    fails("ENODEV", lsocket.connect("udp", "fe80::11%", 9))
    fails("ENODEV", lsocket.connect("udp", "fe80::11%0", 9))
    fails("ENODEV", lsocket.connect("udp", "fe80::11%lo:1", 9))
    fails("ENODEV", lsocket.connect("udp", "fe80::11%99999999999", 9))
  end)

  it("is none where the address has no use for it", function()
    fails("EAI_NONAME", lsocket.bind("127.0.0.1%lo", 0))
    fails("EAI_NONAME", lsocket.connect("localhost%lo", 9))
  end)
end)

describe("a failure of bind or connect", function()
  it("leaves no descriptor behind", function()
    need.proc(pending)
    local taken, port = helper.bind("127.0.0.1", 0)
    local path = helper.path()
    local failing = {
      function() return lsocket.bind("127.0.0.1", port) end,
      function() return lsocket.bind("192.0.2.1", 0) end,
      function() return lsocket.bind("udp", "192.0.2.1", 0) end,
      function() return lsocket.bind("mcast", "192.0.2.1", 0) end,
      function() return lsocket.bind("1.2.3.4.5", 0) end,
      function() return lsocket.bind "/nowhere/at/all" end,
      function() return lsocket.bind("/" .. ("x"):rep(200)) end,
      function() return lsocket.bind("mcast", path) end,
      function() return lsocket.connect("udp", "127.255.255.255", 9) end,
      function() return lsocket.connect("mcast", "127.255.255.255%lo", 9) end,
      function() return lsocket.connect(path) end,
      function() return lsocket.connect("udp", path) end,
      function() return lsocket.connect("::ffff:255.255.255.255", 9) end,
    }
    local before = process.count()
    collectgarbage "stop"
    for i, fail in ipairs(failing) do assert.is_nil(fail(), "failure " .. i) end
    local after = process.descriptors()
    collectgarbage "restart"
    local count = 0
    for _ in pairs(after) do count = count + 1 end
    assert.equal(before, count)
    taken:close()
  end)

  it("tells that there are no descriptors left, and works once there are", function()
    helper.settle()
    local output, status = helper.run(helper.limited(20) .. helper.command "exhaust")
    assert.equal("bind: EMFILE Too many open files\n" .. "connect: EMFILE Too many open files\n" ..
      "accept: EMFILE Too many open files\n" .. "accepted after close\n", output)
    assert.equal(0, status)
  end)
end)
