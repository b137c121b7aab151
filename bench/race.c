/* SPDX-License-Identifier: MIT
 * Races: functions that do the same work run in turn, so that a machine that is slow for a while is
 * slow for all; medians are compared. */
#include <stdlib.h>

#include "bench.h"
#include "core/clock.h"

static const double least_seconds = 0.01; /* of a round: far above what the clock resolves */

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double bench_median(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, ascending);
    return 0.5 * (values[(n - 1) / 2] + values[n / 2]);
}

static double seconds_of(const bench_runner *r, int64_t repeats) {
    const double start = mpno_seconds();
    for (int64_t i = 0; i < repeats; i++) r->run(r->argument);
    return mpno_seconds() - start;
}

/* How often in a row it runs in a round. */
static int64_t repeats_of(const bench_runner *r) {
    int64_t repeats = 1;
    r->run(r->argument);
    for (;;) {
        const double seconds = seconds_of(r, repeats);
        if (seconds >= least_seconds) return repeats;
        repeats = seconds < least_seconds / 16
                      ? 8 * repeats
                      : (int64_t)(1.2 * (double)repeats * least_seconds / seconds) + 1;
    }
}

mpno_status bench_race(mpno_ctx *ctx, bench_runner *runners, int n, int rounds) {
    double *seconds;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)(n * rounds + n), sizeof *seconds, &seconds));
    double *repeats = seconds + n * rounds;
    for (int i = 0; i < n; i++) repeats[i] = (double)repeats_of(&runners[i]);
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < n; i++)
            seconds[i * rounds + r] = seconds_of(&runners[i], (int64_t)repeats[i]) / repeats[i];
    for (int i = 0; i < n; i++) {
        runners[i].seconds = bench_median(seconds + i * rounds, rounds);
        runners[i].least = seconds[i * rounds];
    }
    mpno_free(ctx, seconds);
    return MPNO_OK;
}
