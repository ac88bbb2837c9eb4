---@meta lsocket.luasocket.ssl
-- LuaSec's names on lsocket.tls, for editors that read LuaCATS annotations. See doc/luasocket.md.

---LuaSec's interface: TLS for objects of lsocket.luasocket.
---@class lsocket.luasocket.ssl
local ssl = {}

---What LuaSec's contexts are made of. What cannot be kept fails by its name.
---@class lsocket.LuaSecParameters
---@field mode ("client" | "server")
---@field protocol ("any" | "sslv23" | "tlsv1_2" | "tlsv1_3")
---@field verify (string | string[])?     "none", "peer", "client_once", "fail_if_no_peer_cert"; without it nothing
---@field verifyext (string | string[])?  "lsec_continue"; others only where nothing is verified
---@field options (string | string[])?    OpenSSL's, in small letters
---@field certificate string?             a file, with what leads to its root
---@field key string?                     a file
---@field password (string | fun(): string)?
---@field certificates { certificate: string, key: string, password: (string | fun(): string)? }[]?
---@field cafile string?                  the roots; clients: the system's by default
---@field capath string?
---@field ciphers string?
---@field ciphersuites string?
---@field curve string?
---@field curveslist string?
---@field alpn (string | string[] | fun(offered: string[]): string | string[])?
---@field dhparam function?               has no effect
---@field depth integer?                  only where nothing is verified

---@class lsocket.LuaSecContext
local Context = {}

---A connection with TLS, which LuaSec's callers use as one of LuaSocket's.
---@class lsocket.LuaSecConnection
local Connection = {}

---A certificate.
---@class lsocket.LuaSecCertificate
local Certificate = {}

---@alias lsocket.LuaSecName { oid: string, name: string, value: string }[]

---Makes a context.
---@param params lsocket.LuaSecParameters
---@return lsocket.LuaSecContext? context
---@return string? text
function ssl.newcontext(params) end

---Takes the descriptor out of an object, and makes a connection that has not spoken yet.
---@param sock table                      of lsocket.luasocket, or with the methods getfd and setfd
---@param context lsocket.LuaSecContext | lsocket.LuaSecParameters
---@return lsocket.LuaSecConnection? connection
---@return string? text
function ssl.wrap(sock, context) end

---@param pem string
---@return lsocket.LuaSecCertificate? certificate
---@return string? text
function ssl.loadcertificate(pem) end

---Takes the handshake to its end.
---@return boolean ok
---@return string? text   "wantread", "wantwrite", "closed", or why it has failed
---@return string? name   "ETLS_NAME" and others
function Connection:dohandshake() end

---A client: the name that the certificate must be for. A server: contexts by names.
---@param names string | table<string, lsocket.LuaSecContext>
---@param strict boolean?                 a client that asks for another name is refused
function Connection:sni(names, strict) end

---@param pattern (string | integer)?
---@param prefix string?
---@return string? data
---@return string? text   "wantread", "closed", ...
---@return string? part   what came
function Connection:receive(pattern, prefix) end

---@param data string
---@param first integer?
---@param last integer?
---@return integer? place  of the last byte
---@return string? text    "wantwrite", "closed", ...
---@return integer? taken  the place of the last byte that was taken
function Connection:send(data, first, last) end

---@param seconds number?
---@param mode string?
---@return integer one
function Connection:settimeout(seconds, mode) end

function Connection:close() end

---@return boolean dirty  is there data that select does not know of?
function Connection:dirty() end

---@return "read" | "write" | "nothing" want
function Connection:want() end

---@return integer fd
function Connection:getfd() end

---@return integer received
---@return integer sent
---@return number age
function Connection:getstats() end

---@param received integer
---@param sent integer
---@param age number
---@return integer one
function Connection:setstats(received, sent, age) end

---@param field string?
---@return any info
---@return string? text
function Connection:info(field) end

---@param place integer?
---@return lsocket.LuaSecCertificate? certificate
---@return string? text
function Connection:getpeercertificate(place) end

---@return lsocket.LuaSecCertificate[]? chain
---@return string? text
function Connection:getpeerchain() end

---@return boolean verified
---@return (string | string[][])? why
function Connection:getpeerverification() end

---@return string? name
---@return string? text
function Connection:getsniname() end

---@return string? protocol
---@return string? text
function Connection:getalpn() end

---@param label string
---@param length integer
---@param context string?
---@return string? bytes
---@return string? text
function Connection:exportkeyingmaterial(label, length, context) end

---@return string? bytes
---@return string? text
function Connection:getfinished() end

---@return string? bytes
---@return string? text
function Connection:getpeerfinished() end

---@return lsocket.LuaSecName name
function Certificate:subject() end

---@return lsocket.LuaSecName name
function Certificate:issuer() end

---@return table<string, table> extensions  of all, the alternative names: "2.5.29.17"
function Certificate:extensions() end

---@return string pem
---@return string kind
---@return integer? bits
function Certificate:pubkey() end

---@return string pem
function Certificate:pem() end

---@param algorithm string?               "sha256"
---@return string? digits
---@return string? text
function Certificate:digest(algorithm) end

---@return string digits
function Certificate:serial() end

---@return string date
function Certificate:notbefore() end

---@return string date
function Certificate:notafter() end

---@param time number
---@return boolean valid
function Certificate:validat(time) end

---@return string name
function Certificate:getsignaturename() end

---@param encoding string
---@return boolean ok
function Certificate:setencode(encoding) end

return ssl
