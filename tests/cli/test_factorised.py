# SPDX-License-Identifier: MIT
"""Factorised spectral weights from end to end: state dicts of the PyTorch library, training, export, and what is
refused."""
import struct
import unittest

from support import ROOT, Case, Tensor, load_safetensors, save_pt

GOLDEN = ROOT / "tests/golden"
SMALL = ("model.n_modes=[4,4]", "model.hidden_channels=6", "model.n_layers=2", "opt.n_epochs=1", "data.n_train=32",
         f"data.train={ROOT}/examples/data/darcy_train_16.pt")


def reference(name, kind, tensor):
    """A tensor of a reference case: its numbers and its shape."""
    for line in (GOLDEN / f"{name}.txt").read_text().splitlines():
        words = line.split()
        if words[:2] == [kind, tensor]:
            offset, length = int(words[3]), int(words[4])
            content = (GOLDEN / f"{name}.bin").read_bytes()[offset:offset + length]
            return struct.unpack(f"<{length // 4}f", content), tuple(map(int, words[5:]))
    raise AssertionError(f"{name} has no {kind} {tensor}")


class StateDict(Case):
    def test_outputs_are_those_of_the_library(self):
        x, shape = reference("fno2d_tucker", "input", "x")
        y, _ = reference("fno2d_tucker", "output", "y")
        save_pt(self.folder / "in.pt", {"x": Tensor(x, shape)})
        scale = (sum(value * value for value in y) / len(y)) ** 0.5
        self.mpno("export", ROOT / "tests/data/fno2d_tucker.pt", "-o", "again.pt")
        for source in (ROOT / "tests/data/fno2d_tucker.pt", "again.pt"):
            self.mpno("predict", source, "in.pt", "-o", "y.safetensors")
            _, _, content = load_safetensors(self.folder / "y.safetensors")["y"]
            ours = struct.unpack(f"<{len(content) // 4}f", content)
            self.assertLess(max(abs(a - b) for a, b in zip(ours, y)), 5e-5 * scale)

    def test_factors_keep_their_bits_and_names(self):
        self.mpno("export", ROOT / "tests/data/fno2d_tucker.pt", "-o", "a.safetensors")
        made = load_safetensors(self.folder / "a.safetensors")
        for factor in ("core", "factors.factor_0", "factors.factor_1", "factors.factor_3"):
            name = f"fno_blocks.convs.1.weight.{factor}"
            numbers, shape = reference("fno2d_tucker", "param", name)
            _, ours, content = made[name]
            self.assertEqual(list(ours)[:len(shape)], list(shape))
            self.assertEqual(struct.pack(f"<{len(numbers)}f", *numbers), content)


class Training(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "config.yaml").write_text("{}")

    def test_ways_agree(self):
        """Orders of contraction differ by rounding alone."""
        losses = {}
        for order in ("data-first", "weight-first", "B", "C", "memory", "error"):
            self.mpno("train", "config.yaml", *SMALL, "model.factorization=CP", "model.rank=0.4", f"model.contraction={order}",
                      f"output={order}", "-q")
            losses[order] = self.mpno("eval", order, f"data.test={ROOT}/examples/data/darcy_test_16.pt",
                                      "--json").json()["test"]["16"]["l2"]
        for order, loss in losses.items():
            self.assertAlmostEqual(loss, losses["C"], delta=1e-4 * losses["C"], msg=order)

    def test_every_policy(self):
        for factorization in ("cp", "tucker", "tt"):
            for policy in ("full", "half", "mixed", "f64"):
                with self.subTest(factorization=factorization, policy=policy):
                    run = f"{factorization}-{policy}"
                    self.mpno("train", "config.yaml", *SMALL, f"model.factorization={factorization}", "model.rank=0.3",
                              f"precision.policy={policy}", f"output={run}", "-q")
                    error = self.mpno("eval", run, f"data.test={ROOT}/examples/data/darcy_test_16.pt",
                                      "--json").json()["test"]["16"]["l2"]
                    self.assertLess(error, 1.5)

    def test_parameters_are_those_of_the_library(self):
        """neuraloperator's counts for 4 layers, 32 channels and 16 x 16 modes."""
        for factorization, count in (("dense", 1192801), ("tucker", 140521), ("cp", 132673), ("tt", 134761)):
            plan = self.mpno("plan", "config.yaml", "model.n_modes=[16,16]", "model.hidden_channels=32", "model.n_layers=4",
                             f"data.train={ROOT}/examples/data/darcy_train_16.pt",
                             f"model.factorization={factorization}", "model.rank=0.1", "--json").json()
            self.assertEqual(plan["parameters"], count)


