/* SPDX-License-Identifier: MIT
 * The walk along a forward graph: room for the ranges of all edges, the rule of each node, and what
 * storing a result adds to it (S1). See range.h. */
#include "certify/range/range.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "number/format.h"

static const struct {
    const mpno_op *op;
    mpno_range_rule *rule;
} rules[] = {
#define X(op, rule) {&mpno_op_##op, mpno_range_##rule},
#include "certify/range/rules.def"
#undef X
};

mpno_range_rule *mpno_range_rule_of(const mpno_op *op) {
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].op == op) return rules[i].rule;
    return NULL;
}

/* ---- rounding ---- */

double mpno_range_tiny(mpno_format format) {
    const mpno_format_facts *f = mpno_format_get(format);
    return ldexp(1.0, f->min_exponent - f->significand);
}

double mpno_range_unit(const mpno_range_walk *walk) {
    return mpno_format_unit(walk->policy.base);
}

/* A scale 2^s is the smallest with most / 2^s in range, with room for twice as much where it is
 * that of the last run, and 1 before any: 2^s <= max(1, 4 most / max). Stochastic rounding goes to
 * either neighbour. */
mpno_range_rounding mpno_range_format_rounding(mpno_format format, mpno_rounding rounding,
                                               mpno_scaling scaling, double most) {
    const double times = rounding == MPNO_ROUND_NEAREST_EVEN ? 1 : 2;
    const double step =
        scaling == MPNO_SCALING_NONE ? 1 : fmax(1, 4 * most / mpno_format_max(format)) * (1 + 1e-9);
    return (mpno_range_rounding){
        .u = times * mpno_format_unit(format),
        .eta = times * mpno_range_tiny(format) * step,
        .saturates = scaling != MPNO_SCALING_NONE && scaling != MPNO_SCALING_BLOCK};
}

mpno_range_rounding mpno_range_rounding_of(const mpno_range_walk *walk, int edge, double most) {
    const mpno_format format = mpno_range_format(walk, mpno_exec_format(walk->exec, edge));
    if (!walk->stored[edge] || format == walk->policy.base || format == MPNO_F64)
        return (mpno_range_rounding){0, 0, false};
    return mpno_range_format_rounding(format, walk->policy.rounding,
                                      mpno_exec_scaling(walk->exec, edge), most);
}

mpno_format mpno_range_format(const mpno_range_walk *walk, mpno_format format) {
    return walk->assume_bf16 && format == MPNO_F16 ? MPNO_BF16 : format;
}

double mpno_range_axis_error(double u, int64_t n) {
    return 16 * u * ((double)n + 32);
}

double mpno_range_guard(const mpno_range_walk *walk, double on_the_way) {
    return on_the_way <= mpno_format_max(walk->policy.base) / 2 ? 0 : INFINITY;
}

double mpno_range_finish(const mpno_range_walk *walk, double bound) {
    const double raised = bound * (1 + 1e-9);
    return raised <= mpno_format_max(walk->policy.base) ? raised : INFINITY;
}

/* ---- room ---- */

static mpno_status make_range(mpno_range_walk *w, int edge) {
    const mpno_edge *e = &w->graph->edges[edge];
    mpno_range *r = &w->edges[edge];
    const bool blocks = e->kind == MPNO_EDGE_BLOCKS;
    r->channels = blocks ? 1 : e->channels;
    MPNO_TRY(mpno_alloc_array(w->ctx, (size_t)(5 * r->channels), sizeof(double), &r->most));
    r->rms = r->most + r->channels, r->field = r->rms + r->channels;
    r->high = r->field + r->channels, r->low = r->high + r->channels;
    for (int64_t i = 0; i < 5 * r->channels; i++)
        r->most[i] = i < 4 * r->channels ? INFINITY : -INFINITY;
    if (e->kind == MPNO_EDGE_SPECTRUM)
        MPNO_TRY(mpno_alloc_array(w->ctx, (size_t)e->modes, sizeof(double), &r->weights));
    for (int64_t k = 0; r->weights != NULL && k < e->modes; k++) r->weights[k] = 1;
    if (!blocks) return MPNO_OK;
    const size_t count = mpno_weight_count(&w->graph->weights[e->param]);
    MPNO_TRY(mpno_alloc_array(w->ctx, count, sizeof(double), &r->values));
    MPNO_TRY(mpno_alloc_array(w->ctx, count / 2, sizeof(double), &r->slack));
    for (size_t i = 0; i < count / 2; i++) r->slack[i] = INFINITY;
    return MPNO_OK;
}

