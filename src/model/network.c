/* SPDX-License-Identifier: MIT
 * A model on a grid: graph, differentiation, plan, memory, one step. See mpno/network.h. */
#include "model/network.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/cpu.h"
#include "core/memory.h"
#include "core/rng.h"
#include "graph/exec.h"
#include "model/parts.h"

struct mpno_network {
    mpno_ctx *ctx;
    mpno_model *model;
    mpno_network_opts opts;
    mpno_policy policy;
    mpno_plans *plans;
    mpno_graph *graph;
    mpno_exec *exec;
    mpno_fno_edges edges;
    int target, loss, input_gradient; /* edges, -1: none */
    int first_param;
    int *param_grads;     /* edges; of running statistics: what moves them */
    void **gradients;     /* per parameter; NULL unless training */
    void **weight_copies; /* per parameter; NULL where the master weight is read */
    mpno_codec *codecs;   /* of the copies */
    uint64_t round_seed, round_step;
    char *exceptions;      /* of opts.storage */
    double loss_scale;     /* of the last step */
    const void *embedding; /* borrowed; NULL: not given */
    int bad_edge;          /* the last one that was not finite, -1: none */
};

static bool wants_batch_statistics(const mpno_network_opts *opts) {
    return opts->statistics == MPNO_STATISTICS_BATCH ||
           (opts->statistics == MPNO_STATISTICS_AUTO && opts->training);
}

static bool norms_across_samples(const mpno_model *model, const mpno_network_opts *opts) {
    return wants_batch_statistics(opts) && model->config.norm == MPNO_NORM_BATCH;
}

static mpno_status make_graph(mpno_network *net, const mpno_grid *grid) {
    mpno_fno_opts opts = {.training = net->opts.training,
                          .running = !wants_batch_statistics(&net->opts),
                          .batch = net->opts.capacity,
                          .most_modes = (const int64_t(*)[MPNO_MAX_AXES])net->opts.most_modes};
    opts.transforms.forward = mpno_policy_arithmetic(&net->policy, "fft_forward", 0).multiply;
    opts.transforms.inverse = mpno_policy_arithmetic(&net->policy, "fft_inverse", 0).multiply;
    memcpy(opts.output_grid, net->opts.output_grid, sizeof opts.output_grid);
    MPNO_TRY(mpno_plans_create(net->ctx, net->opts.accurate, &net->plans));
    MPNO_TRY(mpno_graph_create(net->ctx, grid, &net->graph));
    net->first_param = net->graph->n_edges;
    MPNO_TRY(mpno_fno_build(net->model, &opts, net->plans, net->graph, &net->edges));
    if (!net->opts.training) return MPNO_OK;
    MPNO_TRY(mpno_graph_layer(net->graph, "loss"));
    MPNO_TRY(mpno_graph_input(net->graph, "target", net->model->config.out_channels, &net->target));
    net->graph->edges[net->target].grid = net->graph->edges[net->edges.output].grid;
    const int in[] = {net->edges.output, net->target};
    const mpno_attr attr = {.objective = &net->opts.objective};
    MPNO_TRY(mpno_graph_add(net->graph, &mpno_op_loss, 2, in, &attr, MPNO_ROLE_SUMS, "loss",
                            &net->loss));
    MPNO_TRY(mpno_graph_differentiate(net->graph, net->loss, net->param_grads,
                                      net->opts.input_gradient ? net->edges.input : -1,
                                      &net->input_gradient));
    for (int p = 0; p < net->model->n_params; p++)
        if (net->edges.statistics[p] >= 0) net->param_grads[p] = net->edges.statistics[p];
    return MPNO_OK;
}

static mpno_status make_plan(mpno_network *net) {
    const int n_params = net->model->n_params;
    int *requested, n = 0;
    const size_t most = (size_t)n_params + 2 + MPNO_MAX_BLOCKS;
    MPNO_TRY(mpno_alloc_array(net->ctx, most, sizeof(int), &requested));
    if (net->opts.training) {
        for (int p = 0; p < n_params; p++)
            if (net->param_grads[p] >= 0) requested[n++] = net->param_grads[p];
        if (net->input_gradient >= 0) requested[n++] = net->input_gradient;
        requested[n++] = net->loss;
    } else {
        requested[n++] = net->edges.output;
    }
    for (int l = 0; net->opts.keep_spectra && l < (int)net->model->config.n_layers; l++)
        requested[n++] = net->edges.spectra[l];
    const mpno_exec_opts opts = {.policy = &net->policy,
                                 .capacity = net->opts.micro_batch,
                                 .parts = net->opts.micro_batch < net->opts.capacity,
                                 .n_threads = net->ctx->n_threads,
                                 .unfused = net->opts.unfused,
                                 .keep_products = net->opts.recompute == MPNO_RECOMPUTE_NONE,
                                 .remake_layers = net->opts.recompute == MPNO_RECOMPUTE_FULL,
                                 .apart = net->opts.apart || net->opts.unfused,
                                 .requested = requested,
                                 .n_requested = n,
                                 .external_output = net->opts.training ? -1 : net->edges.output};
    const mpno_status status = mpno_exec_create(net->graph, &opts, &net->exec);
    mpno_free(net->ctx, requested);
    return status;
}

