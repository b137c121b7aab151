/* SPDX-License-Identifier: MIT
 * Datasets from tensors: see dataset.h. */
#include "data/dataset.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "data/select.h"
#include "number/format.h"

enum { SHAPE_TEXT = 200 };

/* One side of the pairs: a tensor and how its dimensions are to be read. */
typedef struct side {
    const char *key;
    const mpno_named_tensor *tensor;
    int64_t fields; /* channels in the file */
    int64_t steps;  /* of a sample: 1 unless these are trajectories */
    int64_t channels;
    const int64_t *grid; /* borrowed from the tensor's shape */
    int64_t points;      /* product of the grid */
    int planes;          /* 2: of a complex set */
    int64_t first_step;  /* of the first sample of a trajectory */
    char shape[SHAPE_TEXT];
} side;

/* Which part of its file the tensors are: samples from `first` on, of `available` (trajectories
 * count as one). */
typedef struct part {
    int64_t first, available;
} part;

static mpno_status find_side(mpno_ctx *ctx, const mpno_tensor_file *tensors, const char *key,
                             bool complex_data, side *out) {
    out->key = key;
    out->planes = complex_data ? 2 : 1;
    MPNO_TRY(mpno_tensor_file_require(ctx, tensors, key, &out->tensor));
    const mpno_named_tensor *t = out->tensor;
    mpno_shape_text(t->ndim, t->shape, out->shape, sizeof out->shape);
    MPNO_CHECK(ctx, complex_data || !mpno_element_is_complex(t->element), MPNO_E_CONFIG,
               "'%s' is complex: give model.complex_data = true, or store its real and imaginary "
               "parts as two channels",
               key);
    MPNO_CHECK(ctx, t->ndim >= 2, MPNO_E_SHAPE,
               "'%s' has shape %s: samples and at least one spatial axis are needed", key,
               out->shape);
    return MPNO_OK;
}

static mpno_status read_axes(mpno_ctx *ctx, int ndim, bool timed, side *s) {
    const mpno_named_tensor *t = s->tensor;
    const int one = ndim + (timed ? 2 : 1);
    MPNO_CHECK(ctx, t->ndim == one || t->ndim == one + 1, MPNO_E_SHAPE,
               "'%s' has shape %s: with %d spatial axes it must have %d dimensions (samples, "
               "%sgrid) or %d "
               "(samples, %schannels, grid)",
               s->key, s->shape, ndim, one, timed ? "steps, " : "", one + 1,
               timed ? "steps, " : "");
    s->fields = t->ndim == one ? 1 : t->shape[timed ? 2 : 1];
    s->channels = s->fields * s->steps;
    s->grid = t->shape + t->ndim - ndim;
    s->points = 1;
    for (int d = 0; d < ndim; d++) s->points *= s->grid[d];
    MPNO_CHECK(ctx, t->shape[0] > 0, MPNO_E_SHAPE, "'%s' has shape %s: it holds no samples", s->key,
               s->shape);
    MPNO_CHECK(ctx, mpno_named_tensor_count(t) > 0, MPNO_E_SHAPE, "'%s' has shape %s: it is empty",
               s->key, s->shape);
    return MPNO_OK;
}

