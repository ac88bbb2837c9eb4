-- What the loop and its streams are called with: what is wrong is named, at the place where it was called.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local helper = require "spec.helper"

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
  { "#1 to 'connect' (string expected, got nil)", function() loop.connect(nil, 1) end },
  { "#3 to 'connect' (table expected, got number)", function() connect(5) end },
  { "#3 to 'connect' (delay: number from 0 on expected, got string)", function() connect({ delay = "1" }) end },
  { "#3 to 'connect' (delay: number from 0 on expected, got nan)", function() connect({ delay = nan }) end },
  { "#3 to 'connect' (max: " .. SIZE, function() connect({ max = 1.5 }) end },
  { "#3 to 'connect' (family: inet, inet6 or unix expected", function() connect({ family = "x" }) end },
  { "#1 to 'listen' (string expected, got number)", function() loop.listen(80) end },
  { "#3 to 'listen' (table expected, got boolean)", function() listen(true) end },
  { "#3 to 'listen' (max: " .. SIZE, function() listen({ max = 2 ^ 31 }) end },
  { "#1 to 'serve' (string expected, got nil)", function() loop.serve(nil, 0, print) end },
  { "#3 to 'serve' (function expected, got nil)", function() loop.serve("127.0.0.1", 0) end },
  { "#4 to 'serve' (limit: number from 1 on expected", function() serve({ limit = 0 }) end },
  { "#1 to 'new' (socket expected, got nil)", function() stream.new() end },
  { "#1 to 'new' (socket expected, got table)", function(sock) stream.new({ recv = sock.recv }) end },
  { "#1 to 'new' (socket expected, got userdata)", function() stream.new(io.stdout) end },
  { "#1 to 'readsome' (" .. SIZE .. ", got number)", function(_, connection) connection:readsome(0) end },
  { "#1 to 'readsome' (" .. SIZE .. ", got string)", function(_, connection) connection:readsome("1") end },
  { "#2 to 'new' (max: " .. SIZE, function(sock) stream.new(sock, { max = 0 }) end },
}

describe("a wrong argument", function()
  for _, case in ipairs(wrong) do
    it(case[1], function()
      local sock, peer = assert(lsocket.pair())
      local ok, problem = pcall(case[2], sock, stream.new(sock))
      sock:close()
      peer:close()
      assert.is_false(ok)
      assert.truthy(problem:find("loopcheck_spec.lua:%d+: bad argument "), problem)
      assert.truthy(problem:find(case[1], 1, true), problem)
    end)
  end

  it("leaves the loop as it was", function()
    assert.equal("done", loop.run(loop.deadline, helper.patience, function() return "done" end))
  end)
end)
