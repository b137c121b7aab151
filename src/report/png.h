/* SPDX-License-Identifier: MIT
 * Writes an RGB image as a PNG file, atomically: the old file stays whole until the new one is. */
#ifndef MPNO_REPORT_PNG_H
#define MPNO_REPORT_PNG_H

#include "core/context.h"

/* rgb: [height][width][3] bytes, sRGB, row 0 on top; borrowed. E_ARGUMENT for an empty or too large
 * image, E_IO where the file cannot be written (nothing is left behind), E_MEMORY. */
MPNO_WARN_UNUSED mpno_status mpno_png_write(mpno_ctx *ctx, const char *path, int width, int height,
                                            const unsigned char *rgb);

#endif
