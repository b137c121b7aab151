/* SPDX-License-Identifier: MIT
 * Tensors: counts, views, slices, permutations and strided, converting copies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "core/memory.h"
#include "number/tensor.h"

static int open_context(void **state) {
    return mpno_ctx_create(NULL, (mpno_ctx **)state);
}

static int close_context(void **state) {
    mpno_ctx *ctx = *state;
    size_t held = mpno_ctx_bytes(ctx);
    mpno_ctx_destroy(&ctx);
    return held == 0 ? 0 : -1;
}

static void views_are_row_major(void **state) {
    (void)state;
    float data[24];
    const int64_t shape[] = {2, 3, 4};
    mpno_tensor t = mpno_tensor_view(data, MPNO_F32, 3, shape);
    assert_int_equal(mpno_tensor_count(&t), 24);
    assert_int_equal(t.stride[0], 12);
    assert_int_equal(t.stride[1], 4);
    assert_int_equal(t.stride[2], 1);
    assert_true(mpno_tensor_contiguous(&t));
    mpno_tensor scalar = mpno_tensor_view(data, MPNO_F32, 0, NULL);
    assert_int_equal(mpno_tensor_count(&scalar), 1);
    assert_true(mpno_tensor_contiguous(&scalar));

    const int axes[] = {2, 0, 1};
    mpno_tensor p = mpno_tensor_permuted(&t, axes);
    const int64_t shape_p[] = {4, 2, 3}, stride_p[] = {1, 12, 4};
    assert_memory_equal(p.shape, shape_p, sizeof shape_p);
    assert_memory_equal(p.stride, stride_p, sizeof stride_p);
    assert_false(mpno_tensor_contiguous(&p));
    assert_ptr_equal(p.data, data);
}

static void contiguity_ignores_axes_of_one_and_empty_tensors(void **state) {
    (void)state;
    float data[24];
    const int64_t shape[] = {1, 6, 1, 4};
    mpno_tensor t = mpno_tensor_view(data, MPNO_F32, 4, shape);
    t.stride[0] = 999;
    t.stride[2] = -7;
    assert_true(mpno_tensor_contiguous(&t));
    t.stride[1] = 5;
    assert_false(mpno_tensor_contiguous(&t));
    t.shape[3] = 0;
    assert_true(mpno_tensor_contiguous(&t));
}

static void slices_stay_inside(void **state) {
    mpno_ctx *ctx = *state;
    double data[24];
    const int64_t shape[] = {2, 3, 4};
    mpno_tensor t = mpno_tensor_view(data, MPNO_F64, 3, shape), s;
    assert_int_equal(mpno_tensor_slice(ctx, &t, 1, 1, 2, &s), MPNO_OK);
    assert_ptr_equal(s.data, data + 4);
    assert_int_equal(mpno_tensor_count(&s), 16);
    assert_false(mpno_tensor_contiguous(&s));
    assert_int_equal(mpno_tensor_slice(ctx, &t, 0, 1, 1, &s), MPNO_OK);
    assert_true(mpno_tensor_contiguous(&s));
    assert_int_equal(mpno_tensor_slice(ctx, &t, 0, 2, 0, &s), MPNO_OK);
    assert_int_equal(mpno_tensor_count(&s), 0);
    s.ndim = 77;
    assert_int_equal(mpno_tensor_slice(ctx, &t, 3, 0, 1, &s), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_tensor_slice(ctx, &t, -1, 0, 1, &s), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_tensor_slice(ctx, &t, 2, -1, 1, &s), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_tensor_slice(ctx, &t, 2, 0, 5, &s), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_tensor_slice(ctx, &t, 2, 2, 3, &s), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_tensor_slice(ctx, &t, 2, 3, INT64_MAX, &s), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_tensor_slice(ctx, &t, 2, INT64_MAX, 1, &s), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(ctx), "axis 2"));
    assert_int_equal(s.ndim, 77); /* untouched by errors */
}

static void created_tensors_are_zero(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor t;
    const int64_t shape[] = {3, 5};
    assert_int_equal(mpno_tensor_create(ctx, MPNO_F16, 2, shape, &t), MPNO_OK);
    assert_int_equal(mpno_ctx_bytes(ctx), 30);
    for (int i = 0; i < 15; i++) assert_int_equal(((uint16_t *)t.data)[i], 0);
    mpno_tensor_destroy(ctx, &t);
    assert_null(t.data);
    mpno_tensor_destroy(ctx, &t);
    mpno_tensor_destroy(ctx, NULL);
    const int64_t negative[] = {3, -1}, huge[] = {INT64_MAX / 2, 1, 3}, empty[] = {0, INT64_MAX};
    assert_int_equal(mpno_tensor_create(ctx, MPNO_F32, 2, negative, &t), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_tensor_create(ctx, MPNO_F32, 9, shape, &t), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_tensor_create(ctx, MPNO_F32, -1, shape, &t), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_tensor_create(ctx, MPNO_F32, 3, huge, &t), MPNO_E_MEMORY);
    assert_int_equal(mpno_tensor_create(ctx, MPNO_F32, 2, empty, &t), MPNO_OK);
    assert_int_equal(mpno_tensor_count(&t), 0);
    mpno_tensor_destroy(ctx, &t);
    mpno_alloc_fail_after(ctx, 0);
    assert_int_equal(mpno_tensor_create(ctx, MPNO_F32, 2, shape, &t), MPNO_E_MEMORY);
    mpno_alloc_fail_after(ctx, -1);
}

