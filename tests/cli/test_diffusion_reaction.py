# SPDX-License-Identifier: MIT
"""mpno generate diffusion_reaction: against a solver in numpy, restriction, layout, refusals."""
import unittest

from support import CONFIG, Case

try:
    import h5py
    import numpy as np
except ImportError:
    h5py = None

USAGE, NUMERIC = 2, 1


def solve(y, Du, Dv, k, h, end, steps):
    """y [samples, 2, N, N] at the end by the classical Runge-Kutta method on finite volumes."""
    def rate(a):
        wide = np.pad(a, ((0, 0), (0, 0), (1, 1), (1, 1)), "edge")
        flow = (wide[:, :, 2:, 1:-1] + wide[:, :, :-2, 1:-1] + wide[:, :, 1:-1, 2:] + wide[:, :, 1:-1, :-2] - 4 * a) / h ** 2
        u, v = a[:, 0], a[:, 1]
        return np.stack([Du * flow[:, 0] + u - u ** 3 - k - v, Dv * flow[:, 1] + u - v], 1)

    dt = end / steps
    for _ in range(steps):
        k1 = rate(y)
        k2 = rate(y + dt / 2 * k1)
        k3 = rate(y + dt / 2 * k2)
        y = y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + rate(y + dt * k3))
    return y


@unittest.skipIf(h5py is None, "needs h5py and numpy")
class Content(Case):
    """The file against what the command line asked for."""

    def make(self, *words):
        path = self.folder / "a.h5"
        path.unlink(missing_ok=True)
        self.mpno("generate", "diffusion_reaction", "-q", "-o", path, "--format", "f64", *words)
        with h5py.File(path) as file:
            return file["x"][:], file["y"][:], dict(file["y"].attrs)

    def test_equation(self):
        """PDEBench's numbers, as defaults: Du 1e-3, Dv 5e-3, k 5e-3, (-1, 1)^2, time 5."""
        x, y, attributes = self.make("--n_samples", 3, "--resolution", 32, "--tolerance", 1e-9)
        self.assertEqual(attributes["axes"], b"sample channel x y")
        self.assertEqual(list(attributes["x"]), [-1 + 1 / 32, 1 / 16])
        self.assertLess(abs(y - solve(x, 1e-3, 5e-3, 5e-3, 1 / 16, 5, 1000)).max(), 1e-5)

    def test_parameters(self):
        x, y, attributes = self.make("--n_samples", 2, "--resolution", 16, "--tolerance", 1e-9, "--Du", 0.01, "--Dv", 0.02,
                                     "--k", 0.3, "--length", 4, "--final_time", 2, "--snapshots", 2)
        self.assertEqual(attributes["axes"], b"sample t channel x y")
        self.assertEqual(list(attributes["t"]), [1, 1])
        for i in range(2):
            self.assertLess(abs(y[:, i] - solve(x, 0.01, 0.02, 0.3, 1 / 4, i + 1, 400)).max(), 1e-5)

    def test_noise(self):
        """Independent normal numbers: mean, variance and covariance of neighbours within 4 standard errors."""
        x, _, _ = self.make("--n_samples", 60, "--resolution", 32, "--final_time", 0.01, "--sigma", 2)
        n = x.size
        self.assertLess(abs(x.mean()), 4 * 2 / n ** 0.5)
        self.assertLess(abs(x.var() / 4 - 1), 4 * (2 / n) ** 0.5)
        for a, b in ((x[:, 0], x[:, 1]), (x[..., 1:], x[..., :-1]), (x[1:], x[:-1])):
            self.assertLess(abs((a * b).mean()), 4 * 4 / a.size ** 0.5)

    def test_restriction(self):
        """A coarse file has the averages of the fine one."""
        fine = self.make("--n_samples", 2, "--resolution", 24)
        coarse = self.make("--n_samples", 2, "--resolution", "8,12", "--solve_resolution", 24)
        for a, b in zip(fine[:2], coarse[:2]):
            self.assertLess(abs(a.reshape(2, 2, 8, 3, 12, 2).mean((3, 5)) - b).max(), 1e-14)

    def test_trains(self):
        self.make("--n_samples", 12, "--resolution", 16)
        (self.folder / "config.yaml").write_text(CONFIG)
        self.mpno("train", "config.yaml", "--quiet", "data.train=a.h5", "data.test=a.h5")

    def test_refusals(self):
        for words, fragments in ((("--Du", -1), ["Du", "-1"]), (("--solve_resolution", 24), ["multiple", "24", "16", "32"]),
                                 (("--resolution", "8,8,8"), ["resolution", "3"]), (("--tolerance", 0), ["tolerance"])):
            result = self.mpno("generate", "diffusion_reaction", "-q", "--n_samples", 1, "--resolution", 16, "-o", "b.h5",
                               *words, status=USAGE)
            self.assert_error(result, *fragments)
        result = self.mpno("generate", "diffusion_reaction", "-q", "--n_samples", 1, "--resolution", 16, "-o", "b.h5",
                           "--sigma", 1e170, "--dt", 1, status=NUMERIC)
        self.assert_error(result, "diffusion_reaction, sample 0", "not finite", "smaller dt")


if __name__ == "__main__":
    unittest.main()
