-- ringstorm.lua ENGINE COUNT SEED [close]: so many connections whose ends read and write, while tasks are cancelled and
-- cut off by deadlines, streams closed, reset and left to the collector, and the process forks, all at random. Every
-- byte is known by its place. Prints how many came, and how many descriptors are left; or closes the Lua state with
-- everything in flight.
local loop = require "lsocket.loop"
local lsocket = require "lsocket"
local stream = require "lsocket.stream"
local forking = require "spec.forking"
local process = require "spec.process"

local ENGINE, COUNT, SEED, CLOSE = arg[1], tonumber(arg[2]), tonumber(arg[3]), arg[4] == "close"
local LONGEST, MOST = 9000, 20000 -- bytes of a write, of a direction of a connection
local PATIENCE = 300
local random = math.random
math.randomseed(SEED)

-- What all ends send, from its first byte on.
local text = {}
for i = 1, 9973 do text[i] = string.char(random(256) - 1) end
text = table.concat(text)
local PERIOD = #text
text = text .. text .. text

local function bytes(first, count)
  local at = first % PERIOD
  return text:sub(at + 1, at + count)
end

local cut_off = { ETIMEDOUT = true, ECANCELED = true } -- the same call can be made again
local tasks, running, sums = {}, COUNT, { bytes = 0, cancels = 0, forks = 0 }

-- A task that is cancelled some day, but not before it has begun, as then it would not begin.
local function spawn(fn, ...)
  local task
  task = loop.spawn(function(...)
    tasks[#tasks + 1] = task
    return fn(...)
  end, ...)
  return task
end

-- Calls a method, sometimes with a deadline that is likely to cut it off.
local function call(one, method, ...)
  if random(4) > 1 then return one[method](one, ...) end
  return loop.deadline(random() / 50, one[method], one, ...)
end

-- A flow is one direction of a connection: what is to be sent, what was, what has come.
local function send_all(one, flow)
  while flow.sent < flow.total do
    local size = math.min(random(random(3) == 1 and LONGEST or 300), flow.total - flow.sent)
    local ok, _, name, taken = call(one, "write", bytes(flow.sent, size))
    flow.sent = flow.sent + (ok and size or taken)
    if not ok and not cut_off[name] then return false end
  end
  return true
end

local function take(flow, data)
  assert(data == bytes(flow.got, #data), "a byte was lost or doubled")
  flow.got = flow.got + #data
end

local methods = { "read", "readsome", "readexactly" }

-- Reads to the end: true | false: a failure came before
local function receive_all(one, flow)
  while true do
    local data, _, name = call(one, methods[random(3)], random(random(3) == 1 and LONGEST or 300))
    if name == "EPIPE" then data, name = one:read(one:buffered()), nil end -- fewer than were to be read
    if data then take(flow, data) end
    if not data and not name then return true end
    if not data and not cut_off[name] then return false end
  end
end

local function new_flow(total)
  return { total = total, sent = 0, got = 0 }
end

local function check_whole(flow)
  assert(flow.sent == flow.total and flow.got == flow.total, "not all has come")
end

-- An end that sends all, and reads all.
local function play(one, out, into)
  local writer = spawn(function()
    if send_all(one, out) then one:shutdown "w" end
  end)
  spawn(receive_all, one, into):join()
  writer:join()
  one:close()
end

local function connect(type)
  local near, far = assert(lsocket.pair(type))
  return stream.new(near), stream.new(far)
end

-- What becomes of a connection: a function that is called in a task of its own. How many bytes have come.
local fates = {}

function fates.whole()
  local near, far = connect()
  local there, back = new_flow(random(MOST)), new_flow(random(MOST))
  local other = loop.spawn(play, far, back, there)
  play(near, there, back)
  other:join()
  check_whole(there)
  check_whole(back)
  return there.got + back.got
end

-- Closed at some moment, or its socket is. What came before is as it was sent.
local function break_off(near, far)
  local there, back = new_flow(MOST), new_flow(MOST)
  local one, other = loop.spawn(play, far, back, there), loop.spawn(play, near, there, back)
  loop.sleep(random() / 5)
  if random(2) == 1 then near:close() else near:getsocket():close() end
  one:join()
  other:join()
  assert(there.got <= there.sent and back.got <= back.sent, "more came than was sent")
  return there.got + back.got
end

function fates.closed()
  return break_off(connect())
end

function fates.reset()
  local near, far = connect "tcp"
  near:setopt("linger", 0)
  return break_off(near, far)
end

-- What has been written arrives, though nobody has the stream any more that the socket belongs to.
function fates.collected()
  local near, far = connect()
  local flow = new_flow(random(MOST))
  local writer = spawn(send_all, near, flow)
  near = nil -- luacheck: ignore 311
  local ended = spawn(receive_all, far, flow):join()
  far:close()
  assert(writer:join() and ended)
  check_whole(flow)
  return flow.got
end

local names = { "whole", "whole", "closed", "reset", "collected" }

local function live(fate)
  local count = fate()
  sums.bytes = sums.bytes + count
  running = running - 1
end

local function disturb()
  for _ = 1, COUNT / 20 do
    local at = random(#tasks)
    if tasks[at]:cancel() then
      sums.cancels = sums.cancels + 1
    else
      tasks[at], tasks[#tasks] = tasks[#tasks], nil
      if #tasks == 0 then return end
    end
  end
end

local function fork()
  forking.run(function()
    if random(2) == 1 then os.exit(0, true) end
  end)
  sums.forks = sums.forks + 1
end

local function storm()
  for number = 1, COUNT do loop.spawn(live, fates[names[number % #names + 1]]) end
  local turns = 0
  while running > 0 do
    assert(loop.sleep(0.01) and loop.sleep(0)) -- all the others go on in between
    turns = turns + 1
    if turns % 10 == 0 then collectgarbage() end
    if CLOSE and turns == 3 then
      print(running .. " connections are in flight")
      os.exit(0, true)
    end
    if turns % 15 == 5 then fork() end
    if #tasks > 0 then disturb() end
  end
end

function loop.onerror(_, trace)
  io.stderr:write(trace, "\n")
  os.exit(1)
end

if not loop.engine(ENGINE) then print "no ring here" end
forking.need(error)
local before = process.count()
loop.run(loop.deadline, PATIENCE, storm)
print(("%d connections, %d bytes, %d cancels, %d forks"):format(COUNT, sums.bytes, sums.cancels, sums.forks))
print(process.count() - before .. " descriptors more")
