/* SPDX-License-Identifier: MIT
 * Slopes of fields by modes: waves of known numbers, on unequal and odd grids, of several samples
 * and channels, real and complex; constants and fields minus themselves have none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "train/slopes.h"

#define PI 3.14159265358979323846

enum { SAMPLES = 2, CHANNELS = 3, K0 = 2, K1 = 5 };
static const double constant = 7;
static const int64_t grid[] = {9, 14};

static mpno_ctx *ctx;

static int set_up(void **state) {
    (void)state;
    return mpno_ctx_create(NULL, &ctx) == MPNO_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
    return 0;
}

/* 7 + A cos(2 pi k.x), A = 1 + sample + channel; the other plane, if any, is 0. */
static float *make_waves(int planes) {
    float *field = calloc((size_t)(SAMPLES * grid[0] * grid[1] * planes * CHANNELS), sizeof *field);
    assert_non_null(field);
    float *at = field;
    for (int s = 0; s < SAMPLES; s++)
        for (int64_t i = 0; i < grid[0]; i++)
            for (int64_t j = 0; j < grid[1]; j++, at += planes * CHANNELS)
                for (int c = 0; c < CHANNELS; c++)
                    at[c] =
                        (float)(constant + (1 + s + c) * cos(2 * PI *
                                                             ((double)(K0 * i) / (double)grid[0] +
                                                              (double)(K1 * j) / (double)grid[1])));
    return field;
}

static void a_wave_has_its_slopes_in_its_modes(void **state) {
    (void)state;
    double square = 0; /* mean of A^2 */
    for (int s = 0; s < SAMPLES; s++)
        for (int c = 0; c < CHANNELS; c++)
            square += (double)((1 + s + c) * (1 + s + c)) / (SAMPLES * CHANNELS);
    const double one = (K0 * K0 + K1 * K1) * square / 4; /* of k, and of -k */
    for (int planes = 1; planes <= 2; planes++) {
        float *field = make_waves(planes);
        const mpno_slope_fields fields = {field, MPNO_F32, SAMPLES, CHANNELS, 2, planes, grid};
        mpno_slopes slopes;
        assert_int_equal(mpno_slopes_measure(ctx, &fields, NULL, &slopes), MPNO_OK);
        assert_int_equal(slopes.points, grid[0] * grid[1]);
        assert_true(fabs(slopes.sum - 2 * one) < 1e-6 * one);
        for (int64_t i = 0; i < mpno_spectrum_modes(&slopes.spectrum); i++) {
            const mpno_wave wave = mpno_spectrum_wave(&slopes.spectrum, i);
            const bool holds =
                (wave.k[0] == K0 && wave.k[1] == K1) || (wave.k[0] == -K0 && wave.k[1] == -K1);
            assert_true(fabs(slopes.power[i] - (holds ? one : 0)) < 1e-6 * one);
        }
        mpno_slopes_clear(&slopes);
        assert_int_equal(mpno_slopes_measure(ctx, &fields, field, &slopes), MPNO_OK);
        assert_true(slopes.sum == 0);
        mpno_slopes_clear(&slopes);
        mpno_slopes_clear(&slopes); /* of one that is all 0 */
        free(field);
    }
}

static void constants_have_none(void **state) {
    (void)state;
    float field[8];
    static const int64_t points = 8;
    for (int i = 0; i < 8; i++) field[i] = 3;
    const mpno_slope_fields fields = {field, MPNO_F32, 1, 1, 1, 1, &points};
    mpno_slopes slopes;
    assert_int_equal(mpno_slopes_measure(ctx, &fields, NULL, &slopes), MPNO_OK);
    assert_true(slopes.sum < 1e-28);
    mpno_slopes_clear(&slopes);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_wave_has_its_slopes_in_its_modes),
                                       cmocka_unit_test(constants_have_none)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
