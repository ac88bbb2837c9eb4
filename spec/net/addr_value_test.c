/* ls_addr: what the kernel gives, ports, copies, suiting, groups, equality. What texts mean is left to addr_test.c. */
#include "addr_check.h"

#include <arpa/inet.h>

/* ---- what the kernel gives ---- */

static int kernel_socket(int type) {
    int fd = socket(AF_UNIX, type, 0);
    assert_true(fd >= 0);
    return fd;
}

static void an_unnamed_peer_is_a_unix_one(void **state) {
    char text[LS_ADDR_TEXT + 1];
    int fd = kernel_socket(SOCK_STREAM);
    ls_Addr addr;
    (void)state;
    memset(&addr, 0xaa, sizeof addr);
    addr.len = sizeof addr.u;
    assert_int_equal(getsockname(fd, &addr.u.sa, &addr.len), 0);
    close(fd);
    assert_int_equal(ls_addr_family(&addr), AF_UNIX);
    assert_int_equal(ls_addr_port(&addr), 0);
    assert_int_equal(format(&addr, 1, text), 0);
    addr.len = 0; /* and what lies in the union then means nothing */
    addr.u.sa.sa_family = AF_INET;
    assert_int_equal(ls_addr_family(&addr), AF_UNIX);
    assert_int_equal(ls_addr_port(&addr), 0);
    assert_int_equal(format(&addr, 1, text), 0);
}

/* A program may bind a path that leaves no room for a NUL; the kernel may then tell a length beyond the structure's. */
static void a_path_that_fills_the_structure(void **state) {
    char directory[] = "/tmp/addr_test.XXXXXX", text[LS_ADDR_TEXT + 1];
    struct sockaddr_un name;
    int fd = kernel_socket(SOCK_STREAM), bound;
    ls_Addr addr;
    (void)state;
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    memset(&name, 0, sizeof name);
    name.sun_family = AF_UNIX;
    memset(name.sun_path, 'n', sizeof name.sun_path);
    memcpy(name.sun_path, "./", 2);
    bound = bind(fd, (struct sockaddr *)&name, sizeof name);
    if (bound == 0) {
        memset(&addr, 0xaa, sizeof addr);
        addr.len = sizeof addr.u;
        assert_int_equal(getsockname(fd, &addr.u.sa, &addr.len), 0);
        assert_int_equal(format(&addr, 1, text), sizeof name.sun_path);
        assert_memory_equal(text, name.sun_path, sizeof name.sun_path);
        memcpy(text, name.sun_path, sizeof name.sun_path);
        text[sizeof name.sun_path] = '\0';
        unlink(text);
    }
    close(fd);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(directory), 0);
    if (bound != 0) skip();
}

#if LS_HAVE_ABSTRACT_UNIX
static void an_abstract_name_that_fills_the_structure(void **state) {
    char text[1 + PATH_ROOM], written[LS_ADDR_TEXT + 1];
    int fd = kernel_socket(SOCK_DGRAM);
    ls_Addr addr;
    (void)state;
    memset(text, 0, sizeof text);
    text[0] = '@';
    snprintf(text + 1, PATH_ROOM, "addr_test %ld", (long)getpid());
    assert_int_equal(parse(text, PATH_ROOM, 0, &addr), 0);
    assert_int_equal(bind(fd, &addr.u.sa, addr.len), 0);
    memset(&addr, 0xaa, sizeof addr);
    addr.len = sizeof addr.u;
    assert_int_equal(getsockname(fd, &addr.u.sa, &addr.len), 0);
    close(fd);
    assert_int_equal(addr.len, sizeof(struct sockaddr_un));
    assert_int_equal(format(&addr, 1, written), PATH_ROOM);
    assert_memory_equal(written, text, PATH_ROOM);
}
#endif

/* ---- ports ---- */

