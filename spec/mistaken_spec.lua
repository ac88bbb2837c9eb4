-- The samples, run as programs by users who are mistaken: arguments that are wrong, and addresses that are taken.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local hostile = require "spec.hostile"
local process = require "spec.process"

local need = helper.need
local run, free_ports, unpack_from = hostile.run, hostile.free_ports, hostile.unpack_from

after_each(helper.remove_paths)

local UNIX = "/tmp/lsocket-no-such-folder/socket"

-- A sample, and arguments that are missing or wrong: "PORT" stands for each that is no port.
local wrong = {
  { "activated", "127.0.0.1", "PORT" }, { "activated", "127.0.0.1", "0", "x" }, { "announce" }, { "announce", "a b" },
  { "announce", "name", "239.255.16.2", "PORT" }, { "chat", "PORT" }, { "echo", "PORT" }, { "echo", "0", "x" },
  { "fetch" }, { "fetch", "x" }, { "fetch", "http://127.0.0.1:70000/" }, { "fetch", "http://127.0.0.1:x/" },
  { "fetch", "http://x/", "ftp://x/" }, { "httpd", "PORT" }, { "httpd", "6", "PORT" }, { "httpd", "0", "x" },
  { "jobs" }, { "jobs", "true", "PORT" }, { "jobs", "true", "0", "x" }, { "jobs", "true", "0", "0" },
  { "jobs", "true", "0", "1.5" }, { "jobs", "true", "0", "1", "x" }, { "jobs", "true", "0", "1", "-1" },
  { "mcast_client", "PORT" },
  { "mcast_client", "239.255.16.1", "PORT" }, { "mcast_server", "PORT", "hello" },
  { "mcast_server", "239.255.16.1", "PORT", "hello" }, { "nameserver" },
  { "nameserver", "LICENSE", "127.0.0.1", "PORT" },
  { "portscan" }, { "portscan", "127.0.0.1" }, { "portscan", "127.0.0.1", "x" }, { "portscan", "127.0.0.1", "1", "0" },
  { "portscan", "127.0.0.1", "1", "1", "x" }, { "proxy" }, { "proxy", "0" }, { "proxy", "0", "127.0.0.1" },
  { "proxy", "PORT", "127.0.0.1", "1" }, { "proxy", "0", "127.0.0.1", "PORT" }, { "proxy", "0", "127.0.0.1", "1", "x" },
  { "pubsub" }, { "racedns" }, { "racedns", "x" }, { "racedns", "x", "localhost" }, { "racedns", "x", "::1#70000" },
  { "redis" }, { "redis", "127.0.0.1" }, { "redis", "127.0.0.1", "1" }, { "redis", "127.0.0.1", "PORT", "ping" },
  { "redis", "127.0.0.1", "1", " " }, { "registry" }, { "socks5", "PORT" }, { "socks5", "0", "x" },
  { "tcp_client", "PORT", "x" }, { "tcp_client", "6", "PORT", "x" },
  { "tcp_server", "PORT" }, { "tcp_server", "6", "PORT" }, { "tcp_server", "0", "x" }, { "udp_answer", "::", "PORT" },
  { "udp_client", "PORT", "x" }, { "udp_relay" }, { "udp_relay", "127.0.0.1" }, { "udp_relay", "127.0.0.1", "PORT" },
  { "udp_relay", "127.0.0.1", "1", "PORT" }, { "udp_relay", "127.0.0.1", "1", "0", "x" }, { "udp_server", "PORT" },
  { "unix_server", UNIX, "x" }, { "websocket", "PORT" }, { "websocket", "0", "x" },
  { "workers", "PORT" }, { "workers", "0", "x" }, { "workers", "0", "0" },
  { "workers", "0", "1.5" },
}

