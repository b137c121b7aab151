/* SPDX-License-Identifier: MIT
 * `mpno-bench growth`: how time, memory and operations of a training step grow with one size of a
 * network while the others stay: exponents p of size^p, fitted by least squares to logarithms. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "core/clock.h"

typedef struct options {
    bench_common common;
    int axis, format;
    int64_t most;
    char *precision;
} options;

static const mpno_field fields[] = {
    {"axis", MPNO_FIELD_CHOICE, offsetof(options, axis), "all",
     "all|pixels|modes|channels|batch|threads", "what grows"},
    {"most", MPNO_FIELD_INT, offsetof(options, most), "512", "[1,65536]",
     "leave out larger sizes (of a grid: points of a side)"},
    {"precision", MPNO_FIELD_TEXT, offsetof(options, precision), "full", "",
     "policy: full, amp, half, fft32, mixed"},
    {"format", MPNO_FIELD_CHOICE, offsetof(options, format), "f16", "f16|bf16",
     "what half means in the policy"},
    BENCH_COMMON(options, "rounds", "3"),
};

/* What stays: grid 128 x 128, 16 x 16 modes, 32 channels, 2 samples. */
static const bench_case base = {
    "growth", 2, 16, 128, 2, 32, 4, MPNO_NORM_GROUP, 2, 2, MPNO_FACTORIZATION_DENSE, 1};

enum { MOST_SIZES = 6 };

typedef struct axis {
    const char *name;
    int64_t sizes[MOST_SIZES]; /* zero: no more */
} axis;

static const axis axes[] = {{"pixels", {32, 64, 128, 256, 512}},
                            {"modes", {4, 8, 16, 32, 64}},
                            {"channels", {8, 16, 32, 64, 128}},
                            {"batch", {1, 2, 4, 8, 16}},
                            {"threads", {1, 2, 4, 8, 16, 32}}};
enum { N_AXES = sizeof axes / sizeof axes[0], PIXELS = 0, THREADS = N_AXES - 1 };

typedef struct point {
    double size; /* pixels: of the whole grid; modes: of one axis */
    double seconds, bytes, flops;
} point;

typedef struct curve {
    const axis *axis;
    int n;
    point points[MOST_SIZES];
} curve;

typedef struct report {
    const options *o;
    mpno_ctx *ctx;
    curve curves[N_AXES];
    int n;
} report;

static mpno_status measure_work(const report *r, bench_work *w, point *at) {
    const int rounds = (int)r->o->common.rounds;
    double *seconds;
    MPNO_TRY(bench_work_realise(w));
    MPNO_TRY(mpno_alloc_array(w->ctx, (size_t)rounds, sizeof *seconds, &seconds));
    mpno_status status = bench_work_step(w);
    for (int i = 0; i < rounds && status == MPNO_OK; i++) {
        const double start = mpno_seconds();
        status = bench_work_step(w);
        seconds[i] = mpno_seconds() - start;
    }
    if (status == MPNO_OK) {
        const mpno_network_cost cost = mpno_network_get_cost(w->network);
        at->seconds = bench_median(seconds, rounds);
        at->bytes = (double)cost.activation_bytes;
        at->flops = cost.flops;
    }
    mpno_free(w->ctx, seconds);
    return status;
}

static mpno_status measure(report *r, int a, int64_t size, point *at) {
    bench_case which = base;
    const int threads = r->ctx->n_threads;
    if (a == 0) which.size = size;
    if (a == 1) which.modes = size;
    if (a == 2) which.hidden = size;
    if (a == 3) which.batch = size;
    if (a == THREADS) r->ctx->n_threads = (int)size;
    at->size = a == PIXELS ? (double)(size * size) : (double)size;
    const bench_work_opts opts = {.which = &which,
                                  .recompute = MPNO_RECOMPUTE_CHEAP,
                                  .policy = r->o->precision,
                                  .format = r->o->format == 0 ? MPNO_F16 : MPNO_BF16};
    bench_work w;
    mpno_status status = bench_work_create(r->ctx, &opts, &w);
    if (status == MPNO_OK) {
        status = measure_work(r, &w, at);
        bench_work_destroy(&w);
    }
    r->ctx->n_threads = threads;
    return status;
}

