/* SPDX-License-Identifier: MIT
 * Discretisation: the trigonometric interpolant and alias energies against sums of waves that are
 * written down, estimates against runs on much finer grids, and models without any error. */
#include "unit/data/support.h"

#include <complex.h>
#include <math.h>

#include "certify/alias.h"
#include "certify/discretisation.h"
#include "certify/spectral_norm.h"
#include "certify/trigonometric.h"
#include "model/network.h"
#include "unit/model/support.h"

static const double PI = 3.14159265358979323846;

static double *numbers(size_t n) {
    double *x = calloc(n, sizeof *x);
    assert_non_null(x);
    return x;
}

static int64_t points(int ndim, const int64_t *grid) {
    return points_of(ndim, grid);
}

/* -------- interpolant -------- */

/* A sum of waves below the Nyquist frequency of `band`, a function of position alone. */
static double waves(int ndim, const double *at, const int64_t *band, int which) {
    double sum = 0.25;
    for (int m = 0; m < 12; m++) {
        mpno_rng rng = mpno_rng_make(4, MPNO_STREAM_TEST, (uint32_t)(100 * which + m));
        double phase = 2 * PI * mpno_rng_uniform(&rng);
        for (int d = 0; d < ndim; d++) {
            const int64_t most = (band[d] - 1) / 2;
            const int64_t k = (int64_t)mpno_rng_below(&rng, (uint64_t)(2 * most + 1)) - most;
            phase += 2 * PI * (double)k * at[d];
        }
        sum += cos(phase) * mpno_rng_normal(&rng);
    }
    return sum;
}

static void sample_waves(int ndim, const int64_t *grid, const int64_t *band, int width, double *x) {
    for (int64_t p = 0; p < points(ndim, grid); p++) {
        double at[4] = {0};
        int64_t rest = p;
        for (int d = ndim - 1; d >= 0; d--) {
            at[d] = (double)(rest % grid[d]) / (double)grid[d];
            rest /= grid[d];
        }
        for (int c = 0; c < width; c++) x[p * width + c] = waves(ndim, at, band, c);
    }
}

