/* SPDX-License-Identifier: MIT
 * Functions of one number against MPFR, and what the bounds of gelu, tanh and squash (statement B4
 * of docs/theory/certificates.md) say of them: in f32 on every ISA for all numbers of f16 and bf16,
 * in f64 for random numbers of all sizes and every function's difficult ranges. The bound is that
 * of the op itself. With MPNO_TEST_VERBOSE set it prints how near the errors come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <mpfr.h>
#include <stdio.h>

#include "number/format.h"
#include "unit/graph/rig.h"

enum { PRECISION = 120, GELU = 5, TANH, FUNCTIONS }; /* before them those of mpno_squash */

static mpno_ctx *ctx;
static mpno_rng rng;

static int set_up(void **state) {
    mpno_policy full;
    (void)state;
    rng = mpno_rng_make(17, MPNO_STREAM_TEST, 1);
    return rig_open(&ctx, &full);
}

static int tear_down(void **state) {
    (void)state;
    mpfr_free_cache();
    return rig_close(&ctx);
}

/* to = f(x) with PRECISION bits. */
static void exact(mpfr_t to, int function, double x) {
    mpfr_set_d(to, x, MPFR_RNDN);
    switch (function) {
        case MPNO_SQUASH_CLIP:
            mpfr_set_d(to, x > 1 ? 1 : x < -1 ? -1 : x, MPFR_RNDN);
            return;
        case MPNO_SQUASH_SIGMOID: /* 1 / (1 + exp(-x)) */
            mpfr_neg(to, to, MPFR_RNDN);
            mpfr_exp(to, to, MPFR_RNDN);
            mpfr_add_ui(to, to, 1, MPFR_RNDN);
            mpfr_ui_div(to, 1, to, MPFR_RNDN);
            return;
        case MPNO_SQUASH_RELU:
            if (x < 0) mpfr_set_zero(to, 1);
            return;
        case MPNO_SQUASH_SOFTSIGN: { /* x / (1 + |x|) = sign / (1 + 1 / |x|) */
            if (x == 0) return;
            mpfr_abs(to, to, MPFR_RNDN);
            mpfr_ui_div(to, 1, to, MPFR_RNDN);
            mpfr_add_ui(to, to, 1, MPFR_RNDN);
            mpfr_ui_div(to, 1, to, MPFR_RNDN);
            if (x < 0) mpfr_neg(to, to, MPFR_RNDN);
            return;
        }
        case MPNO_SQUASH_ARCSINH:
            mpfr_asinh(to, to, MPFR_RNDN);
            return;
        case TANH:
            mpfr_tanh(to, to, MPFR_RNDN);
            return;
        default: /* x / 2 erfc(-x / sqrt 2); far out x, or less than e^-800 */
            if (x < -40) mpfr_set_zero(to, 1);
            if (fabs(x) > 40) return;
            mpfr_t root;
            mpfr_init2(root, PRECISION);
            mpfr_sqrt_ui(root, 2, MPFR_RNDN);
            mpfr_div(to, to, root, MPFR_RNDN);
            mpfr_neg(to, to, MPFR_RNDN);
            mpfr_erfc(to, to, MPFR_RNDN);
            mpfr_mul_d(to, to, x, MPFR_RNDN);
            mpfr_div_ui(to, to, 2, MPFR_RNDN);
            mpfr_clear(root);
    }
}

static const char *name_of(int function) {
    static const char *const names[] = {"clip",    "sigmoid", "relu", "softsign",
                                        "arcsinh", "gelu",    "tanh"};
    return names[function];
}

static void evaluate(int function, mpno_isa isa, mpno_format format, void *y, const void *x,
                     int64_t n) {
    const mpno_kernels *k = mpno_kernels_get(isa, format);
    if (function == GELU)
        k->gelu(y, x, n);
    else if (function == TANH)
        k->tanh(y, x, n);
    else
        mpno_field_kernels_get(format)->squash(y, x, (mpno_squash)function, n);
}

/* The op's bound for one number. Its graph has one of each op; RIG_INPUTS channels of which each
 * may underflow, so that eta is divided among them. */
typedef struct bounds {
    rig r;
    mpno_bound_call call;
} bounds;

static void open_bounds(bounds *b, int function, mpno_format format) {
    const rig_kind as = {.arithmetic = format, .rank = 1};
    const int64_t size[] = {1};
    const mpno_op *op = function == GELU   ? &mpno_op_gelu
                        : function == TANH ? &mpno_op_tanh
                                           : &mpno_op_squash;
    rig_create_as(&b->r, ctx, as, 1, size, MPNO_FFT_PLAIN);
    const int out = rig_unary(&b->r, op, rig_operand(&b->r, 'f'));
    const double eta = format == MPNO_F32 ? 0x1p-150 : 0x1p-1074;
    b->call = (mpno_bound_call){.graph = b->r.graph,
                                .node = &b->r.graph->nodes[b->r.graph->edges[out].producer],
                                .arithmetic = format,
                                .unit = mpno_format_unit(format),
                                .eta = eta,
                                .captured = -1};
}

