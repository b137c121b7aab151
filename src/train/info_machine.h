/* SPDX-License-Identifier: MIT
 * The part of mpno_info that describes the machine and this build. */
#ifndef MPNO_TRAIN_INFO_MACHINE_H
#define MPNO_TRAIN_INFO_MACHINE_H

#include "core/value.h"
#include "mpno/run.h"

/* Says it and puts it into map. */
MPNO_WARN_UNUSED mpno_status mpno_info_machine(mpno_ctx *ctx, const mpno_sink *sink,
                                               mpno_value *map);

#endif
