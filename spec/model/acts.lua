-- What the operations of a program do. Each gets the task's rec and the arguments from program.lua; what calls the
-- library is an act, whose answer the oracle judges.
local between = require "spec.model.between"
local kin = require "spec.model.kin"
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local oracle = require "spec.model.oracle"
local problems = require "spec.model.problems"
local stalls = require "spec.model.stalls"
local wrong = require "spec.model.wrong"
local world = require "spec.model.world"

local pack, unpack = world.pack, world.unpack
local acts = {}

local MOST = 40 -- tasks of a program

local pipe = io.popen "echo $PPID"
local PID = pipe:read() -- of this process
pipe:close()
acts.MOST = MOST

-- Calls and judges: the packed answer.
local function call(rec, act, fn, ...)
  local r = rec.world:call(rec, act, fn, ...)
  oracle.judge(act, r)
  return r
end
acts.call = call

local function object_of(rec, name) return rec.world.objects[name] end

-- ---- waiting ----

function acts.sleep(rec, seconds)
  call(rec, { kind = "sleep", text = "sleep " .. seconds, seconds = seconds }, loop.sleep, seconds)
end

function acts.psleep(rec, seconds)
  local act = { kind = "sleep", text = "loop.pcall(sleep " .. seconds .. ")", seconds = seconds }
  call(rec, act, function()
    local r = pack(loop.pcall(loop.sleep, seconds))
    if not r[1] then error(r[2], 0) end
    return unpack(r, 2, r.n)
  end)
end

function acts.dsleep(rec, due, seconds)
  local act = { kind = "sleep", text = ("deadline(%g, sleep %g)"):format(due, seconds), seconds = seconds }
  act.inner = math.max(0, due)
  local both = math.max(0, math.min(due, seconds))
  call(rec, act, loop.deadline, due, loop.sleep, seconds)
  if act.ended and oracle.lateness(act, act.begun + both) > 0 then rec.world:wrong("%s comes too late", act.text) end
end

function acts.wait(rec, name, events, seconds)
  local object = object_of(rec, name)
  if not object or object.kind == "number" and object.line.closed then return end
  local foreign = object.kind == "number" or object.kind == "foreign"
  if foreign and rec == rec.world.main then seconds = seconds or 0.005 end -- nobody can end it
  local act = { kind = "wait", object = object, events = events, seconds = seconds or nil }
  act.text = ("wait(%s, %s, %s)"):format(name, events, tostring(seconds))
  call(rec, act, loop.wait, object.value, events, seconds or nil)
end

-- User code that yields gives the others their turn.
function acts.yield(rec, what)
  local act = { kind = "yield", text = "coroutine.yield" }
  local w = rec.world
  w:begin(rec, act)
  if what == "values" then
    coroutine.yield(1, nil, 3)
  elseif what == "token" then
    coroutine.yield {}
  else
    coroutine.yield()
  end
  w:finish(act)
end

-- ---- streams ----

