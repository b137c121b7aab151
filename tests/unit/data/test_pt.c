/* SPDX-License-Identifier: MIT
 * torch.save files: genuine ones against values known from elsewhere, damaged and hostile ones
 * against the promise that nothing is run, nothing crashes and nothing changes unseen. */
#include "pt_maker.h"
#include "support.h"

#include <math.h>

#include "core/memory.h"
#include "core/rng.h"
#include "data/pt.h"

static const char *const DARCY = "examples/data/darcy_test_16.pt";

static mpno_tensor_file *read_pt(mpno_ctx *ctx, const char *path) {
    mpno_tensor_file *file;
    assert_ok(ctx, mpno_pt_read(ctx, path, &file));
    return file;
}

static double sum_of(const mpno_named_tensor *tensor) {
    double sum = 0;
    for (size_t i = 0; i < tensor->bytes / mpno_element_bytes(tensor->element); i++)
        sum += tensor->element == MPNO_ELEMENT_BOOL ? ((const uint8_t *)tensor->data)[i]
                                                    : (double)((const float *)tensor->data)[i];
    return sum;
}

static void darcy_has_the_known_sums_and_entries(void **state) {
    static const struct {
        const char *path;
        int64_t samples, points;
        double x_sum, y_sum;
    } sets[] = {
        {"examples/data/darcy_train_16.pt", 1000, 16, 127858, 98896.797},
        {"examples/data/darcy_test_16.pt", 50, 16, 6298, 5100.8868},
        {"examples/data/darcy_test_32.pt", 50, 32, 25237, 20574.894},
    };
    mpno_ctx *ctx = *state;
    for (int i = 0; i < 3; i++) {
        mpno_tensor_file *file = read_pt(ctx, sets[i].path);
        const mpno_named_tensor *x = mpno_tensor_file_find(file, "x");
        const mpno_named_tensor *y = mpno_tensor_file_find(file, "y");
        assert_int_equal(file->n, 2);
        assert_int_equal(x->element, MPNO_ELEMENT_BOOL);
        assert_int_equal(y->element, MPNO_ELEMENT_F32);
        for (int k = 0; k < 2; k++) {
            const mpno_named_tensor *t = k == 0 ? x : y;
            assert_int_equal(t->ndim, 3);
            assert_int_equal(t->shape[0], sets[i].samples);
            assert_int_equal(t->shape[1], sets[i].points);
            assert_int_equal(t->shape[2], sets[i].points);
        }
        assert_true(sum_of(x) == sets[i].x_sum);
        assert_true(fabs(sum_of(y) / sets[i].y_sum - 1) < 1e-7);
        mpno_tensor_file_destroy(ctx, &file);
    }
}

/* y[n, i, j] of a set on a 16 x 16 grid. */
static double entry(const mpno_tensor_file *file, int n, int i, int j) {
    const mpno_named_tensor *y = mpno_tensor_file_find(file, "y");
    return (double)((const float *)y->data)[(n * 16 + i) * 16 + j];
}

static void strides_are_honoured(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file = read_pt(ctx, "examples/data/darcy_train_16.pt");
    static const double first[4] = {1.1645e-5, 3.88656e-4, 6.26365e-4, 1.13515e-3};
    for (int j = 0; j < 4; j++) assert_true(fabs(entry(file, 0, 0, j) / first[j] - 1) < 1e-5);
    assert_true(fabs(entry(file, 0, 8, 8) - 0.899365) < 1e-6);
    assert_true(fabs(entry(file, 0, 1, 2) - 0.0357116) < 1e-7);
    assert_true(fabs(entry(file, 0, 2, 1) - 0.0354672) < 1e-7);
    const uint8_t *x = mpno_tensor_file_find(file, "x")->data;
    for (int j = 0; j < 16; j++) assert_int_equal(x[j], "1110000001111110"[j] - '0');
    mpno_tensor_file_destroy(ctx, &file);
    file = read_pt(ctx, DARCY);
    assert_true(fabs(entry(file, 0, 8, 8) - 0.5177286) < 1e-6);
    assert_true(fabs(entry(file, 49, 1, 2) - 0.0709566) < 1e-7);
    assert_true(fabs(entry(file, 49, 2, 1) - 0.1346997) < 1e-6);
    mpno_tensor_file_destroy(ctx, &file);
}

