/* SPDX-License-Identifier: MIT
 * Data sources of the user's program: see source.h and mpno/data_source.h. */
#include "data/source.h"

#include <string.h>

#include "core/files.h"
#include "core/memory.h"

enum { MAX_NAME = 63 };

/* The context owns an array of these (ctx->sources, ctx->n_sources). */
struct mpno_source_entry {
    char name[MAX_NAME + 1];
    mpno_data_source source;
};

bool mpno_path_is_source(const char *path) {
    return strncmp(path, MPNO_SOURCE_PREFIX, strlen(MPNO_SOURCE_PREFIX)) == 0;
}

mpno_status mpno_data_path_settle(mpno_ctx *ctx, const char *folder, char **path) {
    if (*path == NULL || mpno_path_is_source(*path)) return MPNO_OK;
    char *absolute = NULL;
    MPNO_TRY(mpno_path_absolute(ctx, folder, *path, &absolute));
    mpno_free(ctx, *path);
    *path = absolute;
    return MPNO_OK;
}

static struct mpno_source_entry *find(const mpno_ctx *ctx, const char *name) {
    for (size_t i = 0; i < ctx->n_sources; i++)
        if (strcmp(ctx->sources[i].name, name) == 0) return &ctx->sources[i];
    return NULL;
}

static mpno_status check_name(mpno_ctx *ctx, const char *name) {
    const size_t n = name ? strlen(name) : 0;
    const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    MPNO_CHECK(ctx, n > 0 && n <= MAX_NAME && strspn(name, allowed) == n, MPNO_E_ARGUMENT,
               "the data source's name is '%s': expected 1 to %d letters, digits, '_' and '-'",
               name ? name : "", MAX_NAME);
    MPNO_CHECK(ctx, !find(ctx, name), MPNO_E_ARGUMENT,
               "there is a data source '%s' already: remove it first or choose another name", name);
    return MPNO_OK;
}

static mpno_element element_of(const mpno_data_source *s) {
    return s->format == MPNO_F64 ? MPNO_ELEMENT_F64 : MPNO_ELEMENT_F32;
}

/* Shape of x (side 0) or y (side 1) into shape; the number of dimensions. */
static int shape_of(const mpno_data_source *s, int side, int64_t *shape) {
    shape[0] = s->n_samples;
    shape[1] = side == 0 ? s->in_channels : s->out_channels;
    for (int d = 0; d < s->ndim; d++) shape[2 + d] = s->grid[d];
    return s->ndim + 2;
}

static mpno_status check_source(mpno_ctx *ctx, const char *name, const mpno_data_source *s) {
    MPNO_CHECK(ctx, s && s->size == sizeof *s, MPNO_E_ARGUMENT,
               "data source '%s' has size %zu, not %zu: start from MPNO_DATA_SOURCE_INIT", name,
               s ? s->size : 0, sizeof *s);
    MPNO_CHECK(ctx, s->read, MPNO_E_ARGUMENT, "data source '%s' has no function read", name);
    MPNO_CHECK(ctx, s->ndim >= 1 && s->ndim <= MPNO_MAX_AXES, MPNO_E_ARGUMENT,
               "data source '%s' has ndim %d: expected 1 to %d", name, s->ndim, MPNO_MAX_AXES);
    for (int d = 0; d < s->ndim; d++)
        MPNO_CHECK(ctx, s->grid[d] >= 1, MPNO_E_ARGUMENT,
                   "data source '%s' has grid[%d] = %lld: expected 1 or more points", name, d,
                   (long long)s->grid[d]);
    MPNO_CHECK(
        ctx, s->n_samples >= 1 && s->in_channels >= 1 && s->out_channels >= 0, MPNO_E_ARGUMENT,
        "data source '%s' has %lld samples, %lld input and %lld output channels: expected at "
        "least 1 sample and 1 input channel",
        name, (long long)s->n_samples, (long long)s->in_channels, (long long)s->out_channels);
    MPNO_CHECK(ctx, s->format == MPNO_F32 || s->format == MPNO_F64, MPNO_E_ARGUMENT,
               "data source '%s' has format %d: expected MPNO_F32 or MPNO_F64", name,
               (int)s->format);
    for (int side = 0; side < 2; side++) {
        int64_t shape[MPNO_MAX_DIMS], count;
        size_t bytes;
        const int ndim = shape_of(s, side, shape);
        MPNO_CHECK(ctx, mpno_shape_measure(element_of(s), ndim, shape, &count, &bytes),
                   MPNO_E_ARGUMENT, "data source '%s' has more values than can be counted", name);
    }
    return MPNO_OK;
}

