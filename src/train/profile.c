/* SPDX-License-Identifier: MIT
 * mpno_profile: what a configuration costs as measured, the first experiment of arXiv 2307.15034 on
 * the user's own model. Policies take turns, several rounds, so that a machine that is slow for a
 * while is slow for all; medians are reported. Memory is what became resident between the moment
 * before a network was made and the end of its first steps, beside the sum of what was planned. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/memory.h"
#include "model/model.h"
#include "mpno/run.h"
#include "report/human.h"
#include "train/objective.h"
#include "train/sink.h"
#include "train/trainer.h"

enum { ROUNDS = 5, STEPS = 3, MOST_POLICIES = 16, MOST_LAYERS = 80 };

/* One policy: a number per round, then medians. */
typedef struct measured {
    mpno_phase phase;
    double step[ROUNDS], forward[ROUNDS];
    double layers[MOST_LAYERS][ROUNDS]; /* of a training step */
    size_t resident;                    /* grown by a training network */
    size_t sum;                         /* its tensors, scratch, gradients, weight copies, tables */
    mpno_network *planned;              /* for its facts */
} measured;

typedef struct profiler {
    mpno_ctx *ctx;
    const mpno_settings *settings;
    const mpno_sink *sink;
    mpno_model *model;
    const mpno_dataset *data;
    int64_t batch;
    void *y; /* of a prediction */
    measured policies[MOST_POLICIES];
    int n_policies, n_layers;
} profiler;

static mpno_status network_opts(const profiler *p, const measured *m, bool training,
                                mpno_network_opts *out) {
    MPNO_TRY(mpno_settings_network(p->ctx, p->settings, m->phase.policy, out));
    for (int d = 0; d < p->data->ndim && d < MPNO_MAX_AXES; d++) out->grid[d] = p->data->grid[d];
    memcpy(out->output_grid, p->data->out_grid, sizeof out->output_grid);
    out->capacity = p->batch;
    out->training = training;
    return MPNO_OK;
}

static mpno_status one_step(const profiler *p, const measured *m, mpno_network *network) {
    const bool scaled = mpno_settings_scale_loss(p->ctx, p->settings, m->phase.policy);
    mpno_step_result result;
    return mpno_network_step(network, p->batch, p->data->x, p->data->y,
                             scaled ? p->settings->precision.loss_scale : 1, &result);
}

/* The first step of a network touches its memory and is not timed. */
static mpno_status time_training(profiler *p, measured *m, int round) {
    mpno_network_opts opts;
    MPNO_TRY(network_opts(p, m, true, &opts));
    mpno_release_freed();
    const size_t before = mpno_resident_bytes(), held = mpno_ctx_bytes(p->ctx);
    mpno_network *network = NULL;
    MPNO_TRY(mpno_network_create(p->model, &opts, &network));
    mpno_network_set_embedding(network, p->data->embedding);
    mpno_status status = one_step(p, m, network);
    if (round == 0) {
        const size_t after = mpno_resident_bytes();
        m->resident = after > before ? after - before : 0;
        m->sum = mpno_ctx_bytes(p->ctx) - held;
    }
    if (status == MPNO_OK) status = mpno_network_watch(network);
    const double start = mpno_seconds();
    for (int i = 0; i < STEPS && status == MPNO_OK; i++) status = one_step(p, m, network);
    m->step[round] = (mpno_seconds() - start) / STEPS;
    for (int l = 0; l < p->n_layers; l++) {
        const mpno_layer_seconds s = mpno_network_layer_seconds(network, l);
        m->layers[l][round] = (s.forward + s.backward) / STEPS;
    }
    mpno_network_destroy(&network);
    return status;
}

