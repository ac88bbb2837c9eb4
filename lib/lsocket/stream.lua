-- Streams: a socket that tasks read and write as if they waited for it. Where its bytes come from and go to is left to
-- the loop.
local lsocket = require "lsocket"
local check = require "lsocket.check"
local tasks = require "lsocket.tasks"

local unpack = table.unpack or unpack -- luacheck: ignore 143
local await, await_readable = tasks.await, tasks.await_readable

local stream = {}
local Stream = {}
local metatable = { __index = Stream, __name = "stream", __type = "stream" }

local SIZE = 65536     -- bytes that are asked for at once
local MOST = 2147483647 -- what can be asked for
local LIMIT = 1048576  -- the longest line or record, where nothing else is said
local BURST = 64       -- calls in a row that need not wait; then the other tasks have their turn

local streak = 0       -- such calls since a task has last waited

-- ---- making one ----

local recv, sendrest   -- the methods of sockets, known when there is one

-- stream.new(socket [, options]) -> stream;  options.max: bytes of the longest line or record
-- Further fields are there when they are needed: queue: the tasks that want to write after the one that does; failure:
-- what ended the connection, where a write was told and no read yet: message and name.
function stream.new(sock, options)
  check.socket(sock, 1, "new")
  check.options(options, 2, "new")
  recv, sendrest = sock.recv, sock.sendrest
  local self = setmetatable({
    buffer = false,  -- what was received and not read yet; made when it is needed
    dry = true,      -- false: the last call took all that it could, and there may be more
    writing = false, -- a task has begun to write and has not finished
    max = options and options.max or LIMIT,
    object = false, r = false, w = false, events = false,
  }, metatable)
  return tasks.watch(self, sock)
end

-- ---- reading ----

local function check_reader(self)
  if self.r then error("another task is reading from it already", 3) end
end

-- After many calls that need not wait: true | nil, message, name
local function pause()
  streak = 0
  return tasks.pause()
end

-- Waits until a call is worth trying: true | nil, message, name
local function prepare(self)
  if self.dry then
    streak = 0
    return await_readable(self)
  end
  self.dry = true -- until a call takes all that it can
  streak = streak + 1
  if streak > BURST then return pause() end
  return true
end

-- The kernel tells once what ended a connection. If a write has heard it, recv answers a mere end, and who reads would
-- take for whole what was cut off. What recv has answered: message, name | nothing: the end
local function cause(self, message, name)
  local failure = self.failure
  if message or not failure then return message, name end
  self.failure = nil
  return failure.message, failure.name
end

-- Receives into the buffer: true | nil: the end | nil, message, name
local function fill(self)
  local buffer = self.buffer
  while true do
    local ok, message, name = prepare(self)
    if not ok then return nil, message, name end
    ok, message, name = buffer:recv(self.object, SIZE)
    if ok then
      if ok >= SIZE then self.dry = false end
      return true
    end
    if ok == nil then return nil, cause(self, message, name) end
  end
end

local function buffer_of(self)
  local buffer = self.buffer
  if not buffer then
    buffer = lsocket.buffer(self.max)
    self.buffer = buffer
  end
  return buffer
end

-- What a read answers when nothing more comes: its failure, or else what is left, or else nil alone.
local function at_end(buffer, message, name)
  if message then return nil, message, name end
  return buffer and buffer:some() or nil
end

local function read_line(self, keep)
  local buffer = buffer_of(self)
  while true do
    local line, message, name = buffer:line(keep)
    if line then return line end
    if line == nil then return nil, message, name end
    line, message, name = fill(self)
    if not line then
      return at_end(buffer, message, name)
    end
  end
end

local function read_count(self, count)
  local buffer = buffer_of(self)
  while #buffer < count or #buffer == 0 do
    local ok, message, name = fill(self)
    if not ok then
      return at_end(buffer, message, name)
    end
  end
  return buffer:take(count)
end

local function read_all(self)
  local buffer = buffer_of(self)
  local ok, message, name
  repeat
    ok, message, name = fill(self)
  until not ok
  if message then return nil, message, name end
  return buffer:some() or ""
end

local function read_format(self, format)
  if format == nil or format == "l" or format == "*l" then return read_line(self, false) end
  if type(format) == "number" and format >= 0 and format <= MOST and format % 1 == 0 then
    return read_count(self, format)
  end
  if format == "L" or format == "*L" then return read_line(self, true) end
  if format == "a" or format == "*a" then return read_all(self) end
  error("bad argument #1 to 'read' (l, L, a or a count expected)", 0)
end

