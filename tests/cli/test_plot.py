# SPDX-License-Identifier: MIT
"""`mpno plot`: pixels of known fields, animations read by a parser of our own, spectra, and requests that cannot be met."""
import unittest

import h5py
import numpy as np

from pictures import at, colours, find, read, size
from support import Case, make_project

FAILURE, USAGE = 1, 2
DARK = colours("sequential")
SIGNED = colours("diverging")


def shade(table, value, low, high):
    return table[int((value - low) / (high - low) * (len(table) - 1) + 0.5)]


class Plot(Case):
    def save(self, name, **arrays):
        np.savez(self.folder / name, **arrays)

    def draw(self, *words):
        """(width, height, bytes) of a still picture, whose size is the one that was said."""
        found = self.mpno("plot", *words, "-o", "p.png", "--json").json()
        self.assertEqual((found["frames"], found["output"]), (1, "p.png"))
        self.assertEqual((found["width"], found["height"]), size(self.folder / "p.png"))
        return found["width"], found["height"], (self.folder / "p.png").read_bytes()

    def pixels(self, *words):
        self.draw(*words)
        (frame,), delay = read(self.folder / "p.png")
        self.assertIsNone(delay)
        return frame

    def assert_map(self, frame, corner, field, table, low, high, zoom):
        """Every point of a field is a square of its colour."""
        x0, y0 = corner
        for (i, j), value in np.ndenumerate(field):
            colour = shade(table, value, low, high)
            for dx, dy in ((0, 0), (zoom - 1, 0), (0, zoom - 1), (zoom - 1, zoom - 1)):
                self.assertEqual(at(frame, x0 + j * zoom + dx, y0 + i * zoom + dy), colour, (i, j))


