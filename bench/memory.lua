-- How much memory of the process an open connection takes, one that is registered with the library's poller or loop,
-- and one with a task in straight-line code that waits for what comes, with what it needs to read and write (a stream),
-- from the beginning, or after it has read a line of 80 bytes.
-- Each figure comes from a process of its own, which accepts FEW connections, then MANY, and divides the growth. The
-- far ends are descriptors held in C, and the table that the near ends stand in has its full size before: neither
-- counts.
local lib = require "bench.lib"
local cref = require "cref"

local FEW, MANY, FAR = 1000, 8000, 10000

-- ---- the libraries: each opens a listener and answers its port, accept() and register(connection) ----

local libraries = {}

function libraries.lsocket()
   local lsocket = require "lsocket"
   local server, poller = assert(lsocket.bind("127.0.0.1", 0, 128)), assert(lsocket.poller())
   local listener = { server }
   return server:info "socket".port, function()
      lsocket.select(listener, 5)
      return (server:accept())
   end, function(sock) poller:add(sock, "r") end
end

function libraries.LuaSocket()
   local server = assert(require "socket".bind("127.0.0.1", 0, 128))
   return tonumber((select(2, server:getsockname()))), function() return server:accept() end
end

function libraries.luaposix()
   local ps = require "posix.sys.socket"
   local server = assert(ps.socket(ps.AF_INET, ps.SOCK_STREAM, 0))
   assert(ps.bind(server, { family = ps.AF_INET, addr = "127.0.0.1", port = 0 }))
   assert(ps.listen(server, 128))
   local fds = {} -- luacheck: ignore
   return ps.getsockname(server).port, function() return (ps.accept(server)) end, function(fd)
      fds[fd] = { events = { IN = true } }
   end
end

-- A server and the controller that runs it.
local function listen_by_cqueues()
   local server = assert(require "cqueues.socket".listen { host = "127.0.0.1", port = 0 })
   assert(server:listen())
   return server, require "cqueues".new()
end

function libraries.cqueues()
   local server, loop = listen_by_cqueues()
   local poll = require "cqueues".poll
   local function serve(sock) poll(sock) end
   return select(3, server:localname()), function() return server:accept() end, function(sock)
      loop:wrap(serve, sock)
      loop:step(0)
   end
end

function libraries.luv()
   local uv = require "luv"
   local server, accepted = uv.new_tcp(), nil
   assert(server:bind("127.0.0.1", 0))
   assert(server:listen(128, function()
      accepted = uv.new_tcp()
      server:accept(accepted)
   end))
   local function on_read() end
   return server:getsockname().port, function()
      accepted = nil
      while not accepted do uv.run "once" end
      return accepted
   end, function(sock) sock:read_start(on_read) end
end

-- ---- the same with a task for each: open a listener and answer its port, and step(), which lets the loop go on ----

local served = 0 -- so many tasks wait for what comes
local LINE = arg[1] == "line" and ("x"):rep(79) .. "\n" or "" -- that a task reads before, if any

local tasks = {}

-- The handler of serve waits in that method of its stream.
local function waiting_in(method)
   return function()
      local loop = require "lsocket.loop"
      local server = assert(loop.serve("127.0.0.1", 0, function(client)
         if LINE ~= "" then assert(client:read()) end
         served = served + 1
         client[method](client)
      end))
      return server:info "socket".port, function() loop.sleep(0) end
   end
end

tasks["lsocket loop"], tasks["lsocket loop read"] = waiting_in "readsome", waiting_in "read"

tasks["luv coroutines"] = function()
   local uv = require "luv"
   local server = uv.new_tcp()
   local function serve(client)
      local task = coroutine.running()
      client:read_start(function(_, data) assert(coroutine.resume(task, data)) end)
      if LINE ~= "" then assert(coroutine.yield()) end
      served = served + 1
      coroutine.yield()
      client:close()
   end
   assert(server:bind("127.0.0.1", 0))
   assert(server:listen(128, function()
      local client = uv.new_tcp()
      server:accept(client)
      coroutine.wrap(serve)(client)
   end))
   return server:getsockname().port, function() uv.run "once" end
end

