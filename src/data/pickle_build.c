/* SPDX-License-Identifier: MIT
 * The constructors that pickle.h knows: what a call or a persistent identifier stands for, without
 * running it. A tensor is accepted only when offset + sum (size_d - 1) * stride_d stays inside its
 * storage, computed without overflow. */
#include <string.h>

#include "data/pickle.h"

bool mpno_pickle_text_is(mpno_pickle_text text, const char *expected) {
    return text.n == strlen(expected) && memcmp(text.data, expected, text.n) == 0;
}

static const struct storage_class {
    const char *name;
    mpno_element element;
} STORAGE_CLASSES[] = {
    {"DoubleStorage", MPNO_ELEMENT_F64},       {"FloatStorage", MPNO_ELEMENT_F32},
    {"HalfStorage", MPNO_ELEMENT_F16},         {"BFloat16Storage", MPNO_ELEMENT_BF16},
    {"LongStorage", MPNO_ELEMENT_I64},         {"IntStorage", MPNO_ELEMENT_I32},
    {"ShortStorage", MPNO_ELEMENT_I16},        {"CharStorage", MPNO_ELEMENT_I8},
    {"ByteStorage", MPNO_ELEMENT_U8},          {"BoolStorage", MPNO_ELEMENT_BOOL},
    {"ComplexFloatStorage", MPNO_ELEMENT_C64}, {"ComplexDoubleStorage", MPNO_ELEMENT_C128},
};

/* An opaque object that remembers whose it is: of a global, or of what another opaque object came
 * from. */
static mpno_status make_opaque(mpno_pickle_reader *r, const mpno_pickle_object *origin,
                               mpno_pickle_object **out) {
    MPNO_TRY(mpno_pickle_new(r, MPNO_PICKLE_OPAQUE, out));
    (*out)->module = origin->module;
    (*out)->text = origin->text;
    return MPNO_OK;
}

mpno_status mpno_pickle_persistent(mpno_pickle_reader *r, const mpno_pickle_object *id,
                                   mpno_pickle_object **out) {
    bool module = id->kind == MPNO_PICKLE_TUPLE && id->n == 4 && /* class, its file, its source */
                  id->items[0]->kind == MPNO_PICKLE_STRING &&
                  mpno_pickle_text_is(id->items[0]->text, "module") &&
                  id->items[1]->kind == MPNO_PICKLE_GLOBAL;
    if (module) {
        *out = id->items[1];
        return MPNO_OK;
    }
    bool storage =
        id->kind == MPNO_PICKLE_TUPLE && id->n >= 5 && id->items[0]->kind == MPNO_PICKLE_STRING &&
        mpno_pickle_text_is(id->items[0]->text, "storage") &&
        id->items[1]->kind == MPNO_PICKLE_GLOBAL && id->items[2]->kind == MPNO_PICKLE_STRING &&
        id->items[4]->kind == MPNO_PICKLE_INT;
    if (!storage)
        return mpno_pickle_bad(
            r,
            "a persistent identifier is not ('storage', class, key, device, count) "
            "as torch.save writes it");
    const mpno_pickle_object *class = id->items[1];
    if (id->items[4]->integer < 0)
        return mpno_pickle_bad(r, "a storage has %lld elements", (long long)id->items[4]->integer);
    if (id->n > 5 && id->items[5]->kind != MPNO_PICKLE_NONE)
        return mpno_pickle_bad(r,
                               "a storage is a part of another one; save tensor.clone() instead of "
                               "such a view");
    if (!mpno_pickle_text_is(class->module, "torch")) return make_opaque(r, class, out);
    for (size_t i = 0; i < sizeof STORAGE_CLASSES / sizeof *STORAGE_CLASSES; i++) {
        if (!mpno_pickle_text_is(class->text, STORAGE_CLASSES[i].name)) continue;
        MPNO_TRY(mpno_pickle_new(r, MPNO_PICKLE_STORAGE, out));
        (*out)->element = STORAGE_CLASSES[i].element;
        (*out)->integer = id->items[4]->integer;
        (*out)->text = id->items[2]->text;
        return MPNO_OK;
    }
    return make_opaque(r, class, out);
}

/* True for a tuple of at most MPNO_MAX_DIMS non-negative integers. */
static bool is_extent(const mpno_pickle_object *object) {
    if (object->kind != MPNO_PICKLE_TUPLE || object->n > MPNO_MAX_DIMS) return false;
    for (size_t i = 0; i < object->n; i++)
        if (object->items[i]->kind != MPNO_PICKLE_INT || object->items[i]->integer < 0)
            return false;
    return true;
}

/* True when every element of the view lies inside a storage of `count` elements. */
static bool view_fits(int64_t count, int64_t offset, const mpno_pickle_object *shape,
                      const mpno_pickle_object *stride) {
    if (offset > count) return false;
    for (size_t d = 0; d < shape->n; d++)
        if (shape->items[d]->integer == 0) return true;
    int64_t room = count - offset; /* elements from the last one reached so far to the end */
    if (room < 1) return false;
    for (size_t d = 0; d < shape->n; d++) {
        int64_t steps = shape->items[d]->integer - 1, step = stride->items[d]->integer;
        if (steps > 0 && step > (room - 1) / steps) return false;
        room -= steps * step;
    }
    return true;
}

/* The seventh argument of _rebuild_tensor_v2, where it is given, says that the values are yet to be
 * conjugated or negated: reading them as they stand would be wrong without a word. */
