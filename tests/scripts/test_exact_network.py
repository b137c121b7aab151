# SPDX-License-Identifier: MIT
"""scripts/exact_network.py against the program: networks trained and used in f64 must agree to its rounding, others to theirs."""
import sys
import unittest
from pathlib import Path

import mpmath
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/cli"), str(ROOT / "scripts")]

from exact_network import Network, Refused, distances, exact  # noqa: E402
from support import Case, make_project  # noqa: E402

SETS = [
    ["model.norm=group_norm", "model.norm_groups=2", "data.encode_input=true", "data.encoding=channel-wise"],
    ["model.norm=instance_norm", "model.preactivation=true", "model.stabilizer=rms_norm"],
    ["model.norm=batch_norm", "data.encoding=pixel-wise", "model.stabilizer=two_sigma_clip"],
    ["model.factorization=cp", "model.rank=0.4", "model.stabilizer=learned_tanh", "opt.ema_decay=0.9"],
    ["model.factorization=tucker", "model.rank=0.3", "model.stabilizer=scale", "model.stabilizer_scale=3"],
    ["model.factorization=tt", "model.rank=0.3", "model.domain_padding=[0.25, 0]",
     "model.resolution_scaling_factor=[[2, 1], [0.5, 1]]"],
    ["model.separable=true", "model.conv_bias_kernel=4", "model.stabilizer=arcsinh"],
    ["model.max_n_modes=[6, 6]", "model.n_modes=[3, 5]", "model.grid_boundaries=[[-1, 2], [0, 3]]"],
    ["model.use_channel_mlp=false", "model.fno_skip=soft-gating", "model.stabilizer=sigmoid"],
]


class ExactNetwork(Case):
    def setUp(self):
        super().setUp()
        make_project(self.folder)
        mpmath.mp.dps = 50

    def relative_error(self, *words):
        """Of the program's answer to a sample, in relative L2."""
        self.mpno("train", "config.yaml", "opt.n_epochs=1", "data.test=[test8.pt]", *words)
        self.mpno("data", "convert", "test8.pt:x", "x.npy")
        self.mpno("predict", "run", "test8.pt", "--output", "y.npy")
        x, y = np.load(self.folder / "x.npy")[1][None], np.load(self.folder / "y.npy")[1]
        answer = Network(self.folder / "run/last.safetensors").run(x, output_grid=y.shape[1:])
        ones, periodic = [1, 1], [False, False]
        return float(distances(exact(y) - answer, ones, periodic)["l2"] / distances(answer, ones, periodic)["l2"])

    def test_f64_agrees_to_its_rounding(self):
        """The longest chain of these, with norms, is off by 1.4e-15; outputs are mostly their mean."""
        for i, words in enumerate(SETS):
            with self.subTest(words):
                error = self.relative_error("precision.policy=f64", "output=run", f"seed={i}", *words)
                self.assertLess(error, 2e-14)
                (self.folder / "run").rename(self.folder / f"run-{i}")

    def test_f32_is_off_by_its_rounding(self):
        error = self.relative_error()
        self.assertTrue(1e-9 < error < 1e-6, error)

    def test_what_it_has_no_definition_for_is_refused(self):
        self.mpno("train", "config.yaml", "opt.n_epochs=1", "model.stabilizer=two_sigma_clip_batch")
        with self.assertRaises(Refused):
            Network(self.folder / "run/last.safetensors")


if __name__ == "__main__":
    unittest.main()
