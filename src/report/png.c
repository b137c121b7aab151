/* SPDX-License-Identifier: MIT
 * PNG through libpng (the only file that sees png.h). Its memory comes from the context, as
 * does that of its bytes; both failures are kept in `struct encoder` because libpng reports only by
 * longjmp. */
#include "report/png.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>

#include "core/files.h"
#include "core/memory.h"

#define MAX_SIDE \
    65535 /* far above any picture of ours, far below overflow of width * height * 3 in 64 bits */

struct encoder {
    mpno_ctx *ctx;
    mpno_text *out;
    mpno_status status;
};

static png_voidp take_memory(png_structp png, png_alloc_size_t bytes) {
    struct encoder *encoder = png_get_mem_ptr(png);
    void *memory = NULL;
    mpno_status status = mpno_alloc(encoder->ctx, bytes, &memory);
    if (status != MPNO_OK) encoder->status = status;
    return memory;
}

static void give_memory(png_structp png, png_voidp memory) {
    struct encoder *encoder = png_get_mem_ptr(png);
    mpno_free(encoder->ctx, memory);
}

static void write_bytes(png_structp png, png_bytep data, size_t n) {
    struct encoder *encoder = png_get_io_ptr(png);
    encoder->status = mpno_text_add_bytes(encoder->out, (const char *)data, n);
    if (encoder->status != MPNO_OK) png_error(png, "no memory");
}

static void flush_nothing(png_structp png) {
    (void)png;
}

static void on_error(png_structp png, png_const_charp text) {
    struct encoder *encoder = png_get_error_ptr(png);
    if (encoder->status == MPNO_OK)
        encoder->status = mpno_fail(encoder->ctx, MPNO_E_IO, "a PNG image: libpng says: %s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

/* Everything that may longjmp. No local changes after setjmp, so none is clobbered by the jump. */
static void encode(struct encoder *encoder, png_structp png, png_infop info, int width, int height,
                   const unsigned char *rgb) {
    if (setjmp(png_jmpbuf(png))) return;
    png_set_write_fn(png, encoder, write_bytes, flush_nothing);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_sRGB(png, info, PNG_sRGB_INTENT_PERCEPTUAL);
    png_write_info(png, info);
    for (int y = 0; y < height; y++) png_write_row(png, rgb + (size_t)y * (size_t)width * 3);
    png_write_end(png, info);
}

mpno_status mpno_png_encode(mpno_ctx *ctx, int width, int height, const unsigned char *rgb,
                            mpno_text *out) {
    MPNO_CHECK(ctx, rgb != NULL, MPNO_E_ARGUMENT,
               "a PNG image needs pixels, rgb is NULL; pass [height][width][3] bytes");
    MPNO_CHECK(ctx, width > 0 && height > 0 && width <= MAX_SIDE && height <= MAX_SIDE,
               MPNO_E_ARGUMENT,
               "an image of %d x %d pixels cannot be written; both sides must be 1 to %d", width,
               height, MAX_SIDE);
    struct encoder encoder = {ctx, out, MPNO_OK};
    png_infop info = NULL;
    png_structp png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &encoder, on_error,
                                                on_warning, &encoder, take_memory, give_memory);
    if (png) info = png_create_info_struct(png);
    if (info)
        encode(&encoder, png, info, width, height, rgb);
    else if (encoder.status == MPNO_OK)
        encoder.status =
            mpno_fail(ctx, MPNO_E_UNSUPPORTED,
                      "libpng at run time does not fit the %s this was built with; install that "
                      "version",
                      PNG_LIBPNG_VER_STRING);
    png_destroy_write_struct(&png, &info);
    return encoder.status;
}

mpno_status mpno_png_write(mpno_ctx *ctx, const char *path, int width, int height,
                           const unsigned char *rgb) {
    MPNO_CHECK(ctx, path != NULL, MPNO_E_ARGUMENT,
               "mpno_png_write: path must not be NULL; pass a file name");
    mpno_text bytes = {.ctx = ctx};
    mpno_status status = mpno_png_encode(ctx, width, height, rgb, &bytes);
    if (status == MPNO_OK) status = mpno_file_write_atomic(ctx, path, bytes.data, bytes.size);
    mpno_text_discard(&bytes);
    return status;
}
