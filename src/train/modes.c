/* SPDX-License-Identifier: MIT
 * Decisions on modes: see modes.h. The modes of an axis are counted as in model.n_modes: n of them
 * are the frequencies -floor(n/2) .., and of real data those from 0 to floor(n/2) along the last
 * axis, so that floor(n/2) is the outermost. A shell of an axis is all kept modes with |k| = s
 * along it. */
#include "train/modes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "model/network.h"
#include "number/format.h"
#include "train/budget.h"
#include "train/slopes.h"

enum { PROBE_SAMPLES = 16, MAX_SHELLS = 32769 };

/* The rounding of n values to u puts this part of u rms / sqrt(n) on each mode, on average: white.
 * Measured on Gaussian data: docs/design/modes.md. */
static const double white_floor = 0.42;

/* Modes of data come in where they are so many times as large as the error would be, spread over
 * all modes: docs/design/modes.md. */
static const double above_error = 1.5;

static int64_t most_modes(const mpno_fno_config *c, int d) {
    return c->max_n_modes[d] > 0 ? c->max_n_modes[d] : c->n_modes[d];
}

mpno_status mpno_modes_check(mpno_ctx *ctx, const mpno_settings *s) {
    if (s->modes.rule == MPNO_MODES_FIXED) return MPNO_OK;
    const bool grows = s->modes.rule != MPNO_MODES_ADAPTIVE;
    MPNO_CHECK(ctx, !grows || s->model.max_n_modes.n > 0, MPNO_E_CONFIG,
               "modes.rule lets modes grow, but model.max_n_modes is missing: give the most modes "
               "of each axis, model.n_modes are those of the start");
    const bool sums = s->opt.optimizer != MPNO_OPTIMIZER_SGD || s->opt.momentum > 0;
    MPNO_CHECK(ctx, s->modes.rule != MPNO_MODES_GRAD_EXPLAINED || sums, MPNO_E_CONFIG,
               "modes.rule = grad_explained looks at the gradients that an optimiser sums up, and "
               "sgd without opt.momentum sums up none: give opt.momentum or another optimiser");
    return MPNO_OK;
}

mpno_mode_state mpno_modes_begin(const mpno_settings *s) {
    mpno_mode_state state = {.loss = {NAN, NAN}};
    int64_t most[MPNO_MAX_BLOCKS][MPNO_MAX_AXES];
    mpno_settings_most_modes(s, most);
    for (int64_t l = 0; l < s->model.n_layers && l < MPNO_MAX_BLOCKS; l++)
        for (int64_t d = 0; d < s->model.n_modes.n && d < MPNO_MAX_AXES; d++) {
            const int64_t n = s->model.n_modes.v[d];
            state.n[l][d] = most[l][d] > 0 && most[l][d] < n ? most[l][d] : n;
        }
    return state;
}

bool mpno_modes_own(const mpno_settings *s) {
    return s->modes.rule != MPNO_MODES_FIXED || s->precision.modes.n > 0;
}

mpno_status mpno_modes_check_training(mpno_ctx *ctx, const mpno_settings *s) {
    MPNO_CHECK(ctx, s->modes.rule == MPNO_MODES_FIXED || s->precision.modes.n == 0, MPNO_E_CONFIG,
               "modes.rule changes the modes of blocks while precision.modes keeps them: leave one "
               "of the two out");
    return MPNO_OK;
}

mpno_status mpno_modes_apply(const mpno_mode_state *state, mpno_model *model) {
    for (int64_t l = 0; l < mpno_model_config(model)->n_layers; l++)
        MPNO_TRY(mpno_model_set_layer_modes(model, l, state->n[l]));
    return MPNO_OK;
}

mpno_status mpno_modes_list(mpno_ctx *ctx, const mpno_model *model, mpno_value **out) {
    const mpno_fno_config *c = mpno_model_config(model);
    mpno_value *list = NULL;
    mpno_status status = mpno_value_list(ctx, &list);
    for (int64_t l = 0; l < c->n_layers && status == MPNO_OK; l++) {
        int64_t n[MPNO_MAX_AXES];
        mpno_value *layer = NULL;
        mpno_model_layer_modes(model, l, n);
        status = mpno_value_list(ctx, &layer);
        if (status == MPNO_OK) status = mpno_value_append(ctx, list, layer);
        for (int d = 0; d < c->ndim && status == MPNO_OK; d++)
            status = mpno_value_append_int(ctx, layer, n[d]);
    }
    if (status != MPNO_OK) mpno_value_destroy(ctx, &list);
    *out = list;
    return status;
}

