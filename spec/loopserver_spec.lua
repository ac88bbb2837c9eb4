-- Connections by name, and servers: loop.resolve, loop.reverse, loop.connect, loop.listen, loop.serve.
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local inloop = require "spec.inloop"
local process = require "spec.process"

local fails, raises, need = helper.fails, helper.raises, helper.need
local run = inloop.run

local function echo(client)
  repeat
    local data = client:readsome()
  until not data or not client:write(data)
end

-- A server on a port that the system chooses: the server, the port.
local function serve(address, handler, options)
  local server = assert(loop.serve(address, 0, handler, options))
  return server, server:info("socket").port
end

describe("loop.resolve", function()
  it("gives the addresses of a name, and takes numeric ones as they are", function()
    run(function()
      assert.same({ { family = "inet", addr = "127.0.0.1" } }, loop.resolve "127.0.0.1")
      assert.equal("EAI_NONAME", select(3, loop.resolve "1.2.3.4.5"))
    end)
    need.sandbox(pending)
    run(function()
      assert.same({ { family = "inet6", addr = "fd11::1" } }, loop.resolve "global.example")
      assert.same({ { family = "inet", addr = "127.0.0.1" } }, loop.resolve("localhost", "inet"))
      assert.equal("EAI_NONAME", select(3, loop.resolve "nobody.example"))
    end)
  end)
end)

describe("loop.reverse", function()
  it("gives the name of an address", function()
    need.sandbox(pending)
    run(function()
      for address, name in pairs { ["127.0.0.1"] = "localhost", ["fd11::1"] = "global.example" } do
        assert.same({ n = 1, name }, helper.pack(loop.reverse(address)))
      end
    end)
  end)

  it("fails for an address without one, and for what is no address", function()
    need.sandbox(pending)
    run(function()
      for _, address in ipairs { "192.0.2.99", "localhost", "/tmp/x", "" } do
        assert.equal("EAI_NONAME", select(3, loop.reverse(address)))
      end
      assert.equal("ENODEV", select(3, loop.reverse "fe80::1%nosuchinterface"))
    end)
  end)

  it("ends when the task is cancelled", function()
    local task
    run(function()
      task = loop.spawn(loop.reverse, "127.0.0.1")
      task:cancel()
    end)
    assert.equal("ECANCELED", select(3, task:join()))
  end)
end)

describe("loop.connect", function()
  it("gives a stream to an address, a name, a unix path", function()
    local path = helper.path()
    run(function()
      for _, address in ipairs { "127.0.0.1", "localhost", path } do
        local server, port = serve(address, echo)
        local client = assert(loop.connect(address, port))
        assert(client:write "hello\n")
        assert.equal("hello", client:read())
        client:close()
        server:close()
      end
    end)
    helper.remove_paths()
  end)

  it("fails with what each attempt has met", function()
    run(function()
      local port, keeper = helper.refusing_port()
      local client, message, name = loop.connect("127.0.0.1", port)
      local expected = "127.0.0.1:" .. port .. ": Connection refused"
      assert.same({ nil, expected, "ECONNREFUSED" }, { client, message, name })
      client, message, name = loop.connect("/no/such/socket")
      assert.same({ nil, "/no/such/socket: No such file or directory", "ENOENT" }, { client, message, name })
      assert.equal("EAI_NONAME", select(3, loop.connect("1.2.3.4.5", 1)))
      assert.truthy(keeper)
    end)
  end)

  it("raises for wrong arguments", function()
    run(function()
      raises("port", loop.connect, "127.0.0.1", 70000)
      raises("nonsense", loop.connect, "127.0.0.1", 1, { nonsense = 1 })
    end)
  end)

  local function time_to_connect(...)
    local before = loop.now()
    local client = assert(loop.connect(...))
    local passed = loop.now() - before
    assert.equal("127.0.0.1", client:info("peer").addr)
    client:close()
    return passed
  end

  it("takes an IPv4 address 250 ms after an IPv6 one that does not answer", function()
    need.sandbox(pending)
    need.speed(pending)
    run(function()
      local server, port = serve("127.0.0.1", echo)
      local passed = helper.below(0.4, time_to_connect, "halflocal.example", port)
      assert.is_true(passed >= 0.249 and passed < 0.4, "it took " .. passed)
      assert.is_true(helper.below(0.2, time_to_connect, "halflocal.example", port, { delay = 0.01 }) < 0.2)
      server:close()
    end)
  end)

  it("takes the next address at once when one refuses", function()
    need.sandbox(pending)
    need.speed(pending)
    run(function()
      local server, port = serve("127.0.0.1", echo)
      assert.is_true(helper.below(0.2, time_to_connect, "localhost", port) < 0.2)
      server:close()
    end)
  end)

  it("names every attempt when the deadline passes", function()
    need.sandbox(pending)
    run(function()
      local expected = "The deadline has passed: [fd11::77]:80: no answer yet; 10.11.0.77:80: no answer yet"
      local message
      for _ = 1, 5 do -- the system may be about to find out that nobody is there, for an earlier test
        local client, name
        client, message, name = loop.deadline(0.4, loop.connect, "dead.example", 80, { delay = 0.01 })
        assert.is_nil(client)
        assert.equal("ETIMEDOUT", name)
        if message == expected then break end
      end
      assert.equal(expected, message)
    end)
  end)

  it("leaves no descriptor, won, lost or cancelled", function()
    need.sandbox(pending)
    need.proc(pending)
    local before = process.count()
    run(function()
      local server, port = serve("127.0.0.1", echo)
      for _ = 1, 20 do
        assert(loop.connect("halflocal.example", port, { delay = 0.001 })):close()
        local task = loop.spawn(loop.connect, "dead.example", 80, { delay = 0.001 })
        loop.sleep(0.002)
        task:cancel()
        assert.equal("ECANCELED", select(3, task:join()))
      end
      server:close()
    end)
    helper.closes(before)
  end)
end)

