/* SPDX-License-Identifier: MIT
 * The running bound of POINT certificates (P1 of docs/theory/certificates.md) written a second
 * time: norms of all tensors that a run makes, what each operation passes on, and what normalisers,
 * norms of fields and the sums behind them add. On random networks; that errors keep to it is what
 * test_point and its search look for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "certify/captured.h"
#include "certify/captured_transform.h"
#include "certify/point.h"
#include "certify/running.h"
#include "certify/savings.h"
#include "certify/spectral_norm.h"
#include "data/normalizer.h"
#include "support/quad_case.h"
#include "unit/model/support.h"

enum { CASES = 120 };
static const double MORE = 1 + 1e-9, U = 0x1p-53;
static mpno_rng rng;
static mpno_ctx *ctx;
static const char *text = "";
static int met[6];
enum { TWICE, SAVED, LINEAR, CONTRACT, TRANSFORM, GELU };
static const char *const kinds[] = {"spectrum that weighs 2", "saving",
                                    "captured product",       "captured contraction",
                                    "captured transform",     "gelu"};

#define assert_near(a, b)                                                                    \
    do {                                                                                     \
        const double a_ = (a), b_ = (b);                                                     \
        if (!(a_ == b_ || (isfinite(b_) && fabs(a_ - b_) <= 1e-11 * fabs(b_))))              \
            fail_msg("line %d: %s is %.15g, %s %.15g (%s)", __LINE__, #a, a_, #b, b_, text); \
    } while (0)

static double *numbers(size_t n) {
    double *x = calloc(n + 1, sizeof *x);
    assert_non_null(x);
    return x;
}

/* -------- a run that is looked at -------- */

typedef struct kept {
    const mpno_network *network;
    double **data; /* per edge, f64 */
    int *shown;    /* in which place of all; 0: not, as what is given */
    int n_shown;
} kept;

static void keep(void *user, const mpno_sight *sight) {
    kept *k = user;
    const mpno_graph *g = mpno_network_graph(k->network);
    const size_t n = mpno_edge_bytes(g, sight->edge, MPNO_F64, 1) / sizeof(double);
    free(k->data[sight->edge]);
    k->shown[sight->edge] = ++k->n_shown;
    k->data[sight->edge] = numbers(n);
    mpno_cast(k->data[sight->edge], MPNO_F64, sight->data, sight->format, n);
}

/* Frequencies of the last axis, of real data, that each edge has; 0: all weigh 1. From transforms
 * on, through all ops but take_modes. */
static int64_t *axes_of(const mpno_graph *g) {
    int64_t *keeps = calloc((size_t)g->n_edges, sizeof *keeps);
    assert_non_null(keeps);
    for (int round = 0; round < g->n_nodes; round++)
        for (int n = 0; n < g->n_nodes; n++) {
            const mpno_node *node = &g->nodes[n];
            int64_t own = 0;
            if (node->attr.columns != NULL) {
                own = node->attr.columns->keep;
            } else if (node->attr.fft != NULL) {
                const mpno_fft_problem *p = mpno_fft_get_problem(node->attr.fft);
                own = p->kind == MPNO_FFT_REAL ? p->keep[p->ndim - 1] : 0;
            }
            for (int end = 0; end < 2; end++) {
                const int edge = end == 0 ? node->in[0] : node->out[0],
                          other = end == 0 ? node->out[0] : node->in[0];
                if (edge < 0 || (g->edges[edge].kind != MPNO_EDGE_SPECTRUM &&
                                 g->edges[edge].kind != MPNO_EDGE_COLUMNS))
                    continue;
                if (own > 0) keeps[edge] = own;
                if (keeps[edge] == 0 && node->op != &mpno_op_take_modes && other >= 0)
                    keeps[edge] = keeps[other];
            }
        }
    return keeps;
}

