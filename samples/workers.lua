-- One process accepts connections and hands each to one of several worker processes, which talk to the clients: the
-- descriptors travel over unix domain sockets. A worker that dies takes nobody with it but its own clients.
-- Usage: lua samples/workers.lua [port [count]]       port 16003, 2 workers; a client that says "quit" ends them all
local lsocket = require "lsocket"

local most = 200 -- clients of a worker, at a time

-- A worker has one end of a pair, and no more. If there are too many clients the first has to go; if there was no
-- descriptor for one, it is lost, and from now on there is always one descriptor left for the next.
local function welcome(boss, clients)
  local data, passed, lost = boss:recvfds(1)
  if data == nil then os.exit(0) end -- the boss has gone
  clients[#clients + 1] = passed and passed[1]
  if lost then most = math.max(#clients - 2, 1) end
  if #clients - 1 > most then clients[2]:close() end
end

local function talk(number, sock, boss)
  local line = sock:recv(1000)
  if line and line:find("^quit\r?\n?$") then boss:send "quit" end
  local answer = line and ("worker %d: %s"):format(number, line)
  if line == nil or answer and sock:send(answer) ~= #answer then sock:close() end -- gone, or reads no answers
end

local function work(number, boss)
  local clients = { boss }
  while true do
    for _, sock in ipairs(assert(lsocket.select(clients))) do
      if sock == boss then welcome(boss, clients) else talk(number, sock, boss) end
    end
    for i = #clients, 2, -1 do
      if clients[i]:getfd() < 0 then table.remove(clients, i) end
    end
  end
end

local function start_worker(number)
  local mine, its = assert(lsocket.pair())
  assert(its:inherit(true))
  local command = ("exec '%s' '%s' worker %d %d"):format(arg[-1], arg[0], number, its:getfd())
  local process = assert(io.popen(command, "w"))
  its:close()
  return { sock = mine, process = process }
end

-- The next worker that has room takes the client: who is too slow, or dead, is passed over. If none has, it must go.
local function hand_over(client, workers)
  for _ = 1, #workers do
    table.insert(workers, table.remove(workers, 1))
    if workers[#workers].sock:sendfds("c", { client }) then break end -- one byte, for the descriptor to go with
  end
  client:close() -- the worker has it now
end

local function step(server, workers)
  local socks = { server }
  for _, worker in ipairs(workers) do table.insert(socks, worker.sock) end
  local client = assert(lsocket.select(socks))[1] == server and server:accept()
  if client then hand_over(client, workers) end
  if client == nil then lsocket.select(0.1) end -- out of descriptors, and the client still waits: do not spin
  for i = #workers, 1, -1 do
    local said = workers[i].sock:recv(100)
    if said then return said end
    if said == nil then table.remove(workers, i).process:close() end -- it has died
  end
end

if arg[1] == "worker" then work(tonumber(arg[2]), assert(lsocket.fromfd(tonumber(arg[3])))) end
local port, count, workers = arg[1] or 16003, tonumber(arg[2] or 2), {}
local ok, server, problem = pcall(lsocket.bind, "127.0.0.1", port, 128) -- which raises where the port is none
local is_count = count and count >= 1 and count <= 64 and count % 1 == 0
if not ok or not is_count or not server then
  local usage = "usage: workers.lua [port [count]]"
  io.stderr:write("workers: ", (not ok or not is_count) and usage or ("port %s: %s"):format(port, problem), "\n")
  os.exit(1)
end
for i = 1, count do workers[i] = start_worker(i) end
print(("%d workers for port %d"):format(count, server:info("socket").port))
io.stdout:flush()
repeat local said = step(server, workers) until said or #workers == 0
for _, worker in ipairs(workers) do worker.sock:close() end
print "quit"
