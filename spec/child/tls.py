# Python's ssl as the other end.
#   tls.py client PORT CAFILE [CERTFILE KEYFILE]: sends "hello\n", prints what comes to the end and what was agreed
#   upon.
#   tls.py server CERTFILE KEYFILE [CAFILE]: prints its port; sends each line back in capitals, and ends when the other
#   end does. With CAFILE it wants a certificate.
import socket
import ssl
import sys


def client(port, cafile, *certificate):
    context = ssl.create_default_context(cafile=cafile)
    context.set_alpn_protocols(["one", "two"])
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    if certificate:
        context.load_cert_chain(*certificate)
    plain = socket.create_connection(("127.0.0.1", int(port)))
    sock = context.wrap_socket(plain, server_hostname="good.example", suppress_ragged_eofs=False)
    sock.sendall(b"hello\n")
    text = b""
    while True:
        data = sock.recv(65536)
        if not data:
            break
        text += data
    print(len(text), text[:20].decode(), sock.version(), sock.selected_alpn_protocol(), sock.session_reused)
    print(sock.get_channel_binding("tls-unique").hex() if sock.version() == "TLSv1.2" else "-")
    sock.unwrap()


def server(certfile, keyfile, cafile=None):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=cafile)
    context.load_cert_chain(certfile, keyfile)
    context.set_alpn_protocols(["two"])
    if cafile:
        context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))
    print("listening on port", listener.getsockname()[1], flush=True)
    sock = context.wrap_socket(listener.accept()[0], server_side=True)
    for line in sock.makefile("rb"):
        sock.sendall(line.upper())
    print("the end", sock.selected_alpn_protocol(), flush=True)
    sock.unwrap()


try:
    {"client": client, "server": server}[sys.argv[1]](*sys.argv[2:])
except (ssl.SSLError, OSError) as problem:
    print("failed:", problem)
