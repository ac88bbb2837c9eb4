-- What a connection says of itself, of its peer's certificates, and the bytes that both sides have in common.
local helper = require "spec.helper"
local certs = require "spec.tls.certs"
local pair = require "spec.tls.pair"

local raises = helper.raises
local tls = certs.tls

if certs.missing(pending) then return end

local function openssl(arguments)
  local output, status = helper.run("openssl " .. arguments)
  assert(status == 0, output)
  return output
end

local function hex(bytes)
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function plain(digits) return (digits:gsub(":", ""):lower()) end

-- The seconds since 1970 of "Nov 30 04:28:13 2026 GMT".
local function seconds(text)
  return tonumber((helper.run(("date -u -d '%s' +%%s"):format(text))))
end

describe("sock:tls()", function()
  it("says what was agreed upon", function()
    for _, version in ipairs { "1.2", "1.3" } do
      local near, far = pair.connect(certs.client { max = version, alpn = { "x" } }, certs.server("good",
        { alpn = { "x" } }))
      local a, b = near:tls(), far:tls()
      for _, one in ipairs { a, b } do
        assert.equal(version, one.version)
        assert.equal("x", one.alpn)
        assert.equal("good.example", one.name)
        assert.is_false(one.resumed)
        assert.equal("string", type(one.cipher))
        assert.equal("string", type(one.group))
      end
      assert.equal(a.cipher, b.cipher)
      assert.equal(a.group, b.group)
      assert.is_true(a.verified)
      assert.is_false(b.verified)
      assert.is_false(a.server)
      assert.is_true(b.server)
    end
  end)

  it("knows nothing before the handshake, and all of it behind the end", function()
    local near, far = pair.start(certs.client(), certs.server())
    local early = near:tls()
    assert.truthy(early == nil or not early.verified)
    assert.is_nil((near:tls "peer"))
    pair.shake { near, far }
    near:shutdown "w"
    pair.recv(far)
    assert.equal("1.3", far:tls().version)
    assert.truthy(near:tls "peer")
  end)

  it("is asked for what there is", function()
    local near = pair.connect()
    raises("nonsense", near.tls, near, "nonsense")
    raises("bad argument #2", near.tls, near, {})
  end)
end)

