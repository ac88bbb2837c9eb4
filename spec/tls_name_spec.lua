-- Servers with several names, servers that ask the program, and clients that know a key.
local helper = require "spec.helper"
local certs = require "spec.tls.certs"
local cable = require "spec.tls.cable"
local pair = require "spec.tls.pair"

local pack, raises = helper.pack, helper.raises
local unpack = table.unpack or unpack -- luacheck: ignore 143
local tls = certs.tls

if certs.missing(pending) then return end

local function entry(names, file, key)
  return { names = names, certfile = certs.path(file .. ".pem"), keyfile = certs.path((key or "leaf") .. ".key") }
end

-- The subject of the certificate that a client gets for a name.
local function subject(server, name, options)
  options = options or {}
  options.verify = false
  local near, far = pair.connect(certs.client(options), server, name or false)
  if name and name ~= "127.0.0.1" then assert.equal(name:lower(), far:tls().name:lower()) end
  return near:tls "peer".subject:match "CN ?= ?([%w%.]+)"
end

describe("a server with several certificates", function()
  local function server(options)
    options = options or {}
    options.certificates = { entry({ "a.example" }, "a"), entry({ "*.b.example", "b.example" }, "b") }
    return certs.server("good", options)
  end

  it("has one for each name", function()
    local context = server()
    for name, file in pairs { ["a.example"] = "a", ["A.EXAMPLE"] = "a", ["x.b.example"] = "b", ["b.example"] = "b",
      ["good.example"] = "good" } do
      assert.equal(file, subject(context, name), name)
    end
    pair.connect(certs.client(), context, "a.example")
    pair.connect(certs.client(), context, "www.b.example")
    pair.connect(certs.client(), context, "good.example")
  end)

  it("has its first one for all others, and for those who name none", function()
    local context = server()
    for _, name in ipairs { "x.a.example", "x.y.b.example", "unknown.example", "127.0.0.1", "example" } do
      assert.equal("good", subject(context, name), name)
    end
    assert.equal("good", subject(context))
  end)

  it("needs no first one of its own", function()
    local context = assert(tls.server { certificates = { entry({ "a.example" }, "a"), entry({ "*.b.example" }, "b") } })
    assert.equal("a", subject(context, "a.example"))
    assert.equal("b", subject(context, "x.b.example"))
    assert.equal("a", subject(context, "unknown.example"))
  end)

  it("may refuse names that it does not know", function()
    for _, version in ipairs { "1.2", "1.3" } do
      local context = server { strict = true }
      assert.equal("a", subject(context, "a.example", { max = version }))
      local near, far = pair.try(certs.client { verify = false, max = version }, context, "unknown.example")
      pair.fails("ETLS_ALERT", "unrecognized name", unpack(near, 1, near.n))
      pair.fails("ETLS_NAME", "unknown.example", unpack(far, 1, far.n))
    end
  end)

  it("may have two kinds of key for one name", function()
    local context = assert(tls.server { certificates = { entry({ "good.example" }, "good"),
      entry({ "good.example" }, "rsa", "rsa") } })
    local function kind(ciphers)
      return (subject(context, "good.example", { max = "1.2", ciphers = ciphers }))
    end
    assert.equal("good", kind "ECDHE-ECDSA-AES128-GCM-SHA256")
    assert.equal("rsa", kind "ECDHE-RSA-AES128-GCM-SHA256")
  end)

  it("says which of them is wrong", function()
    local context, message, name = tls.server { certificates = { entry({ "a.example" }, "a"),
      entry({ "b.example" }, "b", "other") } }
    assert.is_nil(context)
    assert.equal("ETLS_KEY", name)
    assert.truthy(message:find("other.key", 1, true), message)
    raises("certificates", tls.server, { certificates = {} })
    raises("certificates", tls.server, { certificates = { entry({}, "a") } })
    raises("certificates", tls.server, { certificates = { entry({ 1 }, "a") } })
    raises("certificates", tls.server, { certificates = { entry("a.example", "a") } })
    local wrong = entry({ "a.example" }, "a")
    wrong.nonsense = 1
    raises("nonsense", tls.server, { certificates = { wrong } })
  end)

  it("has ALPN and client certificates for each", function()
    local context = server { alpn = { "x" }, clients = "require", cafile = certs.path "client_root.pem" }
    for _, name in ipairs { "a.example", "z.b.example", "good.example" } do
      local near, far = pair.connect(certs.client(certs.with("known", { alpn = { "x" } })), context, name)
      assert.equal("x", near:tls().alpn)
      assert.is_true(far:tls().verified)
      far = select(2, pair.try(certs.client(), context, name))
      pair.fails("ETLS_NOCERT", nil, unpack(far, 1, far.n))
    end
  end)

  it("resumes under each name what was begun under it", function()
    local near, far = certs.client(), server()
    for _ = 1, 2 do
      for _, name in ipairs { "a.example", "x.b.example" } do
        local a, b = pair.connect(near, far, name)
        pair.passes(b, a)
      end
    end
    for _, name in ipairs { "a.example", "x.b.example" } do
      local a = pair.connect(near, far, name)
      assert.is_true(a:tls().resumed)
    end
  end)
end)

