#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Times neuraloperator's FNO on PyTorch as `mpno-bench step` times ours: the same cases, loss, optimiser and memory.

usage: neuralop_step.py CASE [--forward] [--steps N] [--threads N]

Needs torch and neuraloperator. Prints one JSON object with the fields of `mpno-bench step --json` that it knows."""
import argparse
import json
import statistics
import time
import warnings

warnings.filterwarnings("ignore")

import torch  # noqa: E402  (its imports warn)
from neuralop.losses import H1Loss  # noqa: E402
from neuralop.models import FNO  # noqa: E402

FLOW = {"hidden_channels": 64, "norm": "group_norm", "lifting_channel_ratio": 4, "projection_channel_ratio": 4}
CASES = {  # the network, the shape of a batch
    "darcy16": ({"n_modes": (8, 8), "hidden_channels": 24}, (64, 1, 16, 16)),
    "ns128-m16": ({"n_modes": (16, 16), **FLOW}, (8, 1, 128, 128)),
    "ns128-m64": ({"n_modes": (64, 64), **FLOW}, (8, 1, 128, 128)),
    "ns128-tucker": ({"n_modes": (64, 64), **FLOW, "factorization": "tucker", "rank": 0.1}, (8, 1, 128, 128)),
    "ns128-cp": ({"n_modes": (64, 64), **FLOW, "n_layers": 8, "factorization": "cp", "rank": 0.05}, (8, 1, 128, 128)),
    "darcy128": ({"n_modes": (64, 64), "hidden_channels": 32, "norm": "group_norm", "lifting_channel_ratio": 8,
                  "factorization": "cp", "rank": 0.05}, (8, 1, 128, 128)),
    "fno3d": ({"n_modes": (16, 16, 16), "hidden_channels": 32}, (1, 1, 64, 64, 64)),
    "fno1d": ({"n_modes": (32,), "hidden_channels": 64}, (64, 1, 1024)),
}


def status_mib(name):
    """A line of /proc/self/status in MiB."""
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name + ":")) / 1024


def forget_peak():
    """The highest resident size counts from here (proc(5), clear_refs)."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def main():
    """Times the steps that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--forward", action="store_true")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    network, shape = CASES[arguments.case]
    model = FNO(in_channels=1, out_channels=1, **network)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)
    loss_of = H1Loss(d=len(shape) - 2)
    x, y = torch.randn(shape), torch.randn(shape)
    params = sum(p.numel() * (2 if p.is_complex() else 1) for p in model.parameters())

    def predict():
        with torch.no_grad():
            model(x)

    def train():
        optimizer.zero_grad(set_to_none=True)
        loss_of(model(x), y).backward()
        optimizer.step()

    run, seconds = predict if arguments.forward else train, []
    forget_peak()
    base = status_mib("VmRSS")
    for _ in range(arguments.steps + 1):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({
        "case": arguments.case, "what": "forward" if arguments.forward else "train step", "torch": torch.__version__,
        "threads": arguments.threads, "params": params, "batch": shape[0], "min_s": min(seconds[1:]),
        "median_s": statistics.median(seconds[1:]), "peak_extra_mib": round(status_mib("VmHWM") - base, 1)}))


if __name__ == "__main__":
    main()
