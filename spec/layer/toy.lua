-- The layer for specs, a C module that is compiled when it is first needed; and pairs of sockets that have it.
local helper = require "spec.helper"
local lsocket = require "lsocket"

local toy = {}
local module
local added = {} -- the methods that it gives to sockets

local function methods()
  return getmetatable(assert(lsocket.socket())).__index
end

-- Takes the methods away, of which other specs are not to know. Called when a spec is over.
function toy.forget()
  for name in pairs(added) do methods()[name] = nil end
end

-- Skips a test where there is no compiler for it.
function toy.need(pending)
  for name, method in pairs(added) do methods()[name] = method end
  local interpreter = helper.quote(helper.interpreter)
  helper.need.tool(pending, "cc --version && tools/lua-headers " .. interpreter)
  if module then return module end
  local path = helper.path() .. ".so"
  local output, status = helper.run("headers=$(tools/lua-headers " .. interpreter .. ") && " ..
    "cc -std=c99 -g -O1 -shared -fPIC -o " .. path .. " -Isrc -I${headers% *} spec/layer/toy.c " ..
    "$([ $(uname -s) != Darwin ] || echo -undefined dynamic_lookup)")
  assert(status == 0, output)
  module = assert(package.loadlib(path, "luaopen_toy"))()
  os.remove(path)
  for name, call in pairs(module) do toy[name] = call end
  for _, name in ipairs { "toy", "handshake" } do added[name] = methods()[name] end
  return module
end

-- it, where there is the layer: toy.case(it, pending)
function toy.case(it, pending)
  return function(name, fn)
    it(name, function()
      toy.need(pending)
      fn()
    end)
  end
end

-- Puts a layer under both ends of a connection, which needs no handshake any more.
function toy.wrap(a, b)
  assert(toy.start(a, "ready"))
  assert(toy.start(b, "ready"))
  return a, b
end

-- A connected pair with a layer at both ends. type: as those of lsocket.pair, which is then what makes it
function toy.pair(type)
  if type then return toy.wrap(assert(lsocket.pair(type))) end
  return toy.wrap(helper.tcp())
end

-- A plain end, and one with a layer.
function toy.half()
  local a, b = helper.tcp()
  assert(toy.start(b, "ready"))
  return a, b
end

-- What a layer sends: a record with these bytes.
function toy.record(data)
  local bytes = { data:byte(1, -1) }
  for i, byte in ipairs(bytes) do
    local high = byte % 256
    local out, place = 0, 1
    for _, bit in ipairs { 1, 0, 1, 0, 1, 0, 1, 0 } do -- 0x55, the lowest bit first
      out = out + (high % 2 == bit and 0 or 1) * place
      high, place = math.floor(high / 2), place * 2
    end
    bytes[i] = string.char(out)
  end
  return string.char(math.floor(#data / 256), #data % 256) .. table.concat(bytes)
end

return toy
