-- Programs of others that use LuaSocket and LuaSec, with real servers, on lsocket.luasocket: make check-all.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local certs = require "spec.tls.certs"
local process = require "spec.process"
local programs = require "spec.programs"

if not os.getenv "LS_SERVERS" then return pending "the servers are for make check-all" end
if certs.missing(pending) then return end

local folders = {}

after_each(function()
  programs.stop_all()
  for _, path in ipairs(folders) do helper.run("rm -rf " .. path) end
  folders = {}
  helper.remove_paths()
end)

local function need(command)
  helper.need.tool(pending, "PATH=$PATH:/usr/sbin; " .. command)
end

-- A folder for a server's files, which any user may enter.
local function folder()
  local path = helper.path()
  helper.run("mkdir -m 777 " .. path)
  folders[#folders + 1] = path
  return path
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

-- A port that was free just now: these servers do not say which one the system gave them.
local function free_port()
  local sock = helper.bind("127.0.0.1", 0)
  local port = helper.port(sock)
  sock:close()
  return port
end

-- Runs what a client does, in plain code and ten times at once.
local function passes(client, port, place, environment)
  for _, mode in ipairs { "alone", "tasks" } do
    local command = helper.command("luasocketclient", mode, client, port, place)
    assert.equal("done\n", programs.run((environment or "") .. " " .. command))
  end
end

-- Starts a server, and waits until it takes connections.
local function serve(command, port)
  programs.start("PATH=$PATH:/usr/sbin " .. command, "")
  helper.eventually(command, function()
    local sock = assert(lsocket.connect("127.0.0.1", port))
    lsocket.select(nil, { sock }, 1)
    local connected = sock:status()
    sock:close()
    return connected
  end)
end

-- nginx with lines of its server { } and what TLS needs: its port, and the folder of its pages
local function nginx(lines, tls)
  need "command -v nginx"
  local place, port = folder(), free_port()
  write(place .. "/page", "a page\n")
  write(place .. "/large", ("x"):rep(1000000))
  write(place .. "/conf", ([[
    daemon off; master_process off; pid %s/pid; error_log stderr;
    events { }
    http {
      access_log off; client_body_temp_path %s/a; proxy_temp_path %s/b; fastcgi_temp_path %s/c; uwsgi_temp_path %s/d;
      scgi_temp_path %s/e;
      server { listen 127.0.0.1:%d %s; root %s; %s location /moved { return 302 /page; } }
    }
  ]]):format(place, place, place, place, place, place, port, tls or "", place, lines))
  serve(("nginx -e stderr -p %s -c %s/conf"):format(place, place), port)
  return port, place
end

-- A command that runs a program of others, which does not know what its LuaSocket is.
local function unmodified(program)
  return ("LUA_PATH=%s LUA_CPATH=%s %s -l lsocket.luasocket.install %s"):format(
    helper.quote(package.path), helper.quote(package.cpath), helper.interpreter, program)
end

describe("LuaSocket's programs", function()
  it("get pages from nginx by socket.http", function()
    helper.need.luasocket(pending)
    passes("http", (nginx ""))
  end)

  it("get pages from nginx by LuaSec's https", function()
    need(helper.interpreter .. " -e 'require [[ssl.https]]'")
    local key, certificate = certs.path "leaf.key", certs.path "good.pem"
    local port = nginx("", ("ssl; ssl_certificate %s; ssl_certificate_key %s"):format(certificate, key))
    passes("https", port, (certificate:match "^(.*)/"), "SSL_CERT_FILE=" .. certs.path "root.pem")
  end)

  it("talk to Redis by redis-lua", function()
    need "command -v redis-server && [ -e /usr/share/lua/5.1/redis.lua ]"
    local place, port = folder(), free_port()
    local command = "redis-server --port %d --bind 127.0.0.1 --unixsocket %s/redis --dir %s --save ''"
    serve(command:format(port, place, place), port)
    passes("redis", port)
    passes("redis_unix", port, place)
  end)

  it("install a rock from a server by LuaRocks", function()
    local version = _VERSION:match "%d.%d"
    need(("command -v luarocks luarocks-admin && [ -e /usr/share/lua/%s/luarocks/core/cfg.lua ]"):format(version))
    helper.need.luasocket(pending)
    -- No page for what downloads in place of LuaSocket.
    local port, place = nginx "if ($http_user_agent !~ LuaSocket) { return 403; }"
    write(place .. "/hello.lua", "return 'hello'\n")
    local config = "variables = { WGET = 'none', CURL = 'none' }; local_cache = '%s/cache'"
    write(place .. "/config.lua", config:format(place))
    write(place .. "/hello-1.0-1.rockspec", ([[
      package, version = "hello", "1.0-1"
      source = { url = "http://127.0.0.1:%d/hello.lua", dir = "." }
      build = { type = "builtin", modules = { hello = "hello.lua" } }
    ]]):format(port))
    helper.run(("cd %s && luarocks-admin --lua-version %s make_manifest ."):format(place, version))
    local words = "--lua-version %s --only-server http://127.0.0.1:%d --tree %s/tree install hello"
    local output = programs.run(("LUAROCKS_CONFIG=%s/config.lua %s %s"):format(
      place, unmodified "$(command -v luarocks)", words:format(version, port, place)))
    assert.truthy(output:find "hello 1.0%-1 is now installed", output)
    assert.equal("return 'hello'\n", process.read(("%s/tree/share/lua/%s/hello.lua"):format(place, version)))
  end)

  for _, backend in ipairs { "select", "epoll" } do
    it("serve XMPP by Prosody, which begins TLS in the middle, with " .. backend, function()
      need "[ -e /usr/bin/prosody ] && command -v lua5.4"
      if not helper.interpreter:find "lua5.4$" then pending "Prosody's own modules in C are for Lua 5.4" end
      local place, port, certificate = folder(), free_port(), certs.path "good.pem"
      write(place .. "/config.lua", ([[
        run_as_root, daemonize, network_backend = true, false, "%s"
        data_path, pidfile = "%s", "%s/pid"
        interfaces, c2s_ports, s2s_ports = { "127.0.0.1" }, { %d }, { }
        modules_enabled, modules_disabled = { "saslauth", "tls", "posix" }, { "s2s" }
        log = { error = "*console" }
        ssl = { certificate = "%s", key = "%s" }
        VirtualHost "localhost"
      ]]):format(backend, place, place, port, certificate, certs.path "leaf.key"))
      serve(unmodified(("/usr/bin/prosody --config %s/config.lua -F"):format(place)), port)
      local output = helper.run(("openssl s_client -connect 127.0.0.1:%d -starttls xmpp -xmpphost localhost " ..
                                 "-CAfile %s -verify_return_error < /dev/null"):format(port, certs.path "root.pem"))
      assert.truthy(output:find("Verify return code: 0", 1, true) or output:find("Verification: OK", 1, true), output)
    end)
  end
end)
