/* SPDX-License-Identifier: MIT
 * A STATIC certificate from the ranges of a network's edges, see static.h. */
#include "certify/static.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "certify/range/range.h"
#include "core/memory.h"
#include "model/stabilizer.h"
#include "number/format.h"

/* What a run along the network needs. */
typedef struct question {
    const mpno_model *model;
    const mpno_network *network;
    const mpno_graph *graph;
    const mpno_exec *exec;
    const mpno_policy *policy;
    double range, embedding;
    bool tanh, bf16;
} question;

static mpno_status walk(const question *q, mpno_range_walk *w) {
    const mpno_fno_edges *edges = mpno_network_edges(q->network);
    MPNO_TRY(mpno_range_open_network(q->model, q->network, w));
    w->assume_tanh = q->tanh, w->assume_bf16 = q->bf16;
    mpno_range_input(w, edges->input, q->range);
    if (edges->embedding >= 0)
        mpno_range_input(w, edges->embedding, q->embedding > 0 ? q->embedding : INFINITY);
    const mpno_status status = mpno_range_run(w);
    if (status != MPNO_OK) mpno_range_close(w);
    return status;
}

/* ---- lines ---- */

/* With scales up to 2^126 (kernel/codec.h) and the range of the arithmetic behind. */
static double most_of(mpno_format format, mpno_scaling scaling, mpno_format base) {
    const double most = mpno_format_max(format);
    return scaling == MPNO_SCALING_NONE ? most : fmin(ldexp(most, 126), mpno_format_max(base));
}

static void judge(mpno_static_line *l) {
    l->closes = l->bound <= l->most;
    l->headroom = l->bound > 0 ? l->most / l->bound : INFINITY;
    l->prescale = l->closes ? 0 : -1;
    if (l->closes || !(l->bound < INFINITY)) return;
    for (l->prescale = 1; ldexp(l->bound, -l->prescale) > l->most;) l->prescale++;
}

static mpno_static_line line_of(const question *q, const mpno_range_walk *w, int edge) {
    const mpno_edge *e = &q->graph->edges[edge];
    mpno_static_line l = {.edge = edge,
                          .format = mpno_range_format(w, mpno_exec_format(q->exec, edge)),
                          .scaling = mpno_exec_scaling(q->exec, edge),
                          .bound = mpno_range_most(w, edge)};
    snprintf(l.layer, sizeof l.layer, "%s", q->graph->layers[e->layer]);
    snprintf(l.name, sizeof l.name, "%s", e->name);
    snprintf(l.role, sizeof l.role, "%s", mpno_role_text(e->role, false));
    l.most = most_of(l.format, l.scaling, q->policy->base);
    judge(&l);
    return l;
}

/* The sums on the way to the first result of node n. */
static mpno_static_line inside_of(const question *q, const mpno_range_walk *w, int n) {
    mpno_static_line l = line_of(q, w, q->graph->nodes[n].out[0]);
    char name[sizeof l.name];
    snprintf(name, sizeof name, "sums of %.50s", l.name);
    memcpy(l.name, name, sizeof name);
    l.inside = true;
    l.format = mpno_range_format(w, q->policy->transforms), l.scaling = MPNO_SCALING_NONE;
    l.bound = w->inside[n], l.most = mpno_format_max(l.format);
    judge(&l);
    return l;
}

static mpno_static_sum sum_of(const question *q, const mpno_range_walk *w, int n) {
    const mpno_node *node = &q->graph->nodes[n];
    const mpno_range *x = &w->edges[node->in[0]];
    mpno_static_sum s = {.format = q->policy->transforms,
                         .prescale = node->attr.prescale,
                         .points = (double)mpno_fft_points(node->attr.fft)};
    const double most = mpno_format_max(s.format);
    snprintf(s.layer, sizeof s.layer, "%s", q->graph->layers[node->layer]);
    for (int64_t c = 0; c < x->channels; c++) s.mean = fmax(s.mean, mpno_range_mean(x, c));
    s.limit = s.prescale ? INFINITY : floor(most / s.mean);
    s.rounded = s.prescale ? INFINITY : floor(most / (s.mean * w->growth[n]));
    return s;
}

/* The copies of weights that node n reads, where they are not the master weights themselves. */
static void copies_of(const question *q, const mpno_range_walk *w, const mpno_node *node,
                      mpno_static *c) {
    for (int i = 0; i < node->n_in; i++) {
        const int edge = node->in[i];
        if (edge < 0 || q->graph->edges[edge].kind != MPNO_EDGE_PARAM) continue;
        const int param = q->graph->edges[edge].param;
        const mpno_storage s = mpno_range_copy(w, node, param);
        if (s.format == q->policy->base) continue;
        mpno_static_line l = {.edge = edge,
                              .format = s.format,
                              .scaling = s.scaling,
                              .bound = mpno_range_copy_most(w, node, param),
                              .most = most_of(s.format, s.scaling, q->policy->base)};
        snprintf(l.layer, sizeof l.layer, "%s", q->graph->layers[node->layer]);
        snprintf(l.name, sizeof l.name, "%s", q->model->params[param].name);
        snprintf(l.role, sizeof l.role, "%s",
                 mpno_role_text(q->model->params[param].weight.role, false));
        judge(&l);
        c->lines[c->n_lines++] = l;
    }
}

