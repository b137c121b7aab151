/* SPDX-License-Identifier: MIT
 * Kinds of certificates beside POINT. A kind says what it finds, what it concludes, what it writes
 * between the entries that all have, and what it tells a person; mpno_proof_make puts the document
 * together. A certificate is checked by the same steps: what it speaks of is taken from the
 * recorded document, all else is found again, and the document that follows must be the recorded
 * one. */
#ifndef MPNO_TRAIN_PROOF_KIND_H
#define MPNO_TRAIN_PROOF_KIND_H

#include "train/proof.h"

typedef struct mpno_proof_job {
    mpno_proof *proof;
    const mpno_certify_opts *opts;    /* a certificate is made; NULL where one is checked */
    const mpno_verify_opts *checks;   /* likewise, the other way round */
    const mpno_certificate *recorded; /* that is checked; NULL: one is made */
    const char *data;  /* of a check: where the calibration samples are; NULL: nowhere */
    bool same_kernels; /* of a check: it runs those that the certificate was made with */
    bool refuted;     /* something is not as the certificate says; the context's sentence says it */
    mpno_value *told; /* what a check found beside the certificate, owned by who made the job */
    const mpno_sink *sink;
    void *found; /* the kind's own */
} mpno_proof_job;

typedef struct mpno_proof_kind {
    const char *name;
    mpno_certificate_kind kind;
    size_t size;     /* of what it finds, which begins as zeros */
    bool one_answer; /* it speaks of one input and its answer, which have been measured */
    double near;     /* numbers that are found again may differ by so much of themselves */
    mpno_status (*find)(mpno_proof_job *job);
    mpno_status (*conclude)(const mpno_proof_job *job); /* by mpno_proof_decide */
    mpno_status (*put)(const mpno_proof_job *job, mpno_value *document);
    mpno_status (*say)(const mpno_proof_job *job);
    mpno_status (*check)(mpno_proof_job *job); /* of what only a check looks at, at last; or NULL */
    void (*clear)(mpno_proof_job *job);        /* or NULL */
} mpno_proof_kind;

/* NULL: it is "point", or none. */
const mpno_proof_kind *mpno_proof_kind_of(mpno_certificate_kind kind);
const mpno_proof_kind *mpno_proof_kind_named(const char *name);

/* All of it: numbers, plan, conclusion, document (owned by the caller), text. Where a certificate
 * is checked, E_FORMAT and job->refuted say that it is false, E_UNSUPPORTED that nothing can be
 * said. */
MPNO_WARN_UNUSED mpno_status mpno_proof_make(const mpno_proof_kind *kind, mpno_proof_job *job,
                                             const mpno_config *overrides, mpno_value **document);

/* Says that the certificate is false. */
mpno_status mpno_proof_refute(mpno_proof_job *job, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Likewise where other machines and versions may find other numbers, of which nothing follows. */
mpno_status mpno_proof_differs(mpno_proof_job *job, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Entry `name` of the recorded document, of a kind of value: else it is refuted. */
MPNO_WARN_UNUSED mpno_status mpno_proof_recorded(mpno_proof_job *job, const mpno_value *map,
                                                 const char *name, mpno_value_kind kind,
                                                 const mpno_value **out);

/* Inputs of which no number, as the network gets it, is above `range`, nor any of what steers it
 * above `steering` (0: nothing does). */
typedef struct mpno_proof_ball {
    double range, steering;
    bool encoded;
} mpno_proof_ball;
/* As asked for, or as recorded under `entry`, where the first is called `key`. */
MPNO_WARN_UNUSED mpno_status mpno_proof_find_ball(mpno_proof_job *job, const char *entry,
                                                  const char *key, mpno_proof_ball *out);
/* "any input of which no number ..", without a full stop. */
void mpno_proof_ball_text(const mpno_proof_ball *ball, char *text, size_t capacity);
MPNO_WARN_UNUSED mpno_status mpno_proof_put_ball(mpno_ctx *ctx, const mpno_proof_ball *ball,
                                                 mpno_value *map);
/* The line that says where the range is from. */
void mpno_proof_say_ball(const mpno_proof_job *job);

/* The network that the sample would run through, planned and not made; it decides on the output
 * grid. */
MPNO_WARN_UNUSED mpno_status mpno_proof_plan_network(mpno_proof *proof, mpno_network **out);

/* A table of rows that `fill` makes. */
MPNO_WARN_UNUSED mpno_status mpno_proof_say_rows(const mpno_proof_job *job,
                                                 mpno_status (*fill)(const mpno_proof_job *,
                                                                     mpno_table *));
#endif
