-- Drives a program to its end, looks at everything after each turn, and ends what waits for ever.
local loop = require "lsocket.loop"
local lsocket = require "lsocket"
local around = require "spec.model.around"
local between = require "spec.model.between"
local oracle = require "spec.model.oracle"
local specials = require "spec.model.specials"
local stalls = require "spec.model.stalls"
local world = require "spec.model.world"

local ok, turns = pcall(require, "lsocket.loop.turns")
if not ok or type(turns) ~= "table" then turns = {} end

local driver = {}

local IDLE = 0.008  -- seconds without anything, after which a program is brought to its end
local STUCK = 0.3   -- seconds without anything, while something should be
local MOST = 0.2    -- seconds that a program has before it is brought to its end
local LIMIT = 3     -- seconds that it may last at all
local TURN = 0.001  -- seconds that a turn waits at most
local SPINS = 2000  -- turns in a row in which nothing happens and nobody waits

local quiet = { write = function() return true end }
local default = loop.onerror

-- ---- onerror ----

local listeners = {}
function listeners.quiet() end
function listeners.raises() error "onerror raises" end
function listeners.odd() error(setmetatable({}, { __tostring = function() error "odd" end })) end
function listeners.steps() loop.step(0) end
function listeners.runs() loop.run(function() end) end
function listeners.waits() loop.sleep(0) end
function listeners.spawns() loop.spawn(function() end) end
function listeners.closed(task, trace) default(task, trace) end

local function rec_of(w, task)
  for _, rec in ipairs(w.recs) do
    if rec.task == task then return rec end
  end
  return w.failed_last -- a handler, whose task nobody has seen
end

local function listen(w)
  return function(task, trace)
    if type(task) ~= "table" then w:wrong "onerror is called without a task" end
    if type(trace) ~= "string" then w:wrong("onerror is told %s", type(trace)) end
    local rec = rec_of(w, task)
    w:say("onerror: %s", rec and rec.name or world.text(trace))
    if not rec then w:wrong("onerror is told of an unknown task: %s", world.text(trace)) else oracle.told(w, rec) end
    listeners[w.program.onerror](task, trace)
  end
end

-- ---- bringing it to an end ----

local function cancel_all(w)
  for _, rec in ipairs(w.recs) do
    if rec.task and not rec.gone then w:cancel(rec) end
  end
end

local function close_servers(w)
  for _, object in pairs(w.objects) do
    if object.kind == "listener" or object.kind == "server" then
      w:closed(object.line)
      object.value:close(0)
    end
  end
end

local function close_streams(w)
  for _, line in ipairs(w.lines) do
    w.objects[line.name].value:close()
    w:closed(line)
  end
  for _, names in ipairs { w.program.wraps, w.program.signals } do
    for _, name in ipairs(names) do
      w.objects[name].value:close()
      w:closed(w.objects[name].line)
    end
  end
end

-- Whoever was cancelled some turns ago has gone on.
local function check_released(w)
  for act in pairs(w.acts) do
    if act.released then w:wrong("nobody wakes %s: %s: it was released", act.rec.name, act.text) end
  end
end

-- Something to read, for the first task of a run: nobody can cancel that.
local function make_noise(w)
  w.noisy = true
  for _, object in pairs(w.objects) do
    if object.kind == "socket" and object.line.name:find "^[st]%d" then object.value:send "x" end
  end
  if w.kept[2] then w.kept[2]:send "x" end
end

-- First every task is cancelled, which must be enough for all but the servers' and a run's first one.
local function close_round(w, now)
  w.rounds = (w.rounds or 0) + 1
  w.next_round = now + 0.001
  w:say("round %d: %d tasks are left", w.rounds, w.live)
  if w.rounds == 1 or w.rounds % 3 == 0 then cancel_all(w) end
  if w.rounds == 2 then close_servers(w) end
  if w.rounds > 1 and w.rounds % 3 == 0 then between.close(w) end
  if w.rounds == 5 then check_released(w) end
  if w.rounds == 6 then make_noise(w) end
  if w.rounds == 12 then close_streams(w) end
end

