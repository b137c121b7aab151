/* SPDX-License-Identifier: MIT
 * Pictures: glyphs are whole and distinct, axes have round numbers, panels show each grid point as
 * one square of the colour its value asks for, nothing is cut off at the edges, wrong shapes are
 * refused, memory may fail anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/files.h"
#include "core/memory.h"
#include "report/axis.h"
#include "report/canvas.h"
#include "report/font.h"
#include "report/picture.h"

enum { N = 50 };
static mpno_ctx *ctx;
static float input[N * N], truth[N * N], prediction[N * N];

static int set_up(void **state) {
    (void)state;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            input[i * N + j] = i < j ? 12 : 3;
            truth[i * N + j] = (float)(sin(0.13 * i) * cos(0.07 * j));
            prediction[i * N + j] = truth[i * N + j] + (float)(0.01 * sin(0.5 * j));
        }
    return mpno_ctx_create(NULL, &ctx) == MPNO_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
    return 0;
}

static mpno_panel_row example_row(int64_t n1, int64_t n2) {
    return (mpno_panel_row){
        "sample 7", {input, n1, n2}, {truth, n1, n2}, {prediction, n1, n2}, NULL};
}

static mpno_rgb at(const mpno_canvas *canvas, int x, int y) {
    mpno_rgb colour;
    memcpy(&colour, canvas->rgb + ((size_t)y * (size_t)canvas->width + (size_t)x) * 3, 3);
    return colour;
}

static bool same(mpno_rgb a, mpno_rgb b) {
    return a.r == b.r && a.g == b.g && a.b == b.b;
}

static bool white(const mpno_canvas *canvas, int x, int y) {
    return same(at(canvas, x, y), (mpno_rgb){255, 255, 255});
}

static void glyphs_are_whole_and_distinct(void **state) {
    (void)state;
    for (int scale = 1; scale <= 4; scale++)
        for (int a = ' '; a <= '~'; a++)
            for (int b = a + 1; b <= '~'; b++) {
                bool equal = true;
                int ink = 0;
                for (int y = 0; y < MPNO_FONT_ROWS * scale; y++)
                    for (int x = 0; x < MPNO_FONT_COLUMNS * scale; x++) {
                        equal = equal && mpno_font_ink((char)a, x, y, scale) ==
                                             mpno_font_ink((char)b, x, y, scale);
                        ink += mpno_font_ink((char)b, x, y, scale);
                    }
                assert_false(equal);
                assert_true(ink >= 3 * scale * scale);
            }
    assert_int_equal(mpno_font_width("", 2), 0);
    assert_int_equal(mpno_font_width("abc", 2), 34);
    for (int y = 0; y < 9; y++) /* outside ASCII */
        for (int x = 0; x < 5; x++)
            assert_true(mpno_font_ink((char)0xc3, x, y, 1) == mpno_font_ink('?', x, y, 1));
}

static int ink_of(char c, int scale) {
    int ink = 0;
    for (int y = 0; y < MPNO_FONT_ROWS * scale; y++)
        for (int x = 0; x < MPNO_FONT_COLUMNS * scale; x++) ink += mpno_font_ink(c, x, y, scale);
    return ink;
}

static void even_scales_smooth_diagonals_only(void **state) {
    (void)state;
    assert_int_equal(ink_of('L', 2), 4 * ink_of('L', 1)); /* right angles stay */
    assert_int_equal(ink_of('/', 3), 9 * ink_of('/', 1));
    /* Four diagonal contacts, two quarters at each. */
    assert_int_equal(ink_of('/', 2), 4 * ink_of('/', 1) + 8);
    assert_int_equal(ink_of('/', 4), 4 * ink_of('/', 2));
}

