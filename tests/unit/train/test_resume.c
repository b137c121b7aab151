/* SPDX-License-Identifier: MIT
 * What the state of a run must carry: every optimiser under every schedule stops and goes on to the
 * same bits; batches in parts, averaged weights and early stopping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "train/checkpoint.h"
#include "train/lr.h"
#include "train/optimizer.h"
#include "unit/train/project.h"

enum { MAX_WORDS = 48 };

/* Keys that make the member's state show: name, then a key and its value. */
static const char *const extras[][3] = {
    {"adamw", "opt.amsgrad", "true"},    {"sgd", "opt.momentum", "0.9"},
    {"step", "opt.step_size", "1"},      {"multistep", "opt.milestones", "[1, 3]"},
    {"cosine_restarts", "opt.t_0", "2"}, {"plateau", "opt.patience", "0"},
    {"plateau", "opt.threshold", "0.5"}};

static int add_words(const char **words, int n, const char *key, const char *name) {
    words[n++] = key;
    words[n++] = name;
    for (size_t i = 0; i < sizeof extras / sizeof extras[0]; i++) {
        if (strcmp(extras[i][0], name) != 0) continue;
        words[n++] = extras[i][1];
        words[n++] = extras[i][2];
    }
    return n;
}

/* Four epochs, and four with a stop after the second. */
static void check_resume(const char *const *words) {
    static int number = 0;
    char whole[16], parts[16];
    snprintf(whole, sizeof whole, "w%d", number);
    snprintf(parts, sizeof parts, "p%d", number++);
    const double error = train(whole, words, false, NULL, MPNO_OK);
    stopper s = {0, 2};
    const mpno_sink sink = {count_lines, &s, false, 80, &s.stop};
    train(parts, words, false, &sink, MPNO_E_STOPPED);
    assert_true(train(parts, words, true, NULL, MPNO_OK) == error);
    assert_same(whole, parts, "last.safetensors");
    assert_same(whole, parts, "best.safetensors");
    assert_same(whole, parts, "metrics.csv");
}

/* `more`: keys that all runs share. */
static void every_pair(const char *const *more) {
    for (int o = 0; mpno_optimizer_rule_get((mpno_optimizer_kind)o); o++) {
        for (int k = 0; k < MPNO_LR_COUNT; k++) {
            const char *words[MAX_WORDS];
            int n = add_words(words, 0, "opt.optimizer",
                              mpno_optimizer_rule_get((mpno_optimizer_kind)o)->name);
            n = add_words(words, n, "opt.scheduler", mpno_lr_name((mpno_lr_kind)k));
            for (int i = 0; more[i]; i++) words[n++] = more[i];
            words[n] = NULL;
            check_resume(words);
        }
    }
}

static void every_optimizer_and_schedule(void **state) {
    (void)state;
    const char *const more[] = {
        "opt.n_epochs",      "4",    "report.tensorboard", "false", "report.html", "false",
        "opt.learning_rate", "1e-3", "opt.weight_decay",   "1e-2",  NULL};
    every_pair(more);
}

static void the_same_with_averages_parts_and_clipping(void **state) {
    (void)state;
    const char *const more[] = {"opt.n_epochs",
                                "4",
                                "report.tensorboard",
                                "false",
                                "report.html",
                                "false",
                                "opt.learning_rate",
                                "1e-3",
                                "opt.ema_decay",
                                "0.9",
                                "opt.accumulate",
                                "2",
                                "opt.grad_clip_norm",
                                "1",
                                "data.n_validation",
                                "4",
                                "opt.early_stopping",
                                "4",
                                "opt.warmup_steps",
                                "5",
                                "precision.policy",
                                "mixed",
                                NULL};
    every_pair(more);
}

/* Running statistics and the numbers that dropout draws are part of the state too. */
static void the_same_with_batch_norm_and_dropout(void **state) {
    (void)state;
    const char *const words[] = {"model.norm",
                                 "batch_norm",
                                 "model.channel_mlp_dropout",
                                 "0.2",
                                 "opt.ema_decay",
                                 "0.9",
                                 "opt.accumulate",
                                 "2",
                                 "opt.n_epochs",
                                 "4",
                                 NULL};
    check_resume(words);
}

