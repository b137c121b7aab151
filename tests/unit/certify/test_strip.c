/* SPDX-License-Identifier: MIT
 * Analytic strips: functions of complex numbers against their bounds, sums over waves against sums
 * that are added up, and whole networks against runs on much finer grids: the bound of the answer,
 * that of each block's aliases, and the fields themselves in the complex plane. */
#include "unit/data/support.h"

#include <complex.h>
#include <math.h>

#include "certify/discretisation.h"
#include "certify/strip.h"
#include "certify/strip/scalars.h"
#include "certify/strip/waves.h"
#include "certify/trigonometric.h"
#include "model/network.h"
#include "unit/model/support.h"

static const double PI = 3.14159265358979323846;

static double *numbers(int64_t n) {
    double *x = calloc((size_t)n, sizeof *x);
    assert_non_null(x);
    return x;
}

/* -------- functions of one value -------- */

/* z Phi(z) by Phi(z) = 1/2 + phi(z) (z + z^3 / 3 + z^5 / 15 + ..), good to 1e-12 for |z| < 6. */
static long double complex exact_gelu(long double complex z) {
    long double complex term = z, sum = z;
    for (int n = 1; n < 200; n++) {
        term *= z * z / (2 * n + 1);
        sum += term;
    }
    return z * (0.5L + 0.398942280401432677939946L * cexpl(-0.5L * z * z) * sum);
}

static long double complex exact_tanh(long double complex z) {
    return ctanhl(z);
}

static long double complex exact_sigmoid(long double complex z) {
    return 1 / (1 + cexpl(-z));
}

static long double complex exact_arcsinh(long double complex z) {
    return casinhl(z);
}

static long double complex exact_learned(long double complex z) {
    return -0.7L * ctanhl(z / -0.7L);
}

static mpno_plane_bound learned(double v) {
    return mpno_plane_learned_tanh(-0.7, v);
}

/* D9. `loose`: how many times what is met each of bend, grow and most may be. */
static void functions_stay_within_their_bounds_in_the_plane(void **state) {
    (void)state;
    static const struct {
        mpno_plane_bound (*bound)(double);
        long double complex (*exact)(long double complex);
        double end, loose[3];
    } functions[] = {{mpno_plane_gelu, exact_gelu, 2.5, {1.8, 1.4, INFINITY}},
                     {mpno_plane_tanh, exact_tanh, 1.56, {1.01, 1.6, 1.01}},
                     {mpno_plane_sigmoid, exact_sigmoid, 3.1, {1.01, 3, 1.5}},
                     {mpno_plane_arcsinh, exact_arcsinh, 0.999, {1.01, 1.6, INFINITY}},
                     {learned, exact_learned, 1.09, {1.01, 1.6, 1.01}}};
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        double last = 0;
        for (int i = 1; i <= 30; i++) {
            const double v = functions[f].end * i * i / 900;
            const mpno_plane_bound b = functions[f].bound(v);
            double bend = 0, grow = 0, most = 0;
            for (int s = 1; s <= 4; s++)
                for (int j = -125; j <= 125; j++) {
                    const double y = v * s / 4, x = j / 25.0;
                    const long double complex z = x + I * (long double)y,
                                              value = functions[f].exact(z);
                    bend = fmax(bend, (double)(fabsl(cimagl(value)) / y));
                    grow = fmax(grow, ((double)cabsl(value) - b.zero) / (double)cabsl(z));
                    most = fmax(most, (double)cabsl(value));
                }
            assert_true(bend <= b.bend * (1 + 1e-11) && b.bend <= functions[f].loose[0] * bend);
            assert_true(grow <= b.grow * (1 + 1e-11));
            assert_true(most <= b.most * (1 + 1e-11));
            if (v < functions[f].end / 2) assert_true(b.grow <= functions[f].loose[1] * grow);
            if (b.most < INFINITY) assert_true(b.most <= functions[f].loose[2] * fmax(most, 0.7));
            assert_true(b.bend >= last); /* so that the largest v of a strip counts */
            last = b.bend;
        }
        assert_true(fabsl(cabsl(functions[f].exact(0)) - functions[f].bound(0.1).zero) < 1e-15);
    }
    assert_true(isinf(mpno_plane_tanh(PI / 2).bend) && isinf(mpno_plane_sigmoid(PI).most));
    assert_true(isinf(mpno_plane_arcsinh(1).grow) && isinf(learned(0.7 * PI / 2).most));
    assert_true(fabs(mpno_plane_gelu(0).bend - 1.128904145) < 1e-8); /* the largest slope */
}

