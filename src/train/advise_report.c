/* SPDX-License-Identifier: MIT
 * What follows from the trials of mpno_advise: a table, a recommendation with its reason, and what
 * speaks against each of the others. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/human.h"
#include "train/advise.h"
#include "train/sink.h"

/* A policy is borne when the error grows by no more than 2 %, or, without a truth, when predictions
 * move by no more than 1 %; and the largest value may still become 4 times as large: other samples
 * have other largest values. */
static const double MOST_GROWTH = 0.02, MOST_DIFFERENCE = 0.01, LEAST_HEADROOM = 4;
/* Memory that differs by less is the same. */
static const double SAME_BYTES = 0.02;

static double growth_of(const mpno_advice *a, const mpno_trial *t) {
    return a->has_truth ? t->error / a->trials[0].error - 1 : NAN;
}

static const char *half_name(const mpno_trial *t) {
    return strcmp(t->policy, "full") == 0 ? "" : mpno_format_get(t->half)->name;
}

/* Why a trial was left out: "" when it was not. */
static void objection(const mpno_advice *a, const mpno_trial *t, char *out, size_t capacity) {
    const mpno_tensor_record *r = t->tightest;
    const double growth = growth_of(a, t);
    out[0] = '\0';
    if (t->broken[0] != '\0')
        snprintf(out, capacity, "overflow: %s is not finite", t->broken);
    else if (a->has_truth && !(growth <= MOST_GROWTH))
        snprintf(out, capacity, "the error grows by %.3g %%", 100 * growth);
    else if (!a->has_truth && !(t->difference <= MOST_DIFFERENCE))
        snprintf(out, capacity, "predictions move by %.3g %%", 100 * t->difference);
    else if (r != NULL && t->headroom < LEAST_HEADROOM)
        snprintf(out, capacity, "%s, %s reaches %.3g of %.6g: a factor of %.2f is left", r->layer,
                 r->name, mpno_format_max(r->format) / t->headroom, mpno_format_max(r->format),
                 t->headroom);
}

static bool better(const mpno_trial *a, const mpno_trial *b) {
    const double bytes = (double)a->activation_bytes / (double)b->activation_bytes;
    if (bytes < 1 - SAME_BYTES) return true;
    return bytes <= 1 + SAME_BYTES && a->difference < b->difference;
}

static void tell_error(const mpno_advice *a, const mpno_trial *t, char *out, size_t capacity) {
    if (a->has_truth)
        snprintf(out, capacity, "the error is %.4g instead of %.4g (%+.2g %%)", t->error,
                 a->trials[0].error, 100 * growth_of(a, t));
    else
        snprintf(out, capacity, "predictions move by %.2g %%", 100 * t->difference);
}

/* Index of the trial that is recommended, and why, in a sentence. */
static int choose(const mpno_advice *a, char *why, size_t capacity) {
    char against[256], error[160], bytes[MPNO_HUMAN_CAPACITY], full[MPNO_HUMAN_CAPACITY];
    int chosen = 0;
    for (int i = 1; i < a->n_trials; i++) {
        objection(a, &a->trials[i], against, sizeof against);
        const double share =
            (double)a->trials[i].activation_bytes / (double)a->trials[0].activation_bytes;
        const bool saves = chosen > 0 || share < 1 - SAME_BYTES;
        if (against[0] == '\0' && saves &&
            (chosen == 0 || better(&a->trials[i], &a->trials[chosen])))
            chosen = i;
    }
    const mpno_trial *t = &a->trials[chosen];
    if (chosen == 0) {
        objection(a, &a->trials[a->n_trials - 1], against, sizeof against);
        snprintf(why, capacity, "no other policy saves memory and is as good%s%s",
                 against[0] ? "; the last one: " : "", against);
        return 0;
    }
    tell_error(a, t, error, sizeof error);
    snprintf(
        why, capacity,
        "%s, activations take %s instead of %s (%.0f %%), and the largest value may become %.3g "
        "times as large before it leaves %s",
        error, mpno_human_bytes(t->activation_bytes, bytes),
        mpno_human_bytes(a->trials[0].activation_bytes, full),
        100 * (double)t->activation_bytes / (double)a->trials[0].activation_bytes, t->headroom,
        mpno_format_get(t->tightest->format)->name);
    return chosen;
}

