---@meta

---Bytes in order: a stream comes in, lines and other records go out. `#buffer` is how many bytes there are.
---A record that is longer than the buffer's max is an error, `"EMSGSIZE"`, and stays where it is.
---@class lsocket.Buffer
local Buffer = {}

---Receives from a socket into the buffer. A datagram is taken whole.
---@param socket lsocket.Socket
---@param size integer?             the most that is wanted in bytes, 0 to 2147483647; 65536 by default
---@return integer | false | nil count  bytes that came; false: nothing there; nil alone: the stream has ended
---@return string? message          the system's text
---@return string? name             the error's symbol: "ECONNRESET"
function Buffer:recv(socket, size) end

---Puts a string behind what is there.
---@param data string | number  a number as its text
---@return true?
---@return string? message      the system's text
---@return string? name         "ENOMEM"
function Buffer:append(data) end

---Takes the next line.
---@param keep boolean?               with its end, which is LF or CR LF
---@return string | false | nil line  false: it is not complete
---@return string? message            "record too long"
---@return string? name               "EMSGSIZE"
function Buffer:line(keep) end

---Goes through the lines that are complete: `for line in buffer:lines() do`. Each is taken when it is given.
---@param keep boolean?  with their ends
---@return fun(buffer: lsocket.Buffer): string?, string?, string?
---@return lsocket.Buffer
function Buffer:lines(keep) end

---Takes what is before a delimiter, which goes, too.
---@param delimiter string              at least one byte
---@param max integer?                  the longest record for this call, 1 to 2147483647; the buffer's by default
---@param keep boolean?                 with the delimiter
---@return string | false | nil record  false: it is not complete
---@return string? message              "record too long"
---@return string? name                 "EMSGSIZE", "ENOMEM"
function Buffer:upto(delimiter, max, keep) end

---Takes exactly so many bytes.
---@param count integer         0 to 2147483647
---@return string | false data  false: there are not so many
function Buffer:take(count) end

---Takes what is there.
---@param most integer?         the most bytes, 0 to 2147483647; all by default
---@return string | false data  false: it is empty
function Buffer:some(most) end

---What some gives; it stays in the buffer.
---@param most integer?         the most bytes, 0 to 2147483647; all by default
---@return string | false data  false: it is empty
function Buffer:peek(most) end

---Forgets all bytes.
---@return true
function Buffer:clear() end
