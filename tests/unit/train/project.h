/* SPDX-License-Identifier: MIT
 * A small 1-D problem in a folder of its own, and runs on it. One test program at a time. */
#ifndef MPNO_TESTS_PROJECT_H
#define MPNO_TESTS_PROJECT_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/context.h"
#include "core/files.h"
#include "data/safetensors.h"
#include "mpno/run.h"

enum { SAMPLES = 20, POINTS = 16 };
static mpno_ctx *ctx;
static char folder[64];

/* y is x moved by two points and halved: a linear map that a spectral convolution holds exactly. */
static inline int write_data(void) {
    char path[128];
    mpno_tensor_file *file = NULL;
    mpno_named_tensor *x = NULL, *y = NULL;
    const int64_t shape[] = {SAMPLES, POINTS};
    if (mpno_tensor_file_create(ctx, &file) != MPNO_OK ||
        mpno_tensor_file_add(ctx, file, "x", MPNO_ELEMENT_F32, 2, shape, &x) != MPNO_OK)
        return -1;
    float *values = x->data;
    for (int i = 0; i < SAMPLES * POINTS; i++) {
        const double s = i / POINTS, t = 6.283185307179586 * (i % POINTS) / POINTS;
        values[i] = (float)(sin(t + s) + 0.5 * cos(2 * t - s * s));
    }
    if (mpno_tensor_file_add(ctx, file, "y", MPNO_ELEMENT_F32, 2, shape, &y) != MPNO_OK) return -1;
    for (int i = 0; i < SAMPLES * POINTS; i++) {
        ((float *)y->data)[i] = 0.5F * values[i / POINTS * POINTS + (i + 2) % POINTS];
    }
    snprintf(path, sizeof path, "%s/data.safetensors", folder);
    const mpno_status status = mpno_safetensors_write(ctx, path, file);
    mpno_tensor_file_destroy(ctx, &file);
    return status == MPNO_OK ? 0 : -1;
}

static inline int start(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/mpno-train-XXXXXX");
    if (!mkdtemp(folder) || mpno_ctx_create(NULL, &ctx) != MPNO_OK) return -1;
    return write_data();
}

static inline int finish(void **state) {
    (void)state;
    char command[128];
    const bool leaked = mpno_ctx_bytes(ctx) != 0;
    mpno_ctx_destroy(&ctx);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 && !leaked ? 0 : -1;
}

static inline mpno_config *make_config(const char *output, const char *const *more) {
    mpno_config *config = NULL;
    char data[128], out[128];
    snprintf(data, sizeof data, "%s/data.safetensors", folder);
    snprintf(out, sizeof out, "%s/%s", folder, output);
    const char *const words[] = {"model.n_modes",
                                 "[8]",
                                 "model.hidden_channels",
                                 "6",
                                 "model.n_layers",
                                 "2",
                                 "data.train",
                                 data,
                                 "data.test",
                                 data,
                                 "data.batch_size",
                                 "8",
                                 "opt.n_epochs",
                                 "6",
                                 "opt.learning_rate",
                                 "1e-2",
                                 "output",
                                 out,
                                 NULL};
    assert_int_equal(mpno_config_load(ctx, NULL, &config), MPNO_OK);
    for (int i = 0; words[i]; i += 2) {
        assert_int_equal(mpno_config_override(config, words[i], words[i + 1]), MPNO_OK);
    }
    for (int i = 0; more && more[i]; i += 2) {
        assert_int_equal(mpno_config_override(config, more[i], more[i + 1]), MPNO_OK);
    }
    return config;
}

/* Trains and gives the summary's test error. */
static inline double train(const char *output, const char *const *more, bool resume,
                           const mpno_sink *sink, mpno_status expected) {
    mpno_config *config = make_config(output, more);
    char *json = NULL;
    mpno_value *tree = NULL;
    double error = NAN;
    const mpno_status status = mpno_train(ctx, config, resume, sink, &json);
    if (status != expected) fail_msg("%s: %s", output, mpno_ctx_error(ctx));
    if (json) {
        assert_int_equal(mpno_json_parse(ctx, "summary", json, strlen(json), &tree), MPNO_OK);
        error = mpno_value_get(mpno_value_get(mpno_value_get(tree, "test"), "16"), "l2")->real;
        mpno_value_destroy(ctx, &tree);
    }
    mpno_text_free(ctx, json);
    mpno_config_destroy(&config);
    return error;
}

static inline void assert_same(const char *a, const char *b, const char *name) {
    char path[160];
    mpno_mapping one, two;
    snprintf(path, sizeof path, "%s/%s/%s", folder, a, name);
    assert_int_equal(mpno_map_open(ctx, path, &one), MPNO_OK);
    snprintf(path, sizeof path, "%s/%s/%s", folder, b, name);
    assert_int_equal(mpno_map_open(ctx, path, &two), MPNO_OK);
    assert_int_equal(one.size, two.size);
    assert_memory_equal(one.data, two.data, one.size);
    mpno_map_close(&one);
    mpno_map_close(&two);
}

/* Asks for a stop after the epoch in which `stop` is counted down to nothing. */
typedef struct stopper {
    int stop;
    int lines;
} stopper;

static inline void count_lines(void *user, const char *text) {
    stopper *s = user;
    if (strstr(text, "epoch") && --s->lines == 0) s->stop = 1;
}

#endif
