-- What several specs need: connected sockets, waiting with a deadline, child processes, checks of failures.
-- What is expected of the library is left to the specs.
local lsocket = require "lsocket"
local process = require "spec.process"
local system = require "system" -- comes with busted

local helper = {}

helper.now = system.monotime

-- Windows: no sh, no /proc, no tools of Unix. What a test needs of them, it says by helper.need.
helper.windows = process.windows

-- Those that some system has; lsocket.poller tells which are here.
helper.backends = helper.windows and { "afd", "poll" } or { "epoll", "kqueue", "poll" }

local slow = os.getenv "LS_SLOW" == "1"
helper.slow = slow -- every instruction is watched, and memory is not what it would be

-- How long to wait for what must happen: far longer than it takes, as a wait that works ends at once.
helper.patience = slow and 120 or 30

-- A number of rounds, fewer where every instruction is watched (valgrind, sanitizers).
function helper.scale(n)
  return slow and math.max(1, math.floor(n / 20)) or n
end

-- ---- what a test needs; each takes busted's pending of that test and does not return without the thing ----

helper.need = {}

-- what: a thing that only Unix has
function helper.need.unix(pending, what)
  if helper.windows then pending("Windows does not have " .. what) end
end

function helper.need.sandbox(pending)
  helper.need.unix(pending, "the sandbox's interfaces and names")
  if os.getenv "LS_SANDBOX" ~= "1" then pending "needs a network namespace" end
end

-- What qemu-user does not pass on to the kernel, as doc/reliability-machines.md has it: tools/machines tells whether it
-- is used. What can be asked is asked, as another version may have it; without qemu-user nothing is skipped.
local emulated = os.getenv "LS_EMULATED"

function helper.need.kernel(pending, what, has)
  if emulated and not has then pending("qemu-user lacks " .. what) end
end

local swapped = string.pack and string.pack("=I2", 1):byte() == 0 -- luacheck: ignore 143

-- How options fail that are taken for numbers, and are none; others that are not passed on are unknown.
local mistaken = { device = "EINVAL", congestion = swapped and "ENOENT" }

-- Is the option, which this socket must have, passed on? A wrong value in it is the library's fault.
function helper.passes_on(sock, name, value)
  if not emulated then return true end
  local done, _, symbol = sock:setopt(name, value)
  if done then done, _, symbol = sock:getopt(name) end
  return done ~= nil or (symbol ~= "ENOPROTOOPT" and symbol ~= mistaken[name])
end

function helper.need.option(pending, sock, name, value)
  helper.need.kernel(pending, "the option " .. name, helper.passes_on(sock, name, value))
end

-- SO_PASSPIDFD, by number: each message brings a descriptor of its sender's process.
function helper.need.pidfds(pending, sock)
  local set = sock:setopt(1, 76, 1)
  if not set then pending "this system passes no descriptors of processes" end
end

-- Joining and leaving groups, and sending to them by a certain interface.
function helper.need.groups(pending)
  local sock = assert(lsocket.bind("udp", "0.0.0.0", 0))
  local _, _, symbol = sock:join("239.0.0.1", "127.0.0.1")
  local sends = helper.passes_on(sock, "mcastif", "lo")
  sock:close()
  helper.need.kernel(pending, "MCAST_JOIN_GROUP or IP_MULTICAST_IF", symbol ~= "ENOPROTOOPT" and sends)
end

