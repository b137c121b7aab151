/* SPDX-License-Identifier: MIT
 * Loads a trained Darcy network and predicts the pressure of one coefficient field made in memory,
 * on a grid of N x N points, whatever grid it was trained on. 02_predict CHECKPOINT N */
#include <stdio.h>
#include <stdlib.h>

#include <mpno/mpno.h>

/* A disc of low permeability: 0 inside, 1 outside, at the points (i / n, j / n). */
static void make_field(int64_t n, float *x) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            const double u = (double)i / (double)n - 0.5, v = (double)j / (double)n - 0.5;
            x[i * n + j] = u * u + v * v < 0.09 ? 0.0f : 1.0f;
        }
}

static mpno_status predict(mpno_ctx *ctx, const char *checkpoint, int64_t n, float *x, float *y) {
    const int64_t grid[2] = {n, n};
    mpno_trained *trained = NULL;
    mpno_status status = mpno_trained_load(ctx, checkpoint, NULL, &trained);
    if (status == MPNO_OK) {
        make_field(n, x);
        status = mpno_trained_predict(trained, MPNO_F32, 1, grid, x, y);
    }
    mpno_trained_destroy(&trained);
    return status;
}

int main(int argc, char **argv) {
    const int64_t n = argc == 3 ? atoll(argv[2]) : 0;
    mpno_ctx *ctx = NULL;
    if (n < 1 || n > 4096 || mpno_ctx_create(NULL, &ctx) != MPNO_OK) return 2;
    float *x = malloc((size_t)(n * n) * sizeof *x), *y = malloc((size_t)(n * n) * sizeof *y);
    mpno_status status = MPNO_E_MEMORY;
    if (x != NULL && y != NULL) status = predict(ctx, argv[1], n, x, y);
    if (status == MPNO_OK)
        printf("at the centre of %lld x %lld points: %.4f\n", (long long)n, (long long)n,
               (double)y[n / 2 * n + n / 2]);
    else
        fprintf(stderr, "02_predict: %s\n", mpno_ctx_error(ctx));
    free(x);
    free(y);
    mpno_ctx_destroy(&ctx);
    return status == MPNO_OK ? 0 : 1;
}
