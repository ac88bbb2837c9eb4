-- What is right: whether a call's answer is one that the manual allows, who must not wait any more, which bytes must
-- have come, and who must have been told of an error.
local between = require "spec.model.between"
local kin = require "spec.model.kin"
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stalls = require "spec.model.stalls"
local text_of = require("spec.model.world").text

local oracle = {}

local LATE = 1       -- seconds that nothing is late by, but for the times in which the machine did not run it
local EARLY = 0.0001 -- what a clock may be wrong by
local SLACK = 0.1    -- seconds between a turn's clock and the end of it

-- ---- failures: nil, message, name ----

-- Has a deadline of the task passed? Then every wait in it must answer so from now on. The loop has begun to count at
-- some time between those of due and of latest.
local function pass_deadlines(rec, now)
  local passed, surely = false, false
  for _, frame in ipairs(rec.frames) do
    passed = passed or frame.due <= now + EARLY
    surely = surely or frame.latest <= now
    if surely then frame.passed = true end -- those inside, too
  end
  return passed
end

local function take_cancel(rec)
  if rec.cancels == 0 then return false end
  rec.cancels = rec.cancels - 1
  return true
end

local function is_closed(act)
  return act.object and act.object.line and act.object.line.closed
end

local function is_cut(act)
  local line = act.object and act.object.line
  return line and (line.shut or not line.peer or line.peer.closed or line.peer.shut)
end

local reasons = {}

-- What the time-out of a stream is for.
local limited = { read = true, write = true, mutate = true, sendfile = true, wrong = true }

function reasons.ETIMEDOUT(act)
  if act.inner and act.ended - act.begun >= act.inner - EARLY then return true end
  local timeout = act.object and act.object.timeout
  if timeout and limited[act.kind] and act.ended - act.begun >= timeout - EARLY then return true end
  return pass_deadlines(act.rec, act.ended)
end

function reasons.ECANCELED(act)
  local line = act.object and act.object.line
  if is_closed(act) or line and line.closing then return true end -- a cancel that came after that is still to be told
  local target = act.target
  if target and kin.may_be_skipped(target) then return true end
  return act.rec.world.failing or kin.may_be_doomed(act.rec) or take_cancel(act.rec)
end

function reasons.EBADF(act)
  local line = act.object and act.object.line
  return is_closed(act) or line and line.closing or act.object and act.object.kind == "odd"
end

function reasons.EPIPE(act) return is_cut(act) or act.kind == "put" and act.queue.closed end
reasons.ECONNRESET = reasons.EPIPE

function reasons.ECONNREFUSED(act) return is_closed(act) end

function reasons.EEXIST(act) return act.kind == "wait" and act.object.kind ~= "stream" end

function reasons.EMFILE(act) return act.rec.world.hogged end
reasons.EAI_NONAME, reasons.EAI_AGAIN, reasons.EAI_SYSTEM = reasons.EMFILE, reasons.EMFILE, reasons.EMFILE

local function failure(act, r)
  local message, name = r[3], r[4]
  if type(message) ~= "string" or type(name) ~= "string" then return "gives nil without a reason" end
  if act.names and act.names:find(name, 1, true) then return end
  if not reasons[name] then return "gives " .. name end
  if not reasons[name](act) then return "gives " .. name .. " without a reason" end
end

-- ---- answers, by the kind of the act ----

local answers = {}

local function anything() end

for kind, answer in pairs(between.answers) do answers[kind] = answer end

function answers.sleep(act, r)
  if r[2] ~= true then return "gives " .. text_of(r[2]) end
  if act.ended - act.begun < act.seconds - EARLY then
    return ("has slept %.2f ms"):format((act.ended - act.begun) * 1000)
  end
  if act.late then return "gives true though its deadline has passed" end
  if act.doomed then return "gives true though its group is over" end
end

function answers.wait(act, r)
  local result, line = r[2], act.object.line
  if result == false then
    if not act.seconds then return "gives false without a time" end
    if act.seconds > 0 and act.ended < act.due - EARLY then return "gives false too early" end
    return
  end
  if (result ~= "r" and result ~= "w") or not act.events:find(result, 1, true) then
    return "gives " .. text_of(result)
  end
  local quiet = act.object.kind ~= "stream" and line.name:find "^[st]%d" and not line.closed and not act.rec.world.noisy
  if result == "r" and quiet and not is_cut(act) then return "gives r, and nothing has come" end
end

function answers.select(act, r)
  if r[2] == false then return answers.wait(act, r) end
  local ready, other = r[2], r[3]
  if act.events == "w" then ready, other = other, ready end
  if type(ready) ~= "table" or ready[1] ~= act.object.value or ready[2] then return "gives something else" end
  if other and other[1] then return "gives more" end
end

-- Reading: the bytes are noted by acts.lua.
function answers.read(_, r)
  if type(r[2]) ~= "string" then return "gives " .. text_of(r[2]) end
end