static mpno_bound norm_again(const mpno_graph *g, const int64_t *keeps, int edge, const double *x) {
    const mpno_edge *e = &g->edges[edge];
    const mpno_grid *grid = mpno_graph_grid(g, edge);
    const bool field = e->kind == MPNO_EDGE_FIELD, columns = e->kind == MPNO_EDGE_COLUMNS;
    const int64_t n = (int64_t)(mpno_edge_bytes(g, edge, MPNO_F64, 1) / sizeof(double));
    mpno_bound b = {0};
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = i / (columns ? e->channels : 2 * e->channels),
                      f = !field && keeps[edge] > 0 ? k % keeps[edge] : 0;
        sum += (f > 0 ? 2 : 1) * x[i] * x[i];
        met[TWICE] += f > 0;
        b.most = fabs(x[i]) > b.most ? fabs(x[i]) : b.most;
    }
    if (field) sum /= (double)grid->points;
    if (columns) sum *= (double)grid->size[grid->ndim - 1] / (double)grid->points;
    b.norm = MORE * sqrt(sum);
    return b;
}

static const double *data_of(const mpno_model *model, const mpno_graph *g, const kept *k,
                             int edge) {
    if (edge < 0) return NULL;
    if (g->edges[edge].kind == MPNO_EDGE_PARAM)
        return mpno_model_raw(model, g->edges[edge].param).data;
    return k->data[edge];
}

/* Of real data, with nothing but its own scale. */
static bool plain_transform(const mpno_node *node) {
    const bool inverse = node->op == &mpno_op_fft_inverse;
    if (!inverse && node->op != &mpno_op_fft_forward) return false;
    const mpno_fft_problem *p = mpno_fft_get_problem(node->attr.fft);
    const double plain = inverse ? 1 : 1 / (double)mpno_fft_points(node->attr.fft);
    return p->kind == MPNO_FFT_REAL && fabs(node->attr.scale / plain - 1) < 1e-15 &&
           node->attr.weighting == (inverse ? MPNO_FFT_HERMITIAN : MPNO_FFT_PLAIN);
}

/* What happened, where that is captured; else -1. Of transforms the first four that run. */
static double captured_again(const mpno_model *model, const mpno_graph *g, const kept *k,
                             const int64_t *keeps, const mpno_node *node) {
    const mpno_edge *x = &g->edges[node->in[0]], *y = &g->edges[node->out[0]];
    const double *in = data_of(model, g, k, node->in[0]), *out = k->data[node->out[0]];
    const bool inverse = node->op == &mpno_op_fft_inverse;
    double found = -1;
    if (!k->shown[node->out[0]]) return -1;
    if (node->op == &mpno_op_gelu) {
        met[GELU]++;
        return mpno_captured_gelu(mpno_graph_grid(g, node->out[0])->points, y->channels, in, out);
    }
    if (node->op == &mpno_op_linear) {
        met[LINEAR]++;
        assert_int_equal(
            mpno_captured_linear(ctx, mpno_graph_grid(g, node->out[0])->points, x->channels,
                                 y->channels, in, data_of(model, g, k, node->in[1]),
                                 data_of(model, g, k, node->in[2]), out, &found),
            MPNO_OK);
    } else if (node->op == &mpno_op_contract) {
        double *weights = numbers((size_t)x->modes);
        for (int64_t m = 0; m < x->modes; m++)
            weights[m] = keeps[node->out[0]] > 0 && m % keeps[node->out[0]] > 0 ? 2 : 1;
        const mpno_captured_modes modes = {x->modes,
                                           x->channels,
                                           y->channels,
                                           node->attr.mode_rows,
                                           weights,
                                           in,
                                           data_of(model, g, k, node->in[1]),
                                           out};
        met[CONTRACT]++;
        assert_int_equal(mpno_captured_contract(ctx, &modes, &found), MPNO_OK);
        free(weights);
    } else if (plain_transform(node)) {
        const mpno_fft_problem *p = mpno_fft_get_problem(node->attr.fft);
        int before = 0;
        for (int n = 0; n < g->n_nodes; n++)
            before += plain_transform(&g->nodes[n]) && k->shown[g->nodes[n].out[0]] > 0 &&
                      k->shown[g->nodes[n].out[0]] < k->shown[node->out[0]];
        if (before >= 4) return -1;
        met[TRANSFORM]++;
        assert_int_equal(mpno_captured_transform(ctx, p, inverse, x->channels, inverse ? out : in,
                                                 inverse ? in : out, &found),
                         MPNO_OK);
    }
    return found;
}