static mpno_status measure_all(report *r) {
    for (int a = 0; a < N_AXES; a++) {
        if (r->o->axis != 0 && r->o->axis != a + 1) continue;
        curve *c = &r->curves[r->n++];
        c->axis = &axes[a];
        for (int i = 0; i < MOST_SIZES && axes[a].sizes[i] > 0; i++) {
            const int64_t size = axes[a].sizes[i];
            if (size > r->o->most || (a == THREADS && size > r->ctx->n_threads)) continue;
            MPNO_TRY(measure(r, a, size, &c->points[c->n++]));
        }
        MPNO_CHECK(r->ctx, c->n > 0, MPNO_E_ARGUMENT, "most: no size of %s is as small as %lld",
                   c->axis->name, (long long)r->o->most);
    }
    return MPNO_OK;
}

/* ---- told ---- */

static double seconds_at(const point *p) {
    return p->seconds;
}
static double bytes_at(const point *p) {
    return p->bytes;
}
static double flops_at(const point *p) {
    return p->flops;
}

/* The slope of log y over log size from point `first` on; NaN from one point. */
static double exponent(const curve *c, int first, double (*y)(const point *)) {
    double mx = 0, my = 0, sxx = 0, sxy = 0;
    for (int i = first; i < c->n; i++) {
        mx += log(c->points[i].size) / (c->n - first);
        my += log(y(&c->points[i])) / (c->n - first);
    }
    for (int i = first; i < c->n; i++) {
        const double x = log(c->points[i].size) - mx;
        sxx += x * x;
        sxy += x * (log(y(&c->points[i])) - my);
    }
    return sxx > 0 ? sxy / sxx : NAN;
}

static mpno_status put_curve(mpno_ctx *ctx, const curve *c, mpno_value *map) {
    mpno_value *points, *one;
    MPNO_TRY(mpno_value_set_real(ctx, map, "time_exponent", exponent(c, 0, seconds_at)));
    MPNO_TRY(mpno_value_set_real(ctx, map, "memory_exponent", exponent(c, 0, bytes_at)));
    MPNO_TRY(mpno_value_set_real(ctx, map, "flops_exponent", exponent(c, 0, flops_at)));
    MPNO_TRY(mpno_value_set_real(ctx, map, "last_memory_exponent",
                                 exponent(c, c->n > 1 ? c->n - 2 : 0, bytes_at)));
    MPNO_TRY(mpno_value_list(ctx, &points));
    MPNO_TRY(mpno_value_set(ctx, map, "points", points));
    for (int i = 0; i < c->n; i++) {
        MPNO_TRY(mpno_value_map(ctx, &one));
        MPNO_TRY(mpno_value_append(ctx, points, one));
        MPNO_TRY(mpno_value_set_real(ctx, one, "size", c->points[i].size));
        MPNO_TRY(mpno_value_set_real(ctx, one, "seconds", c->points[i].seconds));
        MPNO_TRY(mpno_value_set_real(ctx, one, "activation_bytes", c->points[i].bytes));
        MPNO_TRY(mpno_value_set_real(ctx, one, "flops", c->points[i].flops));
    }
    return MPNO_OK;
}

static mpno_status put(mpno_ctx *ctx, const void *what, mpno_value *map) {
    const report *r = what;
    mpno_value *all, *one;
    MPNO_TRY(mpno_value_set_string(ctx, map, "isa", mpno_ctx_isa(ctx)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "threads", mpno_ctx_n_threads(ctx)));
    MPNO_TRY(mpno_value_set_string(ctx, map, "precision", r->o->precision));
    MPNO_TRY(mpno_value_set_map(ctx, map, "axes", &all));
    for (int i = 0; i < r->n; i++) {
        MPNO_TRY(mpno_value_set_map(ctx, all, r->curves[i].axis->name, &one));
        MPNO_TRY(put_curve(ctx, &r->curves[i], one));
    }
    return MPNO_OK;
}

