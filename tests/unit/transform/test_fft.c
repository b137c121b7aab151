/* SPDX-License-Identifier: MIT
 * The pruned transform against FFTW's full complex transform in f64: every size, mixed shapes,
 * formats, adjoints, tails, threads, instruction sets, wrong arguments and failing allocations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fftw3.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "number/format.h"
#include "transform/fft/fft.h"

typedef struct fft_case {
    mpno_fft_problem problem;
    mpno_fft_call call; /* without scratch */
    bool inverse;
} fft_case;

static mpno_ctx *ctx;
static mpno_rng rng;

static int set_up(void **state) {
    (void)state;
    rng = mpno_rng_make(1, MPNO_STREAM_TEST, 1);
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

static fft_case make_case(mpno_fft_kind kind, mpno_format arithmetic, int ndim, const int64_t *size,
                          const int64_t *keep) {
    fft_case c = {.problem = {.kind = kind, .arithmetic = arithmetic, .ndim = ndim},
                  .call = {.batch = 1,
                           .channels = 1,
                           .scale = 1.0,
                           .weighting = MPNO_FFT_PLAIN,
                           .field_format = arithmetic,
                           .spectrum_format = arithmetic,
                           .n_threads = 1}};
    for (int d = 0; d < ndim; d++) {
        c.problem.size[d] = size[d];
        int64_t most = kind == MPNO_FFT_REAL && d + 1 == ndim ? size[d] / 2 + 1 : size[d];
        c.problem.keep[d] = keep ? keep[d] : most;
    }
    return c;
}

static int64_t product(int n, const int64_t *x) {
    int64_t p = 1;
    for (int i = 0; i < n; i++) p *= x[i];
    return p;
}

static size_t field_count(const fft_case *c) {
    int64_t planes = c->problem.kind == MPNO_FFT_COMPLEX ? 2 : 1;
    return (size_t)(c->call.batch * product(c->problem.ndim, c->problem.size) * planes *
                    c->call.channels);
}

static size_t spectrum_count(const fft_case *c) {
    return (size_t)(c->call.batch * product(c->problem.ndim, c->problem.keep) * 2 *
                    c->call.channels);
}

/* n numbers of format, normal, in *stored; the same numbers in f64. */
static double *random_values(size_t n, mpno_format format, void **stored) {
    double *x = malloc((n + 1) * sizeof *x);
    *stored = malloc((n + 1) * mpno_format_bytes(format));
    for (size_t i = 0; i < n; i++) x[i] = mpno_rng_normal(&rng);
    mpno_cast(*stored, format, x, MPNO_F64, n);
    mpno_cast(x, MPNO_F64, *stored, format, n);
    return x;
}

/* Kept mode m: its place in the full grid and w_k. */
static int64_t mode_place(const fft_case *c, int64_t m, double *weight) {
    const mpno_fft_problem *p = &c->problem;
    int64_t place = 0, stride = 1;
    *weight = 1;
    for (int d = p->ndim - 1; d >= 0; d--) {
        int64_t n = p->size[d], k = m % p->keep[d];
        m /= p->keep[d];
        if (p->kind == MPNO_FFT_REAL && d == p->ndim - 1) {
            if (c->call.weighting == MPNO_FFT_HERMITIAN && k != 0 && 2 * k != n) *weight = 2;
        } else {
            k -= p->keep[d] / 2;
        }
        place += (k + n) % n * stride;
        stride *= n;
    }
    return place;
}

/* What the definition of fft.h gives, through FFTW's complex transform of the whole grid. */
static double *expected(const fft_case *c, const double *in) {
    const mpno_fft_problem *p = &c->problem;
    int64_t points = product(p->ndim, p->size), modes = product(p->ndim, p->keep);
    int64_t channels = c->call.channels, batch = c->call.batch,
            planes = p->kind == MPNO_FFT_COMPLEX ? 2 : 1;
    double *out = malloc((c->inverse ? field_count(c) : spectrum_count(c)) * sizeof *out);
    fftw_complex *grid = fftw_malloc((size_t)points * sizeof *grid);
    int size[MPNO_FFT_MAX_DIMS];
    for (int d = 0; d < p->ndim; d++) size[d] = (int)p->size[d];
    fftw_plan plan = fftw_plan_dft(p->ndim, size, grid, grid,
                                   c->inverse ? FFTW_BACKWARD : FFTW_FORWARD, FFTW_ESTIMATE);
    for (int64_t b = 0; b < batch; b++) {
        for (int64_t j = 0; j < channels; j++) {
            memset(grid, 0, (size_t)points * sizeof *grid);
            double weight;
            for (int64_t n = 0; !c->inverse && n < points; n++) {
                const double *x = in + (b * points + n) * planes * channels + j;
                grid[n][0] = x[0];
                grid[n][1] = planes == 2 ? x[channels] : 0;
            }
            for (int64_t m = 0; c->inverse && m < modes; m++) {
                int64_t place = mode_place(c, m, &weight);
                const double *x = in + (m * batch + b) * 2 * channels + j;
                grid[place][0] = weight * x[0];
                grid[place][1] = weight * x[channels];
            }
            fftw_execute(plan);
            for (int64_t n = 0; c->inverse && n < points; n++) {
                double *x = out + (b * points + n) * planes * channels + j;
                x[0] = c->call.scale * grid[n][0];
                if (planes == 2) x[channels] = c->call.scale * grid[n][1];
            }
            for (int64_t m = 0; !c->inverse && m < modes; m++) {
                int64_t place = mode_place(c, m, &weight);
                double *x = out + (m * batch + b) * 2 * channels + j;
                x[0] = c->call.scale * weight * grid[place][0];
                x[channels] = c->call.scale * weight * grid[place][1];
            }
        }
    }
    fftw_destroy_plan(plan);
    fftw_free(grid);
    return out;
}

static mpno_fft *create(const mpno_fft_problem *problem) {
    mpno_fft *fft = NULL;
    mpno_status status = mpno_fft_create(ctx, problem, &fft);
    if (status != MPNO_OK) print_error("%s\n", mpno_ctx_error(ctx));
    assert_int_equal(status, MPNO_OK);
    return fft;
}

/* Runs the case on `in` of the input format; scratch starts full of NaN. Result of the output
 * format, by malloc. */
static void *execute(const fft_case *c, const void *in, int *bad) {
    mpno_fft *fft = create(&c->problem);
    mpno_fft_call call = c->call;
    size_t bytes = mpno_fft_scratch_bytes(fft, call.channels, call.n_threads);
    assert_int_equal(mpno_alloc_raw(ctx, bytes, &call.scratch), MPNO_OK);
    memset(call.scratch, 0xff, bytes);
    size_t count = c->inverse ? field_count(c) : spectrum_count(c);
    void *out =
        malloc(count * mpno_format_bytes(c->inverse ? call.field_format : call.spectrum_format));
    *bad =
        c->inverse ? mpno_fft_inverse(fft, &call, in, out) : mpno_fft_forward(fft, &call, in, out);
    mpno_free(ctx, call.scratch);
    mpno_fft_destroy(ctx, &fft);
    return out;
}

static double norm(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

static double case_error(const fft_case *c) {
    mpno_format in_format = c->inverse ? c->call.spectrum_format : c->call.field_format;
    mpno_format out_format = c->inverse ? c->call.field_format : c->call.spectrum_format;
    size_t n_in = c->inverse ? spectrum_count(c) : field_count(c),
           n = c->inverse ? field_count(c) : spectrum_count(c);
    void *stored;
    double *in = random_values(n_in, in_format, &stored), *want = expected(c, in);
    int bad = 1;
    void *out = execute(c, stored, &bad);
    double *got = malloc((n + 1) * sizeof *got);
    mpno_cast(got, MPNO_F64, out, out_format, n);
    /* Relative to the result, or to half of what noise gives: the one mode kept may be small by
     * chance. */
    double outputs = (double)(c->inverse ? product(c->problem.ndim, c->problem.size)
                                         : product(c->problem.ndim, c->problem.keep));
    double size = fmax(norm(want, n), 0.5 * c->call.scale * sqrt(outputs) * norm(in, n_in));
    for (size_t i = 0; i < n; i++) got[i] -= want[i];
    double error = bad ? INFINITY : norm(got, n) / size;
    free(in);
    free(stored);
    free(want);
    free(out);
    free(got);
    return error;
}

static double tolerance(const fft_case *c) {
    double log_points = log2((double)product(c->problem.ndim, c->problem.size));
    double growth = sqrt(log_points > 1 ? log_points : 1);
    double t = (c->problem.arithmetic == MPNO_F32 ? 4e-7 : 1e-15) * growth;
    double stored = mpno_format_unit(c->inverse ? c->call.field_format : c->call.spectrum_format);
    return stored > 1e-4 ? 2 * stored : t + stored;
}

static void check_case(const fft_case *c) {
    double error = case_error(c), limit = tolerance(c);
    if (!(error < limit)) {
        mpno_fft *fft = create(&c->problem);
        char text[512];
        mpno_fft_describe(fft, text, sizeof text);
        print_error("%s, %s, %s, batch %d, channels %d: error %.3g, limit %.3g\n", text,
                    mpno_ctx_isa(ctx), c->inverse ? "inverse" : "forward", (int)c->call.batch,
                    (int)c->call.channels, error, limit);
        mpno_fft_destroy(ctx, &fft);
    }
    assert_true(error < limit);
}

static void check_both_ways(fft_case c) {
    c.inverse = false;
    check_case(&c);
    c.inverse = true;
    check_case(&c);
}

/* ---- 16-bit arithmetic ---- */

static float rounded(mpno_format format, float x) {
    return format == MPNO_F16 ? mpno_f16_to_f32(mpno_f16_from_f32(x))
                              : mpno_bf16_to_f32(mpno_bf16_from_f32(x));
}

static int64_t least_factor(int64_t n) {
    for (int64_t p = 2; p * p <= n; p++)
        if (n % p == 0) return p;
    return n;
}

/* The textbook: X[j + p q] = DFT_m(y_j)[q] with y_j[i] = w^ij sum_b x[i + m b] exp(-2 pi i j b /
 * p), m = n / p, p the least prime factor of n. Each y is rounded once, and so is w. x, out: re,
 * im. */
static void reference(mpno_format format, int64_t n, const float *x, float *out) {
    const double pi = 3.14159265358979323846;
    const int64_t p = least_factor(n), m = n / p;
    float *y = malloc((size_t)(4 * m) * sizeof *y), *transformed = y + 2 * m;
    for (int64_t j = 0; j < p; j++) {
        for (int64_t i = 0; i < m; i++) {
            double re = 0, im = 0;
            for (int64_t b = 0; b < p; b++) {
                const double angle = -2 * pi * (double)(j * b % p) / (double)p;
                const double u = x[2 * (i + m * b)], v = x[2 * (i + m * b) + 1];
                re += u * cos(angle) - v * sin(angle);
                im += u * sin(angle) + v * cos(angle);
            }
            const double angle = -2 * pi * (double)(i * j) / (double)n;
            const double wr = rounded(format, (float)cos(angle)),
                         wi = rounded(format, (float)sin(angle));
            y[2 * i] = rounded(format, (float)(re * wr - im * wi));
            y[2 * i + 1] = rounded(format, (float)(re * wi + im * wr));
        }
        if (m > 1) reference(format, m, y, transformed);
        for (int64_t q = 0; q < m; q++)
            memcpy(out + 2 * (j + p * q), (m > 1 ? transformed : y) + 2 * q, 2 * sizeof *out);
    }
    free(y);
}

/* Where the two differ, f32 and f64 fell on different sides of a tie: about one value in 2^13 (f16)
 * at each stage, by 2 u of that value. Rounding somewhere else, or twiddles of f32, differs by
 * about u of all. */
static void rounds_after_each_butterfly(void **state) {
    (void)state;
    /* the same numbers on every ISA: with others a single large value beside a tie may be more */
    rng = mpno_rng_make(1, MPNO_STREAM_TEST, 1);
    const int64_t sizes[] = {2, 4, 8, 64, 256, 6, 15, 35, 210, 11, 22, 39, 101, 128 * 13};
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        const mpno_format format = i % 2 ? MPNO_BF16 : MPNO_F16;
        const int64_t n = sizes[i / 2];
        fft_case c = make_case(MPNO_FFT_COMPLEX, format, 1, &n, NULL);
        void *stored;
        double *x = random_values(2 * (size_t)n, format, &stored);
        float *pairs = malloc(4 * (size_t)n * sizeof *pairs), *want = pairs + 2 * n;
        for (int64_t j = 0; j < 2 * n; j++) pairs[j] = (float)x[j];
        reference(format, n, pairs, want);
        int bad;
        uint16_t *out = execute(&c, stored, &bad);
        double *got = malloc(2 * (size_t)n * sizeof *got), difference = 0, size = 0;
        mpno_cast(got, MPNO_F64, out, format, 2 * (size_t)n);
        for (int64_t k = 0; k < n; k++) {
            const int64_t mode = (k - n / 2 + n) % n;
            for (int part = 0; part < 2; part++) {
                const double d = got[2 * k + part] - want[2 * mode + part];
                difference += d * d;
                size += want[2 * mode + part] * want[2 * mode + part];
            }
        }
        assert_int_equal(bad, 0);
        if (!(sqrt(difference / size) < 0.25 * mpno_format_unit(format)))
            fail_msg("%s, %lld points: off by %g units", mpno_format_get(format)->name, (long long)n,
                     sqrt(difference / size) / mpno_format_unit(format));
        free(x);
        free(stored);
        free(pairs);
        free(out);
        free(got);
    }
}

/* docs/theory/transform.md: (1 + 1/sqrt 2) u a stage, and u for each of samples and stored modes;
 * the theory of arithmetic that rounds every operation has 3.95 u a stage of radix 2. */
static double rounded_limit(const fft_case *c) {
    double stages = 0;
    for (int d = 0; d < c->problem.ndim; d++)
        for (int64_t n = c->problem.size[d]; n > 1; n /= least_factor(n)) stages++;
    const double u = mpno_format_unit(c->problem.arithmetic);
    return (1.7072 * stages + 2) * u * (1 + 8 * stages * u);
}

static void errors_grow_by_less_than_two_units_a_stage(void **state) {
    (void)state;
    const int64_t sizes[][2] = {{2, 0},    {128, 0},  {4096, 0}, {360, 0}, {245, 0},
                                {37, 0},   {1009, 0}, {22, 0},   {64, 64}, {128, 48},
                                {15, 105}, {30, 31},  {1, 0}};
    for (size_t i = 0; i < 4 * sizeof sizes / sizeof *sizes; i++) {
        const mpno_format format = i % 2 ? MPNO_BF16 : MPNO_F16;
        const int64_t *size = sizes[i / 4];
        fft_case c = make_case(i / 2 % 2 ? MPNO_FFT_COMPLEX : MPNO_FFT_REAL, format,
                               size[1] ? 2 : 1, size, NULL);
        c.call.channels = 3;
        c.call.scale = 1.0 / sqrt((double)product(c.problem.ndim, c.problem.size));
        for (int way = 0; way < 2; way++) {
            c.inverse = way == 1;
            const double error = case_error(&c), limit = rounded_limit(&c);
            if (!(error < limit)) print_error("size %d: %g, %g\n", (int)size[0], error, limit);
            assert_true(error < limit);
        }
    }
}

/* What the paper saw: 64 values of 2e4 overflow f16 in the transform, wherever the scale is. */
static void sums_overflow_before_they_are_scaled(void **state) {
    (void)state;
    const int64_t n = 64;
    fft_case c = make_case(MPNO_FFT_REAL, MPNO_F16, 1, &n, NULL);
    c.call.scale = 1.0 / 64;
    uint16_t field[64];
    for (int k = 0; k < 2; k++) {
        const float value = k == 0 ? 20000.0f : 65504.0f / 64; /* n max |x| fits */
        for (int i = 0; i < 64; i++) field[i] = mpno_f16_from_f32(value);
        int bad;
        uint16_t *out = execute(&c, field, &bad);
        assert_int_equal(bad, k == 0);
        if (k == 1) assert_true(mpno_f16_to_f32(out[0]) == mpno_f16_to_f32(field[0]));
        free(out);
    }
}

/* Rounding normal numbers to a format puts 0.42 u rms / sqrt(n) on every mode alike
 * (docs/design/modes.md): 4096 lines of 64 points, mode by mode and as a slope over all. */
static void rounding_is_white(void **state) {
    (void)state;
    enum { N = 64, LINES = 4096, MODES = 33 };
    const int64_t n = N;
    for (int i = 0; i < 2; i++) {
        const mpno_format format = i ? MPNO_BF16 : MPNO_F16;
        fft_case c = make_case(MPNO_FFT_REAL, MPNO_F64, 1, &n, NULL);
        c.call.scale = 1.0 / N;
        c.call.channels = LINES;
        double *x = malloc(N * LINES * sizeof *x), mean = 0, slope = 0, spread = 0;
        uint16_t *narrow = malloc(N * LINES * sizeof *narrow);
        for (int j = 0; j < N * LINES; j++) x[j] = mpno_rng_normal(&rng);
        mpno_cast(narrow, format, x, MPNO_F64, N * LINES);
        double *difference = malloc(N * LINES * sizeof *difference), part[MODES];
        mpno_cast(difference, MPNO_F64, narrow, format, N * LINES);
        for (int j = 0; j < N * LINES; j++) difference[j] -= x[j];
        int bad;
        double *modes = execute(&c, difference, &bad);
        for (int k = 0; k < MODES; k++) {
            const double size = norm(modes + (int64_t)k * 2 * LINES, 2 * LINES);
            part[k] = size / sqrt(LINES) * sqrt(N) / mpno_format_unit(format);
            mean += part[k] / MODES;
            assert_true(fabs(part[k] - 0.424) < 0.03);
        }
        for (int k = 0; k < MODES; k++) {
            slope += (k - MODES / 2) * (part[k] - mean);
            spread += (k - MODES / 2) * (k - MODES / 2);
        }
        assert_true(fabs(mean - 0.424) < 0.005);
        assert_true(fabs(slope / spread * MODES) < 0.02 * mean);
        free(x), free(narrow), free(difference), free(modes);
    }
}

static int64_t at_most(int64_t n) {
    return 1 + (int64_t)mpno_rng_below(&rng, (uint64_t)n);
}

static void check_size(int64_t n) {
    for (int i = 0; i < 4; i++) {
        fft_case c = make_case(i % 2 ? MPNO_FFT_COMPLEX : MPNO_FFT_REAL,
                               i / 2 ? MPNO_F64 : MPNO_F32, 1, &n, NULL);
        c.call.channels = 2;
        c.call.weighting = n % 2 ? MPNO_FFT_HERMITIAN : MPNO_FFT_PLAIN;
        c.call.scale = 1.0 / (double)n;
        check_both_ways(c);
        c.problem.keep[0] = at_most(c.problem.keep[0]);
        check_both_ways(c);
    }
}

static void every_size(void **state) {
    (void)state;
    const int64_t more[] = {1009, 1024, 1331, 4096};
    for (int64_t n = 1; n <= 512; n++) check_size(n);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) check_size(more[i]);
}

