/* SPDX-License-Identifier: MIT
 * Walks the objects of a pickle: see pickle_tree.h. */
#include "data/pickle_tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"

enum {
    MAX_DEPTH = 64,
    NODE_COST = 256, /* bytes charged for a node of the tree: more than a value and its allocation
                        header take */
    MAX_NAME = 600   /* characters of module and name of a constructor; longer ones are left out */
};

typedef struct walk {
    mpno_ctx *ctx;
    size_t budget; /* bytes that may still be used */
    int depth;
    char path[1024];
    size_t n_path;
    mpno_pickle_leaves *leaves;
} walk;

static mpno_status spend(walk *w, size_t bytes) {
    MPNO_CHECK(
        w->ctx, bytes <= w->budget, MPNO_E_FORMAT,
        "'%s': the pickle refers to the same objects so often that it stands for far more data "
        "than the file holds",
        w->path);
    w->budget -= bytes;
    return MPNO_OK;
}

/* Lengthens the path by ".component"; the caller cuts it back to its old length. */
static mpno_status enter(walk *w, const char *component) {
    size_t n = strlen(component), dot = w->n_path > 0;
    MPNO_CHECK(w->ctx, w->depth < MAX_DEPTH, MPNO_E_FORMAT,
               "'%s': objects are nested more than %d deep (or contain themselves)", w->path,
               MAX_DEPTH);
    MPNO_CHECK(w->ctx, n + dot < sizeof w->path - w->n_path, MPNO_E_FORMAT,
               "'%.100s...': the path to an object is longer than %zu characters", w->path,
               sizeof w->path - 1);
    if (dot) w->path[w->n_path] = '.';
    memcpy(w->path + w->n_path + dot, component, n + 1);
    w->n_path += n + dot;
    w->depth++;
    return MPNO_OK;
}

static void leave(walk *w, size_t n_path) {
    w->n_path = n_path;
    w->path[n_path] = '\0';
    w->depth--;
}

static mpno_status add_leaf(walk *w, const mpno_pickle_object *tensor, size_t *index) {
    mpno_pickle_leaves *leaves = w->leaves;
    if (leaves->n == leaves->capacity) {
        size_t capacity = leaves->capacity ? 2 * leaves->capacity : 16;
        MPNO_TRY(mpno_realloc_array(w->ctx, &leaves->items, leaves->capacity, capacity,
                                    sizeof *leaves->items));
        leaves->capacity = capacity;
    }
    mpno_pickle_leaf *leaf = &leaves->items[leaves->n];
    MPNO_TRY(mpno_strdup(w->ctx, w->n_path > 0 ? w->path : "tensor", &leaf->path));
    leaf->tensor = tensor;
    *index = leaves->n++;
    return MPNO_OK;
}

/* Texts in angle brackets: tensors, names of functions and classes, bytes. */
static mpno_status bracketed(walk *w, const mpno_pickle_object *object, mpno_value **out) {
    char text[MAX_NAME + 40];
    size_t index;
    bool named = object->module.n < MAX_NAME && object->text.n < MAX_NAME - object->module.n &&
                 mpno_text_is_utf8(object->module.data, object->module.n) &&
                 mpno_text_is_utf8(object->text.data, object->text.n);
    switch (object->kind) {
        case MPNO_PICKLE_TENSOR:
            MPNO_TRY(add_leaf(w, object, &index));
            snprintf(text, sizeof text, "<tensor %zu>", index);
            break;
        case MPNO_PICKLE_GLOBAL:
        case MPNO_PICKLE_OPAQUE:
            if (named)
                snprintf(text, sizeof text, "<%s %.*s.%.*s>",
                         object->kind == MPNO_PICKLE_GLOBAL ? "global" : "object",
                         (int)object->module.n, object->module.data, (int)object->text.n,
                         object->text.data);
            else
                snprintf(text, sizeof text, "<object>");
            break;
        case MPNO_PICKLE_STORAGE:
            snprintf(text, sizeof text, "<storage>");
            break;
        default:
            snprintf(text, sizeof text, "<bytes %zu>", object->text.n);
            break;
    }
    return mpno_value_string(w->ctx, text, out);
}

