/* ls_gai: names of this machine's hosts file, with the system's resolver; and src/net/gai.c compiled a second time over
   a resolver of the test's own, which answers what no real one can be made to. */
#include "net/gai.h"

#include "check.h"

#define NONAME LS_EAI(EAI_NONAME)

/* ---- a resolver that does as it is told ---- */

static struct Resolver {
    int code, system_error;
    struct addrinfo *list;
    int calls, lists_out, family, flags;
    char name[NI_MAXHOST];
} resolver;

static int resolve(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list) {
    resolver.calls++;
    resolver.family = hints->ai_family;
    resolver.flags = hints->ai_flags;
    snprintf(resolver.name, sizeof resolver.name, "%s", name);
    assert_null(service);
    errno = resolver.system_error;
    if (resolver.code) return resolver.code;
    *list = resolver.list;
    resolver.lists_out++;
    return 0;
}

static void release(struct addrinfo *list) {
    assert_ptr_equal(list, resolver.list);
    resolver.lists_out--;
}

/* The resolver's answer about an address: a code, or the name "told". */
static int name_of(const struct sockaddr *sa, socklen_t len, char *name, socklen_t room, char *service,
                   socklen_t service_room, int flags) {
    resolver.calls++;
    resolver.family = sa->sa_family;
    resolver.flags = flags;
    assert_true(len > 0 && room == NI_MAXHOST && !service && service_room == 0);
    errno = resolver.system_error;
    if (resolver.code == 0) memcpy(name, "told", 5);
    return resolver.code;
}

int told_lookup(const char *name, size_t len, int family, int canonical, struct addrinfo **list);
int told_reverse(const ls_Addr *addr, char name[NI_MAXHOST]);
int told_reach(const char *text, size_t len, unsigned port, int family, ls_TryAddr *try, void *context);
int told_try(const char *text, size_t len, unsigned port, int family, ls_TryAddr *try, void *context);

#define ls_gai_lookup told_lookup
#define ls_gai_try told_try
#define ls_gai_reverse told_reverse
#define ls_gai_reach told_reach
#define getnameinfo(...) name_of(__VA_ARGS__)
#define getaddrinfo(...) resolve(__VA_ARGS__)
#define freeaddrinfo(list) release(list)

#include "net/gai.c"

#undef ls_gai_lookup
#undef ls_gai_try
#undef ls_gai_reverse
#undef ls_gai_reach
#undef getnameinfo
#undef getaddrinfo
#undef freeaddrinfo

static void tell(int code, int system_error, struct addrinfo *list) {
    memset(&resolver, 0, sizeof resolver);
    resolver.code = code;
    resolver.system_error = system_error;
    resolver.list = list;
}

/* ---- somebody who tries addresses ---- */

typedef struct Trier {
    int answers[8]; /* to each call; 0 after the last */
    int calls;
    ls_Addr seen[8];
} Trier;

static int try_one(void *context, const ls_Addr *addr) {
    Trier *trier = context;
    assert_true(trier->calls < (int)COUNT(trier->seen));
    trier->seen[trier->calls] = *addr;
    return trier->answers[trier->calls++];
}

static void expect_seen(const Trier *trier, int call, const char *text, unsigned port) {
    ls_Addr wanted;
    assert_int_equal(ls_addr_parse(text, strlen(text), port, &wanted), 0);
    assert_true(call < trier->calls);
    assert_int_equal(trier->seen[call].len, wanted.len);
    if (!ls_addr_equal(&trier->seen[call], &wanted)) fail_msg("call %d is not about %s", call, text);
}

/* The name ends where readable memory does. */
static const char *at_guard(const char *text) {
    static char *end;
    size_t len = strlen(text);
    if (!end) end = guarded(2 * NI_MAXHOST);
    return memcpy(end - len, text, len);
}

static int lookup(const char *name, int family, struct addrinfo **list) {
    return ls_gai_lookup(at_guard(name), strlen(name), family, 0, list);
}