static mpno_status check(mpno_model *model, const mpno_network_opts *opts, mpno_grid *grid) {
    mpno_ctx *ctx = model->ctx;
    MPNO_CHECK(ctx, opts->size == sizeof *opts, MPNO_E_ARGUMENT,
               "mpno_network_opts: size is %zu, expected %zu; start from MPNO_NETWORK_OPTS_INIT",
               opts->size, sizeof *opts);
    MPNO_CHECK(ctx, opts->capacity >= 1, MPNO_E_ARGUMENT,
               "a network's capacity is %lld; it must be at least 1 sample",
               (long long)opts->capacity);
    *grid = (mpno_grid){.ndim = model->config.ndim, .points = 1};
    for (int d = 0; d < grid->ndim; d++) {
        MPNO_CHECK(ctx, opts->grid[d] >= 1 && opts->grid[d] <= (int64_t)1 << 24, MPNO_E_ARGUMENT,
                   "grid size %d is %lld; it must be at least 1", d, (long long)opts->grid[d]);
        grid->size[d] = opts->grid[d];
        MPNO_CHECK(ctx, grid->points <= ((int64_t)1 << 40) / opts->grid[d], MPNO_E_ARGUMENT,
                   "the grid has more than 2^40 points");
        grid->points *= opts->grid[d];
        MPNO_CHECK(ctx, opts->output_grid[d] >= 0 && opts->output_grid[d] <= (int64_t)1 << 24,
                   MPNO_E_ARGUMENT,
                   "output grid size %d is %lld; it must be at least 1, or 0 for "
                   "what the model gives",
                   d, (long long)opts->output_grid[d]);
    }
    const bool parts = opts->micro_batch > 0 && opts->micro_batch < opts->capacity;
    const bool across = norms_across_samples(model, opts);
    const bool coupled = mpno_stabilizer_couples_batch(model->config.stabilizer);
    MPNO_CHECK(
        ctx, opts->micro_batch >= MPNO_MICRO_BATCH_AUTO, MPNO_E_ARGUMENT,
        "micro_batch is %lld; it must be at least 1, 0 for the whole batch at once, or %d for "
        "as few samples as cost little time",
        (long long)opts->micro_batch, MPNO_MICRO_BATCH_AUTO);
    MPNO_CHECK(
        ctx, !parts || !across, MPNO_E_ARGUMENT,
        "micro-batches of %lld samples: batch norm takes its statistics from a whole batch of "
        "%lld; choose another norm, or a smaller batch",
        (long long)opts->micro_batch, (long long)opts->capacity);
    MPNO_CHECK(
        ctx, !parts || !coupled, MPNO_E_ARGUMENT,
        "micro-batches of %lld samples: the stabiliser two_sigma_clip_batch takes its limits "
        "from a whole batch of %lld; two_sigma_clip takes them from each sample",
        (long long)opts->micro_batch, (long long)opts->capacity);
    MPNO_CHECK(ctx, !parts || !opts->input_gradient, MPNO_E_ARGUMENT,
               "micro-batches of %lld samples: the gradient of the input is that of a whole batch "
               "of %lld; leave micro_batch at 0, or input_gradient away",
               (long long)opts->micro_batch, (long long)opts->capacity);
    grid->planes = model->config.complex_data ? 2 : 1;
    grid->points *= grid->planes;
    return MPNO_OK;
}

/* Exceptions of layers that the network has not would be ignored in silence. */
static mpno_status check_layers(const mpno_network *net) {
    const bool factors = net->model->config.factorization != MPNO_FACTORIZATION_DENSE;
    for (int i = -1; i < net->policy.n_overrides && factors; i++) {
        const mpno_storage s = mpno_policy_storage(&net->policy, MPNO_ROLE_WEIGHT_SPECTRAL, false,
                                                   i < 0 ? "" : net->policy.override[i].layer);
        MPNO_CHECK(
            net->ctx, s.rounding == MPNO_ROUND_NEAREST_EVEN && s.scaling == MPNO_SCALING_NONE,
            MPNO_E_CONFIG,
            "precision.storage: spectral weights that are made of factors are stored without "
            "scales and rounded to nearest; add spectral weight copy: f32");
    }
    for (int i = 0; i < net->policy.n_overrides; i++) {
        const char *name = net->policy.override[i].layer;
        bool known = name[0] == '\0';
        for (int l = 0; l < net->graph->n_layers; l++)
            known = known || strcmp(net->graph->layers[l], name) == 0;
        MPNO_CHECK(
            net->ctx, known, MPNO_E_CONFIG,
            "precision.storage: the network has no layer '%s'; layers are lifting, block 0 to "
            "block %lld, projection",
            name, (long long)net->model->config.n_layers - 1);
    }
    return MPNO_OK;
}

