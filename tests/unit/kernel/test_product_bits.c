/* SPDX-License-Identifier: MIT
 * Bits of products: they are those of the chains of fused operations that the definition has. The
 * same kernels against kernel/ref within their error: test_kernels.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/rng.h"
#include "kernel/kernel.h"
#include "unit/kernel/guarded.h"

static mpno_rng rng;

static int set_up(void **state) {
    (void)state;
    rng = mpno_rng_make(7, MPNO_STREAM_TEST, 1);
    return guarded_open();
}

static float *random_values(int slot, int64_t n) {
    float *p = place(slot, (size_t)n * sizeof *p);
    for (int64_t i = 0; i < n; i++) p[i] = (float)(2 * mpno_rng_uniform(&rng) - 1);
    return p;
}

static void check_bits(mpno_isa isa, const float *got, const float *want, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (memcmp(got + i, want + i, sizeof *got) != 0)
            fail_msg("%s, element %lld of %lld: got %.9g, expected %.9g", mpno_isa_name(isa),
                     (long long)i, (long long)n, (double)got[i], (double)want[i]);
}

/* Each element of a product is one chain of fused operations: the tile shape, m, n and the ISA do
 * not show in its bits. */
static void bits_of_products(void **state) {
    (void)state;
    if (mpno_cpu_best_isa() < MPNO_ISA_AVX2) skip();
    enum { M = 23, N = 71, K = 310 };
    for (mpno_isa isa = MPNO_ISA_AVX2; isa <= mpno_cpu_best_isa(); isa++) {
        const mpno_kernels *k = mpno_kernels_get(isa, MPNO_F32);
        const float *a = random_values(0, M * K), *b = random_values(1, K * N);
        float *got = place(2, sizeof(float[M][N])), *want = place(3, sizeof(float[M][N]));
        for (int i = 0; i < M; i++) {
            for (int j = 0; j < N; j++) {
                float sum = 0;
                for (int p = 0; p < K; p++) sum = fmaf(a[i * K + p], b[p * N + j], sum);
                want[i * N + j] = sum;
            }
        }
        k->gemm(M, N, K, a, K, b, N, got, N, 0);
        check_bits(isa, got, want, M * N);
        for (int i = 0; i < M; i++) k->gemm(1, N, K, a + i * K, K, b, N, got + i * N, N, 0);
        check_bits(isa, got, want, M * N);
    }
}

/* The same of complex products, in both panels' shapes, and in parts that continue the chains. */
static void bits_of_complex_products(void **state) {
    (void)state;
    if (mpno_cpu_best_isa() < MPNO_ISA_AVX2) skip();
    enum { M = 23, N = 71, K = 150, PART = 41 };
    for (mpno_isa isa = MPNO_ISA_AVX2; isa <= mpno_cpu_best_isa(); isa++) {
        const mpno_kernels *k = mpno_kernels_get(isa, MPNO_F32);
        float *x = random_values(0, 2 * M * K), *y = random_values(1, 2 * K * N);
        float *got = place(2, sizeof(float[2][M][N])), *want = place(3, sizeof(float[2][M][N]));
        for (int i = 0; i < M; i++) {
            for (int j = 0; j < N; j++) {
                float re = 0, im = 0;
                for (int p = 0; p < K; p++) {
                    const float *a = x + i * K + p, *b = y + p * N + j;
                    re = fmaf(-a[M * K], b[K * N], fmaf(a[0], b[0], re));
                    im = fmaf(a[0], b[K * N], fmaf(a[M * K], b[0], im));
                }
                want[i * N + j] = re, want[(M + i) * N + j] = im;
            }
        }
        mpno_planes a = {.data = x, .row = K, .step = 1, .plane = M * K},
                    b = {.data = y, .row = N, .step = 1, .plane = K * N},
                    to = {.data = got, .row = N, .step = 1, .plane = M * N};
        k->gemm_complex(M, N, K, &a, &b, &to, 0);
        check_bits(isa, got, want, 2 * M * N);
        memset(got, 0, sizeof(float[2][M][N]));
        for (int i = 0; i < M; i++) {
            a.data = x + i * K, b.data = y, to.data = got + i * N;
            k->gemm_complex(1, N, PART, &a, &b, &to, 0);
            a.data = x + i * K + PART, b.data = y + PART * N;
            k->gemm_complex(1, N, K - PART, &a, &b, &to, 1);
        }
        check_bits(isa, got, want, 2 * M * N);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_of_products),
        cmocka_unit_test(bits_of_complex_products),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
