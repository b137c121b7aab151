/* SPDX-License-Identifier: MIT
 * What changes over the epochs: precision phases, loss scale, learning rate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "mpno/model.h"
#include "train/config.h"
#include "train/early_stopping.h"
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
    assert_int_equal(s.phase[0].usual, MPNO_STABILIZER_TANH);
    assert_true(s.phase[1].usual == MPNO_STABILIZER_NONE &&
                s.phase[2].usual == MPNO_STABILIZER_NONE);
    assert_true(s.phase[0].first == 0 && s.phase[0].end == 4);  /* 3.75 */
    assert_true(s.phase[1].first == 4 && s.phase[1].end == 11); /* 11.25 */
    assert_true(s.phase[2].first == 11 && s.phase[2].end == 15);
    for (int64_t e = 0; e < 15; e++)
        assert_int_equal(mpno_schedule_at(&s, e, 0), e < 4 ? 0 : e < 11 ? 1 : 2);
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

static void lengths_in_epochs_and_steps(void **state) {
    (void)state;
    mpno_schedule s;
    assert_int_equal(
        mpno_schedule_parse(NULL, "mixed/softsign:2ep, half : 7st ,fft32:0.5,full", 10, &s),
        MPNO_OK);
    assert_int_equal(s.n, 4);
    assert_int_equal(s.phase[0].stabilizer, MPNO_STABILIZER_SOFTSIGN);
    assert_int_equal(s.phase[1].stabilizer, -1);
    mpno_schedule_fit(&s, 5); /* boundaries at steps 10, 17, 42 of 50 */
    assert_true(s.phase[1].first == 2 && s.phase[1].end == 4);
    assert_true(s.phase[3].first == 8 && s.phase[3].end == 10);
    for (int64_t step = 0; step < 60; step++) {
        const int phase = mpno_schedule_at(&s, step / 5, step % 5);
        assert_int_equal(phase, step < 10 ? 0 : step < 17 ? 1 : step < 42 ? 2 : 3);
        assert_int_equal(mpno_schedule_begins(&s, -1, phase, step / 5, step % 5),
                         step == 0 || step == 10 || step == 17 || step == 42);
    }
    assert_int_equal(mpno_schedule_at_end(&s, 3), 2);
    /* longer runs have the same beginning */
    mpno_schedule longer;
    assert_int_equal(mpno_schedule_parse(NULL, "mixed:3ep,full", 2, &s), MPNO_OK);
    assert_int_equal(mpno_schedule_parse(NULL, "mixed:3ep,full", 9, &longer), MPNO_OK);
    assert_true(s.n == 2 && s.phase[0].end == 3 && longer.phase[0].end == 3);
    assert_int_equal(mpno_schedule_parse(NULL, "half:1ep,half:1ep,mixed:1ep", 3, &s), MPNO_OK);
    assert_int_equal(mpno_schedule_parse_levels(NULL, "mixed/prescale,full", 9, &s), MPNO_OK);
    assert_true(s.adaptive && s.n == 2);
    s.level = 1;
    assert_int_equal(mpno_schedule_at(&s, 0, 0), 1);
    assert_int_equal(mpno_schedule_parse_levels(NULL, "mixed:0.5,full:0.5", 9, &s), MPNO_E_CONFIG);
    assert_int_equal(mpno_schedule_parse_levels(NULL, "", 9, &s), MPNO_E_CONFIG);
}

static void bad_schedules_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "mixed:0.5",
                                      "mixed:0.5,full:0.6",
                                      "mixd:1",
                                      "mixed:x",
                                      "mixed:0,full:1",
                                      "mixed:-1,full:2",
                                      "mixed:0.5:0.5",
                                      "schedule",
                                      "mixed:2ep",
                                      "mixed:2xp,full",
                                      "mixed:0st,full",
                                      "mixed:1.5ep,full",
                                      "mixed,full:1ep",
                                      "mixed/tan:1ep,full",
                                      "mixed/learned_tanh:1ep,full",
                                      "mixed:0.6,half:0.6,full"};
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
}

