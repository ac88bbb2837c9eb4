-- Rows of socket.unix.
local common = require "spec.luasocket.common"

local keep, refused = common.keep, common.refused

-- A datagram socket at a path, and one that has none.
local function dgrams(unix)
  local path = common.path()
  local receiver, sender = keep(assert(unix.dgram())), keep(assert(unix.dgram()))
  assert(receiver:bind(path))
  return receiver, sender, path
end

return {
  { "stream", "unixstream{master} true", function(_, unix)
    local stream = keep(unix.stream())
    return stream, stream:getfd() >= 0
  end },
  { "dgram", "unixdgram{unconnected} true", function(_, unix)
    local dgram = keep(unix.dgram())
    return dgram, dgram:getfd() >= 0
  end },
  { "the module is a function", "unixstream{master}", function(_, unix) return keep(unix()) end },
  { "other names", "true true", function(_, unix) return unix.tcp == unix.stream, unix.udp == unix.dgram end },
  { "the class is a field", '"unixstream{master}"', function(_, unix) return keep(unix.stream()).class end },
  { "all methods of streams", '""', function(_, unix)
    local stream, missing = keep(unix.stream()), {}
    for name in ("accept bind close connect dirty getfd getstats setstats listen receive send setfd setoption "
      .. "setpeername setsockname getsockname settimeout shutdown"):gmatch "%a+" do
      if type(stream[name]) ~= "function" then missing[#missing + 1] = name end
    end
    return table.concat(missing, " ")
  end },
  { "all methods of datagrams", '""', function(_, unix)
    local dgram, missing = keep(unix.dgram()), {}
    for name in ("bind close connect dirty getfd send sendto receive receivefrom setfd setoption setpeername "
      .. "setsockname getsockname settimeout gettimeout"):gmatch "%a+" do
      if type(dgram[name]) ~= "function" then missing[#missing + 1] = name end
    end
    return table.concat(missing, " ")
  end },
  { "bind, listen, connect and accept", "1 1 unixstream{server} 1 unixstream{client} unixstream{client}",
    function(_, unix)
      local path = common.path()
      local server, client = keep(unix.stream()), keep(unix.stream())
      local bound, listens = server:bind(path), server:listen()
      local done = client:connect(path)
      return bound, listens, server, done, client, keep(server:accept())
    end },
  { "the path is the name", "true", function(_, unix)
    local path = common.path()
    local server = keep(unix.stream())
    server:bind(path)
    return server:getsockname() == path
  end },
  { "the name of one that is not bound", '""', function(_, unix) return keep(unix.stream()):getsockname() end },
  { "lines", '"one" nil nil', function(_, unix)
    local client, server = common.streams(unix)
    server:send "one\r\n"
    return client:receive()
  end },
  { "an end", 'nil "closed" "ab"', function(_, unix)
    local client, server = common.streams(unix)
    server:send "ab"
    server:close()
    return client:receive()
  end },
  { "send", "3 nil nil", function(_, unix) return common.streams(unix):send "abc" end },
  { "send to a peer that has closed", 'nil "closed" 0', function(_, unix)
    local client, server = common.streams(unix)
    server:close()
    return client:send "abc"
  end },
  { "receive with time-out 0", 'nil "timeout" ""', function(_, unix)
    local client = common.streams(unix)
    client:settimeout(0)
    return client:receive()
  end },
  { "accept with time-out 0", 'nil "timeout"', function(_, unix)
    local server = keep(unix.stream())
    server:bind(common.path())
    server:listen()
    server:settimeout(0)
    return server:accept()
  end },
  { "bind to a path that is there", 'nil "address already in use" -1', function(_, unix)
    local path = common.path()
    keep(unix.stream()):bind(path)
    local other = keep(unix.stream())
    local done, message = other:bind(path)
    return done, message, other:getfd()
  end },
  { "bind to a path that is too long", 'nil "path too long"', function(_, unix)
    return keep(unix.stream()):bind("/tmp/" .. ("x"):rep(200))
  end },
  { "bind in a folder that there is not", 'nil "No such file or directory"', function(_, unix)
    return keep(unix.stream()):bind(common.path() .. "/x")
  end },
  { "connect to a path that there is not", 'nil "No such file or directory" -1', function(_, unix)
    local client = keep(unix.stream())
    local done, message = client:connect(common.path())
    return done, message, client:getfd()
  end },
  { "connect to a path that nobody listens to", 'nil "connection refused" unixstream{master}', function(_, unix)
    local path = common.path()
    local server = keep(unix.stream())
    server:bind(path)
    server:listen()
    server:close()
    local client = keep(unix.stream())
    local done, message = client:connect(path)
    return done, message, client
  end },
  { "connect to a path that is too long", 'nil "path too long"', function(_, unix)
    return keep(unix.stream()):connect("/tmp/" .. ("x"):rep(200))
  end },
  { "setsockname and setpeername", "1 1", function(_, unix)
    local path = common.path()
    local server = keep(unix.stream())
    local bound = server:setsockname(path)
    server:listen()
    return bound, keep(unix.stream()):setpeername(path)
  end },
  { "shutdown", '1 nil "closed" ""', function(_, unix)
    local client, server = common.streams(unix)
    local done = client:shutdown "send"
    return done, server:receive()
  end },
  { "setoption", "1 1 1", function(_, unix)
    local stream = keep(unix.stream())
    return stream:setoption("keepalive", true), stream:setoption("reuseaddr", true),
      stream:setoption("linger", { on = true, timeout = 1 })
  end },
  { "an option of tcp", '"unsupported option `tcp-nodelay\'"', function(_, unix)
    local stream = keep(unix.stream())
    return refused(stream.setoption, stream, "tcp-nodelay", true)
  end },
  { "stats", "3 2", function(_, unix)
    local client, server = common.streams(unix)
    server:send "ab\n"
    client:receive()
    client:send "ab"
    local received, sent = client:getstats()
    return received, sent
  end },
  { "close", "1 -1", function(_, unix)
    local stream = keep(unix.stream())
    return stream:close(), stream:getfd()
  end },
  { "a method of another class", '"unixstream{client} expected" "unixstream{server} expected"', function(_, unix)
    local stream = keep(unix.stream())
    return refused(stream.send, stream, "x"), refused(stream.accept, stream)
  end },
  { "an object of another kind", '"unixstream{any} expected"', function(socket, unix)
    return refused(keep(unix.stream()).getfd, keep(socket.tcp()))
  end },
  { "datagrams by sendto", '3 "abc"', function(_, unix)
    local receiver, sender, path = dgrams(unix)
    return sender:sendto("abc", path), receiver:receive()
  end },
  { "datagrams by a connected one", '1 unixdgram{connected} 3 "abc"', function(_, unix)
    local receiver, sender, path = dgrams(unix)
    return sender:connect(path), sender, sender:send "abc", receiver:receive()
  end },
  { "receivefrom of a sender with a path", '"abc" true', function(_, unix)
    local receiver, sender, path = dgrams(unix)
    local own = common.path()
    sender:bind(own)
    sender:sendto("abc", path)
    local data, from = receiver:receivefrom()
    return data, from == own
  end },
  { "receivefrom of a sender without one", '"abc" ""', function(_, unix)
    local receiver, sender, path = dgrams(unix)
    sender:sendto("abc", path)
    return receiver:receivefrom()
  end },
  { "an empty datagram", '0 ""', function(_, unix)
    local receiver, sender, path = dgrams(unix)
    return sender:sendto("", path), receiver:receive()
  end },
  { "a datagram that is cut", '"ab"', function(_, unix)
    local receiver, sender, path = dgrams(unix)
    sender:sendto("abcdef", path)
    return receiver:receive(2)
  end },
  { "datagrams with time-out 0", 'nil "timeout" nil "timeout"', function(_, unix)
    local receiver = dgrams(unix)
    receiver:settimeout(0)
    local a, b = receiver:receive()
    return a, b, receiver:receivefrom()
  end },
  { "sendto to a path that there is not", 'nil "No such file or directory"', function(_, unix)
    return keep(unix.dgram()):sendto("x", common.path())
  end },
  { "sendto to a path that is too long", 'nil "path too long"', function(_, unix)
    return keep(unix.dgram()):sendto("x", ("x"):rep(200))
  end },
  { "send without connect", '"unixdgram{connected} expected"', function(_, unix)
    local dgram = keep(unix.dgram())
    return refused(dgram.send, dgram, "x")
  end },
  { "sendto after connect", '"unixdgram{unconnected} expected"', function(_, unix)
    local _, sender, path = dgrams(unix)
    sender:connect(path)
    return refused(sender.sendto, sender, "x", path)
  end },
  { "datagrams of a closed one", '""', function(_, unix)
    local receiver = dgrams(unix)
    receiver:close()
    return receiver:receive()
  end },
}