/* -------- text -------- */

static mpno_status cell_number(mpno_table *table, const char *format, double value) {
    if (!isfinite(value)) return mpno_table_cell(table, "-");
    char text[48];
    snprintf(text, sizeof text, format, value); /* one of those below */
    return mpno_table_cell(table, "%s", text);
}

static mpno_status row(const mpno_advice *a, const mpno_trial *t, mpno_table *table) {
    const mpno_trial *full = &a->trials[0];
    char text[MPNO_HUMAN_CAPACITY];
    MPNO_TRY(mpno_table_cell(table, "%s", t->policy));
    MPNO_TRY(mpno_table_cell(table, "%s", half_name(t)));
    MPNO_TRY(cell_number(table, "%.2e", t == full ? NAN : t->difference));
    if (a->has_truth) {
        MPNO_TRY(cell_number(table, "%.5f", t->error));
        MPNO_TRY(cell_number(table, "%+.2f %%", t == full ? NAN : 100 * growth_of(a, t)));
    }
    MPNO_TRY(cell_number(table, "%.3g", t->headroom));
    MPNO_TRY(cell_number(table, "%.2g %%",
                         t->compared > 0 ? 100 * (double)t->lost / (double)t->compared : NAN));
    if (a->has_truth) {
        MPNO_TRY(cell_number(table, "%.0f dB", t->gradient_decibel));
        MPNO_TRY(
            cell_number(table, "%.2g %%", t->gradient.n > 0 ? 100 * t->gradient.all.error : NAN));
    }
    MPNO_TRY(mpno_table_cell(table, "%s", mpno_human_bytes(t->activation_bytes, text)));
    MPNO_TRY(mpno_table_cell(table, "%s", mpno_human_bytes(t->training.activations, text)));
    MPNO_TRY(isfinite(t->seconds)
                 ? mpno_table_cell(table, "%s", mpno_human_seconds(t->seconds, text))
                 : mpno_table_cell(table, "-"));
    return mpno_table_cell(table, "%s", mpno_human_seconds(t->step_seconds, text));
}

static mpno_status fill_table(const mpno_advice *a, mpno_table *table) {
    static const struct {
        const char *name;
        bool truth; /* only where there is one */
    } columns[] = {{"policy", false},     {"half", false},     {"moves by", false},
                   {"error L2", true},    {"of full", true},   {"head-room", false},
                   {"to zero", false},    {"gradients", true}, {"off by", true},
                   {"prediction", false}, {"training", false}, {"time", false},
                   {"step, about", false}};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        if (!columns[i].truth || a->has_truth)
            MPNO_TRY(mpno_table_column(table, columns[i].name, i < 2 ? MPNO_LEFT : MPNO_RIGHT));
    for (int i = 0; i < a->n_trials; i++) MPNO_TRY(row(a, &a->trials[i], table));
    return MPNO_OK;
}

static mpno_status say_trials(const mpno_advice *a, const mpno_sink *sink) {
    mpno_table *table = NULL;
    MPNO_TRY(mpno_table_create(a->ctx, &table));
    mpno_status status = fill_table(a, table);
    if (status == MPNO_OK) status = mpno_say_table(a->ctx, sink, table);
    mpno_table_destroy(&table);
    return status;
}

/* What one record shows of a trial on all its tensors: the rounding floor is said once. */
static bool worst_floor(const mpno_trial *t, mpno_diagnosis *d) {
    const mpno_tensor_record *worst = NULL;
    for (int i = 0; i < t->records.n; i++) {
        const mpno_tensor_record *r = &t->records.v[i];
        if (!mpno_diagnose_floor(r, d)) continue;
        if (worst == NULL || mpno_record_floor(r) < mpno_record_floor(worst)) worst = r;
    }
    return worst != NULL && mpno_diagnose_floor(worst, d);
}

