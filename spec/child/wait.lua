-- Waits in select, or for one socket, until a signal comes: wait.lua PORT HOW, and says what select answered or raised.
-- PORT: where it connects to tell its process id just before; the connection's end shows that it has ended.
local lsocket = require "lsocket"
local process = require "spec.process"

local port, how = arg[1], arg[2]
local line = assert(lsocket.connect("127.0.0.1", port))
assert(lsocket.select(nil, { line }, 10))

local function wait(...)
  local pid = process.pid()
  assert(line:send(pid .. "\n"))
  local ready, message, name = lsocket.select(...)
  return ready, message, name -- no tail call: the interpreter raises its error here, before whoever called goes on
end

local function wait_for_one()
  assert(line:send(process.pid() .. "\n"))
  local ready, message, name = line:wait "r"
  return ready, message, name
end

local ways = {}

-- As a program that knows nothing of signals.
function ways.plain() wait { line } end
function ways.forever() wait({ line }, -1) end
function ways.infinite() wait(math.huge) end
function ways.one() wait_for_one() end
function ways.long() wait({}, {}, 3600) end

-- A program that catches the error that the interpreter raises.
function ways.caught()
  local ok, message = pcall(wait, { line })
  print(tostring(ok) .. " " .. tostring(message))
end

-- A program whose handler only returns: select must say why it ended. The stand-alone Lua's handler sets a hook on the
-- main thread, which a coroutine does not see; on LuaJIT the handler is a harmless function of the C library.
function ways.told()
  if jit then -- luacheck: globals jit
    local ffi = require "ffi"
    ffi.cdef "void (*signal(int, void (*)(int)))(int); int abs(int);"
    ffi.C.signal(2, ffi.cast("void (*)(int)", ffi.C.abs))
  end
  coroutine.wrap(function()
    local ready, message, name = wait({ line }, 3600)
    print(tostring(ready) .. ", " .. tostring(message) .. ", " .. tostring(name))
  end)()
end

ways[how]()
