-- Serves a client whose handler fails, with standard error as it is; "raise": and a handler of errors that fails, too.
local loop = require "lsocket.loop"

if arg[1] == "raise" then loop.onerror = function() error "the handler of errors fails" end end

loop.run(function()
  local server = assert(loop.serve("127.0.0.1", 0, function() error "the handler fails" end))
  local client = assert(loop.connect("127.0.0.1", server:info("socket").port))
  client:read()
  if server:close(30) then print "served" end
  if loop.sleep(0.001) then print "went on" end
end)
