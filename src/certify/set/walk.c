/* SPDX-License-Identifier: MIT
 * The walk of SET certificates, see walk.h. */
#include "certify/set/walk.h"
#include "certify/upwards.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "number/format.h"

/* ---- room ---- */

static mpno_status open_walk(const mpno_model *model, mpno_set_walk *s) {
    const mpno_graph *g = s->ranges.graph;
    const size_t n = (size_t)g->n_edges;
    s->ctx = model->ctx, s->model = model, s->graph = g;
    MPNO_TRY(mpno_alloc_array(s->ctx, n, sizeof *s->edges, &s->edges));
    MPNO_TRY(mpno_alloc_array(s->ctx, n, sizeof *s->error, &s->error));
    MPNO_TRY(mpno_alloc_array(s->ctx, n, sizeof *s->drift, &s->drift));
    MPNO_TRY(mpno_alloc_array(s->ctx, n, sizeof *s->slope, &s->slope));
    MPNO_TRY(mpno_alloc_array(s->ctx, n, sizeof *s->norm, &s->norm));
    MPNO_TRY(mpno_alloc_array(s->ctx, n, sizeof *s->zero, &s->zero));
    MPNO_TRY(mpno_alloc_array(s->ctx, (size_t)g->n_nodes, sizeof *s->savings, &s->savings));
    MPNO_TRY(mpno_alloc_array(s->ctx, (size_t)g->n_nodes, sizeof *s->blocks, &s->blocks));
    return MPNO_OK;
}

void mpno_set_close(mpno_set_walk *s) {
    mpno_range_close(&s->ranges);
    mpno_free(s->ctx, s->edges);
    mpno_free(s->ctx, s->error);
    mpno_free(s->ctx, s->drift);
    mpno_free(s->ctx, s->slope);
    mpno_free(s->ctx, s->norm);
    mpno_free(s->ctx, s->zero);
    mpno_free(s->ctx, s->savings);
    mpno_free(s->ctx, s->blocks);
    *s = (mpno_set_walk){0};
}

/* ---- one node ---- */

static mpno_bound_call call_of(const mpno_set_walk *s, const mpno_node *node, const double *off,
                               mpno_set_question question) {
    const mpno_format base = s->ranges.policy.base;
    mpno_bound_call call = {.graph = s->graph, .node = node, .arithmetic = base, .captured = -1};
    call.unit = 0x1p-53; /* of nothing, as sizes are 0: slopes have no roundings */
    if (question != MPNO_SET_SLOPE) {
        call.unit = mpno_format_unit(base);
        call.eta = mpno_range_tiny(base);
        if (question != MPNO_SET_NORM) call.out = s->edges[node->out[0]];
    }
    for (int i = 0; i < node->n_in; i++) {
        const int edge = node->in[i];
        if (edge < 0) continue;
        const mpno_edge_kind kind = s->graph->edges[edge].kind;
        mpno_bound *b = &call.in[i];
        *b = s->edges[edge];
        if (kind == MPNO_EDGE_PARAM) {
            const bool copy = question == MPNO_SET_NORM || question == MPNO_SET_DRIFT;
            if (copy) b->norm += b->error, b->most += b->error;
            if (question != MPNO_SET_ERROR) b->error = 0;
            if (question == MPNO_SET_SLOPE) b->frobenius = 0;
        } else if (kind == MPNO_EDGE_BLOCKS) {
            b->error = question == MPNO_SET_ERROR ? s->error[edge] : 0;
        } else {
            b->error = off[edge];
            if (question == MPNO_SET_SLOPE) b->norm = 0; /* no roundings of it, however large */
        }
    }
    return call;
}

/* What reading a copy of the weights rather than the weights adds; of contractions their faces
 * know. */
static double copied(const mpno_bound_call *call) {
    const mpno_node *node = call->node;
    if (node->op == &mpno_op_bias) return call->in[1].error;
    if (node->op == &mpno_op_linear)
        return call->in[1].error * call->in[0].norm + call->in[2].error;
    if (node->op == &mpno_op_convolve) {
        const int param = call->graph->edges[node->in[1]].param;
        return (double)call->graph->weights[param].blocks * call->in[1].error * call->in[0].norm;
    }
    return 0;
}

