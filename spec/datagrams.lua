-- Batches filled, sent through and read, for the specs of batches and of offload.
local lsocket = require "lsocket"
local helper = require "spec.helper"

local datagrams = {}

function datagrams.has_offload()
  return (helper.bind("udp", "127.0.0.1", 0)):getopt "gro" ~= nil
end

-- A receiver, and a sender that is connected to it.
function datagrams.pair(address)
  local receiver, port = helper.bind("udp", address or "127.0.0.1", 0)
  local sender = assert(lsocket.connect("udp", address or "127.0.0.1", port))
  receiver:setopt("rcvbuf", 1000000)
  sender:setopt("sndbuf", 1000000)
  return receiver, sender
end

-- A batch with these datagrams.
function datagrams.filled(...)
  local data = helper.pack(...)
  local batch = lsocket.batch(data.n, 2000)
  for i = 1, data.n do assert(batch:add(data[i])) end
  return batch
end

-- A batch of so many different ones, and these as a list.
function datagrams.numbered(count)
  local batch, list = lsocket.batch(count, 100), {}
  for i = 1, count do
    list[i] = "datagram " .. i
    assert(batch:add(list[i]))
  end
  return batch, list
end

-- The data of every datagram that is left in the batch.
function datagrams.contents(batch)
  local list = {}
  for i = 1, #batch do list[i] = batch:get(i) end
  return list
end

-- Receives until there are so many; answers the data of all.
function datagrams.receive(sock, batch, count)
  local list = {}
  while #list < count do
    local n = assert(helper.readable(sock):recvmany(batch))
    assert(n == #batch)
    for i = 1, n do list[#list + 1] = batch:get(i) end
  end
  return list
end

-- Sends all of the batch, though the receiver has no room for it: it is emptied in between. Answers what came.
function datagrams.send_through(sender, batch, receiver, into)
  local list, total = {}, #batch
  while #batch > 0 or #list < total do
    if #batch > 0 then assert(sender:sendmany(batch) ~= nil) end
    local n, message = receiver:recvmany(into)
    assert(n ~= nil, message)
    for i = 1, n or 0 do list[#list + 1] = into:get(i) end
    if #batch == 0 and not n then helper.readable(receiver) end
  end
  return list
end

return datagrams
