/* SPDX-License-Identifier: MIT
 * Learning-rate schedules: see lr.h. */
#include "train/lr.h"

#include <math.h>

static double constant(const mpno_lr_opts *opts, int64_t epoch) {
    (void)epoch;
    return opts->base;
}

static double step_down(const mpno_lr_opts *opts, int64_t epoch) {
    return opts->base * pow(opts->gamma, (double)(epoch / opts->step_size));
}

static double cosine(const mpno_lr_opts *opts, int64_t epoch) {
    const double angle = acos(-1.0) * (double)epoch / (double)opts->t_max;
    return opts->eta_min + (opts->base - opts->eta_min) * (1 + cos(angle)) / 2;
}

static const struct {
    const char *name;
    double (*at)(const mpno_lr_opts *opts, int64_t epoch);
} kinds[MPNO_LR_COUNT] = {
#define X(name, function, text) {#name, function},
#include "train/lr_schedules.def"
#undef X
};

double mpno_lr_at(const mpno_lr_opts *opts, int64_t epoch) {
    return kinds[opts->kind].at(opts, epoch);
}

const char *mpno_lr_name(mpno_lr_kind kind) {
    return kinds[kind].name;
}
