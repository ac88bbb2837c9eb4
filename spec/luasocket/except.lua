-- Rows of what has no object: newtry, protect, skip, dns, constants.
local common = require "spec.luasocket.common"

local refused = common.refused

-- What protect makes of an error with this value.
local function thrown(value)
  return function(socket)
    local ok, got = pcall(socket.protect(function() error(value, 0) end))
    return ok, got == value
  end
end

return {
  { "try passes results on", "1 nil 3", function(socket) return socket.newtry()(1, nil, 3) end },
  { "try of nothing", "false", function(socket) return (pcall(socket.newtry())) end },
  { "try raises a table", 'false "table" "wrong"', function(socket)
    local ok, problem = pcall(socket.newtry(), nil, "wrong")
    return ok, type(problem), problem[1]
  end },
  { "the metatable of what try raises is hidden", "false", function(socket)
    return getmetatable((select(2, pcall(socket.newtry(), nil, "wrong"))))
  end },
  { "try takes false for a failure", 'nil "wrong"', function(socket)
    return socket.protect(function() socket.newtry()(false, "wrong") end)()
  end },
  { "protect passes arguments and results on", "1 nil 3", function(socket)
    return socket.protect(function(...) return ... end)(1, nil, 3)
  end },
  { "protect of no results", "0", function(socket) return select("#", socket.protect(function() end)()) end },
  { "protect returns what try raised", 'nil "wrong"', function(socket)
    local try = socket.newtry()
    return socket.protect(function() try(nil, "wrong", 3) end)()
  end },
  { "a failure may be any value", "nil {a=1}", function(socket)
    return socket.protect(function() socket.newtry()(nil, { a = 1 }) end)()
  end },
  { "a failure may be nil", "nil nil", function(socket)
    return socket.protect(function() socket.newtry()(nil) end)()
  end },
  { "protect lets other errors through", "false true", thrown "other" },
  { "protect lets tables through", "false true", thrown { "other" } },
  { "protect lets false through", "false true", thrown(false) },
  { "protect in protect", 'nil "inner" "after"', function(socket)
    local try = socket.newtry()
    local inner = socket.protect(function() try(nil, "inner") end)
    return socket.protect(function()
      local a, b = inner()
      return a, b, "after"
    end)()
  end },
  { "a finalizer is called on failure, before", '"finalized" nil "wrong"', function(socket)
    local called
    local try = socket.newtry(function() called = "finalized" end)
    local a, b = socket.protect(function() try(nil, "wrong") end)()
    return called, a, b
  end },
  { "a finalizer is not called on success", "nil 1", function(socket)
    local called
    local try = socket.newtry(function() called = "finalized" end)
    local a = socket.protect(function() return try(1) end)()
    return called, a
  end },
  { "a finalizer that fails is the error", 'false "finalizer"', function(socket)
    local try = socket.newtry(function() error("finalizer", 0) end)
    return pcall(socket.protect(function() try(nil, "wrong") end))
  end },
  { "protect of what is no function", "false", function(socket) return (pcall(socket.protect(nil))) end },
  { "protect in a coroutine that yields in it", '"yielded" "end"', function(socket)
    local run = coroutine.wrap(function()
      return socket.protect(function() return coroutine.yield "yielded" end)()
    end)
    return run(), run "end"
  end, needs = "yields" },
  { "skip", "2 3", function(socket) return socket.skip(1, 1, 2, 3) end },
  { "skip none", "1 nil", function(socket) return socket.skip(0, 1, nil) end },
  { "skip all", "0", function(socket) return select("#", socket.skip(5, 1, 2)) end },
  { "skip without a number", '"number expected, got nil"', function(socket) return refused(socket.skip) end },
  { "constants", "-1 8192", function(socket) return socket._SOCKETINVALID, socket._DATAGRAMSIZE end },
  { "the version is a string", '"string" true', function(socket)
    return type(socket._VERSION), socket._VERSION:find "^LuaSocket %d" ~= nil
  end },
  { "no debug build", "nil", function(socket) return socket._DEBUG end },
  { "all functions", '""', function(socket)
    local missing = {}
    for name in ("tcp tcp4 tcp6 connect udp udp4 udp6 select gettime sleep skip newtry protect "
      .. "__unload"):gmatch "[%w_]+" do
      if type(socket[name]) ~= "function" then missing[#missing + 1] = name end
    end
    for _, name in ipairs { "toip", "tohostname", "getaddrinfo", "getnameinfo", "gethostname" } do
      if type(socket.dns[name]) ~= "function" then missing[#missing + 1] = name end
    end
    return table.concat(missing, " ")
  end },
  { "toip", '"127.0.0.2" {alias={}, ip={[1]="127.0.0.2"}, name="0xcafe.example"}', function(socket)
    return socket.dns.toip "0xcafe.example"
  end, needs = "sandbox" },
  { "toip of an address", '"192.0.2.1" {alias={}, ip={[1]="192.0.2.1"}, name="halfreachable.example"}', function(socket)
    return socket.dns.toip "192.0.2.1"
  end, needs = "sandbox" },
  { "toip of an address in another form", '"192.0.2.1" "192.0.2.1"', function(socket)
    local address, resolved = socket.dns.toip "0xC0.513"
    return address, resolved.ip[1]
  end, needs = "sandbox" },
  { "toip of an address without a name", 'nil "host not found"', function(socket)
    return socket.dns.toip "192.0.2.99"
  end, needs = "sandbox" },
  { "toip of a name that there is not", 'nil "host not found"', function(socket)
    return socket.dns.toip "nothing.invalid"
  end, needs = "sandbox" },
  { "toip of nothing", '"string expected, got nil"', function(socket) return refused(socket.dns.toip) end },
  { "tohostname", '"localhost" {alias={}, ip={[1]="127.0.0.1"}, name="localhost"}', function(socket)
    return socket.dns.tohostname "127.0.0.1"
  end, needs = "sandbox" },
  { "tohostname of an address without a name", 'nil "host not found"', function(socket)
    return socket.dns.tohostname "192.0.2.99"
  end, needs = "sandbox" },
  { "tohostname of a name", '"localhost"', function(socket)
    return (socket.dns.tohostname "localhost")
  end, needs = "sandbox" },
  { "getaddrinfo", '{[1]={addr="127.0.0.1", family="inet"}}', function(socket)
    return socket.dns.getaddrinfo "127.0.0.1"
  end },
  { "getaddrinfo of addresses in other forms", '"127.0.0.1" "::1"', function(socket)
    return socket.dns.getaddrinfo("127.1")[1].addr, socket.dns.getaddrinfo("0:0::1")[1].addr
  end },
  { "getaddrinfo of IPv6", '{[1]={addr="::1", family="inet6"}}', function(socket)
    return socket.dns.getaddrinfo "::1"
  end },
  { "getaddrinfo of a name with both", '{[1]={addr="::1", family="inet6"}, [2]={addr="127.0.0.1", family="inet"}}',
    function(socket) return socket.dns.getaddrinfo "localhost" end, needs = "sandbox" },
  { "getaddrinfo of a name that there is not", 'nil "host or service not provided, or not known"', function(socket)
    return socket.dns.getaddrinfo "nothing.invalid"
  end, needs = "sandbox" },
  { "getaddrinfo of nothing", '"string expected, got nil"', function(socket)
    return refused(socket.dns.getaddrinfo)
  end },
  { "getnameinfo", '{[1]="localhost"}', function(socket)
    return socket.dns.getnameinfo "127.0.0.1"
  end, needs = "sandbox" },
  { "getnameinfo of an address without a name", '{[1]="192.0.2.99"}', function(socket)
    return socket.dns.getnameinfo "192.0.2.99"
  end, needs = "sandbox" },
  { "getnameinfo of a name that there is not", 'nil "host or service not provided, or not known"', function(socket)
    return socket.dns.getnameinfo "nothing.invalid"
  end, needs = "sandbox" },
  { "getnameinfo with a service", '{[1]="localhost"} "http"', function(socket)
    return socket.dns.getnameinfo("127.0.0.1", "80")
  end, needs = "sandbox" },
  { "gethostname", "true", function(socket) return #socket.dns.gethostname() > 0 end },
}
