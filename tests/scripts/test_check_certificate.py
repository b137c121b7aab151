# SPDX-License-Identifier: MIT
"""scripts/check_certificate.py: it passes a certificate that is right, and nothing that was changed or is claimed wrongly."""
import hashlib
import json
import subprocess
import sys
import unittest
from pathlib import Path

import mpmath
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/cli"), str(ROOT / "scripts")]

from exact_network import Network, distances, exact  # noqa: E402
from support import Case, make_project, run  # noqa: E402

SCRIPT = ROOT / "scripts/check_certificate.py"


def sha256(data):
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def sum_of_sample(values):
    return sha256(f"f64 {list(values.shape)}\n".encode() + values.astype("<f8").tobytes())


class CheckCertificate(Case):
    """The certificate of a small model's answer in f16, made here from the oracle's own distances."""

    def setUp(self):
        super().setUp()
        mpmath.mp.dps = 50
        make_project(self.folder)
        self.mpno("train", "config.yaml", "opt.n_epochs=1", "data.test=[test8.pt]", "precision.policy=mixed",
                  "opt.h1_boundary=[one-sided, periodic]", "opt.loss_measure=[2, 0.5]")
        self.mpno("predict", "run", "test8.pt", "--output", "y.npy")
        self.mpno("data", "convert", "test8.pt:x", "x.npy")
        x = np.load(self.folder / "x.npy")[2][None].astype("f8")
        y = np.load(self.folder / "y.npy")[2].astype("f8")
        answer = Network(self.folder / "run/last.safetensors").run(x, y.shape[1:])
        domain = ([2, 0.5], [True, False])
        self.apart, self.size = distances(exact(y) - answer, *domain), distances(answer, *domain)
        self.certificate = self.make(x, y)

    def make(self, x, y):
        weights = (self.folder / "run/last.safetensors").read_bytes()
        plan = {"policy": "mixed", "stabilizer": "tanh", "weights": "trained", "boundary": ["one-sided", "periodic"],
                "measure": [2.0, 0.5]}
        bounds = {}
        for name in ("l2", "h1", "max"):
            apart, size = float(self.apart[name]), float(self.size[name])
            bounds[name] = {"lower": apart - 1e-9, "upper": apart + 1e-9,
                            "relative_lower": apart / size * (1 - 1e-5), "relative_upper": apart / size * (1 + 1e-5),
                            "size_lower": size - 1e-9, "size_upper": size + 1e-9, "shadow": 1e-10}
        return {"format": "mpno certificate", "version": 1, "kind": "point", "verdict": "VERIFIED", "reason": "\u00b5 \"so\"",
                "claim": {"text": "near", "tolerance": 0.1}, "distances": bounds,
                "checkpoint": {"path": "run/last.safetensors", "bytes": len(weights), "sha256": sha256(weights)},
                "input": {"path": "test8.pt", "key": "x", "sample": 2, "shape": [1, 8, 8], "complex": False,
                          "sha256": sum_of_sample(x)},
                "answer": {"path": "y.npy", "key": None, "sample": 2, "shape": [1, 8, 8], "complex": False,
                           "sha256": sum_of_sample(y)},
                "plan_sha256": sha256(json.dumps(plan)), "assumptions": ["one", "two"], "layers": [], "plan": plan}

    def check(self, status, *fragments, words=(), signed=True):
        """Writes the certificate and expects that exit status and these lines."""
        document = dict(self.certificate)
        if signed:
            document["sha256"] = sha256(json.dumps(document, ensure_ascii=False))
        (self.folder / "c.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        done = subprocess.run([sys.executable, "-B", SCRIPT, "c.json", *words], cwd=self.folder, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, status, done.stdout)
        for fragment in fragments:
            self.assertRegex(done.stdout, fragment)

    def test_one_that_is_right(self):
        self.check(0, r"ok +l2 distance", r"ok +h1 relative", r"ok +max size", r"ok +the verdict VERIFIED")
        (self.folder / "run").rename(self.folder / "moved")
        self.check(2, "UNKNOWN")
        self.check(0, words=("--weights", "moved/last.safetensors"))

    def test_inputs_of_f64(self):
        """They are what the file has, not rounded to the model's type: of its certificates all holds."""
        rng = np.random.default_rng(3)
        x = rng.standard_normal((2, 8, 8))
        np.savez(self.folder / "wide.npz", x=x)
        self.assertFalse((x == x.astype("f4")).any())
        self.mpno("certify", "run", "--input", "wide.npz", "--sample", "1", "-o", "wide.json", "-q")
        self.certificate = json.loads((self.folder / "wide.json").read_text(encoding="utf-8"))
        self.assertEqual(self.certificate["input"]["sha256"], sum_of_sample(x[1][None]))
        done = subprocess.run([sys.executable, "-B", SCRIPT, "wide.json"], cwd=self.folder, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)
        np.savez(self.folder / "wide.npz", x=x.astype("f4"))
        done = subprocess.run([sys.executable, "-B", SCRIPT, "wide.json"], cwd=self.folder, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertIn("WRONG  SHA-256 of the input", done.stdout)

    def test_bounds_that_do_not_hold(self):
        for name, bound, value in (("l2", "lower", float(self.apart["l2"]) + 1e-9), ("h1", "upper", float(self.apart["h1"]) - 1e-9),
                                   ("max", "size_upper", float(self.size["max"]) - 1e-9), ("l2", "relative_upper", 0)):
            with self.subTest(name=name, bound=bound):
                kept = dict(self.certificate["distances"][name])
                self.certificate["distances"][name][bound] = value
                self.check(1, f"WRONG +{name}")
                self.certificate["distances"][name] = kept
        self.check(0)

    def test_verdicts_that_do_not_follow(self):
        self.certificate["verdict"] = "REFUTED"
        self.check(1, "WRONG +the verdict REFUTED")
        self.certificate["claim"]["tolerance"] = 1e-7
        self.check(0)
        self.certificate["verdict"] = "VERIFIED"
        self.check(1, "WRONG +the verdict VERIFIED")
        self.certificate["verdict"] = "UNKNOWN"
        self.check(2, "UNKNOWN")

    def test_anything_changed(self):
        for path, where in (("run/last.safetensors", -3), ("y.npy", -90 * 4), ("test8.pt", None)):
            with self.subTest(path):
                content = (self.folder / path).read_bytes()
                x = np.load(self.folder / "x.npy")[2].astype("<f4").tobytes()
                at = content.index(x) if where is None else where
                broken = bytearray(content)
                broken[at] ^= 1
                (self.folder / path).write_bytes(broken)
                self.check(1, "WRONG +SHA-256") if where else self.check(2, "UNKNOWN .*CRC")
                (self.folder / path).write_bytes(content)
        self.certificate["sha256"] = "0" * 64
        self.check(1, "WRONG +the certificate's own", signed=False)
        self.certificate.pop("sha256")
        self.certificate["plan"] = {**self.certificate["plan"], "policy": "half"}
        self.check(1, "WRONG +SHA-256 of the plan")


@unittest.skipUnless(run("certify", "--help").status == 0, "this program has no certify yet")
class CertificatesOfTheProgram(Case):
    """What `mpno certify` writes must pass a checker that shares no code with it."""

    SETS = [
        ["precision.policy=full", "data.encode_input=true", "data.encoding=pixel-wise"],
        ["precision.policy=mixed", "model.norm=instance_norm", "model.preactivation=true"],
        ["precision.policy=half", "precision.format=bf16", "model.factorization=tucker", "model.rank=0.3", "opt.ema_decay=0.9"],
        ["precision.policy=mixed", "precision.storage=spectrum=f8e4m3", "model.separable=true",
         "opt.h1_boundary=[one-sided, periodic]", "opt.loss_measure=[2, 0.5]"],
    ]

    def test_they_pass(self):
        make_project(self.folder)
        for i, words in enumerate(self.SETS):
            with self.subTest(words):
                self.mpno("train", "config.yaml", "opt.n_epochs=1", "data.test=[test8.pt]", f"output=run-{i}", *words)
                self.mpno("certify", f"run-{i}", "--sample", i, "-o", "c.json")
                done = subprocess.run([sys.executable, "-B", SCRIPT, "c.json"], cwd=self.folder, text=True, check=False,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                self.assertEqual(done.returncode, 0, done.stdout)
                for name in ("l2", "h1", "max"):
                    self.assertIn(f"ok     {name} relative", done.stdout)


if __name__ == "__main__":
    unittest.main()
