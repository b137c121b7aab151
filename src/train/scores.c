/* SPDX-License-Identifier: MIT
 * See scores.h. The formula of each metric stands in value_of or, of bands of waves, in band_of.
 * fRMSE has PDEBench's shells: in 1-D those of the waves that are kept; else floor(|k|) of the
 * waves with 0 <= k_d < floor(N_d / 2), an orthant of all, below the least of these bounds. */
#include "train/scores.h"

#include <math.h>

#include "core/memory.h"
#include "kernel/field_kernels.h"
#include "number/format.h"
#include "train/sample_score.h"

typedef enum way { MEAN, ROOT, LARGEST, BAND } way;

static const struct {
    const char *name, *heading;
    way over;
} metrics[MPNO_N_METRICS] = {
#define X(constant, name, heading, over, what) {#name, heading, over},
#include "train/metrics.def"
#undef X
};

const char *mpno_metric_name(mpno_metric metric) {
    return metrics[metric].name;
}

const char *mpno_metric_heading(mpno_metric metric) {
    return metrics[metric].heading;
}

#define EPS 1e-8 /* of relative errors, as in mpno/loss.h */

/* Of one sample and channel. */
static double value_of(mpno_metric metric, const mpno_sample_score *s) {
    switch (metric) {
        case MPNO_METRIC_L1:
            return s->l1;
        case MPNO_METRIC_L2:
            return s->l2;
        case MPNO_METRIC_LINF:
            return s->error_max / (s->truth_max + EPS);
        case MPNO_METRIC_H1:
            return s->h1;
        case MPNO_METRIC_H1_SPECTRAL:
            return sqrt(s->error_sobolev) / (sqrt(s->truth_sobolev) + EPS);
        case MPNO_METRIC_MSE:
            return s->mse;
        case MPNO_METRIC_RMSE:
            return sqrt(s->error_square);
        case MPNO_METRIC_NRMSE:
            return sqrt(s->error_square) / sqrt(s->truth_square);
        case MPNO_METRIC_CRMSE:
            return s->error_mean;
        case MPNO_METRIC_MAX:
            return s->error_max;
        case MPNO_METRIC_BRMSE:
            return sqrt(s->boundary_square);
        case MPNO_METRIC_FRMSE_LOW:
        case MPNO_METRIC_FRMSE_MIDDLE:
        case MPNO_METRIC_FRMSE_HIGH:
        case MPNO_N_METRICS:
            break;
    }
    return NAN;
}

/* Shells first .. end - 1 of a band. */
static void band_of(mpno_metric metric, size_t n_shells, size_t *first, size_t *end) {
    enum { LOW = 4, HIGH = 12 };
    *first = metric == MPNO_METRIC_FRMSE_LOW ? 0 : metric == MPNO_METRIC_FRMSE_MIDDLE ? LOW : HIGH;
    *end = metric == MPNO_METRIC_FRMSE_LOW      ? LOW
           : metric == MPNO_METRIC_FRMSE_MIDDLE ? HIGH
                                                : n_shells;
    if (*end > n_shells) *end = n_shells;
}

static size_t shells_of(const mpno_scores_shape *shape) {
    if (shape->ndim == 1) return (size_t)(shape->grid[0] / 2 + 1);
    int64_t least = shape->grid[0] / 2;
    for (int d = 1; d < shape->ndim; d++)
        if (shape->grid[d] / 2 < least) least = shape->grid[d] / 2;
    return (size_t)least;
}

/* The shell of a wave, n_shells: none. */
static size_t shell_of(const mpno_scores *s, const mpno_wave *wave) {
    for (int d = 0; d < s->shape.ndim; d++) {
        const int64_t most = s->shape.ndim == 1 ? s->shape.grid[d] / 2 + 1 : s->shape.grid[d] / 2;
        if (wave->k[d] < 0 || wave->k[d] >= most) return s->n_shells;
    }
    const size_t shell = (size_t)floor(wave->length);
    return shell < s->n_shells ? shell : s->n_shells;
}