/* Every second node of the fine set is the coarse set. */
static void the_two_resolutions_agree_exactly(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *coarse = read_pt(ctx, DARCY),
                     *fine = read_pt(ctx, "examples/data/darcy_test_32.pt");
    const float *y = mpno_tensor_file_find(fine, "y")->data;
    const uint8_t *x = mpno_tensor_file_find(fine, "x")->data;
    const uint8_t *x16 = mpno_tensor_file_find(coarse, "x")->data;
    for (int n = 0; n < 50; n++)
        for (int i = 0; i < 16; i++)
            for (int j = 0; j < 16; j++) {
                int at = (n * 32 + 2 * i) * 32 + 2 * j;
                assert_true((double)y[at] == entry(coarse, n, i, j));
                assert_int_equal(x[at], x16[(n * 16 + i) * 16 + j]);
            }
    mpno_tensor_file_destroy(ctx, &coarse);
    mpno_tensor_file_destroy(ctx, &fine);
}

/* Each "param NAME TYPE OFFSET LENGTH DIMS" line of the index is the tensor NAME, to the last bit.
 */
static void compare_with_index(mpno_ctx *ctx, const char *folder, const char *stem,
                               size_t expected) {
    char path[100], line[400], name[200], type[8];
    snprintf(path, sizeof path, "tests/data/%s.pt", stem);
    mpno_tensor_file *file = read_pt(ctx, path);
    snprintf(path, sizeof path, "%s/%s.bin", folder, stem);
    blob raw = load(path);
    snprintf(path, sizeof path, "%s/%s.txt", folder, stem);
    FILE *index = fopen(path, "r");
    assert_non_null(index);
    size_t found = 0, offset, length;
    int at;
    while (fgets(line, sizeof line, index)) {
        if (sscanf(line, "param %199s %7s %zu %zu%n", name, type, &offset, &length, &at) != 4)
            continue;
        const mpno_named_tensor *tensor = mpno_tensor_file_find(file, name);
        assert_non_null(tensor);
        assert_string_equal(mpno_element_name(tensor->element), type);
        char *dims = line + at;
        for (int d = 0; d < tensor->ndim; d++)
            assert_int_equal(strtoll(dims, &dims, 10), tensor->shape[d]);
        assert_string_equal(dims, "\n");
        assert_int_equal(tensor->bytes, length);
        assert_memory_equal(tensor->data, raw.data + offset, length);
        found++;
    }
    assert_int_equal(found, expected);
    assert_int_equal(file->n, expected);
    fclose(index);
    free(raw.data);
    mpno_tensor_file_destroy(ctx, &file);
}

static void state_dicts_are_read_to_the_last_bit(void **state) {
    compare_with_index(*state, "tests/golden", "fno2d_default", 24);
    compare_with_index(*state, "tests/golden", "fno2d_tucker", 32);
}

