---@meta lsocket
-- LuaCATS annotations of every public name, for editors and checkers; no program loads this file.
-- What the functions do in full is left to doc/manual.md.
-- luacheck: no unused args

---Sockets that never block: TCP, UDP, multicast and unix domain.
---
---Every call that can fail answers with a value, with `false` (it would have to wait), with `nil` alone (the stream has
---ended) or with `nil, message, name`, where name is the error's symbol: `"ECONNREFUSED"`, `"EAI_NONAME"`.
---Wrong arguments raise.
---@class lsocket
---@field INADDR_ANY string   `"0.0.0.0"`: any IPv4 address of this machine
---@field IN6ADDR_ANY string  `"::"`: any IPv6 address of this machine
---@field _VERSION string     the library's version: `"2.0.0"`
local lsocket = {}

---In any case of letters. With a unix domain address, tcp is a stream, udp a datagram socket, seqpacket a connection of
---records.
---@alias lsocket.Type "tcp" | "udp" | "mcast" | "seqpacket"

---@alias lsocket.Family "inet" | "inet6" | "unix"

---What select takes: a socket, anything with a getfd method, or a descriptor.
---@alias lsocket.Selectable lsocket.Socket | lsocket.HasDescriptor | integer

---An object of another library, or of the program's own.
---@class lsocket.HasDescriptor
---@field getfd fun(self): integer  answers the descriptor, or a negative number when it is closed

---What resolve gives, for each address.
---@class lsocket.Address
---@field family "inet" | "inet6"  IPv4 or IPv6
---@field addr string              the address as text, an IPv6 one with its zone if it has one

---One end of a connection, as info("peer") and info("socket") give it.
---@class lsocket.End
---@field family "inet" | "inet6" | "unix"  the kind of address
---@field addr string     the address as text, a path, or an abstract name with its `@`; `""`: an end without a name
---@field port integer?   0 to 65535; absent for unix domain sockets

---What info() gives.
---@class lsocket.Info
---@field fd integer                        the descriptor; -1 when closed
---@field family lsocket.Family | "unknown"  the kind of address
---@field type "tcp" | "udp" | "seqpacket" | "pipe" | "tty" | "file" | "unknown"  "unknown" when closed, and for others
---@field listening boolean                 made by bind, and open; adopted: it listens, or is udp without a peer
---@field multicast boolean                 made with type "mcast", or member of a group

---What getinterfaces gives, for each address of each interface.
---@class lsocket.Interface
---@field name string              the interface's name: `"eth0"`
---@field index integer            its number
---@field family "inet" | "inet6"  IPv4 or IPv6
---@field addr string              the address, without a zone
---@field mask string              the netmask, in the family's notation
---@field broadcast string?        the broadcast address; IPv4 only
---@field peer string?             the other end's address; point-to-point interfaces only
---@field hwaddr string?           the hardware address: `"02:fc:00:00:00:01"`
---@field flags lsocket.Flags      what the interface is and can do

---A set: each flag is true or absent.
---@class lsocket.Flags
---@field up true?           it is switched on
---@field running true?      its link works
---@field loopback true?     it leads back to this machine
---@field broadcast true?    it has a broadcast address
---@field multicast true?    it can multicast
---@field pointopoint true?  it leads to one peer

---Named arguments of bind and connect: beside those here, any option that can be set. An unknown name raises.
---@class lsocket.Arguments
---@field family lsocket.Family?     what the address must be, or a name resolve to
---@field mode string?               permissions of the path that is bound to: octal digits, `"660"`
---@field unlink boolean?            remove a dead socket's file first; false by default
---@field inherit boolean?           programs that are started get the descriptor; false by default
---@field [lsocket.Option] any       as setopt takes it

---Named arguments of bind.
---@class lsocket.BindArguments: lsocket.Arguments
---@field type lsocket.Type?         "tcp" by default
---@field address string?            "0.0.0.0" by default
---@field port (integer | string)?   0 to 65535, 0: the system chooses; needed but for unix domain addresses
---@field backlog integer?           connections that may wait to be accepted; 5 by default

