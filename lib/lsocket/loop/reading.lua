-- Reading a stream: its buffer, the formats, and what ended it. Two fields of a stream are made when they are needed:
-- failure, what ended the connection (message, name), told when all that came before has been read; and stopped, why
-- lines() gave nothing more.
local check = require "lsocket.loop.check"
local fair = require "lsocket.loop.fair"
local lsocket = require "lsocket"
local receiving = require "lsocket.loop.receiving"
local rings = require "lsocket.loop.rings"
local timeouts = require "lsocket.loop.timeouts"
local waits = require "lsocket.loop.waits"

local wake, remove, new_buffer = waits.wake, table.remove, lsocket.buffer
local select, type = select, type
local await, yield_if, now, READ, start_timer = waits.read, waits.yield_if, waits.now, waits.READ, timeouts.start

local Reading = {}
local SIZE = 65536      -- bytes that are asked for at once
local MOST = 2147483647 -- what can be asked for
local LIMIT, RECEIVED = receiving.LIMIT, rings.AT_ONCE
local add, cause, received, with_more = receiving.add, receiving.cause, receiving.outcome, receiving.with_more
local CALLS, slice = fair.CALLS, fair.slice
local left = CALLS      -- calls that need not wait until the next look at the clock
local waited = false    -- has a task waited since the last one?

-- The methods of buffers and sockets, known when there is one.
local line_of, some_of, take_of, upto_of, peek_of, fill_of, size_of, recv

-- An empty buffer of the usual size that is no stream's, or none. A stream that waits with nothing in its buffer does
-- without one: so those who are silent take no memory for it. No two streams may ever have the same one, whatever a
-- debug hook or a finalizer does in between: a function in C takes it out, and only the loop lays one aside, when a
-- task has really stopped to wait, so that no call is inside of the buffer.
local spares = {}

function Reading.know(sock)
  recv = sock.recv
  if line_of then return end
  local buffer = new_buffer(LIMIT)
  upto_of, peek_of, fill_of, size_of = buffer.upto, buffer.peek, buffer.recv, getmetatable(buffer).__len
  some_of, take_of, line_of = buffer.some, buffer.take, buffer.line
  receiving.know(sock, buffer)
  spares[1] = buffer
end

-- A task waits to read from a stream that has a buffer.
local function lay_aside(self)
  local buffer = self.buffer
  if self.max or size_of(buffer) > 0 then return end
  self.buffer = false
  spares[1] = buffer
end
waits.set { lay_aside = lay_aside }

-- A stream that has no buffer needs one.
local function take_buffer(self)
  local buffer = not self.max and remove(spares) or new_buffer(self.max or LIMIT)
  if not self.buffer then self.buffer = buffer end -- or a finalizer has read meanwhile
end

-- ---- receiving ----

-- Has the task had its share of what needs no wait? Then the others have their turn: true | true, true: they have run |
-- nil, message, name
local function pause()
  if waited then waited, slice.began = false, false end
  local ok, message, name = fair.check()
  left = slice.calls
  return ok, message, name
end
Reading.pause = pause

-- Waits until a call is worth trying, where that is not what most waits are: "r" | true: other tasks have run, and may
-- have read | false, error | nil, message, name
local function prepare(self, max)
  local dry = self.dry
  if dry then
    left, waited = CALLS, true
    if dry ~= true and not dry.place then start_timer(dry) end
    return await(self, max)
  end
  if self.object:getfd() < 0 then return nil, "Bad file descriptor", "EBADF" end -- and does not pause again
  local ok, message, name = pause()
  if not ok then return nil, message, name end
  if self.closing then return nil, "Bad file descriptor", "EBADF" end -- what comes is not to be read any more
  self.dry = self.timer or true -- until a call takes all that it can
  return message or "r"
end

-- Something has been received while another task waits to read, which is to look into the buffer, too.
local function share(self)
  if timeouts.reads(self.r, self) then wake(self.r, true) end
end

-- A wait is over, and there is nothing to read: message, name
local function cut_off(ready, message, name)
  if ready == false then check.raise(message) end
  return message, name
end

-- Puts what a ring has received into the buffer, and goes on as fill does.
local function put(self, format, data, a, b, c)
  if not self.buffer then take_buffer(self) end
  local ok, message, name = add(self, data, SIZE)
  if not ok then return format.ended(self, cause(self, message, name)) end
  if self.r then share(self) end
  return format.take(self, a, b, c)
end