static bool wanted(const mpno_edge *e) {
    return !e->gradient && e->kind != MPNO_EDGE_PARAM && e->kind != MPNO_EDGE_PARAM_GRAD;
}

/* Of the spectra that meet weights: what is transformed on the way to them. A stabiliser would
 * stand before that. */
static void tame(mpno_range_walk *w, int edge) {
    for (const mpno_graph *g = w->graph; g->edges[edge].producer >= 0;) {
        const mpno_node *n = &g->nodes[g->edges[edge].producer];
        const bool lines = n->op == &mpno_op_line_forward, stage = n->op == &mpno_op_stage;
        const bool transform = n->op == &mpno_op_fft_forward || n->op == &mpno_op_take_modes ||
                               n->op == &mpno_op_columns_forward;
        if (stage || lines) w->tamed[edge] = true;
        if (!transform) return;
        edge = n->in[0];
    }
}

static mpno_status open_walk(mpno_range_walk *w, int output) {
    const mpno_graph *g = w->graph;
    const size_t edges = (size_t)g->n_edges, nodes = (size_t)g->n_nodes;
    MPNO_TRY(mpno_alloc_array(w->ctx, edges, sizeof *w->edges, &w->edges));
    MPNO_TRY(mpno_alloc_array(w->ctx, edges, sizeof *w->stored, &w->stored));
    MPNO_TRY(mpno_alloc_array(w->ctx, edges, sizeof *w->tamed, &w->tamed));
    MPNO_TRY(mpno_alloc_array(w->ctx, nodes, sizeof *w->inside, &w->inside));
    MPNO_TRY(mpno_alloc_array(w->ctx, nodes, sizeof *w->growth, &w->growth));
    for (int e = 0; e < g->n_edges; e++)
        if (wanted(&g->edges[e])) MPNO_TRY(make_range(w, e));
    for (int i = 0; i < mpno_exec_n_tensors(w->exec); i++)
        w->stored[mpno_exec_tensor_at(w->exec, i).edge] = true;
    if (output >= 0) w->stored[output] = true;
    for (int n = 0; n < g->n_nodes; n++) {
        const mpno_op *op = g->nodes[n].op;
        const bool meets = op == &mpno_op_contract || op == &mpno_op_scale_modes ||
                           op == &mpno_op_contract_low_rank;
        if (meets && !g->nodes[n].backward) tame(w, g->nodes[n].in[0]);
    }
    return MPNO_OK;
}

mpno_status mpno_range_open(mpno_ctx *ctx, const mpno_graph *graph, const mpno_exec *exec,
                            const mpno_policy *policy, const mpno_range_weight *weights,
                            int n_weights, int64_t capacity, int output, mpno_range_walk *out) {
    *out = (mpno_range_walk){.ctx = ctx,
                             .graph = graph,
                             .exec = exec,
                             .policy = *policy,
                             .weights = weights,
                             .n_weights = n_weights,
                             .capacity = capacity,
                             .n_edges = graph->n_edges,
                             .n_nodes = graph->n_nodes};
    const mpno_status status = open_walk(out, output);
    if (status != MPNO_OK) mpno_range_close(out);
    return status;
}

