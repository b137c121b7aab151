# SPDX-License-Identifier: MIT
"""`mpno eval`: every error and every spectrum against numpy, from predictions that `mpno predict` wrote."""
import csv
import math
import unittest

import numpy as np

from support import Case

NAMES = ["l1", "l2", "linf", "h1", "h1_spectral", "mse", "rmse", "nrmse", "crmse", "max", "brmse", "frmse_low",
         "frmse_middle", "frmse_high"]
EPS = 1e-8


def axes_of(field):
    return tuple(range(1, field.ndim))


def slopes(u, axis):
    """Central differences on the periodic unit interval; axis 0 is the sample."""
    n = u.shape[axis]
    return (np.roll(u, -1, axis) - np.roll(u, 1, axis)) * n / 2


def waves(shape):
    """Integer wave vectors of fftn, [d][k1, k2, ..]."""
    return np.meshgrid(*[np.fft.fftfreq(n) * n for n in shape], indexing="ij")


def sobolev(u):
    k2 = sum((2 * np.pi * k) ** 2 for k in waves(u.shape[1:]))
    return np.sum((1 + k2) * np.abs(np.fft.fftn(u, axes=axes_of(u)) / u[0].size) ** 2, axis=axes_of(u))


def frmse(e):
    """Bands of wave numbers below 4, below 12 and above, as PDEBench's metric_func defines them for one channel."""
    grid = e.shape[1:]
    if len(grid) == 1:
        shells = np.sqrt(np.mean(np.abs(np.fft.rfft(e, axis=1)) ** 2, axis=0)) / grid[0]
    else:
        power = np.abs(np.fft.fftn(e, axes=axes_of(e))) ** 2
        sums = np.zeros((len(e), min(n // 2 for n in grid)))
        for k in np.ndindex(*[n // 2 for n in grid]):
            shell = math.floor(math.sqrt(sum(i * i for i in k)))
            if shell < sums.shape[1]:
                sums[:, shell] += power[(slice(None), *k)]
        shells = np.sqrt(np.mean(sums, axis=0)) / np.prod(grid)
    return [np.mean(part) if len(part) else None for part in (shells[:4], shells[4:12], shells[12:])]


def boundary(e):
    faces = [np.take(e, i, axis) ** 2 for axis in axes_of(e) for i in (0, -1)]
    points = sum(face[0].size for face in faces)
    return np.sqrt(sum(face.reshape(len(e), -1).sum(1) for face in faces) / points)


def errors(p, y):
    """One channel: [sample, grid..] in f64."""
    e, axes = p - y, axes_of(y)
    norm = lambda u: np.sqrt(np.sum(u * u, axis=axes))
    h1 = lambda u: np.sqrt(sum(np.sum(v * v, axis=axes) for v in [u, *[slopes(u, a) for a in axes]]))
    rmse = np.sqrt(np.mean(e * e, axis=axes))
    values = [np.abs(e).sum(axes) / (np.abs(y).sum(axes) + EPS), norm(e) / (norm(y) + EPS),
              np.abs(e).max(axes) / (np.abs(y).max(axes) + EPS), h1(e) / (h1(y) + EPS),
              np.sqrt(sobolev(e)) / (np.sqrt(sobolev(y)) + EPS), np.mean(e * e, axis=axes), rmse,
              rmse / np.sqrt(np.mean(y * y, axis=axes))]
    means = [np.mean(v) for v in values]
    means += [np.sqrt(np.mean(np.mean(e, axis=axes) ** 2)), np.abs(e).max(), np.mean(boundary(e)), *frmse(e)]
    return dict(zip(NAMES, means))


def spectrum(u):
    """Mean over the samples of the power in shells of the rounded wave number."""
    shell = np.rint(np.sqrt(sum(k * k for k in waves(u.shape[1:])))).astype(int)
    power = np.mean(np.abs(np.fft.fftn(u, axes=axes_of(u)) / u[0].size) ** 2, axis=0)
    return np.bincount(shell.ravel(), power.ravel())


class Metrics(Case):
    """A network of one epoch on random smooth fields, of 1 to 3 dimensions."""

    def close(self, found, expected, what):
        if expected is None:
            self.assertIsNone(found, what)
        else:
            self.assertLess(abs(found - expected), 1e-5 * abs(expected) + 1e-9, what)

    def setting(self, grid, channels, samples=5):
        rng = np.random.default_rng(len(grid))
        x = rng.standard_normal((samples, channels, *grid)).astype(np.float32)
        y = sum(np.roll(x, i, -1) for i in range(3)).astype(np.float32) + np.float32(0.5)
        np.savez(self.folder / "d.npz", x=x, y=y)
        (self.folder / "c.yaml").write_text(
            f"model: {{n_modes: {[4] * len(grid)}, hidden_channels: 6, n_layers: 1}}\n"
            "data: {train: d.npz, test: [d.npz], batch_size: 2, test_batch_size: 3}\n"
            "opt: {n_epochs: 1}\noutput: run\nreport: {tensorboard: false, html: false}\n")
        self.mpno("train", "c.yaml", "--quiet")
        self.mpno("predict", "run", "d.npz", "-o", "p.npy", "--quiet")
        return np.load(self.folder / "p.npy").astype(float), y.astype(float)

    def rows(self, name):
        with open(self.folder / name, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def check(self, grid, channels):
        p, y = self.setting(grid, channels)
        self.assertEqual(p.shape, y.shape)
        found = self.mpno("eval", "run", "--csv", "e.csv", "--json").json()
        (key, test), = found["test"].items()
        each = [errors(p[:, c], y[:, c]) for c in range(channels)]
        for name in NAMES:
            values = [one[name] for one in each]
            self.close(test[name], None if None in values else np.mean(values), f"{grid} {name}")
            for c in range(channels if channels > 1 else 0):
                self.close(test["channels"][c][name], values[c], f"{grid} {name} of channel {c}")
        for field, of in (("truth", y), ("prediction", p), ("error", p - y)):
            powers = [spectrum(of[:, c]) for c in range(channels)]
            for k, value in enumerate(test["spectrum"][field]):
                self.close(value, np.mean([power[k] for power in powers]), f"{grid} {field} in shell {k}")
            self.assertEqual(len(test["spectrum"][field]), len(powers[0]))
        self.check_csv(key, test, channels)

    def check_csv(self, key, test, channels):
        rows = self.rows("e.csv")
        self.assertEqual([row["channel"] for row in rows],
                         ["all"] + [str(c) for c in range(channels if channels > 1 else 0)])
        for row, values in zip(rows, [test, *test.get("channels", [])]):
            self.assertEqual((row["test"], row["step"], row["samples"]), (key, "all", "5"))
            for name in NAMES:
                self.assertEqual(row[name] and float(row[name]), "" if values[name] is None else values[name])
        shells = [row for row in self.rows("e_spectra.csv") if row["channel"] == "all"]
        for field in ("truth", "prediction", "error"):
            self.assertEqual([float(row[field]) for row in shells], test["spectrum"][field])

    def test_line(self):
        self.check((30,), 2)

    def test_plane(self):
        self.check((26, 33), 1)

    def test_space(self):
        self.check((8, 10, 9), 2)

    def test_threads_and_table(self):
        self.setting((16, 16), 9)
        one, two = [self.mpno("eval", "run", "--threads", n, "--json").json()["test"] for n in (1, 2)]
        self.assertEqual(one, two)
        text = self.mpno("eval", "run", "--table").out
        for word in ("relative Linf", "fRMSE middle", "channel 7"):
            self.assertIn(word, text)
        self.assertNotIn("channel 8", text)
        self.assertIn(f"{one['16']['brmse']:.4g}", text)

    def test_published_errors_stand_beside_ours(self):
        self.setting((16, 16), 1)
        (self.folder / "d.npz").rename(self.folder / "2D_DarcyFlow_beta1.0_Train.npz")
        result = self.mpno("eval", "run", "data.test=[2D_DarcyFlow_beta1.0_Train.npz]", "--json")
        rows = result.json()["test"]["16"]["published"]
        self.assertEqual([(row["model"], row["rmse"], row["nrmse"]) for row in rows],
                         [("U-Net", 6.4e-3, 3.3e-2), ("FNO", 1.2e-2, 6.4e-2)])
        self.assertIn("Takamoto", rows[0]["source"])
        self.assertIn("nRMSE 0.064", result.err)

    def test_bad_names_of_tables(self):
        result = self.mpno("eval", "run", "--csv", "e.txt", status=2)
        self.assert_error(result, "e.txt", ".csv")
        self.setting((16, 16), 1)
        result = self.mpno("eval", "run", "--csv", "none/e.csv", status=1)
        self.assert_error(result, "none")


if __name__ == "__main__":
    unittest.main()
