/* SPDX-License-Identifier: MIT
 * Values: what YAML and JSON texts mean, what they may not say, writing and reading back, lack of
 * memory, nearest names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/text.h"
#include "core/value.h"

static mpno_ctx *ctx;

static int open_context(void **state) {
    (void)state;
    return mpno_ctx_create(NULL, &ctx);
}

static int close_context(void **state) {
    (void)state;
    size_t held = mpno_ctx_bytes(ctx);
    mpno_ctx_destroy(&ctx);
    return held == 0 ? 0 : -1;
}

typedef mpno_status (*parser)(mpno_ctx *, const char *, const char *, size_t, mpno_value **);

static mpno_value *parsed(parser parse, const char *text) {
    mpno_value *v = NULL;
    if (parse(ctx, "text", text, strlen(text), &v) != MPNO_OK)
        fail_msg("'%s': %s", text, mpno_ctx_error(ctx));
    return v;
}

static void assert_equal(const mpno_value *a, const mpno_value *b) {
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->boolean, b->boolean);
    assert_int_equal(a->integer, b->integer);
    assert_true(a->real == b->real && !signbit(a->real) == !signbit(b->real));
    if (a->kind == MPNO_VALUE_STRING) assert_string_equal(a->string, b->string);
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        if (a->kind == MPNO_VALUE_MAP) assert_string_equal(a->keys[i], b->keys[i]);
        assert_equal(a->items[i], b->items[i]);
    }
}

/* ------------------------------------------------------------------ scalars */

typedef struct scalar_case {
    const char *text;
    mpno_value_kind kind;
    double number; /* or boolean */
    const char *string;
} scalar_case;

static const scalar_case scalars[] = {
    {"", MPNO_VALUE_NULL, 0, NULL},
    {"~", MPNO_VALUE_NULL, 0, NULL},
    {"null", MPNO_VALUE_NULL, 0, NULL},
    {"NULL", MPNO_VALUE_NULL, 0, NULL},
    {"true", MPNO_VALUE_BOOL, 1, NULL},
    {"False", MPNO_VALUE_BOOL, 0, NULL},
    {"yes", MPNO_VALUE_STRING, 0, "yes"},
    {"off", MPNO_VALUE_STRING, 0, "off"},
    {"tRUE", MPNO_VALUE_STRING, 0, "tRUE"},
    {"0", MPNO_VALUE_INT, 0, NULL},
    {"-12", MPNO_VALUE_INT, -12, NULL},
    {"+7", MPNO_VALUE_INT, 7, NULL},
    {"010", MPNO_VALUE_INT, 10, NULL},
    {"0o17", MPNO_VALUE_INT, 15, NULL},
    {"0xfF", MPNO_VALUE_INT, 255, NULL},
    {"0xg", MPNO_VALUE_STRING, 0, "0xg"},
    {"0o8", MPNO_VALUE_STRING, 0, "0o8"},
    {"1e-3", MPNO_VALUE_REAL, 1e-3, NULL},
    {"1E5", MPNO_VALUE_REAL, 1e5, NULL},
    {"1.", MPNO_VALUE_REAL, 1, NULL},
    {".5", MPNO_VALUE_REAL, 0.5, NULL},
    {"-2.5e+2", MPNO_VALUE_REAL, -250, NULL},
    {"-0.0", MPNO_VALUE_REAL, -0.0, NULL},
    {"1e-400", MPNO_VALUE_REAL, 0, NULL},
    {".", MPNO_VALUE_STRING, 0, "."},
    {"-", MPNO_VALUE_STRING, 0, "-"},
    {"e5", MPNO_VALUE_STRING, 0, "e5"},
    {"1e", MPNO_VALUE_STRING, 0, "1e"},
    {"1.5.2", MPNO_VALUE_STRING, 0, "1.5.2"},
    {"1e5e5", MPNO_VALUE_STRING, 0, "1e5e5"},
    {"inf", MPNO_VALUE_STRING, 0, "inf"},
    {"nan", MPNO_VALUE_STRING, 0, "nan"},
    {"0x1p3", MPNO_VALUE_STRING, 0, "0x1p3"},
    {"1_000", MPNO_VALUE_STRING, 0, "1_000"},
    {"gelu", MPNO_VALUE_STRING, 0, "gelu"},
    {"\"1\"", MPNO_VALUE_STRING, 0, "1"},
    {"'true'", MPNO_VALUE_STRING, 0, "true"},
    {"\"a\\n\\u00e9\"", MPNO_VALUE_STRING, 0, "a\n\xc3\xa9"},
};