static mpno_status check(mpno_ctx *ctx, const mpno_scores_shape *shape,
                         const mpno_objective *norms) {
    MPNO_CHECK(ctx, shape->format == MPNO_F32 || shape->format == MPNO_F64, MPNO_E_ARGUMENT,
               "errors are computed in f32 or f64, not %s", mpno_format_get(shape->format)->name);
    MPNO_CHECK(ctx, shape->ndim >= 1 && shape->ndim <= MPNO_GRID_MAX_DIMS, MPNO_E_SHAPE,
               "a field has 1 to %d axes, found %d", MPNO_GRID_MAX_DIMS, shape->ndim);
    for (int d = 0; d < shape->ndim; d++)
        MPNO_CHECK(ctx, !norms->one_sided[d] || shape->grid[d] >= MPNO_ONE_SIDED_POINTS,
                   MPNO_E_SHAPE,
                   "H1 errors with one-sided differences need at least %d points along axis %d, "
                   "found %lld: let opt.h1_boundary be periodic there",
                   MPNO_ONE_SIDED_POINTS, d, (long long)shape->grid[d]);
    return MPNO_OK;
}

static mpno_status create(mpno_scores *s) {
    const mpno_scores_shape *shape = &s->shape;
    mpno_ctx *ctx = s->ctx;
    const size_t channels = (size_t)shape->channels, rows = (size_t)shape->n_steps * channels;
    size_t values = (size_t)shape->planes * channels;
    for (int d = 0; d < shape->ndim; d++) values *= (size_t)shape->grid[d];
    s->n_shells = shells_of(shape);
    MPNO_TRY(mpno_spectrum_create(ctx, shape->ndim, shape->grid, shape->planes, shape->channels,
                                  &s->spectrum));
    MPNO_TRY(mpno_alloc_array(ctx, values, sizeof *s->error, &s->error));
    MPNO_TRY(mpno_alloc_array(ctx, channels, sizeof *s->sample, &s->sample));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)shape->n_steps, sizeof *s->count, &s->count));
    MPNO_TRY(mpno_alloc_array(ctx, rows * MPNO_N_METRICS, sizeof *s->sum, &s->sum));
    MPNO_TRY(mpno_alloc_array(ctx, rows * s->n_shells, sizeof *s->shell, &s->shell));
    for (int f = 0; f < MPNO_N_SCORE_FIELDS; f++)
        MPNO_TRY(mpno_alloc_array(ctx, rows * s->spectrum.n_shells, sizeof(double), &s->power[f]));
    return MPNO_OK;
}

mpno_status mpno_scores_create(mpno_ctx *ctx, const mpno_scores_shape *shape,
                               const mpno_objective *norms, mpno_scores *out) {
    *out = (mpno_scores){.ctx = ctx, .shape = *shape, .norms = *norms, .spectrum = {.ctx = ctx}};
    MPNO_TRY(check(ctx, shape, norms));
    mpno_status status = create(out);
    if (status != MPNO_OK) mpno_scores_destroy(out);
    return status;
}

void mpno_scores_destroy(mpno_scores *s) {
    mpno_ctx *ctx = s->ctx;
    if (!ctx) return;
    mpno_spectrum_destroy(&s->spectrum);
    mpno_free(ctx, s->error);
    mpno_free(ctx, s->sample);
    mpno_free(ctx, s->count);
    mpno_free(ctx, s->sum);
    mpno_free(ctx, s->shell);
    for (int f = 0; f < MPNO_N_SCORE_FIELDS; f++) mpno_free(ctx, s->power[f]);
    *s = (mpno_scores){.ctx = ctx};
}

/* Shells of fRMSE, of the error that was transformed last. */
static void add_shells(mpno_scores *s, int64_t step) {
    const int64_t channels = s->shape.channels;
    for (int64_t mode = 0; mode < mpno_spectrum_modes(&s->spectrum); mode++) {
        const mpno_wave wave = mpno_spectrum_wave(&s->spectrum, mode);
        const size_t shell = shell_of(s, &wave);
        if (shell == s->n_shells) continue;
        for (int64_t c = 0; c < channels; c++)
            s->shell[(size_t)(step * channels + c) * s->n_shells + shell] +=
                mpno_spectrum_power(&s->spectrum, mode, c);
    }
}

static void add_spectra(mpno_scores *s, int64_t step, const void *prediction, const void *truth) {
    const void *const fields[MPNO_N_SCORE_FIELDS] = {truth, prediction, s->error};
    const size_t values = s->spectrum.n_shells * (size_t)s->shape.channels;
    for (int f = 0; f < MPNO_N_SCORE_FIELDS; f++) {
        mpno_spectrum_transform(&s->spectrum, f == MPNO_SCORE_ERROR ? MPNO_F64 : s->shape.format,
                                fields[f]);
        mpno_spectrum_add(&s->spectrum, s->power[f] + (size_t)step * values);
        for (int64_t c = 0; c < s->shape.channels && f != MPNO_SCORE_PREDICTION; c++) {
            mpno_sample_score *sample = &s->sample[c];
            *(f == MPNO_SCORE_ERROR ? &sample->error_sobolev : &sample->truth_sobolev) =
                mpno_sample_score_sobolev(s, c);
        }
    }
    add_shells(s, step); /* the error is the last of the fields */
}

