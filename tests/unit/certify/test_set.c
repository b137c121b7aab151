/* SPDX-License-Identifier: MIT
 * SET certificates. Bounds of whole networks are so far above what happens that a wrong one would
 * not be seen there: so every stored tensor of random networks is compared with its own bound, from
 * the first on, for random and hostile inputs of the ball, and every operation with what it makes
 * of the differences that its operands really have. MPNO_TEST_TRIALS=N takes N times as many
 * networks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "certify/set.h"
#include "certify/set/walk.h"
#include "certify/spectral_norm.h"
#include "core/value.h"
#include "kernel/codec.h"
#include "support/quad_case.h"
#include "unit/model/support.h"

enum { CASES = 300, INPUTS = 4 };

/* ---- what a run stores, in f64 ---- */

typedef struct seen {
    const mpno_network *network;
    double **data; /* per edge; NULL: not stored */
} seen;

static void look(void *user, const mpno_sight *sight) {
    seen *s = user;
    const int edge = sight->edge;
    const mpno_graph *graph = mpno_network_graph(s->network);
    const int64_t n =
        (int64_t)(mpno_edge_bytes(graph, edge, MPNO_F64, sight->batch) / sizeof(double));
    free(s->data[edge]);
    s->data[edge] = malloc((size_t)n * sizeof(double));
    assert_non_null(s->data[edge]);
    if (sight->codec == NULL)
        mpno_cast(s->data[edge], MPNO_F64, sight->data, sight->format, (size_t)n);
    else
        mpno_codec_kernels_get(MPNO_ISA_PORTABLE, MPNO_F64)
            ->load(sight->codec, s->data[edge], sight->data, n);
}

static seen start(mpno_network *network) {
    const size_t n = (size_t)mpno_network_graph(network)->n_edges;
    seen s = {network, calloc(n, sizeof(double *))};
    assert_non_null(s.data);
    return s;
}

static void stop(seen *s) {
    for (int e = 0; e < mpno_network_graph(s->network)->n_edges; e++) free(s->data[e]);
    free(s->data);
}

/* ---- norms of graph/bound.h ---- */

/* Kept frequencies of the last axis; 0: all weigh 1. False: no transform makes or
 * reads the edge, and what its modes weigh is not known. */
static bool last_axis(const mpno_graph *g, int edge, int64_t *keep) {
    bool known = false;
    *keep = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        const mpno_node *node = &g->nodes[i];
        const bool lines = node->op == &mpno_op_line_forward || node->op == &mpno_op_line_inverse;
        const bool modes =
            node->op == &mpno_op_fft_forward || node->op == &mpno_op_fft_inverse ||
            node->op == &mpno_op_columns_forward || node->op == &mpno_op_columns_inverse;
        if ((!lines && !modes) || (node->in[0] != edge && node->out[0] != edge)) continue;
        known = true;
        if (node->attr.columns != NULL) {
            *keep = node->attr.columns->keep;
        } else if (mpno_fft_get_problem(node->attr.fft)->kind == MPNO_FFT_REAL) {
            const mpno_fft_problem *p = mpno_fft_get_problem(node->attr.fft);
            *keep = p->keep[p->ndim - 1];
        }
    }
    return known;
}

static double norm_of(const mpno_graph *g, int edge, const double *x, const double *y) {
    const mpno_edge *e = &g->edges[edge];
    const mpno_grid *grid = mpno_graph_grid(g, edge);
    const int64_t count = (int64_t)(mpno_edge_bytes(g, edge, MPNO_F64, 1) / sizeof(double));
    const bool field = e->kind == MPNO_EDGE_FIELD, columns = e->kind == MPNO_EDGE_COLUMNS;
    int64_t keep = 0;
    if (!field) (void)last_axis(g, edge, &keep);
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        const double d = x[i] - (y != NULL ? y[i] : 0);
        const int64_t k = i / (columns ? e->channels : 2 * e->channels);
        const int64_t f = keep > 0 ? k % keep : 0;
        sum += (f > 0 ? 2 : 1) * d * d;
    }
    if (field) return sqrt(sum / (double)grid->points);
    return sqrt(columns ? sum * (double)grid->size[grid->ndim - 1] / (double)grid->points : sum);
}

/* ---- inputs of the ball ---- */

static double hostile(int kind, int64_t point, int64_t points, mpno_rng *rng) {
    const double phase = 2 * 3.14159265358979 * (double)point / (double)points;
    if (kind == 0) return mpno_rng_normal(rng);
    if (kind == 1) return mpno_rng_uniform(rng) < 0.5 ? -1 : 1;
    if (kind == 2) return 1;
    return cos(phase) < 0 ? -1 : 1;
}

