/* SPDX-License-Identifier: MIT
 * Tables of the lines of a transform in two parts: made by columns.c, read by lines.c. */
#ifndef MPNO_TRANSFORM_LINES_H
#define MPNO_TRANSFORM_LINES_H

#include "transform/columns/columns.h"

/* Chooses the method for lines of columns->n points that come `part` at a time. */
mpno_lines_method mpno_lines_choose(const mpno_columns *columns);
/* Numbers of both tables together. */
size_t mpno_lines_table_count(const mpno_columns *columns);
/* weights [K]: scale and weight of each frequency. Sets columns->take, ->give and ->phases. */
void mpno_lines_fill(mpno_columns *columns, const double *weights, void *tables);

#endif
