/* SPDX-License-Identifier: MIT
 * Training sets that stay in their files: see feed.h. */
#include "train/feed.h"

#include <string.h>

#include "core/checksum.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "report/human.h"
#include "train/sets.h"

enum {
    BLOCK_BYTES = 1 << 20,    /* read at once: 16 GB/s of copies need no larger pieces */
    WINDOW_BYTES = 128 << 20, /* without a memory limit */
    LIMIT_PARTS = 12          /* of the memory limit; three windows are a quarter of it */
};

/* -------- opening -------- */

static bool same_shapes(const mpno_dataset *a, const mpno_dataset *b) {
    return a->ndim == b->ndim && a->planes == b->planes && a->windows == b->windows &&
           memcmp(a->grid, b->grid, sizeof a->grid) == 0 &&
           memcmp(a->out_grid, b->out_grid, sizeof a->out_grid) == 0 &&
           a->in_channels == b->in_channels && a->out_channels == b->out_channels &&
           a->n_features == b->n_features;
}

/* Shapes with every factor-th node. */
static mpno_status coarsen(mpno_ctx *ctx, const mpno_dataset *whole, int64_t factor,
                           mpno_dataset **out) {
    mpno_dataset like = *whole, *one;
    MPNO_TRY(mpno_dataset_allocate(ctx, &like, 1, &one));
    memset(one->x, 0, (size_t)(one->points * one->in_channels) * mpno_format_bytes(one->format));
    memset(one->y, 0,
           (size_t)(one->out_points * one->out_channels) * mpno_format_bytes(one->format));
    mpno_status status = mpno_dataset_subsample(ctx, one, factor, out);
    mpno_dataset_destroy(ctx, &one);
    if (status != MPNO_OK) return mpno_fail_in(ctx, status, "data.train_subsampling");
    mpno_free(ctx, (*out)->x);
    mpno_free(ctx, (*out)->y);
    mpno_free(ctx, (*out)->embedding);
    (*out)->x = (*out)->y = (*out)->embedding = NULL;
    (*out)->n = whole->n;
    return MPNO_OK;
}

/* Takes *shape and *reader, on failure too. */
static mpno_status add_file(mpno_ctx *ctx, mpno_feed *s, mpno_tensor_reader *reader,
                            int64_t entries, int64_t chunk) {
    const size_t n = s->n_files;
    mpno_status status =
        mpno_realloc_array(ctx, &s->readers, n, n + 1, sizeof(mpno_tensor_reader *));
    if (status == MPNO_OK)
        status = mpno_realloc_array(ctx, &s->entries, n, n + 1, sizeof *s->entries);
    if (status != MPNO_OK) {
        mpno_tensor_reader_close(ctx, &reader);
        return status;
    }
    s->readers[n] = reader;
    s->entries[n] = entries;
    s->n_files++;
    if (chunk > s->chunk) s->chunk = chunk;
    return MPNO_OK;
}

/* A training file opened; entries: those that are trained on. */
static mpno_status open_file(mpno_ctx *ctx, const mpno_settings *s, const char *path,
                             mpno_tensor_reader **reader, mpno_dataset **shape, int64_t *entries,
                             int64_t *chunk) {
    const mpno_dataset_opts opts = mpno_sets_training_opts(s);
    *shape = NULL;
    MPNO_TRY(mpno_tensor_reader_open(ctx, path, reader));
    mpno_status status = mpno_dataset_shape(ctx, *reader, &opts, chunk, shape);
    if (status == MPNO_OK) {
        const int64_t there = (*shape)->n / (*shape)->windows;
        *entries = s->data.n_train == MPNO_UNSET ? there : s->data.n_train;
        if (*entries > there)
            status = mpno_fail(ctx, MPNO_E_CONFIG,
                               "%s: %lld samples were asked for (data.n_train) but the file holds "
                               "%lld; ask for fewer",
                               path, (long long)*entries, (long long)there);
    }
    if (status == MPNO_OK && *entries <= s->data.n_validation)
        status = mpno_fail(ctx, MPNO_E_CONFIG,
                           "data.n_validation = %lld leaves nothing of the %lld training samples "
                           "of %s",
                           (long long)s->data.n_validation, (long long)*entries, path);
    *entries -= status == MPNO_OK ? s->data.n_validation : 0;
    if (status == MPNO_OK) return MPNO_OK;
    mpno_dataset_destroy(ctx, shape);
    mpno_tensor_reader_close(ctx, reader);
    return status;
}

