/* SPDX-License-Identifier: MIT
 * See apng.h. Each frame is encoded as a PNG image of its own, whose chunks IDAT are taken over: as
 * they are in the first frame, behind a sequence number as fdAT in the others. */
#include "report/apng.h"

#include <string.h>

#include "core/checksum.h"
#include "core/memory.h"
#include "report/png.h"

enum { SIGNATURE = 8, HEAD = 8, CRC = 4 }; /* bytes: of the file, of length and name, of the sum */

typedef struct box {
    int x, y, width, height;
} box;

static void put32(unsigned char *to, uint32_t v) {
    for (int k = 0; k < 4; k++) to[k] = (unsigned char)(v >> (24 - 8 * k));
}

static uint32_t get32(const unsigned char *from) {
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

/* A chunk of a name, `prefix` (a number, or none) and n bytes. */
static mpno_status add_chunk(mpno_text *out, const char *name, const uint32_t *prefix,
                             const void *data, size_t n) {
    unsigned char head[HEAD + 4], sum[CRC];
    const size_t extra = prefix ? 4 : 0, start = out->size + 4;
    put32(head, (uint32_t)(n + extra));
    memcpy(head + 4, name, 4);
    if (prefix) put32(head + HEAD, *prefix);
    MPNO_TRY(mpno_text_add_bytes(out, (const char *)head, HEAD + extra));
    MPNO_TRY(mpno_text_add_bytes(out, data, n));
    put32(sum, mpno_crc32(out->data + start, out->size - start));
    return mpno_text_add_bytes(out, (const char *)sum, CRC);
}

mpno_status mpno_apng_begin(mpno_ctx *ctx, int n_frames, int delay, mpno_text *out,
                            mpno_apng *apng) {
    *apng = (mpno_apng){.ctx = ctx, .out = out, .n_frames = n_frames, .delay = delay};
    MPNO_CHECK(
        ctx, n_frames >= 1 && delay >= 1 && delay <= UINT16_MAX, MPNO_E_ARGUMENT,
        "an animation of %d frames of %d ms cannot be written: give 1 frame or more, of 1 to "
        "%d ms",
        n_frames, delay, UINT16_MAX);
    return MPNO_OK;
}

void mpno_apng_destroy(mpno_apng *apng) {
    mpno_free(apng->ctx, apng->last);
    mpno_free(apng->ctx, apng->part);
    apng->last = apng->part = NULL;
}

static mpno_status add_control(mpno_apng *a) {
    unsigned char data[8] = {0}; /* frames, repetitions (0: without end) */
    put32(data, (uint32_t)a->n_frames);
    return add_chunk(a->out, "acTL", NULL, data, sizeof data);
}

/* Place and duration of a frame; it replaces what is there, and stays. */
static mpno_status add_frame_control(mpno_apng *a, const box *b) {
    unsigned char data[22] = {0};
    put32(data, (uint32_t)b->width);
    put32(data + 4, (uint32_t)b->height);
    put32(data + 8, (uint32_t)b->x);
    put32(data + 12, (uint32_t)b->y);
    data[16] = (unsigned char)(a->delay >> 8);
    data[17] = (unsigned char)a->delay;
    data[18] = 1000 >> 8; /* the delay in thousandths of a second */
    data[19] = 1000 & 255;
    const uint32_t sequence = a->sequence++;
    return add_chunk(a->out, "fcTL", &sequence, data, sizeof data);
}

/* Whether the rows or columns of two images differ. */
static bool row_differs(const mpno_apng *a, const unsigned char *rgb, int y) {
    const size_t row = (size_t)a->width * 3;
    return memcmp(rgb + (size_t)y * row, a->last + (size_t)y * row, row) != 0;
}

static bool column_differs(const mpno_apng *a, const unsigned char *rgb, int x, const box *rows) {
    for (int y = rows->y; y < rows->y + rows->height; y++) {
        const size_t at = ((size_t)y * (size_t)a->width + (size_t)x) * 3;
        if (memcmp(rgb + at, a->last + at, 3) != 0) return true;
    }
    return false;
}

/* What changes; one pixel where nothing does. */
static box changed(const mpno_apng *a, const unsigned char *rgb) {
    int top = 0, bottom = a->height, left = 0, right = a->width;
    while (top < bottom && !row_differs(a, rgb, top)) top++;
    if (top == bottom) return (box){0, 0, 1, 1};
    while (!row_differs(a, rgb, bottom - 1)) bottom--;
    const box rows = {0, top, a->width, bottom - top};
    while (!column_differs(a, rgb, left, &rows)) left++;
    while (!column_differs(a, rgb, right - 1, &rows)) right--;
    return (box){left, top, right - left, bottom - top};
}

/* Takes over the chunks of an image: of the first frame all, of the others the pixels. */
static mpno_status take_chunks(mpno_apng *a, const mpno_text *png, const box *b, bool first) {
    const unsigned char *data = (const unsigned char *)png->data;
    bool controlled = false;
    if (first) MPNO_TRY(mpno_text_add_bytes(a->out, png->data, SIGNATURE));
    for (size_t at = SIGNATURE; at + HEAD + CRC <= png->size;) {
        const size_t n = get32(data + at);
        const bool pixels = memcmp(data + at + 4, "IDAT", 4) == 0;
        if (pixels && !controlled) {
            if (first) MPNO_TRY(add_control(a));
            MPNO_TRY(add_frame_control(a, b));
            controlled = true;
        }
        if (first && memcmp(data + at + 4, "IEND", 4) != 0)
            MPNO_TRY(mpno_text_add_bytes(a->out, png->data + at, HEAD + n + CRC));
        if (!first && pixels) {
            const uint32_t sequence = a->sequence++;
            MPNO_TRY(add_chunk(a->out, "fdAT", &sequence, data + at + HEAD, n));
        }
        at += HEAD + n + CRC;
    }
    return MPNO_OK;
}

static mpno_status add_box(mpno_apng *a, const unsigned char *rgb, const box *b, bool first) {
    mpno_text png = {.ctx = a->ctx};
    const size_t row = (size_t)b->width * 3;
    for (int y = 0; y < b->height; y++)
        memcpy(a->part + (size_t)y * row,
               rgb + ((size_t)(b->y + y) * (size_t)a->width + (size_t)b->x) * 3, row);
    mpno_status status = mpno_png_encode(a->ctx, b->width, b->height, a->part, &png);
    if (status == MPNO_OK) status = take_chunks(a, &png, b, first);
    mpno_text_discard(&png);
    return status;
}

mpno_status mpno_apng_add(mpno_apng *a, const mpno_canvas *canvas) {
    const bool first = a->added == 0;
    const size_t bytes = (size_t)canvas->width * (size_t)canvas->height * 3;
    MPNO_CHECK(a->ctx, a->added < a->n_frames, MPNO_E_ARGUMENT,
               "an animation of %d frames has them all", a->n_frames);
    MPNO_CHECK(a->ctx, first || (canvas->width == a->width && canvas->height == a->height),
               MPNO_E_SHAPE, "frame %d has %d x %d pixels, those before it have %d x %d", a->added,
               canvas->width, canvas->height, a->width, a->height);
    box whole = {0, 0, canvas->width, canvas->height};
    if (first) {
        a->width = canvas->width;
        a->height = canvas->height;
        MPNO_TRY(mpno_alloc_raw(a->ctx, bytes, &a->last));
        MPNO_TRY(mpno_alloc_raw(a->ctx, bytes, &a->part));
    } else {
        whole = changed(a, canvas->rgb);
    }
    MPNO_TRY(add_box(a, canvas->rgb, &whole, first));
    memcpy(a->last, canvas->rgb, bytes);
    a->added++;
    return MPNO_OK;
}

mpno_status mpno_apng_end(mpno_apng *a) {
    MPNO_CHECK(a->ctx, a->added == a->n_frames, MPNO_E_ARGUMENT,
               "an animation of %d frames has only %d", a->n_frames, a->added);
    return add_chunk(a->out, "IEND", NULL, "", 0);
}