/* ---- look-ups ---- */

static void localhost_is_here(void **state) {
    struct addrinfo *list = NULL, *item;
    int count = 0;
    (void)state;
    assert_int_equal(lookup("localhost", AF_UNSPEC, &list), 0);
    for (item = list; item; item = item->ai_next) {
        char text[LS_ADDR_TEXT];
        ls_Addr addr;
        size_t len;
        ls_addr_copy(&addr, item->ai_addr, item->ai_family);
        len = ls_addr_format(&addr, 1, text);
        assert_true((len == 9 && memcmp(text, "127.0.0.1", 9) == 0) || (len == 3 && memcmp(text, "::1", 3) == 0));
        count++;
    }
    freeaddrinfo(list);
    assert_in_range(count, 1, 2); /* each once, not once for each type of socket */
}

static void names_of_the_hosts_file(void **state) {
    static const struct {
        const char *name, *address;
    } rows[] = {
        { "db", "127.0.0.1" },           { "cafe", "127.0.0.1" },           { "fe", "127.0.0.1" },
        { "feed.example", "127.0.0.1" }, { "0xcafe.example", "127.0.0.2" }, { "six.example", "::1" },
    };
    size_t i;
    (void)state;
    if (!in_sandbox()) skip();
    for (i = 0; i < COUNT(rows); i++) {
        struct addrinfo *list = NULL;
        Trier trier = { { 0 }, 0, { { 0 } } };
        if (lookup(rows[i].name, AF_UNSPEC, &list) != 0) fail_msg("no %s", rows[i].name);
        assert_null(list->ai_next);
        freeaddrinfo(list);
        assert_int_equal(ls_gai_try(at_guard(rows[i].name), strlen(rows[i].name), 80, AF_UNSPEC, try_one, &trier), 0);
        assert_int_equal(trier.calls, 1);
        expect_seen(&trier, 0, rows[i].address, 80);
    }
}

static void names_that_there_are_not(void **state) {
    static const char *const names[] = { "nosuchname.example", "nosuchname", "a..b", ".", "-", "db " };
    struct addrinfo *list = NULL;
    size_t i;
    (void)state;
    if (!in_sandbox()) skip();
    for (i = 0; i < COUNT(names); i++) {
        Trier trier = { { 0 }, 0, { { 0 } } };
        int err = lookup(names[i], AF_UNSPEC, &list);
        if (!LS_ISEAI(err)) fail_msg("\"%s\": %d", names[i], err);
        err = ls_gai_try(names[i], strlen(names[i]), 80, AF_UNSPEC, try_one, &trier);
        assert_true(LS_ISEAI(err));
        assert_int_equal(trier.calls, 0);
    }
#ifdef __GLIBC__ /* others ask a name server, too, of which there is none here */
    assert_int_equal(lookup("nosuchname.example", AF_UNSPEC, &list), NONAME);
#endif
}

static void lengths(void **state) {
    static char name[1 << 20];
    struct addrinfo *list = NULL;
    Trier trier = { { 0 }, 0, { { 0 } } };
    (void)state;
    memset(name, 'a', sizeof name);
    assert_int_equal(ls_gai_lookup(name, 0, AF_UNSPEC, 0, &list), NONAME);
    assert_int_equal(ls_gai_lookup(name, NI_MAXHOST, AF_UNSPEC, 0, &list), ENAMETOOLONG);
    assert_int_equal(ls_gai_lookup(name, sizeof name, AF_UNSPEC, 0, &list), ENAMETOOLONG);
    assert_int_equal(ls_gai_try(name, sizeof name, 80, AF_UNSPEC, try_one, &trier), ENAMETOOLONG);
    assert_int_equal(ls_gai_try(name, 0, 80, AF_UNSPEC, try_one, &trier), NONAME);
    assert_int_equal(trier.calls, 0);
    tell(EAI_AGAIN, 0, NULL);
    assert_int_equal(told_lookup(name, 0, AF_UNSPEC, 0, &list), NONAME);
    assert_int_equal(told_lookup(name, NI_MAXHOST, AF_UNSPEC, 0, &list), ENAMETOOLONG);
    assert_int_equal(resolver.calls, 0);
    tell(EAI_NONAME, 0, NULL);
    assert_int_equal(told_lookup(name, NI_MAXHOST - 1, AF_UNSPEC, 0, &list), NONAME);
    assert_int_equal(strlen(resolver.name), NI_MAXHOST - 1);
}

