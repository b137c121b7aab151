#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Navier-Stokes *forcing* samples per hour beside the same recipe in numpy/scipy and in PyTorch, in turn on the same cores.

usage: bench/peers/compare_flow.py [--build build] [--size 256] [--steps 50] [--rounds 5] [--per_sample STEPS]

First both peers (flow_peer.py) make the samples of a file of ours, to say that they solve the same. Then short trials find the
fastest batch and the fastest use of the cores (threads of one process or a process each) for each peer, and rounds of all
three alternate. Steps per hour are samples per hour times the steps of a sample, for all the same number: --per_sample, or
what two samples are found to take. The peers run in MPNO_PEER (a Python with torch, numpy, scipy, h5py; else
~/.cache/mpno-peer/bin/python) with glibc told to keep memory, without which page faults take most of their time.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEER = os.environ.get("MPNO_PEER", str(Path.home() / ".cache/mpno-peer/bin/python"))
TUNED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000"}
KINDS = ("scipy", "torch")


def run(words, **environment):
    """The JSON object that a program prints last."""
    done = subprocess.run([str(w) for w in words], check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={**os.environ, **environment})
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def peer(kind, *words):
    """One run of a peer."""
    return run([PEER, "-B", HERE / "flow_peer.py", kind, *words], **TUNED)


def generate(build, *words):
    """One run of mpno generate; its summary."""
    return run([build / "mpno", "generate", "navier_stokes", "-q", "--json", *words])


def check(args):
    """The largest relative difference of each peer from a file of ours after 50 steps."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "check.h5"
        generate(args.build, "--n_samples", 2, "--resolution", args.size, "--dt", 1e-3, "--final_time", 0.05, "--format",
                 "f64", "-o", path)
        return {kind: peer(kind, "--check", path, "--batch", 2)["difference"] for kind in KINDS}


def steps_of_a_sample(args):
    """Mean number of steps to T = 5."""
    with tempfile.TemporaryDirectory() as folder:
        return generate(args.build, "--n_samples", 2, "--resolution", args.size, "-o",
                        Path(folder) / "steps.h5")["iterations_mean"]


def best_words(args, kind, cores):
    """The arguments with which short trials of a peer are fastest."""
    found = []
    for processes, threads in ((1, cores), (cores, 1)):
        for batch in (1, 2, 4):
            words = ("--size", args.size, "--processes", processes, "--threads", threads, "--batch", batch)
            seconds = peer(kind, *words, "--steps", max(4, args.steps // 5))["seconds"][0]
            found.append((seconds, words))
    return min(found)[1]


def main():
    """Prints a table and one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, default=Path("build"))
    for name, value in (("size", 256), ("steps", 50), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--per_sample", type=float)
    args = parser.parse_args()
    if not Path(PEER).exists():
        sys.exit(f"no peer at {PEER}: install torch, numpy, scipy and h5py there, or set MPNO_PEER")
    cores = len(os.sched_getaffinity(0))
    differences = check(args)
    per_sample = args.per_sample or steps_of_a_sample(args)
    words = {kind: best_words(args, kind, cores) for kind in KINDS}
    ours, seconds = [], {kind: [] for kind in KINDS}
    for _ in range(args.rounds):
        ours.append(run([args.build / "mpno-bench", "flow", f"size:{args.size}", f"steps:{args.steps}", "rounds:1",
                         f"threads:{cores}", "--json"]))
        for kind in KINDS:
            seconds[kind].append(peer(kind, *words[kind], "--steps", args.steps)["seconds"][0])
    mine = [1 / r["steps_per_s"] for r in ours]
    medians = {"mpno": statistics.median(mine), **{kind: statistics.median(seconds[kind]) for kind in KINDS}}
    print(f"{args.size} x {args.size}, {cores} cores, {per_sample:.0f} steps a sample, medians of {args.rounds} rounds")
    for kind, median in medians.items():
        rate = 3600 / (median * per_sample)
        print(f"  {kind:6} {1e3 * median:7.3f} ms a step of a sample, {rate:7.1f} samples an hour, "
              f"{median / medians['mpno']:5.2f} times ours")
    shares = {key: statistics.median(r[key] for r in ours) for key in ("of_peak", "of_memory")}
    print(f"  mpno: {100 * shares['of_peak']:.0f} % of f64 multiply-adds, {100 * shares['of_memory']:.0f} % of the memory's rate")
    print(json.dumps({"size": args.size, "cores": cores, "steps_per_sample": per_sample, "differences": differences,
                      "words": words, "mpno_seconds": mine, "peer_seconds": seconds, "medians": medians, **shares,
                      "ratio": min(medians[kind] for kind in KINDS) / medians["mpno"]}))


if __name__ == "__main__":
    main()