/* Where products are of operands rounded to bf16 (kernel/bf16_kernels.h): the field's rounding,
 * subnormal numbers that count as 0; weights are stored so already. gelu: 2^-18 |x|, tanh:
 * 2^-18 |tanh x|, which is no more. */
static double by_bf16(const mpno_set_walk *s, const mpno_bound_call *call) {
    const mpno_node *node = call->node;
    const mpno_bound *x = &call->in[0], *w = &call->in[1];
    if (!mpno_node_computes_bf16(s->graph, node, &s->ranges.policy)) return 0;
    if (node->op == &mpno_op_gelu || node->op == &mpno_op_tanh) return ldexp(x->norm, -18);
    if (node->op != &mpno_op_linear) return INFINITY;
    const mpno_weight *weight = &s->graph->weights[s->graph->edges[node->in[1]].param];
    const double inputs = (double)weight->cols, outputs = (double)weight->rows,
                 tiny = 0x1p-126 * (inputs + sqrt(inputs) * (x->norm + w->frobenius));
    return (w->norm + w->error) * (ldexp(x->norm, -8) + 0x1p-126 * sqrt(inputs)) +
           sqrt(outputs) * tiny;
}

/* ---- ops whose faces ask for what a run has shown ---- */

static double largest(const mpno_set_walk *s, int edge, double otherwise) {
    return edge < 0 ? otherwise : s->edges[edge].most;
}

/* Statement L6: the norm by statistics of its own field has slopes of at most gamma / sqrt(eps).
 * x_off, x_norm: of the field; apart: how far it may be from the one that the sums are of. */
static double normalized(const mpno_set_walk *s, const mpno_bound_call *call, double x_off,
                         double x_norm, double apart, mpno_set_question question) {
    const mpno_node *node = call->node;
    const double root = sqrt(node->attr.eps), channels = (double)s->graph->edges[node->out[0]].channels,
                 gamma = largest(s, node->in[2], 1),
                 beta = node->in[3] < 0 ? 0 : s->edges[node->in[3]].frobenius,
                 n = mpno_range_points(s->graph, node->in[0]) * channels /
                     (double)node->attr.groups,
                 share = 4 * n * 0x1p-53;
    if (node->attr.batch || node->attr.fixed) return INFINITY;
    double off = gamma / root * x_off;
    if (question == MPNO_SET_SLOPE) return off;
    if (question == MPNO_SET_ERROR) {
        const double mean = share * x_norm / root,
                     variance = 3 * share * x_norm * x_norm / (2 * node->attr.eps);
        off += gamma * (apart / root + mean + variance * sqrt(channels));
    }
    return off + mpno_bound_rounding(call, 16, gamma * 2 * x_norm / root * 1.001 + beta);
}

/* Statement L6: by statistics that do not come from x; f of each channel, and what f may be off
 * by. */
