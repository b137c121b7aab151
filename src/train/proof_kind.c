/* SPDX-License-Identifier: MIT
 * What all kinds of certificates beside POINT share: see proof_kind.h. */
#include "train/proof_kind.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/text.h"
#include "model/network.h"
#include "train/sink.h"

#define PROOF_KIND(name) extern const mpno_proof_kind mpno_proof_##name;
#include "train/proof_kinds.def"
#undef PROOF_KIND

static const mpno_proof_kind *const kinds[] = {
#define PROOF_KIND(name) &mpno_proof_##name,
#include "train/proof_kinds.def"
#undef PROOF_KIND
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

static const double DEFAULT_RANGE = 6; /* standard deviations, where inputs are encoded */

const mpno_proof_kind *mpno_proof_kind_of(mpno_certificate_kind kind) {
    for (int i = 0; i < N_KINDS; i++)
        if (kinds[i]->kind == kind) return kinds[i];
    return NULL;
}

const mpno_proof_kind *mpno_proof_kind_named(const char *name) {
    for (int i = 0; i < N_KINDS; i++)
        if (strcmp(kinds[i]->name, name) == 0) return kinds[i];
    return NULL;
}

/* -------- what is recorded -------- */

mpno_status mpno_proof_refute(mpno_proof_job *job, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const mpno_status status = mpno_fail_list(job->proof->ctx, MPNO_E_FORMAT, format, arguments);
    va_end(arguments);
    job->refuted = true;
    return status;
}

mpno_status mpno_proof_differs(mpno_proof_job *job, const char *format, ...) {
    const mpno_certificate *recorded = job->recorded;
    char sentence[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    if (job->same_kernels && strcmp(recorded->environment.mpno, mpno_version()) == 0)
        return mpno_proof_refute(job, "%s", sentence);
    return mpno_fail(job->proof->ctx, MPNO_E_UNSUPPORTED,
                     "it was made by mpno %s with the kernels %s, and this mpno %s finds other "
                     "numbers here (%s): make it again with mpno certify",
                     recorded->environment.mpno, recorded->environment.isa, mpno_version(),
                     sentence);
}

mpno_status mpno_proof_recorded(mpno_proof_job *job, const mpno_value *map, const char *name,
                                mpno_value_kind kind, const mpno_value **out) {
    static const char *const kind_names[] = {
        "null", "true or false", "a whole number", "a number", "a text", "a list", "a map"};
    const mpno_value *value = mpno_value_get(map, name);
    *out = value;
    const bool number = kind == MPNO_VALUE_REAL && value != NULL && value->kind == MPNO_VALUE_INT;
    if (value != NULL && (value->kind == kind || number)) return MPNO_OK;
    return mpno_proof_refute(job, "%s is not %s: the certificate was changed after it was made",
                             name, kind_names[kind]);
}

static mpno_status compare(mpno_proof_job *job, const char *path, const mpno_value *found,
                           const mpno_value *expected, double near) {
    const mpno_status status =
        mpno_certificate_compare(job->proof->ctx, path, found, expected, near);
    if (status != MPNO_E_FORMAT) return status;
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%s", mpno_ctx_error(job->proof->ctx));
    return mpno_proof_differs(job, "%s", sentence);
}

static mpno_status compare_plans(mpno_proof_job *job) {
    return compare(job, "plan", job->recorded->plan, job->proof->certificate.plan, 0);
}

/* Paths and the machine are those of then; sums have been compared before. */
static mpno_status compare_documents(const mpno_proof_kind *kind, mpno_proof_job *job,
                                     mpno_value *again) {
    static const char *const then[] = {"checkpoint", "environment", "input", "answer"};
    mpno_ctx *ctx = job->proof->ctx;
    for (size_t i = 0; i < sizeof then / sizeof then[0]; i++)
        if (mpno_value_get(again, then[i]) != NULL)
            MPNO_TRY(mpno_certificate_copy(ctx, job->recorded, then[i], again));
    return compare(job, "", job->recorded->document, again, kind->near);
}

/* -------- the steps -------- */

static mpno_status write(const mpno_proof_kind *kind, const mpno_proof_job *job,
                         mpno_value **document) {
    const mpno_certificate *certificate = &job->proof->certificate;
    mpno_ctx *ctx = job->proof->ctx;
    MPNO_TRY(mpno_certificate_open(ctx, certificate, document));
    mpno_status status = kind->put(job, *document);
    if (status == MPNO_OK) status = mpno_certificate_close(ctx, certificate, *document);
    if (status != MPNO_OK) mpno_value_destroy(ctx, document);
    return status;
}

static void claim(mpno_proof_job *job) {
    mpno_certificate *c = &job->proof->certificate;
    if (job->recorded != NULL)
        c->claim.tolerance = job->recorded->claim.tolerance;
    else
        c->claim.tolerance = job->opts->tolerance >= 0 ? job->opts->tolerance : NAN;
}

static mpno_status make(const mpno_proof_kind *kind, mpno_proof_job *job,
                        const mpno_config *overrides, mpno_value **document) {
    MPNO_TRY(mpno_certificate_set(job->proof->ctx, &job->proof->certificate.kind, kind->name));
    claim(job);
    MPNO_TRY(kind->find(job));
    MPNO_TRY(mpno_proof_make_plan(job->proof, overrides));
    if (job->recorded != NULL) MPNO_TRY(compare_plans(job));
    MPNO_TRY(kind->conclude(job));
    MPNO_TRY(write(kind, job, document));
    if (job->recorded != NULL) MPNO_TRY(compare_documents(kind, job, *document));
    MPNO_TRY(kind->say(job));
    return job->recorded != NULL && kind->check != NULL ? kind->check(job) : MPNO_OK;
}

mpno_status mpno_proof_make(const mpno_proof_kind *kind, mpno_proof_job *job,
                            const mpno_config *overrides, mpno_value **document) {
    mpno_ctx *ctx = job->proof->ctx;
    *document = NULL;
    MPNO_TRY(mpno_alloc(ctx, kind->size, &job->found));
    mpno_status status = make(kind, job, overrides, document);
    if (kind->clear != NULL) kind->clear(job);
    mpno_free(ctx, job->found);
    job->found = NULL;
    if (status != MPNO_OK) mpno_value_destroy(ctx, document);
    return status;
}

/* -------- a ball of inputs -------- */

mpno_status mpno_proof_find_ball(mpno_proof_job *job, const char *entry, const char *key,
                                 mpno_proof_ball *out) {
    const mpno_proof *p = job->proof;
    const mpno_value *map, *value;
    *out = (mpno_proof_ball){.encoded = p->restored.checkpoint->state.encode_x};
    if (job->recorded != NULL) {
        MPNO_TRY(mpno_proof_recorded(job, job->recorded->document, entry, MPNO_VALUE_MAP, &map));
        MPNO_TRY(mpno_proof_recorded(job, map, key, MPNO_VALUE_REAL, &value));
        out->range = value->real;
        if (mpno_value_get(map, "steering") == NULL) return MPNO_OK;
        MPNO_TRY(mpno_proof_recorded(job, map, "steering", MPNO_VALUE_REAL, &value));
        out->steering = value->real;
        return MPNO_OK;
    }
    MPNO_CHECK(p->ctx, job->opts->range > 0 || out->encoded, MPNO_E_ARGUMENT,
               "%s gets its inputs as they stand in files, so that there is no usual size of them: "
               "give --range A, the largest magnitude that they may have",
               p->certificate.checkpoint.path);
    const double *steering = mpno_proof_steering(p);
    out->range = job->opts->range > 0 ? job->opts->range : DEFAULT_RANGE;
    for (int64_t i = 0; steering != NULL && i < p->input->n_features; i++)
        out->steering = fmax(out->steering, fabs(steering[i]));
    return MPNO_OK;
}

void mpno_proof_ball_text(const mpno_proof_ball *ball, char *text, size_t capacity) {
    char steering[96] = "", most[MPNO_REAL_TEXT], vector[MPNO_REAL_TEXT];
    mpno_real_text(ball->range, most);
    mpno_real_text(ball->steering, vector);
    if (ball->steering > 0)
        snprintf(steering, sizeof steering, ", nor any of what steers it above %s", vector);
    snprintf(text, capacity,
             "any input of which no number, as the network gets it%s, is above %s in magnitude%s",
             ball->encoded ? " (encoded)" : "", most, steering);
}

mpno_status mpno_proof_put_ball(mpno_ctx *ctx, const mpno_proof_ball *ball, mpno_value *map) {
    MPNO_TRY(mpno_value_set_bool(ctx, map, "encoded", ball->encoded));
    return ball->steering > 0 ? mpno_value_set_real(ctx, map, "steering", ball->steering) : MPNO_OK;
}

void mpno_proof_say_ball(const mpno_proof_job *job) {
    if (job->opts != NULL && job->opts->range == 0)
        mpno_say(job->sink,
                 "(%g standard deviations of the training inputs; --range A takes others)\n",
                 DEFAULT_RANGE);
}

/* -------- further -------- */

mpno_status mpno_proof_plan_network(mpno_proof *p, mpno_network **out) {
    const mpno_predictor_opts stored = mpno_restored_opts(&p->restored);
    mpno_network_opts opts = mpno_predictor_network(p->input, 1, &stored);
    memcpy(opts.output_grid, p->output_grid, sizeof opts.output_grid);
    MPNO_TRY(mpno_network_plan(p->restored.model, &opts, out));
    mpno_network_output_grid(*out, p->output_grid);
    return MPNO_OK;
}

mpno_status mpno_proof_say_rows(const mpno_proof_job *job,
                                mpno_status (*fill)(const mpno_proof_job *, mpno_table *)) {
    mpno_table *table = NULL;
    MPNO_TRY(mpno_table_create(job->proof->ctx, &table));
    mpno_status status = fill(job, table);
    if (status == MPNO_OK) status = mpno_say_table(job->proof->ctx, job->sink, table);
    mpno_table_destroy(&table);
    return status;
}
