# SPDX-License-Identifier: MIT
"""mpno generate: what is in the file, read by h5py; kills, stops and full disks; the same bytes whatever happened."""
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

FAILURE, USAGE = 1, 2
DARCY = ("generate", "darcy", "--n_samples", 40, "--resolution", 48, "--seed", 7, "-q")


@unittest.skipIf(h5py is None, "needs h5py and numpy")
class Content(Case):
    """The file against what the command line asked for."""

    def make(self, name, *words):
        self.mpno("generate", "darcy", "-o", name, "-q", *words)
        return h5py.File(self.folder / name)

    def test_layout(self):
        with self.make("a.h5", "--n_samples", 3, "--resolution", 12, "--low", 1.5) as file:
            self.assertEqual(sorted(file), ["completed", "x", "y"])
            self.assertEqual(file["completed"][()], 3)
            self.assertEqual(file["x"].shape, (3, 12, 12))
            self.assertEqual(file["y"].dtype, np.float32)
            self.assertEqual(set(np.unique(file["x"])), {1.5, 12.0})
            wanted = {"equation": b"darcy", "n_samples": 3, "seed": 0, "alpha": 2.0, "tau": 3.0,
                      "sigma": 3.0, "boundary": b"neumann", "high": 12.0, "low": 1.5,
                      "forcing": 1.0, "tolerance": 1e-8, "ndim": 2, "threshold": 0.0}
            for name, value in wanted.items():
                self.assertEqual(file.attrs[name], value, name)
            self.assertEqual(list(file.attrs["resolution"]), [12, 12])
            self.assertIn(b"far boundary excluded", file.attrs["grid"])
            self.assertEqual(file["y"].attrs["axes"], b"sample x y")
            self.assertEqual(list(file["y"].attrs["x"]), [0, 1 / 12])

    def test_solution(self):
        """Row and column 0 lie on the boundary; inside the equation holds where a is constant."""
        with self.make("a.h5", "--n_samples", 8, "--resolution", 32, "--format", "f64",
                       "--tolerance", "1e-11", "--forcing", 2) as file:
            x, y = file["x"][:], file["y"][:]
        self.assertEqual(abs(y[:, 0]).max() + abs(y[:, :, 0]).max(), 0)
        self.assertGreater(y[:, 1:, 1:].min(), 0)
        a = x[:, 1:-1, 1:-1]
        plain = np.ones(a.shape, bool)
        for part in (x[:, 2:, 1:-1], x[:, :-2, 1:-1], x[:, 1:-1, 2:], x[:, 1:-1, :-2]):
            plain &= part == a
        laplacian = 32 ** 2 * (4 * y[:, 1:-1, 1:-1] - y[:, 2:, 1:-1] - y[:, :-2, 1:-1]
                               - y[:, 1:-1, 2:] - y[:, 1:-1, :-2])
        self.assertGreater(plain.mean(), 0.5)
        self.assertLess(abs(a * laplacian - 2)[plain].max(), 1e-6)

    def test_restriction(self):
        """Every fourth node of a finer file, exactly; in the phase as bytes."""
        with self.make("a.h5", "--n_samples", 3, "--resolution", 64) as fine, \
                self.make("b.h5", "--n_samples", 3, "--resolution", 16, "--solve_resolution",
                          64) as coarse, \
                self.make("c.h5", "--n_samples", 2, "--resolution", 16, "--solve_resolution", 64,
                          "--x", "phase") as phase:
            for key in "xy":
                self.assertTrue((fine[key][:, ::4, ::4] == coarse[key][:]).all())
            self.assertEqual(phase["x"].dtype, np.uint8)
            self.assertTrue((phase["x"][:] == (coarse["x"][:2] == 12)).all())
            self.assertTrue((phase["y"][:] == coarse["y"][:2]).all())

    def test_dimensions_and_fields(self):
        with self.make("a.h5", "--n_samples", 2, "--resolution", "8,9,10", "--ndim", 3) as file:
            self.assertEqual(file["y"].shape, (2, 8, 9, 10))
            self.assertGreater(file["y"][:, 1:, 1:, 1:].min(), 0)
        with self.make("b.h5", "--n_samples", 2, "--resolution", 15, "--ndim", 1) as file:
            self.assertEqual(file["y"].shape, (2, 15))
        seen = set()
        for boundary in ("neumann", "dirichlet", "periodic"):
            with self.make(f"{boundary}.h5", "--n_samples", 2, "--resolution", 17, "--boundary",
                           boundary) as file:
                seen.add(file["x"][:].tobytes())
        self.assertEqual(len(seen), 3)

    def test_trains(self):
        self.make("a.h5", "--n_samples", 12, "--resolution", 8).close()
        (self.folder / "config.yaml").write_text(CONFIG)
        self.mpno("train", "config.yaml", "--quiet", "data.train=a.h5", "data.test=a.h5")


