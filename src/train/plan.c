/* SPDX-License-Identifier: MIT
 * mpno_plan: what a configuration costs, from shapes alone. Weights are declared but never
 * allocated, networks are planned but never made; of the data only the shapes are used. See
 * mpno/run.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "data/select.h"
#include "model/model.h"
#include "model/network.h"
#include "mpno/run.h"
#include "report/human.h"
#include "train/budget.h"
#include "train/lipschitz.h"
#include "train/objective.h"
#include "train/optimizer.h"
#include "train/sink.h"
#include "train/timeline.h"
#include "train/trainer.h"

/* Shapes of a data file, and what reading it takes. */
typedef struct shape {
    int ndim;
    int64_t grid[MPNO_MAX_AXES], out_grid[MPNO_MAX_AXES];
    int64_t n, in_values, out_values; /* numbers of a sample */
    int64_t n_features;
    size_t file_bytes;
    int64_t validation; /* of n, those that are not trained on */
    /* of training: the largest batch, and batches an epoch; 0: an earlier set on this grid has the
     * network */
    int64_t batch, batches;
} shape;

static shape shape_of(const mpno_dataset *data, int64_t n) {
    shape out = {.ndim = data->ndim,
                 .n = n,
                 .in_values = data->points * data->in_channels,
                 .out_values = data->out_points * data->out_channels,
                 .n_features = data->n_features};
    memcpy(out.grid, data->grid, sizeof out.grid);
    memcpy(out.out_grid, data->out_grid, sizeof out.out_grid);
    return out;
}

/* The first sample or trajectory alone, whatever the size of the file; how many there are and what
 * all of them take there. */
static mpno_status read_first(mpno_ctx *ctx, const mpno_settings *s, const char *path,
                              bool training, int64_t n_samples, mpno_dataset **out, int64_t *n,
                              size_t *file_bytes) {
    mpno_tensor_file *file = NULL;
    mpno_dataset_opts opts = training ? mpno_sets_training_opts(s) : mpno_sets_dataset_opts(s);
    const char *keys[3];
    const size_t n_keys = mpno_sets_keys(s, keys);
    mpno_select_opts first = {.axes = s->data.axes,
                              .time = opts.time.in > 0,
                              .n = n_keys,
                              .n_required = n_keys,
                              .keys = keys,
                              .n_samples = 1};
    MPNO_TRY(mpno_tensor_file_select(ctx, path, &first, &file));
    opts.n_samples = 1;
    mpno_status status = mpno_dataset_from_tensors(ctx, path, file, &opts, out);
    *n = first.available;
    if (n_samples != MPNO_UNSET && n_samples < *n) *n = n_samples;
    *file_bytes = 0;
    for (size_t i = 0; i < file->n; i++) *file_bytes += file->tensors[i].bytes * (size_t)*n;
    mpno_tensor_file_destroy(ctx, &file);
    return status;
}

static mpno_status read_shape(mpno_ctx *ctx, const mpno_settings *s, const char *path,
                              int64_t n_samples, shape *out) {
    mpno_dataset *data = NULL;
    int64_t n = 0;
    size_t file_bytes = 0;
    MPNO_TRY(read_first(ctx, s, path, false, n_samples, &data, &n, &file_bytes));
    *out = shape_of(data, n * data->windows);
    out->file_bytes = file_bytes;
    mpno_dataset_destroy(ctx, &data);
    return MPNO_OK;
}

/* Bytes of n samples in memory. */
static size_t sample_bytes(const shape *x, int64_t n, mpno_format format) {
    return (size_t)(n * (x->in_values + x->out_values + x->n_features)) * mpno_format_bytes(format);
}

/* What is asked of one network. */
typedef struct need {
    size_t weights, state, activations, total;
    size_t tables; /* of the network object itself: graph, transforms */
    double flops;
} need;

enum { MAX_SETS = 64 };

typedef struct planner {
    mpno_ctx *ctx;
    const mpno_settings *settings;
    const mpno_sink *sink;
    mpno_model *model;
    int64_t test_batch, n_train;
    shape train[MAX_SETS], tests[MAX_SETS];
    size_t n_sets, n_tests;
    const shape *finest;   /* of the training sets: what tables of layers and tensors are about */
    size_t states;         /* as large as the weights: in a checkpoint */
    size_t arrays;         /* bytes of all that an optimiser and averages keep */
    size_t weights, limit; /* bytes */
    int64_t micro_batch;   /* 0: as memory_limit allows */
    bool estimate;
    const char *svg; /* NULL: none */
} planner;

static mpno_status network_opts(const planner *p, const char *policy, bool training,
                                const shape *on, int64_t batch, mpno_network_opts *out) {
    mpno_network_opts opts;
    MPNO_TRY(mpno_settings_network(p->ctx, p->settings, policy, &opts));
    memcpy(opts.grid, on->grid, sizeof opts.grid);
    memcpy(opts.output_grid, on->out_grid, sizeof opts.output_grid);
    opts.capacity = batch;
    opts.training = training;
    *out = opts;
    return MPNO_OK;
}