---Named arguments of connect.
---@class lsocket.ConnectArguments: lsocket.Arguments
---@field type lsocket.Type?         "tcp" by default
---@field address string             address, path, abstract name or host name
---@field port (integer | string)?   0 to 65535; needed but for unix domain addresses
---@field localaddress string?       where it is bound to before: numeric address, path, or `@` and an abstract name
---@field localport (integer | string)?  0 to 65535; 0, the system chooses, by default
---@field ttl integer?               with type mcast: hops that multicast packets live, 0 to 255; 1 by default
---@field backlog integer?           of no use here

---Makes a socket with a local address; a TCP socket or unix stream listens.
---A host name is looked up, which blocks.
---@param type lsocket.Type?        "tcp" by default
---@param address string?           address, path, `@` and an abstract name, or host name; "0.0.0.0" by default
---@param port (integer | string)?  0 to 65535, 0: the system chooses; needed but for unix domain addresses
---@param backlog integer?          connections that may wait to be accepted; 5 by default
---@return lsocket.Socket? socket   bound, or nil
---@return string? message          the system's text
---@return string? name             the error's symbol
---@overload fun(port: integer | string): lsocket.Socket?, string?, string?
---@overload fun(address: string, port: integer | string | nil, backlog: integer?): lsocket.Socket?, string?, string?
---@overload fun(type: lsocket.Type, port: integer | string): lsocket.Socket?, string?, string?
---@overload fun(arguments: lsocket.BindArguments): lsocket.Socket?, string?, string?
function lsocket.bind(type, address, port, backlog) end

---Makes a socket and connects it. A TCP connection is still being made when it returns: wait until select finds the
---socket writable, then ask status. A host name is looked up, which blocks.
---@param type lsocket.Type?        "tcp" by default
---@param address string            address, path, `@` and an abstract name, or host name
---@param port (integer | string)?  0 to 65535; needed but for unix domain addresses
---@param ttl integer?              hops that multicast packets live, 0 to 255; 1 by default
---@return lsocket.Socket? socket   connected, or being connected, or nil
---@return string? message          the system's text
---@return string? name             the error's symbol
---@overload fun(address: string, port: integer | string | nil, ttl: integer?): lsocket.Socket?, string?, string?
---@overload fun(arguments: lsocket.ConnectArguments): lsocket.Socket?, string?, string?
function lsocket.connect(type, address, port, ttl) end

---Named arguments of socket: beside those here, any option that can be set.
---@class lsocket.SocketArguments
---@field type ("tcp" | "udp" | "seqpacket")?  "tcp" by default
---@field family lsocket.Family?     "inet" by default, "unix" for seqpacket
---@field inherit boolean?           programs that are started get the descriptor; false by default
---@field [lsocket.Option] any       as setopt takes it

---Makes a socket that is neither bound nor connected: its methods bind, listen and connect do that.
---@param type ("tcp" | "udp" | "seqpacket")?  "tcp" by default
---@param family lsocket.Family?    "inet" by default, "unix" for seqpacket
---@return lsocket.Socket? socket   or nil
---@return string? message          the system's text
---@return string? name             the error's symbol
---@overload fun(arguments: lsocket.SocketArguments): lsocket.Socket?, string?, string?
function lsocket.socket(type, family) end

---Makes two unix domain sockets that are connected to each other.
---@param type ("tcp" | "udp" | "seqpacket")?  streams by default
---@return lsocket.Socket? socket             one end, or nil
---@return lsocket.Socket | string | nil peer the other end, or a message
---@return string? name                       the error's symbol: "EMFILE"
function lsocket.pair(type) end

---Makes a socket of an open descriptor, which the library owns from then on: a socket, a pipe, a terminal. Of a file of
---Lua's it takes a copy, and both may be closed.
---@param fd integer | file*
---@return lsocket.Socket? socket  or nil
---@return string? message         the system's text
---@return string? name            the error's symbol: "EBADF"
function lsocket.fromfd(fd) end

