#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the f64 reference cases of the table below with neuraloperator 2.0.0 on PyTorch 2.14.1 (README.md: what a case
holds). Usage: PYTHON-WITH-NEURALOPERATOR tests/golden/make_cases.py [NAME...]

The library cannot run in double precision by itself: complex64 is replaced by complex128 before it is imported, and
its casts to float do nothing. Release 2.0.0 differs from the commit of the other cases where an axis that is not the
last has an odd size, so sizes are even. Weights that are constant at first are moved so that errors show; the seed is the
sum of the name's character codes. Gradients that are zero but for rounding (of a bias that a norm takes away) are left
out: their digits mean nothing."""
import json
import sys
import warnings
from pathlib import Path

import torch

warnings.filterwarnings("ignore")
torch.set_default_dtype(torch.float64)
torch.cfloat = torch.complex64 = torch.complex128
torch.Tensor.float = torch.Tensor.double
torch.set_num_threads(1)

# pylint: disable=wrong-import-position
from neuralop.layers.normalization_layers import AdaIN
from neuralop.losses.differentiation import FiniteDiff
from neuralop.models import FNO

OUT = Path(__file__).resolve().parent
TYPES = {torch.float64: "f64", torch.complex128: "c128", torch.int64: "i64"}
SMALL = {"in_channels": 1, "out_channels": 1, "hidden_channels": 4, "n_layers": 2,
         "lifting_channel_ratio": 1, "projection_channel_ratio": 1}

# name: (constructor arguments beside SMALL, shape of x, other keywords: train, output_shape)
CASES = {
    "f64_fno1d_batch_norm_train": ({"n_modes": [8], "norm": "batch_norm"}, (3, 1, 16),
                                   {"train": True}),
    "f64_fno2d_batch_norm_eval": ({"n_modes": [4, 6], "norm": "batch_norm"}, (2, 1, 10, 8), {}),
    "f64_fno2d_batch_norm_preact_train": (
        {"n_modes": [4, 4], "norm": "batch_norm", "preactivation": True}, (3, 1, 8, 6),
        {"train": True}),
    "f64_fno3d_batch_norm_train": ({"n_modes": [4, 4, 6], "norm": "batch_norm",
                                    "hidden_channels": 2, "channel_mlp_expansion": 1.0},
                                   (3, 1, 4, 6, 8), {"train": True}),
    "f64_fno2d_ada_in": ({"n_modes": [4, 4], "norm": "ada_in", "ada_in_features": 2, "n_layers": 1,
                          "hidden_channels": 2}, (2, 1, 8, 6), {}),
    "f64_fno1d_ada_in_preact": (
        {"n_modes": [6], "norm": "ada_in", "ada_in_features": 1, "n_layers": 1,
         "hidden_channels": 2, "preactivation": True}, (2, 1, 12), {}),
    "f64_fno2d_maxmodes": ({"n_modes": [4, 6], "max_n_modes": [8, 8], "hidden_channels": 3},
                           (2, 1, 10, 12), {}),
    "f64_fno3d_maxmodes": ({"n_modes": [2, 2, 4], "max_n_modes": [4, 4, 4], "hidden_channels": 2,
                            "channel_mlp_expansion": 1.0}, (2, 1, 6, 4, 8), {}),
    "f64_fno2d_outshape": ({"n_modes": [4, 4]}, (2, 1, 8, 12), {"output_shape": (14, 8)}),
    "f64_fno3d_outshape": ({"n_modes": [2, 4, 4], "hidden_channels": 3}, (1, 1, 4, 6, 8),
                           {"output_shape": (6, 4, 10)}),
    "f64_fno1d_scale": ({"n_modes": [6], "resolution_scaling_factor": [2, 0.5]}, (2, 1, 12), {}),
    "f64_fno2d_scale_up": ({"n_modes": [4, 4], "resolution_scaling_factor": 2}, (1, 1, 6, 8), {}),
    "f64_fno2d_scale_down": ({"n_modes": [4, 4],
                              "resolution_scaling_factor": [[0.5, 1], [1, 0.5]]},
                             (2, 1, 12, 16), {}),
    "f64_fno3d_scale": ({"n_modes": [2, 4, 4], "hidden_channels": 3,
                         "resolution_scaling_factor": [[2, 1, 0.5], [0.5, 1, 2]]},
                        (1, 1, 4, 6, 8), {}),
    "f64_fno1d_complex": ({"n_modes": [6], "complex_data": True}, (2, 1, 16), {}),
    "f64_fno2d_complex": ({"n_modes": [4, 4], "complex_data": True, "hidden_channels": 3},
                          (2, 1, 8, 10), {}),
    "f64_fno2d_complex_preact_pad": (
        {"n_modes": [4, 4], "complex_data": True, "hidden_channels": 3, "preactivation": True,
         "domain_padding": [0.25, 0], "fno_skip": "identity", "separable": True}, (1, 1, 8, 6), {}),
    "f64_fno3d_complex": ({"n_modes": [2, 4, 4], "complex_data": True, "hidden_channels": 2,
                           "channel_mlp_expansion": 1.0}, (1, 1, 4, 6, 6), {}),
    "f64_fno2d_separable_preact_pad": (
        {"n_modes": [6, 4], "separable": True, "preactivation": True, "norm": "group_norm",
         "domain_padding": [0.125, 0.25], "fno_skip": "soft-gating",
         "channel_mlp_skip": "linear"}, (2, 1, 8, 12), {}),
    "f64_fno2d_instance_tanh": ({"n_modes": [4, 6], "norm": "instance_norm", "stabilizer": "tanh",
                                 "channel_mlp_skip": "identity"}, (2, 1, 8, 10), {}),
}


def derivatives(x, d):
    """Periodic central differences of the last d axes, each."""
    steps = tuple(1.0 / n for n in x.shape[-d:])
    difference = FiniteDiff(dim=d, h=steps[0] if d == 1 else steps)
    return [getattr(difference, name)(x) for name in ("dx", "dy", "dz")[:d]]


def relative(difference, target, eps=1e-8):
    """Sum over samples and channels of |difference| / (|target| + eps), each a list of fields. What LpLoss and H1Loss
    compute of real numbers; complex ones, which they square, count by their absolute value here."""
    norm = [sum(t.abs().square().flatten(2).sum(-1) for t in terms).sqrt()
            for terms in (difference, target)]
    return (norm[0] / (norm[1] + eps)).sum()


def losses(d):
    """Loss functions by tag."""
    def l2(y, target):
        return relative([y - target], [target])

    def h1(y, target):
        return relative([y - target, *derivatives(y - target, d)],
                        [target, *derivatives(target, d)])
    return {"l2": l2, "h1": h1}


def make_model(arguments):
    """A model whose weights are nowhere constant. The library's FNO has no argument for the length of ada_in's vector:
    its blocks get the norms that they would have made from it."""
    arguments = dict(arguments)
    features = arguments.pop("ada_in_features", None)
    if features:
        del arguments["norm"]
    model = FNO(**arguments)
    if features:
        blocks = model.fno_blocks
        blocks.norm = torch.nn.ModuleList(AdaIN(features, arguments["hidden_channels"])
                                          for _ in range(blocks.n_layers * blocks.n_norms))
    with torch.no_grad():
        for name, value in [*model.named_parameters(), *model.named_buffers()]:
            gate = "skips" in name and value.ndim >= 3 and value.shape[0] == 1
            if gate or (".norm." in name and ".mlp." not in name and value.is_floating_point()):
                value.add_(0.2 * torch.rand_like(value))
    return model


class Writer:
    """A case's two files."""

    def __init__(self, name, header):
        self.bin, self.text = open(OUT / f"{name}.bin", "wb"), open(OUT / f"{name}.txt", "w")
        self.text.write("# " + json.dumps(header) + "\n")

    def put(self, kind, name, tensor):
        """One tensor."""
        tensor = tensor.detach().contiguous()
        numbers = torch.view_as_real(tensor) if tensor.is_complex() else tensor
        content = numbers.contiguous().numpy().tobytes()
        shape = " ".join(map(str, tensor.shape))
        self.text.write(f"{kind} {name} {TYPES[tensor.dtype]} {self.bin.tell()} {len(content)} "
                        f"{shape}".rstrip() + "\n")
        self.bin.write(content)

    def close(self):
        """Both files."""
        self.bin.close()
        self.text.close()