static void the_rest_of_a_checkpoint_is_a_tree(void **state) {
    static const char *const paths[] = {"tests/data/fno_tiny_state_dict.pt",
                                        "tests/data/fno_tiny_ckpt_state_dict.pt",
                                        "tests/data/fno_tiny_ckpt_metadata.pkl"};
    mpno_ctx *ctx = *state;
    for (int i = 0; i < 3; i++) {
        mpno_tensor_file *file = read_pt(ctx, paths[i]);
        const mpno_value *object = file->object;
        assert_int_equal(file->n, i < 2 ? 24 : 0);
        if (i < 2) {
            assert_string_equal(mpno_value_get(object, "fno_blocks.convs.0.bias")->string,
                                "<tensor 0>");
            object = mpno_value_get(object, "_metadata");
        }
        const mpno_value *modes = mpno_value_get(object, "n_modes");
        assert_int_equal(modes->n, 2);
        assert_int_equal(modes->items[0]->integer, 4);
        assert_true(mpno_value_get(object, "channel_mlp_expansion")->real == 0.5);
        assert_int_equal(mpno_value_get(object, "norm")->kind, MPNO_VALUE_NULL);
        assert_true(mpno_value_get(object, "use_channel_mlp")->boolean);
        assert_string_equal(mpno_value_get(object, "fno_skip")->string, "linear");
        assert_string_equal(mpno_value_get(object, "non_linearity")->string,
                            "<global torch._C._nn.gelu>");
        assert_string_equal(mpno_value_get(object, "conv_module")->string,
                            "<global neuralop.layers.spectral_convolution.SpectralConv>");
        mpno_tensor_file_destroy(ctx, &file);
    }
}

/* -------- archives made by hand -------- */

#define STORAGE(class, key, count) \
    "(X\7\0\0\0storagectorch\n" class "\nX\1\0\0\0" key "X\3\0\0\0cpuK" count "tQ"
#define TENSOR(class, key, count, view) \
    "ctorch._utils\n_rebuild_tensor_v2\n(" STORAGE(class, key, count) view "\x89)tR"
#define PICKLE(text) (text), sizeof(text) - 1

/* A pickle and a storage "0" of n bytes 1, 2, 3, ... */
static void make_archive(zip_maker *z, const char *pickle, size_t pickle_size, size_t n) {
    unsigned char storage[256];
    for (size_t i = 0; i < n; i++) storage[i] = (unsigned char)(i + 1);
    memset(z, 0, sizeof *z);
    zip_add(z, "m/data.pkl", pickle, pickle_size, true);
    zip_add(z, "m/byteorder", "little", 6, false);
    zip_add(z, "m/data/0", storage, n, false);
    zip_add(z, "m/version", "3\n", 2, false);
    zip_finish(z);
}

/* From an exact copy, so that a sanitizer sees reads past the end. */
static mpno_status parse(mpno_ctx *ctx, const void *data, size_t size, mpno_tensor_file **out) {
    void *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    mpno_status status = mpno_pt_parse(ctx, copy, size, out);
    free(copy);
    return status;
}

/* Four views of one storage of 12 bytes: reversed axes with an offset, expanded, a single value,
 * empty; and a list. */
#define BYTES_VIEW(view) TENSOR("ByteStorage", "0", "\14", view)
#define VIEWS \
    "\x80\2}(X\1\0\0\0a" BYTES_VIEW("K\1K\2K\3\x86K\1K\4\x86") \
    "X\1\0\0\0b](" BYTES_VIEW("K\5K\3\x85K\0\x85")          \
    BYTES_VIEW("K\13))") "e"                                \
    "X\1\0\0\0c" BYTES_VIEW("K\0K\0K\3\x86K\3K\1\x86") "u."

static void assert_views(const mpno_tensor_file *file) {
    static const unsigned char a[] = {2, 6, 10, 3, 7, 11}, b0[] = {6, 6, 6}, b1[] = {12};
    assert_int_equal(file->n, 4);
    assert_memory_equal(mpno_tensor_file_find(file, "a")->data, a, sizeof a);
    assert_memory_equal(mpno_tensor_file_find(file, "b.0")->data, b0, sizeof b0);
    assert_memory_equal(mpno_tensor_file_find(file, "b.1")->data, b1, sizeof b1);
    assert_int_equal(mpno_tensor_file_find(file, "b.1")->ndim, 0);
    assert_int_equal(mpno_tensor_file_find(file, "c")->bytes, 0);
}

