-- Samples that run as programs, and peers of theirs: what hostile_spec, circles_spec and mistaken_spec have in common.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"

local hostile = {}

-- Runs a sample that ends by itself: what it printed, its exit status.
function hostile.run(name, ...)
  return helper.run(helper.bounded(20, helper.command("samples/" .. name, ...)) .. " < /dev/null")
end

-- Starts a sample whose output goes to a file, calls a function with the port or path in its first line, its process
-- id and a function that gives what it has printed, and ends it. before: a shell command, such as ulimit.
function hostile.with(before, fn, name, ...)
  local path = helper.path()
  local pipe = assert(io.popen(("%s echo $$; exec %s > %s 2>&1 < /dev/null"):format(before,
    helper.command("samples/" .. name, ...), path)))
  local pid = pipe:read()
  local function said() return process.read(path) or "" end
  local ok, problem = pcall(function()
    local line = helper.eventually(name .. " starts", function() return said():match "^(.-)\n" end)
    fn(line:match " (%d+)$" or line:match "%S+$", pid, said)
  end)
  os.execute("kill -CONT " .. pid .. " 2> /dev/null; kill " .. pid .. " 2> /dev/null")
  pipe:close()
  if not ok then error(problem, 0) end
end

function hostile.connect(...)
  local sock = assert(lsocket.connect(...))
  helper.writable(sock)
  return sock
end

-- Connects so many clients, at an address or a path.
function hostile.crowd(count, ...)
  local clients = {}
  for i = 1, count do clients[i] = hostile.connect(...) end
  return clients
end

-- All that comes until the end, and the name of the failure that ended it.
function hostile.drain(sock)
  local pieces = {}
  while true do
    local data, _, name = helper.readable(sock):recv()
    if data == nil then return table.concat(pieces), name end
    pieces[#pieces + 1] = data or nil
  end
end

-- Ports that were free a moment ago.
function hostile.free_ports(kind)
  local one, first = helper.bind(kind, "127.0.0.1", 0)
  local two, second = helper.bind(kind, "127.0.0.1", 0)
  one:close()
  two:close()
  return first, second
end

-- Hundredths of a second of the processor that a process has had.
local function ticks(pid)
  local user, system = process.read("/proc/" .. pid .. "/stat"):match("%) %S+" .. (" %S+"):rep(10) .. " (%d+) (%d+)")
  return user + system
end

-- Waits until a process has nothing to do.
function hostile.await_rest(pid)
  helper.eventually("process " .. pid .. " rests", function()
    local before = ticks(pid)
    lsocket.select(0.3)
    return ticks(pid) == before
  end)
end

-- The elements of a list from this one on.
function hostile.unpack_from(list, first)
  return (unpack or table.unpack)(list, first) -- luacheck: ignore 143
end

return hostile
