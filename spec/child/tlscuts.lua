-- Connections with TLS that are cut at random: tlscuts.lua COUNT SEED CERTFILE KEYFILE CAFILE. Both ends of each write
-- a text whose every byte tells its place, in pieces of any size, with little room, pauses, deadlines and cancels, and
-- stop anywhere: politely or not. Each reader must get what its writer counted, in order, and may come to a clean end
-- only where the writer has made one, with all that was counted before it. Prints how many came to which end.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local new_random = require "spec.model.random"
local stream = require "lsocket.stream"
local tls = require "lsocket.tls"

local count, seed, certfile, keyfile, cafile = tonumber(arg[1]), tonumber(arg[2]), arg[3], arg[4], arg[5]
local AT_ONCE = 20
local ends = { clean = 0, cut = 0, handshake = 0 }

local random = new_random(seed)
local function chance(percent) return random(100) <= percent end
local function any(low, high) -- small ones are as likely as large ones
  return math.min(high, low + random(2 ^ random(18)) - 1)
end

local numbers = {}
for i = 1, 64000 do numbers[i] = ("%08d"):format(i) end
local text = table.concat(numbers)

local contexts = {}
for i, version in ipairs { "1.2", "1.3" } do
  contexts[i] = {
    client = assert(tls.client { cafile = cafile, max = version }),
    server = assert(tls.server { certfile = certfile, keyfile = keyfile }),
  }
end

local function wrong(...) error(("seed %d: "):format(seed) .. string.format(...), 0) end

-- A TCP connection within this process.
local listener = assert(lsocket.bind { address = "127.0.0.1", port = 0, backlog = 100 })
local port = listener:info("socket").port
local turn = loop.semaphore(1)
local function connection()
  assert(turn:acquire())
  local near = assert(lsocket.connect("127.0.0.1", port))
  assert(loop.wait(listener, "r"))
  local far = assert(listener:accept())
  turn:release()
  assert(loop.wait(near, "w"))
  return near, far
end

-- A stream on a socket, and a function that makes the handshake in one of three ways: by STARTTLS, by itself, or not,
-- as the first read or write will. It may be cut off, and goes on then.
local function begin(sock, context, host)
  local way = random(3)
  if way ~= 1 then assert(context:start(sock, host)) end
  local made = assert(stream.new(sock))
  local function shake()
    if way == 3 then return true end
    if way == 2 then return made:handshake() end
    way = 2
    return made:starttls(context, host)
  end
  return made, function()
    local done, message, name
    repeat
      if chance(10) then done, message, name = loop.deadline(random(3) / 1000, shake)
      else done, message, name = shake() end
    until done or name ~= "ETIMEDOUT" and name ~= "ECANCELED"
    return done, message
  end
end

local function pause()
  if chance(10) then loop.sleep(random(3) / 1000) elseif chance(20) then loop.sleep(0) end
end

-- Writes until it has had enough, or cannot. own: { counted =, ended = }, which the reader looks at.
local function write(out, own)
  local total = any(0, #text)
  while own.counted < total do
    local size = math.min(any(1, 200000), total - own.counted)
    local piece = text:sub(own.counted + 1, own.counted + size)
    local done, message, name, sent
    if chance(10) then
      done, message, name, sent = loop.deadline(random(4) / 1000, out.write, out, piece)
    else
      done, message, name, sent = out:write(piece)
    end
    own.counted = own.counted + (done and size or sent or 0)
    if done == nil and name ~= "ETIMEDOUT" and name ~= "ECANCELED" then return message end
    pause()
  end
  if chance(60) then
    own.ended = true -- from now on a clean end is right
    local result
    repeat
      result = out:shutdown "w"
      if result == false and not loop.wait(out, "w", 1) then return end
    until result ~= false
  end
end

-- Reads until the end or a failure, and looks at every byte. What is being written may arrive before it is counted.
local function read(from, theirs, stops)
  local got = 0
  while got < stops do
    local data, message, name
    local way = random(4)
    if way == 1 then data, message, name = from:readsome(any(1, 65536))
    elseif way == 2 then data, message, name = from:read(any(1, 100000))
    elseif way == 3 then data, message, name = loop.deadline(random(5) / 1000, from.readsome, from)
    else data, message, name = from:readuntil(tostring(random(10) - 1), 500000, true) end
    if data then
      if data ~= text:sub(got + 1, got + #data) then wrong("other bytes at %d", got) end
      got = got + #data
    elseif message == nil then
      if not theirs.ended then wrong("a clean end after %d bytes that nobody has made", got) end
      theirs.arrived = got
      ends.clean = ends.clean + 1
      return
    elseif name ~= "ETIMEDOUT" and name ~= "ECANCELED" then
      ends.cut = ends.cut + 1
      return
    end
    pause()
  end
end

-- A clean end, if there is time for it.
local function close(side)
  side.ended = true
  side.stream:close()
end

local function one(i)
  local near, far = connection()
  for _, sock in ipairs { near, far } do
    if chance(50) then assert(sock:setopt("sndbuf", any(1, 65536))) end
    if chance(50) then assert(sock:setopt("rcvbuf", any(1, 65536))) end
  end
  local both = contexts[i % 2 + 1]
  local first, shake_first = begin(near, both.client, "good.example")
  local second, shake_second = begin(far, both.server)
  local sides, tasks = {}, {}
  for j, made in ipairs { first, second } do
    sides[j] = { stream = made, shake = j == 1 and shake_first or shake_second, begun = loop.event(), counted = 0,
      ended = false }
  end
  for j, side in ipairs(sides) do
    local theirs = sides[3 - j]
    local stops = chance(90) and math.huge or any(0, #text)
    tasks[#tasks + 1] = loop.spawn(function()
      if not side.shake() then
        ends.handshake = ends.handshake + 1
        close(side)
      end
      side.begun:set()
      write(side.stream, side)
      if not side.ended and chance(70) then close(side) end
    end)
    tasks[#tasks + 1] = loop.spawn(function()
      repeat until side.begun:wait() -- a cancel ends a wait, and no more
      read(side.stream, theirs, stops)
    end)
  end
  loop.sleep(0) -- they begin
  for _ = 1, random(4) - 1 do
    loop.sleep(random(5) / 1000)
    tasks[random(#tasks)]:cancel()
  end
  if chance(30) then -- one end goes away, in one of three ways
    local gone = sides[random(2)]
    if chance(30) then gone.stream:setopt("linger", 0) end
    close(gone)
  end
  -- Whoever still waits for an end that will not come is told after a while.
  loop.deadline(0.5, function() for _, task in ipairs(tasks) do task:join() end end)
  for _, side in ipairs(sides) do close(side) end
  for _, task in ipairs(tasks) do task:join() end
  for _, side in ipairs(sides) do
    if side.arrived and side.arrived ~= side.counted then
      wrong("a clean end after %d bytes of %d", side.arrived, side.counted)
    end
  end
end

loop.run(function()
  local begun = 0
  local function worker()
    while begun < count do
      begun = begun + 1
      one(begun)
    end
  end
  local workers = {}
  for i = 1, AT_ONCE do workers[i] = loop.spawn(worker) end
  for _, task in ipairs(workers) do task:join() end
end)
print(("%d clean, %d cut, %d without a handshake"):format(ends.clean, ends.cut, ends.handshake))
