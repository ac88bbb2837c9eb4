/* Waiting as Windows' select does it underneath: each socket has a request with the driver of sockets (AFD), which is
   done when the socket becomes ready, and comes out of a completion port. A wait costs what became ready. */
#include "../poll.h"

#include "../fd.h"

#include <stdlib.h>
#include <string.h>
#include <winternl.h>

enum {
    AT_ONCE = 256,
    HANDLE_STEP = 4, /* handles are multiples of it */
    IOCTL_AFD_POLL = 0x12024,
    ENDING = 1000 /* milliseconds for requests to end, of which the poller has no more need */
};

enum { /* what the driver tells */
    AFD_RECEIVE = 0x1,
    AFD_SEND = 0x4,
    AFD_DISCONNECT = 0x8,
    AFD_ABORT = 0x10,
    AFD_CLOSE = 0x20,
    AFD_ACCEPT = 0x80,
    AFD_CONNECT_FAIL = 0x100,
    AFD_FAILED = AFD_ABORT | AFD_CONNECT_FAIL,
    AFD_READ = AFD_RECEIVE | AFD_DISCONNECT | AFD_ACCEPT | AFD_FAILED,
    AFD_WRITE = AFD_SEND | AFD_FAILED
};

/* The request, as the driver has it, for one socket. */
typedef struct Request {
    LARGE_INTEGER timeout;
    ULONG count, exclusive;
    HANDLE socket;
    ULONG events;
    NTSTATUS status;
} Request;

typedef struct Entry {
    struct Entry *previous, *next; /* of those that have to be asked for; both NULL: it is none of them */
    int fd;
    unsigned tag;
    ULONG wanted, asked; /* asked: what the request that is under way is about; 0: there is none */
    int given_up;        /* freed when its request ends */
    HANDLE base;
    IO_STATUS_BLOCK result;
    Request request;
} Entry;

typedef struct Afd {
    HANDLE port, device;
    Entry **entries; /* by descriptor */
    size_t room;
    size_t under_way;
    Entry idle; /* the ring of those that have to be asked for, in order */
} Afd;

/* ---- opening and closing ---- */

static HANDLE open_device(void) {
    wchar_t text[] = L"\\Device\\Afd\\lsocket";
    UNICODE_STRING name = { sizeof text - sizeof text[0], sizeof text, text };
    OBJECT_ATTRIBUTES attributes = { .Length = sizeof attributes, .ObjectName = &name };
    IO_STATUS_BLOCK result;
    HANDLE device;
    NTSTATUS status = NtCreateFile(&device, SYNCHRONIZE, &attributes, &result, NULL, 0,
                                   FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN, 0, NULL, 0);
    return status == 0 ? device : NULL;
}

static int open_handles(Afd *afd) {
    afd->device = open_device();
    if (!afd->device) return ENOSYS;
    afd->port = CreateIoCompletionPort(afd->device, NULL, 0, 1);
    return afd->port ? 0 : ls_win_errno(GetLastError());
}

static void close_handles(Afd *afd) {
    if (afd->port) CloseHandle(afd->port);
    if (afd->device) CloseHandle(afd->device);
}

static int afd_open(void **self) {
    Afd *afd = calloc(1, sizeof *afd);
    int err = afd ? ls_win_start() : ENOMEM;
    if (!err) err = open_handles(afd);
    if (!err) {
        afd->idle.previous = afd->idle.next = &afd->idle;
        *self = afd;
        return 0;
    }
    if (afd) close_handles(afd);
    free(afd);
    return err;
}

static int afd_reopen(void *self) { return (void)self, 0; }

/* ---- what has to be asked for ---- */

static void unqueue(Entry *entry) {
    if (!entry->next) return;
    entry->previous->next = entry->next;
    entry->next->previous = entry->previous;
    entry->previous = entry->next = NULL;
}

static void queue(Afd *afd, Entry *entry) {
    if (entry->next) return;
    entry->previous = afd->idle.previous;
    entry->next = &afd->idle;
    entry->previous->next = entry->next->previous = entry;
}

