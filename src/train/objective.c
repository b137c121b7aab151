/* SPDX-License-Identifier: MIT
 * Training losses of a configuration: see objective.h. */
#include "train/objective.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    mpno_loss kind;
    bool absolute;
} losses[] = {
#define X(name, kind, absolute, what) {#name, kind, absolute},
#include "train/losses.def"
#undef X
};

#define X(name, kind, absolute, what) " " #name
static const char names[] =
#include "train/losses.def"
    ;
#undef X

enum { N_LOSSES = sizeof losses / sizeof losses[0] };

/* One "NAME" or "NAME:WEIGHT" of `length` characters. */
static mpno_status parse_term(mpno_ctx *ctx, const char *text, size_t length, mpno_loss_term *out) {
    char term[64], *colon, *end;
    MPNO_CHECK(ctx, length > 0 && length < sizeof term, MPNO_E_CONFIG,
               "opt.training_loss: '%.*s' is not NAME or NAME:WEIGHT, with names%s", (int)length,
               text, names);
    memcpy(term, text, length);
    term[length] = '\0';
    out->weight = 1;
    colon = strchr(term, ':');
    if (colon) {
        *colon = '\0';
        out->weight = strtod(colon + 1, &end);
        MPNO_CHECK(
            ctx, end != colon + 1 && *end == '\0' && isfinite(out->weight) && out->weight > 0,
            MPNO_E_CONFIG, "opt.training_loss: the weight '%s' of %s is not a number above 0",
            colon + 1, term);
    }
    for (int i = 0; i < N_LOSSES; i++) {
        if (strcmp(losses[i].name, term) != 0) continue;
        out->kind = losses[i].kind;
        out->absolute = losses[i].absolute;
        return MPNO_OK;
    }
    return mpno_fail(ctx, MPNO_E_CONFIG,
                     "opt.training_loss: there is no loss '%s', expected one of%s, or several with "
                     "weights such as l2:1,h1:0.5",
                     term, names);
}

static mpno_status parse_terms(mpno_ctx *ctx, const char *text, mpno_objective *out) {
    out->n_terms = 0;
    for (const char *at = text;; at++) {
        at += strspn(at, " ");
        size_t length = strcspn(at, ","), kept = length;
        while (kept > 0 && at[kept - 1] == ' ') kept--;
        MPNO_CHECK(ctx, out->n_terms < MPNO_MAX_LOSS_TERMS, MPNO_E_CONFIG,
                   "opt.training_loss: '%s' has more than %d terms", text, MPNO_MAX_LOSS_TERMS);
        MPNO_TRY(parse_term(ctx, at, kept, &out->term[out->n_terms++]));
        at += length;
        if (*at == '\0') return MPNO_OK;
    }
}

static bool one_sided(const mpno_text_list *list, int axis) {
    const size_t i = list->n == 1 ? 0 : (size_t)axis;
    return i < list->n && strcmp(list->v[i], "one-sided") == 0;
}

static mpno_status check_boundary(mpno_ctx *ctx, const mpno_settings *s) {
    const mpno_text_list *list = &s->opt.h1_boundary;
    const int64_t axes = s->model.n_modes.n;
    MPNO_CHECK(ctx, list->n == 1 || (int64_t)list->n == axes, MPNO_E_CONFIG,
               "opt.h1_boundary: expected one text or one for each of the %lld axes, found %zu",
               (long long)axes, list->n);
    for (size_t i = 0; i < list->n; i++)
        MPNO_CHECK(ctx, strcmp(list->v[i], "periodic") == 0 || strcmp(list->v[i], "one-sided") == 0,
                   MPNO_E_CONFIG, "opt.h1_boundary: expected periodic or one-sided, found '%s'",
                   list->v[i]);
    return MPNO_OK;
}

mpno_objective mpno_settings_norms(const mpno_settings *s) {
    mpno_objective o = MPNO_OBJECTIVE_INIT;
    for (int d = 0; d < MPNO_MAX_AXES; d++) {
        o.one_sided[d] = one_sided(&s->opt.h1_boundary, d);
        const mpno_real_list *measure = &s->opt.loss_measure;
        if (measure->n > 0) o.measure[d] = measure->v[measure->n > 1 ? d : 0];
    }
    return o;
}

mpno_status mpno_settings_objective(mpno_ctx *ctx, const mpno_settings *s, mpno_objective *out) {
    const mpno_real_list *weights = &s->opt.loss_weights, *measure = &s->opt.loss_measure;
    MPNO_TRY(check_boundary(ctx, s));
    MPNO_CHECK(ctx, measure->row == 0 && (measure->n <= 1 || measure->n == s->model.n_modes.n),
               MPNO_E_CONFIG,
               "opt.loss_measure: expected one number or one for each of the %lld axes, found %lld",
               (long long)s->model.n_modes.n, (long long)measure->n);
    *out = mpno_settings_norms(s);
    MPNO_TRY(parse_terms(ctx, s->opt.training_loss, out));
    const int64_t channels = s->model.out_channels;
    MPNO_CHECK(
        ctx,
        weights->row == 0 && (weights->n == 0 || channels == MPNO_UNSET || weights->n == channels),
        MPNO_E_CONFIG,
        "opt.loss_weights: expected one number for each of the %lld output channels, found "
        "%lld",
        (long long)channels, (long long)weights->n);
    bool any = weights->n == 0;
    for (int64_t c = 0; c < weights->n; c++) any = any || weights->v[c] > 0;
    MPNO_CHECK(ctx, any, MPNO_E_CONFIG, "opt.loss_weights are all 0: nothing would be trained");
    if (weights->n > 0) {
        out->channel_weights = weights->v;
        out->n_channel_weights = (size_t)weights->n;
    }
    return MPNO_OK;
}
