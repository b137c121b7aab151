/* SPDX-License-Identifier: MIT
 * What a certificate is made of, and checked with: see proof.h. */
#include "train/proof.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "data/readers.h"
#include "data/select.h"
#include "model/network.h"
#include "train/objective.h"
#include "train/tolerance.h"

void mpno_proof_next(mpno_proof *p) {
    mpno_dataset_destroy(p->ctx, &p->input);
    mpno_free(p->ctx, p->answer);
    mpno_free(p->ctx, p->exact);
    p->answer = p->exact = NULL;
    for (int i = 0; i < MPNO_N_DISTANCES; i++) {
        mpno_certified_distance *d = &p->certificate.distance[i];
        d->lower = d->upper = d->size_lower = d->size_upper = d->shadow = NAN;
    }
    p->certificate.n_layers = 0;
}

void mpno_proof_clear(mpno_proof *p) {
    mpno_proof_next(p);
    mpno_certifier_destroy(&p->certifier);
    mpno_certificate_clear(p->ctx, &p->certificate);
    mpno_restored_clear(p->ctx, &p->restored);
}

mpno_status mpno_proof_start(mpno_ctx *ctx, const char *path, mpno_proof *out) {
    char sum[MPNO_SHA256_TEXT];
    *out = (mpno_proof){.ctx = ctx};
    mpno_certificate *c = &out->certificate;
    mpno_status status = mpno_certificate_start(ctx, c);
    if (status == MPNO_OK) status = mpno_certificate_set(ctx, &c->checkpoint.path, path);
    if (status == MPNO_OK) status = mpno_sha256_of_file(ctx, path, &c->checkpoint.bytes, sum);
    if (status == MPNO_OK) status = mpno_certificate_set(ctx, &c->checkpoint.sha256, sum);
    if (status != MPNO_OK) mpno_proof_clear(out);
    return status;
}

mpno_status mpno_proof_restore(mpno_proof *p, const mpno_config *overrides, const char *data,
                               const mpno_sink *sink) {
    return mpno_restore_planned(p->ctx, p->certificate.checkpoint.path, overrides, data, sink,
                                &p->restored);
}

/* -------- the input -------- */

/* Entry `entry` of a data file (a sample, or a trajectory) in `format`, encoded or as it is. */
static mpno_status read_entry(const mpno_proof *p, const char *path, int64_t entry, bool encoded,
                              bool *has_truth, mpno_dataset **out) {
    mpno_ctx *ctx = p->ctx;
    mpno_tensor_file *file = NULL;
    int64_t available;
    MPNO_TRY(mpno_restored_select(ctx, &p->restored, path, entry, 1, &available, &file));
    mpno_status status = MPNO_OK;
    if (entry >= available)
        status = mpno_fail(ctx, MPNO_E_CONFIG, "%s: there is no sample %lld: '%s' has %lld", path,
                           (long long)entry, p->restored.checkpoint->settings.data.x_key,
                           (long long)available);
    if (status == MPNO_OK)
        status =
            encoded ? mpno_restored_dataset(ctx, &p->restored, path, file, has_truth, out)
                    : mpno_restored_fields(ctx, &p->restored, path, file, MPNO_F64, has_truth, out);
    mpno_tensor_file_destroy(ctx, &file);
    return status;
}

/* A trajectory gives several samples: the entry that holds sample `sample`, read, and where. */
static mpno_status read_sample(const mpno_proof *p, const char *path, int64_t sample, bool encoded,
                               bool *has_truth, mpno_dataset **out, int64_t *at) {
    const bool time = p->restored.checkpoint->settings.data.time_in != MPNO_UNSET;
    *at = 0;
    MPNO_TRY(read_entry(p, path, time ? 0 : sample, encoded, has_truth, out));
    if (!time) return MPNO_OK;
    const int64_t windows = (*out)->n;
    *at = sample % windows;
    if (sample / windows == 0) return MPNO_OK;
    mpno_dataset_destroy(p->ctx, out);
    return read_entry(p, path, sample / windows, encoded, has_truth, out);
}

/* Where number i of a computed field (channels last, complex numbers as planes) stands in data
 * files: channels first, complex numbers as pairs. */
static int64_t place_in_file(int64_t i, int64_t points, int64_t planes, int64_t channels) {
    const int64_t channel = i % channels, row = i / channels;
    return (channel * points + row / planes) * planes + row % planes;
}

