-- Copies the lines of standard input to standard output, both of them streams, and tells on standard error what they
-- are and how the input has ended. Usage: streamio.lua [count]    count: no more lines than that
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"

loop.run(function()
  local input, output = stream.new(assert(lsocket.fromfd(0))), stream.new(assert(lsocket.fromfd(1)))
  io.stderr:write(input:info().type, " ", output:info().type, "\n")
  local left = tonumber(arg[1]) or math.huge
  local line = left > 0 and input:read()
  while line do
    assert(output:write("line: ", line, "\n"))
    left = left - 1
    line = left > 0 and input:read()
  end
  io.stderr:write(tostring(input:status()), "\n")
end)
