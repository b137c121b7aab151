/* SPDX-License-Identifier: MIT
 * Inside of mpno_plan_tolerance: data and sites (tolerance.c), what formats do to the answer
 * (tolerance_measure.c) and fewer modes (tolerance_modes.c), the plan and its proof
 * (tolerance_choose.c), what is told of it (tolerance_report.c). A site is the tensors of a role in
 * a layer, a cut leaves out modes of a block along an axis; error is always relative L2 distance,
 * of an answer from the exact one, which has all modes, unless something else is said. */
#ifndef MPNO_TRAIN_TOLERANCE_H
#define MPNO_TRAIN_TOLERANCE_H

#include "certify/planner.h"
#include "certify/point.h"
#include "mpno/tolerance.h"
#include "train/restore.h"

enum {
    MPNO_TOLERANCE_FORMATS = 4,
    MPNO_TOLERANCE_SITES = 160,
    MPNO_TOLERANCE_CUTS = 64,
    MPNO_TOLERANCE_LEVELS = 8, /* numbers of modes that are tried of each */
    MPNO_TOLERANCE_POLICIES = 16,
    MPNO_TOLERANCE_CALIBRATION = 16, /* samples, where the file has enough */
    MPNO_TOLERANCE_HELD_OUT = 16,
    MPNO_TOLERANCE_STORAGE = 4096 /* characters of a plan as text */
};
/* From wide to narrow; the first one is that of the arithmetic. */
extern const mpno_format mpno_tolerance_formats[MPNO_TOLERANCE_FORMATS];

typedef struct mpno_tolerance_site {
    char layer[16];
    char also[16]; /* a layer whose tensors of the role are copies of these, or empty: a rounded
                      number that is copied loses nothing more, so that both are stored alike */
    mpno_role role;
    double largest; /* magnitude over the calibration samples in f32; 0 of copies of weights */
    /* Of the answer from that in f32, root mean square over the calibration samples, where this
     * site alone is stored so; INFINITY: not to be taken. */
    double error[MPNO_TOLERANCE_FORMATS];
    double seconds[MPNO_TOLERANCE_FORMATS]; /* more than in f32, estimated; 0: not asked for */
    int choice;
} mpno_tolerance_site;

typedef int64_t mpno_tolerance_modes[MPNO_MAX_BLOCKS][MPNO_MAX_AXES];

typedef struct mpno_tolerance_cut {
    int block, axis;
    int64_t all; /* modes that the block has on the grid, counted as in model.n_modes */
    /* Those tried, from many to few, and the error as of a site: of these alone. */
    int n_tried;
    int64_t tried[MPNO_TOLERANCE_LEVELS];
    double tried_error[MPNO_TOLERANCE_LEVELS];
    /* What the plan chooses among: all modes, and some of those tried; n: INFINITY for none. */
    int64_t modes[MPNO_PLANNER_CHOICES];
    double error[MPNO_PLANNER_CHOICES];
    double seconds[MPNO_PLANNER_CHOICES];
    int choice;
} mpno_tolerance_cut;

/* A way to store everything, tried on the samples held out. */
typedef struct mpno_tolerance_use {
    const char *policy; /* a row of policies.def */
    mpno_format half;
    const char *storage; /* exceptions; NULL: none */
    const mpno_tolerance_modes *modes; /* at most; NULL: all */
    size_t activation_bytes, copy_bytes;
    double seconds; /* estimated; NaN: not asked for */
    double error;   /* root mean square over the samples; NaN: some answer is not finite */
    double worst;   /* proved: no error of a sample is larger; INFINITY likewise */
} mpno_tolerance_use;

