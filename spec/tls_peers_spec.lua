-- TLS with other programs, in both roles: openssl, curl, Python, GnuTLS.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"
local programs = require "spec.programs"
local cable = require "spec.tls.cable"
local certs = require "spec.tls.certs"
local pair = require "spec.tls.pair"

local unpack = table.unpack or unpack -- luacheck: ignore 143

if certs.missing(pending) then return end

after_each(function()
  programs.stop_all()
  helper.remove_paths()
end)

local function hex(bytes)
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

-- {root} in a command is a file of spec/tls/make, {root.pem} as well. Some programs hang under another one's sanitizer.
local function fill_in(command, port)
  return "env -u LD_PRELOAD " .. (command:gsub("{port}", port or 0):gsub("{([%w_.]+)}", certs.path))
end

-- Starts a client, which finds {port} in its command, and takes its connection: the plain socket, and a function that
-- waits until the program has ended: what it printed.
local function visited(command)
  local listener, port = helper.bind("127.0.0.1", 0)
  local limited = ("timeout %d %s"):format(helper.patience, fill_in(command, port))
  local pipe = assert(io.popen("( " .. limited .. " ) 2>&1; echo status=$?"))
  local sock = assert(helper.readable(listener):accept())
  listener:close()
  return sock, function()
    local output = pipe:read "*a"
    pipe:close()
    return output
  end
end

-- Calls talk with our end of a client's connection: what the client printed. Without talk the handshake fails: what the
-- client printed, and how it failed here.
local function serve(context, command, talk)
  local sock, join = visited(command)
  assert(context:start(sock))
  local results = pair.shake({ sock })[sock]
  if results[1] and talk then talk(sock) end
  sock:close()
  local output = join()
  if talk and not results[1] then error(tostring(results[2]) .. "; " .. output, 2) end
  return output, results
end

-- A connection to a port, with TLS: the socket, and the handshake's results.
local function visit(port, options)
  local sock = helper.writable(assert(lsocket.connect("127.0.0.1", port)))
  local context = options and options.start and options or certs.client(options)
  assert(context:start(sock, "good.example"))
  return sock, pair.shake({ sock })[sock]
end

local function line_of(sock)
  local text = ""
  while not text:find "\n" do
    local data = pair.recv(sock)
    if not data then break end
    text = text .. data
  end
  return text
end

local function hello(sock)
  assert.equal("hello\n", line_of(sock))
  assert(sock:send "the answer\n")
end

-- ---- openssl ----

local function s_client(options)
  return "sh -c 'echo hello | openssl s_client -connect 127.0.0.1:{port} -CAfile {root.pem} -verify_return_error " ..
    "-servername good.example -verify_hostname good.example " .. options .. "'"
end

