/* SPDX-License-Identifier: MIT
 * The transform in two parts against the whole one: bits, formats, adjoints, any size, threads,
 * and sums by Parseval's theorem against sums over the rebuilt field. */
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
#include "transform/fft/fft.h"

typedef struct columns_case {
    mpno_fft_problem problem;
    mpno_fft_call call; /* with scratch; both formats those of the arithmetic */
    mpno_fft *fft;
    size_t n_field, n_columns, n_spectrum; /* numbers, of the batch */
} columns_case;

static mpno_ctx *ctx;
static mpno_rng rng;

static int set_up(void **state) {
    (void)state;
    rng = mpno_rng_make(2, MPNO_STREAM_TEST, 1);
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

static int64_t at_most(int64_t n) {
    return 1 + (int64_t)mpno_rng_below(&rng, (uint64_t)n);
}

static void begin(columns_case *c) {
    assert_int_equal(mpno_fft_create(ctx, &c->problem, &c->fft), MPNO_OK);
    const int64_t planes = c->problem.kind == MPNO_FFT_COMPLEX ? 2 : 1;
    const int64_t rows = c->call.batch * c->call.channels;
    c->n_field = (size_t)(rows * planes * mpno_fft_points(c->fft));
    c->n_columns = (size_t)(rows * 2 * mpno_fft_columns(c->fft));
    c->n_spectrum = (size_t)(rows * 2 * mpno_fft_modes(c->fft));
    c->call.field_format = c->call.spectrum_format = c->problem.arithmetic;
    const size_t bytes = mpno_fft_scratch_bytes(c->fft, c->call.channels, c->call.n_threads);
    assert_int_equal(mpno_alloc_raw(ctx, bytes, &c->call.scratch), MPNO_OK);
    memset(c->call.scratch, 0xff, bytes);
}

static void end(columns_case *c) {
    mpno_free(ctx, c->call.scratch);
    mpno_fft_destroy(ctx, &c->fft);
}

static columns_case random_case(int ndim, mpno_fft_kind kind, mpno_format arithmetic) {
    const int64_t most[] = {200, 24, 9, 5}, primes[] = {101, 37, 11, 5};
    columns_case c = {.problem = {.kind = kind, .arithmetic = arithmetic, .ndim = ndim}};
    for (int d = 0; d < ndim; d++) {
        const int64_t n = mpno_rng_below(&rng, 4) ? at_most(most[ndim - 1]) : primes[ndim - 1];
        const int64_t all = kind == MPNO_FFT_REAL && d + 1 == ndim ? n / 2 + 1 : n;
        c.problem.size[d] = n;
        c.problem.keep[d] = mpno_rng_below(&rng, 3) ? at_most(all) : all;
    }
    c.call =
        (mpno_fft_call){.batch = at_most(3),
                        .channels = mpno_rng_below(&rng, 2) ? at_most(40) : 16 * at_most(5),
                        .scale = mpno_rng_uniform(&rng) + 0.1,
                        .weighting = mpno_rng_below(&rng, 2) ? MPNO_FFT_HERMITIAN : MPNO_FFT_PLAIN,
                        .n_threads = (int)at_most(3)};
    begin(&c);
    return c;
}

/* n numbers of `format` by mpno_alloc: normal, or room for them (NaN). */
static void *numbers(size_t n, mpno_format format, bool random) {
    void *x;
    double *values = malloc((n + 1) * sizeof *values);
    for (size_t i = 0; i < n; i++) values[i] = random ? mpno_rng_normal(&rng) : NAN;
    assert_int_equal(mpno_alloc_raw(ctx, n * mpno_format_bytes(format), &x), MPNO_OK);
    mpno_cast(x, format, values, MPNO_F64, n);
    free(values);
    return x;
}

static double *widened(const void *x, mpno_format format, size_t n) {
    double *values = malloc((n + 1) * sizeof *values);
    mpno_cast(values, MPNO_F64, x, format, n);
    return values;
}

/* Lines of the whole batch, some at a time, through a tile with room for no more. */
static int run_lines(const columns_case *c, void *columns, mpno_format format, void *field,
                     double scale, bool inverse) {
    const int64_t lines = c->call.batch * mpno_fft_lines(c->fft), chunk = at_most(lines);
    const size_t line_bytes = c->n_field / (size_t)lines * mpno_format_bytes(c->problem.arithmetic);
    mpno_fft_lines_call call = {
        .channels = c->call.channels, .columns_format = format, .scale = scale};
    const size_t bytes = mpno_fft_lines_scratch_bytes(c->fft, call.channels);
    assert_int_equal(mpno_alloc_raw(ctx, bytes, &call.scratch), MPNO_OK);
    memset(call.scratch, 0xff, bytes);
    int bad = 0;
    for (int64_t first = 0; first < lines; first += chunk) {
        const int64_t n = lines - first < chunk ? lines - first : chunk;
        void *tile;
        assert_int_equal(mpno_alloc_raw(ctx, (size_t)n * line_bytes, &tile), MPNO_OK);
        char *at = (char *)field + (size_t)first * line_bytes;
        if (inverse) {
            bad |= mpno_fft_inverse_lines(c->fft, &call, columns, first, n, tile);
            memcpy(at, tile, (size_t)n * line_bytes);
        } else {
            memcpy(tile, at, (size_t)n * line_bytes);
            bad |= mpno_fft_forward_lines(c->fft, &call, tile, first, n, columns);
        }
        mpno_free(ctx, tile);
    }
    mpno_free(ctx, call.scratch);
    return bad;
}

static double relative(const double *a, const double *b, size_t n) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        difference += (a[i] - b[i]) * (a[i] - b[i]);
        size += b[i] * b[i];
    }
    return sqrt(difference / (size > 0 ? size : 1));
}