/* The caller's text may be gone when the options are asked for. */
static mpno_status keep_exceptions(mpno_network *net) {
    const char *text = net->opts.storage.exceptions;
    net->opts.storage.exceptions = NULL;
    if (text == NULL) return MPNO_OK;
    MPNO_TRY(mpno_strdup(net->ctx, text, &net->exceptions));
    net->opts.storage.exceptions = net->exceptions;
    return MPNO_OK;
}

static size_t param_count(const mpno_network *net, int param) {
    return mpno_weight_count(&net->model->params[param].weight);
}

/* The layer that a parameter belongs to, by the name it has in the PyTorch library. */
enum { LAYER_TEXT = 24 };
static const char *layer_of(const mpno_network *net, int param, char *text) {
    const char *name = net->model->params[param].name;
    int block;
    if (sscanf(name, "fno_blocks.norm.%d", &block) == 1)
        snprintf(text, LAYER_TEXT, "block %d", block / 2);
    else if (sscanf(name, "fno_blocks.%*[a-z_].%d", &block) == 1)
        snprintf(text, LAYER_TEXT, "block %d", block);
    else
        snprintf(text, LAYER_TEXT, "%.*s", (int)strcspn(name, "."), name);
    return text;
}

/* How the copy of a weight is stored, but for its place. */
static mpno_codec copy_codec(const mpno_network *net, int param) {
    char layer[LAYER_TEXT];
    const mpno_weight *w = &net->model->params[param].weight;
    const mpno_storage s =
        mpno_policy_storage(&net->policy, w->role, false, layer_of(net, param, layer));
    const bool modes = w->is_complex && s.scaling == MPNO_SCALING_SHELL;
    mpno_codec c = {
        .format = s.format,
        .rounding = s.rounding,
        .scaling = s.scaling == MPNO_SCALING_SHELL && !modes ? MPNO_SCALING_TENSOR : s.scaling,
        .row = w->cols,
        .inner = 2 * w->rows * w->cols,
        .count = w->blocks};
    c.n_scales = mpno_codec_scales(c.scaling, w->cols, (int64_t)param_count(net, param) / w->cols,
                                   w->blocks);
    return c;
}

static mpno_status plan_copies(mpno_network *net) {
    const int n = net->model->n_params;
    MPNO_TRY(mpno_alloc_array(net->ctx, (size_t)n, sizeof *net->codecs, &net->codecs));
    for (int p = 0; p < n; p++) net->codecs[p] = copy_codec(net, p);
    return MPNO_OK;
}

mpno_status mpno_network_opts_policy(const mpno_model *model, const mpno_network_opts *opts,
                                     mpno_policy *out) {
    mpno_ctx *ctx = model->ctx;
    MPNO_TRY(mpno_policy_make(ctx, opts->policy, model->arithmetic, opts->half_format, out));
    MPNO_TRY(mpno_policy_set_transforms(ctx, opts->transform_arithmetic, out));
    return mpno_policy_override(ctx, out, opts->storage.exceptions, opts->storage.rounding,
                                opts->storage.scaling);
}

/* Products and transforms of the forward pass, three times when training: a whole step needs no
 * less. */
static double useful_flops(const mpno_network *net) {
    double flops = 0;
    const int n = net->opts.training ? net->graph->n_forward_nodes : net->graph->n_nodes;
    for (int i = 0; i < n; i++) {
        const mpno_node *node = &net->graph->nodes[i];
        const mpno_op_cost cost = node->op->cost(net->graph, node, net->opts.capacity);
        const bool inverse = net->graph->edges[node->in[0]].kind == MPNO_EDGE_SPECTRUM;
        const int field = inverse ? node->out[0] : node->in[0]; /* of a transform */
        const double points = (double)mpno_graph_grid(net->graph, field)->points;
        if (cost.useful) flops += cost.flops;
        if (node->attr.fft != NULL)
            flops += 2.5 * points * log2(points) *
                     (double)(net->opts.capacity * net->graph->edges[node->in[0]].channels);
    }
    return net->opts.training ? 3 * flops : flops;
}

/* Whether a batch in parts has other results than a batch at once, or one that is asked for cannot
 * be had: values that are rounded by chance draw their numbers anew in each part, and scales that
 * last follow the part before. */
static bool needs_whole_batch(const mpno_network *net) {
    const mpno_network_opts *opts = &net->opts;
    if (norms_across_samples(net->model, opts) || opts->input_gradient || opts->keep_spectra ||
        mpno_stabilizer_couples_batch(net->model->config.stabilizer))
        return true;
    for (int e = 0; e < net->graph->n_edges; e++) {
        const mpno_storage s = mpno_edge_storage(net->graph, e, &net->policy);
        if (s.rounding == MPNO_ROUND_STOCHASTIC ||
            (s.scaling != MPNO_SCALING_NONE && s.scaling != MPNO_SCALING_BLOCK))
            return true;
    }
    return false;
}