static mpno_status find_need(const planner *p, const mpno_network_opts *opts, need *out) {
    mpno_network *network = NULL;
    const size_t before = mpno_ctx_bytes(p->ctx);
    MPNO_TRY(mpno_network_plan(p->model, opts, &network));
    const mpno_network_cost cost = mpno_network_get_cost(network);
    *out = (need){.weights = p->weights, .activations = cost.activation_bytes, .flops = cost.flops};
    out->tables = mpno_ctx_bytes(p->ctx) - before;
    out->state = cost.weight_copy_bytes;
    if (opts->training) out->state += cost.gradient_bytes + p->arrays;
    out->total = out->weights + out->state + out->activations;
    mpno_network_destroy(&network);
    return MPNO_OK;
}

static bool same_grids(const shape *a, const shape *b) {
    return memcmp(a->grid, b->grid, sizeof a->grid) == 0 &&
           memcmp(a->out_grid, b->out_grid, sizeof a->out_grid) == 0;
}

/* Samples of training set i in memory; of streamed ones the files of a grid share their windows. */
static int64_t resident_samples(const planner *p, size_t i) {
    const shape *set = &p->train[i];
    int64_t all = 0;
    if (p->settings->data.streaming != MPNO_STREAMING_ALWAYS) return set->n;
    for (size_t k = 0; k < p->n_sets; k++) {
        if (!same_grids(&p->train[k], set)) continue;
        if (k < i) return set->validation;
        all += p->train[k].n - p->train[k].validation;
    }
    const int64_t window = p->settings->data.window;
    return set->validation + MPNO_LOADER_WINDOWS * (window < all ? window : all);
}

/* What the data of a run take: samples, one batch, their order. */
static size_t data_bytes(const planner *p) {
    const mpno_format format = mpno_model_arithmetic(p->model);
    size_t bytes =
        (size_t)p->n_train * sizeof(int64_t) + sample_bytes(p->finest, p->finest->batch, format);
    for (size_t i = 0; i < p->n_sets; i++)
        bytes += sample_bytes(&p->train[i], resident_samples(p, i), format);
    for (size_t i = 0; i < p->n_tests; i++)
        bytes += sample_bytes(&p->tests[i], p->tests[i].n, format);
    return bytes;
}

/* Of an evaluation beside `held` bytes: as many samples at once as fit (memory_limit). */
static mpno_status evaluation_bytes(const planner *p, const char *policy, const shape *test,
                                    size_t held, size_t *out) {
    const int64_t batch = test->n < p->test_batch ? test->n : p->test_batch;
    const size_t y =
        (size_t)(batch * test->out_values) * mpno_format_bytes(mpno_model_arithmetic(p->model));
    const mpno_budget budget = {.limit = p->limit, .held = held + y, .use = "evaluation"};
    mpno_network_opts opts;
    need n;
    MPNO_TRY(network_opts(p, policy, false, test, batch, &opts));
    if (mpno_budget_divide(&budget, p->model, &opts, 1) != MPNO_OK) opts.micro_batch = 1;
    MPNO_TRY(find_need(p, &opts, &n));
    *out = n.state + n.activations + n.tables + y;
    return MPNO_OK;
}

/* Beside data, weights and networks of training, for a while: a checkpoint, an evaluation. */
static mpno_status passing_bytes(const planner *p, const char *policy, size_t held, size_t *out) {
    *out = mpno_checkpoint_need(p->model, p->states, p->settings->opt.state_format != 0);
    for (size_t i = 0; i < p->n_tests; i++) {
        size_t evaluation;
        MPNO_TRY(evaluation_bytes(p, policy, &p->tests[i], held, &evaluation));
        if (evaluation > *out) *out = evaluation;
    }
    return MPNO_OK;
}

/* The networks of training, one for each grid, as memory_limit and micro_batch divide their
 * batches; finest: which of them is on the finest grid. strict: an error where they do not fit,
 * else one sample at a time. */
static mpno_status training_opts(const planner *p, const char *policy, bool strict,
                                 mpno_network_opts opts[MAX_SETS], size_t *n, size_t *finest) {
    mpno_budget budget = {.limit = p->limit, .micro_batch = p->micro_batch, .use = "training"};
    *n = 0;
    for (size_t i = 0; i < p->n_sets; i++) {
        if (p->train[i].batch == 0) continue;
        if (&p->train[i] == p->finest) *finest = *n;
        MPNO_TRY(network_opts(p, policy, true, &p->train[i], p->train[i].batch, &opts[(*n)++]));
    }
    if (budget.limit > 0) /* what is left to an evaluation is one sample */
        MPNO_TRY(passing_bytes(p, policy, budget.limit, &budget.held));
    budget.held += data_bytes(p) + p->weights + p->arrays;
    const mpno_status status = mpno_budget_divide(&budget, p->model, opts, *n);
    if (strict || status == MPNO_OK) return status;
    for (size_t i = 0; i < *n; i++) opts[i].micro_batch = 1;
    return MPNO_OK;
}

