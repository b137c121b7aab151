/* SPDX-License-Identifier: MIT
 * `mpno-bench update`: the step of every optimiser on a network of spectral weights, in turn with a
 * copy of the same number of bytes. What a step must move: weight, gradient and states read, weight
 * and states written, the 16-bit copy written where the policy keeps one. */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "core/parallel.h"

typedef struct options {
    bench_common common;
    char *precision;
    int format;
    int64_t channels;
} options;

static const mpno_field fields[] = {
    {"precision", MPNO_FIELD_TEXT, offsetof(options, precision), "full", "", "policy"},
    {"format", MPNO_FIELD_CHOICE, offsetof(options, format), "f16", "f16|bf16",
     "of the copies, where the policy keeps some"},
    {"channels", MPNO_FIELD_INT, offsetof(options, channels), "256", "[1,2048]",
     "of the network, which has 34 channels^2 weights: 9 MB, times arrays"},
    BENCH_COMMON(options, "rounds", "5"),
};

typedef struct rule {
    const char *name;
    int states;
    mpno_optimizer_opts opts;
} rule;

#define OPTS(...) \
    { .size = sizeof(mpno_optimizer_opts), .state_format = MPNO_F32, __VA_ARGS__ }
#define ADAM .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 1e-4
static const rule rules[] = {
    {"adamw", 2, OPTS(.kind = MPNO_OPTIMIZER_ADAMW, ADAM)},
    {"adamw, neuralop", 2,
     OPTS(.kind = MPNO_OPTIMIZER_ADAMW, .convention = MPNO_CONVENTION_NEURALOP, ADAM)},
    {"adamw, clipped", 2, OPTS(.kind = MPNO_OPTIMIZER_ADAMW, ADAM, .clip_norm = 1)},
    {"adam, amsgrad", 3, OPTS(.kind = MPNO_OPTIMIZER_ADAM, ADAM, .amsgrad = true)},
    {"sgd", 0, OPTS(.kind = MPNO_OPTIMIZER_SGD)},
    {"sgd, momentum", 1, OPTS(.kind = MPNO_OPTIMIZER_SGD, .momentum = 0.9)},
    {"lion", 1, OPTS(.kind = MPNO_OPTIMIZER_LION, .beta1 = 0.9, .beta2 = 0.99)},
};
enum { N_RULES = sizeof rules / sizeof rules[0] };

typedef struct job {
    mpno_ctx *ctx;
    mpno_model *model;
    mpno_network *network;
    mpno_optimizer *optimizer[N_RULES];
    double bytes[N_RULES], seconds[N_RULES];
    char *from, *to; /* of the copy: as large as what AdamW moves */
    size_t copied;
    double copy_seconds;
} job;

/* A rule whose turn it is. */
typedef struct turn {
    job *j;
    int rule;
} turn;

static void update(void *argument) {
    const turn *r = argument;
    mpno_optimizer_step(r->j->optimizer[r->rule], r->j->network, 1e-6, 1);
}

enum { PIECES = 64 };

static void copy_piece(void *argument, int64_t task, int thread) {
    const job *j = argument;
    const size_t piece = j->copied / PIECES, first = piece * (size_t)task;
    (void)thread;
    memcpy(j->to + first, j->from + first, piece);
}

static void copy(void *argument) {
    const job *j = argument;
    mpno_parallel(j->ctx->n_threads, PIECES, copy_piece, argument);
}

static mpno_status make(job *j, const options *o) {
    mpno_fno_config config = MPNO_FNO_CONFIG_INIT;
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    config.ndim = 1;
    config.n_modes[0] = 32; /* 17 kept */
    config.in_channels = config.out_channels = 1;
    config.hidden_channels = o->channels;
    config.n_layers = 1;
    if (strcmp(o->precision, "mixed") == 0) config.stabilizer = MPNO_STABILIZER_TANH;
    opts.grid[0] = 32;
    opts.capacity = 1;
    opts.training = true;
    opts.policy = o->precision;
    opts.half_format = o->format == 0 ? MPNO_F16 : MPNO_BF16;
    MPNO_TRY(mpno_model_create(j->ctx, &config, MPNO_F32, 0, &j->model));
    MPNO_TRY(mpno_network_create(j->model, &opts, &j->network));
    const double weights = (double)mpno_model_n_weights(j->model);
    const double copies = (double)mpno_network_get_cost(j->network).weight_copy_bytes;
    for (int i = 0; i < N_RULES; i++) {
        const double passes = 3 + 2 * rules[i].states + (rules[i].opts.clip_norm > 0);
        MPNO_TRY(mpno_optimizer_create(j->model, &rules[i].opts, &j->optimizer[i]));
        j->bytes[i] = weights * sizeof(float) * passes + copies;
    }
    j->copied = (size_t)(j->bytes[0] / 2) / PIECES * PIECES; /* read and written */
    MPNO_TRY(mpno_alloc_array(j->ctx, j->copied, 1, &j->from));
    return mpno_alloc_array(j->ctx, j->copied, 1, &j->to);
}

