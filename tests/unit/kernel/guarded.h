/* SPDX-License-Identifier: MIT
 * Buffers for tests of kernels that show every access outside: they end at a page that cannot be
 * touched and begin after canaries. Their start has the alignment of the element only. */
#ifndef TESTS_UNIT_KERNEL_GUARDED_H
#define TESTS_UNIT_KERNEL_GUARDED_H

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLOTS = 8, CANARY = 128, SLOT_BYTES = 1 << 20, FILL = 0xA5 };

static unsigned char *slot_end[SLOTS];
static size_t slot_bytes[SLOTS];

/* Gives, as cmocka's fixtures do, whether it failed. */
static inline int guarded_open(void) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < SLOTS; i++) {
        unsigned char *p = mmap(NULL, SLOT_BYTES + page, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED || mprotect(p + SLOT_BYTES, page, PROT_NONE) != 0) return 1;
        slot_end[i] = p + SLOT_BYTES;
    }
    return 0;
}

/* `bytes` bytes up to where reading faults, filled with FILL, as are the bytes before them. */
static inline void *place(int slot, size_t bytes) {
    assert_true(bytes + CANARY <= SLOT_BYTES);
    slot_bytes[slot] = bytes;
    memset(slot_end[slot] - bytes - CANARY, FILL, bytes + CANARY);
    return slot_end[slot] - bytes;
}

static inline void check_canary(int slot) {
    const unsigned char *p = slot_end[slot] - slot_bytes[slot] - CANARY;
    for (int i = 0; i < CANARY; i++) assert_int_equal(p[i], FILL);
}

#endif