/* The network that predicts the steps of a roll-out: (rollout.steps - 1) / 2 of them a batch. */
static mpno_status add_ahead(const planner *p, const mpno_network_opts *training, const shape *on,
                             need *out) {
    mpno_network_opts opts = *training;
    need n;
    if (p->settings->rollout.steps == 1) return MPNO_OK;
    opts.training = false;
    MPNO_TRY(find_need(p, &opts, &n));
    out->state += n.state;
    out->activations += n.activations;
    out->tables += n.tables;
    out->flops += n.flops * (double)on->batches * (double)(p->settings->rollout.steps - 1) / 2;
    return MPNO_OK;
}

/* All networks of training; operations are the mean over the batches of an epoch. */
static mpno_status training_need(const planner *p, const char *policy, need *out) {
    mpno_network_opts opts[MAX_SETS];
    size_t n_networks, finest, network = 0;
    double batches = 0;
    *out = (need){0};
    MPNO_TRY(training_opts(p, policy, false, opts, &n_networks, &finest));
    for (size_t i = 0; i < p->n_sets; i++) {
        const shape *on = &p->train[i];
        need n;
        if (on->batch == 0) continue;
        MPNO_TRY(find_need(p, &opts[network++], &n));
        const size_t shared = i == 0 ? 0 : p->arrays; /* the optimiser's are one */
        out->weights = n.weights;
        out->state += n.state - shared;
        out->activations += n.activations;
        out->tables += n.tables;
        out->flops += n.flops * (double)on->batches;
        MPNO_TRY(add_ahead(p, &opts[network - 1], on, out));
        batches += (double)on->batches;
    }
    out->flops /= batches;
    out->total = out->weights + out->state + out->activations;
    return MPNO_OK;
}

static mpno_status inference_need(const planner *p, const char *policy, need *out) {
    const mpno_budget budget = {.limit = p->limit, .held = p->weights, .use = "inference"};
    mpno_network_opts opts;
    MPNO_TRY(network_opts(p, policy, false, p->finest, p->test_batch, &opts));
    if (mpno_budget_divide(&budget, p->model, &opts, 1) != MPNO_OK) opts.micro_batch = 1;
    return find_need(p, &opts, out);
}

/* Most memory of a whole run: data, one batch, the training network and, on top of that for a
 * while, the network of an evaluation or a checkpoint. */
static mpno_status find_run(const planner *p, const char *policy, size_t *out) {
    need n;
    MPNO_TRY(training_need(p, policy, &n));
    const size_t base = n.total + n.tables + data_bytes(p);
    size_t reading = 0, before = 0; /* a file beside its samples and those read before */
    for (size_t i = 0; i < p->n_sets; i++) {
        const shape *train = &p->train[i];
        before += sample_bytes(train, resident_samples(p, i), mpno_model_arithmetic(p->model));
        if (before + train->file_bytes > reading) reading = before + train->file_bytes;
    }
    size_t passing;
    MPNO_TRY(passing_bytes(p, policy, base, &passing));
    *out = base + passing > reading ? base + passing : reading;
    return MPNO_OK;
}

static mpno_status put_need(mpno_ctx *ctx, mpno_value *map, const char *key, const need *n) {
    mpno_value *entry = NULL;
    MPNO_TRY(mpno_value_set_map(ctx, map, key, &entry));
    MPNO_TRY(mpno_value_set_int(ctx, entry, "weight_bytes", (int64_t)n->weights));
    MPNO_TRY(mpno_value_set_int(ctx, entry, "state_bytes", (int64_t)n->state));
    MPNO_TRY(mpno_value_set_int(ctx, entry, "activation_bytes", (int64_t)n->activations));
    MPNO_TRY(mpno_value_set_int(ctx, entry, "peak_bytes", (int64_t)n->total));
    return mpno_value_set_real(ctx, entry, "flops", n->flops);
}

static mpno_status row_of_policy(const planner *p, const char *policy, mpno_table *table,
                                 mpno_value *map) {
    mpno_value *entry = NULL;
    MPNO_TRY(mpno_value_set_map(p->ctx, map, policy, &entry));
    MPNO_TRY(mpno_table_cell(table, "%s", policy));
    for (int training = 1; training >= 0; training--) {
        char a[MPNO_HUMAN_CAPACITY], b[MPNO_HUMAN_CAPACITY], c[MPNO_HUMAN_CAPACITY];
        need n;
        MPNO_TRY(training ? training_need(p, policy, &n) : inference_need(p, policy, &n));
        MPNO_TRY(put_need(p->ctx, entry, training ? "training" : "inference", &n));
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_human_bytes(n.state, a)));
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_human_bytes(n.activations, b)));
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_human_bytes(n.total, c)));
        MPNO_TRY(mpno_table_cell(table, "%.3g", n.flops * 1e-9));
    }
    size_t run = 0;
    char text[MPNO_HUMAN_CAPACITY];
    MPNO_TRY(find_run(p, policy, &run));
    MPNO_TRY(mpno_value_set_int(p->ctx, entry, "run_peak_bytes", (int64_t)run));
    return mpno_table_cell(table, "%s", mpno_human_bytes(run, text));
}

