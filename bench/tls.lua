-- What TLS costs beside C and other libraries, within one process: a full handshake and a resumed one, the server's
-- part alone, with a client in C for all; 64 bytes there and back, also between tasks of the loop; writes of 64 KiB to
-- an end that throws them away; and the memory of a server's idle connections. TLS 1.3, a key on P-256. C is OpenSSL
-- on a BIO of its own (bench/c/tls/ctls.c).
local lib = require "bench.lib"
local cref = require "cref"
local lsocket = require "lsocket"

local function optional(name, module)
   local value = lib.peer("tls", name, module)
   if not value then os.exit(0) end
   return value
end
local tls, ctls = optional("lsocket.tls", "lsocket.tls"), optional("a C reference", "ctls")

local function certificates()
   local pipe = io.popen "spec/tls/folder"
   local folder = pipe:read()
   pipe:close()
   return folder .. "/"
end

local folder = certificates()
local CERT, KEY, ROOT = folder .. "good.pem", folder .. "leaf.key", folder .. "root.pem"
local SIZE, BULK, IDLE = 64, 65536, 2000
local message, block = lib.noise(SIZE), lib.noise(BULK)

-- Without Nagle's algorithm: small records follow each other without an answer in between.
local function connection()
   local near, far = lib.connection()
   for _, sock in ipairs { near, far } do assert(sock:setopt("nodelay", true)) end
   return near, far
end

-- ---- the libraries: each makes an end of TLS on a socket of ours, which handshakes, sends, receives and lets go; one
-- with sockets of its own adopts ours before ----

local libraries = {}

do
   local server, client = ctls.context("server", CERT, KEY), ctls.context("client", ROOT)
   libraries.C = {
      server = function(sock) return ctls.new(server, sock:getfd()) end,
      client = function(sock, resume) return ctls.new(client, sock:getfd(), resume) end,
      handshake = ctls.handshake, send = ctls.send, recv = ctls.recv, resumed = ctls.resumed,
      close = function(side, sock)
         ctls.close(side)
         sock:close()
      end,
   }
end

do
   local server = assert(tls.server { certfile = CERT, keyfile = KEY })
   local client = assert(tls.client { cafile = ROOT })
   local function start(context, host)
      return function(sock)
         assert(context:start(sock, host))
         return sock
      end
   end
   local plain = lsocket.pair()
   libraries.lsocket = {
      server = start(server), client = start(client, "localhost"), handshake = plain.handshake, send = plain.send,
      recv = plain.recv, close = plain.close,
   }
   plain:close()
end

local luasocket, ssl = lib.peer("tls", "LuaSocket", "socket"), lib.peer("tls", "LuaSec", "ssl")
if luasocket and ssl then
   local function context(mode)
      return assert(ssl.newcontext { mode = mode, protocol = "any", certificate = mode == "server" and CERT or nil,
         key = mode == "server" and KEY or nil, cafile = mode == "client" and ROOT or nil,
         verify = mode == "client" and "peer" or "none",
         options = { "all", "no_sslv2", "no_sslv3", "no_tlsv1", "no_tlsv1_1" } })
   end
   local server, client = context "server", context "client"
   local listener = assert(luasocket.bind("127.0.0.1", 0))
   local address, port = listener:getsockname()
   -- An object of LuaSocket's around our descriptor, which our object gives up: not to be timed.
   local function adopt(sock)
      local its = assert(luasocket.connect(address, port))
      listener:accept():close()
      cref.close(its:getfd())
      its:setfd(cref.dup(sock:getfd()))
      sock:close()
      its:settimeout(0)
      return its
   end
   local function wrap(of)
      return function(sock)
         local side = assert(ssl.wrap(sock, of))
         side:settimeout(0)
         return side
      end
   end
   libraries.LuaSec = {
      adopt = adopt, server = wrap(server), client = wrap(client),
      handshake = function(side)
         local done, problem = side:dohandshake()
         return done or assert(problem == "wantread" and problem, problem) == nil
      end,
      send = function(side, data) return side:send(data) end,
      recv = function(side, size) return side:receive(size) end,
      close = function(side) side:close() end,
   }