---The sockets that systemd has passed to this process, and their names; only the first call gives any.
---@return lsocket.Socket[]? sockets      empty where nothing was passed
---@return string[] | string | nil names  one for each socket, "unknown" where it has none; or a message
---@return string? name                   the error's symbol: "EINVAL": the environment contradicts itself; "EBADF"
function lsocket.listenfds() end

---Waits until any of the sockets is ready, or the time is over. The first number is the time, wherever it stands.
---@param read lsocket.Selectable[]?   to read or accept from
---@param write lsocket.Selectable[]?  to write to, or whose connection is being made
---@param timeout number?              seconds, rounded up to a millisecond; negative or absent: for ever
---@return lsocket.Selectable[] | false | nil readable  those of read that are ready; false: the time is over
---@return lsocket.Selectable[] | string | nil writable  those of write that are ready; or a message
---@return string? name                the error's symbol: "EINTR" after a signal
---@overload fun(read: lsocket.Selectable[]?, timeout: number): lsocket.Selectable[] | false | nil, string?, string?
---@overload fun(timeout: number): false | nil, string?, string?
function lsocket.select(read, write, timeout) end

---Makes a poller, which remembers what to wait for.
---@param backend ("epoll" | "kqueue" | "afd" | "poll")?  the best one there is by default
---@return lsocket.Poller? poller  or nil
---@return string? message         the system's text
---@return string? name            the error's symbol: "EOPNOTSUPP" for a backend that is not there
function lsocket.poller(backend) end

---Makes a batch: room for many datagrams, allocated once.
---@param count integer         the most datagrams, 1 to 65536
---@param size integer?         the most bytes of one, 1 to 65535; 65535 by default
---@return lsocket.Batch batch  empty
function lsocket.batch(count, size) end

---Makes a buffer, which gives the bytes of a stream out as lines or other records.
---@param max integer?           the longest record in bytes, without its delimiter; as long as memory lasts by default
---@return lsocket.Buffer buffer  empty
function lsocket.buffer(max) end

---The addresses of a host, each once, in the system's order. Blocks, but for numeric addresses.
---@param name string                    host name or numeric address
---@param family ("inet" | "inet6")?     addresses of that family only
---@return lsocket.Address[]? addresses  or nil
---@return string? message               the system's text
---@return string? symbol                the error's symbol: "EAI_NONAME", "EAI_AGAIN"
function lsocket.resolve(name, family) end

---Named arguments of lookup: a name, or an address.
---@class lsocket.LookupArguments
---@field name string?                   host name or numeric address
---@field family ("inet" | "inet6")?     IPv4 or IPv6 only; any by default
---@field canonical boolean?             the result has the field canonical: what the name stands for
---@field address string?                numeric address, whose name is to be found

---What a lookup finds.
---@class lsocket.Addresses: lsocket.Address[]
---@field canonical string?  what the name stands for, where that was asked for

---Begins to look up a host's addresses, and returns at once: the object is readable when they are there.
---@param name string                    host name or numeric address
---@param family ("inet" | "inet6")?     IPv4 or IPv6 only; any by default
---@return lsocket.Lookup? lookup        or nil
---@return string? message               the system's text
---@return string? symbol                the error's symbol: "EAGAIN": no thread could be started
---@overload fun(arguments: lsocket.LookupArguments): lsocket.Lookup?, string?, string?
function lsocket.lookup(name, family) end

---The bytes of a numeric address, in network order, without its zone.
---@param address string
---@return string? bytes     4 or 16
---@return string? message   the system's text
---@return string? name      the error's symbol: "EAI_NONAME", "EAFNOSUPPORT"
function lsocket.tobytes(address) end

---The address that 4 or 16 bytes stand for.
---@param bytes string
---@return string? address
---@return string? message   what is wrong
---@return string? name      "EINVAL": another number of bytes
function lsocket.toaddress(bytes) end

