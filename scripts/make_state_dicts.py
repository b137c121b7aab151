#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the state dicts of tests/data that other programs made: run it with a Python that has PyTorch and the library
neuraloperator (2.0.0). usage: make_state_dicts.py legacy | quadrants | old FOLDER (of release 0.3.0, unpacked)"""
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import gelu

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"


def save_legacy(objects, name):
    """As torch.save did before PyTorch 1.6."""
    torch.save(objects, DATA / name, _use_new_zipfile_serialization=False)


def legacy():
    """The state dict of fno_tiny_state_dict.pt, and views, shared storages and all element types."""
    tiny = torch.load(DATA / "fno_tiny_state_dict.pt", weights_only=False)
    del tiny["_metadata"]["conv_module"]  # the old format copies the source of classes into the file
    save_legacy(tiny, "fno_tiny_legacy.pt")
    base = torch.arange(12, dtype=torch.float64)
    save_legacy({"view": base.reshape(3, 4).t()[1:, ::2], "shared": [base, base[5:6]],
                 "counter": torch.tensor(7), "flags": torch.tensor([True, False, True]),
                 "spectrum": torch.tensor([1 + 2j, 3 - 4j]), "half": torch.tensor([0.5]).half(),
                 "empty": torch.zeros(0, 3), "epoch": 4}, "views_legacy.pt")


class Quadrants(nn.Module):
    """A spectral convolution with weights per corner of the spectrum, transforms normalised backward."""

    def __init__(self, width, modes, split):
        super().__init__()
        self.modes, self.split = modes, split
        for q in range(2 ** (len(modes) - 1)):
            weight = torch.randn(width, width, *modes, dtype=torch.complex64) / width
            setattr(self, f"weights{q + 1}", nn.Parameter(torch.view_as_real(weight) if split else weight))

    def forward(self, x):
        dims = tuple(range(2, x.ndim))
        spectrum = torch.fft.rfftn(x, dim=dims)
        out = torch.zeros_like(spectrum)
        for q in range(2 ** (len(self.modes) - 1)):
            corner = [slice(None)] * 2 + [slice(-m, None) if q >> d & 1 else slice(m)
                                          for d, m in enumerate(self.modes)]
            weight = getattr(self, f"weights{q + 1}")
            weight = torch.view_as_complex(weight) if self.split else weight
            out[corner] = torch.einsum("bi...,io...->bo...", spectrum[corner], weight)
        return torch.fft.irfftn(out, s=x.shape[2:], dim=dims)


def with_coordinates(x):
    axes = [torch.linspace(0, 1, n) for n in x.shape[2:]]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    return torch.cat([x, grid.expand(len(x), *grid.shape)], 1)


def pointwise(layer, x):
    """A linear layer over channels."""
    weight = layer.weight.reshape(layer.weight.shape[:2])
    return torch.einsum("oi,bi...->bo...", weight, x) + layer.bias.reshape(-1, *[1] * (x.ndim - 2))


def blocks(x, convs, skips):
    for l, (conv, skip) in enumerate(zip(convs, skips)):
        x = conv(x) + pointwise(skip, x)
        x = gelu(x) if l + 1 < len(convs) else x
    return x


class Li(nn.Module):
    """The network of the scripts of 2021: fc0, conv0.., w0.., fc1, fc2."""

    def __init__(self, width, modes, layers):
        super().__init__()
        self.layers = layers
        self.fc0 = nn.Linear(1 + len(modes), width)
        for l in range(layers):
            setattr(self, f"conv{l}", Quadrants(width, modes, False))
            setattr(self, f"w{l}", (nn.Conv1d, nn.Conv2d, nn.Conv3d)[len(modes) - 1](width, width, 1))
        self.fc1, self.fc2 = nn.Linear(width, 7), nn.Linear(7, 1)

    def forward(self, x):
        x = pointwise(self.fc0, with_coordinates(x))
        x = blocks(x, *[[getattr(self, f"{name}{l}") for l in range(self.layers)] for name in ("conv", "w")])
        return pointwise(self.fc2, gelu(pointwise(self.fc1, x)))


def fully_connected(name, layer):
    return nn.ModuleDict({name: layer})


class PhysicsNeMo(nn.Module):
    """Its FNO in 2-D without padding: names, real weights, a decoder with one hidden layer."""

    def __init__(self, width, modes, layers):
        super().__init__()
        self.spec_encoder = nn.Module()
        self.spec_encoder.lift_network = nn.Sequential(
            fully_connected("conv", nn.Conv2d(3, width // 2, 1)), nn.GELU(),
            fully_connected("conv", nn.Conv2d(width // 2, width, 1)))
        self.spec_encoder.spconv_layers = nn.ModuleList(Quadrants(width, modes, True) for _ in range(layers))
        self.spec_encoder.conv_layers = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(layers))
        self.decoder_net = nn.Module()
        self.decoder_net.layers = nn.ModuleList([fully_connected("linear", nn.Linear(width, 5))])
        self.decoder_net.final_layer = fully_connected("linear", nn.Linear(5, 2))

    def forward(self, x):
        encoder, decoder = self.spec_encoder, self.decoder_net
        x = gelu(pointwise(encoder.lift_network[0]["conv"], with_coordinates(x)))
        x = blocks(pointwise(encoder.lift_network[2]["conv"], x), encoder.spconv_layers, encoder.conv_layers)
        x = gelu(pointwise(decoder.layers[0]["linear"], x))
        return pointwise(decoder.final_layer["linear"], x)


def save_network(name, model, x):
    """NAME.pt, the state dict, and NAME_xy.pt, inputs and outputs."""
    with torch.no_grad():
        y = model(x)
    torch.save(dict(model.state_dict()), DATA / f"{name}.pt")
    torch.save({"x": x, "y": y.contiguous()}, DATA / f"{name}_xy.pt")


def quadrants():
    torch.manual_seed(5)
    save_network("li_1d", Li(3, (4,), 2), torch.randn(2, 1, 12))
    save_network("li_2d", Li(3, (2, 3), 3), torch.randn(2, 1, 8, 10))
    save_network("li_3d", Li(2, (2, 1, 3), 1), torch.randn(2, 1, 6, 4, 6))
    save_network("physicsnemo_2d", PhysicsNeMo(4, (2, 3), 2), torch.randn(2, 1, 8, 6))


def old():
    """The library's own release 0.3.0."""
    sys.path.insert(0, sys.argv[2])
    from neuralop.models import FNO
    torch.manual_seed(6)
    save_network("neuralop_0_3", FNO((4, 6), hidden_channels=3, in_channels=2, n_layers=2,
                                     lifting_channels=5, projection_channels=4), torch.randn(2, 2, 8, 10))


if __name__ == "__main__":
    {"legacy": legacy, "quadrants": quadrants, "old": old}[sys.argv[1]]()
