#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the state dicts of tests/data that other programs made: run it with a Python that has PyTorch and the library
neuraloperator (2.0.0). usage: make_state_dicts.py legacy"""
import sys
from pathlib import Path

import torch

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


if __name__ == "__main__":
    {"legacy": legacy}[sys.argv[1]]()
