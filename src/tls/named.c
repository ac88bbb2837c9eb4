/* A folder counts where it has a name by which OpenSSL looks for a root. */
#include "named.h"

#include <dirent.h>
#include <string.h>

/* "a1b2c3d4.0" */
static int is_hash(const char *name) {
    return strlen(name) == 10 && strspn(name, "0123456789abcdef") == 8 && strcmp(name + 8, ".0") == 0;
}

static int has_hashes(const char *path) {
    DIR *directory = path ? opendir(path) : NULL;
    const struct dirent *entry = NULL;
    if (!directory) return 0;
    do entry = readdir(directory);
    while (entry && !is_hash(entry->d_name));
    closedir(directory);
    return entry != NULL;
}

int lt_named_load(X509_STORE *store, const char *file, const char *path) {
    int hashes = has_hashes(path);
    if (file) X509_STORE_load_file(store, file);
    if (hashes) X509_STORE_load_path(store, path);
    return hashes || sk_X509_OBJECT_num(X509_STORE_get0_objects(store)) > 0;
}