typedef struct mpno_tolerance_job {
    mpno_ctx *ctx;
    const mpno_restored *restored;
    const mpno_tolerance_opts *opts;
    const mpno_sink *sink;
    const char *file;              /* of the data */
    bool has_truth;
    double tolerance;
    const char *tolerance_from;    /* in words; NULL: it was given */
    const char *base;              /* the policy that a plan makes exceptions to */
    mpno_dataset *data, *fields;   /* owned: encoded inputs; the same in f64 as the file has them */
    int64_t calibration, held_out; /* samples; those held out come last */
    int64_t values;                /* of an answer */
    int64_t grid[MPNO_MAX_AXES];   /* of it */
    double *full;                  /* owned: answers in f32, [calibration][values] */
    mpno_certifier *certifier;     /* owned */
    double *embedding;             /* owned: of the sample that is certified; NULL: none */
    double *shadow, *bound;        /* owned: of each sample held out, the answer of its shadow run
                                      and how far that may be from the exact one, relative to it */
    mpno_tolerance_site sites[MPNO_TOLERANCE_SITES];
    int n_sites;
    mpno_tolerance_cut cuts[MPNO_TOLERANCE_CUTS];
    int n_cuts;
    mpno_tolerance_modes modes;   /* of the plan */
    double cut_error;             /* of all its cuts together; 0: it has none */
    mpno_planner_tensor *tensors; /* owned */
    int n_tensors;
    size_t *scratch; /* owned: of each step */
    int n_steps;
    mpno_tolerance_use policies[MPNO_TOLERANCE_POLICIES]; /* the first one is full */
    int n_policies;
    mpno_tolerance_use plan;
    char storage[MPNO_TOLERANCE_STORAGE]; /* of the plan */
    double predicted;                     /* error of the plan, by the sum of squares */
    double same; /* the same measured on the samples that sites were measured on */
    double safety;                        /* the plan kept to tolerance / safety */
    int n_tries;
    const mpno_tolerance_use *standard; /* the policy that was taken in its place; NULL: none */
} mpno_tolerance_job;

/* -------- tolerance_measure.c -------- */

/* Options of a network that stores things so, of as many samples as evaluations have. */
mpno_predictor_opts mpno_tolerance_storage(const mpno_tolerance_job *job,
                                           const mpno_tolerance_use *use);
/* Fills the memory of a use; its time is not known. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_cost(const mpno_tolerance_job *job,
                                                 mpno_tolerance_use *use);
/* Estimated times of n uses, in turns: the least of some, since other programs disturb them. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_times(const mpno_tolerance_job *job,
                                                  mpno_tolerance_use *uses, int n);
/* Sites, with what each format does; the tensors that they are of. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_measure(mpno_tolerance_job *job);
/* n answers from sample `first` on, in physical units, to out; *finite: whether they are. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_answer(const mpno_tolerance_job *job,
                                                   const mpno_tolerance_use *use, int64_t first,
                                                   int64_t n, double *out, bool *finite);
/* How far answers to the calibration samples move from those in f32: root mean square, INFINITY
 * where one is not finite. room: for these answers. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_moved(const mpno_tolerance_job *job,
                                                  const mpno_tolerance_use *use, double *room,
                                                  double *out);
/* -------- tolerance_modes.c -------- */

/* Cuts with what they do, and the shares of tensors that they leave: after sites are measured.
 * budget: what has a larger error is not tried further. room: for answers. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_measure_cuts(mpno_tolerance_job *job, double budget,
                                                         double *room);
/* Whether the plan has any. */
bool mpno_tolerance_is_cut(const mpno_tolerance_job *job);
/* Fills job->modes from the choices, and job->cut_error by a run of the cuts alone. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_join_cuts(mpno_tolerance_job *job, double *room);

/* |a - b| / |b|. */
double mpno_tolerance_distance(const double *a, const double *b, int64_t n);

/* -------- tolerance_choose.c -------- */

/* Shadow runs of the samples held out, policies, plan and proof. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_choose(mpno_tolerance_job *job);

/* -------- tolerance_report.c -------- */

/* Exceptions that make the choices of the sites of the base policy, as text. E_CONFIG: too many. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_text(const mpno_tolerance_job *job,
                                                 char text[MPNO_TOLERANCE_STORAGE]);
MPNO_WARN_UNUSED mpno_status mpno_tolerance_report(const mpno_tolerance_job *job, char **json);

#endif