-- Receives into the buffer, and has what a format is about taken: what format.take(self, a, b, c) gives | where nothing
-- more comes, what format.ended(self, message, name) gives. To be called last, as it calls these: so a task that waits
-- has no more than this on its stack, which doubles where it is not enough; and LuaJIT, which compiles no function that
-- has a loop into what calls it, finds none.
local function fill(self, format, a, b, c)
  local ok, message, name
  local dry = self.dry
  if dry and not self.r then
    left, waited = CALLS, true
    if dry ~= true and not dry.place then start_timer(dry) end
    ok, message, name = yield_if(now.free, READ, self)
  else
    ok, message, name = prepare(self)
  end
  if ok ~= "r" then
    if ok == READ then ok, message, name = await(self) end
    if ok == "d" then return put(self, format, message, a, b, c) end
    if ok == "e" then
      ok, message, name = received(self, message)
      if ok == nil then return format.ended(self, message, name) end
    elseif not ok then
      return format.ended(self, cut_off(ok, message, name))
    elseif ok ~= "r" then
      self.dry = false -- where nothing has come meanwhile there is no need of a wait, either
      return format.take(self, a, b, c)
    end
  end
  if not self.buffer then take_buffer(self) end
  ok, message, name = fill_of(self.buffer, self.object, SIZE)
  if ok then
    if ok >= SIZE then self.dry = false end
    if self.r then share(self) end
    return format.take(self, a, b, c)
  end
  if ok == nil then return format.ended(self, cause(self, message, name)) end
  return fill(self, format, a, b, c)
end

-- What a read gives when nothing more comes: what is left, as the method of buffers takes it, then the failure, or nil
-- alone at the end. A wait that was cut off is told at once.
local function at_end(self, message, name, take)
  local failure, buffer = self.failure, self.buffer
  if message and not (failure and failure.message == message) then return nil, message, name end
  local rest = buffer and (take or some_of)(buffer)
  if rest then return rest end
  if message then return nil, message, name end
  return nil
end

-- ---- formats ----

local line = { ended = at_end }

local function take_line(self, keep)
  local buffer = self.buffer
  if buffer then
    local data, message, name = line_of(buffer, keep)
    if data then return data end
    if data == nil then return nil, message, name end
  end
  return fill(self, line, keep)
end
line.take = take_line

local function take_block(self, bytes, format)
  local buffer = self.buffer
  if buffer and #buffer >= bytes then return take_of(buffer, bytes) end
  if bytes == 0 then return "" end
  return fill(self, format, bytes, format)
end

local block, exactly = { take = take_block, ended = at_end }, { take = take_block }

local all = {}

function all.take(self)
  return fill(self, all)
end

-- A failure is told in place of all that came, which stays to be read otherwise.
function all.ended(self, message, name)
  if message then return nil, message, name end
  return self.buffer and some_of(self.buffer) or ""
end

local record = {}

function record.take(self, delimiter, max, keep)
  local buffer = self.buffer
  if buffer then
    local data, message, name = upto_of(buffer, delimiter, max, keep)
    if data then return data end
    if data == nil then return nil, message, name end
  end
  return fill(self, record, delimiter, max, keep)
end

-- true: the end has cut it off
function record.ended(self, message, name)
  local rest
  rest, message, name = at_end(self, message, name)
  if rest then return rest, true end
  if message then return nil, message, name end
  return nil
end

function exactly.ended(self, message, name)
  if message then return nil, message, name end
  if self:buffered() > 0 then return nil, "Broken pipe", "EPIPE" end
  return nil
end

local ahead = {}

function ahead.take(self, bytes)
  local buffer = self.buffer
  if buffer and #buffer >= (bytes or 1) then return peek_of(buffer, bytes) or "" end
  if bytes == 0 then return "" end
  return fill(self, ahead, bytes)
end

function ahead.ended(self, message, name)
  return at_end(self, message, name, peek_of)
end

local function is_count(format)
  return type(format) == "number" and format >= 0 and format <= MOST and format % 1 == 0
end

local known = { l = true, ["*l"] = true, L = true, ["*L"] = true, a = true, ["*a"] = true }

local function check_format(format, arg, name)
  if format ~= nil and not known[format] and not is_count(format) then
    check.fail(arg, name, "l, L, a or a count expected")
  end
end

local function read_format(self, format, arg)
  if format == nil or format == "l" or format == "*l" then return take_line(self, false) end
  if is_count(format) then return take_block(self, format, block) end
  if format == "L" or format == "*L" then return take_line(self, true) end
  if format == "a" or format == "*a" then return all.take(self) end
  check_format(format, arg, "read")
end

local function read_each(self, at, count, format, ...) -- in Lua 5.1 arg has a meaning where there are dots
  local data, message, name = read_format(self, format, at)
  if message then return nil, message, name end
  if data == nil then return nil end
  if at >= count then return data end
  return data, read_each(self, at + 1, count, ...)
end

