-- Scenarios: sockets opened, at once and in steps, and descriptors that come and go. scenarios.lua has what they need.
local add, common = ...
local HERE, NAME, port_of = common.HERE, common.NAME, common.port_of
local tcp, pair = common.tcp, common.pair
local receive, send_all = common.receive, common.send_all

local function path() return os.tmpname() end -- of a file that is there

-- ---- opening ----

add("open", function()
  package.loaded.lsocket = nil
  require "lsocket"
end)

add("bind tcp", function(t, ls)
  local listener = t.must(ls, "bind", "tcp", HERE, 0, 3)
  local info = t.must(listener, "info")
  t.check(info.listening and info.type == "tcp" and info.family == "inet", "info is wrong")
  t.must(listener, "close")
end)

add("bind by name", function(t, ls)
  local listener = t.must(ls, "bind", { address = HERE, port = 0, backlog = 7, inherit = true, rcvbuf = 20000 })
  t.check(t.must(listener, "getopt", "rcvbuf"), "no buffer")
  t.must(listener, "close")
end)

add("bind to both families", function(t, ls)
  t.must(t.must(ls, "bind", { family = "inet6", address = "::1", port = 0, v6only = true }), "close")
  t.must(t.must(ls, "bind", "udp", 0), "close")
end)

add("bind to a path", function(t, ls)
  t.instead("socket connect unlink getsockname", "EADDRINUSE") -- nobody knows then whether the file is a dead socket's
  t.silent "fchmod" -- which not every system has; the file gets it afterwards
  local where = path()
  os.remove(where)
  t.must(t.must(ls, "bind", { address = where, mode = "600" }), "close")
  local listener = t.must(ls, "bind", { address = where, unlink = true, mode = "660" })
  if t.spoils("bind", "EADDRINUSE") or t.spoils("connect", "ECONNREFUSED") then t.silent "bind connect" end
  if listener then
    local client = t.must(ls, "connect", where)
    t.check(t.io(listener, "r", "accept"), "nobody came")
    t.must(client, "close")
  end
  os.remove(where)
end)

add("in steps", function(t, ls)
  t.silent "getpeername" -- whether it is connected the kernel says, too
  if torture.call == "poll" and torture.error == "EINTR" then t.silent "poll" end -- it waits on
  local server = t.must(ls, "socket", { reuseaddr = true, inherit = true })
  t.must(server, "bind", HERE, 0)
  t.must(server, "listen", 3)
  local client = t.must(ls, "socket")
  t.must(client, "connect", HERE, port_of(server))
  t.check(t.must(client, "wait", "w", 5) == "w", "the connection is not made")
  t.must(client, "status")
  local peer = t.check(t.io(server, "r", "accept"), "nobody came")
  t.check(t.must(client, "wait", "r", 0) == false, "something comes")
  t.must(peer, "close")
end)

add("datagrams in steps", function(t, ls)
  t.silent "getaddrinfo" -- an IPv6 socket asks for IPv4 then
  local sock = t.must(ls, "socket", "udp", "inet6")
  t.must(sock, "bind", 0)
  t.must(sock, "connect", NAME, 9)
  t.must(sock, "connect")
  local where = path()
  os.remove(where)
  local unix = t.must(ls, "socket", "udp", "unix")
  t.must(unix, "bind", where)
  t.must(unix, "connect", where)
  os.remove(where)
end)

add("connect", function(t, ls)
  local listener = t.quietly(ls.bind, HERE, 0)
  local client = t.must(ls, "connect", HERE, port_of(listener))
  local server, address, port = t.io(listener, "r", "accept")
  t.check(server and address == HERE and port, "accept is wrong")
  t.check(torture.wait(client:getfd(), "w"), "the connection is not made")
  t.must(client, "status")
  t.check(t.must(client, "info", "peer").addr == HERE, "peer is wrong")
  t.check(t.must(server, "info", "socket").addr == HERE, "socket is wrong")
  t.must(client, "close")
  t.must(server, "close")
end)

add("connect by name", function(t, ls)
  local listener = t.quietly(ls.bind, HERE, 0)
  t.must(ls, "connect", { address = NAME, port = port_of(listener), family = "inet", sndbuf = 20000,
    localaddress = HERE, localport = 0 })
  t.must(ls, "connect", "udp", NAME, 9)
end)

add("a refused connection", function(t, ls)
  local keeper = t.quietly(ls.connect, "udp", HERE, 9)
  local sock = t.must(ls, "connect", "udp", HERE, port_of(keeper))
  t.io(sock, "w", "send", "nobody is there")
  t.check(torture.wait(sock:getfd(), "r"), "nothing happens")
  t.fails("ECONNREFUSED", sock, "status")
end)