/* The steps that samples take of trajectories of `total` steps. */
static mpno_status read_steps(mpno_ctx *ctx, const mpno_time *time, side *x, side *y,
                              mpno_dataset *set) {
    x->steps = y->steps = set->windows = set->out_steps = set->unroll = 1;
    if (time->in == 0) return MPNO_OK;
    const int64_t total = x->tensor->ndim > 1 ? x->tensor->shape[1] : 0;
    MPNO_CHECK(ctx, y->tensor->ndim > 1 && y->tensor->shape[1] == total, MPNO_E_SHAPE,
               "'%s' has shape %s and '%s' has shape %s: they must have the same number of steps",
               x->key, x->shape, y->key, y->shape);
    const int64_t last = time->last == MPNO_ALL_STEPS ? total - 1 : time->last;
    MPNO_CHECK(ctx, last < total, MPNO_E_CONFIG,
               "'%s' has shape %s: there is no step %lld (data.time_last) among %lld", x->key,
               x->shape, (long long)last, (long long)total);
    const int64_t used = last < time->first ? 0 : (last - time->first) / time->stride + 1;
    const bool all = time->out == MPNO_ALL_STEPS;
    const int64_t out = all ? used - time->in : time->out * time->unroll;
    set->unroll = all ? 1 : time->unroll;
    MPNO_CHECK(ctx, out >= 1 && used >= time->in + out, MPNO_E_CONFIG,
               "'%s' has shape %s: %lld of its steps are used (data.time_first, time_last and "
               "time_stride), but a sample takes %lld (data.time_in, time_out and rollout.steps)",
               x->key, x->shape, (long long)used, (long long)(time->in + (all ? 1 : out)));
    x->steps = time->in;
    y->steps = set->out_steps = out;
    x->first_step = time->first;
    y->first_step = time->first + time->in * time->stride;
    set->windows = (used - time->in - out) / time->hop + 1;
    return MPNO_OK;
}

static mpno_status check_pair(mpno_ctx *ctx, const side *x, const side *y, int ndim,
                              bool other_grid) {
    MPNO_CHECK(ctx, x->tensor->shape[0] == y->tensor->shape[0], MPNO_E_SHAPE,
               "'%s' has shape %s and '%s' has shape %s: they must have the same number of samples",
               x->key, x->shape, y->key, y->shape);
    for (int d = 0; d < ndim && !other_grid; d++)
        MPNO_CHECK(
            ctx, x->grid[d] == y->grid[d], MPNO_E_SHAPE,
            "'%s' has shape %s and '%s' has shape %s: with %d spatial axes their grids differ at "
            "axis %d (%lld and %lld points); set the number of spatial axes if it is another",
            x->key, x->shape, y->key, y->shape, ndim, d + 1, (long long)x->grid[d],
            (long long)y->grid[d]);
    return MPNO_OK;
}

static mpno_status choose_samples(mpno_ctx *ctx, const mpno_dataset_opts *opts, int64_t available,
                                  int64_t *n) {
    MPNO_CHECK(ctx, opts->offset >= 0 && opts->n_samples >= 0, MPNO_E_CONFIG,
               "offset %lld and number of samples %lld cannot be negative", (long long)opts->offset,
               (long long)opts->n_samples);
    *n = opts->n_samples > 0 ? opts->n_samples : available - opts->offset;
    MPNO_CHECK(
        ctx, opts->offset < available && *n <= available - opts->offset, MPNO_E_CONFIG,
        "%lld samples from sample %lld on were asked for but the file holds %lld; ask for fewer",
        (long long)opts->n_samples, (long long)opts->offset, (long long)available);
    return MPNO_OK;
}

/* [channel][point](re, im) of `parts` numbers to [point][plane][channel] for elements of 4 or 8
 * bytes; of real numbers in a complex set the imaginary plane is zero. dst and src do not overlap.
 */
static void turn_channels(void *dst, const void *src, const side *s, int parts,
                          mpno_format format) {
    for (int64_t c = 0; c < s->channels; c++)
        for (int64_t p = 0; p < s->points; p++)
            for (int k = 0; k < s->planes; k++) {
                const int64_t to = (p * s->planes + k) * s->channels + c,
                              from = (c * s->points + p) * parts + k;
                if (format == MPNO_F64)
                    ((double *)dst)[to] = k < parts ? ((const double *)src)[from] : 0;
                else
                    ((float *)dst)[to] = k < parts ? ((const float *)src)[from] : 0;
            }
}

