/* Names of hosts. */
#include "names.h"

#include "../config.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

/* OpenSSL takes a name that begins with a dot for all that end in it. */
static int has_empty_label(const char *name) {
    return *name == '.' || name[strlen(name) - 1] == '.' || strstr(name, "..") != NULL;
}

/* Cuts the zone of an IPv6 address off, which no certificate has. Returns 0 where there is one without an address. */
static int cut_zone(char *name) {
    char *zone = strchr(name, ':') ? strchr(name, '%') : NULL;
    if (!zone) return 1;
    *zone = '\0';
    return lt_names_isaddress(name);
}

const char *lt_names_host(const char *text, size_t len, char *name) {
    size_t i;
    if (len > 2 && text[0] == '[' && text[len - 1] == ']' && memchr(text, ':', len)) text++, len -= 2;
    for (i = 0; i < len; i++) {
        if (text[i] == '\0') return "contains a NUL byte";
        if ((unsigned char)text[i] > 126) return "is not ASCII: an A-label (xn--...) is expected";
        if ((unsigned char)text[i] <= ' ') return "contains a space or a control character";
    }
    if (len > 0 && text[len - 1] == '.') len--;
    if (len == 0) return "is empty";
    if (len >= LT_NAMES_MOST) return "is too long";
    for (i = 0; i < len; i++) name[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + ('a' - 'A') : text[i]);
    name[len] = '\0';
    if (has_empty_label(name)) return "has an empty label";
    return cut_zone(name) ? NULL : "has a zone, but is no address";
}

int lt_names_isaddress(const char *name) {
    unsigned char address[16];
    return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

int lt_names_match(const char *pattern, const char *name) {
    const char *dot = strchr(name, '.');
    if (strncmp(pattern, "*.", 2) != 0) return strcasecmp(pattern, name) == 0 ? 2 : 0;
    return dot && dot != name && strcasecmp(pattern + 1, dot) == 0;
}