static mpno_status string_value(walk *w, const mpno_pickle_object *object, mpno_value **out) {
    if (!mpno_text_is_utf8(object->text.data, object->text.n)) return bracketed(w, object, out);
    char *text;
    MPNO_TRY(spend(w, object->text.n));
    MPNO_TRY(mpno_alloc(w->ctx, object->text.n + 1, &text));
    if (object->text.n > 0) memcpy(text, object->text.data, object->text.n);
    mpno_status status = mpno_value_string(w->ctx, text, out);
    mpno_free(w->ctx, text);
    return status;
}

static void key_text(const mpno_pickle_object *key, size_t position, char *out, size_t capacity) {
    if (key->kind == MPNO_PICKLE_STRING && key->text.n < capacity &&
        mpno_text_is_utf8(key->text.data, key->text.n)) {
        if (key->text.n > 0) memcpy(out, key->text.data, key->text.n);
        out[key->text.n] = '\0';
    } else if (key->kind == MPNO_PICKLE_INT) {
        snprintf(out, capacity, "%" PRId64, key->integer);
    } else if (key->kind == MPNO_PICKLE_NONE) {
        snprintf(out, capacity, "None");
    } else if (key->kind == MPNO_PICKLE_BOOL) {
        snprintf(out, capacity, "%s", key->integer ? "True" : "False");
    } else {
        snprintf(out, capacity, "<key %zu>", position);
    }
}

static mpno_status convert(walk *w, const mpno_pickle_object *object, mpno_value **out);

static mpno_status add_child(walk *w, mpno_value *parent, const char *key,
                             const mpno_pickle_object *object) {
    size_t n_path = w->n_path;
    mpno_value *child;
    MPNO_TRY(enter(w, key));
    MPNO_TRY(spend(w, strlen(key)));
    MPNO_CHECK(w->ctx, !mpno_value_get(parent, key), MPNO_E_FORMAT,
               "two entries of a dict are both called '%s'", w->path);
    MPNO_TRY(convert(w, object, &child));
    leave(w, n_path);
    return parent->kind == MPNO_VALUE_MAP ? mpno_value_set(w->ctx, parent, key, child)
                                          : mpno_value_append(w->ctx, parent, child);
}

static mpno_status add_children(walk *w, mpno_value *parent, const mpno_pickle_object *object) {
    char key[sizeof w->path];
    bool dict = object->kind == MPNO_PICKLE_DICT;
    for (size_t i = 0; i < object->n; i += dict ? 2 : 1) {
        if (dict)
            key_text(object->items[i], i / 2, key, sizeof key);
        else
            snprintf(key, sizeof key, "%zu", i);
        MPNO_TRY(add_child(w, parent, key, object->items[dict ? i + 1 : i]));
    }
    return MPNO_OK;
}

static mpno_status convert(walk *w, const mpno_pickle_object *object, mpno_value **out) {
    *out = NULL;
    MPNO_TRY(spend(w, NODE_COST));
    switch (object->kind) {
        case MPNO_PICKLE_NONE:
            return mpno_value_null(w->ctx, out);
        case MPNO_PICKLE_BOOL:
            return mpno_value_bool(w->ctx, object->integer != 0, out);
        case MPNO_PICKLE_INT:
            return mpno_value_int(w->ctx, object->integer, out);
        case MPNO_PICKLE_REAL:
            return mpno_value_real(w->ctx, object->real, out);
        case MPNO_PICKLE_STRING:
            return string_value(w, object, out);
        case MPNO_PICKLE_DICT:
            MPNO_TRY(mpno_value_map(w->ctx, out));
            break;
        case MPNO_PICKLE_TUPLE:
        case MPNO_PICKLE_LIST:
            MPNO_TRY(mpno_value_list(w->ctx, out));
            break;
        default:
            return bracketed(w, object, out);
    }
    mpno_status status = add_children(w, *out, object);
    if (status != MPNO_OK) mpno_value_destroy(w->ctx, out);
    return status;
}

mpno_status mpno_pickle_tree(mpno_ctx *ctx, const mpno_pickle_object *top, size_t size,
                             mpno_value **object, mpno_pickle_leaves *leaves) {
    walk w = {.ctx = ctx, .budget = ((size_t)1 << 20) + NODE_COST * size, .leaves = leaves};
    *leaves = (mpno_pickle_leaves){0};
    return convert(&w, top, object);
}

void mpno_pickle_leaves_destroy(mpno_ctx *ctx, mpno_pickle_leaves *leaves) {
    for (size_t i = 0; i < leaves->n; i++) mpno_free(ctx, leaves->items[i].path);
    mpno_free(ctx, leaves->items);
    *leaves = (mpno_pickle_leaves){0};
}
