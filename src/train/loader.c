/* SPDX-License-Identifier: MIT
 * Reads ahead: see loader.h. */
#include "train/loader.h"

#include <pthread.h>
#include <string.h>

#include "core/memory.h"
#include "train/feed.h"

/* The windows of a set, in turn: window q stands in slot q % MPNO_LOADER_WINDOWS from when it is
 * read until it is released. */
typedef struct ring {
    mpno_dataset *slots[MPNO_LOADER_WINDOWS]; /* owned */
    int64_t loaded, released;                 /* windows, counted over all plans */
} ring;

struct mpno_loader {
    mpno_ctx *ctx; /* of the caller, who owns the memory of the windows */
    mpno_ctx *own; /* owned: of the thread, with its errors */
    const mpno_sets *sets;
    const mpno_train_state *state;
    ring *rings; /* [sets->n_train], owned */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards all below and the counters of the rings */
    pthread_cond_t change;
    const mpno_load_plan *plans[2];
    int n_plans;
    int64_t next; /* load of plans[0] */
    mpno_status status;
    bool started, stop;
};

/* -------- plans -------- */

mpno_status mpno_load_plan_make(mpno_ctx *ctx, const mpno_sets *sets, int64_t n_batches,
                                mpno_load_plan *plan) {
    const size_t n = sets->n_train;
    int64_t most = 0;
    *plan = (mpno_load_plan){.epoch = -1};
    MPNO_TRY(mpno_alloc_array(ctx, n, sizeof(int64_t *), &plan->blocks));
    MPNO_TRY(mpno_alloc_array(ctx, n, sizeof(int64_t *), &plan->starts));
    MPNO_TRY(mpno_alloc_array(ctx, n, sizeof(int64_t *), &plan->begins));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)n_batches, sizeof *plan->turn, &plan->turn));
    MPNO_TRY(mpno_alloc_array(ctx, n, sizeof *plan->n_windows, &plan->n_windows));
    for (size_t s = 0; s < n; s++) {
        const size_t blocks = (size_t)sets->train[s].feed->n_blocks;
        MPNO_TRY(mpno_alloc_array(ctx, blocks, sizeof(int64_t), &plan->blocks[s]));
        MPNO_TRY(mpno_alloc_array(ctx, blocks + 1, sizeof(int64_t), &plan->starts[s]));
        MPNO_TRY(mpno_alloc_array(ctx, blocks + 1, sizeof(int64_t), &plan->begins[s]));
        most += (int64_t)blocks;
    }
    return mpno_alloc_array(ctx, (size_t)most, sizeof *plan->loads, &plan->loads);
}

void mpno_load_plan_clear(mpno_ctx *ctx, const mpno_sets *sets, mpno_load_plan *plan) {
    for (size_t s = 0; s < sets->n_train; s++) {
        if (plan->blocks) mpno_free(ctx, plan->blocks[s]);
        if (plan->starts) mpno_free(ctx, plan->starts[s]);
        if (plan->begins) mpno_free(ctx, plan->begins[s]);
    }
    mpno_free(ctx, plan->begins);
    mpno_free(ctx, plan->turn);
    mpno_free(ctx, plan->blocks);
    mpno_free(ctx, plan->starts);
    mpno_free(ctx, plan->n_windows);
    mpno_free(ctx, plan->loads);
    *plan = (mpno_load_plan){.epoch = -1};
}

/* -------- the thread -------- */

static void encode(const mpno_train_state *state, mpno_dataset *data, int64_t at, int64_t n) {
    const int64_t nx = data->points * data->in_channels, ny = data->out_points * data->out_channels;
    if (state->encode_x)
        mpno_normalizer_encode(&state->x, data->format, mpno_sample(data->x, data->format, nx, at),
                               n * nx);
    if (state->encode_y)
        mpno_normalizer_encode(&state->y, data->format, mpno_sample(data->y, data->format, ny, at),
                               n * ny);
}

static bool stopped(mpno_loader *l) {
    pthread_mutex_lock(&l->mutex);
    const bool stop = l->stop;
    pthread_mutex_unlock(&l->mutex);
    return stop;
}

static mpno_status load(mpno_loader *l, const mpno_load_plan *plan, const mpno_load *load,
                        mpno_dataset *into) {
    mpno_feed *feed = l->sets->train[load->set].feed;
    const int64_t *starts = plan->starts[load->set] + load->window;
    int64_t at = 0;
    for (int64_t i = starts[0]; i < starts[1] && !stopped(l); i++) {
        const int64_t block = plan->blocks[load->set][i], n = feed->blocks[block].n;
        MPNO_TRY(mpno_feed_load(l->own, feed, block, into, at));
        encode(l->state, into, at, n);
        at += n;
    }
    return MPNO_OK;
}

/* Waits for a load that has a free slot; false: the end. Called with the mutex held. */
static bool next_load(mpno_loader *l, mpno_load *out, const mpno_load_plan **plan) {
    for (;;) {
        if (l->stop || l->status != MPNO_OK) return false;
        if (l->n_plans > 0 && l->next < l->plans[0]->n_loads) {
            *plan = l->plans[0];
            *out = l->plans[0]->loads[l->next];
            const ring *r = &l->rings[out->set];
            if (r->loaded < r->released + MPNO_LOADER_WINDOWS) return true;
        } else if (l->n_plans > 1) {
            l->plans[0] = l->plans[1];
            l->n_plans = 1;
            l->next = 0;
            continue;
        }
        pthread_cond_wait(&l->change, &l->mutex);
    }
}

