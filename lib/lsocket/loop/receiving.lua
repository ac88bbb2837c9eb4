-- What receiving comes to: data, the end of the stream, or a failure, which the kernel tells or a ring.
local lsocket = require "lsocket"
local rings = require "lsocket.loop.rings"

local receiving = { LIMIT = 1048576 } -- bytes of the longest line or record, where nothing else is said
local AT_ONCE = rings.AT_ONCE

-- Methods of sockets and buffers, known when there is one.
local recv, fill_of, append_of

function receiving.know(sock, buffer)
  recv, fill_of, append_of = sock.recv, buffer.recv, buffer.append
end

local passing = { ENOMEM = true, ENOBUFS = true }

-- The kernel tells once what ended a connection, to whoever hears it first, and a mere end from then on: a reader would
-- take for whole what was cut off. What recv has given: message, name | nothing: the end
function receiving.cause(self, message, name)
  local failure = self.failure
  if not message then return failure and failure.message, failure and failure.name end
  if not failure and not passing[name] then self.failure = { message = message, name = name } end
  return message, name
end

local cause = receiving.cause

-- What a ring has come to that has received no data: false: a call is to find out | nil: the end | nil, message, name
function receiving.outcome(self, what)
  if what == true then return false end
  if not what then return nil, cause(self) end
  if what.name == "ECANCELED" then return nil, what.message, what.name end
  return nil, cause(self, what.message, what.name)
end

-- A ring has received all that it can at once: there may be more.
function receiving.with_more(self, data, most)
  if #data >= most then return data end
  local more, message, name = recv(self.object, most - #data)
  if not more then
    if message then cause(self, message, name) end -- which the next call returns
    return data
  end
  if #data + #more >= most then self.dry = false end
  return data .. more
end

-- The same into the buffer: true | nil, message, name
function receiving.add(self, data, most)
  local ok, message, name = append_of(self.buffer, data)
  if not ok then return nil, message, name end
  if #data < AT_ONCE then return true end
  local more
  more, message, name = fill_of(self.buffer, self.object, most - #data)
  if more == nil and message then cause(self, message, name) end
  if more and more >= most - #data then self.dry = false end
  return true
end

-- A ring has come to something that the task does not wait for any more: it is for the next read.
local function keep(self, what)
  if type(what) == "string" then
    self.buffer = self.buffer or lsocket.buffer(self.max or receiving.LIMIT)
    append_of(self.buffer, what)
  elseif what then
    receiving.outcome(self, what)
  end
end
rings.set { keep = keep }

return receiving
