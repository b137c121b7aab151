/* SPDX-License-Identifier: MIT
 * Optimisers on a model's master weights: states, clipping, sums of gradients, threads. What a step
 * computes is said by the rules (optimizer.h), the loops are kernel/tmpl/update.h. Weights are cut
 * into chunks of fixed size, so that threads only decide who computes what. Memory is passed over
 * once: a piece of a chunk is unscaled, clipped, updated and rounded to the copy that the network
 * reads while it lies in the first cache. Clipping by norm reads the gradients a second time, as
 * the norm of all must be known before the first weight moves. */
#include "train/optimizer.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "kernel/kernel.h"
#include "model/model.h"
#include "model/network.h"
#include "train/optimizer_states.h"

enum {
    CHUNK = 16384,
    PIECE = 1024, /* 16 KiB of an f32 weight, gradient and two moments */
    ALIGN_COUNT = 64
}; /* numbers */

/* Numbers first .. first + count - 1 of a parameter. */
typedef struct chunk {
    int param;
    size_t first, count;
} chunk;

struct mpno_optimizer {
    mpno_model *model; /* borrowed */
    mpno_optimizer_opts opts;
    const mpno_optimizer_rule *rule;
    mpno_update_plan plan;
    int64_t steps;
    double norm;    /* of the last gradients; NaN: not asked for */
    size_t *offset; /* of a parameter in the arrays below, in numbers */
    size_t total;   /* numbers of one array */
    mpno_optimizer_state states[MPNO_MAX_STATES]; /* owned, in the layout of weights */
    bool coded;                                   /* some state is */
    size_t room;                                  /* numbers of a state in a thread's hands */
    char *rooms;                                  /* owned: [threads][states][room] if coded */
    void *sum;       /* owned, alike: gradients of the batches before; may be NULL */
    bool waiting;    /* sum holds something */
    chunk *chunks;   /* owned */
    double *squares; /* owned, per chunk; NULL unless clip_norm */
    int64_t n_chunks;
};

/* What the tasks of one step share. */
typedef struct step {
    mpno_optimizer *optimizer;
    mpno_network *network;
    bool summed; /* the gradients are those of the sum, not the network's */
    const mpno_update_kernels *kernels;
    const mpno_kernels *conversions;
    mpno_update_scalars scalars;
} step;

static const mpno_optimizer_rule *const rules[] = {
#define X(name, text) &mpno_rule_##name,
#include "train/optimizers.def"
#undef X
};

enum { N_RULES = sizeof rules / sizeof rules[0] };

const mpno_optimizer_rule *mpno_optimizer_rule_get(mpno_optimizer_kind kind) {
    return (int)kind >= 0 && (int)kind < N_RULES ? rules[kind] : NULL;
}

static void *at(void *data, mpno_format format, size_t index) {
    return (char *)data + index * mpno_format_bytes(format);
}

static mpno_update_id loop_of(const mpno_optimizer *o, const mpno_raw_param *raw) {
    return raw->is_complex ? o->plan.complex : o->plan.real;
}

/* `size`, or a multiple of whole [2][plane] blocks near it where one v serves both planes; of coded
 * states also of theirs. */
static size_t whole_blocks(const mpno_optimizer *o, const mpno_raw_param *raw, size_t size) {
    if (loop_of(o, raw) != MPNO_UPDATE_ADAM_MODULUS) return size;
    const size_t pair = 2 * (size_t)raw->plane;
    size_t block = pair;
    while (o->coded && block % MPNO_CODEC_BLOCK != 0) block += pair;
    return block >= size ? block : size / block * block;
}

