/* SPDX-License-Identifier: MIT
 * Training at several resolutions: every sample once in an epoch, batches of one resolution each;
 * their steps are those of networks run one by one; stops and threads change nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/memory.h"
#include "mpno/network.h"
#include "train/batches.h"
#include "unit/train/project.h"

enum { TWO = 2 * SAMPLES };

/* Sets and state of a run on 16 and 8 points. */
typedef struct fixture {
    mpno_config *config;
    mpno_train_state state;
    mpno_sets sets;
    mpno_batches batches;
} fixture;

static fixture *open_fixture(const char *const *more) {
    static fixture f;
    f = (fixture){.config = make_config("none", more)};
    assert_int_equal(mpno_config_resolve(f.config, NULL), MPNO_OK);
    mpno_settings *s = &f.config->settings;
    assert_int_equal(mpno_sets_read_training(ctx, s, &f.state, &f.sets), MPNO_OK);
    assert_int_equal(mpno_batches_make(ctx, s, &f.sets, &f.state, &f.batches), MPNO_OK);
    return &f;
}

static void close_fixture(fixture *f) {
    mpno_batches_clear(&f->batches);
    mpno_sets_clear(ctx, &f->sets);
    mpno_config_destroy(&f->config);
}

static void every_sample_once_and_resolutions_in_turn(void **state) {
    (void)state;
    const char *const words[] = {"data.train_subsampling", "[1, 2]", "data.batch_size", "3", NULL};
    fixture *f = open_fixture(words);
    mpno_batches *b = &f->batches;
    int changes = 0, moved = 0;
    size_t last[2][14] = {{0}};
    assert_int_equal(f->sets.n_train, 2);
    assert_string_equal(f->sets.train[1].key, "8");
    assert_int_equal(b->n, 14); /* 20 = 6 x 3 + 2, twice */
    for (int epoch = 0; epoch < 2; epoch++) {
        bool seen[TWO] = {false};
        mpno_batches_begin(b, epoch);
        for (int64_t i = 0; i < b->n; i++) {
            const mpno_batch *batch;
            assert_int_equal(mpno_batches_gather(b, i, &batch), MPNO_OK);
            const mpno_dataset *data = f->sets.train[batch->set].data;
            const size_t bytes = (size_t)data->points * sizeof(float);
            for (int64_t k = 0; k < batch->n; k++) {
                const int64_t sample = b->order[batch->first + k];
                bool *once = &seen[batch->set * SAMPLES + (size_t)sample];
                assert_false(*once);
                *once = true;
                assert_memory_equal(mpno_sample(b->x, MPNO_F32, data->points, k),
                                    mpno_sample(data->x, MPNO_F32, data->points, sample), bytes);
                assert_memory_equal(mpno_sample(b->y, MPNO_F32, data->points, k),
                                    mpno_sample(data->y, MPNO_F32, data->points, sample), bytes);
            }
            last[epoch][i] = batch->set;
            changes += i > 0 && last[epoch][i] != last[epoch][i - 1];
            moved += epoch > 0 && last[1][i] != last[0][i];
        }
        for (int i = 0; i < TWO; i++) assert_true(seen[i]);
    }
    assert_true(changes > 4 && moved > 0);
    close_fixture(f);
}

static mpno_network *make_network(const fixture *f, mpno_model *model, size_t set) {
    mpno_network *network = NULL;
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    opts.grid[0] = f->sets.train[set].data->grid[0];
    opts.capacity = SAMPLES;
    opts.training = true;
    assert_int_equal(mpno_network_create(model, &opts, &network), MPNO_OK);
    return network;
}

/* One epoch of plain gradient descent by hand; the weights must be those of the run. */
static void check_epoch(const char *accumulate, const char *output) {
    const char *const words[] = {"data.train_subsampling",
                                 "[1, 2]",
                                 "data.batch_size",
                                 "10",
                                 "precision.policy",
                                 "f64",
                                 "opt.optimizer",
                                 "sgd",
                                 "opt.accumulate",
                                 accumulate,
                                 "opt.n_epochs",
                                 "1",
                                 "opt.learning_rate",
                                 "1e-3",
                                 "opt.weight_decay",
                                 "0",
                                 NULL};
    train(output, words, false, NULL, MPNO_OK);
    fixture *f = open_fixture(words);
    const mpno_settings *s = &f->config->settings;
    const mpno_phase phase = {.policy = "full"};
    const mpno_fno_config config = mpno_settings_model(s, &phase);
    const mpno_optimizer_opts opts = mpno_settings_optimizer(s);
    mpno_model *model = NULL;
    mpno_optimizer *optimizer = NULL;
    assert_int_equal(mpno_model_create(ctx, &config, MPNO_F64, 0, &model), MPNO_OK);
    assert_int_equal(mpno_optimizer_create(model, &opts, &optimizer), MPNO_OK);
    mpno_batches_begin(&f->batches, 0);
    for (int64_t i = 0; i < f->batches.n; i++) {
        const mpno_batch *batch;
        assert_int_equal(mpno_batches_gather(&f->batches, i, &batch), MPNO_OK);
        mpno_network *network = make_network(f, model, batch->set);
        mpno_step_result result;
        assert_int_equal(
            mpno_network_step(network, batch->n, f->batches.x, f->batches.y, 1, &result), MPNO_OK);
        if ((i + 1) % s->opt.accumulate == 0)
            mpno_optimizer_step(optimizer, network, 1e-3, 1);
        else
            mpno_optimizer_accumulate(optimizer, network);
        mpno_network_destroy(&network);
    }
    char path[128];
    mpno_checkpoint *run = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, output);
    assert_int_equal(mpno_checkpoint_read(ctx, path, &run), MPNO_OK);
    for (int p = 0; p < mpno_model_n_params(model); p++) {
        const mpno_param_info info = mpno_model_param_info(model, p);
        double values[4096];
        assert_true(info.count <= 4096);
        mpno_model_get_param(model, p, values);
        assert_memory_equal(mpno_tensor_file_find(run->file, info.name)->data, values,
                            info.count * sizeof *values);
    }
    mpno_checkpoint_destroy(ctx, &run);
    mpno_optimizer_destroy(&optimizer);
    mpno_model_destroy(&model);
    close_fixture(f);
}