---A name of a signal without SIG, such as "TERM"; or "RTMIN+1".
---@alias lsocket.Signal "HUP" | "INT" | "QUIT" | "TERM" | "USR1" | "USR2" | "CHLD" | "ALRM" | "CONT" | "WINCH" | string

---Listens to signals. What the program had for them is back when the last object that listens is closed.
---@param name lsocket.Signal  raises for KILL, STOP, SEGV, BUS, FPE, ILL, and what is no signal here
---@param ... lsocket.Signal
---@return lsocket.Signals? signals
---@return string? message     the system's text
---@return string? symbol      the error's symbol: "EMFILE"
function lsocket.signals(name, ...) end

---The addresses of this machine's interfaces, a record for each address.
---@return lsocket.Interface[]? interfaces  or nil
---@return string? message                  the system's text
---@return string? name                     the error's symbol
function lsocket.getinterfaces() end

---What this machine calls itself.
---@return string? host
---@return string? message  the system's text
---@return string? name     the error's symbol
function lsocket.gethostname() end

---Seconds since 1970 with a fraction, by the clock that tells the time of day.
---@return number seconds
function lsocket.time() end

---Seconds since some moment, by a clock that nobody sets.
---@return number seconds
function lsocket.now() end

---@type string
lsocket.INADDR_ANY = "0.0.0.0"

---@type string
lsocket.IN6ADDR_ANY = "::"

---@type string
lsocket._VERSION = "2.0.0"

---Datagrams that are received or sent at once. `#batch` is how many are left: those that have been sent are gone.
---@class lsocket.Batch
local Batch = {}

---One of the datagrams that are left, as a string.
---@param index integer      1 to #batch
---@return string data
---@return string? address   the sender's, or where it goes; nil where there is none
---@return integer? port     0 for unix domain sockets
---@return integer? length   the true length in bytes of a datagram that was cut
function Batch:get(index) end

---Puts a datagram behind the others. Names are not looked up.
---@param data string | number      a number is sent as its text
---@param address string?           where it goes: numeric address, path, or `@` and an abstract name
---@param port (integer | string)?  0 to 65535; needed but for unix domain addresses
---@return boolean? added           false: the batch is full
---@return string? message          the system's text
---@return string? name             the error's symbol: "EMSGSIZE", "EAI_NONAME"
function Batch:add(data, address, port) end

---Forgets all datagrams.
---@return true
function Batch:clear() end

---Makes the datagrams that have been sent ready to be sent again.
---@return true
function Batch:rewind() end

---A name that is being looked up.
---@class lsocket.Lookup
local Lookup = {}

---The addresses, each once, in the system's order, or the name of an address; the same whenever it is asked for.
---@return lsocket.Addresses | string | false | nil found  false: not there yet
---@return string? message               the system's text
---@return string? symbol                the error's symbol: "EAI_NONAME", "EAI_AGAIN", "ECANCELED"
function Lookup:result() end

---@return integer? descriptor  readable once there is a result; -1 when cancelled
---@return string? message      the system's text
---@return string? name         "EMFILE": there are no descriptors left
function Lookup:getfd() end

---Gives the lookup up; harmless when it is done or cancelled.
---@return true
function Lookup:cancel() end

---A process that has or had a unix domain socket.
---@class lsocket.Credentials
---@field pid integer?  absent where the system does not tell it
---@field uid integer
---@field gid integer

