/* Host names -> addresses and back. What is no name at all is settled by addr.c and never sent to a name server. */
#include "gai.h"

#include <errno.h>
#include <string.h>

/* errno is the resolver's, still. */
static int failure(int code) {
    if (code == EAI_SYSTEM && errno != 0) return errno;
    return code ? LS_EAI(code) : 0;
}

int ls_gai_lookup(const char *name, size_t len, int family, int canonical, struct addrinfo **list) {
    char host[NI_MAXHOST];
    struct addrinfo hints;
    if (len >= sizeof host) return ENAMETOOLONG;
    if (len == 0) return LS_EAI(EAI_NONAME);
    memcpy(host, name, len);
    host[len] = '\0';
    memset(&hints, 0, sizeof hints);
    hints.ai_family = family;
    if (canonical) hints.ai_flags = AI_CANONNAME;
    hints.ai_socktype = SOCK_STREAM; /* any one: without it every address comes once for each type */
    return failure(getaddrinfo(host, NULL, &hints, list));
}

int ls_gai_reverse(const ls_Addr *addr, char name[NI_MAXHOST]) {
    return failure(getnameinfo(&addr->u.sa, addr->len, name, NI_MAXHOST, NULL, 0, NI_NAMEREQD));
}

int ls_gai_try(const char *text, size_t len, unsigned port, int family, ls_TryAddr *try, void *context) {
    struct addrinfo *list, *item;
    ls_Addr addr;
    int err = ls_addr_parse(text, len, port, &addr);
    if (err == 0) return try(context, &addr);
    if (err != LS_ADDR_NAME) return err;
    err = ls_gai_lookup(text, len, family, 0, &list);
    if (err) return err;
    err = LS_EAI(EAI_NONAME);
    for (item = list; item; item = item->ai_next) {
        if (item->ai_family != AF_INET && item->ai_family != AF_INET6) continue;
        ls_addr_copy(&addr, item->ai_addr, item->ai_family);
        ls_addr_setport(&addr, port);
        err = try(context, &addr);
        if (err == 0) break;
    }
    freeaddrinfo(list);
    return err;
}

typedef struct Reach {
    int family;
    ls_TryAddr *try;
    void *context;
} Reach;

static int try_suited(void *context, const ls_Addr *addr) {
    const Reach *reach = context;
    ls_Addr suited = *addr;
    int err = ls_addr_suit(&suited, reach->family);
    return err ? err : reach->try(reach->context, &suited);
}

int ls_gai_reach(const char *text, size_t len, unsigned port, int family, ls_TryAddr *try, void *context) {
    Reach reach = { family, try, context };
    int err = ls_gai_try(text, len, port, family, try_suited, &reach);
    if (LS_ISEAI(err) && family == AF_INET6) err = ls_gai_try(text, len, port, AF_INET, try_suited, &reach);
    return err;
}
