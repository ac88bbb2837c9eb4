-- socket.dns
local arguments = require "lsocket.luasocket.arguments"
local errors = require "lsocket.luasocket.errors"
local lsocket = require "lsocket"
local names = require "lsocket.luasocket.names"

local dns = {}

local function not_found(message, name)
  if name == "EAI_NONAME" or name == "EAI_NODATA" then return nil, "host not found" end
  return nil, errors.text(message, name)
end

-- IPv4's address of a host, and all that is known of it: address, { name =, alias = {}, ip = {} } | nil, text
local function find(host)
  local address, family = names.numeric_address(host)
  local result = { name = host, alias = {}, ip = {} }
  if family == "inet" then
    local name, message, symbol = names.find { address = address }
    if not name then return not_found(message, symbol) end
    result.name, result.ip[1] = name, address
    return address, result
  end
  if host == "" or host:find "[/%z]" or host:find "^@" then return nil, "host not found" end
  local list, message, symbol = names.find { name = host, family = "inet", canonical = true }
  if not list then return not_found(message, symbol) end
  for i, record in ipairs(list) do result.ip[i] = record.addr end
  result.name = list.canonical or host
  return result.ip[1], result
end

-- dns.toip(host) -> address, table | nil, text
function dns.toip(host)
  return find(arguments.text(host, 1, "toip"))
end

-- dns.tohostname(address) -> name, table | nil, text
function dns.tohostname(host)
  local address, result = find(arguments.text(host, 1, "tohostname"))
  if not address then return nil, result end
  return result.name, result
end

-- dns.getaddrinfo(host) -> { { family =, addr = }, ... } | nil, text
function dns.getaddrinfo(host)
  local list, text = names.addresses(arguments.text(host, 1, "getaddrinfo"))
  if not list then return nil, text end
  local copy = {} -- the program's own
  for i, record in ipairs(list) do copy[i] = { family = record.family, addr = record.addr } end
  return copy
end

-- The name of an address; the address itself where it has none.
local function name_of(address)
  return names.find { address = address } or address
end

-- dns.getnameinfo(host [, service]) -> names [, service] | nil, text
function dns.getnameinfo(host, service)
  host = arguments.optional_text(host, 1, "getnameinfo")
  service = arguments.optional_text(service, 2, "getnameinfo")
  if not (host or service) then error("host and serv cannot be both nil", 2) end
  local list, text = names.place(host or "127.0.0.1", service or "0", "tcp")
  if not list then return nil, text end
  local found = {}
  for i, record in ipairs(host and list or {}) do found[i] = name_of(record.addr) end
  if service then return found, names.service(text, "tcp") end
  return found
end

-- dns.gethostname() -> name
function dns.gethostname()
  return lsocket.gethostname()
end

return dns