static double inner_product(const double *x, const double *y, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

static void check_bits(columns_case *c) {
    const mpno_format t = c->problem.arithmetic;
    const size_t bytes = mpno_format_bytes(t);
    void *spectrum = numbers(c->n_spectrum, t, true), *columns = numbers(c->n_columns, t, false);
    void *field = numbers(c->n_field, t, false), *whole = numbers(c->n_field, t, false);
    assert_int_equal(mpno_fft_inverse(c->fft, &c->call, spectrum, whole), 0);
    assert_int_equal(mpno_fft_inverse_columns(c->fft, &c->call, spectrum, columns), 0);
    assert_int_equal(run_lines(c, columns, t, field, 1.0, true), 0);
    assert_memory_equal(field, whole, c->n_field * bytes);
    void *two_parts = numbers(c->n_spectrum, t, false);
    assert_int_equal(mpno_fft_forward(c->fft, &c->call, field, spectrum), 0);
    assert_int_equal(run_lines(c, columns, t, field, 1.0, false), 0);
    assert_int_equal(mpno_fft_forward_columns(c->fft, &c->call, columns, two_parts), 0);
    assert_memory_equal(two_parts, spectrum, c->n_spectrum * bytes);
    mpno_free(ctx, spectrum);
    mpno_free(ctx, columns);
    mpno_free(ctx, field);
    mpno_free(ctx, whole);
    mpno_free(ctx, two_parts);
}

static void both_parts_give_the_bits_of_the_whole(void **state) {
    (void)state;
    for (int i = 0; i < 96; i++) {
        columns_case c =
            random_case(1 + i % 4, i / 4 % 2 ? MPNO_FFT_REAL : MPNO_FFT_COMPLEX, i / 8 % 2);
        check_bits(&c);
        end(&c);
    }
}

static void every_size_of_a_line(void **state) {
    (void)state;
    for (int64_t n = 1; n <= 200; n++) {
        columns_case c = {.problem = {.kind = MPNO_FFT_REAL, .arithmetic = n % 2, .ndim = 2}};
        c.problem.size[0] = c.problem.keep[0] = 2;
        c.problem.size[1] = n;
        c.problem.keep[1] = n % 3 ? at_most(n / 2 + 1) : n / 2 + 1;
        c.call = (mpno_fft_call){.batch = 1, .channels = 17, .scale = 0.1, .n_threads = 1};
        begin(&c);
        check_bits(&c);
        end(&c);
    }
}

static void columns_of_every_format(void **state) {
    (void)state;
    for (int i = 0; i < 64; i++) {
        const mpno_format t = (mpno_format)(i % 2), format = (mpno_format)(i / 2 % 4);
        columns_case c = random_case(1 + i / 8 % 3, MPNO_FFT_REAL, t);
        const double limit = 3 * mpno_format_unit(format) + (t == MPNO_F32 ? 2e-6 : 1e-14);
        const double n_last = (double)c.problem.size[c.problem.ndim - 1];
        void *spectrum = numbers(c.n_spectrum, t, true);
        void *columns = numbers(c.n_columns, format, false);
        void *field = numbers(c.n_field, t, false), *whole = numbers(c.n_field, t, false);
        mpno_fft_call call = c.call;
        call.field_format = format;
        assert_int_equal(mpno_fft_inverse(c.fft, &c.call, spectrum, whole), 0);
        assert_int_equal(mpno_fft_inverse_columns(c.fft, &call, spectrum, columns), 0);
        assert_int_equal(run_lines(&c, columns, format, field, 1.0, true), 0);
        double *a = widened(field, t, c.n_field), *b = widened(whole, t, c.n_field);
        assert_true(relative(a, b, c.n_field) < limit);
        free(a);
        free(b);
        /* The other way: what the lines scale need not be scaled again. */
        assert_int_equal(mpno_fft_forward(c.fft, &c.call, whole, spectrum), 0);
        assert_int_equal(run_lines(&c, columns, format, whole, 1 / n_last, false), 0);
        void *two_parts = numbers(c.n_spectrum, t, false);
        call.scale = c.call.scale * n_last;
        assert_int_equal(mpno_fft_forward_columns(c.fft, &call, columns, two_parts), 0);
        a = widened(two_parts, t, c.n_spectrum);
        b = widened(spectrum, t, c.n_spectrum);
        assert_true(relative(a, b, c.n_spectrum) < 2 * limit);
        free(a);
        free(b);
        mpno_free(ctx, spectrum);
        mpno_free(ctx, columns);
        mpno_free(ctx, field);
        mpno_free(ctx, whole);
        mpno_free(ctx, two_parts);
        end(&c);
    }
}

/* <A x, y> = <x, A' y> for the lines and for the columns, each with its own transpose. */
static void each_part_has_its_adjoint(void **state) {
    (void)state;
    for (int i = 0; i < 60; i++) {
        columns_case c = random_case(1 + i % 4, i % 3 ? MPNO_FFT_REAL : MPNO_FFT_COMPLEX, MPNO_F64);
        double *x = numbers(c.n_field, MPNO_F64, true), *y = numbers(c.n_columns, MPNO_F64, true);
        double *ax = numbers(c.n_columns, MPNO_F64, false);
        double *aty = numbers(c.n_field, MPNO_F64, false);
        assert_int_equal(run_lines(&c, ax, MPNO_F64, x, 1.0, false), 0);
        assert_int_equal(run_lines(&c, y, MPNO_F64, aty, 1.0, true), 0);
        double left = inner_product(ax, y, c.n_columns), right = inner_product(x, aty, c.n_field);
        double size = sqrt(inner_product(ax, ax, c.n_columns) * inner_product(y, y, c.n_columns));
        assert_true(fabs(left - right) <= 1e-12 * (size + fabs(left)));
        double *s = numbers(c.n_spectrum, MPNO_F64, true);
        double *by = numbers(c.n_spectrum, MPNO_F64, false);
        assert_int_equal(mpno_fft_forward_columns(c.fft, &c.call, y, by), 0);
        assert_int_equal(mpno_fft_inverse_columns(c.fft, &c.call, s, ax), 0);
        left = inner_product(by, s, c.n_spectrum);
        right = inner_product(y, ax, c.n_columns);
        size = sqrt(inner_product(by, by, c.n_spectrum) * inner_product(s, s, c.n_spectrum));
        assert_true(fabs(left - right) <= 1e-12 * (size + fabs(left)));
        double *all[] = {x, y, ax, aty, s, by};
        for (int j = 0; j < 6; j++) mpno_free(ctx, all[j]);
        end(&c);
    }
}

static void sums_follow_from_columns(void **state) {
    (void)state;
    for (int i = 0; i < 96; i++) {
        const mpno_format format = (mpno_format)(i / 4 % 4);
        columns_case c = random_case(1 + i % 4, MPNO_FFT_REAL, MPNO_F64);
        const int64_t channels = c.call.channels;
        const size_t n_sums = (size_t)(2 * c.call.batch * channels);
        void *columns = numbers(c.n_columns, format, true);
        double *field = numbers(c.n_field, MPNO_F64, false);
        double *sums = numbers(n_sums, MPNO_F64, false), *again = numbers(n_sums, MPNO_F64, false);
        assert_int_equal(run_lines(&c, columns, format, field, 1.0, true), 0);
        mpno_fft_column_sums(c.fft, c.call.batch, channels, format, columns, 1, sums);
        mpno_fft_column_sums(c.fft, c.call.batch, channels, format, columns, 3, again);
        assert_memory_equal(sums, again, n_sums * sizeof *sums);
        const int64_t points = mpno_fft_points(c.fft);
        for (int64_t j = 0; j < c.call.batch * channels; j++) {
            const double *x = field + j / channels * points * channels + j % channels;
            double sum = 0, squares = 0;
            for (int64_t p = 0; p < points; p++) {
                sum += x[p * channels];
                squares += x[p * channels] * x[p * channels];
            }
            const double size = sqrt((double)points * squares);
            assert_true(fabs(sums[2 * j] - sum) <= 1e-12 * (size + fabs(sums[2 * j])));
            assert_true(fabs(sums[2 * j + 1] - squares) <= 1e-12 * squares);
        }
        mpno_free(ctx, columns);
        mpno_free(ctx, field);
        mpno_free(ctx, sums);
        mpno_free(ctx, again);
        end(&c);
    }
}

static void threads_do_not_change_columns(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        columns_case c = random_case(2 + i % 3, MPNO_FFT_REAL, MPNO_F32);
        float *spectrum = numbers(c.n_spectrum, MPNO_F32, true);
        float *first = numbers(c.n_columns, MPNO_F32, false);
        float *second = numbers(c.n_columns, MPNO_F32, false);
        mpno_fft_call call = c.call;
        call.n_threads = 1; /* needs no more scratch than the case has */
        assert_int_equal(mpno_fft_inverse_columns(c.fft, &call, spectrum, first), 0);
        assert_int_equal(mpno_fft_inverse_columns(c.fft, &c.call, spectrum, second), 0);
        assert_memory_equal(first, second, c.n_columns * sizeof *first);
        mpno_free(ctx, spectrum);
        mpno_free(ctx, first);
        mpno_free(ctx, second);
        end(&c);
    }
}