static mpno_status all_policies(const planner *p, mpno_table *table, mpno_value *map) {
    static const char *const headings[] = {
        "policy",           "training: state", "activations", "peak",          "Gflop a step",
        "inference: state", "activations",     "peak",        "Gflop a batch", "whole run: peak"};
    for (size_t i = 0; i < sizeof headings / sizeof headings[0]; i++) {
        MPNO_TRY(mpno_table_column(table, headings[i], i ? MPNO_RIGHT : MPNO_LEFT));
    }
    for (int i = 0; i < mpno_policy_count(); i++) {
        MPNO_TRY(row_of_policy(p, mpno_policy_name(i), table, map));
    }
    return MPNO_OK;
}

/* The network on the finest grid. */
static mpno_status plan_finest(const planner *p, const char *policy, bool training, bool strict,
                               mpno_network **out) {
    mpno_network_opts opts[MAX_SETS];
    size_t n, finest = 0;
    if (training)
        MPNO_TRY(training_opts(p, policy, strict, opts, &n, &finest));
    else
        MPNO_TRY(network_opts(p, policy, false, p->finest, p->test_batch, &opts[0]));
    return mpno_network_plan(p->model, &opts[finest], out);
}

static mpno_status put_layer(mpno_ctx *ctx, const mpno_layer_line *line, size_t state,
                             mpno_value *list) {
    mpno_value *entry = NULL;
    MPNO_TRY(mpno_value_map(ctx, &entry));
    mpno_status status = mpno_value_set_string(ctx, entry, "layer", line->layer);
    if (status == MPNO_OK)
        status = mpno_value_set_int(ctx, entry, "parameters", (int64_t)line->parameters);
    if (status == MPNO_OK) status = mpno_value_set_real(ctx, entry, "flops", line->flops);
    if (status == MPNO_OK) status = mpno_value_set_int(ctx, entry, "state_bytes", (int64_t)state);
    if (status == MPNO_OK)
        status = mpno_value_set_int(ctx, entry, "activation_bytes", (int64_t)line->bytes);
    if (status != MPNO_OK) {
        mpno_value_destroy(ctx, &entry);
        return status;
    }
    return mpno_value_append(ctx, list, entry);
}

enum { MAX_POLICIES = 16 };

/* One row a layer: under each policy its state and the most of its tensors alive at once. */
static mpno_status layer_rows(const planner *p, bool training, mpno_network *const *networks,
                              mpno_table *table, mpno_value *const *lists) {
    const double a_weight = (double)p->arrays / (double)mpno_model_n_weights(p->model);
    for (int l = 0; l < mpno_network_n_layers(networks[0]); l++) {
        for (int i = 0; i < mpno_policy_count(); i++) {
            const mpno_layer_line line = mpno_network_layer(networks[i], l);
            const size_t arrays = training ? (size_t)(a_weight * (double)line.parameters) : 0;
            char state[MPNO_HUMAN_CAPACITY], tensors_text[MPNO_HUMAN_CAPACITY];
            MPNO_TRY(put_layer(p->ctx, &line, line.state_bytes + arrays, lists[i]));
            if (i == 0) {
                MPNO_TRY(mpno_table_cell(table, "%s", line.layer));
                MPNO_TRY(mpno_table_cell(table, "%zu", line.parameters));
                MPNO_TRY(mpno_table_cell(table, "%.3g", line.flops * 1e-6));
            }
            MPNO_TRY(mpno_table_cell(table, "%s + %s",
                                     mpno_human_bytes(line.state_bytes + arrays, state),
                                     mpno_human_bytes(line.bytes, tensors_text)));
        }
    }
    return MPNO_OK;
}

static mpno_status layers(const planner *p, bool training, mpno_table *table, mpno_value *map) {
    mpno_network *networks[MAX_POLICIES] = {NULL};
    mpno_value *lists[MAX_POLICIES], *by_policy = NULL;
    MPNO_CHECK(p->ctx, mpno_policy_count() <= MAX_POLICIES, MPNO_E_UNSUPPORTED,
               "a plan compares at most %d policies", MAX_POLICIES);
    MPNO_TRY(mpno_value_set_map(p->ctx, map, training ? "training_layers" : "inference_layers",
                                &by_policy));
    MPNO_TRY(
        mpno_table_column(table, training ? "training: layer" : "inference: layer", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "parameters", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "Mflop", MPNO_RIGHT));
    mpno_status status = MPNO_OK;
    for (int i = 0; i < mpno_policy_count() && status == MPNO_OK; i++) {
        const char *name = mpno_policy_name(i);
        status = mpno_table_column(table, name, MPNO_RIGHT);
        if (status == MPNO_OK) status = mpno_value_set_list(p->ctx, by_policy, name, &lists[i]);
        if (status == MPNO_OK) status = plan_finest(p, name, training, false, &networks[i]);
    }
    if (status == MPNO_OK) status = layer_rows(p, training, networks, table, lists);
    for (int i = 0; i < MAX_POLICIES; i++) mpno_network_destroy(&networks[i]);
    return status;
}