/* A weight that is made of its factors is made for each part: not worth it. */
static bool rebuilds_weights(const mpno_graph *graph) {
    for (int i = 0; i < graph->n_nodes; i++)
        if (graph->nodes[i].op == &mpno_op_rebuild) return true;
    return false;
}

static void choose_parts(mpno_network *net) {
    mpno_network_opts *opts = &net->opts;
    mpno_parts_question q = {.batch = opts->capacity,
                             .useful_flops = useful_flops(net),
                             .training = opts->training,
                             .n_threads = net->ctx->n_threads,
                             .cache_bytes = mpno_cpu_caches().level[1]};
    for (int p = 0; p < net->model->n_params; p++)
        q.weight_bytes += param_count(net, p) * mpno_format_bytes(net->policy.base);
    const bool whole = opts->micro_batch == 0 || opts->micro_batch > opts->capacity;
    const bool choose = opts->micro_batch == MPNO_MICRO_BATCH_AUTO;
    if (whole || (choose && (needs_whole_batch(net) || rebuilds_weights(net->graph))))
        opts->micro_batch = opts->capacity;
    else if (choose)
        opts->micro_batch = mpno_parts_samples(&q);
}

static mpno_status plan_network(mpno_network *net) {
    mpno_grid grid;
    net->target = net->loss = net->input_gradient = net->edges.embedding = net->bad_edge = -1;
    MPNO_TRY(check(net->model, &net->opts, &grid));
    MPNO_TRY(mpno_network_opts_policy(net->model, &net->opts, &net->policy));
    MPNO_TRY(keep_exceptions(net));
    MPNO_TRY(
        mpno_alloc_array(net->ctx, (size_t)net->model->n_params, sizeof(int), &net->param_grads));
    MPNO_TRY(mpno_alloc_array(net->ctx, (size_t)net->model->n_params, sizeof(int),
                              &net->edges.statistics));
    MPNO_TRY(plan_copies(net));
    MPNO_TRY(make_graph(net, &grid));
    MPNO_TRY(check_layers(net));
    choose_parts(net);
    return make_plan(net);
}

mpno_status mpno_network_plan(mpno_model *model, const mpno_network_opts *opts,
                              mpno_network **out) {
    mpno_network *net;
    *out = NULL;
    MPNO_TRY(mpno_alloc(model->ctx, sizeof *net, &net));
    net->ctx = model->ctx;
    net->model = model;
    net->opts = *opts;
    const mpno_status status = plan_network(net);
    if (status != MPNO_OK) mpno_network_destroy(&net);
    *out = net;
    return status;
}

/* ---- copies of weights ---- */

static bool is_coded(const mpno_codec *c) {
    return c->rounding != MPNO_ROUND_NEAREST_EVEN || c->scaling != MPNO_SCALING_NONE;
}

/* Scales other than of blocks are found in a pass of their own. */
static size_t most_bytes(const mpno_codec *c) {
    return c->scaling == MPNO_SCALING_BLOCK ? 0 : (size_t)c->n_scales * sizeof *c->most;
}

/* Bytes of the low-precision copy of a weight, 0 where the master weight is read. */
static size_t copy_bytes(const mpno_network *net, int param) {
    const mpno_codec *c = &net->codecs[param];
    const size_t values = param_count(net, param) * mpno_format_bytes(c->format);
    if (c->format == net->policy.base) return 0;
    if (c->n_scales == 0) return values;
    return mpno_aligned(values) + most_bytes(c) + (size_t)c->n_scales;
}

/* The copy is [values], with scales [values][largest magnitudes][scales]. */
static mpno_status make_copy(mpno_network *net, int param) {
    mpno_codec *c = &net->codecs[param];
    if (c->format == net->policy.base) return MPNO_OK;
    MPNO_TRY(mpno_alloc(net->ctx, copy_bytes(net, param), &net->weight_copies[param]));
    c->base = net->weight_copies[param];
    if (c->n_scales == 0) return MPNO_OK;
    char *behind = (char *)net->weight_copies[param] +
                   mpno_aligned(param_count(net, param) * mpno_format_bytes(c->format));
    if (most_bytes(c) > 0) c->most = (_Atomic uint32_t *)(void *)behind;
    c->scales = (unsigned char *)behind + most_bytes(c);
    memset(c->scales, 127, (size_t)c->n_scales);
    return MPNO_OK;
}

static void bind_weight(mpno_network *net, int param) {
    const mpno_codec *c = &net->codecs[param];
    const int edge = net->first_param + param;
    if (net->weight_copies[param] == NULL) {
        mpno_exec_bind(net->exec, edge, net->model->params[param].data, net->policy.base);
    } else if (is_coded(c)) {
        mpno_exec_bind_coded(net->exec, edge, c);
    } else {
        mpno_exec_bind(net->exec, edge, net->weight_copies[param], c->format);
    }
}

