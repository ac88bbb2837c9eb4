-- Sends lines to a TCP server, one after the other, and prints the line that comes back for each.
-- Usage: lua tcp_client.lua [6] [port [line...]]        6: IPv6; without lines: those of standard input
local lsocket = require "lsocket"

local PATIENCE = 10 -- seconds to wait for anything at all
io.stdout:setvbuf("line")

local function fail(message)
  io.stderr:write("tcp_client: ", message, "\n")
  os.exit(1)
end

-- Waits until one of the sockets is ready; the results are select's.
local function wait(reads, writes)
  local readable, writable = lsocket.select(reads, writes, PATIENCE)
  if readable == false then fail("nothing happened for " .. PATIENCE .. " seconds") end
  return readable or fail(writable), writable
end

local address = "127.0.0.1"
if arg[1] == "6" then address = table.remove(arg, 1) and "::1" end
local port = table.remove(arg, 1) or 16001

-- connect only starts to connect: the socket becomes writable when the outcome is known, and status tells it.
local sock, message = lsocket.connect(address, port)
if not sock then fail(message) end
wait(nil, { sock })
local ok, problem = sock:status()
if not ok then fail(("%s port %s: %s"):format(address, port, problem)) end

-- Sends what there is room for, and answers what is left.
local function send(unsent)
  local count, reason = sock:send(unsent)
  if count == nil then fail(reason) end
  return unsent:sub((count or 0) + 1)
end

-- Answers what has come: "" for nothing.
local function receive()
  local data, reason = sock:recv()
  if data == nil then fail(reason or "the server closed the connection") end
  return data or ""
end

local received = "" -- and not printed yet

-- Reads while it sends: a server may answer the beginning of a long line and wait until that is read.
local function exchange(line)
  local unsent = send(line .. "\n")
  while unsent ~= "" or not received:find("\n", 1, true) do
    local readable, writable = wait({ sock }, unsent ~= "" and { sock } or {})
    if readable[1] then received = received .. receive() end
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