-- Notes what has come out of a stream. With l a line's end is missing, perhaps because there was none.
local function note(incoming, r, format)
  local data = r[1] and r[2]
  if type(data) ~= "string" then return end
  local line = format == "l" or format == "\n"
  if line then
    data = data .. "\n"
  elseif format == "none" or format == "7\n" then
    if not r[3] then data = data .. format end
  end
  if data == "" then return end -- as read(0) gives at the end, too
  incoming.unended = line
  incoming.got[#incoming.got + 1] = data
end

local function read(rec, name, method, ...)
  local object = object_of(rec, name)
  local act = { kind = "read", object = object, events = "r", names = "EMSGSIZE", single = method == "readsome" }
  act.text = ("%s:%s(%s)"):format(name, method, world.text((...)):gsub("\n", "\\n"))
  local r = call(rec, act, object.value[method], object.value, ...)
  note(object.line.incoming, r, (...))
end

function acts.read(rec, name, format) read(rec, name, "read", format) end
function acts.readsome(rec, name, max) read(rec, name, "readsome", max or nil) end
function acts.readuntil(rec, name, delimiter) read(rec, name, "readuntil", delimiter) end
function acts.readexactly(rec, name, count) read(rec, name, "readexactly", count) end

-- What it shows is in the buffer.
function acts.peek(rec, name, count)
  local object = object_of(rec, name)
  local act = { kind = "read", object = object, events = "r", text = ("%s:peek(%s)"):format(name, tostring(count)) }
  local r = call(rec, act, object.value.peek, object.value, count or nil)
  local size = r[1] and r[2] and #r[2]
  if not size then return end
  if size > object.value:buffered() then rec.world:wrong("%s shows what is not there", act.text) end
  if count and size > count then rec.world:wrong("%s shows too much", act.text) end
end

-- From then on reads and writes may have lasted too long.
function acts.settimeout(rec, name, seconds)
  local object = object_of(rec, name)
  if seconds then object.timeout = math.min(seconds, object.timeout or seconds) end
  object.seconds, object.since = seconds, loop.now()
  rec.world:say("%s: %s:settimeout(%s)", rec.name, name, tostring(seconds))
  object.value:settimeout(seconds)
end

local function pieces(data, how)
  local middle = math.floor(#data / 2)
  if how == "pieces" then return data:sub(1, middle), data:sub(middle + 1) end
  if how == "array" then return { data:sub(1, middle), data:sub(middle + 1) } end
  return data
end

-- A write that was left by an error may have sent anything: then entry.count stays nil.
function acts.write(rec, name, size, how)
  local object = object_of(rec, name)
  local entry = world.new_write(object.line, size)
  local act = { kind = "write", object = object, events = "w" }
  act.text = ("%s:write(%d bytes, %s)"):format(name, size, how)
  local r = call(rec, act, object.value.write, object.value, pieces(entry.data, how))
  if not r[1] then return end
  local count = r[2] == true and size or r[5]
  if type(count) == "number" and count >= 0 and count <= size then
    entry.count = count
  else
    rec.world:wrong("%s gives %s as its count", act.text, world.text(count))
  end
end

function acts.sendfile(rec, name, size)
  local object = object_of(rec, name)
  local entry, offset = world.new_write(object.line, size)
  local act = { kind = "sendfile", object = object, events = "w", size = size }
  act.text = ("%s:sendfile(%d bytes)"):format(name, size)
  local r = call(rec, act, object.value.sendfile, object.value, world.file, offset, size)
  if r[1] then entry.count = r[2] or r[5] end
end

local changes = {}
function changes.hole(list) list[2] = nil end
function changes.shorter(list) list[2], list[1] = nil, "short" end
function changes.table(list) list[2] = {} end
function changes.longer(list) list[2], list[3] = ("y"):rep(100000), "z" end

-- Changes an array while it is being written.
function acts.mutate(rec, name, how)
  local object, w = object_of(rec, name), rec.world
  object.line.peer.incoming.unchecked = true
  local list = { ("x"):rep(250000), ("y"):rep(250000) }
  local helper = w:new_rec("who changes an array of " .. rec.name)
  helper.task = loop.spawn(function()
    w:revive(helper)
    loop.sleep(0)
    changes[how](list)
    helper.done = true
    w:retire(helper)
    return helper, "done"
  end)
  local act = { kind = "mutate", object = object, events = "w", names = "EINVAL" }
  act.text = ("%s:write(an array that changes: %s)"):format(name, how)
  call(rec, act, object.value.write, object.value, list)
end

function acts.shutdown(rec, name, how)
  local object = object_of(rec, name)
  if object.line.closed then return end
  local ok, problem = loop.pcall(object.value.shutdown, object.value, how)
  -- With TLS it may have to wait for room, as another task does; then it has begun.
  if not ok and not tostring(problem):find("another task is writing", 1, true) then error(problem, 0) end
  object.line.shut = true
  rec.world.progress = rec.world.progress + 1
end

local function close(rec, object)
  rec.world:say("%s: %s:close()", rec.name, object.name)
  local ok, result = pcall(object.value.close, object.value)
  if not ok or result ~= true then rec.world:wrong("%s:close() gives %s", object.name, world.text(result)) end
  rec.world:closed(object.line)
end

function acts.close(rec, name) close(rec, object_of(rec, name)) end

-- The other end hears of the end before this one is closed.
function acts.close_with_grace(rec, name, grace)
  local object = object_of(rec, name)
  local act = { kind = "close_with_grace", object = object, events = "r", seconds = grace }
  act.names = "ENOTCONN ECONNRESET"
  act.text = ("%s:close(%s)"):format(name, grace)
  object.line.shut, object.line.closing = true, true
  local r = call(rec, act, object.value.close, object.value, grace)
  if r[1] then rec.world:closed(object.line) end
end

-- A read right after the close that ends another one.
function acts.close_and_read(rec, name)
  close(rec, object_of(rec, name))
  read(rec, name, "read", "L")
end

-- Those that wait when a stream is closed go on before the one that has closed it has its next turn. One that has just
-- been given its turn to write does not wait then; nor need one be woken who waits for the number of what was closed.
function acts.close_and_look(rec, name)
  local w, line = rec.world, object_of(rec, name).line
  local turned = line.turned
  acts.sleep(rec, 0)
  local last = line.turned == turned and not line.closed and w.progress or 0
  acts.close(rec, name)
  acts.sleep(rec, 0)
  for act in pairs(w.acts) do
    if act.object and act.object.line == line and act.released and not act.unseen and act.order <= last then
      w:wrong("%s: %s still waits for what was closed", act.rec.name, act.text)
    end
  end
end

-- Closes a socket that somebody may wait for, which the loop finds out by itself.
function acts.close_socket(rec, name)
  local object = object_of(rec, name)
  object.line.sock:close()
  rec.world:closed(object.line, true)
end

function acts.close_sockets(rec, ...)
  for i = 1, select("#", ...) do acts.close_socket(rec, (select(i, ...))) end
end

local usual = { read = "l", readuntil = "\n" }

-- A read right after that, while a reader who waits does not know it yet.
function acts.close_socket_and_read(rec, name, method)
  acts.close_socket(rec, name)
  read(rec, name, method, usual[method])
end

-- Closes a number of which a copy lives.
function acts.close_number(rec, name)
  local object = object_of(rec, name)
  if object.line.closed then return end
  rec.world:say("%s: closes number %d", rec.name, object.value)
  assert(lsocket.fromfd(object.value)):close()
  object.line.closed = true
  rec.world.progress = rec.world.progress + 1
end

-- ---- wrapped sockets ----

-- Sends a record that no other is like.
function acts.transmit(rec, name, size)
  local object, w = object_of(rec, name), rec.world
  w.sent = (w.sent or 0) + 1
  local record = w.sent .. " " .. ("x"):rep(size)
  local act = { kind = "transmit", object = object, events = "w", in_turn = true }
  act.text = ("%s:send(record %d, %d bytes)"):format(name, w.sent, size)
  local r = call(rec, act, object.value.send, object.value, record)
  if r[1] and r[2] then table.insert(object.line.peer.records, record) end
end

-- Records come in the order in which they were sent, each to one task.
function acts.receive(rec, name)
  local object = object_of(rec, name)
  local line = object.line
  local act = { kind = "receive", object = object, events = "r", in_turn = true, text = name .. ":recv()" }
  local r = call(rec, act, object.value.recv, object.value)
  if not r[1] or not r[2] then return end
  line.taken = line.taken + 1
  local wanted = line.records[line.taken]
  if r[2] ~= wanted then rec.world:wrong("%s gives another record than no. %d", act.text, line.taken) end
end

function acts.close_wrap(rec, name) close(rec, object_of(rec, name)) end

-- ---- signals ----

-- Signals that come fast may be told as one, but no more are told than were sent.
function acts.listen(rec, name)
  local object = object_of(rec, name)
  local act = { kind = "listen", object = object, events = "r", in_turn = true, text = name .. ":wait()" }
  local r = call(rec, act, object.value.wait, object.value)
  if r[1] and r[2] then object.heard = object.heard + 1 end
end

function acts.raise(rec, name)
  local object = object_of(rec, name)
  if object.line.closed then return end -- it would end the process
  rec.world:say("%s: kill -USR1", rec.name)
  rec.world.progress = rec.world.progress + 1
  object.sent = object.sent + 1
  stalls.execute("kill -USR1 " .. PID)
end

function acts.close_signals(rec, name) close(rec, object_of(rec, name)) end

-- ---- connections ----

local UNLUCKY = "ECONNRESET ECONNREFUSED EPIPE ECONNABORTED"

function acts.connect(rec, name)
  local object = object_of(rec, name)
  local act = { kind = "connect", object = object, text = "connect to " .. name, names = "ECONNREFUSED ECONNRESET" }
  local r = call(rec, act, loop.connect, "127.0.0.1", object.port)
  if r[1] and r[2] then r[2]:close() end
end

-- Any number of tasks may accept from one server.
function acts.accept(rec, name)
  local object = object_of(rec, name)
  local act = { kind = "accept", object = object, text = "accept from " .. name, names = "ECONNABORTED" }
  local r = call(rec, act, object.value.accept, object.value)
  if r[1] and r[2] then r[2]:close() end
end

local function ask(port)
  local client, message, name = loop.connect("127.0.0.1", port)
  if not client then return nil, message, name end
  local answer
  answer, message, name = client:write "question\n"
  if answer then answer, message, name = client:read() end
  client:close()
  if answer == true or answer == nil and not message then return "closed" end
  return answer, message, name
end

function acts.ask(rec, name)
  local object = object_of(rec, name)
  local act = { kind = "ask", object = object, text = "ask " .. name, names = UNLUCKY }
  call(rec, act, ask, object.port)
end

function acts.resolve(rec, host)
  local act = { kind = "resolve", text = "resolve " .. host }
  act.names = host:find "nowhere" and "EAI_NONAME EAI_AGAIN ENOENT"
  call(rec, act, loop.resolve, host)
end

function acts.close_server(rec, name, grace)
  local object, w = object_of(rec, name), rec.world
  local act = { kind = "close_server", object = object, seconds = grace or nil }
  act.text = ("%s:close(%s)"):format(name, world.text(grace))
  w:closed(object.line)
  call(rec, act, object.value.close, object.value, grace or nil)
end

-- The arguments that go with a host.
local arguments = { resolve = {}, connect = { 9 }, listen = { 0 }, serve = { 0, print } }

-- A function of the library below fails once, as it does where memory or threads end: a failure, and no error.
function acts.refused(rec, what, below)
  local act = { kind = "hog", text = ("%s, and %s fails"):format(what, below), names = "ENOMEM ECONNREFUSED" }
  local whole = lsocket[below]
  lsocket[below] = function()
    lsocket[below] = whole
    return nil, "Cannot allocate memory", "ENOMEM"
  end
  local r = call(rec, act, loop[what], "127.0.0.1", unpack(arguments[what]))
  lsocket[below] = whole
  if r[1] and r[2] and r[2].close then r[2]:close() end
end

-- Without a descriptor left: a failure, and no error.
function acts.hog(rec, host, what)
  local w, hogs = rec.world, {}
  w.hogged = true
  local one, two = lsocket.pair()
  while one do
    hogs[#hogs + 1], hogs[#hogs + 2] = one, two
    one, two = lsocket.pair()
  end
  hogs[#hogs + 1] = lsocket.bind("udp", "127.0.0.1", 0)
  local act = { kind = "hog", text = what .. " " .. host .. " without descriptors" }
  act.names = "EMFILE ECONNREFUSED EAI_NONAME EAI_AGAIN EAI_SYSTEM EAI_FAIL"
  local r = call(rec, act, loop[what], host, unpack(arguments[what]))
  for _, sock in ipairs(hogs) do sock:close() end
  if r[1] and r[2] and r[2].close then r[2]:close() end
end

-- ---- tasks ----

function acts.spawn(rec, number)
  local w = rec.world
  if #w.recs < MOST then w.start(w, number) end
end

function acts.join(rec, number)
  local target = rec.world.latest[number]
  if not target then return end
  local act = { kind = "join", target = target, text = "join " .. target.name }
  call(rec, act, target.task.join, target.task)
end

function acts.cancel(rec, number)
  local target = rec.world.latest[number]
  if not target then return end
  rec.world:say("%s: cancel %s", rec.name, target.name)
  rec.world:cancel(target)
end

-- A read right after a cancel that ends another one.
function acts.cancel_and_read(rec, number, name)
  acts.cancel(rec, number)
  read(rec, name, "read", "L")
end

-- Fails. Where nobody catches it the task has ended.
function acts.fail(rec, kind)
  local problem = problems.new(kind)
  rec.world:say("%s: fails with a problem: %s", rec.name, kind)
  rec.problem = problem
  if (rec.catchers or 0) == 0 then
    rec.raising = true
    kin.fails(rec)
    rec.world.failed_last = rec
    if rec == rec.world.main then rec.world:main_fails() end
    rec.world:retire(rec)
  end
  error(problem, 0)
end

-- Fails in the turn in which those that join it are told something else.
function acts.cancel_and_fail(rec, kind)
  local w = rec.world
  local joiners = {}
  for act in pairs(w.acts) do
    if act.kind == "join" and act.target == rec and act.rec.task then joiners[#joiners + 1] = act.rec end
  end
  for _, joiner in ipairs(joiners) do w:cancel(joiner) end
  acts.fail(rec, kind)
end

-- ---- between tasks ----

for name, act in pairs(between.acts) do
  acts[name] = function(rec, ...) return act(rec, call, ...) end
end

function acts.select(rec, name, event, seconds)
  local object = object_of(rec, name)
  if rec == rec.world.main then seconds = seconds or 0.005 end -- nobody can end it
  local act = { kind = "select", object = object, events = event, seconds = seconds or nil, names = "EINVAL EBADF" }
  act.text = ("select(%s, %s, %s)"):format(name, event, tostring(seconds))
  local list = { object.value }
  call(rec, act, loop.select, event == "r" and list or nil, event == "w" and list or nil, seconds or nil)
end

-- The group that a task may spawn into.
local function group_of(rec) return rec.groups[#rec.groups] or rec.member end

function acts.join_group(rec, number)
  local group, w = group_of(rec), rec.world
  if not group or group.silent or group.left or #w.recs >= MOST then return acts.spawn(rec, number) end
  w.start(w, number, group)
end

function acts.cancel_group(rec)
  local group = group_of(rec)
  if not group or group.silent or group.left then return end
  rec.world:say("%s: cancels its group", rec.name)
  kin.over(group)
  group.value:cancel()
  rec.world.progress = rec.world.progress + 1
end

-- ---- the rest ----

function acts.wrong(rec, number, name)
  local object = object_of(rec, name)
  local mistake = wrong[number % #wrong + 1]
  local act = { kind = "wrong", object = object, text = ("mistake %s on %s"):format(mistake[1], name) }
  call(rec, act, mistake[2], object.value)
end

function acts.busy(_, milliseconds)
  local stop = loop.now() + milliseconds / 1000
  while loop.now() < stop do end -- luacheck: ignore 542
end

function acts.collect() collectgarbage() end

-- Streams that nobody closes.
function acts.drop()
  local one, two = lsocket.pair()
  if one then stream.new(one):write("x", stream.new(two):getfd()) end
end

return acts
