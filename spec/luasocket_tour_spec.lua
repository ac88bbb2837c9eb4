-- The programs of doc/luasocket.md, which run in interpreters of their own.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local loop = require "lsocket.loop"
local process = require "spec.process"
local programs = require "spec.programs"

after_each(function()
  programs.stop_all()
  helper.remove_paths()
end)

-- Starts a program of the tour.
local function start(name, ...)
  local text = assert(process.read("doc/luasocket.md"):match("```lua\n(%-%- " .. name .. "%.lua\n.-)```"))
  local command = ("LUA_PATH=%s LUA_CPATH=%s %s"):format(
    helper.quote(package.path), helper.quote(package.cpath), helper.interpreter)
  return programs.start(table.concat({ command, helper.file(text), ... }, " "), "")
end

-- Serves, in a task for each client, while a program that gets the port runs: what it has printed.
local function output_of(name, serve, ...)
  local before, program = { ... }, nil
  loop.run(function()
    local server = assert(loop.serve("127.0.0.1", 0, serve))
    before[#before + 1] = server:info("socket").port
    program = start(name, (table.unpack or unpack)(before)) -- luacheck: ignore 143
    loop.deadline(helper.patience, function()
      while not program:output():find "\n" do loop.sleep(0.01) end
    end)
    server:close()
  end)
  return program:output()
end

describe("the tour of LuaSocket's programs", function()
  it("switches a program over", function()
    helper.need.luasocket(pending)
    assert.equal("HTTP/1.0 204 Nothing\n", output_of("switched", function(client)
      assert(client:readuntil "\r\n\r\n" == "HEAD / HTTP/1.0\r\nHost: localhost")
      client:write "HTTP/1.0 204 Nothing\r\n\r\n"
    end, "localhost"))
  end)

  it("has all of 100 pages in the making at once", function()
    helper.need.luasocket(pending)
    local count, all = 0, loop.event()
    local function serve(client)
      client:readuntil "\r\n\r\n"
      count = count + 1
      if count == 100 then all:set() end
      all:wait() -- no page before all were asked for
      client:write "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    end
    assert.equal("500 bytes\n", output_of("pages", serve))
  end)

  it("has Copas and tasks in one program", function()
    helper.need.tool(pending, helper.interpreter .. " -e 'require [[copas]]'")
    local sock = helper.bind("127.0.0.1", 0)
    local port = helper.port(sock)
    sock:close()
    start("both", port)
    local client = helper.eventually("the server", function()
      local conn = assert(lsocket.connect("127.0.0.1", port))
      helper.writable(conn)
      if conn:status() then return conn end
      conn:close()
    end)
    client:send "hello\n"
    assert.equal("hello\n", helper.receive(client, 6))
    client:close()
  end)
end)
