/* SPDX-License-Identifier: MIT
 * mpno_certify: a certificate of a trained model, of each kind. See mpno/certify.h. */
#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "train/proof_kind.h"
#include "train/sink.h"

enum { PATH_SIZE = 4096 };

static bool ends_with(const char *text, const char *end) {
    const size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

/* What belongs to one kind alone is refused with the others. */
static mpno_status check_kind(mpno_ctx *ctx, const mpno_certify_opts *o) {
    static const char *const speaks[] = {
        [MPNO_CERTIFICATE_POINT] = NULL,
        [MPNO_CERTIFICATE_STATIC] = "--static speaks of every input",
        [MPNO_CERTIFICATE_SET] = "--set speaks of every input",
        [MPNO_CERTIFICATE_POPULATION] = "--data speaks of new samples",
        [MPNO_CERTIFICATE_DISCRETISATION] = NULL};
    const bool ball = o->kind == MPNO_CERTIFICATE_STATIC || o->kind == MPNO_CERTIFICATE_SET;
    const char *other = o->answer != NULL ? "--answer"
                        : o->sample > 0   ? "--sample"
                        : o->html != NULL ? "--html"
                                          : NULL;
    if (o->kind == MPNO_CERTIFICATE_STATIC && o->tolerance >= 0) other = "--tolerance";
    MPNO_CHECK(ctx,
               o->kind == MPNO_CERTIFICATE_POPULATION ||
                   (o->samples == 0 && o->coverage == 0 && o->confidence < 0),
               MPNO_E_ARGUMENT, "--%s belongs to the bound of new samples: give --data FILE",
               o->samples != 0    ? "samples"
               : o->coverage != 0 ? "coverage"
                                  : "confidence");
    MPNO_CHECK(ctx, speaks[o->kind] == NULL || other == NULL, MPNO_E_ARGUMENT,
               "%s, %s of one answer: leave one of the two out", speaks[o->kind], other);
    MPNO_CHECK(ctx,
               o->kind != MPNO_CERTIFICATE_DISCRETISATION || (o->tolerance < 0 && o->html == NULL),
               MPNO_E_ARGUMENT, "--discretisation estimates and takes no %s: leave it out",
               o->html != NULL ? "--html" : "--tolerance");
    MPNO_CHECK(ctx, !ball || (o->range >= 0 && isfinite(o->range)), MPNO_E_ARGUMENT,
               "--range is %g; expected a number above 0, such as 6", o->range);
    MPNO_CHECK(ctx, ball || o->range == 0, MPNO_E_ARGUMENT,
               "--range is the size of the inputs that --static and --set speak of: give one of "
               "these too");
    return MPNO_OK;
}

static mpno_status check_opts(mpno_ctx *ctx, const mpno_certify_opts *o) {
    MPNO_CHECK(ctx, o->size == sizeof *o, MPNO_E_ARGUMENT,
               "mpno_certify_opts: size is %zu, expected %zu; start from MPNO_CERTIFY_OPTS_INIT",
               o->size, sizeof *o);
    MPNO_CHECK(ctx, o->sample >= 0, MPNO_E_ARGUMENT, "sample is %lld; they count from 0",
               (long long)o->sample);
    MPNO_CHECK(ctx, !(o->tolerance >= 0) || isfinite(o->tolerance), MPNO_E_ARGUMENT,
               "tolerance is %g; expected a number such as 1e-3", o->tolerance);
    MPNO_CHECK(ctx, o->certificate == NULL || ends_with(o->certificate, ".json"), MPNO_E_ARGUMENT,
               "%s does not end in .json: certificates are JSON files", o->certificate);
    MPNO_CHECK(ctx, o->html == NULL || ends_with(o->html, ".html"), MPNO_E_ARGUMENT,
               "%s does not end in .html: pages are HTML files", o->html);
    return check_kind(ctx, o);
}

/* "out/a.json": the answer lies in out/a_answer.npy and is named a_answer.npy, so that the two can
 * be moved together. */
static mpno_status store_answer(mpno_proof *p, const char *certificate) {
    char path[PATH_SIZE];
    const int stem = (int)(strlen(certificate) - strlen(".json"));
    const char *name = strrchr(certificate, '/');
    const size_t folder = name ? (size_t)(name + 1 - certificate) : 0;
    const int n = snprintf(path, sizeof path, "%.*s_answer.npy", stem, certificate);
    MPNO_CHECK(p->ctx, n < (int)sizeof path, MPNO_E_ARGUMENT, "%.40s...: the path is too long",
               certificate);
    MPNO_TRY(mpno_proof_write_answer(p, path));
    MPNO_TRY(mpno_certificate_set(p->ctx, &p->certificate.answer.path, path + folder));
    return mpno_certificate_set(p->ctx, &p->certificate.answer.key, "");
}

static mpno_status read_input(mpno_proof *p, const mpno_certify_opts *opts) {
    const char *input = mpno_restored_data(&p->restored, opts->input);
    MPNO_CHECK(p->ctx, input != NULL, MPNO_E_CONFIG,
               "there is no input to certify an answer of: give --input FILE; the checkpoint's "
               "configuration names no test data");
    return mpno_proof_read_input(p, input, opts->sample);
}

/* The answer, and how far it is from the exact one. */
static mpno_status measure(mpno_proof *p, const mpno_config *overrides,
                           const mpno_certify_opts *opts) {
    p->certificate.claim.tolerance = opts->tolerance >= 0 ? opts->tolerance : NAN;
    MPNO_TRY(opts->answer ? mpno_proof_read_answer(p, opts->answer) : mpno_proof_run(p));
    if (opts->certificate && !opts->answer) MPNO_TRY(store_answer(p, opts->certificate));
    MPNO_TRY(mpno_proof_make_plan(p, overrides));
    return mpno_proof_measure(p);
}

static mpno_status tell_point(mpno_proof *p, const mpno_certify_opts *opts, const mpno_sink *sink,
                              mpno_value **document) {
    MPNO_TRY(mpno_certificate_tree(p->ctx, &p->certificate, document));
    mpno_status status = opts->html ? mpno_proof_page(p, opts->html) : MPNO_OK;
    if (status == MPNO_OK) status = mpno_proof_say(p->ctx, &p->certificate, opts->layers, sink);
    if (status != MPNO_OK) mpno_value_destroy(p->ctx, document);
    return status;
}

static mpno_status prove(mpno_proof *p, const mpno_config *overrides, const mpno_certify_opts *opts,
                         const mpno_sink *sink, mpno_value **document) {
    const mpno_proof_kind *kind = mpno_proof_kind_of(opts->kind);
    mpno_proof_job job = {.proof = p, .opts = opts, .sink = sink};
    MPNO_TRY(read_input(p, opts));
    if (kind == NULL || kind->one_answer) MPNO_TRY(measure(p, overrides, opts));
    return kind == NULL ? tell_point(p, opts, sink, document)
                        : mpno_proof_make(kind, &job, overrides, document);
}

static mpno_status deliver(const mpno_proof *p, const mpno_certify_opts *opts,
                           const mpno_value *document, const mpno_sink *sink, char **json) {
    if (opts->certificate) MPNO_TRY(mpno_json_write(p->ctx, opts->certificate, document));
    const bool estimate = opts->kind == MPNO_CERTIFICATE_DISCRETISATION;
    mpno_say(sink, "%s: %s\n",
             estimate ? "estimate" : mpno_verdict_name((mpno_verdict)p->certificate.verdict),
             p->certificate.reason);
    if (opts->certificate) mpno_say(sink, "certificate in %s\n", opts->certificate);
    if (opts->html) mpno_say(sink, "page in %s\n", opts->html);
    return json ? mpno_json_text(p->ctx, document, false, json) : MPNO_OK;
}

static mpno_status certify(mpno_ctx *ctx, const char *checkpoint, const mpno_config *overrides,
                           const mpno_certify_opts *opts, const mpno_float_environment *around,
                           const mpno_sink *sink, mpno_verdict *verdict, char **json) {
    char path[PATH_SIZE];
    mpno_proof proof;
    mpno_value *document = NULL;
    MPNO_TRY(mpno_checkpoint_find(ctx, checkpoint, path, sizeof path));
    MPNO_TRY(mpno_proof_start(ctx, path, &proof));
    mpno_status status = mpno_proof_look_around(&proof, around);
    if (status == MPNO_OK) status = mpno_proof_restore(&proof, overrides, opts->input, sink);
    if (status == MPNO_OK) status = prove(&proof, overrides, opts, sink, &document);
    if (status == MPNO_OK) status = deliver(&proof, opts, document, sink, json);
    if (status == MPNO_OK) *verdict = (mpno_verdict)proof.certificate.verdict;
    mpno_value_destroy(ctx, &document);
    mpno_proof_clear(&proof);
    return status;
}

mpno_status mpno_certify(mpno_ctx *ctx, const char *checkpoint, mpno_config *overrides,
                         const mpno_certify_opts *opts, const mpno_sink *sink,
                         mpno_verdict *verdict, char **json) {
    const mpno_certify_opts defaults = MPNO_CERTIFY_OPTS_INIT;
    const int n_threads = ctx->n_threads;
    if (json) *json = NULL;
    *verdict = MPNO_VERDICT_UNKNOWN;
    if (opts == NULL) opts = &defaults;
    MPNO_TRY(check_opts(ctx, opts));
    mpno_override_threads(ctx, overrides);
    const mpno_float_environment around = mpno_float_environment_find(ctx->n_threads);
    fenv_t before;
    /* numbers are read and spelled as everywhere, also where the rest proves nothing */
    const bool other = mpno_proof_trouble(&around) != NULL && fegetenv(&before) == 0;
    if (other) fesetenv(FE_DFL_ENV);
    const mpno_status status =
        certify(ctx, checkpoint, overrides, opts, &around, sink, verdict, json);
    if (other) fesetenv(&before);
    ctx->n_threads = n_threads;
    return status;
}
