/* SPDX-License-Identifier: MIT
 * The data of a run: see sets.h. */
#include "train/sets.h"

#include <stdio.h>
#include <string.h>

#include "core/checksum.h"
#include "core/memory.h"
#include "train/augment.h"
#include "train/objective.h"
#include "train/rollout.h"

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
    opts.time = mpno_settings_time(s);
    opts.complex_data = s->model.complex_data;
    opts.other_grid =
        s->data.output_grid == MPNO_OUTPUT_GRID_OWN || s->model.resolution_scaling_factor.n > 0;
    return opts;
}

mpno_dataset_opts mpno_sets_training_opts(const mpno_settings *s) {
    mpno_dataset_opts opts = mpno_sets_dataset_opts(s);
    opts.time.unroll = s->rollout.steps;
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
               "out; all training files have the same",
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
static mpno_status check_modes(mpno_ctx *ctx, const mpno_settings *s, const char *path,
                               const mpno_dataset *data) {
    for (int d = 0; d < data->ndim && s->compat == MPNO_COMPAT_NONE; d++) {
        char key[64];
        MPNO_CHECK(ctx, s->model.n_modes.v[d] <= data->grid[d], MPNO_E_CONFIG,
                   "model.n_modes[%d] = %lld is above the %lld points of a training grid along "
                   "that axis, %s at %s: give at most %lld",
                   d, (long long)s->model.n_modes.v[d], (long long)data->grid[d], path,
                   mpno_grid_key(data->ndim, data->grid, key, sizeof key),
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

mpno_status mpno_sets_fit(mpno_ctx *ctx, mpno_settings *settings, const char *path, int64_t n,
                          const mpno_dataset *data) {
    MPNO_CHECK(ctx, settings->data.n_validation < n, MPNO_E_CONFIG,
               "data.n_validation = %lld leaves nothing of the %lld training samples of %s",
               (long long)settings->data.n_validation, (long long)n, path);
    MPNO_TRY(take_channels(ctx, path, "model.in_channels", data->in_channels,
                           &settings->model.in_channels));
    MPNO_TRY(take_channels(ctx, path, "model.out_channels", data->out_channels / data->unroll,
                           &settings->model.out_channels));
    if (settings->data.embedding_key)
        MPNO_TRY(take_channels(ctx, path, "model.ada_in_features", data->n_features,
                               &settings->model.ada_in_features));
    MPNO_TRY(check_loss(ctx, settings, data));
    MPNO_TRY(check_modes(ctx, settings, path, data));
    MPNO_TRY(mpno_rollout_check_data(ctx, settings, data));
    return mpno_augment_check_data(ctx, settings, data);
}

mpno_status mpno_sets_subsample(mpno_ctx *ctx, const mpno_settings *settings, const char *path,
                                mpno_dataset **whole, mpno_dataset **out, size_t *n) {
    const mpno_int_list *factors = &settings->data.train_subsampling;
    mpno_status status = MPNO_OK;
    bool kept = factors->n == 0;
    *n = 0;
    if (kept) out[(*n)++] = *whole;
    for (int64_t i = 0; i < factors->n && status == MPNO_OK; i++) {
        if (factors->v[i] == 1) {
            out[(*n)++] = *whole;
            kept = true;
            continue;
        }
        status = mpno_dataset_subsample(ctx, *whole, factors->v[i], &out[*n]);
        if (status == MPNO_OK) (*n)++;
    }
    if (!kept) mpno_dataset_destroy(ctx, whole);
    *whole = NULL;
    if (status == MPNO_OK) return MPNO_OK;
    while (*n > 0) mpno_dataset_destroy(ctx, &out[--*n]);
    return mpno_fail_in(ctx, status, "data.train_subsampling: %s", path);
}

static uint64_t checksum(mpno_ctx *ctx, const mpno_sets *sets) {
    mpno_crc64 *crc = NULL;
    if (mpno_alloc(ctx, sizeof *crc, &crc) != MPNO_OK) return 0;
    mpno_crc64_start(crc);
    for (size_t i = 0; i < sets->n_train; i++) {
        const mpno_dataset *data = sets->train[i].data;
        const size_t n = (size_t)data->n * mpno_format_bytes(data->format);
        mpno_crc64_add(crc, data->x, n * (size_t)(data->points * data->in_channels));
        mpno_crc64_add(crc, data->y, n * (size_t)(data->out_points * data->out_channels));
        if (data->embedding) mpno_crc64_add(crc, data->embedding, n * (size_t)data->n_features);
    }
    uint64_t value = mpno_crc64_value(crc);
    mpno_free(ctx, crc);
    return value;
}

/* Adds a range of a dataset to an array of sets, under a key that no other has. */
static void add_set(mpno_set *sets, size_t *n, mpno_dataset *data, int64_t first, int64_t samples) {
    mpno_set *set = &sets[(*n)++];
    *set = (mpno_set){data, NULL, first, samples, ""};
    mpno_grid_key(data->ndim, data->grid, set->key, sizeof set->key);
    const size_t length = strlen(set->key);
    int same = 1;
    for (const mpno_set *other = sets; other < set; other++) {
        const char *key = other->key;
        const bool equal = strncmp(key, set->key, length) == 0;
        same += equal && (key[length] == '\0' || key[length] == '#');
    }
    if (same > 1) snprintf(set->key + length, sizeof set->key - length, "#%d", same);
}

static mpno_values values_of(const mpno_set *set, const void *data, int64_t sample) {
    return (mpno_values){mpno_sample(data, set->data->format, sample, set->first), set->n * sample};
}

static mpno_field_layout layout_of(const mpno_dataset *data, const int64_t *grid,
                                   int64_t channels) {
    mpno_field_layout layout = {.ndim = data->ndim, .planes = data->planes, .channels = channels};
    for (int d = 0; d < data->ndim; d++) layout.grid[d] = grid[d];
    return layout;
}

static mpno_status fit_one(mpno_ctx *ctx, const mpno_settings *s, const mpno_dataset *data,
                           const int64_t *grid, int64_t channels, const mpno_values *parts,
                           size_t n, mpno_normalizer *out) {
    const mpno_field_layout layout = layout_of(data, grid, channels);
    return mpno_normalizer_fit_parts(ctx, (mpno_encoding)s->data.encoding, &layout, data->format,
                                     parts, n, out);
}

static mpno_status check_pixel_wise(mpno_ctx *ctx, const mpno_settings *s, const mpno_sets *sets) {
    for (size_t i = 0; i < sets->n_train && s->data.encoding == MPNO_ENCODING_PIXEL_WISE; i++)
        MPNO_CHECK(ctx, mpno_sets_twin(sets, i) == 0, MPNO_E_CONFIG,
                   "data.encoding = pixel-wise needs all training data on one grid, found %s and "
                   "%s: give data.encoding=channel-wise",
                   sets->train[0].key, sets->train[i].key);
    return MPNO_OK;
}

/* Normalisers see the training samples only, of all resolutions. The targets of a roll-out stand
 * behind each other at each point, as rows of the model's channels. */
static mpno_status fit(mpno_ctx *ctx, const mpno_settings *s, const mpno_sets *sets,
                       mpno_train_state *state) {
    const size_t n = sets->n_train;
    const mpno_dataset *one = sets->train[0].data;
    mpno_values *x = NULL, *y = NULL;
    MPNO_TRY(check_pixel_wise(ctx, s, sets));
    MPNO_TRY(mpno_alloc_array(ctx, 2 * n, sizeof *x, &x));
    y = x + n;
    for (size_t i = 0; i < n; i++) {
        const mpno_dataset *data = sets->train[i].data;
        x[i] = values_of(&sets->train[i], data->x, data->points * data->in_channels);
        y[i] = values_of(&sets->train[i], data->y, data->out_points * data->out_channels);
    }
    mpno_status status = MPNO_OK;
    if (state->encode_x)
        status = fit_one(ctx, s, one, one->grid, one->in_channels, x, n, &state->x);
    if (status == MPNO_OK && state->encode_y)
        status =
            fit_one(ctx, s, one, one->out_grid, one->out_channels / one->unroll, y, n, &state->y);
    mpno_free(ctx, x);
    return status;
}

/* Inputs encoded, in a file that the normalisers fit. */
static mpno_status encode_x(mpno_ctx *ctx, const mpno_train_state *state, const char *path,
                            mpno_dataset *data) {
    mpno_status status = MPNO_OK;
    if (state->encode_x)
        status = mpno_normalizer_check_grid(ctx, &state->x, "inputs", data->ndim, data->grid);
    if (status == MPNO_OK && state->encode_y)
        status = mpno_normalizer_check_grid(ctx, &state->y, "outputs", data->ndim, data->out_grid);
    if (status != MPNO_OK) return mpno_fail_in(ctx, status, "%s", path);
    if (state->encode_x)
        mpno_normalizer_encode(&state->x, data->format, data->x,
                               data->n * data->points * data->in_channels);
    return MPNO_OK;
}

/* The end of a training file of which `used` samples (trajectories) are used, at each resolution,
 * as data of their own. */
static mpno_status read_ends(mpno_ctx *ctx, const mpno_settings *s, const char *path, int64_t used,
                             mpno_sets *sets) {
    mpno_dataset_opts opts = mpno_sets_dataset_opts(s);
    mpno_dataset *whole = NULL, *parts[MPNO_MAX_INTS];
    size_t n = 0;
    opts.n_samples = s->data.n_validation;
    opts.offset = used - s->data.n_validation;
    MPNO_TRY(mpno_dataset_read(ctx, path, &opts, &whole));
    mpno_status status = mpno_sets_subsample(ctx, s, path, &whole, parts, &n);
    for (size_t i = 0; i < n; i++)
        add_set(sets->validation, &sets->n_validation, parts[i], 0, parts[i]->n);
    return status;
}

/* A training file at all its resolutions. */
static mpno_status read_training(mpno_ctx *ctx, mpno_settings *s, const char *path,
                                 mpno_sets *sets) {
    mpno_dataset *whole = NULL, *parts[MPNO_MAX_INTS];
    const size_t first = sets->n_train;
    size_t n = 0;
    mpno_dataset_opts opts = mpno_sets_training_opts(s);
    opts.n_samples = s->data.n_train == MPNO_UNSET ? 0 : s->data.n_train;
    MPNO_TRY(mpno_dataset_read(ctx, path, &opts, &whole));
    MPNO_TRY(mpno_sets_subsample(ctx, s, path, &whole, parts, &n));
    for (size_t i = 0; i < n; i++)
        add_set(sets->train, &sets->n_train, parts[i], 0,
                parts[i]->n - s->data.n_validation * parts[i]->windows);
    for (size_t i = first; i < sets->n_train; i++) {
        const mpno_set *set = &sets->train[i];
        MPNO_TRY(mpno_sets_fit(ctx, s, path, set->data->n / set->data->windows, set->data));
        if (s->data.n_validation > 0 && s->rollout.steps == 1)
            add_set(sets->validation, &sets->n_validation, set->data, set->n,
                    s->data.n_validation * set->data->windows);
    }
    /* one step at a time, unlike what is trained on */
    if (s->data.n_validation == 0 || s->rollout.steps == 1) return MPNO_OK;
    const mpno_dataset *data = sets->train[first].data;
    return read_ends(ctx, s, path, data->n / data->windows, sets);
}

static mpno_status read_validation(mpno_ctx *ctx, mpno_settings *s, const mpno_train_state *state,
                                   mpno_sets *sets) {
    mpno_dataset *data = NULL;
    MPNO_TRY(read_file(ctx, s, s->data.validation, MPNO_UNSET, &data));
    add_set(sets->validation, &sets->n_validation, data, 0, data->n);
    MPNO_TRY(check_fit(ctx, s->data.validation, data, s));
    return encode_x(ctx, state, s->data.validation, data);
}

static bool is_training(const mpno_sets *sets, const mpno_dataset *data) {
    for (size_t i = 0; i < sets->n_train; i++)
        if (sets->train[i].data == data) return true;
    return false;
}

/* Validation data that are not part of training data. */
static mpno_status encode_ends(mpno_ctx *ctx, const mpno_train_state *state,
                               const mpno_sets *sets) {
    for (size_t i = 0; i < sets->n_validation; i++)
        if (!is_training(sets, sets->validation[i].data))
            MPNO_TRY(encode_x(ctx, state, "the training data", sets->validation[i].data));
    return MPNO_OK;
}

/* -------- training data that stay in their files -------- */

/* One pass over a feed: normalisers see it, as they see data in memory. */
static mpno_status scan(mpno_ctx *ctx, const mpno_sets *sets, mpno_train_state *state,
                        mpno_moments *x, mpno_moments *y) {
    uint64_t all = 0;
    for (size_t i = 0; i < sets->n_train; i++) {
        uint64_t one = 0;
        MPNO_TRY(mpno_feed_scan(ctx, sets->train[i].feed, state->encode_x ? x : NULL,
                                state->encode_y ? y : NULL, &one));
        all = 31 * all + one;
    }
    state->data_checksum = all;
    return MPNO_OK;
}

static mpno_status fit_feeds(mpno_ctx *ctx, const mpno_settings *s, const mpno_sets *sets,
                             mpno_train_state *state) {
    const mpno_encoding encoding = (mpno_encoding)s->data.encoding;
    const mpno_dataset *one = sets->train[0].data;
    mpno_field_layout in = layout_of(one, one->grid, one->in_channels),
                      out = layout_of(one, one->out_grid, one->out_channels / one->unroll);
    mpno_moments *m;
    MPNO_TRY(mpno_alloc_array(ctx, 2, sizeof *m, &m));
    mpno_status status = mpno_moments_start(ctx, encoding, &in, &m[0]);
    if (status == MPNO_OK) status = mpno_moments_start(ctx, encoding, &out, &m[1]);
    if (status == MPNO_OK) status = scan(ctx, sets, state, &m[0], &m[1]);
    if (status == MPNO_OK && state->encode_x) status = mpno_moments_finish(ctx, &m[0], &state->x);
    if (status == MPNO_OK && state->encode_y) status = mpno_moments_finish(ctx, &m[1], &state->y);
    for (int i = 0; i < 2; i++) mpno_moments_discard(ctx, &m[i]);
    mpno_free(ctx, m);
    return status;
}

static mpno_status open_feeds(mpno_ctx *ctx, mpno_settings *s, mpno_train_state *state,
                              mpno_sets *sets) {
    mpno_feed **list;
    size_t n;
    mpno_status status = mpno_feeds_open(ctx, s, &list, &n);
    for (size_t i = 0; i < n; i++) {
        if (status != MPNO_OK) {
            mpno_feed_close(ctx, &list[i]);
            continue;
        }
        add_set(sets->train, &sets->n_train, list[i]->shape, 0, list[i]->shape->n);
        sets->train[i].feed = list[i];
    }
    mpno_free(ctx, list);
    MPNO_TRY(status);
    for (size_t i = 0; i < n; i++) {
        mpno_feed *feed = sets->train[i].feed;
        MPNO_TRY(mpno_sets_fit(ctx, s, mpno_tensor_reader_path(feed->readers[0]), INT64_MAX,
                               feed->shape));
    }
    MPNO_TRY(check_pixel_wise(ctx, s, sets));
    for (size_t i = 0; i < n && s->data.n_validation > 0; i++) {
        const mpno_feed *feed = sets->train[i].feed;
        for (size_t f = 0; f < feed->n_files && feed->factor == sets->train[0].feed->factor; f++)
            MPNO_TRY(read_ends(ctx, s, mpno_tensor_reader_path(feed->readers[f]),
                               feed->entries[f] + s->data.n_validation, sets));
    }
    MPNO_TRY(fit_feeds(ctx, s, sets, state));
    return encode_ends(ctx, state, sets);
}

static mpno_status read_in_memory(mpno_ctx *ctx, mpno_settings *s, mpno_train_state *state,
                                  mpno_sets *sets) {
    const mpno_text_list *files = &s->data.train;
    for (size_t i = 0; i < files->n; i++) MPNO_TRY(read_training(ctx, s, files->v[i], sets));
    state->data_checksum = checksum(ctx, sets);
    MPNO_TRY(fit(ctx, s, sets, state));
    for (size_t i = 0; i < sets->n_train; i++) {
        mpno_dataset *data = sets->train[i].data;
        MPNO_TRY(encode_x(ctx, state, "the training data", data));
        if (state->encode_y)
            mpno_normalizer_encode(&state->y, data->format, data->y,
                                   sets->train[i].n * data->out_points * data->out_channels);
    }
    return encode_ends(ctx, state, sets);
}

mpno_status mpno_sets_read_training(mpno_ctx *ctx, mpno_settings *settings, mpno_train_state *state,
                                    mpno_sets *sets) {
    const size_t factors = (size_t)settings->data.train_subsampling.n;
    const size_t most = settings->data.train.n * (factors > 0 ? factors : 1);
    const int streaming = settings->data.streaming;
    const bool decided = streaming == MPNO_STREAMING_NEVER || (streaming == MPNO_STREAMING_ALWAYS &&
                                                               settings->data.window != MPNO_UNSET);
    size_t bytes;
    if (!decided) MPNO_TRY(mpno_streaming_decide(ctx, settings, &bytes));
    MPNO_TRY(mpno_alloc_array(ctx, most, sizeof *sets->train, &sets->train));
    MPNO_TRY(mpno_alloc_array(ctx, most, sizeof *sets->validation, &sets->validation));
    state->encode_x = settings->data.encode_input;
    state->encode_y = settings->data.encode_output;
    const bool streamed = settings->data.streaming == MPNO_STREAMING_ALWAYS;
    MPNO_TRY((streamed ? open_feeds : read_in_memory)(ctx, settings, state, sets));
    return settings->data.validation ? read_validation(ctx, settings, state, sets) : MPNO_OK;
}

size_t mpno_sets_twin(const mpno_sets *sets, size_t set) {
    const mpno_dataset *data = sets->train[set].data;
    for (size_t i = 0; i < set; i++) {
        const mpno_dataset *other = sets->train[i].data;
        if (memcmp(data->grid, other->grid, sizeof data->grid) == 0 &&
            memcmp(data->out_grid, other->out_grid, sizeof data->out_grid) == 0)
            return i;
    }
    return set;
}

const mpno_set *mpno_sets_finest(const mpno_sets *sets) {
    const mpno_set *finest = &sets->train[0];
    for (size_t i = 1; i < sets->n_train; i++)
        if (sets->train[i].data->points > finest->data->points) finest = &sets->train[i];
    return finest;
}

int64_t mpno_sets_samples(const mpno_sets *sets) {
    int64_t n = 0;
    for (size_t i = 0; i < sets->n_train; i++) n += sets->train[i].n;
    return n;
}

mpno_status mpno_sets_read_tests(mpno_ctx *ctx, const mpno_settings *settings,
                                 const mpno_train_state *state, mpno_sets *sets) {
    const mpno_text_list *files = &settings->data.test;
    if (files->n == 0) return MPNO_OK;
    MPNO_TRY(mpno_alloc_array(ctx, files->n, sizeof *sets->tests, &sets->tests));
    for (size_t i = 0; i < files->n; i++) {
        mpno_dataset *data = NULL;
        MPNO_TRY(read_file(ctx, settings, files->v[i], settings->data.n_test, &data));
        add_set(sets->tests, &sets->n_tests, data, 0, data->n);
        MPNO_TRY(check_fit(ctx, files->v[i], data, settings));
        MPNO_TRY(encode_x(ctx, state, files->v[i], data));
    }
    return MPNO_OK;
}

void mpno_sets_clear(mpno_ctx *ctx, mpno_sets *sets) {
    for (size_t i = 0; i < sets->n_validation; i++)
        if (!is_training(sets, sets->validation[i].data))
            mpno_dataset_destroy(ctx, &sets->validation[i].data);
    for (size_t i = 0; i < sets->n_train; i++) {
        if (sets->train[i].feed)
            mpno_feed_close(ctx, &sets->train[i].feed);
        else
            mpno_dataset_destroy(ctx, &sets->train[i].data);
    }
    for (size_t i = 0; i < sets->n_tests; i++) mpno_dataset_destroy(ctx, &sets->tests[i].data);
    mpno_free(ctx, sets->train);
    mpno_free(ctx, sets->validation);
    mpno_free(ctx, sets->tests);
    *sets = (mpno_sets){0};
}
