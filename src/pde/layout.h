/* SPDX-License-Identifier: MIT
 * What a generated file has in it, and where the values of a sample stand.
 *
 * MPNO      a data set for each set of the equation, [samples][axes of a sample]
 * PDEBENCH  the layout of PDEBench's files (Takamoto et al. 2022). Sets of one name in it
 *           (mpno_pde_set.pdebench) become one data set, behind one another along t. Beside them
 *           `x-coordinate`, .., and `t-coordinate`, which has one value more than the data.
 *           Equations of which PDEBench has a group for each sample (mpno_pde.groups) get
 *           NNNN/data, NNNN/grid/x, .., NNNN/grid/t and, as the attribute `config` of each group,
 *           the parameters as YAML.
 * In both the last data set counts the samples that are complete. */
#ifndef MPNO_PDE_LAYOUT_H
#define MPNO_PDE_LAYOUT_H

#include <stddef.h>

#include "data/hdf5.h"
#include "pde/pde.h"

#define MPNO_LAYOUT_NAME 48

/* Where a set of the equation goes: part of a data set. */
typedef struct mpno_layout_part {
    size_t set;           /* of its group */
    size_t before, bytes; /* of the sample: what stands before it, and its own */
    size_t stride;        /* bytes from a sample to the next one; 0: that is in another group */
} mpno_layout_part;

typedef struct mpno_layout {
    int n_parts;
    mpno_pde_set described[MPNO_PDE_MAX_SETS]; /* by the equation */
    mpno_layout_part parts[MPNO_PDE_MAX_SETS];
    bool groups;      /* one for each sample */
    int64_t n_groups; /* 1 where there are none */
    int n_data, n_coordinates;
    mpno_pde_set data[MPNO_PDE_MAX_SETS]; /* of a sample, as the file has it */
    mpno_pde_axis coordinates[MPNO_MAX_DIMS];
    size_t n;            /* data sets: of each group data and coordinates; then the count */
    mpno_hdf5_set *sets; /* owned */
    char (*names)[MPNO_LAYOUT_NAME]; /* owned */
} mpno_layout;

/* From settings that are resolved. E_CONFIG when the file is too large. */
MPNO_WARN_UNUSED mpno_status mpno_layout_create(mpno_ctx *ctx, const mpno_pde *pde,
                                                const void *settings, mpno_layout *out);
void mpno_layout_destroy(mpno_ctx *ctx, mpno_layout *layout); /* accepts one that is all zero */

/* Creates the file at `path`, with zeros where samples and coordinates will stand. parameters: a
 * map. */
MPNO_WARN_UNUSED mpno_status mpno_layout_make(mpno_ctx *ctx, mpno_layout *layout,
                                              const mpno_pde *pde, const mpno_value *parameters,
                                              const char *path);
/* Writes the coordinates into the file; 0, or errno. */
int mpno_layout_write_coordinates(const mpno_layout *layout, int fd);
/* Finds the data sets in a file that was made so. */
MPNO_WARN_UNUSED mpno_status mpno_layout_locate(mpno_ctx *ctx, mpno_layout *layout,
                                                const char *path);
/* The first byte of a sample's part, and of the count. */
uint64_t mpno_layout_place(const mpno_layout *layout, int part, int64_t sample);
uint64_t mpno_layout_count_place(const mpno_layout *layout);

/* All bytes at their place in a file; 0, or errno. */
int mpno_write_at(int fd, const void *data, size_t bytes, uint64_t offset);

#endif