static void interpolant_is_the_function_of_least_frequency(void **state) {
    mpno_ctx *ctx = *state;
    static const struct {
        int ndim;
        int64_t from[4], to[4];
    } cases[] = {{1, {16}, {32}},
                 {1, {15}, {30}},
                 {1, {7}, {24}},
                 {1, {12}, {5}},
                 {2, {8, 6}, {16, 12}},
                 {2, {9, 8}, {18, 24}},
                 {3, {4, 6, 5}, {8, 12, 10}},
                 {1, {1}, {4}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int ndim = cases[i].ndim;
        const int64_t *from = cases[i].from, *to = cases[i].to;
        double *x = numbers((size_t)points(ndim, from) * 2),
               *y = numbers((size_t)points(ndim, to) * 2);
        double *known = numbers((size_t)points(ndim, to) * 2);
        sample_waves(ndim, from, from, 2, x);
        sample_waves(ndim, to, from, 2, known);
        assert_ok(ctx, mpno_trigonometric(ctx, ndim, from, to, 2, x, y));
        for (int64_t k = 0; k < 2 * points(ndim, to); k++)
            assert_true(fabs(y[k] - known[k]) < 1e-13);
        bool doubled = true;
        for (int d = 0; d < ndim; d++) doubled = doubled && to[d] == 2 * from[d];
        if (doubled) { /* to the bit */
            double *back = numbers((size_t)points(ndim, from) * 2);
            mpno_every_second(ndim, from, 2, y, back);
            assert_memory_equal(back, x, (size_t)points(ndim, from) * 2 * sizeof *x);
            free(back);
        }
        free(x), free(y), free(known);
    }
    double x[4] = {1, -1, 1, -1}, y[8]; /* the highest frequency is a cosine */
    assert_ok(ctx, mpno_trigonometric(ctx, 1, (int64_t[]){4}, (int64_t[]){8}, 1, x, y));
    for (int i = 0; i < 8; i++) assert_true(fabs(y[i] - cos(PI * i / 2)) < 1e-15);
}

/* -------- aliasing -------- */

/* t_k for all frequencies below the Nyquist one of the fine grid; of real data conjugates belong to
 * -k. Read as a function of k = (k_0, k_1). */
static double complex planted(int64_t k0, int64_t k1, bool is_complex) {
    const bool turned = !is_complex && (k0 < 0 || (k0 == 0 && k1 < 0));
    const uint32_t which = (uint32_t)((turned ? -k0 : k0) * 1000 + (turned ? -k1 : k1) + 500000);
    mpno_rng rng = mpno_rng_make(6, MPNO_STREAM_TEST, which);
    const double complex t = mpno_rng_normal(&rng) + I * mpno_rng_normal(&rng);
    if (!is_complex && k0 == 0 && k1 == 0) return creal(t);
    return turned ? conj(t) : t;
}

/* D2: on n points every frequency is the sum of those that differ by multiples of n. */
static void aliases_are_sums_over_multiples_of_the_points(void **state) {
    mpno_ctx *ctx = *state;
    static const int64_t keeps[3][2] = {{4, 3}, {7, 6}, {10, 7}}; /* below, at and above Nyquist */
    for (int run = 0; run < 6; run++) {
        const bool is_complex = run % 2 == 1;
        const int planes = is_complex ? 2 : 1;
        const int64_t n[2] = {6, 10};
        mpno_alias_problem p = {is_complex ? MPNO_FFT_COMPLEX : MPNO_FFT_REAL, 2, {12, 20}, {0}, 1};
        memcpy(p.keep, keeps[run / 2], sizeof keeps[0]);
        double *field = numbers((size_t)(240 * planes));
        for (int64_t i = 0; i < 240; i++) {
            double complex sum = 0;
            for (int64_t a = -5; a <= 5; a++)
                for (int64_t b = -9; b <= 9; b++) {
                    const double turn = (double)(a * (i / 20)) / 12 + (double)(b * (i % 20)) / 20;
                    sum += planted(a, b, is_complex) * cexp(2 * PI * I * turn);
                }
            field[i * planes] = creal(sum);
            if (is_complex) field[i * planes + 1] = cimag(sum);
        }
        double norm = 0, alias = 0, cut = 0;
        const int64_t first[2] = {-(p.keep[0] / 2), is_complex ? -(p.keep[1] / 2) : 0};
        for (int64_t a = first[0]; a < first[0] + p.keep[0]; a++)
            for (int64_t b = first[1]; b < first[1] + p.keep[1]; b++) {
                const double w = is_complex || b == 0 ? 1 : 2;
                double complex other = 0;
                for (int64_t x = -5; x <= 5; x++)
                    for (int64_t y = -9; y <= 9; y++)
                        if ((x - a) % n[0] == 0 && (y - b) % n[1] == 0 && (x != a || y != b))
                            other += planted(x, y, is_complex);
                const double complex t = planted(a, b, is_complex);
                const double mine = w * creal(t * conj(t));
                norm += mine;
                if (2 * llabs(a) < n[0] && 2 * llabs(b) < n[1])
                    alias += w * creal(other * conj(other));
                else
                    cut += mine;
            }
        mpno_alias *job;
        assert_ok(ctx, mpno_alias_create(ctx, &p, &job));
        const mpno_alias_energy e = mpno_alias_run(job, field);
        assert_true(fabs(e.norm - sqrt(norm)) < 1e-12 * e.norm);
        assert_true(fabs(e.alias - sqrt(alias)) < 1e-12 * e.norm && e.alias > 0);
        assert_true(fabs(e.cut - sqrt(cut)) < 1e-12 * e.norm && (e.cut > 0) == (run > 1));
        mpno_alias_destroy(&job);
        free(field);
    }
    mpno_alias *job;
    const mpno_alias_problem odd = {MPNO_FFT_REAL, 1, {15}, {4}, 1};
    assert_fails(ctx, mpno_alias_create(ctx, &odd, &job), MPNO_E_SHAPE, "15 points");
}

/* -------- models -------- */

static mpno_fno_config periodic_config(int ndim) {
    mpno_fno_config c = small_config(ndim);
    c.positional_embedding = MPNO_EMBEDDING_NONE; /* coordinates jump where the domain ends */
    for (int d = 0; d < ndim; d++) c.n_modes[d] = 6;
    return c;
}

/* Weights of a model times `factor`, so that it bends more. */
static void strengthen(mpno_model *model, double factor) {
    for (int p = 0; p < mpno_model_n_params(model); p++) {
        const size_t n = mpno_model_param_info(model, p).count;
        double *values = numbers(n);
        mpno_model_get_param(model, p, values);
        for (size_t i = 0; i < n; i++) values[i] *= factor;
        mpno_model_set_param(model, p, values);
        free(values);
    }
}

static mpno_discretisation discretise(mpno_ctx *ctx, const mpno_model *model,
                                      const mpno_discretiser_opts *opts, const double *x) {
    mpno_discretiser *d;
    mpno_discretisation r;
    assert_ok(ctx, mpno_discretiser_create(model, opts, &d));
    assert_ok(ctx, mpno_discretiser_run(d, x, &r));
    mpno_discretiser_destroy(&d);
    return r;
}

/* The answer on `fine` to the interpolant of x, at the points of `grid`. */
static double *answer_on(mpno_ctx *ctx, mpno_model *model, const int64_t *grid, const int64_t *fine,
                         const double *x) {
    const int ndim = model->config.ndim;
    const int64_t in = model->config.in_channels, out = model->config.out_channels;
    double *there = numbers((size_t)(points(ndim, fine) * in));
    double *answer = numbers((size_t)(points(ndim, fine) * out));
    double *here = numbers((size_t)(points(ndim, grid) * out));
    assert_ok(ctx, mpno_trigonometric(ctx, ndim, grid, fine, in, x, there));
    const mpno_network_opts opts = make_opts(ndim, fine, 1, false, "full", MPNO_F16);
    mpno_network *network = make_network(ctx, model, &opts);
    assert_ok(ctx, mpno_network_forward(network, 1, there, answer));
    mpno_network_destroy(&network);
    for (int64_t p = 0; p < points(ndim, grid); p++) {
        int64_t rest = p, place = 0, stride = 1;
        for (int d = ndim - 1; d >= 0; d--) {
            place += rest % grid[d] * (fine[d] / grid[d]) * stride;
            stride *= fine[d];
            rest /= grid[d];
        }
        for (int64_t c = 0; c < out; c++) here[p * out + c] = answer[place * out + c];
    }
    free(there), free(answer);
    return here;
}

static double rms(const double *a, const double *b, int64_t n, int64_t n_points) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum / (double)n_points);
}