static void check_scalar(const mpno_value *v, const scalar_case *expected) {
    if (v->kind != expected->kind) fail_msg("'%s' became kind %d", expected->text, (int)v->kind);
    switch (v->kind) {
        case MPNO_VALUE_BOOL:
            assert_int_equal(v->boolean, expected->number != 0);
            break;
        case MPNO_VALUE_INT:
            assert_int_equal(v->integer, (int64_t)expected->number); /* fall through */
        case MPNO_VALUE_REAL:
            assert_true(v->real == expected->number &&
                        !signbit(v->real) == !signbit(expected->number));
            break;
        case MPNO_VALUE_STRING:
            assert_string_equal(v->string, expected->string);
            break;
        default:
            break;
    }
}

static void plain_scalars_follow_the_core_schema(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) {
        mpno_value *v;
        assert_int_equal(mpno_value_from_text(ctx, scalars[i].text, &v), MPNO_OK);
        check_scalar(v, &scalars[i]);
        mpno_value_destroy(ctx, &v);
        if (strcmp(scalars[i].text, "-") == 0) continue; /* in a map this begins a list */
        char text[64];
        (void)snprintf(text, sizeof text, "# comment\nkey: %s\n", scalars[i].text);
        v = parsed(mpno_yaml_parse, text);
        assert_non_null(mpno_value_get(v, "key"));
        check_scalar(mpno_value_get(v, "key"), &scalars[i]);
        assert_int_equal(mpno_value_get(v, "key")->line, 2);
        mpno_value_destroy(ctx, &v);
    }
}

static void command_line_texts_need_no_quotes(void **state) {
    (void)state;
    static const char *const words[] = {"C: x", "*",  "&a", "!tag", "#1", "- a",
                                        "a, b", "%x", "@x", "{",    "["};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        mpno_value *v = NULL;
        mpno_status status = mpno_value_from_text(ctx, words[i], &v);
        if (*words[i] == '{' || *words[i] == '[') {
            assert_int_equal(status, MPNO_E_CONFIG);
            assert_null(v);
        } else {
            assert_int_equal(status, MPNO_OK);
            assert_int_equal(v->kind, MPNO_VALUE_STRING);
            assert_string_equal(v->string, words[i]);
            mpno_value_destroy(ctx, &v);
        }
    }
    mpno_value *v, *w = parsed(mpno_json_parse, "{\"a\": [8, 8], \"b\": {\"c\": \"d\"}}");
    assert_int_equal(mpno_value_from_text(ctx, " {a: [8, 8], b: {c: d}}", &v), MPNO_OK);
    assert_equal(v, w);
    mpno_value_destroy(ctx, &v);
    mpno_value_destroy(ctx, &w);
}

/* ------------------------------------------------------------------ what is refused */

typedef struct error_case {
    const char *text, *where, *sentence;
} error_case;

static void check_errors(parser parse, const error_case *cases, size_t n, mpno_status code) {
    for (size_t i = 0; i < n; i++) {
        mpno_value *v = (mpno_value *)&cases;
        assert_int_equal(parse(ctx, "cfg", cases[i].text, strlen(cases[i].text), &v), code);
        assert_null(v);
        const char *said = mpno_ctx_error(ctx);
        bool fits = strncmp(said, cases[i].where, strlen(cases[i].where)) == 0 &&
                    strstr(said, cases[i].sentence);
        if (!fits) fail_msg("'%s' gave '%s'", cases[i].text, said);
        assert_int_equal(mpno_ctx_bytes(ctx), 0);
    }
}

