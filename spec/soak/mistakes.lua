-- What fails, as it must: each of these causes failures on purpose, and looks at what they are.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local common = require "spec.soak.common"

local fails, raises, did = common.fails, common.raises, common.did
local mistakes = {}

function mistakes.refused()
  local keeper = assert(lsocket.connect("udp", "127.0.0.1", 9)) -- has a port where nobody receives
  local sock = assert(lsocket.connect("udp", "127.0.0.1", common.port(keeper)))
  assert(sock:send "nobody is there")
  common.wait(sock, "r")
  fails("ECONNREFUSED", sock:recv())
  local address = common.loopback()
  local listener = assert(lsocket.bind(address, 0))
  local port = common.port(listener)
  listener:close()
  local client, message, name = lsocket.connect(address, port)
  if not client then return fails("ECONNREFUSED", client, message, name) end
  common.wait(client, "w")
  fails("ECONNREFUSED", client:status())
  fails("EPIPE", client:send "x")
end

function mistakes.taken()
  local address = common.loopback()
  local listener = assert(lsocket.bind(address, 0))
  fails("EADDRINUSE", lsocket.bind(address, common.port(listener)))
  fails("EADDRNOTAVAIL", lsocket.bind("192.0.2.1", 0))
  local name = common.abstract()
  local other = assert(lsocket.bind("udp", name))
  fails("EADDRINUSE", lsocket.bind("udp", name))
  fails("ECONNREFUSED", lsocket.connect(name)) -- of that type there is none
  other:close()
  fails("ECONNREFUSED", lsocket.connect(name))
end

function mistakes.addresses()
  fails("ENOENT", lsocket.connect "/no/such/socket")
  fails("ENOENT", lsocket.bind "/no/such/folder/socket")
  fails("ENAMETOOLONG", lsocket.bind("/" .. ("x"):rep(200)))
  fails("EAI_NONAME", lsocket.resolve "1.2.3.4.5")
  fails("EINVAL", lsocket.bind "127.0.0.1")
  fails("ENODEV", lsocket.bind("udp", "fe80::1%nosuchinterface", 0))
  fails("EAFNOSUPPORT", lsocket.connect { family = "inet6", address = "127.0.0.1", port = 9 })
  fails("EOPNOTSUPP", lsocket.bind("mcast", common.abstract()))
end

function mistakes.closed()
  local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
  local batch = lsocket.batch(1, 10)
  batch:add "x"
  assert(sock:close() and sock:close())
  for _, name in ipairs { "recv", "recvfrom", "peek", "accept", "status", "dup", "detach", "recvfds", "recvmsg",
    "recverr", "peercred", "shutdown", "inherit" } do
    fails("EBADF", sock[name](sock))
  end
  fails("EBADF", sock:send "x")
  fails("EBADF", sock:sendto("x", "127.0.0.1", 9))
  fails("EBADF", sock:sendmany(batch))
  fails("EBADF", sock:getopt "ttl")
  assert(sock:getfd() == -1)
end

function mistakes.kinds()
  local a = assert(lsocket.pair())
  local udp = assert(lsocket.bind("udp", "127.0.0.1", 0))
  local batch = lsocket.batch(1, 10)
  fails("EOPNOTSUPP", a:recvmany(batch))
  fails("EOPNOTSUPP", udp:accept())
  fails("EOPNOTSUPP", udp:sendfile(common.file))
  fails("EOPNOTSUPP", udp:recvfds())
  fails("EDESTADDRREQ", udp:send "x")
  fails("ENOTCONN", udp:info "peer")
  fails("EMSGSIZE", udp:sendto(("x"):rep(65536), "127.0.0.1", 9))
  fails("EACCES", udp:sendto("x", "255.255.255.255", 9))
  fails("ENOPROTOOPT", udp:getopt "nodelay")
  fails("EINVAL", udp:join("127.0.0.1", "lo"))
  fails("ENODEV", udp:join("239.1.1.1", "nosuchinterface"))
  fails("EADDRNOTAVAIL", udp:leave("239.1.1.1", "lo"))
  fails("EMSGSIZE", batch:add(("x"):rep(11)))
  fails("EAI_NONAME", batch:add("x", "some.name", 9))
end

function mistakes.waiting()
  local a, b = assert(lsocket.pair())
  fails("EINVAL", lsocket.select {})
  for _, backend in ipairs { "epoll", "poll" } do
    local poller = lsocket.poller(backend)
    if poller then
      fails("EINVAL", poller:wait())
      assert(poller:add(a, "r"))
      fails("EEXIST", poller:add(a, "r"))
      fails("ENOENT", poller:remove(b))
      assert(poller:wait(0) == false)
      a:close()
      assert(#poller == 0)
      fails("EBADF", poller:add(a, "r"))
      a, b = assert(lsocket.pair())
    end
  end
  fails("EBADF", loop.wait(lsocket.fromfd(b:detach()):close() and b, "r"))
end

function mistakes.arguments()
  raises("port must be an integer", lsocket.bind, "127.0.0.1", 70000)
  raises("no such argument", lsocket.bind, { adress = "127.0.0.1", port = 0 })
  raises("", lsocket.select, { false })
  raises("", lsocket.poller, "kevents")
  raises("", lsocket.batch, 0)
  local a = assert(lsocket.pair())
  raises("", a.send, a)
  raises("", a.send, a, { {} })
  raises("", a.setopt, a, "nosuchoption", 1)
  raises("", a.sendfds, a, "x", { {} })
  raises("", a.sendmsg, a, { dat = "x" })
  raises("", a.recv, a, -1)
  raises("", a.recv, io.stdout)
end

-- A record that is too long stays, and comes out in another way.
function mistakes.records()
  local buffer = lsocket.buffer(100)
  assert(buffer:append(("x"):rep(102)))
  fails("EMSGSIZE", buffer:line())
  fails("EMSGSIZE", buffer:upto "::")
  assert(#buffer:some() == 102 and buffer:line() == false)
end

local names = {}
for name in pairs(mistakes) do names[#names + 1] = name end
table.sort(names)

return function()
  mistakes[common.one_of(names)]()
  did "mistakes"
end
