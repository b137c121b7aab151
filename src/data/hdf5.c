/* SPDX-License-Identifier: MIT
 * HDF5 files: see hdf5.h. Every public function holds one lock, since the library as Debian builds
 * it is not made for threads, and silences the library's own messages, which its caller may want
 * otherwise, only while it runs. */
#include "data/hdf5.h"

#define H5_USE_110_API
#include <hdf5.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "data/hdf5_files.h"
#include "data/lzf.h"

enum {
    LZF = 32000,
    REHEARSED_WHOLE = 64 << 20, /* bytes of a file */
    MAX_NAME = 1024,
    MAX_PATH = 4096,
    MAX_OPEN = 4,            /* data sets of a file at once */
    MAX_ATTRIBUTE = 1 << 20, /* bytes of an attribute that is read */
};

#define CHECKSUM "mpno.crc64"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* What the caller's program had set for messages; valid while the lock is held. */
typedef struct session {
    H5E_auto2_t print;
    void *user;
} session;

/* The filter as HDF5 calls it. parameters[2]: bytes of a chunk, by h5py. */
static size_t lzf_filter(unsigned flags, size_t n_parameters, const unsigned parameters[],
                         size_t n_bytes, size_t *buffer_size, void **buffer) {
    if (!(flags & H5Z_FLAG_REVERSE)) return 0; /* nothing is written with it */
    size_t capacity = n_parameters > 2 && parameters[2] > 0 ? parameters[2] : *buffer_size;
    void *out = H5allocate_memory(capacity, false);
    size_t n = out ? mpno_lzf_decode(*buffer, n_bytes, out, capacity) : 0;
    if (n == 0) {
        H5free_memory(out);
        return 0;
    }
    H5free_memory(*buffer);
    *buffer = out;
    *buffer_size = capacity;
    return n;
}

static mpno_status enter(mpno_ctx *ctx, session *s) {
    static const H5Z_class2_t lzf = {H5Z_CLASS_T_VERS, LZF, 0, 1, "lzf", NULL, NULL, lzf_filter};
    if (pthread_mutex_lock(&lock) != 0)
        return mpno_fail(ctx, MPNO_E_UNSUPPORTED, "the lock of the HDF5 library cannot be taken");
    (void)H5dont_atexit(); /* damaged files leave it in disorder, of which it would speak then */
    bool open = H5open() >= 0 && H5Eget_auto2(H5E_DEFAULT, &s->print, &s->user) >= 0 &&
                H5Eset_auto2(H5E_DEFAULT, NULL, NULL) >= 0 && H5Zregister(&lzf) >= 0;
    if (open) return MPNO_OK;
    (void)pthread_mutex_unlock(&lock);
    return mpno_fail(ctx, MPNO_E_UNSUPPORTED, "the HDF5 library cannot be started");
}

static void leave(const session *s) {
    (void)H5Eclear2(H5E_DEFAULT);
    (void)H5Eset_auto2(H5E_DEFAULT, s->print, s->user);
    (void)pthread_mutex_unlock(&lock);
}

/* Takes the innermost of the library's messages. */
static herr_t take_message(unsigned n, const H5E_error2_t *error, void *user) {
    if (n == 0 && error->desc) (void)snprintf(user, MAX_NAME, "%s", error->desc);
    return 0;
}

static mpno_status __attribute__((format(printf, 3, 4)))
fail_hdf5(mpno_ctx *ctx, mpno_status code, const char *format, ...) {
    char what[MAX_NAME], reason[MAX_NAME] = "no reason given";
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_message, reason);
    return mpno_fail(ctx, code, "%s: HDF5 says: %s; %s", what, reason,
                     code == MPNO_E_IO
                         ? "check the disk and the path"
                         : "the file is damaged, was cut short or needs a filter that is missing");
}

static void release(hid_t id) {
    if (id >= 0) (void)H5Idec_ref(id);
}

static void release_both(hid_t a, hid_t b) {
    release(a), release(b);
}

/* The type where all went well with it, else none. */
static hid_t kept(hid_t type, bool good) {
    if (good) return type;
    release(type);
    return H5I_INVALID_HID;
}

static hid_t half_type(size_t exponent, size_t mantissa, size_t bias) {
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    return kept(type, type >= 0 && H5Tset_fields(type, 15, mantissa, exponent, 0, mantissa) >= 0 &&
                          H5Tset_size(type, 2) >= 0 && H5Tset_ebias(type, bias) >= 0);
}

static hid_t bool_type(void) {
    static const int8_t values[2] = {0, 1};
    hid_t type = H5Tenum_create(H5T_STD_I8LE);
    return kept(type, type >= 0 && H5Tenum_insert(type, "FALSE", &values[0]) >= 0 &&
                          H5Tenum_insert(type, "TRUE", &values[1]) >= 0);
}