static void one_running(const mpno_model *model, mpno_network *network, const double *x,
                        const double *embedding, double off) {
    const mpno_graph *g = mpno_network_graph(network);
    const mpno_fno_edges *given = mpno_network_edges(network);
    mpno_running *running;
    kept k = {network, calloc((size_t)g->n_edges, sizeof(double *)),
              calloc((size_t)g->n_edges, sizeof(int)), 0};
    double *y = numbers(mpno_edge_bytes(g, given->output, MPNO_F64, 1) / sizeof(double));
    const mpno_observer observer = {keep, &k};
    int64_t *keeps = axes_of(g);
    assert_true(k.data != NULL && k.shown != NULL);
    if (embedding != NULL) mpno_network_set_embedding(network, embedding);
    mpno_network_observe(network, &observer);
    assert_int_equal(mpno_network_forward(network, 1, x, y), MPNO_OK);
    mpno_network_observe(network, NULL);
    assert_int_equal(mpno_running_create(network, model, &running), MPNO_OK);
    const mpno_status status = mpno_running_run(running, x, embedding, off, y);
    for (int e = 0; e < g->n_edges; e++) {
        const double *data = e == given->input       ? x
                             : e == given->embedding ? embedding
                             : e == given->output    ? y
                                                     : k.data[e];
        const mpno_edge_kind kind = g->edges[e].kind;
        const mpno_bound *b = mpno_running_edge(running, e);
        if (data == NULL || kind == MPNO_EDGE_PARAM || kind == MPNO_EDGE_BLOCKS) continue;
        if (k.data[e] == NULL) {
            k.data[e] = numbers(mpno_edge_bytes(g, e, MPNO_F64, 1) / sizeof(double));
            memcpy(k.data[e], data, mpno_edge_bytes(g, e, MPNO_F64, 1));
        }
        if (status != MPNO_OK) continue;
        mpno_bound again = norm_again(g, keeps, e, data);
        if (kind == MPNO_EDGE_SUMS) {
            double sum = 0;
            for (int64_t c = 0; c < g->edges[e].channels; c++) sum += data[c] * data[c];
            again.norm = MORE * sqrt(sum);
        }
        assert_near(b->norm, again.norm);
        assert_true(b->most == again.most);
    }
    mpno_saving *savings = calloc((size_t)g->n_nodes, sizeof *savings);
    mpno_bound *weights = calloc((size_t)g->n_edges, sizeof *weights);
    assert_true(savings != NULL && weights != NULL);
    for (int e = 0; e < g->n_edges; e++) {
        if (g->edges[e].kind != MPNO_EDGE_PARAM) continue;
        const mpno_weight *w = &g->weights[g->edges[e].param];
        const mpno_matrices m = {mpno_model_raw(model, g->edges[e].param).data,
                                 MPNO_F64,
                                 w->blocks,
                                 w->rows,
                                 w->cols,
                                 w->is_complex};
        assert_int_equal(mpno_block_norms(ctx, &m, 4, &weights[e]), MPNO_OK);
        assert_near(mpno_running_edge(running, e)->norm, weights[e].norm);
    }
    assert_int_equal(mpno_savings_find(g, model, weights, savings), MPNO_OK);
    if (status == MPNO_OK) assert_true(mpno_running_edge(running, given->input)->error == off);
    for (int n = 0; n < g->n_nodes && status == MPNO_OK; n++) {
        const mpno_node *node = &g->nodes[n];
        mpno_bound_call call = {.graph = g,
                                .node = node,
                                .arithmetic = MPNO_F64,
                                .unit = U,
                                .eta = 0x1p-1074,
                                .out = *mpno_running_edge(running, node->out[0])};
        call.out.error = 0;
        call.captured = captured_again(model, g, &k, keeps, node);
        for (int i = 0; i < node->n_in; i++) {
            if (node->in[i] < 0) continue;
            const mpno_edge *e = &g->edges[node->in[i]];
            call.in[i] = *mpno_running_edge(running, node->in[i]);
            const mpno_weight *w = e->kind == MPNO_EDGE_PARAM ? &g->weights[e->param] : NULL;
            const bool vector = w != NULL && w->blocks == 1 && w->rows == 1 && !w->is_complex;
            if (e->kind == MPNO_EDGE_SUMS || vector)
                call.values[i] = data_of(model, g, &k, node->in[i]);
        }
        double error = node->op->bound(&call);
        if (savings[n].edge >= 0)
            error -= savings[n].less * mpno_running_edge(running, savings[n].edge)->error;
        met[SAVED] += savings[n].edge >= 0 && savings[n].less > 0;
        assert_near(mpno_running_edge(running, node->out[0])->error, MORE * error);
    }
    for (int e = 0; e < g->n_edges; e++) free(k.data[e]);
    free(k.data), free(k.shown), free(keeps), free(savings), free(weights), free(y);
    mpno_running_destroy(&running);
}

