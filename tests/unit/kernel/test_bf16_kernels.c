/* SPDX-License-Identifier: MIT
 * The bf16 products and functions of every ISA this CPU runs against their definition, within the
 * bounds of kernel/bf16_kernels.h, at every tail. Buffers end at a page that cannot be touched and
 * begin after canaries; their start has the alignment of the element only. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/rng.h"
#include "kernel/bf16_kernels.h"
#include "number/format.h"
#include "unit/kernel/guarded.h"

static mpno_rng rng;

static int set_up(void **state) {
    (void)state;
    rng = mpno_rng_make(7, MPNO_STREAM_TEST, 2);
    return guarded_open();
}

static int64_t up_to(int64_t n) {
    return (int64_t)mpno_rng_below(&rng, (uint64_t)n + 1);
}

/* A matrix of values up to 1 in magnitude, with ties of the rounding, zeros and subnormal ones;
 * NaN between the rows. */
typedef struct matrix {
    int64_t rows, cols, ld;
    float *at;
} matrix;

static matrix random_matrix(int slot, int64_t rows, int64_t cols) {
    matrix m = {rows, cols, cols + up_to(3), NULL};
    const int64_t n = rows > 0 && cols > 0 ? (rows - 1) * m.ld + cols : 0;
    m.at = place(slot, (size_t)n * sizeof(float));
    for (int64_t i = 0; i < n; i++) {
        const float x = (float)(2 * mpno_rng_uniform(&rng) - 1);
        const uint32_t kind = (uint32_t)up_to(30);
        m.at[i] = i % m.ld >= cols ? NAN
                  : kind == 0      ? 0.0f
                  : kind == 1      ? x * 0x1p-128f
                  : kind == 2      ? (1.0f + 0x1p-8f + (float)up_to(3) * 0x1p-7f) * 0.5f
                                   : x;
    }
    return m;
}

static matrix copy_of(int slot, const matrix *m) {
    matrix copy = *m;
    const int64_t n = m->rows > 0 && m->cols > 0 ? (m->rows - 1) * m->ld + m->cols : 0;
    copy.at = place(slot, (size_t)n * sizeof(float));
    if (n > 0) memcpy(copy.at, m->at, (size_t)n * sizeof(float));
    return copy;
}

static double rounded(float x) {
    return (double)mpno_bf16_to_f32(mpno_bf16_from_f32(x));
}

/* got against want where the terms are a[p] b[p], p < depth, a and b by strides. */
static void check_element(const mpno_bf16_kernels *k, float got, float want, double added,
                          int64_t depth, const float *a, int64_t a_step, const float *b,
                          int64_t b_step) {
    double scale = fabs(added), sums = 0;
    for (int64_t p = 0; p < depth; p++) {
        const double x = fabs(rounded(a[p * a_step])), y = fabs(rounded(b[p * b_step]));
        scale += x * y;
        sums += x + y;
    }
    const double allowed =
        (double)(depth + 3) * 0x1p-24 * scale + 0x1p-126 * ((double)depth + sums);
    if (fabs((double)got - (double)want) <= allowed) return;
    fail_msg("%s: got %.9g, expected %.9g within %.3g", mpno_isa_name(k->isa), (double)got,
             (double)want, allowed);
}

static void check_gemm(const mpno_bf16_kernels *k, int64_t m, int64_t n, int64_t depth,
                       int with_bias) {
    const mpno_bf16_kernels *ref = mpno_bf16_kernels_reference();
    const matrix a = random_matrix(0, m, depth), b = random_matrix(1, depth, n);
    const matrix bias = random_matrix(2, 1, n), got = random_matrix(3, m, n),
                 want = copy_of(4, &got);
    /* Packed buffers are aligned: the room before them belongs to nobody. */
    const size_t bytes = (mpno_bf16_packed_bytes(n, depth) + 63) / 64 * 64;
    void *packed = place(5, bytes), *plain = place(6, bytes);
    const float *add = with_bias ? bias.at : NULL;
    k->pack(packed, n, depth, b.at, b.ld);
    check_canary(5);
    ref->pack(plain, n, depth, b.at, b.ld);
    k->gemm(m, n, depth, a.at, a.ld, packed, add, got.at, got.ld);
    check_canary(3);
    ref->gemm(m, n, depth, a.at, a.ld, plain, add, want.at, want.ld);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            check_element(k, got.at[i * got.ld + j], want.at[i * got.ld + j],
                          with_bias ? (double)bias.at[j] : 0.0, depth, a.at + i * a.ld, 1, b.at + j,
                          b.ld);
    for (int64_t i = 0; i + 1 < m && n > 0; i++)
        for (int64_t j = n; j < got.ld; j++) assert_true(isnan(got.at[i * got.ld + j]));
}

