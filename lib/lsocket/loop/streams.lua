-- Streams: the class. What is read and written is in reading.lua and writing.lua; where the bytes come from and go to
-- is left to the loop.
local check = require "lsocket.loop.check"
local lines = require "lsocket.loop.lines"
local lsocket = require "lsocket"
local owners = require "lsocket.loop.owners"
local queues = require "lsocket.loop.queues"
local reading = require "lsocket.loop.reading"
local rings = require "lsocket.loop.rings"
local timeouts = require "lsocket.loop.timeouts"
local waits = require "lsocket.loop.waits"
local watches = require "lsocket.loop.watches"
local writing = require "lsocket.loop.writing"

local streams = {}

-- Closes a socket without a word: known when there is one.
local drop

-- Whoever waits for it gets nil, message, "ECANCELED".
local function dismiss(self)
  if self.holder then rings.flush(self) end
  watches.release(self)
  if self.queue then queues.dismiss(self.queue) end
  if self.closing then queues.dismiss(self.closing) end
end

local Stream = {
  buffered = reading.buffered, lines = lines.lines, peek = reading.peek, read = reading.read,
  readexactly = reading.readexactly, readsome = reading.readsome, readuntil = reading.readuntil,
  sendfile = writing.sendfile, status = lines.status, write = writing.write,
}
streams.class = Stream

local kinds = {} -- [metatable] = true

-- Closes at once, as after a failure: a layer under the socket does not say that this was all.
function streams.drop(self)
  dismiss(self)
  return drop(self.object)
end

-- Makes a metatable for streams of a class. Lua gives __close an error, too, if one has ended the block.
function streams.kind(class)
  local function close(self, problem)
    if problem == nil then return class.close(self) end
    return streams.drop(self)
  end
  local function tostring_of(self) return "stream: " .. tostring(self.object) end
  local metatable = {
    __index = class, __name = "stream", __type = "stream", __close = close, __tostring = tostring_of,
  }
  kinds[metatable] = true
  return metatable
end

local metatable = streams.kind(Stream)

function check.stream(value, arg, name)
  if not kinds[getmetatable(value)] then check.fail(arg, name, "stream expected, got " .. type(value)) end
end

-- Makes a stream of a socket that is one of type stream and does not listen.
-- Eight fields are what a table has room for before it doubles. Further ones are there when they are needed: max, where
-- it is not the usual one, failure and stopped (see reading.lua), queue (see queues.lua), timer (see timeouts.lua).
function streams.make(sock, options)
  reading.know(sock)
  writing.know(sock)
  drop = getmetatable(sock).__drop
  local self = setmetatable({
    buffer = false, -- what was received and not read yet
    dry = true,     -- false: the last call took all that it could, and there may be more
    holder = false, -- the task whose turn to write it is
    object = sock, r = false, events = false, w = false, lapsed = false, -- a watch's
  }, metatable)
  if options then
    if options.max then self.max = options.max end
    if options.timeout then timeouts.set(self, options.timeout) end
  end
  return self
end

-- The stream that something is, or nil.
function streams.is(value)
  return kinds[getmetatable(value)] and value or nil
end

-- Has something been received already that will be read next?
function streams.is_filled(self)
  return self.buffer and #self.buffer > 0
end

-- stream:settimeout(seconds) -> true;  no wait of the stream lasts longer; false: as long as it likes
function Stream:settimeout(seconds)
  check.stream(self, 1, "settimeout")
  check.timeout(seconds, 1, "settimeout")
  timeouts.set(self, seconds)
  writing.limit(self)
  return true
end

-- An end that did not say so is one, too, where what comes is forgotten.
local ends = { ETLS_TRUNCATED = true }

-- Takes what comes, and forgets it, until the end is there; and until it has said that this end has ended, for which a
-- layer may need room: true | false: it is not in so many seconds | nil, message, name. It always waits before it
-- takes, so that no other task can begin to read meanwhile.
local function discard(self, said, seconds)
  local stop, rest = lsocket.now() + seconds, seconds
  repeat
    local ok, message, name = watches.wait(self, (said or writing.is_stalled(self)) and "r" or "rw", rest)
    if not ok then return ok, message, name end
    if not said then said, message, name = self.object:shutdown "w" end
    if said == nil then return nil, message, name end
    ok, message, name = self.object:recv()
    if ok == nil and (not name or ends[name]) then return true end
    if ok == nil then return nil, message, name end
    rest = stop - lsocket.now()
  until rest <= 0 -- which no timer tells while something is there
  return false
end

-- The other end may be sending still: to close now would reset the connection, and take away what was sent and is not
-- read there yet. So this end says that it has ended, and takes what comes until the other one has ended, too: true |
-- false: it has not in time | nil, message, name
local function part(self, grace)
  self.closing = queues.new() -- of tasks that close it, too; a read from now on comes too late
  self.dry = false -- so that a read looks whether it is closing
  if self.buffer then self.buffer:clear() end
  dismiss(self)
  local ok, message, name = self.object:shutdown "w"
  if ok ~= nil then return discard(self, ok, grace) end
  if name == "ENOTSOCK" then return true end -- a pipe
  return nil, message, name
end

-- The tasks that wait for the same end are told of it; without one they hear that the stream was closed.
local function tell(self, ok, message, name)
  if ok then queues.wake_all(self.closing, true) end
  return ok, message, name
end

local function is_closed(self)
  return self.object:getfd() < 0
end

-- Parts, or waits for the task that does so already: as part
local function close_gracefully(self, grace)
  waits.this()
  if is_closed(self) then return true end
  local ok, message, name = waits.pause() -- where it cannot wait it raises, and has changed nothing
  if not ok then return nil, message, name end
  if is_closed(self) then return true end
  if self.closing then return queues.wait(self.closing, grace) end
  return tell(self, part(self, grace))
end

-- stream:close([grace]) -> true | false: the other end has not ended in so many seconds | nil, message, name
function Stream:close(grace)
  check.stream(self, 1, "close")
  local ok, message, name = true, nil, nil
  if grace ~= nil then
    check.seconds(grace, 1, "close")
    ok, message, name = close_gracefully(self, grace)
  end
  dismiss(self)
  self.object:close()
  if ok ~= nil then return ok end
  return nil, message, name
end

-- stream:getsocket() -> the socket, which the stream still owns
function Stream:getsocket()
  check.stream(self, 1, "getsocket")
  owners.note(self.object, "a stream's")
  if self.holder then rings.submit() end
  return self.object
end

-- stream:getfd() -> descriptor, negative when it is closed
function Stream:getfd()
  check.stream(self, 1, "getfd")
  return self.object:getfd()
end

for _, name in ipairs { "info", "getopt", "setopt", "shutdown" } do
  Stream[name] = function(self, ...)
    check.stream(self, 1, name)
    if self.holder then rings.submit() end -- what another task writes leaves before
    return check.method(self.object, name, ...)
  end
end

return streams
