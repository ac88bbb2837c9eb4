-- Runs the operations of a task, and those that stand around others.
local loop = require "lsocket.loop"
local acts = require "spec.model.acts"
local barriers = require "spec.model.barriers"
local kin = require "spec.model.kin"
local oracle = require "spec.model.oracle"
local program = require "spec.model.program"
local world = require "spec.model.world"

local pack, unpack = world.pack, world.unpack
local around = {}

local function perform(rec, op)
  if rec.world.closing then return end
  if around[op[1]] then return around[op[1]](rec, op) end
  return acts[op[1]](rec, unpack(op, 2, op.count + 1))
end

local function perform_all(rec, list)
  for _, op in ipairs(list) do perform(rec, op) end
end

-- A deadline gives what its function gives.
function around.deadline(rec, op)
  local frame = { due = loop.now() + math.max(0, op[2]) }
  local depth = #rec.frames
  rec.frames[depth + 1] = frame
  if depth > 0 and rec.frames[depth].passed then frame.passed = true end
  local token = {}
  local result, more = loop.deadline(op[2], function()
    frame.latest = loop.now() + math.max(0, op[2])
    perform_all(rec, op.inner)
    return token, 2
  end)
  rec.frames[depth + 1] = nil
  if result ~= token or more ~= 2 then rec.world:wrong("%s: deadline gives something else", rec.name) end
end

function around.pcall(rec, op)
  local depth = #rec.frames
  rec.catchers = (rec.catchers or 0) + 1
  local ok, problem = loop.pcall(perform_all, rec, op.inner)
  rec.catchers = rec.catchers - 1
  for i = #rec.frames, depth + 1, -1 do rec.frames[i] = nil end
  if not ok and not rawequal(problem, rec.problem) and rec.problem ~= nil then
    rec.world:wrong("%s: loop.pcall gives another error: %s", rec.name, world.text(problem))
  end
end

-- The act is left by an error: it is judged here.
local function judge_error(rec, op, problem)
  local act = rec.act
  if act then
    rec.world:finish(act)
    act.text = op[2] .. ": " .. act.text
    rec.world:say("%s: %s raises %s", rec.name, act.text, world.text(problem))
    return oracle.judge(act, { n = 2, false, problem })
  end
  if type(problem) ~= "string" or not (problem:find "yield" or problem:find "wait") then
    rec.world:wrong("%s: %s raises %s", rec.name, program.text(op), world.text(problem))
  end
end

-- An operation where, perhaps, nobody can wait.
function around.inside(rec, op)
  local inner = op.inner[1]
  local first = true
  rec.bare = true
  local r = pack(loop.pcall(barriers[op[2]], function()
    if not first then return end
    first = false
    perform(rec, inner)
  end))
  rec.bare, first = nil, false -- a finalizer could still come
  if not r[1] then judge_error(rec, op, r[2]) elseif rec.act then judge_error(rec, op, "yield: caught on the way") end
end

-- ---- groups ----

-- Has a group raised what its first failure was?
local function judge_error_of(group, problem)
  local rec, failure = group.rec, group.failure
  if not failure then return rec.world:wrong("%s: its group raises %s", rec.name, world.text(problem)) end
  if failure ~= rec then failure.heard = failure.heard + 1 end
  local wanted = failure.problem
  local same = rawequal(problem, wanted) or wanted == nil
  if type(wanted) == "string" then same = type(problem) == "string" and problem:find(wanted, 1, true) end
  if not same then
    rec.world:wrong("%s: its group raises %s, not the error of %s", rec.name, world.text(problem), failure.name)
  end
end

-- A group has been left; its results are judged by the other function.
local function leave(group, r, judge)
  local rec = group.rec
  table.remove(rec.groups)
  group.left = true
  group.cut = r[1] and r[2] == nil
  rec.world:say("%s: its group gives %s", rec.name, world.show(r))
  kin.left(group)
  if not r[1] then return judge_error_of(group, r[2]) end
  if group.failure and not group.unsure then rec.world:wrong("%s: its group raises no error", rec.name) end
  judge()
end

-- What the function of a group does.
local function inside_group(value, group, op, token)
  local rec = group.rec
  group.value = value
  local depth = #rec.frames
  local fine, problem = loop.pcall(perform_all, rec, op.inner)
  for i = #rec.frames, depth + 1, -1 do rec.frames[i] = nil end
  group.returned = true
  if fine then return token, 2 end
  if not group.over then
    group.failure = rec
    kin.over(group)
  elseif not group.failure then
    group.failure = rec
  end
  error(problem, 0)
