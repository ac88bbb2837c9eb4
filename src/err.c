/* Failures -> Lua results: the message is the system's, the name is the symbol, the same on every platform. */
#include "err.h"
#include "net/addr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct Name {
    int code;
    const char *name;
} Name;

#define ROW(symbol) { symbol, #symbol }

/* Where two symbols share a number (EOPNOTSUPP, ENOTSUP), the first is the name. */
static const Name errno_names[] = {
    ROW(E2BIG), ROW(EACCES), ROW(EADDRINUSE), ROW(EADDRNOTAVAIL), ROW(EAFNOSUPPORT), ROW(EAGAIN), ROW(EALREADY),
    ROW(EBADF), ROW(EBADMSG), ROW(EBUSY), ROW(ECANCELED), ROW(ECHILD), ROW(ECONNABORTED), ROW(ECONNREFUSED),
    ROW(ECONNRESET), ROW(EDEADLK), ROW(EDESTADDRREQ), ROW(EDOM), ROW(EDQUOT), ROW(EEXIST), ROW(EFAULT), ROW(EFBIG),
    ROW(EHOSTUNREACH), ROW(EIDRM), ROW(EILSEQ), ROW(EINPROGRESS), ROW(EINTR), ROW(EINVAL), ROW(EIO), ROW(EISCONN),
    ROW(EISDIR), ROW(ELOOP), ROW(EMFILE), ROW(EMLINK), ROW(EMSGSIZE), ROW(ENAMETOOLONG), ROW(ENETDOWN),
    ROW(ENETRESET), ROW(ENETUNREACH), ROW(ENFILE), ROW(ENOBUFS), ROW(ENODEV), ROW(ENOENT), ROW(ENOEXEC), ROW(ENOLCK),
    ROW(ENOMEM), ROW(ENOMSG), ROW(ENOPROTOOPT), ROW(ENOSPC), ROW(ENOSYS), ROW(ENOTCONN), ROW(ENOTDIR), ROW(ENOTEMPTY),
    ROW(ENOTSOCK), ROW(EOPNOTSUPP), ROW(ENOTSUP), ROW(ENOTTY), ROW(ENXIO), ROW(EOVERFLOW), ROW(EPERM), ROW(EPIPE),
    ROW(EPROTO), ROW(EPROTONOSUPPORT), ROW(EPROTOTYPE), ROW(ERANGE), ROW(EROFS), ROW(ESPIPE), ROW(ESRCH), ROW(ESTALE),
    ROW(ETIMEDOUT), ROW(ETXTBSY), ROW(EXDEV),
#ifdef EHOSTDOWN
    ROW(EHOSTDOWN),
#endif
#ifdef EMULTIHOP
    ROW(EMULTIHOP),
#endif
#ifdef ENOLINK
    ROW(ENOLINK),
#endif
#ifdef ENONET
    ROW(ENONET),
#endif
#ifdef ENOTBLK
    ROW(ENOTBLK),
#endif
#ifdef ENOTRECOVERABLE
    ROW(ENOTRECOVERABLE),
#endif
#ifdef EOWNERDEAD
    ROW(EOWNERDEAD),
#endif
#ifdef EPFNOSUPPORT
    ROW(EPFNOSUPPORT),
#endif
#ifdef EREMOTEIO
    ROW(EREMOTEIO),
#endif
#ifdef ESHUTDOWN
    ROW(ESHUTDOWN),
#endif
#ifdef ESOCKTNOSUPPORT
    ROW(ESOCKTNOSUPPORT),
#endif
#ifdef ETIME
    ROW(ETIME),
#endif
#ifdef ETOOMANYREFS
    ROW(ETOOMANYREFS),
#endif
#ifdef EUSERS
    ROW(EUSERS),
#endif
};

static const Name gai_names[] = {
    ROW(EAI_AGAIN), ROW(EAI_BADFLAGS), ROW(EAI_FAIL), ROW(EAI_FAMILY), ROW(EAI_MEMORY), ROW(EAI_NONAME),
    ROW(EAI_OVERFLOW), ROW(EAI_SERVICE), ROW(EAI_SOCKTYPE), ROW(EAI_SYSTEM),
#ifdef EAI_ADDRFAMILY
    ROW(EAI_ADDRFAMILY),
#endif
#ifdef EAI_NODATA
    ROW(EAI_NODATA),
#endif
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *find_name(const Name *names, size_t count, int code) {
    size_t i;
    for (i = 0; i < count; i++)
        if (names[i].code == code) return names[i].name;
    return NULL;
}

void ls_err_pushname(lua_State *L, int err) {
    const char *name = LS_ISEAI(err) ? find_name(gai_names, COUNT(gai_names), LS_EAI_CODE(err))
                                     : find_name(errno_names, COUNT(errno_names), err);
    if (name) lua_pushstring(L, name);
    else if (LS_ISEAI(err)) lua_pushfstring(L, "EAI_%d", LS_EAI_CODE(err));
    else lua_pushfstring(L, "E%d", err);
}

static void push_message(lua_State *L, int err) {
    char text[256];
    if (LS_ISEAI(err)) {
        lua_pushstring(L, gai_strerror(LS_EAI_CODE(err)));
        return;
    }
#if LS_HAVE_GNU_STRERROR_R
    lua_pushstring(L, strerror_r(err, text, sizeof text));
#else
    if (LS_POSIX_STRERROR_R(err, text, sizeof text) != 0) snprintf(text, sizeof text, "Unknown error %d", err);
    lua_pushstring(L, text);
#endif
}

int ls_succeed(lua_State *L) {
    lua_pushboolean(L, 1);
    return 1;
}

int ls_fail(lua_State *L, int err) {
    lua_pushnil(L);
    push_message(L, err);
    ls_err_pushname(L, err);
    return 3;
}

int ls_fail_text(lua_State *L, int err, const char *text) {
    lua_pushnil(L);
    lua_pushstring(L, text);
    ls_err_pushname(L, err);
    return 3;
}

int ls_fail_named(lua_State *L, const char *text, const char *name) {
    lua_pushnil(L);
    lua_pushstring(L, text);
    lua_pushstring(L, name);
    return 3;
}

int ls_fail_io(lua_State *L, int err) {
    if (err != EAGAIN && err != EWOULDBLOCK) return ls_fail(L, err);
    lua_pushboolean(L, 0);
    return 1;
}

int ls_result(lua_State *L, int err) {
    return err ? ls_fail(L, err) : ls_succeed(L);
}
