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
---@field grace number?   serve: seconds that a client has after its handler to take what was sent, see Stream:close
---@field timeout (number | false)?  seconds that a wait of a stream may last; for ever by default
---@field tls (true | lsocket.Context)?  TLS; true, for connect: the system's roots, verified
---@field tlsname string?  connect: the name that the certificate must be for; the host by default
---@field handshake number?  serve: seconds that a handshake may last; 10 by default
---@field onfailure (fun(message: string, name: string, address: string?, port: integer?))?  serve: a handshake failed
---@field choose (fun(hello: table, address: string?, port: integer?): lsocket.Context?, string?, string?)?  serve: for
---a context that asks
---@field family ("inet" | "inet6")?  only such addresses
---@field nodelay boolean?  TCP: send small pieces at once; true by default
---@field [string] any    named arguments of lsocket.bind or lsocket.connect

---Runs a function as the first task, until no task is left. If it fails, the others are cancelled for good, and
---abandoned within a second.
---@param fn function
---@param ... any    what fn gets
---@return any ...   what fn gave; its error is raised
function loop.run(fn, ...) end

---Makes a task. It starts when the calling task waits or ends.
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

---Calls a function under a deadline: when it has passed, every wait inside returns nil, message, "ETIMEDOUT".
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

---Waits until an object can be read or written. A file is always ready. A stream, its socket and its number count as
---one: one task at a time may wait to read, one to write, another one raises.
---@param object lsocket.Selectable | lsocket.Stream
---@param events "r" | "w" | "rw"
---@param timeout number?             seconds; for ever by default, or if negative
---@return "r" | "w" | false | nil event  what it is ready for; false: the time is over
---@return string? message
---@return string? name               "ECANCELED": the socket was closed, or the task cancelled; "EBADF"
function loop.wait(object, events, timeout) end

---A socket with the same methods. Those wait that would return false: recv recvfrom recvmsg recvmany recvfds peek
---accept send sendto sendmsg sendmany sendfds sendfile sendrest. sendmany sends all. Sockets that they return are bare.
---@param sock lsocket.Socket
---@return lsocket.Socket? wrapped
---@return string? message
---@return string? name             "EBADF"
function loop.wrap(sock) end

---The addresses of a host, looked up on another thread.
---@param name string
---@param family ("inet" | "inet6")?
---@return lsocket.Address[]? addresses
---@return string? message
---@return string? symbol                 "EAI_NONAME", "EAI_AGAIN", "EMFILE"
function loop.resolve(name, family) end

---The name of an address; the task waits for it.
---@param address string                 numeric address
---@return string? host
---@return string? message
---@return string? symbol                "EAI_NONAME", "EAI_AGAIN", "EMFILE"
function loop.reverse(address) end

---Connects to a host: its addresses race, IPv6 first.
---@param host string                    host name, address, path, or `@` and an abstract name
---@param port (integer | string)?
---@param options lsocket.LoopOptions?
---@return lsocket.Stream? stream
---@return string? message               what each address has met, with its port
---@return string? name                  the symbol of the last failure
function loop.connect(host, port, options) end

---Listens on every address of a name, or takes over a socket that listens.
---@overload fun(socket: lsocket.Socket, options: lsocket.LoopOptions?): lsocket.Server?, string?, string?
---@param address string
---@param port (integer | string)?
---@param options lsocket.LoopOptions?
---@return lsocket.Server? server
---@return string? message               begins with the address and port
---@return string? name                  "EADDRINUSE"
function loop.listen(address, port, options) end

---Listens, and runs a task for each client, whose stream is closed when the handler ends. A unix path has no port.
---@overload fun(path: string, handler: function, options: lsocket.LoopOptions?): lsocket.Server?, string?, string?
---@overload fun(socket: lsocket.Socket, handler: function, options: table?): lsocket.Server?, string?, string?
---@param address string
---@param port (integer | string)?
---@param handler fun(client: lsocket.Stream, address: string?, port: integer?)
---@param options lsocket.LoopOptions?
---@return lsocket.Server? server
---@return string? message
---@return string? name                  "EADDRINUSE"
function loop.serve(address, port, handler, options) end

---As lsocket.select; only the calling task waits. Takes streams, too, which are readable while their buffer has data.
---@param read (lsocket.Selectable | lsocket.Stream)[]?
---@param write (lsocket.Selectable | lsocket.Stream)[]?
---@param timeout number?            seconds; for ever by default, or if negative
---@return (lsocket.Selectable | lsocket.Stream)[] | false | nil readable  false: the time is over
---@return (lsocket.Selectable | lsocket.Stream)[] | string | nil writable
---@return string? name
function loop.select(read, write, timeout) end

---The task that calls it and may wait here.
---@return lsocket.Task? task
function loop.running() end

---A queue of values, from tasks to tasks.
---@param max integer?   the most values that it holds: put waits beyond; 0: put waits for get; any number by default
---@return lsocket.Queue queue
function loop.queue(max) end

---Lets so many tasks in at once.
---@param count integer   how many permits are free at first
---@return lsocket.Semaphore semaphore
function loop.semaphore(count) end

---Something that has happened, or not yet.
---@return lsocket.Event event
function loop.event() end

