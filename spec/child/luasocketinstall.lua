-- What installing LuaSocket's interface changes.  luasocketinstall.lua modules|late|options|option
local luasocket = require "lsocket.luasocket"

local native, which = pcall, arg[1]

local function raises(text, ...)
  local ok, problem = native(luasocket.install, ...)
  assert(not ok and problem:find(text, 1, true), problem)
end

local checks = {}

function checks.modules()
  assert(package.loaded["socket.core"] == nil and debug.getregistry()["tcp{client}"] == nil)
  assert(luasocket.install() == luasocket and luasocket.install() == luasocket) -- twice is once
  assert(require "socket.core" == luasocket and require "socket.unix" == luasocket.unix)
  local registry = debug.getregistry()
  for _, name in ipairs { "tcp{master}", "tcp{client}", "tcp{server}", "udp{connected}", "udp{unconnected}" } do
    assert(registry[name].__index.class == name, name)
  end
  assert(getmetatable(luasocket.tcp()) == registry["tcp{master}"])
  assert(pcall == native)
end

function checks.late()
  package.loaded["socket.core"] = {}
  raises "install: socket.core is loaded already"
end

function checks.options()
  luasocket.install { pcall = true, sigpipe = true, ssl = false }
  assert(pcall == require("lsocket.loop").pcall)
  local near, far = require("lsocket").pair()
  far:close()
  assert(os.execute("kill -PIPE " .. require("spec.process").pid()))
  near:close()
end

function checks.option()
  assert(require "lsocket.luasocket.install" == luasocket and require "socket.core" == luasocket)
  assert(pcall == require("lsocket.loop").pcall)
end

checks[which]()
print "done"