/* -------- sums over waves -------- */

/* D7, D12 added up term by term. */
static void sums_over_waves_are_those_of_the_series(void **state) {
    (void)state;
    mpno_waves *w = malloc(sizeof *w);
    assert_non_null(w);
    for (int ndim = 1; ndim <= 2; ndim++) {
        const int64_t size[2] = {8, 12};
        mpno_waves_make(ndim, size, w);
        assert_true(w->n_shells == (ndim == 1 ? 5 : 11) && w->ball[0] == 3);
        for (int r = MPNO_RADII / 2; r < MPNO_RADII; r++)
            for (int64_t a = -3; a <= 3; a++) {
                const int64_t k[2] = {a, 2};
                const double rate = 2 * PI * w->radius[r],
                             known = mpno_waves_alias(w, k, w->radius[r]);
                double sum = 0;
                for (int m = -30; m <= 30; m++)
                    for (int l = ndim == 1 ? 0 : -30; l <= (ndim == 1 ? 0 : 30); l++) {
                        const double there = fabs((double)(a + 8 * m)) +
                                             (ndim == 1 ? 0 : fabs((double)(2 + 12 * l)));
                        if (m != 0 || l != 0) sum += exp(-rate * there);
                    }
                assert_true(sum <= known && known <= sum * (1 + 1e-7));
            }
        for (int b = 0; b < MPNO_BALLS; b++)
            for (int i = MPNO_RADII / 2; i < MPNO_RADII; i++)
                for (int j = 0; j < i; j++) {
                    double beyond = 0, noise = 0, bent = 0;
                    const double wide = 2 * PI * w->radius[i], thin = 2 * PI * w->radius[j];
                    if (i - j < 3) continue; /* series that are long */
                    const int end = ndim == 1 ? 400 : 80;
                    for (int k = -end; k <= end; k++)
                        for (int l = ndim == 1 ? 0 : -end; l <= (ndim == 1 ? 0 : end); l++) {
                            const int shell = abs(k) + abs(l);
                            const int64_t at[2] = {k, l};
                            if (shell > w->ball[b]) {
                                beyond += exp((thin - wide) * shell);
                                continue;
                            }
                            beyond += mpno_waves_alias(w, at, w->radius[i]) * exp(thin * shell);
                            noise += exp(2 * thin * shell);
                            bent += sinh(thin * shell) * sinh(thin * shell);
                        }
                    assert_true(beyond <= w->beyond[b][i][j] * (1 + 1e-8));
                    assert_true(w->beyond[b][i][j] <= 1.5 * beyond + 1e-10);
                    assert_true(fabs(w->noise[b][j] / sqrt(noise) - 1) < 1e-8);
                    assert_true(fabs(w->noise_imag[b][j] - sqrt(bent)) <= 1e-8 * sqrt(bent));
                }
    }
    free(w);
}

/* D7 for exp(cos 2 pi x), which is at most exp(cosh 2 pi r) in the strip: what 8 points make of its
 * coefficients and what they are. */
static void aliases_of_a_known_function(void **state) {
    (void)state;
    mpno_waves *w = malloc(sizeof *w);
    assert_non_null(w);
    const int64_t size[1] = {8};
    mpno_waves_make(1, size, w);
    for (int64_t k = -3; k <= 3; k++) {
        double complex coarse = 0, fine = 0;
        double least = INFINITY;
        for (int j = 0; j < 64; j++) {
            const double complex one =
                exp(cos(2 * PI * j / 64)) * cexp(-2 * PI * I * (double)(k * j) / 64);
            fine += one / 64;
            if (j % 8 == 0) coarse += one / 8;
        }
        for (int r = 0; r < MPNO_RADII; r++)
            least = fmin(least,
                         exp(cosh(2 * PI * w->radius[r])) * mpno_waves_alias(w, &k, w->radius[r]));
        assert_true(cabs(coarse - fine) <= least && least <= 12 * cabs(coarse - fine));
    }
    free(w);
}

/* -------- networks -------- */

static mpno_fno_config periodic_config(int ndim, int layers) {
    mpno_fno_config c = small_config(ndim);
    c.positional_embedding = MPNO_EMBEDDING_NONE;
    c.n_layers = layers;
    for (int d = 0; d < ndim; d++) c.n_modes[d] = 6;
    return c;
}