local function tell_waiting(w)
  for act in pairs(w.acts) do w:wrong("the program does not end: %s: %s", act.rec.name, act.text) end
  for _, rec in ipairs(w.recs) do
    if not rec.gone and not rec.act then w:wrong("the program does not end: %s never goes on", rec.name) end
  end
end

-- now, here and below: without the times in which the machine ran something else
local function watch_idle(w, now)
  if w.progress ~= w.seen then w.seen, w.idle_since = w.progress, now end
  local idle = now - w.idle_since
  if idle < IDLE and now - w.begun < MOST then return end
  local act, why = oracle.overdue(w)
  if act and idle > STUCK then
    w:wrong("nobody wakes %s: %s: %s", act.rec.name, act.text, why)
    return true
  end
  if not act or idle < IDLE then w.closing = true end
end

-- After a turn: true: the program cannot be brought to an end.
local function tend(w)
  local now = loop.now() - stalls.seconds()
  if watch_idle(w, now) then return true end
  if w.live == 0 then w.closing = true end
  if w.closing and now >= (w.next_round or 0) and w.rounds ~= 300 then close_round(w, now) end
  if now - w.begun < LIMIT then return false end
  tell_waiting(w)
  return true
end

local function check_invariant(w)
  if not turns.invariant then return end
  local fine, problem = pcall(turns.invariant)
  if not fine then w:wrong("invariant: %s", world.text(problem)) end
end

-- ---- the two ways to drive a loop ----

local function note_turn(w, begun, seen)
  if seen ~= w.progress or loop.now() - begun > 0.0005 then
    w.spins = 0
    return
  end
  w.spins = (w.spins or 0) + 1
  if w.spins > SPINS then
    w:wrong "the loop spins"
    return true
  end
end

-- After a step: true: it was the last one. before: what stalls said
local function judge_step(w, before, fine, left)
  if not fine then
    w:wrong("the loop is ended by: %s", world.text(left))
    return true
  end
  check_invariant(w)
  if left == false then
    if w.live > 0 then w:wrong("step gives false, and %d tasks are left", w.live) end
    return true
  end
  oracle.judge_step(w, left, stalls.seconds() - before)
  return #w.faults > 0
end

local function one_step(w)
  local before, begun, seen = stalls.seconds(), loop.now(), w.progress
  return judge_step(w, before, pcall(loop.step, TURN)) or note_turn(w, begun, seen)
end

local looks_up = { resolve = true, connect = true, ask = true, hog = true }

-- May the thread of a look-up answer at any time?
local function has_threads(w)
  for act in pairs(w.acts) do
    if looks_up[act.kind] then return true end
  end
  return false
end

-- Inside of another loop: where that hears nothing, and no time is over, there is nothing to do.
local function one_outer_step(w, outer)
  local wait, before, begun, seen = math.min(w.left or 0, TURN), stalls.seconds(), loop.now(), w.progress
  local heard = outer:wait(wait) or has_threads(w)
  local fine, left = pcall(loop.step, 0)
  if not heard and seen ~= w.progress and not w.closing and loop.now() - begun < (w.left or 0) - 0.001 then
    w:wrong "the descriptor has not told that there is something to do"
  end
  w.left = left
  return judge_step(w, before, fine, left) or note_turn(w, begun, seen)
end

local drive = {}

local function furnish(w)
  w:furnish(function(...) return around.handle(w, ...) end)
  for number in ipairs(w.program.tasks) do around.start(w, number) end
end

function drive.step(w)
  furnish(w)
  repeat until one_step(w) or tend(w)
end

function drive.outer(w)
  local fd = loop.getfd() -- which poll(2) has not
  if not fd then return drive.step(w) end
  furnish(w)
  local outer = assert(lsocket.poller())
  assert(outer:add(fd, "r"))
  repeat until one_outer_step(w, outer) or tend(w)
  outer:close()
end

-- A task that does what tend does between the turns of the other mode.
local function janitor(w)
  repeat
    loop.sleep(0.001)
    if tend(w) or #w.faults > 0 then w.give_up(w.faults) end
  until w.live == 0 and w.rounds and w.rounds > 2
end