static mpno_status tensors(const planner *p, const mpno_network *network, mpno_table *table,
                           mpno_value *map) {
    static const char *const headings[] = {"tensor", "layer", "role", "format"};
    mpno_value *list = NULL;
    MPNO_TRY(mpno_tensors_list(p->ctx, network, &list));
    MPNO_TRY(mpno_value_set(p->ctx, map, "tensors", list));
    for (size_t i = 0; i < sizeof headings / sizeof headings[0]; i++) {
        MPNO_TRY(mpno_table_column(table, headings[i], MPNO_LEFT));
    }
    MPNO_TRY(mpno_table_column(table, "size", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "kept", MPNO_LEFT));
    for (int i = 0; i < mpno_network_n_tensors(network); i++) {
        const mpno_tensor_line line = mpno_network_tensor(network, i);
        char bytes[MPNO_HUMAN_CAPACITY];
        MPNO_TRY(mpno_table_cell(table, "%s", line.name));
        MPNO_TRY(mpno_table_cell(table, "%s", line.layer));
        MPNO_TRY(mpno_table_cell(table, "%s", line.role));
        const bool scaled = line.scaling != MPNO_SCALING_NONE;
        MPNO_TRY(mpno_table_cell(table, "%s%s%s", mpno_format_get(line.format)->name,
                                 scaled ? ", a scale each " : "",
                                 scaled ? mpno_scaling_text(line.scaling) : ""));
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_human_bytes(line.bytes, bytes)));
        MPNO_TRY(mpno_table_cell(table, "%s", line.kept ? "to backward" : ""));
    }
    return MPNO_OK;
}

typedef mpno_status (*section)(const planner *p, const mpno_network *network, mpno_table *table,
                               mpno_value *map);

static mpno_status say_section(const planner *p, section fill, const mpno_network *network,
                               mpno_value *map) {
    mpno_table *table = NULL;
    MPNO_TRY(mpno_table_create(p->ctx, &table));
    mpno_status status = fill(p, network, table, map);
    if (status == MPNO_OK) status = mpno_say_table(p->ctx, p->sink, table);
    mpno_table_destroy(&table);
    return status;
}

static mpno_status policies_section(const planner *p, const mpno_network *network,
                                    mpno_table *table, mpno_value *map) {
    mpno_value *policies = NULL;
    (void)network;
    MPNO_TRY(mpno_value_set_map(p->ctx, map, "policies", &policies));
    return all_policies(p, table, policies);
}

static mpno_status training_layers(const planner *p, const mpno_network *network, mpno_table *table,
                                   mpno_value *map) {
    (void)network;
    return layers(p, true, table, map);
}

static mpno_status inference_layers(const planner *p, const mpno_network *network,
                                    mpno_table *table, mpno_value *map) {
    (void)network;
    return layers(p, false, table, map);
}

/* Seconds of the optimiser: weights, gradients and its arrays pass through memory. */
static double optimizer_seconds(const planner *p, double bandwidth) {
    return (3.0 + 2.0 * (double)p->states) * (double)p->weights / bandwidth;
}

static mpno_status put_seconds(const planner *p, const mpno_network_timeline *t, mpno_value *map) {
    char all[MPNO_HUMAN_CAPACITY], forward[MPNO_HUMAN_CAPACITY], backward[MPNO_HUMAN_CAPACITY],
        optimizer[MPNO_HUMAN_CAPACITY];
    if (t->forward_seconds < 0) return MPNO_OK;
    const double update = optimizer_seconds(p, t->bandwidth);
    const double step = t->forward_seconds + t->backward_seconds + update;
    mpno_say(p->sink,
             "estimated: %s a step (forward %s, backward %s, optimiser %s) on %d threads of this "
             "machine as it is now\n",
             mpno_human_seconds(step, all), mpno_human_seconds(t->forward_seconds, forward),
             mpno_human_seconds(t->backward_seconds, backward),
             mpno_human_seconds(update, optimizer), mpno_ctx_n_threads(p->ctx));
    return mpno_value_set_real(p->ctx, map, "seconds", step);
}

static mpno_status say_timeline(const planner *p, const mpno_network_timeline *t) {
    mpno_text text = {.ctx = p->ctx};
    if (!p->sink || !p->sink->write) return MPNO_OK;
    mpno_status status = mpno_timeline_text(&t->drawn, p->sink->columns, &text);
    if (status == MPNO_OK) p->sink->write(p->sink->user, text.data);
    mpno_text_discard(&text);
    return status;
}