mpno_status mpno_modes_apply_most(mpno_model *model) {
    const mpno_fno_config *c = mpno_model_config(model);
    int64_t most[MPNO_MAX_AXES];
    for (int d = 0; d < c->ndim; d++) most[d] = most_modes(c, d);
    for (int64_t l = 0; l < c->n_layers; l++) MPNO_TRY(mpno_model_set_layer_modes(model, l, most));
    return MPNO_OK;
}

bool mpno_modes_due(const mpno_settings *s, int64_t epoch) {
    const int64_t first = s->modes.rule == MPNO_MODES_ADAPTIVE ? 0 : 1;
    return s->modes.rule != MPNO_MODES_FIXED && epoch >= first && epoch % s->modes.every == 0;
}

/* ---- weights and their gradients, shell by shell ---- */

/* Along axis d of an array of modes: whether its frequencies begin at 0. */
static bool is_half(const mpno_fno_config *c, int d) {
    return d == c->ndim - 1 && !c->complex_data;
}

/* Frequencies of mode number i of an array with `size` modes along each axis. */
static void frequencies(const mpno_fno_config *c, const int64_t *size, int64_t i, int64_t *k) {
    for (int d = c->ndim - 1; d >= 0; d--) {
        k[d] = i % size[d] - (is_half(c, d) ? 0 : size[d] / 2);
        i /= size[d];
    }
}

static bool is_constant(const mpno_fno_config *c, const int64_t *k) {
    bool zero = true;
    for (int d = 0; d < c->ndim; d++) zero = zero && k[d] == 0;
    return zero;
}

static bool within(const mpno_fno_config *c, const int64_t *n, const int64_t *k) {
    bool inside = true;
    for (int d = 0; d < c->ndim; d++)
        inside = inside && k[d] >= (is_half(c, d) ? 0 : -(n[d] / 2)) &&
                 k[d] <= (is_half(c, d) ? n[d] / 2 : n[d] - n[d] / 2 - 1);
    return inside;
}

/* The dense weight of a block in the outside order: [in][out][modes..] complex. */
static mpno_status find_weight(mpno_ctx *ctx, const mpno_model *model, int64_t layer, int *param) {
    char name[64];
    snprintf(name, sizeof name, "fno_blocks.convs.%lld.weight.tensor", (long long)layer);
    *param = mpno_model_find_param(model, name);
    MPNO_CHECK(ctx, *param >= 0, MPNO_E_UNSUPPORTED,
               "modes.rule and precision.modes are for dense spectral weights here, and this model "
               "has none named %s: leave them or the factorisation out",
               name);
    return MPNO_OK;
}

static int64_t weight_modes(const mpno_fno_config *c, const mpno_param_info *info, int64_t *size) {
    int64_t modes = 1;
    for (int d = 0; d < c->ndim; d++) modes *= size[d] = info->shape[info->ndim - c->ndim + d];
    return modes;
}

mpno_status mpno_modes_zero_unused(mpno_ctx *ctx, const mpno_settings *s, mpno_model *model) {
    const mpno_fno_config *c = mpno_model_config(model);
    int64_t most[MPNO_MAX_BLOCKS][MPNO_MAX_AXES];
    if (!mpno_modes_own(s)) return MPNO_OK;
    mpno_settings_most_modes(s, most);
    for (int64_t l = 0; l < c->n_layers; l++) {
        int64_t size[MPNO_MAX_AXES], k[MPNO_MAX_AXES], used[MPNO_MAX_AXES];
        double *values;
        int param;
        mpno_model_layer_modes(model, l, used);
        for (int d = 0; d < c->ndim; d++)
            if (most[l][d] > 0 && most[l][d] < used[d]) used[d] = most[l][d];
        MPNO_TRY(find_weight(ctx, model, l, &param));
        const mpno_param_info info = mpno_model_param_info(model, param);
        const int64_t modes = weight_modes(c, &info, size);
        MPNO_TRY(mpno_alloc_array(ctx, info.count, sizeof *values, &values));
        mpno_model_get_param(model, param, values);
        for (size_t i = 0; i < info.count; i += 2) {
            frequencies(c, size, (int64_t)(i / 2) % modes, k);
            if (!within(c, used, k)) values[i] = values[i + 1] = 0;
        }
        mpno_model_set_param(model, param, values);
        mpno_free(ctx, values);
    }
    return MPNO_OK;
}

