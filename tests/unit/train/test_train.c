/* SPDX-License-Identifier: MIT
 * Whole runs on a small 1-D problem: learning, equal bits (seeds, threads, stopping), checkpoints,
 * configurations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "graph/policy.h"
#include "train/checkpoint.h"
#include "train/config.h"
#include "train/optimizer.h"
#include "unit/train/project.h"

static void learns(void **state) {
    (void)state;
    const char *const few[] = {"opt.n_epochs", "1", NULL}, *const many[] = {"opt.n_epochs", "40",
                                                                            NULL};
    const double early = train("few", few, false, NULL, MPNO_OK);
    const double late = train("many", many, false, NULL, MPNO_OK);
    assert_true(late < 0.3 * early);
}

static void seeds_and_threads(void **state) {
    (void)state;
    const char *const one[] = {"n_threads", "1", NULL}, *const five[] = {"n_threads", "5", NULL};
    const char *const other[] = {"seed", "1", NULL};
    const double a = train("t1", one, false, NULL, MPNO_OK);
    const double b = train("t5", five, false, NULL, MPNO_OK);
    const double c = train("s1", other, false, NULL, MPNO_OK);
    assert_true(a == b && a != c);
    assert_same("t1", "t5", "last.safetensors");
    assert_same("t1", "t5", "best.safetensors");
    assert_same("t1", "t5", "metrics.csv");
}

/* The sums that only the optimiser makes (the norm of all gradients), in mixed precision. */
static void clipped_steps_are_the_same_for_any_threads(void **state) {
    (void)state;
    static const char *const counts[] = {"1", "2", "3", "5", "8"};
    for (int i = 0; i < 5; i++) {
        char name[8];
        const char *const with[] = {"n_threads",
                                    counts[i],
                                    "opt.grad_clip_norm",
                                    "1e-3",
                                    "precision.policy",
                                    "mixed",
                                    "opt.n_epochs",
                                    "2",
                                    NULL};
        snprintf(name, sizeof name, "c%s", counts[i]);
        (void)train(name, with, false, NULL, MPNO_OK);
        assert_same("c1", name, "last.safetensors");
    }
}

static void resumed_equals_never_stopped(void **state) {
    (void)state;
    static const char *const variants[][7] = {
        {"precision.policy", "full", NULL},
        {"precision.policy", "schedule", "opt.scheduler", "cosine", NULL},
        {"precision.policy", "mixed", "data.n_validation", "4", "opt.convention", "neuralop", NULL},
    };
    static const char *const names[][2] = {{"w0", "p0"}, {"w1", "p1"}, {"w2", "p2"}};
    for (int i = 0; i < 3; i++) {
        const double whole = train(names[i][0], variants[i], false, NULL, MPNO_OK);
        for (int lines = 1; lines < 4; lines += 2) {
            stopper s = {0, lines == 1 ? 1 : 2};
            const mpno_sink sink = {count_lines, &s, false, 80, &s.stop};
            train(names[i][1], variants[i], lines > 1, &sink, MPNO_E_STOPPED);
        }
        assert_true(train(names[i][1], variants[i], true, NULL, MPNO_OK) == whole);
        assert_same(names[i][0], names[i][1], "last.safetensors");
        assert_same(names[i][0], names[i][1], "best.safetensors");
        assert_same(names[i][0], names[i][1], "metrics.csv");
    }
}

static void refusals(void **state) {
    (void)state;
    const char *const other[] = {"opt.beta2", "0.99", NULL}, *const wide[] = {"model.n_layers", "3",
                                                                              NULL};
    const char *const modes[] = {"model.n_modes", "[17]", NULL}, *const channels[] = {
                                                                     "model.out_channels", "2",
                                                                     NULL};
    train("base", NULL, false, NULL, MPNO_OK);
    train("base", NULL, false, NULL, MPNO_E_CONFIG);
    assert_non_null(strstr(mpno_ctx_error(ctx), "--resume"));
    train("base", other, true, NULL, MPNO_E_CONFIG);
    assert_non_null(strstr(mpno_ctx_error(ctx), "opt.beta2 is 0.99"));
    train("base", wide, true, NULL, MPNO_E_CONFIG);
    assert_non_null(strstr(mpno_ctx_error(ctx), "model.n_layers"));
    train("new", modes, false, NULL, MPNO_E_CONFIG);
    assert_non_null(strstr(mpno_ctx_error(ctx), "above the 16 points"));
    train("new", channels, false, NULL, MPNO_E_CONFIG);
    train("new", NULL, true, NULL, MPNO_E_IO);
}

