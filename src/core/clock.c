/* SPDX-License-Identifier: MIT
 * See clock.h. Resident memory: second number of /proc/self/statm, pages (Linux). */
#include "core/clock.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

double mpno_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

size_t mpno_resident_bytes(void) {
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL) return 0;
    if (fscanf(file, "%*u %llu", &pages) != 1) pages = 0;
    fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

void mpno_release_freed(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}
