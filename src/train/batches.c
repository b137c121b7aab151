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

/* -------- feeds -------- */

static mpno_status make_feeds(mpno_batches *b) {
    const size_t n = b->sets->n_train;
    MPNO_TRY(mpno_alloc_array(b->ctx, n, sizeof *b->earlier, &b->earlier));
    MPNO_TRY(mpno_alloc_array(b->ctx, n, sizeof *b->reached, &b->reached));
    for (int i = 0; i < 2; i++) MPNO_TRY(mpno_load_plan_make(b->ctx, b->sets, b->n, &b->plans[i]));
    return mpno_loader_start(b->ctx, b->sets, b->state, &b->loader);
}

/* The windows of each set, and at which place of all samples they begin. */
static void plan_windows(const mpno_batches *b, mpno_load_plan *plan) {
    int64_t start = 0;
    for (size_t s = 0; s < b->sets->n_train; s++) {
        const mpno_feed *feed = b->sets->train[s].feed;
        int64_t *order = plan->blocks[s], *starts = plan->starts[s], *begins = plan->begins[s];
        mpno_feed_order(feed, (uint64_t)b->settings->seed, plan->epoch, s, order, starts,
                        &plan->n_windows[s]);
        for (int64_t w = 0; w < plan->n_windows[s]; w++) {
            begins[w] = start;
            for (int64_t i = starts[w]; i < starts[w + 1]; i++) start += feed->blocks[order[i]].n;
        }
        begins[plan->n_windows[s]] = start;
    }
}

/* Batches of one set in their own order, so that its windows are read one after the other; which
 * set is next is left as it was drawn. */
static void keep_order(mpno_batches *b, int64_t *turn) {
    int64_t first = 0;
    for (size_t s = 0; s < b->sets->n_train; s++) {
        b->reached[s] = first;
        while (first < b->n && b->list[first].set == s) first++;
    }
    for (int64_t i = 0; i < b->n; i++) turn[i] = b->reached[b->list[turn[i]].set]++;
}

/* Everything of an epoch but the order inside of the windows: which set's batch is next, windows to
 * be read as soon as a batch reaches them. */
static void plan_epoch(mpno_batches *b, int64_t epoch, mpno_load_plan *plan) {
    mpno_rng rng = mpno_rng_make((uint64_t)b->settings->seed, MPNO_STREAM_BLOCKS, (uint32_t)epoch);
    plan->epoch = epoch;
    plan->n_loads = 0;
    plan_windows(b, plan);
    rng.index = (uint64_t)b->sets->n_train << 40; /* behind the orders of all sets */
    mpno_rng_permutation(&rng, b->n, plan->turn);
    keep_order(b, plan->turn);
    memset(b->reached, 0, b->sets->n_train * sizeof *b->reached);
    for (int64_t i = 0; i < b->n; i++) {
        const mpno_batch *batch = &b->list[plan->turn[i]];
        const int64_t *begins = plan->begins[batch->set], n = plan->n_windows[batch->set];
        int64_t *w = &b->reached[batch->set];
        while (*w < n && begins[*w] < batch->first + batch->n)
            plan->loads[plan->n_loads++] = (mpno_load){batch->set, (*w)++};
    }
}

void mpno_batches_prepare(mpno_batches *b, int64_t epoch) {
    mpno_load_plan *plan = &b->plans[epoch % 2];
    if (!b->loader || plan->epoch == epoch || epoch >= b->settings->opt.n_epochs) return;
    plan_epoch(b, epoch, plan);
    mpno_loader_follow(b->loader, plan);
}

/* The plan of this epoch, unless it was made with the one before, and that of the next; then the
 * order inside of the windows. */