static mpno_status fail_not_finite(mpno_ctx *ctx, const side *s, const mpno_dataset *set,
                                   int64_t sample, int64_t at, double value) {
    int64_t index[MPNO_MAX_DIMS], point = at / s->channels / s->planes;
    char position[SHAPE_TEXT];
    for (int d = set->ndim - 1; d >= 0; d--) {
        index[d] = point % s->grid[d];
        point /= s->grid[d];
    }
    return mpno_fail(
        ctx, MPNO_E_NUMERIC,
        "'%s' has the value %g in sample %lld, channel %lld, at grid point %s%s: remove or "
        "repair the sample",
        s->key, value, (long long)sample, (long long)(at % s->channels),
        mpno_shape_text(set->ndim, index, position, sizeof position),
        set->format == MPNO_F32 && s->tensor->element == MPNO_ELEMENT_F64 ? " (as f32)" : "");
}

/* Without a way out, so that it is vectorised: a value is not finite where its exponent is all
 * ones.
 */
static bool all_finite(mpno_format format, const void *values, int64_t n) {
    bool good = true;
    for (int64_t i = 0; i < n && format == MPNO_F64; i++) {
        uint64_t bits;
        memcpy(&bits, (const double *)values + i, sizeof bits);
        good &= (bits & 0x7ff0000000000000) != 0x7ff0000000000000;
    }
    for (int64_t i = 0; i < n && format == MPNO_F32; i++) {
        uint32_t bits;
        memcpy(&bits, (const float *)values + i, sizeof bits);
        good &= (bits & 0x7f800000) != 0x7f800000;
    }
    return good;
}

static mpno_status check_finite(mpno_ctx *ctx, const side *s, const mpno_dataset *set,
                                int64_t sample, const void *values) {
    int64_t n = s->points * s->planes * s->channels;
    if (all_finite(set->format, values, n)) return MPNO_OK;
    for (int64_t i = 0; i < n; i++) {
        const double value = mpno_real_at(set->format, values, i);
        if (!isfinite(value)) return fail_not_finite(ctx, s, set, sample, i, value);
    }
    return MPNO_OK;
}

/* What is converted: n samples of the file, trajectories counting as one, from `first` on; the
 * tensor begins at sample `tensor`. */
typedef struct range {
    int64_t first, n, tensor;
    const mpno_time *time;
} range;

/* Fields of one step behind each other, from step `step` of trajectory `at` of the tensor on. */
static mpno_status read_sample(mpno_ctx *ctx, const side *s, const range *r, mpno_format format,
                               int64_t at, int64_t window, char *to) {
    const int64_t n = s->points * s->fields;
    const int parts = mpno_element_is_complex(s->tensor->element) ? 2 : 1;
    const int64_t steps = r->time->in > 0 ? s->tensor->shape[1] : 1;
    for (int64_t k = 0; k < s->steps; k++) {
        const int64_t step = s->first_step + (window * r->time->hop + k) * r->time->stride;
        MPNO_TRY(
            mpno_named_tensor_values(ctx, s->tensor, (at * steps + step) * n, n, format,
                                     to + (size_t)(k * n * parts) * mpno_format_bytes(format)));
    }
    return MPNO_OK;
}

/* Converts, turns and checks the samples one by one; scratch holds one sample. */
static mpno_status convert_samples(mpno_ctx *ctx, const side *s, const mpno_dataset *set,
                                   const range *r, void *scratch, char *out) {
    const size_t bytes =
        (size_t)(s->points * s->channels * s->planes) * mpno_format_bytes(set->format);
    const bool turned = s->channels > 1 || s->planes > 1;
    const int parts = mpno_element_is_complex(s->tensor->element) ? 2 : 1;
    for (int64_t i = 0; i < r->n * set->windows; i++) {
        char *to = out + (size_t)i * bytes;
        const int64_t at = r->first + i / set->windows;
        MPNO_TRY(read_sample(ctx, s, r, set->format, at - r->tensor, i % set->windows,
                             turned ? scratch : to));
        if (turned) turn_channels(to, scratch, s, parts, set->format);
        MPNO_TRY(check_finite(ctx, s, set, at, to));
    }
    return MPNO_OK;
}

