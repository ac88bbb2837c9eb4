-- One process accepts connections and hands each to one of several worker processes, which talk to the clients: the
-- descriptors travel over unix domain sockets. A worker that dies takes nobody else with it.
-- Usage: lua workers.lua [port [count]]       port 16003, 2 workers; a client that says "quit" ends them all
local lsocket = require "lsocket"

-- ---- a worker: it has nothing but one end of a pair ----

local function work(number, boss)
  local clients = { boss }
  while true do
    for _, sock in ipairs(assert(lsocket.select(clients))) do
      if sock == boss then
        local data, passed = boss:recvfds(1)
        if data == nil then return end -- the boss has gone
        clients[#clients + 1] = passed and passed[1]
      else
        local line = sock:recv(1000)
        if line == "quit" then boss:send "quit" end
        if line then sock:send(("worker %d: %s"):format(number, line)) end
        if line == nil then sock:close() end
      end
    end
    for i = #clients, 2, -1 do
      if clients[i]:getfd() < 0 then table.remove(clients, i) end
    end
  end
end

-- ---- the boss ----

local function start_worker(number)
  local mine, its = assert(lsocket.pair())
  assert(its:inherit(true))
  local command = ("'%s' '%s' worker %d %d"):format(arg[-1], arg[0], number, its:getfd())
  local process = assert(io.popen(command, "w"))
  its:close()
  return { sock = mine, process = process }
end

local function rule(port, count)
  local server = assert(lsocket.bind("127.0.0.1", port))
  local workers, socks = {}, { server }
  for i = 1, count do
    workers[i] = start_worker(i)
    socks[#socks + 1] = workers[i].sock
  end
  print(("%d workers for port %d"):format(count, server:info("socket").port))
  io.stdout:flush()
  local turn, running = 0, true
  while running do
    for _, sock in ipairs(assert(lsocket.select(socks))) do
      local client = sock == server and server:accept()
      if client then
        turn = turn % count + 1
        assert(workers[turn].sock:sendfds("c", { client })) -- one byte, for the descriptor to go with
        client:close() -- the worker has it now
      end
      if sock ~= server then running = false end -- "quit", or the worker has died
    end
  end
  for _, worker in ipairs(workers) do
    worker.sock:close()
    worker.process:close()
  end
  print "quit"
end

if arg[1] == "worker" then
  work(tonumber(arg[2]), assert(lsocket.fromfd(tonumber(arg[3]))))
else
  rule(arg[1] or 16003, tonumber(arg[2] or 2))
end
