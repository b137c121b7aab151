#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A training set larger than memory beside one in memory.

Makes samples of Darcy flow (mpno generate), an HDF5 virtual data set that repeats them until it holds --gib GiB (it
takes no more disk than the samples), and trains the same model on both, by turns: in memory on --samples samples, as a
stream on as many off the front of the virtual set. Prints medians of the training rates (samples a second within the
steps of three epochs, which the first pass over the data does not count in) and their quotient. With --whole one epoch of
the whole virtual set is trained instead, and the most memory that the process had resident is printed.

usage: bench/streaming.py FOLDER [--gib 20] [--samples 20000] [--rounds 5] [--whole] [KEY=VALUE...]
FOLDER keeps the data between calls. Needs h5py.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import h5py

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(os.environ.get("MPNO_BUILD", ROOT / "build")) / "mpno"
RESOLUTION, REAL = 64, 1000
MODEL = ["model.n_modes=[16, 16]", "model.hidden_channels=16", "model.n_layers=2", "data.batch_size=32",
         "data.encode_input=true", "report.html=false", "report.tensorboard=false"]


def make_data(folder, gib, samples):
    """The real samples, the virtual set of all of them again and again, and a plain file of `samples`."""
    real, virtual, plain = folder / "real.h5", folder / f"virtual_{gib}.h5", folder / f"plain_{samples}.h5"
    if not real.exists():
        subprocess.run([PROGRAM, "generate", "darcy", "--n_samples", str(REAL), "--resolution", str(RESOLUTION),
                        "-q", "-o", real], check=True)
    count = gib * 2 ** 30 // (2 * RESOLUTION ** 2 * 4)
    if not virtual.exists():
        with h5py.File(virtual, "w") as file:
            for key in "xy":
                layout = h5py.VirtualLayout((count, RESOLUTION, RESOLUTION), "f4")
                for first in range(0, count, REAL):
                    n = min(REAL, count - first)
                    source = h5py.VirtualSource("real.h5", key, (REAL, RESOLUTION, RESOLUTION))
                    layout[first:first + n] = source[:n]
                file.create_virtual_dataset(key, layout)
    if not plain.exists():
        with h5py.File(real) as source, h5py.File(plain, "w") as file:
            for key in "xy":
                values = source[key][:].astype("f4")
                out = file.create_dataset(key, (samples, RESOLUTION, RESOLUTION), "f4")
                for first in range(0, samples, REAL):
                    out[first:first + REAL] = values[:min(REAL, samples - first)]
    return virtual, plain, count


def train(folder, *words):
    """The summary of a run, most resident bytes, seconds of everything."""
    output = folder / f"run-{os.getpid()}"
    subprocess.run(["rm", "-rf", output], check=True)
    config = folder / "empty.yaml"
    config.write_text("seed: 0\n")
    start = time.monotonic()
    child = subprocess.Popen([PROGRAM, "train", config, f"output={output}", *words], stdout=subprocess.PIPE, text=True)
    child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"mpno train ended with {child.returncode}")
    summary = json.loads((output / "summary.json").read_text())
    return summary, usage.ru_maxrss * 1024, time.monotonic() - start


def rate_of(summary, samples):
    return samples / summary["seconds_per_epoch"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gib", type=int, default=20)
    parser.add_argument("--samples", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE")
    o = parser.parse_intermixed_args()
    o.folder.mkdir(parents=True, exist_ok=True)
    virtual, plain, count = make_data(o.folder, o.gib, o.samples)
    model = MODEL + [f"opt.n_epochs={1 if o.whole else 3}"] + o.words
    streamed = [f"data.train={virtual}", "data.streaming=always"]
    if o.whole:
        summary, resident, seconds = train(o.folder, *streamed, *model)
        print(f"{virtual}: {count} samples, {o.gib} GiB: {rate_of(summary, count):.0f} samples/s, "
              f"{seconds:.0f} s with the first pass, most resident {resident / 2 ** 20:.0f} MiB")
        return
    rates = {"in memory": [], "streamed": []}
    for _ in range(o.rounds):
        for name, words in (("in memory", [f"data.train={plain}", "data.streaming=never"]),
                            ("streamed", [*streamed, f"data.n_train={o.samples}"])):
            summary, resident, _ = train(o.folder, *words, *model)
            rates[name].append(rate_of(summary, o.samples))
            print(f"{name}: {rates[name][-1]:.0f} samples/s, most resident {resident / 2 ** 20:.0f} MiB", flush=True)
    memory, stream = (statistics.median(rates[name]) for name in rates)
    print(f"medians of {o.rounds}: in memory {memory:.0f}, streamed {stream:.0f} samples/s: {stream / memory:.3f}")


if __name__ == "__main__":
    main()
