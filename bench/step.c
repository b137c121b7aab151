/* SPDX-License-Identifier: MIT
 * `mpno-bench step`: one training step or forward pass of a named case. Memory: resident memory at
 * its highest, above that when weights and batch exist and nothing else does (`peak_extra_mib`); of
 * it gradients, moments and low-precision weight copies are `state_mib`, as counted by the
 * allocator, pages of the program's file that were read meanwhile `program_mib`, the rest
 * `activation_mib`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "core/clock.h"
#include "model/network.h"
#include "train/timeline.h"

typedef struct options {
    bench_common common;
    char *name, *precision, *storage;
    int format, stabilizer, recompute, rounding, scaling;
    int64_t micro_batch;
    bool forward, profile;
} options;

static const mpno_field fields[] = {
    {"case", MPNO_FIELD_TEXT, offsetof(options, name), "null", "", "see below"},
    {"precision", MPNO_FIELD_TEXT, offsetof(options, precision), "full", "",
     "policy: full, amp, half, fft32, mixed"},
    {"format", MPNO_FIELD_CHOICE, offsetof(options, format), "f16", "f16|bf16",
     "what half means in the policy"},
    {"stabilizer", MPNO_FIELD_CHOICE, offsetof(options, stabilizer), "auto", "auto"
#define X(NAME, name, formula, lipschitz, low, high) "|" #name
#include "model/stabilisers.def"
#undef X
     ,
     "before transforms; auto: tanh in mixed, else none"},
    {"storage", MPNO_FIELD_TEXT, offsetof(options, storage), "null", "",
     "exceptions: ROLE=FORMAT, LAYER/ROLE=FORMAT, .."},
    {"rounding", MPNO_FIELD_CHOICE, offsetof(options, rounding), "nearest",
     "nearest|toward_zero|stochastic", "of narrow values"},
    {"scaling", MPNO_FIELD_CHOICE, offsetof(options, scaling), "auto",
     "none|tensor|channel|shell|block|auto", "what shares a scale"},
    {"recompute", MPNO_FIELD_CHOICE, offsetof(options, recompute), "auto", "none|cheap|full|auto",
     "what the backward pass makes again"},
    {"micro_batch", MPNO_FIELD_INT, offsetof(options, micro_batch), "-1", "[-1,1000000]",
     "samples at a time; 0: all; -1: as few as cost little time"},
    {"forward", MPNO_FIELD_BOOL, offsetof(options, forward), "false", "", "the forward pass alone"},
    {"profile", MPNO_FIELD_BOOL, offsetof(options, profile), "false", "",
     "what each step of the lowered program takes, beside what the machine can do"},
    BENCH_COMMON(options, "steps", "5"),
};

typedef struct measurement {
    const bench_work *work;
    double least_s, median_s, update_s, estimated_s, base_mib, peak_mib, state_mib, program_mib;
    mpno_network_cost cost;
} measurement;

static const double mib = 1048576;

/* A "Name:  N kB" line of /proc/self/status in MiB. */
static double status_mib(const char *name) {
    char line[256];
    double kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0) kib = atof(line + strlen(name) + 1);
    if (f != NULL) fclose(f);
    return kib / 1024;
}

/* Forgets the highest resident size so far (Linux: proc(5), clear_refs), so that set-up does not
 * count. */
static void reset_peak(void) {
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (f == NULL) return;
    fputs("5", f);
    fclose(f);
}

static mpno_status run_steps(bench_work *w, int steps, measurement *m) {
    double *seconds;
    MPNO_TRY(mpno_alloc_array(w->ctx, (size_t)steps, sizeof *seconds, &seconds));
    mpno_status status = bench_work_step(w);
    for (int i = 0; i < steps && status == MPNO_OK; i++) {
        const double start = mpno_seconds();
        status = bench_work_step(w);
        seconds[i] = mpno_seconds() - start;
    }
    if (status == MPNO_OK) {
        m->median_s = bench_median(seconds, steps);
        m->least_s = seconds[0];
        m->update_s = w->update_seconds;
    }
    mpno_free(w->ctx, seconds);
    return status;
}

/* What mpno plan would say of it, without the optimiser. */
static mpno_status estimate(const bench_work *w, measurement *m) {
    mpno_network_timeline t;
    const mpno_status status = mpno_network_timeline_make(w->ctx, w->network, "", true, &t);
    m->estimated_s = t.forward_seconds + t.backward_seconds;
    mpno_network_timeline_clear(w->ctx, &t);
    return status;
}

static mpno_status measure(bench_work *w, int steps, measurement *m) {
    reset_peak();
    m->base_mib = status_mib("VmRSS");
    const double file = status_mib("RssFile");
    const size_t held = mpno_ctx_bytes(w->ctx);
    MPNO_TRY(bench_work_realise(w));
    m->cost = mpno_network_get_cost(w->network);
    m->state_mib = (double)(mpno_ctx_bytes(w->ctx) - held - m->cost.activation_bytes) / mib;
    MPNO_TRY(run_steps(w, steps, m));
    m->peak_mib = status_mib("VmHWM");
    m->program_mib = status_mib("RssFile") - file;
    return estimate(w, m);
}

static mpno_status put_null(mpno_ctx *ctx, mpno_value *map, const char *key) {
    mpno_value *null;
    MPNO_TRY(mpno_value_null(ctx, &null));
    return mpno_value_set(ctx, map, key, null);
}