static mpno_status write_svg(const planner *p, const mpno_network_timeline *t) {
    mpno_text text = {.ctx = p->ctx};
    mpno_status status = mpno_timeline_svg(&t->drawn, &text);
    if (status == MPNO_OK) status = mpno_file_write_atomic(p->ctx, p->svg, text.data, text.size);
    mpno_text_discard(&text);
    if (status == MPNO_OK) mpno_say(p->sink, "picture of these steps: %s\n", p->svg);
    return status;
}

/* What happens step by step; `svg`: this phase is the one that is drawn. */
static mpno_status timeline_section(const planner *p, const mpno_network *network, bool svg,
                                    mpno_value *map) {
    char title[96];
    mpno_network_timeline t;
    const mpno_network_cost cost = mpno_network_get_cost(network);
    const long long at_once = (long long)mpno_network_micro_batch(network);
    snprintf(title, sizeof title, "activations of %lld sample%s at once", at_once,
             at_once == 1 ? "" : "s");
    mpno_status status = mpno_value_set_int(p->ctx, map, "micro_batch", at_once);
    if (status == MPNO_OK)
        status =
            mpno_value_set_int(p->ctx, map, "activation_bytes", (int64_t)cost.activation_bytes);
    if (status == MPNO_OK)
        status =
            mpno_value_set_int(p->ctx, map, "lower_bound_bytes", (int64_t)cost.lower_bound_bytes);
    MPNO_TRY(status);
    status = mpno_network_timeline_make(p->ctx, network, title, p->estimate, &t);
    if (status == MPNO_OK) status = say_timeline(p, &t);
    if (status == MPNO_OK) status = put_seconds(p, &t, map);
    if (status == MPNO_OK) status = mpno_network_timeline_put(p->ctx, &t, map);
    if (status == MPNO_OK && svg) status = write_svg(p, &t);
    mpno_network_timeline_clear(p->ctx, &t);
    return status;
}

/* When a phase is. How many steps an epoch has is not known here. */
static void say_span(const planner *p, const mpno_phase *phase) {
    const mpno_run_place *from = &phase->from, *to = &phase->to;
    const int64_t n_epochs = p->settings->opt.n_epochs;
    if (mpno_settings_adapts(p->settings)) {
        mpno_say(p->sink, ", a level");
    } else if (from->steps == 0 && (to->steps == 0 || to->epochs >= n_epochs)) {
        mpno_say(p->sink, ", epochs %lld to %lld", (long long)phase->first + 1,
                 (long long)(phase->end < n_epochs ? phase->end : n_epochs));
    } else {
        mpno_say(p->sink, ", from epoch %lld + %lld steps on", (long long)from->epochs + 1,
                 (long long)from->steps);
        if (to->epochs < n_epochs)
            mpno_say(p->sink, " to epoch %lld + %lld steps", (long long)to->epochs + 1,
                     (long long)to->steps);
    }
}

/* Stored tensors of one phase, and when they live. */
static mpno_status phase_section(const planner *p, const mpno_phase *phase, bool svg,
                                 mpno_value *map) {
    mpno_network *network = NULL;
    MPNO_TRY(plan_finest(p, phase->policy, true, true, &network));
    const char *products = mpno_network_bf16_products(network);
    mpno_status status = mpno_value_set_string(p->ctx, map, "policy", phase->policy);
    if (status == MPNO_OK && products != NULL)
        status = mpno_value_set_string(p->ctx, map, "bf16_products", products);
    mpno_say(p->sink, "\ntraining under %s", phase->policy);
    say_span(p, phase);
    if (products != NULL) mpno_say(p->sink, "; bf16 products (%s)", products);
    mpno_say(p->sink, "\n");
    if (status == MPNO_OK) status = say_section(p, tensors, network, map);
    mpno_say(p->sink, "\n");
    if (status == MPNO_OK) status = timeline_section(p, network, svg, map);
    mpno_network_destroy(&network);
    return status;
}

/* The grids of several training sets. */
static mpno_status put_grids(const planner *p, mpno_value *map) {
    mpno_value *list = NULL;
    if (p->n_sets == 1) return MPNO_OK;
    MPNO_TRY(mpno_value_set_list(p->ctx, map, "grids", &list));
    for (size_t i = 0; i < p->n_sets; i++) {
        char key[64];
        mpno_value *item = NULL;
        mpno_grid_key(p->train[i].ndim, p->train[i].grid, key, sizeof key);
        MPNO_TRY(mpno_value_string(p->ctx, key, &item));
        MPNO_TRY(mpno_value_append(p->ctx, list, item));
    }
    return MPNO_OK;
}

