-- Wrapped sockets: objects with the methods of a socket, of which those that would return false wait.
--
-- A call tries at once, which is what most calls need. One that has to wait takes the turn of those that read or of
-- those that write as the wait begins, and keeps it until it has ended; calls that come meanwhile stand in the turn's
-- queue. A wrapped socket is its own watch.
local check = require "lsocket.loop.check"
local fair = require "lsocket.loop.fair"
local owners = require "lsocket.loop.owners"
local queues = require "lsocket.loop.queues"
local waits = require "lsocket.loop.waits"
local watches = require "lsocket.loop.watches"

local await_turn, hold, pass_on = queues.await_turn, queues.hold, queues.pass_on
local unpack = table.unpack or unpack -- luacheck: ignore 143
local enter, this, wait, pcall = watches.one.enter, waits.this, waits.wait, pcall

local wraps = {}

local metatable = { __name = "wrapped socket", __type = "wrapped" }
watches.selves[metatable] = true

local CALLS = 16                    -- of one system call each, until the next look at the clock
local SOONEST, LATEST = 0.001, 0.05 -- seconds until a call is tried again for which there only seemed to be room

local slice = fair.slice
local left = CALLS -- calls until the next look at the clock

-- ---- waiting ----

local turns = { r = "reading", w = "writing" } -- events -> the field with the turn

-- The wait for events, which takes the turn as it begins, so that a wait that raises has not got it.
local in_turn = { leave = watches.one.leave }

-- false, error where it cannot be waited for
function in_turn.enter(task, self, events)
  if self[events] then return false, "another task waits for it already" end
  if self.events == events then -- the poller asks for that already, which nothing can fail in
    self[events] = task
  else
    local entered, ok, message, name = pcall(enter, task, self, events)
    if not entered then return false, ok end
    if ok ~= true then return ok, message, name end
  end
  hold(self[turns[events]], task)
  return true
end

-- The kernel finds room in a unix socket whose receiver has none: a call that waits for that is tried again, later and
-- later: true | nil, message, name
local function rest(turn)
  turn.pause = math.min(2 * (turn.pause or SOONEST / 2), LATEST)
  turn.resting = turn.resting or queues.new()
  local rested, message, name = queues.wait(turn.resting, turn.pause)
  if rested == nil then return nil, message, name end
  return true
end

local retry

-- The results of a try, unless they are false: then the task waits on.
local function judge(self, call, task, a, b, c, called, first, ...)
  local turn = self[call.turn]
  if called and first == false then
    if call.events == "r" then return retry(self, call, task, a, b, c, true) end
    return retry(self, call, task, a, b, c, rest(turn))
  end
  turn.pause = nil
  pass_on(turn, task)
  if not called then check.refuse(call.name, first) end
  return first, ...
end

-- Waits until the socket is ready, and tries again. ok: false if what has been done before has failed
function retry(self, call, task, a, b, c, ok, message, name)
  if ok then ok, message, name = wait(in_turn, self, call.events) end
  if ok then
    left, slice.began = CALLS, false
    return judge(self, call, task, a, b, c, pcall(call.method, self.object, a, b, c))
  end
  pass_on(self[call.turn], task)
  if ok == false then check.raise(message) end
  return nil, message, name
end

-- The results of the first try, for which the task had no need of a turn.
local function start(self, call, a, b, c, called, first, ...)
  if not called then check.refuse(call.name, first) end
  if first ~= false then return first, ... end
  return retry(self, call, this(), a, b, c, true)
end

local function try_in_turn(self, call, a, b, c)
  local task = this()
  local ok, message, name = await_turn(self[call.turn])
  if not ok then return nil, message, name end
  return judge(self, call, task, a, b, c, pcall(call.method, self.object, a, b, c))
end

-- Has the task had its share of what needs no wait? Then the others have their turn: true | nil, message, name
local function pause()
  left = CALLS
  return fair.check()
end

-- A call that may not be tried at once: others are before it, or the task has had its share, or self is wrong.
local function call_in_turn(self, call, a, b, c)
  check.self(self, metatable, call.name)
  local turn = self[call.turn]
  if not turn.holder then
    local ok, message, name = pause()
    if not ok then return nil, message, name end
  end
  if turn.holder then return try_in_turn(self, call, a, b, c) end
  return start(self, call, a, b, c, pcall(call.method, self.object, a, b, c))
end

-- ---- the methods ----

-- The methods that wait -> what for. Not recverr, as the poller does not tell an error in the socket's queue from data.
local waiting = {
  recv = "r", recvfrom = "r", recvmsg = "r", recvmany = "r", recvfds = "r", peek = "r", accept = "r",
  send = "w", sendrest = "w", sendto = "w", sendmsg = "w", sendmany = "w", sendfds = "w", sendfile = "w",
}

-- Those of which one call may take long: the clock is looked at each time.
local long = { recvmany = true, sendmany = true, sendfile = true }

