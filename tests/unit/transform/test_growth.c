/* SPDX-License-Identifier: MIT
 * Rounding errors of transforms against what mpno_fft_growth, mpno_columns_line_growth and
 * mpno_columns_rest_growth promise (statements B7 and B8 of docs/theory/certificates.md): f32
 * against f64 on the same numbers, each channel a case of its own: random, one point or mode alone,
 * equal, signs, ties. All sizes to 64 and larger ones: direct, passes, chirps, real lines as half
 * and as whole complex ones, pruned and not, and lines in parts. With MPNO_TEST_VERBOSE set it
 * prints how near the errors come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "transform/columns/columns.h"
#include "transform/fft/fft.h"

enum { CASES = 24 };
#define U 0x1p-24
/* of the f64 run, and of norms */
#define ABOVE (1 + 1e-6)

static mpno_ctx *ctx;
static mpno_rng rng;
static double nearest[2][3]; /* [inverse][direct, fft, chirp], error / promise */

static int set_up(void **state) {
    mpno_ctx_opts opts = MPNO_CTX_OPTS_INIT;
    (void)state;
    rng = mpno_rng_make(3, MPNO_STREAM_TEST, 4);
    opts.isa = getenv("MPNO_ISA");
    opts.n_threads = 1;
    return mpno_ctx_create(&opts, &ctx) != MPNO_OK;
}

static int tear_down(void **state) {
    const size_t left = mpno_ctx_bytes(ctx);
    (void)state;
    mpno_ctx_destroy(&ctx);
    return left != 0;
}

/* [rows][CASES], as f32 numbers in both. */
typedef struct numbers {
    double *wide;
    float *narrow;
    int64_t rows;
} numbers;

static numbers make(int64_t rows) {
    const size_t count = (size_t)(rows * CASES);
    numbers n = {aligned_alloc(64, (count * sizeof(double) + 63) / 64 * 64),
                 aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64), rows};
    assert_true(n.wide != NULL && n.narrow != NULL);
    memset(n.wide, 0, count * sizeof(double)), memset(n.narrow, 0, count * sizeof(float));
    return n;
}

static void drop(numbers *n) {
    free(n->wide), free(n->narrow);
}

static void fill(const numbers *x) {
    for (int64_t r = 0; r < x->rows; r++)
        for (int64_t c = 0; c < CASES; c++) {
            const double normal = mpno_rng_normal(&rng), sign = normal < 0 ? -1 : 1;
            double v = normal;
            if (c % 6 == 1) v = sign;
            if (c % 6 == 2) v = c == 2 ? 0.7 : r % 2 == 0 ? 1.0 / 3 : -1.0 / 3;
            if (c % 6 == 3) v = r == c % x->rows ? 0.1 : 0;
            if (c % 6 == 4) v = sign * (1 + (double)(2 * mpno_rng_below(&rng, 2048) + 1) * 0x1p-12);
            if (c % 6 == 5) v = r == x->rows - 1 - c % x->rows ? 1e4 / 3 : normal / 3;
            x->narrow[r * CASES + c] = (float)v;
            x->wide[r * CASES + c] = (double)(float)v;
        }
}

/* Root of the sum of w v^2 of a case, or of the differences between the two. */
static double norm(const numbers *x, int64_t c, bool difference, const double *weights) {
    double sum = 0;
    for (int64_t r = 0; r < x->rows; r++) {
        const double wide = x->wide[r * CASES + c],
                     v = difference ? (double)x->narrow[r * CASES + c] - wide : wide;
        sum += (weights != NULL ? weights[r] : 1) * v * v;
    }
    return sqrt(sum);
}

/* error <= growth u gain norm for every case; gives the greatest quotient. */
static double check(const numbers *out, const double *out_weights, const numbers *in,
                    const double *in_weights, double gain, double growth, const char *what) {
    double nearest_case = 0;
    for (int64_t c = 0; c < CASES; c++) {
        const double error = norm(out, c, true, out_weights),
                     size = gain * norm(in, c, false, in_weights);
        if (!(error <= ABOVE * growth * U * size + 0x1p-140))
            fail_msg("%s, case %d: the error is %.4g u, %.4g u are promised", what, (int)c,
                     error / (U * size), growth);
        if (growth > 0 && size > 0) nearest_case = fmax(nearest_case, error / (growth * U * size));
    }
    return nearest_case;
}

/* w of the rows [modes][2] of a spectrum. */
static double *weights_of(const mpno_fft_problem *p, int64_t modes) {
    const int64_t keep = p->keep[p->ndim - 1];
    double *w = malloc((size_t)(2 * modes) * sizeof *w);
    assert_non_null(w);
    for (int64_t r = 0; r < 2 * modes; r++) {
        const int64_t k = r / 2 % keep;
        w[r] = p->kind == MPNO_FFT_REAL && k > 0 ? 2 : 1;
    }
    return w;
}

