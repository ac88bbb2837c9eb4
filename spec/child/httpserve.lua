-- A server of samples/http/ with handlers of every kind; the arguments are a limit and its value.
package.path = "samples/?.lua;" .. package.path
local loop = require "lsocket.loop"
local server = require "http.server"

io.stdout:setvbuf("line")
local pages = {
  ["/error"] = function() error("no luck") end,
  ["/inject"] = function() return 200, "hello", { ["X-A"] = "b\r\nX-C: d" } end,
  ["/none"] = function() return 204 end,
  ["/nothing"] = function() end,
  ["/odd"] = function() return 299 end,
  ["/typed"] = function() return 200, "hello", { ["Content-Type"] = "text/x" } end,
  ["/unchanged"] = function() return 304, "hello" end,
  ["/upgrade"] = function()
    return 101, function(client) client:write(client:read("a"):upper()) end, { Upgrade = "other" }
  end,
  ["/wait"] = function()
    loop.sleep(0.001)
    return 200, "499 left"
  end,
}

local function handle(request)
  local page = pages[request.path]
  if page then return page(request) end
  return 200, request.path .. " " .. request.query .. " " .. request.peer
end

loop.run(function()
  local here = assert(server.serve("127.0.0.1", 0, handle, arg[1] and { [arg[1]] = tonumber(arg[2]) }))
  print("listening on 127.0.0.1 port " .. here:info("socket").port)
end)
