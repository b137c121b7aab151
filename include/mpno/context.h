/* SPDX-License-Identifier: MIT
 * The context: threads, instruction set, allocator and the last error. Every object is created from
 * one and must be destroyed before it. One thread at a time per context; contexts are independent.
 */
#ifndef MPNO_CONTEXT_H
#define MPNO_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "mpno/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mpno_ctx mpno_ctx;

typedef struct mpno_ctx_opts {
    size_t size;      /* sizeof(mpno_ctx_opts): lets the struct grow without breaking callers */
    int n_threads;    /* 0: a fair share of the CPUs: affinity, cgroups and the two fields below */
    const char *isa;  /* NULL: the best this CPU runs; else a cap, one of mpno_isa_at */
    int most_threads; /* with n_threads = 0: CPUs that a batch system gave; 0: not said */
    int processes;    /* with n_threads = 0: of one job on this machine, this one included; they
                         share its CPUs unless each is bound to some of its own; 0: not said */
} mpno_ctx_opts;
#define MPNO_CTX_OPTS_INIT \
    { sizeof(mpno_ctx_opts), 0, NULL, 0, 0 }

/* opts: borrowed, may be NULL. On failure *out is NULL and the reason is the status alone. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_ctx_create(const mpno_ctx_opts *opts, mpno_ctx **out);
MPNO_API void mpno_ctx_destroy(mpno_ctx **ctx); /* accepts NULL and *ctx == NULL */

/* The sentence of the last failure in this context, "" when there was none. Borrowed until the next
 * call. */
MPNO_API const char *mpno_ctx_error(const mpno_ctx *ctx);
MPNO_API int mpno_ctx_n_threads(const mpno_ctx *ctx);
MPNO_API const char *mpno_ctx_isa(const mpno_ctx *ctx); /* name of the kernels in use */
/* Names of instruction sets, 0, 1, .. in rising order, of whatever machine; NULL after the last. */
MPNO_API const char *mpno_isa_at(int index);

/* Bytes now held and the most ever held by objects of this context. */
MPNO_API size_t mpno_ctx_bytes(const mpno_ctx *ctx);
MPNO_API size_t mpno_ctx_peak_bytes(const mpno_ctx *ctx);

MPNO_API const char *mpno_version(void);

#ifdef __cplusplus
}
#endif

#endif
