-- Binds to a path with permissions, for whoever watches its system calls. Usage: permissions.lua PATH MODE
assert(require("lsocket").bind { address = arg[1], mode = arg[2] })
