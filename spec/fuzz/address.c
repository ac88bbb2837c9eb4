/* Addresses: what is parsed can be formatted, and gives the same address again; and what the C library takes for an
   address is that one here, too. */
#include "fuzz.h"
#include "net/addr.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    return 0;
}

/* The text in memory of its own, where reading behind its end is noticed. */
static size_t format(const ls_Addr *addr, int zone, char **text) {
    char room[LS_ADDR_TEXT];
    size_t len = ls_addr_format(addr, zone, room);
    fuzz_require(len <= sizeof room, "a text fits its room");
    *text = malloc(len + 1);
    memcpy(*text, room, len);
    (*text)[len] = '\0';
    return len;
}

static void check_round_trip(const ls_Addr *addr) {
    char *text;
    ls_Addr again;
    size_t len = format(addr, 1, &text);
    fuzz_require(len > 0, "an address has a text");
    fuzz_require(ls_addr_parse(text, len, ls_addr_port(addr), &again) == 0, "what was formatted parses");
    fuzz_require(ls_addr_equal(addr, &again), "and gives the same address");
    free(text);
}

static void check_against_libc(const char *text, int err, const ls_Addr *addr) {
    struct in_addr in4;
    struct in6_addr in6;
    if (inet_pton(AF_INET, text, &in4) == 1) {
        fuzz_require(err == 0 && addr->u.sa.sa_family == AF_INET, "IPv4 is IPv4");
        fuzz_require(memcmp(&in4, &addr->u.in4.sin_addr, sizeof in4) == 0, "and the same as the C library's");
    }
    if (inet_pton(AF_INET6, text, &in6) == 1) {
        fuzz_require(err == 0 && addr->u.sa.sa_family == AF_INET6, "IPv6 is IPv6");
        fuzz_require(memcmp(&in6, &addr->u.in6.sin6_addr, sizeof in6) == 0, "and the same as the C library's");
    }
}

static void check_parsed(ls_Addr *addr, unsigned port) {
    int internet = ls_addr_isinternet(addr);
    fuzz_require(addr->len > 0 && addr->len <= sizeof addr->u, "the length is that of an address");
    fuzz_require(ls_addr_port(addr) == (internet ? port : 0), "the port is the one that was given");
    check_round_trip(addr);
    if (ls_addr_suit(addr, AF_INET6) != 0) return;
    fuzz_require(ls_addr_port(addr) == port, "the port is still the same");
    check_round_trip(addr);
}

static void check_text(const char *data, size_t size, unsigned port) {
    char *text = malloc(size + 1);
    ls_Addr addr;
    int err, plain = !memchr(data, '\0', size);
    memcpy(text, data, size);
    text[size] = '\0';
    err = ls_addr_parse(data, size, port, &addr);
    fuzz_require(ls_addr_numeric(data, size, port, &addr) == (err == LS_ADDR_NAME ? LS_EAI(EAI_NONAME) : err),
                 "both ways to parse agree");
    if (plain) check_against_libc(text, err, &addr);
    if (err == 0 && (plain || text[0] == '@')) check_parsed(&addr, port);
    free(text);
}

/* A sockaddr of any content, as a kernel might give it. */
static void check_sockaddr(const char *data, size_t size, unsigned len) {
    ls_Addr addr;
    char *text;
    memset(&addr, 0, sizeof addr);
    memcpy(&addr.u, data, size < sizeof addr.u ? size : sizeof addr.u);
    addr.len = len % (sizeof addr.u + 1);
    format(&addr, (int)len & 1, &text);
    free(text);
    ls_addr_isgroup(&addr);
    fuzz_require(ls_addr_equal(&addr, &addr), "an address is equal to itself");
    if (ls_addr_isinternet(&addr)) check_round_trip(&addr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Input in = { data, size };
    unsigned kind = fuzz_byte(&in), port = fuzz_number(&in) & 0xffff;
    char *exact = malloc(in.left + 1); /* nothing may be read behind the end, so the last byte is not used */
    memcpy(exact + 1, in.data, in.left);
    if (kind & 1) check_sockaddr(exact + 1, in.left, kind >> 1);
    else check_text(exact + 1, in.left, port);
    free(exact);
    return 0;
}
