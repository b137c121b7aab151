/* SPDX-License-Identifier: MIT
 * Training data that stay in their files: every sample once in an epoch with the values of the
 * file, mixed within windows and blocks across an epoch; the same normalisers as data in memory;
 * stops and threads change nothing; what cannot be streamed is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/memory.h"
#include "data/hdf5.h"
#include "data/npy.h"
#include "train/batches.h"
#include "unit/train/project.h"

enum { MANY = 60, WINDOW = 14, BLOCK = 7, BATCH = 4 };

/* NAME.h5 with `n` samples from `first` on: x[i][p] = i + p / 100, y = -x. */
static void write_h5(const char *name, int64_t first, int64_t n, int64_t poison) {
    char path[128];
    mpno_tensor_file *file = NULL;
    mpno_named_tensor *x = NULL, *y = NULL;
    const int64_t shape[] = {n, POINTS};
    assert_int_equal(mpno_tensor_file_create(ctx, &file), MPNO_OK);
    assert_int_equal(mpno_tensor_file_add(ctx, file, "x", MPNO_ELEMENT_F64, 2, shape, &x), MPNO_OK);
    double *values = x->data;
    for (int64_t i = 0; i < n * POINTS; i++)
        values[i] = (double)(first + i / POINTS) + (double)(i % POINTS) / 100;
    assert_int_equal(mpno_tensor_file_add(ctx, file, "y", MPNO_ELEMENT_F64, 2, shape, &y), MPNO_OK);
    for (int64_t i = 0; i < n * POINTS; i++) ((double *)y->data)[i] = -values[i];
    if (poison >= 0) ((double *)y->data)[poison * POINTS] = NAN;
    snprintf(path, sizeof path, "%s/%s.h5", folder, name);
    assert_int_equal(mpno_hdf5_write(ctx, path, file), MPNO_OK);
    mpno_tensor_file_destroy(ctx, &file);
}

static int start_files(void **state) {
    if (start(state) != 0) return -1;
    write_h5("all", 0, MANY, -1);
    write_h5("a", 0, 25, -1);
    write_h5("b", 25, 3, -1);
    write_h5("c", 28, 32, -1);
    write_h5("bad", 0, MANY, 41);
    return 0;
}

typedef struct fixture {
    mpno_config *config;
    mpno_train_state state;
    mpno_sets sets;
    mpno_batches batches;
} fixture;

static const char *files(const char *list) {
    static char text[512];
    text[0] = '\0';
    for (const char *at = list; *at; at++) {
        const size_t n = strcspn(at, " ");
        snprintf(text + strlen(text), sizeof text - strlen(text), "%c%s/%.*s.h5",
                 at == list ? '[' : ',', folder, (int)n, at);
        at += n;
        if (!*at) break;
    }
    strcat(text, "]");
    return text;
}

static mpno_status try_fixture(fixture *f, const char *list, const char *const *more) {
    static const char *const words[] = {
        "data.streaming",     "always", "data.window", "14", "data.batch_size", "4",
        "data.encode_output", "false",  NULL};
    *f = (fixture){.config = make_config("none", words)};
    assert_int_equal(mpno_config_override(f->config, "data.train", files(list)), MPNO_OK);
    for (int i = 0; more && more[i]; i += 2)
        assert_int_equal(mpno_config_override(f->config, more[i], more[i + 1]), MPNO_OK);
    f->batches.ctx = ctx;
    MPNO_TRY(mpno_config_resolve(f->config, NULL));
    mpno_settings *s = &f->config->settings;
    MPNO_TRY(mpno_sets_read_training(ctx, s, &f->state, &f->sets));
    return mpno_batches_make(ctx, s, &f->sets, &f->state, &f->batches);
}

static void close_fixture(fixture *f) {
    mpno_batches_clear(&f->batches);
    mpno_sets_clear(ctx, &f->sets);
    mpno_train_state_clear(ctx, &f->state);
    mpno_config_destroy(&f->config);
}