static void steps_are_those_of_each_resolution_alone(void **state) {
    (void)state;
    check_epoch("1", "alone");
    check_epoch("2", "pairs");
    check_epoch("4", "all");
}

/* With 16-bit copies of the weights in every network, averages, parts of batches and a normaliser.
 */
static void stops_and_threads_change_nothing(void **state) {
    (void)state;
    char other[256];
    snprintf(other, sizeof other, "[%s/data.safetensors, %s/data.safetensors]", folder, folder);
    const char *const words[] = {"data.train_subsampling",
                                 "[1, 2]",
                                 "data.batch_size",
                                 "3",
                                 "precision.policy",
                                 "mixed",
                                 "opt.ema_decay",
                                 "0.9",
                                 "opt.accumulate",
                                 "2",
                                 "data.n_validation",
                                 "4",
                                 "augment.shift",
                                 "[0]",
                                 "data.train",
                                 other,
                                 "model.norm",
                                 "batch_norm",
                                 "n_threads",
                                 "1",
                                 NULL};
    const char *three[32];
    size_t n = 0;
    for (; words[n]; n++) three[n] = strcmp(words[n], "1") == 0 ? "3" : words[n];
    three[n] = NULL;
    stopper s = {0, 3};
    const mpno_sink sink = {count_lines, &s, false, 80, &s.stop};
    const double error = train("whole", words, false, NULL, MPNO_OK);
    assert_true(train("threads", three, false, NULL, MPNO_OK) == error);
    train("parts", words, false, &sink, MPNO_E_STOPPED);
    assert_true(train("parts", three, true, NULL, MPNO_OK) == error);
    assert_same("whole", "threads", "last.safetensors");
    assert_same("whole", "parts", "last.safetensors");
    assert_same("whole", "parts", "best.safetensors");
    assert_same("whole", "threads", "metrics.csv");
    assert_same("whole", "parts", "metrics.csv");
}

/* Two files on one grid share a network and are told apart. */
static void files_on_one_grid(void **state) {
    (void)state;
    char twice[256];
    snprintf(twice, sizeof twice, "[%s/data.safetensors, %s/data.safetensors]", folder, folder);
    const char *const words[] = {
        "data.train", twice, "data.train_subsampling", "[2, 1]", "data.n_validation", "5", NULL};
    fixture *f = open_fixture(words);
    static const char *const keys[] = {"8", "16", "8#2", "16#2"};
    static const size_t twins[] = {0, 1, 0, 1};
    assert_int_equal(f->sets.n_train, 4);
    assert_int_equal(f->sets.n_validation, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(f->sets.train[i].key, keys[i]);
        assert_int_equal(mpno_sets_twin(&f->sets, i), twins[i]);
        assert_int_equal(f->sets.train[i].n, 15);
        assert_int_equal(f->sets.validation[i].first, 15);
    }
    assert_ptr_equal(mpno_sets_finest(&f->sets), &f->sets.train[1]);
    assert_int_equal(mpno_sets_samples(&f->sets), 60);
    close_fixture(f);
}

/* Whatever is missing, what was read goes away again. */
static void memory_may_run_out_anywhere(void **state) {
    (void)state;
    const char *const words[] = {"data.train_subsampling",
                                 "[4, 1, 2]",
                                 "data.n_validation",
                                 "4",
                                 "model.n_modes",
                                 "[4]",
                                 NULL};
    mpno_config *config = make_config("none", words);
    assert_int_equal(mpno_config_resolve(config, NULL), MPNO_OK);
    const size_t before = mpno_ctx_bytes(ctx);
    mpno_status status = MPNO_E_MEMORY;
    for (int64_t n = 0; status != MPNO_OK; n++) {
        mpno_train_state train_state = {0};
        mpno_sets sets = {0};
        mpno_batches batches = {.ctx = ctx};
        mpno_alloc_fail_after(ctx, n);
        status = mpno_sets_read_training(ctx, &config->settings, &train_state, &sets);
        if (status == MPNO_OK)
            status = mpno_batches_make(ctx, &config->settings, &sets, &train_state, &batches);
        mpno_alloc_fail_after(ctx, -1);
        assert_true(status == MPNO_OK || status == MPNO_E_MEMORY);
        mpno_batches_clear(&batches);
        mpno_sets_clear(ctx, &sets);
        assert_int_equal(mpno_ctx_bytes(ctx), before);
    }
    mpno_config_destroy(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_once_and_resolutions_in_turn),
        cmocka_unit_test(steps_are_those_of_each_resolution_alone),
        cmocka_unit_test(stops_and_threads_change_nothing),
        cmocka_unit_test(files_on_one_grid),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
