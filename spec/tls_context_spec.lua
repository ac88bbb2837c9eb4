-- What contexts are made of: arguments, files, versions and ciphers, ALPN, reloading. Which certificates are taken:
-- tls_certificate_spec; sessions, names and pins: tls_session_spec and tls_name_spec.
local helper = require "spec.helper"
local process = require "spec.process"
local certs = require "spec.tls.certs"
local pair = require "spec.tls.pair"

local raises, pack = helper.raises, helper.pack
local unpack = table.unpack or unpack -- luacheck: ignore 143
local tls = certs.tls

if certs.missing(pending) then return end

after_each(helper.remove_paths)

local function make(kind, options)
  if kind == "server" then return tls.server(certs.with("good", options)) end
  return tls.client(options)
end

describe("the arguments of a context", function()
  it("have names that are known", function()
    for _, kind in ipairs { "client", "server" } do
      for _, wrong in ipairs { "Cert", "hostname", "verify_mode", "", 1 } do
        raises("bad argument #1", make, kind, { [wrong] = true })
      end
      for _, wrong in ipairs { 1, "x", true } do raises("bad argument #1", tls[kind], wrong) end
    end
  end)

  it("are a client's or a server's", function()
    for _, option in ipairs { "clients", "certificates", "strict", "tickets", "ticketkeys", "ocspfile", "ask" } do
      raises(option, make, "client", { [option] = true })
    end
    for _, option in ipairs { "verify", "pins", "sessions", "ocsp" } do
      raises(option, make, "server", { [option] = true })
    end
  end)

  it("have types and values that make sense, which is found before anything is opened", function()
    local both = {
      cert = { true, {}, print }, key = { true, {} }, certfile = { true, {} }, keyfile = { true, {} },
      password = { true, {} }, ca = { true, {} }, cafile = { true, {} }, capath = { true, {} },
      min = { "1.1", "1.0", "tls1.2", "", 3, true }, max = { "1.1", "1.4", "", true }, ciphers = { true, {} },
      ciphersuites = { true, {} }, groups = { true, {} },
      alpn = { true, { "" }, { ("x"):rep(256) }, { 1, {} }, { "a", true } },
      crl = { true, {} }, crlfile = { true, {} }, crlcheck = { true, "all", "" }, keylog = { 1.5, {} },
      eof = { true, "", "loose", {} },
    }
    local own = {
      client = { verify = { "no", 0, "false", {} }, pins = { true, { "" }, { "sha256/" }, { "md5/abc" },
        { "sha256/short" }, { 1 }, {} }, sessions = { -1, 1.5, "x", true }, ocsp = { "maybe", 1, {} } },
      server = { clients = { "yes", true, 1, {} }, certificates = { true, "x", { 1 }, { {} } }, strict = { 1, "x" },
        tickets = { -1, 1.5, true, "x" }, ticketkeys = { true, {}, "", "short" }, ask = { 1, "x" } },
    }
    for _, kind in ipairs { "client", "server" } do
      for _, list in ipairs { both, own[kind] } do
        for option, values in pairs(list) do
          for _, value in ipairs(values) do
            local options = { [kind == "client" and "cafile" or "certfile"] = "/nonexistent" }
            options[option] = value
            local ok, message = pcall(make, kind, options)
            assert.is_false(ok, ("%s of a %s: %s"):format(option, kind, tostring(value)))
            assert.truthy(tostring(message):find(option:match "^%a+", 1, true), option .. ": " .. tostring(message))
          end
        end
      end
    end
  end)

  it("have arrays with all their elements and nothing else", function()
    local lists = { alpn = "x", pins = "sha256/" .. certs.read "good.pin", ticketkeys = certs.read "tickets.key",
      names = "a.example" }
    local function with(option, list)
      if option == "ticketkeys" then return make, "server", { ticketkeys = list } end
      if option ~= "names" then return make, "client", { verify = false, [option] = list } end
      return make, "server", { certificates = { certs.with("a", { names = list }) } }
    end
    for option, value in pairs(lists) do
      local make_with, kind, options = with(option, { value, value })
      assert(make_with(kind, options))
      for what, list in pairs { none = option ~= "alpn" and {} or nil, name = { x = value },
        both = { value, x = value }, late = { [2] = value }, hole = { value, nil, value },
        half = { value, [1.5] = value }, zero = { [0] = value, value } } do
        local ok, message = pcall(with(option, list))
        assert.is_false(ok, option .. ": " .. what)
        assert.truthy(message:find(option .. ": ", 1, true), message)
      end
    end
    local pair_of = certs.with "a"
    for _, list in ipairs { {}, { x = pair_of }, { pair_of, x = pair_of }, { [2] = pair_of }, pair_of } do
      raises("certificates: ", make, "server", { certificates = list })
    end
  end)

  it("have lists for OpenSSL that say something", function()
    for _, option in ipairs { "ciphers", "ciphersuites", "groups" } do
      for _, kind in ipairs { "client", "server" } do
        raises(option .. ": list is empty", make, kind, { [option] = "" })
      end
    end
  end)

  it("may say as little as this", function()
    assert(tls.client { verify = false })
    assert(tls.server(certs.with "good"))
    raises("bad argument #1", tls.server, {})
    raises("bad argument #1", tls.server)
  end)

  it("do not contradict each other", function()
    raises("min", tls.client, { min = "1.3", max = "1.2", verify = false })
  end)

  it("say nothing of clients' certificates that nothing looks at", function()
    local root, list = certs.path "root.pem", certs.path "root.crl"
    for option, value in pairs { ca = certs.read "root.pem", cafile = root, capath = certs.path "roots",
      crl = certs.read "root.crl", crlfile = list, crlcheck = "leaf" } do
      raises(option .. ": clients is not set", make, "server", { [option] = value })
      raises(option .. ": clients is not set", make, "server", { [option] = value, clients = false })
    end
    assert(make("server", { clients = "request", cafile = root, crlfile = list }))
  end)

  it("may be the text itself", function()
    local server = assert(tls.server { cert = certs.read "chain.pem", key = certs.read "leaf.key" })
    pair.connect(assert(tls.client { ca = certs.read "root.pem" }), server)
    pair.connect(assert(tls.client { ca = certs.read "other_root.pem" .. certs.read "root.pem" }), server)
    server = assert(tls.server { cert = certs.read "good.pem" .. certs.read "leaf.key" })
    pair.connect(certs.client(), server)
  end)

  it("may be files and folders", function()
    pair.connect(certs.client(), assert(tls.server { certfile = certs.path "both.pem" }))
    pair.connect(assert(tls.client { capath = certs.path "roots" }), certs.server())
    local near = pair.try(assert(tls.client { capath = certs.path "" }), certs.server())
    pair.fails("ETLS_UNTRUSTED", nil, unpack(near, 1, near.n))
  end)
end)

