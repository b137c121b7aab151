/* SPDX-License-Identifier: MIT
 * Precision errors by frequency: see frequency.h. */
#include "experiment/frequency.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "graph/shells.h"
#include "model/shadow.h"
#include "number/format.h"
#include "train/config.h"
#include "train/restore.h"
#include "train/sets.h"
#include "train/spectrum.h"

enum { SAMPLES = 16, ROUNDED_SAMPLES = 256 };

/* The same weights and samples through two networks. */
typedef struct pair {
    mpno_ctx *ctx;
    mpno_restored restored;
    mpno_sets sets;
    mpno_network *narrow, *exact;
    int64_t batch;
    void *y;
    mpno_shadow shadow;
} pair;

static void close_pair(pair *p) {
    mpno_shadow_clear(&p->shadow);
    mpno_network_destroy(&p->narrow);
    mpno_network_destroy(&p->exact);
    mpno_free(p->ctx, p->y);
    mpno_sets_clear(p->ctx, &p->sets);
    mpno_restored_clear(p->ctx, &p->restored);
}

/* The network that a predictor would run, and the same without anything narrow. */
static mpno_status make_networks(pair *p, const mpno_set *set) {
    mpno_predictor_opts use = mpno_restored_opts(&p->restored);
    use.batch = SAMPLES;
    mpno_network_opts opts = mpno_predictor_network(set->data, set->n, &use);
    p->batch = opts.capacity;
    MPNO_TRY(mpno_network_create(p->restored.model, &opts, &p->narrow));
    mpno_network_opts_widen(&opts);
    opts.transform_arithmetic = MPNO_F32;
    MPNO_TRY(mpno_network_create(p->restored.model, &opts, &p->exact));
    mpno_predictor_steer(p->narrow, set->data, set->first);
    mpno_predictor_steer(p->exact, set->data, set->first);
    return MPNO_OK;
}

static mpno_status compare(pair *p) {
    const mpno_checkpoint *c = p->restored.checkpoint;
    MPNO_TRY(mpno_sets_read_tests(p->ctx, &c->settings, &c->state, &p->sets));
    MPNO_CHECK(p->ctx, p->sets.n_tests > 0, MPNO_E_CONFIG,
               "spectra are measured on the first of data.test, and there is none");
    const mpno_set *set = &p->sets.tests[0];
    const mpno_dataset *data = set->data;
    MPNO_TRY(make_networks(p, set));
    MPNO_TRY(mpno_alloc_raw(p->ctx,
                            (size_t)(p->batch * data->out_points * data->out_channels) *
                                mpno_format_bytes(data->format),
                            &p->y));
    const void *x =
        mpno_sample(data->x, data->format, data->points * data->in_channels, set->first);
    return mpno_shadow_run(p->narrow, p->exact, p->batch, x, p->y, 1.0, &p->shadow);
}

/* Whole shells are those up to the least frequency at which an axis was cut. */
static int whole_shells(const mpno_restored *r, int n_shells) {
    const mpno_fno_config *c = mpno_model_config(r->model);
    int64_t least = n_shells;
    for (int d = 0; d < c->ndim; d++)
        if ((c->n_modes[d] - 1) / 2 + 1 < least) least = (c->n_modes[d] - 1) / 2 + 1;
    return (int)least;
}

static mpno_status put_edge(const pair *p, int edge, mpno_ctx *of, mpno_value *tree) {
    const mpno_graph *graph = mpno_network_graph(p->narrow);
    const mpno_shadow_line *line = &p->shadow.edges[edge];
    const mpno_edge *e = &graph->edges[edge];
    int32_t *shell;
    double *modes;
    mpno_value *entry = NULL, *signal = NULL, *noise = NULL;
    MPNO_TRY(mpno_alloc_array(p->ctx, (size_t)e->modes, sizeof *shell, &shell));
    mpno_status status = mpno_alloc_array(p->ctx, (size_t)line->n_shells, sizeof *modes, &modes);
    (void)mpno_shells_of(graph, edge, shell);
    for (int64_t k = 0; k < e->modes && status == MPNO_OK; k++)
        if (shell[k] < line->n_shells) modes[shell[k]]++;
    if (status == MPNO_OK) status = mpno_value_set_map(of, tree, graph->layers[e->layer], &entry);
    if (status == MPNO_OK) status = mpno_value_set_list(of, entry, "signal", &signal);
    if (status == MPNO_OK) status = mpno_value_set_list(of, entry, "noise", &noise);
    const int whole = whole_shells(&p->restored, line->n_shells);
    for (int s = 0; s < whole && status == MPNO_OK; s++) {
        const double values = modes[s] * (double)(2 * p->batch * e->channels);
        status = mpno_value_append_real(of, signal, sqrt(line->shells[s].signal / values));
        if (status == MPNO_OK)
            status = mpno_value_append_real(of, noise, sqrt(line->shells[s].noise / values));
    }
    mpno_free(p->ctx, shell);
    mpno_free(p->ctx, modes);
    return status;
}

