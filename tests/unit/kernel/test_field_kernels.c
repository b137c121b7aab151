/* SPDX-License-Identifier: MIT
 * field_kernels.h for f32 and f64 against restatements from the definitions: coordinates by an
 * odometer, group norm from the values themselves rather than from sums, losses by neighbours found
 * point by point, gradients by differences of the restated loss. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "kernel/field_kernels.h"
#include "number/format.h"

static const mpno_format types[] = {MPNO_F32, MPNO_F64};

static mpno_rng rng;

static int set_up(void **state) {
    (void)state;
    rng = mpno_rng_make(3, MPNO_STREAM_TEST, 0);
    return 0;
}

/* n normal numbers that every arithmetic type holds exactly, as doubles. */
static double *normals(int64_t n) {
    double *x = malloc((size_t)n * sizeof *x + 1);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++) x[i] = (float)mpno_rng_normal(&rng);
    return x;
}

static double *zeros(int64_t n) {
    double *x = normals(n);
    for (int64_t i = 0; i < n; i++) x[i] = 0;
    return x;
}

/* Buffers of type T, of exactly their size so that ASan sees every step beyond. */
static void *typed(mpno_format type, const double *x, int64_t n) {
    void *out = malloc((size_t)n * mpno_format_bytes(type) + 1);
    assert_non_null(out);
    if (x != NULL) mpno_cast(out, type, x, MPNO_F64, (size_t)n);
    return out;
}

static double *back(mpno_format type, void *x, int64_t n) {
    double *out = malloc((size_t)n * sizeof *out + 1);
    assert_non_null(out);
    mpno_cast(out, MPNO_F64, x, type, (size_t)n);
    free(x);
    return out;
}

static double rounded(mpno_format type, double x) {
    return type == MPNO_F32 ? (double)(float)x : x;
}

static void assert_near(double x, double expected, double tolerance) {
    if (!(fabs(x - expected) <= tolerance))
        fail_msg("%.17g, expected %.17g within %.3g", x, expected, tolerance);
}

static const mpno_grid grids[] = {
    {1, {1}, 1, 1},        {1, {2}, 2, 1},          {1, {7}, 7, 1},       {1, {64}, 64, 1},
    {2, {5, 4}, 20, 1},    {2, {1, 6}, 6, 1},       {2, {16, 9}, 144, 1}, {3, {3, 4, 5}, 60, 1},
    {3, {6, 1, 2}, 12, 1}, {4, {2, 3, 4, 3}, 72, 1}};
enum { N_GRIDS = sizeof grids / sizeof grids[0] };

static const mpno_box unit_box = {{0}, {1, 1, 1, 1}};

/* A box of its own, on a complex field: imaginary rows have no place. */
static void embedding_of_complex_fields(void **state) {
    (void)state;
    const mpno_grid grid = {2, {2, 4}, 16, 2};
    const mpno_box box = {{-1, 10}, {1, 14}};
    const double x[16] = {0};
    double y[48];
    mpno_field_kernels_get(MPNO_F64)->grid_embed(y, x, 0, 16, 1, &grid, &box);
    for (int row = 0; row < 16; row++) {
        const int point = row / 2;
        assert_true(y[3 * row + 1] == (row % 2 ? 0 : -1.0 + point / 4));
        assert_true(y[3 * row + 2] == (row % 2 ? 0 : 10.0 + point % 4));
    }
}

static void embedding(void **state) {
    (void)state;
    for (int t = 0; t < 2; t++)
        for (int g = 0; g < N_GRIDS; g++) {
            const mpno_grid *grid = &grids[g];
            const int64_t channels = 1 + g % 3, wide = channels + grid->ndim;
            const int64_t first = grid->points / 3, rows = grid->points - first;
            double *x = normals(rows * channels);
            void *tx = typed(types[t], x, rows * channels);
            void *ty = typed(types[t], NULL, rows * wide);
            mpno_field_kernels_get(types[t])->grid_embed(ty, tx, first, rows, channels, grid,
                                                         &unit_box);
            double *y = back(types[t], ty, rows * wide);
            int64_t index[MPNO_GRID_MAX_DIMS] = {0};
            for (int64_t point = 0; point < grid->points; point++) {
                const int64_t r = point - first;
                for (int64_t c = 0; r >= 0 && c < channels; c++)
                    assert_true(y[r * wide + c] == x[r * channels + c]);
                for (int d = 0; r >= 0 && d < grid->ndim; d++)
                    assert_true(y[r * wide + channels + d] ==
                                rounded(types[t], (double)index[d] / (double)grid->size[d]));
                for (int d = grid->ndim - 1; d >= 0 && ++index[d] == grid->size[d]; d--)
                    index[d] = 0;
            }
            free(x), free(tx), free(y);
        }
}

