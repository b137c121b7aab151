#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Trains mpno and the PyTorch library neuraloperator on the very same Navier-Stokes data by one fixed recipe
(examples/navier_stokes.yaml) and compares test errors: mean relative L2 of w(T) over 200 samples, at 64 x 64.

mpno learns from 250, 500, 1000 and 2000 samples, the peer from 1000; every seed is a run of its own, the two in turn. Data
are generated once; every run that ends is added to docs/experiments/forcing.json, so that what is interrupted goes on where it
stopped. "Not worse": the mean of mpno's seeds exceeds that of the peer's by at most two standard errors of the difference.

Python of the peer: MPNO_PEER, else ~/.cache/mpno-peer/bin/python (neuraloperator 2.0.0 and torch)."""
import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "docs/experiments/forcing.json"
RECIPE = ROOT / "examples/navier_stokes.yaml"
SIZES = (250, 500, 1000, 2000)
PEER_SIZE = 1000
SETS = {"forcing_train": (2000, 0), "forcing_test": (200, 1)}  # samples, seed
TUNED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000"}


def generate(folder):
    for name, (samples, seed) in SETS.items():
        path = folder / f"{name}.h5"
        if not path.exists():
            subprocess.run([ROOT / "build/mpno", "generate", "navier_stokes", "--n_samples", str(samples), "--resolution", "64",
                            "--solve_resolution", "128", "--integrator", "etdrk4", "--seed", str(seed), "-o", path],
                           check=True)
        if not path.with_suffix(".npz").exists():
            import h5py
            import numpy
            with h5py.File(path) as file:
                numpy.savez(path.with_suffix(".npz"), x=file["x"][:], y=file["y"][:])


def train_ours(folder, seed, samples, epochs):
    run = folder / f"mpno-{samples}-{seed}"
    shutil.rmtree(run, ignore_errors=True)  # of a run that was interrupted
    out = subprocess.run([ROOT / "build/mpno", "train", RECIPE, f"output={run}", f"seed={seed}", f"data.n_train={samples}",
                          f"data.train=[{folder}/forcing_train.h5]", f"data.test=[{folder}/forcing_test.h5]",
                          f"opt.n_epochs={epochs}", "--json", "--quiet"], check=True, capture_output=True, text=True)
    return json.loads(out.stdout.splitlines()[-1])["test"]["64"]["l2"]


def train_peer(folder, seed, epochs):
    """In a process of its own, which this script is then: --as-peer."""
    python = os.environ.get("MPNO_PEER", Path.home() / ".cache/mpno-peer/bin/python")
    out = subprocess.run([python, __file__, "--as-peer", "--folder", folder, "--first", str(seed), "--epochs", str(epochs)],
                         check=True, capture_output=True, text=True, env={**os.environ, **TUNED})
    return json.loads(out.stdout.splitlines()[-1])["l2"]


def be_the_peer(folder, seed, epochs):
    import warnings
    warnings.filterwarnings("ignore")
    import numpy
    import torch
    from neuralop.losses import LpLoss
    from neuralop.models import FNO
    from neuralop.training.adamw import AdamW
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(seed)

    def load(name, n):
        with numpy.load(folder / f"{name}.npz") as file:
            return [torch.from_numpy(file[key][:n]).float().unsqueeze(1) for key in ("x", "y")]

    x, y = load("forcing_train", PEER_SIZE)
    test_x, test_y = load("forcing_test", None)
    mean, std, loss = y.mean(), y.std(), LpLoss(d=2, p=2)
    model = FNO(n_modes=(16, 16), in_channels=1, out_channels=1, hidden_channels=32, n_layers=4, lifting_channel_ratio=2,
                projection_channel_ratio=2)
    optimizer = AdamW(model.parameters(), lr=3e-3, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for part in order.split(16):
            optimizer.zero_grad(set_to_none=True)
            loss(model(x[part]), (y[part] - mean) / std).backward()
            optimizer.step()
        scheduler.step()
    with torch.no_grad():
        errors = [loss(model(a) * std + mean, b).item() for a, b in zip(test_x.split(20), test_y.split(20))]
    print(json.dumps({"l2": sum(errors) / len(test_y)}))


def tell(results):
    print(f"{'program':8} {'samples':>8} {'seeds':>6} {'test L2':>9} {'sd':>8} {'seconds':>8}")
    for run, seeds in sorted(results["runs"].items(), key=lambda item: (item[0].split()[0], int(item[0].split()[1]))):
        errors = [entry["l2"] for entry in seeds.values()]
        sd = statistics.stdev(errors) if len(errors) > 1 else math.nan
        seconds = statistics.median(entry["seconds"] for entry in seeds.values())
        program, samples = run.split()
        print(f"{program:8} {samples:>8} {len(errors):>6} {statistics.mean(errors):>9.5f} {sd:>8.5f} {seconds:>8.1f}")
    both = [[e["l2"] for e in results["runs"].get(f"{who} {PEER_SIZE}", {}).values()] for who in ("mpno", "peer")]
    if all(len(errors) > 1 for errors in both):
        excess = statistics.mean(both[0]) - statistics.mean(both[1])
        bound = 2 * math.sqrt(sum(statistics.variance(e) / len(e) for e in both))
        print(f"excess over the peer {excess:+.5f}, allowed {bound:.5f}: {'not worse' if excess <= bound else 'WORSE'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="for data and runs, some hundred MiB")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--as-peer", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.as_peer:
        return be_the_peer(args.folder, args.first, args.epochs)
    args.folder.mkdir(parents=True, exist_ok=True)
    generate(args.folder)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"epochs": args.epochs, "runs": {}}
    if results["epochs"] != args.epochs:
        sys.exit(f"{RESULTS} has runs of {results['epochs']} epochs, not {args.epochs}: move it away first")
    for seed in range(args.first, args.first + args.seeds):
        for program, samples in [("peer", PEER_SIZE)] + [("mpno", size) for size in SIZES]:
            seeds = results["runs"].setdefault(f"{program} {samples}", {})
            if str(seed) in seeds:
                continue
            start = time.perf_counter()
            error = (train_peer(args.folder, seed, args.epochs) if program == "peer" else
                     train_ours(args.folder, seed, samples, args.epochs))
            seeds[str(seed)] = {"l2": error, "seconds": round(time.perf_counter() - start, 1)}
            print(f"{program} {samples} samples, seed {seed}: {error:.5f}, {seeds[str(seed)]['seconds']} s", flush=True)
            RESULTS.with_suffix(".tmp").write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
            os.replace(RESULTS.with_suffix(".tmp"), RESULTS)
    return tell(results)


if __name__ == "__main__":
    main()
