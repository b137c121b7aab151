/* SPDX-License-Identifier: MIT
 * Symmetries of a grid form groups, commute with differences, and turn vectors with the axes. */
#include "support.h"

#include <math.h>

#include "core/rng.h"
#include "data/symmetry.h"

enum { N = 6, MOST = 2 * N * N * N * 8 };

static mpno_symmetry flip_of(int ndim, const int64_t *parts, int axis) {
    mpno_symmetry s = mpno_symmetry_identity(ndim, parts);
    s.flip[axis] = true;
    return s;
}

static mpno_symmetry exchange_of(int ndim, const int64_t *parts, int a, int b) {
    mpno_symmetry s = mpno_symmetry_identity(ndim, parts);
    s.axis[a] = b;
    s.axis[b] = a;
    return s;
}

static mpno_symmetry shift_of(int ndim, const int64_t *parts, int axis, int64_t nodes) {
    mpno_symmetry s = mpno_symmetry_identity(ndim, parts);
    s.shift[axis] = nodes;
    return s;
}

/* Exchanges, flips and shifts of a cube, all drawn. */
static mpno_symmetry draw(mpno_rng *rng, int ndim, const int64_t *parts) {
    mpno_symmetry all = mpno_symmetry_identity(ndim, parts);
    for (int i = 0; i < 12; i++) {
        const int a = (int)mpno_rng_below(rng, (uint64_t)ndim);
        const int b = (int)mpno_rng_below(rng, (uint64_t)ndim);
        const int64_t moved = (int64_t)mpno_rng_below(rng, (uint64_t)parts[a]);
        const mpno_symmetry next = i % 3 == 0   ? flip_of(ndim, parts, a)
                                   : i % 3 == 1 ? exchange_of(ndim, parts, a, b)
                                                : shift_of(ndim, parts, a, moved);
        all = mpno_symmetry_compose(&all, &next);
    }
    return all;
}

/* Whole numbers: sums in any order are exact. */
static void fill(mpno_rng *rng, double *values, int64_t n) {
    for (int64_t i = 0; i < n; i++) values[i] = (double)mpno_rng_below(rng, 1000) - 500;
}

static void assert_equal(const double *a, const double *b, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (a[i] != b[i]) fail_msg("%g is not %g at %lld", a[i], b[i], (long long)i);
}

/* `times` times s, in one and one after the other, gives the field back. */
static void comes_back(const mpno_symmetry *s, int times, const mpno_field_shape *shape) {
    static double field[MOST], now[MOST], next[MOST], whole[MOST];
    mpno_rng rng = mpno_rng_make(1, MPNO_STREAM_TEST, 1);
    int64_t n = shape->channels * shape->planes;
    for (int d = 0; d < s->ndim; d++) n *= shape->grid[d];
    fill(&rng, field, n);
    memcpy(now, field, sizeof now);
    mpno_symmetry all = mpno_symmetry_identity(s->ndim, s->parts);
    for (int i = 0; i < times; i++) {
        all = mpno_symmetry_compose(&all, s);
        mpno_symmetry_apply(s, shape, now, next);
        if (times > 1 && i + 1 < times) assert_memory_not_equal(next, field, (size_t)n * 8);
        memcpy(now, next, sizeof now);
        mpno_symmetry_apply(&all, shape, field, whole);
        assert_equal(now, whole, n);
    }
    assert_equal(now, field, n);
}

