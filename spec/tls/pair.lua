-- A connection both of whose ends are here, with TLS on each: what the specs of TLS share.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local certs = require "spec.tls.certs"

local pair = {}

-- The results must be nil, a text that has this in it, the name of the failure.
function pair.fails(name, text, ...)
  local results = helper.pack(...)
  local told = tostring(results[1]) .. ", " .. tostring(results[2]) .. ", " .. tostring(results[3])
  if results.n ~= 3 or results[1] ~= nil or results[3] ~= name or type(results[2]) ~= "string" then
    error("expected a failure " .. name .. ", got " .. told, 2)
  end
  if text and not results[2]:lower():find(text:lower(), 1, true) then
    error("expected '" .. text .. "' in '" .. results[2] .. "'", 2)
  end
end

-- What a socket waits for, by the direction that handshake returned.
local function wait_for(waits)
  local readers, writers = {}, {}
  for sock, direction in pairs(waits) do table.insert(direction == "w" and writers or readers, sock) end
  if next(waits) then assert(lsocket.select(readers, writers, helper.patience), "nothing happens any more") end
end

-- Calls handshake on all of them until each is done or has failed: sock -> its last results. hello(sock) is called for
-- one that stops at "hello".
function pair.shake(socks, hello)
  local deadline, results, waits = helper.now() + helper.patience, {}, {}
  repeat
    for _, sock in ipairs(socks) do
      if not results[sock] then
        local got = helper.pack(sock:handshake())
        while got[1] == false and got[2] == "hello" do
          hello(sock)
          got = helper.pack(sock:handshake())
        end
        if got[1] == false then waits[sock] = got[2] else results[sock], waits[sock] = got, nil end
      end
    end
    local moving = false
    for sock in pairs(waits) do moving = moving or waits[sock] == "r" and helper.is_readable(sock, 0) end
    if not moving then wait_for(waits) end
  until not next(waits) or helper.now() > deadline
  return results
end

-- Two ends of TLS that have not spoken yet: client, server.  host: false for none, nil for good.example.
function pair.start(client, server, host, options)
  local near, far = lsocket.pair()
  assert(near, far)
  if host == nil then host = "good.example" end
  assert(client:start(near, host or nil, options))
  assert(server:start(far))
  return near, far
end

-- What the handshake of each comes to: client's results, server's results, client, server.
function pair.try(client, server, host, options)
  local near, far = pair.start(client, server, host, options)
  local results = pair.shake { near, far }
  return results[near], results[far], near, far
end

-- A connection: client, server.
function pair.connect(client, server, host, options)
  local near, far, a, b = pair.try(client or certs.client(), server or certs.server(), host, options)
  if near[1] ~= true then error("the client failed: " .. tostring(near[2]), 2) end
  if far[1] ~= true then error("the server failed: " .. tostring(far[2]), 2) end
  return a, b
end

-- One sends, the other gets it.
function pair.passes(from, to, text)
  text = text or "something"
  assert(from:send(text))
  local got = helper.receive(to, #text)
  if got ~= text then error(("'%s' came as '%s'"):format(text, got), 2) end
end

-- Calls until the result is not false, waiting in between, with the other end reading nothing: all results.
function pair.until_done(sock, direction, call)
  for _ = 1, 1000 do
    local results = helper.pack(call())
    if results[1] ~= false then return (table.unpack or unpack)(results, 1, results.n) end
    helper[direction == "w" and "writable" or "readable"](sock)
  end
  error("never done", 2)
end

-- So many bytes whose places can be told by what they are.
function pair.numbered(count)
  local numbers = {}
  for i = 1, math.ceil(count / 8) do numbers[i] = ("%08d"):format(i) end
  return table.concat(numbers):sub(1, count)
end

-- What recv comes to: data, nil alone (true here), or a failure.
function pair.recv(sock, size)
  return pair.until_done(sock, "r", function() return sock:recv(size) end)
end

return pair