/* Biases of 100 before each GELU, which is the identity there to the last bit: a linear network. */
static void linear_models_have_no_error(void **state) {
    mpno_ctx *ctx = *state;
    for (int ndim = 1; ndim <= 2; ndim++) {
        const mpno_fno_config config = periodic_config(ndim);
        mpno_model *model = make_model(ctx, &config, MPNO_F64);
        set_named(model, "lifting.fcs.0.bias", 100);
        set_named(model, "projection.fcs.0.bias", 100);
        set_named(model, "fno_blocks.convs.0.bias", 1000);
        set_named(model, "fno_blocks.channel_mlp.0.fcs.0.bias", 1000);
        set_named(model, "fno_blocks.channel_mlp.0.fcs.1.bias", 1000);
        set_named(model, "fno_blocks.channel_mlp.1.fcs.0.bias", 10000);
        const int64_t grid[2] = {16, 16}, band[2] = {7, 7};
        mpno_discretiser_opts opts = {.grid = {16, 16}};
        double *x = numbers((size_t)(points(ndim, grid) * config.in_channels));
        sample_waves(ndim, grid, band, 2, x);
        const mpno_discretisation r = discretise(ctx, model, &opts, x);
        assert_int_equal(r.convergence, MPNO_CONVERGENCE_ENDED);
        assert_true(r.before <= 1e-12 * r.size && r.after <= 1e-12 * r.size && r.size > 0);
        assert_true(isnan(r.rate) && r.lower == 0 && r.upper == 1e-12 * r.size);
        for (int l = 0; l < 2; l++) {
            assert_true(r.layers[l].norm > 0 && r.layers[l].alias < 1e-13 * r.layers[l].norm);
            assert_true(r.layers[l].cut == 0);
        }
        /* What the grid cannot hold is another matter: 7 waves are beyond n/2 = 8 points. */
        const int64_t wide[2] = {15, 15};
        sample_waves(ndim, grid, wide, 2, x);
        const mpno_discretisation w = discretise(ctx, model, &opts, x);
        assert_true(w.before > 1e-6 * w.size && w.after <= 1e-12 * w.size);
        free(x);
        mpno_model_destroy(&model);
    }
}