class Conversion(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "config.yaml").write_text("{}")

    def errors(self, *words):
        return self.mpno("export", *words, "--json").json()["weight_errors"]

    def test_there_and_back(self):
        """Of low rank already, the weights lose nothing by other factors, and the outputs stay."""
        self.mpno("train", "config.yaml", *SMALL, "model.factorization=cp", "model.rank=2", "output=run", "-q")
        self.assertLess(max(self.errors("run", "-o", "dense.pt", "export.factorization=dense")), 1e-6)
        for factorization, rank in (("tucker", 2), ("tt", 2)):
            made = f"{factorization}.pt"
            self.assertLess(max(self.errors("dense.pt", "-o", made, f"export.factorization={factorization}",
                                            f"export.rank={rank}")), 1e-5)
            found = {source: self.mpno("eval", source, f"data.test={ROOT}/examples/data/darcy_test_16.pt",
                                       "--json").json()["test"]["16"]["l2"] for source in ("dense.pt", made)}
            self.assertAlmostEqual(found[made], found["dense.pt"], delta=1e-4)

    def test_what_is_lost_is_told(self):
        self.mpno("train", "config.yaml", *SMALL, "output=run", "-q")
        said = self.mpno("export", "run", "-o", "a.pt", "export.factorization=tucker", "export.rank=0.3").out
        self.assertIn("block 1: relative error 0.", said)
        errors = [max(self.errors("run", "-o", "a.pt", "export.factorization=tt", f"export.rank={rank}"))
                  for rank in (0.2, 0.5, 1.0)]
        self.assertEqual(sorted(errors, reverse=True), errors)

    def test_refusals(self):
        self.mpno("train", "config.yaml", *SMALL, "output=run", "-q")
        self.assert_error(self.mpno("export", "run", "-o", "a.pt", "export.rank=0.3", status=2), "export.factorization")
        self.assert_error(self.mpno("export", "run", "-o", "a.pt", "export.factorization=tt", "export.rank=[2,2]",
                                    status=2), "2 entries")


# name: (keys, what the error must hold)
BAD = {
    "unknown": (["model.factorization=svd"], ["dense, cp, tucker, tt", "svd"]),
    "order without factors": (["model.contraction=memory"], ["model.contraction", "dense"]),
    "fixed modes without tucker": (["model.factorization=cp", "model.fixed_rank_modes=true"],
                                   ["fixed_rank_modes", "tucker"]),
    "option B without cp": (["model.factorization=tt", "model.contraction=B"], ["B and C", "cp"]),
    "rank 0": (["model.factorization=cp", "model.rank=0"], ["model.rank", "out of range"]),
    "ranks too few": (["model.factorization=tucker", "model.rank=[2,2]"], ["2 entries", "or 4"]),
    "rank in parts": (["model.factorization=tucker", "model.rank=[2,2,2,1.5]"], ["1.5", "whole numbers"]),
    "ends of a train": (["model.factorization=tt", "model.rank=[2,3,3,3,1]"], ["begins with 2", "must be 1"]),
    "separable data first": (["model.factorization=cp", "model.separable=true", "model.contraction=data-first"],
                             ["model.separable"]),
}


class Refusals(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "config.yaml").write_text("{}")

    def test_bad_keys(self):
        for name, (keys, words) in BAD.items():
            with self.subTest(name):
                self.assert_error(self.mpno("train", "config.yaml", *SMALL, *keys, status=2), *words)


if __name__ == "__main__":
    unittest.main()