/* The feed of these shapes and this factor, a new one if there is none. */
static mpno_status find_feed(mpno_ctx *ctx, const mpno_settings *s, const mpno_dataset *shape,
                             int64_t factor, mpno_feed ***list, size_t *n, mpno_feed **out) {
    for (size_t i = 0; i < *n; i++) {
        *out = (*list)[i];
        if ((*out)->factor == factor && same_shapes((*out)->whole, shape)) return MPNO_OK;
    }
    MPNO_TRY(mpno_realloc_array(ctx, list, *n, *n + 1, sizeof **list));
    MPNO_TRY(mpno_alloc(ctx, sizeof **out, out));
    mpno_feed *feed = (*list)[(*n)++] = *out;
    feed->opts = mpno_sets_training_opts(s);
    feed->factor = factor;
    MPNO_TRY(mpno_alloc(ctx, sizeof *feed->whole, &feed->whole));
    *feed->whole = *shape;
    return coarsen(ctx, feed->whole, factor, &feed->shape);
}

/* Cuts the files of a feed into blocks that fit twice into a window. */
static mpno_status make_blocks(mpno_ctx *ctx, const mpno_settings *s, mpno_feed *feed) {
    const mpno_dataset *shape = feed->shape;
    const int64_t each = shape->windows; /* samples of an entry */
    const int64_t bytes = (int64_t)mpno_dataset_bytes(feed->whole) * each;
    const int64_t half = s->data.window / 2 / each;
    int64_t size = bytes < BLOCK_BYTES ? BLOCK_BYTES / bytes : 1, number = 0;
    if (feed->chunk > 1) size = (size + feed->chunk - 1) / feed->chunk * feed->chunk;
    if (size > half) size = half > 1 ? half : 1;
    feed->window = s->data.window;
    MPNO_CHECK(ctx, feed->window - size * each >= s->data.batch_size, MPNO_E_CONFIG,
               "data.window = %lld is too small: with batches of %lld and %lld samples read at "
               "once give at least %lld, or leave it out",
               (long long)s->data.window, (long long)s->data.batch_size, (long long)(size * each),
               (long long)(s->data.batch_size + 2 * size * each));
    for (size_t f = 0; f < feed->n_files; f++)
        feed->n_blocks += (feed->entries[f] + size - 1) / size;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)feed->n_blocks, sizeof *feed->blocks, &feed->blocks));
    mpno_feed_block *block = feed->blocks;
    for (size_t f = 0; f < feed->n_files; f++)
        for (int64_t first = 0; first < feed->entries[f]; first += size) {
            const int64_t left = feed->entries[f] - first, n = left < size ? left : size;
            *block++ = (mpno_feed_block){f, first, n, number, n * each};
            number += n * each;
            if (n * each > feed->most) feed->most = n * each;
        }
    feed->shape->n = number;
    if (feed->factor == 1) return MPNO_OK;
    return mpno_dataset_allocate(ctx, feed->whole, size * each, &feed->read);
}

mpno_status mpno_feeds_open(mpno_ctx *ctx, const mpno_settings *s, mpno_feed ***out, size_t *n) {
    const mpno_int_list *factors = &s->data.train_subsampling;
    *out = NULL;
    *n = 0;
    for (size_t f = 0; f < s->data.train.n; f++)
        for (int64_t k = 0; k < (factors->n > 0 ? factors->n : 1); k++) {
            mpno_tensor_reader *reader;
            mpno_dataset *shape;
            mpno_feed *feed;
            int64_t entries, chunk;
            MPNO_TRY(open_file(ctx, s, s->data.train.v[f], &reader, &shape, &entries, &chunk));
            mpno_status status =
                find_feed(ctx, s, shape, factors->n > 0 ? factors->v[k] : 1, out, n, &feed);
            mpno_dataset_destroy(ctx, &shape);
            if (status != MPNO_OK) mpno_tensor_reader_close(ctx, &reader);
            MPNO_TRY(status);
            MPNO_TRY(add_file(ctx, feed, reader, entries, chunk));
        }
    for (size_t i = 0; i < *n; i++) MPNO_TRY(make_blocks(ctx, s, (*out)[i]));
    return MPNO_OK;
}

