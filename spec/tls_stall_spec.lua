-- A client to which only a part of a message such as a session ticket has come: until the rest is there, TLS lets
-- nothing be sent, however much room the kernel has. Whoever waits to send must not try again and again meanwhile.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local helper = require "spec.helper"
local inloop = require "spec.inloop"
local programs = require "spec.programs"
local cable = require "spec.tls.cable"
local certs = require "spec.tls.certs"

if certs.missing(pending) then return end

after_each(function()
  programs.stop_all()
  helper.remove_paths()
end)

-- A connection to OpenSSL's server whose ticket takes two records, with the client's certificate in it: none of it has
-- been passed on, or the first record has.
local function connect(half)
  local program = programs.start(("env -u LD_PRELOAD openssl s_server -accept 127.0.0.1:0 -cert %s -key %s -rev "
    .. "-max_send_frag 512 -verify 1 -CAfile %s"):format(certs.path "good.pem", certs.path "leaf.key",
    certs.path "client_root.pem"), "ACCEPT %S+:%d+\n")
  local port = tonumber((program:output():match "ACCEPT %S+:(%d+)\n"))
  local far = helper.writable(assert(lsocket.connect("127.0.0.1", port)))
  local line = cable.to(far, certs.client(certs.with "known"))
  line:finish()
  helper.eventually("a ticket of two records", function() return line:waiting "down" > 600 end)
  local function pass_half() line:pass("down", 5 + line.down:byte(4) * 256 + line.down:byte(5)) end
  if half then pass_half() end
  return line, pass_half
end

local function pass_rest(line)
  helper.eventually("all of the ticket", function()
    line:pass "down"
    return line.client:handshake()
  end)
end

-- Passes on what comes until a task has ended: its results.
local function join(line, task)
  local passing = loop.spawn(function()
    while loop.sleep(0.001) do line:pass "down" end
  end)
  local ok, message = task:join()
  passing:cancel()
  return ok, message
end

describe("a client that has got half a ticket", function()
  it("sends as before if it is half a record", function()
    local line = connect()
    line:pass("down", 100)
    assert.is_false(line.client:recv())
    assert.is_true((line.client:handshake()))
    assert.equal(6, line.client:send "hello\n")
    line:cut()
    line.client:close()
  end)

  it("sends nothing, and handshake says what it waits for", function()
    local line = connect(true)
    assert.is_true((line.client:handshake())) -- it has not looked yet
    assert.is_false(line.client:recv())
    for _ = 1, 2 do
      assert.is_false(line.client:send "hello\n")
      assert.same({ false, "r" }, { line.client:handshake() })
      assert.is_false(helper.is_readable(line.client, 0))
    end
    pass_rest(line)
    assert.equal(6, line.client:send "hello\n")
    line:cut()
    line.client:close()
  end)

  -- A task that waits to send takes no more than so much of the processor's time, while it waits for so long.
  local WAIT, MOST = 0.3, 0.1

  local function waits_idly(line, task)
    local before = os.clock()
    loop.sleep(WAIT)
    local taken = os.clock() - before
    assert.is_true(join(line, task))
    assert.truthy(taken < MOST or helper.slow, taken)
  end

  local calls = {
    write = function(client) return client:write "hello\n" end,
    sendfile = function(client)
      local file = assert(io.open(helper.file "hello\n"))
      local sent, message, name = client:sendfile(file)
      file:close()
      return sent == 6 or nil, message, name
    end,
    shutdown = function(client) return client:shutdown "w" end,
  }
  local wrapped_calls = {
    send = function(client) return client:send "hello\n" == 6 end,
    shutdown = function(client) return client:shutdown "w" end,
  }

  -- make(socket): a stream, or a wrapped socket, which receives by that method.
  local function let_wait(names, calls_of, make, receive)
    for name, call in pairs(calls_of) do
      it(("lets " .. names .. " wait for the rest"):format(name), function()
        local line, pass_half = connect()
        inloop.run(function()
          local client = assert(make(line.client))
          pass_half()
          assert.is_nil((loop.deadline(0.01, client[receive], client)))
          waits_idly(line, loop.spawn(call, client))
          client:close()
        end)
        line:cut()
      end)
    end
  end
  let_wait("%s", calls, stream.new, "read")
  let_wait("%s of a wrapped socket", wrapped_calls, loop.wrap, "recv")

  it("times out", function()
    local line, pass_half = connect()
    inloop.run(function()
      local client = assert(stream.new(line.client, { timeout = 0.05 }))
      pass_half()
      assert.is_nil((client:read()))
      for _, call in pairs(calls) do assert.equal("ETIMEDOUT", (select(3, call(client)))) end
      client:close()
    end)
    line:cut()
  end)

  it("is closed with a grace", function()
    local line, pass_half = connect()
    inloop.run(function()
      local client = assert(stream.new(line.client))
      pass_half()
      assert.is_nil((loop.deadline(0.01, client.read, client)))
      local before = os.clock()
      assert.is_false(client:close(WAIT))
      local taken = os.clock() - before
      assert.truthy(taken < MOST or helper.slow, taken)
    end)
    line:cut()
  end)
end)