static mpno_status make_chunks(mpno_optimizer *o) {
    const mpno_model *model = o->model;
    const int n = mpno_model_n_params(model);
    for (int pass = 0; pass < 2; pass++) { /* count, then fill */
        int64_t count = 0;
        for (int p = 0; p < n; p++) {
            const mpno_raw_param raw = mpno_model_raw(model, p);
            if (model->params[p].kind != MPNO_PARAM_WEIGHT) continue; /* networks move these */
            const size_t size = whole_blocks(o, &raw, CHUNK);
            for (size_t first = 0; first < raw.count; first += size, count++) {
                if (pass == 0) continue;
                const size_t left = raw.count - first;
                o->chunks[count] = (chunk){p, first, left < size ? left : size};
            }
        }
        o->n_chunks = count;
        if (pass == 0) {
            MPNO_TRY(mpno_alloc_array(model->ctx, (size_t)count, sizeof *o->chunks, &o->chunks));
        }
    }
    if (o->opts.clip_norm <= 0) return MPNO_OK;
    return mpno_alloc_array(model->ctx, (size_t)o->n_chunks, sizeof *o->squares, &o->squares);
}

/* Where a piece of coded states is decoded to, a thread and state. */
static void find_rooms(mpno_optimizer *o) {
    const mpno_model *model = o->model;
    for (int p = 0; o->coded && p < mpno_model_n_params(model); p++) {
        const mpno_raw_param raw = mpno_model_raw(model, p);
        const size_t size = whole_blocks(o, &raw, PIECE);
        if (size > o->room) o->room = size;
    }
    o->room = (o->room + ALIGN_COUNT - 1) / ALIGN_COUNT * ALIGN_COUNT;
}

static size_t n_rooms(const mpno_optimizer *o) {
    return (size_t)o->model->ctx->n_threads * (size_t)o->plan.n_states * o->room;
}

static mpno_status make_arrays(mpno_optimizer *o) {
    const mpno_model *model = o->model;
    const size_t bytes = mpno_format_bytes(model->arithmetic);
    const int n = mpno_model_n_params(model);
    MPNO_TRY(mpno_alloc_array(model->ctx, (size_t)n, sizeof *o->offset, &o->offset));
    for (int p = 0; p < n; p++) {
        const size_t count = mpno_model_raw(model, p).count;
        o->offset[p] = o->total;
        o->total += (count + ALIGN_COUNT - 1) / ALIGN_COUNT * ALIGN_COUNT;
    }
    for (int k = 0; k < o->plan.n_states; k++) {
        const mpno_format format =
            mpno_state_format(o->opts.state_format, o->plan.states[k], model->arithmetic);
        MPNO_TRY(mpno_state_create(model->ctx, format, model->arithmetic, o->total, &o->states[k]));
        o->coded = o->coded || o->states[k].coded;
    }
    find_rooms(o);
    if (o->coded) MPNO_TRY(mpno_alloc_array(model->ctx, n_rooms(o), bytes, &o->rooms));
    if (!o->opts.accumulate) return MPNO_OK;
    return mpno_alloc_array(model->ctx, o->total, bytes, &o->sum);
}

