/* SPDX-License-Identifier: MIT
 * See tensorboard.h. Messages are built in growing texts, an inner one before the one around it. */
#include "report/tensorboard.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/checksum.h"
#include "core/files.h"
#include "core/memory.h"
#include "core/text.h"

struct mpno_tensorboard {
    mpno_ctx *ctx;
    char path[4096];
};

/* Wire types. */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };
/* Field numbers. */
enum { EVENT_TIME = 1, EVENT_STEP = 2, EVENT_VERSION = 3, EVENT_SUMMARY = 5 };
enum { SUMMARY_VALUE = 1 };
enum { VALUE_TAG = 1, VALUE_SIMPLE = 2, VALUE_IMAGE = 4, VALUE_TENSOR = 8, VALUE_METADATA = 9 };
enum { IMAGE_HEIGHT = 1, IMAGE_WIDTH = 2, IMAGE_COLOURS = 3, IMAGE_BYTES = 4 };
enum { TENSOR_TYPE = 1, TENSOR_SHAPE = 2, TENSOR_STRING = 8 };
enum { RGB = 3, DT_STRING = 7, HEAD = 12, FOOT = 4, TAG_CAPACITY = 256 };

static void little(uint64_t value, int n, unsigned char *out) {
    for (int i = 0; i < n; i++) out[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t from_little(const unsigned char *in, int n) {
    uint64_t value = 0;
    for (int i = 0; i < n; i++) value |= (uint64_t)in[i] << (8 * i);
    return value;
}

static mpno_status add_bytes(mpno_text *out, const void *data, size_t n) {
    return mpno_text_add_bytes(out, data, n);
}

static mpno_status add_varint(mpno_text *out, uint64_t value) {
    unsigned char bytes[10];
    size_t n = 0;
    for (; value >= 128; value >>= 7) bytes[n++] = (unsigned char)(value | 128);
    bytes[n++] = (unsigned char)value;
    return add_bytes(out, bytes, n);
}

static mpno_status put_int(mpno_text *out, unsigned field, int64_t value) {
    MPNO_TRY(add_varint(out, field << 3 | VARINT));
    return add_varint(out, (uint64_t)value);
}

static mpno_status put_double(mpno_text *out, unsigned field, double value) {
    unsigned char bytes[8];
    uint64_t bits;
    memcpy(&bits, &value, 8);
    little(bits, 8, bytes);
    MPNO_TRY(add_varint(out, field << 3 | FIXED64));
    return add_bytes(out, bytes, 8);
}

static mpno_status put_float(mpno_text *out, unsigned field, float value) {
    unsigned char bytes[4];
    uint32_t bits;
    memcpy(&bits, &value, 4);
    little(bits, 4, bytes);
    MPNO_TRY(add_varint(out, field << 3 | FIXED32));
    return add_bytes(out, bytes, 4);
}

static mpno_status put_bytes(mpno_text *out, unsigned field, const void *data, size_t n) {
    MPNO_TRY(add_varint(out, field << 3 | BYTES));
    MPNO_TRY(add_varint(out, n));
    return add_bytes(out, data, n);
}

static mpno_status put_string(mpno_text *out, unsigned field, const char *text) {
    return put_bytes(out, field, text, strlen(text));
}

/* Adds `inner` as a field and discards it, whatever the status so far. */
static mpno_status put_message(mpno_text *out, unsigned field, mpno_text *inner,
                               mpno_status status) {
    if (status == MPNO_OK)
        status = put_bytes(out, field, inner->data ? inner->data : "", inner->size);
    mpno_text_discard(inner);
    return status;
}

static uint32_t masked(const void *data, size_t n) {
    const uint32_t crc = mpno_crc32c(data, n);
    return ((crc >> 15) | (crc << 17)) + UINT32_C(0xa282ead8);
}

static mpno_status add_record(mpno_text *out, const mpno_text *event) {
    unsigned char head[HEAD], foot[FOOT];
    little(event->size, 8, head);
    little(masked(head, 8), 4, head + 8);
    little(masked(event->data, event->size), 4, foot);
    MPNO_TRY(add_bytes(out, head, HEAD));
    MPNO_TRY(add_bytes(out, event->data, event->size));
    return add_bytes(out, foot, FOOT);
}

static mpno_status add_version(mpno_text *out, double wall_time) {
    mpno_text event = {.ctx = out->ctx};
    mpno_status status = put_double(&event, EVENT_TIME, wall_time);
    if (status == MPNO_OK) status = put_string(&event, EVENT_VERSION, "brain.Event:2");
    if (status == MPNO_OK) status = add_record(out, &event);
    mpno_text_discard(&event);
    return status;
}

static bool read_varint(const unsigned char **at, const unsigned char *end, uint64_t *out) {
    *out = 0;
    for (int shift = 0; *at < end && shift < 64; shift += 7) {
        const unsigned char byte = *(*at)++;
        *out |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return true;
    }
    return false;
}

/* The step of an event, 0 where it has none; false when its bytes are no message. */
static bool step_of(const unsigned char *at, const unsigned char *end, int64_t *step) {
    *step = 0;
    while (at < end) {
        uint64_t key, value = 0, size = 0;
        if (!read_varint(&at, end, &key)) return false;
        const unsigned type = key & 7;
        if (type == VARINT && !read_varint(&at, end, &value)) return false;
        if (type == BYTES && !read_varint(&at, end, &size)) return false;
        if (type == FIXED64) size = 8;
        if (type == FIXED32) size = 4;
        if (type == 3 || type == 4 || type > FIXED32 || size > (uint64_t)(end - at)) return false;
        if (type == VARINT && key >> 3 == EVENT_STEP) *step = (int64_t)value;
        at += size;
    }
    return true;
}

/* The records of `file` that a resume keeps. */
static mpno_status kept_records(const mpno_tensorboard *board, const mpno_mapping *file,
                                int64_t resume_step, mpno_text *out) {
    const unsigned char *data = file->data;
    int record = 1;
    for (size_t at = 0; file->size - at >= HEAD; record++) {
        const uint64_t n = from_little(data + at, 8);
        bool whole = masked(data + at, 8) == from_little(data + at + 8, 4);
        if (whole && (file->size - at < HEAD + FOOT || n > file->size - at - HEAD - FOOT)) break;
        const unsigned char *event = data + at + HEAD;
        int64_t step = 0;
        whole = whole && masked(event, (size_t)n) == from_little(event + n, FOOT) &&
                step_of(event, event + n, &step);
        MPNO_CHECK(board->ctx, whole, MPNO_E_FORMAT,
                   "%s: record %d is damaged (its checksum or its content is wrong); move the file "
                   "away and resume, a new one is begun then",
                   board->path, record);
        const size_t bytes = HEAD + (size_t)n + FOOT;
        if (step < resume_step) MPNO_TRY(add_bytes(out, data + at, bytes));
        at += bytes;
    }
    return MPNO_OK;
}

static mpno_status begin_records(const mpno_tensorboard *board, int64_t resume_step,
                                 double wall_time, mpno_text *out) {
    if (resume_step >= 0 && mpno_path_exists(board->path)) {
        mpno_mapping file;
        MPNO_TRY(mpno_map_open(board->ctx, board->path, &file));
        mpno_status status = kept_records(board, &file, resume_step, out);
        mpno_map_close(&file);
        MPNO_TRY(status);
    }
    return out->size == 0 ? add_version(out, wall_time) : MPNO_OK;
}

static mpno_status begin_file(mpno_tensorboard *board, const char *folder, int64_t resume_step,
                              double wall_time) {
    mpno_text records = {.ctx = board->ctx};
    MPNO_TRY(
        mpno_path_join(board->ctx, folder, MPNO_TENSORBOARD_FILE, board->path, sizeof board->path));
    mpno_status status = begin_records(board, resume_step, wall_time, &records);
    if (status == MPNO_OK)
        status = mpno_file_write_atomic(board->ctx, board->path, records.data, records.size);
    mpno_text_discard(&records);
    return status;
}

mpno_status mpno_tensorboard_open(mpno_ctx *ctx, const char *folder, int64_t resume_step,
                                  double wall_time, mpno_tensorboard **out) {
    *out = NULL;
    mpno_tensorboard *board;
    MPNO_TRY(mpno_alloc(ctx, sizeof *board, &board));
    board->ctx = ctx;
    mpno_status status = begin_file(board, folder, resume_step, wall_time);
    if (status == MPNO_OK)
        *out = board;
    else
        mpno_free(ctx, board);
    return status;
}

void mpno_tensorboard_close(mpno_tensorboard **in_out) {
    if (!in_out || !*in_out) return;
    mpno_free((*in_out)->ctx, *in_out);
    *in_out = NULL;
}

/* Appends the event that holds `summary`, and discards that, whatever the status so far. */
static mpno_status append_summary(const mpno_tensorboard *board, int64_t step, double wall_time,
                                  mpno_text *summary, mpno_status status) {
    mpno_text event = {.ctx = board->ctx}, record = {.ctx = board->ctx};
    if (status == MPNO_OK) status = put_double(&event, EVENT_TIME, wall_time);
    if (status == MPNO_OK) status = put_int(&event, EVENT_STEP, step);
    status = put_message(&event, EVENT_SUMMARY, summary, status);
    if (status == MPNO_OK) status = add_record(&record, &event);
    if (status == MPNO_OK)
        status = mpno_file_append_bytes(board->ctx, board->path, record.data, record.size);
    mpno_text_discard(&event);
    mpno_text_discard(&record);
    return status;
}

static mpno_status add_scalar(mpno_text *summary, const char *tag, double number) {
    mpno_text value = {.ctx = summary->ctx};
    mpno_status status = put_string(&value, VALUE_TAG, tag);
    if (status == MPNO_OK) status = put_float(&value, VALUE_SIMPLE, (float)number);
    return put_message(summary, SUMMARY_VALUE, &value, status);
}

static mpno_status add_scalars(mpno_text *summary, const char *prefix, const mpno_value *map) {
    for (size_t i = 0; map && i < map->n; i++) {
        const mpno_value *item = map->items[i];
        char tag[TAG_CAPACITY];
        snprintf(tag, sizeof tag, "%s%s%s", prefix, *prefix ? "/" : "", map->keys[i]);
        if (item->kind == MPNO_VALUE_INT || item->kind == MPNO_VALUE_REAL)
            MPNO_TRY(add_scalar(summary, tag, item->real));
        else if (item->kind == MPNO_VALUE_MAP)
            MPNO_TRY(add_scalars(summary, tag, item));
    }
    return MPNO_OK;
}

mpno_status mpno_tensorboard_scalars(mpno_tensorboard *board, int64_t step, double wall_time,
                                     const mpno_value *map) {
    mpno_text summary = {.ctx = board->ctx};
    return append_summary(board, step, wall_time, &summary, add_scalars(&summary, "", map));
}

/* TensorProto of one string without axes. */
static mpno_status put_text(mpno_text *value, const char *text) {
    mpno_text tensor = {.ctx = value->ctx};
    mpno_status status = put_int(&tensor, TENSOR_TYPE, DT_STRING);
    if (status == MPNO_OK) status = put_bytes(&tensor, TENSOR_SHAPE, "", 0);
    if (status == MPNO_OK) status = put_string(&tensor, TENSOR_STRING, text);
    return put_message(value, VALUE_TENSOR, &tensor, status);
}

mpno_status mpno_tensorboard_text(mpno_tensorboard *board, int64_t step, double wall_time,
                                  const char *tag, const char *text) {
    /* SummaryMetadata { plugin_data { plugin_name: "text" } } */
    static const char metadata[] = "\x0a\x06\x0a\x04text";
    mpno_text summary = {.ctx = board->ctx}, value = {.ctx = board->ctx};
    mpno_status status = put_string(&value, VALUE_TAG, tag);
    if (status == MPNO_OK) status = put_text(&value, text);
    if (status == MPNO_OK) status = put_string(&value, VALUE_METADATA, metadata);
    status = put_message(&summary, SUMMARY_VALUE, &value, status);
    return append_summary(board, step, wall_time, &summary, status);
}

static mpno_status put_image(mpno_text *value, int width, int height, const void *png, size_t n) {
    mpno_text image = {.ctx = value->ctx};
    mpno_status status = put_int(&image, IMAGE_HEIGHT, height);
    if (status == MPNO_OK) status = put_int(&image, IMAGE_WIDTH, width);
    if (status == MPNO_OK) status = put_int(&image, IMAGE_COLOURS, RGB);
    if (status == MPNO_OK) status = put_bytes(&image, IMAGE_BYTES, png, n);
    return put_message(value, VALUE_IMAGE, &image, status);
}

mpno_status mpno_tensorboard_image(mpno_tensorboard *board, int64_t step, double wall_time,
                                   const char *tag, int width, int height, const void *png,
                                   size_t n) {
    mpno_text summary = {.ctx = board->ctx}, value = {.ctx = board->ctx};
    mpno_status status = put_string(&value, VALUE_TAG, tag);
    if (status == MPNO_OK) status = put_image(&value, width, height, png, n);
    status = put_message(&summary, SUMMARY_VALUE, &value, status);
    return append_summary(board, step, wall_time, &summary, status);
}
