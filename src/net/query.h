/* Look-ups that do not block: getaddrinfo(3) and getnameinfo(3) on threads of the library's own, which start with the
   first look-up and end when there has been none for a while. Any thread may use this; a query is one thread's. */
#ifndef LS_NET_QUERY_H
#define LS_NET_QUERY_H

#include "addr.h"

typedef struct ls_Query ls_Query;

/* What is asked: the addresses of a host, these and what its name stands for, or the name of an address. */
enum { LS_QUERY_ADDRESSES, LS_QUERY_CANONICAL, LS_QUERY_NAME };
typedef struct ls_Question {
    const char *text;
    size_t len;
    int family; /* of the addresses; AF_UNSPEC for any */
    int wanted; /* LS_QUERY_... */
} ls_Question;

/* Begins to look it up; what no resolver may be asked is answered at once and starts no thread. 0, ENOMEM, or why there
   is no thread to ask (EAGAIN). That there is no such name is an answer, no failure here. */
int ls_query_start(const ls_Question *question, ls_Query **query);

/* 0, an errno or LS_EAI(code), always the same. The list is the query's. A name that was asked for is the ai_canonname
   of its first address. */
enum { LS_QUERY_RUNNING = -1 };
int ls_query_answer(ls_Query *query, const struct addrinfo **list);

/* A descriptor that is readable once there is an answer, made when it is asked for. 0 or an errno. */
int ls_query_getfd(ls_Query *query, int *fd);

/* Gives the query up, whatever it does, and closes its descriptor. Never waits. */
void ls_query_drop(ls_Query *query);

#endif