static hid_t pair_type(hid_t part) {
    size_t size = H5Tget_size(part);
    hid_t type = H5Tcreate(H5T_COMPOUND, 2 * size);
    return kept(type, type >= 0 && H5Tinsert(type, "r", 0, part) >= 0 &&
                          H5Tinsert(type, "i", size, part) >= 0);
}

/* The type in memory and in files that are written; to be closed by the caller. Little endian, as
 * elements are. */
static hid_t type_of(mpno_element element) {
    const hid_t simple[MPNO_ELEMENT_COUNT] = {
        [MPNO_ELEMENT_F64] = H5T_IEEE_F64LE, [MPNO_ELEMENT_F32] = H5T_IEEE_F32LE,
        [MPNO_ELEMENT_I64] = H5T_STD_I64LE,  [MPNO_ELEMENT_I32] = H5T_STD_I32LE,
        [MPNO_ELEMENT_I16] = H5T_STD_I16LE,  [MPNO_ELEMENT_I8] = H5T_STD_I8LE,
        [MPNO_ELEMENT_U64] = H5T_STD_U64LE,  [MPNO_ELEMENT_U32] = H5T_STD_U32LE,
        [MPNO_ELEMENT_U16] = H5T_STD_U16LE,  [MPNO_ELEMENT_U8] = H5T_STD_U8LE,
    };
    if (element == MPNO_ELEMENT_F16) return half_type(5, 10, 15);
    if (element == MPNO_ELEMENT_BF16) return half_type(8, 7, 127);
    if (element == MPNO_ELEMENT_BOOL) return bool_type();
    if (element == MPNO_ELEMENT_C64) return pair_type(H5T_IEEE_F32LE);
    if (element == MPNO_ELEMENT_C128) return pair_type(H5T_IEEE_F64LE);
    return H5Tcopy(simple[element]);
}

static bool integer_element(hid_t type, mpno_element *out) {
    return mpno_hdf5_integer(H5Tget_size(type), H5Tget_sign(type) == H5T_SGN_2, out);
}

static bool float_element(hid_t type, mpno_element *out) {
    size_t sign, exponent_at, exponent, mantissa_at, mantissa;
    return H5Tget_fields(type, &sign, &exponent_at, &exponent, &mantissa_at, &mantissa) >= 0 &&
           mpno_hdf5_float(H5Tget_size(type), exponent, out);
}

static bool member_is(hid_t type, unsigned index, const char *name) {
    char *found = H5Tget_member_name(type, index);
    bool same = found && strcmp(found, name) == 0;
    H5free_memory(found);
    return same;
}

static bool enum_element(hid_t type, mpno_element *out) {
    hid_t base = H5Tget_super(type);
    bool known = base >= 0 && integer_element(base, out);
    if (known && H5Tget_size(type) == 1 && H5Tget_nmembers(type) == 2 &&
        member_is(type, 0, "FALSE") && member_is(type, 1, "TRUE"))
        *out = MPNO_ELEMENT_BOOL;
    release(base);
    return known;
}

static bool complex_element(hid_t type, mpno_element *out) {
    if (H5Tget_nmembers(type) != 2 || !member_is(type, 0, "r") || !member_is(type, 1, "i"))
        return false;
    bool known = true;
    for (unsigned i = 0; i < 2 && known; i++) {
        hid_t part = H5Tget_member_type(type, i);
        mpno_element element;
        known = part >= 0 && H5Tget_class(part) == H5T_FLOAT && float_element(part, &element) &&
                (element == MPNO_ELEMENT_F32 || element == MPNO_ELEMENT_F64);
        if (known) {
            mpno_element pair = element == MPNO_ELEMENT_F32 ? MPNO_ELEMENT_C64 : MPNO_ELEMENT_C128;
            known = i == 0 || *out == pair;
            *out = pair;
        }
        release(part);
    }
    return known;
}

/* The element of a type; NULL, or what the type is instead. */
static const char *element_of(hid_t type, mpno_element *out) {
    static const char *const what[H5T_NCLASSES] = {
        [H5T_INTEGER] = "integers of an unusual size",
        [H5T_FLOAT] = "floating-point numbers of an unusual format",
        [H5T_ENUM] = "an unusual enumeration",
        [H5T_COMPOUND] = "records (a compound type)",
        [H5T_STRING] = "texts",
        [H5T_REFERENCE] = "references",
        [H5T_VLEN] = "lists of varying length",
        [H5T_ARRAY] = "arrays as elements"};
    const H5T_class_t class = H5Tget_class(type);
    if (class < 0 || class >= H5T_NCLASSES || !what[class]) return "of a type without numbers";
    const bool known = (class == H5T_INTEGER && integer_element(type, out)) ||
                       (class == H5T_FLOAT && float_element(type, out)) ||
                       (class == H5T_ENUM && enum_element(type, out)) ||
                       (class == H5T_COMPOUND && complex_element(type, out));
    return known ? NULL : what[class];
}

typedef struct h5file {
    mpno_ctx *ctx;
    hid_t id;
    const char *path;     /* borrowed while it is opened and listed */
    uint64_t bytes;       /* size of the file */
    unsigned long number; /* HDF5's of this open file, to know objects of other files */
} h5file;