static void ports(void **state) {
    static const unsigned numbers[] = { 0, 1, 80, 255, 256, 1024, 32767, 32768, 65534, 65535 };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(numbers); i++) {
        ls_Addr in4 = must_parse("1.2.3.4", numbers[i]), in6 = must_parse("::1", numbers[i]);
        assert_int_equal(in4.u.in4.sin_port, htons((uint16_t)numbers[i]));
        assert_int_equal(in6.u.in6.sin6_port, htons((uint16_t)numbers[i]));
        assert_int_equal(ls_addr_port(&in4), numbers[i]);
        assert_int_equal(ls_addr_port(&in6), numbers[i]);
        ls_addr_setport(&in4, 65535 - numbers[i]);
        ls_addr_setport(&in6, 65535 - numbers[i]);
        assert_int_equal(ls_addr_port(&in4), 65535 - numbers[i]);
        assert_int_equal(ls_addr_port(&in6), 65535 - numbers[i]);
        expect_text(&in4, 1, "1.2.3.4");
        expect_text(&in6, 1, "::1");
    }
}

static void a_path_has_no_port(void **state) {
    ls_Addr path = must_parse("/a/b", 65535), before = path;
    (void)state;
    ls_addr_setport(&path, 80);
    assert_memory_equal(&path, &before, sizeof path);
    assert_int_equal(ls_addr_port(&path), 0);
}

/* ---- copy ---- */

static void copies(void **state) {
    ls_Addr in4 = must_parse("1.2.3.4", 80), in6 = must_parse("fe80::1", 81), copy;
    const void *end;
    (void)state;
    in6.u.in6.sin6_scope_id = 3;
    end = at_guard((const char *)&in4.u.in4, sizeof in4.u.in4);
    memset(&copy, 0xaa, sizeof copy);
    ls_addr_copy(&copy, end, AF_INET);
    assert_int_equal(copy.len, sizeof(struct sockaddr_in));
    assert_int_equal(copy.ifindex, 0);
    assert_true(ls_addr_equal(&copy, &in4));
    end = at_guard((const char *)&in6.u.in6, sizeof in6.u.in6);
    memset(&copy, 0xaa, sizeof copy);
    ls_addr_copy(&copy, end, AF_INET6);
    assert_int_equal(copy.len, sizeof(struct sockaddr_in6));
    assert_true(ls_addr_equal(&copy, &in6));
}

/* A netmask need not say its family. */
static void copies_of_a_given_family(void **state) {
    ls_Addr mask = must_parse("255.255.255.0", 0), copy;
    (void)state;
    mask.u.sa.sa_family = AF_UNSPEC;
    ls_addr_copy(&copy, &mask.u.sa, AF_INET);
    assert_int_equal(ls_addr_family(&copy), AF_INET);
    expect_text(&copy, 1, "255.255.255.0");
}

/* ---- suit ---- */

static void suited_addresses(void **state) {
    ls_Addr in4 = must_parse("1.2.3.4", 4711), in6 = must_parse("fe80::1", 80), path = must_parse("/p", 0), before;
    (void)state;
    before = in4;
    assert_int_equal(ls_addr_suit(&in4, AF_INET), 0);
    assert_memory_equal(&in4, &before, sizeof in4);
    before = in6;
    assert_int_equal(ls_addr_suit(&in6, AF_INET6), 0);
    assert_memory_equal(&in6, &before, sizeof in6);
    before = path;
    assert_int_equal(ls_addr_suit(&path, AF_UNIX), 0);
    assert_memory_equal(&path, &before, sizeof path);
    assert_int_equal(ls_addr_suit(&in4, AF_INET6), 0);
    assert_int_equal(in4.len, sizeof in4.u.in6);
    assert_int_equal(ls_addr_family(&in4), AF_INET6);
    assert_int_equal(ls_addr_port(&in4), 4711);
    assert_int_equal(in4.u.in6.sin6_scope_id, 0);
    assert_int_equal(in4.u.in6.sin6_flowinfo, 0);
    expect_text(&in4, 1, "::ffff:1.2.3.4");
    in4 = must_parse("255.255.255.255", 65535);
    assert_int_equal(ls_addr_suit(&in4, AF_INET6), 0);
    expect_text(&in4, 1, "::ffff:255.255.255.255");
}