static mpno_status fill_side(mpno_ctx *ctx, const side *s, const mpno_dataset *set, const range *r,
                             void *out) {
    void *scratch;
    const size_t sample =
        (size_t)(s->points * s->planes * s->channels) * mpno_format_bytes(set->format);
    MPNO_TRY(mpno_alloc_raw(ctx, sample, &scratch));
    mpno_status status = convert_samples(ctx, s, set, r, scratch, out);
    mpno_free(ctx, scratch);
    return status;
}

/* *out: the set's. */
static mpno_status allocate_side(mpno_ctx *ctx, const side *s, const mpno_dataset *set,
                                 void **out) {
    const size_t sample =
        (size_t)(s->points * s->planes * s->channels) * mpno_format_bytes(set->format);
    MPNO_CHECK(ctx, (size_t)set->n <= SIZE_MAX / sample, MPNO_E_SHAPE,
               "'%s' has shape %s: too large", s->key, s->shape);
    return mpno_alloc_raw(ctx, (size_t)set->n * sample, out);
}

/* The vectors of the samples; a tensor of one sample is that of all. */
static mpno_status measure_embedding(mpno_ctx *ctx, const mpno_named_tensor *t, const char *key,
                                     int64_t samples, int64_t *features) {
    char shape[SHAPE_TEXT];
    mpno_shape_text(t->ndim, t->shape, shape, sizeof shape);
    const int64_t count = mpno_named_tensor_count(t), rows = t->ndim > 0 ? t->shape[0] : 1;
    MPNO_CHECK(ctx, count > 0 && (rows == 1 || rows == samples), MPNO_E_SHAPE,
               "'%s' has shape %s: expected a vector for each of the %lld samples, or one for all",
               key, shape, (long long)samples);
    MPNO_CHECK(ctx, !mpno_element_is_complex(t->element), MPNO_E_SHAPE,
               "'%s' is complex: what steers a model is real", key);
    *features = count / rows;
    return MPNO_OK;
}

static mpno_status fill_embedding(mpno_ctx *ctx, const mpno_named_tensor *t, const char *key,
                                  const mpno_dataset *set, const range *r, char *out) {
    const int64_t n = set->n_features, rows = t->ndim > 0 ? t->shape[0] : 1;
    const side s = {
        .key = key, .tensor = t, .channels = n, .grid = t->shape, .points = 1, .planes = 1};
    for (int64_t i = 0; i < r->n * set->windows; i++) {
        void *to = out + (size_t)(i * n) * mpno_format_bytes(set->format);
        const int64_t at = r->first + i / set->windows;
        MPNO_TRY(mpno_named_tensor_values(ctx, t, rows == 1 ? 0 : (at - r->tensor) * n, n,
                                          set->format, to));
        MPNO_TRY(check_finite(ctx, &s, set, at, to));
    }
    return MPNO_OK;
}

static mpno_status check_opts(mpno_ctx *ctx, const mpno_dataset_opts *opts) {
    MPNO_CHECK(ctx, opts->size == sizeof *opts, MPNO_E_ARGUMENT,
               "dataset options have size %zu, not %zu: start from MPNO_DATASET_OPTS_INIT",
               opts->size, sizeof *opts);
    return MPNO_OK;
}

/* The tensors of a data set, measured. */
typedef struct pair {
    side x, y;
    const mpno_named_tensor *embedding; /* NULL: none */
} pair;

