# SPDX-License-Identifier: MIT
"""mpno generate helmholtz: the equation holds in the file, the wave has its spectrum at k, restriction, refusals."""
import unittest

from support import CONFIG, Case

try:
    import h5py
    import numpy as np
except ImportError:
    h5py = None

USAGE, NUMERIC = 2, 1


@unittest.skipIf(h5py is None, "needs h5py and numpy")
class Content(Case):
    """The file against what the command line asked for."""

    def make(self, *words):
        path = self.folder / "a.h5"
        path.unlink(missing_ok=True)
        self.mpno("generate", "helmholtz", "-q", "-o", path, "--format", "f64", *words)
        with h5py.File(path) as file:
            return file["x"][:], file["y"][:, 0] + 1j * file["y"][:, 1], dict(file["y"].attrs)

    def test_equation(self):
        """By derivatives in the spectrum, on an odd grid, whose file holds all modes of the solver."""
        n, k, eta, length = 75, 45, 0.08, 1.5
        a, u, attributes = self.make("--n_samples", 5, "--resolution", n, "--solve_resolution", n, "--k", k, "--absorption",
                                     eta, "--length", length, "--width", 0.05, "--tolerance", 1e-10, "--contrast", 0.2)
        self.assertEqual(attributes["axes"], b"sample channel x y")
        self.assertEqual(list(attributes["x"]), [0, length / n])
        self.assertGreater(a.std(), 0.05)
        self.assertLess(abs(a - 1).max(), 0.201)
        p = 2 * np.pi / length * np.fft.fftfreq(n, 1 / n)
        laplacian = np.fft.ifft2(-(p[:, None] ** 2 + p ** 2) * np.fft.fft2(u))
        place = length * (np.arange(n) / n - 0.5)
        f = -np.exp(-(place[:, None] ** 2 + place ** 2) / (2 * 0.05 ** 2)) / (2 * np.pi * 0.05 ** 2)
        residual = laplacian + k ** 2 * (1 + 1j * eta) * a * u - f
        self.assertLess(np.linalg.norm(residual[0]), 2e-10 * np.linalg.norm(f))
        self.assertLess(np.linalg.norm(residual), 5 * 2e-10 * np.linalg.norm(f))

    def test_spectrum(self):
        """Most of the energy lies in shells near k L / 2 pi = 12.7, so a network with 8 modes from the middle misses it."""
        _, u, _ = self.make("--n_samples", 8, "--resolution", 64)
        power = (abs(np.fft.fft2(u)) ** 2).mean(0)
        k = np.fft.fftfreq(64, 1 / 64)
        shell = np.hypot(k[:, None], k)
        near = power[(shell > 9) & (shell < 17)].sum() / power.sum()
        low = power[(abs(k[:, None]) <= 8) & (abs(k) <= 8)].sum() / power.sum()
        self.assertGreater(near, 0.8)
        self.assertLess(low, 0.25)

    def test_restriction(self):
        """The coarse file has the fine one's modes; a finer solver gives the same wave."""
        words = ("--n_samples", 2, "--k", 40, "--tolerance", 1e-10)
        a, u, _ = self.make(*words, "--resolution", 96, "--solve_resolution", 96)
        for resolution, solve, tolerance in ((32, 96, 1e-10), (32, 128, 1e-3)):
            b, v, _ = self.make(*words, "--resolution", resolution, "--solve_resolution", solve)
            for fine, coarse in ((a, b), (u, v)):
                for i in range(2):
                    m, n = np.fft.fft2(fine[i]) / 96 ** 2, np.fft.fft2(coarse[i]) / resolution ** 2
                    error = abs(m[:16, :16] - n[:16, :16]).max() / abs(m).max()
                    self.assertLess(error, tolerance)

    def test_trains(self):
        self.make("--n_samples", 12, "--resolution", 16, "--k", 20)
        (self.folder / "config.yaml").write_text(CONFIG)
        self.mpno("train", "config.yaml", "--quiet", "data.train=a.h5", "data.test=a.h5")

    def test_refusals(self):
        for words, fragments in ((("--k", 0), ["k", "0"]), (("--contrast", 1), ["contrast"]),
                                 (("--absorption", 0), ["absorption"]), (("--alpha", 1), ["alpha"]),
                                 (("--solve_resolution", 8), ["solve_resolution", "8", "16"]),
                                 (("--solve_resolution", 32), ["solve_resolution", "waves"]),
                                 (("--layout", "pdebench"), ["layout", "PDEBench"]),
                                 (("--resolution", "8,8,8"), ["resolution", "3"]), (("--tau", 1e200), ["sigma"])):
            result = self.mpno("generate", "helmholtz", "-q", "--n_samples", 1, "--resolution", 16, "-o", "b.h5", *words,
                               status=USAGE)
            self.assert_error(result, *fragments)
            self.assertFalse((self.folder / "b.h5").exists())
        result = self.mpno("generate", "helmholtz", "-q", "--n_samples", 1, "--resolution", 16, "-o", "b.h5",
                           "--max_iterations", 10, status=NUMERIC)
        self.assert_error(result, "helmholtz, sample 0", "residual", "max_iterations")


if __name__ == "__main__":
    unittest.main()