/* Narrow moments, random roundings and scales that last from step to step. */
static void the_same_with_narrow_formats(void **state) {
    (void)state;
    static const char *const storages[] = {
        "spectrum=f8e4m3, transform columns=f8e4m3, spectral weight copy=f8e5m2",
        "spectrum=f8e4m3, activation=bf16, weight copy=bf16", "spectrum=e5m6, activation=tf32"};
    static const char *const others[][4] = {{"adamw", "f8e4m3", "stochastic", "tensor"},
                                            {"adam", "bf16", "stochastic", "auto"},
                                            {"lion", "f8e5m2", "nearest", "shell"}};
    for (int i = 0; i < 3; i++) {
        const char *const words[] = {"opt.optimizer",
                                     others[i][0],
                                     "opt.state_format",
                                     others[i][1],
                                     "precision.rounding",
                                     others[i][2],
                                     "precision.scaling",
                                     others[i][3],
                                     "precision.storage",
                                     storages[i],
                                     "opt.n_epochs",
                                     "4",
                                     NULL};
        check_resume(words);
    }
}

static mpno_checkpoint *read_run(const char *output, const char *name) {
    char path[160];
    mpno_checkpoint *checkpoint = NULL;
    snprintf(path, sizeof path, "%s/%s/%s.safetensors", folder, output, name);
    assert_int_equal(mpno_checkpoint_read(ctx, path, &checkpoint), MPNO_OK);
    return checkpoint;
}

/* Two batches of 4 are one of 8, also where 20 samples leave 4. */
static void parts_of_a_batch_are_the_batch(void **state) {
    (void)state;
    static const char *const large[] = {"precision.policy", "f64", "data.batch_size", "8", NULL};
    static const char *const small[] = {
        "precision.policy", "f64", "data.batch_size", "4", "opt.accumulate", "2", NULL};
    const double a = train("large", large, false, NULL, MPNO_OK);
    const double b = train("small", small, false, NULL, MPNO_OK);
    assert_true(fabs(a / b - 1) < 1e-9);
    mpno_checkpoint *one = read_run("large", "last"), *two = read_run("small", "last");
    assert_int_equal(one->state.step, 18);
    assert_int_equal(two->state.step, 18);
    for (size_t i = 0; i < one->file->n; i++) {
        const mpno_named_tensor *x = &one->file->tensors[i], *y = &two->file->tensors[i];
        for (size_t k = 0; k < x->bytes / sizeof(double); k++) {
            const double p = ((const double *)x->data)[k], q = ((const double *)y->data)[k];
            assert_true(fabs(p - q) < 1e-9 * (1 + fabs(p)));
        }
    }
    mpno_checkpoint_destroy(ctx, &one);
    mpno_checkpoint_destroy(ctx, &two);
}

enum { EPOCHS = 6, STEPS = 3, PARTS = 2 }; /* 20 samples in parts of 4, two of them a step */

/* Marks the parts that log.jsonl says overflowed. */
static void read_overflows(const char *output, bool parts[EPOCHS][STEPS * PARTS]) {
    char path[160], line[4096];
    snprintf(path, sizeof path, "%s/%s/log.jsonl", folder, output);
    FILE *log = fopen(path, "r");
    assert_non_null(log);
    while (fgets(line, sizeof line, log)) {
        mpno_value *event = NULL;
        if (!strstr(line, "\"skipped_step\"")) continue;
        assert_int_equal(mpno_json_parse(ctx, "log", line, strlen(line), &event), MPNO_OK);
        parts[mpno_value_get(event, "epoch")->integer - 1]
             [mpno_value_get(event, "batch")->integer - 1] = true;
        mpno_value_destroy(ctx, &event);
    }
    (void)fclose(log);
}

/* A scale too large at first: no step with a part that overflowed is made, even where the part
 * after it would do. */
