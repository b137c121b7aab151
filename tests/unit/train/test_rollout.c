/* SPDX-License-Identifier: MIT
 * Training on a model's own predictions: inputs after j predictions and the target behind them are
 * those of a plain restatement; lengths are drawn evenly; noise has its deviation; the truth of a
 * trajectory is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/memory.h"
#include "data/hdf5.h"
#include "train/rollout.h"
#include "unit/train/project.h"

enum { MANY = 6, STEPS = 9, FIELDS = 2, BATCH = 5, MOST = 64 };

static double value(int64_t i, int64_t step, int64_t field, int64_t p) {
    return 100 * (double)i + 10 * (double)step + (double)field + 0.01 * (double)p;
}

/* (n, t, c, x) */
static int start_trajectories(void **state) {
    char path[128];
    mpno_tensor_file *file = NULL;
    mpno_named_tensor *u = NULL;
    const int64_t shape[] = {MANY, STEPS, FIELDS, POINTS};
    if (start(state) != 0) return -1;
    assert_int_equal(mpno_tensor_file_create(ctx, &file), MPNO_OK);
    assert_int_equal(mpno_tensor_file_add(ctx, file, "u", MPNO_ELEMENT_F64, 4, shape, &u), MPNO_OK);
    for (int64_t k = 0; k < MANY * STEPS * FIELDS * POINTS; k++)
        ((double *)u->data)[k] = value(k / (STEPS * FIELDS * POINTS), k / (FIELDS * POINTS) % STEPS,
                                       k / POINTS % FIELDS, k % POINTS);
    snprintf(path, sizeof path, "%s/u.h5", folder);
    assert_int_equal(mpno_hdf5_write(ctx, path, file), MPNO_OK);
    mpno_tensor_file_destroy(ctx, &file);
    return 0;
}

static void truth_of_trajectories(void **state) {
    (void)state;
    char path[128];
    mpno_dataset *data;
    mpno_dataset_opts opts = MPNO_DATASET_OPTS_INIT;
    opts.x_key = opts.y_key = "u";
    opts.ndim = 1;
    opts.format = MPNO_F64;
    opts.time = (mpno_time){.in = 2,
                            .out = MPNO_ALL_STEPS,
                            .stride = 2,
                            .hop = 1,
                            .first = 1,
                            .last = MPNO_ALL_STEPS,
                            .unroll = 1};
    opts.offset = 1;
    snprintf(path, sizeof path, "%s/u.h5", folder);
    assert_int_equal(mpno_dataset_read(ctx, path, &opts, &data), MPNO_OK);
    assert_int_equal(data->n, MANY - 1);
    assert_int_equal(data->in_channels, 2 * FIELDS);
    assert_int_equal(mpno_trajectory_steps(data), 2); /* 1 3 | 5 7 */
    assert_int_equal(mpno_trajectory_channels(data), FIELDS);
    for (int64_t i = 0; i < data->n; i++) {
        double out[POINTS * FIELDS];
        for (int64_t k = 0; k < POINTS * 2 * FIELDS; k++)
            assert_true(
                ((double *)mpno_sample(data->x, MPNO_F64, POINTS * 2 * FIELDS, i))[k] ==
                value(i + 1, 1 + k % (2 * FIELDS) / FIELDS * 2, k % FIELDS, k / (2 * FIELDS)));
        for (int64_t step = 0; step < 2; step++) {
            mpno_trajectory_truth(data, i, step, out);
            for (int64_t k = 0; k < POINTS * FIELDS; k++)
                assert_true(out[k] == value(i + 1, 5 + 2 * step, k % FIELDS, k / FIELDS));
        }
    }
    mpno_dataset_destroy(ctx, &data);
}

typedef struct fixture {
    mpno_config *config;
    mpno_train_state state;
    mpno_sets sets;
    mpno_batches batches;
    mpno_rollout rollout;
    mpno_model *model;
    mpno_network *network;
} fixture;

static void open_fixture(fixture *f, const char *in, const char *out, const char *noise) {
    char path[128];
    snprintf(path, sizeof path, "%s/u.h5", folder);
    const char *const words[] = {"data.train",
                                 path,
                                 "data.x_key",
                                 "u",
                                 "data.y_key",
                                 "u",
                                 "data.time_in",
                                 in,
                                 "data.time_out",
                                 out,
                                 "rollout.steps",
                                 "3",
                                 "rollout.noise",
                                 noise,
                                 "data.encoding",
                                 "channel-wise",
                                 "data.encode_input",
                                 "true",
                                 "data.batch_size",
                                 "5",
                                 "precision.policy",
                                 "f64",
                                 NULL};
    *f = (fixture){.config = make_config("none", words)};
    assert_int_equal(mpno_config_resolve(f->config, NULL), MPNO_OK);
    mpno_settings *s = &f->config->settings;
    assert_int_equal(mpno_sets_read_training(ctx, s, &f->state, &f->sets), MPNO_OK);
    assert_int_equal(mpno_batches_make(ctx, s, &f->sets, &f->state, &f->batches), MPNO_OK);
    assert_int_equal(mpno_rollout_make(ctx, s, &f->sets, &f->state, &f->rollout), MPNO_OK);
    const mpno_phase phase = {.policy = "full"};
    const mpno_fno_config config = mpno_settings_model(s, &phase);
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    opts.grid[0] = POINTS;
    opts.capacity = BATCH;
    assert_int_equal(mpno_model_create(ctx, &config, MPNO_F64, 3, &f->model), MPNO_OK);
    assert_int_equal(mpno_network_create(f->model, &opts, &f->network), MPNO_OK);
}