static void moving(void **state) {
    (void)state;
    static const int64_t shapes[][2] = {{1, 1}, {1, 9}, {9, 1}, {16, 16}, {17, 33}, {40, 15}};
    for (int t = 0; t < 2; t++)
        for (int s = 0; s < 6; s++) {
            const mpno_field_kernels *k = mpno_field_kernels_get(types[t]);
            const int64_t rows = shapes[s][0], cols = shapes[s][1], kept = (cols + 1) / 2;
            double *x = normals(rows * cols);
            void *tx = typed(types[t], x, rows * cols);
            void *tz = typed(types[t], NULL, rows * kept), *tn = typed(types[t], NULL, rows * cols);
            k->take_channels(tz, tx, rows, cols, kept);
            for (int64_t i = 0; i < rows * cols; i++) x[i] += 1e-12;
            assert_int_equal(k->narrow(tn, x, rows * cols), 0);
            double *z = back(types[t], tz, rows * kept);
            double *n = back(types[t], tn, rows * cols), *same = back(types[t], tx, rows * cols);
            for (int64_t r = 0; r < rows; r++)
                for (int64_t c = 0; c < cols; c++) {
                    assert_true(n[r * cols + c] == rounded(types[t], x[r * cols + c]));
                    if (c < kept) assert_true(z[r * kept + c] == same[r * cols + c]);
                }
            free(x), free(z), free(n), free(same);
        }
}

static void reductions(void **state) {
    (void)state;
    static const int64_t counts[] = {1, 5, 255, 256, 257, 600};
    for (int t = 0; t < 2; t++)
        for (int i = 0; i < 6; i++) {
            const mpno_field_kernels *k = mpno_field_kernels_get(types[t]);
            const int64_t samples = 3, chunks = 1 + i % 4, count = counts[i], stride = count + 7;
            const int64_t total = ((samples * chunks) - 1) * stride + count;
            double *x = normals(total);
            void *tx = typed(types[t], x, total), *ty = typed(types[t], NULL, count);
            double *sums = malloc((size_t)(samples * count) * sizeof *sums);
            assert_int_equal(k->reduce(ty, tx, samples, chunks, count, stride, NULL), 0);
            assert_int_equal(k->reduce_samples(sums, x, samples, chunks, count, stride), 0);
            double *y = back(types[t], ty, count);
            for (int64_t c = 0; c < count; c++) {
                double all = 0;
                for (int64_t s = 0; s < samples; s++) {
                    double sample = 0;
                    for (int64_t j = 0; j < chunks; j++) sample += x[(s * chunks + j) * stride + c];
                    all += sample;
                    assert_true(sums[s * count + c] == sample);
                }
                assert_true(y[c] == rounded(types[t], all)); /* the order is part of the promise */
            }
            x[total - 1] = INFINITY;
            mpno_cast(tx, types[t], x, MPNO_F64, (size_t)total);
            ty = typed(types[t], NULL, count);
            assert_int_equal(k->reduce(ty, tx, samples, chunks, count, stride, NULL), 1);
            assert_int_equal(k->reduce_samples(sums, x, samples, chunks, count, stride), 1);
            free(x), free(tx), free(ty), free(y), free(sums);
        }
    /* Finite in f64, not in f32. */
    const float large[] = {3e38f, 3e38f};
    float sum;
    assert_int_equal(mpno_field_kernels_get(MPNO_F32)->reduce(&sum, large, 2, 1, 1, 1, NULL), 1);
    const double beyond[] = {1, 1e39};
    float narrowed[2];
    assert_int_equal(mpno_field_kernels_get(MPNO_F32)->narrow(narrowed, beyond, 2), 1);
    assert_int_equal(mpno_field_kernels_get(MPNO_F32)->narrow(narrowed, beyond, 1), 0);
    const mpno_norm_shape shape = {4, 1, 1, 1e-5, false};
    const double sums[] = {0, 4}, huge[] = {1e39, 0}, steep[] = {0, 1e39};
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            mpno_field_kernels_get(MPNO_F32)->norm_weight_grads(
                &narrowed[0], &narrowed[1], sums, i == 0 ? huge : steep, 1, &shape, NULL, NULL),
            1);
}

