/* ls_mcast: who joins where, and by which interface what is sent leaves, among the interfaces of tools/sandbox. How an
   interface is chosen is also tried on lists of the test's own, for which mcast.c is compiled a second time. */
#include "net/mcast.h"

#include "net/fd.h"

#include "check.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#if LS_HAVE_AF_PACKET
#include <net/ethernet.h>
#include <netpacket/packet.h>
#endif

/* ---- interfaces that are as they are told ---- */

typedef struct Interface {
    const char *name;
    unsigned flags;
    int family; /* 0: a record without address */
    unsigned index;
} Interface;

enum { MOST = 8 };

static struct {
    const Interface *interfaces;
    size_t count;
    int fails, lists_out;
    struct ifaddrs items[MOST];
    struct sockaddr_storage addresses[MOST];
    char names[MOST][IF_NAMESIZE];
} told;

static int told_getifaddrs(struct ifaddrs **list) {
    size_t i;
    if (told.fails) {
        errno = ENOBUFS;
        return -1;
    }
    memset(told.items, 0, sizeof told.items);
    for (i = 0; i < told.count; i++) {
        const Interface *interface = &told.interfaces[i];
        snprintf(told.names[i], IF_NAMESIZE, "%s", interface->name);
        told.items[i].ifa_next = i + 1 < told.count ? &told.items[i + 1] : NULL;
        told.items[i].ifa_name = told.names[i];
        told.items[i].ifa_flags = interface->flags;
        told.addresses[i].ss_family = (sa_family_t)interface->family;
        if (interface->family) told.items[i].ifa_addr = (struct sockaddr *)&told.addresses[i];
    }
    *list = told.count ? told.items : NULL;
    told.lists_out++;
    return 0;
}

static void told_freeifaddrs(struct ifaddrs *list) {
    assert_ptr_equal(list, told.count ? told.items : NULL);
    told.lists_out--;
}

static unsigned told_index(const char *name) {
    size_t i;
    for (i = 0; i < told.count; i++)
        if (strcmp(told.interfaces[i].name, name) == 0) return told.interfaces[i].index;
    return 0;
}

void told_choose(ls_Addr *group);
int told_receive(int fd, const ls_Addr *addr);
int told_send(int fd, const ls_Addr *addr, int ttl);
int told_join(int fd, const ls_Addr *group, const ls_Addr *source);
int told_leave(int fd, const ls_Addr *group, const ls_Addr *source);
int told_setoctet(int fd, int option, int value);
int told_setinterface(int fd, int family, unsigned index);
int told_getinterface(int fd, int family, unsigned *index);

#define ls_mcast_choose told_choose
#define ls_mcast_receive told_receive
#define ls_mcast_send told_send
#define ls_mcast_join told_join
#define ls_mcast_leave told_leave
#define ls_mcast_setoctet told_setoctet
#define ls_mcast_setinterface told_setinterface
#define ls_mcast_getinterface told_getinterface
#define getifaddrs(list) told_getifaddrs(list)
#define freeifaddrs(list) told_freeifaddrs(list)
#define if_nametoindex(name) told_index(name)

#include "net/mcast.c"

#undef ls_mcast_choose
#undef ls_mcast_receive
#undef ls_mcast_send
#undef ls_mcast_join
#undef ls_mcast_leave
#undef ls_mcast_setoctet
#undef ls_mcast_setinterface
#undef ls_mcast_getinterface
#undef getifaddrs
#undef freeifaddrs
#undef if_nametoindex

/* Each of these is unknown, or is there. */
static void need_groups(void) {
    static const int zeros[64];
    int fd = socket(AF_INET, SOCK_DGRAM, 0), has;
    has = setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, zeros, sizeof(struct group_req)) == 0 || errno != ENOPROTOOPT;
    close(fd);
    need_kernel("MCAST_JOIN_GROUP, IP_MULTICAST_ALL and the like", has);
}