static mpno_status say_streaming(const planner *p, mpno_value *map) {
    const mpno_settings *s = p->settings;
    if (s->data.streaming != MPNO_STREAMING_ALWAYS) return MPNO_OK;
    mpno_say(p->sink, "training data are streamed in windows of %lld samples\n",
             (long long)s->data.window);
    return mpno_value_set_int(p->ctx, map, "window", s->data.window);
}

static void say_grids(const planner *p) {
    if (p->n_sets == 1) return;
    mpno_say(p->sink, "training sets on grids");
    for (size_t i = 0; i < p->n_sets; i++) {
        char key[64];
        mpno_grid_key(p->train[i].ndim, p->train[i].grid, key, sizeof key);
        mpno_say(p->sink, "%s %s", i ? "," : "", key);
    }
    mpno_say(p->sink,
             ": a network for each, all in memory; layers and tensors below are of the finest\n");
}

/* The phase with the most memory. */
static mpno_status largest_phase(const planner *p, const mpno_schedule *schedule, int *out) {
    size_t most = 0;
    for (int i = 0; i < schedule->n; i++) {
        need n;
        MPNO_TRY(training_need(p, schedule->phase[i].policy, &n));
        if (n.activations > most) most = n.activations, *out = i;
    }
    return MPNO_OK;
}

/* In which order spectra and factors are multiplied, where weights are factorised. */
static mpno_status say_contraction(const planner *p, mpno_value *map) {
    static const char *const keys[] = {"contraction_inference", "contraction_training"};
    if (mpno_model_config(p->model)->factorization == MPNO_FACTORIZATION_DENSE) return MPNO_OK;
    for (int training = 1; training >= 0; training--) {
        mpno_network *network;
        char text[500];
        MPNO_TRY(plan_finest(p, "full", training, false, &network));
        const bool factors = mpno_network_contraction(network, text, sizeof text) != NULL;
        mpno_network_destroy(&network);
        if (!factors) return MPNO_OK;
        MPNO_TRY(mpno_value_set_string(p->ctx, map, keys[training], text));
        mpno_say(p->sink, "spectral weights, %s: %s\n", training ? "training" : "inference", text);
    }
    return MPNO_OK;
}

static mpno_status plan_all(const planner *p, const mpno_schedule *schedule, mpno_value *map) {
    int drawn = 0;
    mpno_ctx *ctx = p->ctx;
    char key[64];
    mpno_value *phases = NULL;
    mpno_grid_key(p->finest->ndim, p->finest->grid, key, sizeof key);
    const size_t n_weights = mpno_model_n_weights(p->model);
    MPNO_TRY(mpno_value_set_int(ctx, map, "parameters", (int64_t)n_weights));
    MPNO_TRY(mpno_value_set_string(ctx, map, "grid", key));
    MPNO_TRY(put_grids(p, map));
    MPNO_TRY(mpno_value_set_int(ctx, map, "batch_size", p->finest->batch));
    MPNO_TRY(mpno_value_set_int(ctx, map, "test_batch_size", p->test_batch));
    MPNO_TRY(mpno_value_set_string(ctx, map, "isa", mpno_ctx_isa(ctx)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "threads", mpno_ctx_n_threads(ctx)));
    mpno_say(p->sink, "%zu parameters; grid %s, batches of %lld (training) and %lld samples\n",
             n_weights, key, (long long)p->finest->batch, (long long)p->test_batch);
    mpno_say(p->sink, "kernels %s, %d threads\n", mpno_ctx_isa(ctx), mpno_ctx_n_threads(ctx));
    MPNO_TRY(say_contraction(p, map));
    say_grids(p);
    MPNO_TRY(say_streaming(p, map));
    MPNO_TRY(say_section(p, policies_section, NULL, map));
    mpno_say(p->sink, "\nstate + most memory of tensors at once, layer by layer\n");
    MPNO_TRY(say_section(p, training_layers, NULL, map));
    MPNO_TRY(say_section(p, inference_layers, NULL, map));
    if (p->svg) MPNO_TRY(largest_phase(p, schedule, &drawn));
    MPNO_TRY(mpno_value_set_list(ctx, map, "phases", &phases));
    for (int i = 0; i < schedule->n; i++) {
        mpno_value *entry = NULL;
        if (schedule->phase[i].first >= schedule->n_epochs) break;
        MPNO_TRY(mpno_value_map(ctx, &entry));
        mpno_status status = phase_section(p, &schedule->phase[i], p->svg && i == drawn, entry);
        if (status != MPNO_OK) {
            mpno_value_destroy(ctx, &entry);
            return status;
        }
        MPNO_TRY(mpno_value_append(ctx, phases, entry));
    }
    return MPNO_OK;
}