/* What the spectral weights multiply: the spectra before them, named so by the model. */
static mpno_status put_spectra(const pair *p, mpno_ctx *of, mpno_value *tree) {
    const mpno_graph *graph = mpno_network_graph(p->narrow);
    for (int e = 0; e < p->shadow.n_edges; e++)
        if (p->shadow.edges[e].n_shells > 0 && !graph->edges[e].gradient &&
            strcmp(graph->edges[e].name, "spectrum") == 0)
            MPNO_TRY(put_edge(p, e, of, tree));
    return MPNO_OK;
}

mpno_status mpno_frequency_measure(mpno_ctx *ctx, const char *run, const mpno_config *overrides,
                                   mpno_ctx *of, mpno_value **out) {
    pair p = {.ctx = ctx};
    *out = NULL;
    MPNO_TRY(mpno_restore(ctx, run, overrides, &p.restored));
    mpno_status status = compare(&p);
    if (status == MPNO_OK) status = mpno_value_map(of, out);
    if (status == MPNO_OK) status = put_spectra(&p, of, *out);
    close_pair(&p);
    if (status != MPNO_OK) mpno_value_destroy(of, out);
    return status;
}

/* ---- rounding alone ---- */

/* Squares of the modes of fields by shells: of the fields, or of what rounding adds to them. */
typedef struct shell_sums {
    double *sum, *count; /* [n] */
    int n;
} shell_sums;

/* fields: [points][fields] of f64, the channels of the spectrum. */
static void add_spectra(const mpno_spectrum *spectrum, const double *fields, shell_sums *out) {
    mpno_spectrum_transform(spectrum, MPNO_F64, fields);
    for (int64_t k = 0; k < mpno_spectrum_modes(spectrum); k++) {
        const int64_t shell = lround(mpno_spectrum_wave(spectrum, k).length);
        for (int64_t j = 0; j < spectrum->channels && shell < out->n; j++) {
            out->sum[shell] += mpno_spectrum_power(spectrum, k, j);
            out->count[shell] += 2;
        }
    }
}

/* Solutions of the set with samples (and channels) behind the points, in f64. */
static mpno_status turn_fields(mpno_ctx *ctx, const mpno_set *set, int64_t n, double **out) {
    const mpno_dataset *data = set->data;
    const int64_t points = data->out_points, channels = data->out_channels;
    double *values;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)(2 * n * points * channels), sizeof *values, out));
    values = *out + n * points * channels;
    mpno_cast(values, MPNO_F64, mpno_sample(data->y, data->format, points * channels, set->first),
              data->format, (size_t)(n * points * channels));
    for (int64_t s = 0; s < n; s++)
        for (int64_t i = 0; i < points * channels; i++)
            (*out)[(i / channels * n + s) * channels + i % channels] =
                values[s * points * channels + i];
    return MPNO_OK;
}

static mpno_status put_shells(mpno_ctx *of, mpno_value *entry, const char *key,
                              const shell_sums *sums) {
    mpno_value *list = NULL;
    MPNO_TRY(mpno_value_set_list(of, entry, key, &list));
    for (int s = 0; s < sums->n; s++)
        MPNO_TRY(mpno_value_append_real(of, list, sqrt(sums->sum[s] / sums->count[s])));
    return MPNO_OK;
}

