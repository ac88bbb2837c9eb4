-- Options, what single ones mean and do: times, interfaces, what can only be read, both families on one socket; by
-- number; and what other programs see. That each can be set on each kind of socket: option_spec.lua.
local lsocket = require "lsocket"
local helper = require "spec.helper"

local fails, raises, need, pack = helper.fails, helper.raises, helper.need, helper.pack

after_each(helper.remove_paths)

local function udp(address) return (helper.bind("udp", address or "127.0.0.1", 0)) end

-- Sets and reads back.
local function settle(sock, name, value)
  assert(sock:setopt(name, value))
  return sock:getopt(name)
end

local function need_option(name, sock)
  local value, _, symbol = sock:getopt(name)
  if value == nil and symbol == "ENOPROTOOPT" then pending("needs the option " .. name) end
end

local function need_linux() need.proc(pending) end

-- ---- values ----

describe("seconds", function()
  local listener = helper.bind("127.0.0.1", 0)

  it("are rounded up to what the kernel counts", function()
    assert.equal(2, settle(listener, "linger", 1.01))
    assert.equal(1, settle(listener, "linger", 1e-9))
    need_option("usertimeout", listener)
    assert.equal(61, settle(listener, "keepidle", 60.5))
    assert.equal(0.002, settle(listener, "usertimeout", 0.0011))
    assert.equal(0.001, settle(listener, "usertimeout", 1e-9))
    assert.equal(2147483.647, settle(listener, "usertimeout", 2147483.647))
  end)

  it("that a double cannot hold exactly are not rounded further", function()
    need_option("usertimeout", listener)
    for i = 1, 2000 do
      local seconds = i / 1000
      if settle(listener, "usertimeout", seconds) ~= seconds then error("not given back: " .. seconds) end
    end
  end)

  it("are whole numbers where they are", function()
    need_option("usertimeout", listener)
    assert.equal("3", (tostring(settle(listener, "usertimeout", 3)):gsub("%.0$", "")))
    if math.type then assert.equal("integer", math.type(settle(listener, "usertimeout", 3))) end -- luacheck: ignore 143
  end)

  it("may be a string that reads as a number", function()
    assert.equal(3, settle(listener, "linger", "3"))
    assert.equal(2, settle(listener, "linger", "1.5"))
    raises("number expected, got string", function() listener:setopt("linger", "1s") end)
  end)

  it("below 0, beyond the kernel's, and none at all, raise", function()
    for _, value in ipairs { -1, -0.001, 65536, 1 / 0, 0 / 0, 1e300 } do
      raises("linger must be from 0", function() listener:setopt("linger", value) end)
    end
    raises("keepidle must be from 1", function() listener:setopt("keepidle", 0) end)
  end)
end)