/* On the sphere of the ball, of the format. */
static void draw_in_ball(const mpno_set_opts *ball, int kind, int64_t rows, int64_t channels,
                         double *x) {
    mpno_rng rng = mpno_rng_make(5, MPNO_STREAM_TEST, (uint32_t)kind);
    double most = 0, sum = 0;
    for (int64_t i = 0; i < rows * channels; i++) {
        x[i] = hostile(kind, i / channels, rows, &rng);
        most = fmax(most, fabs(x[i])), sum += x[i] * x[i];
    }
    const double size = ball->ball == MPNO_BALL_SUP ? most : sqrt(sum / (double)rows);
    for (int64_t i = 0; i < rows * channels; i++)
        x[i] = (double)(float)(x[i] / size * ball->radius * (1 - 1e-6));
}

/* ---- random networks ---- */

typedef struct tally {
    int tensors, closed, networks;
    double tightest; /* least bound over error of a tensor in a narrow format */
    int near;        /* of those below 10 */
} tally;

static mpno_model *copy_model(mpno_ctx *ctx, const mpno_model *from, mpno_format format) {
    mpno_model *model;
    if (mpno_model_create(ctx, mpno_model_config(from), format, 1, &model) != MPNO_OK)
        fail_msg("%s", mpno_ctx_error(ctx));
    for (int p = 0; p < mpno_model_n_params(from); p++) {
        double *values = malloc(mpno_model_param_info(from, p).count * sizeof *values);
        assert_non_null(values);
        mpno_model_get_param(from, p, values);
        mpno_model_set_param(model, p, values);
        free(values);
    }
    return model;
}

static mpno_set_certificate certify(mpno_ctx *ctx, const mpno_model *model,
                                    const mpno_network *network, const mpno_set_opts *opts) {
    mpno_set_certificate c;
    if (mpno_set_certify(model, network, opts, &c) != MPNO_OK)
        fail_msg("%s", mpno_ctx_error(ctx));
    return c;
}

static void compare(const mpno_set_certificate *c, const seen *low, const seen *exact,
                    const char *text, tally *t) {
    const mpno_graph *g = mpno_network_graph(low->network);
    for (int i = 0; i < c->n_lines; i++) {
        const mpno_set_line *l = &c->lines[i];
        const double *x = low->data[l->edge], *y = exact->data[l->edge];
        if (x == NULL || y == NULL) continue;
        assert_string_equal(g->edges[l->edge].name,
                            mpno_network_graph(exact->network)->edges[l->edge].name);
        const double size = norm_of(g, l->edge, x, NULL), off = norm_of(g, l->edge, x, y);
        if (!(size <= l->norm))
            fail_msg("%s: %s, %s: norm %.9g, bound %.9g", text, l->layer, l->name, size, l->norm);
        if (!(off <= l->error * (1 + 1e-12) + 1e-12 * size))
            fail_msg("%s: %s, %s: error %.9g, bound %.9g", text, l->layer, l->name, off, l->error);
        t->tensors++;
        if (off > 0 && l->format != MPNO_F32) {
            t->tightest = fmin(t->tightest, l->error / off);
            if (l->error < 10 * off) t->near++;
        }
    }
}

static void run_both(const quad_case *q, const mpno_set_opts *ball, mpno_network *low,
                     mpno_network *exact, const mpno_set_certificate *c, const char *text,
                     tally *t) {
    const int64_t channels = q->config.in_channels, rows = (int64_t)q->n_in / channels,
                  features = q->config.ada_in_features;
    double *x = malloc(q->n_in * sizeof *x), *y = malloc(q->n_out * sizeof *y),
           *e = calloc((size_t)features + 1, sizeof *e);
    float *x32 = malloc(q->n_in * sizeof *x32), *y32 = malloc(q->n_out * sizeof *y32),
          *e32 = calloc((size_t)features + 1, sizeof *e32);
    seen a = start(low), b = start(exact);
    const mpno_observer first = {look, &a}, second = {look, &b};
    assert_true(x != NULL && y != NULL && e != NULL && x32 != NULL && y32 != NULL && e32 != NULL);
    mpno_network_observe(low, &first);
    mpno_network_observe(exact, &second);
    mpno_network_set_embedding(low, e32);
    mpno_network_set_embedding(exact, e);
    for (int64_t i = 0; i < features; i++)
        e32[i] = (float)q->embedding[i], e[i] = (double)e32[i];
    for (int kind = 0; kind < INPUTS; kind++) {
        draw_in_ball(ball, kind, rows, channels, x);
        for (size_t i = 0; i < q->n_in; i++) x32[i] = (float)x[i];
        if (mpno_network_forward(low, 1, x32, y32) != MPNO_OK) {
            assert_false(c->error < INFINITY); /* what is bounded does not overflow */
            continue;
        }
        assert_int_equal(mpno_network_forward(exact, 1, x, y), MPNO_OK);
        compare(c, &a, &b, text, t);
    }
    stop(&a), stop(&b);
    free(x), free(y), free(e), free(x32), free(y32), free(e32);
}

