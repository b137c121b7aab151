/* SPDX-License-Identifier: MIT
 * Codecs: roundings against exact arithmetic, stochastic rounding by its mean over 1e7 draws a
 * format, scales of every kind, the same bits whatever the pieces, on every ISA and for both types
 * of arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "core/rng.h"
#include "kernel/codec.h"
#include "number/format.h"

static const mpno_format formats[] = {MPNO_F8E4M3,
                                      MPNO_F8E5M2,
                                      MPNO_F16,
                                      MPNO_BF16,
                                      MPNO_TF32,
                                      MPNO_FORMAT_SIMULATED(6, 9),
                                      MPNO_FORMAT_SIMULATED(2, 1),
                                      MPNO_FORMAT_SIMULATED(8, 5),
                                      MPNO_FORMAT_SIMULATED(5, 22)};
enum { FORMATS = sizeof formats / sizeof *formats };

/* Those of this machine that have a table of their own. */
static int list_isas(mpno_isa *isas) {
    static const mpno_isa tables[] = {MPNO_ISA_AVX512, MPNO_ISA_AVX2, MPNO_ISA_PORTABLE};
    int n = 0;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (tables[i] <= mpno_cpu_best_isa()) isas[n++] = tables[i];
    return n;
}

static double get(mpno_format format, const void *data, int64_t i) {
    double x;
    mpno_cast(&x, MPNO_F64, (const char *)data + (size_t)i * mpno_format_bytes(format), format, 1);
    return x;
}

/* The spacing of the numbers of the format about x. */
static double spacing(mpno_format format, double x) {
    const mpno_format_facts *f = mpno_format_get(format);
    const int exponent = x == 0 || ilogb(x) < f->min_exponent ? f->min_exponent : ilogb(x);
    return ldexp(1, exponent - f->significand + 1);
}

/* x with the rounding, exactly; saturates: see codec.h. */
static double rounded(mpno_format format, mpno_rounding rounding, bool saturates, double x) {
    const double most = mpno_format_max(format), unit = spacing(format, x);
    if (!isfinite(x)) return format == MPNO_F8E4M3 ? (double)NAN : x;
    double y = rounding == MPNO_ROUND_TOWARD_ZERO ? trunc(x / unit) * unit : rint(x / unit) * unit;
    if (fabs(y) > most) {
        y = saturates || rounding == MPNO_ROUND_TOWARD_ZERO ? most : (double)INFINITY;
        if (format == MPNO_F8E4M3 && isinf(y)) return (double)NAN;
    }
    return copysign(y, x);
}

/* Around all that matters: ties, both sides of them, the ends of the range, special values. */
static double interesting(mpno_rng *rng, mpno_format format) {
    const mpno_format_facts *f = mpno_format_get(format);
    const double special[] = {0,
                              (double)INFINITY,
                              (double)NAN,
                              mpno_format_max(format),
                              mpno_format_max(format) * (1 + 0.4 * mpno_format_unit(format)),
                              mpno_format_max(format) * (1 + 3 * mpno_format_unit(format)),
                              ldexp(1, f->min_exponent)};
    const uint64_t kind = mpno_rng_below(rng, 8);
    const int span = f->max_exponent - f->min_exponent + f->significand + 3;
    double x = ldexp(1 + mpno_rng_uniform(rng), f->min_exponent - f->significand - 2 +
                                                    (int)mpno_rng_below(rng, (uint64_t)span));
    if (kind == 0) x = special[mpno_rng_below(rng, 7)];
    if (kind >= 1 && kind < 4) {
        const double unit = spacing(format, x);
        x = (floor(x / unit) + 0.5) * unit;
    }
    if (kind == 1) x = (double)nextafterf((float)x, 0);
    if (kind == 2) x = (double)nextafterf((float)x, INFINITY);
    return mpno_rng_u32(rng) & 1 ? -x : x;
}

enum { MANY = 20011, ROW = 80, ROWS = 40 };

