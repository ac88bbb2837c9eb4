-- Puts this library in the place of LuaSocket's compiled modules.
local check = require "lsocket.loop.check"
local classes = require "lsocket.luasocket.classes"
local lsocket = require "lsocket"
local protect = require "lsocket.loop.protect"

local installing = {}

local known = { pcall = "boolean", sigpipe = "boolean", ssl = "boolean" }

local function check_settings(settings)
  if settings == nil then return {} end
  if type(settings) ~= "table" then check.fail(1, "install", "table expected, got " .. type(settings)) end
  for name, value in pairs(settings) do
    local wanted = known[name]
    if not wanted then check.fail(1, "install", check.text(name) .. ": no such option") end
    if type(value) ~= wanted then check.fail(1, "install", ("%s: %s expected"):format(name, wanted)) end
  end
  return settings
end

-- What was loaded before has sockets of another kind.
local function check_loaded(modules)
  for _, name in ipairs { "socket", "socket.core", "socket.unix" } do
    if package.loaded[name] and package.loaded[name] ~= modules[name] then
      check.raise(("install: %s is loaded already"):format(name))
    end
  end
end

-- Programs find metatables there by the names of their classes.
local function register()
  local registry = debug.getregistry()
  for name, class in pairs(classes.all) do registry[name] = class end
end

-- SIGPIPE has no effect from then on: a signal that somebody listens to.
local function ignore_sigpipe()
  installing.listener = installing.listener or assert(lsocket.signals "PIPE")
end

-- LuaSec's modules, each of which is loaded when it is asked for first.
local luasec = {
  ssl = function() return require "lsocket.luasocket.ssl" end,
  ["ssl.config"] = function() return require("lsocket.luasocket.ssl").config end,
  ["ssl.context"] = function() return { setcipher = require("lsocket.luasocket.ssl.context").setcipher } end,
  ["ssl.core"] = function() return {} end, -- what LuaSec has there works on connections of its own alone
  ["ssl.x509"] = function() return { load = require("lsocket.luasocket.ssl").loadcertificate } end,
}

local function take_luasec()
  for name, load in pairs(luasec) do
    if package.loaded[name] == nil then package.preload[name] = load end
  end
end

-- The searcher of last resort: where LuaSocket's mime.core is not there, ours takes its place.
local function search(name)
  if name == "mime.core" then return function() return require "lsocket.mime" end end
end

local function provide_mime()
  local searchers = package.searchers or package.loaders -- luacheck: ignore 143
  if searchers[#searchers] ~= search then searchers[#searchers + 1] = search end
end

-- settings: { pcall = true: pcall lets a task wait, on Lua 5.1, too; sigpipe = true: SIGPIPE does not end the program;
-- ssl = false: LuaSec's own modules stay, which block the program }
function installing.install(core, settings)
  settings = check_settings(settings)
  local modules = { socket = package.loaded["socket.core"] == core and core, ["socket.core"] = core,
    ["socket.unix"] = core.unix }
  check_loaded(modules)
  package.loaded["socket.core"], package.loaded["socket.unix"] = core, core.unix
  register()
  provide_mime()
  if settings.ssl ~= false then take_luasec() end
  if settings.pcall then _G.pcall = protect.pcall end
  if settings.sigpipe then ignore_sigpipe() end
  return core
end

return installing
