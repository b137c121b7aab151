/* SPDX-License-Identifier: MIT
 * NumPy's files: what NumPy wrote is read, what goes in comes out, what is damaged is an error. */
#include "support.h"

#include <unistd.h>

#include "core/rng.h"
#include "data/npy.h"

#define SAMPLE "tests/data/sample.npz" /* by NumPy 1.24, see tests/data/README.md */

static char folder[] = "/tmp/mpno-test-npy-XXXXXX";
static char path[100];

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/file.npy", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void what_numpy_wrote_is_read(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file;
    assert_ok(ctx, mpno_npz_read(ctx, SAMPLE, &file));
    assert_int_equal(file->n, 4);
    const mpno_named_tensor *t = mpno_tensor_file_find(file, "x");
    assert_int_equal(t->element, MPNO_ELEMENT_F32);
    assert_int_equal(t->ndim, 3);
    for (int i = 0; i < 24; i++) assert_true(((float *)t->data)[i] == (float)i);
    t = mpno_tensor_file_find(file, "fortran");
    assert_int_equal(t->element, MPNO_ELEMENT_I16);
    assert_true(t->shape[0] == 2 && t->shape[1] == 3);
    for (int i = 0; i < 6; i++) assert_int_equal(((int16_t *)t->data)[i], i);
    t = mpno_tensor_file_find(file, "truth");
    assert_int_equal(t->element, MPNO_ELEMENT_BOOL);
    assert_true(((uint8_t *)t->data)[0] == 1 && ((uint8_t *)t->data)[1] == 0);
    t = mpno_tensor_file_find(file, "c");
    assert_int_equal(t->element, MPNO_ELEMENT_C64);
    assert_int_equal(t->ndim, 0);
    assert_true(((float *)t->data)[0] == 1 && ((float *)t->data)[1] == -2);
    mpno_tensor_file_destroy(ctx, &file);
}

static void round_trip_keeps_every_bit(void **state) {
    mpno_ctx *ctx = *state;
    mpno_rng rng = mpno_rng_make(7, MPNO_STREAM_TEST, 0);
    const int64_t shape[4] = {3, 1, 4, 2};
    for (int i = 0; i < MPNO_ELEMENT_COUNT; i++) {
        mpno_tensor_file *file, *back, *list;
        mpno_named_tensor *t;
        assert_ok(ctx, mpno_tensor_file_create(ctx, &file));
        assert_ok(ctx, mpno_tensor_file_add(ctx, file, "u", (mpno_element)i, i % 5, shape, &t));
        for (size_t k = 0; k < t->bytes; k++)
            ((unsigned char *)t->data)[k] =
                (unsigned char)(mpno_rng_u32(&rng) & (i == MPNO_ELEMENT_BOOL ? 1 : 255));
        if (i == MPNO_ELEMENT_BF16 || i >= MPNO_ELEMENT_F8E4M3) {
            assert_fails(ctx, mpno_npy_write(ctx, path, file), MPNO_E_ARGUMENT,
                         mpno_element_name((mpno_element)i));
            mpno_tensor_file_destroy(ctx, &file);
            continue;
        }
        assert_ok(ctx, mpno_npy_write(ctx, path, file));
        assert_ok(ctx, mpno_npy_read(ctx, path, &back));
        assert_ok(ctx, mpno_npy_list(ctx, path, &list));
        const mpno_named_tensor *b = &back->tensors[0];
        assert_int_equal(b->element, i);
        assert_int_equal(b->ndim, i % 5);
        assert_memory_equal(b->shape, t->shape, sizeof t->shape);
        assert_memory_equal(b->data, t->data, t->bytes);
        assert_null(list->tensors[0].data);
        assert_int_equal(list->tensors[0].bytes, t->bytes);
        mpno_tensor_file_destroy(ctx, &list);
        mpno_tensor_file_destroy(ctx, &back);
        mpno_tensor_file_destroy(ctx, &file);
    }
}

static void only_one_tensor_can_be_written(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file;
    assert_ok(ctx, mpno_tensor_file_create(ctx, &file));
    assert_fails(ctx, mpno_npy_write(ctx, path, file), MPNO_E_ARGUMENT, "one tensor, not 0");
    mpno_tensor_file_destroy(ctx, &file);
}

