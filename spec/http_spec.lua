-- samples/httpd.lua, and the modules of samples/http/ that it is made of: with raw sockets, curl, Python.
local helper = require "spec.helper"
local loop = require "lsocket.loop"
local process = require "spec.process"
local sample = require "spec.sample"

local in_loop, serving, shell = sample.in_loop, sample.serving, helper.run

local NUL = "\0"

-- The server with so many seconds for a client.
local function with_server(fn, seconds, ...)
  serving(fn, "", "samples/httpd", 0, seconds or helper.patience, ...)
end

-- Sends bytes as they are, and reads all until the server closes the connection.
local function exchange(port, data, and_close)
  return in_loop(function()
    local client = assert(loop.connect("127.0.0.1", port))
    client:write(data)
    if and_close then client:shutdown "w" end
    local answer = client:read "a"
    client:close()
    return answer
  end)
end

-- The status of each answer; 200 as its body, which must have a Content-Length.
local function answers(text)
  local list, at = {}, 1
  while at <= #text do
    local head, body = text:match("^(HTTP/1.1 .-\r\n\r\n)()", at)
    assert(head, "no answer: " .. text:sub(at, at + 60))
    local status = head:match "^HTTP/1.1 (%d%d%d)"
    local length = tonumber(head:match "Content%-Length: (%d+)" or 0)
    list[#list + 1] = status == "200" and text:sub(body, body + length - 1) or status
    at = body + length
  end
  return table.concat(list, " | ")
end

local function request(method, target, ...)
  return table.concat({ method .. " " .. target .. " HTTP/1.1", "Host: x", ... }, "\r\n") .. "\r\n\r\n"
end

local last = request("POST", "/echo", "Content-Length: 4", "Connection: close") .. "last"

local CURL = "env -u LD_PRELOAD curl" -- which hangs under another program's sanitizer

local function curl(options)
  return shell(CURL .. " -sS --noproxy '*' --max-time " .. helper.patience .. " " .. options)
end

describe("samples/httpd.lua", function()
  it("answers what comes in one packet, and in single bytes, in order", function()
    with_server(function(port)
      local all = request("POST", "/echo", "Content-Length: 3") .. "one" .. "\r\n" .. request("GET", "/none")
        .. request("POST", "/echo", "transfer-encoding: Chunked", "Trailer: a")
        .. "3;a=b\r\ntwo\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n" .. request("GET", "/echo")
        .. request("POST", "/echo", "Content-Length: 0") .. last .. request("GET", "/late")
      assert.equal("one | 404 | two! | 405 |  | last", answers(exchange(port, all)))
      local split = in_loop(function()
        local client = assert(loop.connect("127.0.0.1", port))
        local writer = loop.spawn(function()
          for byte in all:gmatch "." do
            client:write(byte)
            loop.sleep(0)
          end
        end)
        local text = client:read "a"
        writer:join()
        client:close()
        return text
      end)
      assert.equal("one | 404 | two! | 405 |  | last", answers(split))
    end)
  end)

  it("answers a thousand requests that were all sent before", function()
    with_server(function(port)
      local all = request("GET", "/"):rep(1000) .. last
      assert.equal(("Hello, world!\n | "):rep(1000) .. "last", answers(exchange(port, all)))
    end)
  end)

  it("keeps the connection, or closes it, as the client says", function()
    with_server(function(port)
      local hello = "Hello, world!\n"
      assert.equal(hello, answers(exchange(port, request("GET", "/", "Connection: x , Close") .. last)))
      assert.equal(hello, answers(exchange(port, "GET / HTTP/1.0\r\n\r\n" .. last)))
      local old = "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
      assert.equal(hello .. " | last", answers(exchange(port, old .. last)))
      assert.equal(hello, answers(exchange(port, request("GET", "/"), true)))
      local body = exchange(port, "GET /chunks/70000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"):match "\r\n\r\n(.*)"
      assert.equal(70000, #body)
    end)
  end)

  it("understands targets with a host, escapes and a query", function()
    with_server(function(port)
      for _, target in ipairs { "/echo?a=b", "/%65cho", "http://x/echo", "HTTP://x/echo?a" } do
        assert.equal("last", answers(exchange(port, (last:gsub("/echo", (target:gsub("%%", "%%%%")), 1)))))
      end
      local close = "Connection: close"
      assert.equal("Hello, world!\n", answers(exchange(port, request("GET", "http://x?a=b", close))))
      assert.equal("404", answers(exchange(port, request("OPTIONS", "*", close))))
      local refusal = exchange(port, request("BREW", "/echo", close))
      assert.truthy(refusal:find "^HTTP/1.1 405 .*\r\nAllow: POST\r\n")
    end)
  end)

  it("serves IPv6", function()
    helper.need.ipv6(pending)
    serving(function(port)
      local text = in_loop(function()
        local client = assert(loop.connect("::1", port))
        client:write(last)
        local text = client:read "a"
        client:close()
        return text
      end)
      assert.equal("last", answers(text))
    end, "", "samples/httpd", 6, 0)
  end)

  it("bears clients that leave in the middle of everything", function()
    with_server(function(port)
      in_loop(function()
        for _, text in ipairs { "", "GET", "GET / HTTP/1.1\r\n", request("POST", "/echo", "Content-Length: 9"),
          request("GET", "/"), request("GET", "/chunks/10000000") } do
          for linger = 0, 1 do
            local client = assert(loop.connect("127.0.0.1", port))
            client:write(text)
            if linger == 0 then client:setopt("linger", 0) end
            client:close()
          end
        end
      end)
      assert.equal("last", answers(exchange(port, last)))
    end)
  end)

  it("answers 200 clients that ask at the same time", function()
    with_server(function(port)
      in_loop(function()
        local clients = {}
        for i = 1, 200 do clients[i] = assert(loop.connect("127.0.0.1", port)) end
        for i = 1, 200 do clients[i]:write(last) end
        for i = 200, 1, -1 do
          assert.equal("last", answers(clients[i]:read "a"))
          clients[i]:close()
        end
      end)
    end)
  end)

  it("sends headers alone for HEAD", function()
    with_server(function(port)
      for _, page in ipairs { "/", "/bytes/1000000", "/chunks/5", "/none", "/bytes/" .. ("9"):rep(400) } do
        local text = exchange(port, request("HEAD", page, "Connection: close"))
        assert.equal(text:find("\r\n\r\n", 1, true) + 3, #text)
        assert.equal(page == "/chunks/5", not text:find "Content%-Length: %d+")
      end
    end)
  end)

  local bad = {
    ["a length beside a coding"] = { "400", "POST", "/echo", "Content-Length: 5", "Transfer-Encoding: chunked" },
    ["a coding beside a length"] = { "400", "POST", "/echo", "Transfer-Encoding: chunked", "Content-Length: 5" },
    ["two lengths"] = { "400", "POST", "/echo", "Content-Length: 5", "Content-Length: 6" },
    ["one length twice"] = { "400", "POST", "/echo", "Content-Length: 5", "content-length: 5" },
    ["a list of lengths"] = { "400", "POST", "/echo", "Content-Length: 5, 5" },
    ["a length with a sign"] = { "400", "POST", "/echo", "Content-Length: +5" },
    ["a negative length"] = { "400", "POST", "/echo", "Content-Length: -5" },
    ["a length in hexadecimal"] = { "400", "POST", "/echo", "Content-Length: 0x5" },
    ["an empty length"] = { "400", "POST", "/echo", "Content-Length:" },
    ["an unknown coding"] = { "501", "POST", "/echo", "Transfer-Encoding: gzip, chunked" },
    ["a coding twice"] = { "501", "POST", "/echo", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked" },
    ["a coding with a vertical tab"] = { "400", "POST", "/echo", "Transfer-Encoding: \11chunked" },
    ["another expectation"] = { "417", "POST", "/echo", "Content-Length: 5", "Expect: 200-ok" },
    ["a folded line"] = { "400", "GET", "/", "A: b", " c" },
    ["a folded line with a tab"] = { "400", "GET", "/", "A: b", "\tc" },
    ["a space before the colon"] = { "400", "POST", "/echo", "Content-Length : 5" },
    ["a tab before the colon"] = { "400", "POST", "/echo", "Transfer-Encoding\t: chunked" },
    ["a field without a colon"] = { "400", "GET", "/", "nonsense" },
    ["a field without a name"] = { "400", "GET", "/", ": b" },
    ["a bare CR in a value"] = { "400", "GET", "/", "A: b\rContent-Length: 5" },
    ["a bare LF in a value"] = { "400", "GET", "/", "A: b\nContent-Length: 5" },
    ["a NUL in a value"] = { "400", "GET", "/", "A: b" .. NUL },
    ["a second Host"] = { "400", "GET", "/", "Host: y" },
    ["a space in the target"] = { "400", "GET", "/ /" },
    ["a tab in the target"] = { "400", "GET", "/\t" },
    ["a method that is no token"] = { "400", "G:T", "/" },
    ["a target that is no path"] = { "400", "GET", "bytes/1" },
    ["a malformed %"] = { "400", "GET", "/%zz" },
    ["a % at the end"] = { "400", "GET", "/%4" },
    ["a long target"] = { "431", "GET", "/" .. ("a"):rep(20000) },
    ["a long field"] = { "431", "GET", "/", "A: " .. ("a"):rep(20000) },
    ["many fields"] = { "431", "GET", "/", ("A: b\r\n"):rep(5000) .. "B: c" },
    ["a long body"] = { "413", "POST", "/echo", "Content-Length: 1048577" },
    ["a body beyond all numbers"] = { "413", "POST", "/echo", "Content-Length: " .. ("9"):rep(400) },
  }

  it("refuses what could be read in two ways, and what is too large", function()
    with_server(function(port)
      for name, case in pairs(bad) do
        local text = request(case[2], case[3], (table.unpack or unpack)(case, 4)) .. "5\r\nhello\r\n0\r\n\r\n"
        assert.equal(name .. ": " .. case[1], name .. ": " .. answers(exchange(port, text .. last, true)))
      end
      for text, status in pairs {
        ["GET / HTTP/1.1\r\n\r\n"] = "400", ["GET /\r\n\r\n"] = "400", ["GET / HTTP/1.1\nHost: x\n\n"] = "400",
        ["GET / HTTP/2.0\r\nHost: x\r\n\r\n"] = "505", ["\r\n\r\n\r\n"] = "400", ["GET  / HTTP/1.1\r\n\r\n"] = "400",
        ["POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"] = "400", ["\22\3\1\0\165\1\r\n"] = "400",
        ["GET / HTTP/1.1\r\nHo"] = "400", ["GET / HTTP/1.1 \r\nHost: x\r\n\r\n"] = "400",
      } do
        assert.equal(status, answers(exchange(port, text .. "\r\n" .. last, true)))
      end
    end)
  end)

  it("refuses at once what a pattern could match in many ways", function()
    with_server(function(port)
      local text = request("GET", "/", "A:" .. (" "):rep(8000) .. ("a"):rep(8000) .. NUL)
      in_loop(function() -- all of them in the time of one
        for _ = 1, helper.scale(40) do
          local client = assert(loop.connect("127.0.0.1", port))
          client:write(text)
          assert.equal("400", answers(assert(client:read "a")))
          client:close()
        end
      end)
    end)
  end)

  it("refuses malformed and endless chunks", function()
    with_server(function(port)
      for chunks, status in pairs {
        ["5 \r\nhello"] = "400", ["0x5\r\nhello"] = "400", ["+5\r\nhello"] = "400", [" 5\r\nhello"] = "400",
        ["-5\r\nhello"] = "400", ["5\nhello"] = "400", ["5x\r\nhello"] = "400", ["\r\nhello"] = "400",
        ["000000005\r\nhello"] = "400", ["5;a\rb\r\nhello"] = "400", ["5;a\nb\r\nhello"] = "400",
        ["4\r\nhello"] = "400", ["6\r\nhello"] = "400", ["5\r\nhello\n"] = "400", ["ffffffffffffffff\r\nhello"] = "400",
        ["0\r\nA : b"] = "400", ["5;" .. ("a"):rep(20000) .. "\r\nhello"] = "431",
        ["0\r\n" .. ("A: b\r\n"):rep(5000)] = "431", [("10000\r\n" .. ("a"):rep(65536) .. "\r\n"):rep(17)] = "413",
      } do
        local text = request("POST", "/echo", "Transfer-Encoding: chunked") .. chunks .. "\r\n0\r\n\r\n"
        assert.equal(chunks:sub(1, 20) .. status, chunks:sub(1, 20) .. answers(exchange(port, text .. last, true)))
      end
    end)
  end)

  it("ends clients that are slow: with a header, with a body, with taking an answer, and idle ones", function()
    with_server(function(port)
      in_loop(function()
        local tasks = {}
        local function try(first, drip)
          tasks[#tasks + 1] = loop.spawn(function()
            local client = assert(loop.connect("127.0.0.1", port))
            client:write(first)
            local writer = drip and loop.spawn(function()
              while loop.sleep(0.02) and client:write(drip) do end -- never quiet for long
            end)
            local text = client:read "a" or "reset"
            if writer then
              writer:cancel()
              writer:join()
            end
            client:close()
            return text
          end)
        end
        try("GET / HTTP/1.1\r\nHost: x\r\n", "A: b\r\n")
        try("GET", "T")
        try(request("POST", "/echo", "Content-Length: 100000"), "x")
        try(request("POST", "/echo", "Transfer-Encoding: chunked"), "1\r\nx\r\n")
        try("")
        local unread = assert(loop.connect("127.0.0.1", port))
        unread:write(request("GET", "/bytes/1000000000"))
        for i = 1, 4 do assert.equal("408", answers(tasks[i]:join())) end
        assert.equal("", tasks[5]:join())
        local count = 0
        loop.sleep(0.8) -- meanwhile it is given up
        local piece = unread:readsome()
        while piece do
          count = count + #piece
          piece = unread:readsome()
        end
        unread:close()
        assert.is_true(count < 1000000000)
      end)
    end, 0.5)
  end)

  it("sends and takes much without keeping it", function()
    helper.need.proc(pending)
    with_server(function(port, pid)
      local function memory() return tonumber(process.status("VmHWM", pid):match "%d+") end
      local total = helper.scale(200) * 1000000
      local function fetch(page, count)
        local length = 0
        in_loop(function()
          local client = assert(loop.connect("127.0.0.1", port))
          client:write(request("GET", page .. count, "Connection: close"))
          local piece = client:readsome()
          while piece do
            length = length + #piece
            piece = client:readsome()
          end
          client:close()
        end)
        assert.is_true(length > count)
      end
      fetch("/bytes/", 1000000)
      fetch("/chunks/", 1000000)
      local before = memory()
      fetch("/bytes/", total)
      fetch("/chunks/", total)
      if not helper.slow then assert.is_true(memory() - before < 2000, memory() - before .. " KiB more") end
    end)
  end)

  it("takes so many bodies at a time and no more", function()
    with_server(function(port)
      in_loop(function()
        local clients = {}
        for i = 1, 256 do
          clients[i] = assert(loop.connect("127.0.0.1", port))
          clients[i]:write(request("POST", "/echo", "Content-Length: 1048576", "Expect: 100-continue"))
          assert.truthy(clients[i]:readuntil("\r\n\r\n"):find "^HTTP/1.1 100 ")
        end
        local late = assert(loop.connect("127.0.0.1", port))
        late:write(last)
        assert.equal("503", answers(late:read "a"))
        for _, client in ipairs(clients) do client:close() end
        late:close()
        helper.eventually("there is room again", function()
          loop.sleep(0.01)
          late = assert(loop.connect("127.0.0.1", port))
          late:write(last)
          local answer = answers(late:read "a")
          late:close()
          return answer == "last"
        end)
      end)
    end)
  end)

  it("serves curl: keep-alive, HEAD, chunks both ways, 100-continue", function()
    helper.need.tool(pending, CURL .. " --version")
    with_server(function(port)
      local url = "http://127.0.0.1:" .. port
      local file = os.tmpname()
      local handle = assert(io.open(file, "wb"))
      local data = ("some text, "):rep(50000)
      assert(handle:write(data))
      handle:close()
      assert.equal("Hello, world!\n 1\nHello, world!\n 0\n",
        curl("-w ' %{num_connects}\\n' " .. url .. "/ " .. url .. "/"))
      assert.truthy(curl("-I " .. url .. "/bytes/123"):find "^HTTP/1.1 200 OK\r\n.*Content%-Length: 123\r\n")
      assert.equal(("0123456789abcdef"):rep(20000), curl(url .. "/chunks/320000"))
      assert.equal(data, curl("-H 'Transfer-Encoding: chunked' -H 'Expect: 100-continue' --data-binary @" .. file .. " "
        .. url .. "/echo"))
      local waited = curl("-v --expect100-timeout 60 -H 'Expect: 100-continue' -o /dev/null --data-binary @" .. file
        .. " " .. url .. "/echo")
      assert.truthy(waited:find("< HTTP/1.1 100 Continue", 1, true))
      assert.truthy(waited:find("< Content-Length: " .. #data, 1, true))
      assert.equal("413", curl("-o /dev/null -w '%{http_code}' --expect100-timeout 60 -H 'Expect: 100-continue' "
        .. "-H 'Content-Length: 9999999' --data-binary @" .. file .. " " .. url .. "/echo"))
      os.remove(file)
    end)
  end)

  it("serves Python's http.client", function()
    helper.need.tool(pending, helper.python "-c 'import http.client'")
    with_server(function(port)
      assert.equal("all is well\n", shell(helper.python("spec/child/httpclient.py " .. port)))
    end)
  end)
end)

describe("samples/http/files.lua", function()
  local root, data

  setup(function()
    root, data = os.tmpname(), ("some bytes, "):rep(500000)
    os.remove(root)
    assert(os.execute("mkdir -p " .. root .. "/folder"))
    for name, content in pairs { ["page.html"] = "hello", ["a b.txt"] = "a b", ["index.html"] = "index", empty = "",
      [".hidden"] = "secret", big = data } do
      local file = assert(io.open(root .. "/" .. name, "wb"))
      file:write(content)
      file:close()
    end
  end)
  teardown(function() os.execute("rm -r " .. root) end)

  local function get(port, path, method)
    local text = exchange(port, request(method or "GET", "/files/" .. path, "Connection: close"))
    local status, kind = text:match "^HTTP/1.1 (%d%d%d)", text:match "\r\nContent%-Type: ([^\r]*)"
    return status .. ": " .. text:match "\r\n\r\n(.*)$", kind
  end

  it("sends files", function()
    with_server(function(port)
      assert.same({ "200: hello", "text/html; charset=utf-8" }, { get(port, "page.html") })
      assert.same({ "200: a b", "text/plain; charset=utf-8" }, { get(port, "a%20b.txt?query") })
      assert.same({ "200: ", "application/octet-stream" }, { get(port, "empty") })
      assert.equal("200: index", (get(port, "")))
      assert.equal("200: ", (get(port, "big", "HEAD")))
      assert.is_true(get(port, "big") == "200: " .. data)
    end, helper.patience, root)
  end)

  it("sends no others", function()
    with_server(function(port)
      for _, path in ipairs { "none", "../secret", "%2e%2E/secret", "..%2fsecret", "folder/../../secret", ".hidden",
        "/etc/passwd", "%2fetc/passwd", "page.html%00.txt", "folder", "folder/", "page.html/" } do
        assert.equal(path .. " 404: Not Found\n", path .. " " .. get(port, path))
      end
    end, helper.patience, root)
    with_server(function(port) assert.equal("404: Not Found\n", (get(port, "page.html"))) end)
  end)

  it("leaves no file open, whether or not it is sent to its end", function()
    helper.need.proc(pending)
    with_server(function(port, pid)
      local function count() return #shell("ls /proc/" .. pid .. "/fd"):gsub("[^\n]", "") end
      assert.equal("200: ", (get(port, "big", "HEAD"))) -- what it keeps, and perhaps that connection
      local before = count()
      in_loop(function()
        for _, method in ipairs { "HEAD", "GET", "GET", "GET" } do
          local client = assert(loop.connect("127.0.0.1", port, { rcvbuf = 4096 }))
          client:write(request(method, "/files/big"))
          client:readsome()
          client:close()
        end
      end)
      helper.eventually("all are closed", function() return count() <= before end)
    end, helper.patience, root)
  end)
end)

describe("samples/http/server.lua", function()
  local close = "Connection: close"
  local function ask(port, target, method) return exchange(port, request(method or "GET", target, close)) end

  it("answers as its handler says", function()
    serving(function(port)
      assert.equal("/a b a=b&c=%20 127.0.0.1", ask(port, "/a%20b?a=b&c=%20"):match "\r\n\r\n(.*)")
      local injected = ask(port, "/inject")
      assert.truthy(injected:find("\r\nX-A: b  X-C: d\r\n", 1, true), injected)
      for target, status in pairs { ["/none"] = 204, ["/unchanged"] = 304 } do
        assert.truthy(ask(port, target):find("^HTTP/1.1 " .. status .. " .-\r\n\r\n$"))
        assert.is_nil(ask(port, target):find "Content%-Length")
      end
      assert.truthy(ask(port, "/odd"):find "^HTTP/1.1 299 \r\n")
      assert.truthy(ask(port, "/typed"):find "\r\nContent%-Type: text/x\r\n")
    end, "", "httpserve")
  end)

  it("survives what its handler does wrong, and says so", function()
    serving(function(port)
      assert.equal("500", answers(ask(port, "/error")))
      assert.equal("500", answers(ask(port, "/nothing")))
      assert.equal("499 left", ask(port, "/wait"):match "\r\n\r\n(.*)") -- it may wait
    end, "http: [^\n]*no luck\nhttp: the handler gave no status\n", "httpserve")
  end)

  it("hands the connection over after a 101", function()
    serving(function(port)
      local text = exchange(port, request("GET", "/upgrade") .. "hello, other protocol", true)
      assert.truthy(text:find "^HTTP/1.1 101 Switching Protocols\r\n")
      assert.truthy(text:find "\r\nConnection: Upgrade\r\n\r\nHELLO, OTHER PROTOCOL$")
      assert.is_nil(text:find "Content%-")
    end, "", "httpserve")
  end)
end)
