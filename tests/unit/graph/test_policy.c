/* SPDX-License-Identifier: MIT
 * Policies against policies.def and roles.def, read here a second time by name; the published rows
 * word by word, so that a change of the table is seen; wrong names and formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "graph/policy.h"
#include "kernel/bf16_kernels.h"

static mpno_ctx *ctx;

static int set_up(void **state) {
    (void)state;
    return mpno_ctx_create(NULL, &ctx) != MPNO_OK;
}

static int tear_down(void **state) {
    (void)state;
    mpno_ctx_destroy(&ctx);
    return 0;
}

typedef struct row {
    const char *name, *pointwise, *transform_in, *spectrum, *transform_out, *stabilizer;
} row;

static const row rows[] = {
#define X(name, pointwise, transform_in, spectrum, transform_out, stabilizer) \
    {#name, #pointwise, #transform_in, #spectrum, #transform_out, #stabilizer},
#include "graph/policies.def"
#undef X
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

static const char *column(const row *r, mpno_role role) {
    static const char *const columns[] = {
#define X(name, column, text) #column,
#include "graph/roles.def"
#undef X
    };
    const char *name = columns[role];
    if (strcmp(name, "pointwise") == 0) return r->pointwise;
    if (strcmp(name, "transform_in") == 0) return r->transform_in;
    if (strcmp(name, "spectrum") == 0) return r->spectrum;
    if (strcmp(name, "transform_out") == 0) return r->transform_out;
    assert_string_equal(name, "full");
    return "FULL";
}

static void every_row_role_and_format(void **state) {
    (void)state;
    static const mpno_format bases[] = {MPNO_F32, MPNO_F64}, halves[] = {MPNO_F16, MPNO_BF16};
    assert_int_equal(mpno_policy_count(), N_ROWS);
    for (int i = 0; i < N_ROWS; i++) {
        assert_string_equal(mpno_policy_name(i), rows[i].name);
        for (int k = 0; k < 4; k++) {
            const mpno_format base = bases[k / 2], half = halves[k % 2];
            mpno_policy policy;
            assert_int_equal(mpno_policy_make(ctx, rows[i].name, base, half, &policy), MPNO_OK);
            assert_string_equal(policy.name, rows[i].name);
            assert_int_equal(policy.base, base);
            assert_int_equal(policy.tanh, strcmp(rows[i].stabilizer, "TANH") == 0);
            for (int r = 0; r < MPNO_ROLE_COUNT; r++)
                for (int layer = 0; layer < 3; layer++)
                    assert_int_equal(
                        mpno_policy_storage(&policy, (mpno_role)r, layer % 2, "block 1").format,
                        strcmp(column(&rows[i], (mpno_role)r), "HALF") == 0 ? half : base);
            const bool native = mpno_bf16_kernels_get(ctx->isa)->native;
            const bool bf16 = native && half == MPNO_BF16 && base == MPNO_F32;
            static const char *const narrowed[] = {"linear",    "linear_dx", "linear_dw", "gelu",
                                                   "gelu_grad", "tanh",      "tanh_grad"};
            for (size_t op = 0; op < sizeof narrowed / sizeof *narrowed; op++) {
                const mpno_arithmetic a = mpno_policy_arithmetic(&policy, narrowed[op], 0);
                const bool narrow = bf16 && strcmp(rows[i].pointwise, "HALF") == 0;
                assert_int_equal(a.multiply, narrow ? MPNO_BF16 : base);
                assert_int_equal(a.accumulate, base);
            }
            assert_int_equal(mpno_policy_arithmetic(&policy, "squash", 0).multiply, base);
        }
    }
}

/* What users were promised (docs, paper, the PyTorch library), apart from the table. */
static void rows_mean_what_is_published(void **state) {
    (void)state;
    static const struct {
        const char *policy;
        bool activation, transform_in, spectrum, transform_out, linear_copy, spectral_copy;
    } promised[] = {{"full", 0, 0, 0, 0, 0, 0},
                    {"amp", 1, 0, 0, 0, 1, 0},
                    {"half", 0, 1, 1, 1, 0, 1},
                    {"fft32", 1, 0, 1, 1, 1, 1},
                    {"mixed", 1, 1, 1, 1, 1, 1}};
    assert_int_equal(N_ROWS, sizeof promised / sizeof promised[0]);
    for (int i = 0; i < N_ROWS; i++) {
        mpno_policy p;
        assert_int_equal(mpno_policy_make(ctx, promised[i].policy, MPNO_F32, MPNO_F16, &p),
                         MPNO_OK);
        const struct {
            mpno_role role;
            bool half;
        } expected[] = {{MPNO_ROLE_INPUT, false},
                        {MPNO_ROLE_OUTPUT, false},
                        {MPNO_ROLE_SUMS, false},
                        {MPNO_ROLE_COLUMNS, promised[i].spectrum},
                        {MPNO_ROLE_WEIGHT_VECTOR, false},
                        {MPNO_ROLE_WEIGHT_FACTOR, false},
                        {MPNO_ROLE_ACTIVATION, promised[i].activation},
                        {MPNO_ROLE_TRANSFORM_IN, promised[i].transform_in},
                        {MPNO_ROLE_SPECTRUM, promised[i].spectrum},
                        {MPNO_ROLE_TRANSFORM_OUT, promised[i].transform_out},
                        {MPNO_ROLE_WEIGHT_LINEAR, promised[i].linear_copy},
                        {MPNO_ROLE_WEIGHT_SPECTRAL, promised[i].spectral_copy}};
        assert_int_equal(MPNO_ROLE_COUNT, sizeof expected / sizeof expected[0]);
        for (int r = 0; r < MPNO_ROLE_COUNT; r++)
            assert_int_equal(mpno_policy_storage(&p, expected[r].role, false, "block 0").format,
                             expected[r].half ? MPNO_F16 : MPNO_F32);
        assert_int_equal(p.tanh, strcmp(promised[i].policy, "mixed") == 0);
    }
}