static mpno_status check_opts(mpno_ctx *ctx, const mpno_optimizer_opts *opts) {
    MPNO_CHECK(ctx, opts->size == sizeof *opts, MPNO_E_ARGUMENT,
               "mpno_optimizer_opts.size is %zu, expected %zu: start from MPNO_OPTIMIZER_OPTS_INIT",
               opts->size, sizeof *opts);
    const mpno_optimizer_rule *rule = mpno_optimizer_rule_get(opts->kind);
    MPNO_CHECK(ctx, rule, MPNO_E_ARGUMENT, "the optimiser's kind is %d, expected 0 to %d",
               (int)opts->kind, N_RULES - 1);
    MPNO_CHECK(
        ctx,
        opts->convention == MPNO_CONVENTION_TORCH || opts->convention == MPNO_CONVENTION_NEURALOP,
        MPNO_E_ARGUMENT, "the optimiser's convention is %d, expected torch or neuralop",
        (int)opts->convention);
    MPNO_CHECK(ctx, opts->convention == MPNO_CONVENTION_TORCH || opts->kind == MPNO_OPTIMIZER_ADAMW,
               MPNO_E_ARGUMENT,
               "the convention neuralop is one of adamw, the optimiser is %s: give the convention "
               "torch",
               rule->name);
    MPNO_CHECK(ctx, opts->beta1 >= 0 && opts->beta1 < 1 && opts->beta2 >= 0 && opts->beta2 < 1,
               MPNO_E_ARGUMENT, "the optimiser's betas are %g and %g, expected values in [0, 1)",
               opts->beta1, opts->beta2);
    MPNO_CHECK(ctx, opts->weight_decay >= 0, MPNO_E_ARGUMENT,
               "the weight decay is %g, expected a number >= 0", opts->weight_decay);
    MPNO_CHECK(ctx, opts->clip_norm >= 0 && opts->clip_value >= 0, MPNO_E_ARGUMENT,
               "gradients are clipped to the norm %g and the value %g, expected numbers >= 0",
               opts->clip_norm, opts->clip_value);
    MPNO_CHECK(ctx, opts->clip_norm == 0 || opts->clip_value == 0, MPNO_E_ARGUMENT,
               "gradients are clipped by norm (%g) and by value (%g): keep one of the two",
               opts->clip_norm, opts->clip_value);
    MPNO_CHECK(ctx,
               opts->state_format == MPNO_F32 || opts->state_format == MPNO_BF16 ||
                   opts->state_format == MPNO_F8E4M3 || opts->state_format == MPNO_F8E5M2,
               MPNO_E_ARGUMENT,
               "the optimiser's states cannot be of format %d: expected f32 (the arithmetic "
               "format), bf16, f8e4m3 or f8e5m2",
               (int)opts->state_format);
    return rule->check(ctx, opts);
}

mpno_status mpno_optimizer_create(mpno_model *model, const mpno_optimizer_opts *opts,
                                  mpno_optimizer **out) {
    const mpno_optimizer_opts defaults = MPNO_OPTIMIZER_OPTS_INIT;
    mpno_ctx *ctx = model->ctx;
    mpno_optimizer *o = NULL;
    *out = NULL;
    if (!opts) opts = &defaults;
    MPNO_TRY(check_opts(ctx, opts));
    MPNO_TRY(mpno_alloc(ctx, sizeof *o, &o));
    o->model = model;
    o->opts = *opts;
    o->rule = mpno_optimizer_rule_get(opts->kind);
    o->plan = o->rule->plan(opts);
    o->norm = NAN;
    mpno_status status = make_arrays(o);
    if (status == MPNO_OK) status = make_chunks(o);
    if (status != MPNO_OK) {
        mpno_optimizer_destroy(&o);
        return status;
    }
    *out = o;
    return MPNO_OK;
}

void mpno_optimizer_destroy(mpno_optimizer **optimizer) {
    if (!optimizer || !*optimizer) return;
    mpno_optimizer *o = *optimizer;
    mpno_ctx *ctx = o->model->ctx;
    for (int k = 0; k < MPNO_MAX_STATES; k++) mpno_state_destroy(ctx, &o->states[k]);
    mpno_free(ctx, o->rooms);
    mpno_free(ctx, o->sum);
    mpno_free(ctx, o->offset);
    mpno_free(ctx, o->chunks);
    mpno_free(ctx, o->squares);
    mpno_free(ctx, o);
    *optimizer = NULL;
}

/* Address of a chunk in an array of ours. */
static void *place(const mpno_optimizer *o, void *array, const chunk *c) {
    return at(array, o->model->arithmetic, o->offset[c->param] + c->first);
}

static const void *gradient(const step *s, const chunk *c) {
    const mpno_optimizer *o = s->optimizer;
    if (s->summed) return place(o, o->sum, c);
    return at(mpno_network_raw_gradient(s->network, c->param), o->model->arithmetic, c->first);
}

/* The states of a piece as the loop takes them: where they are or, coded, decoded. */
static void open_states(const mpno_optimizer *o, const chunk *c, int thread, void **out) {
    const size_t element = mpno_format_bytes(o->model->arithmetic);
    for (int k = 0; k < o->plan.n_states; k++) {
        const mpno_optimizer_state *s = &o->states[k];
        if (!s->coded) {
            out[k] = place(o, s->data, c);
            continue;
        }
        out[k] = o->rooms + (size_t)(thread * o->plan.n_states + k) * o->room * element;
        mpno_state_load(s, o->offset[c->param] + c->first, out[k], c->count);
    }
}

