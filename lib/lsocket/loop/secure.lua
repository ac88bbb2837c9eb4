-- Streams with TLS: the handshake, and what is different when it has finished.
--
-- A stream whose handshake has not finished has the metatable pending: its methods finish the handshake and then do
-- what they are for. Afterwards it has the metatable secured, and reads and writes as any other stream. So a stream
-- without TLS pays nothing. The task that waits in the handshake has the stream's turn to write; the others stand in
-- its queue. A handshake that was cut off by a cancel or a deadline goes on with the next call.
local check = require "lsocket.loop.check"
local contexts = require "lsocket.loop.contexts"
local lsocket = require "lsocket"
local protect = require "lsocket.loop.protect"
local queues = require "lsocket.loop.queues"
local rings = require "lsocket.loop.rings"
local streams = require "lsocket.loop.streams"
local timers = require "lsocket.loop.timers"
local waits = require "lsocket.loop.waits"
local writing = require "lsocket.loop.writing"

local clock, this, timed_out = lsocket.now, waits.this, waits.timed_out
local await_turn, pass_on = queues.await_turn, queues.pass_on

local secure = {}

local Plain = streams.class
local Secured, Pending = {}, {}
local secured, pending = streams.kind(Secured), streams.kind(Pending)
for name, method in pairs(Plain) do Secured[name], Pending[name] = method, method end
writing.stalling[secured] = true

-- ---- the handshake ----

-- What came behind the handshake may be here already.
local function finished(self)
  self.dry = false
  setmetatable(self, secured)
end

-- The handshake has failed: every later call returns why.
local function fail(self, message, name)
  self.failure = { message = message, name = name }
  return nil, message, name
end

-- Waits for what the handshake needs: true | nil, message, name | false, error
local function await(self, way, due)
  local left = timers.earlier(writing.longest(self), due and due - clock())
  if left and left <= 0 then return timed_out() end
  local ok, message, name = writing.await(self, way, left and left < math.huge and left or nil)
  if ok then return true end
  return ok, message, name
end

-- Takes the handshake to its end, or to where the program has to choose a context: true | "hello" | as await
local function shake(self, due)
  while true do
    local ok, message, name = self.object:handshake()
    if ok then
      finished(self)
      return true
    end
    if ok == nil then return fail(self, message, name) end
    if message == "hello" then return "hello" end
    ok, message, name = await(self, message, due)
    if not ok then return ok, message, name end
  end
end

-- The turn is free: another task may have finished the handshake, or closed the stream, meanwhile.
local function shake_in_turn(self, due)
  if getmetatable(self) == secured then return true end
  if self.object:getfd() < 0 then return nil, "Bad file descriptor", "EBADF" end
  local failure = self.failure
  if failure then return nil, failure.message, failure.name end
  return shake(self, due)
end

-- Finishes the handshake of a stream, if it has not finished: true | "hello" | nil, message, name
local function finish(self, due)
  if getmetatable(self) == secured then return true end
  local task = this()
  local ok, message, name = await_turn(self, writing.longest(self))
  if ok == false then return timed_out() end
  if not ok then return nil, message, name end
  ok, message, name = shake_in_turn(self, due)
  pass_on(self, task)
  if ok == false then check.raise(message) end
  return ok, message, name
end
secure.finish = finish

-- The same where nothing can be chosen: true | nil, message, name
local function finish_alone(self)
  local ok, message, name = finish(self)
  if ok == "hello" then check.raise "the handshake waits for the context to be chosen: see stream:handshake" end
  return ok, message, name
end

-- Begins TLS on a stream, whose first call that waits finishes the handshake: true | nil, message, name
-- received: what has come already
local function start(self, context, host, received)
  local ok, message, name = context:start(self.object, host, received and { received = received })
  if not ok then return nil, message, name end
  setmetatable(self, pending)
  return true
end
secure.start = start

-- Does a stream have TLS?
function secure.is(self)
  local kind = getmetatable(self)
  return kind == secured or kind == pending
end

-- Makes a stream of a socket that the program may have begun TLS on, and perhaps finished the handshake.
function secure.make(sock, options)
  local self = streams.make(sock, options)
  if not sock.handshake or sock:getfd() < 0 then return self end
  local ok, _, name = sock:handshake()
  if ok then
    finished(self)
  elseif name ~= "EOPNOTSUPP" then
    setmetatable(self, pending)
  end
  return self
end

local function start_and_finish(self, context, host)
  local ok, message, name = start(self, context, host)
  if not ok then return nil, message, name end
  return finish(self)
end

