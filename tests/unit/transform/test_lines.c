/* SPDX-License-Identifier: MIT
 * Lines to columns and back, by every method, against the sums that define them (columns.h), whole
 * and in parts, on every instruction set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "number/format.h"
#include "transform/columns/columns.h"

static mpno_ctx *ctx;
static mpno_rng rng;
static bool met[MPNO_LINES_TURNED + 1];

static int set_up(void **state) {
    (void)state;
    rng = mpno_rng_make(11, MPNO_STREAM_TEST, 1);
    mpno_ctx_opts opts = MPNO_CTX_OPTS_INIT;
    opts.isa = getenv("MPNO_ISA");
    return mpno_ctx_create(&opts, &ctx) != MPNO_OK;
}

static int tear_down(void **state) {
    (void)state;
    size_t left = mpno_ctx_bytes(ctx);
    mpno_ctx_destroy(&ctx);
    return left != 0;
}

typedef struct lines_case {
    int64_t n, part, keep, channels;
    mpno_format arithmetic;
    mpno_fft_weighting weighting;
    double *table; /* T */
} lines_case;

static const double scale = 0.3;

/* T[n][plane, k] of columns.h. */
static double factor(const lines_case *c, int64_t n, int64_t j) {
    const int64_t k = j % c->keep;
    const bool alone = k == 0 || 2 * k == c->n;
    const double w = scale * (c->weighting == MPNO_FFT_HERMITIAN && !alone ? 2 : 1);
    const double angle = 2 * acos(-1.0) * (double)(k * n % c->n) / (double)c->n;
    return j < c->keep ? w * cos(angle) : 2 * k == c->n ? 0 : -w * sin(angle);
}

/* Exactly as many numbers as named, so that sanitizers see a step beyond; NaN where not given. */
static void *typed(const lines_case *c, int64_t n, const double *values) {
    void *x = aligned_alloc(64, mpno_aligned((size_t)n * mpno_format_bytes(c->arithmetic)) + 64);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++) {
        const double value = values != NULL ? values[i] : (double)NAN;
        mpno_cast((char *)x + (size_t)i * mpno_format_bytes(c->arithmetic), c->arithmetic, &value,
                  MPNO_F64, 1);
    }
    return x;
}

static double *random_numbers(int64_t n) {
    double *x = malloc((size_t)n * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++) x[i] = (double)(float)mpno_rng_normal(&rng);
    return x;
}

static void check_near(const lines_case *c, const void *got, int64_t i, double want, double terms,
                       double size) {
    double value;
    mpno_cast(&value, MPNO_F64, (const char *)got + (size_t)i * mpno_format_bytes(c->arithmetic),
              c->arithmetic, 1);
    const double allowed = (terms + 16) * mpno_format_unit(c->arithmetic) * 2 * scale * size;
    if (fabs(value - want) <= allowed) return;
    fail_msg("n %d part %d keep %d channels %d, number %d: %.17g, expected %.17g within %.3g",
             (int)c->n, (int)c->part, (int)c->keep, (int)c->channels, (int)i, value, want, allowed);
}

/* Parts have blocks of their own: nothing may be read from another. */
static void check_take(const lines_case *c, const mpno_columns *plan) {
    const int64_t rows = 2 * c->keep, width = c->channels;
    double *x = random_numbers(c->n * width);
    void *got = typed(c, rows * width, NULL);
    const size_t bytes = mpno_columns_part_bytes(plan, width);
    void *scratch = aligned_alloc(64, bytes + 64);
    memset(scratch, 0xff, bytes);
    for (int64_t first = 0; first < c->n; first += c->part) {
        const int64_t count = c->n - first < c->part ? c->n - first : c->part;
        void *points = typed(c, count * width, x + first * width);
        if (!mpno_columns_keep_parts(plan)) memset(scratch, 0xff, bytes);
        mpno_columns_take(plan, first, count, points, width, got, scratch);
        free(points);
    }
    for (int64_t i = 0; i < rows * width; i++) {
        double sum = 0, size = 0;
        for (int64_t n = 0; n < c->n; n++) {
            sum += c->table[n * rows + i / width] * x[n * width + i % width];
            size += fabs(x[n * width + i % width]);
        }
        check_near(c, got, i, sum, (double)c->n, size);
    }
    free(x), free(got), free(scratch);
}

static void check_give(const lines_case *c, const mpno_columns *plan) {
    const int64_t rows = 2 * c->keep, width = c->channels;
    double *x = random_numbers(rows * width);
    void *columns = typed(c, rows * width, x);
    const size_t bytes = mpno_columns_part_bytes(plan, width);
    void *scratch = aligned_alloc(64, bytes + 64);
    memset(scratch, 0xff, bytes);
    for (int64_t first = 0; first < c->n; first += c->part) {
        const int64_t count = c->n - first < c->part ? c->n - first : c->part;
        void *points = typed(c, count * width, NULL);
        if (!mpno_columns_keep_parts(plan)) memset(scratch, 0xff, bytes);
        mpno_columns_give(plan, first, count, columns, width, points, scratch);
        for (int64_t i = 0; i < count * width; i++) {
            double sum = 0, size = 0;
            for (int64_t j = 0; j < rows; j++) {
                sum += c->table[(first + i / width) * rows + j] * x[j * width + i % width];
                size += fabs(x[j * width + i % width]);
            }
            check_near(c, points, i, sum, (double)rows, size);
        }
        free(points);
    }
    free(x), free(columns), free(scratch);
}