/* ---- group norm ---- */

typedef struct norm_case {
    mpno_norm_shape shape;
    int64_t batch;
    double *x, *dy, *gamma, *beta, *sums, *grads;
} norm_case;

static norm_case make_norm(int64_t points, int64_t channels, int64_t groups, bool weights) {
    norm_case n = {.shape = {points, channels, groups, 1e-5, 0}, .batch = 3};
    const int64_t values = n.batch * points * channels;
    n.x = normals(values), n.dy = normals(values);
    n.gamma = weights ? normals(channels) : NULL, n.beta = weights ? normals(channels) : NULL;
    n.sums = zeros(n.batch * 2 * channels);
    n.grads = zeros(n.batch * 2 * channels);
    for (int64_t i = 0; i < values; i++) {
        n.x[i] = (float)(2.0 * n.x[i] + 0.5);
        const int64_t c = i % channels, s = i / (points * channels);
        n.sums[s * 2 * channels + 2 * c] += n.x[i];
        n.sums[s * 2 * channels + 2 * c + 1] += n.x[i] * n.x[i];
        n.grads[s * 2 * channels + c] += n.dy[i];
        n.grads[s * 2 * channels + channels + c] += n.dy[i] * n.x[i];
    }
    return n;
}

static void drop_norm(norm_case *n) {
    free(n->x), free(n->dy), free(n->gamma), free(n->beta), free(n->sums), free(n->grads);
}

/* Mean of f over the group of channel c of sample s: f 0: x, 1: (x - mean)^2, 2: gamma dy, 3: gamma
 * dy xhat. */
static double group_mean(const norm_case *n, int64_t s, int64_t c, int f, double mean,
                         double rstd) {
    const int64_t width = n->shape.channels / n->shape.groups, c0 = c / width * width;
    double sum = 0;
    for (int64_t p = 0; p < n->shape.points; p++)
        for (int64_t k = c0; k < c0 + width; k++) {
            const int64_t i = (s * n->shape.points + p) * n->shape.channels + k;
            const double by = (n->gamma != NULL ? n->gamma[k] : 1.0) * n->dy[i];
            const double centred = n->x[i] - mean;
            const double terms[] = {n->x[i], centred * centred, by, by * centred * rstd};
            sum += terms[f];
        }
    return sum / (double)(n->shape.points * width);
}

static void check_norm(mpno_format type, const norm_case *n) {
    const mpno_field_kernels *k = mpno_field_kernels_get(type);
    const int64_t channels = n->shape.channels;
    const double tolerance = 64 * mpno_format_unit(type) + 1e-12;
    void *gamma = n->gamma != NULL ? typed(type, n->gamma, channels) : NULL;
    void *beta = n->beta != NULL ? typed(type, n->beta, channels) : NULL;
    void *tg = typed(type, NULL, channels), *tb = typed(type, NULL, channels);
    double *dgamma = zeros(channels), *dbeta = zeros(channels);
    for (int64_t s = 0; s < n->batch; s++) {
        void *coefficient[5];
        double *v[5];
        for (int i = 0; i < 5; i++) coefficient[i] = typed(type, NULL, channels);
        k->norm_coefficients(coefficient[0], coefficient[1], n->sums + s * 2 * channels, gamma,
                             beta, &n->shape);
        k->norm_grad_coefficients(coefficient[2], coefficient[3], coefficient[4],
                                  n->sums + s * 2 * channels, n->grads + s * 2 * channels, gamma,
                                  &n->shape);
        for (int i = 0; i < 5; i++) v[i] = back(type, coefficient[i], channels);
        for (int64_t i = 0; i < n->shape.points * channels; i++) {
            const int64_t at = s * n->shape.points * channels + i, c = i % channels;
            const double mean = group_mean(n, s, c, 0, 0, 0);
            const double rstd = 1.0 / sqrt(group_mean(n, s, c, 1, mean, 0) + n->shape.eps);
            const double g = n->gamma != NULL ? n->gamma[c] : 1.0;
            const double xhat = (n->x[at] - mean) * rstd;
            assert_near(v[0][c] * n->x[at] + v[1][c],
                        xhat * g + (n->beta != NULL ? n->beta[c] : 0.0), 8 * tolerance);
            assert_near(v[2][c] * n->x[at] + v[3][c] * n->dy[at] + v[4][c],
                        rstd * (g * n->dy[at] - group_mean(n, s, c, 2, 0, 0) -
                                xhat * group_mean(n, s, c, 3, mean, rstd)),
                        8 * tolerance);
            dgamma[c] += xhat * n->dy[at];
            dbeta[c] += n->dy[at];
        }
        for (int i = 0; i < 5; i++) free(v[i]);
    }
    assert_int_equal(
        k->norm_weight_grads(tg, tb, n->sums, n->grads, n->batch, &n->shape, NULL, NULL), 0);
    double *g = back(type, tg, channels), *b = back(type, tb, channels);
    for (int64_t c = 0; c < channels; c++) {
        assert_near(g[c], dgamma[c], 100 * tolerance);
        assert_near(b[c], dbeta[c], 100 * tolerance);
    }
    free(gamma), free(beta), free(g), free(b), free(dgamma), free(dbeta);
}

