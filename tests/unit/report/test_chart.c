/* SPDX-License-Identifier: MIT
 * Charts as pixels: lines pass where their values are, what a logarithmic axis cannot show is left
 * out, dashes have gaps, nothing is cut off at the edges, memory may fail anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "report/chart.h"

enum { N = 50 };
static mpno_ctx *ctx;
static double x[N], flat[N], falling[N], broken[N];

static int set_up(void **state) {
    (void)state;
    for (int i = 0; i < N; i++) {
        x[i] = i + 1;
        flat[i] = 1;
        falling[i] = pow(10, -i / 10.0);
        broken[i] = i % 10 ? 0.03 : i % 20 ? 0 : NAN;
    }
    return mpno_ctx_create(NULL, &ctx) == MPNO_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
    return 0;
}

static int count_row(const mpno_canvas *canvas, int y, const unsigned char rgb[3]) {
    int n = 0;
    for (int i = 0; i < canvas->width; i++)
        n += memcmp(canvas->rgb + ((size_t)y * (size_t)canvas->width + (size_t)i) * 3, rgb, 3) == 0;
    return n;
}

static int most_in_a_row(const mpno_canvas *canvas, const unsigned char rgb[3], int *where) {
    int most = 0;
    for (int y = 0; y < canvas->height; y++) {
        const int n = count_row(canvas, y, rgb);
        if (n > most) most = n, *where = y;
    }
    return most;
}

static const unsigned char blue[3] = {31, 104, 168}, orange[3] = {196, 84, 20};

static void lines_lie_where_their_values_are(void **state) {
    (void)state;
    for (int dashed = 0; dashed < 2; dashed++) {
        const mpno_chart_series series[] = {{"flat", x, flat, N, 0, false},
                                            {"broken", x, broken, N, 1, dashed},
                                            {"falling", x, falling, N, 2, false}};
        const mpno_chart chart = {.title = "Title",
                                  .x_label = "x",
                                  .y_label = "unit",
                                  .log_y = true,
                                  .series = series,
                                  .n_series = 3};
        const mpno_axis up = mpno_chart_axis(&chart, false);
        mpno_canvas canvas;
        int top = 0, low = 0;
        assert_int_equal(mpno_chart_draw(ctx, &chart, &canvas), MPNO_OK);
        assert_true(up.logarithmic && up.low < 1.3e-5 && up.high > 1);
        assert_in_range(most_in_a_row(&canvas, blue, &top), 600, 640);
        const int n = most_in_a_row(&canvas, orange, &low);
        if (dashed)
            assert_in_range(n, 250, 450);
        else
            assert_in_range(n, 550, 640);
        const double between = (log(1) - log(0.03)) / log(up.high / up.low) * 379;
        assert_true(fabs(low - top - between) <= 1.5);
        for (int y = 0; y < canvas.height; y++)
            for (int i = 0; i < canvas.width; i++) {
                const bool margin =
                    i < 22 || y < 22 || i >= canvas.width - 22 || y >= canvas.height - 16;
                const unsigned char *p =
                    canvas.rgb + ((size_t)y * (size_t)canvas.width + (size_t)i) * 3;
                assert_true(!margin || (p[0] == 255 && p[1] == 255 && p[2] == 255));
            }
        mpno_canvas_destroy(ctx, &canvas);
    }
}

static void memory_may_fail(void **state) {
    (void)state;
    const mpno_chart_series series[] = {{"flat", x, flat, N, 0, false}};
    const mpno_chart chart = {
        .title = "Title", .x_label = "x", .y_label = "", .series = series, .n_series = 1};
    mpno_status status;
    int64_t n = 0;
    do {
        mpno_canvas canvas;
        mpno_alloc_fail_after(ctx, n++);
        status = mpno_chart_draw(ctx, &chart, &canvas);
        mpno_alloc_fail_after(ctx, -1);
        if (status == MPNO_OK)
            mpno_canvas_destroy(ctx, &canvas);
        else
            assert_int_equal(status, MPNO_E_MEMORY);
        assert_int_equal(mpno_ctx_bytes(ctx), 0);
    } while (status != MPNO_OK);
    assert_int_equal(n, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_lie_where_their_values_are),
                                       cmocka_unit_test(memory_may_fail)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
