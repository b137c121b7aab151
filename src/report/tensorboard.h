/* SPDX-License-Identifier: MIT
 * A file of TensorBoard events, events.out.tfevents.mpno in a folder: scalars, texts and pictures
 * over steps. Records are TFRecords (length, masked CRC-32C of it, data, masked CRC-32C of them);
 * the data are Event messages in the wire format of Protocol Buffers. Each call appends its records
 * with one write and closes the file again, so that a run can be watched and killed at any time.
 * Source: the format notes of TensorFlow (record_writer, event.proto, summary.proto). */
#ifndef MPNO_REPORT_TENSORBOARD_H
#define MPNO_REPORT_TENSORBOARD_H

#include <stddef.h>
#include <stdint.h>

#include "core/context.h"
#include "core/value.h"

#define MPNO_TENSORBOARD_FILE "events.out.tfevents.mpno"

/* One thread at a time. `wall_time`s are seconds since 1970. */
typedef struct mpno_tensorboard mpno_tensorboard;

/* resume_step < 0 starts anew: an old file is replaced. resume_step >= 0 continues: events of
 * step >= resume_step are taken out (the run will write them again), as is a last record that is
 * not whole; a file that is missing is begun. E_FORMAT when a record's checksum is wrong: the file
 * is left untouched. The folder must exist. On failure *out is NULL. */
MPNO_WARN_UNUSED mpno_status mpno_tensorboard_open(mpno_ctx *ctx, const char *folder,
                                                   int64_t resume_step, double wall_time,
                                                   mpno_tensorboard **out);
void mpno_tensorboard_close(mpno_tensorboard **board); /* accepts NULL */

/* Every number of the map as a scalar under its key; numbers of maps inside as "key/key". Other
 * kinds are passed over. */
MPNO_WARN_UNUSED mpno_status mpno_tensorboard_scalars(mpno_tensorboard *board, int64_t step,
                                                      double wall_time, const mpno_value *map);
/* Markdown. */
MPNO_WARN_UNUSED mpno_status mpno_tensorboard_text(mpno_tensorboard *board, int64_t step,
                                                   double wall_time, const char *tag,
                                                   const char *text);
/* png: n bytes of a PNG file of width x height pixels. */
MPNO_WARN_UNUSED mpno_status mpno_tensorboard_image(mpno_tensorboard *board, int64_t step,
                                                    double wall_time, const char *tag, int width,
                                                    int height, const void *png, size_t n);

#endif