static void check_gemm_tn(const mpno_bf16_kernels *k, int64_t m, int64_t n, int64_t rows) {
    const matrix a = random_matrix(0, m, rows), b = random_matrix(1, m, n),
                 got = random_matrix(2, rows, n), want = copy_of(3, &got), was = copy_of(4, &got);
    k->gemm_tn(m, n, rows, a.at, a.ld, b.at, b.ld, got.at, got.ld);
    check_canary(2);
    mpno_bf16_kernels_reference()->gemm_tn(m, n, rows, a.at, a.ld, b.at, b.ld, want.at, want.ld);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < n; j++)
            check_element(k, got.at[i * got.ld + j], want.at[i * got.ld + j],
                          (double)was.at[i * got.ld + j], m, a.at + i, a.ld, b.at + j, b.ld);
    for (int64_t i = 0; i + 1 < rows && n > 0; i++)
        for (int64_t j = n; j < got.ld; j++) assert_true(isnan(got.at[i * got.ld + j]));
}

static void every_isa_within_its_bound(void **state) {
    (void)state;
    for (mpno_isa isa = MPNO_ISA_PORTABLE; isa <= mpno_cpu_best_isa(); isa++) {
        const mpno_bf16_kernels *k = mpno_bf16_kernels_get(isa);
        for (int64_t s = 0; s < 64; s++) {
            check_gemm(k, s, up_to(20), up_to(40), (int)up_to(1));
            check_gemm(k, up_to(40), s, up_to(40), (int)up_to(1));
            check_gemm(k, up_to(40), up_to(20), s, (int)up_to(1));
            check_gemm_tn(k, s, up_to(40), up_to(40));
            check_gemm_tn(k, up_to(40), s, up_to(40));
            check_gemm_tn(k, up_to(40), up_to(40), s);
        }
        check_gemm(k, 64, 64, 64, 1);
        check_gemm(k, 33, 70, 1100, 1); /* more than one block of the inner index */
        check_gemm(k, 33, 300, 64, 0);
        check_gemm_tn(k, 64, 64, 64);
        check_gemm_tn(k, 300, 40, 33);
        check_gemm_tn(k, 64, 600, 33);
        check_gemm_tn(k, 40, 33, 600);
    }
}

/* A function of bf16_kernels.h and its gradient, and the bounds that stand there. */
typedef struct function {
    const char *name;
    void (*at)(float *dst, const float *x, int64_t n);
    void (*grad)(float *dst, const float *x, const float *dy, int64_t n);
    void (*exact)(float *dst, const float *x, int64_t n);
    void (*exact_grad)(float *dst, const float *x, const float *dy, int64_t n);
    double largest; /* |f(x)| <= min(|x|, largest) */
    double relative, slope;
} function;

/* Relative to x: of tanh its result is meant. */
static void check_value(const function *f, double x, double dy, const float got[2],
                        const float want[2]) {
    const double size = f->largest < INFINITY ? fabs((double)want[0]) : fabs(x);
    if (fabs((double)(got[0] - want[0])) > f->relative * size + 0x1p-140 ||
        fabs((double)got[0]) > fmin(fabs(x), f->largest) * (1 + 0x1p-18))
        fail_msg("%s(%a) is %a", f->name, x, (double)got[0]);
    if (fabs((double)got[0]) > f->largest) fail_msg("%s(%a) is %a", f->name, x, (double)got[0]);
    if (fabs((double)(got[1] - want[1])) > f->slope * fabs(dy) + 0x1p-140)
        fail_msg("%s_grad(%a, %a) is %a", f->name, x, dy, (double)got[1]);
}