static double fixed(const mpno_set_walk *s, const mpno_bound_call *call, double x_off,
                    double x_norm, mpno_set_question question) {
    const mpno_node *node = call->node,
                    *from = &s->graph->nodes[s->graph->edges[node->in[1]].producer];
    const int64_t channels = s->graph->edges[node->out[0]].channels;
    const double beta = node->in[3] < 0 ? 0 : s->edges[node->in[3]].frobenius;
    double *mean = NULL, *variance = NULL, *gamma = NULL, gain = 0, lost = 0, sum = 0;
    if (from->op != &mpno_op_running_moments || node->attr.groups != channels) return INFINITY;
    mpno_status status = mpno_range_values(&s->ranges, from, 1, &mean, NULL);
    if (status == MPNO_OK) status = mpno_range_values(&s->ranges, from, 2, &variance, NULL);
    if (status == MPNO_OK && node->in[2] >= 0)
        status = mpno_range_values(&s->ranges, node, 2, &gamma, NULL);
    for (int64_t c = 0; status == MPNO_OK && c < channels; c++) {
        const double g = gamma == NULL ? 1 : fabs(gamma[c]), m = fabs(mean[c]), v = variance[c],
                     miss = ldexp(v + m * m, -48),
                     most = g / sqrt(fmax(v - miss, 0) + node->attr.eps);
        gain = fmax(gain, most);
        lost = fmax(lost, most - g / sqrt(v + miss + node->attr.eps));
        sum += m * m;
    }
    mpno_free(s->ctx, mean);
    mpno_free(s->ctx, variance);
    mpno_free(s->ctx, gamma);
    if (status != MPNO_OK) return INFINITY;
    if (question == MPNO_SET_SLOPE) return gain * x_off;
    return gain * x_off + (question == MPNO_SET_ERROR ? lost * (x_norm + sqrt(sum)) : 0) +
           mpno_bound_rounding(call, 16, 1.001 * gain * (x_norm + 2 * sqrt(sum)) + beta);
}

/* The field of columns first, as the face has it; the sums are of the columns themselves. */
static double line_normalized(const mpno_set_walk *s, const mpno_bound_call *call,
                              mpno_set_question question) {
    const mpno_node *node = call->node;
    mpno_node line = {.op = &mpno_op_line_inverse,
                      .attr = node->attr,
                      .layer = node->layer,
                      .n_in = 1,
                      .n_out = 1,
                      .in = {node->in[0]},
                      .out = {node->out[0]}};
    mpno_bound_call inner = *call;
    inner.node = &line;
    const double x_off = line.op->bound(&inner);
    inner.in[0].error = call->in[0].norm;
    const double x_norm = line.op->bound(&inner);
    inner.in[0].error = 0;
    const double apart = line.op->bound(&inner);
    return node->attr.fixed ? fixed(s, call, x_off, x_norm, question)
                            : normalized(s, call, x_off, x_norm, apart, question);
}

/* Statement L6: slope 1.5; limits by sums of another version of x. */
static double clipped(const mpno_set_walk *s, const mpno_bound_call *call, double apart,
                      mpno_set_question question) {
    const mpno_node *node = call->node;
    const double channels = (double)s->graph->edges[node->in[0]].channels, x = call->in[0].norm,
                 share = 4 * mpno_range_points(s->graph, node->in[0]) * channels * 0x1p-53;
    double off = 1.5 * call->in[0].error;
    if (node->attr.batch) return INFINITY;
    if (question == MPNO_SET_SLOPE) return off;
    if (question == MPNO_SET_ERROR)
        off += 2.5 * apart + share * x + 2 * sqrt(3 * share) * x; /* mean; twice the deviation */
    return off + mpno_bound_rounding(call, 4, 3 * x);
}

/* Statement L6: both factors are off, and bounded by the largest they can be. */
static double modulated(const mpno_set_walk *s, const mpno_bound_call *call) {
    const mpno_node *node = call->node;
    const mpno_bound *x = &call->in[0], *f = &call->in[1];
    const double channels = (double)s->graph->edges[node->in[0]].channels,
                 shift = node->attr.no_shift ? 0 : sqrt(channels) * f->most;
    return f->most * x->error + f->error * (x->most + 1) + f->error * x->error +
           mpno_bound_rounding(call, 4, f->most * x->norm + shift);
}

