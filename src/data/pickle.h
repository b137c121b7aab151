/* SPDX-License-Identifier: MIT
 * Restricted reader of Python pickles, protocols 2 to 5. It never runs anything: a GLOBAL is a
 * name, and what REDUCE, NEWOBJ and BUILD would make is an opaque object that carries the name of
 * its constructor. Only the constructors that hold plain data are known: collections.OrderedDict
 * and defaultdict (a dict), torch.Size (a tuple), torch._utils._rebuild_tensor, _rebuild_tensor_v2,
 * _rebuild_parameter(_with_state) and the torch.*Storage classes in persistent identifiers.
 * Contract: all objects belong to the pickle and point into the bytes that were read, which must
 * outlive it. Objects may be shared and may even contain themselves (Python allows it): who walks
 * them must bound depth and work. Memory is at most a few hundred times the number of bytes read.
 * Every defect is E_FORMAT with the byte where it stands. Source: Python library, pickletools
 * (opcodes); torch/serialization.py (persistent identifiers). */
#ifndef MPNO_DATA_PICKLE_H
#define MPNO_DATA_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/tensors.h"

typedef enum mpno_pickle_kind {
    MPNO_PICKLE_NONE,
    MPNO_PICKLE_BOOL,    /* integer: 0 or 1 */
    MPNO_PICKLE_INT,     /* integer */
    MPNO_PICKLE_REAL,    /* real */
    MPNO_PICKLE_STRING,  /* text: bytes as they stood, not checked to be UTF-8 */
    MPNO_PICKLE_BYTES,   /* text; also integers wider than 64 bits */
    MPNO_PICKLE_TUPLE,   /* items */
    MPNO_PICKLE_LIST,    /* items; sets too */
    MPNO_PICKLE_DICT,    /* items: key, value, key, value, ...; keys differ */
    MPNO_PICKLE_GLOBAL,  /* module, text */
    MPNO_PICKLE_OPAQUE,  /* module, text: name of the constructor that was not run */
    MPNO_PICKLE_STORAGE, /* text: key of the storage; element; integer: number of elements */
    MPNO_PICKLE_TENSOR   /* items: storage, shape and strides (tuples of non-negative ints, one
                          * length); integer: offset. Every element lies inside the storage. */
} mpno_pickle_kind;

typedef struct mpno_pickle_text {
    const char *data; /* borrowed from the bytes that were read, not NUL-terminated */
    size_t n;
} mpno_pickle_text;

typedef struct mpno_pickle_object mpno_pickle_object;
struct mpno_pickle_object {
    mpno_pickle_kind kind;
    mpno_element element;
    int64_t integer;
    double real;
    mpno_pickle_text module, text;
    mpno_pickle_object **items; /* owned; the objects are the pickle's */
    size_t n, capacity;
};

typedef struct mpno_pickle mpno_pickle;

MPNO_WARN_UNUSED mpno_status mpno_pickle_parse(mpno_ctx *ctx, const void *data, size_t size,
                                               mpno_pickle **out);
void mpno_pickle_destroy(mpno_ctx *ctx,
                         mpno_pickle **pickle); /* accepts NULL and *pickle == NULL */
const mpno_pickle_object *mpno_pickle_top(const mpno_pickle *pickle);
size_t mpno_pickle_size(const mpno_pickle *pickle); /* bytes up to its end, of those given */
/* All storages that it names, in no order, one entry for each time; *out is owned by the caller
 * (mpno_free). */
MPNO_WARN_UNUSED mpno_status mpno_pickle_storages(mpno_ctx *ctx, const mpno_pickle *pickle,
                                                  const mpno_pickle_object ***out, size_t *n);
bool mpno_pickle_text_is(mpno_pickle_text text, const char *expected);

/* The parts of the reader below are shared by pickle.c (opcodes) and pickle_build.c (constructors).
 */
typedef struct mpno_pickle_reader {
    mpno_ctx *ctx;
    const unsigned char *data;
    size_t size, at, opcode_at;
    mpno_pickle *pickle;
    mpno_pickle_object **stack, **memo;
    size_t n_stack, stack_capacity, n_memo, memo_capacity;
    size_t *marks; /* heights of the stack at each MARK */
    size_t n_marks, mark_capacity;
    bool stopped;
} mpno_pickle_reader;

/* E_FORMAT, "byte N of the pickle: sentence". */
mpno_status mpno_pickle_bad(const mpno_pickle_reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#define mpno_pickle_bad(...) mpno_is_failure(mpno_pickle_bad(__VA_ARGS__))
MPNO_WARN_UNUSED mpno_status mpno_pickle_new(mpno_pickle_reader *r, mpno_pickle_kind kind,
                                             mpno_pickle_object **out);
MPNO_WARN_UNUSED mpno_status mpno_pickle_append(mpno_pickle_reader *r, mpno_pickle_object *object,
                                                mpno_pickle_object *item);
/* Python's dict[key] = value: replaces the value of an equal key (texts and integers; other kinds
 * are never equal). */
MPNO_WARN_UNUSED mpno_status mpno_pickle_set(mpno_pickle_reader *r, mpno_pickle_object *dict,
                                             mpno_pickle_object *key, mpno_pickle_object *value);
/* What callable(arguments) stands for. */
MPNO_WARN_UNUSED mpno_status mpno_pickle_call(mpno_pickle_reader *r,
                                              const mpno_pickle_object *callable,
                                              mpno_pickle_object *arguments,
                                              mpno_pickle_object **out);
/* What the persistent identifier stands for: a storage, or an opaque object when its class is not
 * known. */
MPNO_WARN_UNUSED mpno_status mpno_pickle_persistent(mpno_pickle_reader *r,
                                                    const mpno_pickle_object *id,
                                                    mpno_pickle_object **out);

#endif