static void strengthen(mpno_model *model, double factor) {
    for (int p = 0; p < mpno_model_n_params(model); p++) {
        const int64_t n = (int64_t)mpno_model_param_info(model, p).count;
        double *values = numbers(n);
        mpno_model_get_param(model, p, values);
        for (int64_t i = 0; i < n; i++) values[i] *= factor;
        mpno_model_set_param(model, p, values);
        free(values);
    }
}

/* Waves |k_j| <= band that fall off as e^(-fall |k|), of two channels. */
static double *smooth(int ndim, int64_t n, int band, double fall, double size, uint32_t which) {
    const int64_t grid[2] = {n, n};
    double *x = numbers(points_of(ndim, grid) * 2);
    mpno_rng rng = mpno_rng_make(4, MPNO_STREAM_TEST, which);
    for (int c = 0; c < 2; c++)
        for (int a = 0; a <= band; a++)
            for (int b = ndim == 1 ? 0 : -band; b <= (ndim == 1 ? 0 : band); b++) {
                const double high = size * exp(-fall * (a + abs(b))) * mpno_rng_normal(&rng),
                             phase = 2 * PI * mpno_rng_uniform(&rng);
                for (int64_t p = 0; p < points_of(ndim, grid); p++) {
                    const double i = (double)(ndim == 1 ? p : p / n), j = (double)(p % n);
                    x[2 * p + c] +=
                        high * cos(2 * PI * (a * i + (ndim == 1 ? 0 : b * j)) / (double)n + phase);
                }
            }
    return x;
}

/* What an observer keeps: the fields that blocks transform. */
typedef struct kept_fields {
    const mpno_graph *graph;
    double *field[4];
    int64_t channels, points;
} kept_fields;

static void keep_field(void *user, const mpno_sight *sight) {
    kept_fields *k = user;
    for (int n = 0, l = 0; n < k->graph->n_nodes; n++) {
        const mpno_node *node = &k->graph->nodes[n];
        if (node->op != &mpno_op_fft_forward) continue;
        if (node->in[0] == sight->edge) {
            const int64_t values = k->points * k->graph->edges[sight->edge].channels;
            k->channels = k->graph->edges[sight->edge].channels;
            k->field[l] = numbers(values);
            memcpy(k->field[l], sight->data, (size_t)values * sizeof(double));
        }
        l++;
    }
}

/* The answer on `times` as many points to the interpolant of x, at the points of n; fields: on all
 * of those points, NULL: not asked for. */
static double *answer_on(mpno_ctx *ctx, mpno_model *model, int64_t n, int64_t times,
                         const double *x, kept_fields *fields) {
    const int ndim = model->config.ndim;
    const int64_t grid[2] = {n, n}, fine[2] = {times * n, times * n};
    double *there = numbers(points_of(ndim, fine) * 2), *all = numbers(points_of(ndim, fine) * 2),
           *here = numbers(points_of(ndim, grid) * 2);
    assert_ok(ctx, mpno_trigonometric(ctx, ndim, grid, fine, 2, x, there));
    mpno_network_opts opts = make_opts(ndim, fine, 1, false, "full", MPNO_F16);
    opts.unfused = opts.accurate = true;
    mpno_network *network = make_network(ctx, model, &opts);
    const mpno_observer observer = {keep_field, fields};
    if (fields != NULL) {
        fields->graph = mpno_network_graph(network), fields->points = points_of(ndim, fine);
        mpno_network_observe(network, &observer);
    }
    assert_ok(ctx, mpno_network_forward(network, 1, there, all));
    mpno_network_destroy(&network);
    for (int64_t p = 0; p < points_of(ndim, grid); p++) {
        const int64_t place = ndim == 1 ? p * times : p / n * times * times * n + p % n * times;
        here[2 * p] = all[2 * place], here[2 * p + 1] = all[2 * place + 1];
    }
    free(there), free(all);
    return here;
}

static double rms(const double *a, const double *b, int64_t n_points) {
    double sum = 0;
    for (int64_t i = 0; i < 2 * n_points; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum / (double)n_points);
}

static mpno_strip certify(mpno_ctx *ctx, mpno_model *model, int64_t n, const double *x) {
    const mpno_strip_opts opts = {.grid = {n, n}, .factor = 1};
    mpno_strip s;
    assert_ok(ctx, mpno_strip_certify(model, &opts, x, &s));
    return s;
}

