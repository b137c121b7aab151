/* SPDX-License-Identifier: MIT
 * HDF5: what h5py wrote is read as it stands, what goes in comes out, what is damaged is an error.
 */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "core/memory.h"
#include "core/rng.h"
#include "data/hdf5.h"

#define SAMPLE "tests/data/sample.h5" /* by h5py 3.7, see tests/data/README.md */

static char folder[] = "/tmp/mpno-test-hdf5-XXXXXX";
static char path[100], other[100];

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/file.h5", folder);
    snprintf(other, sizeof other, "%s/other.h5", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    unlink(other);
    return rmdir(folder); /* also fails when the writer left a temporary file */
}

static void save(const char *to, const void *data, size_t n) {
    FILE *file = fopen(to, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static const mpno_named_tensor *tensor(const mpno_tensor_file *file, const char *name,
                                       mpno_element element, int ndim) {
    const mpno_named_tensor *t = mpno_tensor_file_find(file, name);
    assert_non_null(t);
    assert_int_equal(t->element, element);
    assert_int_equal(t->ndim, ndim);
    return t;
}

static const char *text(const mpno_tensor_file *file, const char *key) {
    const mpno_value *value = mpno_value_get(file->metadata, key);
    assert_non_null(value);
    return value->string;
}

static void what_h5py_wrote_is_read(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file;
    assert_ok(ctx, mpno_hdf5_read(ctx, SAMPLE, &file));
    assert_int_equal(file->n, 11);
    const float *f32 = tensor(file, "field/f32_be", MPNO_ELEMENT_F32, 2)->data;
    for (int i = 0; i < 6; i++) assert_true(f32[i] == (float)i / 4);
    const uint16_t *f16 = tensor(file, "field/f16", MPNO_ELEMENT_F16, 1)->data;
    assert_int_equal(f16[0], 0x3c00);
    assert_int_equal(f16[1], 0xc100);
    assert_int_equal(f16[2], 0x7bff);
    const int16_t *i16 = tensor(file, "field/i16_be", MPNO_ELEMENT_I16, 1)->data;
    assert_true(i16[0] == -3 && i16[1] == 300);
    const uint64_t *u64 = tensor(file, "field/u64", MPNO_ELEMENT_U64, 1)->data;
    assert_true(u64[0] == UINT64_MAX && u64[1] == 0);
    const float *c64 = tensor(file, "field/c64_be", MPNO_ELEMENT_C64, 1)->data;
    assert_true(c64[0] == 1 && c64[1] == 2 && c64[2] == 0 && c64[3] == -3.5f);
    const uint8_t *truth = tensor(file, "truth", MPNO_ELEMENT_BOOL, 2)->data;
    assert_true(truth[0] == 1 && truth[1] == 0 && truth[2] == 0 && truth[3] == 1);
    assert_true(*(double *)tensor(file, "scalar", MPNO_ELEMENT_F64, 0)->data == 2.5);
    assert_int_equal(tensor(file, "empty", MPNO_ELEMENT_I32, 2)->shape[1], 3);
    const int32_t *gzip = tensor(file, "packed/gzip", MPNO_ELEMENT_I32, 2)->data;
    const float *lzf = tensor(file, "packed/lzf", MPNO_ELEMENT_F32, 2)->data;
    for (int i = 0; i < 60; i++) assert_true(gzip[i] == i && lzf[i] == (float)(i / 7));
    const double *summed = tensor(file, "packed/fletcher32", MPNO_ELEMENT_F64, 1)->data;
    for (int i = 0; i < 8; i++) assert_true(summed[i] == i);
    assert_string_equal(text(file, "beta"), "0.1");
    assert_string_equal(text(file, "name"), "\xc3\xbcn\xc3\xaf");
    assert_string_equal(text(file, "grid"), "[1, 2, 3]");
    assert_string_equal(text(file, "periodic"), "true");
    assert_string_equal(text(file, "truth@unit"), "m");
    assert_string_equal(text(file, "text"), "<texts>");
    assert_string_equal(text(file, "records"), "<records (a compound type)>");
    mpno_tensor_file_destroy(ctx, &file);
}

static void a_listing_has_shapes_and_no_values(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file, *list;
    assert_ok(ctx, mpno_hdf5_read(ctx, SAMPLE, &file));
    assert_ok(ctx, mpno_hdf5_list(ctx, SAMPLE, &list));
    assert_int_equal(file->n, list->n);
    for (size_t i = 0; i < file->n; i++) {
        assert_string_equal(file->tensors[i].name, list->tensors[i].name);
        assert_int_equal(file->tensors[i].bytes, list->tensors[i].bytes);
        assert_null(list->tensors[i].data);
    }
    mpno_tensor_file_destroy(ctx, &file);
    mpno_tensor_file_destroy(ctx, &list);
}

static void a_piece_is_what_was_asked_for(void **state) {
    mpno_ctx *ctx = *state;
    int32_t box[6];
    float line[2];
    double one;
    mpno_piece pieces[] = {
        {"packed/gzip", MPNO_ELEMENT_I32, 2, {1, 2}, {2, 3}, {3, 2}, box},
        {"field/f32_be", MPNO_ELEMENT_F32, 2, {1, 1}, {1, 2}, {1, 1}, line},
        {"scalar", MPNO_ELEMENT_F64, 0, {0}, {0}, {0}, &one},
        {"alias", MPNO_ELEMENT_F16, 1, {0}, {0}, {1}, NULL},
    };
    assert_ok(ctx, mpno_hdf5_fetch(ctx, SAMPLE, 4, pieces));
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++) assert_int_equal(box[3 * i + j], (1 + 3 * i) * 10 + 2 + 2 * j);
    assert_true(line[0] == 1 && line[1] == 1.25f && one == 2.5);
    pieces[0].count[1] = 5;
    assert_fails(ctx, mpno_hdf5_fetch(ctx, SAMPLE, 1, pieces), MPNO_E_ARGUMENT, "axis 1");
    pieces[0].count[1] = -1;
    assert_int_equal(mpno_hdf5_fetch(ctx, SAMPLE, 1, pieces), MPNO_E_FORMAT);
    pieces[1].element = MPNO_ELEMENT_F64;
    assert_fails(ctx, mpno_hdf5_fetch(ctx, SAMPLE, 1, &pieces[1]), MPNO_E_FORMAT, "changed");
    pieces[1].name = "nowhere";
    assert_fails(ctx, mpno_hdf5_fetch(ctx, SAMPLE, 1, &pieces[1]), MPNO_E_FORMAT, "nowhere");
}

/* One tensor of every element type, of 0 to 4 dimensions, one empty, and metadata. */
static mpno_tensor_file *sample_file(mpno_ctx *ctx) {
    mpno_tensor_file *file;
    mpno_rng rng = mpno_rng_make(7, MPNO_STREAM_TEST, 0);
    assert_ok(ctx, mpno_tensor_file_create(ctx, &file));
    for (int i = 0; i <= MPNO_ELEMENT_COUNT; i++) {
        char name[40];
        int64_t shape[4] = {1 + i % 3, 2, 3, 1};
        mpno_element element = i < MPNO_ELEMENT_F8E4M3 ? (mpno_element)i : MPNO_ELEMENT_C64;
        mpno_named_tensor *t;
        if (i == MPNO_ELEMENT_COUNT) shape[1] = 0;
        snprintf(name, sizeof name, "%s/%d.%s", i % 2 ? "a" : "a/b", i, mpno_element_name(element));
        assert_ok(
            ctx, mpno_tensor_file_add(ctx, file, name, element, i == 5 ? 0 : i % 3 + 2, shape, &t));
        for (size_t k = 0; k < t->bytes; k++) {
            unsigned char byte = (unsigned char)mpno_rng_u32(&rng);
            ((unsigned char *)t->data)[k] = element == MPNO_ELEMENT_BOOL ? byte & 1 : byte;
        }
    }
    assert_ok(ctx, mpno_value_set_string(ctx, file->metadata, "config", "{\"n_modes\": [8, 8]}\n"));
    assert_ok(ctx, mpno_value_set_string(ctx, file->metadata, "a/1.f32@unit", "m\xc2\xb2"));
    return file;
}

static void round_trip_keeps_every_bit(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file = sample_file(ctx), *back;
    assert_ok(ctx, mpno_hdf5_write(ctx, path, file));
    assert_ok(ctx, mpno_hdf5_read(ctx, path, &back));
    assert_int_equal(file->n, back->n);
    for (size_t i = 0; i < file->n; i++) {
        const mpno_named_tensor *p = &file->tensors[i];
        const mpno_named_tensor *q = tensor(back, p->name, p->element, p->ndim);
        for (int d = 0; d < p->ndim; d++) assert_int_equal(p->shape[d], q->shape[d]);
        assert_memory_equal(p->data, q->data, p->bytes);
    }
    assert_int_equal(back->metadata->n, 2);
    assert_string_equal(text(back, "config"), "{\"n_modes\": [8, 8]}\n");
    assert_string_equal(text(back, "a/1.f32@unit"), "m\xc2\xb2");
    mpno_tensor_file_destroy(ctx, &back);
    mpno_tensor_file_destroy(ctx, &file);
}

static void the_same_input_gives_the_same_bytes(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file = sample_file(ctx);
    assert_ok(ctx, mpno_hdf5_write(ctx, path, file));
    sleep(1); /* a time stamp would count seconds */
    assert_ok(ctx, mpno_hdf5_write(ctx, other, file));
    blob a = load(path), b = load(other);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    free(a.data);
    free(b.data);
    mpno_tensor_file_destroy(ctx, &file);
}

static void values_can_be_written_at_their_places(void **state) {
    mpno_ctx *ctx = *state;
    mpno_value *attributes, *list;
    mpno_hdf5_set sets[] = {{"x", MPNO_ELEMENT_F64, 2, {3, 2}, NULL, NULL, 0},
                            {"more/y", MPNO_ELEMENT_F32, 1, {2}, NULL, NULL, 0},
                            {"none", MPNO_ELEMENT_F32, 2, {0, 4}, NULL, NULL, 0}};
    const double x[6] = {1, 2, 3, 4, 5, 6};
    const float y[2] = {7, 8};
    assert_ok(ctx, mpno_value_map(ctx, &attributes));
    assert_ok(ctx, mpno_value_set_real(ctx, attributes, "alpha", 2));
    assert_ok(ctx, mpno_value_set_int(ctx, attributes, "seed", -3));
    assert_ok(ctx, mpno_value_set_bool(ctx, attributes, "done", true));
    assert_ok(ctx, mpno_value_from_text(ctx, "[12, 3.5]", &list));
    assert_ok(ctx, mpno_value_set(ctx, attributes, "values", list));
    sets[0].attributes = attributes;
    assert_ok(ctx, mpno_hdf5_create(ctx, path, 3, sets, attributes));
    assert_true(sets[0].offset > 0 && sets[1].offset > 0 && sets[2].offset == 0);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, x, sizeof x, (off_t)sets[0].offset), sizeof x);
    assert_int_equal(pwrite(fd, y, sizeof y, (off_t)sets[1].offset), sizeof y);
    close(fd);
    mpno_tensor_file *back;
    assert_ok(ctx, mpno_hdf5_read(ctx, path, &back));
    assert_memory_equal(tensor(back, "x", MPNO_ELEMENT_F64, 2)->data, x, sizeof x);
    assert_memory_equal(tensor(back, "more/y", MPNO_ELEMENT_F32, 1)->data, y, sizeof y);
    assert_string_equal(text(back, "alpha"), "2.0");
    assert_string_equal(text(back, "x@seed"), "-3");
    assert_string_equal(text(back, "done"), "true");
    assert_string_equal(text(back, "values"), "[12.0, 3.5]");
    mpno_tensor_file_destroy(ctx, &back);
    const uint64_t offset = sets[1].offset;
    sets[1].offset = 0;
    assert_ok(ctx, mpno_hdf5_locate(ctx, path, 3, sets));
    assert_true(sets[1].offset == offset);
    sets[1].shape[0] = 3;
    assert_fails(ctx, mpno_hdf5_locate(ctx, path, 3, sets), MPNO_E_FORMAT, "more/y");
    assert_ok(ctx, mpno_value_set_map(ctx, attributes, "map", &list));
    assert_fails(ctx, mpno_hdf5_create(ctx, path, 1, sets, attributes), MPNO_E_ARGUMENT, "'map'");
    sets[0].name = "a//b";
    assert_fails(ctx, mpno_hdf5_create(ctx, path, 1, sets, NULL), MPNO_E_ARGUMENT, "a//b");
    mpno_tensor_file *narrow;
    mpno_named_tensor *t;
    assert_ok(ctx, mpno_tensor_file_create(ctx, &narrow));
    assert_ok(ctx,
              mpno_tensor_file_add(ctx, narrow, "w", MPNO_ELEMENT_F8E5M2, 1, (int64_t[]){2}, &t));
    assert_fails(ctx, mpno_hdf5_write(ctx, path, narrow), MPNO_E_UNSUPPORTED, "f8e5m2");
    mpno_tensor_file_destroy(ctx, &narrow);
    assert_fails(ctx, mpno_hdf5_create(ctx, "/nowhere/x.h5", 1, sets, NULL), MPNO_E_IO, "/nowhere");
    mpno_value_destroy(ctx, &attributes);
}

