-- Sends lines to a server on a unix domain socket, one after the other, and prints the line that each brings back.
-- Usage: lua unix_client.lua [path [line...]]        "@name" is a name without a file; without lines: standard input
local lsocket = require "lsocket"

local PATIENCE = 10 -- seconds to wait for anything at all

local function fail(message)
  io.stderr:write("unix_client: ", message, "\n")
  os.exit(1)
end

io.stdout:setvbuf("line")
local path = table.remove(arg, 1) or "/tmp/lsocket.sock"
if not path:find("^@") and not path:find("/") then path = "./" .. path end -- the slash makes it a path

-- Unlike TCP, the outcome is known at once; "Resource temporarily unavailable" is a server with a full queue.
local sock, problem = lsocket.connect(path)
if not sock then fail(path .. ": " .. problem) end

local received = "" -- and not printed yet

-- Sends what there is room for, and answers what is left.
local function send(unsent)
  local count, message = sock:send(unsent)
  if count == nil then fail(message) end
  return unsent:sub((count or 0) + 1)
end

local function receive()
  local data, message = sock:recv()
  if data == nil then fail(message or "the server closed the connection") end
  received = received .. (data or "")
end

-- Reads while it sends: a server may answer the beginning of a long line and wait until that is read.
local function exchange(line)
  local unsent = send(line .. "\n")
  while unsent ~= "" or not received:find("\n", 1, true) do
    local readable, writable = lsocket.select({ sock }, unsent ~= "" and { sock } or {}, PATIENCE)
    if not readable then fail(writable or "nothing happened for " .. PATIENCE .. " seconds") end
    if readable[1] then receive() end
    if writable[1] then unsent = send(unsent) end
  end
  local answer, rest = received:match("^([^\n]*)\n(.*)$")
  received = rest
  return answer
end

if #arg > 0 then
  for _, line in ipairs(arg) do print(exchange(line)) end
else
  for line in io.lines() do print(exchange(line)) end
end
sock:close()