def make(name, arguments, shape, train=False, output_shape=None):
    """Parameters, input, output, and loss and gradients of both losses; of a training run the statistics after one pass."""
    arguments = {**SMALL, **arguments}
    torch.manual_seed(sum(map(ord, name)))
    features = arguments.get("ada_in_features")
    model = make_model(arguments)
    model.train(train)
    out = Writer(name, {"model": "FNO", "cfg": arguments, "train": train,
                        "out_shape": output_shape})
    state = {k: v.clone() for k, v in model.state_dict().items() if torch.is_tensor(v)}
    for key, value in state.items():
        out.put("param", key, value)
    x = torch.randn(*shape, dtype=torch.cfloat if arguments.get("complex_data") else None)
    out.put("input", "x", x)
    if features:
        embedding = torch.randn(features)
        out.put("input", "embedding", embedding)
        model.fno_blocks.set_ada_in_embeddings(embedding)
    further = {} if output_shape is None else {"output_shape": output_shape}
    y = model(x, **further)
    out.put("output", "y", y)
    for key, value in model.named_buffers():
        if train and ".norm." in key:
            out.put("after", key, value)
    target = torch.randn_like(y)
    out.put("input", "target", target)
    x.requires_grad_(True)
    # The norm's MLPs are large: one loss tells enough of them.
    tags = ["h1"] if features else ["l2", "h1"]
    for tag, loss_of in losses(len(shape) - 2).items():
        if tag not in tags:
            continue
        model.zero_grad(set_to_none=True)
        x.grad = None
        loss = loss_of(model(x, **further), target)
        loss.backward()
        out.text.write(f"scalar loss_{tag} {float(loss.detach()):.17g}\n")
        gradients = {"x": x.grad, **{key: value.grad for key, value in model.named_parameters()
                                     if value.grad is not None}}
        largest = max(g.abs().max() for g in gradients.values())
        for key, value in gradients.items():
            if value.abs().max() > 1e-10 * largest:
                out.put("grad_" + tag, key, value)
    out.close()
    print(f"{name}: {(OUT / f'{name}.bin').stat().st_size} bytes")


if __name__ == "__main__":
    for case in sys.argv[1:] or CASES:
        make(case, CASES[case][0], CASES[case][1], **CASES[case][2])