static void flips_rotations_and_shifts_come_back(void **state) {
    (void)state;
    const int64_t grid[3] = {N, N, N}, vectors[2] = {1, 4};
    for (int planes = 1; planes <= 2; planes++) {
        const mpno_field_shape plane = {grid, planes, 4, MPNO_F64, vectors, 1, NULL};
        const mpno_field_shape cube = {grid, planes, 8, MPNO_F64, vectors, 2, NULL};
        for (int ndim = 2; ndim <= 3; ndim++) {
            const mpno_field_shape *shape = ndim == 2 ? &plane : &cube;
            mpno_symmetry s = flip_of(ndim, grid, 0);
            comes_back(&s, 2, shape);
            s = exchange_of(ndim, grid, 0, ndim - 1);
            comes_back(&s, 2, shape);
            const mpno_symmetry flip = flip_of(ndim, grid, 1);
            s = mpno_symmetry_compose(&s, &flip);
            comes_back(&s, ndim == 2 ? 4 : 2, shape);
            s = shift_of(ndim, grid, 1, 1);
            comes_back(&s, N, shape);
            s = shift_of(ndim, grid, 0, N / 2);
            comes_back(&s, 2, shape);
        }
    }
}

static void one_after_the_other_is_the_composition(void **state) {
    (void)state;
    static double field[MOST], one[MOST], two[MOST], both[MOST];
    const int64_t grid[3] = {N, N, N}, vectors[2] = {0, 5};
    const mpno_field_shape shape = {grid, 2, 8, MPNO_F64, vectors, 2, NULL};
    mpno_rng rng = mpno_rng_make(2, MPNO_STREAM_TEST, 2);
    fill(&rng, field, MOST);
    for (int i = 0; i < 50; i++) {
        const mpno_symmetry a = draw(&rng, 3, grid), b = draw(&rng, 3, grid);
        const mpno_symmetry c = mpno_symmetry_compose(&a, &b);
        mpno_symmetry_apply(&a, &shape, field, one);
        mpno_symmetry_apply(&b, &shape, one, two);
        mpno_symmetry_apply(&c, &shape, field, both);
        assert_equal(two, both, MOST);
    }
}

/* Central differences along each axis of channel `in`, into channels out .. of `to`. */
static void gradient(int ndim, const double *from, int64_t in, int64_t n_in, double *to) {
    const int64_t nodes = ndim == 2 ? N * N : N * N * N;
    for (int64_t j = 0; j < nodes; j++) {
        int64_t stride = nodes;
        for (int d = 0; d < ndim; d++) {
            stride /= N;
            const int64_t i = j / stride % N;
            const int64_t up = j + ((i + 1) % N - i) * stride;
            const int64_t down = j + ((i + N - 1) % N - i) * stride;
            to[j * ndim + d] = from[up * n_in + in] - from[down * n_in + in];
        }
    }
}

static void divergence(int ndim, const double *from, double *to) {
    static double part[MOST];
    const int64_t nodes = ndim == 2 ? N * N : N * N * N;
    memset(to, 0, (size_t)nodes * sizeof *to);
    for (int d = 0; d < ndim; d++) {
        gradient(ndim, from, d, ndim, part);
        for (int64_t j = 0; j < nodes; j++) to[j] += part[j * ndim + d];
    }
}

/* The gradient of a turned scalar is the turned gradient, the divergence of a turned vector the
 * turned divergence: so for every symmetry, and not where the components are left alone. */
static void differences_turn_with_the_field(void **state) {
    (void)state;
    static double scalar[MOST], vector[MOST], turned[MOST], a[MOST], b[MOST];
    const int64_t grid[3] = {N, N, N}, first = 0;
    mpno_rng rng = mpno_rng_make(3, MPNO_STREAM_TEST, 3);
    fill(&rng, scalar, MOST);
    fill(&rng, vector, MOST);
    for (int ndim = 2; ndim <= 3; ndim++) {
        const int64_t nodes = ndim == 2 ? N * N : N * N * N;
        const mpno_field_shape one = {grid, 1, 1, MPNO_F64, NULL, 0, NULL};
        const mpno_field_shape all = {grid, 1, ndim, MPNO_F64, &first, 1, NULL};
        mpno_field_shape still = all;
        still.n_vectors = 0;
        int wrong = 0;
        for (int i = 0; i < 40; i++) {
            const mpno_symmetry s = draw(&rng, ndim, grid);
            static double left[MOST];
            mpno_symmetry_apply(&s, &one, scalar, turned);
            gradient(ndim, turned, 0, 1, a);
            gradient(ndim, scalar, 0, 1, turned);
            mpno_symmetry_apply(&s, &all, turned, b);
            mpno_symmetry_apply(&s, &still, turned, left);
            assert_equal(a, b, nodes * ndim);
            wrong += memcmp(a, left, (size_t)(nodes * ndim) * sizeof *a) != 0;
            mpno_symmetry_apply(&s, &all, vector, turned);
            divergence(ndim, turned, a);
            divergence(ndim, vector, turned);
            mpno_symmetry_apply(&s, &one, turned, b);
            assert_equal(a, b, nodes);
        }
        assert_true(wrong > 20);
    }
}

