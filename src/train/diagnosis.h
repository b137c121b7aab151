/* SPDX-License-Identifier: MIT
 * What is known of a stored tensor and what it means: overflow ahead, underflow, rounding floor, a
 * policy that does not store what it promises in 16 bits. Nothing here runs a network. */
#ifndef MPNO_TRAIN_DIAGNOSIS_H
#define MPNO_TRAIN_DIAGNOSIS_H

#include <stdbool.h>

#include "core/context.h"
#include "core/value.h"
#include "graph/policy.h"
#include "kernel/census_kernels.h"
#include "model/shadow.h"

#define MPNO_RECORD_HISTORY 8

/* One stored tensor over a run, or under one policy. */
typedef struct mpno_tensor_record {
    char layer[16], name[40];
    mpno_role role;
    bool gradient;
    mpno_format format;
    const char *remedy; /* static: what may help against overflow */
    unsigned told;      /* bits of the kinds of diagnosis that were said of it */
    mpno_census census; /* since it was last cleared */
    /* Largest values of the last epochs in which somebody looked, oldest first. */
    double largest[MPNO_RECORD_HISTORY];
    int64_t epoch[MPNO_RECORD_HISTORY];
    int n_epochs;
    /* Last shadow comparison. */
    int64_t compared, lost; /* values, and of them zero here alone; compared 0: none yet */
    double decibel;         /* signal to quantisation noise */
    int n_shells;
    double *shells; /* owned: decibels of each shell; NaN where it is empty */
} mpno_tensor_record;

typedef enum mpno_diagnosis_kind {
    MPNO_DIAGNOSIS_NONE,
    MPNO_DIAGNOSIS_OVERFLOW_AHEAD,
    MPNO_DIAGNOSIS_UNDERFLOW,
    MPNO_DIAGNOSIS_ROUNDING_FLOOR,
    MPNO_DIAGNOSIS_NOT_HALF,
    MPNO_DIAGNOSIS_COUNT
} mpno_diagnosis_kind;
const char *mpno_diagnosis_name(mpno_diagnosis_kind kind); /* "overflow ahead" */

typedef struct mpno_diagnosis {
    mpno_diagnosis_kind kind;
    char text[512]; /* a sentence without the name */
} mpno_diagnosis;

void mpno_record_clear(mpno_ctx *ctx, mpno_tensor_record *record);
/* Ends an epoch: the census becomes history and begins anew. */
void mpno_record_end_epoch(mpno_tensor_record *record, int64_t epoch);
MPNO_WARN_UNUSED mpno_status mpno_record_compare(mpno_ctx *ctx, mpno_tensor_record *record,
                                                 const mpno_shadow_line *line);
/* How many times as large the largest value may become. */
double mpno_record_headroom(const mpno_tensor_record *record);
/* First shell from which on noise is as large as the signal in all shells, or n_shells. */
int mpno_record_floor(const mpno_tensor_record *record);

/* Each says whether it applies. scaled: gradients are multiplied by a loss scale, which seeks their
 * largest value: no overflow of theirs is a surprise. */
bool mpno_diagnose_overflow(const mpno_tensor_record *record, bool scaled, mpno_diagnosis *out);
bool mpno_diagnose_underflow(const mpno_tensor_record *record, mpno_diagnosis *out);
bool mpno_diagnose_floor(const mpno_tensor_record *record, mpno_diagnosis *out);
/* What all tensors take, those of less than the arithmetic's bytes, all under `full`. */
typedef struct mpno_half_bytes {
    size_t stored, narrow;          /* of single tensors */
    size_t activations, under_full; /* of the arena */
} mpno_half_bytes;
bool mpno_diagnose_half(const mpno_half_bytes *bytes, const char *policy, mpno_diagnosis *out);

/* The record as a map, appended to a list. */
MPNO_WARN_UNUSED mpno_status mpno_record_put(mpno_ctx *ctx, const mpno_tensor_record *record,
                                             mpno_value *list);

#endif