static Entry *entry_of(const Afd *afd, int fd) {
    size_t place = (size_t)fd / HANDLE_STEP;
    return place < afd->room ? afd->entries[place] : NULL;
}

static void cancel(const Afd *afd, Entry *entry) {
    if (entry->asked) CancelIoEx(afd->device, (OVERLAPPED *)(void *)&entry->result);
}

/* Memory that the driver still writes to, is freed when it has done so. */
static void give_up(Afd *afd, Entry *entry) {
    afd->entries[(size_t)entry->fd / HANDLE_STEP] = NULL;
    unqueue(entry);
    entry->given_up = 1;
    cancel(afd, entry);
    if (!entry->asked) free(entry);
}

/* ---- the set ---- */

static int make_room(Afd *afd, int fd) {
    size_t place = (size_t)fd / HANDLE_STEP, room = afd->room ? afd->room : 64;
    Entry **grown;
    if (place < afd->room) return 0;
    while (room <= place) room *= 2;
    grown = realloc(afd->entries, room * sizeof(Entry *));
    if (!grown) return ENOMEM;
    memset(grown + afd->room, 0, (room - afd->room) * sizeof(Entry *));
    afd->entries = grown;
    afd->room = room;
    return 0;
}

/* The socket of the system's own below those that other programs may have put above it. */
static int find_base(int fd, HANDLE *base) {
    SOCKET found = (SOCKET)fd;
    DWORD bytes;
    if (WSAIoctl((SOCKET)fd, SIO_BASE_HANDLE, NULL, 0, &found, sizeof found, &bytes, NULL, NULL) != 0)
        return ls_win_errno((unsigned long)WSAGetLastError());
    *base = (HANDLE)found;
    return 0;
}

static int add(Afd *afd, int fd, unsigned tag, Entry **made) {
    HANDLE base = NULL;
    int err = find_base(fd, &base);
    if (!err) err = make_room(afd, fd);
    if (err) return err;
    *made = calloc(1, sizeof **made);
    if (!*made) return ENOMEM;
    (*made)->fd = fd;
    (*made)->tag = tag;
    (*made)->base = base;
    afd->entries[(size_t)fd / HANDLE_STEP] = *made;
    return 0;
}

static int afd_set(void *self, int fd, unsigned tag, int before, int after) {
    Afd *afd = self;
    Entry *entry = entry_of(afd, fd);
    int err = 0;
    (void)before;
    if (entry && (!after || entry->tag != tag)) {
        give_up(afd, entry);
        entry = NULL;
    }
    if (!after) return 0;
    if (!entry) err = add(afd, fd, tag, &entry);
    if (err) return err;
    entry->wanted = (after & LS_POLL_READ ? AFD_READ : 0u) | (after & LS_POLL_WRITE ? AFD_WRITE : 0u) | AFD_CLOSE;
    if (!entry->asked) queue(afd, entry);
    else if (entry->asked != entry->wanted) cancel(afd, entry); /* and it is asked for anew */
    return 0;
}

static int afd_check(void *self, int fd, unsigned tag, int after) {
    Afd *afd = self;
    Entry *entry = entry_of(afd, fd);
    (void)tag, (void)after;
    if (!entry) return ENOENT;
    if (ls_fd_isopen(fd)) return 0;
    give_up(afd, entry);
    return EBADF;
}

/* ---- waiting ---- */

/* 0 also where the request is done already: the port tells. */
static NTSTATUS ask(Afd *afd, Entry *entry) {
    NTSTATUS status;
    Request *request = &entry->request;
    memset(request, 0, sizeof *request);
    request->timeout.QuadPart = INT64_MAX;
    request->count = 1;
    request->socket = entry->base;
    request->events = entry->wanted;
    status = NtDeviceIoControlFile(afd->device, NULL, NULL, entry, &entry->result, IOCTL_AFD_POLL, request,
                                   sizeof *request, request, sizeof *request);
    if (status < 0) return status;
    entry->asked = entry->wanted;
    afd->under_way++;
    return 0;
}