local function read_formats(self, count, format, ...)
  local data, message, name = read_format(self, format)
  if data == nil then return at_end(nil, message, name) end
  if count <= 1 then return data end
  return data, read_formats(self, count - 1, ...)
end

-- stream:read([format, ...]) -> string, ... | nil | nil, message, name;  the first that fails is the last
function Stream:read(...)
  check_reader(self)
  local count = select("#", ...)
  if count <= 1 then return read_format(self, (...)) end
  return read_formats(self, count, ...)
end

local function next_line(self)
  return self:read("l")
end

-- stream:lines([format, ...]) -> iterator, which ends where read gives nil
function Stream:lines(...)
  local count, formats = select("#", ...), { ... }
  if count == 0 then return next_line, self end
  return function() return self:read(unpack(formats, 1, count)) end
end

-- stream:readuntil(delimiter [, max]) -> string without it | string, true: the end of the stream has cut it off | nil |
-- nil, message, name
function Stream:readuntil(delimiter, max)
  check_reader(self)
  local buffer = buffer_of(self)
  while true do
    local record, message, name = buffer:upto(delimiter, max)
    if record then return record end
    if record == nil then return nil, message, name end
    record, message, name = fill(self)
    if not record then
      record, message, name = at_end(buffer, message, name)
      if record then return record, true end
      return nil, message, name
    end
  end
end

-- stream:readsome([max]) -> string | nil | nil, message, name
function Stream:readsome(max)
  if max then check.size(max, 1, "readsome") end
  local buffer = self.buffer
  if buffer and #buffer > 0 then
    check_reader(self)
    return buffer:some(max)
  end
  while true do
    local ok, message, name
    if self.dry then -- as prepare does
      streak = 0
      ok, message, name = await_readable(self)
    else
      ok, message, name = prepare(self)
    end
    if not ok then return nil, message, name end
    ok, message, name = recv(self.object, max)
    if ok then
      if #ok >= (max or SIZE) then self.dry = false end
      return ok
    end
    if ok == nil then return at_end(nil, cause(self, message, name)) end
  end
end

-- ---- writing ----

-- Waits for those that write already, and lets the next one begin.
local function take_turn(self)
  if not self.writing then
    self.writing = true
    return true
  end
  self.queue = self.queue or {}
  return tasks.queue(self.queue)
end

local function give_turn(self)
  self.writing = self.queue and tasks.wake_first(self.queue)
end

local fatal = { ECONNRESET = true, ETIMEDOUT = true, EHOSTUNREACH = true, ENETUNREACH = true }

-- What a write answers when the kernel refuses what is left from a place on.
local function fail(self, message, name, first)
  if fatal[name] then self.failure = { message = message, name = name } end
  return nil, message, name, first - 1
end

-- Sends the pieces from a place on: true | nil, message, name, bytes that have been taken
local function send_rest(self, first, ...)
  while first ~= true do
    local ok, message, name = await(self, "w")
    if not ok then return nil, message, name, first - 1 end
    ok, message, name = sendrest(self.object, first, ...)
    if ok == nil then return fail(self, message, name, first) end
    first = ok or first
  end
  return true
end

-- The same in turn with other tasks.
local function send_in_turn(self, first, ...)
  local ok, message, name = take_turn(self)
  if not ok then return nil, message, name, 0 end
  local sent
  ok, message, name, sent = send_rest(self, first, ...)
  give_turn(self)
  if ok then return true end
  return nil, message, name, sent
end

-- stream:write(data, ...) -> true: the kernel has taken it all | nil, message, name, bytes that it has taken
function Stream:write(...)
  streak = streak + 1
  if streak > BURST then
    local ok, message, name = pause()
    if not ok then return nil, message, name, 0 end
  end
  if self.writing then return send_in_turn(self, 1, ...) end -- perhaps only since the pause
  local next, message, name = sendrest(self.object, 1, ...)
  if next == true then return true end
  if next == nil then return fail(self, message, name, 1) end
  return send_in_turn(self, next or 1, ...)
end

-- ---- the rest ----

-- stream:close() -> true;  whoever waits for it gets nil, message, "ECANCELED"
function Stream:close()
  tasks.release(self)
  if self.queue then tasks.dismiss(self.queue) end
  return self.object:close()
end
metatable.__close = Stream.close

function metatable:__tostring()
  return "stream: " .. tostring(self.object)
end

-- stream:getsocket() -> the socket, which the stream still owns
function Stream:getsocket()
  return self.object
end

for _, method in ipairs { "getfd", "info", "getopt", "setopt", "shutdown" } do
  Stream[method] = function(self, ...)
    local object = self.object
    return object[method](object, ...)
  end
end

return stream