describe("a context that cannot be made", function()
  local function fails(name, file, context, message, symbol, ...)
    assert.equal(0, select("#", ...))
    assert.is_nil(context)
    assert.equal(name, symbol)
    assert.truthy(message:find(file, 1, true), message)
  end

  it("has the name of errno where a file cannot be read, and names the file", function()
    local at = "/nonexistent/file.pem"
    fails("ENOENT", at, tls.client { cafile = at })
    fails("ENOENT", at, tls.client { certfile = at, keyfile = certs.path "leaf.key" })
    fails("ENOENT", at, tls.client { certfile = certs.path "good.pem", keyfile = at })
    fails("ENOENT", at, tls.client { crlfile = at, crlcheck = "leaf", cafile = certs.path "root.pem" })
    fails("ENOENT", at, tls.server { certfile = at })
    fails("ENOENT", at, tls.server(certs.with("good", { clients = "require", cafile = at })))
    fails("ENOENT", at, tls.client { capath = at })
    fails("ENOENT", at, tls.client { keylog = at, cafile = certs.path "root.pem" })
  end)

  it("has the name of errno where a file is a folder", function()
    fails(helper.windows and "EACCES" or "EISDIR", certs.path "", tls.client { cafile = certs.path "" })
  end)

  it("says which file is none of that kind", function()
    for _, file in ipairs { "text.pem", "cut.pem", "leaf.key" } do
      local path = certs.path(file)
      fails("ETLS_PEM", path, tls.client { cafile = path })
      fails("ETLS_PEM", path, tls.server { certfile = path, keyfile = certs.path "leaf.key" })
    end
    for _, file in ipairs { "text.pem", "good.pem" } do
      fails("ETLS_PEM", certs.path(file), tls.server { certfile = certs.path "good.pem", keyfile = certs.path(file) })
      fails("ETLS_PEM", certs.path(file), tls.client { crlfile = certs.path(file), crlcheck = "leaf",
        cafile = certs.path "root.pem" })
    end
    fails("ETLS_PEM", "", tls.client { ca = "nothing" })
    fails("ETLS_PEM", "", tls.client { ca = "" })
    fails("ETLS_PEM", "", tls.server { cert = "nothing", key = certs.read "leaf.key" })
  end)

  it("has a key of another certificate", function()
    fails("ETLS_KEY", "other.key", tls.server(certs.with("good", nil, "other")))
    fails("ETLS_KEY", "rsa.key", tls.server(certs.with("good", nil, "rsa")))
    fails("ETLS_KEY", "other.key", tls.client(certs.with("client", nil, "other")))
    fails("ETLS_KEY", "", tls.server { cert = certs.read "good.pem", key = certs.read "other.key" })
  end)

  it("has a key that needs its password", function()
    fails("ETLS_PASSWORD", "secret.key", tls.server(certs.with("good", nil, "secret")))
    for _, wrong in ipairs { "wrong", "", ("x"):rep(2000) } do
      fails("ETLS_PASSWORD", "secret.key", tls.server(certs.with("good", { password = wrong }, "secret")))
    end
    pair.connect(certs.client(), certs.server("good", { password = "secret" }, "secret"))
    pair.connect(certs.client(), certs.server("good", { password = "not needed" }))
  end)

  it("opens nothing that stays open", function()
    helper.settle()
    local before = process.count()
    tls.client { cafile = certs.path "text.pem" }
    tls.server(certs.with("good", nil, "other"))
    pcall(tls.client, { cafile = certs.path "root.pem", nonsense = 1 })
    assert.equal(before, process.count())
  end)

  it("fails where the system has no roots", function()
    local function run(file)
      local variables = { SSL_CERT_FILE = file, SSL_CERT_DIR = "/nonexistent" }
      return (helper.run(helper.setting(variables, helper.command "tlsroots")))
    end
    assert.truthy(run "/nonexistent":find "^nil\tE%u+\n$")
    assert.truthy(run(certs.path "root.pem"):find "^TLS context")
  end)
end)