-- A client's whole handshake, without which the stream is closed: true | nil, message, name
function secure.shake_hands(self, context, host)
  local task = this()
  local called, ok, message, name = protect.call(task, task.due, start_and_finish, self, context, host)
  if called and ok then return true end
  streams.drop(self)
  if not called then check.again(ok) end
  return nil, message, name
end

-- ---- while the handshake has not finished ----

for _, method in ipairs { "peek", "read", "readexactly", "readsome", "readuntil" } do
  Pending[method] = function(self, ...)
    check.stream(self, 1, method)
    local ok, message, name = finish_alone(self)
    if not ok then return nil, message, name end
    return Secured[method](self, ...)
  end
end

for _, method in ipairs { "sendfile", "write" } do
  Pending[method] = function(self, ...)
    check.stream(self, 1, method)
    local ok, message, name = finish_alone(self)
    if not ok then return nil, message, name, 0 end
    return Secured[method](self, ...)
  end
end

function Pending:shutdown(how)
  check.stream(self, 1, "shutdown")
  local ok, message, name = finish_alone(self)
  if not ok then return nil, message, name end
  return self:shutdown(how)
end

-- The iterator begins with the handshake.
function Pending:lines(...)
  local next_line = Plain.lines(self, ...)
  return function()
    local ok, message, name = finish_alone(self)
    if ok then return next_line(self) end
    self.stopped = { message = message, name = name }
    return nil, message, name
  end
end

-- Nothing has been sent that the other end could have to read still.
function Pending:close(grace)
  check.stream(self, 1, "close")
  if grace ~= nil then check.seconds(grace, 1, "close") end
  return Plain.close(self)
end

-- stream:handshake() -> true | false, "hello": the program is to choose a context | nil, message, name
function Pending:handshake()
  check.stream(self, 1, "handshake")
  local ok, message, name = finish(self)
  if ok == "hello" then return false, "hello" end
  return ok, message, name
end

-- ---- when it has finished ----

function Secured:handshake()
  check.stream(self, 1, "handshake")
  return true
end

-- The socket has a queue of its own: what is left in it leaves before this returns.
function Secured:sendfile(file, offset, count)
  local sent, message, name, taken = Plain.sendfile(self, file, offset, count)
  if not sent then return nil, message, name, taken end
  local ok
  ok, message, name = self:write ""
  if ok then return sent end
  return nil, message, name, sent
end

-- Says that this end has ended, after what is in the queue: true | nil, message, name | false, error
local function say_end(self, how)
  local again
  while true do
    local ok, message, name = self.object:shutdown(how)
    if ok then return true end
    if ok == nil then return nil, message, name end
    ok, message, name = writing.await_room(self, again)
    if not ok then return ok, message, name end
    again = true
  end
end

-- stream:shutdown([how]) -> true | nil, message, name
function Secured:shutdown(how)
  check.stream(self, 1, "shutdown")
  local ok, message, name = writing.call_in_turn(self, 0, say_end, how)
  if ok then return true end
  return nil, message, name
end

for _, class in ipairs { Pending, Secured } do
  -- stream:tls([what]) -> as a socket's
  function class:tls(what)
    check.stream(self, 1, "tls")
    return check.method(self.object, "tls", what)
  end

  function class:starttls()
    check.stream(self, 1, "starttls")
    check.raise "the stream has TLS already"
  end
end

-- ---- streams without TLS ----

function Plain:handshake()
  check.stream(self, 1, "handshake")
  check.raise "the stream has no TLS: see stream:starttls"
end

function Plain:tls()
  check.stream(self, 1, "tls")
  return nil, "the socket has no TLS", "EOPNOTSUPP"
end

-- Raises where another task reads or writes. But what a ring sends for others has left first, as it has at once on the
-- poller: true | nil, message, name
local function await_free(self)
  while self.object:getfd() >= 0 do
    if self.r then check.raise "another task is reading from it" end
    if not self.holder then return true end
    if not rings.on then check.raise "another task is writing to it" end
    local ok, message, name = await_turn(self, writing.longest(self))
    if ok == false then return timed_out() end
    if not ok then return nil, message, name end
    pass_on(self, this())
  end
  return true
end

-- stream:starttls(context [, host]) -> true | nil, message, name;  what is in the buffer has not been encrypted by the
-- other end, perhaps: it is for TLS to judge
function Plain:starttls(context, host)
  check.stream(self, 1, "starttls")
  contexts.check(context, 1, "starttls")
  this()
  local ok, message, name = await_free(self)
  if not ok then return nil, message, name end
  local buffer = self.buffer
  ok, message, name = check.same("starttls", start, self, context, host, buffer and buffer:peek() or nil)
  if not ok then return nil, message, name end
  if buffer then buffer:clear() end
  return self:handshake()
end

return secure
