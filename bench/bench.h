/* SPDX-License-Identifier: MIT
 * What the sub-commands of mpno-bench share: their shape and arguments, races between functions
 * that do the same, probes of what the machine can do at most, and the named cases. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stddef.h>

#include "core/fields.h"
#include "core/memory.h"
#include "graph/exec.h"
#include "mpno/mpno.h"
#include "report/table.h"

/* ---- sub-commands ---- */

/* What every sub-command takes: the first member of its options. */
typedef struct bench_common {
    int64_t threads, rounds;
    char *isa; /* a cap; NULL: what the CPU runs */
    bool json;
} bench_common;

/* Its rows of a table of fields; the number of rounds has a name of its own and a default. */
#define BENCH_COMMON(type, rounds_key, rounds_default)                                       \
    {"threads", MPNO_FIELD_INT, offsetof(type, common.threads), "2", "[1,4096]", "threads"}, \
        {rounds_key,     MPNO_FIELD_INT, offsetof(type, common.rounds),                      \
         rounds_default, "[1,1000]",     "rounds; medians of them are told"},                \
        {"isa",                                                                              \
         MPNO_FIELD_TEXT,                                                                    \
         offsetof(type, common.isa),                                                         \
         "null",                                                                             \
         "",                                                                                 \
         "instruction set at most: portable, avx2, avx512, ... (else that of MPNO_ISA)"},    \
    {                                                                                        \
        "json", MPNO_FIELD_BOOL, offsetof(type, common.json), "false", "", "one JSON object" \
    }

/* A sub-command's options are a struct that a table of fields describes (core/fields.h). On the
 * command line a field is set by --key VALUE, --key (true) or key:VALUE; a bare word sets the first
 * field. */
typedef struct bench_command {
    const char *name, *what; /* "step", "CASE": what the bare word is, "" when there is none */
    const char *summary;     /* one line */
    const char *text;        /* of its help, below the options */
    const mpno_field *fields;
    size_t n_fields, options_bytes;
    mpno_status (*run)(mpno_ctx *ctx, void *options); /* ctx has the threads and ISA asked for */
} bench_command;
#define BENCH_N_FIELDS(fields) (sizeof(fields) / sizeof(fields)[0])

#define X(name) extern const bench_command bench_##name;
#include "commands.def"
#undef X

/* Prints to standard output what `fill` makes of `what`: a table, with lines on a terminal. */
typedef mpno_status (*bench_table_filler)(const void *what, mpno_table *table);
mpno_status bench_print_table(mpno_ctx *ctx, bench_table_filler fill, const void *what);
/* One line: the map that `fill` fills from `what`. */
typedef mpno_status (*bench_filler)(mpno_ctx *ctx, const void *what, mpno_value *map);
mpno_status bench_print_json(mpno_ctx *ctx, bench_filler fill, const void *what);
/* Columns "<left" or ">right", n of them. */
mpno_status bench_columns(mpno_table *table, const char *const *headings, size_t n);

/* ---- time ---- */

/* Of n values, which are sorted. */
double bench_median(double *values, int n);

/* One of several functions that do the same work. */
typedef struct bench_runner {
    const char *name;
    void (*run)(void *argument);
    void *argument;
    double seconds, least; /* result: of one run, median and best of the rounds */
} bench_runner;
/* Runs them in turn, `rounds` times, each so often in a row that a round takes 10 ms at least. Each
 * has run before it is timed. */
MPNO_WARN_UNUSED mpno_status bench_race(mpno_ctx *ctx, bench_runner *runners, int n, int rounds);

/* ---- what the machine can do, on the context's threads and ISA, to be run beside what it is
 * compared with ---- */

typedef struct bench_peaks {
    double flops;      /* f32 multiply-adds in registers, operations per second */
    double read, copy; /* bytes per second (copy: read and written) of memory beyond all caches */
} bench_peaks;
typedef struct bench_probe bench_probe;
/* Holds 256 MiB; for `rounds` rounds at most. */
MPNO_WARN_UNUSED mpno_status bench_probe_create(mpno_ctx *ctx, int rounds, bench_probe **out);
void bench_probe_destroy(bench_probe **probe);
void bench_probe_round(bench_probe *probe); /* about 50 ms */
bench_peaks bench_probe_medians(const bench_probe *probe);
MPNO_WARN_UNUSED mpno_status bench_peaks_put(mpno_ctx *ctx, const bench_peaks *peaks,
                                             mpno_value *map);
/* The least time that so much work can take. */
double bench_roofline_seconds(const bench_peaks *peaks, double flops, double bytes);

/* ---- networks ---- */

typedef struct bench_case {
    const char *name;
    int ndim;
    int64_t modes, size, batch, hidden, n_layers;
    mpno_norm norm;
    double lifting_ratio, projection_ratio;
    mpno_factorization factorization;
    double rank;
} bench_case;
#define BENCH_CASES "darcy16|ns128-m16|ns128-m64|ns128-tucker|ns128-cp|darcy128|fno3d|fno1d"
/* By name; E_CONFIG with the names there are. */
MPNO_WARN_UNUSED mpno_status bench_case_find(mpno_ctx *ctx, const char *name,
                                             const bench_case **out);
extern const char bench_cases_text[]; /* for help: what they are */

/* A network on random data, and its optimiser when it trains. */
typedef struct bench_work_opts {
    const bench_case *which;
    const char *policy;
    mpno_format format;
    int stabilizer; /* 0: that of the policy, else 1 + mpno_stabilizer */
    bool forward, unfused;
    mpno_recompute recompute;
    int64_t micro_batch; /* as in mpno_network_opts */
    mpno_storage_opts storage;
} bench_work_opts;
typedef struct bench_work {
    bench_work_opts opts;
    mpno_ctx *ctx;
    mpno_model *model;
    mpno_network *network;
    mpno_optimizer *optimizer; /* NULL: forward */
    float *x, *y;              /* input; target or output */
    double loss_scale, loss;   /* of the last step */
    double update_seconds;     /* of the last step: its optimiser */
    int skipped;               /* steps with overflow */
} bench_work;
/* Model and data first; the rest (network, optimiser) is `realise`, so that its memory can be
 * measured. */
MPNO_WARN_UNUSED mpno_status bench_work_create(mpno_ctx *ctx, const bench_work_opts *opts,
                                               bench_work *out);
MPNO_WARN_UNUSED mpno_status bench_work_realise(bench_work *work);
void bench_work_destroy(bench_work *work);
MPNO_WARN_UNUSED mpno_status bench_work_step(bench_work *work);
/* A step without its update: binds the data, warms up, leaves the weights. Training only. */
MPNO_WARN_UNUSED mpno_status bench_work_bind(bench_work *work);
/* "f32" under full, else the format. */
const char *bench_work_format(const bench_work *work);

enum { BENCH_SHOWN_OPS = 24 }; /* columns of the ops of a row */

/* `step --profile`: prints what each step of the lowered program takes. */
MPNO_WARN_UNUSED mpno_status bench_profile(bench_work *work, const bench_common *common);

#endif