/* |computed - f(x)| over its bound. */
static double quotient(bounds *b, int function, double x, double computed, mpfr_t value) {
    mpfr_t room;
    mpfr_init2(room, PRECISION);
    mpfr_sub_d(room, value, computed, MPFR_RNDN);
    const double error = fabs(mpfr_get_d(room, MPFR_RNDA));
    mpfr_clear(room);
    b->call.in[0].norm = b->call.in[0].most = fabs(x);
    b->call.out.norm = b->call.out.most = fabs(computed);
    const double bound = b->call.node->op->bound(&b->call);
    if (!(error <= bound))
        fail_msg("%s(%a) = %a is off by %.6g, and %.6g is the bound", name_of(function), x,
                 computed, error, bound);
    return bound > 0 && fabs(computed) > 0x1p-100 ? error / bound : 0;
}

enum { MOST = 1 << 16, ISAS = 8 };

/* Every finite number of the format. */
static int64_t all_numbers(mpno_format format, float *x) {
    int64_t n = 0;
    for (uint32_t bits = 0; bits < MOST; bits++) {
        const uint16_t stored = (uint16_t)bits;
        float value;
        mpno_kernels_get(MPNO_ISA_PORTABLE, MPNO_F32)->load(&value, &stored, format, 1);
        if (isfinite(value)) x[n++] = value;
    }
    return n;
}

static double nearest_of_all(bounds *b, int function, mpno_format format, float *x, float *y) {
    const int64_t n = all_numbers(format, x);
    const int isas = (int)mpno_cpu_best_isa() + 1;
    double near = 0;
    mpfr_t value;
    assert_true(n > 60000 && isas <= ISAS);
    mpfr_init2(value, PRECISION);
    for (int isa = 0; isa < isas; isa++)
        evaluate(function, (mpno_isa)isa, MPNO_F32, y + isa * MOST, x, n);
    for (int64_t i = 0; i < n; i++) {
        exact(value, function, (double)x[i]);
        for (int isa = 0; isa < isas; isa++) {
            const double computed = (double)y[isa * MOST + i];
            near = fmax(near, quotient(b, function, (double)x[i], computed, value));
        }
    }
    mpfr_clear(value);
    return near;
}

static void sixteen_bits(void **state) {
    float *x = malloc(MOST * sizeof *x), *y = malloc(ISAS * MOST * sizeof *y);
    (void)state;
    assert_true(x != NULL && y != NULL);
    for (int function = GELU; function < FUNCTIONS; function++) {
        bounds b;
        open_bounds(&b, function, MPNO_F32);
        const double near = fmax(nearest_of_all(&b, function, MPNO_F16, x, y),
                                 nearest_of_all(&b, function, MPNO_BF16, x, y));
        if (getenv("MPNO_TEST_VERBOSE"))
            print_message("%s in f32: error / bound %.3f\n", name_of(function), near);
        assert_true(near > 0.25);
        rig_destroy(&b.r);
    }
    free(x), free(y);
}

/* Of every size, most near 1, at both ends of what each function does. */
static double draw(int64_t i) {
    const double sign = mpno_rng_u32(&rng) % 2 == 0 ? 1 : -1;
    const double uniform = 1 + mpno_rng_uniform(&rng);
    if (i % 4 == 0) return sign * ldexp(uniform, (int)mpno_rng_below(&rng, 2000) - 1050);
    if (i % 4 == 1) return sign * ldexp(uniform, (int)mpno_rng_below(&rng, 12) - 8);
    return sign * (i % 4 == 2 ? 6 : 40) * mpno_rng_uniform(&rng);
}

static void double_precision(void **state) {
    enum { N = 20000 };
    mpfr_t value;
    (void)state;
    mpfr_init2(value, PRECISION);
    for (int function = 0; function < FUNCTIONS; function++) {
        bounds b;
        double near = 0;
        open_bounds(&b, function, MPNO_F64);
        for (int64_t i = 0; i < N; i++) {
            const double x = draw(i);
            double y;
            evaluate(function, MPNO_ISA_PORTABLE, MPNO_F64, &y, &x, 1);
            exact(value, function, x);
            near = fmax(near, quotient(&b, function, x, y, value));
        }
        if (getenv("MPNO_TEST_VERBOSE"))
            print_message("%s in f64: error / bound %.3f\n", name_of(function), near);
        rig_destroy(&b.r);
    }
    mpfr_clear(value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixteen_bits),
        cmocka_unit_test(double_precision),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
