#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fits the coefficients of src/kernel/tmpl/functions_coefficients.h and prints that header.

    scripts/fit_functions.py > src/kernel/tmpl/functions_coefficients.h   (numpy and mpmath)

Three fits, all by Lawson's reweighting of linear least squares towards the smallest largest
relative error, then rounded to f32 one coefficient at a time, from the highest degree down,
with the free ones refitted after each rounding:
  * e^r = 1 + r + r^2 p(r) on |r| <= ln(2)/2, weighted for the relative error of e^r - 1;
  * 2^f = 1 + f p(f) on |f| <= 1/2;
  * the scaled tail of the normal distribution, M(t) = exp(t^2/2) Phi(-t) = P(t)/Q(t) on
    [0, CUTOFF], P(0)/Q(0) = 1/2, with the denominators of the previous iteration as weights
    (Loeb's iteration).
"""
import mpmath
import numpy as np

CUTOFF = 12.9  # beyond it t Phi(-t) < 2^-120: the kernels return 0
EXPM1_DEGREE = 4  # of p
EXP2_DEGREE = 5
TAIL_DEGREES = (4, 5)


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


def fit_exp2():
    f = nodes(-0.5001, 0.5001, 2000)
    value = np.array([float(mpmath.mpf(2) ** v) for v in f.tolist()])
    target = np.array([float((mpmath.mpf(2) ** v - 1) / v) for v in f.tolist()])
    columns = f[:, None] ** np.arange(EXP2_DEGREE + 1)
    return fit_rounded(columns, target, np.abs(f) / value, range(EXP2_DEGREE, -1, -1))


def fit_tail():
    t = CUTOFF * (1 - np.cos(np.pi / 2 * (np.arange(3000) + 0.5) / 3000))  # dense near 0
    m = np.array([float(mpmath.exp(mpmath.mpf(v) ** 2 / 2) * mpmath.ncdf(-v)) for v in t.tolist()])
    top, bottom = TAIL_DEGREES
    # 1/2 + sum_i p_i t^i = m (1 + sum_i q_i t^i): unknowns p_1.., q_1..; for the relative error
    # of P/Q the weight is 1/(m Q).
    powers = t[:, None] ** np.arange(1, bottom + 1)
    columns = np.hstack([powers[:, :top], -m[:, None] * powers])
    target = m - 0.5
    q = np.ones_like(t)
    for _ in range(40):
        c, _ = lawson(columns, target, 1.0 / (m * q), 60)
        q = 1.0 + powers @ c[top:]
    # Rounding goes from the coefficients that matter least at the ends to those that matter most.
    pairs = zip(range(top - 1, -1, -1), range(top + bottom - 1, top, -1))
    order = [i for pair in pairs for i in pair] + [top]
    c, error = fit_rounded(columns, target, 1.0 / (m * q), order)
    q = 1.0 + powers @ c[top:]
    error = np.max(np.abs((0.5 + powers[:, :top] @ c[:top]) / q / m - 1))
    return np.concatenate([[0.5], c[:top]]), np.concatenate([[1.0], c[top:]]), error


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


def define(name, value):
    print(f"#define {name} {hexadecimal(float(np.float32(float(value))))}")


def main():
    mpmath.mp.dps = 60
    expm1, expm1_error = fit_expm1()
    exp2, exp2_error = fit_exp2()
    p, q, tail_error = fit_tail()
    ln2 = mpmath.log(2)
    high = float(mpmath.nint(ln2 * 2**16)) / 2**16
    half = -0.5 / ln2
    half_high = float(np.float32(float(half)))
    print("/* SPDX-License-Identifier: MIT")
    print(" * Coefficients of the f32 functions, lowest degree first.")
    print(" * Generated by scripts/fit_functions.py: do not edit. */")
    print("#ifndef MPNO_KERNEL_TMPL_FUNCTIONS_COEFFICIENTS_H")
    print("#define MPNO_KERNEL_TMPL_FUNCTIONS_COEFFICIENTS_H")
    print()
    text = "e^r = 1 + r + r^2 p(r), |r| <= ln(2)/2; relative error of e^r - 1:"
    array("expm1_p", f"{text} {expm1_error:.1e}", expm1)
    array("exp2_p", f"2^f = 1 + f p(f), |f| <= 1/2; relative error {exp2_error:.1e}", exp2)
    text = "exp(t^2/2) Phi(-t) = P(t)/Q(t), 0 <= t <= TAIL_CUTOFF; relative error"
    array("tail_p", f"{text} {tail_error:.1e}", p)
    array("tail_q", "Q(t)", q)
    print("/* log2(e); ln(2) in two parts, the first short: n times it is exact, |n| < 2^8. */")
    define("LOG2_E", 1 / ln2)
    define("LN2_HIGH", high)
    define("LN2_LOW", ln2 - high)
    print("/* -log2(e)/2 in two parts. */")
    define("GAUSS_HIGH", half_high)
    define("GAUSS_LOW", half - half_high)
    define("INV_SQRT_2PI", 1 / mpmath.sqrt(2 * mpmath.pi))
    define("TAIL_CUTOFF", CUTOFF)
    print()
    print("#endif")


if __name__ == "__main__":
    main()
