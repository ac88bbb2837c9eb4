/* net/bytes.c: what goes in comes out, in order; each byte is searched and moved a few times at most; memory. */
#include "net/bytes.h"

#include "check.h"

static size_t find(ls_Bytes *b, const char *delimiter, size_t limit) {
    size_t at = 999;
    int err = ls_bytes_find(b, delimiter, strlen(delimiter), limit, &at);
    return err ? (size_t)-err : at;
}

static void append(ls_Bytes *b, const char *text) {
    assert_int_equal(ls_bytes_append(b, text, strlen(text)), 0);
}

/* What is taken is what was put in, whatever the sizes; as an int of its own at each place. */
static void keeps_the_order(void **state) {
    ls_Bytes b = { 0 };
    uint32_t in = 0, out = 0, seed = 1;
    (void)state;
    while (out < 200000) {
        size_t count;
        seed = seed * 1664525 + 1013904223;
        for (count = seed >> 24; count > 0; count--, in++)
            assert_int_equal(ls_bytes_append(&b, (const char *)&in, sizeof in), 0);
        for (count = (seed >> 15) & 511; count > 0 && out < in; count--, out++) {
            assert_memory_equal(ls_bytes_front(&b), &out, sizeof out);
            ls_bytes_drop(&b, sizeof out);
        }
        assert_int_equal(ls_bytes_count(&b), (in - out) * sizeof in);
    }
    ls_bytes_free(&b);
}

static void has_no_memory_when_empty(void **state) {
    ls_Bytes b = { 0 };
    char *room;
    (void)state;
    assert_int_equal(ls_bytes_reserve(&b, 65536, &room), 0);
    assert_true(b.size >= 65536);
    ls_bytes_filled(&b, 0);
    assert_null(b.memory);
    append(&b, "abc");
    ls_bytes_drop(&b, 3);
    assert_null(b.memory);
    assert_int_equal(b.gone, 3);
    assert_int_equal(b.size, 0);
}

static void gives_back_what_is_not_used(void **state) {
    ls_Bytes b = { 0 };
    char *room;
    size_t at;
    (void)state;
    assert_int_equal(ls_bytes_reserve(&b, 65536, &room), 0);
    memcpy(room, "abc", 3);
    ls_bytes_filled(&b, 3);
    assert_true(b.size < 100);
    assert_int_equal(ls_bytes_reserve(&b, 65536, &room), 0);
    memset(room, '\n', 65536);
    ls_bytes_filled(&b, 65536);
    assert_true(b.size >= 65539);
    ls_bytes_drop(&b, 65538);
    ls_bytes_drop(&b, 1);
    append(&b, "rest");
    assert_int_equal(ls_bytes_line(&b, LS_BYTES_UNLIMITED, &at), EAGAIN);
    assert_true(b.size < 100);
    assert_memory_equal(ls_bytes_front(&b), "rest", 4);
    ls_bytes_free(&b);
}

/* One block goes from hand to hand; of two, the second is freed, and so is what comes back after the end. */
static void shares_a_block(void **state) {
    ls_Spare spare = { 0 };
    ls_Bytes a = { .spare = &spare }, b = { .spare = &spare };
    char *room, *first;
    (void)state;
    assert_int_equal(ls_bytes_reserve(&a, 65536, &first), 0);
    memcpy(first, "abc", 3);
    ls_bytes_filled(&a, 3);
    assert_ptr_equal(spare.memory, first);
    assert_memory_equal(ls_bytes_front(&a), "abc", 3);
    assert_int_equal(ls_bytes_reserve(&b, 65536, &room), 0);
    assert_ptr_equal(room, first);
    assert_null(spare.memory);
    assert_int_equal(ls_bytes_reserve(&a, 65536, &room), 0);
    ls_bytes_clear(&a);
    assert_non_null(spare.memory);
    assert_ptr_not_equal(spare.memory, first);
    ls_bytes_filled(&b, 0);
    assert_ptr_not_equal(spare.memory, first);
    assert_int_equal(ls_bytes_reserve(&a, 65536, &room), 0);
    ls_spare_close(&spare);
    ls_bytes_free(&a);
    ls_bytes_free(&b);
    assert_null(spare.memory);
}

/* 64 KiB in, all but a little out, again and again: the memory stays as large as that needs. */
static void does_not_grow_with_what_passes(void **state) {
    ls_Bytes b = { 0 };
    char *room;
    int i;
    (void)state;
    for (i = 0; i < 1000; i++) {
        assert_int_equal(ls_bytes_reserve(&b, 65536, &room), 0);
        memset(room, 'x', 65536);
        ls_bytes_filled(&b, 65536);
        assert_true(b.size < 2 * 65536);
        ls_bytes_drop(&b, ls_bytes_count(&b) - 1 - (size_t)i % 100);
    }
    ls_bytes_free(&b);
}

static void refuses_what_no_memory_can_hold(void **state) {
    ls_Bytes b = { 0 };
    char *room;
    (void)state;
    append(&b, "abc");
    assert_int_equal(ls_bytes_reserve(&b, SIZE_MAX, &room), ENOMEM);
    assert_int_equal(ls_bytes_reserve(&b, SIZE_MAX / 2, &room), ENOMEM);
    assert_memory_equal(ls_bytes_front(&b), "abc", 3);
    ls_bytes_free(&b);
}

static void finds_delimiters(void **state) {
    ls_Bytes b = { 0 };
    (void)state;
    append(&b, "aaa");
    assert_int_equal(find(&b, "aab", 100), (size_t)-EAGAIN);
    assert_int_equal(b.searched, 1);
    append(&b, "b");
    assert_int_equal(find(&b, "aab", 100), 1);
    assert_int_equal(find(&b, "aab", 1), 1);
    assert_int_equal(find(&b, "aab", 0), (size_t)-EMSGSIZE);
    assert_int_equal(find(&b, "b", 100), 3);
    assert_int_equal(find(&b, "bb", 100), (size_t)-EAGAIN);
    ls_bytes_drop(&b, 3);
    append(&b, "b");
    assert_int_equal(find(&b, "bb", 100), 0);
    ls_bytes_free(&b);
    assert_null(b.delimiter);
}

static void searches_lines_once(void **state) {
    ls_Bytes b = { 0 };
    size_t at;
    (void)state;
    append(&b, "abc");
    assert_int_equal(ls_bytes_line(&b, LS_BYTES_UNLIMITED, &at), EAGAIN);
    assert_int_equal(b.lined, 3);
    append(&b, "d\nef");
    assert_int_equal(ls_bytes_line(&b, 4, &at), 0);
    assert_int_equal(at, 4);
    assert_int_equal(ls_bytes_line(&b, 3, &at), EMSGSIZE);
    ls_bytes_drop(&b, 5);
    assert_int_equal(b.lined, 0);
    assert_int_equal(ls_bytes_line(&b, 1, &at), EMSGSIZE);
    assert_int_equal(ls_bytes_line(&b, 2, &at), EAGAIN);
    append(&b, "\n");
    assert_int_equal(ls_bytes_line(&b, 2, &at), 0);
    assert_int_equal(at, 2);
    ls_bytes_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_order),
        cmocka_unit_test(has_no_memory_when_empty),
        cmocka_unit_test(gives_back_what_is_not_used),
        cmocka_unit_test(shares_a_block),
        cmocka_unit_test(does_not_grow_with_what_passes),
        cmocka_unit_test(refuses_what_no_memory_can_hold),
        cmocka_unit_test(finds_delimiters),
        cmocka_unit_test(searches_lines_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
