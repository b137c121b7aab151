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
#include "certify/population.h"
#include "graph/exec.h"
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
    /* Further samples that a plan is held against, and those that it does not depend on, from which
     * the bound of new ones is: so many, and on coarse grids, where they cost little, up to MOST.
     */
    MPNO_TOLERANCE_REFERENCES = 96,
    MPNO_TOLERANCE_FRESH = MPNO_POPULATION_LEAST,
    MPNO_TOLERANCE_MOST = 512,
    MPNO_TOLERANCE_STORAGE = 4096 /* characters of a plan as text */
};
/* From wide to narrow; the first one is that of the arithmetic. */
extern const mpno_format mpno_tolerance_formats[MPNO_TOLERANCE_FORMATS];

typedef struct mpno_tolerance_site {
    char layer[16];
    char also[16]; /* a layer whose tensors of the role are copies of these, or empty: a rounded
                      number that is copied loses nothing more, so that both are stored alike */
    mpno_role role;
    int staged;     /* the site whose stored numbers these are, read to be stored once more: in its
                       format they lose nothing; -1: others, or numbers that no store has rounded */
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
    double reference_worst; /* farthest of the references from f32; NaN: they were not run */
} mpno_tolerance_use;

typedef struct mpno_tolerance_job {
    mpno_ctx *ctx;
    const mpno_restored *restored;
    const mpno_tolerance_opts *opts;
    const mpno_sink *sink;
    const char *file;              /* of the data */
    bool brief; /* policy auto: the validation error comes first, and no fresh samples are run */
    /* Seconds of a prediction; NULL: pieces of its steps are run and timed. */
    mpno_status (*estimate)(const mpno_exec *exec, double *seconds);
    bool has_truth;
    double tolerance;
    const char *tolerance_from;    /* in words; NULL: it was given */
    const char *base;              /* the policy that a plan makes exceptions to */
    mpno_dataset *data, *fields;   /* owned: encoded inputs; the same in f64 as the file has them */
    int64_t calibration, held_out; /* samples; those held out come last */
    int64_t references, fresh;     /* samples of the file behind these: mpno_tolerance_spread, and
                                      those that the plan does not depend on */
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
    double cut_same;              /* the same on the samples measured on alone */
    mpno_planner_tensor *tensors; /* owned */
    int n_tensors;
    size_t *scratch; /* owned: of each step */
    int n_steps;
    mpno_tolerance_use policies[MPNO_TOLERANCE_POLICIES]; /* the first one is full */
    int n_policies;
    mpno_tolerance_use plan;
    char storage[MPNO_TOLERANCE_STORAGE]; /* of the plan */
    double predicted; /* error of the plan: by the sum of squares while it is sought, then as
                         mpno_tolerance_foretell says; NaN: an answer is not finite */
    double predicted_uncertainty; /* relative standard error of that; NaN: of one sample */
    double predicted_median;      /* of the errors of samples, likewise */
    double predicted_same; /* by the sum of squares, on the samples that sites were measured on */
    double same;           /* and measured on these; both NaN where a policy is taken */
    double safety;                        /* the plan kept to tolerance / safety */
    int n_tries;
    /* Mean square of errors of each format over more samples, over that of those measured on. */
    double spread[MPNO_TOLERANCE_FORMATS];
    double fresh_error, fresh_worst;    /* of the plan on the fresh samples, as of a use */
    double fresh_uncertainty, fresh_median; /* as those predicted */
    int64_t fresh_above;                /* of them, not proved to be within the tolerance */
    mpno_population population;         /* of L2; samples 0: none */
    char no_population[256];            /* why */
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
/* Whether a site has the numbers of another one in its format: it adds nothing to the error. */
bool mpno_tolerance_is_copy(const mpno_tolerance_job *job, int site);
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

/* -------- tolerance_samples.c -------- */

/* Divides the samples of the file, of which `available` are there. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_divide(mpno_tolerance_job *job, int64_t available);
/* Fills job->spread: the samples measured on are few, and how they differ from others is much the
 * same for whatever rounds them. Everything in each format, on the references too. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_spread(mpno_tolerance_job *job);
/* How far answers to the references move: sum of squares, and the farthest; INFINITY where one is
 * not finite. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_references(mpno_tolerance_job *job,
                                                       const mpno_tolerance_use *use, double *sum,
                                                       double *most);
/* The error of the plan on samples that it was not measured on, from its own distances on those
 * measured on (room: for answers to these) and the references, with everything that rounds rounding
 * together; beside it, on those measured on, what the sum of squares made of it. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_foretell(mpno_tolerance_job *job, double *room);
/* The plan on the fresh samples: each by POINT, and the bound of new ones by POPULATION. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_fresh(mpno_tolerance_job *job);

/* |a - b| / |b|. */
double mpno_tolerance_distance(const double *a, const double *b, int64_t n);

/* Everything that is planned in a format, as exceptions to full. */
void mpno_tolerance_everything(int format, char *text, size_t capacity);

/* -------- tolerance_choose.c -------- */

/* Whether it keeps to the tolerance, as far as it was tried. */
bool mpno_tolerance_is_within(const mpno_tolerance_job *job, const mpno_tolerance_use *use);

/* A sample of job->fields. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_certify(const mpno_tolerance_job *job, int64_t sample,
                                                    const double *answer, mpno_point *out);
/* The upper bound of the relative L2 distance, rounded up as certificates have it. */
double mpno_tolerance_relative(const mpno_point *point);

/* Shadow runs of the samples held out, policies, plan and proof. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_choose(mpno_tolerance_job *job);

/* -------- tolerance_report.c -------- */

/* Exceptions that make the choices of the sites of the base policy, as text. E_CONFIG: too many. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_text(const mpno_tolerance_job *job,
                                                 char text[MPNO_TOLERANCE_STORAGE]);
MPNO_WARN_UNUSED mpno_status mpno_tolerance_report(const mpno_tolerance_job *job, char **json);
/* {precision: ..}, as the policy file has it; owned by the caller. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_policy(const mpno_tolerance_job *job, mpno_value **out);
/* Data, tolerance and plan into a map. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_put_plan(const mpno_tolerance_job *job,
                                                     mpno_value *map);

/* -------- tolerance.c, tolerance_auto.c -------- */

/* Everything up to the proof. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_make(mpno_tolerance_job *job);
void mpno_tolerance_clear(mpno_tolerance_job *job);
/* E_UNSUPPORTED: nothing can be proved in this process. */
MPNO_WARN_UNUSED mpno_status mpno_tolerance_can_prove(mpno_ctx *ctx);
/* mpno_restore; where precision.policy is auto, a plan is then made on the test data that the
 * settings name, or else on `data` (may be NULL), with a tenth of the validation error as its
 * tolerance, and takes the policy's place in the settings. */
MPNO_WARN_UNUSED mpno_status mpno_restore_planned(mpno_ctx *ctx, const char *path,
                                                  const mpno_config *overrides, const char *data,
                                                  const mpno_sink *sink, mpno_restored *out);

#endif