/* A data set and what it holds. what: NULL, or why it is no tensor. */
typedef struct h5set {
    hid_t id, type, space;
    const char *what;
    mpno_element element;
    int ndim;
    int64_t shape[MPNO_MAX_DIMS], chunk[MPNO_MAX_DIMS];
    bool is_virtual;
} h5set;

static void close_set(h5set *s) {
    release_both(s->space, s->type);
    release(s->id);
    *s = (h5set){.id = -1, .type = -1, .space = -1};
}

/* With what errors may have left open in it. */
static void close_file(hid_t id) {
    hid_t ids[64];
    ssize_t n =
        id < 0 ? 0 : H5Fget_obj_ids(id, (H5F_OBJ_ALL ^ H5F_OBJ_FILE) | H5F_OBJ_LOCAL, 64, ids);
    for (ssize_t i = 0; i < n && i < 64; i++) release(ids[i]);
    release(id);
}

static mpno_status open_file(mpno_ctx *ctx, const char *path, h5file *out) {
    *out = (h5file){.ctx = ctx, .id = -1, .path = path};
    MPNO_TRY(mpno_hdf5_check_path(ctx, path, &out->bytes));
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    /* weak and with locks, as HDF5 opens the sources of virtual sets: it opens no file in two ways.
     * Else without locks: some file systems have none */
    bool set = access >= 0 && H5Pset_fclose_degree(access, H5F_CLOSE_WEAK) >= 0;
    if (set) out->id = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (set && out->id < 0 && H5Pset_file_locking(access, false, true) >= 0)
        out->id = H5Fopen(path, H5F_ACC_RDONLY, access);
    mpno_status status = MPNO_OK;
    if (out->id < 0) status = fail_hdf5(ctx, MPNO_E_FORMAT, "the file cannot be opened");
    release(access);
    H5O_info_t info;
    if (status == MPNO_OK && H5Oget_info(out->id, &info) < 0)
        status = fail_hdf5(ctx, MPNO_E_FORMAT, "the root group cannot be read");
    if (status == MPNO_OK) out->number = info.fileno;
    if (status != MPNO_OK) close_file(out->id);
    return status;
}

/* HDF5 gives the fill value where a source of a virtual data set is missing: refused here. */
static mpno_status check_sources(h5file *f, const char *name, hid_t plist) {
    size_t n = 0;
    bool good = H5Pget_virtual_count(plist, &n) >= 0;
    char last[MAX_NAME] = "", file[MAX_NAME], set[MAX_NAME], path[2 * MAX_PATH];
    for (size_t i = 0; i < n && good; i++) {
        const ssize_t file_length = H5Pget_virtual_filename(plist, i, file, sizeof file);
        const ssize_t set_length = H5Pget_virtual_dsetname(plist, i, set, sizeof set);
        good = file_length > 0 && file_length < MAX_NAME && set_length > 0 && set_length < MAX_NAME;
        if (!good || strcmp(file, last) == 0) continue;
        memcpy(last, file, sizeof last);
        MPNO_TRY(mpno_hdf5_find_source(f->ctx, f->path, name, file, path, sizeof path));
        hid_t access = H5Fget_access_plist(f->id), id = H5Fopen(path, H5F_ACC_RDONLY, access);
        good = id >= 0 && H5Oexists_by_name(id, set, H5P_DEFAULT) > 0;
        release_both(id, access);
        MPNO_CHECK(f->ctx, good, MPNO_E_FORMAT, "'%s' takes values from '%s' of %s, which %s", name,
                   set, path, id < 0 ? "cannot be opened" : "has no such data set");
    }
    return good ? MPNO_OK : fail_hdf5(f->ctx, MPNO_E_FORMAT, "the sources of '%.900s'", name);
}

/* Where the values are: sizes of chunks, sources of virtual data sets. */
static mpno_status read_layout(h5file *f, const char *name, h5set *s) {
    hsize_t chunk[MPNO_MAX_DIMS];
    hid_t plist = H5Dget_create_plist(s->id);
    mpno_status status = MPNO_OK;
    const H5D_layout_t layout = plist < 0 ? H5D_LAYOUT_ERROR : H5Pget_layout(plist);
    const bool chunked = layout == H5D_CHUNKED && H5Pget_chunk(plist, MPNO_MAX_DIMS, chunk) > 0;
    for (int d = 0; d < s->ndim && !s->what && chunked; d++) s->chunk[d] = (int64_t)chunk[d];
    s->is_virtual = layout == H5D_VIRTUAL;
    if (s->is_virtual) status = check_sources(f, name, plist);
    if (plist < 0 || H5Pget_external_count(plist) > 0)
        status = mpno_fail(f->ctx, MPNO_E_UNSUPPORTED,
                           "the values of '%s' are kept in a raw file beside this one, which is "
                           "not followed; copy them into one file (h5repack)",
                           name);
    release(plist);
    return status;
}

