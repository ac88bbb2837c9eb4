-- What programs for lsocket 1.4.1 rely on, or were hurt by, and no other spec would notice: rare forms of arguments,
-- events that come alone, sockets that are not ready, and ways of use. Each function has a spec of its own.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"

local need, pack = helper.need, helper.pack

after_each(helper.remove_paths)

describe("a backlog", function()
  local function wait_tcp(...)
    local listener, port = helper.bind(...)
    local count = helper.count_waiting(port)
    listener:close()
    return count
  end

  local function wait_unix(path, ...)
    local listener = assert(lsocket.bind(...))
    local clients = {}
    repeat
      local client = lsocket.connect(path)
      clients[#clients + 1] = client
    until not client or #clients > 20
    listener:close()
    return #clients
  end

  it("counts behind the port in every form of bind", function()
    local base = wait_tcp("127.0.0.1", 0, 0)
    assert.equal(base + 1, wait_tcp(0, 1))
    assert.equal(base + 2, wait_tcp("tcp", 0, 2))
    assert.equal(base + 3, wait_tcp("tcp", "127.0.0.1", 0, 3))
    assert.equal(base + 1, wait_tcp("TCP", "127.0.0.1", "0", "1"))
    assert.equal(base + 2, wait_tcp { port = 0, backlog = 2 })
  end)

  it("counts behind the place of the port where a path has none", function()
    local path, other = helper.path(), helper.path()
    assert.equal(wait_unix(path, path, nil, 0) + 2, wait_unix(other, "tcp", other, nil, 2))
  end)
end)

describe("bind of mcast", function()
  it("takes a port alone, on every IPv4 address", function()
    for _, port in ipairs { 0, "0" } do
      local receiver = assert(lsocket.bind("mcast", port))
      local name = receiver:info "socket"
      assert.equal("0.0.0.0", name.addr)
      assert.is_true(receiver:info().multicast)
      assert.equal(1, assert(lsocket.connect("mcast", "127.255.255.255", name.port)):send "x")
      assert.equal("x", helper.readable(receiver):recv())
    end
  end)
end)

describe("sendto", function()
  it("on a unix stream ignores the address, whatever it is", function()
    local path = helper.path()
    local client, server = helper.connect_to(assert(lsocket.bind(path)), path)
    assert.equal(1, client:sendto("a", "/nowhere", 0))
    assert.equal(1, client:sendto("b", "nobody.example", "9"))
    assert.equal(1, server:sendto("c", path, 9))
    assert.equal("ab", helper.receive(server, 2))
    assert.equal("c", helper.receive(client, 1))
  end)

  it("sends a number as its text", function()
    local sock, port = helper.bind("udp", "127.0.0.1", 0)
    assert.equal(4, sock:sendto(4711, "127.0.0.1", port))
    assert.equal("4711", helper.readable(sock):recv())
  end)
end)

describe("a socket that is not connected yet", function()
  it("is not ready for any byte, which is no failure", function()
    need.sandbox(pending)
    local sock = assert(lsocket.connect("10.11.0.78", 9)) -- nobody is there to answer
    assert.same({ n = 1, false }, pack(sock:send "x"))
    assert.same({ n = 1, false }, pack(sock:sendto("x", "127.0.0.1", 9)))
    assert.same({ n = 1, false }, pack(sock:recv()))
    assert.same({ n = 1, false }, pack(sock:recv(1000000)))
    assert.same({ n = 1, false }, pack(sock:recvfrom()))
    assert.is_true(sock:status())
  end)
end)

describe("select", function()
  -- With our end of the pipe to a command: no socket tells these two events without others.
  it("counts a hang-up alone as readable and writable", function()
    need.proc(pending)
    local file, fd = process.open(io.popen, "exec true", "r")
    assert.same({ fd }, lsocket.select({ fd }, helper.patience))
    assert.same({ {}, { fd } }, { lsocket.select(nil, { fd }, helper.patience) })
    assert.same({ { fd }, { fd } }, { lsocket.select({ fd }, { fd }, helper.patience) })
    file:close()
  end)

  it("counts an error alone as readable and writable", function()
    need.proc(pending)
    local path = helper.path()
    local file, fd = process.open(io.popen, "echo $$ > " .. path .. "; exec sleep 20", "w") -- never reads
    local pid = helper.eventually("the reader", function() return (process.read(path) or ""):match "^(%d+)\n" end)
    file:setvbuf "no"
    for _ = 1, 1000 do
      if not lsocket.select(nil, { fd }, 0) then break end
      file:write(("x"):rep(4096))
    end
    assert.is_false(lsocket.select({ fd }, { fd }, 0)) -- full, so that it is not writable by itself
    os.execute("kill -KILL " .. pid)
    assert.same({ {}, { fd } }, { lsocket.select(nil, { fd }, helper.patience) })
    assert.same({ { fd }, { fd } }, { lsocket.select({ fd }, { fd }, helper.patience) })
    file:close()
  end)
end)

describe("a family that the library does not know", function()
  -- A resolver that knows one name for all, with strange addresses in front, in between and at the end.
  local resolver = [[
#include <arpa/inet.h>
#include <netdb.h>
static struct sockaddr odd[3];
static struct sockaddr_in four[2];
static struct sockaddr_in6 six;
static struct addrinfo items[6];
static void add(int i, int family, void *addr, unsigned size) {
  ((struct sockaddr *)addr)->sa_family = family;
  items[i].ai_family = family;
  items[i].ai_socktype = SOCK_STREAM;
  items[i].ai_addr = addr;
  items[i].ai_addrlen = size;
  items[i].ai_next = i < 5 ? &items[i + 1] : 0;
}
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list) {
  four[0].sin_addr.s_addr = htonl(0xc0000201);
  four[1].sin_addr.s_addr = htonl(0x7f000001);
  six.sin6_addr.s6_addr[15] = 1;
  add(0, 77, &odd[0], sizeof odd[0]);
  add(1, AF_INET, &four[0], sizeof four[0]);
  add(2, 77, &odd[1], sizeof odd[1]);
  add(3, AF_INET6, &six, sizeof six);
  add(4, AF_INET, &four[1], sizeof four[1]);
  add(5, 77, &odd[2], sizeof odd[2]);
  *list = items;
  (void)name, (void)service, (void)hints;
  return 0;
}
void freeaddrinfo(struct addrinfo *list) { (void)list; }
]]

  local program = [[
local lsocket = require "lsocket"
for _, record in ipairs(assert(lsocket.resolve "odd.example")) do print(record.family, record.addr) end
print(assert(lsocket.bind("udp", "odd.example", 0)):info "socket".family)
]]

  it("is passed over by resolve and bind", function()
    need.kernel(pending, "libraries of another machine in LD_PRELOAD")
    need.proc(pending) -- another system preloads in another way
    need.tool(pending, "cc --version")
    need.ipv6(pending)
    local path = helper.path()
    local file = assert(io.open(path, "w"))
    file:write(resolver)
    file:close()
    local library = helper.path()
    assert.same({ "", 0 }, { helper.run("cc -shared -fPIC -x c -o " .. library .. " " .. path) })
    local command = helper.command "none":gsub("spec/child/none%.lua$", function()
      return "-e " .. helper.quote(program)
    end)
    -- The limit of time is for a loop without an end.
    local output = helper.run("ulimit -t 10; LD_PRELOAD=$LD_PRELOAD:" .. library .. " " .. command)
    assert.equal("inet\t192.0.2.1\ninet6\t::1\ninet\t127.0.0.1\ninet6\n", output)
  end)
end)

