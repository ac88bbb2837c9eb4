# Python's http.client with samples/httpd.lua, whose port is the argument.
import http.client, sys

connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
connection.connect()
sock = connection.sock


def ask(method, path, body=None, headers={}, **how):
    connection.request(method, path, body, headers, **how)
    response = connection.getresponse()
    return response.status, response.read(), response


assert ask("GET", "/")[:2] == (200, b"Hello, world!\n")
data = bytes(range(256)) * 1000
assert ask("POST", "/echo", data)[:2] == (200, data)
pieces = [data[i:i + 10000] for i in range(0, len(data), 10000)]
assert ask("POST", "/echo", iter(pieces), encode_chunked=True)[:2] == (200, data)
status, body, response = ask("GET", "/chunks/200000")
assert status == 200 and len(body) == 200000 and response.chunked
status, body, response = ask("HEAD", "/bytes/1000")
assert status == 200 and body == b"" and response.getheader("Content-Length") == "1000"
assert ask("GET", "/none")[0] == 404
assert ask("DELETE", "/echo")[0] == 405
assert connection.sock is sock, "the connection was not kept"
assert ask("GET", "/", headers={"Connection": "close"})[0] == 200
assert connection.sock is None
print("all is well")
