/* SPDX-License-Identifier: MIT
 * The data of a run: see sets.h. */
#include "train/sets.h"

#include <stdio.h>
#include <string.h>

#include "core/checksum.h"
#include "core/memory.h"
#include "train/augment.h"
#include "train/objective.h"

const char *mpno_grid_key(int ndim, const int64_t *grid, char *out, size_t capacity) {
    bool square = true;
    for (int d = 1; d < ndim; d++) square = square && grid[d] == grid[0];
    size_t length = 0;
    out[0] = '\0';
    for (int d = 0; d < (square ? 1 : ndim) && length < capacity; d++) {
        int more =
            snprintf(out + length, capacity - length, "%s%lld", d ? "x" : "", (long long)grid[d]);
        if (more > 0) length += (size_t)more;
    }
    return out;
}

mpno_dataset_opts mpno_sets_dataset_opts(const mpno_settings *s) {
    mpno_dataset_opts opts = MPNO_DATASET_OPTS_INIT;
    opts.x_key = s->data.x_key;
    opts.y_key = s->data.y_key;
    opts.axes = s->data.axes;
    opts.embedding_key = s->data.embedding_key;
    opts.ndim = (int)s->model.n_modes.n;
    opts.format = mpno_settings_arithmetic(s);
    opts.complex_data = s->model.complex_data;
    opts.other_grid =
        s->data.output_grid == MPNO_OUTPUT_GRID_OWN || s->model.resolution_scaling_factor.n > 0;
    return opts;
}

size_t mpno_sets_keys(const mpno_settings *s, const char *keys[3]) {
    keys[0] = s->data.x_key;
    keys[1] = s->data.y_key;
    keys[2] = s->data.embedding_key;
    return s->data.embedding_key ? 3 : 2;
}

static mpno_status read_file(mpno_ctx *ctx, const mpno_settings *s, const char *path,
                             int64_t n_samples, mpno_dataset **out) {
    mpno_dataset_opts opts = mpno_sets_dataset_opts(s);
    opts.n_samples = n_samples == MPNO_UNSET ? 0 : n_samples;
    return mpno_dataset_read(ctx, path, &opts, out);
}

/* The training data decide: a number given in the configuration must be theirs. */
static mpno_status take_channels(mpno_ctx *ctx, const char *path, const char *key, int64_t found,
                                 int64_t *given) {
    if (*given == MPNO_UNSET) *given = found;
    MPNO_CHECK(ctx, *given == found, MPNO_E_CONFIG,
               "%s is %lld, but the number of channels in %s is %lld: give that or leave the key "
               "out",
               key, (long long)*given, path, (long long)found);
    return MPNO_OK;
}

static mpno_status check_fit(mpno_ctx *ctx, const char *path, const mpno_dataset *data,
                             const mpno_settings *s) {
    MPNO_CHECK(ctx, data->in_channels == s->model.in_channels, MPNO_E_SHAPE,
               "%s: '%s' has %lld channels, the model takes %lld", path, s->data.x_key,
               (long long)data->in_channels, (long long)s->model.in_channels);
    MPNO_CHECK(ctx, data->out_channels == s->model.out_channels, MPNO_E_SHAPE,
               "%s: '%s' has %lld channels, the model gives %lld", path, s->data.y_key,
               (long long)data->out_channels, (long long)s->model.out_channels);
    MPNO_CHECK(ctx, !s->data.embedding_key || data->n_features == s->model.ada_in_features,
               MPNO_E_SHAPE, "%s: '%s' has %lld numbers a sample, the model takes %lld", path,
               s->data.embedding_key, (long long)data->n_features,
               (long long)s->model.ada_in_features);
    return MPNO_OK;
}

/* The PyTorch library takes more modes than points and ignores the surplus weights; trained on that
 * grid they stay at their random start and spoil finer grids, so that it is an error here. */
static mpno_status check_modes(mpno_ctx *ctx, const mpno_settings *s, const mpno_dataset *data) {
    for (int d = 0; d < data->ndim && s->compat == MPNO_COMPAT_NONE; d++) {
        MPNO_CHECK(ctx, s->model.n_modes.v[d] <= data->grid[d], MPNO_E_CONFIG,
                   "model.n_modes[%d] = %lld is above the %lld points of the training grid along "
                   "that axis: give at most %lld",
                   d, (long long)s->model.n_modes.v[d], (long long)data->grid[d],
                   (long long)data->grid[d]);
    }
    return MPNO_OK;
}

/* The loss on the channels and the grid of the outputs. */
static mpno_status check_loss(mpno_ctx *ctx, const mpno_settings *s, const mpno_dataset *data) {
    mpno_objective objective;
    MPNO_TRY(mpno_settings_objective(ctx, s, &objective));
    for (int d = 0; d < data->ndim; d++) {
        MPNO_CHECK(ctx, !objective.one_sided[d] || data->out_grid[d] >= MPNO_ONE_SIDED_POINTS,
                   MPNO_E_CONFIG,
                   "opt.h1_boundary: one-sided differences need %d points, but the training data "
                   "have %lld along axis %d: let it be periodic there",
                   MPNO_ONE_SIDED_POINTS, (long long)data->out_grid[d], d);
    }
    return MPNO_OK;
}

mpno_status mpno_sets_fit(mpno_ctx *ctx, mpno_settings *settings, const mpno_dataset *data) {
    MPNO_TRY(take_channels(ctx, settings->data.train, "model.in_channels", data->in_channels,
                           &settings->model.in_channels));
    MPNO_TRY(take_channels(ctx, settings->data.train, "model.out_channels", data->out_channels,
                           &settings->model.out_channels));
    if (settings->data.embedding_key)
        MPNO_TRY(take_channels(ctx, settings->data.train, "model.ada_in_features", data->n_features,
                               &settings->model.ada_in_features));
    MPNO_TRY(check_loss(ctx, settings, data));
    MPNO_TRY(check_modes(ctx, settings, data));
    return mpno_augment_check_data(ctx, settings, data);
}