/* ---- what the tests say ---- */

static ls_Addr address(const char *text, unsigned port) {
    ls_Addr addr;
    int err = ls_addr_parse(text, strlen(text), port, &addr);
    if (err) fail_msg("\"%s\" is refused: %d", text, err);
    return addr;
}

static int opened(int family) {
    int fd = -1;
    assert_int_equal(ls_fd_socket(family, SOCK_DGRAM, &fd), 0);
    return fd;
}

/* A receiver at the address; port 0: any, which the address then holds. */
static int receiver(const char *text, unsigned *port) {
    ls_Addr addr = address(text, *port);
    int fd = opened(ls_addr_family(&addr));
    assert_int_equal(ls_mcast_receive(fd, &addr), 0);
    assert_int_equal(ls_fd_bind(fd, &addr), 0);
    assert_int_equal(ls_fd_local(fd, &addr), 0);
    *port = ls_addr_port(&addr);
#ifdef IP_MULTICAST_ALL
    /* Linux gives a socket what any socket of the machine has joined; here only its own group counts. */
    if (ls_addr_family(&addr) == AF_INET) assert_int_equal(ls_fd_setint(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0), 0);
#endif
    return fd;
}

/* The error of connect is the kernel's answer, whether it has a way to there. */
static int try_sender(const char *text, unsigned port, int ttl, int *fd) {
    ls_Addr addr = address(text, port);
    *fd = opened(ls_addr_family(&addr));
    assert_int_equal(ls_mcast_send(*fd, &addr, ttl), 0);
    return ls_fd_connect(*fd, &addr);
}

static int sender(const char *text, unsigned port, int ttl) {
    int fd;
    assert_int_equal(try_sender(text, port, ttl, &fd), 0);
    return fd;
}

static void must_send(int fd, const char *text) {
    size_t n = 0;
    assert_int_equal(ls_fd_send(fd, text, strlen(text), &n, NULL), 0);
    assert_int_equal(n, strlen(text));
}

static void expect_data(int fd, const char *text) {
    struct pollfd entry = { .fd = fd, .events = POLLIN };
    char data[64];
    size_t n = 0;
    int ready = 0;
    assert_int_equal(ls_fd_poll(&entry, 1, 10, &ready), 0);
    assert_int_equal(ready, 1);
    assert_int_equal(ls_fd_recv(fd, 1, data, sizeof data, &n, NULL), 0);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(data, text, n);
}

static int get_option(int fd, int level, int option) {
    int value = -1;
    socklen_t len = sizeof value;
    assert_int_equal(getsockopt(fd, level, option, &value, &len), 0);
    return value;
}

/* ---- what the kernel says about membership ---- */

/* How many of a device's lines of /proc/net/igmp name the group. */
static int joined_ipv4(const char *device, const ls_Addr *group) {
    FILE *file = fopen("/proc/net/igmp", "r");
    char line[256], current[32] = "";
    int count = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        unsigned bits;
        if (line[0] != '\t') sscanf(line, "%*u %31s", current);
        else if (sscanf(line, " %8x", &bits) == 1)
            count += bits == group->u.in4.sin_addr.s_addr && strcmp(current, device) == 0;
    }
    fclose(file);
    return count;
}

static int joined_ipv6(const char *device, const ls_Addr *group) {
    FILE *file = fopen("/proc/net/igmp6", "r");
    char line[256], current[32], digits[40], wanted[40];
    int count = 0, i;
    assert_non_null(file);
    for (i = 0; i < 16; i++) snprintf(wanted + 2 * i, 3, "%02x", group->u.in6.sin6_addr.s6_addr[i]);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "%*u %31s %39s", current, digits) == 2)
            count += strcmp(digits, wanted) == 0 && strcmp(current, device) == 0;
    fclose(file);
    return count;
}

static const char *const devices[] = { "lo", "far0", "veth0", "far1", "veth1", "tun0" };

