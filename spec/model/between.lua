-- Queues, semaphores and events in the books: what is done with them, and what is right. Values are tables of our own:
-- n, the how manieth it is; act, its put; put, got: it was. What a task waits for is a field of its act: queue,
-- semaphore or event.
local fair = require "lsocket.loop.fair"
local loop = require "lsocket.loop"
local world = require "spec.model.world"

local between = {}

-- ---- when a call has really begun: others may have had their turn before ----

local take = fair.take
function fair.take()
  local act = world.calling
  local ok, message, name = take()
  if act and not act.arrived then
    world.arrivals = (world.arrivals or 0) + 1
    act.arrived = world.arrivals
    if act.event then act.set = act.event.happened end
  end
  return ok, message, name
end

-- ---- objects ----

function between.furnish(w)
  w.queues, w.semaphores, w.events = {}, {}, {}
  for name, max in pairs(w.program.queues) do
    w.queues[name] = { name = name, value = loop.queue(max or nil), max = max or math.huge, puts = {}, gets = {} }
  end
  for name, count in pairs(w.program.semaphores) do
    w.semaphores[name] = { name = name, value = loop.semaphore(count), total = count, held = 0 }
  end
  for name in pairs(w.program.events) do
    w.events[name] = { name = name, value = loop.event(), happened = false }
  end
end

local function each_act(w, field, object, fn)
  for act in pairs(w.acts) do
    if act[field] == object then fn(act) end
  end
end

local function did(w, ...)
  w.progress = w.progress + 1
  w:say(...)
end

-- ---- what is done; call(rec, act, fn, ...) calls and judges ----

local acts = {}
between.acts = acts