/* Squares of a block's modes, summed up by shells of one axis, and how many modes each has. */
typedef struct shells {
    double *sum, *count; /* [MAX_SHELLS] */
} shells;

static mpno_status open_shells(mpno_ctx *ctx, shells *s) {
    *s = (shells){0};
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)2 * MAX_SHELLS, sizeof *s->sum, &s->sum));
    s->count = s->sum + MAX_SHELLS;
    return MPNO_OK;
}

static void add_to_shell(shells *s, int64_t k, double square, double count) {
    const int64_t shell = k < 0 ? -k : k;
    s->sum[shell] += square;
    s->count[shell] += count;
}

static double mean_of_shell(const shells *s, int64_t shell) {
    return s->count[shell] > 0 ? s->sum[shell] / s->count[shell] : 0;
}

/* The optimiser's mean gradient of a block's weight by shells of axis d. */
static mpno_status gradient_shells(const mpno_mode_probe *p, int64_t layer, int d, shells *out) {
    const mpno_fno_config *c = mpno_model_config(p->model);
    int64_t size[MPNO_MAX_AXES], k[MPNO_MAX_AXES];
    double *values;
    int param;
    MPNO_TRY(find_weight(p->ctx, p->model, layer, &param));
    const mpno_param_info info = mpno_model_param_info(p->model, param);
    const int64_t modes = weight_modes(c, &info, size);
    MPNO_TRY(mpno_alloc_array(p->ctx, info.count, sizeof *values, &values));
    const mpno_status status = mpno_optimizer_get_state(p->optimizer, 0, param, values);
    memset(out->sum, 0, (size_t)2 * MAX_SHELLS * sizeof *out->sum);
    for (size_t i = 0; i < info.count && status == MPNO_OK; i += 2) {
        frequencies(c, size, (int64_t)(i / 2) % modes, k);
        add_to_shell(out, k[d], values[i] * values[i] + values[i + 1] * values[i + 1], 1);
    }
    mpno_free(p->ctx, values);
    return status;
}

/* Whether the shells of n modes, without an outer part of modes.buffer modes, hold less than
 * modes.explained of all. */
static bool outer_modes_matter(const mpno_settings *s, const shells *strength, int64_t n) {
    const int64_t inner = (n - s->modes.buffer) / 2;
    double explained = 0, all = 0;
    for (int64_t shell = 0; shell <= n / 2; shell++) {
        all += strength->sum[shell];
        if (shell <= inner) explained += strength->sum[shell];
    }
    return all > 0 && explained < s->modes.explained * all;
}

/* ---- signal and noise of the spectra ---- */

/* Networks with all modes, whose spectra are compared: under the policy, and in full; and the data
 * that the error of the exact one is compared with. */
typedef struct comparison {
    mpno_network *exact, *narrow; /* narrow: NULL under policy full */
    void *y;                      /* predictions: of `exact` at the end */
    int64_t n;                    /* samples */
    int64_t grid[MPNO_MAX_AXES];  /* of y */
    mpno_slopes inputs, targets;
    double error; /* slopes of the error of predictions over those of the targets, squared */
} comparison;

static void close_comparison(mpno_ctx *ctx, comparison *c) {
    mpno_network_destroy(&c->exact);
    mpno_network_destroy(&c->narrow);
    mpno_free(ctx, c->y);
    mpno_slopes_clear(&c->inputs);
    mpno_slopes_clear(&c->targets);
}

static int64_t prediction_values(const mpno_model *model, const int64_t *grid) {
    const mpno_fno_config *c = mpno_model_config(model);
    int64_t values = c->out_channels * (c->complex_data ? 2 : 1);
    for (int d = 0; d < c->ndim; d++) values *= grid[d];
    return values;
}

static mpno_status run_network(const mpno_mode_probe *p, const mpno_network_opts *opts,
                               comparison *c, mpno_network **out) {
    MPNO_TRY(mpno_network_create(p->model, opts, out));
    mpno_network_output_grid(*out, c->grid);
    if (c->y == NULL)
        MPNO_TRY(mpno_alloc_array(p->ctx, (size_t)(c->n * prediction_values(p->model, c->grid)),
                                  mpno_format_bytes(mpno_model_arithmetic(p->model)), &c->y));
    mpno_network_set_embedding(*out, p->embedding);
    return mpno_network_forward(*out, c->n, p->x, c->y);
}

