-- Sends lines to a server on a unix domain socket, one after the other, and prints the line that each brings back.
-- Usage: lua samples/unix_client.lua [path [line...]]        "@name" is a name without a file; /tmp/lsocket.sock
-- without lines: those of standard input
local lsocket = require "lsocket"

local PATIENCE = 20 -- seconds for each line to come back
local MOST = 16777216 -- bytes that may have come and not been printed

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

local received = lsocket.buffer() -- what has come and is not printed yet

-- Sends what there is room for, and answers what is left.
local function send(unsent)
  local count, message = sock:send(unsent)
  if count == nil then fail(message) end
  return unsent:sub((count or 0) + 1)
end

local function receive()
  local count, message = received:recv(sock)
  if count == nil then fail(message or "the server closed the connection") end
  if #received > MOST then fail("the server sends more than it was asked for") end
end

-- Reads while it sends: a server may answer the beginning of a long line and wait until that is read.
local function exchange(line)
  local unsent, finish = send(line .. "\n"), lsocket.now() + PATIENCE
  local answer = received:upto("\n") -- false: not all of it is there
  while unsent ~= "" or not answer do
    local writes, left = unsent ~= "" and { sock } or {}, math.max(finish - lsocket.now(), 0)
    local readable, writable = lsocket.select({ sock }, writes, left)
    if not readable then fail(writable or "no answer for " .. PATIENCE .. " seconds") end
    if readable[1] then receive() end
    if writable[1] then unsent = send(unsent) end
    if not answer then answer = received:upto("\n") end
  end
  return answer
end

if #arg > 0 then
  for _, line in ipairs(arg) do print(exchange(line)) end
else
  for line in io.lines() do print(exchange(line)) end
end
sock:close()
