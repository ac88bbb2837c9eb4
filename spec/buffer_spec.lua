-- lsocket.buffer: bytes in, lines and records out. Wrong arguments: value_spec.lua. 100 MB of lines: tools/check.
local lsocket = require "lsocket"
local helper = require "spec.helper"

local fails, raises, need, pack = helper.fails, helper.raises, helper.need, helper.pack

-- A buffer without a limit that holds this.
local function holding(data, max)
  local buffer = lsocket.buffer(max)
  assert.is_true(buffer:append(data))
  return buffer
end

local function too_long(...)
  local results = pack(...)
  assert.same({ n = 3, nil, "record too long", "EMSGSIZE" }, results)
end

-- All that a method gives until it gives nothing more.
local function all(buffer, method, ...)
  local list = {}
  while true do
    local record = buffer[method](buffer, ...)
    if not record then return list end
    list[#list + 1] = record
  end
end

describe("a buffer", function()
  it("is empty at first, and tells how many bytes it holds", function()
    local buffer = lsocket.buffer()
    assert.equal(0, #buffer)
    assert.same({ n = 1, true }, pack(buffer:append "abc"))
    assert.is_true(buffer:append(12))
    assert.is_true(buffer:append "")
    assert.equal(5, #buffer)
    assert.equal("abc12", buffer:some())
    assert.equal(0, #buffer)
    assert.truthy(tostring(buffer):find "^buffer: ")
  end)

  it("forgets everything when it is cleared", function()
    local buffer = holding "one\ntwo"
    assert.same({ n = 1, true }, pack(buffer:clear()))
    assert.equal(0, #buffer)
    assert.is_false(buffer:line())
    buffer:append "three\n"
    assert.equal("three", buffer:line())
  end)

  it("keeps any bytes as they are", function()
    local bytes = {}
    for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
    local data = table.concat(bytes):rep(100)
    assert.equal(data, holding(data):some())
  end)

  it("takes nothing more when it was finalized by hand", function()
    local buffer = holding "data\n"
    getmetatable(buffer).__gc(buffer)
    assert.equal(0, #buffer)
    assert.is_false(buffer:line())
    fails("EBADF", buffer:append "more")
    fails("EBADF", buffer:recv((lsocket.pair())))
    getmetatable(buffer).__gc(buffer)
  end)
end)

describe("buffer:line", function()
  it("gives lines without their end, which is LF or CR LF", function()
    local buffer = holding "one\ntwo\r\n\n\r\n a\rb \r\r\nrest"
    assert.same({ "one", "two", "", "", " a\rb \r" }, all(buffer, "line"))
    assert.same({ n = 1, false }, pack(buffer:line()))
    assert.equal(4, #buffer)
    buffer:append "\n"
    assert.equal("rest", buffer:line())
    assert.is_false(buffer:line())
  end)

  it("gives them with their end where it is to be kept", function()
    assert.same({ "one\n", "two\r\n", "\n" }, all(holding "one\ntwo\r\n\nrest", "line", true))
  end)

  it("takes a CR and an LF that came apart for one end", function()
    local buffer = holding "line\r"
    assert.is_false(buffer:line())
    buffer:append "\n"
    assert.equal("line", buffer:line())
  end)
end)

describe("buffer:lines", function()
  local function collected(...)
    local list = {}
    for line in ... do list[#list + 1] = line end
    return list
  end

  it("goes through the lines that are there, and leaves the rest", function()
    local buffer = holding "one\ntwo\r\n\nrest"
    assert.same({ "one", "two", "" }, collected(buffer:lines()))
    assert.equal(4, #buffer)
    assert.same({}, collected(buffer:lines()))
    buffer:append "\nlast\r\n"
    assert.same({ "rest\n", "last\r\n" }, collected(buffer:lines(true)))
    assert.equal(0, #buffer)
  end)

  it("takes each line when it gives it, so that a loop can be left", function()
    local buffer = holding "one\ntwo\nthree\n"
    local next_line, state = buffer:lines()
    assert.equal("one", next_line(state)) -- as a loop does that is left at once
    assert.equal("two", buffer:line())
    for line in buffer:lines() do
      assert.equal("three", line)
      buffer:append "four"
    end
    assert.equal("four", buffer:some())
  end)

  it("ends before a line that is too long, which line then tells", function()
    local buffer = holding("abc\nabcd\n", 3)
    assert.same({ "abc" }, collected(buffer:lines()))
    too_long(buffer:line())
    local iterator, state = buffer:lines()
    too_long(iterator(state))
    assert.equal("abcd\n", buffer:some())
    assert.same({ n = 1, nil }, pack(iterator(state)))
  end)

  it("gives an iterator that refuses what is no buffer, and finds nothing in one that was finalized", function()
    local buffer = holding "one\n"
    local iterator = buffer:lines()
    raises("buffer expected, got no value", iterator)
    raises("buffer expected, got number", iterator, 1)
    getmetatable(buffer).__gc(buffer)
    assert.same({}, collected(buffer:lines()))
  end)
end)

describe("buffer:take and buffer:some", function()
  it("take exactly so many, or none", function()
    local buffer = holding "abcdef"
    assert.equal("ab", buffer:take(2))
    assert.equal("", buffer:take(0))
    assert.same({ n = 1, false }, pack(buffer:take(5)))
    assert.equal("cdef", buffer:take(4))
    assert.equal("", buffer:take(0))
    assert.is_false(buffer:take(1))
  end)

  it("take what is there, up to so many", function()
    local buffer = holding "abcdef"
    assert.equal("ab", buffer:some(2))
    assert.equal("", buffer:some(0))
    assert.equal("cdef", buffer:some(100))
    assert.same({ n = 1, false }, pack(buffer:some()))
    assert.is_false(buffer:some(0))
  end)
end)

describe("buffer:upto", function()
  it("gives what is before a delimiter, which goes, too", function()
    local buffer = holding "a=1&b=2&&c"
    assert.same({ "a=1", "b=2", "" }, all(buffer, "upto", "&"))
    assert.equal("c", buffer:some())
    assert.same({ "one", "two" }, all(holding "one\0\0two\0\0three", "upto", "\0\0"))
  end)

  it("finds delimiters whose beginnings repeat, in whatever pieces they come", function()
    for _, row in ipairs {
      { "aaab", "aab", "a" }, { "aaaab", "aab", "aa" }, { "abababac", "ababac", "ab" }, { "xaaaa", "aaa", "x" },
      { "\r\r\n\r\n", "\r\n\r\n", "\r" }, { "--x--x-", "-x-", "-" }, { "aabaabaaab", "aabaaab", "aab" },
    } do
      local data, delimiter, record = row[1], row[2], row[3]
      for first = 1, #data do
        for second = first, #data do
          local buffer = lsocket.buffer()
          local pieces = { data:sub(1, first), data:sub(first + 1, second), data:sub(second + 1) }
          local found
          for _, piece in ipairs(pieces) do
            buffer:append(piece)
            found = found or buffer:upto(delimiter)
          end
          assert.equal(record, found)
        end
      end
    end
  end)

  it("searches anew for another delimiter", function()
    local buffer = holding "a;b,c;d"
    assert.is_false(buffer:upto "!")
    assert.is_false(buffer:line())
    assert.equal("a;b", buffer:upto ",")
    assert.equal("c", buffer:upto ";")
    assert.is_false(buffer:upto "dd")
    buffer:append "d.\n"
    assert.is_false(buffer:upto "!!")
    assert.equal("", buffer:upto "dd")
    assert.equal(".", buffer:line())
  end)

  it("refuses an empty delimiter", function()
    raises("delimiter is empty", lsocket.buffer().upto, lsocket.buffer(), "")
  end)

  it("searches every byte once", function()
    need.speed(pending)
    local buffer, piece = lsocket.buffer(), ("x"):rep(1000)
    local function spent(rounds)
      local start = os.clock()
      for _ = 1, rounds do
        buffer:append(piece)
        assert(buffer:upto "\r\n\r\n" == false and buffer:line() == false)
      end
      return os.clock() - start
    end
    spent(1000)
    local early = spent(5000)
    spent(20000)
    assert.is_true(spent(5000) < 20 * early + 0.1) -- 26 MB are there now; looking at all of them takes seconds
  end)
end)

describe("a limit", function()
  it("is the longest record, without its delimiter", function()
    local buffer = holding("abc\nabcd\n", 3)
    assert.equal("abc", buffer:line())
    too_long(buffer:line())
    too_long(buffer:upto "\n")
    assert.equal("abcd", buffer:take(4))
    assert.equal("", buffer:line())
  end)

  it("is noticed as soon as nothing else can come", function()
    local buffer = holding("abc", 3)
    assert.is_false(buffer:line())
    assert.is_false(buffer:upto "--")
    buffer:append "-"
    too_long(buffer:line())
    assert.is_false(buffer:upto "--")
    buffer:append "+"
    too_long(buffer:upto "--")
    assert.equal("abc-+", buffer:some())
  end)

  it("keeps nobody from receiving, or from taking more", function()
    local buffer, a, b = lsocket.buffer(3), lsocket.pair()
    a:send "abcdef"
    assert.equal(6, buffer:recv(helper.readable(b)))
    too_long(buffer:line())
    a:send "\ng"
    assert.equal(2, buffer:recv(helper.readable(b)))
    assert.equal("abcdef\ng", buffer:take(8))
  end)

  it("can be another for one call", function()
    local buffer = holding("abcdef;ghi;", 3)
    too_long(buffer:upto ";")
    too_long(buffer:upto(";", 5))
    assert.equal("abcdef", buffer:upto(";", 6))
    too_long(buffer:upto(";", 2))
    assert.equal("ghi", buffer:upto ";")
  end)
end)

describe("buffer:recv", function()
  it("receives what a stream brings, up to a size", function()
    local client, server = helper.tcp()
    local buffer = lsocket.buffer()
    assert.same({ n = 1, false }, pack(buffer:recv(server)))
    client:send "hello\nworld"
    assert.same({ n = 1, 3 }, pack(buffer:recv(helper.readable(server), 3)))
    assert.equal(8, buffer:recv(server))
    assert.same({ n = 1, false }, pack(buffer:recv(server)))
    assert.equal("hello", buffer:line())
    client:close()
    assert.same({ n = 1, nil }, pack(buffer:recv(helper.readable(server))))
    assert.equal("world", buffer:some())
    server:close()
    fails("EBADF", buffer:recv(server))
  end)

  it("receives large pieces, and allocates no more than waits", function()
    local client, server = lsocket.pair()
    local data = ("0123456789"):rep(20000)
    local buffer, sent = lsocket.buffer(), 0
    while sent < #data or #buffer < #data do
      if sent < #data then sent = sent + (client:send(data, sent + 1) or 0) end
      assert(buffer:recv(server, 2 ^ 31 - 1) ~= nil)
    end
    assert.equal(data, buffer:some())
  end)

  it("receives nothing where nothing is wanted, and leaves what waits", function()
    local client, server = lsocket.pair()
    local buffer = lsocket.buffer()
    client:send "waits"
    assert.same({ n = 1, 0 }, pack(buffer:recv(server, 0)))
    assert.equal(0, #buffer)
    assert.equal(5, buffer:recv(server))
    assert.equal("waits", buffer:some())
  end)

  it("tells failures", function()
    fails("ECONNREFUSED", lsocket.buffer():recv((helper.refused())))
  end)

  it("takes datagrams whole", function()
    local receiver, port = helper.bind("udp", "127.0.0.1", 0)
    local sender = assert(lsocket.connect("udp", "127.0.0.1", port))
    local long = ("x"):rep(60000)
    local buffer = lsocket.buffer()
    for _, data in ipairs { "one", "", long } do
      assert(sender:send(data))
      assert.equal(#data, buffer:recv(helper.readable(receiver), 2))
    end
    assert.equal("one" .. long, buffer:some())
    assert.is_false(buffer:recv(receiver))
  end)

  it("takes datagrams of unix sockets whole, which may be longer than others", function()
    local a, b = lsocket.pair "udp"
    local data = ("x"):rep(100000)
    assert.equal(#data, a:send(data))
    local buffer = lsocket.buffer()
    assert.equal(#data, buffer:recv(helper.readable(b)))
    assert.equal(data, buffer:some())
  end)

  it("takes what is in random pieces in the order in which it was sent", function()
    local a, b = lsocket.pair()
    local buffer, sent, got = lsocket.buffer(), {}, {}
    for i = 1, helper.scale(2000) do
      local piece = (i .. " "):rep(math.random(0, 300))
      if math.random(5) == 1 then piece = piece .. "\n" end
      if piece ~= "" then assert(a:send(piece) == #piece) end
      sent[i] = piece
      repeat until not buffer:recv(b, math.random(3000))
      got[#got + 1] = buffer:line(true) or math.random(3) == 1 and buffer:some(math.random(100)) or nil
    end
    got[#got + 1] = buffer:some() or nil
    assert.is_true(table.concat(sent) == table.concat(got))
  end)

  it("refuses what is no socket of the library", function()
    local buffer = lsocket.buffer()
    raises("socket expected, got number", buffer.recv, buffer, 0)
    raises("socket expected, got table", buffer.recv, buffer, { getfd = function() return 0 end })
    raises("socket expected, got userdata", buffer.recv, buffer, buffer)
  end)
end)

-- ---- against a model ----

local Model = {}
Model.__index = Model

function Model:find(delimiter, max)
  local at = self.data:find(delimiter, 1, true)
  if at and at - 1 <= max then return at - 1 end
  if #self.data >= max + #delimiter then return nil, "record too long", "EMSGSIZE" end
  return false
end

function Model:drop(count)
  local data = self.data:sub(1, count)
  self.data = self.data:sub(count + 1)
  return data
end

function Model:upto(delimiter, max)
  local at, message, name = self:find(delimiter, max or self.max)
  if not at then return at, message, name end
  local record = self:drop(at)
  self:drop(#delimiter)
  return record
end

function Model:line(keep)
  local line, message, name = self:upto "\n"
  if not line then return line, message, name end
  return keep and line .. "\n" or (line:gsub("\r$", ""))
end

function Model:lines(keep)
  return function() return self:line(keep) or nil end
end

function Model:take(count) return #self.data >= count and self:drop(count) end
function Model:some(most) return self.data ~= "" and self:drop(most or #self.data) end

function Model:append(data)
  self.data = self.data .. data
  return true
end

function Model:clear()
  self.data = ""
  return true
end

local alphabet = { "a", "b", "\r", "\n" }
local delimiters = { "\n", "a", "aab", "ab", "\r\n\r\n", "abab", "aaaaaaaa", ("ab"):rep(20) }

local function random_data()
  local list = {}
  for i = 1, math.random(0, 12) do list[i] = alphabet[math.random(math.random(#alphabet))] end
  local data = table.concat(list)
  return math.random(20) == 1 and data:rep(math.random(200)) or data
end

local function random_step()
  local choice = math.random(13)
  if choice <= 4 then return "append", random_data() end
  if choice <= 6 then return "line", math.random(2) == 1 end
  if choice <= 8 then
    return "upto", delimiters[math.random(#delimiters)], math.random(2) == 1 and math.random(60) or nil
  end
  if choice <= 10 then return "take", math.random(0, 30) end
  if choice == 13 then return "lines", math.random(2) == 1 end
  if choice == 11 then return "some", math.random(4) > 1 and math.random(0, 30) or nil end
  if math.random(5) == 1 then return "clear" end
  return "append", random_data()
end

-- What a step answers; of lines, those that a loop gets which is left at any time.
local function answer(object, method, ...)
  if method ~= "lines" then return pack(object[method](object, ...)) end
  local list = {}
  for line in object:lines(...) do
    list[#list + 1] = line
    if #list == #line % 5 + 1 then break end
  end
  return list
end

describe("a buffer and a model of it", function()
  it("answer the same to anything", function()
    local seed = tonumber(os.getenv "LS_SEED") or os.time()
    math.randomseed(seed)
    for round = 1, helper.scale(200) do
      local max = math.random(2) == 1 and math.random(40) or nil
      local buffer, model = lsocket.buffer(max), setmetatable({ data = "", max = max or math.huge }, Model)
      for step = 1, 200 do
        local args = pack(random_step())
        local method = args[1]
        local got = answer(buffer, method, args[2], args[3])
        local expected = answer(model, method, args[2], args[3])
        local place = ("LS_SEED=%d, round %d, step %d: %s"):format(seed, round, step, method)
        got.n, expected.n = nil, nil
        assert.same(expected, got, place)
        assert.equal(#model.data, #buffer, place)
      end
    end
  end)

  it("give the same lines of a stream in whatever pieces it comes", function()
    local output, status = helper.run(helper.command("lines", helper.scale(20) > 1 and 2 or 1))
    assert.equal(0, status, output)
  end)
end)

-- ---- memory, and the collector ----

describe("the memory of buffers", function()
  it("is given back when they are emptied, nearly emptied, or collected", function()
    need.proc(pending)
    need.speed(pending)
    local malloc = "MALLOC_MMAP_THRESHOLD_=32768 " -- or glibc keeps for others what it was given back
    local output, status = helper.run(malloc .. helper.command "drain")
    assert.equal(0, status, output)
  end)
end)

describe("a finalizer that uses the buffer", function()
  for _, method in ipairs { "line", "upto" } do
    for _, size in ipairs { 0, 100, 2000 } do
      it("takes from it while " .. method .. " makes a string of " .. size .. " bytes, and nothing is lost", function()
        local output, status = helper.run(helper.command("intruder", method, size, 1500))
        assert.equal(0, status, output)
      end)
    end
  end

  for _, size in ipairs { 0, 100, 2000 } do
    it("may use another one while a string of " .. size .. " bytes is made", function()
      local output, status = helper.run(helper.command("intruder", "other", size, 1500))
      assert.equal(0, status, output)
    end)
  end

  it("may empty or finalize it", function()
    local output, status = helper.run(helper.command("intruder", "end", 1000, 1500))
    assert.equal(0, status, output)
  end)
end)