static void estimates_are_those_of_much_finer_grids(void **state) {
    mpno_ctx *ctx = *state;
    for (int ndim = 1; ndim <= 2; ndim++) {
        const mpno_fno_config config = periodic_config(ndim);
        mpno_model *model = make_model(ctx, &config, MPNO_F64);
        double last = INFINITY;
        strengthen(model, 1.5);
        for (int64_t n = 16; n <= (ndim == 1 ? 64 : 32); n *= 2) {
            const int64_t grid[2] = {n, n}, fine[2] = {8 * n, 4 * n}, band[2] = {6, 6};
            const int64_t size = points(ndim, grid) * 2;
            mpno_discretiser_opts opts = {.grid = {n, n}};
            double *x = numbers((size_t)size);
            sample_waves(ndim, grid, band, 2, x);
            const mpno_discretisation r = discretise(ctx, model, &opts, x);
            double *here = answer_on(ctx, model, grid, grid, x);
            double *there = answer_on(ctx, model, grid, fine, x);
            const double known = rms(here, there, size, points(ndim, grid));
            assert_int_equal(r.convergence, MPNO_CONVERGENCE_SEEN);
            assert_true(fabs(r.error / known - 1) < 0.05);
            assert_true(r.lower <= known && known <= r.upper && r.rate > 1);
            assert_true(r.before < last && r.after < r.before);
            last = r.before;
            free(x), free(here), free(there);
        }
        mpno_model_destroy(&model);
    }
}

/* The first block transforms a function of the input alone, so that its modes on n points are those
 * of a network that runs there. */
static void aliases_of_the_first_block_are_those_of_two_networks(void **state) {
    mpno_ctx *ctx = *state;
    const mpno_fno_config config = periodic_config(1);
    mpno_model *model = make_model(ctx, &config, MPNO_F64);
    const int64_t grid[1] = {16}, fine[1] = {32}, band[1] = {14};
    double x[32], there[64], y[64], modes[2][4 * 2 * 8];
    strengthen(model, 1.5);
    sample_waves(1, grid, band, 2, x);
    assert_ok(ctx, mpno_trigonometric(ctx, 1, grid, fine, 2, x, there));
    for (int g = 0; g < 2; g++) {
        mpno_network_opts opts = make_opts(1, g == 0 ? grid : fine, 1, false, "full", MPNO_F16);
        opts.keep_spectra = true;
        mpno_network *network = make_network(ctx, model, &opts);
        assert_ok(ctx, mpno_network_forward(network, 1, g == 0 ? x : there, y));
        const mpno_spectrum_view view = mpno_network_spectrum(network, 0);
        assert_true(view.kept[0] == 4 && view.channels == 8);
        mpno_spectrum_read(&view, 0, 64, modes[g]);
        mpno_network_destroy(&network);
    }
    double norm = 0, alias = 0;
    for (int i = 0; i < 64; i++) {
        const double w = i < 16 ? 1 : 2;
        norm += w * modes[1][i] * modes[1][i];
        alias += w * (modes[0][i] - modes[1][i]) * (modes[0][i] - modes[1][i]);
    }
    const mpno_discretiser_opts opts = {.grid = {16}};
    const mpno_discretisation r = discretise(ctx, model, &opts, x);
    assert_string_equal(r.layers[0].name, "block 0");
    assert_true(fabs(r.layers[0].norm / sqrt(norm) - 1) < 1e-13);
    assert_true(fabs(r.layers[0].alias / sqrt(alias) - 1) < 1e-9 && alias > 0);
    mpno_model_destroy(&model);
}