function answers.write(_, r)
  if r[2] ~= true then return "gives " .. text_of(r[2]) end
end

function answers.sendfile(act, r)
  if r[2] ~= act.size then return "gives " .. text_of(r[2]) end
end

function answers.close_with_grace(act, r)
  if r[2] ~= true and r[2] ~= false then return "gives " .. text_of(r[2]) end
  if r[2] == false and act.ended < act.due - EARLY then return "gives false too early" end
end

function answers.receive(_, r)
  if type(r[2]) ~= "string" then return "gives " .. text_of(r[2]) end
end

function answers.transmit(_, r)
  if type(r[2]) ~= "number" then return "gives " .. text_of(r[2]) end
end

function answers.listen(act, r)
  if r[2] ~= "USR1" then return "gives " .. text_of(r[2]) end
  if act.object.heard >= act.object.sent then return "gives a signal that nobody sent" end
end

local function gives_table(_, r)
  if type(r[2]) ~= "table" then return "gives " .. text_of(r[2]) end
end
answers.connect, answers.accept, answers.resolve, answers.hog = gives_table, gives_table, gives_table, gives_table

function answers.ask(_, r)
  if type(r[2]) ~= "string" then return "gives " .. text_of(r[2]) end
end

function answers.join(act, r)
  local target = act.target
  if target.skipped then return "gives results of a task that never began" end
  if not target.done then return "gives results before the task has ended" end
  if r[2] ~= target or r[3] ~= "done" or r.n ~= 3 then return "gives other results than the task's" end
end

function answers.close_server(act, r)
  if r[2] ~= true and r[2] ~= false then return "gives " .. text_of(r[2]) end
  local object = act.object
  if r[2] and act.seconds and object.active and object.active > 0 then return "gives true while handlers run" end
end

function answers.wrong() return "does not raise" end
answers.mutate, answers.crossed = anything, anything

-- nil alone is the end of what comes in.
local function is_end(act, r)
  local may_end = act.kind == "read" or act.kind == "ask" or act.kind == "get" or act.kind == "receive"
  return r[2] == nil and r[3] == nil and may_end
end

-- ---- errors ----

local crossing = { "yield", "wait" }

local function tells(problem, texts)
  for _, text in ipairs(texts) do
    if type(problem) == "string" and problem:find(text, 1, true) then return true end
  end
end

local raised = {}

function raised.join(act, problem)
  local target = act.target
  if target == act.rec then return tells(problem, { "itself" }) end
  if not target.raising then return false end
  local wanted = target.problem
  local same = rawequal(problem, wanted) or wanted == nil
  if type(wanted) == "string" or type(wanted) == "number" then -- coroutine.wrap puts the place before it
    same = same or tells(problem, { tostring(wanted) })
  end
  if same then
    target.heard = target.heard + 1
    return true
  end
end

function raised.wrong(_, problem) return type(problem) == "string" end

function raised.mutate(_, problem) return tells(problem, { "bad argument", "invalid" }) end

function raised.wait(act, problem)
  local name = act.object.name
  if name == "raising" then return tells(problem, { "getfd raises" }) end
  if name == "nameless" then return tells(problem, { "getfd", "bad argument" }) end
  if act.object.kind == "foreign" and is_closed(act) then return tells(problem, { "getfd", "bad argument" }) end
  if name == "false watch" then return tells(problem, { "bad argument" }) end
end

local function is_right_to_raise(act, problem)
  if raised[act.kind] and raised[act.kind](act, problem) then return true end
  if act.bare and tells(problem, crossing) then return true end
  return act.rival and tells(problem, { "another task is", "another task waits" })
end

-- ---- judging ----

-- By how much more an act is late than the machine has kept it from running; the thread of a look-up has been so, too.
function oracle.lateness(act, limit)
  if act.ended <= limit + LATE then return 0 end
  return math.max(0, act.ended - limit - LATE - 3 * (stalls.seconds() - act.stalls))
end

local function judge(act, r)
  if act.limit and oracle.lateness(act, act.limit) > 0 then
    return ("comes %.2f s too late"):format(act.ended - act.limit)
  end
  if not r[1] then
    if is_right_to_raise(act, r[2]) then return end
    return "raises " .. (type(r[2]) == "string" and r[2] or type(r[2]))
  end
  if is_end(act, r) then
    if act.kind == "get" then return between.judge_end(act) end
    if not is_cut(act) then return "gives nil alone, and the stream has not ended" end
    return
  end
  if r[2] == nil then return failure(act, r) end
  return answers[act.kind](act, r)
end

-- Has the failure of something else than an act a reason?
function oracle.judge_failure(rec, text, r)
  local problem = failure({ rec = rec, ended = loop.now() }, r)
  if problem then rec.world:wrong("%s: %s: %s", rec.name, text, problem) end
end

function oracle.judge(act, r)
  local problem = judge(act, r)
  if problem then act.rec.world:wrong("%s: %s: %s", act.rec.name, act.text, problem) end