static void check_rounding(mpno_isa isa, mpno_format arithmetic, mpno_format format,
                           mpno_rounding rounding, bool saturates) {
    static double exact[MANY], wide[MANY];
    static float single[MANY];
    static unsigned char stored[4 * MANY];
    unsigned char one = 127;
    mpno_rng rng = mpno_rng_make(5, MPNO_STREAM_TEST, (uint32_t)format);
    const mpno_codec_kernels *kernels = mpno_codec_kernels_get(isa, arithmetic);
    const mpno_codec codec = {.format = format,
                              .rounding = rounding,
                              .scaling = saturates ? MPNO_SCALING_TENSOR : MPNO_SCALING_NONE,
                              .scales = &one};
    bool all_finite = true;
    for (int i = 0; i < MANY; i++) {
        exact[i] = interesting(&rng, format);
        if (arithmetic == MPNO_F32) exact[i] = (double)(float)exact[i];
        single[i] = (float)exact[i];
    }
    const void *source = arithmetic == MPNO_F64 ? (void *)exact : (void *)single;
    const int bad = kernels->store(&codec, stored, source, MANY);
    for (int i = 0; i < MANY; i++) {
        const double got = get(format, stored, i),
                     want = rounded(format, rounding, saturates, exact[i]);
        all_finite = all_finite && isfinite(want);
        if (isnan(want) ? isnan(got) : got == want && !signbit(got) == !signbit(want)) continue;
        fail_msg("%s %s %s rounding %d: %a gives %a, expected %a", mpno_isa_name(isa),
                 mpno_format_get(arithmetic)->name, mpno_format_get(format)->name, (int)rounding,
                 exact[i], got, want);
    }
    assert_int_equal(bad, !all_finite);
    kernels->load(&codec, arithmetic == MPNO_F64 ? (void *)wide : (void *)single, stored, MANY);
    for (int i = 0; i < MANY; i++) {
        const double got = arithmetic == MPNO_F64 ? wide[i] : (double)single[i],
                     want = get(format, stored, i);
        assert_true(isnan(want) ? isnan(got) : got == want);
    }
    assert_int_equal(kernels->store(&codec, stored, (float[2]){0}, 0), 0);
}

static void values_are_rounded_exactly(void **state) {
    mpno_isa isas[MPNO_ISA_COUNT];
    const int n = list_isas(isas);
    (void)state;
    for (int i = 0; i < n * 2 * FORMATS * 4; i++)
        check_rounding(isas[i / (8 * FORMATS)], i / 4 % 2 ? MPNO_F64 : MPNO_F32,
                       formats[i / 8 % FORMATS],
                       i % 2 ? MPNO_ROUND_TOWARD_ZERO : MPNO_ROUND_NEAREST_EVEN, i / 2 % 2);
}

/* ---- stochastic rounding ---- */

enum { DRAWS = 10000000, PART = 100000, VALUES = 4096 };

typedef struct draws {
    mpno_codec codec;
    const float *values;
    unsigned char *stored;
} draws;

static void draw_part(void *argument, int64_t part, int thread) {
    const draws *d = argument;
    const int64_t bytes = (int64_t)mpno_format_bytes(d->codec.format);
    float x[VALUES];
    (void)thread;
    for (int64_t at = part * PART, n; at < (part + 1) * PART; at += n) {
        n = (part + 1) * PART - at < VALUES ? (part + 1) * PART - at : VALUES;
        for (int64_t i = 0; i < n; i++) x[i] = d->values[(at + i) % VALUES];
        (void)mpno_codec_kernels_get(mpno_cpu_best_isa(), MPNO_F32)
            ->store(&d->codec, d->stored + at * bytes, x, n);
    }
}

/* Of 1e7 draws: each one of the two neighbours, and the sum of the errors within 4 standard
 * deviations of zero, whose square is the sum of p (1 - p) for the chance p of the upper one. The
 * same bits for any number of threads. */
static void check_mean(mpno_format format, unsigned char *stored, unsigned char *again) {
    static float values[VALUES], back[VALUES];
    const mpno_format_facts *f = mpno_format_get(format);
    mpno_rng rng = mpno_rng_make(11, MPNO_STREAM_TEST, (uint32_t)format);
    for (int i = 0; i < VALUES; i++) { /* half of them among the subnormals */
        const int exponent = f->min_exponent - (i % 2 ? 1 + (int)mpno_rng_below(&rng, 3) : 0);
        values[i] = (float)ldexp(1 + mpno_rng_uniform(&rng), exponent);
        if (i % 3 == 0) values[i] = -values[i];
    }
    draws d = {.codec = {.format = format,
                         .rounding = MPNO_ROUND_STOCHASTIC,
                         .key = {2024, 7},
                         .base = stored},
               .values = values,
               .stored = stored};
    const size_t bytes = mpno_format_bytes(format) * (size_t)DRAWS;
    mpno_parallel(1, DRAWS / PART, draw_part, &d);
    double sum = 0, variance = 0, chance[VALUES];
    for (int i = 0; i < VALUES; i++) {
        const double y = fabs((double)values[i]) / spacing(format, values[i]), p = y - floor(y);
        chance[i] = p * (1 - p);
    }
    const mpno_codec_kernels *kernels = mpno_codec_kernels_get(mpno_cpu_best_isa(), MPNO_F32);
    for (int64_t at = 0, n; at < DRAWS; at += n) {
        n = PART - at % PART < VALUES ? PART - at % PART : VALUES;
        const int64_t start = at;
        kernels->load(&d.codec, back, stored + (size_t)at * mpno_format_bytes(format), n);
        for (int64_t i = 0; i < n; i++) {
            const int v = (int)((start + i) % VALUES);
            const double error = ((double)back[i] - (double)values[v]) / spacing(format, values[v]);
            assert_true(fabs(error) < 1);
            sum += values[v] < 0 ? -error : error;
            variance += chance[v];
        }
    }
    if (!(fabs(sum) < 4 * sqrt(variance)))
        fail_msg("%s: the errors sum to %.3g standard deviations", f->name, sum / sqrt(variance));
    d.stored = again, d.codec.base = again;
    for (int threads = 2; threads <= 5; threads += 3) {
        memset(again, 0xa5, bytes);
        mpno_parallel(threads, DRAWS / PART, draw_part, &d);
        assert_memory_equal(stored, again, bytes);
    }
    d.codec.key[1]++;
    mpno_parallel(2, 1, draw_part, &d);
    assert_memory_not_equal(stored, again, PART);
}