describe("a certificate", function()
  it("is told field by field, the same as openssl says", function()
    local near = pair.connect()
    local peer = near:tls "peer"
    local path = certs.path "good.pem"
    assert.equal(plain(openssl("x509 -noout -serial -in " .. path):match "=(%x+)"), plain(peer.serial))
    assert.equal(plain(openssl("x509 -noout -fingerprint -sha256 -in " .. path):match "=([%x:]+)"),
      plain(peer.fingerprint))
    assert.equal(certs.read "good.der", peer.der)
    assert.equal(seconds(openssl("x509 -noout -enddate -in " .. path):match "=([^\n]+)"), peer.notafter)
    assert.equal(seconds(openssl("x509 -noout -startdate -in " .. path):match "=([^\n]+)"), peer.notbefore)
    assert.truthy(peer.subject:find("good", 1, true))
    assert.truthy(peer.issuer:find("spec root", 1, true))
    assert.same({ "good.example", "localhost" }, peer.names)
    assert.same({ "127.0.0.1", "::1" }, peer.addresses)
    assert.equal("sha256/" .. certs.read "good.pin", peer.pin)
  end)

  it("is the same as text, as bytes and of a connection", function()
    local near = pair.connect()
    local peer = near:tls "peer"
    assert.same(peer, tls.certificate(certs.read "good.pem"))
    assert.same(peer, tls.certificate(certs.read "good.der"))
    assert.same(peer, tls.certificate(peer.der))
    assert.same(peer, tls.certificate("text before\n" .. certs.read "good.pem"))
  end)

  it("may have no names", function()
    local one = tls.certificate(certs.read "cnonly.pem")
    assert.same({}, one.names)
    assert.same({}, one.addresses)
    assert.truthy(one.subject:find("good.example", 1, true))
  end)

  it("may have any dates", function()
    assert.equal(1577836800, tls.certificate(certs.read "expired.pem").notbefore)
    assert.equal(1609459200, tls.certificate(certs.read "expired.pem").notafter)
    assert.equal(3818448000, tls.certificate(certs.read "notyet.pem").notafter)
  end)

  it("is none where it is something else", function()
    for _, text in ipairs { "", "nothing", certs.read "leaf.key", certs.read "cut.pem", certs.read "root.crl",
      certs.read "good.der":sub(1, -2), certs.read "good.der" .. "x", ("\0"):rep(1000), "0\130" .. ("x"):rep(300) } do
      pair.fails("ETLS_PEM", nil, tls.certificate(text))
    end
    for _, wrong in ipairs { {}, true } do raises("bad argument #1", tls.certificate, wrong) end
    raises("bad argument #1", tls.certificate)
  end)

  it("comes in a chain, the peer's first", function()
    local near, far = pair.connect(certs.client(), certs.server "chain")
    local chain = near:tls "chain"
    assert.same(near:tls "peer", chain[1])
    assert.truthy(chain[2].subject:find("intermediate", 1, true))
    assert.truthy(#chain == 2 or #chain == 3 and chain[3].subject:find("spec root", 1, true))
    local none = far:tls "chain"
    assert.truthy(none == nil or #none == 0)
  end)
end)

describe("sock:export", function()
  it("gives both sides the same, and others something else", function()
    for _, version in ipairs { "1.2", "1.3" } do
      local near, far = pair.connect(certs.client { max = version })
      local other = pair.connect(certs.client { max = version })
      local one = near:export("EXPORTER-spec", 32)
      assert.equal(32, #one)
      assert.equal(one, far:export("EXPORTER-spec", 32))
      assert.equal(one, near:export("EXPORTER-spec", 32))
      assert.equal(100, #near:export("EXPORTER-spec", 100))
      local seen = { [one] = true }
      for _, another in ipairs { near:export("EXPORTER-other", 32), near:export("EXPORTER-spec", 32, "context"),
        other:export("EXPORTER-spec", 32) } do
        assert.is_nil(seen[another])
        seen[another] = true
      end
      assert.equal(near:export("EXPORTER-spec", 32, "context"), far:export("EXPORTER-spec", 32, "context"))
    end
  end)

  it("needs a finished handshake and arguments that make sense", function()
    local near = pair.start(certs.client(), certs.server())
    pair.fails("ENOTCONN", nil, near:export("EXPORTER-spec", 32))
    near = pair.connect()
    for _, length in ipairs { 0, -1, 1.5, 1e9, "x" } do
      raises("bad argument #3", near.export, near, "EXPORTER-spec", length)
    end
    raises("bad argument #2", near.export, near, {}, 32)
    raises("bad argument #4", near.export, near, "EXPORTER-spec", 32, {})
    raises("bad argument #3", near.export, near, "EXPORTER-spec")
  end)
end)

describe("sock:binding", function()
  it("is that of the exporter, with TLS 1.3 and 1.2", function()
    for _, version in ipairs { "1.2", "1.3" } do
      local near, far = pair.connect(certs.client { max = version })
      local one = near:binding "tls-exporter"
      assert.equal(32, #one)
      assert.equal(one, far:binding "tls-exporter")
      if version == "1.3" then assert.equal(near:export("EXPORTER-Channel-Binding", 32, ""), one) end
    end
  end)

  it("is that of the server's certificate", function()
    for _, version in ipairs { "1.2", "1.3" } do
      local near, far = pair.connect(certs.client { max = version })
      local told = openssl("x509 -noout -fingerprint -sha256 -in " .. certs.path "good.pem")
      local expected = plain(told:match "=([%x:]+)")
      assert.equal(expected, hex(near:binding "tls-server-end-point"))
      assert.equal(expected, hex(far:binding "tls-server-end-point"))
    end
  end)

  it("is that of the handshake, with TLS 1.2 alone", function()
    local client, server = certs.client { max = "1.2" }, certs.server()
    for _ = 1, 2 do -- the second is resumed, where the other side's message is the first
      local near, far = pair.connect(client, server)
      assert.equal(12, #near:binding "tls-unique")
      assert.equal(near:binding "tls-unique", far:binding "tls-unique")
    end
    local near = pair.connect()
    local bytes, message, name = near:binding "tls-unique"
    assert.is_nil(bytes)
    assert.equal("string", type(message))
    assert.equal("string", type(name))
    raises("nonsense", near.binding, near, "nonsense")
    near = pair.start(certs.client(), certs.server())
    pair.fails("ENOTCONN", nil, near:binding "tls-exporter")
  end)
end)

describe("a closed connection", function()
  it("has nothing to tell", function()
    local near, far = pair.connect()
    near:close()
    pair.fails("EBADF", nil, near:tls())
    pair.fails("EBADF", nil, near:tls "peer")
    pair.fails("EBADF", nil, near:export("EXPERIMENTAL", 32))
    pair.fails("EBADF", nil, near:binding "tls-exporter")
    pair.fails("EBADF", nil, near:choose(certs.server()))
    far:close()
  end)
end)
