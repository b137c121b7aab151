#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Darcy samples per second with scipy's sparse direct solver beside `mpno generate darcy`, in turn on the same cores.

usage: bench/peers/darcy_scipy.py [--mpno build/mpno] [--resolution 421] [--samples 8] [--mpno_samples 40] [--rounds 3]

The peer makes the same discretisation (nodes i/N, harmonic means on the faces, zero boundary; the same recipe of random
fields by scipy.fft.idctn) with numpy and solves each sample with scipy.sparse.linalg.spsolve,
a process per core. Needs numpy and scipy. Prints one JSON object with every round and the medians.
"""
import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import tempfile
import time

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):  # one process per core, one thread each
    os.environ[name] = "1"
import numpy as np  # noqa: E402
import scipy.fft  # noqa: E402
import scipy.sparse  # noqa: E402
import scipy.sparse.linalg  # noqa: E402


def coefficient(rng, n):
    """12 where a Gaussian random field (alpha 2, tau 3) is positive, else 3, at the nodes 0 .. n."""
    k = np.arange(n + 1)
    decay = 3 * (np.pi ** 2 * (k[:, None] ** 2 + k ** 2) + 9) ** -1.0
    modes = decay * rng.standard_normal((n + 1, n + 1))
    modes[0, 0] = 0
    return np.where(scipy.fft.idctn(modes, norm="ortho") >= 0, 12.0, 3.0)


def solve(a):
    """-div(a grad u) = 1 at the inner nodes."""
    n = a.shape[0] - 1
    down = 2 * a[:-1] * a[1:] / (a[:-1] + a[1:]) * n * n          # between rows i and i + 1
    right = 2 * a[:, :-1] * a[:, 1:] / (a[:, :-1] + a[:, 1:]) * n * n
    inner = (down[:-1, 1:-1] + down[1:, 1:-1] + right[1:-1, :-1] + right[1:-1, 1:]).ravel()
    side = right[1:-1, 1:].copy()
    side[:, -1] = 0
    side = side.ravel()[:-1]
    below = down[1:-1, 1:-1].ravel()
    m = n - 1
    matrix = scipy.sparse.diags([inner, -side, -side, -below, -below], [0, 1, -1, m, -m], format="csc")
    u = np.zeros_like(a)
    u[1:-1, 1:-1] = scipy.sparse.linalg.spsolve(matrix, np.ones(m * m)).reshape(m, m)
    return u


def sample(task):
    """One sample: seed and resolution."""
    seed, n = task
    u = solve(coefficient(np.random.default_rng(seed), n))
    return float(u.max())


def run_peer(pool, n, samples):
    """Samples per second of the peer."""
    start = time.monotonic()
    pool.map(sample, [(seed, n) for seed in range(samples)], chunksize=1)
    return samples / (time.monotonic() - start)


def run_mpno(program, n, samples):
    """Samples per second of the program, from start to end of its process."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        subprocess.run([program, "generate", "darcy", "--n_samples", str(samples), "--resolution", str(n), "-q",
                        "-o", os.path.join(folder, "darcy.h5")], check=True,
                       env={key: v for key, v in os.environ.items() if key != "OMP_NUM_THREADS"})
        return samples / (time.monotonic() - start)


def main():
    """Measures A, B, A, B and takes medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mpno", default="build/mpno")
    parser.add_argument("--resolution", type=int, default=421)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--mpno_samples", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    peer, ours = [], []
    with multiprocessing.Pool(cores) as pool:
        pool.map(sample, [(seed, 16) for seed in range(2 * cores)])  # imports and first calls
        for _ in range(args.rounds):
            ours.append(run_mpno(args.mpno, args.resolution, args.mpno_samples))
            peer.append(run_peer(pool, args.resolution, args.samples))
    print(json.dumps({"resolution": args.resolution, "cores": cores, "scipy": scipy.__version__,
                      "mpno_samples_per_s": ours, "scipy_samples_per_s": peer,
                      "mpno_median": statistics.median(ours), "scipy_median": statistics.median(peer),
                      "ratio": statistics.median(ours) / statistics.median(peer)}))


if __name__ == "__main__":
    main()
