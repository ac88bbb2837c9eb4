-- Measures what a socket costs in memory of the interpreter: prints the bytes of one beyond an empty userdata.
-- Opens as many as it is told, each fourth of them a listener; the limit of descriptors is set by whoever starts it.
local lsocket = require "lsocket"

local count = tonumber(arg[1])

-- The header of a userdata where Lua can make no empty one to measure: the smallest of any version, on 64 bits.
local constant_header = 24

local function used()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count" * 1024
end

local function array()
  local list = {}
  for i = 1, count do list[i] = false end
  return list
end

-- Bytes for each of count things that make creates, in a table that is as large before.
local function cost(make)
  local list = array()
  list[1] = make(1) -- whatever is made once only
  local before = used()
  for i = 2, count do list[i] = make(i) end
  local bytes = (used() - before) / (count - 1)
  for i = 1, count do
    if type(list[i]) == "userdata" and list[i] ~= false and pcall(function() return list[i].close end) then
      list[i]:close()
    end
  end
  return bytes
end

local header = constant_header
if newproxy then header = cost(function() return newproxy() end) end -- luacheck: globals newproxy
local socket = cost(function(i)
  if i % 4 == 0 then return assert(lsocket.bind("127.0.0." .. i % 200 + 1, 0)) end
  return assert(lsocket.bind("udp", "127.0.0." .. i % 200 + 1, 0))
end)
print(("%.1f bytes beyond a header of %.1f"):format(socket - header, header))