describe("an interface", function()
  for _, name in ipairs { "mcastif", "device" } do
    it("is given by name, index or address: " .. name, function()
      need.sandbox(pending)
      need.option(pending, udp(), name, "lo")
      for _, sock in ipairs { udp(), udp "::1" } do
        for _, value in ipairs { "veth0", "10.11.0.1", "fe80::11%veth0", "fe80::11", "fd11::1" } do
          assert.is_false(settle(sock, name, false))
          assert.equal("veth0", settle(sock, name, value))
        end
        assert.equal("lo", settle(sock, name, 1))
        assert.equal("lo", settle(sock, name, "127.0.0.1"))
      end
    end)

    it("that does not exist fails, and changes nothing: " .. name, function()
      need.sandbox(pending)
      need.option(pending, udp(), name, "lo")
      local sock = udp()
      assert.equal("veth1", settle(sock, name, "veth1"))
      fails("ENODEV", sock:setopt(name, "nosuch"))
      fails("ENODEV", sock:setopt(name, ""))
      raises("NUL", function() sock:setopt(name, "veth1\0") end)
      fails("ENODEV", sock:setopt(name, "veth1" .. ("x"):rep(100)))
      fails("EADDRNOTAVAIL", sock:setopt(name, "10.99.0.1"))
      assert.is_nil((sock:setopt(name, 4711)))
      assert.equal("veth1", sock:getopt(name))
      fails("ENODEV", lsocket.bind { type = "udp", address = "127.0.0.1", port = 0, [name] = "nosuch" })
    end)
  end

  it("without an IPv4 address is none to IPv4, but it can be set", function()
    need.sandbox(pending)
    need.option(pending, udp(), "mcastif", "lo")
    local sock = udp()
    local ok, _, symbol = sock:setopt("mcastif", "tun0")
    if not ok then assert.equal("EADDRNOTAVAIL", symbol) end -- a system that names interfaces by address
    assert.is_false(sock:getopt "mcastif")
    assert.equal("tun0", settle(udp "::1", "mcastif", "tun0"))
    assert.equal("tun0", settle(udp(), "device", "tun0"))
  end)

  it("that has gone is given back by its index", function()
    need.sandbox(pending)
    need.option(pending, udp(), "mcastif", "lo")
    os.execute "ip link add gone0 type veth peer name gone1"
    local pipe = assert(io.popen "ip -o link show gone0")
    local index = tonumber(pipe:read "*a":match "^(%d+):")
    pipe:close()
    local sock = udp "::1"
    assert.equal("gone0", settle(sock, "mcastif", "gone0"))
    os.execute "ip link delete gone0"
    assert.equal(index, sock:getopt "mcastif")
  end)

  it("is what packets to groups leave by", function()
    need.groups(pending)
    need.sandbox(pending)
    local receiver, port = helper.bind("mcast", "239.9.9.9%veth1", 0)
    local sender = udp "10.11.0.1"
    assert(sender:setopt("mcastif", "veth1"))
    assert(sender:sendto("by the other", "239.9.9.9", port))
    assert.equal("by the other", helper.readable(receiver):recv())
    assert(sender:setopt("mcastloop", false))
    assert(sender:sendto("not here", "239.9.9.9", port))
    assert.is_false(helper.is_readable(receiver))
  end)

  it("that a socket is bound to is all that it hears", function()
    need.sandbox(pending)
    local sock, port = helper.bind { type = "udp", address = "0.0.0.0", port = 0, device = "veth0" }
    local sender = udp()
    sender:sendto("x", "127.0.0.1", port)
    assert.is_false(helper.is_readable(sock))
    assert(sock:setopt("device", false))
    sender:sendto("y", "127.0.0.1", port)
    assert.equal("y", helper.readable(sock):recv())
  end)
end)

describe("mtudiscover", function()
  it("refuses other names", function()
    for _, value in ipairs { "WANT", "wan", "want\0", "", 2, true } do
      raises('"want", "dont", "do" or "probe" expected', function() udp():setopt("mtudiscover", value) end)
    end
  end)

  it("gives a number for a way that has no name here", function()
    need_linux()
    local sock = udp()
    assert(sock:setopt(0, 10, 5)) -- IP_PMTUDISC_OMIT
    assert.equal(5, sock:getopt "mtudiscover")
  end)
end)

describe("congestion", function()
  it("of no known name fails", function()
    local listener = helper.bind("127.0.0.1", 0)
    need_option("congestion", listener)
    fails("ENOENT", listener:setopt("congestion", "nosuchalgorithm"))
    need.option(pending, listener, "congestion", "reno")
    assert.equal("reno", settle(listener, "congestion", "reno"))
  end)
end)

-- ---- what can only be read ----

describe("what can only be read", function()
  it("tells what a socket is", function()
    local listener, port = helper.bind("127.0.0.1", 0)
    local client = helper.connect_to(listener, "127.0.0.1", port)
    local record = assert(lsocket.pair "seqpacket")
    assert.equal("tcp", client:getopt "type")
    assert.equal("udp", udp():getopt "type")
    assert.equal("seqpacket", record:getopt "type")
    assert.is_true(listener:getopt "acceptconn")
    assert.is_false(client:getopt "acceptconn")
    need_option("domain", client)
    assert.equal("inet", client:getopt "domain")
    assert.equal("unix", record:getopt "domain")
    assert.equal(6, client:getopt "protocol")
    assert.equal(17, udp():getopt "protocol")
    assert.equal(0, record:getopt "protocol")
    need.ipv6(pending)
    assert.equal("inet6", udp("::1"):getopt "domain")
  end)

  it("the error, is told by its symbol and cleared", function()
    local sock = lsocket.connect("127.0.0.1", (helper.refusing_port()))
    assert.is_false(udp():getopt "error")
    helper.writable(sock)
    assert.equal("ECONNREFUSED", sock:getopt "error")
    assert.same({ n = 1, false }, pack(sock:getopt "error"))
  end)

  it("the mtu, is that of the way to the peer", function()
    local sock = assert(lsocket.connect("udp", "127.0.0.1", 9))
    need_option("mtu", sock)
    assert.is_true(sock:getopt "mtu" >= 1500)
    fails("ENOTCONN", udp():getopt "mtu")
    need.ipv6(pending)
    assert.is_true(assert(lsocket.connect("udp", "::1", 9)):getopt "mtu" >= 1280)
  end)
end)

