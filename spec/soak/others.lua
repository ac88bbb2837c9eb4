-- Names, interfaces, options, sockets in steps, pipes, files, garbage, and pollers that are closed while a task waits
-- for them.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local common = require "spec.soak.common"
local process = require "spec.process"
local sending = require "spec.sending"

local did, chance, one_of = common.did, common.chance, common.one_of
local names = common.sandbox and { "localhost", "db", "feed.example", "twofaced.example", "six.example" } or
  { "localhost" }
local others = {}
local fifo

function others.open()
  fifo = common.path()
  assert(os.execute("mkfifo " .. fifo))
end

function others.close() os.remove(fifo) end

function others.resolve()
  assert(#assert(lsocket.resolve(one_of(names))) > 0)
  assert(lsocket.resolve("127.1")[1].addr == "127.0.0.1")
  did("resolve", 2)
end

-- Some are waited for, some cancelled at a random moment, some dropped.
function others.lookup()
  local lookups = {}
  for i = 1, math.random(20) do lookups[i] = assert(lsocket.lookup(chance(4) and "::1" or one_of(names))) end
  for i = 1, #lookups do
    local lookup, fate = lookups[i], math.random(4)
    if fate == 1 then
      assert(lookup:cancel())
      common.fails("ECANCELED", lookup:result())
    elseif fate == 2 then lookups[i] = false
    else
      common.wait(lookup, "r")
      assert(#assert(lookup:result()) > 0)
    end
    did "lookup"
  end
  assert(process.threads() <= 65) -- 64 beside this one, while names of those that were cancelled are asked for
end

-- Several tasks wait; each object of a signal is told. What it was sent twice meanwhile it may be told once.
function others.signals()
  local signals = assert(loop.signals("USR1", "USR2", "WINCH"))
  local other = assert(lsocket.signals("USR1", "USR2", "WINCH"))
  local seen, tasks = {}, {}
  for i = 1, 3 do
    tasks[i] = loop.spawn(function()
      local name, _, symbol = signals:wait()
      while name do
        seen[name] = true
        name, _, symbol = signals:wait()
      end
      assert(symbol == "ECANCELED" or symbol == "EBADF", symbol) -- it was closed while this task waited, or before
    end)
  end
  local sent = one_of { "USR1", "USR2", "WINCH" }
  sending.raise(sent, sent)
  common.eventually(function() return seen[sent] or false end)
  common.wait(other, "r")
  if chance(2) then assert(common.eventually(function() return other:next() == sent end)) end
  if chance(2) then assert(other:close()) end
  assert(signals:close())
  for i = 1, 3 do tasks[i]:join() end
  did "signals"
end

function others.reverse()
  assert(loop.reverse(one_of { "127.0.0.1", "::1" }))
  local lookup = assert(lsocket.lookup { name = one_of(names), canonical = true })
  common.wait(lookup, "r")
  assert(chance(2) and lookup:cancel() or assert(lookup:result()).canonical)
  did("names of addresses", 2)
end

-- A connection, step by step, and datagrams that go to one peer after the other.
function others.steps()
  local server, client = assert(lsocket.socket { reuseaddr = true }), assert(lsocket.socket())
  assert(server:bind("127.0.0.1", 0) and server:listen())
  local port = server:info("socket").port
  assert(client:connect("127.0.0.1", port))
  common.wait(server, "r")
  local peer = assert(server:accept())
  common.fails("EISCONN", client:connect("127.0.0.1", port))
  common.fails("EINVAL", server:bind("127.0.0.1", 0))
  assert(client:send "x" and peer:wait("r", 60) == "r" and peer:recv() == "x")
  local sock = assert(lsocket.socket("udp", "unix"))
  if sock:bind "@" then -- of the system's choice
    assert(sock:connect(sock:info("socket").addr) and sock:send "to itself" and sock:recv() == "to itself")
    assert(sock:connect())
  end
  for _, one in ipairs { client, server, peer, sock } do assert(one:close()) end
  did "sockets in steps"
end

-- A file of Lua's and the socket that has a copy of its descriptor.
function others.file()
  local file = assert(io.tmpfile())
  local sock = assert(lsocket.fromfd(file))
  assert(sock:send "text" == 4)
  if chance(2) then assert(file:close()) end
  if chance(2) then assert(sock:close()) end
  did "files as sockets"
end

function others.interfaces()
  local found
  for _, interface in ipairs(assert(lsocket.getinterfaces())) do found = found or interface.addr == "127.0.0.1" end
  assert(found, "no loopback")
  did "interfaces"
end

-- Reads and sets again whatever this socket has.
local options = { "reuseaddr", "broadcast", "rcvbuf", "sndbuf", "linger", "keepalive", "keepidle", "nodelay", "cork",
  "quickack", "congestion", "usertimeout", "ttl", "tos", "mcastttl", "mcastif", "mcastloop", "pktinfo", "recvttl",
  "timestamp", "priority", "mtudiscover", "v6only", "rcvlowat", "gro", "segment", "notsentlowat" }
local told = { "error", "type", "domain", "protocol", "acceptconn", "tcpinfo", "mtu" }

function others.options()
  local type = one_of { "tcp", "udp" }
  local sock = assert(lsocket.bind(type, type == "udp" and one_of { "127.0.0.1", "::1" } or common.loopback(), 0))
  for _ = 1, 10 do
    local name = one_of(options)
    local value, _, failure = sock:getopt(name)
    if value ~= nil then
      local ok, message, problem = sock:setopt(name, value)
      assert(ok or problem == "EINVAL" and (name == "v6only" or name:find "^mcast"), name .. ": " .. tostring(message))
    else
      assert(failure == "ENOPROTOOPT" or failure == "EOPNOTSUPP", failure)
    end
    sock:getopt(one_of(told))
    did("options", 3)
  end
  assert(sock:close())
end

-- A fifo, both ends of which are made sockets by passing them.
function others.pipe()
  local both, a, b = assert(io.open(fifo, "r+")), assert(lsocket.pair())
  local reader_file, writer_file = assert(io.open(fifo, "r")), assert(io.open(fifo, "w"))
  assert(a:sendfds("x", { reader_file, writer_file }))
  both:close()
  reader_file:close()
  writer_file:close()
  local _, objects = assert(b:recvfds())
  local reader, writer = objects[1], objects[2]
  assert(a:close() and b:close() and reader:info().type == "pipe")
  common.fails("ENOTSOCK", reader:peek())
  local position, sent, got = common.position(), 0, 0
  for _ = 1, math.random(20) do
    local text = common.text(position + sent, math.random(100000))
    local taken = writer:send(chance(2) and text or { text:sub(1, 10), text:sub(11) })
    assert(taken ~= nil)
    sent = sent + (taken or 0)
    if sent > got then
      local data = assert(reader:recv(math.random(100000)))
      common.check(data, position + got)
      got = got + #data
    end
  end
  writer:close()
  local data = reader:recv(sent - got + 1)
  while data do
    common.check(data, position + got)
    got = got + #data
    data = reader:recv()
  end
  assert(data == nil and got == sent, "bytes are missing")
  reader:close()
  did "pipes"
end

-- A task waits for a poller, which is closed, or for a socket, which is: it is told.
function others.closed()
  local a, b = assert(lsocket.pair())
  local poller = assert(lsocket.poller())
  assert(poller:add(a, "r"))
  local object = chance(2) and poller:getfd() and poller or a
  local task = loop.spawn(loop.wait, object, "r")
  for _ = 1, math.random(0, 3) do loop.sleep(0) end
  object:close()
  local _, _, name = task:join()
  assert(name == "ECANCELED" or name == "EBADF", name)
  assert(b:close()) -- until now, as its end would be an event
  did(object == poller and "pollers closed under a task" or "sockets closed under a task")
end

-- What nobody closes.
function others.garbage()
  local poller = assert(lsocket.poller())
  for _ = 1, math.random(20) do
    local a, b = assert(lsocket.pair(one_of { "tcp", "udp", "seqpacket" }))
    assert(poller:add(a, "r"))
    assert(b:send "never read")
  end
  local batch = lsocket.batch(10, 1000)
  batch:add "never sent"
  lsocket.buffer():append(("x"):rep(100000))
  did "left to the collector"
end

function others.collect()
  local way = math.random(4)
  if way == 1 then collectgarbage()
  elseif way == 2 then collectgarbage("step", math.random(0, 1000))
  elseif way == 3 then pcall(collectgarbage, "setpause", math.random(100, 300)) -- which not every Lua has
  else pcall(collectgarbage, "setstepmul", math.random(100, 400))
  end
  did "collections asked for"
end

-- The names of those to choose from.
others.list = { "resolve", "lookup", "reverse", "signals", "steps", "file", "interfaces", "options", "pipe", "closed",
  "garbage", "collect" }

return others
