/* SPDX-License-Identifier: MIT
 * What is made of counts: overflow is said so many epochs ahead as the growth says, growth is that
 * of the last epochs, floors are the outermost shells, and healthy tensors are left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "number/format.h"
#include "train/diagnosis.h"

/* A record whose largest values in epochs 1, 1 + step, .. are these. */
static mpno_tensor_record record_of(mpno_format format, const double *largest, int n, int step) {
    mpno_tensor_record r = {.format = format, .remedy = "try something else"};
    strcpy(r.layer, "block 2");
    strcpy(r.name, "columns");
    for (int i = 0; i < n; i++) {
        const float value = (float)largest[i];
        r.census = (mpno_census){.values = 8};
        if (format == MPNO_F16)
            r.census.largest = mpno_f16_from_f32(value);
        else
            r.census.largest = mpno_bf16_from_f32(value);
        mpno_record_end_epoch(&r, 1 + i * step);
        assert_int_equal(r.census.values, 0);
    }
    return r;
}

static void growth_says_when(void **state) {
    (void)state;
    /* twice an epoch, a factor of 65504 / 16384 is left: two epochs */
    const double doubling[] = {1024, 2048, 4096, 8192, 16384};
    mpno_tensor_record r = record_of(MPNO_F16, doubling, 5, 1);
    mpno_diagnosis d = {0};
    assert_true(mpno_diagnose_overflow(&r, false, &d));
    assert_int_equal(d.kind, MPNO_DIAGNOSIS_OVERFLOW_AHEAD);
    assert_string_equal(d.text,
                        "block 2, columns: largest value 1.64e+04 of 65504 (f16), 2.00 times as "
                        "large each epoch: overflow in about 2 epochs; try something else");
    r = record_of(MPNO_F16, doubling, 5, 3); /* looked at every third epoch: sqrt[3](2) each */
    assert_true(!mpno_diagnose_overflow(&r, false, &d)); /* 6 epochs are far */
    r = record_of(MPNO_F16, doubling, 5, 2);
    assert_true(mpno_diagnose_overflow(&r, false, &d));
    assert_non_null(strstr(d.text, "1.41 times as large each epoch: overflow in about 4 epochs"));
}

static void only_the_last_epochs_count(void **state) {
    (void)state;
    const double settled[] = {1, 16, 256, 4096, 4096, 4096, 4096, 4096, 4096, 4096};
    const double late[] = {4096, 4096, 4096, 4096, 4096, 8192, 16384, 24576, 32768, 40960};
    mpno_diagnosis d;
    mpno_tensor_record r = record_of(MPNO_F16, settled, 10, 1);
    assert_int_equal(r.n_epochs, MPNO_RECORD_HISTORY);
    assert_int_equal(r.epoch[0], 3);
    assert_int_equal(r.epoch[MPNO_RECORD_HISTORY - 1], 10);
    assert_true(!mpno_diagnose_overflow(&r, false, &d));
    r = record_of(MPNO_F16, late, 10, 1);
    assert_true(mpno_diagnose_overflow(&r, false, &d));
}

static void near_the_end_is_told_without_growth(void **state) {
    (void)state;
    const double near[] = {40000}, far[] = {32000}, none[] = {0};
    mpno_diagnosis d;
    mpno_tensor_record r = record_of(MPNO_F16, near, 1, 1);
    assert_true(mpno_diagnose_overflow(&r, false, &d));
    assert_non_null(strstr(d.text, "of 65504 (f16), a factor of 1.64 is left"));
    r.gradient = true; /* whose loss scale seeks the largest value */
    assert_true(!mpno_diagnose_overflow(&r, true, &d));
    assert_true(mpno_diagnose_overflow(&r, false, &d));
    r = record_of(MPNO_F16, far, 1, 1);
    assert_true(!mpno_diagnose_overflow(&r, false, &d));
    r = record_of(MPNO_F16, none, 1, 1);
    assert_true(isinf(mpno_record_headroom(&r)));
    assert_true(!mpno_diagnose_overflow(&r, false, &d));
    r = record_of(MPNO_BF16, near, 1, 1);
    assert_true(!mpno_diagnose_overflow(&r, false, &d));
    r = (mpno_tensor_record){.format = MPNO_F16}; /* never looked at */
    assert_true(!mpno_diagnose_overflow(&r, false, &d));
}

