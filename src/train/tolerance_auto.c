/* SPDX-License-Identifier: MIT
 * precision.policy = auto in the use of a trained model: a plan of precision for the data at hand,
 * with a tenth of the validation error as its tolerance, stands in the settings from then on as if
 * its policy file had been given. See tolerance.h. */
#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "train/sink.h"
#include "train/tolerance.h"

/* The plan's keys into the settings, which have the last word on everything. */
static mpno_status take_plan(const mpno_tolerance_job *j, mpno_restored *r) {
    mpno_settings *s = &r->checkpoint->settings;
    mpno_value *policy = NULL;
    MPNO_TRY(mpno_tolerance_policy(j, &policy));
    mpno_free(j->ctx, s->precision.phases);
    s->precision.phases = NULL;
    const mpno_status status = mpno_settings_parse(j->ctx, "the plan", policy, s);
    mpno_value_destroy(j->ctx, &policy);
    MPNO_TRY(status);
    r->policy = j->plan.policy;
    r->half = mpno_settings_half(s);
    MPNO_TRY(mpno_value_map(j->ctx, &r->planned));
    return mpno_tolerance_put_plan(j, r->planned);
}

static void say(const mpno_tolerance_job *j, const mpno_sink *sink) {
    mpno_say(
        sink,
        "precision.policy auto: answers within %.3g of the exact ones (%s), planned on %s, proved "
        "of %lld samples to be at most %.3e: %s%s%s\n",
        j->tolerance, j->tolerance_from, j->file, (long long)j->held_out, j->plan.worst,
        j->plan.policy, j->plan.storage ? ", " : "", j->plan.storage ? j->plan.storage : "");
}

static mpno_status make(mpno_tolerance_job *j, mpno_restored *r, const mpno_sink *sink) {
    MPNO_TRY(mpno_tolerance_can_prove(j->ctx));
    MPNO_TRY(mpno_tolerance_make(j));
    MPNO_TRY(take_plan(j, r));
    say(j, sink);
    return MPNO_OK;
}

static mpno_status plan(mpno_ctx *ctx, const char *data, const mpno_sink *sink, mpno_restored *r) {
    mpno_tolerance_opts opts = MPNO_TOLERANCE_OPTS_INIT;
    mpno_tolerance_job *j;
    const char *tests = mpno_restored_data(r, NULL);
    MPNO_CHECK(ctx, tests != NULL || data != NULL, MPNO_E_CONFIG,
               "precision.policy = auto plans on test data, and the configuration names none: give "
               "data.test=FILE, or another policy");
    opts.tolerance = NAN;
    opts.data = tests != NULL ? tests : data;
    MPNO_TRY(mpno_alloc(ctx, sizeof *j, &j));
    j->ctx = ctx;
    j->restored = r;
    j->opts = &opts;
    j->sink = sink;
    j->brief = true;
    const mpno_status status = make(j, r, sink);
    mpno_tolerance_clear(j);
    mpno_free(ctx, j);
    return status == MPNO_OK ? MPNO_OK : mpno_fail_in(ctx, status, "precision.policy = auto");
}

mpno_status mpno_restore_planned(mpno_ctx *ctx, const char *path, const mpno_config *overrides,
                                 const char *data, const mpno_sink *sink, mpno_restored *out) {
    MPNO_TRY(mpno_restore(ctx, path, overrides, out));
    if (out->checkpoint->settings.precision.policy != MPNO_POLICY_AUTO) return MPNO_OK;
    const mpno_status status = plan(ctx, data, sink, out);
    if (status != MPNO_OK) mpno_restored_clear(ctx, out);
    return status;
}
