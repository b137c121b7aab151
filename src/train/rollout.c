/* SPDX-License-Identifier: MIT
 * Training on a model's own predictions: see rollout.h. */
#include "train/rollout.h"

#include "core/memory.h"
#include "core/parallel.h"
#include "core/rng.h"

mpno_status mpno_rollout_check(mpno_ctx *ctx, const mpno_settings *s) {
    if (s->rollout.steps == 1) return MPNO_OK;
    MPNO_CHECK(ctx, s->data.time_in != MPNO_UNSET, MPNO_E_CONFIG,
               "rollout.steps is %lld, but the data are no trajectories: give data.time_in",
               (long long)s->rollout.steps);
    MPNO_CHECK(
        ctx,
        s->data.output_grid != MPNO_OUTPUT_GRID_OWN && s->model.resolution_scaling_factor.n == 0,
        MPNO_E_CONFIG,
        "rollout.steps needs predictions on the grid of the inputs: leave data.output_grid "
        "and model.resolution_scaling_factor out");
    MPNO_CHECK(ctx, s->data.encoding != MPNO_ENCODING_PIXEL_WISE, MPNO_E_CONFIG,
               "rollout.steps is not made for data.encoding = pixel-wise: give channel-wise");
    MPNO_CHECK(ctx, s->augment.x_vectors.n == 0 && s->augment.y_vectors.n == 0, MPNO_E_CONFIG,
               "rollout.steps is not made for augment.x_vectors and y_vectors: leave them out");
    return MPNO_OK;
}

mpno_status mpno_rollout_check_data(mpno_ctx *ctx, const mpno_settings *s,
                                    const mpno_dataset *data) {
    if (s->rollout.steps == 1) return MPNO_OK;
    const int64_t in = data->in_channels / s->data.time_in;
    const int64_t out = mpno_trajectory_channels(data);
    MPNO_CHECK(
        ctx, in == out, MPNO_E_CONFIG,
        "rollout.steps makes inputs of predictions, but '%s' has %lld fields a step and '%s' "
        "has %lld: give the same fields, or leave rollout.steps out",
        s->data.x_key, (long long)in, s->data.y_key, (long long)out);
    return MPNO_OK;
}

mpno_status mpno_rollout_make(mpno_ctx *ctx, const mpno_settings *settings, const mpno_sets *sets,
                              const mpno_train_state *state, mpno_rollout *out) {
    size_t most = 0;
    *out = (mpno_rollout){.ctx = ctx, .settings = settings, .state = state};
    if (settings->rollout.steps == 1) return MPNO_OK;
    for (size_t i = 0; i < sets->n_train; i++) {
        const mpno_dataset *data = sets->train[i].data;
        const size_t bytes = (size_t)mpno_batches_capacity(settings, &sets->train[i]) *
                             (size_t)(data->out_points * data->out_channels / data->unroll) *
                             mpno_format_bytes(data->format);
        if (bytes > most) most = bytes;
    }
    MPNO_TRY(mpno_alloc(ctx, most, &out->prediction));
    return mpno_alloc(ctx, most, &out->target);
}

void mpno_rollout_clear(mpno_rollout *r) {
    mpno_free(r->ctx, r->prediction);
    mpno_free(r->ctx, r->target);
    *r = (mpno_rollout){.ctx = r->ctx};
}

/* -------- noise -------- */

typedef struct noise {
    const mpno_batches *batches;
    const mpno_dataset *data;
    int64_t first; /* place of the first sample in the epoch's order of all */
    double deviation;
} noise;

static void add_noise(void *argument, int64_t i, int thread) {
    const noise *n = argument;
    const mpno_dataset *data = n->data;
    const int64_t values = data->points * data->in_channels;
    mpno_rng rng = mpno_rng_make((uint64_t)n->batches->settings->seed, MPNO_STREAM_ROLLOUT,
                                 (uint32_t)n->batches->epoch);
    void *x = mpno_sample(n->batches->x, data->format, values, i);
    (void)thread;
    /* a normal number takes few words: 2^34 are more than a sample has. The first 2^34 are those of
     * the lengths */
    rng.index = (uint64_t)(n->first + i + 1) << 34;
    for (int64_t k = 0; k < values; k++) {
        const double more = n->deviation * mpno_rng_normal(&rng);
        if (data->format == MPNO_F64)
            ((double *)x)[k] += more;
        else
            ((float *)x)[k] = (float)(((float *)x)[k] + more);
    }
}

/* -------- steps -------- */

/* One batch: x of `in` channels, y of `all` in groups of `out`. */
typedef struct stepping {
    const mpno_rollout *r;
    mpno_batches *batches;
    const mpno_dataset *data;
    int64_t in, out, all; /* channels */
    int64_t group;        /* of y */
} stepping;

/* The input of sample i gives its first steps up for those that were predicted. */
static void shift(void *argument, int64_t i, int thread) {
    const stepping *s = argument;
    const mpno_format f = s->data->format;
    const int64_t points = s->data->points;
    const mpno_train_state *state = s->r->state;
    void *x = mpno_sample(s->batches->x, f, points * s->in, i);
    void *y = mpno_sample(s->r->prediction, f, points * s->out, i);
    (void)thread;
    if (state->encode_x) mpno_normalizer_decode(&state->x, f, x, points * s->in);
    if (state->encode_y) mpno_normalizer_decode(&state->y, f, y, points * s->out);
    mpno_trajectory_shift(f, points, s->in, s->out, y, x);
    if (state->encode_x) mpno_normalizer_encode(&state->x, f, x, points * s->in);
}

static void take_target(void *argument, int64_t i, int thread) {
    const stepping *s = argument;
    const mpno_format f = s->data->format;
    const int64_t points = s->data->points;
    char *y = mpno_sample(s->batches->y, f, points * s->all, i);
    (void)thread;
    mpno_channels_copy(f, points, s->out, y, s->all, s->group * s->out,
                       mpno_sample(s->r->target, f, points * s->out, i), s->out, 0);
}

static int64_t draw_length(const mpno_rollout *r, int64_t epoch, int64_t index) {
    mpno_rng rng = mpno_rng_make((uint64_t)r->settings->seed, MPNO_STREAM_ROLLOUT, (uint32_t)epoch);
    rng.index = (uint64_t)index << 6; /* more than a draw takes */
    return (int64_t)mpno_rng_below(&rng, (uint64_t)r->settings->rollout.steps);
}

mpno_status mpno_rollout_advance(mpno_rollout *r, mpno_batches *b, const mpno_batch *batch,
                                 int64_t index, mpno_network *network, const void **target) {
    const mpno_dataset *data = b->sets->train[batch->set].data;
    const int threads = r->ctx->n_threads;
    noise n = {b, data, batch->first, r->settings->rollout.noise};
    stepping s = {.r = r,
                  .batches = b,
                  .data = data,
                  .in = data->in_channels,
                  .out = data->out_channels / data->unroll,
                  .all = data->out_channels};
    *target = b->y;
    if (n.deviation > 0) mpno_parallel(threads, batch->n, add_noise, &n);
    if (data->unroll == 1) return MPNO_OK;
    s.group = draw_length(r, b->epoch, index);
    for (int64_t i = 0; i < s.group; i++) {
        MPNO_TRY(mpno_network_forward(network, batch->n, b->x, r->prediction));
        mpno_parallel(threads, batch->n, shift, &s);
    }
    mpno_parallel(threads, batch->n, take_target, &s);
    *target = r->target;
    return MPNO_OK;
}