enum { A = 3, B = 4, C = 5 };
static const int64_t abc[] = {A, B, C};

/* Copies a permuted f32 source into a permuted half target and compares element by element. */
static void check_copy(mpno_ctx *ctx, const int *from, const int *to) {
    float data[A * B * C];
    uint16_t result[A * B * C];
    for (int i = 0; i < A * B * C; i++) data[i] = (float)i + 0.5f;
    mpno_tensor source_base = mpno_tensor_view(data, MPNO_F32, 3, abc);
    mpno_tensor source = mpno_tensor_permuted(&source_base, from);
    int64_t shape[3];
    for (int i = 0; i < 3; i++) shape[to[i]] = source.shape[i];
    mpno_tensor target_base = mpno_tensor_view(result, MPNO_F16, 3, shape);
    mpno_tensor target = mpno_tensor_permuted(&target_base, to);
    assert_int_equal(mpno_tensor_copy(ctx, &target, &source), MPNO_OK);
    for (int64_t i = 0; i < source.shape[0]; i++) {
        for (int64_t j = 0; j < source.shape[1]; j++) {
            for (int64_t k = 0; k < source.shape[2]; k++) {
                float x = data[i * source.stride[0] + j * source.stride[1] + k * source.stride[2]];
                uint16_t y =
                    result[i * target.stride[0] + j * target.stride[1] + k * target.stride[2]];
                assert_int_equal(y, mpno_f16_from_f32(x));
            }
        }
    }
}

static void copies_honour_strides_and_formats(void **state) {
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int i = 0; i < 6; i++) {
        for (int j = 0; j < 6; j++) check_copy(*state, orders[i], orders[j]);
    }
}

static void copies_of_slices_write_nothing_else(void **state) {
    mpno_ctx *ctx = *state;
    double data[A * B * C], result[A * B * C];
    for (int i = 0; i < A * B * C; i++) {
        data[i] = i;
        result[i] = -1;
    }
    mpno_tensor source = mpno_tensor_view(data, MPNO_F64, 3, abc),
                target = mpno_tensor_view(result, MPNO_F64, 3, abc);
    mpno_tensor from, to;
    assert_int_equal(mpno_tensor_slice(ctx, &source, 1, 2, 2, &from), MPNO_OK);
    assert_int_equal(mpno_tensor_slice(ctx, &target, 1, 0, 2, &to), MPNO_OK);
    assert_int_equal(mpno_tensor_copy(ctx, &to, &from), MPNO_OK);
    for (int i = 0; i < A * B * C; i++) {
        int b = i / C % B;
        assert_true(result[i] == (b < 2 ? data[i + 2 * C] : -1));
    }
    mpno_tensor backwards = source; /* a negative stride reads from the end */
    backwards.data = data + A * B * C - 1;
    for (int i = 0; i < 3; i++) backwards.stride[i] = -backwards.stride[i];
    assert_int_equal(mpno_tensor_copy(ctx, &target, &backwards), MPNO_OK);
    for (int i = 0; i < A * B * C; i++) assert_true(result[i] == A * B * C - 1 - i);
}

static void different_shapes_are_refused(void **state) {
    mpno_ctx *ctx = *state;
    float data[A * B * C] = {0};
    const int64_t other[] = {A, C, B}, flat[] = {A * B * C};
    mpno_tensor t = mpno_tensor_view(data, MPNO_F32, 3, abc);
    mpno_tensor u = mpno_tensor_view(data, MPNO_F32, 3, other),
                v = mpno_tensor_view(data, MPNO_F32, 1, flat);
    assert_int_equal(mpno_tensor_copy(ctx, &u, &t), MPNO_E_SHAPE);
    assert_non_null(strstr(mpno_ctx_error(ctx), "axis 1"));
    assert_int_equal(mpno_tensor_copy(ctx, &v, &t), MPNO_E_SHAPE);
    mpno_tensor one = mpno_tensor_view(data, MPNO_F32, 0, NULL);
    float target = 9;
    mpno_tensor scalar = mpno_tensor_view(&target, MPNO_F32, 0, NULL);
    assert_int_equal(mpno_tensor_copy(ctx, &scalar, &one), MPNO_OK);
    assert_true(target == 0);
    t.shape[1] = u.shape[1] = 0;
    u.shape[2] = t.shape[2];
    assert_int_equal(mpno_tensor_copy(ctx, &u, &t), MPNO_OK);
}

#define WITH_CONTEXT(test) cmocka_unit_test_setup_teardown(test, open_context, close_context)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_are_row_major),
        cmocka_unit_test(contiguity_ignores_axes_of_one_and_empty_tensors),
        WITH_CONTEXT(slices_stay_inside),
        WITH_CONTEXT(created_tensors_are_zero),
        WITH_CONTEXT(copies_honour_strides_and_formats),
        WITH_CONTEXT(copies_of_slices_write_nothing_else),
        WITH_CONTEXT(different_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
