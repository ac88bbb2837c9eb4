-- Streams of any socket: what users call. The class is in loop/streams.lua.
local check = require "lsocket.loop.check"
local contexts = require "lsocket.loop.contexts"
local owners = require "lsocket.loop.owners"
local secure = require "lsocket.loop.secure"

local stream = {}

local messages = { udp = true, seqpacket = true } -- types of sockets that are no streams

-- stream.new(socket [, options]) -> stream;  options.max: bytes of the longest line or record
function stream.new(sock, options)
  if io.type(sock) then check.fail(1, "new", "socket expected, got a file: see lsocket.fromfd") end
  check.socket(sock, 1, "new")
  check.options(options, 2, "new")
  contexts.refuse(options, 2, "new")
  local info = sock:info()
  if messages[info.type] then check.fail(1, "new", "stream socket expected, got " .. info.type) end
  if info.listening then check.fail(1, "new", "it listens: see loop.listen") end
  if owners.of(sock) == "wrapped" then check.fail(1, "new", "it is wrapped already") end
  owners.note(sock, "a stream's")
  return secure.make(sock, options)
end

return stream