describe("openssl s_client", function()
  it("gets an answer, with each version", function()
    for option, version in pairs { ["-tls1_2"] = "1.2", ["-tls1_3"] = "1.3" } do
      local told
      local output = serve(certs.server(), s_client("-quiet " .. option), function(sock)
        told = sock:tls()
        hello(sock)
      end)
      assert.truthy(output:find "the answer\n", output)
      assert.truthy(output:find "status=0", output)
      assert.equal(version, told.version)
      assert.equal("good.example", told.name)
    end
  end)

  it("resumes what it has saved", function()
    local context, path = certs.server(), helper.path()
    for _, option in ipairs { "-tls1_2", "-tls1_3" } do
      for i, way in ipairs { "-sess_out", "-sess_in" } do
        local resumed
        serve(context, s_client(("-quiet %s %s %s"):format(option, way, path)), function(sock)
          resumed = sock:tls().resumed
          hello(sock)
        end)
        assert.equal(i == 2, resumed)
      end
    end
  end)

  it("agrees about ALPN, exported keys, and what was stapled", function()
    local exported
    local context = certs.server("stapled", { alpn = { "two" }, ocspfile = certs.path "stapled.ocsp" })
    local output = serve(context, s_client "-ign_eof -alpn one,two -status -keymatexport spec -keymatexportlen 20",
      function(sock)
        exported = sock:export("spec", 20)
        hello(sock)
      end)
    assert.truthy(output:find "ALPN protocol: two", output)
    assert.truthy(output:find "OCSP Response Status: successful", output)
    assert.truthy(output:lower():find("keying material: " .. hex(exported), 1, true), output)
  end)

  it("is told which protocols and versions are not spoken", function()
    local output, results = serve(certs.server("good", { min = "1.3" }), s_client "-quiet -tls1_2")
    pair.fails("ETLS_VERSION", nil, unpack(results, 1, results.n))
    assert.truthy(output:find "alert protocol version", output)
    output, results = serve(certs.server("good", { alpn = { "x" } }), s_client "-quiet -alpn y")
    pair.fails("ETLS_ALPN", nil, unpack(results, 1, results.n))
    assert.truthy(output:find "no application protocol", output)
    for _, option in ipairs { "-cipher AES128-SHA@SECLEVEL=0", "-cipher ECDHE-ECDSA-AES128-SHA@SECLEVEL=0" } do
      output, results = serve(certs.server(), s_client("-quiet -tls1_2 " .. option))
      pair.fails("ETLS_CIPHER", nil, unpack(results, 1, results.n))
      assert.truthy(output:find "handshake failure", output)
    end
    for _, option in ipairs { "-tls1_1", "-tls1" } do
      output, results = serve(certs.server(), s_client("-quiet -cipher DEFAULT@SECLEVEL=0 " .. option))
      assert.is_nil(results[1])
      assert.truthy(output:find "alert" or output:find "no protocols", output)
    end
  end)

  it("refuses what it does not trust, which we hear", function()
    local output, results = serve(certs.server "self", s_client "-quiet -tls1_2")
    assert.truthy(output:find "self%-signed certificate", output)
    pair.fails("ETLS_ALERT", "unknown ca", unpack(results, 1, results.n))
  end)

  it("starts TLS where a server of mail says so", function()
    local sock, join = visited(s_client "-quiet -starttls smtp -name client.example")
    assert(sock:send "220 spec ESMTP\r\n")
    assert.truthy(line_of(sock):find "^EHLO client")
    assert(sock:send "250-spec\r\n250 STARTTLS\r\n")
    assert.equal("STARTTLS\r\n", line_of(sock))
    assert(sock:send "220 go\r\n")
    assert(certs.server():start(sock))
    assert.is_true(pair.shake({ sock })[sock][1])
    hello(sock)
    sock:close()
    local output = join()
    assert.truthy(output:find "the answer", output)
  end)

  it("may not begin again in the middle", function()
    local sock, join = visited("sh -c 'printf R\\\\n | openssl s_client -connect 127.0.0.1:{port} -tls1_2'")
    assert(certs.server():start(sock))
    assert.is_true(pair.shake({ sock })[sock][1])
    local data, _, name = pair.recv(sock)
    assert.is_nil(data)
    assert.is_string(name)
    sock:close()
    local output = join()
    assert.truthy(output:find "RENEGOTIATING", output)
    assert.falsy(output:find "Verify return code: 0.*Verify return code: 0")
  end)

  -- Its end of the connection in a cable, and a function that makes it read a line of its input.
  local function interactive()
    local listener, port = helper.bind("127.0.0.1", 0)
    local log = helper.path()
    local pipe = assert(io.popen(("timeout %d openssl s_client -connect 127.0.0.1:%d -tls1_3 > %s 2>&1"):format(
      helper.patience, port, log), "w"))
    local line = cable.from((assert(helper.readable(listener):accept())))
    listener:close()
    line:finish()
    return line, function(text)
      pipe:write(text)
      pipe:flush()
      helper.eventually("something from it", function() return line:waiting "up" > 0 end)
    end, function()
      line:cut()
      pipe:close()
      return process.read(log)
    end
  end

  it("changes its keys, and has us change ours", function()
    local line, type_in, join = interactive()
    local sent = 0
    for i = 1, 5 do
      type_in "K\n"
      line:pass "up"
      assert.is_false(line.server:recv())
      type_in(("text %d\n"):format(i))
      line:pass "up"
      assert.equal(("text %d\n"):format(i), pair.recv(line.server))
      sent = sent + assert(line.server:send(("answer %d;"):format(i)))
      line:pass "down"
    end
    assert.truthy(sent > 0)
    line.server:shutdown "w"
    line:pass "down"
    local output = join()
    for i = 1, 5 do assert.truthy(output:find(("answer %d;"):format(i), 1, true), output) end
    assert.falsy(output:find "error:0", output)
  end)

  it("has us change our keys while we have no room to say so", function()
    local line, type_in, join = interactive()
    local data, sent = ("0123456789abcde\n"):rep(4096), 0
    repeat
      local count = line.server:send(data)
      sent = sent + (count or 0)
    until not count
    for _ = 1, 3 do
      type_in "K\n"
      line:pass "up"
      assert.is_false(line.server:recv())
    end
    type_in "text\n"
    line:pass "up"
    assert.equal("text\n", pair.recv(line.server))
    helper.eventually("all has left", function()
      line:pass "down"
      return line.server:shutdown "w"
    end)
    helper.eventually("all has come", function() return line:pass "down" == 0 and line:waiting "down" == 0 end)
    local output = join()
    assert.falsy(output:find "error:0", output:match "error:0.*")
    assert.equal(sent / 16, select(2, output:gsub("0123456789abcde\n", "")))
  end)
end)