double mpno_set_pass(const mpno_set_walk *s, const mpno_node *node, const double *off,
                     mpno_set_question question) {
    mpno_bound_call call = call_of(s, node, off, question);
    const bool by_range = node->op == &mpno_op_normalize || node->op == &mpno_op_line_normalize ||
                          node->op == &mpno_op_sigma_clip || node->op == &mpno_op_modulate ||
                          node->op == &mpno_op_squash; /* sigmoid(0) is not 0 */
    if (question == MPNO_SET_NORM && by_range) return INFINITY;
    if (node->op == &mpno_op_line_normalize) return line_normalized(s, &call, question);
    if (node->op == &mpno_op_normalize && node->attr.fixed)
        return fixed(s, &call, call.in[0].error, call.in[0].norm, question);
    if (node->op == &mpno_op_normalize)
        return normalized(s, &call, call.in[0].error, call.in[0].norm, s->drift[node->in[0]],
                          question);
    if (node->op == &mpno_op_sigma_clip)
        return clipped(s, &call, s->drift[node->in[0]], question);
    if (node->op == &mpno_op_modulate) return modulated(s, &call);
    if (node->op == &mpno_op_average_samples) return 0; /* counts where the sums are used */
    if (node->op->bound == NULL) return INFINITY;
    const double more = question == MPNO_SET_SLOPE
                            ? 0
                            : by_bf16(s, &call) + (question == MPNO_SET_ERROR ? copied(&call) : 0);
    return node->op->bound(&call) + more;
}

double mpno_set_stored(const mpno_set_walk *s, int edge, double norm) {
    const mpno_format base = s->ranges.policy.base, format = mpno_exec_format(s->ranges.exec, edge);
    const mpno_edge *e = &s->graph->edges[edge];
    if (!s->ranges.stored[edge] || format == base || format == MPNO_F64) return 0;
    const double most = e->kind == MPNO_EDGE_BLOCKS ? s->ranges.edges[edge].most[0]
                                                    : mpno_range_most(&s->ranges, edge);
    const mpno_range_rounding r = mpno_range_rounding_of(&s->ranges, edge, most);
    const bool scaled = mpno_exec_scaling(s->ranges.exec, edge) != MPNO_SCALING_NONE;
    if (r.saturates && !s->just_in_time) return INFINITY;
    if (!scaled && !(most <= mpno_format_max(format))) return INFINITY;
    const mpno_node to = {.out = {edge}};
    const mpno_bound_call call = {.graph = s->graph, .node = &to, .unit = r.u, .eta = r.eta};
    return mpno_bound_rounding(&call, 1, norm);
}

/* ---- the walk ---- */

static double size_by_range(const mpno_set_walk *s, int edge) {
    const mpno_range *r = &s->ranges.edges[edge];
    const bool sums = s->graph->edges[edge].kind == MPNO_EDGE_SUMS;
    double sum = 0;
    for (int64_t c = 0; c < r->channels; c++) {
        const double x = sums ? r->most[c] : r->rms[c];
        sum += x * x;
    }
    return MPNO_ENLARGED * sqrt(sum);
}

/* |f(0)|, f the node's op. */
static double at_zero(const mpno_set_walk *s, const mpno_node *node) {
    const int second = node->n_in > 1 ? node->in[1] : -1, third = node->n_in > 2 ? node->in[2] : -1;
    double sum = 0;
    if (node->op == &mpno_op_linear && third >= 0) return s->edges[third].frobenius;
    if (node->op == &mpno_op_bias) return s->edges[second].frobenius;
    if (node->op == &mpno_op_columns_inverse && second >= 0)
        return s->edges[second].frobenius / fabs(node->attr.columns->mean);
    if (node->op != &mpno_op_grid_embed) return 0;
    const mpno_range *y = &s->ranges.edges[node->out[0]];
    for (int64_t c = s->graph->edges[node->in[0]].channels; c < y->channels; c++)
        sum += y->rms[c] * y->rms[c];
    return MPNO_ENLARGED * sqrt(sum);
}

/* Of columns and spectra the range walk has norms with weights of its own. Roundings are a share of
 * the result: at most 12 of them, which 32 u make up for. */