static void store_coded(mpno_network *net, int param) {
    mpno_codec *c = &net->codecs[param];
    const mpno_codec_kernels *kernels = mpno_codec_kernels_get(net->ctx->isa, net->policy.base);
    const void *from = net->model->params[param].data;
    const int64_t n = (int64_t)param_count(net, param);
    mpno_rng_key(net->round_seed, net->round_step, (uint32_t)param, MPNO_STREAM_ROUNDING, c->key);
    (void)kernels->store(c, net->weight_copies[param], from, n);
    if (c->most == NULL) return;
    (void)mpno_codec_renew(c);
    (void)kernels->store(c, net->weight_copies[param], from, n);
    (void)mpno_codec_renew(c);
}

void mpno_network_refresh_coded(mpno_network *net) {
    for (int p = 0; p < net->model->n_params; p++) {
        if (net->weight_copies[p] == NULL || !is_coded(&net->codecs[p])) continue;
        store_coded(net, p);
        bind_weight(net, p);
    }
}

void mpno_network_refresh_weights(mpno_network *net) {
    const mpno_kernels *kernels = mpno_kernels_get(net->ctx->isa, net->policy.base);
    for (int p = 0; p < net->model->n_params; p++) {
        if (net->weight_copies[p] == NULL || is_coded(&net->codecs[p])) continue;
        kernels->store(net->weight_copies[p], net->codecs[p].format, net->model->params[p].data,
                       (int64_t)param_count(net, p));
    }
    mpno_network_refresh_coded(net);
}

static mpno_status realise(mpno_network *net) {
    const int n = net->model->n_params;
    MPNO_TRY(mpno_alloc_array(net->ctx, (size_t)n, sizeof(void *), &net->gradients));
    MPNO_TRY(mpno_alloc_array(net->ctx, (size_t)n, sizeof(void *), &net->weight_copies));
    for (int p = 0; p < n; p++) {
        MPNO_TRY(make_copy(net, p));
        bind_weight(net, p);
        if (!net->opts.training) continue;
        MPNO_TRY(mpno_alloc_array(net->ctx, param_count(net, p),
                                  mpno_format_bytes(net->policy.base), &net->gradients[p]));
        if (net->param_grads[p] >= 0)
            mpno_exec_bind(net->exec, net->param_grads[p], net->gradients[p], net->policy.base);
    }
    MPNO_TRY(mpno_exec_realise(net->exec));
    mpno_network_refresh_weights(net);
    return MPNO_OK;
}

mpno_status mpno_network_create(mpno_model *model, const mpno_network_opts *opts,
                                mpno_network **out) {
    *out = NULL;
    MPNO_CHECK(model->ctx, mpno_model_has_weights(model), MPNO_E_ARGUMENT,
               "this model was only declared and has no weights; make it with mpno_model_create to "
               "run it, or plan the network with mpno_network_plan");
    MPNO_TRY(mpno_network_plan(model, opts, out));
    const mpno_status status = realise(*out);
    if (status != MPNO_OK) mpno_network_destroy(out);
    return status;
}

void mpno_network_destroy(mpno_network **network) {
    if (network == NULL || *network == NULL) return;
    mpno_network *net = *network;
    for (int p = 0; p < net->model->n_params; p++) {
        if (net->gradients != NULL) mpno_free(net->ctx, net->gradients[p]);
        if (net->weight_copies != NULL) mpno_free(net->ctx, net->weight_copies[p]);
    }
    mpno_exec_destroy(&net->exec);
    mpno_graph_destroy(&net->graph);
    mpno_plans_destroy(&net->plans);
    mpno_free(net->ctx, net->gradients);
    mpno_free(net->ctx, net->weight_copies);
    mpno_free(net->ctx, net->codecs);
    mpno_free(net->ctx, net->exceptions);
    mpno_free(net->ctx, net->param_grads);
    mpno_free(net->ctx, net->edges.statistics);
    mpno_free(net->ctx, net);
    *network = NULL;
}

/* ---- running ---- */

static mpno_status check_batch(const mpno_network *net, int64_t batch, bool training) {
    MPNO_CHECK(net->ctx, net->gradients != NULL, MPNO_E_ARGUMENT,
               "this network was only planned; make it with mpno_network_create to run it");
    MPNO_CHECK(net->ctx, net->opts.training == training, MPNO_E_ARGUMENT,
               training ? "this network was made for inference; create it with training = true"
                        : "this network was made for training; use mpno_network_step, or create "
                          "one with training = false");
    MPNO_CHECK(net->ctx, net->edges.embedding < 0 || net->embedding != NULL, MPNO_E_ARGUMENT,
               "this network has norm ada_in: give it the vectors that steer it with "
               "mpno_network_set_embedding");
    MPNO_CHECK(net->ctx, batch >= 1 && batch <= net->opts.capacity, MPNO_E_ARGUMENT,
               "a batch of %lld samples was given to a network of capacity %lld", (long long)batch,
               (long long)net->opts.capacity);
    return MPNO_OK;
}

