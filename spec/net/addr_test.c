/* ls_addr: what each text means, and that it is written again as it should be. What can be done with an address then is
   left to addr_value_test.c, what a look-up makes of a name to gai_test.c. */
#include "addr_check.h"

#include <limits.h>
#include <netinet/in.h>

/* ---- IPv4 ---- */

typedef struct Meaning {
    const char *text, *written;
} Meaning;

static void ipv4_in_four_parts(void **state) {
    static const char *const texts[] = { "0.0.0.0", "1.2.3.4", "127.0.0.1", "192.168.100.200", "255.255.255.255" };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(texts); i++) expect_address(texts[i], AF_INET, texts[i]);
}

static void ipv4_in_the_older_spellings(void **state) {
    static const Meaning rows[] = {
        { "127.1", "127.0.0.1" },
        { "0x7f.1", "127.0.0.1" },
        { "0X7F.1", "127.0.0.1" },
        { "0177.1", "127.0.0.1" },
        { "2130706433", "127.0.0.1" },
        { "0x7f000001", "127.0.0.1" },
        { "017700000001", "127.0.0.1" },
        { "127.0.1", "127.0.0.1" },
        { "127.0x1", "127.0.0.1" },
        { "0x7f.0.0x0.01", "127.0.0.1" },
        { "010.0.0.1", "8.0.0.1" },
        { "0", "0.0.0.0" },
        { "00", "0.0.0.0" },
        { "1", "0.0.0.1" },
        { "256", "0.0.1.0" },
        { "0xcafe", "0.0.202.254" },
        { "4294967295", "255.255.255.255" },
        { "127.16777215", "127.255.255.255" },
        { "127.1.65535", "127.1.255.255" },
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(rows); i++) expect_address(rows[i].text, AF_INET, rows[i].written);
}

/* Nothing made of digits and dots is left to a resolver. */
static void digits_and_dots_that_are_no_address(void **state) {
    static const char *const texts[] = {
        ".", "..", "...", "1.", ".1", "1.2.3.", ".1.2.3.4", "1..2", "1.2.3.4.", "1.2.3.4.5", "1.2.3.256", "256.0.0.1",
        "1.256.1.1", "1.2.65536", "127.16777216", "4294967296", "99999999999999999999999999", "08", "09.1.1.1",
        "1.2.3.08", "0400.1.1.1", "18446744073709551617", "340282366920938463463374607431768211457",
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(texts); i++) expect_answer(texts[i], NONAME);
}

/* ---- host names ---- */

static void names_are_left_to_a_resolver(void **state) {
    static const char *const names[] = {
        "localhost", "db", "cafe", "fe", "feed.example", "0xcafe.example", "beef", "a", "a1", "1a", "1e", "1e3", "x",
        "x1", "0x", "0xg", "0x1g", "1.2.3.0x", "1.2.3.4a", "a.1.2.3", "1.2.3.4.example", "example.",
        "xn--bcher-kva.example", "caf\xc3\xa9.example", "under_score", "-dash", "UPPER.example",
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(names); i++) expect_answer(names[i], LS_ADDR_NAME);
}

/* inet_aton would stop at the blank and be content with what stands before. */
static void an_address_with_something_behind_is_none(void **state) {
    static const char *const texts[] = { "127.0.0.1 ", "127.0.0.1 x", "127.0.0.1\n", "127.0.0.1\t", " 127.0.0.1", "1 ",
                                         "+1", "-1", "127.0.0.1x", "127.0.0.1,", "127.0.0.1;1", "127,0,0,1" };
    ls_Addr addr;
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(texts); i++)
        if (parse(texts[i], strlen(texts[i]), 0, &addr) == 0) fail_msg("\"%s\" is taken for an address", texts[i]);
}

static void nothing_is_no_name(void **state) {
    (void)state;
    expect_answer("", NONAME);
    expect_answer("[]", NONAME);
}

/* No host name is longer than NI_MAXHOST with its NUL. */
static void names_of_every_length(void **state) {
    static char name[MEGABYTE];
    ls_Addr addr;
    (void)state;
    memset(name, 'a', sizeof name);
    assert_int_equal(parse(name, 253, 0, &addr), LS_ADDR_NAME);
    assert_int_equal(parse(name, NI_MAXHOST - 1, 0, &addr), LS_ADDR_NAME);
    assert_int_equal(parse(name, NI_MAXHOST, 0, &addr), ENAMETOOLONG);
    assert_int_equal(parse(name, NI_MAXHOST + 1, 0, &addr), ENAMETOOLONG);
    assert_int_equal(parse(name, sizeof name, 0, &addr), ENAMETOOLONG);
    memset(name, '1', sizeof name);
    assert_int_equal(parse(name, NI_MAXHOST - 1, 0, &addr), NONAME);
    assert_int_equal(parse(name, sizeof name, 0, &addr), ENAMETOOLONG);
    memset(name, ':', sizeof name);
    assert_int_equal(parse(name, NI_MAXHOST - 1, 0, &addr), NONAME);
    assert_int_equal(parse(name, sizeof name, 0, &addr), ENAMETOOLONG);
}

