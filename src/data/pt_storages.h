/* SPDX-License-Identifier: MIT
 * From the tensors that a pickle names to tensors in C order, for the containers of torch.save: a
 * zip archive (pt.c) or, before PyTorch 1.6, one file (pt_legacy.c). */
#ifndef MPNO_DATA_PT_STORAGES_H
#define MPNO_DATA_PT_STORAGES_H

#include "data/pickle_tree.h"
#include "data/tensors.h"

/* The storages of a container, by number. */
typedef struct mpno_pt_storages {
    mpno_ctx *ctx;
    uint64_t bytes; /* of all of them: bounds what expanded views may stand for */
    void *container;
    /* The number of the leaf's storage, which must hold what the leaf says of it. */
    mpno_status (*find)(void *container, const mpno_pickle_leaf *leaf, int64_t *index);
    /* Its bytes; *owned (mpno_free) keeps them, or is NULL where the container does. */
    mpno_status (*load)(void *container, int64_t index, const void **bytes, void **owned);
} mpno_pt_storages;

/* Appends all leaves to `file`, each storage loaded once. E_FORMAT for a leaf that stands for far
 * more data than the storages hold, or a name that is there already. */
MPNO_WARN_UNUSED mpno_status mpno_pt_gather(const mpno_pt_storages *storages,
                                            const mpno_pickle_leaves *leaves,
                                            mpno_tensor_file *file);

/* The format before PyTorch 1.6, from the bytes of a file that mpno_pt_is_legacy. */
bool mpno_pt_is_legacy(const void *data, size_t size);
MPNO_WARN_UNUSED mpno_status mpno_pt_legacy_read(mpno_ctx *ctx, const void *data, size_t size,
                                                 mpno_tensor_file *file);

#endif