static void every_truncation_is_an_error(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *back;
    blob b = load(SAMPLE);
    for (size_t n = 0; n < b.size; n += n < 600 ? 1 : 97) {
        save(path, b.data, n);
        assert_int_equal(mpno_hdf5_read(ctx, path, &back), MPNO_E_FORMAT);
        assert_null(back);
    }
    free(b.data);
}

static void save_flipped(blob b, size_t bit) {
    b.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    save(path, b.data, b.size);
    b.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
}

/* Files by h5py have few checksums: nothing may crash. The bits named are ones that end the HDF5
 * library 1.10.8 by a fault, in types, the heap of texts and attributes. */
static void a_flipped_bit_never_crashes(void **state) {
    mpno_ctx *ctx = *state;
    static const size_t faults[] = {43449, 127060, 162431, 162863};
    mpno_rng rng = mpno_rng_make(3, MPNO_STREAM_TEST, 0);
    mpno_tensor_file *back;
    blob b = load(SAMPLE);
    for (size_t i = 0; i < 150; i++) {
        save_flipped(b, i < 4 ? faults[i] : mpno_rng_u32(&rng) % (8 * b.size));
        mpno_status status = mpno_hdf5_read(ctx, path, &back);
        if (status == MPNO_OK) mpno_tensor_file_destroy(ctx, &back);
    }
    free(b.data);
}

