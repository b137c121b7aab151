#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Designs the two colour maps of src/report and writes src/report/colormap_tables.c.

Both maps are curves in OKLab (B. Ottosson, "A perceptual color space for image processing", 2020),
where equal distances look about equally large. The curve is walked in steps of equal length, so
that equal steps of a value look equally large, and its lightness is monotone, so that order
survives greyscale printing and every kind of colour blindness.

  sequential: indigo, blue, teal, sand, cream; lightness rises from 0.20 to 0.96.
  diverging:  blue - near white - orange; lightness depends on |error| alone, colour on its sign.
              An odd number of entries, so that zero is exactly the middle. Blue against orange
              is the pair that colour-blind eyes tell apart.

Usage: scripts/make_colormaps.py [OUTPUT]      (Python 3 alone, no packages)
"""
import math
import os
import sys


def oklab_to_linear(lightness, a, b):
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def encode(linear):
    """Linear light to an sRGB byte."""
    value = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return round(255 * min(max(value, 0.0), 1.0))


def in_gamut(point):
    return all(-1e-4 <= channel <= 1 + 1e-4 for channel in oklab_to_linear(*point))


def spline(knots, t):
    """Catmull-Rom through (L, chroma, hue in degrees), evenly spaced over t in [0, 1]."""
    position = min(max(t, 0.0), 1.0) * (len(knots) - 1)
    i = min(int(position), len(knots) - 2)
    u = position - i
    before, after = knots[max(i - 1, 0)], knots[min(i + 2, len(knots) - 1)]
    values = []
    for p0, p1, p2, p3 in zip(before, knots[i], knots[i + 1], after):
        values.append(
            0.5 * (2 * p1 + (p2 - p0) * u + (2 * p0 - 5 * p1 + 4 * p2 - p3) * u * u
                   + (3 * p1 - p0 - 3 * p2 + p3) * u ** 3))
    lightness, chroma, hue = values
    hue = math.radians(hue)
    return (lightness, chroma * math.cos(hue), chroma * math.sin(hue))


def even_steps(knots, n):
    """n points of the curve at equal distances along it, all of them colours a screen can show."""
    fine = [spline(knots, i / 20000) for i in range(20001)]
    length = [0.0]
    for p, q in zip(fine, fine[1:]):
        length.append(length[-1] + math.dist(p, q))
    points, j = [], 0
    for i in range(n):
        while length[j] < length[-1] * i / (n - 1) - 1e-12:
            j += 1
        points.append(fine[j])
    for i, point in enumerate(points):
        if not in_gamut(point):
            raise SystemExit(f"entry {i} {point} is outside sRGB: lower the chroma of its knot")
    return points


def sequential():
    knots = [
        (0.20, 0.075, 285),
        (0.34, 0.110, 268),
        (0.50, 0.098, 240),
        (0.65, 0.098, 200),
        (0.78, 0.100, 150),
        (0.88, 0.100, 110),
        (0.965, 0.040, 94),
    ]
    return even_steps(knots, 256)


def diverging():
    negative = [(0.97, 0.000, 250), (0.80, 0.095, 246), (0.60, 0.130, 252), (0.34, 0.110, 262)]
    positive = [(0.97, 0.000, 60), (0.80, 0.105, 62), (0.60, 0.140, 48), (0.34, 0.098, 34)]
    # One lightness for both signs: each arm is walked by its own length, then given the mean.
    n = 128
    left, right = even_steps(negative, n), even_steps(positive, n)
    common = [(p[0] + q[0]) / 2 for p, q in zip(left, right)]
    left = [(light, p[1], p[2]) for light, p in zip(common, left)]
    right = [(light, p[1], p[2]) for light, p in zip(common, right)]
    return left[:0:-1] + right


def table(name, points):
    lines = [f"const mpno_rgb {name}[{len(points)}] = {{"]
    row = []
    for point in points:
        red, green, blue = (encode(channel) for channel in oklab_to_linear(*point))
        row.append(f"{{{red}, {green}, {blue}}},")
        if len(row) == 5:
            lines.append("    " + " ".join(row))
            row = []
    if row:
        lines.append("    " + " ".join(row))
    return "\n".join(lines) + "\n};\n"


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    default = os.path.join(here, "..", "src", "report", "colormap_tables.c")
    text = (
        "/* SPDX-License-Identifier: MIT\n"
        " * Colour maps as sRGB bytes. Written by scripts/make_colormaps.py: change the script,\n"
        " * not the numbers. */\n"
        '#include "report/colormap.h"\n\n'
        + table("mpno_colormap_sequential", sequential())
        + "\n"
        + table("mpno_colormap_diverging", diverging())
    )
    with open(sys.argv[1] if len(sys.argv) > 1 else default, "w", encoding="ascii") as out:
        out.write(text)


if __name__ == "__main__":
    main()