/* From the one order to the other; back where `back`. */
static void reorder(const mpno_dataset *d, int64_t rows, int64_t channels, bool back,
                    const double *from, double *to) {
    for (int64_t i = 0; i < rows * channels; i++) {
        const int64_t file = place_in_file(i, rows / d->planes, d->planes, channels);
        to[back ? i : file] = from[back ? file : i];
    }
}

static mpno_int_list shape_of(int64_t channels, int ndim, const int64_t *grid) {
    mpno_int_list shape = {ndim + 1, {channels}};
    for (int d = 0; d < ndim; d++) shape.v[1 + d] = grid[d];
    return shape;
}

const double *mpno_proof_input(const mpno_proof *p) {
    return mpno_sample(p->input->x, MPNO_F64, p->input->points * p->input->in_channels, p->at);
}

const double *mpno_proof_steering(const mpno_proof *p) {
    return p->input->embedding
               ? mpno_sample(p->input->embedding, MPNO_F64, p->input->n_features, p->at)
               : NULL;
}

static mpno_status sum_input(mpno_proof *p) {
    const mpno_dataset *d = p->input;
    mpno_certified_sample *s = &p->certificate.input;
    const double *extra = mpno_proof_steering(p);
    double *values;
    char sum[MPNO_SHA256_TEXT];
    s->shape = shape_of(d->in_channels, d->ndim, d->grid);
    s->is_complex = d->planes == 2;
    MPNO_TRY(
        mpno_alloc_array(p->ctx, (size_t)(d->points * d->in_channels), sizeof *values, &values));
    reorder(d, d->points, d->in_channels, false, mpno_proof_input(p), values);
    const mpno_status status = mpno_certificate_sum_sample(p->ctx, &s->shape, s->is_complex, values,
                                                           extra ? d->n_features : 0, extra, sum);
    mpno_free(p->ctx, values);
    MPNO_TRY(status);
    return mpno_certificate_set(p->ctx, &s->sha256, sum);
}

mpno_status mpno_proof_read_input(mpno_proof *p, const char *path, int64_t sample) {
    mpno_certified_sample *s = &p->certificate.input;
    s->sample = sample;
    MPNO_TRY(mpno_certificate_set(p->ctx, &s->path, path));
    MPNO_TRY(mpno_certificate_set(p->ctx, &s->key, p->restored.checkpoint->settings.data.x_key));
    MPNO_TRY(read_sample(p, path, sample, false, &p->has_truth, &p->input, &p->at));
    memcpy(p->output_grid, p->input->out_grid, sizeof p->output_grid);
    return sum_input(p);
}

/* Extents from 1 on, one an axis, of entry `key` of a plan. */
static mpno_status read_grid(const mpno_proof *p, const mpno_value *plan, const char *key,
                             int64_t *grid, int64_t *points) {
    const mpno_value *list = mpno_value_get(plan, key);
    const int64_t ndim = mpno_model_config(p->restored.model)->ndim;
    bool fits = list != NULL && list->kind == MPNO_VALUE_LIST && (int64_t)list->n == ndim;
    *points = 1;
    for (int64_t d = 0; fits && d < ndim; d++) {
        grid[d] = list->items[d]->integer;
        fits = list->items[d]->kind == MPNO_VALUE_INT && grid[d] >= 1 &&
               grid[d] <= INT32_MAX / *points;
        *points *= fits ? grid[d] : 1;
    }
    MPNO_CHECK(p->ctx, fits, MPNO_E_FORMAT,
               "plan.%s is no list of %lld extents: the certificate was changed after it was made",
               key, (long long)ndim);
    return MPNO_OK;
}

mpno_status mpno_proof_read_grids(mpno_proof *p, const mpno_value *plan) {
    const mpno_fno_config *c = mpno_model_config(p->restored.model);
    mpno_dataset *d = NULL;
    mpno_dataset_destroy(p->ctx, &p->input);
    MPNO_TRY(mpno_alloc(p->ctx, sizeof *d, &d));
    p->input = d;
    p->at = 0;
    p->has_truth = false;
    d->n = d->windows = 1;
    d->ndim = (int)c->ndim;
    d->planes = c->complex_data ? 2 : 1;
    d->in_channels = c->in_channels;
    d->out_channels = c->out_channels;
    d->format = MPNO_F64;
    MPNO_TRY(read_grid(p, plan, "grid", d->grid, &d->points));
    MPNO_TRY(read_grid(p, plan, "output_grid", d->out_grid, &d->out_points));
    d->points *= d->planes;
    d->out_points *= d->planes;
    memcpy(p->output_grid, d->out_grid, sizeof p->output_grid);
    return MPNO_OK;
}

