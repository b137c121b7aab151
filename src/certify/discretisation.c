/* SPDX-License-Identifier: MIT
 * See discretisation.h. The network on 2n points runs unfused, so that the field each block
 * transforms is stored and can be looked at; what n points make of the same field is a transform of
 * every second point of it. */
#include "certify/discretisation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "certify/alias.h"
#include "certify/trigonometric.h"
#include "core/memory.h"
#include "model/network.h"

enum { GRIDS = 3 }; /* n/2, n, 2n */
static const double UNRESOLVED = 1e-12;

typedef struct one_grid {
    int64_t grid[MPNO_MAX_AXES], output[MPNO_MAX_AXES];
    size_t n_in, n_out; /* numbers of a sample */
    mpno_network *network;
    double *x, *y;
} one_grid;

struct mpno_discretiser {
    mpno_ctx *ctx;
    mpno_discretiser_opts opts;
    mpno_model *model; /* of f64 */
    one_grid on[GRIDS];
    double *taken; /* every second point of an answer */
    mpno_alias *alias[MPNO_MAX_BLOCKS];
    int field[MPNO_MAX_BLOCKS]; /* edge of the last network's graph */
    mpno_discretisation *now;
};

static int64_t planes_of(const mpno_model *model) {
    return model->config.complex_data ? 2 : 1;
}

/* -------- creation -------- */

static mpno_status make_grid(mpno_discretiser *d, one_grid *g, bool looked_at) {
    const mpno_fno_config *c = &d->model->config;
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    g->n_in = (size_t)(c->in_channels * planes_of(d->model));
    g->n_out = (size_t)(c->out_channels * planes_of(d->model));
    memcpy(opts.grid, g->grid, sizeof opts.grid);
    opts.unfused = looked_at;
    MPNO_TRY(mpno_network_create(d->model, &opts, &g->network));
    mpno_network_output_grid(g->network, g->output);
    for (int a = 0; a < c->ndim; a++) {
        g->n_in *= (size_t)g->grid[a];
        g->n_out *= (size_t)g->output[a];
    }
    MPNO_TRY(mpno_alloc_array(d->ctx, g->n_in, sizeof *g->x, &g->x));
    return mpno_alloc_array(d->ctx, g->n_out, sizeof *g->y, &g->y);
}

/* The remainder changes nothing and tells compilers that it fits. */
static void name_block(int block, char name[16]) {
    snprintf(name, 16, "block %u", (unsigned)block % MPNO_MAX_BLOCKS);
}

/* The field that block `layer` transforms: its convolution is the first transform of the block. */
static int transformed_field(const mpno_graph *graph, const char *layer) {
    for (int n = 0; n < graph->n_nodes; n++) {
        const mpno_node *node = &graph->nodes[n];
        const bool first = node->op == &mpno_op_line_forward || node->op == &mpno_op_stage;
        if (first && strcmp(graph->layers[node->layer], layer) == 0) return node->in[0];
    }
    return -1;
}

static mpno_status check_doubled(mpno_discretiser *d, const char *what, const int64_t *coarse,
                                 const int64_t *fine) {
    for (int a = 0; a < d->model->config.ndim; a++)
        MPNO_CHECK(d->ctx, fine[a] == 2 * coarse[a], MPNO_E_SHAPE,
                   "the %s has %lld points on axis %d, but on a grid of twice the points %lld "
                   "instead of %lld; the estimate takes grids that double in every layer",
                   what, (long long)coarse[a], a, (long long)fine[a], 2 * (long long)coarse[a]);
    return MPNO_OK;
}

static mpno_status make_layers(mpno_discretiser *d) {
    const mpno_fno_config *c = &d->model->config;
    const mpno_graph *graph[GRIDS];
    for (int g = 0; g < GRIDS; g++) graph[g] = mpno_network_graph(d->on[g].network);
    for (int l = 0; l < (int)c->n_layers; l++) {
        char name[16];
        int field[GRIDS];
        name_block(l, name);
        for (int g = 0; g < GRIDS; g++) {
            field[g] = transformed_field(graph[g], name);
            MPNO_CHECK(d->ctx, field[g] >= 0, MPNO_E_UNSUPPORTED, "%s has no transform", name);
        }
        for (int g = 1; g < GRIDS; g++)
            MPNO_TRY(check_doubled(d, name, mpno_graph_grid(graph[g - 1], field[g - 1])->size,
                                   mpno_graph_grid(graph[g], field[g])->size));
        mpno_alias_problem p = {.kind = c->complex_data ? MPNO_FFT_COMPLEX : MPNO_FFT_REAL,
                                .ndim = c->ndim,
                                .channels = graph[GRIDS - 1]->edges[field[GRIDS - 1]].channels};
        const mpno_spectrum_view view = mpno_network_spectrum(d->on[GRIDS - 1].network, l);
        memcpy(p.keep, view.kept, sizeof p.keep);
        memcpy(p.size, mpno_graph_grid(graph[GRIDS - 1], field[GRIDS - 1])->size, sizeof p.size);
        MPNO_TRY(mpno_alias_create(d->ctx, &p, &d->alias[l]));
        d->field[l] = field[GRIDS - 1];
    }
    return MPNO_OK;
}