static mpno_network_opts comparison_opts(const mpno_network_opts *training, int64_t samples) {
    mpno_network_opts opts = *training;
    opts.training = opts.input_gradient = false;
    opts.keep_spectra = true;
    opts.capacity = samples < PROBE_SAMPLES ? samples : PROBE_SAMPLES;
    opts.micro_batch = 0;
    return opts;
}

mpno_status mpno_modes_need(const mpno_settings *s, mpno_model *model,
                            const mpno_network_opts *training, int64_t samples, size_t *bytes) {
    mpno_network_opts opts = comparison_opts(training, samples);
    size_t narrow, exact;
    *bytes = 0;
    if (s->modes.rule != MPNO_MODES_ADAPTIVE) return MPNO_OK;
    MPNO_TRY(mpno_network_need(model, &opts, &narrow));
    mpno_network_opts_widen(&opts);
    MPNO_TRY(mpno_network_need(model, &opts, &exact));
    /* one sample, and its transform, of inputs, targets and errors in f64; all predictions */
    const mpno_fno_config *c = mpno_model_config(model);
    const int64_t channels = c->in_channels > c->out_channels ? c->in_channels : c->out_channels;
    int64_t values = channels * (c->complex_data ? 2 : 1);
    for (int d = 0; d < c->ndim; d++)
        values *= opts.grid[d] > opts.output_grid[d] ? opts.grid[d] : opts.output_grid[d];
    *bytes = narrow + exact + (size_t)(values * (8 + opts.capacity)) * sizeof(double);
    return MPNO_OK;
}

static mpno_status measure_data(const mpno_mode_probe *p, comparison *c) {
    const mpno_fno_config *config = mpno_model_config(p->model);
    mpno_slope_fields fields = {.data = p->x,
                                .format = mpno_model_arithmetic(p->model),
                                .n = c->n,
                                .channels = config->in_channels,
                                .ndim = config->ndim,
                                .planes = config->complex_data ? 2 : 1,
                                .grid = p->opts->grid};
    mpno_slopes error = {0};
    MPNO_TRY(mpno_slopes_measure(p->ctx, &fields, NULL, &c->inputs));
    fields.data = p->y;
    fields.channels = config->out_channels;
    fields.grid = c->grid;
    MPNO_TRY(mpno_slopes_measure(p->ctx, &fields, NULL, &c->targets));
    const mpno_status status = mpno_slopes_measure(p->ctx, &fields, c->y, &error);
    c->error = error.sum / c->targets.sum;
    mpno_slopes_clear(&error);
    return status;
}

static mpno_status compare(const mpno_mode_probe *p, comparison *c) {
    mpno_network_opts opts = comparison_opts(p->opts, p->n);
    *c = (comparison){.n = opts.capacity};
    const bool narrow = strcmp(opts.policy, "full") != 0 || opts.storage.exceptions != NULL;
    if (narrow) MPNO_TRY(run_network(p, &opts, c, &c->narrow));
    mpno_network_opts_widen(&opts);
    MPNO_TRY(run_network(p, &opts, c, &c->exact));
    return measure_data(p, c);
}

/* Squares of mode i of a spectrum, and of its difference from another one, summed over samples and
 * channels. */
static void mode_squares(const mpno_spectrum_view *a, const mpno_spectrum_view *b, int64_t samples,
                         int64_t i, double *values, double *square, double *difference) {
    const int64_t n = samples * 2 * a->channels;
    const size_t at = (size_t)(i * n);
    double *others = values + n;
    mpno_spectrum_read(a, at, n, values);
    if (b != NULL) mpno_spectrum_read(b, at, n, others);
    *square = *difference = 0;
    for (int64_t j = 0; j < n; j++) {
        const double d = b != NULL ? others[j] - values[j] : 0;
        *square += values[j] * values[j];
        *difference += d * d;
    }
}

/* By shells of axis d, over the modes that the block uses along the other axes. Where nothing is
 * stored narrow, the noise is the white floor of the arithmetic. level: what a mode would have if
 * all but the constant had the same. */
