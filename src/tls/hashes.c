/* "a1b2c3d4.0": how OpenSSL looks for a root in a folder. */
#include "hashes.h"

#include <dirent.h>
#include <string.h>

static int is_hash(const char *name) {
    return strlen(name) == 10 && strspn(name, "0123456789abcdef") == 8 && strcmp(name + 8, ".0") == 0;
}

int lt_hashes_any(const char *path) {
    DIR *directory = path ? opendir(path) : NULL;
    const struct dirent *entry = NULL;
    if (!directory) return 0;
    do entry = readdir(directory);
    while (entry && !is_hash(entry->d_name));
    closedir(directory);
    return entry != NULL;
}
