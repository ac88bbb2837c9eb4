-- IPv4 and IPv6 beside each other: one socket for both (v6only = false), one for each (v6only = true).
local lsocket = require "lsocket"
local helper = require "spec.helper"

local fails = helper.fails

local function bind6(type, v6only, port)
  return helper.bind { type = type, address = "::", port = port or 0, v6only = v6only }
end

-- The address that the listener says a client has which connects to this one.
local function seen_as(listener, address)
  local client = assert(lsocket.connect(address, helper.port(listener)))
  local connection, from, port = helper.readable(listener):accept()
  assert.same({ from, port }, { connection:info("peer").addr, connection:info("peer").port })
  assert.equal(helper.port(client), port)
  helper.writable(client)
  assert.is_true(client:status())
  connection:send "to " -- whichever family it is
  assert.equal("to ", helper.receive(client, 3))
  return from
end

local function ask(sock, address)
  local client = assert(lsocket.connect("udp", address, helper.port(sock)))
  client:send "who am I?"
  local _, from, port = helper.readable(sock):recvfrom()
  assert.equal(#from, sock:sendto(from, from, port)) -- what recvfrom gives can be sent to
  return helper.readable(client):recv()
end

describe("a listener with v6only = false", function()
  it("takes IPv6 and IPv4", function()
    helper.need.ipv6(pending)
    local listener = bind6("tcp", false)
    assert.is_false(listener:getopt "v6only")
    assert.equal("::1", seen_as(listener, "::1"))
    assert.equal("::ffff:127.0.0.1", seen_as(listener, "127.0.0.1"))
  end)

  it("leaves its port to nobody else", function()
    helper.need.ipv6(pending)
    local _, port = bind6("tcp", false)
    fails("EADDRINUSE", lsocket.bind("0.0.0.0", port))
    fails("EADDRINUSE", lsocket.bind("127.0.0.1", port))
  end)
end)

describe("a datagram socket with v6only = false", function()
  it("takes IPv6 and IPv4, and answers both", function()
    helper.need.ipv6(pending)
    local sock = bind6("udp", false)
    assert.equal("::1", ask(sock, "::1"))
    assert.equal("::ffff:127.0.0.1", ask(sock, "127.0.0.1"))
  end)

  it("sends to IPv4 addresses as they are", function()
    helper.need.ipv6(pending)
    local receiver, port = helper.bind("udp", "127.0.0.1", 0)
    local sock = bind6("udp", false)
    assert.equal(1, sock:sendto("x", "127.0.0.1", port))
    assert.equal("127.0.0.1", select(2, helper.readable(receiver):recvfrom()))
  end)
end)

describe("v6only = true", function()
  it("refuses IPv4", function()
    helper.need.ipv6(pending)
    local listener, port = bind6("tcp", true)
    assert.is_true(listener:getopt "v6only")
    assert.equal("::1", seen_as(listener, "::1"))
    local client = assert(lsocket.connect("127.0.0.1", port))
    helper.writable(client)
    fails("ECONNREFUSED", client:status())
    assert.is_false(helper.is_readable(listener))

    local sock, udp_port = bind6("udp", true)
    assert.equal("::1", ask(sock, "::1"))
    client = assert(lsocket.connect("udp", "127.0.0.1", udp_port))
    client:send "x"
    fails("ECONNREFUSED", helper.readable(client):recv())
    assert.is_false(helper.is_readable(sock))
    assert.is_nil((sock:sendto("x", "127.0.0.1", udp_port)))
  end)

  it("lets an IPv4 socket have the same port", function()
    helper.need.ipv6(pending)
    for _, type in ipairs { "tcp", "udp" } do
      local six, port = bind6(type, true)
      local four = assert(lsocket.bind(type, "0.0.0.0", port))
      for address, sock in pairs { ["::1"] = six, ["127.0.0.1"] = four } do
        assert.equal(address, (type == "tcp" and seen_as or ask)(sock, address))
      end
      assert.is_false(helper.is_readable(six))
      assert.is_false(helper.is_readable(four))
    end
  end)

  it("is nothing that an IPv4 socket has", function()
    fails("ENOPROTOOPT", lsocket.bind { type = "udp", address = "127.0.0.1", port = 0, v6only = true })
  end)
end)