static mpno_status read_shape(h5file *f, const char *name, h5set *s) {
    hsize_t size[H5S_MAX_RANK];
    const H5S_class_t kind = H5Sget_simple_extent_type(s->space);
    if (kind == H5S_NULL) {
        s->what = "nothing (an empty data space)";
        return MPNO_OK;
    }
    s->ndim = H5Sget_simple_extent_ndims(s->space);
    if (s->ndim > MPNO_MAX_DIMS) {
        s->what = "an array of more than 8 dimensions";
        return MPNO_OK;
    }
    bool known = s->ndim >= 0 && H5Sget_simple_extent_dims(s->space, size, NULL) >= 0;
    MPNO_CHECK(f->ctx, known, MPNO_E_FORMAT, "'%s': its shape cannot be read", name);
    for (int d = 0; d < s->ndim; d++) {
        MPNO_CHECK(f->ctx, size[d] <= INT64_MAX, MPNO_E_FORMAT, "'%s': its shape is too large",
                   name);
        s->shape[d] = (int64_t)size[d];
    }
    return MPNO_OK;
}

static mpno_status open_set_parts(h5file *f, const char *name, h5set *s) {
    H5O_info_t info;
    s->id = H5Dopen2(f->id, name, H5P_DEFAULT);
    if (s->id >= 0) s->type = H5Dget_type(s->id);
    if (s->id >= 0) s->space = H5Dget_space(s->id);
    if (s->type < 0 || s->space < 0 || H5Oget_info(s->id, &info) < 0) {
        return fail_hdf5(f->ctx, MPNO_E_FORMAT, "data set '%.900s' cannot be opened", name);
    }
    MPNO_CHECK(
        f->ctx, info.fileno == f->number, MPNO_E_UNSUPPORTED,
        "'%s' is kept in another file, which is not followed; copy it into one file (h5repack)",
        name);
    s->what = element_of(s->type, &s->element);
    if (!s->what) MPNO_TRY(read_shape(f, name, s));
    return read_layout(f, name, s);
}

static mpno_status open_set(h5file *f, const char *name, h5set *out) {
    *out = (h5set){.id = -1, .type = -1, .space = -1};
    mpno_status status = open_set_parts(f, name, out);
    if (status != MPNO_OK) close_set(out);
    return status;
}

/* Reads what `file_space` selects; count elements. */
static mpno_status read_values(h5file *f, const char *name, const h5set *s, hid_t file_space,
                               hsize_t count, void *out) {
    if (count == 0) return MPNO_OK;
    hid_t type = s->element == MPNO_ELEMENT_BOOL ? H5Tcopy(H5T_STD_I8LE) : type_of(s->element);
    hid_t space = H5Screate_simple(1, &count, NULL);
    bool read =
        type >= 0 && space >= 0 && H5Dread(s->id, type, space, file_space, H5P_DEFAULT, out) >= 0;
    mpno_status status = MPNO_OK;
    if (!read) {
        status = fail_hdf5(f->ctx, MPNO_E_FORMAT, "data set '%.900s' cannot be read", name);
    }
    release_both(type, space);
    return status;
}

static void make_truths(mpno_element element, size_t n, void *values) {
    uint8_t *bytes = values;
    for (size_t i = 0; i < n && element == MPNO_ELEMENT_BOOL; i++) bytes[i] = bytes[i] != 0;
}

/* Text of one attribute value; *out NULL: neither text nor number. */
static mpno_status string_attribute(mpno_ctx *ctx, hid_t attribute, hid_t type, char **out) {
    mpno_status status = MPNO_OK;
    if (H5Tis_variable_str(type) > 0) {
        char *text = NULL;
        if (H5Aread(attribute, type, &text) >= 0 && text && mpno_text_is_utf8(text, strlen(text)))
            status = mpno_strdup(ctx, text, out);
        H5free_memory(text);
        return status;
    }
    const size_t size = H5Tget_size(type);
    if (size == 0 || size > MAX_ATTRIBUTE) return MPNO_OK;
    MPNO_TRY(mpno_alloc(ctx, size + 1, out));
    bool good = H5Aread(attribute, type, *out) >= 0;
    if (good && H5Tget_strpad(type) == H5T_STR_SPACEPAD)
        for (size_t n = strlen(*out); n > 0 && (*out)[n - 1] == ' '; n--) (*out)[n - 1] = '\0';
    if (good && mpno_text_is_utf8(*out, strlen(*out))) return MPNO_OK;
    mpno_free(ctx, *out);
    *out = NULL;
    return MPNO_OK;
}