static void one_network(mpno_ctx *ctx, uint64_t seed, tally *t) {
    quad_case q;
    quad_case_draw(ctx, seed, MPNO_F32, &q);
    mpno_network_opts opts = quad_case_low_opts(&q), exact_opts = quad_case_opts(&q, "full");
    mpno_rng rng = mpno_rng_make(seed, MPNO_STREAM_TEST, 9);
    mpno_set_opts ball = {.ball = seed % 2 == 0 ? MPNO_BALL_SUP : MPNO_BALL_L2,
                          .radius = exp2(4 * mpno_rng_uniform(&rng) - 3),
                          .embedding = 5};
    mpno_model *wide = copy_model(ctx, q.model, MPNO_F64);
    exact_opts.unfused = true;
    opts.unfused = seed % 5 == 0;
    mpno_network *low = make_network(ctx, q.model, &opts),
                 *exact = make_network(ctx, wide, &exact_opts);
    mpno_set_certificate c = certify(ctx, q.model, low, &ball);
    run_both(&q, &ball, low, exact, &c, quad_case_text(&q, seed), t);
    t->networks++;
    if (c.error < INFINITY) t->closed++;
    mpno_set_clear(&c);
    mpno_network_destroy(&low);
    mpno_network_destroy(&exact);
    mpno_model_destroy(&wide);
    quad_case_drop(&q);
}

static void no_tensor_is_farther_than_its_bound(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    const char *times = getenv("MPNO_TEST_TRIALS");
    const int n = CASES * (times == NULL ? 1 : atoi(times));
    tally t = {.tightest = INFINITY};
    for (uint64_t seed = 0; seed < (uint64_t)n; seed++) one_network(ctx, seed, &t);
    print_message("%d networks, %d with a finite bound, %d tensors; least bound over error %.3g, "
                  "%d below 10\n",
                  t.networks, t.closed, t.tensors, t.tightest, t.near);
    assert_true(t.closed > n / 2 && t.tightest < 2 && t.near > n / 10);
    drop_ctx(ctx);
}

/* ---- one operation at a time ---- */

/* Two runs, tensor by tensor, and what is known of the network. */
typedef struct runs {
    const mpno_set_walk *walk;
    const seen *one, *other;
    double *off; /* per edge: how far apart they are; -1: not seen */
    const char *text;
    double *least; /* of the bound over what happened, of each op */
} runs;

static void find_offs(const runs *r) {
    const mpno_graph *g = r->walk->graph;
    for (int e = 0; e < g->n_edges; e++) {
        const mpno_edge_kind kind = g->edges[e].kind;
        const mpno_edge *edge = &g->edges[e];
        const bool data = kind == MPNO_EDGE_FIELD || kind == MPNO_EDGE_SPECTRUM ||
                          kind == MPNO_EDGE_COLUMNS;
        const bool factors =
            kind == MPNO_EDGE_SUMS && g->nodes[edge->producer].op == &mpno_op_sample_sums;
        int64_t keep;
        const bool weighed = kind == MPNO_EDGE_FIELD || factors || last_axis(g, e, &keep);
        const bool seen_both = weighed && r->one->data[e] != NULL && r->other->data[e] != NULL;
        r->off[e] = !data && !factors ? 0
                    : seen_both       ? norm_of(g, e, r->one->data[e], r->other->data[e])
                                      : -1;
    }
}

static int op_index(const mpno_op *op) {
    for (int i = 0; i < mpno_op_count(); i++)
        if (mpno_op_get(i) == op) return i;
    return -1;
}