function acts.put(rec, call, name)
  local queue = rec.world.queues[name]
  local entry = { n = #queue.puts + 1 }
  queue.puts[entry.n] = entry
  local act = { kind = "put", queue = queue, dead = queue.closed, text = ("%s:put(%d)"):format(name, entry.n) }
  entry.act = act
  local r = call(rec, act, queue.value.put, queue.value, entry)
  entry.put = r[1] and r[2] == true
end

local function note(w, queue, act, entry)
  if type(entry) ~= "table" or queue.puts[entry.n] ~= entry then return w:wrong("%s: what was not put", act.text) end
  if entry.got then w:wrong("%s: value %d for the second time", act.text, entry.n) end
  entry.got = act
  queue.gets[#queue.gets + 1] = entry
end

function acts.get(rec, call, name)
  local queue = rec.world.queues[name]
  local act = { kind = "get", queue = queue, text = name .. ":get()" }
  local r = call(rec, act, queue.value.get, queue.value)
  if r[1] and r[2] ~= nil then note(rec.world, queue, act, r[2]) end
end

-- Cancels a task that waits in a call, and has been given what it waits for.
local function cancel_waiter(w, field, object, kind)
  local chosen
  each_act(w, field, object, function(act)
    local waits = act.kind == kind and act.arrived and act.rec.task
    if waits and not (chosen and chosen.arrived < act.arrived) then chosen = act end
  end)
  return function()
    if chosen and w.acts[chosen] then w:cancel(chosen.rec) end
  end
end

function acts.put_and_cancel(rec, call, name)
  local queue = rec.world.queues[name]
  local cancel = cancel_waiter(rec.world, "queue", queue, "get")
  acts.put(rec, call, name)
  cancel()
end

local function close(w, queue)
  did(w, "%s:close()", queue.name)
  queue.value:close()
  queue.closed = true
  each_act(w, "queue", queue, function(act) act.released = true end)
end

function acts.close_queue(rec, _, name) close(rec.world, rec.world.queues[name]) end

local function overtake(act)
  each_act(act.rec.world, "semaphore", act.semaphore, function(other)
    if other.arrived and act.arrived and other.arrived < act.arrived then other.overtaken = true end
  end)
end

function acts.acquire(rec, call, name)
  local semaphore = rec.world.semaphores[name]
  local act = { kind = "acquire", semaphore = semaphore, text = name .. ":acquire()" }
  local r = call(rec, act, semaphore.value.acquire, semaphore.value)
  if not (r[1] and r[2]) then return end
  semaphore.held = semaphore.held + 1
  if semaphore.held > semaphore.total then rec.world:wrong("%s: more permits than there are", act.text) end
  overtake(act)
end

local function release(w, semaphore)
  did(w, "%s:release()", semaphore.name)
  if semaphore.held > 0 then
    semaphore.held = semaphore.held - 1
  else
    semaphore.total = semaphore.total + 1
  end
  semaphore.value:release()
end

function acts.release(rec, _, name) release(rec.world, rec.world.semaphores[name]) end

function acts.release_and_cancel(rec, _, name)
  local semaphore = rec.world.semaphores[name]
  local cancel = cancel_waiter(rec.world, "semaphore", semaphore, "acquire")
  release(rec.world, semaphore)
  cancel()
end

function acts.await(rec, call, name)
  local event = rec.world.events[name]
  call(rec, { kind = "await", event = event, text = name .. ":wait()" }, event.value.wait, event.value)
end

local function set(w, event)
  did(w, "%s:set()", event.name)
  event.happened = true
  event.value:set()
  each_act(w, "event", event, function(act) act.set = act.arrived and true end)
end

function acts.set(rec, _, name) set(rec.world, rec.world.events[name]) end

function acts.clear(rec, _, name)
  local event = rec.world.events[name]
  did(rec.world, "%s:clear()", name)
  event.happened = false
  event.value:clear()
  if event.value:isset() then rec.world:wrong("%s is set", name) end
end

-- Nobody has to wait for them any more.
function between.close(w)
  for _, queue in pairs(w.queues) do close(w, queue) end
  for _, event in pairs(w.events) do set(w, event) end
  for _, semaphore in pairs(w.semaphores) do
    each_act(w, "semaphore", semaphore, function() release(w, semaphore) end)
  end
end

-- ---- what is right ----

local answers = {}
between.answers = answers

local function is_true(_, r)
  if r[2] ~= true then return "gives " .. world.text(r[2]) end
end
answers.acquire = is_true

function answers.put(act, r)
  if act.dead then return "puts into a closed queue" end
  local queue = act.queue
  if queue.value:count() > queue.max then return "puts more than there is room for" end
  return is_true(act, r)
end

function answers.get(_, r)
  if type(r[2]) ~= "table" then return "gives " .. world.text(r[2]) end
end

function answers.await(act, r)
  if not act.set then return "gives true, and it has not happened" end
  return is_true(act, r)
end

-- nil alone of a get: why not?
function between.judge_end(act)
  if not act.queue.closed then return "gives nil alone, and the queue is not closed" end
  if act.queue.value:count() > 0 then return "gives nil alone, and the queue is not empty" end
end

local function has_other(act, kind)
  local found = false
  each_act(act.rec.world, "queue", act.queue, function(other) found = found or other.kind == kind end)
  return found
end

local reasons = {}

function reasons.get(act)
  if act.queue.value:count() > 0 then return "there is a value" end
  if has_other(act, "put") then return "somebody waits to put" end
end

function reasons.put(act)
  if act.queue.value:count() < act.queue.max then return "there is room" end
end

function reasons.acquire(act)
  if act.semaphore.held < act.semaphore.total then return "there is a permit" end
  if act.overtaken then return "it was overtaken" end
end

function reasons.await(act)
  if act.set then return "it has happened" end
end

-- Why an act should be over by now, or nil.
function between.overdue(act)
  local reason = reasons[act.kind]
  return reason and reason(act)
end

-- ---- at the end ----

-- Those that came first have got what was put first.
local function judge_order(w, queue)
  table.sort(queue.gets, function(a, b) return a.got.arrived < b.got.arrived end)
  for i = 2, #queue.gets do
    local one, two = queue.gets[i - 1], queue.gets[i]
    if one.n > two.n then w:wrong("%s: value %d was got before value %d", queue.name, one.n, two.n) end
  end
end

local function judge_entry(w, queue, entry)
  local came = entry.got or entry.left
  if came and not entry.put and entry.act.ended then
    w:wrong("%s: value %d has come, though its put has failed", queue.name, entry.n)
  end
  if entry.got and entry.left then w:wrong("%s: value %d was got, and is there", queue.name, entry.n) end
  if entry.put and not came then w:wrong("%s: value %d is lost", queue.name, entry.n) end
end

local function judge_queue(w, queue)
  judge_order(w, queue)
  local before = 0
  for _ = 1, queue.value:count() do
    local entry = queue.value:get()
    if entry.n < before then w:wrong("%s: value %d is behind value %d", queue.name, entry.n, before) end
    entry.left, before = true, entry.n
  end
  for _, entry in ipairs(queue.puts) do judge_entry(w, queue, entry) end
  if queue.value:count() > 0 then w:wrong("%s: it is not empty", queue.name) end
end

local function judge_semaphore(w, semaphore)
  local value, free = semaphore.value, 0
  local function try() return loop.deadline(0, value.acquire, value) end
  while try() or try() do free = free + 1 end -- of many in a row one can be a turn for others
  if free ~= semaphore.total - semaphore.held then
    w:wrong("%s: %d permits of %d are free, %d are held", semaphore.name, free, semaphore.total, semaphore.held)
  end
end

-- In a run of its own, after the program's.
function between.judge(w)
  for _, queue in pairs(w.queues) do judge_queue(w, queue) end
  for _, semaphore in pairs(w.semaphores) do judge_semaphore(w, semaphore) end
end

return between
