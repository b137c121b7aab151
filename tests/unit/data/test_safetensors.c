/* SPDX-License-Identifier: MIT
 * safetensors: what goes in comes out, what is damaged is an error. */
#include "support.h"

#include <math.h>
#include <unistd.h>

#include "core/checksum.h"
#include "core/memory.h"
#include "core/rng.h"
#include "data/safetensors.h"

static char folder[] = "/tmp/mpno-test-safetensors-XXXXXX";
static char path[100];

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/file.safetensors", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder); /* also fails when the writer left a temporary file */
}

static void crc_has_the_published_check_value(void **state) {
    (void)state;
    static mpno_crc64 crc;
    mpno_crc64_start(&crc);
    mpno_crc64_add(&crc, "123456789", 9);
    assert_true(mpno_crc64_value(&crc) == UINT64_C(0x995DC9BBDF1939FA));
    for (size_t cut = 0; cut <= 9; cut++) { /* in two parts, whatever the alignment */
        mpno_crc64_start(&crc);
        mpno_crc64_add(&crc, "123456789", cut);
        mpno_crc64_add(&crc, &"123456789"[cut], 9 - cut);
        assert_true(mpno_crc64_value(&crc) == UINT64_C(0x995DC9BBDF1939FA));
    }
}

/* One tensor of every element type, of 0 to 4 dimensions, one empty; bytes are random. */
static mpno_tensor_file *sample_file(mpno_ctx *ctx) {
    mpno_tensor_file *file;
    mpno_rng rng = mpno_rng_make(7, MPNO_STREAM_TEST, 0);
    assert_ok(ctx, mpno_tensor_file_create(ctx, &file));
    for (int i = 0; i <= MPNO_ELEMENT_COUNT; i++) {
        char name[40];
        int64_t shape[4] = {1 + i % 3, 2, 3, 1};
        mpno_element element = i < MPNO_ELEMENT_COUNT ? (mpno_element)i : MPNO_ELEMENT_C64;
        mpno_named_tensor *tensor;
        if (i == MPNO_ELEMENT_COUNT) shape[1] = 0;
        snprintf(name, sizeof name, "block.%d.\"\xc3\xa9\"\\%s", i, mpno_element_name(element));
        assert_ok(ctx, mpno_tensor_file_add(ctx, file, name, element, i == 5 ? 0 : i % 3 + 2, shape,
                                            &tensor));
        for (size_t k = 0; k < tensor->bytes; k++)
            ((unsigned char *)tensor->data)[k] = (unsigned char)mpno_rng_u32(&rng);
    }
    assert_ok(ctx, mpno_value_set_string(ctx, file->metadata, "config", "{\"n_modes\": [8, 8]}\n"));
    assert_ok(ctx, mpno_value_set_string(ctx, file->metadata, "\xce\xb5", ""));
    return file;
}

static void assert_same(const mpno_tensor_file *a, const mpno_tensor_file *b) {
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        const mpno_named_tensor *p = &a->tensors[i], *q = mpno_tensor_file_find(b, p->name);
        assert_non_null(q);
        assert_int_equal(p->element, q->element);
        assert_int_equal(p->ndim, q->ndim);
        for (int d = 0; d < p->ndim; d++) assert_int_equal(p->shape[d], q->shape[d]);
        assert_int_equal(p->bytes, q->bytes);
        assert_memory_equal(p->data, q->data, p->bytes);
    }
    assert_int_equal(a->metadata->n, b->metadata->n);
    for (size_t i = 0; i < a->metadata->n; i++) {
        const mpno_value *other = mpno_value_get(b->metadata, a->metadata->keys[i]);
        assert_non_null(other);
        assert_string_equal(a->metadata->items[i]->string, other->string);
    }
}

