/* Options of sockets by name. Reading a value may raise, setting it never does, so what is read before a socket is
   opened can be set while something of the C library's is held. */
#ifndef LS_OPTION_H
#define LS_OPTION_H

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

/* The option of that name, or NULL. */
const ls_Option *ls_option_find(const char *name, size_t len);

/* Reads the value at this place of the stack, where it must stay while the setting is used. Answers NULL, or what is
   wrong with it (a text on the stack). */
const char *ls_option_read(lua_State *L, int index, const ls_Option *option, ls_Setting *setting);

/* Sets it on an open socket whose family and type are known. 0 or an errno. */
int ls_option_apply(ls_Socket *s, const ls_Setting *setting);

/* Finds out which of the options that the socket's flags mirror are on. */
void ls_option_mirror(ls_Socket *s);

#endif