-- Nothing is taken before all of them are known to be right.
local function read_formats(self, count, ...)
  for i = 1, count do check_format((select(i, ...)), i, "read") end
  return read_each(self, 1, count, ...)
end

-- Another task reads from it, or seems to, as it does not know yet that the socket has been closed under it.
local function complain(self, name)
  check.stream(self, 1, name)
  if self.object:getfd() >= 0 and not self.closing then check.raise "another task is reading from it already" end
  return nil, "Bad file descriptor", "EBADF"
end

-- ---- what the methods do ----

-- stream:read([format, ...]) -> string, ... | nil | nil, message, name;  the first that fails is the last
local function read(self, ...)
  if type(self) ~= "table" or self.r ~= false then return complain(self, "read") end
  left = left - 1
  if left < 0 then
    local ok, message, name = pause()
    if not ok then return nil, message, name end
  end
  local count = select("#", ...)
  if count == 0 then return take_line(self, false) end
  if count == 1 then return read_format(self, (...), 1) end
  return read_formats(self, count, ...)
end
Reading.read, Reading.check_format = read, check_format

-- What a method begins with: true | nil, message, name: what it gives in place of what it is for
local function begin(self, name)
  if type(self) ~= "table" or self.r ~= false then return complain(self, name) end
  left = left - 1
  if left < 0 then return pause() end
  return true
end

-- stream:readuntil(delimiter [, max [, keep]]) -> string, with the delimiter if keep | string, true: the end of the
-- stream has cut it off | nil | nil, message, name
function Reading:readuntil(delimiter, max, keep)
  local ok, message, name = begin(self, "readuntil")
  check.delimiter(delimiter, 1, "readuntil")
  if max ~= nil then check.size(max, 2, "readuntil") end
  if not ok then return nil, message, name end
  return record.take(self, delimiter, max, keep)
end

-- stream:readexactly(count) -> string | nil: the end is there | nil, message, name;  what came before stays to be read.
-- "EPIPE": the end came too soon
function Reading:readexactly(bytes)
  local ok, message, name = begin(self, "readexactly")
  check.count(bytes, 1, "readexactly")
  if not ok then return nil, message, name end
  return take_block(self, bytes, exactly)
end

-- stream:peek([count]) -> string: so many bytes, fewer at the end; without count, what there is | nil |
-- nil, message, name;  what it gives stays to be read
function Reading:peek(bytes)
  local ok, message, name = begin(self, "peek")
  if bytes ~= nil then check.count(bytes, 1, "peek") end
  if not ok then return nil, message, name end
  return ahead.take(self, bytes)
end

-- stream:buffered() -> how many bytes can be read without waiting
function Reading:buffered()
  check.stream(self, 1, "buffered")
  local buffer = self.buffer
  return buffer and #buffer or 0
end

-- What the buffer has: string | false | nil, message, name
local function read_buffer(self, max)
  if self.r then return complain(self, "readsome") end
  left = left - 1
  if left < 0 then
    local ok, message, name = pause()
    if not ok then return nil, message, name end
  end
  return self.buffer and some_of(self.buffer, max) -- which another task may have emptied meanwhile
end

-- stream:readsome([max]) -> string | nil | nil, message, name
local function readsome(self, max)
  do
    local buffer = self and self.buffer
    if buffer ~= false or max ~= nil then
      if buffer == nil then check.stream(self, 1, "readsome") end
      if max ~= nil then check.size(max, 1, "readsome") end
      if buffer and #buffer > 0 then
        local data, message, name = read_buffer(self, max)
        if data ~= false then return data, message, name end
      end
    end
  end
  local data, message, name
  local dry = self.dry
  if dry and not self.r then -- as fill does
    left, waited = CALLS, true
    if dry ~= true and not dry.place then start_timer(dry) end
    data, message, name = yield_if(now.free, READ, self, max)
  else
    data, message, name = prepare(self, max)
  end
  if data ~= "r" then
    if data == READ then data, message, name = await(self, max) end
    if data == "d" then
      if #message >= RECEIVED then return with_more(self, message, max or SIZE) end
      if #message == max then self.dry = false end
      return message
    end
    if data == "e" then
      data, message, name = received(self, message)
      if data == nil then return at_end(self, message, name) end
    elseif not data then
      return nil, cut_off(data, message, name)
    elseif data ~= "r" then
      data = self.buffer and some_of(self.buffer, max)
      if data then return data end
    end
  end
  data, message, name = recv(self.object, max)
  if data then
    if #data >= (max or SIZE) then self.dry = false end
    return data
  end
  if data == nil then return at_end(self, cause(self, message, name)) end
  return readsome(self, max)
end
Reading.readsome = readsome

return Reading