static void views_share_a_storage(void **state) {
    mpno_ctx *ctx = *state;
    static zip_maker z;
    mpno_tensor_file *file;
    make_archive(&z, PICKLE(VIEWS), 12);
    assert_ok(ctx, parse(ctx, z.data, z.n, &file));
    assert_views(file);
    mpno_tensor_file_destroy(ctx, &file);
}

static void values_of_all_kinds_are_converted(void **state) {
    mpno_ctx *ctx = *state;
    static zip_maker z;
    mpno_tensor_file *file;
    float values[2];
    double wide[2];
    make_archive(&z, PICKLE("\x80\2" TENSOR("ShortStorage", "0", "\4", "K\1K\2\x85K\1\x85") "."),
                 8);
    assert_ok(ctx, parse(ctx, z.data, z.n, &file));
    const mpno_named_tensor *tensor;
    assert_ok(ctx, mpno_tensor_file_require(ctx, file, "tensor", &tensor));
    assert_ok(ctx, mpno_named_tensor_values(ctx, tensor, 0, 2, MPNO_F32, values));
    assert_true(values[0] == 0x0403 && values[1] == 0x0605);
    assert_ok(ctx, mpno_named_tensor_values(ctx, tensor, 1, 1, MPNO_F64, wide));
    assert_true(wide[0] == 0x0605);
    assert_fails(ctx, mpno_named_tensor_values(ctx, tensor, 1, 2, MPNO_F32, values),
                 MPNO_E_ARGUMENT, "it has 2");
    mpno_tensor_file_destroy(ctx, &file);
    make_archive(&z, PICKLE("\x80\2" TENSOR("ComplexFloatStorage", "0", "\1", "K\0))") "."), 8);
    assert_ok(ctx, parse(ctx, z.data, z.n, &file));
    float stored[2];
    memcpy(stored, (const unsigned char[8]){1, 2, 3, 4, 5, 6, 7, 8}, 8);
    assert_ok(ctx, mpno_named_tensor_values(ctx, &file->tensors[0], 0, 1, MPNO_F64, wide));
    assert_true(wide[0] == (double)stored[0] && wide[1] == (double)stored[1]);
    mpno_tensor_file_destroy(ctx, &file);
}

/* What would run a program when Python loads it stays a name, and says so when it is wanted as
 * data. */
static void hostile_pickles_run_nothing(void **state) {
    mpno_ctx *ctx = *state;
    static zip_maker z;
    mpno_tensor_file *file;
    const mpno_named_tensor *tensor;
    make_archive(&z,
                 PICKLE("\x80\2}(X\1\0\0\0xcposix\nsystem\nX\16\0\0\0touch /tmp/own\x85RX\1\0\0\0y"
                        "cbuiltins\neval\nX\1\0\0\0001\x85Ru."),
                 4);
    assert_ok(ctx, parse(ctx, z.data, z.n, &file));
    assert_int_equal(file->n, 0);
    assert_string_equal(mpno_value_get(file->object, "x")->string, "<object posix.system>");
    assert_fails(ctx, mpno_tensor_file_require(ctx, file, "x", &tensor), MPNO_E_FORMAT,
                 "posix.system");
    assert_fails(ctx, mpno_tensor_file_require(ctx, file, "y", &tensor), MPNO_E_FORMAT,
                 "builtins.eval");
    assert_fails(ctx, mpno_tensor_file_require(ctx, file, "z", &tensor), MPNO_E_FORMAT,
                 "no tensor 'z'");
    mpno_tensor_file_destroy(ctx, &file);
    make_archive(&z, PICKLE("\x80\2cneuralop.models.fno\nFNO\n)\x81}X\1\0\0\0xNsb."), 4);
    assert_ok(ctx, parse(ctx, z.data, z.n, &file));
    assert_fails(ctx, mpno_tensor_file_require(ctx, file, "x", &tensor), MPNO_E_FORMAT,
                 "neuralop.models.fno.FNO");
    mpno_tensor_file_destroy(ctx, &file);
}