/* D4 for lifting, one convolution and projection: 1.1290 is the greatest slope of GELU. */
static void aliases_bound_the_difference_of_answers(void **state) {
    mpno_ctx *ctx = *state;
    for (int seed = 0; seed < 10; seed++) {
        mpno_fno_config config = periodic_config(2);
        config.n_layers = 1;
        config.use_channel_mlp = false;
        config.fno_skip = MPNO_SKIP_NONE;
        mpno_model *model;
        assert_ok(ctx, mpno_model_create(ctx, &config, MPNO_F64, (uint64_t)seed, &model));
        strengthen(model, 2);
        static const char *const names[3] = {"fno_blocks.convs.0.weight.tensor",
                                             "projection.fcs.0.weight", "projection.fcs.1.weight"};
        double bound = 1.1290;
        for (int i = 0; i < 3; i++) {
            const int p = mpno_model_find_param(model, names[i]);
            assert_true(p >= 0);
            const mpno_matrices m = mpno_param_matrices(model, p);
            double most;
            assert_ok(ctx, mpno_spectral_norms(ctx, &m, MPNO_NORM_STEPS, NULL, &most));
            bound *= most;
        }
        const int64_t grid[2] = {8, 12}, band[2] = {8, 10};
        const mpno_discretiser_opts opts = {.grid = {8, 12}};
        double x[8 * 12 * 2];
        sample_waves(2, grid, band, 2, x);
        const mpno_discretisation r = discretise(ctx, model, &opts, x);
        assert_true(r.layers[0].cut == 0 && r.after > 0);
        assert_true(r.after <= bound * r.layers[0].alias);
        assert_true(bound * r.layers[0].alias <= 100 * r.after); /* else nothing was tried */
        mpno_model_destroy(&model);
    }
}

/* The same model in other units, other master formats and on other numbers of threads; complex
 * fields whose modes reach the Nyquist frequency. */
static void units_formats_and_threads_change_nothing(void **state) {
    (void)state;
    mpno_discretisation first = {0};
    for (int threads = 1; threads <= 3; threads++) {
        mpno_ctx *ctx = make_ctx(threads);
        mpno_fno_config config = periodic_config(2);
        config.complex_data = true;
        config.n_modes[0] = 8;
        mpno_model *model = make_model(ctx, &config, MPNO_F32);
        const int64_t grid[2] = {8, 12}, band[2] = {6, 6};
        double x[8 * 12 * 4];
        sample_waves(2, grid, band, 4, x);
        mpno_discretiser_opts opts = {.grid = {8, 12}};
        const mpno_discretisation r = discretise(ctx, model, &opts, x);
        if (threads == 1) first = r;
        assert_memory_equal(&first, &r, sizeof r);
        assert_true(r.layers[0].cut > 0 && r.layers[0].alias > 0 && r.after > 0);
        mpno_normalizer in, out;
        assert_ok(ctx, mpno_normalizer_restore(ctx, 5, 2 - 1e-7, &in));
        assert_ok(ctx, mpno_normalizer_restore(ctx, 0, 3 - 1e-7, &out));
        opts.x = &in, opts.y = &out;
        for (int i = 0; i < 8 * 12 * 4; i++) x[i] = 2 * x[i] + 5;
        const mpno_discretisation scaled = discretise(ctx, model, &opts, x);
        assert_true(fabs(scaled.after / r.after - 3) < 1e-9);
        assert_true(fabs(scaled.size / r.size - 3) < 1e-12);
        assert_true(fabs(scaled.layers[1].alias / r.layers[1].alias - 1) < 1e-9);
        mpno_model_destroy(&model);
        drop_ctx(ctx);
    }
}

