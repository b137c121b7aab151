/* SPDX-License-Identifier: MIT
 * Asks what a network needs before anything of it is allocated, and finds the largest batch that
 * can be trained in a given memory. 05_plan MEBIBYTES */
#include <stdio.h>
#include <stdlib.h>

#include <mpno/mpno.h>

/* Bytes that training with batches of `batch` takes beside the weights, under a policy. */
static mpno_status ask(mpno_model *model, const char *policy, int64_t batch, double *bytes) {
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    opts.grid[0] = opts.grid[1] = 128;
    opts.capacity = batch;
    opts.training = true;
    opts.policy = policy;
    mpno_network *network = NULL;
    const mpno_status status = mpno_network_plan(model, &opts, &network);
    if (status != MPNO_OK) return status;
    const mpno_network_cost cost = mpno_network_get_cost(network);
    *bytes = (double)(cost.activation_bytes + cost.gradient_bytes + cost.weight_copy_bytes);
    mpno_network_destroy(&network);
    return MPNO_OK;
}

static mpno_status print_largest(mpno_model *model, const char *policy, double room) {
    int64_t batch = 0;
    double bytes = 0, next = 0;
    for (int64_t b = 1; b <= 1024; b *= 2) {
        const mpno_status status = ask(model, policy, b, &next);
        if (status != MPNO_OK) return status;
        if (next > room) break;
        batch = b;
        bytes = next;
    }
    printf("%-5s  batch %4lld  %8.1f MiB\n", policy, (long long)batch, bytes / (1 << 20));
    return MPNO_OK;
}

int main(int argc, char **argv) {
    const double room = argc == 2 ? atof(argv[1]) * (1 << 20) : 0;
    mpno_ctx *ctx = NULL;
    mpno_model *model = NULL;
    if (room <= 0 || mpno_ctx_create(NULL, &ctx) != MPNO_OK) return 2;
    mpno_fno_config config = MPNO_FNO_CONFIG_INIT;
    config.ndim = 2;
    config.n_modes[0] = config.n_modes[1] = 16;
    config.in_channels = config.out_channels = 1;
    config.hidden_channels = 32;
    mpno_status status = mpno_model_create(ctx, &config, MPNO_F32, 0, &model);
    if (status == MPNO_OK) status = print_largest(model, "full", room);
    if (status == MPNO_OK) status = print_largest(model, "mixed", room);
    if (status != MPNO_OK) fprintf(stderr, "05_plan: %s\n", mpno_ctx_error(ctx));
    mpno_model_destroy(&model);
    mpno_ctx_destroy(&ctx);
    return status == MPNO_OK ? 0 : 1;
}