static void close_fixture(fixture *f) {
    mpno_network_destroy(&f->network);
    mpno_model_destroy(&f->model);
    mpno_rollout_clear(&f->rollout);
    mpno_batches_clear(&f->batches);
    mpno_sets_clear(ctx, &f->sets);
    mpno_train_state_clear(ctx, &f->state);
    mpno_config_destroy(&f->config);
}

static double decoded(const mpno_normalizer *n, double x, int64_t channel) {
    return x * (n->stds[channel] + 1e-7) + n->means[channel];
}

/* `in` steps in, `out` steps out: the state is a list of steps, which predictions are put behind.
 */
static void check_lengths(const char *in_text, const char *out_text) {
    const int64_t in = atoi(in_text), out = atoi(out_text);
    const int64_t nx = in * FIELDS, ny = out * FIELDS, all = 3 * ny;
    int lengths[3] = {0};
    fixture f;
    open_fixture(&f, in_text, out_text, "0");
    assert_int_equal(f.sets.train[0].data->out_channels, all);
    assert_int_equal(f.config->settings.model.out_channels, ny);
    assert_int_equal(mpno_normalizer_count(&f.state.y), ny);
    for (int64_t epoch = 0; epoch < 20; epoch++) {
        mpno_batches_begin(&f.batches, epoch);
        const mpno_batch *batch;
        const void *target;
        static double x[BATCH * POINTS * MOST], y[BATCH * POINTS * MOST],
            now[BATCH * POINTS * MOST];
        assert_int_equal(mpno_batches_gather(&f.batches, 0, &batch), MPNO_OK);
        memcpy(x, f.batches.x, sizeof *x * (size_t)(batch->n * POINTS * nx));
        memcpy(y, f.batches.y, sizeof *y * (size_t)(batch->n * POINTS * all));
        assert_int_equal(mpno_rollout_advance(&f.rollout, &f.batches, batch, 0, f.network, &target),
                         MPNO_OK);
        /* which group of y is it */
        int64_t length = 0;
        while (length < 3 && ((const double *)target)[0] != y[length * ny]) length++;
        assert_in_range(length, 0, 2);
        lengths[length]++;
        for (int64_t k = 0; k < batch->n * POINTS * ny; k++)
            assert_true(((const double *)target)[k] == y[k / ny * all + length * ny + k % ny]);
        for (int64_t step = 0; step < length; step++) {
            assert_int_equal(mpno_network_forward(f.network, batch->n, x, now), MPNO_OK);
            for (int64_t row = 0; row < batch->n * POINTS; row++) {
                double list[2 * MOST];
                for (int64_t c = 0; c < nx; c++) list[c] = decoded(&f.state.x, x[row * nx + c], c);
                for (int64_t c = 0; c < ny; c++)
                    list[nx + c] = decoded(&f.state.y, now[row * ny + c], c);
                for (int64_t c = 0; c < nx; c++) /* the last `in` steps of the list */
                    x[row * nx + c] =
                        (list[ny + c] - f.state.x.means[c]) / (f.state.x.stds[c] + 1e-7);
            }
        }
        for (int64_t k = 0; k < batch->n * POINTS * nx; k++)
            assert_true(fabs(((const double *)f.batches.x)[k] - x[k]) <= 1e-12 * (1 + fabs(x[k])));
    }
    for (int i = 0; i < 3; i++) assert_true(lengths[i] >= 2); /* of 20: 7 each */
    close_fixture(&f);
}

static void predictions_become_inputs(void **state) {
    (void)state;
    check_lengths("2", "1");
    check_lengths("3", "2");
    check_lengths("1", "1");
    check_lengths("1", "2");
}

static void noise_has_its_deviation(void **state) {
    (void)state;
    fixture f;
    const mpno_batch *batch;
    const void *target;
    double sum = 0, squares = 0, first[2][POINTS];
    open_fixture(&f, "2", "1", "0.5");
    const int64_t n = BATCH * POINTS * 2 * FIELDS;
    double *clean;
    assert_int_equal(mpno_alloc_array(ctx, (size_t)n, sizeof *clean, &clean), MPNO_OK);
    f.config->settings.rollout.steps = 1; /* no predictions after it */
    int count = 0;
    for (int64_t epoch = 0; epoch < 4; epoch++) {
        mpno_batches_begin(&f.batches, epoch);
        for (int64_t i = 0; i + 1 < f.batches.n; i++, count++) {
            assert_int_equal(mpno_batches_gather(&f.batches, i, &batch), MPNO_OK);
            memcpy(clean, f.batches.x, (size_t)n * sizeof *clean);
            assert_int_equal(
                mpno_rollout_advance(&f.rollout, &f.batches, batch, i, f.network, &target),
                MPNO_OK);
            for (int64_t k = 0; k < n; k++) {
                const double noise = ((const double *)f.batches.x)[k] - clean[k];
                if (count < 2 && k < POINTS) first[count][k] = noise;
                sum += noise;
                squares += noise * noise;
            }
        }
    }
    const double all = (double)n * count;
    assert_true(count >= 8);
    /* 2560 numbers and more: five standard errors */
    assert_true(fabs(sum / all) < 5 * 0.5 / sqrt(all));
    assert_true(fabs(squares / all - 0.25) < 5 * 0.25 * sqrt(2 / all));
    for (int k = 0; k < POINTS; k++) assert_true(first[0][k] != first[1][k]);
    mpno_free(ctx, clean);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truth_of_trajectories),
        cmocka_unit_test(predictions_become_inputs),
        cmocka_unit_test(noise_has_its_deviation),
    };
    return cmocka_run_group_tests(tests, start_trajectories, finish);
}