static void round_trip_keeps_every_bit(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file = sample_file(ctx), *back;
    assert_ok(ctx, mpno_safetensors_write(ctx, path, file));
    assert_ok(ctx, mpno_safetensors_read(ctx, path, &back));
    assert_same(file, back);
    blob b = load(path);
    uint64_t header = 0;
    memcpy(&header, b.data, 8);
    assert_int_equal((8 + header) % 64, 0);
    assert_non_null(strstr((char *)b.data + 8, "\"mpno.complex\":\"block.10."));
    free(b.data);
    mpno_tensor_file_destroy(ctx, &back);
    mpno_tensor_file_destroy(ctx, &file);
}

static void an_empty_list_and_views_can_be_written(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file, *back;
    float values[3] = {1, 2, 3};
    int64_t shape[1] = {3};
    assert_ok(ctx, mpno_tensor_file_create(ctx, &file));
    assert_ok(ctx, mpno_safetensors_write(ctx, path, file));
    assert_ok(ctx, mpno_safetensors_read(ctx, path, &back));
    assert_same(file, back);
    mpno_tensor_file_destroy(ctx, &back);
    assert_ok(ctx, mpno_tensor_file_add_view(ctx, file, "w", MPNO_ELEMENT_F32, 1, shape, values));
    assert_fails(ctx, mpno_tensor_file_add(ctx, file, "w", MPNO_ELEMENT_F32, 1, shape, NULL),
                 MPNO_E_ARGUMENT, "two tensors are called 'w'");
    assert_ok(ctx, mpno_safetensors_write(ctx, path, file));
    assert_ok(ctx, mpno_safetensors_read(ctx, path, &back));
    assert_same(file, back);
    mpno_tensor_file_destroy(ctx, &back);
    mpno_tensor_file_destroy(ctx, &file);
}

/* The bytes as OCP's specification of 8 bits reads them. */
static void values_of_eight_bits(void **state) {
    mpno_ctx *ctx = *state;
    static const struct {
        mpno_element element;
        unsigned char bytes[4];
        double values[3]; /* the fourth is not a number */
    } cases[] = {{MPNO_ELEMENT_F8E4M3, {0x7e, 0x01, 0xb8, 0xff}, {448, 0x1p-9, -1}},
                 {MPNO_ELEMENT_F8E5M2, {0x7b, 0x01, 0xbc, 0xfe}, {57344, 0x1p-16, -1}}};
    for (size_t i = 0; i < 2; i++) {
        const int64_t shape[] = {4};
        mpno_tensor_file *file, *back;
        mpno_named_tensor *t;
        double values[4];
        assert_ok(ctx, mpno_tensor_file_create(ctx, &file));
        assert_ok(ctx, mpno_tensor_file_add(ctx, file, "w", cases[i].element, 1, shape, &t));
        memcpy(t->data, cases[i].bytes, 4);
        assert_ok(ctx, mpno_safetensors_write(ctx, path, file));
        assert_ok(ctx, mpno_safetensors_read(ctx, path, &back));
        assert_ok(ctx, mpno_named_tensor_values(ctx, &back->tensors[0], 0, 4, MPNO_F64, values));
        for (int k = 0; k < 3; k++) assert_true(values[k] == cases[i].values[k]);
        assert_true(isnan(values[3]));
        mpno_tensor_file_destroy(ctx, &file);
        mpno_tensor_file_destroy(ctx, &back);
    }
}

