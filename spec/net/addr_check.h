/* What the tests of ls_addr share. Every text and every address is given to the library at the end of a block, where
   a guard page follows: reading beyond it crashes. */
#ifndef LS_SPEC_ADDR_CHECK_H
#define LS_SPEC_ADDR_CHECK_H

#include "net/addr.h"

#include "check.h"

#define NONAME LS_EAI(EAI_NONAME)
#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)
#define PATH_ROOM sizeof(((struct sockaddr_un *)0)->sun_path)

enum { MEGABYTE = 1 << 20 };

static inline const char *at_guard(const char *text, size_t len) {
    static char *end;
    if (!end) end = guarded(MEGABYTE + 16);
    return memcpy(end - len, text, len);
}

/* Room for one address; what it held before is there to be overwritten. */
static inline ls_Addr *address_at_guard(void) {
    static char *end;
    if (!end) end = guarded(sizeof(ls_Addr));
    return memset(end - sizeof(ls_Addr), 0xaa, sizeof(ls_Addr));
}

static inline int parse(const char *text, size_t len, unsigned port, ls_Addr *addr) {
    ls_Addr *guard = address_at_guard();
    int err = ls_addr_parse(at_guard(text, len), len, port, guard);
    memcpy(addr, guard, sizeof *addr);
    return err;
}

/* The text of an address, with a NUL behind it. */
static inline size_t format(const ls_Addr *addr, int zone, char text[LS_ADDR_TEXT + 1]) {
    static char *end;
    size_t len;
    if (!end) end = guarded(LS_ADDR_TEXT);
    len = ls_addr_format(memcpy(address_at_guard(), addr, sizeof *addr), zone, end - LS_ADDR_TEXT);
    assert_true(len <= LS_ADDR_TEXT);
    memcpy(text, end - LS_ADDR_TEXT, len);
    text[len] = '\0';
    return len;
}

static inline ls_Addr must_parse(const char *text, unsigned port) {
    ls_Addr addr;
    int err = parse(text, strlen(text), port, &addr);
    if (err) fail_msg("\"%s\" is refused: %d", text, err);
    return addr;
}

static inline void expect_text(const ls_Addr *addr, int zone, const char *text) {
    char got[LS_ADDR_TEXT + 1];
    size_t len = format(addr, zone, got);
    if (strcmp(got, text) != 0 || len != strlen(text)) fail_msg("\"%s\" is written instead of \"%s\"", got, text);
}

/* It is an address of this family, and this is its text. */
static inline void expect_address(const char *text, int family, const char *written) {
    ls_Addr addr = must_parse(text, 0);
    if (ls_addr_family(&addr) != family) fail_msg("\"%s\" is of family %d", text, ls_addr_family(&addr));
    expect_text(&addr, 1, written);
}

static inline void expect_answer(const char *text, int answer) {
    ls_Addr addr;
    int err = parse(text, strlen(text), 0, &addr);
    if (err != answer) fail_msg("\"%s\" is answered by %d instead of %d", text, err, answer);
}

/* Some interface that there is: the first one, which is the loopback one nearly everywhere. */
static inline unsigned some_interface(char name[IF_NAMESIZE]) {
    struct if_nameindex *list = if_nameindex();
    unsigned index;
    assert_non_null(list);
    index = list[0].if_index;
    snprintf(name, IF_NAMESIZE, "%s", list[0].if_name);
    if_freenameindex(list);
    return index;
}

#endif
