/* SPDX-License-Identifier: MIT
 * Certificates of the kind SET: how far any answer to an input of a ball is from the exact one, at
 * most. The bounds are those of certify/set.h, over the ball |a| <= range of what the network gets;
 * the answer is meant as the network gives it, before it is decoded, and what its error is measured
 * by is the size of answers: that of encoded data, or that of the truth in the file where answers
 * are not encoded. See proof_kind.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "certify/set.h"
#include "core/text.h"
#include "number/format.h"
#include "train/proof_kind.h"
#include "train/sink.h"

typedef struct bounds {
    mpno_proof_ball ball;
    mpno_set_certificate s; /* owned */
} bounds;

/* -------- numbers -------- */

/* Root of the mean over points of the sum over channels of squares; 0: the file has no truth. */
static double size_of_truth(const mpno_proof *p) {
    const mpno_dataset *d = p->input;
    double sum = 0;
    if (!p->has_truth) return 0;
    const double *y = mpno_sample(d->y, MPNO_F64, d->out_points * d->out_channels, p->at);
    for (int64_t i = 0; i < d->out_points * d->out_channels; i++) sum += y[i] * y[i];
    return sqrt(sum / (double)(d->out_points / d->planes));
}

/* 0: as set.h has it. Where answers are not encoded it is part of what is claimed. */
static mpno_status choose_size(mpno_proof_job *job, double *size) {
    const mpno_value *map, *value;
    *size = 0;
    if (job->proof->restored.checkpoint->state.encode_y) return MPNO_OK;
    *size = job->recorded == NULL ? size_of_truth(job->proof) : 0;
    if (job->recorded == NULL) return MPNO_OK;
    MPNO_TRY(mpno_proof_recorded(job, job->recorded->document, "set", MPNO_VALUE_MAP, &map));
    MPNO_TRY(mpno_proof_recorded(job, map, "size", MPNO_VALUE_REAL, &value));
    *size = value->real;
    return MPNO_OK;
}

static mpno_status find(mpno_proof_job *job) {
    mpno_proof *p = job->proof;
    bounds *b = job->found;
    mpno_set_opts opts = {.ball = MPNO_BALL_SUP};
    mpno_network *network = NULL;
    MPNO_TRY(mpno_proof_find_ball(job, "set", "radius", &b->ball));
    MPNO_TRY(choose_size(job, &opts.size));
    opts.radius = b->ball.range;
    opts.embedding = b->ball.steering;
    MPNO_TRY(mpno_proof_plan_network(p, &network));
    mpno_status status = mpno_certificate_set(p->ctx, &p->certificate.environment.bf16_products,
                                              mpno_network_bf16_products(network));
    if (status == MPNO_OK) status = mpno_set_certify(p->restored.model, network, &opts, &b->s);
    mpno_network_destroy(&network);
    return status;
}

static void clear(mpno_proof_job *job) {
    bounds *b = job->found;
    if (b->s.ctx != NULL) mpno_set_clear(&b->s);
}

/* -------- the verdict -------- */

/* Of the error in sizes of answers, rounded upwards. */
static double relative(const mpno_set_certificate *s) {
    return nextafter(s->error / s->size, INFINITY);
}

static mpno_status conclude(const mpno_proof_job *job) {
    mpno_proof *p = job->proof;
    const bounds *b = job->found;
    const double tolerance = p->certificate.claim.tolerance, found = relative(&b->s);
    char inputs[256], limit[96], claim[640], text[320], reason[512], number[MPNO_REAL_TEXT];
    mpno_proof_ball_text(&b->ball, inputs, sizeof inputs);
    mpno_set_text(&b->s, text, sizeof text);
    mpno_real_text(tolerance, number);
    if (isnan(tolerance))
        snprintf(limit, sizeof limit, "at most the bound, which is below the size of answers");
    else
        snprintf(limit, sizeof limit, "at most %s times the size of answers, %.6g", number,
                 b->s.size);
    snprintf(claim, sizeof claim,
             "For %s, the distance of the answer, as the network gives it%s, from the answer of "
             "the same network in exact arithmetic is %s (root of the mean over points of the sum "
             "over channels of squares).",
             inputs, p->restored.checkpoint->state.encode_y ? " (before it is decoded)" : "",
             limit);
    if (p->trouble != NULL) return mpno_proof_decide(p, MPNO_VERDICT_UNKNOWN, claim, p->trouble);
    const bool holds = isnan(tolerance) ? !b->s.vacuous : found <= tolerance;
    if (isnan(tolerance) || !isfinite(found))
        snprintf(reason, sizeof reason, "%s", text);
    else
        snprintf(reason, sizeof reason, "%s; that is %s %s", text, holds ? "at most" : "above",
                 number);
    return mpno_proof_decide(p, holds ? MPNO_VERDICT_VERIFIED : MPNO_VERDICT_UNKNOWN, claim,
                             reason);
}