/* A file of this version, header text and n bytes 0, 1, 2, ... */
static mpno_status parse(mpno_ctx *ctx, int version, const char *header, size_t n,
                         mpno_tensor_file **out) {
    const size_t length = strlen(header), start = version == 1 ? 10 : 12;
    unsigned char *data = calloc(1, start + length + n);
    assert_non_null(data);
    memcpy(data, "\x93NUMPY", 6);
    data[6] = (unsigned char)version;
    data[8] = (unsigned char)length;
    memcpy(data + start, header, length);
    for (size_t i = 0; i < n; i++) data[start + length + i] = (unsigned char)i;
    mpno_status status = mpno_npy_parse(ctx, data, start + length + n, out);
    free(data);
    return status;
}

static void headers_of_every_version_are_read(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file;
    for (int version = 1; version <= 3; version++) {
        assert_ok(ctx, parse(ctx, version,
                             "{\"shape\":(2,), 'fortran_order':True,'descr':'>u2' } \n", 4, &file));
        const uint16_t *u = file->tensors[0].data;
        assert_true(u[0] == 0x0001 && u[1] == 0x0203);
        mpno_tensor_file_destroy(ctx, &file);
    }
    assert_ok(ctx,
              parse(ctx, 1, "{'descr':'|u1','fortran_order':True,'shape':(2,3,2)}", 12, &file));
    static const unsigned char wanted[12] = {0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11};
    assert_memory_equal(file->tensors[0].data, wanted, sizeof wanted);
    mpno_tensor_file_destroy(ctx, &file);
}

static void wrong_headers_are_errors(void **state) {
    mpno_ctx *ctx = *state;
#define REST "'fortran_order':False,'shape':(1,)}"
    static const struct {
        int version;
        const char *header;
        size_t n;
        mpno_status code;
        const char *part;
    } cases[] = {
        {4, "{'descr':'<f4'," REST, 4, MPNO_E_UNSUPPORTED, "version 4.0"},
        {0, "{'descr':'<f4'," REST, 4, MPNO_E_UNSUPPORTED, "version 0.0"},
        {1, "{'descr':'|O'," REST, 8, MPNO_E_UNSUPPORTED, "Python objects"},
        {1, "{'descr':'<U3'," REST, 12, MPNO_E_UNSUPPORTED, "<U3"},
        {1, "{'descr':'<M8[s]'," REST, 8, MPNO_E_UNSUPPORTED, "<M8[s]"},
        {1, "{'descr':'<f16'," REST, 16, MPNO_E_UNSUPPORTED, "<f16"},
        {1, "{'descr':[('a','<f4')]," REST, 4, MPNO_E_UNSUPPORTED, "records"},
        {1, "{'descr':'f4'," REST, 4, MPNO_E_FORMAT, "byte order"},
        {1, "{'descr':'|f4'," REST, 4, MPNO_E_FORMAT, "byte order"},
        {1, "{'descr':'<f4'," REST, 3, MPNO_E_FORMAT, "3 are there"},
        {1, "{'descr':'<f4'," REST, 5, MPNO_E_FORMAT, "5 are there"},
        {1, "{'descr':'<f4'," REST "x", 4, MPNO_E_FORMAT, "header"},
        {1, "{'descr':'<f4'}", 4, MPNO_E_FORMAT, "header"},
        {1, "{'descr':'<f4','descr':'<f4'," REST, 4, MPNO_E_FORMAT, "header"},
        {1, "{'descr':'<f4','more':1," REST, 4, MPNO_E_FORMAT, "header"},
        {1, "{'descr':'<f4','fortran_order':1,'shape':(1,)}", 4, MPNO_E_FORMAT, "header"},
        {1, "{'descr':'<f4','fortran_order':False,'shape':(-1,)}", 4, MPNO_E_FORMAT, "shape"},
        {1, "{'descr':'<f4','fortran_order':False,'shape':(1)}", 4, MPNO_E_FORMAT, "shape"},
        {1, "{'descr':'<f4','fortran_order':False,'shape':1}", 4, MPNO_E_FORMAT, "shape"},
        {1, "{'descr':'<f4','fortran_order':False,'shape':(99999999999999999999,)}", 4,
         MPNO_E_FORMAT, "shape"},
        {1, "{'descr':'<f4','fortran_order':False,'shape':(4294967296,4294967296)}", 4,
         MPNO_E_FORMAT, "too large"},
        {1, "{'descr':'<f4','fortran_order':False,'shape':(1,1,1,1,1,1,1,1,1)}", 4,
         MPNO_E_UNSUPPORTED, "8 dimensions"},
    };
    mpno_tensor_file *file;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_fails(ctx, parse(ctx, cases[i].version, cases[i].header, cases[i].n, &file),
                     cases[i].code, cases[i].part);
        assert_null(file);
    }
    assert_fails(ctx, mpno_npy_parse(ctx, "PK", 2, &file), MPNO_E_FORMAT, "NUMPY");
    assert_fails(ctx, mpno_npz_parse(ctx, "\x93NUMPY", 6, &file), MPNO_E_FORMAT, "zip");
    assert_fails(ctx, mpno_npy_read(ctx, "/nowhere/x.npy", &file), MPNO_E_IO, "/nowhere");
}

