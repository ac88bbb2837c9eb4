-- What options do, and options by number. That each can be set and read: option_spec.lua.
local lsocket = require "lsocket"
local helper = require "spec.helper"

local fails, raises = helper.fails, helper.raises

describe("an option by number", function()
  -- Linux's numbers; others have other ones.
  local SOL_SOCKET, SO_RCVBUF, IPPROTO_UDP, UDP_SEGMENT = 1, 8, 17, 103

  local function udp()
    helper.need.proc(pending)
    return assert(lsocket.bind("udp", "127.0.0.1", 0))
  end

  it("takes an integer or bytes, and gives bytes", function()
    local sock = udp()
    assert.is_true(sock:setopt(SOL_SOCKET, SO_RCVBUF, 20000))
    local bytes = assert(sock:getopt(SOL_SOCKET, SO_RCVBUF))
    assert.equal(4, #bytes)
    assert.equal(20000, sock:getopt "rcvbuf")
    assert.is_true(sock:setopt(SOL_SOCKET, SO_RCVBUF, bytes))
    assert.equal(40000, sock:getopt "rcvbuf") -- the system's figure was doubled
    assert.equal(4, #sock:getopt(SOL_SOCKET, SO_RCVBUF, 100))
  end)

  it("gives no more bytes than were asked for, and no fewer than there are", function()
    local client = helper.tcp()
    helper.need.proc(pending)
    local IPPROTO_TCP, TCP_INFO = 6, 11
    assert.equal(0, #client:getopt(IPPROTO_TCP, TCP_INFO, 0))
    assert.equal(8, #client:getopt(IPPROTO_TCP, TCP_INFO, 8))
    assert.is_true(#client:getopt(IPPROTO_TCP, TCP_INFO, 65536) >= 104)
  end)

  it("is noticed where the library has to know it", function()
    local receiver = udp()
    local sender = assert(lsocket.connect("udp", "127.0.0.1", receiver:info("socket").port))
    if not sender:getopt "segment" then pending "needs segment" end
    assert.is_true(sender:setopt(IPPROTO_UDP, UDP_SEGMENT, 100))
    assert.equal(100, sender:getopt "segment")
    local batch = lsocket.batch(10)
    for _ = 1, 5 do batch:add(("x"):rep(100)) end
    assert.equal(5, sender:sendmany(batch))
    for _ = 1, 5 do assert.equal(100, #receiver:recv()) end
    assert.is_true(sender:setopt(IPPROTO_UDP, UDP_SEGMENT, 0))
    batch:rewind()
    assert.equal(5, sender:sendmany(batch))
    for _ = 1, 5 do assert.equal(100, #receiver:recv()) end
  end)

  it("fails as the system says", function()
    local sock = udp()
    fails("ENOPROTOOPT", sock:getopt(SOL_SOCKET, 9999))
    fails("ENOPROTOOPT", sock:setopt(SOL_SOCKET, 9999, 1))
    fails("EINVAL", sock:setopt(SOL_SOCKET, SO_RCVBUF, "x"))
    sock:close()
    fails("EBADF", sock:getopt(SOL_SOCKET, SO_RCVBUF))
    fails("EBADF", sock:setopt(SOL_SOCKET, SO_RCVBUF, 1))
  end)

  it("refuses wrong arguments", function()
    local sock = udp()
    for _, wrong in ipairs { 1.5, 2 ^ 31, 0 / 0 } do
      raises("bad argument #1 to 'setopt'", function() sock:setopt(wrong, 8, 1) end)
      raises("bad argument #2 to 'getopt'", function() sock:getopt(1, wrong) end)
      raises("bad argument #3 to 'setopt'", function() sock:setopt(1, 8, wrong) end)
    end
    for _, wrong in ipairs { -1, 65537, 1.5, "x", {} } do
      raises("bad argument #3 to 'getopt'", function() sock:getopt(1, 8, wrong) end)
    end
    for _, wrong in ipairs { true, {}, print } do
      raises("string or number expected", function() sock:setopt(1, 8, wrong) end)
    end
    raises("string or number expected", function() sock:setopt(1, 8) end)
  end)
end)

describe("rcvbuf", function()
  it("is what the socket has room for", function()
    local receiver, port = helper.bind("udp", "127.0.0.1", 0)
    local sender = assert(lsocket.connect("udp", "127.0.0.1", port))
    assert(receiver:setopt("rcvbuf", 4096))
    local data, got = ("x"):rep(2000), 0
    for _ = 1, 20 do sender:send(data) end
    while receiver:recv() do got = got + 1 end
    assert.is_true(got >= 1 and got < 20)
  end)
end)

describe("linger 0", function()
  it("makes close reset the connection", function()
    local client, server = helper.tcp()
    assert(client:setopt("linger", 0))
    client:close()
    helper.readable(server)
    fails("ECONNRESET", server:recv())
  end)
end)

describe("rcvlowat", function()
  it("keeps a stream from being readable before so much has come", function()
    local client, server = helper.tcp()
    assert(server:setopt("rcvlowat", 10))
    client:send "12345"
    assert.is_false(lsocket.select({ server }, 0.05))
    client:send "67890"
    helper.readable(server)
    assert.equal("1234567890", server:recv())
  end)
end)

describe("reuseport", function()
  it("lets two sockets have one port", function()
    local one = assert(lsocket.bind { type = "udp", address = "127.0.0.1", port = 0, reuseport = true })
    local port = one:info("socket").port
    fails("EADDRINUSE", lsocket.bind("udp", "127.0.0.1", port))
    assert(lsocket.bind { type = "udp", address = "127.0.0.1", port = port, reuseport = true })
  end)
end)

describe("v6only", function()
  it("is set before the address is taken", function()
    helper.need.ipv6(pending)
    for _, on in ipairs { true, false } do
      for _, type in ipairs { "tcp", "udp" } do
        local sock = assert(lsocket.bind { type = type, address = "::", port = 0, v6only = on })
        assert.equal(on, sock:getopt "v6only")
        assert.is_nil((sock:setopt("v6only", not on))) -- too late now
        local port = sock:info("socket").port
        local other = lsocket.bind { type = type, address = "0.0.0.0", port = port }
        assert.equal(on, other ~= nil)
      end
    end
  end)
end)

describe("fastopenconnect", function()
  it("is set before connecting", function()
    local _, port = helper.bind("127.0.0.1", 0)
    local client, _, name = lsocket.connect { address = "127.0.0.1", port = port, fastopenconnect = true }
    if not client then
      assert.equal("ENOPROTOOPT", name)
      pending "this platform has no fastopenconnect"
    end
    assert.is_true(client:getopt "fastopenconnect")
  end)
end)

describe("freebind", function()
  it("binds to an address that nobody has yet", function()
    helper.need.sandbox(pending)
    fails("EADDRNOTAVAIL", lsocket.bind("udp", "192.0.2.9", 0))
    local sock, _, name = lsocket.bind { type = "udp", address = "192.0.2.9", port = 0, freebind = true }
    if name == "ENOPROTOOPT" then pending "this platform has no freebind" end
    assert.equal("192.0.2.9", sock:info("socket").addr)
  end)
end)

describe("an interface that is not there", function()
  it("is a failure of the system, not a wrong argument", function()
    local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
    for _, name in ipairs { "device", "mcastif" } do
      local value, _, symbol = sock:getopt(name)
      if value ~= nil or symbol ~= "ENOPROTOOPT" then
        fails("ENODEV", sock:setopt(name, "nosuchlink0"))
        fails("EADDRNOTAVAIL", sock:setopt(name, "192.0.2.1"))
      end
    end
  end)

  it("is told by its name, whatever it was set by", function()
    helper.need.sandbox(pending)
    for _, type in ipairs { "127.0.0.1", "::1" } do
      local sock = assert(lsocket.bind("udp", type, 0))
      if not sock:getopt "mcastif" then pending "this platform has no mcastif" end
      for _, way in ipairs { "veth1", "10.12.0.1", "fe80::12" } do
        assert.is_true(sock:setopt("mcastif", way))
        assert.equal("veth1", sock:getopt "mcastif")
      end
    end
  end)
end)

describe("what was set", function()
  -- What ss tells of the socket with this local port.
  local function ss(port, flags)
    local pipe = io.popen("ss -H -n -e -m -o -i -O " .. flags .. " 2>/dev/null")
    local text = pipe:read "*a"
    pipe:close()
    for line in text:gmatch "[^\n]+" do
      if line:match "^%S+%s+%d+%s+%d+%s+%S+:(%d+)%s" == tostring(port) then return line end
    end
    error("ss does not list port " .. port .. ":\n" .. text)
  end

  local function has(line, pattern)
    assert.is_not_nil(line:find(pattern), line)
  end

  it("of a listener is what ss shows", function()
    helper.need.tool(pending, "ss -V")
    helper.need.sandbox(pending)
    local sock = assert(lsocket.bind {
      address = "::1", port = 0, backlog = 77, rcvbuf = 33333, v6only = true, mark = 5, congestion = "reno",
    })
    local line = ss(sock:info("socket").port, "-tl")
    has(line, "LISTEN%s+0%s+77%s")
    has(line, "skmem:%(r0,rb66666,")
    has(line, "v6only:1")
    has(line, "fwmark:0x5")
    has(line, "reno")
  end)

  it("of a connection is what ss shows", function()
    helper.need.tool(pending, "ss -V")
    helper.need.sandbox(pending)
    local _, port = helper.bind("127.0.0.1", 0)
    local sock = assert(lsocket.connect {
      address = "127.0.0.1", port = port, keepalive = true, keepidle = 600, sndbuf = 44444, mark = 6,
      congestion = "reno", maxseg = 1200,
    })
    assert(lsocket.select(nil, { sock }, helper.patience))
    local line = ss(sock:info("socket").port, "-t")
    has(line, "timer:%(keepalive,9min%d*")
    has(line, "tb88888[^%d]")
    has(line, "fwmark:0x6")
    has(line, "reno")
    has(line, "mss:1[01]%d%d ")
  end)

  it("of a datagram socket is what ss shows", function()
    helper.need.tool(pending, "ss -V")
    helper.need.sandbox(pending)
    local sock = assert(lsocket.bind { type = "udp", address = "127.0.0.1", port = 0, rcvbuf = 22222, device = "lo" })
    local line = ss(sock:info("socket").port, "-ul")
    has(line, "127%.0%.0%.1%%lo:")
    has(line, "rb44444[^%d]")
  end)
end)
