-- Addresses of pages, RFC 3986: http://host:port/path?query, and the same with https
local url = {}

local ports = { http = 80, https = 443 }

-- "%5b" -> "["; nil where a % is malformed
function url.decode(text)
  if text:gsub("%%%x%x", ""):find("%%") then return nil end
  return (text:gsub("%%(%x%x)", function(code) return string.char(tonumber(code, 16)) end))
end

-- What a request asks for: "/a%20b?c=d" -> "/a b", "c=d"; also "http://host/a%20b?c=d", as proxies are asked.
-- nil where it is no path.
function url.split(target)
  local path, query = target:gsub("^[hH][tT][tT][pP][sS]?://[^/?]*", ""):match("^([^?]*)%??(.*)$")
  if path == "" then path = "/" end
  path = path:find("^[/*]") and url.decode(path)
  return path or nil, query
end

-- "http://[::1]:8080/a?b#c" -> { scheme = "http", authority = "[::1]:8080", host = "::1", port = 8080,
-- target = "/a?b" };  nil where it is none.
function url.parse(text)
  local scheme, authority, target = text:gsub("#.*", ""):match("^(%a+)://([^/?%c ]+)([^%c ]*)$")
  scheme = (scheme or ""):lower()
  local host, port = (authority or ""):match("^%[(.+)%]:?(%d*)$")
  if not host then host, port = (authority or ""):match("^([^:@]+):?(%d*)$") end
  port = tonumber(port ~= "" and port or ports[scheme])
  if not ports[scheme] or not host or port > 65535 then return nil end
  host = host:gsub("%%25", "%%") -- before a zone
  target = target:find("^/") and target or "/" .. target
  return { scheme = scheme, authority = authority, host = host, port = port, target = target }
end

-- "/a/./b/../c" -> "/a/c"
local function without_dots(path)
  local kept = {}
  for part in path:gmatch("/([^/]*)") do
    if part == ".." then kept[#kept] = nil elseif part ~= "." then kept[#kept + 1] = part end
  end
  if path:find("/%.%.?$") then kept[#kept + 1] = "" end
  return "/" .. table.concat(kept, "/")
end

-- The page that a page refers to: a whole address, "//host/path", "/path", "path" or "?query".
function url.resolve(base, reference)
  if reference:find("^%a[%w+.-]*:") then return url.parse(reference) end
  if reference:find("^//") then return url.parse(base.scheme .. ":" .. reference) end
  local path, query = reference:gsub("#.*", ""):match("^([^?]*)(.*)$")
  local own, asked = base.target:match("^([^?]*)(.*)$")
  if path == "" then
    path, query = own, query == "" and asked or query
  elseif not path:find("^/") then
    path = own:match("^.*/") .. path
  end
  return url.parse(base.scheme .. "://" .. base.authority .. without_dots(path) .. query)
end

return url
