-- Certificates that are valid for a few seconds more.
local certs = require "spec.tls.certs"
local helper = require "spec.helper"

local ending = {}

-- A file with a chain whose leaf is valid for years, and the intermediate certificate for so many seconds. The key is
-- leaf.key.
function ending.chain(seconds)
  local folder = helper.path()
  local said, status = helper.run(([[
    set -e
    mkdir %s && cd %s && : > index.txt && echo 01 > serial
    printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n' > extensions
    openssl req -config ROOT/openssl.cnf -new -subj /CN=intermediate -key ROOT/intermediate.key -out request
    openssl ca -config ROOT/openssl.cnf -batch -notext -cert ROOT/root.pem -keyfile ROOT/root.key -in request \
      -extfile extensions -enddate %s -out intermediate.pem]]):gsub("ROOT", (certs.path "":gsub("/$", "")))
    :format(folder, folder, os.date("!%Y%m%d%H%M%SZ", os.time() + seconds)))
  local made = status == 0 and assert(io.open(folder .. "/intermediate.pem")):read "*a"
  os.execute("rm -rf " .. folder)
  assert(made, said)
  return helper.file(certs.read "alone.pem" .. made)
end

return ending
