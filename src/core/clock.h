/* SPDX-License-Identifier: MIT
 * Time and memory of the process, for measuring. */
#ifndef MPNO_CORE_CLOCK_H
#define MPNO_CORE_CLOCK_H

#include <stddef.h>

/* Seconds of a clock that never goes back; only differences mean something. */
double mpno_seconds(void);
/* Memory of the process that is in the machine now, bytes; 0 where the system does not say. */
size_t mpno_resident_bytes(void);
/* Gives freed memory that the allocator keeps back to the system, so that what is made next is seen
 * in mpno_resident_bytes. */
void mpno_release_freed(void);

#endif
