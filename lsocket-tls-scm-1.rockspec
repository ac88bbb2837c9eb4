-- How LuaRocks builds lsocket.tls: "luarocks make lsocket-tls-scm-1.rockspec", after the other rock, which it needs.
rockspec_format = "3.0"
package = "lsocket-tls"
version = "scm-1"
source = {
   url = "git+file://.", -- LuaRocks asks for an address; "luarocks make" builds what lies here and never opens it
}
description = {
   summary = "TLS for lsocket, on OpenSSL 3",
   detailed = [[
lsocket.tls makes a TCP connection of lsocket a TLS connection, and the socket stays the same object. Certificates are
verified unless the program says otherwise, and no call blocks.]],
   license = "MIT",
}
supported_platforms = { "unix" }
dependencies = { "lua >= 5.1", "lsocket" }
external_dependencies = {
   OPENSSL = { header = "openssl/ssl.h" },
}
build = {
   type = "make",
   build_target = "tls",
   install_target = "install-tls",
   variables = {
      BUILD = "build/luarocks",
      CC = "$(CC)",
      CFLAGS = "$(CFLAGS)",
      LIBFLAG = "$(LIBFLAG)",
      LUA = "$(LUA)",
      LUA_INCDIR = "$(LUA_INCDIR)",
      OPENSSL_INCDIR = "$(OPENSSL_INCDIR)",
      OPENSSL_LIBDIR = "$(OPENSSL_LIBDIR)",
   },
   install_variables = {
      BUILD = "build/luarocks",
      INST_LIBDIR = "$(LIBDIR)",
      LUA = "$(LUA)",
      LUA_INCDIR = "$(LUA_INCDIR)",
   },
}
