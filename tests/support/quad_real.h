/* SPDX-License-Identifier: MIT
 * The widest real numbers that the compiler has functions for: __float128 with libquadmath (gcc),
 * else long double. */
#ifndef TESTS_SUPPORT_QUAD_REAL_H
#define TESTS_SUPPORT_QUAD_REAL_H

#ifdef MPNO_HAVE_QUADMATH
#include <quadmath.h>
typedef __float128 quad;
#define QUAD(function) function##q
#define QUAD_NAME "quad, 113 bits"
#else
#include <math.h>
typedef long double quad;
#define QUAD(function) function##l
#define QUAD_NAME "long double: this compiler has no libquadmath"
#endif

#endif
