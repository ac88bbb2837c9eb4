-- Shows the library at work on real sockets; both ends of each exchange are here, and nothing leaves the machine.
-- Usage: lua samples/demo.lua        Exit status: 1 if anything gave a wrong answer, else 0
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local http = require "http.client"
local web = require "http.server"
local url = require "http.url"

local PATIENCE = 2 -- seconds to wait for anything at all
local MEASURE = 0.1 -- seconds for which each exchange is repeated

---- failing: what the machine lacks is told apart from what goes wrong ----

local lacks = { EAFNOSUPPORT = true, EADDRNOTAVAIL = true, ENETUNREACH = true, EHOSTUNREACH = true, ENODEV = true,
  ENETDOWN = true, EPROTONOSUPPORT = true, ENOPROTOOPT = true, EAI_NONAME = true, EAI_AGAIN = true }

-- Both pass their first argument on, or end the exchange: open where the machine may lack something.
local function open(value, message, name)
  if not value then error({ missing = lacks[name], message = message }) end
  return value
end

local function must(value, message)
  if not value then error({ message = message or "no answer within " .. PATIENCE .. " seconds" }) end
  return value
end

---- time: Lua has no fine clock for it, but Linux tells how long it has been up, to a hundredth of a second ----

local function uptime()
  local file = io.open("/proc/uptime")
  local seconds = file and file:read("*n")
  if file then file:close() end
  return seconds
end

local clock, clock_name = os.clock, "processor time of both ends together (os.clock)"
if uptime() then clock, clock_name = uptime, "real time (/proc/uptime)" end

-- How long an exchange takes, on average over many, from one tick of the clock to another.
local function measure(exchange)
  local before, count = clock(), 0
  local start = before
  while start == before do start = clock() end
  repeat
    for _ = 1, 10 do exchange() end
    count = count + 10
  until clock() - start >= MEASURE or count >= 100000
  local us = (clock() - start) / count * 1e6
  return us < 1000 and ("%.1f us"):format(us) or ("%.1f ms"):format(us / 1000)
end

---- one line of output ----

local function print_row(...)
  print((("  %-17s %-14s %-19s %-35s %9s"):format(...):gsub("%s+$", "")))
end

local right, missing, wrong = 0, 0, 0

-- prepare(sent) -> exchange; exchange() -> what came back, from whom. wanted: a pattern for all that comes back
local function show(title, sent, wanted, prepare)
  local ok, problem = pcall(function()
    local exchange = prepare(sent)
    local back, from = exchange()
    must(back:find("^" .. wanted .. "$"), ("the answer was %q"):format(back))
    print_row(title, sent, back, from, measure(exchange))
  end)
  if ok then
    right = right + 1
  elseif type(problem) == "table" and problem.missing then
    missing = missing + 1
    print_row(title, "not available on this machine: " .. problem.message, "", "", "")
  else
    wrong = wrong + 1
    print_row(title, "FAILED: " .. tostring(type(problem) == "table" and problem.message or problem), "", "", "")
  end
end

local function name_of(address, port)
  return port ~= 0 and address .. " port " .. port or address
end

---- the exchanges: the server sends back in capitals ----