/* ---- IPv6 ---- */

static void ipv6(void **state) {
    static const Meaning rows[] = {
        { "::", "::" },
        { "::1", "::1" },
        { "1::", "1::" },
        { "FE80::A", "fe80::a" },
        { "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8" },
        { "2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1" },
        { "2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
        { "::ffff:1.2.3.4", "::ffff:1.2.3.4" },
        { "::ffff:102:304", "::ffff:1.2.3.4" },
        { "ff02::1:2", "ff02::1:2" },
        { "0:0:0:0:0:ffff:255.255.255.255", "::ffff:255.255.255.255" },
        { "64:ff9b::1.2.3.4", "64:ff9b::102:304" },
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(rows); i++) expect_address(rows[i].text, AF_INET6, rows[i].written);
}

static void colons_that_are_no_ipv6_address(void **state) {
    static const char *const texts[] = {
        ":", ":::", "1::2::3", "12345::", "::g", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1.2.3", "::1.2.3.256", "a:b",
        "localhost:80", "127.0.0.1:80", "[::1]:80", "cafe:", ":cafe", "::1 ", " ::1", "::1.2.3.4:5", "1:2:3:4:5:6:7:8:",
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(texts); i++) expect_answer(texts[i], NONAME);
}

static void brackets_around_an_address(void **state) {
    char name[IF_NAMESIZE], text[64], written[64];
    (void)state;
    expect_address("[::1]", AF_INET6, "::1");
    expect_address("[::]", AF_INET6, "::");
    expect_address("[127.0.0.1]", AF_INET, "127.0.0.1");
    expect_address("[127.1]", AF_INET, "127.0.0.1");
    some_interface(name);
    snprintf(text, sizeof text, "[fe80::1%%%s]", name);
    snprintf(written, sizeof written, "fe80::1%%%s", name);
    expect_address(text, AF_INET6, written);
}

/* They stand around numbers only, so a resolver is not asked. */
static void brackets_around_what_is_no_address(void **state) {
    static const char *const texts[] = { "[]", "[localhost]", "[cafe]", "[1.2.3.4.5]", "[1.]", "[ ]", "[1e]", "[x]" };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(texts); i++) expect_answer(texts[i], NONAME);
}

static void brackets_that_do_not_match(void **state) {
    static const char *const texts[] = { "[::1", "::1]", "[[::1]]", "[::1]]", "[[::1]", "[::1]x", "x[::1]", "[]::1",
                                         "[::1][", "[::1]%1", "[[1.2.3.4]]" };
    static const char *const others[] = { "[", "]", "][", "[1.2.3.4", "1.2.3.4]", "[x", "x]" };
    ls_Addr addr;
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(texts); i++) expect_answer(texts[i], NONAME);
    for (i = 0; i < COUNT(others); i++)
        if (parse(others[i], strlen(others[i]), 0, &addr) == 0) fail_msg("\"%s\" is taken for an address", others[i]);
}

/* ---- zones ---- */

static void zones_by_name_and_index(void **state) {
    static const char *const addresses[] = { "fe80::1", "ff02::1", "ff01::5", "::1", "2001:db8::1" };
    char name[IF_NAMESIZE], text[96], written[96];
    unsigned index = some_interface(name);
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(addresses); i++) {
        ls_Addr addr;
        snprintf(written, sizeof written, "%s%%%s", addresses[i], name);
        addr = must_parse(written, 7);
        assert_int_equal(addr.u.in6.sin6_scope_id, index);
        assert_int_equal(addr.len, sizeof addr.u.in6);
        expect_text(&addr, 1, written);
        expect_text(&addr, 0, addresses[i]);
        snprintf(text, sizeof text, "%s%%%u", addresses[i], index);
        addr = must_parse(text, 7);
        assert_int_equal(addr.u.in6.sin6_scope_id, index);
        expect_text(&addr, 1, written);
        addr = must_parse(addresses[i], 7);
        assert_int_equal(addr.u.in6.sin6_scope_id, 0);
        expect_text(&addr, 1, addresses[i]);
    }
}

