# SPDX-License-Identifier: MIT
"""mpno generate --layout pdebench: files read as PDEBench's own are, by what is known of those (Takamoto et al. 2022)."""
import re
import unittest

from support import CONFIG, Case

try:
    import h5py
    import numpy as np
except ImportError:
    h5py = None

USAGE = 2


def read(path):
    """Fields [sample, t, x(, y), channel], coordinates {axis: places} and the names of all root keys of a file.

    Files of one array: `tensor` [sample, t, x(, y)], `x-coordinate`, .., and `t-coordinate` with one value more than the
    data. Files of groups: every root key is a sample, its `data` is [t, x(, y), channel], its `grid` has an array for
    each axis, its attribute `config` is YAML. All numbers are little-endian float32."""
    with h5py.File(path) as file:
        keys = sorted(file)
        if "tensor" in file:
            fields = file["tensor"][:][..., None]
            axes = [key.removesuffix("-coordinate") for key in keys if key.endswith("-coordinate")]
            places = {axis: file[f"{axis}-coordinate"][:] for axis in axes}
            assert len(places["t"]) == fields.shape[1] + 1
            places["t"] = places["t"][:-1]
        else:
            assert all(re.fullmatch(r"\d{4,}", key) for key in keys), keys
            fields = np.array([file[key]["data"][:] for key in keys])
            places = {axis: file[keys[0]][f"grid/{axis}"][:] for axis in file[keys[0]]["grid"]}
            for key in keys:
                assert re.search(r"^seed: \d+$", file[key].attrs["config"].decode(), re.M)
                assert all((file[key][f"grid/{axis}"][:] == places[axis]).all() for axis in places)
        assert fields.dtype == np.dtype("<f4") and all(p.dtype == np.dtype("<f4") for p in places.values())
        for axis, size in zip("txyz", fields.shape[1:-1]):
            assert places.pop(axis).shape == (size,), axis
        assert not places
    return fields, keys


def places(path, axis):
    """Coordinates of an axis, of a file of either kind."""
    with h5py.File(path) as file:
        return file[f"{axis}-coordinate"][:] if "tensor" in file else file["0000"][f"grid/{axis}"][:]


