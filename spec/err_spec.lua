-- Failures: nil, the system's text and the symbol, for every text that programs may look for.
-- What each function fails for is in the spec of that function.
local lsocket = require "lsocket"
local helper = require "spec.helper"

local fails, need, pack = helper.fails, helper.need, helper.pack

after_each(helper.remove_paths)

local function udp(address) return assert(lsocket.bind("udp", address or "127.0.0.1", 0)) end

local kept = {} -- what must stay open until the failure has been seen

local causes = {
  EACCES = function() return lsocket.connect("udp", "127.255.255.255", 9) end,
  EADDRINUSE = function()
    kept[1] = lsocket.bind("127.0.0.1", 0)
    return lsocket.bind("127.0.0.1", helper.port(kept[1]))
  end,
  EADDRNOTAVAIL = function() return lsocket.bind("192.0.2.1", 0) end,
  EAFNOSUPPORT = function() return udp():sendto("x", "::1", 9) end,
  EAGAIN = function()
    local path = helper.path()
    kept[1] = assert(lsocket.bind(path, nil, 0))
    local results
    repeat
      results = pack(lsocket.connect(path))
      kept[#kept + 1] = results[1]
    until not results[1] or #kept > 20
    return (table.unpack or unpack)(results, 1, results.n) -- luacheck: ignore 143
  end,
  EAI_NONAME = function() return lsocket.resolve "1.2.3.4.5" end,
  EBADF = function()
    local sock = udp()
    sock:close()
    return sock:recv()
  end,
  ECONNREFUSED = function()
    kept[1], kept[2] = helper.refused()
    return kept[1]:status()
  end,
  ECONNRESET = function()
    local client, server = helper.tcp()
    client:send "unread"
    helper.readable(server)
    server:close()
    return helper.readable(client):recv()
  end,
  EDESTADDRREQ = function() return udp():send "x" end,
  EINVAL = function() return udp():sendto("x", "127.0.0.1", 0) end,
  EMSGSIZE = function() return udp():sendto(("x"):rep(70000), "127.0.0.1", 9) end,
  ENAMETOOLONG = function() return lsocket.bind("/" .. ("x"):rep(200)) end,
  ENODEV = function() return lsocket.bind("fe80::1%nowhere", 0) end,
  ENOENT = function() return lsocket.connect "/nowhere/at/all" end,
  ENOTCONN = function() return lsocket.bind("127.0.0.1", 0):recv() end,
  EOPNOTSUPP = function()
    kept[1] = udp()
    kept[1]:sendto("x", "127.0.0.1", helper.port(kept[1]))
    return helper.readable(kept[1]):accept()
  end,
  EPIPE = function() return lsocket.bind("127.0.0.1", 0):send "x" end,
  EPROTOTYPE = function()
    local path = helper.path()
    kept[1] = assert(lsocket.bind(path))
    return lsocket.connect("udp", path)
  end,
}

describe("a failure", function()
  for name, cause in pairs(causes) do
    it("of the kind " .. name .. " is '" .. helper.texts[name] .. "'", function()
      fails(name, cause())
      kept = {}
    end)
  end

  it("of the kind ENETUNREACH is '" .. helper.texts.ENETUNREACH .. "'", function()
    need.sandbox(pending)
    fails("ENETUNREACH", lsocket.connect("192.0.2.1", 9))
  end)

  it("of a missing permission is told as such", function()
    need.tool(pending, "unshare --user true")
    local output = helper.run("unshare --user " .. helper.command("fail", "127.0.0.1", 1))
    if output == "bound\n" then pending "everybody may bind low ports here" end
    assert.equal("nil Permission denied EACCES\n", output)
  end)

  it("has a text of our own where the system has none", function()
    assert.same({ n = 3, nil, "multicast not available for unix domain sockets", "EOPNOTSUPP" },
      pack(lsocket.bind("mcast", "/tmp/x")))
    assert.same({ n = 3, nil, "no open sockets to check and no timeout set", "EINVAL" }, pack(lsocket.select()))
    assert.same({ n = 3, nil, "an internet address needs a port", "EINVAL" }, pack(lsocket.bind "127.0.0.1"))
  end)

  it("works with assert: its text becomes the error", function()
    local ok, message = pcall(_G.assert, lsocket.bind("192.0.2.1", 0))
    assert.is_false(ok)
    assert.equal("Cannot assign requested address", message)
  end)

  it("of a look-up has a name of the resolver's", function()
    need.sandbox(pending)
    for _, call in ipairs {
      function() return lsocket.resolve "nobody.example" end,
      function() return lsocket.bind("nobody.example", 0) end,
      function() return lsocket.connect("nobody.example", 9) end,
      function() return udp():sendto("x", "nobody.example", 9) end,
    } do
      fails("EAI_NONAME", call())
    end
  end)
end)
