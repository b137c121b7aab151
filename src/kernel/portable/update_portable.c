/* SPDX-License-Identifier: MIT
 * The loops of optimisers for any machine. */
#include "kernel/update_tables.h"

#define TABLE mpno_update_portable
#include "kernel/tmpl/update_both.h"