static fft_case random_case(int ndim, int64_t most_points) {
    int64_t size[MPNO_FFT_MAX_DIMS], keep[MPNO_FFT_MAX_DIMS];
    mpno_fft_kind kind = mpno_rng_below(&rng, 2) ? MPNO_FFT_COMPLEX : MPNO_FFT_REAL;
    do {
        for (int d = 0; d < ndim; d++) size[d] = at_most(ndim == 2 ? 70 : ndim == 3 ? 24 : 12);
    } while (product(ndim, size) > most_points);
    for (int d = 0; d < ndim; d++) {
        int64_t most = kind == MPNO_FFT_REAL && d + 1 == ndim ? size[d] / 2 + 1 : size[d];
        keep[d] = mpno_rng_below(&rng, 3) ? at_most(most) : most;
    }
    fft_case c = make_case(kind, mpno_rng_below(&rng, 2) ? MPNO_F64 : MPNO_F32, ndim, size, keep);
    c.call.batch = at_most(3);
    c.call.channels = at_most(20);
    c.call.n_threads = (int)at_most(3);
    c.call.weighting = mpno_rng_below(&rng, 2) ? MPNO_FFT_HERMITIAN : MPNO_FFT_PLAIN;
    c.call.scale = mpno_rng_uniform(&rng) + 0.1;
    return c;
}

