-- The scenario of what lsocket.luasocket calls in C.

-- An object whose methods are these functions of a metatable, called for a socket or a buffer.
local function caller(object, fd, names)
  local methods = { getfd = function() return fd:getfd() end }
  for name, field in pairs(names) do
    methods[name] = function(_, ...) return getmetatable(object)[field](object, ...) end
  end
  return methods
end

-- Sends all of a string, of which each call may take a part.
local function send_all(t, near, text)
  local sent = 0
  while sent < #text do
    local done, place = t.must(near, "send", text, sent + 1)
    sent = done or place
    t.check(done or torture.wait(near:getfd(), "w"), "there is no room")
  end
end

-- An object of lsocket.luasocket with the methods that are in C where they need not wait.
local function quick_object(t, sock)
  local quick, object = getmetatable(sock).__quick, { object = sock }
  local function whole() error "all of it in Lua" end
  local function rest(_, _, ...) return t.note(...) end
  function object.getfd() return sock:getfd() end
  for _, name in ipairs { "receive", "receivefrom", "send" } do object[name] = quick(name, whole, rest) end
  object.sendto = quick("sendto", whole, function(_, _, _, _, ...) return t.note(...) end)
  object.read = quick("read", whole, function(_, _, _, ...) return t.note(...) end)
  object.write = quick("write", whole, function(_, _, _, _, taken, place, name)
    if taken == false and place > 0 then return place end
    return t.note(taken, place, name)
  end)
  return object
end

-- Datagrams there and back.
local function exchange(t, ls, port_of)
  local far = quick_object(t, t.must(ls, "bind", "udp", "127.0.0.1", 0))
  local near = quick_object(t, t.must(ls, "connect", "udp", "127.0.0.1", port_of(far.object)))
  t.check(t.io(near, "w", "send", "one") == 3, "not all was sent")
  local data, address, port = t.io(far, "r", "receivefrom")
  t.check(data == "one", "another datagram")
  if not address then return end -- it was read as a file
  t.check(t.io(far, "w", "sendto", "two", address, port) == 3, "not all was sent")
  t.check(t.io(near, "r", "receive", 2) == "tw", "another datagram")
end

-- The same of lines by streams.
local function exchange_lines(t, ls)
  local client, server = t.must(ls, "pair")
  local near, far = quick_object(t, client), quick_object(t, server)
  far.buffer = t.must(ls, "buffer")
  getmetatable(far.buffer).__limit(far.buffer, 1000)
  for i = 1, 2 do
    local sent = t.io(near, "w", "write", "li\rne\r\n")
    t.check(sent == 7 and near.sent == 7 * i or torture.mode == "random", "not all was sent")
    if sent < 7 then return end -- the others go on in Lua
    t.check(t.io(far, "r", "read", "*l", i == 2 and "a " or nil) == (i == 2 and "a line" or "line"), "another line")
  end
end

return function(add, tcp, port_of)
  add("what LuaSocket's methods call", function(t, ls)
    local client, server, listener = tcp(t, ls)
    local near = caller(client, client, { send = "__send" })
    local far = caller(t.must(ls, "buffer"), server,
      { receive = "__receive", rest = "__rest", gone = "__gone", limit = "__limit" })
    far:limit(1000)
    send_all(t, near, "one\r\ntw\ro\nthree")
    t.check(t.io(far, "r", "receive", server, "*l") == "one", "another line")
    t.check(t.io(far, "r", "receive", server, "*l", "pre") == "pretwo", "another line")
    t.check(t.io(far, "r", "receive", server, 4, "+") == "+thr", "other bytes")
    t.check(t.io(far, "r", "receive", server, 2) == "ee", "other bytes")
    t.check(t.must(far, "rest", nil, "rest: ") == "rest: ", "another rest")
    send_all(t, near, ("x"):rep(100))
    t.check(#t.io(far, "r", "receive", server, 100) == 100 and far:gone() == 115, "other bytes")
    local waiting = caller(listener, listener, { accept = "__accept" })
    function waiting.select(_, ...) return getmetatable(listener).__select(...) end
    local another = t.quietly(ls.connect, "127.0.0.1", port_of(listener))
    t.io(waiting, "r", "accept"):close()
    another:close()
    local object = { object = client, buffer = ls.buffer() }
    local _, writable = t.must(waiting, "select", { object }, { object }, 5)
    t.check(type(writable) ~= "table" or writable[object] == 1, "another one is ready")
    if getmetatable(client).__quick then
      exchange(t, ls, port_of)
      exchange_lines(t, ls)
    end
    client:close()
    t.check(t.io(far, "r", "receive", server, "*a") == nil, "no end")
  end)
end