/* One format: `rounded` has room for the fields, sums for their shells. */
static mpno_status put_format(const mpno_spectrum *spectrum, int64_t points, mpno_format format,
                              const double *fields, double *rounded, shell_sums *sums, mpno_ctx *of,
                              mpno_value *tree) {
    mpno_ctx *ctx = spectrum->ctx;
    const size_t n = (size_t)(spectrum->channels * points);
    double squares = 0;
    mpno_value *entry = NULL;
    void *narrow = NULL;
    MPNO_TRY(mpno_alloc_array(ctx, n, mpno_format_bytes(format), &narrow));
    mpno_cast(narrow, format, fields, MPNO_F64, n);
    mpno_cast(rounded, MPNO_F64, narrow, format, n);
    mpno_free(ctx, narrow);
    for (size_t i = 0; i < n; i++) {
        rounded[i] -= fields[i];
        squares += fields[i] * fields[i];
    }
    const double rms = sqrt(squares / (double)n);
    for (int what = 0; what < 2; what++) {
        memset(sums->sum, 0, (size_t)(2 * sums->n) * sizeof *sums->sum);
        add_spectra(spectrum, what == 0 ? fields : rounded, sums);
        if (what == 0)
            MPNO_TRY(mpno_value_set_map(of, tree, mpno_format_get(format)->name, &entry));
        MPNO_TRY(put_shells(of, entry, what == 0 ? "signal" : "noise", sums));
    }
    /* of a mode, both parts together; a part has 1 / sqrt 2 of it */
    return mpno_value_set_real(of, entry, "floor",
                               0.424 * mpno_format_unit(format) * rms / sqrt(2 * (double)points));
}

static mpno_status round_fields(mpno_ctx *ctx, const mpno_set *set, mpno_ctx *of,
                                mpno_value *tree) {
    static const mpno_format formats[] = {MPNO_F16, MPNO_BF16, MPNO_TF32};
    const mpno_dataset *data = set->data;
    const int64_t n = set->n < ROUNDED_SAMPLES ? set->n : ROUNDED_SAMPLES,
                  n_fields = n * data->out_channels;
    int64_t least = data->out_grid[0];
    double *fields = NULL;
    mpno_spectrum spectrum = {.ctx = ctx};
    shell_sums sums = {0};
    for (int d = 1; d < data->ndim; d++)
        if (data->out_grid[d] < least) least = data->out_grid[d];
    sums.n = (int)(least + 1) / 2;
    MPNO_CHECK(ctx, data->planes == 1 && sums.n > 3, MPNO_E_UNSUPPORTED,
               "spectra of rounded fields are for real fields of at least 6 points an axis");
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)(2 * sums.n), sizeof *sums.sum, &sums.sum));
    sums.count = sums.sum + sums.n;
    mpno_status status = turn_fields(ctx, set, n, &fields);
    if (status == MPNO_OK)
        status = mpno_spectrum_create(ctx, data->ndim, data->out_grid, data->planes, n_fields,
                                      &spectrum);
    for (size_t i = 0; i < sizeof formats / sizeof *formats && status == MPNO_OK; i++)
        status = put_format(&spectrum, data->out_points, formats[i], fields,
                            fields + n_fields * data->out_points, &sums, of, tree);
    mpno_spectrum_destroy(&spectrum);
    mpno_free(ctx, fields);
    mpno_free(ctx, sums.sum);
    return status;
}

mpno_status mpno_frequency_rounding(mpno_ctx *ctx, const char *run, mpno_ctx *of,
                                    mpno_value **out) {
    pair p = {.ctx = ctx};
    *out = NULL;
    MPNO_TRY(mpno_restore(ctx, run, NULL, &p.restored));
    const mpno_checkpoint *c = p.restored.checkpoint;
    mpno_status status = mpno_sets_read_tests(ctx, &c->settings, &c->state, &p.sets);
    if (status == MPNO_OK) status = mpno_value_map(of, out);
    if (status == MPNO_OK && p.sets.n_tests > 0)
        status = round_fields(ctx, &p.sets.tests[0], of, *out);
    close_pair(&p);
    if (status != MPNO_OK) mpno_value_destroy(of, out);
    return status;
}