static uint64_t checksum(mpno_ctx *ctx, const mpno_dataset *data) {
    mpno_crc64 *crc = NULL;
    if (mpno_alloc(ctx, sizeof *crc, &crc) != MPNO_OK) return 0;
    const size_t bytes = mpno_format_bytes(data->format);
    const size_t n = (size_t)data->n;
    mpno_crc64_start(crc);
    mpno_crc64_add(crc, data->x, n * (size_t)(data->points * data->in_channels) * bytes);
    mpno_crc64_add(crc, data->y, n * (size_t)(data->out_points * data->out_channels) * bytes);
    if (data->embedding) mpno_crc64_add(crc, data->embedding, n * (size_t)data->n_features * bytes);
    uint64_t value = mpno_crc64_value(crc);
    mpno_free(ctx, crc);
    return value;
}

static mpno_set set_of(mpno_dataset *data, int64_t first, int64_t n) {
    mpno_set set = {data, first, n, ""};
    mpno_grid_key(data->ndim, data->grid, set.key, sizeof set.key);
    return set;
}

/* Normalisers see the training samples only. */
static mpno_status fit(mpno_ctx *ctx, const mpno_settings *s, const mpno_dataset *data,
                       int64_t n_train, mpno_train_state *state) {
    state->encode_x = s->data.encode_input;
    state->encode_y = s->data.encode_output;
    if (state->encode_x) {
        MPNO_TRY(mpno_normalizer_fit(ctx, data->format, data->x,
                                     n_train * data->points * data->in_channels, &state->x));
    }
    if (state->encode_y) {
        MPNO_TRY(mpno_normalizer_fit(ctx, data->format, data->y,
                                     n_train * data->out_points * data->out_channels, &state->y));
    }
    return MPNO_OK;
}

static void encode_x(const mpno_train_state *state, mpno_dataset *data) {
    if (!state->encode_x) return;
    mpno_normalizer_encode(&state->x, data->format, data->x,
                           data->n * data->points * data->in_channels);
}

static mpno_status read_validation(mpno_ctx *ctx, mpno_settings *s, const mpno_train_state *state,
                                   mpno_sets *sets) {
    mpno_dataset *data = NULL;
    MPNO_TRY(read_file(ctx, s, s->data.validation, MPNO_UNSET, &data));
    sets->validation = set_of(data, 0, data->n);
    MPNO_TRY(check_fit(ctx, s->data.validation, data, s));
    encode_x(state, data);
    return MPNO_OK;
}

mpno_status mpno_sets_read_training(mpno_ctx *ctx, mpno_settings *settings, mpno_train_state *state,
                                    mpno_sets *sets) {
    mpno_dataset *data = NULL;
    MPNO_TRY(read_file(ctx, settings, settings->data.train, settings->data.n_train, &data));
    sets->train = set_of(data, 0, data->n);
    MPNO_TRY(mpno_sets_fit(ctx, settings, data));
    const int64_t n_validation = settings->data.n_validation;
    MPNO_CHECK(ctx, n_validation < data->n, MPNO_E_CONFIG,
               "data.n_validation = %lld leaves nothing of the %lld training samples",
               (long long)n_validation, (long long)data->n);
    const int64_t n_train = data->n - n_validation;
    sets->train.n = n_train;
    if (n_validation > 0) sets->validation = set_of(data, n_train, n_validation);
    state->data_checksum = checksum(ctx, data);
    MPNO_TRY(fit(ctx, settings, data, n_train, state));
    encode_x(state, data);
    if (state->encode_y) {
        mpno_normalizer_encode(&state->y, data->format, data->y,
                               n_train * data->out_points * data->out_channels);
    }
    if (settings->data.validation) {
        MPNO_TRY(read_validation(ctx, settings, state, sets));
    }
    return MPNO_OK;
}

mpno_status mpno_sets_read_tests(mpno_ctx *ctx, const mpno_settings *settings,
                                 const mpno_train_state *state, mpno_sets *sets) {
    const mpno_text_list *files = &settings->data.test;
    if (files->n == 0) return MPNO_OK;
    MPNO_TRY(mpno_alloc_array(ctx, files->n, sizeof *sets->tests, &sets->tests));
    for (size_t i = 0; i < files->n; i++) {
        mpno_dataset *data = NULL;
        MPNO_TRY(read_file(ctx, settings, files->v[i], settings->data.n_test, &data));
        mpno_set set = set_of(data, 0, data->n);
        int same = 1;
        const size_t length = strlen(set.key);
        for (size_t k = 0; k < i; k++) {
            const char *key = sets->tests[k].key;
            bool equal = strncmp(key, set.key, length) == 0;
            same += equal && (key[length] == '\0' || key[length] == '#');
        }
        if (same > 1) {
            snprintf(set.key + length, sizeof set.key - length, "#%d", same);
        }
        sets->tests[sets->n_tests++] = set;
        MPNO_TRY(check_fit(ctx, files->v[i], data, settings));
        encode_x(state, data);
    }
    return MPNO_OK;
}

void mpno_sets_clear(mpno_ctx *ctx, mpno_sets *sets) {
    if (sets->validation.data != sets->train.data) {
        mpno_dataset_destroy(ctx, &sets->validation.data);
    }
    mpno_dataset_destroy(ctx, &sets->train.data);
    for (size_t i = 0; i < sets->n_tests; i++) mpno_dataset_destroy(ctx, &sets->tests[i].data);
    mpno_free(ctx, sets->tests);
    *sets = (mpno_sets){0};
}