static mpno_status number_attribute(mpno_ctx *ctx, hid_t attribute, hid_t type, hid_t space,
                                    char **out) {
    mpno_element element;
    double reals[MPNO_HDF5_LIST];
    int64_t integers[MPNO_HDF5_LIST];
    const hssize_t n = H5Sget_simple_extent_npoints(space);
    const bool list = H5Sget_simple_extent_ndims(space) > 0;
    if (element_of(type, &element) || mpno_element_is_complex(element) || n < 1 ||
        n > MPNO_HDF5_LIST)
        return MPNO_OK;
    const bool real = H5Tget_class(type) == H5T_FLOAT;
    if (H5Aread(attribute, real ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT64,
                real ? (void *)reals : (void *)integers) < 0)
        return MPNO_OK;
    return mpno_hdf5_numbers_text(ctx, (size_t)n, list, element, reals, integers, out);
}

static mpno_status attribute_text(mpno_ctx *ctx, hid_t object, const char *name, char **out) {
    *out = NULL;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0) return MPNO_OK;
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    mpno_status status = MPNO_OK;
    if (type >= 0 && space >= 0) {
        if (H5Tget_class(type) != H5T_STRING)
            status = number_attribute(ctx, attribute, type, space, out);
        else if (H5Sget_simple_extent_type(space) == H5S_SCALAR)
            status = string_attribute(ctx, attribute, type, out);
    }
    release_both(type, space);
    (void)H5Aclose(attribute);
    return status;
}

typedef struct attribute_visit {
    mpno_ctx *ctx;
    mpno_value *metadata;
    const char *set; /* NULL: of the file */
    mpno_status status;
} attribute_visit;

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *user) {
    attribute_visit *a = user;
    char key[2 * MAX_NAME], *text;
    (void)info;
    if (strcmp(name, CHECKSUM) == 0 || !mpno_text_is_utf8(name, strlen(name))) return 0;
    (void)snprintf(key, sizeof key, "%s%s%s", a->set ? a->set : "", a->set ? "@" : "", name);
    a->status = attribute_text(a->ctx, object, name, &text);
    if (a->status == MPNO_OK && text)
        a->status = mpno_value_set_string(a->ctx, a->metadata, key, text);
    mpno_free(a->ctx, text);
    return a->status == MPNO_OK ? 0 : -1;
}

static mpno_status read_attributes(h5file *f, hid_t object, const char *set, mpno_value *metadata) {
    attribute_visit a = {f->ctx, metadata, set, MPNO_OK};
    if (H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, &a) >= 0)
        return MPNO_OK;
    if (a.status != MPNO_OK) return a.status;
    return fail_hdf5(f->ctx, MPNO_E_FORMAT, "the attributes of '%.900s' cannot be read",
                     set ? set : "/");
}

typedef struct listing {
    h5file *f;
    mpno_tensor_file *out;
    mpno_hdf5_depth depth;
    mpno_status status;
} listing;

/* Checks what mpno_hdf5_write left beside the values. */
static mpno_status check_checksum(h5file *f, const h5set *s, const mpno_named_tensor *t) {
    char found[MPNO_HDF5_CHECKSUM_TEXT], *expected;
    MPNO_TRY(attribute_text(f->ctx, s->id, CHECKSUM, &expected));
    if (!expected) return MPNO_OK;
    mpno_hdf5_checksum(t->data, t->bytes, found);
    const bool same = strcmp(found, expected) == 0;
    mpno_free(f->ctx, expected);
    MPNO_CHECK(f->ctx, same, MPNO_E_FORMAT,
               "data set '%s' is damaged: its values do not give the checksum that stands beside "
               "them; fetch the file again",
               t->name);
    return MPNO_OK;
}

static mpno_status fetch_piece(h5file *f, const mpno_piece *p, const h5set *s) {
    hsize_t start[MPNO_MAX_DIMS], count[MPNO_MAX_DIMS], step[MPNO_MAX_DIMS], n = 1;
    MPNO_CHECK(f->ctx, !s->what && s->element == p->element && s->ndim == p->ndim, MPNO_E_FORMAT,
               "data set '%s' is not what was listed: the file has changed", p->name);
    MPNO_TRY(mpno_hdf5_check_size(f->ctx, s->is_virtual ? UINT64_MAX : f->bytes, p->name,
                                  p->element, p->ndim, p->count));
    MPNO_TRY(mpno_piece_check(f->ctx, p, s->shape));
    memcpy(start, p->start, sizeof start); /* as many bits, and not negative */
    memcpy(count, p->count, sizeof count);
    memcpy(step, p->step, sizeof step);
    for (int d = 0; d < p->ndim; d++) n *= count[d];
    if (n > 0 && p->ndim > 0 &&
        H5Sselect_hyperslab(s->space, H5S_SELECT_SET, start, step, count, NULL) < 0)
        return fail_hdf5(f->ctx, MPNO_E_FORMAT, "a part of a data set cannot be chosen");
    MPNO_TRY(read_values(f, p->name, s, s->space, n, p->out));
    make_truths(p->element, n, p->out);
    return MPNO_OK;
}

