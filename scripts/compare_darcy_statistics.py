#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares a generated Darcy set with neuraloperator's darcy_train_16.pt by two-sample tests.

usage: scripts/compare_darcy_statistics.py GENERATED.h5 [--reference examples/data/darcy_train_16.pt] [--permutations 1000]

Points of one sample depend on each other, so that only samples are exchanged: values of which a sample has one (share of
phase 1, power in a ring of wave numbers, mean and maximum of u) are compared by the Kolmogorov-Smirnov test over samples, the
histogram of all values of u by the same distance with its distribution under permutations of whole samples. p: probability
of so large a distance were the two sets made alike. Needs numpy; h5py for the generated file.
"""
import argparse
import math

import numpy as np

SEED = 0


def read_reference(path):
    """x and y of the shipped file: two raw blocks in Fortran order inside an uncompressed zip."""
    raw = np.fromfile(path, np.uint8)
    shape = (1000, 16, 16)
    x = raw[448:448 + 256000].reshape(shape, order="F")
    y = raw[256512:256512 + 1024000].view("<f4").reshape(shape, order="F")
    assert set(np.unique(x)) == {0, 1} and abs(float(y.mean()) - 0.3863156) < 1e-4, "not the shipped file"
    return x.astype(float), y.astype(float)


def read_generated(path):
    """x as the phase, and y."""
    import h5py
    with h5py.File(path) as file:
        n = int(file["completed"][()])
        x, y, high = file["x"][:n].astype(float), file["y"][:n].astype(float), float(file.attrs["high"])
        if file.attrs["x"] in (b"value", "value"):
            x = (np.abs(x - high) < 1e-6 * high).astype(float)
    return x, y


def distance(a, b):
    """Largest difference of the two empirical distributions."""
    both = np.sort(np.concatenate([a, b]))
    a, b = np.sort(a), np.sort(b)
    return float(np.max(np.abs(np.searchsorted(a, both, "right") / len(a) - np.searchsorted(b, both, "right") / len(b))))


def p_value(d, n, m):
    """Kolmogorov's distribution with Stephens' correction."""
    root = math.sqrt(n * m / (n + m))
    z = (root + 0.12 + 0.11 / root) * d
    if z < 0.2:
        return 1.0
    return min(1.0, max(0.0, 2 * sum((-1) ** (k - 1) * math.exp(-2 * k * k * z * z) for k in range(1, 101))))


def ring_power(x):
    """[sample][ring]: power of the phase per sample, averaged over rings of |k| (cosine modes k = 1 .. 8 in units of pi)."""
    n = x.shape[1]
    grid = np.arange(n) / n
    modes = np.sqrt(2) * np.cos(np.pi * np.arange(9)[:, None] * grid) / n
    modes[0] /= np.sqrt(2)
    power = np.einsum("ai,sij,bj->sab", modes, x - 0.5, modes) ** 2
    radius = np.rint(np.hypot(*np.meshgrid(np.arange(9), np.arange(9)))).astype(int)
    return np.stack([power[:, radius == r].mean(axis=1) for r in range(1, 9)], axis=1)


def row(name, a, b):
    """Prints one line of the table: means, difference in standard errors, distance and p."""
    error = math.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
    d = distance(a, b)
    print(f"{name:28} {a.mean():12.5g} {b.mean():12.5g} {(a.mean() - b.mean()) / error:8.2f} "
          f"{d:8.4f} {p_value(d, len(a), len(b)):8.4f}")


def pooled(a, b, permutations):
    """KS distance of all values on 400 common quantiles, and its share under permutations of samples."""
    edges = np.quantile(np.concatenate([a.ravel(), b.ravel()]), np.linspace(0, 1, 401))[1:-1]
    below = np.stack([np.searchsorted(np.sort(s.ravel()), edges, "right") for s in np.concatenate([a, b])])
    below = below / a[0].size
    n = len(a)
    rng = np.random.default_rng(SEED)

    def apart(order):
        return float(np.max(np.abs(below[order[:n]].mean(axis=0) - below[order[n:]].mean(axis=0))))
    d = apart(np.arange(len(below)))
    more = sum(apart(rng.permutation(len(below))) >= d for _ in range(permutations))
    return d, (more + 1) / (permutations + 1)


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("generated")
    parser.add_argument("--reference", default="examples/data/darcy_train_16.pt")
    parser.add_argument("--permutations", type=int, default=1000)
    args = parser.parse_args()
    x, y = read_generated(args.generated)
    x0, y0 = read_reference(args.reference)
    broken = y0.min(axis=(1, 2)) < -1e-4
    print(f"{len(x)} generated samples, {len(x0)} of the reference, {int(broken.sum())} of which have negative u\n")
    print(f"{'per sample':28} {'generated':>12} {'reference':>12} {'z':>8} {'KS':>8} {'p':>8}")
    row("share of phase 1", x.mean(axis=(1, 2)), x0.mean(axis=(1, 2)))
    for r, (a, b) in enumerate(zip(ring_power(x).T, ring_power(x0).T), 1):
        row(f"power at |k| = {r} pi", a, b)
    for name, keep in (("all samples", slice(None)), ("without the negative ones", ~broken)):
        print(f"\n{name}")
        row("mean of u", y.mean(axis=(1, 2)), y0[keep].mean(axis=(1, 2)))
        row("maximum of u", y.max(axis=(1, 2)), y0[keep].max(axis=(1, 2)))
        inner, inner0 = y[:, 1:, 1:], y0[keep][:, 1:, 1:]
        d, p = pooled(inner, inner0, args.permutations)
        print(f"{'histogram of u, inner nodes':28} {inner.mean():12.5g} {inner0.mean():12.5g} {'':8} {d:8.4f} {p:8.4f}")
    first, first0 = y[:, 0].mean(axis=1), y0[:, 0].mean(axis=1)
    print(f"\nu in row 0: generated {first.mean():.3g}, reference {first0.mean():.3g} (largest {np.abs(y0[:, 0]).max():.3g})")


if __name__ == "__main__":
    main()
