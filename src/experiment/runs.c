/* SPDX-License-Identifier: MIT
 * The runs of an experiment: see runs.h. */
#include "experiment/runs.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/checksum.h"
#include "core/clock.h"
#include "core/files.h"
#include "core/memory.h"
#include "experiment/frequency.h"
#include "experiment/statistics.h"
#include "mpno/generate.h"
#include "report/human.h"
#include "train/sink.h"

enum { PATH = 4096 };

/* One run. */
typedef struct run {
    int cell;
    int64_t seed; /* its place in the list */
    bool equal_time;
    int64_t n_epochs; /* of equal_time; 0: as configured */
    char name[160];
} run;

static mpno_status path_of(const mpno_campaign *c, const char *format, const char *name,
                           char out[PATH]) {
    char inside[512];
    snprintf(inside, sizeof inside, format, name);
    return mpno_path_join(c->ctx, c->folder, inside, out, PATH);
}

/* Data and runs say nothing of their own. */
static void discard(void *user, const char *text) {
    (void)user;
    (void)text;
}

static mpno_sink quiet_sink(const mpno_campaign *c) {
    return (mpno_sink){.write = discard, .stop = c->sink != NULL ? c->sink->stop : NULL};
}

/* ---- texts of values ---- */

/* As on a command line; owned by the caller. "@NAME" becomes the file of a set that is made:
 * `folder` in front of data/NAME.h5. */
static mpno_status text_of(const mpno_campaign *c, const mpno_value *value, const char *folder,
                           char **out) {
    mpno_text text = {.ctx = c->ctx};
    mpno_status status = MPNO_OK;
    if (value->kind == MPNO_VALUE_LIST) {
        status = mpno_text_add(&text, "[");
        for (size_t i = 0; i < value->n && status == MPNO_OK; i++) {
            char *item = NULL;
            status = text_of(c, value->items[i], folder, &item);
            if (status == MPNO_OK) status = mpno_text_add(&text, "%s%s", i > 0 ? ", " : "", item);
            mpno_free(c->ctx, item);
        }
        if (status == MPNO_OK) status = mpno_text_add(&text, "]");
    } else if (value->kind == MPNO_VALUE_STRING && value->string[0] == '@') {
        status = mpno_text_add(&text, "%s/data/%s.h5", folder, value->string + 1);
    } else if (value->kind == MPNO_VALUE_STRING) {
        status = mpno_text_add(&text, "%s", value->string);
    } else {
        char *json = NULL;
        status = mpno_json_text(c->ctx, value, false, &json);
        if (status == MPNO_OK) status = mpno_text_add(&text, "%s", json);
        mpno_free(c->ctx, json);
    }
    if (status != MPNO_OK) mpno_text_discard(&text);
    *out = text.data;
    return status;
}

/* ---- data ---- */

static mpno_status set_parameters(mpno_campaign *c, const mpno_value *set,
                                  mpno_generator *generator) {
    for (size_t i = 0; i < set->n; i++) {
        char *text = NULL;
        if (strcmp(set->keys[i], "equation") == 0) continue;
        MPNO_TRY(text_of(c, set->items[i], c->folder, &text));
        const mpno_status status = mpno_generator_set(generator, set->keys[i], text);
        mpno_free(c->ctx, text);
        MPNO_TRY(status);
    }
    return MPNO_OK;
}

static mpno_status make_set(mpno_campaign *c, const char *name, const mpno_value *set) {
    const mpno_value *equation = mpno_value_get(set, "equation");
    char path[PATH];
    mpno_generator *generator = NULL;
    MPNO_CHECK(c->ctx, equation != NULL && equation->kind == MPNO_VALUE_STRING, MPNO_E_CONFIG,
               "%s: made.%s.equation is missing", c->design->name, name);
    MPNO_TRY(path_of(c, "data/%s.h5", name, path));
    if (!mpno_path_exists(path)) mpno_say(c->sink, "making data %s (%s)\n", name, equation->string);
    MPNO_TRY(mpno_generator_create(c->ctx, equation->string, &generator));
    const mpno_sink quiet = quiet_sink(c);
    mpno_status status = set_parameters(c, set, generator);
    if (status == MPNO_OK) status = mpno_generator_run(generator, path, true, &quiet, NULL);
    mpno_generator_destroy(&generator);
    return status;
}

