-- Writing a stream: all of it, in turn with the other tasks that write.
--
-- A write that need not wait is done at once. One that has to wait has the stream's turn until it has ended; those that
-- come meanwhile stand in its queue.
local check = require "lsocket.loop.check"
local fair = require "lsocket.loop.fair"
local lsocket = require "lsocket"
local queues = require "lsocket.loop.queues"
local reading = require "lsocket.loop.reading"
local rings = require "lsocket.loop.rings"
local timeouts = require "lsocket.loop.timeouts"
local waits = require "lsocket.loop.waits"
local watches = require "lsocket.loop.watches"

local await_turn, hold, pass_on = queues.await_turn, queues.hold, queues.pass_on
local enter, this, wait, pcall, type = watches.one.enter, waits.this, waits.wait, pcall, type
local may_send, WRITE, yield = waits.may_send, waits.WRITE, coroutine.yield
local clock, timed_out = lsocket.now, waits.timed_out

local MOST_BY_RING = rings.AT_ONCE
local STALL = 0.01 -- seconds between two looks whether a stall is over

local Writing = {}

local slice = fair.slice
local left = fair.CALLS -- calls until the next look at the clock

local ringed = false -- does the loop use a ring?
rings.tell(function(on) ringed = on end)

-- Send what is left, and from a file: methods of sockets, known when there is one.
local send, send_file

function Writing.know(sock)
  send, send_file = getmetatable(sock).__write, sock.sendfile
end

local fatal = { ECONNRESET = true, ETIMEDOUT = true, EHOSTUNREACH = true, ENETUNREACH = true }

-- What a write gives when the kernel refuses what is left from a place on. Whoever reads is told, too.
local function fail(self, message, name, first)
  if fatal[name] and not self.failure then self.failure = { message = message, name = name } end
  return nil, message, name, first - 1
end

-- The wait for room, which takes the stream's turn as it begins, so that a wait that raises has not got it.
-- events: "w"; in a handshake "r" as well.
local in_turn = { leave = watches.one.leave }

-- false, error where it cannot be waited for
function in_turn.enter(task, self, events)
  hold(self, task)
  local entered, ok, message, name = pcall(enter, task, self, events)
  if not entered then return false, ok end
  return ok, message, name
end

-- How long a wait may last, or nil.
local function longest(self)
  return self.timer and self.timer.seconds
end
Writing.longest = longest

-- The time-out has changed: it is for the waits that are under way, too.
function Writing.limit(self)
  local seconds, holder = longest(self), self.holder
  if holder and (holder.wait == in_turn or holder.wait == self and self.r ~= holder) then
    timeouts.limit(holder, seconds)
  end
  local task = self.queue and self.queue.first
  while task do
    timeouts.limit(task, seconds)
    task = task.behind
  end
end

-- Waits for events in the stream's turn: true | nil, message, name | false, error
function Writing.await(self, events, seconds)
  local ok, message, name = wait(in_turn, self, events, seconds)
  if ok == false and not message then return timed_out() end
  return ok, message, name
end

-- [metatable] = true: streams of this kind may have a layer that can send nothing, however much room there is, before
-- the rest of a message has come.
Writing.stalling = {}

function Writing.is_stalled(self)
  if not Writing.stalling[getmetatable(self)] then return false end
  local ok, way = self.object:handshake()
  return ok == false and way == "r"
end

-- Waits in the stream's turn for time alone. What comes may be another task's to receive.
local stalled = { leave = function() end }

function stalled.enter(task, self)
  hold(self, task)
  return true
end

-- Waits until a stall is over: true | nil, message, name
local function outlast(self)
  local began = clock()
  repeat
    local seconds = longest(self)
    if seconds and clock() - began >= seconds then return timed_out() end
    local ok, message, name = wait(stalled, self, nil, STALL)
    if ok == nil then return nil, message, name end
  until not Writing.is_stalled(self)
  return true
end

-- Waits for room. again: there was some, and yet nothing was taken
local function await_room(self, again)
  if again and Writing.is_stalled(self) then return outlast(self) end
  return Writing.await(self, "w", longest(self))
end
Writing.await_room = await_room

-- Sends the pieces from a place on: true | nil, message, name, bytes that have been taken | false, error
local function send_rest(self, first, ...)
  local again
  while first ~= true do
    local ok, message, name = await_room(self, again)
    if not ok then return ok, message, name, first - 1 end
    local called
    called, ok, message, name = pcall(send, self.object, first, ...)
    if not called then return false, ok end
    if ok == nil then return fail(self, message, name, first) end
    again, first = not ok, ok or first
  end
  return true
end

-- The task's turn is over, and what it did in it has given this: the same, an error raised.
local function end_turn(self, task, ok, message, name, sent)
  pass_on(self, task)
  if ok then return ok end
  if ok == false then check.raise(message) end
  return nil, message, name, sent
end