static void check_nodes(const runs *r, mpno_set_question question) {
    const mpno_graph *g = r->walk->graph;
    find_offs(r);
    for (int n = 0; n < g->n_nodes; n++) {
        const mpno_node *node = &g->nodes[n];
        const int out = node->out[0];
        bool all = r->off[out] >= 0 && g->edges[out].kind != MPNO_EDGE_BLOCKS;
        for (int i = 0; i < node->n_in; i++) all = all && (node->in[i] < 0 || r->off[node->in[i]] >= 0);
        if (!all) continue;
        double bound = mpno_set_pass(r->walk, node, r->off, question);
        if (question == MPNO_SET_ERROR) bound += mpno_set_stored(r->walk, out, r->walk->norm[out]);
        const double size = norm_of(g, out, r->one->data[out], NULL);
        if (!(bound < INFINITY)) continue;
        /* the runs of exact arithmetic have roundings of their own: 1e-11 of what they add up */
        const double rest = 1e-11 * (size + r->walk->norm[out]);
        if (!(r->off[out] <= bound + rest))
            fail_msg("%s: %s of %s: apart %.9g, bound %.9g", r->text, node->op->name,
                     g->layers[node->layer], r->off[out], bound);
        if (r->off[out] > 1e3 * rest)
            r->least[op_index(node->op)] =
                fmin(r->least[op_index(node->op)], bound / r->off[out]);
        /* two linear maps together, and the hearts of blocks, by their constants */
        const mpno_saving *saving = &r->walk->savings[n];
        if (question == MPNO_SET_SLOPE && saving->edge >= 0 && r->off[saving->edge] >= 0) {
            const mpno_node *inner =
                &g->nodes[g->edges[g->nodes[g->edges[node->in[0]].producer].in[0]].producer];
            const double both =
                1.129 * r->walk->edges[node->in[1]].norm * r->walk->edges[inner->in[1]].norm -
                saving->less;
            assert_true(r->off[out] <= both * r->off[saving->edge] + rest);
            if (r->off[out] > 1e3 * rest)
                r->least[mpno_op_count()] =
                    fmin(r->least[mpno_op_count()], both * r->off[saving->edge] / r->off[out]);
        }
        mpno_set_heart h;
        if (question != MPNO_SET_SLOPE || !mpno_set_find_heart(g, node, &h) || r->off[h.x] < 0)
            continue;
        assert_true(r->walk->blocks[n] > 0);
        assert_true(r->off[out] <= r->walk->blocks[n] * r->off[h.x] + rest);
    }
}

static void keep(seen *s, int edge, const double *values, size_t n) {
    free(s->data[edge]);
    s->data[edge] = malloc(n * sizeof *values);
    assert_non_null(s->data[edge]);
    memcpy(s->data[edge], values, n * sizeof *values);
}

/* An unfused run of x, f64: everything is seen. */
static bool run_seen(const quad_case *q, mpno_network *network, mpno_format format,
                     const double *x, double *y, seen *s) {
    const mpno_observer observer = {look, s};
    const size_t bytes = mpno_format_bytes(format), features = (size_t)q->config.ada_in_features;
    const mpno_graph *g = mpno_network_graph(network);
    void *in = malloc(q->n_in * bytes), *out = malloc(q->n_out * bytes),
         *e = malloc((features + 1) * bytes);
    assert_true(in != NULL && out != NULL && e != NULL);
    mpno_cast(in, format, x, MPNO_F64, q->n_in);
    if (features > 0) mpno_cast(e, format, q->embedding, MPNO_F64, features);
    mpno_network_set_embedding(network, e);
    mpno_network_observe(network, &observer);
    const bool ran = mpno_network_forward(network, 1, in, out) == MPNO_OK;
    mpno_cast(y, MPNO_F64, out, format, q->n_out);
    for (int i = 0; i < g->n_edges && ran; i++) {
        if (g->edges[i].producer >= 0 || g->edges[i].kind != MPNO_EDGE_FIELD) continue;
        const bool steers = strcmp(g->edges[i].name, "embedding") == 0;
        keep(s, i, steers ? q->embedding : x, steers ? features : q->n_in);
    }
    if (ran) keep(s, mpno_network_edges(network)->output, y, q->n_out);
    free(in), free(out), free(e);
    return ran;
}

/* Weights so small that numbers of 16 bits become subnormal. */
static void shrink(mpno_model *model, double times) {
    for (int p = 0; p < mpno_model_n_params(model); p++) {
        const mpno_param_info info = mpno_model_param_info(model, p);
        double *values = malloc(info.count * sizeof *values);
        assert_non_null(values);
        mpno_model_get_param(model, p, values);
        for (size_t i = 0; i < info.count; i++) values[i] *= times;
        if (info.kind != MPNO_PARAM_COUNTER && strstr(info.name, "running") == NULL)
            mpno_model_set_param(model, p, values);
        free(values);
    }
}