/* ---- configurations ---- */

/* "@NAME" in the base stands for data/NAME.h5, beside base.yaml. */
static mpno_status name_files(mpno_campaign *c, mpno_value *value) {
    for (size_t i = 0; i < value->n; i++) MPNO_TRY(name_files(c, value->items[i]));
    if (value->kind != MPNO_VALUE_STRING || value->string[0] != '@') return MPNO_OK;
    char *text = NULL;
    MPNO_TRY(text_of(c, value, ".", &text));
    mpno_free(c->ctx, value->string);
    value->string = text;
    return MPNO_OK;
}

static mpno_status write_base(mpno_campaign *c) {
    char path[PATH], *text = NULL;
    mpno_value *copy = NULL;
    MPNO_TRY(path_of(c, "%s", "base.yaml", path));
    MPNO_TRY(mpno_value_clone(c->ctx, c->design->base, &copy));
    mpno_status status = name_files(c, copy);
    if (status == MPNO_OK) status = mpno_yaml_text(c->ctx, copy, &text);
    if (status == MPNO_OK) status = mpno_file_write_atomic(c->ctx, path, text, strlen(text));
    mpno_free(c->ctx, text);
    mpno_value_destroy(c->ctx, &copy);
    return status;
}

static mpno_status override_all(const mpno_campaign *c, const mpno_value *keys,
                                mpno_config *config) {
    for (size_t i = 0; keys != NULL && i < keys->n; i++) {
        char *text = NULL;
        MPNO_TRY(text_of(c, keys->items[i], c->folder, &text));
        const mpno_status status = mpno_config_override(config, keys->keys[i], text);
        mpno_free(c->ctx, text);
        if (status != MPNO_OK) return status;
    }
    return MPNO_OK;
}

/* Keys of the command line, but for those of the experiment itself. */
static mpno_status override_by_hand(const mpno_campaign *c, mpno_config *config) {
    for (size_t i = 0; i < c->opts->n_overrides; i++) {
        const char *key = c->opts->overrides[i].key;
        if (strncmp(key, "made.", 5) == 0 || strcmp(key, "seeds") == 0) continue;
        MPNO_TRY(mpno_config_override(config, key, c->opts->overrides[i].value));
    }
    return MPNO_OK;
}

static mpno_status fill_config(const mpno_campaign *c, const run *r, mpno_config *config) {
    char text[PATH];
    for (int a = 0; a < c->design->n_axes; a++)
        MPNO_TRY(override_all(c, mpno_design_keys(c->design, r->cell, a), config));
    MPNO_TRY(override_by_hand(c, config));
    if (r->n_epochs > 0) {
        snprintf(text, sizeof text, "%lld", (long long)r->n_epochs);
        MPNO_TRY(mpno_config_override(config, "opt.n_epochs", text));
    }
    snprintf(text, sizeof text, "%lld", (long long)c->design->seeds[r->seed]);
    MPNO_TRY(mpno_config_override(config, "seed", text));
    MPNO_TRY(mpno_config_override(config, "report.html", "false"));
    return mpno_config_override(config, "report.tensorboard", "false");
}

/* In the context of the run. */
static mpno_status make_config(const mpno_campaign *c, mpno_ctx *ctx, const run *r,
                               mpno_config **out) {
    char path[PATH];
    MPNO_TRY(path_of(c, "%s", "base.yaml", path));
    MPNO_TRY(mpno_config_load(ctx, path, out));
    const mpno_status status = fill_config(c, r, *out);
    if (status != MPNO_OK) mpno_config_destroy(out);
    return status;
}

/* ---- results ---- */

/* Of the resolved configuration and of how it is evaluated: a result is of these alone. */
static mpno_status checksum_of(const mpno_campaign *c, mpno_config *config, char out[24]) {
    const char *yaml = NULL;
    char *evaluate = NULL;
    MPNO_TRY(mpno_config_resolve(config, &yaml));
    if (c->design->evaluate != NULL)
        MPNO_TRY(mpno_json_text(c->ctx, c->design->evaluate, false, &evaluate));
    mpno_crc64 sum;
    mpno_crc64_start(&sum);
    mpno_crc64_add(&sum, yaml, strlen(yaml));
    if (evaluate != NULL) mpno_crc64_add(&sum, evaluate, strlen(evaluate));
    mpno_free(c->ctx, evaluate);
    snprintf(out, 24, "%016" PRIx64, mpno_crc64_value(&sum));
    return MPNO_OK;
}

