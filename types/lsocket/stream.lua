---@meta lsocket.stream
-- The public names of lsocket.stream, for editors that read LuaCATS annotations. See doc/manual.md.

---@class lsocket.stream
local stream = {}

---Makes a stream of a socket, a pipe, a terminal or a file, which it owns from then on. Raises for datagram sockets and
---for those that listen.
---@param sock lsocket.Socket
---@param options { max: integer?, timeout: (number | false)? }?  max: bytes of the longest line or record; 1048576 by
---default; timeout: see Stream:settimeout
---@return lsocket.Stream stream
function stream.new(sock, options) end

---A socket that tasks read and write as if they waited for it. One task reads at a time, the others raise; tasks that
---write take turns. Reads return what came before a failure first, then the failure, each time.
---@class lsocket.Stream
local Stream = {}

---Reads as io.read does: "l" a line without its end, "L" with it, "a" everything, a number so many bytes; 0 is "" at
---once.
---@param ... "l" | "L" | "a" | integer  "l" by default
---@return string? data     nil alone: the stream has ended
---@return string? ...      what further formats gave; or a message and a symbol: "EMSGSIZE", "ETIMEDOUT", "ECANCELED"
function Stream:read(...) end

---Iterates over what read returns, until that is nil; status tells why then. Not for Lua 5.1.
---@param ... "l" | "L" | integer  "l" by default
---@return fun(): string?, string?
function Stream:lines(...) end

---Reads what stands before a delimiter.
---@param delimiter string
---@param max integer?      bytes that it may have; that of the stream by default
---@return string? data             nil alone: the stream has ended
---@param keep boolean?     with the delimiter
---@return string | true | nil message  true: the end of the stream has cut data off
---@return string? name             "EMSGSIZE": it is longer
function Stream:readuntil(delimiter, max, keep) end

---Reads exactly so many bytes, or takes none.
---@param count integer     0 to 2147483647
---@return string? data     nil alone: the stream has ended
---@return string? message
---@return string? name     "EPIPE": the stream has ended after fewer
function Stream:readexactly(count) end

---What is next, which stays to be read: so many bytes, fewer at the end; by default what there is, at least one.
---@param count integer?    0 to 2147483647
---@return string? data     nil alone: the stream has ended
---@return string? message
---@return string? name
function Stream:peek(count) end

---How many bytes can be read without a wait.
---@return integer count
function Stream:buffered() end

---Reads what there is, and waits only if there is nothing.
---@param max integer?      the most bytes; 65536 by default
---@return string? data     nil alone: the stream has ended
---@return string? message
---@return string? name
function Stream:readsome(max) end

---The failure that ended the stream, or else the one that ended the last loop over lines.
---@return true?            nothing has failed: the stream is open, or has come to its end
---@return string? message
---@return string? name     "ECONNRESET", "ETIMEDOUT", "ECANCELED"
function Stream:status() end

---Writes, and returns when the kernel has taken it all.
---@param data string | number | (string | number)[]
---@param ... string | number
---@return true?
---@return string? message
---@return string? name     "EPIPE", "ETIMEDOUT", "ECANCELED"
---@return integer? count   bytes that the kernel has taken when it failed
function Stream:write(data, ...) end

---Sends what a file holds, as one write, and returns when the kernel has taken it all.
---@param file file* | integer  an open file, or a descriptor
---@param offset integer?   where to begin, in bytes; 0 by default
---@param count integer?    the most bytes; up to the end of the file by default
---@return integer? count   bytes that the kernel has taken
---@return string? message
---@return string? name     "ESPIPE", "EPIPE", "ETIMEDOUT", "ECANCELED"
---@return integer? taken   bytes that the kernel has taken when it failed
function Stream:sendfile(file, offset, count) end

---No wait of a read or write lasts longer: it fails with "ETIMEDOUT", and loses nothing.
---@param seconds (number | false)?  no limit by default
---@return true
function Stream:settimeout(seconds) end

---Begins TLS in the middle of a connection, and finishes the handshake. What is in the buffer is handed to TLS.
---@param context lsocket.Context
---@param host string?      a client: the name or address that the certificate must be for
---@return true?
---@return string? message
---@return string? name     "ETLS_..."
function Stream:starttls(context, host) end

---Finishes the handshake of a stream with TLS. The first read or write does so, too.
---@return boolean?         false: the program is to choose a context
---@return string? message  "hello" if the first result is false
---@return string? name     "ETLS_..."
function Stream:handshake() end

---As a socket's.
---@param what string?
---@return any
---@return string? message
---@return string? name
function Stream:tls(what) end

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

---Closes the stream; whoever waits for it gets nil, message, "ECANCELED". With a grace it waits before for the other
---end to end, so that what was written arrives.
---@param grace number?     seconds that it waits at most
---@return boolean? ended   false: the other end has not ended in time
---@return string? message
---@return string? name     what the connection has failed with; "ETIMEDOUT", "ECANCELED": the wait was cut off
function Stream:close(grace) end

return stream
