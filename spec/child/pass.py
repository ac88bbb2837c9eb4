"""Passes descriptors over the unix domain socket whose descriptor is argument 2. Usage:
pass.py send FD COUNT   sends "from python" with the writing ends of that many pipes, and prints what comes through each
pass.py receive FD      receives data and descriptors, and writes "through N" into the Nth
"""
import os, socket, sys

sock = socket.socket(fileno=int(sys.argv[2]))
sock.setblocking(True)
if sys.argv[1] == "send":
    pipes = [os.pipe() for _ in range(int(sys.argv[3]))]
    socket.send_fds(sock, [b"from python"], [w for r, w in pipes])
    for r, w in pipes:
        os.close(w)
    print([os.read(r, 100).decode() for r, w in pipes])
else:
    data, fds, flags, address = socket.recv_fds(sock, 100, 253)
    print(data.decode(), len(fds), flags & socket.MSG_CTRUNC)
    for n, fd in enumerate(fds):
        os.write(fd, b"through %d" % (n + 1))
