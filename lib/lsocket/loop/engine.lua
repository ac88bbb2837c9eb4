-- The engine: what the loop waits with, a poller or a ring.
local check = require "lsocket.loop.check"
local lsocket = require "lsocket"
local rings = require "lsocket.loop.rings"

local engine = {}

local names = { poller = true, ring = true }
local chosen = os.getenv "LSOCKET_ENGINE" == "ring" and "ring" or "poller"

-- Does the system have rings, and allow them? true | nil, message, name
local function find_ring()
  local ring, message, name = lsocket.ring()
  if not ring then return nil, message, name end
  return ring:close()
end

-- A run begins.
function engine.start()
  if chosen == "ring" then rings.open() end
end

-- loop.engine([name]) -> "poller" | "ring": what a run uses that begins now | nil, message, name: there is no such one
-- name: the one that is to be used from the next run on
function engine.engine(name)
  if name ~= nil and not names[name] then check.fail(1, "engine", "poller or ring expected") end
  local wanted = name or chosen
  if wanted == "ring" then
    local ok, message, code = find_ring()
    if not ok and name then return nil, message, code end
    if not ok then return "poller" end
  end
  chosen = wanted
  return wanted
end

return engine
