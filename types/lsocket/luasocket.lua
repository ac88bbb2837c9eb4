---@meta lsocket.luasocket
-- The public names of lsocket.luasocket, for editors that read LuaCATS annotations. See doc/manual.md. The table also
-- has the functions of LuaSocket's module socket.core.

---@class lsocket.luasocket
local luasocket = {}

---What LuaSocket's module socket.unix has.
luasocket.unix = {}

---Makes require "socket.core" and require "socket.unix" return this library's tables, so that programs for LuaSocket
---run on them. Raises if LuaSocket was loaded before.
---@param options { pcall: boolean?, sigpipe: boolean?, ssl: boolean? }?  pcall: calls within pcall can wait in a task
---on Lua 5.1, too; sigpipe: SIGPIPE does not end the process; ssl = false: LuaSec's modules stay its own
---@return lsocket.luasocket luasocket
function luasocket.install(options) end

return luasocket