/* Inputs of 4 nodes an axis and outputs of 6 are moved by the same half of a period. */
static void two_grids_move_together(void **state) {
    (void)state;
    const int64_t coarse[1] = {4}, fine[1] = {6}, parts[1] = {2};
    const float x[4] = {0, 1, 2, 3}, y[6] = {0, 1, 2, 3, 4, 5};
    float moved_x[4], moved_y[6];
    const mpno_field_shape shape_x = {coarse, 1, 1, MPNO_F32, NULL, 0, NULL};
    const mpno_field_shape shape_y = {fine, 1, 1, MPNO_F32, NULL, 0, NULL};
    mpno_symmetry s = shift_of(1, parts, 0, 1);
    mpno_symmetry_apply(&s, &shape_x, x, moved_x);
    mpno_symmetry_apply(&s, &shape_y, y, moved_y);
    for (int i = 0; i < 4; i++) assert_true(moved_x[i] == (float)((i + 2) % 4));
    for (int i = 0; i < 6; i++) assert_true(moved_y[i] == (float)((i + 3) % 6));
    s = flip_of(1, parts, 0);
    mpno_symmetry_apply(&s, &shape_x, x, moved_x);
    for (int i = 0; i < 4; i++) assert_true(moved_x[i] == (float)((4 - i) % 4));
}

/* A component that was normalised changes its physical sign, and takes the statistics of the
 * channel that it comes to. */
static void normalised_vectors_change_their_physical_sign(void **state) {
    (void)state;
    static double field[2 * N * N], plain[2 * N * N], turned[2 * N * N];
    const int64_t grid[2] = {N, N}, first = 0, n = 2 * N * N;
    double means[] = {3.5, -1}, stds[] = {0.25, 2};
    const mpno_normalizer normalizers[] = {{.mean = 3.5, .std = 0.25},
                                           {.encoding = MPNO_ENCODING_CHANNEL_WISE,
                                            .layout = {2, 1, {N, N}, 2},
                                            .means = means,
                                            .stds = stds}};
    mpno_rng rng = mpno_rng_make(4, MPNO_STREAM_TEST, 4);
    mpno_field_shape shape = {grid, 1, 2, MPNO_F64, &first, 1, NULL};
    fill(&rng, field, n);
    for (int i = 0; i < 10; i++) {
        const mpno_symmetry s = draw(&rng, 2, grid);
        const mpno_normalizer *normalizer = &normalizers[i % 2];
        shape.normalizer = NULL;
        mpno_symmetry_apply(&s, &shape, field, plain);
        mpno_normalizer_encode(normalizer, MPNO_F64, field, n);
        shape.normalizer = normalizer;
        mpno_symmetry_apply(&s, &shape, field, turned);
        mpno_normalizer_decode(normalizer, MPNO_F64, turned, n);
        mpno_normalizer_decode(normalizer, MPNO_F64, field, n);
        for (int64_t k = 0; k < n; k++) assert_true(fabs(turned[k] - plain[k]) < 1e-10);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flips_rotations_and_shifts_come_back),
        cmocka_unit_test(one_after_the_other_is_the_composition),
        cmocka_unit_test(differences_turn_with_the_field),
        cmocka_unit_test(two_grids_move_together),
        cmocka_unit_test(normalised_vectors_change_their_physical_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