describe("a server that asks", function()
  local contexts
  before_each(function()
    contexts = { ["a.example"] = certs.server "a", ["x.b.example"] = certs.server "b" }
  end)

  it("says what the client wants, and takes what is chosen", function()
    for _, version in ipairs { "1.2", "1.3" } do
      for name, context in pairs(contexts) do
        local near, far = pair.start(certs.client { max = version, alpn = { "h2", "x" } },
          certs.server("good", { ask = true }), name)
        local asked = 0
        local results = pair.shake({ near, far }, function(sock)
          assert.equal(far, sock)
          local hello = sock:tls "hello"
          assert.equal(name, hello.name)
          assert.same({ "h2", "x" }, hello.alpn)
          assert.truthy(table.concat(hello.versions, " "):find("1.2", 1, true))
          assert.equal(version == "1.3", table.concat(hello.versions, " "):find("1.3", 1, true) ~= nil)
          assert.same({ n = 2, false, "hello" }, pack(sock:handshake())) -- as often as it is called
          assert.same({ n = 1, true }, pack(sock:choose(context)))
          asked = asked + 1
        end)
        assert.equal(1, asked)
        assert.is_true(results[near][1])
        assert.is_true(results[far][1])
        pair.passes(near, far)
        pair.passes(far, near)
      end
    end
  end)

  it("may take its time, while others go on", function()
    local near, far = pair.start(certs.client(), certs.server("good", { ask = true }), "a.example")
    near:handshake()
    assert.same({ n = 2, false, "hello" }, pack(far:handshake()))
    pair.connect()
    collectgarbage()
    assert.is_false(helper.is_readable(near, 0))
    pair.fails("ENOTCONN", nil, far:recv())
    assert(far:choose(contexts["a.example"]))
    local results = pair.shake { near, far }
    assert.is_true(results[near][1])
  end)

  it("hears of a client that names nothing", function()
    local near, far = pair.start(certs.client { verify = false }, certs.server("good", { ask = true }), false)
    local results = pair.shake({ near, far }, function(sock)
      local hello = sock:tls "hello"
      assert.is_nil(hello.name)
      assert.truthy(hello.alpn == nil or #hello.alpn == 0)
      assert(sock:choose(contexts["a.example"]))
    end)
    assert.is_true(results[near][1])
  end)

  it("may choose itself, and may give up", function()
    local itself = certs.server("good", { ask = true })
    local near, far = pair.start(certs.client(), itself)
    local results = pair.shake({ near, far }, function(sock) assert(sock:choose(itself)) end)
    assert.is_true(results[near][1])
    near, far = pair.start(certs.client(), itself)
    near:handshake()
    assert.equal("hello", select(2, far:handshake()))
    far:close()
    assert.is_nil((near:handshake()))
    near, far = pair.start(certs.client(), itself)
    near:handshake()
    assert.equal("hello", select(2, far:handshake()))
    near:close()
    assert(far:choose(contexts["a.example"]))
    pair.until_done(far, "r", function() return far:handshake() end)
  end)

  it("chooses only then, and only servers' contexts", function()
    local near, far = pair.start(certs.client(), certs.server("good", { ask = true }))
    pair.fails("EINVAL", nil, far:choose(contexts["a.example"]))
    near:handshake()
    far:handshake()
    for _, wrong in ipairs { 1, {}, "x", certs.client() } do raises("bad argument #2", far.choose, far, wrong) end
    raises("bad argument #2", far.choose, far)
    pair.fails("EINVAL", nil, near:choose(contexts["a.example"]))
    assert(far:choose(certs.server()))
    local results = pair.shake { near, far }
    assert.is_true(results[near][1])
    pair.fails("EINVAL", nil, far:choose(contexts["a.example"]))
  end)

  it("asks once the whole hello has come, in pieces as small as can be", function()
    local line = cable.new(certs.client(), certs.server("good", { ask = true }), { host = "a.example" })
    line.client:handshake()
    for _ = 1, line:waiting "up" do
      assert.same({ n = 2, false, "r" }, pack(line.server:handshake()))
      line:pass("up", 1)
    end
    assert.same({ n = 2, false, "hello" }, pack(line.server:handshake()))
    assert(line.server:choose(contexts["a.example"]))
    local near, far = line:shake(1)
    assert.is_true(near[1])
    assert.is_true(far[1])
  end)

  it("resumes, but not past what the chosen one demands", function()
    local asking, client = certs.server("good", { ask = true }), certs.client()
    local open = certs.server()
    local strict = certs.server("good", { clients = "require", cafile = certs.path "client_root.pem" })
    local function try(context)
      local near, far = pair.start(client, asking)
      local results = pair.shake({ near, far }, function(sock) assert(sock:choose(context)) end)
      if results[far][1] then pair.passes(far, near) end
      return results[far], far
    end
    assert.is_true(try(open)[1])
    assert.is_true(try(open)[1])
    pair.fails("ETLS_NOCERT", nil, unpack(try(strict), 1, 3))
    pair.fails("ETLS_NOCERT", nil, unpack(try(strict), 1, 3))
    assert.is_true(try(open)[1])
  end)

  it("makes the chosen one's demands of the client", function()
    local strict = certs.server("good", { clients = "require", cafile = certs.path "client_root.pem", alpn = { "x" } })
    local asking = certs.server("good", { ask = true })
    local function choose(sock) assert(sock:choose(strict)) end
    local near, far = pair.start(certs.client { alpn = { "x" } }, asking)
    pair.fails("ETLS_NOCERT", nil, unpack(pair.shake({ near, far }, choose)[far], 1, 3))
    near, far = pair.start(certs.client(certs.with("known", { alpn = { "x" } })), asking)
    assert.is_true(pair.shake({ near, far }, choose)[far][1])
    assert.equal("x", far:tls().alpn)
    assert.is_true(far:tls().verified)
  end)
end)

describe("a pin", function()
  local right, wrong = nil, "sha256/" .. ("A"):rep(43) .. "="
  before_each(function() right = "sha256/" .. certs.read "good.pin" end)

  it("is asked for in addition", function()
    pair.connect(certs.client { pins = { right } })
    pair.connect(certs.client { pins = { wrong, right } })
    for _, version in ipairs { "1.2", "1.3" } do
      local near, far = pair.try(certs.client { pins = { wrong }, max = version }, certs.server())
      pair.fails("ETLS_PIN", nil, unpack(near, 1, near.n))
      pair.fails("ETLS_ALERT", nil, unpack(far, 1, far.n))
    end
    local near = pair.try(certs.client { pins = { right } }, certs.server "expired")
    pair.fails("ETLS_EXPIRED", nil, unpack(near, 1, near.n))
    near = pair.try(certs.client { pins = { right } }, certs.server "other")
    pair.fails("ETLS_NAME", nil, unpack(near, 1, near.n))
  end)

  it("is all that is asked for where nothing is verified", function()
    pair.connect(certs.client { pins = { right }, verify = false }, certs.server "self", false)
    pair.connect(certs.client { pins = { right }, verify = false }, certs.server "expired", "other.example")
    local near = pair.try(certs.client { pins = { right }, verify = false }, certs.server("otherkey", nil, "other"))
    pair.fails("ETLS_PIN", nil, unpack(near, 1, near.n))
  end)

  it("is what a connection says of its peer", function()
    local near = pair.connect()
    assert.equal(right, near:tls "peer".pin)
  end)
end)