mpno_status mpno_range_open_network(const mpno_model *model, const mpno_network *network,
                                    mpno_range_walk *out) {
    mpno_range_weight *own;
    *out = (mpno_range_walk){0};
    MPNO_TRY(mpno_alloc_array(model->ctx, (size_t)model->n_params, sizeof *own, &own));
    for (int p = 0; p < model->n_params; p++)
        own[p] = (mpno_range_weight){model->params[p].data, model->arithmetic};
    const mpno_status status = mpno_range_open(
        model->ctx, mpno_network_graph(network), mpno_network_exec(network),
        mpno_network_policy(network), own, model->n_params,
        mpno_network_get_opts(network)->capacity, mpno_network_edges(network)->output, out);
    if (status == MPNO_OK)
        out->own = own;
    else
        mpno_free(model->ctx, own);
    return status;
}

mpno_status mpno_range_check(const mpno_model *model, const mpno_network *network,
                             const char *kind) {
    MPNO_CHECK(model->ctx, mpno_model_has_weights(model), MPNO_E_ARGUMENT,
               "this model was only declared and has no weights: there is nothing to certify");
    MPNO_CHECK(model->ctx, !mpno_network_get_opts(network)->training, MPNO_E_ARGUMENT,
               "%s is of a network made for inference: create or plan it with training = false",
               kind);
    return MPNO_OK;
}

void mpno_range_close(mpno_range_walk *w) {
    for (int e = 0; w->edges != NULL && e < w->n_edges; e++) {
        mpno_free(w->ctx, w->edges[e].most);
        mpno_free(w->ctx, w->edges[e].weights);
        mpno_free(w->ctx, w->edges[e].values);
        mpno_free(w->ctx, w->edges[e].slack);
    }
    mpno_free(w->ctx, w->edges);
    mpno_free(w->ctx, w->stored);
    mpno_free(w->ctx, w->tamed);
    mpno_free(w->ctx, w->inside);
    mpno_free(w->ctx, w->growth);
    mpno_free(w->ctx, w->own);
    *w = (mpno_range_walk){0};
}

void mpno_range_input(mpno_range_walk *w, int edge, double most) {
    mpno_range *r = &w->edges[edge];
    for (int64_t c = 0; c < r->channels; c++) mpno_range_set(r, c, -most, most, most);
}

double mpno_range_most(const mpno_range_walk *w, int edge) {
    const mpno_range *r = &w->edges[edge];
    double most = 0;
    for (int64_t c = 0; c < r->channels; c++) most = fmax(most, r->most[c]);
    return r->channels > 0 ? most : INFINITY;
}

/* ---- the walk ---- */

/* Sum of w[k], by which errors of single coefficients add up in rms and field. */
static double weight_sum(const mpno_range_walk *w, int edge) {
    const mpno_edge *e = &w->graph->edges[edge];
    double sum = 0;
    if (e->kind == MPNO_EDGE_SPECTRUM)
        for (int64_t k = 0; k < e->modes; k++) sum += w->edges[edge].weights[k];
    return e->kind == MPNO_EDGE_COLUMNS ? 2 * (double)e->modes : sum;
}

/* Rounding to nearest is monotone: what is at most x becomes at most what x becomes (S1). */
static double raised(const mpno_range_walk *w, int edge, const mpno_range_rounding *r, double x) {
    const mpno_format format = mpno_range_format(w, mpno_exec_format(w->exec, edge));
    const bool plain = w->policy.rounding == MPNO_ROUND_NEAREST_EVEN &&
                       mpno_exec_scaling(w->exec, edge) == MPNO_SCALING_NONE &&
                       fabs(x) <= mpno_format_max(format);
    return plain ? fmax(x, mpno_format_round(x, format)) : x + r->u * fabs(x) + r->eta;
}

/* Numbers that saturate may come nearer to 0 than a bound by sign says. */
static void store_signs(mpno_range_walk *w, int edge, const mpno_range_rounding *r, int64_t c) {
    mpno_range *range = &w->edges[edge];
    range->high[c] = raised(w, edge, r, range->high[c]);
    range->low[c] = -raised(w, edge, r, -range->low[c]);
    if (r->saturates) range->high[c] = fmax(range->high[c], 0);
    if (r->saturates) range->low[c] = fmin(range->low[c], 0);
    range->most[c] = fmax(range->high[c], -range->low[c]);
}

