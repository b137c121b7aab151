#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Statistics of w(T) of Navier-Stokes sets of the same seed, such as of both integrators and of two resolutions.

usage: scripts/compare_flow_statistics.py FIRST.h5 OTHER.h5 ...

For each file: mean and variance of the last field of y over the box, and its enstrophy spectrum sum |w(k)|^2 in rings
|k| = s - 1/2 .. s + 1/2, means over the samples with standard errors. For each other file the difference from the first, over the
standard error of a difference of two sets (z: below 2 means that so many samples do not tell them apart), and over that of the
difference of the pairs of samples with the same number, which is far more sensitive (pair). Needs numpy and h5py.
"""
import argparse

import h5py
import numpy as np

RINGS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


def numbers(path):
    """[samples][mean, variance, rings]: one row a sample, and what was asked for."""
    with h5py.File(path) as file:
        done = int(file["completed"][()])
        y = file["y"]
        rows = []
        for i in range(done):
            w = (y[i] if y.ndim == 3 else y[i, -1]).astype(float)
            n1, n2 = w.shape
            power = abs(np.fft.fft2(w) / (n1 * n2)) ** 2
            k = np.hypot(np.fft.fftfreq(n1, 1 / n1)[:, None], np.fft.fftfreq(n2, 1 / n2))
            rows.append([w.mean(), w.var(), *(power[abs(k - s) < 0.5].sum() for s in RINGS)])
        text = {key: file.attrs[key] for key in ("seed", "nu", "length", "integrator")}
        return np.array(rows), f"{text['integrator'].decode()} {list(file.attrs['solve_resolution'])}", text


def main():
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("files", nargs="+")
    sets = [numbers(path) for path in parser.parse_args().files]
    first = sets[0][0]
    for _, name, text in sets[1:]:
        for key in ("seed", "nu", "length"):
            assert text[key] == sets[0][2][key], f"{name} has another {key}: samples are no pairs"
    names = ["mean", "variance", *(f"ring {s}" for s in RINGS)]
    print("| |" + "|".join(f" {name}, {len(rows)} samples | z | pair " if rows is not first
                           else f" {name}, {len(rows)} samples " for rows, name, _ in sets) + "|")
    print("|---|" + "---|" * (3 * len(sets) - 2))
    for column, name in enumerate(names):
        cells = []
        for rows, _, _ in sets:
            x = rows[:, column]
            cells.append(f" {x.mean():.5g} +- {x.std(ddof=1) / len(x) ** 0.5:.2g} ")
            if rows is first:
                continue
            n = min(len(x), len(first))
            a, b = first[:n, column], x[:n]
            change, pairs = b.mean() - a.mean(), (b - a).std(ddof=1) / n ** 0.5
            both = ((a.var(ddof=1) + b.var(ddof=1)) / n) ** 0.5
            cells += [f" {change / both if both > 0 else 0:.2f} ", f" {change / pairs if pairs > 0 else 0:.1f} "]
        print(f"| {name} |" + "|".join(cells) + "|")


if __name__ == "__main__":
    main()
