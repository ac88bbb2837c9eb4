-- samples/pubsub.lua: what one publishes all hear that have subscribed.
local helper = require "spec.helper"
local loop = require "lsocket.loop"
local process = require "spec.process"
local sample = require "spec.sample"

after_each(helper.remove_paths)

-- Starts the broker, and calls a function in a task with its path and process id.
local function with_broker(fn, path)
  path = path or helper.path()
  local pipe = assert(io.popen("echo $$; exec " .. helper.command("samples/pubsub", path) .. " 2>&1"))
  local pid, line = pipe:read "*l", pipe:read "*l"
  assert.equal("listening on " .. path, line)
  local ok, problem = pcall(sample.in_loop, fn, path, pid)
  os.execute("kill " .. pid)
  local said = pipe:read "*a"
  pipe:close()
  if not ok then error(problem, 0) end
  assert.equal("TERM\n", said)
  assert.is_nil(process.read(path))
end

-- A client that has sent lines, which the broker has read: an answer to the last one has come.
local function client_of(path, ...)
  local client = assert(loop.connect(path))
  for _, line in ipairs { ... } do client:write(line, "\n") end
  client:write "sync\n"
  assert.equal("error: what?", client:read())
  return client
end

describe("samples/pubsub.lua", function()
  it("passes on what is published, in order, to all that have subscribed and to nobody else", function()
    with_broker(function(path)
      local readers, tasks = {}, {}
      for i = 1, 50 do readers[i] = client_of(path, "sub even", i % 2 == 1 and "sub odd" or "sub none") end
      local writer = client_of(path)
      for i = 1, 200 do
        tasks[i] = readers[i] and loop.spawn(function()
          for n = 1, 200 do
            if n % 2 == 0 or i % 2 == 1 then
              assert.equal((n % 2 == 0 and "even " or "odd ") .. "message " .. n, readers[i]:read())
            end
          end
        end)
        writer:write("pub ", i % 2 == 0 and "even" or "odd", " message ", i, "\n")
      end
      for _, task in ipairs(tasks) do task:join() end
      for _, reader in ipairs(readers) do reader:close() end
      writer:close()
    end)
  end)

  it("lets clients unsubscribe, subscribe twice, and go", function()
    with_broker(function(path)
      local reader = client_of(path, "sub a", "sub a", "sub b", "unsub a", "unsub a", "unsub never")
      client_of(path, "sub b"):close()
      local writer = client_of(path, "pub a unheard", "pub b heard", "pub b", "pub nobody hears")
      assert.equal("b heard", reader:read())
      assert.equal("b ", reader:read())
      reader:close()
      writer:write "pub b again\nsub b\npub b self\n"
      assert.equal("b self", writer:read())
      writer:close()
    end)
  end)

  it("refuses what it does not understand, and too much", function()
    with_broker(function(path)
      local client = client_of(path)
      for _, line in ipairs { "", "sub", "sub ", "SUB a", "subscribe a" } do
        client:write(line, "\n")
        assert.equal("error: what?", client:read(), line)
      end
      for i = 1, 101 do client:write("sub topic", i, "\n") end
      assert.equal("error: too many topics", client:read())
      client:write("pub topic1 ", ("x"):rep(9000), "\n")
      assert.is_nil(client:read())
      client:close()
    end)
  end)

  it("lets go who does not read, and makes nobody wait for that", function()
    with_broker(function(path, pid)
      local slow, reader = client_of(path, "sub a"), client_of(path, "sub a")
      local writer, text = client_of(path), ("x"):rep(8000)
      for i = 1, 3000 do
        writer:write("pub a ", text, i, "\n")
        assert.equal("a " .. text .. i, reader:read())
      end
      local count = 0
      while slow:read() do count = count + 1 end
      assert.is_true(count < 2000, count)
      if process.read "/proc/self/status" and not helper.slow then
        assert.is_true(tonumber(process.status("VmHWM", pid):match "%d+") < 40000)
      end
      for _, each in ipairs { slow, reader, writer } do each:close() end
    end)
  end)

  it("takes the place of one that was killed, but of no other one", function()
    local path = helper.path()
    local pipe = assert(io.popen("echo $$; exec " .. helper.command("samples/pubsub", path) .. " 2>&1"))
    local pid = pipe:read "*l"
    pipe:read "*l"
    local said, status = helper.run(helper.bounded(20, helper.command("samples/pubsub", path)))
    assert.same({ "pubsub: " .. path .. ": Address already in use\n", 1 }, { said, status })
    os.execute("kill -KILL " .. pid)
    pipe:close()
    with_broker(function() client_of(path):close() end, path)
  end)
end)