/* D13 in random networks of every kind of block that has a strip, where aliases are far above what
 * f64 loses: never below the distance from much finer grids, nor the aliases of any block below
 * those that were measured. */
static void bounds_hold_for_random_networks(void **state) {
    mpno_ctx *ctx = *state;
    static const mpno_stabilizer stabilizers[] = {
        MPNO_STABILIZER_NONE,     MPNO_STABILIZER_TANH,  MPNO_STABILIZER_LEARNED_TANH,
        MPNO_STABILIZER_ARCSINH,  MPNO_STABILIZER_SCALE, MPNO_STABILIZER_SIGMOID,
        MPNO_STABILIZER_PRESCALE, MPNO_STABILIZER_TANH};
    const char *trials = getenv("MPNO_TEST_TRIALS");
    const int runs = 24 * (trials != NULL ? atoi(trials) : 1);
    int closed = 0, seen = 0;
    for (int run = 0; run < runs; run++) {
        const int ndim = 1 + run % 3 / 2, layers = 1 + run % 2 + run % 5 / 4;
        const int64_t n = ndim == 1 ? 16 << run % 2 : 16;
        mpno_fno_config c = periodic_config(ndim, layers);
        c.stabilizer = stabilizers[run % 8];
        c.stabilizer_scale = 3;
        c.stabilizer_blend = run % 8 == 7 ? 0.25 : 0;
        c.fno_skip = (mpno_skip)(run / 2 % 4);
        c.channel_mlp_skip = (mpno_skip)(run / 3 % 4);
        c.use_channel_mlp = run % 7 != 0;
        c.preactivation = run % 6 == 5;
        if (run % 4 == 3) c.factorization = MPNO_FACTORIZATION_TUCKER, c.rank[0] = 0.5;
        if (run % 12 == 7) c.factorization = MPNO_FACTORIZATION_CP;
        if (run % 12 == 7) c.implementation = MPNO_IMPLEMENTATION_RECONSTRUCTED;
        c.separable = run % 16 == 10;
        mpno_model *model;
        assert_ok(ctx, mpno_model_create(ctx, &c, MPNO_F64, (uint64_t)run, &model));
        if (c.stabilizer == MPNO_STABILIZER_NONE) strengthen(model, 1.3);
        double *x = smooth(ndim, n, 3, 0.5 + 0.1 * (run % 11), 1, (uint32_t)run);
        const int64_t grid[2] = {n, n}, points = points_of(ndim, grid);
        const mpno_strip s = certify(ctx, model, n, x);
        double *here = answer_on(ctx, model, n, 1, x, NULL),
               *there = answer_on(ctx, model, n, ndim == 1 ? 16 : 4, x, NULL);
        const double known = rms(here, there, points);
        const mpno_discretiser_opts opts = {.grid = {n, n}};
        mpno_discretiser *d;
        mpno_discretisation e;
        assert_ok(ctx, mpno_discretiser_create(model, &opts, &d));
        assert_ok(ctx, mpno_discretiser_run(d, x, &e));
        mpno_discretiser_destroy(&d);
        assert_true(known <= s.error + 1e-13 * s.size && s.size > 0);
        assert_true(e.strip.error == s.error && s.n_layers == layers);
        for (int l = 0; l < layers; l++) {
            assert_string_equal(s.layers[l].name, e.layers[l].name);
            assert_true(e.layers[l].alias <= s.layers[l].alias + 1e-13 * e.layers[l].norm);
            seen += e.layers[l].alias > 1e-12 * e.layers[l].norm;
        }
        assert_true(s.closes == (s.error < s.size) && s.closes == (s.open[0] == '\0'));
        closed += s.closes;
        free(x), free(here), free(there);
        mpno_model_destroy(&model);
    }
    assert_true(closed >= runs / 2 && seen >= runs / 2); /* else nothing was tried */
}

/* The fields of the continuum network, from 16 times as many points, continued to x + i r by their
 * coefficients: no larger than the bound says, and the bound not much larger than they are. */
