-- lsocket.luasocket: what it has beyond LuaSocket, in tasks above all. That it does what LuaSocket does is left to
-- luasocket_rows_spec.lua.
local helper = require "spec.helper"
local inloop = require "spec.inloop"
local loop = require "lsocket.loop"
local socket = require "lsocket.luasocket"

local objects = {}

-- An object that is closed when the test is over.
local function keep(object)
  objects[#objects + 1] = object
  return object
end

after_each(function()
  for _, object in ipairs(objects) do object:close() end
  objects = {}
end)

-- A listener of LuaSocket's kind, and its port.
local function listener()
  local server = keep(assert(socket.tcp4()))
  assert(server:bind("127.0.0.1", 0))
  assert(server:listen(200))
  return server, tonumber((select(2, server:getsockname())))
end

-- Two connected objects.
local function pair()
  local server, port = listener()
  local near = keep(assert(socket.connect("127.0.0.1", port)))
  local far = keep(assert(server:accept()))
  return near, far, server
end

-- Two datagram sockets, of which the first has the second as its peer.
local function udp_pair()
  local near, far = keep(assert(socket.udp4())), keep(assert(socket.udp4()))
  assert(far:setsockname("127.0.0.1", 0))
  assert(near:setpeername(far:getsockname()))
  return near, far
end

describe("in a task", function()
  it("a call that waits lets the others run", function()
    inloop.run(function()
      local near, far = pair()
      near:settimeout(0.02)
      local turns, data, text, part = inloop.turns_during(near.receive, near, 5)
      assert.same({ nil, "timeout", "" }, { data, text, part })
      assert.is_true(turns > 1)
      loop.spawn(function() far:send "hello" end)
      near:settimeout()
      assert.equal("hello", near:receive(5))
    end)
  end)

  it("a server and its clients are tasks of one program", function()
    local answers = {}
    inloop.run(function()
      local server, port = listener()
      loop.spawn(function()
        for _ = 1, 10 do
          local client = server:accept()
          loop.spawn(function()
            client:send(client:receive():upper() .. "\n")
            client:close()
          end)
        end
      end)
      for i = 1, 10 do
        loop.spawn(function()
          local client = assert(socket.connect("127.0.0.1", port))
          client:send("number " .. i .. "\n")
          local answer = client:receive "*a"
          answers[#answers + 1] = answer
          client:close()
        end)
      end
    end)
    table.sort(answers)
    assert.equal(10, #answers)
    assert.equal("NUMBER 1\n", answers[1])
  end)

  it("sends what the peer receives meanwhile", function()
    inloop.run(function()
      local near, far = pair()
      local data = ("0123456789"):rep(500000)
      local task = loop.spawn(far.receive, far, #data)
      assert.equal(#data, (near:send(data)))
      assert.is_true(task:join() == data)
      assert.equal(#data, (select(2, near:getstats())))
      assert.equal(#data, (far:getstats()))
    end)
  end)

  it("an iterator may end with a call that waits", function()
    inloop.run(function()
      local near, far = pair()
      far:send "one\n"
      near:settimeout(0.02)
      local lines = {}
      for line in function() return near:receive() end do lines[#lines + 1] = line end
      assert.same({ "one" }, lines)
      for _ in ipairs { 1 } do -- in a loop's body the others run
        local function wait() return near:receive() end
        assert.is_true(inloop.turns_during(function() return wait() end) > 1)
      end
    end)
  end)

  it("select waits for any of them", function()
    inloop.run(function()
      local near, far = pair()
      local quiet = pair()
      loop.spawn(function()
        inloop.rest()
        far:send "x"
      end)
      local turns, readable, writable, text = inloop.turns_during(socket.select, { quiet, near }, nil)
      assert.is_true(turns > 1)
      assert.equal(near, readable[1])
      assert.equal(1, readable[near])
      assert.same({}, writable)
      assert.is_nil(text)
      assert.equal("timeout", (select(3, socket.select({ quiet }, nil, 0.001))))
      assert.equal(near, (select(2, socket.select(nil, { near })))[1])
    end)
  end)

  it("a socket may be selected while another task receives from it", function()
    inloop.run(function()
      local near, far = pair()
      local task = loop.spawn(function() return near:receive() end)
      inloop.rest()
      loop.spawn(function() far:send "one\n" end)
      socket.select({ near }, nil, helper.patience)
      assert.equal("one", (task:join()))
    end)
  end)

  it("sleep and the look-up of a name let the others run", function()
    inloop.run(function()
      assert.is_true(inloop.turns_during(socket.sleep, 0.01) > 1)
      assert.equal("127.0.0.1", (socket.dns.toip "127.0.0.1"))
      assert.is_table(socket.dns.getaddrinfo "localhost")
    end)
  end)

  it("datagrams are waited for", function()
    inloop.run(function()
      local near, far = keep(socket.udp4()), keep(socket.udp4())
      assert.equal(1, far:setsockname("127.0.0.1", 0))
      local port = select(2, far:getsockname())
      for _ = 1, 20 do -- which are made in C and in Lua
        local task = loop.spawn(function() return far:receivefrom() end)
        inloop.rest()
        assert.equal(3, near:sendto("abc", "127.0.0.1", port))
        assert.equal("abc", (task:join()))
      end
    end)
  end)

  it("datagrams that need not wait give the others a turn once in a while", function()
    inloop.run(function()
      local near, far = udp_pair()
      local function exchange()
        for _ = 1, 10000 do assert(near:send "x" and far:receive()) end
      end
      assert.is_true(inloop.turns_during(exchange) > 1)
    end)
  end)

  it("datagrams are received where nobody can yield, and between calls that can", function()
    inloop.run(function()
      local near, far = udp_pair()
      local texts = {}
      far:settimeout(0.01)
      local function receive() table.insert(texts, (select(2, far:receive())) or "") end
      local turns = inloop.turns_during(string.gsub, "x", "x", receive)
      assert.is_true(turns <= 1)
      for _ in function() receive() end do error "not reached" end
      assert.is_true(inloop.turns_during(receive) > 1)
      near:send "abc"
      assert.equal("abc", far:receive())
      assert.equal("timeout timeout timeout", table.concat(texts, " "))
    end)
  end)

  it("a deadline of the loop is a time-out, a cancel an end", function()
    inloop.run(function()
      local near = pair()
      assert.same({ nil, "timeout", "ab" }, { loop.deadline(0.01, near.receive, near, "*l", "ab") })
      local got
      local task = loop.spawn(function() got = { near:receive() } end)
      inloop.rest()
      task:cancel()
      task:join()
      assert.same({ nil, "closed", "" }, got)
    end)
  end)

  it("close ends the waits of other tasks", function()
    inloop.run(function()
      local near = pair()
      local got
      local task = loop.spawn(function() got = { near:receive() } end)
      inloop.rest()
      near:close()
      task:join()
      assert.same({ nil, "closed", "" }, got)
    end)
  end)

  it("a call with time-out 0 that finds nothing gives the others a turn", function()
    inloop.run(function()
      local near = pair()
      near:settimeout(0)
      local function poll()
        for _ = 1, 10 do near:receive() end
      end
      assert.is_true(inloop.turns_during(poll) >= 10)
    end)
  end)

  it("calls that need not wait give the others a turn once in a while", function()
    inloop.run(function()
      local near, far = pair()
      far:send(("x\n"):rep(10000))
      local function read()
        for _ = 1, 10000 do assert(near:receive()) end
      end
      assert.is_true(inloop.turns_during(read) > 1)
      local function send()
        for _ = 1, 10000 do assert(near:send "x") end
      end
      assert.is_true(inloop.turns_during(send) > 1)
    end)
  end)

  it("what cannot yield blocks the program, and gets the same", function()
    inloop.run(function()
      local near, far = pair()
      near:settimeout(0.01)
      local data, text
      local turns = inloop.turns_during(string.gsub, "x", "x", function() data, text = near:receive() end)
      assert.same({ nil, "timeout" }, { data, text })
      assert.is_true(turns <= 1)
      far:send "abc\n"
      table.sort({ 1, 2 }, function(a, b)
        data = data or near:receive()
        return a < b
      end)
      assert.equal("abc", data)
    end)
  end)

  it("an iterator and a protected call in a function in C get the same, too", function()
    inloop.run(function()
      local near = pair()
      near:settimeout(0.001)
      local texts = {}
      local function receive() table.insert(texts, (select(2, near:receive()))) end
      for _ in function() receive() end do error "not reached" end
      string.gsub("xx", "x", function()
        loop.pcall(receive)
        loop.pcall(loop.pcall, receive)
      end)
      loop.pcall(function()
        for _ = 1, 2 do string.gsub("x", "x", receive) end
        receive()
      end)
      assert.equal(("timeout "):rep(8), table.concat(texts, " ") .. " ")
    end)
  end)

  it("protect and try let a call wait", function()
    inloop.run(function()
      local near = pair()
      near:settimeout(0.01)
      local cleaned
      local try = socket.newtry(function() cleaned = true end)
      local get = socket.protect(function() return try(near:receive()) end)
      local turns, data, text = inloop.turns_during(get)
      assert.same({ nil, "timeout", true }, { data, text, cleaned })
      assert.is_true(turns > 1)
    end)
  end)
end)

describe("socket.http in tasks", function()
  it("makes 100 requests at once, and keeps no other task waiting", function()
    helper.need.luasocket(pending)
    helper.need.speed(pending)
    local output = helper.run(helper.command "luasockethttp")
    local answered, longest = output:match "^(%d+)\t([%d.]+)\n$"
    assert.equal("100", answered, output)
    assert.is_true(tonumber(longest) < 100, longest .. " ms of processor time between two ticks")
  end)
end)

describe("select", function()
  it("has no limit on how many sockets it waits for", function()
    helper.need.speed(pending)
    local output = helper.run("ulimit -n 6000 && " .. helper.command("luasocketmany", 5000))
    if output:find "Too many open files" or output:find "ulimit" then pending "needs 6,000 descriptors" end
    assert.equal("alone 1\ntask 1\n", output)
  end)

  it("takes objects of other libraries by getfd and dirty", function()
    local near, far = pair()
    local other = { getfd = function() return near:getfd() end }
    assert.equal("timeout", (select(3, socket.select({ other }, nil, 0))))
    far:send "x"
    assert.equal(other, socket.select({ other }, nil, helper.patience)[1])
    local dirty = { getfd = function() return near:getfd() end, dirty = function() return true end }
    assert.equal(dirty, socket.select({ dirty }, nil, helper.patience)[1])
  end)

  it("reports what is left in the buffer first", function()
    local near, far = pair()
    local clean, its_peer = pair()
    far:send "one\ntwo\n"
    assert.equal("one", near:receive())
    assert.is_true(near:dirty())
    its_peer:send "x"
    assert.is_true(helper.is_readable(clean.object, helper.patience))
    local readable = socket.select({ clean, near }, nil, helper.patience)
    assert.same({ near, clean, [near] = 1, [clean] = 2 }, readable)
  end)
end)

describe("a wrong argument", function()
  it("is told with the place of the call, first or not", function()
    local near, far = pair()
    local udp = udp_pair()
    local calls = {
      function(wrong) near:send(wrong) end, function(wrong) near:receive(wrong) end,
      function(wrong) far:receive("*l", wrong) end, function(wrong) udp:send(wrong) end,
      function(wrong) udp:receive(wrong) end,
      function(wrong) keep(socket.udp()):sendto(wrong, "127.0.0.1", 9) end,
      function(wrong) keep(socket.udp()):receivefrom(wrong) end,
    }
    for i, call in ipairs(calls) do
      for _ = 1, 20 do
        local ok, text = pcall(call, {})
        assert.is_false(ok)
        assert.truthy(text:find "luasocket_spec.lua:%d+: bad argument #[12] to '%a+' ", i .. ": " .. text)
      end
    end
  end)
end)

describe("a connection", function()
  it("takes less than 1,100 bytes", function()
    helper.need.speed(pending)
    local server, port = listener()
    local near, far, count = {}, {}, helper.scale(200)
    for i = 1, count do near[i], far[i] = false, false end
    collectgarbage()
    collectgarbage()
    local before = collectgarbage "count"
    for i = 1, count do
      near[i] = assert(socket.connect("127.0.0.1", port))
      far[i] = assert(server:accept())
      near[i]:send "x\n"
      far[i]:receive()
    end
    collectgarbage()
    collectgarbage()
    local bytes = (collectgarbage "count" - before) * 1024 / (2 * count)
    for i = 1, count do
      near[i]:close()
      far[i]:close()
    end
    assert.is_true(bytes < 1100, bytes .. " bytes")
  end)

  it("has addresses that are the program's own", function()
    socket.dns.getaddrinfo("127.0.0.1")[1].addr = "broken"
    assert.same({ { family = "inet", addr = "127.0.0.1" } }, socket.dns.getaddrinfo "127.0.0.1")
  end)

  it("leaves its socket to whom takes it by descriptor", function()
    local near, far = pair()
    local fd = near:getfd()
    near:setfd(-1)
    assert.equal(-1, near:getfd())
    local other = socket.tcp()
    other:setfd(fd)
    assert.equal(fd, other:getfd())
    far:send "abc"
    assert.equal("c", other.object and (other.object:recv()):sub(3))
    other:close()
  end)

  it("can be waited for by the loop, and by lsocket", function()
    local near, far = pair()
    far:send "x"
    assert.same({ { near } }, { require("lsocket").select({ near }, helper.patience) })
    inloop.run(function() assert.equal("r", loop.wait(near, "r", helper.patience)) end)
  end)
end)

describe("install", function()
  local function output_of(...)
    return (helper.run(helper.command("luasocketinstall", ...)))
  end

  it("puts the table in the place of LuaSocket's modules", function()
    assert.equal("done\n", output_of "modules")
  end)

  it("raises where LuaSocket has been loaded before", function()
    assert.equal("done\n", output_of "late")
  end)

  it("changes pcall and SIGPIPE where it is asked to", function()
    assert.equal("done\n", output_of "options")
  end)

  it("is a module for the interpreter's option -l", function()
    assert.equal("done\n", output_of "option")
  end)

  it("names a wrong option", function()
    helper.raises("bad argument #1 to 'install' (table expected, got number)", socket.install, 1)
    helper.raises("bad argument #1 to 'install' (pcal: no such option)", socket.install, { pcal = true })
    helper.raises("bad argument #1 to 'install' (pcall: boolean expected)", socket.install, { pcall = 1 })
  end)
end)
