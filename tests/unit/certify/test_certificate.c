/* SPDX-License-Identifier: MIT
 * The certificate file: what is written is tests/data/certificate.json, which reads back; every
 * flipped bit of it is refused, and so is every changed entry whose sum was made to fit, by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/certificate.h"
#include "core/files.h"
#include "core/memory.h"

#define GOLDEN "tests/data/certificate.json"
#define ok(expression) assert_int_equal(expression, MPNO_OK)

static mpno_ctx *ctx;

static int open_context(void **state) {
    (void)state;
    return mpno_ctx_create(NULL, &ctx) != MPNO_OK;
}

static int close_context(void **state) {
    (void)state;
    const bool leaked = mpno_ctx_bytes(ctx) != 0;
    mpno_ctx_destroy(&ctx);
    return leaked;
}

static void set_sample(mpno_certified_sample *s, const char *path, const char *key,
                       const mpno_int_list *shape, const double *values, int64_t n_extra,
                       const double *extra) {
    char sum[MPNO_SHA256_TEXT];
    ok(mpno_certificate_set(ctx, &s->path, path));
    ok(mpno_certificate_set(ctx, &s->key, key));
    s->shape = *shape;
    ok(mpno_certificate_sum_sample(ctx, shape, false, values, n_extra, extra, sum));
    ok(mpno_certificate_set(ctx, &s->sha256, sum));
}

static mpno_point example_point(void) {
    mpno_point p = {.n_layers = 2,
                    .layers = {{"lifting", 1.25, 2.5, 0x1p-50}, {"block 0", 0.1, 0.3, 0x1p-40}}};
    for (int i = 0; i < MPNO_N_DISTANCES; i++) {
        p.distance[i] = (mpno_interval){1e-3 * (i + 1), 1.0000001e-3 * (i + 1)};
        p.size[i] = (mpno_interval){0.7 * (i + 1), 0.7000001 * (i + 1)};
        p.shadow[i] = 0x1p-42 * (i + 1);
    }
    return p;
}

static void make(double tolerance, const mpno_point *point, const char *trouble,
                 mpno_certificate *c) {
    const mpno_int_list in = {3, {1, 2, 2}}, out = {3, {2, 1, 2}};
    const double x[] = {1, -0.0, 0x1p-1074, 0.1}, y[] = {1, 2, 3, 1e300}, steered[] = {0.5, 2};
    mpno_value *plan, *list;
    ok(mpno_certificate_start(ctx, c));
    ok(mpno_certificate_set(ctx, &c->checkpoint.path, "run/last.safetensors"));
    ok(mpno_certificate_set(ctx, &c->checkpoint.sha256,
                            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    c->checkpoint.bytes = 3;
    set_sample(&c->input, "a \"quoted\" näme.pt", "x", &in, x, 2, steered);
    set_sample(&c->answer, NULL, NULL, &out, y, 0, NULL);
    c->input.sample = 3;
    ok(mpno_certificate_set(ctx, &c->environment.mpno, "0.1.0"));
    ok(mpno_certificate_set(ctx, &c->environment.isa, "avx2"));
    ok(mpno_certificate_set(ctx, &c->environment.rounding, "nearest"));
    c->environment.threads = 2;
    ok(mpno_value_map(ctx, &plan));
    ok(mpno_value_set_string(ctx, plan, "policy", "mixed"));
    ok(mpno_value_set_list(ctx, plan, "grid", &list));
    ok(mpno_value_append_int(ctx, list, 2));
    ok(mpno_value_append_real(ctx, list, 0.1));
    ok(mpno_certificate_set_plan(ctx, plan, c));
    c->claim.tolerance = tolerance;
    if (point) ok(mpno_certificate_set_point(ctx, point, c));
    ok(mpno_certificate_judge(ctx, trouble, c));
}

static char *text_of(const mpno_certificate *c, bool pretty) {
    mpno_value *document;
    char *text;
    ok(mpno_certificate_tree(ctx, c, &document));
    ok(mpno_json_text(ctx, document, pretty, &text));
    mpno_value_destroy(ctx, &document);
    return text;
}

static char *example_text(bool pretty) {
    const mpno_point point = example_point();
    mpno_certificate c;
    make(0.002, &point, NULL, &c);
    char *text = text_of(&c, pretty);
    mpno_certificate_clear(ctx, &c);
    return text;
}

/* -------- the document -------- */

