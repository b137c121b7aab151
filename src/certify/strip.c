/* SPDX-License-Identifier: MIT
 * See strip.h. The network runs on the grid, unfused and in f64, and is looked at; then one walk
 * along its graph (strip/walk.h) for each of some cuts of the input, of which the least bound
 * counts. */
#include "certify/strip.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "certify/strip/walk.h"
#include "certify/upwards.h"
#include "core/memory.h"

/* -------- whether there is anything to walk -------- */

static mpno_network_opts opts_of(const mpno_strip_opts *opts) {
    mpno_network_opts made = MPNO_NETWORK_OPTS_INIT;
    memcpy(made.grid, opts->grid, sizeof made.grid);
    made.unfused = made.accurate = true;
    return made;
}

/* Asks a network without memory. */
static mpno_status refuse(mpno_model *model, const mpno_strip_opts *opts, mpno_strip *out) {
    const mpno_network_opts made = opts_of(opts);
    mpno_network *network;
    MPNO_TRY(mpno_network_plan(model, &made, &network));
    const mpno_graph *graph = mpno_network_graph(network);
    for (int n = 0; n < graph->n_nodes && out->open[0] == '\0'; n++) {
        const mpno_node *node = &graph->nodes[n];
        const char *why = mpno_strip_refusal(graph, node);
        if (why != NULL)
            snprintf(out->open, sizeof out->open, "%s, %s: %s", graph->layers[node->layer],
                     graph->edges[node->out[0]].name, why);
    }
    mpno_network_destroy(&network);
    return MPNO_OK;
}

static mpno_status make_network(mpno_strip_walk *w, const mpno_strip_opts *opts) {
    const mpno_network_opts made = opts_of(opts);
    MPNO_TRY(mpno_network_create(w->model, &made, &w->network));
    w->graph = mpno_network_graph(w->network);
    w->edges = mpno_network_edges(w->network);
    return MPNO_OK;
}

/* -------- room -------- */

static mpno_status make_blocks(mpno_strip_walk *w) {
    for (int n = 0; n < w->graph->n_nodes; n++) {
        const mpno_node *node = &w->graph->nodes[n];
        if (node->op != &mpno_op_fft_forward) continue;
        MPNO_CHECK(w->ctx, w->n_blocks < MPNO_MAX_BLOCKS, MPNO_E_UNSUPPORTED,
                   "the network has more than %d transforms", MPNO_MAX_BLOCKS);
        mpno_strip_block *b = &w->blocks[w->n_blocks++];
        mpno_mode_shell *shells;
        b->forward = node;
        MPNO_TRY(mpno_alloc_array(w->ctx, (size_t)mpno_fft_modes(node->attr.fft), sizeof *shells,
                                  &shells));
        mpno_waves_shells(node->attr.fft, shells);
        for (int r = 0; r < MPNO_RADII; r++) {
            double sum = 0;
            for (int64_t m = 0; m < mpno_fft_modes(node->attr.fft); m++) {
                int64_t k[MPNO_FFT_MAX_DIMS];
                mpno_waves_frequency(node->attr.fft, m, k);
                const double one = mpno_waves_alias(&w->waves, k, w->waves.radius[r]);
                sum += shells[m].weight * one * one;
            }
            b->gain[r] = MPNO_ENLARGED * sqrt(sum);
        }
        mpno_free(w->ctx, shells);
    }
    return MPNO_OK;
}

static mpno_status make_transform(mpno_strip_walk *w, const mpno_strip_opts *opts) {
    const int ndim = w->model->config.ndim;
    mpno_fft_problem p = {
        .kind = MPNO_FFT_REAL, .arithmetic = MPNO_F64, .ndim = ndim, .accurate = true};
    int64_t channels = 0;
    for (int e = 0; e < w->graph->n_edges; e++)
        if (w->graph->edges[e].kind == MPNO_EDGE_FIELD && w->graph->edges[e].channels > channels)
            channels = w->graph->edges[e].channels;
    for (int d = 0; d < ndim; d++) {
        p.size[d] = opts->grid[d];
        p.keep[d] = d == ndim - 1 ? opts->grid[d] / 2 + 1 : opts->grid[d];
    }
    MPNO_TRY(mpno_fft_create(w->ctx, &p, &w->fft));
    const size_t modes = (size_t)mpno_fft_modes(w->fft);
    MPNO_TRY(mpno_alloc_array(w->ctx, modes, sizeof *w->shells, &w->shells));
    MPNO_TRY(mpno_alloc_array(w->ctx, modes * 2 * (size_t)channels, sizeof *w->modes, &w->modes));
    mpno_waves_shells(w->fft, w->shells);
    return mpno_alloc(w->ctx, mpno_fft_scratch_bytes(w->fft, channels, w->ctx->n_threads),
                      &w->scratch);
}

