/* SPDX-License-Identifier: MIT
 * Certificates of the kind STATIC: no stored tensor of a trained model overflows, whatever the
 * input is. The bounds are those of certify/static.h; the network is the one that the sample would
 * run through, of which nothing but grid and steering vector counts. See proof_kind.h. */
#include <stdio.h>
#include <string.h>

#include "certify/static.h"
#include "model/network.h"
#include "number/format.h"
#include "train/proof_kind.h"
#include "train/sink.h"

typedef struct bounds {
    mpno_proof_ball ball;
    mpno_static s; /* owned */
} bounds;

static mpno_status find(mpno_proof_job *job) {
    mpno_proof *p = job->proof;
    bounds *b = job->found;
    mpno_network *network = NULL;
    MPNO_TRY(mpno_proof_find_ball(job, "static", "range", &b->ball));
    const mpno_static_opts opts = {.range = b->ball.range, .embedding = b->ball.steering};
    MPNO_TRY(mpno_proof_plan_network(p, &network));
    const mpno_status status = mpno_static_certify(p->restored.model, network, &opts, &b->s);
    mpno_network_destroy(&network);
    return status;
}

static void clear(mpno_proof_job *job) {
    bounds *b = job->found;
    if (b->s.ctx != NULL) mpno_static_clear(&b->s);
}

static mpno_status conclude(const mpno_proof_job *job) {
    mpno_proof *p = job->proof;
    const bounds *b = job->found;
    char inputs[256], claim[512], reason[512];
    mpno_proof_ball_text(&b->ball, inputs, sizeof inputs);
    snprintf(claim, sizeof claim, "No stored tensor of the forward pass overflows for %s.", inputs);
    mpno_static_text(&b->s, reason, sizeof reason);
    if (p->trouble != NULL) return mpno_proof_decide(p, MPNO_VERDICT_UNKNOWN, claim, p->trouble);
    return mpno_proof_decide(p, b->s.closes ? MPNO_VERDICT_VERIFIED : MPNO_VERDICT_UNKNOWN, claim,
                             reason);
}

/* -------- text -------- */

/* Whether no other tensor of its layer has less room; the first of equals. */
static bool is_tightest(const mpno_static *s, int line) {
    const mpno_static_line *l = &s->lines[line];
    for (int i = 0; i < s->n_lines; i++) {
        const mpno_static_line *other = &s->lines[i];
        if (strcmp(other->layer, l->layer) != 0) continue;
        if (other->headroom < l->headroom || (other->headroom == l->headroom && i < line))
            return false;
    }
    return true;
}

static mpno_status fill(const mpno_proof_job *job, mpno_table *table) {
    const mpno_static *s = &((const bounds *)job->found)->s;
    const bool all = job->opts != NULL && job->opts->layers;
    static const char *const columns[] = {"layer", "tensor",  "format",
                                          "bound", "maximum", "head-room"};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        MPNO_TRY(mpno_table_column(table, columns[i], i < 3 ? MPNO_LEFT : MPNO_RIGHT));
    if (!s->closes) MPNO_TRY(mpno_table_column(table, "", MPNO_LEFT));
    for (int i = 0; i < s->n_lines; i++) {
        const mpno_static_line *l = &s->lines[i];
        if (!all && !is_tightest(s, i)) continue;
        MPNO_TRY(mpno_table_cell(table, "%s", l->layer));
        MPNO_TRY(mpno_table_cell(table, "%s", l->name));
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_format_get(l->format)->name));
        MPNO_TRY(mpno_table_cell(table, "%.4g", l->bound));
        MPNO_TRY(mpno_table_cell(table, "%.6g", l->most));
        MPNO_TRY(mpno_table_cell(table, "%.3g", l->headroom));
        if (!s->closes) MPNO_TRY(mpno_table_cell(table, "%s", l->closes ? "" : "not proved"));
    }
    return MPNO_OK;
}

/* The transform whose sums have the least room. */
static void say_sums(const mpno_static *s, const mpno_sink *sink) {
    const mpno_static_sum *least = NULL;
    for (int i = 0; i < s->n_sums; i++)
        if (least == NULL ||
            s->sums[i].rounded / s->sums[i].points < least->rounded / least->points)
            least = &s->sums[i];
    if (least == NULL) return;
    if (least->prescale)
        mpno_say(sink, "transforms in %s scale before they sum: any number of points will do\n",
                 mpno_format_get(least->format)->name);
    else
        mpno_say(sink,
                 "transforms in %s: the mean of |x| is at most %.4g in %s, so that sums of up to "
                 "%.0f points stay in range (%.0f with roundings); there are %.0f\n",
                 mpno_format_get(least->format)->name, least->mean, least->layer, least->limit,
                 least->rounded, least->points);
}

static mpno_status say(const mpno_proof_job *job) {
    const mpno_static *s = &((const bounds *)job->found)->s;
    mpno_say(job->sink, "claim: %s\n", job->proof->certificate.claim.text);
    mpno_proof_say_ball(job);
    MPNO_TRY(mpno_proof_say_rows(job, fill));
    if (job->opts != NULL && !job->opts->layers)
        mpno_say(job->sink, "the tensor of each layer with the least room; --layers shows all %d\n",
                 s->n_lines);
    say_sums(s, job->sink);
    return MPNO_OK;
}

/* -------- the document -------- */

static mpno_status put(const mpno_proof_job *job, mpno_value *document) {
    const bounds *b = job->found;
    mpno_ctx *ctx = job->proof->ctx;
    mpno_value *map = NULL, *table = NULL;
    MPNO_TRY(mpno_static_value(&b->s, &map));
    MPNO_TRY(mpno_value_set(ctx, document, "static", map));
    MPNO_TRY(mpno_proof_put_ball(ctx, &b->ball, map));
    MPNO_TRY(mpno_static_table(&b->s, &table));
    return mpno_value_set(ctx, map, "table", table);
}

/* near: bounds are f64 and made of products and roots, whose roundings (1 + 1e-9) makes up for. */
const mpno_proof_kind mpno_proof_static = {.name = "static",
                                           .kind = MPNO_CERTIFICATE_STATIC,
                                           .size = sizeof(bounds),
                                           .near = 1e-9,
                                           .find = find,
                                           .conclude = conclude,
                                           .put = put,
                                           .say = say,
                                           .clear = clear};