static void golden_file(void **state) {
    (void)state;
    mpno_mapping file;
    char *text = example_text(true);
    ok(mpno_map_open(ctx, GOLDEN, &file));
    assert_int_equal(file.size, strlen(text));
    assert_memory_equal(file.data, text, file.size);
    mpno_map_close(&file);
    mpno_free(ctx, text);
}

static void round_trip(const mpno_certificate *made) {
    for (int pretty = 0; pretty < 2; pretty++) {
        mpno_certificate read;
        char *text = text_of(made, pretty == 1);
        ok(mpno_certificate_parse(ctx, "c.json", text, strlen(text), &read));
        char *again = text_of(&read, pretty == 1);
        assert_string_equal(again, text);
        assert_memory_equal(read.distance, made->distance, sizeof read.distance);
        assert_int_equal(read.verdict, made->verdict);
        assert_int_equal(read.n_layers, made->n_layers);
        mpno_free(ctx, text);
        mpno_free(ctx, again);
        mpno_certificate_clear(ctx, &read);
    }
}

static void what_is_written_reads_back(void **state) {
    (void)state;
    const mpno_point point = example_point();
    const double tolerances[] = {NAN, 0, 1e-3, 0.00142857145, 0.002};
    mpno_certificate c;
    for (size_t i = 0; i < sizeof tolerances / sizeof *tolerances; i++) {
        make(tolerances[i], &point, NULL, &c);
        round_trip(&c);
        mpno_certificate_clear(ctx, &c);
    }
    make(NAN, NULL, "no bound is known of dropped values", &c);
    assert_int_equal(c.verdict, MPNO_VERDICT_UNKNOWN);
    assert_string_equal(c.reason, "no bound is known of dropped values");
    round_trip(&c);
    mpno_certificate_clear(ctx, &c);
}

/* Bits of doubles, 17 digits and fewer, survive. */
static void numbers_survive(void **state) {
    (void)state;
    const double numbers[] = {0,    0x1p-1074, DBL_MIN,
                              0.1,  1.0 / 3,   0x1.fffffffffffffp-3,
                              1e22, DBL_MAX,   123456789012345680.0};
    mpno_point point = example_point();
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        mpno_certificate c;
        point.shadow[0] = point.layers[0].norm = point.distance[1].upper = numbers[i];
        point.distance[1].lower = 0;
        make(NAN, &point, NULL, &c);
        round_trip(&c);
        mpno_certificate_clear(ctx, &c);
    }
}

/* -------- the verdict -------- */

static void expect_verdict(double tolerance, const mpno_point *point, mpno_verdict verdict,
                           const char *reason) {
    mpno_certificate c;
    make(tolerance, point, NULL, &c);
    assert_int_equal(c.verdict, verdict);
    assert_non_null(strstr(c.reason, reason));
    mpno_certificate_clear(ctx, &c);
}

