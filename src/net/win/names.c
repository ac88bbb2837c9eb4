/* Names: Winsock's resolver, with the codes and texts of getaddrinfo(3), and the forms of an IPv4 address. */
#include "posix.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#undef getaddrinfo
#undef getnameinfo
#undef gethostname

typedef struct Text {
    int code;
    const char *text;
} Text;

static const Text texts[] = {
    { EAI_AGAIN, "Temporary failure in name resolution" },
    { EAI_BADFLAGS, "Bad value for ai_flags" },
    { EAI_FAIL, "Non-recoverable failure in name resolution" },
    { EAI_FAMILY, "ai_family not supported" },
    { EAI_MEMORY, "Memory allocation failure" },
    { EAI_NODATA, "No address associated with hostname" },
    { EAI_NONAME, "Name or service not known" },
    { EAI_OVERFLOW, "Argument buffer overflow" },
    { EAI_SERVICE, "Service not supported for this type" },
    { EAI_SOCKTYPE, "ai_socktype not supported" },
};

const char *ls_win_gai_strerror(int code) {
    size_t i;
    for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].code == code) return texts[i].text;
    return "Unknown error of the resolver";
}

/* What cannot be started is the system's failure, which errno tells. */
static int start(void) {
    errno = ls_win_start();
    return errno ? EAI_SYSTEM : 0;
}

int ls_win_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **list) {
    int code = start();
    return code ? code : getaddrinfo(node, service, hints, list);
}

int ls_win_getnameinfo(const struct sockaddr *sa, socklen_t len, char *host, size_t room, char *service,
                       size_t service_room, int flags) {
    int code = start();
    return code ? code : getnameinfo(sa, (int)len, host, (DWORD)room, service, (DWORD)service_room, flags);
}

int ls_win_gethostname(char *name, size_t size) {
    errno = ls_win_start();
    if (errno) return -1;
    return gethostname(name, (int)size) == 0 ? 0 : ls_win_fail();
}

/* One number, decimal, octal or hexadecimal, of at most most. */
static const char *read_number(const char *text, unsigned long long most, uint32_t *number) {
    char *end;
    unsigned long long value;
    if (!isdigit((unsigned char)*text)) return NULL;
    value = strtoull(text, &end, 0);
    *number = (uint32_t)value;
    return value <= most ? end : NULL;
}

/* Each number but the last is a byte; the last one is all the bytes that are left. */
int ls_win_aton(const char *text, struct in_addr *ip) {
    uint32_t number, address = 0;
    int left;
    for (left = 4; left > 0; left--) {
        const char *end = read_number(text, 0xffffffffull >> 8 * (4 - left), &number);
        if (!end) return 0;
        if (*end == '\0') break;
        if (*end != '.' || number > 255 || left == 1) return 0;
        address |= number << 8 * (left - 1);
        text = end + 1;
    }
    ip->s_addr = htonl(address | number);
    return 1;
}