/* The sample at place k of the batch, by its values, which are checked. */
static int64_t sample_of(const fixture *f, const mpno_batch *batch, int64_t k) {
    const mpno_dataset *data = f->sets.train[batch->set].data;
    const float *x = mpno_sample(f->batches.x, MPNO_F32, data->points, k);
    const float *y = mpno_sample(f->batches.y, MPNO_F32, data->points, k);
    const int64_t sample = (int64_t)x[0], step = POINTS / data->points;
    for (int64_t p = 0; p < data->points; p++) {
        assert_true(x[p] == (float)((double)sample + (double)(p * step) / 100));
        assert_true(y[p] == -x[p]);
    }
    return sample;
}

/* Epochs of the fixture's batches: each sample once in each set. orders: [epoch][place], of set 0.
 */
static void run_epochs(fixture *f, int epochs, int64_t orders[][MANY]) {
    for (int epoch = 0; epoch < epochs; epoch++) {
        bool seen[4][MANY] = {{false}};
        int64_t place = 0, all = 0;
        mpno_batches_begin(&f->batches, epoch);
        for (int64_t i = 0; i < f->batches.n; i++) {
            const mpno_batch *batch;
            assert_int_equal(mpno_batches_gather(&f->batches, i, &batch), MPNO_OK);
            for (int64_t k = 0; k < batch->n; k++) {
                const int64_t sample = sample_of(f, batch, k);
                assert_in_range(sample, 0, MANY - 1);
                assert_false(seen[batch->set][sample]);
                seen[batch->set][sample] = true;
                if (batch->set == 0) orders[epoch][place++] = sample;
                all++;
            }
        }
        assert_int_equal(all, mpno_sets_samples(&f->sets));
    }
}

static void every_sample_once_mixed_in_windows(void **state) {
    (void)state;
    static int64_t one[3][MANY], again[3][MANY];
    static fixture f; /* a failed check leaves its thread running */
    int moved = 0, far = 0, turned = 0;
    assert_int_equal(try_fixture(&f, "all", NULL), MPNO_OK);
    assert_int_equal(f.batches.n, MANY / BATCH);
    assert_int_equal(f.sets.train[0].feed->n_blocks, (MANY + BLOCK - 1) / BLOCK);
    run_epochs(&f, 3, one);
    close_fixture(&f);
    assert_int_equal(try_fixture(&f, "all", NULL), MPNO_OK);
    run_epochs(&f, 3, again);
    assert_memory_equal(one, again, sizeof one);
    for (int i = 0; i < MANY; i++) moved += one[0][i] != one[1][i];
    for (int i = 0; i < MANY; i++) far += llabs(one[0][i] - i) > WINDOW;
    /* neighbours of the file in other order */
    for (int i = 1; i < MANY; i++)
        turned += one[0][i] / BLOCK == one[0][i - 1] / BLOCK && one[0][i] != one[0][i - 1] + 1;
    assert_true(moved > MANY / 2 && far > MANY / 4 && turned > 3);
    /* two blocks fill a window: 14 places hold the samples of two blocks */
    for (int i = 0; i < 42; i += WINDOW) {
        bool blocks[MANY / BLOCK + 1] = {false};
        int n = 0;
        for (int k = 0; k < WINDOW; k++) blocks[one[1][i + k] / BLOCK] = true;
        for (int k = 0; k <= MANY / BLOCK; k++) n += blocks[k];
        assert_true(n <= 3); /* the short last block moves the ends of those behind it */
    }
    close_fixture(&f);
}

/* A run that is resumed begins in the middle. */
static void epochs_may_begin_anywhere(void **state) {
    (void)state;
    static int64_t orders[3][MANY];
    static fixture f; /* a failed check leaves its thread running */
    assert_int_equal(try_fixture(&f, "all", NULL), MPNO_OK);
    run_epochs(&f, 3, orders);
    close_fixture(&f);
    assert_int_equal(try_fixture(&f, "all", NULL), MPNO_OK);
    mpno_batches_begin(&f.batches, 2);
    for (int64_t i = 0, place = 0; i < f.batches.n; i++) {
        const mpno_batch *batch;
        assert_int_equal(mpno_batches_gather(&f.batches, i, &batch), MPNO_OK);
        for (int64_t k = 0; k < batch->n; k++)
            assert_int_equal(sample_of(&f, batch, k), orders[2][place++]);
    }
    close_fixture(&f);
}

