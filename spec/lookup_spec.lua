-- resolve: what it takes for an address and what for a name, and what it answers.
-- Names given to bind, connect and sendto are in the specs of those.
local lsocket = require "lsocket"
local helper = require "spec.helper"

local fails, raises, need = helper.fails, helper.raises, helper.need

local function inet(address) return { family = "inet", addr = address } end
local function inet6(address) return { family = "inet6", addr = address } end

describe("resolve", function()
  it("gives a list of records with family and address", function()
    need.sandbox(pending)
    local list = assert(lsocket.resolve "localhost")
    assert.equal(2, #list)
    table.sort(list, function(a, b) return a.family < b.family end)
    assert.same({ inet "127.0.0.1", inet6 "::1" }, list)
  end)

  it("gives each address once", function()
    need.sandbox(pending)
    assert.same({ inet "127.0.0.1" }, lsocket.resolve "twice.example")
  end)

  it("gives all addresses of a name, in the system's order", function()
    need.sandbox(pending)
    assert.same({ inet6 "fd11::77", inet "127.0.0.1" }, lsocket.resolve "halflocal.example")
    assert.same({ inet "192.0.2.1", inet "10.11.0.255" }, lsocket.resolve "halfreachable.example")
    assert.same({ inet6 "fd11::1" }, lsocket.resolve "global.example")
  end)

  it("looks up names of hex digits only", function()
    need.sandbox(pending)
    for _, name in ipairs { "db", "cafe", "fe", "feed.example" } do
      assert.same({ inet "127.0.0.1" }, lsocket.resolve(name))
    end
    assert.same({ inet "127.0.0.2" }, lsocket.resolve "0xcafe.example")
  end)

  it("takes numeric addresses as they are", function()
    for text, address in pairs { ["127.0.0.1"] = "127.0.0.1", ["192.0.2.1"] = "192.0.2.1", ["0.0.0.0"] = "0.0.0.0",
      ["255.255.255.255"] = "255.255.255.255", ["127.1"] = "127.0.0.1", ["0x7f.1"] = "127.0.0.1",
      ["2130706433"] = "127.0.0.1", ["0"] = "0.0.0.0" } do
      assert.same({ inet(address) }, lsocket.resolve(text))
    end
    for text, address in pairs { ["::1"] = "::1", ["[::1]"] = "::1", ["::"] = "::", ["2001:DB8::0:1"] = "2001:db8::1",
      ["::ffff:127.0.0.1"] = "::ffff:127.0.0.1" } do
      assert.same({ inet6(address) }, lsocket.resolve(text))
    end
  end)

  it("keeps the zone of an address", function()
    need.sandbox(pending)
    assert.same({ inet6 "fe80::1%veth0" }, lsocket.resolve "fe80::1%veth0")
    fails("ENODEV", lsocket.resolve "fe80::1%nowhere")
  end)

  it("never looks up what is made of digits and dots alone", function()
    for _, name in ipairs { "1.2.3.4.5", "999.1.1.1", "1..2", ".", "127.0.0.1.", "4294967296" } do
      fails("EAI_NONAME", lsocket.resolve(name))
    end
  end)

  it("fails for what is no name", function()
    for _, name in ipairs { "", "::1::", "1:2", "a:b", "[]", "[::1", "::1]", "/tmp/x", "a/b", "@name" } do
      local list, message, symbol = lsocket.resolve(name)
      assert.is_nil(list, name)
      assert.is_string(message)
      assert.equal("EAI_NONAME", symbol)
    end
    fails("ENAMETOOLONG", lsocket.resolve(("x"):rep(1025)))
    fails("ENAMETOOLONG", lsocket.resolve(("x"):rep(1000000)))
  end)

  it("fails with the resolver's message for a name that nobody has", function()
    need.sandbox(pending)
    fails("EAI_NONAME", lsocket.resolve "nobody.example")
    fails("EAI_NONAME", lsocket.resolve(("x"):rep(300) .. ".example"))
  end)

  it("raises for what is no string, or has a NUL in it", function()
    raises("bad argument #1 to 'resolve' (string expected, got no value)", function() lsocket.resolve() end)
    raises("bad argument #1 to 'resolve' (string expected, got nil)", function() lsocket.resolve(nil) end)
    raises("bad argument #1 to 'resolve'", function() lsocket.resolve(127) end)
    raises("bad argument #1 to 'resolve'", function() lsocket.resolve {} end)
    raises("address contains a NUL byte", function() lsocket.resolve "localhost\0" end)
    raises("address contains a NUL byte", function() lsocket.resolve "127.0.0.1\0.example" end)
  end)

  it("gives addresses that can be bound and connected to", function()
    need.sandbox(pending)
    for _, record in ipairs(lsocket.resolve "localhost") do
      local listener, port = helper.bind(record.addr, 0)
      helper.connect_to(listener, record.addr, port)
      assert.equal(record.family, listener:info().family)
    end
  end)
end)