---What there is to know about data that came. Only what the system told is there.
---@class lsocket.Message
---@field address string?           who sent it; of an error: where the datagram was sent to
---@field port integer?
---@field truncated integer?        the true length in bytes of a datagram that was cut
---@field destination string?       the address that it was sent to
---@field interface integer?        the index of the interface by which it came
---@field ttl integer?              hops that were left
---@field tos integer?              the byte of its service class
---@field ecn integer?              its two lowest bits
---@field timestamp number?         when it came, in seconds since 1970
---@field segment integer?          bytes of each of the datagrams that the data consists of
---@field credentials lsocket.Credentials?  who sent it over a unix domain socket
---@field controltruncated true?    some of this was lost
---@field error string?             from recverr: the symbol
---@field origin ("icmp" | "icmp6" | "local" | "other")?
---@field type integer?             of the ICMP message
---@field code integer?             of the ICMP message
---@field offender string?          who sent the ICMP message
---@field mtu integer?              the longest packet that the path takes

---What sendmsg is to send, and how.
---@class lsocket.Letter
---@field data string | number | (string | number)[]
---@field address string?           where it goes: numeric address, path, or `@` and an abstract name
---@field port (integer | string)?
---@field source string?            the address of this machine that it is sent from
---@field interface (string | integer)?  that it leaves by: name, index or address
---@field ttl integer?              1 to 255
---@field tos integer?              0 to 255
---@field ecn integer?              0 to 3
---@field segment integer?          bytes of the datagrams that data is cut in

---A socket. It owns its descriptor, which never blocks; collecting the socket closes it.
---A closed socket's methods answer `nil, "Bad file descriptor", "EBADF"`.
---@class lsocket.Socket
local Socket = {}

---What the socket is, or the address of one of its ends.
---@param what ("peer" | "socket")?            the other end, or this one; in any case of letters
---@return lsocket.Info | lsocket.End | nil info
---@return string? message                     the system's text
---@return string? name                        the error's symbol: "ENOTCONN"
---@overload fun(self: lsocket.Socket): lsocket.Info
---@overload fun(self: lsocket.Socket, what: "peer" | "socket"): lsocket.End?, string?, string?
function Socket:info(what) end

---The error that waits on the socket, and clears it: how a connection came out, once the socket is writable.
---@return true? ok         no error
---@return string? message  the system's text
---@return string? name     the error's symbol: "ECONNREFUSED", "ETIMEDOUT"
function Socket:status() end

---The descriptor, which the socket still owns.
---@return integer descriptor  -1 when closed
function Socket:getfd() end

---Forgets the descriptor without closing it: whoever asked getfd before owns it now.
---@param fd integer        -1, nothing else
---@return true? ok         forgotten
---@return string? message  for any number but -1
---@return string? name     the error's symbol: "EINVAL"
function Socket:setfd(fd) end

---Named arguments of a socket's method bind.
---@class lsocket.PlaceArguments
---@field address string?            any address of the socket's family by default
---@field port (integer | string)?   0 to 65535, 0: the system chooses; needed but for unix domain addresses
---@field mode string?               permissions of the path: octal digits, `"660"`
---@field unlink boolean?            remove a dead socket's file first; false by default

---Gives the socket its local address.
---@param address string?           address, path, `@` and an abstract name, or host name; any address by default
---@param port (integer | string)?  0 to 65535, 0: the system chooses; needed but for unix domain addresses
---@return true? ok         done
---@return string? message  the system's text
---@return string? name     the error's symbol: "EADDRINUSE", "EINVAL": it is bound already
---@overload fun(self, port: integer | string): true?, string?, string?
---@overload fun(self, arguments: lsocket.PlaceArguments): true?, string?, string?
function Socket:bind(address, port) end

---Makes the socket listen.
---@param backlog integer?  connections that may wait to be accepted; 5 by default
---@return true? ok         done
---@return string? message  the system's text
---@return string? name     the error's symbol
function Socket:listen(backlog) end

---Connects the socket; a TCP connection is still being made when it returns. Without arguments a datagram socket has no
---peer any more.
---@param address string?           address, path, `@` and an abstract name, or host name
---@param port (integer | string)?  0 to 65535; needed but for unix domain addresses
---@return true? ok         done, or going on
---@return string? message  the system's text
---@return string? name     the error's symbol: "EISCONN", "EALREADY"
function Socket:connect(address, port) end