/* Asks for each once: what turns out to be closed is an event. */
static size_t ask_all(Afd *afd, ls_Event *events, size_t room) {
    Entry *entry;
    size_t n = 0;
    while (n < room && (entry = afd->idle.next) != &afd->idle) {
        unqueue(entry);
        if (ask(afd, entry) == 0) continue;
        events[n].fd = entry->fd;
        events[n].tag = entry->tag;
        events[n++].events = 0;
        give_up(afd, entry);
    }
    return n;
}

static int events_of(const Entry *entry) {
    ULONG told = entry->request.events & entry->wanted;
    return (told & AFD_READ ? LS_POLL_READ : 0) | (told & AFD_WRITE ? LS_POLL_WRITE : 0);
}

/* Is there something to tell of a request that has ended? The socket is asked about anew, unless it is closed. */
static int conclude(Afd *afd, Entry *entry, ls_Event *event) {
    NTSTATUS status = entry->result.Status;
    int given_up = entry->given_up;
    afd->under_way--;
    entry->asked = 0;
    event->fd = entry->fd;
    event->tag = entry->tag;
    event->events = given_up || status < 0 || entry->request.count == 0 ? 0 : events_of(entry);
    if (given_up) {
        free(entry);
        return 0;
    }
    if (status >= 0 && entry->request.events & AFD_CLOSE) {
        give_up(afd, entry);
        event->events = 0;
        return 1;
    }
    queue(afd, entry);
    return event->events != 0;
}

static size_t conclude_all(Afd *afd, const OVERLAPPED_ENTRY *done, ULONG count, ls_Event *events) {
    size_t n = 0;
    ULONG i;
    for (i = 0; i < count; i++) n += (size_t)conclude(afd, (Entry *)(void *)done[i].lpOverlapped, &events[n]);
    return n;
}

/* At most so many milliseconds. ETIMEDOUT: nothing has ended. */
static int fetch(Afd *afd, OVERLAPPED_ENTRY *done, ULONG room, DWORD milliseconds, ULONG *count) {
    if (GetQueuedCompletionStatusEx(afd->port, done, room, count, milliseconds, FALSE)) return 0;
    *count = 0;
    return GetLastError() == WAIT_TIMEOUT ? ETIMEDOUT : ls_win_errno(GetLastError());
}

/* Requests that were cancelled, to be made anew, end without an event: then it is waited for on. */
static int afd_wait(void *self, double seconds, ls_Event *events, size_t room, size_t *n) {
    Afd *afd = self;
    OVERLAPPED_ENTRY done[AT_ONCE];
    double end = seconds < 0 ? 0 : ls_fd_now() + seconds, left = seconds * 1000;
    if (room > AT_ONCE) room = AT_ONCE;
    for (;;) {
        ULONG count = 0;
        int err;
        *n = ask_all(afd, events, room);
        if (*n > 0) left = 0;
        if (*n == room) return 0;
        err = fetch(afd, done, (ULONG)(room - *n), (DWORD)ls_fd_milliseconds(left), &count);
        *n += conclude_all(afd, done, count, events + *n);
        if (*n > 0) return 0;
        if (err && err != ETIMEDOUT) return err;
        if (seconds >= 0) left = (end - ls_fd_now()) * 1000;
        if (seconds >= 0 && left <= 0 && err) return 0;
        if (seconds >= 0 && left < 0) left = 0;
    }
}

static void afd_close(void *self) {
    Afd *afd = self;
    OVERLAPPED_ENTRY done[AT_ONCE];
    ls_Event events[AT_ONCE];
    ULONG count;
    size_t i;
    for (i = 0; i < afd->room; i++)
        if (afd->entries[i]) give_up(afd, afd->entries[i]);
    while (afd->under_way > 0 && fetch(afd, done, AT_ONCE, ENDING, &count) == 0) conclude_all(afd, done, count, events);
    close_handles(afd);
    free(afd->entries);
    free(afd);
}

static int afd_getfd(void *self) { return (void)self, -1; }

const ls_Backend ls_poll_afd = {
    "afd",   LS_POLL_FOREIGN, afd_open, afd_close, afd_reopen,
    afd_set, afd_check,       afd_wait, afd_getfd, NULL,
};
