-- The files of a directory, as a server's answers.
local files = {}

local types = {
  css = "text/css", html = "text/html; charset=utf-8", jpg = "image/jpeg", js = "text/javascript",
  lua = "text/plain; charset=utf-8", png = "image/png", svg = "image/svg+xml", txt = "text/plain; charset=utf-8",
}

-- A file and its size; nil where it is none: some systems open directories, too, and fail to read them.
local function open(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local _, problem = file:read(0)
  local size = not problem and file:seek "end"
  if size and file:seek "set" then return file, size end
  file:close()
end

-- files.get(root, path) -> status, body, fields, as handlers give them. No part of the path may begin with a dot, so
-- nobody gets out by "..", and hidden files stay hidden. Symbolic links are followed: leave none that lead out.
function files.get(root, path)
  if ("/" .. path):find("/%.") or path:find("[%c\\]") then return 404 end
  if path == "" or path:find("/$") then path = path .. "index.html" end
  local file, size = open(root .. "/" .. path)
  if not file then return 404 end
  local kind = types[path:match("%.(%w+)$")] or "application/octet-stream"
  return 200, file, { ["Content-Type"] = kind, ["Content-Length"] = size }
end

return files
