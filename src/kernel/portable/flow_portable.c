/* SPDX-License-Identifier: MIT
 * The flow kernels for any CPU. */
#include "kernel/flow_tables.h"

#include "kernel/tmpl/vec_portable.h"

#include "kernel/tmpl/flow.h"

const mpno_flow_kernels mpno_flow_portable = FLOW_TABLE;
