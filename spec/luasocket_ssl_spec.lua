-- LuaSec's interface: contexts by its parameters, connections, certificates, outside of a loop and in tasks.
local helper = require "spec.helper"
local certs = require "spec.tls.certs"
local loop = require "lsocket.loop"

if certs.missing(pending) then return end

local socket = require "lsocket.luasocket"
local ssl = require "lsocket.luasocket.ssl"

local raises = helper.raises
local path = certs.path

-- ---- connections both of whose ends are here ----

-- Two connected sockets of LuaSocket's kind: client, server.
local function sockets(host)
  local listener = assert(socket.tcp4())
  assert(listener:bind("127.0.0.1", 0))
  assert(listener:listen())
  local _, port = listener:getsockname()
  local near = assert(socket.tcp4())
  assert(near:connect(host or "127.0.0.1", port))
  local far = assert(listener:accept())
  listener:close()
  return near, far
end

local function with(defaults, params)
  for name, value in pairs(params or {}) do defaults[name] = value end
  return defaults
end

local function client_params(params)
  return with({ mode = "client", protocol = "any", verify = "peer", cafile = path "root.pem" }, params)
end

local function server_params(params)
  return with({ mode = "server", protocol = "any", certificate = path "good.pem", key = path "leaf.key" }, params)
end

-- Two connections that have not spoken: client, server
local function start(client, server, host)
  local near, far = sockets()
  near = assert(ssl.wrap(near, client_params(client)))
  far = assert(ssl.wrap(far, server_params(server)))
  if host ~= false then near:sni(host or "good.example") end
  return near, far
end

-- One step of a handshake that may not wait: its results, where it has come to an end.
local function step(conn)
  local got = helper.pack(conn:dohandshake())
  return got[2] ~= "wantread" and got[2] ~= "wantwrite" and got
end

-- Calls dohandshake of both until each is done; one that has failed is closed: client's results, server's results
local function shake(near, far)
  local results = {}
  for _, conn in ipairs { near, far } do conn:settimeout(0) end
  helper.eventually("the handshake", function()
    for _, conn in ipairs { near, far } do
      results[conn] = results[conn] or step(conn)
      if results[conn] and not results[conn][1] then conn:close() end
    end
    return results[near] and results[far]
  end)
  for _, conn in ipairs { near, far } do conn:settimeout(helper.patience) end
  return results[near], results[far]
end

local function try(client, server, host)
  return shake(start(client, server, host))
end

-- A connection whose handshake has finished: client, server
local function connect(client, server, host)
  local near, far = start(client, server, host)
  local here, there = shake(near, far)
  assert(here[1], here[2])
  assert(there[1], there[2])
  return near, far
end

local function fails(name, text, results)
  assert.is_false(results[1])
  assert.truthy(tostring(results[2]):find(text, 1, true), results[2])
  assert.equal(name, results[3])
end

after_each(helper.remove_paths)

-- ---- what is verified ----

describe("a client of LuaSec", function()
  it("that verifies its peer checks the name that it gave to sni", function()
    local here = try({}, {}, "good.example")
    assert.same({ true, n = 1 }, here)
    fails("ETLS_NAME", "hostname mismatch", (try({}, {}, "other.example")))
  end)

  it("checks the host that it has connected to, without one", function()
    fails("ETLS_NAME", "IP address mismatch", (try({}, { certificate = path "wildcard.pem" }, false)))
    assert.is_true(connect({}, {}, false):getpeerverification())
  end)

  it("that knows no name does not go on", function()
    local near = assert(ssl.wrap(socket.tcp4(), client_params()))
    assert.same({ false, "no name to verify the certificate for: call sni" }, { near:dohandshake() })
  end)

  it("trusts no root but its own", function()
    fails("ETLS_UNTRUSTED", "unable to get local issuer", (try { cafile = path "other.pem" }))
  end)

  it("checks nothing with verify = \"none\", or without it", function()
    for _, verify in ipairs { "none", false } do
      local near = connect({ verify = verify, cafile = false }, {}, "other.example")
      assert.same({ false, "not verified" }, { near:getpeerverification() })
    end
  end)

  it("shows its certificate to a server that asks for it", function()
    local server = { verify = { "peer", "fail_if_no_peer_cert" }, cafile = path "root.pem" }
    local _, there = try({}, server)
    fails("ETLS_NOCERT", "", there)
    local near, far = connect({ certificate = path "client.pem", key = path "leaf.key" }, server)
    assert.is_true(far:getpeerverification())
    assert.equal("client", far:getpeercertificate():subject()[1].value)
    near:close()
    near, far = connect({}, { verify = "peer", cafile = path "root.pem" })
    assert.is_nil(far:getpeercertificate())
    assert.same({}, far:getpeerchain())
    near:close()
  end)
end)