static void eval_repeats_the_run(void **state) {
    (void)state;
    const char *const scheduled[] = {"precision.policy", "schedule", NULL};
    const double expected = train("for_eval", scheduled, false, NULL, MPNO_OK);
    char path[128], *json = NULL, text[64];
    snprintf(path, sizeof path, "%s/for_eval", folder);
    assert_int_equal(mpno_eval(ctx, path, NULL, NULL, NULL, &json), MPNO_OK);
    mpno_value *tree = NULL;
    assert_int_equal(mpno_json_parse(ctx, "eval", json, strlen(json), &tree), MPNO_OK);
    assert_true(mpno_value_get(mpno_value_get(mpno_value_get(tree, "test"), "16"), "l2")->real ==
                expected);
    snprintf(text, sizeof text, "%s", mpno_value_get(tree, "policy")->string);
    assert_string_equal(text, "full");
    mpno_value_destroy(ctx, &tree);
    mpno_text_free(ctx, json);
}

static void another_architecture_is_named(void **state) {
    (void)state;
    train("arch", NULL, false, NULL, MPNO_OK);
    char path[128];
    mpno_checkpoint *checkpoint = NULL;
    mpno_model *model = NULL;
    snprintf(path, sizeof path, "%s/arch", folder);
    assert_int_equal(mpno_checkpoint_read(ctx, path, &checkpoint), MPNO_OK);
    assert_int_equal(checkpoint->state.epoch, 6);
    assert_int_equal(checkpoint->state.step, 18); /* batches of 8, 8 and 4 */
    mpno_phase phase = {.policy = "full"};
    mpno_fno_config config = mpno_settings_model(&checkpoint->settings, &phase);
    config.hidden_channels = 8;
    assert_int_equal(mpno_model_create(ctx, &config, MPNO_F32, 0, &model), MPNO_OK);
    assert_int_equal(mpno_checkpoint_load_model(ctx, checkpoint, model), MPNO_E_FORMAT);
    assert_non_null(
        strstr(mpno_ctx_error(ctx), "fno_blocks.convs.0.bias is (6, 1), the model's is (8, 1)"));
    mpno_model_destroy(&model);
    mpno_checkpoint_destroy(ctx, &checkpoint);
}

static void resolved_text_is_the_same_configuration(void **state) {
    (void)state;
    const char *const more[] = {"precision.policy",
                                "schedule",
                                "model.norm",
                                "group_norm",
                                "opt.learning_rate",
                                "0.1",
                                "seed",
                                "9",
                                NULL};
    mpno_config *a = make_config("text", more), *b = NULL;
    const char *first = NULL, *second = NULL;
    char path[128];
    assert_int_equal(mpno_config_resolve(a, &first), MPNO_OK);
    snprintf(path, sizeof path, "%s/text.yaml", folder);
    assert_int_equal(mpno_file_write_atomic(ctx, path, first, strlen(first)), MPNO_OK);
    assert_int_equal(mpno_config_load(ctx, path, &b), MPNO_OK);
    assert_int_equal(mpno_config_resolve(b, &second), MPNO_OK);
    assert_string_equal(first, second);
    assert_non_null(strstr(first, "mixed:0.25,fft32:0.5,full:0.25"));
    mpno_config_destroy(&a);
    mpno_config_destroy(&b);
}