static void check_operations(mpno_ctx *ctx, quad_case *q, const char *text, uint64_t seed,
                             double *least) {
    mpno_model *wide = copy_model(ctx, q->model, MPNO_F64);
    mpno_network_opts opts = quad_case_opts(q, "full"), low_opts = quad_case_low_opts(q);
    double *x = malloc(q->n_in * sizeof *x), *y = malloc(q->n_out * sizeof *y), sum = 0;
    mpno_rng rng = mpno_rng_make(seed, MPNO_STREAM_TEST, 3);
    mpno_set_walk walk;
    assert_true(x != NULL && y != NULL);
    opts.unfused = low_opts.unfused = true;
    mpno_network *low = make_network(ctx, q->model, &low_opts),
                 *exact = make_network(ctx, wide, &opts);
    seen a = start(low), b = start(exact), c = start(exact);
    for (size_t i = 0; i < q->n_in; i++) x[i] = q->input[i], sum += x[i] * x[i];
    const double rows = (double)q->n_in / (double)q->config.in_channels;
    const mpno_set_opts ball = {
        .ball = MPNO_BALL_L2, .radius = 1.02 * sqrt(sum / rows) + 1e-30, .embedding = 8};
    if (mpno_set_walk_along(q->model, low, &ball, &walk) != MPNO_OK)
        fail_msg("%s", mpno_ctx_error(ctx));
    const size_t edges = (size_t)mpno_network_graph(low)->n_edges;
    runs r = {&walk, &a, &b, calloc(edges, sizeof(double)), text, least};
    assert_non_null(r.off);
    if (run_seen(q, low, MPNO_F32, x, y, &a)) {
        assert_true(run_seen(q, exact, MPNO_F64, x, y, &b));
        check_nodes(&r, MPNO_SET_ERROR);
        for (size_t i = 0; i < q->n_in; i++) x[i] *= 1 + 0.02 * mpno_rng_normal(&rng) / 4;
        assert_true(run_seen(q, exact, MPNO_F64, x, y, &c));
        r.one = &b, r.other = &c;
        check_nodes(&r, MPNO_SET_SLOPE);
    }
    mpno_set_close(&walk);
    stop(&a), stop(&b), stop(&c);
    free(r.off), free(x), free(y);
    mpno_network_destroy(&low);
    mpno_network_destroy(&exact);
    mpno_model_destroy(&wide);
}

/* Channels enough for products in bf16, where the machine has them. */
static void wide_products(mpno_ctx *ctx, double *least) {
    quad_case q = {.config = small_config(2), .policy = "amp", .half = MPNO_BF16};
    mpno_rng rng = mpno_rng_make(1, MPNO_STREAM_TEST, 6);
    q.config.hidden_channels = 24;
    q.opts.grid[0] = 6, q.opts.grid[1] = 7;
    q.n_in = q.n_out = 2 * 6 * 7;
    q.model = make_model(ctx, &q.config, MPNO_F32);
    q.input = malloc(q.n_in * sizeof *q.input);
    assert_non_null(q.input);
    for (int trial = 0; trial < 4; trial++) {
        for (size_t i = 0; i < q.n_in; i++)
            q.input[i] = (double)(float)(trial == 0 ? 1.003 : mpno_rng_normal(&rng));
        check_operations(ctx, &q, "wide products", (uint64_t)trial, least);
    }
    quad_case_drop(&q);
}

/* Every operation makes of the differences that its operands really have no larger one than it is
 * asked for, in low precision against exact arithmetic and between two inputs. Here a wrong
 * constant is seen. */
static void operations_pass_on_what_they_say(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    double *least = malloc((size_t)(mpno_op_count() + 1) * sizeof *least);
    assert_non_null(least);
    for (int i = 0; i <= mpno_op_count(); i++) least[i] = INFINITY;
    for (uint64_t seed = 5000; seed < 5300; seed++) {
        quad_case q;
        quad_case_draw(ctx, seed, MPNO_F32, &q);
        if (seed % 4 == 3) shrink(q.model, exp2(-9));
        check_operations(ctx, &q, quad_case_text(&q, seed), seed, least);
        quad_case_drop(&q);
    }
    wide_products(ctx, least);
    print_message("two linear maps: least bound over difference %.3g\n", least[mpno_op_count()]);
    assert_true(least[mpno_op_count()] < 2);
    for (int i = 0; i < mpno_op_count(); i++) {
        if (!(least[i] < INFINITY)) continue;
        print_message("%s: least bound over difference %.3g\n", mpno_op_get(i)->name, least[i]);
        assert_true(least[i] < 6); /* else the bound is not put to the test */
    }
    free(least);
    drop_ctx(ctx);
}

/* ---- hearts of blocks ---- */

/* A model whose block does nothing but hand on what it is given: the error that is made before it
 * comes out as it went in, and the bound of it is near. */
