-- Classes, as LuaSocket has them: an object changes its class as it connects or listens. All classes of one kind have
-- the same methods; those of another class raise an error that names it.
--
-- An object is a table, and its own watch (see loop/watches.lua): so it has that one's fields, with its socket in the
-- field object. Until there is a descriptor, that is a closed socket.
local arguments = require "lsocket.luasocket.arguments"
local check = require "lsocket.loop.check"
local lsocket = require "lsocket"
local waits = require "lsocket.loop.waits"
local watches = require "lsocket.loop.watches"

local clock, getmetatable, setmetatable, type = lsocket.now, getmetatable, setmetatable, type
local current = waits.current

local classes = {
  all = {}, -- [name of a class] = its metatable
}

-- What objects without a descriptor have in place of a socket.
local closed = assert(lsocket.socket())
closed:close()
classes.closed = closed

-- A method of another class.
local function refusal(method, class)
  return function() check.raise(("calling '%s' on bad self (%s expected)"):format(method, class)) end
end

-- "tcp{client}: 0x...": the address of the table, which Lua tells of one without a metatable.
local function describe(self)
  local class = getmetatable(self)
  local address = tostring(setmetatable(self, nil)):match ": (.*)$"
  setmetatable(self, class)
  return ("%s: %s"):format(class.__name, address)
end

-- The fields that an object has not got itself: those of a watch, and see waiting.lua and stream.lua.
local defaults = {
  r = false, w = false, events = false, lapsed = false, buffer = false, block = -1, total = -1, sent = 0,
}

local function new_class(name, group)
  local class = { __name = name, __index = { class = name }, __tostring = describe, [group] = true }
  for field, value in pairs(defaults) do class.__index[field] = value end
  watches.selves[class] = true
  classes.all[name] = class
  return class
end

function classes.close(self)
  if current() or self.events then watches.release(self) end
  self.object:close() -- harmless where it is closed, as the one is that objects without a descriptor share
  return 1
end

-- The method close of a group, which is guarded, too, but in one function: it is to be as quick as LuaSocket's.
local function closer(group)
  return function(self)
    local class = getmetatable(self)
    if not (class and class[group] and type(self) == "table") then refusal("close", group)() end
    if current() or self.events then watches.release(self) end
    self.object:close()
    return 1
  end
end

-- kind: "tcp". states: those of its classes. methods: for all of them; own: { [state] = { methods of that one } }
function classes.define(kind, states, methods, own)
  local group = kind .. "{any}"
  local made = {}
  for _, state in ipairs(states) do made[state] = new_class(("%s{%s}"):format(kind, state), group) end
  for state, class in pairs(made) do
    for name, method in pairs(methods) do class.__index[name] = classes.guarded(name, method, group) end
    class.__index.close = class.__index.close or closer(group)
    for owner, list in pairs(own) do
      for name, method in pairs(list) do
        if owner == state then
          class.__index[name] = method
        elseif not (own[state] and own[state][name]) then
          class.__index[name] = refusal(name, made[owner].__name)
        end
      end
    end
  end
  return made
end

-- A method of all classes of a group, which checks that it is called with one of its objects. None has more than three
-- arguments.
function classes.guarded(name, method, group)
  return function(self, a, b, c)
    local class = getmetatable(self)
    if not (class and class[group] and type(self) == "table") then refusal(name, group)() end
    return method(self, a, b, c)
  end
end

-- An object with that socket. host: what it was to be connected to; pending: has a connection begun that was not told
-- of yet?
function classes.new(class, sock, family)
  return setmetatable({ object = sock, family = family, born = clock(), host = false, pending = false }, class)
end

-- Gives an object another socket.
function classes.replace(self, sock)
  local old = self.object
  if old ~= closed then
    if current() or self.events then watches.release(self) end
    old:close()
  end
  self.object = sock
end

-- The socket of an object, which has none any more.
function classes.take(self)
  local sock = self.object
  watches.release(self)
  self.object = closed
  return sock
end

-- ---- what all kinds of objects do ----

local common = {}
classes.common = common

function common.getfd(self)
  return self.object:getfd()
end

-- Forgets the descriptor, without closing it, and takes that one.
function common.setfd(self, fd)
  fd = arguments.number(fd, 1, "setfd")
  watches.release(self)
  self.object:detach()
  self.object = fd >= 0 and assert(lsocket.fromfd(fd)) or closed
end

function common.dirty()
  return false
end

return classes
