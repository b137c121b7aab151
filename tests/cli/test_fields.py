# SPDX-License-Identifier: MIT
"""Data sets beyond real fields on one grid: complex ones, outputs on a grid of their own, samples with a vector that steers
the model; through training, evaluation and prediction."""
import cmath
import math
import random
import struct
import unittest
import zipfile

from support import Case

N, SAMPLES, MODES = 24, 48, range(-3, 4)


def npz(path, **arrays):
    """Writes {name: (dtype, shape, numbers)} as numpy's savez does."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, (dtype, shape, numbers) in arrays.items():
            head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
            head += " " * (-(len(head) + 11) % 64) + "\n"
            body = struct.pack(f"<{len(numbers)}f", *numbers)
            archive.writestr(f"{name}.npy",
                             b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + body)


def read_npy(path):
    """The numbers of an f32 or complex64 file, and its shape."""
    data = path.read_bytes()
    size = struct.unpack_from("<H", data, 8)[0]
    head = eval(data[10:10 + size].decode())  # pylint: disable=eval-used
    body = data[10 + size:]
    return struct.unpack(f"<{len(body) // 4}f", body), head["shape"], head["descr"]


def coefficients(rng):
    return {k: complex(rng.gauss(0, 1), rng.gauss(0, 1)) / (1 + abs(k)) for k in MODES}


def sample(of, n):
    """Values of a trigonometric polynomial at i / n."""
    return [sum(c * cmath.exp(2j * math.pi * k * i / n) for k, c in of.items()) for i in range(n)]


def turned(of):
    """Each mode turned by its own angle: a map that only a complex weight per mode can do."""
    return {k: c * cmath.exp(0.4j * k) for k, c in of.items()}


class Fields(Case):
    """A short training run on each kind of data."""

    def config(self, *lines):
        text = ["model: {n_modes: [8], hidden_channels: 10, n_layers: 2}",
                "data: {train: data.npz, test: [data.npz], batch_size: 8, encode_output: false}",
                "opt: {n_epochs: 25, learning_rate: 5e-3, training_loss: l2}",
                "output: run", "report: {tensorboard: false, html: false}", *lines]
        (self.folder / "c.yaml").write_text("\n".join(text) + "\n")

    def error(self):
        return self.mpno("eval", "run", "--json").json()["test"][str(N)]["l2"]

    def plan_squares(self, run, copies):
        """The sum of squares of a plan has every site but those that are copies of stored numbers."""
        told = self.mpno("plan", run, "--data", "data.npz", "--tolerance=1e-3", "--json", "-q").json()
        plan, sites = told["plan"], {(s["layer"], s["role"]): s for s in told["sites"]}
        self.assertIsNone(plan["modes"])
        for site in (("lifting", "activation"), ("block 0", "transform input")):
            self.assertEqual(sites[site]["format"], "f16")
        squares = {site: s["error"].get(s["format"], 0) ** 2 for site, s in sites.items()}
        full = next(p["error"] for p in told["policies"] if p["policy"] == "full")
        found = math.sqrt(math.fsum(q for site, q in squares.items() if site not in copies) + full ** 2)
        self.assertAlmostEqual(plan["error_predicted_same_samples"] / found, 1, delta=1e-9)
        self.assertAlmostEqual(plan["error_predicted_same_samples"] / plan["error_same_samples"], 1, delta=0.1)
        for site in copies:
            self.assertGreater(squares[site], 1e-6 * found ** 2)

    def test_what_transforms_of_complex_fields_read(self):
        """A field and what its transform reads hold the same numbers in tensors of their own. Both are rounded from the same
        values, for skip and transform, and count as two; after padding what is read was stored before, and counts once."""
        rng = random.Random(4)
        x = [part for _ in range(SAMPLES) for v in sample(coefficients(rng), N) for part in (v.real, v.imag)]
        npz(self.folder / "data.npz", x=("<c8", (SAMPLES, N), x), y=("<c8", (SAMPLES, N), x))
        self.config()
        for run, words in (("plain", ()), ("padded", ("model.domain_padding=0.25",))):
            self.mpno("train", "c.yaml", "model.complex_data=true", "opt.n_epochs=3", f"output={run}", *words, "-q")
            answers = []
            for storage in ("null", "lifting/activation=f16", "block 0/transform input=f16",
                            "lifting/activation=f16, block 0/transform input=f16"):
                self.mpno("predict", run, "data.npz", "-o", "p.npy", f"precision.storage={storage}", "-q")
                answers.append(read_npy(self.folder / "p.npy")[0])
            exact, field, staged, both = answers
            self.assertNotEqual(staged, exact)
            if run == "padded":
                self.assertEqual(both, field)
                continue
            alone = math.dist(staged, exact)
            self.assertLess(math.dist(both, [f + s - e for f, s, e in zip(field, staged, exact)]), 0.2 * alone)
        self.plan_squares("plain", ())
        self.plan_squares("padded", (("block 0", "transform input"),))

    def test_complex_fields(self):
        rng = random.Random(3)
        fields = [coefficients(rng) for _ in range(SAMPLES)]
        x = [part for of in fields for v in sample(of, N) for part in (v.real, v.imag)]
        y = [part for of in fields for v in sample(turned(of), N) for part in (v.real, v.imag)]
        npz(self.folder / "data.npz", x=("<c8", (SAMPLES, N), x), y=("<c8", (SAMPLES, N), y))
        self.config()
        self.assert_error(self.mpno("train", "c.yaml", status=2), "'x' is complex", "model.complex_data")
        self.mpno("train", "c.yaml", "model.complex_data=true")
        told = self.error()
        self.mpno("predict", "run", "data.npz", "--output", "p.npy", "--pictures", "pictures")
        got, shape, kind = read_npy(self.folder / "p.npy")
        self.assertEqual((shape, kind), ((SAMPLES, 1, N), "<c8"))
        error = 0
        for s in range(SAMPLES):
            part = slice(2 * N * s, 2 * N * (s + 1))
            error += math.dist(got[part], y[part]) / math.hypot(*y[part]) / SAMPLES
        self.assertAlmostEqual(error, told, delta=1e-4)
        self.assertLess(error, 0.25)

    def outputs_on_finer_grid(self, *words):
        rng = random.Random(4)
        fields = [coefficients(rng) for _ in range(SAMPLES)]
        x = [v.real for of in fields for v in sample(of, N)]
        y = [v.real for of in fields for v in sample(of, 2 * N)]
        npz(self.folder / "data.npz", x=("<f4", (SAMPLES, N), x), y=("<f4", (SAMPLES, 2 * N), y))
        self.config()
        self.assert_error(self.mpno("train", "c.yaml", status=1), "24", "48", "differ at axis 1")
        self.mpno("train", "c.yaml", *words)
        self.assertLess(self.error(), 0.15)
        npz(self.folder / "x.npz", x=("<f4", (SAMPLES, N), x))
        self.mpno("predict", "run", "x.npz", "--output", "q.npy", "predict.output_shape=[36]")
        self.assertEqual(read_npy(self.folder / "q.npy")[1], (SAMPLES, 1, 36))

    def test_outputs_on_their_own_grid(self):
        self.outputs_on_finer_grid("data.output_grid=own")

    def test_outputs_on_a_scaled_grid(self):
        self.outputs_on_finer_grid("model.resolution_scaling_factor=[1, 2]")
        self.assert_error(self.mpno("train", "c.yaml", "output=other",
                                    "model.resolution_scaling_factor=[3, 1]", status=1),
                          "72 of the 24 points", "48")
        self.assertFalse((self.folder / "other").exists())

    def test_steered_samples(self):
        rng = random.Random(5)
        x, y, steer = [], [], []
        for _ in range(SAMPLES):
            values = [v.real for v in sample(coefficients(rng), N)]
            factor = rng.choice((-1.0, 1.0))
            x, y, steer = x + values, y + [factor * v for v in values], steer + [factor]
        npz(self.folder / "data.npz", x=("<f4", (SAMPLES, N), x), y=("<f4", (SAMPLES, N), y),
            sign=("<f4", (SAMPLES, 1), steer))
        self.config()
        self.assert_error(self.mpno("train", "c.yaml", "model.norm=ada_in", status=2),
                          "data.embedding_key is missing")
        self.assert_error(self.mpno("train", "c.yaml", "data.embedding_key=sign", status=2),
                          "model.norm is not ada_in")
        self.mpno("train", "c.yaml", "model.norm=ada_in", "data.embedding_key=sign", "opt.n_epochs=60")
        self.assertLess(self.error(), 0.5)  # without the sign nothing below 1 can be learnt
        self.mpno("predict", "run", "data.npz", "--output", "p.safetensors")


if __name__ == "__main__":
    unittest.main()
