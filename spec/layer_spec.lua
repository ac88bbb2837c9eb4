-- Sockets with a layer under them: what each call does through it. How they are waited for: layerwait_spec.lua.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local toy = require "spec.layer.toy"

local fails, need = helper.fails, helper.need
local CUT_OFF, TOO_LONG, NOT_GREETED = { n = 3, nil, "the toy was cut off", "ETOY_TRUNCATED" },
  { n = 3, nil, "the toy's record is too long", "ETOY_LENGTH" },
  { n = 3, nil, "the toy was not greeted", "ETOY_GREETING" }

teardown(toy.forget)

local layered = toy.case(it, pending)

after_each(helper.remove_paths)

local unpack = table.unpack or unpack -- luacheck: ignore 143

-- Calls a method until it returns something but false.
local function insist(sock, name, ...)
  local results
  for _ = 1, 10000 do
    results = helper.pack(sock[name](sock, ...))
    if results[1] ~= false then break end
    lsocket.select({ sock }, 0.001)
  end
  return unpack(results, 1, results.n)
end

-- A pair whose first end can hold little that waits.
local function narrow()
  local a, b = toy.pair "tcp"
  a:setopt("sndbuf", 4096)
  return a, b
end

-- What can be received now, added to a list.
local function drain(sock, got)
  while sock:wait("r", 0) == "r" do
    local piece = sock:recv()
    if not piece then return end
    got[#got + 1] = piece
  end
end

-- Both ends of a pair, as they are collected when nobody has them.
local function leave(fn)
  coroutine.wrap(fn)()
  collectgarbage()
  collectgarbage()
end

describe("a plain socket", function()
  it("holds nothing", function()
    local a, b = helper.tcp()
    b:send "x"
    helper.readable(a)
    assert.equal(0, a:pending())
    a:close()
    fails("EBADF", a:pending())
    b:close()
  end)

  layered("fails to shake hands", function()
    local a = helper.tcp()
    fails("EOPNOTSUPP", a:handshake())
    a:close()
    fails("EBADF", a:handshake())
  end)
end)

describe("a layer", function()
  layered("is put under a socket, which stays the same object", function()
    local a = helper.tcp()
    local fd, text, info = a:getfd(), tostring(a), a:info()
    assert.is_true(toy.start(a))
    assert.equal(fd, a:getfd())
    assert.equal(text, tostring(a))
    assert.same(info, a:info())
    assert.is_true(a:setopt("nodelay", true))
    assert.is_true(a:getopt "nodelay")
    assert.is_true(a:status())
    assert.equal("inet", a:info "peer".family)
    assert.same({ 0, "own" }, { a:toy() })
    assert.same({ n = 3, nil, "no toy", "ETOY_NONE" }, helper.pack(helper.tcp():toy()))
  end)

  layered("can keep a socket from sending and receiving until the handshake is over", function()
    local a, b = helper.tcp()
    assert(toy.start(a))
    fails("ENOTCONN", a:recv())
    fails("ENOTCONN", a:send "x")
    assert.same({ n = 2, false, "r" }, helper.pack(a:handshake()))
    assert(toy.start(b, "ask"))
    helper.readable(b)
    assert.same({ n = 2, false, "hello" }, helper.pack(b:handshake()))
    assert.is_true(insist(b, "handshake"))
    assert.is_true(insist(a, "handshake"))
    assert.is_true(a:handshake())
    assert.equal(1, a:send "x")
    helper.readable(b)
    assert.equal("x", b:recv())
  end)

  layered("fails with a message and a name of its own, again and again", function()
    local a, b = helper.tcp()
    assert(toy.start(b))
    a:send "!"
    helper.readable(b)
    for _ = 1, 2 do assert.same(NOT_GREETED, helper.pack(b:handshake())) end
    a, b = toy.half()
    a:send "\255\255"
    helper.readable(b)
    for _ = 1, 2 do
      assert.same(TOO_LONG, helper.pack(b:recv()))
      assert.same(TOO_LONG, helper.pack(b:peek()))
      assert.same(TOO_LONG, helper.pack(b:recvfrom()))
      assert.same(TOO_LONG, helper.pack(lsocket.buffer():recv(b)))
      assert.same(TOO_LONG, helper.pack(b:send "x"))
      assert.same(TOO_LONG, helper.pack(b:send { "x", "y" }))
      assert.same(TOO_LONG, helper.pack(b:sendrest(1, "x")))
      assert.same(TOO_LONG, helper.pack(b:sendto("x", "127.0.0.1", 9)))
    end
  end)

  layered("is under a socket of any family and of IPv6, and under each end alone", function()
    local a, b = toy.pair "tcp"
    a:send "x"
    helper.readable(b)
    assert.equal("x", b:recv())
    a, b = toy.half()
    b:send "xyz"
    assert.equal(toy.record "xyz", helper.receive(a, 5))
    a:send(toy.record "abc")
    helper.readable(b)
    assert.equal("abc", b:recv())
  end)

  layered("is not under what a socket accepts", function()
    local listener, port = helper.bind("127.0.0.1", 0)
    assert(toy.start(listener))
    local client, server = helper.connect_to(listener, "127.0.0.1", port)
    client:send "x"
    helper.readable(server)
    assert.equal("x", server:recv())
    assert.equal("ETOY_NONE", (select(3, server:toy())))
  end)
end)

describe("receiving through a layer", function()
  layered("gives what has come, up to the size that is asked for", function()
    local a, b = toy.pair()
    assert.is_false(b:recv())
    a:send "hello world"
    helper.readable(b)
    assert.equal("hell", b:peek(4))
    assert.equal("h", b:recv(1))
    assert.equal(10, b:pending())
    assert.equal("ello", b:recv(4))
    assert.equal(" world", b:peek())
    assert.same({ n = 3, " world", nil, nil }, helper.pack(b:recvfrom()))
    assert.equal(0, b:pending())
    assert.is_false(b:recv())
    assert.is_false(b:peek())
    assert.is_false(b:recvfrom())
    assert.equal("", b:recv(0) or "")
  end)

  layered("waits for the whole of a record", function()
    local a, b = toy.half()
    local record = toy.record "abc"
    for i = 1, #record - 1 do
      a:send(record:sub(i, i))
      helper.readable(b)
      assert.is_false(b:recv())
    end
    a:send(record:sub(-1))
    helper.readable(b)
    assert.equal("abc", b:recv())
  end)

  layered("joins records, and gives less than the size only where the kernel has no more", function()
    local a, b = toy.half()
    a:send(toy.record "abc" .. toy.record "def" .. toy.record "ghi" .. "\0")
    helper.readable(b)
    assert.equal("abcd", b:recv(4))
    assert.equal("efghi", b:recv(100))
    assert.is_false(b:recv())
  end)

  layered("gives more than 64 KiB at once", function()
    local a, b = toy.pair()
    local data, parts = ("0123456789abcdef"):rep(20000), {}
    local sent, largest = 0, 0
    a:setopt("sndbuf", 1000000)
    b:setopt("rcvbuf", 1000000)
    while sent < #data do sent = sent + (a:send(data, sent + 1) or 0) end
    repeat
      helper.readable(b)
      local part = b:recv(10000000)
      if part then
        parts[#parts + 1], largest = part, math.max(largest, #part)
        sent = sent - #part
      end
      if a:toy() > 0 then a:send "" end
    until sent == 0
    assert.is_true(table.concat(parts) == data)
    assert.is_true(largest > 65536)
  end)

  layered("fills buffers", function()
    local a, b = toy.pair()
    local buffer = lsocket.buffer()
    assert.is_false(buffer:recv(b))
    a:send "one\ntwo\n"
    helper.readable(b)
    assert.equal(1, buffer:recv(b, 1))
    assert.equal(7, b:pending())
    assert.equal(7, buffer:recv(b))
    assert.equal("one", buffer:line())
    assert.equal("two", buffer:line())
    a:close()
    helper.readable(b)
    assert.is_nil(buffer:recv(b))
    b:close()
    fails("EBADF", buffer:recv(b))
  end)

  layered("ends with the goodbye, and fails where the connection ends without it", function()
    local a, b = toy.half()
    a:send(toy.record "abc" .. "\0\0" .. toy.record "not this")
    helper.readable(b)
    assert.equal("abc", b:recv())
    for _ = 1, 2 do assert.same({ n = 1, nil }, helper.pack(b:recv())) end
    a, b = toy.half()
    a:send(toy.record "abc")
    a:close()
    helper.readable(b)
    assert.equal("abc", b:recv(3))
    helper.readable(b)
    for _ = 1, 2 do assert.same(CUT_OFF, helper.pack(b:recv())) end
    assert.is_true(b:shutdown "r")
  end)
end)

describe("sending through a layer", function()
  layered("takes strings, arrays, parts of them, and files", function()
    local a, b = toy.pair()
    local path = helper.file "from a file"
    local file = assert(io.open(path))
    assert.equal(3, a:send "one")
    assert.equal(3, a:send("xtwox", 2, 4))
    assert.equal(6, a:send { "thr", "ee", 1 })
    assert.equal(4, a:send({ "xxfo", "urxx" }, 3, 6))
    assert.is_true(a:sendrest(1, "five"))
    assert.is_true(a:sendrest(3, "xxs", "ix"))
    assert.is_true(a:sendrest(1, { "sev", "en" }))
    assert.is_true(getmetatable(a).__write(a, 1, "eight"))
    assert.is_true(getmetatable(a).__write(a, 1, "ni", "ne"))
    assert.equal(3, a:sendto("ten", "127.0.0.1", 9))
    assert.equal(9, a:sendfile(file, 2))
    assert.equal(0, a:sendfile(file, 100))
    file:close()
    assert.equal(0, a:send "")
    assert.equal(0, a:send {})
    local expected = "onetwothree1fourfivesixseveneightninetenom a file"
    assert.equal(expected, helper.receive(b, #expected))
    fails("EINVAL", getmetatable(a).__write(a, 1, {}, 1))
  end)

  layered("keeps what it has taken in order, however little fits", function()
    local a, b = narrow()
    local sent, got, refused = {}, {}, 0
    for i = 1, 400 do
      local data = ("%d,"):format(i):rep(300)
      local count = a:send(data)
      assert.is_not_nil(count)
      if count then sent[#sent + 1] = data:sub(1, count) else refused = refused + 1 end
      if not count then drain(b, got) end
    end
    while a:toy() > 0 do
      drain(b, got)
      a:send ""
    end
    drain(b, got)
    assert.is_true(refused > 0 and refused < 400)
    assert.is_true(table.concat(got) == table.concat(sent))
  end)

  layered("returns true from sendrest when all has left, and where to go on before", function()
    local a, b = narrow()
    local data, got = ("0123456789"):rep(60000), {}
    local next = 1
    repeat
      local result = a:sendrest(next, data)
      assert.is_true(result == true or result == false or result > next or result == #data + 1)
      next = result or next
      assert.equal(next == true, next == true and a:toy() == 0)
      drain(b, got)
    until next == true
    assert.is_true(table.concat(got) == data)
  end)

  layered("says from where to go on when all is taken and some of it waits", function()
    local a, b = narrow()
    local taken = 0
    while a:toy() == 0 do taken = taken + a:send(("x"):rep(1000)) end
    assert.is_false(a:send "y")
    assert.is_false(a:send { "y", "z" })
    assert.is_false(a:send "")
    assert.is_false(a:sendrest(1, "y"))
    assert.is_false(a:sendrest(2, "y"))
    local got = {}
    repeat
      drain(b, got)
      local done = a:sendrest(2, "y")
    until done
    assert.equal(0, (a:toy()))
    drain(b, got)
    assert.equal(taken, #table.concat(got))
  end)

  layered("sends a file of any size", function()
    local a, b = narrow()
    local data = ("0123456789abcdef"):rep(15000)
    local file = assert(io.open(helper.file(data)))
    local sent, got = 0, {}
    repeat
      local count = a:sendfile(file, sent)
      assert.is_not_nil(count)
      sent = sent + (count or 0)
      drain(b, got)
    until sent == #data and count == 0
    file:close()
    assert.is_true(table.concat(got) == data)
  end)

  layered("fails as the connection does", function()
    local a, b = toy.pair()
    a:send "x"
    helper.readable(b)
    b:close()
    helper.eventually("the reset", function() return a:send "x" == nil end)
    local _, _, name = a:send "x"
    assert.is_true(name == "EPIPE" or name == "ECONNRESET")
  end)
end)

describe("the end of a socket with a layer", function()
  layered("is said by shutdown, which ends one direction alone", function()
    local a, b = toy.pair()
    a:send "question"
    assert.is_true(a:shutdown "w")
    fails("EPIPE", a:send "more")
    assert.equal("question", helper.receive(b, 100))
    assert.is_nil(b:recv())
    b:send "answer"
    assert.is_true(b:shutdown())
    assert.equal("answer", helper.receive(a, 100))
  end)

  layered("waits until what was taken has left", function()
    local a, b = narrow()
    local taken, size = 0, 0
    while a:toy() == 0 do taken = taken + a:send(("x"):rep(10000)) end
    assert.is_false(a:shutdown "w")
    repeat
      helper.readable(b)
      local piece = b:recv()
      size = size + #(piece or "")
      if a:toy() > 0 then a:shutdown "w" end
    until piece == nil
    assert.equal(taken, size)
    assert.is_true(a:shutdown "w")
  end)

  layered("is said by close", function()
    for _, method in ipairs { "close", "__close" } do
      helper.settle()
      local a, b = toy.pair()
      local before = toy.count()
      a:send "bye"
      assert.is_true((a[method] or getmetatable(a)[method])(a))
      assert.equal(before - 1, toy.count())
      assert.is_true(a:close())
      assert.equal("bye", helper.receive(b, 100))
      assert.same({ n = 1, nil }, helper.pack(b:recv()))
      for _, call in ipairs { "recv", "peek", "recvfrom", "handshake", "shutdown" } do fails("EBADF", a[call](a)) end
      fails("EBADF", a:send "x")
      fails("EBADF", a:sendrest(1, "x"))
      fails("EBADF", a:pending())
      b:close()
    end
  end)

  layered("is not said by the collector", function()
    helper.settle()
    local before, far = toy.count(), nil
    leave(function()
      local near
      near, far = toy.pair()
      near:send "x"
    end)
    assert.equal(before + 1, toy.count())
    assert.equal("x", helper.receive(far, 1))
    helper.readable(far)
    assert.same(CUT_OFF, helper.pack(far:recv()))
    far:close()
    assert.equal(before, toy.count())
  end)

  layered("comes with the finalizer, whoever has called it, and leaves a closed socket", function()
    helper.settle()
    local before = toy.count()
    local a, b = toy.pair()
    for _ = 1, 2 do
      getmetatable(a).__gc(a)
      assert.equal(before + 1, toy.count())
      for _, name in ipairs { "recv", "peek", "pending", "handshake", "shutdown", "detach", "info", "accept" } do
        if name ~= "info" then fails("EBADF", a[name](a)) else assert.equal(-1, a:info().fd) end
      end
      fails("EBADF", a:send "x")
      fails("EBADF", a:sendrest(1, "x"))
      fails("EBADF", a:sendfile(0))
      fails("EBADF", lsocket.buffer():recv(a))
      assert.is_true(a:close())
    end
    helper.readable(b)
    assert.same(CUT_OFF, helper.pack(b:recv()))
    b:close()
  end)

  layered("leaves a closed socket to a finalizer that brings it back", function()
    helper.settle()
    local before, box, back = toy.count(), {}, nil
    helper.when_collected(function() back = box[1] end)
    coroutine.wrap(function() box[1] = toy.pair() end)()
    box = setmetatable({ box[1] }, { __mode = "v" })
    helper.eventually("the finalizer", function()
      collectgarbage()
      return toy.count() == before
    end)
    if back then fails("EBADF", back:send "x") end
  end)

  layered("comes for all of them when a program ends", function()
    local output, status = helper.run(helper.command("layers", helper.interpreter))
    assert.equal("ready\n", output)
    assert.equal(0, status)
  end)

  layered("can come while a call is under way", function()
    local a, b
    for _, call in ipairs { function() return b:recv(100000) end, function() return b:send { 1.5, 2.5 } end } do
      a, b = toy.pair()
      for _ = 1, 20 do a:send(("x"):rep(1000)) end
      helper.readable(b)
      helper.when_collected(function() b:close() end)
      local stop, step = helper.tune("pause", 0), helper.tune("stepmul", 10000)
      for _ = 1, 200 do call() end
      helper.tune("pause", stop)
      helper.tune("stepmul", step)
      collectgarbage()
      collectgarbage()
      fails("EBADF", b:recv())
    end
  end)
end)

describe("what would go past a layer", function()
  layered("fails with EOPNOTSUPP", function()
    local a, b = toy.pair "tcp"
    local c = assert(lsocket.pair())
    fails("EOPNOTSUPP", a:detach())
    fails("EOPNOTSUPP", a:setfd(-1))
    fails("EOPNOTSUPP", a:dup())
    fails("EOPNOTSUPP", a:recvmsg())
    fails("EOPNOTSUPP", a:sendmsg { data = "x" })
    fails("EOPNOTSUPP", a:recvfds())
    fails("EOPNOTSUPP", a:sendfds("x", { c }))
    fails("EOPNOTSUPP", c:sendfds("x", { a }))
    fails("EOPNOTSUPP", c:sendfds("x", { c, a }))
    local batch = lsocket.batch(1)
    batch:add "x"
    fails("EOPNOTSUPP", a:recvmany(batch))
    fails("EOPNOTSUPP", a:sendmany(batch))
    fails("EOPNOTSUPP", a:recverr())
    assert.equal(1, a:send "x")
    helper.readable(b)
    assert.equal("x", b:recv())
  end)
end)

describe("a second opening of the library", function()
  layered("has the same layers", function()
    local a, b = toy.pair()
    a:send "hello"
    helper.readable(b)
    assert.equal("h", b:recv(1))
    package.loaded.lsocket = nil
    local again = require "lsocket"
    package.loaded.lsocket = lsocket
    assert.same({ b }, again.select({ b }, 0))
    local poller = assert(again.poller())
    assert(poller:add(b, "r"))
    assert.same({ b }, (poller:wait(0)))
    assert.equal(4, again.buffer():recv(b))
    need.proc(pending)
  end)
end)