static void say_objections(const mpno_advice *a, const mpno_sink *sink) {
    char against[256];
    mpno_diagnosis d;
    for (int i = 1; i < a->n_trials; i++) {
        const mpno_trial *t = &a->trials[i];
        objection(a, t, against, sizeof against);
        if (against[0] != '\0') mpno_say(sink, "%s %s: %s\n", t->policy, half_name(t), against);
        if (t->broken[0] == '\0' && worst_floor(t, &d))
            mpno_say(sink, "%s %s: %s: %s\n", t->policy, half_name(t), mpno_diagnosis_name(d.kind),
                     d.text);
        if (mpno_diagnose_half(&t->training, t->policy, &d))
            mpno_say(sink, "%s %s: %s: %s\n", t->policy, half_name(t), mpno_diagnosis_name(d.kind),
                     d.text);
    }
}

/* Of each layer, relative error and angle. */
static void say_gradient(const mpno_trial *t, const mpno_sink *sink) {
    if (t->gradient.n == 0) return;
    mpno_say(sink, "gradients of %s %s against full:", t->policy, half_name(t));
    for (int i = 0; i < t->gradient.n; i++) {
        const mpno_gradient_line *l = &t->gradient.lines[i];
        mpno_say(sink, "%s %s %.2g %% (%.2g degrees)", i > 0 ? "," : "", l->layer, 100 * l->error,
                 mpno_gradient_angle(l));
    }
    mpno_say(sink, "\n");
}

/* -------- JSON -------- */

static mpno_status put_line(mpno_ctx *ctx, const mpno_gradient_line *l, mpno_value *map) {
    MPNO_TRY(mpno_value_set_real(ctx, map, "error", l->error));
    MPNO_TRY(mpno_value_set_real(ctx, map, "cosine", l->cosine));
    return mpno_value_set_real(ctx, map, "angle_degrees", mpno_gradient_angle(l));
}

static mpno_status put_gradient(mpno_ctx *ctx, const mpno_gradient_error *g, mpno_value *map) {
    mpno_value *list = NULL, *inner = NULL, *one = NULL;
    if (g->n == 0) return MPNO_OK;
    MPNO_TRY(mpno_value_set_map(ctx, map, "gradient", &inner));
    MPNO_TRY(put_line(ctx, &g->all, inner));
    MPNO_TRY(mpno_value_set_list(ctx, inner, "layers", &list));
    for (int i = 0; i < g->n; i++) {
        MPNO_TRY(mpno_value_map(ctx, &one));
        MPNO_TRY(mpno_value_append(ctx, list, one));
        MPNO_TRY(mpno_value_set_string(ctx, one, "layer", g->lines[i].layer));
        MPNO_TRY(put_line(ctx, &g->lines[i], one));
    }
    return MPNO_OK;
}

static mpno_status put_diagnosis(mpno_ctx *ctx, const mpno_diagnosis *d, mpno_value *list) {
    mpno_value *map = NULL;
    MPNO_TRY(mpno_value_map(ctx, &map));
    MPNO_TRY(mpno_value_append(ctx, list, map));
    MPNO_TRY(mpno_value_set_string(ctx, map, "diagnosis", mpno_diagnosis_name(d->kind)));
    return mpno_value_set_string(ctx, map, "text", d->text);
}

static mpno_status put_lists(const mpno_advice *a, const mpno_trial *t, mpno_value *map) {
    mpno_value *diagnoses = NULL, *tensors = NULL;
    mpno_diagnosis d;
    MPNO_TRY(mpno_value_set_list(a->ctx, map, "diagnoses", &diagnoses));
    if (t->broken[0] == '\0' && worst_floor(t, &d)) MPNO_TRY(put_diagnosis(a->ctx, &d, diagnoses));
    if (mpno_diagnose_half(&t->training, t->policy, &d))
        MPNO_TRY(put_diagnosis(a->ctx, &d, diagnoses));
    MPNO_TRY(mpno_value_set_list(a->ctx, map, "tensors", &tensors));
    for (int i = 0; i < t->records.n; i++)
        MPNO_TRY(mpno_record_put(a->ctx, &t->records.v[i], tensors));
    return MPNO_OK;
}