---Waits for this one socket. Not for tasks of the loop, which have loop.wait.
---@param events "r" | "w" | "rw"  readable, writable, either
---@param timeout number?          seconds, rounded up to a millisecond; negative or absent: for ever
---@return "r" | "w" | "rw" | false | nil ready  which have come; false: the time is over
---@return string? message         the system's text
---@return string? name            the error's symbol: "EBADF"
function Socket:wait(events, timeout) end

---Takes the next connection of a listening socket.
---@return lsocket.Socket | false | nil socket  false: no connection waits
---@return string? address                      the peer's, nil for unix domain sockets; or a message
---@return (integer | string)? port             the peer's, nil for unix domain sockets; or the error's symbol
function Socket:accept() end

---Reads bytes of a stream, or one datagram.
---@param size integer?                 the most that is wanted in bytes, 0 to 2147483647; 65536 by default
---@return string | false | nil data    false: nothing there; nil alone: the stream has ended
---@return (integer | string)? length   the true length in bytes of a datagram that was cut; or a message
---@return string? name                 the error's symbol: "ECONNRESET"
function Socket:recv(size) end

---Reads one datagram, and tells who sent it.
---@param size integer?                 the most that is wanted in bytes, 0 to 2147483647; 65536 by default
---@return string | false | nil data    false: nothing there; nil alone: the stream has ended
---@return string? address              the sender's, nil where it has none; or a message
---@return (integer | string)? port     the sender's, 0 for unix domain sockets; or the error's symbol
---@return integer? length              the true length in bytes of a datagram that was cut
function Socket:recvfrom(size) end

---As recv, but what is read stays there.
---@param size integer?                 the most that is wanted in bytes, 0 to 2147483647; 65536 by default
---@return string | false | nil data    false: nothing there; nil alone: the stream has ended
---@return (integer | string)? length   the true length in bytes of a datagram that was cut; or a message
---@return string? name                 the error's symbol: "ECONNRESET"
function Socket:peek(size) end

---How much a layer under the socket, such as TLS, has received and holds: recv returns it without the kernel.
---@return integer? bytes   0 on a plain socket
---@return string? message  the system's text
---@return string? name     the error's symbol: "EBADF"
function Socket:pending() end

---Writes to the connected peer. A stream may take less than all: send the rest later, from `count + 1` on.
---@param data string | number | (string | number)[]  a number is sent as its text, an array as one string
---@param first integer?                byte position as in string.sub, 1 by default
---@param last integer?                 byte position as in string.sub, -1 by default
---@return integer | false | nil count  bytes taken; false: no room now, or not connected yet
---@return string? message              the system's text
---@return string? name                 the error's symbol: "EPIPE", "EMSGSIZE"
function Socket:send(data, first, last) end

---Sends what is left of several pieces, from a byte on.
---@param first integer                       byte position in all that follows, from 1 on
---@param data string | number | (string | number)[]  an array stands alone
---@param ... string | number                 further pieces
---@return true | integer | false | nil next  true: the system has taken all; false: no room; else the first byte left
---@return string? message                    the system's text
---@return string? name                       the error's symbol: "EPIPE", "EMSGSIZE"
function Socket:sendrest(first, data, ...) end

---Sends a datagram to an address. A host name is looked up, which blocks. A stream ignores the address.
---@param data string | number          a number is sent as its text
---@param address string                address, path, `@` and an abstract name, or host name
---@param port (integer | string)?      0 to 65535; unix domain addresses need none
---@return integer | false | nil count  bytes taken; false: no room now
---@return string? message              the system's text
---@return string? name                 the error's symbol: "EAFNOSUPPORT", "EACCES"
function Socket:sendto(data, address, port) end

