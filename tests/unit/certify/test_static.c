/* SPDX-License-Identifier: MIT
 * Static certificates of whole networks: every tensor that is stored stays below its bound, for
 * random and for hostile inputs of the ball, whatever the architecture and the policy; a network
 * that is made to overflow is refused by name, and does overflow; one with tanh closes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "certify/static.h"
#include "number/format.h"
#include "unit/model/support.h"

enum { BATCH = 3, KINDS = 7 };

/* ---- inputs of the ball ---- */

static double hostile(int kind, int64_t point, int64_t points, mpno_rng *rng) {
    const double phase = 2 * 3.14159265358979 * (double)point / (double)points;
    switch (kind) {
        case 0:
            return 2 * mpno_rng_uniform(rng) - 1;
        case 1:
            return mpno_rng_uniform(rng) < 0.5 ? -1 : 1;
        case 2:
            return 1;
        case 3:
            return point == points / 3 ? 1 : 0;
        case 4:
            return cos(3 * phase) < 0 ? -1 : 1;
        case 5:
            return point % 2 == 0 ? 1 : -1;
        default:
            return point == points / 2 ? -1 : 1; /* all alike but one: small variance */
    }
}

static void *make_input(mpno_format format, int kind, int64_t samples, int64_t points,
                        int64_t channels, double range) {
    const int64_t n = samples * points * channels;
    mpno_rng rng = mpno_rng_make(77, MPNO_STREAM_TEST, (uint32_t)kind);
    double *x = malloc((size_t)n * sizeof *x);
    void *out = malloc((size_t)n * mpno_format_bytes(format));
    assert_true(x != NULL && out != NULL);
    for (int64_t i = 0; i < n; i++)
        x[i] = range * hostile(kind, i / channels % points, points, &rng) *
               (i / channels / points % 2 == 0 ? 1 : -1);
    mpno_cast(out, format, x, MPNO_F64, (size_t)n);
    free(x);
    return out;
}

/* ---- networks ---- */

typedef struct option {
    const char *name;
    void (*set)(mpno_fno_config *config);
} option;

static void group_norm(mpno_fno_config *c) {
    c->norm = MPNO_NORM_GROUP, c->norm_groups = 2;
}
static void instance_norm_first(mpno_fno_config *c) {
    c->norm = MPNO_NORM_INSTANCE, c->preactivation = true;
}
static void batch_norm(mpno_fno_config *c) {
    c->norm = MPNO_NORM_BATCH;
}
static void ada_in(mpno_fno_config *c) {
    c->norm = MPNO_NORM_ADA_IN, c->ada_in_features = 3;
}
static void tanh_before(mpno_fno_config *c) {
    c->stabilizer = MPNO_STABILIZER_TANH;
}
static void clip(mpno_fno_config *c) {
    c->stabilizer = MPNO_STABILIZER_HARD_CLIP, c->stabilizer_blend = 0.25;
}
static void sigma(mpno_fno_config *c) {
    c->stabilizer = MPNO_STABILIZER_TWO_SIGMA_CLIP;
}
static void sigma_batch(mpno_fno_config *c) {
    c->stabilizer = MPNO_STABILIZER_TWO_SIGMA_CLIP_BATCH;
}
static void learned(mpno_fno_config *c) {
    c->stabilizer = MPNO_STABILIZER_LEARNED_TANH;
}
static void rms(mpno_fno_config *c) {
    c->stabilizer = MPNO_STABILIZER_RMS_NORM;
}
static void prescale(mpno_fno_config *c) {
    c->stabilizer = MPNO_STABILIZER_PRESCALE, c->fno_skip = MPNO_SKIP_IDENTITY;
}
static void scaled(mpno_fno_config *c) {
    c->stabilizer = MPNO_STABILIZER_SCALE, c->stabilizer_scale = 4;
}
static void sigmoid(mpno_fno_config *c) {
    c->stabilizer = MPNO_STABILIZER_SIGMOID, c->channel_mlp_skip = MPNO_SKIP_LINEAR;
}
static void arcsinh(mpno_fno_config *c) {
    c->stabilizer = MPNO_STABILIZER_ARCSINH, c->conv_bias_kernel = 3;
}
static void separable(mpno_fno_config *c) {
    c->separable = true;
}
static void padded(mpno_fno_config *c) {
    for (int d = 0; d < c->ndim; d++) c->domain_padding[d] = 0.25;
    c->channel_mlp_skip = MPNO_SKIP_IDENTITY;
}
static void scales(mpno_fno_config *c) {
    c->resolution_scaling_factor[0][0] = 2, c->resolution_scaling_factor[1][0] = 0.5;
}
static void compat(mpno_fno_config *c) {
    scales(c);
    c->compat = MPNO_COMPAT_NEURALOP;
}
static void complex_data(mpno_fno_config *c) {
    c->complex_data = true;
}
static void cp(mpno_fno_config *c) {
    c->factorization = MPNO_FACTORIZATION_CP, c->rank[0] = 0.5;
}
static void cp_first(mpno_fno_config *c) {
    cp(c);
    c->contraction = MPNO_CONTRACTION_DATA_FIRST;
}
static void tucker_first(mpno_fno_config *c) {
    c->factorization = MPNO_FACTORIZATION_TUCKER, c->rank[0] = 0.5;
    c->contraction = MPNO_CONTRACTION_DATA_FIRST;
}
static void tt_first(mpno_fno_config *c) {
    c->factorization = MPNO_FACTORIZATION_TT, c->rank[0] = 0.5;
    c->contraction = MPNO_CONTRACTION_DATA_FIRST;
}
static void tucker_dense(mpno_fno_config *c) {
    c->factorization = MPNO_FACTORIZATION_TUCKER, c->rank[0] = 0.5;
    c->implementation = MPNO_IMPLEMENTATION_RECONSTRUCTED;
}
static void plain(mpno_fno_config *c) {
    (void)c;
}

