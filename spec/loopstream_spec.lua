-- Streams: what is read, written and waited for. Tasks are in loop_spec.lua, servers in loopserver_spec.lua.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local helper = require "spec.helper"
local inloop = require "spec.inloop"

local fails, raises, pack = helper.fails, helper.raises, helper.pack

-- Runs a function, for no longer than helper.patience, with two streams that are connected to each other.
local function run(fn, options)
  return inloop.run(function()
    local a, b = assert(lsocket.pair())
    return fn(stream.new(a, options), stream.new(b, options))
  end)
end

-- What an iterator gives, without for, whose iterators cannot wait on Lua 5.1.
local function all(iterate, state)
  local items, item = {}, iterate(state)
  while item do
    items[#items + 1] = item
    item = iterate(state, item)
  end
  return items
end

-- Writes the pieces one after the other, each when the loop has nothing else to do.
local function trickle(sink, ...)
  for _, piece in ipairs { ... } do
    assert(sink:write(piece))
    loop.sleep(0.001)
  end
end

describe("stream:read", function()
  it("gives lines, with and without their ends", function()
    run(function(a, b)
      loop.spawn(function()
        trickle(a, "one\ntw", "o\r", "\n\n", "last")
        a:close()
      end)
      assert.equal("one", b:read())
      assert.equal("two\r\n", b:read "L")
      assert.equal("", b:read "*l")
      assert.equal("last", b:read "l")
      assert.same({ n = 1, nil }, pack(b:read "l"))
      assert.same({ n = 1, nil }, pack(b:read "L"))
    end)
  end)

  it("gives so many bytes, fewer at the end", function()
    run(function(a, b)
      loop.spawn(function()
        trickle(a, "ab", "cdef", "gh")
        a:shutdown "w"
      end)
      assert.equal("", b:read(0))
      assert.equal("abc", b:read(3))
      assert.equal("defgh", b:read(1000))
      assert.is_nil(b:read(1))
      assert.equal("", b:read(0))
    end)
  end)

  it("gives everything up to the end", function()
    run(function(a, b)
      local data = ("0123456789"):rep(50000)
      loop.spawn(function()
        a:write(data)
        a:close()
      end)
      assert.equal("0123", b:read(4))
      assert.equal(data:sub(5), b:read "a")
      assert.equal("", b:read "a")
    end)
  end)

  it("takes several formats, and stops at the first that fails", function()
    run(function(a, b)
      a:write "GET /\n12345rest"
      a:close()
      assert.same({ "GET /", "123" }, { b:read("l", 3) })
      assert.same({ n = 2, "45rest", nil }, pack(b:read("l", "l", "l")))
    end)
  end)

  it("raises for other formats", function()
    run(function(_, b)
      for _, odd in ipairs { "n", "x", {}, true, -1, 0.5, 2 ^ 53 } do
        raises("bad argument #1 to 'read'", b.read, b, odd)
      end
    end)
  end)

  it("fails as recv does, once all that had come before is read, and from then on", function()
    run(function(a, b)
      a:write "unfinished"
      b:write "unread, so that closing resets"
      assert.equal("unf", b:read(3))
      a:close()
      assert.equal("inished", b:read "l")
      for _ = 1, 3 do fails("ECONNRESET", b:read "l") end
    end)
  end)

  it("refuses lines that are too long, and keeps them", function()
    run(function(a, b)
      a:write(("x"):rep(100))
      local line, message, name = b:read "l"
      assert.same({ nil, "record too long", "EMSGSIZE" }, { line, message, name })
      assert.equal(100, #b:readsome())
      a:write "short\n"
      assert.equal("short", b:read())
    end, { max = 50 })
  end)
end)

describe("stream:readuntil", function()
  it("gives what stands before a delimiter", function()
    run(function(a, b)
      loop.spawn(function()
        trickle(a, "head\r\n\r", "\nbody--", "-end")
        a:close()
      end)
      assert.equal("head", b:readuntil "\r\n\r\n")
      assert.same({ "body" }, { b:readuntil "---" })
      assert.same({ "end", true }, { b:readuntil "---" }) -- cut off
      assert.is_nil(b:readuntil "---")
    end)
  end)

  it("has a limit of its own", function()
    run(function(a, b)
      a:write "0123456789;"
      local record, message, name = b:readuntil(";", 5)
      assert.same({ nil, "record too long", "EMSGSIZE" }, { record, message, name })
      assert.equal("0123456789", b:readuntil(";", 50))
    end)
  end)
end)

describe("stream:readsome", function()
  it("gives what there is", function()
    run(function(a, b)
      loop.spawn(trickle, a, "one\ntwo", "three")
      assert.equal("one\ntwo", b:readsome())
      assert.equal("th", b:readsome(2))
      assert.equal("ree", b:readsome())
      a:write "line\nrest"
      assert.equal("line", b:read "l")
      assert.equal("re", b:readsome(2))
      assert.equal("st", b:readsome(2))
      a:close()
      assert.same({ n = 1, nil }, pack(b:readsome()))
    end)
  end)
end)

describe("stream:lines", function()
  it("gives each line, to the end", function()
    run(function(a, b)
      a:write "1\n2\n3"
      a:close()
      assert.same({ "1", "2", "3" }, all(b:lines()))
    end)
  end)

  it("takes a format", function()
    run(function(a, b)
      a:write "1\n2345"
      a:close()
      assert.same({ "1\n", "23", "45" }, all(b:lines(2)))
    end)
  end)

  it("takes several formats, and gives them together", function()
    run(function(a, b)
      a:write "key\nvalue\nlast\n"
      a:close()
      local iterate, state = b:lines(2, "l")
      assert.same({ n = 2, "ke", "y" }, pack(iterate(state)))
      assert.same({ n = 2, "va", "lue" }, pack(iterate(state)))
      iterate, state = b:lines(nil, "L")
      assert.same({ n = 2, "last", nil }, pack(iterate(state)))
    end)
  end)
end)

describe("stream:write", function()
  it("takes strings, numbers, several of them, and arrays", function()
    run(function(a, b)
      assert.is_true(a:write "")
      assert.is_true(a:write("a", 1, "b", 2.5))
      assert.is_true(a:write(7))
      assert.is_true(a:write { "x", 8, "y" })
      a:close()
      assert.equal("a1b2.57x8y", b:read "a")
    end)
  end)

  it("raises for what is neither", function()
    run(function(a)
      for _, odd in ipairs { true, print, { true } } do raises("bad argument", a.write, a, odd) end
      raises("#2 to 'write' (string expected, got nil)", a.write, a, "x", nil)
      raises("#1 to 'write' (string expected, got nil)", a.write, a, nil, "x")
    end)
  end)

  it("returns when the kernel has taken it all", function()
    run(function(a, b)
      local data = ("0123456789"):rep(300000)
      local writer = loop.spawn(a.write, a, data)
      local array = loop.spawn(a.write, a, data, "|", data)
      assert.equal(data, b:read(#data))
      assert.is_true(writer:join())
      assert.equal(data .. "|" .. data, b:read(2 * #data + 1))
      assert.is_true(array:join())
    end)
  end)

  it("of several tasks mixes nothing, and lets them write in order", function()
    run(function(a, b)
      local size, expected = 500000, {}
      for i = 1, 5 do
        expected[i] = tostring(i):rep(size)
        loop.spawn(function() assert(a:write(expected[i])) end)
      end
      for i = 1, 5 do assert.equal(expected[i], b:read(size)) end
    end)
  end)

  it("that waits keeps no other task from reading", function()
    run(function(a, b)
      local data = ("x"):rep(3000000)
      local writer = loop.spawn(a.write, a, data)
      loop.sleep(0.001)
      local reader = loop.spawn(a.read, a, "l")
      loop.sleep(0.001)
      b:write "hello\n"
      assert.equal("hello", reader:join())
      b:write "again\n"
      assert.equal("again", a:read())
      assert.equal(data, b:read(#data))
      assert.is_true(writer:join())
    end)
  end)

  it("tells how much was taken when the deadline cuts it off", function()
    run(function(a, b)
      local data = ("0123456789"):rep(300000)
      local ok, message, name, count = loop.deadline(0.01, a.write, a, data)
      assert.same({ nil, "The deadline has passed", "ETIMEDOUT" }, { ok, message, name })
      assert.is_true(count > 0 and count < #data)
      loop.spawn(function()
        assert(a:write(data:sub(count + 1)))
        a:close()
      end)
      assert.equal(data, b:read "a")
    end)
  end)

  it("fails as send does", function()
    run(function(a, b)
      b:close()
      local ok, _, name, count = a:write "x"
      assert.same({ nil, "EPIPE", 0 }, { ok, name, count })
      a:close()
      assert.equal("EBADF", select(3, a:write "x"))
    end)
  end)
end)

describe("a deadline", function()
  it("loses no byte of what is read", function()
    run(function(a, b)
      loop.spawn(trickle, a, "hal", "f a line\n12", "345", "rest")
      local got = {}
      for _, format in ipairs { "l", 5 } do
        local data
        for _ = 1, 10000 do
          data = data or loop.deadline(0.0002, b.read, b, format)
        end
        got[#got + 1] = data
      end
      assert.same({ "half a line", "12345" }, got)
      assert.equal("rest", b:read(4))
    end)
  end)

  it("at any moment of thousands of reads: all bytes are there, in order", function()
    run(function(a, b)
      local count, cut = helper.scale(100000) / 20, 0
      loop.spawn(function()
        for i = 1, count do
          local line = ("%d %s\n"):format(i, ("x"):rep(i % 97))
          local at = i % #line
          a:write(line:sub(1, at))
          if i % 50 == 0 then loop.sleep(0.0005) end
          a:write(line:sub(at + 1))
        end
        a:close()
      end)
      for i = 1, count do
        local line
        for _ = 1, 10000 do
          local answer = pack(loop.deadline((i % 7 + 1) * 0.0001, b.read, b, "l"))
          line = answer[1]
          if answer[3] ~= "ETIMEDOUT" then break end
          cut = cut + 1
        end
        assert.equal(("%d %s"):format(i, ("x"):rep(i % 97)), line)
      end
      assert.is_nil(b:read())
      assert.is_true(cut > 0 or count < 1000) -- few reads, and slow ones, may all be in time
    end)
  end)

  it("at any moment of thousands of writes: each byte arrives once, in order", function()
    run(function(a, b)
      for _, end_ in ipairs { a, b } do
        end_:setopt("sndbuf", 4608)
        end_:setopt("rcvbuf", 4608)
      end
      local count, parts = helper.scale(100000) / 50, 0
      loop.spawn(function()
        for i = 1, count do
          local data, sent = ("%d %s\n"):format(i, ("x"):rep(i * 7919 % 20000)), 0
          while sent < #data do
            local ok, _, name, more = loop.deadline((i % 7) * 0.0001, a.write, a, data:sub(sent + 1))
            if ok then break end
            assert.equal("ETIMEDOUT", name)
            sent, parts = sent + more, parts + (more > 0 and 1 or 0)
          end
        end
        a:close()
      end)
      for i = 1, count do
        if i % 20 == 0 then loop.sleep(0.0005) end
        assert.equal(("%d %s"):format(i, ("x"):rep(i * 7919 % 20000)), b:read())
      end
      assert.is_nil(b:read())
      assert.is_true(parts > 0)
    end)
  end)
end)

describe("a task that has written much without waiting", function()
  it("does not write into the middle of what another one has begun meanwhile", function()
    run(function(a, b)
      local big, got, begun = ("x"):rep(1000000), {}, false
      local function drain() -- makes room, so that whoever writes next need not wait
        loop.sleep(0)
        local data = b:getsocket():recv()
        while data do
          got[#got + 1] = data
          data = b:getsocket():recv()
        end
      end
      local function often()
        repeat a:write "" until begun -- as the others have their turn now and then
        a:write "y"
      end
      local function much()
        begun = true
        a:write(big)
      end
      local first = { loop.spawn(drain), loop.spawn(often), loop.spawn(much) }
      first[1]:join()
      local count = #table.concat(got)
      assert.is_true(count > 0 and count < #big)
      while count < #big + 1 do
        local data = assert(b:readsome())
        got[#got + 1] = data
        count = count + #data
      end
      for _, task in ipairs(first) do task:join() end
      assert.is_true(table.concat(got) == big .. "y")
    end)
  end)
end)

describe("two tasks that read one stream", function()
  it("are an error at once, whatever the second one calls", function()
    run(function(a, b)
      local reader = loop.spawn(b.read, b, "l")
      loop.sleep(0.001)
      a:write "part"
      loop.sleep(0.001)
      for _, call in ipairs { "read", "readsome", "readuntil" } do
        raises("another task is reading from it already", b[call], b, call == "readuntil" and "x" or nil)
      end
      raises("another task is reading from it already", loop.wait, b, "r")
      a:write "ial\n"
      assert.equal("partial", reader:join())
    end)
  end)
end)

describe("waiting for a stream", function()
  it("ends at once while there is something in its buffer, when the others have had their turn", function()
    run(function(a, b)
      a:write "one\ntwo\n"
      assert.equal("one", b:read())
      local others = 0
      loop.spawn(function() others = others + 1 end)
      assert.same({ n = 1, "r" }, pack(loop.wait(b, "r")))
      assert.equal(1, others)
      assert.equal("r", loop.wait(b, "rw", 0))
      assert.equal("w", loop.wait(b, "w"))
      fails("ETIMEDOUT", loop.deadline(0, loop.wait, b, "r"))
      assert.equal("two", b:read())
      assert.is_false(loop.wait(b, "r", 0))
    end)
  end)
end)

describe("stream:close", function()
  it("wakes whoever reads and writes, with ECANCELED", function()
    run(function(a, b)
      local reader = loop.spawn(a.read, a, "l")
      local writer = loop.spawn(a.write, a, ("x"):rep(3000000))
      local second = loop.spawn(a.write, a, "y")
      loop.sleep(0.001)
      assert.is_true(a:close())
      fails("ECANCELED", reader:join())
      local ok, _, name, count = writer:join()
      assert.same({ nil, "ECANCELED" }, { ok, name })
      assert.is_true(count > 0)
      assert.equal("ECANCELED", select(3, second:join()))
      assert.equal("EBADF", select(3, a:read()))
      assert.is_true(a:close())
      assert.equal(-1, a:getfd())
      b:close()
    end)
  end)

  it("of its socket, by somebody else, does so, too", function()
    run(function(a, b)
      local reader = loop.spawn(a.read, a, "l")
      loop.sleep(0.001)
      a:getsocket():close()
      fails("ECANCELED", reader:join())
      b:close()
    end)
  end)
end)

describe("a stream", function()
  it("passes on what the socket tells and takes", function()
    run(function(a, b)
      assert.equal("unix", a:info().family)
      assert.is_true(a:getfd() >= 0)
      assert.is_true(a:setopt("sndbuf", 8192))
      assert.is_true(a:getopt "sndbuf" >= 8192)
      assert.truthy(tostring(a):find "^stream: socket: ")
      a:write "x"
      assert.is_true(a:shutdown "w")
      assert.equal("x", b:read "a")
    end)
  end)

  it("that is dropped closes its socket, though it was waited for", function()
    run(function(a, b)
      a:write "one"
      assert.equal("one", b:readsome())
      loop.sleep(0.001)
      assert.is_number(b:getfd())
      b = nil -- luacheck: ignore 311
      local ok, _, name
      repeat -- until no forgotten register holds it any more
        helper.settle()
        ok, _, name = a:write "x"
      until not ok or not loop.sleep(0.001)
      assert.equal("EPIPE", name)
    end)
  end)

  it("that has been waited for outlives its loop: the next one waits for it, or it is closed between them", function()
    local a, b
    run(function(one, two)
      a, b = one, two
      loop.spawn(b.write, b, "first\n")
      assert.equal("first", a:read())
    end)
    loop.run(loop.deadline, helper.patience, function()
      loop.spawn(b.write, b, "second\n")
      assert.equal("second", a:read())
    end)
    assert.is_true(a:close())
    assert.is_true(b:close())
  end)

  it("that always has something to read lets the others have their turn", function()
    run(function(a, b)
      local data, done = ("x"):rep(100), false
      local writer = loop.spawn(function()
        while not done do a:write(data) end
        a:close()
      end)
      local turns = inloop.turns_during(function()
        local enough = loop.now() + 0.05
        repeat until loop.now() > enough or not b:readsome(10)
      end)
      done = true
      while b:readsome() do end
      writer:join()
      assert.is_true(turns > 10, turns .. " turns")
    end)
  end)
end)
