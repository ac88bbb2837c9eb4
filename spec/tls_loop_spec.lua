-- Handshakes in the loop: loop.connect, loop.listen and what is not verified. Servers are in tls_serve_spec.lua, what
-- is read and written in tls_stream_spec.lua.
local loop = require "lsocket.loop"
local lsocket = require "lsocket"
local stream = require "lsocket.stream"
local certs = require "spec.tls.certs"
local helper = require "spec.helper"
local inloop = require "spec.inloop"
local tlsloop = require "spec.tls.inloop"

local raises = helper.raises

local case = certs.case(it, pending)

-- The results must be nil, a text that has this in it, and the name.
local function fails(name, text, ok, message, got)
  assert.is_nil(ok)
  assert.equal(name, got, message)
  assert.truthy(message:find(text, 1, true), message)
end

-- Serves with a certificate, and calls a function with the port; the names of the handshakes that failed.
local function against(certificate, fn)
  local names = {}
  tlsloop.run(function()
    local server, port = tlsloop.serve(function(client) client:write "hello\n" end, {
      tls = certs.server(certificate), onfailure = function(_, name) names[#names + 1] = name end,
    })
    fn(port)
    server:close(helper.patience)
  end)
  return names
end

describe("loop.connect with TLS", function()
  case("gives a stream whose other end is verified", function()
    against("good", function(port)
      local client = assert(tlsloop.connect(port))
      assert.is_true(client:handshake())
      local facts = client:tls()
      assert.same({ true, false, "127.0.0.1" }, { facts.verified, facts.server, facts.name })
      assert.same({ "good.example", "localhost" }, client:tls "peer".names)
      assert.equal("hello", client:read())
      assert.is_nil(client:read())
      assert.is_true(client:status())
      client:close()
    end)
  end)

  case("verifies the host, or the name that it is told", function()
    local names = against("other", function(port)
      fails("ETLS_NAME", ("127.0.0.1:%d: "):format(port), tlsloop.connect(port))
      fails("ETLS_NAME", ("localhost:%d: "):format(port),
        loop.connect("localhost", port, { tls = tlsloop.client_context(), family = "inet" }))
      fails("ETLS_NAME", "", tlsloop.connect(port, { tlsname = "good.example" }))
      local client = assert(tlsloop.connect(port, { tlsname = "other.example" }))
      assert.equal("other.example", client:tls().name)
      client:close()
    end)
    assert.same({ "ETLS_ALERT", "ETLS_ALERT", "ETLS_ALERT" }, names)
  end)

  case("trusts the system's roots if nothing else is said", function()
    against("good", function(port)
      fails("ETLS_UNTRUSTED", "", tlsloop.connect(port, { tls = true, tlsname = "good.example" }))
    end)
    against("self", function(port) fails("ETLS_SELFSIGNED", "", tlsloop.connect(port, { tls = true })) end)
  end)

  case("has no stream that is not verified, unless the context says so", function()
    against("expired", function(port)
      fails("ETLS_EXPIRED", "", tlsloop.connect(port, { tlsname = "good.example" }))
      local client = assert(tlsloop.connect(port, { tls = certs.client { verify = false } }))
      assert.is_false(client:tls().verified)
      assert.equal("hello", client:read())
      client:close()
    end)
  end)

  case("knows a server that does not speak TLS", function()
    tlsloop.run(function()
      for _, text in ipairs { "220 mail ready\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n" } do
        local server = assert(loop.serve("127.0.0.1", 0, function(client)
          client:write(text)
          client:readsome()
        end))
        fails("ETLS_NOTTLS", "", tlsloop.connect(server:info("socket").port))
        assert.is_true(server:close(helper.patience))
      end
    end)
  end)

  case("ends with its time, also in the middle of the handshake", function()
    tlsloop.run(function()
      local server = assert(loop.listen("127.0.0.1", 0)) -- which accepts nobody
      local port, began = server:info("socket").port, loop.now()
      fails("ETIMEDOUT", "", tlsloop.connect(port, { timeout = 0.05 }))
      fails("ETIMEDOUT", "", loop.deadline(0.05, tlsloop.connect, port))
      assert.truthy(loop.now() - began < helper.patience / 2)
      server:close()
    end)
  end)

  case("ends when its task is cancelled", function()
    tlsloop.run(function()
      local server = assert(loop.listen("127.0.0.1", 0))
      local task = loop.spawn(tlsloop.connect, server:info("socket").port)
      local far = server:accept()
      assert.truthy(far:readsome()) -- it is in the handshake
      task:cancel()
      fails("ECANCELED", "", task:join())
      assert.truthy(far:read "a")
      far:close()
      server:close()
    end)
  end)

  case("closes what a failed handshake leaves, while others go on", function()
    tlsloop.run(function()
      local good, port = tlsloop.serve(function(client) client:write(client:read(), "\n") end)
      local bad, bad_port = tlsloop.serve(function() end, { tls = certs.server "other" })
      loop.group(function(group)
        for i = 1, 20 do
          group:spawn(function()
            if i % 2 == 0 then return fails("ETLS_NAME", "", tlsloop.connect(bad_port)) end
            local client = assert(tlsloop.connect(port))
            client:write(i, "\n")
            assert.equal(tostring(i), client:read())
            client:close()
          end)
        end
      end)
      good:close()
      bad:close()
    end)
  end)

  case("takes a path, with a name to verify", function()
    local path = helper.path()
    tlsloop.run(function()
      local server = assert(loop.serve(path, function(client) client:write "hello\n" end,
        { tls = tlsloop.server_context() }))
      local client = assert(loop.connect(path, nil, { tls = tlsloop.client_context(), tlsname = "good.example" }))
      assert.equal("hello", client:read())
      client:close()
      local bare = certs.client { verify = false }
      client = assert(loop.connect(path, nil, { tls = bare }))
      assert.equal("hello", client:read())
      client:close()
      server:close()
    end)
    helper.remove_paths()
  end)

  case("raises for arguments that are wrong, before anything is opened", function()
    inloop.run(function()
      local client, server = tlsloop.client_context(), tlsloop.server_context()
      local function connect(host, options) return loop.connect(host, 1, options) end
      for _, wrong in ipairs { "yes", 1, {}, server } do
        raises("bad argument #3 to 'connect' (tls: true or client context expected)", connect, "x", { tls = wrong })
      end
      for _, wrong in ipairs { "", "\0", "b\195\188cher.example", ".example", "a..b", "a%:b", 1 } do
        raises("bad argument #3 to 'connect' (tlsname: a name in ASCII or an address expected)",
          connect, "x", { tls = client, tlsname = wrong })
      end
      raises("bad argument #3 to 'connect' (tlsname: tls is not set)", connect, "x", { tlsname = "x" })
      raises("bad argument #3 to 'connect' (tlsname: a path has no name", connect, "/x", { tls = client })
      raises("bad argument #3 to 'connect' (tlsname: a path has no name", connect, "@x", { tls = true })
      raises("bad argument #1 to 'connect' (tls: a name in ASCII", connect, "b\195\188cher.example", { tls = client })
      local near = assert(lsocket.pair())
      raises("bad argument #2 to 'new' (tls: no option here", stream.new, near, { tls = client })
      near:close()
    end)
  end)
end)

describe("a stream of a server with TLS", function()
  -- Calls a function with the stream of a client whose handshake has not begun; the client is a task that connects and
  -- then does something.
  local function accept(fn, with_client, options)
    tlsloop.run(function()
      local server, port = tlsloop.listen(options)
      local task = loop.spawn(function()
        local client, message = tlsloop.connect(port)
        if not client then return message end
        with_client(client)
        client:close()
      end)
      local far = assert(server:accept())
      fn(far, task)
      far:close()
      task:join()
      server:close()
    end)
  end

  local function write_lines(client) assert(client:write("one\ntwo\n", ("x"):rep(100), "\nlast")) end

  local reads = {
    read = function(far) return far:read() end,
    readsome = function(far) return far:readsome(3) end,
    readuntil = function(far) return far:readuntil "\n" end,
    readexactly = function(far) return far:readexactly(3) end,
    peek = function(far) return far:peek(3) end,
    lines = function(far)
      local next_line, state = far:lines()
      return next_line(state)
    end,
  }

  case("is there at once, and each way to read finishes the handshake", function()
    for name, read in pairs(reads) do
      accept(function(far)
        assert.same({ nil, "TLS handshake not finished", "ENOTCONN" }, { far:tls() })
        assert.equal("one", read(far), name)
        assert.is_true(far:tls().server)
        assert.is_true(far:handshake())
      end, write_lines)
    end
  end)

  case("so does writing, sending a file and shutting down", function()
    local path = helper.file "one\n"
    for name, write in pairs {
      write = function(far) assert.is_true(far:write "one\n") end,
      shutdown = function(far) assert.is_true(far:shutdown "w") end,
      sendfile = function(far)
        local file = assert(io.open(path))
        assert.equal(4, far:sendfile(file))
        file:close()
      end,
    } do
      accept(write, function(client)
        assert.equal(name ~= "shutdown" and "one" or nil, client:read())
        assert.is_true(client:status())
      end)
    end
    helper.remove_paths()
  end)

  case("iterates over lines from the handshake on, and keeps why it failed", function()
    accept(function(far)
      local found = {}
      local next_line, state = far:lines "L"
      for i = 1, 4 do found[i] = #next_line(state) end
      assert.is_nil(next_line(state))
      assert.same({ 4, 4, 101, 4 }, found)
      assert.is_true(far:status())
    end, write_lines)
    tlsloop.run(function()
      local server, port = tlsloop.listen()
      local client = tlsloop.plain(port)
      client:write "GET / HTTP/1.1\r\n\r\n"
      local far = server:accept()
      local next_line, state = far:lines()
      fails("ETLS_NOTTLS", "", next_line(state))
      fails("ETLS_NOTTLS", "", far:status())
      far:close()
      client:close()
      server:close()
    end)
  end)

  case("sends nothing that is not encrypted", function()
    tlsloop.run(function()
      local server, port = tlsloop.listen()
      local client = tlsloop.plain(port)
      local far = server:accept()
      fails("ETIMEDOUT", "", loop.deadline(0.02, far.write, far, "a secret"))
      far:close()
      assert.equal("", client:read "a")
      client:close()
      server:close()
    end)
  end)

  case("fails with the same, each time, when the handshake has failed", function()
    tlsloop.run(function()
      local server, port = tlsloop.listen()
      local client = tlsloop.plain(port)
      client:write(("no TLS at all\n"):rep(100))
      local far = server:accept()
      for _ = 1, 2 do
        fails("ETLS_NOTTLS", "", far:handshake())
        fails("ETLS_NOTTLS", "", far:read())
        fails("ETLS_NOTTLS", "", far:peek(1))
        fails("ETLS_NOTTLS", "", far:shutdown "w")
        fails("ETLS_NOTTLS", "", far:status())
        assert.equal(0, select(4, far:write "x"))
      end
      assert.is_true(far:close(1))
      fails("EBADF", "", far:handshake())
      client:close()
      server:close()
    end)
  end)

  case("goes on with a handshake that was cut off", function()
    tlsloop.run(function()
      local server, port = tlsloop.listen()
      local relay = assert(loop.listen("127.0.0.1", 0))
      local client = loop.spawn(tlsloop.connect, relay:info("socket").port)
      local near, up = relay:accept(), tlsloop.plain(port)
      local far = server:accept()
      local hello = near:readsome()
      up:write(hello:sub(1, 20))
      fails("ETIMEDOUT", "", loop.deadline(0.02, far.handshake, far))
      local task = loop.spawn(far.read, far)
      inloop.rest()
      task:cancel()
      fails("ECANCELED", "", task:join())
      up:write(hello:sub(21))
      loop.spawn(function()
        local data = up:readsome()
        while data and near:write(data) do data = up:readsome() end
      end)
      loop.spawn(function()
        local data = near:readsome()
        while data and up:write(data) do data = near:readsome() end
      end)
      assert.is_true(far:handshake())
      local ended = client:join()
      ended:write "hello\n"
      assert.equal("hello", far:read())
      for _, one in ipairs { ended, far, near, up, relay, server } do one:close() end
    end)
  end)

  case("serves a task that reads and others that write, which all come to the handshake", function()
    accept(function(far)
      local lines = {}
      loop.group(function(group)
        group:spawn(function() lines[1], lines[2] = far:read("l", "l") end)
        for i = 1, 3 do group:spawn(function() assert(far:write(i, "\n")) end) end
      end)
      assert.same({ "one", "two" }, lines)
    end, function(client)
      write_lines(client)
      local found = { client:read(), client:read(), client:read() }
      table.sort(found)
      assert.same({ "1", "2", "3" }, found)
    end)
  end)

  case("wakes those who wait in the handshake when it is closed", function()
    tlsloop.run(function()
      local server, port = tlsloop.listen()
      local client = tlsloop.plain(port)
      local far = server:accept()
      local tasks = { loop.spawn(far.handshake, far), loop.spawn(far.read, far), loop.spawn(far.write, far, "x") }
      inloop.rest()
      far:close()
      for _, task in ipairs(tasks) do fails("ECANCELED", "", task:join()) end
      fails("EBADF", "", far:read())
      client:close()
      server:close()
    end)
  end)

  case("passes the turn on when the task in the handshake is cancelled", function()
    tlsloop.run(function()
      local server, port = tlsloop.listen()
      local connection = assert(lsocket.connect("127.0.0.1", port))
      local far = server:accept()
      local first, second = loop.spawn(far.read, far), loop.spawn(far.read, far)
      inloop.rest()
      first:cancel()
      fails("ECANCELED", "", first:join())
      assert(tlsloop.client_context():start(connection, "good.example"))
      local client = stream.new(connection)
      assert(client:handshake())
      client:write "for the second\n"
      assert.equal("for the second", second:join())
      client:close()
      far:close()
      server:close()
    end)
  end)

  case("waits no longer than its time-out for each step of the handshake", function()
    tlsloop.run(function()
      local server, port = tlsloop.listen { timeout = 0.02 }
      local client = tlsloop.plain(port)
      local far = server:accept()
      fails("ETIMEDOUT", "", far:handshake())
      far:settimeout(false)
      local task = loop.spawn(far.handshake, far)
      inloop.rest()
      far:settimeout(0.02) -- for the wait that is under way, too
      fails("ETIMEDOUT", "", task:join())
      far:close()
      client:close()
      server:close()
    end)
  end)

  case("pauses for a context to be chosen", function()
    local asking = certs.server("other", { ask = true })
    accept(function(far)
      assert.same({ false, "hello" }, { far:handshake() })
      assert.same({ false, "hello" }, { far:handshake() })
      local ok, problem = loop.pcall(far.read, far)
      assert.is_false(ok)
      assert.truthy(problem:find("the handshake waits for the context to be chosen", 1, true), problem)
      assert.is_true(far:getsocket():choose(tlsloop.server_context()))
      assert.is_true(far:handshake())
      assert.equal("one", far:read())
    end, write_lines, { tls = asking })
  end)
end)

describe("a server with TLS", function()
  case("takes no other contexts than those of servers", function()
    inloop.run(function()
      local client = tlsloop.client_context()
      for _, wrong in ipairs { true, "yes", {}, client } do
        raises("bad argument #3 to 'listen' (tls: server context expected)",
          loop.listen, "127.0.0.1", 0, { tls = wrong })
        raises("bad argument #4 to 'serve' (tls: server context expected)",
          loop.serve, "127.0.0.1", 0, print, { tls = wrong })
      end
      raises("tlsname: an option of clients", loop.listen, "127.0.0.1", 0, { tlsname = "x" })
      for option, value in pairs { handshake = -1, onfailure = 1, choose = "x" } do
        raises("bad argument #4 to 'serve' (" .. option .. ": ",
          loop.serve, "127.0.0.1", 0, print, { [option] = value })
      end
    end)
  end)

  case("has no options for handshakes that nothing would look at", function()
    inloop.run(function()
      local context, sock = tlsloop.server_context(), assert(lsocket.bind("127.0.0.1", 0))
      for option, value in pairs { handshake = 1, onfailure = print, choose = print } do
        local unset = ("bad argument #4 to 'serve' (%s: tls is not set)"):format(option)
        raises(unset, loop.serve, "127.0.0.1", 0, print, { [option] = value })
        raises(unset, loop.serve, "127.0.0.1", 0, print, { tls = false, [option] = value })
        local other = ("(%s: an option of serve)"):format(option)
        for _, tls in ipairs { context, false } do
          raises("bad argument #3 to 'listen' " .. other, loop.listen, "127.0.0.1", 0, { tls = tls, [option] = value })
        end
        for _, tls in ipairs { tlsloop.client_context(), true, false } do
          raises("bad argument #3 to 'connect' " .. other,
            loop.connect, "localhost", 1, { tls = tls, [option] = value })
        end
        raises("bad argument #2 to 'new' " .. other, stream.new, sock, { [option] = value })
      end
      sock:close()
      raises("bad argument #4 to 'serve' (choose: the context has no ask)",
        loop.serve, "127.0.0.1", 0, print, { tls = context, choose = print })
    end)
  end)
end)

describe("a stream without TLS", function()
  case("says so", function()
    inloop.run(function()
      local near, far = tlsloop.plain_pair()
      assert.same({ nil, "the socket has no TLS", "EOPNOTSUPP" }, { near:tls() })
      raises("the stream has no TLS: see stream:starttls", near.handshake, near)
      near:close()
      far:close()
    end)
  end)
end)

describe("lsocket.tls", function()
  it("is loaded only where it is asked for", function()
    local program = helper.file [[
      local loop, stream, lsocket = require "lsocket.loop", require "lsocket.stream", require "lsocket"
      loop.run(function()
        local server = assert(loop.serve("127.0.0.1", 0, function(client) client:write "x\n" end))
        local client = assert(loop.connect("127.0.0.1", server:info("socket").port))
        assert(client:read() == "x")
        assert(loop.wrap((lsocket.pair())) and stream.new((lsocket.pair())))
        server:close()
      end)
      for name in pairs(package.loaded) do assert(name ~= "lsocket.tls", name) end
      print "not loaded"]]
    local output, status = helper.run(helper.quote(helper.interpreter) .. " " .. helper.quote(program))
    assert.same({ "not loaded\n", 0 }, { output, status })
    helper.remove_paths()
  end)
end)