/* What needs it: formats of less range than f32, unless scales of tensors make up for it. */
static void loss_scale_is_for_short_ranges(void **state) {
    static const struct {
        const char *policy, *storage, *scaling;
        int format; /* f16, bf16 */
        bool needed;
    } cases[] = {{"mixed", NULL, "auto", 0, true},
                 {"mixed", NULL, "auto", 1, false},
                 {"full", NULL, "auto", 0, false},
                 {"mixed", NULL, "block", 0, false},
                 {"full", "spectrum=f16", "auto", 0, true},
                 {"full", "block 1/spectrum gradient=f16", "auto", 0, true},
                 {"full", "spectrum=bf16", "auto", 0, false},
                 {"full", "spectrum=f8e4m3", "auto", 0, false},
                 {"full", "spectrum=f8e4m3", "none", 0, true}};
    static const char *const scalings[] = {"none", "tensor", "channel", "shell", "block", "auto"};
    mpno_ctx *ctx;
    (void)state;
    assert_int_equal(mpno_ctx_create(NULL, &ctx), MPNO_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mpno_settings s = {.precision = {.format = cases[i].format,
                                         .storage = (char *)(uintptr_t)cases[i].storage}};
        while (strcmp(scalings[s.precision.scaling], cases[i].scaling) != 0) s.precision.scaling++;
        assert_int_equal(mpno_settings_scale_loss(ctx, &s, cases[i].policy), cases[i].needed);
    }
    mpno_ctx_destroy(&ctx);
}

/* The rates themselves: test_trajectories.c. */
static void plateau_waits_for_the_end_of_the_warm_up(void **state) {
    (void)state;
    const mpno_lr_opts o = {.kind = MPNO_LR_plateau,
                            .base = 1e-2,
                            .gamma = 0.5,
                            .warmup_epochs = 3,
                            .warmup_start = 0.1};
    mpno_lr_state s = mpno_lr_start(&o);
    for (int64_t e = 0; e < 3; e++) {
        assert_true(fabs(mpno_lr_at(&o, &s, e, 100) - 1e-2 * (0.1 + 0.3 * (double)e)) < 1e-16);
        mpno_lr_epoch_end(&o, &s, e, 0.1); /* without progress, but not counted */
    }
    assert_true(mpno_lr_at(&o, &s, 3, 100) == 1e-2);
    mpno_lr_epoch_end(&o, &s, 3, 1);
    assert_true(mpno_lr_at(&o, &s, 4, 100) == 1e-2);
    mpno_lr_epoch_end(&o, &s, 4, 1);
    assert_true(mpno_lr_at(&o, &s, 5, 100) == 5e-3);
}

static void warm_up_by_steps_is_a_factor(void **state) {
    (void)state;
    const mpno_lr_opts o = {.kind = MPNO_LR_step,
                            .base = 1,
                            .gamma = 0.5,
                            .step_size = 1,
                            .warmup_steps = 10,
                            .warmup_start = 0.5};
    const mpno_lr_state s = mpno_lr_start(&o);
    assert_true(mpno_lr_at(&o, &s, 0, 0) == 0.5 && mpno_lr_at(&o, &s, 0, 5) == 0.75);
    assert_true(mpno_lr_at(&o, &s, 1, 5) == 0.375 && mpno_lr_at(&o, &s, 1, 10) == 0.5);
}

static void early_stopping_counts_from_the_last_real_fall(void **state) {
    (void)state;
    static const double errors[] = {1, 0.8, 0.79, 0.75, 0.74, 0.745, 0.741};
    mpno_early_stopping s = mpno_early_stopping_start();
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        assert_false(s.stopped);
        mpno_early_stopping_add(&s, errors[i], 3, 0.02);
    }
    assert_true(s.stopped && s.best == 0.75);
    s = mpno_early_stopping_start();
    mpno_early_stopping_add(&s, NAN, 1, 0); /* no number is no progress */
    assert_true(s.stopped);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boundaries_are_rounded_sums),
        cmocka_unit_test(empty_phases_are_left_out),
        cmocka_unit_test(lengths_in_epochs_and_steps),
        cmocka_unit_test(bad_schedules_are_refused),
        cmocka_unit_test(scale_halves_and_doubles),
        cmocka_unit_test(loss_scale_is_for_short_ranges),
        cmocka_unit_test(plateau_waits_for_the_end_of_the_warm_up),
        cmocka_unit_test(warm_up_by_steps_is_a_factor),
        cmocka_unit_test(early_stopping_counts_from_the_last_real_fall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
