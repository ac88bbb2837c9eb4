-- Prints what getinterfaces gives in whatever network it finds.
local lsocket = require "lsocket"

local list = assert(lsocket.getinterfaces())
print(#list .. " records")
for _, record in ipairs(list) do
  local flags = {}
  for flag in pairs(record.flags) do flags[#flags + 1] = flag end
  print(("%s %s %s %s peer=%s broadcast=%s hwaddr=%s flags=%s"):format(record.name, record.family, record.addr,
    record.mask, tostring(record.peer), tostring(record.broadcast), tostring(record.hwaddr), table.concat(flags, ",")))
end