static mpno_status add_set(listing *l, const char *name, const h5set *s) {
    mpno_ctx *ctx = l->f->ctx;
    if (s->what) {
        char text[100];
        (void)snprintf(text, sizeof text, "<%s>", s->what);
        return mpno_value_set_string(ctx, l->out->metadata, name, text);
    }
    const bool one =
        l->depth == MPNO_HDF5_ONE_VALUE || (l->depth == MPNO_HDF5_ALL_BUT_VIRTUAL && s->is_virtual);
    char value[16];
    const mpno_piece first = mpno_hdf5_first(name, s->element, s->ndim, s->shape, value);
    if (one) MPNO_TRY(fetch_piece(l->f, &first, s));
    mpno_named_tensor *t;
    if (one || l->depth == MPNO_HDF5_SHAPES) {
        MPNO_TRY(mpno_tensor_file_add_view(ctx, l->out, name, s->element, s->ndim, s->shape, NULL));
        t = &l->out->tensors[l->out->n - 1];
        memcpy(t->chunk, s->chunk, sizeof t->chunk);
        const haddr_t offset = H5Dget_offset(s->id);
        t->offset = offset == HADDR_UNDEF ? 0 : offset;
        return MPNO_OK;
    }
    MPNO_TRY(mpno_hdf5_check_size(ctx, s->is_virtual ? UINT64_MAX : l->f->bytes, name, s->element,
                                  s->ndim, s->shape));
    MPNO_TRY(mpno_tensor_file_add(ctx, l->out, name, s->element, s->ndim, s->shape, &t));
    MPNO_TRY(read_values(l->f, name, s, H5S_ALL, (hsize_t)mpno_named_tensor_count(t), t->data));
    MPNO_TRY(check_checksum(l->f, s, t));
    make_truths(t->element, t->bytes, t->data);
    return MPNO_OK;
}

static herr_t visit_object(hid_t root, const char *name, const H5O_info_t *info, void *user) {
    listing *l = user;
    h5set s;
    (void)root;
    if (info->type != H5O_TYPE_DATASET) return 0;
    if (strlen(name) >= MAX_NAME || !mpno_text_is_utf8(name, strlen(name))) {
        l->status = mpno_fail(l->f->ctx, MPNO_E_FORMAT,
                              "the name of a data set is too long or not UTF-8 text");
        return -1;
    }
    l->status = open_set(l->f, name, &s);
    if (l->status == MPNO_OK) l->status = add_set(l, name, &s);
    if (l->status == MPNO_OK) l->status = read_attributes(l->f, s.id, name, l->out->metadata);
    close_set(&s);
    return l->status == MPNO_OK ? 0 : -1;
}

static mpno_status read_whole(h5file *f, mpno_hdf5_depth deep, mpno_tensor_file *out) {
    listing l = {f, out, deep, MPNO_OK};
    MPNO_TRY(read_attributes(f, f->id, NULL, out->metadata));
    if (H5Ovisit(f->id, H5_INDEX_NAME, H5_ITER_INC, visit_object, &l) >= 0) return MPNO_OK;
    if (l.status != MPNO_OK) return l.status;
    return fail_hdf5(f->ctx, MPNO_E_FORMAT, "the groups of the file cannot be read");
}

struct mpno_hdf5_file {
    h5file f;
    size_t n;
    h5set sets[MAX_OPEN]; /* those that were read, kept open with their chunks */
    char names[MAX_OPEN][MAX_NAME];
};

static void close_sets(mpno_hdf5_file *file) {
    while (file->n > 0) close_set(&file->sets[--file->n]);
}

/* Opens the set of a piece unless it is open. */
static mpno_status find_set(mpno_hdf5_file *file, const char *name, const h5set **out) {
    size_t i = 0;
    while (i < file->n && strcmp(file->names[i], name) != 0) i++;
    *out = &file->sets[i];
    if (i < file->n) return MPNO_OK;
    if (file->n == MAX_OPEN) close_sets(file);
    *out = &file->sets[file->n];
    MPNO_TRY(open_set(&file->f, name, &file->sets[file->n]));
    (void)snprintf(file->names[file->n++], MAX_NAME, "%s", name);
    return MPNO_OK;
}

static mpno_status fetch_open(mpno_hdf5_file *file, size_t n, const mpno_piece *pieces) {
    for (size_t i = 0; i < n; i++) {
        const h5set *set;
        MPNO_TRY(find_set(file, pieces[i].name, &set));
        MPNO_TRY(fetch_piece(&file->f, &pieces[i], set));
    }
    return MPNO_OK;
}

/* What is tried in a process of its own first: n pieces, or a reading. */
typedef struct rehearsal {
    mpno_ctx *ctx;
    const char *path;
    bool whole;
    size_t n;
    const mpno_piece *pieces;
} rehearsal;

static mpno_status rehearse(const void *user) {
    const rehearsal *r = user;
    mpno_hdf5_file *file;
    mpno_tensor_file *list;
    MPNO_TRY(mpno_alloc(r->ctx, sizeof *file, &file));
    MPNO_TRY(open_file(r->ctx, r->path, &file->f));
    if (r->n > 0) return fetch_open(file, r->n, r->pieces);
    MPNO_TRY(mpno_tensor_file_create(r->ctx, &list));
    const bool whole = r->whole && file->f.bytes <= REHEARSED_WHOLE;
    return read_whole(&file->f, whole ? MPNO_HDF5_ALL_BUT_VIRTUAL : MPNO_HDF5_ONE_VALUE, list);
}