---Sends what a file holds, over a stream. The file's own position is neither used nor moved.
---@param file file* | integer          an open file, or a descriptor
---@param offset integer?               bytes from the start of the file; 0 by default
---@param count integer?                the most to send in bytes; up to the end of the file by default
---@return integer | false | nil count  bytes taken, 0 at the end of the file; false: no room now
---@return string? message              the system's text
---@return string? name                 the error's symbol: "EPIPE", "ESPIPE"
function Socket:sendfile(file, offset, count) end

---Receives what waits, up to as many datagrams as the batch has room for, in place of what the batch held.
---@param batch lsocket.Batch
---@return integer | false | nil count  how many came; false: nothing there
---@return string? message              the system's text
---@return string? name                 the error's symbol: "EOPNOTSUPP": a stream
function Socket:recvmany(batch) end

---Sends the datagrams that are left in the batch, in order, until one cannot be sent. One that fails is given up.
---@param batch lsocket.Batch
---@param address string?               where all of them go: numeric address, path, or `@` and an abstract name
---@param port (integer | string)?      0 to 65535; needed but for unix domain addresses
---@return integer | false | nil count  how many were sent; false: no room now
---@return string? message              the system's text
---@return string? name                 the error's symbol: "EMSGSIZE", "EDESTADDRREQ"
function Socket:sendmany(batch, address, port) end

---Reads as recv does, with what there is to know about the data; options ask the system for more than the sender.
---@param size integer?                       the most that is wanted, in bytes; 65536 by default
---@param table lsocket.Message?              refilled and returned; a new one without it
---@return string | false | nil data          false: nothing yet; nil alone: the end of the stream
---@return lsocket.Message | string | nil message  or the system's text
---@return string? name                       the error's symbol
function Socket:recvmsg(size, table) end

---Sends data as the table says. An unknown field raises.
---@param message lsocket.Letter
---@return integer | false | nil count  bytes taken; false: no room now
---@return string? text                 the system's text
---@return string? name                 the error's symbol: "EAFNOSUPPORT", "EOPNOTSUPP"
function Socket:sendmsg(message) end

---Takes the next error from the queue that the option recverr switches on. address and port are where the datagram
---in question was sent to.
---@param size integer?               the most that is wanted of the datagram, in bytes; 65536 by default
---@param table lsocket.Message?      refilled and returned; a new one without it
---@return string | false | nil data  the beginning of the datagram; false: no error waits
---@return lsocket.Message | string | nil message  or the system's text
---@return string? name               the error's symbol: "EOPNOTSUPP"
function Socket:recverr(size, table) end

---Sends data and descriptors over a unix domain socket.
---@param data string | number                    at least one byte on a stream
---@param objects (lsocket.Selectable | file*)[]  at most 253
---@return integer | false | nil count            bytes taken; false: no room now
---@return string? message                        the system's text
---@return string? name                           the error's symbol: "EBADF", "EOPNOTSUPP"
function Socket:sendfds(data, objects) end

---Receives data and the descriptors that came with it, over a unix domain socket.
---@param size integer?                 the most that is wanted, in bytes; 65536 by default
---@param max integer?                  the most descriptors that are wanted; more are closed; 253 by default
---@return string | false | nil data    false: nothing yet; nil alone: the end of the stream
---@return lsocket.Socket[] | string | nil objects  close-on-exec; or the system's text
---@return integer | true | string | nil lost  how many were closed; true: the system had no room; or the error's symbol
---@return integer? length              the true length in bytes of a datagram that was cut
function Socket:recvfds(size, max) end

---Who is at the other end of a unix domain socket.
---@return lsocket.Credentials? credentials
---@return string? message  the system's text
---@return string? name     the error's symbol: "ENOTCONN", "EOPNOTSUPP", "ENOPROTOOPT"
function Socket:peercred() end

---Makes the socket a member of a multicast group on one interface.
---@param group string                  a numeric group: 224.0.0.0/4 or ff00::/8; a zone is the interface
---@param interface (string | integer)? name, index, or numeric address of the interface; the system's choice by default
---@param source string?                a numeric address: hear this sender only
---@return true? ok                     joined
---@return string? message              the system's text
---@return string? name                 the error's symbol: "EADDRINUSE", "ENODEV"
function Socket:join(group, interface, source) end