static mpno_status time_prediction(profiler *p, measured *m, int round) {
    mpno_network_opts opts;
    MPNO_TRY(network_opts(p, m, false, &opts));
    mpno_network *network = NULL;
    MPNO_TRY(mpno_network_create(p->model, &opts, &network));
    mpno_network_set_embedding(network, p->data->embedding);
    mpno_status status = mpno_network_forward(network, p->batch, p->data->x, p->y);
    const double start = mpno_seconds();
    for (int i = 0; i < STEPS && status == MPNO_OK; i++)
        status = mpno_network_forward(network, p->batch, p->data->x, p->y);
    m->forward[round] = (mpno_seconds() - start) / STEPS;
    mpno_network_destroy(&network);
    return status;
}

static mpno_status measure(profiler *p) {
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < p->n_policies; i++) {
            measured *m = &p->policies[i];
            MPNO_CHECK(p->ctx, !mpno_stop_wanted(p->sink), MPNO_E_STOPPED,
                       "stopped before all was measured");
            mpno_model_set_stabilizer(p->model, mpno_settings_stabilizer(p->settings, &m->phase));
            MPNO_TRY(time_training(p, m, round));
            MPNO_TRY(time_prediction(p, m, round));
        }
    return MPNO_OK;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(const double *values) {
    double sorted[ROUNDS];
    memcpy(sorted, values, sizeof sorted);
    qsort(sorted, ROUNDS, sizeof *sorted, ascending);
    return sorted[ROUNDS / 2];
}

/* ---- what is told ---- */

static mpno_status headings(mpno_table *table, const char *const *names, size_t n) {
    for (size_t i = 0; i < n; i++)
        MPNO_TRY(mpno_table_column(table, names[i], i ? MPNO_RIGHT : MPNO_LEFT));
    return MPNO_OK;
}

static mpno_status put_policy(const profiler *p, const measured *m, mpno_value *map) {
    const mpno_network_cost cost = mpno_network_get_cost(m->planned);
    mpno_value *entry = NULL;
    MPNO_TRY(mpno_value_set_map(p->ctx, map, m->phase.policy, &entry));
    MPNO_TRY(mpno_value_set_real(p->ctx, entry, "step_seconds", median(m->step)));
    MPNO_TRY(mpno_value_set_real(p->ctx, entry, "forward_seconds", median(m->forward)));
    MPNO_TRY(mpno_value_set_int(p->ctx, entry, "activation_bytes", (int64_t)cost.activation_bytes));
    MPNO_TRY(mpno_value_set_int(p->ctx, entry, "sum_bytes", (int64_t)m->sum));
    return mpno_value_set_int(p->ctx, entry, "resident_bytes", (int64_t)m->resident);
}

static mpno_status policies(profiler *p, mpno_table *table, mpno_value *map) {
    static const char *const names[] = {"policy",      "training step", "of full", "prediction",
                                        "activations", "of full",       "sum",     "resident"};
    const measured *full = &p->policies[0];
    const mpno_network_cost reference = mpno_network_get_cost(full->planned);
    mpno_value *all = NULL;
    MPNO_TRY(headings(table, names, sizeof names / sizeof names[0]));
    MPNO_TRY(mpno_value_set_map(p->ctx, map, "policies", &all));
    for (int i = 0; i < p->n_policies; i++) {
        const measured *m = &p->policies[i];
        const mpno_network_cost cost = mpno_network_get_cost(m->planned);
        char text[MPNO_HUMAN_CAPACITY];
        MPNO_TRY(put_policy(p, m, all));
        MPNO_TRY(mpno_table_cell(table, "%s", m->phase.policy));
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_human_seconds(median(m->step), text)));
        MPNO_TRY(mpno_table_cell(table, "%.0f %%", 100 * median(m->step) / median(full->step)));
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_human_seconds(median(m->forward), text)));
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_human_bytes(cost.activation_bytes, text)));
        MPNO_TRY(mpno_table_cell(
            table, "%.0f %%",
            100 * (double)cost.activation_bytes / (double)reference.activation_bytes));
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_human_bytes(m->sum, text)));
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_human_bytes(m->resident, text)));
    }
    return MPNO_OK;
}

