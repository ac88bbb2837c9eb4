-- What there is while a program runs: its objects, its tasks, and what each of them waits for at the moment. It only
-- keeps the books; what is right is in oracle.lua.
--
-- A line is one descriptor, whatever objects stand for it: closed; shut: it says nothing more; peer; incoming: what
-- goes into it and has come out; turned: when an act of it has ended. An act is a call of the library that is under
-- way: rec, kind, object, events, begun, limit (when it must be over, or nil), released (it was cancelled or closed,
-- and must be over in the next turn).
local lsocket = require "lsocket"
local kin = require "spec.model.kin"
local loop = require "lsocket.loop"
local secure = require "spec.model.secure"
local stalls = require "spec.model.stalls"
local stream = require "lsocket.stream"

local world = {}
local World = {}
local metatable = { __index = World }

world.pack = table.pack or function(...) return { n = select("#", ...), ... } end -- luacheck: ignore 143
world.unpack = table.unpack or unpack -- luacheck: ignore 143
local pack = world.pack

-- ---- what is sent ----

local lines = {}
for i = 1, 160000 do lines[i] = ("%06d\n"):format(i) end
local text = table.concat(lines)

world.file = assert(io.tmpfile()) -- for what is sent of a file
world.file:write(text)
world.file:flush()

-- What the n-th write of a line sends, and where in the text that begins: no two begin alike.
local function chunk(n, size)
  local from = n * 4999 % 500000
  return text:sub(from + 1, from + size), from
end

-- ---- objects ----

local function new_line(name, sock)
  return { name = name, sock = sock, closed = false, shut = false, incoming = { writes = {}, got = {} } }
end

local function connect_lines(one, two)
  one.peer, two.peer = two, one
end

function World:add(name, kind, value, line)
  local object = { name = name, kind = kind, value = value, line = line }
  self.objects[name] = object
  return object
end