static void one_family_only(void **state) {
    static const int families[] = { AF_INET, AF_INET6 };
    struct addrinfo *list = NULL, *item;
    size_t i;
    (void)state;
    if (!in_sandbox()) skip();
    for (i = 0; i < COUNT(families); i++) {
        Trier trier = { { 0 }, 0, { { 0 } } };
        assert_int_equal(lookup("localhost", families[i], &list), 0);
        for (item = list; item; item = item->ai_next) assert_int_equal(item->ai_family, families[i]);
        freeaddrinfo(list);
        assert_int_equal(ls_gai_try("localhost", 9, 80, families[i], try_one, &trier), 0);
        expect_seen(&trier, 0, families[i] == AF_INET ? "127.0.0.1" : "::1", 80);
    }
    assert_true(LS_ISEAI(lookup("db", AF_INET6, &list)));
}

/* ---- trying ---- */

static void names_are_tried_in_the_systems_order(void **state) {
    static const char *const names[] = { "localhost", "twofaced.example", "halfreachable.example" };
    size_t i;
    (void)state;
    if (!in_sandbox()) skip();
    for (i = 0; i < COUNT(names); i++) {
        Trier trier = { { EPERM, EACCES, EIO, EPERM, EACCES, EIO, EPERM, EACCES }, 0, { { 0 } } };
        struct addrinfo *list = NULL, *item;
        int err = ls_gai_try(names[i], strlen(names[i]), 7, AF_UNSPEC, try_one, &trier), count = 0;
        assert_int_equal(lookup(names[i], AF_UNSPEC, &list), 0);
        for (item = list; item; item = item->ai_next, count++) {
            ls_Addr addr;
            ls_addr_copy(&addr, item->ai_addr, item->ai_family);
            ls_addr_setport(&addr, 7);
            assert_true(ls_addr_equal(&addr, &trier.seen[count]));
        }
        freeaddrinfo(list);
        assert_int_equal(count, trier.calls);
        assert_true(count > 1);
        assert_int_equal(err, trier.answers[count - 1]);
    }
}

static void the_first_that_works_ends_it(void **state) {
    Trier trier = { { EPERM, 0, EIO }, 0, { { 0 } } };
    (void)state;
    if (!in_sandbox()) skip();
    assert_int_equal(ls_gai_try("twofaced.example", 16, 7, AF_UNSPEC, try_one, &trier), 0);
    assert_int_equal(trier.calls, 2);
}

static void what_is_no_name_is_tried_once(void **state) {
    static const char *const texts[] = { "127.0.0.1", "127.1", "::1", "[::1]", "/tmp/x", "a/b",
#if LS_HAVE_ABSTRACT_UNIX
                                         "@name", "@",
#endif
    };
    static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 }, answers[] = { 0, ECONNREFUSED };
    size_t i, k, m;
    (void)state;
    for (i = 0; i < COUNT(texts); i++) {
        for (k = 0; k < COUNT(families); k++) {
            for (m = 0; m < COUNT(answers); m++) {
                Trier trier = { { answers[m] }, 0, { { 0 } } };
                tell(EAI_FAIL, 0, NULL);
                assert_int_equal(told_try(texts[i], strlen(texts[i]), 80, families[k], try_one, &trier), answers[m]);
                assert_int_equal(trier.calls, 1);
                expect_seen(&trier, 0, texts[i], 80);
                assert_int_equal(resolver.calls, 0);
            }
        }
    }
}