class SameBytes(Case):
    """Whatever happened, the bytes are those of one quiet run."""

    def setUp(self):
        super().setUp()
        self.mpno(*DARCY, "-o", "whole.h5")
        self.whole = (self.folder / "whole.h5").read_bytes()

    def check(self, name):
        self.assertEqual((self.folder / name).read_bytes(), self.whole)

    def test_threads(self):
        for threads in (1, 3):
            self.mpno(*DARCY, "-o", f"{threads}.h5", "--threads", threads)
            self.check(f"{threads}.h5")

    def test_kills(self):
        """Killed at random times, then resumed until nothing is left to do."""
        rng = random.Random(1)
        words = [str(PROGRAM), *map(str, DARCY), "--resume", "-o", "killed.h5"]
        partly = 0
        for _ in range(12):
            with subprocess.Popen(words, cwd=self.folder) as process:
                time.sleep(rng.uniform(0.01, 0.25))
                process.send_signal(signal.SIGKILL)
                process.wait(TIMEOUT)
            path = self.folder / "killed.h5"
            if path.exists() and h5py is not None:
                with h5py.File(path) as file:
                    done = file["completed"][()]
                    partly += 0 < done < 40
                    self.assertTrue((file["y"][:done].max(axis=(1, 2)) > 0).all())
            if rng.random() < 0.3 and path.exists() and path.read_bytes() == self.whole:
                path.unlink()
        self.mpno(*DARCY, "--resume", "-o", "killed.h5")
        self.check("killed.h5")

    def test_resume_from_every_count(self):
        """A file whose count says k, with rubbish behind: as a kill between data and count leaves it."""
        count = (40).to_bytes(8, "little")
        places = [i for i in range(0, len(self.whole) - 7, 8) if self.whole[i:i + 8] == count]
        for done in (0, 1, 39):
            data = bytearray(self.whole)
            offset = self.find_count(places)
            data[offset:offset + 8] = done.to_bytes(8, "little")
            (self.folder / "part.h5").write_bytes(data)
            self.mpno("generate", "darcy", "-q", "--resume", "-o", "part.h5")
            self.check("part.h5")

    def find_count(self, places):
        """The place of `completed`: the one that makes the program say so when it is out of range."""
        for offset in places:
            data = bytearray(self.whole)
            data[offset:offset + 8] = (41).to_bytes(8, "little")
            (self.folder / "find.h5").write_bytes(data)
            result = self.run_any("generate", "darcy", "-q", "--resume", "-o", "find.h5")
            if "completed is 41" in result.stderr.decode():
                return offset
        self.fail("no count found")
        return None

    def run_any(self, *words):
        return subprocess.run([str(PROGRAM), *words], cwd=self.folder, check=False,
                              stderr=subprocess.PIPE, timeout=TIMEOUT)

    def test_nothing_left(self):
        result = self.mpno("generate", "darcy", "--resume", "-o", "whole.h5")
        self.assertIn("nothing is left to do", result.out)
        self.check("whole.h5")

    def test_other_parameters(self):
        for words, fragments in ((("--seed", 8), ["seed", "7", "8"]),
                                 (("--n_samples", 50), ["n_samples", "40", "50"]),
                                 (("--resolution", 49), ["resolution"]),
                                 (("--tau", 4), ["tau"])):
            result = self.mpno("generate", "darcy", "--resume", "-o", "whole.h5", *words,
                               status=USAGE)
            self.assert_error(result, "was begun with", *fragments)
            self.check("whole.h5")

    def test_cut_file(self):
        for keep in (0, 100, len(self.whole) // 2, len(self.whole) - 1):
            (self.folder / "cut.h5").write_bytes(self.whole[:keep])
            result = self.mpno("generate", "darcy", "--resume", "-o", "cut.h5", status=FAILURE)
            self.assert_error(result, "cut.h5")

    def test_full_disk(self):
        disk = self.folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)],
                                 check=False, stderr=subprocess.DEVNULL)
        if mounted.returncode != 0:
            self.skipTest("only root can mount a small disk")
        try:
            result = self.mpno(*DARCY, "-o", "disk/new.h5", status=FAILURE)
            self.assert_error(result, "disk/new.h5", "space")
            self.assertEqual(list(disk.iterdir()), [])
        finally:
            subprocess.run(["umount", str(disk)], check=True)

    def test_stop(self):
        """Ctrl-C ends a round; --resume goes on."""
        with subprocess.Popen([str(PROGRAM), "generate", "darcy", "--n_samples", "4000",
                               "--resolution", "48", "--seed", "7", "-q", "-o", "stop.h5"],
                              cwd=self.folder, stderr=subprocess.PIPE) as process:
            while not (self.folder / "stop.h5").exists():
                time.sleep(0.01)
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            text = process.communicate(timeout=TIMEOUT)[1].decode()
        self.assertEqual(process.returncode, 130, text)
        self.assertIn("--resume", text)

    def test_help(self):
        text = self.mpno("generate", "darcy", "--help").out
        for name in ("n_samples", "resolution", "seed", "alpha", "tau", "threshold", "high", "low",
                     "forcing", "solve_resolution", "tolerance", "boundary"):
            self.assertIn(f"\n    {name}: ", text)
        self.assertIn("    darcy ", self.mpno("generate", "--help").out)


if __name__ == "__main__":
    unittest.main()
