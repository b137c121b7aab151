/* SPDX-License-Identifier: MIT
 * A model on a grid: memory, copies of weights, passes. See mpno/network.h; its plan is made in
 * network_plan.c. */
#include "model/network.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "model/network_inside.h"
#include "model/stabilizer.h"

/* ---- copies of weights ---- */

static bool is_coded(const mpno_codec *c) {
    return c->rounding != MPNO_ROUND_NEAREST_EVEN || c->scaling != MPNO_SCALING_NONE;
}

/* The copy is [values], with scales [values][largest magnitudes][scales]. */
static mpno_status make_copy(mpno_network *net, int param) {
    mpno_codec *c = &net->codecs[param];
    if (c->format == net->policy.base) return MPNO_OK;
    MPNO_TRY(mpno_alloc(net->ctx, mpno_network_copy_bytes(net, param), &net->weight_copies[param]));
    c->base = net->weight_copies[param];
    if (c->n_scales == 0) return MPNO_OK;
    char *behind =
        (char *)net->weight_copies[param] +
        mpno_aligned(mpno_network_param_count(net, param) * mpno_format_bytes(c->format));
    if (mpno_network_most_bytes(c) > 0) c->most = (_Atomic uint32_t *)(void *)behind;
    c->scales = (unsigned char *)behind + mpno_network_most_bytes(c);
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
    const int64_t n = (int64_t)mpno_network_param_count(net, param);
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
                       (int64_t)mpno_network_param_count(net, p));
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
        MPNO_TRY(mpno_alloc_array(net->ctx, mpno_network_param_count(net, p),
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
    if (transformed && mpno_stabilizer_is_identity(net->model->config.stabilizer))
        return "try model.stabilizer tanh (it bounds what is transformed), format bf16 (it has the "
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
        const bool counts =
            param->kind == MPNO_PARAM_COUNTER && mpno_network_wants_statistics(&net->opts);
        if (net->edges.statistics[p] >= 0)
            fields->move(param->data, net->gradients[p], 0.1,
                         (int64_t)mpno_network_param_count(net, p));
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
    for (size_t i = 0; i < mpno_network_param_count(net, param); i++) values[i] /= net->loss_scale;
}

const void *mpno_network_input_gradient(const mpno_network *net) {
    return net->input_gradient < 0 ? NULL : mpno_exec_data(net->exec, net->input_gradient);
}
