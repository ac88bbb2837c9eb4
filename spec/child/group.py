# A member of a group, or a sender to one, on one interface, by Python's own socket module.
# receive GROUP INTERFACE: prints its port, then "text sender" for every datagram until one says "end".
# send GROUP INTERFACE PORT: sends the interface's name.
import socket
import struct
import sys

mode, group, interface = sys.argv[1:4]
index = socket.if_nametoindex(interface)
six = ":" in group
sock = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
if mode == "receive":
    sock.bind(("::" if six else "0.0.0.0", 0))
    if six:
        member = socket.inet_pton(socket.AF_INET6, group) + struct.pack("=I", index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
    else:
        member = socket.inet_aton(group) + struct.pack("=Ii", 0, index)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    sock.settimeout(60)
    print(sock.getsockname()[1], flush=True)
    text = ""
    while text != "end":
        data, sender = sock.recvfrom(100)
        text = data.decode()
        print(text, sender[0], flush=True)
else:
    if six:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=IIi", 0, 0, index))
    sock.sendto(interface.encode(), (group, int(sys.argv[4])))
