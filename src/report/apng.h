/* SPDX-License-Identifier: MIT
 * An animation as the bytes of a PNG file (APNG: chunks acTL, fcTL, fdAT of the PNG specification,
 * third edition, W3C 2023, section 11.3.6), which programs that know no animations show as its
 * first frame. It repeats without end. */
#ifndef MPNO_REPORT_APNG_H
#define MPNO_REPORT_APNG_H

#include <stdint.h>

#include "core/text.h"
#include "report/canvas.h"

/* One thread at a time. */
typedef struct mpno_apng {
    mpno_ctx *ctx;
    mpno_text *out; /* borrowed */
    int n_frames, added, delay;
    int width, height;
    uint32_t sequence;
    unsigned char *last; /* owned: the frame that was added last */
    unsigned char *part; /* owned: room for what changes */
} mpno_apng;

/* An animation of n_frames (1 or more), each shown for delay (1 .. 65535) milliseconds; its bytes
 * are appended to `out`. */
MPNO_WARN_UNUSED mpno_status mpno_apng_begin(mpno_ctx *ctx, int n_frames, int delay, mpno_text *out,
                                             mpno_apng *apng);
/* The next frame, all of one size (else E_SHAPE). Only the box that changes is stored. */
MPNO_WARN_UNUSED mpno_status mpno_apng_add(mpno_apng *apng, const mpno_canvas *canvas);
/* After the last frame; E_ARGUMENT unless all were added. */
MPNO_WARN_UNUSED mpno_status mpno_apng_end(mpno_apng *apng);
void mpno_apng_destroy(mpno_apng *apng); /* of one that was begun; more than once is fine */

#endif
