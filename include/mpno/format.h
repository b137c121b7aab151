/* SPDX-License-Identifier: MIT
 * Number formats in which a tensor can be stored. */
#ifndef MPNO_FORMAT_H
#define MPNO_FORMAT_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mpno_format { MPNO_F64, MPNO_F32, MPNO_BF16, MPNO_F16, MPNO_FORMAT_COUNT } mpno_format;

#ifdef __cplusplus
}
#endif

#endif