static mpno_status exponent_cell(mpno_table *table, double p) {
    return isnan(p) ? mpno_table_cell(table, "-") : mpno_table_cell(table, "^%.2f", p);
}

static mpno_status exponent_row(mpno_table *table, const curve *c, int first, const char *name) {
    MPNO_TRY(mpno_table_cell(table, "%s", name));
    MPNO_TRY(mpno_table_cell(table, "%s", ""));
    MPNO_TRY(exponent_cell(table, exponent(c, first, seconds_at)));
    MPNO_TRY(exponent_cell(table, exponent(c, first, bytes_at)));
    MPNO_TRY(exponent_cell(table, exponent(c, first, flops_at)));
    return mpno_table_end_row(table);
}

static mpno_status fill_table(const void *what, mpno_table *table) {
    const report *r = what;
    static const char *const headings[] = {"<grows", ">size", ">ms",         ">MiB activations",
                                           ">GF",    ">GF/s", ">bytes/pixel"};
    MPNO_TRY(bench_columns(table, headings, sizeof headings / sizeof headings[0]));
    for (int k = 0; k < r->n; k++) {
        const curve *c = &r->curves[k];
        if (k > 0) MPNO_TRY(mpno_table_rule(table));
        for (int i = 0; i < c->n; i++) {
            const point *p = &c->points[i];
            MPNO_TRY(mpno_table_cell(table, "%s", c->axis->name));
            MPNO_TRY(mpno_table_cell(table, "%.0f", p->size));
            MPNO_TRY(mpno_table_cell(table, "%.2f", 1e3 * p->seconds));
            MPNO_TRY(mpno_table_cell(table, "%.2f", p->bytes / 1048576));
            MPNO_TRY(mpno_table_cell(table, "%.3f", 1e-9 * p->flops));
            MPNO_TRY(mpno_table_cell(table, "%.1f", 1e-9 * p->flops / p->seconds));
            if (c->axis == &axes[PIXELS])
                MPNO_TRY(mpno_table_cell(table, "%.0f", p->bytes / p->size / (double)base.batch));
            MPNO_TRY(mpno_table_end_row(table));
        }
        MPNO_TRY(exponent_row(table, c, 0, "fitted"));
        if (c->n > 2) MPNO_TRY(exponent_row(table, c, c->n - 2, "last two"));
    }
    return MPNO_OK;
}

static mpno_status print(mpno_ctx *ctx, const report *r) {
    printf(
        "training steps of %lldx%lld points, %lldx%lld modes, %lld channels, %lld samples but "
        "for what grows;\npolicy %s, %s, %d threads, medians of %lld\n",
        (long long)base.size, (long long)base.size, (long long)base.modes, (long long)base.modes,
        (long long)base.hidden, (long long)base.batch, r->o->precision, mpno_ctx_isa(ctx),
        mpno_ctx_n_threads(ctx), (long long)r->o->common.rounds);
    return bench_print_table(ctx, fill_table, r);
}

static mpno_status run(mpno_ctx *ctx, void *argument) {
    report r = {.o = argument, .ctx = ctx};
    MPNO_TRY(measure_all(&r));
    return r.o->common.json ? bench_print_json(ctx, put, &r) : print(ctx, &r);
}

const bench_command bench_growth = {
    .name = "growth",
    .what = "",
    .summary = "Fits how time, memory and operations of a step grow with each size of a network",
    .fields = fields,
    .n_fields = BENCH_N_FIELDS(fields),
    .options_bytes = sizeof(options),
    .run = run,
};