static void begin_feeds(mpno_batches *b, int64_t epoch) {
    mpno_load_plan *plan = &b->plans[epoch % 2], *next = &b->plans[(epoch + 1) % 2];
    for (size_t s = 0; s < b->sets->n_train && next->epoch >= 0; s++)
        b->earlier[s] += next->n_windows[s]; /* still of the epoch before */
    mpno_batches_prepare(b, epoch);
    next->epoch = -1;
    if (epoch + 1 < b->settings->opt.n_epochs) {
        plan_epoch(b, epoch + 1, next);
        mpno_loader_follow(b->loader, next);
    }
    memcpy(b->turn, plan->turn, (size_t)b->n * sizeof *b->turn);
    memset(b->reached, 0, b->sets->n_train * sizeof *b->reached);
    mpno_rng rng = mpno_rng_make((uint64_t)b->settings->seed, MPNO_STREAM_SHUFFLE, (uint32_t)epoch);
    for (size_t s = 0; s < b->sets->n_train; s++)
        for (int64_t w = 0; w < plan->n_windows[s]; w++) {
            const int64_t *begins = plan->begins[s] + w;
            mpno_rng_permutation(&rng, begins[1] - begins[0], b->order + begins[0]);
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
    MPNO_TRY(make_room(out));
    return sets->train[0].feed ? make_feeds(out) : MPNO_OK;
}

void mpno_batches_clear(mpno_batches *b) {
    mpno_loader_stop(&b->loader);
    for (int i = 0; i < 2; i++)
        if (b->plans[i].blocks) mpno_load_plan_clear(b->ctx, b->sets, &b->plans[i]);
    mpno_free(b->ctx, b->earlier);
    mpno_free(b->ctx, b->reached);
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
    if (b->loader) {
        begin_feeds(b, epoch);
        return;
    }
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

/* Where the samples of a batch stand: from `split` on in another window. */
typedef struct gathering {
    const mpno_batches *batches;
    const mpno_dataset *data, *rest; /* rest: of the samples from `split` on */
    int64_t split;
    const int64_t *order;
    int64_t numbered; /* samples of the sets before */
    bool augment;
    mpno_field_shape x, y;
    /* of feeds: the blocks of both windows, for the numbers of their samples */
    const mpno_feed *feed;
    const int64_t *blocks[2];
} gathering;

static void copy_field(const mpno_symmetry *symmetry, const mpno_field_shape *shape,
                       const void *from, void *to, int64_t values) {
    if (symmetry)
        mpno_symmetry_apply(symmetry, shape, from, to);
    else
        memcpy(to, from, (size_t)values * mpno_format_bytes(shape->format));
}

/* The number in its set of the sample at place `at` of a window. */
static int64_t number_of(const gathering *g, int window, int64_t at) {
    const int64_t *block = g->blocks[window];
    if (!g->feed) return at;
    while (at >= g->feed->blocks[*block].n) at -= g->feed->blocks[*block++].n;
    return g->feed->blocks[*block].number + at;
}

/* Sample order[i] to place i of the batch. */
static void gather_sample(void *argument, int64_t i, int thread) {
    const gathering *g = argument;
    const mpno_batches *b = g->batches;
    const int window = i >= g->split;
    const mpno_dataset *data = window ? g->rest : g->data;
    const mpno_format format = data->format;
    const int64_t sample = g->order[i];
    const int64_t nx = data->points * data->in_channels, ny = data->out_points * data->out_channels;
    mpno_symmetry drawn;
    (void)thread;
    if (g->augment)
        drawn = mpno_augment_draw(b->settings, data, b->epoch,
                                  g->numbered + number_of(g, window, sample));
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

/* The window or the two windows that a batch lies in. */
static mpno_status find_windows(mpno_batches *b, const mpno_batch *batch, gathering *g) {
    const mpno_load_plan *plan = &b->plans[b->epoch % 2];
    const int64_t *begins = plan->begins[batch->set], *starts = plan->starts[batch->set];
    int64_t w = b->reached[batch->set], last;
    while (begins[w + 1] <= batch->first) w++;
    last = begins[w + 1] < batch->first + batch->n ? w + 1 : w;
    b->reached[batch->set] = w;
    g->feed = b->sets->train[batch->set].feed;
    g->split = begins[w + 1] - batch->first;
    for (int i = 0; i < 2; i++) g->blocks[i] = plan->blocks[batch->set] + starts[i ? last : w];
    MPNO_TRY(mpno_loader_wait(b->loader, batch->set, b->earlier[batch->set] + w, &g->data));
    return mpno_loader_wait(b->loader, batch->set, b->earlier[batch->set] + last, &g->rest);
}

mpno_status mpno_batches_gather(mpno_batches *b, int64_t index, const mpno_batch **out) {
    const mpno_batch *batch = &b->list[b->turn[index]];
    const mpno_dataset *data = b->sets->train[batch->set].data;
    const mpno_settings *s = b->settings;
    gathering g = {
        .batches = b,
        .data = data,
        .split = batch->n,
        .order = b->order + batch->first,
        .augment = mpno_augment_wanted(s),
        .x = {data->grid, data->planes, data->in_channels, data->format, s->augment.x_vectors.v,
              s->augment.x_vectors.n, b->state->encode_x ? &b->state->x : NULL},
        .y = {data->out_grid, data->planes, data->out_channels, data->format,
              s->augment.y_vectors.v, s->augment.y_vectors.n,
              b->state->encode_y ? &b->state->y : NULL}};
    for (size_t i = 0; i < batch->set; i++) g.numbered += b->sets->train[i].data->n;
    if (b->loader) MPNO_TRY(find_windows(b, batch, &g));
    mpno_parallel(b->ctx->n_threads, batch->n, gather_sample, &g);
    *out = batch;
    return MPNO_OK;
}
