# SPDX-License-Identifier: MIT
"""Normalisers of each channel and of each pixel: what a run keeps of them, and where it may be used."""
import unittest

from support import Case, make_data, make_project, rewrite_header

RUN = ("data.encode_input=true", "data.test=[test8.pt]", "report.html=false",
       "report.tensorboard=false")


class Encoding(Case):
    """Short runs on the project's data."""

    def setUp(self):
        super().setUp()
        make_project(self.folder)

    def train(self, encoding, *words):
        self.mpno("train", "config.yaml", f"data.encoding={encoding}", *RUN, *words)

    def tensors(self, name):
        listed = self.mpno("info", name, "--json").json()["tensors"]
        return {t["name"]: t["shape"] for t in listed if t["name"].startswith("normalizer.")}

    def test_one_channel_is_the_scalar(self):
        """Of one channel the statistics are the same up to rounding; no tensors are kept for a scalar."""
        self.train("scalar", "output=a")
        self.train("channel-wise", "output=b")
        a, b = (self.mpno("eval", name, "--json").json()["test"]["8"]["l2"] for name in "ab")
        self.assertLess(abs(a / b - 1), 1e-4)
        self.assertEqual(self.tensors("a"), {})
        self.assertEqual(self.tensors("b"), {f"normalizer.{key}.{part}": [1] for key in "xy"
                                             for part in ("mean", "std")})

    def test_channels_on_any_grid(self):
        for name, grid in ("train", 8), ("test8", 8), ("test16", 16):
            make_data(self.folder / f"{name}.pt", samples=8, grid=grid, channels=2)
        self.train("channel-wise", "data.test=[test8.pt, test16.pt]")
        self.assertEqual(self.tensors("run")["normalizer.y.mean"], [2])
        self.mpno("predict", "run", "test16.pt", "-o", "p.safetensors")
        found = self.mpno("eval", "run", "data.test=[test16.pt]", "--json").json()
        self.assertLess(found["test"]["16"]["l2"], 1)

    def test_pixels_on_their_own_grid(self):
        self.train("pixel-wise")
        self.assertEqual(self.tensors("run")["normalizer.x.std"], [8, 8, 1])
        first = self.mpno("eval", "run", "--json").json()
        self.assertLess(first["test"]["8"]["l2"], 1)
        for words in ("eval", "run", "data.test=[test16.pt]"), ("predict", "run", "test16.pt", "-o", "p.npy"):
            self.assert_error(self.mpno(*words, status=1), "test16.pt", "(8, 8)", "(16, 16)")

    def test_resumed_runs_are_the_same(self):
        for encoding in "channel-wise", "pixel-wise":
            self.train(encoding, f"output=whole-{encoding}", "opt.n_epochs=4", "opt.t_max=4")
            self.train(encoding, f"output=parts-{encoding}", "opt.n_epochs=2", "opt.t_max=4")
            self.train(encoding, f"output=parts-{encoding}", "opt.n_epochs=4", "opt.t_max=4",
                       "--resume")
            whole, parts = (self.folder / f"{name}-{encoding}/last.safetensors" for name in ("whole", "parts"))
            self.assertEqual(whole.read_bytes(), parts.read_bytes())

    def test_damaged_statistics(self):
        """A checkpoint whose tensors are not what its configuration says."""
        def rename(header):
            header["normalizer.y.mode"] = header.pop("normalizer.y.std")

        def reshape(header):
            header["normalizer.x.mean"]["shape"] = [64, 1]

        def differ(header):
            header["normalizer.y.mean"]["shape"] = [4, 16, 1]
        self.train("pixel-wise")
        path = self.folder / "run/last.safetensors"
        whole = path.read_bytes()
        for change, fragments in ((rename, ["no tensor normalizer.y.std", "pixel-wise"]),
                                  (reshape, ["normalizer.x.mean", "2 axes and 1 channels"]),
                                  (differ, ["normalizer.y.mean and .std differ"])):
            path.write_bytes(whole)
            rewrite_header(path, change)
            self.assert_error(self.mpno("eval", "run", status=1), "last.safetensors", *fragments)
        path.write_bytes(whole)
        rewrite_header(path, lambda header: None)
        self.mpno("eval", "run")


if __name__ == "__main__":
    unittest.main()
