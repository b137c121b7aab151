/* SPDX-License-Identifier: MIT
 * What changes over the epochs: precision phases, loss scale, learning rate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "train/loss_scale.h"
#include "train/lr.h"
#include "train/schedule.h"

static void boundaries_are_rounded_sums(void **state) {
    (void)state;
    mpno_schedule s;
    assert_int_equal(mpno_schedule_parse(NULL, MPNO_PAPER_SCHEDULE, 15, &s), MPNO_OK);
    assert_int_equal(s.n, 3);
    assert_string_equal(s.phase[0].policy, "mixed");
    assert_string_equal(s.phase[1].policy, "fft32");
    assert_string_equal(s.phase[2].policy, "full");
    assert_true(s.phase[0].tanh && !s.phase[1].tanh && !s.phase[2].tanh);
    assert_true(s.phase[0].first == 0 && s.phase[0].end == 4);  /* 3.75 */
    assert_true(s.phase[1].first == 4 && s.phase[1].end == 11); /* 11.25 */
    assert_true(s.phase[2].first == 11 && s.phase[2].end == 15);
    for (int64_t e = 0; e < 15; e++)
        assert_int_equal(mpno_schedule_at(&s, e), e < 4 ? 0 : e < 11 ? 1 : 2);
    assert_int_equal(mpno_schedule_parse(NULL, MPNO_PAPER_SCHEDULE, 500, &s), MPNO_OK);
    assert_true(s.phase[0].end == 125 && s.phase[1].end == 375);
}

static void empty_phases_are_left_out(void **state) {
    (void)state;
    mpno_schedule s;
    assert_int_equal(mpno_schedule_parse(NULL, MPNO_PAPER_SCHEDULE, 1, &s), MPNO_OK);
    assert_int_equal(s.n, 1);
    assert_string_equal(s.phase[0].policy, "fft32");
    assert_int_equal(s.phase[0].end, 1);
    assert_int_equal(mpno_schedule_parse(NULL, "half", 7, &s), MPNO_OK);
    assert_true(s.n == 1 && s.phase[0].end == 7);
}

static void bad_schedules_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",        "mixed:0.5",      "mixed:0.5,full:0.6", "mixd:1",
        "mixed:x", "mixed:0,full:1", "mixed:-1,full:2",    "mixed:0.5:0.5",
        "schedule"};
    mpno_schedule s;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(mpno_schedule_parse(NULL, bad[i], 10, &s), MPNO_E_CONFIG);
    }
}

static void scale_halves_and_doubles(void **state) {
    (void)state;
    mpno_loss_scale s = mpno_loss_scale_make(1500, 3);
    assert_true(s.scale == 1024);
    mpno_loss_scale_overflow(&s);
    assert_true(s.scale == 512 && s.skipped == 1);
    mpno_loss_scale_good(&s);
    mpno_loss_scale_good(&s);
    assert_true(s.scale == 512);
    mpno_loss_scale_good(&s);
    assert_true(s.scale == 1024 && s.good_steps == 0);
    mpno_loss_scale_good(&s);
    mpno_loss_scale_overflow(&s); /* an overflow starts the count anew */
    for (int i = 0; i < 2; i++) mpno_loss_scale_good(&s);
    assert_true(s.scale == 512 && s.skipped == 2);
    for (int i = 0; i < 100; i++) mpno_loss_scale_overflow(&s);
    assert_true(s.scale == 1);
    for (int i = 0; i < 1000; i++) mpno_loss_scale_good(&s);
    assert_true(s.scale == MPNO_LOSS_SCALE_MAX);
    assert_true(mpno_loss_scale_needed("mixed", MPNO_F16));
    assert_false(mpno_loss_scale_needed("mixed", MPNO_BF16));
    assert_false(mpno_loss_scale_needed("full", MPNO_F16));
}

/* Expected: torch.optim.lr_scheduler, by its closed forms. */
static void rates_are_those_of_pytorch(void **state) {
    (void)state;
    mpno_lr_opts o = {
        .kind = MPNO_LR_none, .base = 1e-2, .gamma = 0.5, .step_size = 20, .t_max = 30};
    assert_true(mpno_lr_at(&o, 77) == 1e-2);
    o.kind = MPNO_LR_step;
    assert_true(mpno_lr_at(&o, 19) == 1e-2 && mpno_lr_at(&o, 20) == 5e-3);
    assert_true(mpno_lr_at(&o, 59) == 2.5e-3 && mpno_lr_at(&o, 60) == 1.25e-3);
    o.kind = MPNO_LR_cosine;
    assert_true(mpno_lr_at(&o, 0) == 1e-2);
    assert_true(fabs(mpno_lr_at(&o, 1) - 0.009972609476841367) < 1e-16);
    assert_true(fabs(mpno_lr_at(&o, 15) - 0.005) < 1e-16);
    assert_true(fabs(mpno_lr_at(&o, 30)) < 1e-16);
    o.eta_min = 1e-3;
    assert_true(fabs(mpno_lr_at(&o, 30) - 1e-3) < 1e-16);
    assert_true(fabs(mpno_lr_at(&o, 60) - 1e-2) < 1e-16);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boundaries_are_rounded_sums), cmocka_unit_test(empty_phases_are_left_out),
        cmocka_unit_test(bad_schedules_are_refused),   cmocka_unit_test(scale_halves_and_doubles),
        cmocka_unit_test(rates_are_those_of_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
