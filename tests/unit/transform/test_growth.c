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
#include <fftw3.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "transform/columns/columns.h"
#include "transform/fft/fft.h"
#include "transform/fft/passes.h"

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

/* -------- growth as statement B7 has it -------- */

static double passes_growth(const int *radix, int count) {
    double growth = 0;
    for (int i = 0; i < count; i++) {
        const double r = radix[i];
        growth += radix[i] == 2    ? 1
                  : radix[i] == 4  ? 2
                  : radix[i] == 8  ? 6
                  : radix[i] == 16 ? 7
                                   : (r + 3) / 2 + sqrt(2 * (r - 1));
        if (i + 1 < count) growth += 3;
    }
    return growth;
}

/* l: largest frequency. */
static double direct_growth(int64_t n, int64_t l, bool is_complex, bool inverse) {
    const double roots = n == 4 ? 0 : sqrt(4 * (double)l);
    if (n <= 2 || (inverse && l == 0)) return n == 2 && (l > 0 || !inverse) ? 1 : 0;
    const int64_t forward = n == 4 ? 2 : n % 2 == 0 ? n / 4 + 2 : n / 2 + 1;
    const int64_t chain = !inverse ? forward : n % 2 == 0 ? l + 2 : l + 1;
    return (double)(is_complex ? chain + 1 : chain) + roots;
}

/* The largest modulus of the transform of exp(+pi i t^2 / n), n + k - 1 numbers that begin where
 * the line wants them, in units of sqrt(n): by FFTW. */
static double chirp_norm(int64_t n, int64_t k, int64_t first, int64_t m, bool inverse) {
    fftw_complex *z = fftw_alloc_complex((size_t)m);
    fftw_plan plan = fftw_plan_dft_1d((int)m, z, z, FFTW_FORWARD, FFTW_ESTIMATE);
    const int64_t n_in = inverse ? k : n, n_out = inverse ? n : k;
    double most = 0;
    for (int64_t j = 0; j < m; j++) z[j][0] = z[j][1] = 0;
    for (int64_t t = 1 - n_in; t < n_out; t++) {
        const int64_t at = t + (inverse ? -first : first), turn = at * at % (2 * n);
        const double angle = 3.14159265358979323846 * (double)turn / (double)n;
        z[(t + m) % m][0] = cos(angle), z[(t + m) % m][1] = sin(angle);
    }
    fftw_execute(plan);
    for (int64_t j = 0; j < m; j++) most = fmax(most, hypot(z[j][0], z[j][1]));
    fftw_destroy_plan(plan), fftw_free(z);
    return most / sqrt((double)n);
}

/* What a filter of m numbers is off by in units of u, made in long double from n + k - 1 numbers of
 * modulus 1. */
static double filter_off(int64_t n, int64_t k, int64_t m, double u) {
    double growth = 3;
    for (int64_t rest = m, p = 2; rest > 1; p++)
        for (; rest % p == 0; rest /= p) growth += (double)(p + 5) * sqrt((double)p);
    return growth * 1.01 * sqrt((double)m * (double)(n + k) / (double)n) * (double)LDBL_EPSILON /
           (2 * u);
}

/* Of a complex line by its name; first, last: least frequency, largest modulus of one. */
static double line_growth(const char *name, int64_t n, int64_t k, int64_t first, int64_t last,
                          bool inverse, double u) {
    int radix[64], count = 0;
    if (strncmp(name, "direct", 6) == 0) return direct_growth(n, last, true, inverse);
    if (strncmp(name, "chirp ", 6) == 0) {
        const int most = mpno_fft_kernels_get(ctx->isa, u < U ? MPNO_F64 : MPNO_F32)->largest_radix;
        const int64_t m = strtoll(name + 6, NULL, 10);
        count = mpno_passes_factor(m, most, radix);
        return chirp_norm(n, k, first, m, inverse) * (2 * passes_growth(radix, count) + 11) +
               filter_off(n, k, m, u);
    }
    for (name += 3; *name == ' ' || *name == '.'; count++)
        radix[count] = (int)strtol(name + 1, (char **)(uintptr_t)&name, 10);
    return passes_growth(radix, count);
}

