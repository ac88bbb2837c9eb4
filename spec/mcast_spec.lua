-- Multicast and broadcast: who receives what is sent to a group, zones, joining, leaving, hop limits.
-- Plain datagrams are in datagram_spec.
local lsocket = require "lsocket"
local groups = require "spec.groups"
local helper = require "spec.helper"
local process = require "spec.process"

local fails, need, pack = helper.fails, helper.need, helper.pack

local joined, ipv4_group, ipv6_group = groups.joined, groups.ipv4, groups.ipv6

-- A datagram from sender must come to receiver.
local function delivers(sender, receiver, text)
  assert.equal(#text, sender:send(text))
  local data, address, port = helper.readable(receiver):recvfrom()
  assert.same({ text, sender:info("socket").addr, helper.port(sender) }, { data, address, port })
end

describe("broadcasts", function()
  it("come to everybody who is bound to the port with mcast", function()
    need.sandbox(pending)
    local first, port = helper.bind("mcast", "0.0.0.0", 0)
    local second = assert(lsocket.bind("mcast", "10.11.0.255", port))
    local sender = assert(lsocket.connect("mcast", "10.11.0.255", port))
    delivers(sender, first, "to all")
    assert.equal("to all", helper.readable(second):recv())
    assert.is_true(first:info().multicast)
    assert.equal("udp", first:info().type)
  end)

  it("are sent by mcast sockets alone", function()
    local receiver, port = helper.bind("mcast", "0.0.0.0", 0)
    fails("EACCES", lsocket.connect("udp", "127.255.255.255", port))
    local sender = assert(lsocket.connect("mcast", "127.255.255.255", port))
    delivers(sender, receiver, "x")
    assert.equal(1, lsocket.bind("mcast", "127.0.0.1", 0):sendto("y", "127.255.255.255", port))
    assert.equal("y", helper.readable(receiver):recv())
  end)
end)

describe("an IPv4 group", function()
  it("is joined on the interface of its zone for as long as the socket is open", function()
    need.sandbox(pending)
    local group, listed = ipv4_group()
    local sock = assert(lsocket.bind("mcast", group .. "%veth0", 0))
    assert.is_true(joined("veth0", listed))
    assert.is_false(joined("veth1", listed))
    assert.equal(group, sock:info("socket").addr)
    sock:close()
    assert.is_false(joined("veth0", listed))
  end)

  it("delivers what is sent to it on that interface", function()
    need.sandbox(pending)
    local group = ipv4_group()
    for _, interface in ipairs { "veth0", "veth1", "lo" } do
      local receiver, port = helper.bind("mcast", group .. "%" .. interface, 0)
      local sender = assert(lsocket.connect("mcast", group .. "%" .. interface, port))
      delivers(sender, receiver, "on " .. interface)
    end
  end)

  it("does not deliver what is sent to it on another, even if somebody else has joined it there", function()
    need.sandbox(pending)
    local group = ipv4_group()
    local receiver, port = helper.bind("mcast", group .. "%veth0", 0)
    local other = assert(lsocket.bind("mcast", group .. "%veth1", port))
    delivers(assert(lsocket.connect("mcast", group .. "%veth1", port)), other, "there")
    delivers(assert(lsocket.connect("mcast", group .. "%veth0", port)), receiver, "here")
    assert.is_false(helper.is_readable(receiver))
    assert.is_false(helper.is_readable(other))
  end)

  it("is shared by several receivers on one port", function()
    need.sandbox(pending)
    local group = ipv4_group()
    local first, port = helper.bind("mcast", group .. "%lo", 0)
    local second = assert(lsocket.bind("mcast", group .. "%lo", port))
    local sender = assert(lsocket.connect("mcast", group .. "%lo", port))
    delivers(sender, first, "both")
    assert.equal("both", helper.readable(second):recv())
  end)

  it("may be given with named arguments and a numbered zone", function()
    need.sandbox(pending)
    local group, listed = ipv4_group()
    local zone = group .. "%" .. process.interface "veth1"
    local receiver, port = helper.bind { type = "mcast", address = zone, port = 0 }
    local sender = assert(lsocket.connect { type = "mcast", address = zone, port = port, ttl = 3 })
    delivers(sender, receiver, "x")
    assert.is_true(joined("veth1", listed))
  end)

  it("fails where no interface leads to it, and where its zone does not exist", function()
    need.sandbox(pending)
    fails("ENODEV", lsocket.bind("mcast", "239.1.2.8", 0)) -- there is no route for groups here
    fails("ENODEV", lsocket.bind("mcast", "239.1.2.8%nowhere", 0))
    fails("ENODEV", lsocket.connect("mcast", "239.1.2.8%nowhere", 9))
    fails("EAI_NONAME", lsocket.bind("mcast", "127.0.0.1%lo", 0))
  end)

  it("is joined where the routes lead if it has no zone", function()
    need.tool(pending, "unshare --net true")
    local output, status = helper.run("unshare --net sh -c " .. helper.quote("ip link set lo up && " ..
      "ip route add 224.0.0.0/4 dev lo && exec " .. helper.command("group", "239.1.2.9")))
    assert.same({ "received on 239.1.2.9\n", 0 }, { output, status })
  end)

  it("is not joined by plain udp", function()
    need.sandbox(pending)
    local group, listed = ipv4_group()
    local sock = assert(lsocket.bind("udp", group, 0))
    assert.is_false(joined("veth0", listed))
    assert.is_false(sock:info().multicast)
  end)

  it("with a zone is refused where nothing can be done with the zone", function()
    local group = ipv4_group() .. "%" .. assert(lsocket.getinterfaces())[1].name
    fails("EINVAL", lsocket.bind("udp", group, 0))
    fails("EINVAL", lsocket.connect("udp", group, 9))
    fails("EINVAL", assert(lsocket.bind("udp", "0.0.0.0", 0)):sendto("x", group, 9))
  end)
end)

describe("an IPv6 group", function()
  it("is joined on the interface of its zone for as long as the socket is open", function()
    need.sandbox(pending)
    local group, listed = ipv6_group(2)
    local sock = assert(lsocket.bind("mcast", group .. "%veth1", 0))
    assert.is_true(joined("veth1", listed))
    assert.is_false(joined("veth0", listed))
    assert.equal(group .. "%veth1", sock:info("socket").addr)
    sock:close()
    assert.is_false(joined("veth1", listed))
  end)

  it("of interface or link scope without a zone gets the first fit interface, for bind and connect alike", function()
    need.sandbox(pending)
    for scope = 1, 2 do
      local group, listed = ipv6_group(scope)
      local receiver, port = helper.bind("mcast", group, 0)
      assert.equal(group .. "%veth0", receiver:info("socket").addr)
      assert.is_true(joined("veth0", listed))
      local sender = assert(lsocket.connect("mcast", group, port))
      assert.equal(group .. "%veth0", sender:info("peer").addr)
      delivers(sender, receiver, "scope " .. scope)
    end
  end)

  it("delivers what is sent to it on the interface of its zone, and nothing else", function()
    need.sandbox(pending)
    local group = ipv6_group(2)
    local receiver, port = helper.bind("mcast", group .. "%veth1", 0)
    local other = assert(lsocket.bind("mcast", group .. "%veth0", port))
    delivers(assert(lsocket.connect("mcast", group .. "%veth0", port)), other, "there")
    delivers(assert(lsocket.connect("mcast", group .. "%veth1", port)), receiver, "here")
    assert.is_false(helper.is_readable(receiver))
    assert.is_false(helper.is_readable(other))
  end)

  it("tells its senders with their zone, so that they can be answered", function()
    need.sandbox(pending)
    local group = ipv6_group(2)
    local receiver, port = helper.bind("mcast", group .. "%veth1", 0)
    local sender = assert(lsocket.connect("mcast", group .. "%veth1", port))
    sender:send "who is there?"
    local _, address, from = helper.readable(receiver):recvfrom()
    assert.equal("fe80::12%veth1", address)
    local server = assert(lsocket.bind("udp", "::", 0))
    assert.equal(1, server:sendto("x", address, from))
  end)

  it("of a wider scope may have a zone, too", function()
    need.sandbox(pending)
    local group, listed = ipv6_group(5)
    local receiver, port = helper.bind("mcast", group .. "%veth0", 0)
    assert.is_true(joined("veth0", listed))
    local sender = assert(lsocket.connect("mcast", group .. "%veth0", port))
    sender:send "x"
    assert.equal("x", helper.readable(receiver):recv())
  end)

  it("fails where its zone does not exist", function()
    fails("ENODEV", lsocket.bind("mcast", "ff02::1234%nowhere", 0))
    fails("ENODEV", lsocket.connect("mcast", "ff02::1234%nowhere", 9))
  end)

  it("without a zone passes over loopback and interfaces without IPv6", function()
    need.tool(pending, "unshare --net true")
    local output, status = helper.run("unshare --net sh -c " .. helper.quote("ip link set lo multicast on up && " ..
      "ip link add bare0 type veth peer name bare1 && ip link set bare0 addrgenmode none up && " ..
      "ip addr add 10.14.0.1/24 dev bare0 && ip link add six0 type veth peer name six1 && " ..
      "ip link set six0 addrgenmode none up && ip link set six1 addrgenmode none up && " ..
      "ip addr add fe80::14/64 dev six0 nodad && exec " .. helper.command("group", "ff02::1234")))
    assert.same({ "received on ff02::1234%six0\n", 0 }, { output, status })
  end)

  it("without a zone fails where no interface is fit", function()
    need.tool(pending, "unshare --net true")
    local output, status = helper.run("unshare --net " .. helper.command("group", "ff02::1234"))
    assert.equal(0, status)
    assert.truthy(output:match "^failed: E%u+\n$")
  end)
end)

describe("an mcast socket", function()
  it("also receives what is sent to it alone", function()
    local receiver, port = helper.bind("mcast", "127.0.0.1", 0)
    delivers(assert(lsocket.connect("udp", "127.0.0.1", port)), receiver, "x")
  end)

  it("shares its port with other mcast sockets, not with plain ones", function()
    local first, port = helper.bind("mcast", "127.0.0.1", 0)
    assert(lsocket.bind("mcast", "127.0.0.1", port))
    fails("EADDRINUSE", lsocket.bind("udp", "127.0.0.1", port))
    first:close()
  end)

  it("leaves nothing open where joining fails", function()
    need.sandbox(pending)
    local before = process.count()
    collectgarbage "stop"
    for _ = 1, 5 do assert.is_nil((lsocket.bind("mcast", "239.1.2.8", 0))) end
    collectgarbage "restart"
    local count = 0
    for _ in pairs(process.descriptors()) do count = count + 1 end
    assert.equal(before, count)
  end)

  it("sends with a ttl of 1, or as told", function()
    need.sandbox(pending)
    need.tool(pending, helper.python "--version")
    for _, row in ipairs {
      { "239.1.2.11%lo" }, { "239.1.2.11%lo", 0 }, { "239.1.2.11%lo", 255 },
      { "ff02::1237%veth0" }, { "ff02::1237%veth0", 7 },
    } do
      -- Prints its port, then the hop limit of the datagram that comes there.
      local group, ttl = row[1], row[2]
      local receiver = io.popen(helper.python("spec/child/hops.py " .. helper.quote(group)))
      local port = assert(receiver:read())
      assert.equal(1, assert(lsocket.connect("mcast", group, port, ttl)):send "x")
      assert.equal(tostring(ttl or 1), receiver:read())
      receiver:close()
    end
  end)

  it("gives what recvfrom gives, with the true length of what was cut", function()
    local receiver, port = helper.bind("mcast", "127.0.0.1", 0)
    local sender = assert(lsocket.connect("mcast", "127.0.0.1", port))
    sender:send "0123456789"
    assert.same({ n = 4, "01", "127.0.0.1", helper.port(sender), 10 }, pack(helper.readable(receiver):recvfrom(2)))
  end)
end)

describe("the option mcastif", function()
  -- getifaddrs(3) asks a netlink socket, which it binds; nothing else is bound here.
  it("fails where the system does not tell what interfaces there are", function()
    need.injection(pending)
    local function output(failing)
      return (helper.run(helper.inject("bind", "ENOBUFS:when=" .. failing, "mcastif")))
    end
    local problem = "nil\tNo buffer space available\tENOBUFS\n"
    assert.equal(problem .. "true\nlo\n", output(1))
    assert.equal("true\ntrue\n" .. problem, output(3))
  end)
end)
