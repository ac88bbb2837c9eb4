-- Two hosts, a and b, joined by two links, link1 and link2, each host in a network namespace of its own. A host is
-- called with Lua code and answers what that gives: host([[ ... ]], arguments). Globals that the code sets stay there.
--
--            a                          b
--   link1    10.21.0.1  fd21::1         10.21.0.2  fd21::2      and fe80::1, fe80::2 on both: only the zone tells
--   link2    10.22.0.1  fd22::1         10.22.0.2  fd22::2
--   link3    10.23.0.1  fd23::1         10.23.0.2  fd23::2      only after hosts.bad_link
local lsocket = require "lsocket"
local helper = require "spec.helper"

local hosts = {}

-- ---- what spec and host say to each other: a length, a line's end, a Lua table's text ----

local function literal(value)
  local kind = type(value)
  if kind == "nil" or kind == "boolean" or kind == "number" then return tostring(value) end
  if kind ~= "table" then return ("%q"):format(tostring(value)) end
  local pieces = {}
  for key, element in pairs(value) do pieces[#pieces + 1] = ("[%s]=%s"):format(literal(key), literal(element)) end
  return "{" .. table.concat(pieces, ",") .. "}"
end

function hosts.send(sock, message)
  local text = literal(message)
  text = #text .. "\n" .. text
  while #text > 0 do
    local count = assert(helper.writable(sock):send(text))
    text = text:sub(count + 1)
  end
end

-- The next message; nil: the other side has gone.
function hosts.receive(sock)
  local digits = {}
  repeat
    local digit = helper.receive(sock, 1)
    if digit == "" then return nil end
    digits[#digits + 1] = digit
  until digit == "\n"
  local text = helper.receive(sock, tonumber(table.concat(digits)))
  return assert((loadstring or load)("return " .. text))()
end

-- ---- hosts ----

local Host = {}

-- host:begin(code, ...) and later host:finish() are host(code, ...) in two steps, for hosts that work at one time.
function Host:begin(code, ...)
  hosts.send(self.sock, { code, select("#", ...), { ... } })
end

function Host:finish()
  local answer = hosts.receive(self.sock)
  if not answer then error("the host has gone", 2) end
  if not answer.ok then error(answer.problem, 2) end
  return (unpack or table.unpack)(answer.results, 1, answer.count) -- luacheck: ignore 143
end

function Host:__call(code, ...)
  self:begin(code, ...)
  return self:finish()
end

-- The host's end of a link, and the addresses there.
local function addresses(host, link)
  -- Neighbours are asked for every 50 ms for 5 s, not every second for 3 s: a link that is up again works at once.
  return ([[
    link set link%d addrgenmode none up
    addr add 10.2%d.0.%d/24 dev link%d
    addr add fd2%d::%d/64 dev link%d nodad
    addr add fe80::%d/64 dev link%d nodad
    ntable change name arp_cache dev link%d retrans 50 mcast_probes 100
    ntable change name ndisc_cache dev link%d retrans 50 mcast_probes 100
  ]]):format(link, link, host, link, link, host, link, host, link, link, link)
end

local running = {}

local function start(number)
  local path = helper.path()
  local host = setmetatable({ number = number, listener = assert(lsocket.bind(path)) }, Host)
  host.program = assert(io.popen("exec unshare --net " .. helper.command("host", path)))
  running[#running + 1] = host
  return host
end

local function await(host)
  host.sock = assert(helper.readable(host.listener):accept())
  host.listener:close()
  host.pid = host "return process.pid()"
end

-- Runs ip(8) in a host, a command a line.
function Host:ip(commands)
  self("ip(...)", commands)
end

-- Waits until link1 and link2 carry frames: the system sees only a little later that the other end is up, and until
-- then it drops without a word what is sent.
function Host:await_links()
  self [[
    for link = 1, 2 do
      helper.eventually("link" .. link .. " is up", function()
        return helper.run("ip -o link show dev link" .. link):find(" state UP ", 1, true)
      end)
    end
  ]]
end

Host.__index = Host

-- a, b; each call makes new ones. Takes busted's pending.
function hosts.make(pending)
  helper.need.sandbox(pending)
  helper.need.tool(pending, "unshare --net true")
  local a, b = start(1), start(2) -- side by side
  await(a)
  await(b)
  local new = "link add link%d type veth peer name link%d netns " .. b.pid .. "\n"
  a:ip("link set lo up\n" .. new:format(1, 1) .. new:format(2, 2) .. addresses(1, 1) .. addresses(1, 2))
  b:ip("link set lo up\n" .. addresses(2, 1) .. addresses(2, 2))
  a:await_links()
  b:await_links()
  return a, b
end

-- Joins two hosts by link3, whose frames spec/child/relay.py carries, and not all of them. The seed and probabilities
-- (seed, loss, twice, late) make it one and the same bad link.
function hosts.bad_link(a, b, pending, fate)
  helper.need.tool(pending, helper.python "-c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'")
  local path = helper.path()
  local listener = assert(lsocket.bind(path))
  local relay = {}
  relay.program = assert(io.popen("exec unshare --net env " .. helper.python("spec/child/relay.py " ..
    table.concat({ path, fate.seed, fate.loss, fate.twice, fate.late }, " "))))
  running[#running + 1] = relay
  relay.sock = assert(helper.readable(listener):accept())
  local pid = helper.readable(relay.sock):recv():match "%d+"
  a:ip("link add link3 type veth peer name near netns " .. pid)
  b:ip("link add link3 type veth peer name far netns " .. pid)
  for _, host in ipairs { a, b } do
    host:ip("link set link3 gso_max_segs 1") -- or a frame is 64 KiB, and so few of them that none is lost
    host:ip(addresses(host.number, 3))
  end
  relay.sock:send "!"
  assert(helper.readable(relay.sock):recv() == "!")
end

-- Ends all hosts, and with them their links; for after_each.
function hosts.remove()
  for _, host in ipairs(running) do
    if host.sock then host.sock:close() end
    host.program:close()
  end
  running = {}
  helper.remove_paths()
end

return hosts
