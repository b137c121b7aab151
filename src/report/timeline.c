/* SPDX-License-Identifier: MIT
 * The plan of memory as text: see timeline.h. */
#include "report/timeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "report/human.h"

enum {
    LEAST_COLUMNS = 72,
    MOST_COLUMNS = 160,
    LAYER = 19,
    OPS = 26, /* where there are WIDE columns */
    WIDE = 110,
    BESIDE_BAR = 52, /* without ops */
    TOLD = 12
};

static const char marks[MPNO_BLOCK_KINDS] = {'#', '=', '+', '.'};
static const char *const names[MPNO_BLOCK_KINDS] = {"kept for the backward pass", "other tensors",
                                                    "gradients", "scratch"};

int mpno_timeline_peak(const mpno_timeline *t) {
    int peak = t->n_steps > 0 ? 0 : -1;
    for (int s = 1; s < t->n_steps; s++)
        if (t->steps[s].live_bytes > t->steps[peak].live_bytes) peak = s;
    return peak;
}

static bool lives(const mpno_block *block, int step) {
    return block->first <= step && step <= block->last;
}

/* Another block that lives at the step begins at the same place, later: this one is taken over. */
static bool taken_over(const mpno_timeline *t, int index, int step) {
    const mpno_block *block = &t->blocks[index];
    for (int i = 0; i < t->n_blocks; i++)
        if (i != index && lives(&t->blocks[i], step) && t->blocks[i].bytes > 0 &&
            t->blocks[i].offset == block->offset && t->blocks[i].first > block->first)
            return true;
    return false;
}

size_t mpno_timeline_bytes(const mpno_timeline *t, int step, mpno_block_kind kind) {
    size_t bytes = 0;
    for (int i = 0; i < t->n_blocks; i++)
        if (t->blocks[i].kind == kind && lives(&t->blocks[i], step) && !taken_over(t, i, step))
            bytes += t->blocks[i].bytes;
    return bytes;
}

/* The bytes of each kind side by side, each mark standing for the same number of bytes. */
static mpno_status add_bar(const mpno_timeline *t, int step, int width, mpno_text *out) {
    double bytes = 0;
    int drawn = 0;
    for (int kind = 0; kind < MPNO_BLOCK_KINDS; kind++) {
        bytes += (double)mpno_timeline_bytes(t, step, (mpno_block_kind)kind);
        const int end = (int)(bytes / (double)t->arena_bytes * width + 0.5);
        for (; drawn < end && drawn < width; drawn++)
            MPNO_TRY(mpno_text_add_bytes(out, &marks[kind], 1));
    }
    return MPNO_OK;
}

static mpno_status add_step(const mpno_timeline *t, int step, int peak, int columns,
                            mpno_text *out) {
    const mpno_moment *m = &t->steps[step];
    char time[MPNO_HUMAN_CAPACITY] = "", bytes[MPNO_HUMAN_CAPACITY];
    if (m->seconds >= 0) mpno_human_seconds(m->seconds, time);
    const int ops = columns >= WIDE ? OPS : 0;
    MPNO_TRY(mpno_text_add(out, "%4d %s %-*.*s", step + 1, m->backward ? "<" : ">", LAYER, LAYER,
                           m->layer));
    if (ops) MPNO_TRY(mpno_text_add(out, " %-*.*s", ops - 1, ops - 1, m->ops));
    MPNO_TRY(mpno_text_add(out, " %8s %9s ", time, mpno_human_bytes(m->live_bytes, bytes)));
    MPNO_TRY(add_bar(t, step, columns - BESIDE_BAR - ops, out));
    return mpno_text_add(out, "%s\n", step == peak ? " peak" : "");
}

static mpno_status add_legend(const mpno_timeline *t, mpno_text *out) {
    char arena[MPNO_HUMAN_CAPACITY], bound[MPNO_HUMAN_CAPACITY];
    MPNO_TRY(mpno_text_add(out, "%s: %s, no placement could take less than %s\n", t->title,
                           mpno_human_bytes(t->arena_bytes, arena),
                           mpno_human_bytes(t->bound_bytes, bound)));
    for (int kind = 0; kind < MPNO_BLOCK_KINDS; kind++)
        MPNO_TRY(mpno_text_add(out, "%s%c %s", kind ? ", " : "step, > forward, < backward; ",
                               marks[kind], names[kind]));
    return mpno_text_add(out, "\n");
}

static int larger_first(const void *a, const void *b) {
    const mpno_block *x = *(const mpno_block *const *)a, *y = *(const mpno_block *const *)b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : x > y;
}

static mpno_status add_block(const mpno_block *b, mpno_text *out) {
    char bytes[MPNO_HUMAN_CAPACITY];
    MPNO_TRY(mpno_text_add(out, "  %9s  %-4s  %-40.40s ", mpno_human_bytes(b->bytes, bytes),
                           b->format ? b->format : "", b->name));
    if (b->first == b->last) return mpno_text_add(out, "step %d\n", b->first + 1);
    return mpno_text_add(out, "steps %d to %d\n", b->first + 1, b->last + 1);
}

/* What makes the peak, the largest first. */
static mpno_status add_peak(const mpno_timeline *t, int peak, mpno_text *out) {
    const mpno_block **alive;
    int n = 0;
    char bytes[MPNO_HUMAN_CAPACITY];
    size_t rest = 0;
    MPNO_TRY(mpno_alloc_array(out->ctx, (size_t)t->n_blocks + 1, sizeof(mpno_block *), &alive));
    for (int i = 0; i < t->n_blocks; i++)
        if (lives(&t->blocks[i], peak) && t->blocks[i].bytes > 0 && !taken_over(t, i, peak))
            alive[n++] = &t->blocks[i];
    qsort(alive, (size_t)n, sizeof *alive, larger_first);
    mpno_status status =
        mpno_text_add(out, "the peak, %s at step %d, is made by\n",
                      mpno_human_bytes(t->steps[peak].live_bytes, bytes), peak + 1);
    for (int i = 0; i < n && i < TOLD && status == MPNO_OK; i++) status = add_block(alive[i], out);
    for (int i = TOLD; i < n; i++) rest += alive[i]->bytes;
    if (n > TOLD && status == MPNO_OK)
        status = mpno_text_add(out, "  %9s  in %d more\n", mpno_human_bytes(rest, bytes), n - TOLD);
    mpno_free(out->ctx, alive);
    return status;
}

mpno_status mpno_timeline_text(const mpno_timeline *t, int columns, mpno_text *out) {
    const int peak = mpno_timeline_peak(t);
    if (columns < LEAST_COLUMNS) columns = LEAST_COLUMNS;
    if (columns > MOST_COLUMNS) columns = MOST_COLUMNS;
    MPNO_TRY(add_legend(t, out));
    for (int s = 0; s < t->n_steps; s++) MPNO_TRY(add_step(t, s, peak, columns, out));
    return peak < 0 ? MPNO_OK : add_peak(t, peak, out);
}