local function s_server(options, name)
  local program = programs.start(fill_in("openssl s_server -accept 127.0.0.1:0 -cert {" .. (name or "good") ..
    ".pem} -key {leaf.key} " .. options), "ACCEPT %S+:%d+\n")
  return tonumber((program:output():match "ACCEPT %S+:(%d+)\n")), program
end

describe("openssl s_server", function()
  it("is sent to when a part of a ticket has come", function()
    local port = s_server "-rev -max_send_frag 512 -verify 1 -CAfile {client_root.pem}"
    local far = helper.writable(assert(lsocket.connect("127.0.0.1", port)))
    local line = cable.to(far, certs.client(certs.with "known"))
    line:finish()
    helper.eventually("a ticket of two records", function() return line:waiting "down" > 600 end)
    line:pass("down", 5 + line.down:byte(4) * 256 + line.down:byte(5))
    assert.is_false(line.client:recv())
    assert.is_false(line.client:send "hello\n")
    assert.is_false(line.client:shutdown "w")
    helper.eventually("all of the ticket", function()
      line:pass "down"
      return line.client:send "hello\n"
    end)
    line:pass "up"
    helper.eventually("the answer", function()
      line:pass "down"
      return line.client:recv() == "olleh\n"
    end)
    line:cut()
    line.client:close()
  end)

  it("answers, with each version", function()
    for option, version in pairs { ["-tls1_2"] = "1.2", ["-tls1_3"] = "1.3" } do
      local sock, results = visit((s_server("-rev " .. option)))
      assert.is_true(results[1], results[2])
      assert.equal(version, sock:tls().version)
      assert(sock:send "abc\n")
      assert.equal("cba\n", line_of(sock))
      sock:close()
    end
  end)

  it("resumes, with each version", function()
    for _, option in ipairs { "-tls1_2", "-tls1_3", "-tls1_2 -no_ticket", "-tls1_3 -no_ticket" } do
      local port, context = s_server("-rev " .. option), certs.client()
      for i = 1, 3 do
        local sock, results = visit(port, context)
        assert.is_true(results[1], results[2])
        assert(sock:send "abc\n")
        assert.equal("cba\n", line_of(sock))
        assert.equal(i > 1, sock:tls().resumed, option)
        sock:close()
      end
    end
  end)

  it("agrees about ALPN, and staples", function()
    local sock, results = visit((s_server("-rev -alpn two -status_file {stapled.ocsp}", "stapled")),
      { alpn = { "one", "two" }, ocsp = "require" })
    assert.is_true(results[1], results[2])
    assert.equal("two", sock:tls().alpn)
  end)

  it("takes our certificate, and refuses others", function()
    local port = s_server "-rev -Verify 2 -verify_return_error -CAfile {client_root.pem}"
    local sock, results = visit(port, certs.with "known")
    assert.is_true(results[1], results[2])
    assert(sock:send "abc\n")
    assert.equal("cba\n", line_of(sock))
    sock:close()
    sock, results = visit(port, certs.with "stranger")
    if results[1] then results = helper.pack(pair.recv(sock)) end
    pair.fails("ETLS_ALERT", nil, unpack(results, 1, results.n))
  end)

  it("is not spoken to where its version is an old one", function()
    for _, option in ipairs { "-tls1_1", "-tls1" } do
      local _, results = visit((s_server("-rev -cipher DEFAULT@SECLEVEL=0 " .. option)))
      assert.is_nil(results[1])
      assert.truthy(results[3] == "ETLS_VERSION" or results[3] == "ETLS_ALERT", results[3])
    end
  end)

  it("may not begin again in the middle, either", function()
    local log = helper.path()
    local command = fill_in("openssl s_server -accept 127.0.0.1:0 -naccept 1 -tls1_2 -cert {good.pem} " ..
      "-key {leaf.key} > " .. log)
    local pipe = assert(io.popen(("exec timeout %d %s 2>&1"):format(helper.patience, command), "w"))
    local port = helper.eventually("a port", function()
      return (process.read(log) or ""):match "ACCEPT %S+:(%d+)\n"
    end)
    local sock, results = visit(tonumber(port))
    assert.is_true(results[1], results[2])
    pipe:write "r\n"
    pipe:flush()
    pair.fails("ETLS_ALERT", nil, pair.recv(sock))
    sock:close()
    pipe:close()
  end)

  it("sends a large page whole", function()
    local sock, results = visit((s_server "-www"))
    assert.is_true(results[1], results[2])
    assert(sock:send "GET / HTTP/1.0\r\n\r\n")
    local text = ""
    while true do
      local data, message = pair.recv(sock)
      if not data then
        assert.is_nil(message)
        break
      end
      text = text .. data
    end
    assert.truthy(text:find "</pre>", text)
  end)
end)