static void check_lines(lines_case *c) {
    mpno_fft_problem problem = {.kind = MPNO_FFT_REAL, .arithmetic = c->arithmetic, .ndim = 1};
    problem.size[0] = c->n, problem.keep[0] = c->keep;
    mpno_columns *plan;
    assert_int_equal(mpno_columns_create(ctx, &problem, c->part, scale, c->weighting, &plan),
                     MPNO_OK);
    met[plan->method] = true;
    c->table = random_numbers(c->n * 2 * c->keep);
    for (int64_t i = 0; i < c->n * 2 * c->keep; i++)
        c->table[i] = factor(c, i / (2 * c->keep), i % (2 * c->keep));
    check_take(c, plan);
    check_give(c, plan);
    free(c->table);
    assert_true(mpno_columns_line_flops(plan) > 0);
    mpno_columns_destroy(ctx, &plan);
}

static int64_t at_most(int64_t n) {
    return 1 + (int64_t)mpno_rng_below(&rng, (uint64_t)n);
}

/* Lines of 1 to 66 points as a whole and in parts, and longer ones, of all and of few frequencies.
 */
static void every_method(void) {
    static const int64_t longer[][2] = {{100, 50}, {104, 52}, {126, 63}, {127, 64},  {128, 64},
                                        {129, 43}, {130, 44}, {190, 64}, {256, 64},  {421, 61},
                                        {512, 64}, {101, 7},  {96, 8},   {1000, 63}, {1024, 64},
                                        {90, 9},   {150, 75}, {150, 75}, {154, 77}};
    enum { N_LONGER = sizeof longer / sizeof longer[0] };
    for (int64_t i = 0; i < 4 * 66 + 4 * N_LONGER; i++) {
        lines_case c = {.arithmetic = i % 2 ? MPNO_F32 : MPNO_F64,
                        .weighting = i / 2 % 2 ? MPNO_FFT_HERMITIAN : MPNO_FFT_PLAIN};
        if (i < 4 * 66) {
            c.n = i / 4 + 1;
            c.part = i % 3 == 0 ? 64 / c.n * c.n + c.n : i % 3 == 1 ? (c.n + 1) / 2 : at_most(c.n);
        } else {
            c.n = longer[i / 4 - 66][0], c.part = longer[i / 4 - 66][1];
        }
        c.keep = i % 5 < 3 ? c.n / 2 + 1 : at_most(c.n / 2 + 1);
        c.channels = i % 3 ? at_most(65) : 16 * at_most(4);
        check_lines(&c);
    }
}

static void few_channels(void) {
    for (int64_t channels = 1; channels <= 65; channels++) {
        const int64_t n = channels % 2 ? 60 + channels % 5 : 2 * (30 + channels % 7);
        lines_case c = {.n = n, .part = channels % 3 ? 64 : n / 2, .channels = channels};
        c.keep = n / 2 + 1;
        c.arithmetic = channels / 2 % 2 ? MPNO_F32 : MPNO_F64;
        check_lines(&c);
    }
}

static void lines_are_their_definition(void **state) {
    (void)state;
    const mpno_isa best = ctx->isa;
    for (int isa = 0; isa <= (int)best; isa++) {
        ctx->isa = (mpno_isa)isa;
        if (mpno_kernels_get(ctx->isa, MPNO_F32)->isa != ctx->isa) continue; /* another one's */
        every_method();
        few_channels();
    }
    ctx->isa = best;
    for (int method = 0; method <= MPNO_LINES_TURNED; method++) assert_true(met[method]);
}

/* A value that is not finite stays in its channel. */
static void a_sick_channel_stays_alone(void **state) {
    (void)state;
    enum { N = 60, KEEP = 31, WIDTH = 20, SICK = 3 };
    static float x[N * WIDTH], y[2 * KEEP * WIDTH];
    static _Alignas(64) char scratch[1 << 16];
    mpno_fft_problem problem = {.kind = MPNO_FFT_REAL, .arithmetic = MPNO_F32, .ndim = 1};
    problem.size[0] = N, problem.keep[0] = KEEP;
    for (int64_t part = 20; part <= N; part += 10) {
        if (part == 40 || part == 50) continue;
        mpno_columns *plan;
        assert_int_equal(mpno_columns_create(ctx, &problem, part, 1.0, MPNO_FFT_PLAIN, &plan),
                         MPNO_OK);
        assert_true(mpno_columns_part_bytes(plan, WIDTH) <= sizeof scratch);
        for (int i = 0; i < N * WIDTH; i++) x[i] = 1;
        x[7 * WIDTH + SICK] = INFINITY;
        for (int64_t first = 0; first < N; first += part)
            mpno_columns_take(plan, first, part, x + first * WIDTH, WIDTH, y, scratch);
        for (int i = 0; i < 2 * KEEP * WIDTH; i++) assert_true(isfinite(y[i]) || i % WIDTH == SICK);
        for (int64_t first = 0; first < N; first += part)
            mpno_columns_give(plan, first, part, y, WIDTH, x + first * WIDTH, scratch);
        for (int i = 0; i < N * WIDTH; i++) assert_true(isfinite(x[i]) == (i % WIDTH != SICK));
        mpno_columns_destroy(ctx, &plan);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_are_their_definition, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sick_channel_stays_alone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