-- Reads size bytes of a stream.
local function receive(sock, size)
  local data = ""
  while #data < size do
    must(lsocket.select({ sock }, PATIENCE))
    local piece, message = sock:recv(size - #data)
    must(piece ~= nil, message or "the connection was closed")
    data = data .. (piece or "")
  end
  return data
end

local function stream(address, port)
  return function(text)
    local server = open(lsocket.bind(address, port))
    local client = open(lsocket.connect(address, server:info("socket").port))
    must(lsocket.select({ server }, PATIENCE))
    local peer = must(server:accept())
    must(lsocket.select(nil, { client }, PATIENCE))
    must(client:status())
    local there = client:info("peer")
    return function()
      must(client:send(text))
      must(peer:send(receive(peer, #text):upper()))
      return receive(client, #text), name_of(there.addr, there.port or 0)
    end
  end
end

local function receive_from(sock)
  must(lsocket.select({ sock }, PATIENCE))
  local data, address, port = sock:recvfrom()
  return must(data, address), address, port
end

-- A unix client needs a path of its own: nobody could answer it otherwise.
local function datagram(server_address, client_address)
  return function(text)
    local server = open(lsocket.bind("udp", server_address, 0))
    local client = open(lsocket.bind("udp", client_address, 0))
    local server_port = server:info("socket").port or 0
    return function()
      open(client:sendto(text, server_address, server_port))
      local data, from, port = receive_from(server)
      must(server:sendto(data:upper(), from, port))
      data, from, port = receive_from(client)
      return data, name_of(from, port)
    end
  end
end

local function to_two(group)
  return function(text)
    local first = open(lsocket.bind("mcast", group, 0))
    local port = first:info("socket").port
    local second = open(lsocket.bind("mcast", group, port))
    local sender = open(lsocket.connect("mcast", group, port))
    return function()
      must(sender:send(text))
      local data, from, from_port = receive_from(first)
      return data .. ", " .. receive_from(second), name_of(from, from_port)
    end
  end
end

-- A page of a server that is a task beside its client: the body, the port. ends: the contexts for TLS, or none
local function fetch(address, target, ends)
  local function handle(asked) return 200, "page " .. asked.path end
  local here, message, name = web.serve(address, 0, handle, { tls = ends.server })
  if not here then return nil, message, name end
  local session, port, pieces = http.new { seconds = PATIENCE, tls = ends.client }, here:info("socket").port, {}
  local page = url.parse(("%s://[%s]:%d%s"):format(ends.client and "https" or "http", address, port, target))
  local answer, problem = session:fetch(page, function(piece) table.insert(pieces, piece) end)
  session:close()
  here:close(0)
  return answer and answer.status .. " " .. table.concat(pieces), answer and port or problem
end

local function page(address, contexts)
  return function(request)
    local ends = contexts and contexts() or {}
    return function()
      local text, port, name = loop.run(fetch, address, request:match("%S+$"), ends)
      return open(text, port, name), name_of(address, port)
    end
  end
end

local made -- the contexts, once there are some

-- A certificate for this machine, which is its own root, and what both ends need of it.
local function contexts()
  if made then return made end
  local has_tls, tls = pcall(require, "lsocket.tls")
  if not has_tls then error({ missing = true, message = "lsocket.tls is not built" }) end
  local file = os.tmpname()
  os.execute(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=demo "
    .. "-addext subjectAltName=IP:127.0.0.1,IP:::1 -keyout %s -out %s 2> /dev/null"):format(file, file))
  local server = tls.server { certfile = file }
  local client = server and tls.client { cafile = file }
  os.remove(file)
  if not client then error({ missing = true, message = "the program openssl, which makes a certificate" }) end
  made = { server = server, client = client }
  return made
end

local function lookup(name)
  local addresses = {}
  for _, record in ipairs(open(lsocket.resolve(name))) do addresses[#addresses + 1] = record.addr end
  return table.concat(addresses, " ")
end

---- the interfaces ----

-- "255.255.240.0", "ffff:fff0::" -> 20, 28
local function prefix_length(mask)
  local length, bits = 0, { ["8"] = 1, c = 2, e = 3, f = 4 }
  if mask:find(".", 1, true) then mask = mask:gsub("%d+", function(byte) return ("%x"):format(byte) end) end
  for digit in mask:gmatch("[8cef]") do length = length + bits[digit] end
  return length
end

local function each_interface()
  local list, of_name = {}, {}
  for _, record in ipairs(assert(lsocket.getinterfaces())) do
    local interface = of_name[record.name]
    if not interface then
      interface = { name = record.name, flags = record.flags, hwaddr = record.hwaddr }
      of_name[record.name], list[#list + 1] = interface, interface
    end
    interface[#interface + 1] = record.addr .. (record.mask and "/" .. prefix_length(record.mask) or "")
  end
  return ipairs(list)
end

local function print_interfaces()
  for _, interface in each_interface() do
    local flags = {}
    for flag in pairs(interface.flags) do flags[#flags + 1] = flag end
    table.sort(flags)
    interface[#interface + 1] = interface.hwaddr -- nil for some
    for i, address in ipairs(interface) do
      local name, properties = i == 1 and interface.name or "", i == 1 and table.concat(flags, " ") or ""
      print((("  %-17s %-47s %s"):format(name, address, properties):gsub("%s+$", "")))
    end
  end
end

local function loopback()
  for _, interface in each_interface() do
    if interface.flags.loopback then return "%" .. interface.name end
  end
  return ""
end

---- all of it ----

local function print_title(title)
  print("\n" .. title)
  print_row("over", "sent", "came back", "from", "time")
end

io.stdout:setvbuf("line")
print(("lsocket %s on %s. Times: %s."):format(lsocket._VERSION, jit and jit.version or _VERSION, clock_name))

local path = os.tmpname()
os.remove(path)
print_title("Echo: the server sends back in capitals what it got")
show("TCP, IPv4", "a stream", "A STREAM", stream("127.0.0.1", 0))
show("TCP, IPv6", "a stream", "A STREAM", stream("::1", 0))
show("UDP, IPv4", "a datagram", "A DATAGRAM", datagram("127.0.0.1", "127.0.0.1"))
show("UDP, IPv6", "a datagram", "A DATAGRAM", datagram("::1", "::1"))
show("unix stream", "a stream", "A STREAM", stream(path .. ".stream"))
show("unix datagram", "a datagram", "A DATAGRAM", datagram(path .. ".server", path .. ".client"))
for _, suffix in ipairs{ ".stream", ".server", ".client" } do os.remove(path .. suffix) end

print_title("To a group or to everybody: one sends, two receive")
show("multicast, IPv4", "to all", "to all, to all", to_two("239.255.16.1" .. loopback()))
show("multicast, IPv6", "to all", "to all, to all", to_two("ff01::16:1"))
show("broadcast, IPv4", "to all", "to all, to all", to_two("127.255.255.255"))

print_title("A page: an HTTP server and its client, started anew each time as tasks of this program")
show("HTTP, IPv4", "GET /hello", "200 page /hello", page("127.0.0.1"))
show("HTTP, IPv6", "GET /hello", "200 page /hello", page("::1"))
show("HTTPS, IPv4", "GET /hello", "200 page /hello", page("127.0.0.1", contexts))
show("HTTPS, IPv6", "GET /hello", "200 page /hello", page("::1", contexts))

print("\nA name, looked up")
show("the resolver", "localhost", "[%x.: ]+", function(name)
  return function() return lookup(name), "" end
end)

print("\nThe interfaces of this machine")
print_interfaces()

print(("\n%d right, %d not available on this machine, %d wrong"):format(right, missing, wrong))
os.exit(wrong == 0 and 0 or 1)
