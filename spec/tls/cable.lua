-- TLS between two ends that are both here, whose bytes a test passes on as it likes: the client's end and the server's
-- are client and server, what has not been passed on yet waits in up (to the server) and down (to the client).
local lsocket = require "lsocket"
local helper = require "spec.helper"
local certs = require "spec.tls.certs"

local Cable = {}
Cable.__index = Cable

-- Takes what both ends have sent.
function Cable:collect()
  for held, sock in pairs { up = self.near, down = self.far } do
    local data = sock:recv()
    while data do
      self[held] = self[held] .. data
      data = sock:recv()
    end
  end
end

-- How many bytes were sent in a direction, "up" or "down", and not passed on.
function Cable:waiting(held)
  self:collect()
  return #self[held]
end

-- Passes on so many bytes of a direction, all where nothing is said: how many that were.
function Cable:pass(held, count)
  self:collect()
  local data = self[held]:sub(1, count or -1)
  local sent = data == "" and 0 or (held == "up" and self.far or self.near):send(data) or 0
  self[held] = self[held]:sub(sent + 1)
  self.passed[held] = self.passed[held] + sent
  return sent
end

-- Puts bytes of the test's own in a direction, behind what waits there.
function Cable:inject(held, data)
  self:collect()
  self[held] = self[held] .. data
end

-- Calls handshake on both ends, passing on up to so many bytes at a time, until both are done, fail, or wait for what
-- the cable does not pass on: the results of both.
function Cable:shake(count, limits)
  local results = {}
  for _ = 1, 100000 do
    for _, name in ipairs { "client", "server" } do
      if not results[name] then
        local got = helper.pack(self[name]:handshake())
        if got[1] ~= false then results[name] = got end
      end
    end
    if results.client and results.server then break end
    local moved = 0
    for held, left in pairs { up = limits and limits.up or math.huge, down = limits and limits.down or math.huge } do
      left = math.min(left - self.passed[held], count or 65536)
      if left > 0 then moved = moved + self:pass(held, left) end
    end
    if moved == 0 then break end
  end
  return results.client, results.server
end

-- Finishes the handshake of the one end that is here, where the other one is another program's.
function Cable:finish()
  local sock, coming, going = self.server, "up", "down"
  if self.client then sock, coming, going = self.client, "down", "up" end
  helper.eventually("the handshake", function()
    self:pass(coming)
    local done, message = sock:handshake()
    assert(done ~= nil, message)
    self:pass(going)
    return done
  end)
end

-- Ends both connections, throwing away what waits.
function Cable:cut()
  self:collect()
  self.near:close()
  self.far:close()
end

local cable = {}

-- Options: those of the client's start, and host, false for none.
function cable.new(client, server, options)
  options = options or {}
  local self = setmetatable({ up = "", down = "", passed = { up = 0, down = 0 } }, Cable)
  self.client, self.near = assert(lsocket.pair())
  self.server, self.far = assert(lsocket.pair())
  assert((client or certs.client()):start(self.client, options.host or "good.example"))
  assert((server or certs.server()):start(self.server))
  return self
end

-- One from a socket that another program has, the client, to a server that is here.
function cable.from(near, server)
  local self = setmetatable({ near = near, up = "", down = "", passed = { up = 0, down = 0 } }, Cable)
  self.server, self.far = assert(lsocket.pair())
  assert((server or certs.server()):start(self.server))
  return self
end

-- One to a socket that another program has, the server, from a client that is here.
function cable.to(far, client)
  local self = setmetatable({ far = far, up = "", down = "", passed = { up = 0, down = 0 } }, Cable)
  self.client, self.near = assert(lsocket.pair())
  assert((client or certs.client()):start(self.client, "good.example"))
  return self
end

-- One whose handshake has finished, with nothing left on the way.
function cable.connect(...)
  local self = cable.new(...)
  local near, far = self:shake()
  if not (near and near[1] and far and far[1]) then error("no connection: " .. tostring((near or far or {})[2]), 2) end
  self:pass "up"
  self:pass "down"
  return self
end

return cable