mpno_status mpno_data_source_add(mpno_ctx *ctx, const char *name, const mpno_data_source *source) {
    MPNO_TRY(check_name(ctx, name));
    MPNO_TRY(check_source(ctx, name, source));
    MPNO_TRY(mpno_realloc_array(ctx, &ctx->sources, ctx->n_sources, ctx->n_sources + 1,
                                sizeof *ctx->sources));
    struct mpno_source_entry *entry = &ctx->sources[ctx->n_sources++];
    memcpy(entry->name, name, strlen(name) + 1);
    entry->source = *source;
    return MPNO_OK;
}

void mpno_data_source_remove(mpno_ctx *ctx, const char *name) {
    struct mpno_source_entry *entry = find(ctx, name);
    if (!entry) return;
    ctx->n_sources--;
    const size_t behind = (size_t)(ctx->sources + ctx->n_sources - entry);
    memmove(entry, entry + 1, behind * sizeof *entry);
    if (ctx->n_sources > 0) return;
    mpno_free(ctx, ctx->sources);
    ctx->sources = NULL;
}

static mpno_status require(mpno_ctx *ctx, const char *path, const mpno_data_source **out) {
    const struct mpno_source_entry *entry = find(ctx, path + strlen(MPNO_SOURCE_PREFIX));
    MPNO_CHECK(ctx, entry, MPNO_E_IO,
               "%s: no data source of this name was added to the context (mpno_data_source_add)",
               path);
    *out = &entry->source;
    return MPNO_OK;
}

static mpno_status add_tensor(mpno_ctx *ctx, const mpno_data_source *s, int side,
                              mpno_tensor_file *file) {
    int64_t shape[MPNO_MAX_DIMS];
    const int ndim = shape_of(s, side, shape);
    return mpno_tensor_file_add_view(ctx, file, side == 0 ? "x" : "y", element_of(s), ndim, shape,
                                     NULL);
}

mpno_status mpno_source_list(mpno_ctx *ctx, const char *path, mpno_tensor_file **out) {
    const mpno_data_source *s;
    *out = NULL;
    MPNO_TRY(require(ctx, path, &s));
    MPNO_TRY(mpno_tensor_file_create(ctx, out));
    mpno_status status = add_tensor(ctx, s, 0, *out);
    if (status == MPNO_OK && s->out_channels > 0) status = add_tensor(ctx, s, 1, *out);
    if (status == MPNO_OK) return MPNO_OK;
    mpno_tensor_file_destroy(ctx, out);
    return mpno_fail_in(ctx, status, "%s", path);
}

/* One sample, as the source gave it last. */
typedef struct reading {
    mpno_ctx *ctx;
    const mpno_data_source *source;
    int64_t sample;  /* -1: none yet */
    char *values[2]; /* x, y (NULL where there is none) */
} reading;

static mpno_status read_sample(reading *r, int64_t sample) {
    if (r->sample == sample) return MPNO_OK;
    const mpno_data_source *s = r->source;
    const mpno_status status = s->read(sample, r->values[0], r->values[1], s->user);
    MPNO_CHECK(r->ctx, status == MPNO_OK, status, "its function read failed for sample %lld: %s",
               (long long)sample, mpno_status_text(status));
    r->sample = sample;
    return MPNO_OK;
}

