-- The ways to wait for a socket, in a task: each makes a function that waits for one of two sockets to be readable. The
-- hubs are pollers in which all sockets are, of every backend that there is; what they tell must be true.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local common = require "spec.soak.common"

local waiters = { hubs = {} }
local backends = {}
for _, backend in ipairs { "epoll", "kqueue", "poll" } do
  local poller = lsocket.poller(backend)
  if poller then
    poller:close()
    backends[#backends + 1] = backend
  end
end

local ways = {}

function ways.loop()
  return function(sock) common.wait(sock, "r") end
end

function ways.select()
  return function(sock, other)
    local ready = common.eventually(lsocket.select, { other, sock }, 0)
    while ready[#ready] ~= sock do -- the other one is there, and this one not yet
      loop.sleep(0.001)
      ready = common.eventually(lsocket.select, { sock }, 0)
    end
    common.did "selects"
  end
end

local function contains(list, value)
  for _, element in ipairs(list) do
    if element == value then return true end
  end
  return false
end

for _, backend in ipairs(backends) do
  ways[backend] = function()
    local poller = assert(lsocket.poller(backend))
    local readable, writable = {}, {}
    return function(sock, other)
      for _, each in ipairs { sock, other } do
        local ok, message, name = poller:add(each, "r")
        if not ok then assert(name == "EEXIST", message) end
      end
      if poller:getfd() then common.wait(poller, "r") end
      common.eventually(function()
        return assert(poller:wait(0, readable, writable) ~= nil) and contains(readable, sock)
      end)
      assert(#writable == 0)
      common.did(backend .. " waits")
    end
  end
end

local names = {}
for name in pairs(ways) do names[#names + 1] = name end
table.sort(names) -- so that a seed means the same again

function waiters.new() return ways[common.one_of(names)]() end

-- ---- hubs ----

local everybody = setmetatable({}, { __mode = "k" }) -- sockets

-- From now on all hubs watch it, until it is closed.
function waiters.watch(sock)
  everybody[sock] = true
  for _, hub in pairs(waiters.hubs) do assert(hub:add(sock, "r")) end
  return sock
end

-- A hub keeps what it has alive: this is for what shall be collected.
function waiters.forget(sock)
  everybody[sock] = nil
  for _, hub in pairs(waiters.hubs) do assert(hub:remove(sock)) end
end

local function open(backend)
  local hub = assert(lsocket.poller(backend))
  for sock in pairs(everybody) do
    if sock:getfd() >= 0 then assert(hub:add(sock, "r")) else everybody[sock] = nil end
  end
  waiters.hubs[backend] = hub
end

local function look(hub, backend, readable, writable)
  if not assert(hub:wait(0, readable, writable) ~= nil) then return end
  for _, sock in ipairs(readable) do
    assert(sock:getfd() >= 0, "an event for a socket that is closed")
    assert(everybody[sock], "an event for a socket that is not registered")
  end
  assert(#writable == 0)
  common.did(backend .. " events", #readable)
end

-- A task: looks at the hubs for as long as it is wanted; now and then closes one, and opens another.
function waiters.run(is_wanted)
  local readable, writable = {}, {}
  for _, backend in ipairs(backends) do open(backend) end
  while is_wanted() do
    local backend = common.one_of(backends)
    local hub = waiters.hubs[backend]
    look(hub, backend, readable, writable)
    if common.chance(50) then
      hub:close()
      common.fails("EBADF", hub:wait(0))
      open(backend)
    end
    loop.sleep(0.002)
  end
end

-- When all sockets are closed: the hubs are empty, or hold what is garbage but for them.
function waiters.close()
  for backend, hub in pairs(waiters.hubs) do
    hub:close()
    waiters.hubs[backend] = nil
  end
  everybody = setmetatable({}, { __mode = "k" })
end

return waiters