/* Lines and sums of a walk. */
static mpno_status collect(const question *q, const mpno_range_walk *w, mpno_static *c) {
    const mpno_graph *g = q->graph;
    const size_t most = (size_t)g->n_nodes * (MPNO_OP_MAX_IN + MPNO_OP_MAX_OUT + 1);
    MPNO_TRY(mpno_alloc_array(c->ctx, most, sizeof *c->lines, &c->lines));
    MPNO_TRY(mpno_alloc_array(c->ctx, (size_t)g->n_nodes, sizeof *c->sums, &c->sums));
    c->closes = true, c->first = -1;
    for (int n = 0; n < g->n_nodes; n++) {
        const mpno_node *node = &g->nodes[n];
        if (node->backward) continue;
        copies_of(q, w, node, c);
        if (w->inside[n] > 0) {
            c->lines[c->n_lines++] = inside_of(q, w, n);
            if (node->op == &mpno_op_fft_forward) c->sums[c->n_sums++] = sum_of(q, w, n);
        }
        for (int i = 0; i < node->n_out; i++)
            if (w->stored[node->out[i]] && w->edges[node->out[i]].most != NULL)
                c->lines[c->n_lines++] = line_of(q, w, node->out[i]);
    }
    for (int i = c->n_lines - 1; i >= 0; i--)
        if (!c->lines[i].closes) c->closes = false, c->first = i;
    return MPNO_OK;
}

/* ---- what would help ---- */

static mpno_status closes(const question *q, bool *yes) {
    mpno_range_walk w;
    mpno_static c = {.ctx = q->model->ctx};
    MPNO_TRY(walk(q, &w));
    const mpno_status status = collect(q, &w, &c);
    *yes = c.closes;
    mpno_range_close(&w);
    mpno_static_clear(&c);
    return status;
}

static mpno_status find_remedies(question q, mpno_static *c) {
    enum { HALVINGS = 12 };
    const mpno_fno_config *config = &q.model->config;
    bool yes;
    q.tanh = mpno_stabilizer_is_identity(config->stabilizer) &&
             config->stabilizer_placement == MPNO_PLACEMENT_ALL;
    if (q.tanh) MPNO_TRY(closes(&q, &c->tanh));
    q.tanh = false, q.bf16 = true;
    MPNO_TRY(closes(&q, &c->wide));
    q.bf16 = false;
    for (int j = 1; j <= HALVINGS && c->half_range == 0; j++) {
        q.range = ldexp(c->opts.range, -j);
        MPNO_TRY(closes(&q, &yes));
        if (yes) c->half_range = q.range;
    }
    return MPNO_OK;
}

/* ---- all ---- */

static mpno_status check(const mpno_model *model, const mpno_network *network,
                         const mpno_static_opts *opts) {
    MPNO_CHECK(model->ctx, opts->range > 0 && opts->range < INFINITY, MPNO_E_ARGUMENT,
               "the range of inputs is %g; it must be a positive number", opts->range);
    return mpno_range_check(model, network, "a static certificate");
}

static mpno_status certify(const question *q, mpno_static *out) {
    mpno_range_walk w;
    MPNO_TRY(walk(q, &w));
    const mpno_status status = collect(q, &w, out);
    mpno_range_close(&w);
    if (status != MPNO_OK || out->closes) return status;
    return find_remedies(*q, out);
}

mpno_status mpno_static_certify(const mpno_model *model, const mpno_network *network,
                                const mpno_static_opts *opts, mpno_static *out) {
    const question q = {.model = model,
                        .network = network,
                        .graph = mpno_network_graph(network),
                        .exec = mpno_network_exec(network),
                        .policy = mpno_network_policy(network),
                        .range = opts->range,
                        .embedding = opts->embedding};
    *out = (mpno_static){.ctx = model->ctx, .opts = *opts, .first = -1};
    MPNO_TRY(check(model, network, opts));
    const mpno_status status = certify(&q, out);
    if (status != MPNO_OK) mpno_static_clear(out);
    return status;
}

void mpno_static_clear(mpno_static *c) {
    mpno_free(c->ctx, c->lines);
    mpno_free(c->ctx, c->sums);
    *c = (mpno_static){.first = -1};
}