-- More than four bytes of TCP_INFO.
function helper.need.tcpinfo(pending)
  local sock = assert(lsocket.bind("127.0.0.1", 0))
  local info = sock:getopt(6, 11, 4096)
  sock:close()
  helper.need.kernel(pending, "TCP_INFO", info and #info > 4)
end

-- Control data that is sent, and what is received but ttl, tos and the time, where the order of bytes is another.
function helper.need.control(pending)
  helper.need.kernel(pending, "control data in the order of bytes of its machine", not swapped)
end

-- The zone of an IPv6 address, of which two bytes are given in their order.
function helper.need.zones(pending)
  helper.need.kernel(pending, "the zones of addresses in the order of bytes of its machine", not swapped)
end

-- Broadcast addresses, as getifaddrs(3) is told them.
function helper.need.netlink(pending)
  helper.need.kernel(pending, "broadcast addresses in the order of bytes of the network", not swapped)
end

-- Who it was that complained of a datagram.
function helper.need.offender(pending)
  if not emulated then return end
  local sock, port = assert(lsocket.bind("udp", "127.0.0.1", 0)), helper.refusing_udp_port()
  sock:setopt("recverr", true)
  sock:sendto("x", "127.0.0.1", port)
  helper.readable(sock)
  local _, message = sock:recverr()
  sock:close()
  helper.need.kernel(pending, "the offender in the queue of errors", message and message.offender)
end

function helper.need.speed(pending)
  if slow then pending "too slow, or not to be measured, while every instruction is watched (LS_SLOW)" end
end

function helper.need.getfd(pending)
  local _, _, symbol = require("lsocket.loop").getfd()
  if symbol == "EOPNOTSUPP" then pending "this build has only the poller that has no descriptor" end
end

function helper.need.proc(pending)
  if not process.read "/proc/self/stat" then pending "needs /proc" end
end

function helper.need.ipv6(pending)
  local sock = lsocket.bind("udp", "::1", 0)
  if not sock then pending "needs IPv6" end
  sock:close()
end

function helper.need.tls(pending)
  if not pcall(require, "lsocket.tls") then pending "this build has no lsocket.tls" end
  helper.need.tool(pending, "openssl version | grep '^OpenSSL 3'")
end

function helper.need.luasocket(pending)
  if not pcall(require, "socket") then pending "needs LuaSocket" end
end

function helper.need.luv(pending)
  if not pcall(require, "luv") then pending "needs luv" end
end

-- Where datagrams were sent to.
function helper.need.pktinfo(pending)
  local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
  local told = sock:setopt("pktinfo", true)
  sock:close()
  if not told then pending "needs the option pktinfo" end
end

function helper.need.abstract(pending)
  local sock = lsocket.bind(helper.name())
  if not sock then pending "needs abstract unix names" end
  sock:close()
end

local tools = {} -- which commands have succeeded: many tests need the same

-- command: one that succeeds where the tool can be used
function helper.need.tool(pending, command)
  helper.need.unix(pending, "the shell's command: " .. command)
  if tools[command] == nil then
    local pipe = io.popen("{ " .. command .. "; } > /dev/null 2>&1 && echo yes")
    tools[command] = pipe:read "*a" == "yes\n"
    pipe:close()
  end
  if not tools[command] then pending("needs: " .. command) end
end

-- ---- results ----

function helper.pack(...)
  return { n = select("#", ...), ... }
end

-- The texts of the C library for the failures that specs cause.
helper.texts = {
  EACCES = "Permission denied",
  EADDRINUSE = "Address already in use",
  EADDRNOTAVAIL = "Cannot assign requested address",
  EAFNOSUPPORT = "Address family not supported by protocol",
  EAGAIN = "Resource temporarily unavailable",
  EAI_NONAME = "Name or service not known",
  EBADF = "Bad file descriptor",
  EBUSY = "Device or resource busy",
  ECANCELED = "Operation canceled",
  ECONNREFUSED = "Connection refused",
  ECONNRESET = "Connection reset by peer",
  EEXIST = "File exists",
  EDESTADDRREQ = "Destination address required",
  EINTR = "Interrupted system call",
  EINVAL = "Invalid argument",
  EISCONN = "Transport endpoint is already connected",
  EISDIR = "Is a directory",
  EMFILE = "Too many open files",
  EMSGSIZE = "Message too long",
  ENAMETOOLONG = "File name too long",
  ENETUNREACH = "Network is unreachable",
  ENODEV = "No such device",
  ENOENT = "No such file or directory",
  ENOTCONN = "Transport endpoint is not connected",
  ENOTSOCK = "Socket operation on non-socket",
  EOPNOTSUPP = "Operation not supported",
  ENOPROTOOPT = "Protocol not available",
  EPIPE = "Broken pipe",
  EPROTOTYPE = "Protocol wrong type for socket",
  ESPIPE = "Illegal seek",
  ETIMEDOUT = "The deadline has passed", -- the loop's own
}

local function describe_results(results)
  local texts = {}
  for i = 1, results.n do texts[i] = tostring(results[i]) end
  return "(" .. table.concat(texts, ", ") .. ")"
end

-- The results that follow must be nil, the system's text (or the given one), the name of the failure.
function helper.fails(name, ...)
  local results = helper.pack(...)
  local text = helper.texts[name]
  if results.n ~= 3 or results[1] ~= nil or results[2] ~= text or results[3] ~= name then
    error("expected (nil, " .. tostring(text) .. ", " .. name .. "), got " .. describe_results(results), 2)
  end
end

-- Calling must raise a text that has this in it.
function helper.raises(text, call, ...)
  local results = helper.pack(pcall(call, ...))
  if results[1] then error("expected an error, got " .. describe_results(results), 2) end
  local message = tostring(results[2])
  if not message:find(text, 1, true) then
    error("expected an error with '" .. text .. "', got '" .. message .. "'", 2)
  end
end

-- ---- waiting ----

-- Waits until the socket can be read; answers it.
function helper.readable(sock)
  local ready, message = lsocket.select({ sock }, helper.patience)
  if not ready then error("not readable: " .. tostring(message or "time is up"), 2) end
  if ready[1] ~= sock then error("something is ready, but not the socket", 2) end
  return sock
end

function helper.writable(sock)
  local ready, writable = lsocket.select(nil, { sock }, helper.patience) -- or nil, message
  if not ready then error("not writable: " .. tostring(writable or "time is up"), 2) end
  if writable[1] ~= sock then error("something is ready, but not the socket", 2) end
  return sock
end

-- Is it ready now? For what must not become ready, a little later counts as never.
function helper.is_readable(sock, seconds)
  return lsocket.select({ sock }, seconds or 0.02) and true or false
end

function helper.is_writable(sock, seconds)
  return lsocket.select(nil, { sock }, seconds or 0.02) and true or false
end

-- Asks again and again until check answers something true, and answers that.
function helper.eventually(what, check)
  local deadline = helper.now() + helper.patience
  repeat
    local result = check()
    if result then return result end
    lsocket.select(0.002)
  until helper.now() > deadline
  error("waited in vain: " .. what, 2)
end

-- Measures until the result is below a limit, ten times at the most; answers the last result. For times that are short
-- unless other programs have taken the processor, which they do now and then, and what is wrong does always.
function helper.below(limit, measure, ...)
  local result
  for _ = 1, 10 do
    result = measure(...)
    if result < limit then break end
  end
  return result
end

-- As many descriptors as before, or fewer, where look-ups were dropped: their threads close what they have open later.
function helper.closes(before)
  helper.eventually("all is closed", function() return process.count() <= before end)
end

-- Closes what earlier tests have left, for a test that looks at the numbers of descriptors, or whose child may have few
-- and inherits Lua's files: from then on the system gives away none but those that the test itself closes.
helper.settle = process.collect

-- Sets how long the collector rests ("pause") or how fast it works ("stepmul"), in per cent, and tells what that was.
function helper.tune(name, value)
  local known, before = pcall(collectgarbage, "set" .. name, value)
  return known and before or collectgarbage("param", name, value) -- from Lua 5.5 on
end

-- Leaves something behind that runs this when the collector finds it.
function helper.when_collected(run)
  -- On a stack of its own: on this one a forgotten register could keep it alive.
  coroutine.wrap(function()
    if newproxy then getmetatable(newproxy(true)).__gc = run -- luacheck: globals newproxy
    else setmetatable({}, { __gc = run }) end
  end)()
end

-- Calls fn(interrupt) as the first task of a run that ends at once, as by Ctrl-C, when fn has ended after interrupt().
function helper.interrupted(pending, fn)
  if rawget(_G, "jit") then pending "LuaJIT interrupts the task that runs" end
  local thread
  local function interrupt()
    debug.sethook(thread, function()
      debug.sethook(thread)
      error("interrupted!", 0)
    end, "c")
  end
  thread = coroutine.create(function() require "lsocket.loop".run(fn, interrupt) end)
  local ok, problem = coroutine.resume(thread)
  if ok or problem ~= "interrupted!" then error("not interrupted: " .. tostring(problem), 2) end
end

-- ---- sockets ----

function helper.port(sock)
  return assert(sock:info "socket").port
end

function helper.bind(...)
  local sock = assert(lsocket.bind(...))
  return sock, helper.port(sock)
end

-- A connection over a listener, which stays open: client, server.
function helper.connect_to(listener, ...)
  local client = assert(lsocket.connect(...))
  helper.readable(listener)
  local server = assert(listener:accept())
  helper.writable(client)
  assert(client:status())
  return client, server
end

-- Two connected stream sockets: client, server.
function helper.tcp(address)
  address = address or "127.0.0.1"
  local listener, port = helper.bind(address, 0)
  local client, server = helper.connect_to(listener, address, port)
  listener:close()
  return client, server
end

-- A port that refuses tcp connections for as long as the second result is kept: the near end of a connection has it.
function helper.refusing_port()
  local client, server = helper.tcp()
  return helper.port(client), { client, server }
end

-- A udp port that nobody reads from: the socket that has it is connected to somebody else.
function helper.refusing_udp_port()
  local keeper = assert(lsocket.connect("udp", "127.0.0.1", 9))
  return helper.port(keeper), keeper
end

-- A tcp socket whose connection was refused and has not told so yet.
function helper.refused()
  local port, keeper = helper.refusing_port()
  local sock
  repeat -- the system may take that very port for it, and so connect it to itself
    sock = assert(lsocket.connect("127.0.0.1", port))
    helper.writable(sock)
  until sock:info("socket").port ~= port
  return sock, keeper
end

-- Exactly so many bytes of a stream; fewer where it ends.
function helper.receive(sock, count)
  local pieces = {}
  while count > 0 do
    helper.readable(sock)
    local piece = sock:recv(count)
    if piece == nil then break end
    if piece then
      pieces[#pieces + 1] = piece
      count = count - #piece
    end
  end
  return table.concat(pieces)
end

-- Sends until no more is taken; answers how much that was.
function helper.fill(sock)
  local piece, total = ("x"):rep(65536), 0
  while true do
    local count, message = sock:send(piece)
    assert(count ~= nil, message)
    if not count then return total end
    total = total + count
  end
end

-- Connects to a listener on 127.0.0.1 until one waits in vain, or there are more than 20; answers how many did not.
function helper.count_waiting(port)
  local clients, count = {}, 0
  repeat
    clients[#clients + 1] = assert(lsocket.connect("127.0.0.1", port))
    local connected = helper.is_writable(clients[#clients], 0.2)
    if connected then count = count + 1 end
  until not connected or count > 20
  for _, client in ipairs(clients) do client:close() end
  return count
end

-- ---- names of the unix kind ----

local paths, names = {}, 0

-- A path where nothing is; what is made there goes away with helper.remove_paths, which specs call after each test.
function helper.path()
  local path = os.tmpname()
  os.remove(path)
  if helper.windows then path = (os.getenv "TEMP" .. path):gsub("\\", "/") end
  paths[#paths + 1] = path
  return path
end

function helper.remove_paths()
  for _, path in ipairs(paths) do os.remove(path) end
  paths = {}
end

-- A file with this in it: its path.
function helper.file(content)
  local path = helper.path()
  local file = assert(io.open(path, "wb"))
  file:write(content)
  file:close()
  return path
end

-- A socket object for a file that Lua opens.
function helper.adopt(path, mode)
  local file, fd = process.open(io.open, path, mode)
  local borrowed = assert(lsocket.fromfd(fd))
  local sock = assert(borrowed:dup())
  borrowed:detach()
  file:close()
  return sock
end

-- An abstract name that nobody else uses.
function helper.name()
  names = names + 1
  return "@lsocket-spec-" .. (tostring(paths):match "0x%x+" or "") .. "-" .. process.pid() .. "-" .. names
end

-- ---- child processes ----

function helper.quote(text)
  if helper.windows then return '"' .. text .. '"' end
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

local function find_interpreter()
  local i = -1
  while arg and arg[i - 1] do i = i - 1 end
  return arg and arg[i] or "lua"
end

helper.interpreter = find_interpreter()

-- What makes a shell start a program with the library of this process; cmd passes its environment on.
local function environment()
  local words = { "env -u LUA_INIT" }
  for minor = 1, 5 do words[#words + 1] = ("-u LUA_PATH_5_%d -u LUA_CPATH_5_%d"):format(minor, minor) end
  words[#words + 1] = "LUA_PATH=" .. helper.quote(package.path)
  words[#words + 1] = "LUA_CPATH=" .. helper.quote(package.cpath)
  return words
end

-- The command line that runs spec/child/<program>.lua, or where the program is "samples/<name>", that of the samples,
-- with the interpreter and the library of this process.
function helper.command(program, ...)
  local words = helper.windows and {} or environment()
  words[#words + 1] = helper.windows and helper.interpreter or helper.quote(helper.interpreter)
  words[#words + 1] = (program:find "^samples/" and "" or "spec/child/") .. program .. ".lua"
  for _, word in ipairs { ... } do words[#words + 1] = helper.quote(word) end
  return table.concat(words, " ")
end

-- A command with variables of its environment: name -> value, or false for none.
function helper.setting(variables, command)
  for name, value in pairs(variables) do
    local way = helper.windows and "set %s=%s&& %s" or value and "%s=%s %s" or "env -u %s%s %s"
    command = way:format(name, value or "", command)
  end
  return command
end

-- A command that is ended after so many seconds, but on Windows, where a program of that name only waits.
function helper.bounded(seconds, command)
  return helper.windows and command or ("timeout %d %s"):format(seconds, command)
end

-- What a shell says first so that the program it starts has room for so many descriptors, the usual three among them:
-- those that this process was started with, and which the program gets too, take none of the room.
function helper.limited(descriptors)
  local inherited = {}
  for number in helper.run "ls /dev/fd":gmatch "%d+" do inherited[#inherited + 1] = tonumber(number) end
  table.sort(inherited)
  for _, number in ipairs(inherited) do -- one from 3 on is that of the list itself, which is the lowest there was
    if number > 3 and number < descriptors then descriptors = descriptors + 1 end
  end
  return "ulimit -n " .. descriptors .. "; "
end

-- The command line that runs a child while some of its system calls fail: "accept,accept4", "ECONNABORTED:when=1".
function helper.inject(calls, failure, program, ...)
  return "ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -o /dev/null -e trace=" .. calls ..
    " -e inject=" .. calls .. ":error=" .. failure .. " " .. helper.command(program, ...)
end

-- A ring, where the kernel has it and allows it.
function helper.ring(pending)
  local ring, message, name = lsocket.ring()
  if not ring then pending("no ring here: " .. message .. " (" .. name .. ")") end
  return ring
end

function helper.need.injection(pending)
  helper.need.tool(pending, "strace -f -e inject=accept4:error=EINTR true")
end

-- The command line that runs python: the system's own where there are others, which may take seconds to start.
function helper.python(arguments)
  return "PATH=/usr/bin:$PATH python3 -S " .. arguments
end

local function run_by_cmd(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local output = pipe:read "*a"
  local _, _, status = pipe:close()
  return output, status
end

-- Runs a command to its end: what it printed, its exit status.
function helper.run(command)
  if helper.windows then return run_by_cmd(command) end
  local pipe = assert(io.popen("( " .. command .. " ) 2>&1; echo status=$?"))
  local output = pipe:read "*a"
  pipe:close()
  local text, status = output:match "^(.*)status=(%d+)\n$"
  return text, tonumber(status)
end

return helper
