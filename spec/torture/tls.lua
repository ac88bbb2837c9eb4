-- The scenarios of TLS, where the program was built with it: contexts, a handshake, data both ways, the end, once more
-- and resumed. What has failed in a connection fails from then on: so a scenario ends there. Certificates come from the
-- folder TLS_CERTS.
local unpack = table.unpack or unpack -- luacheck: ignore 143
local folder = os.getenv "TLS_CERTS"
if not folder then return {} end

local GONE = "the connection has failed"
local HOST = "good.example"

local function read(name)
  local file = assert(io.open(folder .. "/" .. name))
  local text = file:read "*a"
  file:close()
  return text
end

local roots, cert, key = read "root.pem", read "good.pem", read "leaf.key"

-- A call that may fail for good, and then ends the scenario. Where memory is missing OpenSSL may say that it lacks
-- something else, such as a cipher.
local function may(t, object, name, ...)
  local results = torture.mode == "alloc" and { object[name](object, ...) } or { t.may(object, name, ...) }
  if results[1] then return unpack(results) end
  if torture.fired() and torture.mode ~= "random" and (results[1] == false or results[3]) then error(GONE, 0) end
  if results[1] == nil and results[2] then error(name .. ": " .. results[2], 0) end
  return unpack(results)
end

-- The same where false is no failure.
local function wait_for(t, object, name, ...)
  if torture.mode ~= "alloc" then return t.may(object, name, ...) end
  local result, message = object[name](object, ...)
  if result == nil and message then error(torture.fired() and GONE or message, 0) end
  return result
end

local function shake_hands(t, a, b)
  local one, other
  for _ = 1, 20 do
    one = one or wait_for(t, a, "handshake")
    other = other or wait_for(t, b, "handshake")
    if one and other then return end
  end
  error(torture.fired() and GONE or "the handshake does not end", 0)
end

local function receive(t, sock, count)
  local text = ""
  for _ = 1, 100 do
    text = text .. (wait_for(t, sock, "recv") or "")
    if #text >= count then return text end
  end
  error(torture.fired() and GONE or "the stream ends too soon", 0)
end

local function connect(t, ls, client, server)
  local a, b = t.quietly(ls.pair)
  if not client:start(a, HOST) or not server:start(b) then error(GONE, 0) end
  shake_hands(t, a, b)
  may(t, a, "send", ("x"):rep(20000))
  t.check(#receive(t, b, 20000) == 20000, "the data is another")
  may(t, b, "send", "answer")
  t.check(receive(t, a, 6) == "answer", "the answer is another")
  return a, b
end

local function play(t, ls, tls, version)
  local client, message = tls.client { ca = roots, max = version, alpn = { "x" }, ocsp = true }
  if not client then error(torture.fired() and GONE or message, 0) end
  local server, problem = tls.server { cert = cert, key = key, alpn = { "x" } }
  if not server then error(torture.fired() and GONE or problem, 0) end
  for _ = 1, 2 do
    local a, b = connect(t, ls, client, server)
    a:tls()
    a:tls "peer"
    a:tls "chain"
    a:export("EXPORTER-x", 32)
    b:binding "tls-exporter"
    may(t, a, "shutdown", "w")
    wait_for(t, b, "recv")
    wait_for(t, b, "close")
    wait_for(t, a, "close")
  end
  server:reload()
end

local scenarios = {}

for _, version in ipairs { "1.2", "1.3" } do
  scenarios[#scenarios + 1] = { "TLS " .. version, function(t, ls)
    local tls = t.quietly(require, "lsocket.tls")
    -- Closing reads what has come, and says goodbye if linger is not 0: of that nobody is told.
    t.silent "send sendmsg recv getsockopt"
    local ok, problem = pcall(play, t, ls, tls, version)
    if not ok and problem ~= GONE then error(problem, 0) end
  end }
end

return scenarios