static void *run(void *argument) {
    mpno_loader *l = argument;
    mpno_load what;
    const mpno_load_plan *plan;
    pthread_mutex_lock(&l->mutex);
    while (next_load(l, &what, &plan)) {
        ring *r = &l->rings[what.set];
        mpno_dataset *into = r->slots[r->loaded % MPNO_LOADER_WINDOWS];
        pthread_mutex_unlock(&l->mutex);
        const mpno_status status = load(l, plan, &what, into);
        pthread_mutex_lock(&l->mutex);
        l->status = status;
        if (status == MPNO_OK) r->loaded++, l->next++;
        pthread_cond_broadcast(&l->change);
    }
    pthread_mutex_unlock(&l->mutex);
    return NULL;
}

/* -------- from outside -------- */

/* The system clears pages when they are first written: now, not beside the first steps. */
static void touch(mpno_dataset *d) {
    const size_t value = mpno_format_bytes(d->format), n = (size_t)d->n * value;
    memset(d->x, 0, n * (size_t)(d->points * d->in_channels));
    memset(d->y, 0, n * (size_t)(d->out_points * d->out_channels));
}

static mpno_status make_rings(mpno_loader *l) {
    MPNO_TRY(mpno_alloc_array(l->ctx, l->sets->n_train, sizeof *l->rings, &l->rings));
    for (size_t s = 0; s < l->sets->n_train; s++) {
        const mpno_feed *feed = l->sets->train[s].feed;
        const int64_t n = feed->window < feed->shape->n ? feed->window : feed->shape->n;
        for (int i = 0; i < MPNO_LOADER_WINDOWS; i++) {
            mpno_dataset **slot = &l->rings[s].slots[i];
            MPNO_TRY(mpno_dataset_allocate(l->ctx, feed->shape, n, slot));
            touch(*slot);
        }
    }
    return MPNO_OK;
}

static mpno_status start(mpno_loader *l) {
    const mpno_ctx_opts opts = MPNO_CTX_OPTS_INIT;
    MPNO_TRY(make_rings(l));
    MPNO_CHECK(l->ctx, mpno_ctx_create(&opts, &l->own) == MPNO_OK, MPNO_E_MEMORY,
               "no memory for the thread that reads ahead");
    l->started = pthread_create(&l->thread, NULL, run, l) == 0;
    MPNO_CHECK(l->ctx, l->started, MPNO_E_UNSUPPORTED,
               "the thread that reads ahead cannot be started: give data.streaming=never, or allow "
               "the process more threads");
    return MPNO_OK;
}

mpno_status mpno_loader_start(mpno_ctx *ctx, const mpno_sets *sets, const mpno_train_state *state,
                              mpno_loader **out) {
    mpno_loader *l;
    *out = NULL;
    MPNO_TRY(mpno_alloc(ctx, sizeof *l, &l));
    l->ctx = ctx;
    l->sets = sets;
    l->state = state;
    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->change, NULL);
    const mpno_status status = start(l);
    if (status == MPNO_OK)
        *out = l;
    else
        mpno_loader_stop(&l);
    return status;
}

void mpno_loader_stop(mpno_loader **loader) {
    mpno_loader *l = *loader;
    if (!l) return;
    if (l->started) {
        pthread_mutex_lock(&l->mutex);
        l->stop = true;
        pthread_cond_broadcast(&l->change);
        pthread_mutex_unlock(&l->mutex);
        pthread_join(l->thread, NULL);
    }
    for (size_t s = 0; l->rings && s < l->sets->n_train; s++)
        for (int i = 0; i < MPNO_LOADER_WINDOWS; i++)
            mpno_dataset_destroy(l->ctx, &l->rings[s].slots[i]);
    pthread_cond_destroy(&l->change);
    pthread_mutex_destroy(&l->mutex);
    mpno_free(l->ctx, l->rings);
    mpno_ctx_destroy(&l->own);
    mpno_free(l->ctx, l);
    *loader = NULL;
}

void mpno_loader_follow(mpno_loader *l, const mpno_load_plan *plan) {
    pthread_mutex_lock(&l->mutex);
    while (l->n_plans == 2 && l->status == MPNO_OK) pthread_cond_wait(&l->change, &l->mutex);
    if (l->n_plans < 2) l->plans[l->n_plans++] = plan;
    pthread_cond_broadcast(&l->change);
    pthread_mutex_unlock(&l->mutex);
}

mpno_status mpno_loader_wait(mpno_loader *l, size_t set, int64_t number, const mpno_dataset **out) {
    ring *r = &l->rings[set];
    pthread_mutex_lock(&l->mutex);
    if (number - 1 > r->released) {
        r->released = number - 1;
        pthread_cond_broadcast(&l->change);
    }
    while (r->loaded <= number && l->status == MPNO_OK) pthread_cond_wait(&l->change, &l->mutex);
    const mpno_status status = r->loaded > number ? MPNO_OK : l->status;
    pthread_mutex_unlock(&l->mutex);
    *out = r->slots[number % MPNO_LOADER_WINDOWS];
    return status == MPNO_OK ? status : mpno_fail(l->ctx, status, "%s", mpno_ctx_error(l->own));
}
