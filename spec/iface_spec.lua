-- getinterfaces: which addresses it lists, and what it says of each. gethostname.
-- Which interface a multicast group gets is in mcast_spec.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"

local need = helper.need

local function find(address, name)
  for _, record in ipairs(assert(lsocket.getinterfaces())) do
    if record.addr == address and (not name or record.name == name) then return record end
  end
end

local function set(...)
  local flags = {}
  for _, name in ipairs { ... } do flags[name] = true end
  return flags
end

describe("getinterfaces", function()
  it("gives a list of records with name, family, address and mask", function()
    local list = assert(lsocket.getinterfaces())
    assert.is_true(#list > 0)
    for _, record in ipairs(list) do
      assert.is_string(record.name)
      assert.is_true(record.family == "inet" or record.family == "inet6")
      assert.is_string(record.addr)
      assert.is_string(record.mask)
      assert.is_true(record.index > 0)
      assert.is_table(record.flags)
      assert.equal(record.family == "inet6", record.addr:find(":") ~= nil)
      assert.equal(record.family == "inet6", record.mask:find(":") ~= nil)
    end
  end)

  it("knows the loopback interface", function()
    local record = assert(find "127.0.0.1")
    assert.equal("inet", record.family)
    assert.equal("255.0.0.0", record.mask)
    assert.is_true(record.flags.loopback)
    assert.is_true(record.flags.up)
    assert.is_nil(record.hwaddr)
    assert.is_nil(record.broadcast)
    assert.is_nil(record.peer)
  end)

  it("lists every address of an interface in a record of its own", function()
    need.sandbox(pending)
    local names = {}
    for _, record in ipairs(lsocket.getinterfaces()) do
      names[record.addr] = record.name
    end
    assert.same({ ["127.0.0.1"] = "lo", ["::1"] = "lo", ["10.11.0.1"] = "veth0", ["fd11::1"] = "veth0",
      ["fe80::11"] = "veth0", ["10.12.0.1"] = "veth1", ["fe80::12"] = "veth1" }, names)
    assert.equal(7, #lsocket.getinterfaces())
  end)

  it("says all that is known of an address", function()
    need.netlink(pending)
    need.sandbox(pending)
    local index = process.interface "veth0"
    local four, six = find "10.11.0.1", find "fd11::1"
    local hwaddr = four.hwaddr
    assert.truthy(hwaddr == nil or hwaddr:match "^%x%x:%x%x:%x%x:%x%x:%x%x:%x%x$")
    local flags = set("up", "running", "broadcast", "multicast")
    assert.same({ name = "veth0", family = "inet", addr = "10.11.0.1", mask = "255.255.255.0", index = index,
      broadcast = "10.11.0.255", hwaddr = hwaddr, flags = flags }, four)
    assert.same({ name = "veth0", family = "inet6", addr = "fd11::1", mask = "ffff:ffff:ffff:ffff::", index = index,
      hwaddr = hwaddr, flags = flags }, six)
    assert.equal("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", find("::1").mask)
  end)

  it("gives the hardware address that the system shows", function()
    need.sandbox(pending)
    need.tool(pending, "ip link show dev veth1")
    if not find("10.12.0.1").hwaddr then pending "hardware addresses are not told here" end
    local shown = helper.run "ip link show dev veth1":match "link/ether (%S+)"
    assert.equal(shown, find("10.12.0.1").hwaddr)
    assert.are_not.equal(shown, find("10.11.0.1").hwaddr)
  end)

  it("gives link-local addresses without a zone: the name stands beside", function()
    need.zones(pending)
    need.sandbox(pending)
    local record = assert(find("fe80::11", "veth0"))
    assert.equal(record.index, process.interface "veth0")
    local sock = assert(lsocket.bind("udp", record.addr .. "%" .. record.name, 0))
    assert.equal("fe80::11%veth0", sock:info("socket").addr)
  end)

  it("passes over an interface without an address", function()
    need.sandbox(pending)
    for _, record in ipairs(assert(lsocket.getinterfaces())) do assert.are_not.equal("tun0", record.name) end
  end)

  -- What spec/child/interfaces.lua prints in a network of its own, made by these commands.
  local function listed(...)
    need.tool(pending, "unshare --net ip tuntap add tun7 mode tun")
    local commands = { ... }
    commands[#commands + 1] = "exec " .. helper.command "interfaces"
    return (helper.run("unshare --net sh -c " .. helper.quote(table.concat(commands, " && "))))
  end

  local function shows(output, wanted)
    if not output:find(wanted, 1, true) then error("no '" .. wanted .. "' in\n" .. output, 2) end
  end

  -- The hardware address, as that program prints it.
  local function told(hwaddr)
    for _, record in ipairs(lsocket.getinterfaces()) do
      if record.hwaddr then return hwaddr end
    end
    return "nil" -- this system tells none
  end

  it("gives the far end of a point-to-point interface, where it has one", function()
    local output = listed("ip tuntap add tun7 mode tun", "ip link set tun7 addrgenmode none up",
      "ip addr add 10.13.0.1 peer 10.13.0.2 dev tun7", "ip addr add fd13::1 peer fd13::2 dev tun7",
      "ip addr add 10.14.0.1/24 dev tun7", "ip addr add fd14::1/64 dev tun7")
    shows(output, "tun7 inet 10.13.0.1 255.255.255.255 peer=10.13.0.2 broadcast=nil hwaddr=nil")
    shows(output, "tun7 inet6 fd13::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff peer=fd13::2 broadcast=nil hwaddr=nil")
    shows(output, "tun7 inet 10.14.0.1 255.255.255.0 peer=nil broadcast=nil hwaddr=nil")
    shows(output, "tun7 inet6 fd14::1 ffff:ffff:ffff:ffff:: peer=nil broadcast=nil hwaddr=nil")
    assert.truthy(output:find("pointopoint", 1, true))
  end)

  it("gives the broadcast address, where an address has one", function()
    need.netlink(pending)
    local output = listed("ip tuntap add tap7 mode tap", "ip link set tap7 addrgenmode none address 02:fc:00:00:00:07",
      "ip addr add 10.15.0.1/24 dev tap7", "ip addr add 10.16.0.1/23 brd + dev tap7")
    shows(output, "tap7 inet 10.15.0.1 255.255.255.0 peer=nil broadcast=nil hwaddr=" .. told "02:fc:00:00:00:07")
    shows(output, "tap7 inet 10.16.0.1 255.255.254.0 peer=nil broadcast=10.16.1.255 hwaddr=" ..
      told "02:fc:00:00:00:07")
  end)

  it("gives an address that has a label of its own under that name, with all that the interface has", function()
    need.netlink(pending)
    local output = listed("ip tuntap add tap7 mode tap", "ip link set tap7 addrgenmode none address 02:fc:00:00:00:07",
      "ip addr add 10.15.0.1/24 brd + dev tap7 label tap7:1")
    shows(output, "tap7:1 inet 10.15.0.1 255.255.255.0 peer=nil broadcast=10.15.0.255 hwaddr=" ..
      told "02:fc:00:00:00:07")
  end)

  it("gives an empty list where there is no address at all", function()
    need.tool(pending, "unshare --net true")
    assert.same({ "0 records\n", 0 }, { helper.run("unshare --net " .. helper.command "interfaces") })
  end)

  it("lists addresses that can all be bound", function()
    for _, record in ipairs(lsocket.getinterfaces()) do
      local zone = record.addr:match "^fe80:" and "%" .. record.name or ""
      assert(lsocket.bind("udp", record.addr .. zone, 0)):close()
    end
  end)

  it("ignores what it is given", function()
    assert.same(lsocket.getinterfaces(), lsocket.getinterfaces("lo", {}))
  end)

  it("gives a list that belongs to the caller", function()
    local first = lsocket.getinterfaces()
    first[1].addr = "spoilt"
    first[1].flags.up = "spoilt"
    assert.are_not.same(first, lsocket.getinterfaces())
  end)
end)

describe("gethostname", function()
  it("gives what the machine calls itself", function()
    local name = assert(lsocket.gethostname())
    assert.is_true(#name > 0)
    need.tool(pending, "uname -n")
    assert.equal(name .. "\n", (helper.run "uname -n"))
  end)
end)