/* -------- the answer -------- */

static int64_t answer_values(const mpno_proof *p) {
    int64_t n = p->input->out_channels * p->input->planes;
    for (int d = 0; d < p->input->ndim; d++) n *= p->output_grid[d];
    return n;
}

static mpno_status sum_answer(mpno_proof *p) {
    const mpno_dataset *d = p->input;
    mpno_certified_sample *s = &p->certificate.answer;
    char sum[MPNO_SHA256_TEXT];
    s->shape = shape_of(d->out_channels, d->ndim, p->output_grid);
    s->is_complex = d->planes == 2;
    MPNO_TRY(
        mpno_certificate_sum_sample(p->ctx, &s->shape, s->is_complex, p->answer, 0, NULL, sum));
    return mpno_certificate_set(p->ctx, &s->sha256, sum);
}

/* y, or the only tensor there is: files of NumPy give it no name. */
static mpno_status find_answers(mpno_ctx *ctx, const char *path, char *key, size_t capacity,
                                int64_t *n) {
    mpno_tensor_file *list = NULL;
    const mpno_named_tensor *y = NULL;
    MPNO_TRY(mpno_tensor_file_list(ctx, path, NULL, &list));
    mpno_status status = MPNO_OK;
    if (list->n == 1)
        y = &list->tensors[0];
    else
        status = mpno_tensor_file_require(ctx, list, "y", &y);
    if (status != MPNO_OK)
        mpno_fail_in(ctx, status, "%s", path);
    else if (y->ndim < 1 || strlen(y->name) >= capacity)
        status = mpno_fail(ctx, MPNO_E_SHAPE,
                           "%s: '%.40s' is no list of answers: give a file that mpno predict wrote",
                           path, y->name);
    if (status == MPNO_OK) {
        snprintf(key, capacity, "%s", y->name);
        *n = y->shape[0];
    }
    mpno_tensor_file_destroy(ctx, &list);
    return status;
}

static mpno_status take_answer(mpno_proof *p, const char *path, const mpno_named_tensor *y) {
    const mpno_dataset *d = p->input;
    char found[128];
    MPNO_CHECK(p->ctx,
               y->ndim == d->ndim + 2 && y->shape[1] == d->out_channels &&
                   mpno_element_is_complex(y->element) == (d->planes == 2),
               MPNO_E_SHAPE,
               "%s: '%s' has shape %s%s, expected samples, %lld channels and a grid of %d axes%s",
               path, y->name, mpno_shape_text(y->ndim, y->shape, found, sizeof found),
               mpno_element_is_complex(y->element) ? " (complex)" : "", (long long)d->out_channels,
               d->ndim, d->planes == 2 ? " of complex numbers" : "");
    for (int i = 0; i < d->ndim; i++) p->output_grid[i] = y->shape[2 + i];
    const int64_t n = answer_values(p);
    MPNO_CHECK(p->ctx, n > 0, MPNO_E_SHAPE, "%s: '%s' is empty", path, y->name);
    MPNO_TRY(mpno_alloc_array(p->ctx, (size_t)n, sizeof *p->answer, &p->answer));
    return mpno_named_tensor_values(p->ctx, y, 0, n / d->planes, MPNO_F64, p->answer);
}

mpno_status mpno_proof_read_answer(mpno_proof *p, const char *path) {
    mpno_certified_sample *s = &p->certificate.answer;
    mpno_tensor_file *file = NULL;
    char key[256];
    const char *keys[1] = {key};
    int64_t n = 0;
    MPNO_TRY(find_answers(p->ctx, path, key, sizeof key, &n));
    s->sample = n == 1 ? 0 : p->certificate.input.sample;
    MPNO_CHECK(p->ctx, s->sample < n, MPNO_E_CONFIG,
               "%s: there is no answer %lld: '%s' has %lld, expected one or as many as inputs",
               path, (long long)s->sample, key, (long long)n);
    MPNO_TRY(mpno_certificate_set(p->ctx, &s->path, path));
    MPNO_TRY(mpno_certificate_set(p->ctx, &s->key, key));
    mpno_select_opts wanted = {
        .n = 1, .n_required = 1, .keys = keys, .first = s->sample, .n_samples = 1};
    MPNO_TRY(mpno_tensor_file_select(p->ctx, path, &wanted, &file));
    const mpno_status status = take_answer(p, path, &file->tensors[0]);
    mpno_tensor_file_destroy(p->ctx, &file);
    MPNO_TRY(status);
    return sum_answer(p);
}

