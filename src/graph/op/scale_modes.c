/* SPDX-License-Identifier: MIT
 * Y[k][b][c] = X[k][b][c] W[r(k)][c], complex, channel by channel (separable convolution):
 * X [modes][batch][2][C], W [blocks][2][1][C] -> Y like X; r = attr.mode_rows. attr.adjoint: the
 * conjugate of W. Gradients (dL/dRe + i dL/dIm): dX = dY conj(W), dW by scale_modes_dw. */
#include <math.h>

#include "graph/op/contract_modes.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_edge *x = &graph->edges[node->in[0]];
    const mpno_weight *w = &graph->weights[graph->edges[node->in[1]].param];
    MPNO_CHECK(graph->ctx, w->is_complex && w->rows == 1 && w->cols == x->channels, MPNO_E_SHAPE,
               "scale_modes: the spectral weight has %lld channels, %s has %lld",
               (long long)w->cols, x->name, (long long)x->channels);
    out->kind = MPNO_EDGE_SPECTRUM;
    out->channels = x->channels;
    out->modes = x->modes;
    return MPNO_OK;
}

static void one_mode(const mpno_mode_call *m, int64_t mode, int thread) {
    const mpno_mode_rooms room = mpno_mode_rooms_of(m, thread);
    const mpno_planes x = mpno_mode_spectrum(m, &m->call->in[0], mode, room.first),
                      w = mpno_mode_weight(m, &m->call->in[1], mode, room.weight);
    m->call->fields->mode_scale(room.second, x.data, w.data, m->batch, m->outputs,
                                m->call->node->attr.adjoint);
    mpno_mode_store(m, &m->call->out[0], mode, room.second, 0, thread);
}

static void forward(mpno_op_call *call) {
    mpno_mode_run(call, 1, call->in[0].channels, call->graph->edges[call->node->in[0]].modes,
                  one_mode);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    const int dx[] = {grad_out[0], node.in[1]}, dw[] = {node.in[0], grad_out[0], node.in[1]};
    mpno_attr attr = node.attr;
    if (wanted[1])
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_scale_modes_dw, 3, dw, &attr, node.in[1],
                                         &grad_in[1]));
    attr.adjoint = !attr.adjoint;
    if (wanted[0])
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_scale_modes, 2, dx, &attr, node.in[0],
                                         &grad_in[0]));
    return MPNO_OK;
}

/* Statement B9: a complex product of each number, sqrt(5) u (Brent, Percival & Zimmermann, "Error
 * bounds on complex floating-point multiplication", Math. Comp. 76, 2007). */
static double bound(const mpno_bound_call *call) {
    const mpno_bound *x = &call->in[0], *w = &call->in[1];
    return (w->most + w->error) * x->error + w->error * x->norm +
           mpno_bound_rounding(call, sqrt(5), w->most * x->norm);
}

const mpno_op mpno_op_scale_modes = {
    .name = "scale_modes",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = mpno_mode_cost,
    .scratch = mpno_mode_total_scratch,
    .bound = bound,
};
