-- Looks up the addresses of a name: asks several name servers at once, and takes the first answer.
-- Usage: lua samples/racedns.lua name server[#port]...        such as www.example.org 192.0.2.1 2001:db8::1#5353
local loop = require "lsocket.loop"
local lsocket = require "lsocket"

local TRIES, PATIENCE = 3, 1.5 -- how often a server is asked, and seconds for its answer
local sizes = { ["\0\1\0\1"] = 4, ["\0\28\0\1"] = 16 } -- records A and AAAA (RFC 1035, RFC 3596) and their bytes
local is_useful = { [0] = true, [3] = true } -- answers: addresses, or that there is no such name
local random = assert(io.open("/dev/urandom", "rb"))
local function fail(message)
  io.stderr:write("racedns: ", message or "usage: racedns.lua name server[#port]...", "\n")
  os.exit(1)
end

local function number_at(text, at) return text:byte(at) * 256 + text:byte(at + 1) end
local function is_answer(data, query)
  return data:sub(1, 2) == query:sub(1, 2) and data:sub(13, #query) == query:sub(13) and data:byte(3) >= 128
end
local function receive(sock, query)
  local data, message, name
  repeat data, message, name = sock:recv() until not data or is_answer(data, query)
  return data, message and name
end

local function over_udp(place, query)
  local sock = loop.wrap(assert(lsocket.connect("udp", place.host, place.port)))
  for _ = 1, TRIES do
    sock:send(query)
    local answer, problem = loop.deadline(PATIENCE, receive, sock, query)
    if answer or problem ~= "ETIMEDOUT" then return sock:close() and answer end
  end
  sock:close()
end

local function over_tcp(place, query) -- an answer that no datagram holds
  local stream = loop.connect(place.host, place.port)
  local size = stream and stream:write("\0", string.char(#query), query) and stream:readexactly(2)
  local answer = size and stream:readexactly(number_at(size, 1))
  return stream and stream:close() and answer and is_answer(answer, query) and answer
end

-- Adds the addresses in an answer to a list. Where that is cut off it raises: at a nil, or at the end.
local function read_records(answer, at, list)
  for _ = 1, number_at(answer, 7) do
    while answer:byte(at) > 0 and answer:byte(at) < 64 do at = at + 1 + answer:byte(at) end
    at = at + (answer:byte(at) < 64 and 1 or 2) -- behind the end of a name, or where it goes on
    local data = answer:sub(at + 10, at + 9 + number_at(answer, at + 8))
    if sizes[answer:sub(at, at + 3)] == #data then table.insert(list, (assert(lsocket.toaddress(data)))) end
    at = at + 10 + number_at(answer, at + 8)
  end
  assert(at <= #answer + 1)
end

local function ask(place, name) -- the addresses that a server knows; nil where it is of no use
  local list = {}
  for kind in pairs(sizes) do
    local query = random:read(2) .. "\1\0\0\1\0\0\0\0\0\0" .. name .. kind
    local answer = over_udp(place, query)
    if answer and answer:byte(3) % 4 > 1 then answer = loop.deadline(PATIENCE, over_tcp, place, query) end
    if not answer or not is_useful[answer:byte(4) % 16] then return nil end
    if not pcall(read_records, answer, #query + 1, list) then return nil end
  end
  return list, place
end

local function encode(label) return #label < 64 and string.char(#label) .. label or fail() end
local name, racers = (arg[1] or fail()):gsub("%.?([^.]+)%.?", encode) .. "\0", {}
for i = 2, math.max(#arg, 2) do
  local host, port = (arg[i] or ""):match("^([%x.:]+)#?(%d*)$")
  local place = { host = host, port = tonumber(port ~= "" and port or 53), text = arg[i] }
  if not host or not lsocket.tobytes(host) or place.port > 65535 or #name > 255 then fail() end
  racers[i - 1] = function() return ask(place, name) end
end

loop.run(function()
  local list, place = loop.race((table.unpack or unpack)(racers))
  if not list then fail("no server answers") end
  io.stderr:write(place.text, " was first\n")
  print(list[1] and table.concat(list, "\n") or fail("the name has no address"))
end)
