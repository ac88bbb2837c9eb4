/* ls_iface: interfaces by name, index and address, among those of tools/sandbox and on lists of the test's own, for
   which iface.c is compiled a second time. */
#include "net/iface.h"

#include "check.h"

#include <arpa/inet.h>
#include <ifaddrs.h>

/* ---- a system whose list cannot be had, or has odd records ---- */

static struct {
    int fails, lists_out;
    struct ifaddrs items[3];
    struct sockaddr_in address;
} told;

static char told_name[] = "lo";

/* Three records of one interface: without address, of a family that nobody knows, and 192.0.2.7. */
static int told_getifaddrs(struct ifaddrs **list) {
    static struct sockaddr strange;
    int i;
    if (told.fails) {
        errno = ENOBUFS;
        return -1;
    }
    memset(&told.items, 0, sizeof told.items);
    for (i = 0; i < 3; i++) {
        told.items[i].ifa_name = told_name;
        told.items[i].ifa_next = i < 2 ? &told.items[i + 1] : NULL;
    }
    strange.sa_family = 250;
    told.address.sin_family = AF_INET;
    told.address.sin_addr.s_addr = inet_addr("192.0.2.7");
    told.items[1].ifa_addr = &strange;
    told.items[2].ifa_addr = (struct sockaddr *)&told.address;
    *list = told.items;
    told.lists_out++;
    return 0;
}

static void told_freeifaddrs(struct ifaddrs *list) {
    assert_ptr_equal(list, told.items);
    told.lists_out--;
}

int told_find(const char *text, size_t len, unsigned *index);
int told_ipv4(unsigned index, struct in_addr *address);
int told_having(const struct in_addr *address, unsigned *index);
int told_hostname(char name[LS_IFACE_HOST]);
size_t told_hardware(const unsigned char *bytes, size_t len, char text[LS_IFACE_TEXT]);

#define ls_iface_find told_find
#define ls_iface_address told_ipv4
#define ls_iface_having told_having
#define ls_iface_hardware told_hardware
#define ls_iface_hostname told_hostname
#define getifaddrs(list) told_getifaddrs(list)
#define freeifaddrs(list) told_freeifaddrs(list)

#include "net/iface.c"

#undef ls_iface_find
#undef ls_iface_address
#undef ls_iface_having
#undef ls_iface_hardware
#undef ls_iface_hostname
#undef getifaddrs
#undef freeifaddrs

/* ---- finding ---- */

static void expect_index(const char *text, const char *name) {
    unsigned index = 0;
    int err = ls_iface_find(text, strlen(text), &index);
    if (err || index != if_nametoindex(name)) fail_msg("\"%s\": %d, interface %u, not %s", text, err, index, name);
}

static void expect_failure(int wanted, const char *text, size_t len) {
    unsigned index = 0;
    int err = ls_iface_find(text, len, &index);
    if (err != wanted) fail_msg("\"%s\": %d, not %d", text, err, wanted);
}

static void by_name(void **state) {
    static const char *const names[] = { "lo", "veth0", "veth1", "tun0" };
    size_t i;
    (void)state;
    if (!in_sandbox()) skip();
    for (i = 0; i < COUNT(names); i++) expect_index(names[i], names[i]);
}

static void by_address(void **state) {
    static const char *const rows[][2] = {
        { "127.0.0.1", "lo" }, { "127.1", "lo" },    { "::1", "lo" },
        { "[::1]", "lo" },     { "10.11.0.1", "veth0" }, { "fd11::1", "veth0" },
        { "fe80::11", "veth0" }, { "fe80::12", "veth1" }, { "fe80::12%veth1", "veth1" },
    };
    size_t i;
    (void)state;
    if (!in_sandbox()) skip();
    for (i = 0; i < COUNT(rows); i++) expect_index(rows[i][0], rows[i][1]);
}

static void by_what_is_not_there(void **state) {
    static const char *const names[] = { "", "nowhere", "lo ", "LO", "a/b", "/", "@lo", "1", "lo:1", "nowhere::",
                                         "an-interface-of-such-a-long-name" };
    static const char *const addresses[] = { "192.0.2.1", "2001:db8::1", "0.0.0.0", "::", "127.0.0.2" };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(names); i++) {
        unsigned index;
        assert_int_not_equal(ls_iface_find(names[i], strlen(names[i]), &index), 0);
    }
    expect_failure(ENODEV, "nowhere", 7);
    expect_failure(ENODEV, "", 0);
    expect_failure(ENODEV, "lo\0x", 4);
    for (i = 0; i < COUNT(addresses); i++) expect_failure(EADDRNOTAVAIL, addresses[i], strlen(addresses[i]));
    if (in_sandbox()) expect_failure(EADDRNOTAVAIL, "fe80::11%veth1", 14);
}