-- What both sides say where they have nothing in common. The one that finds out first has the name, the other an alert.
local function nothing_common(name, client, server)
  local near, far = pair.try(client, server)
  assert.is_nil(near[1])
  assert.is_nil(far[1])
  local names = { near[3], far[3] }
  for _, symbol in ipairs(names) do assert.truthy(symbol == name or symbol == "ETLS_ALERT", symbol) end
  assert.truthy(names[1] == name or names[2] == name, names[1] .. " " .. names[2])
end

describe("versions", function()
  it("are the newest that both have", function()
    for _, versions in ipairs { { nil, nil, "1.3" }, { "1.2", nil, "1.2" }, { nil, "1.2", "1.2" }, { "1.3", "1.3",
      "1.3" } } do
      local client, server = pair.connect(certs.client { max = versions[1] }, certs.server("good",
        { max = versions[2] }))
      assert.equal(versions[3], client:tls().version)
      assert.equal(versions[3], server:tls().version)
      pair.passes(client, server)
    end
  end)

  it("must be one that both have", function()
    nothing_common("ETLS_VERSION", certs.client { min = "1.3" }, certs.server("good", { max = "1.2" }))
    nothing_common("ETLS_VERSION", certs.client { max = "1.2" }, certs.server("good", { min = "1.3" }))
  end)
end)

