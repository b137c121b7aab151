/* SPDX-License-Identifier: MIT
 * SET certificates from a walk (set/walk.h), see set.h. */
#include "certify/set.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "certify/set/walk.h"
#include "core/memory.h"
#include "number/format.h"

/* ---- what it found ---- */

static void put_line(const mpno_set_walk *w, int edge, mpno_set_certificate *c) {
    const mpno_edge *e = &w->graph->edges[edge];
    mpno_set_line *l = &c->lines[c->n_lines++];
    *l = (mpno_set_line){.edge = edge,
                         .format = mpno_exec_format(w->ranges.exec, edge),
                         .norm = w->norm[edge],
                         .error = w->error[edge]};
    snprintf(l->layer, sizeof l->layer, "%s", w->graph->layers[e->layer]);
    snprintf(l->name, sizeof l->name, "%s", e->name);
}

static void put_layers(const mpno_set_walk *w, mpno_set_certificate *c) {
    const mpno_graph *g = w->graph;
    for (int l = 0; l < g->n_layers; l++) {
        int edge = -1;
        for (int n = 0; n < g->n_nodes; n++)
            if (g->nodes[n].layer == l && !g->nodes[n].backward) edge = g->nodes[n].out[0];
        if (edge < 0) continue;
        mpno_set_layer *layer = &c->layers[c->n_layers++];
        *layer = (mpno_set_layer){
            .norm = w->norm[edge], .error = w->error[edge], .slope = w->slope[edge]};
        snprintf(layer->name, sizeof layer->name, "%s", g->layers[l]);
    }
}

/* The first result that has no bound although its operands have. */
static void find_open(const mpno_set_walk *w, mpno_set_certificate *c) {
    for (int n = 0; n < w->graph->n_nodes && c->open[0] == '\0'; n++) {
        const mpno_node *node = &w->graph->nodes[n];
        const int edge = node->out[0];
        if (node->backward || w->error[edge] < INFINITY) continue;
        const bool stored = !(mpno_set_stored(w, edge, 1) < INFINITY);
        snprintf(c->open, sizeof c->open, "%s, %s: %s", w->graph->layers[node->layer],
                 w->graph->edges[edge].name,
                 stored ? "may leave the range of its format" : "no bound is known of this operation");
    }
}

static mpno_status collect(const mpno_set_walk *w, mpno_set_certificate *c) {
    const mpno_graph *g = w->graph;
    const int output = w->output;
    MPNO_TRY(mpno_alloc_array(c->ctx, (size_t)g->n_nodes, sizeof *c->lines, &c->lines));
    for (int n = 0; n < g->n_nodes; n++) {
        const int edge = g->nodes[n].out[0];
        const mpno_edge_kind kind = g->edges[edge].kind;
        const bool data = kind == MPNO_EDGE_FIELD || kind == MPNO_EDGE_SPECTRUM ||
                          kind == MPNO_EDGE_COLUMNS;
        if (!g->nodes[n].backward && data && w->ranges.stored[edge]) put_line(w, edge, c);
    }
    put_layers(w, c);
    c->error = w->error[output], c->norm = w->norm[output], c->slope = w->slope[output];
    c->size = c->opts.size > 0 ? c->opts.size
                               : fmin(c->norm, sqrt((double)g->edges[output].channels));
    c->vacuous = !(c->error <= c->size && c->error < INFINITY);
    if (!(c->error < INFINITY)) find_open(w, c);
    return MPNO_OK;
}

/* ---- all ---- */

static mpno_status check(const mpno_model *model, const mpno_network *network,
                         const mpno_set_opts *opts) {
    MPNO_CHECK(model->ctx, opts->radius > 0 && opts->radius < INFINITY, MPNO_E_ARGUMENT,
               "the radius of the ball of inputs is %g; it must be a positive number",
               opts->radius);
    return mpno_range_check(model, network, "a set certificate");
}

mpno_status mpno_set_certify(const mpno_model *model, const mpno_network *network,
                             const mpno_set_opts *opts, mpno_set_certificate *out) {
    mpno_set_walk w;
    *out = (mpno_set_certificate){.ctx = model->ctx, .opts = *opts};
    MPNO_TRY(check(model, network, opts));
    mpno_status status = mpno_set_walk_along(model, network, opts, &w);
    if (status == MPNO_OK) status = collect(&w, out);
    mpno_set_close(&w);
    if (status != MPNO_OK) mpno_set_clear(out);
    return status;
}

void mpno_set_clear(mpno_set_certificate *c) {
    mpno_free(c->ctx, c->lines);
    *c = (mpno_set_certificate){.ctx = c->ctx};
}