/* What is stored is no larger than this; its consumers may read it rounded or not (S1). */
static void store(mpno_range_walk *w, int edge) {
    const mpno_edge_kind kind = w->graph->edges[edge].kind;
    const mpno_range_rounding r = mpno_range_rounding_of(w, edge, mpno_range_most(w, edge));
    const bool complex = kind == MPNO_EDGE_SPECTRUM || kind == MPNO_EDGE_COLUMNS;
    const double eta = complex ? sqrt(2) * r.eta : r.eta, sum = complex ? weight_sum(w, edge) : 1;
    mpno_range *range = &w->edges[edge];
    if (r.u == 0 || kind == MPNO_EDGE_BLOCKS) return;
    for (int64_t c = 0; c < range->channels; c++) {
        if (kind == MPNO_EDGE_FIELD)
            store_signs(w, edge, &r, c);
        else
            range->most[c] += r.u * range->most[c] + eta;
        range->rms[c] += r.u * range->rms[c] + eta * sqrt(sum);
        range->field[c] += r.u * range->field[c] + eta * sum;
    }
}

/* Bounds by sign, raised as others are, and never beyond the one that knows none; what is no number
 * is no bound. */
static void tidy_signs(mpno_range *r, int64_t c) {
    const double low = r->low[c] - 1e-9 * fabs(r->low[c]),
                 high = r->high[c] + 1e-9 * fabs(r->high[c]);
    r->low[c] = low >= -r->most[c] ? low : -r->most[c];
    r->high[c] = high <= r->most[c] ? high : r->most[c];
    r->most[c] = fmax(r->high[c], -r->low[c]);
}

/* The mean of squares is at most the largest one, and no square more than all of them. */
static void tidy(mpno_range_walk *w, int edge) {
    mpno_range *r = &w->edges[edge];
    const bool field = w->graph->edges[edge].kind == MPNO_EDGE_FIELD,
               sums = w->graph->edges[edge].kind == MPNO_EDGE_SUMS; /* f64 */
    for (int64_t c = 0; c < r->channels; c++) {
        if (sums) r->most[c] = r->most[c] < INFINITY ? r->most[c] * (1 + 1e-9) : INFINITY;
        if (sums) continue;
        if (field && w->assume_tanh && w->tamed[edge]) r->most[c] = fmin(r->most[c], 1);
        if (field)
            r->most[c] = fmin(r->most[c], sqrt(mpno_range_points(w->graph, edge)) * r->rms[c]);
        r->most[c] = mpno_range_finish(w, r->most[c]);
        if (field) tidy_signs(r, c);
        r->rms[c] = mpno_range_finish(w, field ? fmin(r->rms[c], r->most[c]) : r->rms[c]);
        r->field[c] = mpno_range_finish(w, r->field[c]);
    }
}

/* Whether an operand is of unknown size, and no line of its own says so: then neither is a result
 * known, even of a function that bounds all numbers, since what came may be none. */
static bool unknown(const mpno_range_walk *w, const mpno_node *node) {
    for (int i = 0; i < node->n_in; i++) {
        const int e = node->in[i];
        const bool data =
            e >= 0 && wanted(&w->graph->edges[e]) && w->graph->edges[e].kind != MPNO_EDGE_BLOCKS;
        if (data && !w->stored[e] && !(mpno_range_most(w, e) < INFINITY)) return true;
    }
    return false;
}

mpno_status mpno_range_run(mpno_range_walk *w) {
    for (int n = 0; n < w->n_nodes; n++) {
        const mpno_node *node = &w->graph->nodes[n];
        mpno_range_rule *rule = mpno_range_rule_of(node->op);
        if (node->backward) continue;
        if (rule != NULL && !node->attr.adjoint && !unknown(w, node)) MPNO_TRY(rule(w, node));
        for (int i = 0; i < node->n_out; i++) {
            if (!wanted(&w->graph->edges[node->out[i]])) continue;
            tidy(w, node->out[i]);
            store(w, node->out[i]);
        }
    }
    return MPNO_OK;
}