static void group_norms(void **state) {
    (void)state;
    static const int64_t shapes[][3] = {{13, 4, 1}, {13, 4, 2}, {10, 6, 6}, {2, 6, 3}, {21, 1, 1}};
    for (int t = 0; t < 2; t++)
        for (int i = 0; i < 10; i++) {
            const int64_t *s = shapes[i / 2];
            norm_case n = make_norm(s[0], s[1], s[2], i % 2 == 1);
            check_norm(types[t], &n);
            drop_norm(&n);
        }
    /* A constant field, whose variance from sums may come out negative: eps alone remains. */
    const mpno_norm_shape shape = {3, 1, 1, 1e-5, false};
    const double sums[] = {0.3, 3 * 0.01 - 1e-17};
    double scale, shift;
    mpno_field_kernels_get(MPNO_F64)->norm_coefficients(&scale, &shift, sums, NULL, NULL, &shape);
    assert_near(scale, 1 / sqrt(1e-5), 1e-6);
}

/* ---- losses ---- */

/* e at a point given by its index in each dimension, periodic. */
static double value_at(const double *e, const mpno_grid *grid, const int64_t *index, int axis,
                       int64_t offset, int64_t channels, int64_t c) {
    int64_t point = 0;
    for (int d = 0; d < grid->ndim; d++) {
        int64_t i = index[d] + (d == axis ? offset : 0);
        while (i < 0) i += grid->size[d];
        point = point * grid->size[d] + i % grid->size[d];
    }
    return e[point * channels + c];
}

/* The slope along axis d at a point, from the definition in mpno/loss.h. */
static double slope_at(const mpno_objective *o, const double *e, const mpno_grid *grid,
                       const int64_t *index, int d, int64_t channels, int64_t c) {
    const double h = (o->measure[d] > 0 ? o->measure[d] : 1.0) / (double)grid->size[d];
    const int64_t k = index[d], n = grid->size[d];
    if (!o->one_sided[d] || (k > 0 && k < n - 1))
        return (value_at(e, grid, index, d, 1, channels, c) -
                value_at(e, grid, index, d, -1, channels, c)) /
               (2 * h);
    const int way = k == 0 ? 1 : -1;
    double v[4];
    for (int i = 0; i < 4; i++) v[i] = value_at(e, grid, index, d, way * i, channels, c);
    return way * (-11 * v[0] + 18 * v[1] - 9 * v[2] + 2 * v[3]) / (6 * h);
}

/* The sum of |e| for L1, else of squares. */
static double size_of(const mpno_objective *o, mpno_loss kind, const double *e,
                      const mpno_grid *grid, int64_t channels, int64_t c) {
    const int64_t planes = grid->planes, row = planes * channels;
    double total = 0;
    int64_t index[MPNO_GRID_MAX_DIMS] = {0};
    for (int64_t p = 0; p < grid->points / planes; p++) {
        double square = 0;
        for (int64_t at = c; at < row; at += channels) {
            square += e[p * row + at] * e[p * row + at];
            for (int d = 0; kind == MPNO_LOSS_H1 && d < grid->ndim; d++) {
                const double slope = slope_at(o, e, grid, index, d, row, at);
                total += slope * slope;
            }
        }
        total += kind == MPNO_LOSS_L1 ? sqrt(square) : square;
        for (int d = grid->ndim - 1; d >= 0 && ++index[d] == grid->size[d]; d--) index[d] = 0;
    }
    return total;
}