/* A result that is there already; *out NULL where there is none. */
static mpno_status read_result(const mpno_campaign *c, const run *r, const char *checksum,
                               mpno_value **out) {
    char path[PATH];
    MPNO_TRY(path_of(c, "results/%s.json", r->name, path));
    if (!mpno_path_exists(path)) return MPNO_OK;
    MPNO_TRY(mpno_json_read(c->ctx, path, out));
    const mpno_value *sum = mpno_value_get(*out, "checksum");
    MPNO_CHECK(c->ctx,
               sum != NULL && sum->kind == MPNO_VALUE_STRING && strcmp(sum->string, checksum) == 0,
               MPNO_E_CONFIG,
               "%s is the result of another configuration of this run: choose another folder, or "
               "remove it to run it again",
               path);
    return MPNO_OK;
}

/* What an event of a run's log tells of its cost: the largest "activation_bytes" of its phases, and
 * the sum over epochs of the "step_flops" that were told last. */
typedef struct run_cost {
    int64_t activation_bytes;
    double step_flops, flops_sum;
    int64_t n_epochs;
} run_cost;

static void add_event(run_cost *cost, const mpno_value *event) {
    const mpno_value *bytes = mpno_value_get(event, "activation_bytes");
    const double flops = mpno_value_get_real(event, "step_flops");
    if (bytes != NULL && bytes->kind == MPNO_VALUE_INT && bytes->integer > cost->activation_bytes)
        cost->activation_bytes = bytes->integer;
    if (!isnan(flops)) cost->step_flops = flops;
    if (strcmp(mpno_value_get_string(event, "event", ""), "epoch") != 0) return;
    cost->flops_sum += cost->step_flops;
    cost->n_epochs++;
}

static run_cost cost_of(const mpno_campaign *c, const run *r) {
    char path[PATH], inside[200];
    mpno_mapping file;
    run_cost cost = {0};
    snprintf(inside, sizeof inside, "runs/%s/log.jsonl", r->name);
    if (mpno_path_join(c->ctx, c->folder, inside, path, sizeof path) != MPNO_OK) return cost;
    if (mpno_map_open(c->ctx, path, &file) != MPNO_OK) return cost;
    for (const char *at = (const char *)file.data, *end = at + file.size; at < end;) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        const size_t n = line != NULL ? (size_t)(line - at) : (size_t)(end - at);
        mpno_value *event = NULL;
        if (mpno_json_parse(c->ctx, path, at, n, &event) == MPNO_OK) add_event(&cost, event);
        mpno_value_destroy(c->ctx, &event);
        at += n + 1;
    }
    mpno_map_close(&file);
    return cost;
}

static mpno_status put_cost(const mpno_campaign *c, const run *r, mpno_value *result) {
    const run_cost cost = cost_of(c, r);
    if (cost.activation_bytes > 0)
        MPNO_TRY(mpno_value_set_int(c->ctx, result, "activation_bytes", cost.activation_bytes));
    if (cost.flops_sum == 0) return MPNO_OK; /* no epoch, or a log of an older version */
    return mpno_value_set_real(c->ctx, result, "step_flops",
                               cost.flops_sum / (double)cost.n_epochs);
}

static mpno_status copy_numbers(const mpno_campaign *c, const mpno_value *from,
                                const char *const *keys, size_t n, mpno_value *to) {
    for (size_t i = 0; i < n; i++) {
        const mpno_value *value = mpno_value_get(from, keys[i]);
        mpno_value *copy = NULL;
        if (value == NULL) continue;
        MPNO_TRY(mpno_value_clone(c->ctx, value, &copy));
        MPNO_TRY(mpno_value_set(c->ctx, to, keys[i], copy));
    }
    return MPNO_OK;
}

