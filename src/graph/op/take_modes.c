/* SPDX-License-Identifier: MIT
 * Y[k] = X[take[k]], 0 where take[k] is -1: spectra [modes][batch][2][C], attr.take of attr.n_modes
 * modes. What becomes of modes when a grid is changed other than by keeping their frequencies
 * (compat, model/spectral.h). attr.give is the same relation seen from X, each mode used at most
 * once: the gradient swaps the two. Exact. */
#include <math.h>

#include <string.h>

#include "core/memory.h"
#include "graph/graph.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_edge *x = &graph->edges[node->in[0]];
    MPNO_CHECK(graph->ctx, x->modes == node->attr.n_given, MPNO_E_SHAPE,
               "take_modes: %s has %lld modes, %lld are told of", x->name, (long long)x->modes,
               (long long)node->attr.n_given);
    out->kind = MPNO_EDGE_SPECTRUM;
    out->channels = x->channels;
    out->modes = node->attr.n_modes;
    return MPNO_OK;
}

/* Through the arithmetic type, some neighbours of a row at a time. */
static void move_mode(mpno_op_call *call, char *to, const char *from) {
    enum { PIECE = 2 * MPNO_CODEC_BLOCK };
    _Alignas(MPNO_ALIGN) double values[PIECE] = {0};
    const mpno_operand *in = &call->in[0], *out = &call->out[0];
    const size_t in_bytes = mpno_format_bytes(in->format),
                 out_bytes = mpno_format_bytes(out->format);
    for (int64_t row = 0; row < 2 * call->batch; row++) {
        for (int64_t c = 0; c < in->channels; c += PIECE) {
            const int64_t n = in->channels - c < PIECE ? in->channels - c : PIECE;
            const size_t at = (size_t)(row * in->channels + c);
            if (from != NULL) mpno_operand_load(call->kernels, in, values, from + at * in_bytes, n);
            call->nonfinite[0] |=
                mpno_operand_store(call->kernels, out, to + at * out_bytes, values, n);
        }
    }
}

static void forward_coded(mpno_op_call *call) {
    const mpno_attr *attr = &call->node->attr;
    const size_t count = (size_t)(call->batch * 2 * call->in[0].channels),
                 in_bytes = count * mpno_format_bytes(call->in[0].format),
                 out_bytes = count * mpno_format_bytes(call->out[0].format);
    for (int64_t k = 0; k < attr->n_modes; k++)
        move_mode(call, (char *)call->out[0].data + (size_t)k * out_bytes,
                  attr->take[k] < 0
                      ? NULL
                      : (const char *)call->in[0].data + (size_t)attr->take[k] * in_bytes);
}

/* Spectra of one plain format are moved as bytes. */
static void forward(mpno_op_call *call) {
    const mpno_attr *attr = &call->node->attr;
    if (call->in[0].codec != NULL || call->out[0].codec != NULL ||
        call->in[0].format != call->out[0].format) {
        forward_coded(call);
        return;
    }
    const size_t bytes =
        (size_t)(call->batch * 2 * call->in[0].channels) * mpno_format_bytes(call->in[0].format);
    char *to = call->out[0].data;
    for (int64_t k = 0; k < attr->n_modes; k++, to += bytes) {
        if (attr->take[k] < 0)
            memset(to, 0, bytes);
        else
            memcpy(to, (const char *)call->in[0].data + (size_t)attr->take[k] * bytes, bytes);
    }
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    const mpno_attr attr = {.take = node.attr.give,
                            .give = node.attr.take,
                            .n_modes = node.attr.n_given,
                            .n_given = node.attr.n_modes};
    if (!wanted[0]) return MPNO_OK;
    return mpno_graph_add_gradient(graph, &mpno_op_take_modes, 1, grad_out, &attr, node.in[0],
                                   &grad_in[0]);
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    const double values = (double)(2 * batch * graph->edges[node->in[0]].channels);
    return (mpno_op_cost){values * (double)node->attr.n_modes, false};
}

/* Statement B1. A mode may weigh twice as much among those it comes to. */
static double bound(const mpno_bound_call *call) {
    return sqrt(2) * call->in[0].error;
}

const mpno_op mpno_op_take_modes = {
    .name = "take_modes",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .bound = bound,
};