static void drawing_is_clipped(void **state) {
    (void)state;
    mpno_canvas canvas;
    assert_int_equal(mpno_canvas_create(ctx, 20, 10, &canvas), MPNO_OK);
    const mpno_rgb red = {255, 0, 0};
    mpno_canvas_text(&canvas, -7, -3, 3, red, "Wide text");
    mpno_canvas_fill(&canvas, 18, 8, 100, 100, red);
    mpno_canvas_frame(&canvas, 0, 0, 20, 10, red);
    const double far[] = {-1e300, 5, 1e300, 5, NAN, 0, 3, INFINITY, 0, 0, 1e9, -1e9};
    const int clip[4] = {-5, -5, 100, 100};
    mpno_canvas_polyline(&canvas, far, 6, 2, red, clip);
    assert_true(same(at(&canvas, 19, 9), red));
    mpno_canvas_destroy(ctx, &canvas);
    assert_int_equal(mpno_canvas_create(ctx, 0, 10, &canvas), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_canvas_create(ctx, 10, 70000, &canvas), MPNO_E_ARGUMENT);
    assert_null(canvas.rgb);
}

static void lines_cover_what_they_cross(void **state) {
    (void)state;
    mpno_canvas canvas;
    assert_int_equal(mpno_canvas_create(ctx, 20, 20, &canvas), MPNO_OK);
    const double points[] = {2, 10, 18, 10};
    const int clip[4] = {0, 0, 20, 20};
    mpno_canvas_polyline(&canvas, points, 2, 4, (mpno_rgb){0, 0, 0}, clip);
    double ink = 0;
    for (int y = 0; y < 20; y++) ink += 1 - at(&canvas, 10, y).r / 255.0;
    assert_true(fabs(ink - 4) < 0.02);
    assert_true(white(&canvas, 10, 13) && same(at(&canvas, 10, 9), (mpno_rgb){0, 0, 0}));
    mpno_canvas_destroy(ctx, &canvas);
}

