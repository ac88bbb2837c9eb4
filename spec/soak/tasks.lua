-- The loop: storms of clients on servers, streams read and written in every way, deadlines, cancels, tasks that fail.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local common = require "spec.soak.common"

local did, chance, one_of = common.did, common.chance, common.one_of
local tasks = {}

local CUT = "ECONNRESET EPIPE ECANCELED ETIMEDOUT EBADF"

-- What may be told to whoever talks with somebody that goes when it likes.
local function is_cut(name) return name == nil or (" " .. CUT .. " "):find(" " .. name .. " ", 1, true) end

-- A line: its number, and bytes without an end of line.
local function line(number) return number .. " " .. ("x"):rep((number * 37) % 300) end

-- ---- storms ----

local function echo(client)
  while true do
    local text, message, name = client:read "L"
    if not text then
      assert(is_cut(name), message)
      return
    end
    local ok
    ok, message, name = client:write(text)
    if not ok then
      assert(is_cut(name), message)
      return
    end
    did "lines echoed"
    if chance(300) then return end -- with something unread, perhaps
  end
end

local visits = {}

-- A line and its answer, a few times.
function visits.talk(client)
  for i = 1, math.random(20) do
    local ok, message, name = client:write(line(i), "\n")
    local text
    if ok then text, message, name = client:read() end
    if not text then
      assert(is_cut(name), message)
      return
    end
    assert(text == line(i), "another line")
    common.bytes = common.bytes + #text
  end
  return client:close()
end

-- All lines at once; the answers are read or not.
function visits.burst(client)
  local list, count = {}, math.random(50)
  for i = 1, count do list[i] = line(i) .. "\n" end
  client:write(list)
  for i = 1, math.random(0, count) do
    local text, message, name = client:read()
    if not text then
      assert(is_cut(name), message)
      return
    end
    assert(text == line(i), "another line")
  end
end

function visits.reset(client)
  client:write(line(1), "\n", line(2))
  if chance(2) then loop.sleep(0.001) end
  client:setopt("linger", 0)
  client:close()
  did "resets"
end

function visits.leave(client)
  if chance(2) then client:write "half a line" end
  did "left to the collector"
end

function visits.wait(client)
  local _, _, name = loop.deadline(0.002, client.read, client)
  assert(name == "ETIMEDOUT" or is_cut(name))
  did "deadlines"
end

local visit_names = { "talk", "talk", "talk", "burst", "reset", "leave", "wait" }

local function visit(address, port, delay)
  if delay then loop.sleep(delay) end
  local client, message, name = loop.connect(address, port)
  if not client then
    assert(name == "ECANCELED" or name == "ECONNREFUSED" or name == "ECONNRESET", message)
    return
  end
  did "clients"
  -- Not for ever: those whose end is left to the collector may have taken all places.
  loop.deadline(math.random(), visits[one_of(visit_names)], client)
end

local function serve()
  local choice = math.random(8)
  if choice == 1 then
    local path = common.path()
    return path, 0, loop.serve(path, 0, echo)
  end
  local address = choice == 2 and "::1" or choice == 3 and "localhost" or common.loopback()
  local server, message = loop.serve(address, 0, echo, { limit = chance(3) and math.random(5) or nil, max = 10000 })
  return address, server and server:info "socket".port, server, message
end

function tasks.storm()
  local address, port, server, message = serve()
  assert(server, message)
  local list = {}
  for i = 1, math.random(60) do list[i] = loop.spawn(visit, address, port, chance(2) and math.random() / 50) end
  if chance(3) then loop.sleep(0.005) end
  for i = 1, #list do
    if chance(10) then
      list[i]:cancel()
      did "cancels"
    end
    list[i]:join()
  end
  server:close(math.random() / 50)
  if port == 0 then os.remove(address) end
  did "servers"
end

-- ---- streams ----

local function new_streams()
  local a, b = assert(lsocket.pair())
  return stream.new(a), stream.new(b)
end

-- One writes so many bytes, in pieces of any size; gives the message and name of a failure, and what was taken.
local function write(to, position, count)
  local sent = 0
  while sent < count do
    local n = math.min(count - sent, chance(4) and math.random(200000) or math.random(1000))
    local text = common.text(position + sent, n)
    local ok, _, name, taken = to:write(chance(2) and text or { text:sub(1, 100), text:sub(101) })
    if not ok then return sent + taken, name end
    sent = sent + n
  end
  to:shutdown "w" -- or else a reader would wait for the rest of its line
  return sent
end

local reads = {}

function reads.some(from) return from:readsome(chance(2) and math.random(1000) or nil) end
function reads.count(from) return from:read(math.random(3000)) end
function reads.line(from) return from:read "L" end
function reads.record(from) -- without the delimiter, unless the end or a failure has cut the record off: true
  local record, message, name = from:readuntil "\0"
  if not record then return record, message, name end
  return message == true and record or record .. "\0"
end

local read_names = { "some", "count", "line", "record" }

