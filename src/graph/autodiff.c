/* SPDX-License-Identifier: MIT
 * Reverse mode as a graph transformation: walks the forward nodes backwards and lets each op's
 * `backward` face add the nodes of its gradient. What several consumers contribute to one edge is
 * added up in the order of the walk. */
#include <stdlib.h>

#include "core/memory.h"
#include "graph/graph.h"

typedef struct walk {
    mpno_graph *graph;
    int *gradient; /* of each forward edge; -1: none yet */
    bool *wanted;  /* somebody asks for it: a weight or the input stands upstream */
    int n_edges;
} walk;

static mpno_status accumulate(walk *w, int edge, int contribution) {
    if (w->gradient[edge] < 0) {
        w->gradient[edge] = contribution;
        return MPNO_OK;
    }
    const mpno_edge *e = &w->graph->edges[edge];
    MPNO_CHECK(w->graph->ctx, e->kind == MPNO_EDGE_FIELD, MPNO_E_UNSUPPORTED,
               "%s is used twice; only fields may be", e->name);
    const int in[] = {w->gradient[edge], contribution};
    return mpno_graph_add_gradient(w->graph, &mpno_op_add, 2, in, NULL, edge, &w->gradient[edge]);
}

static mpno_status visit(walk *w, int index) {
    const mpno_node node =
        w->graph->nodes[index]; /* a copy: the array moves when nodes are added */
    int grad_out[MPNO_OP_MAX_OUT], grad_in[MPNO_OP_MAX_IN];
    bool wanted[MPNO_OP_MAX_IN], reached = false;
    for (int i = 0; i < node.n_out; i++) {
        grad_out[i] = w->gradient[node.out[i]];
        reached |= grad_out[i] >= 0 && w->wanted[node.out[i]];
    }
    if (!reached) return MPNO_OK;
    MPNO_CHECK(w->graph->ctx, node.op->backward != NULL, MPNO_E_UNSUPPORTED,
               "op %s has no gradient", node.op->name);
    for (int i = 0; i < MPNO_OP_MAX_IN; i++) {
        grad_in[i] = -1;
        wanted[i] = node.in[i] >= 0 && w->wanted[node.in[i]];
    }
    MPNO_TRY(node.op->backward(w->graph, index, grad_out, wanted, grad_in));
    for (int i = 0; i < node.n_in; i++)
        if (wanted[i] && grad_in[i] >= 0) MPNO_TRY(accumulate(w, node.in[i], grad_in[i]));
    return MPNO_OK;
}

static mpno_status differentiate(walk *w, int loss, int *param_grads, int input, int *input_grad) {
    mpno_graph *g = w->graph;
    for (int e = 0; e < w->n_edges; e++) {
        w->gradient[e] = -1;
        w->wanted[e] = g->edges[e].kind == MPNO_EDGE_PARAM || e == input;
    }
    for (int n = 0; n < g->n_forward_nodes; n++)
        for (int i = 0; i < g->nodes[n].n_in; i++)
            for (int o = 0; g->nodes[n].in[i] >= 0 && o < g->nodes[n].n_out; o++)
                w->wanted[g->nodes[n].out[o]] |= w->wanted[g->nodes[n].in[i]];
    /* The loss has no gradient edge of its own: its op's backward face seeds with the loss scale.
     * Any value >= 0 marks it. */
    w->gradient[loss] = loss;
    g->backward = true;
    for (int n = g->n_forward_nodes - 1; n >= 0; n--) MPNO_TRY(visit(w, n));
    for (int e = 0; e < w->n_edges; e++)
        if (g->edges[e].kind == MPNO_EDGE_PARAM) param_grads[g->edges[e].param] = w->gradient[e];
    if (input >= 0) *input_grad = w->gradient[input];
    return MPNO_OK;
}

mpno_status mpno_graph_differentiate(mpno_graph *graph, int loss, int *param_grads, int input,
                                     int *input_grad) {
    walk w = {.graph = graph, .n_edges = graph->n_edges};
    graph->n_forward_nodes = graph->n_nodes;
    mpno_status status = mpno_alloc_array(graph->ctx, (size_t)w.n_edges, sizeof(int), &w.gradient);
    if (status == MPNO_OK)
        status = mpno_alloc_array(graph->ctx, (size_t)w.n_edges, sizeof(bool), &w.wanted);
    if (status == MPNO_OK) status = differentiate(&w, loss, param_grads, input, input_grad);
    mpno_free(graph->ctx, w.gradient);
    mpno_free(graph->ctx, w.wanted);
    return status;
}