/* Names as in the scripts that time the peers. */
static mpno_status put(mpno_ctx *ctx, const void *what, mpno_value *map) {
    const measurement *m = what;
    const bench_work *w = m->work;
    const double extra = m->peak_mib - m->base_mib;
    const struct {
        const char *key, *text;
    } texts[] = {
        {"case", w->opts.which->name}, {"what", w->opts.forward ? "forward" : "train step"},
        {"precision", w->opts.policy}, {"format", bench_work_format(w)},
        {"mpno", mpno_version()},      {"isa", mpno_ctx_isa(ctx)}};
    const struct {
        const char *key;
        double value;
    } reals[] = {{"min_s", m->least_s},
                 {"median_s", m->median_s},
                 {"update_s", m->update_s},
                 {"estimated_s", m->estimated_s + m->update_s},
                 {"peak_extra_mib", extra},
                 {"peak_rss_mib", m->peak_mib},
                 {"state_mib", m->state_mib},
                 {"program_mib", m->program_mib},
                 {"activation_mib", extra - m->state_mib - m->program_mib},
                 {"planned_mib", (double)m->cost.activation_bytes / mib},
                 {"flops", m->cost.flops},
                 {"useful_flops", m->cost.useful_flops}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        MPNO_TRY(mpno_value_set_string(ctx, map, texts[i].key, texts[i].text));
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
        MPNO_TRY(mpno_value_set_real(ctx, map, reals[i].key, reals[i].value));
    MPNO_TRY(mpno_value_set_int(ctx, map, "threads", mpno_ctx_n_threads(ctx)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "params", (int64_t)mpno_model_n_weights(w->model)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "batch", w->opts.which->batch));
    MPNO_TRY(mpno_value_set_int(ctx, map, "micro_batch", mpno_network_micro_batch(w->network)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "skipped", w->skipped));
    MPNO_TRY(mpno_value_set_bool(ctx, map, "compile", false));
    MPNO_TRY(mpno_value_set_bool(ctx, map, "tuned", false));
    MPNO_TRY(put_null(ctx, map, "autocast"));
    MPNO_TRY(put_null(ctx, map, "torch"));
    if (w->opts.forward) return put_null(ctx, map, "loss");
    return mpno_value_set_real(ctx, map, "loss", w->loss);
}

static void print(const bench_work *w, int steps, const measurement *m) {
    const double extra = m->peak_mib - m->base_mib;
    printf("%s %s, policy %s (%s), %s, %d threads\n", w->opts.which->name,
           w->opts.forward ? "forward" : "train step", w->opts.policy, bench_work_format(w),
           mpno_ctx_isa(w->ctx), mpno_ctx_n_threads(w->ctx));
    printf("  time         %.4f s median, %.4f s best of %d\n", m->median_s, m->least_s, steps);
    printf("  estimate     %.4f s by mpno plan, %+.0f %%; the optimiser's %.4f s as measured\n",
           m->estimated_s + m->update_s, 100 * ((m->estimated_s + m->update_s) / m->median_s - 1),
           m->update_s);
    printf("  work         %.2f GFLOP executed, %.2f useful; %.1f GF/s useful\n",
           m->cost.flops * 1e-9, m->cost.useful_flops * 1e-9,
           m->cost.useful_flops * 1e-9 / m->median_s);
    printf(
        "  memory       %.1f MiB above weights and batch: %.1f state, %.1f activations (%.1f "
        "planned), %.1f program\n",
        extra, m->state_mib, extra - m->state_mib - m->program_mib,
        (double)m->cost.activation_bytes / mib, m->program_mib);
    if (mpno_network_micro_batch(w->network) < w->opts.which->batch)
        printf("  at a time    %lld samples\n", (long long)mpno_network_micro_batch(w->network));
    if (mpno_network_get_opts(w->network)->recompute == MPNO_RECOMPUTE_NONE)
        printf("  kept         products, for the backward pass\n");
    if (!w->opts.forward)
        printf("  loss         %.6g after %d skipped steps\n", w->loss, w->skipped);
}

static mpno_status run(mpno_ctx *ctx, void *argument) {
    const options *o = argument;
    const int steps = (int)o->common.rounds;
    bench_work_opts opts = {
        .policy = o->precision,
        .format = o->format == 0 ? MPNO_F16 : MPNO_BF16,
        .stabilizer = o->stabilizer,
        .forward = o->forward,
        .recompute = (mpno_recompute)o->recompute,
        .micro_batch = o->micro_batch,
        .storage = {o->storage, (mpno_rounding)o->rounding, (mpno_scaling)o->scaling, false}};
    bench_work w;
    measurement m = {.work = &w};
    MPNO_TRY(bench_case_find(ctx, o->name, &opts.which));
    MPNO_TRY(bench_work_create(ctx, &opts, &w));
    mpno_status status = o->profile ? bench_profile(&w, &o->common) : measure(&w, steps, &m);
    if (status == MPNO_OK && !o->profile) {
        if (o->common.json)
            status = bench_print_json(ctx, put, &m);
        else
            print(&w, steps, &m);
    }
    bench_work_destroy(&w);
    return status;
}

const bench_command bench_step = {
    .name = "step",
    .what = "CASE",
    .summary = "Times one training step or forward pass on random data and measures its memory",
    .text = bench_cases_text,
    .fields = fields,
    .n_fields = BENCH_N_FIELDS(fields),
    .options_bytes = sizeof(options),
    .run = run,
};
