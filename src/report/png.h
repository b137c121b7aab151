/* SPDX-License-Identifier: MIT
 * An RGB image as the bytes of a PNG file, and as a file written atomically: the old file stays
 * whole until the new one is. */
#ifndef MPNO_REPORT_PNG_H
#define MPNO_REPORT_PNG_H

#include "core/context.h"
#include "core/text.h"

/* rgb: [height][width][3] bytes, sRGB, row 0 on top; borrowed. The bytes are appended to `out`.
 * E_ARGUMENT for an empty or too large image, E_MEMORY. */
MPNO_WARN_UNUSED mpno_status mpno_png_encode(mpno_ctx *ctx, int width, int height,
                                             const unsigned char *rgb, mpno_text *out);
/* And E_IO where the file cannot be written (nothing is left behind). */
MPNO_WARN_UNUSED mpno_status mpno_png_write(mpno_ctx *ctx, const char *path, int width, int height,
                                            const unsigned char *rgb);

#endif