static void what_can_mean_nothing_is_not_tried(void **state) {
    static const struct {
        const char *text;
        int err;
    } rows[] = {
        { "", NONAME },
        { ".", NONAME },
        { "1.2.3.4.5", NONAME },
        { "1.2.3.256", NONAME },
        { "08", NONAME },
        { "::g", NONAME },
        { "localhost:80", NONAME },
        { "[localhost]", NONAME },
        { "[]", NONAME },
        { "127.0.0.1%1", NONAME },
        { "localhost%1", NONAME },
        { "fe80::1%nosuchif0", ENODEV },
        { "fe80::1%", ENODEV },
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        Trier trier = { { 0 }, 0, { { 0 } } };
        tell(EAI_FAIL, 0, NULL);
        if (told_try(rows[i].text, strlen(rows[i].text), 80, AF_UNSPEC, try_one, &trier) != rows[i].err)
            fail_msg("\"%s\"", rows[i].text);
        assert_int_equal(trier.calls, 0);
        if (resolver.calls != 0) fail_msg("\"%s\" is looked up", rows[i].text);
    }
}

/* ---- over the told resolver ---- */

static struct sockaddr_in in4 = { .sin_family = AF_INET };
static struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
static struct sockaddr_un un = { .sun_family = AF_UNIX };

static struct addrinfo item_of(int family, void *addr, struct addrinfo *next) {
    struct addrinfo item;
    memset(&item, 0, sizeof item);
    item.ai_family = family;
    item.ai_addr = addr;
    item.ai_next = next;
    return item;
}

static void a_name_is_asked_for_once_and_as_it_is(void **state) {
    static const char *const names[] = { "localhost", "cafe", "1e", "a.b", "x y", "127.0.0.1 " };
    static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 };
    struct addrinfo only = item_of(AF_INET, &in4, NULL), *list = NULL;
    size_t i, k;
    (void)state;
    for (i = 0; i < COUNT(names); i++) {
        for (k = 0; k < COUNT(families); k++) {
            Trier trier = { { 0 }, 0, { { 0 } } };
            tell(0, 0, &only);
            assert_int_equal(told_try(at_guard(names[i]), strlen(names[i]), 9, families[k], try_one, &trier), 0);
            assert_int_equal(resolver.calls, 1);
            assert_string_equal(resolver.name, names[i]);
            assert_int_equal(resolver.family, families[k]);
            assert_int_equal(resolver.flags, 0);
            assert_int_equal(resolver.lists_out, 0);
            tell(0, 0, &only);
            assert_int_equal(told_lookup(at_guard(names[i]), strlen(names[i]), families[k], 0, &list), 0);
            assert_ptr_equal(list, &only);
            assert_string_equal(resolver.name, names[i]);
            assert_int_equal(resolver.family, families[k]);
            assert_int_equal(resolver.lists_out, 1); /* the caller's to free */
        }
    }
}

static void why_a_look_up_failed(void **state) {
    static const int codes[] = { EAI_NONAME, EAI_AGAIN, EAI_FAIL, EAI_MEMORY, EAI_FAMILY };
    struct addrinfo *list = NULL;
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(codes); i++) {
        Trier trier = { { 0 }, 0, { { 0 } } };
        tell(codes[i], EIO, NULL);
        assert_int_equal(told_lookup("name", 4, AF_UNSPEC, 0, &list), LS_EAI(codes[i]));
        assert_int_equal(told_try("name", 4, 9, AF_UNSPEC, try_one, &trier), LS_EAI(codes[i]));
        assert_int_equal(trier.calls, 0);
    }
    tell(EAI_SYSTEM, EMFILE, NULL);
    assert_int_equal(told_lookup("name", 4, AF_UNSPEC, 0, &list), EMFILE);
    tell(EAI_SYSTEM, 0, NULL); /* never 0, which would mean that there is a list */
    assert_int_not_equal(told_lookup("name", 4, AF_UNSPEC, 0, &list), 0);
}

