-- Checks of arguments: each raises what names the argument, with the place that has called the function which checks.
local check = {}

local function fail(arg, name, wanted, value)
  local got = value ~= value and "nan" or type(value)
  error(("bad argument #%d to '%s' (%s expected, got %s)"):format(arg, name, wanted, got), 4)
end

function check.number(value, arg, name)
  if type(value) ~= "number" or value ~= value then fail(arg, name, "number", value) end
end

function check.string(value, arg, name)
  if type(value) ~= "string" then fail(arg, name, "string", value) end
end

function check.callable(value, arg, name)
  if type(value) == "function" then return end
  local meta = getmetatable(value)
  if type(meta) ~= "table" or not meta.__call then fail(arg, name, "function", value) end
end

function check.socket(value, arg, name)
  local meta = type(value) == "userdata" and getmetatable(value)
  if type(meta) ~= "table" or meta.__type ~= "socket" then fail(arg, name, "socket", value) end
end

-- An address family that names can be looked up for, or none.
function check.family(value, arg, name)
  if value ~= nil and value ~= "inet" and value ~= "inet6" then fail(arg, name, "inet or inet6", value) end
end

local families = { inet = true, inet6 = true, unix = true }

-- Ranges: from, to, what to call it.
local SIZE = { 1, 2147483647, "integer from 1 to 2147483647", whole = true }

-- Options that are not handed on to the sockets.
check.own = { max = SIZE, delay = { 0, math.huge, "number from 0 on" }, limit = { 1, math.huge, "number from 1 on" } }

local function is_within(value, range)
  if type(value) ~= "number" or not (value >= range[1] and value <= range[2]) then return false end
  return not range.whole or value % 1 == 0
end

-- A number of bytes.
function check.size(value, arg, name)
  if not is_within(value, SIZE) then fail(arg, name, SIZE[3], value) end
end

-- A table of options, or none. Those of the sockets are left to them.
function check.options(options, arg, name)
  if options == nil then return end
  if type(options) ~= "table" then fail(arg, name, "table", options) end
  for option, range in pairs(check.own) do
    local value = options[option]
    if value ~= nil and not is_within(value, range) then fail(arg, name, option .. ": " .. range[3], value) end
  end
  local family = options.family
  if family ~= nil and not families[family] then fail(arg, name, "family: inet, inet6 or unix", family) end
end

return check
