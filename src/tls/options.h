/* The arguments of tls.client and tls.server: read and checked, and nothing opened. */
#ifndef LT_OPTIONS_H
#define LT_OPTIONS_H

#include "../compat.h"

typedef struct lt_Text {
    const char *data; /* NULL: not given. There is a zero at the end. */
    size_t len;
} lt_Text;

typedef struct lt_Texts {
    lt_Text *list;
    int count;
} lt_Texts;

/* A certificate with its chain and its key. */
typedef struct lt_Pair {
    lt_Text cert, key, certfile, keyfile, password, ocspfile;
    lt_Texts names; /* none: those that stand in the certificate */
} lt_Pair;

typedef struct lt_Pairs {
    lt_Pair *list;
    int count;
} lt_Pairs;

enum { LT_PIN_SIZE = 32, LT_TICKETKEY_SIZE = 80 };

typedef struct lt_Options {
    int server;
    lt_Pair own; /* the one that stands among the options themselves */
    lt_Pairs certificates;
    lt_Text ca, cafile, capath, crl, crlfile, ciphers, ciphersuites, groups, keylog;
    int crlcheck;  /* 0; 1: the leaf; 2: the chain */
    int min, max;  /* TLS1_2_VERSION ...; max is 0 for the newest */
    int any_eof, verify, ocsp, strict, ask, tickets, sessions; /* ocsp: 2 where it is required */
    int clients;   /* 0; 1: requested; 2: required */
    lt_Text alpn;  /* as it is sent: lengths before names */
    lt_Text pins;  /* digests of LT_PIN_SIZE one after the other */
    lt_Text ticketkeys;
} lt_Options;

/* Reads the table that is argument 1, for a client or a server. What the options point to is put into the table at the
   place kept, which has to live as long as they do. Raises where an argument is wrong. */
void lt_options_read(lua_State *L, lt_Options *options, int server, int kept);

int lt_options_given(const lt_Text *text);

#endif
