-- Datagrams over udp: their borders, senders and lengths, sending by address and by name, and failures.
-- Unix datagrams are in unix_spec, groups and broadcasts in mcast_spec.
local lsocket = require "lsocket"
local helper = require "spec.helper"

local fails, raises, need, pack = helper.fails, helper.raises, helper.need, helper.pack

for _, address in ipairs { "127.0.0.1", "::1" } do
  describe("datagrams over " .. address, function()
    local receiver, port, sender

    before_each(function()
      receiver = lsocket.bind("udp", address, 0)
      if not receiver then return end -- no IPv6 here
      port = helper.port(receiver)
      sender = assert(lsocket.connect("udp", address, port))
    end)

    after_each(function()
      if receiver then receiver:close() end
      if sender then sender:close() end
    end)

    local function test(name, run)
      it(name, function()
        if address == "::1" then need.ipv6(pending) end
        run()
      end)
    end

    test("come with their sender, to whom they can be answered", function()
      assert.equal(5, sender:send "hello")
      local results = pack(helper.readable(receiver):recvfrom())
      assert.same({ n = 3, "hello", address, helper.port(sender) }, results)
      assert.equal(3, receiver:sendto("you", results[2], results[3]))
      assert.same({ n = 3, "you", address, port }, pack(helper.readable(sender):recvfrom()))
    end)

    test("keep their borders and, here, their order", function()
      for i = 1, 5 do sender:send("datagram " .. i) end
      for i = 1, 5 do assert.equal("datagram " .. i, helper.readable(receiver):recv()) end
    end)

    test("are not there where none has come", function()
      assert.same({ n = 1, false }, pack(receiver:recv()))
      assert.same({ n = 1, false }, pack(receiver:recv(0)))
      assert.same({ n = 1, false }, pack(receiver:recv(1e6)))
      assert.same({ n = 1, false }, pack(receiver:recvfrom()))
      assert.same({ n = 1, false }, pack(receiver:recvfrom(1e6)))
    end)

    test("may be empty, which is no end", function()
      assert.same({ n = 1, 0 }, pack(sender:send ""))
      assert.same({ n = 1, "" }, pack(helper.readable(receiver):recv()))
      assert.same({ n = 1, 0 }, pack(sender:sendto("", address, port)))
      assert.same({ n = 3, "", address, helper.port(sender) }, pack(helper.readable(receiver):recvfrom()))
      for _, size in ipairs { 0, 10, 1e6 } do
        sender:send ""
        assert.same({ n = 1, "" }, pack(helper.readable(receiver):recv(size)))
      end
      assert.is_false(receiver:recv())
    end)

    test("that are cut tell their true length, and the rest is gone", function()
      sender:send "0123456789"
      assert.same({ n = 2, "012", 10 }, pack(helper.readable(receiver):recv(3)))
      sender:send "0123456789"
      assert.same({ n = 4, "012", address, helper.port(sender), 10 }, pack(helper.readable(receiver):recvfrom(3)))
      sender:send "0123456789"
      assert.same({ n = 2, "", 10 }, pack(helper.readable(receiver):recv(0)))
      assert.is_false(receiver:recv())
    end)

    test("can be peeked at, with their true length, and stay", function()
      for _, size in ipairs { false, 0, 3, 1e6 } do
        assert.same({ n = 1, false }, pack(receiver:peek(size or nil)))
      end
      sender:send "0123456789"
      sender:send ""
      helper.readable(receiver)
      for _ = 1, 2 do
        assert.same({ n = 1, "0123456789" }, pack(receiver:peek()))
        assert.same({ n = 1, "0123456789" }, pack(receiver:peek(1e6)))
        assert.same({ n = 2, "012", 10 }, pack(receiver:peek(3)))
        assert.same({ n = 2, "", 10 }, pack(receiver:peek(0)))
      end
      assert.equal("0123456789", receiver:recv())
      assert.same({ n = 1, "" }, pack(helper.readable(receiver):peek()))
      assert.same({ n = 1, "" }, pack(receiver:recv()))
      assert.is_false(receiver:peek())
    end)

    test("that fit exactly tell no further length", function()
      sender:send "0123456789"
      assert.same({ n = 1, "0123456789" }, pack(helper.readable(receiver):recv(10)))
      sender:send "0123456789"
      assert.equal(3, pack(helper.readable(receiver):recvfrom(10)).n)
      sender:send "0123456789"
      assert.same({ n = 1, "0123456789" }, pack(helper.readable(receiver):recv(2 ^ 31 - 1)))
    end)

    test("come whole up to the largest that there is", function()
      local largest = ("x"):rep(address == "::1" and 65527 or 65507)
      assert.equal(#largest, sender:send(largest))
      local data, length = helper.readable(receiver):recv()
      assert.is_true(data == largest)
      assert.is_nil(length)
      sender:send(largest)
      data = helper.readable(receiver):recvfrom(1e9)
      assert.is_true(data == largest)
    end)

    test("that are too long fail, and the socket works on", function()
      local before = ("x"):rep(70000)
      fails("EMSGSIZE", sender:send(before))
      fails("EMSGSIZE", sender:sendto(before, address, port))
      assert.equal(1, sender:send "x")
      assert.equal("x", helper.readable(receiver):recv())
    end)

    test("carry a number as its text, and any byte", function()
      sender:send(4711)
      assert.equal("4711", helper.readable(receiver):recv())
      sender:send "\0\1\255\0"
      assert.equal("\0\1\255\0", helper.readable(receiver):recv())
    end)

    test("need a destination", function()
      fails("EDESTADDRREQ", receiver:send "x")
    end)

    test("go to a port given as a string, too", function()
      assert.equal(1, receiver:sendto("x", address, tostring(port)))
      assert.equal("x", helper.readable(receiver):recv())
    end)

    test("come to a connected socket from its peer alone", function()
      local stranger = assert(lsocket.bind("udp", address, 0))
      assert.equal(8, stranger:sendto("stranger", address, helper.port(sender)))
      receiver:sendto("friend", address, helper.port(sender))
      assert.equal("friend", helper.readable(sender):recv())
      assert.is_false(sender:recv())
    end)
  end)
end

describe("sendto", function()
  it("raises for a destination that is none", function()
    local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
    raises("bad argument #1 to 'sendto'", function() sock:sendto() end)
    raises("bad argument #2 to 'sendto'", function() sock:sendto "x" end)
    raises("bad argument #3 to 'sendto'", function() sock:sendto("x", "127.0.0.1") end)
    raises("bad argument #2 to 'sendto'", function() sock:sendto("x", "127.0.0.1\0", 9) end)
    for _, port in ipairs { 65536, 70000, -1, 9.5, 0 / 0, 1 / 0, "http", "", "-1" } do
      raises("bad argument #3 to 'sendto'", function() sock:sendto("x", "127.0.0.1", port) end)
    end
  end)

  it("fails for addresses of another family", function()
    need.ipv6(pending)
    local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
    fails("EAFNOSUPPORT", sock:sendto("x", "::1", 9))
    fails("EAFNOSUPPORT", sock:sendto("x", "/nowhere", 9))
    fails("EAFNOSUPPORT", lsocket.bind("udp", "::1", 0):sendto("x", "/nowhere", 9))
  end)

  it("reaches IPv4 from a socket of both families", function()
    need.ipv6(pending)
    local receiver, port = helper.bind("udp", "127.0.0.1", 0)
    local sock = assert(lsocket.bind("udp", "::", 0))
    assert.equal(1, sock:sendto("x", "127.0.0.1", port))
    local data, address, from = helper.readable(receiver):recvfrom()
    assert.same({ "x", "127.0.0.1", helper.port(sock) }, { data, address, from })
    receiver:sendto("y", "127.0.0.1", from)
    assert.same({ n = 3, "y", "::ffff:127.0.0.1", port }, pack(helper.readable(sock):recvfrom()))
    assert.equal(1, sock:sendto("z", "::ffff:127.0.0.1", port))
    assert.equal("z", helper.readable(receiver):recv())
  end)

  it("takes a name's address of the socket's family", function()
    need.sandbox(pending)
    for _, address in ipairs { "127.0.0.1", "::1" } do
      local receiver, port = helper.bind("udp", address, 0)
      assert.equal(1, receiver:sendto("x", "localhost", port))
      assert.same({ n = 3, "x", address, port }, pack(helper.readable(receiver):recvfrom()))
    end
    local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
    local count, message, name = sock:sendto("x", "global.example", 9) -- an IPv6 address alone
    assert.is_nil(count)
    assert.is_string(message)
    assert.truthy(name:match "^EAI_")
  end)

  it("reaches a name that has IPv4 alone from a socket of both families", function()
    need.sandbox(pending)
    local receiver, port = helper.bind("udp", "127.0.0.1", 0)
    local sock = assert(lsocket.bind("udp", "::", 0))
    assert.equal(1, sock:sendto("x", "db", port))
    assert.equal("x", helper.readable(receiver):recv())
    fails("EAI_NONAME", sock:sendto("x", "nobody.example", port))
  end)

  it("looks up names of hex digits, and never those of digits and dots", function()
    need.sandbox(pending)
    local sock, port = helper.bind("udp", "127.0.0.1", 0)
    for _, name in ipairs { "db", "cafe", "fe", "feed.example" } do
      assert.equal(#name, sock:sendto(name, name, port))
      assert.equal(name, helper.readable(sock):recv())
    end
    fails("EAI_NONAME", sock:sendto("x", "1.2.3.4.5", port))
    fails("EAI_NONAME", sock:sendto("x", "", port))
    fails("EAI_NONAME", sock:sendto("x", "nobody.example", port))
  end)

  it("takes the older spellings of IPv4 addresses as numbers", function()
    local sock, port = helper.bind("udp", "127.0.0.1", 0)
    for _, address in ipairs { "127.1", "0x7f.1", "2130706433" } do
      assert.equal(1, sock:sendto("x", address, port))
      assert.equal("x", helper.readable(sock):recv())
    end
  end)

  it("tries a name's next address where the first fails, and tells the last failure", function()
    need.sandbox(pending)
    local sock = assert(lsocket.bind("mcast", "10.11.0.1", 0))
    local receiver, port = helper.bind("mcast", "10.11.0.255", 0)
    assert.equal(1, sock:sendto("x", "halfreachable.example", port))
    assert.equal("x", helper.readable(receiver):recv())
    fails("EACCES", lsocket.bind("udp", "10.11.0.1", 0):sendto("x", "halfreachable.example", 9))
  end)

  it("fails for a broadcast address, but on mcast sockets", function()
    fails("EACCES", lsocket.bind("udp", "127.0.0.1", 0):sendto("x", "127.255.255.255", 9))
    assert.equal(1, lsocket.bind("mcast", "127.0.0.1", 0):sendto("x", "127.255.255.255", 9))
  end)

  it("keeps zones, and takes those that recvfrom gives", function()
    need.zones(pending)
    need.sandbox(pending)
    local receiver, port = helper.bind("udp", "::", 0)
    local sender = assert(lsocket.bind("udp", "fe80::11%veth0", 0))
    assert.equal(1, sender:sendto("x", "fe80::11%veth0", port))
    local data, address, from = helper.readable(receiver):recvfrom()
    assert.same({ "x", "fe80::11%veth0", helper.port(sender) }, { data, address, from })
    assert.equal(1, receiver:sendto("y", address, from))
    assert.same({ n = 3, "y", "fe80::11%veth0", port }, pack(helper.readable(sender):recvfrom()))
    fails("ENODEV", sender:sendto("x", "fe80::11%nowhere", port))
  end)
end)

describe("a refused datagram", function()
  local port, keeper

  before_each(function() port, keeper = helper.refusing_udp_port() end)
  after_each(function() keeper:close() end)

  local function refused()
    local sock = assert(lsocket.connect("udp", "127.0.0.1", port))
    assert.equal(1, sock:send "x")
    return helper.readable(sock)
  end

  it("is told once by status", function()
    local sock = refused()
    fails("ECONNREFUSED", sock:status())
    assert.is_true(sock:status())
    assert.is_false(sock:recv())
  end)

  it("is told once by recv, recvfrom or send", function()
    local sock = refused()
    fails("ECONNREFUSED", sock:recv())
    assert.is_false(sock:recv())
    sock = refused()
    fails("ECONNREFUSED", sock:recvfrom())
    sock = refused()
    fails("ECONNREFUSED", sock:send "x")
    assert.is_true(sock:status())
  end)
end)