/* Shapes into the set, but for its number of samples. */
static mpno_status measure(mpno_ctx *ctx, const mpno_tensor_file *tensors,
                           const mpno_dataset_opts *opts, pair *p, mpno_dataset *set) {
    const bool timed = opts->time.in > 0;
    *p = (pair){.embedding = NULL};
    MPNO_TRY(find_side(ctx, tensors, opts->x_key, opts->complex_data, &p->x));
    MPNO_TRY(find_side(ctx, tensors, opts->y_key, opts->complex_data, &p->y));
    const int ndim = opts->ndim > 0 ? opts->ndim : p->x.tensor->ndim - (timed ? 2 : 1);
    MPNO_TRY(read_steps(ctx, &opts->time, &p->x, &p->y, set));
    MPNO_TRY(read_axes(ctx, ndim, timed, &p->x));
    MPNO_TRY(read_axes(ctx, ndim, timed, &p->y));
    MPNO_TRY(check_pair(ctx, &p->x, &p->y, ndim, opts->other_grid));
    set->ndim = ndim;
    set->planes = p->x.planes;
    set->points = p->x.points * p->x.planes;
    set->out_points = p->y.points * p->y.planes;
    for (int d = 0; d < ndim; d++) {
        set->grid[d] = p->x.grid[d];
        set->out_grid[d] = p->y.grid[d];
    }
    set->in_channels = p->x.channels;
    set->out_channels = p->y.channels;
    set->format = opts->format;
    if (!opts->embedding_key) return MPNO_OK;
    MPNO_TRY(mpno_tensor_file_require(ctx, tensors, opts->embedding_key, &p->embedding));
    return measure_embedding(ctx, p->embedding, opts->embedding_key, p->x.tensor->shape[0],
                             &set->n_features);
}

/* Samples of the range to place `at` of the set and on. */
static mpno_status fill(mpno_ctx *ctx, const pair *p, const mpno_dataset_opts *opts, const range *r,
                        mpno_dataset *set, int64_t at) {
    const mpno_format f = set->format;
    MPNO_TRY(
        fill_side(ctx, &p->x, set, r, mpno_sample(set->x, f, set->points * set->in_channels, at)));
    MPNO_TRY(fill_side(ctx, &p->y, set, r,
                       mpno_sample(set->y, f, set->out_points * set->out_channels, at)));
    if (!p->embedding) return MPNO_OK;
    return fill_embedding(ctx, p->embedding, opts->embedding_key, set, r,
                          mpno_sample(set->embedding, f, set->n_features, at));
}

static mpno_status build(mpno_ctx *ctx, const mpno_tensor_file *tensors,
                         const mpno_dataset_opts *opts, const part *of, mpno_dataset *set) {
    pair p;
    range r = {.first = opts->offset, .time = &opts->time};
    MPNO_TRY(check_opts(ctx, opts));
    MPNO_CHECK(ctx, opts->format == MPNO_F32 || opts->format == MPNO_F64, MPNO_E_ARGUMENT,
               "data are held as f32 or f64 only");
    MPNO_TRY(measure(ctx, tensors, opts, &p, set));
    r.tensor = of ? of->first : 0;
    MPNO_TRY(choose_samples(ctx, opts, of ? of->available : p.x.tensor->shape[0], &r.n));
    set->n = r.n * set->windows;
    MPNO_TRY(allocate_side(ctx, &p.x, set, &set->x));
    MPNO_TRY(allocate_side(ctx, &p.y, set, &set->y));
    if (p.embedding)
        MPNO_TRY(mpno_alloc_array(ctx, (size_t)(set->n * set->n_features),
                                  mpno_format_bytes(set->format), &set->embedding));
    return fill(ctx, &p, opts, &r, set, 0);
}

static mpno_status from_tensors(mpno_ctx *ctx, const char *name, const mpno_tensor_file *tensors,
                                const mpno_dataset_opts *opts, const part *of, mpno_dataset **out) {
    mpno_dataset *set;
    *out = NULL;
    MPNO_TRY(mpno_alloc(ctx, sizeof *set, &set));
    mpno_status status = build(ctx, tensors, opts, of, set);
    if (status != MPNO_OK) {
        mpno_dataset_destroy(ctx, &set);
        return mpno_fail_in(ctx, status, "%s", name);
    }
    *out = set;
    return MPNO_OK;
}