---Ends what join with the same arguments began.
---@param group string
---@param interface (string | integer)?
---@param source string?
---@return true? ok                     left
---@return string? message              the system's text
---@return string? name                 the error's symbol: "EADDRNOTAVAIL": not joined
function Socket:leave(group, interface, source) end

---Options of sockets; the manual's table says what each takes.
---@alias lsocket.Option
---| "reuseaddr" | "reuseport" | "reuseportlb" | "broadcast" | "dontroute" | "device" | "rcvbuf" | "sndbuf"
---| "rcvbufforce" | "sndbufforce" | "rcvlowat" | "linger" | "oobinline" | "timestamp" | "passcred" | "priority"
---| "mark" | "busypoll" | "incomingcpu" | "error" | "type" | "domain" | "protocol" | "acceptconn" | "keepalive"
---| "keepidle" | "keepintvl" | "keepcnt" | "usertimeout" | "syncnt" | "nodelay" | "cork" | "quickack" | "maxseg"
---| "congestion" | "fastopen" | "fastopenconnect" | "deferaccept" | "notsentlowat" | "tcpinfo" | "v6only" | "ttl"
---| "tos" | "mcastttl" | "mcastloop" | "mcastif" | "mcastall" | "pktinfo" | "recvttl" | "recvtos" | "recverr"
---| "mtudiscover" | "mtu" | "freebind" | "transparent" | "bindaddressnoport" | "segment" | "gro"

---The value of an option that is set by number: a C int, or bytes.
---@alias lsocket.Bytes integer | string

---Sets an option, by name or by the system's numbers.
---@overload fun(self: lsocket.Socket, level: integer, number: integer, value: lsocket.Bytes): true?, string?, string?
---@param name lsocket.Option
---@param value integer | number | boolean | string  as the manual's table of options says
---@return true? ok                set
---@return string? message         the system's text
---@return string? symbol          the error's symbol: "ENOPROTOOPT": this platform or socket has it not
function Socket:setopt(name, value) end

---What an option is set to. By number: an integer (bytes where there are fewer than four), or with a size the bytes.
---@overload fun(self: lsocket.Socket, level: integer, number: integer): (integer | string)?, string?, string?
---@overload fun(self: lsocket.Socket, level: integer, number: integer, size: integer?): string?, string?, string?
---@overload fun(self: lsocket.Socket, level: integer, number: integer, size: integer?, bytes: string): string?, string?
---@param name lsocket.Option
---@return integer | number | boolean | string | table | nil value
---@return string? message         the system's text
---@return string? symbol          the error's symbol: "ENOPROTOOPT"
function Socket:getopt(name) end

---Ends one direction of a connection, or both, and leaves the descriptor open.
---@param how ("r" | "w" | "rw")?  nothing more is read, sent, or both, which is the default
---@return boolean? ok      false: a layer's output waits for room; call it again
---@return string? message  the system's text
---@return string? name     the error's symbol: "ENOTCONN"
function Socket:shutdown(how) end

---A second object, with a descriptor of its own, for the same socket.
---@return lsocket.Socket? socket  or nil
---@return string? message         the system's text
---@return string? name            the error's symbol: "EMFILE"
function Socket:dup() end

---Gives the descriptor away, open as it is; the object is as good as closed.
---@return integer? descriptor  the caller's from now on
---@return string? message      the system's text
---@return string? name         the error's symbol: "EBADF"
function Socket:detach() end

---Lets programs that the process starts have the descriptor, or not.
---@param on boolean?       true by default
---@return true? ok         done
---@return string? message  the system's text
---@return string? name     the error's symbol: "EBADF"
function Socket:inherit(on) end

---Closes the socket; harmless when it is closed.
---@return true? ok         closed
---@return string? message  the system's text
---@return string? name     the error's symbol
function Socket:close() end

return lsocket
