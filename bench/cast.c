/* SPDX-License-Identifier: MIT
 * `mpno-bench cast`: conversions between storage formats and the type of arithmetic. Each is held
 * to the plain C definition bit by bit - every pattern of a format of 16 bits, ties between
 * neighbours, random bits, all lengths up to 130 - and then timed in turn with it, each thread on
 * arrays of its own. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "kernel/kernel.h"
#include "number/format.h"

enum { PATTERNS = 65536, TESTED = 4 * PATTERNS, TAILS = 130, WORK = 1 << 22 };

typedef struct options {
    bench_common common;
    char *format;
    int direction, arithmetic;
    int64_t n;
} options;

static const mpno_field fields[] = {
    {"format", MPNO_FIELD_TEXT, offsetof(options, format), "all", "",
     "of storage: all, or one as `f16`"},
    {"direction", MPNO_FIELD_CHOICE, offsetof(options, direction), "both", "both|load|store",
     "from storage, to storage"},
    {"arithmetic", MPNO_FIELD_CHOICE, offsetof(options, arithmetic), "f32", "f32|f64",
     "the other type"},
    {"n", MPNO_FIELD_INT, offsetof(options, n), "16384", "[1,100000000]",
     "values of a thread's arrays: small ones stay in its caches"},
    BENCH_COMMON(options, "rounds", "5"),
};

/* One conversion, one row. */
typedef struct problem {
    const options *o;
    mpno_ctx *ctx;
    mpno_format format, arithmetic;
    bool store;
    double rate, plain_rate; /* values per second */
} problem;

typedef struct arrays {
    char *from, *to, *want;
} arrays;

static size_t bytes_from(const problem *p) {
    return mpno_format_bytes(p->store ? p->arithmetic : p->format);
}
static size_t bytes_to(const problem *p) {
    return mpno_format_bytes(p->store ? p->format : p->arithmetic);
}

static mpno_status make_arrays(const problem *p, int64_t n, arrays *a) {
    *a = (arrays){0};
    MPNO_TRY(mpno_alloc_array(p->ctx, (size_t)n, bytes_from(p), &a->from));
    MPNO_TRY(mpno_alloc_array(p->ctx, (size_t)n, bytes_to(p), &a->to));
    return mpno_alloc_array(p->ctx, (size_t)n, bytes_to(p), &a->want);
}

static void free_arrays(const problem *p, arrays *a) {
    mpno_free(p->ctx, a->from);
    mpno_free(p->ctx, a->to);
    mpno_free(p->ctx, a->want);
}

/* ---- held to the definition ---- */

/* Value i of the stored format, by its bits; formats wider than 16 bits have random ones. */
static double value_of(mpno_format format, int64_t i, mpno_rng *rng) {
    uint64_t bits = mpno_format_bytes(format) <= 2
                        ? (uint64_t)i
                        : (uint64_t)mpno_rng_u32(rng) << 32 | mpno_rng_u32(rng);
    double value;
    mpno_cast(&value, MPNO_F64, &bits, format, 1);
    return value;
}

/* A quarter each: values of the stored format, halfway to the next pattern, and two of random bits,
 * of which the second is of a size that every format has. */
static void fill_store(const problem *p, char *from) {
    const size_t size = mpno_format_bytes(p->arithmetic);
    mpno_rng rng = mpno_rng_make(0, MPNO_STREAM_BENCH, 0);
    for (int64_t i = 0; i < TESTED; i++) {
        const int64_t pattern = i % PATTERNS;
        char *at = from + (size_t)i * size;
        double value = value_of(p->format, pattern, &rng);
        if (i / PATTERNS == 1)
            value = 0.5 * (value + value_of(p->format, (pattern + 1) % PATTERNS, &rng));
        if (i / PATTERNS == 2) {
            const uint64_t bits = (uint64_t)mpno_rng_u32(&rng) << 32 | mpno_rng_u32(&rng);
            memcpy(at, &bits, size);
            continue;
        }
        if (i / PATTERNS == 3) value = ldexp(mpno_rng_normal(&rng), (int)(pattern % 32) - 20);
        mpno_cast(at, p->arithmetic, &value, MPNO_F64, 1);
    }
}

static void fill_load(const problem *p, char *from) {
    const size_t size = mpno_format_bytes(p->format);
    mpno_rng rng = mpno_rng_make(0, MPNO_STREAM_BENCH, 0);
    for (int64_t i = 0; i < TESTED; i++) {
        uint64_t bits = (uint64_t)mpno_rng_u32(&rng) << 32 | mpno_rng_u32(&rng);
        if (i < PATTERNS && size <= 2) bits = (uint64_t)i;
        memcpy(from + (size_t)i * size, &bits, size);
    }
}

static int convert(const problem *p, const mpno_kernels *kernels, void *to, const void *from,
                   int64_t n) {
    if (p->store) return kernels->store(to, p->format, from, n);
    kernels->load(to, from, p->format, n);
    return 0;
}

