/* SPDX-License-Identifier: MIT
 * Reader of what torch.save wrote before PyTorch 1.6 (and writes on demand since): a magic number,
 * the version 1001, facts of the machine, the object and the list of its storages' keys, each a
 * pickle, one after the other; then for each key in the order of the list the number of elements (8
 * bytes) and the elements. The file must end there. It has no checksum: a changed bit of a number
 * passes unseen. Source: torch/serialization.py, _legacy_save. */
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "data/pickle.h"
#include "data/pt_storages.h"

typedef struct stored {
    mpno_pickle_text key;
    mpno_element element;
    uint64_t count, at; /* elements; first byte in the file, 0: not found yet */
} stored;

typedef struct legacy {
    mpno_ctx *ctx;
    const unsigned char *data;
    size_t size, at;
    stored *storages; /* owned; ordered by key, keys differ */
    size_t n;
} legacy;

static const unsigned char MAGIC[] = {0x80, 2,    0x8a, 10,   0x6c, 0xfc, 0x9c, 0x46,
                                      0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

bool mpno_pt_is_legacy(const void *data, size_t size) {
    return size >= sizeof MAGIC && memcmp(data, MAGIC, sizeof MAGIC) == 0;
}

/* -------- the pickles -------- */

/* The next pickle; `what` it is, for messages. */
static mpno_status next_pickle(legacy *l, const char *what, mpno_pickle **out) {
    mpno_status status = mpno_pickle_parse(l->ctx, l->data + l->at, l->size - l->at, out);
    if (status != MPNO_OK)
        return mpno_fail_in(l->ctx, status, "%s, which begins at byte %zu", what, l->at);
    l->at += mpno_pickle_size(*out);
    return MPNO_OK;
}

static mpno_status check_version(legacy *l) {
    mpno_pickle *pickle;
    MPNO_TRY(next_pickle(l, "the version", &pickle));
    const mpno_pickle_object *top = mpno_pickle_top(pickle);
    bool known = top->kind == MPNO_PICKLE_INT && top->integer == 1001;
    mpno_pickle_destroy(l->ctx, &pickle);
    MPNO_CHECK(l->ctx, known, MPNO_E_UNSUPPORTED,
               "this file of PyTorch before 1.6 is not of protocol version 1001, the only one that "
               "is read");
    return MPNO_OK;
}

static mpno_status check_machine(legacy *l) {
    mpno_pickle *pickle;
    MPNO_TRY(next_pickle(l, "the description of the machine", &pickle));
    const mpno_pickle_object *top = mpno_pickle_top(pickle), *little = NULL;
    for (size_t i = 0; top->kind == MPNO_PICKLE_DICT && i < top->n; i += 2)
        if (top->items[i]->kind == MPNO_PICKLE_STRING &&
            mpno_pickle_text_is(top->items[i]->text, "little_endian"))
            little = top->items[i + 1];
    bool known = little && little->kind == MPNO_PICKLE_BOOL;
    bool yes = known && little->integer == 1;
    mpno_pickle_destroy(l->ctx, &pickle);
    MPNO_CHECK(l->ctx, known, MPNO_E_FORMAT,
               "the file does not say the byte order of the machine that wrote it");
    MPNO_CHECK(l->ctx, yes, MPNO_E_UNSUPPORTED,
               "the file was saved on a big-endian machine; save it again on a little-endian one");
    return MPNO_OK;
}

/* -------- the storages -------- */

static int compare_texts(mpno_pickle_text a, mpno_pickle_text b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n > 0 ? memcmp(a.data, b.data, n) : 0;
    return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

static int by_key(const void *a, const void *b) {
    return compare_texts(((const stored *)a)->key, ((const stored *)b)->key);
}

static stored *find_key(const legacy *l, mpno_pickle_text key) {
    const stored wanted = {.key = key};
    return l->n > 0 ? bsearch(&wanted, l->storages, l->n, sizeof wanted, by_key) : NULL;
}

/* What the pickle says of its storages, each once. */
static mpno_status list_storages(legacy *l, const mpno_pickle *pickle) {
    const mpno_pickle_object **named;
    size_t n;
    MPNO_TRY(mpno_pickle_storages(l->ctx, pickle, &named, &n));
    mpno_status status = mpno_alloc_array(l->ctx, n, sizeof *l->storages, &l->storages);
    for (size_t i = 0; i < n && status == MPNO_OK; i++)
        l->storages[i] = (stored){.key = named[i]->text,
                                  .element = named[i]->element,
                                  .count = (uint64_t)named[i]->integer};
    mpno_free(l->ctx, named);
    MPNO_TRY(status);
    if (n > 0) qsort(l->storages, n, sizeof *l->storages, by_key);
    for (size_t i = 0; i < n; i++) {
        const stored *s = &l->storages[i], *last = l->n > 0 ? &l->storages[l->n - 1] : NULL;
        if (!last || by_key(last, s) != 0) {
            l->storages[l->n++] = *s;
            continue;
        }
        MPNO_CHECK(l->ctx, last->element == s->element && last->count == s->count, MPNO_E_FORMAT,
                   "storage '%.*s' is said to be of two types or sizes",
                   (int)(s->key.n > 40 ? 40 : s->key.n), s->key.data);
    }
    return MPNO_OK;
}

/* One storage of the list: where it stands. */
static mpno_status place_storage(legacy *l, const mpno_pickle_object *key) {
    stored *s = key->kind == MPNO_PICKLE_STRING ? find_key(l, key->text) : NULL;
    int n = key->text.n > 40 ? 40 : (int)key->text.n;
    MPNO_CHECK(
        l->ctx, s, MPNO_E_UNSUPPORTED,
        "storage '%.*s' belongs to no tensor of a type that is read: where it ends cannot be "
        "told",
        key->kind == MPNO_PICKLE_STRING ? n : 0, key->text.data);
    MPNO_CHECK(l->ctx, s->at == 0, MPNO_E_FORMAT, "storage '%.*s' is listed twice", n,
               key->text.data);
    MPNO_CHECK(l->ctx, l->size - l->at >= 8, MPNO_E_FORMAT,
               "the file ends before storage '%.*s': it was cut short", n, key->text.data);
    uint64_t count = 0, width = mpno_element_bytes(s->element);
    for (int i = 0; i < 8; i++) count |= (uint64_t)l->data[l->at + (size_t)i] << (8 * i);
    l->at += 8;
    MPNO_CHECK(l->ctx, count == s->count, MPNO_E_FORMAT,
               "storage '%.*s' has %llu values, its tensors expect %llu", n, key->text.data,
               (unsigned long long)count, (unsigned long long)s->count);
    MPNO_CHECK(l->ctx, count <= (l->size - l->at) / width, MPNO_E_FORMAT,
               "storage '%.*s' should have %llu values of %s but the file ends after %zu bytes: it "
               "was cut short",
               n, key->text.data, (unsigned long long)count, mpno_element_name(s->element),
               l->size - l->at);
    s->at = l->at;
    l->at += (size_t)(count * width);
    return MPNO_OK;
}

static mpno_status place_storages(legacy *l, const mpno_pickle_object *keys) {
    MPNO_CHECK(l->ctx, keys->kind == MPNO_PICKLE_LIST, MPNO_E_FORMAT,
               "the keys of the storages are not a list");
    for (size_t i = 0; i < keys->n; i++) MPNO_TRY(place_storage(l, keys->items[i]));
    MPNO_CHECK(l->ctx, l->at == l->size, MPNO_E_FORMAT,
               "%zu bytes follow the last storage: the file is damaged", l->size - l->at);
    return MPNO_OK;
}

static mpno_status find_storage(void *container, const mpno_pickle_leaf *leaf, int64_t *index) {
    const legacy *l = container;
    const stored *s = find_key(l, leaf->tensor->items[0]->text);
    MPNO_CHECK(l->ctx, s && s->at > 0, MPNO_E_FORMAT, "tensor '%s': the file lacks its storage",
               leaf->path);
    *index = s - l->storages;
    return MPNO_OK;
}

static mpno_status load_storage(void *container, int64_t index, const void **bytes, void **owned) {
    const legacy *l = container;
    *owned = NULL;
    *bytes = l->data + l->storages[index].at;
    return MPNO_OK;
}

/* -------- all -------- */

static mpno_status read_storages(legacy *l, const mpno_pickle *object, mpno_pickle **keys) {
    MPNO_TRY(list_storages(l, object));
    MPNO_TRY(next_pickle(l, "the list of storages", keys));
    return place_storages(l, mpno_pickle_top(*keys));
}

static mpno_status read_object(legacy *l, mpno_tensor_file *file) {
    mpno_pickle *object, *keys = NULL;
    mpno_pickle_leaves leaves = {0};
    mpno_pt_storages storages = {
        .ctx = l->ctx, .container = l, .find = find_storage, .load = load_storage};
    MPNO_TRY(next_pickle(l, "the object", &object));
    mpno_status status = read_storages(l, object, &keys);
    if (status == MPNO_OK)
        status = mpno_pickle_tree(l->ctx, mpno_pickle_top(object), mpno_pickle_size(object),
                                  &file->object, &leaves);
    for (size_t i = 0; i < l->n; i++)
        if (l->storages[i].at > 0)
            storages.bytes += l->storages[i].count * mpno_element_bytes(l->storages[i].element);
    if (status == MPNO_OK) status = mpno_pt_gather(&storages, &leaves, file);
    mpno_pickle_leaves_destroy(l->ctx, &leaves);
    mpno_pickle_destroy(l->ctx, &keys);
    mpno_pickle_destroy(l->ctx, &object);
    return status;
}

mpno_status mpno_pt_legacy_read(mpno_ctx *ctx, const void *data, size_t size,
                                mpno_tensor_file *file) {
    legacy l = {.ctx = ctx, .data = data, .size = size, .at = sizeof MAGIC};
    MPNO_TRY(check_version(&l));
    MPNO_TRY(check_machine(&l));
    mpno_status status = read_object(&l, file);
    mpno_free(ctx, l.storages);
    return status;
}