-- Nobody has the first task's handle: it cannot be joined or cancelled.
local function main(w)
  w:furnish(function(...) return around.handle(w, ...) end)
  local rec = w:new_rec "task 1, the first"
  rec.number, w.main = 1, rec
  for number = 2, #w.program.tasks do around.start(w, number) end
  w.janitor = loop.spawn(janitor, w)
  return around.body(rec)
end

local function judge_run(w, fine, result, more)
  local rec = w.main
  if not rec then return w:wrong("run raises %s", world.text(result)) end
  if fine then
    if result ~= rec or more ~= "done" then w:wrong("run gives something else than its function") end
  elseif rec.raising then
    rec.heard = rec.heard + 1
    local same = rawequal(result, rec.problem) or rec.problem == nil
    if type(rec.problem) == "string" then same = type(result) == "string" and result:find(rec.problem, 1, true) end
    if not same then w:wrong("run raises something else than its function: %s", world.text(result)) end
  elseif #w.faults == 0 then
    w:wrong("run raises %s", type(result) == "string" and result or type(result))
  end
end

function drive.run(w)
  turns.check(true)
  local r = world.pack(pcall(loop.run, main, w))
  turns.check(false)
  judge_run(w, r[1], r[2], r[3])
end

-- ---- afterwards ----

-- Can a stream still be written and read?
local function probe(w, near, far)
  local from, to, marker = w.objects[near.name].value, w.objects[far.name].value, "the end of " .. near.name .. "\n"
  local incoming = far.incoming
  from:settimeout(false)
  to:settimeout(false)
  local reader = loop.spawn(loop.deadline, 1, function()
    local tail = ""
    repeat
      local data, message = to:readsome()
      if not data then return nil, message end
      incoming.got[#incoming.got + 1] = data
      tail = (tail .. data):sub(-#marker)
    until tail == marker
    return true
  end)
  local written, why = loop.deadline(1, from.write, from, marker)
  if not written then w:wrong("afterwards %s cannot be written: %s", near.name, world.text(why)) end
  local got, problem = reader:join()
  if written and not got then w:wrong("afterwards %s cannot be read: %s", far.name, world.text(problem)) end
  incoming.writes[#incoming.writes + 1] = { data = marker, count = #marker }
  incoming.all, incoming.unended = true, false
end

local function probe_all(w)
  local begun = loop.now()
  if loop.sleep(0.001) ~= true or loop.now() - begun < 0.0009 then w:wrong "afterwards sleep is wrong" end
  between.judge(w)
  for _, line in ipairs(w.lines) do
    local peer = line.peer
    if not (line.closed or peer.closed or line.shut or peer.shut) then probe(w, line, peer) end
  end
end

local function close_all(w)
  for _, object in pairs(w.objects) do
    if object.kind ~= "number" and object.kind ~= "foreign" and object.kind ~= "odd" then object.value:close() end
  end
  local copy = w.objects.copy
  if copy and not copy.line.closed then lsocket.fromfd(copy.value):close() end
  for _, sock in ipairs(w.kept) do sock:close() end
end

local function judge_end(w)
  oracle.judge_recs(w)
  local fine, problem = pcall(loop.run, probe_all, w)
  if not fine then w:wrong("afterwards run raises %s", world.text(problem)) end
  for _, line in ipairs(w.lines) do oracle.judge_bytes(w, line) end
end

-- Runs a program: the list of what was wrong, which is empty where nothing was.
-- give_up(list) does not return: a run with faults may not end.
function driver.play(program, verbose, give_up)
  local w = world.new(program)
  w.verbose, w.start, w.give_up = verbose, around.start, give_up
  w.idle_since = w.begun
  between.furnish(w)
  loop.onerror = listen(w)
  local stderr = io.stderr
  io.stderr = quiet
  if program.onerror == "closed" then
    io.stderr = io.tmpfile()
    io.stderr:close()
  end
  local play = specials[program.special] or drive[program.mode]
  local fine, problem = xpcall(function() play(w) end, debug.traceback)
  io.stderr = stderr
  if not fine then w:wrong("the model fails: %s", world.text(problem)) end
  if #w.faults == 0 then judge_end(w) end
  loop.onerror = default
  close_all(w)
  return w.faults
end

return driver