describe("ciphers", function()
  local A, B = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"
  local C, D = "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"

  it("are chosen in the server's order", function()
    for _, list in ipairs { { A, B }, { B, A } } do
      local client = certs.client { max = "1.2", ciphers = A .. ":" .. B }
      local near, far = pair.connect(client, certs.server("good", { ciphers = table.concat(list, ":") }))
      assert.equal(list[1], near:tls().cipher)
      assert.equal(list[1], far:tls().cipher)
    end
    for _, list in ipairs { { C, D }, { D, C } } do
      local client = certs.client { ciphersuites = C .. ":" .. D }
      local near = pair.connect(client, certs.server("good", { ciphersuites = table.concat(list, ":") }))
      assert.equal(list[1], near:tls().cipher)
    end
  end)

  it("must be one that both have", function()
    nothing_common("ETLS_CIPHER", certs.client { max = "1.2", ciphers = A }, certs.server("good", { ciphers = B }))
    nothing_common("ETLS_CIPHER", certs.client { ciphersuites = C, min = "1.3" }, certs.server("good",
      { ciphersuites = D }))
    nothing_common("ETLS_CIPHER", certs.client { groups = "P-256" }, certs.server("good", { groups = "X25519" }))
  end)

  it("are good ones by default", function()
    for _, cipher in ipairs { "AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256" }
    do
      nothing_common("ETLS_CIPHER", certs.client { max = "1.2", ciphers = cipher }, certs.server("rsa", nil, "rsa"))
    end
    local near = pair.connect(certs.client { max = "1.2" })
    assert.truthy(near:tls().cipher:find "^ECDHE%-ECDSA%-.*GCM" or near:tls().cipher:find "CHACHA20", near:tls().cipher)
  end)

  it("and groups must be known", function()
    for _, kind in ipairs { "client", "server" } do
      for option, value in pairs { ciphers = "NOTHING-AT-ALL", ciphersuites = "TLS_NOTHING", groups = "none" } do
        local ok, context, _, name = pcall(make, kind, { cafile = certs.path "root.pem", [option] = value })
        assert.truthy(not ok or context == nil and name, option)
      end
    end
  end)

  it("come from the group that is asked for", function()
    for _, group in ipairs { "X25519", "P-256", "P-384" } do
      local near, far = pair.connect(certs.client(), certs.server("good", { groups = group }))
      assert.truthy(near:tls().group, group)
      assert.equal(near:tls().group, far:tls().group)
    end
  end)
end)

describe("alpn", function()
  local function protocols(client, server)
    local near, far = pair.connect(certs.client { alpn = client }, certs.server("good", { alpn = server }))
    assert.equal(near:tls().alpn, far:tls().alpn)
    return near:tls().alpn
  end

  it("is what the server prefers of what both have", function()
    assert.equal("h2", protocols({ "h2", "http/1.1" }, { "h2" }))
    assert.equal("h2", protocols({ "http/1.1", "h2" }, { "h2", "http/1.1" }))
    assert.equal("http/1.1", protocols({ "http/1.1" }, { "h2", "http/1.1" }))
    assert.equal(("x"):rep(255), protocols({ "y", ("x"):rep(255) }, { ("x"):rep(255) }))
  end)

  it("is none where one side has none", function()
    assert.is_nil(protocols(nil, { "h2" }))
    assert.is_nil(protocols({ "h2" }, nil))
    assert.is_nil(protocols({}, {}))
  end)

  it("fails where both have other ones", function()
    nothing_common("ETLS_ALPN", certs.client { alpn = { "h2" } }, certs.server("good", { alpn = { "imap" } }))
    local near = pair.try(certs.client { alpn = { "h2" } }, certs.server("good", { alpn = { "imap" } }))
    pair.fails("ETLS_ALERT", "no application protocol", unpack(near, 1, near.n))
  end)
end)

describe("keylog", function()
  it("writes what Wireshark reads", function()
    for version, label in pairs { ["1.2"] = "CLIENT_RANDOM ", ["1.3"] = "CLIENT_TRAFFIC_SECRET_0 " } do
      for _, side in ipairs { "client", "server" } do
        local path = helper.path()
        pair.connect(certs.client { max = version, keylog = side == "client" and path or nil },
          certs.server("good", { keylog = side == "server" and path or nil }))
        local text = assert(process.read(path))
        assert.truthy(text:find(label .. "%x+ %x+\n"), text)
      end
    end
  end)

  it("is for its owner alone", function()
    if helper.windows then pending "Windows does not have permissions like these" end
    local path = helper.path()
    pair.connect(certs.client { keylog = path })
    assert.equal("600\n", (helper.run("stat -c %a " .. path)))
  end)

  it("adds to what is there", function()
    local path = helper.file "first\n"
    pair.connect(certs.client { keylog = path })
    pair.connect(certs.client { keylog = path })
    local text = process.read(path)
    assert.equal("first\n", text:sub(1, 6))
    assert.equal(2, select(2, text:gsub("CLIENT_TRAFFIC_SECRET_0", "")))
  end)

  it("follows the environment only where it is told to", function()
    local function run(how, path)
      local command = helper.command("tlskeys", how, certs.path "good.pem", certs.path "leaf.key")
      assert.equal("done\n", (helper.run(helper.setting({ SSLKEYLOGFILE = path }, command))))
    end
    for how, expected in pairs { never = false, always = true } do
      local path = helper.path()
      run(how, path)
      assert.equal(expected, process.read(path) ~= nil)
    end
    run("always", false)
  end)
end)