static const option options[] = {{"plain", plain},
                                 {"group norm", group_norm},
                                 {"instance norm first", instance_norm_first},
                                 {"batch norm", batch_norm},
                                 {"ada_in", ada_in},
                                 {"tanh", tanh_before},
                                 {"clip, blended", clip},
                                 {"two sigma", sigma},
                                 {"two sigma of the batch", sigma_batch},
                                 {"learned tanh", learned},
                                 {"rms norm", rms},
                                 {"prescale", prescale},
                                 {"scale", scaled},
                                 {"sigmoid", sigmoid},
                                 {"arcsinh, convolution", arcsinh},
                                 {"separable", separable},
                                 {"padded", padded},
                                 {"two grids", scales},
                                 {"two grids, compat", compat},
                                 {"complex", complex_data},
                                 {"cp", cp},
                                 {"cp, data first", cp_first},
                                 {"tucker, data first", tucker_first},
                                 {"tt, data first", tt_first},
                                 {"tucker, dense", tucker_dense}};
enum { OPTIONS = sizeof options / sizeof *options };

static const struct {
    const char *policy;
    mpno_format half, arithmetic, transforms;
    const char *exceptions;
    mpno_rounding rounding;
    mpno_scaling scaling;
    bool unfused;
} policies[] = {
    {"full", MPNO_F16, MPNO_F64, MPNO_F32, NULL, MPNO_ROUND_NEAREST_EVEN, MPNO_SCALING_AUTO, false},
    {"mixed", MPNO_F16, MPNO_F32, MPNO_F32, NULL, MPNO_ROUND_NEAREST_EVEN, MPNO_SCALING_AUTO,
     false},
    {"mixed", MPNO_BF16, MPNO_F32, MPNO_F32, NULL, MPNO_ROUND_NEAREST_EVEN, MPNO_SCALING_AUTO,
     true},
    {"half", MPNO_F16, MPNO_F32, MPNO_F16, NULL, MPNO_ROUND_NEAREST_EVEN, MPNO_SCALING_AUTO, false},
    {"mixed", MPNO_BF16, MPNO_F32, MPNO_BF16, NULL, MPNO_ROUND_STOCHASTIC, MPNO_SCALING_AUTO,
     false},
    {"mixed", MPNO_F16, MPNO_F32, MPNO_F32, "spectrum=f8e4m3, activation=f8e5m2",
     MPNO_ROUND_NEAREST_EVEN, MPNO_SCALING_AUTO, false},
    {"mixed", MPNO_F16, MPNO_F32, MPNO_F32, "spectrum=f8e4m3, activation=e5m4",
     MPNO_ROUND_NEAREST_EVEN, MPNO_SCALING_TENSOR, false},
};
enum { POLICIES = sizeof policies / sizeof *policies };

static const int64_t grids[3][3] = {{30}, {12, 15}, {6, 5, 8}};

/* Spectral weights that are made of factors are stored without scales, to nearest. */
static const char *exceptions_of(const mpno_fno_config *config, int policy) {
    static char text[120];
    const char *given = policies[policy].exceptions;
    const bool coded = policies[policy].rounding != MPNO_ROUND_NEAREST_EVEN ||
                       policies[policy].scaling != MPNO_SCALING_AUTO;
    if (config->factorization == MPNO_FACTORIZATION_DENSE || !coded) return given;
    snprintf(text, sizeof text, "%s%sspectral weight copy=f32", given != NULL ? given : "",
             given != NULL ? ", " : "");
    return text;
}

static mpno_network_opts network_opts(const mpno_fno_config *config, int policy) {
    const int ndim = config->ndim;
    mpno_network_opts opts = make_opts(ndim, grids[ndim - 1], BATCH, false, policies[policy].policy,
                                       policies[policy].half);
    opts.transform_arithmetic = policies[policy].transforms;
    opts.storage.exceptions = exceptions_of(config, policy);
    opts.storage.rounding = policies[policy].rounding;
    opts.storage.scaling = policies[policy].scaling;
    opts.unfused = policies[policy].unfused;
    return opts;
}

