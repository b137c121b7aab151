/* SPDX-License-Identifier: MIT
 * Plans of least time, formats and cuts of modes together. Times are made up, by what tensors take,
 * so that the same plan comes out each time: it is the best of all choices by its own numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/memory.h"
#include "train/tolerance.h"
#include "unit/train/project.h"

static mpno_status by_bytes(const mpno_exec *exec, double *seconds) {
    *seconds = 0;
    for (int i = 0; i < mpno_exec_n_tensors(exec); i++)
        *seconds += (double)mpno_exec_tensor_at(exec, i).bytes * (10 + i); /* blocks differ */
    return MPNO_OK;
}

static int train_it(void **state) {
    if (start(state) != 0) return -1;
    (void)train("run", (const char *[]){"precision.policy", "mixed", NULL}, false, NULL, MPNO_OK);
    return 0;
}

static mpno_tolerance_job *make_plan(mpno_restored *restored, const mpno_tolerance_opts *opts) {
    char path[128];
    mpno_tolerance_job *j;
    snprintf(path, sizeof path, "%s/run", folder);
    assert_int_equal(mpno_restore(ctx, path, NULL, restored), MPNO_OK);
    assert_int_equal(mpno_alloc(ctx, sizeof *j, &j), MPNO_OK);
    j->ctx = ctx;
    j->restored = restored;
    j->opts = opts;
    j->estimate = by_bytes;
    if (mpno_tolerance_make(j) != MPNO_OK) fail_msg("%s", mpno_ctx_error(ctx));
    return j;
}

static void drop(mpno_tolerance_job *j, mpno_restored *restored) {
    mpno_tolerance_clear(j);
    mpno_free(ctx, j);
    mpno_restored_clear(ctx, restored);
}

static bool is_cut(const mpno_tolerance_cut *c) {
    return c->modes[c->choice] < c->all;
}

/* The seconds of the network of everything in f32 with a choice of a cut, less those without. */
static double saved_by(const mpno_tolerance_job *j, const mpno_tolerance_cut *c, int choice) {
    mpno_tolerance_modes modes = {{0}};
    mpno_tolerance_use uses[2] = {j->policies[0], j->policies[0]};
    modes[c->block][c->axis] = c->modes[choice];
    uses[1].modes = (const mpno_tolerance_modes *)&modes;
    assert_int_equal(mpno_tolerance_times(j, uses, 2), MPNO_OK);
    return uses[1].seconds - uses[0].seconds;
}

/* The least seconds that site number `at` and those behind it can add within what is left of the
 * square: every choice is looked at. */
static double least_seconds(const mpno_tolerance_job *j, int at, double left) {
    double least = INFINITY;
    if (at == j->n_sites + j->n_cuts) return 0;
    for (int k = 0; k < MPNO_PLANNER_CHOICES; k++) {
        const bool site = at < j->n_sites;
        const double error = site ? j->sites[at].error[k] : j->cuts[at - j->n_sites].error[k],
                     seconds = site ? j->sites[at].seconds[k] : j->cuts[at - j->n_sites].seconds[k];
        if (!(error * error <= left)) continue;
        least = fmin(least, seconds + least_seconds(j, at + 1, left - error * error));
    }
    return least;
}

static void the_fastest_choice_is_found(void **state) {
    (void)state;
    mpno_restored restored;
    mpno_tolerance_opts opts = MPNO_TOLERANCE_OPTS_INIT;
    opts.minimise = MPNO_MINIMISE_TIME;
    opts.tolerance = 0.2;
    mpno_tolerance_job *j = make_plan(&restored, &opts);
    double seconds = 0, square = 0;
    int cuts = 0, narrow = 0;
    assert_null(j->standard);
    for (int i = 0; i < j->n_cuts; i++) {
        const mpno_tolerance_cut *c = &j->cuts[i];
        seconds += c->seconds[c->choice];
        square += c->error[c->choice] * c->error[c->choice];
        cuts += is_cut(c);
        for (int k = 1; k < MPNO_PLANNER_CHOICES; k++)
            if (isfinite(c->error[k])) {
                assert_true(c->seconds[k] < 0);
                assert_float_equal(c->seconds[k], saved_by(j, c, k), 0);
            }
    }
    for (int i = 0; i < j->n_sites; i++) {
        const mpno_tolerance_site *s = &j->sites[i];
        seconds += s->seconds[s->choice];
        square += s->error[s->choice] * s->error[s->choice];
        narrow += s->choice > 0;
    }
    assert_true(cuts > 0 && narrow > 0);
    const double within = j->tolerance / j->safety, f32 = j->policies[0].error,
                 budget = within * within - f32 * f32;
    assert_true(square <= budget);
    assert_float_equal(seconds, least_seconds(j, 0, budget), 1e-9 * fabs(seconds));
    assert_non_null(j->plan.modes);
    assert_true(j->plan.worst <= opts.tolerance);
    assert_true(j->plan.seconds < j->policies[0].seconds);
    for (int i = 0; i < j->n_policies; i++)
        if (j->policies[i].worst <= opts.tolerance)
            assert_true(j->policies[i].seconds >= 0.97 * j->plan.seconds);
    drop(j, &restored);
}

static void plans_are_the_same_each_time(void **state) {
    (void)state;
    char storage[MPNO_TOLERANCE_STORAGE] = "";
    mpno_tolerance_modes modes = {{0}};
    for (int time = 0; time < 2; time++) {
        mpno_restored restored;
        mpno_tolerance_opts opts = MPNO_TOLERANCE_OPTS_INIT;
        opts.minimise = MPNO_MINIMISE_TIME;
        opts.tolerance = 0.05;
        mpno_tolerance_job *j = make_plan(&restored, &opts);
        assert_null(j->standard);
        if (time == 1) {
            assert_string_equal(j->storage, storage);
            assert_memory_equal(j->modes, modes, sizeof modes);
        }
        memcpy(storage, j->storage, sizeof storage);
        memcpy(modes, j->modes, sizeof modes);
        drop(j, &restored);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_fastest_choice_is_found),
                                       cmocka_unit_test(plans_are_the_same_each_time)};
    return cmocka_run_group_tests(tests, train_it, finish);
}