static void floors_are_outermost_shells(void **state) {
    (void)state;
    mpno_ctx *ctx;
    assert_int_equal(mpno_ctx_create(NULL, &ctx), MPNO_OK);
    /* signal over noise: shell 2 dips alone, 4 and 5 are lost, 6 is empty */
    mpno_shadow_shell shells[] = {{1e4, 1}, {1e3, 1},  {0.5, 1}, {10, 1},
                                  {0.1, 1}, {1e-3, 1}, {0, 0}};
    const mpno_shadow_line line = {
        .values = 100, .lost = 3, .signal = 1e4, .noise = 1, .n_shells = 7, .shells = shells};
    mpno_tensor_record r = {.format = MPNO_BF16};
    mpno_diagnosis d;
    assert_int_equal(mpno_record_compare(ctx, &r, &line), MPNO_OK);
    assert_true(fabs(r.decibel - 40) < 1e-12);
    assert_true(fabs(r.shells[4] + 10) < 1e-12);
    assert_true(isnan(r.shells[6]));
    assert_int_equal(mpno_record_floor(&r), 4);
    assert_true(mpno_diagnose_floor(&r, &d));
    assert_int_equal(d.kind, MPNO_DIAGNOSIS_ROUNDING_FLOOR);
    assert_non_null(strstr(d.text, "from wave number 4 on the 3 outermost of 7 shells lie below"));
    assert_non_null(strstr(d.text, "format f16 (its rounding is 8 times finer)"));
    r.gradient = true;
    assert_true(!mpno_diagnose_floor(&r, &d));
    r.gradient = false;
    shells[6] = (mpno_shadow_shell){10, 1}; /* the outermost stands above */
    assert_int_equal(mpno_record_compare(ctx, &r, &line), MPNO_OK);
    assert_true(!mpno_diagnose_floor(&r, &d));
    for (int s = 0; s < 7; s++) shells[s] = (mpno_shadow_shell){1, 2};
    assert_int_equal(mpno_record_compare(ctx, &r, &line), MPNO_OK);
    assert_true(mpno_diagnose_floor(&r, &d));
    assert_non_null(strstr(d.text, "in every shell"));
    mpno_record_clear(ctx, &r);
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
}

static void underflow_needs_loss_and_noise(void **state) {
    (void)state;
    mpno_tensor_record r = {.format = MPNO_F16, .compared = 1000, .lost = 500, .decibel = 5};
    mpno_diagnosis d;
    assert_true(mpno_diagnose_underflow(&r, &d));
    assert_non_null(strstr(d.text, "50 % of its values are zero in f16 and not in f32"));
    assert_null(strstr(d.text, "loss_scale"));
    r.gradient = true;
    assert_true(mpno_diagnose_underflow(&r, &d));
    assert_non_null(strstr(d.text, "precision.loss_scale"));
    r.decibel = 40; /* what became zero was nothing beside the rest */
    assert_true(!mpno_diagnose_underflow(&r, &d));
    r.decibel = 5;
    r.lost = 5;
    assert_true(!mpno_diagnose_underflow(&r, &d));
    r.compared = 0;
    assert_true(!mpno_diagnose_underflow(&r, &d));
}

static void half_is_a_matter_of_bytes(void **state) {
    (void)state;
    mpno_diagnosis d;
    const mpno_half_bytes amp = {100, 21, 75, 100}, mixed = {100, 99, 52, 100},
                          small = {100, 99, 70, 100}, full = {100, 0, 100, 100},
                          enough = {100, 50, 58, 100};
    assert_true(mpno_diagnose_half(&amp, "amp", &d));
    assert_non_null(
        strstr(d.text, "policy amp stores 21 % of the bytes of its tensors in 16 bits"));
    assert_true(!mpno_diagnose_half(&mixed, "mixed", &d));
    assert_true(!mpno_diagnose_half(&small, "mixed", &d)); /* buffers of threads */
    assert_true(!mpno_diagnose_half(&full, "full", &d));
    assert_true(!mpno_diagnose_half(&enough, "half", &d));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(growth_says_when),
        cmocka_unit_test(only_the_last_epochs_count),
        cmocka_unit_test(near_the_end_is_told_without_growth),
        cmocka_unit_test(floors_are_outermost_shells),
        cmocka_unit_test(underflow_needs_loss_and_noise),
        cmocka_unit_test(half_is_a_matter_of_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
