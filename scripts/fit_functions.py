#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fits the coefficients of src/kernel/tmpl/functions_coefficients.h and prints that header.

    scripts/fit_functions.py > src/kernel/tmpl/functions_coefficients.h   (numpy and mpmath)

The fits, all by Lawson's reweighting of linear least squares towards the smallest largest
relative error, then rounded to f32 one coefficient at a time, from the highest degree down,
with the free ones refitted after each rounding:
  * e^r = 1 + r + r^2 p(r) on |r| <= ln(2)/2, weighted for the relative error of e^r - 1;
  * Phi(t) - 1/2 and Phi(t) + t phi(t) - 1/2 of the normal distribution by polynomials in
    t - n w around the PIECES nodes n w, n = 0, 1, .., for the absolute error; for results that are
    rounded to bf16 once more, shorter ones around SHORT_PIECES nodes;
  * tanh t likewise, short only, for the relative error: around 0 it begins with t.
"""
import mpmath
import numpy as np

EXPM1_DEGREE = 4  # of p
PIECES = 8
BELL_STEP, BELL_DEGREE = 0.75, 6  # beyond (PIECES - 1/2) w what is missing is less than u/4
SLOPE_STEP, SLOPE_DEGREE = 0.84375, 7
END_GAP = 2.0**-16  # at (pieces - 1/2) w itself the nearest node may be one that is not there
SHORT_PIECES = 16  # a vector of AVX-512
SHORT_BELL_STEP, SHORT_BELL_DEGREE = 0.296875, 3
SHORT_SLOPE_STEP, SHORT_SLOPE_DEGREE = 0.328125, 3
SHORT_TANH_STEP, SHORT_TANH_DEGREE = 0.4375, 4


def nodes(low, high, count):
    angle = np.pi * (np.arange(count) + 0.5) / count
    return 0.5 * (low + high) - 0.5 * (high - low) * np.cos(angle)


def lawson(columns, target, scale, rounds=400):
    """Coefficients c that make max |columns c - target| * scale small."""
    weight = np.full(len(target), 1.0 / len(target))
    best, best_error = None, np.inf
    for _ in range(rounds):
        w = np.sqrt(weight) * scale
        norm = np.linalg.norm(columns * w[:, None], axis=0)
        c = np.linalg.lstsq(columns * w[:, None] / norm, target * w, rcond=None)[0] / norm
        residual = np.abs(columns @ c - target) * scale
        if residual.max() < best_error:
            best, best_error = c, residual.max()
        weight = weight * residual
        weight /= weight.sum()
    return best, best_error


def fit_rounded(columns, target, scale, order):
    """Lawson's fit with every coefficient an f32, rounded one by one in this order."""
    fixed = {}
    for index in order:
        free = [i for i in range(columns.shape[1]) if i not in fixed]
        rest = target.copy()
        for i, v in fixed.items():
            rest -= columns[:, i] * v
        c, _ = lawson(columns[:, free], rest, scale, 120)
        fixed[index] = float(np.float32(c[free.index(index)]))
    result = np.array([fixed[i] for i in range(columns.shape[1])])
    return result, np.max(np.abs(columns @ result - target) * scale)


def fit_expm1():
    half = float(mpmath.log(2)) / 2 * 1.0001
    r = nodes(-half, half, 2000)
    target = np.array([float((mpmath.expm1(v) - v) / v**2) for v in r.tolist()])
    value = np.array([float(mpmath.expm1(v)) for v in r.tolist()])
    columns = r[:, None] ** np.arange(EXPM1_DEGREE + 1)
    return fit_rounded(columns, target, r**2 / np.abs(value), range(EXPM1_DEGREE, -1, -1))


def fit_pieces(function, step, degree, pieces=PIECES, relative=False):
    """Rows of coefficients, one for each power: [degree + 1][pieces]. relative: to the function,
    which is 0 at 0."""
    rows, worst = np.zeros((degree + 1, pieces)), 0.0
    for n in range(pieces):
        r = nodes(-0.5001 * step if n else 0.0, 0.5001 * step, 800)
        target = np.array([float(function(mpmath.mpf(n * step) + v)) for v in r.tolist()])
        first = 1 if relative and n == 0 else 0
        columns = r[:, None] ** np.arange(first, degree + 1)
        scale = 1 / np.abs(target) if relative else np.ones_like(r)
        c, error = fit_rounded(columns, target, scale, range(degree - first, -1, -1))
        rows[first:, n], worst = c, max(worst, error)
    return rows, worst


def hexadecimal(value):
    """The f32 `value` as a C literal with 6 hexadecimal digits."""
    mantissa, exponent = value.hex().split("p")
    return mantissa.rstrip("0").rstrip(".") + "p" + exponent + "f"