static void mixed_shapes(void **state) {
    (void)state;
    for (int i = 0; i < 80; i++) check_both_ways(random_case(i < 36 ? 2 : i < 66 ? 3 : 4, 3000));
}

static void usual_grids(void **state) {
    (void)state;
    const int64_t sizes[][3] = {
        {128, 128, 0}, {85, 85, 0}, {421, 37, 0}, {64, 96, 0}, {20, 24, 32}};
    const int64_t keeps[][3] = {{16, 9, 0}, {43, 43, 0}, {32, 17, 0}, {64, 49, 0}, {8, 9, 5}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int j = 0; j < 4; j++) {
            int ndim = sizes[i][2] ? 3 : 2;
            check_both_ways(make_case(j % 2 ? MPNO_FFT_COMPLEX : MPNO_FFT_REAL,
                                      j / 2 ? MPNO_F64 : MPNO_F32, ndim, sizes[i], keeps[i]));
        }
    }
}

static void every_storage_format(void **state) {
    (void)state;
    const int64_t size[] = {18, 22}, keep[] = {7, 6}, wide[] = {18, 12};
    for (int i = 0; i < 2 * MPNO_FORMAT_COUNT * MPNO_FORMAT_COUNT * 4; i++) {
        fft_case c = make_case(i % 2 ? MPNO_FFT_COMPLEX : MPNO_FFT_REAL,
                               i / 2 % 2 ? MPNO_F64 : MPNO_F32, 2, size, i / 4 % 2 ? keep : wide);
        c.call.field_format = (mpno_format)(i / 8 % MPNO_FORMAT_COUNT);
        c.call.spectrum_format = (mpno_format)(i / 8 / MPNO_FORMAT_COUNT);
        c.call.scale =
            0.05; /* about one over the square root of the points: values of order 1 either way */
        c.call.channels = 19;
        check_both_ways(c);
    }
}