end

-- A task has failed, and onerror is told.
function oracle.told(world, rec)
  rec.told = rec.told + 1
  for act in pairs(world.acts) do
    local over = act.released or act.limit and act.limit <= loop.now() or act.rec.cancels > 0 -- it is not to wait
      or kin.may_be_doomed(act.rec)
    if act.kind == "join" and act.target == rec and not over then
      world:wrong("onerror is told of %s though %s joins it", rec.name, act.rec.name)
    end
  end
end

-- ---- who waits for nothing ----

local function is_ready(sock, events)
  if not sock or sock:getfd() < 0 then return false end
  local reads, writes = events ~= "w" and { sock } or {}, events ~= "r" and { sock } or {}
  return lsocket.select(reads, writes, 0) ~= false
end

local takes_turn = { write = true, mutate = true, sendfile = true, wrong = true }

-- Does another task write before, or read where tasks do so in turn?
local function waits_for_turn(act)
  if not takes_turn[act.kind] and not act.in_turn then return false end
  for other in pairs(act.rec.world.acts) do
    local same = takes_turn[other.kind] or other.in_turn and other.events == act.events
    if same and other.object == act.object and other.order < act.order then return true end
  end
  return false
end

-- Has a call that waits once done so for longer than its stream's time-out?
local function has_timed_out(act, now)
  local seconds = act.single and act.object.seconds
  return seconds and now > math.max(act.begun, act.object.since) + seconds + math.min(seconds / 8, 1)
end

-- Why an act should be over by now; nil where it may go on.
local function overdue(act, now)
  if act.released then return "was released" end
  if act.limit and act.limit < now - 0.02 then return "its time is over" end
  if has_timed_out(act, now) then return "its time-out is over" end
  if act.kind == "join" and (act.target.done or act.target.raising) then return "the task has ended" end
  if act.kind == "ask" and not is_closed(act) then return "nobody serves it" end
  local why = between.overdue(act)
  if why then return why end
  local line = act.object and act.object.line
  if not line or line.closed or not act.events then return end
  if waits_for_turn(act) then return end
  if is_ready(line.sock, act.events) then return "it is ready" end
end

-- The first act that should be over: act, why
function oracle.overdue(world)
  local now = loop.now()
  for act in pairs(world.acts) do
    local why = overdue(act, now)
    if why then return act, why end
  end
end

-- Must the loop be called again before those seconds are over? stalled: in the step
function oracle.judge_step(world, left, stalled)
  if type(left) ~= "number" or left < 0 then return world:wrong("step gives %s", text_of(left)) end
  local now = loop.now() - stalled
  for act in pairs(world.acts) do
    if act.limit and not act.released and left > math.max(0, act.limit - now) + SLACK then
      world:wrong("step gives %.4f, and %s: %s is due in %.4f", left, act.rec.name, act.text, act.limit - now)
    end
  end
end

-- ---- at the end ----

-- What of a write may have come: nothing but what it has counted.
local function sent(entry)
  return entry.data:sub(1, entry.count)
end

-- Does the text from a place on consist of what the writes have sent, in some order? The last may be cut off.
local function matches(text, place, writes, used)
  if place > #text then return true end
  for i, entry in ipairs(writes) do
    local data = sent(entry)
    local part = text:sub(place, place + #data - 1)
    if not used[i] and #data > 0 and part == data:sub(1, #part) then
      used[i] = true
      if matches(text, place + #data, writes, used) then return true end
      used[i] = nil
    end
  end
  return false
end

local function total(writes)
  local sum = 0
  for _, entry in ipairs(writes) do sum = sum + entry.count end
  return sum
end

-- Have the bytes come as they were counted?
function oracle.judge_bytes(world, line)
  local incoming = line.incoming
  if incoming.unchecked then return end
  for _, entry in ipairs(incoming.writes) do
    if not entry.count then return end -- an error has ended the write
  end
  local got = table.concat(incoming.got)
  if incoming.unended and got:sub(-1) == "\n" then got = got:sub(1, -2) end -- a last line without its end
  if not matches(got, 1, incoming.writes, {}) then
    world:wrong("%s: %d bytes have come that were not sent so", line.name, #got)
  end
  if incoming.all and #got ~= total(incoming.writes) then
    world:wrong("%s: %d bytes have come, %d were counted", line.name, #got, total(incoming.writes))
  end
end

function oracle.judge_recs(world)
  for _, rec in ipairs(world.recs) do
    if rec.skipped and rec.begun then world:wrong("%s was cancelled before, and has begun", rec.name) end
    if not rec.gone then world:wrong("%s has not ended: %s", rec.name, rec.act and rec.act.text or "no wait") end
    if rec.raising and rec.told + rec.heard == 0 then world:wrong("%s: its error was told to nobody", rec.name) end
    if rec.told > 1 then world:wrong("%s: its error was told %d times", rec.name, rec.told) end
  end
end

return oracle