static void an_overflow_in_a_part_skips_the_step(void **state) {
    (void)state;
    static const char *const words[] = {"precision.policy",
                                        "mixed",
                                        "precision.loss_scale",
                                        "16777216",
                                        "data.batch_size",
                                        "4",
                                        "opt.accumulate",
                                        "2",
                                        NULL};
    bool parts[EPOCHS][STEPS * PARTS] = {{false}};
    int steps = 0, overflows = 0, good_at_the_end = 0;
    assert_true(train("overflow", words, false, NULL, MPNO_OK) > 0);
    read_overflows("overflow", parts);
    for (int e = 0; e < EPOCHS; e++) {
        for (int s = 0; s < STEPS; s++) {
            const bool first = parts[e][PARTS * s], second = parts[e][PARTS * s + 1];
            steps += !first && !second;
            overflows += first + second;
            good_at_the_end += first && !second && s < STEPS - 1;
        }
    }
    assert_true(good_at_the_end > 0);
    mpno_checkpoint *c = read_run("overflow", "last");
    assert_int_equal(c->state.step, steps);
    assert_int_equal(c->state.loss_scale.skipped, overflows);
    assert_true(c->state.loss_scale.scale == ldexp(1, 24 - overflows));
    mpno_checkpoint_destroy(ctx, &c);
}

/* Test error of a checkpoint under one more key. */
static double evaluate(const char *output, const char *key, const char *value) {
    char path[128], *json = NULL;
    mpno_config *config = NULL;
    mpno_value *tree = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, output);
    assert_int_equal(mpno_config_load(ctx, NULL, &config), MPNO_OK);
    if (key) assert_int_equal(mpno_config_override(config, key, value), MPNO_OK);
    if (mpno_eval(ctx, path, config, NULL, NULL, &json) != MPNO_OK)
        fail_msg("%s", mpno_ctx_error(ctx));
    assert_int_equal(mpno_json_parse(ctx, "eval", json, strlen(json), &tree), MPNO_OK);
    const double error =
        mpno_value_get(mpno_value_get(mpno_value_get(tree, "test"), "16"), "l2")->real;
    mpno_value_destroy(ctx, &tree);
    mpno_text_free(ctx, json);
    mpno_config_destroy(&config);
    return error;
}

static void averages_or_trained_weights(void **state) {
    (void)state;
    static const char *const ema[] = {"opt.ema_decay", "0.8", NULL};
    static const char *const raw[] = {"opt.ema_decay", "0.8", "eval.weights", "trained", NULL};
    const double averaged = train("ema", ema, false, NULL, MPNO_OK);
    const double trained = train("raw", raw, false, NULL, MPNO_OK);
    const double plain = train("plain", NULL, false, NULL, MPNO_OK);
    assert_true(trained == plain && averaged != plain);
    assert_true(evaluate("ema", NULL, NULL) == averaged);
    assert_true(evaluate("ema", "eval.weights", "trained") == trained);
    assert_true(evaluate("raw", NULL, NULL) == trained);
    assert_true(evaluate("raw", "eval.weights", "ema") == averaged);
}

static void early_stopping_gives_the_best_weights_back(void **state) {
    (void)state;
    static const char *const words[] = {"data.n_validation",
                                        "4",
                                        "opt.early_stopping",
                                        "3",
                                        "opt.n_epochs",
                                        "200",
                                        "opt.learning_rate",
                                        "0.1",
                                        "opt.ema_decay",
                                        "0.3",
                                        "eval.every",
                                        "50",
                                        NULL};
    char best[64];
    const double error = train("early", words, false, NULL, MPNO_OK);
    mpno_checkpoint *last = read_run("early", "last");
    assert_true(last->state.early.stopped);
    assert_true(last->state.epoch < 200);
    assert_int_equal(last->state.best_epoch, last->state.epoch - 3);
    mpno_checkpoint_destroy(ctx, &last);
    snprintf(best, sizeof best, "early/best.safetensors");
    assert_true(evaluate("early", NULL, NULL) == error);
    assert_true(evaluate(best, NULL, NULL) == error);
    assert_true(train("early", words, true, NULL, MPNO_OK) == error); /* and stays stopped */
    last = read_run("early", "last");
    assert_true(last->state.early.stopped);
    mpno_checkpoint_destroy(ctx, &last);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_optimizer_and_schedule),
        cmocka_unit_test(the_same_with_averages_parts_and_clipping),
        cmocka_unit_test(the_same_with_batch_norm_and_dropout),
        cmocka_unit_test(the_same_with_narrow_formats),
        cmocka_unit_test(parts_of_a_batch_are_the_batch),
        cmocka_unit_test(an_overflow_in_a_part_skips_the_step),
        cmocka_unit_test(averages_or_trained_weights),
        cmocka_unit_test(early_stopping_gives_the_best_weights_back),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
