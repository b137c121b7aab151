/* SPDX-License-Identifier: MIT
 * Where the field's public data sets are: public_sets.def. */
#ifndef MPNO_TRAIN_PUBLIC_SETS_H
#define MPNO_TRAIN_PUBLIC_SETS_H

#include "core/value.h"
#include "mpno/run.h"

/* Says, and puts into map[set], address, size and checksum; name NULL: of all. E_ARGUMENT with the
 * nearest name for an unknown one. */
MPNO_WARN_UNUSED mpno_status mpno_public_sets(mpno_ctx *ctx, const char *name,
                                              const mpno_sink *sink, mpno_value *map);

#endif
