-- Rows of tcp objects: making, naming, listening, accepting, connecting, closing.
local common = require "spec.luasocket.common"

local keep, refused = common.keep, common.refused

return {
  { "tcp makes a master without a descriptor", 'tcp{master} -1 "inet4"', function(socket)
    local tcp = keep(socket.tcp())
    return tcp, tcp:getfd(), tcp:getfamily()
  end },
  { "tcp4 makes one with a descriptor", 'tcp{master} true "inet4"', function(socket)
    local tcp = keep(socket.tcp4())
    return tcp, tcp:getfd() >= 0, tcp:getfamily()
  end },
  { "tcp6 makes one with a descriptor", 'tcp{master} true "inet6"', function(socket)
    local tcp = keep(socket.tcp6())
    return tcp, tcp:getfd() >= 0, tcp:getfamily()
  end },
  { "the class of a master is its field", '"tcp{master}"', function(socket) return keep(socket.tcp()).class end },
  { "a text of an object is its class and a place", "true", function(socket)
    return tostring(keep(socket.tcp())):find "^tcp{master}: 0?x?%x+$" ~= nil
  end },
  { "fields that there are not", "nil nil", function(socket)
    local tcp = keep(socket.tcp())
    return tcp.nothing, tcp[1]
  end },
  { "all methods of tcp are functions", '""', function(socket)
    local tcp, missing = keep(socket.tcp()), {}
    for name in ("accept bind close connect dirty getfamily getfd getoption getpeername getsockname getstats setstats "
      .. "listen receive send setfd setoption setpeername setsockname settimeout gettimeout shutdown"):gmatch "%a+" do
      if type(tcp[name]) ~= "function" then missing[#missing + 1] = name end
    end
    return table.concat(missing, " ")
  end },
  { "bind and listen", '1 "tcp{master}" 1 tcp{server}', function(socket)
    local tcp = keep(socket.tcp())
    return tcp:bind("127.0.0.1", 0), tcp.class, tcp:listen(), tcp
  end },
  { "bind to every address", '1 "0.0.0.0" "inet"', function(socket)
    local tcp = keep(socket.tcp4())
    local bound = tcp:bind("*", 0)
    local address, _, family = tcp:getsockname()
    return bound, address, family
  end },
  { "bind to every address of IPv6", '1 "::" "inet6"', function(socket)
    local tcp = keep(socket.tcp6())
    local bound = tcp:bind("*", 0)
    local address, _, family = tcp:getsockname()
    return bound, address, family
  end },
  { "the name of a bound one: its port is a string", '"127.0.0.1" "string" "inet"', function(socket)
    local address, port, family = common.listener(socket):getsockname()
    return address, type(port), family
  end },
  { "the port may be a string", "1", function(socket) return keep(socket.tcp()):bind("127.0.0.1", "0") end },
  { "the name of the peer: its port is a number", '"127.0.0.1" "number" "inet"', function(socket)
    local address, port, family = common.pair(socket):getpeername()
    return address, type(port), family
  end },
  { "the names of both ends fit", "true true", function(socket)
    local client, server = common.pair(socket)
    local _, a = client:getsockname()
    local _, b = server:getpeername()
    local _, c = client:getpeername()
    local _, d = server:getsockname()
    return tonumber(a) == b, c == tonumber(d)
  end },
  { "names of one without a descriptor", 'nil "Bad file descriptor" nil "Bad file descriptor"', function(socket)
    local tcp = keep(socket.tcp())
    local a, b = tcp:getsockname()
    return a, b, tcp:getpeername()
  end },
  { "the name of one that is not bound", '"0.0.0.0" "0" "inet"', function(socket)
    return keep(socket.tcp4()):getsockname()
  end },
  { "the peer of one that is not connected", 'nil "Transport endpoint is not connected"', function(socket)
    return keep(socket.tcp4()):getpeername()
  end },
  { "an address in use", 'nil "address already in use"', function(socket)
    local _, port = common.listener(socket)
    return keep(socket.tcp()):bind("127.0.0.1", port)
  end },
  { "an address of another host", 'nil "Cannot assign requested address"', function(socket)
    return keep(socket.tcp()):bind("192.0.2.7", 0)
  end },
  { "bind to a name that there is not", 'nil "host or service not provided, or not known"', function(socket)
    return keep(socket.tcp()):bind("nothing.invalid", 0)
  end, needs = "sandbox" },
  { "bind to a service that there is not", 'nil "service not supported for socket type"', function(socket)
    return keep(socket.tcp()):bind("127.0.0.1", "nosuchservice")
  end },
  { "bind an IPv4 socket to IPv6", 'nil "Address family for hostname not supported"', function(socket)
    return keep(socket.tcp4()):bind("::1", 0)
  end },
  { "bind twice", '1 nil "Invalid argument"', function(socket)
    local tcp = keep(socket.tcp())
    local first = tcp:bind("127.0.0.1", 0)
    return first, tcp:bind("127.0.0.1", 0)
  end },
  { "bind a client", '"tcp{master} expected"', function(socket)
    local client = common.pair(socket)
    return refused(client.bind, client, "127.0.0.1", 0)
  end },
  { "bind without a port", '"string expected, got nil"', function(socket)
    local tcp = keep(socket.tcp())
    return refused(tcp.bind, tcp, "127.0.0.1")
  end },
  { "bind to a table", '"string expected, got table"', function(socket)
    local tcp = keep(socket.tcp())
    return refused(tcp.bind, tcp, {}, 0)
  end },
  { "setsockname is bind", "1", function(socket) return keep(socket.tcp()):setsockname("127.0.0.1", 0) end },
  { "listen without a descriptor", 'nil "Bad file descriptor" tcp{master}', function(socket)
    local tcp = keep(socket.tcp())
    local done, message = tcp:listen()
    return done, message, tcp
  end },
  { "listen without bind", "1 true", function(socket)
    local tcp = keep(socket.tcp4())
    local done = tcp:listen()
    local _, port = tcp:getsockname()
    return done, tonumber(port) > 0
  end },
  { "listen with a backlog of 0", "1", function(socket)
    local tcp = keep(socket.tcp4())
    return tcp:listen(0)
  end },
  { "listen twice", '"tcp{master} expected"', function(socket)
    local server = common.listener(socket)
    return refused(server.listen, server)
  end },
  { "accept", "tcp{client} true", function(socket)
    local client, server = common.pair(socket)
    return server, client:getfd() ~= server:getfd()
  end },
  { "what was accepted has no time-out", "-1 -1", function(socket)
    local listener, port = common.listener(socket)
    listener:settimeout(5)
    keep(assert(socket.connect("127.0.0.1", port)))
    return keep(assert(listener:accept())):gettimeout()
  end },
  { "what was accepted has the family of the listener", '"inet4" "inet"', function(socket)
    local _, server = common.pair(socket)
    return server:getfamily(), (select(3, server:getsockname()))
  end },
  { "accept on a master", '"tcp{server} expected"', function(socket)
    local tcp = keep(socket.tcp())
    return refused(tcp.accept, tcp)
  end },
  { "accept on a client", '"tcp{server} expected"', function(socket)
    local client = common.pair(socket)
    return refused(client.accept, client)
  end },
  { "accept on a closed one", 'nil "closed"', function(socket)
    local server = common.listener(socket)
    server:close()
    return server:accept()
  end },
  { "accept with time-out 0", 'nil "timeout"', function(socket)
    local server = common.listener(socket)
    server:settimeout(0)
    return server:accept()
  end },
  { "accept with a time-out", 'true nil "timeout"', function(socket)
    local server = common.listener(socket)
    server:settimeout(0.05)
    return common.timed(socket, 0.05, server.accept, server)
  end },
  { "accept without listening", 'nil "Invalid argument"', function(socket)
    local server, other = common.listener(socket), keep(socket.tcp4())
    server:close()
    server:setfd(other:getfd())
    other:setfd(-1)
    return server:accept()
  end },
  { "connect of a master", "1 tcp{client}", function(socket)
    local _, port = common.listener(socket)
    local tcp = keep(socket.tcp())
    return tcp:connect("127.0.0.1", port), tcp
  end },
  { "connect by the module", "tcp{client}", function(socket)
    local _, port = common.listener(socket)
    return keep(socket.connect("127.0.0.1", port))
  end },
  { "connect by the module has no time-out", "-1 -1", function(socket)
    local _, port = common.listener(socket)
    return keep(socket.connect("127.0.0.1", port)):gettimeout()
  end },
  { "connect from an address and a port", '"127.0.0.2" true', function(socket)
    local _, port = common.listener(socket)
    local own, keeper = common.refusing(socket)
    keeper:close()
    local client = keep(assert(socket.connect("127.0.0.1", port, "127.0.0.2", own)))
    local address, bound = client:getsockname()
    return address, tonumber(bound) == own
  end },
  { "connect of a family", '"inet4"', function(socket)
    local _, port = common.listener(socket)
    return keep(assert(socket.connect("127.0.0.1", port, nil, nil, "inet"))):getfamily()
  end },
  { "connect of a family that there is not", [["invalid option 'inet5'"]], function(socket)
    return refused(socket.connect, "127.0.0.1", 1, nil, nil, "inet5")
  end },
  { "connect without a port", '"string expected, got nil"', function(socket)
    return refused(socket.connect, "127.0.0.1")
  end },
  { "connect is refused", 'nil "connection refused" tcp{client}', function(socket)
    local port = common.refusing(socket)
    local tcp = keep(socket.tcp())
    local done, message = tcp:connect("127.0.0.1", port)
    return done, message, tcp
  end },
  { "connect by the module is refused", 'nil "connection refused"', function(socket)
    local port = common.refusing(socket)
    return socket.connect("127.0.0.1", port)
  end },
  { "connect to a name that there is not", 'nil "host or service not provided, or not known"', function(socket)
    return keep(socket.tcp()):connect("nothing.invalid", 80)
  end, needs = "sandbox" },
  { "connect to a name", "1", function(socket)
    local _, port = common.listener(socket)
    return keep(socket.tcp4()):connect("localhost", port)
  end },
  { "connect goes through the addresses of a name", '1 "inet4"', function(socket)
    local _, port = common.listener(socket)
    local tcp = keep(socket.tcp())
    return tcp:connect("localhost", port), tcp:getfamily()
  end },
  { "connect an IPv4 socket to IPv6", 'nil "Address family for hostname not supported"', function(socket)
    return keep(socket.tcp4()):connect("::1", 80)
  end },
  { "connect to a network without a way", 'nil "Network is unreachable"', function(socket)
    return keep(socket.tcp()):connect("192.0.2.1", 80)
  end, needs = "sandbox" },
  { "connect again", '1 nil "already connected"', function(socket) -- Linux reports the first success twice
    local _, port = common.listener(socket)
    local client = keep(assert(socket.connect("127.0.0.1", port)))
    return client:connect("127.0.0.1", port), client:connect("127.0.0.1", port)
  end },
  { "connect a listener", 'nil "already connected" tcp{client}', function(socket)
    local server, port = common.listener(socket)
    local done, message = server:connect("127.0.0.1", port)
    return done, message, server
  end },
  { "setpeername is connect", "1 tcp{client}", function(socket)
    local _, port = common.listener(socket)
    local tcp = keep(socket.tcp())
    return tcp:setpeername("127.0.0.1", port), tcp
  end },
  { "connect with time-out 0, polled", '"timeout" "already connected"', function(socket)
    local _, port = common.listener(socket)
    local tcp = keep(socket.tcp())
    tcp:settimeout(0)
    local done, first = tcp:connect("127.0.0.1", port)
    if done then first = "timeout" end
    socket.select(nil, { tcp }, 5)
    local again, message = tcp:connect("127.0.0.1", port)
    if again == 1 then message = select(2, tcp:connect("127.0.0.1", port)) end
    return first, message
  end },
  { "connect with time-out 0 that is refused", '"connection refused"', function(socket)
    local port = common.refusing(socket)
    local tcp = keep(socket.tcp())
    tcp:settimeout(0)
    local _, message = tcp:connect("127.0.0.1", port)
    if message == "timeout" then
      socket.select(nil, { tcp }, 5)
      message = tcp:getoption "error"
    end
    return message
  end },
  { "connect that is polled while it waits", '"timeout" "Operation already in progress"', function(socket)
    local tcp = keep(socket.tcp())
    tcp:settimeout(0)
    local _, first = tcp:connect("10.11.0.77", 80)
    return first, (select(2, tcp:connect("10.11.0.77", 80)))
  end, needs = "sandbox" },
  { "connect runs out of time", 'true nil "timeout" tcp{client}', function(socket)
    local tcp = keep(socket.tcp())
    tcp:settimeout(0.05)
    local took, done, message = common.timed(socket, 0.05, tcp.connect, tcp, "10.11.0.77", 80)
    return took, done, message, tcp
  end, needs = "sandbox" },
  { "close", "1 -1 tcp{client}", function(socket)
    local client = common.pair(socket)
    return client:close(), client:getfd(), client
  end },
  { "close twice", "1 1", function(socket)
    local client = common.pair(socket)
    return client:close(), client:close()
  end },
  { "close a master without a descriptor", "1", function(socket) return socket.tcp():close() end },
  { "close something else", '"tcp{any} expected"', function(socket)
    local tcp, udp = keep(socket.tcp()), keep(socket.udp())
    return refused(tcp.close, udp)
  end },
  { "a method without an object", '"tcp{any} expected" "tcp{client} expected"', function(socket)
    local tcp = keep(socket.tcp())
    return refused(tcp.close), refused(tcp.send, 1, "x")
  end },
  { "names of a closed one", 'nil "Bad file descriptor" nil "Bad file descriptor"', function(socket)
    local client = common.pair(socket)
    client:close()
    local a, b = client:getsockname()
    return a, b, client:getpeername()
  end },
  { "a closed one can be bound again", '1 1 "string"', function(socket)
    local tcp = keep(socket.tcp())
    assert(tcp:bind("127.0.0.1", 0))
    tcp:close()
    return 1, tcp:bind("127.0.0.1", 0), type(select(2, tcp:getsockname()))
  end },
  { "a closed client can be connected again", '1 "x" nil nil', function(socket)
    local listener, port = common.listener(socket)
    local client = keep(assert(socket.connect("127.0.0.1", port)))
    keep(assert(listener:accept()))
    client:close()
    local done = client:connect("127.0.0.1", port)
    assert(keep(assert(listener:accept())):send "x")
    return done, client:receive(1)
  end },
  { "shutdown", "1 1 1", function(socket)
    local client, server = common.pair(socket)
    return client:shutdown "send", client:shutdown "receive", server:shutdown()
  end },
  { "shutdown both", '1 nil "closed" 0 nil "closed" ""', function(socket)
    local client = common.pair(socket)
    local done = client:shutdown "both"
    local a, b, c = client:send "x"
    return done, a, b, c, client:receive()
  end },
  { "shutdown to send ends what the peer receives", '"abc" nil nil', function(socket)
    local client, server = common.pair(socket)
    client:send "abc"
    client:shutdown "send"
    return server:receive "*a"
  end },
  { "shutdown to send leaves receiving", '"abc" nil nil', function(socket)
    local client, server = common.pair(socket)
    client:shutdown "send"
    server:send "abc\n"
    return client:receive()
  end },
  { "shutdown to receive ends receiving", 'nil "closed" ""', function(socket)
    local client = common.pair(socket)
    client:shutdown "receive"
    return client:receive()
  end },
  { "shutdown of what there is not", [["invalid option 'all'"]], function(socket)
    local client = common.pair(socket)
    return refused(client.shutdown, client, "all")
  end },
  { "shutdown of a master", '"tcp{client} expected"', function(socket)
    local tcp = keep(socket.tcp())
    return refused(tcp.shutdown, tcp)
  end },
  { "shutdown of a closed one", "1", function(socket)
    local client = common.pair(socket)
    client:close()
    return client:shutdown()
  end },
  { "setfd takes a descriptor over", '-1 "hello" nil nil', function(socket)
    local client, server = common.pair(socket)
    local other = common.pair(socket)
    other:close()
    other:setfd(client:getfd())
    client:setfd(-1)
    server:send "hello\n"
    return client:getfd(), other:receive()
  end },
  { "setfd returns nothing", "0", function(socket)
    return select("#", keep(socket.tcp()):setfd(-1))
  end },
  { "setfd without a number", '"number expected, got nil"', function(socket)
    local tcp = keep(socket.tcp())
    return refused(tcp.setfd, tcp)
  end },
  { "dirty where nothing was received", "false false", function(socket)
    return keep(socket.tcp()):dirty(), common.listener(socket):dirty()
  end },
  { "dirty where a part was received", "true false", function(socket)
    local client, server = common.pair(socket)
    server:send "one\ntwo\n"
    client:receive()
    local before = client:dirty()
    client:receive()
    return before, client:dirty()
  end },
}