static double restated_loss(const mpno_objective *o, const double *p, const double *y,
                            const mpno_grid *grid, int64_t channels, int64_t c) {
    double *e = malloc((size_t)(grid->points * channels) * sizeof *e), total = 0, cell = 1;
    for (int64_t i = 0; i < grid->points * channels; i++) e[i] = p[i] - y[i];
    for (int d = 0; d < grid->ndim; d++)
        cell *= (o->measure[d] > 0 ? o->measure[d] : 1.0) / (double)grid->size[d];
    for (int t = 0; t < o->n_terms; t++) {
        const mpno_loss kind = o->term[t].kind;
        const double root = kind == MPNO_LOSS_L1 ? 1.0 : 0.5;
        const double error = size_of(o, kind, e, grid, channels, c);
        const double size = size_of(o, kind, y, grid, channels, c);
        const double weight =
            o->term[t].weight * (o->channel_weights != NULL ? o->channel_weights[c] : 1.0);
        if (kind == MPNO_LOSS_MSE)
            total += weight * error * (double)grid->planes / (double)grid->points;
        else if (o->term[t].absolute)
            total += weight * pow(cell * error, root);
        else
            total += weight * pow(error, root) / (pow(size, root) + 1e-8);
    }
    free(e);
    return total;
}

static void check_loss(mpno_format type, const mpno_objective *o, const mpno_grid *grid,
                       int64_t channels) {
    const mpno_field_kernels *k = mpno_field_kernels_get(type);
    const int64_t values = grid->points * channels, stride = 1 + o->n_terms;
    const double scale = 4.0;
    double *p = normals(values), *y = normals(values);
    void *tp = typed(type, p, values), *ty = typed(type, y, values),
         *tg = typed(type, NULL, values);
    double *out = malloc((size_t)(stride * channels) * sizeof *out);
    k->loss(o, out, tp, ty, grid, channels);
    for (int64_t c = 0; c < channels; c++)
        assert_near(out[stride * c], restated_loss(o, p, y, grid, channels, c),
                    1e-13 * (1 + out[stride * c]));
    assert_int_equal(k->loss_grad(o, tg, tp, ty, out, scale, grid, channels), 0);
    double *g = back(type, tg, values);
    for (int64_t i = 0; i < values; i += 1 + values / 40) {
        /* The loss is smooth here; fourth-order differences leave about 1e-10. Only L1 has a kink,
         * where |e| is 0. */
        const double at = p[i], h = 1e-3;
        const int64_t other = i / channels % 2 == 0 ? i + channels : i - channels;
        double v[4], size = fabs(at - y[i]);
        if (grid->planes == 2) size = hypot(size, p[other] - y[other]);
        if (size < 0.1) continue;
        for (int j = 0; j < 4; j++) {
            p[i] = at + h * (j < 2 ? j - 2 : j - 1);
            v[j] = restated_loss(o, p, y, grid, channels, i % channels);
        }
        p[i] = at;
        const double slope = scale * (v[0] - 8 * v[1] + 8 * v[2] - v[3]) / (12 * h);
        assert_near(g[i], slope, 2 * mpno_format_unit(type) * fabs(slope) + 1e-8 * scale);
    }
    free(p), free(y), free(tp), free(ty), free(out), free(g);
}

static mpno_objective single(mpno_loss kind, bool absolute) {
    return (mpno_objective){.n_terms = 1, .term = {{kind, absolute, 1}}};
}