static void fields_in_the_plane_are_as_large_as_it_says(void **state) {
    mpno_ctx *ctx = *state;
    const int64_t n = 32, fine = 8 * n;
    int near = 0, all = 0;
    for (int run = 0; run < 6; run++) {
        mpno_fno_config c = periodic_config(1, 3);
        c.stabilizer = run % 2 == 0 ? MPNO_STABILIZER_NONE : MPNO_STABILIZER_TANH;
        mpno_model *model;
        assert_ok(ctx, mpno_model_create(ctx, &c, MPNO_F64, (uint64_t)run, &model));
        strengthen(model, 1.2);
        double *x = smooth(1, n, 3, 1, 1, (uint32_t)run);
        const mpno_strip s = certify(ctx, model, n, x);
        kept_fields kept = {0};
        free(answer_on(ctx, model, n, 8, x, &kept));
        for (int l = 0; l < 3; l++) {
            const int channels = (int)kept.channels;
            double complex *modes = calloc((size_t)(channels * fine), sizeof *modes);
            double size = 0, imag = 0, largest = 0;
            assert_non_null(modes);
            for (int64_t k = 0; k < fine; k++)
                for (int64_t j = 0; j < fine; j++) {
                    const double complex turn =
                        cexp(-2 * PI * I * (double)(k * j % fine) / fine) / (double)fine;
                    for (int i = 0; i < channels; i++)
                        modes[k * channels + i] += kept.field[l][j * channels + i] * turn;
                }
            for (int64_t k = 0; k < fine * channels; k++) largest = fmax(largest, cabs(modes[k]));
            for (int64_t k = 0; k < fine * channels; k++) /* what is rounding would grow too */
                if (cabs(modes[k]) < 1e-13 * largest) modes[k] = 0;
            for (int p = 0; p < 64; p++) {
                double squares = 0, imags = 0;
                for (int i = 0; i < channels; i++) {
                    double complex value = 0;
                    for (int64_t k = -fine / 2 + 1; k < fine / 2; k++)
                        value += modes[(k + fine) % fine * channels + i] *
                                 cexp(2 * PI * (double)k * (I * p / 64.0 - s.layers[l].radius));
                    squares += creal(value * conj(value));
                    imags += cimag(value) * cimag(value);
                }
                size = fmax(size, sqrt(squares)), imag = fmax(imag, sqrt(imags));
            }
            assert_true(s.layers[l].radius > 0 && imag > 0);
            assert_true(size <= s.layers[l].size && imag <= s.layers[l].imag);
            near += s.layers[l].size < 30 * size && s.layers[l].imag < 30 * imag;
            all++;
            free(modes), free(kept.field[l]);
        }
        free(x);
        mpno_model_destroy(&model);
    }
    assert_true(2 * near >= all);
}

/* One wave through a network of one channel in which GELU is the identity and all weights are 1, so
 * that every rule is met with its worst operands: bounds of imaginary parts are above what they are
 * by slopes of GELU alone, four of 1.13, and what a skip is turned from the convolution. */
static void one_wave_meets_the_rules_of_a_block(void **state) {
    mpno_ctx *ctx = *state;
    static const mpno_skip skips[2] = {MPNO_SKIP_NONE, MPNO_SKIP_IDENTITY};
    const int64_t n = 16, fine = 8 * n;
    for (int run = 0; run < 4; run++) {
        mpno_fno_config c = periodic_config(1, 2);
        c.hidden_channels = 1;
        c.channel_mlp_expansion = 1;
        c.fno_skip = skips[run % 2], c.channel_mlp_skip = skips[run / 2];
        mpno_model *model = make_model(ctx, &c, MPNO_F64);
        for (int p = 0; p < mpno_model_n_params(model); p++) {
            const char *name = mpno_model_param_info(model, p).name;
            set_named(model, name, strstr(name, "bias") != NULL ? 100 : 1);
        }
        double *x = numbers(2 * n);
        for (int i = 0; i < 2 * n; i++) x[i] = 1e-4 * cos(2 * PI * (double)(i / 2) / (double)n);
        const mpno_strip s = certify(ctx, model, n, x);
        kept_fields kept = {0};
        free(answer_on(ctx, model, n, 8, x, &kept));
        for (int l = 0; l < 2; l++) {
            double complex mode = 0;
            for (int64_t j = 0; j < fine; j++)
                mode += kept.field[l][j] * cexp(-2 * PI * I * (double)j / fine) / (double)fine;
            const double imag = 2 * cabs(mode) * sinh(2 * PI * s.layers[l].radius);
            assert_true(kept.channels == 1 && s.layers[l].radius > 0.01);
            assert_true(imag <= s.layers[l].imag && s.layers[l].imag <= 1.8 * imag);
            free(kept.field[l]);
        }
        free(x);
        mpno_model_destroy(&model);
    }
}