static mpno_status put_trial(const mpno_advice *a, const mpno_trial *t, mpno_value *map) {
    mpno_ctx *ctx = a->ctx;
    char against[256];
    objection(a, t, against, sizeof against);
    MPNO_TRY(mpno_value_set_string(ctx, map, "policy", t->policy));
    MPNO_TRY(mpno_value_set_string(ctx, map, "format", half_name(t)));
    MPNO_TRY(mpno_value_set_bool(ctx, map, "finite", t->broken[0] == '\0'));
    MPNO_TRY(mpno_value_set_string(ctx, map, "objection", against));
    MPNO_TRY(mpno_value_set_real(ctx, map, "difference", t->difference));
    if (a->has_truth) {
        MPNO_TRY(mpno_value_set_real(ctx, map, "error", t->error));
        MPNO_TRY(mpno_value_set_real(ctx, map, "error_growth", growth_of(a, t)));
        MPNO_TRY(mpno_value_set_bool(ctx, map, "gradients_finite", t->gradients_finite));
        MPNO_TRY(mpno_value_set_real(ctx, map, "gradients_sqnr_db", t->gradient_decibel));
        MPNO_TRY(put_gradient(ctx, &t->gradient, map));
    }
    MPNO_TRY(mpno_value_set_real(ctx, map, "headroom", t->headroom));
    MPNO_TRY(mpno_value_set_int(ctx, map, "lost_to_zero", t->lost));
    MPNO_TRY(mpno_value_set_int(ctx, map, "compared", t->compared));
    MPNO_TRY(mpno_value_set_int(ctx, map, "activation_bytes", (int64_t)t->activation_bytes));
    MPNO_TRY(mpno_value_set_int(ctx, map, "training_activation_bytes",
                                (int64_t)t->training.activations));
    MPNO_TRY(mpno_value_set_real(ctx, map, "seconds", t->seconds));
    MPNO_TRY(mpno_value_set_real(ctx, map, "step_seconds_estimate", t->step_seconds));
    return put_lists(a, t, map);
}

static mpno_status fill_json(const mpno_advice *a, int chosen, const char *why, mpno_value *map) {
    mpno_value *list = NULL, *advice = NULL;
    MPNO_TRY(mpno_restored_report(a->ctx, a->restored, map));
    MPNO_TRY(mpno_value_set_string(a->ctx, map, "data", a->file));
    MPNO_TRY(mpno_value_set_int(a->ctx, map, "samples", a->batch));
    MPNO_TRY(mpno_value_set_map(a->ctx, map, "recommendation", &advice));
    MPNO_TRY(mpno_value_set_string(a->ctx, advice, "policy", a->trials[chosen].policy));
    MPNO_TRY(mpno_value_set_string(a->ctx, advice, "format", half_name(&a->trials[chosen])));
    MPNO_TRY(mpno_value_set_string(a->ctx, advice, "reason", why));
    MPNO_TRY(mpno_value_set_list(a->ctx, map, "policies", &list));
    for (int i = 0; i < a->n_trials; i++) {
        mpno_value *trial = NULL;
        MPNO_TRY(mpno_value_map(a->ctx, &trial));
        MPNO_TRY(mpno_value_append(a->ctx, list, trial));
        MPNO_TRY(put_trial(a, &a->trials[i], trial));
    }
    return MPNO_OK;
}

mpno_status mpno_advice_report(const mpno_advice *a, const mpno_sink *sink, char **json) {
    char why[640];
    mpno_value *map = NULL;
    const int chosen = choose(a, why, sizeof why);
    const mpno_trial *t = &a->trials[chosen];
    mpno_say(sink, "%s on %lld samples of %s\n", a->restored->checkpoint->path, (long long)a->batch,
             a->file);
    MPNO_TRY(say_trials(a, sink));
    say_objections(a, sink);
    mpno_say(sink, "recommended: precision.policy=%s%s%s: %s\n", t->policy,
             chosen ? " precision.format=" : "", half_name(t), why);
    say_gradient(t, sink);
    MPNO_TRY(mpno_value_map(a->ctx, &map));
    mpno_status status = fill_json(a, chosen, why, map);
    if (status == MPNO_OK && json) status = mpno_json_text(a->ctx, map, false, json);
    mpno_value_destroy(a->ctx, &map);
    return status;
}