static void axes_have_round_numbers(void **state) {
    (void)state;
    static const struct {
        double low, high;
        int n_wanted;
        const char *labels;
    } cases[] = {{0, 1, 4, "0 0.5 1.0 "},
                 {3, 12, 6, "4 6 8 10 12 "},
                 {-0.0002, 0.0002, 5, "-2e-4 -1e-4 0 1e-4 2e-4 "},
                 {0, 1.2e7, 4, "0 0.5e7 1.0e7 "},
                 {5, 5, 3, "4 6 "},
                 {0, 0, 3, "-1 0 1 "},
                 {1, -1, 3, "-1 0 1 "},
                 {NAN, 1, 3, "-1 0 1 "},
                 {-1e38, 3e38, 3, "0 2e38 "},
                 {99.7, 100.3, 4, "99.8 100.0 100.2 "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mpno_axis axis;
        mpno_axis_make(cases[i].low, cases[i].high, cases[i].n_wanted, &axis);
        char labels[400] = "";
        for (int k = 0; k < axis.n; k++) {
            snprintf(labels + strlen(labels), sizeof labels - strlen(labels), "%s ", axis.label[k]);
            assert_true(axis.at[k] >= axis.low - 1e-6 * (axis.high - axis.low));
            assert_true(axis.at[k] <= axis.high + 1e-6 * (axis.high - axis.low));
        }
        assert_string_equal(labels, cases[i].labels);
    }
}

static void logarithmic_axes(void **state) {
    (void)state;
    static const struct {
        double low, high;
        const char *labels;
    } cases[] = {{0.18, 0.8, "0.2 0.3 0.4 0.5 0.7 "},
                 {1e-6, 0.2, "1e-6 1e-4 0.01 "},
                 {0.95, 1100, "1 10 100 1000 "},
                 {3, 30, "3 5 10 20 30 "},
                 {0.0101, 0.0109, "0.0102 0.0104 0.0106 0.0108 "},
                 {7, 7, "6 7 8 "},
                 {-1, 5, "1 2 3 5 10 "},
                 {NAN, 5, "1 2 3 5 10 "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mpno_axis axis;
        char labels[400] = "";
        mpno_axis_make_log(cases[i].low, cases[i].high, 5, &axis);
        for (int k = 0; k < axis.n; k++) {
            snprintf(labels + strlen(labels), sizeof labels - strlen(labels), "%s ", axis.label[k]);
            const double place = mpno_axis_place(&axis, axis.at[k]);
            assert_true(place > -1e-6 && place < 1 + 1e-6);
        }
        assert_string_equal(labels, cases[i].labels);
        const double middle = mpno_axis_place(&axis, sqrt(axis.low * axis.high));
        assert_true(fabs(middle - 0.5) < 1e-12);
        assert_true(isnan(mpno_axis_place(&axis, 0)));
    }
}

static void every_range_has_ticks(void **state) {
    (void)state;
    for (int exponent = -44; exponent <= 38; exponent++)
        for (int i = 1; i < 200; i++)
            for (int n = 2; n <= MPNO_AXIS_MAX_TICKS; n += 5) {
                double low = (i % 7 - 3) * 0.31 * pow(10, exponent),
                       high = low + i * 0.013 * pow(10, exponent);
                mpno_axis axis;
                mpno_axis_make(low, high, n, &axis);
                assert_in_range(axis.n, 1, n);
                for (int k = 1; k < axis.n; k++)
                    assert_string_not_equal(axis.label[k], axis.label[k - 1]);
            }
}

/* The margin of 24 pixels around everything is white: no text and no panel is cut off. */
static void assert_margins(const mpno_canvas *canvas) {
    for (int y = 0; y < canvas->height; y++)
        for (int x = 0; x < canvas->width; x++) {
            bool margin = x < 22 || y < 22 || x >= canvas->width - 22 || y >= canvas->height - 16;
            assert_true(!margin || white(canvas, x, y));
        }
}

static void heat_maps_show_every_grid_point(void **state) {
    (void)state;
    mpno_panel_row row = example_row(N, N);
    row.input.data = NULL;
    prediction[3 * N + 5] = NAN;
    mpno_canvas canvas;
    assert_int_equal(mpno_picture_panels_draw(ctx, NULL, &row, 1, &canvas), MPNO_OK);
    assert_margins(&canvas);
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < N * N; i++) {
        low = fmin(low, fmin(truth[i], isnan(prediction[i]) ? truth[i] : prediction[i]));
        high = fmax(high, fmax(truth[i], isnan(prediction[i]) ? truth[i] : prediction[i]));
    }
    /* The truth stands at the left margin, below one line of headings; 200 / 50 = 4 pixels a grid
     * point. */
    int top = 24 + 20 + 6, left = 24, next = left + 4 * N + 14;
    const mpno_colormap map = MPNO_COLORMAP_SEQUENTIAL;
    for (int y = 0; y < 4 * N; y++)
        for (int x = 0; x < 4 * N; x++) {
            int i = y / 4 * N + x / 4;
            assert_true(same(at(&canvas, left + x, top + y),
                             mpno_colormap_colour(map, truth[i], low, high)));
            assert_true(same(at(&canvas, next + x, top + y),
                             mpno_colormap_colour(map, prediction[i], low, high)));
        }
    assert_true(same(at(&canvas, next + 5 * 4, top + 3 * 4), MPNO_RGB_NOT_FINITE));
    mpno_canvas_destroy(ctx, &canvas);
}

static void pictures_of_all_sizes_keep_their_margins(void **state) {
    (void)state;
    static const int shapes[][2] = {{1, 2},   {2, 2},  {7, 50}, {50, 7},
                                    {50, 50}, {50, 1}, {2, 1},  {1, 1}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int scale = 1; scale <= 3; scale++)
            for (int pixels = 16; pixels <= 160; pixels += 48) {
                mpno_panel_row rows[2] = {example_row(shapes[i][0], shapes[i][1]),
                                          example_row(shapes[i][0], shapes[i][1])};
                rows[1].input.data = NULL;
                mpno_panel_opts opts = MPNO_PANEL_OPTS_INIT;
                opts.text_scale = scale;
                opts.panel_pixels = pixels;
                opts.title =
                    scale == 2
                        ? "A title that is a good deal wider than the panels of small pictures are"
                        : NULL;
                for (int axes = 0; axes < 2; axes++) {
                    if (axes) opts.axis_names[0] = "x1", opts.axis_names[1] = "time";
                    opts.axis_high[1] = 1000;
                    mpno_canvas canvas;
                    assert_int_equal(mpno_picture_panels_draw(ctx, &opts, rows, 2, &canvas),
                                     MPNO_OK);
                    assert_margins(&canvas);
                    mpno_canvas_destroy(ctx, &canvas);
                }
            }
}

/* Given scales hold for every frame of an animation; a diverging map has its middle at zero. */
static void scales_may_be_given(void **state) {
    (void)state;
    static const float field[4] = {-1, 0, 1, 0};
    const mpno_panel_scales scales = {{0, 1}, {-1, 4}, 1};
    const mpno_panel_row row = {.prediction = {field, 2, 2}, .scales = &scales};
    for (int diverging = 0; diverging < 2; diverging++) {
        mpno_panel_opts opts = MPNO_PANEL_OPTS_INIT;
        mpno_canvas canvas;
        opts.colormap = diverging ? MPNO_COLORMAP_DIVERGING : MPNO_COLORMAP_SEQUENTIAL;
        assert_int_equal(mpno_picture_panels_draw(ctx, &opts, &row, 1, &canvas), MPNO_OK);
        const double low = diverging ? -4 : -1;
        for (int i = 0; i < 4; i++)
            assert_true(same(at(&canvas, 24 + 50 + 100 * (i % 2), 50 + 50 + 100 * (i / 2)),
                             mpno_colormap_colour(opts.colormap, field[i], low, 4)));
        mpno_canvas_destroy(ctx, &canvas);
    }
}

/* Without a truth anywhere two panels are left, and where only some rows have one, those keep what
 * they have. */
static void a_truth_is_not_needed(void **state) {
    (void)state;
    for (int n2 = 1; n2 <= N; n2 += N - 1) {
        mpno_panel_row rows[2] = {example_row(N, n2), example_row(N, n2)};
        mpno_canvas whole, mixed, bare;
        assert_int_equal(mpno_picture_panels_draw(ctx, NULL, rows, 2, &whole), MPNO_OK);
        rows[1].truth.data = NULL;
        assert_int_equal(mpno_picture_panels_draw(ctx, NULL, rows, 2, &mixed), MPNO_OK);
        rows[0].truth.data = NULL;
        assert_int_equal(mpno_picture_panels_draw(ctx, NULL, rows, 2, &bare), MPNO_OK);
        assert_margins(&mixed);
        assert_margins(&bare);
        assert_int_equal(mixed.width, whole.width);
        assert_int_equal(bare.height, whole.height);
        assert_in_range(bare.width, whole.width / 3, 2 * whole.width / 3 + 100);
        size_t row = (size_t)whole.width * 3, half = (size_t)whole.height / 2 - 20;
        assert_memory_equal(whole.rgb, mixed.rgb, row * half);
        mpno_canvas_destroy(ctx, &whole);
        mpno_canvas_destroy(ctx, &mixed);
        mpno_canvas_destroy(ctx, &bare);
    }
}

static int count_pixels(const mpno_canvas *canvas, mpno_rgb colour) {
    int n = 0;
    for (int y = 0; y < canvas->height; y++)
        for (int x = 0; x < canvas->width; x++) n += same(at(canvas, x, y), colour);
    return n;
}

/* The second row is twice the first: on one scale the first ends in the middle of it. */
static void joined_rows_share_their_scale(void **state) {
    (void)state;
    static const float once[4] = {0, 0, 0, 1}, twice[4] = {0, 0, 0, 2};
    const mpno_panel_row rows[] = {{.prediction = {once, 2, 2}}, {.prediction = {twice, 2, 2}}};
    const mpno_rgb middle = mpno_colormap_colour(MPNO_COLORMAP_SEQUENTIAL, 1, 0, 2);
    for (int joined = 1; joined <= 2; joined++) {
        mpno_panel_opts opts = MPNO_PANEL_OPTS_INIT;
        opts.panel_pixels = 32;
        opts.joined_rows = joined;
        mpno_canvas canvas;
        assert_int_equal(mpno_picture_panels_draw(ctx, &opts, rows, 2, &canvas), MPNO_OK);
        const int grid_point = 16 * 16, bars = 2 * 14 * 2;
        const int n = count_pixels(&canvas, middle);
        assert_in_range(n, joined == 2 ? grid_point : 0, bars + (joined == 2 ? grid_point : 0));
        mpno_canvas_destroy(ctx, &canvas);
    }
}

/* Further inputs need no prediction, in pictures of both kinds, even as the first row. */
static void inputs_may_stand_alone(void **state) {
    (void)state;
    for (int n2 = 1; n2 <= N; n2 += N - 1)
        for (int alone = 0; alone < 2; alone++) {
            mpno_panel_row rows[2] = {example_row(N, n2), example_row(N, n2)};
            rows[alone] = (mpno_panel_row){.label = "channel", .input = {input, N, n2}};
            mpno_canvas canvas;
            assert_int_equal(mpno_picture_panels_draw(ctx, NULL, rows, 2, &canvas), MPNO_OK);
            assert_margins(&canvas);
            mpno_canvas_destroy(ctx, &canvas);
        }
}

static void wrong_requests_are_named(void **state) {
    (void)state;
    mpno_canvas canvas;
    mpno_panel_row rows[2] = {example_row(10, 10), example_row(10, 10)};
    assert_int_equal(mpno_picture_panels_draw(ctx, NULL, rows, 0, &canvas), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_picture_panels_draw(ctx, NULL, NULL, 1, &canvas), MPNO_E_ARGUMENT);
    rows[1].prediction.n2 = 9;
    assert_int_equal(mpno_picture_panels_draw(ctx, NULL, rows, 2, &canvas), MPNO_E_SHAPE);
    assert_non_null(
        strstr(mpno_ctx_error(ctx), "row 1: truth is [10][10] but prediction is [10][9]"));
    rows[1] = example_row(10, 1);
    assert_int_equal(mpno_picture_panels_draw(ctx, NULL, rows, 2, &canvas), MPNO_E_SHAPE);
    rows[1] = example_row(0, 10);
    assert_int_equal(mpno_picture_panels_draw(ctx, NULL, rows, 2, &canvas), MPNO_E_SHAPE);
    rows[1] = example_row(INT64_MAX, INT64_MAX);
    assert_int_equal(mpno_picture_panels_draw(ctx, NULL, rows, 2, &canvas), MPNO_E_SHAPE);
    rows[1] = example_row(10, 10);
    rows[1].prediction.data = NULL;
    assert_int_equal(mpno_picture_panels_draw(ctx, NULL, rows, 2, &canvas), MPNO_E_ARGUMENT);
    mpno_panel_opts opts = MPNO_PANEL_OPTS_INIT;
    opts.text_scale = 9;
    assert_int_equal(mpno_picture_panels_draw(ctx, &opts, rows, 1, &canvas), MPNO_E_ARGUMENT);
    opts = (mpno_panel_opts)MPNO_PANEL_OPTS_INIT;
    opts.x_low = opts.x_high;
    assert_int_equal(mpno_picture_panels_draw(ctx, &opts, rows, 1, &canvas), MPNO_E_ARGUMENT);
    opts = (mpno_panel_opts)MPNO_PANEL_OPTS_INIT;
    opts.joined_rows = 0;
    assert_int_equal(mpno_picture_panels_draw(ctx, &opts, rows, 1, &canvas), MPNO_E_ARGUMENT);
    opts = (mpno_panel_opts)MPNO_PANEL_OPTS_INIT;
    opts.error_heading = NULL;
    assert_int_equal(mpno_picture_panels_draw(ctx, &opts, rows, 1, &canvas), MPNO_E_ARGUMENT);
    static mpno_panel_row many[400];
    for (int i = 0; i < 400; i++) many[i] = example_row(10, 10);
    assert_int_equal(mpno_picture_panels_draw(ctx, NULL, many, 400, &canvas), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(ctx), "fewer or smaller panels"));
    assert_null(canvas.rgb);
}

