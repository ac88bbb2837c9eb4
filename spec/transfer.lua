-- Much data over a link that may be bad, in both directions at once, each byte of it checked: what the nth byte of a
-- direction must be follows from n and the direction's number. For one end of a connection, in a process of its own.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local helper = require "spec.helper"

local transfer = {}

local PERIOD, PIECE = 4099, 65536 -- a prime: nothing that is lost, doubled or moved leaves the period as it was

local function pattern(number)
  local bytes = {}
  for i = 1, PERIOD do bytes[i] = string.char((i * i + number * i + math.floor(i / 16)) % 251) end
  return table.concat(bytes):rep(math.ceil(PIECE / PERIOD) + 1)
end

-- What stands behind so many bytes of a direction.
local function slice(text, position, count)
  local first = position % PERIOD
  return text:sub(first + 1, first + count)
end

local function check(text, position, data)
  if data ~= slice(text, position, #data) then error("not what was sent, behind byte " .. position) end
  return position + #data
end

-- Sends count bytes by send and receives by recv, as the poller tells; answers how many came up to the end.
function transfer.poll(sock, count, mine, yours)
  local own, expected = pattern(mine), pattern(yours)
  local sent, got, idle, ended = 0, 0, 0, false
  local poller = assert(lsocket.poller())
  assert(poller:add(sock, "rw"))
  while sent < count or not ended do
    local before = sent + got
    local readable, writable = poller:wait(helper.patience)
    assert(readable, "time is up")
    if readable[1] then
      local data, message = sock:recv(PIECE)
      if data then got = check(expected, got, data) end
      if data == nil then
        ended = message == nil or error(message)
        assert(poller:modify(sock, "w"))
      end
    end
    if writable[1] and sent < count then
      sent = sent + assert(sock:send(slice(own, sent, math.min(PIECE, count - sent))) or 0)
      if sent == count then
        assert(sock:shutdown "w")
        assert(poller:modify(sock, "r"))
      end
    end
    if sent + got == before then idle = idle + 1 end
    assert(idle < 100, "woken for nothing again and again")
  end
  poller:close()
  return got
end

-- The same by a stream, with a task for each direction.
function transfer.stream(sock, count, mine, yours)
  local own, expected = pattern(mine), pattern(yours)
  local got = 0
  loop.run(function()
    local connection = stream.new(sock)
    local writer = loop.spawn(function()
      for sent = 0, count - 1, PIECE do
        assert(connection:write(slice(own, sent, math.min(PIECE, count - sent))))
      end
      return connection:shutdown "w"
    end)
    local data, message = connection:readsome()
    while data do
      got = check(expected, got, data)
      data, message = connection:readsome()
    end
    assert(not message, message)
    assert(writer:join())
  end)
  return got
end

-- One direction alone: all that can be sent up to count bytes, or received up to count bytes in all; answers how many.
function transfer.send(sock, count, number)
  local text, sent = pattern(number), 0
  while sent < count do
    sent = sent + assert(helper.writable(sock):send(slice(text, sent, math.min(PIECE, count - sent))) or 0)
  end
  return sent
end

function transfer.receive(sock, count, number, got, patience)
  local text = pattern(number)
  while got < count and lsocket.select({ sock }, patience or helper.patience) do
    local data, message = sock:recv(math.min(PIECE, count - got))
    got = check(text, got, assert(data, message))
  end
  return got
end

-- ---- datagrams, each with its number ----

local function datagram(text, number)
  return ("%08d"):format(number) .. slice(text, number * 7, number * 37 % 1200)
end

-- Sends count datagrams, and then that this was the end until the peer has heard it.
function transfer.send_datagrams(sock, count, number)
  local text, batch = pattern(number), lsocket.batch(20, 2000)
  for i = 1, count do
    assert(batch:add(datagram(text, i)))
    if #batch == 20 or i == count then
      while #batch > 0 do assert(helper.writable(sock):sendmany(batch)) end
      batch:clear()
      lsocket.select(0.001) -- the peer's buffer is small
    end
  end
  helper.eventually("an answer to the end", function()
    assert(sock:send "end")
    return helper.is_readable(sock)
  end)
  return sock:recv()
end

-- How many different ones of count came, how many came once more, how many came behind a later one.
function transfer.receive_datagrams(sock, count, number)
  local text, batch, seen = pattern(number), lsocket.batch(50, 2000), {}
  local different, again, late, highest = 0, 0, 0, 0
  while true do
    for i = 1, helper.readable(sock):recvmany(batch) or 0 do
      local data, address, port = batch:get(i)
      if data == "end" then
        for _ = 1, 20 do assert(sock:sendto("heard", address, port)) end -- one of them will come
        return different, again, late
      end
      local n = tonumber(data:sub(1, 8))
      assert(n and n >= 1 and n <= count and data == datagram(text, n), "a datagram that was not sent")
      if seen[n] then again = again + 1 else different = different + 1 end
      if n < highest then late = late + 1 end
      seen[n], highest = true, math.max(highest, n)
    end
  end
end

return transfer
