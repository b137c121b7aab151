/* SPDX-License-Identifier: MIT
 * Numbers with units for people. Fixed buffers, no failure. */
#ifndef MPNO_REPORT_HUMAN_H
#define MPNO_REPORT_HUMAN_H

#include <stdbool.h>
#include <stdint.h>

#define MPNO_HUMAN_CAPACITY 24

/* "512 B", "1.50 KiB", "12.3 MiB", "640 MiB": three digits, powers of 1024. Gives `out`. */
const char *mpno_human_bytes(uint64_t bytes, char out[MPNO_HUMAN_CAPACITY]);
/* The other way: a number and one of B, kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (of
 * 1024), with or without a blank between them. False when `text` is nothing such, or not below
 * 2^62. */
bool mpno_human_parse_bytes(const char *text, uint64_t *bytes);
/* "850 us", "12.3 ms", "4.20 s", "3 min 07 s", "2 h 05 min", "3 d 04 h"; "?" when negative or not
 * finite. Gives `out`. */
const char *mpno_human_seconds(double seconds, char out[MPNO_HUMAN_CAPACITY]);

#endif
