-- samples/jobs.lua: jobs that are run so many at a time, and an end that loses none.
local helper = require "spec.helper"
local loop = require "lsocket.loop"
local sample = require "spec.sample"

after_each(helper.remove_paths)

-- Starts the server of a program, and calls a function in a task with its port and process id, which gives true if it
-- has told the server to end: what that prints after its first line, and its exit status.
local function with_jobs(fn, program, ...)
  local command = helper.command("samples/jobs", program, 0, ...)
  local pipe = assert(io.popen("sh -c 'echo $$; exec \"$@\"' sh " .. command .. " 2>&1; echo status=$?"))
  local pid, line = pipe:read "*l", pipe:read "*l"
  local port = assert(line:match "^listening on 127.0.0.1 port (%d+)$", line)
  local ok, problem = pcall(sample.in_loop, fn, port, pid)
  if not ok or not problem then os.execute("kill " .. pid .. " 2> /dev/null") end
  local said, status = pipe:read "*a":match "^(.*)status=(%d+)\n$"
  pipe:close()
  if not ok then error(problem, 0) end
  return said, status
end

-- The next answer on a connection; nil at the end.
local function read_answer(client)
  local size = client:read()
  return size and client:readexactly(tonumber(size))
end

-- A connection that the server has accepted: it has answered.
local function accepted(port)
  local client = sample.connect(port)
  client:write "0\n"
  read_answer(client)
  return client
end

local DONE = "TERM: finishing what there is\nall is done\n"

describe("samples/jobs.lua", function()
  it("answers with what the program prints, in the order of a client's lines", function()
    local said, status = with_jobs(function(port)
      local tasks = {}
      for i = 1, 20 do
        tasks[i] = loop.spawn(function()
          local client = sample.connect(port)
          for _, line in ipairs { i .. " it's \"$HOME\" \\", "", "-n", "*" } do client:write(line, "\n") end
          assert.equal("<" .. i .. " it's \"$HOME\" \\>", read_answer(client))
          for _, expected in ipairs { "<>", "<-n>", "<*>" } do assert.equal(expected, read_answer(client)) end
          client:close()
        end)
      end
      for _, task in ipairs(tasks) do task:join() end
    end, "printf '<%s>'")
    assert.same({ DONE, "0" }, { said, status })
  end)

  it("runs so many at a time and no more", function()
    local path = helper.path()
    with_jobs(function(port)
      local clients = {}
      for i = 1, 6 do
        clients[i] = sample.connect(port)
        clients[i]:write "0.1\n"
      end
      for i = 1, 6 do assert.is_true(tonumber(read_answer(clients[i])) <= 2) end
      for i = 1, 6 do clients[i]:close() end
    end, ("d=%s; mkdir -p $d; f() { : > $d/$$; ls $d | wc -l; sleep $1; rm $d/$$; }; f"):format(path), 2)
    os.execute("rm -rf " .. path)
  end)

  it("finishes what it was sent, takes no more, and ends 0", function()
    local said, status = with_jobs(function(port, pid)
      local idle, clients = accepted(port), {}
      for i = 1, 8 do clients[i] = accepted(port) end
      for i = 1, 8 do clients[i]:write("0.1\n0.1\n") end
      os.execute("kill " .. pid)
      assert.is_nil(idle:read())
      for i = 1, 8 do
        assert.equal("slept\n", read_answer(clients[i]))
        assert.equal("slept\n", read_answer(clients[i]))
        assert.is_nil(read_answer(clients[i]))
        clients[i]:close()
      end
      idle:close()
      helper.eventually("nobody listens", function()
        local client, _, name = loop.connect("127.0.0.1", port)
        if client then client:close() end
        return name == "ECONNREFUSED"
      end)
      return true
    end, "f() { sleep $1; echo slept; }; f", 4)
    assert.same({ DONE, "0" }, { said, status })
  end)

  it("says so if that takes too long", function()
    local said, status = with_jobs(function(port, pid)
      local client = accepted(port)
      client:write "20\n"
      os.execute("kill " .. pid)
      assert.is_nil(read_answer(client))
      client:close()
      return true
    end, "exec sleep", 1, 0.2)
    assert.same({ "TERM: finishing what there is\nsome jobs were cut off\n", "1" }, { said, status })
  end)

  it("is not impressed by lines that are too long, or no text", function()
    with_jobs(function(port)
      for _, line in ipairs { ("x"):rep(5000), "a\0b" } do
        local client = sample.connect(port)
        client:write(line, "\n")
        assert.is_nil(read_answer(client))
        client:close()
      end
    end, "echo")
  end)
end)
