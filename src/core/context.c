/* SPDX-License-Identifier: MIT
 * The context and the sentence of its last failure. The environment is not read here: the program
 * passes what it finds there through mpno_ctx_opts. */
#include "core/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"

enum { MAX_THREADS = 4096 }; /* more is a typing error, and would exhaust the process limits */

mpno_status mpno_ctx_create(const mpno_ctx_opts *opts, mpno_ctx **out) {
    if (out == NULL) return MPNO_E_ARGUMENT;
    *out = NULL;
    mpno_ctx_opts o = MPNO_CTX_OPTS_INIT;
    if (opts != NULL) {
        /* A smaller struct than today's comes from no released header, a larger one asks for what
         * we do not know. */
        if (opts->size != sizeof o) return MPNO_E_ARGUMENT;
        o = *opts;
    }
    if (o.n_threads < 0 || o.n_threads > MAX_THREADS) return MPNO_E_ARGUMENT;
    if (o.most_threads < 0 || o.processes < 0) return MPNO_E_ARGUMENT;
    mpno_isa isa = mpno_cpu_best_isa();
    if (o.isa != NULL) {
        mpno_isa cap;
        if (!mpno_isa_parse(o.isa, &cap)) return MPNO_E_ARGUMENT;
        if (cap < isa) isa = cap;
        while (!mpno_isa_compiled(isa)) isa--; /* a cap of another machine */
    }
    mpno_ctx *ctx;
    MPNO_TRY(mpno_alloc(NULL, sizeof *ctx, &ctx));
    ctx->cpus = mpno_cpus_find("");
    const mpno_cpus_wish wish = {.most = o.most_threads, .sharers = o.processes};
    ctx->n_threads = mpno_cpus_threads(&ctx->cpus, wish, &ctx->threads_why);
    if (o.n_threads > 0) {
        ctx->n_threads = o.n_threads;
        ctx->threads_why = "asked for";
        ctx->threads_asked = true;
    }
    ctx->isa = isa;
    ctx->fail_after = -1;
    *out = ctx;
    return MPNO_OK;
}

void mpno_ctx_destroy(mpno_ctx **ctx) {
    if (ctx == NULL) return;
    if (*ctx != NULL) mpno_free(*ctx, (*ctx)->sources);
    mpno_free(NULL, *ctx);
    *ctx = NULL;
}

const char *mpno_ctx_error(const mpno_ctx *ctx) {
    return ctx != NULL ? ctx->error : "";
}
int mpno_ctx_n_threads(const mpno_ctx *ctx) {
    return ctx->n_threads;
}
const char *mpno_ctx_isa(const mpno_ctx *ctx) {
    return mpno_isa_name(ctx->isa);
}
const char *mpno_isa_at(int index) {
    return index >= 0 && index < MPNO_ISA_COUNT ? mpno_isa_name((mpno_isa)index) : NULL;
}
size_t mpno_ctx_bytes(const mpno_ctx *ctx) {
    return ctx->bytes;
}
size_t mpno_ctx_peak_bytes(const mpno_ctx *ctx) {
    return ctx->peak_bytes;
}
const char *mpno_version(void) {
    return MPNO_VERSION;
}

mpno_status(mpno_fail_list)(mpno_ctx *ctx, mpno_status code, const char *format,
                            va_list arguments) {
    if (ctx == NULL) return code;
    /* An argument may be the old sentence itself: print aside, then store. */
    char sentence[sizeof ctx->error];
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    memcpy(ctx->error, sentence, sizeof sentence);
    return code;
}

mpno_status(mpno_fail)(mpno_ctx *ctx, mpno_status code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)mpno_fail_list(ctx, code, format, arguments);
    va_end(arguments);
    return code;
}

/* Adds what fits of `more` to a text of `length` bytes in a buffer as large as ctx->error; the new
 * length. */
static size_t append(char *text, size_t length, const char *more) {
    size_t room = sizeof(((mpno_ctx *)NULL)->error) - 1 - length;
    size_t n = strnlen(more, room);
    memcpy(text + length, more, n);
    text[length + n] = '\0';
    return length + n;
}

mpno_status mpno_fail_in(mpno_ctx *ctx, mpno_status code, const char *format, ...) {
    if (ctx == NULL) return code;
    char sentence[sizeof ctx->error];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    size_t used = append(sentence, strlen(sentence), ": ");
    (void)append(sentence, used, ctx->error);
    memcpy(ctx->error, sentence, sizeof sentence);
    return code;
}
