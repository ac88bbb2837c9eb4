/* The bytes between OpenSSL and the kernel. */
#include "link.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

/* ---- queues ---- */

static int is_borrowed(const lt_Link *l, const lt_Queue *q) {
    return q->block == l->shared->input || q->block == l->shared->output;
}

static size_t length(const lt_Queue *q) {
    return q->end - q->at;
}

static void drop(const lt_Link *l, lt_Queue *q) {
    if (!is_borrowed(l, q)) OPENSSL_free(q->block);
    memset(q, 0, sizeof *q);
}

/* Moves what is there to a block of that size, which is its own. */
static int move(lt_Link *l, lt_Queue *q, size_t from, size_t room) {
    char *block = OPENSSL_malloc(room);
    if (!block) {
        l->err = ENOMEM;
        return ENOMEM;
    }
    if (q->block) memcpy(block, q->block + from, q->end - from);
    if (!is_borrowed(l, q)) OPENSSL_free(q->block);
    q->block = block;
    q->at -= from;
    q->end -= from;
    q->room = room;
    return 0;
}

static void borrow(lt_Queue *q, char *block, size_t room) {
    q->block = block;
    q->at = q->end = 0;
    q->room = room;
}

/* No call of the program's queues so much: a peer that wants answers and reads none is cut off. */
enum { MOST = 1 << 20 };

/* Adds bytes; from: the first one that has to stay. */
static int append(lt_Link *l, lt_Queue *q, size_t from, const char *data, size_t len) {
    if (q->end - from + len > MOST) return l->err = ENOBUFS;
    if (q->end + len > q->room && move(l, q, from, 2 * (q->end - from) + len)) return ENOMEM;
    memcpy(q->block + q->end, data, len);
    q->end += len;
    return 0;
}

/* ---- in ---- */

enum { FILLS = 16 }; /* in a call that gets no byte for the program: then others have their turn */

static int receive(lt_Link *l, char *block, size_t *n) {
    int err = l->shared->core->receive(l->fd, block, LT_INPUT, n);
    l->fills++;
    if (err == EAGAIN || err == EWOULDBLOCK) return 0;
    l->err = err;
    l->ended = !err && *n == 0;
    if (err || *n == 0) return 0;
    if (l->first < 0) l->first = (unsigned char)*block;
    return 1;
}

/* 1: there are bytes in the queue now. */
static int fill(lt_Link *l) {
    size_t n;
    if (l->dry || l->ended || l->err || l->fills >= FILLS) return 0;
    if (l->keeps) return receive(l, l->shared->input, &n) && append(l, &l->in, 0, l->shared->input, n) == 0;
    drop(l, &l->in);
    if (!receive(l, l->shared->input, &n)) return 0;
    borrow(&l->in, l->shared->input, LT_INPUT);
    l->in.end = n;
    return 1;
}

static int link_read(BIO *bio, char *data, int size) {
    lt_Link *l = BIO_get_data(bio);
    size_t n;
    BIO_clear_retry_flags(bio);
    if (length(&l->in) == 0 && !fill(l)) {
        BIO_set_retry_read(bio); /* also at the end and after a failure, which the connection deals with */
        return -1;
    }
    n = length(&l->in) < (size_t)size ? length(&l->in) : (size_t)size;
    memcpy(data, l->in.block + l->in.at, n);
    l->in.at += n;
    return (int)n;
}

int lt_link_received(lt_Link *l, const char *data, size_t len) {
    if (len == 0) return 0;
    l->first = (unsigned char)*data;
    return append(l, &l->in, 0, data, len);
}

void lt_link_rewind(lt_Link *l) {
    l->in.at = 0;
    l->keeps = 0;
}

/* Five bytes of header: the last two are the length of what follows. */
int lt_link_hasrecord(const lt_Link *l) {
    const unsigned char *header;
    if (length(&l->in) < 5) return 0;
    header = (const unsigned char *)l->in.block + l->in.at;
    return length(&l->in) >= 5 + ((size_t)header[3] << 8 | header[4]);
}

/* ---- out ---- */

static int link_write(BIO *bio, const char *data, int size) {
    lt_Link *l = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!l->out.block) borrow(&l->out, l->shared->output, LT_OUTPUT);
    return append(l, &l->out, l->out.at, data, (size_t)size) ? -1 : size;
}

int lt_link_flush(lt_Link *l) {
    while (length(&l->out) > 0 && !l->send_err) {
        struct iovec piece;
        size_t n;
        int err;
        piece.iov_base = l->out.block + l->out.at;
        piece.iov_len = length(&l->out);
        err = l->shared->core->send(l->fd, &piece, 1, &n);
        if (err == EAGAIN || err == EWOULDBLOCK) return EAGAIN;
        if (err) l->send_err = err;
        else l->out.at += n;
    }
    drop(l, &l->out);
    return l->send_err;
}

/* ---- calls ---- */

void lt_link_begin(lt_Link *l) {
    l->dry = l->fills = 0;
}

static void settle(lt_Link *l, lt_Queue *q) {
    if (length(q) == 0) drop(l, q);
    else if (is_borrowed(l, q) && move(l, q, q->at, length(q))) memset(q, 0, sizeof *q);
}

void lt_link_settle(lt_Link *l) {
    if (!l->keeps) settle(l, &l->in);
    settle(l, &l->out);
}

void lt_link_free(lt_Link *l) {
    drop(l, &l->in);
    drop(l, &l->out);
}

/* ---- the BIO ---- */

static long link_ctrl(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int link_create(BIO *bio) {
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *new_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "lsocket");
    if (!method) return NULL;
    BIO_meth_set_read(method, link_read);
    BIO_meth_set_write(method, link_write);
    BIO_meth_set_ctrl(method, link_ctrl);
    BIO_meth_set_create(method, link_create);
    return method;
}

BIO *lt_link_bio(lt_Link *l) {
    BIO *bio;
    if (!l->shared->method) l->shared->method = new_method();
    bio = l->shared->method ? BIO_new(l->shared->method) : NULL;
    if (bio) BIO_set_data(bio, l);
    return bio;
}