static void addresses_that_cannot_be_suited(void **state) {
    static const char *const texts[] = { "1.2.3.4", "fe80::1", "::ffff:1.2.3.4", "/p" };
    static const int families[] = { AF_INET, AF_INET6, AF_UNIX };
    size_t i, k;
    (void)state;
    for (i = 0; i < COUNT(texts); i++) {
        for (k = 0; k < COUNT(families); k++) {
            ls_Addr addr = must_parse(texts[i], 80), before = addr;
            int family = ls_addr_family(&addr);
            if (family == families[k] || (family == AF_INET && families[k] == AF_INET6)) continue;
            assert_int_equal(ls_addr_suit(&addr, families[k]), EAFNOSUPPORT);
            assert_memory_equal(&addr, &before, sizeof addr);
        }
    }
}

/* sockaddr_in has no room for a zone: an address that was given one must not go to another interface. */
static void a_zone_that_would_be_lost(void **state) {
    static const char *const without[] = { "239.1.2.3", "127.0.0.1", "::1", "ff02::1", "/p" };
    char name[IF_NAMESIZE], text[64];
    ls_Addr addr;
    size_t i;
    (void)state;
    some_interface(name);
    snprintf(text, sizeof text, "239.1.2.3%%%s", name);
    addr = must_parse(text, 7);
    assert_true(ls_addr_haslostzone(&addr));
    assert_int_equal(ls_addr_suit(&addr, AF_INET), EINVAL);
    assert_int_equal(ls_addr_suit(&addr, AF_INET6), EINVAL);
    snprintf(text, sizeof text, "ff02::1%%%s", name);
    addr = must_parse(text, 7);
    assert_false(ls_addr_haslostzone(&addr));
    assert_int_equal(ls_addr_suit(&addr, AF_INET6), 0);
    for (i = 0; i < COUNT(without); i++) {
        addr = must_parse(without[i], 7);
        assert_false(ls_addr_haslostzone(&addr));
    }
}

/* ---- groups ---- */

static void groups(void **state) {
    static const char *const yes[] = { "224.0.0.0", "224.0.0.1", "239.1.2.3", "239.255.255.255", "ff00::", "ff02::1",
                                       "ff0e::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" };
    static const char *const no[] = { "223.255.255.255", "240.0.0.0", "255.255.255.255", "127.0.0.1", "0.0.0.0", "::",
                                      "::1", "fe80::1", "feff:ffff::", "::ffff:224.0.0.1", "/ff02::1", "/224.0.0.1" };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(yes); i++) {
        ls_Addr addr = must_parse(yes[i], 80);
        if (!ls_addr_isgroup(&addr)) fail_msg("%s is no group", yes[i]);
    }
    for (i = 0; i < COUNT(no); i++) {
        ls_Addr addr = must_parse(no[i], 80);
        if (ls_addr_isgroup(&addr)) fail_msg("%s is a group", no[i]);
    }
}

/* ---- equal ---- */

static void equal_and_different(void **state) {
    static const char *const texts[] = { "1.2.3.4", "1.2.3.5", "::1", "::2", "::ffff:1.2.3.4", "/p", "/p/", "/q",
#if LS_HAVE_ABSTRACT_UNIX
                                         "@p", "@pp", "@", "@/p",
#endif
    };
    size_t i, k;
    (void)state;
    for (i = 0; i < COUNT(texts); i++) {
        for (k = 0; k < COUNT(texts); k++) {
            ls_Addr a = must_parse(texts[i], 80), b = must_parse(texts[k], 80);
            if (ls_addr_equal(&a, &b) != (i == k)) fail_msg("\"%s\" and \"%s\"", texts[i], texts[k]);
        }
    }
}

