/* SPDX-License-Identifier: MIT
 * Processor, caches, CPUs, threads and why so many, instruction sets: see info_machine.h. */
#include "train/info_machine.h"

#include "report/human.h"
#include "report/table.h"
#include "train/sink.h"

static const char *compiler(void) {
#if defined(__clang__)
    return "clang " __clang_version__;
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#else
    return "unknown";
#endif
}

static mpno_status put_caches(mpno_ctx *ctx, const mpno_sink *sink, mpno_value *map) {
    static const char *const names[] = {"L1 data", "L2", "L3"};
    const mpno_caches caches = mpno_cpu_caches();
    mpno_value *list = NULL;
    MPNO_TRY(mpno_value_set_list(ctx, map, "caches", &list));
    mpno_say(sink, "caches:");
    for (int i = 0; i < 3; i++) {
        char bytes[MPNO_HUMAN_CAPACITY];
        MPNO_TRY(mpno_value_append_int(ctx, list, (int64_t)caches.level[i]));
        mpno_say(sink, "%s %s %s", i ? "," : "", names[i],
                 caches.level[i] ? mpno_human_bytes(caches.level[i], bytes) : "unknown");
    }
    mpno_say(sink, "\n");
    return MPNO_OK;
}

static mpno_status put_threads(mpno_ctx *ctx, const mpno_sink *sink, mpno_value *map) {
    const mpno_cpus *cpus = &ctx->cpus;
    mpno_value *counts = NULL;
    MPNO_TRY(mpno_value_set_int(ctx, map, "threads", ctx->n_threads));
    MPNO_TRY(mpno_value_set_string(ctx, map, "threads_why", ctx->threads_why));
    MPNO_TRY(mpno_value_map(ctx, &counts));
    MPNO_TRY(mpno_value_set(ctx, map, "cpus", counts));
    MPNO_TRY(mpno_value_set_int(ctx, counts, "online", cpus->online));
    MPNO_TRY(mpno_value_set_int(ctx, counts, "cpuset", cpus->cpuset));
    MPNO_TRY(mpno_value_set_int(ctx, counts, "affinity", cpus->affinity));
    MPNO_TRY(mpno_value_set_int(ctx, counts, "cores", cpus->cores));
    MPNO_TRY(mpno_value_set_int(ctx, counts, "quota", cpus->quota));
    mpno_say(sink, "CPUs: %d in the machine, %d in the cpuset, %d in the affinity mask",
             cpus->online, cpus->cpuset, cpus->affinity);
    if (cpus->cores > 0) mpno_say(sink, " (%d cores)", cpus->cores);
    if (cpus->quota > 0)
        mpno_say(sink, ", time of %d\n", cpus->quota);
    else
        mpno_say(sink, ", no quota of time\n");
    mpno_say(sink, "threads: %d, from: %s\n", ctx->n_threads, ctx->threads_why);
    return MPNO_OK;
}

static const char *state_of(const mpno_ctx *ctx, mpno_isa isa) {
    if (!mpno_isa_compiled(isa)) return "not in this build";
    if (isa > mpno_cpu_best_isa()) return "not on this processor";
    if (isa != ctx->isa) return "runs";
    return "in use";
}

static mpno_status put_isas(mpno_ctx *ctx, mpno_table *table, mpno_value *list) {
    MPNO_TRY(mpno_table_column(table, "instruction set", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "means", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "here", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "checked on", MPNO_LEFT));
    for (int i = 0; i < MPNO_ISA_COUNT; i++) {
        const mpno_isa isa = (mpno_isa)i;
        const char *checked = mpno_isa_ran(isa) ? "a machine" : "emulation only (not run here)";
        mpno_value *entry = NULL;
        MPNO_TRY(mpno_value_map(ctx, &entry));
        MPNO_TRY(mpno_value_append(ctx, list, entry));
        MPNO_TRY(mpno_value_set_string(ctx, entry, "name", mpno_isa_name(isa)));
        MPNO_TRY(mpno_value_set_string(ctx, entry, "means", mpno_isa_text(isa)));
        MPNO_TRY(mpno_value_set_string(ctx, entry, "here", state_of(ctx, isa)));
        MPNO_TRY(mpno_value_set_string(ctx, entry, "checked", checked));
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_isa_name(isa)));
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_isa_text(isa)));
        MPNO_TRY(mpno_table_cell(table, "%s", state_of(ctx, isa)));
        MPNO_TRY(mpno_table_cell(table, "%s", checked));
    }
    return MPNO_OK;
}

mpno_status mpno_info_machine(mpno_ctx *ctx, const mpno_sink *sink, mpno_value *map) {
    const char *model = *mpno_cpu_model() ? mpno_cpu_model() : "unknown";
    mpno_value *isas = NULL;
    mpno_table *table = NULL;
    MPNO_TRY(mpno_value_set_string(ctx, map, "kind", "machine"));
    MPNO_TRY(mpno_value_set_string(ctx, map, "version", mpno_version()));
    MPNO_TRY(mpno_value_set_string(ctx, map, "compiler", compiler()));
    MPNO_TRY(mpno_value_set_string(ctx, map, "cpu", mpno_cpu_model()));
    MPNO_TRY(mpno_value_set_string(ctx, map, "isa_best", mpno_isa_name(mpno_cpu_best_isa())));
    MPNO_TRY(mpno_value_set_string(ctx, map, "isa", mpno_ctx_isa(ctx)));
    mpno_say(sink, "mpno %s, %s\n", mpno_version(), compiler());
    mpno_say(sink, "processor: %s\n", model);
    MPNO_TRY(put_caches(ctx, sink, map));
    MPNO_TRY(put_threads(ctx, sink, map));
    MPNO_TRY(mpno_value_set_list(ctx, map, "instruction_sets", &isas));
    MPNO_TRY(mpno_table_create(ctx, &table));
    mpno_status status = put_isas(ctx, table, isas);
    if (status == MPNO_OK) status = mpno_say_table(ctx, sink, table);
    mpno_table_destroy(&table);
    return status;
}
