-- Names of hosts and services: numeric ones are as they are; others are looked up, while other tasks run.
local errors = require "lsocket.luasocket.errors"
local lsocket = require "lsocket"
local ready = require "lsocket.loop.ready"
local yielding = require "lsocket.luasocket.yielding"

local names = {}

-- ---- services ----

local services = {} -- [name/protocol] = port

-- The first service of that protocol that a function is true for, by services(5): name, port | nil
local function find_service(is_wanted, protocol)
  local file = io.open "/etc/services"
  if not file then return nil end
  for line in file:lines() do
    local name, port, aliases = line:gsub("#.*", ""):match("^(%S+)%s+(%d+)/" .. protocol .. "(.*)$")
    if name and is_wanted(name .. aliases .. " ", tonumber(port)) then
      file:close()
      return name, tonumber(port)
    end
  end
  file:close()
end

local function port_of(service, protocol)
  local _, port = find_service(function(all) return (" " .. all):find("%s" .. service:gsub("%W", "%%%0") .. "%s") end,
    protocol)
  return port
end

-- A cache of so many entries at most.
local SOME = 1024
local function new_cache()
  local count = 0
  local cache = {}
  return cache, function(key, value)
    if count >= SOME then
      for old in pairs(cache) do cache[old] = nil end
      count = 0
    end
    cache[key], count = value, count + 1
    return value
  end
end

local remember_port, remember_list
names.ports, remember_port = new_cache() -- [port, as a number or in digits] = port
names.lists, remember_list = new_cache() -- [numeric address] = what addresses gives for it
local ports, lists = names.ports, names.lists

-- A port or a service's name -> port | nil, text
function names.port(service, protocol)
  local port = ports[service] or services[service .. "/" .. protocol]
  if port then return port end
  if service:find "^%d+$" then
    port = tonumber(service) % 65536
    remember_port(port, port)
    return remember_port(service, port)
  end
  port = port_of(service, protocol)
  if not port then return nil, errors.NO_SERVICE end
  services[service .. "/" .. protocol] = port
  return port
end

-- The name of a port's service, or the port.
function names.service(port, protocol)
  return find_service(function(_, number) return number == port end, protocol) or tostring(port)
end

-- ---- hosts ----

-- Waits until a look-up has ended: true | nil, text
local function await(lookup)
  if not yielding.task() then return lsocket.select { lookup } end
  local ok, message, name = ready.wait(lookup, "r")
  return ok, errors.text(message, name)
end

-- What a look-up finds: result | nil, message, name
function names.find(question)
  local lookup, message, name = lsocket.lookup(question)
  if not lookup then return nil, message, name end
  local result
  result, message, name = lookup:result()
  while result == false do
    local ok, text = await(lookup)
    if not ok then
      lookup:cancel()
      return nil, text, "ECANCELED"
    end
    result, message, name = lookup:result()
  end
  return result, message, name
end

-- The address that a host is, in the one form in which programs compare it, as "127.1" has others: address, family |
-- nil. One with a zone is as it was written.
function names.numeric_address(host)
  local bytes = lsocket.tobytes(host)
  if not bytes then return nil end
  return host:find("%", 1, true) and host or lsocket.toaddress(bytes), #bytes == 4 and "inet" or "inet6"
end

-- The same as a list, as addresses gives.
local function numeric_list(host)
  local list = lists[host]
  if list then return list end
  local address, family = names.numeric_address(host)
  return address and remember_list(host, { { family = family, addr = address } })
end

-- Addresses of a host: { { family =, addr = }, ... } | nil, text.  family: "inet", "inet6" or nil
function names.addresses(host, family)
  if host == "" or host:find "[/%z]" or host:find "^@" then return nil, errors.UNKNOWN end
  local list = numeric_list(host)
  if list then
    if not family or list[1].family == family then return list end
    return nil, errors.OTHER_FAMILY
  end
  local message, name
  list, message, name = names.find { name = host, family = family }
  if list then return list end
  return nil, errors.text(message, name)
end

-- Where AI_NUMERICHOST is asked for, names are not known to the system, in its own words.
local NOT_NUMERIC = "Name or service not known"

-- The same of a host that must be numeric.
function names.numeric(host, family)
  if numeric_list(host) then return names.addresses(host, family) end
  return nil, NOT_NUMERIC
end

function names.numeric_port(service)
  if service:find "^%d+$" then return names.port(service, "udp") end
  return nil, NOT_NUMERIC
end

-- Where to connect, or to be bound: addresses, port | nil, text
function names.place(host, service, protocol, family)
  local list, known = lists[host], ports[service]
  if list and known and (not family or list[1].family == family) then return list, known end
  local port, text = names.port(service, protocol)
  if not port then return nil, text end
  list, text = names.addresses(host, family)
  if list then return list, port end
  return nil, text
end

local everywhere = { inet = { { family = "inet", addr = "0.0.0.0" } }, inet6 = { { family = "inet6", addr = "::" } } }

-- The same for this end, where "*" is any address.
function names.local_place(host, service, protocol, family)
  if host ~= "*" then return names.place(host, service, protocol, family) end
  local port, text = names.port(service, protocol)
  if port then return everywhere[family or "inet"], port end
  return nil, text
end

return names
