---@meta lsocket.loop
-- The public names of lsocket.loop, for editors that read LuaCATS annotations. See doc/manual.md.

---Tasks that wait, on top of lsocket's poller. Only a task can wait.
---@class lsocket.loop
local loop = {}

---Connect and listen take every named argument of lsocket's connect and bind, and:
---@class lsocket.LoopOptions
---@field max integer?    bytes of the longest line or record that streams give; 1048576 by default
---@field delay number?   connect: seconds before the next address is tried, too; 0.25 by default
---@field limit integer?  serve: the most connections at once; any number by default
---@field family ("inet" | "inet6")?  only such addresses
---@field nodelay boolean?  TCP: send small pieces at once; true by default
---@field [string] any    named arguments of lsocket.bind or lsocket.connect

---Runs a function as a task, until no task is left.
---@param fn function
---@param ... any    what fn gets
---@return any ...   what fn gave; its error is raised
function loop.run(fn, ...) end

---Starts a task. It begins when the task that called waits, or ends.
---@param fn function
---@param ... any             what fn gets
---@return lsocket.Task task
function loop.spawn(fn, ...) end

---Waits.
---@param seconds number     0: only gives the other tasks their turn
---@return true?
---@return string? message
---@return string? name      "ECANCELED", "ETIMEDOUT"
function loop.sleep(seconds) end

---Seconds since some moment, as lsocket.now.
---@return number seconds
function loop.now() end

---Calls a function under a deadline: when it has passed, every wait inside answers nil, message, "ETIMEDOUT".
---@param seconds number
---@param fn function
---@param ... any    what fn gets
---@return any ...   what fn gave
function loop.deadline(seconds, fn, ...) end

---pcall, for functions that wait: that of Lua 5.1 cannot.
---@param fn function
---@param ... any
---@return boolean ok
---@return any ...    results, or the error
function loop.pcall(fn, ...) end

---Waits until an object can be read or written.
---@param object lsocket.Selectable | lsocket.Stream
---@param events "r" | "w" | "rw"
---@param timeout number?             seconds; for ever by default
---@return "r" | "w" | false | nil event  what it is ready for; false: the time is over
---@return string? message
---@return string? name               "ECANCELED": the socket was closed, or the task cancelled
function loop.wait(object, events, timeout) end

---The addresses of a host, looked up on another thread.
---@param name string
---@param family ("inet" | "inet6")?
---@return lsocket.Address[]? addresses
---@return string? message
---@return string? symbol                 "EAI_NONAME", "EAI_AGAIN"
function loop.resolve(name, family) end

---Connects to a host: its addresses race, IPv6 first.
---@param host string                    host name, address, path, or `@` and an abstract name
---@param port (integer | string)?
---@param options lsocket.LoopOptions?
---@return lsocket.Stream? stream
---@return string? message               what each attempt has met
---@return string? name                  the symbol of the last failure
function loop.connect(host, port, options) end

---Listens on every address of a name.
---@param address string
---@param port (integer | string)?
---@param options lsocket.LoopOptions?
---@return lsocket.Server? server
---@return string? message
---@return string? name                  "EADDRINUSE"
function loop.listen(address, port, options) end

---Listens, and runs a task for each client, whose stream is closed when the handler ends.
---@param address string
---@param port (integer | string)?
---@param handler fun(client: lsocket.Stream, address: string?, port: integer?)
---@param options lsocket.LoopOptions?
---@return lsocket.Server? server
---@return string? message
---@return string? name                  "EADDRINUSE"
function loop.serve(address, port, handler, options) end

---One turn of the loop, for programs that have a loop of their own.
---@param timeout number?            the most seconds to wait; for ever by default
---@return number | false seconds    until the next call must come; false: no task is left
function loop.step(timeout) end

---@return integer? descriptor  readable when step has something to do
---@return string? message
---@return string? name
function loop.getfd() end

---Is told when a task fails that nobody joins. Replace it; it prints to io.stderr.
---@param task lsocket.Task
---@param trace string       the error and its traceback
function loop.onerror(task, trace) end

---@class lsocket.Task
local Task = {}

---Waits until the task has ended.
---@return any ...   what its function gave; its error is raised; or nil, message, "ECANCELED" or "ETIMEDOUT"
function Task:join() end

---Ends the task's wait, or else its next one, with nil, message, "ECANCELED". One that has not begun never does.
---@return boolean canceled  false: it has ended
function Task:cancel() end

---@class lsocket.Server
local Server = {}

---Waits for the next client.
---@return lsocket.Stream? client
---@return string? address         the peer's; or a message
---@return (integer | string)? port  the peer's; or the error's symbol
function Server:accept() end

---Every client, until the server is closed; failures that pass are waited out. Raises when it listens no more. Not for
---Lua 5.1.
---@return fun(server: lsocket.Server): lsocket.Stream?, string?, integer?
---@return lsocket.Server
function Server:clients() end

---As a socket's info, of the first address.
---@param what ("peer" | "socket")?
---@return lsocket.Info | lsocket.End | nil info
---@return string? message
---@return string? name
function Server:info(what) end

---Accepts no more. With grace it waits so long for the handlers of serve, and then cuts them off.
---@param grace number?      seconds
---@return boolean? ended    false: handlers were cut off
---@return string? message
---@return string? name
function Server:close(grace) end

return loop
