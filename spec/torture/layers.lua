-- The scenarios of sockets with a layer, that of spec/layer/toy.c. What has failed in a layer fails from then on: so a
-- scenario ends there.
local unpack = table.unpack or unpack -- luacheck: ignore 143
local GONE = "the layer has failed"
local scenarios = {}

-- As io of scene.lua, for what may fail for good. It waits by select, while which the other end sends what it has.
local function go(t, ls, sock, name, ...)
  for _ = 1, 1000 do
    local a, b = t.may(sock, name, ...)
    if a ~= false then return a, b end
    if torture.mode == "faults" and torture.fired() then error(GONE, 0) end
    local ready = t.may(ls, "select", { sock }, { b ~= "r" and name ~= "recv" and sock or nil }, 0.02)
    if not ready and name == "handshake" then return false end
  end
  error(name .. " does not end", 2)
end

local function shake_hands(t, ls, a, b)
  local one, other
  for _ = 1, 10 do
    one, other = go(t, ls, a, "handshake"), go(t, ls, b, "handshake")
    if one and other then return end
  end
  error "the handshake does not end"
end

local function receive(t, ls, sock, count)
  local text = ""
  while #text < count do text = text .. t.check(go(t, ls, sock, "recv", count - #text), "the stream ends too soon") end
  return text
end

-- Sends pieces, and reads them at the other end meanwhile.
local function pass(t, from, to, text, ...)
  local first, got = 1, ""
  while first ~= true or #got < #text do
    if first ~= true then first = t.may(from, "sendrest", first, ...) or first end
    local piece = t.may(to, "recv")
    t.check(piece ~= nil, "the stream ends too soon")
    got = got .. (piece or "")
    if torture.mode == "faults" and torture.fired() then error(GONE, 0) end
  end
  t.check(got == text, "the data is another")
end

local function wait_in_all_ways(t, ls, poller, sock)
  t.check(t.must(ls, "select", { sock }, 5)[1] == sock, "select finds nothing")
  t.check(t.must(sock, "wait", "r", 5) == "r", "wait finds nothing")
  t.check(t.must(poller, "wait", 5)[1] == sock, "the poller finds nothing")
end

local function exchange(t, ls, a, b)
  local poller, buffer = t.quietly(ls.poller), ls.buffer()
  t.quietly(poller.add, poller, b, "r")
  shake_hands(t, ls, a, b)
  go(t, ls, a, "send", "hello")
  t.check(go(t, ls, b, "recv", 1) == "h", "recv is wrong")
  wait_in_all_ways(t, ls, poller, b)
  t.check(b:pending() == 4, "pending is wrong")
  t.check(go(t, ls, b, "peek") == "ello", "peek is wrong")
  t.check(t.must(buffer, "recv", b) == 4 and buffer:take(4) == "ello", "the buffer is wrong")
  pass(t, a, b, "pieces", "pie", "ces")
  pass(t, a, b, ("l"):rep(30000), { ("l"):rep(10000), ("l"):rep(20000) })
  go(t, ls, b, "sendto", "back", "127.0.0.1", 9)
  t.check(receive(t, ls, a, 4) == "back", "the answer is wrong")
  go(t, ls, a, "shutdown", "w")
  t.check(go(t, ls, b, "recv") == nil, "no end")
end

scenarios[1] = { "a layer", function(t, ls)
  local toy = t.quietly(require, "toy")
  t.silent "send sendmsg epoll_ctl(DEL)" -- of the goodbye that close sends, nobody is told
  local ends = { t.quietly(ls.pair) }
  ends[1]:setopt("sndbuf", 4096)
  for _, sock in ipairs(ends) do toy.start(sock) end
  local ok, problem = pcall(exchange, t, ls, unpack(ends))
  if not ok and problem ~= GONE then error(problem, 0) end
  for _, sock in ipairs(ends) do
    if not ok then pcall(sock.recv, sock) end -- which tells why
    t.may(sock, "close")
  end
end }

scenarios[2] = { "a layer that is left", function(t, ls)
  local toy = t.quietly(require, "toy")
  t.silent "send sendmsg" -- what has been taken leaves later
  for _ = 1, 2 do
    local a, b = t.quietly(ls.pair)
    toy.start(a, "ready")
    toy.start(b, "ready")
    t.may(a, "send", "x")
    t.may(b, "recv", 1)
    t.fails("EOPNOTSUPP", a, "dup")
  end
end }

return scenarios