@unittest.skipIf(h5py is None, "needs h5py and numpy")
class Layout(Case):
    """The same samples in both layouts."""

    def both(self, equation, *words):
        for layout in ("mpno", "pdebench"):
            self.mpno("generate", equation, "-q", "-o", f"{layout}.h5", "--layout", layout, *words)
        with h5py.File(self.folder / "mpno.h5") as file:
            x, y = file["x"][:], file["y"][:]
        return x, y, self.folder / "pdebench.h5"

    def attribute(self, path, name):
        with h5py.File(path) as file:
            return file.attrs[name]

    def test_darcy(self):
        """`nu` is the coefficient [sample, x, y], `tensor` has one time, `beta` is the force."""
        x, y, path = self.both("darcy", "--n_samples", 3, "--resolution", "8,12", "--forcing", 2)
        fields, keys = read(path)
        self.assertEqual(keys, ["completed", "nu", "t-coordinate", "tensor", "x-coordinate", "y-coordinate"])
        self.assertEqual(fields[:, 0, :, :, 0].tobytes(), y.tobytes())
        with h5py.File(path) as file:
            self.assertEqual(file["nu"][:].tobytes(), x.tobytes())
        self.assertTrue(np.allclose(places(path, "y"), np.arange(12) / 12))
        self.assertEqual(self.attribute(path, "beta"), 2)

    def test_navier_stokes(self):
        """A trajectory begins with what it starts from; a force is a data set of its own."""
        words = ("--n_samples", 3, "--resolution", 12)
        x, y, path = self.both("navier_stokes", *words, "--recipe", "li", "--final_time", 2)
        fields, _ = read(path)
        self.assertEqual(fields[..., 0].tobytes(), np.concatenate([x[:, None], y], 1).tobytes())
        self.assertTrue(np.allclose(places(path, "t"), [0, 1, 2, 3]))
        path.unlink()
        (self.folder / "mpno.h5").unlink()
        x, y, path = self.both("navier_stokes", *words, "--final_time", 1)
        fields, keys = read(path)
        self.assertIn("force", keys)
        self.assertEqual(fields[:, 0, ..., 0].tobytes(), y.tobytes())

    def test_advection(self):
        """201 times from 0 to 2, `beta`."""
        x, y, path = self.both("advection", "--n_samples", 3, "--resolution", 16, "--beta", 0.4, "--snapshots", 200)
        fields, keys = read(path)
        self.assertEqual(keys, ["completed", "t-coordinate", "tensor", "x-coordinate"])
        self.assertEqual(fields.shape, (3, 201, 16, 1))
        self.assertEqual(fields[..., 0].tobytes(), np.concatenate([x[:, None], y], 1).tobytes())
        self.assertTrue(np.allclose(places(path, "t"), np.arange(202) / 100))
        self.assertTrue(np.allclose(places(path, "x"), np.arange(16) / 16))
        self.assertEqual(self.attribute(path, "beta"), 0.4)

    def test_burgers(self):
        """201 times from 0 to 2, `Nu`."""
        x, y, path = self.both("burgers", "--n_samples", 2, "--resolution", 32, "--recipe", "pdebench", "--nu", 0.1,
                               "--snapshots", 200)
        fields, _ = read(path)
        self.assertEqual(fields[..., 0].tobytes(), np.concatenate([x[:, None], y], 1).tobytes())
        self.assertTrue(np.allclose(places(path, "t"), np.arange(202) / 100))
        self.assertEqual(self.attribute(path, "Nu"), 0.1)

    def test_diffusion_reaction(self):
        """A group for each sample, channels last, 101 times from 0 to 5, middles of cells."""
        x, y, path = self.both("diffusion_reaction", "--n_samples", 12, "--resolution", "8,10", "--snapshots", 100)
        fields, keys = read(path)
        self.assertEqual(keys, [f"{i:04}" for i in range(12)])
        wanted = np.concatenate([x[:, None], y], 1).transpose(0, 1, 3, 4, 2)
        self.assertEqual(fields.shape, (12, 101, 8, 10, 2))
        self.assertEqual(fields.tobytes(), wanted.tobytes())
        self.assertTrue(np.allclose(places(path, "t"), np.arange(101) / 20))
        self.assertTrue(np.allclose(places(path, "x"), np.arange(8) / 4 - 0.875))
        self.assertTrue(np.allclose(places(path, "y"), np.arange(10) / 5 - 0.9))
        self.mpno("generate", "diffusion_reaction", "-q", "--n_samples", 1, "--resolution", 8, "--layout", "pdebench", "-o",
                  "one.h5")
        self.assertEqual(read(self.folder / "one.h5")[0].shape, (1, 101, 8, 8, 2))

    def test_groups_train(self):
        """By the keys that the reference of formats gives for PDEBench's files."""
        self.mpno("generate", "diffusion_reaction", "-q", "--n_samples", 12, "--resolution", 8, "--layout", "pdebench", "-o",
                  "a.h5")
        (self.folder / "config.yaml").write_text(CONFIG)
        self.mpno("train", "config.yaml", "--quiet", "data.train=a.h5", "data.test=a.h5", "data.x_key=*/data[0]",
                  "data.y_key=*/data[100]", "data.axes=nxyc")

    def test_default_times(self):
        for equation in ("advection", "burgers"):
            self.mpno("generate", equation, "-q", "--n_samples", 1, "--resolution", 16, "--layout", "pdebench", "-o",
                      f"{equation}.h5")
            self.assertEqual(read(self.folder / f"{equation}.h5")[0].shape, (1, 201, 16, 1))

    def test_trains(self):
        self.mpno("generate", "darcy", "-q", "--n_samples", 12, "--resolution", 8, "--layout", "pdebench", "-o", "a.h5")
        (self.folder / "config.yaml").write_text(CONFIG)
        self.mpno("train", "config.yaml", "--quiet", "data.train=a.h5", "data.test=a.h5", "data.x_key=nu",
                  "data.y_key=tensor[:,0]")

    def test_refusals(self):
        for words, fragments in ((("darcy", "--x", "phase"), ["PDEBench", "phase"]),
                                 (("darcy", "--layout", "pde"), ["layout", "pde", "pdebench"])):
            result = self.mpno("generate", *words[:1], "--layout", "pdebench", "--n_samples", 1, "--resolution", 8, "-o",
                               "a.h5", *words[1:], status=USAGE)
            self.assert_error(result, *fragments)
            self.assertFalse((self.folder / "a.h5").exists())


if __name__ == "__main__":
    unittest.main()