describe("TCP", function()
  -- The option at both ends of a connection, which were made with these options.
  local function nodelay(address, server_options, client_options)
    local server = assert(loop.listen(address, 0, server_options))
    local client = assert(loop.connect(address, server:info("socket").port, client_options))
    local accepted = assert(server:accept())
    local values = { (accepted:getopt "nodelay"), (client:getopt "nodelay") }
    for _, object in ipairs { accepted, client, server } do object:close() end
    return values
  end

  it("sends small pieces at once, unless the options say otherwise", function()
    run(function()
      local off = { nodelay = false }
      assert.same({ true, true }, nodelay("127.0.0.1"))
      assert.same({ false, true }, nodelay("127.0.0.1", off))
      assert.same({ true, false }, nodelay("127.0.0.1", { type = "tcp" }, off))
      local seen
      local server, port = serve("localhost", function(client) seen = client:getopt "nodelay" end)
      assert.is_nil(assert(loop.connect("localhost", port)):read())
      assert.is_true(seen)
      server:close()
    end)
  end)

  it("is not what a unix domain stream has", function()
    run(function() assert.same({}, nodelay(helper.path())) end)
    helper.remove_paths()
  end)
end)

describe("loop.listen", function()
  it("gives clients with their addresses, one by one", function()
    run(function()
      local server = assert(loop.listen("127.0.0.1", 0))
      local client = assert(loop.connect("127.0.0.1", server:info("socket").port))
      local accepted, address, port = server:accept()
      assert.same({ "127.0.0.1", client:info("socket").port }, { address, port })
      client:write "x\n"
      assert.equal("x", accepted:read())
      server:close()
      fails("EBADF", server:accept())
    end)
  end)

  it("listens on every address of a name, with one port", function()
    need.sandbox(pending)
    need.ipv6(pending)
    run(function()
      local server, port = serve("localhost", echo)
      for _, address in ipairs { "127.0.0.1", "::1" } do
        local client = assert(loop.connect(address, port))
        client:write "x\n"
        assert.equal("x", client:read())
        client:close()
      end
      server:close()
    end)
  end)

  it("wakes who accepts when it is closed, and ends clients", function()
    run(function()
      local server = assert(loop.listen("127.0.0.1", 0))
      local waiting = loop.spawn(server.accept, server)
      loop.sleep(0.001)
      server:close()
      fails("ECANCELED", waiting:join())
      local iterate, state = server:clients()
      assert.is_nil(iterate(state))
    end)
  end)

  it("fails as bind does", function()
    run(function()
      local server = assert(loop.listen("127.0.0.1", 0))
      local port = server:info("socket").port
      assert.same({ nil, "127.0.0.1:" .. port .. ": Address already in use", "EADDRINUSE" },
        { loop.listen("127.0.0.1", port) })
      assert.same({ nil, "192.0.2.1:0: Cannot assign requested address", "EADDRNOTAVAIL" },
        { loop.listen("192.0.2.1", 0) })
      server:close()
    end)
  end)
end)