/* -------- normalisers and norms -------- */

/* The certificate's error is `error` of the network's own answer, which is y. */
static void one_certificate(const quad_case *q, const mpno_model *model) {
    const int64_t in = q->config.in_channels, out = q->config.out_channels;
    mpno_certifier_opts opts = {.x = q->normalized ? &q->x : NULL,
                                .y = q->normalized ? &q->y : NULL,
                                .norms = MPNO_OBJECTIVE_INIT,
                                .embedding = q->embedding};
    memcpy(opts.grid, q->opts.grid, sizeof opts.grid);
    memcpy(opts.output_grid, q->opts.output_grid, sizeof opts.output_grid);
    for (int d = 0; d < q->config.ndim; d++) {
        const bool given = mpno_rng_uniform(&rng) < 0.7; /* else 1 */
        opts.norms.measure[d] = given ? 0.5 + 2 * mpno_rng_uniform(&rng) : 0;
        opts.norms.one_sided[d] = q->domain.one_sided[d];
    }
    mpno_certifier *certifier;
    mpno_point point;
    assert_int_equal(mpno_certifier_create(model, &opts, &certifier), MPNO_OK);
    double *answer = numbers(q->n_out), *x = numbers(q->n_in), *y = numbers(q->n_out);
    for (size_t i = 0; i < q->n_out; i++) answer[i] = 1e9 * mpno_rng_normal(&rng); /* far away */
    if (mpno_certifier_run(certifier, q->input, answer, &point) != MPNO_OK) goto done;
    /* the same with a running bound of our own, of the encoded input */
    double sum = 0, off = 0, most = 1, error;
    for (size_t i = 0; i < q->n_in; i++) {
        const double mean = q->normalized ? q->rooms[0][i] : 0,
                     std = q->normalized ? q->rooms[1][i] + 1e-7 : 1,
                     one = 4 * U * (fabs(q->input[i]) + fabs(mean)) / std;
        x[i] = q->input[i], sum += one * one;
    }
    if (q->normalized) {
        mpno_normalizer_encode(&q->x, MPNO_F64, x, (int64_t)q->n_in);
        off = MORE * sqrt(sum * (double)in / (double)q->n_in);
    }
    mpno_network_opts made = MPNO_NETWORK_OPTS_INIT;
    memcpy(made.grid, opts.grid, sizeof made.grid);
    memcpy(made.output_grid, opts.output_grid, sizeof made.output_grid);
    made.unfused = made.accurate = true;
    mpno_network *network = make_network(ctx, (mpno_model *)(uintptr_t)model, &made);
    mpno_running *running;
    assert_int_equal(mpno_running_create(network, model, &running), MPNO_OK);
    assert_int_equal(mpno_running_run(running, x, q->embedding, off, y), MPNO_OK);
    error = mpno_running_output(running)->error;
    int64_t grid[MPNO_MAX_AXES];
    mpno_network_output_grid(network, grid);
    const double rows = (double)q->n_out / (double)out;
    if (q->normalized) {
        sum = most = 0;
        for (size_t i = 0; i < q->n_out; i++) {
            const double std = q->rooms[3][i] + 1e-7,
                         one = 4 * U * (fabs(y[i]) * std + fabs(q->rooms[2][i]));
            sum += one * one, most = std > most ? std : most;
        }
        error = MORE * (most * error + sqrt(sum / rows));
    }
    double measure = 1, slopes = 1, factor[3];
    for (int d = 0; d < q->config.ndim; d++) {
        const double a = opts.norms.measure[d] > 0 ? opts.norms.measure[d] : 1,
                     h = a / (double)grid[d];
        measure *= a, slopes += pow((opts.norms.one_sided[d] ? 5.2 : 1) / h, 2);
    }
    factor[0] = sqrt(measure * (q->config.complex_data ? 2 : 1));
    factor[1] = factor[0] * sqrt(slopes), factor[2] = sqrt(rows);
    for (int k = 0; k < 3; k++) {
        assert_near(point.shadow[k], MORE * factor[k] * error);
        for (int far = 0; far < 2; far++) { /* of the size, and of what is so far away */
            const mpno_interval d = far ? point.distance[k] : point.size[k];
            const mpno_interval l2 = far ? point.distance[0] : point.size[0];
            const double norm = (d.upper + d.lower) / 2, half = (d.upper - d.lower) / 2,
                         own = ((double)q->n_out + 100) * U * norm +
                               (k == 1 ? 8 * U * (l2.upper + l2.lower) / 2 * sqrt(slopes) : 0);
            if (d.lower == 0) continue;
            assert_true(fabs(half - point.shadow[k] - own) <= 2 * U * norm + 1e-9 * half);
        }
    }
    mpno_running_destroy(&running);
    mpno_network_destroy(&network);
done:
    free(answer), free(x), free(y);
    mpno_certifier_destroy(&certifier);
}