static void yaml_that_is_not_plain_data_is_refused(void **state) {
    (void)state;
    static const error_case cases[] = {
        {"a: 1\nb: 2\na: 3\n", "cfg:3:1:", "key 'a' stands twice (first at line 1)"},
        {"x: {a: 1, a: 2}", "cfg:1:11:", "key 'a' stands twice"},
        {"a: &n 1\n", "cfg:1:4:", "anchors"},
        {"a: &n [1]\n", "cfg:1:4:", "anchors"},
        {"a: 1\nb: *n\n", "cfg:2:4:", "aliases"},
        {"? &k a\n: 1", "cfg:1:3:", "anchors"},
        {"*n : 1", "cfg:1:1:", "aliases"},
        {"a: !!int 1", "cfg:1:4:", "tags"},
        {"a: !mine [1]", "cfg:1:4:", "tags"},
        {"a: ! {b: 1}", "cfg:1:4:", "tags"},
        {"a: 1\n---\nb: 2\n", "cfg:2:1:", "second document"},
        {"a: .inf", "cfg:1:4:", "not a finite number"},
        {"a: [1, -.Inf]", "cfg:1:8:", "not a finite number"},
        {"a: .NaN", "cfg:1:4:", "not a finite number"},
        {"a: 1e999", "cfg:1:4:", "larger than"},
        {"a: 9223372036854775808", "cfg:1:4:", "64 bits"},
        {"a: 0xfffffffffffffffff", "cfg:1:4:", "64 bits"},
        {"[1, 2]: a", "cfg:1:1:", "keys are words"},
        {"? \n: 1", "cfg:1:2:", "empty key"},
        {"a: [1, 2", "cfg:2:1:", "check indentation"},
        {"a:\n  b: 1\n c: 2\n", "cfg:3:2:", "check indentation"},
        {"a: b: c", "cfg:1:5:", "mapping values are not allowed"},
        {"a: 'x", "cfg:1:6:", "quoted scalar"},
        {"a: \"\\0\"", "cfg:1:4:", "zero byte"},
        {"a: \xff", "cfg: byte 3:", "UTF-8"},
        {"\ta: 1", "cfg:1:1:", "token"},
    };
    check_errors(mpno_yaml_parse, cases, sizeof cases / sizeof *cases, MPNO_E_CONFIG);
    char deep[1000];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    const error_case nested = {deep, "cfg:1:65:", "64 levels"};
    check_errors(mpno_yaml_parse, &nested, 1, MPNO_E_CONFIG);
}

static void json_is_strict(void **state) {
    (void)state;
    static const error_case cases[] = {
        {"{\"a\": 1, \"a\": 2}", "cfg:1:", "duplicate"},
        {"{\"a\": 1,\n \"b\": NaN}", "cfg:2:", "NaN"},
        {"[1, 2] 3", "cfg:1:", "end of file"},
        {"{\"a\": 1,}", "cfg:1:", "'}'"},
        {"", "cfg:", "JSON"},
        {"[1e999]", "cfg:1:", "overflow"},
        {"[99999999999999999999]", "cfg:1:", "integer"},
        {"\"\\u0000\"", "cfg:1:", "\\u0000"},
        {"[01]", "cfg:1:", "JSON"},
        {"'a'", "cfg:1:", "JSON"},
    };
    check_errors(mpno_json_parse, cases, sizeof cases / sizeof *cases, MPNO_E_FORMAT);
}

/* ------------------------------------------------------------------ writing */

static const char tricky[] =
    "empty: ''\nwords: [yes, no, y, 'null', '1', '1e3', 'a b', 'x: y', '#', '- a', '~', on]\n"
    "quotes: \"say \\\"hi\\\" \\\\ tab\\t cr\\r nl\\n bell\\a nel\\x85 ls\\u2028 bom\\ufeff "
    "del\\x7f\"\n"
    "unicode: \"\xc3\xa9\xe2\x88\x87\xf0\x9f\x98\x80\"\n"
    "numbers: [0, -1, 9223372036854775807, -9223372036854775808, 0.1, 1.0, -0.0, 1e300, 5e-324, "
    "1e16, 1e22, 123456.789]\n"
    "nothing: ~\nflags: [true, false]\nempties: {list: [], map: {}}\n'key: odd': 1\n'': 2\n"
    "nested:\n  - - 1\n    - - 2\n      - {a: 3, b: [{c: 4}]}\n  - {d: {e: {f: 5}}, g: 6}\n  - "
    "[[]]\n  - plain\n"
    "path: /data/run-1.v2/file_3.json\n";

