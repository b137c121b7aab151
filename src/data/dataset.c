/* SPDX-License-Identifier: MIT
 * Datasets from tensors: see dataset.h. */
#include "data/dataset.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "data/select.h"

enum { SHAPE_TEXT = 200 };

/* One side of the pairs: a tensor and how its dimensions are to be read. */
typedef struct side {
    const char *key;
    const mpno_named_tensor *tensor;
    int64_t channels;
    const int64_t *grid; /* borrowed from the tensor's shape */
    int64_t points;      /* product of the grid */
    int planes;          /* 2: of a complex set */
    char shape[SHAPE_TEXT];
} side;

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

static mpno_status read_axes(mpno_ctx *ctx, int ndim, side *s) {
    const mpno_named_tensor *t = s->tensor;
    MPNO_CHECK(
        ctx, t->ndim == ndim + 1 || t->ndim == ndim + 2, MPNO_E_SHAPE,
        "'%s' has shape %s: with %d spatial axes it must have %d dimensions (samples, grid) or %d "
        "(samples, channels, grid)",
        s->key, s->shape, ndim, ndim + 1, ndim + 2);
    bool one = t->ndim == ndim + 1;
    s->channels = one ? 1 : t->shape[1];
    s->grid = t->shape + (one ? 1 : 2);
    s->points = 1;
    for (int d = 0; d < ndim; d++) s->points *= s->grid[d];
    MPNO_CHECK(ctx, t->shape[0] > 0, MPNO_E_SHAPE, "'%s' has shape %s: it holds no samples", s->key,
               s->shape);
    MPNO_CHECK(ctx, mpno_named_tensor_count(t) > 0, MPNO_E_SHAPE, "'%s' has shape %s: it is empty",
               s->key, s->shape);
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

static mpno_status check_finite(mpno_ctx *ctx, const side *s, const mpno_dataset *set,
                                int64_t sample, const void *values) {
    int64_t n = s->points * s->planes * s->channels;
    for (int64_t i = 0; i < n; i++) {
        double value = set->format == MPNO_F64 ? ((const double *)values)[i]
                                               : (double)((const float *)values)[i];
        if (!isfinite(value)) return fail_not_finite(ctx, s, set, sample, i, value);
    }
    return MPNO_OK;
}

/* Converts, turns and checks the samples one by one; scratch holds one sample. */
static mpno_status convert_samples(mpno_ctx *ctx, const side *s, const mpno_dataset *set,
                                   int64_t offset, void *scratch, void *out) {
    const int64_t n = s->points * s->channels;
    const size_t bytes = (size_t)(n * s->planes) * mpno_format_bytes(set->format);
    const bool turned = s->channels > 1 || s->planes > 1;
    const int parts = mpno_element_is_complex(s->tensor->element) ? 2 : 1;
    for (int64_t i = 0; i < set->n; i++) {
        char *to = (char *)out + (size_t)i * bytes;
        MPNO_TRY(mpno_named_tensor_values(ctx, s->tensor, (offset + i) * n, n, set->format,
                                          turned ? scratch : to));
        if (turned) turn_channels(to, scratch, s, parts, set->format);
        MPNO_TRY(check_finite(ctx, s, set, offset + i, to));
    }
    return MPNO_OK;
}

/* *out: owned by the caller on success only. */
static mpno_status load_side(mpno_ctx *ctx, const side *s, const mpno_dataset *set, int64_t offset,
                             void **out) {
    void *scratch;
    const size_t sample =
        (size_t)(s->points * s->planes * s->channels) * mpno_format_bytes(set->format);
    MPNO_TRY(mpno_alloc_raw(ctx, sample, &scratch));
    mpno_status status = MPNO_OK;
    void *values = NULL;
    if ((size_t)set->n > SIZE_MAX / sample)
        status = mpno_fail(ctx, MPNO_E_SHAPE, "'%s' has shape %s: too large", s->key, s->shape);
    if (status == MPNO_OK) status = mpno_alloc_raw(ctx, (size_t)set->n * sample, &values);
    if (status == MPNO_OK) status = convert_samples(ctx, s, set, offset, scratch, values);
    mpno_free(ctx, scratch);
    if (status != MPNO_OK)
        mpno_free(ctx, values);
    else
        *out = values;
    return status;
}

/* The vectors of the samples; a tensor of one sample is that of all. */
static mpno_status load_embedding(mpno_ctx *ctx, const mpno_tensor_file *tensors,
                                  const mpno_dataset_opts *opts, int64_t available,
                                  mpno_dataset *set) {
    const mpno_named_tensor *t;
    char shape[SHAPE_TEXT];
    MPNO_TRY(mpno_tensor_file_require(ctx, tensors, opts->embedding_key, &t));
    mpno_shape_text(t->ndim, t->shape, shape, sizeof shape);
    const int64_t count = mpno_named_tensor_count(t), rows = t->ndim > 0 ? t->shape[0] : 1;
    MPNO_CHECK(ctx, count > 0 && (rows == 1 || rows == available), MPNO_E_SHAPE,
               "'%s' has shape %s: expected a vector for each of the %lld samples, or one for all",
               opts->embedding_key, shape, (long long)available);
    MPNO_CHECK(ctx, !mpno_element_is_complex(t->element), MPNO_E_SHAPE,
               "'%s' is complex: what steers a model is real", opts->embedding_key);
    const int64_t n = set->n_features = count / rows;
    const size_t bytes = (size_t)n * mpno_format_bytes(set->format);
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)set->n, bytes, &set->embedding));
    for (int64_t i = 0; i < set->n; i++) {
        void *to = (char *)set->embedding + (size_t)i * bytes;
        const int64_t first = rows == 1 ? 0 : (opts->offset + i) * n;
        const side s = {.key = opts->embedding_key,
                        .tensor = t,
                        .channels = n,
                        .grid = t->shape,
                        .points = 1,
                        .planes = 1};
        MPNO_TRY(mpno_named_tensor_values(ctx, t, first, n, set->format, to));
        MPNO_TRY(check_finite(ctx, &s, set, i, to));
    }
    return MPNO_OK;
}