/* Same bits, or NaN both. */
static mpno_status compare(const problem *p, const arrays *a, int64_t first, int64_t n) {
    const mpno_format format = p->store ? p->format : p->arithmetic;
    const size_t size = bytes_to(p);
    if (memcmp(a->to, a->want, (size_t)n * size) == 0) return MPNO_OK;
    for (int64_t i = 0; i < n; i++) {
        double got, want, from;
        mpno_cast(&got, MPNO_F64, a->to + (size_t)i * size, format, 1);
        mpno_cast(&want, MPNO_F64, a->want + (size_t)i * size, format, 1);
        mpno_cast(&from, MPNO_F64, a->from + (size_t)(first + i) * bytes_from(p),
                  p->store ? p->arithmetic : p->format, 1);
        const bool same = memcmp(a->to + (size_t)i * size, a->want + (size_t)i * size, size) == 0;
        MPNO_CHECK(p->ctx, same || (isnan(got) && isnan(want)), MPNO_E_NUMERIC,
                   "%s %s: value %lld of %lld, %.17g, becomes %.17g and should become %.17g",
                   p->store ? "store" : "load", mpno_format_get(p->format)->name, (long long)i,
                   (long long)n, from, got, want);
    }
    return MPNO_OK;
}

static mpno_status verify_arrays(const problem *p, arrays *a) {
    const mpno_kernels *kernels = mpno_kernels_get(p->ctx->isa, p->arithmetic);
    const mpno_kernels *plain = mpno_kernels_reference(p->arithmetic);
    MPNO_TRY(make_arrays(p, TESTED, a));
    if (p->store)
        fill_store(p, a->from);
    else
        fill_load(p, a->from);
    for (int64_t n = 0; n <= TAILS + 1; n++) { /* the last one is the whole */
        const int64_t first = n <= TAILS ? 7 * n : 0, count = n <= TAILS ? n : TESTED;
        const char *from = a->from + (size_t)first * bytes_from(p);
        const int flag = convert(p, kernels, a->to, from, count);
        MPNO_CHECK(p->ctx, flag == convert(p, plain, a->want, from, count), MPNO_E_NUMERIC,
                   "store %s: %lld values are said to be %s, and are not",
                   mpno_format_get(p->format)->name, (long long)count,
                   flag ? "not all finite" : "all finite");
        MPNO_TRY(compare(p, a, first, count));
    }
    return MPNO_OK;
}

static mpno_status verify(const problem *p) {
    arrays a;
    const mpno_status status = verify_arrays(p, &a);
    free_arrays(p, &a);
    return status;
}

/* ---- timed ---- */

typedef struct job {
    const problem *p;
    const mpno_kernels *kernels;
    arrays a;
    int64_t passes;
} job;

static void pass(void *argument, int64_t task, int thread) {
    const job *j = argument;
    const problem *p = j->p;
    const size_t n = (size_t)p->o->n;
    (void)thread;
    for (int64_t i = 0; i < j->passes; i++)
        convert(p, j->kernels, j->a.to + (size_t)task * n * bytes_to(p),
                j->a.from + (size_t)task * n * bytes_from(p), p->o->n);
}

static void run_job(void *argument) {
    const job *j = argument;
    mpno_parallel(j->p->ctx->n_threads, j->p->ctx->n_threads, pass, argument);
}

static mpno_status time_both(problem *p, arrays *a) {
    const int64_t threads = p->ctx->n_threads, all = p->o->n * threads;
    MPNO_TRY(make_arrays(p, all, a));
    mpno_rng rng = mpno_rng_make(1, MPNO_STREAM_BENCH, 0);
    for (int64_t i = 0; i < all; i++) {
        const double value = 2 * mpno_rng_uniform(&rng) - 1;
        mpno_cast(a->from + (size_t)i * bytes_from(p), p->store ? p->arithmetic : p->format, &value,
                  MPNO_F64, 1);
    }
    job ours = {.p = p, .kernels = mpno_kernels_get(p->ctx->isa, p->arithmetic), .a = *a};
    job plain = {.p = p, .kernels = mpno_kernels_reference(p->arithmetic), .a = *a, .passes = 1};
    ours.passes = WORK / p->o->n + 1;
    bench_runner runners[] = {{"mpno", run_job, &ours, 0, 0}, {"plain C", run_job, &plain, 0, 0}};
    MPNO_TRY(bench_race(p->ctx, runners, 2, (int)p->o->common.rounds));
    p->rate = (double)(all * ours.passes) / runners[0].seconds;
    p->plain_rate = (double)all / runners[1].seconds;
    return MPNO_OK;
}

static mpno_status measure(problem *p) {
    arrays a;
    MPNO_TRY(verify(p));
    const mpno_status status = time_both(p, &a);
    free_arrays(p, &a);
    return status;
}

/* ---- told ---- */