static void hearts_hand_errors_on(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    quad_case q = {.config = small_config(2), .policy = "full", .half = MPNO_F16};
    mpno_rng rng = mpno_rng_make(2, MPNO_STREAM_TEST, 6);
    q.config.fno_skip = MPNO_SKIP_IDENTITY;
    q.opts.grid[0] = 6, q.opts.grid[1] = 7;
    q.n_in = q.n_out = 2 * 6 * 7;
    q.model = make_model(ctx, &q.config, MPNO_F32);
    for (int p = 0; p < mpno_model_n_params(q.model); p++) {
        mpno_param *param = &q.model->params[p];
        const bool weight = strstr(param->name, "lifting.fcs.1.weight") != NULL;
        if (strstr(param->name, "lifting.fcs.1.bias") != NULL)
            for (size_t i = 0; i < mpno_weight_count(&param->weight); i++)
                ((float *)param->data)[i] = 1.12f; /* nearly half way to the next number */
        if (strstr(param->name, "convs") != NULL || weight)
            memset(param->data, 0, mpno_weight_count(&param->weight) * sizeof(float));
    }
    mpno_model *wide = copy_model(ctx, q.model, MPNO_F64);
    mpno_network_opts opts = make_opts(2, q.opts.grid, 1, false, "full", MPNO_F16);
    opts.unfused = true;
    mpno_network *exact = make_network(ctx, wide, &opts);
    opts.storage.exceptions = "lifting/activation=f8e5m2";
    opts.storage.scaling = MPNO_SCALING_NONE;
    mpno_network *low = make_network(ctx, q.model, &opts);
    double x[84], y[84], least = INFINITY;
    for (size_t i = 0; i < q.n_in; i++)
        x[i] = (double)(float)fmax(-1, fmin(1, mpno_rng_normal(&rng)));
    seen a = start(low), b = start(exact);
    assert_true(run_seen(&q, low, MPNO_F32, x, y, &a) && run_seen(&q, exact, MPNO_F64, x, y, &b));
    const mpno_set_opts ball = {.ball = MPNO_BALL_SUP, .radius = 1};
    mpno_set_certificate c = certify(ctx, q.model, low, &ball);
    for (int i = 0; i < c.n_lines; i++) {
        const mpno_set_line *l = &c.lines[i];
        if (strcmp(l->layer, "block 0") != 0 || strcmp(l->name, "sum") != 0) continue;
        const double off = norm_of(mpno_network_graph(low), l->edge, a.data[l->edge],
                                   b.data[l->edge]);
        assert_true(off <= l->error);
        least = fmin(least, l->error / off);
    }
    print_message("bound over error behind a block that does nothing: %.3g\n", least);
    assert_true(least < 2);
    mpno_set_clear(&c);
    stop(&a), stop(&b);
    mpno_network_destroy(&low);
    mpno_network_destroy(&exact);
    mpno_model_destroy(&wide);
    mpno_model_destroy(&q.model);
    drop_ctx(ctx);
}

/* ---- budgets ---- */

static mpno_fno_config tiny_config(mpno_stabilizer stabilizer) {
    mpno_fno_config c = small_config(2);
    c.hidden_channels = 16; /* products in bf16 where the machine has them */
    c.stabilizer = stabilizer;
    return c;
}

/* Matrices beyond the budget are scaled down to it. */
static void scale_to(mpno_ctx *ctx, mpno_model *model, double budget) {
    for (int p = 0; p < mpno_model_n_params(model); p++) {
        const mpno_matrices m = mpno_param_matrices(model, p);
        float *values = model->params[p].data;
        double norm;
        if (m.rows == 1) continue;
        assert_int_equal(mpno_spectral_norms(ctx, &m, 6, NULL, &norm), MPNO_OK);
        for (int64_t i = 0; norm > budget && i < m.blocks * m.rows * m.cols * (m.is_complex ? 2 : 1);
             i++)
            values[i] *= (float)(budget / norm);
    }
}

typedef struct setting {
    const char *policy;
    mpno_format half;
    mpno_stabilizer stabilizer;
} setting;
static const setting settings[] = {{"mixed", MPNO_F16, MPNO_STABILIZER_TANH},
                                   {"mixed", MPNO_BF16, MPNO_STABILIZER_TANH},
                                   {"half", MPNO_F16, MPNO_STABILIZER_NONE},
                                   {"amp", MPNO_BF16, MPNO_STABILIZER_NONE},
                                   {"fft32", MPNO_F16, MPNO_STABILIZER_NONE}};

typedef struct pair {
    mpno_ctx *ctx;
    mpno_model *model, *wide;
    mpno_network *low, *exact;
    int64_t points;
} pair;

static pair make_pair(mpno_ctx *ctx, const setting *s, double budget) {
    static const int64_t grid[] = {8, 12};
    const mpno_fno_config config = tiny_config(s->stabilizer);
    pair p = {.ctx = ctx, .model = make_model(ctx, &config, MPNO_F32), .points = 96};
    if (budget > 0) scale_to(ctx, p.model, budget);
    p.wide = copy_model(ctx, p.model, MPNO_F64);
    const mpno_network_opts low = make_opts(2, grid, 1, false, s->policy, s->half),
                            exact = make_opts(2, grid, 1, false, "full", MPNO_F16);
    p.low = make_network(ctx, p.model, &low);
    p.exact = make_network(ctx, p.wide, &exact);
    return p;
}