/* What mpno wrote has checksums over headers and values; HDF5 leaves room in it that nothing uses,
 * where a bit may change without changing what is read. */
static void a_flipped_bit_of_our_files_changes_nothing_unseen(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file = sample_file(ctx), *back;
    assert_ok(ctx, mpno_hdf5_write(ctx, other, file));
    blob b = load(other);
    for (size_t bit = 0; bit < 8 * b.size; bit += 31) { /* 31: every place in a byte in turn */
        save_flipped(b, bit);
        if (mpno_hdf5_read(ctx, path, &back) != MPNO_OK) continue;
        if (back->n != file->n || back->metadata->n != file->metadata->n)
            fail_msg("bit %zu of byte %zu can change unseen", bit % 8, bit / 8);
        for (size_t i = 0; i < file->n; i++) {
            const mpno_named_tensor *p = &file->tensors[i];
            const mpno_named_tensor *q = tensor(back, p->name, p->element, p->ndim);
            assert_memory_equal(p->data, q->data, p->bytes);
        }
        assert_string_equal(text(back, "config"), "{\"n_modes\": [8, 8]}\n");
        mpno_tensor_file_destroy(ctx, &back);
    }
    free(b.data);
    mpno_tensor_file_destroy(ctx, &file);
}

static void memory_may_run_out_anywhere(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file = sample_file(ctx), *back;
    size_t held = mpno_ctx_bytes(ctx);
    mpno_status status = MPNO_E_MEMORY;
    for (int64_t n = 0; status == MPNO_E_MEMORY; n++) {
        mpno_alloc_fail_after(ctx, n);
        status = mpno_hdf5_write(ctx, path, file);
        assert_true(mpno_ctx_bytes(ctx) == held);
    }
    assert_int_equal(status, MPNO_OK);
    status = MPNO_E_MEMORY;
    for (int64_t n = 0; status == MPNO_E_MEMORY; n++) {
        mpno_alloc_fail_after(ctx, n);
        status = mpno_hdf5_read(ctx, SAMPLE, &back);
        assert_true(status == MPNO_OK || (!back && mpno_ctx_bytes(ctx) == held));
    }
    assert_int_equal(status, MPNO_OK);
    mpno_alloc_fail_after(ctx, -1);
    mpno_tensor_file_destroy(ctx, &back);
    mpno_tensor_file_destroy(ctx, &file);
}

