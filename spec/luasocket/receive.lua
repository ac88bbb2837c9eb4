-- Rows of receive on tcp: lines, counts, all, prefixes, ends, what is left of a failure.
local common = require "spec.luasocket.common"

local keep, refused, pair, ended = common.keep, common.refused, common.pair, common.ended

-- A row in which the peer has sent this before.
local function sent(text, fn)
  return function(socket)
    local client, server = common.used_pair(socket)
    server:send(text)
    return fn(client, server, socket)
  end
end

-- A row in which it has closed, too.
local function closed(text, fn)
  return function(socket) return fn(ended(socket, text), socket) end
end

return {
  { "a line", '"one" nil nil', sent("one\n", function(client) return client:receive() end) },
  { "a line by name", '"one" nil nil', sent("one\r\n", function(client) return client:receive "*l" end) },
  { "a line by nil", '"one" nil nil', sent("one\n", function(client) return client:receive(nil) end) },
  { "a line loses every carriage return", '"onetwo" nil nil', sent("\ro\rne\r\rtwo\r\n", function(client)
    return client:receive()
  end) },
  { "lines one by one", '"one" "" "two"', sent("one\n\ntwo\n", function(client)
    return (client:receive()), (client:receive()), (client:receive())
  end) },
  { "a line with zeros", '"a\\000b" nil nil', sent("a\0b\n", function(client) return client:receive() end) },
  { "the rest of a name does not matter", '"one" nil nil', sent("one\n", function(client)
    return client:receive "*line"
  end) },
  { "a line that is larger than the buffer", "100000 nil nil", sent(("x"):rep(100000) .. "\n", function(client)
    local line, message, part = client:receive()
    return #line, message, part
  end) },
  { "a line with a carriage return at the end of the buffer", '8191 "x" nil nil',
    sent(("x"):rep(8191) .. "\r\nx\n", function(client)
      return #client:receive(), client:receive()
    end) },
  { "a line with a prefix", '"preone" nil nil', sent("one\n", function(client)
    return client:receive("*l", "pre")
  end) },
  { "a prefix keeps its carriage return", '"p\\rone" nil nil', sent("one\n", function(client)
    return client:receive("*l", "p\r")
  end) },
  { "a prefix that is a number", '"12one" nil nil', sent("one\n", function(client)
    return client:receive("*l", 12)
  end) },
  { "a line that does not end", 'nil "timeout" "on"', sent("o\rn", function(client, _, socket)
    client:settimeout(0)
    socket.select({ client }, nil, 5)
    return client:receive()
  end) },
  { "a line that ends later", '"one" nil nil', sent("on", function(client, server, socket)
    client:settimeout(0)
    socket.select({ client }, nil, 5)
    local _, _, part = client:receive()
    server:send "e\n"
    client:settimeout(5)
    return client:receive("*l", part)
  end) },
  { "a line that the end cuts", 'nil "closed" "on"', closed("on", function(client) return client:receive() end) },
  { "a line that the end cuts, with a prefix", 'nil "closed" "preon"', closed("on", function(client)
    return client:receive("*l", "pre")
  end) },
  { "a line after the end", 'nil "closed" ""', closed("", function(client) return client:receive() end) },
  { "a line after the end, with a prefix", 'nil "closed" "pre"', closed("", function(client)
    return client:receive("*l", "pre")
  end) },
  { "the last line before the end", '"one" nil "closed" ""', closed("one\n", function(client)
    return (client:receive()), client:receive()
  end) },
  { "a line of one that is closed here", 'nil "closed" ""', function(socket)
    local client = pair(socket)
    client:close()
    return client:receive()
  end },
  { "what was received is there after close", '"two" nil nil', sent("one\ntwo\n", function(client)
    client:receive()
    client:close()
    return client:receive()
  end) },
  { "a count", '"abc" nil nil', sent("abcdef", function(client) return client:receive(3) end) },
  { "a count as a string", '"abc" nil nil', sent("abcdef", function(client) return client:receive "3" end) },
  { "a count keeps carriage returns", '"a\\r\\n" nil nil', sent("a\r\nb", function(client)
    return client:receive(3)
  end) },
  { "counts one after the other", '"ab" "c" "def"', sent("abcdef", function(client)
    return (client:receive(2)), (client:receive(1)), (client:receive(3))
  end) },
  { "a count that is large", "200000 nil nil", sent(("x"):rep(200000), function(client)
    local text, message, part = client:receive(200000)
    return #text, message, part
  end) },
  { "a fraction of a count", '"ab" nil nil', sent("abcdef", function(client) return client:receive(2.7) end) },
  { "0 of what is there", '"" nil nil', sent("abc", function(client) return client:receive(0) end) },
  { "0 takes nothing", '"" "abc"', sent("abc", function(client)
    return (client:receive(0)), (client:receive(3))
  end) },
  { "0 where nothing is there", 'nil "timeout" ""', function(socket)
    local client = pair(socket)
    client:settimeout(0)
    return client:receive(0)
  end },
  { "0 at the end", 'nil "closed" ""', closed("", function(client) return client:receive(0) end) },
  { "0 before the end", '"" nil nil', closed("a", function(client) return client:receive(0) end) },
  { "0 with an empty prefix waits", 'nil "timeout" ""', function(socket)
    local client = pair(socket)
    client:settimeout(0)
    return client:receive(0, "")
  end },
  { "0 with a prefix does not wait", '"pre" nil nil', function(socket)
    local client = pair(socket)
    client:settimeout(0)
    return client:receive(0, "pre")
  end },
  { "a count less than none", '"invalid receive pattern"', function(socket)
    local client = pair(socket)
    return refused(client.receive, client, -1)
  end },
  { "a pattern that there is not", '"invalid receive pattern"', function(socket)
    local client = pair(socket)
    return refused(client.receive, client, "*n")
  end },
  { "a pattern without a star", '"invalid receive pattern"', function(socket)
    local client = pair(socket)
    return refused(client.receive, client, "l")
  end },
  { "a pattern that is a table", '"string expected, got table"', function(socket)
    local client = pair(socket)
    return refused(client.receive, client, {})
  end },
  { "a pattern that is a boolean", '"string expected, got boolean"', function(socket)
    local client = pair(socket)
    return refused(client.receive, client, false)
  end },
  { "a prefix that is a table", '"string expected, got table"', function(socket)
    local client = pair(socket)
    return refused(client.receive, client, 1, {})
  end },
  { "a count includes the prefix", '"123456" nil nil', sent("456", function(client)
    return client:receive(6, "123")
  end) },
  { "a count that the prefix has already", '"123" nil nil', sent("456", function(client)
    return client:receive(3, "123")
  end) },
  { "a count less than the prefix", '"12345" nil nil', sent("456", function(client)
    return client:receive(3, "12345")
  end) },
  { "a prefix as long as the count does not wait", '"123" nil nil', function(socket)
    local client = pair(socket)
    client:settimeout(0)
    return client:receive(3, "123")
  end },
  { "a count that runs out of time", 'nil "timeout" "ab"', sent("ab", function(client, _, socket)
    client:settimeout(0.05)
    socket.select({ client }, nil, 5)
    return client:receive(5)
  end) },
  { "a count that runs out of time, with a prefix", 'nil "timeout" "123ab"', sent("ab", function(client, _, socket)
    client:settimeout(0.05)
    socket.select({ client }, nil, 5)
    return client:receive(8, "123")
  end) },
  { "a count that the end cuts", 'nil "closed" "ab"', closed("ab", function(client) return client:receive(5) end) },
  { "the same count once more", 'nil "closed" ""', closed("ab", function(client)
    client:receive(5)
    return client:receive(5)
  end) },
  { "all", '"abc" nil nil', closed("abc", function(client) return client:receive "*a" end) },
  { "all, by a longer name", '"abc" nil nil', closed("abc", function(client) return client:receive "*all" end) },
  { "all of much", "300000 nil nil", function(socket)
    local client, server = pair(socket)
    server:settimeout(0)
    local text, got = ("x"):rep(300000), {}
    local from, _, upto = server:send(text)
    from = from or upto
    client:settimeout(0)
    while from < #text do
      local some, _, part = client:receive(65536)
      got[#got + 1] = some or part
      local to, _, last = server:send(text, from + 1)
      from = to or last
    end
    server:close()
    client:settimeout(5)
    local rest, message, part = client:receive("*a", table.concat(got))
    return #rest, message, part
  end },
  { "all of nothing", 'nil "closed" ""', closed("", function(client) return client:receive "*a" end) },
  { "all of nothing, with a prefix", 'nil "closed" "pre"', closed("", function(client)
    return client:receive("*a", "pre")
  end) },
  { "all with a prefix", '"preabc" nil nil', closed("abc", function(client) return client:receive("*a", "pre") end) },
  { "all twice", '"abc" nil "closed" ""', closed("abc", function(client)
    return (client:receive "*a"), client:receive "*a"
  end) },
  { "all that is not all", 'nil "timeout" "abc"', sent("abc", function(client, _, socket)
    client:settimeout(0.05)
    socket.select({ client }, nil, 5)
    return client:receive "*a"
  end) },
  { "all after a line", '"two" nil nil', closed("one\ntwo", function(client)
    client:receive()
    return client:receive "*a"
  end) },
  { "a count after a line", '"tw" nil nil', sent("one\ntwo", function(client)
    client:receive()
    return client:receive(2)
  end) },
  { "a line after a count", '"e" nil nil', sent("one\ntwo", function(client)
    client:receive(2)
    return client:receive()
  end) },
  { "the partial result is gone from the buffer", 'nil "timeout" "ab" nil "timeout" ""', sent("ab",
    function(client, _, socket)
      client:settimeout(0)
      socket.select({ client }, nil, 5)
      local a, b, c = client:receive(5)
      return a, b, c, client:receive(5)
    end) },
  { "a reset is closed", 'nil "closed" ""', function(socket)
    local client, server = pair(socket)
    server:setoption("linger", { on = true, timeout = 0 })
    server:close()
    return client:receive()
  end },
  { "receive of a master", '"tcp{client} expected"', function(socket)
    local tcp = keep(socket.tcp())
    return refused(tcp.receive, tcp)
  end },
  { "receive of a listener", '"tcp{client} expected"', function(socket)
    local server = common.listener(socket)
    return refused(server.receive, server)
  end },
  { "receive of one that was refused", 'nil "closed" ""', function(socket)
    local port = common.refusing(socket)
    local tcp = keep(socket.tcp4())
    tcp:connect("127.0.0.1", port)
    tcp:getoption "error"
    return tcp:receive()
  end },
}
