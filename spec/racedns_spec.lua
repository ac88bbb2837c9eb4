-- samples/racedns.lua: with servers that answer, that do not, and that tell nonsense; and with dnsmasq.
local helper = require "spec.helper"
local lsocket = require "lsocket"
local process = require "spec.process"

after_each(helper.remove_paths)

local function run(...)
  return helper.run("timeout 20 " .. helper.command("samples/racedns", ...))
end

local A, AAAA = "\0\1", "\0\28"

-- A record of a name that the question has.
local function record(kind, data)
  return "\192\12" .. kind .. "\0\1\0\0\0\60\0" .. string.char(#data) .. data
end

-- An answer to a query: records, the code of a failure, what is to be else.
local function reply(query, records, code, flags)
  local count = string.char(0, #records)
  return query:sub(1, 2) .. string.char(flags or 129, code or 0) .. "\0\1" .. count .. "\0\0\0\0" .. query:sub(13)
    .. table.concat(records)
end

local function kind_of(query) return query:sub(-4, -3) end

local function useful(query)
  return { reply(query, { record(kind_of(query), kind_of(query) == A and "\10\1\2\3" or ("\0"):rep(15) .. "\1") }) }
end

-- Answers what comes on a socket, as a server does.
local function serve(sock, server)
  local query, address, port = sock:recvfrom()
  for _, data in ipairs(query and server(query) or {}) do sock:sendto(data, address, port) end
end

-- Runs the program for a name on servers, each a function that gives the datagrams which answer a query: what it
-- printed, its exit status.
local function ask(name, ...)
  local servers, socks, places, numbers, path = { ... }, {}, {}, {}, helper.path()
  for i = 1, #servers do
    local port
    socks[i], port = helper.bind("udp", "127.0.0.1", 0)
    servers[socks[i]], places[i] = servers[i], "127.0.0.1#" .. port
    numbers[places[i]] = "server " .. i
  end
  local command = helper.command("samples/racedns", name, (table.unpack or unpack)(places))
  os.execute(("(timeout 20 %s; echo status=$?) > %s 2>&1 &"):format(command, path))
  local said, status
  helper.eventually("it ends", function()
    for _, sock in ipairs(lsocket.select(socks, 0.02) or {}) do serve(sock, servers[sock]) end
    said, status = (process.read(path) or ""):match "^(.*)status=(%d+)\n$"
    return status
  end)
  for _, sock in ipairs(socks) do sock:close() end
  return (said:gsub("127.0.0.1#%d+", numbers)), tonumber(status)
end

local function silent() return {} end

-- The lines of an answer, whose order is nobody's business.
local function sorted(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  table.sort(lines)
  return table.concat(lines, " | ")
end

local FOUND = "10.1.2.3 | ::1 | server %d was first"

describe("samples/racedns.lua", function()
  it("takes the first server that answers", function()
    assert.equal(FOUND:format(1), sorted((ask("box.example", useful))))
    assert.equal(FOUND:format(2), sorted((ask("box.example.", silent, useful, silent))))
    local refusing, keeper = helper.refusing_udp_port()
    local listener, port = helper.bind("udp", "127.0.0.1", 0)
    local said, status = run("box.example", "127.0.0.1#" .. refusing)
    assert.same({ "racedns: no server answers\n", 1 }, { said, status })
    assert.truthy(keeper and port)
    listener:close()
  end)

  it("does not take a failure for an answer, nor nonsense, nor what answers something else", function()
    local function failing(query) return { reply(query, {}, 2) } end
    local function refusing(query) return { reply(query, {}, 5) } end
    local function forging(query)
      return { "", "x", query, "ab" .. useful(query)[1]:sub(3), useful((query:gsub("box", "fox")))[1] }
    end
    local function cut(query) return { useful(query)[1]:sub(1, -2) } end
    local function endless(query) return { reply(query, {}, 0):sub(1, 6) .. "\255\255" .. query:sub(9) } end
    local said = ask("box.example", failing, refusing, forging, cut, endless, useful)
    assert.equal(FOUND:format(6), sorted(said))
    assert.same({ "racedns: no server answers\n", 1 }, { ask("box.example", failing, cut) })
  end)

  it("asks again where nothing comes", function()
    local asked = 0
    local said = ask("box.example", function(query)
      asked = asked + 1
      return asked > 1 and useful(query) or {}
    end)
    assert.equal(FOUND:format(1), sorted(said))
  end)

  it("knows names without addresses, and aliases", function()
    local said, status = ask("box.example", function(query) return { reply(query, {}, 3) } end)
    assert.same({ "server 1 was first\nracedns: the name has no address\n", 1 }, { said, status })
    said = ask("box.example", function(query)
      if kind_of(query) == AAAA then return { reply(query, {}) } end
      return { reply(query, { record("\0\5", "\3fox\192\16"), "\3fox\192\16" .. record(A, "\10\0\0\1"):sub(3) }) }
    end)
    assert.equal("10.0.0.1 | server 1 was first", sorted(said))
  end)

  it("says in one line how it is used", function()
    for _, bad in ipairs { {}, { "x" }, { "x", "localhost" }, { "x", "127.0.0.1#70000" }, { "x", "127.0.0.1#x" },
      { ("x"):rep(64), "127.0.0.1" }, { ("xxx."):rep(70), "127.0.0.1" } } do
      assert.same({ "racedns: usage: racedns.lua name server[#port]...\n", 1 }, { run((table.unpack or unpack)(bad)) })
    end
  end)

  it("asks dnsmasq, also what no datagram holds", function()
    local dnsmasq = "PATH=$PATH:/usr/sbin exec env -u LD_PRELOAD dnsmasq"
    helper.need.tool(pending, "(" .. dnsmasq .. " --version)")
    local keeper, port = helper.bind("127.0.0.1", 0)
    keeper:close()
    local hosts = helper.path()
    local file = assert(io.open(hosts, "w"))
    file:write "10.1.2.3 box.example\nfd00::5 box.example\n"
    for i = 1, 60 do file:write("10.2.0.", i, " many.example\n") end
    file:close()
    local pipe = io.popen(("echo $$; %s --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --local=/example/ "
      .. "--addn-hosts=%s --port=%d --listen-address=127.0.0.1 --bind-interfaces --user=root --pid-file= 2>&1")
      :format(dnsmasq, hosts, port))
    local pid = pipe:read "*l"
    repeat local line = assert(pipe:read "*l") until line:find("read " .. hosts, 1, true)
    local server = "127.0.0.1#" .. port
    local box, many = run("box.example", server), run("many.example", server)
    local none, status = run("none.example", server)
    os.execute("kill " .. pid)
    pipe:close()
    assert.equal("10.1.2.3 | 127.0.0.1#" .. port .. " was first | fd00::5", sorted(box))
    assert.equal(60, select(2, many:gsub("\n10%.2%.0%.%d+", "")))
    assert.equal(1, status, none)
  end)
end)