static void files_of_one_grid_are_one_set(void **state) {
    (void)state;
    static int64_t orders[2][MANY];
    static const char *const rough[] = {"data.train_subsampling", "[1, 2]", "model.n_modes", "[8]",
                                        NULL};
    static fixture f; /* a failed check leaves its thread running */
    int mixed = 0;
    assert_int_equal(try_fixture(&f, "a b c", NULL), MPNO_OK);
    assert_int_equal(f.sets.n_train, 1);
    assert_int_equal(f.sets.train[0].n, MANY);
    run_epochs(&f, 2, orders);
    for (int i = 1; i < MANY; i++) mixed += (orders[0][i] < 28) != (orders[0][i - 1] < 28);
    assert_true(mixed > 4);
    close_fixture(&f);
    assert_int_equal(try_fixture(&f, "a b c", rough), MPNO_OK);
    assert_int_equal(f.sets.n_train, 2);
    assert_string_equal(f.sets.train[1].key, "8");
    run_epochs(&f, 2, orders);
    close_fixture(&f);
}

static void normalisers_are_those_of_data_in_memory(void **state) {
    (void)state;
    static const char *const encodings[] = {"scalar", "channel-wise", "pixel-wise"};
    for (int e = 0; e < 3; e++) {
        const char *more[] = {"data.encode_input",
                              "true",
                              "data.encode_output",
                              "true",
                              "data.encoding",
                              encodings[e],
                              "data.n_validation",
                              "9",
                              "data.streaming",
                              "always",
                              NULL};
        static fixture f, g;
        assert_int_equal(try_fixture(&f, "all", more), MPNO_OK);
        more[9] = "never";
        const char *none[] = {more[0], more[1], more[2], more[3],       more[4], more[5], more[6],
                              more[7], more[8], more[9], "data.window", "null",  NULL};
        assert_int_equal(try_fixture(&g, "all", none), MPNO_OK);
        const mpno_normalizer *pairs[2][2] = {{&f.state.x, &g.state.x}, {&f.state.y, &g.state.y}};
        for (int i = 0; i < 2; i++) {
            const mpno_normalizer *a = pairs[i][0], *b = pairs[i][1];
            const size_t count = (size_t)mpno_normalizer_count(a);
            assert_true(a->mean == b->mean && a->std == b->std);
            if (count == 0) continue;
            assert_memory_equal(a->means, b->means, count * sizeof(double));
            assert_memory_equal(a->stds, b->stds, count * sizeof(double));
        }
        /* the same samples for validation, and trained on is what is left */
        assert_int_equal(f.sets.train[0].n, MANY - 9);
        assert_int_equal(f.sets.validation[0].n, 9);
        const mpno_set *in_memory = &g.sets.validation[0];
        assert_memory_equal(f.sets.validation[0].data->x,
                            mpno_sample(in_memory->data->x, MPNO_F32, POINTS, in_memory->first),
                            9 * POINTS * sizeof(float));
        mpno_batches_begin(&f.batches, 0);
        for (int64_t i = 0; i < f.batches.n; i++) {
            const mpno_batch *batch;
            assert_int_equal(mpno_batches_gather(&f.batches, i, &batch), MPNO_OK);
            for (int64_t k = 0; k < batch->n; k++) { /* a sample of g, encoded alike */
                const float *x = mpno_sample(f.batches.x, MPNO_F32, POINTS, k);
                bool found = false;
                for (int64_t m = 0; m < g.sets.train[0].n && !found; m++)
                    found = memcmp(mpno_sample(g.sets.train[0].data->x, MPNO_F32, POINTS, m), x,
                                   POINTS * sizeof(float)) == 0;
                assert_true(found);
            }
        }
        close_fixture(&f);
        close_fixture(&g);
    }
}