describe("tcpinfo", function()
  local client, server = helper.tcp()

  it("has the kernel's fields, as far as its struct reaches", function()
    need.tcpinfo(pending)
    need_option("tcpinfo", client)
    local size = #client:getopt(6, 11, 4096) -- TCP_INFO
    local info = client:getopt "tcpinfo"
    local count = 0
    for _, value in pairs(info) do
      assert.equal("number", type(value))
      count = count + 1
    end
    assert.is_true(count >= 32 and count <= 64)
    assert.equal(size >= 232, info.snd_wnd ~= nil)
    assert.equal(size >= 248, info.total_rto_time ~= nil)
  end)

  it("lies where the kernel has put it", function()
    need.tcpinfo(pending)
    need_option("tcpinfo", client)
    assert.equal(5, client:send "12345")
    helper.readable(server)
    local info = server:getopt "tcpinfo"
    assert.equal(1, info.state)
    assert.equal(5, info.bytes_received)
    assert.equal(1, info.data_segs_in)
    assert.is_true(info.snd_mss > 500 and info.snd_mss < 65536 and info.pmtu >= info.snd_mss)
    assert.is_true(info.rtt > 0 and info.rtt < 1000000 and info.rto >= 200000)
    assert.is_true(info.rcv_wscale >= 0 and info.rcv_wscale < 15 and info.snd_cwnd > 0)
    assert.equal(2 ^ 64, info.max_pacing_rate)
    assert.equal(5, client:getopt("tcpinfo").bytes_sent)
  end)

  it("tells the state", function()
    need.tcpinfo(pending)
    need_option("tcpinfo", client)
    assert.equal(10, helper.bind("127.0.0.1", 0):getopt("tcpinfo").state)
    client:close()
    helper.readable(server)
    assert.equal(8, server:getopt("tcpinfo").state)
  end)
end)

-- ---- both families ----

describe("an IPv6 socket", function()
  -- IPPROTO_IP's constants on Linux.
  local ipv4 = { ttl = 2, tos = 1, mcastttl = 33, mcastloop = 34, mcastall = 49, recvttl = 12, recvtos = 13,
    recverr = 11, mtudiscover = 10, freebind = 15, transparent = 19 }
  local values = { ttl = 77, tos = 0x88, mcastttl = 9, mcastloop = false, mcastall = false, recvttl = true,
    recvtos = true, recverr = true, mtudiscover = "do", freebind = true, transparent = true }

  it("does the same for IPv4, which it may speak", function()
    need_linux()
    need.ipv6(pending)
    local sock = assert(lsocket.bind { type = "udp", address = "::", port = 0, v6only = false })
    for name, number in pairs(ipv4) do
      local value = values[name]
      local ok, _, symbol = sock:setopt(name, value)
      local wanted = value == "do" and 2 or value == true and 1 or value == false and 0 or value
      if helper.passes_on(udp(), name, value) then
        if ok then assert.equal(wanted, sock:getopt(0, number), name)
        else assert.is_true(symbol == "EPERM" or (symbol == "ENOPROTOOPT" and name == "recverr")) end
      end
    end
    assert(sock:setopt("pktinfo", true))
    assert.equal(0, sock:getopt(0, 8)) -- IP_PKTINFO; what it would tell is told already
  end)

  it("sends to IPv4 groups by the interface that was set", function()
    need.groups(pending)
    need.sandbox(pending)
    need_linux()
    local receiver, port = helper.bind("mcast", "239.9.9.8%veth1", 0)
    local sock = assert(lsocket.bind { type = "udp", address = "::", port = 0, v6only = false })
    assert(sock:setopt("mcastif", "veth1"))
    assert(sock:sendto("x", "::ffff:239.9.9.8", port))
    assert.equal("x", helper.readable(receiver):recv())
  end)

  it("with v6only leaves the port to IPv4, and without takes it", function()
    need.ipv6(pending)
    local four, port = helper.bind("0.0.0.0", 0)
    local six = assert(lsocket.bind { address = "::", port = port, v6only = true })
    assert.is_true(six:getopt "v6only")
    fails("EADDRINUSE", lsocket.bind { address = "::", port = port, v6only = false })
    four:close()
    six:close()
    local both = assert(lsocket.bind { address = "::", port = 0, v6only = false })
    assert.is_false(both:getopt "v6only")
    local _, server = helper.connect_to(both, "127.0.0.1", helper.port(both))
    assert.equal("::ffff:127.0.0.1", server:info("peer").addr)
    fails("EINVAL", both:setopt("v6only", true))
  end)
end)

