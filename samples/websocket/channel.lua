-- Messages over WebSocket, RFC 6455: puts frames together, answers pings and the end.
local bits = require "websocket.bits"
local frames = require "websocket.frames"
local is_utf8 = require "websocket.utf8"
local loop = require "lsocket.loop"
local lsocket = require "lsocket"

local check = frames.check
local channel = {}
local Channel = {}
Channel.__index = Channel

local NORMAL, NO_CODE, NOT_UTF8 = 1000, 1005, 1007
local kinds = { [frames.TEXT] = "text", [frames.BINARY] = "binary" }
local opcodes = { text = frames.TEXT, binary = frames.BINARY }

-- channel.new(client, limits) -> channel. limits: max, bytes of a message; patience, seconds: a client from which
-- nothing has come for so long is asked for a sign of life, and is gone if none comes for as long again.
function channel.new(client, limits)
  local self = setmetatable({ client = client, max = limits.max or 1048576, patience = limits.patience or 30 }, Channel)
  client:settimeout(self.patience)
  return self
end

-- Whether something comes.
local function await(client)
  local ok, _, name = client:peek(1)
  if ok or name ~= "ETIMEDOUT" then return ok end
  return frames.write(client, frames.PING, "") and client:peek(1)
end

-- The codes that may be sent: RFC 6455, section 7.4, and those of libraries and programs.
local function is_code(code)
  return code >= 1000 and code <= 1014 and (code < 1004 or code > 1006) or code >= 3000 and code < 5000
end

-- The code to answer the client's end with.
local function read_code(data)
  if data == "" then return NO_CODE end
  local code = #data > 1 and bits.from_bytes(data:sub(1, 2))
  check(code and is_code(code))
  check(is_utf8(data:sub(3)), NOT_UTF8)
  return code
end

-- Does what a frame wants that is no part of a message: whether the conversation goes on.
local function obey(self, opcode, data)
  if opcode == frames.PING then return frames.write(self.client, frames.PONG, data) end
  if opcode == frames.CLOSE then return self:close(read_code(data)) and false end
  check(opcode == frames.PONG)
  return true
end

-- The next frame of a message: its opcode, data, is_final; nil where there is none any more.
local function next_frame(self, max)
  while await(self.client) do
    local opcode, data, is_final = loop.deadline(self.patience, frames.read, self.client, max)
    if not opcode or opcode < frames.CLOSE then return opcode, data, is_final end
    if not obey(self, opcode, data) then return nil end
  end
end

-- The next message and its kind; nil where there is none any more.
local function next_message(self)
  local message = lsocket.buffer()
  local opcode, data, is_final = next_frame(self, self.max)
  local kind = opcode and check(kinds[opcode])
  while opcode do
    message:append(data)
    if is_final then break end
    opcode, data, is_final = next_frame(self, self.max - #message)
    check(not opcode or opcode == frames.CONTINUATION)
  end
  if not opcode then return nil end
  local text = message:some() or ""
  check(kind == "binary" or is_utf8(text), NOT_UTF8)
  return text, kind
end

-- channel:receive() -> data, "text" or "binary"; nil when it has ended
function Channel:receive()
  local ok, data, kind = loop.pcall(next_message, self)
  if ok then return data, kind end
  self:close(type(data) == "number" and data or 1011)
  if type(data) ~= "number" then error(data, 0) end
end

-- channel:send(data [, kind]) -> true | nil, message, name
function Channel:send(data, kind)
  return frames.write(self.client, opcodes[kind or "text"], data)
end

-- Says goodbye, once, with a code, and ends.
function Channel:close(code)
  if self.closed then return end
  self.closed = true
  frames.write(self.client, frames.CLOSE, code == NO_CODE and "" or bits.to_bytes(code or NORMAL, 2))
  return self.client:close(2)
end

return channel
