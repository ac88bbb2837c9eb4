/* ls_addr with random addresses and texts: what one direction makes, the other takes back, and no text does harm.
   Chosen cases are left to addr_test.c. */
#include "addr_check.h"

/* ---- chance, the same in every run ---- */

enum { SEED = 20240229, ROUNDS = 20000 };
static uint32_t random_state;

/* xorshift32 */
static uint32_t next_random(uint32_t below) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % below;
}

static void seed(void) {
    random_state = SEED;
    print_message("seed %d, %d rounds\n", SEED, ROUNDS);
}

/* text -> address -> the same text */
static void expect_round_trip(const char *text, size_t len, const ls_Addr *wanted) {
    char written[LS_ADDR_TEXT + 1];
    ls_Addr addr;
    assert_int_equal(parse(text, len, ls_addr_port(wanted), &addr), 0);
    assert_true(ls_addr_equal(&addr, wanted));
    assert_int_equal(addr.len, wanted->len);
    assert_int_equal(format(&addr, 1, written), len);
    assert_memory_equal(written, text, len);
}

static void random_internet_addresses(void **state) {
    char name[IF_NAMESIZE], text[LS_ADDR_TEXT + 1];
    unsigned index = some_interface(name);
    int i, k;
    (void)state;
    seed();
    for (i = 0; i < ROUNDS; i++) {
        ls_Addr addr;
        memset(&addr, 0, sizeof addr);
        if (next_random(2)) {
            addr.u.in4.sin_family = AF_INET;
            addr.u.in4.sin_addr.s_addr = next_random(UINT32_MAX);
            addr.len = sizeof addr.u.in4;
        } else {
            addr.u.in6.sin6_family = AF_INET6;
            for (k = 0; k < 16; k += 2) { /* words of zero are written in many ways */
                if (next_random(2)) continue;
                addr.u.in6.sin6_addr.s6_addr[k] = (uint8_t)next_random(256);
                addr.u.in6.sin6_addr.s6_addr[k + 1] = (uint8_t)next_random(256);
            }
            if (next_random(3) == 0) addr.u.in6.sin6_scope_id = index;
            addr.len = sizeof addr.u.in6;
        }
        ls_addr_setport(&addr, next_random(65536));
        expect_round_trip(text, format(&addr, 1, text), &addr);
    }
}

static void random_unix_names(void **state) {
    char text[1 + PATH_ROOM];
    int i;
    (void)state;
    seed();
    for (i = 0; i < ROUNDS; i++) {
        size_t k, len = 1 + next_random(PATH_ROOM - 1);
        int abstract = LS_HAVE_ABSTRACT_UNIX && next_random(2);
        ls_Addr addr;
        memset(&addr, 0, sizeof addr);
        for (k = 0; k < len; k++) text[k] = (char)(abstract ? next_random(256) : 1 + next_random(255));
        text[0] = '@';
        if (!abstract) text[0] = text[next_random((uint32_t)len)] = '/';
        addr.u.un.sun_family = AF_UNIX;
        memcpy(addr.u.un.sun_path + abstract, text + abstract, len - (size_t)abstract);
        addr.len = (socklen_t)(PATH_OFFSET + len + !abstract);
        expect_round_trip(text, len, &addr);
    }
}

/* A text that is an address says the same as the system's own reading of numeric hosts. */
static void compare_with_system(const char *text, int err, const ls_Addr *addr) {
    struct addrinfo hints, *list = NULL;
    ls_Addr theirs;
    int code;
    memset(&hints, 0, sizeof hints);
    hints.ai_flags = AI_NUMERICHOST;
    hints.ai_socktype = SOCK_STREAM;
    code = getaddrinfo(text, NULL, &hints, &list);
    if ((code == 0) != (err == 0)) fail_msg("\"%s\": %d here, %d from getaddrinfo", text, err, code);
    if (code) return;
    ls_addr_copy(&theirs, list->ai_addr, list->ai_family);
    freeaddrinfo(list);
    if (!ls_addr_equal(addr, &theirs)) fail_msg("\"%s\" is another address to getaddrinfo", text);
}

static size_t random_text(char *text, size_t room) {
    static const char *const pieces[] = { "0", "1", "7", "8", "9", "00", "0x", "0X", "255", "256", "65535",
                                          "4294967295", ".", ".", ".", ".", ":", ":", "::", "a", "f", "F", "fe80",
                                          "ffff", "x", "-", " " };
    size_t len = 0, wanted = next_random(12);
    while (wanted-- > 0) {
        const char *piece = pieces[next_random(COUNT(pieces))];
        if (len + strlen(piece) >= room) break;
        len += (size_t)snprintf(text + len, room - len, "%s", piece);
    }
    text[len] = '\0';
    return len;
}

static void random_texts_like_addresses(void **state) {
    char text[128];
    int i;
    (void)state;
    seed();
    for (i = 0; i < ROUNDS; i++) {
        size_t len = random_text(text, sizeof text);
        ls_Addr addr;
        int err = parse(text, len, 0, &addr);
        if (err != 0 && err != LS_ADDR_NAME && err != NONAME) fail_msg("\"%s\" is answered by %d", text, err);
        if (err == LS_ADDR_NAME && text[strspn(text, "0123456789.")] == '\0')
            fail_msg("\"%s\" is left to a resolver", text);
        /* Blanks: the system forgives some, we do not. */
        if (len > 0 && !strchr(text, ' ')) compare_with_system(text, err, &addr);
    }
}

static void random_bytes(void **state) {
    static const char alphabet[] = "0189abfx.:%[]@/\0 -loZ";
    char text[160], written[LS_ADDR_TEXT + 1];
    int i;
    (void)state;
    seed();
    for (i = 0; i < ROUNDS; i++) {
        size_t k, len = next_random(sizeof text);
        ls_Addr addr;
        int err;
        if (next_random(2)) len %= 12;
        text[0] = '\0';
        for (k = 0; k < len; k++)
            text[k] = next_random(8) ? alphabet[next_random(sizeof alphabet)] : (char)next_random(256);
        for (k = 0; text[0] != '@' && k < len; k++)
            if (text[k] == '\0') text[k] = '.'; /* only an abstract name may hold one */
        err = parse(text, len, 0, &addr);
        if (err != 0) {
            assert_true(err == LS_ADDR_NAME || err == NONAME || err == ENAMETOOLONG || err == ENODEV ||
                        (err == EAFNOSUPPORT && !LS_HAVE_ABSTRACT_UNIX));
            continue;
        }
        assert_in_range(addr.len, 1, sizeof addr.u);
        assert_true(format(&addr, 1, written) > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_internet_addresses),
        cmocka_unit_test(random_unix_names),
        cmocka_unit_test(random_texts_like_addresses),
        cmocka_unit_test(random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
