-- join and leave: which interface, which senders, what fails. What bind and connect do with a group is in mcast_spec;
-- what needs a second host is in link_spec.
local lsocket = require "lsocket"
local groups = require "spec.groups"
local helper = require "spec.helper"

local fails, need = helper.fails, helper.need
local joined = groups.joined

local function ipv4() return helper.bind("udp", "0.0.0.0", 0) end
local function ipv6() return helper.bind("udp", "::", 0) end

local function send(group, port, text)
  assert.equal(#text, assert(lsocket.connect("mcast", group, port)):send(text))
end

local function receives(sock, text)
  assert.equal(text, (helper.readable(sock):recv()))
end

describe("join", function()
  it("takes the interface by name, index, address, or as the group's zone", function()
    need.groups(pending)
    need.sandbox(pending)
    local sock = ipv4()
    local sock6 = ipv6()
    local index
    for _, record in ipairs(lsocket.getinterfaces()) do
      if record.name == "veth1" then index = record.index end
    end
    for _, interface in ipairs {
      "veth1", index, tostring(index), "10.12.0.1", "fe80::12", "fe80::12%veth1", "[fe80::12]",
    } do
      local group, listed = groups.ipv4()
      assert.is_true(sock:join(group, interface))
      assert.is_true(joined("veth1", listed))
      assert.is_false(joined("veth0", listed))
      group, listed = groups.ipv6(5)
      assert.is_true(sock6:join(group, interface))
      assert.is_true(joined("veth1", listed))
      assert.is_false(joined("veth0", listed))
    end
    for _, zone in ipairs { "%veth1", "%" .. index } do
      local group, listed = groups.ipv4()
      assert.is_true(sock:join(group .. zone))
      assert.is_true(joined("veth1", listed))
      group, listed = groups.ipv6(5)
      assert.is_true(sock6:join(group .. zone, "veth1"))
      assert.is_true(joined("veth1", listed))
    end
  end)

  it("without an interface takes the first that is fit for an IPv6 group of link scope", function()
    need.groups(pending)
    need.sandbox(pending)
    local sock = ipv6()
    local group, listed = groups.ipv6(2)
    assert.is_true(sock:join(group))
    assert.is_true(joined("veth0", listed))
    assert.is_true(sock:leave(group))
    assert.is_false(joined("veth0", listed))
  end)

  it("without an interface leaves the choice to the routes", function()
    need.sandbox(pending)
    local sock = ipv4()
    fails("ENODEV", sock:join "239.1.2.200") -- there is none for groups
    need.tool(pending, "unshare --net true")
    assert.same({ "joined on ship: true\nleft: true\n", 0 }, { helper.run("unshare --net sh -c " .. helper.quote(
      "ip link set lo up && ip link add ship type veth peer name shore && ip addr add 10.14.0.1/24 dev ship && " ..
      "ip link set shore up && ip link set ship up && ip route add 224.0.0.0/4 dev ship && exec " ..
      helper.command("join", "239.1.2.3", "ship"))) })
  end)

  it("holds until leave, or until the socket is closed", function()
    need.groups(pending)
    need.sandbox(pending)
    local group, listed = groups.ipv4()
    local sock = ipv4()
    assert.is_true(sock:join(group, "veth0"))
    assert.is_true(sock:join(group, "veth1"))
    assert.is_true(sock:leave(group, "veth0"))
    assert.is_false(joined("veth0", listed))
    assert.is_true(joined("veth1", listed))
    sock:close()
    assert.is_false(joined("veth1", listed))
  end)

  it("lets one socket hear several groups, and no others", function()
    need.groups(pending)
    need.sandbox(pending)
    for any, new in pairs { ["0.0.0.0"] = groups.ipv4, ["::"] = function() return groups.ipv6(2) end } do
      local sock, port = helper.bind { type = "udp", address = any, port = 0, reuseaddr = true }
      local first, second, foreign = new(), new(), new()
      local other = assert(lsocket.bind { type = "udp", address = any, port = port, reuseaddr = true })
      assert.is_true(other:join(foreign, "veth0"))
      assert.is_true(sock:join(first, "veth0"))
      assert.is_true(sock:join(second, "veth1"))
      send(foreign .. "%veth0", port, "foreign")
      send(first .. "%veth0", port, "first")
      receives(sock, "first")
      send(second .. "%veth1", port, "second")
      receives(sock, "second")
      assert.is_false(helper.is_readable(sock))
      receives(other, "foreign")
    end
  end)

  it("of an IPv4 group works on an IPv6 socket, too", function()
    need.sandbox(pending)
    local group, listed = groups.ipv4()
    local sock, port = ipv6()
    local sent = pcall(function() assert(sock:join(group, "veth0")) end)
    if not sent then pending "the system does not let IPv6 sockets join IPv4 groups" end
    assert.is_true(joined("veth0", listed))
    send(group .. "%veth0", port, "x")
    local data, address = helper.readable(sock):recvfrom()
    assert.same({ "x", "::ffff:10.11.0.1" }, { data, address })
    assert.is_true(sock:leave(group, "veth0"))
  end)

  it("makes the socket a multicast one in info", function()
    need.groups(pending)
    need.sandbox(pending)
    local sock = ipv4()
    assert.is_false(sock:info().multicast)
    assert.is_nil((sock:join("239.1.2.201", "nowhere")))
    assert.is_false(sock:info().multicast)
    assert.is_true(sock:join("239.1.2.201", "lo"))
    assert.is_true(sock:info().multicast)
  end)

  it("works beside bind's mcast, which is a join of its own", function()
    need.groups(pending)
    need.sandbox(pending)
    local group, listed = groups.ipv4()
    local sock = assert(lsocket.bind("mcast", group .. "%veth0", 0))
    fails("EADDRINUSE", sock:join(group, "veth0"))
    assert.is_true(sock:join(group, "veth1"))
    assert.is_true(sock:leave(group, "veth0"))
    assert.is_false(joined("veth0", listed))
    assert.is_true(joined("veth1", listed))
  end)
end)

describe("join for a single sender", function()
  it("takes several, one by one, and leaves them so", function()
    need.sandbox(pending)
    for _, row in ipairs {
      { ipv4, groups.ipv4, "10.11.0.1", "10.11.0.9" },
      { ipv6, function() return groups.ipv6(5) end, "fd11::1", "fd11::9" },
    } do
      local sock, group, listed = row[1](), row[2]()
      local one, other = row[3], row[4]
      local ok, _, name = sock:join(group, "veth0", one)
      if name == "ENOPROTOOPT" then pending "the system knows no source-specific groups for IPv6" end
      assert.is_true(ok)
      assert.is_true(sock:join(group, "veth0", other))
      fails("EADDRNOTAVAIL", sock:join(group, "veth0", one))
      fails("EADDRINUSE", sock:join(group, "veth0"))
      assert.is_true(sock:leave(group, "veth0", other))
      fails("EADDRNOTAVAIL", sock:leave(group, "veth0", other))
      assert.is_true(joined("veth0", listed))
      assert.is_true(sock:leave(group, "veth0", one))
      assert.is_false(joined("veth0", listed))
    end
  end)

  it("is ended by leaving the whole group", function()
    need.groups(pending)
    need.sandbox(pending)
    local group, listed = groups.ipv4()
    local sock = ipv4()
    assert.is_true(sock:join(group, "veth0", "10.11.0.1"))
    assert.is_true(sock:leave(group, "veth0"))
    assert.is_false(joined("veth0", listed))
  end)

  it("finds the interface by the routes where none is given", function()
    need.sandbox(pending)
    local group = groups.ipv6(5)
    local sock = ipv6()
    local ok, _, name = sock:join(group, nil, "fd11::1")
    if name == "ENOPROTOOPT" then pending "the system knows no source-specific groups for IPv6" end
    assert.is_true(ok)
    assert.is_true(sock:leave(group, nil, "fd11::1"))
  end)
end)

describe("join and leave fail", function()
  local function both(name, sock, ...)
    fails(name, sock:join(...))
    fails(name, sock:leave(...))
  end

  it("with what is no group", function()
    local sock = ipv4()
    for _, text in ipairs { "10.1.1.1", "0.0.0.0", "255.255.255.255", "223.255.255.255", "fe80::1", "/tmp/x" } do
      both("EINVAL", sock, text)
    end
    for _, text in ipairs { "", "localhost", "239.1.2.3.4", "239.1.2.3:9", "ff02::1::" } do
      both("EAI_NONAME", sock, text)
    end
  end)

  it("with an interface that is not there", function()
    need.groups(pending)
    local sock = ipv4()
    both("ENODEV", sock, "239.1.2.3", "nowhere")
    both("ENODEV", sock, "239.1.2.3", "")
    both("ENODEV", sock, "239.1.2.3%nowhere")
    fails("ENODEV", sock:join("239.1.2.3", 2 ^ 31 - 1))
    both("EADDRNOTAVAIL", sock, "239.1.2.3", "192.0.2.1")
    both("EADDRNOTAVAIL", sock, "239.1.2.3", "2001:db8::1")
  end)

  it("with an interface that contradicts the zone", function()
    need.sandbox(pending)
    both("EINVAL", ipv4(), "239.1.2.3%veth0", "veth1")
    both("EINVAL", ipv6(), "ff02::1:3%veth0", "veth1")
  end)

  it("with families that do not go together", function()
    both("EAFNOSUPPORT", ipv4(), "ff02::1:3", 1)
    both("EAFNOSUPPORT", ipv4(), "239.1.2.3", 1, "::1")
    both("EAFNOSUPPORT", ipv6(), "ff02::1:3", 1, "127.0.0.1")
  end)

  it("with a source that is no address", function()
    both("EAI_NONAME", ipv4(), "239.1.2.3", 1, "localhost")
    both("EAFNOSUPPORT", ipv4(), "239.1.2.3", 1, "/tmp/x")
  end)

  it("on streams and unix sockets", function()
    both("EOPNOTSUPP", assert(lsocket.bind("127.0.0.1", 0)), "239.1.2.3", 1)
    local path = helper.path()
    both("EOPNOTSUPP", assert(lsocket.bind("udp", path)), "239.1.2.3", 1)
    helper.remove_paths()
  end)

  it("on a closed socket", function()
    local sock = ipv4()
    sock:close()
    both("EBADF", sock, "239.1.2.3", 1)
  end)

  it("beyond the system's limits", function()
    need.groups(pending)
    need.sandbox(pending)
    local sock, name = ipv4(), nil
    for i = 1, 255 do
      if not name then name = select(3, sock:join("239.1.3." .. i, "lo")) end
    end
    if not name then pending "the system has no such limit" end
    assert.equal("ENOBUFS", name)
    assert.is_true(sock:leave("239.1.3.1", "lo"))
    assert.is_true(sock:join("239.1.3.255", "lo")) -- room again
  end)

  it("twice", function()
    need.groups(pending)
    need.sandbox(pending)
    local sock = ipv4()
    fails("EADDRNOTAVAIL", sock:leave("239.1.2.202", "lo"))
    assert.is_true(sock:join("239.1.2.202", "lo"))
    fails("EADDRINUSE", sock:join("239.1.2.202", "lo"))
    assert.is_true(sock:leave("239.1.2.202", "lo"))
    fails("EADDRNOTAVAIL", sock:leave("239.1.2.202", "lo"))
  end)

  it("with wrong types by raising", function()
    local sock = ipv4()
    for expected, arguments in pairs {
      ["#1 to 'leave' (string expected, got nil)"] = { n = 1 },
      ["#1 to 'leave' (address contains a NUL byte)"] = { n = 1, "239.1.2.3\0" },
      ["#2 to 'leave' (interface name, index or address expected, got boolean)"] = { n = 2, "239.1.2.3", true },
      ["#2 to 'leave' (interface must be an integer from 1 to 2147483647)"] = { n = 2, "239.1.2.3", 0 },
      ["#2 to 'leave' (interface contains a NUL byte)"] = { n = 2, "239.1.2.3", "lo\0" },
      ["#3 to 'leave' (string expected, got number)"] = { n = 3, "239.1.2.3", 1, 7 },
    } do
      helper.raises("bad argument " .. expected, function()
        sock:leave((unpack or table.unpack)(arguments, 1, arguments.n)) -- luacheck: ignore 143
      end)
      helper.raises(("bad argument " .. expected):gsub("leave", "join"), function()
        sock:join((unpack or table.unpack)(arguments, 1, arguments.n)) -- luacheck: ignore 143
      end)
    end
  end)
end)

describe("Python", function()
  local function needs()
    need.sandbox(pending)
    need.tool(pending, helper.python "--version")
  end

  local function python(mode, group, interface, port)
    local arguments = table.concat({ mode, group, interface, port }, " ")
    return assert(io.popen(helper.python("spec/child/group.py " .. arguments)))
  end

  it("receives what is sent to a group on its interface", function()
    need.groups(pending)
    needs()
    for here, elsewhere in pairs { veth0 = "veth1", veth1 = "veth0" } do
      for group, sender in pairs { [groups.ipv4()] = "10.1", [groups.ipv6(2)] = "fe80" } do
        local receiver = python("receive", group, here)
        local port = tonumber(receiver:read())
        send(group .. "%" .. elsewhere, port, "elsewhere")
        send(group .. "%" .. here, port, "hello")
        send(group .. "%" .. here, port, "end")
        for _, text in ipairs { "hello", "end" } do
          local data, address = receiver:read():match "^(%S+) (%S+)$"
          assert.equal(text, data)
          assert.equal(sender, address:sub(1, #sender))
        end
        receiver:close()
      end
    end
  end)

  it("sends to a group on its interface", function()
    need.groups(pending)
    needs()
    for any, group in pairs { ["0.0.0.0"] = groups.ipv4(), ["::"] = groups.ipv6(2) } do
      local sock, port = helper.bind("udp", any, 0)
      assert.is_true(sock:join(group, "veth0"))
      python("send", group, "veth1", port):close()
      assert.is_false(helper.is_readable(sock))
      python("send", group, "veth0", port):close()
      receives(sock, "veth0")
      assert.is_true(sock:join(group, "veth1"))
      python("send", group, "veth1", port):close()
      receives(sock, "veth1")
    end
  end)
end)
