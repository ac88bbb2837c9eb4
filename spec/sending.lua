-- Sending signals, for specs. A shell does it, which os.execute does not start, as that ignores INT and QUIT meanwhile.
local sending = {}

-- The commands that send these to this process.
local function kills(names)
  local list = {}
  for i, name in ipairs(names) do list[i] = ("kill -s %s $PPID; "):format(name) end
  return table.concat(list)
end

local function run(script)
  local pipe = assert(io.popen(script))
  pipe:read "*a"
  pipe:close()
end

-- Sends signals to this process, one after the other: raise("TERM", "USR1")
function sending.raise(...)
  run(kills { ... })
end

-- Begins to send some so many times, and then the last one: a pipe, to be closed in the end.
function sending.start(count, names, last)
  local loop = "i=0; while [ $i -lt %d ]; do %s i=$((i + 1)); done; %s"
  return assert(io.popen(loop:format(count, kills(names), kills { last })))
end

-- Sends some so many times.
function sending.burst(count, ...)
  local pipe = sending.start(count, { ... })
  pipe:read "*a"
  pipe:close()
end

-- Sends one after so many seconds: a pipe, to be closed then.
function sending.later(seconds, name)
  return assert(io.popen(("sleep %g; "):format(seconds) .. kills { name }))
end

-- Sends one to another process.
function sending.send(name, pid)
  run(("kill -s %s %s"):format(name, pid))
end

return sending
