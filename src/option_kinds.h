/* What kinds of values options have, for the table of options in option.c. */
#ifndef LS_OPTION_KINDS_H
#define LS_OPTION_KINDS_H

#include "socket.h"

typedef struct ls_Option ls_Option;

/* A value that was read. */
typedef struct ls_Setting {
    const ls_Option *option;
    int err; /* there is no such thing as the value names: what setting it fails with */
    int number;
    const char *text;
    size_t len;
} ls_Setting;

enum { /* in the order of ls_option_kinds */
    LS_KIND_FLAG,
    LS_KIND_INTEGER,
    LS_KIND_BUFFER,        /* bytes, without what the kernel adds for itself */
    LS_KIND_FORCED,        /* the same, set in another way than it is read */
    LS_KIND_SECONDS,       /* seconds, and in units of the kernel's: */
    LS_KIND_MILLISECONDS,
    LS_KIND_MICROSECONDS,
    LS_KIND_LINGER,        /* seconds or false */
    LS_KIND_STRING,
    LS_KIND_DEVICE,        /* an interface, by name in the kernel; false: none */
    LS_KIND_INTERFACE,     /* the same, by index in the kernel */
    LS_KIND_MCASTIF,       /* the same, of packets to groups */
    LS_KIND_OCTET,         /* an integer or a flag that is one byte for IPv4 */
    LS_KIND_OCTETFLAG,
    LS_KIND_MTUDISCOVER,   /* a name for a number */
    LS_KIND_PKTINFO,       /* a flag that may be two in the kernel */
    LS_KIND_READINTEGER,   /* from here on they can only be read */
    LS_KIND_READFLAG,
    LS_KIND_ERROR,
    LS_KIND_TYPE,
    LS_KIND_DOMAIN,
    LS_KIND_TCPINFO
};

enum { LS_OPTION_ABSENT = -1 }; /* in place of a constant that this platform has not got */

struct ls_Option {
    const char *name;
    int kind;
    int low, high;      /* bounds of a number, in the kernel's units; of a string's length */
    int level, number;
    int number6;        /* at level IPPROTO_IPV6 for IPv6 sockets, where it is not absent */
    int dual;           /* an IPv6 socket gets both */
    int mirror;         /* LS_SOCKET_..., a flag that tells whether it is on; 0: none does */
};

/* How values are read, set and told. read answers NULL or what is wrong with the value at this place of the stack. The
   others answer 0 or an errno; get pushes the value, or anything at all on failure. */
typedef struct ls_OptionKind {
    const char *(*read)(lua_State *L, int index, const ls_Option *option, ls_Setting *setting);
    int (*set)(const ls_Socket *s, const ls_Setting *setting);
    int (*get)(lua_State *L, const ls_Socket *s, const ls_Option *option);
} ls_OptionKind;

extern const ls_OptionKind ls_option_kinds[];

/* The option's number as a C int. 0 or an errno. */
int ls_option_getint(const ls_Socket *s, const ls_Option *option, int *value);

#endif
