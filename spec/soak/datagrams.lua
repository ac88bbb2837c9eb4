-- Pairs of sockets for datagrams and records, each in a task of its own: what is sent comes, in order, unchanged. UDP
-- may lose some, or change their order, when the system is busy; what is lost is counted.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local common = require "spec.soak.common"
local waiters = require "spec.soak.waiters"

local did, chance, one_of = common.did, common.chance, common.one_of
local ROOM = 60000 -- bytes that may be on their way; the system counts more for each datagram
local OVERHEAD = 1000

-- ---- kinds: each makes a sender that is connected, a receiver, and where that can be sent to ----

local kinds = {}

local function udp(address)
  local receiver = assert(lsocket.bind("udp", address, 0))
  local port = common.port(receiver)
  return assert(lsocket.connect { type = "udp", address = address, port = port, localaddress = address }), receiver,
    address, port
end

function kinds.udp() return udp "127.0.0.1" end
function kinds.udp6() return udp "::1" end

function kinds.dual() -- IPv4 on a socket of IPv6
  local receiver = assert(lsocket.bind { type = "udp", address = "::", port = 0, v6only = false })
  return assert(lsocket.connect("udp", "127.0.0.1", common.port(receiver))), receiver
end

local function group(address)
  local receiver = assert(lsocket.bind("mcast", address, 0))
  local sender = assert(lsocket.connect("mcast", address, common.port(receiver), chance(2) and 0 or 1))
  did "multicast groups"
  return sender, receiver
end

function kinds.multicast() return group(("239.1.%d.%d%%lo"):format(math.random(0, 255), math.random(0, 255))) end
function kinds.multicast6() return group(("ff12::%x%%veth0"):format(math.random(65535))) end -- lo has no route

function kinds.joined()
  local receiver = assert(lsocket.bind("udp", "0.0.0.0", 0))
  local address = ("232.1.%d.%d"):format(math.random(0, 255), math.random(0, 255))
  local source = chance(2) and "127.0.0.1" or nil
  assert(receiver:join(address, "lo", source))
  common.fails("EADDRINUSE EADDRNOTAVAIL", receiver:join(address, "lo", source))
  assert(receiver:join("239.1.1.1", 1) and receiver:leave("239.1.1.1", 1))
  did "multicast groups"
  return assert(lsocket.connect("mcast", address .. "%lo", common.port(receiver))), receiver
end

function kinds.path()
  local path = common.path()
  local receiver = assert(lsocket.bind("udp", path))
  local sender = assert(lsocket.connect("udp", path))
  os.remove(path)
  return sender, receiver
end

function kinds.abstract()
  local name = common.abstract()
  local receiver = assert(lsocket.bind("udp", name))
  return assert(lsocket.connect { type = "udp", address = name, localaddress = common.abstract() }), receiver, name, 0
end

function kinds.pair() return assert(lsocket.pair "udp") end
function kinds.records() return assert(lsocket.pair "seqpacket") end

local kind_names = { "udp", "udp", "udp6", "dual", "multicast", "multicast6", "joined", "path", "abstract", "pair",
  "records" }
if not common.sandbox then table.remove(kind_names, 6) end -- no veth0
local is_udp = { udp = true, udp6 = true, dual = true, multicast = true, multicast6 = true, joined = true }

-- ---- sending; each gives what the call gives ----

local sends = {}

function sends.text(link, text) return link.sender:send(text) end
function sends.array(link, text) return link.sender:send { text:sub(1, 7), text:sub(8, 8), text:sub(9) } end

function sends.part(link, _, position, count)
  local first = common.place(position)
  return link.sender:send(common.all, first, first + count - 1)
end

function sends.to(link, text)
  if not link.address then return link.sender:send(text) end
  local address = link.kind == "abstract" and common.abstract() or link.address
  link.other = link.other or assert(lsocket.bind("udp", address, 0))
  return link.other:sendto(text, link.address, link.port)
end

function sends.message(link, text)
  did "messages"
  return link.sender:sendmsg { data = { text:sub(1, 5), text:sub(6) }, ttl = link.udp and math.random(255) or nil }
end

