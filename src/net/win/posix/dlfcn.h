/* Of dlfcn.h no more than what keeps a library loaded: dladdr finds the one that has an address, and dlopen opens it
   once more. Here the former does it all. */
#ifndef LS_NET_WIN_DLFCN_H
#define LS_NET_WIN_DLFCN_H

#include "../posix.h"

typedef struct Dl_info {
    const char *dli_fname;
} Dl_info;

enum { RTLD_LAZY, RTLD_NOLOAD };

static inline int dladdr(const void *address, Dl_info *info) {
    HMODULE self;
    info->dli_fname = "";
    return GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, address, &self);
}

static inline void dlopen(const char *name, int how) { (void)name, (void)how; }

#endif
