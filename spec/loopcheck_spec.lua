-- What the loop and its streams are called with: what is wrong is named, at the place where it was called.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local helper = require "spec.helper"

local unpack = table.unpack or unpack -- luacheck: ignore 143

local nan = 0 / 0
local SIZE = "integer from 1 to 2147483647 expected"

local function connect(options) loop.connect("127.0.0.1", 1, options) end
local function listen(options) loop.listen("127.0.0.1", 0, options) end
local function serve(options) loop.serve("127.0.0.1", 0, print, options) end

-- A text, a call that is given a socket and a stream of it.
local wrong = {
  { "#1 to 'run' (function expected, got nil)", function() loop.run() end },
  { "#1 to 'spawn' (function expected, got table)", function() loop.spawn({}) end },
  { "#1 to 'step' (number expected, got string)", function() loop.step("1") end },
  { "#1 to 'sleep' (number expected, got nan)", function() loop.sleep(nan) end },
  { "#1 to 'deadline' (number expected, got nil)", function() loop.deadline() end },
  { "#2 to 'deadline' (function expected, got nil)", function() loop.deadline(1) end },
  { "#3 to 'wait' (number expected, got nan)", function(sock) loop.wait(sock, "r", nan) end },
  { "#1 to 'resolve' (string expected, got number)", function() loop.resolve(5) end },
  { "#2 to 'resolve' (inet or inet6 expected, got string)", function() loop.resolve("localhost", "x") end },
  { "#1 to 'reverse' (string expected, got nil)", function() loop.reverse() end },
  { "#1 to 'connect' (string expected, got nil)", function() loop.connect(nil, 1) end },
  { "#3 to 'connect' (table expected, got number)", function() connect(5) end, connect },
  { "#3 to 'connect' (delay: number from 0 on expected, got string)", function() connect { delay = "1" } end, connect },
  { "#3 to 'connect' (delay: number from 0 on expected, got nan)", function() connect({ delay = nan }) end, connect },
  { "#3 to 'connect' (max: " .. SIZE, function() connect({ max = 1.5 }) end, connect },
  { "#3 to 'connect' (family: inet, inet6 or unix expected", function() connect({ family = "x" }) end, connect },
  { "#1 to 'listen' (string expected, got number)", function() loop.listen(80) end },
  { "#3 to 'listen' (table expected, got boolean)", function() listen(true) end, listen },
  { "#3 to 'listen' (max: " .. SIZE, function() listen({ max = 2 ^ 31 }) end, listen },
  { "#1 to 'serve' (string expected, got nil)", function() loop.serve(nil, 0, print) end },
  { "#3 to 'serve' (function expected, got nil)", function() loop.serve("127.0.0.1", 0) end },
  { "#4 to 'serve' (limit: number from 1 on expected", function() serve({ limit = 0 }) end, serve },
  { "#1 to 'new' (socket expected, got nil)", function() stream.new() end },
  { "#1 to 'new' (socket expected, got table)", function(sock) stream.new({ recv = sock.recv }) end },
  { "#1 to 'new' (socket expected, got a file: see lsocket.fromfd)", function() stream.new(io.stdout) end },
  { "#1 to 'readsome' (" .. SIZE .. ", got 0)", function(_, connection) connection:readsome(0) end },
  { "#1 to 'readsome' (" .. SIZE .. ", got string)", function(_, connection) connection:readsome("1") end },
  { "#2 to 'new' (max: " .. SIZE, function(sock) stream.new(sock, { max = 0 }) end },
  { "#1 to 'new' (socket expected, got table)", function(_, s) stream.new(s) end },
  { "#1 to 'new' (stream socket expected, got udp)", function() stream.new(lsocket.bind("udp", 0)) end },
  { "#1 to 'new' (stream socket expected, got udp)", function() stream.new((lsocket.pair("udp"))) end },
  { "#1 to 'new' (stream socket expected, got seqpacket)", function() stream.new((lsocket.pair("seqpacket"))) end },
  { "#1 to 'new' (it listens", function() stream.new(lsocket.bind("127.0.0.1", 0)) end },
  { "#1 to 'new' (it listens", function() stream.new(lsocket.bind(helper.path())) end },
  { "#1 to 'step' (number expected, got nan)", function() loop.step(nan) end },
  { "#1 to 'deadline' (number expected, got nan)", function() loop.deadline(nan, print) end },
  { "#1 to 'listen' (a stream socket that listens expected)", function(sock) loop.listen(sock) end },
  { "#1 to 'serve' (a stream socket that listens expected)",
    function() loop.serve(lsocket.bind("udp", 0), print) end },
  { "#1 to 'serve' (a stream socket that listens expected)", function() loop.serve((lsocket.pair()), print) end },
  { "#2 to 'serve' (function expected, got number)",
    function() loop.serve(lsocket.bind("127.0.0.1", 0), 0, print) end },
  { "#2 to 'listen' (max: " .. SIZE, function() loop.listen(lsocket.bind("127.0.0.1", 0), { max = 0 }) end },
  { "#2 to 'listen' (backlog: of no use with a socket)",
    function() loop.listen(lsocket.bind("127.0.0.1", 0), { backlog = 5 }) end },
  { "#3 to 'serve' (family: of no use with a socket)",
    function() loop.serve(lsocket.bind("127.0.0.1", 0), print, { family = "inet" }) end },
  -- addresses, ports and options are those of the function that was called, whatever it calls itself
  { "#1 to 'connect' (address contains a NUL byte)", function() loop.connect("a\0b", 1) end },
  { "#1 to 'listen' (address contains a NUL byte)", function() loop.listen("/a\0b") end },
  { "#1 to 'serve' (address contains a NUL byte)", function() loop.serve("a\0b", 1, print) end },
  { "#1 to 'resolve' (address contains a NUL byte)", function() loop.resolve("a\0b") end },
  { "#2 to 'connect' (port must be ", function() loop.connect("127.0.0.1", "x") end },
  { "#2 to 'connect' (port must be ", function() loop.connect("127.0.0.1", 65536) end },
  { "#2 to 'connect' (number expected, got table", function() loop.connect("127.0.0.1", {}) end },
  { "#3 to 'connect' (nonsense: ", function() connect { nonsense = 1 } end, connect },
  { "#3 to 'connect' (localport: ", function() connect { localport = -1 } end, connect },
  { "#3 to 'connect' (type: tcp expected, got udp)", function() connect { type = "udp" } end, connect },
  { "#3 to 'connect' (port: ", function() connect { port = 5 } end, connect },
  { "#3 to 'connect' (address: ", function() connect { address = "::1" } end, connect },
  { "#3 to 'connect' (family: ", function() connect { family = "unix" } end, connect },
  { "#2 to 'listen' (port must be ", function() loop.listen("127.0.0.1", "x") end },
  { "#3 to 'listen' (nonsense: ", function() listen { nonsense = 1 } end, listen },
  { "#3 to 'listen' (backlog: ", function() listen { backlog = "x" } end, listen },
  { "#3 to 'listen' (type: tcp expected, got udp)", function() listen { type = "udp" } end, listen },
  { "#3 to 'listen' (family: ", function() loop.listen("/x", nil, { family = "inet" }) end },
  { "#2 to 'serve' (port must be ", function() loop.serve("127.0.0.1", -1, print) end },
  { "#3 to 'serve' (function expected, got string)", function() loop.serve("127.0.0.1", 0, "x") end },
  { "#4 to 'serve' (nonsense: ", function() serve { nonsense = 1 } end, serve },
  { "#4 to 'serve' (backlog: ", function() serve { backlog = {} } end, serve },
  { "#4 to 'serve' (type: tcp expected, got seqpacket)", function() serve { type = "seqpacket" } end, serve },
  { "#4 to 'serve' (table expected, got number)", function() serve(5) end, serve },
  -- what is waited for
  { "#1 to 'wait' (socket, descriptor or object with getfd", function() loop.wait(nil, "r") end },
  { "#1 to 'wait' (socket, descriptor or object with getfd", function() loop.wait({}, "r") end },
  { "#1 to 'wait' (socket, descriptor or object with getfd", function() loop.wait({ getfd = 5 }, "r") end },
  { "#1 to 'wait' (socket, descriptor or object with getfd", function() loop.wait(io.stdout, "r") end },
  { "#1 to 'wait' (socket, descriptor or object with getfd", function() loop.wait("x", "r") end },
  { "#1 to 'wait' (descriptor expected", function() loop.wait(0.5, "r") end },
  { "#1 to 'wait' (descriptor expected", function() loop.wait(nan, "r") end },
  { "#2 to 'wait' (r, w or rw expected", function(sock) loop.wait(sock) end },
  { "#2 to 'wait' (r, w or rw expected", function(_, s) loop.wait(s, "wr") end },
  { "#3 to 'wait' (number expected, got string)", function(_, s) loop.wait(s, "r", "1") end },
  -- reading and writing
  { "#1 to 'read' (l, L, a or a count", function(_, s) s:read("x") end },
  { "#1 to 'read' (l, L, a or a count", function(_, s) s:read(-1) end },
  { "#1 to 'read' (l, L, a or a count", function(_, s) s:read(0.5) end },
  { "#1 to 'read' (l, L, a or a count", function(_, s) s:read(nan) end },
  { "#2 to 'read' (l, L, a or a count", function(_, s) s:read("l", "n") end },
  { "#3 to 'read' (l, L, a or a count", function(_, s) s:read("l", 5, {}) end },
  { "#1 to 'lines' (l, L, a or a count", function(_, s) s:lines("x") end },
  { "#2 to 'lines' (l, L, a or a count", function(_, s) s:lines("l", true) end },
  { "#1 to 'readuntil' (string expected, got nil)", function(_, s) s:readuntil() end },
  { "#1 to 'readuntil' (string expected, got number)", function(_, s) s:readuntil(5) end },
  { "#1 to 'readuntil' (delimiter is empty)", function(_, s) s:readuntil("") end },
  { "#2 to 'readuntil' (" .. SIZE, function(_, s) s:readuntil(";", 0) end },
  { "#1 to 'readsome' (" .. SIZE .. ", got boolean)", function(_, s) s:readsome(false) end },
  { "#1 to 'readexactly' (integer from 0 to 2147483647 expected, got nil)", function(_, s) s:readexactly() end },
  { "#1 to 'readexactly' (integer from 0 to 2147483647 expected, got 0.5)", function(_, s) s:readexactly(0.5) end },
  { "#1 to 'peek' (integer from 0 to 2147483647 expected, got string)", function(_, s) s:peek("1") end },
  { "#1 to 'peek' (integer from 0 to 2147483647 expected, got -1)", function(_, s) s:peek(-1) end },
  { "#1 to 'sendfile' (file or descriptor expected, got nil)", function(_, s) s:sendfile() end },
  { "#1 to 'sendfile' (file or descriptor expected, got userdata)", function(sock, s) s:sendfile(sock) end },
  { "#2 to 'sendfile' (integer from 0 to 2^53 expected, got string)", function(_, s) s:sendfile(0, "x") end },
  { "#3 to 'sendfile' (integer from 0 to 2^53 expected, got nan)", function(_, s) s:sendfile(0, 0, nan) end },
  { "#1 to 'settimeout' (number from 0 on expected, got string)", function(_, s) s:settimeout("1") end },
  { "#1 to 'settimeout' (number from 0 on expected, got -1)", function(_, s) s:settimeout(-1) end },
  { "#1 to 'settimeout' (number from 0 on expected, got nan)", function(_, s) s:settimeout(nan) end },
  { "#1 to 'close' (number from 0 on expected, got boolean)", function(_, s) s:close(false) end },
  { "#1 to 'close' (number from 0 on expected, got nan)", function(_, s) s:close(nan) end },
  { "#2 to 'new' (timeout: number from 0 on expected", function(sock) stream.new(sock, { timeout = -1 }) end },
  { "#4 to 'serve' (timeout: number from 0 on expected, got string)", function() serve({ timeout = "1" }) end, serve },
  { "#4 to 'serve' (grace: number from 0 on expected, got boolean)", function() serve({ grace = true }) end, serve },
  { "#3 to 'serve' (grace: number from 0 on expected", function() loop.serve("/x", print, { grace = -1 }) end },
  { "#2 to 'serve' (number expected, got table", function() loop.serve("127.0.0.1", {}, print) end },
  { "#1 to 'write' (string expected, got nil)", function(_, s) s:write() end },
  { "#1 to 'write' (string expected, got nil)", function(_, s) s:write(nil, "x") end },
  { "#2 to 'write' (string expected, got nil)", function(_, s) s:write("x", nil) end },
  { "#2 to 'write' (string expected, got boolean)", function(_, s) s:write("x", true, "y") end },
  { "#1 to 'write' (string expected, got userdata)", function(sock, s) s:write(sock) end },
  { "#1 to 'write' (string expected, got table)", function(_, s) s:write({ "x" }, "y") end },
  { "#2 to 'write' (string expected, got table)", function(_, s) s:write("x", { "y" }) end },
  { "#1 to 'write' (element 1: string expected, got table)", function(_, s) s:write({ {} }) end },
  { "#1 to 'write' (element 3: string expected, got boolean)", function(_, s) s:write({ "x", 1, true, "y" }) end },
  { "#1 to 'write' (element 2: string expected, got userdata)", function(sock, s) s:write({ "x", sock }) end },
  { "#1 to 'shutdown' (", function(_, s) s:shutdown("x") end },
  { "#1 to 'info' (", function(_, s) s:info({}) end },
  { "#1 to 'getopt' (no option is called 'x')", function(_, s) s:getopt("x") end },
  { "#1 to 'getopt' (string expected, got no value)", function(_, s) s:getopt() end },
  { "#1 to 'setopt' (no option is called 'x')", function(_, s) s:setopt("x", 1) end },
  { "#2 to 'setopt' (", function(_, s) s:setopt("sndbuf", {}) end },
  -- servers
  { "#1 to 'info' (", function(_, _, server) server:info({}) end },
  { "#1 to 'close' (number expected, got string)", function(_, _, server) server:close("1") end },
  { "#1 to 'close' (number expected, got nan)", function(_, _, server) server:close(nan) end },
}

