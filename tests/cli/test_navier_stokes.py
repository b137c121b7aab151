# SPDX-License-Identifier: MIT
"""mpno generate navier_stokes: recipes against a solver in numpy, layout, the same bytes whatever happened, statistics."""
import json
import random
import signal
import subprocess
import time
import unittest

from support import CONFIG, PROGRAM, TIMEOUT, Case

try:
    import h5py
    import numpy as np
except ImportError:
    h5py = None

FLOW = ("generate", "navier_stokes", "-q")
SMALL = (*FLOW, "--n_samples", 21, "--resolution", 16, "--final_time", 1, "--seed", 5)
USAGE, NUMERIC = 2, 1


def solve(w, f, nu, length, times):
    """w at the times by the classical Runge-Kutta method, u.grad w on the grid, |k| < N/3 kept."""
    n = w.shape[0]
    k = np.fft.fftfreq(n, 1 / n)
    kx, ky = np.meshgrid(k, k[:n // 2 + 1], indexing="ij")
    mask = (3 * abs(kx) < n) & (3 * abs(ky) < n)
    kx, ky = 2 * np.pi / length * kx, 2 * np.pi / length * abs(ky)
    square = kx ** 2 + ky ** 2
    inverse = mask / np.where(square > 0, square, 1)
    inverse[0, 0] = 0
    back = lambda a: np.fft.irfft2(a, s=(n, n))
    forcing = np.fft.rfft2(f) * mask

    def rate(a):
        psi = a * inverse
        advection = back(1j * ky * psi) * back(1j * kx * a) - back(1j * kx * psi) * back(1j * ky * a)
        return forcing - np.fft.rfft2(advection) * mask - nu * square * a

    a = np.fft.rfft2(w) * mask
    now, out = 0, []
    for end in times:
        steps = int(np.ceil((end - now) / 4e-3))
        dt = (end - now) / steps
        for _ in range(steps):
            k1 = rate(a)
            k2 = rate(a + dt / 2 * k1)
            k3 = rate(a + dt / 2 * k2)
            k4 = rate(a + dt * k3)
            a = a + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        now = end
        out.append(back(a))
    return np.array(out)


def positions(file):
    """The coordinates that the attributes of y promise."""
    y = file["y"]
    names = y.attrs["axes"].decode().split()[1:]
    return [y.attrs[name][0] + y.attrs[name][1] * np.arange(size) for name, size in zip(names, y.shape[1:])]


@unittest.skipIf(h5py is None, "needs h5py and numpy")
class Content(Case):
    """The file against what the command line asked for."""

    def make(self, name, *words):
        self.mpno(*FLOW, "-o", name, "--format", "f64", *words)
        return h5py.File(self.folder / name)

    def close(self, found, wanted, tolerance):
        self.assertLess(abs(found - wanted).max(), tolerance * abs(wanted).max())

    def test_forcing(self):
        with self.make("a.h5", "--n_samples", 2, "--resolution", 24, "--integrator", "etdrk4", "--cfl", 0.05,
                       "--final_time", 1.5) as file:
            x, y, attributes = file["x"][:], file["y"][:], dict(file.attrs)
            self.assertEqual(file["y"].attrs["axes"], b"sample x y")
            self.assertEqual(list(file["x"].attrs["x"]), [0, 2 * np.pi / 24])
        self.assertEqual(x.shape, (2, 24, 24))
        self.assertEqual(attributes["nu"], 1 / 500)
        for key, value in json.loads(attributes["parameters"]).items():
            found = attributes[key].decode() if isinstance(value, str) else attributes[key]
            self.assertTrue(np.all(found == np.array(value)), key)
        self.assertAlmostEqual(attributes["sigma"], 27 * 2 ** 0.5)
        for f, w in zip(x, y):
            self.close(w, solve(0 * f, f, 1 / 500, 2 * np.pi, [1.5])[0], 1e-8)
        self.assertFalse((x[0] == x[1]).any())

    def test_li(self):
        with self.make("a.h5", "--recipe", "li", "--n_samples", 1, "--resolution", 24, "--integrator", "etdrk4",
                       "--cfl", 0.05, "--final_time", 3) as file:
            x, y, (t, x1, x2) = file["x"][0], file["y"][0], positions(file)
        self.assertEqual(y.shape, (3, 24, 24))
        self.assertEqual(list(t), [1, 2, 3])
        place = 2 * np.pi * (x1[:, None] + x2)
        self.close(y, solve(x, 0.1 * (np.sin(place) + np.cos(place)), 1e-3, 1, t), 1e-8)

    def test_kolmogorov(self):
        """The spin-up, too: x is what another file has at its end."""
        words = ("--recipe", "kolmogorov", "--n_samples", 1, "--resolution", 24, "--integrator", "etdrk4", "--nu", 0.1,
                 "--cfl", 0.5)
        with self.make("a.h5", *words, "--spin_up", 0.5, "--final_time", 1, "--snapshots", 4) as file:
            x, y, (t, x1, x2) = file["x"][0], file["y"][0], positions(file)
        self.assertEqual(list(t), [0.25, 0.5, 0.75, 1])
        self.close(y, solve(x, -4 * np.cos(4 * x2) + 0 * x1[:, None], 0.1, 2 * np.pi, t), 1e-7)
        with self.make("b.h5", *words, "--spin_up", 0, "--final_time", 0.5, "--snapshots", 1) as file:
            self.close(file["y"][0], x, 1e-12)

    def test_restriction(self):
        """The coarse file has the fine one's coefficients, those that its grid can hold."""
        words = ("--n_samples", 2, "--final_time", 0.5)
        with self.make("a.h5", *words, "--resolution", 32) as fine, \
                self.make("b.h5", *words, "--resolution", 16, "--solve_resolution", 32) as coarse:
            for key in "xy":
                a, b = np.fft.fft2(fine[key][:]) / 32 ** 2, np.fft.fft2(coarse[key][:]) / 16 ** 2
                k = np.r_[0:8, -7:0]
                self.close(b[:, k][:, :, k], a[:, k][:, :, k], 1e-12)
                self.assertLess(abs(b[:, 8]).max() + abs(b[:, :, 8]).max(), 1e-12)

    def test_masks_and_steps(self):
        """Other integrators and lengths of steps: the same smooth flow but for the error of second order; the circle
        holds the forcing of frequencies 11 to 15, too, which is below 1 % of all."""
        seen = []
        for words in ((), ("--integrator", "etdrk4"), ("--dt", 2e-3), ("--dealias", "circular")):
            with self.make(f"{len(seen)}.h5", "--n_samples", 2, "--resolution", 32, "--nu", 0.05, "--final_time", 0.5,
                           *words) as file:
                seen.append(file["y"][:])
        for other, tolerance in zip(seen[1:], (1e-3, 1e-3, 1e-2)):
            self.close(other, seen[0], tolerance)
            self.assertGreater(abs(other - seen[0]).max(), 0)

    def test_trains(self):
        self.mpno(*FLOW, "--n_samples", 12, "--resolution", 8, "--final_time", 0.2, "-o", "a.h5")
        (self.folder / "config.yaml").write_text(CONFIG)
        self.mpno("train", "config.yaml", "--quiet", "data.train=a.h5", "data.test=a.h5")

    def test_statistics(self):
        """Variance and spectrum of w(T) do not depend on integrator and grid, within 4 standard errors of pairs."""
        words = ("--n_samples", 24, "--resolution", 32, "--final_time", 2, "--nu", 0.02)
        with self.make("a.h5", *words) as heun, self.make("b.h5", *words, "--integrator", "etdrk4") as etd, \
                self.make("c.h5", *words, "--solve_resolution", 64, "--integrator", "etdrk4") as fine:
            files = [f["y"][:] for f in (heun, etd, fine)]
        k = np.fft.fftfreq(32, 1 / 32)
        shell = np.rint(np.hypot(k[:, None], k)).astype(int)

        def numbers(y):
            power = abs(np.fft.fft2(y) / 32 ** 2) ** 2
            shells = np.array([power[:, shell == s].sum(1) for s in range(1, 9)]).T
            return np.c_[y.mean((1, 2)), y.var((1, 2)), np.log(shells)]

        first = numbers(files[0])
        for y, bound in ((files[1], 1e-3), (files[2], 0.05)):
            change = numbers(y) - first
            self.assertLess(abs(change[:, 0]).max(), 1e-12)
            error = change.std(0) / len(change) ** 0.5
            self.assertTrue((abs(change.mean(0)) <= 4 * error + bound * first.std(0)).all(), change.mean(0))

    def test_refusals(self):
        for words, fragments in ((("--nu", 0), ["nu", "0"]),
                                 (("--integrator", "rk4"), ["integrator", "rk4", "etdrk4"]),
                                 (("--recipe", "taylor"), ["recipe", "taylor", "kolmogorov"]),
                                 (("--solve_resolution", 8), ["solve_resolution", "8", "16"]),
                                 (("--resolution", "16,16,16"), ["resolution", "2", "3"]),
                                 (("--resolution", 3), ["resolution", "3", "4"]),
                                 (("--snapshots", 0), ["snapshots", "0"]),
                                 (("--dt", -1), ["dt", "-1"]),
                                 (("--spin_up", 1), ["spin_up", "forcing"]),
                                 (("--tau", 1e200), ["sigma"]),
                                 (("--viscosity", 1), ["viscosity"])):
            result = self.mpno(*FLOW, "--n_samples", 1, "--resolution", 16, "-o", "a.h5", *words, status=USAGE)
            self.assert_error(result, *fragments)
            self.assertFalse((self.folder / "a.h5").exists())

    def test_blow_up(self):
        result = self.mpno(*FLOW, "--n_samples", 2, "--resolution", 16, "--sigma", 1e9, "--dt", 0.1, "-o", "a.h5",
                           status=NUMERIC)
        self.assert_error(result, "navier_stokes, sample 0", "not finite", "smaller dt")
        self.assertFalse((self.folder / "a.h5").exists())


@unittest.skipIf(h5py is None, "needs h5py and numpy")
class SameBytes(Case):
    """Whatever happened, the bytes are those of one quiet run; a sample is the same in any company."""

    def setUp(self):
        super().setUp()
        self.mpno(*SMALL, "-o", "whole.h5")
        self.whole = (self.folder / "whole.h5").read_bytes()

    def check(self, name):
        self.assertEqual((self.folder / name).read_bytes(), self.whole)

    def test_threads(self):
        for threads in (1, 3):
            self.mpno(*SMALL, "-o", f"{threads}.h5", "--threads", threads)
            self.check(f"{threads}.h5")

    def test_company(self):
        """The first samples of a larger set are those of a smaller one."""
        with h5py.File(self.folder / "whole.h5") as file:
            whole = {key: file[key][:] for key in "xy"}
        for n in (1, 2, 9):
            self.mpno(*SMALL, "--n_samples", n, "-o", f"{n}.h5")
            with h5py.File(self.folder / f"{n}.h5") as file:
                for key in "xy":
                    self.assertEqual(file[key][:].tobytes(), whole[key][:n].tobytes())

    def test_kills(self):
        """Killed at random times, then resumed until nothing is left to do."""
        rng = random.Random(2)
        long = (*SMALL, "--final_time", 6)
        self.mpno(*long, "-o", "long.h5")
        wanted = (self.folder / "long.h5").read_bytes()
        words = [str(PROGRAM), *map(str, long), "--resume", "-o", "killed.h5"]
        for _ in range(8):
            with subprocess.Popen(words, cwd=self.folder) as process:
                time.sleep(rng.uniform(0.01, 0.3))
                process.send_signal(signal.SIGKILL)
                process.wait(TIMEOUT)
            if not (self.folder / "killed.h5").exists():
                continue
            with h5py.File(self.folder / "killed.h5") as file:
                done = file["completed"][()]
                self.assertTrue((abs(file["y"][:done]).max(axis=(1, 2)) > 0).all())
        self.mpno(*long, "--resume", "-o", "killed.h5")
        self.assertEqual((self.folder / "killed.h5").read_bytes(), wanted)

    def test_other_parameters(self):
        for words, fragments in ((("--nu", 0.01), ["nu", "0.002", "0.01"]), (("--recipe", "li"), ["recipe"])):
            result = self.mpno(*SMALL, "--resume", "-o", "whole.h5", *words, status=USAGE)
            self.assert_error(result, "was begun with", *fragments)
            self.check("whole.h5")


if __name__ == "__main__":
    unittest.main()