static mpno_status check_opts(mpno_ctx *ctx, const mpno_dataset_opts *opts) {
    MPNO_CHECK(ctx, opts->size == sizeof *opts, MPNO_E_ARGUMENT,
               "dataset options have size %zu, not %zu: start from MPNO_DATASET_OPTS_INIT",
               opts->size, sizeof *opts);
    return MPNO_OK;
}

static mpno_status build(mpno_ctx *ctx, const mpno_tensor_file *tensors,
                         const mpno_dataset_opts *opts, mpno_dataset *set) {
    side x, y;
    MPNO_TRY(check_opts(ctx, opts));
    MPNO_CHECK(ctx, opts->format == MPNO_F32 || opts->format == MPNO_F64, MPNO_E_ARGUMENT,
               "data are held as f32 or f64 only");
    MPNO_TRY(find_side(ctx, tensors, opts->x_key, opts->complex_data, &x));
    MPNO_TRY(find_side(ctx, tensors, opts->y_key, opts->complex_data, &y));
    int ndim = opts->ndim > 0 ? opts->ndim : x.tensor->ndim - 1;
    MPNO_TRY(read_axes(ctx, ndim, &x));
    MPNO_TRY(read_axes(ctx, ndim, &y));
    MPNO_TRY(check_pair(ctx, &x, &y, ndim, opts->other_grid));
    MPNO_TRY(choose_samples(ctx, opts, x.tensor->shape[0], &set->n));
    set->ndim = ndim;
    set->planes = x.planes;
    set->points = x.points * x.planes;
    set->out_points = y.points * y.planes;
    for (int d = 0; d < ndim; d++) {
        set->grid[d] = x.grid[d];
        set->out_grid[d] = y.grid[d];
    }
    set->in_channels = x.channels;
    set->out_channels = y.channels;
    set->format = opts->format;
    MPNO_TRY(load_side(ctx, &x, set, opts->offset, &set->x));
    MPNO_TRY(load_side(ctx, &y, set, opts->offset, &set->y));
    if (!opts->embedding_key) return MPNO_OK;
    return load_embedding(ctx, tensors, opts, x.tensor->shape[0], set);
}

mpno_status mpno_dataset_from_tensors(mpno_ctx *ctx, const char *name,
                                      const mpno_tensor_file *tensors,
                                      const mpno_dataset_opts *opts, mpno_dataset **out) {
    static const mpno_dataset_opts defaults = MPNO_DATASET_OPTS_INIT;
    mpno_dataset *set;
    *out = NULL;
    MPNO_TRY(mpno_alloc(ctx, sizeof *set, &set));
    mpno_status status = build(ctx, tensors, opts ? opts : &defaults, set);
    if (status != MPNO_OK) {
        mpno_dataset_destroy(ctx, &set);
        return mpno_fail_in(ctx, status, "%s", name);
    }
    *out = set;
    return MPNO_OK;
}

mpno_status mpno_dataset_read(mpno_ctx *ctx, const char *path, const mpno_dataset_opts *opts,
                              mpno_dataset **out) {
    static const mpno_dataset_opts defaults = MPNO_DATASET_OPTS_INIT;
    const mpno_dataset_opts *o = opts ? opts : &defaults;
    const char *const keys[3] = {o->x_key, o->y_key, o->embedding_key};
    const size_t n = o->embedding_key ? 3 : 2;
    mpno_select_opts wanted = {
        .reader = o->reader, .axes = o->axes, .n = n, .n_required = n, .keys = keys};
    if (o->n_samples > 0 && o->offset >= 0 && o->offset < INT64_MAX - o->n_samples)
        wanted.n_samples = o->offset + o->n_samples;
    mpno_tensor_file *tensors;
    *out = NULL;
    MPNO_TRY(check_opts(ctx, o));
    MPNO_TRY(mpno_tensor_file_select(ctx, path, &wanted, &tensors));
    mpno_status status = mpno_dataset_from_tensors(ctx, path, tensors, opts, out);
    mpno_tensor_file_destroy(ctx, &tensors);
    return status;
}

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
