-- What buffers hold when they have been emptied, or nearly: drain.lua. Exit status 1 where it is too much.
local lsocket = require "lsocket"
local process = require "spec.process"

local MIB = 1024 * 1024
local piece = ("x"):rep(MIB)
local before = process.memory()

-- KiB beyond what there was at first.
local function check(what, least, most)
  local kib = process.memory() - before
  print(what .. ": " .. kib .. " KiB more")
  if kib < least or kib > most then os.exit(1) end
end

local buffer = lsocket.buffer()
for _ = 1, 64 do buffer:append(piece) end
check("64 MiB appended", 60 * 1024, math.huge)
for _ = 1, 64 do assert(buffer:take(MIB)) end
check("all taken", -math.huge, 3 * 1024)

for _ = 1, 64 do buffer:append(piece) end
assert(buffer:take(64 * MIB - 10) and not buffer:line() and #buffer == 10)
check("all but 10 bytes taken", -math.huge, 3 * 1024)

local a, b = lsocket.pair()
local lines, buffers = (("x"):rep(999) .. "\n"):rep(60) .. "rest", {}
for i = 1, 500 do
  buffers[i] = lsocket.buffer()
  assert(a:send(lines) == #lines)
  while #buffers[i] < #lines do assert(buffers[i]:recv(b)) end
  while buffers[i]:line() do end
  collectgarbage() -- or the lines lie between the buffers
end
check("500 buffers with the beginning of a line", -math.huge, 3 * 1024) -- with 64 KiB each it would be 32 MiB
for i = 1, 500 do assert(buffers[i]:some() == "rest") end

for _ = 1, 64 do
  buffer = lsocket.buffer()
  buffer:append(piece)
  assert(not buffer:upto(("delimiter"):rep(1000)))
end
buffer = nil -- luacheck: ignore
check("64 MiB in buffers that are garbage", -math.huge, 3 * 1024)