-- ---- curl ----

describe("curl", function()
  local function curl(options, host)
    helper.need.tool(pending, "env -u LD_PRELOAD curl -V | grep -i ssl")
    host = host or "good.example"
    return ("curl -sS --noproxy '*' --cacert {root.pem} --resolve %s:{port}:127.0.0.1 %s https://%s:{port}/"):format(
      host, options, host)
  end

  local function page(sock)
    local request = ""
    repeat request = request .. assert(pair.recv(sock)) until request:find "\r\n\r\n"
    assert(sock:send "HTTP/1.0 200 OK\r\n\r\nthe page\n")
  end

  it("gets a page, and its end", function()
    for _, option in ipairs { "--tlsv1.3", "--tls-max 1.2" } do
      assert.equal("the page\nstatus=0\n", (serve(certs.server(), curl(option), page)))
    end
    assert.equal("the page\nstatus=0\n", (serve(certs.server(), curl("-4", "localhost"), page)))
  end)

  it("knows our key", function()
    local pin = "--pinnedpubkey sha256//" .. certs.read "good.pin"
    assert.equal("the page\nstatus=0\n", (serve(certs.server(), curl(pin), page)))
    local output = serve(certs.server("otherkey", nil, "other"), curl(pin))
    assert.truthy(output:find "status=90", output)
  end)

  it("refuses what is not ours", function()
    local output = serve(certs.server "other", curl "")
    assert.truthy(output:find "status=60", output)
  end)

  it("shows a certificate", function()
    local context = certs.server("good", { clients = "require", cafile = certs.path "client_root.pem" })
    local subject
    local output = serve(context, curl "--cert {known.pem} --key {leaf.key}", function(sock)
      subject = sock:tls "peer".subject
      page(sock)
    end)
    assert.equal("the page\nstatus=0\n", output)
    assert.truthy(subject:find("a client", 1, true))
    local results
    output, results = serve(context, curl "--tls-max 1.2")
    pair.fails("ETLS_NOCERT", nil, unpack(results, 1, results.n))
    assert.falsy(output:find "status=0", output)
  end)
end)

-- ---- Python ----

describe("Python's ssl", function()
  local function python(arguments)
    helper.need.tool(pending, helper.python "-c 'import ssl'")
    return "env " .. helper.python("spec/child/tls.py " .. arguments)
  end

  it("is a client", function()
    local text = ("x"):rep(100000)
    local context = certs.server("good", { alpn = { "two" } })
    local output = serve(context, python "client {port} {root.pem}", function(sock)
      assert.equal("hello\n", line_of(sock))
      local first = 1
      while first ~= true do first = assert(helper.writable(sock):sendrest(first, text)) end
      assert.is_true(sock:shutdown "w")
      assert.is_nil((pair.recv(sock)))
    end)
    assert.truthy(output:find("100000 xxxxxxxxxxxxxxxxxxxx TLSv1.3 two False", 1, true), output)
  end)

  it("hears where we break off", function()
    local sock, join = visited(python "client {port} {root.pem}")
    assert(certs.server():start(sock))
    assert.is_true(pair.shake({ sock })[sock][1])
    hello(sock)
    sock = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    local output = join()
    assert.truthy(output:find "failed:.*EOF", output)
  end)

  it("has the same binding", function()
    local binding
    local output = serve(certs.server("good", { max = "1.2" }), python "client {port} {root.pem}", function(sock)
      binding = sock:binding "tls-unique"
      assert.equal("hello\n", line_of(sock))
      assert.is_true(sock:shutdown "w")
      pair.recv(sock)
    end)
    assert.truthy(output:find(hex(binding), 1, true), output)
  end)

  it("is a server", function()
    for _, way in ipairs { {}, { "{client_root.pem}", "known" } } do
      local program, port = programs.listen(fill_in(python("server {good.pem} {leaf.key} " .. (way[1] or ""))))
      local sock, results = visit(port, way[2] and certs.with(way[2], { alpn = { "two" } }) or { alpn = { "two" } })
      assert.is_true(results[1], results[2])
      for i = 1, 3 do
        assert(sock:send(("line %d\n"):format(i)))
        assert.equal(("LINE %d\n"):format(i), line_of(sock))
      end
      assert.is_true(sock:shutdown "w")
      assert.is_nil((pair.recv(sock)))
      program:await "the end two"
    end
  end)
end)

