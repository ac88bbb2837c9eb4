-- The samples that speak TLS: samples/tlsecho.lua, samples/smtp.lua, and samples/http/ with its programs.
local loop = require "lsocket.loop"
local lsocket = require "lsocket"
local browser = require "spec.browser"
local certs = require "spec.tls.certs"
local helper = require "spec.helper"
local inloop = require "spec.inloop"
local programs = require "spec.programs"
local sample = require "spec.sample"
local tlsloop = require "spec.tls.inloop"

after_each(function()
  programs.stop_all()
  helper.remove_paths()
end)

local case = certs.case(it, pending)

-- A file with a certificate and its key.
local function both(name)
  return helper.file(certs.read(name .. ".pem") .. certs.read "leaf.key")
end

local function run(command, input)
  return helper.run(("timeout %d %s < %s"):format(helper.patience, command, helper.file(input or "")))
end

describe("samples/tlsecho.lua", function()
  case("sends back what comes, and takes a renewed certificate", function()
    local file = both "good"
    sample.with(function(port, _, pid)
      loop.run(loop.deadline, helper.patience, function()
        local first = assert(tlsloop.connect(port, { tlsname = "good.example" }))
        first:write "hello\n"
        assert.equal("hello", first:read())
        os.execute(("cp %s %s && kill -HUP %s"):format(both "other", file, pid))
        helper.eventually("the other certificate is used", function()
          local client = tlsloop.connect(port, { tlsname = "other.example" })
          if client then client:close() end
          return client
        end)
        first:write "still here\n"
        assert.equal("still here", first:read())
        first:close()
      end)
    end, "tlsecho", file, 0)
  end)

  case("wants a certificate of its clients if it is told which", function()
    sample.with(function(port)
      loop.run(loop.deadline, helper.patience, function()
        local client = assert(tlsloop.connect(port, { tls = certs.client(certs.with "client") }))
        client:write "hello\n"
        assert.equal("hello", client:read())
        client:close()
        local other = tlsloop.connect(port)
        assert.is_nil(other and other:read())
      end)
    end, "tlsecho", both "good", 0, certs.path "root.pem")
  end)

  case("says what is wrong", function()
    for arguments, text in pairs { [""] = "usage: ", ["/none 0"] = "/none", [both "good" .. " x"] = "usage: " } do
      local output, status = run(helper.command "samples/tlsecho" .. " " .. arguments)
      assert.same({ 1, 1 }, { status, (output:find("tlsecho: ", 1, true)) }, output)
      assert.truthy(output:find(text, 1, true), output)
    end
  end)
end)

-- A page whose script fetches a large answer, and has something sent back to it.
local PAGE = [[
<pre id="seen"></pre>
<script>
(async () => {
  const bytes = await (await fetch("/bytes/1000000")).text();
  const echo = await (await fetch("/echo", { method: "POST", body: "h\u00e9llo" })).text();
  document.getElementById("seen").textContent = bytes.length + " bytes, and " + echo;
})();
</script>
]]

