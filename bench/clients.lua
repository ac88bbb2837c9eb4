-- Clients: 50 at once that connect by name, with a resolver that takes 200 ms for each question, send one request of
-- 64 bytes, read the answer, and close. Each library runs in a process of its own, in a network of its own with the
-- echo server in C (bench/apart). No name is asked for twice.
local lib = require "bench.lib"

local CLIENTS, SIZE = 50, 64

if not arg[2] then
   local there = os.execute "bench/apart true"
   if there ~= true and there ~= 0 then
      lib.remark "clients: no network with a slow resolver can be made here (unshare), so all rows are left out"
      os.exit(0)
   end
   if lib.interpreter == "lua5.4" then
      lib.remark "clients: luv looks up 2 names at once, half of UV_THREADPOOL_SIZE; lsocket 64; cqueues asks by itself"
      lib.remark "clients: copas looks up one name after the other, as LuaSocket blocks, each twice; it has one round"
   end
   local threads = lib.others("clients", { "luv" })
   for _, one in ipairs(threads) do one.name, one.variables = "luv, 128 threads", "UV_THREADPOOL_SIZE=128" end
   lib.run_each("bench/apart", lib.loops "clients", lib.others("clients", { "cqueues", "luv" }), threads, lib.copases())
end

local port, request = tonumber(os.getenv "ECHO_PORT"), lib.noise(SIZE)
local asked = 0
local function next_name()
   asked = asked + 1
   return ("n%d.example"):format(asked)
end

local function check(answer, ...)
   if answer ~= request then error(("no answer: %s"):format(tostring((...))), 0) end
end

-- Each runs that many clients at once, until all have ended.
local run = {}

function run.lsocket(count)
   local loop = require "lsocket.loop"
   loop.run(function()
      for _ = 1, count do
         loop.spawn(function()
            local stream = assert(loop.connect(next_name(), port))
            assert(stream:write(request))
            check(stream:readexactly(SIZE))
            stream:close()
         end)
      end
   end)
end

function run.cqueues(count)
   local controller, connect = require "cqueues".new(), require "cqueues.socket".connect
   for _ = 1, count do
      controller:wrap(function()
         local sock = assert(connect { host = next_name(), port = port, nodelay = true })
         sock:setmode("bn", "bn")
         assert(sock:write(request))
         check(sock:read(SIZE))
         sock:close()
      end)
   end
   assert(controller:loop())
end

function run.luv(count)
   local uv = require "luv"
   local function resume(task)
      return function(...) assert(coroutine.resume(task, ...)) end
   end
   local function client()
      local this, got = coroutine.running(), {}
      assert(uv.getaddrinfo(next_name(), nil, { socktype = "stream" }, resume(this)))
      local _, addresses = coroutine.yield()
      local sock = uv.new_tcp()
      sock:connect(addresses[1].addr, port, resume(this))
      local problem = coroutine.yield()
      assert(not problem, problem)
      sock:try_write(request)
      sock:read_start(resume(this))
      repeat
         local failed, data = coroutine.yield()
         table.insert(got, data)
      until failed or not data or #table.concat(got) >= SIZE
      check(table.concat(got))
      sock:close()
   end
   for _ = 1, count do coroutine.wrap(client)() end
   uv.run()
end

function run.copas(count)
   local copas, socket = require "copas", require "socket"
   local left = count
   for _ = 1, count do
      copas.addthread(function()
         local sock = socket.tcp()
         sock:settimeout(0)
         assert(copas.connect(sock, next_name(), port))
         copas.send(sock, request)
         check(copas.receive(sock, SIZE))
         sock:close()
         left = left - 1
      end)
   end
   while left > 0 do copas.step() end
end

local name = arg[2]
local clients = run[name:match "^%a+"]
clients(1) -- loads what it needs
for round = 1, name:match "^copas" and 1 or lib.rounds(5) do
   local watch = lib.watch()
   watch:start()
   clients(CLIENTS)
   watch:stop(CLIENTS)
   lib.emit("clients", CLIENTS .. " by name", name, round, CLIENTS, watch.wall, watch.cpu, "unit=client")
end