/* The sums of 64 values of 2e4 leave f16; scaled before the store they fit. */
static void scale_comes_before_the_store(void **state) {
    (void)state;
    const int64_t n = 64;
    fft_case c = make_case(MPNO_FFT_REAL, MPNO_F32, 1, &n, NULL);
    c.call.field_format = c.call.spectrum_format = MPNO_F16;
    uint16_t field[64];
    for (int i = 0; i < 64; i++) field[i] = mpno_f16_from_f32(20000.0f);
    int bad;
    uint16_t *out = execute(&c, field, &bad);
    assert_int_equal(bad, 1);
    free(out);
    c.call.scale = 1.0 / 64;
    out = execute(&c, field, &bad);
    assert_int_equal(bad, 0);
    assert_true(mpno_f16_to_f32(out[0]) == 20000.0f);
    free(out);
}

/* A value that is not finite is reported and stays in its channel. */
static void channels_never_meet(void **state) {
    (void)state;
    enum { CHANNELS = 20, SICK = 3 };
    const int64_t sizes[] = {16, 15, 128, 37};
    for (int i = 0; i < 16; i++) {
        const int64_t size[] = {2, sizes[i % 4]}, keep[] = {2, sizes[i % 4] / (i / 8 ? 2 : 4)};
        fft_case c =
            make_case(i / 4 % 2 ? MPNO_FFT_COMPLEX : MPNO_FFT_REAL, MPNO_F32, 2, size, keep);
        if (i % 3 == 2) c.problem.arithmetic = MPNO_BF16;
        c.call.channels = CHANNELS;
        for (int way = 0; way < 2; way++) {
            c.inverse = way == 1;
            size_t n_in = c.inverse ? spectrum_count(&c) : field_count(&c);
            size_t n = c.inverse ? field_count(&c) : spectrum_count(&c);
            float *in;
            free(random_values(n_in, MPNO_F32, (void **)&in));
            in[SICK] = INFINITY;
            int bad;
            float *out = execute(&c, in, &bad);
            assert_int_equal(bad, 1);
            for (size_t j = 0; j < n; j++) assert_true(isfinite(out[j]) || j % CHANNELS == SICK);
            free(in);
            free(out);
        }
    }
}