static void losses(void **state) {
    (void)state;
    /* Sizes about 4 and 8, where rows of the one-sided differences meet; blocks and chunks of
     * channels that are full, left over and more than one; complex fields. */
    static const struct {
        mpno_grid grid;
        int64_t channels;
    } cases[] = {{{1, {3}, 3, 1}, 1},           {{1, {4}, 4, 1}, 2},
                 {{1, {5}, 5, 1}, 1},           {{1, {7}, 7, 1}, 3},
                 {{1, {8}, 8, 1}, 1},           {{1, {9}, 9, 1}, 1},
                 {{1, {300}, 300, 1}, 1},       {{1, {64}, 64, 1}, 5},
                 {{1, {6}, 6, 1}, 130},         {{1, {5}, 10, 2}, 131},
                 {{1, {6}, 12, 2}, 1},          {{2, {5, 4}, 20, 1}, 1},
                 {{2, {1, 6}, 6, 1}, 2},        {{2, {16, 9}, 144, 1}, 1},
                 {{2, {4, 9}, 72, 2}, 3},       {{2, {20, 16}, 640, 2}, 1},
                 {{3, {3, 4, 5}, 60, 1}, 2},    {{3, {6, 1, 2}, 12, 1}, 1},
                 {{3, {4, 8, 11}, 704, 2}, 1},  {{4, {2, 3, 4, 3}, 72, 1}, 2},
                 {{4, {4, 5, 4, 6}, 480, 1}, 1}};
    double *weights = normals(131);
    for (int i = 0; i < 131; i++) weights[i] = fabs(weights[i]);
    for (int t = 0; t < 2; t++)
        for (size_t g = 0; g < sizeof cases / sizeof cases[0]; g++) {
            const mpno_grid *grid = &cases[g].grid;
            const int64_t channels = cases[g].channels;
            mpno_objective all = {.n_terms = MPNO_MAX_LOSS_TERMS,
                                  .term = {{MPNO_LOSS_H1, true, 0.5},
                                           {MPNO_LOSS_L1, false, 2},
                                           {MPNO_LOSS_L2, true, 0.25},
                                           {MPNO_LOSS_MSE, false, 7}},
                                  .measure = {2, 0.5, 3},
                                  .channel_weights = weights,
                                  .n_channel_weights = (size_t)channels};
            for (int kind = MPNO_LOSS_L2; kind <= MPNO_LOSS_L1; kind++)
                for (int absolute = 0; absolute < 2; absolute++) {
                    const mpno_objective o = single((mpno_loss)kind, absolute != 0);
                    check_loss(types[t], &o, grid, channels);
                }
            mpno_objective h1 = single(MPNO_LOSS_H1, false);
            for (int d = 0; d < grid->ndim; d++)
                all.one_sided[d] = h1.one_sided[d] = grid->size[d] >= MPNO_ONE_SIDED_POINTS;
            check_loss(types[t], &h1, grid, channels);
            check_loss(types[t], &all, grid, channels);
        }
    free(weights);
    /* Two points have no central slope, one point has none either. */
    for (int g = 0; g < 2; g++) {
        const double p[] = {1, 2}, y[] = {3, 5};
        double h1[2], l2[2];
        const mpno_objective with = single(MPNO_LOSS_H1, false),
                             without = single(MPNO_LOSS_L2, false);
        const mpno_field_kernels *k = mpno_field_kernels_get(MPNO_F64);
        k->loss(&with, h1, p, y, &grids[g], 1);
        k->loss(&without, l2, p, y, &grids[g], 1);
        assert_true(h1[0] == l2[0] && h1[1] == l2[1]);
    }
}

/* A perfect prediction has a loss of zero and, by convention, no gradient (not NaN); a target of
 * zero divides by 1e-8. */
static void loss_corners(void **state) {
    (void)state;
    const mpno_grid grid = {1, {5}, 5, 1};
    const double y[] = {1, -2, 3, 0.5, 1}, zero[5] = {0};
    for (int kind = MPNO_LOSS_L2; kind <= MPNO_LOSS_L1; kind++) {
        const mpno_field_kernels *k = mpno_field_kernels_get(MPNO_F64);
        const mpno_objective o = single((mpno_loss)kind, false);
        double out[2], g[5];
        k->loss(&o, out, y, y, &grid, 1);
        assert_true(out[0] == 0);
        assert_int_equal(k->loss_grad(&o, g, y, y, out, 1.0, &grid, 1), 0);
        for (int i = 0; i < 5; i++) assert_true(g[i] == 0);
        k->loss(&o, out, y, zero, &grid, 1);
        assert_true(isfinite(out[0]) && out[0] > 0);
        if (kind == MPNO_LOSS_L2) assert_near(out[0], sqrt(15.25) / 1e-8, 1);
    }
    const float p[] = {1e30f, 0, 0, 0, 0}, target[] = {1, 1, 1, 1, 1};
    const double factor[] = {0, 1e30};
    const mpno_objective mse = single(MPNO_LOSS_MSE, false);
    float g[5];
    assert_int_equal(
        mpno_field_kernels_get(MPNO_F32)->loss_grad(&mse, g, p, target, factor, 1.0, &grid, 1), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(embedding, set_up),    cmocka_unit_test(embedding_of_complex_fields),
        cmocka_unit_test_setup(moving, set_up),       cmocka_unit_test_setup(reductions, set_up),
        cmocka_unit_test_setup(group_norms, set_up),  cmocka_unit_test_setup(losses, set_up),
        cmocka_unit_test_setup(loss_corners, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
