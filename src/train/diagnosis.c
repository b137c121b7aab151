/* SPDX-License-Identifier: MIT
 * Judgements over stored tensors, see diagnosis.h. Thresholds: a warning should come some epochs
 * before the end and stay away from healthy runs; what healthy runs show stands beside each. */
#include "train/diagnosis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "model/tally.h"
#include "number/format.h"

/* Overflow within so many epochs at the growth of the last ones is worth a word; growth below 2 %
 * an epoch is none. Without any growth: less than a factor of 2 left. */
enum { EPOCHS_AHEAD = 5, GROWTH_EPOCHS = 4 };
static const double LEAST_GROWTH = 1.02, LEAST_HEADROOM = 2;
/* Underflow: so much became zero and the rest carries less than 10 dB. darcy16 under mixed loses
 * 0.1 % of a tensor at most, at 49 dB and more. */
static const double LOST_SHARE = 0.01, LOST_DECIBEL = 10;
/* A policy that stores less than 90 % of its bytes in 16 bits and so takes more than 60 % of what
 * `full` takes. mixed stores 95 % and more narrow, from 4 hidden channels on; where it takes more
 * than 60 % all the same these are the buffers of threads, which small problems have too. */
static const double NARROW_SHARE = 0.90, HALF_SHARE = 0.60;

const char *mpno_diagnosis_name(mpno_diagnosis_kind kind) {
    static const char *const names[MPNO_DIAGNOSIS_COUNT] = {
        [MPNO_DIAGNOSIS_NONE] = "none",
        [MPNO_DIAGNOSIS_OVERFLOW_AHEAD] = "overflow ahead",
        [MPNO_DIAGNOSIS_UNDERFLOW] = "underflow",
        [MPNO_DIAGNOSIS_ROUNDING_FLOOR] = "rounding floor",
        [MPNO_DIAGNOSIS_NOT_HALF] = "not actually half"};
    return names[kind];
}

void mpno_record_clear(mpno_ctx *ctx, mpno_tensor_record *record) {
    mpno_free(ctx, record->shells);
    *record = (mpno_tensor_record){0};
}

void mpno_record_end_epoch(mpno_tensor_record *r, int64_t epoch) {
    const double largest = mpno_census_largest(&r->census, r->format);
    if (r->census.values == 0) return;
    if (r->n_epochs == MPNO_RECORD_HISTORY) {
        r->n_epochs--;
        memmove(r->largest, r->largest + 1, (size_t)r->n_epochs * sizeof *r->largest);
        memmove(r->epoch, r->epoch + 1, (size_t)r->n_epochs * sizeof *r->epoch);
    }
    r->largest[r->n_epochs] = largest;
    r->epoch[r->n_epochs++] = epoch;
    r->census = (mpno_census){0};
}

mpno_status mpno_record_compare(mpno_ctx *ctx, mpno_tensor_record *r,
                                const mpno_shadow_line *line) {
    if (line->n_shells != r->n_shells) {
        mpno_free(ctx, r->shells);
        r->n_shells = 0;
        MPNO_TRY(mpno_alloc_array(ctx, (size_t)line->n_shells, sizeof *r->shells, &r->shells));
        r->n_shells = line->n_shells;
    }
    r->compared = line->values;
    r->lost = line->lost;
    r->decibel = mpno_shadow_decibel(line->signal, line->noise);
    for (int s = 0; s < line->n_shells; s++) {
        const mpno_shadow_shell *shell = &line->shells[s];
        r->shells[s] = shell->signal + shell->noise > 0
                           ? mpno_shadow_decibel(shell->signal, shell->noise)
                           : NAN;
    }
    return MPNO_OK;
}

static double last_largest(const mpno_tensor_record *r) {
    if (r->census.values > 0) return mpno_census_largest(&r->census, r->format);
    return r->n_epochs > 0 ? r->largest[r->n_epochs - 1] : 0;
}

double mpno_record_headroom(const mpno_tensor_record *r) {
    return mpno_format_max(r->format) / last_largest(r);
}

int mpno_record_floor(const mpno_tensor_record *r) {
    int first = r->n_shells;
    while (first > 0 && !(r->shells[first - 1] > 0)) first--;
    return first;
}

/* Factor an epoch, mean over the last ones; 1 when there is nothing to compare. */
static double growth_of(const mpno_tensor_record *r) {
    const int last = r->n_epochs - 1, first = last > GROWTH_EPOCHS ? last - GROWTH_EPOCHS : 0;
    if (last <= first || r->largest[first] <= 0 || r->largest[last] <= 0) return 1;
    const double epochs = (double)(r->epoch[last] - r->epoch[first]);
    return epochs > 0 ? pow(r->largest[last] / r->largest[first], 1 / epochs) : 1;
}

bool mpno_diagnose_overflow(const mpno_tensor_record *r, bool scaled, mpno_diagnosis *out) {
    const double room = mpno_record_headroom(r), growth = growth_of(r);
    const double ahead = growth > LEAST_GROWTH ? log(room) / log(growth) : INFINITY;
    const mpno_format_facts *format = mpno_format_get(r->format);
    if ((scaled && r->gradient) || r->n_epochs == 0) return false;
    if (ahead > EPOCHS_AHEAD && room >= LEAST_HEADROOM) return false;
    out->kind = MPNO_DIAGNOSIS_OVERFLOW_AHEAD;
    const int n =
        snprintf(out->text, sizeof out->text, "%s, %s: largest value %.3g of %.6g (%s)", r->layer,
                 r->name, last_largest(r), mpno_format_max(r->format), format->name);
    char *rest = out->text + n;
    const size_t left = sizeof out->text - (size_t)n;
    if (isfinite(ahead))
        snprintf(rest, left, ", %.2f times as large each epoch: overflow in about %.0f epoch%s; %s",
                 growth, fmax(1, ceil(ahead)), ahead <= 1 ? "" : "s", r->remedy);
    else
        snprintf(rest, left, ", a factor of %.2f is left; %s", room, r->remedy);
    return true;
}

