/* The kinds of options: how a value is read from Lua, set, and told. */
#ifndef LS_OPTION_KIND_H
#define LS_OPTION_KIND_H

#include "option.h"

/* How values are read, set and told. read answers NULL or what is wrong with the value at this place of the stack; NULL
   in its place: the option can only be read. The others answer 0 or an errno; get pushes the value. */
typedef struct ls_OptionKind {
    const char *(*read)(lua_State *L, int index, const ls_Option *option, ls_Setting *setting);
    int (*set)(const ls_Socket *s, const ls_Setting *setting);
    int (*get)(lua_State *L, const ls_Socket *s, const ls_Option *option);
} ls_OptionKind;

struct ls_Option {
    const char *name;
    const ls_OptionKind *kind;
    int level, number;    /* of every family, or of IPv4 where there is a number6; LS_ABSENT: this platform has it not */
    int number6;          /* of IPv6, at the level IPPROTO_IPV6; 0: the option is not of a family */
    int low, high;        /* of an integer; of seconds, in the system's unit */
    int unit;             /* of seconds: how many of the system's are one */
    unsigned char mirror; /* LS_SOCKET_...: is kept while it is on; 0: nothing is */
};

enum { LS_ABSENT = -1 };

extern const ls_OptionKind ls_option_integer, ls_option_flag, ls_option_buffer, ls_option_told_integer, ls_option_told_flag, ls_option_byte,
    ls_option_byte_flag, ls_option_seconds, ls_option_linger, ls_option_text, ls_option_mcastif, ls_option_device,
    ls_option_discovery, ls_option_told_error, ls_option_told_type, ls_option_told_domain, ls_option_told_tcpinfo;

/* The value of one that is a number, or 0. 0 or an errno. */
int ls_option_getnumber(const ls_Socket *s, const ls_Option *option, int *value);

#endif
