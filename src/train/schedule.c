/* SPDX-License-Identifier: MIT
 * Precision schedules: see schedule.h. */
#include "train/schedule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/policy.h"

static mpno_status find_policy(mpno_ctx *ctx, const char *name, mpno_phase *phase) {
    for (int i = 0; i < mpno_policy_count(); i++) {
        if (strcmp(mpno_policy_name(i), name) != 0) continue;
        mpno_policy policy;
        MPNO_TRY(mpno_policy_make(ctx, name, MPNO_F32, MPNO_F16, &policy));
        phase->policy = mpno_policy_name(i);
        phase->tanh = policy.tanh;
        return MPNO_OK;
    }
    char names[256];
    size_t length = 0;
    for (int i = 0; i < mpno_policy_count(); i++) {
        int more = snprintf(names + length, sizeof names - length, "%s%s", i ? ", " : "",
                            mpno_policy_name(i));
        if (more < 0 || (size_t)more >= sizeof names - length) break;
        length += (size_t)more;
    }
    return mpno_fail(ctx, MPNO_E_CONFIG, "precision.phases: no policy '%s', expected one of %s",
                     name, names);
}

/* One "NAME:FRACTION" (or "NAME" alone, fraction 1) of `length` bytes. */
static mpno_status parse_phase(mpno_ctx *ctx, const char *text, size_t length, mpno_phase *phase,
                               double *fraction) {
    char item[64];
    MPNO_CHECK(ctx, length < sizeof item, MPNO_E_CONFIG,
               "precision.phases: '%.20s...' is too long for POLICY:FRACTION", text);
    memcpy(item, text, length);
    item[length] = '\0';
    *fraction = 1;
    char *colon = strchr(item, ':');
    if (colon) {
        char *end = NULL;
        *fraction = strtod(colon + 1, &end);
        while (*end == ' ') end++;
        MPNO_CHECK(ctx, end != colon + 1 && *end == '\0', MPNO_E_CONFIG,
                   "precision.phases: '%s' is no fraction, expected POLICY:FRACTION such as "
                   "mixed:0.25",
                   colon + 1);
        *colon = '\0';
    }
    const char *name = item + strspn(item, " ");
    size_t used = strlen(name);
    while (used > 0 && name[used - 1] == ' ') used--;
    item[(size_t)(name - item) + used] = '\0';
    MPNO_CHECK(ctx, *fraction > 0 && *fraction <= 1, MPNO_E_CONFIG,
               "precision.phases: the fraction of %s is %g, expected one in (0, 1]", name,
               *fraction);
    return find_policy(ctx, name, phase);
}

mpno_status mpno_schedule_parse(mpno_ctx *ctx, const char *text, int64_t n_epochs,
                                mpno_schedule *out) {
    mpno_schedule schedule = {0};
    double sum = 0;
    int64_t first = 0;
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, ",");
        mpno_phase phase = {0};
        double fraction = 0;
        MPNO_TRY(parse_phase(ctx, at, length, &phase, &fraction));
        sum += fraction;
        phase.first = first;
        phase.end = llround(sum * (double)n_epochs);
        if (phase.end > n_epochs) phase.end = n_epochs;
        if (phase.end > phase.first) {
            MPNO_CHECK(ctx, schedule.n < MPNO_MAX_PHASES, MPNO_E_CONFIG,
                       "precision.phases: more than %d phases", MPNO_MAX_PHASES);
            schedule.phase[schedule.n++] = phase;
        }
        first = phase.end;
        at += length;
        if (*at == ',') at++;
    }
    MPNO_CHECK(ctx, fabs(sum - 1) < 1e-6, MPNO_E_CONFIG,
               "precision.phases: the fractions sum to %g, expected 1", sum);
    *out = schedule;
    return MPNO_OK;
}

int mpno_schedule_at(const mpno_schedule *schedule, int64_t epoch) {
    for (int i = 0; i < schedule->n; i++) {
        if (epoch < schedule->phase[i].end) return i;
    }
    return schedule->n - 1;
}