static void run(const mpno_fft *fft, bool inverse, bool hermitian, const numbers *field,
                const numbers *spectrum, bool wide) {
    const mpno_fft_problem *p = mpno_fft_get_problem(fft);
    mpno_fft_call call = {.batch = 1,
                          .channels = CASES,
                          .scale = inverse ? 1 : 1 / (double)mpno_fft_points(fft),
                          .weighting = hermitian ? MPNO_FFT_HERMITIAN : MPNO_FFT_PLAIN,
                          .field_format = p->arithmetic,
                          .spectrum_format = p->arithmetic,
                          .n_threads = 1};
    const size_t bytes = mpno_fft_scratch_bytes(fft, CASES, 1);
    call.scratch = aligned_alloc(64, (bytes + 127) / 64 * 64);
    assert_non_null(call.scratch);
    void *x = wide ? (void *)field->wide : field->narrow,
         *z = wide ? (void *)spectrum->wide : spectrum->narrow;
    const int bad =
        inverse ? mpno_fft_inverse(fft, &call, z, x) : mpno_fft_forward(fft, &call, x, z);
    assert_int_equal(bad, 0);
    free(call.scratch);
}

static void check_fft(mpno_fft_problem problem, bool inverse) {
    mpno_fft *fft[2];
    for (int wide = 0; wide < 2; wide++) {
        problem.arithmetic = wide ? MPNO_F64 : MPNO_F32;
        assert_int_equal(mpno_fft_create(ctx, &problem, &fft[wide]), MPNO_OK);
    }
    const bool is_real = problem.kind == MPNO_FFT_REAL;
    const int64_t points = mpno_fft_points(fft[0]), modes = mpno_fft_modes(fft[0]);
    numbers field = make(is_real ? points : 2 * points), spectrum = make(2 * modes);
    double *w = weights_of(&problem, modes);
    char what[1024];
    mpno_fft_describe(fft[0], what, sizeof what);
    fill(inverse ? &spectrum : &field);
    for (int wide = 0; wide < 2; wide++)
        run(fft[wide], inverse, inverse && is_real, &field, &spectrum, wide != 0);
    const int64_t last = problem.size[problem.ndim - 1];
    const bool whole = is_real && last > 1 && 2 * (problem.keep[problem.ndim - 1] - 1) == last;
    const double nyquist = whole ? sqrt(2) : 1;
    const bool exact = inverse || (points & (points - 1)) == 0;
    const double growth = mpno_fft_growth(fft[0], inverse) + (exact ? 0 : 2),
                 rms = sqrt(1 / (double)points);
    const double near = inverse ? check(&field, NULL, &spectrum, w, 1 / rms, growth, what)
                                : check(&spectrum, w, &field, NULL, nyquist * rms, growth, what);
    const int method = strstr(what, "chirp") != NULL ? 2 : strstr(what, "direct") != NULL ? 0 : 1;
    nearest[inverse][method] = fmax(nearest[inverse][method], near);
    free(w), drop(&field), drop(&spectrum);
    for (int wide = 0; wide < 2; wide++) mpno_fft_destroy(ctx, &fft[wide]);
}

static void check_line(mpno_fft_kind kind, int64_t n, int64_t keep) {
    for (int accurate = 0; accurate < 2; accurate++) {
        const mpno_fft_problem problem = {
            .kind = kind, .ndim = 1, .size = {n}, .keep = {keep}, .accurate = accurate != 0};
        check_fft(problem, false);
        check_fft(problem, true);
    }
}

static void lines_of_all_sizes(void **state) {
    static const int64_t larger[] = {97,  101, 121, 127, 128, 143, 210,
                                     211, 243, 256, 360, 509, 512, 1009};
    (void)state;
    for (int64_t i = 1; i <= 64 + (int64_t)(sizeof larger / sizeof *larger); i++) {
        const int64_t n = i <= 64 ? i : larger[i - 65], half = n / 2 + 1;
        for (int64_t part = 0; part < 4; part++) {
            check_line(MPNO_FFT_REAL, n,
                       part == 0   ? half
                       : part == 1 ? (half + 1) / 2
                       : part == 2 ? (half + 7) / 8
                                   : 1);
            check_line(MPNO_FFT_COMPLEX, n,
                       part == 0   ? n
                       : part == 1 ? (n + 1) / 2
                       : part == 2 ? (n + 7) / 8
                                   : 1);
        }
    }
    for (int inverse = 0; getenv("MPNO_TEST_VERBOSE") && inverse < 2; inverse++)
        print_message("%s: error / promise: direct %.3f, passes %.3f, chirps %.3f\n",
                      inverse ? "inverse" : "forward", nearest[inverse][0], nearest[inverse][1],
                      nearest[inverse][2]);
}