/* Errors of the test sets in a JSON text of mpno_train or mpno_eval, under tests[evaluation]. */
static mpno_status put_errors(const mpno_campaign *c, const char *json, const char *evaluation,
                              mpno_value *result, mpno_value *tests) {
    static const char *const of_run[] = {"epochs", "seconds_per_epoch", "peak_bytes", "train_loss"};
    static const char *const of_set[] = {"l2", "h1", "mse"};
    mpno_value *tree = NULL, *sets = NULL, *entry = NULL;
    MPNO_TRY(mpno_json_parse(c->ctx, "result", json, strlen(json), &tree));
    mpno_status status = result != NULL
                             ? copy_numbers(c, tree, of_run, sizeof of_run / sizeof *of_run, result)
                             : MPNO_OK;
    const mpno_value *found = mpno_value_get(tree, "test");
    if (status == MPNO_OK) status = mpno_value_set_map(c->ctx, tests, evaluation, &sets);
    for (size_t i = 0; found != NULL && i < found->n && status == MPNO_OK; i++) {
        status = mpno_value_set_map(c->ctx, sets, found->keys[i], &entry);
        if (status == MPNO_OK) status = copy_numbers(c, found->items[i], of_set, 3, entry);
    }
    mpno_value_destroy(c->ctx, &tree);
    return status;
}

/* ---- a run ---- */

static mpno_status evaluate(const mpno_campaign *c, mpno_ctx *ctx, const run *r,
                            const mpno_value *keys, char **json) {
    char path[PATH];
    mpno_config *overrides = NULL;
    MPNO_TRY(path_of(c, "runs/%s", r->name, path));
    MPNO_TRY(mpno_config_load(ctx, NULL, &overrides));
    mpno_status status = override_all(c, keys, overrides);
    if (status == MPNO_OK) status = mpno_eval(ctx, path, overrides, NULL, NULL, json);
    mpno_config_destroy(&overrides);
    return status;
}

/* The messages of a run are those of its own context, whose memory is its own too. */
static mpno_status take_error(const mpno_campaign *c, const mpno_ctx *ctx, mpno_status status) {
    return status == MPNO_OK ? status : mpno_fail(c->ctx, status, "%s", mpno_ctx_error(ctx));
}

static mpno_status measure_rounding(const mpno_campaign *c, mpno_ctx *ctx, const run *r,
                                    mpno_value *result) {
    char path[PATH];
    mpno_value *measured = NULL;
    if (!c->design->spectra) return MPNO_OK;
    MPNO_TRY(path_of(c, "runs/%s", r->name, path));
    MPNO_TRY(take_error(c, ctx, mpno_frequency_rounding(ctx, path, c->ctx, &measured)));
    return mpno_value_set(c->ctx, result, "rounding", measured);
}

/* Precision errors by frequency, where the experiment asks for them. */
static mpno_status measure_spectra(const mpno_campaign *c, mpno_ctx *ctx, const run *r,
                                   const mpno_value *keys, const char *evaluation,
                                   mpno_value *result) {
    char path[PATH];
    mpno_config *overrides = NULL;
    mpno_value *spectra = (mpno_value *)(uintptr_t)mpno_value_get(result, "spectra"),
               *measured = NULL;
    if (!c->design->spectra) return MPNO_OK;
    if (spectra == NULL) MPNO_TRY(mpno_value_set_map(c->ctx, result, "spectra", &spectra));
    MPNO_TRY(path_of(c, "runs/%s", r->name, path));
    MPNO_TRY(take_error(c, ctx, mpno_config_load(ctx, NULL, &overrides)));
    mpno_status status = override_all(c, keys, overrides);
    if (status == MPNO_OK) status = mpno_frequency_measure(ctx, path, overrides, c->ctx, &measured);
    mpno_config_destroy(&overrides);
    MPNO_TRY(take_error(c, ctx, status));
    return mpno_value_set(c->ctx, spectra, evaluation, measured);
}

static mpno_status evaluate_all(const mpno_campaign *c, mpno_ctx *ctx, const run *r,
                                mpno_value *result, mpno_value *tests) {
    const mpno_value *evaluate_as = c->design->evaluate;
    for (size_t i = 0; evaluate_as != NULL && i < evaluate_as->n; i++) {
        char *json = NULL;
        mpno_value *failed = NULL;
        mpno_status status = evaluate(c, ctx, r, evaluate_as->items[i], &json);
        if (status == MPNO_E_NUMERIC) { /* a result, too */
            MPNO_TRY(mpno_value_set_map(c->ctx, tests, evaluate_as->keys[i], &failed));
            continue;
        }
        MPNO_TRY(take_error(c, ctx, status));
        status = put_errors(c, json, evaluate_as->keys[i], NULL, tests);
        mpno_text_free(ctx, json);
        MPNO_TRY(status);
        MPNO_TRY(measure_spectra(c, ctx, r, evaluate_as->items[i], evaluate_as->keys[i], result));
    }
    return MPNO_OK;
}

