-- Streams of what is no socket, as fromfd has taken it: /dev/null and files, which are always ready; pipes, terminals,
-- standard input and output.
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local helper = require "spec.helper"
local inloop = require "spec.inloop"
local process = require "spec.process"

local fails, need, pack = helper.fails, helper.need, helper.pack
local run = inloop.run
local open, regular = helper.adopt, helper.file

local function test(name, fn)
  it(name, function()
    need.proc(pending)
    run(fn)
  end)
end

after_each(helper.remove_paths)

describe("a stream of /dev/null", function()
  test("has ended, and takes all", function()
    local null = stream.new(open("/dev/null", "r+"))
    for _, format in ipairs { "l", "L", 10 } do assert.same({ n = 1 }, pack(null:read(format))) end
    assert.equal("", null:read "a")
    assert.equal("", null:read(0))
    assert.same({ n = 1 }, pack(null:readsome()))
    assert.same({ n = 1 }, pack(null:readuntil ";"))
    assert.is_nil((null:lines("l")()))
    assert.is_true(null:status())
    assert.is_true(null:write(("x"):rep(1000000), "y"))
    assert.is_true(null:write { "a", 1 })
    assert.is_true(null:close())
    fails("EBADF", null:read())
  end)

  test("lets the others have their turn", function()
    local null, count, done = stream.new(open("/dev/null", "r+")), 0, false
    local other = loop.spawn(function()
      while not done do
        count = count + 1
        loop.sleep(0)
      end
    end)
    for _ = 1, 100 do null:read() end
    done = true
    other:join()
    assert.is_true(count > 50)
  end)
end)

describe("a stream of a file", function()
  test("is read to its end", function()
    local path = regular "one\ntwo\n\nlast"
    local file = stream.new(open(path, "r"))
    local lines, line = {}, file:read()
    while line do
      lines[#lines + 1] = line
      line = file:read()
    end
    assert.same({ "one", "two", "", "last" }, lines)
    assert.is_true(file:status())
    file:close()
    file = stream.new(open(path, "r"))
    assert.same({ "one", "two\n" }, { file:read(3), (file:read(1) and file:read "L") })
    assert.equal("\nlast", file:read "a")
    file:close()
  end)

  test("is read whole where it is large", function()
    local data = ("0123456789abcdef"):rep(20000)
    local file = stream.new(open(regular(data), "r"))
    assert.is_true(data == file:read "a")
    file:close()
  end)

  test("is written", function()
    local path = regular ""
    local file = stream.new(open(path, "w"))
    local data = ("x"):rep(300000)
    assert.is_true(file:write("one\n", 2, "\n", data))
    assert.is_true(file:close())
    assert.equal("one\n2\n" .. data, process.read(path))
  end)

  test("tells what reading it meets", function()
    local file = stream.new(open(regular "x", "w"))
    fails("EBADF", file:read()) -- not open for reading
    fails("EBADF", file:status())
    file:close()
  end)
end)

describe("a stream of something endless", function()
  test("is cut off by a deadline, and lets the others have their turn", function()
    local zero, turns = stream.new(open("/dev/zero", "r")), 0
    local other = loop.spawn(function() while loop.sleep(0.001) do turns = turns + 1 end end)
    assert.equal(("\0"):rep(10), zero:read(10))
    local ok, _, name = loop.deadline(0.05, function()
      while true do
        local data, message, symbol = zero:readsome()
        if not data then return nil, message, symbol end
      end
    end)
    assert.same({ nil, "ETIMEDOUT" }, { ok, name })
    assert.is_true(turns > 3)
    other:cancel()
    zero:close()
  end)
end)

describe("loop.wait", function()
  test("has not to wait for a file or /dev/null, whatever names it", function()
    for _, sock in ipairs { open("/dev/null", "r+"), open(regular "x", "r+") } do
      local object = { getfd = function() return sock:getfd() end }
      for _, what in ipairs { sock, stream.new(sock), sock:getfd(), object } do
        for _, timeout in ipairs { false, 0, 1, -1, math.huge } do
          assert.same({ n = 1, "r" }, pack(loop.wait(what, "r", timeout or nil)))
          assert.same({ n = 1, "w" }, pack(loop.wait(what, "w", timeout or nil)))
          assert.truthy(({ r = true, w = true })[loop.wait(what, "rw", timeout or nil)])
        end
      end
      fails("ETIMEDOUT", loop.deadline(0, loop.wait, sock, "r"))
      sock:close()
      fails("EBADF", loop.wait(sock, "r"))
    end
  end)
end)

describe("a stream of a pipe", function()
  test("waits, and ends", function()
    local path = helper.path()
    assert.equal("", (helper.run("mkfifo " .. path)))
    local both = open(path, "r+")
    local reader, writer = stream.new(open(path, "r")), stream.new(open(path, "w"))
    both:close()
    local task = loop.spawn(function() return reader:read(), reader:read(3), reader:read() end)
    loop.sleep(0.001)
    assert.is_true(writer:write "one\ntw")
    loop.sleep(0.001)
    assert.is_true(writer:write "o")
    loop.sleep(0.001)
    writer:close()
    assert.same({ n = 3, "one", "two", nil }, pack(task:join()))
    reader:close()
  end)

  test("whose reader has gone fails", function()
    local path = helper.path()
    assert.equal("", (helper.run("mkfifo " .. path)))
    local both = open(path, "r+")
    local writer = stream.new(open(path, "w"))
    both:close()
    local ok, _, name, count = writer:write "x"
    assert.same({ nil, "EPIPE", 0 }, { ok, name, count })
    writer:close()
  end)
end)

describe("standard input and output as streams", function()
  local function copy(command)
    return (helper.run(command))
  end

  it("can be /dev/null, as a service's", function()
    assert.equal("unknown unknown\ntrue\n", copy(helper.command("streamio") .. " < /dev/null > /dev/null"))
  end)

  it("can be files", function()
    local path, result = regular "one\ntwo", helper.path()
    local told = copy(helper.command("streamio") .. " < " .. path .. " > " .. result)
    assert.equal("file file\ntrue\n", told)
    assert.equal("line: one\nline: two\n", process.read(result))
  end)

  it("can be pipes", function()
    local result = helper.path()
    local told = copy("printf 'one\\ntwo' | " .. helper.command("streamio") .. " | cat > " .. result)
    assert.equal("pipe pipe\ntrue\n", told)
    assert.equal("line: one\nline: two\n", process.read(result))
  end)

  it("can be a terminal", function()
    need.tool(pending, "script --version")
    local command = helper.quote(helper.command("streamio", 1))
    local output = copy("printf 'typed\\n' | script -qec " .. command .. " /dev/null")
    assert.truthy(output:find("tty tty", 1, true), output)
    assert.truthy(output:find("line: typed", 1, true), output)
    assert.truthy(output:find("true", 1, true), output)
  end)
end)