static mpno_status keep(mpno_proof *p, const mpno_predictor *predictor) {
    const mpno_dataset *d = p->input;
    const int64_t n = predictor->points * d->out_channels;
    double *values;
    memcpy(p->output_grid, predictor->grid, sizeof p->output_grid);
    MPNO_TRY(mpno_alloc_array(p->ctx, (size_t)n, sizeof *p->answer, &p->answer));
    MPNO_TRY(mpno_alloc_array(p->ctx, (size_t)n, sizeof *values, &values));
    mpno_cast(values, MPNO_F64, predictor->y, predictor->data->format, (size_t)n);
    reorder(d, predictor->points, d->out_channels, false, values, p->answer);
    mpno_free(p->ctx, values);
    return mpno_certificate_set(p->ctx, &p->certificate.environment.bf16_products,
                                mpno_network_bf16_products(predictor->network));
}

/* The sample as the network gets it, and where in it. */
static mpno_status read_encoded(const mpno_proof *p, mpno_dataset **encoded, int64_t *at) {
    const mpno_certified_sample *s = &p->certificate.input;
    bool has_truth;
    MPNO_TRY(read_sample(p, s->path, s->sample, true, &has_truth, encoded, at));
    memcpy((*encoded)->out_grid, p->output_grid, sizeof p->output_grid);
    return MPNO_OK;
}

/* The network that the sample runs through, made for it alone; encoded (owned) goes with it. */
static mpno_status make_network(const mpno_proof *p, mpno_dataset **encoded, mpno_predictor *out) {
    const mpno_predictor_opts opts = mpno_restored_opts(&p->restored);
    int64_t at;
    MPNO_TRY(read_encoded(p, encoded, &at));
    const mpno_status status =
        mpno_predictor_create(p->restored.model, p->ctx, *encoded, 1, &opts, out);
    if (status != MPNO_OK) mpno_dataset_destroy(p->ctx, encoded);
    return status;
}

mpno_status mpno_proof_run(mpno_proof *p) {
    mpno_dataset *encoded = NULL;
    mpno_predictor predictor;
    MPNO_TRY(make_network(p, &encoded, &predictor));
    mpno_status status = mpno_predictor_run(&predictor, p->at, 1);
    if (status == MPNO_OK) status = keep(p, &predictor);
    mpno_predictor_destroy(&predictor);
    mpno_dataset_destroy(p->ctx, &encoded);
    return status == MPNO_OK ? sum_answer(p) : status;
}

static mpno_status fill_answer(const mpno_proof *p, mpno_tensor_file *file) {
    const mpno_dataset *d = p->input;
    const bool wide = mpno_model_arithmetic(p->restored.model) == MPNO_F64;
    const mpno_element real = wide ? MPNO_ELEMENT_F64 : MPNO_ELEMENT_F32,
                       element = d->planes == 1 ? real
                                 : wide         ? MPNO_ELEMENT_C128
                                                : MPNO_ELEMENT_C64;
    const mpno_int_list shape = shape_of(d->out_channels, d->ndim, p->output_grid);
    int64_t extents[MPNO_MAX_DIMS] = {1};
    for (int64_t i = 0; i < shape.n; i++) extents[1 + i] = shape.v[i];
    mpno_named_tensor *y;
    MPNO_TRY(mpno_tensor_file_add(p->ctx, file, "y", element, d->ndim + 2, extents, &y));
    mpno_cast(y->data, wide ? MPNO_F64 : MPNO_F32, p->answer, MPNO_F64, (size_t)answer_values(p));
    return MPNO_OK;
}

mpno_status mpno_proof_write_answer(const mpno_proof *p, const char *path) {
    mpno_tensor_file *file = NULL;
    MPNO_TRY(mpno_tensor_file_create(p->ctx, &file));
    mpno_status status = fill_answer(p, file);
    if (status == MPNO_OK) status = mpno_tensor_file_write(p->ctx, path, file);
    mpno_tensor_file_destroy(p->ctx, &file);
    return status;
}

