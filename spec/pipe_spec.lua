-- Descriptors that are no sockets: pipes, terminals and files that fromfd has taken.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local loop = require "lsocket.loop"
local process = require "spec.process"
local stream = require "lsocket.stream"

local fails, need, pack = helper.fails, helper.need, helper.pack
local open, regular = helper.adopt, helper.file

after_each(helper.remove_paths)

-- Both ends of a pipe: reader, writer. Opening one end of a fifo waits for the other, but not for both at once.
local function pipe()
  local path = helper.path()
  assert(helper.run("mkfifo " .. path) == "")
  local both = open(path, "r+")
  local reader, writer = open(path, "r"), open(path, "w")
  both:close()
  return reader, writer
end

describe("a pipe", function()
  before_each(function() need.proc(pending) end)

  it("tells what it is", function()
    local reader, writer = pipe()
    for _, sock in ipairs { reader, writer } do
      assert.same({ fd = sock:getfd(), family = "unknown", type = "pipe", listening = false, multicast = false },
        sock:info())
    end
    reader:close()
    assert.same({ fd = -1, family = "unknown", type = "unknown", listening = false, multicast = false }, reader:info())
  end)

  it("is written by send and read by recv, to its end", function()
    local reader, writer = pipe()
    assert.is_false(reader:recv())
    assert.equal(10, writer:send "0123456789")
    assert.equal(3, writer:send("abcdef", 2, 4))
    assert.equal("0123", helper.readable(reader):recv(4))
    assert.same({ n = 3, "456789bcd" }, pack(reader:recvfrom()))
    assert.is_false(reader:recvfrom())
    assert.equal(0, writer:send "")
    assert.is_false(reader:recv())
    writer:send "last"
    writer:close()
    assert.equal("last", helper.readable(reader):recv())
    assert.same({ n = 1 }, pack(helper.readable(reader):recv()))
    assert.same({ n = 1 }, pack(reader:recvfrom()))
    assert.same({ n = 1 }, pack(reader:recv(100000)))
    assert.equal("", reader:recv(0))
  end)

  it("takes arrays, short strings and long ones", function()
    local reader, writer = pipe()
    local long = ("x"):rep(1000)
    assert.equal(1007, writer:send { "abc", 1, long, "def" })
    assert.equal("abc1" .. long .. "def", reader:recv())
    assert.equal(5, writer:send({ "abc", "def" }, 2))
    assert.equal("bcdef", reader:recv())
  end)

  it("says false where it is full, and takes more when it has been read", function()
    local reader, writer = pipe()
    local total = helper.fill(writer)
    assert.is_false(writer:send "x")
    assert.is_false(writer:send { "x", "y" })
    assert.is_false(helper.is_writable(writer, 0))
    assert.equal(total, #helper.receive(reader, total))
    assert.is_true(helper.is_writable(writer, helper.patience))
    assert.equal(1, writer:send "x")
  end)

  it("fails where nobody reads, without a signal", function()
    local signals = process.signals()
    local reader, writer = pipe()
    reader:close()
    for _ = 1, 3 do
      fails("EPIPE", writer:send "x")
      fails("EPIPE", writer:send("xyz", 2))
      fails("EPIPE", writer:send { "x", ("y"):rep(100) })
      fails("EPIPE", writer:sendrest(1, "x"))
    end
    assert.equal(signals, process.signals())
  end)

  it("takes several pieces", function()
    local reader, writer = pipe()
    assert.is_true(writer:sendrest(1, "one"))
    assert.is_true(writer:sendrest(2, "two ", ("x"):rep(100)))
    assert.equal("onewo " .. ("x"):rep(100), reader:recv())
  end)

  it("works in a poller", function()
    local reader, writer = pipe()
    local poller = assert(lsocket.poller())
    assert(poller:add(reader, "r"))
    assert(poller:add(writer, "w"))
    assert.same({ {}, { writer } }, { poller:wait(helper.patience) })
    writer:send "x"
    assert.same({ { reader }, { writer } }, { poller:wait(helper.patience) })
    reader:recv()
    writer:close()
    assert.same({ { reader }, {} }, { poller:wait(helper.patience) })
    assert.is_nil(reader:recv())
    poller:close()
  end)

  it("is a stream of the loop", function()
    local reader, writer = pipe()
    local input, output = stream.new(reader), stream.new(writer)
    loop.run(function()
      loop.spawn(function()
        loop.sleep(0)
        output:write "one\ntwo"
        output:close()
      end)
      assert.same({ "one", "two" }, { input:read("l", "l") })
      assert.is_nil(input:read())
    end)
    input:close()
  end)

  it("takes a file from sendfile", function()
    local reader, writer = pipe()
    local file = assert(io.open(regular "0123456789"))
    assert.equal(7, writer:sendfile(file, 3))
    assert.equal("3456789", reader:recv())
    assert.equal(2, writer:sendfile(file, 3, 2))
    assert.equal("34", reader:recv())
    assert.equal(0, writer:sendfile(file, 10))
    helper.fill(writer)
    assert.is_false(writer:sendfile(file))
    reader:close()
    fails("EPIPE", writer:sendfile(file))
    file:close()
  end)

  it("answers ENOTSOCK to what only sockets can do", function()
    local reader, writer = pipe()
    local function no(...)
      local results = pack(...)
      assert.same({ n = 3, nil, results[2], "ENOTSOCK" }, results)
    end
    writer:send "x"
    no(reader:peek())
    no(reader:accept())
    no(reader:status())
    no(reader:shutdown())
    no(reader:info "peer")
    no(reader:info "socket")
    no(reader:setopt("rcvbuf", 1))
    no(reader:getopt "rcvbuf")
    assert.equal("x", reader:recv())
    local batch = lsocket.batch(1)
    batch:add "x"
    fails("EOPNOTSUPP", writer:sendmany(batch))
    fails("EOPNOTSUPP", reader:recvmany(batch))
  end)

  it("ignores the address of sendto, as streams do", function()
    local reader, writer = pipe()
    assert.equal(1, writer:sendto("x", "127.0.0.1", 9))
    assert.equal("x", reader:recv())
  end)

  it("has two ends: each does the one thing", function()
    local reader, writer = pipe()
    fails("EBADF", reader:send "x")
    fails("EBADF", writer:recv())
  end)

  it("can be copied and given away", function()
    local reader, writer = pipe()
    local copy = assert(writer:dup())
    writer:close()
    copy:send "x"
    assert.equal("x", helper.readable(reader):recv())
    copy = assert(lsocket.fromfd(copy:detach()))
    copy:send "y"
    copy:close()
    assert.equal("y", reader:recv())
    assert.is_nil(reader:recv())
    assert.is_true(reader:inherit(true))
  end)

  it("moves much data whole", function()
    local reader, writer = pipe()
    local data, sent, pieces, got = ("0123456789abcdef"):rep(65536), 0, {}, 0
    while got < #data do
      if sent < #data then
        local count = writer:send(data, sent + 1)
        sent = sent + (count or 0)
      end
      local piece = reader:recv(100000) or ""
      pieces[#pieces + 1] = piece
      got = got + #piece
    end
    assert.is_true(table.concat(pieces) == data)
  end)
end)

describe("a pipe to a program", function()
  it("is read from as standard input, and written to as standard output", function()
    local output = helper.run("printf 'one two' | " .. helper.command("stdio"))
    assert.equal("pipe pipe\none two", output)
  end)
end)

describe("a terminal", function()
  it("is read and written, and known as one", function()
    need.tool(pending, "script --version")
    local output = helper.run("printf 'typed\\n' | script -qec " .. helper.quote(helper.command("stdio", "line")) ..
      " /dev/null")
    assert.is_truthy(output:find "tty tty", 1, true)
    assert.is_truthy(output:find("read: typed", 1, true), output)
  end)
end)

describe("a regular file", function()
  before_each(function() need.proc(pending) end)

  it("is read to its end", function()
    local sock = open(regular "0123456789", "r")
    assert.equal("file", sock:info().type)
    assert.equal("unknown", sock:info().family)
    assert.equal("01", helper.readable(sock):recv(2))
    assert.equal("23456789", helper.readable(sock):recv())
    assert.same({ n = 1 }, pack(helper.readable(sock):recv()))
  end)

  it("is written", function()
    local path = regular ""
    local sock = open(path, "w")
    assert.equal(3, helper.writable(sock):send "abc")
    assert.equal(4, sock:send { "de", "fg" })
    local other = assert(io.open(regular "0123"))
    assert.equal(2, sock:sendfile(other, 2))
    other:close()
    sock:close()
    assert.equal("abcdefg23", process.read(path))
  end)

  it("is a stream of the loop that never waits", function()
    local input = stream.new(open(regular "one\ntwo\n", "r"))
    loop.run(function()
      assert.same({ "one", "two" }, { input:read("l", "l") })
      assert.is_nil(input:read())
    end)
    input:close()
  end)

  it("is nothing for epoll, which has no need to wait", function()
    local sock = open(regular "x", "r")
    local poller = assert(lsocket.poller())
    local ok, _, name = poller:add(sock, "r")
    assert.is_true(ok or name == "EPERM")
    poller:close()
    poller = assert(lsocket.poller "poll")
    assert(poller:add(sock, "r"))
    assert.same({ sock }, (poller:wait(0)))
    poller:close()
  end)
end)

describe("other things", function()
  it("are unknown", function()
    need.proc(pending)
    local sock = open("/dev/null", "r+")
    assert.equal("unknown", sock:info().type)
    assert.equal(3, sock:send "abc")
    assert.same({ n = 1 }, pack(sock:recv()))
    sock = open("/dev/zero", "r")
    assert.equal(("\0"):rep(10), sock:recv(10))
  end)
end)

describe("fromfd of a file of Lua's", function()
  it("takes a copy, so that both may be closed, in any order", function()
    need.proc(pending)
    local before = process.count()
    for _, first in ipairs { "file", "socket" } do
      local file = io.popen "echo one; echo two"
      local sock = assert(lsocket.fromfd(file))
      assert.same({ "pipe", "unknown", false }, { sock:info().type, sock:info().family, sock:info().listening })
      if first == "file" then file:close() end
      assert.truthy(("one\ntwo\n"):find(helper.readable(sock):recv(), 1, true) == 1)
      assert(sock:close())
      if first == "socket" then file:close() end
      assert.equal(before, process.count())
    end
  end)

  it("is closed by the collector as others are, and leaves the file alone", function()
    need.proc(pending)
    local path = helper.file "text"
    local file = assert(io.open(path))
    local before = process.count()
    for _ = 1, 20 do assert(lsocket.fromfd(file)) end
    assert.equal(before, process.count())
    assert.equal("text", file:read "*a")
    file:close()
  end)

  it("is not inherited, whatever the file is", function()
    need.proc(pending)
    local sock = assert(lsocket.fromfd(io.stdin))
    local flags = process.read("/proc/self/fdinfo/" .. sock:getfd()):match "flags:%s*(%d+)"
    assert.equal(1, math.floor(tonumber(flags, 8) / 524288) % 2) -- O_CLOEXEC
  end)

  it("writes to a program, and reads a file from where it stands", function()
    local path = helper.path()
    local file = io.popen("cat > " .. path, "w")
    local sock = assert(lsocket.fromfd(file))
    assert.equal(5, sock:send "hello")
    sock:close()
    file:close() -- waits for the program
    assert.equal("hello", process.read(path))
    file = assert(io.open(path))
    file:seek("set", 1)
    sock = assert(lsocket.fromfd(file))
    assert.equal("ello", sock:recv())
    assert.is_nil(sock:recv())
    file:close()
    assert.equal("file", sock:info().type)
  end)

  it("does not see what the file has read ahead", function()
    local file = assert(io.open(helper.file "one\ntwo\n"))
    assert.equal("one", file:read())
    assert.is_nil(assert(lsocket.fromfd(file)):recv())
    assert.equal("two", file:read())
    file:close()
  end)

  it("takes none that is closed, and no other object", function()
    local file = io.tmpfile()
    file:close()
    local problem = select(2, pcall(function() lsocket.fromfd(file) end))
    assert.truthy(problem:find("bad argument #1 to 'fromfd' (the file is closed)", 1, true), problem)
    for _, value in ipairs { lsocket.buffer(), {}, true, "x", (lsocket.pair()) } do
      helper.raises("bad argument #1 to ", lsocket.fromfd, value)
    end
  end)

  it("leaves nothing open where it fails", function()
    need.injection(pending)
    local output = helper.run(helper.inject("fcntl", "EMFILE:when=1", "descriptor", "file"))
    assert.equal("nil\tToo many open files\tEMFILE\n0 more\n", output)
    output = helper.run(helper.inject("fcntl", "EPERM:when=3", "descriptor", "file"))
    assert.equal("nil\tOperation not permitted\tEPERM\n0 more\n", output)
  end)

  it("lets a task read a program's output while others go on", function()
    local turns, lines = 0, {}
    loop.run(loop.deadline, helper.patience, function()
      local file = io.popen "echo one; sleep 0.05; echo two; exit 3"
      local output = stream.new(assert(lsocket.fromfd(file)))
      local ticker = loop.spawn(function()
        while loop.sleep(0.001) do turns = turns + 1 end
      end)
      local line = output:read()
      while line do
        lines[#lines + 1] = line
        line = output:read()
      end
      ticker:cancel()
      output:close()
      file:close()
    end)
    assert.same({ "one", "two" }, lines)
    assert.is_true(turns > 0)
  end)
end)