mpno_status mpno_dataset_from_tensors(mpno_ctx *ctx, const char *name,
                                      const mpno_tensor_file *tensors,
                                      const mpno_dataset_opts *opts, mpno_dataset **out) {
    static const mpno_dataset_opts defaults = MPNO_DATASET_OPTS_INIT;
    return from_tensors(ctx, name, tensors, opts ? opts : &defaults, NULL, out);
}

/* What is wanted of a file: samples from `first` on, n of them (0: all). */
static mpno_select_opts wanted_of(const mpno_dataset_opts *o, const char *keys[3], int64_t first,
                                  int64_t n) {
    keys[0] = o->x_key;
    keys[1] = o->y_key;
    keys[2] = o->embedding_key;
    const size_t n_keys = o->embedding_key ? 3 : 2;
    return (mpno_select_opts){.reader = o->reader,
                              .axes = o->axes,
                              .time = o->time.in > 0,
                              .n = n_keys,
                              .n_required = n_keys,
                              .keys = keys,
                              .first = first,
                              .n_samples = n};
}

mpno_status mpno_dataset_read(mpno_ctx *ctx, const char *path, const mpno_dataset_opts *opts,
                              mpno_dataset **out) {
    static const mpno_dataset_opts defaults = MPNO_DATASET_OPTS_INIT;
    const mpno_dataset_opts *o = opts ? opts : &defaults;
    const char *keys[3];
    mpno_tensor_file *tensors;
    *out = NULL;
    MPNO_TRY(check_opts(ctx, o));
    const int64_t first = o->offset > 0 ? o->offset : 0;
    mpno_select_opts wanted = wanted_of(o, keys, first, o->n_samples > 0 ? o->n_samples : 0);
    MPNO_TRY(mpno_tensor_file_select(ctx, path, &wanted, &tensors));
    const part of = {first < wanted.available ? first : 0, wanted.available};
    mpno_status status = from_tensors(ctx, path, tensors, o, &of, out);
    mpno_tensor_file_destroy(ctx, &tensors);
    return status;
}

/* -------- open files -------- */

static mpno_status shape(mpno_ctx *ctx, const mpno_tensor_file *tensors,
                         const mpno_dataset_opts *opts, int64_t available, mpno_dataset *set) {
    pair p;
    mpno_dataset_opts all = *opts;
    all.offset = all.n_samples = 0;
    MPNO_TRY(check_opts(ctx, opts));
    MPNO_TRY(measure(ctx, tensors, opts, &p, set));
    MPNO_TRY(choose_samples(ctx, &all, available, &set->n));
    set->n *= set->windows;
    return MPNO_OK;
}

mpno_status mpno_dataset_shape(mpno_ctx *ctx, mpno_tensor_reader *reader,
                               const mpno_dataset_opts *opts, int64_t *chunk, mpno_dataset **out) {
    const char *keys[3];
    mpno_tensor_file *tensors;
    mpno_select_opts wanted = wanted_of(opts, keys, 0, 1);
    *out = NULL;
    wanted.open = reader;
    MPNO_TRY(mpno_tensor_file_select(ctx, mpno_tensor_reader_path(reader), &wanted, &tensors));
    mpno_status status = mpno_alloc(ctx, sizeof **out, out);
    if (status == MPNO_OK) status = shape(ctx, tensors, opts, wanted.available, *out);
    mpno_tensor_file_destroy(ctx, &tensors);
    *chunk = wanted.chunk;
    if (status == MPNO_OK) return MPNO_OK;
    mpno_dataset_destroy(ctx, out);
    return mpno_fail_in(ctx, status, "%s", mpno_tensor_reader_path(reader));
}

