-- floods.lua: eight tasks read floods of short lines, single bytes and big blocks, and a timer of 10 ms is beside them.
-- By itself, as a cycle of the collector takes the longer the more there is. Prints by how many seconds the timer was
-- late, but for the worst of 40 times, of the processor or of the clock, whichever is less.
local loop = require "lsocket.loop"
local lsocket = require "lsocket"
local stream = require "lsocket.stream"

local BLOCK = 65536
local kinds = {
  { ("\n"):rep(BLOCK), function(near) return near:read() end },
  { ("x"):rep(BLOCK), function(near) return near:read(1) end },
  { ("x"):rep(BLOCK), function(near) return near:read(BLOCK) end },
}

-- Answers the end to read from.
local function flood(data, read)
  local near, far = lsocket.pair()
  near, far = stream.new(near), stream.new(far)
  loop.spawn(function() while read(near) do end end)
  loop.spawn(function() while far:write(data) do end end)
  return near
end

loop.run(function()
  local open, late = {}, {}
  for i = 1, 8 do
    local kind = kinds[i % #kinds + 1]
    open[i] = flood(kind[1], kind[2])
  end
  for i = 1, 40 do
    local begun, cpu = loop.now(), os.clock()
    loop.sleep(0.01)
    late[i] = math.min(loop.now() - begun, os.clock() - cpu) - 0.01
  end
  for i = 1, 8 do open[i]:close() end
  table.sort(late)
  print(late[39])
end)