static void zones_that_do_not_exist(void **state) {
    static const char *const texts[] = {
        "fe80::1%nosuchif0", "fe80::1%", "fe80::1%0", "fe80::1%-1", "fe80::1%+1", "fe80::1% 1", "fe80::1%1 ",
        "fe80::1%0x1", "fe80::1%1x", "fe80::1%4294967296", "fe80::1%99999999999999999999999",
        "fe80::1%nosuchinterfacename0123456789", "[fe80::1%nosuchif0]", "fe80::1%%",
        "239.1.2.3%nosuchif0", "239.1.2.3%", "239.1.2.3%0", "fe80::1%[",
    };
    char name[IF_NAMESIZE], text[96];
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(texts); i++) expect_answer(texts[i], ENODEV);
    some_interface(name);
    snprintf(text, sizeof text, "fe80::1%%%s%%%s", name, name);
    expect_answer(text, ENODEV);
    snprintf(text, sizeof text, "fe80::1%%%s ", name);
    expect_answer(text, ENODEV);
    snprintf(text, sizeof text, "fe80::1%%%sxxxxxxxxxxxxxxxxxxxxxxxxxx", name);
    expect_answer(text, ENODEV);
}

static void zones_of_what_has_none(void **state) {
    static const char *const beginnings[] = { "127.0.0.1", "127.1", "0.0.0.0", "223.255.255.255", "240.0.0.0",
                                              "255.255.255.255", "localhost", "cafe", "", "1.2.3.4.5", "fe80::1::" };
    char name[IF_NAMESIZE], text[96];
    size_t i;
    (void)state;
    some_interface(name);
    for (i = 0; i < COUNT(beginnings); i++) {
        snprintf(text, sizeof text, "%s%%%s", beginnings[i], name);
        expect_answer(text, NONAME);
        snprintf(text, sizeof text, "%s%%nosuchif0", beginnings[i]);
        expect_answer(text, NONAME);
    }
}

static void zones_of_ipv4_groups(void **state) {
    static const char *const groups[] = { "224.0.0.0", "224.0.0.251", "239.1.2.3", "239.255.255.255" };
    char name[IF_NAMESIZE], text[96];
    unsigned index = some_interface(name);
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(groups); i++) {
        ls_Addr addr;
        snprintf(text, sizeof text, "%s%%%s", groups[i], name);
        addr = must_parse(text, 7);
        assert_int_equal(addr.ifindex, index);
        assert_int_equal(addr.len, sizeof addr.u.in4);
        assert_int_equal(ls_addr_port(&addr), 7);
        expect_text(&addr, 0, groups[i]);
        snprintf(text, sizeof text, "%s%%%u", groups[i], index);
        assert_int_equal(must_parse(text, 7).ifindex, index);
        assert_int_equal(must_parse(groups[i], 7).ifindex, 0);
    }
}

/* An interface that is gone leaves its index behind in addresses. */
static void zones_without_a_name_are_written_as_numbers(void **state) {
    ls_Addr addr = must_parse("fe80::1", 0);
    (void)state;
    addr.u.in6.sin6_scope_id = 2147480001;
    expect_text(&addr, 1, "fe80::1%2147480001");
    expect_text(&addr, 0, "fe80::1");
    addr = must_parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0);
    addr.u.in6.sin6_scope_id = UINT_MAX;
    expect_text(&addr, 1, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295");
}

/* ---- unix ---- */

static void paths(void **state) {
    static const char *const texts[] = { "/", "//", "/tmp/x", "./x", "x/", "a/b", "127.0.0.1/8", "[/]", "::1/64", "%/",
                                         "/@", "x@/", "/with blank/\xff" };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(texts); i++) {
        size_t len = strlen(texts[i]);
        ls_Addr addr = must_parse(texts[i], 80);
        assert_int_equal(addr.u.un.sun_family, AF_UNIX);
        assert_int_equal(addr.len, PATH_OFFSET + len + 1);
        assert_string_equal(addr.u.un.sun_path, texts[i]);
        assert_int_equal(ls_addr_family(&addr), AF_UNIX);
        assert_int_equal(ls_addr_port(&addr), 0);
        expect_text(&addr, 1, texts[i]);
    }
}