static mpno_status spectrum_shells(const mpno_mode_probe *p, const comparison *c, int64_t layer,
                                   const int64_t *used, int d, shells *signal, shells *noise,
                                   double *level) {
    const mpno_fno_config *config = mpno_model_config(p->model);
    const mpno_spectrum_view exact = mpno_network_spectrum(c->exact, layer);
    mpno_spectrum_view narrow;
    if (c->narrow != NULL) narrow = mpno_network_spectrum(c->narrow, layer);
    int64_t modes = 1, k[MPNO_MAX_AXES], n[MPNO_MAX_AXES];
    double *values, square, difference, energy = 0, constant = 0;
    const double count = (double)(c->n * exact.channels);
    const int last = config->ndim - 1;
    MPNO_TRY(
        mpno_alloc_array(p->ctx, (size_t)(4 * c->n * exact.channels), sizeof *values, &values));
    memset(signal->sum, 0, (size_t)2 * MAX_SHELLS * sizeof *signal->sum);
    memset(noise->sum, 0, (size_t)2 * MAX_SHELLS * sizeof *noise->sum);
    for (int e = 0; e < config->ndim; e++) {
        modes *= exact.kept[e];
        n[e] = e == d ? INT32_MAX : used[e];
    }
    for (int64_t i = 0; i < modes; i++) {
        frequencies(config, exact.kept, i, k);
        mode_squares(&exact, c->narrow != NULL ? &narrow : NULL, c->n, i, values, &square,
                     &difference);
        const bool twice = is_half(config, last) && k[last] > 0;
        energy += (twice ? 2 : 1) * square / count;
        if (is_constant(config, k)) constant += square / count;
        if (!within(config, n, k)) continue;
        add_to_shell(signal, k[d], square / count, 1);
        add_to_shell(noise, k[d], difference / count, 1);
    }
    mpno_free(p->ctx, values);
    *level = (energy - constant) / (double)exact.points;
    const double u = mpno_format_unit(mpno_model_arithmetic(p->model));
    const double floor = white_floor * u * white_floor * u * energy / (double)exact.points;
    for (int64_t shell = 0; c->narrow == NULL && shell < MAX_SHELLS; shell++)
        noise->sum[shell] = floor * noise->count[shell];
    return MPNO_OK;
}

/* What a mode would have if all had the same. */
static double level_of(const mpno_slopes *data) {
    return data->sum / (double)data->points;
}

/* Of inputs or targets, by shells of axis d as in spectrum_shells. A padded block meets the field
 * with zeros around it, and so at higher frequencies. */
static void data_shells(const mpno_mode_probe *p, const mpno_slopes *data, const int64_t *used,
                        int d, shells *out) {
    const mpno_fno_config *config = mpno_model_config(p->model);
    int64_t n[MPNO_MAX_AXES];
    memset(out->sum, 0, (size_t)2 * MAX_SHELLS * sizeof *out->sum);
    for (int e = 0; e < config->ndim; e++) n[e] = e == d ? INT32_MAX : used[e];
    for (int64_t i = 0; i < mpno_spectrum_modes(&data->spectrum); i++) {
        mpno_wave wave = mpno_spectrum_wave(&data->spectrum, i);
        for (int e = 0; e < config->ndim; e++)
            wave.k[e] = llround((double)wave.k[e] * (1 + 2 * config->domain_padding[e]));
        if (within(config, n, wave.k)) add_to_shell(out, wave.k[d], data->power[i], 1);
    }
}

/* Whether one of the shells first .. last stands above `times` the noise. */
static bool stands_out(const shells *signal, const shells *noise, int64_t first, int64_t last,
                       double times) {
    bool out = false;
    for (int64_t s = first; s <= last && s < MAX_SHELLS; s++)
        out = out || (signal->count[s] > 0 &&
                      mean_of_shell(signal, s) > times * times * mean_of_shell(noise, s));
    return out;
}

/* ---- the rules ---- */

/* Shells of a decision, of whatever the rule looks at. */
typedef struct decision {
    const mpno_mode_probe *probe;
    const mpno_mode_state *state;
    comparison comparison;
    shells first, second, inputs, targets;
} decision;

/* By which the error will fall until the end of the epoch, judged by the training loss so far. */
static double expected_fall(const mpno_mode_state *state) {
    const double *loss = state->loss;
    if (!(loss[0] > 0)) return 1;
    if (!(loss[1] > 0)) return 0.5;
    return loss[0] < loss[1] ? loss[0] / loss[1] : 1;
}

/* The outermost shell of axis d that is to come in, 0: none. It must stand above the noise of the
 * formats in the block by the margin, and above the error that the network will have in the
 * targets, or in both the inputs and the block. */