static void families_that_we_do_not_know_are_passed_over(void **state) {
    struct addrinfo last = item_of(AF_INET6, &in6, NULL), strange = item_of(AF_UNIX, &un, &last);
    struct addrinfo first = item_of(AF_INET, &in4, &strange), alone = item_of(AF_UNIX, &un, NULL);
    Trier trier = { { EPERM, EACCES }, 0, { { 0 } } }, idle = { { 0 }, 0, { { 0 } } };
    (void)state;
    tell(0, 0, &first);
    assert_int_equal(told_try("name", 4, 9, AF_UNSPEC, try_one, &trier), EACCES);
    assert_int_equal(trier.calls, 2);
    expect_seen(&trier, 0, "0.0.0.0", 9);
    expect_seen(&trier, 1, "::", 9);
    assert_int_equal(resolver.lists_out, 0);
    tell(0, 0, &alone);
    assert_int_equal(told_try("name", 4, 9, AF_UNSPEC, try_one, &idle), NONAME);
    assert_int_equal(idle.calls, 0);
    assert_int_equal(resolver.lists_out, 0);
}

static void the_last_failure_is_told_and_the_list_freed(void **state) {
    struct addrinfo third = item_of(AF_INET6, &in6, NULL), second = item_of(AF_INET, &in4, &third);
    struct addrinfo first = item_of(AF_INET6, &in6, &second);
    int working;
    (void)state;
    for (working = 0; working <= 3; working++) { /* the working one, if any */
        Trier trier = { { EPERM, EACCES, EIO }, 0, { { 0 } } };
        if (working < 3) trier.answers[working] = 0;
        tell(0, 0, &first);
        assert_int_equal(told_try("name", 4, 65535, AF_UNSPEC, try_one, &trier), working < 3 ? 0 : EIO);
        assert_int_equal(trier.calls, working < 3 ? working + 1 : 3);
        assert_int_equal(resolver.lists_out, 0);
        expect_seen(&trier, 0, "::", 65535);
    }
    assert_int_equal(in4.sin_port, 0); /* the resolver's list is not ours to change */
    assert_int_equal(in6.sin6_port, 0);
}

/* ---- canonical names, and those of addresses ---- */

static void a_canonical_name_where_it_is_asked_for(void **state) {
    struct addrinfo first = item_of(AF_INET, &in4, NULL), *list = NULL;
    (void)state;
    tell(0, 0, &first);
    assert_int_equal(told_lookup("name", 4, AF_INET, 0, &list), 0);
    assert_int_equal(resolver.flags & AI_CANONNAME, 0);
    assert_int_equal(told_lookup("name", 4, AF_INET, 1, &list), 0);
    assert_int_not_equal(resolver.flags & AI_CANONNAME, 0);
    if (!in_sandbox()) skip();
    assert_int_equal(ls_gai_lookup("cafe", 4, AF_INET, 1, &list), 0);
    assert_string_equal(list->ai_canonname, "db"); /* the first name of the line of hosts that has it */
    freeaddrinfo(list);
}

static void names_of_addresses(void **state) {
    static const struct {
        const char *address, *name;
    } rows[] = {
        { "127.0.0.1", "localhost" }, { "::1", "localhost" },        { "127.0.0.2", "0xcafe.example" },
        { "fd11::1", "global.example" }, { "192.0.2.1", "halfreachable.example" },
    };
    char name[NI_MAXHOST];
    ls_Addr addr;
    size_t i;
    (void)state;
    if (!in_sandbox()) skip();
    for (i = 0; i < COUNT(rows); i++) {
        assert_int_equal(ls_addr_parse(rows[i].address, strlen(rows[i].address), 0, &addr), 0);
        assert_int_equal(ls_gai_reverse(&addr, name), 0);
        assert_string_equal(name, rows[i].name);
    }
    assert_int_equal(ls_addr_parse("192.0.2.99", 10, 0, &addr), 0);
    assert_true(LS_ISEAI(ls_gai_reverse(&addr, name)));
}

