-- What waits inside the library: plaintext that select, pollers and the loop must know of, and what was taken to be
-- sent and has not left yet.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local helper = require "spec.helper"
local cable = require "spec.tls.cable"
local certs = require "spec.tls.certs"
local pair = require "spec.tls.pair"

local pack = helper.pack

local RECORD = helper.slow and 2000 or 16384

if certs.missing(pending) then return end

after_each(helper.remove_paths)

local whole = pair.numbered(RECORD)

-- A connection at whose second end a whole record waits, of which one byte was read.
local function holding(client, server)
  local near, far = pair.connect(client, server)
  assert.is_false(near:recv()) -- its tickets
  assert.equal(RECORD, near:send(whole))
  assert.equal("0", helper.readable(far):recv(1))
  return near, far
end

describe("plaintext that waits", function()
  it("is counted", function()
    local near, far = holding()
    assert.equal(RECORD - 1, far:pending())
    assert.equal(0, near:pending())
    assert.equal("00", far:peek(2))
    assert.equal(RECORD - 1, far:pending())
    assert.equal("00", far:recv(2))
    assert.equal(RECORD - 3, far:pending())
    assert.equal(whole:sub(4), far:recv())
    assert.equal(0, far:pending())
    far:close()
  end)

  it("is 0 of what only the kernel has", function()
    local near, far = pair.connect()
    assert(near:send "x")
    assert.equal(0, helper.readable(far):pending())
    assert.equal("x", far:recv())
    assert.equal(0, far:pending())
    assert.equal(0, (lsocket.pair()):pending())
  end)

  it("is counted after a peek", function()
    local near, far = pair.connect()
    assert(near:send "12345")
    assert.equal("12", helper.readable(far):peek(2))
    assert.equal(5, far:pending())
    assert.equal("12345", far:recv())
    assert.equal(0, far:pending())
  end)

  it("is what a shorter result has left none of", function()
    local near, far = pair.connect()
    for _ = 1, 3 do assert(near:send(whole)) end
    local total = 0
    while total < 3 * RECORD do
      local data = helper.readable(far):recv(20000)
      if #data < 20000 then assert.equal(0, far:pending()) end
      total = total + #data
    end
    assert.equal(0, far:pending())
    assert.is_false(far:recv())
  end)

  it("makes select return at once, with the socket, until it was read", function()
    local near, far = holding()
    local other, quiet = lsocket.pair()
    for i = 1, 100 do
      local readable, writable = lsocket.select({ far, quiet }, nil, i % 2 == 0 and 10 or nil)
      assert.same({ far }, readable)
      assert.falsy(writable and writable[1])
      assert.equal(1, #far:recv(1))
    end
    assert(other:send "x")
    assert.equal(2, #assert(lsocket.select({ far, quiet }, 10)))
    assert.same({ far }, (lsocket.select({ far }, { far }, 10)))
    assert.equal(1, #select(2, lsocket.select({ far }, { far }, 10)))
    assert.equal(RECORD - 101, #far:recv())
    assert.is_false((lsocket.select({ far }, 0)))
    assert.truthy(near)
  end)

  it("does not concern a select for something else", function()
    local near, far = holding()
    assert.is_false((lsocket.select({ near }, 0)))
    local readable, writable = lsocket.select(nil, { far }, 10)
    assert.falsy(readable and readable[1])
    assert.same({ far }, writable)
    far:close()
    assert.is_false((lsocket.select({ near }, 0)) and near:recv() ~= nil)
  end)

  it("makes wait return at once", function()
    local near, far = holding()
    assert.is_true(far:wait("r", 10) and true)
    assert.equal(RECORD - 1, #far:recv())
    assert.is_false((far:wait("r", 0)))
    assert.truthy(near)
  end)
end)

for _, backend in ipairs(helper.backends) do
  if lsocket.poller(backend) then
    describe("a poller with " .. backend, function()
      local poller, near, far
      before_each(function()
        poller = assert(lsocket.poller(backend))
        near, far = holding()
      end)
      after_each(function() poller:close() end)

      local function waits(timeout)
        local readable, writable = poller:wait(timeout or 0)
        return readable and #readable or 0, writable and #writable or 0, readable and readable[1]
      end

      it("reports plaintext that waits, level by level, to its last byte", function()
        assert(poller:add(far, "r"))
        while far:pending() > 0 do
          local count, _, sock = waits(10)
          assert.equal(1, count)
          assert.equal(far, sock)
          assert.truthy(far:recv(far:pending() > 20 and 10 or 1))
        end
        assert.equal(0, (waits()))
      end)

      it("reports it once where the kernel has more", function()
        assert(poller:add(far, "rw"))
        assert(near:send "more")
        helper.eventually("both", function()
          local readable, writable = waits(10)
          assert.equal(1, readable)
          return writable == 1
        end)
      end)

      it("reports that of a socket that it knew before there was TLS", function()
        local a, b = lsocket.pair()
        assert(poller:add(b, "r"))
        assert(certs.client():start(a, "good.example"))
        assert(certs.server():start(b))
        assert.is_true(pair.shake({ a, b })[a][1])
        assert(a:send "12")
        assert.equal("1", helper.readable(b):recv(1))
        local count, _, sock = waits(10)
        assert.equal(1, count)
        assert.equal(b, sock)
      end)

      it("reports that of hundreds", function()
        local held, seen, count = {}, {}, helper.scale(300) -- luacheck: ignore 241
        local client, server = certs.client(), certs.server()
        for i = 1, count do
          local a, b = holding(client, server)
          held[i] = a
          assert(poller:add(b, "r"))
        end
        for _ = 1, 10 do
          for _, sock in ipairs(poller:wait(10)) do
            if not seen[sock] then count = count - 1 end
            seen[sock] = true
          end
        end
        assert.equal(0, count)
        for sock in pairs(seen) do sock:close() end
      end)

      it("reports it beside other sockets", function()
        local other, quiet = lsocket.pair()
        assert(poller:add(quiet, "r"))
        assert(poller:add(far, "r"))
        assert(other:send "x")
        assert.equal(2, (waits(10)))
        assert.equal("x", quiet:recv())
        local count, _, sock = waits(10)
        assert.equal(1, count)
        assert.equal(far, sock)
      end)

      it("does not report it where nothing to read was asked for", function()
        assert(poller:add(far, "w"))
        local readable, writable = waits(10)
        assert.equal(0, readable)
        assert.equal(1, writable)
        assert(poller:modify(far, "r"))
        assert.equal(1, (waits(10)))
        assert(poller:modify(far, "w"))
        assert.equal(0, (waits(10)))
        assert(poller:remove(far))
        assert.equal(0, (waits()))
        assert(poller:add(far, "r"))
        assert.equal(1, (waits(10)))
      end)

      it("does not report that of a socket that was closed, or that it does not know", function()
        assert.equal(0, (waits()))
        assert(poller:add(far, "r"))
        far:close()
        assert.equal(0, (waits()))
        assert.equal(0, #poller)
      end)

      it("does not report that of a socket that was collected", function()
        far = nil
        collectgarbage()
        collectgarbage()
        assert(poller:add(near, "r"))
        pair.until_done(near, "r", function() return near:recv() end)
        assert.equal(1, #poller)
      end)
    end)
  end
end

describe("a stream of the loop", function()
  local function run(...) loop.run(loop.deadline, helper.patience, ...) end

  it("reads a record byte by byte", function()
    run(function()
      local near, far = pair.connect()
      local reader = assert(stream.new(far))
      assert(near:send(whole))
      local got = {}
      for i = 1, RECORD do got[i] = assert(reader:readexactly(1)) end
      assert.truthy(table.concat(got) == whole)
      assert(near:send "a line\nanother\n")
      assert.equal("a line", reader:read "l")
      assert.equal("another", reader:read "l")
      assert(near:shutdown "w")
      assert.same({ n = 1 }, pack(reader:read "l"))
    end)
  end)

  it("is not kept waiting by what was read before there was a stream", function()
    run(function()
      local near, far = holding()
      local reader = assert(stream.new(far))
      assert.equal(whole:sub(2), reader:readexactly(RECORD - 1))
      assert.truthy(near)
    end)
  end)

  it("wraps a socket that waits for it", function()
    run(function()
      local near, far = holding()
      assert.equal("", far:recv(0))
      assert.is_true(loop.wait(far, "r", 10) and true)
      local wrapped = loop.wrap(far)
      for i = 2, 100 do assert.equal(whole:sub(i, i), wrapped:recv(1)) end
      assert.equal(RECORD - 100, #wrapped:recv())
      assert.truthy(near)
    end)
  end)

  it("lets other tasks run while it has plaintext", function()
    run(function()
      local near, far = holding()
      local reader, turns = assert(stream.new(far)), 0
      local other = loop.spawn(function()
        for _ = 1, 10 do
          loop.sleep(0)
          turns = turns + 1
        end
      end)
      for _ = 1, RECORD - 1 do
        assert(reader:readexactly(1))
        if turns == 0 then loop.sleep(0) end
      end
      other:join()
      assert.equal(10, turns)
      assert.truthy(near)
    end)
  end)

  it("writes more than anyone takes at once", function()
    run(function()
      local near, far = pair.connect()
      local writer, reader = assert(stream.new(near)), assert(stream.new(far))
      local data = pair.numbered(2000000)
      local task = loop.spawn(function()
        assert(writer:write(data))
        assert(writer:close(10))
      end)
      assert.truthy(reader:read "a" == data)
      reader:close()
      task:join()
    end)
  end)
end)

-- ---- what was taken and has not left ----

-- A connection with little room, from its first end to its second.
local function narrow()
  local near, far = lsocket.pair() -- small windows of TCP make it slow
  assert(near:setopt("sndbuf", 1))
  assert(certs.client():start(near, "good.example"))
  assert(certs.server():start(far))
  local results = pair.shake { near, far }
  assert.is_true(results[near][1])
  assert.is_true(results[far][1])
  pair.passes(far, near) -- and the tickets: or closing it would reset the connection
  return near, far
end

-- Sends a part of a text until no more is taken: how many bytes were.
local function fill(sock, data)
  local sent = 0
  repeat
    local count, message = sock:send(data, sent + 1)
    assert(count ~= nil, message)
    sent = sent + (count or 0)
  until not count
  assert.truthy(sent > 0 and sent < #data)
  return sent
end

-- All that comes until the end, which may be a failure: text, name.
local function drain(sock, meanwhile)
  local got = {}
  while true do
    if meanwhile then meanwhile() end
    local data, _, name = sock:recv()
    if data == nil then return table.concat(got), name end
    if data then got[#got + 1] = data else lsocket.select({ sock }, 0.01) end
  end
end

describe("a connection without room", function()
  local data = pair.numbered(helper.slow and 200000 or 500000)

  it("counts what will arrive, and takes any other data next", function()
    local near, far = narrow()
    local sent = fill(near, data)
    local other = "other bytes, and not those that did not fit"
    assert.is_false(near:send(other))
    local got, taken = {}, false
    local count = 0
    helper.eventually("all has come", function()
      if taken then near:send "" else taken = near:send(other) end -- which first sends what was taken before
      local piece = far:recv(1000)
      got[#got + 1] = piece or nil
      count = count + #(piece or "")
      return taken and count == sent + #other
    end)
    assert.equal(#other, taken)
    assert.truthy(table.concat(got) == data:sub(1, sent) .. other)
  end)

  it("sends what it has taken while the program waits for something else", function()
    local near, far = narrow()
    local sent = fill(near, data)
    assert.truthy(helper.receive(far, sent) == data:sub(1, sent)) -- which waits for the other end alone
    sent = fill(near, data)
    local poller, got = assert(lsocket.poller()), {}
    assert(poller:add(far, "r"))
    while #table.concat(got) < sent do
      assert(poller:wait(helper.patience))
      got[#got + 1] = far:recv() or nil
    end
    poller:close()
    assert.truthy(table.concat(got) == data:sub(1, sent))
  end)

  it("still reads", function()
    local near, far = narrow()
    fill(near, data)
    for i = 1, 10 do
      pair.passes(far, near, "message " .. i)
      assert.is_false(near:send "x")
    end
  end)

  it("tells when it has room", function()
    local near, far = narrow()
    fill(near, data)
    assert.is_false(helper.is_writable(near))
    local poller = assert(lsocket.poller())
    assert(poller:add(near, "w"))
    assert.is_false((poller:wait(0)))
    far:shutdown "w"
    local total = 0
    helper.eventually("room", function()
      total = total + #(far:recv() or "")
      return (select(2, poller:wait(0)) or {})[1] == near
    end)
    poller:close()
  end)

  it("sends the rest before sendrest is done: nothing is left behind in the library", function()
    local got, size = {}, math.floor(#data / 2)
    local function send_all()
      local near, far = narrow()
      local first = 1
      repeat
        local next = near:sendrest(first, data:sub(1, size))
        assert(next ~= nil)
        first = next or first
        if first ~= true then got[#got + 1] = far:recv() or nil end
      until first == true
      return far
    end
    local far = send_all()
    collectgarbage() -- and a finalizer sends nothing
    collectgarbage()
    local rest, name = drain(far)
    assert.equal("ETLS_TRUNCATED", name)
    assert.truthy(table.concat(got) .. rest == data:sub(1, size))
  end)

  it("is shut down when all has left", function()
    local near, far = narrow()
    local sent = fill(near, data)
    local result = near:shutdown "w"
    assert.is_false(result)
    local got, name = drain(far, function() if result == false then result = near:shutdown "w" end end)
    assert.is_nil(name)
    assert.is_true(result)
    assert.truthy(got == data:sub(1, sent))
  end)

  it("is closed without waiting", function()
    local near, far = narrow()
    local sent = fill(near, data)
    assert.is_true(near:close())
    local got, name = drain(far)
    assert.truthy(#got <= sent and data:sub(1, #got) == got)
    assert.truthy(#got == sent and name == nil or name == "ETLS_TRUNCATED", name)
  end)

  it("has room for its end where all else has left", function()
    local near, far = narrow()
    for size = 1000, 41000, 4000 do
      local first, got = 1, {}
      repeat
        first = near:sendrest(first, data:sub(1, size)) or first
        if first ~= true then got[#got + 1] = far:recv(1000) or nil end
      until first == true
      near:close()
      local rest, name = drain(far)
      assert.is_nil(name)
      assert.truthy(table.concat(got) .. rest == data:sub(1, size))
      far:close()
      near, far = narrow()
    end
  end)

  it("sends a file in parts that fit", function()
    local near, far = narrow()
    local file, offset, got = assert(io.open(helper.file(data))), 0, {}
    repeat
      local count, message = near:sendfile(file, offset)
      assert(count ~= nil, message)
      offset = offset + (count or 0)
      if not count then got[#got + 1] = far:recv() or nil end
    until count == 0
    file:close()
    local result = false
    got[#got + 1] = drain(far, function() if not result then result = near:shutdown "w" end end)
    assert.truthy(table.concat(got) == data)
  end)

  it("does not count what the other end never takes", function()
    local line = cable.connect()
    local taken
    for _ = 1, 1000 do
      taken = line.client:send(data)
      if not taken then break end
    end
    assert.is_false(taken)
    line:cut()
    local results = pack(line.client:send "x")
    assert.is_nil(results[1])
    assert.truthy(results[3] == "EPIPE" or results[3] == "ECONNRESET", results[3])
  end)
end)
