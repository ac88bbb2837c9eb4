-- Connections, with LuaSec's methods: an object of lsocket.luasocket whose socket has TLS.
--
-- TLS begins with the first dohandshake, as sni may be called before it. Until the handshake has finished an object is
-- of the class fresh, which receives and sends nothing, so that nothing passes in the clear.
local certificates = require "lsocket.luasocket.ssl.certificate"
local check = require "lsocket.loop.check"
local cipher = require "lsocket.luasocket.ssl.cipher"
local classes = require "lsocket.luasocket.classes"
local contexts = require "lsocket.luasocket.ssl.context"
local lsocket = require "lsocket"
local streams = require "lsocket.luasocket.stream"
local waiting = require "lsocket.luasocket.waiting"
local watches = require "lsocket.loop.watches"

local connections = {}
local made -- the classes, by their states

local methods = {
  getfd = classes.common.getfd, settimeout = waiting.settimeout, dirty = streams.dirty,
  getstats = streams.getstats, setstats = streams.setstats,
}

-- LuaSec says what was waited for in place of "timeout".
local wanting = { r = "wantread", w = "wantwrite" }
local nouns = { wantread = "read", wantwrite = "write" }

-- Which way a connection that has not sent all must wait: it may have to read a message of TLS to its end before,
-- unless another task is about to.
local function room(self)
  local ok, way = self.object:handshake()
  return ok == false and not self.r and way or "w"
end

-- The text of a failure: that of a time-out by what was waited for.
local function text_of(self, text, way)
  if text == "timeout" then text = wanting[way] end
  self.wanted = nouns[text] or "nothing"
  return text
end

-- The same of a call that receives or sends.
local function tell(self, text, events)
  return text_of(self, text, events == "w" and text == "timeout" and room(self) or events)
end

-- ---- the handshake ----

-- The name that the server's certificate must be for, or that is told to the server.
local function host_of(self)
  return self.name or self.context.verify and self.host or nil
end

-- Begins TLS on the socket: true | nil, text, name
local function begin(self)
  local context, host, text = self.context
  local to_start = context.context
  if context.mode == "client" then
    host = host_of(self)
    if context.verify and not host then return nil, "no name to verify the certificate for: call sni" end
  elseif self.contexts or context.choose then
    to_start, text = context:ask()
    if not to_start then return nil, text end
  end
  local received = self.received_before and { received = self.received_before } or nil
  local ok, message, name = contexts.call(to_start.start, to_start, self.object, host, received)
  self.begun = ok
  return ok, message, name
end

-- The context for a client that has said its name: context | nil, text
local function context_for(self, name)
  local found = name and self.contexts and self.contexts[name]
  if not found and name and self.contexts and self.strict then return nil, "unrecognized name" end
  return found or self.context
end

-- Goes on after the client's hello: true | nil, text
local function choose(self)
  local hello, message = self.object:tls "hello"
  if not hello then return nil, message end
  local context, chosen, text
  context, text = context_for(self, hello.name)
  if not context then return nil, text end
  chosen, text = context:for_protocols(hello.alpn)
  if not chosen then return nil, text end
  return self.object:choose(chosen)
end

-- Takes the handshake a step further: true | false, text, name: it has failed | nil, due: go on
local function shake(self, due)
  local ok, way, name = self.object:handshake()
  if ok then return true end
  if ok == nil then return false, text_of(self, way), name end
  if way == "hello" then
    ok, way, name = choose(self)
    if not ok then return false, text_of(self, way), name end
    return nil, due
  end
  ok, due = waiting.wait(self, way, due)
  if not ok then return false, text_of(self, due, way) end
  return nil, due
end

-- connection:dohandshake() -> true | false, text, name
function methods.dohandshake(self)
  if self.object:getfd() < 0 then return false, "closed" end
  if not self.begun then
    local ok, message, name = begin(self)
    if not ok then return false, message, name end
  end
  local done, due, name
  repeat
    done, due, name = shake(self, due)
  until done ~= nil
  if not done then return false, due, name end
  self.finished = true
  setmetatable(self, made.connection)
  return true
end

-- connection:sni(name), of a client; connection:sni({ [name] = context, ... } [, strict]), of a server
function methods.sni(self, names, strict)
  if self.context.mode == "client" then
    check.string(names, 1, "sni")
    self.name = names
    return
  end
  if type(names) ~= "table" then check.fail(1, "sni", "table expected, got " .. type(names)) end
  for name, context in pairs(names) do
    check.string(name, 1, "sni")
    if not contexts.is(context) then check.fail(1, "sni", "context expected, got " .. type(context)) end
  end
  self.contexts, self.strict = names, strict
end

-- ---- data ----

-- connection:close()
function methods.close(self)
  classes.close(self)
end