static mpno_status describe(const mpno_campaign *c, const run *r, const char *checksum,
                            mpno_value *result) {
    mpno_value *cell = NULL;
    MPNO_TRY(mpno_value_set_string(c->ctx, result, "run", r->name));
    MPNO_TRY(mpno_value_set_map(c->ctx, result, "cell", &cell));
    for (int a = 0; a < c->design->n_axes; a++)
        MPNO_TRY(mpno_value_set_string(c->ctx, cell, c->design->axes->keys[a],
                                       mpno_design_label(c->design, r->cell, a)));
    MPNO_TRY(mpno_value_set_int(c->ctx, result, "seed", c->design->seeds[r->seed]));
    MPNO_TRY(mpno_value_set_bool(c->ctx, result, "equal_time", r->equal_time));
    return mpno_value_set_string(c->ctx, result, "checksum", checksum);
}

/* Trains and measures. Numbers that are not finite are a result. */
static mpno_status train(const mpno_campaign *c, mpno_ctx *ctx, const run *r, mpno_config *config,
                         mpno_value *result) {
    char path[PATH], inside[200], *json = NULL;
    mpno_value *tests = NULL;
    snprintf(inside, sizeof inside, "runs/%s/last.safetensors", r->name);
    MPNO_TRY(mpno_path_join(c->ctx, c->folder, inside, path, sizeof path));
    const mpno_sink quiet = quiet_sink(c);
    const mpno_status status = mpno_train(ctx, config, mpno_path_exists(path), &quiet, &json);
    if (status != MPNO_E_NUMERIC) MPNO_TRY(take_error(c, ctx, status));
    MPNO_TRY(mpno_value_set_map(c->ctx, result, "test", &tests));
    MPNO_TRY(put_cost(c, r, result));
    if (status == MPNO_E_NUMERIC) {
        MPNO_TRY(mpno_value_set_string(c->ctx, result, "status", "failed"));
        return mpno_value_set_string(c->ctx, result, "message", mpno_ctx_error(ctx));
    }
    MPNO_TRY(mpno_value_set_string(c->ctx, result, "status", "ok"));
    const mpno_status put = put_errors(c, json, MPNO_AS_TRAINED, result, tests);
    mpno_text_free(ctx, json);
    MPNO_TRY(put);
    MPNO_TRY(measure_rounding(c, ctx, r, result));
    return evaluate_all(c, ctx, r, result, tests);
}

static mpno_status write_result(const mpno_campaign *c, const run *r, const mpno_value *result) {
    char path[PATH];
    MPNO_TRY(path_of(c, "results/%s.json", r->name, path));
    return mpno_json_write(c->ctx, path, result);
}

/* What is said of a run that has ended: "[3/24] policy full, seed 0: L2 0.1243 in 9.9 s, 3 min
 * left". */
static void say_run(const mpno_campaign *c, const run *r, const mpno_value *result,
                    double seconds) {
    char cell[256], time[MPNO_HUMAN_CAPACITY], left[MPNO_HUMAN_CAPACITY], errors[200] = "";
    mpno_design_cell_text(c->design, r->cell, cell, sizeof cell);
    const mpno_value *tests = mpno_value_get(mpno_value_get(result, "test"), MPNO_AS_TRAINED);
    for (size_t i = 0, used = 0; tests != NULL && i < tests->n && used + 60 < sizeof errors; i++) {
        const mpno_value *l2 = mpno_value_get(tests->items[i], "l2");
        if (l2 == NULL) continue;
        used += (size_t)snprintf(errors + used, sizeof errors - used, "%s%.20s L2 %.4f",
                                 i > 0 ? ", " : "", tests->keys[i], l2->real);
    }
    const mpno_value *message = mpno_value_get(result, "message");
    mpno_say(c->sink, "[%d/%d] %s, seed %lld%s: %.110s in %s, about %s left\n", c->done, c->n_runs,
             cell, (long long)c->design->seeds[r->seed], r->equal_time ? ", equal time" : "",
             message != NULL ? message->string : errors, mpno_human_seconds(seconds, time),
             mpno_human_seconds(c->seconds / c->here * (c->n_runs - c->done), left));
}