mpno_status mpno_hdf5_load(mpno_ctx *ctx, const char *path, mpno_hdf5_depth deep,
                           mpno_tensor_file *out) {
    session s;
    h5file f = {.id = -1};
    const rehearsal r = {ctx, path, deep == MPNO_HDF5_ALL_VALUES, 0, NULL};
    MPNO_TRY(enter(ctx, &s));
    mpno_status status = mpno_hdf5_apart(ctx, rehearse, &r);
    if (status == MPNO_OK) status = open_file(ctx, path, &f);
    if (status == MPNO_OK) status = read_whole(&f, deep, out);
    close_file(f.id);
    leave(&s);
    return status;
}

mpno_status mpno_hdf5_open(mpno_ctx *ctx, const char *path, size_t n, const mpno_piece *pieces,
                           mpno_hdf5_file **out) {
    session s;
    mpno_hdf5_file *file;
    uint64_t bytes;
    const rehearsal o = {ctx, path, false, n, pieces};
    MPNO_TRY(mpno_alloc(ctx, sizeof *file, &file));
    mpno_status status = enter(ctx, &s);
    if (status == MPNO_OK) {
        status = mpno_hdf5_check_path(ctx, path, &bytes);
        if (status == MPNO_OK && bytes <= REHEARSED_WHOLE && n > 0)
            status = mpno_hdf5_apart(ctx, rehearse, &o);
        if (status == MPNO_OK) status = open_file(ctx, path, &file->f);
        leave(&s);
    }
    if (status == MPNO_OK) *out = file;
    if (status != MPNO_OK) mpno_free(ctx, file);
    return status;
}

mpno_status mpno_hdf5_fetch_from(mpno_ctx *ctx, mpno_hdf5_file *file, size_t n,
                                 const mpno_piece *pieces) {
    session s;
    MPNO_TRY(enter(ctx, &s));
    file->f.ctx = ctx;
    mpno_status status = fetch_open(file, n, pieces);
    leave(&s);
    return status;
}

void mpno_hdf5_close(mpno_ctx *ctx, mpno_hdf5_file **file) {
    session s;
    if (!*file || enter(ctx, &s) != MPNO_OK) return;
    close_sets(*file);
    close_file((*file)->f.id);
    leave(&s);
    mpno_free(ctx, *file);
    *file = NULL;
}

static mpno_status write_attribute(mpno_ctx *ctx, hid_t object, const char *name,
                                   const mpno_value *v) {
    double reals[MPNO_HDF5_LIST];
    int64_t integers[MPNO_HDF5_LIST];
    const int8_t truth = v->boolean;
    bool real;
    const void *data = NULL;
    hid_t type = -1, space = -1, attribute = -1;
    hsize_t n = v->n;
    if (v->kind == MPNO_VALUE_STRING) {
        type = H5Tcopy(H5T_C_S1);
        size_t size = strlen(v->string) + 1;
        if (type >= 0 && (H5Tset_size(type, size) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0))
            n = 0;
        data = v->string;
    } else if (v->kind == MPNO_VALUE_BOOL) {
        type = bool_type();
        data = &truth;
    } else if (mpno_hdf5_numbers(v, &real, reals, integers)) {
        type = H5Tcopy(real ? H5T_IEEE_F64LE : H5T_STD_I64LE);
        data = real ? (const void *)reals : (const void *)integers;
    }
    MPNO_CHECK(
        ctx, data, MPNO_E_ARGUMENT,
        "attribute '%s' cannot be written: it must be a text, a number, a truth or a list of "
        "1 to %d numbers",
        name, MPNO_HDF5_LIST);
    space = v->kind == MPNO_VALUE_LIST ? H5Screate_simple(1, &n, NULL) : H5Screate(H5S_SCALAR);
    if (type >= 0 && space >= 0)
        attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    mpno_status status = MPNO_OK;
    if (attribute < 0 || H5Awrite(attribute, type, data) < 0) {
        status = fail_hdf5(ctx, MPNO_E_IO, "attribute '%.900s' cannot be written", name);
    }
    release_both(attribute, space);
    release(type);
    return status;
}

static mpno_status write_attributes(mpno_ctx *ctx, hid_t object, const mpno_value *map) {
    for (size_t i = 0; map && i < map->n; i++)
        MPNO_TRY(write_attribute(ctx, object, map->keys[i], map->items[i]));
    return MPNO_OK;
}

/* Makes the groups of a set "a/b/c" that are missing: without time stamps, unlike those that HDF5
 * would make by itself. */