---Calls a function with a group that it can spawn tasks into, and returns when all have ended. The first error cancels
---the others and is raised. Deadlines and cancels of the calling task reach all tasks.
---@param fn fun(group: lsocket.Group, ...: any): ...
---@param ... any    what fn gets beside the group
---@return any ...   what fn gave; or nil, message, "ECANCELED" or "ETIMEDOUT" if the wait for the tasks was cut off
function loop.group(fn, ...) end

---Calls functions, each in a task: the results of the first that gives a true value, or else of the last that ends. The
---others are cancelled, and have ended when it returns.
---@param fn fun(): ...
---@param ... fun(): ...
---@return any ...   or nil, message, "ECANCELED" or "ETIMEDOUT"
function loop.race(fn, ...) end

---Listens to signals, with an object that tasks can wait for.
---@param name lsocket.Signal
---@param ... lsocket.Signal
---@return lsocket.LoopSignals? signals
---@return string? message
---@return string? symbol            "EMFILE"
function loop.signals(name, ...) end

---One turn of the loop, for programs that have a loop of their own.
---@param timeout number?            the most seconds to wait; for ever by default, or if negative
---@return number | false seconds    until the next call must come; false: no task is left
function loop.step(timeout) end

---@return integer? descriptor  readable when step has something to do
---@return string? message
---@return string? name
function loop.getfd() end

---What a run waits with that begins now; with a name, from the next run on.
---@param name "poller"|"ring"|nil
---@return "poller"|"ring"|nil engine
---@return string? message
---@return string? name
function loop.engine(name) end

---Is called when a task fails that no task joins, and at most once a second while a server has no room for clients.
---It cannot wait. Replace it; it prints to io.stderr.
---@param task lsocket.Task
---@param trace string       the error and its traceback
function loop.onerror(task, trace) end

---@class lsocket.Task
local Task = {}

---Waits until the task has ended.
---@return any ...   what its function gave; its error is raised; or nil, message, "ECANCELED" or "ETIMEDOUT"
function Task:join() end

---Ends the task's wait, or else its next one, with nil, message, "ECANCELED". A task that has not started never starts.
---@return boolean canceled  false: it has ended
function Task:cancel() end

---@class lsocket.Queue
local Queue = {}

---Puts a value at the end. Waits while the queue is full.
---@param value any          not nil
---@return true?
---@return string? message
---@return string? name      "EPIPE": it is closed; "ECANCELED", "ETIMEDOUT"
function Queue:put(value) end

---Takes the first value. Waits while there is none.
---@return any value         nil alone: the queue is closed and empty
---@return string? message
---@return string? name      "ECANCELED", "ETIMEDOUT"
function Queue:get() end

---Takes no more values. Those that it has can still be got.
---@return true
function Queue:close() end

---@return integer count     how many values it has
function Queue:count() end

---Every value, until the queue is closed and empty or the wait is cut off. Not for Lua 5.1.
---@return fun(queue: lsocket.Queue): any
---@return lsocket.Queue
function Queue:values() end

---@class lsocket.Semaphore
local Semaphore = {}

---Takes a permit. Waits while none is free.
---@return true?
---@return string? message
---@return string? name      "ECANCELED", "ETIMEDOUT"
function Semaphore:acquire() end

---Gives a permit back, to the task that has waited longest.
function Semaphore:release() end

---@class lsocket.Event
local Event = {}

---It has happened: every task that waits goes on, and wait does not wait any more.
function Event:set() end

---It has not happened.
function Event:clear() end

---@return boolean happened
function Event:isset() end

---Waits until it has happened.
---@return true?
---@return string? message
---@return string? name      "ECANCELED", "ETIMEDOUT"
function Event:wait() end

---@class lsocket.Group
local Group = {}

---Makes a task of the group. It never starts if the group was cancelled; raises when the group has ended.
---@param fn function
---@param ... any             what fn gets
---@return lsocket.Task task
function Group:spawn(fn, ...) end

---Cancels all tasks of the group, and its function, for good.
---@return boolean canceled   false: it has ended
function Group:cancel() end

---@class lsocket.LoopSignals: lsocket.Signals
local Signals = {}

---Waits for the next signal. Several tasks take turns.
---@return lsocket.Signal? name
---@return string? message
---@return string? symbol          "ECANCELED", "ETIMEDOUT", "EBADF"
function Signals:wait() end

---Every signal, until the object is closed or the task's wait cut off. Not for Lua 5.1.
---@return fun(signals: lsocket.LoopSignals): lsocket.Signal?
---@return lsocket.LoopSignals
function Signals:values() end

---@class lsocket.Server
local Server = {}

---Waits for the next client. Several tasks take turns.
---@return lsocket.Stream? client
---@return string? address         the peer's; or a message
---@return (integer | string)? port  the peer's; or the error's symbol
function Server:accept() end

---Every client, until the server is closed; a failure of one connection is passed over, want of descriptors is waited
---out and told to onerror. Raises when the socket does not listen any more. Not for Lua 5.1.
---@return fun(server: lsocket.Server): lsocket.Stream?, string?, integer?
---@return lsocket.Server
function Server:clients() end

---How many clients serve has at the moment.
---@return integer count
function Server:count() end

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
