-- A name server (UDP) for the names of a file that looks like /etc/hosts, and for no others.
-- Usage: lua nameserver.lua hosts [address [port]]      lua nameserver.lua /etc/hosts 127.0.0.1 16006; 0: a free port
local loop = require "lsocket.loop"
local lsocket = require "lsocket"

io.stdout:setvbuf("line")
local IN, TYPES = 1, { inet = 1, inet6 = 28 } -- A, AAAA: RFC 1035, RFC 3596
local FORMAT_ERROR, NO_SUCH_NAME, NOT_IMPLEMENTED, REFUSED = 1, 3, 4, 5
local LIFETIME, MOST = 60, 512 -- seconds that an answer may be kept; bytes that one may have

local function two_bytes(n) return string.char((n - n % 256) / 256, n % 256) end

-- An address as a record of an answer. 192, 12: its name is that of the question.
local function encode(address, kind)
  local text = address:gsub("(%d+)%.(%d+)%.(%d+)%.(%d+)$", function(a, b, c, d)
    return ("%x:%x"):format(a * 256 + b, c * 256 + d)
  end)
  local _, groups = text:gsub("%x+", "")
  text = text:gsub("::", ":" .. ("0:"):rep(8 - groups))
  local bytes = text:gsub(":?(%x+):?", function(group) return two_bytes(tonumber(group, 16)) end)
  return "\192\12" .. two_bytes(kind) .. two_bytes(IN) .. "\0\0" .. two_bytes(LIFETIME) .. two_bytes(#bytes) .. bytes
end

-- name -> type -> list of records
local function read_hosts(path)
  local hosts = {}
  for line in io.lines(path) do
    local address, names = line:gsub("#.*", ""):match("^%s*(%S+)(.*)$")
    local list = address and address:find("^[%x.:]+$") and lsocket.resolve(address) -- none with a zone
    if list then
      local kind = TYPES[list[1].family]
      for name in names:lower():gmatch("%S+") do
        hosts[name] = hosts[name] or { [TYPES.inet] = {}, [TYPES.inet6] = {} }
        table.insert(hosts[name][kind], encode(list[1].addr, kind))
      end
    end
  end
  return hosts
end

-- The name that a query asks for, and where its type begins | nil: there is no whole name
local function read_name(query)
  local labels, at = {}, 13
  while true do
    local length = query:byte(at)
    if not length or length > 63 or at > 12 + 255 then return nil end
    if length == 0 then return table.concat(labels, "."), at + 1 end
    local label = query:sub(at + 1, at + length):lower():gsub("%.", "\\.") -- a point in a label divides nothing
    table.insert(labels, label)
    at = at + 1 + length
  end
end

local function reply(query, failure, question, records)
  local flags, room = query:byte(3), MOST - 12 - #question
  local count = #records > 0 and math.min(#records, math.floor(room / #records[1])) or 0 -- all have the same size
  flags = 128 + (flags - flags % 8) + 4 + flags % 2 -- an answer, to that kind of query, of who must know
  if count < #records then flags = flags + 2 end    -- cut off
  return query:sub(1, 2) .. string.char(flags, failure) .. two_bytes(#question > 0 and 1 or 0) .. two_bytes(count)
    .. "\0\0\0\0" .. question .. table.concat(records, "", 1, count)
end

-- The answer; nil where there must be none, lest two servers talk to each other for ever.
local function answer(hosts, query)
  if #query < 12 or query:byte(3) >= 128 then return nil end
  if query:byte(3) >= 8 then return reply(query, NOT_IMPLEMENTED, "", {}) end
  local name, at = read_name(query)
  if query:sub(5, 6) ~= "\0\1" or not name or #query < at + 3 then return reply(query, FORMAT_ERROR, "", {}) end
  local question, host = query:sub(13, at + 3), hosts[name]
  if query:sub(at + 2, at + 3) ~= two_bytes(IN) then return reply(query, REFUSED, question, {}) end
  if not host then return reply(query, NO_SUCH_NAME, question, {}) end
  return reply(query, 0, question, host[query:byte(at) * 256 + query:byte(at + 1)] or {})
end

local hosts = read_hosts(assert(arg[1], "usage: nameserver.lua hosts [address [port]]"))

loop.run(function()
  local sock = assert(lsocket.bind("udp", arg[2] or "127.0.0.1", arg[3] or 16006))
  local own = sock:info("socket")
  print(("answering on %s port %d"):format(own.addr, own.port))
  while loop.wait(sock, "r") do
    local query, address, port = sock:recvfrom()
    local response = query and answer(hosts, query)
    if response then sock:sendto(response, address, port) end -- UDP promises nothing
  end
end)