/* device: NULL for none */
static void expect_joined(const ls_Addr *group, const char *device) {
    size_t i;
    for (i = 0; i < COUNT(devices); i++) {
        int wanted = device && strcmp(devices[i], device) == 0;
        int joined = ls_addr_family(group) == AF_INET ? joined_ipv4(devices[i], group) : joined_ipv6(devices[i], group);
        if (joined != wanted) fail_msg("%d memberships on %s, not %d", joined, devices[i], wanted);
    }
}

/* ---- choosing ---- */

static void what_is_left_alone_by_the_choice(void **state) {
    static const char *const texts[] = { "ff05::1", "ff08::1", "ff0e::1", "fe80::1", "::1", "::", "2001:db8::1",
                                         "224.0.0.1", "239.1.2.3", "127.0.0.1", "255.255.255.255", "/tmp/ff02::1",
                                         "ff02::5%1", "ff01::5%1", "239.1.2.3%1" };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(texts); i++) {
        ls_Addr addr = address(texts[i], 7), before = addr;
        ls_mcast_choose(&addr);
        if (memcmp(&addr, &before, sizeof addr) != 0) fail_msg("%s is changed", texts[i]);
    }
}

/* Of all scopes only those two need an interface, whatever the flags beside them. */
static void which_scopes_get_an_interface(void **state) {
    static const Interface interfaces[] = { { "good", IFF_UP | IFF_MULTICAST, AF_INET6, 4 } };
    int flags, scope;
    (void)state;
    told.interfaces = interfaces;
    told.count = COUNT(interfaces);
    for (flags = 0; flags < 16; flags++) {
        for (scope = 0; scope < 16; scope++) {
            ls_Addr addr = address("ff00::7", 7);
            unsigned wanted = scope == 1 || scope == 2 ? 4 : 0;
            addr.u.in6.sin6_addr.s6_addr[1] = (uint8_t)(flags << 4 | scope);
            told_choose(&addr);
            assert_int_equal(addr.u.in6.sin6_scope_id, wanted);
            assert_int_equal(addr.ifindex, wanted);
            assert_int_equal(ls_addr_port(&addr), 7);
        }
    }
    assert_int_equal(told.lists_out, 0);
}

static void expect_choice(const Interface *interfaces, size_t count, unsigned wanted) {
    ls_Addr addr = address("ff02::7", 7);
    told.interfaces = interfaces;
    told.count = count;
    told_choose(&addr);
    assert_int_equal(addr.u.in6.sin6_scope_id, wanted);
    assert_int_equal(addr.ifindex, wanted);
    assert_int_equal(told.lists_out, 0);
}

static void which_interface_is_chosen(void **state) {
    static const Interface all[] = {
        { "lo", IFF_UP | IFF_LOOPBACK | IFF_MULTICAST, AF_INET6, 1 },
        { "down", IFF_MULTICAST, AF_INET6, 2 },
        { "deaf", IFF_UP, AF_INET6, 3 },
        { "bare", IFF_UP | IFF_MULTICAST, 0, 4 },
        { "old", IFF_UP | IFF_MULTICAST, AF_INET, 5 },
        { "gone", IFF_UP | IFF_MULTICAST, AF_INET6, 0 },
        { "good", IFF_UP | IFF_MULTICAST | IFF_BROADCAST | IFF_RUNNING, AF_INET6, 7 },
        { "later", IFF_UP | IFF_MULTICAST, AF_INET6, 8 },
    };
    (void)state;
    expect_choice(all, 8, 7);
    expect_choice(all, 6, 0);
    expect_choice(all, 1, 0);
    expect_choice(all, 0, 0);
    expect_choice(all + 7, 1, 8);
    told.fails = 1;
    expect_choice(all, 8, 0);
    told.fails = 0;
}