static void several_axes(void **state) {
    static const mpno_fft_problem problems[] = {
        {.kind = MPNO_FFT_REAL, .ndim = 2, .size = {5, 4}, .keep = {3, 2}},
        {.kind = MPNO_FFT_REAL, .ndim = 2, .size = {16, 16}, .keep = {16, 9}},
        {.kind = MPNO_FFT_REAL, .ndim = 2, .size = {64, 48}, .keep = {12, 7}},
        {.kind = MPNO_FFT_REAL, .ndim = 2, .size = {13, 34}, .keep = {5, 18}},
        {.kind = MPNO_FFT_REAL, .ndim = 3, .size = {7, 6, 10}, .keep = {4, 6, 4}},
        {.kind = MPNO_FFT_COMPLEX, .ndim = 2, .size = {9, 14}, .keep = {4, 14}},
        {.kind = MPNO_FFT_COMPLEX, .ndim = 3, .size = {4, 5, 8}, .keep = {4, 3, 8}},
        {.kind = MPNO_FFT_REAL, .ndim = 4, .size = {3, 4, 5, 6}, .keep = {2, 4, 5, 2}}};
    (void)state;
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
        check_fft(problems[i], false);
        check_fft(problems[i], true);
    }
}

/* -------- lines to columns -------- */

static void take_or_give(const mpno_columns *plan, bool inverse, const numbers *line,
                         const numbers *columns, bool wide) {
    const size_t element = wide ? sizeof(double) : sizeof(float);
    char *x = wide ? (char *)line->wide : (char *)line->narrow;
    void *c = wide ? (void *)columns->wide : columns->narrow,
         *scratch = aligned_alloc(64, mpno_columns_part_bytes(plan, CASES) / 64 * 64 + 64);
    assert_non_null(scratch);
    for (int64_t first = 0, count; first < plan->n; first += count) {
        count = plan->n - first < plan->part ? plan->n - first : plan->part;
        void *points = x + (size_t)(first * CASES) * element;
        if (inverse)
            mpno_columns_give(plan, first, count, c, CASES, points, scratch);
        else
            mpno_columns_take(plan, first, count, points, CASES, c, scratch);
    }
    free(scratch);
}

static double check_columns(int64_t n, int64_t keep, int64_t part, mpno_fft_weighting weighting,
                            bool inverse) {
    mpno_fft_problem problem = {.kind = MPNO_FFT_REAL, .ndim = 1, .size = {n}, .keep = {keep}};
    mpno_columns *plan[2];
    for (int wide = 0; wide < 2; wide++) {
        problem.arithmetic = wide ? MPNO_F64 : MPNO_F32;
        assert_int_equal(mpno_columns_create(ctx, &problem, part, 0.7, weighting, &plan[wide]),
                         MPNO_OK);
    }
    numbers line = make(n), columns = make(2 * keep);
    double *w = malloc((size_t)(2 * keep) * sizeof *w), *mean = malloc((size_t)n * sizeof *mean);
    char what[128];
    assert_true(w != NULL && mean != NULL);
    snprintf(what, sizeof what, "%d of a line of %d points in parts of %d%s", (int)keep, (int)n,
             (int)part, inverse ? ", inverse" : "");
    for (int64_t r = 0; r < 2 * keep; r++) w[r] = r % keep > 0 ? 2 : 1;
    for (int64_t r = 0; r < n; r++) mean[r] = 1 / (double)n;
    fill(inverse ? &columns : &line);
    for (int wide = 0; wide < 2; wide++)
        take_or_give(plan[wide], inverse, &line, &columns, wide != 0);
    const double gain = mpno_columns_gain(plan[0], inverse),
                 growth = mpno_columns_line_growth(plan[0], inverse);
    for (int64_t c = 0; c < CASES; c++) { /* the gain is a norm */
        const double from = inverse ? norm(&columns, c, false, w) : norm(&line, c, false, mean),
                     to = inverse ? norm(&line, c, false, mean) : norm(&columns, c, false, w);
        if (!(to <= ABOVE * gain * from)) fail_msg("%s: %.9g of %.9g", what, to, gain * from);
    }
    const double near = inverse ? check(&line, mean, &columns, w, gain, growth, what)
                                : check(&columns, w, &line, mean, gain, growth, what);
    free(w), free(mean), drop(&line), drop(&columns);
    for (int wide = 0; wide < 2; wide++) mpno_columns_destroy(ctx, &plan[wide]);
    return near;
}

static void lines_and_their_parts(void **state) {
    double near[2] = {0};
    (void)state;
    for (int64_t n = 1; n <= 70; n++) {
        const int64_t sizes = n <= 64 ? n : (n - 63) * 50 + n % 3, half = sizes / 2 + 1;
        for (int part = 0; part < 4; part++) {
            const int64_t together = part == 0                     ? sizes
                                     : part == 1 && sizes % 2 == 0 ? sizes / 2
                                     : part == 2                   ? 16
                                                                   : 7;
            for (int k = 0; k < 6; k++)
                for (int inverse = 0; inverse < 2; inverse++)
                    near[inverse] =
                        fmax(near[inverse],
                             check_columns(sizes,
                                           k / 2 == 0   ? half
                                           : k / 2 == 1 ? (half + 2) / 3
                                                        : 1,
                                           together, k % 2 ? MPNO_FFT_HERMITIAN : MPNO_FFT_PLAIN,
                                           inverse != 0));
        }
    }
    if (getenv("MPNO_TEST_VERBOSE"))
        print_message("lines: error / promise %.3f, inverse %.3f\n", near[0], near[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_all_sizes),
        cmocka_unit_test(several_axes),
        cmocka_unit_test(lines_and_their_parts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
