# SPDX-License-Identifier: MIT
"""mpno generate advection: exact whatever the time, and initial values as the recipe says."""
import unittest

from support import CONFIG, Case

try:
    import h5py
    import numpy as np
except ImportError:
    h5py = None

USAGE = 2


@unittest.skipIf(h5py is None, "needs h5py and numpy")
class Advection(Case):
    """The file against what the equation says."""

    def make(self, *words):
        path = self.folder / "a.h5"
        path.unlink(missing_ok=True)
        self.mpno("generate", "advection", "-q", "-o", path, "--format", "f64", *words)
        with h5py.File(path) as file:
            y = file["y"]
            t = y.attrs["t"][0] + y.attrs["t"][1] * np.arange(y.shape[1]) if "t" in y.attrs else None
            return file["x"][:], y[:], t

    def test_sums_of_sines_move(self):
        """Turned in the spectrum, which holds such a sum exactly: to 1e-12."""
        for beta, length in ((0.1, 1), (-1.7, 1), (7, 2.5)):
            x, y, t = self.make("--n_samples", 50, "--resolution", 64, "--beta", beta, "--length", length, "--absolute", 0,
                                "--window", 0, "--snapshots", 7)
            k = 2j * np.pi * np.arange(33) / length
            wanted = np.fft.irfft(np.fft.rfft(x)[:, None] * np.exp(-beta * k * t[:, None]), n=64)
            self.assertAlmostEqual(t[-1], 2)
            self.assertLess(abs(y - wanted).max(), 1e-12)

    def test_all_samples_move(self):
        """By whole grid points, also those with kinks and windows."""
        x, y, t = self.make("--n_samples", 60, "--resolution", 50, "--beta", 0.25, "--final_time", 8, "--snapshots", 100,
                            "--absolute", 0.5, "--window", 0.5)
        self.assertGreater((x.min(1) >= 0).sum() + (x.max(1) <= 0).sum(), 10)
        for i, now in enumerate(t):
            self.assertLess(abs(y[:, i] - np.roll(x, round(0.25 * now * 50), 1)).max(), 1e-12)

    def test_initial_values(self):
        """Two sines of 1 to 8 periods; amplitudes uniform in [0, 1]: mean squares of 1/3 each, within 4 standard errors."""
        x, _, _ = self.make("--n_samples", 4000, "--resolution", 32, "--absolute", 0, "--window", 0)
        a = 2 * abs(np.fft.rfft(x)) / 32
        self.assertLess(a[:, [0, *range(9, 17)]].max(), 1e-12)
        self.assertLessEqual((a > 1e-9).sum(1).max(), 2)
        self.assertGreater((a > 1e-9).sum(0)[1:9].min(), 4000 * 2 / 8 * 0.8)
        power = (x ** 2).mean(1)
        self.assertLess(abs(power.mean() - 1 / 3), 4 * power.std() / 4000 ** 0.5)

    def test_shares(self):
        """A tenth of the samples is an absolute value, a tenth is cut by a window, within 4 standard errors."""
        n = 2000
        plain, _, _ = self.make("--n_samples", n, "--resolution", 64, "--absolute", 0, "--window", 0)
        error = 4 * (0.1 * 0.9 / n) ** 0.5
        for words in (("--absolute", 0), ("--window", 0)):
            x, _, _ = self.make("--n_samples", n, "--resolution", 64, *words)
            self.assertLess(abs((abs(x - plain).max(1) > 1e-6).mean() - 0.1), error + 0.01)

    def test_trains_and_refuses(self):
        self.mpno("generate", "advection", "-q", "--n_samples", 12, "--resolution", 16, "-o", "a.h5")
        (self.folder / "config.yaml").write_text(CONFIG.replace("[4, 4]", "[4]"))
        self.mpno("train", "config.yaml", "--quiet", "data.train=a.h5", "data.test=a.h5")
        for words, fragments in ((("--beta", "1e9"), ["beta", "box"]), (("--waves", 65), ["waves", "64"]),
                                 (("--window", 2), ["window", "2"]), (("--resolution", "8,8"), ["resolution", "2"])):
            result = self.mpno("generate", "advection", "-q", "--n_samples", 1, "--resolution", 8, "-o", "b.h5", *words,
                               status=USAGE)
            self.assert_error(result, *fragments)


if __name__ == "__main__":
    unittest.main()