/* One training set for each resolution of a file. */
static mpno_status read_training_shapes(planner *p, mpno_settings *s, const char *path) {
    mpno_dataset *whole = NULL, *parts[MPNO_MAX_INTS];
    int64_t n = 0;
    size_t file_bytes = 0, n_parts = 0;
    MPNO_TRY(read_first(p->ctx, s, path, true, s->data.n_train, &whole, &n, &file_bytes));
    MPNO_TRY(mpno_sets_subsample(p->ctx, s, path, &whole, parts, &n_parts));
    mpno_status status = MPNO_OK;
    for (size_t i = 0; i < n_parts; i++) {
        if (status == MPNO_OK) status = mpno_sets_fit(p->ctx, s, path, n, parts[i]);
        if (p->n_sets < MAX_SETS) {
            shape *set = &p->train[p->n_sets++];
            *set = shape_of(parts[i], n * parts[i]->windows);
            set->validation = s->data.n_validation * parts[i]->windows;
            set->file_bytes = s->data.streaming == MPNO_STREAMING_ALWAYS ? 0 : file_bytes;
            p->n_train += set->n - set->validation;
        }
        mpno_dataset_destroy(p->ctx, &parts[i]);
    }
    return status;
}

/* The batch of each network: the largest of the sets on its grid. */
static void find_batches(planner *p, const mpno_settings *s) {
    p->finest = &p->train[0];
    for (size_t i = 0; i < p->n_sets; i++) {
        shape *set = &p->train[i];
        const int64_t n = set->n - set->validation;
        size_t twin = 0;
        while (!same_grids(&p->train[twin], set)) twin++;
        const int64_t batch = s->data.batch_size < n ? s->data.batch_size : n;
        if (batch > p->train[twin].batch) p->train[twin].batch = batch;
        p->train[twin].batches += (n - 1) / s->data.batch_size + 1;
        if (p->finest->in_values < set->in_values) p->finest = set;
    }
}

static mpno_status read_shapes(planner *p, mpno_settings *s) {
    for (size_t i = 0; i < s->data.train.n; i++)
        MPNO_TRY(read_training_shapes(p, s, s->data.train.v[i]));
    for (size_t i = 0; i < s->data.test.n && i < MAX_SETS; i++) {
        MPNO_TRY(read_shape(p->ctx, s, s->data.test.v[i], s->data.n_test, &p->tests[i]));
        p->n_tests++;
    }
    find_batches(p, s);
    p->test_batch = s->data.test_batch_size;
    return MPNO_OK;
}

static mpno_status plan(mpno_ctx *ctx, mpno_settings *s, const mpno_plan_opts *opts,
                        const mpno_sink *sink, char **json) {
    planner p = {.ctx = ctx,
                 .settings = s,
                 .sink = sink,
                 .limit = mpno_settings_memory_limit(s),
                 .micro_batch = s->micro_batch == MPNO_UNSET ? 0 : s->micro_batch,
                 .estimate = opts->estimate,
                 .svg = opts->svg};
    const mpno_optimizer_opts optimizer = mpno_settings_optimizer(s);
    p.states = (size_t)mpno_optimizer_rule_get(optimizer.kind)->plan(&optimizer).n_states;
    p.states += isnan(s->opt.ema_decay) ? 0 : 1;
    mpno_schedule schedule;
    mpno_value *map = NULL;
    size_t bytes;
    MPNO_TRY(mpno_settings_schedule(ctx, s, &schedule));
    MPNO_TRY(mpno_streaming_decide(ctx, s, &bytes));
    MPNO_TRY(read_shapes(&p, s));
    /* For the needs of every phase alike: the stabiliser costs no memory that matters. */
    const mpno_fno_config config = mpno_settings_model(s, &schedule.phase[0]);
    MPNO_TRY(mpno_model_declare(ctx, &config, mpno_settings_arithmetic(s), &p.model));
    p.weights = mpno_model_n_weights(p.model) * mpno_format_bytes(mpno_model_arithmetic(p.model));
    p.arrays = mpno_optimizer_need(p.model, &optimizer) +
               (isnan(s->opt.ema_decay) ? 0 : p.weights) +
               mpno_lipschitz_need(p.model, s, ctx->n_threads);
    mpno_status status = mpno_value_map(ctx, &map);
    if (status == MPNO_OK) status = plan_all(&p, &schedule, map);
    if (status == MPNO_OK && json) status = mpno_json_text(ctx, map, false, json);
    mpno_value_destroy(ctx, &map);
    mpno_model_destroy(&p.model);
    return status;
}

mpno_status mpno_plan(mpno_ctx *ctx, mpno_config *config, const mpno_plan_opts *opts,
                      const mpno_sink *sink, char **json) {
    const mpno_plan_opts defaults = MPNO_PLAN_OPTS_INIT;
    if (json) *json = NULL;
    if (!opts) opts = &defaults;
    MPNO_CHECK(ctx, opts->size == sizeof *opts, MPNO_E_ARGUMENT,
               "mpno_plan_opts.size is %zu, expected %zu: start from MPNO_PLAN_OPTS_INIT",
               opts->size, sizeof *opts);
    MPNO_TRY(mpno_config_resolve(config, NULL));
    return plan(ctx, &config->settings, opts, sink, json);
}
