-- Several tasks that accept from one server, and servers for which the system has no room.
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local lsocket = require "lsocket"
local inloop = require "spec.inloop"

local fails, need, raises = helper.fails, helper.need, helper.raises
local run = inloop.run

local function listen(address)
  local server = assert(loop.listen(address or "127.0.0.1", 0))
  return server, server:info("socket").port
end

-- A client that has sent its name.
local function connect(port, name)
  local client = assert(loop.connect("127.0.0.1", port))
  assert(client:write(name, "\n"))
  return client
end

-- Accepts one client, closes it, and gives the name that it has sent.
local function name_of_next(server)
  local client, message, name = server:accept()
  if not client then return nil, message, name end
  local line = client:read()
  client:close()
  return line
end

describe("tasks that accept from one server", function()
  it("have their turns in the order in which they came", function()
    run(function()
      local server, port = listen()
      local tasks, clients = {}, {}
      for i = 1, 5 do
        tasks[i] = loop.spawn(name_of_next, server)
        loop.sleep(0.001)
      end
      for i = 1, 5 do clients[i] = connect(port, "client " .. i) end
      for i = 1, 5 do
        assert.equal("client " .. i, tasks[i]:join())
        clients[i]:close()
      end
      server:close()
    end)
  end)

  it("get as many clients as each other, when they go on for long", function()
    run(function()
      local server, port = listen()
      local counts, total = {}, 0
      for i = 1, 4 do
        counts[i] = 0
        loop.spawn(function()
          while name_of_next(server) do
            counts[i] = counts[i] + 1
            total = total + 1
          end
        end)
      end
      for i = 1, 40 do
        local client = connect(port, i)
        client:read()
        client:close()
      end
      assert.equal(40, total)
      for i = 1, 4 do assert.is_true(counts[i] >= 5, "task " .. i .. " got " .. counts[i]) end
      server:close()
    end)
  end)

  it("leave the queue by a deadline, and lose no client", function()
    run(function()
      local server, port = listen()
      local first = loop.spawn(name_of_next, server)
      loop.sleep(0.001)
      local second = loop.spawn(loop.deadline, 0.005, name_of_next, server)
      local third = loop.spawn(name_of_next, server)
      fails("ETIMEDOUT", second:join())
      local clients = { connect(port, "a"), connect(port, "b") }
      assert.equal("a", first:join())
      assert.equal("b", third:join())
      for _, client in ipairs(clients) do client:close() end
      server:close()
    end)
  end)

  it("give the turn on when the one that has it is cancelled or overdue", function()
    run(function()
      local server, port = listen()
      local first = loop.spawn(name_of_next, server)
      local second = loop.spawn(loop.deadline, 0.01, name_of_next, server)
      local third = loop.spawn(name_of_next, server)
      loop.sleep(0.001)
      first:cancel()
      fails("ECANCELED", first:join())
      fails("ETIMEDOUT", second:join())
      local client = connect(port, "x")
      assert.equal("x", third:join())
      client:close()
      server:close()
    end)
  end)

  it("give the turn on when it comes to one that was cancelled in the same moment", function()
    run(function()
      local server, port = listen()
      local tasks = {}
      for i = 1, 4 do tasks[i] = loop.spawn(name_of_next, server) end
      loop.sleep(0.001)
      for i = 1, 3 do tasks[i]:cancel() end -- the second is handed the turn before it is cancelled
      for i = 1, 3 do fails("ECANCELED", tasks[i]:join()) end
      local client = connect(port, "x")
      assert.equal("x", tasks[4]:join())
      client:close()
      server:close()
    end)
  end)

  it("are all told when the server is closed", function()
    for _, address in ipairs { "127.0.0.1", "localhost" } do
      if address == "localhost" then need.ipv6(pending) end
      run(function()
        local server = listen(address)
        local tasks = {}
        for i = 1, 5 do tasks[i] = loop.spawn(server.accept, server) end
        loop.sleep(0.001)
        assert.is_true(server:close())
        for i = 1, 5 do fails("ECANCELED", tasks[i]:join()) end
        fails("EBADF", server:accept())
        assert.is_true(server:close())
      end)
    end
  end)

  it("are told when another one of them closes it", function()
    run(function()
      local server, port = listen()
      local tasks = {}
      for i = 1, 3 do
        tasks[i] = loop.spawn(function()
          local client = server:accept()
          if client then server:close() end
          return client and "closed it" or select(3, server:accept())
        end)
      end
      local client = connect(port, "x")
      local results = {}
      for i = 1, 3 do results[i] = tasks[i]:join() end
      assert.same({ "closed it", "EBADF", "EBADF" }, results)
      client:close()
    end)
  end)

  it("may fail, and leave the turn to the others", function()
    local told, before = {}, loop.onerror
    loop.onerror = function(_, trace) told[#told + 1] = trace end
    run(function()
      local server, port = listen()
      loop.spawn(function()
        server:accept()
        error "this one fails"
      end)
      local other = loop.spawn(name_of_next, server)
      local clients = { connect(port, "a"), connect(port, "b") }
      assert.equal("b", other:join())
      for _, client in ipairs(clients) do client:close() end
      server:close()
    end)
    loop.onerror = before
    assert.equal(1, #told)
  end)

  it("may be the iterators of clients()", function()
    run(function()
      local server, port = listen()
      local seen, tasks = {}, {}
      for i = 1, 3 do
        tasks[i] = loop.spawn(function()
          local iterate, state = server:clients()
          local client = iterate(state)
          while client do
            seen[#seen + 1] = client:read()
            client:close()
            client = iterate(state)
          end
        end)
      end
      for i = 1, 9 do
        local client = connect(port, i)
        client:read()
        client:close()
      end
      server:close()
      for i = 1, 3 do tasks[i]:join() end
      table.sort(seen)
      assert.same({ "1", "2", "3", "4", "5", "6", "7", "8", "9" }, seen)
    end)
  end)

  it("leave the server to the next run when they are given up", function()
    local server, port
    helper.raises("the first task fails", loop.run, function()
      server, port = listen()
      for _ = 1, 2 do
        loop.spawn(function()
          while true do server:accept() end -- heeds no answer
        end)
      end
      loop.sleep(0.001)
      error "the first task fails"
    end)
    run(function()
      local client = connect(port, "x")
      assert.equal("x", name_of_next(server))
      client:close()
      server:close()
    end)
  end)
end)

describe("a server for whose clients the system has no room", function()
  -- Serves while accept fails so many times, for the given seconds: what onerror was told, whether a client was served.
  local function serve(calls, seconds)
    need.proc(pending)
    need.injection(pending)
    local output, status = helper.run(helper.inject("accept4,accept", calls, "loopfull", seconds))
    assert.equal(0, status, output)
    return output
  end

  it("tells it at once, and goes on", function()
    for _, name in ipairs { "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM" } do
      local output = serve(name .. ":when=1..3", 0)
      local text = ({ EMFILE = "Too many open files", ENFILE = "Too many open files in system",
        ENOBUFS = "No buffer space available", ENOMEM = "Cannot allocate memory" })[name]
      assert.equal("told: accept: " .. text .. "\nserved\n", output)
    end
  end)

  it("tells it once a second, while it lasts", function()
    need.speed(pending)
    local output = serve("EMFILE:when=1..30", 0) -- 30 times 50 ms
    local _, count = output:gsub("told: accept: Too many open files\n", "")
    assert.equal(2, count, output)
    assert.truthy(output:find("served\n$"), output)
  end)
end)

describe("clients() for which the system has no room", function()
  it("tells it, too", function()
    need.proc(pending)
    need.injection(pending)
    local output, status = helper.run(helper.inject("accept4,accept", "EMFILE:when=1..2", "loopfull", "clients"))
    assert.same({ "told: accept: Too many open files\nserved\n", 0 }, { output, status })
  end)
end)

describe("server:accept for which the system has no room", function()
  it("fails, and can be called again", function()
    need.proc(pending)
    need.injection(pending)
    local output, status = helper.run(helper.inject("accept4,accept", "EMFILE:when=1..2", "loopfull", "accept"))
    assert.same({ "EMFILE\nEMFILE\nserved\n", 0 }, { output, status })
  end)
end)

describe("a stream that accept gives", function()
  it("has the limit of its server", function()
    run(function()
      local server = assert(loop.listen("127.0.0.1", 0, { max = 4 }))
      local client = connect(server:info("socket").port, "too long")
      assert.equal("EMSGSIZE", select(3, server:accept():read()))
      client:close()
      server:close()
    end)
  end)
end)

describe("a server of a socket that listens already", function()
  after_each(helper.remove_paths)

  -- Each way to have one, and where a client connects to.
  local makers = {
    ["made by bind"] = function()
      local sock, port = helper.bind("127.0.0.1", 0)
      return sock, "127.0.0.1", port
    end,
    ["made in steps"] = function()
      local sock = assert(lsocket.socket())
      assert(sock:bind("127.0.0.1", 0) and sock:listen())
      return sock, "127.0.0.1", helper.port(sock)
    end,
    adopted = function()
      local sock, port = helper.bind("127.0.0.1", 0)
      return assert(lsocket.fromfd(sock:detach())), "127.0.0.1", port
    end,
    ["of a path"] = function()
      local path = helper.path()
      return assert(lsocket.bind(path)), path
    end,
  }

  local function answer(client, address)
    client:write(client:read(), " from ", address or "a path", "\n")
  end

  local function ask(address, port)
    local client = assert(loop.connect(address, port))
    assert(client:write "hello\n")
    local line, message, name = client:read()
    client:close()
    return line, message, name
  end

  for how, make in pairs(makers) do
    it("serves its clients, and closes it: " .. how, function()
      run(function()
        local sock, address, port = make()
        local server = assert(loop.serve(sock, answer))
        local from = port and address or "a path"
        for _ = 1, 3 do assert.equal("hello from " .. from, ask(address, port)) end
        assert.same(sock:info "socket", server:info "socket")
        assert.is_true(server:close(helper.patience))
        assert.equal(-1, sock:getfd())
        assert.equal(0, server:count())
      end)
    end)
  end

  it("accepts for tasks, too", function()
    run(function()
      local sock, port = helper.bind("127.0.0.1", 0)
      local server = assert(loop.listen(sock))
      local client = connect(port, "somebody")
      assert.equal("somebody", name_of_next(server))
      client:close()
      server:close()
      fails("EBADF", server:accept())
    end)
  end)

  it("heeds the options of streams and of serve", function()
    run(function()
      for _, nodelay in ipairs { true, false } do
        local sock, port = helper.bind("127.0.0.1", 0)
        local server = assert(loop.serve(sock, function(client)
          client:write(tostring(client:getsocket():getopt "nodelay"), " ", select(3, client:read()), "\n")
        end, { max = 10, limit = 1, grace = 1, nodelay = nodelay }))
        local client = assert(loop.connect("127.0.0.1", port))
        client:write(("x"):rep(11), "\n")
        assert.equal(tostring(nodelay) .. " EMSGSIZE", client:read())
        client:close()
        server:close()
      end
    end)
  end)

  it("ends when its socket is closed by the program", function()
    run(function()
      local sock = helper.bind("127.0.0.1", 0)
      local server = assert(loop.listen(sock))
      local task = loop.spawn(server.accept, server)
      inloop.rest()
      sock:close()
      assert.is_nil((task:join()))
    end)
  end)

  it("has it for itself", function()
    run(function()
      local sock = helper.bind("127.0.0.1", 0)
      local server = assert(loop.listen(sock))
      raises("#1 to 'serve' (it is a server's already)", loop.serve, sock, print)
      raises("#1 to 'wrap' (it is a server's already)", loop.wrap, sock)
      server:close()
      fails("EBADF", loop.listen(sock))
      fails("EBADF", loop.serve(sock, print))
      local wrapped = helper.bind("127.0.0.1", 0)
      local wrap = assert(loop.wrap(wrapped))
      raises("#1 to 'listen' (it is wrapped already)", loop.listen, wrapped)
      wrap:close()
    end)
  end)
end)
