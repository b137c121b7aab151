/* SPDX-License-Identifier: MIT
 * The counting loops of one ISA, for every width of a format.
 * Parameter: TABLE, name of the table that is exported. */

#define W uint8_t
#define COUNT uint16_t
#define BLOCK 32768
#define FN(name) name##_one
#include "kernel/tmpl/census.h"

#define W uint16_t
#define COUNT uint16_t
#define BLOCK 32768
#define FN(name) name##_two
#include "kernel/tmpl/census.h"

#define W uint32_t
#define COUNT uint32_t
#define BLOCK 32768
#define FN(name) name##_four
#include "kernel/tmpl/census.h"

#define W uint64_t
#define COUNT uint64_t
#define BLOCK 32768
#define FN(name) name##_eight
#include "kernel/tmpl/census.h"

const mpno_census_kernels TABLE = {
    .one = count_one, .two = count_two, .four = count_four, .eight = count_eight};
