/* SPDX-License-Identifier: MIT
 * From the objects of a pickle to a tree of values and a list of its tensors with dotted paths
 * ("model.lifting.fcs.0.weight", "0.vertices"). Pickles may share objects and contain themselves,
 * so a short one can stand for an endless tree: depth is bounded by 64 and size by 1 MiB plus 256
 * times the bytes of the pickle; beyond either is E_FORMAT. Keys of dicts: texts and integers as
 * they are, "None", "True", "False"; any other key is "<key K>" by its position. */
#ifndef MPNO_DATA_PICKLE_TREE_H
#define MPNO_DATA_PICKLE_TREE_H

#include "core/value.h"
#include "data/pickle.h"

typedef struct mpno_pickle_leaf {
    char *path;                       /* owned */
    const mpno_pickle_object *tensor; /* borrows from the pickle */
} mpno_pickle_leaf;

typedef struct mpno_pickle_leaves {
    mpno_pickle_leaf *items;
    size_t n, capacity;
} mpno_pickle_leaves;

/* size: bytes of the pickle's text. *object as mpno_tensor_file.object; leaves in the order of the
 * walk, to be destroyed by the caller in any case. A tensor at the top itself is called "tensor".
 */
MPNO_WARN_UNUSED mpno_status mpno_pickle_tree(mpno_ctx *ctx, const mpno_pickle_object *top,
                                              size_t size, mpno_value **object,
                                              mpno_pickle_leaves *leaves);
void mpno_pickle_leaves_destroy(mpno_ctx *ctx, mpno_pickle_leaves *leaves);

#endif
