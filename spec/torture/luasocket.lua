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
    client:close()
    t.check(t.io(far, "r", "receive", server, "*a") == nil, "no end")
  end)
end
