/* SPDX-License-Identifier: MIT
 * Shared faces of fft_forward and fft_inverse, see transform.h. */
#include "graph/op/transform.h"

#include <math.h>

mpno_status mpno_transform_fits(const mpno_graph *graph, const mpno_fft *fft, int grid) {
    const mpno_grid *g = &graph->grids[grid];
    const int64_t points = g->points / (g->planes > 1 ? g->planes : 1);
    MPNO_CHECK(graph->ctx, mpno_fft_points(fft) == points, MPNO_E_SHAPE,
               "the transform has %lld points, the grid %lld", (long long)mpno_fft_points(fft),
               (long long)points);
    return MPNO_OK;
}

mpno_fft_call mpno_transform_call(const mpno_op_call *call, const mpno_operand *field,
                                  const mpno_operand *spectrum) {
    return (mpno_fft_call){.batch = call->batch,
                           .channels = field->channels,
                           .scale = call->node->attr.scale,
                           .weighting = call->node->attr.weighting,
                           .prescale = call->node->attr.prescale,
                           .field_format = field->format,
                           .spectrum_format = spectrum->format,
                           .field_codec = field->codec,
                           .spectrum_codec = spectrum->codec,
                           .n_threads = call->n_threads,
                           .scratch = call->scratch};
}

mpno_op_cost mpno_transform_cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    const double lines = (double)(batch * graph->edges[node->in[0]].channels);
    return (mpno_op_cost){lines * mpno_fft_flops(node->attr.fft), false};
}

size_t mpno_transform_scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                              size_t type_bytes, int n_threads) {
    (void)batch, (void)type_bytes;
    return mpno_fft_scratch_bytes(node->attr.fft, graph->edges[node->in[0]].channels, n_threads);
}

/* A number in the midst of a line of n points meets roots of modulus 1, in a chirp 8 n^2 at most
 * (two transforms of m < 4 n points and a filter of 2 n / m). */
double mpno_transform_underflow(const mpno_bound_call *call, double growth, double points,
                                double scale) {
    const double chirps = 4096; /* 8 an axis */
    return fmax(1, scale) * chirps * points * points * mpno_bound_rounding(call, growth, 0);
}

/* The last frequency of a line of an even number of points stands for itself alone, but weighs 2.
 */
static double nyquist_gain(const mpno_fft_problem *problem) {
    const int64_t n = problem->size[problem->ndim - 1], keep = problem->keep[problem->ndim - 1];
    return problem->kind == MPNO_FFT_REAL && n > 1 && 2 * (keep - 1) == n ? sqrt(2) : 1;
}

double mpno_transform_bound(const mpno_bound_call *call, bool inverse) {
    const mpno_attr *attr = &call->node->attr;
    const mpno_fft_problem *problem = mpno_fft_get_problem(attr->fft);
    double gain = fabs(attr->scale);
    if (problem->arithmetic != call->arithmetic) return INFINITY;
    if (!inverse) gain *= (double)mpno_fft_points(attr->fft);
    if (!inverse) gain *= attr->weighting == MPNO_FFT_HERMITIAN ? 2 : nyquist_gain(problem);
    /* a complex point is two rows of a field's mean */
    if (problem->kind == MPNO_FFT_COMPLEX) gain *= inverse ? sqrt(0.5) : sqrt(2);
    int exponent;
    const bool exact = frexp(fabs(attr->scale), &exponent) == 0.5; /* weights are powers of two */
    const double growth = mpno_fft_growth(attr->fft, inverse) + (exact ? 0 : 2);
    if (call->captured >= 0) return gain * call->in[0].error + call->captured;
    return gain * call->in[0].error + mpno_bound_rounding(call, growth, gain * call->in[0].norm) +
           mpno_transform_underflow(call, growth, (double)mpno_fft_points(attr->fft),
                                    2 * fabs(attr->scale));
}