typedef struct report {
    const options *o;
    problem rows[2 * MPNO_FORMAT_COUNT];
    int n;
} report;

static double bytes_per_s(const problem *p) {
    return p->rate * (double)(bytes_from(p) + bytes_to(p));
}

static mpno_status put(mpno_ctx *ctx, const void *what, mpno_value *map) {
    const report *r = what;
    mpno_value *list, *row;
    MPNO_TRY(mpno_value_set_string(ctx, map, "isa", mpno_ctx_isa(ctx)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "threads", mpno_ctx_n_threads(ctx)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "n", r->o->n));
    MPNO_TRY(mpno_value_list(ctx, &list));
    MPNO_TRY(mpno_value_set(ctx, map, "casts", list));
    for (int i = 0; i < r->n; i++) {
        const problem *p = &r->rows[i];
        MPNO_TRY(mpno_value_map(ctx, &row));
        MPNO_TRY(mpno_value_append(ctx, list, row));
        MPNO_TRY(mpno_value_set_string(ctx, row, "direction", p->store ? "store" : "load"));
        MPNO_TRY(mpno_value_set_string(ctx, row, "format", mpno_format_get(p->format)->name));
        MPNO_TRY(
            mpno_value_set_string(ctx, row, "arithmetic", mpno_format_get(p->arithmetic)->name));
        MPNO_TRY(mpno_value_set_int(ctx, row, "verified", TESTED));
        MPNO_TRY(mpno_value_set_real(ctx, row, "values_per_s", p->rate));
        MPNO_TRY(mpno_value_set_real(ctx, row, "bytes_per_s", bytes_per_s(p)));
        MPNO_TRY(mpno_value_set_real(ctx, row, "plain_values_per_s", p->plain_rate));
    }
    return MPNO_OK;
}

static mpno_status fill_table(const void *what, mpno_table *table) {
    const report *r = what;
    static const char *const headings[] = {"<cast", ">verified",          ">Gvalues/s",
                                           ">GB/s", ">plain C Gvalues/s", ">times"};
    MPNO_TRY(bench_columns(table, headings, sizeof headings / sizeof headings[0]));
    for (int i = 0; i < r->n; i++) {
        const problem *p = &r->rows[i];
        const char *stored = mpno_format_get(p->format)->name;
        const char *used = mpno_format_get(p->arithmetic)->name;
        MPNO_TRY(mpno_table_cell(table, "%s %s -> %s", p->store ? "store" : "load",
                                 p->store ? used : stored, p->store ? stored : used));
        MPNO_TRY(mpno_table_cell(table, "%d", TESTED));
        MPNO_TRY(mpno_table_cell(table, "%.2f", 1e-9 * p->rate));
        MPNO_TRY(mpno_table_cell(table, "%.1f", 1e-9 * bytes_per_s(p)));
        MPNO_TRY(mpno_table_cell(table, "%.3f", 1e-9 * p->plain_rate));
        MPNO_TRY(mpno_table_cell(table, "%.1f", p->rate / p->plain_rate));
    }
    return MPNO_OK;
}

static mpno_status print(mpno_ctx *ctx, const report *r) {
    printf("casts, %s, %d threads with %lld values each, medians of %lld\n", mpno_ctx_isa(ctx),
           mpno_ctx_n_threads(ctx), (long long)r->o->n, (long long)r->o->common.rounds);
    return bench_print_table(ctx, fill_table, r);
}

static mpno_status run(mpno_ctx *ctx, void *argument) {
    const options *o = argument;
    report r = {.o = o};
    mpno_format only = MPNO_FORMAT_COUNT;
    MPNO_CHECK(
        ctx,
        o->format != NULL && (strcmp(o->format, "all") == 0 || mpno_format_parse(o->format, &only)),
        MPNO_E_ARGUMENT, "format: \"%s\" is none; expected all, f64, f32, bf16, f16, ...",
        o->format != NULL ? o->format : "");
    for (int f = 0; f < MPNO_FORMAT_COUNT; f++)
        for (int store = 0; store < 2; store++) {
            const bool wanted = o->direction == 0 || o->direction == 1 + store;
            if (!wanted || (only != MPNO_FORMAT_COUNT && f != (int)only)) continue;
            problem *p = &r.rows[r.n++];
            *p = (problem){.o = o,
                           .ctx = ctx,
                           .format = (mpno_format)f,
                           .arithmetic = o->arithmetic == 0 ? MPNO_F32 : MPNO_F64,
                           .store = store};
            MPNO_TRY(measure(p));
        }
    return o->common.json ? bench_print_json(ctx, put, &r) : print(ctx, &r);
}

const bench_command bench_cast = {
    .name = "cast",
    .what = "",
    .summary = "Checks and times conversions between storage formats and arithmetic",
    .fields = fields,
    .n_fields = BENCH_N_FIELDS(fields),
    .options_bytes = sizeof(options),
    .run = run,
};