static bool has_pending_operation(const mpno_pickle_object *arguments) {
    if (arguments->n < 7 || arguments->items[6]->kind != MPNO_PICKLE_DICT) return false;
    const mpno_pickle_object *flags = arguments->items[6];
    for (size_t i = 1; i < flags->n; i += 2)
        if (flags->items[i]->kind != MPNO_PICKLE_BOOL || flags->items[i]->integer != 0) return true;
    return false;
}

/* (storage, offset, shape, stride, ...): the first four mean the same in _rebuild_tensor and
 * _rebuild_tensor_v2. */
static mpno_status make_tensor(mpno_pickle_reader *r, const mpno_pickle_object *arguments,
                               mpno_pickle_object **out) {
    if (arguments->n < 4)
        return mpno_pickle_bad(r, "a tensor has %zu arguments, not 4 or more", arguments->n);
    mpno_pickle_object *storage = arguments->items[0], *offset = arguments->items[1];
    mpno_pickle_object *shape = arguments->items[2], *stride = arguments->items[3];
    if (storage->kind == MPNO_PICKLE_OPAQUE || storage->kind == MPNO_PICKLE_GLOBAL)
        return make_opaque(r, storage, out);
    if (storage->kind != MPNO_PICKLE_STORAGE)
        return mpno_pickle_bad(r, "the first argument of a tensor is not a storage");
    if (offset->kind != MPNO_PICKLE_INT || offset->integer < 0 || !is_extent(shape) ||
        !is_extent(stride) || shape->n != stride->n)
        return mpno_pickle_bad(
            r,
            "offset, shape and strides of a tensor are not non-negative integers in "
            "at most %d dimensions",
            MPNO_MAX_DIMS);
    if (!view_fits(storage->integer, offset->integer, shape, stride))
        return mpno_pickle_bad(r, "a tensor reaches past the %lld elements of its storage '%.*s'",
                               (long long)storage->integer,
                               (int)(storage->text.n > 40 ? 40 : storage->text.n),
                               storage->text.data);
    if (has_pending_operation(arguments))
        return mpno_pickle_bad(r,
                               "a tensor is stored with its conjugation or sign pending; save "
                               "tensor.resolve_conj().resolve_neg()");
    MPNO_TRY(mpno_pickle_new(r, MPNO_PICKLE_TENSOR, out));
    (*out)->integer = offset->integer;
    MPNO_TRY(mpno_pickle_append(r, *out, storage));
    MPNO_TRY(mpno_pickle_append(r, *out, shape));
    return mpno_pickle_append(r, *out, stride);
}

/* OrderedDict() or, as Python 2 wrote it, OrderedDict([[key, value], ...]). */
static mpno_status make_ordered_dict(mpno_pickle_reader *r, const mpno_pickle_object *arguments,
                                     mpno_pickle_object **out) {
    MPNO_TRY(mpno_pickle_new(r, MPNO_PICKLE_DICT, out));
    if (arguments->n == 0) return MPNO_OK;
    const mpno_pickle_object *pairs = arguments->items[0];
    bool is_list = pairs->kind == MPNO_PICKLE_LIST || pairs->kind == MPNO_PICKLE_TUPLE;
    if (arguments->n > 1 || !is_list)
        return mpno_pickle_bad(r, "the argument of OrderedDict is not a list of pairs");
    for (size_t i = 0; i < pairs->n; i++) {
        const mpno_pickle_object *pair = pairs->items[i];
        if ((pair->kind != MPNO_PICKLE_LIST && pair->kind != MPNO_PICKLE_TUPLE) || pair->n != 2)
            return mpno_pickle_bad(r, "the argument of OrderedDict is not a list of pairs");
        MPNO_TRY(mpno_pickle_set(r, *out, pair->items[0], pair->items[1]));
    }
    return MPNO_OK;
}

mpno_status mpno_pickle_call(mpno_pickle_reader *r, const mpno_pickle_object *callable,
                             mpno_pickle_object *arguments, mpno_pickle_object **out) {
    if (callable->kind == MPNO_PICKLE_OPAQUE) return make_opaque(r, callable, out);
    if (callable->kind != MPNO_PICKLE_GLOBAL)
        return mpno_pickle_bad(r, "something that is not a function or class is called");
    if (arguments->kind != MPNO_PICKLE_TUPLE)
        return mpno_pickle_bad(r, "the arguments of %.*s are not a tuple",
                               (int)(callable->text.n > 80 ? 80 : callable->text.n),
                               callable->text.data);
    mpno_pickle_text name = callable->text;
    if (mpno_pickle_text_is(callable->module, "torch._utils")) {
        if (mpno_pickle_text_is(name, "_rebuild_tensor_v2") ||
            mpno_pickle_text_is(name, "_rebuild_tensor"))
            return make_tensor(r, arguments, out);
        bool parameter = mpno_pickle_text_is(name, "_rebuild_parameter") ||
                         mpno_pickle_text_is(name, "_rebuild_parameter_with_state");
        if (parameter && arguments->n > 0) {
            *out = arguments->items[0];
            return MPNO_OK;
        }
    }
    if (mpno_pickle_text_is(callable->module, "collections")) {
        if (mpno_pickle_text_is(name, "OrderedDict")) return make_ordered_dict(r, arguments, out);
        if (mpno_pickle_text_is(name, "defaultdict"))
            return mpno_pickle_new(r, MPNO_PICKLE_DICT, out);
    }
    if (mpno_pickle_text_is(callable->module, "torch") && mpno_pickle_text_is(name, "Size") &&
        arguments->n == 1 && arguments->items[0]->kind == MPNO_PICKLE_TUPLE) {
        *out = arguments->items[0];
        return MPNO_OK;
    }
    return make_opaque(r, callable, out);
}