/* -------- where the error comes from -------- */

/* Site by site; a network of the sample for each. */
typedef struct trial {
    const mpno_proof *proof;
    mpno_dataset *encoded; /* owned */
    int64_t at;
    mpno_predictor_opts opts; /* of the answer's network */
} trial;

static mpno_status open_trial(const mpno_proof *p, trial *t) {
    *t = (trial){.proof = p, .opts = mpno_restored_opts(&p->restored)};
    return read_encoded(p, &t->encoded, &t->at);
}

/* L2 with the measure of the norms, of what the predictor gave from the exact answer. */
static double distance_of(const trial *t, const mpno_predictor *predictor) {
    const mpno_proof *p = t->proof;
    const mpno_dataset *d = t->encoded;
    const int64_t n = predictor->points * d->out_channels, points = predictor->points / d->planes;
    double sum = 0, cell = 1;
    for (int64_t i = 0; i < n; i++) {
        const int64_t file = place_in_file(i, points, d->planes, d->out_channels);
        double value;
        mpno_cast(&value, MPNO_F64, mpno_sample(predictor->y, d->format, 1, i), d->format, 1);
        sum += (value - p->exact[file]) * (value - p->exact[file]);
    }
    for (int a = 0; a < d->ndim; a++)
        cell *= (t->opts.norms.measure[a] > 0 ? t->opts.norms.measure[a] : 1) /
                (double)predictor->grid[a];
    return sqrt(cell * sum);
}

/* exceptions: to `full`; NULL: none. */
static mpno_status try_storage(const trial *t, const char *exceptions, double *distance) {
    const mpno_proof *p = t->proof;
    mpno_predictor_opts opts = t->opts;
    mpno_predictor predictor;
    opts.policy = "full";
    opts.storage.exceptions = exceptions;
    MPNO_TRY(mpno_predictor_create(p->restored.model, p->ctx, t->encoded, 1, &opts, &predictor));
    const mpno_status status = mpno_predictor_run(&predictor, t->at, 1);
    *distance = status == MPNO_OK ? distance_of(t, &predictor) : NAN;
    mpno_predictor_destroy(&predictor);
    return status == MPNO_E_NUMERIC ? MPNO_OK : status;
}

/* Kinds of tensors that the answer's network stores otherwise than in full, layer by layer: by its
 * policy, which may speak of some that a layer does not have. */
static mpno_status list_sites(const trial *t, mpno_proof_site *sites, int *n) {
    static const mpno_role roles[] = {MPNO_ROLE_TRANSFORM_IN,    MPNO_ROLE_COLUMNS,
                                      MPNO_ROLE_WEIGHT_SPECTRAL, MPNO_ROLE_SPECTRUM,
                                      MPNO_ROLE_TRANSFORM_OUT,   MPNO_ROLE_WEIGHT_LINEAR,
                                      MPNO_ROLE_ACTIVATION};
    const mpno_proof *p = t->proof;
    const mpno_format base = mpno_model_arithmetic(p->restored.model);
    mpno_predictor predictor;
    *n = 0;
    MPNO_TRY(mpno_predictor_create(p->restored.model, p->ctx, t->encoded, 1, &t->opts, &predictor));
    for (int i = 0; i < mpno_network_n_layers(predictor.network); i++)
        for (size_t k = 0; k < sizeof roles / sizeof roles[0] && *n < MPNO_MOST_SITES; k++) {
            const char *layer = mpno_network_layer(predictor.network, i).layer;
            const mpno_storage s =
                mpno_policy_storage(mpno_network_policy(predictor.network), roles[k], false, layer);
            mpno_proof_site *site = &sites[*n];
            if (s.format == base) continue;
            snprintf(site->layer, sizeof site->layer, "%s", layer);
            snprintf(site->role, sizeof site->role, "%s", mpno_role_text(roles[k], false));
            site->format = mpno_format_get(s.format)->name;
            (*n)++;
        }
    mpno_predictor_destroy(&predictor);
    return MPNO_OK;
}

