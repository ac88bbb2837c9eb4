-- The scenarios of signals, as those of scenarios.lua. torture.raise sends USR1 to this thread.
local scenarios = {}

local function add(name, play) scenarios[#scenarios + 1] = { name, play } end

-- Waits for what was raised. A bell that cannot ring is no reason to lose the name.
local function next_name(t, signals)
  if not t.spoils "write" or t.spoils("write", "EINTR") then
    t.check(torture.wait(signals:getfd(), "r"), "no signal")
  end
  return t.must(signals, "next")
end

add("signals", function(t, ls)
  t.silent "read" -- of a bell, which only goes on ringing
  local signals = t.must(ls, "signals", "USR1", "USR2")
  local other = t.must(ls, "signals", "USR1")
  t.check(t.must(signals, "next") == false, "a signal that nobody sent")
  torture.raise()
  t.check(next_name(t, signals) == "USR1", "another signal")
  t.check(next_name(t, other) == "USR1", "another signal")
  t.check(t.must(signals, "next") == false, "told twice")
  t.must(other, "close")
  torture.raise()
  t.check(next_name(t, signals) == "USR1", "another signal")
end)

-- Nothing fails here: it is about what is left when the state is closed under a task that waits.
local function leave_waiting()
  local loop = require "lsocket.loop"
  local signals = assert(loop.signals "USR1")
  loop.spawn(signals.wait, signals)
  for _ = 1, 3 do assert(loop.step(0)) end
  return signals
end

add("a task that waits for signals", function(t) t.alive = t.quietly(leave_waiting) end)

return scenarios
