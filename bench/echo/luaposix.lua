-- An echo server with luaposix's poll. Prints its port. It accepts all that wait, as each poll asks about everybody.
local fcntl = require "posix.fcntl"
local poll = require("posix.poll").poll
local ps = require "posix.sys.socket"
local close = require("posix.unistd").close

local function unblock(fd) fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.O_NONBLOCK) end

local server = assert(ps.socket(ps.AF_INET, ps.SOCK_STREAM, 0))
assert(ps.bind(server, { family = ps.AF_INET, addr = "127.0.0.1", port = 0 }))
assert(ps.listen(server, 4096))
print(ps.getsockname(server).port)
io.stdout:flush()

unblock(server)
local fds = { [server] = { events = { IN = true } } }
local recv, send = ps.recv, ps.send

local function accept_all()
   local client = ps.accept(server)
   while client do
      unblock(client)
      fds[client] = { events = { IN = true } }
      client = ps.accept(server)
   end
end

while true do
   poll(fds)
   local waiting
   for fd, state in pairs(fds) do
      if state.revents and (state.revents.IN or state.revents.HUP or state.revents.ERR) then
         if fd == server then
            waiting = true
         else
            local data = recv(fd, 4096)
            if data and data ~= "" then
               send(fd, data)
            else
               close(fd)
               fds[fd] = nil
            end
         end
      end
   end
   if waiting then accept_all() end
end
