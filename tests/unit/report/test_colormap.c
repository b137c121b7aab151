/* SPDX-License-Identifier: MIT
 * What makes the colour maps honest: lightness that only rises (or only falls away from zero), even
 * steps, signs that colour-blind eyes tell apart, zero in the middle. OKLab after B. Ottosson
 * (2020); colour blindness after Machado, Oliveira and Fernandes (2009), severity 1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "report/colormap.h"

typedef struct triple {
    double v[3];
} triple;

static triple linear(mpno_rgb colour) {
    triple t = {{colour.r / 255.0, colour.g / 255.0, colour.b / 255.0}};
    for (int i = 0; i < 3; i++)
        t.v[i] = t.v[i] <= 0.04045 ? t.v[i] / 12.92 : pow((t.v[i] + 0.055) / 1.055, 2.4);
    return t;
}

static triple times(const double m[3][3], triple x) {
    triple y = {{0}};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) y.v[i] += m[i][j] * x.v[j];
    return y;
}

static triple oklab(triple rgb) {
    static const double cones[3][3] = {{0.4122214708, 0.5363325363, 0.0514459929},
                                       {0.2119034982, 0.6806995451, 0.1073969566},
                                       {0.0883024619, 0.2817188376, 0.6299787005}};
    static const double lab[3][3] = {{0.2104542553, 0.7936177850, -0.0040720468},
                                     {1.9779984951, -2.4285922050, 0.4505937099},
                                     {0.0259040371, 0.7827717662, -0.8086757660}};
    triple lms = times(cones, rgb);
    for (int i = 0; i < 3; i++) lms.v[i] = cbrt(lms.v[i]);
    return times(lab, lms);
}

static double distance(triple a, triple b) {
    return sqrt(pow(a.v[0] - b.v[0], 2) + pow(a.v[1] - b.v[1], 2) + pow(a.v[2] - b.v[2], 2));
}

static const double blindness[3][3][3] = {{{0.152286, 1.052583, -0.204868},
                                           {0.114503, 0.786281, 0.099216},
                                           {-0.003882, -0.048116, 1.051998}},
                                          {{0.367322, 0.860646, -0.227968},
                                           {0.280085, 0.672501, 0.047413},
                                           {-0.011820, 0.042940, 0.968881}},
                                          {{1.255528, -0.076749, -0.178779},
                                           {-0.078411, 0.930809, 0.147602},
                                           {0.004733, 0.691367, 0.303900}}};

/* Over 8 entries, so that the rounding to bytes does not drown the step. */
static void assert_even(const mpno_rgb *table, int n, double spread) {
    double least = INFINITY, most = 0;
    for (int i = 0; i + 8 < n; i += 4) {
        double step = distance(oklab(linear(table[i])), oklab(linear(table[i + 8])));
        least = fmin(least, step);
        most = fmax(most, step);
    }
    assert_true(most < spread * least);
}

static void sequential_is_even_and_rises(void **state) {
    (void)state;
    const mpno_rgb *map = mpno_colormap_sequential;
    for (int i = 1; i < MPNO_SEQUENTIAL_COUNT; i++)
        assert_true(oklab(linear(map[i])).v[0] > oklab(linear(map[i - 1])).v[0] - 1e-3);
    for (int i = 4; i < MPNO_SEQUENTIAL_COUNT; i++)
        assert_true(oklab(linear(map[i])).v[0] > oklab(linear(map[i - 4])).v[0]);
    assert_true(oklab(linear(map[255])).v[0] - oklab(linear(map[0])).v[0] > 0.7);
    assert_even(map, MPNO_SEQUENTIAL_COUNT, 1.35);
}

static void sequential_keeps_its_order_for_the_colour_blind(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++)
        for (int i = 16; i < MPNO_SEQUENTIAL_COUNT; i++) {
            triple here = times(blindness[kind], linear(mpno_colormap_sequential[i]));
            triple before = times(blindness[kind], linear(mpno_colormap_sequential[i - 16]));
            assert_true(oklab(here).v[0] > oklab(before).v[0] + 0.01);
        }
}

static void diverging_is_symmetric_about_a_neutral_zero(void **state) {
    (void)state;
    const mpno_rgb *map = mpno_colormap_diverging;
    int middle = MPNO_DIVERGING_COUNT / 2;
    triple zero = oklab(linear(map[middle]));
    assert_true(zero.v[0] > 0.95 && hypot(zero.v[1], zero.v[2]) < 0.005);
    for (int i = 1; i <= middle; i++) {
        triple below = oklab(linear(map[middle - i])), above = oklab(linear(map[middle + i]));
        assert_true(fabs(below.v[0] - above.v[0]) < 0.006);
        assert_true(above.v[0] < oklab(linear(map[middle + i - 1])).v[0] + 2e-3);
        /* Blue is below, orange above. */
        assert_true(i < 12 || (below.v[2] < 0 && above.v[2] > 0));
        for (int kind = 0; kind < 3 && i >= middle / 4; kind++) {
            triple a = oklab(times(blindness[kind], linear(map[middle - i])));
            triple b = oklab(times(blindness[kind], linear(map[middle + i])));
            assert_true(distance(a, b) > 0.06);
        }
    }
}

static void assert_rgb(mpno_rgb a, mpno_rgb b) {
    assert_int_equal(a.r, b.r);
    assert_int_equal(a.g, b.g);
    assert_int_equal(a.b, b.b);
}

static void values_find_their_entries(void **state) {
    (void)state;
    const mpno_colormap seq = MPNO_COLORMAP_SEQUENTIAL, div = MPNO_COLORMAP_DIVERGING;
    for (int i = 0; i < 256; i++)
        assert_rgb(mpno_colormap_colour(seq, 10 + i, 10, 265), mpno_colormap_sequential[i]);
    assert_rgb(mpno_colormap_colour(seq, -1e300, 0, 1), mpno_colormap_sequential[0]);
    assert_rgb(mpno_colormap_colour(seq, 1e300, 0, 1), mpno_colormap_sequential[255]);
    assert_rgb(mpno_colormap_colour(div, 0, -3, 3), mpno_colormap_diverging[127]);
    assert_rgb(mpno_colormap_colour(div, 1e308, -1.7e308, 1.7e308), mpno_colormap_diverging[202]);
    assert_rgb(mpno_colormap_colour(div, 5, 5, 5), mpno_colormap_diverging[127]);
    assert_rgb(mpno_colormap_colour(seq, NAN, 0, 1), MPNO_RGB_NOT_FINITE);
    assert_rgb(mpno_colormap_colour(seq, INFINITY, 0, 1), MPNO_RGB_NOT_FINITE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequential_is_even_and_rises),
        cmocka_unit_test(sequential_keeps_its_order_for_the_colour_blind),
        cmocka_unit_test(diverging_is_symmetric_about_a_neutral_zero),
        cmocka_unit_test(values_find_their_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