def array(name, comment, values):
    print(f"/* {comment} */")
    print(f"static const float {name}[] = {{")
    for v in values:
        print(f"    {hexadecimal(float(v))},")
    print("};")


def table(name, comment, rows):
    print(f"/* {comment} */")
    print(f"static const _Alignas({4 * rows.shape[1]}) float {name}[][{rows.shape[1]}] = {{")
    for row in rows:
        values = ", ".join(hexadecimal(float(v)) for v in row)
        print(f"    {{{values}}},")
    print("};")


def define(name, value):
    print(f"#define {name} {hexadecimal(float(np.float32(float(value))))}")


def bell_at(t):
    return mpmath.ncdf(t) - 0.5


def slope_at(t):
    return mpmath.ncdf(t) + t * mpmath.npdf(t) - 0.5


def main():
    mpmath.mp.dps = 60
    expm1, expm1_error = fit_expm1()
    bell, bell_error = fit_pieces(bell_at, BELL_STEP, BELL_DEGREE)
    slope, slope_error = fit_pieces(slope_at, SLOPE_STEP, SLOPE_DEGREE)
    short_bell, short_bell_error = fit_pieces(
        bell_at, SHORT_BELL_STEP, SHORT_BELL_DEGREE, SHORT_PIECES
    )
    short_slope, short_slope_error = fit_pieces(
        slope_at, SHORT_SLOPE_STEP, SHORT_SLOPE_DEGREE, SHORT_PIECES
    )
    short_tanh, short_tanh_error = fit_pieces(
        mpmath.tanh, SHORT_TANH_STEP, SHORT_TANH_DEGREE, SHORT_PIECES, relative=True
    )
    ln2 = mpmath.log(2)
    high = float(mpmath.nint(ln2 * 2**16)) / 2**16
    print("/* SPDX-License-Identifier: MIT")
    print(" * Coefficients of the f32 functions, lowest degree first.")
    print(" * Generated by scripts/fit_functions.py: do not edit. */")
    print("#ifndef MPNO_KERNEL_TMPL_FUNCTIONS_COEFFICIENTS_H")
    print("#define MPNO_KERNEL_TMPL_FUNCTIONS_COEFFICIENTS_H")
    print()
    text = "e^r = 1 + r + r^2 p(r), |r| <= ln(2)/2; relative error of e^r - 1:"
    array("expm1_p", f"{text} {expm1_error:.1e}", expm1)
    text = "around n w, n = 0 .. 7; absolute error"
    table("bell_p", f"Phi(t) - 1/2, w = BELL_STEP, {text} {bell_error:.1e}", bell)
    table("slope_p", f"Phi(t) + t phi(t) - 1/2, w = SLOPE_STEP, {text} {slope_error:.1e}", slope)
    text = "around n w, n = 0 .. 15; absolute error"
    table("short_bell_p", f"Phi(t) - 1/2, w = SHORT_BELL_STEP, {text} {short_bell_error:.1e}", short_bell)
    table(
        "short_slope_p",
        f"Phi(t) + t phi(t) - 1/2, w = SHORT_SLOPE_STEP, {text} {short_slope_error:.1e}",
        short_slope,
    )
    text = "around n w, n = 0 .. 15; relative error"
    table("short_tanh_p", f"tanh t, w = SHORT_TANH_STEP, {text} {short_tanh_error:.1e}", short_tanh)
    print("/* log2(e); ln(2) in two parts, the first short: n times it is exact, |n| < 2^8. */")
    define("LOG2_E", 1 / ln2)
    define("LN2_HIGH", high)
    define("LN2_LOW", ln2 - high)
    pieces = (
        ("BELL", BELL_DEGREE, BELL_STEP, PIECES),
        ("SLOPE", SLOPE_DEGREE, SLOPE_STEP, PIECES),
        ("SHORT_BELL", SHORT_BELL_DEGREE, SHORT_BELL_STEP, SHORT_PIECES),
        ("SHORT_SLOPE", SHORT_SLOPE_DEGREE, SHORT_SLOPE_STEP, SHORT_PIECES),
        ("SHORT_TANH", SHORT_TANH_DEGREE, SHORT_TANH_STEP, SHORT_PIECES),
    )
    for name, degree, step, count in pieces:
        print(f"#define {name}_DEGREE {degree}")
        define(f"{name}_STEP", step)
        define(f"{name}_INVERSE", 1 / step)
        define(f"{name}_END", (count - 0.5) * step - END_GAP)
    print()
    print("#endif")


if __name__ == "__main__":
    main()