/* In a context of its own: peaks never fall. */
static void plan_knows_the_peak(void **state) {
    const char *const *more = *state;
    mpno_ctx *shared = ctx;
    mpno_value *tree = NULL;
    char *json = NULL;
    assert_int_equal(mpno_ctx_create(NULL, &ctx), MPNO_OK);
    mpno_config *config = make_config(more[1], more);
    assert_int_equal(mpno_plan(ctx, config, NULL, NULL, &json), MPNO_OK);
    const size_t planning = mpno_ctx_peak_bytes(ctx);
    assert_int_equal(mpno_json_parse(ctx, "plan", json, strlen(json), &tree), MPNO_OK);
    const mpno_value *mixed = mpno_value_get(mpno_value_get(tree, "policies"), "mixed");
    const double planned = mpno_value_get(mixed, "run_peak_bytes")->real;
    mpno_value_destroy(ctx, &tree);
    mpno_text_free(ctx, json);
    mpno_config_destroy(&config);
    train(more[1], more, false, NULL, MPNO_OK);
    const double peak = (double)mpno_ctx_peak_bytes(ctx);
    assert_true(fabs(planned / peak - 1) < 0.05);
    assert_true((double)planning < 0.5 * peak); /* nothing large was allocated to know it */
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
    ctx = shared;
}

/* The choices of config.def follow the tables and enums of other layers. */
static void choices_follow_their_tables(void **state) {
    (void)state;
    mpno_settings s;
    char name[32];
    assert_int_equal(mpno_settings_default(ctx, &s), MPNO_OK);
    for (int i = 0; i < mpno_policy_count(); i++) {
        s.precision.policy = i;
        assert_string_equal(mpno_settings_choice(&s, "precision.policy", name, sizeof name),
                            mpno_policy_name(i));
    }
    s.precision.policy = MPNO_POLICY_SCHEDULE;
    assert_string_equal(mpno_settings_choice(&s, "precision.policy", name, sizeof name),
                        "schedule");
    s.precision.policy = MPNO_POLICY_F64;
    assert_string_equal(mpno_settings_choice(&s, "precision.policy", name, sizeof name), "f64");
    s.model.fno_skip = MPNO_SKIP_SOFT_GATING;
    assert_string_equal(mpno_settings_choice(&s, "model.fno_skip", name, sizeof name),
                        "soft-gating");
    s.model.norm = MPNO_NORM_INSTANCE;
    assert_string_equal(mpno_settings_choice(&s, "model.norm", name, sizeof name), "instance_norm");
    for (int i = 0; mpno_optimizer_rule_get((mpno_optimizer_kind)i); i++) {
        s.opt.optimizer = i;
        assert_string_equal(mpno_settings_choice(&s, "opt.optimizer", name, sizeof name),
                            mpno_optimizer_rule_get((mpno_optimizer_kind)i)->name);
    }
    s.opt.optimizer = MPNO_OPTIMIZER_LION;
    assert_string_equal(mpno_settings_choice(&s, "opt.optimizer", name, sizeof name), "lion");
    s.eval.weights = MPNO_WEIGHTS_EMA;
    assert_string_equal(mpno_settings_choice(&s, "eval.weights", name, sizeof name), "ema");
    for (int i = 0; i < MPNO_LR_COUNT; i++) {
        s.opt.scheduler = i;
        assert_string_equal(mpno_settings_choice(&s, "opt.scheduler", name, sizeof name),
                            mpno_lr_name((mpno_lr_kind)i));
    }
    mpno_settings_clear(ctx, &s);
}

int main(void) {
    static const char *adamw[] = {"opt.optimizer",
                                  "adamw",
                                  "precision.policy",
                                  "mixed",
                                  "opt.n_epochs",
                                  "1",
                                  "model.hidden_channels",
                                  "64",
                                  NULL};
    static const char *sgd[] = {"opt.optimizer",
                                "sgd",
                                "opt.momentum",
                                "0.9",
                                "opt.ema_decay",
                                "0.9",
                                "opt.accumulate",
                                "2",
                                "opt.n_epochs",
                                "1",
                                "precision.policy",
                                "mixed",
                                "model.hidden_channels",
                                "64",
                                NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns),
        cmocka_unit_test(seeds_and_threads),
        cmocka_unit_test(clipped_steps_are_the_same_for_any_threads),
        cmocka_unit_test(resumed_equals_never_stopped),
        cmocka_unit_test(refusals),
        cmocka_unit_test(eval_repeats_the_run),
        cmocka_unit_test(another_architecture_is_named),
        cmocka_unit_test(resolved_text_is_the_same_configuration),
        {"plan_knows_the_peak", plan_knows_the_peak, NULL, NULL, adamw},
        {"plan_knows_the_peak_with_averages_and_parts", plan_knows_the_peak, NULL, NULL, sgd},
        cmocka_unit_test(choices_follow_their_tables),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