static mpno_status load(mpno_ctx *ctx, const mpno_tensor_file *tensors,
                        const mpno_dataset_opts *opts, const range *r, mpno_dataset *into,
                        int64_t at) {
    pair p;
    mpno_dataset found = {0};
    MPNO_TRY(measure(ctx, tensors, opts, &p, &found));
    const bool same = found.ndim == into->ndim && found.windows == into->windows &&
                      memcmp(found.grid, into->grid, sizeof found.grid) == 0 &&
                      memcmp(found.out_grid, into->out_grid, sizeof found.out_grid) == 0 &&
                      found.in_channels == into->in_channels &&
                      found.out_channels == into->out_channels &&
                      found.n_features == into->n_features && p.x.tensor->shape[0] == r->n;
    MPNO_CHECK(ctx, same, MPNO_E_SHAPE,
               "'%s' has another shape than when it was opened: the file has changed", opts->x_key);
    return fill(ctx, &p, opts, r, into, at);
}

mpno_status mpno_dataset_load(mpno_ctx *ctx, mpno_tensor_reader *reader,
                              const mpno_dataset_opts *opts, int64_t first, int64_t n,
                              mpno_dataset *into, int64_t at) {
    const char *keys[3], *path = mpno_tensor_reader_path(reader);
    mpno_tensor_file *tensors;
    mpno_select_opts wanted = wanted_of(opts, keys, first, n);
    const range r = {first, n, first, &opts->time};
    wanted.open = reader;
    MPNO_TRY(mpno_tensor_file_select(ctx, path, &wanted, &tensors));
    const mpno_status status = load(ctx, tensors, opts, &r, into, at);
    mpno_tensor_file_destroy(ctx, &tensors);
    return status == MPNO_OK ? status : mpno_fail_in(ctx, status, "%s", path);
}

mpno_status mpno_dataset_allocate(mpno_ctx *ctx, const mpno_dataset *like, int64_t n,
                                  mpno_dataset **out) {
    const size_t bytes = mpno_format_bytes(like->format), count = (size_t)n;
    mpno_dataset *set;
    *out = NULL;
    MPNO_TRY(mpno_alloc(ctx, sizeof *set, &set));
    *set = *like;
    set->n = n;
    set->x = set->y = set->embedding = NULL;
    mpno_status status =
        mpno_alloc_raw(ctx, count * bytes * (size_t)(set->points * set->in_channels), &set->x);
    if (status == MPNO_OK)
        status = mpno_alloc_raw(ctx, count * bytes * (size_t)(set->out_points * set->out_channels),
                                &set->y);
    if (status == MPNO_OK && set->n_features > 0)
        status = mpno_alloc_raw(ctx, count * bytes * (size_t)set->n_features, &set->embedding);
    if (status != MPNO_OK) mpno_dataset_destroy(ctx, &set);
    *out = set;
    return status;
}

size_t mpno_dataset_bytes(const mpno_dataset *d) {
    return (size_t)(d->points * d->in_channels + d->out_points * d->out_channels + d->n_features) *
           mpno_format_bytes(d->format);
}

/* -------- trajectories -------- */

int64_t mpno_trajectory_steps(const mpno_dataset *d) {
    return d->out_steps;
}

int64_t mpno_trajectory_channels(const mpno_dataset *d) {
    return d->out_channels / d->out_steps;
}

void mpno_channels_copy(mpno_format format, int64_t rows, int64_t n, const void *from,
                        int64_t width, int64_t first, void *to, int64_t to_width, int64_t at) {
    const size_t bytes = mpno_format_bytes(format);
    for (int64_t r = 0; r < rows; r++)
        memmove((char *)to + (size_t)(r * to_width + at) * bytes,
                (const char *)from + (size_t)(r * width + first) * bytes, (size_t)n * bytes);
}

void mpno_trajectory_truth(const mpno_dataset *d, int64_t i, int64_t step, void *out) {
    const int64_t fields = mpno_trajectory_channels(d);
    const void *from = mpno_sample(d->y, d->format, d->out_points * d->out_channels, i);
    mpno_channels_copy(d->format, d->out_points, fields, from, d->out_channels, step * fields, out,
                       fields, 0);
}