/* Energies of a field whose frequencies are all kept are its norm, those of n/2 among them; the
 * verdict from three grids is arithmetic; and the proof is in units of the answer, of the largest
 * deviation there is. */
static void energies_verdicts_and_units_are_formulas(void **state) {
    mpno_ctx *ctx = *state;
    double field[12 * 8], x[2 * 16], sum = 0;
    mpno_rng rng = mpno_rng_make(4, MPNO_STREAM_TEST, 77);
    for (int i = 0; i < 96; i++) field[i] = mpno_rng_normal(&rng), sum += field[i] * field[i];
    const mpno_alias_problem p = {MPNO_FFT_REAL, 2, {12, 8}, {12, 5}, 1};
    mpno_alias *job;
    assert_ok(ctx, mpno_alias_create(ctx, &p, &job));
    assert_true(fabs(mpno_alias_run(job, field).norm / sqrt(sum / 96) - 1) < 1e-12);
    mpno_alias_destroy(&job);

    mpno_discretisation r = {.before = 5e-3, .after = 1e-3, .size = 2};
    mpno_discretisation_judge(&r);
    const double upper = 1e-3 / (1 - 0.2); /* a fifth is left each time */
    assert_true(r.convergence == MPNO_CONVERGENCE_SEEN && fabs(r.rate - log2(5)) < 1e-14);
    assert_true(fabs(r.upper - upper) < 1e-16 && fabs(r.lower - 1e-3 * (1 - 0.25)) < 1e-16);
    r.before = 1.9e-3; /* what comes may take it all back */
    mpno_discretisation_judge(&r);
    assert_true(r.lower == 0 && r.error == 1e-3);
    r.after = 2e-12;
    mpno_discretisation_judge(&r);
    assert_true(r.convergence == MPNO_CONVERGENCE_ENDED && fabs(r.upper - 2e-12) < 1e-24);

    mpno_fno_config config = periodic_config(1);
    mpno_model *model = make_model(ctx, &config, MPNO_F64);
    for (int i = 0; i < 32; i++) x[i] = cos(PI * (i / 2) / 8 + i % 2);
    double means[2] = {0}, stds[2] = {3, 1e-6};
    const mpno_normalizer units[2] = {
        {.mean = 1, .std = 2e-6},
        {.encoding = MPNO_ENCODING_CHANNEL_WISE,
         .layout = {.ndim = 1, .planes = 1, .grid = {16}, .channels = 2},
         .means = means,
         .stds = stds}};
    for (int kind = 0; kind < 3; kind++) { /* deviations that eps counts beside; none */
        mpno_discretiser_opts opts = {.grid = {16}, .y = kind < 2 ? &units[kind] : NULL};
        const mpno_discretisation found = discretise(ctx, model, &opts, x);
        const double factor = ((kind == 0 ? 2e-6 : 3) + 1e-7) * (1 + 1e-9);
        mpno_strip_opts strip = {
            .grid = {16}, .factor = kind == 2 ? 1 : factor, .size = found.size};
        mpno_strip known;
        assert_ok(ctx, mpno_strip_certify(model, &strip, x, &known));
        assert_true(isfinite(known.error) && fabs(found.strip.error / known.error - 1) < 1e-14);
    }
    mpno_model_destroy(&model);
}

/* cos(4 pi x + pi / 4) has the same two values on 4 points as on 8, and so have all functions of
 * it: a model that transforms nothing but the mean sees no difference there, though 16 points make
 * one. */