/* Says what may help: f16 ends at 65504, and what a stabiliser stands before is bounded by it, with
 * 16-bit arithmetic up to a number of points (mpno_stabilizer_safe_points). */
static const char *remedy(const mpno_network *net, const mpno_edge *e, mpno_format format) {
    const bool transformed = mpno_role_transformed(e->role);
    if (transformed && net->policy.transforms != net->policy.base)
        return "transforms with 16-bit arithmetic add up all points before they scale them, which "
               "neither a loss scale nor clipped gradients change: try model.stabilizer prescale, "
               "which scales first, or precision.arithmetic full, which rounds only what is "
               "stored";
    if (format != MPNO_F16) return "try a smaller learning rate, or data scaled to order 1";
    if (transformed && net->model->config.stabilizer == MPNO_STABILIZER_NONE)
        return "try policy mixed (its tanh bounds what is transformed), format bf16 (it has the "
               "range of f32) or policy full";
    return "try format bf16 (it has the range of f32) or policy full";
}

static mpno_status not_finite(mpno_network *net, int edge, const char *pass) {
    const mpno_edge *e = &net->graph->edges[edge];
    const mpno_format format = mpno_exec_format(net->exec, edge);
    net->bad_edge = edge;
    return mpno_fail(net->ctx, MPNO_E_NUMERIC,
                     "%s: %s (%s, stored as %s) is not finite in the %s pass under policy %s; %s",
                     net->graph->layers[e->layer], e->name, mpno_role_text(e->role, e->gradient),
                     mpno_format_get(format)->name, pass, net->policy.name, remedy(net, e, format));
}

static const void *samples_from(const mpno_network *net, int edge, const void *data,
                                int64_t first) {
    return data == NULL
               ? NULL
               : (const char *)data + mpno_edge_bytes(net->graph, edge, net->policy.base, first);
}

/* Gives the executor samples first .. of the batch whose tensors begin at x, and so on; y: the
 * target, or where predictions go. Returns how many it takes at once. */
static int64_t bind_part(mpno_network *net, int64_t batch, int64_t first, const void *x,
                         const void *y) {
    const int y_edge = net->opts.training ? net->target : net->edges.output;
    if (first == 0 && net->opts.storage.just_in_time) mpno_exec_forget_scales(net->exec);
    const mpno_format base = net->policy.base;
    mpno_exec_bind(net->exec, net->edges.input, samples_from(net, net->edges.input, x, first),
                   base);
    mpno_exec_bind(net->exec, y_edge, samples_from(net, y_edge, y, first), base);
    if (net->edges.embedding >= 0)
        mpno_exec_bind(net->exec, net->edges.embedding,
                       samples_from(net, net->edges.embedding, net->embedding, first), base);
    return batch - first < net->opts.micro_batch ? batch - first : net->opts.micro_batch;
}

mpno_status mpno_network_forward(mpno_network *net, int64_t batch, const void *x, void *y) {
    MPNO_TRY(check_batch(net, batch, false));
    for (int64_t first = 0, n; first < batch; first += n) {
        n = bind_part(net, batch, first, x, y);
        const int bad = mpno_exec_run(net->exec, MPNO_PASS_FORWARD, first, n, 1.0);
        if (bad >= 0) return not_finite(net, bad, "forward");
    }
    return MPNO_OK;
}

/* Running statistics move a tenth of the way to those of the batch (torch's momentum). */
static void move_statistics(mpno_network *net) {
    const mpno_field_kernels *fields = mpno_field_kernels_get(net->policy.base);
    for (int p = 0; p < net->model->n_params; p++) {
        mpno_param *param = &net->model->params[p];
        const bool counts = param->kind == MPNO_PARAM_COUNTER && wants_batch_statistics(&net->opts);
        if (net->edges.statistics[p] >= 0)
            fields->move(param->data, net->gradients[p], 0.1, (int64_t)param_count(net, p));
        if (counts) fields->count_one(param->data);
    }
}

void mpno_network_opts_widen(mpno_network_opts *opts) {
    const mpno_network_opts defaults = MPNO_NETWORK_OPTS_INIT;
    opts->policy = "full";
    opts->storage = defaults.storage;
}

void mpno_spectrum_read(const mpno_spectrum_view *view, size_t first, int64_t n, double *values) {
    const char *from = (const char *)view->data + first * mpno_format_bytes(view->format);
    if (view->codec == NULL) {
        mpno_cast(values, MPNO_F64, from, view->format, (size_t)n);
    } else {
        mpno_codec_kernels_get(MPNO_ISA_PORTABLE, MPNO_F64)->load(view->codec, values, from, n);
    }
}

