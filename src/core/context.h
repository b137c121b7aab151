/* SPDX-License-Identifier: MIT
 * Inside of the context, and the two macros every fallible function uses. */
#ifndef MPNO_CORE_CONTEXT_H
#define MPNO_CORE_CONTEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/cpu.h"
#include "core/cpus.h"
#include "mpno/context.h"

/* What was measured of the machine, per second; [0] with one thread, [1] with `threads`. */
typedef struct mpno_rates {
    int threads;
    double flops[2];         /* f32 operations of multiply-adds in registers */
    double read[2], copy[2]; /* bytes of memory; copied: read and written */
} mpno_rates;

struct mpno_ctx {
    int n_threads;
    mpno_isa isa;            /* kernels in use: min(what the CPU runs, the cap asked for) */
    mpno_cpus cpus;          /* when the context was made */
    const char *threads_why; /* what decided n_threads; static */
    bool threads_asked;      /* the caller did, by number */
    mpno_rates rates;        /* by mpno tune; all 0: not read */
    char error[1024];        /* sentence of the last failure */
    /* allocator state, see core/memory.h */
    size_t bytes, peak_bytes;
    struct mpno_source_entry *sources; /* owned: data/source.c */
    size_t n_sources;
    int64_t n_allocs;   /* successful allocations so far */
    int64_t fail_after; /* < 0: never fail; n: the (n+1)-th allocation from now fails, and every
                           later one */
};

/* Stores the sentence in ctx (may be NULL) and returns `code`, so that `return mpno_fail(...)`
 * reads well. */
mpno_status mpno_fail(mpno_ctx *ctx, mpno_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Likewise, for functions that take such arguments themselves. */
mpno_status mpno_fail_list(mpno_ctx *ctx, mpno_status code, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

/* Puts "prefix: " before the sentence already stored (file names, keys) and returns `code`
 * unchanged. */
mpno_status mpno_fail_in(mpno_ctx *ctx, mpno_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Tells the compiler that a failure is never MPNO_OK, so that it does not see ways on which outputs
 * stay unset. */
static inline mpno_status mpno_is_failure(mpno_status status) {
    if (status == MPNO_OK) __builtin_unreachable();
    return status;
}
#define mpno_fail(...) mpno_is_failure(mpno_fail(__VA_ARGS__))
#define mpno_fail_list(...) mpno_is_failure(mpno_fail_list(__VA_ARGS__))

#define MPNO_TRY(expr)                              \
    do {                                            \
        mpno_status mpno_try_ = (expr);             \
        if (mpno_try_ != MPNO_OK) return mpno_try_; \
    } while (0)

#define MPNO_CHECK(ctx, condition, code, ...)                           \
    do {                                                                \
        if (!(condition)) return mpno_fail((ctx), (code), __VA_ARGS__); \
    } while (0)

#endif
