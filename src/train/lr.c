/* SPDX-License-Identifier: MIT
 * Learning-rate schedules: see lr.h. */
#include "train/lr.h"

#include <math.h>

static double constant(const mpno_lr_opts *opts, const mpno_lr_state *state, int64_t epoch) {
    (void)state, (void)epoch;
    return opts->base;
}

static double step_down(const mpno_lr_opts *opts, const mpno_lr_state *state, int64_t epoch) {
    (void)state;
    return opts->base * pow(opts->gamma, (double)(epoch / opts->step_size));
}

static double multistep(const mpno_lr_opts *opts, const mpno_lr_state *state, int64_t epoch) {
    int passed = 0;
    (void)state;
    while (passed < opts->milestones.n && opts->milestones.v[passed] <= epoch) passed++;
    return opts->base * pow(opts->gamma, passed);
}

/* Half a cosine from the base rate at 0 to eta_min at `length`. */
static double anneal(const mpno_lr_opts *opts, int64_t epoch, int64_t length) {
    const double angle = acos(-1.0) * (double)epoch / (double)length;
    return opts->eta_min + (opts->base - opts->eta_min) * (1 + cos(angle)) / 2;
}

static double cosine(const mpno_lr_opts *opts, const mpno_lr_state *state, int64_t epoch) {
    (void)state;
    return anneal(opts, epoch, opts->t_max);
}

static double cosine_restarts(const mpno_lr_opts *opts, const mpno_lr_state *state, int64_t epoch) {
    int64_t length = opts->t_0;
    (void)state;
    if (opts->t_mult == 1) return anneal(opts, epoch % length, length);
    for (; epoch >= length; length *= opts->t_mult) epoch -= length;
    return anneal(opts, epoch, length);
}

static double exponential(const mpno_lr_opts *opts, const mpno_lr_state *state, int64_t epoch) {
    (void)state;
    return opts->base * pow(opts->gamma, (double)epoch);
}

static double plateau(const mpno_lr_opts *opts, const mpno_lr_state *state, int64_t epoch) {
    (void)opts, (void)epoch;
    return state->rate;
}

static const struct {
    const char *name;
    double (*at)(const mpno_lr_opts *opts, const mpno_lr_state *state, int64_t epoch);
} kinds[MPNO_LR_COUNT] = {
#define X(name, function, text) {#name, function},
#include "train/lr_schedules.def"
#undef X
};

mpno_lr_state mpno_lr_start(const mpno_lr_opts *opts) {
    return (mpno_lr_state){.rate = opts->base, .best = opts->largest ? -INFINITY : INFINITY};
}

/* Factor of the warm-up after `done` of `total` parts. */
static double warmth(const mpno_lr_opts *opts, int64_t done, int64_t total) {
    if (done >= total) return 1;
    return opts->warmup_start + (1 - opts->warmup_start) * (double)done / (double)total;
}

double mpno_lr_at(const mpno_lr_opts *opts, const mpno_lr_state *state, int64_t epoch,
                  int64_t steps) {
    if (epoch < opts->warmup_epochs) return opts->base * warmth(opts, epoch, opts->warmup_epochs);
    return kinds[opts->kind].at(opts, state, epoch - opts->warmup_epochs) *
           warmth(opts, steps, opts->warmup_steps);
}

/* Whether the metric passes what it must to count as progress. */
static bool better(const mpno_lr_opts *opts, double metric, double best) {
    const double threshold = opts->largest ? opts->threshold : -opts->threshold;
    const double limit = opts->absolute ? best + threshold : best * (1 + threshold);
    return opts->largest ? metric > limit : metric < limit;
}

/* ReduceLROnPlateau.step */
void mpno_lr_epoch_end(const mpno_lr_opts *opts, mpno_lr_state *state, int64_t epoch,
                       double metric) {
    const double least_change = 1e-8; /* PyTorch's eps: a smaller one is not made */
    if (opts->kind != MPNO_LR_plateau || epoch < opts->warmup_epochs) return;
    if (better(opts, metric, state->best)) {
        state->best = metric;
        state->bad = 0;
    } else {
        state->bad++;
    }
    if (state->cooldown > 0) {
        state->cooldown--;
        state->bad = 0;
    }
    if (state->bad <= opts->patience) return;
    const double rate = fmax(state->rate * opts->gamma, opts->min_lr);
    if (state->rate - rate > least_change) state->rate = rate;
    state->cooldown = opts->cooldown;
    state->bad = 0;
}

const char *mpno_lr_name(mpno_lr_kind kind) {
    return kinds[kind].name;
}
