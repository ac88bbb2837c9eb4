# Peers of the samples that misbehave in ways no ready-made program does: "PART ARGUMENT...", a function below. Used by
# spec/samplepairs_spec.lua.
import os, socket, struct, sys

def listen(address, kind=socket.SOCK_STREAM):
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    sock.bind((address, 0))
    if kind == socket.SOCK_STREAM:
        sock.listen(100)
    print("listening on", address, "port", sock.getsockname()[1], flush=True)
    return sock

def connect(address, port):
    return socket.create_connection((address, int(port)), timeout=8)

def read_line(sock):
    data = b""
    while not data.endswith(b"\n"):
        piece = sock.recv(65536)
        if not piece:
            break
        data += piece
    return data

# A client that sends much and reads nothing; then another one; then the first reads.
def slow(sock, other):
    total, sent = 32 << 20, 0
    data = os.urandom(total)
    sock.settimeout(0.3)
    try:
        while sent < total:
            sent += sock.send(data[sent:])
    except socket.timeout:
        pass
    stuck = sent < total
    other.sendall(b"hello\n")
    print("the other was served" if read_line(other) == b"hello\n" else "the other was not served")
    sock.settimeout(8)
    got = bytearray()
    while len(got) < sent:
        got += sock.recv(1 << 20)
    print("stuck until it read," if stuck else "never stuck,", "and got all" if got == data[:sent] else "and got less")

def slow_tcp(address, port):
    slow(connect(address, port), connect(address, port))

def slow_unix(path):
    pair = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    for sock in pair:
        sock.settimeout(8)
        sock.connect(path)
    slow(*pair)

# A client that resets its connection while the server has much to send.
def reset(address, port):
    sock = connect(address, port)
    sock.settimeout(0.3)
    try:
        while True:
            sock.send(b"x" * 65536)
    except socket.timeout:
        pass
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()

def dribble(address): # answers byte by byte, two lines at a time where it can
    listener = listen(address)
    sock, _ = listener.accept()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while line := read_line(sock):
        for byte in line:
            sock.sendall(bytes([byte]))

def hang_up(address):
    sock, _ = listen(address).accept()
    sock.recv(10)

def lossy(address): # every other datagram is lost
    sock = listen(address, socket.SOCK_DGRAM)
    while True:
        sock.recvfrom(65536)
        data, sender = sock.recvfrom(65536)
        sock.sendto(data, sender)

def join(group, zone):
    index = socket.if_nametoindex(zone) if zone else 0
    sock = socket.socket(socket.AF_INET6 if ":" in group else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((group, 0, 0, index) if ":" in group else (group, 0))
    if ":" in group:
        request = socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
    elif zone:
        request = struct.pack("=4s4si", socket.inet_aton(group), bytes(4), index)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
    print("listening on", group, "port", sock.getsockname()[1], flush=True)
    sock.settimeout(8)
    print("got", sock.recv(100).decode(), flush=True)

def send(group, zone, port, text):
    index = socket.if_nametoindex(zone) if zone else 0
    sock = socket.socket(socket.AF_INET6 if ":" in group else socket.AF_INET, socket.SOCK_DGRAM)
    if ":" in group:
        sock.sendto(text.encode(), (group, int(port), 0, index))
        return
    if zone:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), index))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.sendto(text.encode(), (group, int(port)))

globals()[sys.argv[1]](*sys.argv[2:])
