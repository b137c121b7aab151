# SPDX-License-Identifier: MIT
"""mpno generate burgers: recipes against a solver in numpy and against neuraloperator's set, restriction, refusals."""
import unittest

from support import CONFIG, ROOT, Case

try:
    import h5py
    import numpy as np
except ImportError:
    h5py = None

USAGE, NUMERIC = 2, 1
PDEBENCH = ("--recipe", "pdebench", "--absolute", 0, "--window", 0)


def solve(u, nu, length, times, step):
    """u at the times by the classical Runge-Kutta method with an integrating factor, all modes below N/3 kept."""
    n = u.shape[-1]
    index = np.arange(n // 2 + 1)
    k, mask = 2 * np.pi / length * index, 3 * index < n
    a = np.fft.rfft(u) * mask

    def rate(b):
        return -0.5j * k * np.fft.rfft(np.fft.irfft(b, n=n) ** 2) * mask

    now, out = 0, []
    for end in times:
        steps = int(np.ceil((end - now) / step))
        h = (end - now) / steps
        half = np.exp(-nu * k ** 2 * h / 2)
        for _ in range(steps):
            k1 = rate(a)
            k2 = rate(half * (a + h / 2 * k1))
            k3 = rate(half * a + h / 2 * k2)
            k4 = rate(half ** 2 * a + h * half * k3)
            a = half ** 2 * a + h / 6 * (half ** 2 * k1 + 2 * half * (k2 + k3) + k4)
        now = end
        out.append(np.fft.irfft(a, n=n))
    return np.moveaxis(np.array(out), 0, -2)


@unittest.skipIf(h5py is None, "needs h5py and numpy")
class Content(Case):
    """The file against what the command line asked for."""

    def make(self, *words):
        path = self.folder / "a.h5"
        path.unlink(missing_ok=True)
        self.mpno("generate", "burgers", "-q", "-o", path, "--format", "f64", *words)
        with h5py.File(path) as file:
            y = file["y"]
            t = y.attrs["t"][0] + y.attrs["t"][1] * np.arange(y.shape[1]) if "t" in y.attrs else None
            return file["x"][:], y[:], t

    def check(self, found, wanted, tolerance):
        self.assertLess(abs(found - wanted).max(), tolerance * abs(wanted).max())

    def test_recipes(self):
        """Viscosities, times and equation; x holds all modes of the solver."""
        for words, nu, end in ((("--recipe", "li"), 0.1, 1), (("--recipe", "pino"), 0.01, 1), (PDEBENCH, 0.01 / np.pi, 2)):
            x, y, t = self.make(*words, "--n_samples", 3, "--resolution", 1024, "--solve_resolution", 2048, "--cfl", 0.05,
                                "--snapshots", 2)
            self.assertEqual(list(t), [end / 2, end])
            up = np.fft.irfft(2 * np.fft.rfft(x), n=2048)
            self.check(y, solve(up, nu, 1, t, 2e-4)[..., ::2], 1e-5)

    def test_length(self):
        x, y, _ = self.make("--recipe", "pino", "--n_samples", 2, "--resolution", 256, "--solve_resolution", 512,
                            "--length", 3, "--sigma", 5, "--tau", 1, "--final_time", 0.5)
        up = np.fft.irfft(2 * np.fft.rfft(x), n=512)
        self.check(y[:, None], solve(up, 0.01, 3, [0.5], 1e-3)[..., ::2], 1e-5)

    def test_is_the_population_of_neuraloperator(self):
        """The mean power of modes 1 to 4 of its 400 initial values is ours, within 4 standard errors of both."""
        theirs = np.load(ROOT / "tests/data/burgers_16.npz")["x"]
        ours, y, t = self.make("--recipe", "pino", "--n_samples", 4000, "--resolution", 16, "--solve_resolution", 64,
                               "--final_time", 0.01, "--snapshots", 1)
        power = [abs(np.fft.rfft(x)[:, 1:5] / 16) ** 2 for x in (theirs, ours)]
        error = sum(p.var(0) / len(p) for p in power) ** 0.5
        self.assertTrue((abs(power[0].mean(0) - power[1].mean(0)) < 4 * error).all())
        self.assertEqual((y.shape, t), ((4000, 16), None))

    def test_covariance(self):
        """li: 625 (25 - d_xx)^-2, mode by mode within 4 standard errors."""
        x, _, _ = self.make("--recipe", "li", "--n_samples", 4000, "--resolution", 32, "--final_time", 1e-3)
        power = abs(np.fft.rfft(x)[:, 1:16] / 32) ** 2
        wanted = 625 / ((2 * np.pi * np.arange(1, 16)) ** 2 + 25) ** 2
        self.assertTrue((abs(power.mean(0) / wanted - 1) < 4 / 4000 ** 0.5).all()) # |.|^2 is exponential
        self.assertLess(abs(x.mean(1)).max(), 1e-12)

    def test_restriction(self):
        """The coarse file has the fine one's modes, those that its grid can hold."""
        fine = self.make(*PDEBENCH, "--n_samples", 3, "--resolution", 512, "--solve_resolution", 2048)
        coarse = self.make(*PDEBENCH, "--n_samples", 3, "--resolution", 32, "--solve_resolution", 2048)
        for a, b in zip(fine[:2], coarse[:2]):
            self.check(np.fft.rfft(b)[:, :16] / 32, np.fft.rfft(a)[:, :16] / 512, 1e-12)

    def test_trains(self):
        self.make("--n_samples", 12, "--resolution", 16)
        (self.folder / "config.yaml").write_text(CONFIG.replace("[4, 4]", "[4]"))
        self.mpno("train", "config.yaml", "--quiet", "data.train=a.h5", "data.test=a.h5")

    def test_refusals(self):
        for words, fragments in ((("--nu", 0), ["nu", "0"]), (("--recipe", "hopf"), ["recipe", "hopf", "pino"]),
                                 (("--solve_resolution", 8), ["solve_resolution", "8", "16"]),
                                 (("--resolution", "16,16"), ["resolution", "2"]), (("--tau", 1e200), ["sigma"]),
                                 (("--snapshots", 0), ["snapshots", "0"]), (("--beta", 1), ["beta"])):
            result = self.mpno("generate", "burgers", "-q", "--n_samples", 1, "--resolution", 16, "-o", "b.h5", *words,
                               status=USAGE)
            self.assert_error(result, *fragments)
            self.assertFalse((self.folder / "b.h5").exists())

    def test_thin_shocks(self):
        """A shock that the grid does not hold is no sample; nor is what is not finite."""
        for words, fragments in ((("--nu", 1e-3, "--solve_resolution", 128), ["shock", "solve_resolution above 128"]),
                                 (("--sigma", 1e9, "--dt", 0.1), ["not finite", "smaller dt"])):
            result = self.mpno("generate", "burgers", "-q", "--n_samples", 2, "--resolution", 16, "-o", "b.h5", "--recipe",
                               "pino", *words, status=NUMERIC)
            self.assert_error(result, "burgers, sample", *fragments)
            self.assertFalse((self.folder / "b.h5").exists())


if __name__ == "__main__":
    unittest.main()
