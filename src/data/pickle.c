/* SPDX-License-Identifier: MIT
 * The pickle machine: opcodes, stack, marks and memo. See pickle.h for what is and what is never
 * done. */
#include "data/pickle.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"

enum {
    BLOCK_OBJECTS = 64,
    MAX_DICT = 1 << 16 /* keys of one dict: they are compared one by one, and no file of models or
                          data comes near */
};

typedef struct object_block {
    struct object_block *next;
    size_t n;
    mpno_pickle_object objects[BLOCK_OBJECTS];
} object_block;

struct mpno_pickle {
    object_block *blocks;
    mpno_pickle_object *top;
    size_t size, n_storages;
};

mpno_status(mpno_pickle_bad)(const mpno_pickle_reader *r, const char *format, ...) {
    char sentence[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return mpno_fail(r->ctx, MPNO_E_FORMAT, "byte %zu of the pickle: %s", r->opcode_at, sentence);
}

mpno_status mpno_pickle_new(mpno_pickle_reader *r, mpno_pickle_kind kind,
                            mpno_pickle_object **out) {
    object_block *block = r->pickle->blocks;
    *out = NULL;
    if (!block || block->n == BLOCK_OBJECTS) {
        MPNO_TRY(mpno_alloc(r->ctx, sizeof *block, &block));
        block->next = r->pickle->blocks;
        r->pickle->blocks = block;
    }
    *out = &block->objects[block->n++];
    (*out)->kind = kind;
    if (kind == MPNO_PICKLE_STORAGE) r->pickle->n_storages++;
    return MPNO_OK;
}

mpno_status mpno_pickle_append(mpno_pickle_reader *r, mpno_pickle_object *object,
                               mpno_pickle_object *item) {
    if (object->n == object->capacity) {
        size_t capacity = object->capacity ? 2 * object->capacity : 4;
        MPNO_TRY(mpno_realloc_array(r->ctx, &object->items, object->capacity, capacity,
                                    sizeof *object->items));
        object->capacity = capacity;
    }
    object->items[object->n++] = item;
    return MPNO_OK;
}

static bool same_key(const mpno_pickle_object *a, const mpno_pickle_object *b) {
    if (a == b) return true;
    if (a->kind != b->kind) return false;
    if (a->kind == MPNO_PICKLE_INT) return a->integer == b->integer;
    return a->kind == MPNO_PICKLE_STRING && a->text.n == b->text.n &&
           memcmp(a->text.data, b->text.data, a->text.n) == 0;
}

mpno_status mpno_pickle_set(mpno_pickle_reader *r, mpno_pickle_object *dict,
                            mpno_pickle_object *key, mpno_pickle_object *value) {
    for (size_t i = 0; i < dict->n; i += 2)
        if (same_key(dict->items[i], key)) {
            dict->items[i + 1] = value;
            return MPNO_OK;
        }
    if (dict->n >= 2 * MAX_DICT)
        return mpno_pickle_bad(r, "a dict has more than %d keys", MAX_DICT);
    MPNO_TRY(mpno_pickle_append(r, dict, key));
    return mpno_pickle_append(r, dict, value);
}

/* -------- bytes, stack and memo -------- */

/* n bytes of argument, or E_FORMAT. */
static mpno_status take(mpno_pickle_reader *r, size_t n, const unsigned char **out) {
    if (n > r->size - r->at)
        return mpno_pickle_bad(r, "the text ends inside an argument of %zu bytes (%zu are left)", n,
                               r->size - r->at);
    *out = r->data + r->at;
    r->at += n;
    return MPNO_OK;
}

/* Little-endian unsigned argument of `width` bytes. */
static mpno_status take_unsigned(mpno_pickle_reader *r, int width, uint64_t *out) {
    const unsigned char *bytes;
    *out = 0;
    MPNO_TRY(take(r, (size_t)width, &bytes));
    for (int i = 0; i < width; i++) *out |= (uint64_t)bytes[i] << (8 * i);
    return MPNO_OK;
}

static mpno_status push(mpno_pickle_reader *r, mpno_pickle_object *object) {
    if (r->n_stack == r->stack_capacity) {
        size_t capacity = r->stack_capacity ? 2 * r->stack_capacity : 64;
        MPNO_TRY(
            mpno_realloc_array(r->ctx, &r->stack, r->stack_capacity, capacity, sizeof *r->stack));
        r->stack_capacity = capacity;
    }
    r->stack[r->n_stack++] = object;
    return MPNO_OK;
}

static mpno_status push_new(mpno_pickle_reader *r, mpno_pickle_kind kind,
                            mpno_pickle_object **out) {
    MPNO_TRY(mpno_pickle_new(r, kind, out));
    return push(r, *out);
}

/* Checks that n objects stand above the last mark and that the n are there to be taken. */
static mpno_status need(const mpno_pickle_reader *r, size_t n) {
    size_t floor = r->n_marks > 0 ? r->marks[r->n_marks - 1] : 0;
    if (r->n_stack - floor < n)
        return mpno_pickle_bad(r, "the operation needs %zu objects but the stack holds %zu", n,
                               r->n_stack - floor);
    return MPNO_OK;
}

/* Takes the last mark away; *from is the first object that stood above it. */
static mpno_status take_mark(mpno_pickle_reader *r, size_t *from) {
    if (r->n_marks == 0) return mpno_pickle_bad(r, "there is no mark on the stack");
    *from = r->marks[--r->n_marks];
    return MPNO_OK;
}

static mpno_status remember(mpno_pickle_reader *r, uint64_t index) {
    MPNO_TRY(need(r, 1));
    /* Python numbers the memo from 0 and each entry costs a byte, so a larger number can only be
     * damage. */
    if (index >= r->size)
        return mpno_pickle_bad(r, "memo number %llu is out of range", (unsigned long long)index);
    if (index >= r->memo_capacity) {
        size_t capacity = r->memo_capacity ? r->memo_capacity : 64;
        while (capacity <= index) capacity *= 2;
        MPNO_TRY(mpno_realloc_array(r->ctx, &r->memo, r->memo_capacity, capacity, sizeof *r->memo));
        r->memo_capacity = capacity;
    }
    r->memo[index] = r->stack[r->n_stack - 1];
    r->n_memo++;
    return MPNO_OK;
}

/* -------- opcodes: `argument` comes from the table below -------- */

typedef mpno_status (*opcode_function)(mpno_pickle_reader *r, int argument);

static mpno_status op_protocol(mpno_pickle_reader *r, int argument) {
    (void)argument;
    uint64_t version;
    MPNO_TRY(take_unsigned(r, 1, &version));
    if (version < 2 || version > 5)
        return mpno_pickle_bad(r, "protocol %d is not read, only 2 to 5", (int)version);
    return MPNO_OK;
}

static mpno_status op_frame(mpno_pickle_reader *r, int argument) {
    (void)argument;
    uint64_t length;
    MPNO_TRY(take_unsigned(r, 8, &length));
    if (length > r->size - r->at) return mpno_pickle_bad(r, "a frame is longer than the text");
    return MPNO_OK;
}

static mpno_status op_stop(mpno_pickle_reader *r, int argument) {
    (void)argument;
    MPNO_TRY(need(r, 1));
    if (r->n_marks > 0 || r->n_stack != 1)
        return mpno_pickle_bad(r, "%zu objects are left on the stack at the end, not 1",
                               r->n_stack);
    r->pickle->top = r->stack[0];
    r->stopped = true;
    return MPNO_OK;
}

static mpno_status op_mark(mpno_pickle_reader *r, int argument) {
    (void)argument;
    if (r->n_marks == r->mark_capacity) {
        size_t capacity = r->mark_capacity ? 2 * r->mark_capacity : 64;
        MPNO_TRY(
            mpno_realloc_array(r->ctx, &r->marks, r->mark_capacity, capacity, sizeof *r->marks));
        r->mark_capacity = capacity;
    }
    r->marks[r->n_marks++] = r->n_stack;
    return MPNO_OK;
}

static mpno_status op_pop(mpno_pickle_reader *r, int argument) {
    (void)argument;
    /* As in Python, a mark directly on top of the stack is what goes. */
    if (r->n_marks > 0 && r->marks[r->n_marks - 1] == r->n_stack) {
        r->n_marks--;
        return MPNO_OK;
    }
    MPNO_TRY(need(r, 1));
    r->n_stack--;
    return MPNO_OK;
}

static mpno_status op_pop_mark(mpno_pickle_reader *r, int argument) {
    (void)argument;
    return take_mark(r, &r->n_stack);
}

static mpno_status op_dup(mpno_pickle_reader *r, int argument) {
    (void)argument;
    MPNO_TRY(need(r, 1));
    return push(r, r->stack[r->n_stack - 1]);
}

static mpno_status op_none(mpno_pickle_reader *r, int argument) {
    (void)argument;
    mpno_pickle_object *object;
    return push_new(r, MPNO_PICKLE_NONE, &object);
}

static mpno_status op_bool(mpno_pickle_reader *r, int argument) {
    mpno_pickle_object *object;
    MPNO_TRY(push_new(r, MPNO_PICKLE_BOOL, &object));
    object->integer = argument;
    return MPNO_OK;
}

/* Argument: width in bytes; 4 is signed, 1 and 2 are not. */
static mpno_status op_int(mpno_pickle_reader *r, int argument) {
    uint64_t value;
    mpno_pickle_object *object;
    MPNO_TRY(take_unsigned(r, argument, &value));
    MPNO_TRY(push_new(r, MPNO_PICKLE_INT, &object));
    object->integer =
        argument == 4 && value > INT32_MAX ? (int64_t)value - (INT64_C(1) << 32) : (int64_t)value;
    return MPNO_OK;
}

/* Two's complement of any length, argument: width of the length field. Wider than 64 bits it is
 * kept as bytes. */
static mpno_status op_long(mpno_pickle_reader *r, int argument) {
    uint64_t length;
    const unsigned char *bytes;
    mpno_pickle_object *object;
    MPNO_TRY(take_unsigned(r, argument, &length));
    MPNO_TRY(take(r, (size_t)length, &bytes));
    MPNO_TRY(push_new(r, length <= 8 ? MPNO_PICKLE_INT : MPNO_PICKLE_BYTES, &object));
    if (length > 8) {
        object->text = (mpno_pickle_text){(const char *)bytes, (size_t)length};
        return MPNO_OK;
    }
    uint64_t value = length > 0 && (bytes[length - 1] & 0x80) ? ~UINT64_C(0) : 0;
    for (size_t i = 0; i < length; i++) {
        value &= ~(UINT64_C(0xff) << (8 * i));
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    memcpy(&object->integer, &value, sizeof value);
    return MPNO_OK;
}

static mpno_status op_real(mpno_pickle_reader *r, int argument) {
    (void)argument;
    const unsigned char *bytes;
    mpno_pickle_object *object;
    uint64_t bits = 0;
    MPNO_TRY(take(r, 8, &bytes));
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | bytes[i]; /* the only big-endian field of a pickle */
    MPNO_TRY(push_new(r, MPNO_PICKLE_REAL, &object));
    memcpy(&object->real, &bits, sizeof bits);
    return MPNO_OK;
}

static mpno_status push_counted(mpno_pickle_reader *r, int width, mpno_pickle_kind kind) {
    uint64_t length;
    const unsigned char *bytes;
    mpno_pickle_object *object;
    MPNO_TRY(take_unsigned(r, width, &length));
    if (length > r->size) return mpno_pickle_bad(r, "a text is longer than the pickle");
    MPNO_TRY(take(r, (size_t)length, &bytes));
    MPNO_TRY(push_new(r, kind, &object));
    object->text = (mpno_pickle_text){(const char *)bytes, (size_t)length};
    return MPNO_OK;
}

/* Argument: width of the length field. */
static mpno_status op_string(mpno_pickle_reader *r, int argument) {
    return push_counted(r, argument, MPNO_PICKLE_STRING);
}

static mpno_status op_bytes(mpno_pickle_reader *r, int argument) {
    return push_counted(r, argument, MPNO_PICKLE_BYTES);
}

/* Moves everything from stack[from] on into the object. */
static mpno_status fill(mpno_pickle_reader *r, mpno_pickle_object *object, size_t from) {
    for (size_t i = from; i < r->n_stack; i++) MPNO_TRY(mpno_pickle_append(r, object, r->stack[i]));
    r->n_stack = from;
    return MPNO_OK;
}

static mpno_status op_empty(mpno_pickle_reader *r, int argument) {
    mpno_pickle_object *object;
    return push_new(r, (mpno_pickle_kind)argument, &object);
}

/* All objects above the mark become one; argument: its kind. */
static mpno_status op_gather(mpno_pickle_reader *r, int argument) {
    size_t from;
    mpno_pickle_object *object;
    MPNO_TRY(take_mark(r, &from));
    MPNO_TRY(mpno_pickle_new(r, (mpno_pickle_kind)argument, &object));
    MPNO_TRY(fill(r, object, from));
    return push(r, object);
}

static mpno_status op_tuple_of(mpno_pickle_reader *r, int argument) {
    mpno_pickle_object *object;
    MPNO_TRY(need(r, (size_t)argument));
    MPNO_TRY(mpno_pickle_new(r, MPNO_PICKLE_TUPLE, &object));
    MPNO_TRY(fill(r, object, r->n_stack - (size_t)argument));
    return push(r, object);
}

/* The objects from stack[from] on go into the list below them; an opaque object swallows them. */
static mpno_status append_from(mpno_pickle_reader *r, size_t from) {
    mpno_pickle_object *list = r->stack[from - 1];
    if (list->kind == MPNO_PICKLE_LIST) return fill(r, list, from);
    if (list->kind != MPNO_PICKLE_OPAQUE)
        return mpno_pickle_bad(r, "items are added to what is not a list");
    r->n_stack = from;
    return MPNO_OK;
}

static mpno_status op_append(mpno_pickle_reader *r, int argument) {
    (void)argument;
    MPNO_TRY(need(r, 2));
    return append_from(r, r->n_stack - 1);
}

static mpno_status op_appends(mpno_pickle_reader *r, int argument) {
    (void)argument;
    size_t from;
    MPNO_TRY(take_mark(r, &from));
    size_t above = r->n_stack - from;
    MPNO_TRY(need(r, above + 1));
    return append_from(r, from);
}

static mpno_status set_from(mpno_pickle_reader *r, mpno_pickle_object *dict, size_t from) {
    if ((r->n_stack - from) % 2 != 0) return mpno_pickle_bad(r, "a key of a dict has no value");
    if (dict->kind != MPNO_PICKLE_DICT && dict->kind != MPNO_PICKLE_OPAQUE)
        return mpno_pickle_bad(r, "keys are set in what is not a dict");
    for (size_t i = from; i < r->n_stack && dict->kind == MPNO_PICKLE_DICT; i += 2)
        MPNO_TRY(mpno_pickle_set(r, dict, r->stack[i], r->stack[i + 1]));
    r->n_stack = from;
    return MPNO_OK;
}

static mpno_status op_dict(mpno_pickle_reader *r, int argument) {
    (void)argument;
    size_t from;
    mpno_pickle_object *dict;
    MPNO_TRY(take_mark(r, &from));
    MPNO_TRY(mpno_pickle_new(r, MPNO_PICKLE_DICT, &dict));
    MPNO_TRY(set_from(r, dict, from));
    return push(r, dict);
}

static mpno_status op_setitem(mpno_pickle_reader *r, int argument) {
    (void)argument;
    MPNO_TRY(need(r, 3));
    return set_from(r, r->stack[r->n_stack - 3], r->n_stack - 2);
}

static mpno_status op_setitems(mpno_pickle_reader *r, int argument) {
    (void)argument;
    size_t from;
    MPNO_TRY(take_mark(r, &from));
    size_t above = r->n_stack - from;
    MPNO_TRY(need(r, above + 1));
    return set_from(r, r->stack[from - 1], from);
}

static mpno_status take_line(mpno_pickle_reader *r, mpno_pickle_text *out) {
    const unsigned char *start = r->data + r->at;
    const unsigned char *end = memchr(start, '\n', r->size - r->at);
    if (!end) return mpno_pickle_bad(r, "the text ends inside a name");
    *out = (mpno_pickle_text){(const char *)start, (size_t)(end - start)};
    r->at += out->n + 1;
    return MPNO_OK;
}

static mpno_status op_global(mpno_pickle_reader *r, int argument) {
    (void)argument;
    mpno_pickle_text module, name;
    mpno_pickle_object *object;
    MPNO_TRY(take_line(r, &module));
    MPNO_TRY(take_line(r, &name));
    MPNO_TRY(push_new(r, MPNO_PICKLE_GLOBAL, &object));
    object->module = module;
    object->text = name;
    return MPNO_OK;
}

static mpno_status op_stack_global(mpno_pickle_reader *r, int argument) {
    (void)argument;
    MPNO_TRY(need(r, 2));
    const mpno_pickle_object *module = r->stack[r->n_stack - 2], *name = r->stack[r->n_stack - 1];
    if (module->kind != MPNO_PICKLE_STRING || name->kind != MPNO_PICKLE_STRING)
        return mpno_pickle_bad(r, "module and name of a global are not texts");
    r->n_stack -= 2;
    mpno_pickle_object *object;
    MPNO_TRY(push_new(r, MPNO_PICKLE_GLOBAL, &object));
    object->module = module->text;
    object->text = name->text;
    return MPNO_OK;
}

/* REDUCE and NEWOBJ (argument 2: callable, arguments), NEWOBJ_EX (3: and keyword arguments, which
 * only opaque objects have). */
static mpno_status op_call(mpno_pickle_reader *r, int argument) {
    size_t n = (size_t)argument;
    MPNO_TRY(need(r, n));
    mpno_pickle_object *object;
    MPNO_TRY(mpno_pickle_call(r, r->stack[r->n_stack - n], r->stack[r->n_stack - n + 1], &object));
    r->n_stack -= n;
    return push(r, object);
}

/* The state of an object: attributes, never data of a dict or a tensor, so it is dropped. */
static mpno_status op_build(mpno_pickle_reader *r, int argument) {
    (void)argument;
    MPNO_TRY(need(r, 2));
    r->n_stack--;
    return MPNO_OK;
}

static mpno_status op_persistent(mpno_pickle_reader *r, int argument) {
    (void)argument;
    MPNO_TRY(need(r, 1));
    mpno_pickle_object *object;
    MPNO_TRY(mpno_pickle_persistent(r, r->stack[r->n_stack - 1], &object));
    r->stack[r->n_stack - 1] = object;
    return MPNO_OK;
}

/* Argument: width of the memo number. */
static mpno_status op_get(mpno_pickle_reader *r, int argument) {
    uint64_t index;
    MPNO_TRY(take_unsigned(r, argument, &index));
    if (index >= r->memo_capacity || !r->memo[index])
        return mpno_pickle_bad(r, "memo number %llu was never set", (unsigned long long)index);
    return push(r, r->memo[index]);
}

static mpno_status op_put(mpno_pickle_reader *r, int argument) {
    uint64_t index;
    MPNO_TRY(take_unsigned(r, argument, &index));
    return remember(r, index);
}

static mpno_status op_memoize(mpno_pickle_reader *r, int argument) {
    (void)argument;
    return remember(r, r->n_memo);
}

static const struct opcode {
    opcode_function run;
    int argument;
} OPCODES[256] = {
    [0x80] = {op_protocol, 0},
    [0x95] = {op_frame, 0},
    ['.'] = {op_stop, 0},
    ['('] = {op_mark, 0},
    ['0'] = {op_pop, 0},
    ['1'] = {op_pop_mark, 0},
    ['2'] = {op_dup, 0},
    ['N'] = {op_none, 0},
    [0x88] = {op_bool, 1},
    [0x89] = {op_bool, 0},
    ['J'] = {op_int, 4},
    ['K'] = {op_int, 1},
    ['M'] = {op_int, 2},
    [0x8a] = {op_long, 1},
    [0x8b] = {op_long, 4},
    ['G'] = {op_real, 0},
    ['T'] = {op_string, 4}, /* BINSTRING and SHORT_BINSTRING: texts of Python 2 */
    ['U'] = {op_string, 1},
    ['X'] = {op_string, 4}, /* BINUNICODE, SHORT_BINUNICODE, BINUNICODE8 */
    [0x8c] = {op_string, 1},
    [0x8d] = {op_string, 8},
    ['B'] = {op_bytes, 4}, /* BINBYTES, SHORT_BINBYTES, BINBYTES8, BYTEARRAY8 */
    ['C'] = {op_bytes, 1},
    [0x8e] = {op_bytes, 8},
    [0x96] = {op_bytes, 8},
    [')'] = {op_empty, MPNO_PICKLE_TUPLE},
    [']'] = {op_empty, MPNO_PICKLE_LIST},
    ['}'] = {op_empty, MPNO_PICKLE_DICT},
    [0x8f] = {op_empty, MPNO_PICKLE_LIST}, /* EMPTY_SET */
    ['t'] = {op_gather, MPNO_PICKLE_TUPLE},
    ['l'] = {op_gather, MPNO_PICKLE_LIST},
    [0x91] = {op_gather, MPNO_PICKLE_LIST}, /* FROZENSET */
    ['d'] = {op_dict, 0},
    [0x85] = {op_tuple_of, 1},
    [0x86] = {op_tuple_of, 2},
    [0x87] = {op_tuple_of, 3},
    ['a'] = {op_append, 0},
    ['e'] = {op_appends, 0},
    [0x90] = {op_appends, 0}, /* ADDITEMS */
    ['s'] = {op_setitem, 0},
    ['u'] = {op_setitems, 0},
    ['c'] = {op_global, 0},
    [0x93] = {op_stack_global, 0},
    ['R'] = {op_call, 2},
    [0x81] = {op_call, 2},
    [0x92] = {op_call, 3},
    ['b'] = {op_build, 0},
    ['Q'] = {op_persistent, 0},
    ['h'] = {op_get, 1},
    ['j'] = {op_get, 4},
    ['q'] = {op_put, 1},
    ['r'] = {op_put, 4},
    [0x94] = {op_memoize, 0},
};

static mpno_status run(mpno_pickle_reader *r) {
    while (!r->stopped) {
        r->opcode_at = r->at;
        const unsigned char *code;
        MPNO_TRY(take(r, 1, &code));
        const struct opcode *opcode = &OPCODES[*code];
        if (!opcode->run)
            return mpno_pickle_bad(r,
                                   "operation 0x%02x is not one of the plain-data operations of "
                                   "protocols 2 to 5",
                                   *code);
        MPNO_TRY(opcode->run(r, opcode->argument));
    }
    return MPNO_OK;
}

mpno_status mpno_pickle_parse(mpno_ctx *ctx, const void *data, size_t size, mpno_pickle **out) {
    *out = NULL;
    mpno_pickle_reader r = {.ctx = ctx, .data = data, .size = size};
    MPNO_TRY(mpno_alloc(ctx, sizeof *r.pickle, &r.pickle));
    mpno_status status = run(&r);
    r.pickle->size = r.at;
    mpno_free(ctx, r.stack);
    mpno_free(ctx, r.memo);
    mpno_free(ctx, r.marks);
    if (status != MPNO_OK)
        mpno_pickle_destroy(ctx, &r.pickle);
    else
        *out = r.pickle;
    return status;
}

void mpno_pickle_destroy(mpno_ctx *ctx, mpno_pickle **pickle) {
    if (!pickle || !*pickle) return;
    object_block *block = (*pickle)->blocks;
    while (block) {
        object_block *next = block->next;
        for (size_t i = 0; i < block->n; i++) mpno_free(ctx, block->objects[i].items);
        mpno_free(ctx, block);
        block = next;
    }
    mpno_free(ctx, *pickle);
    *pickle = NULL;
}

const mpno_pickle_object *mpno_pickle_top(const mpno_pickle *pickle) {
    return pickle->top;
}

size_t mpno_pickle_size(const mpno_pickle *pickle) {
    return pickle->size;
}

mpno_status mpno_pickle_storages(mpno_ctx *ctx, const mpno_pickle *pickle,
                                 const mpno_pickle_object ***out, size_t *n) {
    *n = 0;
    MPNO_TRY(mpno_alloc_array(ctx, pickle->n_storages, sizeof **out, out));
    for (const object_block *block = pickle->blocks; block; block = block->next)
        for (size_t i = 0; i < block->n; i++)
            if (block->objects[i].kind == MPNO_PICKLE_STORAGE) (*out)[(*n)++] = &block->objects[i];
    return MPNO_OK;
}