static int64_t outermost(decision *d, const int64_t *used, int axis, double level) {
    const comparison *c = &d->comparison;
    const double margin = d->probe->settings->modes.margin;
    const double times = above_error * expected_fall(d->state);
    const double error = times * times * c->error;
    data_shells(d->probe, &c->inputs, used, axis, &d->inputs);
    data_shells(d->probe, &c->targets, used, axis, &d->targets);
    int64_t shell = MAX_SHELLS - 1;
    for (; shell > 0; shell--)
        if (stands_out(&d->first, &d->second, shell, shell, margin) &&
            (mean_of_shell(&d->targets, shell) > error * level_of(&c->targets) ||
             (mean_of_shell(&d->inputs, shell) > error * level_of(&c->inputs) &&
              mean_of_shell(&d->first, shell) > error * level)))
            break;
    return shell;
}

/* The modes of axis d of a block from now on. */
static mpno_status choose(decision *d, int64_t layer, const int64_t *used, int axis, int64_t *n) {
    const mpno_mode_probe *p = d->probe;
    const mpno_settings *s = p->settings;
    const double *loss = d->state->loss;
    const int64_t step = s->modes.step;
    double level;
    *n = used[axis];
    switch ((mpno_mode_rule)s->modes.rule) {
        case MPNO_MODES_FIXED:
            break;
        case MPNO_MODES_LOSS_GAP:
            if (fabs(loss[1] - loss[0]) <= s->modes.loss_gap * fabs(loss[1])) *n += step;
            break;
        case MPNO_MODES_GRAD_EXPLAINED:
            MPNO_TRY(gradient_shells(p, layer, axis, &d->first));
            if (outer_modes_matter(s, &d->first, *n)) *n += step;
            break;
        case MPNO_MODES_ADAPTIVE:
            MPNO_TRY(spectrum_shells(p, &d->comparison, layer, used, axis, &d->first, &d->second,
                                     &level));
            if (*n > step && !stands_out(&d->first, &d->second, (*n - step) / 2 + 1, *n / 2, 1))
                *n -= step;
            else
                for (const int64_t shell = outermost(d, used, axis, level); *n / 2 < shell;)
                    *n += step;
            break;
    }
    return MPNO_OK;
}

/* Of each block; at most as many as there are weights and points for. */
static mpno_status choose_all(decision *d, mpno_mode_state *next) {
    const mpno_mode_probe *p = d->probe;
    const mpno_fno_config *c = mpno_model_config(p->model);
    for (int64_t l = 0; l < c->n_layers; l++) {
        const int64_t *used = d->state->n[l];
        for (int e = 0; e < c->ndim; e++) {
            const int64_t weights = most_modes(c, e), points = p->opts->grid[e];
            const int64_t most = weights < points ? weights : points;
            MPNO_TRY(choose(d, l, used, e, &next->n[l][e]));
            if (next->n[l][e] > most) next->n[l][e] = most > used[e] ? most : used[e];
        }
    }
    return MPNO_OK;
}

mpno_status mpno_modes_decide(const mpno_mode_probe *probe, mpno_mode_state *state, bool *changed) {
    const bool compares = probe->settings->modes.rule == MPNO_MODES_ADAPTIVE;
    decision d = {.probe = probe, .state = state};
    mpno_mode_state next = *state;
    mpno_status status = open_shells(probe->ctx, &d.first);
    if (status == MPNO_OK) status = open_shells(probe->ctx, &d.second);
    if (status == MPNO_OK) status = open_shells(probe->ctx, &d.inputs);
    if (status == MPNO_OK) status = open_shells(probe->ctx, &d.targets);
    if (status == MPNO_OK && compares) {
        status = mpno_modes_apply_most(probe->model);
        if (status == MPNO_OK) status = compare(probe, &d.comparison);
    }
    if (status == MPNO_OK) status = choose_all(&d, &next);
    close_comparison(probe->ctx, &d.comparison);
    mpno_free(probe->ctx, d.first.sum);
    mpno_free(probe->ctx, d.second.sum);
    mpno_free(probe->ctx, d.inputs.sum);
    mpno_free(probe->ctx, d.targets.sum);
    MPNO_TRY(status);
    *changed = memcmp(next.n, state->n, sizeof next.n) != 0;
    *state = next;
    return mpno_modes_apply(state, probe->model);
}