describe("programs", function()
  it("that hand the descriptor to another event loop are told there", function()
    helper.need.luasocket(pending)
    local luasocket = require "socket"
    local client, server = helper.tcp()
    local readers = { { getfd = function() return server:getfd() end } }
    local writers = { { getfd = function() return client:getfd() end } }
    assert.equal(0, #luasocket.select(readers, nil, 0))
    assert.equal(writers[1], (select(2, luasocket.select(readers, writers, helper.patience)))[1])
    client:send "x"
    assert.equal(readers[1], luasocket.select(readers, nil, helper.patience)[1])
    assert.equal("x", server:recv())
    assert.equal(0, #luasocket.select(readers, nil, 0))
  end)

  -- What debuggers make of a socket: LuaSocket's receive and send, with a time to wait.
  local function wrap(sock)
    local shim, buffer, timeout = {}, "", nil

    local function wait(reads, writes)
      return lsocket.select(reads, writes, timeout or helper.patience)
    end

    function shim.settimeout(_, seconds)
      timeout = seconds
    end

    function shim.send(_, data)
      local sent = 0
      while sent < #data do
        if not wait(nil, { sock }) then return nil, "timeout", sent end
        local count, message = sock:send(data:sub(sent + 1))
        if count == nil then return nil, message, sent end
        sent = sent + (count or 0)
      end
      return sent
    end

    function shim.receive(_, what)
      while true do
        local last = type(what) == "number" and (#buffer >= what and what) or buffer:find("\n", 1, true)
        if last then
          local piece = buffer:sub(1, last)
          buffer = buffer:sub(last + 1)
          return type(what) == "number" and piece or piece:sub(1, -2)
        end
        if not wait { sock } then return nil, "timeout", buffer end
        local data, message = sock:recv()
        if data == nil then return nil, message or "closed", buffer end
        buffer = buffer .. (data or "")
      end
    end

    return shim
  end

  it("that debug over a shim like LuaSocket get lines, pieces, timeouts and the end", function()
    local near, far = helper.tcp()
    local debugger, program = wrap(near), wrap(far)
    local commands = "SETB main.lua 7\nLOAD 6\nx = 1\n\n"
    assert.equal(#commands, debugger:send(commands))
    assert.equal("SETB main.lua 7", program:receive "*l")
    assert.equal("LOAD 6", program:receive())
    assert.equal("x = 1\n", program:receive(6))
    assert.equal("", program:receive "*l")
    program:send "200 OK\n202 "
    assert.equal("200 OK", debugger:receive "*l")
    for _, seconds in ipairs { 0, 0.01 } do
      debugger:settimeout(seconds)
      assert.same({ n = 3, nil, "timeout", "202 " }, pack(debugger:receive "*l"))
    end
    debugger:settimeout(nil)
    program:send "Paused\nlast"
    far:close()
    assert.equal("202 Paused", debugger:receive "*l")
    assert.same({ n = 3, nil, "closed", "last" }, pack(debugger:receive "*l"))
    assert.same({ n = 3, nil, "closed", "last" }, pack(debugger:receive(5)))
  end)
end)