-- Calls fn(self, ...), which waits in the stream's turn; sent: bytes that have been taken before.
local function call_in_turn(self, sent, fn, ...)
  local task = this()
  local ok, message, name = await_turn(self, longest(self))
  if ok == false then ok, message, name = timed_out() end
  if not ok then return nil, message, name, sent end
  if self.object:getfd() < 0 then -- the one that had the turn before has closed it
    return end_turn(self, task, nil, "Bad file descriptor", "EBADF", sent)
  end
  return end_turn(self, task, fn(self, ...))
end
Writing.call_in_turn = call_in_turn

local function send_in_turn(self, first, ...)
  return call_in_turn(self, first - 1, send_rest, first, ...)
end

local function check_pieces(...)
  local count = select("#", ...)
  if count == 1 and type(...) == "table" then return check.strings(..., 1, "write") end
  for i = 1, count == 0 and 1 or count do check.data((select(i, ...)), i, "write") end
end

-- What a ring has come to that was to send the pieces. Where that was some of it, or none, the task has the turn still.
local function outcome(self, what, message, name, ...)
  local _
  if type(what) == "number" then
    local task = this()
    hold(self, task)
    return end_turn(self, task, send_rest(self, what + 1, ...))
  end
  if what then return fail(self, what.message, what.name, 1) end
  if what == false then _, message, name = timed_out() end
  what = rings.sent(name)
  if what == true then return true end
  return nil, message, name, what
end

local function pause()
  local ok, message, name = reading.pause()
  left = slice.calls
  return ok, message, name
end

-- stream:write(data, ...) -> true: the kernel has taken it all | nil, message, name, bytes that it has taken
function Writing:write(...)
  left = left - 1
  if left < 0 then
    check.stream(self, 1, "write")
    local ok, message, name = pause()
    if not ok then return nil, message, name, 0 end
  end
  if not self or self.holder ~= false then -- perhaps only since the pause
    check.stream(self, 1, "write")
    check_pieces(...)
    return send_in_turn(self, 1, ...)
  end
  if ringed and not self.timer and may_send(self.object) then
    local data = ...
    if type(data) == "string" and data ~= "" and #data <= MOST_BY_RING and select("#", ...) == 1 then
      local what, message, name = yield(WRITE, self, data)
      if what == true then return true end
      return outcome(self, what, message, name, data)
    end
  end
  local next, message, name = send(self.object, 1, ...)
  if next == true then return true end
  if next == nil then
    if name == "EINVAL" or name == "EBADF" then check_pieces(...) end
    return fail(self, message, name, 1)
  end
  return send_in_turn(self, next or 1, ...)
end

-- ---- files ----

local AT_ONCE = 16   -- calls that the kernel may satisfy at once before the other tasks have their turn
local MOST = 2 ^ 53  -- bytes of a file

-- Sends up to so many bytes of a file: bytes that have been taken, is that all? | nil, message, name, bytes that have
-- been taken | false, error
local function send_what_fits(self, file, offset, count)
  local sent = 0
  for _ = 1, AT_ONCE do
    local called, taken, message, name = pcall(send_file, self.object, file, offset + sent, count - sent)
    if not called then return false, check.renamed(taken, "sendfile") end
    if taken == nil then return fail(self, message, name, sent + 1) end
    if not taken then return sent, false end
    sent = sent + taken
    if taken == 0 or sent == count then return sent, true end
  end
  return sent, false
end

-- Goes on after so many bytes: bytes that have been taken | as send_what_fits
local function send_file_rest(self, sent, file, offset, count)
  local ended, again
  while not ended do
    local ok, message, name = await_room(self, again)
    if not ok then return ok, message, name, sent end
    local more
    ok, message, name, more = send_what_fits(self, file, offset + sent, count - sent)
    if not ok then return ok, message, name, sent + (more or 0) end
    sent, ended, again = sent + ok, message, ok == 0
  end
  return sent
end

-- stream:sendfile(file [, offset [, count]]) -> count: bytes of it that the kernel has taken, all that were wanted or
-- up to the file's end | nil, message, name, count
function Writing:sendfile(file, offset, count)
  check.stream(self, 1, "sendfile")
  if offset ~= nil then check.whole(offset, 2, "sendfile") end
  if count ~= nil then check.whole(count, 3, "sendfile") end
  offset, count = offset or 0, count or MOST
  left = left - 1
  local ok, message, name, sent
  if left < 0 then
    ok, message, name = pause()
    if not ok then return nil, message, name, 0 end
  end
  if self.holder ~= false then
    check.method(self.object, "sendfile", file, offset, 0) -- a mistake is told before the turn has come
    return call_in_turn(self, 0, send_file_rest, 0, file, offset, count)
  end
  ok, message, name, sent = send_what_fits(self, file, offset, count)
  if ok == false then check.raise(message) end
  if not ok then return nil, message, name, sent end
  if message then return ok end
  return call_in_turn(self, ok, send_file_rest, ok, file, offset, count)
end

return Writing
