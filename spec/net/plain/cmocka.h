/* As much of cmocka's interface as the C tests use, for C libraries that it is not built for: see tools/machines. What
   it prints is what tools/ctests reads. A test that crashes ends the program, which then has failed. */
#ifndef LS_SPEC_CMOCKA_H
#define LS_SPEC_CMOCKA_H

struct CMUnitTest {
    const char *name;
    void (*test_func)(void **state);
    int (*setup_func)(void **state);
    int (*teardown_func)(void **state);
    void *initial_state;
};

#define cmocka_unit_test_setup_teardown(test, setup, teardown) { #test, test, setup, teardown, NULL }
#define cmocka_unit_test(test) cmocka_unit_test_setup_teardown(test, NULL, NULL)

enum { CM_PASSED, CM_FAILED, CM_SKIPPED };

static jmp_buf cm_end; /* of the test that runs */

static inline void cm_require(int holds, const char *what, const char *file, int line) {
    if (holds) return;
    printf("[  ERROR   ] --- %s\n[   LINE   ] --- %s:%d\n", what, file, line);
    longjmp(cm_end, CM_FAILED);
}

static inline void cm_compare(uintmax_t a, uintmax_t b, int same, const char *what, const char *file, int line) {
    if ((a == b) != same) printf("[  ERROR   ] --- %#jx, %#jx\n", a, b);
    cm_require((a == b) == same, what, file, line);
}

#define CM_COMPARE(a, b, same, what) cm_compare((uintmax_t)(a), (uintmax_t)(b), same, what, __FILE__, __LINE__)
#define assert_true(value) cm_require(!!(value), #value, __FILE__, __LINE__)
#define assert_false(value) cm_require(!(value), "not: " #value, __FILE__, __LINE__)
#define assert_int_equal(a, b) CM_COMPARE(a, b, 1, #a " == " #b)
#define assert_int_not_equal(a, b) CM_COMPARE(a, b, 0, #a " != " #b)
#define assert_in_range(value, low, high) assert_true((uintmax_t)(value) - (low) <= (uintmax_t)(high) - (low))
#define assert_ptr_equal(a, b) assert_true((const void *)(a) == (const void *)(b))
#define assert_ptr_not_equal(a, b) assert_true((const void *)(a) != (const void *)(b))
#define assert_null(value) assert_true((value) == NULL)
#define assert_non_null(value) assert_true((value) != NULL)
#define assert_memory_equal(a, b, size) assert_true(memcmp(a, b, size) == 0)
#define assert_string_equal(a, b) assert_true(strcmp(a, b) == 0)
#define print_message printf
#define fail_msg(...) (printf("ERROR: " __VA_ARGS__), putchar('\n'), cm_require(0, "fail_msg", __FILE__, __LINE__))
#define skip() longjmp(cm_end, CM_SKIPPED)

static inline int cm_run(const struct CMUnitTest *test) {
    void *state = test->initial_state;
    int result = setjmp(cm_end);
    if (result == CM_PASSED) {
        if (test->setup_func) assert_int_equal(test->setup_func(&state), 0);
        test->test_func(&state);
        if (test->teardown_func) assert_int_equal(test->teardown_func(&state), 0);
    }
    return result;
}

static inline int cm_run_all(const struct CMUnitTest *tests, size_t count, int (*setup)(void **),
                             int (*teardown)(void **)) {
    static const char *const words[] = { "      OK", "  FAILED", " SKIPPED" };
    int counts[] = { 0, 0, 0 };
    void *state = NULL;
    size_t i;
    if (setup && setup(&state) != 0) return 1;
    for (i = 0; i < count; i++) {
        int result;
        printf("[ RUN      ] %s\n", tests[i].name);
        fflush(stdout);
        result = cm_run(&tests[i]);
        printf("[%s  ] %s\n", words[result], tests[i].name);
        counts[result]++;
    }
    printf("[  PASSED  ] %d test(s).\n[  SKIPPED ] %d test(s).\n", counts[CM_PASSED], counts[CM_SKIPPED]);
    if (counts[CM_FAILED]) printf("[  FAILED  ] %d test(s).\n", counts[CM_FAILED]);
    if (teardown && teardown(&state) != 0) return 1;
    return counts[CM_FAILED];
}

#define cmocka_run_group_tests(tests, setup, teardown) cm_run_all(tests, COUNT(tests), setup, teardown)
#define cmocka_run_group_tests_name(name, tests, setup, teardown) cmocka_run_group_tests(tests, setup, teardown)

#endif
