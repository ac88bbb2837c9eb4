-- loophang.lua timer|deadline|cancel|exit: what a loop does while 100 lookups get no answer. Prints "fine".
-- With a name server that never answers, as spec/silent/run provides.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"

local what = arg[1]
local server = assert(lsocket.bind("udp", "127.0.0.1", 53)) -- hears all, says nothing

local function look_up()
  local tasks = {}
  for i = 1, 100 do tasks[i] = loop.spawn(loop.resolve, "name" .. i .. ".example") end
  loop.sleep(0.01)
  return tasks
end

local function cancel(tasks)
  for _, task in ipairs(tasks) do
    task:cancel()
    assert(select(3, task:join()) == "ECANCELED")
  end
end

-- By how much a timer of 1 ms is late, in 99 of 100 cases at most.
local function lateness()
  local late = {}
  for i = 1, 300 do
    local before = loop.now()
    loop.sleep(0.001)
    late[i] = loop.now() - before - 0.001
  end
  table.sort(late)
  return late[297]
end

local start = loop.now()
loop.run(function()
  local tasks = look_up()
  if what == "timer" then
    -- Some milliseconds, or what other programs make of it; a resolver that is waited for takes seconds.
    local late = lateness()
    assert(late < 0.5, late)
    if arg[2] then print(("%.2f ms"):format(late * 1000)) end
  elseif what == "deadline" then
    local _, _, name = loop.deadline(0.05, loop.connect, "other.example", 80)
    assert(name == "ETIMEDOUT", name)
  elseif what == "exit" then
    print "fine"
    io.stdout:flush()
    os.exit(0)
  end
  cancel(tasks)
end)
assert(loop.now() - start < 10)
server:close()
print "fine"
