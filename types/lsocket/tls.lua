---@meta lsocket.tls
-- The public names of lsocket.tls, for editors that read LuaCATS annotations. See doc/manual.md.

---TLS 1.2 and 1.3 on stream sockets.
---@class lsocket.tls
local tls = {}

---What both ends are made of.
---@class lsocket.TLSOptions
---@field cert string?          PEM: a certificate, and what leads to its root
---@field key string?           PEM
---@field certfile string?      a file with the same
---@field keyfile string?       by default the key is in certfile
---@field password string?      of the key
---@field ca string?            PEM: the roots that are trusted; clients: the system's by default
---@field cafile string?
---@field capath string?        a folder that "openssl rehash" has prepared
---@field min ("1.2" | "1.3")?  the oldest version; "1.2" by default
---@field max ("1.2" | "1.3")?
---@field ciphers string?       for TLS 1.2, in OpenSSL's syntax
---@field ciphersuites string?  for TLS 1.3
---@field groups string?
---@field alpn string[]?        names of protocols, preferred first
---@field crl string?           PEM: lists of what is revoked
---@field crlfile string?
---@field crlcheck ("leaf" | "chain")?
---@field keylog (string | true)?  a path for the keys of all connections; true: that in SSLKEYLOGFILE
---@field eof ("strict" | "any")?  "any": an end without close_notify is one; "strict" by default

---@class lsocket.TLSClientOptions: lsocket.TLSOptions
---@field verify boolean?       false: nothing about the server is checked, but for pins
---@field pins string[]?        "sha256/" and the base64 of a public key's hash: the server's must be one of them
---@field sessions integer?     for how many names sessions are kept; 100 by default, 0: none
---@field ocsp (true | "require")?  asks for a proof that the certificate is not revoked; "require": needs it

---@class lsocket.TLSServerOptions: lsocket.TLSOptions
---@field clients (false | "request" | "require")?  certificates of clients, which ca, cafile or capath lead to
---@field certificates { names: string[], certfile: string?, keyfile: string?, cert: string?, key: string? }[]?
---@field strict boolean?       a client that asks for an unknown name is refused
---@field tickets integer?      session tickets for each connection; 2 by default
---@field ticketkeys (string | string[])?  80 bytes each, for processes that are to take each other's tickets
---@field ocspfile string?      an OCSP response, for clients that ask for one
---@field ask boolean?          the handshake pauses for Socket:choose

---What connections have in common.
---@class lsocket.Context
local Context = {}

---A client's context. Certificates are verified unless verify is false.
---@param options lsocket.TLSClientOptions
---@return lsocket.Context? context
---@return string? message   names the file
---@return string? name      "ENOENT", "ETLS_PEM", "ETLS_KEY", "ETLS_PASSWORD"
function tls.client(options) end

---A server's context.
---@param options lsocket.TLSServerOptions
---@return lsocket.Context? context
---@return string? message   names the file
---@return string? name      "ENOENT", "ETLS_PEM", "ETLS_KEY", "ETLS_PASSWORD"
function tls.server(options) end

---@class lsocket.Certificate
---@field subject string
---@field issuer string
---@field names string[]         the DNS names
---@field addresses string[]
---@field notbefore integer      seconds since 1970
---@field notafter integer
---@field serial string          hexadecimal
---@field fingerprint string     SHA-256, hexadecimal
---@field pin string             for the option pins
---@field der string

---What a certificate says. Nothing about it is verified.
---@param data string            PEM or DER
---@return lsocket.Certificate? certificate
---@return string? message
---@return string? name          "ETLS_PEM"
function tls.certificate(data) end

---Begins TLS on a stream socket, which stays the same object; handshake, or the first call of a stream, goes on.
---@param sock lsocket.Socket
---@param host string?           a client: the name or address that the certificate must be for
---@param options { verifyname: string?, received: string? }?  verifyname: a name to verify that is not sent; received:
---bytes that have come already
---@return true?
---@return string? message
---@return string? name
function Context:start(sock, host, options) end

---Reads all files anew. Connections keep what they have. If anything fails, nothing changes.
---@return true?
---@return string? message
---@return string? name
function Context:reload() end

---@class lsocket.ContextInfo
---@field server boolean
---@field verify boolean
---@field ask boolean
---@field sessions integer       how many are kept
---@field certificates lsocket.Certificate[]

---@return lsocket.ContextInfo info
function Context:info() end

---What lsocket.tls adds to sockets.
---@class lsocket.Socket
local Socket = {}

---Takes the handshake as far as it goes without waiting.
---@return boolean? ok      false: it waits for what the second result says, "r", "w" or "hello"
---@return string? message
---@return string? name     the error's symbol: "ETLS_NAME"
function Socket:handshake() end

---Goes on with a handshake that has paused at "hello".
---@param context lsocket.Context
---@return true? ok
---@return string? message
---@return string? name     the error's symbol: "EINVAL"
function Socket:choose(context) end

---What was agreed upon, or what the other end has sent.
---@param what ("peer" | "chain" | "ocsp" | "hello")?
---@return any result
---@return string? message
---@return string? name     the error's symbol: "ENOTCONN"
function Socket:tls(what) end

---Bytes that only both ends of the connection know.
---@param label string
---@param length integer
---@param context string?
---@return string? bytes
---@return string? message
---@return string? name     the error's symbol: "ENOTCONN"
function Socket:export(label, length, context) end

---The channel binding, for a login on top of it.
---@param type "tls-exporter" | "tls-server-end-point" | "tls-unique"
---@return string? bytes
---@return string? message
---@return string? name     the error's symbol: "ENOTCONN"
function Socket:binding(type) end

return tls