/* The part of piece p that lies in its k-th sample. */
static mpno_status fill(reading *r, const mpno_piece *p, int64_t k) {
    const int side = strcmp(p->name, "y") == 0;
    const size_t size = mpno_element_bytes(p->element);
    int64_t shape[MPNO_MAX_DIMS], stride[MPNO_MAX_DIMS], at = 0, all = 1, count = 1;
    shape_of(r->source, side, shape);
    MPNO_TRY(read_sample(r, p->start[0] + k * p->step[0]));
    for (int d = p->ndim - 1; d >= 1; d--) {
        stride[d] = all * p->step[d];
        at += p->start[d] * all;
        all *= shape[d];
        count *= p->count[d];
    }
    mpno_gather((char *)p->out + (size_t)(k * count) * size, r->values[side] + (size_t)at * size,
                size, p->ndim - 1, p->count + 1, stride + 1);
    return MPNO_OK;
}

static mpno_status fill_all(reading *r, size_t n, const mpno_piece *pieces) {
    int64_t most = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t shape[MPNO_MAX_DIMS];
        (void)shape_of(r->source, strcmp(pieces[i].name, "y") == 0, shape);
        MPNO_TRY(mpno_piece_check(r->ctx, &pieces[i], shape));
        if (pieces[i].count[0] > most) most = pieces[i].count[0];
    }
    for (int64_t k = 0; k < most; k++) /* pieces of the same samples share one call of read */
        for (size_t i = 0; i < n; i++)
            if (k < pieces[i].count[0]) MPNO_TRY(fill(r, &pieces[i], k));
    return MPNO_OK;
}

static mpno_status open_reading(mpno_ctx *ctx, const char *path, reading *r) {
    *r = (reading){.ctx = ctx, .sample = -1};
    MPNO_TRY(require(ctx, path, &r->source));
    for (int side = 0; side < (r->source->out_channels > 0 ? 2 : 1); side++) {
        int64_t shape[MPNO_MAX_DIMS], count;
        size_t bytes;
        const int ndim = shape_of(r->source, side, shape);
        (void)mpno_shape_measure(element_of(r->source), ndim - 1, shape + 1, &count, &bytes);
        MPNO_TRY(mpno_alloc(ctx, bytes, &r->values[side]));
    }
    return MPNO_OK;
}

mpno_status mpno_source_fetch(mpno_ctx *ctx, const char *path, size_t n, const mpno_piece *pieces) {
    reading r;
    mpno_status status = open_reading(ctx, path, &r);
    if (status == MPNO_OK) status = fill_all(&r, n, pieces);
    mpno_free(ctx, r.values[0]);
    mpno_free(ctx, r.values[1]);
    return status;
}

mpno_status mpno_source_read(mpno_ctx *ctx, const char *path, mpno_tensor_file **out) {
    mpno_tensor_file *list;
    mpno_piece pieces[2] = {0};
    *out = NULL;
    MPNO_TRY(mpno_source_list(ctx, path, &list));
    mpno_status status = mpno_tensor_file_create(ctx, out);
    for (size_t i = 0; i < list->n && status == MPNO_OK; i++) {
        const mpno_named_tensor *t = &list->tensors[i];
        mpno_named_tensor *copy = NULL;
        status = mpno_tensor_file_add(ctx, *out, t->name, t->element, t->ndim, t->shape, &copy);
        if (status != MPNO_OK) break;
        pieces[i] = (mpno_piece){.name = t->name, .element = t->element, .ndim = t->ndim};
        pieces[i].out = copy->data;
        for (int d = 0; d < t->ndim; d++) {
            pieces[i].count[d] = t->shape[d];
            pieces[i].step[d] = 1;
        }
    }
    if (status == MPNO_OK) status = mpno_source_fetch(ctx, path, list->n, pieces);
    mpno_tensor_file_destroy(ctx, &list);
    if (status == MPNO_OK) return MPNO_OK;
    mpno_tensor_file_destroy(ctx, out);
    return mpno_fail_in(ctx, status, "%s", path);
}
