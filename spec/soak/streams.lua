-- Connections of plain sockets. Each lives for some steps in a task of its own: bytes both ways, by every call there is
-- for it, each known by its place; then one of several ends.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local common = require "spec.soak.common"
local waiters = require "spec.soak.waiters"

local did, chance, one_of = common.did, common.chance, common.one_of
local MOST = 131072 -- bytes of a call

-- ---- kinds: each makes two sockets that are connected ----

local kinds = {}

function kinds.tcp()
  local address = common.loopback()
  local listener = assert(lsocket.bind(address, 0))
  return common.connection(listener, address, common.port(listener))
end

function kinds.tcp6()
  local listener = assert(lsocket.bind { address = "::1", port = 0, nodelay = chance(2), rcvbuf = 65536 })
  return common.connection(listener, { address = "::1", port = common.port(listener), keepalive = true })
end

function kinds.both()
  local listener = assert(lsocket.bind { address = "::", port = 0, v6only = false })
  return common.connection(listener, common.loopback(), common.port(listener))
end

function kinds.path()
  local path = common.path()
  local listener = assert(lsocket.bind { address = path, mode = "600" })
  local client, server = common.connection(listener, path)
  os.remove(path)
  return client, server
end

function kinds.abstract()
  local name = common.abstract()
  return common.connection(assert(lsocket.bind(name)), name)
end

function kinds.pair() return assert(lsocket.pair()) end

local pairs_of = { "tcp", "tcp", "tcp6", "both", "path", "abstract", "pair" }
local is_tcp = { tcp = true, tcp6 = true, both = true }

-- ---- sending: each gives what the call gives ----

local sends = {}

function sends.part(sock, position, count)
  local first = common.place(position)
  return sock:send(common.all, first, first + count - 1)
end

function sends.text(sock, position, count) return sock:send(common.text(position, count)) end

