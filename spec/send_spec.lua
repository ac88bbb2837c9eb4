-- The forms of sending that a plain send(string) is not: a part of a string, an array of strings, pieces, a file.
-- What a plain send does is in stream_spec, datagram_spec and unix_spec.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"

local fails, raises, need, pack = helper.fails, helper.raises, helper.need, helper.pack
local unpack = table.unpack or unpack -- luacheck: ignore 143

after_each(helper.remove_paths)

-- ---- connected sockets of every kind: near, far ----

local function udp()
  local far, port = helper.bind("udp", "127.0.0.1", 0)
  return assert(lsocket.connect("udp", "127.0.0.1", port)), far
end

local function unix_stream()
  local path = helper.path()
  return helper.connect_to(assert(lsocket.bind(path)), path)
end

local function unix_datagrams()
  local path = helper.path()
  local far = assert(lsocket.bind("udp", path))
  return assert(lsocket.connect("udp", path)), far
end

local streams = { tcp = helper.tcp, unix = unix_stream }
local datagrams = { udp = udp, unix = unix_datagrams }

-- ---- moving much ----

-- Calls send(first), which sends from that byte on, until total bytes have come; answers them.
local function transfer(near, far, total, send)
  local sent, received, pieces = 0, 0, {}
  while received < total do
    local _, writable = lsocket.select({ far }, sent < total and { near } or {}, helper.patience)
    assert(writable, "time is up")
    if writable[1] then
      local count, message = send(sent + 1)
      assert(count ~= nil, message)
      sent = sent + (count or 0)
    end
    local piece = far:recv(1000000)
    assert(piece ~= nil, "the stream has ended")
    if piece then
      pieces[#pieces + 1] = piece
      received = received + #piece
    end
  end
  assert.equal(total, sent)
  return table.concat(pieces)
end

-- Distinct strings, of lengths from low to high; filled with the number, as Lua 5.1 hashes but some of the bytes.
local function strings(count, low, high)
  local list = {}
  for i = 1, count do
    local text, length = i .. ";", low + i * 7919 % (high - low + 1)
    list[i] = text:rep(math.ceil(length / #text)):sub(1, length)
  end
  return list
end

-- Places to begin and end at, around the borders of a text of so many bytes.
local function places(length)
  local list = { false, 0, 1, 2, -1, -2, length, length + 1, -length, -length - 1, 1000, -1000, 2 ^ 53, -2 ^ 53, 1e300 }
  list[#list + 1] = math.floor(length / 2)
  return list
end

-- string.sub, whose own places end at 2^63, and which takes no nil.
local function part(text, first, last)
  local function near(place) return math.max(-2000, math.min(2000, place)) end
  return text:sub(near(first or 1), near(last or -1))
end

describe("a part of a string", function()
  it("is sent as string.sub would cut it", function()
    local near, far = udp()
    for _, text in ipairs { "", "a", "hello, world" } do
      for _, first in ipairs(places(#text)) do
        for _, last in ipairs(places(#text)) do
          local wanted = part(text, first, last)
          assert.equal(#wanted, near:send(text, first or nil, last or nil))
          assert.equal(wanted, helper.readable(far):recv())
        end
      end
    end
  end)

  it("may be a part of a number, and have its places as strings", function()
    local near, far = udp()
    assert.equal(2, near:send(12345, 2, "3"))
    assert.equal("23", helper.readable(far):recv())
    assert.equal(4, near:send("12345", "2"))
    assert.equal("2345", helper.readable(far):recv())
  end)

  for kind, connect in pairs(streams) do
    it("resumes what was sent in part, over " .. kind, function()
      local near, far = connect()
      local text = table.concat(strings(helper.scale(40000), 50, 100))
      assert.is_true(text == transfer(near, far, #text, function(first) return near:send(text, first) end))
      assert.equal(0, near:send(text, #text + 1))
      assert.is_false(helper.is_readable(far))
    end)
  end

  it("makes no string", function()
    local near, far = helper.tcp()
    local text = ("x"):rep(1000000)
    collectgarbage()
    collectgarbage "stop"
    local before = collectgarbage "count"
    for first = 1, 900001, 100000 do near:send(text, first) end
    local after = collectgarbage "count"
    collectgarbage "restart"
    assert.is_true(after - before < 10, after - before)
    assert.is_true(#helper.receive(far, 10) > 0)
  end)

  it("needs places that are integers", function()
    local near = helper.tcp()
    for _, place in ipairs { 0 / 0, 1 / 0, -1 / 0, 1.5, -0.5, "x", "1.5", true, {} } do
      for _, data in ipairs { "data", { "data" } } do
        raises("bad argument #2 to 'send'", function() near:send(data, place) end)
        raises("bad argument #3 to 'send'", function() near:send(data, 1, place) end)
      end
    end
    raises("first must be an integer", near.send, near, "data", 1.5)
    raises("last must be an integer", near.send, near, "data", 1, 1.5)
  end)
end)

-- How many strings, of how many bytes.
local kinds_of_arrays = { { 100000, 1, 16 }, { 20000, 60, 70 }, { 5000, 1, 200 }, { 3000, 200, 2000 }, { 3, 1e6, 1e6 } }

describe("an array of strings", function()
  local mixed = { "", "one ", 2, "", " and a long one ", ("x"):rep(100), 1.5, "", -3, " end", "" }
  local joined = table.concat(mixed)

  for kind, connect in pairs(datagrams) do
    it("is one datagram, over " .. kind, function()
      local near, far = connect()
      assert.equal(#joined, near:send(mixed))
      assert.same({ n = 1, joined }, pack(helper.readable(far):recv()))
      for _, empty in ipairs { {}, { "" }, { "", "" } } do
        assert.equal(0, near:send(empty))
        assert.equal("", helper.readable(far):recv())
      end
    end)

    it("is one datagram, of however many strings, over " .. kind, function()
      local near, far = connect()
      local most = kind == "udp" and 65000 or 150000
      for _, length in ipairs { 1, 10, 64, 65, 100, 1000 } do
        for _, count in ipairs { 999, 1000, 1001, 1024, 1025, 3000, math.floor(most / length) } do
          if count * length <= most then
            local list = {}
            for i = 1, count do list[i] = string.char(i % 256):rep(length) end
            local whole = table.concat(list)
            assert.equal(#whole, near:send(list))
            assert.is_true(whole == helper.readable(far):recv(200000))
            assert.equal(#whole - 7, near:send(list, 5, -4))
            assert.is_true(whole:sub(5, -4) == helper.readable(far):recv(200000))
          end
        end
      end
    end)

    it("is too long for a datagram or goes whole, over " .. kind, function()
      local near, far = connect()
      fails("EMSGSIZE", near:send { ("x"):rep(1000000), "x" })
      fails("EMSGSIZE", near:send(strings(100000, 10, 10)))
      assert.is_false(helper.is_readable(far))
    end)
  end

  it("is cut as string.sub would cut what it has", function()
    local near, far = udp()
    for _, first in ipairs(places(#joined)) do
      for _, last in ipairs(places(#joined)) do
        local wanted = part(joined, first, last)
        assert.equal(#wanted, near:send(mixed, first or nil, last or nil))
        assert.equal(wanted, helper.readable(far):recv())
      end
    end
  end)

  it("ends at its first nil", function()
    local near, far = udp()
    assert.equal(1, near:send { "a", nil, "c" })
    assert.equal("a", helper.readable(far):recv())
    assert.equal(0, near:send { nil, "b" })
    assert.equal("", helper.readable(far):recv())
  end)

  it("is read without metamethods", function()
    local near, far = udp()
    local function never() error "called" end
    local list = setmetatable({ "a", "b" }, { __index = never, __len = never, __concat = never, __tostring = never })
    assert.equal(2, near:send(list))
    assert.equal("ab", helper.readable(far):recv())
  end)

  for kind, connect in pairs(streams) do
    for _, row in ipairs(kinds_of_arrays) do
      local count, low, high = row[1], row[2], row[3]
      it(("of %d strings of %d to %d bytes arrives, over %s"):format(count, low, high, kind), function()
        local near, far = connect()
        local list = strings(helper.scale(count), low, high)
        local whole = table.concat(list)
        assert.is_true(whole == transfer(near, far, #whole, function(first) return near:send(list, first) end))
        assert.equal(0, near:send(list, #whole + 1))
        assert.equal(1, near:send(list, -1))
        assert.equal(whole:sub(-1), helper.receive(far, 1))
      end)
    end

    it("answers how much was taken, then false, over " .. kind, function()
      local near, far = connect()
      local list = strings(5000, 5000, 6000)
      local count = near:send(list)
      assert.is_true(count > 0 and count < 5000 * 5000)
      helper.fill(near)
      helper.eventually("a full stream", function()
        return near:send(list, count + 1) == false and near:send { "x" } == false
      end)
      far:close()
    end)

    it("breaks where the other end has closed, over " .. kind, function()
      local near, far = connect()
      far:close()
      local list, message, name = strings(3000, 100, 100), nil, nil
      helper.eventually("a broken pipe", function()
        local count
        count, message, name = near:send(list)
        return count == nil and name == "EPIPE"
      end)
      assert.equal("Broken pipe", message)
      fails("EPIPE", near:send(list))
    end)
  end

  it("takes numbers as their text, however many", function()
    local near, far = unix_stream()
    local list = {}
    for i = 1, helper.scale(50000) do list[i] = i % 3 == 0 and i or i % 3 == 1 and i / 4 or "text " .. i .. "," end
    local whole = table.concat(list)
    assert.is_true(whole == transfer(near, far, #whole, function(first) return near:send(list, first) end))
    assert.equal("number", type(list[3]))
  end)

  it("may be emptied by a finalizer that the collector runs in mid-call", function()
    local near, far = unix_stream()
    local list, sending
    local function clear()
      if not sending then return end
      for i = #list, 1, -1 do list[i] = nil end
      collectgarbage()
    end
    for _ = 1, 20 do
      list, sending = strings(200, 100, 200), false
      for i = 201, 5000 do list[i] = i + 0.5 end -- which become strings and garbage, in the same system call
      local whole = table.concat(list)
      local pause, factor = helper.tune("pause", 1), helper.tune("stepmul", 1000)
      collectgarbage() -- from here on it never rests
      helper.when_collected(clear)
      sending = true
      local count = near:send(list) or 0
      helper.tune("pause", pause)
      helper.tune("stepmul", factor)
      assert.is_true(whole:sub(1, count) == (count == 0 and "" or helper.receive(far, count)))
    end
  end)

  it("makes no string of its own", function()
    local near, far = helper.tcp()
    for _, length in ipairs { 16, 100 } do
      local list = strings(helper.scale(100000), length, length)
      near:send(list) -- which makes room on the stack
      collectgarbage()
      collectgarbage "stop"
      local before, count = collectgarbage "count", nil
      for first = 1, 5 do count = near:send(list, first) or count end
      local after = collectgarbage "count"
      collectgarbage "restart"
      assert.is_true(after - before < 50, after - before)
      while far:recv() do end -- luacheck: ignore
    end
  end)

  it("names the element that is no string", function()
    for _, connect in ipairs { helper.tcp, udp } do
      local near, far = connect()
      for _, wrong in ipairs { true, false, {}, print, near, coroutine.create(function() end) } do
        raises("bad argument #1 to 'send' (element 3: string expected, got " .. type(wrong) .. ")",
          function() near:send { "a", 1, wrong, "b" } end)
        raises("element 1: string expected, got " .. type(wrong), near.send, near, { wrong })
        assert.is_false(helper.is_readable(far, 0))
        assert.equal(1, near:send({ "a", wrong }, 1, 1)) -- what is not sent is not looked at
        assert.equal("a", helper.readable(far):recv())
      end
    end
  end)

  it("names it, too, where it is far behind or positions count from the end", function()
    local list = strings(2000, 10, 10)
    list[1999] = false
    for _, connect in ipairs { helper.tcp, udp } do
      local near, far = connect()
      raises("element 1999: string expected, got boolean", near.send, near, list, -1)
      raises("element 1999: string expected, got boolean", near.send, near, list, 1, -2)
      if connect == udp then raises("element 1999: string expected, got boolean", near.send, near, list) end
      assert.is_false(helper.is_readable(far, 0))
    end
  end)

  it("takes little memory where it is short, in each of many coroutines", function()
    local near, far = udp()
    local list, threads = { ("x"):rep(100), ("y"):rep(100) }, {}
    local function send() coroutine.yield(near:send(list)) end
    local function wait() coroutine.yield(#list) end
    local function cost(run)
      collectgarbage()
      local before = collectgarbage "count"
      for i = 1, 100 do
        threads[i] = coroutine.create(run)
        assert(coroutine.resume(threads[i]))
      end
      return collectgarbage "count" - before
    end
    cost(wait)
    local plain = cost(wait)
    assert.is_true(cost(send) - plain < 100)
    assert.equal(200, #helper.readable(far):recv())
  end)

  it("tells what was sent before it tells of a wrong element", function()
    local near, far = unix_stream()
    local list = strings(2000, 65, 65)
    list[1500] = false
    local count = near:send(list)
    assert.equal(1499 * 65, count)
    assert.is_true(table.concat(list, "", 1, 1499) == helper.receive(far, count))
    raises("element 1500: string expected, got boolean", near.send, near, list, count + 1)
  end)

  it("goes nowhere on a closed socket", function()
    local near = helper.tcp()
    near:close()
    fails("EBADF", near:send { "a" })
    fails("EBADF", near:send {})
    fails("EBADF", near:send("abc", 2))
    fails("EBADF", near:sendfile(0))
    fails("EBADF", near:peek())
  end)

  it("fails as a string does where there is nobody to send to", function()
    fails("EDESTADDRREQ", (helper.bind("udp", "127.0.0.1", 0)):send { "a" })
    fails("EPIPE", (helper.bind("127.0.0.1", 0)):send { "a" })
  end)
end)

-- ---- several pieces ----

describe("what is left of several pieces", function()
  local long = ("x"):rep(1000)
  local forms = { -- each the same bytes
    { "head", 12.5, long, "", -3 }, { { "head", 12.5, long, "", -3 } }, { "head12.5" .. long .. "-3" },
    { "", "head12.5", long .. "-3" },
  }
  local whole = forms[3][1]

  for kind, connect in pairs(datagrams) do
    it("is one datagram, from any byte on, over " .. kind, function()
      local near, far = connect()
      for _, form in ipairs(forms) do
        for _, first in ipairs { 1, 2, 5, 9, 500, #whole, #whole + 1, 2 ^ 40 } do
          assert.same({ n = 1, true }, pack(near:sendrest(first, unpack(form))))
          assert.equal(whole:sub(math.min(first, #whole + 1)), helper.readable(far):recv())
        end
      end
      assert.is_true(near:sendrest(1, 42))
      assert.equal("42", helper.readable(far):recv())
      for _, empty in ipairs { "", {}, { "" } } do
        assert.is_true(near:sendrest(1, empty))
        assert.equal("", helper.readable(far):recv())
      end
      fails("EMSGSIZE", near:sendrest(1, ("x"):rep(300000)))
    end)
  end

  for kind, connect in pairs(streams) do
    it("is resumed until it is true, over " .. kind, function()
      local near, far = connect()
      local big = table.concat(strings(helper.scale(40000), 50, 100))
      for _, form in ipairs { { big }, { "a", big, "z" }, { { "a", big, "z" } } } do
        local text = type(form[1]) == "table" and table.concat(form[1]) or table.concat(form)
        local whole_taken = false
        local received = transfer(near, far, #text, function(first)
          local next, message = near:sendrest(first, unpack(form))
          whole_taken = next == true
          if not next then return next, message end
          return (whole_taken and #text + 1 or next) - first
        end)
        assert.is_true(text == received)
        assert.is_true(whole_taken)
      end
    end)

    it("waits where there is no room, over " .. kind, function()
      local near, far = connect()
      helper.eventually("a full stream", function()
        local room = near:send(long)
        while near:send(long) do end
        return not room
      end)
      assert.same({ n = 1, false }, pack(near:sendrest(1, "a")))
      assert.same({ n = 1, false }, pack(near:sendrest(2, "ab")))
      assert.same({ n = 1, false }, pack(near:sendrest(1, "a", "b")))
      far:close()
      local name
      helper.eventually("the end", function()
        name = select(3, near:sendrest(1, "a"))
        return name
      end)
      assert.is_true(name == "EPIPE" or name == "ECONNRESET", name)
      fails("EPIPE", near:sendrest(1, "a", "b"))
    end)
  end

  it("raises for a piece of another kind before anything is sent", function()
    local near, far = helper.tcp()
    for _, wrong in ipairs { true, print, {}, near } do
      raises("bad argument #3 to 'sendrest' (piece 2: string expected, got " .. type(wrong),
        function() near:sendrest(1, "x", wrong) end)
    end
    raises("bad argument #2 to 'sendrest' (piece 1: string expected, got nil)", function() near:sendrest(1, nil) end)
    raises("piece 2: string expected, got nil", near.sendrest, near, 1, "x", nil)
    raises("piece 1: string expected, got no value", near.sendrest, near, 1)
    raises("element 2: string expected, got boolean", near.sendrest, near, 1, { "x", true })
    for _, place in ipairs { 0, -1, 1.5, 0 / 0, "x", {} } do
      raises("bad argument #1 to 'sendrest'", function() near:sendrest(place, "data") end)
    end
    raises("first must be from 1 on", near.sendrest, near, 0, "x")
    assert.is_false(helper.is_readable(far))
  end)
end)

-- ---- files ----

-- A new file with this in it, open for reading and writing.
local function file_of(text)
  local file = assert(io.open(helper.path(), "w+"))
  file:write(text)
  file:flush()
  return file
end

describe("a file", function()
  local near, far

  before_each(function() near, far = helper.tcp() end)

  it("is sent whole, and its own position neither used nor moved", function()
    local file = file_of "0123456789"
    file:seek("set", 3)
    assert.equal(10, near:sendfile(file))
    assert.equal("0123456789", helper.receive(far, 10))
    assert.equal("3456", file:read(4))
    assert.equal(10, near:sendfile(file))
    assert.equal("789", file:read "*a")
    assert.equal("0123456789", helper.receive(far, 10))
  end)

  it("is sent in part", function()
    local file = file_of "0123456789"
    for _, row in ipairs { { "3456789", 3 }, { "34", 3, 2 }, { "0", 0, 1 }, { "9", 9, 100 }, { "89", "8", "2" },
      { "123456789", 1, 2 ^ 53 }, { "01", nil, 2 } } do
      assert.equal(#row[1], near:sendfile(file, row[2], row[3]))
      assert.equal(row[1], helper.receive(far, #row[1]))
    end
  end)

  it("gives 0 at its end, and for a count of 0", function()
    local file = file_of "0123456789"
    assert.same({ n = 1, 0 }, pack(near:sendfile(file, 10)))
    assert.same({ n = 1, 0 }, pack(near:sendfile(file, 11)))
    assert.same({ n = 1, 0 }, pack(near:sendfile(file, 2 ^ 40, 5)))
    assert.same({ n = 1, 0 }, pack(near:sendfile(file, 3, 0)))
    assert.same({ n = 1, 0 }, pack(near:sendfile(file_of "")))
    assert.is_false(helper.is_readable(far))
  end)

  it("has what was written and flushed since", function()
    local file = file_of "old"
    file:seek "end"
    file:write " and new"
    file:flush()
    assert.equal(11, near:sendfile(file))
    assert.equal("old and new", helper.receive(far, 11))
  end)

  it("may be a descriptor", function()
    need.proc(pending)
    local path = helper.path()
    local file, fd = process.open(io.open, path, "w+")
    file:write "by number"
    file:flush()
    assert.equal(9, near:sendfile(fd))
    assert.equal("by number", helper.receive(far, 9))
    fails("EBADF", near:sendfile(2 ^ 31 - 1))
  end)

  for kind, connect in pairs(streams) do
    it("of 20 MB arrives intact, over " .. kind, function()
      near, far = connect()
      local whole = table.concat(strings(helper.scale(200000), 100, 110))
      local file = file_of(whole)
      local received = transfer(near, far, #whole, function(first) return near:sendfile(file, first - 1) end)
      assert.is_true(whole == received)
    end)

    it("finds a full stream, over " .. kind, function()
      near, far = connect()
      local file = file_of(("x"):rep(10000))
      helper.fill(near)
      helper.eventually("a full stream", function() return near:sendfile(file) == false end)
    end)

    it("finds that the other end has closed, over " .. kind, function()
      near, far = connect()
      local file = file_of(("x"):rep(1000))
      far:close()
      local name
      helper.eventually("a broken pipe", function()
        name = select(3, near:sendfile(file))
        return name == "EPIPE"
      end)
      fails("EPIPE", near:sendfile(file))
    end)
  end

  it("that is closed raises", function()
    local file = file_of "data"
    file:close()
    raises("bad argument #1 to 'sendfile' (the file is closed)", function() near:sendfile(file) end)
  end)

  it("must be one, and of bytes that there can be", function()
    local file = file_of "data"
    for _, wrong in ipairs { "path", "1", {}, true, near, print } do
      raises("bad argument #1 to 'sendfile' (file or descriptor expected, got " .. type(wrong),
        function() near:sendfile(wrong) end)
    end
    raises("file or descriptor expected, got nil", near.sendfile, near, nil)
    for _, number in ipairs { -1, 1.5, 2 ^ 53 + 2, 1e300, 1 / 0, 0 / 0 } do
      raises("bad argument #1 to 'sendfile'", function() near:sendfile(number) end)
      raises("bad argument #2 to 'sendfile' (offset must be", function() near:sendfile(file, number) end)
      raises("bad argument #3 to 'sendfile' (count must be", function() near:sendfile(file, 0, number) end)
    end
  end)

  it("cannot be a pipe, a folder or a socket", function()
    local pipe = io.popen "echo data"
    fails("ESPIPE", near:sendfile(pipe))
    pipe:close()
    fails("EISDIR", near:sendfile(assert(io.open "/")))
    fails("ESPIPE", near:sendfile(far:getfd()))
  end)

  it("goes over streams only", function()
    local file = file_of "data"
    for _, connect in pairs(datagrams) do
      fails("EOPNOTSUPP", (connect()):sendfile(file))
    end
  end)
end)