static void close_states(const mpno_optimizer *o, const chunk *c, void *const *states) {
    for (int k = 0; k < o->plan.n_states; k++)
        if (o->states[k].coded)
            mpno_state_store(&o->states[k], o->offset[c->param] + c->first, states[k], c->count);
}

static void update_chunk(void *argument, int64_t task, int thread) {
    const step *s = argument;
    const mpno_optimizer *o = s->optimizer;
    const chunk whole = o->chunks[task];
    const mpno_raw_param raw = mpno_model_raw(o->model, whole.param);
    const mpno_update update = s->kernels->update[loop_of(o, &raw)];
    const size_t size = whole_blocks(o, &raw, PIECE), end = whole.first + whole.count;
    mpno_format format;
    void *copy = mpno_network_weight_copy(s->network, whole.param, &format);
    for (chunk c = whole; c.first < end; c.first += size) {
        void *weight = at(raw.data, o->model->arithmetic, c.first);
        void *states[MPNO_MAX_STATES] = {NULL};
        c.count = end - c.first < size ? end - c.first : size;
        open_states(o, &c, thread, states);
        update(weight, states, gradient(s, &c), (int64_t)c.count, raw.plane, &s->scalars);
        close_states(o, &c, states);
        if (copy)
            s->conversions->store(at(copy, format, c.first), format, weight, (int64_t)c.count);
    }
}

static void square_chunk(void *argument, int64_t task, int thread) {
    const step *s = argument;
    const chunk *c = &s->optimizer->chunks[task];
    (void)thread;
    s->optimizer->squares[task] = s->kernels->sum_squares(gradient(s, c), (int64_t)c->count);
}

static void sum_chunk(void *argument, int64_t task, int thread) {
    const step *s = argument;
    const mpno_optimizer *o = s->optimizer;
    const chunk *c = &o->chunks[task];
    void *sum = place(o, o->sum, c);
    (void)thread;
    if (o->waiting) {
        s->kernels->accumulate(sum, gradient(s, c), (int64_t)c->count);
    } else {
        memcpy(sum, gradient(s, c), c->count * mpno_format_bytes(o->model->arithmetic));
    }
}

static step make_step(mpno_optimizer *o, mpno_network *network) {
    return (step){.optimizer = o,
                  .network = network,
                  .kernels = mpno_update_kernels_get(o->model->ctx->isa, o->model->arithmetic),
                  .conversions = mpno_kernels_get(o->model->ctx->isa, o->model->arithmetic)};
}

static void run(const step *s, mpno_task task) {
    step shared = *s;
    mpno_parallel(s->optimizer->model->ctx->n_threads, s->optimizer->n_chunks, task, &shared);
}

void mpno_optimizer_accumulate(mpno_optimizer *o, mpno_network *network) {
    const step s = make_step(o, network);
    run(&s, sum_chunk);
    o->waiting = true;
}

void mpno_optimizer_discard(mpno_optimizer *o) {
    o->waiting = false;
}

/* The factor of torch.nn.utils.clip_grad_norm_. */
static double clip_factor(const step *s, double unscale) {
    mpno_optimizer *o = s->optimizer;
    double sum = 0;
    run(s, square_chunk);
    for (int64_t i = 0; i < o->n_chunks; i++) sum += o->squares[i];
    o->norm = sqrt(sum) * unscale;
    const double factor = o->opts.clip_norm / (o->norm + 1e-6);
    return factor < 1 ? factor : 1;
}

