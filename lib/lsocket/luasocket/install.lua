-- lua -l lsocket.luasocket.install program.lua: the program's LuaSocket is this library, with all that LuaSocket does.
return require("lsocket.luasocket").install { pcall = true, sigpipe = true }
