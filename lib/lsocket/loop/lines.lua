-- Streams in loops: lines, and why there was nothing more.
local check = require "lsocket.loop.check"
local reading = require "lsocket.loop.reading"

local unpack = table.unpack or unpack -- luacheck: ignore 143
local read, check_format, select = reading.read, reading.check_format, select

local Lines = {}

-- Keeps why there was nothing more, for status.
local function note(self, ...)
  local data, message, name = ...
  if data == nil then self.stopped = message and { message = message, name = name } end
  return ...
end

local function next_line(self)
  local data, message, name = read(self)
  if data then return data end
  if message then return note(self, nil, message, name) end
  return note(self, nil)
end

-- stream:lines([format, ...]) -> iterator, which ends where read gives nil
function Lines:lines(...)
  check.stream(self, 1, "lines")
  local count, formats = select("#", ...), { ... }
  if count == 0 then return next_line, self end
  for i = 1, count do check_format(formats[i], i, "lines") end
  return function() return note(self, read(self, unpack(formats, 1, count))) end
end

-- stream:status() -> true | nil, message, name: what ended the stream, or the last lines()
function Lines:status()
  check.stream(self, 1, "status")
  local failure = self.failure or self.stopped
  if not failure then return true end
  return nil, failure.message, failure.name
end

return Lines