/* ---- the address that stands for an interface ---- */

static void the_address_of_an_interface(void **state) {
    static const char *const rows[][2] = { { "lo", "127.0.0.1" }, { "veth0", "10.11.0.1" }, { "veth1", "10.12.0.1" } };
    struct in_addr address;
    size_t i;
    (void)state;
    assert_int_equal(ls_iface_address(2147480001, &address), ENODEV);
    assert_int_equal(ls_iface_address(0, &address), ENODEV);
    if (!in_sandbox()) skip();
    for (i = 0; i < COUNT(rows); i++) {
        assert_int_equal(ls_iface_address(if_nametoindex(rows[i][0]), &address), 0);
        assert_int_equal(address.s_addr, inet_addr(rows[i][1]));
    }
    assert_int_equal(ls_iface_address(if_nametoindex("tun0"), &address), EADDRNOTAVAIL);
}

static void odd_records_are_passed_over(void **state) {
    struct in_addr address;
    unsigned index = 0;
    (void)state;
    assert_int_equal(told_find("192.0.2.7", 9, &index), 0);
    assert_int_equal(index, if_nametoindex(told_name));
    assert_int_equal(told_find("::1", 3, &index), EADDRNOTAVAIL);
    assert_int_equal(told_ipv4(if_nametoindex(told_name), &address), 0);
    assert_int_equal(address.s_addr, inet_addr("192.0.2.7"));
    assert_int_equal(told.lists_out, 0);
}

static void what_keeps_the_list_from_us_is_told(void **state) {
    struct in_addr address;
    unsigned index = 0;
    (void)state;
    told.fails = 1;
    assert_int_equal(told_find("192.0.2.7", 9, &index), ENOBUFS);
    assert_int_equal(told_ipv4(if_nametoindex(told_name), &address), ENOBUFS);
    assert_int_equal(told_find(told_name, 2, &index), 0); /* a name needs no list */
    told.fails = 0;
    assert_int_equal(told.lists_out, 0);
}

static void hardware_addresses_fit_whatever_their_length(void **state) {
    static const unsigned char zeros[8] = { 0 };
    char *text = guarded(LS_IFACE_TEXT) - LS_IFACE_TEXT;
    unsigned char bytes[255];
    size_t len;
    (void)state;
    for (len = 0; len < sizeof bytes; len++) bytes[len] = (unsigned char)(0xf0 + len);
    assert_int_equal(ls_iface_hardware(NULL, 0, text), 0);
    assert_int_equal(ls_iface_hardware(zeros, sizeof zeros, text), 0);
    assert_int_equal(ls_iface_hardware(bytes, 1, text), 2);
    assert_string_equal(text, "f0");
    assert_int_equal(ls_iface_hardware(bytes, 6, text), 17);
    assert_string_equal(text, "f0:f1:f2:f3:f4:f5");
    for (len = 1; len <= sizeof bytes; len++) {
        size_t most = len < LS_IFACE_HARDWARE ? len : LS_IFACE_HARDWARE;
        assert_int_equal(ls_iface_hardware(bytes, len, text), 3 * most - 1);
        assert_int_equal(strlen(text), 3 * most - 1);
    }
}

static void the_machine_has_a_name(void **state) {
    char name[LS_IFACE_HOST], again[LS_IFACE_HOST];
    (void)state;
    assert_int_equal(ls_iface_hostname(name), 0);
    assert_int_equal(gethostname(again, sizeof again), 0);
    assert_string_equal(name, again);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_OPEN(by_name),
        TEST_OPEN(by_address),
        TEST_OPEN(by_what_is_not_there),
        TEST_OPEN(the_address_of_an_interface),
        TEST_OPEN(odd_records_are_passed_over),
        TEST_OPEN(what_keeps_the_list_from_us_is_told),
        TEST_OPEN(hardware_addresses_fit_whatever_their_length),
        TEST_OPEN(the_machine_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
