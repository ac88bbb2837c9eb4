"""Starts a program with a socket of each of some families, whose descriptor is the last argument.
Usage: families.py PROGRAM ARGUMENT..."""
import socket, subprocess, sys

for name, family, kind in (("netlink", socket.AF_NETLINK, socket.SOCK_RAW),
                           ("netlink", socket.AF_NETLINK, socket.SOCK_DGRAM),
                           ("packet", socket.AF_PACKET, socket.SOCK_RAW)):
    try:
        sock = socket.socket(family, kind, 0)
    except OSError:
        print(name, "failed", flush=True)
        continue
    print(name, "", end="", flush=True)
    subprocess.run(sys.argv[1:] + [str(sock.fileno())], pass_fds=[sock.fileno()])
