-- Names: looked up while other tasks go on.
local check = require "lsocket.loop.check"
local lsocket = require "lsocket"
local protect = require "lsocket.loop.protect"
local ready = require "lsocket.loop.ready"
local waits = require "lsocket.loop.waits"

local names = {}

-- Waits until the result is there, which is read anew as a look-up begins again in the child of a fork.
local function await_result(lookup)
  local result, message, name
  repeat
    local fd
    fd, message, name = lookup:getfd()
    if not fd then return nil, message, name end
    fd, message, name = ready.wait(lookup, "r")
    if not fd then return nil, message, name end
    result, message, name = lookup:result()
  until result ~= false
  return result, message, name
end

-- The C library takes a lack of descriptors, which it needs to look, for a name that is not there: nil, message, name
local function cause(message, name)
  if not (name and name:find "^EAI_") then return nil, message, name end
  local near, far, lack = lsocket.pair()
  if not near then return nil, far, lack end
  near:close()
  far:close()
  return nil, message, name
end

-- The look-up ends here, also where a wait has raised.
local function finish(lookup, ok, result, message, name)
  lookup:cancel()
  if not ok then check.again(result) end
  if result then return result end
  return cause(message, name)
end

-- What a look-up finds, whose arguments these are.
local function find(...)
  local lookup, message, name = lsocket.lookup(...)
  if not lookup then return nil, message, name end
  local result
  result, message, name = lookup:result()
  if result ~= false then return finish(lookup, true, result, message, name) end -- where nobody may wait, too
  local task = waits.this()
  return finish(lookup, protect.call(task, task.due, await_result, lookup))
end

-- loop.resolve(name [, family]) -> { { family = , addr = }, ... } | nil, message, name
function names.resolve(host, family)
  check.host(host, "resolve")
  check.family(family, 2, "resolve")
  waits.this() -- also where the answer is there at once
  return find(host, family)
end

-- loop.reverse(address) -> name | nil, message, name
function names.reverse(address)
  check.host(address, "reverse")
  waits.this()
  return find { address = address }
end

local function is_path(address)
  return address:find("^@") or address:find("/", 1, true)
end

-- Is that a numeric address, and of the other one of the two families?
local function is_of_another(host, family)
  local bytes = family and lsocket.tobytes(host)
  return bytes and (#bytes == 4) ~= (family == "inet")
end

-- The addresses of a host; a unix domain address is its own, and any other one needs a port, before it is looked up. A
-- wrong family is an option of the function that was called, whose options are its argument number arg.
function names.addresses_of(host, port, family, arg, called)
  local path = is_path(host)
  if family and (family == "unix") ~= (path and true or false) then
    check.fail(arg, called, ("family: '%s' is no address of family %s"):format(host, family))
  end
  if path then return { { family = "unix", addr = host } } end
  if is_of_another(host, family) then
    return nil, host .. ": Address family not supported by protocol", "EAFNOSUPPORT"
  end
  if port == nil then return nil, host .. ": an internet address needs a port", "EINVAL" end
  local list, message, name = find(host, family)
  if list then return list end
  return nil, host .. ": " .. message, name
end

-- An address with its port, as failures name it.
function names.place(address, port)
  if is_path(address) or port == nil then return address end
  return (address:find(":", 1, true) and "[%s]:%s" or "%s:%s"):format(address, tostring(port))
end

return names