static void wrong_archives_are_errors(void **state) {
    mpno_ctx *ctx = *state;
    static const struct {
        const char *pickle;
        size_t size, storage;
        const char *part;
    } cases[] = {
        {PICKLE("\x80\2" TENSOR("FloatStorage", "0", "\4", "K\0))") "."), 12, "4 values of f32"},
        {PICKLE("\x80\2" TENSOR("ByteStorage", "1", "\4", "K\0))") "."), 4, "no entry 'm/data/1'"},
        {PICKLE("\x80\2" TENSOR("ByteStorage", "0", "\4",
                                "K\0J\0\0\0\x7fJ\0\0\0\x7f\x86K\0K\0\x86") "."),
         4, "expanded view"},
        {PICKLE("\x80\2" TENSOR("ByteStorage", "0", "\4", "K\0K\5\x85K\1\x85") "."), 4,
         "past the 4"},
        /* one storage, seen with two types: its size fits only one of them */
        {PICKLE("\x80\2]" TENSOR("ByteStorage", "0", "\4", "K\0))") "a" TENSOR("FloatStorage", "0",
                                                                               "\4", "K\0))") "a."),
         4, "4 values of f32"},
        {PICKLE("\x80\2}(X\3\0\0\0a.b" TENSOR(
             "ByteStorage", "0", "\4",
             "K\0))") "X\1\0\0\0a}X\1\0\0\0b" TENSOR("ByteStorage", "0", "\4", "K\0))") "su."),
         4, "both called 'a.b'"},
    };
    static zip_maker z;
    mpno_tensor_file *file;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        make_archive(&z, cases[i].pickle, cases[i].size, cases[i].storage);
        assert_fails(ctx, parse(ctx, z.data, z.n, &file), MPNO_E_FORMAT, cases[i].part);
        assert_null(file);
    }
    memset(&z, 0, sizeof z);
    zip_add(&z, "m/data.pkl", "\x80\2N.", 4, false);
    zip_add(&z, "m/byteorder", "big", 3, false);
    zip_finish(&z);
    assert_fails(ctx, parse(ctx, z.data, z.n, &file), MPNO_E_UNSUPPORTED, "big-endian");
    memset(&z, 0, sizeof z);
    zip_add(&z, "m/other", "\x80\2N.", 4, false);
    zip_finish(&z);
    assert_fails(ctx, parse(ctx, z.data, z.n, &file), MPNO_E_FORMAT, "data.pkl");
}

/* -------- the format before PyTorch 1.6 -------- */

static void assert_same_tensors(const mpno_tensor_file *a, const mpno_tensor_file *b) {
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_string_equal(a->tensors[i].name, b->tensors[i].name);
        assert_int_equal(a->tensors[i].element, b->tensors[i].element);
        assert_int_equal(a->tensors[i].ndim, b->tensors[i].ndim);
        assert_int_equal(a->tensors[i].bytes, b->tensors[i].bytes);
        assert_memory_equal(a->tensors[i].data, b->tensors[i].data, a->tensors[i].bytes);
    }
}

static void old_files_hold_the_same_tensors(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *new = read_pt(ctx, "tests/data/fno_tiny_state_dict.pt");
    mpno_tensor_file *old = read_pt(ctx, "tests/data/fno_tiny_legacy.pt");
    assert_same_tensors(new, old);
    const mpno_value *modes = mpno_value_get(mpno_value_get(old->object, "_metadata"), "n_modes");
    assert_int_equal(modes->items[1]->integer, 4);
    mpno_tensor_file_destroy(ctx, &new);
    mpno_tensor_file_destroy(ctx, &old);
}

