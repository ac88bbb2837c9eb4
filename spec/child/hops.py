# Joins the group given as "address%interface", prints the port it listens on, then the hop limit of one datagram:
# the library does not tell what a datagram was sent with.
import socket, struct, sys

group, interface = sys.argv[1].split("%")
index = socket.if_nametoindex(interface)
if ":" in group:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, group)
                    + struct.pack("@I", index))
    sock.bind(("::", 0))
else:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_RECVTTL", 12), 1)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + bytes(4)
                    + struct.pack("@i", index))
    sock.bind(("", 0))
sock.settimeout(10)
print(sock.getsockname()[1], flush=True)
data, control, flags, address = sock.recvmsg(100, 100)
print(struct.unpack("@i", control[0][2])[0], flush=True)