static mpno_status put_layer(const profiler *p, int layer, mpno_value *list) {
    mpno_value *entry = NULL, *all = NULL;
    MPNO_TRY(mpno_value_map(p->ctx, &entry));
    MPNO_TRY(mpno_value_append(p->ctx, list, entry)); /* from here on owned by the list */
    MPNO_TRY(mpno_value_set_string(p->ctx, entry, "layer",
                                   mpno_network_layer(p->policies[0].planned, layer).layer));
    MPNO_TRY(mpno_value_set_map(p->ctx, entry, "policies", &all));
    for (int i = 0; i < p->n_policies; i++) {
        const measured *m = &p->policies[i];
        mpno_value *one = NULL;
        MPNO_TRY(mpno_value_set_map(p->ctx, all, m->phase.policy, &one));
        MPNO_TRY(mpno_value_set_real(p->ctx, one, "seconds", median(m->layers[layer])));
        MPNO_TRY(mpno_value_set_int(p->ctx, one, "bytes",
                                    (int64_t)mpno_network_layer(m->planned, layer).bytes));
    }
    return MPNO_OK;
}

static mpno_status layers(profiler *p, mpno_table *table, mpno_value *map) {
    mpno_value *list = NULL;
    MPNO_TRY(mpno_table_column(table, "layer", MPNO_LEFT));
    for (int i = 0; i < p->n_policies; i++)
        MPNO_TRY(mpno_table_column(table, p->policies[i].phase.policy, MPNO_RIGHT));
    MPNO_TRY(mpno_value_set_list(p->ctx, map, "layers", &list));
    for (int l = 0; l < p->n_layers; l++) {
        MPNO_TRY(put_layer(p, l, list));
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_network_layer(p->policies[0].planned, l).layer));
        for (int i = 0; i < p->n_policies; i++) {
            const measured *m = &p->policies[i];
            char seconds[MPNO_HUMAN_CAPACITY], bytes[MPNO_HUMAN_CAPACITY];
            MPNO_TRY(
                mpno_table_cell(table, "%s, %s", mpno_human_seconds(median(m->layers[l]), seconds),
                                mpno_human_bytes(mpno_network_layer(m->planned, l).bytes, bytes)));
        }
    }
    return MPNO_OK;
}

/* The tensor of `network` that answers to `line` (same layer, name and kind); index -1: none. */
static int same_tensor(const mpno_network *network, const mpno_tensor_line *line) {
    for (int k = 0; k < mpno_network_n_tensors(network); k++) {
        const mpno_tensor_line other = mpno_network_tensor(network, k);
        if (strcmp(other.layer, line->layer) == 0 && strcmp(other.name, line->name) == 0 &&
            strcmp(other.role, line->role) == 0)
            return k;
    }
    return -1;
}

static mpno_status put_tensor(const profiler *p, const mpno_tensor_line *line, mpno_value *list) {
    mpno_value *entry = NULL, *all = NULL;
    MPNO_TRY(mpno_value_map(p->ctx, &entry));
    MPNO_TRY(mpno_value_append(p->ctx, list, entry));
    MPNO_TRY(mpno_value_set_string(p->ctx, entry, "layer", line->layer));
    MPNO_TRY(mpno_value_set_string(p->ctx, entry, "tensor", line->name));
    MPNO_TRY(mpno_value_set_string(p->ctx, entry, "role", line->role));
    MPNO_TRY(mpno_value_set_map(p->ctx, entry, "policies", &all));
    for (int i = 0; i < p->n_policies; i++) {
        const measured *m = &p->policies[i];
        const int k = same_tensor(m->planned, line);
        mpno_value *one = NULL;
        if (k < 0) continue;
        const mpno_tensor_line found = mpno_network_tensor(m->planned, k);
        MPNO_TRY(mpno_value_set_map(p->ctx, all, m->phase.policy, &one));
        MPNO_TRY(mpno_value_set_string(p->ctx, one, "format", mpno_format_get(found.format)->name));
        MPNO_TRY(mpno_value_set_int(p->ctx, one, "bytes", (int64_t)found.bytes));
    }
    return MPNO_OK;
}