static void the_choice_in_the_sandbox(void **state) {
    static const char *const texts[] = { "ff02::1:2", "ff01::1:2" };
    size_t i;
    (void)state;
    if (!in_sandbox()) skip();
    for (i = 0; i < COUNT(texts); i++) {
        ls_Addr addr = address(texts[i], 7);
        ls_mcast_choose(&addr);
        assert_int_equal(addr.u.in6.sin6_scope_id, if_nametoindex("veth0"));
        assert_int_equal(addr.ifindex, addr.u.in6.sin6_scope_id);
    }
}

/* ---- joining ---- */

static void groups_are_joined_on_their_zone_only(void **state) {
    static const char *const zones[] = { "veth0", "veth1", "lo", "tun0" };
    static const char *const groups[] = { "239.1.2.3", "224.0.0.99", "ff02::7:3",
                                          "ff01::7:3", "ff05::7:3",  "ff0e::7:3" };
    size_t i, k;
    (void)state;
    if (!in_sandbox()) skip();
    need_groups();
    for (i = 0; i < COUNT(zones); i++) {
        for (k = 0; k < COUNT(groups); k++) {
            char text[64];
            ls_Addr addr;
            int fd, err;
            snprintf(text, sizeof text, "%s%%%s", groups[k], zones[i]);
            addr = address(text, 7);
            fd = opened(ls_addr_family(&addr));
            expect_joined(&addr, NULL);
            err = ls_mcast_receive(fd, &addr);
            if (!LS_HAVE_GROUP_REQ && ls_addr_family(&addr) == AF_INET && strcmp(zones[i], "tun0") == 0) {
                assert_int_equal(err, EADDRNOTAVAIL); /* no address that could stand for the interface */
                expect_joined(&addr, NULL);
            } else {
                assert_int_equal(err, 0);
                expect_joined(&addr, zones[i]);
            }
            assert_int_equal(ls_fd_close(fd), 0);
            expect_joined(&addr, NULL);
        }
    }
}

/* Two interfaces and two senders: each membership is one of its own. */
static void memberships_come_and_go_one_by_one(void **state) {
    static const char *const groups[] = { "239.1.2.9", "ff05::7:9" };
    size_t i;
    (void)state;
    if (!in_sandbox()) skip();
    need_groups();
    for (i = 0; i < COUNT(groups); i++) {
        char text[64];
        ls_Addr on0, on1;
        int fd;
        snprintf(text, sizeof text, "%s%%veth0", groups[i]);
        on0 = address(text, 0);
        snprintf(text, sizeof text, "%s%%veth1", groups[i]);
        on1 = address(text, 0);
        fd = opened(ls_addr_family(&on0));
        assert_int_equal(ls_mcast_join(fd, &on0, NULL), 0);
        assert_int_equal(ls_mcast_join(fd, &on0, NULL), EADDRINUSE);
        expect_joined(&on0, "veth0");
        assert_int_equal(ls_mcast_join(fd, &on1, NULL), 0);
        assert_int_equal(ls_mcast_leave(fd, &on0, NULL), 0);
        assert_int_equal(ls_mcast_leave(fd, &on0, NULL), EADDRNOTAVAIL);
        expect_joined(&on1, "veth1");
        assert_int_equal(ls_fd_close(fd), 0);
        expect_joined(&on1, NULL);
    }
}

static void memberships_of_single_senders(void **state) {
    static const char *const texts[][3] = { { "232.1.2.9%veth0", "10.11.0.7", "10.11.0.8" },
                                            { "ff35::7:9%veth0", "fd11::7", "fd11::8" } };
    size_t i;
    (void)state;
    if (!in_sandbox()) skip();
    need_groups();
    for (i = 0; i < COUNT(texts); i++) {
        ls_Addr group = address(texts[i][0], 0), one = address(texts[i][1], 0), other = address(texts[i][2], 0);
        int family = ls_addr_family(&group), fd = opened(family);
        int lacks = !LS_HAVE_GROUP_REQ && family == AF_INET6 ? ENOPROTOOPT : 0;
        assert_int_equal(ls_mcast_join(fd, &group, &one), lacks);
        assert_int_equal(ls_mcast_join(fd, &group, &other), lacks);
        expect_joined(&group, lacks ? NULL : "veth0");
        assert_int_equal(ls_mcast_join(fd, &group, &one), lacks ? lacks : EADDRNOTAVAIL);
        assert_int_equal(ls_mcast_leave(fd, &group, &one), lacks);
        expect_joined(&group, lacks ? NULL : "veth0");
        assert_int_equal(ls_mcast_leave(fd, &group, &other), lacks);
        expect_joined(&group, NULL);
        assert_int_equal(ls_fd_close(fd), 0);
    }
}