static void stochastic_rounding_has_no_bias(void **state) {
    unsigned char *stored = malloc(4 * (size_t)DRAWS), *again = malloc(4 * (size_t)DRAWS);
    (void)state;
    for (int i = 0; i < FORMATS; i++) check_mean(formats[i], stored, again);
    free(stored);
    free(again);
}

/* Numbers of the format stay, and no ISA or cut gives other bits; f64 has numbers of its own. */
static void stochastic_rounding_is_the_same_everywhere(void **state) {
    mpno_isa isas[MPNO_ISA_COUNT];
    const int n = list_isas(isas);
    static float x[MANY], back[MANY];
    static unsigned char first[4 * MANY], other[4 * MANY];
    (void)state;
    for (int k = 0; k < FORMATS; k++) {
        const size_t bytes = mpno_format_bytes(formats[k]);
        mpno_rng rng = mpno_rng_make(6, MPNO_STREAM_TEST, 0);
        for (int i = 0; i < MANY; i++) do
                x[i] = (float)interesting(&rng, formats[k]);
            while (isnan(x[i]));
        mpno_codec codec = {
            .format = formats[k], .rounding = MPNO_ROUND_STOCHASTIC, .key = {3, 4}, .base = first};
        (void)mpno_codec_kernels_get(isas[0], MPNO_F32)->store(&codec, first, x, MANY);
        codec.base = other;
        for (int i = 0; i < n; i++) {
            const mpno_codec_kernels *kernels = mpno_codec_kernels_get(isas[i], MPNO_F32);
            memset(other, 0, sizeof other);
            for (int64_t at = 0, count; at < MANY; at += count) {
                count = 1 + (int64_t)mpno_rng_below(&rng, 200);
                if (count > MANY - at) count = MANY - at;
                (void)kernels->store(&codec, other + (size_t)at * bytes, x + at, count);
            }
            assert_memory_equal(first, other, MANY * bytes);
            kernels->load(&codec, back, first, MANY);
            codec.key[0] = 99;
            (void)kernels->store(&codec, other, back, MANY);
            codec.key[0] = 3;
            assert_memory_equal(first, other, MANY * bytes);
        }
    }
}

/* ---- scales ---- */

static float field[ROWS * ROW + 1];

static void fill(int row) {
    mpno_rng rng = mpno_rng_make(8, MPNO_STREAM_TEST, (uint32_t)row);
    for (int i = 0; i < ROWS * row; i++)
        field[i] = (float)ldexp(mpno_rng_normal(&rng), i / row % 60 - 30 + i % row % 7);
    for (int i = 0; i < 32; i++) field[5 * row + i % row] = 0;
}

/* Each block has the smallest scale with which its largest magnitude is a number of the format, and
 * every value is off by at most half a unit of it. */
