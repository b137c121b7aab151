#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes tests/data/losses_f64: values and gradients of losses by neuraloperator 2.0.0 on PyTorch 2.14.1, in double precision,
with boundaries and lengths that differ from axis to axis. Usage: PYTHON-WITH-NEURALOPERATOR tests/golden/make_losses.py

Layout as in README.md: "input pD", "input yD" are fields (sample, channel, grid) of D axes; "case NAME {JSON}" a loss, its
keys those of mpno_objective; "scalar NAME" its sum over samples and channels, "grad NAME" the derivative by p."""
import json
import warnings
from pathlib import Path

import torch

from neuralop.losses.data_losses import H1Loss, LpLoss

warnings.filterwarnings("ignore")
torch.set_default_dtype(torch.float64)
OUT = Path(__file__).resolve().parent.parent / "data"
GRIDS = {1: (13,), 2: (6, 9), 3: (5, 4, 6)}
LENGTHS = [2.0, 0.5, 1.5]
ALONG = ("periodic_in_x", "periodic_in_y", "periodic_in_z")


def cases(ndim):
    """(kind, absolute, one_sided, measure) of all losses in so many dimensions."""
    for kind in "l1", "l2":
        for absolute in 0, 1:
            yield kind, absolute, [0] * ndim, LENGTHS[:ndim]
    for pattern in range(2 ** ndim):
        one_sided = [pattern >> d & 1 for d in range(ndim)]
        yield "h1", pattern % 2, one_sided, LENGTHS[:ndim]
        yield "h1", 0, one_sided, [1.0] * ndim


def loss_of(kind, ndim, one_sided, measure):
    if kind != "h1":
        return LpLoss(d=ndim, p=int(kind[1]), measure=measure)
    return H1Loss(d=ndim, measure=measure, **{ALONG[d]: not one_sided[d] for d in range(ndim)})


def main():
    torch.manual_seed(5)
    lines, body = ["# values and gradients of neuraloperator's losses: tests/golden/make_losses.py"], b""

    def add(kind, name, tensor):
        nonlocal body
        data = tensor.detach().contiguous().numpy().astype("<f8").tobytes()
        lines.append(f"{kind} {name} f64 {len(body)} {len(data)} {' '.join(map(str, tensor.shape))}")
        body += data

    for ndim, grid in GRIDS.items():
        p = torch.randn(2, 2, *grid, requires_grad=True)
        y = torch.randn(2, 2, *grid)
        add("input", f"p{ndim}", p)
        add("input", f"y{ndim}", y)
        for i, (kind, absolute, one_sided, measure) in enumerate(cases(ndim)):
            name = f"{kind}_{ndim}d_{i}"
            loss = loss_of(kind, ndim, one_sided, measure)
            value = loss.abs(p, y) if absolute else loss(p, y)
            gradient, = torch.autograd.grad(value, p)
            keys = {"kind": kind, "ndim": ndim, "absolute": absolute,
                    "one_sided": one_sided, "measure": measure}
            lines.append(f"case {name} {json.dumps(keys, separators=(',', ':'))}")
            lines.append(f"scalar {name} {value.item():.17g}")
            add("grad", name, gradient)
    (OUT / "losses_f64.txt").write_text("\n".join(lines) + "\n")
    (OUT / "losses_f64.bin").write_bytes(body)


if __name__ == "__main__":
    main()