static mpno_status tensor_row(const profiler *p, const mpno_tensor_line *line, mpno_table *table) {
    MPNO_TRY(mpno_table_cell(table, "%s", line->layer));
    MPNO_TRY(mpno_table_cell(table, "%s", line->name));
    MPNO_TRY(mpno_table_cell(table, "%s", line->role));
    for (int i = 0; i < p->n_policies; i++) {
        const int k = same_tensor(p->policies[i].planned, line);
        char bytes[MPNO_HUMAN_CAPACITY];
        if (k < 0) {
            MPNO_TRY(mpno_table_cell(table, "-"));
            continue;
        }
        const mpno_tensor_line found = mpno_network_tensor(p->policies[i].planned, k);
        MPNO_TRY(mpno_table_cell(table, "%s %s", mpno_format_get(found.format)->name,
                                 mpno_human_bytes(found.bytes, bytes)));
    }
    return MPNO_OK;
}

/* A tensor may be stored under some policies and made again under others: all are listed. */
static mpno_status tensors(profiler *p, mpno_table *table, mpno_value *map) {
    static const char *const names[] = {"layer", "tensor", "role"};
    mpno_value *list = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        MPNO_TRY(mpno_table_column(table, names[i], MPNO_LEFT));
    for (int i = 0; i < p->n_policies; i++)
        MPNO_TRY(mpno_table_column(table, p->policies[i].phase.policy, MPNO_RIGHT));
    MPNO_TRY(mpno_value_set_list(p->ctx, map, "tensors", &list));
    for (int i = 0; i < p->n_policies; i++)
        for (int k = 0; k < mpno_network_n_tensors(p->policies[i].planned); k++) {
            const mpno_tensor_line line = mpno_network_tensor(p->policies[i].planned, k);
            bool told = false;
            for (int j = 0; j < i && !told; j++)
                told = same_tensor(p->policies[j].planned, &line) >= 0;
            if (told) continue;
            MPNO_TRY(put_tensor(p, &line, list));
            MPNO_TRY(tensor_row(p, &line, table));
        }
    return MPNO_OK;
}

static mpno_status say_table(profiler *p,
                             mpno_status (*fill)(profiler *, mpno_table *, mpno_value *),
                             mpno_value *map) {
    mpno_table *table = NULL;
    MPNO_TRY(mpno_table_create(p->ctx, &table));
    mpno_status status = fill(p, table, map);
    if (status == MPNO_OK) status = mpno_say_table(p->ctx, p->sink, table);
    mpno_table_destroy(&table);
    return status;
}

static mpno_status tell(profiler *p, mpno_value *map) {
    char key[64];
    mpno_grid_key(p->data->ndim, p->data->grid, key, sizeof key);
    MPNO_TRY(mpno_value_set_string(p->ctx, map, "isa", mpno_ctx_isa(p->ctx)));
    MPNO_TRY(mpno_value_set_int(p->ctx, map, "n_threads", mpno_ctx_n_threads(p->ctx)));
    MPNO_TRY(
        mpno_value_set_int(p->ctx, map, "parameters", (int64_t)mpno_model_n_weights(p->model)));
    MPNO_TRY(mpno_value_set_string(p->ctx, map, "grid", key));
    MPNO_TRY(mpno_value_set_int(p->ctx, map, "batch_size", p->batch));
    mpno_say(p->sink,
             "%zu parameters; grid %s, batches of %lld samples; %d threads, %s; medians of %d "
             "rounds\n",
             mpno_model_n_weights(p->model), key, (long long)p->batch, mpno_ctx_n_threads(p->ctx),
             mpno_ctx_isa(p->ctx), ROUNDS);
    MPNO_TRY(say_table(p, policies, map));
    mpno_say(p->sink,
             "\nsum: tensors, scratch, gradients, copies of weights and tables of a "
             "training network; resident: what its making and first step added to the "
             "process\n\ntraining step, layer by layer: time, most memory of its tensors "
             "at once\n");
    MPNO_TRY(say_table(p, layers, map));
    mpno_say(p->sink,
             "\nstored tensors of a training step: format and size; -: made again when "
             "needed\n");
    return say_table(p, tensors, map);
}

