-- How LuaRocks builds this folder: "luarocks make", which hands the work to the Makefile.
-- What the Makefile does with these variables is said at its top.
rockspec_format = "3.0"
package = "lsocket"
version = "scm-1"
source = {
   url = "git+file://.", -- LuaRocks asks for an address; "luarocks make" builds what lies here and never opens it
}
description = {
   summary = "Sockets that never block: TCP, UDP, multicast and unix domain, with select",
   detailed = [[
lsocket gives Lua 5.1 to 5.5 and LuaJIT non-blocking IPv4, IPv6 and unix domain sockets, select without a limit on
descriptors, name resolution and a list of network interfaces. It needs nothing but the C library.]],
   license = "MIT",
}
supported_platforms = { "unix" }
dependencies = { "lua >= 5.1" }
build = {
   type = "make",
   variables = {
      BUILD = "build/luarocks",
      CC = "$(CC)",
      CFLAGS = "$(CFLAGS)",
      LIBFLAG = "$(LIBFLAG)",
      LUA = "$(LUA)",
      LUA_INCDIR = "$(LUA_INCDIR)",
      TLS = "0", -- lsocket-tls-scm-1.rockspec builds that
   },
   install_variables = {
      TLS = "0",
      INST_LIBDIR = "$(LIBDIR)",
      INST_LUADIR = "$(LUADIR)",
      INST_TYPESDIR = "$(PREFIX)/types", -- beside the rock's own files: "luarocks show --rock-dir lsocket"
   },
}
