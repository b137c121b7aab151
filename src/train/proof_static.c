/* SPDX-License-Identifier: MIT
 * mpno_certify of the kind STATIC: no stored tensor of a trained model overflows, whatever the
 * input is. The bounds are those of certify/static.h; the network is the one that the sample would
 * run through, of which nothing but grid and steering vector counts. See proof.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "certify/static.h"
#include "core/text.h"
#include "number/format.h"
#include "train/proof.h"
#include "train/sink.h"

static const double DEFAULT_RANGE = 6; /* standard deviations, where inputs are encoded */

static mpno_status choose(const mpno_proof *p, const mpno_certify_opts *opts,
                          mpno_static_opts *out) {
    const bool encoded = p->restored.checkpoint->state.encode_x;
    const double *steering = mpno_proof_steering(p);
    MPNO_CHECK(p->ctx, opts->range > 0 || encoded, MPNO_E_ARGUMENT,
               "%s gets its inputs as they stand in files, so that there is no usual size of them: "
               "give --range A, the largest magnitude that they may have",
               p->certificate.checkpoint.path);
    out->range = opts->range > 0 ? opts->range : DEFAULT_RANGE;
    for (int64_t i = 0; steering != NULL && i < p->input->n_features; i++)
        out->embedding = fmax(out->embedding, fabs(steering[i]));
    return MPNO_OK;
}

static mpno_status judge(mpno_proof *p, const mpno_static *s) {
    char claim[512], steering[96] = "", reason[512], most[MPNO_REAL_TEXT], vector[MPNO_REAL_TEXT];
    mpno_real_text(s->opts.range, most);
    mpno_real_text(s->opts.embedding, vector);
    if (s->opts.embedding > 0)
        snprintf(steering, sizeof steering, ", nor any of what steers it above %s", vector);
    snprintf(claim, sizeof claim,
             "No stored tensor of the forward pass overflows for any input of which no number, as "
             "the network gets it%s, is above %s in magnitude%s.",
             p->restored.checkpoint->state.encode_x ? " (encoded)" : "", most, steering);
    mpno_static_text(s, reason, sizeof reason);
    if (p->trouble != NULL) return mpno_proof_decide(p, MPNO_VERDICT_UNKNOWN, claim, p->trouble);
    return mpno_proof_decide(p, s->closes ? MPNO_VERDICT_VERIFIED : MPNO_VERDICT_UNKNOWN, claim,
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

static mpno_status fill(const mpno_static *s, bool all, mpno_table *table) {
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

static mpno_status say(const mpno_proof *p, const mpno_static *s, const mpno_certify_opts *opts,
                       const mpno_sink *sink) {
    mpno_table *table = NULL;
    mpno_say(sink, "claim: %s\n", p->certificate.claim.text);
    if (opts->range == 0)
        mpno_say(sink, "(%g standard deviations of the training inputs; --range A takes others)\n",
                 DEFAULT_RANGE);
    MPNO_TRY(mpno_table_create(p->ctx, &table));
    mpno_status status = fill(s, opts->layers, table);
    if (status == MPNO_OK) status = mpno_say_table(p->ctx, sink, table);
    mpno_table_destroy(&table);
    MPNO_TRY(status);
    if (!opts->layers)
        mpno_say(sink, "the tensor of each layer with the least room; --layers shows all %d\n",
                 s->n_lines);
    say_sums(s, sink);
    return MPNO_OK;
}

/* -------- the document -------- */

static mpno_status put(const mpno_proof *p, const mpno_static *s, mpno_value *document) {
    mpno_ctx *ctx = p->ctx;
    mpno_value *map = NULL, *table = NULL;
    MPNO_TRY(mpno_static_value(s, &map));
    MPNO_TRY(mpno_value_set(ctx, document, "static", map));
    MPNO_TRY(mpno_value_set_bool(ctx, map, "encoded", p->restored.checkpoint->state.encode_x));
    if (s->opts.embedding > 0)
        MPNO_TRY(mpno_value_set_real(ctx, map, "steering", s->opts.embedding));
    MPNO_TRY(mpno_static_table(s, &table));
    return mpno_value_set(ctx, map, "table", table);
}

static mpno_status write(const mpno_proof *p, const mpno_static *s, mpno_value **document) {
    MPNO_TRY(mpno_certificate_open(p->ctx, &p->certificate, document));
    mpno_status status = put(p, s, *document);
    if (status == MPNO_OK) status = mpno_certificate_close(p->ctx, &p->certificate, *document);
    if (status != MPNO_OK) mpno_value_destroy(p->ctx, document);
    return status;
}

/* -------- all -------- */

static mpno_status find_bounds(mpno_proof *p, const mpno_static_opts *opts, mpno_static *out) {
    mpno_dataset *encoded = NULL;
    mpno_predictor predictor;
    MPNO_TRY(mpno_proof_network(p, &encoded, &predictor));
    memcpy(p->output_grid, predictor.grid, sizeof p->output_grid);
    const mpno_status status = mpno_static_certify(p->restored.model, predictor.network, opts, out);
    mpno_predictor_destroy(&predictor);
    mpno_dataset_destroy(p->ctx, &encoded);
    return status;
}

mpno_status mpno_proof_static(mpno_proof *p, const mpno_config *overrides,
                              const mpno_certify_opts *opts, const mpno_sink *sink,
                              mpno_value **document) {
    mpno_static_opts chosen = {0};
    mpno_static s;
    MPNO_TRY(choose(p, opts, &chosen));
    MPNO_TRY(mpno_certificate_set(p->ctx, &p->certificate.kind, "static"));
    MPNO_TRY(find_bounds(p, &chosen, &s));
    mpno_status status = mpno_proof_make_plan(p, overrides);
    if (status == MPNO_OK) status = judge(p, &s);
    if (status == MPNO_OK) status = write(p, &s, document);
    if (status == MPNO_OK) status = say(p, &s, opts, sink);
    mpno_static_clear(&s);
    return status;
}
