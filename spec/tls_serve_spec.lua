-- Servers with TLS in the loop: loop.serve and the handshakes of its clients.
local loop = require "lsocket.loop"
local lsocket = require "lsocket"
local certs = require "spec.tls.certs"
local helper = require "spec.helper"
local inloop = require "spec.inloop"
local tlsloop = require "spec.tls.inloop"

local case = certs.case(it, pending)

-- A server that answers a line, and keeps what its handler and onfailure were called with.
local function answering(options)
  local seen = { handled = 0, failures = {} }
  local all = { onfailure = function(message, name, address, port)
    assert(type(message) == "string" and address == "127.0.0.1" and port > 0)
    seen.failures[#seen.failures + 1] = name
  end }
  for name, value in pairs(options or {}) do all[name] = value end
  local server, port = tlsloop.serve(function(client)
    seen.handled = seen.handled + 1
    client:write("you said ", client:read(), "\n")
  end, all)
  return server, port, seen
end

-- One request of a client that does everything right.
local function ask(port)
  local client = assert(tlsloop.connect(port))
  client:write "hello\n"
  assert.equal("you said hello", client:read())
  assert.is_nil(client:read())
  client:close()
end

-- What a client sends first: bytes of TLS.
local function hello()
  local near, far = assert(lsocket.pair())
  assert(tlsloop.client_context():start(near, "good.example"))
  near:handshake()
  local data = far:recv()
  near:close()
  far:close()
  return data
end

describe("loop.serve with TLS", function()
  case("calls no handler for a client that is silent, slow, or speaks something else", function()
    tlsloop.run(function()
      local server, port, seen = answering { handshake = 0.05 }
      local first = hello()
      local clients = {
        silent = function() end,
        slow = function(client)
          for i = 1, #first do
            if not client:write(first:sub(i, i)) then break end
            loop.sleep(0.002)
          end
        end,
        stopping = function(client) client:write(first:sub(1, 100)) end,
        http = function(client) client:write "GET / HTTP/1.1\r\nHost: x\r\n\r\n" end,
        zeros = function(client) client:write(("\0"):rep(1000)) end,
        gone = function(client) client:shutdown "w" end,
      }
      for name, act in pairs(clients) do
        local client, began = tlsloop.plain(port), loop.now()
        local task = loop.spawn(act, client)
        client:read "a" -- ends when the server lets go
        assert.truthy(loop.now() - began < helper.patience / 2, name)
        task:cancel()
        client:close()
      end
      ask(port)
      table.sort(seen.failures)
      assert.same({ "ETIMEDOUT", "ETIMEDOUT", "ETIMEDOUT", "ETLS_NOTTLS", "ETLS_NOTTLS", "ETLS_TRUNCATED" },
        seen.failures)
      assert.equal(1, seen.handled)
      assert.is_true(server:close(helper.patience))
    end)
  end)

  case("gives a handshake its time as a whole, however much comes", function()
    tlsloop.run(function()
      local server, port, seen = answering { handshake = 0.05 }
      local client, began = tlsloop.plain(port), loop.now()
      local task = loop.spawn(function()
        client:write "\22\3\1\64\0" -- a record of 16 KiB
        while client:write "\1" do loop.sleep(0.002) end
      end)
      client:read "a"
      assert.truthy(loop.now() - began < helper.patience / 2)
      task:join()
      client:close()
      server:close(helper.patience)
      assert.same({ "ETIMEDOUT", 0 }, { seen.failures[1], seen.handled })
    end)
  end)

  case("counts clients from their handshake on, and lets others in when it has failed", function()
    tlsloop.run(function()
      local server, port, seen = answering { handshake = 0.1, limit = 2 }
      local silent = { tlsloop.plain(port), tlsloop.plain(port) }
      helper.eventually("both are counted", function()
        loop.sleep(0)
        return server:count() == 2
      end)
      ask(port) -- when one of them has been let go
      assert.same({ "ETIMEDOUT", 1 }, { seen.failures[1], seen.handled })
      for _, client in ipairs(silent) do client:close() end
      assert.is_true(server:close(helper.patience))
      assert.equal(0, server:count())
    end)
  end)

  case("goes on serving while many others are in their handshake", function()
    tlsloop.run(function()
      local server, port = answering { handshake = helper.patience }
      local first, silent = hello(), {}
      for i = 1, 50 do
        silent[i] = tlsloop.plain(port)
        silent[i]:write(first:sub(1, i))
      end
      for _ = 1, 10 do ask(port) end
      for _, client in ipairs(silent) do client:close() end
      assert.is_true(server:close(helper.patience))
    end)
  end)

  case("says that a handler has ended only if it has not failed", function()
    local failures = inloop.failures(function()
      tlsloop.run(function()
        for _, grace in ipairs { 0, 5, false } do
          local server, port = tlsloop.serve(function(client)
            client:write "half an answer\n"
            if client:read() == "fail" then error("a mistake", 0) end
          end, { grace = grace or nil })
          for request, failure in pairs { fail = "ETLS_TRUNCATED", succeed = false } do
            local client = assert(tlsloop.connect(port))
            client:write(request, "\n")
            assert.equal("half an answer", client:read())
            local rest, _, name = client:read()
            assert.same({ nil, failure or nil }, { rest, name })
            client:close()
          end
          assert.is_true(server:close(helper.patience))
        end
      end)
    end)
    assert.equal(3, #failures)
    assert.truthy(failures[1]:find("a mistake", 1, true))
  end)

  case("does not say so of handlers that are cut off", function()
    tlsloop.run(function()
      local server, port = tlsloop.serve(function(client)
        client:write "half an answer\n"
        loop.sleep(helper.patience)
      end)
      local client = assert(tlsloop.connect(port))
      assert.equal("half an answer", client:read())
      assert.is_false(server:close(0))
      assert.equal("ETLS_TRUNCATED", select(3, client:read()))
      client:close()
    end)
  end)

  case("leaves a client the time to take what was sent", function()
    tlsloop.run(function()
      local server, port = tlsloop.serve(function(client)
        client:read() -- the rest is refused
        client:write "too much\n"
      end, { grace = helper.patience })
      local client = assert(tlsloop.connect(port))
      local task = loop.spawn(function()
        client:write("POST\n", ("x"):rep(1000000))
        client:shutdown "w"
      end)
      assert.equal("too much", client:read())
      assert.is_nil(client:read())
      task:join()
      client:close()
      assert.is_true(server:close(helper.patience))
    end)
  end)

  case("asks for certificates of clients", function()
    local context = certs.server("good", { clients = "require", cafile = certs.path "root.pem" })
    tlsloop.run(function()
      local failures = {}
      local server, port = tlsloop.serve(function(client)
        client:write(client:tls("peer").names[1], "\n")
      end, { tls = context, onfailure = function(_, name) failures[#failures + 1] = name end })
      local own = certs.client(certs.with("client"))
      local client = assert(tlsloop.connect(port, { tls = own }))
      assert.equal("client.example", client:read())
      client:close()
      -- In TLS 1.3 the client's handshake is over before the server has seen that there is none.
      local other, message, name = tlsloop.connect(port)
      if other then
        other:write(("hello\n"):rep(1000)) -- must not keep it from hearing why
        assert.is_nil(other:read())
        other, message, name = nil, select(2, other:status())
      end
      assert.same({ nil, "ETLS_ALERT" }, { other, name }, message)
      server:close(helper.patience)
      assert.same({ "ETLS_NOCERT" }, failures)
    end)
  end)

  case("has a context chosen for each client", function()
    local contexts = { ["good.example"] = certs.server(), ["other.example"] = certs.server "other" }
    local asked, failures = {}, {}
    local function choose(asking, address, port)
      assert(address == "127.0.0.1" and port > 0)
      asked[#asked + 1] = asking.name or "none"
      loop.sleep(0) -- as if it were loaded
      if asking.name == "slow.example" then return loop.sleep(helper.patience) end
      if asking.name == "wrong.example" then error("a mistake", 0) end
      if not contexts[asking.name] then return nil, "nobody of that name", "ENOENT" end
      return contexts[asking.name]
    end
    local traces = inloop.failures(function()
      tlsloop.run(function()
        local server, port = tlsloop.serve(function(client) client:write(client:tls().name, "\n") end, {
          tls = certs.server("good", { ask = true }), choose = choose, handshake = 0.2,
          onfailure = function(_, name) failures[#failures + 1] = name end,
        })
        for name in pairs(contexts) do
          local client = assert(tlsloop.connect(port, { tlsname = name }))
          assert.equal(name, client:read())
          client:close()
        end
        for _, name in ipairs { "nobody.example", "slow.example", "wrong.example" } do
          assert.is_nil((tlsloop.connect(port, { tlsname = name })))
        end
        assert.is_true(server:close(helper.patience))
      end)
    end)
    assert.equal(5, #asked)
    assert.equal(1, #traces)
    assert.truthy(traces[1]:find("a mistake", 1, true))
    assert.same({ "ENOENT", "ETIMEDOUT" }, failures)
  end)

  case("raises in the client's task if nothing can choose", function()
    local traces = inloop.failures(function()
      tlsloop.run(function()
        local server, port = tlsloop.serve(print, { tls = certs.server("good", { ask = true }) })
        assert.is_nil((tlsloop.connect(port)))
        assert.is_true(server:close(helper.patience))
      end)
    end)
    assert.truthy(traces[1]:find("see the option choose", 1, true))
  end)

  case("closes clients in their handshake when it is cut off", function()
    tlsloop.run(function()
      local server, port, seen = answering()
      local client = tlsloop.plain(port)
      client:write(hello():sub(1, 50))
      helper.eventually("it is accepted", function()
        loop.sleep(0)
        return server:count() == 1
      end)
      inloop.rest() -- it is in the handshake
      assert.is_false(server:close(0))
      client:read "a" -- ends
      client:close()
      helper.eventually("its task has ended", function()
        loop.sleep(0)
        return server:count() == 0
      end)
      assert.same({ "ECANCELED", 0 }, { seen.failures[1], seen.handled })
    end)
  end)

  case("tells the error of an onfailure that fails", function()
    local traces = inloop.failures(function()
      tlsloop.run(function()
        local server, port = tlsloop.serve(print, { onfailure = function() error("in onfailure", 0) end })
        local client = tlsloop.plain(port)
        client:write(("x"):rep(100))
        client:read "a"
        client:close()
        server:close(helper.patience)
      end)
    end)
    assert.equal(1, #traces)
    assert.truthy(traces[1]:find("in onfailure", 1, true))
  end)

  case("takes what a reload has brought for new connections, and keeps the others", function()
    local certificate = helper.file(certs.read "good.pem" .. certs.read "leaf.key")
    local context = assert(certs.tls.server { certfile = certificate })
    tlsloop.run(function()
      local server, port = tlsloop.serve(function(client)
        local line = client:read()
        while line and client:write(line, "\n") do line = client:read() end
      end, { tls = context })
      local before = assert(tlsloop.connect(port, { tlsname = "good.example" }))
      local file = assert(io.open(certificate, "w"))
      file:write(certs.read "other.pem", certs.read "leaf.key")
      file:close()
      assert.is_true(context:reload())
      local after = assert(tlsloop.connect(port, { tlsname = "other.example" }))
      for _, client in ipairs { before, after } do
        client:write "still here\n"
        assert.equal("still here", client:read())
        client:close()
      end
      server:close(helper.patience)
    end)
    helper.remove_paths()
  end)
end)

describe("clients that do what they like", function()
  case("leave nothing, and keep no other one from its answer", function()
    helper.need.proc(pending)
    local count = helper.scale(200)
    local command = helper.command("tlsclients", count, os.time() % 1000000 + 1, certs.path "good.pem",
      certs.path "leaf.key", certs.path "root.pem")
    local output, status = helper.run(command)
    assert.same({ count .. " clients, 0 descriptors more\n", 0 }, { output, status })
  end)
end)