/* Two resolutions, three files, augmentation, parts of steps: bitwise the same. */
static void stops_and_threads_change_nothing(void **state) {
    (void)state;
    const char *words[] = {"data.train",
                           files("a b c"),
                           "data.streaming",
                           "always",
                           "data.window",
                           "14",
                           "data.batch_size",
                           "4",
                           "data.train_subsampling",
                           "[1, 2]",
                           "data.n_validation",
                           "2",
                           "augment.shift",
                           "[0]",
                           "opt.accumulate",
                           "2",
                           "opt.learning_rate",
                           "1e-3",
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
    /* what is streamed, and how, need not be said again */
    const char *rest[32];
    size_t m = 0;
    for (size_t i = 0; words[i]; i += 2)
        if (strcmp(words[i], "data.streaming") != 0 && strcmp(words[i], "data.window") != 0) {
            rest[m++] = words[i];
            rest[m++] = words[i + 1];
        }
    rest[m] = NULL;
    assert_true(train("parts", rest, true, NULL, MPNO_OK) == error);
    assert_same("whole", "threads", "last.safetensors");
    assert_same("whole", "parts", "last.safetensors");
    assert_same("whole", "parts", "metrics.csv");
}

static void memory_limit_decides(void **state) {
    (void)state;
    const size_t bytes = (size_t)MANY * 2 * POINTS * sizeof(float);
    char limit[128];
    for (int more = 0; more < 2; more++) {
        size_t found;
        mpno_config *config = make_config("none", NULL);
        snprintf(limit, sizeof limit, "%zuB", 2 * bytes - 1 + (size_t)more);
        assert_int_equal(mpno_config_override(config, "memory_limit", limit), MPNO_OK);
        assert_int_equal(mpno_config_override(config, "data.train", files("a c b")), MPNO_OK);
        mpno_settings *s = &config->settings;
        assert_int_equal(mpno_streaming_decide(ctx, s, &found), MPNO_OK);
        assert_int_equal(found, bytes);
        assert_int_equal(s->data.streaming, more ? MPNO_STREAMING_NEVER : MPNO_STREAMING_ALWAYS);
        assert_true(more || s->data.window >= 2 * s->data.batch_size);
        /* what can only be read whole stays in memory */
        assert_int_equal(mpno_config_override(config, "data.streaming", "auto"), MPNO_OK);
        snprintf(limit, sizeof limit, "%s/data.safetensors", folder);
        assert_int_equal(mpno_config_override(config, "data.train", limit), MPNO_OK);
        assert_int_equal(mpno_config_override(config, "memory_limit", "10B"), MPNO_OK);
        assert_int_equal(mpno_streaming_decide(ctx, s, &found), MPNO_OK);
        assert_int_equal(s->data.streaming, MPNO_STREAMING_NEVER);
        mpno_config_destroy(&config);
    }
}

static void bad_data_are_named(void **state) {
    (void)state;
    static const char *const small[] = {"data.window", "6", NULL};
    static const char *const all[] = {"data.n_validation", "60", NULL};
    static const char *const more[] = {"data.n_train", "61", NULL};
    static const struct {
        const char *list;
        const char *const *more;
        mpno_status status;
        const char *text;
    } cases[] = {
        {"bad", NULL, MPNO_E_NUMERIC, "bad.h5: 'y' has the value nan in sample 41"},
        {"missing", NULL, MPNO_E_IO, "missing.h5"},
        {"all", small, MPNO_E_CONFIG, "data.window = 6 is too small"},
        {"all", all, MPNO_E_CONFIG, "leaves nothing of the 60"},
        {"all", more, MPNO_E_CONFIG, "holds 60"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static fixture f;
        assert_int_equal(try_fixture(&f, cases[i].list, cases[i].more), cases[i].status);
        if (!strstr(mpno_ctx_error(ctx), cases[i].text)) fail_msg("%s", mpno_ctx_error(ctx));
        close_fixture(&f);
    }
}

/* A value that is spoilt after the first pass ends the run with its name. From an array of NumPy's,
 * which nothing keeps a copy of: x and y are its halves. */
static void files_that_change_are_named(void **state) {
    (void)state;
    static fixture f; /* a failed check leaves its thread running */
    char path[128];
    mpno_tensor_file *tensors = NULL;
    mpno_named_tensor *u = NULL;
    const int64_t shape[] = {MANY, 2, POINTS};
    const double bad = NAN;
    mpno_status status = MPNO_OK;
    snprintf(path, sizeof path, "%s/soon.npy", folder);
    const char *const more[] = {"data.train",    path,         "data.x_key",
                                "[:,0]",         "data.y_key", "[:,1]",
                                "model.n_modes", "[8]",        NULL};
    assert_int_equal(mpno_tensor_file_create(ctx, &tensors), MPNO_OK);
    assert_int_equal(mpno_tensor_file_add(ctx, tensors, "", MPNO_ELEMENT_F64, 3, shape, &u),
                     MPNO_OK);
    for (int i = 0; i < MANY * 2 * POINTS; i++) ((double *)u->data)[i] = i;
    assert_int_equal(mpno_npy_write(ctx, path, tensors), MPNO_OK);
    mpno_tensor_file_destroy(ctx, &tensors);
    assert_int_equal(try_fixture(&f, "all", more), MPNO_OK);
    FILE *file = fopen(path, "r+b");
    assert_int_equal(fseek(file, -(long)sizeof bad, SEEK_END), 0);
    assert_int_equal(fwrite(&bad, sizeof bad, 1, file), 1);
    assert_int_equal(fclose(file), 0);
    mpno_batches_begin(&f.batches, 0);
    for (int64_t i = 0; i < f.batches.n && status == MPNO_OK; i++) {
        const mpno_batch *batch;
        status = mpno_batches_gather(&f.batches, i, &batch);
    }
    assert_int_equal(status, MPNO_E_NUMERIC);
    if (!strstr(mpno_ctx_error(ctx), "soon.npy: '[:,1]' has the value nan in sample 59"))
        fail_msg("%s", mpno_ctx_error(ctx));
    close_fixture(&f);
}

static void memory_may_run_out_anywhere(void **state) {
    (void)state;
    const size_t before = mpno_ctx_bytes(ctx);
    static const char *const more[] = {"data.train_subsampling",
                                       "[1, 2]",
                                       "data.n_validation",
                                       "2",
                                       "data.encode_output",
                                       "true",
                                       NULL};
    mpno_status status = MPNO_E_MEMORY;
    static fixture f; /* a failed check leaves its thread running */
    assert_int_equal(try_fixture(&f, "a b", more), MPNO_OK);
    mpno_batches_clear(&f.batches);
    mpno_sets_clear(ctx, &f.sets);
    const size_t held = mpno_ctx_bytes(ctx);
    for (int64_t n = 0; status != MPNO_OK;
         n += n < 40 ? 1 : 7) { /* each tries files in processes */
        f.state = (mpno_train_state){0};
        f.batches = (mpno_batches){.ctx = ctx};
        mpno_alloc_fail_after(ctx, n);
        status = mpno_sets_read_training(ctx, &f.config->settings, &f.state, &f.sets);
        if (status == MPNO_OK)
            status = mpno_batches_make(ctx, &f.config->settings, &f.sets, &f.state, &f.batches);
        mpno_alloc_fail_after(ctx, -1);
        assert_true(status == MPNO_OK || status == MPNO_E_MEMORY);
        mpno_batches_clear(&f.batches);
        mpno_sets_clear(ctx, &f.sets);
        assert_int_equal(mpno_ctx_bytes(ctx), held);
    }
    mpno_config_destroy(&f.config);
    assert_int_equal(mpno_ctx_bytes(ctx), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_once_mixed_in_windows),
        cmocka_unit_test(epochs_may_begin_anywhere),
        cmocka_unit_test(files_of_one_grid_are_one_set),
        cmocka_unit_test(normalisers_are_those_of_data_in_memory),
        cmocka_unit_test(stops_and_threads_change_nothing),
        cmocka_unit_test(memory_limit_decides),
        cmocka_unit_test(bad_data_are_named),
        cmocka_unit_test(files_that_change_are_named),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, start_files, finish);
}