-- ---- GnuTLS ----

describe("GnuTLS", function()
  it("is a client, with each version", function()
    helper.need.tool(pending, "command -v gnutls-cli")
    for priority, version in pairs { ["-VERS-ALL:+VERS-TLS1.2"] = "1.2", ["-VERS-ALL:+VERS-TLS1.3"] = "1.3" } do
      local told
      local output = serve(certs.server("good", { alpn = { "two" } }), ("sh -c 'echo hello | gnutls-cli --logfile=" ..
        "/dev/null --x509cafile={root.pem} --sni-hostname=good.example --verify-hostname=good.example --alpn=two " ..
        "--priority=NORMAL:%s -p {port} 127.0.0.1'"):format(priority), function(sock)
          told = sock:tls()
          hello(sock)
        end)
      assert.truthy(output:find "the answer", output)
      assert.same({ version, "two", "good.example" }, { told.version, told.alpn, told.name })
    end
  end)

  it("is a server, which resumes", function()
    helper.need.tool(pending, "command -v gnutls-serv")
    local spare, port = helper.bind("127.0.0.1", 0)
    spare:close()
    local command = ("gnutls-serv --echo -p %d --x509certfile={good.pem} --x509keyfile={leaf.key}"):format(port)
    programs.start(fill_in(command), "IPv4 0.0.0.0 port %d+%.%.%.done")
    local context = certs.client()
    for i = 1, 3 do
      local sock, results = visit(port, context)
      assert.is_true(results[1], results[2])
      assert(sock:send "some line\n")
      assert.equal("some line\n", line_of(sock))
      assert.equal(i > 1, sock:tls().resumed)
      sock:close()
    end
  end)
end)

-- ---- Go, which takes some seconds to compile: in make check-all ----

describe("Go's crypto/tls", function()
  local program

  local function compiled()
    if os.getenv "LS_GO" ~= "1" then pending "is left to make check-all" end
    helper.need.tool(pending, "command -v go")
    if program then return program end
    program = certs.path "go-peer"
    local output, status = helper.run("[ -e " .. program .. " ] || GOCACHE=" .. certs.path "go-cache" ..
      " GO111MODULE=off go build -o " .. program .. " spec/child/tls.go")
    assert(status == 0, output)
    return program
  end

  it("is a client, which resumes", function()
    local client = compiled()
    local listener, port = helper.bind("127.0.0.1", 0)
    local pipe = assert(io.popen(fill_in(client .. " client {port} {root.pem} 2>&1", port)))
    local context, resumed = certs.server("good", { alpn = { "two" } }), {}
    for i = 1, 2 do
      local sock = assert(helper.readable(listener):accept())
      assert(context:start(sock))
      assert.is_true(pair.shake({ sock })[sock][1])
      resumed[i] = sock:tls().resumed
      hello(sock)
      sock:close()
    end
    assert.equal("the answer\n 772 two false\nthe answer\n 772 two true\n", pipe:read "*a")
    pipe:close()
    assert.same({ false, true }, resumed)
  end)

  it("is a server, which resumes", function()
    local server, port = programs.listen(fill_in(compiled() .. " server {good.pem} {leaf.key}"))
    local context = certs.client { alpn = { "two" } }
    for i = 1, 2 do
      local sock, results = visit(port, context)
      assert.is_true(results[1], results[2])
      assert(sock:send "some line\n")
      assert.equal("some line\n", line_of(sock))
      assert.equal(i > 1, sock:tls().resumed)
      assert.is_true(sock:shutdown "w")
      assert.is_nil((pair.recv(sock)))
      sock:close()
    end
    server:await "the end false\nthe end true"
  end)
end)
