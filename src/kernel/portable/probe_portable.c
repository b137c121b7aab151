/* SPDX-License-Identifier: MIT
 * Probe kernels for any CPU. */
#include "kernel/probe_tables.h"

#include "kernel/tmpl/vec_portable.h"

#include "kernel/tmpl/probe.h"

const mpno_probe_kernels mpno_probe_portable = PROBE_TABLE;
