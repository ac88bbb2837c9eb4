-- What LuaSec's calls return, a line for each: the same program on LuaSec itself and on lsocket.luasocket.
-- luasecrows.lua luasec|ours FOLDER: with certificates in that folder
local mode, folder = arg[1], arg[2]
if mode == "ours" then require("lsocket.luasocket").install() end
local socket = require "socket"
local ssl = require "ssl"

local function text_of(value)
  if type(value) == "number" then return ("%d"):format(value) end
  if type(value) ~= "table" then return type(value) == "userdata" and "userdata" or tostring(value) end
  local parts = {}
  for key, part in pairs(value) do parts[#parts + 1] = tostring(key) .. "=" .. text_of(part) end
  table.sort(parts)
  return "{" .. table.concat(parts, " ") .. "}"
end

-- Nil at the end does not count: LuaSec's functions differ in it from call to call.
local function show(name, ...)
  local parts, last = {}, 0
  for i = 1, select("#", ...) do
    parts[i] = text_of((select(i, ...)))
    if parts[i] ~= "nil" then last = i end
  end
  print(name .. ": " .. table.concat(parts, ", ", 1, last))
end

local function params(defaults, own)
  for name, value in pairs(own or {}) do defaults[name] = value end
  return defaults
end

local function path(name)
  return folder .. "/" .. name
end

local server_params = { mode = "server", protocol = "any", certificate = path "good.pem", key = path "leaf.key" }

-- Two connections that have not spoken: client, server
local function start(client, server)
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  local near = assert(socket.connect("127.0.0.1", port))
  local far = assert(listener:accept())
  listener:close()
  near = assert(ssl.wrap(near, params({ mode = "client", protocol = "any" }, client)))
  far = assert(ssl.wrap(far, params(params({}, server_params), server)))
  near:sni "good.example"
  return near, far
end

local function ended(ok, text)
  return ok or text ~= "wantread" and text ~= "wantwrite"
end

-- Takes the handshake of both to its end: do they agree?
local function shake(near, far)
  near:settimeout(0)
  far:settimeout(0)
  local here, there, problem, other
  for _ = 1, 2000 do
    if not ended(here, problem or "wantread") then here, problem = near:dohandshake() end
    if not ended(there, other or "wantread") then there, other = far:dohandshake() end
    if ended(here, problem or "wantread") and ended(there, other or "wantread") then break end
    if ended(here, problem or "wantread") and not here or ended(there, other or "wantread") and not there then break end
    socket.sleep(0.001)
  end
  near:settimeout(10)
  far:settimeout(10)
  return here and there and true or false
end

local function connect(client, server)
  local near, far = start(client, server)
  assert(shake(near, far))
  return near, far
end

local function agree(name, client, server)
  show(name, shake(start(client, server)))
end

-- ---- contexts ----

local function context(name, own)
  local made, text = ssl.newcontext(params({ mode = "client", protocol = "any" }, own))
  show("context with " .. name, made ~= nil, made and "" or text)
end

context("nothing", {})
context("no such protocol", { protocol = "none such" })
context("protocol sslv3", { protocol = "sslv3" })
context("protocol tlsv1_2", { protocol = "tlsv1_2" })
context("protocol sslv23", { protocol = "sslv23" })
context("no such option", { options = "none such" })
context("known options", { options = { "all", "no_sslv2", "no_sslv3", "no_tlsv1", "no_ticket", "single_dh_use" } })
context("no such verify", { verify = "none such" })
context("all of verify", {
  verify = { "none", "peer", "client_once", "fail_if_no_peer_cert" }, cafile = path "root.pem",
})
context("no such verifyext", { verifyext = "none such" })
context("a password of another type", { password = 42, key = path "leaf.key", certificate = path "good.pem" })
context("an empty list of protocols", { alpn = {} })
context("protocols of another type", { alpn = 42 })
context("parameters of DH of another type", { dhparam = 42 })
context("a curve", { curve = "P-256" })
context("a list of curves", { curveslist = "X25519:P-384" })
context("ciphers", { ciphers = "ECDHE+AESGCM" })
show("context without protocol raises", (pcall(ssl.newcontext, { mode = "client" })))
show("context without mode raises", (pcall(ssl.newcontext, { protocol = "any" })))
show("context of nothing raises", (pcall(ssl.newcontext)))
show("wrap without context raises", (pcall(ssl.wrap, socket.tcp(), 42)))

-- ---- handshakes ----

agree("nothing verified", {})
agree("verified", { verify = "peer", cafile = path "root.pem" })
agree("another root", { verify = "peer", cafile = path "other.pem" })
agree("a certificate wanted, and none there", {},
      { verify = { "peer", "fail_if_no_peer_cert" }, cafile = path "root.pem" })
agree("a certificate asked for, and none there", {}, { verify = "peer", cafile = path "root.pem" })
agree("a client's certificate", { certificate = path "client.pem", key = path "leaf.key" },
      { verify = { "peer", "fail_if_no_peer_cert" }, cafile = path "root.pem" })
agree("versions apart", { protocol = "tlsv1_2" }, { protocol = "tlsv1_3" })
agree("TLS 1.2", { protocol = "tlsv1_2" })
agree("versions by options", { options = "no_tlsv1_3" }, { options = "no_tlsv1_2" })
agree("ciphers apart", { protocol = "tlsv1_2", ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256" },
      { ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384" })

local function by_name(name, names, strict)
  local near, far = start()
  local contexts = {}
  for _, each in ipairs(names) do
    contexts[each] = assert(ssl.newcontext(params(params({}, server_params), { certificate = path "wildcard.pem" })))
  end
  far:sni(contexts, strict)
  local ok = shake(near, far)
  show("by " .. name, ok, ok and near:getpeercertificate():subject(), ok and far:getsniname())
end

by_name("a name that is there", { "good.example" })
by_name("one of no name", { "other.example" })
by_name("one that has to be there", { "other.example" }, true)
by_name("one that has to be there, and is", { "good.example" }, true)

-- ---- connections ----

local near, far = start()
show("before: send", near:send "x")
show("before: receive", near:receive())
show("before: receive with a prefix", near:receive(5, "ab"))
show("before: info", near:info())
show("before: certificate", near:getpeercertificate())
show("before: verification", near:getpeerverification())
show("before: want", near:want())
show("before: dirty", near:dirty())
near:settimeout(0)
show("step", near:dohandshake())
show("step: want", near:want())
near:settimeout(0.01)
show("step with a time-out", near:dohandshake())
assert(shake(near, far))
show("again", near:dohandshake())
show("verification of nothing", (near:getpeerverification()))
show("verification of nobody", far:getpeerverification())
show("certificate of nobody", far:getpeercertificate())
show("certificate 0", near:getpeercertificate(0))
show("certificate 9", near:getpeercertificate(9))
show("certificates", #near:getpeerchain())
show("name", far:getsniname())
show("protocol", near:getalpn())
show("info of nothing", near:info "none such")
show("export", #near:exportkeyingmaterial("EXPORTER-x", 16))
show("export: the same", near:exportkeyingmaterial("EXPORTER-x", 16) == far:exportkeyingmaterial("EXPORTER-x", 16))
show("export without length raises", (pcall(near.exportkeyingmaterial, near, "x")))
show("sni of another type raises", (pcall(near.sni, near, {})))
show("a server's sni of another type raises", (pcall(far.sni, far, "name")))
for _, suite in ipairs { "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256" } do
  show(suite, connect({ ciphersuites = suite }):info())
end
for _, suite in ipairs { "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES256-CCM8",
                         "ECDHE-ECDSA-AES128-CCM", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-ARIA256-GCM-SHA384",
                         "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-CAMELLIA256-SHA384" } do
  local both = { protocol = "tlsv1_2", ciphers = suite }
  show(suite, connect(both, both):info())
end
local first, second = connect { protocol = "tlsv1_2" }
show("finished", first:getfinished() == second:getpeerfinished(), #first:getfinished())
show("protocols", connect({ alpn = { "a", "b" } }, { alpn = { "b" } }):getalpn())
show("a protocol", connect({ alpn = "b" }, { alpn = function() return "b" end }):getalpn())
show("protocols of a client alone", connect({ alpn = "b" }):getalpn())

-- ---- data ----

show("nothing there: receive", (function()
  near:settimeout(0.01)
  return near:receive()
end)())
show("nothing there: receive so many", near:receive(5, "ab"))
show("nothing there: want", near:want())
show("nothing there: all", near:receive "*a")
near:settimeout(0)
show("nothing there, without waiting", near:receive())
show("nothing there: none", near:receive(0))
near:settimeout(10)
show("no such pattern raises", (pcall(near.receive, near, "none such")))
show("send", far:send "hello\r\nworld\n")
show("send nothing", far:send "")
show("send a part", far:send("abcdef", 2, 4))
show("send from the end", far:send("abcdef", -2))
show("line", near:receive "*l")
show("dirty", near:dirty())
show("so many", near:receive(5))
show("so many with a prefix", near:receive(3, "xy"))
show("the rest of a line and more", near:receive(5))
show("stats", (near:getstats()))
show("setstats", near:setstats(1, 2, 3))
show("stats that were set", (near:getstats()))
show("settimeout", near:settimeout(10))
show("settimeout of a mode", near:settimeout(10, "t"))
show("settimeout of no mode raises", (pcall(near.settimeout, near, 1, "none such")))
far:send "the end"
far:close()
show("part at the end", near:receive "*l")
show("after the end", near:receive "*l")
near:close()
show("closed: receive", near:receive())
show("closed: send", near:send "x")
show("closed: info", near:info())
show("closed: want", near:want())
show("closed: dirty", near:dirty())
show("closed: descriptor", near:getfd())
show("closed: close", near:close())
near, far = connect()
far:send "the end"
far:close()
show("all at the end", near:receive "*a")
show("all after the end", near:receive "*a")
near, far = connect()
near:settimeout(0)
local place, problem, sent = near:send(("x"):rep(20000000))
show("no room", place, problem, sent > 0 and sent < 20000000, near:want())
far:close()

-- ---- certificates ----

for _, name in ipairs { "good", "rsa", "wildcard", "address" } do
  local file = assert(io.open(path(name .. ".pem")))
  local certificate = ssl.loadcertificate(file:read "*a")
  file:close()
  for _, method in ipairs {
    "subject", "issuer", "serial", "notbefore", "notafter", "pem", "pubkey", "getsignaturename",
  } do
    show(name .. " " .. method, certificate[method](certificate))
  end
  show(name .. " sha256", certificate:digest "sha256")
  show(name .. " names", certificate:extensions()["2.5.29.17"])
  show(name .. " valid", certificate:validat(os.time()), certificate:validat(0))
  show(name .. " no such digest", certificate:digest "none such")
end
show("no certificate", (ssl.loadcertificate "none"))