bool mpno_diagnose_underflow(const mpno_tensor_record *r, mpno_diagnosis *out) {
    const double share = r->compared > 0 ? (double)r->lost / (double)r->compared : 0;
    if (share < LOST_SHARE || !(r->decibel < LOST_DECIBEL)) return false;
    out->kind = MPNO_DIAGNOSIS_UNDERFLOW;
    snprintf(out->text, sizeof out->text,
             "%s, %s: %.0f %% of its values are zero in %s and not in f32, and what is left stands "
             "%.0f dB above its rounding noise; %s",
             r->layer, r->name, 100 * share, mpno_format_get(r->format)->name, r->decibel,
             r->gradient ? "try a larger precision.loss_scale, or format bf16 (it has the range of "
                           "f32)"
                         : "try format bf16 (it has the range of f32), or data scaled to order 1");
    return true;
}

bool mpno_diagnose_floor(const mpno_tensor_record *r, mpno_diagnosis *out) {
    const int floor = mpno_record_floor(r);
    const mpno_format_facts *format = mpno_format_get(r->format);
    if (r->n_shells == 0 || floor >= r->n_shells || r->gradient) return false;
    out->kind = MPNO_DIAGNOSIS_ROUNDING_FLOOR;
    if (floor == 0)
        snprintf(
            out->text, sizeof out->text,
            "%s, %s (%s): rounding noise is as large as the signal in every shell: the network "
            "has made rounding errors grow; try a smaller learning rate, or policy full",
            r->layer, r->name, format->name);
    else
        snprintf(out->text, sizeof out->text,
                 "%s, %s (%s): from wave number %d on the %d outermost of %d shells lie below the "
                 "rounding noise: these modes carry nothing; try fewer model.n_modes, %spolicy amp "
                 "or full (their spectra are full)",
                 r->layer, r->name, format->name, floor, r->n_shells - floor, r->n_shells,
                 r->format == MPNO_BF16 ? "format f16 (its rounding is 8 times finer), " : "or ");
    return true;
}

bool mpno_diagnose_half(const mpno_half_bytes *b, const char *policy, mpno_diagnosis *out) {
    const double share = (double)b->activations / (double)b->under_full;
    const double narrow = (double)b->narrow / (double)b->stored;
    if (b->narrow == 0 || narrow >= NARROW_SHARE || share <= HALF_SHARE) return false;
    out->kind = MPNO_DIAGNOSIS_NOT_HALF;
    snprintf(out->text, sizeof out->text,
             "policy %s stores %.0f %% of the bytes of its tensors in 16 bits, and activations "
             "take %.0f %% of those under full, not about half; try policy mixed (all that is "
             "wide in it are inputs, outputs and sums), or more model.hidden_channels",
             policy, 100 * narrow, 100 * share);
    return true;
}

mpno_status mpno_record_put(mpno_ctx *ctx, const mpno_tensor_record *r, mpno_value *list) {
    mpno_value *map = NULL, *shells = NULL;
    MPNO_TRY(mpno_value_map(ctx, &map));
    MPNO_TRY(mpno_value_append(ctx, list, map)); /* from here on owned by the list */
    MPNO_TRY(mpno_value_set_string(ctx, map, "layer", r->layer));
    MPNO_TRY(mpno_value_set_string(ctx, map, "tensor", r->name));
    MPNO_TRY(mpno_value_set_string(ctx, map, "role", mpno_role_text(r->role, r->gradient)));
    MPNO_TRY(mpno_value_set_string(ctx, map, "format", mpno_format_get(r->format)->name));
    MPNO_TRY(mpno_value_set_int(ctx, map, "values", r->census.values));
    MPNO_TRY(mpno_value_set_int(ctx, map, "zero", r->census.zeros));
    MPNO_TRY(mpno_value_set_int(ctx, map, "subnormal", r->census.subnormals));
    MPNO_TRY(mpno_value_set_int(ctx, map, "saturated", r->census.saturated));
    MPNO_TRY(mpno_value_set_int(ctx, map, "not_finite", r->census.not_finite));
    MPNO_TRY(mpno_value_set_real(ctx, map, "largest", last_largest(r)));
    MPNO_TRY(mpno_value_set_real(ctx, map, "headroom", mpno_record_headroom(r)));
    if (r->compared == 0) return MPNO_OK;
    MPNO_TRY(mpno_value_set_int(ctx, map, "compared", r->compared));
    MPNO_TRY(mpno_value_set_int(ctx, map, "lost_to_zero", r->lost));
    MPNO_TRY(mpno_value_set_real(ctx, map, "sqnr_db", r->decibel));
    if (r->n_shells == 0) return MPNO_OK;
    MPNO_TRY(mpno_value_set_list(ctx, map, "shells_db", &shells));
    for (int s = 0; s < r->n_shells; s++)
        MPNO_TRY(mpno_value_append_real(ctx, shells, r->shells[s]));
    return MPNO_OK;
}