static void verdicts(void **state) {
    (void)state;
    mpno_point p = example_point();
    expect_verdict(NAN, &p, MPNO_VERDICT_VERIFIED, "every distance");
    p.distance[0] = (mpno_interval){1, 3};
    p.size[0] = (mpno_interval){4, 4};
    const double low = nextafter(0.25, 0),
                 high = nextafter(0.75, 1); /* what is known of 1/4, 3/4 */
    expect_verdict(high, &p, MPNO_VERDICT_VERIFIED, "the upper bound");
    expect_verdict(0.75, &p, MPNO_VERDICT_UNKNOWN, "lies between");
    expect_verdict(low, &p, MPNO_VERDICT_UNKNOWN, "lies between");
    expect_verdict(nextafter(low, 0), &p, MPNO_VERDICT_REFUTED, "the lower bound");
    expect_verdict(0, &p, MPNO_VERDICT_REFUTED, "the lower bound");
    p.size[0] = (mpno_interval){0, 4};
    expect_verdict(1e9, &p, MPNO_VERDICT_UNKNOWN, "may be zero");
    expect_verdict(0.2, &p, MPNO_VERDICT_REFUTED, "the lower bound");
    p.distance[0] = (mpno_interval){0, 0};
    p.size[0] = (mpno_interval){0, 0};
    expect_verdict(1, &p, MPNO_VERDICT_UNKNOWN, "may be zero");
    p.distance[0] = (mpno_interval){0, 1e300};
    p.size[0] = (mpno_interval){1e-300, 1}; /* the quotient overflows */
    expect_verdict(1, &p, MPNO_VERDICT_UNKNOWN, "may be zero");
}

/* Relative bounds lie outside of the quotients: compared as products in a wider type. */
static void relative_bounds_are_outward(void **state) {
    (void)state;
    mpno_point p = example_point();
    srand(1);
    for (int i = 0; i < 2000; i++) {
        mpno_certificate c;
        const double a = (double)rand() / RAND_MAX, b = a + (double)rand() / RAND_MAX;
        const double u = 1e-3 + (double)rand() / RAND_MAX, v = u + (double)rand() / RAND_MAX;
        p.distance[0] = (mpno_interval){a, b};
        p.size[0] = (mpno_interval){u, v};
        make(NAN, &p, NULL, &c);
        assert_true((long double)c.distance[0].relative_lower * v <= a);
        assert_true((long double)c.distance[0].relative_upper * u >= b);
        assert_true(c.distance[0].relative_lower >= a / v * (1 - 0x1p-50));
        assert_true(c.distance[0].relative_upper <= b / u * (1 + 0x1p-50));
        mpno_certificate_clear(ctx, &c);
    }
}

/* -------- changes -------- */

static void refuse(const char *text, size_t n, mpno_status expected, const char *fragment) {
    mpno_certificate c;
    const mpno_status status = mpno_certificate_parse(ctx, "c.json", text, n, &c);
    if (status != expected || strstr(mpno_ctx_error(ctx), fragment) == NULL)
        fail_msg("%s: %d, %s", fragment, (int)status, status ? mpno_ctx_error(ctx) : "accepted");
    assert_non_null(strstr(mpno_ctx_error(ctx), "c.json"));
}

/* On one line all of them; on many every seventh of the first half, which is the slow one. */
static void every_flipped_bit(void **state) {
    (void)state;
    for (int pretty = 0; pretty < 2; pretty++) {
        char *text = example_text(pretty == 1);
        const size_t n = strlen(text);
        for (size_t bit = 0; bit < 8 * n; bit += pretty == 1 && bit / 8 < n / 2 ? 7 : 1) {
            mpno_certificate c;
            text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
            const mpno_status status = mpno_certificate_parse(ctx, "c.json", text, n, &c);
            if (status == MPNO_OK) fail_msg("bit %zu of %zu bytes was not seen", bit, n);
            text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
        }
        for (size_t size = 0; size + (pretty == 1) < n; size += 37)
            refuse(text, size, MPNO_E_FORMAT, "c.json");
        mpno_free(ctx, text);
    }
}

/* map[path] = value in a document whose sum then is made to fit. */
static void put(mpno_value *map, const char *path, const char *json) {
    char part[64];
    size_t n;
    for (; path[n = strcspn(path, ".")] != '\0'; path += n + 1) {
        snprintf(part, sizeof part, "%.*s", (int)n, path);
        map = (mpno_value *)(uintptr_t)mpno_value_get(map, part);
        assert_non_null(map);
    }
    mpno_value *value;
    ok(mpno_json_parse(ctx, "test", json, strlen(json), &value));
    ok(mpno_value_set(ctx, map, path, value));
}