/* A value that is not finite is reported and stays in its line and channel. */
static void a_sick_column_stays_alone(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        columns_case c = random_case(2, MPNO_FFT_REAL, MPNO_F32);
        const int64_t channels = c.call.channels, sick = at_most(channels) - 1;
        const int64_t lines = c.call.batch * mpno_fft_lines(c.fft), line = at_most(lines) - 1;
        const int64_t kept = c.problem.keep[1], n = c.problem.size[1];
        float *columns = numbers(c.n_columns, MPNO_F32, true);
        float *field = numbers(c.n_field, MPNO_F32, false);
        columns[line * kept * 2 * channels + sick] = INFINITY;
        assert_int_equal(run_lines(&c, columns, MPNO_F32, field, 1.0, true), 1);
        for (int64_t j = 0; j < (int64_t)c.n_field; j++) {
            const bool in_line = j / (n * channels) == line;
            assert_true(isfinite(field[j]) || (in_line && j % channels == sick));
        }
        field[line * n * channels + sick] = NAN;
        assert_int_equal(run_lines(&c, columns, MPNO_F32, field, 1.0, false), 1);
        for (int64_t j = 0; j < (int64_t)c.n_columns; j++) {
            const bool in_line = j / (kept * 2 * channels) == line;
            assert_true(isfinite(columns[j]) || (in_line && j % channels == sick));
        }
        mpno_free(ctx, columns);
        mpno_free(ctx, field);
        end(&c);
    }
}

