/* SPDX-License-Identifier: MIT
 * Trains on data that the program makes itself: a function gives sample after sample, no file is
 * read. The operator to be learnt is the heat equation on a circle: y is x after a time.
 *     03_custom_data FOLDER        (the run folder to be made) */
#include <math.h>
#include <stdio.h>

#include <mpno/mpno.h>

enum { POINTS = 64, WAVES = 4 };

/* A number in [-1, 1] that depends on its arguments alone: the same sample is always the same. */
static double chance(int64_t sample, int wave) {
    return sin(12.9898 * (double)sample + 78.233 * wave);
}

/* user: how long the heat flows. */
static mpno_status heat(int64_t sample, void *x, void *y, void *user) {
    const double pi = 3.14159265358979323846, time = *(const double *)user;
    for (int i = 0; i < POINTS; i++) {
        double before = 0, after = 0;
        for (int k = 1; k <= WAVES; k++) {
            const double wave = chance(sample, k) * sin(2 * pi * k * (double)i / POINTS) / k;
            before += wave;
            after += wave * exp(-time * k * k);
        }
        ((float *)x)[i] = (float)before;
        if (y != NULL) ((float *)y)[i] = (float)after;
    }
    return MPNO_OK;
}

static mpno_status add_sources(mpno_ctx *ctx, double *time) {
    mpno_data_source source = MPNO_DATA_SOURCE_INIT;
    source.ndim = 1;
    source.grid[0] = POINTS;
    source.n_samples = 256;
    source.read = heat;
    source.user = time;
    return mpno_data_source_add(ctx, "heat", &source);
}

static mpno_status configure(mpno_config *config, const char *folder) {
    const char *const keys[][2] = {
        {"data.train", "source:heat"}, {"data.n_validation", "64"},     {"data.batch_size", "32"},
        {"model.n_modes", "[12]"},     {"model.hidden_channels", "16"}, {"model.n_layers", "2"},
        {"opt.n_epochs", "10"},        {"opt.learning_rate", "5e-3"},   {"opt.training_loss", "l2"},
    };
    mpno_status status = mpno_config_override(config, "output", folder);
    for (size_t i = 0; i < sizeof keys / sizeof *keys && status == MPNO_OK; i++)
        status = mpno_config_override(config, keys[i][0], keys[i][1]);
    return status;
}

int main(int argc, char **argv) {
    double time = 0.1;
    mpno_ctx *ctx = NULL;
    mpno_config *config = NULL;
    char *summary = NULL;
    if (argc != 2 || mpno_ctx_create(NULL, &ctx) != MPNO_OK) return 2;
    mpno_status status = add_sources(ctx, &time);
    if (status == MPNO_OK) status = mpno_config_load(ctx, NULL, &config);
    if (status == MPNO_OK) status = configure(config, argv[1]);
    if (status == MPNO_OK) status = mpno_train(ctx, config, false, NULL, &summary);
    if (status == MPNO_OK)
        printf("%s\n", summary);
    else
        fprintf(stderr, "03_custom_data: %s\n", mpno_ctx_error(ctx));
    mpno_text_free(ctx, summary);
    mpno_config_destroy(&config);
    mpno_ctx_destroy(&ctx);
    return status == MPNO_OK ? 0 : 1;
}