-- connection:want() -> "read" | "write" | "nothing": what the last call would have waited for
function methods.want(self)
  return self.object:getfd() < 0 and "nothing" or self.wanted
end

-- ---- what was agreed upon ----

local function facts_of(self, what)
  if not self.finished or self.object:getfd() < 0 then return nil, "closed" end
  return self.object:tls(what)
end

-- connection:info([field]) -> table or the field's value | nil, text
function methods.info(self, field)
  local facts, text = facts_of(self)
  if not facts then return nil, text end
  local info = cipher.describe(facts.cipher)
  info.protocol, info.cipher = "TLSv" .. facts.version, facts.cipher
  if field then return info[field] end
  return info
end

-- connection:getpeercertificate([place]) -> certificate | nil, text
function methods.getpeercertificate(self, place)
  place = place or 1
  check.number(place, 1, "getpeercertificate")
  if place < 1 then return nil, "invalid certificate index" end
  local chain, text, name = facts_of(self, "chain")
  if not chain then return nil, name ~= "ETLS_NOCERT" and text or nil end
  local facts = chain[place]
  return facts and certificates.make(facts) or nil
end

-- connection:getpeerchain() -> { certificate, ... } | nil, text
function methods.getpeerchain(self)
  local chain, text, name = facts_of(self, "chain")
  if not chain and name ~= "ETLS_NOCERT" then return nil, text end
  local list = {}
  for i, facts in ipairs(chain or list) do list[i] = certificates.make(facts) end
  return list
end

-- connection:getpeerverification() -> true | false, text, or an array of arrays of them with "lsec_continue"
-- A server has refused a client whose certificate is not valid.
function methods.getpeerverification(self)
  local facts, text = facts_of(self)
  if not facts then return false, text end
  if self.context.continues then return false, { { "not verified" } } end
  if facts.server or facts.verified then return true end
  return false, "not verified"
end

function methods.getsniname(self)
  local facts, text = facts_of(self)
  if not facts then return nil, text end
  return facts.name or self.name
end

function methods.getalpn(self)
  local facts, text = facts_of(self)
  if not facts then return nil, text end
  return facts.alpn
end

-- connection:exportkeyingmaterial(label, length [, context]) -> string | nil, text
function methods.exportkeyingmaterial(self, label, length, context)
  check.string(label, 1, "exportkeyingmaterial")
  check.count(length, 2, "exportkeyingmaterial")
  if not self.finished then return nil, "closed" end
  return self.object:export(label, length, context)
end

-- The Finished message that came first, which is what programs want of these two: that of TLS 1.2's client, of its
-- server where the session was resumed.
local function first_finished(of_client)
  return function(self)
    local facts, text = facts_of(self)
    if not facts then return nil, text end
    if (facts.server ~= of_client) == facts.resumed then return nil, "not available" end
    return self.object:binding "tls-unique"
  end
end

methods.getfinished, methods.getpeerfinished = first_finished(true), first_finished(false)

-- Programs keep these methods from before the handshake, and call them after it.
local function receive(self, pattern, prefix)
  if self.finished then return streams.receive(self, pattern, prefix) end
  return nil, "closed", prefix or ""
end

local function send(self, data, first, last)
  if self.finished then return streams.send(self, data, first, last) end
  return nil, "closed", 0
end

made = classes.define("ssl", { "fresh", "connection" }, methods, {
  fresh = {
    receive = classes.guarded("receive", receive, "ssl{any}"), send = classes.guarded("send", send, "ssl{any}"),
  },
  connection = { receive = streams.receive, send = streams.send },
})
for _, class in pairs(made) do class.tell, class.way = tell, room end

-- ---- wrapping ----

-- Is it an object of lsocket.luasocket?
local function is_ours(sock)
  local class = type(sock) == "table" and getmetatable(sock)
  return type(class) == "table" and classes.all[class.__name] == class
end

-- The socket of an object, which is left as one without a descriptor; and what it has received already.
local function take(sock)
  local object, buffer = sock.object, sock.buffer
  watches.release(sock)
  sock.object = classes.closed
  return object, buffer and #buffer > 0 and buffer:peek() or false
end

-- The same of an object of another library, which must not keep a descriptor that is ours from then on.
local function adopt(sock)
  if type(sock) == "number" then check.fail(1, "wrap", "socket expected, got number") end
  local fd = check.descriptor_of(sock, 1, "wrap")
  if not sock.setfd then check.fail(1, "wrap", "object with setfd expected") end
  local object = assert(lsocket.fromfd(fd))
  sock:setfd(-1)
  return object, false
end

-- connections.wrap(sock, context) -> connection
function connections.wrap(sock, context)
  local object, received = (is_ours(sock) and take or adopt)(sock)
  local self = classes.new(made.fresh, object)
  self.context, self.host, self.wanted = context, is_ours(sock) and sock.host, "nothing"
  self.received_before = received
  return self
end

return connections
