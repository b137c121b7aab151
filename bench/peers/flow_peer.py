#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The forcing recipe of `mpno generate navier_stokes` in numpy with scipy.fft and in PyTorch, vectorised over samples.

usage: bench/peers/flow_peer.py scipy|torch [--size 256] [--steps 50] [--batch 4] [--processes 1] [--threads 2] [--rounds 1]
       bench/peers/flow_peer.py scipy|torch --check FILE.h5 [--batch 4]

Times steps (Heun with Crank-Nicolson, div(u w) by five real transforms, 2/3 mask, dt by each sample's CFL number) of `batch`
samples in each of `processes`, each on `threads` threads, and prints one JSON object: seconds of a step of one sample, all cores
together. --check makes the samples of a file (x: forcing, y: vorticity, fixed dt) and prints the largest difference.
"""
import argparse
import json
import math
import multiprocessing
import os
import time

import numpy as np

NU, CFL = 1 / 500, 0.5


def tables(n):
    """Multipliers of the spectrum: w to u and v, products to minus their divergence, mask, nu |k|^2."""
    k1 = np.fft.fftfreq(n, 1 / n)[:, None]
    k2 = np.arange(n // 2 + 1)
    square = k1 ** 2 + k2 ** 2
    mask = (3 * abs(k1) < n) & (3 * k2 < n)
    inverse = mask / np.where(square > 0, square, 1)
    return 1j * k2 * inverse, -1j * k1 * inverse, -1j * k1 * mask, -1j * k2 * mask, mask, NU * square


def forcing(n, count):
    """Random forcings with the recipe's covariance."""
    rng = np.random.default_rng(0)
    k1, k2 = np.fft.fftfreq(n, 1 / n)[:, None], np.arange(n // 2 + 1)
    size = 27 * (k1 ** 2 + k2 ** 2 + 9.0) ** -2 * n * n
    size[0, 0] = 0
    modes = size * (rng.standard_normal((count, *size.shape)) + 1j * rng.standard_normal((count, *size.shape)))
    return np.fft.irfft2(modes, s=(n, n))


class Scipy:
    """All arrays are made once; operations go to them in place."""

    def __init__(self, f, threads):
        import scipy.fft
        self.fft, self.threads, self.n = scipy.fft, threads, f.shape[-1]
        self.to_u, self.to_v, self.from_u, self.from_v, self.mask, self.decay = tables(self.n)
        self.f = scipy.fft.rfft2(f, workers=threads) * self.mask
        self.w = np.zeros_like(self.f)
        self.force = abs(f).max((1, 2))
        self.spectrum, self.other = np.empty_like(self.w), np.empty_like(self.w)
        self.n1, self.s = np.empty_like(self.w), np.empty_like(self.w)
        self.keep, self.add = np.empty(self.w.shape), np.empty(self.w.shape)
        self.speed = np.empty_like(f)

    def back(self, a):
        """To the grid; a is overwritten."""
        return self.fft.irfft2(a, s=(self.n, self.n), overwrite_x=True, workers=self.threads)

    def rate(self, w, out, measure):
        """f - div(u w) into out; the largest |u|^2 of each sample."""
        u = self.back(np.multiply(w, self.to_u, out=self.spectrum))
        v = self.back(np.multiply(w, self.to_v, out=self.spectrum))
        most = None
        if measure:
            np.multiply(u, u, out=self.speed)
            self.speed += v * v
            most = self.speed.max((1, 2))
        np.copyto(self.spectrum, w)
        x = self.back(self.spectrum)
        u *= x
        v *= x
        np.multiply(self.fft.rfft2(u, overwrite_x=True, workers=self.threads), self.from_u, out=out)
        np.multiply(self.fft.rfft2(v, overwrite_x=True, workers=self.threads), self.from_v, out=self.other)
        out += self.other
        out += self.f
        return most

    def step(self, dt=None):
        """One step of all samples, each of its own length."""
        most = self.rate(self.w, self.n1, dt is None)
        if dt is None:
            h = 1 / self.n
            with np.errstate(divide="ignore"):
                dt = np.minimum(CFL * h / np.sqrt(most), CFL * h * h / (NU * np.sqrt(self.force)))
        dt = np.broadcast_to(dt, len(self.w))[:, None, None]
        np.multiply(dt / 2, self.decay, out=self.keep)      # g
        np.add(self.keep, 1, out=self.add)
        np.subtract(1, self.keep, out=self.keep)
        self.keep /= self.add                               # (1 - g) / (1 + g)
        np.divide(dt, self.add, out=self.add)               # dt / (1 + g)
        self.w *= self.keep
        np.multiply(self.n1, self.add, out=self.s)
        self.s += self.w
        self.add *= 0.5
        self.n1 *= self.add
        self.w += self.n1
        self.rate(self.s, self.n1, False)
        self.n1 *= self.add
        self.w += self.n1

    def field(self):
        """w on the grid."""
        return self.back(self.w.copy())


class Torch:
    """The same with PyTorch on the CPU."""

    def __init__(self, f, threads):
        import torch
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        self.torch, self.n = torch, f.shape[-1]
        self.to_u, self.to_v, self.from_u, self.from_v, self.mask, self.decay = map(torch.from_numpy, tables(self.n))
        f = torch.from_numpy(f)
        self.f = torch.fft.rfft2(f) * self.mask
        self.w = torch.zeros_like(self.f)
        self.force = f.abs().amax((1, 2))

    def back(self, a):
        """To the grid."""
        return self.torch.fft.irfft2(a, s=(self.n, self.n))

    def rate(self, w, measure):
        """f - div(u w); the largest |u|^2 of each sample."""
        u, v, x = self.back(w * self.to_u), self.back(w * self.to_v), self.back(w)
        most = (u * u).addcmul_(v, v).amax((1, 2)) if measure else None
        out = self.torch.fft.rfft2(u.mul_(x)).mul_(self.from_u)
        out.addcmul_(self.torch.fft.rfft2(v.mul_(x)), self.from_v)
        return out.add_(self.f), most

    def step(self, dt=None):
        """One step of all samples, each of its own length."""
        torch = self.torch
        n1, most = self.rate(self.w, dt is None)
        if dt is None:
            h = 1 / self.n
            dt = torch.minimum(CFL * h / most.sqrt(), CFL * h * h / (NU * self.force.sqrt()))
        dt = torch.as_tensor(dt, dtype=torch.float64).expand(len(self.w))[:, None, None]
        g = dt / 2 * self.decay
        add = dt / (1 + g)
        keep = (1 - g).div_(g.add_(1))
        self.w.mul_(keep)
        s = torch.addcmul(self.w, n1, add)
        n1.add_(self.rate(s, False)[0])
        self.w.addcmul_(n1, add.mul_(0.5))

    def field(self):
        """w on the grid."""
        return self.back(self.w).numpy()


KINDS = {"scipy": Scipy, "torch": Torch}


def work(args, barrier, out):
    """A process of the race: the seconds of each round."""
    flow = KINDS[args.kind](forcing(args.size, args.batch), args.threads)
    for _ in range(3):
        flow.step()
    for _ in range(args.rounds):
        barrier.wait()
        start = time.monotonic()
        for _ in range(args.steps):
            flow.step()
        barrier.wait()
        out.put(time.monotonic() - start)


def race(args):
    """Seconds of a step of one sample in each round."""
    context = multiprocessing.get_context("spawn")
    barrier, out = context.Barrier(args.processes), context.Queue()
    workers = [context.Process(target=work, args=(args, barrier, out)) for _ in range(args.processes)]
    for worker in workers:
        worker.start()
    seconds = [out.get() for _ in range(args.rounds * args.processes)]
    for worker in workers:
        worker.join()
    seconds = [max(seconds[i:i + args.processes]) for i in range(0, len(seconds), args.processes)]
    return [s / (args.steps * args.batch * args.processes) for s in seconds]


def check(args):
    """The largest difference from a file's samples, relative to the largest value."""
    import h5py
    with h5py.File(args.check) as file:
        x, y = file["x"][:args.batch].astype(float), file["y"][:args.batch]
        dt, end = float(file.attrs["dt"]), float(file.attrs["final_time"])
    assert dt > 0, "the file has no fixed dt"
    flow = KINDS[args.kind](x, args.threads)
    steps = math.ceil(end / dt * (1 - 1e-9))
    for _ in range(steps):
        flow.step(dt)
    return float(abs(flow.field() - y).max() / abs(y).max())


def main():
    """Prints one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--check")
    for name, value in (("size", 256), ("steps", 50), ("batch", 4), ("processes", 1), ("threads", 2), ("rounds", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    if args.check:
        print(json.dumps({"difference": check(args)}))
    else:
        print(json.dumps({"kind": args.kind, "batch": args.batch, "processes": args.processes, "threads": args.threads,
                          "seconds": race(args)}))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    main()