function tasks.cqueues()
   local server, loop = listen_by_cqueues()
   local function serve(sock)
      if LINE ~= "" then assert(sock:read "*l") end
      served = served + 1
      sock:read(1)
   end
   loop:wrap(function()
      for client in server:clients() do loop:wrap(serve, client) end
   end)
   return select(3, server:localname()), function() assert(loop:step()) end
end

function tasks.copas()
   local copas, socket = require "copas", require "socket"
   local server = assert(socket.bind("127.0.0.1", 0, 128))
   local port = select(2, server:getsockname())
   copas.addserver(server, function(sock)
      sock:settimeout(0)
      if LINE ~= "" then assert(copas.receive(sock, "*l")) end
      served = served + 1
      copas.receive(sock, 1)
   end)
   return tonumber(port), function() copas.step() end
end

-- ---- weighing, in the child ----

-- What a connection takes; accept(i) accepts the i-th, and makes what is to be weighed of it.
local function weigh(port, accept, few, many)
   local function fill(from, to)
      for i = from, to do
         cref.hold(port, FAR, LINE)
         accept(i)
         if i % 100 == 0 then collectgarbage() end -- so that it is not garbage that is weighed
      end
   end
   fill(1, few)
   local before = lib.resident()
   fill(few + 1, many)
   print((lib.resident() - before) / (many - few))
end

local weighing = {}

function weighing.open(name, and_then)
   local port, accept, register = libraries[name]()
   local connections = {}
   for i = 1, MANY do connections[i] = false end
   weigh(port, function(i)
      connections[i] = assert(accept())
      if and_then then register(connections[i]) end
   end, FEW, MANY)
   assert(connections[MANY])
end

function weighing.registered(name)
   weighing.open(name, true)
end

function weighing.task(name)
   local port, step = tasks[name]()
   local few, many = FEW, MANY
   if name == "copas" then few, many = 100, 900 end -- its select takes no descriptor from 1024 on
   weigh(port, function(i)
      while served < i do step() end
   end, few, many)
end

weighing.line = weighing.task

-- Ends without an end for each task.
local function weigh_and_exit()
   local done, problem = pcall(weighing[arg[1]], arg[2])
   if not done then io.stderr:write(problem, "\n") end
   os.exit(done and 0 or 1)
end

if weighing[arg[1]] then
   if arg[2]:match "^lsocket loop" then require "lsocket.loop".run(weigh_and_exit) else weigh_and_exit() end
end

-- ---- asking children, in the parent ----

local function child(variables, ...)
   local command = ("%s %s %s '%s' '%s'"):format(variables, arg[-1], arg[0], ...)
   local pipe = assert(io.popen(command))
   local bytes = tonumber(pipe:read "*l")
   pipe:close()
   return assert(bytes, "no figure: " .. command)
end

local function measure(shown, variables, name, cases)
   for round = 1, lib.rounds(3) do
      for _, case in ipairs(cases) do
         local bytes, title = child(variables, case, name), case == "line" and "task after a line" or case
         lib.emit("memory", title, shown, round, MANY - FEW, 0, 0, ("bytes=%.0f"):format(bytes))
      end
   end
end

-- LuaSocket has no registering: its select is given an array.
local measured = {
   { "lsocket", "lsocket", { "open", "registered" } },
   { "LuaSocket", "socket", { "open" } },
   { "luaposix", "posix", { "open", "registered" } },
   { "cqueues", "cqueues", { "open", "registered", "task", "line" } },
   { "luv", "luv", { "open", "registered" } },
   { "luv coroutines", "luv", { "task", "line" } },
}
for _, row in ipairs(measured) do
   local name, module, cases = row[1], row[2], row[3]
   if lib.peer("memory", name, module) then measure(name, "", name, cases) end
end

for _, name in ipairs { "lsocket loop", "lsocket loop read" } do
   for _, one in ipairs(lib.loops("memory", name)) do measure(one.name, one.variables, name, { "task", "line" }) end
end
for _, one in ipairs(lib.copases()) do measure(one.name, one.variables, "copas", { "task", "line" }) end

local before, holder = collectgarbage "count", {} -- luacheck: ignore
for i = 1, MANY do holder[i] = false end
lib.remark("memory: %s: the table that holds them takes another %.0f bytes a connection",
   lib.interpreter, (collectgarbage "count" - before) * 1024 / MANY)
lib.remark("memory: LuaSocket has nothing to register with; its select asks about every socket of an array")