static void what_does_not_fall_is_no_estimate(void **state) {
    mpno_ctx *ctx = *state;
    mpno_fno_config config = periodic_config(1);
    config.n_modes[0] = 1;
    mpno_model *model = make_model(ctx, &config, MPNO_F64);
    strengthen(model, 2);
    const mpno_discretiser_opts opts = {.grid = {8}};
    double x[2 * 8];
    for (int i = 0; i < 16; i++) x[i] = 3 * cos(PI * (i / 2) / 2 + PI / 4);
    const mpno_discretisation r = discretise(ctx, model, &opts, x);
    assert_int_equal(r.convergence, MPNO_CONVERGENCE_NONE);
    assert_true(r.before <= 1e-12 * r.size && r.after > 1e-6 * r.size);
    assert_true(isinf(r.upper) && r.lower == 0 && r.error == r.after && r.rate < 0);
    mpno_model_destroy(&model);
}

/* Gains of the stabiliser of before, which the f64 copy has no place for, count for nothing. */
static void a_stabiliser_that_was_changed(void **state) {
    mpno_ctx *ctx = *state;
    mpno_fno_config config = periodic_config(1);
    mpno_model *plain, *changed;
    config.stabilizer = MPNO_STABILIZER_TANH;
    plain = make_model(ctx, &config, MPNO_F64);
    config.stabilizer = MPNO_STABILIZER_LEARNED_TANH;
    changed = make_model(ctx, &config, MPNO_F64);
    mpno_model_set_stabilizer(changed, MPNO_STABILIZER_TANH);
    assert_true(mpno_model_n_params(changed) > mpno_model_n_params(plain));
    assert_ok(ctx, mpno_model_copy_params(changed, plain));
    const mpno_discretiser_opts opts = {.grid = {16}};
    double x[2 * 16];
    for (int i = 0; i < 32; i++) x[i] = cos(PI * (i / 2) / 8 + i % 2);
    const mpno_discretisation a = discretise(ctx, plain, &opts, x),
                              b = discretise(ctx, changed, &opts, x);
    assert_true(a.before == b.before && a.after == b.after && a.size == b.size && a.after > 0);
    mpno_model_destroy(&plain);
    mpno_model_destroy(&changed);
}

static void what_cannot_be_estimated_is_refused(void **state) {
    mpno_ctx *ctx = *state;
    mpno_fno_config config = periodic_config(1);
    mpno_model *model = make_model(ctx, &config, MPNO_F32);
    mpno_discretiser *d;
    mpno_discretiser_opts opts = {.grid = {15}};
    assert_fails(ctx, mpno_discretiser_create(model, &opts, &d), MPNO_E_SHAPE,
                 "15 points on axis 0");
    opts.grid[0] = 16;
    const mpno_normalizer pixels = {.encoding = MPNO_ENCODING_PIXEL_WISE};
    opts.y = &pixels;
    assert_fails(ctx, mpno_discretiser_create(model, &opts, &d), MPNO_E_UNSUPPORTED,
                 "outputs are normalised point by point");
    opts.y = NULL;
    assert_ok(ctx, mpno_discretiser_create(model, &opts, &d));
    double x[32] = {0};
    mpno_discretisation r;
    x[3] = NAN;
    assert_int_equal(mpno_discretiser_run(d, x, &r), MPNO_E_NUMERIC);
    mpno_discretiser_destroy(&d);
    mpno_model_destroy(&model);
    config.domain_padding[0] = 0.1; /* 1 point on 8, 2 on 16, 3 on 32 */
    model = make_model(ctx, &config, MPNO_F32);
    assert_fails(ctx, mpno_discretiser_create(model, &opts, &d), MPNO_E_SHAPE, "block 0 has 20");
    config.domain_padding[0] = 0.25;
    mpno_model_destroy(&model);
    model = make_model(ctx, &config, MPNO_F32);
    assert_ok(ctx, mpno_discretiser_create(model, &opts, &d));
    x[3] = 1;
    assert_ok(ctx, mpno_discretiser_run(d, x, &r));
    mpno_discretiser_destroy(&d);
    for (int n = 0, failed = 1; failed; n += 1 + n / 8) { /* allocations that fail leave nothing */
        const size_t held = mpno_ctx_bytes(ctx);
        mpno_alloc_fail_after(ctx, n);
        const mpno_status status = mpno_discretiser_create(model, &opts, &d);
        mpno_alloc_fail_after(ctx, -1);
        failed = status != MPNO_OK;
        if (failed) {
            assert_int_equal(status, MPNO_E_MEMORY);
            assert_null(d);
        }
        mpno_discretiser_destroy(&d);
        assert_int_equal(mpno_ctx_bytes(ctx), held);
    }
    mpno_model_destroy(&model);
}

