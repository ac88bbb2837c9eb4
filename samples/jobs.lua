-- A job server: runs a program with each line that it is sent as its argument, so many at a time, and answers with what
-- the program prints, behind a line that says how many bytes that is. On SIGTERM and on Ctrl-C it takes no more jobs,
-- finishes those that it has been sent, and ends; the exit status is 1 if that takes too long.
-- Usage: lua samples/jobs.lua program [port [workers [seconds]]]    port 0: one that is free; seconds: what is too long
--        lua samples/jobs.lua sha256sum &
--        echo /etc/passwd | nc -N 127.0.0.1 16013
local loop = require "lsocket.loop"
local lsocket = require "lsocket"
local stream = require "lsocket.stream"

io.stdout:setvbuf("line")
local program, port = arg[1], arg[2] or 16013
local workers, grace = tonumber(arg[3] or 4), tonumber(arg[4] or 30)

local IDLE = 600  -- seconds that a client may say nothing, or not take its answer
local LIMIT = 100 -- clients
local clients = {}
local slots -- a semaphore: one for each program that may run

-- What the program prints; nil where the wait is cut off.
local function run(line)
  local file = assert(io.popen(program .. " '" .. line:gsub("'", "'\\''") .. "' 2>&1 < /dev/null"))
  local output = stream.new(assert(lsocket.fromfd(file)))
  local text = output:read("a")
  output:close()
  if text then file:close() end -- which waits for the program's end
  return text
end

local function do_job(client, line)
  if not slots:acquire() then return nil end
  local ok, text = loop.pcall(run, line)
  slots:release()
  if not ok then error(text, 0) end
  return text and loop.deadline(IDLE, client.write, client, #text, "\n", text)
end

local function talk(client)
  clients[client] = true
  repeat
    local line = loop.deadline(IDLE, client.read, client)
  until not line or line:find("%z") or not do_job(client, line)
  clients[client] = nil
end

local function fail(message)
  io.stderr:write("jobs: ", message or "usage: jobs.lua program [port [workers [seconds]]]", "\n")
  os.exit(1)
end

loop.run(function()
  if not program or not workers or workers < 1 or workers % 1 > 0 or not grace or grace < 0 then fail() end
  slots = loop.semaphore(workers)
  local ok, server, message = loop.pcall(loop.serve, "127.0.0.1", port, talk, { limit = LIMIT, max = 4096 })
  if not ok then fail() end -- serve raises where the port is none
  if not server then fail(("port %s: %s"):format(port, message)) end
  local signals = assert(loop.signals("TERM", "INT"))
  print(("listening on 127.0.0.1 port %d"):format(server:info("socket").port))
  print(signals:wait() .. ": finishing what there is")
  signals:close() -- another one ends the program at once
  for client in pairs(clients) do client:shutdown("r") end -- the end, behind what has come already
  local finished = server:close(grace)
  print(finished and "all is done" or "some jobs were cut off")
  os.exit(finished and 0 or 1)
end)