/* A real line may be direct itself, or as a whole a complex one that is: either will do. */
static bool is_stated(double growth, const char *name, bool is_real, int64_t n, int64_t k,
                      bool inverse, double u) {
    double expected[2];
    growth /= 1.01; /* of axes together */
    if (!is_real) {
        const int64_t last = k / 2 > k - 1 - k / 2 ? k / 2 : k - 1 - k / 2;
        expected[0] = expected[1] = line_growth(name, n, k, -(k / 2), last, inverse, u);
    } else if (strncmp(name, "half ", 5) == 0) {
        expected[0] = expected[1] =
            line_growth(name + 5, n / 2, n / 2, 0, n / 2 - 1, inverse, u) + 6;
    } else {
        expected[0] = sqrt(2) * line_growth(name, n, k, 0, k - 1, inverse, u);
        expected[1] =
            strncmp(name, "direct", 6) != 0 ? expected[0] : direct_growth(n, k - 1, false, inverse);
    }
    const double tolerance = strstr(name, "chirp") != NULL ? 1e-5 : 1e-12;
    for (int i = 0; i < 2; i++)
        if (fabs(growth - expected[i]) <= tolerance * expected[i]) return true;
    return false;
}

static void growth_is_as_stated(void **state) {
    (void)state;
    for (int64_t n = 1; n <= 1100; n += n < 150 ? 1 : 37)
        for (int part = 0; part < 24; part++) {
            const bool is_real = part % 2 == 0, accurate = part / 2 % 2 == 1, wide = part >= 12;
            const int64_t all = is_real ? n / 2 + 1 : n, less = 1 + part / 4 % 3 * 3,
                          k = (all + less - 1) / less;
            const mpno_fft_problem problem = {.kind = is_real ? MPNO_FFT_REAL : MPNO_FFT_COMPLEX,
                                              .arithmetic = wide ? MPNO_F64 : MPNO_F32,
                                              .ndim = 1,
                                              .size = {n},
                                              .keep = {k},
                                              .accurate = accurate};
            mpno_fft *fft;
            char text[512];
            assert_int_equal(mpno_fft_create(ctx, &problem, &fft), MPNO_OK);
            mpno_fft_describe(fft, text, sizeof text);
            const char *there = strstr(strchr(text, '('), ": ") + 2,
                       *back = strstr(there, "back ") + 5;
            for (int inverse = 0; inverse < 2; inverse++)
                if (!is_stated(mpno_fft_growth(fft, inverse != 0), inverse ? back : there, is_real,
                               n, k, inverse != 0, wide ? 0x1p-53 : U))
                    fail_msg("%s: growth %.9g", text, mpno_fft_growth(fft, inverse != 0));
            mpno_fft_destroy(ctx, &fft);
        }
}

/* -------- lines to columns -------- */

/* Statement B8. */
static double stated_growth(const mpno_columns *c, bool inverse) {
    const double k = (double)c->keep, n = (double)c->n, sum = sqrt(2 * k - 1);
    const double m = (double)(c->part < c->n ? c->part : c->n), p = ceil(n / m);
    if (c->method == MPNO_LINES_PLAIN) return (inverse ? 2 * k + 2 : n + 2) * sum;
    if (c->method == MPNO_LINES_TURNED)
        return sqrt(2) * (inverse ? k + 8 : m / 2 + 2 * p + 7) * sum;
    if (inverse) return (k + 4) * sum;
    return (c->method == MPNO_LINES_FOURS ? n / 4 + 5 : n / 2 + 4) * sum;
}

static double stated_gain(const mpno_columns *c, mpno_fft_weighting weighting, bool inverse) {
    const bool middle = c->keep > 1 && c->n > 2, whole = c->n > 1 && 2 * (c->keep - 1) == c->n;
    if (inverse) return 0.7;
    return 0.7 * (double)c->n *
           (middle && weighting == MPNO_FFT_HERMITIAN ? 2
            : whole                                   ? sqrt(2)
                                                      : 1);
}

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
    assert_true(fabs(growth - stated_growth(plan[0], inverse)) <= 1e-12 * growth);
    const double stated =
        stated_gain(plan[0], weighting, inverse); /* 1.0001: where k may be alone */
    if (!(gain >= stated * (1 - 1e-12) && gain <= 1.00011 * stated))
        fail_msg("%s: the gain is %.9g, not %.9g", what, gain, stated);
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
        cmocka_unit_test(growth_is_as_stated),
        cmocka_unit_test(lines_and_their_parts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
