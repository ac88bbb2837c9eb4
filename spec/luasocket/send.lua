-- Rows of send on tcp: ranges, indices, failures, partial results, and of getstats, setstats.
local common = require "spec.luasocket.common"

local keep, refused, pair = common.keep, common.refused, common.pair
local unpack = table.unpack or unpack -- luacheck: ignore 143

-- Sends until nothing more is taken, as the system moves on what it has taken before; the results of the last call.
local function fill(client, ...)
  client:settimeout(0)
  repeat until not client:send(("x"):rep(1000000))
  local done, message, last
  repeat done, message, last = client:send(...) until not done
  return done, message, last
end

-- A row that sends with these arguments, and shows the results and what has arrived.
local function sends(...)
  local arguments, count = { ... }, select("#", ...)
  return function(socket)
    local client, server = pair(socket)
    local a, b, c = client:send(unpack(arguments, 1, count))
    client:close()
    return a, b, c, (server:receive "*a")
  end
end

return {
  { "a string", '3 nil nil "abc"', sends "abc" },
  { "a number", '2 nil nil "12"', sends(12) },
  { "an empty string", "0 nil nil nil", sends "" },
  { "from an index", '5 nil nil "cde"', sends("abcde", 3) },
  { "from an index to another", '4 nil nil "cd"', sends("abcde", 3, 4) },
  { "from an index to one that is beyond", '5 nil nil "cde"', sends("abcde", 3, 99) },
  { "from the end", '5 nil nil "de"', sends("abcde", -2) },
  { "to the end but one", '4 nil nil "abcd"', sends("abcde", 1, -2) },
  { "from 0", '3 nil nil "abc"', sends("abcde", 0, 3) },
  { "from before the beginning", '3 nil nil "abc"', sends("abcde", -99, 3) },
  { "an empty range", "2 nil nil nil", sends("abcde", 3, 2) },
  { "an empty range beyond the end", "8 nil nil nil", sends("abcde", 9) },
  { "an empty range before the beginning", "0 nil nil nil", sends("abcde", 1, 0) },
  { "nil for the range", '5 nil nil "abcde"', sends("abcde", nil, nil) },
  { "indices as strings", '3 nil nil "bc"', sends("abcde", "2", "3") },
  { "zeros", '3 nil nil "a\\000b"', sends "a\0b" },
  { "a table", '"string expected, got table"', function(socket)
    local client = pair(socket)
    return refused(client.send, client, {})
  end },
  { "nothing", '"string expected, got nil"', function(socket)
    local client = pair(socket)
    return refused(client.send, client)
  end },
  { "an index that is a table", '"number expected, got table"', function(socket)
    local client = pair(socket)
    return refused(client.send, client, "abc", {})
  end },
  { "more than fits runs out of time", 'nil "timeout" true true', function(socket)
    local client = pair(socket)
    client:settimeout(0)
    local text = ("x"):rep(20000000)
    local done, message, last = client:send(text)
    return done, message, last > 0, last < #text
  end },
  { "the index of a partial result counts from the string's beginning", 'nil "timeout" 10', function(socket)
    return fill(pair(socket), "xxxxxxxxxxx", 11)
  end, needs = "limit" },
  { "nothing fits", 'nil "timeout" 0', function(socket) return fill(pair(socket), "x") end, needs = "limit" },
  { "an empty string where nothing fits", "0 nil nil", function(socket)
    local client = pair(socket)
    fill(client, "x")
    return client:send ""
  end, needs = "limit" },
  { "nothing fits before the time is over", 'true nil "timeout" 0', function(socket)
    local client = pair(socket)
    fill(client, "x")
    client:settimeout(0.05)
    local took, done, message, last
    repeat took, done, message, last = common.timed(socket, 0.05, client.send, client, "x") until not done
    return took, done, message, last
  end, needs = "limit" },
  { "to a peer that has closed", 'nil "closed" 0', function(socket)
    local client, server = pair(socket)
    server:close()
    local done, message, last
    repeat done, message, last = client:send "x" until not done
    return done, message, last
  end },
  { "to one that is closed here", 'nil "closed" 0', function(socket)
    local client = pair(socket)
    client:close()
    return client:send "abc"
  end },
  { "from an index, to one that is closed here", 'nil "closed" 1', function(socket)
    local client = pair(socket)
    client:close()
    return client:send("abc", 2)
  end },
  { "an empty string to one that is closed here", "0 nil nil", function(socket)
    local client = pair(socket)
    client:close()
    return client:send ""
  end },
  { "send of a master", '"tcp{client} expected"', function(socket)
    local tcp = keep(socket.tcp())
    return refused(tcp.send, tcp, "x")
  end },
  { "send of a listener", '"tcp{client} expected"', function(socket)
    local server = common.listener(socket)
    return refused(server.send, server, "x")
  end },
  { "send of one that was refused", 'nil "closed" 0', function(socket)
    local port = common.refusing(socket)
    local tcp = keep(socket.tcp4())
    tcp:connect("127.0.0.1", port)
    tcp:getoption "error"
    return tcp:send "x"
  end },
  { "getstats of a new one", "0 0 true", function(socket)
    local client = pair(socket)
    local received, sent, age = client:getstats()
    return received, sent, age >= 0 and age < 60
  end },
  { "getstats counts what was returned, and what was sent", "4 5", function(socket)
    local client, server = pair(socket)
    server:send "one\ntwo\n"
    client:receive()
    client:send "abcde"
    local received, sent = client:getstats()
    return received, sent
  end },
  { "getstats counts what a failure returned", "9 7", function(socket)
    local client = common.ended(socket, "ab")
    client:receive()
    local received, sent = client:getstats()
    return received, sent
  end },
  { "setstats", "1 100 200 true", function(socket)
    local client = pair(socket)
    local done = client:setstats(100, 200, 1000)
    local received, sent, age = client:getstats()
    return done, received, sent, age >= 999 and age < 1060
  end },
  { "setstats of nothing changes nothing", "1 0 3", function(socket)
    local client = pair(socket)
    client:send "abc"
    local done = client:setstats()
    local received, sent = client:getstats()
    return done, received, sent
  end },
  { "setstats of some", "7 3", function(socket)
    local client = pair(socket)
    client:send "abc"
    client:setstats(7)
    local received, sent = client:getstats()
    return received, sent
  end },
  { "getstats of a master", '"tcp{client} expected"', function(socket)
    local tcp = keep(socket.tcp())
    return refused(tcp.getstats, tcp)
  end },
}