static mpno_status new_result(mpno_campaign *c, mpno_ctx *ctx, const run *r, mpno_config *config,
                              const char *checksum, mpno_value **out) {
    const double start = mpno_seconds();
    MPNO_TRY(mpno_value_map(c->ctx, out));
    char path[PATH];
    MPNO_TRY(describe(c, r, checksum, *out));
    MPNO_TRY(path_of(c, "runs/%s", r->name, path));
    MPNO_TRY(take_error(c, ctx, mpno_config_override(config, "output", path)));
    MPNO_TRY(train(c, ctx, r, config, *out));
    const double seconds = mpno_seconds() - start;
    MPNO_TRY(mpno_value_set_real(c->ctx, *out, "seconds", seconds));
    MPNO_TRY(write_result(c, r, *out));
    c->seconds += seconds;
    c->here++;
    c->done++;
    say_run(c, r, *out, seconds);
    return MPNO_OK;
}

static mpno_status run_in(mpno_campaign *c, mpno_ctx *ctx, const run *r, mpno_value **out) {
    mpno_config *config = NULL;
    char checksum[24];
    MPNO_TRY(take_error(c, ctx, make_config(c, ctx, r, &config)));
    mpno_status status = take_error(c, ctx, checksum_of(c, config, checksum));
    if (status == MPNO_OK) status = read_result(c, r, checksum, out);
    if (status == MPNO_OK && *out != NULL) c->done++;
    if (status == MPNO_OK && *out == NULL) status = new_result(c, ctx, r, config, checksum, out);
    mpno_config_destroy(&config);
    return status;
}

/* A name that is a file's: letters, digits and what is harmless. */
static void name_run(const mpno_campaign *c, run *r) {
    char cell[120];
    size_t used = 0;
    cell[0] = '\0';
    for (int a = 0; a < c->design->n_axes && used < sizeof cell; a++)
        used += (size_t)snprintf(cell + used, sizeof cell - used, "%s_",
                                 mpno_design_label(c->design, r->cell, a));
    for (char *at = cell; *at != '\0'; at++)
        if (strchr("/\\ :*?\"<>|[],", *at) != NULL) *at = '-';
    snprintf(r->name, sizeof r->name, "%ss%lld%s", cell, (long long)c->design->seeds[r->seed],
             r->equal_time ? "_t" : "");
}

static mpno_status run_one(mpno_campaign *c, int cell, int64_t seed, int64_t n_epochs) {
    run r = {.cell = cell, .seed = seed, .equal_time = n_epochs > 0, .n_epochs = n_epochs};
    mpno_ctx_opts opts = MPNO_CTX_OPTS_INIT;
    mpno_ctx *ctx = NULL;
    name_run(c, &r);
    opts.isa = mpno_ctx_isa(c->ctx);
    opts.n_threads = mpno_ctx_n_threads(c->ctx);
    MPNO_CHECK(c->ctx, mpno_ctx_create(&opts, &ctx) == MPNO_OK, MPNO_E_MEMORY,
               "there is no memory for another run");
    const mpno_status status =
        run_in(c, ctx, &r, mpno_campaign_result(c, cell, seed, n_epochs > 0));
    mpno_ctx_destroy(&ctx);
    return status;
}

/* ---- equal time ---- */

/* Mean seconds of an epoch over the seeds; NaN where none finished. */
static double epoch_seconds(const mpno_campaign *c, int cell, double *epochs) {
    double values[MPNO_MAX_SEEDS];
    size_t n = 0;
    for (int64_t s = 0; s < c->design->n_seeds; s++) {
        const mpno_value *result = *mpno_campaign_result(c, cell, s, false);
        const mpno_value *seconds = mpno_value_get(result, "seconds_per_epoch");
        const mpno_value *count = mpno_value_get(result, "epochs");
        if (seconds == NULL || count == NULL) continue;
        values[n++] = seconds->real;
        *epochs = count->real;
    }
    return mpno_spread_of(values, n).mean;
}