static void hopeless_fields_still_draw(void **state) {
    (void)state;
    static float bad[4] = {NAN, INFINITY, -INFINITY, NAN}, huge[4] = {3e38f, -3e38f, 3e38f, -3e38f},
                 zero[4];
    static float other[4] = {-3e38f, 3e38f, -3e38f, 3e38f};
    for (int64_t n2 = 1; n2 <= 2; n2++) {
        int64_t n1 = 4 / n2;
        mpno_panel_row rows[] = {{NULL, {bad, n1, n2}, {bad, n1, n2}, {bad, n1, n2}, NULL},
                                 {"huge", {huge, n1, n2}, {huge, n1, n2}, {other, n1, n2}, NULL},
                                 {"zero", {zero, n1, n2}, {zero, n1, n2}, {zero, n1, n2}, NULL}};
        mpno_canvas canvas;
        assert_int_equal(mpno_picture_panels_draw(ctx, NULL, rows, 3, &canvas), MPNO_OK);
        assert_margins(&canvas);
        mpno_canvas_destroy(ctx, &canvas);
    }
}

static void failing_memory_and_folders(void **state) {
    (void)state;
    char path[] = "/tmp/mpno-test-picture-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    unlink(path);
    for (int lines = 0; lines < 2; lines++) {
        mpno_panel_row row = example_row(8, lines ? 1 : 8);
        mpno_panel_opts opts = MPNO_PANEL_OPTS_INIT;
        opts.panel_pixels = 32;
        int64_t n = 0;
        for (;; n++) {
            mpno_alloc_fail_after(ctx, n);
            mpno_status status = mpno_picture_panels(ctx, &opts, &row, 1, path);
            mpno_alloc_fail_after(ctx, -1);
            assert_int_equal(mpno_ctx_bytes(ctx), 0);
            if (status == MPNO_OK) break;
            assert_int_equal(status, MPNO_E_MEMORY);
            assert_false(mpno_path_exists(path));
            assert_true(n < 100);
        }
        assert_true(n > 5 && mpno_path_exists(path));
        unlink(path);
        assert_int_equal(mpno_picture_panels(ctx, &opts, &row, 1, "/dev/null/a.png"), MPNO_E_IO);
        assert_int_equal(mpno_ctx_bytes(ctx), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(glyphs_are_whole_and_distinct),
        cmocka_unit_test(even_scales_smooth_diagonals_only),
        cmocka_unit_test_setup_teardown(drawing_is_clipped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lines_cover_what_they_cross, set_up, tear_down),
        cmocka_unit_test(axes_have_round_numbers),
        cmocka_unit_test(logarithmic_axes),
        cmocka_unit_test(every_range_has_ticks),
        cmocka_unit_test_setup_teardown(heat_maps_show_every_grid_point, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pictures_of_all_sizes_keep_their_margins, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_truth_is_not_needed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scales_may_be_given, set_up, tear_down),
        cmocka_unit_test_setup_teardown(joined_rows_share_their_scale, set_up, tear_down),
        cmocka_unit_test_setup_teardown(inputs_may_stand_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_requests_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hopeless_fields_still_draw, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failing_memory_and_folders, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
