/* SPDX-License-Identifier: MIT
 * STATIC certificates as value trees and as a sentence, see static.h. */
#include <math.h>
#include <stdio.h>

#include "certify/static.h"
#include "number/format.h"

static mpno_status line_value(const mpno_static *c, const mpno_static_line *l, mpno_value *map) {
    mpno_ctx *ctx = c->ctx;
    MPNO_TRY(mpno_value_set_string(ctx, map, "layer", l->layer));
    MPNO_TRY(mpno_value_set_string(ctx, map, "tensor", l->name));
    MPNO_TRY(mpno_value_set_string(ctx, map, "role", l->role));
    MPNO_TRY(mpno_value_set_string(ctx, map, "format", mpno_format_get(l->format)->name));
    MPNO_TRY(mpno_value_set_string(ctx, map, "scaling", mpno_scaling_text(l->scaling)));
    MPNO_TRY(mpno_value_set_real(ctx, map, "bound", l->bound));
    MPNO_TRY(mpno_value_set_real(ctx, map, "maximum", l->most));
    MPNO_TRY(mpno_value_set_real(ctx, map, "headroom", l->headroom));
    MPNO_TRY(mpno_value_set_bool(ctx, map, "closes", l->closes));
    return mpno_value_set_int(ctx, map, "prescale", l->prescale);
}

mpno_status mpno_static_table(const mpno_static *c, mpno_value **out) {
    mpno_status status = mpno_value_list(c->ctx, out);
    for (int i = 0; status == MPNO_OK && i < c->n_lines; i++) {
        mpno_value *map;
        status = mpno_value_append_map(c->ctx, *out, &map);
        if (status == MPNO_OK) status = line_value(c, &c->lines[i], map);
    }
    if (status != MPNO_OK) mpno_value_destroy(c->ctx, out);
    return status;
}

static mpno_status sums_value(const mpno_static *c, mpno_value *map) {
    mpno_ctx *ctx = c->ctx;
    mpno_value *list, *one;
    MPNO_TRY(mpno_value_set_list(ctx, map, "transform_sums", &list));
    for (int i = 0; i < c->n_sums; i++) {
        const mpno_static_sum *s = &c->sums[i];
        MPNO_TRY(mpno_value_append_map(ctx, list, &one));
        MPNO_TRY(mpno_value_set_string(ctx, one, "layer", s->layer));
        MPNO_TRY(mpno_value_set_string(ctx, one, "format", mpno_format_get(s->format)->name));
        MPNO_TRY(mpno_value_set_bool(ctx, one, "prescale", s->prescale));
        MPNO_TRY(mpno_value_set_real(ctx, one, "points", s->points));
        MPNO_TRY(mpno_value_set_real(ctx, one, "mean", s->mean));
        MPNO_TRY(mpno_value_set_real(ctx, one, "limit", s->limit));
        MPNO_TRY(mpno_value_set_real(ctx, one, "limit_rounded", s->rounded));
    }
    return MPNO_OK;
}

static double least_headroom(const mpno_static *c) {
    double least = INFINITY;
    for (int i = 0; i < c->n_lines; i++) least = fmin(least, c->lines[i].headroom);
    return least;
}

static mpno_status fill(const mpno_static *c, mpno_value *map) {
    mpno_ctx *ctx = c->ctx;
    mpno_value *inner;
    MPNO_TRY(mpno_value_set_string(ctx, map, "verdict", c->closes ? "VERIFIED" : "UNKNOWN"));
    MPNO_TRY(mpno_value_set_string(ctx, map, "claim",
                                   "no stored tensor of the forward pass overflows for any input "
                                   "whose numbers, as the network "
                                   "gets them, are at most `range` in magnitude"));
    MPNO_TRY(mpno_value_set_real(ctx, map, "range", c->opts.range));
    MPNO_TRY(mpno_value_set_int(ctx, map, "tensors", c->n_lines));
    MPNO_TRY(mpno_value_set_real(ctx, map, "least_headroom", least_headroom(c)));
    MPNO_TRY(sums_value(c, map));
    if (c->first < 0) return mpno_value_set_text(ctx, map, "fails", NULL);
    MPNO_TRY(mpno_value_set_map(ctx, map, "fails", &inner));
    MPNO_TRY(line_value(c, &c->lines[c->first], inner));
    MPNO_TRY(mpno_value_set_map(ctx, map, "remedies", &inner));
    MPNO_TRY(mpno_value_set_bool(ctx, inner, "stabilizer_tanh", c->tanh));
    MPNO_TRY(mpno_value_set_bool(ctx, inner, "format_bf16", c->wide));
    return mpno_value_set_real(ctx, inner, "range", c->half_range);
}

mpno_status mpno_static_value(const mpno_static *c, mpno_value **out) {
    MPNO_TRY(mpno_value_map(c->ctx, out));
    const mpno_status status = fill(c, *out);
    if (status != MPNO_OK) mpno_value_destroy(c->ctx, out);
    return status;
}

const char *mpno_static_text(const mpno_static *c, char *text, size_t n) {
    const mpno_static_line *l = c->first >= 0 ? &c->lines[c->first] : NULL;
    if (l == NULL) {
        snprintf(text, n,
                 "for |a| <= %g no stored tensor overflows: all %d stay below 1/%.3g of "
                 "their format's range",
                 c->opts.range, c->n_lines, least_headroom(c));
        return text;
    }
    char scale[64] = "", range[48] = "";
    if (l->prescale > 0) snprintf(scale, sizeof scale, ", 2^-%d of it would fit", l->prescale);
    if (c->half_range > 0) snprintf(range, sizeof range, "; |a| <= %g closes", c->half_range);
    snprintf(text, n,
             "for |a| <= %g it is not proved that %s: %s stays in the range of %s (bound "
             "%.3g, largest number %.3g%s)%s%s%s",
             c->opts.range, l->layer, l->name, mpno_format_get(l->format)->name, l->bound, l->most,
             scale, c->tanh ? "; with model.stabilizer tanh all tensors close" : "",
             c->wide ? "; with format bf16 all tensors close" : "", range);
    return text;
}
