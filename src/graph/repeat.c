/* SPDX-License-Identifier: MIT
 * Columns and spectra that are made again in the backward pass, see repeat.h: where they take more
 * than a quarter of the field that they stand for. Below it, to keep them costs less than to make
 * them: columns 1.5 ms against 4.5 MiB of 32 a block in ns128-m16. What columns are made from, at
 * most half of their bytes, is kept instead; a contracted spectrum is made again where its operand
 * is kept anyway, for the gradient of the weights (8.25 MiB of 32 a block in ns128-m64, for 1 % of
 * the step). */
#include "graph/repeat.h"

#include <stdio.h>
#include <string.h>

/* The operand of a node that is this edge, -1: none. */
static int operand_of(const mpno_graph *g, int node, int edge) {
    for (int i = 0; node >= 0 && i < g->nodes[node].n_in; i++)
        if (g->nodes[node].in[i] == edge) return i;
    return -1;
}

static bool uses(const mpno_graph *g, const mpno_step *step, int edge) {
    if (step->whole >= 0) return operand_of(g, step->whole, edge) >= 0;
    for (int i = 0; i < step->n_instrs; i++)
        if (operand_of(g, step->instrs[i].node, edge) >= 0) return true;
    return false;
}

/* Whether steps of the backward pass read this edge. */
static bool kept(const mpno_graph *g, const mpno_lowered *lowered, int edge) {
    for (int s = 0; s < lowered->n_steps; s++)
        if (lowered->steps[s].backward && uses(g, &lowered->steps[s], edge)) return true;
    return false;
}

static bool worth_it(const mpno_graph *g, const mpno_lower_opts *opts,
                     const mpno_lowered *lowered, const mpno_node *node) {
    if (node->op->class != MPNO_OP_WHOLE || !node->op->cheap || node->backward) return false;
    const mpno_edge *out = &g->edges[node->out[0]];
    if (g->edges[node->in[0]].kind != MPNO_EDGE_SPECTRUM) return false;
    const mpno_format format = mpno_policy_storage(opts->policy, out->role, out->layer);
    const size_t bytes = mpno_edge_bytes(g, node->out[0], format, 1),
                 from = mpno_edge_bytes(g, node->in[0], format, 1);
    const double field = (double)(g->grids[out->grid].points * out->channels) *
                         (double)mpno_format_bytes(format);
    if (4.0 * (double)bytes <= field) return false;
    if (out->kind == MPNO_EDGE_COLUMNS) return 2 * from <= bytes;
    return out->kind == MPNO_EDGE_SPECTRUM && kept(g, lowered, node->in[0]);
}

/* Lets node *node take `again` for `edge` where it takes that. */
static mpno_status retake(mpno_graph *g, int *node, int edge, int again) {
    for (int i = operand_of(g, *node, edge); i >= 0; i = operand_of(g, *node, edge))
        MPNO_TRY(mpno_graph_retake(g, *node, i, again, node));
    return MPNO_OK;
}

static mpno_status repeat(mpno_graph *g, mpno_lowered *lowered, int n, int first) {
    const mpno_node node = g->nodes[n];
    const mpno_edge like = g->edges[node.out[0]];
    char name[sizeof like.name];
    int again;
    snprintf(name, sizeof name, "%.32s again", like.name);
    g->layer = like.layer;
    MPNO_TRY(mpno_graph_add(g, node.op, node.n_in, node.in, &node.attr, like.role, name, &again));
    lowered->stored[again] = true;
    memmove(&lowered->steps[first + 1], &lowered->steps[first],
            (size_t)(lowered->n_steps - first) * sizeof *lowered->steps);
    lowered->steps[first] = (mpno_step){.whole = g->n_nodes - 1, .backward = true};
    lowered->n_steps++;
    for (int s = first + 1; s < lowered->n_steps; s++) {
        mpno_step *step = &lowered->steps[s];
        if (!step->backward) continue;
        if (step->whole >= 0) MPNO_TRY(retake(g, &step->whole, node.out[0], again));
        for (int i = 0; i < step->n_instrs; i++)
            MPNO_TRY(retake(g, &step->instrs[i].node, node.out[0], again));
    }
    return MPNO_OK;
}

mpno_status mpno_repeat_columns(mpno_graph *graph, const mpno_lower_opts *opts,
                                mpno_lowered *lowered) {
    const int n_nodes = graph->n_forward_nodes;
    for (int n = n_nodes - 1; n >= 0; n--) { /* what is made again reads what is made again */
        const int edge = graph->nodes[n].out[0];
        if (!worth_it(graph, opts, lowered, &graph->nodes[n])) continue;
        int first = 0;
        while (first < lowered->n_steps &&
               !(lowered->steps[first].backward && uses(graph, &lowered->steps[first], edge)))
            first++;
        if (first < lowered->n_steps) MPNO_TRY(repeat(graph, lowered, n, first));
    }
    return MPNO_OK;
}