function sends.batch(link, text)
  local batch = lsocket.batch(1, #text)
  assert(batch:add(text) and batch:add(text) == false)
  did "batches"
  local count, message, name = link.sender:sendmany(batch)
  return count and #text or count, message, name
end

local send_names = { "text", "array", "part", "to", "message", "batch" }

local function send(link)
  local count = chance(4) and math.random(ROOM - OVERHEAD) or math.random(1400)
  if link.waiting + count + OVERHEAD > ROOM then return end
  local name = one_of(send_names)
  if name == "batch" and link.kind == "records" then name = "text" end -- batches are for datagrams
  local position = common.position()
  local taken, message = sends[name](link, common.text(position, count), position, count)
  did "datagrams sent"
  if taken == false then return end
  if taken ~= count then error(message or "a part of a datagram was sent") end
  link.waiting = link.waiting + count + OVERHEAD
  link.last = link.last + 1
  link.queue[link.last] = { position = position, count = count }
end

-- ---- receiving; each gives the data, and the whole length where it was cut, or what else the call gives ----

local receives = {}

function receives.recv(link) return link.receiver:recv() end
function receives.cut(link) return link.receiver:recv(math.random(1000)) end

function receives.from(link)
  local data, address, port, length = link.receiver:recvfrom(chance(2) and 500 or nil)
  if not data then return data, address, port end
  if link.udp then assert(address and port > 0, "a datagram from nobody") end
  return data, length
end

function receives.message(link)
  local data, message, name = link.receiver:recvmsg(chance(2) and 500 or nil)
  if not data then return data, message, name end
  if link.udp then assert(message.address and message.port > 0, "a datagram from nobody") end
  did "messages"
  return data, message.truncated
end

function receives.peek(link)
  local seen, length = link.receiver:peek(10)
  if not seen then return seen, length end
  local data = assert(link.receiver:recv())
  assert(data:sub(1, #seen) == seen and (length or #seen) == #data, "peek has seen another datagram")
  return data
end

function receives.buffer(link)
  local buffer = lsocket.buffer()
  local count, message, name = buffer:recv(link.receiver)
  if not count then return count, message, name end
  did "buffers"
  return assert(buffer:take(count))
end

local receive_names = { "recv", "recv", "cut", "from", "message", "peek", "buffer" }

-- The datagram of the queue that this is the whole or the beginning of goes out of the queue.
local function match(link, data, length)
  length = length or #data
  for i = link.first, link.last do
    local sent = link.queue[i]
    if sent and sent.count == length and common.text(sent.position, #data) == data then
      assert(i == link.first or link.udp, "not in order")
      link.queue[i] = nil
      while link.first <= link.last and not link.queue[link.first] do link.first = link.first + 1 end
      link.waiting = link.waiting - sent.count - OVERHEAD
      common.bytes = common.bytes + #data
      did "datagrams received"
      return
    end
  end
  error "a datagram that nobody has sent"
end

local function receive_batch(link)
  local batch = lsocket.batch(math.random(20))
  local count = assert(link.receiver:recvmany(batch), "told to be readable, and is not")
  for i = 1, count do match(link, batch:get(i), nil) end
  did "batches"
end

local function lose(link)
  assert(link.udp, "a datagram is missing")
  common.lost = common.lost + link.last - link.first + 1
  link.queue, link.first, link.last, link.waiting = {}, 1, 0, 0
end

local function receive(link)
  if link.first > link.last then
    assert(link.receiver:recv() == false, "a datagram that nobody has sent")
    return
  end
  if link.udp then
    if not loop.wait(link.receiver, "r", 5) then return lose(link) end
  else
    link.wait(link.receiver, link.sender)
  end
  if link.kind ~= "records" and chance(4) then return receive_batch(link) end
  local data, length = receives[one_of(receive_names)](link)
  if not data then error(length or "told to be readable, and is not") end
  match(link, data, length)
end

-- ---- offload: the system cuts what is sent, and puts together what comes ----

local function play_offload()
  local sender, receiver = kinds.udp()
  for _ = 1, math.random(5) do
    assert(sender:setopt("segment", chance(2) and 500 or 0) and receiver:setopt("gro", chance(2)))
    local size, count = math.random(500), math.random(60)
    local out, back = lsocket.batch(count, size), lsocket.batch(8, math.random(1000))
    local position = common.position()
    for i = 1, count do assert(out:add(common.text(position + i * size, size))) end
    while #out > 0 do
      local sent, message = sender:sendmany(out)
      if sent == nil then error(message) end
      if sent == false then common.wait(sender, "w") end
    end
    local got = 0
    while got < count and loop.wait(receiver, "r", 5) do
      for i = 1, assert(receiver:recvmany(back), "told to be readable, and is not") do
        local data, _, _, length = back:get(i)
        local n = got + 1
        while n <= count and common.text(position + n * size, #data) ~= data do n = n + 1 end
        assert(n <= count and (length or #data) == size, "a datagram that nobody has sent")
        common.lost = common.lost + n - got - 1
        got = n
      end
    end
    common.lost = common.lost + count - got
    did("datagrams in segments", count)
    loop.sleep(0)
  end
end

-- ---- a life ----

local function play()
  if chance(12) then return play_offload() end
  local kind = one_of(kind_names)
  local sender, receiver, address, port = kinds[kind]()
  local link = { kind = kind, udp = is_udp[kind], sender = sender, receiver = waiters.watch(receiver),
    address = address, port = port, queue = {}, first = 1, last = 0, waiting = 0, wait = waiters.new() }
  for _ = 1, math.random(30) do
    if chance(2) then send(link) else receive(link) end
    if chance(5) then loop.sleep(0) end
  end
  while link.first <= link.last do receive(link) end
  if chance(4) then
    waiters.forget(link.receiver)
    did "left to the collector"
  else
    assert(sender:close() and receiver:close())
    if link.other then link.other:close() end
  end
  did(kind == "records" and "seqpacket pairs" or "datagram pairs")
end

return play