static void find_size(mpno_set_walk *s, const mpno_node *node) {
    const int edge = node->out[0];
    const mpno_edge_kind kind = s->graph->edges[edge].kind;
    const bool fields = kind == MPNO_EDGE_FIELD || kind == MPNO_EDGE_SUMS;
    double range = fields ? size_by_range(s, edge) : INFINITY, passed = INFINITY;
    if (kind == MPNO_EDGE_BLOCKS) return; /* measured */
    if (kind != MPNO_EDGE_SUMS) {
        passed = mpno_set_pass(s, node, s->norm, MPNO_SET_NORM) + at_zero(s, node);
        passed *= 1 + 32 * mpno_format_unit(s->ranges.policy.base);
        passed = MPNO_ENLARGED * (passed + mpno_set_stored(s, edge, passed));
    }
    s->norm[edge] = passed < range ? passed : range;
    s->edges[edge] =
        (mpno_bound){.norm = s->norm[edge], .most = mpno_range_most(&s->ranges, edge)};
}

/* Two versions of what a tile program makes may be of two versions of its operands, and one of them
 * rounded as it is stored. What other ops make is there once, as is all of an unfused network. */
static double drift_of(const mpno_set_walk *s, const mpno_node *node) {
    const double stored = mpno_set_stored(s, node->out[0], s->norm[node->out[0]]);
    bool apart = false;
    if (node->op->class != MPNO_OP_TILE || s->unfused) return 0;
    for (int i = 0; i < node->n_in; i++)
        apart = apart || (node->in[i] >= 0 && s->drift[node->in[i]] > 0);
    if (!apart) return stored;
    return mpno_set_pass(s, node, s->drift, MPNO_SET_DRIFT) +
           mpno_set_pass(s, node, s->zero, MPNO_SET_DRIFT) + stored;
}

static double error_of(const mpno_set_walk *s, const mpno_node *node, const double *errors) {
    return MPNO_ENLARGED * (mpno_set_pass(s, node, errors, MPNO_SET_ERROR) +
                            mpno_set_stored(s, node->out[0], s->norm[node->out[0]]));
}

/* What the roundings of a heart add when it is of an exact x: one path reads it, the other one a
 * version of it. */
static double heart_alone(const mpno_set_walk *s, const mpno_set_heart *h, const mpno_node *node,
                          double before_k, double before_w, double *local) {
    local[h->x] = before_k;
    for (int i = h->n_nodes - 1; i >= 0; i--) {
        const mpno_node *inner = &s->graph->nodes[h->nodes[i]];
        local[inner->out[0]] = error_of(s, inner, local);
    }
    local[h->x] = before_w;
    if (h->skip >= 0) {
        const mpno_node *inner = &s->graph->nodes[h->skip];
        local[inner->out[0]] = error_of(s, inner, local);
    }
    return error_of(s, node, local);
}

/* Statement L5: what the heart of a block does with the error of x is at most its Lipschitz
 * constant; its own roundings come on top. */
static mpno_status by_heart(mpno_set_walk *s, const mpno_node *node, double *error, double *slope) {
    mpno_set_heart h;
    double constant, *local;
    if (!mpno_set_find_heart(s->graph, node, &h)) return MPNO_OK;
    MPNO_TRY(mpno_set_heart_slope(s, &h, &constant));
    MPNO_TRY(mpno_alloc_array(s->ctx, (size_t)s->graph->n_edges, sizeof *local, &local));
    s->blocks[node - s->graph->nodes] = constant;
    memcpy(local, s->error, (size_t)s->graph->n_edges * sizeof *local);
    const double drift = s->drift[h.x], one = heart_alone(s, &h, node, 0, drift, local),
                 other = heart_alone(s, &h, node, drift, 0, local);
    *error = fmin(*error, MPNO_ENLARGED * (constant * s->error[h.x] + fmin(one, other)));
    *slope = fmin(*slope, constant * s->slope[h.x]);
    mpno_free(s->ctx, local);
    return MPNO_OK;
}

/* Statement L5: of the two linear maps of an MLP together. */
static mpno_status by_linears(mpno_set_walk *s, const mpno_node *node, double *error,
                              double *slope) {
    mpno_saving *saving = &s->savings[node - s->graph->nodes];
    MPNO_TRY(mpno_savings_of_linears(s->graph, s->model, s->edges, node, saving));
    if (saving->edge < 0 || !(*error < INFINITY)) return MPNO_OK;
    *error -= saving->less * s->error[saving->edge];
    *slope -= saving->less * s->slope[saving->edge];
    return MPNO_OK;
}

