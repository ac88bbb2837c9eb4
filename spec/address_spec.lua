-- tobytes and toaddress: addresses as protocols carry them.
local lsocket = require "lsocket"
local helper = require "spec.helper"

local fails, raises, need = helper.fails, helper.raises, helper.need

local long = ("\0"):rep(15) .. "\1"

describe("tobytes", function()
  it("gives four bytes of an IPv4 address and sixteen of an IPv6 address", function()
    assert.equal("\127\0\0\1", lsocket.tobytes "127.0.0.1")
    assert.equal("\127\0\0\1", lsocket.tobytes "127.1")
    assert.equal("\255\255\255\255", lsocket.tobytes "255.255.255.255")
    assert.equal(long, lsocket.tobytes "::1")
    assert.equal(long, lsocket.tobytes "[::1]")
    assert.equal(("\0"):rep(10) .. "\255\255\1\2\3\4", lsocket.tobytes "::ffff:1.2.3.4")
  end)

  it("leaves the zone out", function()
    assert.equal(lsocket.tobytes "fe80::1", lsocket.tobytes "fe80::1%1")
    assert.equal(lsocket.tobytes "239.1.2.3", lsocket.tobytes "239.1.2.3%1")
    fails("ENODEV", lsocket.tobytes "fe80::1%nosuchinterface")
  end)

  it("fails for what has no such bytes; nothing is looked up", function()
    for _, text in ipairs { "localhost", "", "1.2.3.4.5", "::1::", "cafe" } do
      fails("EAI_NONAME", lsocket.tobytes(text))
    end
    for _, text in ipairs { "/tmp/x", "@name", "@" } do fails("EAFNOSUPPORT", lsocket.tobytes(text)) end
    raises("bad argument #1 to 'tobytes' (string expected, got number)", function() lsocket.tobytes(1) end)
    raises("bad argument #1 to 'tobytes' (address contains a NUL byte)", function() lsocket.tobytes "::1\0" end)
  end)
end)

describe("toaddress", function()
  it("gives the address back", function()
    for _, text in ipairs { "0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1", "2001:db8::1", "::ffff:1.2.3.4" } do
      assert.equal(text, lsocket.toaddress((lsocket.tobytes(text))))
    end
    assert.equal("97.98.99.100", lsocket.toaddress "abcd")
  end)

  it("fails for other numbers of bytes, which may have come from a peer", function()
    for length = 0, 20 do
      local address, message, name = lsocket.toaddress(("x"):rep(length))
      if length == 4 or length == 16 then assert.is_string(address)
      else assert.same({ nil, "an address has 4 or 16 bytes", "EINVAL" }, { address, message, name }) end
    end
    for _, value in ipairs { 1234, {}, true } do
      raises("bad argument #1 to 'toaddress' (string expected, got ", function() lsocket.toaddress(value) end)
    end
  end)

  it("gives what can be connected to", function()
    need.ipv6(pending)
    for _, text in ipairs { "127.0.0.1", "::1" } do
      local listener, port = helper.bind(lsocket.toaddress(lsocket.tobytes(text)), 0)
      assert.equal(text, listener:info("socket").addr)
      helper.connect_to(listener, text, port)
    end
  end)
end)