end

local NAMES = { "C", "lsocket", "LuaSec" }

-- What make(library) returns for each that is there, with its name.
local function of_each(make)
   local list = {}
   for _, name in ipairs(NAMES) do
      if libraries[name] then
         local entry = make(libraries[name])
         entry.name = name
         table.insert(list, entry)
      end
   end
   return list
end

-- The socket as the library needs it.
local function adopted(library, sock) return library.adopt and library.adopt(sock) or sock end

-- ---- handshakes ----

-- One of a client in C with a library's server, of which the watch sees the server's calls.
local function shake(library, resume, watch)
   local near, far = connection()
   local client = libraries.C.client(near, resume)
   far = adopted(library, far)
   watch:start()
   local server = library.server(far)
   watch:stop(1)
   local done, client_done
   repeat
      if not client_done then client_done = ctls.handshake(client) end
      watch:start()
      done = done or library.handshake(server)
      watch:stop(0)
   until done and client_done
   watch:start()
   library.send(server, "x")
   watch:stop(0)
   assert(ctls.recv(client, 1) == "x") -- and the tickets before it
   assert(ctls.resumed(client) == resume)
   watch:start()
   library.close(server, far)
   watch:stop(0)
   libraries.C.close(client, near)
end

local function handshakes(case, resume)
   local list = of_each(function(library)
      if resume then shake(library, false, lib.watch()) end
      return { run = function(n, watch)
         -- The session must be this library's: its server has made it.
         if resume then shake(library, false, lib.watch()) end
         for _ = 1, n do shake(library, resume, watch) end
      end }
   end)
   lib.alternate { workload = "tls", cases = { case }, libraries = list, count = lib.quick and 10 or 40, rounds = 30,
      extra = "unit=handshake" }
end

-- ---- data ----

-- Lets a client of one library and a server of another one finish their handshake.
local function meet(near, client, far, server)
   local client_done, server_done
   repeat
      client_done = client_done or near.handshake(client)
      server_done = server_done or far.handshake(server)
   until client_done and server_done
end

local function connected(library)
   local near, far = connection()
   local client, server = library.client(adopted(library, near)), library.server(adopted(library, far))
   meet(library, client, library, server)
   library.send(server, "x")
   repeat local data = library.recv(client, 1) until data == "x"
   return client, server, near, far
end

local function exchanging(library)
   local client, server, near, far = connected(library)
   local send, recv = library.send, library.recv
   return { run = function(n, watch)
      watch:start()
      for _ = 1, n do
         send(client, message)
         if recv(server, SIZE) ~= message then error "it has not come" end
         send(server, message)
         if recv(client, SIZE) ~= message then error "it has not come" end
      end
      watch:stop(2 * n) -- for each side
   end, held = { near, far } }
end

local function pingpong()
   lib.alternate { workload = "tls", cases = { "64 bytes there and back" }, libraries = of_each(exchanging),
      extra = "unit=side" }
end

-- The same between a client in a task and the server's task, which the loop waits for; C waits for nothing. In a
-- process of its own for each engine.
local function in_tasks(name)
   local loop = require "lsocket.loop"
   loop.run(function()
      local server = assert(loop.serve("127.0.0.1", 0, function(client)
         repeat
            local data = client:readexactly(SIZE)
         until not data or not client:write(data)
      end, { tls = assert(tls.server { certfile = CERT, keyfile = KEY }) }))
      local client = assert(loop.connect("127.0.0.1", server:info "socket".port,
         { tls = assert(tls.client { cafile = ROOT }), tlsname = "localhost" }))
      local function run(n, watch)
         watch:start()
         for _ = 1, n do
            client:write(message)
            if client:readexactly(SIZE) ~= message then error "it has not come" end
         end
         watch:stop(2 * n) -- for each side
      end
      local c = exchanging(libraries.C)
      c.name = "C"
      lib.alternate { workload = "tls", cases = { "64 bytes, in tasks" }, libraries = { c, { name = name, run = run } },
         after = name:match "ring" and 1000 or 0,
         extra = "unit=side group=" .. name:gsub("%W", "") }
      os.exit(0)
   end)