static void json_names_what_is_larger_and_what_binds(void **state) {
    mpno_ctx *ctx = *state;
    mpno_discretisation d = {.ndim = 1,
                             .grid = {64},
                             .before = 8,
                             .after = 1,
                             .size = 100,
                             .rate = 3,
                             .error = 1,
                             .lower = 0.5,
                             .upper = 1.5,
                             .n_layers = 2,
                             .layers = {{"block 0", 1, 1e-3, 0}, {"block 1", 1, 1e-4, 1e-5}}};
    mpno_value *value;
    assert_ok(ctx, mpno_discretisation_value(ctx, &d, MPNO_F16, &value)); /* u = 4.9e-4 */
    const mpno_value *layers = mpno_value_get(value, "layers");
    assert_int_equal(layers->n, 2);
    assert_string_equal(mpno_value_get_string(layers->items[0], "larger", ""), "discretisation");
    assert_string_equal(mpno_value_get_string(layers->items[1], "larger", ""), "rounding");
    assert_true(mpno_value_get_real(layers->items[0], "rounding") == 1.0 / 2048);
    assert_string_equal(mpno_value_get_string(value, "convergence", ""), "seen");
    assert_string_equal(mpno_value_get_string(value, "spectrum", ""), "f16");
    assert_true(mpno_value_get_real(value, "upper") == 1.5);
    mpno_value_destroy(ctx, &value);
    mpno_budget budget = {{1e-4, NAN, NAN}};
    assert_int_equal(mpno_budget_binds(&budget), MPNO_BUDGET_PRECISION);
    budget.part[MPNO_BUDGET_MODEL] = 2e-2;
    budget.part[MPNO_BUDGET_DISCRETISATION] = 1e-2;
    assert_int_equal(mpno_budget_binds(&budget), MPNO_BUDGET_MODEL);
    assert_ok(ctx, mpno_budget_value(ctx, &budget, &value));
    assert_string_equal(mpno_value_get_string(value, "binds", ""), "model");
    assert_true(mpno_value_get_real(value, "discretisation") == 1e-2);
    mpno_value_destroy(ctx, &value);
    budget = (mpno_budget){{NAN, NAN, NAN}};
    assert_int_equal(mpno_budget_binds(&budget), -1);
}

static int setup(void **state) {
    *state = make_ctx(2);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(interpolant_is_the_function_of_least_frequency, setup,
                                        end_context),
        cmocka_unit_test_setup_teardown(aliases_are_sums_over_multiples_of_the_points, setup,
                                        end_context),
        cmocka_unit_test_setup_teardown(linear_models_have_no_error, setup, end_context),
        cmocka_unit_test_setup_teardown(estimates_are_those_of_much_finer_grids, setup,
                                        end_context),
        cmocka_unit_test_setup_teardown(aliases_of_the_first_block_are_those_of_two_networks, setup,
                                        end_context),
        cmocka_unit_test_setup_teardown(aliases_bound_the_difference_of_answers, setup,
                                        end_context),
        cmocka_unit_test(units_formats_and_threads_change_nothing),
        cmocka_unit_test_setup_teardown(energies_verdicts_and_units_are_formulas, make_context,
                                        end_context),
        cmocka_unit_test_setup_teardown(what_does_not_fall_is_no_estimate, setup, end_context),
        cmocka_unit_test_setup_teardown(a_stabiliser_that_was_changed, setup, end_context),
        cmocka_unit_test_setup_teardown(what_cannot_be_estimated_is_refused, setup, end_context),
        cmocka_unit_test_setup_teardown(json_names_what_is_larger_and_what_binds, setup,
                                        end_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