static mpno_status time_all(job *j, const options *o) {
    turn arguments[N_RULES];
    bench_runner runners[N_RULES + 1] = {{.name = "copy", .run = copy, .argument = j}};
    for (int i = 0; i < N_RULES; i++) {
        arguments[i] = (turn){j, i};
        runners[i + 1] =
            (bench_runner){.name = rules[i].name, .run = update, .argument = &arguments[i]};
    }
    MPNO_TRY(bench_race(j->ctx, runners, N_RULES + 1, (int)o->common.rounds));
    j->copy_seconds = runners[0].seconds;
    for (int i = 0; i < N_RULES; i++) j->seconds[i] = runners[i + 1].seconds;
    return MPNO_OK;
}

static double rate(const job *j, int i) {
    return j->bytes[i] / j->seconds[i];
}

static double copy_rate(const job *j) {
    return 2 * (double)j->copied / j->copy_seconds;
}

static mpno_status put(mpno_ctx *ctx, const void *what, mpno_value *map) {
    const job *j = what;
    mpno_value *list = NULL;
    MPNO_TRY(mpno_value_set_string(ctx, map, "isa", mpno_ctx_isa(ctx)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "threads", mpno_ctx_n_threads(ctx)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "weights", (int64_t)mpno_model_n_weights(j->model)));
    MPNO_TRY(mpno_value_set_real(ctx, map, "copy_bytes_per_s", copy_rate(j)));
    MPNO_TRY(mpno_value_list(ctx, &list));
    MPNO_TRY(mpno_value_set(ctx, map, "rules", list));
    for (int i = 0; i < N_RULES; i++) {
        mpno_value *entry = NULL;
        MPNO_TRY(mpno_value_map(ctx, &entry));
        MPNO_TRY(mpno_value_append(ctx, list, entry));
        MPNO_TRY(mpno_value_set_string(ctx, entry, "rule", rules[i].name));
        MPNO_TRY(mpno_value_set_real(ctx, entry, "seconds", j->seconds[i]));
        MPNO_TRY(mpno_value_set_real(ctx, entry, "bytes", j->bytes[i]));
        MPNO_TRY(mpno_value_set_real(ctx, entry, "bytes_per_s", rate(j, i)));
    }
    return MPNO_OK;
}

static mpno_status fill_table(const void *what, mpno_table *table) {
    const job *j = what;
    static const char *const headings[] = {"<optimiser", ">B/weight", ">ms", ">GB/s", ">of copy"};
    const double weights = (double)mpno_model_n_weights(j->model);
    MPNO_TRY(bench_columns(table, headings, sizeof headings / sizeof headings[0]));
    for (int i = 0; i < N_RULES; i++) {
        MPNO_TRY(mpno_table_cell(table, "%s", rules[i].name));
        MPNO_TRY(mpno_table_cell(table, "%.0f", j->bytes[i] / weights));
        MPNO_TRY(mpno_table_cell(table, "%.2f", 1e3 * j->seconds[i]));
        MPNO_TRY(mpno_table_cell(table, "%.1f", 1e-9 * rate(j, i)));
        MPNO_TRY(mpno_table_cell(table, "%.2f", rate(j, i) / copy_rate(j)));
    }
    return MPNO_OK;
}

static mpno_status print(const job *j) {
    printf("%zu weights, %s, %d threads; a copy of as many bytes as adamw moves: %.1f GB/s\n",
           mpno_model_n_weights(j->model), mpno_ctx_isa(j->ctx), mpno_ctx_n_threads(j->ctx),
           1e-9 * copy_rate(j));
    return bench_print_table(j->ctx, fill_table, j);
}

static mpno_status run(mpno_ctx *ctx, void *argument) {
    const options *o = argument;
    job j = {.ctx = ctx};
    mpno_status status = make(&j, o);
    if (status == MPNO_OK) status = time_all(&j, o);
    if (status == MPNO_OK) status = o->common.json ? bench_print_json(ctx, put, &j) : print(&j);
    for (int i = 0; i < N_RULES; i++) mpno_optimizer_destroy(&j.optimizer[i]);
    mpno_network_destroy(&j.network);
    mpno_model_destroy(&j.model);
    mpno_free(ctx, j.from);
    mpno_free(ctx, j.to);
    return status;
}

const bench_command bench_update = {
    .name = "update",
    .what = "",
    .summary = "Times the step of every optimiser beside a copy of as many bytes",
    .fields = fields,
    .n_fields = BENCH_N_FIELDS(fields),
    .options_bytes = sizeof(options),
    .run = run,
};
