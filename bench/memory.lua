-- How much memory of the process an open connection takes, and one that is registered with the library's poller or
-- loop. Each figure comes from a process of its own, which accepts FEW connections, then MANY, and divides the growth.
-- The far ends are descriptors held in C, and the table that the near ends stand in has its full size before: neither
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

function libraries.cqueues()
   local cqueues = require "cqueues"
   local server = assert(require "cqueues.socket".listen { host = "127.0.0.1", port = 0 })
   assert(server:listen())
   local loop = cqueues.new()
   local function serve(sock) cqueues.poll(sock) end
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

-- ---- weighing, in the child ----

local function resident()
   collectgarbage()
   collectgarbage()
   for line in io.lines "/proc/self/status" do
      local kilobytes = line:match "^RssAnon:%s*(%d+)"
      if kilobytes then return kilobytes * 1024 end
   end
end

local function weigh(name, registered)
   local port, accept, register = libraries[name]()
   local connections = {}
   for i = 1, MANY do connections[i] = false end
   local function fill(from, to)
      for i = from, to do
         cref.hold(port, FAR)
         connections[i] = assert(accept())
         if registered then register(connections[i]) end
         if i % 100 == 0 then collectgarbage() end -- so that it is not garbage that is weighed
      end
   end
   fill(1, FEW)
   local before = resident()
   fill(FEW + 1, MANY)
   local bytes = (resident() - before) / (MANY - FEW)
   assert(connections[MANY])
   print(bytes)
end

if libraries[arg[1]] then
   weigh(arg[1], arg[2] == "registered")
   return
end

-- ---- asking children, in the parent ----

local function child(...)
   local pipe = assert(io.popen(table.concat({ arg[-1], arg[0], ... }, " ")))
   local bytes = tonumber(pipe:read "*l")
   pipe:close()
   return bytes
end

-- LuaSocket has no registering: its select is given an array.
local measured = {
   { "lsocket", "lsocket", true }, { "LuaSocket", "socket" }, { "luaposix", "posix", true },
   { "cqueues", "cqueues", true }, { "luv", "luv", true },
}
for _, row in ipairs(measured) do
   local name, module, registers = row[1], row[2], row[3]
   if lib.peer("memory", name, module) then
      for round = 1, lib.rounds(3) do
         for _, case in ipairs(registers and { "open", "registered" } or { "open" }) do
            local bytes = assert(child(name, case), "no figure for " .. name)
            lib.emit("memory", case, name, round, MANY - FEW, 0, 0, ("bytes=%.0f"):format(bytes))
         end
      end
   end
end

local before, holder = collectgarbage "count", {} -- luacheck: ignore
for i = 1, MANY do holder[i] = false end
lib.remark("memory: %s: the table that holds them takes another %.0f bytes a connection",
   lib.interpreter, (collectgarbage "count" - before) * 1024 / MANY)
lib.remark("memory: LuaSocket has nothing to register with; its select asks about every socket of an array")