mpno_status mpno_proof_sites(const mpno_proof *p, mpno_proof_site *sites, int *n,
                             double *arithmetic) {
    trial t;
    int listed = 0;
    *n = 0;
    mpno_status status = open_trial(p, &t);
    if (status == MPNO_OK) status = try_storage(&t, NULL, arithmetic);
    if (status == MPNO_OK) status = list_sites(&t, sites, &listed);
    for (int i = 0; i < listed && status == MPNO_OK; i++) {
        char exception[96];
        snprintf(exception, sizeof exception, "%s/%s=%s", sites[i].layer, sites[i].role,
                 sites[i].format);
        status = try_storage(&t, exception, &sites[i].distance);
        if (sites[i].distance != *arithmetic) sites[(*n)++] = sites[i]; /* else there is none */
    }
    mpno_dataset_destroy(p->ctx, &t.encoded);
    return status;
}

/* -------- the plan -------- */

/* Keys that say where files are and how fast something runs change no answer. */
static bool is_kept(const char *key) {
    static const char *const others[] = {"output",      "n_threads",      "memory_limit",
                                         "micro_batch", "recompute",      "data.train",
                                         "data.test",   "data.validation"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(key, others[i]) == 0) return false;
    return strncmp(key, "report.", 7) != 0 && strncmp(key, "checkpoint.", 11) != 0;
}

/* What policy auto chose stands there as if it had been given, so that it is not planned again. */
static bool is_chosen(const mpno_restored *r, const char *key) {
    static const char *const chosen[] = {
        "precision.policy",   "precision.format",  "precision.arithmetic", "precision.storage",
        "precision.rounding", "precision.scaling", "precision.modes"};
    for (size_t i = 0; r->planned != NULL && i < sizeof chosen / sizeof chosen[0]; i++)
        if (strcmp(key, chosen[i]) == 0) return true;
    return false;
}

static mpno_status put_overrides(mpno_ctx *ctx, const mpno_restored *r,
                                 const mpno_config *overrides, mpno_value *plan) {
    const mpno_field *fields = mpno_settings_fields();
    mpno_value *map = NULL;
    MPNO_TRY(mpno_value_set_map(ctx, plan, "overrides", &map));
    for (size_t i = 0; i < mpno_settings_n_fields(); i++) {
        mpno_value *value = NULL;
        const bool chosen = is_chosen(r, fields[i].key),
                   given = overrides != NULL && overrides->touched[i] && is_kept(fields[i].key);
        if (!chosen && !given) continue;
        MPNO_TRY(mpno_field_value(
            ctx, &fields[i], chosen ? &r->checkpoint->settings : &overrides->settings, &value));
        MPNO_TRY(mpno_value_set(ctx, map, fields[i].key, value));
    }
    return MPNO_OK;
}

static mpno_status set_overrides(mpno_ctx *ctx, const mpno_value *map, mpno_config *config) {
    for (size_t k = 0; map && k < map->n; k++) {
        const mpno_field *fields = mpno_settings_fields(), *field = NULL;
        MPNO_TRY(mpno_fields_find(ctx, map->keys[k], fields, mpno_settings_n_fields(), &field));
        MPNO_CHECK(ctx, is_kept(field->key), MPNO_E_FORMAT, "%s does not belong there", field->key);
        MPNO_TRY(mpno_field_set(ctx, field, map->items[k], &config->settings));
        config->touched[field - fields] = true;
    }
    return MPNO_OK;
}

mpno_status mpno_proof_overrides(mpno_ctx *ctx, const mpno_value *plan, mpno_config **out) {
    const mpno_value *map = mpno_value_get(plan, "overrides");
    MPNO_CHECK(ctx, map != NULL && map->kind == MPNO_VALUE_MAP, MPNO_E_FORMAT,
               "plan.overrides is not a map: the certificate was changed after it was made");
    MPNO_TRY(mpno_config_load(ctx, NULL, out));
    const mpno_status status = set_overrides(ctx, map, *out);
    if (status == MPNO_OK) return MPNO_OK;
    mpno_config_destroy(out);
    return mpno_fail_in(ctx, status, "plan.overrides");
}

static mpno_status put_choice(mpno_ctx *ctx, mpno_value *map, const char *name,
                              const mpno_settings *s, const char *key) {
    char text[64];
    return mpno_value_set_text(ctx, map, name, mpno_settings_choice(s, key, text, sizeof text));
}