static mpno_status make_groups(mpno_ctx *ctx, hid_t file, const mpno_hdf5_set *set) {
    char group[MAX_NAME];
    for (const char *slash = strchr(set->name, '/'); slash; slash = strchr(slash + 1, '/')) {
        memcpy(group, set->name, (size_t)(slash - set->name));
        group[slash - set->name] = '\0';
        if (H5Lexists(file, group, H5P_DEFAULT) > 0) continue;
        hid_t plist = H5Pcreate(H5P_GROUP_CREATE), made = -1;
        if (plist >= 0 && H5Pset_obj_track_times(plist, false) >= 0)
            made = H5Gcreate2(file, group, H5P_DEFAULT, plist, H5P_DEFAULT);
        mpno_status status = made < 0 ? fail_hdf5(ctx, MPNO_E_IO, "a group cannot be made")
                                      : write_attributes(ctx, made, set->group);
        release_both(made, plist);
        MPNO_TRY(status);
    }
    return MPNO_OK;
}

static hid_t create_dataset(hid_t file, const mpno_hdf5_set *set) {
    hsize_t size[MPNO_MAX_DIMS];
    for (int d = 0; d < set->ndim; d++) size[d] = (hsize_t)set->shape[d];
    hid_t type = type_of(set->element), id = -1;
    hid_t space = set->ndim > 0 ? H5Screate_simple(set->ndim, size, NULL) : H5Screate(H5S_SCALAR);
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    bool good = type >= 0 && space >= 0 && plist >= 0 &&
                H5Pset_layout(plist, H5D_CONTIGUOUS) >= 0 &&
                H5Pset_alloc_time(plist, H5D_ALLOC_TIME_EARLY) >= 0 &&
                H5Pset_fill_time(plist, H5D_FILL_TIME_NEVER) >= 0 &&
                H5Pset_obj_track_times(plist, false) >= 0;
    if (good) id = H5Dcreate2(file, set->name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    release_both(plist, space);
    release(type);
    return id;
}

/* Creates one data set, with its values and their checksum if there are any. */
static mpno_status write_set(mpno_ctx *ctx, hid_t file, mpno_hdf5_set *set, const void *data) {
    int64_t count;
    size_t bytes;
    MPNO_TRY(mpno_hdf5_check_set(ctx, set, MAX_NAME, &count, &bytes));
    MPNO_TRY(make_groups(ctx, file, set));
    static const char what[] = "data set '%.900s' cannot be written";
    char digits[MPNO_HDF5_CHECKSUM_TEXT];
    hid_t id = create_dataset(file, set);
    if (id < 0) return fail_hdf5(ctx, MPNO_E_IO, what, set->name);
    mpno_status status = write_attributes(ctx, id, set->attributes);
    if (status == MPNO_OK && data) {
        mpno_value checksum = {.kind = MPNO_VALUE_STRING, .string = digits};
        hid_t type = H5Dget_type(id);
        mpno_hdf5_checksum(data, bytes, digits);
        if (type < 0 || (count > 0 && H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0))
            status = fail_hdf5(ctx, MPNO_E_IO, what, set->name);
        release(type);
        if (status == MPNO_OK) status = write_attribute(ctx, id, CHECKSUM, &checksum);
    }
    haddr_t offset = H5Dget_offset(id);
    set->offset = count > 0 && offset != HADDR_UNDEF ? offset : 0;
    if (status == MPNO_OK && count > 0 && set->offset == 0)
        status = fail_hdf5(ctx, MPNO_E_IO, what, set->name);
    (void)H5Dclose(id);
    return status;
}

static hid_t create_h5(const char *path) {
    hid_t create = H5Pcreate(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS), id = -1;
    bool good = create >= 0 && access >= 0 && H5Pset_obj_track_times(create, false) >= 0 &&
                H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18) >= 0 &&
                H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0 &&
                H5Pset_file_locking(access, false, true) >= 0;
    if (good) id = H5Fcreate(path, H5F_ACC_TRUNC, create, access);
    release_both(create, access);
    return id;
}

static mpno_status create_sets(mpno_ctx *ctx, const char *path, size_t n, mpno_hdf5_set *sets,
                               const mpno_value *attributes, const mpno_named_tensor *values) {
    hid_t file = create_h5(path);
    if (file < 0) return fail_hdf5(ctx, MPNO_E_IO, "the file cannot be created");
    mpno_status status = write_attributes(ctx, file, attributes);
    for (size_t i = 0; i < n && status == MPNO_OK; i++)
        status = write_set(ctx, file, &sets[i], values ? values[i].data : NULL);
    if (H5Fclose(file) < 0 && status == MPNO_OK)
        status = fail_hdf5(ctx, MPNO_E_IO, "the file cannot be finished");
    return status;
}

mpno_status mpno_hdf5_fill(mpno_ctx *ctx, const char *path, size_t n, mpno_hdf5_set *sets,
                           const mpno_value *attributes, const mpno_named_tensor *values) {
    session s;
    MPNO_TRY(enter(ctx, &s));
    mpno_status status = create_sets(ctx, path, n, sets, attributes, values);
    leave(&s);
    return status;
}