static void the_writer_refuses_what_cannot_come_back(void **state) {
    mpno_ctx *ctx = *state;
    const char *const names[] = {"__metadata__", "bad\xff", "two\nlines"};
    int64_t shape[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    mpno_tensor_file *file;
    for (int i = 0; i < 3; i++) {
        assert_ok(ctx, mpno_tensor_file_create(ctx, &file));
        assert_ok(ctx, mpno_tensor_file_add(ctx, file, names[i], MPNO_ELEMENT_C64, 1, shape, NULL));
        assert_int_equal(mpno_safetensors_write(ctx, path, file), MPNO_E_ARGUMENT);
        mpno_tensor_file_destroy(ctx, &file);
    }
    assert_ok(ctx, mpno_tensor_file_create(ctx, &file));
    assert_ok(ctx, mpno_tensor_file_add(ctx, file, "c", MPNO_ELEMENT_C128, 8, shape, NULL));
    assert_fails(ctx, mpno_safetensors_write(ctx, path, file), MPNO_E_ARGUMENT, "8 dimensions");
    mpno_tensor_file_destroy(ctx, &file);
    assert_ok(ctx, mpno_tensor_file_create(ctx, &file));
    assert_ok(ctx, mpno_value_set_string(ctx, file->metadata, "mpno.checksum", "0"));
    assert_fails(ctx, mpno_safetensors_write(ctx, path, file), MPNO_E_ARGUMENT, "belongs to");
    mpno_tensor_file_destroy(ctx, &file);
}

/* Header text and n zero bytes of data, without a checksum, as other programs write it. */
static mpno_status parse_text(mpno_ctx *ctx, const char *header, size_t n, mpno_tensor_file **out) {
    uint64_t size = strlen(header);
    unsigned char *data = calloc(1, 8 + size + n);
    assert_non_null(data);
    memcpy(data, &size, 8);
    memcpy(data + 8, header, size);
    mpno_status status = mpno_safetensors_parse(ctx, data, 8 + size + n, out);
    free(data);
    return status;
}

#define F32(shape, offsets) "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void files_of_others_are_read(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file;
    assert_ok(ctx, parse_text(ctx, "{}", 0, &file));
    mpno_tensor_file_destroy(ctx, &file);
    assert_ok(ctx,
              parse_text(ctx,
                         "{\"b\":" F32("[1]", "[4,8]") ",\"a\":" F32("[]", "[0,4]") ",\"e\":" F32(
                             "[0,5]", "[4,4]") ",\"__metadata__\":{\"k\":\"v\"}}  ",
                         8, &file));
    assert_int_equal(file->n, 3);
    assert_string_equal(file->tensors[0].name, "b");
    assert_int_equal(file->tensors[1].ndim, 0);
    assert_string_equal(mpno_value_get(file->metadata, "k")->string, "v");
    mpno_tensor_file_destroy(ctx, &file);
}

static void wrong_headers_are_errors(void **state) {
    mpno_ctx *ctx = *state;
    static const struct {
        const char *header;
        size_t n;
        mpno_status code;
        const char *part;
    } cases[] = {
        {" {}", 0, MPNO_E_FORMAT, "begin with '{'"},
        {"{} x", 0, MPNO_E_FORMAT, "header:1"},
        {"{\"a\":" F32("[1]", "[0,4]") ",\"a\":" F32("[1]", "[0,4]") "}", 4, MPNO_E_FORMAT,
         "uplicate"},
        {"{\"a\":" F32("[1]", "[0,4]") "}", 5, MPNO_E_FORMAT, "follow the last tensor"},
        {"{\"a\":" F32("[1]", "[0,4]") "}", 3, MPNO_E_FORMAT, "cut short"},
        {"{\"a\":" F32("[1]", "[1,5]") "}", 5, MPNO_E_FORMAT, "a gap"},
        {"{\"a\":" F32("[1]", "[0,4]") ",\"b\":" F32("[1]", "[2,6]") "}", 6, MPNO_E_FORMAT,
         "an overlap"},
        {"{\"a\":" F32("[2]", "[0,4]") "}", 4, MPNO_E_FORMAT, "need 8 bytes"},
        {"{\"a\":" F32("[1]", "[4,0]") "}", 4, MPNO_E_FORMAT, "should stand"},
        {"{\"a\":" F32("[-1]", "[0,4]") "}", 4, MPNO_E_FORMAT, "non-negative"},
        {"{\"a\":" F32("[1.0]", "[0,4]") "}", 4, MPNO_E_FORMAT, "non-negative"},
        {"{\"a\":" F32("[4294967296,4294967296,4294967296]", "[0,4]") "}", 4, MPNO_E_FORMAT,
         "too large"},
        {"{\"a\":" F32("[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, MPNO_E_UNSUPPORTED, "9 dimensions"},
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4,
         MPNO_E_UNSUPPORTED, "F4"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, MPNO_E_FORMAT, "header entry"},
        {"{\"a\":3}", 4, MPNO_E_FORMAT, "header entry"},
        {"{\"__metadata__\":{\"k\":1}}", 0, MPNO_E_FORMAT, "text to text"},
        {"{\"__metadata__\":{\"mpno.complex\":\"a\"},\"a\":" F32("[1]", "[0,4]") "}", 4,
         MPNO_E_FORMAT, "complex"},
        {"{\"__metadata__\":{\"mpno.format\":\"1\"}}", 0, MPNO_E_FORMAT, "file damaged"},
        {"{\"__metadata__\":{\"mpno.checksum\":\"0\"}}", 0, MPNO_E_FORMAT, "file damaged"},
    };
    mpno_tensor_file *file;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_fails(ctx, parse_text(ctx, cases[i].header, cases[i].n, &file), cases[i].code,
                     cases[i].part);
        assert_null(file);
    }
    unsigned char huge[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, '{', '}'};
    assert_fails(ctx, mpno_safetensors_parse(ctx, huge, sizeof huge, &file), MPNO_E_FORMAT,
                 "more than");
    assert_fails(ctx, mpno_safetensors_read(ctx, "/nowhere/x.safetensors", &file), MPNO_E_IO,
                 "/nowhere");
}

