/* SPDX-License-Identifier: MIT
 * Precision schedules: see schedule.h. */
#include "train/schedule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/policy.h"
#include "mpno/model.h"

static mpno_status find_policy(mpno_ctx *ctx, const char *name, mpno_phase *phase) {
    for (int i = 0; i < mpno_policy_count(); i++) {
        if (strcmp(mpno_policy_name(i), name) != 0) continue;
        mpno_policy policy;
        MPNO_TRY(mpno_policy_make(ctx, name, MPNO_F32, MPNO_F16, &policy));
        phase->policy = mpno_policy_name(i);
        phase->usual = policy.tanh ? MPNO_STABILIZER_TANH : MPNO_STABILIZER_NONE;
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

static mpno_status find_stabilizer(mpno_ctx *ctx, const char *name, mpno_phase *phase) {
    for (int i = 0; i < MPNO_STABILIZER_COUNT; i++) {
        if (strcmp(mpno_stabilizer_get((mpno_stabilizer)i)->name, name) != 0) continue;
        MPNO_CHECK(ctx, i != MPNO_STABILIZER_LEARNED_TANH, MPNO_E_CONFIG,
                   "precision.phases: learned_tanh has weights, which a phase cannot bring along: "
                   "give model.stabilizer = learned_tanh");
        phase->stabilizer = i;
        return MPNO_OK;
    }
    return mpno_fail(ctx, MPNO_E_CONFIG,
                     "precision.phases: no stabiliser '%s'; docs/reference/policies.md lists them",
                     name);
}

/* How long a phase is. */
typedef struct span {
    bool given;
    double fraction;
    int64_t epochs, steps;
} span;

/* "0.25", "10ep" or "500st" */
static mpno_status parse_length(mpno_ctx *ctx, const char *text, const char *policy, span *out) {
    char *end = NULL;
    const double number = strtod(text, &end);
    const bool some = end != text, whole = number >= 1 && number == floor(number) && number < 1e15;
    while (*end == ' ') end++;
    const char *unit = end;
    const bool epochs = strncmp(unit, "ep", 2) == 0, steps = strncmp(unit, "st", 2) == 0;
    end += epochs || steps ? 2 : 0;
    while (*end == ' ') end++;
    MPNO_CHECK(ctx, some && *end == '\0', MPNO_E_CONFIG,
               "precision.phases: '%s' is no length, expected POLICY:LENGTH such as mixed:0.25 (of "
               "all epochs), mixed:10ep (epochs) or mixed:500st (steps)",
               text);
    *out = (span){.given = true};
    if (epochs || steps) {
        MPNO_CHECK(ctx, whole, MPNO_E_CONFIG,
                   "precision.phases: the length of %s is %g %s, expected a whole number from 1 on",
                   policy, number, epochs ? "epochs" : "steps");
        *(epochs ? &out->epochs : &out->steps) = (int64_t)number;
        return MPNO_OK;
    }
    MPNO_CHECK(ctx, number > 0 && number <= 1, MPNO_E_CONFIG,
               "precision.phases: the fraction of %s is %g, expected one in (0, 1]", policy,
               number);
    out->fraction = number;
    return MPNO_OK;
}

/* One "POLICY/STABILIZER:LENGTH" of `length` bytes. */
static mpno_status parse_phase(mpno_ctx *ctx, const char *text, size_t length, mpno_phase *phase,
                               span *out) {
    char item[96];
    MPNO_CHECK(ctx, length < sizeof item, MPNO_E_CONFIG,
               "precision.phases: '%.20s...' is too long for POLICY:LENGTH", text);
    memcpy(item, text, length);
    item[length] = '\0';
    *phase = (mpno_phase){.stabilizer = -1};
    *out = (span){.given = false};
    char *colon = strchr(item, ':');
    if (colon) *colon = '\0';
    char *name = item + strspn(item, " "), *end = name + strlen(name);
    while (end > name && end[-1] == ' ') *--end = '\0';
    char *slash = strchr(name, '/');
    if (slash) {
        *slash = '\0';
        MPNO_TRY(find_stabilizer(ctx, slash + 1, phase));
    }
    MPNO_TRY(find_policy(ctx, name, phase));
    return colon ? parse_length(ctx, colon + 1, name, out) : MPNO_OK;
}

/* Adds a phase unless nothing is left of it. */
static mpno_status append(mpno_ctx *ctx, const mpno_phase *phase, mpno_schedule *schedule) {
    const mpno_run_place *from = &phase->from, *to = &phase->to;
    if (to->epochs == from->epochs && to->steps == from->steps) return MPNO_OK;
    MPNO_CHECK(ctx, schedule->n < MPNO_MAX_PHASES, MPNO_E_CONFIG,
               "precision.phases: more than %d phases", MPNO_MAX_PHASES);
    schedule->phase[schedule->n++] = *phase;
    return MPNO_OK;
}

/* Whether the lengths reach the end of the run. */
static mpno_status check_end(mpno_ctx *ctx, double fractions, bool only_fractions, bool rest,
                             const mpno_run_place *end, int64_t n_epochs) {
    MPNO_CHECK(ctx, fractions < 1 + 1e-6 && (!only_fractions || fabs(fractions - 1) < 1e-6),
               MPNO_E_CONFIG, "precision.phases: the fractions sum to %g, expected %s1", fractions,
               only_fractions ? "" : "at most ");
    MPNO_CHECK(ctx, only_fractions || rest || end->epochs >= n_epochs, MPNO_E_CONFIG,
               "precision.phases: %lld epochs and %lld steps do not surely reach the end of %lld "
               "epochs: leave the length of the last phase out",
               (long long)end->epochs, (long long)end->steps, (long long)n_epochs);
    return MPNO_OK;
}

mpno_status mpno_schedule_parse(mpno_ctx *ctx, const char *text, int64_t n_epochs,
                                mpno_schedule *out) {
    mpno_schedule schedule = {.n_epochs = n_epochs};
    double fractions = 0;
    mpno_run_place whole = {0, 0}, at = {0, 0}; /* whole: without the fractions */
    bool rest = false, only_fractions = true;
    for (const char *next = text; *next;) {
        const size_t length = strcspn(next, ",");
        mpno_phase phase;
        span length_of;
        MPNO_TRY(parse_phase(ctx, next, length, &phase, &length_of));
        MPNO_CHECK(ctx, !rest, MPNO_E_CONFIG,
                   "precision.phases: only the last phase may leave its length out");
        rest = !length_of.given;
        only_fractions = only_fractions && length_of.fraction > 0;
        fractions += length_of.fraction;
        whole.epochs += length_of.epochs, whole.steps += length_of.steps;
        phase.from = at;
        at.epochs = whole.epochs + llround(fractions * (double)n_epochs), at.steps = whole.steps;
        if (rest) at.epochs = at.epochs < n_epochs ? n_epochs : at.epochs + 1;
        phase.to = at;
        MPNO_TRY(append(ctx, &phase, &schedule));
        next += length;
        if (*next == ',') next++;
    }
    MPNO_TRY(check_end(ctx, fractions, only_fractions, rest, &at, n_epochs));
    mpno_schedule_fit(&schedule, 0);
    *out = schedule;
    return MPNO_OK;
}

mpno_status mpno_schedule_parse_levels(mpno_ctx *ctx, const char *text, int64_t n_epochs,
                                       mpno_schedule *out) {
    mpno_schedule schedule = {.n_epochs = n_epochs, .adaptive = true};
    for (const char *next = text; *next;) {
        const size_t length = strcspn(next, ",");
        mpno_phase phase;
        span length_of;
        MPNO_TRY(parse_phase(ctx, next, length, &phase, &length_of));
        MPNO_CHECK(ctx, !length_of.given, MPNO_E_CONFIG,
                   "precision.phases: the levels of precision.policy = adaptive have no lengths; "
                   "write them as %s",
                   MPNO_ADAPTIVE_LEVELS);
        phase.to.epochs = n_epochs;
        /* Levels may change at any time, late too: without tanh from one step to the next the error
         * of a network was up to 5 times as large, and there was no time left to learn it again
         * (docs/experiments/schedule). A power of two is the same network at every level. */
        phase.usual = MPNO_STABILIZER_PRESCALE;
        MPNO_TRY(append(ctx, &phase, &schedule));
        next += length;
        if (*next == ',') next++;
    }
    MPNO_CHECK(ctx, schedule.n > 0, MPNO_E_CONFIG, "precision.phases: no level is given");
    mpno_schedule_fit(&schedule, 0);
    *out = schedule;
    return MPNO_OK;
}

void mpno_schedule_fit(mpno_schedule *s, int64_t epoch_steps) {
    const int64_t n = epoch_steps > 0 ? epoch_steps : 1;
    s->epoch_steps = epoch_steps;
    for (int i = 0; i < s->n; i++) {
        mpno_phase *p = &s->phase[i];
        const int64_t in_from = epoch_steps > 0 ? p->from.steps : 0,
                      in_to = epoch_steps > 0 ? p->to.steps : 0;
        p->first = p->from.epochs + in_from / n;
        p->end = p->to.epochs + (in_to + n - 1) / n;
        const bool last = i + 1 == s->n && p->first < s->n_epochs;
        if (last && p->end > s->n_epochs) p->end = s->n_epochs;
    }
}

/* Steps from the beginning; where no one knows how many an epoch has, its place among the epochs.
 */
static int64_t steps_to(const mpno_schedule *s, const mpno_run_place *at) {
    return s->epoch_steps > 0 ? at->epochs * s->epoch_steps + at->steps : at->epochs;
}

int mpno_schedule_at(const mpno_schedule *s, int64_t epoch, int64_t step) {
    const mpno_run_place now = {epoch, step};
    if (s->adaptive) return s->level;
    for (int i = 0; i < s->n; i++)
        if (steps_to(s, &now) < steps_to(s, &s->phase[i].to)) return i;
    return s->n - 1;
}

int mpno_schedule_at_end(const mpno_schedule *s, int64_t epoch) {
    return mpno_schedule_at(s, epoch, s->epoch_steps > 0 ? s->epoch_steps - 1 : 0);
}

bool mpno_schedule_begins(const mpno_schedule *s, int before, int phase, int64_t epoch,
                          int64_t step) {
    const mpno_run_place now = {epoch, step};
    if (s->adaptive) return before >= 0 ? phase != before : epoch == 0 && step == 0;
    return steps_to(s, &now) == steps_to(s, &s->phase[phase].from);
}
