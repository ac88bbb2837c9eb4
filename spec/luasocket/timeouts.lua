-- Rows of settimeout and gettimeout, and of what time-outs do.
local common = require "spec.luasocket.common"

local keep, refused, pair, timed = common.keep, common.refused, common.pair, common.timed

return {
  { "none at first", "-1 -1", function(socket) return keep(socket.tcp()):gettimeout() end },
  { "settimeout", "1 2.5 -1", function(socket)
    local tcp = keep(socket.tcp())
    return tcp:settimeout(2.5), tcp:gettimeout()
  end },
  { "by call", "1 2 -1", function(socket)
    local tcp = keep(socket.tcp())
    return tcp:settimeout(2, "b"), tcp:gettimeout()
  end },
  { "in all", "1 -1 2", function(socket)
    local tcp = keep(socket.tcp())
    return tcp:settimeout(2, "t"), tcp:gettimeout()
  end },
  { "in all, by its old name", "1 -1 2", function(socket)
    local tcp = keep(socket.tcp())
    return tcp:settimeout(2, "r"), tcp:gettimeout()
  end },
  { "modes by longer names", "3 4", function(socket)
    local tcp = keep(socket.tcp())
    tcp:settimeout(3, "block")
    tcp:settimeout(4, "total")
    return tcp:gettimeout()
  end },
  { "NaN is none", '"timeout"', function(socket)
    local client = pair(socket)
    client:settimeout(0 / 0)
    return (select(2, client:receive(1)))
  end },
  { "nil is for ever", "1 -1 -1", function(socket)
    local tcp = keep(socket.tcp())
    tcp:settimeout(2)
    return tcp:settimeout(nil), tcp:gettimeout()
  end },
  { "nothing is for ever", "1 -1 -1", function(socket)
    local tcp = keep(socket.tcp())
    tcp:settimeout(2)
    return tcp:settimeout(), tcp:gettimeout()
  end },
  { "negative is kept", "1 -3 -1", function(socket)
    local tcp = keep(socket.tcp())
    return tcp:settimeout(-3), tcp:gettimeout()
  end },
  { "a string", "1 2 -1", function(socket)
    local tcp = keep(socket.tcp())
    return tcp:settimeout "2", tcp:gettimeout()
  end },
  { "a mode that there is not", '"invalid timeout mode"', function(socket)
    local tcp = keep(socket.tcp())
    return refused(tcp.settimeout, tcp, 1, "x")
  end },
  { "a table", '"number expected, got table"', function(socket)
    local tcp = keep(socket.tcp())
    return refused(tcp.settimeout, tcp, {})
  end },
  { "a boolean", '"number expected, got boolean"', function(socket)
    local tcp = keep(socket.tcp())
    return refused(tcp.settimeout, tcp, false)
  end },
  { "of a listener", "1 3 -1", function(socket)
    local server = common.listener(socket)
    return server:settimeout(3), server:gettimeout()
  end },
  { "of udp", "1 3 -1", function(socket)
    local udp = keep(socket.udp())
    return udp:settimeout(3), udp:gettimeout()
  end },
  { "it survives close", "2 -1", function(socket)
    local client = pair(socket)
    client:settimeout(2)
    client:close()
    return client:gettimeout()
  end },
  { "receive with 0", 'nil "timeout" ""', function(socket)
    local client = pair(socket)
    client:settimeout(0)
    return client:receive()
  end },
  { "receive with 0 in all", 'nil "timeout" ""', function(socket)
    local client = pair(socket)
    client:settimeout(0, "t")
    return client:receive()
  end },
  { "receive waits its time", 'true nil "timeout" ""', function(socket)
    local client = pair(socket)
    client:settimeout(0.06)
    return timed(socket, 0.06, client.receive, client)
  end },
  { "receive waits its time in all", 'true nil "timeout" ""', function(socket)
    local client = pair(socket)
    client:settimeout(0.06, "t")
    return timed(socket, 0.06, client.receive, client)
  end },
  { "with both, the shorter in all", 'true nil "timeout" ""', function(socket)
    local client = pair(socket)
    client:settimeout(30, "b")
    client:settimeout(0.06, "t")
    return timed(socket, 0.06, client.receive, client)
  end },
  { "with both, the shorter by call", 'true nil "timeout" ""', function(socket)
    local client = pair(socket)
    client:settimeout(0.06, "b")
    client:settimeout(30, "t")
    return timed(socket, 0.06, client.receive, client)
  end },
  { "each call begins anew", 'true true', function(socket)
    local client = pair(socket)
    client:settimeout(0.05, "t")
    local first = timed(socket, 0.05, client.receive, client)
    return first, (timed(socket, 0.05, client.receive, client))
  end },
  { "what is there does not wait", '"one" nil nil', function(socket)
    local client, server = pair(socket)
    server:send "one\n"
    client:settimeout(30)
    return client:receive()
  end },
  { "what is in the buffer needs no time", '"two" nil nil', function(socket)
    local client, server = pair(socket)
    server:send "one\ntwo\n"
    client:receive()
    client:settimeout(0)
    return client:receive()
  end },
  { "sleep", "true", function(socket) return timed(socket, 0.05, socket.sleep, 0.05) end },
  { "sleep returns nothing", "0", function(socket) return select("#", socket.sleep(0)) end },
  { "sleep of less than no time", "0", function(socket) return select("#", socket.sleep(-1)) end },
  { "sleep without a time", '"number expected, got nil"', function(socket) return refused(socket.sleep) end },
  { "gettime is the time of day", "true", function(socket) return math.abs(socket.gettime() - os.time()) < 60 end },
  { "gettime has fractions", "true", function(socket)
    for _ = 1, 100 do
      if socket.gettime() % 1 ~= 0 then return true end
    end
    return false
  end },
}