add("multicast", function(t, ls)
  local group = "239.1.2.3"
  local sock = t.must(ls, "bind", "mcast", group .. "%lo", 0)
  t.must(sock, "join", "239.1.2.4", "lo")
  t.must(sock, "leave", "239.1.2.4", "lo")
  t.must(sock, "join", "239.1.2.5", HERE, HERE)
  t.must(sock, "leave", "239.1.2.5", HERE, HERE)
  t.must(ls, "connect", "mcast", group .. "%lo", port_of(sock), 1)
  local other = t.must(ls, "bind", { type = "udp", address = "::", port = 0 })
  t.must(other, "join", "ff15::1", 1)
  t.must(other, "leave", "ff15::1", 1)
end)

-- ---- descriptors ----

add("pair", function(t, ls)
  for _, type in ipairs{ "tcp", "udp", "seqpacket" } do
    local a, b = t.must(ls, "pair", type)
    send_all(t, a, type)
    t.check(receive(t, b, #type) == type, "received something else")
    t.must(a, "shutdown", "w")
    t.must(a, "close")
    t.must(b, "close")
  end
end)

-- What is no socket, or not told to be one, is written and read like a file; an end may be unknown.
local function allow_unknown(t)
  if t.spoils("getsockopt", "ENOTSOCK") then t.silent "getsockopt" end
  if t.spoils("getsockname", "EINVAL") then t.silent "getsockname" end
  if t.spoils("getpeername", "EINVAL ENOTCONN") then t.silent "getpeername" end
end

-- A descriptor that could not be adopted is still the caller's.
local function adopt(t, ls, fd)
  local ok, sock = pcall(t.must, ls, "fromfd", fd)
  allow_unknown(t)
  if ok then return sock end
  torture.close(fd)
  error(sock, 0)
end

add("descriptors", function(t, ls)
  local a, b = pair(t, ls)
  local copy = t.must(a, "dup")
  t.must(copy, "inherit")
  t.must(copy, "inherit", false)
  local fd = t.must(copy, "detach")
  local again = adopt(t, ls, fd)
  t.check(again:getfd() == fd, "another descriptor")
  send_all(t, again, "passed on")
  t.check(receive(t, b, 9) == "passed on", "received something else")
  t.must(again, "close")
  t.must(a, "close")
  fd = b:getfd()
  t.must(b, "setfd", -1)
  torture.close(fd)
  t.check(b:getfd() == -1, "setfd is wrong")
end)

add("a file of Lua's", function(t, ls)
  local file = t.quietly(io.tmpfile)
  local ok, sock = pcall(t.must, ls, "fromfd", file)
  allow_unknown(t)
  file:close()
  if not ok then error(sock, 0) end
  t.check(t.must(sock, "info").type == "file", "no file")
  t.must(sock, "close")
end)

add("pipes", function(t, ls)
  local r, w = torture.pipe()
  local reader, writer = t.quietly(ls.fromfd, r), t.quietly(ls.fromfd, w)
  send_all(t, writer, "through")
  t.check(receive(t, reader, 7) == "through", "received something else")
  send_all(t, writer, { "in ", ("p"):rep(100), "ieces" }, 108)
  t.check(receive(t, reader, 108) == "in " .. ("p"):rep(100) .. "ieces", "received something else")
  t.must(writer, "close")
  t.must(reader, "close")
end)

add("a pipe from its descriptor", function(t, ls)
  t.room()
  local r, w = torture.pipe()
  torture.close(w)
  local reader = adopt(t, ls, r)
  t.check(t.must(reader, "info").type == "pipe", "no pipe")
  t.must(reader, "close")
end)

add("what systemd passes", function(t, ls)
  t.room()
  torture.pass()
  local ok, sockets, names = pcall(t.may, ls, "listenfds")
  allow_unknown(t)
  if ok and sockets then
    t.check(#sockets == 2 and names[1] == "one" and names[2] == "two", "passed wrongly")
    sockets[1]:close()
    sockets[2]:close()
  else
    t.quietly(collectgarbage)
    torture.close(3)
    torture.close(4)
    if not ok then error(sockets, 0) end
  end
end)

add("shutdown", function(t, ls)
  local client, server = tcp(t, ls)
  t.must(client, "shutdown", "w")
  t.check(t.io(server, "r", "recv") == nil, "no end")
  send_all(t, server, "still here")
  t.check(receive(t, client, 10) == "still here", "received something else")
  t.must(server, "shutdown")
end)