function sends.array(sock, position, count)
  local list, taken = {}, 0
  while taken < count do
    local n = math.min(count - taken, chance(3) and math.random(5000) or math.random(60))
    list[#list + 1] = common.text(position + taken, n)
    taken = taken + n
  end
  return sock:send(list)
end

function sends.message(sock, position, count) return sock:sendmsg { data = common.text(position, count) } end

function sends.file(sock, position, count)
  did "sendfile"
  return sock:sendfile(common.file, common.place(position) - 1, count)
end

local send_names = { "part", "text", "array", "message", "file" }

-- ---- receiving: each takes at most count bytes and gives them, or what else the call gives ----

local receives = {}

function receives.recv(sock, count) return sock:recv(count) end
function receives.message(sock, count) return sock:recvmsg(count) end
function receives.all(sock) return sock:recv() end

function receives.from(sock, count)
  local data, address, port = sock:recvfrom(count)
  if data then return data end
  return data, address, port
end

function receives.peek(sock, count)
  local seen, message, name = sock:peek(count)
  if not seen then return seen, message, name end
  local data = assert(sock:recv(count))
  assert(data:sub(1, #seen) == seen, "peek has seen other bytes")
  return data
end

-- Through a buffer, out of which they are taken in pieces.
function receives.buffer(sock, count)
  local buffer = lsocket.buffer()
  local got, message, name = buffer:recv(sock, count)
  if not got then return got, message, name end
  local pieces = {}
  while #buffer > 0 do
    local n, way = math.random(#buffer), math.random(4)
    local record = way == 1 and buffer:upto "\0"
    pieces[#pieces + 1] = record and record .. "\0" or way == 2 and buffer:line(true) or
      way == 3 and buffer:take(n) or buffer:some(n)
  end
  did "buffers"
  return table.concat(pieces)
end

local receive_names = { "recv", "message", "all", "from", "peek", "buffer" }

-- ---- a link: two ends, and for each what has been sent by it and what has been received of that ----

local function new_end(sock)
  return { sock = waiters.watch(sock), start = common.position(), sent = 0, got = 0 }
end

local function send(from)
  local count = chance(3) and math.random(MOST) or math.random(2000)
  local taken, message = sends[one_of(send_names)](from.sock, from.start + from.sent, count)
  if taken == nil then error(message) end
  from.sent = from.sent + (taken or 0) -- false: no room
  did "stream sends"
end

-- What the other end has sent, with the given wait if something is on the way.
local function receive(to, from, wait)
  if from.sent == from.got then
    assert(to.sock:recv() == false, "bytes that nobody has sent")
    return
  end
  wait(to.sock, from.sock)
  local data, message = receives[one_of(receive_names)](to.sock, math.random(MOST))
  if not data then error(message or "told to be readable, and is not") end
  common.check(data, from.start + from.got)
  from.got = from.got + #data
  did "stream receives"
end

-- ---- what else happens to an end: its socket is another object afterwards ----

local changes = {}

function changes.dup(sock)
  local copy = assert(sock:dup())
  assert(sock:close())
  did "dup"
  return copy
end

function changes.detach(sock)
  did "detach and fromfd"
  return assert(lsocket.fromfd(assert(sock:detach())))
end

-- It goes through another pair of sockets, with a file beside it, and some that nobody takes.
function changes.pass(sock)
  local a, b = assert(lsocket.pair(one_of { "tcp", "udp", "seqpacket" }))
  local most = chance(2) and 2 or 253
  assert(a:sendfds("socket", { sock, common.file, a, b }) == 6)
  assert(sock:close())
  common.wait(b, "r")
  local data, objects, lost = b:recvfds(100, most)
  assert(data == "socket" and #objects == math.min(most, 4) and (lost == 2) == (most == 2))
  assert(objects[2]:info().type == "file" and objects[2]:close())
  if objects[3] and chance(2) then objects[3]:close() end -- else it is garbage
  if chance(2) then a:close() end
  b:close()
  did("descriptors passed", 4)
  return objects[1]
end

local change_names = { "dup", "detach", "pass" }

local function change(which)
  which.sock = waiters.watch(changes[one_of(change_names)](which.sock))
end

-- ---- ends ----

-- Receives until the end or a failure; gives the name of that.
local function drain(to, from)
  while true do
    common.wait(to.sock, "r")
    local data, _, name = receives[one_of(receive_names)](to.sock, MOST)
    if data == nil then return name end
    assert(data, "told to be readable, and is not")
    common.check(data, from.start + from.got)
    from.got = from.got + #data
  end
end

local endings = {}

function endings.both(a, b)
  assert(a.sock:shutdown "w")
  common.fails("EPIPE", a.sock:send "x")
  assert(drain(b, a) == nil)
  assert(a.got == a.sent, "bytes are missing")
  assert(b.sock:shutdown "w")
  assert(drain(a, b) == nil)
  assert(b.got == b.sent, "bytes are missing")
  assert(a.sock:close() and b.sock:close())
end

-- Whatever it has not read: then the other one is told that its bytes were lost.
function endings.close(a, b)
  local unread = b.sent > b.got
  assert(a.sock:close())
  local name = drain(b, a)
  if not unread then assert(name == nil and a.got == a.sent, "bytes are missing") end
  assert(name == nil or name == "ECONNRESET", name)
  assert(b.sock:close())
  did "closed with something unread"
end

function endings.reset(a, b)
  assert(a.sock:setopt("linger", 0))
  assert(a.sock:close())
  local name = drain(b, a)
  assert(name == "ECONNRESET", "no reset")
  assert(b.sock:close())
  did "resets"
end

function endings.write(a, b)
  assert(a.sock:close())
  common.eventually(function()
    local taken, _, name = b.sock:send "x"
    if taken == nil then assert(name == "EPIPE" or name == "ECONNRESET", name) end
    return taken == nil
  end)
  assert(b.sock:close())
  did "writes to what is closed"
end

function endings.garbage(a, b)
  waiters.forget(a.sock)
  waiters.forget(b.sock)
  did "left to the collector"
end

local ending_names = { "both", "both", "both", "close", "reset", "write", "garbage" }

-- ---- a life ----

local function play(kind)
  local one, two = kinds[kind]()
  local a, b = new_end(one), new_end(two)
  if chance(2) then a, b = b, a end
  local wait = waiters.new()
  for _ = 1, math.random(40) do
    local from, to = a, b
    if chance(2) then from, to = b, a end
    local step = math.random(20)
    if step == 1 then change(from)
    elseif step <= 9 then send(from)
    else receive(to, from, wait)
    end
    if chance(5) then loop.sleep(0) end
  end
  local ending = one_of(ending_names)
  if ending == "reset" and not is_tcp[kind] then ending = "close" end
  endings[ending](a, b)
  did(kind .. " connections")
end

return function() play(one_of(pairs_of)) end
