/* SPDX-License-Identifier: MIT
 * The training samples of an epoch, batch by batch: see batches.h. */
#include "train/batches.h"

#include <string.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "train/augment.h"

int64_t mpno_batches_capacity(const mpno_settings *settings, const mpno_set *set) {
    return settings->data.batch_size < set->n ? settings->data.batch_size : set->n;
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

/* Room for the largest batch of any set. */
static mpno_status make_room(mpno_batches *b) {
    size_t x = 0, y = 0, embedding = 0;
    for (size_t i = 0; i < b->sets->n_train; i++) {
        const mpno_dataset *data = b->sets->train[i].data;
        const size_t bytes = (size_t)mpno_batches_capacity(b->settings, &b->sets->train[i]) *
                             mpno_format_bytes(data->format);
        x = larger(x, bytes * (size_t)(data->points * data->in_channels));
        y = larger(y, bytes * (size_t)(data->out_points * data->out_channels));
        embedding = larger(embedding, bytes * (size_t)data->n_features);
    }
    MPNO_TRY(mpno_alloc(b->ctx, x, &b->x));
    MPNO_TRY(mpno_alloc(b->ctx, y, &b->y));
    return mpno_alloc(b->ctx, embedding, &b->embedding);
}

static void list_batches(mpno_batches *b) {
    const int64_t size = b->settings->data.batch_size;
    int64_t n = 0, start = 0;
    for (size_t s = 0; s < b->sets->n_train; s++) {
        const int64_t samples = b->sets->train[s].n;
        for (int64_t first = 0; first < samples; first += size)
            b->list[n++] =
                (mpno_batch){s, start + first, samples - first < size ? samples - first : size};
        start += samples;
    }
}

mpno_status mpno_batches_make(mpno_ctx *ctx, const mpno_settings *settings, const mpno_sets *sets,
                              const mpno_train_state *state, mpno_batches *out) {
    *out = (mpno_batches){.ctx = ctx, .settings = settings, .sets = sets, .state = state};
    for (size_t i = 0; i < sets->n_train; i++)
        out->n += (sets->train[i].n - 1) / settings->data.batch_size + 1;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)out->n, sizeof *out->list, &out->list));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)out->n, sizeof *out->turn, &out->turn));
    MPNO_TRY(
        mpno_alloc_array(ctx, (size_t)mpno_sets_samples(sets), sizeof *out->order, &out->order));
    list_batches(out);
    return make_room(out);
}

void mpno_batches_clear(mpno_batches *b) {
    mpno_free(b->ctx, b->list);
    mpno_free(b->ctx, b->turn);
    mpno_free(b->ctx, b->order);
    mpno_free(b->ctx, b->x);
    mpno_free(b->ctx, b->y);
    mpno_free(b->ctx, b->embedding);
    *b = (mpno_batches){0};
}

void mpno_batches_begin(mpno_batches *b, int64_t epoch) {
    mpno_rng rng = mpno_rng_make((uint64_t)b->settings->seed, MPNO_STREAM_SHUFFLE, (uint32_t)epoch);
    int64_t *order = b->order;
    b->epoch = epoch;
    for (size_t i = 0; i < b->sets->n_train; i++) {
        mpno_rng_permutation(&rng, b->sets->train[i].n, order);
        order += b->sets->train[i].n;
    }
    /* the batches of one set are in no order already, but for a last one that is smaller */
    if (b->sets->n_train > 1)
        mpno_rng_permutation(&rng, b->n, b->turn);
    else
        for (int64_t i = 0; i < b->n; i++) b->turn[i] = i;
}

typedef struct gathering {
    const mpno_batches *batches;
    const mpno_dataset *data;
    const int64_t *order;
    int64_t numbered; /* samples of the sets before */
    bool augment;
    mpno_field_shape x, y;
} gathering;

static void copy_field(const mpno_symmetry *symmetry, const mpno_field_shape *shape,
                       const void *from, void *to, int64_t values) {
    if (symmetry)
        mpno_symmetry_apply(symmetry, shape, from, to);
    else
        memcpy(to, from, (size_t)values * mpno_format_bytes(shape->format));
}

/* Sample order[i] to place i of the batch. */
static void gather_sample(void *argument, int64_t i, int thread) {
    const gathering *g = argument;
    const mpno_batches *b = g->batches;
    const mpno_dataset *data = g->data;
    const mpno_format format = data->format;
    const int64_t sample = g->order[i];
    const int64_t nx = data->points * data->in_channels, ny = data->out_points * data->out_channels;
    mpno_symmetry drawn;
    (void)thread;
    if (g->augment) drawn = mpno_augment_draw(b->settings, data, b->epoch, g->numbered + sample);
    const mpno_symmetry *symmetry = g->augment ? &drawn : NULL;
    copy_field(symmetry, &g->x, mpno_sample(data->x, format, nx, sample),
               mpno_sample(b->x, format, nx, i), nx);
    copy_field(symmetry, &g->y, mpno_sample(data->y, format, ny, sample),
               mpno_sample(b->y, format, ny, i), ny);
    if (data->embedding)
        memcpy(mpno_sample(b->embedding, format, data->n_features, i),
               mpno_sample(data->embedding, format, data->n_features, sample),
               (size_t)data->n_features * mpno_format_bytes(format));
}

const mpno_batch *mpno_batches_gather(mpno_batches *b, int64_t index) {
    const mpno_batch *batch = &b->list[b->turn[index]];
    const mpno_dataset *data = b->sets->train[batch->set].data;
    const mpno_settings *s = b->settings;
    gathering g = {
        .batches = b,
        .data = data,
        .order = b->order + batch->first,
        .augment = mpno_augment_wanted(s),
        .x = {data->grid, data->planes, data->in_channels, data->format, s->augment.x_vectors.v,
              s->augment.x_vectors.n, b->state->encode_x ? &b->state->x : NULL},
        .y = {data->out_grid, data->planes, data->out_channels, data->format,
              s->augment.y_vectors.v, s->augment.y_vectors.n,
              b->state->encode_y ? &b->state->y : NULL}};
    for (size_t i = 0; i < batch->set; i++) g.numbered += b->sets->train[i].data->n;
    mpno_parallel(b->ctx->n_threads, batch->n, gather_sample, &g);
    return batch;
}
