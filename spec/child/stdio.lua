-- Copies standard input to standard output, through lsocket. Usage: stdio.lua [line]    line: one line, and says so
local lsocket = require "lsocket"

local input, output = assert(lsocket.fromfd(0)), assert(lsocket.fromfd(1))

local function write(text)
  local sent = 0
  while sent < #text do
    assert(lsocket.select(nil, { output }, 10))
    local count, message = output:send(text, sent + 1)
    assert(count ~= nil, message)
    sent = sent + (count or 0)
  end
end

write(input:info().type .. " " .. output:info().type .. "\n")
while assert(lsocket.select({ input }, 10)) do
  local data = input:recv()
  if data == nil then break end
  if data then write(arg[1] and "read: " .. data or data) end
  if arg[1] and data:find "\n" then break end
end