/* At n values from the bits `from` on, every `stride`-th, signs in turn, in place where asked. */
static void check_function(const function *f, uint32_t from, uint32_t stride, int64_t n,
                           bool in_place) {
    const size_t bytes = (size_t)n * sizeof(float);
    float *x = place(0, bytes), *dy = place(1, bytes), *want = place(2, bytes),
          *slope = place(3, bytes), *got = place(4, bytes), *got_slope = place(5, bytes);
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = (from + (uint32_t)(i / 2) * stride) | (uint32_t)(i % 2) << 31;
        memcpy(&x[i], &bits, sizeof bits);
        dy[i] = (float)(2 * mpno_rng_uniform(&rng) - 1);
    }
    f->exact(want, x, n);
    f->exact_grad(slope, x, dy, n);
    if (in_place && n > 0) memcpy(got, x, bytes), memcpy(got_slope, dy, bytes);
    f->at(got, in_place ? got : x, n);
    f->grad(got_slope, x, in_place ? got_slope : dy, n);
    for (int64_t i = 0; i < n; i++)
        check_value(f, (double)x[i], (double)dy[i], (float[]){got[i], got_slope[i]},
                    (float[]){want[i], slope[i]});
    check_canary(4);
    check_canary(5);
}

static void check_functions(const function *f) {
    enum { BLOCK = 1024, STRIDE = 997 };
    float nan = NAN, one = 1.0f, y = 0, z = 0;
    for (uint32_t bits = 0; bits < 0x7f7f0000u - BLOCK * STRIDE; bits += BLOCK / 2 * STRIDE)
        check_function(f, bits, STRIDE, BLOCK, false);
    for (uint32_t bits = 0x3e000000u; bits < 0x41000000u; bits += 1 << 18) /* 1/8 to 8 */
        check_function(f, bits, 1, BLOCK, true);
    for (int64_t n = 0; n < 64; n++) check_function(f, 0x3f800000u, 1 << 18, n, n % 2 == 1);
    f->at(&y, &nan, 1);
    f->grad(&z, &nan, &one, 1);
    assert_true(isnan(y) && isnan(z));
}

static void functions_within_their_bounds(void **state) {
    (void)state;
    const mpno_bf16_kernels *ref = mpno_bf16_kernels_reference();
    for (mpno_isa isa = MPNO_ISA_PORTABLE; isa <= mpno_cpu_best_isa(); isa++) {
        const mpno_bf16_kernels *k = mpno_bf16_kernels_get(isa);
        check_functions(&(function){"gelu", k->gelu, k->gelu_grad, ref->gelu, ref->gelu_grad,
                                    INFINITY, 0x1p-18, 0x1p-16});
        check_functions(&(function){"tanh", k->tanh, k->tanh_grad, ref->tanh, ref->tanh_grad, 1,
                                    0x1p-18, 0x1p-17});
    }
}

/* Sums of a few small integers are exact in any order: the same bits everywhere. */
static void small_integers_are_exact(void **state) {
    (void)state;
    enum { M = 37, N = 45, K = 70 };
    static float a[M * K], b[K * N], want[M * N], got[M * N];
    static _Alignas(64) unsigned char packed[64 * 1024];
    assert_true(mpno_bf16_packed_bytes(N, K) <= sizeof packed);
    for (int i = 0; i < M * K; i++) a[i] = (float)(up_to(16) - 8);
    for (int i = 0; i < K * N; i++) b[i] = (float)(up_to(16) - 8);
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            want[i * N + j] = 0;
            for (int p = 0; p < K; p++) want[i * N + j] += a[i * K + p] * b[p * N + j];
        }
    for (mpno_isa isa = MPNO_ISA_PORTABLE; isa <= mpno_cpu_best_isa(); isa++) {
        const mpno_bf16_kernels *k = mpno_bf16_kernels_get(isa);
        k->pack(packed, N, K, b, N);
        k->gemm(M, N, K, a, K, packed, NULL, got, N);
        assert_memory_equal(got, want, sizeof got);
    }
}

static void selection(void **state) {
    (void)state;
    for (mpno_isa isa = MPNO_ISA_PORTABLE; isa < MPNO_ISA_COUNT; isa++) {
        const mpno_bf16_kernels *k = mpno_bf16_kernels_get(isa);
        assert_true(k->isa <= isa);
        assert_int_equal(k->native, k->isa >= MPNO_ISA_AVX512_BF16);
#if defined(__x86_64__)
        if (isa <= MPNO_ISA_AVX512 && isa != MPNO_ISA_NEON) assert_int_equal(k->isa, isa);
#endif
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selection),
        cmocka_unit_test(every_isa_within_its_bound),
        cmocka_unit_test(functions_within_their_bounds),
        cmocka_unit_test(small_integers_are_exact),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