/* ---- the job ---- */

static mpno_status plan_policies(profiler *p) {
    for (int i = 0; i < mpno_policy_count() && i < MOST_POLICIES; i++) {
        measured *m = &p->policies[i];
        mpno_schedule alone;
        MPNO_TRY(mpno_schedule_parse(p->ctx, mpno_policy_name(i), 1, &alone));
        m->phase = alone.phase[0];
        mpno_model_set_stabilizer(p->model, mpno_settings_stabilizer(p->settings, &m->phase));
        mpno_network_opts opts;
        MPNO_TRY(network_opts(p, m, true, &opts));
        MPNO_TRY(mpno_network_plan(p->model, &opts, &m->planned));
        p->n_policies++;
    }
    p->n_layers = mpno_network_n_layers(p->policies[0].planned);
    return MPNO_OK;
}

static mpno_status profile(profiler *p, const mpno_sets *sets, char **json) {
    const mpno_settings *s = p->settings;
    const mpno_set *finest = mpno_sets_finest(sets);
    const mpno_dataset *data = p->data = finest->data;
    mpno_schedule schedule;
    mpno_value *map = NULL;
    MPNO_TRY(mpno_settings_schedule(p->ctx, s, &schedule));
    const mpno_fno_config config = mpno_settings_model(s, &schedule.phase[0]);
    const mpno_format arithmetic = mpno_settings_arithmetic(s);
    MPNO_TRY(mpno_model_create(p->ctx, &config, arithmetic, (uint64_t)s->seed, &p->model));
    p->batch = s->data.batch_size < finest->n ? s->data.batch_size : finest->n;
    MPNO_TRY(mpno_alloc_array(p->ctx, (size_t)(p->batch * data->out_points * data->out_channels),
                              mpno_format_bytes(data->format), &p->y));
    MPNO_TRY(plan_policies(p));
    MPNO_TRY(measure(p));
    MPNO_TRY(mpno_value_map(p->ctx, &map));
    mpno_status status = tell(p, map);
    if (status == MPNO_OK && json) status = mpno_json_text(p->ctx, map, false, json);
    mpno_value_destroy(p->ctx, &map);
    return status;
}

mpno_status mpno_profile(mpno_ctx *ctx, mpno_config *config, const mpno_sink *sink, char **json) {
    profiler *p = NULL;
    mpno_sets sets = {0};
    mpno_train_state state = {0};
    if (json) *json = NULL;
    MPNO_TRY(mpno_config_resolve(config, NULL));
    mpno_settings *s = &config->settings;
    MPNO_CHECK(ctx, s->data.train.n > 0, MPNO_E_CONFIG,
               "data.train is missing: give a file, its first batch is what is measured on");
    MPNO_TRY(mpno_alloc(ctx, sizeof *p, &p));
    *p = (profiler){.ctx = ctx, .settings = s, .sink = sink};
    mpno_status status = mpno_streaming_shorten(ctx, s);
    if (status == MPNO_OK) status = mpno_sets_read_training(ctx, s, &state, &sets);
    if (status == MPNO_OK) status = profile(p, &sets, json);
    for (int i = 0; i < p->n_policies; i++) mpno_network_destroy(&p->policies[i].planned);
    mpno_model_destroy(&p->model);
    mpno_free(ctx, p->y);
    mpno_free(ctx, p);
    mpno_sets_clear(ctx, &sets);
    mpno_train_state_clear(ctx, &state);
    return status;
}