static mpno_status make_states(mpno_strip_walk *w) {
    const size_t n = (size_t)w->graph->n_edges;
    MPNO_TRY(mpno_alloc_array(w->ctx, n, sizeof *w->sights, &w->sights));
    MPNO_TRY(mpno_alloc_array(w->ctx, n, sizeof *w->states, &w->states));
    MPNO_TRY(mpno_alloc_array(w->ctx, n, sizeof *w->off, &w->off));
    for (int e = 0; e < w->graph->n_edges; e++) {
        const size_t one = (size_t)(2 * w->graph->edges[e].channels + 2);
        if (w->graph->edges[e].kind == MPNO_EDGE_FIELD)
            MPNO_TRY(mpno_alloc_array(w->ctx, MPNO_RADII * one, sizeof(double), &w->states[e]));
    }
    return MPNO_OK;
}

/* Of the walk of a set slopes and norms of weights are asked alone, which are those of any ball. */
static mpno_status prepare(mpno_strip_walk *w, const mpno_strip_opts *opts) {
    const mpno_set_opts ball = {.ball = MPNO_BALL_SUP, .radius = 1};
    mpno_waves_make(w->model->config.ndim, opts->grid, &w->waves);
    MPNO_TRY(mpno_running_create(w->network, w->model, &w->running));
    MPNO_TRY(mpno_set_walk_along(w->model, w->network, &ball, &w->set));
    MPNO_TRY(make_transform(w, opts));
    MPNO_TRY(make_states(w));
    return make_blocks(w);
}

static void close_walk(mpno_strip_walk *w) {
    for (int e = 0; w->graph != NULL && e < w->graph->n_edges; e++) {
        if (w->states != NULL) mpno_free(w->ctx, w->states[e]);
        if (w->sights == NULL) continue;
        mpno_free(w->ctx, w->sights[e].shells);
        mpno_free(w->ctx, w->sights[e].sums);
        mpno_free(w->ctx, w->sights[e].noise);
    }
    mpno_free(w->ctx, w->states);
    mpno_free(w->ctx, w->sights);
    mpno_free(w->ctx, w->off);
    mpno_free(w->ctx, w->shells);
    mpno_free(w->ctx, w->modes);
    mpno_free(w->ctx, w->scratch);
    if (w->fft != NULL) mpno_fft_destroy(w->ctx, &w->fft);
    if (w->set.ctx != NULL) mpno_set_close(&w->set);
    mpno_running_destroy(&w->running);
    mpno_network_destroy(&w->network);
}

/* -------- the search -------- */

/* Norm of the input's waves |k| > cut, and what transforming may have lost of all. */
static double rest_of(const mpno_strip_walk *w, int cut) {
    const mpno_strip_sight *x = &w->sights[w->edges->input];
    const int64_t channels = w->graph->edges[w->edges->input].channels;
    double sum = 0;
    for (int s = cut + 1; s < w->waves.n_shells; s++)
        sum += x->shells[s * (channels + 2) + channels + 1];
    return MPNO_ENLARGED * (sqrt(sum) + x->off);
}

/* Of the answer in the continuum from that on the grid: D13, its rest counted for both networks. */
static double error_with(mpno_strip_walk *w, int cut) {
    const double rest = rest_of(w, cut), again = mpno_strip_share(w, -1, rest);
    mpno_strip_walk_along(w, cut, rest);
    return MPNO_ENLARGED * (w->off[w->edges->output] + again);
}

/* Cuts that leave less and less: each a tenth of the last rest. */
static int search(mpno_strip_walk *w) {
    double least = INFINITY, below = rest_of(w, -1);
    int best = w->waves.n_shells - 1;
    for (int cut = 0; cut < w->waves.n_shells; cut++) {
        const double rest = rest_of(w, cut);
        if (rest > below / 10 && cut + 1 < w->waves.n_shells) continue;
        const double error = error_with(w, cut);
        below = rest;
        if (!(error < least)) continue;
        least = error, best = cut;
    }
    return best;
}