static void drop_pair(pair *p) {
    mpno_network_destroy(&p->low);
    mpno_network_destroy(&p->exact);
    mpno_model_destroy(&p->model);
    mpno_model_destroy(&p->wide);
}

/* x and answer [points][2] */
static double error_at(const pair *p, const double *x, double *answer) {
    const size_t n = 2 * (size_t)p->points;
    float *x32 = malloc(n * sizeof *x32), *y32 = malloc(n * sizeof *y32);
    double sum = 0;
    assert_true(x32 != NULL && y32 != NULL);
    for (size_t i = 0; i < n; i++) x32[i] = (float)x[i];
    assert_int_equal(mpno_network_forward(p->low, 1, x32, y32), MPNO_OK);
    assert_int_equal(mpno_network_forward(p->exact, 1, x, answer), MPNO_OK);
    for (size_t i = 0; i < n; i++) sum += (y32[i] - answer[i]) * (y32[i] - answer[i]);
    free(x32), free(y32);
    return sqrt(sum / (double)p->points);
}

/* Inputs with numbers of +-radius, turned one by one while the error grows; size: of the last
 * exact answer. */
static double worst_error(const pair *p, double radius, double *size) {
    const size_t n = 2 * (size_t)p->points;
    double *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y), worst = 0;
    mpno_rng rng = mpno_rng_make(3, MPNO_STREAM_TEST, 0);
    assert_true(x != NULL && y != NULL);
    for (size_t i = 0; i < n; i++) x[i] = mpno_rng_uniform(&rng) < 0.5 ? -radius : radius;
    for (int step = 0; step < 300; step++) {
        const size_t i = (size_t)mpno_rng_below(&rng, n);
        const double old = x[i];
        x[i] = step % 2 == 0 ? -old : radius * (double)(float)(2 * mpno_rng_uniform(&rng) - 1);
        x[i] = (double)(float)x[i];
        const double error = error_at(p, x, y);
        if (error > worst)
            worst = error;
        else
            x[i] = old;
    }
    *size = 0;
    for (size_t i = 0; i < n; i++) *size += y[i] * y[i] / (double)p->points;
    *size = sqrt(*size);
    free(x), free(y);
    return worst;
}

/* Two inputs near each other: how far their exact answers are apart. */
static void check_slope(const pair *p, double slope) {
    const size_t n = 2 * (size_t)p->points;
    double *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y), *z = malloc(n * sizeof *z);
    mpno_rng rng = mpno_rng_make(4, MPNO_STREAM_TEST, 0);
    assert_true(x != NULL && y != NULL && z != NULL);
    for (int trial = 0; trial < 20; trial++) {
        double moved = 0, apart = 0;
        for (size_t i = 0; i < n; i++) x[i] = mpno_rng_normal(&rng);
        assert_int_equal(mpno_network_forward(p->exact, 1, x, y), MPNO_OK);
        for (size_t i = 0; i < n; i++) {
            const double step = trial % 2 == 0 ? 0.01 : 0.01 * mpno_rng_normal(&rng);
            x[i] += step, moved += step * step;
        }
        assert_int_equal(mpno_network_forward(p->exact, 1, x, z), MPNO_OK);
        for (size_t i = 0; i < n; i++) apart += (z[i] - y[i]) * (z[i] - y[i]);
        assert_true(sqrt(apart) <= slope * sqrt(moved));
    }
    free(x), free(y), free(z);
}

/* What a budget of norms is for: with one the bound says something, without it does not, and no
 * search finds an input for which it is wrong. */
static void a_budget_closes_and_ordinary_weights_do_not(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        mpno_set_opts ball = {.ball = MPNO_BALL_SUP, .radius = 1};
        for (int budgeted = 0; budgeted < 2; budgeted++) {
            pair p = make_pair(ctx, &settings[i], budgeted ? 0.5 : 0);
            const double worst = worst_error(&p, ball.radius, &ball.size);
            mpno_set_certificate c = certify(ctx, p.model, p.low, &ball);
            char text[400];
            print_message("%s %s: %s; found %.3g\n", settings[i].policy,
                          budgeted ? "budget" : "none", mpno_set_text(&c, text, sizeof text),
                          worst);
            assert_true(worst <= c.error && c.error < INFINITY);
            assert_true(c.vacuous != budgeted);
            check_slope(&p, c.slope);
            mpno_set_clear(&c);
            drop_pair(&p);
        }
    }
    drop_ctx(ctx);
}