static void the_chosen_interface_is_joined(void **state) {
    ls_Addr addr;
    int fd;
    (void)state;
    if (!in_sandbox()) skip();
    need_groups();
    addr = address("ff02::7:4", 7);
    ls_mcast_choose(&addr);
    fd = opened(AF_INET6);
    assert_int_equal(ls_mcast_receive(fd, &addr), 0);
    expect_joined(&addr, "veth0");
    assert_int_equal(ls_fd_bind(fd, &addr), 0);
    assert_int_equal(ls_fd_close(fd), 0);
}

static void what_is_no_group_is_not_joined(void **state) {
    static const char *const texts[] = { "0.0.0.0", "127.0.0.1", "255.255.255.255", "127.255.255.255", "::", "::1" };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(texts); i++) {
        ls_Addr addr = address(texts[i], 0);
        int fd = opened(ls_addr_family(&addr));
        assert_int_equal(ls_mcast_receive(fd, &addr), 0);
        if (in_sandbox()) expect_joined(&addr, NULL);
        assert_int_not_equal(get_option(fd, SOL_SOCKET, SO_REUSEADDR), 0);
        assert_int_not_equal(get_option(fd, SOL_SOCKET, SO_BROADCAST), 0);
        assert_int_equal(ls_fd_close(fd), 0);
    }
}

static void groups_that_cannot_be_joined(void **state) {
    static const char *const texts[] = { "239.1.2.3", "ff02::7:3", "127.0.0.1" };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(texts); i++) {
        ls_Addr addr = address(texts[i], 7);
        int fd;
        assert_int_equal(ls_mcast_receive(-1, &addr), EBADF);
        assert_int_equal(ls_mcast_send(-1, &addr, 1), EBADF);
        if (!ls_addr_isgroup(&addr)) continue;
        addr.ifindex = 2147480001; /* an interface that is gone */
        if (ls_addr_family(&addr) == AF_INET6) addr.u.in6.sin6_scope_id = addr.ifindex;
        fd = opened(ls_addr_family(&addr));
        assert_int_not_equal(ls_mcast_receive(fd, &addr), 0);
        assert_int_not_equal(ls_mcast_send(fd, &addr, 1), 0);
        assert_int_equal(ls_fd_close(fd), 0);
    }
}

static void receivers_share_a_port(void **state) {
    static const char *const texts[] = { "239.1.2.3%veth0", "ff02::7:5%veth0", "10.11.0.255", "0.0.0.0" };
    size_t i;
    (void)state;
    if (!in_sandbox()) skip();
    need_groups();
    for (i = 0; i < COUNT(texts); i++) {
        unsigned port = 0;
        int first = receiver(texts[i], &port), second = receiver(texts[i], &port);
        assert_int_equal(ls_fd_close(first), 0);
        assert_int_equal(ls_fd_close(second), 0);
    }
}

/* ---- sending ---- */