static void refuse_document(mpno_value *document, mpno_status expected, const char *fragment) {
    char sum[MPNO_SHA256_TEXT], *text;
    ok(mpno_certificate_sum(ctx, document, sum));
    ok(mpno_value_set_string(ctx, document, "sha256", sum));
    ok(mpno_json_text(ctx, document, true, &text));
    refuse(text, strlen(text), expected, fragment);
    mpno_free(ctx, text);
}

static mpno_value *example_document(void) {
    mpno_value *document;
    char *text = example_text(false);
    ok(mpno_json_parse(ctx, "test", text, strlen(text), &document));
    mpno_free(ctx, text);
    return document;
}

/* Of other kinds what all have in common is looked at, and the document is there. */
static void other_kinds(void **state) {
    (void)state;
    static const struct {
        const char *path, *json, *fragment;
    } forged[] = {{"kind", "\"static\"", NULL},
                  {"layers", "3", NULL},
                  {"plan_sha256", "\"00\"", "plan_sha256 is not the sum"},
                  {"plan", "[]", "plan is not a map"},
                  {"checkpoint", "{}", "checkpoint.path is missing"},
                  {"environment.isa", "null", "environment.isa: expected text"},
                  {"environment.threads", "0", "environment.threads"},
                  {"input.path", "null", "input.path: expected text"},
                  {"verdict", "\"YES\"", "verdict"}};
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        mpno_value *document = example_document();
        mpno_certificate c;
        char sum[MPNO_SHA256_TEXT], *text;
        put(document, "kind", "\"static\"");
        put(document, forged[i].path, forged[i].json);
        if (forged[i].fragment != NULL) {
            refuse_document(document, MPNO_E_FORMAT, forged[i].fragment);
        } else {
            ok(mpno_certificate_sum(ctx, document, sum));
            ok(mpno_value_set_string(ctx, document, "sha256", sum));
            ok(mpno_json_text(ctx, document, true, &text));
            ok(mpno_certificate_parse(ctx, "c.json", text, strlen(text), &c));
            assert_string_equal(c.kind, "static");
            ok(mpno_certificate_compare(ctx, "", c.document, document, 0));
            mpno_certificate_clear(ctx, &c);
            mpno_free(ctx, text);
        }
        mpno_value_destroy(ctx, &document);
    }
}