-- Each sample that cannot do what it is told, and the line that says so.
local function failing()
  local port = free_ports "tcp"
  return {
    { "tcp_client: 127.0.0.1 port " .. port .. ": Connection refused", "tcp_client", port, "x" },
    { ("fetch: 127.0.0.1:%d/: 127.0.0.1:%d: Connection refused"):format(port, port), "fetch",
      "http://127.0.0.1:" .. port .. "/" },
    { "redis: 127.0.0.1:" .. port .. ": Connection refused", "redis", "127.0.0.1", port, "ping" },
    { "unix_client: " .. UNIX .. ": No such file or directory", "unix_client", UNIX, "x" },
    { "unix_server: " .. UNIX .. ": No such file or directory", "unix_server", UNIX },
    { "pubsub: " .. UNIX .. ": No such file or directory", "pubsub", UNIX },
    { "racedns: no server answers", "racedns", "x", "127.0.0.1#" .. free_ports "udp" },
    { "registry: " .. UNIX .. ": No such file or directory", "registry", UNIX },
    { "registry: " .. UNIX .. ": No such file or directory", "registry", UNIX, "get x" },
    { "nameserver: /no/file: cannot be opened", "nameserver", "/no/file" },
    { "nameserver: /: no file", "nameserver", "/" },
    { "mcast_server: 1.2.3.4.5 port 1: Name or service not known", "mcast_server", "1.2.3.4.5", "1", "x" },
    { "mcast_client: 1.2.3.4.5 port 1: Name or service not known", "mcast_client", "1.2.3.4.5", "1" },
    { "udp_relay: 1.2.3.4.5 port 1: Name or service not known", "udp_relay", "1.2.3.4.5", "1", "0" },
    { "announce: no interface can send to 1.2.3.4.5", "announce", "name", "1.2.3.4.5", "0" },
  }
end

-- Each sample at a port or path that somebody else has.
local function taken(tcp, udp, path)
  return {
    { "activated", "127.0.0.1", tcp }, { "chat", tcp }, { "echo", tcp }, { "httpd", tcp },
    { "jobs", "true", tcp }, { "proxy", tcp, "127.0.0.1", 1 }, { "socks5", tcp }, { "websocket", tcp },
    { "pubsub", path }, { "tcp_server", tcp }, { "workers", tcp },
    { "announce", "name", "239.255.16.2", udp }, { "mcast_client", "127.255.255.255", udp },
    { "nameserver", "LICENSE", "0.0.0.0", udp }, { "udp_answer", "0.0.0.0", udp },
    { "udp_relay", "127.0.0.1", 1, udp }, { "udp_server", udp }, { "unix_server", path }, { "registry", path },
  }
end

describe("a sample", function()
  it("says in one line how it is used, and fails", function()
    for _, case in ipairs(wrong) do
      local has_port = (" " .. table.concat(case, " ") .. " "):find(" PORT ", 1, true)
      for _, port in ipairs(has_port and { "x", "70000", "-1", "1.5", "" } or { "x" }) do
        local arguments = {}
        for i, argument in ipairs(case) do arguments[i] = argument == "PORT" and port or argument end
        local printed, status = run(unpack_from(arguments))
        local what = table.concat(arguments, " ")
        assert.equal(what .. ": 1", what .. ": " .. tostring(status), printed)
        local expected = "^" .. case[1] .. ": usage: " .. case[1] .. "%.lua[^\n]*\n$"
        assert.truthy(printed:find(expected), what .. ": " .. printed)
      end
    end
  end)

  it("says in one line what fails", function()
    for _, case in ipairs(failing()) do
      assert.same({ case[1] .. "\n", 1 }, { run(unpack_from(case, 2)) })
    end
  end)

  it("says in one line that its address is taken", function()
    need.sandbox(pending)
    local path = helper.path()
    local listener, tcp = helper.bind("127.0.0.1", 0)
    local sock, udp = helper.bind("udp", "0.0.0.0", 0)
    local named = assert(lsocket.bind(path))
    for _, case in ipairs(taken(tcp, udp, path)) do
      local printed, status = run(unpack_from(case))
      assert.equal(case[1] .. ": 1", case[1] .. ": " .. tostring(status), printed)
      assert.truthy(printed:find("^" .. case[1] .. ": [^\n]*: Address already in use\n$"), printed)
    end
    for _, each in ipairs { listener, sock, named } do each:close() end
  end)

  it("has a default port that no other one has, but for a client and its server", function()
    local found = {}
    local pipe = io.popen("ls samples/*.lua")
    for path in pipe:lines() do
      local port = process.read(path):match "or (16%d%d%d)"
      local subject = path:match "([^/]*)%.lua$":gsub("_client$", ""):gsub("_server$", "")
      assert.truthy(not port or not found[port] or found[port] == subject, path .. ": " .. tostring(port))
      if port then found[port] = subject end
    end
    pipe:close()
    assert.truthy(found["16001"])
  end)
end)