/* The bound falls exponentially with the points; smooth inputs close, rough ones and coarse grids
 * do not, and say what of. */
static void smooth_inputs_close_and_rough_ones_do_not(void **state) {
    mpno_ctx *ctx = *state;
    for (int ndim = 1; ndim <= 2; ndim++) {
        const mpno_fno_config c = periodic_config(ndim, 2);
        mpno_model *model = make_model(ctx, &c, MPNO_F64);
        double last = INFINITY;
        for (int64_t n = 32; n <= 64 * (3 - ndim); n *= 2) {
            double *x = smooth(ndim, n, 12, 1, 0.5, 7);
            const mpno_strip s = certify(ctx, model, n, x);
            if (n > 32) assert_true(s.closes && s.error < 1e-2 * s.size);
            assert_true(s.error < 1e-2 * last || s.error < 1e-11 * s.size);
            last = s.error;
            free(x);
        }
        double *x = smooth(ndim, 32, 12, 0, 0.5, 7);
        const mpno_strip s = certify(ctx, model, 32, x);
        assert_true(!s.closes && !(s.error < s.size));
        assert_true(strstr(s.open, "block ") != NULL || strstr(s.open, "input: ") != NULL ||
                    strstr(s.open, "projection, ") != NULL || strstr(s.open, "lifting, ") != NULL);
        free(x);
        mpno_model_destroy(&model);
    }
}

/* Numbers of f32 have a noise in all waves, which no strip has room for: it is left to Lipschitz
 * constants, and the input's smooth part closes. */
static void noise_of_stored_numbers_is_left_to_lipschitz_constants(void **state) {
    mpno_ctx *ctx = *state;
    const mpno_fno_config c = periodic_config(2, 1);
    mpno_model *model = make_model(ctx, &c, MPNO_F64);
    double *x = smooth(2, 64, 6, 1, 0.5, 3);
    for (int i = 0; i < 64 * 64 * 2; i++) x[i] = (double)(float)x[i];
    const mpno_strip s = certify(ctx, model, 64, x);
    assert_true(s.closes && s.error < 1e-4 * s.size && s.cut < 40 && s.rest > 1e-9);
    assert_true(s.rest_error > 0 && s.rest_error <= s.error);
    assert_true(s.rest_error + s.layers[0].error >= s.error * (1 - 1e-6)); /* parts are all of it */
    const mpno_strip_opts twice = {.grid = {64, 64}, .factor = 2};
    mpno_strip t;
    assert_ok(ctx, mpno_strip_certify(model, &twice, x, &t));
    assert_true(t.error == 2 * s.error && t.size == 2 * s.size && t.cut == s.cut);
    const mpno_strip_opts sized = {.grid = {64, 64}, .factor = 1, .size = s.error / 2};
    assert_ok(ctx, mpno_strip_certify(model, &sized, x, &t));
    assert_true(!t.closes && t.error == s.error && t.open[0] != '\0');
    free(x);
    mpno_model_destroy(&model);
}

static void what_has_no_strip_is_named(void **state) {
    mpno_ctx *ctx = *state;
    static const char *const words[] = {"lifting, embedded input: coordinates jump",
                                        "zeros around the domain",
                                        "statistics",
                                        "corners",
                                        "not below half",
                                        "a convolution over points",
                                        "complex fields",
                                        "changes the grid"};
    double *x = smooth(1, 16, 3, 1, 1, 1), twice[64] = {0};
    for (int k = 0; k < 8; k++) {
        mpno_fno_config c = periodic_config(1, 2);
        if (k == 0) c.positional_embedding = MPNO_EMBEDDING_GRID;
        if (k == 1) c.domain_padding[0] = 0.25;
        if (k == 2) c.norm = MPNO_NORM_INSTANCE;
        if (k == 3) c.stabilizer = MPNO_STABILIZER_HARD_CLIP;
        if (k == 4) c.n_modes[0] = 16;
        if (k == 5) c.conv_bias_kernel = 3;
        if (k == 6) c.complex_data = true;
        if (k == 7) c.resolution_scaling_factor[0][0] = 2;
        mpno_model *model = make_model(ctx, &c, MPNO_F64);
        const mpno_strip s = certify(ctx, model, 16, k == 6 ? twice : x);
        if (strstr(s.open, words[k]) == NULL) fail_msg("%d: %s", k, s.open);
        assert_true(!s.closes && isinf(s.error) && s.n_layers == 0);
        mpno_model_destroy(&model);
    }
    free(x);
}

