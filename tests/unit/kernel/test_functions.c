/* SPDX-License-Identifier: MIT
 * Accuracy of GELU, tanh and their gradients in f32, on every ISA this CPU runs, over all
 * exponents: every STRIDE-th f32 from 0 to infinity and every f32 of a few short stretches, with
 * both signs, against the f64 functions of the C library. What the errors are relative to stands in
 * kernel/tmpl/functions_f32.h; the constants are those of kernels.def. With MPNO_TEST_VERBOSE set
 * it prints the largest error of each. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/kernel.h"

enum { BLOCK = 1024, STRIDE = 3989, FUNCTIONS = 4 };

static const char *const names[FUNCTIONS] = {"gelu", "gelu_grad", "tanh", "tanh_grad"};

static const struct {
    const char *name;
    double fixed;
} members[] = {
#define MPNO_KERNEL(name, text, fixed, per_term) {#name, fixed},
#include "kernel/kernels.def"
#undef MPNO_KERNEL
};

static double bound_of(const char *name) {
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (strcmp(members[i].name, name) == 0) return members[i].fixed;
    }
    fail_msg("kernels.def has no line %s", name);
    return 0;
}

typedef struct block {
    float x[BLOCK], dy[BLOCK], got[FUNCTIONS][BLOCK];
    double want[FUNCTIONS][BLOCK], dx[BLOCK], one[BLOCK];
    int n;
} block;

static block work;
static double worst[FUNCTIONS]; /* in u */
static float worst_at[FUNCTIONS];

static void evaluate(const mpno_kernels *k) {
    const mpno_kernels *ref = mpno_kernels_reference(MPNO_F64);
    for (int i = 0; i < work.n; i++) {
        work.dx[i] = (double)work.x[i];
        work.one[i] = 1.0;
        work.dy[i] = 1.0f;
    }
    ref->gelu(work.want[0], work.dx, work.n);
    ref->gelu_grad(work.want[1], work.dx, work.one, work.n);
    ref->tanh(work.want[2], work.dx, work.n);
    ref->tanh_grad(work.want[3], work.dx, work.one, work.n);
    k->gelu(work.got[0], work.x, work.n);
    k->gelu_grad(work.got[1], work.x, work.dy, work.n);
    k->tanh(work.got[2], work.x, work.n);
    k->tanh_grad(work.got[3], work.x, work.dy, work.n);
}

/* Compares the block and empties it. */
static void compare(const mpno_kernels *k) {
    evaluate(k);
    for (int f = 0; f < FUNCTIONS; f++) {
        for (int i = 0; i < work.n; i++) {
            const double want = work.want[f][i], got = (double)work.got[f][i];
            double scale = fabs(want);
            if (f == 0) scale = fabs(work.dx[i]);
            if (f == 1) scale = 1;
            const double error = fabs(got - want) - 0x1p-116;
            if (!isfinite(got)) fail_msg("%s(%a) is %g", names[f], work.dx[i], got);
            if (error <= worst[f] * 0x1p-24 * scale) continue;
            worst[f] = error / (0x1p-24 * scale);
            worst_at[f] = work.x[i];
        }
    }
    for (int i = 0; i < work.n; i++) {
        if (fabsf(work.got[2][i]) > 1.0f) fail_msg("|tanh(%a)| > 1", work.dx[i]);
        if (fabsf(work.x[i]) >= 9.02f) assert_true(fabsf(work.got[2][i]) == 1.0f);
        if (fabsf(work.got[0][i]) > fabsf(work.x[i])) fail_msg("|gelu(%a)| > |x|", work.dx[i]);
    }
    work.n = 0;
}

static void add_bits(const mpno_kernels *k, uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    work.x[work.n++] = x;
    work.x[work.n++] = -x;
    if (work.n == BLOCK) compare(k);
}