static mpno_status put_grid(mpno_ctx *ctx, mpno_value *map, const char *key, int ndim,
                            const int64_t *grid) {
    mpno_value *list = NULL;
    MPNO_TRY(mpno_value_set_list(ctx, map, key, &list));
    for (int d = 0; d < ndim; d++) MPNO_TRY(mpno_value_append_int(ctx, list, grid[d]));
    return MPNO_OK;
}

static mpno_status put_norms(mpno_ctx *ctx, const mpno_objective *norms, int ndim,
                             mpno_value *plan) {
    mpno_value *boundary = NULL, *measure = NULL, *text = NULL;
    MPNO_TRY(mpno_value_set_list(ctx, plan, "boundary", &boundary));
    MPNO_TRY(mpno_value_set_list(ctx, plan, "measure", &measure));
    for (int d = 0; d < ndim; d++) {
        MPNO_TRY(mpno_value_string(ctx, norms->one_sided[d] ? "one-sided" : "periodic", &text));
        MPNO_TRY(mpno_value_append(ctx, boundary, text));
        MPNO_TRY(
            mpno_value_append_real(ctx, measure, norms->measure[d] > 0 ? norms->measure[d] : 1));
    }
    return MPNO_OK;
}

static mpno_status fill_plan(const mpno_proof *p, const mpno_config *overrides, mpno_value *plan) {
    mpno_ctx *ctx = p->ctx;
    const mpno_restored *r = &p->restored;
    const mpno_settings *s = &r->checkpoint->settings;
    const mpno_predictor_opts opts = mpno_restored_opts(r);
    const int ndim = p->input->ndim;
    MPNO_TRY(mpno_value_set_text(ctx, plan, "policy", r->policy));
    MPNO_TRY(mpno_value_set_text(ctx, plan, "half", mpno_format_get(r->half)->name));
    MPNO_TRY(mpno_value_set_text(ctx, plan, "arithmetic",
                                 mpno_format_get(mpno_model_arithmetic(r->model))->name));
    MPNO_TRY(mpno_value_set_text(ctx, plan, "transforms", mpno_format_get(opts.arithmetic)->name));
    MPNO_TRY(mpno_value_set_text(ctx, plan, "storage", opts.storage.exceptions));
    MPNO_TRY(put_choice(ctx, plan, "rounding", s, "precision.rounding"));
    MPNO_TRY(put_choice(ctx, plan, "scaling", s, "precision.scaling"));
    MPNO_TRY(put_choice(ctx, plan, "amax", s, "precision.amax"));
    MPNO_TRY(
        mpno_value_set_text(ctx, plan, "stabilizer",
                            mpno_stabilizer_get(mpno_model_config(r->model)->stabilizer)->name));
    MPNO_TRY(
        mpno_value_set_text(ctx, plan, "weights", mpno_settings_use_ema(s) ? "ema" : "trained"));
    MPNO_TRY(mpno_value_set_text(ctx, plan, "embedding_key", s->data.embedding_key));
    MPNO_TRY(put_grid(ctx, plan, "grid", ndim, p->input->grid));
    MPNO_TRY(put_grid(ctx, plan, "output_grid", ndim, p->output_grid));
    MPNO_TRY(put_norms(ctx, &opts.norms, ndim, plan));
    return put_overrides(ctx, r, overrides, plan);
}

mpno_status mpno_proof_make_plan(mpno_proof *p, const mpno_config *overrides) {
    mpno_value *plan = NULL;
    MPNO_TRY(mpno_value_map(p->ctx, &plan));
    const mpno_status status = fill_plan(p, overrides, plan);
    if (status == MPNO_OK) return mpno_certificate_set_plan(p->ctx, plan, &p->certificate);
    mpno_value_destroy(p->ctx, &plan);
    return status;
}

/* -------- the bounds -------- */

mpno_status mpno_proof_look_around(mpno_proof *p, const mpno_float_environment *around) {
    mpno_certificate *c = &p->certificate;
    p->trouble = mpno_proof_trouble(around);
    MPNO_TRY(mpno_certificate_set(p->ctx, &c->environment.mpno, mpno_version()));
    MPNO_TRY(mpno_certificate_set(p->ctx, &c->environment.isa, mpno_ctx_isa(p->ctx)));
    MPNO_TRY(mpno_certificate_set(p->ctx, &c->environment.rounding, around->rounding));
    c->environment.threads = p->ctx->n_threads;
    c->environment.flush_to_zero = around->flush_to_zero;
    c->environment.denormals_are_zero = around->denormals_are_zero;
    return MPNO_OK;
}

