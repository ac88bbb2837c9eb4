-- Rows of udp objects.
local common = require "spec.luasocket.common"

local keep, refused = common.keep, common.refused

return {
  { "udp makes one without a descriptor", 'udp{unconnected} -1 "inet4"', function(socket)
    local udp = keep(socket.udp())
    return udp, udp:getfd(), udp:getfamily()
  end },
  { "udp4 makes one with a descriptor", 'udp{unconnected} true "inet4"', function(socket)
    local udp = keep(socket.udp4())
    return udp, udp:getfd() >= 0, udp:getfamily()
  end },
  { "udp6 makes one with a descriptor", 'udp{unconnected} true "inet6"', function(socket)
    local udp = keep(socket.udp6())
    return udp, udp:getfd() >= 0, udp:getfamily()
  end },
  { "the class is a field", '"udp{unconnected}"', function(socket) return keep(socket.udp()).class end },
  { "all methods are functions", '""', function(socket)
    local udp, missing = keep(socket.udp()), {}
    for name in ("close dirty getfamily getfd getoption getpeername getsockname receive receivefrom send sendto setfd "
      .. "setoption setpeername setsockname settimeout gettimeout"):gmatch "%a+" do
      if type(udp[name]) ~= "function" then missing[#missing + 1] = name end
    end
    return table.concat(missing, " ")
  end },
  { "methods that tcp alone has", "nil nil nil nil nil nil", function(socket)
    local udp = keep(socket.udp())
    return udp.accept, udp.bind, udp.connect, udp.listen, udp.shutdown, udp.getstats
  end },
  { "setsockname", '1 "127.0.0.1" "string" "inet" udp{unconnected}', function(socket)
    local udp = keep(socket.udp())
    local done = udp:setsockname("127.0.0.1", 0)
    local address, port, family = udp:getsockname()
    return done, address, type(port), family, udp
  end },
  { "setsockname to every address", '1 "0.0.0.0"', function(socket)
    local udp = keep(socket.udp4())
    return udp:setsockname("*", 0), (udp:getsockname())
  end },
  { "setsockname to one in use", 'nil "address already in use"', function(socket)
    local _, port = common.udp(socket)
    return keep(socket.udp()):setsockname("127.0.0.1", port)
  end },
  { "setsockname without a port", '"string expected, got nil"', function(socket)
    local udp = keep(socket.udp())
    return refused(udp.setsockname, udp, "127.0.0.1")
  end },
  { "names of one without a descriptor", 'nil "Bad file descriptor" "udp{connected} expected"', function(socket)
    local udp = keep(socket.udp())
    local name, message = udp:getsockname()
    return name, message, refused(udp.getpeername, udp)
  end },
  { "setpeername", '1 udp{connected} "127.0.0.1" true "inet"', function(socket)
    local _, port = common.udp(socket)
    local udp = keep(socket.udp())
    local done = udp:setpeername("127.0.0.1", port)
    local address, peer, family = udp:getpeername()
    return done, udp, address, peer == port, family
  end },
  { "setpeername to none", '1 udp{unconnected}', function(socket)
    local sender = common.udps(socket)
    return sender:setpeername "*", sender
  end },
  { "setpeername to none where there was none", '1 udp{unconnected}', function(socket)
    local udp = keep(socket.udp4())
    return udp:setpeername "*", udp
  end },
  { "setpeername to another", "1 true", function(socket)
    local sender = common.udps(socket)
    local _, port = common.udp(socket)
    return sender:setpeername("127.0.0.1", port), (select(2, sender:getpeername())) == port
  end },
  { "setpeername without a port", '"string expected, got nil"', function(socket)
    local udp = keep(socket.udp())
    return refused(udp.setpeername, udp, "127.0.0.1")
  end },
  { "setpeername to a name that there is not", 'nil "host or service not provided, or not known" udp{unconnected}',
    function(socket)
      local udp = keep(socket.udp())
      local done, message = udp:setpeername("nothing.invalid", 80)
      return done, message, udp
    end, needs = "sandbox" },
  { "setpeername of IPv4 to IPv6", 'nil "Address family for hostname not supported"', function(socket)
    return keep(socket.udp4()):setpeername("::1", 80)
  end },
  { "send and receive", '3 "abc"', function(socket)
    local sender, receiver = common.udps(socket)
    return sender:send "abc", receiver:receive()
  end },
  { "send and receivefrom", '3 "abc" "127.0.0.1" true', function(socket)
    local sender, receiver = common.udps(socket)
    local sent = sender:send "abc"
    local data, address, port = receiver:receivefrom()
    return sent, data, address, port == tonumber((select(2, sender:getsockname())))
  end },
  { "datagrams one after the other", '30 30 "29" "127.0.0.1" "number"', function(socket)
    local receiver, port = common.udp(socket)
    local sender = keep(socket.udp())
    local one, other, data, address, from = 0, 0, nil, nil, nil
    for i = 0, 29 do
      one = one + sender:sendto("x", "127.0.0.1", port) * #receiver:receive()
      sender:sendto(tostring(i), "127.0.0.1", tostring(port))
      data, address, from = receiver:receivefrom()
      other = other + (tonumber(data) == i and 1 or 0)
    end
    return one, other, data, address, type(from)
  end },
  { "send, receive and receivefrom of what is odd", '"2" 2 "12" "34" "5" ""', function(socket)
    local sender, receiver = common.udps(socket)
    sender:send(2)
    local number = receiver:receive()
    for _, text in ipairs { "12345", "34567", "5", "" } do sender:send(text) end
    return number, sender:send "xy", receiver:receive(2), (receiver:receivefrom "2"), receiver:receive(100000),
      (receiver:receivefrom())
  end },
  { "sendto and receivefrom", '3 "abc" "127.0.0.1" "number"', function(socket)
    local receiver, port = common.udp(socket)
    local sent = keep(socket.udp()):sendto("abc", "127.0.0.1", port)
    local data, address, from = receiver:receivefrom()
    return sent, data, address, type(from)
  end },
  { "sendto makes the descriptor", "true true", function(socket)
    local _, port = common.udp(socket)
    local udp = keep(socket.udp())
    local before = udp:getfd()
    udp:sendto("x", "127.0.0.1", port)
    return before == -1, udp:getfd() >= 0
  end },
  { "sendto by IPv6", '1 "x" "::1"', function(socket)
    local receiver = keep(socket.udp6())
    assert(receiver:setsockname("::1", 0))
    local _, port = receiver:getsockname()
    local sent = keep(socket.udp()):sendto("x", "::1", port)
    local data, address = receiver:receivefrom()
    return sent, data, address
  end },
  { "sendto to a name", 'nil "Name or service not known"', function(socket)
    return keep(socket.udp()):sendto("x", "localhost", 80)
  end },
  { "sendto to a service", 'nil "Name or service not known"', function(socket)
    return keep(socket.udp()):sendto("x", "127.0.0.1", "domain")
  end },
  { "sendto of IPv4 to IPv6", 'nil "Address family for hostname not supported"', function(socket)
    return keep(socket.udp4()):sendto("x", "::1", 80)
  end },
  { "sendto of a connected one", '"udp{unconnected} expected"', function(socket)
    local sender = common.udps(socket)
    return refused(sender.sendto, sender, "x", "127.0.0.1", 80)
  end },
  { "send of one that is not connected", '"udp{connected} expected"', function(socket)
    local udp = keep(socket.udp())
    return refused(udp.send, udp, "x")
  end },
  { "receivefrom of a connected one", '"udp{unconnected} expected"', function(socket)
    local sender = common.udps(socket)
    return refused(sender.receivefrom, sender)
  end },
  { "sendto without an address", '"string expected, got nil"', function(socket)
    local udp = keep(socket.udp())
    return refused(udp.sendto, udp, "x")
  end },
  { "an empty datagram", '0 ""', function(socket)
    local sender, receiver = common.udps(socket)
    return sender:send "", receiver:receive()
  end },
  { "an empty datagram has a sender", '"" "127.0.0.1"', function(socket)
    local sender, receiver = common.udps(socket)
    sender:send ""
    local data, address = receiver:receivefrom()
    return data, address
  end },
  { "a datagram that is cut is gone", '"ab" "xy"', function(socket)
    local sender, receiver = common.udps(socket)
    sender:send "abcdef"
    sender:send "xyz"
    return receiver:receive(2), receiver:receive(2)
  end },
  { "receivefrom cuts, too", '"ab" "127.0.0.1"', function(socket)
    local sender, receiver = common.udps(socket)
    sender:send "abcdef"
    local data, address = receiver:receivefrom(2)
    return data, address
  end },
  { "a large datagram is cut unless asked for", "8192 60000", function(socket)
    local sender, receiver = common.udps(socket)
    sender:send(("x"):rep(60000))
    sender:send(("x"):rep(60000))
    return #receiver:receive(), #receiver:receive(65536)
  end },
  { "its usual size is a constant", "8192", function(socket) return socket._DATAGRAMSIZE end },
  { "a datagram that is too large", 'nil "Message too long"', function(socket)
    return common.udps(socket):send(("x"):rep(70000))
  end },
  { "receive with time-out 0", 'nil "timeout"', function(socket)
    local udp = common.udp(socket)
    udp:settimeout(0)
    return udp:receive()
  end },
  { "receive with a time-out", 'true nil "timeout"', function(socket)
    local udp = common.udp(socket)
    udp:settimeout(0.05)
    return common.timed(socket, 0.05, udp.receive, udp)
  end },
  { "receivefrom with time-out 0", 'nil "timeout"', function(socket)
    local udp = common.udp(socket)
    udp:settimeout(0)
    return udp:receivefrom()
  end },
  { "a peer that refuses", 'nil "connection refused"', function(socket)
    local sender, receiver = common.udps(socket)
    receiver:close()
    sender:send "x"
    sender:settimeout(5)
    return sender:receive()
  end },
  { "send after a refusal", '1 nil "connection refused" 1', function(socket)
    local sender, receiver = common.udps(socket)
    receiver:close()
    local first = sender:send "x"
    socket.select({ sender }, nil, 5)
    local done, message = sender:send "x"
    return first, done, message, 1
  end },
  { "close", "1 -1 udp{connected}", function(socket)
    local sender = common.udps(socket)
    return sender:close(), sender:getfd(), sender
  end },
  { "receive of a closed one", '""', function(socket)
    local udp = common.udp(socket)
    udp:close()
    return udp:receive()
  end },
  { "send of a closed one", 'nil "refused"', function(socket)
    local sender = common.udps(socket)
    sender:close()
    return sender:send "x"
  end },
  { "sendto of a closed one", 'nil "refused"', function(socket)
    local udp = common.udp(socket)
    udp:close()
    return udp:sendto("x", "127.0.0.1", 9)
  end },
  { "names of a closed one", 'nil "Bad file descriptor"', function(socket)
    local udp = common.udp(socket)
    udp:close()
    return udp:getsockname()
  end },
  { "dirty is never so", "false", function(socket)
    local sender, receiver = common.udps(socket)
    sender:send "x"
    return receiver:dirty()
  end },
  { "setfd", "0 true", function(socket)
    local udp, port = common.udp(socket)
    local other = keep(socket.udp())
    local count = select("#", other:setfd(udp:getfd()))
    udp:setfd(-1)
    return count, tonumber((select(2, other:getsockname()))) == port
  end },
  { "a method of tcp's object", '"udp{any} expected"', function(socket)
    return refused(keep(socket.udp()).getfd, keep(socket.tcp()))
  end },
}