-- The methods, each called by a dot, with what stands first there.
local classes = {
  stream = { "read", "lines", "readuntil", "readexactly", "readsome", "peek", "buffered", "write", "sendfile", "status",
    "settimeout", "shutdown", "getsocket", "getfd", "info", "getopt", "setopt", "close" },
  server = { "accept", "clients", "count", "info", "close" },
  task = { "join", "cancel" },
}

local here = "loopcheck_spec.lua:"

-- Calls fn(socket, stream, server, task), which must raise a text with the place.
local function check(text, line, fn)
  local told
  loop.run(loop.deadline, helper.patience, function()
    local sock, peer = assert(lsocket.pair())
    local server = assert(loop.listen("127.0.0.1", 0))
    local s, task = stream.new(sock), loop.spawn(function() end)
    told = { loop.pcall(fn, sock, s, server, task) } -- on Lua 5.1 reads and writes may have a pause
    for _, object in ipairs { s, peer, server } do object:close() end
  end)
  assert.is_false(told[1])
  assert.truthy(told[2]:find(here .. line .. ": bad argument ", 1, true), told[2])
  assert.truthy(told[2]:find(text, 1, true), told[2])
end

local function line_of(fn) return debug.getinfo(fn, "S").linedefined end

describe("a wrong argument", function()
  after_each(helper.remove_paths)

  for _, case in ipairs(wrong) do
    it(case[1], function() check(case[1], line_of(case[3] or case[2]), case[2]) end)
  end

  it("is named as the caller's in a task whose stream another task writes to", function()
    loop.run(loop.deadline, helper.patience, function()
      local a, b = assert(lsocket.pair())
      local s = stream.new(a)
      local writer = loop.spawn(s.write, s, ("x"):rep(1000000))
      loop.sleep(0.001)
      for _, odd in ipairs { true, { "x", true }, print } do
        helper.raises("bad argument #1 to 'write'", s.write, s, odd)
      end
      local sink, count = stream.new(b), 0
      while count < 1000000 do count = count + #sink:readsome() end
      assert.is_true(writer:join())
      assert.is_true(s:write "still")
    end)
  end)

  it("leaves the loop as it was", function()
    assert.equal("done", loop.run(loop.deadline, helper.patience, function() return "done" end))
  end)
end)