static void json_has_nulls_where_nothing_is_known(void **state) {
    mpno_ctx *ctx = *state;
    mpno_strip s = {.closes = true,
                    .error = 1e-3,
                    .size = 2,
                    .rest = 1e-9,
                    .cut = 7,
                    .n_layers = 2,
                    .layers = {{"block 0", 0.1, 5, 1, 1e-4, 9e-4},
                               {"block 1", 0, INFINITY, INFINITY, INFINITY, INFINITY}}};
    mpno_value *value;
    char text[512];
    assert_ok(ctx, mpno_strip_value(ctx, &s, &value));
    const mpno_value *layers = mpno_value_get(value, "layers");
    assert_string_equal(mpno_value_get_string(value, "verdict", ""), "VERIFIED");
    assert_int_equal(mpno_value_get(value, "open")->kind, MPNO_VALUE_NULL);
    assert_true(mpno_value_get_real(mpno_value_get(value, "input"), "cut") == 7);
    assert_true(mpno_value_get_real(layers->items[0], "imaginary") == 1);
    assert_int_equal(mpno_value_get(layers->items[1], "alias")->kind, MPNO_VALUE_NULL);
    mpno_value_destroy(ctx, &value);
    assert_non_null(strstr(mpno_strip_text(&s, text, sizeof text), "within 0.0005 of its size"));
    s = (mpno_strip){.error = INFINITY, .open = "block 1, x: why"};
    assert_ok(ctx, mpno_strip_value(ctx, &s, &value));
    assert_string_equal(mpno_value_get_string(value, "verdict", ""), "VACUOUS");
    assert_string_equal(mpno_value_get_string(value, "open", ""), "block 1, x: why");
    mpno_value_destroy(ctx, &value);
    assert_non_null(strstr(mpno_strip_text(&s, text, sizeof text), "does not close: block 1, x"));
}

static void allocations_that_fail_leave_nothing(void **state) {
    mpno_ctx *ctx = *state;
    mpno_fno_config c = periodic_config(1, 1);
    c.hidden_channels = 4;
    mpno_model *model = make_model(ctx, &c, MPNO_F64);
    double *x = smooth(1, 16, 3, 1, 1, 1);
    const mpno_strip_opts opts = {.grid = {16}, .factor = 1};
    const size_t held = mpno_ctx_bytes(ctx);
    mpno_strip s;
    for (int n = 0, failed = 1; failed; n += 1 + n / 12) {
        mpno_alloc_fail_after(ctx, n);
        const mpno_status status = mpno_strip_certify(model, &opts, x, &s);
        mpno_alloc_fail_after(ctx, -1);
        failed = status != MPNO_OK;
        if (failed) assert_int_equal(status, MPNO_E_MEMORY);
        assert_int_equal(mpno_ctx_bytes(ctx), held);
    }
    x[3] = NAN;
    assert_int_equal(mpno_strip_certify(model, &opts, x, &s), MPNO_E_NUMERIC);
    free(x);
    mpno_model_destroy(&model);
}

static int setup(void **state) {
    *state = make_ctx(2);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_stay_within_their_bounds_in_the_plane),
        cmocka_unit_test(sums_over_waves_are_those_of_the_series),
        cmocka_unit_test(aliases_of_a_known_function),
        cmocka_unit_test_setup_teardown(bounds_hold_for_random_networks, setup, end_context),
        cmocka_unit_test_setup_teardown(fields_in_the_plane_are_as_large_as_it_says, setup,
                                        end_context),
        cmocka_unit_test_setup_teardown(one_wave_meets_the_rules_of_a_block, setup, end_context),
        cmocka_unit_test_setup_teardown(smooth_inputs_close_and_rough_ones_do_not, setup,
                                        end_context),
        cmocka_unit_test_setup_teardown(noise_of_stored_numbers_is_left_to_lipschitz_constants,
                                        setup, end_context),
        cmocka_unit_test_setup_teardown(what_has_no_strip_is_named, setup, end_context),
        cmocka_unit_test_setup_teardown(json_has_nulls_where_nothing_is_known, setup, end_context),
        cmocka_unit_test_setup_teardown(allocations_that_fail_leave_nothing, setup, end_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
