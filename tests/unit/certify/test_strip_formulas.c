/* SPDX-License-Identifier: MIT
 * Every rule and step of the strip bound is the formula of its statement in
 * docs/theory/discretisation.md, which stands here once more: on random operands, so that every
 * term counts, to less than what the enlargement of 1e-9 makes. That fields and errors keep to them
 * is what test_strip looks for; a term for which no network is bad enough is seen here. */
#include "unit/data/support.h"

#include <complex.h>
#include <math.h>

#include "certify/strip.h"
#include "certify/strip/scalars.h"
#include "certify/strip/walk.h"
#include "model/network.h"
#include "unit/model/support.h"

static const double PI = 3.14159265358979323846, MORE = 1 + 1e-9;
static mpno_rng rng;

#define assert_near(a, b)                                                         \
    do {                                                                          \
        const double a_ = (a), b_ = (b);                                          \
        if (!(a_ == b_ || (isfinite(b_) && fabs(a_ - b_) <= 1e-11 * fabs(b_))))   \
            fail_msg("line %d: %s is %.15g, %s %.15g", __LINE__, #a, a_, #b, b_); \
    } while (0)

static double *numbers(int64_t n) {
    double *x = calloc((size_t)n, sizeof *x);
    assert_non_null(x);
    return x;
}

static double length(const double *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

/* -------- D9: functions of one value -------- */

static long double phi(long double x) {
    return expl(-x * x / 2) / sqrtl(2 * acosl(-1));
}

static long double below(long double x) {
    return erfcl(-x / sqrtl(2)) / 2;
}

static long double slope(long double s) {
    const long double c = (2 + s * s) * expl(s * s / 2) - 1, u = sqrtl(1 + 1 / c);
    return below(u) + u * phi(u) * c;
}

static long double grown(long double s) {
    return expl(s * s / 2);
}

/* Eight panels of trapezoids. */
static long double mean(long double (*f)(long double), long double v) {
    long double sum = 0;
    for (int i = 0; i < 8; i++) sum += f(v * i / 8) + f(v * (i + 1) / 8);
    return sum / 16;
}

static void functions_of_one_value(void **state) {
    (void)state;
    for (int i = 1; i < 100; i++) {
        const double v = i / 64.0, wide = v * (1 + 1e-6), a = i % 2 == 0 ? 0.7 : -1.3;
        const long double e = v * mean(grown, v);
        const mpno_plane_bound g = mpno_plane_gelu(v);
        assert_near(g.bend, MORE * (double)mean(slope, v));
        assert_near(g.grow, MORE * (double)(below(1 / e) + e * phi(1 / e)));
        assert_true(isinf(g.most) && g.zero == 0);
        const mpno_plane_bound t = mpno_plane_tanh(v), s = mpno_plane_sigmoid(2 * v),
                               l = mpno_plane_learned_tanh(a, v * fabs(a) / MORE);
        assert_near(t.bend, MORE * tan(wide) / wide);
        assert_near(t.grow, MORE / (cos(wide) * cos(wide)));
        assert_near(t.most, MORE * fmax(1, tan(wide)));
        assert_near(s.bend, t.bend / 4);
        assert_near(s.grow, t.grow / 4);
        assert_near(s.most, MORE * (1 + t.most) / 2);
        assert_true(t.zero == 0 && s.zero == 0.5 && l.zero == 0);
        assert_near(l.bend, t.bend);
        assert_near(l.grow, t.grow);
        assert_near(l.most, MORE * fabs(a) * t.most);
        if (v >= 0.99) continue;
        const mpno_plane_bound h = mpno_plane_arcsinh(v);
        assert_near(h.bend, MORE * asin(wide) / wide);
        assert_near(h.grow, MORE / sqrt(1 - wide * wide));
        assert_true(isinf(h.most) && h.zero == 0);
    }
    assert_near(mpno_plane_gelu(0).grow, MORE);
    assert_near(mpno_plane_tanh(0).bend, MORE);
    assert_near(mpno_plane_tanh(1e-10).bend, MORE);
    assert_near(mpno_plane_arcsinh(1e-10).bend, MORE);
    /* as near to a pole as rounding may bring v, and no farther */
    assert_true(isinf(mpno_plane_tanh(PI / 2 - 2e-6).bend) && isinf(mpno_plane_tanh(1.58).most));
    assert_true(isfinite(mpno_plane_tanh(PI / 2 - 4e-6).bend));
    assert_true(isinf(mpno_plane_arcsinh(1 - 1.5e-6).grow));
    assert_true(isfinite(mpno_plane_arcsinh(1 - 3e-6).grow));
    const double bend = mpno_plane_tanh(0.5).bend, learned = mpno_plane_learned_tanh(1, 0.5).bend;
    assert_true(learned > bend && learned < bend * (1 + 1e-9)); /* v / a is rounded upwards */
}

/* -------- D7, D10 and D12: sums over waves -------- */

/* Of one axis, all k + n m but k. */
static double others(double n, double k, double rate) {
    return (exp(rate * (k - n)) + exp(-rate * (k + n))) / -expm1(-rate * n);
}

static double alias(int ndim, const int64_t *size, const int64_t *k, double rate) {
    double own = 1, all = 1, sum = 0;
    for (int d = 0; d < ndim; d++) {
        const double a = fabs((double)k[d]), o = others((double)size[d], a, rate);
        sum = sum * (exp(-rate * a) + o) + own * o;
        own *= exp(-rate * a), all *= exp(-rate * a) + o;
    }
    if (sum > 1e-3 * all) assert_near(sum, all - own); /* without cancellation */
    return MORE * sum;
}

static void sums_over_waves(void **state) {
    (void)state;
    mpno_waves *w = malloc(sizeof *w);
    assert_non_null(w);
    for (int ndim = 1; ndim <= 2; ndim++) {
        const int64_t size[2] = {14, 12};
        mpno_waves_make(ndim, size, w);
        const int least = ndim == 1 ? 14 : 12;
        assert_true(w->ndim == ndim && w->n_shells == (ndim == 1 ? 8 : 14));
        /* below the Nyquist frequency, and parts of that */
        assert_true(w->ball[0] == (least - 1) / 2 && w->ball[1] == 3 && w->ball[2] == 1);
        assert_near(w->radius[0], 0.15 / least);
        assert_near(w->radius[MPNO_RADII - 1], 0.6);
        assert_near(w->radius[9] * w->radius[9], w->radius[8] * w->radius[10]);
        for (int j = 0; j < MPNO_RADII; j++) {
            const double rate = 2 * PI * w->radius[j];
            for (int64_t a = -5; a <= 5; a++)
                assert_near(mpno_waves_alias(w, (int64_t[]){a, 5 - a}, w->radius[j]),
                            alias(ndim, size, (int64_t[]){a, 5 - a}, rate));
        }
        for (int b = 0; b < MPNO_BALLS; b++)
            for (int j = 0; j < MPNO_RADII; j++) {
                const int ball = w->ball[b];
                const double thin = 2 * PI * w->radius[j];
                double all = 0, bent = 0;
                for (int k = -ball; k <= ball; k++)
                    for (int l = ndim == 1 ? 0 : -ball; l <= (ndim == 1 ? 0 : ball); l++) {
                        const double s = abs(k) + abs(l);
                        if (s > ball) continue;
                        all += exp(2 * thin * s), bent += sinh(thin * s) * sinh(thin * s);
                    }
                assert_near(w->noise[b][j], MORE * sqrt(all));
                assert_near(w->noise_imag[b][j], MORE * sqrt(bent));
                for (int i = j + 1; i < MPNO_RADII; i++) {
                    /* aliases of the cube around the ball, waves outside of the ball */
                    const double wide = 2 * PI * w->radius[i], apart = wide - thin, x = exp(-apart),
                                 whole = pow((1 + x) / -expm1(-apart), ndim);
                    double sum = 0, inside = 0;
                    for (int k = -ball; k <= ball; k++)
                        for (int l = ndim == 1 ? 0 : -ball; l <= (ndim == 1 ? 0 : ball); l++) {
                            const double s = abs(k) + abs(l);
                            sum += alias(ndim, size, (int64_t[]){k, l}, wide) * exp(thin * s);
                            if (s <= ball) inside += exp(-apart * s);
                        }
                    const double rest = fmax(0, whole - inside) + 1e-11 * whole,
                                 known = MORE * (sum + rest);
                    assert_true(fabs(w->beyond[b][i][j] - known) <=
                                1e-10 * sum + 1e-14 * whole + 1e-11 * rest);
                }
            }
    }
    const int64_t large[1] = {4096};
    mpno_waves_make(1, large, w);
    assert_true(w->ball[0] == 512 && w->ball[1] == 512 && w->ball[2] == 512);
    free(w);
}

static void shells_of_modes(void **state) {
    mpno_ctx *ctx = *state;
    mpno_fft_problem p = {
        .kind = MPNO_FFT_REAL, .arithmetic = MPNO_F64, .ndim = 2, .size = {6, 8}, .keep = {6, 5}};
    mpno_fft *fft;
    mpno_mode_shell shells[30];
    assert_ok(ctx, mpno_fft_create(ctx, &p, &fft));
    mpno_waves_shells(fft, shells);
    for (int m = 0; m < 30; m++) {
        const int a = m / 5 - 3, b = m % 5;
        assert_int_equal(shells[m].shell, abs(a) + b);
        assert_true(shells[m].weight == (b == 0 || b == 4 ? 1 : 2)); /* Nyquist stands for itself */
    }
    double modes[30 * 2 * 3], sums[8 * 5];
    for (int i = 0; i < 180; i++) modes[i] = mpno_rng_normal(&rng);
    mpno_waves_sum(shells, 30, 3, 8, modes, sums);
    for (int s = 0; s < 8; s++) {
        double known[5] = {0};
        for (int m = 0; m < 30; m++) {
            double square = 0;
            if (shells[m].shell != s) continue;
            for (int c = 0; c < 3; c++) {
                const double one = hypot(modes[6 * m + c], modes[6 * m + 3 + c]);
                known[c] += shells[m].weight * one, square += one * one;
            }
            known[3] += shells[m].weight * sqrt(square), known[4] += shells[m].weight * square;
        }
        for (int c = 0; c < 5; c++) assert_near(sums[5 * s + c], MORE * known[c]);
    }
    double by[4], bent[4]; /* the first three channels and their 2-norm */
    mpno_strip_weigh(3, sums, 5, 0.1, by, bent);
    for (int c = 0; c < 4; c++) {
        double known = 0, curved = 0;
        for (int s = 0; s <= 5; s++)
            known += sums[5 * s + c] * exp(0.2 * PI * s),
                curved += sums[5 * s + c] * sinh(0.2 * PI * s);
        assert_near(by[c], known);
        assert_near(bent[c], curved);
    }
    mpno_fft_destroy(ctx, &fft);
}

/* -------- a walk -------- */

static mpno_fno_config config_of(int kind) {
    static const mpno_stabilizer stabilizers[] = {
        MPNO_STABILIZER_NONE,    MPNO_STABILIZER_TANH,  MPNO_STABILIZER_LEARNED_TANH,
        MPNO_STABILIZER_ARCSINH, MPNO_STABILIZER_SCALE, MPNO_STABILIZER_SIGMOID};
    mpno_fno_config c = small_config(1 + kind % 2);
    c.positional_embedding = MPNO_EMBEDDING_NONE;
    c.hidden_channels = 3;
    c.stabilizer = stabilizers[kind % 6];
    c.stabilizer_scale = 3;
    c.fno_skip = (mpno_skip)(kind % 4);
    c.channel_mlp_skip = (mpno_skip)((kind + 1) % 4);
    return c;
}

/* What mpno_strip_certify makes, of a grid of 8 points an axis. */
static mpno_strip_walk *open_walk(mpno_ctx *ctx, mpno_model *model) {
    const int ndim = model->config.ndim;
    const int64_t grid[2] = {8, 8};
    mpno_strip_walk *w = calloc(1, sizeof *w);
    assert_non_null(w);
    *w = (mpno_strip_walk){.ctx = ctx, .model = model, .stuck = -1};
    mpno_network_opts opts = make_opts(ndim, grid, 1, false, "full", MPNO_F16);
    opts.unfused = opts.accurate = true;
    w->network = make_network(ctx, model, &opts);
    w->graph = mpno_network_graph(w->network), w->edges = mpno_network_edges(w->network);
    mpno_waves_make(ndim, grid, &w->waves);
    assert_ok(ctx, mpno_running_create(w->network, model, &w->running));
    const mpno_set_opts ball = {.ball = MPNO_BALL_SUP, .radius = 3};
    assert_ok(ctx, mpno_set_walk_along(model, w->network, &ball, &w->set));
    mpno_fft_problem p = {
        .kind = MPNO_FFT_REAL, .arithmetic = MPNO_F64, .ndim = ndim, .accurate = true};
    for (int d = 0; d < ndim; d++) p.size[d] = 8, p.keep[d] = d == ndim - 1 ? 5 : 8;
    assert_ok(ctx, mpno_fft_create(ctx, &p, &w->fft));
    int64_t channels = 0;
    for (int e = 0; e < w->graph->n_edges; e++)
        if (w->graph->edges[e].kind == MPNO_EDGE_FIELD && w->graph->edges[e].channels > channels)
            channels = w->graph->edges[e].channels;
    const int64_t modes = mpno_fft_modes(w->fft), n = w->graph->n_edges;
    w->shells = calloc((size_t)modes, sizeof *w->shells);
    mpno_waves_shells(w->fft, w->shells);
    assert_ok(ctx,
              mpno_alloc_array(ctx, (size_t)(modes * 2 * channels), sizeof(double), &w->modes));
    assert_ok(ctx, mpno_alloc(ctx, mpno_fft_scratch_bytes(w->fft, channels, ctx->n_threads),
                              &w->scratch));
    w->sights = calloc((size_t)n, sizeof *w->sights);
    w->states = calloc((size_t)n, sizeof *w->states);
    w->off = numbers(n);
    assert_true(w->shells != NULL && w->sights != NULL && w->states != NULL);
    for (int e = 0; e < n; e++)
        if (w->graph->edges[e].kind == MPNO_EDGE_FIELD)
            w->states[e] = numbers(MPNO_RADII * (2 * w->graph->edges[e].channels + 2));
    for (int i = 0; i < w->graph->n_nodes; i++)
        if (w->graph->nodes[i].op == &mpno_op_fft_forward) {
            mpno_strip_block *b = &w->blocks[w->n_blocks++];
            b->forward = &w->graph->nodes[i];
            for (int r = 0; r < MPNO_RADII; r++) b->gain[r] = 0.01 * (1 + mpno_rng_uniform(&rng));
        }
    return w;
}

static void close_walk(mpno_strip_walk *w) {
    for (int e = 0; e < w->graph->n_edges; e++) {
        free(w->states[e]);
        mpno_free(w->ctx, w->sights[e].shells);
        mpno_free(w->ctx, w->sights[e].sums);
        mpno_free(w->ctx, w->sights[e].noise);
    }
    mpno_free(w->ctx, w->modes);
    mpno_free(w->ctx, w->scratch);
    free(w->shells);
    free(w->sights), free(w->states), free(w->off);
    mpno_fft_destroy(w->ctx, &w->fft);
    mpno_set_close(&w->set);
    mpno_running_destroy(&w->running);
    mpno_network_destroy(&w->network);
    free(w);
}

static const double *weight(const mpno_strip_walk *w, int edge) {
    return edge < 0 ? NULL : mpno_model_raw(w->model, w->graph->edges[edge].param).data;
}

/* -------- D8 to D10: rules -------- */

static mpno_plane_bound function(const mpno_strip_walk *w, const mpno_node *node, double imag) {
    if (node->op == &mpno_op_gelu) return mpno_plane_gelu(imag);
    if (node->op == &mpno_op_tanh) return mpno_plane_tanh(imag);
    if (node->op == &mpno_op_learned_tanh)
        return mpno_plane_learned_tanh(*weight(w, node->in[1]), imag);
    return node->attr.squash == MPNO_SQUASH_SIGMOID ? mpno_plane_sigmoid(imag)
                                                    : mpno_plane_arcsinh(imag);
}

/* y: as mpno_strip_at has it, room for the result. */
static void rule_again(const mpno_strip_walk *w, const mpno_node *node, int r,
                       mpno_strip_field *y) {
    const mpno_op *op = node->op;
    if (op == &mpno_op_fft_inverse) {
        const mpno_strip_sight *s = &w->sights[node->in[0]];
        const int64_t n = y->channels + 1;
        const double *by = s->sums + r * 2 * n, off = w->off[node->in[0]] + s->off;
        for (int64_t c = 0; c < n; c++) y->size[c] = by[c] + off * s->noise[r];
        for (int64_t c = 0; c < n; c++) y->imag[c] = by[n + c] + off * s->noise[MPNO_RADII + r];
        return;
    }
    const mpno_strip_field x = mpno_strip_at(w, node->in[0], r);
    double bend = 0, grow = 0, zero = 0, most = 0, square = 0;
    for (int64_t o = 0; o < y->channels; o++) {
        double size = x.size[o < x.channels ? o : 0], imag = x.imag[o < x.channels ? o : 0];
        if (op == &mpno_op_linear) {
            const double *row = weight(w, node->in[1]) + o * x.channels,
                         *b = node->n_in > 2 ? weight(w, node->in[2]) : NULL,
                         whole = MORE * length(row, x.channels);
            size = imag = 0;
            for (int64_t c = 0; c < x.channels; c++)
                size += fabs(row[c]) * x.size[c], imag += fabs(row[c]) * x.imag[c];
            size = whole * *x.all < size ? whole * *x.all : size;
            imag = whole * *x.all_imag < imag ? whole * *x.all_imag : imag;
            if (b != NULL) size += fabs(b[o]), square += b[o] * b[o];
        } else if (op == &mpno_op_add) {
            size += mpno_strip_at(w, node->in[1], r).size[o];
            imag += mpno_strip_at(w, node->in[1], r).imag[o];
        } else if (op == &mpno_op_bias) {
            const double *b = weight(w, node->in[1]);
            if (b != NULL) size += fabs(b[o]), square += b[o] * b[o];
        } else if (op == &mpno_op_gate) {
            const double g = fabs(weight(w, node->in[1])[o]);
            size *= g, imag *= g, most = g > most ? g : most;
        } else if (op == &mpno_op_scale) {
            most = fabs(node->attr.scale), size *= most, imag *= most;
        } else if (op != &mpno_op_stage) {
            const mpno_plane_bound f = function(w, node, imag);
            size = f.zero + f.grow * size < f.most ? f.zero + f.grow * size : f.most;
            imag *= f.bend, zero = f.zero;
            bend = f.bend > bend ? f.bend : bend, grow = f.grow > grow ? f.grow : grow;
        }
        y->size[o] = size, y->imag[o] = imag;
    }
    const bool matrix = op == &mpno_op_linear, factor = op == &mpno_op_gate || op == &mpno_op_scale;
    const bool plain = op == &mpno_op_add || op == &mpno_op_bias || op == &mpno_op_stage;
    const double norm = matrix ? w->set.edges[node->in[1]].norm : factor ? most : grow;
    *y->all = (plain ? 1 : norm) * *x.all + MORE * sqrt(square) + zero * sqrt((double)y->channels);
    *y->all_imag = (plain ? 1 : matrix || factor ? norm : bend) * *x.all_imag;
    if (op != &mpno_op_add) return;
    *y->all += *mpno_strip_at(w, node->in[1], r).all;
    *y->all_imag += *mpno_strip_at(w, node->in[1], r).all_imag;
}

static void draw_state(mpno_strip_field f) {
    for (int64_t c = 0; c < f.channels; c++)
        f.size[c] = 2 * mpno_rng_uniform(&rng), f.imag[c] = 0.3 * mpno_rng_uniform(&rng);
    *f.all = length(f.size, f.channels) * (0.7 + 0.3 * mpno_rng_uniform(&rng));
    *f.all_imag = length(f.imag, f.channels) * (0.7 + 0.3 * mpno_rng_uniform(&rng));
}

static void rules(void **state) {
    mpno_ctx *ctx = *state;
    int met[16] = {0};
    static const mpno_op *const ops[] = {
        &mpno_op_stage,        &mpno_op_linear, &mpno_op_add,        &mpno_op_bias,
        &mpno_op_gate,         &mpno_op_scale,  &mpno_op_gelu,       &mpno_op_tanh,
        &mpno_op_learned_tanh, &mpno_op_squash, &mpno_op_fft_inverse};
    const int n_ops = (int)(sizeof ops / sizeof *ops);
    for (int kind = 0; kind < 12; kind++) {
        const mpno_fno_config c = config_of(kind);
        mpno_model *model = make_model(ctx, &c, MPNO_F64);
        mpno_strip_walk *w = open_walk(ctx, model);
        double *x = numbers(64 * 2), *y = numbers(64 * 2), known[64];
        for (int i = 0; i < 128; i++) x[i] = mpno_rng_normal(&rng);
        for (int p = 0; p < mpno_model_n_params(model); p++) { /* biases that count */
            const mpno_param_info info = mpno_model_param_info(model, p);
            double *values = numbers((int64_t)info.count);
            mpno_model_get_param(model, p, values);
            for (size_t i = 0; i < info.count; i++) values[i] += 0.2 * mpno_rng_normal(&rng);
            mpno_model_set_param(model, p, values);
            free(values);
        }
        assert_ok(ctx, mpno_strip_look(w, x, y));
        for (int e = 0; e < w->graph->n_edges; e++) w->off[e] = mpno_rng_uniform(&rng);
        for (int n = 0; n < w->graph->n_nodes; n++) {
            const mpno_node *node = &w->graph->nodes[n];
            mpno_strip_rule *rule = mpno_strip_rule_of(node->op);
            if (rule == NULL) continue;
            for (int i = 0; i < n_ops; i++) met[i] += ops[i] == node->op;
            for (int r = 0; r < MPNO_RADII; r++) {
                mpno_strip_field f = mpno_strip_at(w, node->out[0], r);
                for (int i = 0; i < node->n_in; i++)
                    if (node->in[i] >= 0 && w->states[node->in[i]] != NULL)
                        draw_state(mpno_strip_at(w, node->in[i], r));
                rule(w, node, r);
                mpno_strip_field again = {known, known + f.channels + 1, known + f.channels,
                                          known + 2 * f.channels + 1, f.channels};
                rule_again(w, node, r, &again);
                for (int64_t i = 0; i < 2 * f.channels + 2; i++) assert_near(f.size[i], known[i]);
            }
        }
        free(x), free(y);
        close_walk(w);
        mpno_model_destroy(&model);
    }
    for (int i = 0; i < n_ops; i++)
        if (met[i] == 0) fail_msg("no network has a %s", ops[i]->name);
}

/* -------- what a run shows -------- */

typedef struct kept {
    const mpno_graph *graph;
    double *data[256];
} kept;

static void keep(void *user, const mpno_sight *sight) {
    kept *k = user;
    const mpno_edge *e = &k->graph->edges[sight->edge];
    const int64_t n = e->kind == MPNO_EDGE_FIELD ? k->graph->grids[e->grid].points * e->channels
                      : e->kind == MPNO_EDGE_SPECTRUM ? e->modes * 2 * e->channels
                                                      : 0;
    if (n == 0) return;
    free(k->data[sight->edge]);
    k->data[sight->edge] = numbers(n);
    memcpy(k->data[sight->edge], sight->data, (size_t)n * sizeof(double));
}

/* Coefficient k of channel c, added up. */
static double complex coefficient(int ndim, const int64_t *k, const double *x, int64_t channels,
                                  int64_t c) {
    double complex sum = 0;
    const int64_t points = ndim == 1 ? 8 : 64;
    for (int64_t p = 0; p < points; p++) {
        const int64_t turn = ndim == 1 ? k[0] * p : k[0] * (p / 8) + k[1] * (p % 8);
        sum += x[p * channels + c] * cexp(-2 * PI * I * (double)(turn % 8) / 8);
    }
    return sum / (double)points;
}

static void one_field(const mpno_strip_walk *w, int edge, const double *x) {
    const mpno_strip_sight *s = &w->sights[edge];
    const int ndim = w->waves.ndim;
    const int64_t n = w->graph->edges[edge].channels, across = n + 2;
    const mpno_bound *b = mpno_running_edge(w->running, edge);
    double *sums = numbers(w->waves.n_shells * across), *modes = numbers(2 * n), whole = 0;
    for (int64_t m = 0; m < mpno_fft_modes(w->fft); m++) {
        int64_t k[2];
        mpno_waves_frequency(w->fft, m, k);
        for (int64_t c = 0; c < n; c++) {
            const double complex z = coefficient(ndim, k, x, n, c);
            modes[c] = creal(z), modes[n + c] = cimag(z);
        }
        const mpno_mode_shell shell = {0, w->shells[m].weight};
        double one[16];
        mpno_waves_sum(&shell, 1, n, 1, modes, one);
        for (int64_t i = 0; i < across; i++) sums[w->shells[m].shell * across + i] += one[i];
    }
    for (int64_t i = 0; i < w->waves.n_shells * across; i++) whole = fmax(whole, sums[i]);
    for (int64_t i = 0; i < w->waves.n_shells * across; i++)
        assert_true(fabs(s->shells[i] - sums[i]) <= 1e-11 * sums[i] + 1e-13 * whole);
    const double unit = 0x1p-53 * (mpno_fft_growth(w->fft, false) + 2);
    assert_near(s->off, b->error + MORE * (unit / (1 - unit) * b->norm + 1e-290 * sqrt((double)n)));
    for (int k = 0; k < MPNO_BALLS; k++)
        for (int r = 0; r < MPNO_RADII; r++) {
            const double *at = s->sums + (k * MPNO_RADII + r) * 2 * (n + 1);
            for (int64_t c = 0; c <= n; c++) {
                double by = 0, bent = 0;
                for (int j = 0; j <= w->waves.ball[k]; j++) {
                    const double angle = 2 * PI * w->waves.radius[r] * j;
                    by += s->shells[j * across + c] * exp(angle);
                    bent += s->shells[j * across + c] * sinh(angle);
                }
                assert_near(at[c], MORE * by);
                assert_near(at[n + 1 + c], MORE * bent);
            }
        }
    free(sums), free(modes);
}

static void one_spectrum(const mpno_strip_walk *w, const mpno_node *inverse, const double *z) {
    const mpno_strip_sight *s = &w->sights[inverse->in[0]];
    const int64_t n = w->graph->edges[inverse->in[0]].channels,
                  modes = mpno_fft_modes(inverse->attr.fft);
    assert_near(s->off, mpno_running_edge(w->running, inverse->in[0])->error);
    for (int r = 0; r < MPNO_RADII; r++) {
        double *known = numbers(2 * (n + 1)), all = 0, imag = 0;
        for (int64_t m = 0; m < modes; m++) {
            int64_t k[2];
            mpno_waves_frequency(inverse->attr.fft, m, k);
            const int64_t last = k[w->waves.ndim - 1],
                          shell = w->waves.ndim == 1 ? llabs(k[0]) : llabs(k[0]) + last;
            const double angle = 2 * PI * w->waves.radius[r] * (double)shell,
                         weighs = last > 0 ? 2 : 1;
            double square = 0;
            all += weighs * exp(2 * angle), imag += weighs * sinh(angle) * sinh(angle);
            for (int64_t c = 0; c <= n; c++) {
                const double one =
                    c == n ? sqrt(square) : hypot(z[m * 2 * n + c], z[m * 2 * n + n + c]);
                square += one * one;
                known[c] += weighs * one * exp(angle),
                    known[n + 1 + c] += weighs * one * sinh(angle);
            }
        }
        for (int64_t c = 0; c < 2 * (n + 1); c++)
            assert_near(s->sums[r * 2 * (n + 1) + c], MORE * MORE * known[c]);
        assert_near(s->noise[r], MORE * sqrt(all));
        assert_near(s->noise[MPNO_RADII + r], MORE * sqrt(imag));
        free(known);
    }
}

static void what_a_run_shows(void **state) {
    mpno_ctx *ctx = *state;
    for (int kind = 0; kind < 2; kind++) {
        const mpno_fno_config c = config_of(kind);
        mpno_model *model = make_model(ctx, &c, MPNO_F64);
        mpno_strip_walk *w = open_walk(ctx, model);
        double *x = numbers(64 * 2), *y = numbers(64 * 2);
        for (int i = 0; i < 128; i++) x[i] = mpno_rng_normal(&rng);
        kept all = {.graph = w->graph};
        const mpno_observer observer = {keep, &all};
        mpno_network_observe(w->network, &observer);
        assert_ok(ctx, mpno_network_forward(w->network, 1, x, y));
        mpno_network_observe(w->network, NULL);
        assert_ok(ctx, mpno_strip_look(w, x, y));
        one_field(w, w->edges->input, x);
        for (int e = 0; e < w->graph->n_edges; e++)
            if (all.data[e] != NULL && w->graph->edges[e].kind == MPNO_EDGE_FIELD)
                one_field(w, e, all.data[e]);
        for (int n = 0; n < w->graph->n_nodes; n++)
            if (w->graph->nodes[n].op == &mpno_op_fft_inverse)
                one_spectrum(w, &w->graph->nodes[n], all.data[w->graph->nodes[n].in[0]]);
        for (int e = 0; e < 256; e++) free(all.data[e]);
        free(x), free(y);
        close_walk(w);
        mpno_model_destroy(&model);
    }
}

/* -------- D7, D12, D13: the walk -------- */

static void tidy_again(const mpno_strip_field *f) {
    bool finite = true;
    for (int64_t i = 0; i < 2 * f->channels + 2; i++) {
        f->size[i] *= MORE;
        finite = finite && isfinite(f->size[i]);
    }
    for (int64_t i = 0; !finite && i < 2 * f->channels + 2; i++) f->size[i] = INFINITY;
    if (!finite) return;
    for (int64_t c = 0; c < f->channels; c++) {
        if (*f->all < f->size[c]) f->size[c] = *f->all;
        if (f->size[c] < f->imag[c]) f->imag[c] = f->size[c];
        if (*f->all_imag < f->imag[c]) f->imag[c] = *f->all_imag;
    }
    const double size = MORE * length(f->size, f->channels),
                 imag = MORE * length(f->imag, f->channels);
    if (size < *f->all) *f->all = size;
    if (*f->all < *f->all_imag) *f->all_imag = *f->all;
    if (imag < *f->all_imag) *f->all_imag = imag;
}

/* The least over balls and wider strips. all: [MPNO_RADII][2 channels + 2] */
static void anchor_again(const mpno_strip_walk *w, int edge, double *all) {
    const mpno_strip_sight *s = &w->sights[edge];
    const int64_t n = w->graph->edges[edge].channels, one = 2 * n + 2;
    const double off = s->off + w->off[edge];
    for (int b = 0; b < MPNO_BALLS; b++)
        for (int r = 0; r + 1 < MPNO_RADII; r++) {
            double beyond = INFINITY;
            for (int i = r + 1; i < MPNO_RADII; i++)
                if (all[i * one + n] < INFINITY)
                    beyond = fmin(beyond, all[i * one + n] * w->waves.beyond[b][i][r]);
            if (!(off < INFINITY && beyond < INFINITY)) continue;
            const double *by = s->sums + (b * MPNO_RADII + r) * one;
            for (int64_t c = 0; c < one; c++) {
                const double added = c <= n ? off * w->waves.noise[b][r] + beyond
                                            : off * w->waves.noise_imag[b][r] + beyond / 2;
                all[r * one + c] = fmin(all[r * one + c], MORE * (by[c] + MORE * added));
            }
        }
}

/* Of the node's result, from the walk's states of its operands. */
static void strip_again(mpno_strip_walk *w, const mpno_node *node) {
    const int edge = node->out[0];
    const int64_t n = w->graph->edges[edge].channels, one = 2 * n + 2;
    double *walked = w->states[edge], *all = numbers(MPNO_RADII * one);
    w->states[edge] = all;
    for (int r = 0; r < MPNO_RADII; r++) {
        const mpno_strip_field f = mpno_strip_at(w, edge, r);
        bool lost = false;
        for (int i = 0; i < node->n_in; i++)
            if (node->in[i] >= 0 && w->states[node->in[i]] != NULL)
                lost = lost || isinf(*mpno_strip_at(w, node->in[i], r).all);
        for (int64_t i = 0; i < one; i++) f.size[i] = INFINITY;
        if (lost) continue;
        mpno_strip_rule_of(node->op)(w, node, r);
        tidy_again(&f);
    }
    anchor_again(w, edge, all);
    for (int r = 0; r < MPNO_RADII; r++) {
        const mpno_strip_field f = mpno_strip_at(w, edge, r);
        if (*f.all < INFINITY) tidy_again(&f);
    }
    w->states[edge] = walked;
    for (int64_t i = 0; i < MPNO_RADII * one; i++) {
        assert_near(walked[i], all[i]);
        if (i >= one) assert_true(walked[i - one] <= walked[i] * (1 + 1e-12)); /* wider: no less */
    }
    free(all);
}

static double passed_again(const mpno_strip_walk *w, int n, const double *off) {
    const mpno_saving *s = &w->set.savings[n];
    const double pass = mpno_set_pass(&w->set, &w->graph->nodes[n], off, MPNO_SET_SLOPE);
    const double less = s->edge < 0 ? 0 : s->less * off[s->edge];
    return MORE * pass - (less < INFINITY ? less * (1 - 1e-9) : 0);
}

static void one_walk(mpno_strip_walk *w, int cut, double rest, int *saved, int *strips) {
    const int64_t n = w->graph->edges[w->edges->input].channels;
    double *off = numbers(w->graph->n_edges);
    int closed = 0;
    mpno_strip_walk_along(w, cut, rest);
    for (int r = 0; r < MPNO_RADII; r++) { /* D11 */
        const mpno_strip_field f = mpno_strip_at(w, w->edges->input, r);
        double *known = numbers(2 * n + 2);
        const mpno_strip_field again = {known, known + n + 1, known + n, known + 2 * n + 1, n};
        mpno_strip_weigh(n, w->sights[w->edges->input].shells, cut, w->waves.radius[r], again.size,
                         again.imag);
        tidy_again(&again);
        for (int64_t i = 0; i < 2 * n + 2; i++) assert_near(f.size[i], known[i]);
        free(known);
    }
    off[w->edges->input] = rest;
    for (int i = 0, l = 0; i < w->graph->n_nodes; i++) {
        const mpno_node *node = &w->graph->nodes[i];
        const int edge = node->out[0];
        if (w->graph->edges[edge].kind == MPNO_EDGE_BLOCKS) continue;
        off[edge] = passed_again(w, i, off);
        *saved += w->set.savings[i].edge >= 0 && w->set.savings[i].less > 0;
        if (node->op == &mpno_op_fft_forward) {
            const mpno_strip_block *b = &w->blocks[l++];
            double least = INFINITY;
            for (int r = 0; r < MPNO_RADII; r++)
                least = fmin(least, MORE * *mpno_strip_at(w, node->in[0], r).all * b->gain[r]);
            assert_near(b->delta, least);
            closed += b->radius >= 0;
            assert_int_equal(b->radius < 0 ? b->radius : -1, -1);
            assert_true(isinf(b->delta) == (b->radius < 0));
            if (b->radius >= 0) {
                assert_near(b->delta, MORE * b->size * b->gain[b->radius]);
                assert_true(b->imag == *mpno_strip_at(w, node->in[0], b->radius).all_imag);
            }
            off[edge] += least;
        }
        assert_near(w->off[edge], off[edge]);
        if (w->states[edge] != NULL) strip_again(w, node);
    }
    /* shares: errors are linear in what is added */
    const double all = off[w->edges->output];
    double sum = mpno_strip_share(w, -1, rest);
    for (int l = 0; l < w->n_blocks; l++) sum += mpno_strip_share(w, l, 0);
    assert_near(sum, all);
    *strips += closed;
    if (closed == w->n_blocks && isfinite(all)) assert_int_equal(w->stuck, -1);
    free(off);
}

static void walks(void **state) {
    mpno_ctx *ctx = *state;
    int saved = 0, strips = 0;
    for (int kind = 0; kind < 12; kind++) {
        const mpno_fno_config c = config_of(kind);
        mpno_model *model = make_model(ctx, &c, MPNO_F64);
        mpno_strip_walk *w = open_walk(ctx, model);
        double *x = numbers(64 * 2), *y = numbers(64 * 2);
        for (int i = 0; i < 128; i++) x[i] = (kind == 7 ? 1e3 : 0.02) * mpno_rng_normal(&rng);
        assert_ok(ctx, mpno_strip_look(w, x, y));
        for (int e = 0; e < w->graph->n_edges; e++) /* as large as what it is added to */
            w->sights[e].off += kind % 3 == 0 ? 0 : 1e-3 * mpno_rng_uniform(&rng);
        one_walk(w, w->waves.n_shells - 1, 0.1 * (kind % 2), &saved, &strips);
        one_walk(w, 2, 0.01, &saved, &strips);
        free(x), free(y);
        close_walk(w);
        mpno_model_destroy(&model);
    }
    assert_true(saved > 0 && strips > 12);
}

/* -------- whole certificates -------- */

/* D11: what is above the cut, and what the transform may have lost. */
static double rest_again(mpno_ctx *ctx, int ndim, int64_t n, const double *x, int cut) {
    const int64_t points = ndim == 1 ? n : n * n;
    mpno_fft_problem p = {
        .kind = MPNO_FFT_REAL, .arithmetic = MPNO_F64, .ndim = ndim, .accurate = true};
    for (int d = 0; d < ndim; d++) p.size[d] = n, p.keep[d] = d == ndim - 1 ? n / 2 + 1 : n;
    mpno_fft *fft;
    assert_ok(ctx, mpno_fft_create(ctx, &p, &fft));
    double above = 0;
    for (int64_t m = 0; m < mpno_fft_modes(fft); m++) {
        int64_t k[2];
        mpno_waves_frequency(fft, m, k);
        const int64_t last = k[ndim - 1], shell = ndim == 1 ? last : llabs(k[0]) + last;
        if (shell <= cut) continue;
        for (int c = 0; c < 2; c++) {
            double complex sum = 0;
            for (int64_t i = 0; i < points; i++) {
                const int64_t turn = (ndim == 1 ? 0 : k[0] * (i / n)) + last * (i % n);
                sum += x[2 * i + c] * cexp(-2 * PI * I * (double)(turn % n) / (double)n);
            }
            sum /= (double)points;
            above += (last > 0 && 2 * last != n ? 2 : 1) * creal(sum * conj(sum));
        }
    }
    const double unit = 0x1p-53 * (mpno_fft_growth(fft, false) + 2);
    mpno_fft_destroy(ctx, &fft);
    return MORE * (sqrt(MORE * above) +
                   MORE * unit / (1 - unit) * MORE * length(x, 2 * points) / sqrt((double)points));
}

/* D7's sum over the modes that are kept, D11's rest, and D13's sum of it all. */
static void parts_of_a_certificate(void **state) {
    mpno_ctx *ctx = *state;
    for (int ndim = 1; ndim <= 2; ndim++) {
        mpno_fno_config c = config_of(ndim - 1);
        mpno_model *model = make_model(ctx, &c, MPNO_F64);
        const int64_t n = 16, points = ndim == 1 ? n : n * n, size[2] = {n, n};
        double *x = numbers(2 * points);
        mpno_waves *w = malloc(sizeof *w);
        assert_non_null(w);
        mpno_waves_make(ndim, size, w);
        for (int64_t i = 0; i < 2 * points; i++) { /* two waves, and on two axes noise */
            const double at = 2 * PI * (double)(i / 2 % n) / (double)n;
            x[i] = cos(at) + 0.1 * sin(2 * at) + (ndim == 1 ? 0 : 1e-6 * mpno_rng_normal(&rng));
        }
        const mpno_strip_opts opts = {.grid = {n, n}, .factor = 3};
        mpno_strip s;
        assert_ok(ctx, mpno_strip_certify(model, &opts, x, &s));
        double sum = s.rest_error, *y = numbers(2 * points);
        mpno_network_opts plain = make_opts(ndim, size, 1, false, "full", MPNO_F16);
        mpno_network *network = make_network(ctx, model, &plain);
        assert_ok(ctx, mpno_network_forward(network, 1, x, y));
        assert_near(s.size, 3 * length(y, 2 * points) / sqrt((double)points));
        mpno_network_destroy(&network);
        free(y);
        for (int l = 0; l < s.n_layers; l++) {
            double gain = 0;
            for (int a = -2; a < 2; a++) /* 4 modes are kept of each axis, 3 of the last */
                for (int b = 0; b <= 2; b++) {
                    const int64_t k[2] = {ndim == 1 ? b : a, b};
                    const double one = mpno_waves_alias(w, k, s.layers[l].radius);
                    if (ndim == 2 || a == 0) gain += (b > 0 ? 2 : 1) * one * one;
                }
            assert_near(s.layers[l].alias, MORE * MORE * sqrt(gain) * s.layers[l].size);
            sum += s.layers[l].error;
        }
        assert_near(s.error, MORE * sum);
        const double rest = rest_again(ctx, ndim, n, x, s.cut);
        assert_true(fabs(s.rest / rest - 1) < 1e-10);
        assert_true(ndim == 1 ? s.cut == 8 : s.cut < 16 && s.rest > 1e-7);
        free(w), free(x);
        mpno_model_destroy(&model);
    }
}

static int setup(void **state) {
    rng = mpno_rng_make(31, MPNO_STREAM_TEST, 5);
    *state = make_ctx(1);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_of_one_value),
        cmocka_unit_test(sums_over_waves),
        cmocka_unit_test_setup_teardown(shells_of_modes, setup, end_context),
        cmocka_unit_test_setup_teardown(rules, setup, end_context),
        cmocka_unit_test_setup_teardown(what_a_run_shows, setup, end_context),
        cmocka_unit_test_setup_teardown(walks, setup, end_context),
        cmocka_unit_test_setup_teardown(parts_of_a_certificate, setup, end_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