static void blocks_have_their_own_scales(void **state) {
    static const int rows[] = {ROW, 24, 32, 1};
    mpno_isa isas[MPNO_ISA_COUNT];
    const int n_isas = list_isas(isas);
    static unsigned char stored[4 * ROWS * ROW], scales[ROWS * ROW];
    static float back[ROWS * ROW];
    (void)state;
    for (int c = 0; c < 4 * FORMATS * n_isas; c++) {
        const int row = rows[c % 4], blocks = (row + 31) / 32;
        const mpno_format format = formats[c / 4 % FORMATS];
        const mpno_codec_kernels *kernels = mpno_codec_kernels_get(isas[c / 4 / FORMATS], MPNO_F32);
        const mpno_codec codec = {.format = format,
                                  .scaling = MPNO_SCALING_BLOCK,
                                  .base = stored,
                                  .row = row,
                                  .scales = scales};
        if (mpno_format_get(format)->max_exponent == 127) continue; /* has the range already */
        assert_int_equal(mpno_codec_scales(MPNO_SCALING_BLOCK, row, ROWS, 0), ROWS * blocks);
        fill(row);
        memset(scales, 0, sizeof scales);
        assert_int_equal(kernels->store(&codec, stored, field, ROWS * row), 0);
        kernels->load(&codec, back, stored, ROWS * row);
        for (int b = 0; b < ROWS * blocks; b++) {
            const int first = b / blocks * row + b % blocks * 32,
                      end = b % blocks + 1 < blocks ? first + 32 : (b / blocks + 1) * row;
            double most = 0;
            for (int i = first; i < end; i++) most = fmax(most, fabs((double)field[i]));
            const double scale = ldexp(1, scales[b] - 127), largest = mpno_format_max(format);
            if (most > 0) assert_true(most / scale <= largest && 2 * most / scale > largest);
            for (int i = first; i < end; i++) {
                const double error = fabs((double)back[i] - (double)field[i]);
                assert_true(error <= spacing(format, (double)field[i] / scale) / 2 * scale);
            }
        }
        field[row / 2] = INFINITY;
        assert_int_equal(kernels->store(&codec, stored, field, row), 1);
    }
}

/* Blocks have the bits of the portable table whatever the ISA: values of all magnitudes, ties,
 * zeros, infinities and NaN, rows that fill vectors and that do not, from any block on; and every
 * pattern of 8 bits with every scale. Where a value is NaN any NaN will do. */
enum { BLOCK_ROWS = 37, LONGEST = 100 };

static void check_blocks(mpno_isa isa, mpno_format format, int row, bool finite, mpno_rng *rng) {
    static float x[BLOCK_ROWS * LONGEST], want[BLOCK_ROWS * LONGEST], got[BLOCK_ROWS * LONGEST];
    static unsigned char first[BLOCK_ROWS * LONGEST], other[BLOCK_ROWS * LONGEST + 1],
        first_scales[BLOCK_ROWS * LONGEST], scales[BLOCK_ROWS * LONGEST];
    const int n = BLOCK_ROWS * row, blocks = (row + 31) / 32, n_scales = BLOCK_ROWS * blocks;
    const mpno_codec_kernels *plain = mpno_codec_kernels_get(MPNO_ISA_PORTABLE, MPNO_F32),
                             *kernels = mpno_codec_kernels_get(isa, MPNO_F32);
    mpno_codec codec = {.format = format,
                        .scaling = MPNO_SCALING_BLOCK,
                        .base = first,
                        .row = row,
                        .scales = first_scales};
    for (int i = 0; i < n; i++) {
        const int shift = i / row % 7 == 6 ? 119 : i / row % 7 == 5 ? -140 : i / row % 7 * 9 - 30;
        x[i] = (float)ldexp(interesting(rng, format), shift);
        if (i / row % 7 == 4) x[i] = 0;
        if (finite && !isfinite(x[i])) x[i] = -0.0f;
    }
    memset(scales, 0xa5, sizeof scales), memset(other, 0xa5, sizeof other);
    const int bad = plain->store(&codec, first, x, n);
    codec.base = other, codec.scales = scales;
    assert_int_equal(kernels->store(&codec, other, x, n), bad);
    assert_memory_equal(scales, first_scales, (size_t)n_scales);
    assert_int_equal(scales[n_scales], 0xa5);
    assert_int_equal(other[n], 0xa5);
    assert_memory_equal(other, first, (size_t)n);
    plain->load(&codec, want, other, n);
    for (int at = 0, count; at < n; at += count) { /* pieces may cut blocks */
        count = 1 + (int)mpno_rng_below(rng, (uint64_t)n);
        if (count > n - at) count = n - at;
        if (at + count < n) got[at + count] = 7;
        kernels->load(&codec, got + at, other + at, count);
        if (at + count < n) assert_true(got[at + count] == 7);
    }
    for (int i = 0; i < n; i++)
        if (!isnan(want[i]) || !isnan(got[i]))
            assert_memory_equal(&want[i], &got[i], sizeof want[i]);
}