void mpno_feed_close(mpno_ctx *ctx, mpno_feed **feed) {
    mpno_feed *s = *feed;
    if (!s) return;
    for (size_t i = 0; i < s->n_files; i++) mpno_tensor_reader_close(ctx, &s->readers[i]);
    mpno_free(ctx, s->readers);
    mpno_free(ctx, s->entries);
    mpno_free(ctx, s->blocks);
    mpno_dataset_destroy(ctx, &s->whole);
    mpno_dataset_destroy(ctx, &s->shape);
    mpno_dataset_destroy(ctx, &s->read);
    mpno_free(ctx, s);
    *feed = NULL;
}

/* -------- whether -------- */

/* Samples of a window by default; room for a batch and the blocks at its ends. */
static int64_t choose_window(const mpno_settings *s, size_t sample, int64_t entry) {
    const size_t limit = mpno_settings_memory_limit(s) / LIMIT_PARTS;
    const size_t bytes = limit > 0 && limit < WINDOW_BYTES ? limit : WINDOW_BYTES;
    const int64_t window = (int64_t)(bytes / sample), least = 2 * (s->data.batch_size + entry);
    return window > least ? window : least;
}

static void keep_in_memory(mpno_settings *s) {
    s->data.streaming = MPNO_STREAMING_NEVER;
    s->data.window = MPNO_UNSET;
}

mpno_status mpno_streaming_decide(mpno_ctx *ctx, mpno_settings *s, size_t *bytes) {
    const size_t limit = mpno_settings_memory_limit(s);
    const bool asked = s->data.streaming == MPNO_STREAMING_ALWAYS;
    const bool open = asked || (s->data.streaming == MPNO_STREAMING_AUTO && limit > 0);
    int64_t entries, chunk, entry = 1;
    size_t sample = 1;
    *bytes = 0;
    if (!open) keep_in_memory(s);
    for (size_t f = 0; f < s->data.train.n && open; f++) {
        mpno_tensor_reader *reader;
        mpno_dataset *shape;
        const mpno_status status =
            open_file(ctx, s, s->data.train.v[f], &reader, &shape, &entries, &chunk);
        if (status == MPNO_E_UNSUPPORTED && !asked) {
            keep_in_memory(s);
            return MPNO_OK;
        }
        MPNO_TRY(status);
        const size_t one = mpno_dataset_bytes(shape);
        *bytes += one * (size_t)((entries + s->data.n_validation) * shape->windows);
        if (one > sample) sample = one;
        if (shape->windows > entry) entry = shape->windows;
        mpno_dataset_destroy(ctx, &shape);
        mpno_tensor_reader_close(ctx, &reader);
    }
    if (!asked && *bytes <= limit / 2) keep_in_memory(s);
    if (s->data.streaming == MPNO_STREAMING_NEVER) return MPNO_OK;
    s->data.streaming = MPNO_STREAMING_ALWAYS;
    if (s->data.window == MPNO_UNSET) s->data.window = choose_window(s, sample, entry);
    return MPNO_OK;
}

mpno_status mpno_streaming_shorten(mpno_ctx *ctx, mpno_settings *s) {
    int64_t least = INT64_MAX;
    size_t bytes;
    MPNO_TRY(mpno_streaming_decide(ctx, s, &bytes));
    if (s->data.streaming == MPNO_STREAMING_NEVER) return MPNO_OK;
    for (size_t f = 0; f < s->data.train.n; f++) {
        mpno_tensor_reader *reader;
        mpno_dataset *shape;
        int64_t entries, chunk;
        MPNO_TRY(open_file(ctx, s, s->data.train.v[f], &reader, &shape, &entries, &chunk));
        const int64_t wanted = (s->data.batch_size - 1) / shape->windows + 1;
        if (entries < least) least = entries;
        if (wanted < least) least = wanted;
        mpno_dataset_destroy(ctx, &shape);
        mpno_tensor_reader_close(ctx, &reader);
    }
    s->data.n_train = least + s->data.n_validation;
    keep_in_memory(s);
    return MPNO_OK;
}

/* -------- reading -------- */