static void every_truncation_is_an_error(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file;
    blob b = load(SAMPLE);
    for (size_t n = 0; n < b.size; n++) {
        unsigned char *cut = malloc(n > 0 ? n : 1);
        assert_non_null(cut);
        memcpy(cut, b.data, n);
        assert_int_equal(mpno_npz_parse(ctx, cut, n, &file), MPNO_E_FORMAT);
        assert_null(file);
        free(cut);
    }
    free(b.data);
    mpno_named_tensor *t;
    const int64_t shape[2] = {3, 2};
    assert_ok(ctx, mpno_tensor_file_create(ctx, &file));
    assert_ok(ctx, mpno_tensor_file_add(ctx, file, "u", MPNO_ELEMENT_F64, 2, shape, &t));
    memset(t->data, 0, t->bytes);
    assert_ok(ctx, mpno_npy_write(ctx, path, file));
    mpno_tensor_file_destroy(ctx, &file);
    b = load(path);
    for (size_t n = 0; n < b.size; n++) {
        unsigned char *cut = malloc(n > 0 ? n : 1);
        assert_non_null(cut);
        memcpy(cut, b.data, n);
        assert_int_equal(mpno_npy_parse(ctx, cut, n, &file), MPNO_E_FORMAT);
        free(cut);
    }
    free(b.data);
}

/* A .npz has a CRC for each entry: whatever bit changes, no value changes unseen. A .npy has none:
 * nothing may crash. */
static void a_flipped_bit_changes_no_value_unseen(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file, *right;
    blob b = load(SAMPLE);
    assert_ok(ctx, mpno_npz_parse(ctx, b.data, b.size, &right));
    for (size_t bit = 0; bit < 8 * b.size; bit++) {
        b.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (mpno_npz_parse(ctx, b.data, b.size, &file) == MPNO_OK) {
            assert_int_equal(file->n, right->n);
            for (size_t i = 0; i < file->n; i++)
                assert_memory_equal(file->tensors[i].data, right->tensors[i].data,
                                    right->tensors[i].bytes);
            mpno_tensor_file_destroy(ctx, &file);
        }
        b.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    mpno_tensor_file_destroy(ctx, &right);
    free(b.data);
    b = load(path);
    for (size_t bit = 0; bit < 8 * b.size; bit++) {
        b.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (mpno_npy_parse(ctx, b.data, b.size, &file) == MPNO_OK)
            mpno_tensor_file_destroy(ctx, &file);
        b.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    free(b.data);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_context, end_context)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_numpy_wrote_is_read),
        TEST(round_trip_keeps_every_bit),
        TEST(only_one_tensor_can_be_written),
        TEST(headers_of_every_version_are_read),
        TEST(wrong_headers_are_errors),
        TEST(every_truncation_is_an_error),
        TEST(a_flipped_bit_changes_no_value_unseen),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