/* A path keeps room for its NUL; an abstract name needs one byte before it. Neither is ever cut. */
static void unix_lengths(void **state) {
    static char text[MEGABYTE];
    char written[LS_ADDR_TEXT + 1];
    size_t len;
    int abstract;
    (void)state;
    for (abstract = 0; abstract <= LS_HAVE_ABSTRACT_UNIX; abstract++) {
        memset(text, 'p', sizeof text);
        text[0] = abstract ? '@' : '/';
        for (len = 1; len < PATH_ROOM + 20; len++) {
            ls_Addr addr;
            int err = parse(text, len, 0, &addr);
            if (len >= PATH_ROOM + (size_t)abstract) {
                assert_int_equal(err, ENAMETOOLONG);
                continue;
            }
            assert_int_equal(err, 0);
            assert_int_equal(addr.len, PATH_OFFSET + len + !abstract);
            assert_int_equal(format(&addr, 1, written), len);
            assert_memory_equal(written, text, len);
        }
        assert_int_equal(parse(text, sizeof text, 0, &(ls_Addr){ 0 }), ENAMETOOLONG);
    }
    text[0] = 'p';
    text[sizeof text - 1] = '/';
    assert_int_equal(parse(text, sizeof text, 0, &(ls_Addr){ 0 }), ENAMETOOLONG);
}

#if LS_HAVE_ABSTRACT_UNIX

static void expect_abstract(const char *text, size_t len) {
    char written[LS_ADDR_TEXT + 1];
    ls_Addr addr;
    assert_int_equal(parse(text, len, 80, &addr), 0);
    assert_int_equal(addr.u.un.sun_family, AF_UNIX);
    assert_int_equal(addr.len, PATH_OFFSET + len);
    assert_int_equal(addr.u.un.sun_path[0], 0);
    assert_memory_equal(addr.u.un.sun_path + 1, text + 1, len - 1);
    assert_int_equal(ls_addr_port(&addr), 0);
    assert_int_equal(format(&addr, 1, written), len);
    assert_memory_equal(written, text, len);
}

static void abstract_names(void **state) {
    static const char nuls[] = "@a\0b\0\0c\0", only_nuls[] = "@\0\0\0", slashes[] = "@a/b/", address[] = "@127.0.0.1";
    (void)state;
    expect_abstract("@", 1);
    expect_abstract("@@", 2);
    expect_abstract("@name", 5);
    expect_abstract(nuls, sizeof nuls - 1);
    expect_abstract(nuls, sizeof nuls);
    expect_abstract(only_nuls, sizeof only_nuls);
    expect_abstract(slashes, sizeof slashes - 1);
    expect_abstract(address, sizeof address - 1);
}

#else

static void abstract_names(void **state) {
    (void)state;
    expect_answer("@", EAFNOSUPPORT);
    expect_answer("@name", EAFNOSUPPORT);
    expect_answer("@a/b", EAFNOSUPPORT);
}

#endif

static int isunix(const char *text) {
    size_t len = strlen(text);
    return ls_addr_isunix(at_guard(text, len), len);
}

static void which_texts_are_unix(void **state) {
    (void)state;
    assert_true(isunix("@"));
    assert_true(isunix("@x"));
    assert_true(isunix("/"));
    assert_true(isunix("x/"));
    assert_true(isunix("xxxxxxxx/xxxxxx"));
    assert_true(ls_addr_isunix("a\0/", 3));
    assert_false(ls_addr_isunix("a/", 1));
    assert_false(isunix(""));
    assert_false(isunix("x"));
    assert_false(isunix("x@"));
    assert_false(isunix("::1"));
    assert_false(isunix("127.0.0.1"));
    assert_false(isunix("\\\\host\\share"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4_in_four_parts),
        cmocka_unit_test(ipv4_in_the_older_spellings),
        cmocka_unit_test(digits_and_dots_that_are_no_address),
        cmocka_unit_test(names_are_left_to_a_resolver),
        cmocka_unit_test(an_address_with_something_behind_is_none),
        cmocka_unit_test(nothing_is_no_name),
        cmocka_unit_test(names_of_every_length),
        cmocka_unit_test(ipv6),
        cmocka_unit_test(colons_that_are_no_ipv6_address),
        cmocka_unit_test(brackets_around_an_address),
        cmocka_unit_test(brackets_around_what_is_no_address),
        cmocka_unit_test(brackets_that_do_not_match),
        cmocka_unit_test(zones_by_name_and_index),
        cmocka_unit_test(zones_that_do_not_exist),
        cmocka_unit_test(zones_of_what_has_none),
        cmocka_unit_test(zones_of_ipv4_groups),
        cmocka_unit_test(zones_without_a_name_are_written_as_numbers),
        cmocka_unit_test(paths),
        cmocka_unit_test(unix_lengths),
        cmocka_unit_test(abstract_names),
        cmocka_unit_test(which_texts_are_unix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
