-- Rows of setoption and getoption.
local common = require "spec.luasocket.common"

local keep, refused = common.keep, common.refused

-- What an option of tcp or udp is at first, what setting it returns, what it is then.
local function set(kind, name, value, index)
  return function(socket)
    local object = keep(assert(socket[kind]()))
    local done, message = object:setoption(name, value)
    if not done then return done, message end
    local now = object:getoption(name)
    if index then return done, now[index] end
    return done, now
  end
end

local function get(kind, name)
  return function(socket) return keep(assert(socket[kind]())):getoption(name) end
end

-- Wrong values: what setting them raises.
local function wrong(kind, name, ...)
  local arguments = { ... }
  return function(socket)
    local object = keep(assert(socket[kind]()))
    return refused(object.setoption, object, name, arguments[1])
  end
end

-- A membership of a group, which is left again.
local function joins(kind, add, drop, group)
  return function(socket)
    local udp = keep(assert(socket[kind]()))
    local joined = udp:setoption(add, group)
    return joined, udp:setoption(drop, group)
  end
end

local function member(multiaddr, interface)
  return { multiaddr = multiaddr, interface = interface }
end

return {
  { "keepalive", "1 true", set("tcp4", "keepalive", true) },
  { "keepalive, off", "1 false", set("tcp4", "keepalive", false) },
  { "reuseaddr", "1 true", set("tcp4", "reuseaddr", true) },
  { "reuseport", "1 true", set("tcp4", "reuseport", true) },
  { "tcp-nodelay", "1 true", set("tcp4", "tcp-nodelay", true) },
  { "tcp-nodelay at first", "false", get("tcp4", "tcp-nodelay") },
  { "tcp-keepidle", "1 77", set("tcp4", "tcp-keepidle", 77) },
  { "tcp-keepcnt", "1 5", set("tcp4", "tcp-keepcnt", 5) },
  { "tcp-keepintvl", "1 9", set("tcp4", "tcp-keepintvl", 9) },
  { "tcp-keepidle as a string", "1 77", set("tcp4", "tcp-keepidle", "77") },
  { "tcp-defer-accept", "1", function(socket) return keep(socket.tcp4()):setoption("tcp-defer-accept", 1) end },
  { "tcp-fastopen", "1", function(socket) return keep(socket.tcp4()):setoption("tcp-fastopen", 5) end },
  { "tcp-fastopen-connect", "1", function(socket) return keep(socket.tcp4()):setoption("tcp-fastopen-connect", 1) end },
  { "ipv6-v6only is on at first", "true", get("udp6", "ipv6-v6only") },
  { "ipv6-v6only, off", "1 false", set("udp6", "ipv6-v6only", false) },
  { "ipv6-v6only of tcp can only be set", "1", function(socket)
    return keep(socket.tcp6()):setoption("ipv6-v6only", false)
  end },
  { "ipv6-v6only of IPv4", 'nil "setsockopt failed"', set("tcp4", "ipv6-v6only", true) },
  { "linger at first", "{on=false, timeout=0}", get("tcp4", "linger") },
  { "linger", "1 {on=true, timeout=5}", set("tcp4", "linger", { on = true, timeout = 5 }) },
  { "linger, off", "1 {on=false, timeout=0}", set("tcp4", "linger", { on = false, timeout = 0 }) },
  { "linger without its time", [["number 'timeout' field expected"]], wrong("tcp4", "linger", { on = true }) },
  { "linger without its flag", [["boolean 'on' field expected"]], wrong("tcp4", "linger", { timeout = 5 }) },
  { "linger as a boolean", '"table expected, got boolean"', wrong("tcp4", "linger", true) },
  { "recv-buffer-size", "1", function(socket) return keep(socket.tcp4()):setoption("recv-buffer-size", 65536) end },
  { "send-buffer-size of udp", "1", function(socket)
    return keep(socket.udp4()):setoption("send-buffer-size", 65536)
  end },
  { "error of a new one", "nil", get("tcp4", "error") },
  { "error is told once", '"connection refused" nil', function(socket)
    local port = common.refusing(socket)
    local tcp = keep(socket.tcp())
    tcp:settimeout(0)
    assert(not tcp:connect("127.0.0.1", port))
    socket.select(nil, { tcp }, 5)
    return tcp:getoption "error", tcp:getoption "error"
  end },
  { "an option that there is not", '"unsupported option `nothing\'"', wrong("tcp4", "nothing", true) },
  { "a long name is cut", '"unsupported option `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\'"',
    wrong("tcp4", ("x"):rep(50), 1) },
  { "an option to get that there is not", '"unsupported option `nothing\'"', function(socket)
    local tcp = keep(socket.tcp4())
    return refused(tcp.getoption, tcp, "nothing")
  end },
  { "an option of udp", '"unsupported option `broadcast\'"', wrong("tcp4", "broadcast", true) },
  { "an option of tcp", '"unsupported option `keepalive\'"', wrong("udp4", "keepalive", true) },
  { "an option to set that cannot be set", '"unsupported option `error\'"', wrong("tcp4", "error", true) },
  { "an option to get that cannot be got", '"unsupported option `tcp-fastopen\'"', function(socket)
    local tcp = keep(socket.tcp4())
    return refused(tcp.getoption, tcp, "tcp-fastopen-connect") == "x" or refused(tcp.getoption, tcp, "tcp-fastopen")
  end },
  { "an option without a name", '"string expected, got nil"', function(socket)
    local tcp = keep(socket.tcp4())
    return refused(tcp.setoption, tcp)
  end },
  { "a flag as a number", '"boolean expected, got number"', wrong("tcp4", "keepalive", 1) },
  { "a flag as nil", '"boolean expected, got nil"', wrong("tcp4", "keepalive", nil) },
  { "a boolean for a number", 'nil "setsockopt failed"', set("tcp4", "tcp-keepidle", true) },
  { "a number that the system refuses", 'nil "setsockopt failed"', set("tcp4", "tcp-keepidle", 0) },
  { "set without a descriptor", 'nil "setsockopt failed"', set("tcp", "keepalive", true) },
  { "get without a descriptor", 'nil "getsockopt failed"', get("tcp", "keepalive") },
  { "linger without a descriptor", 'nil "getsockopt failed"', get("tcp", "linger") },
  { "error without a descriptor", 'nil "getsockopt failed"', get("tcp", "error") },
  { "set on a closed one", 'nil "setsockopt failed"', function(socket)
    local client = common.pair(socket)
    client:close()
    return client:setoption("keepalive", true)
  end },
  { "set on a listener and a client", "1 1", function(socket)
    return common.listener(socket):setoption("keepalive", true), common.pair(socket):setoption("tcp-nodelay", true)
  end },
  { "broadcast", "1 true", set("udp4", "broadcast", true) },
  { "dontroute", "1 true", set("udp4", "dontroute", true) },
  { "reuseport of udp", "1 true", set("udp4", "reuseport", true) },
  { "ip-multicast-loop, off", "1 false", set("udp4", "ip-multicast-loop", false) },
  { "ip-multicast-ttl", "1", function(socket) return keep(socket.udp4()):setoption("ip-multicast-ttl", 4) end },
  { "ip-multicast-if at first", '"0.0.0.0"', get("udp4", "ip-multicast-if") },
  { "ip-multicast-if", '1 "127.0.0.1"', set("udp4", "ip-multicast-if", "127.0.0.1") },
  { "ip-multicast-if, any", '1 "0.0.0.0"', set("udp4", "ip-multicast-if", "*") },
  { "ip-multicast-if that is no address", '"ip expected"', wrong("udp4", "ip-multicast-if", "lo") },
  { "ip-add-membership", "1 1", joins("udp4", "ip-add-membership", "ip-drop-membership",
    member("239.0.0.7", "127.0.0.1")) },
  { "ip-add-membership of no group", 'nil "setsockopt failed"', function(socket)
    return keep(socket.udp4()):setoption("ip-add-membership", member("127.0.0.1", "127.0.0.1"))
  end },
  { "ip-add-membership without a group", [["string 'multiaddr' field expected"]],
    wrong("udp4", "ip-add-membership", member(nil, "*")) },
  { "ip-add-membership without an interface", [["string 'interface' field expected"]],
    wrong("udp4", "ip-add-membership", member("239.0.0.7")) },
  { "ip-add-membership of what is no address", [["invalid 'multiaddr' ip address"]],
    wrong("udp4", "ip-add-membership", member("lo", "*")) },
  { "ip-add-membership by what is no address", [["invalid 'interface' ip address"]],
    wrong("udp4", "ip-add-membership", member("239.0.0.7", "lo")) },
  { "ip-add-membership as a string", '"table expected, got string"', wrong("udp4", "ip-add-membership", "239.0.0.7") },
  { "ip-drop-membership of what was not joined", 'nil "setsockopt failed"', function(socket)
    return keep(socket.udp4()):setoption("ip-drop-membership", member("239.0.0.7", "127.0.0.1"))
  end },
  { "ipv6-add-membership", "1 1", joins("udp6", "ipv6-add-membership", "ipv6-drop-membership", member("ff02::7", 1)) },
  { "ipv6-add-membership of what is no address", [["invalid 'multiaddr' ip address"]],
    wrong("udp6", "ipv6-add-membership", member("lo")) },
  { "ipv6-unicast-hops", "1 7", set("udp6", "ipv6-unicast-hops", 7) },
  { "ipv6-multicast-loop, off", "1 false", set("udp6", "ipv6-multicast-loop", false) },
  { "an option of IPv6 on IPv4", 'nil "setsockopt failed"', set("udp4", "ipv6-unicast-hops", 7) },
}
