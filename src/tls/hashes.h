/* Folders of roots. */
#ifndef LT_HASHES_H
#define LT_HASHES_H

/* Is there a root in it, under a name by which OpenSSL looks for it? NULL: there is no folder. */
int lt_hashes_any(const char *path);

#endif
