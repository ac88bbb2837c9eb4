-- Random programs: what the tasks of one do, as a tree of operations. An operation is a table: its name, its arguments,
-- and for those that stand around others the list `inner`. What they mean is in acts.lua and around.lua.
local new_random = require "spec.model.random"

local program = {}

local DEPTH = 3       -- how deep operations stand inside each other
local SHORT = { 0, 0, 0, -1, 0.001, 0.001, 0.002, 0.003, 0.005 }
local DEADLINES = { 0, -1, 0.001, 0.001, 0.002, 0.003, 0.005, 0.01 }
local TIMES = { false, false, false, 0, 0.001, 0.002, 0.003, 0.005 }
local EVENTS = { "r", "r", "r", "w", "rw" }
local FORMATS = { "l", "L", "L", 1, 7, 100, 5000, 100000, "a", 0 }
local SIZES = { 1, 10, 100, 1000, 60000, 300000, 300000, 500000 }
local MODES = { "step", "step", "outer", "run", "run" }
-- What onerror does once it has noted what it is told.
local LISTENERS = { "quiet", "quiet", "quiet", "raises", "odd", "steps", "runs", "waits", "spawns", "closed" }
local HANDLERS = { "echo", "echo", "slow", "fails", "closes", "rests" }
local PROBLEMS = { "string", "string", "table", "raising", "odd", "nil", "false", "number", "thread", "function" }

program.barriers = {
  "gsub", "sort", "tostring", "index", "newindex", "add", "lt", "eq", "concat", "len", "call", "gc", "pcall", "xpcall",
  "require", "load", "hook", "iterator", "pairs", "wrap", "resume", "gcstep", "caught", "nested",
}

local make = {} -- operation -> its arguments