const char *mpno_proof_trouble(const mpno_float_environment *around) {
    if (strcmp(around->rounding, "nearest") != 0)
        return "the processor is not set to round to nearest, as the bounds assume: see what sets "
               "another rounding (fesetround) in this process";
    if (around->flush_to_zero || around->denormals_are_zero)
        return "the processor is set to take subnormal numbers for zero, which the bounds do not "
               "cover: see what was built with -ffast-math in this process";
    return NULL;
}

/* One serves all samples of a grid, but where a vector steers the model it is that of one. */
static mpno_status make_certifier(mpno_proof *p) {
    const mpno_dataset *d = p->input;
    if (p->certifier != NULL && mpno_proof_steering(p) == NULL) return MPNO_OK;
    mpno_certifier_destroy(&p->certifier);
    return mpno_restored_certifier(&p->restored, d, p->output_grid, mpno_proof_steering(p),
                                   &p->certifier);
}

static mpno_status run_certifier(mpno_proof *p, mpno_point *out) {
    const mpno_dataset *d = p->input;
    const int64_t n = answer_values(p);
    double *answer = NULL;
    MPNO_TRY(mpno_alloc_array(p->ctx, (size_t)n, sizeof *answer, &answer));
    reorder(d, n / d->out_channels, d->out_channels, true, p->answer, answer);
    mpno_status status = make_certifier(p);
    if (status == MPNO_OK)
        status = mpno_certifier_run(p->certifier, mpno_proof_input(p), answer, out);
    if (status == MPNO_OK)
        status = mpno_alloc_array(p->ctx, (size_t)n, sizeof *p->exact, &p->exact);
    if (status == MPNO_OK)
        reorder(d, n / d->out_channels, d->out_channels, false, mpno_certifier_answer(p->certifier),
                p->exact);
    mpno_free(p->ctx, answer);
    return status;
}

mpno_status mpno_proof_decide(mpno_proof *p, mpno_verdict verdict, const char *claim,
                              const char *reason) {
    p->certificate.verdict = (int)verdict;
    MPNO_TRY(mpno_certificate_set(p->ctx, &p->certificate.claim.text, claim));
    return mpno_certificate_set(p->ctx, &p->certificate.reason, reason);
}

double mpno_proof_model_error(const mpno_proof *p) {
    const mpno_dataset *d = p->input;
    double sum = 0, size = 0;
    if (p->exact == NULL || !p->has_truth) return NAN;
    for (int i = 0; i < d->ndim; i++)
        if (d->out_grid[i] != p->output_grid[i]) return NAN;
    const double *truth = mpno_sample(d->y, MPNO_F64, d->out_points * d->out_channels, p->at);
    const int64_t points = d->out_points / d->planes;
    for (int64_t i = 0; i < d->out_points * d->out_channels; i++) {
        const int64_t file = place_in_file(i, points, d->planes, d->out_channels);
        sum += (truth[i] - p->exact[file]) * (truth[i] - p->exact[file]);
        size += p->exact[file] * p->exact[file];
    }
    return size > 0 ? sqrt(sum / size) : NAN;
}

/* A copy, since judging may fail with a sentence of its own. */
static mpno_status judge_without(mpno_proof *p, const char *trouble) {
    char *copy = NULL;
    MPNO_TRY(mpno_strdup(p->ctx, trouble, &copy));
    const mpno_status status = mpno_certificate_judge(p->ctx, copy, &p->certificate);
    mpno_free(p->ctx, copy);
    return status;
}

mpno_status mpno_proof_measure(mpno_proof *p) {
    mpno_point *point = NULL;
    if (p->trouble != NULL) return judge_without(p, p->trouble);
    MPNO_TRY(mpno_alloc(p->ctx, sizeof *point, &point));
    mpno_status status = run_certifier(p, point);
    if (status == MPNO_OK) {
        status = mpno_certificate_set_point(p->ctx, point, &p->certificate);
        if (status == MPNO_OK) status = mpno_certificate_judge(p->ctx, NULL, &p->certificate);
    } else if (status == MPNO_E_ARGUMENT || status == MPNO_E_NUMERIC ||
               status == MPNO_E_UNSUPPORTED) {
        status = judge_without(p, mpno_ctx_error(p->ctx));
    }
    mpno_free(p->ctx, point);
    return status;
}
