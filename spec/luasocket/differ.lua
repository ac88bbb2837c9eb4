-- Rows in which lsocket.luasocket is wanted to differ from LuaSocket.
local common = require "spec.luasocket.common"

local keep = common.keep

local integers = "what counts is an integer, where Lua has integers"

-- The kinds of numbers, "integer float".
local function kind(...)
  local kinds = { ... }
  for i, number in ipairs(kinds) do kinds[i] = math.type(number) end -- luacheck: ignore 143
  return table.concat(kinds, " ")
end

-- Is an object's descriptor close-on-exec? /proc has the flags in octal; O_CLOEXEC is 02000000.
local function close_on_exec(object)
  local file = assert(io.open("/proc/self/fdinfo/" .. ("%d"):format(object:getfd())))
  local flags = file:read "*a":match "flags:%s*(%d+)"
  file:close()
  return math.floor(tonumber(flags, 8) / tonumber("2000000", 8)) % 2 == 1
end

return {
  { "send", '"float"', function(socket) return kind((common.pair(socket):send "x")) end,
    ours = '"integer"', why = integers, needs = "integers" },
  { "getfd", '"float"', function(socket) return kind(keep(socket.tcp4()):getfd()) end,
    ours = '"integer"', why = integers, needs = "integers" },
  { "what methods return that succeed", '"float float float"', function(socket)
    local tcp = keep(socket.tcp4())
    return kind(tcp:bind("127.0.0.1", 0), tcp:listen(), tcp:close())
  end, ours = '"integer integer integer"', why = integers, needs = "integers" },
  { "send of udp", '"float"', function(socket) return kind((common.udps(socket):send "x")) end,
    ours = '"integer"', why = integers, needs = "integers" },
  { "getstats counts", '"float float"', function(socket)
    local received, sent = common.pair(socket):getstats()
    return kind(received, sent)
  end, ours = '"integer integer"', why = integers, needs = "integers" },
  { "a port is an integer in both", '"integer"', function(socket)
    return kind((select(2, common.pair(socket):getpeername())))
  end, needs = "integers" },
  { "toip of a name with others", '{[1]="cafe", [2]="fe", [3]="feed.example"} "db"', function(socket)
    local _, resolved = socket.dns.toip "cafe"
    return resolved.alias, resolved.name
  end, ours = '{} "db"', why = "the resolver that tasks can wait for reports no further names", needs = "sandbox" },
  { "the size of a buffer", "131072 131072", function(socket)
    local tcp = keep(socket.tcp4())
    assert(tcp:setoption("recv-buffer-size", 65536))
    assert(tcp:setoption("send-buffer-size", 65536))
    return tcp:getoption "recv-buffer-size", tcp:getoption "send-buffer-size"
  end, ours = "65536 65536", why = "a size is what it was set to, not twice that, which Linux reports" },
  { "how many descriptors select can wait for", "true false", function(socket)
    return socket._SETSIZE == 1024, socket._SETSIZE > 100000
  end, ours = "false true", why = "select has no limit" },
  { "descriptors are inherited by programs that are started", "false false false", function(socket)
    local client, server = common.pair(socket)
    return close_on_exec(client), close_on_exec(server), close_on_exec(common.udp(socket))
  end, ours = "true true true", why = "close-on-exec: a program that is started inherits no socket", needs = "proc" },
}