static mpno_status check_normalizer(mpno_ctx *ctx, const mpno_normalizer *n, const char *what) {
    MPNO_CHECK(ctx, n == NULL || n->encoding != MPNO_ENCODING_PIXEL_WISE, MPNO_E_UNSUPPORTED,
               "%s are normalised point by point of one grid, so that they mean nothing on "
               "another; take encoding scalar or channel-wise",
               what);
    return MPNO_OK;
}

static mpno_status make(mpno_discretiser *d, const mpno_model *model) {
    const int ndim = model->config.ndim;
    MPNO_TRY(check_normalizer(d->ctx, d->opts.x, "inputs"));
    MPNO_TRY(check_normalizer(d->ctx, d->opts.y, "outputs"));
    for (int a = 0; a < ndim; a++) {
        const int64_t n = d->opts.grid[a];
        MPNO_CHECK(d->ctx, n >= 4 && n % 2 == 0 && n <= (int64_t)1 << 23, MPNO_E_SHAPE,
                   "the grid has %lld points on axis %d; the estimate halves and doubles it and "
                   "takes an even number from 4 to 2^23",
                   (long long)n, a);
        d->on[0].grid[a] = n / 2, d->on[1].grid[a] = n, d->on[2].grid[a] = 2 * n;
    }
    MPNO_TRY(mpno_model_copy(model, MPNO_F64, &d->model));
    for (int g = 0; g < GRIDS; g++) MPNO_TRY(make_grid(d, &d->on[g], g == GRIDS - 1));
    for (int g = 1; g < GRIDS; g++)
        MPNO_TRY(check_doubled(d, "answer", d->on[g - 1].output, d->on[g].output));
    MPNO_TRY(make_layers(d));
    return mpno_alloc_array(d->ctx, d->on[1].n_out, sizeof *d->taken, &d->taken);
}

mpno_status mpno_discretiser_create(const mpno_model *model, const mpno_discretiser_opts *opts,
                                    mpno_discretiser **out) {
    MPNO_TRY(mpno_alloc(model->ctx, sizeof **out, out));
    (*out)->ctx = model->ctx;
    (*out)->opts = *opts;
    const mpno_status status = make(*out, model);
    if (status != MPNO_OK) mpno_discretiser_destroy(out);
    return status;
}

void mpno_discretiser_destroy(mpno_discretiser **discretiser) {
    if (discretiser == NULL || *discretiser == NULL) return;
    mpno_discretiser *d = *discretiser;
    mpno_ctx *ctx = d->ctx;
    for (int g = 0; g < GRIDS; g++) {
        mpno_network_destroy(&d->on[g].network);
        mpno_free(ctx, d->on[g].x);
        mpno_free(ctx, d->on[g].y);
    }
    for (int l = 0; l < MPNO_MAX_BLOCKS; l++) mpno_alias_destroy(&d->alias[l]);
    mpno_model_destroy(&d->model);
    mpno_free(ctx, d->taken);
    mpno_free(ctx, d);
    *discretiser = NULL;
}

/* By how much a number of the answer grows when it is decoded, at most. */
static double decoded(const mpno_normalizer *y) {
    if (y == NULL) return 1;
    double most = y->std;
    const int64_t count = mpno_normalizer_count(y);
    for (int64_t i = 0; i < count; i++) most = i == 0 || y->stds[i] > most ? y->stds[i] : most;
    return (most + MPNO_NORMALIZER_EPS) * (1 + 1e-9);
}