static void why_an_address_has_no_name(void **state) {
    static const int codes[] = { EAI_NONAME, EAI_AGAIN, EAI_FAIL };
    char name[NI_MAXHOST];
    ls_Addr addr;
    size_t i;
    (void)state;
    assert_int_equal(ls_addr_parse("::1", 3, 0, &addr), 0);
    for (i = 0; i < COUNT(codes); i++) {
        tell(codes[i], 0, NULL);
        assert_int_equal(told_reverse(&addr, name), LS_EAI(codes[i]));
        assert_true(resolver.family == AF_INET6 && resolver.flags == NI_NAMEREQD);
    }
    tell(EAI_SYSTEM, EMFILE, NULL);
    assert_int_equal(told_reverse(&addr, name), EMFILE);
    tell(0, 0, NULL);
    assert_int_equal(told_reverse(&addr, name), 0);
    assert_string_equal(name, "told");
}

/* ---- addresses that a socket of some family can take ---- */

static void an_ipv6_socket_reaches_ipv4(void **state) {
    struct addrinfo first = item_of(AF_INET, &in4, NULL);
    Trier trier = { { 0 }, 0, { { 0 } } };
    (void)state;
    assert_int_equal(ls_gai_reach("1.2.3.4", 7, 80, AF_INET6, try_one, &trier), 0);
    expect_seen(&trier, 0, "::ffff:1.2.3.4", 80);
    assert_int_equal(ls_gai_reach("::1", 3, 80, AF_INET, try_one, &trier), EAFNOSUPPORT);
    assert_int_equal(ls_gai_reach("/tmp/x", 6, 80, AF_INET, try_one, &trier), EAFNOSUPPORT);
    assert_int_equal(ls_gai_reach("239.1.2.3%1", 11, 80, AF_INET, try_one, &trier), EINVAL);
    assert_int_equal(trier.calls, 1);
    tell(0, 0, &first);
    assert_int_equal(told_reach("name", 4, 9, AF_INET, try_one, &trier), 0);
    assert_int_equal(resolver.family, AF_INET);
    expect_seen(&trier, 1, "0.0.0.0", 9);
    tell(EAI_NONAME, 0, NULL);
    assert_int_equal(told_reach("name", 4, 9, AF_INET, try_one, &trier), NONAME);
    assert_int_equal(resolver.calls, 1);
    assert_int_equal(told_reach("name", 4, 9, AF_INET6, try_one, &trier), NONAME);
    assert_int_equal(resolver.calls, 3); /* IPv6, then IPv4 */
    assert_int_equal(resolver.family, AF_INET);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_OPEN(localhost_is_here),
        TEST_OPEN(names_of_the_hosts_file),
        TEST_OPEN(names_that_there_are_not),
        TEST_OPEN(lengths),
        TEST_OPEN(one_family_only),
        TEST_OPEN(names_are_tried_in_the_systems_order),
        TEST_OPEN(the_first_that_works_ends_it),
        TEST_OPEN(what_is_no_name_is_tried_once),
        TEST_OPEN(what_can_mean_nothing_is_not_tried),
        TEST_OPEN(a_name_is_asked_for_once_and_as_it_is),
        TEST_OPEN(why_a_look_up_failed),
        TEST_OPEN(families_that_we_do_not_know_are_passed_over),
        TEST_OPEN(the_last_failure_is_told_and_the_list_freed),
        TEST_OPEN(a_canonical_name_where_it_is_asked_for),
        TEST_OPEN(names_of_addresses),
        TEST_OPEN(why_an_address_has_no_name),
        TEST_OPEN(an_ipv6_socket_reaches_ipv4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
