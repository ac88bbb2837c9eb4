/* The names of signals. */
#include "net/signame.h"

#include "check.h"

#include <signal.h>

static int number_of(const char *name) { return ls_signame_number(name, strlen(name)); }

static void names_and_numbers_fit(void **state) {
    static const int numbers[] = { SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGCHLD,
                                   SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGXCPU, SIGVTALRM, SIGPROF,
                                   SIGWINCH, SIGIO };
    char name[LS_SIGNAME_ROOM];
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(numbers); i++) {
        ls_signame_text(numbers[i], name);
        assert_int_equal(number_of(name), numbers[i]);
    }
    assert_int_equal(number_of("TERM"), SIGTERM);
    ls_signame_text(SIGUSR1, name);
    assert_string_equal(name, "USR1");
}

static void realtime_signals_are_counted_from_the_first(void **state) {
#ifdef SIGRTMIN
    char name[LS_SIGNAME_ROOM];
    int number;
    (void)state;
    assert_int_equal(number_of("RTMIN"), SIGRTMIN);
    assert_int_equal(number_of("RTMIN+1"), SIGRTMIN + 1);
    for (number = SIGRTMIN; number <= SIGRTMAX; number++) {
        ls_signame_text(number, name);
        assert_int_equal(number_of(name), number);
    }
#else
    (void)state;
    skip();
#endif
}

static void other_names_are_none(void **state) {
    static const char *const wrong[] = { "", "SIGTERM", "term", "TERM ", "TER", "RTMIN+0", "RTMIN+", "RTMIN+99",
                                         "RTMIN+1x", "RTMIN+ 1", "RTMAX", "15" };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(wrong); i++) assert_int_equal(number_of(wrong[i]), 0);
    assert_int_equal(ls_signame_number("TERM\0", 5), 0);
}

static void what_no_handler_can_have_is_not_allowed(void **state) {
    static const int refused[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(refused); i++) assert_false(ls_signame_allowed(refused[i]));
    assert_true(ls_signame_allowed(SIGTERM) && ls_signame_allowed(SIGCHLD) && ls_signame_allowed(SIGINT));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_OPEN(names_and_numbers_fit),
        TEST_OPEN(realtime_signals_are_counted_from_the_first),
        TEST_OPEN(other_names_are_none),
        TEST_OPEN(what_no_handler_can_have_is_not_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
