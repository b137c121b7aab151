/* SPDX-License-Identifier: MIT
 * Views of raw storages into C order: see pt_storages.h. Storages are loaded one after the other
 * and each serves all its tensors before it is freed, so that the most memory in use is the tensors
 * and one storage. */
#include "data/pt_storages.h"

#include <string.h>

#include "core/memory.h"

typedef struct view {
    int ndim;
    int64_t shape[MPNO_MAX_DIMS], stride[MPNO_MAX_DIMS], offset;
} view;

static view view_of(const mpno_pickle_object *tensor) {
    view v = {.ndim = (int)tensor->items[1]->n, .offset = tensor->integer};
    for (int d = 0; d < v.ndim; d++) {
        v.shape[d] = tensor->items[1]->items[d]->integer;
        v.stride[d] = tensor->items[2]->items[d]->integer;
    }
    return v;
}

/* One line along the last axis: n elements of `bytes` bytes, `step` elements apart, from byte `at`
 * on. */
static void gather_line(char *to, const char *storage, size_t at, int64_t n, size_t step,
                        size_t bytes) {
    if (step == 1) {
        memcpy(to, storage + at, (size_t)n * bytes);
        return;
    }
    for (int64_t i = 0; i < n; i++, to += bytes, at += step * bytes) {
        const char *from = storage + at;
        switch (bytes) { /* constant sizes become single moves */
            case 1:
                *to = *from;
                break;
            case 2:
                memcpy(to, from, 2);
                break;
            case 4:
                memcpy(to, from, 4);
                break;
            case 8:
                memcpy(to, from, 8);
                break;
            default:
                memcpy(to, from, bytes);
        }
    }
}

/* Copies the view into C order. Its bounds were checked by data/pickle_build.c against a storage of
 * this size. Positions are unsigned numbers, not pointers: past the last element of an axis they
 * may leave the storage before they come back. */
static void gather(char *to, const char *storage, const view *v, size_t bytes) {
    int64_t index[MPNO_MAX_DIMS] = {0};
    int last = v->ndim - 1;
    size_t at = (size_t)v->offset * bytes;
    for (int d = 0; d < v->ndim; d++)
        if (v->shape[d] == 0) return;
    if (v->ndim == 0) {
        memcpy(to, storage + at, bytes);
        return;
    }
    for (;;) {
        gather_line(to, storage, at, v->shape[last], (size_t)v->stride[last], bytes);
        to += (size_t)v->shape[last] * bytes;
        int d = last - 1;
        for (; d >= 0; d--) {
            at += (size_t)v->stride[d] * bytes;
            if (++index[d] < v->shape[d]) break;
            at -= (size_t)v->stride[d] * (size_t)v->shape[d] * bytes;
            index[d] = 0;
        }
        if (d < 0) return;
    }
}

static bool same_storage(const mpno_pickle_leaf *a, const mpno_pickle_leaf *b) {
    mpno_pickle_text s = a->tensor->items[0]->text, t = b->tensor->items[0]->text;
    return s.n == t.n && memcmp(s.data, t.data, s.n) == 0;
}

/* Makes all tensors with their shapes, not yet filled. The sum is bounded first: views with stride
 * 0 can stand for any size. */
static mpno_status make_tensors(const mpno_pt_storages *s, const mpno_pickle_leaves *leaves,
                                mpno_tensor_file *file) {
    uint64_t used = 0;
    for (size_t i = 0; i < leaves->n; i++) {
        const mpno_pickle_leaf *leaf = &leaves->items[i];
        view v = view_of(leaf->tensor);
        mpno_element element = leaf->tensor->items[0]->element;
        int64_t count;
        size_t bytes;
        uint64_t limit = 16 * s->bytes + (1 << 20);
        bool fits = mpno_shape_measure(element, v.ndim, v.shape, &count, &bytes) && used <= limit &&
                    bytes <= limit - used;
        MPNO_CHECK(s->ctx, fits, MPNO_E_FORMAT,
                   "tensor '%s' is an expanded view far larger than the file; save a copy of it "
                   "(tensor.clone())",
                   leaf->path);
        used += bytes;
        MPNO_CHECK(s->ctx, !mpno_tensor_file_find(file, leaf->path), MPNO_E_FORMAT,
                   "two tensors are both called '%s'", leaf->path);
        MPNO_TRY(mpno_tensor_file_add(s->ctx, file, leaf->path, element, v.ndim, v.shape, NULL));
    }
    return MPNO_OK;
}

/* Fills tensors[first] and all later ones of the same storage; done[i] marks them. */
static mpno_status fill_from_storage(const mpno_pt_storages *s, const mpno_pickle_leaves *leaves,
                                     size_t first, mpno_tensor_file *file, bool *done) {
    int64_t index;
    const void *bytes;
    void *owned;
    MPNO_TRY(s->find(s->container, &leaves->items[first], &index));
    MPNO_TRY(s->load(s->container, index, &bytes, &owned));
    mpno_status status = MPNO_OK;
    for (size_t i = first; i < leaves->n && status == MPNO_OK; i++) {
        if (done[i] || !same_storage(&leaves->items[first], &leaves->items[i])) continue;
        int64_t again; /* each names element and count of the storage itself: check both */
        status = s->find(s->container, &leaves->items[i], &again);
        if (status != MPNO_OK) break;
        view v = view_of(leaves->items[i].tensor);
        gather(file->tensors[i].data, bytes, &v, mpno_element_bytes(file->tensors[i].element));
        done[i] = true;
    }
    mpno_free(s->ctx, owned);
    return status;
}

mpno_status mpno_pt_gather(const mpno_pt_storages *storages, const mpno_pickle_leaves *leaves,
                           mpno_tensor_file *file) {
    bool *done;
    MPNO_TRY(make_tensors(storages, leaves, file));
    MPNO_TRY(mpno_alloc_array(storages->ctx, leaves->n, sizeof *done, &done));
    mpno_status status = MPNO_OK;
    for (size_t i = 0; i < leaves->n && status == MPNO_OK; i++)
        if (!done[i]) status = fill_from_storage(storages, leaves, i, file, done);
    mpno_free(storages->ctx, done);
    return status;
}