local function one_stream(g) return g.random(g.streams) end
local function one_task(g) return g.random(#g.tasks) end

function make.sleep(g) return g.random(SHORT) end
function make.wait(g) return g.random(g.objects), g.random(EVENTS), g.random(TIMES) end
function make.read(g) return one_stream(g), g.random(FORMATS) end
function make.readsome(g) return one_stream(g), g.random { false, 1, 100, 100000 } end
function make.readuntil(g) return one_stream(g), g.random { "\n", "7\n", "none" } end
function make.readexactly(g) return one_stream(g), g.random { 0, 1, 7, 5000, 100000 } end
function make.peek(g) return one_stream(g), g.random { false, 0, 1, 100, 5000 } end
function make.settimeout(g) return one_stream(g), g.random { false, 0, 0.001, 0.002, 0.005, 60 } end
function make.sendfile(g) return one_stream(g), g.random(SIZES) end
function make.close_with_grace(g) return one_stream(g), g.random { 0, 0.001, 0.003 } end
function make.write(g) return one_stream(g), g.random(SIZES), g.random { "string", "pieces", "array" } end
function make.mutate(g) return one_stream(g), g.random { "hole", "shorter", "table", "longer" } end
function make.transmit(g) return g.random(g.wraps), g.random { 1, 1, 100, 60000 } end
function make.receive(g) return g.random(g.wraps) end
function make.close_wrap(g) return g.random(g.wraps) end
function make.listen(g) return g.random(g.signals) end
function make.raise(g) return g.random(g.signals) end
function make.close_signals(g) return g.random(g.signals) end
function make.resolve(g) return g.random { "127.0.0.1", "localhost", "nowhere.example" } end
function make.connect(g) return g.random(g.listeners) end
function make.accept(g) return g.random(g.listeners) end
function make.ask(g) return g.random(g.servers) end
function make.join(g) return one_task(g) end
function make.cancel(g) return one_task(g) end
function make.cancel_and_read(g) return one_task(g), one_stream(g) end
function make.close(g) return one_stream(g) end
function make.close_and_read(g) return one_stream(g) end
function make.close_and_look(g) return one_stream(g) end
function make.close_socket_and_read(g) return one_stream(g), g.random { "read", "readsome", "readuntil" } end
function make.close_socket(g) return g.random(g.closable) end
function make.close_sockets(g) return g.random(g.closable), g.random(g.closable), g.random(g.closable) end
function make.close_number(g) return g.random(g.copies) end
function make.close_server(g) return g.random(g.all_servers), g.random { false, 0, 0.001, 0.003 } end
function make.shutdown(g) return one_stream(g), g.random { "w", "w", "rw" } end
function make.spawn(g) return one_task(g) end
function make.fail(g) return g.random(PROBLEMS) end
function make.cancel_and_fail(g) return g.random(PROBLEMS) end
function make.yield(g) return g.random { "nothing", "token", "values" } end
function make.wrong(g) return g.random(100), one_stream(g) end
function make.busy(g) return g.random { 1, 2, 4 } end
function make.collect() end
function make.drop() end
function make.psleep(g) return g.random(SHORT) end
function make.dsleep(g) return g.random(DEADLINES), g.random(SHORT) end
function make.put(g) return g.random(g.queue_names) end
function make.get(g) return g.random(g.queue_names) end
function make.close_queue(g) return g.random(g.queue_names) end
function make.acquire(g) return g.random(g.semaphore_names) end
function make.release(g) return g.random(g.semaphore_names) end
function make.put_and_cancel(g) return g.random(g.queue_names) end
function make.release_and_cancel(g) return g.random(g.semaphore_names) end
function make.await(g) return g.random(g.event_names) end
function make.set(g) return g.random(g.event_names) end
function make.clear(g) return g.random(g.event_names) end
function make.select(g) return g.random(g.closable), g.random { "r", "r", "w" }, g.random(TIMES) end
function make.join_group(g) return one_task(g) end
function make.cancel_group() end
function make.refused(g)
  local what = g.random { "resolve", "resolve", "connect", "listen", "serve" }
  return what, g.random(what == "resolve" and { "lookup" } or { "lookup", what == "connect" and "connect" or "bind" })
end
function make.hog(g)
  return g.random { "127.0.0.1", "localhost" }, g.random { "resolve", "connect", "listen", "serve" }
end

-- Kinds that there must be something for.
local needs = {
  connect = "listeners", accept = "listeners", ask = "servers", close_server = "all_servers", close_number = "copies",
  close_socket = "closable", select = "closable",
  transmit = "wraps", receive = "wraps", close_wrap = "wraps",
  listen = "signals", raise = "signals", close_signals = "signals",
  put = "queue_names", get = "queue_names", close_queue = "queue_names", put_and_cancel = "queue_names",
  acquire = "semaphore_names", release = "semaphore_names", release_and_cancel = "semaphore_names",
  await = "event_names", set = "event_names", clear = "event_names",
}

local often = { sleep = 6, wait = 5, read = 4, write = 5, join = 5, cancel = 2, spawn = 3, fail = 2, readsome = 2,
  settimeout = 3, put = 5, get = 5, acquire = 3, release = 3, await = 2, set = 2, select = 2, join_group = 4,
  transmit = 5, receive = 5, listen = 4, raise = 2 }

-- What can be done where nobody may wait.
local INSIDE = {
  "sleep", "sleep", "sleep", "wait", "wait", "read", "readsome", "peek", "write", "join", "join", "connect",
  "accept", "resolve", "psleep", "dsleep", "close_server", "yield", "get", "put", "acquire", "await", "select",
  "transmit", "receive", "listen",
}

local around = {}

local function operation(kind, ...)
  local op = { kind, ... }
  op.count = select("#", ...)
  return op
end

local function leaf(g, kinds)
  local kind
  repeat kind = g.random(kinds) until not needs[kind] or #g[needs[kind]] > 0
  return operation(kind, make[kind](g))
end

local function several(g, depth)
  local list = {}
  for i = 1, g.random(4) do list[i] = program.operation(g, depth) end
  return list
end

function around.deadline(g, depth)
  local op = operation("deadline", g.random(DEADLINES))
  op.inner = several(g, depth)
  return op
end

function around.pcall(g, depth)
  local op = operation("pcall")
  op.inner = several(g, depth)
  return op
end

function around.inside(g)
  local op = operation("inside", g.random(g.barriers))
  op.inner = { leaf(g, INSIDE) }
  return op
end

-- A join that may end when the task does.
function around.join(g)
  local op = operation("deadline", g.random { 0.001, 0.002 })
  op.inner = { operation("join", make.join(g)) }
  return op
end

function around.group(g, depth)
  local op = operation "group"
  op.inner = several(g, depth)
  for _ = 1, g.random(3) - 1 do table.insert(op.inner, 1, operation("join_group", make.join_group(g))) end
  return op
end

function around.race(g)
  if g.random(2) == 1 then return operation("race", one_task(g), one_task(g)) end
  return operation("race", one_task(g), one_task(g), one_task(g))
end

local AROUND = { "deadline", "deadline", "pcall", "inside", "inside", "join", "group", "group", "race" }

function program.operation(g, depth)
  local kind = g.random(AROUND)
  if depth > 0 and g.random(3) == 1 and g.enabled[kind] then return around[kind](g, depth - 1) end
  return leaf(g, g.kinds)
end

-- What tasks do with each other: every third program has hardly anything else.
local BETWEEN = {}
for kind in ("sleep put get close_queue put_and_cancel acquire release release_and_cancel await set clear join_group "
  .. "cancel_group cancel spawn fail"):gmatch "%S+" do BETWEEN[kind] = true end
-- What is done with wrapped sockets, and with signals, which some programs have hardly anything else than.
local WRAPPED = { sleep = true, transmit = true, receive = true, wait = true, close_wrap = true, cancel = true }

local SIGNALLED = { sleep = true, listen = true, raise = true, close_signals = true, cancel = true }

-- Each program has some kinds of operations only: what many have together would hide what two of them do.
local function choose_kinds(g)
  local kinds = {}
  local sparse, narrow = g.random(3), g.random { BETWEEN, false, g.wraps[1] and WRAPPED or false,
    g.signals[1] and SIGNALLED or false }
  for _, kind in ipairs(g.all) do
    local chosen = g.random(4) > sparse and (not narrow or narrow[kind])
    if chosen or kind == "sleep" then
      for _ = 1, often[kind] or 1 do kinds[#kinds + 1] = kind end
    end
  end
  g.kinds = kinds
  g.enabled = { join = true }
  for _, kind in ipairs { "deadline", "pcall", "inside", "group", "race" } do g.enabled[kind] = g.random(3) > 1 end
  g.barriers = { g.random(program.barriers), g.random(program.barriers), g.random(program.barriers) }
end

local function add(list, ...)
  for i = 1, select("#", ...) do list[#list + 1] = (select(i, ...)) end
end

local function choose_streams(g)
  for i = 1, g.pairs do
    add(g.streams, "a" .. i, "b" .. i)
    add(g.objects, "a" .. i, "b" .. i)
    add(g.closable, "a" .. i)
    if g.random(3) == 1 then add(g.objects, "socket a" .. i, "number a" .. i) end
  end
end

local function choose_sockets(g)
  for i = 1, g.sockets do
    add(g.objects, "s" .. i, "t" .. i, "number s" .. i, "foreign s" .. i, "foreign s" .. i)
    add(g.closable, "s" .. i, "t" .. i)
  end
end

local function choose_wraps(g)
  for i = 1, g.random(3) - 1 do
    add(g.wraps, "u" .. i, "v" .. i)
    add(g.objects, "u" .. i, "v" .. i)
    if g.random(3) == 1 then add(g.closable, "u" .. i) end
  end
end

local function choose_servers(g)
  for i = 1, g.random(3) - 1 do add(g.listeners, "listener " .. i) end
  for i = 1, g.random(3) - 1 do add(g.servers, "server " .. i) end
  for _, list in ipairs { g.listeners, g.servers } do
    for _, name in ipairs(list) do add(g.all_servers, name) end
  end
end

-- The objects: pairs of streams, their sockets and numbers, pairs of sockets, objects of somebody else, servers. Where
-- a number is closed under the loop nothing else may get it: there are no servers.
local function choose_objects(g)
  local random = g.random
  g.streams, g.objects, g.closable, g.copies, g.listeners, g.servers, g.all_servers = {}, {}, {}, {}, {}, {}, {}
  g.pairs, g.sockets, g.wraps, g.signals = random(3), random(3) - 1, {}, {}
  choose_streams(g)
  choose_sockets(g)
  choose_wraps(g)
  if random(3) == 1 then add(g.signals, "signals") end
  if random(2) == 1 then add(g.objects, "raising", "nameless", "false watch") end
  if random(3) > 1 then return choose_servers(g) end
  add(g.copies, "copy")
  add(g.objects, "copy")
end

-- What stands between tasks.
local function choose_between(g)
  local random = g.random
  g.queues, g.semaphores, g.events = {}, {}, {}
  g.queue_names, g.semaphore_names, g.event_names = {}, {}, {}
  for i = 1, random(3) - 1 do
    add(g.queue_names, "queue " .. i)
    g.queues["queue " .. i] = random { false, 0, 1, 2 }
  end
  for i = 1, random(3) - 1 do
    add(g.semaphore_names, "semaphore " .. i)
    g.semaphores["semaphore " .. i] = random(3) - 1
  end
  if random(2) == 1 then
    add(g.event_names, "event")
    g.events.event = true
  end
end

local FAILURES = { "fail", "cancel_and_fail" }

local function sorted_kinds()
  local list = {}
  for kind in pairs(make) do list[#list + 1] = kind end
  table.sort(list)
  return list
end

local function choose_tasks(g)
  for i = 1, g.random(7) + 1 do g.tasks[i] = {} end
  for _, task in ipairs(g.tasks) do
    for k = 1, g.random(6) do task[k] = program.operation(g, g.random(DEPTH)) end
    if g.random(6) == 1 then add(task, operation("sleep", g.random { 0.001, 0.002 }), leaf(g, FAILURES)) end
  end
end

-- One program of so many is one of these, by turns: they last longer.
local EVERY = 20
local SPECIALS = { "flood", "crowd", "stubborn", "deadlock", "abandoned", "alarms", "copied", "foreign", "turn",
  "sender", "rival", "goodbye" }

-- The program of a seed: mode, streams, sockets, servers, tasks ...
function program.new(seed)
  local random = new_random(seed)
  local g = { seed = seed, random = random, tasks = {}, all = sorted_kinds() }
  g.mode, g.onerror, g.handler = random(MODES), random(LISTENERS), random(HANDLERS)
  g.limit = random { 1, 2, 3, 1000 }
  if seed % EVERY == 0 then g.special = SPECIALS[seed / EVERY % #SPECIALS + 1] end
  choose_objects(g)
  choose_between(g)
  choose_kinds(g)
  choose_tasks(g)
  return g
end

-- ---- printing ----

local function describe(op, indent, lines)
  local words = { op[1] }
  for i = 1, op.count do
    local value = op[i + 1]
    words[#words + 1] = type(value) == "string" and ("%q"):format(value):gsub("\\\n", "\\n") or tostring(value)
  end
  lines[#lines + 1] = indent .. table.concat(words, " ")
  for _, inner in ipairs(op.inner or {}) do describe(inner, indent .. "  ", lines) end
end

function program.text(op)
  local lines = {}
  describe(op, "", lines)
  return table.concat(lines, " > "):gsub(" +", " ")
end

function program.print(g)
  local lines = { ("program %d: %s, onerror %s, handlers %s, limit %d%s"):format(g.seed, g.mode, g.onerror, g.handler,
    g.limit, g.special and ", special: " .. g.special or "") }
  lines[2] = "objects: " .. table.concat(g.objects, ", ") .. "; " .. table.concat(g.all_servers, ", ")
  for i, task in ipairs(g.tasks) do
    lines[#lines + 1] = "task " .. i .. (i == 1 and " (the first)" or "")
    for _, op in ipairs(task) do describe(op, "  ", lines) end
  end
  return table.concat(lines, "\n")
end

return program
