/* Binding to a path in a folder that others may write to: src/net/unix.c is compiled into this program a second time,
   under other names, and while it binds, somebody else puts something in the socket's place. */
#include "net/unix.h"

#include "fd_check.h"

enum { NOTHING, LINK, FILE_OF_OURS, WIDER };

static int trick;

static ls_Addr place, victim;

static void play(void) {
    const char *path_text = place.u.un.sun_path, *other = victim.u.un.sun_path;
    if (trick == NOTHING) return;
    assert_int_equal(unlink(path_text), 0);
    if (trick == LINK) assert_int_equal(symlink(other, path_text), 0);
    else assert_int_equal(link(other, path_text), 0);
}

static int tricked_bind(int fd, const ls_Addr *addr) {
    int err = ls_fd_bind(fd, addr);
    if (!err) play();
    return err;
}

#define ls_fd_bind tricked_bind
#define ls_unix_ispath tricked_unix_ispath
#define ls_unix_bind tricked_unix_bind
#define ls_unix_remove tricked_unix_remove
#define ls_unix_peercred tricked_unix_peercred
int ls_unix_ispath(const ls_Addr *addr);
int ls_unix_bind(int fd, const ls_Addr *addr, int mode, int replace);
void ls_unix_remove(const ls_Addr *addr);
int ls_unix_peercred(int fd, ls_Credentials *peer);

#include "net/unix.c"

#undef ls_fd_bind

static unsigned mode_of(const ls_Addr *addr) {
    struct stat file;
    assert_int_equal(stat(addr->u.un.sun_path, &file), 0);
    return (unsigned)file.st_mode & 0777;
}

/* It stays where it was put; then it goes. */
static void remove_the_other(void) {
    struct stat file;
    assert_int_equal(lstat(place.u.un.sun_path, &file), 0);
    remove_path(&place);
}

static void nothing_else_gets_the_permissions(void **state) {
    static const unsigned masks[] = { 0, 022, 0777 };
    size_t i;
    int kind;
    (void)state;
    for (i = 0; i < COUNT(masks); i++) {
        for (kind = LINK; kind <= FILE_OF_OURS; kind++) {
            int fd = opened(AF_UNIX, SOCK_STREAM), file;
            mode_t before;
            place = path("x");
            victim = path("y");
            file = open(victim.u.un.sun_path, O_CREAT | O_WRONLY, 0600);
            before = umask((mode_t)masks[i]);
            trick = kind;
            assert_int_equal(ls_unix_bind(fd, &place, 0666, 0), ENOENT);
            umask(before);
            assert_int_equal(mode_of(&victim), 0600);
            remove_the_other();
            remove_path(&victim);
            assert_int_equal(close(file), 0);
            assert_int_equal(ls_fd_close(fd), 0);
        }
    }
}

/* As it cannot be the file that has just been made. */
static void nor_does_a_socket_with_more(void **state) {
    int fd = opened(AF_UNIX, SOCK_STREAM), other = opened(AF_UNIX, SOCK_STREAM);
    (void)state;
    if (!LS_HAVE_O_PATH || !LS_HAVE_SOCKET_MODE) {
        assert_int_equal(ls_fd_close(fd) + ls_fd_close(other), 0);
        skip();
    }
    place = path("x");
    victim = path("y");
    trick = NOTHING;
    assert_int_equal(ls_unix_bind(other, &victim, 0622, 0), 0);
    trick = WIDER;
    assert_int_equal(ls_unix_bind(fd, &place, 0660, 0), ENOENT);
    assert_int_equal(mode_of(&victim), 0622);
    remove_the_other();
    remove_path(&victim);
    assert_int_equal(ls_fd_close(fd), 0);
    assert_int_equal(ls_fd_close(other), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_OPEN(nothing_else_gets_the_permissions),
        TEST_OPEN(nor_does_a_socket_with_more),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