void mpno_trajectory_shift(mpno_format format, int64_t rows, int64_t in, int64_t out,
                           const void *prediction, void *input) {
    const int64_t taken = out < in ? out : in;
    mpno_channels_copy(format, rows, in - taken, input, in, taken, input, in, 0);
    mpno_channels_copy(format, rows, taken, prediction, out, out - taken, input, in, in - taken);
}

/* -------- coarser grids -------- */

/* Nodes of samples of n values a node, kept in the order they stand. */
static void keep_nodes(const mpno_dataset *from, const int64_t *grid, int64_t factor, size_t row,
                       const char *values, char *out) {
    int64_t node[MPNO_MAX_DIMS] = {0}, points = 1;
    for (int d = 0; d < from->ndim; d++) points *= grid[d];
    for (int64_t j = 0; j < from->n * points; j++) {
        bool kept = true;
        for (int d = 0; d < from->ndim; d++) kept = kept && node[d] % factor == 0;
        if (kept) {
            memcpy(out, values + (size_t)j * row, row);
            out += row;
        }
        for (int d = from->ndim - 1; d >= 0 && ++node[d] == grid[d]; d--) node[d] = 0;
    }
}

static mpno_status subsample(mpno_ctx *ctx, const mpno_dataset *from, int64_t factor,
                             mpno_dataset *set) {
    const size_t bytes = mpno_format_bytes(from->format);
    const size_t row_x = (size_t)(from->planes * from->in_channels) * bytes;
    const size_t row_y = (size_t)(from->planes * from->out_channels) * bytes;
    const size_t features = (size_t)from->n_features * bytes, n = (size_t)from->n;
    *set = *from;
    set->x = set->y = set->embedding = NULL;
    set->points = set->out_points = from->planes;
    for (int d = 0; d < from->ndim; d++) {
        char x[128], y[128];
        MPNO_CHECK(ctx, from->grid[d] % factor == 0 && from->out_grid[d] % factor == 0,
                   MPNO_E_SHAPE,
                   "%lld does not divide the points of all axes: inputs lie on %s, outputs on %s",
                   (long long)factor, mpno_shape_text(from->ndim, from->grid, x, sizeof x),
                   mpno_shape_text(from->ndim, from->out_grid, y, sizeof y));
        set->points *= set->grid[d] /= factor;
        set->out_points *= set->out_grid[d] /= factor;
    }
    MPNO_TRY(mpno_alloc_array(ctx, n * (size_t)(set->points * set->in_channels), bytes, &set->x));
    MPNO_TRY(
        mpno_alloc_array(ctx, n * (size_t)(set->out_points * set->out_channels), bytes, &set->y));
    keep_nodes(from, from->grid, factor, row_x, from->x, set->x);
    keep_nodes(from, from->out_grid, factor, row_y, from->y, set->y);
    if (!from->embedding) return MPNO_OK;
    MPNO_TRY(mpno_alloc_array(ctx, n, features, &set->embedding));
    memcpy(set->embedding, from->embedding, n * features);
    return MPNO_OK;
}

mpno_status mpno_dataset_subsample(mpno_ctx *ctx, const mpno_dataset *dataset, int64_t factor,
                                   mpno_dataset **out) {
    mpno_dataset *set;
    *out = NULL;
    MPNO_CHECK(ctx, factor >= 1, MPNO_E_ARGUMENT, "every %lldth node cannot be kept",
               (long long)factor);
    MPNO_TRY(mpno_alloc(ctx, sizeof *set, &set));
    mpno_status status = subsample(ctx, dataset, factor, set);
    if (status != MPNO_OK) mpno_dataset_destroy(ctx, &set);
    if (status == MPNO_OK) *out = set;
    return status;
}

void mpno_dataset_destroy(mpno_ctx *ctx, mpno_dataset **dataset) {
    if (!dataset || !*dataset) return;
    mpno_free(ctx, (*dataset)->x);
    mpno_free(ctx, (*dataset)->y);
    mpno_free(ctx, (*dataset)->embedding);
    mpno_free(ctx, *dataset);
    *dataset = NULL;
}