static void texts_read_back_as_they_were(void **state) {
    (void)state;
    mpno_value *v = parsed(mpno_yaml_parse, tricky), *again;
    char *text;
    assert_int_equal(mpno_yaml_text(ctx, v, &text), MPNO_OK);
    again = parsed(mpno_yaml_parse, text);
    assert_equal(v, again);
    mpno_value_destroy(ctx, &again);
    mpno_free(ctx, text);
    for (int pretty = 0; pretty < 2; pretty++) {
        assert_int_equal(mpno_json_text(ctx, v, pretty != 0, &text), MPNO_OK);
        if (pretty == 0) assert_null(strchr(text, '\n'));
        again = parsed(mpno_json_parse, text);
        assert_equal(v, again);
        mpno_value_destroy(ctx, &again);
        again = parsed(mpno_yaml_parse, text); /* JSON is YAML */
        assert_equal(v, again);
        mpno_value_destroy(ctx, &again);
        mpno_free(ctx, text);
    }
    assert_int_equal(mpno_value_clone(ctx, v, &again), MPNO_OK);
    assert_equal(v, again);
    assert_int_equal(mpno_value_get(again, "path")->line, mpno_value_get(v, "path")->line);
    mpno_value_destroy(ctx, &again);
    mpno_value_destroy(ctx, &v);
}

static void layout_is_readable(void **state) {
    (void)state;
    mpno_value *v =
        parsed(mpno_yaml_parse, "a: 1\nb: {c: [1, 2], d: yes}\ne: [{f: 1.5, g: ~}, [x, [w]]]\n");
    char *text;
    assert_int_equal(mpno_yaml_text(ctx, v, &text), MPNO_OK);
    assert_string_equal(
        text,
        "a: 1\nb:\n  c: [1, 2]\n  d: \"yes\"\ne:\n  - f: 1.5\n    g: null\n  - - x\n    - [w]\n");
    mpno_free(ctx, text);
    assert_int_equal(mpno_json_text(ctx, v, false, &text), MPNO_OK);
    assert_string_equal(text,
                        "{\"a\": 1, \"b\": {\"c\": [1, 2], \"d\": \"yes\"}, "
                        "\"e\": [{\"f\": 1.5, \"g\": null}, [\"x\", [\"w\"]]]}");
    mpno_free(ctx, text);
    mpno_value_destroy(ctx, &v);
}

static void what_json_cannot_say_is_replaced(void **state) {
    (void)state;
    mpno_value *map, *back;
    char *text;
    assert_int_equal(mpno_value_map(ctx, &map), MPNO_OK);
    assert_int_equal(mpno_value_set_real(ctx, map, "inf", (double)INFINITY), MPNO_OK);
    assert_int_equal(mpno_value_set_real(ctx, map, "nan", (double)NAN), MPNO_OK);
    assert_int_equal(
        mpno_value_set_string(ctx, map, "bytes", "a\xff\xc3(\xe2\x88\xed\xa0\x80\xc0\x80z"),
        MPNO_OK);
    assert_int_equal(mpno_json_text(ctx, map, false, &text), MPNO_OK);
    assert_non_null(strstr(text, "\"inf\": null, \"nan\": null"));
    back = parsed(mpno_json_parse, text);
    const char *bytes = mpno_value_get(back, "bytes")->string;
    assert_int_equal(strncmp(bytes, "a\xef\xbf\xbd\xef\xbf\xbd(", 8), 0);
    assert_int_equal(bytes[strlen(bytes) - 1], 'z');
    mpno_value_destroy(ctx, &back);
    mpno_free(ctx, text);
    assert_int_equal(mpno_yaml_text(ctx, map, &text), MPNO_OK);
    back = parsed(mpno_yaml_parse, text);
    assert_int_equal(mpno_value_get(back, "inf")->kind, MPNO_VALUE_NULL);
    mpno_value_destroy(ctx, &back);
    mpno_free(ctx, text);
    char key[1200];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    assert_int_equal(mpno_value_set_int(ctx, map, key, 1), MPNO_OK);
    assert_int_equal(mpno_yaml_text(ctx, map, &text), MPNO_E_ARGUMENT);
    assert_null(text);
    mpno_value_destroy(ctx, &map);
}