describe("samples/http with TLS", function()
  local client, server, url = sample.require("http.client", "http.server", "http.url")

  -- A server with a certificate, and a client: fn(fetch, port), where fetch(address) gives the body | nil, why not.
  local function between(handler, certificate, fn)
    tlsloop.run(function()
      local here = assert(server.serve("127.0.0.1", 0, handler, { tls = certs.server(certificate) }))
      local session = client.new { tls = tlsloop.client_context() }
      fn(function(address)
        local pieces = {}
        local function write(piece) table.insert(pieces, piece) end
        local answer, problem = session:fetch(assert(url.parse(address)), write)
        if answer then return table.concat(pieces) end
        return nil, problem
      end, here:info("socket").port)
      session:close()
      here:close(0)
    end)
  end

  case("fetches pages over one connection", function()
    local peers = {}
    local function handle(request)
      peers[#peers + 1] = request.peer
      return 200, request.target
    end
    between(handle, "good", function(fetch, port)
      for _, page in ipairs { "/a", "/b?c" } do
        assert.equal(page, fetch(("https://127.0.0.1:%d%s"):format(port, page)))
      end
    end)
    assert.equal(2, #peers)
  end)

  case("verifies where a page redirects to, too, and does not leave TLS", function()
    local there = {}
    local function handle(request)
      local location = there[request.target]
      if location then return 302, "moved", { Location = location } end
      return 200, "here"
    end
    between(handle, "address", function(fetch, port)
      there["/same"], there["/port"] = "/here", ("https://127.0.0.1:%d/here"):format(port)
      there["/name"] = ("https://localhost:%d/here"):format(port)
      there["/clear"], there["/scheme"] = ("http://127.0.0.1:%d/here"):format(port), "//127.0.0.1:1/"
      local base = ("https://127.0.0.1:%d"):format(port)
      assert.equal("here", fetch(base .. "/same"))
      assert.equal("here", fetch(base .. "/port"))
      local body, problem = fetch(base .. "/name") -- the certificate is for the address alone
      assert.is_nil(body)
      assert.truthy(problem:find("hostname mismatch", 1, true), problem)
      assert.same({ nil, "it redirects to " .. there["/clear"] }, { fetch(base .. "/clear") })
      body, problem = fetch(base .. "/scheme")
      assert.is_nil(body)
      assert.truthy(problem:find("Connection refused", 1, true), problem)
    end)
  end)

  case("does not take a body for whole that was cut off", function()
    tlsloop.run(function()
      local here, port = tlsloop.serve(function(far)
        far:readuntil "\r\n\r\n"
        far:write "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf"
        local sock = far:getsocket()
        inloop.rest() -- it leaves the poller
        getmetatable(sock).__gc(sock) -- as if it were collected
      end)
      local session = client.new { tls = tlsloop.client_context() }
      local answer, problem = session:fetch(url.parse(("https://127.0.0.1:%d/"):format(port)), function() end)
      assert.is_nil(answer)
      assert.truthy(problem)
      session:close()
      here:close(0)
    end)
  end)

  case("is a server that curl trusts, and a client of it", function()
    sample.with(function(port)
      local address, root = ("https://127.0.0.1:%d"):format(port), certs.path "root.pem"
      assert.equal("HTTP/1.1 200 OK\nHello, world!\n",
        (run(helper.command("samples/fetch", "-c", root, address .. "/") .. " 2>&1")))
      local refused, status = run(helper.command("samples/fetch", address .. "/"))
      assert.equal(1, status)
      assert.truthy(refused:find "certificate", refused)
      helper.need.tool(pending, "env -u LD_PRELOAD curl --version")
      assert.equal("Hello, world!\n", (run(("env -u LD_PRELOAD curl -sS --cacert %s %s/"):format(root, address))))
      assert.equal(1000000, #run(("env -u LD_PRELOAD curl -sS --cacert %s %s/bytes/1000000"):format(root, address)))
    end, "httpd", "-t", both "good", 0)
  end)

  case("shows a browser its pages, if the browser trusts the root", function()
    browser.need(pending)
    helper.need.tool(pending, "command -v certutil")
    local home = browser.home()
    finally(function() browser.leave(home) end)
    local page = home .. "/page.html"
    assert.equal(0, select(2, helper.run(("cp %s %s"):format(helper.file(PAGE), page))))
    sample.with(function(port)
      local address = ("https://good.example:%d/files/page.html"):format(port)
      local seen, complaints = browser.load(home, address)
      assert.equal("", seen)
      assert.truthy(complaints:find("ERR_CERT_AUTHORITY_INVALID", 1, true), complaints)
      browser.trust(home, certs.path "root.pem")
      seen, complaints = browser.load(home, address)
      assert.truthy(seen:find("1000000 bytes, and h\195\169llo", 1, true), seen .. complaints)
      seen, complaints = browser.load(home, (address:gsub("good", "other")))
      assert.equal("", seen)
      assert.truthy(complaints:find("ERR_CERT_COMMON_NAME_INVALID", 1, true), complaints)
    end, "httpd", "-t", both "good", 0, 10, home)
  end)
end)

describe("samples/smtp.lua", function()
  local MAIL = "Subject: greetings\n\nhello\n.\n..two dots\nlast line"

  local function send(port, root)
    return run(helper.command("samples/smtp", "-c", root or certs.path "root.pem", "127.0.0.1:" .. port,
      "me@good.example", "you@example.org"), MAIL)
  end

  -- A server of a few lines: what the client is told, and what it must have said before.
  local function against(talk)
    local output, status
    local listener = assert(loop.listen("127.0.0.1", 0))
    local path = helper.path()
    os.execute(("( %s; echo status=$? ) > %s 2>&1 &"):format(helper.command("samples/smtp", "-c",
      certs.path "root.pem", "127.0.0.1:" .. listener:info("socket").port, "me@good.example", "you@example.org")
      .. " < " .. helper.file(MAIL), path))
    sample.in_loop(function()
      local client = assert(listener:accept())
      talk(client)
      client:close()
    end)
    listener:close()
    helper.eventually("it has ended", function()
      output, status = io.open(path):read("*a"):match "^(.*)status=(%d+)\n$"
      return output
    end)
    return output, tonumber(status)
  end

  local function begin(client, offer)
    client:write "220 ready\r\n"
    assert.equal("EHLO localhost", client:read())
    client:write("250-good.example\r\n250 ", offer, "\r\n")
  end

  case("sends a mail with TLS", function()
    local body
    local output, status = against(function(client)
      begin(client, "STARTTLS")
      assert.equal("STARTTLS", client:read())
      client:write "220 go ahead\r\n"
      assert(client:starttls(tlsloop.server_context()))
      assert.equal("EHLO localhost", client:read())
      client:write "250 hello\r\n"
      for _, line in ipairs { "MAIL FROM:<me@good.example>", "RCPT TO:<you@example.org>" } do
        assert.equal(line, client:read())
        client:write "250 fine\r\n"
      end
      assert.equal("DATA", client:read())
      client:write "354 go on\r\n"
      body = client:readuntil "\r\n.\r\n"
      client:write "250 taken\r\n"
      assert.equal("QUIT", client:read())
      client:write "221 goodbye\r\n"
    end)
    assert.same({ "250 taken\n", 0 }, { output, status })
    assert.equal("Subject: greetings\r\n\r\nhello\r\n..\r\n...two dots\r\nlast line", body)
  end)

  case("sends nothing without TLS, or with what is not verified", function()
    local output, status = against(function(client)
      begin(client, "SIZE 1000")
      assert.is_nil(client:read())
    end)
    assert.same({ "smtp: the server offers no STARTTLS\n", 1 }, { output, status })
    output, status = against(function(client)
      begin(client, "STARTTLS")
      assert.equal("STARTTLS", client:read())
      client:write "220 go ahead\r\n250 this is what somebody has put in\r\n"
      assert.is_nil((client:starttls(tlsloop.server_context())))
    end)
    assert.same({ "smtp: the peer does not speak TLS\n", 1 }, { output, status })
    output, status = against(function(client)
      begin(client, "STARTTLS")
      client:read()
      client:write "220 go ahead\r\n"
      assert.is_nil((client:starttls(certs.server "other")))
    end)
    assert.equal(1, status)
    assert.truthy(output:find("mismatch", 1, true), output)
  end)

  case("passes on what the server refuses", function()
    local output, status = against(function(client) client:write "554 not today\r\n" end)
    assert.same({ "smtp: 554 not today\n", 1 }, { output, status })
  end)

  case("has its mail taken by exim", function()
    helper.need.tool(pending, "PATH=$PATH:/usr/sbin command -v exim4")
    local folder = helper.path()
    assert.equal(0, select(2, helper.run("mkdir " .. folder)))
    finally(function() os.execute("rm -rf " .. folder) end)
    local listener = assert(lsocket.bind("127.0.0.1", 0))
    local port = listener:info("socket").port
    listener:close()
    local settings = helper.file(([[
      spool_directory = FOLDER
      log_file_path = FOLDER/%slog
      pid_file_path = FOLDER/pid
      exim_user = root
      exim_group = root
      primary_hostname = good.example
      tls_advertise_hosts = *
      tls_certificate = FOLDER/both.pem
      tls_privatekey = FOLDER/both.pem
      acl_smtp_rcpt = rcpt
      local_interfaces = 127.0.0.1
      keep_environment =
      queue_only = true
      begin acl
      rcpt:
        deny !encrypted = *
        accept domains = example.org
      begin routers
      begin transports]]):gsub("FOLDER", folder):gsub("\n      ", "\n"):gsub("^ +", ""))
    os.execute(("cp %s %s/both.pem"):format(both "good", folder))
    local command = ("PATH=$PATH:/usr/sbin; exec env -u LD_PRELOAD exim4 -C %s "):format(settings)
    local output, status = helper.run(command .. "-bV")
    if status ~= 0 then pending("exim does not run here: " .. output) end
    programs.start("sh -c " .. helper.quote(("echo started; %s -bdf -oX %d"):format(command, port)), "started")
    sample.in_loop(function()
      helper.eventually("exim listens", function()
        local client = loop.connect("127.0.0.1", port)
        if client then client:close() end
        return client
      end)
    end)
    output, status = send(port)
    assert.equal(0, status, output)
    assert.truthy(output:find "^250 OK", output)
    local body = helper.run("cat " .. folder .. "/input/*-D")
    assert.truthy(body:find("hello\n.\n..two dots\nlast line", 1, true), body)
    output, status = send(port, certs.path "other_root.pem")
    assert.equal(1, status)
    assert.truthy(output:find("certificate", 1, true), output)
  end)
end)