describe("loop.serve", function()
  it("closes a client when its handler ends, or dies", function()
    local before, told = loop.onerror, nil
    loop.onerror = function(_, trace) told = trace end
    run(function()
      local server, port = serve("127.0.0.1", function(client)
        if client:read() == "die" then error "the handler dies" end
      end)
      for _, line in ipairs { "end", "die" } do
        local client = assert(loop.connect("127.0.0.1", port))
        client:write(line, "\n")
        assert.equal("", client:read "a")
        client:close()
      end
      server:close()
    end)
    loop.onerror = before
    assert.truthy(told:find("the handler dies", 1, true))
  end)

  it("takes no more clients at once than its limit", function()
    run(function()
      local most, now = 0, 0
      local server, port = serve("127.0.0.1", function(client)
        now = now + 1
        most = math.max(most, now)
        client:read()
        while most < 3 and loop.sleep(0.001) do end -- until there are as many as there may be
        loop.sleep(0.001)
        now = now - 1
      end, { limit = 3 })
      local tasks = {}
      for i = 1, 10 do
        tasks[i] = loop.spawn(function()
          local client = assert(loop.connect("127.0.0.1", port))
          client:write "x\n"
          client:read "a"
          client:close()
        end)
      end
      for _, task in ipairs(tasks) do task:join() end
      assert.equal(3, most)
      server:close()
    end)
  end)

  it("lets its handlers end when it is closed, and cuts off the rest", function()
    run(function()
      local results, begun = {}, 0
      local function handler(client)
        begun = begun + 1
        local line, _, name = client:read()
        results[#results + 1] = line or name
      end
      local function await_handler(count)
        while begun < count do assert(loop.sleep(0.001)) end
      end
      local server, port = serve("127.0.0.1", handler)
      local one = assert(loop.connect("127.0.0.1", port))
      loop.spawn(function()
        loop.sleep(0.002)
        one:write "done\n"
      end)
      await_handler(1)
      assert.is_true(server:close(helper.patience))
      assert.same({ "done" }, results)
      assert.equal("ECONNREFUSED", select(3, loop.connect("127.0.0.1", port)))

      server, port = serve("127.0.0.1", handler)
      local two = assert(loop.connect("127.0.0.1", port))
      await_handler(2)
      assert.is_false(server:close(0.002))
      assert.equal("", two:read "a")
      loop.sleep(0)
      assert.same({ "done", "ECANCELED" }, results)
      one:close()
      two:close()
    end)
  end)

  it("takes another port where the system's choice is taken at the next address, but not for ever", function()
    need.sandbox(pending)
    need.injection(pending)
    need.ipv6(pending)
    local function listen(when) return helper.run(helper.inject("bind", "EADDRINUSE:when=" .. when, "loopboth")) end
    assert.same({ "2\n", 0 }, { listen "2" })
    assert.same({ "2\n", 0 }, { listen "2..6+2" })
    local output, status = listen "2+2"
    assert.equal(0, status)
    assert.truthy(output:find("^127.0.0.1:%d+: Address already in use\tEADDRINUSE\n$")
      or output:find("^%[::1%]:%d+: Address already in use\tEADDRINUSE\n$"), output)
  end)

  it("goes on when there are no descriptors for a while", function()
    helper.need.proc(pending)
    need.injection(pending)
    local output, status = helper.run(helper.inject("accept4,accept", "EMFILE:when=1..3", "loopserve"))
    assert.same({ "lsocket.loop: accept: Too many open files\nhello\n", 0 }, { output, status })
  end)

  it("goes on when accept hands on what has become of a connection", function()
    helper.need.proc(pending)
    need.injection(pending)
    for _, name in ipairs { "ETIMEDOUT", "EOPNOTSUPP", "EINVAL", "ENETDOWN", "EPROTO", "ECONNABORTED" } do
      local output, status = helper.run(helper.inject("accept4,accept", name .. ":when=1..3", "loopserve"))
      local told = name == "EINVAL" and "lsocket.loop: accept: Invalid argument\n" or ""
      assert.same({ name, told .. "hello\n", 0 }, { name, output, status })
    end
  end)

  it("says so when it can accept no more", function()
    local before, told = loop.onerror, nil
    loop.onerror = function(_, trace) told = trace end
    run(function()
      local server = serve("127.0.0.1", echo)
      loop.sleep(0)
      server.gate.watches[1].object:shutdown() -- on Linux it does not listen any more
      local listening = server.gate.watches[1].object:getopt "acceptconn"
      while not told and not listening and loop.sleep(0.001) do end
      server:close()
      if listening then pending "a socket that was shut down listens here" end
      assert.truthy(told and told:find("cannot accept any more", 1, true))
    end)
    loop.onerror = before
  end)
end)