/* Numbers may differ by a part of themselves, everything else by nothing; the entry is named. */
static void comparison(void **state) {
    (void)state;
    static const char one[] =
        "{\"a\": {\"b\": [1, 2.0]}, \"c\": null, \"d\": \"x\", \"e\": -1e300}";
    static const struct {
        const char *other;
        double near;
        const char *fragment;
    } pairs[] = {
        {"{\"a\": {\"b\": [1, 2]}, \"c\": null, \"d\": \"x\", \"e\": -1e300}", 0, NULL},
        {"{\"a\": {\"b\": [1, 2.1]}, \"c\": null, \"d\": \"x\", \"e\": -1e300}", 0.04, "a.b[1]"},
        {"{\"a\": {\"b\": [1, 2.1]}, \"c\": null, \"d\": \"x\", \"e\": -1e300}", 0.05, NULL},
        {"{\"a\": {\"b\": [1, 2]}, \"c\": 0, \"d\": \"x\", \"e\": -1e300}", 1, "c is null"},
        {"{\"a\": {\"b\": [1, 2]}, \"c\": null, \"d\": \"y\", \"e\": -1e300}", 1, "d is"},
        {"{\"a\": {\"b\": [1]}, \"c\": null, \"d\": \"x\", \"e\": -1e300}", 1, "a.b[1] does not"},
        {"{\"a\": {\"b\": [1, 2, 3]}, \"c\": null, \"d\": \"x\", \"e\": -1e300}", 1, "a.b has 2"},
        {"{\"a\": {\"b\": 3}, \"c\": null, \"d\": \"x\", \"e\": -1e300}", 1, "a.b is"},
        {"{\"a\": {\"b\": [1, 2]}, \"c\": null, \"d\": \"x\", \"e\": 1e300}", 1, "e is"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        mpno_value *a, *b;
        ok(mpno_json_parse(ctx, "a", one, strlen(one), &a));
        ok(mpno_json_parse(ctx, "b", pairs[i].other, strlen(pairs[i].other), &b));
        const mpno_status status = mpno_certificate_compare(ctx, "", a, b, pairs[i].near);
        if ((status == MPNO_OK) != (pairs[i].fragment == NULL))
            fail_msg("%s: %s", pairs[i].other, mpno_ctx_error(ctx));
        if (status != MPNO_OK) assert_non_null(strstr(mpno_ctx_error(ctx), pairs[i].fragment));
        mpno_value_destroy(ctx, &a);
        mpno_value_destroy(ctx, &b);
    }
}

static void forged_entries(void **state) {
    (void)state;
    static const struct {
        const char *path, *json;
        mpno_status status;
        const char *fragment;
    } forged[] = {
        {"format", "\"mpno\"", MPNO_E_FORMAT, "it is no certificate"},
        {"version", "2", MPNO_E_UNSUPPORTED, "version 2"},
        {"version", "1.0", MPNO_E_FORMAT, "version is not a whole number"},
        {"kind", "null", MPNO_E_FORMAT, "kind: expected text"},
        {"verdict", "\"REFUTED\"", MPNO_E_FORMAT, "verdict is \"REFUTED\""},
        {"verdict", "\"YES\"", MPNO_E_FORMAT, "verdict: expected one of VERIFIED"},
        {"verdict", "\"verified\"", MPNO_E_FORMAT, "verdict is \"verified\""},
        {"reason", "\"so it is\"", MPNO_E_FORMAT, "reason is \"so it is\""},
        {"reason", "null", MPNO_E_FORMAT, "reason: expected text"},
        {"claim.text", "\"It is exact.\"", MPNO_E_FORMAT, "claim.text is \"It is exact.\""},
        {"claim.tolerance", "1e-9", MPNO_E_FORMAT, "is"},
        {"claim.tolerance", "-1", MPNO_E_FORMAT, "claim.tolerance: -1 is out of range"},
        {"claim", "3", MPNO_E_FORMAT, "claim.text is missing"},
        {"distances.l2.lower", "0.5", MPNO_E_FORMAT, "distances.l2: expected lower bounds"},
        {"distances.l2.lower", "null", MPNO_E_FORMAT, "distances.l2: expected lower bounds"},
        {"distances.h1.upper", "null", MPNO_E_FORMAT, "distances.h1: expected lower bounds"},
        {"distances.max.size_upper", "0.0", MPNO_E_FORMAT, "distances.max: expected lower bounds"},
        {"distances.max.shadow", "\"0\"", MPNO_E_FORMAT, "distances.max.shadow: expected a number"},
        {"distances.h1.relative_upper", "0.5", MPNO_E_FORMAT, "distances.h1.relative_upper is 0.5"},
        {"distances.h1.relative_upper", "null", MPNO_E_FORMAT,
         "distances.h1.relative_upper is null"},
        {"checkpoint.path", "null", MPNO_E_FORMAT, "checkpoint.path: expected text"},
        {"checkpoint.bytes", "-3", MPNO_E_FORMAT, "checkpoint.bytes: -3 is out of range"},
        {"checkpoint.sha256", "null", MPNO_E_FORMAT, "checkpoint.sha256: expected text"},
        {"input.path", "7", MPNO_E_FORMAT, "input.path: expected text"},
        {"input.key", "null", MPNO_E_FORMAT, "input.key: expected text"},
        {"input.sample", "-1", MPNO_E_FORMAT, "input.sample"},
        {"input.shape", "[1, 0]", MPNO_E_FORMAT, "input.shape: 0 is out of range"},
        {"input.shape", "[1, 1, 1, 1, 1, 1, 1, 1, 1]", MPNO_E_FORMAT, "input.shape"},
        {"answer.complex", "0", MPNO_E_FORMAT, "answer.complex: expected true or false"},
        {"environment.threads", "0", MPNO_E_FORMAT, "environment.threads"},
        {"environment.isa", "null", MPNO_E_FORMAT, "environment.isa: expected text"},
        {"environment", "[]", MPNO_E_FORMAT, "environment.mpno is missing"},
        {"environment.host", "\"a\"", MPNO_E_FORMAT, "environment.host does not belong there"},
        {"plan_sha256", "\"00\"", MPNO_E_FORMAT, "plan_sha256 is \"00\""},
        {"plan.policy", "\"full\"", MPNO_E_FORMAT, "plan_sha256 is"},
        {"plan", "[]", MPNO_E_FORMAT, "plan is not a map"},
        {"assumptions", "[]", MPNO_E_FORMAT, "assumptions has 0 entries"},
        {"assumptions", "\"none\"", MPNO_E_FORMAT, "assumptions is \"none\""},
        {"layers", "3", MPNO_E_FORMAT, "layers is not a list"},
        {"layers", "[{\"name\": \"lifting\", \"norm\": 1}]", MPNO_E_FORMAT, "layers[0]"},
        {"layers", "[{\"name\": \"lifting\", \"norm\": 1, \"max\": 1, \"error\": -1}]",
         MPNO_E_FORMAT, "layers[0]"},
        {"layers",
         "[{\"name\": \"a name too long for it\", \"norm\": 1, \"max\": 1, \"error\": 1}]",
         MPNO_E_FORMAT, "layers[0]"},
        {"layers", "[{\"name\": \"a\", \"norm\": 1.0, \"max\": 1.0, \"error\": 1.0, \"b\": 0}]",
         MPNO_E_FORMAT, "layers[0].b does not belong there"},
        {"checkpoint.bytes", "3.0", MPNO_E_FORMAT, "checkpoint.bytes: expected an integer"},
    };
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        mpno_value *document = example_document();
        put(document, forged[i].path, forged[i].json);
        refuse_document(document, forged[i].status, forged[i].fragment);
        mpno_value_destroy(ctx, &document);
    }
    mpno_value *document = example_document(); /* an entry behind the sum */
    put(document, "more", "1");
    refuse_document(document, MPNO_E_FORMAT, "its SHA-256 is not");
    mpno_value_destroy(ctx, &document);
}

