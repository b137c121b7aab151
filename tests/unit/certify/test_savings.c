/* SPDX-License-Identifier: MIT
 * Savings of pairs of operations: a spectral convolution with the linear skip beside it as one
 * dense matrix, whose norm is found by power iteration, and two linear maps around GELU on inputs
 * near and far apart. What is said to be passed on is never less than what is, and hardly more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "certify/savings.h"
#include "certify/spectral_norm.h"
#include "core/memory.h"
#include "core/rng.h"
#include "model/network.h"
#include "unit/model/support.h"

enum { N = 9, C = 3, SIZE = N * C, MOST_EDGES = 256, MOST_NODES = 256 };

typedef struct rig {
    mpno_ctx *ctx;
    mpno_model *model;
    mpno_network *network;
    const mpno_graph *graph;
    mpno_bound weights[MOST_EDGES];
    mpno_saving savings[MOST_NODES];
} rig;

static const double *data_of(const rig *r, int edge) {
    return mpno_model_raw(r->model, r->graph->edges[edge].param).data;
}

static void start(rig *r, mpno_ctx *ctx, uint64_t seed) {
    mpno_fno_config config = MPNO_FNO_CONFIG_INIT;
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    *r = (rig){.ctx = ctx};
    config.ndim = 1;
    config.in_channels = config.out_channels = 1;
    config.hidden_channels = C;
    config.n_layers = 2;
    config.n_modes[0] = 6; /* 0 .. 3 of 0 .. 4 */
    assert_int_equal(mpno_model_create(ctx, &config, MPNO_F64, seed, &r->model), MPNO_OK);
    opts.grid[0] = N;
    opts.unfused = opts.accurate = true;
    assert_int_equal(mpno_network_create(r->model, &opts, &r->network), MPNO_OK);
    r->graph = mpno_network_graph(r->network);
    assert_true(r->graph->n_edges <= MOST_EDGES && r->graph->n_nodes <= MOST_NODES);
    for (int e = 0; e < r->graph->n_edges; e++) {
        if (r->graph->edges[e].kind != MPNO_EDGE_PARAM) continue;
        const mpno_weight *w = &r->graph->weights[r->graph->edges[e].param];
        const mpno_matrices m = {data_of(r, e), MPNO_F64, w->blocks,
                                 w->rows,       w->cols,  w->is_complex};
        double sum = 0;
        for (size_t i = 0; i < mpno_weight_count(w); i++)
            sum += data_of(r, e)[i] * data_of(r, e)[i];
        r->weights[e].frobenius = sqrt(sum);
        assert_int_equal(mpno_spectral_norms(ctx, &m, 7, NULL, &r->weights[e].norm), MPNO_OK);
    }
    assert_int_equal(mpno_savings_find(r->graph, r->model, r->weights, r->savings), MPNO_OK);
}

static void stop(rig *r) {
    mpno_network_destroy(&r->network);
    mpno_model_destroy(&r->model);
}

/* ---- convolution and skip ---- */

static const mpno_node *before(const rig *r, int edge, const mpno_op *op) {
    while (r->graph->edges[edge].producer >= 0) {
        const mpno_node *node = &r->graph->nodes[r->graph->edges[edge].producer];
        if (node->op == op) return node;
        edge = node->in[0];
    }
    return NULL;
}

/* a[to][from] of x [N][C] -> K x + W x. */
static void matrix_of(const rig *r, const mpno_node *product, const mpno_node *skip,
                      double a[SIZE][SIZE]) {
    const double *weight = data_of(r, product->in[1]), *w = data_of(r, skip->in[1]);
    const int64_t modes = r->graph->edges[product->in[0]].modes;
    const double turn = 8 * atan(1) / N;
    memset(a, 0, sizeof(double[SIZE][SIZE]));
    for (int to = 0; to < N; to++)
        for (int from = 0; from < N; from++)
            for (int o = 0; o < C; o++)
                for (int i = 0; i < C; i++) {
                    double sum = to == from ? w[o * C + i] : 0;
                    for (int64_t k = 0; k < modes; k++) {
                        const double *block = weight + product->attr.mode_rows[k] * 2 * C * C;
                        const double angle = turn * (double)(k * (to - from)),
                                     twice = (k > 0 ? 2.0 : 1.0) / N;
                        sum += twice * (block[i * C + o] * cos(angle) -
                                        block[C * C + i * C + o] * sin(angle));
                    }
                    a[to * C + o][from * C + i] = sum;
                }
}

