-- A name server (UDP) for the names of a file that looks like /etc/hosts, and for no others.
-- Usage: lua samples/nameserver.lua hosts [address [port]]      lua samples/nameserver.lua /etc/hosts ::1 16006
local loop = require "lsocket.loop"
local lsocket = require "lsocket"

io.stdout:setvbuf("line")
local function fail(message)
  io.stderr:write("nameserver: ", message or "usage: nameserver.lua hosts [address [port]]", "\n")
  os.exit(1)
end

local path, own, number = arg[1] or fail(), arg[2] or "127.0.0.1", arg[3] or 16006
local IN, TYPES = "\0\1", { inet = "\0\1", inet6 = "\0\28" } -- A, AAAA: RFC 1035, RFC 3596
local FORMAT_ERROR, NO_SUCH_NAME, NOT_IMPLEMENTED, REFUSED = 1, 3, 4, 5
local LIFETIME, MOST = "\0\0\0\60", 512 -- seconds that an answer may be kept; its bytes

local function two_bytes(n) return string.char((n - n % 256) / 256, n % 256) end
-- A name as queries have it: each label behind its length, then 0. No query has a length over 63.
local function encode_label(label) return string.char(math.min(#label, 64)) .. label end
local function encode_name(name) return name:lower():gsub("([^.]+)%.?", encode_label) .. "\0" end

-- An address as a record of an answer. 192, 12: its name is that of the question.
local function encode_address(address, kind)
  local function join(a, b, c, d) return ("%x:%x"):format(a * 256 + b, c * 256 + d) end
  local text = address:gsub("(%d+)%.(%d+)%.(%d+)%.(%d+)$", join)
  text = text:gsub("::", ":" .. ("0:"):rep(8 - select(2, text:gsub("%x+", ""))))
  local bytes = text:gsub(":?(%x+):?", function(group) return two_bytes(tonumber(group, 16)) end)
  return "\192\12" .. kind .. IN .. LIFETIME .. two_bytes(#bytes) .. bytes
end

local hosts = {} -- name -> type -> list of records
local list = (io.open(path) or fail(path .. ": cannot be opened")):read("*a") or fail(path .. ": no file")
for line in list:gmatch("[^\n]+") do
  local address, names = line:gsub("#.*", ""):match("^%s*([%x.:]+)%s(.*)$") -- none with a zone
  local numeric = address and (address:find(":") or not address:find("%a")) -- a name would be looked up
  for _, found in ipairs(numeric and lsocket.resolve(address) or {}) do
    local kind = TYPES[found.family]
    for name in names:gmatch("%S+") do
      local key = encode_name(name)
      hosts[key] = hosts[key] or { [TYPES.inet] = {}, [TYPES.inet6] = {} }
      table.insert(hosts[key][kind], encode_address(found.addr, kind))
    end
  end
end

local function reply(query, failure, question, records)
  local flags, count = query:byte(3), #records -- 128: an answer, 4: of who knows, 2: cut off
  if count > 0 then count = math.min(count, math.floor((MOST - 12 - #question) / #records[1])) end
  flags = flags - flags % 8 + flags % 2 + 128 + 4 + (count < #records and 2 or 0)
  return query:sub(1, 2) .. string.char(flags, failure) .. two_bytes(#question > 0 and 1 or 0)
    .. two_bytes(count) .. "\0\0\0\0" .. question .. table.concat(records, "", 1, count)
end

-- The answer; nil where there must be none, lest two servers talk to each other for ever.
local function answer(query)
  if #query < 12 or query:byte(3) >= 128 then return nil end
  if query:byte(3) >= 8 then return reply(query, NOT_IMPLEMENTED, "", {}) end
  local at, length = 13, query:byte(13)
  while length and length > 0 and length < 64 do
    at = at + 1 + length
    length = query:byte(at)
  end
  local name, kind, class = query:sub(13, at), query:sub(at + 1, at + 2), query:sub(at + 3, at + 4)
  local is_whole = length == 0 and #name <= 255 and #class == 2 and query:sub(5, 6) == "\0\1"
  if not is_whole then return reply(query, FORMAT_ERROR, "", {}) end
  local question, host = name .. kind .. class, hosts[name:lower()]
  local failure = class ~= IN and REFUSED or not host and NO_SUCH_NAME or 0
  return reply(query, failure, question, failure == 0 and host[kind] or {})
end

loop.run(function()
  local ok, sock, problem = pcall(lsocket.bind, "udp", own, number) -- which raises where the port is none
  sock = loop.wrap(ok and sock or fail(ok and ("%s port %s: %s"):format(own, number, problem) or nil))
  print(("answering on %s port %d"):format(own, sock:info("socket").port))
  repeat
    local query, address, port = sock:recvfrom()
    local response = query and answer(query)
    if response then sock:sendto(response, address, port) end -- UDP promises nothing
  until not query
end)
