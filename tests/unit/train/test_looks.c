/* SPDX-License-Identifier: MIT
 * mpno_eval and mpno_plot where memory fails at one allocation after the other (of later ones at
 * some): an error each time, and nothing is left; options that no caller can mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/memory.h"
#include "mpno/plot.h"
#include "unit/train/project.h"

enum { TRAJECTORIES = 3, STEPS = 5 };
static char data[128], run[128], output[128], table[128];

/* u[trajectory][step][point]: waves that move a point a step. */
static int write_trajectories(void) {
    mpno_tensor_file *file = NULL;
    mpno_named_tensor *u = NULL;
    const int64_t shape[] = {TRAJECTORIES, STEPS, POINTS};
    if (mpno_tensor_file_create(ctx, &file) != MPNO_OK ||
        mpno_tensor_file_add(ctx, file, "u", MPNO_ELEMENT_F32, 3, shape, &u) != MPNO_OK)
        return -1;
    for (int i = 0; i < TRAJECTORIES * STEPS * POINTS; i++) {
        const int trajectory = i / (STEPS * POINTS), step = i / POINTS % STEPS, point = i % POINTS;
        ((float *)u->data)[i] =
            (float)sin(6.283185307179586 * (point - step) / POINTS + trajectory);
    }
    const mpno_status status = mpno_safetensors_write(ctx, data, file);
    mpno_tensor_file_destroy(ctx, &file);
    return status == MPNO_OK ? 0 : -1;
}

static int start_here(void **state) {
    if (start(state) != 0) return -1;
    snprintf(data, sizeof data, "%s/u.safetensors", folder);
    snprintf(run, sizeof run, "%s/run", folder);
    snprintf(output, sizeof output, "%s/p.png", folder);
    snprintf(table, sizeof table, "%s/t.csv", folder);
    if (write_trajectories() != 0) return -1;
    const char *const words[] = {"model.hidden_channels",
                                 "6",
                                 "model.n_layers",
                                 "1",
                                 "model.n_modes",
                                 "[8]",
                                 "data.train",
                                 data,
                                 "data.test",
                                 data,
                                 "data.x_key",
                                 "u",
                                 "data.y_key",
                                 "u",
                                 "data.time_in",
                                 "1",
                                 "opt.n_epochs",
                                 "1",
                                 "output",
                                 run,
                                 "report.html",
                                 "false",
                                 NULL};
    mpno_config *config = NULL;
    mpno_status status = mpno_config_load(ctx, NULL, &config);
    for (int i = 0; words[i] && status == MPNO_OK; i += 2)
        status = mpno_config_override(config, words[i], words[i + 1]);
    if (status == MPNO_OK) status = mpno_train(ctx, config, false, NULL, NULL);
    if (status != MPNO_OK) fprintf(stderr, "%s\n", mpno_ctx_error(ctx));
    mpno_config_destroy(&config);
    return status == MPNO_OK ? 0 : -1;
}

typedef mpno_status (*job)(char **json);

static mpno_status plot_data(char **json) {
    mpno_plot_opts opts = MPNO_PLOT_OPTS_INIT;
    opts.axes = "ntx";
    opts.animate = true;
    return mpno_plot(ctx, data, output, NULL, &opts, NULL, json);
}

static mpno_status plot_spectra(char **json) {
    mpno_plot_opts opts = MPNO_PLOT_OPTS_INIT;
    opts.spectrum = true;
    return mpno_plot(ctx, data, output, NULL, &opts, NULL, json);
}

static mpno_status plot_rollout(char **json) {
    mpno_plot_opts opts = MPNO_PLOT_OPTS_INIT;
    opts.rollout = 2;
    return mpno_plot(ctx, run, output, NULL, &opts, NULL, json);
}

static mpno_status eval_rollout(char **json) {
    mpno_eval_opts opts = MPNO_EVAL_OPTS_INIT;
    opts.rollout = MPNO_EVAL_WHOLE;
    opts.csv = table;
    opts.picture = output;
    return mpno_eval(ctx, run, NULL, &opts, NULL, json);
}

static void memory_may_fail(void **state) {
    (void)state;
    static const job jobs[] = {plot_data, plot_spectra, plot_rollout, eval_rollout};
    for (size_t k = 0; k < sizeof jobs / sizeof *jobs; k++) {
        mpno_status status;
        int64_t n = 0;
        do {
            char *json = NULL;
            mpno_alloc_fail_after(ctx, n);
            n += 1 + n / 8;
            status = jobs[k](&json);
            mpno_alloc_fail_after(ctx, -1);
            if (status != MPNO_OK) assert_int_equal(status, MPNO_E_MEMORY);
            mpno_text_free(ctx, json);
            assert_int_equal(mpno_ctx_bytes(ctx), 0);
        } while (status != MPNO_OK);
        assert_true(n > 20);
    }
}

static void options_are_checked(void **state) {
    (void)state;
    mpno_plot_opts plot = MPNO_PLOT_OPTS_INIT;
    mpno_eval_opts eval = MPNO_EVAL_OPTS_INIT;
    plot.size--;
    eval.size++;
    assert_int_equal(mpno_plot(ctx, data, output, NULL, &plot, NULL, NULL), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(ctx), "MPNO_PLOT_OPTS_INIT"));
    assert_int_equal(mpno_eval(ctx, run, NULL, &eval, NULL, NULL), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(ctx), "MPNO_EVAL_OPTS_INIT"));
    plot = (mpno_plot_opts)MPNO_PLOT_OPTS_INIT;
    plot.rollout = -2;
    assert_int_equal(mpno_plot(ctx, run, output, NULL, &plot, NULL, NULL), MPNO_E_CONFIG);
    eval = (mpno_eval_opts)MPNO_EVAL_OPTS_INIT;
    eval.rollout = -2;
    assert_int_equal(mpno_eval(ctx, run, NULL, &eval, NULL, NULL), MPNO_E_CONFIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(memory_may_fail),
                                       cmocka_unit_test(options_are_checked)};
    return cmocka_run_group_tests(tests, start_here, finish);
}
