/* SPDX-License-Identifier: MIT
 * A plan of memory drawn over the steps of a computation: what lives when and where, and the peak.
 * As text for a terminal and as an SVG picture of its own. */
#ifndef MPNO_REPORT_TIMELINE_H
#define MPNO_REPORT_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/text.h"

typedef enum mpno_block_kind {
    MPNO_BLOCK_KEPT, /* from the forward to the backward pass */
    MPNO_BLOCK_PASSING,
    MPNO_BLOCK_GRADIENT,
    MPNO_BLOCK_SCRATCH,
    MPNO_BLOCK_KINDS
} mpno_block_kind;

/* A piece of the arena in use during steps first .. last. */
typedef struct mpno_block {
    char name[72];      /* "block 1: spectrum" */
    const char *format; /* "f32"; NULL: none */
    mpno_block_kind kind;
    size_t bytes, offset;
    int first, last;
} mpno_block;

typedef struct mpno_moment {
    char layer[64], ops[64];
    bool backward;
    double seconds;    /* estimated; negative: not known */
    size_t live_bytes; /* all that lives */
} mpno_moment;

typedef struct mpno_timeline {
    const char *title; /* one line */
    const mpno_moment *steps;
    int n_steps;
    const mpno_block *blocks;
    int n_blocks;
    size_t arena_bytes, bound_bytes;
} mpno_timeline;

/* The first step with the most bytes alive; -1 where there are no steps. */
int mpno_timeline_peak(const mpno_timeline *timeline);
/* Bytes of blocks of a kind that live at a step; of two that share a place the later one counts. */
size_t mpno_timeline_bytes(const mpno_timeline *timeline, int step, mpno_block_kind kind);
/* A line for each step, then what makes the peak; of at most `columns` columns, at least 72. */
MPNO_WARN_UNUSED mpno_status mpno_timeline_text(const mpno_timeline *timeline, int columns,
                                                mpno_text *out);
/* A complete SVG document: steps to the right, places in the arena upwards. */
MPNO_WARN_UNUSED mpno_status mpno_timeline_svg(const mpno_timeline *timeline, mpno_text *out);

#endif