/* Statement L2: the stored weight and the exact one lie within the slack that was measured. */
static mpno_status walk_blocks(mpno_set_walk *s, const mpno_node *node) {
    const mpno_node reader = {.in = {node->out[0]}};
    MPNO_TRY(mpno_set_measure(s, &reader, 0));
    s->error[node->out[0]] = s->edges[node->out[0]].error;
    return MPNO_OK;
}

static mpno_status walk_node(mpno_set_walk *s, const mpno_node *node) {
    const int edge = node->out[0];
    if (s->graph->edges[edge].kind == MPNO_EDGE_BLOCKS) return walk_blocks(s, node);
    for (int i = 0; i < node->n_in; i++) MPNO_TRY(mpno_set_measure(s, node, i));
    find_size(s, node);
    const double drift = drift_of(s, node);
    s->drift[edge] = drift <= 2 * s->norm[edge] ? drift : 2 * s->norm[edge];
    double error = error_of(s, node, s->error),
           slope = MPNO_ENLARGED * mpno_set_pass(s, node, s->slope, MPNO_SET_SLOPE);
    MPNO_TRY(by_heart(s, node, &error, &slope));
    MPNO_TRY(by_linears(s, node, &error, &slope));
    s->error[edge] = error == error ? error : INFINITY;
    s->slope[edge] = slope == slope ? slope : INFINITY;
    return MPNO_OK;
}

static mpno_status run(mpno_set_walk *s) {
    for (int n = 0; n < s->graph->n_nodes; n++)
        if (!s->graph->nodes[n].backward) MPNO_TRY(walk_node(s, &s->graph->nodes[n]));
    return MPNO_OK;
}

/* norm: of what is given from outside, at most. */
static void size_input(mpno_set_walk *s, int edge, double norm) {
    s->norm[edge] = fmin(size_by_range(s, edge), norm);
    s->edges[edge] = (mpno_bound){.norm = s->norm[edge], .most = mpno_range_most(&s->ranges, edge)};
}

/* ---- the start ---- */

/* A number of the input is at most the radius, or what the norm leaves to one point. */
static void set_inputs(const mpno_set_opts *opts, const mpno_fno_edges *edges, mpno_range_walk *w) {
    const bool sup = opts->ball == MPNO_BALL_SUP;
    const double points = mpno_range_points(w->graph, edges->input),
                 most = sup ? opts->radius : opts->radius * sqrt(points) * (1 + 1e-9);
    for (int64_t c = 0; c < w->edges[edges->input].channels; c++)
        mpno_range_set(&w->edges[edges->input], c, -most, most, opts->radius);
    if (edges->embedding >= 0)
        mpno_range_input(w, edges->embedding, opts->embedding > 0 ? opts->embedding : INFINITY);
}

mpno_status mpno_set_walk_along(const mpno_model *model, const mpno_network *network,
                                const mpno_set_opts *opts, mpno_set_walk *out) {
    const mpno_network_opts *made = mpno_network_get_opts(network);
    const mpno_fno_edges *edges = mpno_network_edges(network);
    *out = (mpno_set_walk){.ctx = model->ctx,
                           .just_in_time = made->storage.just_in_time,
                           .unfused = made->unfused,
                           .output = edges->output};
    MPNO_TRY(mpno_range_open_network(model, network, &out->ranges));
    set_inputs(opts, edges, &out->ranges);
    MPNO_TRY(mpno_range_run(&out->ranges));
    MPNO_TRY(open_walk(model, out));
    size_input(out, edges->input,
               opts->ball == MPNO_BALL_SUP ? INFINITY : opts->radius * (1 + 1e-9));
    if (edges->embedding >= 0) size_input(out, edges->embedding, INFINITY);
    out->slope[edges->input] = 1;
    return run(out);
}