/* -------- text -------- */

static mpno_status cell(mpno_table *table, double value) {
    return isfinite(value) ? mpno_table_cell(table, "%.4g", value)
                           : mpno_table_cell(table, "no bound");
}

static mpno_status fill(const mpno_proof_job *job, mpno_table *table) {
    static const char *const columns[] = {"layer", "size at most", "error at most",
                                          "Lipschitz constant at most"};
    const mpno_set_certificate *s = &((const bounds *)job->found)->s;
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        MPNO_TRY(mpno_table_column(table, columns[i], i < 1 ? MPNO_LEFT : MPNO_RIGHT));
    for (int i = 0; i < s->n_layers; i++) {
        MPNO_TRY(mpno_table_cell(table, "%s", s->layers[i].name));
        MPNO_TRY(cell(table, s->layers[i].norm));
        MPNO_TRY(cell(table, s->layers[i].error));
        MPNO_TRY(cell(table, s->layers[i].slope));
    }
    return MPNO_OK;
}

static mpno_status fill_tensors(const mpno_proof_job *job, mpno_table *table) {
    static const char *const columns[] = {"layer", "tensor", "format", "size at most",
                                          "error at most"};
    const mpno_set_certificate *s = &((const bounds *)job->found)->s;
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        MPNO_TRY(mpno_table_column(table, columns[i], i < 3 ? MPNO_LEFT : MPNO_RIGHT));
    for (int i = 0; i < s->n_lines; i++) {
        MPNO_TRY(mpno_table_cell(table, "%s", s->lines[i].layer));
        MPNO_TRY(mpno_table_cell(table, "%s", s->lines[i].name));
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_format_get(s->lines[i].format)->name));
        MPNO_TRY(cell(table, s->lines[i].norm));
        MPNO_TRY(cell(table, s->lines[i].error));
    }
    return MPNO_OK;
}

static mpno_status say(const mpno_proof_job *job) {
    const mpno_set_certificate *s = &((const bounds *)job->found)->s;
    const bool all = job->opts != NULL && job->opts->layers;
    mpno_say(job->sink, "claim: %s\n", job->proof->certificate.claim.text);
    mpno_proof_say_ball(job);
    MPNO_TRY(mpno_proof_say_rows(job, fill));
    if (all) return mpno_proof_say_rows(job, fill_tensors);
    if (job->opts != NULL)
        mpno_say(job->sink,
                 "the last tensor of each layer; --layers shows all %d that are stored\n",
                 s->n_lines);
    return MPNO_OK;
}

/* -------- the document -------- */

static mpno_status put(const mpno_proof_job *job, mpno_value *document) {
    const bounds *b = job->found;
    mpno_ctx *ctx = job->proof->ctx;
    mpno_value *map = NULL;
    MPNO_TRY(mpno_set_value(&b->s, &map));
    MPNO_TRY(mpno_value_set(ctx, document, "set", map));
    MPNO_TRY(mpno_value_set_real(ctx, map, "relative", relative(&b->s)));
    return mpno_proof_put_ball(ctx, &b->ball, map);
}

/* near: as of static. */
const mpno_proof_kind mpno_proof_set = {.name = "set",
                                        .kind = MPNO_CERTIFICATE_SET,
                                        .size = sizeof(bounds),
                                        .near = 1e-9,
                                        .find = find,
                                        .conclude = conclude,
                                        .put = put,
                                        .say = say,
                                        .clear = clear};
