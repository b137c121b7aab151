# SPDX-License-Identifier: MIT
"""mpno export beside the real library: strict loading, equal bits, equal outputs. Runs where a Python with the library
is: ~/.cache/mpno-peer, or the one that MPNO_PEER names."""
import json
import math
import os
import random
import struct
import subprocess
import unittest
import zipfile
from pathlib import Path

from support import Case, Tensor, load_safetensors, save_pt

PEER = Path(os.environ.get("MPNO_PEER", Path.home() / ".cache/mpno-peer/bin/python"))

# For each folder: loads the state dict, compares it with the network's and runs the network on x.
LIBRARY = """
import json, sys, warnings
warnings.simplefilter("ignore")
import torch
from neuralop.models import FNO


def check(folder, pair):
    if pair:
        model = FNO.from_checkpoint(folder, "a")
        state = torch.load(f"{folder}/a_state_dict.pt", weights_only=True)
    else:
        state = torch.load(f"{folder}/a.pt", weights_only=True)
        model = FNO(**{key: value for key, value in state["_metadata"].items()
                       if key not in ("mpno", "args", "_name", "_version")})
        model.load_state_dict(dict(state), strict=True)
    loaded = model.state_dict()
    assert list(loaded) == list(state), "another order"
    for key, value in loaded.items():
        if key != "_metadata":
            assert value.dtype == state[key].dtype and torch.equal(value, state[key]), key
    model.eval()
    x = torch.load(f"{folder}/in.pt", weights_only=False)["x"]
    with torch.no_grad():
        y = model(x.unsqueeze(1) if x.ndim == len(model.n_modes) + 1 else x)
    torch.save({"y": y.contiguous()}, f"{folder}/expected.pt")


for line in json.load(open("cases.json")):
    try:
        check(*line)
    except Exception as error:
        raise RuntimeError(line) from error
"""

def peer(folder, script):
    """Runs a script in the Python that has the library."""
    done = subprocess.run([str(PEER), "-c", script], cwd=folder, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600)
    assert done.returncode == 0, done.stderr


def train(case, folder, keys, grid=(8, 8), channels=1):
    """A run folder with a network of these model keys, after one epoch on noise."""
    rng, n = random.Random(1), 8
    shape = (n, *grid) if channels == 1 else (n, channels, *grid)
    noise = [rng.gauss(0, 1) for _ in range(math.prod(shape))]
    folder.mkdir(exist_ok=True)
    save_pt(folder / "in.pt", {"x": Tensor(noise, shape), "y": Tensor(noise, shape)})
    (folder / "config.yaml").write_text("data: {train: in.pt}\n")
    case.mpno("train", "config.yaml", "output=run", "opt.n_epochs=1", "seed=4",
              "model.hidden_channels=6", "model.n_layers=2", "data.encode_output=false",
              "opt.learning_rate=1e-2", "data.batch_size=4", f"model.n_modes={[4] * len(grid)}",
              *keys, folder=folder)


# name: (model keys, grid, channels)
MODELS = {
    "default": ([], (8, 8), 1),
    "pair of from_checkpoint": (["model.fno_skip=soft-gating", "model.stabilizer=tanh"], (8, 8), 1),
    "line": (["model.channel_mlp_skip=linear"], (16,), 1),
    "volume with group norm": (["model.norm=group_norm"], (6, 4, 8), 1),
    "batch norm and its counter": (["model.norm=batch_norm", "model.preactivation=true"], (8, 8),
                                   1),
    "separable, instance norm, no mlp": (["model.separable=true", "model.norm=instance_norm",
                                          "model.use_channel_mlp=false"], (8, 8), 1),
    "padding": (["model.domain_padding=0.25"], (8, 8), 1),
    "cp": (["model.factorization=cp", "model.rank=0.3"], (8, 8), 1),
    "pair with tucker": (["model.factorization=tucker", "model.rank=0.3", "model.fixed_rank_modes=true"], (8, 8), 1),
    "tucker of given ranks": (["model.factorization=tucker", "model.rank=[3,4,2,2]"], (8, 8), 1),
    "tensor train of one rank": (["model.factorization=tt", "model.rank=3"], (8, 8), 1),
    "channels and no embedding": (["model.positional_embedding=none", "model.fno_skip=identity",
                                   "model.channel_mlp_skip=none"], (8, 8), 3),
}


@unittest.skipUnless(PEER.exists(), f"no Python with the library at {PEER}")
class Library(Case):
    def test_strict_loading_equal_bits_equal_outputs(self):
        cases = []
        for name, (keys, grid, channels) in MODELS.items():
            folder, pair = self.folder / name, name.startswith("pair")
            train(self, folder, keys, grid, channels)
            self.mpno("export", "run", "-o", "a_state_dict.pt" if pair else "a.pt", folder=folder)
            cases.append((str(folder), pair))
        (self.folder / "cases.json").write_text(json.dumps(cases))
        peer(self.folder, LIBRARY)
        for folder, pair in cases:
            file = "a_state_dict.pt" if pair else "a.pt"
            for source in ("run", file):
                with self.subTest(folder=folder, source=source):
                    self.compare(Path(folder), source)

    def compare(self, folder, source):
        self.mpno("predict", source, "in.pt", "-o", "y.safetensors", folder=folder)
        _, _, content = load_safetensors(folder / "y.safetensors")["y"]
        ours = struct.unpack(f"<{len(content) // 4}f", content)
        with zipfile.ZipFile(folder / "expected.pt") as archive:
            stored = next(name for name in archive.namelist() if name.endswith("/data/0"))
            theirs = struct.unpack(f"<{len(content) // 4}f", archive.read(stored))
        scale = (sum(value * value for value in theirs) / len(theirs)) ** 0.5
        self.assertLess(max(abs(a - b) for a, b in zip(ours, theirs)), 2e-5 * scale)


if __name__ == "__main__":
    unittest.main()
