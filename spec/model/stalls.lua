-- How long this process has been kept from running by others: nothing that it does can be late by less. Seconds, on
-- Linux by what the kernel's scheduler counts for the main thread (proc(5), schedstat); 0 elsewhere.
local loop = require "lsocket.loop"
local process = require "spec.process"

local stalls = {}
local elsewhere = 0

-- Of this machine as a guest: what the host gave to others, on all processors together.
local function stolen()
  local ticks = (process.read "/proc/stat" or ""):match("^cpu" .. ("%s+%d+"):rep(7) .. "%s+(%d+)")
  return (tonumber(ticks) or 0) / 100
end

function stalls.seconds()
  local waited = (process.read "/proc/self/schedstat" or ""):match "^%d+ (%d+)"
  return (tonumber(waited) or 0) / 1e9 + stolen() + elsewhere
end

-- Runs a command. While it does, the loop stands still: that is a stall, too.
function stalls.execute(command)
  local begun = loop.now()
  os.execute(command)
  elsewhere = elsewhere + loop.now() - begun
end

return stalls
