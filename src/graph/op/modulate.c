/* SPDX-License-Identifier: MIT
 * y = g x + h with g = m[c] and h = m[C + c] of the sample (attr.no_shift: h = 0): x [rows][C], m
 * [2C], f64. The affine part of an adaptive norm. Gradients: dx = g dy (no_shift), dm by
 * modulate_sums. Source: Huang & Belongie, "Arbitrary style transfer in real-time with adaptive
 * instance normalization" (ICCV 2017). */
#include <math.h>

#include "graph/graph.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_edge *x = &graph->edges[node->in[0]], *m = &graph->edges[node->in[1]];
    MPNO_CHECK(graph->ctx, m->channels == 2 * x->channels, MPNO_E_SHAPE,
               "modulate: %s has %lld channels and needs twice as many factors, not %lld", x->name,
               (long long)x->channels, (long long)m->channels);
    return mpno_shape_like_first(graph, node, out);
}

static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t rows,
                      size_t type_bytes, int n_threads) {
    (void)rows, (void)n_threads;
    return 2 * (size_t)graph->edges[node->in[0]].channels * type_bytes;
}

static void forward(mpno_op_call *call) {
    const int64_t channels = call->in[0].channels;
    const size_t bytes = (size_t)channels * mpno_format_bytes(call->kernels->arithmetic);
    call->fields->narrow(call->scratch, call->in[1].data, 2 * channels);
    call->kernels->channel_affine(call->out[0].data, call->in[0].data, call->scratch,
                                  call->node->attr.no_shift ? NULL : (char *)call->scratch + bytes,
                                  call->rows, channels);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const int x = graph->nodes[index].in[0], m = graph->nodes[index].in[1];
    const int dx[] = {grad_out[0], m}, dm[] = {x, grad_out[0]};
    const mpno_attr attr = {.no_shift = true};
    if (wanted[0])
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_modulate, 2, dx, &attr, x, &grad_in[0]));
    if (wanted[1])
        MPNO_TRY(
            mpno_graph_add_gradient(graph, &mpno_op_modulate_sums, 2, dm, NULL, m, &grad_in[1]));
    return MPNO_OK;
}

/* Statement B5: a product of two numbers that are off, and a sum; roundings of the factor and the
 * number added, of the product and of the sum. A factor that underflows is off by eta. */
static double bound(const mpno_bound_call *call) {
    const mpno_edge *x = &call->graph->edges[call->node->in[0]];
    const double *m = call->values[1];
    double gain = 0, shifts = 0;
    for (int64_t c = 0; c < x->channels; c++) {
        gain = fmax(gain, fabs(m[c]));
        if (!call->node->attr.no_shift) shifts += m[x->channels + c] * m[x->channels + c];
    }
    const mpno_bound *a = &call->in[0], *f = &call->in[1];
    const double passed = gain * a->error + f->error * (sqrt(a->most * a->most + 1) + a->error);
    return passed + mpno_bound_rounding(call, 3, gain * a->norm + sqrt(shifts)) +
           call->eta * a->norm;
}

const mpno_op mpno_op_modulate = {
    .name = "modulate",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .elementwise = true,
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = mpno_cost_elementwise,
    .flops = 2,
    .scratch = scratch,
    .bound = bound,
};
