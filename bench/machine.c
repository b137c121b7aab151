/* SPDX-License-Identifier: MIT
 * `mpno-bench machine`: what this machine can do at most, the yardstick of the other sub-commands.
 */
#include <stdio.h>

#include "bench.h"
#include "core/cpu.h"

typedef struct options {
    bench_common common;
} options;

static const mpno_field fields[] = {BENCH_COMMON(options, "rounds", "5")};

static mpno_status put(mpno_ctx *ctx, const void *what, mpno_value *map) {
    MPNO_TRY(mpno_value_set_string(ctx, map, "cpu", mpno_cpu_model()));
    MPNO_TRY(mpno_value_set_string(ctx, map, "isa", mpno_ctx_isa(ctx)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "cpus", ctx->cpus.online));
    MPNO_TRY(mpno_value_set_int(ctx, map, "threads", mpno_ctx_n_threads(ctx)));
    return bench_peaks_put(ctx, what, map);
}

static mpno_status run(mpno_ctx *ctx, void *argument) {
    const options *o = argument;
    bench_probe *probe;
    MPNO_TRY(bench_probe_create(ctx, (int)o->common.rounds, &probe));
    for (int64_t i = 0; i < o->common.rounds; i++) bench_probe_round(probe);
    const bench_peaks peaks = bench_probe_medians(probe);
    bench_probe_destroy(&probe);
    if (o->common.json) return bench_print_json(ctx, put, &peaks);
    printf(
        "%s, %s, %d threads: %.1f GF/s of f32 multiply-adds, memory read at %.1f GB/s, copied "
        "at %.1f GB/s\n",
        *mpno_cpu_model() ? mpno_cpu_model() : "unknown processor", mpno_ctx_isa(ctx),
        mpno_ctx_n_threads(ctx), 1e-9 * peaks.flops, 1e-9 * peaks.read, 1e-9 * peaks.copy);
    return MPNO_OK;
}

const bench_command bench_machine = {
    .name = "machine",
    .what = "",
    .summary = "Probes what this machine can do at most",
    .fields = fields,
    .n_fields = BENCH_N_FIELDS(fields),
    .options_bytes = sizeof(options),
    .run = run,
};