-- ---- data ----

describe("a connection of LuaSec", function()
  it("passes nothing before the handshake", function()
    local near, far = start()
    assert.same({ nil, "closed", 0 }, { near:send "secret" })
    assert.same({ nil, "closed", "so far" }, { near:receive("*l", "so far") })
    assert.same({ nil, "closed" }, { near:info() })
    assert.same({ nil, "closed" }, { near:getpeercertificate() })
    near:settimeout(0)
    assert.same({ false, "wantread" }, { near:dohandshake() })
    assert.equal("read", near:want())
    assert.same({ nil, "closed", 0 }, { near:send "secret" })
    near:close()
    far:close()
  end)

  it("passes nothing after one that has failed", function()
    local near, far = start({}, {}, "other.example")
    near:settimeout(0)
    far:settimeout(0)
    local ok, text
    helper.eventually("the failure", function()
      ok, text = near:dohandshake()
      far:dohandshake()
      return text ~= "wantread"
    end)
    assert.is_false(ok)
    assert.same({ nil, "closed", 0 }, { near:send "secret" })
    assert.same({ false, text, "ETLS_NAME" }, { near:dohandshake() })
    near:close()
    assert.same({ false, "closed" }, { near:dohandshake() })
    assert.equal("nothing", near:want())
    assert.equal(-1, near:getfd())
  end)

  it("receives as LuaSocket does, and says what it would have waited for", function()
    local near, far = connect()
    assert.equal(13, far:send "hello\r\nworld\n")
    assert.equal("hello", near:receive "*l")
    assert.is_true(near:dirty())
    assert.equal("wor", near:receive(3))
    assert.equal("ald", near:receive(3, "a"))
    assert.equal("", near:receive())
    near:settimeout(0)
    assert.same({ nil, "wantread", "" }, { near:receive(5) })
    near:settimeout(0.01)
    assert.same({ nil, "wantread", "ab" }, { near:receive(5, "ab") })
    assert.equal("read", near:want())
    assert.equal(2, far:send("abc", 2, 2))
    near:settimeout(helper.patience)
    assert.equal("b", near:receive(1))
    assert.equal(14, (near:getstats()))
    far:send "the rest"
    far:close()
    assert.equal("the rest", near:receive "*a")
    assert.same({ nil, "closed", "" }, { near:receive "*a" })
    near:close()
  end)

  it("sends what there is room for", function()
    local near, far = connect()
    near:settimeout(0)
    far:settimeout(0)
    local text = ("0123456789"):rep(2000000)
    local place, reason, sent = near:send(text)
    assert.same({ nil, "wantwrite", "write" }, { place, reason, near:want() })
    local count = 0
    helper.eventually("all of it", function()
      local data, _, part = far:receive(65536)
      count = count + #(data or part)
      place, reason, sent = near:send(text, sent + 1)
      assert(place or reason == "wantwrite", reason)
      sent = place or sent
      return count == #text
    end)
    assert.equal(#text, count)
    near:close()
    far:close()
  end)

  it("is readable for select while it holds data", function()
    local near, far = connect()
    far:send(("x"):rep(16000) .. "\nrest\n")
    assert.equal(16000, #near:receive "*l")
    for _, pattern in ipairs { 1, "*l" } do
      local readable, writable = socket.select({ near }, { near }, helper.patience)
      assert.same({ near, near }, { readable[1], writable[1] })
      assert.truthy(near:receive(pattern))
    end
    assert.same({ {}, {}, "timeout" }, { socket.select({ near }, nil, 0) })
    near:close()
    far:close()
  end)

  it("has methods from before the handshake that work after it", function()
    local near, far = start()
    local send, receive = near.send, far.receive
    assert.same({ nil, "closed", 0 }, { send(near, "secret\n") })
    shake(near, far)
    assert.equal(6, send(near, "hello\n"))
    assert.equal("hello", receive(far))
    near:close()
    assert.same({ nil, "closed", "" }, { receive(far) })
    far:close()
  end)

  it("is readable for select before the handshake, when the client has spoken", function()
    local near, far = start()
    near:settimeout(0)
    near:dohandshake()
    assert.same({ far }, { (socket.select({ far }, nil, helper.patience))[1] })
    near:close()
    far:close()
  end)

  it("says why it cannot begin", function()
    local unconnected = ssl.wrap(socket.tcp4(), client_params())
    unconnected:sni "good.example"
    unconnected:settimeout(0.01)
    local ok, text = unconnected:dohandshake()
    assert.is_false(ok)
    assert.equal("string", type(text))
    for _, name in ipairs { "", "a\0b" } do
      local near, far = start({}, {}, name)
      ok, text = near:dohandshake()
      assert.is_false(ok)
      assert.equal("string", type(text))
      near:close()
      far:close()
    end
  end)

  it("may be on a socket of lsocket's own", function()
    local lsocket = require "lsocket"
    local near, far = lsocket.pair()
    local taken = near:getfd()
    near, far = assert(ssl.wrap(near, client_params())), assert(ssl.wrap(far, server_params()))
    assert.equal(taken, near:getfd())
    near:sni "good.example"
    assert(shake(near, far)[1])
    near:send "hello\n"
    assert.equal("hello", far:receive())
    near:close()
    far:close()
  end)

  it("takes what has come in the clear behind a line for TLS", function()
    local near, far = sockets()
    near:send "STARTTLS\n"
    near = assert(ssl.wrap(near, client_params { verify = "none", cafile = false }))
    near:settimeout(0)
    near:dohandshake()
    far:settimeout(helper.patience)
    assert.equal("STARTTLS", far:receive "*l")
    far = assert(ssl.wrap(far, server_params()))
    assert(shake(near, far)[1])
    near:send "secret\n"
    assert.equal("secret", far:receive())
    near:close()
    far:close()
  end)
end)

-- ---- what was agreed upon ----

describe("LuaSec's facts", function()
  it("are those of the connection", function()
    local near, far = connect({ protocol = "tlsv1_3", ciphersuites = "TLS_AES_128_GCM_SHA256" })
    local facts = {
      protocol = "TLSv1.3", cipher = "TLS_AES_128_GCM_SHA256", bits = 128, algbits = 128, key = "any", export = false,
      authentication = "any", encryption = "AESGCM(128)", mac = "AEAD",
    }
    assert.same(facts, near:info())
    assert.same(facts, far:info())
    assert.equal("AEAD", near:info "mac")
    assert.is_nil(near:info "nothing")
    assert.equal("good.example", near:getsniname())
    assert.equal("good.example", far:getsniname())
    assert.equal(near:exportkeyingmaterial("EXPORTER-x", 20), far:exportkeyingmaterial("EXPORTER-x", 20))
    assert.same({ nil, "not available" }, { far:getfinished() })
    raises("exportkeyingmaterial", near.exportkeyingmaterial, near, "x")
    near:close()
    far:close()
  end)

  it("name the parts of older suites", function()
    local cipher = "ECDHE-ECDSA-AES128-SHA256"
    local near, far = connect({ protocol = "tlsv1_2", ciphers = cipher }, { ciphers = cipher })
    assert.same({
      protocol = "TLSv1.2", cipher = cipher, bits = 128, algbits = 128, key = "ECDH", authentication = "ECDSA",
      encryption = "AES(128)", mac = "SHA256", export = false,
    }, near:info())
    assert.truthy(near:getfinished())
    assert.equal(near:getfinished(), far:getpeerfinished())
    near:close()
    far:close()
  end)

  it("are protocols that both know", function()
    local near, far = connect({ alpn = { "a", "b" } }, { alpn = { "b" } })
    assert.same({ "b", "b" }, { near:getalpn(), far:getalpn() })
    near, far = connect({ alpn = "c" }, {})
    assert.is_nil(near:getalpn())
    assert.is_nil(far:getalpn())
    local offered
    local function choose(list)
      offered = list
      return "b"
    end
    near, far = connect({ alpn = { "a", "b" } }, { alpn = choose })
    assert.same({ { "a", "b" }, "b", "b" }, { offered, near:getalpn(), far:getalpn() })
    fails("ETLS_ALERT", "no application protocol", (try({ alpn = "a" }, { alpn = { "b" } })))
  end)

  it("are the server's certificate by the client's name", function()
    local other = assert(ssl.newcontext(server_params { certificate = path "wildcard.pem" }))
    local function subject(name, strict)
      local near, far = start({ verify = "none" }, {}, name)
      far:sni({ ["other.example"] = other }, strict)
      local here, there = shake(near, far)
      return here[1] and near:getpeercertificate():subject()[1].value or nil, there[2]
    end
    assert.equal("wildcard", subject "other.example")
    assert.equal("good", subject "unknown.example")
    assert.equal("wildcard", subject("other.example", true))
    assert.same({ nil, "unrecognized name" }, { subject("unknown.example", true) })
    assert.equal("good", subject(false, true))
  end)
end)

describe("a certificate of LuaSec", function()
  local function read(name)
    return assert(ssl.loadcertificate(certs.read(name .. ".pem")))
  end

  it("says what it is", function()
    local good = read "good"
    assert.same({ { oid = "2.5.4.3", name = "commonName", value = "good" } }, good:subject())
    assert.equal("commonName", good:issuer()[1].name)
    assert.equal("ecdsa-with-SHA256", good:getsignaturename())
    assert.same({ "good.example", "localhost" }, good:extensions()["2.5.29.17"].dNSName)
    assert.same({ "127.0.0.1", "::1" }, good:extensions()["2.5.29.17"].iPAddress)
    assert.is_true(good:validat(os.time()))
    assert.is_false(good:validat(0))
    assert.truthy(good:notafter():find "^%u%l%l [ %d]%d %d%d:%d%d:%d%d %d%d%d%d GMT$")
    assert.truthy(good:serial():find "^%x+$")
    assert.equal(64, #good:digest "sha256")
    assert.same({ nil, "digest algorithm not supported (sha1)" }, { good:digest() })
    assert.same(good:subject(), ssl.loadcertificate(good:pem()):subject())
    assert.is_nil((ssl.loadcertificate "nothing"))
    raises("loadcertificate", ssl.loadcertificate, 42)
  end)

  it("has the public key that OpenSSL finds in it", function()
    for name, kind in pairs { good = "EC", rsa = "RSA" } do
      local key, found, bits = read(name):pubkey()
      local output = helper.run("openssl x509 -noout -pubkey -in " .. path(name .. ".pem"))
      assert.same({ output, kind }, { key, found })
      assert.equal(kind == "EC" and 256 or 2048, bits)
    end
  end)

  it("is the peer's, and those that it has sent with it", function()
    local near = connect({}, { certificate = path "chain.pem" })
    assert.equal(near:getpeercertificate():pem(), near:getpeerchain()[1]:pem())
    assert.equal(near:getpeercertificate(2):pem(), near:getpeerchain()[2]:pem())
    assert.is_nil(near:getpeercertificate(9))
    assert.same({ nil, "invalid certificate index" }, { near:getpeercertificate(0) })
    near:close()
  end)
end)

-- ---- parameters ----

describe("LuaSec's parameters", function()
  local rows = {
    { "invalid protocol (tlsv1)", protocol = "tlsv1" }, { "invalid protocol (sslv3)", protocol = "sslv3" },
    { "invalid mode (both)", mode = "both" }, { "invalid verify option (all)", verify = { "peer", "all" } },
    { "invalid option (quick)", options = "quick" },
    { "option not supported (legacy_server_connect)", options = { "all", "legacy_server_connect" } },
    { "option not supported (no_tlsv1_2)", options = "no_tlsv1_2", protocol = "tlsv1_2" },
    { "option not supported (no_tlsv1_3)", options = "no_tlsv1_3", protocol = "tlsv1_3" },
    { "No such file", cafile = "/no/such/file" }, { "No such file", certificate = "/no/such/file", key = "/neither" },
    { "key without a certificate", key = path "leaf.key" },
    { "invalid password type", password = 42, key = path "leaf.key", certificate = path "good.pem" },
    { "does not fit", certificate = path "good.pem", key = path "rsa.key" },
    { "invalid ALPN parameter", alpn = 42 }, { "invalid ALPN list (empty)", alpn = {} }, { "alpn", alpn = { "" } },
    { "invalid DH parameter type", dhparam = 42 }, { "groups", curve = "round" }, { "ciphers", ciphers = "none such" },
    { "parameter not supported (depth)", depth = 1 }, { "parameter not supported (dane)", dane = true },
    { "verify option not supported (crl_check)", verifyext = "crl_check" },
    { "invalid verify option (luck)", verifyext = "luck", verify = "none" },
    { "more than one certificate", certificates = { {}, {} } },
    { "a certificate is missing", mode = "server", certificates = { {}, {} } },
    { "cert", mode = "server", certificate = false },
    { "ca, cafile or capath", mode = "server", cafile = false, certificate = path "good.pem", key = path "leaf.key" },
  }

  it("fail by their names where they cannot be kept", function()
    for _, row in ipairs(rows) do
      local params = client_params(row)
      params[1] = nil
      local context, text = ssl.newcontext(params)
      assert.is_nil(context)
      assert.truthy(text:find(row[1], 1, true), row[1] .. ": " .. text)
    end
  end)

  it("wrap leaves an object its descriptor that cannot give it away", function()
    local near, far = sockets()
    raises("setfd expected", ssl.wrap, { getfd = function() return near:getfd() end }, client_params())
    collectgarbage()
    collectgarbage()
    near:send "x"
    assert.equal("x", far:receive(1))
    near:close()
    far:close()
  end)

  it("raise where LuaSec's do", function()
    raises("protocol: string expected", ssl.newcontext, { mode = "client" })
    raises("mode: string expected", ssl.newcontext, { protocol = "any" })
    raises("table expected", ssl.newcontext)
    raises("verify: string expected", ssl.newcontext, client_params { verify = true })
    raises("verify: string expected", ssl.newcontext, client_params { verify = { peer = true } })
    for _, wrong in ipairs { { nil, "peer" }, { [2] = "peer" }, { word = "peer" } } do
      raises("verify: array of strings", ssl.newcontext, client_params { verify = wrong })
    end
    for _, wrong in ipairs { 42, { 42 }, { {}, true } } do
      raises("certificates: array of tables", ssl.newcontext, client_params { certificates = wrong })
    end
    raises("invalid context", ssl.wrap, socket.tcp4(), 42)
    for _, value in ipairs { 42, "name", {}, io.stdout } do raises("wrap", ssl.wrap, value, client_params()) end
    local near = ssl.wrap(socket.tcp4(), client_params())
    raises("string expected", near.sni, near, 42)
    local far = ssl.wrap(socket.tcp4(), server_params())
    raises("table expected", far.sni, far, "name")
    raises("context expected", far.sni, far, { name = 42 })
  end)

  it("of LuaSec's own https mean what they say", function()
    local options = { "all", "no_sslv2", "no_sslv3", "no_tlsv1", "no_ticket", "single_ecdh_use" }
    local near = connect({ options = options, verify = "none" }, { options = options })
    assert.equal("TLSv1.3", near:info "protocol")
    assert.truthy(ssl.newcontext(client_params { user = "me", password = "of the request", url = "https://x/" }))
    near = connect({ options = "no_tlsv1_3" })
    assert.equal("TLSv1.2", near:info "protocol")
    fails("ETLS_ALERT", "protocol version", (try({ options = "no_tlsv1_3" }, { options = "no_tlsv1_2" })))
  end)

  it("that matter only where something is verified are taken where nothing is", function()
    local near, far = connect({ verify = "none", depth = 9, verifyext = { "lsec_ignore_purpose", "crl_check" } })
    assert.same({ false, "not verified" }, { near:getpeerverification() })
    assert.is_true(far:getpeerverification())
    near, far = connect({ verifyext = "lsec_continue" }, { verify = "peer", verifyext = "lsec_continue" }, "x.example")
    assert.same({ false, { { "not verified" } } }, { near:getpeerverification() })
    assert.same({ false, { { "not verified" } } }, { far:getpeerverification() })
  end)

  it("may be several certificates, and a function for the password", function()
    local certificates = {
      { certificate = path "good.pem", key = path "leaf.key" }, { certificate = path "rsa.pem", key = path "rsa.key" },
    }
    assert.is_true(connect({}, { certificates = certificates }):getpeerverification())
    local asked = 0
    local function password()
      asked = asked + 1
      return "secret"
    end
    local params = server_params { key = path "secret.key", password = password }
    assert.truthy(ssl.newcontext(params))
    assert.equal(1, asked)
    params.password = "secret"
    assert.truthy(ssl.newcontext(params))
  end)

  it("make contexts that can be shown", function()
    assert.truthy(tostring(ssl.newcontext(client_params())):find "^SSL context: ")
    assert.is_true(ssl.config.protocols.tlsv1_3)
    assert.is_nil(ssl.config.protocols.tlsv1)
    assert.is_true(ssl.config.options.no_ticket)
    assert.is_nil(ssl.config.options.legacy_server_connect)
  end)
end)

describe("LuaSec's calls", function()
  it("return what LuaSec itself returns", function()
    helper.need.tool(pending, helper.interpreter .. " -e 'assert(require [[ssl]]._VERSION == [[1.2.0]])'")
    local luasec, ours = {}, {}
    for list, which in pairs { [luasec] = "luasec", [ours] = "ours" } do
      local output = helper.run(helper.command("luasecrows", which, (path "")))
      for line in output:gmatch "[^\n]+" do list[#list + 1] = line end
    end
    assert.same(luasec, ours)
    assert.truthy(#ours > 200 and ours[#ours]:find "^no certificate:", ours[#ours])
  end)
end)

describe("LuaSec's modules", function()
  it("are these after install, unless they are to be left", function()
    for _, which in ipairs { "own", "left" } do
      assert.equal("done\n", (helper.run(helper.command("luasec", which))))
    end
  end)
end)

-- ---- in tasks ----

describe("in tasks, LuaSec's calls", function()
  it("let the other tasks run", function()
    local near, far = start()
    local order = {}
    loop.run(function()
      loop.spawn(function()
        assert(far:dohandshake())
        table.insert(order, (far:receive()))
        far:send "answer\n"
      end)
      assert(near:dohandshake())
      near:send "question\n"
      table.insert(order, (near:receive()))
      near:close()
      far:close()
    end)
    assert.same({ "question", "answer" }, order)
  end)

  it("end in time", function()
    local near, far = start()
    loop.run(function()
      near:settimeout(0.01)
      assert.same({ false, "wantread" }, { near:dohandshake() })
      near:settimeout()
      local task = loop.spawn(function() return near:dohandshake() end)
      loop.sleep(0)
      task:cancel()
      task:join()
    end)
    near:close()
    far:close()
  end)
end)