static void numbers_do_not_follow_the_locale(void **state) {
    (void)state;
    char out[MPNO_REAL_TEXT];
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0.1, "0.1"},
                 {1, "1.0"},
                 {-0.0, "-0.0"},
                 {1e16, "1.0e+16"},
                 {1.0 / 3, "0.3333333333333333"},
                 {1e-7, "1.0e-07"},
                 {1.5e-7, "1.5e-07"},
                 {(double)INFINITY, "inf"},
                 {0x1.fffffffffffffp1023, "1.797693134862316e+308"}};
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            double back;
            mpno_real_text(cases[i].v, out);
            if (i + 1 < sizeof cases / sizeof *cases) assert_string_equal(out, cases[i].text);
            if (isfinite(cases[i].v)) {
                assert_true(mpno_real_parse(out, &back));
                assert_true(back == cases[i].v);
            }
        }
        if (pass == 0 && setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL)
            break; /* not on every machine */
    }
    (void)setlocale(LC_NUMERIC, "C");
}

/* ------------------------------------------------------------------ trees */

static void maps_replace_and_keep_order(void **state) {
    (void)state;
    mpno_value *map, *inner, *item;
    char key[16];
    assert_int_equal(mpno_value_map(ctx, &map), MPNO_OK);
    for (int i = 0; i < 50; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(mpno_value_set_int(ctx, map, key, i), MPNO_OK);
    }
    assert_int_equal(mpno_value_set_bool(ctx, map, "k7", true), MPNO_OK);
    assert_int_equal(map->n, 50);
    assert_string_equal(map->keys[7], "k7");
    assert_int_equal(mpno_value_get(map, "k7")->kind, MPNO_VALUE_BOOL);
    assert_int_equal(mpno_value_get(map, "k49")->integer, 49);
    assert_null(mpno_value_get(map, "k50"));
    assert_null(mpno_value_get(NULL, "k"));
    assert_null(mpno_value_get(mpno_value_get(map, "k1"), "k"));
    assert_int_equal(mpno_value_set_map(ctx, map, "inner", &inner), MPNO_OK);
    assert_int_equal(mpno_value_set_string(ctx, inner, "a", "b"), MPNO_OK);
    assert_ptr_equal(mpno_value_get(map, "inner"), inner);
    assert_string_equal(mpno_value_get_string(inner, "a", "?"), "b");
    assert_string_equal(mpno_value_get_string(map, "k1", "?"), "?");
    assert_null(mpno_value_get_string(inner, "none", NULL));
    assert_int_equal(mpno_value_set_real(ctx, inner, "r", 0.5), MPNO_OK);
    assert_true(mpno_value_get_real(inner, "r") == 0.5);
    assert_true(mpno_value_get_real(map, "k49") == 49);
    assert_true(isnan(mpno_value_get_real(inner, "a")) && isnan(mpno_value_get_real(inner, "b")));
    assert_true(isnan(mpno_value_get_real(map, "k7")));
    /* A wrong container is an error, and the item is taken all the same. */
    assert_int_equal(mpno_value_int(ctx, 1, &item), MPNO_OK);
    assert_int_equal(mpno_value_append(ctx, map, item), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_value_string(ctx, "x", &item), MPNO_OK);
    assert_int_equal(mpno_value_set(ctx, map->items[0], "a", item), MPNO_E_ARGUMENT);
    mpno_value_destroy(ctx, &map);
    assert_null(map);
    mpno_value_destroy(ctx, &map);
    mpno_value_destroy(ctx, NULL);
}