class Fields(Plot):
    def test_pixels_of_a_known_field(self):
        y = np.arange(16, dtype="f4").reshape(4, 4)
        self.save("a.npz", y=np.stack([y, 10 - y]))
        frame = self.pixels("a.npz", "--colormap", "sequential")
        self.assert_map(frame, find(frame, DARK[0]), y, DARK, 0, 15, 90)
        frame = self.pixels("a.npz", "--sample", "1", "--colormap", "diverging")
        # the second sample is -5 .. 10, and the scale -10 .. 10; its first point is the only one at 10
        self.assert_map(frame, find(frame, SIGNED[-1]), 10 - y, SIGNED, -10, 10, 90)

    def test_samples_have_rows_and_channels_too(self):
        self.save("a.npz", x=np.ones((3, 8, 8)), y=np.zeros((3, 2, 8, 8)))
        one, both, bare = [self.draw("a.npz", *words) for words in ([], ["--sample", "0,2"], ["--key", "y[:,0]"])]
        self.assertGreater(both[1], 1.5 * one[1])
        self.assertGreater(one[0], 1.2 * bare[0])  # no column of inputs

    def test_axes_in_any_order(self):
        y = np.random.default_rng(0).standard_normal((3, 5, 2, 4)).astype("f4")  # n x c y
        self.save("a.npz", y=np.ascontiguousarray(y.transpose(0, 2, 1, 3)))
        self.save("b.npz", y=y)
        self.save("c.npz", y=np.ascontiguousarray(y[1].transpose(0, 2, 1)))  # x y c
        frame = self.draw("a.npz", "--sample", "1", "--axes", "ncxy")
        self.assertEqual(frame, self.draw("a.npz", "--sample", "1", "--axes", "ncxy"))
        (self.folder / "b.npz").rename(self.folder / "a.npz")  # the title is the same then
        self.assertEqual(self.draw("a.npz", "--sample", "1", "--axes", "nxcy"), frame)
        self.assertEqual(self.draw("c.npz", "--axes", "xyc")[:2], frame[:2])

    def test_prediction_and_error(self):
        y = np.linspace(0, 1, 36, dtype="f4").reshape(1, 6, 6)
        p = y.copy()
        p[0, 2, 3] += 0.5
        self.save("a.npz", y=y)
        np.save(self.folder / "p.npy", p[:, None])
        frame = self.pixels("a.npz", "p.npy", "--colormap", "sequential")
        left, top = find(frame, SIGNED[len(SIGNED) // 2])  # most of the error is 0
        ends = np.all(frame == np.array(SIGNED[-1]), axis=2)
        panel = ends[top:top + 360, left:left + 360]
        self.assertEqual(np.argwhere(panel)[[0, -1]].tolist(), [[120, 180], [179, 239]])  # point 2, 3 of 6
        self.assertEqual(panel.sum(), 60 * 60)

    def test_lines_planes_and_complex_numbers(self):
        self.save("a.npz", line=np.sin(np.arange(20.0))[None], box=np.ones((1, 4, 4, 4)), one=np.arange(9.0),
                  complex=np.exp(1j * np.arange(20.0))[None])
        sizes = {key: self.draw("a.npz", "--key", key)[:2] for key in ("line", "one", "complex", "box[:,0]")}
        self.assertEqual(sizes["one"][1], sizes["line"][1])
        self.assertGreater(sizes["complex"][1], 1.4 * sizes["line"][1])  # two parts
        box = self.draw("a.npz", "--key", "box", "--axes", "nxyz")
        self.assertGreater(box[1], 1.8 * sizes["box[:,0]"][1])  # three planes

    def test_threads_do_not_matter_and_name_is_that_of_the_file(self):
        self.save("a.npz", y=np.random.default_rng(1).standard_normal((2, 9, 9)))
        self.mpno("plot", "a.npz", "--threads", "1")
        first = (self.folder / "a.png").read_bytes()
        self.mpno("plot", "a.npz", "--threads", "2", "--quiet")
        self.assertEqual((self.folder / "a.png").read_bytes(), first)

    def test_groups_and_places_of_pdebench(self):
        with h5py.File(self.folder / "g.h5", "w") as file:
            for i in range(3):
                group = file.create_group(f"{i:04d}")
                group["data"] = np.full((6, 4, 4, 2), i, "f4")
                group["grid/t"] = np.arange(6.0)
        found = self.mpno("plot", "g.h5", "--key", "*/data", "--sample", "2", "--animate", "--json").json()
        self.assertEqual((found["frames"], found["output"]), (6, "g.png"))
        with h5py.File(self.folder / "t.h5", "w") as file:
            file["tensor"] = np.random.default_rng(0).standard_normal((2, 5, 16)).astype("f4")
            file["t-coordinate"], file["x-coordinate"] = np.arange(6) * 0.5, np.arange(16) / 16
        self.assertEqual(self.mpno("plot", "t.h5", "--animate", "--json").json()["frames"], 5)
        self.draw("t.h5")  # place and time


class Animations(Plot):
    def test_every_frame_shows_its_time_on_one_scale(self):
        y = np.arange(2 * 5 * 9, dtype="f4").reshape(2, 5, 3, 3)
        with h5py.File(self.folder / "a.h5", "w") as file:
            file["y"] = y
            file["y"].attrs["axes"] = "sample t x y"
        found = self.mpno("plot", "a.h5", "--animate", "--sample", "1", "--json",
                          "--colormap", "sequential").json()
        frames, delay = read(self.folder / "a.png")
        self.assertEqual((len(frames), found["frames"], delay), (5, 5, 100))
        corner = find(frames[0], DARK[0])
        for t, frame in enumerate(frames):
            self.assert_map(frame, corner, y[1, t], DARK, 45, 89, 120)

    def test_frames_without_change_and_pillow(self):
        self.save("a.npz", y=np.zeros((1, 3, 4, 4)))
        self.mpno("plot", "a.npz", "--animate", "--axes", "ntxy")
        frames, _ = read(self.folder / "a.png")
        self.assertEqual(len(frames), 3)  # only the label under the picture changes
        self.assertTrue((frames[0][:200] == frames[2][:200]).all())
        self.assertFalse((frames[0] == frames[1]).all())
        try:
            from PIL import Image  # where it is installed: a second opinion
        except ImportError:
            return
        with Image.open(self.folder / "a.png") as image:
            self.assertEqual(image.n_frames, 3)
            image.seek(2)
            self.assertEqual(image.convert("RGB").tobytes(), frames[2].tobytes())


class Models(Plot):
    def test_samples_spectra_and_overrides(self):
        make_project(self.folder)
        self.mpno("train", "config.yaml", "opt.n_epochs=1", "--quiet")
        frame = self.draw("run", "--sample", "0:2")
        self.assertEqual(self.draw("run/last.safetensors", "--sample", "0:2"), frame)
        other = self.draw("run", "--sample", "0:2", "data.test=[test16.pt]")
        self.assertNotEqual(other, frame)
        self.assertNotEqual(self.draw("run", "--sample", "0:2", "report.output_unit=Pa"), frame)
        all_samples = self.draw("run", "--spectrum")
        self.assertNotEqual(self.draw("run", "--spectrum", "--sample", "1"), all_samples)
        for words in (["test8.pt"], ["--key", "y"], ["--axes", "nxy"]):
            self.assert_error(self.mpno("plot", "run", *words, status=USAGE), "trained model", "data.test")
        self.assert_error(self.mpno("plot", "run", "--animate", status=USAGE), "trained model", "--rollout")
        self.assert_error(self.mpno("plot", "run", "--rollout", "2", status=USAGE), "not trained on trajectories")
        self.assert_error(self.mpno("plot", "test8.pt", "--rollout", "2", status=USAGE), "test8.pt is a data file")


class Mistakes(Plot):
    def setUp(self):
        super().setUp()
        self.save("a.npz", x=np.zeros((3, 8)), y=np.zeros((3, 8, 8)), s=np.zeros(()))
        self.save("b.npz", u=np.zeros((3, 8)), v=np.zeros((3, 8)))

    def check(self, *words, status=USAGE, names=()):
        before = sorted(self.folder.iterdir())
        self.assert_error(self.mpno("plot", *words, status=status), *names)
        self.assertEqual(sorted(self.folder.iterdir()), before)

    def test_requests(self):
        self.check("none.npz", status=FAILURE, names=("none.npz",))
        self.check("a.npz", "-o", "a.jpg", names=("a.jpg", ".png"))
        self.check("a.npz", "--colormap", "jet", names=("jet", "diverging"))
        self.check("a.npz", "--spectrum", "--animate", names=("--spectrum",))
        self.check("b.npz", names=("u, v", "--key"))
        self.check("b.npz", "--key", "w", status=FAILURE, names=("b.npz", "'w'"))
        self.check("a.npz", "--key", "s", status=FAILURE, names=("'s'", "()"))
        for samples in ("3", "-1", "a", "0,", "2:1", "0:9", "1:"):
            self.check("a.npz", f"--sample={samples}", names=(samples, "0 to 2"))
        for axes in ("nxx", "nx", "abc", "nc"):
            self.check("a.npz", "--axes", axes, names=("(3, 8, 8)", axes))
        self.check("a.npz", "--animate", "--axes", "nxy", names=("no axis of time",))
        self.check("a.npz", "opt.n_epochs=3", names=("opt.n_epochs", "data file"))

    def test_predictions_that_do_not_fit(self):
        np.save(self.folder / "p.npy", np.zeros((3, 1, 8, 7)))
        self.check("a.npz", "p.npy", status=FAILURE, names=("(3, 1, 8, 7)", "(3, 8, 8)", "a.npz"))
        np.save(self.folder / "q.npy", np.zeros((2, 8, 8)))
        self.check("a.npz", "q.npy", status=FAILURE, names=("q.npy", "samples"))

    def test_values_that_are_not_finite_are_grey(self):
        y = np.zeros((1, 4, 4))
        y[0, 1, 2] = np.nan
        y[0, 0, 0] = 1
        self.save("n.npz", y=y)
        frame = self.pixels("n.npz", "--colormap", "sequential")
        x0, y0 = find(frame, DARK[-1])
        self.assertEqual(at(frame, x0 + 2 * 90 + 3, y0 + 90 + 3), (128, 128, 128))
        self.save("c.npz", y=np.zeros((1, 3, 4, 4), complex))
        self.check("c.npz", names=("complex", "y[:,0]"))


if __name__ == "__main__":
    unittest.main()