mpno_status mpno_feed_load(mpno_ctx *ctx, mpno_feed *s, int64_t block, mpno_dataset *into,
                           int64_t at) {
    const mpno_feed_block *b = &s->blocks[block];
    mpno_dataset *coarse;
    if (!s->read)
        return mpno_dataset_load(ctx, s->readers[b->file], &s->opts, b->first, b->entries, into,
                                 at);
    MPNO_TRY(
        mpno_dataset_load(ctx, s->readers[b->file], &s->opts, b->first, b->entries, s->read, 0));
    mpno_dataset part = *s->read;
    part.n = b->n;
    MPNO_TRY(mpno_dataset_subsample(ctx, &part, s->factor, &coarse));
    const mpno_format f = into->format;
    const int64_t nx = into->points * into->in_channels, ny = into->out_points * into->out_channels;
    const size_t value = mpno_format_bytes(f), n = (size_t)b->n;
    memcpy(mpno_sample(into->x, f, nx, at), coarse->x, n * (size_t)nx * value);
    memcpy(mpno_sample(into->y, f, ny, at), coarse->y, n * (size_t)ny * value);
    if (coarse->embedding)
        memcpy(mpno_sample(into->embedding, f, into->n_features, at), coarse->embedding,
               n * (size_t)into->n_features * value);
    mpno_dataset_destroy(ctx, &coarse);
    return MPNO_OK;
}

/* What is made of a block, each by a thread of its own. */
typedef struct scan {
    const mpno_dataset *block;
    int64_t n;
    mpno_moments *moments[2];
    mpno_crc64 crc[2];
} scan;

enum { SCAN_TASKS = 4 };

static void scan_part(void *argument, int64_t task, int thread) {
    scan *s = argument;
    const mpno_dataset *b = s->block;
    const int side = (int)task % 2;
    const int64_t n = s->n * (side ? b->out_points * b->out_channels : b->points * b->in_channels);
    const void *values = side ? b->y : b->x;
    const size_t bytes = mpno_format_bytes(b->format);
    (void)thread;
    if (task >= 2) {
        mpno_crc64_add(&s->crc[side], values, (size_t)n * bytes);
        if (side && b->embedding)
            mpno_crc64_add(&s->crc[side], b->embedding, (size_t)(s->n * b->n_features) * bytes);
    } else if (s->moments[side]) {
        mpno_moments_add(s->moments[side], b->format, values, n);
    }
}

static mpno_status scan_blocks(mpno_ctx *ctx, mpno_feed *feed, scan *s, mpno_dataset *block) {
    for (int64_t i = 0; i < feed->n_blocks; i++) {
        MPNO_TRY(mpno_feed_load(ctx, feed, i, block, 0));
        s->n = feed->blocks[i].n;
        mpno_parallel(ctx->n_threads, SCAN_TASKS, scan_part, s);
    }
    return MPNO_OK;
}

/* Blocks count in the checksum: another size of them is another order of samples. */
mpno_status mpno_feed_scan(mpno_ctx *ctx, mpno_feed *feed, mpno_moments *x, mpno_moments *y,
                           uint64_t *checksum) {
    mpno_dataset *block;
    scan *s;
    MPNO_TRY(mpno_dataset_allocate(ctx, feed->shape, feed->most, &block));
    mpno_status status = mpno_alloc(ctx, sizeof *s, &s);
    if (status == MPNO_OK) {
        *s = (scan){.block = block, .moments = {x, y}};
        for (int i = 0; i < 2; i++) mpno_crc64_start(&s->crc[i]);
        for (int64_t i = 0; i < feed->n_blocks; i++)
            mpno_crc64_add(&s->crc[0], &feed->blocks[i].n, sizeof feed->blocks[i].n);
        status = scan_blocks(ctx, feed, s, block);
        *checksum = mpno_crc64_value(&s->crc[0]) + 31 * mpno_crc64_value(&s->crc[1]);
    }
    mpno_free(ctx, s);
    mpno_dataset_destroy(ctx, &block);
    return status;
}

/* -------- order -------- */

void mpno_feed_order(const mpno_feed *feed, uint64_t seed, int64_t epoch, size_t set,
                     int64_t *order, int64_t *starts, int64_t *n_windows) {
    mpno_rng rng = mpno_rng_make(seed, MPNO_STREAM_BLOCKS, (uint32_t)epoch);
    int64_t room = 0;
    rng.index = (uint64_t)set << 40; /* more numbers than any permutation takes */
    mpno_rng_permutation(&rng, feed->n_blocks, order);
    *n_windows = 0;
    for (int64_t i = 0; i < feed->n_blocks; i++) {
        const int64_t n = feed->blocks[order[i]].n;
        if (room < n) {
            starts[(*n_windows)++] = i;
            room = feed->window;
        }
        room -= n;
    }
    starts[*n_windows] = feed->n_blocks;
}