/* ---- what it says ---- */

static double real_at(const mpno_value *map, const char *key) {
    const mpno_value *v = mpno_value_get(map, key);
    assert_non_null(v);
    assert_int_equal(v->kind, MPNO_VALUE_REAL);
    return v->real;
}

static void certificates_are_told(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    pair p = make_pair(ctx, &settings[0], 0.5);
    const mpno_set_opts ball = {.ball = MPNO_BALL_L2, .radius = 2, .size = 1};
    mpno_set_certificate c = certify(ctx, p.model, p.low, &ball), other;
    mpno_value *value;
    char text[400];
    assert_int_equal(mpno_set_value(&c, &value), MPNO_OK);
    assert_string_equal(mpno_value_get(value, "verdict")->string, "VERIFIED");
    assert_string_equal(mpno_value_get(value, "ball")->string, "l2");
    assert_true(real_at(value, "error") == c.error && real_at(value, "lipschitz") == c.slope);
    assert_int_equal(mpno_value_get(value, "layers")->n, c.n_layers);
    assert_int_equal(c.n_layers, 4);
    assert_true(c.layers[3].error == c.error && c.layers[0].error < c.layers[1].error);
    mpno_value_destroy(ctx, &value);
    /* the same bits with other threads; a larger ball has a larger bound */
    ctx->n_threads = 3;
    other = certify(ctx, p.model, p.low, &ball);
    assert_true(other.error == c.error && other.slope == c.slope && other.norm == c.norm);
    mpno_set_clear(&other);
    const mpno_set_opts larger = {.ball = MPNO_BALL_L2, .radius = 4, .size = 1};
    other = certify(ctx, p.model, p.low, &larger);
    assert_true(other.error > c.error && other.slope == c.slope);
    mpno_set_clear(&other);
    mpno_set_clear(&c);
    /* out of the range of f16 nothing is said */
    const mpno_set_opts far = {.ball = MPNO_BALL_SUP, .radius = 1e7};
    c = certify(ctx, p.model, p.low, &far);
    assert_true(c.vacuous && c.error == INFINITY);
    assert_non_null(strstr(mpno_set_text(&c, text, sizeof text), "lifting, lifted: may leave"));
    assert_int_equal(mpno_set_value(&c, &value), MPNO_OK);
    assert_true(real_at(value, "error") == INFINITY); /* null in a text */
    mpno_value_destroy(ctx, &value);
    mpno_set_clear(&c);
    drop_pair(&p);
    drop_ctx(ctx);
}

static void what_cannot_be_asked_is_refused(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    pair p = make_pair(ctx, &settings[0], 0.5);
    static const int64_t grid[] = {8, 12};
    mpno_set_opts ball = {.ball = MPNO_BALL_SUP, .radius = 0};
    mpno_set_certificate c;
    assert_int_equal(mpno_set_certify(p.model, p.low, &ball, &c), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(ctx), "radius"));
    const mpno_network_opts opts = make_opts(2, grid, 1, true, "mixed", MPNO_F16);
    mpno_network *training = make_network(ctx, p.model, &opts);
    ball.radius = 1;
    assert_int_equal(mpno_set_certify(p.model, training, &ball, &c), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(ctx), "inference"));
    mpno_network_destroy(&training);
    drop_pair(&p);
    drop_ctx(ctx);
}

/* Wherever memory ends, nothing is left behind. */
static void memory_may_end_anywhere(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    pair p = make_pair(ctx, &settings[0], 0.5);
    const mpno_set_opts ball = {.ball = MPNO_BALL_SUP, .radius = 1};
    const size_t before = mpno_ctx_bytes(ctx);
    mpno_status status = MPNO_E_MEMORY;
    for (int n = 0; status != MPNO_OK; n++) {
        mpno_set_certificate c;
        mpno_alloc_fail_after(ctx, n);
        status = mpno_set_certify(p.model, p.low, &ball, &c);
        mpno_alloc_fail_after(ctx, -1);
        assert_true(status == MPNO_OK ? n > 50 : status == MPNO_E_MEMORY);
        mpno_set_clear(&c);
        assert_true(mpno_ctx_bytes(ctx) == before);
    }
    drop_pair(&p);
    drop_ctx(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_tensor_is_farther_than_its_bound),
        cmocka_unit_test(operations_pass_on_what_they_say),
        cmocka_unit_test(hearts_hand_errors_on),
        cmocka_unit_test(a_budget_closes_and_ordinary_weights_do_not),
        cmocka_unit_test(certificates_are_told),
        cmocka_unit_test(what_cannot_be_asked_is_refused),
        cmocka_unit_test(memory_may_end_anywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