end

function around.group(rec, op)
  local group, token = kin.new(rec), {}
  rec.groups[#rec.groups + 1] = group
  rec.catchers = (rec.catchers or 0) + 1
  local r = pack(loop.pcall(loop.group, inside_group, group, op, token))
  rec.catchers = rec.catchers - 1
  leave(group, r, function()
    if r[2] == nil then return oracle.judge_failure(rec, "group", r) end
    if r[2] ~= token or r[3] ~= 2 then rec.world:wrong("%s: group gives something else", rec.name) end
  end)
end

-- One that runs: an odd one wins.
local function run(group, member)
  member.task = loop.running()
  around.body(member)
  if member.number % 2 == 0 then return false end
  if not group.winner then
    group.winner = member
    kin.over(group)
  end
  return member, "done"
end

local function judge_race(group, r)
  local rec, winner = group.rec, group.winner
  if winner then
    if r[2] ~= winner or r[3] ~= "done" then rec.world:wrong("%s: race gives something else", rec.name) end
    return
  end
  if r[2] == false then return end
  for _, member in ipairs(group.members) do
    if member.skipped and r[4] == "ECANCELED" then return end
  end
  oracle.judge_failure(rec, "race", r)
end

function around.race(rec, op)
  local w, group, list = rec.world, kin.new(rec, true), {}
  if #w.recs >= acts.MOST then return end
  group.returned = true
  for i = 1, op.count do
    local member = w:new_rec(("runner %d/%d"):format(op[i + 1], #w.recs))
    member.number = op[i + 1]
    kin.add(group, member)
    list[i] = function() return run(group, member) end
  end
  rec.groups[#rec.groups + 1] = group
  local r = pack(loop.pcall(loop.race, unpack(list)))
  leave(group, r, function() judge_race(group, r) end)
end

-- ---- tasks ----

-- What a task of the program does. Its results are its own.
local function body(rec)
  rec.world:revive(rec)
  perform_all(rec, rec.world.program.tasks[rec.number])
  rec.done = true
  rec.world:say("%s: ends", rec.name)
  rec.world:retire(rec)
  return rec, "done"
end
around.body = body

-- Makes a task of those operations, perhaps of a group.
function around.start(w, number, group)
  local rec = w:new_rec(("task %d"):format(number))
  rec.number = number
  rec.name = ("task %d/%d"):format(number, #w.recs)
  w.latest[number] = rec
  if group then
    kin.add(group, rec)
    rec.task = group.value:spawn(body, rec)
  else
    rec.task = loop.spawn(body, rec)
  end
  return rec
end

-- ---- handlers ----

local handlers = {}

local CUT_OFF = "ECONNRESET EPIPE ECANCELED EBADF"

local function read_line(rec, object)
  local act = { kind = "read", object = object, text = "the handler's read", names = CUT_OFF }
  return acts.call(rec, act, object.value.read, object.value)[2]
end

local function answer(rec, object)
  local act = { kind = "write", object = object, text = "the handler's write", names = CUT_OFF }
  acts.call(rec, act, object.value.write, object.value, "answer\n")
end

function handlers.echo(rec, object)
  if read_line(rec, object) then answer(rec, object) end
end

function handlers.slow(rec, object)
  local act = { kind = "sleep", text = "the handler's sleep", seconds = 0.002, names = "ECANCELED" }
  acts.call(rec, act, loop.sleep, 0.002)
  handlers.echo(rec, object)
end

function handlers.fails(rec, object)
  read_line(rec, object)
  acts.fail(rec, "raising")
end

function handlers.closes(_, object) object.value:close() end

function handlers.rests(rec, object)
  handlers.echo(rec, object)
  read_line(rec, object)
end

-- What a server calls for a client: in the books it is a task like others.
function around.handle(w, server, client)
  local rec = w:new_rec("handler of " .. server.name)
  local object = { name = "client", kind = "stream", value = client, line = { name = "client", shut = true } }
  rec.begun, rec.on_gone = true, server
  server.active = server.active + 1
  if server.active > server.limit then w:wrong("%s has %d clients", server.name, server.active) end
  handlers[w.program.handler](rec, object)
  rec.done = true
  w:retire(rec)
end

return around