-- A method of sockets as one that waits. None has more than three arguments.
local function waiting_method(name, method)
  local events = waiting[name]
  local turn, cost = turns[events], long[name] and CALLS or 1
  local call = { name = name, method = method, events = events, turn = turn }
  return function(self, a, b, c)
    local mine = self and self[turn]
    left = left - cost
    if left < 0 or not mine or mine.holder then return call_in_turn(self, call, a, b, c) end
    return start(self, call, a, b, c, pcall(method, self.object, a, b, c))
  end
end

local function passing_method(name)
  return function(self, ...)
    check.self(self, metatable, name)
    return check.method(self.object, name, ...)
  end
end

-- Sends all of a batch: how many datagrams | nil, message, name, how many
local function sending_all(sendmany)
  return function(self, batch, address, port)
    local total = 0
    repeat
      local count, message, name = sendmany(self, batch, address, port)
      if not count then return nil, message, name, total end
      total = total + count
    until #batch == 0
    return total
  end
end

-- sendrest takes any number of pieces, which are kept as a list.
local function sending_pieces(sendrest)
  local send = waiting_method("sendrest", function(sock, first, pieces)
    return sendrest(sock, first, unpack(pieces, 1, pieces.n))
  end)
  return function(self, first, ...) return send(self, first, { n = select("#", ...), ... }) end
end

-- Tells the tasks in a turn's queues that what they wait for will not be.
local function dismiss(turn)
  if turn.queue then queues.dismiss(turn.queue) end -- before the turn is passed on
  if turn.resting then queues.dismiss(turn.resting) end
end

-- One that takes the descriptor away: whoever waits for it gets nil, message, "ECANCELED"
local function ending_method(name)
  local pass = passing_method(name)
  return function(self)
    check.self(self, metatable, name)
    dismiss(self.reading)
    dismiss(self.writing)
    watches.release(self)
    return pass(self)
  end
end

-- wrapped:wait(events [, timeout]) -> as loop.wait;  in place of the socket's own, which would keep all tasks waiting
local function wait_for(self, events, timeout)
  check.self(self, metatable, "wait")
  check.events(events, 1, "wait")
  if timeout ~= nil then check.number(timeout, 2, "wait") end
  if self.object:getfd() < 0 then return nil, "Bad file descriptor", "EBADF" end
  return watches.wait_for(self, events, timeout)
end

-- Those of a layer that return false and what is to be waited for, or false alone where that is room. handshake returns
-- "hello" where the program is to choose a context.
local repeating = { handshake = true, shutdown = true }

-- Does a layer need more to come before it can send? That may be another task's to receive.
local function is_stalled(sock)
  if not sock.handshake then return false end
  local ok, way = sock:handshake()
  return ok == false and way == "r"
end

local function await(self, way)
  if not way and is_stalled(self.object) then return rest(self.writing) end
  self.writing.pause = nil
  return watches.wait_for(self, way or "w")
end

local function repeating_method(name)
  local pass = passing_method(name)
  return function(self, ...)
    while true do
      local ok, way, symbol = pass(self, ...)
      if ok ~= false or way == "hello" then return ok, way, symbol end
      ok, way, symbol = await(self, way)
      if not ok then return nil, way, symbol end
    end
  end
end

local function make_method(name, method)
  if waiting[name] then return waiting_method(name, method) end
  return repeating[name] and repeating_method(name) or passing_method(name)
end

-- A method that the library of a layer has added since.
local function added_method(class, methods, name)
  if methods[name] then class[name] = make_method(name, methods[name]) end
  return rawget(class, name)
end

-- The methods of wrapped sockets, made of those of sockets.
local function make_methods(methods)
  local class = setmetatable({}, { __index = function(class, name) return added_method(class, methods, name) end })
  for name, method in pairs(methods) do class[name] = make_method(name, method) end
  class.sendmany, class.sendrest = sending_all(class.sendmany), sending_pieces(methods.sendrest)
  class.close, class.detach = ending_method "close", ending_method "detach"
  class.wait = wait_for
  return class
end

-- Lua gives it an error, too.
function metatable.__close(self) return self:close() end

function metatable:__tostring()
  return "wrapped " .. tostring(self.object)
end

-- ---- what programs call ----

-- What something is, as errors name it.
local function kind_of(value)
  local meta = getmetatable(value)
  return type(meta) == "table" and type(meta.__type) == "string" and meta.__type or type(value)
end

-- loop.wrap(socket) -> wrapped socket | nil, message, name
function wraps.wrap(sock)
  if not check.is_socket(sock) then check.fail(1, "wrap", "socket expected, got " .. kind_of(sock)) end
  if sock:getfd() < 0 then return nil, "Bad file descriptor", "EBADF" end
  local owner = owners.of(sock)
  if owner then check.fail(1, "wrap", "it is " .. owner .. " already") end
  metatable.__index = metatable.__index or make_methods(getmetatable(sock).__index)
  local wrapped = setmetatable({ reading = { holder = false }, writing = { holder = false } }, metatable)
  watches.new(wrapped, sock)
  owners.note(sock, "wrapped")
  return wrapped
end

return wraps