static void old_files_hold_views_of_all_types(void **state) {
    mpno_ctx *ctx = *state;
    static const double view[] = {1, 9, 2, 10, 3, 11};
    static const float spectrum[] = {1, 2, 3, -4};
    mpno_tensor_file *file = read_pt(ctx, "tests/data/views_legacy.pt");
    assert_memory_equal(mpno_tensor_file_find(file, "view")->data, view, sizeof view);
    assert_true(*(double *)mpno_tensor_file_find(file, "shared.1")->data == 5);
    assert_int_equal(*(int64_t *)mpno_tensor_file_find(file, "counter")->data, 7);
    assert_memory_equal(mpno_tensor_file_find(file, "flags")->data, "\1\0\1", 3);
    assert_memory_equal(mpno_tensor_file_find(file, "spectrum")->data, spectrum, sizeof spectrum);
    assert_memory_equal(mpno_tensor_file_find(file, "half")->data, "\0\x38", 2);
    assert_int_equal(mpno_tensor_file_find(file, "empty")->bytes, 0);
    assert_int_equal(mpno_value_get(file->object, "epoch")->integer, 4);
    mpno_tensor_file_destroy(ctx, &file);
}

/* Truncation always errors; a flipped bit may change a number (there is no checksum) but neither
 * crashes nor leaks. */