static void put_layers(mpno_strip_walk *w, double factor, mpno_strip *out) {
    out->n_layers = w->n_blocks;
    for (int l = 0; l < w->n_blocks; l++) {
        const mpno_strip_block *b = &w->blocks[l];
        mpno_strip_layer *layer = &out->layers[l];
        const bool found = b->radius >= 0;
        snprintf(layer->name, sizeof layer->name, "%s", w->graph->layers[b->forward->layer]);
        layer->radius = found ? w->waves.radius[b->radius] : 0;
        layer->size = found ? b->size : INFINITY, layer->imag = found ? b->imag : INFINITY;
        layer->alias = b->delta;
        layer->error = factor * mpno_strip_share(w, l, 0);
    }
    out->rest_error = 2 * factor * mpno_strip_share(w, -1, out->rest);
}

/* Why the bound says nothing: where the strips end, or what it is made of for the most part. */
static void say_open(const mpno_strip_walk *w, mpno_strip *out) {
    double most = out->rest_error;
    int layer = -1;
    if (w->stuck >= 0) {
        const mpno_node *node = &w->graph->nodes[w->stuck];
        snprintf(out->open, sizeof out->open,
                 "%s, %s: no strip is left, imaginary parts have grown too large",
                 w->graph->layers[node->layer], w->graph->edges[node->out[0]].name);
        return;
    }
    for (int l = 0; l < out->n_layers; l++)
        if (!(out->layers[l].error <= most)) layer = l, most = out->layers[l].error;
    if (layer < 0)
        snprintf(out->open, sizeof out->open,
                 "input: its waves |k| > %d are too large for what they may grow to", out->cut);
    else
        snprintf(out->open, sizeof out->open,
                 "%s: aliases may be %.3g at the radius %.3g, which makes most of an error above "
                 "the answer's size",
                 out->layers[layer].name, out->layers[layer].alias, out->layers[layer].radius);
}

static mpno_status certify(mpno_strip_walk *w, const mpno_strip_opts *opts, const double *input,
                           mpno_strip *out) {
    double *y, square = 0;
    const int64_t points = w->graph->grids[0].points,
                  values = points * w->model->config.out_channels;
    MPNO_TRY(prepare(w, opts));
    MPNO_TRY(mpno_alloc_array(w->ctx, (size_t)values, sizeof *y, &y));
    const mpno_status status = mpno_strip_look(w, input, y);
    for (int64_t i = 0; status == MPNO_OK && i < values; i++) square += y[i] * y[i];
    mpno_free(w->ctx, y);
    MPNO_TRY(status);
    out->size = opts->size > 0 ? opts->size : opts->factor * sqrt(square / (double)points);
    out->cut = search(w);
    out->rest = rest_of(w, out->cut);
    out->error = opts->factor * error_with(w, out->cut);
    out->error = out->error == out->error ? out->error : INFINITY;
    put_layers(w, opts->factor, out);
    return MPNO_OK;
}

mpno_status mpno_strip_certify(mpno_model *model, const mpno_strip_opts *opts, const double *input,
                               mpno_strip *out) {
    mpno_strip_walk *w;
    *out = (mpno_strip){.error = INFINITY, .rest = INFINITY, .rest_error = INFINITY};
    if (model->config.complex_data) {
        snprintf(out->open, sizeof out->open, "no bound is known of complex fields");
        return MPNO_OK;
    }
    MPNO_TRY(refuse(model, opts, out));
    if (out->open[0] != '\0') return MPNO_OK;
    MPNO_TRY(mpno_alloc(model->ctx, sizeof *w, &w));
    *w = (mpno_strip_walk){.ctx = model->ctx, .model = model, .stuck = -1};
    mpno_status status = make_network(w, opts);
    if (status == MPNO_OK) status = certify(w, opts, input, out);
    out->closes = status == MPNO_OK && out->error < out->size;
    if (status == MPNO_OK && !out->closes) say_open(w, out);
    close_walk(w);
    mpno_free(model->ctx, w);
    return status;
}