/* Rows of `channels` floats: part `group` of `groups` side by side in each row (field) or, with
 * `block` rows together, one after the other (spectrum). out: from the groups, else to them. */
static void move_group(float *one, float *all, int64_t rows, int64_t block, int64_t channels,
                       int64_t group, int64_t groups, bool out) {
    for (int64_t r = 0; r < rows; r++) {
        const int64_t row = (r / block * groups + group) * block + r % block;
        float *a = one + r * channels, *b = all + row * channels;
        memcpy(out ? a : b, out ? b : a, (size_t)channels * sizeof *a);
    }
}

/* Of group 0 the mean is added where all frequencies are 0. */
static void add_mean(const columns_case *c, float *spectrum, const float *mean) {
    const int64_t row = c->call.batch * 2 * c->call.channels;
    int64_t mode = 0;
    for (int d = 0; d < c->problem.ndim; d++)
        mode = mode * c->problem.keep[d] + c->problem.keep[d] / 2;
    for (int64_t b = 0; b < c->call.batch; b++)
        for (int64_t i = 0; i < c->call.channels; i++)
            spectrum[mode * row + b * 2 * c->call.channels + i] += mean[i];
}

/* The bits of each group are those of a transform of its own, whatever the strips are. */
static void groups_are_spectra_side_by_side(void **state) {
    (void)state;
    for (int i = 0; i < 60; i++) {
        columns_case c = random_case(1 + i % 3, MPNO_FFT_COMPLEX, MPNO_F32);
        c.call.scale = 1; /* the mean is added to what was scaled */
        const int64_t groups = at_most(5), channels = c.call.channels, b = 2 * c.call.batch;
        const int64_t points = mpno_fft_points(c.fft), modes = mpno_fft_modes(c.fft);
        const size_t all = (size_t)groups;
        float *field = numbers(all * c.n_field, MPNO_F32, true);
        float *spectrum = numbers(all * c.n_spectrum, MPNO_F32, false);
        float *one = numbers(c.n_field, MPNO_F32, false),
              *mean = numbers((size_t)channels, MPNO_F32, true);
        float *want = numbers(c.n_spectrum, MPNO_F32, false),
              *got = numbers(c.n_spectrum, MPNO_F32, false);
        float *back = numbers(c.n_field, MPNO_F32, false);
        mpno_fft_call call = c.call;
        call.channels *= groups, call.groups = groups, call.mean = mean;
        const size_t bytes = mpno_fft_groups_scratch_bytes(c.fft, channels, groups, call.n_threads);
        assert_int_equal(mpno_alloc_raw(ctx, bytes, &call.scratch), MPNO_OK);
        memset(call.scratch, 0xff, bytes);
        assert_int_equal(mpno_fft_forward(c.fft, &call, field, spectrum), 0);
        for (int64_t g = 0; g < groups; g++) {
            move_group(one, field, points * b, 1, channels, g, groups, true);
            assert_int_equal(mpno_fft_forward(c.fft, &c.call, one, want), 0);
            move_group(got, spectrum, modes * b, b, channels, g, groups, true);
            assert_memory_equal(got, want, c.n_spectrum * sizeof *got);
        }
        assert_int_equal(mpno_fft_inverse(c.fft, &call, spectrum, field), 0);
        for (int64_t g = 0; g < groups; g++) {
            move_group(got, spectrum, modes * b, b, channels, g, groups, true);
            if (g == 0) add_mean(&c, got, mean);
            assert_int_equal(mpno_fft_inverse(c.fft, &c.call, got, back), 0);
            move_group(one, field, points * b, 1, channels, g, groups, true);
            assert_memory_equal(one, back, c.n_field * sizeof *one);
        }
        void *owned[] = {field, spectrum, one, mean, want, got, back, call.scratch};
        for (size_t k = 0; k < sizeof owned / sizeof *owned; k++) mpno_free(ctx, owned[k]);
        end(&c);
    }
}

static void every_instruction_set(void **state) {
    mpno_isa best = ctx->isa;
    for (int isa = 0; isa < (int)best; isa++) {
        ctx->isa = (mpno_isa)isa;
        both_parts_give_the_bits_of_the_whole(state);
        columns_of_every_format(state);
        sums_follow_from_columns(state);
        groups_are_spectra_side_by_side(state);
    }
    ctx->isa = best;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_parts_give_the_bits_of_the_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_size_of_a_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(columns_of_every_format, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_part_has_its_adjoint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sums_follow_from_columns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_do_not_change_columns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sick_column_stays_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(groups_are_spectra_side_by_side, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_instruction_set, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