/* All of the work above once per allocation, each time with one more that succeeds. */
static mpno_status whole_round(const char *text) {
    mpno_value *v = NULL, *copy = NULL, *from_json = NULL;
    char *yaml = NULL, *json = NULL;
    mpno_status status = mpno_yaml_parse(ctx, "t", text, strlen(text), &v);
    if (status == MPNO_OK) status = mpno_value_clone(ctx, v, &copy);
    if (status == MPNO_OK) status = mpno_yaml_text(ctx, copy, &yaml);
    if (status == MPNO_OK) status = mpno_json_text(ctx, copy, true, &json);
    if (status == MPNO_OK) status = mpno_json_parse(ctx, "t", json, strlen(json), &from_json);
    if (status == MPNO_OK) status = mpno_value_set_string(ctx, from_json, "new", "text");
    mpno_value *inner;
    if (status == MPNO_OK) status = mpno_value_set_map(ctx, from_json, "more", &inner);
    mpno_value_destroy(ctx, &v);
    mpno_value_destroy(ctx, &copy);
    mpno_value_destroy(ctx, &from_json);
    mpno_free(ctx, yaml);
    mpno_free(ctx, json);
    return status;
}

static void every_failed_allocation_leaves_nothing(void **state) {
    (void)state;
    static const char text[] =
        "a: [1, 2.5, x]\nb: {c: {d: 'e f'}, g: [[h]]}\n1: ~\n2: 1\n3: 1\n4: 1\n5: 1\n6: 1\n7: 1\n";
    int64_t n = 0;
    for (;; n++) {
        mpno_alloc_fail_after(ctx, n);
        mpno_status status = whole_round(text);
        mpno_alloc_fail_after(ctx, -1);
        assert_int_equal(mpno_ctx_bytes(ctx), 0);
        if (status == MPNO_OK) break;
        assert_int_equal(status, MPNO_E_MEMORY);
        assert_true(n < 1000);
    }
    assert_true(n > 100); /* the round does allocate */
}

static void nearest_names(void **state) {
    (void)state;
    static const char *const names[] = {
        "hidden_channels", "n_modes", "lifting", "projection", "gelu", "norm", "lr"};
    static const struct {
        const char *word, *nearest;
    } cases[] = {{"hiden_chanels", "hidden_channels"},
                 {"n_mode", "n_modes"},
                 {"gleu", "gelu"},
                 {"nomr", "norm"},
                 {"projection", "projection"},
                 {"porjectoin", "projection"},
                 {"zzzzzz", NULL},
                 {"", NULL},
                 {"rl", "lr"},
                 {"qq", NULL},
                 {"n_modesss", "n_modes"},
                 {"xxn_modes", "n_modes"},
                 {"hiddenchannelswidth", "hidden_channels"},
                 {"hiddenchannelswidths", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *nearest = mpno_nearest_name(cases[i].word, names, sizeof names / sizeof *names);
        if (cases[i].nearest == NULL) {
            if (nearest != NULL) fail_msg("'%s' gave '%s'", cases[i].word, nearest);
        } else {
            assert_non_null(nearest);
            assert_string_equal(nearest, cases[i].nearest);
        }
    }
    char longest[5000];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_null(mpno_nearest_name(longest, names, 3));
    const char *const long_names[] = {longest};
    assert_null(mpno_nearest_name("aaa", long_names, 1));
    assert_null(mpno_nearest_name("gelu", names, 0));
}

#define WITH_CONTEXT(test) cmocka_unit_test_setup_teardown(test, open_context, close_context)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_CONTEXT(plain_scalars_follow_the_core_schema),
        WITH_CONTEXT(command_line_texts_need_no_quotes),
        WITH_CONTEXT(yaml_that_is_not_plain_data_is_refused),
        WITH_CONTEXT(json_is_strict),
        WITH_CONTEXT(texts_read_back_as_they_were),
        WITH_CONTEXT(layout_is_readable),
        WITH_CONTEXT(what_json_cannot_say_is_replaced),
        cmocka_unit_test(numbers_do_not_follow_the_locale),
        WITH_CONTEXT(maps_replace_and_keep_order),
        WITH_CONTEXT(every_failed_allocation_leaves_nothing),
        cmocka_unit_test(nearest_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
