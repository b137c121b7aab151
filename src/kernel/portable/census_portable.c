/* SPDX-License-Identifier: MIT
 * Counts of stored values for any machine. */
#include "kernel/census_tables.h"

#define TABLE mpno_census_portable
#include "kernel/tmpl/census_all.h"