static void *read_often(void *user) {
    (void)user;
    mpno_ctx *ctx;
    if (mpno_ctx_create(NULL, &ctx) != MPNO_OK) return "no context";
    for (int i = 0; i < 20; i++) {
        mpno_tensor_file *file;
        if (mpno_hdf5_read(ctx, SAMPLE, &file) != MPNO_OK) return "not read";
        mpno_tensor_file_destroy(ctx, &file);
    }
    mpno_ctx_destroy(&ctx);
    return NULL;
}

static void threads_take_turns(void **state) {
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, NULL), 0);
    for (int i = 0; i < 4; i++) {
        void *failure;
        assert_int_equal(pthread_join(threads[i], &failure), 0);
        assert_null(failure);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_context, end_context)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_h5py_wrote_is_read),
        TEST(a_listing_has_shapes_and_no_values),
        TEST(a_piece_is_what_was_asked_for),
        TEST(round_trip_keeps_every_bit),
        TEST(the_same_input_gives_the_same_bytes),
        TEST(values_can_be_written_at_their_places),
        TEST(every_truncation_is_an_error),
        TEST(a_flipped_bit_never_crashes),
        TEST(a_flipped_bit_of_our_files_changes_nothing_unseen),
        TEST(memory_may_run_out_anywhere),
        TEST(threads_take_turns),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
