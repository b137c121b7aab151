# SPDX-License-Identifier: MIT
"""mpno profile: what it tells of a small model, against what the policies promise. No test of times."""
import unittest

from support import ROOT, Case

SMALL = ("model.hidden_channels=6", "model.n_layers=2", "model.n_modes=[4,4]", "data.n_train=20",
         "data.batch_size=8")
# what is f16 under each policy: docs/reference/policies.md
HALF = {
    "full": (),
    "amp": ("activation",),
    "half": ("transform input", "transform columns", "spectrum", "transform output"),
    "fft32": ("activation", "transform columns", "spectrum", "transform output"),
    "mixed": ("activation", "transform input", "transform columns", "spectrum", "transform output"),
}


class Profile(Case):
    """One run, looked at from all sides."""

    def test_profile(self):
        """Every policy, layer and tensor is told; formats are the policies'; the parts fit together."""
        result = self.mpno("profile", ROOT / "examples/darcy16.yaml", *SMALL, "--json")
        told = result.json()
        self.assertEqual(told["batch_size"], 8)
        self.assertEqual(tuple(told["policies"]), tuple(HALF))
        layers = [entry["layer"] for entry in told["layers"]]
        self.assertEqual(layers, ["lifting", "block 0", "block 1", "projection", "loss"])
        for policy, half in HALF.items():
            with self.subTest(policy=policy):
                of_policy = told["policies"][policy]
                parts = sum(entry["policies"][policy]["seconds"] for entry in told["layers"])
                self.assertGreater(parts, 0)
                self.assertGreater(of_policy["sum_bytes"], of_policy["activation_bytes"])
                stored = [entry for entry in told["tensors"] if policy in entry["policies"]]
                self.assertGreater(len(stored), 10)
                for entry in stored:
                    role = entry["role"].replace(" gradient", "")
                    narrow = entry["policies"][policy]["format"] == "f16"
                    self.assertEqual(narrow, role in half, entry)
        for name in ("training step", "resident", "contracted spectrum"):
            self.assertIn(name, result.err)


if __name__ == "__main__":
    unittest.main()