/* 16-bit arithmetic belongs to the transforms that read or write 16 bits. */
static void arithmetic_of_transforms(void **state) {
    (void)state;
    for (int i = 0; i < N_ROWS; i++) {
        const bool in = strcmp(rows[i].transform_in, "HALF") == 0,
                   out = strcmp(rows[i].transform_out, "HALF") == 0;
        mpno_policy p;
        assert_int_equal(mpno_policy_make(ctx, rows[i].name, MPNO_F32, MPNO_F16, &p), MPNO_OK);
        assert_int_equal(mpno_policy_arithmetic(&p, "fft_forward", 0).multiply, MPNO_F32);
        assert_int_equal(mpno_policy_set_transforms(ctx, MPNO_BF16, &p), MPNO_OK);
        assert_int_equal(mpno_policy_arithmetic(&p, "fft_forward", 0).multiply,
                         in ? MPNO_BF16 : MPNO_F32);
        assert_int_equal(mpno_policy_arithmetic(&p, "fft_inverse", 0).accumulate,
                         out ? MPNO_BF16 : MPNO_F32);
        assert_int_equal(mpno_policy_arithmetic(&p, "contract", 0).multiply, MPNO_F32);
        assert_int_equal(mpno_policy_set_transforms(ctx, MPNO_F32, &p), MPNO_OK);
        assert_int_equal(mpno_policy_arithmetic(&p, "fft_forward", 0).multiply, MPNO_F32);
        assert_int_equal(mpno_policy_set_transforms(ctx, MPNO_F64, &p), MPNO_E_ARGUMENT);
    }
}

static void role_texts(void **state) {
    (void)state;
    assert_string_equal(mpno_role_text(MPNO_ROLE_ACTIVATION, false), "activation");
    assert_string_equal(mpno_role_text(MPNO_ROLE_SPECTRUM, true), "spectrum gradient");
    for (int a = 0; a < MPNO_ROLE_COUNT; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(mpno_role_text((mpno_role)a, false),
                                    mpno_role_text((mpno_role)b, false));
}

static void refuse(const char *name, mpno_format base, mpno_format half, const char *sentence) {
    mpno_policy p;
    assert_int_equal(mpno_policy_make(ctx, name, base, half, &p), MPNO_E_ARGUMENT);
    if (strstr(mpno_ctx_error(ctx), sentence) == NULL) fail_msg("%s", mpno_ctx_error(ctx));
}

static void wrong_names_and_formats(void **state) {
    (void)state;
    refuse("mixd", MPNO_F32, MPNO_F16, "did you mean \"mixed\"?");
    refuse("fft23", MPNO_F32, MPNO_F16, "did you mean \"fft32\"?");
    refuse("Full", MPNO_F32, MPNO_F16, "unknown precision policy \"Full\"");
    refuse("", MPNO_F32, MPNO_F16, "unknown precision policy \"\"");
    refuse("something else", MPNO_F32, MPNO_F16, "unknown precision policy \"something else\"");
    assert_null(strstr(mpno_ctx_error(ctx), "did you mean"));
    /* The list of known names in the sentence is the table's. */
    for (int i = 0; i < N_ROWS; i++) {
        const char *known = strstr(mpno_ctx_error(ctx), "known: ");
        assert_non_null(known);
        assert_non_null(strstr(known, rows[i].name));
    }
    refuse("full", MPNO_F16, MPNO_F16, "arithmetic is f32 or f64, not f16");
    refuse("full", MPNO_BF16, MPNO_F16, "arithmetic is f32 or f64, not bf16");
    refuse("full", MPNO_F32, MPNO_F32, "the half format is f16 or bf16, not f32");
    refuse("mixed", MPNO_F64, MPNO_F64, "the half format is f16 or bf16, not f64");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_row_role_and_format, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_mean_what_is_published, set_up, tear_down),
        cmocka_unit_test_setup_teardown(arithmetic_of_transforms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(role_texts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_names_and_formats, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