static void blocks_have_the_same_bits_everywhere(void **state) {
    static const int rows[] = {1, 17, 24, 32, 33, 64, 80, 100};
    static unsigned char codes[256];
    mpno_isa isas[MPNO_ISA_COUNT];
    const int n = list_isas(isas);
    mpno_rng rng = mpno_rng_make(9, MPNO_STREAM_TEST, 0);
    (void)state;
    for (int i = 0; i < 256; i++) codes[i] = (unsigned char)i;
    for (int c = 0; c < n * 2 * 8 * 12; c++)
        check_blocks(isas[c / 192], formats[c / 96 % 2], rows[c / 12 % 8], c % 12 < 8, &rng);
    for (int c = 0; c < n * 2 * 253; c++) {
        unsigned char scales[8];
        float want[256], got[256];
        memset(scales, 1 + c % 253, sizeof scales);
        scales[3] = 127, scales[5] = 1;
        const mpno_codec codec = {.format = formats[c / 253 % 2],
                                  .scaling = MPNO_SCALING_BLOCK,
                                  .base = codes,
                                  .row = 256,
                                  .scales = scales};
        mpno_codec_kernels_get(MPNO_ISA_PORTABLE, MPNO_F32)->load(&codec, want, codes, 256);
        mpno_codec_kernels_get(isas[c / 506], MPNO_F32)->load(&codec, got, codes, 256);
        for (int i = 0; i < 256; i++)
            if (!isnan(want[i]) || !isnan(got[i]))
                assert_memory_equal(&want[i], &got[i], sizeof want[i]);
    }
}

/* Scales of a tensor, its channels and shells are those of the last pass, with room for twice as
 * much; the largest magnitudes are noted. */
static void other_scales_follow_the_last_pass(void **state) {
    static const int32_t shells[5] = {0, 1, 1, 2, 0};
    static unsigned char stored[ROWS * ROW], scales[ROW];
    static _Atomic uint32_t most[ROW];
    static float back[ROWS * ROW];
    mpno_isa isas[MPNO_ISA_COUNT];
    const int n_isas = list_isas(isas);
    (void)state;
    for (int c = 0; c < 4 * n_isas; c++) {
        const mpno_codec_kernels *kernels = mpno_codec_kernels_get(isas[c / 4], MPNO_F32);
        const mpno_scaling scaling =
            c % 4 < 3 ? (mpno_scaling)(MPNO_SCALING_TENSOR + c % 4) : MPNO_SCALING_SHELL;
        mpno_codec codec = {.format = MPNO_F8E4M3,
                            .scaling = scaling,
                            .base = stored,
                            .row = ROW,
                            .inner = 2 * ROW,
                            .count = 5,
                            .shell = c % 4 == 3 ? shells : NULL,
                            .scales = scales,
                            .most = most};
        codec.n_scales = mpno_codec_scales(scaling, ROW, ROWS, c % 4 == 3 ? 3 : 5);
        fill(ROW);
        memset(scales, 127, sizeof scales);
        for (int i = 0; i < ROW; i++) atomic_store(&most[i], 0);
        assert_int_equal(kernels->store(&codec, stored, field, ROWS * ROW), 0); /* saturates */
        double expected[ROW] = {0};
        int group[ROWS * ROW];
        for (int i = 0; i < ROWS * ROW; i++) {
            group[i] = scaling == MPNO_SCALING_TENSOR    ? 0
                       : scaling == MPNO_SCALING_CHANNEL ? i % ROW
                       : c % 4 == 3                      ? shells[i / (2 * ROW) % 5]
                                                         : i / (2 * ROW) % 5;
            expected[group[i]] = fmax(expected[group[i]], fabs((double)field[i]));
        }
        assert_true(mpno_codec_renew(&codec));
        for (int64_t g = 0; g < codec.n_scales; g++) {
            const double stretched = 2 * expected[g] / ldexp(1, scales[g] - 127);
            assert_true(stretched <= 448 && 2 * stretched > 448);
            assert_int_equal(atomic_load(&most[g]), 0);
        }
        assert_int_equal(kernels->store(&codec, stored, field, ROWS * ROW), 0);
        kernels->load(&codec, back, stored, ROWS * ROW);
        for (int i = 0; i < ROWS * ROW; i++) {
            const double scale = ldexp(1, scales[group[i]] - 127);
            assert_true(fabs((double)back[i] - (double)field[i]) <=
                        spacing(MPNO_F8E4M3, (double)field[i] / scale) / 2 * scale);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_rounded_exactly),
        cmocka_unit_test(stochastic_rounding_has_no_bias),
        cmocka_unit_test(stochastic_rounding_is_the_same_everywhere),
        cmocka_unit_test(blocks_have_their_own_scales),
        cmocka_unit_test(blocks_have_the_same_bits_everywhere),
        cmocka_unit_test(other_scales_follow_the_last_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