mpno_spectrum_view mpno_network_spectrum(const mpno_network *net, int64_t layer) {
    const int edge = net->edges.spectra[layer];
    mpno_spectrum_view view = {.data = mpno_exec_data(net->exec, edge),
                               .format = mpno_exec_format(net->exec, edge),
                               .codec = mpno_exec_codec(net->exec, edge),
                               .channels = net->graph->edges[edge].channels,
                               .points = mpno_graph_grid(net->graph, edge)->points};
    memcpy(view.kept, net->edges.kept[layer], sizeof view.kept);
    return view;
}

void mpno_network_set_embedding(mpno_network *net, const void *values) {
    net->embedding = values;
}

void mpno_network_set_dropout(mpno_network *net, uint64_t seed, uint64_t step) {
    /* Steps are spread over the seeds, so that neighbours share no numbers. */
    mpno_exec_set_drop_seed(net->exec, seed ^ (step + 1) * 0x9E3779B97F4A7C15u);
}

void mpno_network_set_rounding(mpno_network *net, uint64_t seed, uint64_t step) {
    net->round_seed = seed;
    net->round_step = step;
    mpno_exec_set_rounding(net->exec, seed, step);
    if (net->policy.rounding == MPNO_ROUND_STOCHASTIC) mpno_network_refresh_coded(net);
}

void mpno_network_forget_scales(mpno_network *net) {
    mpno_exec_forget_scales(net->exec);
}

void mpno_network_output_grid(const mpno_network *net, int64_t *grid) {
    const mpno_grid *on = mpno_graph_grid(net->graph, net->edges.output);
    for (int d = 0; d < on->ndim; d++) grid[d] = on->size[d];
}

/* Forward, and backward unless the gradients are spoilt already, of one part of a batch. */
static mpno_status step_part(mpno_network *net, int64_t first, int64_t n, int *bad_gradient,
                             double *loss) {
    const int bad = mpno_exec_run(net->exec, MPNO_PASS_FORWARD, first, n, net->loss_scale);
    if (bad >= 0) return not_finite(net, bad, "forward");
    const double *losses = mpno_exec_data(net->exec, net->loss);
    for (int64_t i = 0; i < n * net->model->config.out_channels; i++)
        *loss += losses[i * (1 + net->opts.objective.n_terms)];
    if (!isfinite(*loss)) return not_finite(net, net->loss, "forward");
    if (*bad_gradient < 0)
        *bad_gradient = mpno_exec_run(net->exec, MPNO_PASS_BACKWARD, first, n, net->loss_scale);
    return MPNO_OK;
}

mpno_status mpno_network_step(mpno_network *net, int64_t batch, const void *x, const void *target,
                              double loss_scale, mpno_step_result *result) {
    int bad_gradient = -1;
    *result = (mpno_step_result){0};
    MPNO_TRY(check_batch(net, batch, true));
    net->loss_scale = loss_scale;
    for (int64_t first = 0, n; first < batch; first += n) {
        n = bind_part(net, batch, first, x, target);
        MPNO_TRY(step_part(net, first, n, &bad_gradient, &result->loss));
    }
    move_statistics(net);
    if (bad_gradient < 0) return MPNO_OK;
    if (loss_scale <= 1.0) return not_finite(net, bad_gradient, "backward");
    result->overflow = true;
    return MPNO_OK;
}

const mpno_network_opts *mpno_network_get_opts(const mpno_network *net) {
    return &net->opts;
}

int mpno_network_bad_edge(const mpno_network *net) {
    return net->bad_edge;
}

const char *mpno_network_remedy(const mpno_network *net, int edge) {
    return remedy(net, &net->graph->edges[edge], mpno_exec_format(net->exec, edge));
}

void mpno_network_observe(mpno_network *net, const mpno_observer *observer) {
    mpno_exec_observe(net->exec, observer);
}

mpno_status mpno_network_rehearse(mpno_network *net, int64_t batch, const void *x, const void *y,
                                  double loss_scale, int *bad) {
    MPNO_TRY(check_batch(net, batch, net->opts.training));
    MPNO_CHECK(net->ctx, batch <= net->opts.micro_batch, MPNO_E_ARGUMENT,
               "%lld samples are to run at once in a network that runs %lld", (long long)batch,
               (long long)net->opts.micro_batch);
    bind_part(net, batch, 0, x, y);
    *bad = mpno_exec_run(net->exec, MPNO_PASS_FORWARD, 0, batch, loss_scale);
    if (!net->opts.training || *bad >= 0) return MPNO_OK;
    *bad = mpno_exec_run(net->exec, MPNO_PASS_BACKWARD, 0, batch, loss_scale);
    return MPNO_OK;
}

void *mpno_network_raw_gradient(mpno_network *net, int param) {
    return net->gradients[param];
}

void *mpno_network_weight_copy(mpno_network *net, int param, mpno_format *format) {
    const mpno_codec *c = &net->codecs[param];
    *format = c->format;
    return is_coded(c) ? NULL : net->weight_copies[param];
}