static void hops(void **state) {
    static const int ttls[] = { 0, 1, 2, 127, 128, 255 };
    size_t i;
    (void)state;
    need_groups();
    for (i = 0; i < COUNT(ttls); i++) {
        ls_Addr in4 = address("239.1.2.3", 7), in6 = address("ff0e::1", 7);
        int fd4 = opened(AF_INET), fd6 = opened(AF_INET6);
        assert_int_equal(ls_mcast_send(fd4, &in4, ttls[i]), 0);
        assert_int_equal(ls_mcast_send(fd6, &in6, ttls[i]), 0);
        assert_int_equal(get_option(fd4, IPPROTO_IP, IP_MULTICAST_TTL) & 0xff, ttls[i]);
        assert_int_equal(get_option(fd6, IPPROTO_IPV6, IPV6_MULTICAST_HOPS), ttls[i]);
        assert_int_equal(get_option(fd6, IPPROTO_IPV6, IPV6_MULTICAST_IF), 0);
        assert_int_not_equal(get_option(fd4, SOL_SOCKET, SO_BROADCAST), 0);
        assert_int_equal(ls_fd_close(fd4), 0);
        assert_int_equal(ls_fd_close(fd6), 0);
    }
}

/* What a receiver on the other interface gets first is not what was sent by this one. (An IPv6 group of wider scope is
   not bound to an interface, and Linux then gives a socket what any other one has joined elsewhere.) */
static void a_group_hears_its_own_interface(void **state) {
    static const char *const groups[] = { "239.1.2.3", "224.0.0.99", "ff02::7:6" };
    size_t i;
    (void)state;
    if (!in_sandbox()) skip();
    need_groups();
    for (i = 0; i < COUNT(groups); i++) {
        char by0[64], by1[64];
        unsigned port = 0;
        int in0, in1, out0, out1;
        snprintf(by0, sizeof by0, "%s%%veth0", groups[i]);
        snprintf(by1, sizeof by1, "%s%%veth1", groups[i]);
        in0 = receiver(by0, &port);
        in1 = receiver(by1, &port);
        out0 = sender(by0, port, 1);
        out1 = sender(by1, port, 1);
        must_send(out0, "by veth0");
        must_send(out1, "by veth1");
        expect_data(in0, "by veth0");
        expect_data(in1, "by veth1");
        must_send(out1, "by veth1 again");
        must_send(out0, "by veth0 again");
        expect_data(in0, "by veth0 again");
        expect_data(in1, "by veth1 again");
        assert_int_equal(ls_fd_close(in0) | ls_fd_close(in1) | ls_fd_close(out0) | ls_fd_close(out1), 0);
    }
}

static void over_the_loopback_interface(void **state) {
    static const char *const texts[] = { "239.1.2.3%lo", "ff02::7:7%lo", "ff01::7:7%lo" };
    size_t i;
    (void)state;
    if (!in_sandbox()) skip();
    need_groups();
    for (i = 0; i < COUNT(texts); i++) {
        unsigned port = 0;
        int in = receiver(texts[i], &port), out, err = try_sender(texts[i], port, 1, &out);
        if (err) { /* a Linux without a route for groups over lo */
            assert_int_equal(err, ENETUNREACH);
            assert_true(strchr(texts[i], ':') != NULL);
        } else {
            must_send(out, "hello");
            expect_data(in, "hello");
        }
        assert_int_equal(ls_fd_close(in) | ls_fd_close(out), 0);
    }
}

static void broadcast(void **state) {
    ls_Addr addr;
    unsigned port = 0;
    int in, out;
    (void)state;
    if (!in_sandbox()) skip();
    need_groups();
    addr = address("10.11.0.255", 7);
    in = receiver("10.11.0.255", &port);
    out = sender("10.11.0.255", port, 1);
    must_send(out, "to all");
    expect_data(in, "to all");
    assert_int_equal(ls_fd_close(in) | ls_fd_close(out), 0);
    out = opened(AF_INET);
    assert_int_equal(ls_fd_connect(out, &addr), EACCES); /* who is not made a sender */
    assert_int_equal(ls_fd_close(out), 0);
}

#if LS_HAVE_AF_PACKET

