/* SPDX-License-Identifier: MIT
 * What a network is before it has memory: checks of its options, graph, differentiation, samples at
 * once, the lowered program; and facts of that plan. See mpno/network.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/cpu.h"
#include "core/memory.h"
#include "model/network_inside.h"
#include "model/parts.h"

bool mpno_network_wants_statistics(const mpno_network_opts *opts) {
    return opts->statistics == MPNO_STATISTICS_BATCH ||
           (opts->statistics == MPNO_STATISTICS_AUTO && opts->training);
}

size_t mpno_network_param_count(const mpno_network *net, int param) {
    return mpno_weight_count(&net->model->params[param].weight);
}

/* Scales other than of blocks are found in a pass of their own. */
size_t mpno_network_most_bytes(const mpno_codec *c) {
    return c->scaling == MPNO_SCALING_BLOCK ? 0 : (size_t)c->n_scales * sizeof *c->most;
}

/* Bytes of the low-precision copy of a weight, 0 where the master weight is read. */
size_t mpno_network_copy_bytes(const mpno_network *net, int param) {
    const mpno_codec *c = &net->codecs[param];
    const size_t values = mpno_network_param_count(net, param) * mpno_format_bytes(c->format);
    if (c->format == net->policy.base) return 0;
    if (c->n_scales == 0) return values;
    return mpno_aligned(values) + mpno_network_most_bytes(c) + (size_t)c->n_scales;
}

static bool norms_across_samples(const mpno_model *model, const mpno_network_opts *opts) {
    return mpno_network_wants_statistics(opts) && model->config.norm == MPNO_NORM_BATCH;
}

static mpno_status make_graph(mpno_network *net, const mpno_grid *grid) {
    mpno_fno_opts opts = {.training = net->opts.training,
                          .running = !mpno_network_wants_statistics(&net->opts),
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

/* Kept as they are computed, products have the bits of those that are made again. */
static bool stores_as_computed(const mpno_network *net) {
    for (int e = 0; e < net->graph->n_edges; e++)
        if (net->graph->edges[e].kind != MPNO_EDGE_SUMS &&
            mpno_edge_storage(net->graph, e, &net->policy).format != net->policy.base)
            return false;
    return true;
}

/* Leaves exec NULL where products are better made again. */
static mpno_status keep_products_in_cache(mpno_network *net, mpno_exec_opts *opts) {
    const int n_nodes = net->graph->n_nodes, n_edges = net->graph->n_edges;
    net->opts.recompute = MPNO_RECOMPUTE_CHEAP;
    if (!net->opts.training || !stores_as_computed(net)) return MPNO_OK;
    opts->keep_products = true;
    MPNO_TRY(mpno_exec_create(net->graph, opts, &net->exec));
    opts->keep_products = mpno_exec_arena_bytes(net->exec) <= mpno_third_cache_share();
    if (opts->keep_products) {
        net->opts.recompute = MPNO_RECOMPUTE_NONE;
    } else {
        mpno_exec_destroy(&net->exec);
        mpno_graph_shorten(net->graph, n_nodes, n_edges);
    }
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
    mpno_exec_opts opts = {.policy = &net->policy,
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
    mpno_status status = MPNO_OK;
    if (net->opts.recompute == MPNO_RECOMPUTE_AUTO) status = keep_products_in_cache(net, &opts);
    if (status == MPNO_OK && net->exec == NULL)
        status = mpno_exec_create(net->graph, &opts, &net->exec);
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
    c.n_scales = mpno_codec_scales(
        c.scaling, w->cols, (int64_t)mpno_network_param_count(net, param) / w->cols, w->blocks);
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

static int64_t samples_worth(const mpno_network *net) {
    const mpno_network_opts *opts = &net->opts;
    mpno_parts_question q = {.batch = opts->capacity,
                             .useful_flops = useful_flops(net),
                             .training = opts->training,
                             .pieces = net->model->config.ndim == 1 ? 1 : opts->grid[0],
                             .n_threads = net->ctx->n_threads,
                             .second_cache = mpno_cpu_caches().level[1],
                             .third_cache = mpno_third_cache_share()};
    for (int p = 0; p < net->model->n_params; p++) {
        q.narrow = q.narrow || net->codecs[p].format != net->policy.base;
        q.weight_bytes += mpno_network_param_count(net, p) * mpno_format_bytes(net->policy.base);
    }
    return mpno_parts_samples(&q);
}

static int64_t samples_at_once(const mpno_network *net) {
    const mpno_network_opts *opts = &net->opts;
    if (opts->micro_batch == 0 || opts->micro_batch > opts->capacity) return opts->capacity;
    if (opts->micro_batch != MPNO_MICRO_BATCH_AUTO) return opts->micro_batch;
    return needs_whole_batch(net) || rebuilds_weights(net->graph) ? opts->capacity
                                                                  : samples_worth(net);
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
    net->opts.micro_batch = samples_at_once(net);
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
    return net->opts.training
               ? mpno_network_param_count(net, param) * mpno_format_bytes(net->policy.base)
               : 0;
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
        line.parameters += mpno_network_param_count(net, p);
        line.state_bytes += mpno_network_copy_bytes(net, p) + gradient_bytes(net, p);
    }
    return line;
}

mpno_network_cost mpno_network_get_cost(const mpno_network *net) {
    mpno_network_cost cost = {.flops = flops_of_batch(net, -1),
                              .useful_flops = useful_flops(net),
                              .activation_bytes = mpno_exec_arena_bytes(net->exec),
                              .lower_bound_bytes = mpno_exec_lower_bound(net->exec)};
    for (int p = 0; p < net->model->n_params; p++) {
        cost.weight_copy_bytes += mpno_network_copy_bytes(net, p);
        cost.gradient_bytes += gradient_bytes(net, p);
    }
    return cost;
}
