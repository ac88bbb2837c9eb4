-- Programs that are not random, but too long to be part of one: a load, and runs that do not end by themselves.
-- Each is called with a world outside of the loop, and says what is wrong.
local loop = require "lsocket.loop"
local lsocket = require "lsocket"
local stream = require "lsocket.stream"

local specials = {}

local function two_streams()
  local one, two = assert(lsocket.pair())
  return stream.new(one), stream.new(two)
end

local ROW = 60000 -- calls in a row without a turn for others, which is long

-- Calls that need not wait when much has come.
local sips = {
  function(s) return s:read() end,
  function(s) return s:readuntil "\n" end,
  function(s) return s:readsome(1) end,
  function(s) return s:read(1) end,
  function(s) return loop.wait(s, "r") end,
  function(s) return s:write "" end,
}

-- Calls fn so often, and says how many calls there were in a row without a turn for another task.
local function longest_row(count, fn, ...)
  local over, row, worst = false, 0, 0
  loop.spawn(function()
    while not over do
      worst, row = math.max(worst, row), 0
      loop.sleep(0)
    end
  end)
  for _ = 1, count do
    fn(...)
    row = row + 1
  end
  over = true
  return math.max(worst, row)
end

-- Very many calls that need not wait: others have their turn meanwhile.
function specials.flood(w)
  local a, b = two_streams()
  local data = ("\n"):rep(65536 * 4)
  local sip = sips[math.floor(w.program.seed / 180) % #sips + 1]
  loop.run(function()
    local writer = loop.spawn(function() a:write(data) end)
    b:read(1)
    local worst = longest_row(#data - 1, sip, b)
    if worst > ROW then w:wrong("%d calls in a row without a turn for others", worst) end
    b:close()
    writer:join()
  end)
  a:close()
end

-- The seconds of the processor that so many writers of one stream cost. Every other one is cancelled, the last first.
local function crowd(count)
  local a, b = two_streams()
  local begun
  loop.run(function()
    local writers = {}
    begun = os.clock()
    for i = 1, count do
      writers[i] = loop.spawn(function() a:write(i == 1 and ("x"):rep(1000000) or "x") end)
    end
    loop.sleep(0)
    collectgarbage()
    for i = count, 2, -2 do writers[i]:cancel() end
    local left = 1000000 + count / 2 - 1
    while left > 0 do left = left - #b:readsome() end
    for i = 1, count do writers[i]:join() end
  end)
  a:close()
  b:close()
  return os.clock() - begun
end

-- Eight times as many writers do not take much more than eight times as long.
function specials.crowd(w)
  local ratio
  for _ = 1, 2 do -- the machine may be busy
    ratio = crowd(8000) / math.max(crowd(1000), 0.002)
    if ratio < 20 then return end
  end
  w:wrong("eight times as many writers take %.1f times as long", ratio)
end

local function raises(w, text, fn)
  local begun = loop.now()
  local ok, problem = pcall(loop.run, fn)
  local took = loop.now() - begun
  if ok then return w:wrong("run does not raise: %s", text) end
  if type(problem) ~= "string" or not problem:find(text, 1, true) then
    w:wrong("run raises %s in place of: %s", tostring(problem), text)
  end
  if took > 2.5 then w:wrong("run raises %.1f s after the failure: %s", took, text) end
end

-- A task that does not look at the answers of its waits; it gives up in the end.
local function stubborn(fn, ...)
  local stop = loop.now() + 3.5
  while loop.now() < stop do
    fn(...)
    loop.sleep(0.001)
  end
end

function specials.stubborn(w)
  raises(w, "the first task fails", function()
    loop.spawn(stubborn, loop.sleep, 0.001)
    loop.sleep(0.002)
    error("the first task fails", 0)
  end)
end

function specials.deadlock(w)
  raises(w, "every task waits for another one", function()
    local one, two
    one = loop.spawn(function()
      loop.deadline(100, loop.sleep, 0)
      two:join()
    end)
    two = loop.spawn(function()
      loop.pcall(string.gsub, "x", "x", function() loop.sleep(0.2) end)
      one:join()
    end)
    one:join()
  end)
end

local function must(w, what, ok, message)
  if not ok then w:wrong("%s: %s", what, tostring(message)) end
end

-- The next turn of whoever calls it is followed, in the same turn, by a task that leaves the others none: what is
-- cancelled in between does not go on any more before the run is left.
local function keep_busy()
  local one, two = two_streams()
  loop.spawn(function()
    one:read(1)
    loop.sleep(0)
    local stop = loop.now() + 1.2
    while loop.now() < stop do end -- luacheck: ignore 542
    one:close()
    two:close()
  end)
  loop.sleep(0.001)
  two:write "x"
  loop.sleep(0)
end

-- A run is left while tasks write and read; the streams can be used in the next one.
function specials.abandoned(w)
  local a, b = two_streams()
  raises(w, "the first task fails", function()
    loop.spawn(stubborn, a.write, a, ("x"):rep(1000000))
    loop.spawn(stubborn, a.write, a, "y")
    loop.spawn(stubborn, a.readsome, a)
    loop.spawn(stubborn, loop.wait, b, "rw", 0.1)
    loop.sleep(0.005)
    if w.program.seed % 360 < 180 then keep_busy() end
    error("the first task fails", 0)
  end)
  loop.run(function()
    loop.spawn(loop.deadline, 1, function() while b:readsome() do end end) -- luacheck: ignore 542
    must(w, "a stream cannot be written in the next run", loop.deadline(1, a.write, a, "again"))
    b:write "x"
    must(w, "a stream cannot be read in the next run", loop.deadline(1, a.read, a, 1))
    a:close()
  end)
  b:close()
end

-- Alarms of deadlines that are over, and a wait without a time: nothing must end it.
function specials.alarms(w)
  local a, b = two_streams()
  loop.run(function()
    for _ = 1, 3 do
      loop.deadline(0.002, loop.sleep, 0)
      loop.pcall(loop.deadline, 0.003, error, "left")
      loop.deadline(0.5, loop.deadline, 0.002, loop.sleep, 0)
    end
    local waker = loop.spawn(function()
      loop.sleep(0.02)
      b:write "x"
    end)
    local event = loop.wait(a, "r")
    if event ~= "r" then w:wrong("a wait without a time gives %s", tostring(event)) end
    waker:join()
  end)
  a:close()
  b:close()
end

-- A number is closed while a copy of its descriptor lives, so that the kernel still tells of it: whoever waits hears
-- of that, and the loop does not spin.
function specials.copied(w)
  local one, two = assert(lsocket.pair())
  local copy, number = assert(one:dup()), one:detach()
  loop.run(function()
    local waiter = loop.spawn(loop.deadline, 1, loop.wait, number, "r")
    loop.sleep(0)
    assert(lsocket.fromfd(number)):close()
    two:send "x"
    local answer, message, name = waiter:join()
    if name ~= "ECANCELED" then w:wrong("a number that is closed gives %s, %s", tostring(answer), tostring(message)) end
    local begun = os.clock()
    loop.sleep(0.1)
    if os.clock() - begun > 0.05 then w:wrong "the loop spins after a number was closed" end
  end)
  copy:close()
  two:close()
end

-- An object of another library that has no descriptor any more, as it was closed, must not end the loop when that looks
-- for what else was closed.
function specials.foreign(w)
  local one, two = assert(lsocket.pair())
  local object = { getfd = function() return one and one:getfd() end }
  loop.run(function()
    local waiter = loop.spawn(loop.wait, object, "r")
    local other = loop.spawn(loop.deadline, 1, loop.wait, two, "r")
    loop.sleep(0)
    one:close()
    two:close()
    one = nil
    loop.sleep(0)
    waiter:cancel()
    for _, task in ipairs { other, waiter } do
      local answer, message, name = task:join()
      if name ~= "ECANCELED" then w:wrong("what was closed gives %s, %s", tostring(answer), tostring(message)) end
    end
  end)
end

-- A write and an accept that raise give their turns back, though their task goes on.
function specials.turn(w)
  local a, b = two_streams()
  local server = assert(loop.listen("127.0.0.1", 0))
  loop.run(function()
    local list = { ("x"):rep(250000), ("y"):rep(250000) }
    loop.spawn(function()
      loop.pcall(string.gsub, "x", "x", function() server:accept() end)
      loop.pcall(a.write, a, list)
      loop.sleep(0.7)
    end)
    loop.sleep(0)
    list[2] = {}
    local writer = loop.spawn(loop.deadline, 0.5, a.write, a, "again")
    local taker = loop.spawn(loop.deadline, 0.5, server.accept, server)
    loop.spawn(loop.deadline, 0.6, function() while b:readsome() do end end) -- luacheck: ignore 542
    local client = assert(loop.connect("127.0.0.1", server:info("socket").port))
    must(w, "a write after one that has raised", writer:join())
    local taken, message = taker:join()
    must(w, "an accept after one that has raised", taken, message)
    if taken then taken:close() end
    client:close()
  end)
  for _, object in ipairs { a, b, server } do object:close() end
end

-- A socket's method of the loop's own, which all streams that are made meanwhile send with, is replaced: fn(replace) is
-- called with a function that makes the next call raise.
local function with_failing_send(fn)
  local one, two = lsocket.pair()
  local meta = getmetatable(one)
  local send, failing = meta.__write, false
  meta.__write = function(...)
    if failing then
      failing = false
      error("no memory", 0)
    end
    return send(...)
  end
  stream.new(one)
  fn(function() failing = true end)
  meta.__write = send
  stream.new(one)
  one:close()
  two:close()
end

-- Sending raises in the middle of a write, whose task goes on: the others have their turn.
function specials.sender(w)
  with_failing_send(function(fail)
    local a, b = two_streams()
    loop.run(function()
      local failed
      loop.spawn(function()
        failed = not loop.pcall(a.write, a, ("x"):rep(500000))
        loop.sleep(0.3)
      end)
      loop.sleep(0)
      local writer = loop.spawn(loop.deadline, 0.2, a.write, a, "again")
      loop.sleep(0)
      fail()
      loop.spawn(loop.deadline, 0.3, function() while b:readsome() do end end) -- luacheck: ignore 542
      must(w, "a write whose sending raises does so", writer:join() and failed)
    end)
    a:close()
    b:close()
  end)
end

-- A task that waits to write comes before a writer which was woken, and has to wait again: that raises, and though its
-- task goes on, the others have their turn.
function specials.rival(w)
  local a, b = two_streams()
  loop.run(function()
    local failed
    local writer = loop.spawn(function()
      failed = not loop.pcall(loop.deadline, 0.4, a.write, a, ("x"):rep(3000000))
      loop.sleep(0.5)
    end)
    loop.sleep(0)
    local reader = loop.spawn(loop.deadline, 0.4, function() while b:readsome() do end end) -- luacheck: ignore 542
    repeat
      loop.sleep(0)
      loop.pcall(loop.wait, a, "w", 0.1)
    until failed ~= nil
    if failed then must(w, "a write after a rival's", loop.deadline(0.2, a.write, a, "again")) end
    writer:cancel()
    reader:cancel()
    writer:join()
    reader:join()
  end)
  a:close()
  b:close()
end

-- When the first task has failed every wait of the others says so, not just the next one.
function specials.goodbye(w)
  local names = {}
  raises(w, "the first task fails", function()
    for _, seconds in ipairs { 0, 10 } do
      loop.spawn(function()
        loop.sleep(5)
        for _ = 1, 3 do
          local _, _, name = loop.sleep(seconds)
          names[#names + 1] = name or "nothing"
        end
      end)
    end
    loop.sleep(0)
    error("the first task fails", 0)
  end)
  local told = table.concat(names, " ")
  if told ~= ("ECANCELED "):rep(5) .. "ECANCELED" then w:wrong("after the failure waits give %s", told) end
end

return specials