static void damaged_old_files_do_no_harm(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file;
    blob b = load("tests/data/views_legacy.pt");
    for (size_t n = 0; n < b.size; n++) assert_true(parse(ctx, b.data, n, &file) != MPNO_OK);
    for (size_t bit = 0; bit < 8 * b.size; bit++) {
        b.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        mpno_status status = parse(ctx, b.data, b.size, &file);
        assert_true(status == MPNO_OK || status == MPNO_E_FORMAT || status == MPNO_E_UNSUPPORTED);
        mpno_tensor_file_destroy(ctx, &file);
        b.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    free(b.data);
    b = load("tests/data/fno_tiny_legacy.pt");
    for (size_t n = 0; n < b.size; n += 31) assert_true(parse(ctx, b.data, n, &file) != MPNO_OK);
    free(b.data);
}

#define MAGIC "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19."
#define VERSION "\x80\2M\xe9\3."
#define LITTLE "\x80\2}X\r\0\0\0little_endian\x88s."
#define OLD_STORAGE(count) \
    "(X\7\0\0\0storagectorch\nByteStorage\nX\1\0\0\0000X\3\0\0\0cpuK" count "NtQ"
#define OLD_TENSOR(count) \
    "ctorch._utils\n_rebuild_tensor_v2\n(" OLD_STORAGE(count) "K\0K\2\x85K\1\x85\x89)tR"
#define OLD_FILE(object, keys, rest) PICKLE(MAGIC VERSION LITTLE "\x80\2" object "." keys rest)
#define KEYS "\x80\2]X\1\0\0\0000a."
#define TWO_BYTES "\2\0\0\0\0\0\0\0\5\6"

static void wrong_old_files_are_errors(void **state) {
    mpno_ctx *ctx = *state;
    static const struct {
        const char *data;
        size_t size;
        mpno_status status;
        const char *part;
    } cases[] = {
        {PICKLE(MAGIC "\x80\2M\xe8\3."), MPNO_E_UNSUPPORTED, "version 1001"},
        {PICKLE(MAGIC VERSION "\x80\2}X\r\0\0\0little_endian\x89s."), MPNO_E_UNSUPPORTED,
         "big-endian"},
        {PICKLE(MAGIC VERSION "\x80\2}."), MPNO_E_FORMAT, "byte order"},
        {PICKLE(MAGIC VERSION LITTLE "\x80\2" OLD_TENSOR("\2") "."), MPNO_E_FORMAT,
         "list of storages"},
        {OLD_FILE(OLD_TENSOR("\2"), "\x80\2N.", ""), MPNO_E_FORMAT, "not a list"},
        {OLD_FILE(OLD_TENSOR("\2"), "\x80\2].", ""), MPNO_E_FORMAT, "lacks its storage"},
        {OLD_FILE(OLD_TENSOR("\2"), "\x80\2]X\1\0\0\0001a.", TWO_BYTES), MPNO_E_UNSUPPORTED,
         "storage '1' belongs to no tensor"},
        {OLD_FILE(OLD_TENSOR("\2"), "\x80\2]K\0a.", TWO_BYTES), MPNO_E_UNSUPPORTED,
         "belongs to no tensor"},
        {OLD_FILE(OLD_TENSOR("\2"), "\x80\2](X\1\0\0\0000X\1\0\0\0000e.", TWO_BYTES TWO_BYTES),
         MPNO_E_FORMAT, "listed twice"},
        {OLD_FILE(OLD_TENSOR("\2"), KEYS, "\3\0\0\0\0\0\0\0\5\6\7"), MPNO_E_FORMAT,
         "has 3 values, its tensors expect 2"},
        {OLD_FILE(OLD_TENSOR("\2"), KEYS, TWO_BYTES "\0"), MPNO_E_FORMAT, "1 bytes follow"},
        {OLD_FILE("](" OLD_TENSOR("\2") OLD_TENSOR("\3") "e", KEYS, TWO_BYTES), MPNO_E_FORMAT,
         "two types or sizes"},
        {OLD_FILE("(X\7\0\0\0storagectorch\nByteStorage\nX\1\0\0\0000X\3\0\0\0cpuK\2"
                  "(X\1\0\0\0001K\0K\1ttQ",
                  KEYS, TWO_BYTES),
         MPNO_E_FORMAT, "part of another one"},
        {OLD_FILE("(X\6\0\0\0modulecm\nC\nX\1\0\0\0fX\1\0\0\0stQ", "\x80\2].", "junk"),
         MPNO_E_FORMAT, "4 bytes follow"},
    };
    mpno_tensor_file *file;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(ctx, parse(ctx, cases[i].data, cases[i].size, &file), cases[i].status,
                     cases[i].part);
    static const struct {
        const char *data;
        size_t size;
    } good[] = {{OLD_FILE(OLD_TENSOR("\2"), KEYS, TWO_BYTES)},
                /* a class with its source, which was kept beside storages */
                {OLD_FILE("(X\6\0\0\0modulecm\nC\nX\1\0\0\0fX\1\0\0\0stQ", "\x80\2].", "")}};
    for (int i = 0; i < 2; i++) {
        assert_ok(ctx, parse(ctx, good[i].data, good[i].size, &file));
        assert_int_equal(file->n, 1 - i);
        if (i == 0) assert_memory_equal(file->tensors[0].data, "\5\6", 2);
        if (i == 1) assert_string_equal(file->object->string, "<global m.C>");
        mpno_tensor_file_destroy(ctx, &file);
    }
}

static void other_formats_are_named(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file;
    assert_fails(ctx, parse(ctx, "\x80\2N.", 4, &file), MPNO_E_UNSUPPORTED, "bare Python pickle");
    assert_fails(ctx, parse(ctx, "text", 4, &file), MPNO_E_FORMAT, "zip");
    assert_fails(ctx, parse(ctx, "", 0, &file), MPNO_E_FORMAT, "zip");
    assert_fails(ctx, mpno_pt_read(ctx, "tests/golden/none.pt", &file), MPNO_E_IO, "none.pt");
    assert_fails(ctx, mpno_pt_read(ctx, "tests/golden/fno2d_default.txt", &file), MPNO_E_FORMAT,
                 "fno2d_default.txt: ");
}

static void every_truncation_is_an_error(void **state) {
    mpno_ctx *ctx = *state;
    static zip_maker z;
    mpno_tensor_file *file;
    make_archive(&z, PICKLE(VIEWS), 12);
    for (size_t n = 0; n < z.n; n++) assert_int_equal(parse(ctx, z.data, n, &file), MPNO_E_FORMAT);
    blob b = load(DARCY);
    for (size_t n = 0; n < b.size; n += 97)
        assert_int_equal(parse(ctx, b.data, n, &file), MPNO_E_FORMAT);
    for (size_t n = b.size - 400; n < b.size; n++)
        assert_int_equal(parse(ctx, b.data, n, &file), MPNO_E_FORMAT);
    free(b.data);
}

/* A flipped bit is an error, or the tensors are the same (dates and padding of the archive mean
 * nothing). */
static void flipped_bits_never_change_a_tensor(void **state) {
    mpno_ctx *ctx = *state;
    static zip_maker z;
    mpno_tensor_file *file;
    make_archive(&z, PICKLE(VIEWS), 12);
    for (size_t bit = 0; bit < 8 * z.n; bit++) {
        z.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (parse(ctx, z.data, z.n, &file) == MPNO_OK) assert_views(file);
        mpno_tensor_file_destroy(ctx, &file);
        z.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    blob b = load("tests/data/fno_tiny_state_dict.pt");
    mpno_tensor_file *whole;
    mpno_rng rng = mpno_rng_make(11, MPNO_STREAM_TEST, 0);
    assert_ok(ctx, mpno_pt_parse(ctx, b.data, b.size, &whole));
    for (int flip = 0; flip < 2000; flip++) {
        size_t bit = (size_t)mpno_rng_below(&rng, 8 * b.size);
        b.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (parse(ctx, b.data, b.size, &file) == MPNO_OK) {
            assert_int_equal(file->n, whole->n);
            for (size_t i = 0; i < file->n; i++) {
                assert_string_equal(file->tensors[i].name, whole->tensors[i].name);
                assert_int_equal(file->tensors[i].bytes, whole->tensors[i].bytes);
                assert_memory_equal(file->tensors[i].data, whole->tensors[i].data,
                                    whole->tensors[i].bytes);
            }
        }
        mpno_tensor_file_destroy(ctx, &file);
        b.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    mpno_tensor_file_destroy(ctx, &whole);
    free(b.data);
}

static void memory_may_run_out_anywhere(void **state) {
    mpno_ctx *ctx = *state;
    static zip_maker z;
    mpno_tensor_file *file;
    const blob files[] = {load("tests/data/fno_tiny_state_dict.pt"),
                           load("tests/data/views_legacy.pt")};
    make_archive(&z, PICKLE(VIEWS), 12);
    for (int i = 0; i < 3; i++) {
        const blob b = files[i == 2];
        mpno_status status = MPNO_E_MEMORY;
        for (int64_t n = 0; status == MPNO_E_MEMORY; n++) {
            mpno_alloc_fail_after(ctx, n);
            status = i == 0 ? mpno_pt_parse(ctx, z.data, z.n, &file)
                            : mpno_pt_parse(ctx, b.data, b.size, &file);
            assert_true(status == MPNO_OK || (!file && mpno_ctx_bytes(ctx) == 0));
        }
        assert_int_equal(status, MPNO_OK);
        mpno_alloc_fail_after(ctx, -1);
        mpno_tensor_file_destroy(ctx, &file);
    }
    for (int i = 0; i < 2; i++) free(files[i].data);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_context, end_context)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(darcy_has_the_known_sums_and_entries),
        TEST(strides_are_honoured),
        TEST(the_two_resolutions_agree_exactly),
        TEST(state_dicts_are_read_to_the_last_bit),
        TEST(the_rest_of_a_checkpoint_is_a_tree),
        TEST(views_share_a_storage),
        TEST(values_of_all_kinds_are_converted),
        TEST(hostile_pickles_run_nothing),
        TEST(wrong_archives_are_errors),
        TEST(old_files_hold_the_same_tensors),
        TEST(old_files_hold_views_of_all_types),
        TEST(damaged_old_files_do_no_harm),
        TEST(wrong_old_files_are_errors),
        TEST(other_formats_are_named),
        TEST(every_truncation_is_an_error),
        TEST(flipped_bits_never_change_a_tensor),
        TEST(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
