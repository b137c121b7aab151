/* SPDX-License-Identifier: MIT
 * Tables of fields: defaults, parsing, messages, and the way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "core/fields.h"
#include "core/memory.h"

typedef struct things {
    int64_t count;
    double rate;
    bool on;
    char *name;
    int kind;
    mpno_int_list modes;
    mpno_text_list files;
    int64_t parts;
} things;

static const mpno_field fields[] = {
    {"count", MPNO_FIELD_INT, offsetof(things, count), "null", "[1,inf)", ""},
    {"opt.rate", MPNO_FIELD_REAL, offsetof(things, rate), "1e-3", "(0,1]", ""},
    {"opt.on", MPNO_FIELD_BOOL, offsetof(things, on), "true", "", ""},
    {"name", MPNO_FIELD_TEXT, offsetof(things, name), "null", "", ""},
    {"opt.kind", MPNO_FIELD_CHOICE, offsetof(things, kind), "grid", "none|grid", ""},
    {"modes", MPNO_FIELD_INTS, offsetof(things, modes), "[4, 4]", "[1,inf)", ""},
    {"files", MPNO_FIELD_TEXTS, offsetof(things, files), "[]", "", ""},
    {"parts", MPNO_FIELD_INT, offsetof(things, parts), "auto", "[1,inf)", ""},
};
enum { N = sizeof fields / sizeof fields[0] };

static mpno_ctx *ctx;

static int start(void **state) {
    (void)state;
    return mpno_ctx_create(NULL, &ctx) == MPNO_OK ? 0 : -1;
}

static int stop(void **state) {
    (void)state;
    const bool leaked = mpno_ctx_bytes(ctx) != 0;
    mpno_ctx_destroy(&ctx);
    return leaked ? -1 : 0;
}

static mpno_status parse(const char *yaml, things *t) {
    mpno_value *tree = NULL;
    assert_int_equal(mpno_fields_default(ctx, fields, N, t), MPNO_OK);
    assert_int_equal(mpno_yaml_parse(ctx, "f.yaml", yaml, strlen(yaml), &tree), MPNO_OK);
    mpno_status status = mpno_fields_parse(ctx, "f.yaml", tree, fields, N, t);
    mpno_value_destroy(ctx, &tree);
    return status;
}

static void defaults_hold_what_the_table_says(void **state) {
    (void)state;
    things t;
    assert_int_equal(parse("{}", &t), MPNO_OK);
    assert_true(t.count == MPNO_UNSET && t.rate == 1e-3 && t.on && !t.name && t.kind == 1);
    assert_true(t.modes.n == 2 && t.modes.v[1] == 4 && t.files.n == 0 && t.parts == MPNO_UNSET);
    mpno_fields_clear(ctx, fields, N, &t);
}

static void values_are_taken(void **state) {
    (void)state;
    things t;
    assert_int_equal(parse("count: 7\nname: abc\nmodes: [1, 2, 3]\nfiles: one.pt\n"
                           "opt:\n  rate: 1\n  on: false\n  kind: null\n",
                           &t),
                     MPNO_OK);
    assert_true(t.count == 7 && t.rate == 1 && !t.on && t.kind == 0 && t.modes.n == 3);
    const mpno_field whole = {"w",     MPNO_FIELD_CHOICE, offsetof(things, kind),
                              "dense", "dense|cp",        ""};
    const struct {
        const char *text;
        int kind;
    } spellings[] = {{"CP", 1}, {"Dense", 0}, {"cp", 1}, {"null", 0}};
    for (int i = 0; i < 4; i++) { /* in capitals or not; null is the choice "dense" */
        assert_int_equal(mpno_field_set_text(ctx, &whole, spellings[i].text, &t), MPNO_OK);
        assert_int_equal(t.kind, spellings[i].kind);
    }
    assert_string_equal(t.name, "abc");
    assert_true(t.files.n == 1);
    assert_string_equal(t.files.v[0], "one.pt");
    mpno_fields_clear(ctx, fields, N, &t);
}