static double inner_product(const double *x, const double *y, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

static void inverse_is_the_adjoint(void **state) {
    (void)state;
    for (int i = 0; i < 60; i++) {
        fft_case c = random_case(1 + i % 4, 2000);
        c.problem.arithmetic = c.call.field_format = c.call.spectrum_format = MPNO_F64;
        double *x, *y;
        free(random_values(field_count(&c), MPNO_F64, (void **)&x));
        free(random_values(spectrum_count(&c), MPNO_F64, (void **)&y));
        int bad;
        c.inverse = false;
        double *fx = execute(&c, x, &bad);
        c.inverse = true;
        double *fty = execute(&c, y, &bad);
        double left = inner_product(fx, y, spectrum_count(&c)),
               right = inner_product(x, fty, field_count(&c));
        double size = sqrt(inner_product(fx, fx, spectrum_count(&c)) *
                           inner_product(y, y, spectrum_count(&c)));
        assert_true(fabs(left - right) <= 1e-12 * (size + fabs(left)));
        free(x);
        free(y);
        free(fx);
        free(fty);
    }
}

static void threads_do_not_change_bits(void **state) {
    (void)state;
    for (int i = 0; i < 24; i++) {
        fft_case c = random_case(1 + i % 4, 2000);
        c.call.channels = 70;
        if (i % 5 == 4) c.problem.arithmetic = MPNO_F16;
        if (i % 12 == 1) { /* more than a cache: threads share each of several strips */
            const int64_t size[] = {66, 66};
            c = make_case(MPNO_FFT_REAL, MPNO_F32, 2, size, NULL);
            c.call.channels = 150;
        }
        c.inverse = i / 4 % 2;
        mpno_format format = c.call.field_format;
        size_t n_in = c.inverse ? spectrum_count(&c) : field_count(&c),
               n = c.inverse ? field_count(&c) : spectrum_count(&c);
        void *in, *first = NULL;
        free(random_values(n_in, format, &in));
        const int threads[] = {1, 2, 5};
        for (int t = 0; t < 3; t++) {
            int bad;
            c.call.n_threads = threads[t];
            void *out = execute(&c, in, &bad);
            if (t == 0) first = out;
            assert_memory_equal(first, out, n * mpno_format_bytes(format));
            if (t != 0) free(out);
        }
        free(first);
        free(in);
    }
}

static void tails_of_channels(void **state) {
    (void)state;
    const int64_t channels[] = {1, 3, 16, 17, 40};
    for (int i = 0; i < 40; i++) {
        const int64_t size[] = {12, i % 4 < 2 ? 14 : 15}, keep[] = {5, 4};
        fft_case c = make_case(i % 2 ? MPNO_FFT_COMPLEX : MPNO_FFT_REAL,
                               i / 20 ? MPNO_F64 : MPNO_F32, 2, size, i % 3 ? keep : NULL);
        c.call.channels = channels[i / 4 % 5];
        c.call.batch = 2;
        check_both_ways(c);
        c.call.field_format = MPNO_F16;
        check_both_ways(c);
    }
}

/* [N][samples] with batch 1 is the transform of `samples` fields of one channel. */
static void samples_as_channels(void **state) {
    (void)state;
    enum { SAMPLES = 21, N = 36 };
    const int64_t n = N;
    fft_case c = make_case(MPNO_FFT_REAL, MPNO_F64, 1, &n, NULL);
    c.call.batch = SAMPLES;
    double *fields, *turned = malloc(SAMPLES * N * sizeof *turned);
    free(random_values(SAMPLES * N, MPNO_F64, (void **)&fields));
    for (int s = 0; s < SAMPLES; s++) {
        for (int i = 0; i < N; i++) turned[i * SAMPLES + s] = fields[s * N + i];
    }
    int bad;
    double *one = execute(&c, fields, &bad); /* [mode][sample][2][1] */
    c.call.batch = 1;
    c.call.channels = SAMPLES;
    double *all = execute(&c, turned, &bad); /* [mode][1][2][sample] */
    for (int64_t m = 0; m < c.problem.keep[0]; m++) {
        for (int s = 0; s < SAMPLES; s++) {
            for (int p = 0; p < 2; p++) {
                assert_true(one[(m * SAMPLES + s) * 2 + p] == all[(m * 2 + p) * SAMPLES + s]);
            }
        }
    }
    free(fields);
    free(turned);
    free(one);
    free(all);
}

static void every_instruction_set(void **state) {
    (void)state;
    mpno_isa best = ctx->isa;
    for (int isa = 0; isa < (int)best; isa++) {
        ctx->isa = (mpno_isa)isa;
        for (int64_t n = 1; n <= 512; n += n < 40 ? 1 : 47) check_size(n);
        mixed_shapes(state);
        every_storage_format(state);
        tails_of_channels(state);
        rounds_after_each_butterfly(state);
        errors_grow_by_less_than_two_units_a_stage(state);
    }
    ctx->isa = best;
}

static void refuse(const mpno_fft_problem *problem, mpno_status status, const char *word) {
    mpno_fft *fft = (mpno_fft *)(uintptr_t)1;
    assert_int_equal(mpno_fft_create(ctx, problem, &fft), status);
    assert_null(fft);
    if (!strstr(mpno_ctx_error(ctx), word)) print_error("%s\n", mpno_ctx_error(ctx));
    assert_non_null(strstr(mpno_ctx_error(ctx), word));
}

static void wrong_arguments(void **state) {
    (void)state;
    const mpno_fft_problem good = {
        .kind = MPNO_FFT_REAL, .arithmetic = MPNO_F32, .ndim = 2, .size = {8, 9}, .keep = {8, 5}};
    mpno_fft_problem p = good;
    p.ndim = 0;
    refuse(&p, MPNO_E_ARGUMENT, "ndim is 0");
    p.ndim = 5;
    refuse(&p, MPNO_E_ARGUMENT, "ndim is 5");
    p = good;
    p.arithmetic = MPNO_FORMAT_COUNT;
    refuse(&p, MPNO_E_ARGUMENT, "arithmetic");
    p = good;
    p.kind = (mpno_fft_kind)7;
    refuse(&p, MPNO_E_ARGUMENT, "kind");
    p = good;
    p.size[0] = 0;
    refuse(&p, MPNO_E_SHAPE, "size[0] is 0");
    p.size[0] = -4;
    refuse(&p, MPNO_E_SHAPE, "size[0] is -4");
    p = good;
    p.keep[0] = 9;
    refuse(&p, MPNO_E_SHAPE, "keep[0] is 9");
    p = good;
    p.keep[1] = 6;
    refuse(&p, MPNO_E_SHAPE, "between 1 and 5");
    p.keep[1] = 0;
    refuse(&p, MPNO_E_SHAPE, "keep[1] is 0");
    p = good;
    p.ndim = 4;
    for (int d = 0; d < 4; d++) {
        p.size[d] = 1 << 20;
        p.keep[d] = 1;
    }
    refuse(&p, MPNO_E_SHAPE, "points");
    mpno_fft_destroy(ctx, NULL);
    mpno_fft *none = NULL;
    mpno_fft_destroy(ctx, &none);
}

static void failing_allocations(void **state) {
    (void)state;
    const int64_t sizes[] = {128, 1024, 1009, 85};
    size_t before = mpno_ctx_bytes(ctx);
    for (int i = 0; i < 8; i++) {
        const int64_t size[] = {8, sizes[i / 2]};
        const int64_t keep[] = {8, i % 2 ? 2 : sizes[i / 2] / 2 + 1};
        fft_case c = make_case(MPNO_FFT_REAL, MPNO_F32, 2, size, keep);
        if (i == 7) c.problem.arithmetic = MPNO_F16;
        for (int64_t n = 0;; n++) {
            mpno_fft *fft = NULL;
            mpno_alloc_fail_after(ctx, n);
            mpno_status status = mpno_fft_create(ctx, &c.problem, &fft);
            mpno_alloc_fail_after(ctx, -1);
            if (status == MPNO_OK) {
                assert_true(n > 2);
                mpno_fft_destroy(ctx, &fft);
                break;
            }
            assert_int_equal(status, MPNO_E_MEMORY);
            assert_null(fft);
            assert_int_equal(mpno_ctx_bytes(ctx), before);
        }
        assert_int_equal(mpno_ctx_bytes(ctx), before);
    }
}

/* Executing allocates nothing; pruning costs less; the line of text names sizes and methods. */
static void plans_can_be_asked(void **state) {
    (void)state;
    const int64_t size[] = {64, 128}, few[] = {8, 5};
    fft_case c = make_case(MPNO_FFT_REAL, MPNO_F32, 2, size, NULL);
    mpno_fft *whole = create(&c.problem);
    c = make_case(MPNO_FFT_REAL, MPNO_F32, 2, size, few);
    mpno_fft *pruned = create(&c.problem);
    assert_int_equal(mpno_fft_modes(pruned), 40);
    assert_int_equal(mpno_fft_points(pruned), 64 * 128);
    assert_int_equal(mpno_fft_modes(whole), 64 * 65);
    assert_true(mpno_fft_flops(pruned) < 0.5 * mpno_fft_flops(whole));
    assert_true(mpno_fft_flops(pruned) > 64 * 128);
    assert_true(mpno_fft_scratch_bytes(pruned, 64, 1) < mpno_fft_scratch_bytes(whole, 64, 1));
    assert_int_equal(mpno_fft_scratch_bytes(pruned, 64, 3),
                     3 * mpno_fft_scratch_bytes(pruned, 64, 1));
    char text[256], tiny[5];
    mpno_fft_describe(pruned, text, sizeof text);
    assert_non_null(strstr(text, "64x128 keep 8x5"));
    assert_non_null(strstr(text, "direct"));
    mpno_fft_describe(whole, text, sizeof text);
    assert_non_null(strstr(text, "half fft"));
    mpno_fft_describe(whole, tiny, sizeof tiny);
    assert_string_equal(tiny, "rfft");
    mpno_fft_destroy(ctx, &whole);
    mpno_fft_destroy(ctx, &pruned);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mixed_shapes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(usual_grids, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_storage_format, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scale_comes_before_the_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rounds_after_each_butterfly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_grow_by_less_than_two_units_a_stage, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(sums_overflow_before_they_are_scaled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rounding_is_white, set_up, tear_down),
        cmocka_unit_test_setup_teardown(channels_never_meet, set_up, tear_down),
        cmocka_unit_test_setup_teardown(inverse_is_the_adjoint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_do_not_change_bits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tails_of_channels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(samples_as_channels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_instruction_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_arguments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failing_allocations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(plans_can_be_asked, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
