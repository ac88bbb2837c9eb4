-- How a stream ends: what every way to read gives at the end, after a reset and after a wait that was cut off, and what
-- tells afterwards how it was. Over a unix domain pair and over tcp.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local helper = require "spec.helper"
local inloop = require "spec.inloop"

local fails, pack = helper.fails, helper.pack
local run = inloop.run

-- The end of the stream tells that a record is cut off, by true behind it.
local function read_record(s)
  local record, cut, name = s:readuntil "\n"
  if not record then return record, cut, name end
  assert.equal(record == "half" or nil, cut)
  return record
end

-- Ways to read, and what they give of "one\nhalf".
local ways = {
  { 'read "l"', function(s) return s:read "l" end, { "one", "half" } },
  { 'read "L"', function(s) return s:read "L" end, { "one\n", "half" } },
  { "read(3)", function(s) return s:read(3) end, { "one", "\nha", "lf" } },
  { "read(100)", function(s) return s:read(100) end, { "one\nhalf" } },
  { 'read("l", 4)', function(s) return s:read("l", 4) end, { "one" } },
  { "readsome", function(s) return s:readsome() end, { "one\nhalf" } },
  { "readsome(5)", function(s) return s:readsome(5) end, { "one\nh", "alf" } },
  { "readuntil", read_record, { "one", "half" } },
  { "lines", function(s)
    local iterate, state = s:lines()
    return iterate(state)
  end, { "one", "half" } },
  { "lines(4)", function(s) return s:lines(4)() end, { "one\n", "half" } },
}

local function check_end(s, read)
  for _ = 1, 3 do assert.same({ nil }, { read(s) }) end
  assert.same({ n = 1, true }, pack(s:status()))
end

local function check_reset(s, read)
  for _ = 1, 3 do
    local data, message, name = read(s)
    assert.same({ nil, helper.texts.ECONNRESET, "ECONNRESET" }, { data, message, name })
  end
  fails("ECONNRESET", s:status())
end

for kind, connect in pairs { unix = function() return assert(lsocket.pair()) end, tcp = helper.tcp } do
  -- A stream to which "one\nhalf" comes, then the end or a reset.
  local function ending(reset)
    local near, far = connect()
    if reset then
      near:send "unread, so that closing resets"
      helper.readable(far)
    end
    far:send "one\nhalf"
    helper.readable(near)
    far:close()
    return stream.new(near)
  end

  describe("a " .. kind .. " stream", function()
    for _, way in ipairs(ways) do
      local name, read, expected = way[1], way[2], way[3]

      for reset, check in pairs { [false] = check_end, [true] = check_reset } do
        it((reset and "that was reset" or "that has ended") .. " gives what is left, then that: " .. name, function()
          run(function()
            local s = ending(reset)
            for _, data in ipairs(expected) do assert.equal(data, (read(s))) end
            check(s, read)
            s:close()
          end)
        end)
      end
    end

    it('that was reset gives read "a" the failure, and what is left otherwise', function()
      run(function()
        local s = ending(true)
        fails("ECONNRESET", s:read "a")
        fails("ECONNRESET", s:read "a")
        assert.equal("one", s:read())
        fails("ECONNRESET", s:read "a")
        assert.equal("half", s:read())
        check_reset(s, s.read)
      end)
    end)

    it("that has ended gives read \"a\" everything, then nothing", function()
      run(function()
        local s = ending(false)
        assert.equal("one\nhalf", s:read "a")
        for _ = 1, 2 do assert.same({ n = 1, "" }, pack(s:read "a")) end
        check_end(s, s.read)
      end)
    end)

    it("gives an empty record at once, whatever has come", function()
      run(function()
        local near, far = connect()
        local s = stream.new(near)
        assert.same({ n = 1, "" }, pack(loop.deadline(0.5, s.read, s, 0)))
        assert.same({ n = 2, "", "" }, pack(loop.deadline(0.5, s.read, s, 0, 0)))
        far:send "x\nyz"
        assert.same({ n = 3, "x", "", "y" }, pack(s:read("l", 0, 1)))
        assert.equal("", s:read(0))
        assert.equal("z", s:read(1))
        far:close()
        assert.equal("", s:read(0))
        assert.same({ n = 1, nil }, pack(s:read(1)))
        assert.equal("", s:read(0))
      end)
    end)

    it("reads records whose lengths come before them, empty ones, too", function()
      run(function()
        local near, far = connect()
        local s = stream.new(near)
        far:send "0\n3\nabc0\n1\nx"
        local records = {}
        for i = 1, 4 do records[i] = loop.deadline(1, s.read, s, tonumber(s:read())) end
        assert.same({ "", "abc", "", "x" }, records)
        far:close()
      end)
    end)

    it("tells that lines() ended by a deadline or a cancel, and goes on", function()
      run(function()
        local near, far = connect()
        local s = stream.new(near)
        far:send "one\nhalf"
        local iterate, state = s:lines()
        assert.equal("one", iterate(state))
        fails("ETIMEDOUT", loop.deadline(0.001, iterate, state))
        fails("ETIMEDOUT", s:status())
        local task = loop.spawn(function() return s:lines(10)() end)
        loop.sleep(0.001)
        task:cancel()
        fails("ECANCELED", task:join())
        fails("ECANCELED", s:status())
        far:send "!\n"
        assert.equal("half!", iterate(state))
        far:close()
        assert.is_nil(iterate(state))
        assert.is_true(s:status())
      end)
    end)

    it("gives a wait that was cut off at once, and keeps what had come", function()
      run(function()
        local near, far = connect()
        local s = stream.new(near)
        far:send "half"
        for _, way in ipairs { { s.read, "l" }, { s.read, 10 }, { s.read, "a" }, { s.readuntil, ";" } } do
          fails("ETIMEDOUT", loop.deadline(0.001, way[1], s, way[2]))
        end
        assert.is_true(s:status())
        assert.equal("half", s:readsome())
        far:close()
      end)
    end)

    it("gives a line that is too long as often as it is read, and tells it after lines()", function()
      run(function()
        local near, far = connect()
        local s = stream.new(near, { max = 4 })
        far:send "12345678\n"
        for _ = 1, 2 do assert.equal("EMSGSIZE", select(3, s:read())) end
        assert.is_nil((s:lines("l")()))
        assert.equal("EMSGSIZE", select(3, s:status()))
        assert.equal("12345678\n", s:readsome())
        far:close()
        assert.is_nil(s:read())
      end)
    end)
  end)
end

describe("a failure that a write has met", function()
  it("is what a reader finds behind what had come", function()
    run(function()
      local near, far = helper.tcp()
      local s = stream.new(near)
      far:send "half"
      helper.readable(near)
      assert(s:write "unread")
      helper.readable(far)
      far:close()
      local ok, _, name
      repeat ok, _, name = s:write "x" until not ok or not loop.sleep(0.001)
      assert.truthy(name == "ECONNRESET" or name == "EPIPE")
      assert.equal("half", s:read())
      fails("ECONNRESET", s:read())
      fails("ECONNRESET", s:read())
      fails("ECONNRESET", s:status())
    end)
  end)
end)
