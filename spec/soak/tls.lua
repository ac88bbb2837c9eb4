-- A connection with TLS that lives for some steps: bytes both ways, each known by its place, then one of several ends.
-- The server's context is made anew every second meanwhile. Plays nothing where there is no TLS.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local common = require "spec.soak.common"

local found, tls = pcall(require, "lsocket.tls")
if not found then return function() loop.sleep(0) end end

local did, chance, one_of = common.did, common.chance, common.one_of
local MOST = 100000 -- bytes of a call

local folder = "build/soak/certs/"
os.execute(("[ -e %sroot.pem ] || { mkdir -p %s && spec/tls/make %s; }"):format(folder, folder, folder))

local server = assert(tls.server { certfile = folder .. "good.pem", keyfile = folder .. "leaf.key" })
local clients = {}
for i, version in ipairs { "1.2", "1.3" } do
  clients[i] = assert(tls.client { cafile = folder .. "root.pem", max = version })
end

local reloaded = loop.now()
local function reload()
  if loop.now() < reloaded + 1 then return end
  reloaded = loop.now()
  assert(server:reload())
  did "contexts made anew"
end

local function shake(sock)
  while true do
    local done, direction, name = sock:handshake()
    if done ~= false then return done, direction, name end
    common.wait(sock, direction)
  end
end

-- Two ends, and what has been sent by each and received of that; nil where the handshake was to fail.
local function connect()
  local address = common.loopback()
  local listener = assert(lsocket.bind(address, 0))
  local near, far = common.connection(listener, address, common.port(listener))
  local host = one_of { "good.example", "localhost", "bad.example" }
  assert(one_of(clients):start(near, host))
  assert(server:start(far))
  local task = loop.spawn(shake, far)
  local done, _, name = shake(near)
  local other = task:join()
  if host ~= "bad.example" then
    assert(done and other, name)
    did(near:tls().resumed and "TLS handshakes, resumed" or "TLS handshakes")
    return { sock = near, sent = 0, got = 0, start = common.position() },
      { sock = far, sent = 0, got = 0, start = common.position() }
  end
  assert(name == "ETLS_NAME" and not other, "another name was taken")
  near:close()
  far:close()
  did "TLS handshakes refused"
end

local function send(from)
  local count = chance(3) and math.random(MOST) or math.random(2000)
  local taken, message = from.sock:send(common.text(from.start + from.sent, count))
  if taken == nil then error(message) end
  from.sent = from.sent + (taken or 0)
  did "TLS sends"
end

local function receive(to, from)
  if from.sent > from.got then from.sock:send "" end -- what it has taken and not sent
  local data, message = to.sock:recv(math.random(MOST))
  if data == nil then error(message or "an end that nobody has made") end
  if not data then return end
  common.check(data, from.start + from.got)
  from.got = from.got + #data
  did "TLS receives"
end

-- Receives until the end or a failure: the name of that.
local function drain(to, from)
  while true do
    local data, _, name = to.sock:recv()
    if data == nil then return name end
    if data then
      common.check(data, from.start + from.got)
      from.got = from.got + #data
    else
      common.wait(to.sock, "r")
    end
  end
end

local endings = {}

function endings.both(a, b)
  local closer = loop.spawn(common.eventually, a.sock.shutdown, a.sock, "w")
  assert(drain(b, a) == nil and a.got == a.sent, "bytes are missing")
  assert(closer:join())
  closer = loop.spawn(common.eventually, b.sock.shutdown, b.sock, "w")
  assert(drain(a, b) == nil and b.got == b.sent, "bytes are missing")
  assert(closer:join())
  a.sock:close()
  b.sock:close()
end

function endings.close(a, b)
  a.sock:close()
  local name = drain(b, a)
  if name == nil then assert(a.got == a.sent, "bytes are missing")
  else assert(name == "ETLS_TRUNCATED" or name == "ECONNRESET", name) end
  b.sock:close()
end

function endings.garbage(a, b)
  a.sock = nil
  loop.sleep(0.001) -- the loop has what it has told last until it has polled again
  collectgarbage()
  local name = drain(b, a)
  assert(name == "ETLS_TRUNCATED" or name == "ECONNRESET", name)
  b.sock:close()
end

return function()
  reload()
  local a, b = connect()
  if not a then return end
  for _ = 1, math.random(40) do
    local from, to = a, b
    if chance(2) then from, to = b, a end
    if chance(2) then send(from) else receive(to, from) end
    if chance(5) then loop.sleep(0) end
  end
  endings[chance(20) and "garbage" or one_of { "both", "close" }](a, b)
  did "TLS connections"
end
