-- The ring: what the kernel receives and sends for streams, all requests of a turn in one call.
--
-- A stream that the ring knows has "ring" in its field events, see watches.lua. While a task reads from it, the ring
-- has a request to receive; while one writes, a request to send, and then the task has the turn to write. So nothing is
-- received before a task reads, and where no task waits the ring has no request.
local line = require "lsocket.loop.line"
local lsocket = require "lsocket"
local timers = require "lsocket.loop.timers"
local waits = require "lsocket.loop.waits"

local push = line.push
local resume_received, resume_senders = waits.resume_received, waits.resume_senders

local rings = {
  on = false,     -- does the loop use one?
  AT_ONCE = 4096, -- bytes that a request receives or sends at most
}
local listeners = {}

-- fn(on) is called where that changes: for files in which it is asked for often.
function rings.tell(fn)
  listeners[#listeners + 1] = fn
end

local function set_on(on)
  rings.on = on
  for _, fn in ipairs(listeners) do fn(on) end
end

local ring, receive, send, wait
local received, data, senders, sent = {}, {}, {}, {}

-- Something other than a stream can be waited for as well: the poller.
local POLLER = {}
local armed = false -- does the ring look whether the poller has something to tell?

local told = false  -- it has found something
local failure       -- why a request could not be ended, which the next wait returns: message, name

local hold, pass_on -- (stream, task): see queues.lua
local keep          -- (stream, what): see receiving.lua
local lapse         -- (watch): see watches.lua
local each_task     -- (fn): see tasks.lua

function rings.set(hooks)
  keep, each_task = hooks.keep or keep, hooks.each_task or each_task
  hold, pass_on, lapse = hooks.hold or hold, hooks.pass_on or pass_on, hooks.lapse or lapse
end

function rings.close()
  set_on(false)
  armed = false
  if ring then ring:close() end
  ring, failure = nil, nil
  received, data, senders, sent = {}, {}, {}, {}
end

-- The ring is another process's. What its tasks were sending it may have sent, or not.
function rings.lose()
  rings.close()
  each_task(function(task)
    local stream = task.wait
    if stream and stream.holder == task and stream.r ~= task then waits.dismiss(task) end
  end)
end

-- Asks for what a task reads that waits for a stream: is it asked for?
function rings.receive(watch, max)
  return receive(ring, watch.object, watch, max)
end

-- The turn to write is over, but where there is something left to send.
local function release(stream, task, what)
  stream.holder = false
  if stream.queue and type(what) ~= "number" then
    stream.holder = task
    pass_on(stream, task)
  end
end

-- Something has come, and no task waits for it: the poller has something to tell.
local function missed(stream, what)
  if stream == POLLER then
    told, armed = true, false
  else
    keep(stream, what)
  end
end

-- Has it sent what a task writes. Where it cannot, the task sends it itself, and has the turn until then.
local function begin(task, stream, a, b, c)
  if ring and send(ring, stream.object, stream, a, b, c) then return end
  push(task, 0)
  task.wait = false
  hold(stream, task)
  lapse(stream)
end

-- Ends a stream's request: what it has come to, which may stand in a list still for a task that has not run since | nil
local function finish(stream, events, list, results)
  for i = 1, #list do
    if list[i] == stream then
      list[i] = false
      return results[i]
    end
  end
  if not ring then return nil end
  local what, message, name = ring:cancel(stream.object, events)
  if what == nil and message then failure = failure or { message = message, name = name } end
  return what
end

-- A task does not wait any more until something is sent. What was sent stays in its field sent: true: all | how many
-- bytes | a failure
local function leave(task, stream)
  local what = finish(stream, "w", senders, sent)
  if what ~= nil then task.sent = what end
  release(stream, task)
  lapse(stream)
end
waits.set { send = begin, leave_send = leave }

-- What had been sent when the task that runs was kept from waiting: true: all | how many bytes. name: how it was kept
-- from it. Where all was sent before a cancel, that is for its next wait.
function rings.sent(name)
  local task = waits.current()
  local what = task.sent
  task.sent = nil
  if what == true and name == "ECANCELED" then waits.cancel(task) end
  return what == true or type(what) == "number" and what or 0
end

-- A stream is to be closed: what a task has written that waits for the ring is sent, as much as can be at once.
function rings.flush(stream)
  local task = stream.holder
  if not ring or task.wait ~= stream or stream.r == task then return end
  local what = finish(stream, "w", senders, sent)
  if what == true then
    push(task, true)
    task.wait = false
    if task.place then timers.remove(task) end
    release(stream, task, true)
    lapse(stream)
  else
    task.sent = what
    waits.dismiss(task)
  end
end

-- A task does not wait any more for something to be received: what a request has come to that has ended meanwhile, or
-- nil.
function rings.cancel(watch)
  local what = finish(watch, "r", received, data)
  if type(what) == "table" and what.name == "ECANCELED" then return nil end
  return what
end

-- The same, and keeps it for the next read.
function rings.abandon(watch)
  local what = rings.cancel(watch)
  if what ~= nil then keep(watch, what) end
end

-- Does the ring, which knows a stream, have what is waited for?
function rings.has(watch)
  if not ring or watch.w or watch.events ~= "ring" then return false end
  local is_receiving, is_sending = ring:busy(watch.object)
  return is_receiving or not watch.r and is_sending
end

function rings.remove(watch)
  if ring then ring:remove(watch.object) end
end

-- Begins what is asked for: so what a task does to a stream's socket comes after what another one has written.
function rings.submit()
  if ring then ring:submit() end
end

-- An error has cut the loop off, before all tasks ran for which something had come.
function rings.recover()
  if not ring then return end
  for _, stream in ipairs(received) do
    if stream and stream.r then waits.dismiss(stream.r) end -- which keeps what has come
  end
  for _, stream in ipairs(senders) do
    if stream and stream.holder then rings.flush(stream) end
  end
end

-- A run begins, which uses one where there is one.
function rings.open()
  ring = lsocket.ring()
  if not ring then return end
  receive, send, wait = ring.receive, ring.send, ring.wait
  waits.set_ring(ring, receive, send, getmetatable(ring).__here, missed, release, lapse)
  set_on(true)
end

-- Has it no request but the poller's, and nothing to tell?
function rings.idle()
  return #ring == (armed and 1 or 0) and not failure
end

-- Has the ring look whether the poller has something to tell: does it?
function rings.arm(poller)
  if not armed then armed = ring:poll(poller:getfd(), POLLER) end
  return armed
end

-- Waits, at most so many seconds: is there something in the poller? | nil, message, name
function rings.wait(timeout)
  if failure then
    local why = failure
    failure = nil
    return nil, why.message, why.name
  end
  local count, writers, other = wait(ring, timeout, received, data, senders, sent)
  if not count then return nil, writers, other end
  told = false
  if count > 0 then resume_received(received, data, count, other > 0) end
  if writers > 0 then resume_senders(senders, sent, writers) end
  return told
end

return rings
