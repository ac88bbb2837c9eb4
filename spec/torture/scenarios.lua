-- The scenarios: { name, function(scene, module) }, each short, all together with every public function of the library.
-- A call that may fail goes through must, io, may or fails of scene.lua; what is only there for it, through quietly.
-- What a scenario opens and does not close is left to the collector.
local HERE = "127.0.0.1"
local NAME = "feed.example" -- the same, of spec/hosts: one that has no other address
local unpack = table.unpack or unpack -- luacheck: ignore 143
local scenarios = {}

local function add(name, play) scenarios[#scenarios + 1] = { name, play } end

-- ---- what several need, made while nothing fails ----

local function port_of(sock)
  local armed = torture.arm(false)
  local port = sock:info("socket").port
  torture.arm(armed)
  return port
end

local function make_tcp(ls)
  local listener = assert(ls.bind(HERE, 0))
  local client = assert(ls.connect(HERE, port_of(listener)))
  assert(ls.select({ listener }, 5))
  return client, assert(listener:accept()), listener
end

local function tcp(t, ls) return t.quietly(make_tcp, ls) end

local function make_udp(ls)
  local receiver = assert(ls.bind("udp", HERE, 0))
  return assert(ls.connect("udp", HERE, port_of(receiver))), receiver
end

local function udp(t, ls) return t.quietly(make_udp, ls) end

local function pair(t, ls, type) return t.quietly(ls.pair, type) end

-- Receives so many bytes of a stream.
local function receive(t, sock, count)
  local text = ""
  while #text < count do text = text .. t.check(t.io(sock, "r", "recv", count - #text), "the stream ends too soon") end
  return text
end

-- Sends a string, or an array of strings of so many bytes.
local function send_all(t, sock, data, size)
  local sent = 0
  while sent < (size or #data) do sent = sent + t.io(sock, "w", "send", data, sent + 1) end
end

-- ---- opening ----

assert(loadfile "spec/torture/opening.lua")(add, {
  HERE = HERE, NAME = NAME, port_of = port_of, tcp = tcp, pair = pair, receive = receive,
  send_all = send_all,
})

-- ---- streams ----

add("send and recv", function(t, ls)
  local client, server = tcp(t, ls)
  send_all(t, client, "some bytes")
  t.check(torture.wait(server:getfd(), "r"), "nothing comes")
  local start = t.io(server, "r", "peek", 4)
  t.check(("some"):sub(1, #start) == start, "peek is wrong")
  t.check(receive(t, server, 10) == "some bytes", "recv is wrong")
  t.io(client, "w", "send", "x")
  local data, address = t.io(server, "r", "recvfrom")
  t.check(data == "x" and (address == nil or address == HERE or address == ""), "recvfrom is wrong")
  t.must(client, "close")
  t.check(t.io(server, "r", "recv") == nil, "no end")
end)

-- The listener is no garbage: where there is no room on the stack for the call of a finalizer, Lua 5.2 gives that up.
add("much data", function(t, ls)
  local client, server, listener = tcp(t, ls)
  local text = ("0123456789"):rep(20000)
  local sent, received = 0, {}
  local count = 0
  while count < #text do
    if sent < #text then
      local n = t.must(client, "send", text, sent + 1, sent + 70000)
      sent = sent + (n or 0)
    end
    local piece = t.must(server, "recv", 100000)
    t.check(piece ~= nil, "the stream ends too soon")
    if piece then
      received[#received + 1] = piece
      count = count + #piece
    elseif sent == #text then
      torture.wait(server:getfd(), "r")
    end
  end
  t.check(table.concat(received) == text, "the data is another")
  t.must(listener, "close")
end)

add("an array", function(t, ls)
  local client, server = tcp(t, ls)
  local list, long = {}, ("l"):rep(100)
  for i = 1, 60 do list[i] = i % 3 == 0 and long or i end
  local text = table.concat(list)
  send_all(t, client, list, #text)
  t.check(receive(t, server, #text) == text, "the data is another")
end)

add("pieces", function(t, ls)
  local client, server = tcp(t, ls)
  local long = ("l"):rep(100)
  for _, pieces in ipairs { { "one" }, { "pieces of ", long, 1 }, { { "an array of ", long, 2 } } } do
    local first = 1
    while first ~= true do first = t.io(client, "w", "sendrest", first, unpack(pieces)) end
  end
  local text = "onepieces of " .. long .. 1 .. "an array of " .. long .. 2
  t.check(receive(t, server, #text) == text, "the data is another")
end)

add("a file", function(t, ls)
  local client, server = tcp(t, ls)
  local file = t.quietly(io.tmpfile)
  t.quietly(function()
    file:write(("f"):rep(3000))
    file:flush()
  end)
  local sent = 0
  while sent < 3000 do sent = sent + t.io(client, "w", "sendfile", file, sent, 2000) end
  file:close()
  t.check(receive(t, server, 3000) == ("f"):rep(3000), "the data is another")
end)

-- Receives into a buffer, as soon as there is something.
local function fill(t, buffer, sock)
  for _ = 1, 1000 do
    local count = t.must(buffer, "recv", sock)
    if count ~= false then return count end
    t.check(torture.wait(sock:getfd(), "r"), "nothing comes")
  end
end

add("a buffer", function(t, ls)
  local client, server = tcp(t, ls)
  local buffer = t.must(ls, "buffer", 100000)
  local text = "one\r\ntwo\nthree\nhead::" .. ("b"):rep(70000)
  send_all(t, client, text)
  while #buffer < #text do t.check(fill(t, buffer, server), "the stream ends too soon") end
  t.check(t.must(buffer, "line") == "one" and t.must(buffer, "line", true) == "two\n", "another line")
  local next_line, state = t.must(buffer, "lines")
  t.check(next_line(state) == "three" and next_line(state) == nil, "another line")
  t.check(t.must(buffer, "peek", 5) == "head:", "it shows something else")
  t.check(t.must(buffer, "upto", "::", 10, true) == "head::", "another record")
  t.check(t.must(buffer, "take", 70001) == false and #t.must(buffer, "take", 60000) == 60000, "other bytes")
  t.must(buffer, "append", "end")
  t.check(#t.must(buffer, "some", 5000) == 5000 and #t.must(buffer, "some") == 5003, "other bytes")
  t.must(buffer, "append", text)
  t.must(buffer, "clear")
  t.must(client, "close")
  t.check(fill(t, buffer, server) == nil, "no end")
end)

-- ---- datagrams ----

add("datagrams", function(t, ls)
  local sender, receiver = udp(t, ls)
  t.io(sender, "w", "send", "first")
  local data, address, port = t.io(receiver, "r", "recvfrom")
  t.check(data == "first", "recvfrom is wrong")
  if t.spoils("recvfrom", "ENOTSOCK") then return end -- it is read as a file then, which has no peer
  t.check(address == HERE and port, "recvfrom is wrong")
  t.io(receiver, "w", "sendto", "second", address, port)
  t.check(t.io(sender, "r", "peek") == "second", "peek is wrong")
  t.check(t.io(sender, "r", "recv", 3) == "sec", "recv is wrong")
  t.io(receiver, "w", "sendto", "third", NAME, port)
  t.check(t.io(sender, "r", "recv", 100000) == "third", "recv is wrong")
end)

add("a joined datagram", function(t, ls)
  local sender, receiver = udp(t, ls)
  local list = {}
  for i = 1, 1100 do list[i] = i % 2 == 0 and "s" or "tt" end
  t.io(sender, "w", "send", list)
  t.check(#t.io(receiver, "r", "recv") == 1650, "the datagram is another")
end)

add("batches", function(t, ls)
  local sender, receiver = udp(t, ls)
  local out, back = t.must(ls, "batch", 8, 100), t.must(ls, "batch", 8, 100)
  for i = 1, 8 do t.check(t.must(out, "add", "datagram " .. i), "it is full") end
  t.check(t.must(out, "add", "one more") == false, "it is not full")
  t.must(out, "clear")
  t.must(out, "add", "only this", HERE, port_of(receiver))
  t.may(sender, "sendmany", out)
  t.must(out, "rewind")
  local sent = t.may(sender, "sendmany", out)
  if sent == false then return end -- which drops the datagram that failed
  local count = t.io(receiver, "r", "recvmany", back)
  t.check(count and count >= 1 and t.must(back, "get", 1) == "only this", "another datagram")
end)

add("batches in segments", function(t, ls)
  local sender, receiver = udp(t, ls)
  t.silent "getsockopt" -- each datagram goes by itself then
  t.may(sender, "setopt", "segment", 100)
  t.may(receiver, "setopt", "gro", true)
  local out, back = t.must(ls, "batch", 20, 100), t.must(ls, "batch", 20, 100)
  for _ = 1, 20 do t.must(out, "add", ("d"):rep(100)) end
  for _ = 1, 30 do
    if #out == 0 then break end
    if not t.may(sender, "sendmany", out) then torture.wait(sender:getfd(), "w") end
  end
  for _, call in ipairs { "send", "sendmmsg" } do
    if t.spoils(call, "EINVAL EMSGSIZE ENOBUFS") then t.silent(call) end -- they do, too
  end
  t.check(#out == 0, "not sent")
  if t.may(receiver, "recvmany", back) then t.check(#t.must(back, "get", 1) == 100, "another datagram") end
end)

-- ---- messages ----

add("messages", function(t, ls)
  local sender, receiver = udp(t, ls)
  for _, name in ipairs{ "pktinfo", "recvttl", "recvtos", "timestamp" } do t.must(receiver, "setopt", name, true) end
  t.io(sender, "w", "sendmsg", { data = { "in ", "pieces" }, ttl = 9, tos = 8 })
  local data, told = t.io(receiver, "r", "recvmsg")
  t.check(data == "in pieces" and told.ttl == 9 and told.destination == HERE, "another message")
  local back = { data = "back", address = told.address, port = told.port, source = HERE, interface = 1 }
  t.io(receiver, "w", "sendmsg", back)
  local again, same = t.io(sender, "r", "recvmsg", 70000, told)
  t.check(again == "back" and same == told and told.ttl == nil, "another message")
end)

add("the queue of errors", function(t, ls)
  local keeper = t.quietly(ls.connect, "udp", HERE, 9)
  local sock = t.quietly(ls.connect, "udp", HERE, port_of(keeper))
  t.must(sock, "setopt", "recverr", true)
  t.io(sock, "w", "send", "nobody is there")
  t.check(torture.wait(sock:getfd(), "r"), "nothing happens")
  local data, told = t.io(sock, "r", "recverr")
  t.check(data and told.error == "ECONNREFUSED", "another error")
end)

add("descriptors on their way", function(t, ls)
  t.silent "getsockopt getsockname getpeername fcntl fcntl(F_SETFL)" -- what is unknown can be passed on
  for _, type in ipairs{ "tcp", "udp" } do
    local a, b = pair(t, ls, type)
    local one, two = pair(t, ls)
    t.io(a, "w", "sendfds", "2", { one, two:getfd() })
    local data, list = t.io(b, "r", "recvfds")
    t.check(data == "2" and #list == 2, "other descriptors")
    t.io(a, "w", "sendfds", "3", { one, two, one })
    t.check(#select(2, t.io(b, "r", "recvfds", 70000, 1)) == 1, "other descriptors")
    t.check(t.must(a, "peercred").uid, "nobody is there")
  end
end)

-- ---- options ----

add("options", function(t, ls)
  local sender = udp(t, ls)
  t.must(sender, "setopt", "ttl", 5)
  t.check(t.must(sender, "getopt", "ttl") == 5, "another ttl")
  t.must(sender, "setopt", "reuseaddr", true)
  t.must(sender, "setopt", "sndbuf", 30000)
  t.must(sender, "getopt", "sndbuf")
end)

-- Sets what was told; some options can only be told, and some kinds of sockets have not got them all.
local function set_again(t, sock, ...)
  for _, name in ipairs{ ... } do t.must(sock, "setopt", name, t.must(sock, "getopt", name)) end
end

add("options of every kind", function(t, ls)
  local client, _, listener = tcp(t, ls)
  set_again(t, client, "nodelay", "keepalive", "linger", "congestion", "ttl", "tos", "device", "usertimeout")
  t.must(client, "getopt", "tcpinfo")
  t.must(listener, "setopt", "deferaccept", 1)
  if torture.call == "setsockopt" then t.silent "setsockopt" end -- IPv4's, which an IPv6 socket may need not
  local sock = t.quietly(ls.bind, "udp", "::1", 0)
  set_again(t, sock, "ttl", "tos", "mcastif", "mcastloop", "mcastttl", "mtudiscover")
  t.must(sock, "setopt", "mcastif", "lo")
  if t.spoils "getifaddrs" then t.silent "getifaddrs" end -- IPv4's again
  t.must(sock, "setopt", 1, 9, t.must(sock, "getopt", 1, 9)) -- SO_KEEPALIVE by number
  t.must(ls, "connect", { type = "udp", address = HERE, port = 9, tos = 8, mcastif = HERE })
end)

-- ---- waiting ----

add("select", function(t, ls)
  local client, server, listener = tcp(t, ls)
  t.must(ls, "select", { client, server, listener }, { client, server }, 0)
  t.check(t.must(ls, "select", { client, listener }, 0) == false, "something is ready")
  local many = {}
  for i = 1, 40 do many[i] = i % 2 == 0 and client or server end
  t.check(#select(2, t.must(ls, "select", nil, many, 5)) == 2, "not two are ready")
end)

local function poll_with(backend)
  return function(t, ls)
    -- What the kernel says to the second try, after a first answer that was not the kernel's.
    if torture.error == "EEXIST" then t.instead("epoll_ctl", "ENOENT") end
    if torture.error == "ENOENT" then t.instead("epoll_ctl", "EEXIST") end
    local a, b = pair(t, ls)
    local poller = t.must(ls, "poller", backend)
    t.must(poller, "add", a, "r", "value")
    t.must(poller, "modify", a, "rw")
    t.must(poller, "modify", a, "w")
    local _, writable = t.must(poller, "wait", 5)
    t.check(writable[1] == "value" and #poller == 1, "not ready")
    t.must(poller, "add", b, "r")
    t.must(poller, "remove", b)
    t.check(#poller == 1, "not removed")
    t.must(poller, "add", b, "r")
    if backend ~= "poll" then t.must(poller, "getfd") end
    t.must(poller, "modify", a, "r")
    t.check(t.must(poller, "wait", 0) == false, "something is ready")
    if not torture.fired() then t.silent "epoll_ctl(DEL)" end -- whatever the kernel says, a closed one leaves
    t.must(a, "close")
    t.check(#poller == 1, "still registered")
    local readable = t.must(poller, "wait", 5)
    t.check(readable[1] == b, "the end is not seen")
    t.must(poller, "close")
  end
end

add("epoll", poll_with "epoll")
add("poll", poll_with "poll")

-- A ring, if there may be one here.
local function ring_of(t, ls)
  local found = t.quietly(ls.ring)
  if not found then return end
  t.quietly(found.close, found)
  return t.must(ls, "ring")
end

-- Waits until so many requests have ended: what they have come to, by value.
local function ends(t, ring, count)
  local received, data, sent, counts, all = {}, {}, {}, {}, {}
  for _ = 1, 100 do
    if count <= 0 then return all end
    local r, s = t.must(ring, "wait", 5, received, data, sent, counts)
    for i = 1, r do all[received[i]] = data[i] end
    for i = 1, s do all[sent[i]] = counts[i] end
    count = count - r - s
  end
  error("requests do not end", 2)
end

add("a ring", function(t, ls)
  local ring = ring_of(t, ls)
  if not ring then return end
  local a, b = pair(t, ls)
  t.must(ring, "receive", a, "in")
  t.must(ring, "send", b, "out", "some", " bytes")
  local all = ends(t, ring, 2)
  t.check(all["in"] == "some bytes" and all.out == true, "not received")
  t.must(ring, "poll", a, "in")
  t.must(ring, "submit")
  t.check(ring:busy(a) and not ring:remove(a), "no request")
  t.check(t.must(ring, "cancel", a, "r").name == "ECANCELED", "not cancelled")
  t.check(ring:remove(a) and #ring == 0, "there are requests")
  local listener = t.quietly(ls.bind, HERE, 0)
  t.must(ring, "accept", listener, "listener")
  local client = t.quietly(ls.connect, HERE, port_of(listener))
  local server = ends(t, ring, 1).listener
  t.quietly(client.send, client, "x")
  t.check(receive(t, server, 1) == "x", "not accepted")
  t.check(t.must(ring, "cancel", listener, "r").name == "ECANCELED", "not cancelled")
  t.must(ring, "close")
end)

-- Sockets and the ring are closed with all kinds of requests; another ring is left to the collector.
add("a ring that is closed", function(t, ls)
  t.silent "io_uring_enter"
  for i = 1, 2 do
    local ring = ring_of(t, ls)
    if not ring then return end
    local a, b = pair(t, ls)
    local _, server, listener = tcp(t, ls)
    t.must(ring, "accept", listener, "listener")
    t.must(ring, "receive", a, "in")
    t.must(ring, "send", a, "in", "x")
    t.must(ring, "poll", b, "b", "r")
    t.must(ring, "receive", server, "server")
    if i == 1 then t.may(ring, "submit") end
    t.must(a, "close")
    if i == 1 then t.must(ring, "close") end
  end
end)

add("a poller of many", function(t, ls)
  local poller = t.must(ls, "poller", "poll")
  local list = {}
  for i = 1, 40 do list[2 * i - 1], list[2 * i] = pair(t, ls, "udp") end
  for i, sock in ipairs(list) do t.must(poller, "add", sock, "w", i) end
  local _, writable = t.must(poller, "wait", 5)
  t.check(#writable == 80, "not all are ready")
end)

-- ---- names ----

add("resolve", function(t, ls)
  t.check(t.must(ls, "resolve", HERE)[1].addr == HERE, "another address")
  t.check(#t.must(ls, "resolve", NAME) > 0, "no address")
end)

-- Waits for the bell of a lookup. One that cannot ring is no reason to lose the answer.
local function await(t, lookup)
  for _ = 1, 500 do
    if torture.wait(lookup:getfd(), "r", 10) then return end
    if t.spoils "write" and not t.spoils("write", "EINTR") then return end
  end
  error "no answer"
end

add("lookup", function(t, ls)
  local lookup = t.may(ls, "lookup", NAME)
  if not lookup then return end
  t.must(lookup, "getfd")
  await(t, lookup)
  local list = t.may(lookup, "result")
  t.check(not list or #list > 0, "no address")
  t.must(lookup, "cancel")
end)

add("lookups that nobody waits for", function(t, ls)
  t.silent "getaddrinfo pthread_create" -- which one thread suffices for
  t.may(ls, "lookup", NAME, "inet")
  local lookup = t.may(ls, "lookup", NAME)
  if lookup then t.must(lookup, "cancel") end
  t.check(#t.must(t.must(ls, "lookup", HERE), "result") == 1, "no address")
end)

add("names of addresses", function(t, ls)
  for _, arguments in ipairs { { address = HERE }, { name = NAME, canonical = true } } do
    local lookup = t.may(ls, "lookup", arguments)
    if lookup then
      t.must(lookup, "getfd")
      await(t, lookup)
      local found = t.may(lookup, "result")
      t.check(not found or arguments.address and found == "localhost" or found.canonical, "another name")
      t.must(lookup, "cancel")
    end
  end
end)

add("addresses in bytes", function(t, ls)
  t.check(t.must(ls, "toaddress", t.must(ls, "tobytes", HERE)) == HERE, "another address")
  t.check(#t.must(ls, "gethostname") > 0 and ls.time() > 0, "no name")
end)

add("now", function(t, ls)
  t.check(not ls.now or ls.now() <= ls.now(), "the time goes backwards")
end)

add("interfaces", function(t, ls)
  local found
  for _, record in ipairs(t.must(ls, "getinterfaces")) do found = found or record.addr == HERE end
  t.check(found, "no loopback")
end)

-- ---- the loop ----

-- One thing that fails ends no more than what it belongs to; who waits for that is told, or comes to its end.
local function talk(loop)
  local server = assert(loop.serve(HERE, 0, function(client)
    for _ = 1, 2 do
      local line = client:read()
      if not line or not client:write(line, "\n") then return end
    end
  end))
  local port = server:info("socket").port
  local task = loop.spawn(function()
    local stream = assert(loop.connect(HERE, port))
    assert(stream:write "one\n")
    local line = stream:read()
    assert(stream:write "two\n")
    line = line and stream:read()
    stream:close()
    return line
  end)
  loop.sleep(0.001)
  if torture.call ~= "write" then assert(loop.resolve(NAME)) end -- or it waits for a bell that does not ring
  local line, message = task:join()
  local silent = loop.connect(HERE, port)
  loop.sleep(0.001)
  server:close(0) -- which cuts it off
  if silent then silent:close() end
  if not line then error(message or "cut off", 0) end
  assert(line == "two", "another line")
end

-- The same of records and descriptors, by wrapped sockets.
local function answer(far)
  for _ = 1, 3 do
    local data = far:recv()
    if not data or not far:send(data) then return end
  end
  far:sendfds(assert(far:recvfds()))
end

local function trade(loop, ls)
  local a, b = assert(ls.pair "seqpacket")
  local near, far = assert(loop.wrap(a)), assert(loop.wrap(b))
  local task = loop.spawn(function()
    loop.pcall(answer, far)
    far:close()
  end)
  for _ = 1, 3 do
    assert(near:send "record")
    assert(near:recv() == "record", "another record")
  end
  assert(near:sendfds("2", { near, far }))
  local data, list = near:recvfds()
  assert(data == "2" and #list == 2, "other descriptors")
  task:join()
  near:close()
end

add("the loop", function(t)
  t.silent "epoll_ctl(DEL)" -- of what is closed
  t.in_loop(talk)
end)

-- Where a ring cannot be made, or the kernel does not know it any more, the poller is used.
add("the loop with a ring", function(t)
  t.silent "epoll_ctl(DEL) io_uring_setup io_uring_register io_uring_enter"
  local loop = t.quietly(require, "lsocket.loop")
  t.quietly(loop.engine, "ring")
  t.in_loop(talk)
end)

add("wrapped sockets", function(t, ls)
  t.silent "epoll_ctl(DEL) getsockopt getsockname getpeername fcntl fcntl(F_SETFL)" -- of descriptors on their way
  t.in_loop(trade, ls)
end)

-- What a client asks for at the edges of a stream.
local function serve_file(file)
  return function(client)
    local size = assert(client:readexactly(1)):byte()
    assert(client:peek(size) == ("x"):rep(size) and client:buffered() >= size)
    assert(client:readuntil("\n", nil, true) == ("x"):rep(size) .. "\n")
    assert(client:sendfile(file, 0, 3000) == 3000)
  end
end

local function fetch_file(loop, file, patience)
  local server = assert(loop.serve(HERE, 0, serve_file(file), { grace = 1, timeout = patience }))
  local client = assert(loop.connect(HERE, server:info("socket").port))
  client:settimeout(patience)
  assert(client:write("\5xxxxx\n", ("unread"):rep(1000)))
  local data = client:readexactly(3000)
  client:close(1)
  server:close(1)
  loop.sleep(0.001)
  assert(data == ("f"):rep(3000), "the data is another")
end

add("the edges of a stream", function(t)
  local file = t.quietly(io.tmpfile)
  t.quietly(function()
    file:write(("f"):rep(3000))
    file:flush()
  end)
  local ok, problem = pcall(t.in_loop, fetch_file, file, t.patience() / 2)
  t.quietly(file.close, file)
  if not ok then error(problem, 0) end
end)

-- Nothing fails here: it is about what main.c finds left when it has closed the state under all this.
local function leave_alive(ls)
  local loop, stream = require "lsocket.loop", require "lsocket.stream"
  local near, far = assert(ls.pair())
  near, far = stream.new(near), stream.new(far)
  loop.spawn(near.write, near, ("x"):rep(1000000))
  loop.spawn(near.read, near)
  loop.spawn(far.readuntil, far, "y")
  loop.spawn(loop.sleep, 1000)
  loop.spawn(loop.deadline, 1000, loop.resolve, NAME)
  local server = assert(loop.serve(HERE, 0, function(client) return client:read() end))
  loop.spawn(loop.connect, HERE, server:info("socket").port)
  local wrapped = loop.wrap((assert(ls.pair "seqpacket")))
  for _ = 1, 2 do loop.spawn(wrapped.recv, wrapped) end
  for _ = 1, 10 do assert(loop.step(0)) end
  local poller, a, b = assert(ls.poller()), assert(ls.pair())
  assert(poller:add(a, "rw") and poller:add(b, "w") and poller:wait(5))
  local buffer, lookups = ls.buffer(), {}
  buffer:append(("b"):rep(100000))
  for i = 1, 20 do lookups[i] = ls.lookup(NAME) end
  return { server, poller, buffer, ls.batch(10), lookups }
end

add("everything alive", function(t, ls)
  t.alive = t.quietly(leave_alive, ls)
  t.silent "getaddrinfo" -- threads may only now begin with what is left to nobody
end)

dofile "spec/torture/between.lua"(add)
dofile "spec/torture/luasocket.lua"(add, tcp, port_of)

return scenarios