-- ---- effects ----

describe("linger", function()
  it("0 resets the connection", function()
    local client, server = helper.tcp()
    assert(client:setopt("linger", 0))
    client:close()
    helper.readable(server)
    fails("ECONNRESET", server:recv())
  end)

  it("false ends it as ever", function()
    local client, server = helper.tcp()
    assert(client:setopt("linger", 0))
    assert(client:setopt("linger", false))
    client:send "the end"
    client:close()
    assert.equal("the end", helper.receive(server, 100))
  end)
end)

describe("reuseport", function()
  it("lets several sockets have one address", function()
    local one = helper.bind("udp", "127.0.0.1", 0)
    need_option("reuseport", one)
    one = assert(lsocket.bind { type = "udp", address = "127.0.0.1", port = 0, reuseport = true })
    local port = helper.port(one)
    assert(lsocket.bind { type = "udp", address = "127.0.0.1", port = port, reuseport = true })
    fails("EADDRINUSE", lsocket.bind("udp", "127.0.0.1", port))
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

describe("rcvlowat", function()
  it("is how much makes a stream readable", function()
    local client, server = helper.tcp()
    assert(server:setopt("rcvlowat", 10))
    client:send "12345"
    assert.is_false(helper.is_readable(server))
    client:send "67890"
    assert.equal("1234567890", helper.readable(server):recv())
  end)
end)

describe("broadcast", function()
  it("lets a datagram socket send to such an address", function()
    need.sandbox(pending)
    local sock = udp "10.11.0.1"
    fails("EACCES", sock:sendto("x", "10.11.0.255", 9))
    assert(sock:setopt("broadcast", true))
    assert.equal(1, sock:sendto("x", "10.11.0.255", 9))
  end)
end)

describe("freebind", function()
  it("lets a socket have an address that is not there", function()
    need_linux()
    fails("EADDRNOTAVAIL", lsocket.bind("192.0.2.1", 0))
    local sock = assert(lsocket.bind { address = "192.0.2.1", port = 0, freebind = true })
    assert.equal("192.0.2.1", sock:info("socket").addr)
  end)
end)

describe("fastopenconnect", function()
  it("makes a connection as good as any", function()
    need_linux()
    local listener, port = helper.bind { address = "127.0.0.1", port = 0, fastopen = 5 }
    local client = assert(lsocket.connect { address = "127.0.0.1", port = port, fastopenconnect = true })
    assert.is_true(client:getopt "fastopenconnect")
    if not client:send "first" then -- no cookie yet: this connection fetches it
      helper.writable(client)
      assert.equal(5, client:send "first")
    end
    helper.readable(listener)
    assert.equal("first", helper.receive(assert(listener:accept()), 5))
  end)
end)

-- ---- by number ----

describe("an option by number", function()
  local IPPROTO_TCP, TCP_NODELAY = 6, 1

  it("is an integer, or bytes", function()
    local sock = helper.bind("127.0.0.1", 0)
    assert.equal(0, sock:getopt(IPPROTO_TCP, TCP_NODELAY))
    assert.same({ n = 1, true }, pack(sock:setopt(IPPROTO_TCP, TCP_NODELAY, 1)))
    local bytes = sock:getopt(IPPROTO_TCP, TCP_NODELAY, 4)
    assert.equal(4, #bytes)
    assert.is_true(sock:getopt "nodelay")
    assert(sock:setopt(IPPROTO_TCP, TCP_NODELAY, ("\0"):rep(4)))
    assert.is_false(sock:getopt "nodelay")
    assert(sock:setopt(IPPROTO_TCP, TCP_NODELAY, bytes))
    assert.is_true(sock:getopt "nodelay")
    assert.equal(4, #sock:getopt(IPPROTO_TCP, TCP_NODELAY, 65536))
  end)

  it("may be a structure", function()
    need_linux()
    local sock = udp()
    assert(sock:setopt("linger", 7))
    local bytes = sock:getopt(1, 13, 8) -- SO_LINGER
    assert.equal(7, bytes:byte(5) + bytes:byte(8)) -- in either order of bytes
    assert(sock:setopt(1, 13, ("\0"):rep(8)))
    assert.is_false(sock:getopt "linger")
  end)

  it("that has fewer bytes than an integer is no integer", function()
    need_linux()
    need.sandbox(pending)
    local IPPROTO_IP, IP_OPTIONS, SOL_SOCKET, SO_BINDTODEVICE = 0, 4, 1, 25
    local sock = udp()
    assert.equal("", sock:getopt(IPPROTO_IP, IP_OPTIONS))
    assert.equal("", sock:getopt(SOL_SOCKET, SO_BINDTODEVICE))
    assert(sock:setopt(IPPROTO_IP, IP_OPTIONS, "\1\1\1\0"))
    assert.equal("number", type(sock:getopt(IPPROTO_IP, IP_OPTIONS)))
  end)

  it("may read bytes that are given to it, or zeros", function()
    need.groups(pending)
    local IPPROTO_IP, IP_MSFILTER = 0, 41
    local sock = assert(lsocket.bind("udp", "0.0.0.0", 0))
    if select(3, sock:getopt(IPPROTO_IP, IP_MSFILTER, 20)) == "ENOPROTOOPT" then pending "needs IP_MSFILTER" end
    local group, interface, source = "\239\9\9\9", "\127\0\0\1", "\127\0\0\2"
    assert(sock:join("239.9.9.9", "127.0.0.1", "127.0.0.2"))
    fails("EINVAL", sock:getopt(IPPROTO_IP, IP_MSFILTER, 20)) -- 0.0.0.0 is no group
    fails("EINVAL", sock:getopt(IPPROTO_IP, IP_MSFILTER, 20, ("\0"):rep(16)))
    local one = "\1\0\0\0" -- a mode and a count, in this machine's order
    if sock:getopt(1, 3, 4):byte(1) == 0 then one = one:reverse() end -- SO_TYPE
    local wanted = group .. interface .. ("\0"):rep(4) .. one .. ("\0"):rep(4)
    assert.equal(group .. interface .. one .. one .. source, sock:getopt(IPPROTO_IP, IP_MSFILTER, 20, wanted))
    assert.equal(group .. interface .. one .. one .. source, sock:getopt(IPPROTO_IP, IP_MSFILTER, nil, wanted))
    assert.equal(20, #sock:getopt(IPPROTO_IP, IP_MSFILTER, 4096, wanted:sub(1, 16)))
  end)

  it("fails as the system says", function()
    local sock = udp()
    fails("ENOPROTOOPT", sock:setopt(IPPROTO_TCP, TCP_NODELAY, 1))
    fails("ENOPROTOOPT", sock:setopt(0, 9999, 1))
    fails("ENOPROTOOPT", sock:getopt(0, 9999))
    fails("EINVAL", helper.bind("127.0.0.1", 0):setopt(IPPROTO_TCP, TCP_NODELAY, ""))
    sock:close()
    fails("EBADF", sock:getopt(IPPROTO_TCP, TCP_NODELAY))
    fails("EBADF", sock:getopt(IPPROTO_TCP, TCP_NODELAY, 4))
    fails("EBADF", sock:setopt(IPPROTO_TCP, TCP_NODELAY, 1))
  end)

  it("raises for wrong arguments, which it names", function()
    local sock = udp()
    raises("bad argument #1 to 'getopt' (level must be an integer", function() sock:getopt(-1, 1) end)
    raises("bad argument #2 to 'getopt' (number must be an integer", function() sock:getopt(1, 1.5) end)
    raises("bad argument #2 to 'getopt'", function() sock:getopt(1) end)
    for _, size in ipairs { -1, 65537, 1.5, true, "x" } do
      raises("bad argument #3 to 'getopt'", function() sock:getopt(1, 2, size) end)
    end
    for _, bytes in ipairs { 1, true, {} } do
      raises("bad argument #4 to 'getopt' (string expected", function() sock:getopt(1, 2, 4, bytes) end)
    end
    raises("bad argument #4 to 'getopt' (more bytes than size", function() sock:getopt(1, 2, 3, "1234") end)
    raises("bad argument #4 to 'getopt' (too many bytes", function() sock:getopt(1, 2, nil, ("x"):rep(65537)) end)
    for _, value in ipairs { 2 ^ 31, -2 ^ 31 - 1, 1.5, true, {} } do
      raises("bad argument #3 to 'setopt'", function() sock:setopt(1, 2, value) end)
    end
    raises("bad argument #3 to 'setopt'", function() sock:setopt(1, 2) end)
    raises("too many bytes", function() sock:setopt(1, 2, ("x"):rep(65537)) end)
  end)

  it("is known to the library where it matters to it", function()
    need.control(pending)
    local receiver = udp()
    need_option("gro", receiver)
    local UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104
    assert(receiver:setopt(UDP, UDP_GRO, 1))
    local sender = assert(lsocket.connect("udp", "127.0.0.1", helper.port(receiver)))
    assert(sender:setopt(UDP, UDP_SEGMENT, 1000))
    local batch, got, count = lsocket.batch(10, 1000), lsocket.batch(10, 1000), 0
    for _ = 1, 5 do batch:add(("x"):rep(1000)) end
    assert.equal(5, sender:sendmany(batch))
    while count < 5 do
      count = count + assert(helper.readable(receiver):recvmany(got))
      assert.equal(1000, #got:get(1))
    end
    assert.equal(5, count)
  end)
end)

-- ---- in the eyes of others ----

describe("ss", function()
  local function ss(filter)
    local text = helper.run("ss -nmpeio --tos --inet-sockopt " .. filter)
    return text
  end

  local function has(text, ...)
    for _, part in ipairs { ... } do
      if not text:find(part, 1, true) then error("no '" .. part .. "' in: " .. text, 2) end
    end
  end

  it("shows what was set on a listener", function()
    need.tool(pending, "ss -tlnmpeio --tos --inet-sockopt")
    need.option(pending, (helper.bind("127.0.0.1", 0)), "bindaddressnoport", true)
    local sock, port = helper.bind { address = "127.0.0.1", port = 0, backlog = 7, rcvbuf = 30000, sndbuf = 20000,
      congestion = "reno", tos = 0x88, freebind = true, bindaddressnoport = true }
    local text = ss("-tl 'sport = :" .. port .. "'")
    has(text, "rb60000", "tb40000", "reno", "tos:0x88", "freebind", "bind_addr_no_port")
    if sock:setopt("mark", 1234) then has(ss("-tl 'sport = :" .. port .. "'"), "fwmark:0x4d2") end
  end)

  it("shows what was set on a connection", function()
    need.tool(pending, "ss -tlnmpeio --tos --inet-sockopt")
    local listener, port = helper.bind("127.0.0.1", 0)
    need.option(pending, listener, "congestion", "reno")
    local client = helper.connect_to(listener, { address = "127.0.0.1", port = port, keepalive = true, keepidle = 1000,
      maxseg = 900, congestion = "reno", rcvbuf = 50000, mcastloop = false })
    assert(client:setopt("oobinline", true))
    local text = ss("-t 'dport = :" .. port .. "'")
    has(text, "timer:(keepalive,16min", "reno", "rb100000", "mss:")
    assert.is_true(tonumber(text:match "[^v]mss:(%d+)") <= 900)
    assert.is_nil(text:find("mc_loop", 1, true))
  end)

  it("shows what was set on datagram and IPv6 sockets", function()
    need.tool(pending, "ss -tlnmpeio --tos --inet-sockopt")
    need.ipv6(pending)
    local _, port = helper.bind { type = "udp", address = "::", port = 0, v6only = true, sndbuf = 12345, tos = 0x40 }
    has(ss("-ul 'sport = :" .. port .. "'"), "v6only:1", "tb24690", "tclass:0x40")
  end)
end)
