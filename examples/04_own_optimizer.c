/* SPDX-License-Identifier: MIT
 * A training loop of one's own: the network computes loss and gradients, the program decides what
 * to do with them - here each weight takes a fixed step against the sign of its averaged gradient.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <mpno/mpno.h>

enum { GRID = 16, BATCH = 8, STEPS = 60 };

/* x: [batch][grid][grid][1] waves, y: the same waves moved by a quarter of the grid. */
static void make_batch(float *x, float *y) {
    const double step = 2 * 3.14159265358979323846 / GRID;
    for (int b = 0; b < BATCH; b++)
        for (int i = 0; i < GRID; i++)
            for (int j = 0; j < GRID; j++) {
                const int at = (b * GRID + i) * GRID + j;
                x[at] = (float)sin(step * (i + (b % 3) * j));
                y[at] = (float)cos(step * (i + (b % 3) * j));
            }
}

/* One parameter: its momentum and its value move; room: twice its count of numbers. */
static void update(mpno_model *model, const mpno_network *network, int param, double rate,
                   double *momentum, double *room) {
    const size_t n = mpno_model_param_info(model, param).count;
    double *gradient = room, *value = room + n;
    mpno_network_get_gradient(network, param, gradient);
    mpno_model_get_param(model, param, value);
    for (size_t i = 0; i < n; i++) {
        momentum[i] = 0.9 * momentum[i] + 0.1 * gradient[i];
        if (momentum[i] != 0) value[i] -= copysign(rate, momentum[i]);
    }
    mpno_model_set_param(model, param, value);
}

static mpno_status descend(mpno_model *model, mpno_network *network, double *momentum,
                           double *room) {
    static float x[BATCH * GRID * GRID], y[BATCH * GRID * GRID];
    make_batch(x, y);
    for (int step = 0; step < STEPS; step++) {
        mpno_step_result result;
        const mpno_status status = mpno_network_step(network, BATCH, x, y, 1.0, &result);
        if (status != MPNO_OK) return status;
        if (step == 0 || step == STEPS - 1)
            printf("step %d: loss %.4f\n", step + 1, result.loss / BATCH);
        double *at = momentum;
        for (int p = 0; p < mpno_model_n_params(model); p++) {
            update(model, network, p, 5e-3, at, room);
            at += mpno_model_param_info(model, p).count;
        }
        mpno_network_refresh_weights(network);
    }
    return MPNO_OK;
}

static mpno_status run(mpno_ctx *ctx) {
    mpno_fno_config config = MPNO_FNO_CONFIG_INIT;
    config.ndim = 2;
    config.n_modes[0] = config.n_modes[1] = 4;
    config.in_channels = config.out_channels = 1;
    config.hidden_channels = 8;
    config.n_layers = 2;
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    opts.grid[0] = opts.grid[1] = GRID;
    opts.capacity = BATCH;
    opts.training = true;
    opts.objective.term[0].kind = MPNO_LOSS_L2;
    mpno_model *model = NULL;
    mpno_network *network = NULL;
    mpno_status status = mpno_model_create(ctx, &config, MPNO_F32, 0, &model);
    if (status == MPNO_OK) status = mpno_network_create(model, &opts, &network);
    if (status == MPNO_OK) {
        const size_t n = mpno_model_n_weights(model);
        double *momentum = calloc(n, sizeof *momentum), *room = calloc(2 * n, sizeof *room);
        status = momentum && room ? descend(model, network, momentum, room) : MPNO_E_MEMORY;
        free(momentum);
        free(room);
    }
    mpno_network_destroy(&network);
    mpno_model_destroy(&model);
    return status;
}

int main(void) {
    mpno_ctx *ctx = NULL;
    if (mpno_ctx_create(NULL, &ctx) != MPNO_OK) return 2;
    const mpno_status status = run(ctx);
    if (status != MPNO_OK) fprintf(stderr, "04_own_optimizer: %s\n", mpno_ctx_error(ctx));
    mpno_ctx_destroy(&ctx);
    return status == MPNO_OK ? 0 : 1;
}
