-- Sending and receiving by streams: the same for TCP and unix domain sockets.
local arguments = require "lsocket.luasocket.arguments"
local check = require "lsocket.loop.check"
local classes = require "lsocket.luasocket.classes"
local errors = require "lsocket.luasocket.errors"
local lsocket = require "lsocket"
local quick = require "lsocket.luasocket.quick"
local waiting = require "lsocket.luasocket.waiting"

local clock, new_buffer, wait, share = lsocket.now, lsocket.buffer, waiting.wait, waiting.share

local streams = {}

local left = waiting.CALLS -- calls that need not wait until the others have their turn

-- What sends and receives in C: see "LuaSocket's interface" in doc/design.md.
local buffers, sockets = getmetatable(new_buffer()), getmetatable(classes.closed)
local receive_by, rest_of, gone_of, limit = buffers.__receive, buffers.__rest, buffers.__gone, buffers.__limit
local send_by, accept = sockets.__send, sockets.__accept

-- ---- receiving ----

local function check_receive(pattern, prefix)
  if prefix ~= nil then check.data(prefix, 2, "receive") end
  if type(pattern) == "string" or type(pattern) == "number" then check.fail(1, "receive", "invalid receive pattern") end
  check.string(pattern, 1, "receive")
end

-- The text of a failure: LuaSec has others than LuaSocket for what was waited for.
local function told(self, text, events)
  local tell = getmetatable(self).tell
  return tell and tell(self, text, events) or text
end

-- What came of a call that nothing more comes for.
local function give_up(self, pattern, prefix, text)
  return nil, told(self, text, "r"), rest_of(self.buffer, pattern, prefix)
end

-- Goes on after a call that has not got what it wants: more: it may have more at once; false: it would block
local function receive_more(self, pattern, prefix, more, message, name)
  local due, text
  repeat
    if more == nil then
      if name == "EINVAL" then check_receive(pattern, prefix) end
      return give_up(self, pattern, prefix, name and errors.transfer(message, name) or "closed")
    end
    if more then
      local calls
      calls, text = share()
      limit(self.buffer, calls)
    else
      more, due = wait(self, "r", due)
      text = not more and due
    end
    if text then return give_up(self, pattern, prefix, text) end
    more, message, name = receive_by(self.buffer, self.object, pattern, prefix)
  until more and more ~= true
  return more, nil, nil
end

-- stream:receive([pattern [, prefix]]) -> string, nil, nil | nil, text, what came
local function receive(self, pattern, prefix)
  local buffer = self.buffer
  if not buffer then
    buffer = new_buffer()
    limit(buffer, waiting.calls())
    self.buffer = buffer
  end
  local data, message, name = receive_by(buffer, self.object, pattern, prefix)
  if data and data ~= true then return data, nil, nil end
  return receive_more(self, pattern, prefix, data, message, name)
end
streams.receive = quick.method("read", receive, receive_more)

-- ---- sending ----

local function check_send(data, first, last)
  check.data(data, 1, "send")
  arguments.optional_number(first, 2, "send")
  arguments.optional_number(last, 3, "send")
end

-- Goes on after a call that has not sent all: before: the place before the first byte; place: of the last one that was
-- taken, or a message where none was
local function send_more(self, data, before, last, taken, place, name)
  local due, ok, text
  local way = getmetatable(self).way -- of TLS: what it has to wait for in place of room
  local sent = taken == false and place or before
  while not taken do
    if taken == nil then
      text = errors.transfer(place, name)
    else
      sent = place
      ok, due = wait(self, way and way(self) or "w", due)
      text = not ok and due
    end
    if text then
      self.sent = self.sent + sent - before
      return nil, told(self, text, "w"), sent
    end
    taken, place, name = send_by(self.object, data, sent + 1, last)
  end
  self.sent = self.sent + taken - before
  return taken, nil, nil
end

-- The place before the first byte that is to be sent.
local function place_before(data, first)
  first = tonumber(first or 1)
  if first < 0 then first = #tostring(data) + first + 1 end
  return first > 1 and math.floor(first) - 1 or 0
end

local function send_on(self, data, first, last, taken, place, name)
  if name == "EINVAL" then check_send(data, first, last) end
  return send_more(self, data, place_before(data, first), last, taken, place, name)
end

-- stream:send(data [, first [, last]]) -> place of the last byte, nil, nil | nil, text, place of the last one taken
local function send(self, data, first, last)
  local calls = left - 1
  left = calls
  if calls < 0 then
    local text
    left, text = quick.share()
    if text then return nil, told(self, text, "w"), place_before(data, first) end
  end
  local taken, place, name = send_by(self.object, data, first, last)
  if taken and not first then
    self.sent = self.sent + taken
    return taken, nil, nil
  end
  return send_on(self, data, first, last, taken, place, name)
end
streams.send = quick.method("write", send, send_on)

-- ---- connections ----

-- server:accept() -> client | nil, text
function streams.accept(self, class)
  local text = waiting.take()
  if text then return nil, text end
  local due, ok
  local sock, message, name = accept(self.object)
  while sock == false do
    ok, due = wait(self, "r", due)
    if not ok then return nil, due end
    sock, message, name = accept(self.object)
  end
  if not sock then return nil, errors.transfer(message, name) end
  return classes.new(class, sock, self.family)
end

local BACKLOG = 32

-- master:listen([backlog]) -> 1 | nil, text;  of that class then
function streams.listen(self, backlog, class)
  backlog = backlog == nil and BACKLOG or arguments.integer(backlog, 1, "listen")
  local ok, message, name = self.object:listen(math.max(backlog, 0))
  if not ok then return nil, errors.text(message, name) end
  setmetatable(self, class)
  return 1
end

-- ---- the rest ----

local directions = { receive = "r", send = "w", both = "rw" }

-- stream:shutdown([how]) -> 1
function streams.shutdown(self, how)
  local direction = directions[how == nil and "both" or how]
  if not direction then check.fail(1, "shutdown", ("invalid option '%s'"):format(tostring(how))) end
  self.object:shutdown(direction)
  return 1
end

function streams.dirty(self)
  local buffer = self.buffer
  return buffer and #buffer > 0 or false
end

-- stream:getstats() -> bytes received, bytes sent, seconds since it was made
function streams.getstats(self)
  local received = (self.buffer and gone_of(self.buffer) or 0) + (self.received or 0)
  return received, self.sent, clock() - self.born
end

-- stream:setstats(received, sent, age) -> 1
function streams.setstats(self, received, sent, age)
  self.received = (tonumber(received) or 0) - (self.buffer and gone_of(self.buffer) or 0)
  self.sent = tonumber(sent) or self.sent
  if tonumber(age) then self.born = clock() - age end
  return 1
end

return streams