void mpno_optimizer_step(mpno_optimizer *o, mpno_network *network, double learning_rate,
                         double loss_scale) {
    if (o->waiting) mpno_optimizer_accumulate(o, network);
    step s = make_step(o, network);
    s.summed = o->waiting;
    o->steps++;
    s.scalars = o->rule->scalars(&o->opts, (double)o->steps, learning_rate);
    s.scalars.limit = o->opts.clip_value > 0 ? o->opts.clip_value : INFINITY;
    s.scalars.unscale = 1 / loss_scale;
    if (o->squares) s.scalars.unscale *= clip_factor(&s, s.scalars.unscale);
    for (int k = 0; k < o->plan.n_states; k++)
        mpno_state_seed(&o->states[k], o->opts.seed, o->steps, k);
    run(&s, update_chunk);
    mpno_network_refresh_coded(network);
    o->waiting = false;
}

int64_t mpno_optimizer_steps(const mpno_optimizer *o) {
    return o->steps;
}

void mpno_optimizer_set_steps(mpno_optimizer *o, int64_t steps) {
    o->steps = steps;
}

size_t mpno_optimizer_bytes(const mpno_optimizer *o) {
    size_t bytes = ((o->sum ? o->total : 0) + n_rooms(o)) * mpno_format_bytes(o->model->arithmetic);
    for (int k = 0; k < o->plan.n_states; k++)
        bytes += mpno_state_bytes(o->states[k].format, o->total);
    return bytes;
}

size_t mpno_optimizer_need(const mpno_model *model, const mpno_optimizer_opts *opts) {
    const size_t n = mpno_model_n_weights(model), element = mpno_format_bytes(model->arithmetic);
    mpno_optimizer o = {.model = (mpno_model *)(uintptr_t)model,
                        .opts = *opts,
                        .plan = mpno_optimizer_rule_get(opts->kind)->plan(opts)};
    size_t bytes = opts->accumulate ? n * element : 0;
    for (int k = 0; k < o.plan.n_states; k++) {
        const mpno_format format =
            mpno_state_format(opts->state_format, o.plan.states[k], model->arithmetic);
        o.coded = o.coded || format != model->arithmetic;
        bytes += mpno_state_bytes(format, n);
    }
    find_rooms(&o);
    return bytes + n_rooms(&o) * element;
}

double mpno_optimizer_gradient_norm(const mpno_optimizer *o) {
    return o->norm;
}

int mpno_optimizer_n_states(const mpno_optimizer *o) {
    return o->plan.n_states;
}

const char *mpno_optimizer_state_name(const mpno_optimizer *o, int state) {
    return o->plan.states[state];
}

/* Coded states pass through memory of the arithmetic type. */
static mpno_status make_room(const mpno_optimizer *o, int param, void *out) {
    return mpno_alloc_array(o->model->ctx, mpno_model_raw(o->model, param).count,
                            mpno_format_bytes(o->model->arithmetic), out);
}

mpno_status mpno_optimizer_get_state(const mpno_optimizer *o, int state, int param,
                                     double *values) {
    const mpno_format format = o->model->arithmetic;
    const mpno_optimizer_state *s = &o->states[state];
    void *room = NULL;
    if (s->coded) {
        MPNO_TRY(make_room(o, param, &room));
        mpno_state_load(s, o->offset[param], room, mpno_model_raw(o->model, param).count);
    }
    mpno_param_export(&o->model->params[param], format,
                      room != NULL ? room : at(s->data, format, o->offset[param]), values);
    mpno_free(o->model->ctx, room);
    return MPNO_OK;
}

/* What was read from a state is a number of its format: no rounding changes it. */
mpno_status mpno_optimizer_set_state(mpno_optimizer *o, int state, int param,
                                     const double *values) {
    const mpno_format format = o->model->arithmetic;
    const mpno_optimizer_state *s = &o->states[state];
    void *room = NULL;
    if (s->coded) MPNO_TRY(make_room(o, param, &room));
    mpno_param_import(&o->model->params[param], format,
                      room != NULL ? room : at(s->data, format, o->offset[param]), values);
    if (s->coded)
        mpno_state_store(s, o->offset[param], room, mpno_model_raw(o->model, param).count);
    mpno_free(o->model->ctx, room);
    return MPNO_OK;
}