static void every_truncation_is_an_error(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file = sample_file(ctx), *back;
    assert_ok(ctx, mpno_safetensors_write(ctx, path, file));
    blob b = load(path);
    for (size_t n = 0; n < b.size; n++) {
        unsigned char *cut = malloc(n > 0 ? n : 1);
        assert_non_null(cut);
        memcpy(cut, b.data, n);
        assert_int_equal(mpno_safetensors_parse(ctx, cut, n, &back), MPNO_E_FORMAT);
        free(cut);
    }
    free(b.data);
    mpno_tensor_file_destroy(ctx, &file);
}

static void every_flipped_bit_is_an_error(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file = sample_file(ctx), *back;
    assert_ok(ctx, mpno_safetensors_write(ctx, path, file));
    blob b = load(path);
    for (size_t bit = 0; bit < 8 * b.size; bit++) {
        b.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (mpno_safetensors_parse(ctx, b.data, b.size, &back) == MPNO_OK)
            fail_msg("bit %zu of byte %zu can change unseen", bit % 8, bit / 8);
        assert_null(back);
        b.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_ok(ctx, mpno_safetensors_parse(ctx, b.data, b.size, &back));
    free(b.data);
    mpno_tensor_file_destroy(ctx, &back);
    mpno_tensor_file_destroy(ctx, &file);
}

static void memory_may_run_out_anywhere(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file = sample_file(ctx), *back;
    size_t held = mpno_ctx_bytes(ctx);
    mpno_status status = MPNO_E_MEMORY;
    for (int64_t n = 0; status == MPNO_E_MEMORY; n++) {
        mpno_alloc_fail_after(ctx, n);
        status = mpno_safetensors_write(ctx, path, file);
        assert_true(mpno_ctx_bytes(ctx) == held);
    }
    assert_int_equal(status, MPNO_OK);
    status = MPNO_E_MEMORY;
    for (int64_t n = 0; status == MPNO_E_MEMORY; n++) {
        mpno_alloc_fail_after(ctx, n);
        status = mpno_safetensors_read(ctx, path, &back);
        assert_true(status == MPNO_OK || (!back && mpno_ctx_bytes(ctx) == held));
    }
    assert_int_equal(status, MPNO_OK);
    mpno_alloc_fail_after(ctx, -1);
    mpno_tensor_file_destroy(ctx, &back);
    mpno_tensor_file_destroy(ctx, &file);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_context, end_context)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(crc_has_the_published_check_value),
        TEST(round_trip_keeps_every_bit),
        TEST(an_empty_list_and_views_can_be_written),
        TEST(values_of_eight_bits),
        TEST(the_writer_refuses_what_cannot_come_back),
        TEST(files_of_others_are_read),
        TEST(wrong_headers_are_errors),
        TEST(every_truncation_is_an_error),
        TEST(every_flipped_bit_is_an_error),
        TEST(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