/* ---- looking ---- */

typedef struct seen {
    const mpno_network *network;
    double *most; /* per edge */
} seen;

static void look(void *user, int edge, mpno_format format, const void *data, int64_t batch) {
    seen *s = user;
    const mpno_graph *graph = mpno_network_graph(s->network);
    const mpno_edge *e = &graph->edges[edge];
    const mpno_codec *codec = mpno_exec_codec(mpno_network_exec(s->network), edge);
    const int64_t n = (int64_t)(mpno_edge_bytes(graph, edge, MPNO_F64, batch) / sizeof(double));
    const bool complex = e->kind == MPNO_EDGE_SPECTRUM || e->kind == MPNO_EDGE_COLUMNS;
    const int64_t apart = e->kind == MPNO_EDGE_COLUMNS ? e->modes * e->channels : e->channels;
    double *x = malloc((size_t)n * sizeof *x);
    assert_non_null(x);
    if (codec == NULL) {
        mpno_cast(x, MPNO_F64, data, format, (size_t)n);
    } else {
        mpno_codec_kernels_get(MPNO_ISA_PORTABLE, MPNO_F64)->load(codec, x, data, n);
    }
    for (int64_t i = 0; i < n; i++) { /* bounds of coefficients are of their modulus */
        const double m = complex ? hypot(x[i], i / apart % 2 == 0 ? x[i + apart] : 0) : fabs(x[i]);
        if (!(m <= s->most[edge])) s->most[edge] = m;
    }
    free(x);
}

static mpno_static certify(mpno_ctx *ctx, const mpno_model *model, const mpno_network *network,
                           double range) {
    const mpno_static_opts opts = {.range = range, .embedding = range};
    mpno_static certificate;
    if (mpno_static_certify(model, network, &opts, &certificate) != MPNO_OK)
        fail_msg("%s", mpno_ctx_error(ctx));
    return certificate;
}

static void compare(const mpno_static *certificate, const seen *s, const char *what, int policy,
                    double *loosest) {
    for (int i = 0; i < certificate->n_lines; i++) {
        const mpno_static_line *l = &certificate->lines[i];
        if (l->inside) continue;
        if (!(s->most[l->edge] <= l->bound))
            fail_msg("%s, policy %d: %s: %s reaches %.9g, bound %.9g", what, policy, l->layer,
                     l->name, s->most[l->edge], l->bound);
        if (!(l->bound < INFINITY))
            fail_msg("%s, policy %d: %s: %s has no bound", what, policy, l->layer, l->name);
        const double ratio = l->bound / s->most[l->edge];
        if (s->most[l->edge] > 0 && ratio > *loosest) *loosest = ratio;
    }
}

static void one_network(int ndim, int number, int policy) {
    mpno_ctx *ctx = make_ctx(1);
    mpno_fno_config config = small_config(ndim);
    options[number].set(&config);
    if (ndim == 3) config.hidden_channels = 4;
    mpno_model *model = make_model(ctx, &config, policies[policy].arithmetic);
    const mpno_network_opts opts = network_opts(&config, policy);
    mpno_network *network = make_network(ctx, model, &opts);
    const mpno_format format = policies[policy].arithmetic;
    const double range = 2.5;
    const int64_t planes = config.complex_data ? 2 : 1;
    int64_t points = planes * points_of(ndim, grids[ndim - 1]), out[MPNO_MAX_AXES], to = planes;
    mpno_network_output_grid(network, out);
    for (int d = 0; d < ndim; d++) to *= out[d];
    seen s = {network, calloc((size_t)mpno_network_graph(network)->n_edges, sizeof(double))};
    void *y = malloc((size_t)(BATCH * to * 2) * mpno_format_bytes(format));
    assert_true(s.most != NULL && y != NULL);
    const mpno_observer observer = {look, &s};
    mpno_network_observe(network, &observer);
    mpno_static certificate = certify(ctx, model, network, range);
    for (int kind = 0; kind < KINDS; kind++) {
        void *x = make_input(format, kind, BATCH, points, 2, range),
             *steer = make_input(format, kind, BATCH, 1, 3, range);
        mpno_network_set_embedding(network, steer);
        if (mpno_network_forward(network, BATCH, x, y) != MPNO_OK && certificate.closes)
            fail_msg("%s, policy %d: %s", options[number].name, policy, mpno_ctx_error(ctx));
        free(x);
        free(steer);
    }
    double loosest = 0;
    compare(&certificate, &s, options[number].name, policy, &loosest);
    mpno_static_clear(&certificate);
    mpno_network_destroy(&network);
    mpno_model_destroy(&model);
    free(s.most);
    free(y);
    drop_ctx(ctx);
}

static void no_stored_tensor_is_above_its_bound(void **state) {
    (void)state;
    for (int ndim = 1; ndim <= 3; ndim++)
        for (int number = 0; number < OPTIONS; number++)
            for (int policy = 0; policy < POLICIES; policy++) one_network(ndim, number, policy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_stored_tensor_is_above_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
