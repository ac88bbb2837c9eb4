-- Is sent a signal: listening.lua HOW, and says what it was told.
local lsocket = require "lsocket"
local sending = require "spec.sending"

local PATIENCE = 60 -- seconds

local function ready()
  print "ready"
  io.stdout:flush()
end

local function wait()
  local message = select(2, lsocket.select({}, PATIENCE))
  error(message or "nothing happened", 0)
end

local ways = {}

function ways.silent()
  ready()
  wait()
end

function ways.others()
  local signals = assert(lsocket.signals("TERM", "HUP"))
  ready()
  wait()
  print("told " .. tostring(signals:next()))
end

function ways.asks()
  local signals = assert(lsocket.signals("TERM", "INT"))
  ready()
  assert(lsocket.select({ signals }, PATIENCE))
  print("told " .. signals:next())
end

function ways.closed()
  lsocket.signals("TERM", "INT"):close()
  ready()
  wait()
end

function ways.ignored()
  local signals = assert(lsocket.signals "USR1")
  sending.raise "USR1"
  print("told " .. signals:next())
  signals:close()
  sending.raise "USR1"
  print "ignored again"
end

function ways.blocked()
  local signals = assert(lsocket.signals "USR1")
  sending.raise "USR1"
  print(lsocket.select({ signals }, 0.05) and "told" or "not told")
end

ways[arg[1]]()