-- The other one reads until so many have come or a failure is told; deadlines cut it off, and lose nothing.
local function read(from, position, count)
  local got = 0
  while got < count do
    local way = reads[one_of(read_names)]
    local data, _, name
    if chance(5) then
      data, _, name = loop.deadline(math.random() / 1000, way, from, count - got)
      did "deadlines"
    else data, _, name = way(from, count - got)
    end
    if data then
      common.check(data, position + got)
      got = got + #data
    elseif name ~= "ETIMEDOUT" then
      return got, name
    end
    if chance(10) then loop.sleep(0) end
  end
  return got
end

-- Bytes both ways; sometimes one of the four tasks is cancelled, or a stream closed, at a random moment.
function tasks.stream()
  local a, b = new_streams()
  local there, back, count = common.position(), common.position(), math.random(400000)
  local list = { loop.spawn(write, a, there, count), loop.spawn(read, b, there, count),
    loop.spawn(write, b, back, count), loop.spawn(read, a, back, count) }
  local disturbed = chance(3)
  if disturbed then
    loop.sleep(chance(2) and 0 or math.random() / 500)
    local victim = list[math.random(4)]
    if chance(2) then
      victim:cancel()
      did "cancels"
    end
    local closed = one_of { a, b }
    if chance(2) then closed:getsocket():close() else closed:close() end
    did "streams closed under tasks"
    loop.sleep(math.random() / 500)
    a:close()
    b:close()
  end
  local done, cut = {}, {}
  for i = 1, 4 do
    done[i], cut[i] = list[i]:join()
    assert(is_cut(cut[i]), cut[i])
    if not done[i] then assert(disturbed) end -- it was cancelled before it began
  end
  if not disturbed then
    for i = 1, 4 do assert(done[i] == count and cut[i] == nil, "bytes are missing") end
  end
  assert((done[2] or 0) <= (done[1] or 0) and (done[4] or 0) <= (done[3] or 0), "more came than was sent")
  if chance(2) then
    a:close()
    b:close()
  end
  did "streams"
end

-- Two tasks that write at the same time mix nothing.
function tasks.turns()
  local a, b = new_streams()
  local list = {}
  for i = 1, 4 do
    list[i] = loop.spawn(function()
      for j = 1, 10 do assert(a:write(i .. " " .. j .. " ", ("x"):rep(20000), "\n")) end
    end)
  end
  local seen = { 0, 0, 0, 0 }
  for _ = 1, 40 do
    local i, j, rest = assert(b:read()):match "^(%d) (%d+) (x*)$"
    i = tonumber(i)
    assert(#rest == 20000 and tonumber(j) == seen[i] + 1, "lines are mixed")
    seen[i] = seen[i] + 1
  end
  for i = 1, 4 do list[i]:join() end
  assert(a:shutdown "w" and b:read() == nil)
  assert(a:close() and b:close())
  did "writers by turns"
end

-- ---- tasks ----

-- Deadlines inside each other: the earliest holds, and a later one does not.
function tasks.deadlines()
  local outer, inner = math.random() / 100, math.random() / 100
  local began = loop.now()
  local slept, _, name = loop.deadline(outer, loop.deadline, inner, loop.sleep, 60)
  assert(slept == nil and name == "ETIMEDOUT" and loop.now() - began >= math.min(outer, inner) - 0.002)
  assert(loop.deadline(60, loop.sleep, 0) == true)
  did("deadlines", 3)
end

function tasks.cancels()
  local list = {}
  for i = 1, math.random(50) do
    list[i] = loop.spawn(function()
      local _, _, name = loop.sleep(60)
      assert(name == "ECANCELED")
      return loop.sleep(math.random() / 1000) -- one wait was ended, and no other
    end)
  end
  loop.sleep(0)
  for i = 1, #list do assert(list[i]:cancel()) end
  for i = 1, #list do assert(list[i]:join() == true) end
  did("cancels", #list)
end

function tasks.failures()
  local broken = loop.spawn(function()
    loop.sleep(math.random() / 1000)
    error("on purpose", 0)
  end)
  local ok, problem = loop.pcall(broken.join, broken)
  assert(not ok and problem == "on purpose")
  did "tasks that failed"
end

-- By names with several addresses, not all of which answer; none is ::1, where another listener may have the port.
function tasks.names()
  if not common.sandbox then return end
  local server = assert(loop.serve("127.0.0.1", 0, echo))
  local port = server:info "socket".port
  local client, message = loop.connect(one_of { "db", "twofaced.example", "halflocal.example" }, port)
  assert(client, message)
  assert(client:write "hello\n" and client:read() == "hello")
  client:close()
  assert(#assert(loop.resolve "feed.example") > 0)
  common.fails("EAI_NONAME EAI_AGAIN", loop.resolve "nobody.example")
  common.fails("ETIMEDOUT", loop.deadline(0.01, loop.connect, "dead.example", port))
  common.fails("ENETUNREACH", loop.connect("unreachable.example", port))
  server:close(60)
  did "connections by name"
end

-- The names of those to choose from.
tasks.list = { "storm", "storm", "stream", "stream", "stream", "turns", "deadlines", "cancels", "failures", "names" }

return tasks