/* After the run on n points, whose input is encoded. */
static mpno_status prove(mpno_discretiser *d, mpno_discretisation *out) {
    mpno_strip_opts opts = {.factor = decoded(d->opts.y), .size = out->size};
    memcpy(opts.grid, d->opts.grid, sizeof opts.grid);
    return mpno_strip_certify(d->model, &opts, d->on[1].x, &out->strip);
}

/* -------- a run -------- */

static void look(void *user, const mpno_sight *sight) {
    const mpno_discretiser *d = user;
    for (int l = 0; l < (int)d->model->config.n_layers; l++) {
        if (d->field[l] != sight->edge || sight->format != MPNO_F64) continue;
        const mpno_alias_energy e = mpno_alias_run(d->alias[l], sight->data);
        mpno_discretised_layer *layer = &d->now->layers[l];
        name_block(l, layer->name);
        layer->norm = e.norm, layer->alias = e.alias, layer->cut = e.cut;
    }
}

static mpno_status run_grid(mpno_discretiser *d, one_grid *g, bool looked_at) {
    const mpno_observer observer = {look, d};
    if (d->opts.x != NULL) mpno_normalizer_encode(d->opts.x, MPNO_F64, g->x, (int64_t)g->n_in);
    mpno_network_set_embedding(g->network, d->opts.embedding);
    if (looked_at) mpno_network_observe(g->network, &observer);
    const mpno_status status = mpno_network_forward(g->network, 1, g->x, g->y);
    if (looked_at) mpno_network_observe(g->network, NULL);
    MPNO_TRY(status);
    if (d->opts.y != NULL) mpno_normalizer_decode(d->opts.y, MPNO_F64, g->y, (int64_t)g->n_out);
    return MPNO_OK;
}

/* Of the answers on two grids; size: of the finer one, at the points of the other. */
static double difference(mpno_discretiser *d, const one_grid *coarse, const one_grid *fine,
                         double *size) {
    const mpno_fno_config *c = &d->model->config;
    const int64_t width = c->out_channels * planes_of(d->model);
    double sum = 0, whole = 0;
    mpno_every_second(c->ndim, coarse->output, width, fine->y, d->taken);
    for (size_t i = 0; i < coarse->n_out; i++) {
        sum += (coarse->y[i] - d->taken[i]) * (coarse->y[i] - d->taken[i]);
        whole += d->taken[i] * d->taken[i];
    }
    const double points = (double)coarse->n_out / (double)width;
    *size = sqrt(whole / points);
    return sqrt(sum / points);
}

void mpno_discretisation_judge(mpno_discretisation *r) {
    r->error = r->after;
    r->lower = 0;
    r->rate = NAN;
    if (r->after <= UNRESOLVED * r->size) {
        r->convergence = MPNO_CONVERGENCE_ENDED;
        r->upper = UNRESOLVED * r->size;
        return;
    }
    r->rate = log2(r->before / r->after);
    const double left = exp2(-r->rate); /* of the error after another doubling */
    if (r->rate > 0) {
        r->convergence = MPNO_CONVERGENCE_SEEN;
        r->upper = r->after / (1 - left);
        r->lower = r->rate > 1 ? r->after * (1 - left / (1 - left)) : 0;
    } else {
        r->convergence = MPNO_CONVERGENCE_NONE;
        r->upper = INFINITY;
    }
}

mpno_status mpno_discretiser_run(mpno_discretiser *d, const double *input,
                                 mpno_discretisation *out) {
    const mpno_fno_config *c = &d->model->config;
    const int64_t width = c->in_channels * planes_of(d->model);
    double size;
    memset(out, 0, sizeof *out);
    out->ndim = c->ndim;
    memcpy(out->grid, d->opts.grid, sizeof out->grid);
    out->n_layers = (int)c->n_layers;
    d->now = out;
    mpno_every_second(c->ndim, d->on[0].grid, width, input, d->on[0].x);
    memcpy(d->on[1].x, input, d->on[1].n_in * sizeof *input);
    MPNO_TRY(mpno_trigonometric(d->ctx, c->ndim, d->on[1].grid, d->on[2].grid, width, input,
                                d->on[2].x));
    for (int g = 0; g < GRIDS; g++) MPNO_TRY(run_grid(d, &d->on[g], g == GRIDS - 1));
    out->before = difference(d, &d->on[0], &d->on[1], &size);
    out->after = difference(d, &d->on[1], &d->on[2], &out->size);
    mpno_discretisation_judge(out);
    return prove(d, out);
}