local function add_streams(self, i)
  local one, two = assert(lsocket.pair())
  if secure.is_for(self.program.seed) then secure.connect(one, two) end
  local a, b = new_line("a" .. i, one), new_line("b" .. i, two)
  connect_lines(a, b)
  self:add(a.name, "stream", stream.new(one), a)
  self:add(b.name, "stream", stream.new(two), b)
  self:add("socket a" .. i, "socket", one, a)
  self:add("number a" .. i, "number", one:getfd(), a)
  self.lines[#self.lines + 1], self.lines[#self.lines + 2] = a, b
end

-- An object of another library, which has no descriptor any more once it is closed.
local function foreign(line)
  return { getfd = function() return not line.closed and line.sock:getfd() or nil end }
end

local function add_sockets(self, i)
  local one, two = assert(lsocket.pair())
  local s, t = new_line("s" .. i, one), new_line("t" .. i, two)
  connect_lines(s, t)
  self:add("s" .. i, "socket", one, s)
  self:add("t" .. i, "socket", two, t)
  self:add("number s" .. i, "number", one:getfd(), s)
  self:add("foreign s" .. i, "foreign", foreign(s), s)
end

-- Wrapped sockets: records that have been sent into a line, and how many of them have come out.
local function add_wraps(self, i)
  local one, two = assert(lsocket.pair "seqpacket")
  local u, v = new_line("u" .. i, one), new_line("v" .. i, two)
  connect_lines(u, v)
  for _, line in ipairs { u, v } do
    line.records, line.taken = {}, 0
    self:add(line.name, "wrap", assert(loop.wrap(line.sock)), line)
  end
end

-- Objects that nobody can wait for.
local function add_odd(self)
  self:add("raising", "odd", { getfd = function() error("getfd raises", 0) end }, new_line "raising")
  self:add("nameless", "odd", { getfd = function() return nil end }, new_line "nameless")
  self:add("false watch", "odd", { object = 0, events = false, r = false, w = false }, new_line "false watch")
end

-- A number whose descriptor has a copy, so that the kernel still tells of it when it is closed.
local function add_copy(self)
  local one, two = assert(lsocket.pair())
  local copy = assert(one:dup())
  local line = new_line("copy", one)
  connect_lines(line, new_line("far end of copy", two))
  self.kept = { copy, two }
  self:add("copy", "number", one:detach(), line)
  line.sock = copy
end

local function add_listener(self, name)
  local server = assert(loop.listen("127.0.0.1", 0))
  local object = self:add(name, "listener", server, new_line(name))
  object.port = server:info("socket").port
end

local function add_server(self, name, handler)
  local object
  local server = assert(loop.serve("127.0.0.1", 0, function(...) return handler(object, ...) end,
    { limit = self.program.limit }))
  object = self:add(name, "server", server, new_line(name))
  object.port, object.active, object.limit = server:info("socket").port, 0, self.program.limit
end

-- The world of a program. A server calls handler(object, stream) for a client. In a run this must be a task's.
local function add_signals(self)
  local value = assert(loop.signals "USR1")
  local object = self:add("signals", "signals", value, new_line("signals", value))
  object.sent, object.heard = 0, 0
end

function World:furnish(handler)
  local program = self.program
  for i = 1, program.pairs do add_streams(self, i) end
  for i = 1, program.sockets do add_sockets(self, i) end
  for i = 1, #program.wraps / 2 do add_wraps(self, i) end
  add_odd(self)
  if program.copies[1] then add_copy(self) end
  if program.signals[1] then add_signals(self) end
  for _, name in ipairs(program.listeners) do add_listener(self, name) end
  for _, name in ipairs(program.servers) do add_server(self, name, handler) end
end

function world.new(program)
  local self = { program = program, objects = {}, lines = {}, recs = {}, latest = {}, acts = {}, faults = {},
    progress = 0, live = 0, begun = loop.now() - stalls.seconds(), kept = {} }
  return setmetatable(self, metatable)
end

-- Notes something that must not be.
function World:wrong(format, ...)
  local message = format:format(...)
  if message:find("interrupted!", 1, true) then message = "it hangs: " .. message end -- tools/model has ended it
  if not self.faults[message] then
    self.faults[message] = true
    self.faults[#self.faults + 1] = message
  end
  if self.verbose then print("WRONG: " .. message) end
end

function World:say(format, ...)
  if self.verbose then print(("%8.2f ms  "):format((loop.now() - self.begun) * 1000) .. format:format(...)) end
end

-- ---- tasks ----

-- frames: its deadlines, the outermost first; groups: those whose functions it runs, likewise; member: the one that it
-- is a task of. cancels: those whose answer it has not had. heard: how many joiners, groups or callers of run have had
-- its error; told: how often onerror had it.
function World:new_rec(name)
  local rec = { world = self, name = name, frames = {}, groups = {}, cancels = 0, told = 0, heard = 0 }
  self.recs[#self.recs + 1] = rec
  self.live = self.live + 1
  return rec
end

-- The task has come to its end, or can be taken for it.
function World:retire(rec)
  if rec.gone then return end
  rec.gone = true
  self.live = self.live - 1
  if rec.on_gone then rec.on_gone.active = rec.on_gone.active - 1 end
  self.progress = self.progress + 1
end

local function release(act)
  if act then act.released = true end
end

-- A cancel of a task, which reaches those of its groups.
local function note_cancel(rec)
  rec.cancels = rec.cancels + 1
  kin.each(rec, note_cancel)
  if rec.begun then return release(rec.act) end
  if not rec.skipped then
    rec.skipped = true
    rec.world:retire(rec)
  end
end

-- Cancels a task as a program does, and keeps the books.
function World:cancel(rec)
  local over = rec.done or rec.raising
  local ok = rec.task:cancel()
  self.progress = self.progress + 1
  if ok ~= true and ok ~= false then self:wrong("cancel gives %s", world.text(ok)) end
  if ok and over then self:wrong("%s has ended, and can be cancelled", rec.name) end
  if not ok and not over and not kin.may_be_skipped(rec) then
    self:wrong("%s has not ended, and cannot be cancelled", rec.name)
  end
  if ok then note_cancel(rec) end
end

-- A task begins. One that was only to be cancelled when the first task failed may have begun before.
function World:revive(rec)
  rec.begun = true
  if not rec.doomed then return end
  rec.gone, rec.skipped, rec.doomed = false, false, false
  self.live = self.live + 1
end

-- The first task of a run fails: the others are cancelled at the end of the turn.
function World:main_fails()
  self.failing, self.closing = true, true
  for _, rec in ipairs(self.recs) do
    if rec.task and not rec.begun and not rec.skipped then
      rec.skipped, rec.doomed = true, true
      self:retire(rec)
    end
  end
end

local numbered = { number = true, foreign = true }

-- A line is closed: its numbers are nobody's any more, and whoever waits for it must hear of it. unseen: it was not
-- closed by its stream, so the loop finds out in its next turn only, and never of a number.
function World:closed(line, unseen)
  unseen = unseen or line.unseen -- a further close tells nobody of it
  line.closed, line.unseen = true, unseen
  self.progress = self.progress + 1
  for act in pairs(self.acts) do
    if act.object and act.object.line == line and not (unseen and numbered[act.object.kind]) then
      act.released = act.kind ~= "ask" and act.kind ~= "connect"
      act.unseen = act.unseen or unseen
    end
  end
end

-- ---- acts ----

local owning = { stream = true, socket = true, wrap = true } -- kinds that know it when they are closed

local function limit_of(rec, due)
  for _, frame in ipairs(rec.frames) do
    if frame.due and (not due or frame.due < due) then due = frame.due end
  end
  return due
end

local function overlap(one, two)
  return (one == "rw" or two == "rw" or one == two)
end

-- The acts that wait for the same line and are not over. Where it was closed before, they do not matter; nor where both
-- are in turn.
function World:rivals(act)
  local list = {}
  if act.dead or not act.events then return list end
  for other in pairs(self.acts) do
    local over = other == act or other.released and not other.unseen or other.in_turn and act.in_turn
    if not over and other.object and act.object and other.object.line == act.object.line
      and overlap(other.events, act.events) then list[#list + 1] = other end
  end
  return list
end

function World:begin(rec, act)
  act.rec, act.begun, act.stalls = rec, loop.now(), stalls.seconds()
  act.due = act.seconds and act.begun + math.max(0, act.seconds)
  act.limit = limit_of(rec, act.due)
  act.bare = rec.bare
  act.late = rec.frames[#rec.frames] and rec.frames[#rec.frames].passed
  act.doomed = kin.is_doomed(rec)
  act.dead = act.dead or act.object and act.object.line.closed and owning[act.object.kind]
  for _, rival in ipairs(self:rivals(act)) do
    act.rival, rival.rival = rival, act -- which may be over before the other one is told
  end
  rec.act, world.calling = act, act
  self.acts[act] = true
  self.progress = self.progress + 1
  act.order = self.progress
  self:say("%s: %s", rec.name, act.text)
end

function World:finish(act)
  act.ended = loop.now()
  act.rival = act.rival or self:rivals(act)[1]
  act.rec.act = nil
  self.acts[act] = nil
  self.progress = self.progress + 1
  if act.object then act.object.line.turned = self.progress end
end

-- The text of any value: some raise when they are asked for it.
function world.text(value)
  local kind = type(value)
  if kind == "table" or kind == "userdata" or kind == "function" or kind == "thread" then return kind end
  return tostring(value)
end

local function show(r)
  local list = {}
  for i = 1, r.n do
    local value = r[i]
    list[i] = type(value) == "string" and ("%q"):format(#value > 60 and value:sub(1, 50) .. "..." or value)
      or world.text(value)
  end
  return table.concat(list, ", "):gsub("\\\n", "\\n")
end
world.show = show

-- Calls fn(...) for a task, and packs true and its results, or false and its error. Inside of what cannot be waited in
-- nothing catches the error here: the one that is around does.
function World:call(rec, act, fn, ...)
  self:begin(rec, act)
  local r = rec.bare and pack(true, fn(...)) or pack(loop.pcall(fn, ...))
  self:finish(act)
  self:say("%s: %s -> %s", rec.name, act.text, show(r))
  return r
end

-- ---- bytes ----

-- Notes a write that is about to begin: entry with data, and where that is in the file.
function world.new_write(line, size)
  local incoming = line.peer.incoming
  local data, from = chunk(#incoming.writes + 1, size)
  local entry = { data = data }
  incoming.writes[#incoming.writes + 1] = entry
  return entry, from
end

return world