static void one_case(uint64_t seed) {
    quad_case q;
    quad_case_draw(ctx, seed, MPNO_F64, &q);
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    memcpy(opts.grid, q.opts.grid, sizeof opts.grid);
    memcpy(opts.output_grid, q.opts.output_grid, sizeof opts.output_grid);
    opts.unfused = opts.accurate = true;
    mpno_network *network = make_network(ctx, q.model, &opts);
    text = quad_case_text(&q, seed);
    one_running(q.model, network, q.input, q.embedding, seed % 2 == 0 ? 0 : 1e-10);
    one_certificate(&q, q.model);
    mpno_network_destroy(&network);
    quad_case_drop(&q);
}

/* Tensors of more numbers than are summed up at once, of which a frequency's row is no divisor. */
static void one_large_network(void) {
    const int64_t grid[2] = {40, 40};
    mpno_fno_config c = small_config(2);
    c.hidden_channels = 3, c.n_layers = 1;
    c.n_modes[0] = c.n_modes[1] = 40;
    mpno_model *model = make_model(ctx, &c, MPNO_F64);
    mpno_network_opts opts = make_opts(2, grid, 1, false, "full", MPNO_F16);
    opts.unfused = opts.accurate = true;
    mpno_network *network = make_network(ctx, model, &opts);
    double *x = make_data(MPNO_F64, 2 * 40 * 40, 3);
    text = "large";
    one_running(model, network, x, NULL, 0);
    free(x);
    mpno_network_destroy(&network);
    mpno_model_destroy(&model);
}

static void running_bounds_are_their_statement(void **state) {
    (void)state;
    one_large_network();
    for (uint64_t seed = 0; seed < CASES; seed++) one_case(seed);
    for (int i = 0; i < 6; i++)
        if (met[i] == 0) fail_msg("no network has a %s", kinds[i]);
}

static int setup(void **state) {
    (void)state;
    rng = mpno_rng_make(31, MPNO_STREAM_TEST, 10);
    ctx = make_ctx(1);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    drop_ctx(ctx);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(running_bounds_are_their_statement)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
