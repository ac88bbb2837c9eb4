-- What streams with TLS read and write, how they end, and how they begin in the middle of a connection: starttls.
local loop = require "lsocket.loop"
local lsocket = require "lsocket"
local stream = require "lsocket.stream"
local certs = require "spec.tls.certs"
local helper = require "spec.helper"
local inloop = require "spec.inloop"
local tlsloop = require "spec.tls.inloop"

local raises = helper.raises

local case = certs.case(it, pending)

local function fails(name, ok, message, got)
  assert.is_nil(ok)
  assert.equal(name, got, message)
end

-- Calls a function with both ends of a connection, and closes them.
local function between(fn, options)
  tlsloop.run(function()
    local near, far = tlsloop.pair(options)
    fn(near, far)
    near:close()
    far:close()
  end)
end

-- So many bytes of which no part is like another one.
local function bytes(count)
  local parts = {}
  for i = 1, count / 8 do parts[i] = ("%08x"):format(i) end
  return table.concat(parts)
end

-- Ends a stream's socket as the collector does, to which the poller leaves what nobody waits for.
local function collect(one)
  local sock = one:getsocket()
  inloop.rest()
  getmetatable(sock).__gc(sock)
end

describe("a stream with TLS", function()
  case("passes on what is written, in any sizes, in both directions at the same time", function()
    between(function(near, far)
      local data = bytes(helper.scale(1000000))
      loop.group(function(group)
        for from, to in pairs { [near] = far, [far] = near } do
          group:spawn(function()
            local at, size = 1, 1
            while at <= #data do
              assert(from:write(data:sub(at, at + size - 1)))
              at, size = at + size, size % 70000 * 3 + 1
            end
            assert(from:shutdown "w")
          end)
          group:spawn(function() assert.truthy(to:read "a" == data) end)
        end
      end)
      assert.is_true(near:status())
    end)
  end)

  case("reads what a record holds piece by piece, without the kernel", function()
    between(function(near, far)
      near:write(bytes(16000))
      local all = bytes(16000)
      for at = 1, 160, 16 do assert.equal(all:sub(at, at + 15), far:readsome(16)) end
      assert.equal("r", loop.wait(far, "r", 0))
      assert.same({ far }, loop.select({ far }, 0))
      assert.equal(all:sub(161, 170), far:readexactly(10))
      assert.truthy(far:buffered() > 10000)
      assert.equal(all:sub(171), far:read(15830))
      assert.is_false(loop.wait(far, "r", 0.01))
    end)
  end)

  case("keeps the order of tasks that write, and has all that they have written", function()
    between(function(near, far)
      near:setopt("sndbuf", 4096)
      local tasks = {}
      for i = 1, 5 do tasks[i] = loop.spawn(near.write, near, tostring(i):rep(50000)) end
      for i = 1, 5 do assert.equal(tostring(i):rep(50000), far:read(50000)) end
      for _, task in ipairs(tasks) do assert.is_true(task:join()) end
    end)
  end)

  case("counts what has been taken of a write that is cut off: the rest can follow", function()
    between(function(near, far)
      near:setopt("sndbuf", 4096)
      local data, at, cut = bytes(helper.scale(1000000)), 1, 0
      local reader = loop.spawn(far.read, far, #data)
      while at <= #data do
        local ok, _, name, taken = loop.deadline(0.0005, near.write, near, data:sub(at))
        if ok then break end
        assert.equal("ETIMEDOUT", name)
        at, cut = at + taken, cut + 1
      end
      assert.truthy(near:write "") -- what was counted has left
      assert.truthy(reader:join() == data)
    end)
  end)

  case("sends a file, all of which has left when it returns", function()
    local content = bytes(helper.scale(500000))
    local path = helper.file(content)
    between(function(near, far)
      near:setopt("sndbuf", 4096)
      local file = assert(io.open(path))
      local task = loop.spawn(function()
        local sent = near:sendfile(file, 8)
        return sent, near:read() -- waits for an answer, and writes nothing more
      end)
      loop.sleep(0.01)
      assert.truthy(far:read(#content - 8) == content:sub(9))
      far:write "thanks\n"
      assert.same({ #content - 8, "thanks" }, { task:join() })
      file:close()
    end)
    helper.remove_paths()
  end)

  case("ends one direction, and still reads the other one", function()
    between(function(near, far)
      near:setopt("sndbuf", 4096)
      local question = bytes(helper.scale(300000))
      local asking = loop.spawn(function() return near:write(question), near:shutdown "w" end)
      assert.truthy(far:read "a" == question)
      assert.same({ true, true }, { asking:join() })
      fails("EPIPE", near:write "more")
      assert.is_true(far:write "an answer\n")
      assert.equal("an answer", near:read())
      far:close()
      assert.is_nil(near:read())
      assert.is_true(near:status())
    end)
  end)

  case("does not take for whole what was cut off", function()
    between(function(near, far)
      far:write "half a li"
      collect(far)
      local line, cut = near:readuntil "\n"
      assert.same({ "half a li", true }, { line, cut })
      for _ = 1, 2 do fails("ETLS_TRUNCATED", near:read "a") end
      fails("ETLS_TRUNCATED", near:status())
    end)
  end)

  case("takes an end for one that was not announced, if the context says so", function()
    tlsloop.run(function()
      local server, port = tlsloop.serve(function(client)
        client:write "all of it"
        collect(client)
      end)
      local client = assert(tlsloop.connect(port, { tls = certs.client { eof = "any" } }))
      assert.equal("all of it", client:read "a")
      assert.is_nil(client:read())
      assert.is_true(client:status())
      client:close()
      server:close()
    end)
  end)

  case("is closed with a grace: what was written arrives, whatever still comes", function()
    between(function(near, far)
      near:setopt("sndbuf", 4096)
      local answer = bytes(helper.scale(300000))
      local sending = loop.spawn(function() return far:write(bytes(helper.scale(1000000))) end)
      local closing = loop.spawn(function()
        assert(near:write(answer))
        return near:close(helper.patience)
      end)
      assert.truthy(far:read "a" == answer)
      sending:join()
      far:close()
      assert.is_true(closing:join())
    end)
  end)

  case("is closed with a grace that ends", function()
    between(function(near, far)
      local answer = ("x"):rep(1000)
      near:write(answer)
      assert.is_false(near:close(0.01))
      assert.truthy(far:read "a" == answer)
      assert.is_true(far:status())
    end)
  end)

  case("says at its end that this was all, but not where an error ends its block", function()
    local load = loadstring or load
    local block = load "local stream, fails = ... local one <close> = stream if fails then error('a mistake', 0) end"
    if not block then pending "needs Lua 5.4" end
    for _, is_wrong in ipairs { false, true } do
      between(function(near, far)
        pcall(block, far, is_wrong)
        local data, _, name = near:read()
        assert.same({ nil, is_wrong and "ETLS_TRUNCATED" or nil }, { data, name })
      end)
    end
  end)

  case("leaves the task that reads it waiting until it is closed", function()
    between(function(near)
      local task = loop.spawn(near.read, near)
      inloop.rest()
      near:close()
      fails("ECANCELED", task:join())
      fails("EBADF", near:read())
      fails("EBADF", near:write "x")
      assert.is_true(near:close())
    end)
  end)

  case("has the limits of other streams", function()
    between(function(near, far)
      far:settimeout(0.01)
      fails("ETIMEDOUT", far:read())
      near:write(("x"):rep(2000000))
      fails("EMSGSIZE", far:read())
    end)
  end)
end)

describe("a socket with TLS of the program's own", function()
  local function sockets()
    local near, far = assert(lsocket.pair())
    assert(tlsloop.client_context():start(near, "good.example"))
    assert(tlsloop.server_context():start(far))
    return near, far
  end

  case("becomes a stream before, in and after the handshake", function()
    for _, steps in ipairs { 0, 1, 10 } do
      tlsloop.run(function()
        local near, far = sockets()
        for _ = 1, steps do
          near:handshake()
          far:handshake()
        end
        local from, to = stream.new(near), stream.new(far)
        local task = loop.spawn(function() return from:write "hello\n" and from:read() end)
        assert.equal("hello", to:read())
        assert.is_true(to:write "goodbye\n")
        assert.equal("goodbye", task:join())
        from:close()
        to:close()
      end)
    end
  end)

  case("waits when it is wrapped, for the handshake, too", function()
    tlsloop.run(function()
      local near, far = sockets()
      local from, to = loop.wrap(near), loop.wrap(far)
      near:setopt("sndbuf", 4096)
      local data = bytes(helper.scale(300000))
      local task = loop.spawn(function()
        assert(from:handshake())
        local sent = 0
        while sent < #data do sent = sent + from:send(data:sub(sent + 1)) end
        return from:shutdown "w"
      end)
      assert.is_true(to:handshake())
      local parts, part = {}, to:recv()
      while part do
        parts[#parts + 1] = part
        part = to:recv()
      end
      assert.truthy(table.concat(parts) == data)
      assert.is_true(task:join())
      assert.same({ true, 0 }, { from:tls().verified, to:pending() })
      from:close()
      to:close()
    end)
  end)
end)

describe("stream:starttls", function()
  -- Calls functions with the two ends of a connection without TLS, each in a task: what they return.
  local function on_both(client, server)
    local results = {}
    tlsloop.run(function()
      local near, far = tlsloop.plain_pair()
      local function act(name, fn, one)
        results[name] = helper.pack(fn(one))
        one:close()
      end
      local task = loop.spawn(act, "server", server, far)
      act("client", client, near)
      task:join()
    end)
    return results
  end

  local function serve(far)
    assert.equal("STARTTLS", far:read())
    far:write "go ahead\n"
    local ok, message, name = far:starttls(tlsloop.server_context())
    if not ok then return ok, message, name end
    far:write("you said ", far:read(), "\n")
    return true
  end

  case("begins TLS in the middle of a connection", function()
    local results = on_both(function(near)
      near:write "STARTTLS\n"
      assert.equal("go ahead", near:read())
      assert.is_true(near:starttls(tlsloop.client_context(), "good.example"))
      assert.is_true(near:tls().verified)
      near:write "hello\n"
      return near:read()
    end, serve)
    assert.same({ "you said hello", true }, { results.client[1], results.server[1] })
  end)

  for _, engine in ipairs { "poller", "ring" } do
    case("begins TLS in the turn in which other tasks have written, with a " .. engine, function()
      if not loop.engine(engine) then pending "no ring here" end
      finally(function() loop.engine "poller" end)
      local results = on_both(function(near)
        near:write "STARTTLS\n"
        assert.equal("go ahead", near:read())
        return near:starttls(tlsloop.client_context(), "good.example")
      end, function(far)
        far:read()
        loop.spawn(far.write, far, "go ")
        local writer = loop.spawn(far.write, far, "ahead\n")
        local starting = loop.spawn(far.starttls, far, tlsloop.server_context())
        return writer:join() and starting:join()
      end)
      assert.same({ true, true }, { results.client[1], results.server[1] })
    end)
  end

  case("takes for TLS what came together with the last line", function()
    local results = on_both(function(near)
      near:write "STARTTLS\n"
      local ok = near:starttls(tlsloop.client_context(), "good.example") -- without waiting for the answer
      return ok
    end, function(far)
      assert.equal("STARTTLS", far:peek(8)) -- the handshake's first bytes are there, too, perhaps
      loop.sleep(0.01)
      far:readsome(9)
      return far:starttls(tlsloop.server_context())
    end)
    assert.same({ true, true }, { results.client[1], results.server[1] })
  end)

  case("does not take for encrypted what was put in before", function()
    local results = on_both(function(near)
      near:write "STARTTLS\nRCPT TO:<somebody@example>\n"
      assert.equal("go ahead", near:read())
      return near:starttls(tlsloop.client_context(), "good.example")
    end, serve)
    assert.equal("ETLS_NOTTLS", results.server[3])
    assert.is_nil(results.client[1])
    results = on_both(function(near)
      near:write "STARTTLS\n"
      assert.equal("go ahead", near:read())
      return near:starttls(tlsloop.client_context(), "good.example")
    end, function(far)
      far:read()
      far:write "go ahead\n250 everything is fine\n"
      return far:starttls(tlsloop.server_context())
    end)
    assert.equal("ETLS_NOTTLS", results.client[3])
    assert.is_nil(results.server[1])
  end)

  case("does not go on without TLS when it has failed", function()
    on_both(function(near)
      near:write "STARTTLS\n"
      near:read()
      fails("ETLS_NAME", near:starttls(tlsloop.client_context(), "other.example"))
      fails("ETLS_NAME", near:write "a secret")
      fails("ETLS_NAME", near:read())
      fails("ETLS_NAME", near:handshake())
      raises("the stream has TLS already", near.starttls, near, tlsloop.client_context(), "good.example")
      return true
    end, serve)
  end)

  case("goes on with the next call where it was cut off", function()
    local results = on_both(function(near)
      fails("ETIMEDOUT", loop.deadline(0.01, near.starttls, near, tlsloop.client_context(), "good.example"))
      return near:write "hello\n" and near:read()
    end, function(far)
      loop.sleep(0.05)
      assert.is_true(far:starttls(tlsloop.server_context()))
      return far:write(far:read(), "\n")
    end)
    assert.equal("hello", results.client[1])
  end)

  case("raises for arguments that are wrong, and changes nothing", function()
    tlsloop.run(function()
      local near, far = tlsloop.plain_pair()
      local client = tlsloop.client_context()
      far:write "one\ntwo\n"
      assert.equal("one", near:read())
      for _, wrong in ipairs { false, "yes", {}, near } do
        raises("bad argument #1 to 'starttls' (TLS context expected, got ", near.starttls, near, wrong or nil)
      end
      raises("bad argument #2 to 'starttls' (host", near.starttls, near, client)
      for _, wrong in ipairs { "", "\0", "b\195\188cher.example", {} } do
        raises("bad argument #2 to 'starttls' (host", near.starttls, near, client, wrong)
      end
      local task = loop.spawn(far.read, far)
      inloop.rest()
      raises("another task is reading from it", far.starttls, far, tlsloop.server_context())
      task:cancel()
      assert.equal("two", near:read())
      near:close()
      fails("EBADF", near:starttls(client, "good.example"))
      far:close()
    end)
  end)
end)

describe("a proxy that speaks TLS on one side", function()
  local function copy(from, to)
    local data = from:readsome()
    while data and to:write(data) do data = from:readsome() end
    if from:status() then to:shutdown "w" end
  end

  case("passes on the end of each direction", function()
    tlsloop.run(function()
      local inner = assert(loop.serve("127.0.0.1", 0, function(client)
        local question = client:read "a"
        client:write("you said ", question:upper())
      end))
      local outer, port = tlsloop.serve(function(client)
        local server = tlsloop.plain(inner:info("socket").port)
        local task = loop.spawn(copy, client, server)
        copy(server, client)
        task:join()
        server:close()
      end)
      local question = bytes(200000):gsub("%d", "x")
      local client = assert(tlsloop.connect(port))
      local task = loop.spawn(function() return client:write(question) and client:shutdown "w" end)
      assert.truthy(client:read "a" == "you said " .. question:upper())
      assert.is_true(task:join())
      client:close()
      outer:close(helper.patience)
      inner:close(helper.patience)
    end)
  end)
end)

describe("connections with TLS that are open at the same time", function()
  case("are a thousand, and take little memory", function()
    helper.need.proc(pending)
    local count = tonumber(os.getenv "LS_CONNECTIONS") or helper.scale(1000)
    certs.path "root.pem" -- made once
    local limit = ("ulimit -n %d 2> /dev/null || exit 3; "):format(2 * count + 200)
    local output, status = helper.run(limit .. helper.command("tlsidle", count))
    if status == 3 then pending "needs more descriptors than this process may have" end
    assert.equal(0, status, output)
    local number, bytes_of_each = output:match "^(%d+) connections, (%d+) bytes\n$"
    assert.equal(count, tonumber(number), output)
    if not helper.slow then assert.truthy(tonumber(bytes_of_each) < 65536, output) end
  end)
end)
