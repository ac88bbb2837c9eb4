---@meta lsocket.stream
-- The public names of lsocket.stream, for editors that read LuaCATS annotations. See doc/manual.md.

---@class lsocket.stream
local stream = {}

---Makes a stream of a socket, which it owns from then on.
---@param sock lsocket.Socket
---@param options { max: integer }?  max: bytes of the longest line or record; 1048576 by default
---@return lsocket.Stream stream
function stream.new(sock, options) end

---A socket that tasks read and write as if they waited for it. One task reads at a time, the others raise; tasks that
---write have their turns.
---@class lsocket.Stream
local Stream = {}

---Reads as io.read does: "l" a line without its end, "L" with it, "a" everything, a number so many bytes.
---@param ... "l" | "L" | "a" | integer  "l" by default
---@return string? data     nil alone: the stream has ended
---@return string? ...      what further formats gave; or a message and a symbol: "EMSGSIZE", "ETIMEDOUT", "ECANCELED"
function Stream:read(...) end

---Iterates over what read gives, until that is nil. Not for Lua 5.1.
---@param ... "l" | "L" | integer  "l" by default
---@return fun(): string?, string?
function Stream:lines(...) end

---Reads what stands before a delimiter.
---@param delimiter string
---@param max integer?      bytes that it may have; that of the stream by default
---@return string? data             nil alone: the stream has ended
---@return string | true | nil message  true: the end of the stream has cut data off
---@return string? name             "EMSGSIZE": it is longer
function Stream:readuntil(delimiter, max) end

---Reads what there is, and waits only if there is nothing.
---@param max integer?      the most bytes; 65536 by default
---@return string? data     nil alone: the stream has ended
---@return string? message
---@return string? name
function Stream:readsome(max) end

---Writes, and returns when the kernel has taken it all.
---@param data string | number | (string | number)[]
---@param ... string | number
---@return true?
---@return string? message
---@return string? name     "EPIPE", "ETIMEDOUT", "ECANCELED"
---@return integer? count   bytes that the kernel has taken when it failed
function Stream:write(data, ...) end

---As a socket's.
---@param how ("r" | "w" | "rw")?
---@return true?
---@return string? message
---@return string? name
function Stream:shutdown(how) end

---The socket, which the stream still owns.
---@return lsocket.Socket socket
function Stream:getsocket() end

---As a socket's.
---@return integer descriptor
function Stream:getfd() end

---As a socket's.
---@param what ("peer" | "socket")?
---@return lsocket.Info | lsocket.End | nil info
---@return string? message
---@return string? name
function Stream:info(what) end

---As a socket's.
---@param name lsocket.Option
---@return integer | boolean | nil value
---@return string? message
---@return string? symbol
function Stream:getopt(name) end

---As a socket's.
---@param name lsocket.Option
---@param value integer | boolean
---@return true?
---@return string? message
---@return string? symbol
function Stream:setopt(name, value) end

---Closes the stream; whoever waits for it gets nil, message, "ECANCELED".
---@return true?
---@return string? message
---@return string? name
function Stream:close() end

return stream