/* Epochs that take as long as the run that this one is compared with, kept in the folder: the first
 * answer counts, however fast the machine is later. 0: none to be run. */
static mpno_status equal_epochs(const mpno_campaign *c, int cell, int64_t *out) {
    char path[PATH], key[16];
    mpno_value *kept = NULL;
    double epochs = 0, reference_epochs = 0;
    const int reference = mpno_design_reference(c->design, cell);
    *out = 0;
    if (reference == cell) return MPNO_OK;
    snprintf(key, sizeof key, "%d", cell);
    MPNO_TRY(path_of(c, "%s", "equal_time.json", path));
    if (mpno_path_exists(path))
        MPNO_TRY(mpno_json_read(c->ctx, path, &kept));
    else
        MPNO_TRY(mpno_value_map(c->ctx, &kept));
    const mpno_value *known = mpno_value_get(kept, key);
    mpno_status status = MPNO_OK;
    if (known != NULL) {
        *out = known->integer;
    } else {
        const double own = epoch_seconds(c, cell, &epochs),
                     other = epoch_seconds(c, reference, &reference_epochs);
        const double wanted = reference_epochs * other / own;
        if (isfinite(wanted)) *out = wanted < 1 ? 1 : llround(wanted);
        status = mpno_value_set_int(c->ctx, kept, key, *out);
        if (status == MPNO_OK) status = mpno_json_write(c->ctx, path, kept);
    }
    mpno_value_destroy(c->ctx, &kept);
    return status;
}

/* ---- all ---- */

static mpno_status open_folders(mpno_campaign *c) {
    static const char *const folders[] = {"data", "runs", "results"};
    char path[PATH];
    for (int i = 0; i < 3; i++) {
        MPNO_TRY(path_of(c, "%s", folders[i], path));
        MPNO_TRY(mpno_folder_create(c->ctx, path));
    }
    return MPNO_OK;
}

static mpno_status run_all(mpno_campaign *c) {
    const mpno_design *d = c->design;
    MPNO_TRY(open_folders(c));
    for (size_t i = 0; d->made != NULL && i < d->made->n; i++)
        MPNO_TRY(make_set(c, d->made->keys[i], d->made->items[i]));
    MPNO_TRY(write_base(c));
    mpno_say(c->sink, "%s: %d runs in %s\n", d->name, c->n_runs, c->folder);
    for (int64_t s = 0; s < d->n_seeds; s++)
        for (int cell = 0; cell < d->n_cells; cell++) MPNO_TRY(run_one(c, cell, s, 0));
    for (int cell = 0; d->equal_time && cell < d->n_cells; cell++) {
        int64_t epochs;
        MPNO_TRY(equal_epochs(c, cell, &epochs));
        for (int64_t s = 0; epochs > 0 && s < d->n_seeds; s++)
            MPNO_TRY(run_one(c, cell, s, epochs));
    }
    return MPNO_OK;
}

mpno_status mpno_campaign_run(mpno_ctx *ctx, const mpno_design *d, const mpno_experiment_opts *opts,
                              const mpno_sink *sink, mpno_campaign *out) {
    mpno_campaign *c = out;
    *c = (mpno_campaign){.ctx = ctx, .design = d, .opts = opts, .sink = sink};
    if (opts->folder != NULL)
        snprintf(c->folder, sizeof c->folder, "%s", opts->folder);
    else
        snprintf(c->folder, sizeof c->folder, "experiments/%s", d->name);
    c->n_runs = d->n_cells * (int)d->n_seeds;
    for (int cell = 0; d->equal_time && cell < d->n_cells; cell++)
        if (mpno_design_reference(d, cell) != cell) c->n_runs += (int)d->n_seeds;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)(2 * d->n_cells) * (size_t)d->n_seeds,
                              sizeof *c->results, &c->results));
    return run_all(c);
}

void mpno_campaign_clear(mpno_campaign *c) {
    const size_t n =
        c->results != NULL ? (size_t)(2 * c->design->n_cells) * (size_t)c->design->n_seeds : 0;
    for (size_t i = 0; i < n; i++) mpno_value_destroy(c->ctx, &c->results[i]);
    mpno_free(c->ctx, c->results);
    *c = (mpno_campaign){0};
}