/* The same numbers, spelled otherwise, in a document whose sum fits. */
static void other_spellings(void **state) {
    (void)state;
    char *text = example_text(false), changed[8192];
    const char *pairs[][2] = {{"\"tolerance\": 0.002", "\"tolerance\": 2e-3"},
                              {"\"bytes\": 3", "\"bytes\":  3"},
                              {"\"avx2\"", "\"\\u0061vx2\""},
                              {"\"norm\": 1.25", "\"norm\": 1.250"},
                              {"\"policy\"", "\n\"policy\""}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const char *at = strstr(text, pairs[i][0]);
        assert_non_null(at);
        const int n = snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text,
                               pairs[i][1], at + strlen(pairs[i][0]));
        refuse(changed, (size_t)n, MPNO_E_FORMAT, "not spelled as mpno writes it");
    }
    mpno_free(ctx, text);
}

static void other_files(void **state) {
    (void)state;
    static const char *const texts[] = {
        "", "{", "3", "null", "[]", "{}", "{\"sha256\": 1}", "{\"format\": \"mpno certificate\"}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        refuse(texts[i], strlen(texts[i]), MPNO_E_FORMAT, "c.json");
    refuse("{\"a\": 1, \"a\": 1}", 16, MPNO_E_FORMAT, "duplicate");
    char *deep = malloc(100000);
    memset(deep, '[', 100000);
    refuse(deep, 100000, MPNO_E_FORMAT, "c.json");
    free(deep);
}

/* -------- sums, memory -------- */

/* Shape, kind and every number count; c2: of 2 complex numbers. */
static void sums_of_samples(void **state) {
    (void)state;
    const mpno_int_list a = {2, {2, 3}}, b = {2, {3, 2}}, c2 = {1, {3}};
    double values[] = {1, 2, 3, 4, 5, 6};
    char sums[7][MPNO_SHA256_TEXT];
    ok(mpno_certificate_sum_sample(ctx, &a, false, values, 0, NULL, sums[0]));
    /* printf 'f64 [2, 3]\n' and the numbers, through sha256sum */
    assert_string_equal(sums[0],
                        "a7e8563a3e401297885a2874ea5688b645b163e1a88728dea6bfe56a35e76dd7");
    ok(mpno_certificate_sum_sample(ctx, &b, false, values, 0, NULL, sums[1]));
    ok(mpno_certificate_sum_sample(ctx, &c2, true, values, 0, NULL, sums[2]));
    ok(mpno_certificate_sum_sample(ctx, &c2, false, values, 3, values + 3, sums[3]));
    ok(mpno_certificate_sum_sample(ctx, &c2, false, values, 0, NULL, sums[4]));
    values[5] = nextafter(6, 7);
    ok(mpno_certificate_sum_sample(ctx, &a, false, values, 0, NULL, sums[5]));
    values[5] = 6, values[0] = -1;
    ok(mpno_certificate_sum_sample(ctx, &a, false, values, 0, NULL, sums[6]));
    for (int i = 0; i < 7; i++)
        for (int k = 0; k < i; k++) assert_string_not_equal(sums[i], sums[k]);
}

static void memory_that_runs_out(void **state) {
    (void)state;
    char *text = example_text(true);
    mpno_certificate c;
    mpno_value *document;
    int64_t n = 0;
    for (mpno_status status = MPNO_E_MEMORY; status != MPNO_OK; n++) {
        mpno_alloc_fail_after(ctx, n);
        status = mpno_certificate_parse(ctx, "c.json", text, strlen(text), &c);
        mpno_alloc_fail_after(ctx, -1);
        if (status != MPNO_OK) assert_int_equal(status, MPNO_E_MEMORY);
    }
    assert_true(n > 100);
    n = 0;
    for (mpno_status status = MPNO_E_MEMORY; status != MPNO_OK; n++) {
        mpno_alloc_fail_after(ctx, n);
        status = mpno_certificate_tree(ctx, &c, &document);
        mpno_alloc_fail_after(ctx, -1);
        if (status != MPNO_OK) assert_int_equal(status, MPNO_E_MEMORY);
    }
    assert_true(n > 100);
    mpno_value_destroy(ctx, &document);
    mpno_certificate_clear(ctx, &c);
    mpno_free(ctx, text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden_file),
                                       cmocka_unit_test(what_is_written_reads_back),
                                       cmocka_unit_test(numbers_survive),
                                       cmocka_unit_test(verdicts),
                                       cmocka_unit_test(relative_bounds_are_outward),
                                       cmocka_unit_test(every_flipped_bit),
                                       cmocka_unit_test(forged_entries),
                                       cmocka_unit_test(other_kinds),
                                       cmocka_unit_test(comparison),
                                       cmocka_unit_test(other_spellings),
                                       cmocka_unit_test(other_files),
                                       cmocka_unit_test(sums_of_samples),
                                       cmocka_unit_test(memory_that_runs_out)};
    return cmocka_run_group_tests(tests, open_context, close_context);
}
