/* SPDX-License-Identifier: MIT
 * Times estimated from pieces of the steps, for every option of the FNO (so that every op is run in
 * pieces once): numbers that can be, nothing written but them, nothing left behind. How near they
 * are is for the bench to say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "graph/exec.h"
#include "model/network.h"
#include "unit/model/options.h"

static const int64_t grids[][3] = {{150}, {70, 66}, {6, 5, 7}};

static void check_seconds(mpno_ctx *ctx, const mpno_network *network) {
    const mpno_exec *exec = mpno_network_exec(network);
    const int n = mpno_exec_n_steps(exec);
    const size_t held = mpno_ctx_bytes(ctx);
    double *seconds = malloc((size_t)n * sizeof *seconds), bandwidth = 0;
    if (mpno_exec_estimate(exec, seconds, &bandwidth) != MPNO_OK)
        fail_msg("%s", mpno_ctx_error(ctx));
    for (int s = 0; s < n; s++) assert_true(isfinite(seconds[s]) && seconds[s] > 0);
    assert_true(isfinite(bandwidth) && bandwidth > 0);
    assert_int_equal(mpno_ctx_bytes(ctx), held);
    free(seconds);
}

static void every_option_can_be_estimated(void **state) {
    (void)state;
    for (int i = 0; i < 3 * N_OPTIONS; i++) {
        rig r = make_rig(&options[i / 3], 1 + i % 3, grids[i % 3], i % 5 == 4 ? MPNO_F64 : MPNO_F32,
                         i % 2 ? "mixed" : "full", MPNO_BF16, 2);
        for (int training = 0; training < 2; training++) {
            mpno_network *network;
            mpno_network_opts opts = r.opts;
            opts.training = training == 1;
            opts.unfused = i % 4 == 3;
            assert_int_equal(mpno_network_plan(r.model, &opts, &network), MPNO_OK);
            check_seconds(r.ctx, network);
            mpno_network_destroy(&network);
        }
        drop_rig(&r);
    }
}

/* A network that runs does not notice. */
static void a_network_in_use_stays_as_it_is(void **state) {
    (void)state;
    rig r = make_rig(&options[0], 2, grids[1], MPNO_F32, "mixed", MPNO_F16, 2);
    mpno_network_opts opts = r.opts;
    mpno_step_result result;
    size_t n;
    opts.training = true;
    mpno_network *network = make_network(r.ctx, r.model, &opts);
    assert_int_equal(mpno_network_step(network, OPTION_BATCH, r.x, r.y, 8.0, &result), MPNO_OK);
    double *before = all_gradients(r.model, network, &n);
    const double loss = result.loss;
    check_seconds(r.ctx, network);
    double *after = all_gradients(r.model, network, &n);
    assert_memory_equal(before, after, n * sizeof *before);
    assert_int_equal(mpno_network_step(network, OPTION_BATCH, r.x, r.y, 8.0, &result), MPNO_OK);
    assert_true(result.loss == loss);
    free(before), free(after);
    mpno_network_destroy(&network);
    drop_rig(&r);
}

/* What lives at the step with the most bytes is the lower bound; places hold it. */
static void steps_and_tensors_agree(void **state) {
    (void)state;
    for (int i = 0; i < 2 * N_OPTIONS; i++) {
        rig r =
            make_rig(&options[i / 2], 2, grids[1], MPNO_F32, i % 2 ? "mixed" : "full", MPNO_F16, 2);
        mpno_network *network;
        mpno_network_opts opts = r.opts;
        opts.training = true;
        assert_int_equal(mpno_network_plan(r.model, &opts, &network), MPNO_OK);
        const mpno_exec *exec = mpno_network_exec(network);
        size_t most = 0;
        for (int s = 0; s < mpno_exec_n_steps(exec); s++) {
            const mpno_exec_step step = mpno_exec_step_at(exec, s);
            if (step.live_bytes > most) most = step.live_bytes;
            assert_true(step.scratch_offset + step.scratch_bytes <= mpno_exec_arena_bytes(exec));
        }
        assert_int_equal(most, mpno_exec_lower_bound(exec));
        assert_true(mpno_exec_arena_bytes(exec) >= most);
        assert_true((double)mpno_exec_arena_bytes(exec) <= 1.1 * (double)most);
        for (int t = 0; t < mpno_exec_n_tensors(exec); t++) {
            const mpno_exec_tensor tensor = mpno_exec_tensor_at(exec, t);
            assert_true(tensor.offset + tensor.bytes <= mpno_exec_arena_bytes(exec));
            assert_true(0 <= tensor.first && tensor.first <= tensor.last);
            assert_true(tensor.last < mpno_exec_n_steps(exec));
        }
        mpno_network_destroy(&network);
        drop_rig(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_can_be_estimated),
        cmocka_unit_test(a_network_in_use_stays_as_it_is),
        cmocka_unit_test(steps_and_tensors_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