describe("reload", function()
  local cert, key

  local function copy(from, to)
    local file = assert(io.open(to, "w"))
    file:write(certs.read(from))
    file:close()
  end

  before_each(function()
    cert, key = helper.file(certs.read "good.pem"), helper.file(certs.read "leaf.key")
  end)

  it("takes files as they are now, and leaves connections as they are", function()
    local server = assert(tls.server { certfile = cert, keyfile = key })
    local old, peer = pair.connect(certs.client(), server)
    local started, waiting = pair.start(certs.client(), server)
    copy("other.pem", cert)
    pair.connect(certs.client(), server)
    assert.same({ n = 1, true }, pack(server:reload()))
    pair.connect(certs.client(), server, "other.example")
    pair.passes(old, peer)
    pair.passes(peer, old)
    local results = pair.shake { started, waiting }
    assert.is_true(results[started][1])
    pair.passes(started, waiting)
  end)

  it("keeps the old where it fails", function()
    local server = assert(tls.server { certfile = cert, keyfile = key })
    for file, name in pairs { ["text.pem"] = "ETLS_PEM", ["otherkey.pem"] = "ETLS_KEY" } do
      copy(file, cert)
      pair.fails(name, name == "ETLS_PEM" and cert or key, server:reload())
      pair.connect(certs.client(), server)
    end
    os.remove(cert)
    pair.fails("ENOENT", cert, server:reload())
    pair.connect(certs.client(), server)
    copy("other.pem", cert)
    assert.is_true(server:reload())
    pair.connect(certs.client(), server, "other.example")
  end)

  it("does not trust by a session what is no longer trusted", function()
    local roots = helper.file(certs.read "root.pem")
    local client, server = assert(tls.client { cafile = roots }), certs.server()
    for _ = 1, 2 do
      local near, far = pair.connect(client, server)
      pair.passes(far, near)
    end
    copy("other_root.pem", roots)
    assert.is_true(client:reload())
    local near = pair.try(client, server)
    pair.fails("ETLS_UNTRUSTED", nil, unpack(near, 1, near.n))
  end)

  it("may be done again and again, in mid-handshake and while connections are collected", function()
    local server, client = assert(tls.server { certfile = cert, keyfile = key }), certs.client()
    helper.settle()
    local before = process.count()
    for _ = 1, helper.scale(100) do
      local near, far = pair.start(client, server)
      near:handshake()
      assert.is_true(server:reload())
      far:handshake()
      assert.is_true(server:reload())
      local results = pair.shake { near, far }
      assert.is_true(results[near][1])
      near:close()
      far:close()
    end
    assert.equal(before, process.count())
  end)
end)

describe("a context", function()
  it("tells about itself", function()
    for _, context in ipairs { certs.client(), certs.server() } do
      assert.equal("table", type(context:info()))
      assert.truthy(tostring(context):find "TLS")
      assert.is_false(context:info().ask)
    end
    assert.is_true(certs.server("good", { ask = true }):info().ask)
  end)

  it("may go before its connections", function()
    local near, far = pair.connect()
    local started, waiting = pair.start(certs.client(), certs.server())
    collectgarbage()
    collectgarbage()
    pair.passes(near, far)
    local results = pair.shake { started, waiting }
    assert.is_true(results[started][1])
    collectgarbage()
    pair.passes(waiting, started)
  end)

  it("has methods that take nothing else for it", function()
    local client = certs.client()
    for _, name in ipairs { "start", "reload", "info" } do
      for _, wrong in ipairs { 1, "x", {}, io.stdout } do raises("bad argument #1", client[name], wrong) end
      raises("bad argument #1", client[name])
    end
  end)
end)