static void refusals_say_what_was_found(void **state) {
    (void)state;
    static const struct {
        const char *yaml, *sentence;
    } cases[] = {
        {"opt:\n  rat: 1\n", "f.yaml:2: unknown key opt.rat; did you mean opt.rate?"},
        {"count: 1\notp:\n  rate: 1\n", "f.yaml:2: unknown section otp; did you mean opt?"},
        {"opts: {rate: 1}\n", "f.yaml:1: unknown section opts; did you mean opt?"},
        {"otp: 1\n", "f.yaml:1: unknown key otp; did you mean opt?"},
        {"coutn: {a: 1}\n", "f.yaml:1: unknown key coutn; did you mean count?"},
        {"rate: 1\n", "f.yaml:1: unknown key rate; did you mean opt.rate?"},
        {"opt: [1, 2]\n", "f.yaml:1: opt: expected a section of keys, found a list of 2"},
        {"count: {a: 1}\n", "f.yaml:1: count: expected an integer, found a map of 1 keys"},
        {"count: auto\n", "f.yaml:1: count: expected an integer, found the text 'auto'"},
        {"parts: some\n", "f.yaml:1: parts: expected an integer or auto, found the text 'some'"},
        {"parts: null\n", "f.yaml:1: parts: expected an integer or auto, found nothing (null)"},
        {"count: 2.5\n", "f.yaml:1: count: expected an integer, found the number 2.5"},
        {"count: 0\n", "f.yaml:1: count: 0 is out of range, expected a value in [1,inf)"},
        {"opt: {rate: 0}\n", "f.yaml:1: opt.rate: 0 is out of range, expected a value in (0,1]"},
        {"opt: {rate: fast}\n", "f.yaml:1: opt.rate: expected a number, found the text 'fast'"},
        {"opt: {kind: grit}\n",
         "f.yaml:1: opt.kind: expected one of none, grid, found the text 'grit'"},
        {"opt: 3\n", "f.yaml:1: opt: expected a section of keys, found the number 3"},
        {"modes: [1, 0]\n", "f.yaml:1: modes: 0 is out of range, expected a value in [1,inf)"},
        {"files: [1]\n", "f.yaml:1: files: expected a text in the list, found the number 1"},
        {"- 1\n", "f.yaml: expected a map of keys at the top, found a list of 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        things t;
        assert_int_equal(parse(cases[i].yaml, &t), MPNO_E_CONFIG);
        assert_string_equal(mpno_ctx_error(ctx), cases[i].sentence);
        mpno_fields_clear(ctx, fields, N, &t);
    }
}

static void dump_parses_back(void **state) {
    (void)state;
    things a, b;
    mpno_value *tree = NULL;
    char *first = NULL, *second = NULL;
    assert_int_equal(parse("name: 'null'\nfiles: [a, 'b: c']\nopt: {rate: 0.1}\n", &a), MPNO_OK);
    assert_int_equal(mpno_fields_dump(ctx, fields, N, &a, &tree), MPNO_OK);
    assert_int_equal(mpno_yaml_text(ctx, tree, &first), MPNO_OK);
    mpno_value_destroy(ctx, &tree);
    assert_int_equal(parse(first, &b), MPNO_OK);
    assert_int_equal(mpno_fields_dump(ctx, fields, N, &b, &tree), MPNO_OK);
    assert_int_equal(mpno_yaml_text(ctx, tree, &second), MPNO_OK);
    mpno_value_destroy(ctx, &tree);
    assert_string_equal(first, second);
    assert_string_equal(b.name, "null");
    assert_non_null(strstr(first, "parts: auto\n"));
    assert_true(b.parts == MPNO_UNSET);
    assert_true(b.count == MPNO_UNSET && b.rate == 0.1);
    mpno_free(ctx, first);
    mpno_free(ctx, second);
    mpno_fields_clear(ctx, fields, N, &a);
    mpno_fields_clear(ctx, fields, N, &b);
}

static void failing_allocations_leave_nothing(void **state) {
    (void)state;
    for (int64_t n = 0; n < 12; n++) {
        things t;
        const size_t before = mpno_ctx_bytes(ctx);
        mpno_alloc_fail_after(ctx, n);
        const mpno_status status = mpno_fields_default(ctx, fields, N, &t);
        mpno_alloc_fail_after(ctx, -1);
        if (status == MPNO_OK) mpno_fields_clear(ctx, fields, N, &t);
        assert_true(status == MPNO_OK || status == MPNO_E_MEMORY);
        assert_int_equal(mpno_ctx_bytes(ctx), before);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold_what_the_table_says), cmocka_unit_test(values_are_taken),
        cmocka_unit_test(refusals_say_what_was_found),       cmocka_unit_test(dump_parses_back),
        cmocka_unit_test(failing_allocations_leave_nothing),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