void mpno_network_get_gradient(const mpno_network *net, int param, double *values) {
    mpno_param_export(&net->model->params[param], net->policy.base, net->gradients[param], values);
    for (size_t i = 0; i < param_count(net, param); i++) values[i] /= net->loss_scale;
}

const void *mpno_network_input_gradient(const mpno_network *net) {
    return net->input_gradient < 0 ? NULL : mpno_exec_data(net->exec, net->input_gradient);
}

/* ---- facts of the plan ---- */

const char *mpno_network_bf16_products(const mpno_network *net) {
    for (int n = 0; n < net->graph->n_nodes; n++)
        if (mpno_node_computes_bf16(net->graph, &net->graph->nodes[n], &net->policy))
            return mpno_isa_name(mpno_bf16_kernels_get(net->ctx->isa)->isa);
    return NULL;
}

const char *mpno_network_contraction(const mpno_network *net, char *text, size_t n) {
    const mpno_graph *g = net->graph;
    char made[400];
    for (int i = 0; i < g->n_nodes; i++) {
        const mpno_node *node = &g->nodes[i];
        if (node->op != &mpno_op_rebuild) continue;
        const mpno_contraction *c = node->attr.contraction;
        const char *name = g->edges[node->out[0]].name;
        snprintf(text, n, "%s first, %s by %s",
                 strcmp(name, "dense weight") == 0 ? "weight" : "data", name,
                 mpno_contract_text(&c->problem, &c->path, made, sizeof made));
        return text;
    }
    return NULL;
}

mpno_exec *mpno_network_exec(const mpno_network *net) {
    return net->exec;
}

const mpno_graph *mpno_network_graph(const mpno_network *net) {
    return net->graph;
}

const mpno_fno_edges *mpno_network_edges(const mpno_network *net) {
    return &net->edges;
}

const mpno_policy *mpno_network_policy(const mpno_network *net) {
    return &net->policy;
}

int mpno_network_n_tensors(const mpno_network *net) {
    return mpno_exec_n_tensors(net->exec);
}

mpno_tensor_line mpno_network_tensor(const mpno_network *net, int index) {
    const mpno_exec_tensor t = mpno_exec_tensor_at(net->exec, index);
    const mpno_edge *e = &net->graph->edges[t.edge];
    return (mpno_tensor_line){.name = e->name,
                              .layer = net->graph->layers[e->layer],
                              .role = mpno_role_text(e->role, e->gradient),
                              .format = t.format,
                              .scaling = mpno_exec_scaling(net->exec, t.edge),
                              .bytes = t.bytes,
                              .kept = t.kept};
}

int64_t mpno_network_micro_batch(const mpno_network *net) {
    return net->opts.micro_batch;
}

int mpno_network_n_layers(const mpno_network *net) {
    return net->graph->n_layers;
}

static bool in_layer(const mpno_network *net, int param, const char *layer) {
    char of[LAYER_TEXT];
    return strcmp(layer_of(net, param, of), layer) == 0;
}

mpno_status mpno_network_watch(mpno_network *net) {
    return mpno_exec_watch(net->exec);
}

mpno_layer_seconds mpno_network_layer_seconds(const mpno_network *net, int index) {
    return (mpno_layer_seconds){
        .forward = mpno_exec_layer_seconds(net->exec, index, MPNO_PASS_FORWARD),
        .backward = mpno_exec_layer_seconds(net->exec, index, MPNO_PASS_BACKWARD)};
}

static size_t gradient_bytes(const mpno_network *net, int param) {
    return net->opts.training ? param_count(net, param) * mpno_format_bytes(net->policy.base) : 0;
}

double mpno_network_parts(const mpno_network *net) {
    return (double)net->opts.capacity / (double)net->opts.micro_batch;
}

/* Of a batch at capacity; the executor counts a part of it. */
static double flops_of_batch(const mpno_network *net, int layer) {
    return mpno_exec_flops(net->exec, layer) * mpno_network_parts(net);
}

mpno_layer_line mpno_network_layer(const mpno_network *net, int index) {
    mpno_layer_line line = {.layer = net->graph->layers[index],
                            .flops = flops_of_batch(net, index),
                            .bytes = mpno_exec_layer_bytes(net->exec, index)};
    for (int p = 0; p < net->model->n_params; p++) {
        if (!in_layer(net, p, line.layer)) continue;
        line.parameters += param_count(net, p);
        line.state_bytes += copy_bytes(net, p) + gradient_bytes(net, p);
    }
    return line;
}

mpno_network_cost mpno_network_get_cost(const mpno_network *net) {
    mpno_network_cost cost = {.flops = flops_of_batch(net, -1),
                              .useful_flops = useful_flops(net),
                              .activation_bytes = mpno_exec_arena_bytes(net->exec),
                              .lower_bound_bytes = mpno_exec_lower_bound(net->exec)};
    for (int p = 0; p < net->model->n_params; p++) {
        cost.weight_copy_bytes += copy_bytes(net, p);
        cost.gradient_bytes += gradient_bytes(net, p);
    }
    return cost;
}