static void add_values(mpno_scores *s, int64_t step) {
    for (int64_t c = 0; c < s->shape.channels; c++) {
        double *sum = s->sum + (step * s->shape.channels + c) * MPNO_N_METRICS;
        for (int m = 0; m < MPNO_N_METRICS; m++) {
            if (metrics[m].over == BAND) continue;
            const double value = value_of((mpno_metric)m, &s->sample[c]);
            if (metrics[m].over == LARGEST)
                sum[m] = value > sum[m] || isnan(value) ? value : sum[m];
            else
                sum[m] += metrics[m].over == ROOT ? value * value : value;
        }
    }
}

mpno_status mpno_scores_add(mpno_scores *s, int64_t step, int64_t n, const void *prediction,
                            const void *truth) {
    size_t bytes = (size_t)(s->shape.planes * s->shape.channels);
    for (int d = 0; d < s->shape.ndim; d++) bytes *= (size_t)s->shape.grid[d];
    bytes *= mpno_format_bytes(s->shape.format);
    for (int64_t i = 0; i < n; i++) {
        const void *p = (const char *)prediction + (size_t)i * bytes;
        const void *y = (const char *)truth + (size_t)i * bytes;
        MPNO_TRY(mpno_sample_score_points(s, p, y));
        add_spectra(s, step, p, y);
        add_values(s, step);
        s->count[step]++;
    }
    return MPNO_OK;
}

static double band_value(const mpno_scores *s, int64_t step, int64_t channel, mpno_metric metric) {
    const double *shell = s->shell + (size_t)(step * s->shape.channels + channel) * s->n_shells;
    size_t first, end;
    double sum = 0;
    band_of(metric, s->n_shells, &first, &end);
    if (first >= end) return NAN;
    for (size_t k = first; k < end; k++) sum += sqrt(shell[k] / (double)s->count[step]);
    return sum / (double)(end - first);
}

static double one_value(const mpno_scores *s, int64_t step, int64_t channel, mpno_metric metric) {
    const double sum = s->sum[(step * s->shape.channels + channel) * MPNO_N_METRICS + metric];
    if (s->count[step] == 0) return NAN;
    switch (metrics[metric].over) {
        case MEAN:
            return sum / (double)s->count[step];
        case ROOT:
            return sqrt(sum / (double)s->count[step]);
        case LARGEST:
            return sum;
        case BAND:
            break;
    }
    return band_value(s, step, channel, metric);
}

/* Steps or channels first .. end - 1 that an index stands for. */
static void range_of(int64_t index, int64_t n, int64_t *first, int64_t *end) {
    *first = index == MPNO_SCORES_ALL ? 0 : index;
    *end = index == MPNO_SCORES_ALL ? n : index + 1;
}

double mpno_scores_value(const mpno_scores *s, int64_t step, int64_t channel, mpno_metric metric) {
    int64_t first, end, first_channel, end_channel;
    double sum = 0;
    range_of(step, s->shape.n_steps, &first, &end);
    range_of(channel, s->shape.channels, &first_channel, &end_channel);
    for (int64_t t = first; t < end; t++)
        for (int64_t c = first_channel; c < end_channel; c++) sum += one_value(s, t, c, metric);
    return sum / (double)((end - first) * (end_channel - first_channel));
}

double mpno_scores_power(const mpno_scores *s, mpno_score_field field, int64_t step,
                         int64_t channel, size_t shell) {
    const size_t n_shells = s->spectrum.n_shells;
    int64_t first, end, first_channel, end_channel;
    double sum = 0;
    range_of(step, s->shape.n_steps, &first, &end);
    range_of(channel, s->shape.channels, &first_channel, &end_channel);
    for (int64_t t = first; t < end; t++) {
        const double *power =
            s->power[field] + ((size_t)t * n_shells + shell) * (size_t)s->shape.channels;
        for (int64_t c = first_channel; c < end_channel; c++) sum += power[c] / (double)s->count[t];
    }
    return sum / (double)((end - first) * (end_channel - first_channel));
}
