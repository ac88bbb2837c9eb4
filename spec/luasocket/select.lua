-- Rows of select.
local common = require "spec.luasocket.common"

local keep, refused, pair = common.keep, common.refused, common.pair

return {
  { "nothing to wait for", '{} {} "timeout"', function(socket) return socket.select(nil, nil, 0) end },
  { "a time that is NaN is none", '{} {} "timeout"', function(socket)
    return socket.select({ common.pair(socket) }, nil, 0 / 0)
  end },
  { "empty tables", '{} {} "timeout"', function(socket) return socket.select({}, {}, 0) end },
  { "it waits its time", 'true {} {} "timeout"', function(socket)
    return common.timed(socket, 0.05, socket.select, nil, nil, 0.05)
  end },
  { "a readable one, by number and by itself", "2 true 1 0", function(socket)
    local client, server = pair(socket)
    server:send "x"
    local readable, writable, third = socket.select({ client }, nil, 5)
    assert(third == nil)
    local count = 0
    for _ in pairs(readable) do count = count + 1 end
    return count, readable[1] == client, readable[client], #writable
  end },
  { "two results where something is ready", "2", function(socket)
    local client = pair(socket)
    return select("#", socket.select(nil, { client }, 5))
  end },
  { "three results where nothing is", "3", function(socket)
    local client = pair(socket)
    return select("#", socket.select({ client }, nil, 0))
  end },
  { "new tables", "true true", function(socket)
    local client = pair(socket)
    local wanted = { client }
    local readable, writable = socket.select(wanted, wanted, 0)
    return readable ~= wanted, writable ~= wanted
  end },
  { "a writable one", "0 1 true 1", function(socket)
    local client = pair(socket)
    local readable, writable = socket.select({ client }, { client }, 5)
    return #readable, #writable, writable[1] == client, writable[client]
  end },
  { "one that is both", "1 1", function(socket)
    local client, server = pair(socket)
    server:send "x"
    socket.select({ client }, nil, 5)
    local readable, writable = socket.select({ client }, { client }, 5)
    return #readable, #writable
  end },
  { "some of several", "1 true nil", function(socket)
    local a = pair(socket)
    local b, peer = pair(socket)
    peer:send "x"
    local readable = socket.select({ a, b }, nil, 5)
    return #readable, readable[1] == b, readable[a]
  end },
  { "each by its number", "2 true true", function(socket)
    local a, first = pair(socket)
    local b, second = pair(socket)
    first:send "x"
    second:send "x"
    socket.select({ a }, nil, 5)
    socket.select({ b }, nil, 5)
    local readable = socket.select({ a, b }, nil, 5)
    return #readable, readable[readable[a]] == a, readable[readable[b]] == b
  end },
  { "what is left in the buffer is readable", "1 true", function(socket)
    local client, server = pair(socket)
    server:send "one\ntwo\n"
    client:receive()
    local readable = socket.select({ client }, nil, 30)
    return #readable, readable[1] == client
  end },
  { "a buffer does not wait for others, which are there, too", "2 0", function(socket)
    local client, server = pair(socket)
    local other, peer = pair(socket)
    server:send "one\ntwo\n"
    client:receive()
    peer:send "x"
    socket.select({ other }, nil, 5)
    local readable, writable = socket.select({ client, other }, nil, 30)
    return #readable, #writable
  end },
  { "a buffer is not writable", "0 1", function(socket)
    local client, server = pair(socket)
    server:send "one\ntwo\n"
    client:receive()
    local readable, writable = socket.select(nil, { client }, 5)
    return #readable, #writable
  end },
  { "an end is readable", "1", function(socket)
    local client = common.ended(socket, "")
    return #socket.select({ client }, nil, 5)
  end },
  { "a listener with a client is readable", "1", function(socket)
    local server, port = common.listener(socket)
    keep(assert(socket.connect("127.0.0.1", port)))
    return #socket.select({ server }, nil, 5)
  end },
  { "a refused connect is writable", "1", function(socket)
    local port = common.refusing(socket)
    local tcp = keep(socket.tcp())
    tcp:settimeout(0)
    tcp:connect("127.0.0.1", port)
    local _, writable = socket.select(nil, { tcp }, 5)
    return #writable
  end },
  { "closed ones are skipped", '{} {} "timeout"', function(socket)
    local client = pair(socket)
    client:close()
    return socket.select({ client }, { client }, 0)
  end },
  { "ones without a descriptor are skipped", '{} {} "timeout"', function(socket)
    local tcp = keep(socket.tcp())
    return socket.select({ tcp }, { tcp }, 0)
  end },
  { "a closed one beside another", "1", function(socket)
    local a, b = pair(socket)
    a:close()
    return #socket.select({ a, b }, nil, 5)
  end },
  { "any object with getfd", "1 true", function(socket)
    local client, server = pair(socket)
    server:send "x"
    local object = { getfd = function() return client:getfd() end }
    local readable = socket.select({ object }, nil, 5)
    return #readable, readable[1] == object
  end },
  { "any object that is dirty", "1 true", function(socket)
    local client = pair(socket)
    local object = { getfd = function() return client:getfd() end, dirty = function() return true end }
    local readable = socket.select({ object }, nil, 30)
    return #readable, readable[1] == object
  end },
  { "an object without getfd is skipped", '{} {} "timeout"', function(socket)
    return socket.select({ {} }, nil, 0)
  end },
  { "an object whose getfd is no number is skipped", '{} {} "timeout"', function(socket)
    return socket.select({ { getfd = function() return "none" end } }, nil, 0)
  end },
  { "a list ends at its first hole", '{} {} "timeout"', function(socket)
    local client, server = pair(socket)
    server:send "x"
    socket.select({ client }, nil, 5)
    return socket.select({ nil, client }, nil, 0)
  end },
  { "other fields of a list do not matter", '{} {} "timeout"', function(socket)
    local client, server = pair(socket)
    server:send "x"
    socket.select({ client }, nil, 5)
    return socket.select({ client = client, [0] = client }, nil, 0)
  end },
  { "a time less than none is for ever", "1", function(socket)
    local client, server = pair(socket)
    server:send "x"
    return #socket.select({ client }, nil, -1)
  end },
  { "no time is for ever", "1", function(socket)
    local client, server = pair(socket)
    server:send "x"
    return #socket.select({ client })
  end },
  { "a string for a list", '"table expected, got string"', function(socket)
    return refused(socket.select, "wrong", nil, 0)
  end },
  { "a number for a list", '"table expected, got number"', function(socket)
    return refused(socket.select, {}, 1, 0)
  end },
  { "a string for the time", '"number expected, got string"', function(socket)
    return refused(socket.select, nil, nil, "x")
  end },
  { "a number in a list", "false", function(socket) return (pcall(socket.select, { 1 }, nil, 0)) end },
  { "udp", "1 1", function(socket)
    local sender, receiver = common.udps(socket)
    sender:send "x"
    local readable = socket.select({ receiver }, nil, 5)
    local _, writable = socket.select(nil, { sender }, 5)
    return #readable, #writable
  end },
  { "unix streams", "1 1", function(socket, unix)
    local client, server = common.streams(unix)
    server:send "x"
    local readable, writable = socket.select({ client }, { client }, 5)
    return #readable, #writable
  end },
}