static void what_makes_a_difference(void **state) {
    ls_Addr a = must_parse("1.2.3.4", 80), b = must_parse("1.2.3.4", 81);
    (void)state;
    assert_false(ls_addr_equal(&a, &b));
    ls_addr_setport(&b, 80);
    assert_true(ls_addr_equal(&a, &b));
    memset(b.u.in4.sin_zero, 0xff, sizeof b.u.in4.sin_zero); /* padding means nothing */
    assert_true(ls_addr_equal(&a, &b));
    a = b = must_parse("fe80::1", 80);
    assert_true(ls_addr_equal(&a, &b));
    b.u.in6.sin6_scope_id = 1;
    assert_false(ls_addr_equal(&a, &b));
    b = must_parse("fe80::1", 81);
    assert_false(ls_addr_equal(&a, &b));
}

/* ---- bytes ---- */

static void bytes_and_back(void **state) {
    static const struct {
        const char *text;
        size_t len;
        unsigned char bytes[LS_ADDR_BYTES];
    } rows[] = {
        { "1.2.3.4", 4, { 1, 2, 3, 4 } },
        { "::1", 16, { [15] = 1 } },
        { "::ffff:1.2.3.4", 16, { [10] = 0xff, 0xff, 1, 2, 3, 4 } },
        { "/tmp/x", 0, { 0 } },
    };
    size_t i, len;
    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        ls_Addr addr = must_parse(rows[i].text, 80), back;
        unsigned char bytes[LS_ADDR_BYTES];
        assert_int_equal(ls_addr_bytes(&addr, bytes), rows[i].len);
        assert_memory_equal(bytes, rows[i].bytes, rows[i].len);
        if (rows[i].len == 0) continue;
        ls_addr_setport(&addr, 0);
        assert_int_equal(ls_addr_frombytes(&back, bytes, rows[i].len), 0);
        assert_true(ls_addr_equal(&addr, &back) && back.len == addr.len);
    }
    for (len = 0; len < 20; len++) {
        ls_Addr addr;
        if (len != 4 && len != 16) assert_int_equal(ls_addr_frombytes(&addr, "twenty bytes of zeros", len), EINVAL);
    }
}

#if LS_HAVE_ABSTRACT_UNIX
static void an_abstract_name_of_no_bytes(void **state) {
    ls_Addr blank = must_parse("@", 0), named = must_parse("@a", 0), nul, path = must_parse("/", 0);
    (void)state;
    assert_int_equal(ls_addr_parse("@\0", 2, 0, &nul), 0);
    assert_true(ls_addr_isblank(&blank));
    assert_false(ls_addr_isblank(&named) || ls_addr_isblank(&nul) || ls_addr_isblank(&path));
}
#endif

/* ---- codes ---- */

static void resolver_codes_travel_beside_errno(void **state) {
    static const int codes[] = { EAI_NONAME, EAI_AGAIN, EAI_FAIL, EAI_FAMILY, EAI_MEMORY, EAI_SERVICE, EAI_SOCKTYPE };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(codes); i++) {
        assert_true(LS_ISEAI(LS_EAI(codes[i])));
        assert_int_equal(LS_EAI_CODE(LS_EAI(codes[i])), codes[i]);
    }
    assert_false(LS_ISEAI(0));
    assert_false(LS_ISEAI(ENAMETOOLONG));
    assert_false(LS_ISEAI(LS_ADDR_NAME));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unnamed_peer_is_a_unix_one),
        cmocka_unit_test(a_path_that_fills_the_structure),
#if LS_HAVE_ABSTRACT_UNIX
        cmocka_unit_test(an_abstract_name_that_fills_the_structure),
#endif
        cmocka_unit_test(ports),
        cmocka_unit_test(a_path_has_no_port),
        cmocka_unit_test(copies),
        cmocka_unit_test(copies_of_a_given_family),
        cmocka_unit_test(suited_addresses),
        cmocka_unit_test(addresses_that_cannot_be_suited),
        cmocka_unit_test(a_zone_that_would_be_lost),
        cmocka_unit_test(groups),
        cmocka_unit_test(equal_and_different),
        cmocka_unit_test(what_makes_a_difference),
        cmocka_unit_test(bytes_and_back),
#if LS_HAVE_ABSTRACT_UNIX
        cmocka_unit_test(an_abstract_name_of_no_bytes),
#endif
        cmocka_unit_test(resolver_codes_travel_beside_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