end

local function bulk()
   local list = of_each(function(library)
      -- The far end is a socket of ours whose bytes are thrown away as they are. That is counted, too: of some
      -- connections the kernel sends the end of a block only when its beginning was read.
      local near, far = connection()
      cref.roomy(near:getfd(), 4 * BULK)
      cref.roomy(far:getfd(), 4 * BULK)
      local from, to = cref.dup(near:getfd()), cref.dup(far:getfd())
      local client, server = library.client(adopted(library, near)), libraries.C.server(far)
      meet(library, client, libraries.C, server)
      local send = library.send
      return { run = function(n, watch)
         for _ = 1, n do
            watch:start()
            local count = send(client, block)
            cref.prime(from, to, 0)
            watch:stop(1)
            if count ~= BULK then error "the block was not taken" end
         end
      end, held = { near, far } }
   end)
   lib.alternate { workload = "tls", cases = { "send 64 KiB" }, libraries = list, extra = "unit=block" }
end

-- ---- memory ----

-- In a child of its own: so many clients in C of a port, until the input ends.
local function hold(port, count)
   local sides = {} -- luacheck: ignore 241
   for i = 1, count do
      local sock = assert(lsocket.connect { address = "127.0.0.1", port = port, nodelay = true })
      assert(lsocket.select(nil, { sock }, 30))
      local side = libraries.C.client(sock)
      while not ctls.handshake(side) do assert(lsocket.select({ sock }, 30)) end
      ctls.send(side, "x")
      while not ctls.recv(side, 1) do assert(lsocket.select({ sock }, 30)) end
      sides[i] = { sock, side }
   end
   io.read "*l"
end

-- In a child, too: a server of so many, which have each said a byte; what one takes, beyond the first ones.
local function weigh(name)
   local library, kept, before = libraries[name], {}, nil -- luacheck: ignore 241
   local listener = assert(lsocket.bind("127.0.0.1", 0))
   local few = IDLE / 10
   local pipe = assert(io.popen(("%s bench/tls.lua hold %d %d"):format(arg[-1], listener:info "socket".port,
      few + IDLE), "w"))
   for i = 1, few + IDLE do
      assert(lsocket.select({ listener }, 30))
      local sock = assert(listener:accept())
      assert(sock:setopt("nodelay", true))
      local side = library.server(adopted(library, sock))
      local function wait() if name ~= "LuaSec" then assert(lsocket.select({ sock }, 30)) end end
      while not library.handshake(side) do wait() end
      repeat local data = library.recv(side, 1) until data == "x" or wait()
      library.send(side, "x")
      kept[i] = { sock, side }
      if i == few then before = lib.resident() end
   end
   print((lib.resident() - before) / IDLE)
   io.stdout:flush()
   pipe:write "\n"
   os.exit(0, false)
end

local function memory()
   for round = 1, lib.rounds(3) do
      for _, name in ipairs(NAMES) do
         if libraries[name] then
            local pipe = assert(io.popen(("%s bench/tls.lua weigh %s"):format(arg[-1], name)))
            local bytes = tonumber(pipe:read "*l")
            pipe:close()
            lib.emit("tls", "idle", name, round, IDLE, 0, 0, ("bytes=%.0f"):format(assert(bytes, name)))
         end
      end
   end
end

if arg[1] == "hold" then return hold(tonumber(arg[2]), tonumber(arg[3])) end
if arg[1] == "weigh" then return weigh(arg[2]) end
if arg[2] then return in_tasks(arg[2]) end
handshakes("full handshake, server", false)
handshakes("resumed handshake, server", true)
pingpong()
bulk()
memory()
lib.run_each("", lib.loops "tls")