static double norm_of(double a[SIZE][SIZE]) {
    double x[SIZE], y[SIZE], norm = 0;
    for (int i = 0; i < SIZE; i++) x[i] = 1 + 0.1 * i * i;
    for (int round = 0; round < 4000; round++) {
        double sum = 0;
        for (int i = 0; i < SIZE; i++) {
            y[i] = 0;
            for (int j = 0; j < SIZE; j++) y[i] += a[i][j] * x[j];
        }
        for (int j = 0; j < SIZE; j++) {
            x[j] = 0;
            for (int i = 0; i < SIZE; i++) x[j] += a[i][j] * y[i];
            sum += x[j] * x[j];
        }
        norm = sqrt(sqrt(sum)); /* |A'A x| of |x| = 1 */
        for (int j = 0; j < SIZE; j++) x[j] /= sqrt(sum);
    }
    return norm;
}

static void a_convolution_beside_its_skip(void **state) {
    static double a[SIZE][SIZE];
    int found = 0;
    double closest = INFINITY;
    for (uint64_t seed = 0; seed < 12; seed++) {
        rig r;
        start(&r, *state, seed);
        for (int n = 0; n < r.graph->n_nodes; n++) {
            const mpno_node *sum = &r.graph->nodes[n];
            if (sum->op != &mpno_op_add || r.savings[n].edge < 0) continue;
            const mpno_node *product = before(&r, sum->in[0], &mpno_op_contract),
                            *skip = before(&r, sum->in[1], &mpno_op_linear);
            assert_true(product != NULL && skip != NULL && skip->in[0] == r.savings[n].edge);
            matrix_of(&r, product, skip, a);
            const double truth = norm_of(a),
                         apart = r.weights[product->in[1]].norm + r.weights[skip->in[1]].norm,
                         said = apart - r.savings[n].less;
            if (!(said >= truth * (1 - 1e-9)) || !(said <= apart))
                fail_msg("%g of %g", said, truth);
            closest = fmin(closest, said / truth);
            found++;
        }
        stop(&r);
    }
    assert_int_equal(found, 24); /* both blocks of each */
    assert_true(closest < 1.02);
}

/* ---- GELU between linear maps ---- */

static double gelu(double x) {
    return 0.5 * x * erfc(-x * sqrt(0.5));
}

/* |B gelu(A x) - B gelu(A z)| over |x - z|. */
static double slope(const double *a, const double *b, int64_t n, int64_t h, int64_t m,
                    const double *x, const double *z) {
    double near = 0, far = 0;
    for (int64_t i = 0; i < n; i++) near += (x[i] - z[i]) * (x[i] - z[i]);
    for (int64_t o = 0; o < m; o++) {
        double sum = 0;
        for (int64_t k = 0; k < h; k++) {
            double u = 0, v = 0;
            for (int64_t i = 0; i < n; i++) u += a[k * n + i] * x[i], v += a[k * n + i] * z[i];
            sum += b[o * h + k] * (gelu(u) - gelu(v));
        }
        far += sum * sum;
    }
    return sqrt(far / near);
}

static void gelu_between_linear_maps(void **state) {
    mpno_rng rng = mpno_rng_make(3, MPNO_STREAM_TEST, 0);
    int found = 0;
    double closest = INFINITY;
    for (uint64_t seed = 0; seed < 6; seed++) {
        rig r;
        start(&r, *state, seed);
        for (int n = 0; n < r.graph->n_nodes; n++) {
            const mpno_node *outer = &r.graph->nodes[n];
            if (outer->op != &mpno_op_linear || r.savings[n].edge < 0) continue;
            const mpno_node *inner = before(&r, outer->in[0], &mpno_op_linear);
            const mpno_weight *wa = &r.graph->weights[r.graph->edges[inner->in[1]].param],
                              *wb = &r.graph->weights[r.graph->edges[outer->in[1]].param];
            const double said =
                1.129 * r.weights[inner->in[1]].norm * r.weights[outer->in[1]].norm -
                r.savings[n].less;
            assert_int_equal(inner->in[0], r.savings[n].edge);
            for (int t = 0; t < 4000; t++) {
                double x[512], z[512];
                const double size = pow(10, 3 * mpno_rng_uniform(&rng) - 1),
                             step = pow(10, 3 * mpno_rng_uniform(&rng) - 2);
                for (int64_t i = 0; i < wa->cols; i++) {
                    x[i] = size * mpno_rng_normal(&rng);
                    z[i] = x[i] + step * mpno_rng_normal(&rng);
                }
                const double found_slope =
                    slope(data_of(&r, inner->in[1]), data_of(&r, outer->in[1]), wa->cols, wa->rows,
                          wb->rows, x, z);
                if (!(found_slope <= said)) fail_msg("%g above %g", found_slope, said);
                closest = fmin(closest, said / found_slope);
            }
            found++;
        }
        stop(&r);
    }
    assert_true(found >= 6);
    assert_true(closest < 4);
}

static int set_up(void **state) {
    *state = make_ctx(1);
    return 0;
}

static int tear_down(void **state) {
    drop_ctx(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_convolution_beside_its_skip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gelu_between_linear_maps, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