static void test_accuracy(void **state) {
    (void)state;
    int n_bad = 0;
    const float stretches[] = {0x1p-126f, 1e-20f, 1e-4f, 0.01f, 0.1f,   0.34f, 0.5f,    0.7517f,
                               1.0f,      1.4f,   2.0f,  3.0f,  4.0f,   5.5f,  5.6249f, 6.328f,
                               7.0f,      9.0f,   9.01f, 11.0f, 12.89f, 13.0f, 43.0f};
    for (mpno_isa isa = MPNO_ISA_PORTABLE; isa <= mpno_cpu_best_isa(); isa++) {
        const mpno_kernels *k = mpno_kernels_get(isa, MPNO_F32);
        memset(worst, 0, sizeof worst);
        for (uint32_t bits = 0; bits < 0x7f800000u; bits += STRIDE) add_bits(k, bits);
        for (size_t s = 0; s < sizeof stretches / sizeof *stretches; s++) {
            uint32_t bits;
            memcpy(&bits, &stretches[s], sizeof bits);
            for (uint32_t i = 0; i < 4096; i++) add_bits(k, bits + i);
        }
        compare(k);
        for (int f = 0; f < FUNCTIONS; f++) {
            const double declared = bound_of(names[f]);
            const int bad = worst[f] > declared;
            n_bad += bad;
            if (bad || getenv("MPNO_TEST_VERBOSE")) {
                print_message("%s %s: error %.3f u at %.9g, declared %.1f\n", mpno_isa_name(isa),
                              names[f], worst[f], (double)worst_at[f], declared);
            }
        }
    }
    assert_int_equal(n_bad, 0);
}

static void test_special_values(void **state) {
    (void)state;
    for (mpno_isa isa = MPNO_ISA_PORTABLE; isa <= mpno_cpu_best_isa(); isa++) {
        for (int format = MPNO_F64; format <= MPNO_F32; format++) {
            const mpno_kernels *k = mpno_kernels_get(isa, (mpno_format)format);
            const double values[4] = {(double)INFINITY, -(double)INFINITY, (double)NAN, 0.0},
                         ones[4] = {1, 1, 1, 1};
            _Alignas(64) double x[4], dy[4], y[4], out[4];
            k->load(x, values, MPNO_F64, 4);
            k->load(dy, ones, MPNO_F64, 4);
            const double want[FUNCTIONS][4] = {{(double)INFINITY, 0, (double)NAN, 0},
                                               {1, 0, (double)NAN, 0.5},
                                               {1, -1, (double)NAN, 0},
                                               {0, 0, (double)NAN, 1}};
            for (int f = 0; f < FUNCTIONS; f++) {
                if (f == 0) k->gelu(y, x, 4);
                if (f == 1) k->gelu_grad(y, x, dy, 4);
                if (f == 2) k->tanh(y, x, 4);
                if (f == 3) k->tanh_grad(y, x, dy, 4);
                k->store(out, MPNO_F64, y, 4);
                for (int i = 0; i < 4; i++) {
                    if (isnan(want[f][i]) ? isnan(out[i]) : out[i] == want[f][i]) continue;
                    fail_msg("%s %s: %s(%g) = %g", mpno_isa_name(isa),
                             format == MPNO_F64 ? "f64" : "f32", names[f], values[i], out[i]);
                }
            }
        }
    }
}

/* tanh is odd to the bit, and falls by no more than two units in the last place from one f32 to a
 * larger one. */
static void test_tanh_shape(void **state) {
    (void)state;
    for (mpno_isa isa = MPNO_ISA_PORTABLE; isa <= mpno_cpu_best_isa(); isa++) {
        const mpno_kernels *k = mpno_kernels_get(isa, MPNO_F32);
        float highest = 0.0f;
        for (uint32_t bits = 0; bits < 0x41200000u; bits += BLOCK * 401u) {
            float minus[BLOCK];
            for (uint32_t i = 0; i < BLOCK; i++) {
                const uint32_t at = bits + 401u * i;
                memcpy(&work.x[i], &at, sizeof at);
                minus[i] = -work.x[i];
            }
            k->tanh(work.got[2], work.x, BLOCK);
            k->tanh(minus, minus, BLOCK);
            for (int i = 0; i < BLOCK; i++) {
                const float y = work.got[2][i];
                assert_true(minus[i] == -y);
                if (y < highest * (1.0f - 0x1p-22f))
                    fail_msg("tanh falls at %a", (double)work.x[i]);
                highest = fmaxf(highest, y);
            }
        }
        assert_true(highest == 1.0f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy),
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_tanh_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
