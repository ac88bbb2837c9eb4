# A bad link: carries frames between the interfaces near and far of its network namespace, and on the way loses some,
# carries some twice, and lets some be overtaken. "PATH SEED LOSS TWICE LATE": a unix socket by which it tells its
# process, is told that the interfaces are there, answers that it is ready, and whose end is its own; then
# probabilities from 0 to 1. The fate of the nth frame of a direction depends on the seed alone.
import fcntl, heapq, os, random, select, socket, struct, sys, time

DELAY, LATE = 0.001, 0.004  # seconds that each frame takes, and how much longer some take
SOL_PACKET, PACKET_VNET_HDR, PACKET_OUTGOING = 263, 15, 4
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
HEADER, ARP = 10, b"\x08\x06"  # bytes of struct virtio_net_hdr, which tells what is left to the hardware


def interface(name):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    sock.bind((name, 3))
    name = name.encode()
    flags, = struct.unpack_from("H", fcntl.ioctl(sock, SIOCGIFFLAGS, struct.pack("16sH22x", name, 0)), 16)
    fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH22x", name, flags | IFF_UP))
    sock.setblocking(False)
    return sock


class Direction:
    def __init__(self, source, target, seed):
        self.source, self.target, self.random, self.count, self.held = source, target, random.Random(seed), 0, []

    def take(self, loss, twice, late):
        for _ in range(64):
            try:
                frame, address = self.source.recvfrom(70000)
            except OSError:  # nothing more, or the link is down
                return
            if address[2] == PACKET_OUTGOING:
                continue
            lost, again, behind = (self.random.random() for _ in range(3))
            if frame[HEADER + 12:HEADER + 14] == ARP:
                lost = again = behind = 1
            for _ in range((lost >= loss) + (lost >= loss and again < twice)):
                self.count += 1
                due = time.monotonic() + DELAY + (LATE if behind < late else 0)
                heapq.heappush(self.held, (due, self.count, frame))

    def give(self):
        now = time.monotonic()
        while self.held and self.held[0][0] <= now:
            try:
                self.target.send(heapq.heappop(self.held)[2])
            except OSError:  # the link is down, or full: lost as well
                pass


control = socket.socket(socket.AF_UNIX)
control.connect(sys.argv[1])
control.send(b"%d\n" % os.getpid())
if not control.recv(1):
    sys.exit()
near, far = interface("near"), interface("far")
control.send(b"!")
seed, fate = int(sys.argv[2]), [float(text) for text in sys.argv[3:6]]
directions = [Direction(near, far, seed), Direction(far, near, seed + 1)]
poll = select.poll()
for sock in control, near, far:
    poll.register(sock, select.POLLIN)
while True:
    due = [direction.held[0][0] for direction in directions if direction.held]
    ready = poll.poll(max(0, (min(due) - time.monotonic()) * 1000) if due else None)
    if control.fileno() in (fd for fd, _ in ready):
        sys.exit()
    for direction in directions:
        direction.take(*fate)
        direction.give()