-- What a request is made of asks for a field at once, as asking for the type would cost more than the rest of the call:
-- what has no fields is Lua's own error.
local may_index = { readsome = true, write = true }

describe("a method called with a dot in place of a colon", function()
  for class, names in pairs(classes) do
    for _, name in ipairs(names) do
      it("names itself: " .. class .. "." .. name, function()
        local text = "#1 to '" .. name .. "' (" .. class .. " expected, got "
        local function call_on(...) -- any number of arguments, on the one line that is looked for
          local arguments, count = { ... }, select("#", ...)
          return function(_, s, server, task)
            local method = ({ stream = s, server = server, task = task })[class][name]
            local function call() local result = method(unpack(arguments, 1, count)) return result end
            call()
          end, debug.getinfo(1, "l").currentline - 2
        end
        for _, first in ipairs(may_index[name] and { "l", {}, io.stdout } or { 5, "l", true, {}, print, io.stdout }) do
          local call, line = call_on(first, first)
          check(text .. type(first), line, call)
        end
        local call, line = call_on()
        check(text .. "nil", line, call)
      end)
    end
  end

  it("on another object than its own, too", function()
    loop.run(function()
      local server = assert(loop.listen("127.0.0.1", 0))
      local s = stream.new((lsocket.pair()))
      for _, name in ipairs(classes.stream) do helper.raises("stream expected, got table", s[name], server) end
      for _, name in ipairs(classes.server) do helper.raises("server expected, got table", server[name], s) end
      server:close()
    end)
  end)
end)

describe("a call of what waits, outside of a task,", function()
  it("says so at the place of the call", function()
    local s = stream.new((lsocket.pair()))
    local calls = {
      function() loop.sleep(1) end, function() loop.wait(s, "r") end, function() s:read() end,
      function() s:readsome() end, function() s:readuntil("x") end, function() loop.connect("127.0.0.1", 1) end,
      function() loop.resolve("localhost") end, function() loop.reverse("::1") end,
      function() loop.deadline(1, print) end,
    }
    for _, call in ipairs(calls) do
      local ok, problem = pcall(call)
      assert.is_false(ok)
      assert.truthy(problem:find(here .. line_of(call) .. ": only a task can wait", 1, true), problem)
    end
  end)
end)