/* Sees what comes out of the other end of a veth pair. */
static int tap(const char *device, int protocol) {
    struct sockaddr_ll where;
    int fd = socket(AF_PACKET, SOCK_DGRAM, htons((uint16_t)protocol));
    assert_true(fd >= 0);
    memset(&where, 0, sizeof where);
    where.sll_family = AF_PACKET;
    where.sll_protocol = htons((uint16_t)protocol);
    where.sll_ifindex = (int)if_nametoindex(device);
    assert_int_equal(bind(fd, (struct sockaddr *)&where, sizeof where), 0);
    return fd;
}

/* The first UDP packet: its data, and how many hops it may live. */
static int tapped(int fd, int family, char *data, size_t room) {
    for (;;) {
        struct pollfd entry = { .fd = fd, .events = POLLIN };
        unsigned char packet[2048];
        ssize_t n;
        size_t header = family == AF_INET ? 20 : 40;
        assert_int_equal(poll(&entry, 1, 10000), 1);
        n = recv(fd, packet, sizeof packet, 0);
        assert_true(n >= (ssize_t)header);
        if (packet[family == AF_INET ? 9 : 6] != IPPROTO_UDP) continue;
        snprintf(data, room, "%.*s", (int)((size_t)n - header - 8), (const char *)packet + header + 8);
        return packet[family == AF_INET ? 8 : 7];
    }
}

/* Seen from outside: by the zone's wire, with the hops that were asked for. */
static void what_leaves_by_which_wire(void **state) {
    static const char *const groups[] = { "239.1.2.3", "ff02::7:8", "ff05::7:8" };
    static const int ttls[] = { 1, 5, 255 };
    size_t i, k;
    (void)state;
    if (!in_sandbox()) skip();
    need_groups();
    for (i = 0; i < COUNT(groups); i++) {
        int family = strchr(groups[i], ':') ? AF_INET6 : AF_INET;
        int protocol = family == AF_INET ? ETHERTYPE_IP : ETHERTYPE_IPV6;
        int tap0 = tap("far0", protocol), tap1 = tap("far1", protocol);
        for (k = 0; k < COUNT(ttls); k++) {
            char text[64], data[64];
            int out0, out1;
            snprintf(text, sizeof text, "%s%%veth0", groups[i]);
            out0 = sender(text, 4711, ttls[k]);
            snprintf(text, sizeof text, "%s%%veth1", groups[i]);
            out1 = sender(text, 4711, ttls[k]);
            must_send(out0, "by veth0");
            must_send(out1, "by veth1");
            assert_int_equal(tapped(tap0, family, data, sizeof data), ttls[k]);
            assert_string_equal(data, "by veth0");
            assert_int_equal(tapped(tap1, family, data, sizeof data), ttls[k]);
            assert_string_equal(data, "by veth1");
            assert_int_equal(ls_fd_close(out0) | ls_fd_close(out1), 0);
        }
        assert_int_equal(ls_fd_close(tap0) | ls_fd_close(tap1), 0);
    }
}

#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_OPEN(what_is_left_alone_by_the_choice),
        TEST_OPEN(which_scopes_get_an_interface),
        TEST_OPEN(which_interface_is_chosen),
        TEST_OPEN(the_choice_in_the_sandbox),
        TEST_OPEN(groups_are_joined_on_their_zone_only),
        TEST_OPEN(memberships_come_and_go_one_by_one),
        TEST_OPEN(memberships_of_single_senders),
        TEST_OPEN(the_chosen_interface_is_joined),
        TEST_OPEN(what_is_no_group_is_not_joined),
        TEST_OPEN(groups_that_cannot_be_joined),
        TEST_OPEN(receivers_share_a_port),
        TEST_OPEN(hops),
        TEST_OPEN(a_group_hears_its_own_interface),
        TEST_OPEN(over_the_loopback_interface),
        TEST_OPEN(broadcast),
#if LS_HAVE_AF_PACKET
        TEST_OPEN(what_leaves_by_which_wire),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
