-- Says whether there is a context with the system's roots.
local context, _, name = require "lsocket.tls".client {}
print(context, name)
