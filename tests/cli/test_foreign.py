# SPDX-License-Identifier: MIT
"""State dicts in the namings of Li et al., PhysicsNeMo and neuraloperator 0.3.0: the outputs of the networks that they
came from (tests/data, by scripts/make_state_dicts.py), and refusals of what cannot be computed here."""
import random
import unittest

from support import ROOT, Case, Tensor, load_safetensors, save_pt

DATA = ROOT / "tests/data"
GELU = "model.non_linearity=gelu"

# name: the grid on which the network was applied, None where coordinates are not its own
NETWORKS = {"li_1d": (12,), "li_2d": (8, 10), "li_3d": (6, 4, 6), "physicsnemo_2d": (8, 6),
            "neuralop_0_3": None}


def boundaries(grid):
    """Coordinates from 0 to 1 with both ends."""
    return "model.grid_boundaries=" + str([[0, n / (n - 1)] for n in grid])


def keys(name):
    return [GELU, boundaries(NETWORKS[name])] if NETWORKS[name] else []


class Outputs(Case):
    def test_outputs_are_those_of_the_network(self):
        for name in NETWORKS:
            with self.subTest(name=name):
                errors = self.mpno("eval", DATA / f"{name}.pt", f"data.test={DATA}/{name}_xy.pt", *keys(name),
                                   "--json").json()["test"]
                for error in errors.values():
                    self.assertLess(error["l2"], 1e-6)

    def test_wrong_coordinates_give_other_outputs(self):
        error = self.mpno("eval", DATA / "li_2d.pt", f"data.test={DATA}/li_2d_xy.pt", GELU,
                          "model.grid_boundaries=[[0, 1], [0, 1]]", "--json").json()["test"]
        self.assertGreater(error["8x10"]["l2"], 1e-3)

    def test_a_converted_network_is_exported_in_our_naming(self):
        self.mpno("export", DATA / "neuralop_0_3.pt", "-o", "a.pt")
        self.mpno("export", DATA / "li_2d.pt", "-o", "b.safetensors", *keys("li_2d"))
        shapes = {name: shape for name, (_, shape, _) in load_safetensors(self.folder / "b.safetensors").items()}
        self.assertEqual(shapes["fno_blocks.convs.2.weight.tensor"], [6, 6, 4, 3, 2])
        self.assertEqual(shapes["lifting.fcs.0.weight"], [6, 3, 1])
        self.assertEqual(shapes["projection.fcs.0.weight"], [7, 6, 1])
        for words in ((DATA / "neuralop_0_3.pt",), ("a.pt",)):
            error = self.mpno("eval", *words, f"data.test={DATA}/neuralop_0_3_xy.pt", "--json").json()["test"]
            self.assertLess(error["8x10"]["l2"], 1e-6)


def li(width=2, modes=(2, 2), layers=1, **changes):
    """A state dict of Li et al. with noise; changes: name with "__" for "." to a shape, None to leave it out."""
    shapes = {"fc0.weight": (width, 1 + len(modes)), "fc0.bias": (width,), "fc1.weight": (3, width),
              "fc1.bias": (3,), "fc2.weight": (1, 3), "fc2.bias": (1,)}
    for layer in range(layers):
        for quadrant in range(2 ** (len(modes) - 1)):
            shapes[f"conv{layer}.weights{quadrant + 1}"] = (width, width, *modes, 2)
        shapes[f"w{layer}.weight"] = (width, width, *[1] * len(modes))
        shapes[f"w{layer}.bias"] = (width,)
    shapes.update({name.replace("__", "."): shape for name, shape in changes.items()})
    rng = random.Random(2)
    tensors = {}
    for name, shape in shapes.items():
        count = 1
        for size in shape or ():
            count *= size
        if shape is not None:
            tensors[name] = Tensor([rng.gauss(0, 1) for _ in range(count)], shape)
    return tensors


GIVEN = (GELU, "model.grid_boundaries=[[0, 1.2], [0, 1.2]]")

# name: (changes, further keys, exit status, what the error must hold)
BAD = {
    "activation not said": ({}, (), 2, ["does not say its activation", GELU]),
    "activation that is none of ours": ({}, ("model.non_linearity=relu",), 2, ["model.non_linearity", "gelu"]),
    "coordinates not said": ({}, (GELU,), 2, ["both ends", "model.grid_boundaries"]),
    "no input beside coordinates": ({"fc0__weight": (2, 2)}, GIVEN, 1, ["leaves none", "2 coordinates"]),
    "batch norm": ({"bn0__weight": (2,)}, GIVEN, 1, ["bn0.weight", "batch norms", "relu"]),
    "mlp in the blocks": ({"mlp0__mlp1__weight": (2, 2)}, GIVEN, 1, ["mlp0.mlp1.weight", "normalise inside"]),
    "tensor without a place": ({"extra": (2,)}, GIVEN, 1, ["extra", "no place"]),
    "quadrant missing": ({"conv0__weights2": None}, GIVEN, 1, ["quadrant 2 of 2"]),
    "quadrant of another shape": ({"conv0__weights2": (2, 2, 1, 2, 2)}, GIVEN, 1,
                                  ["conv0.weights2", "another shape"]),
    "spectral weights not square": ({"conv0__weights1": (2, 3, 2, 2, 2)}, GIVEN, 1,
                                    ["conv0.weights1", "(2, 3, 2, 2, 2)"]),
    "spectral weights not complex": ({"conv0__weights1": (2, 2, 2, 2, 3)}, GIVEN, 1, ["last dimension of 2"]),
    "spectral weights without modes": ({"conv0__weights1": (2, 2, 0, 2, 2)}, GIVEN, 1, ["conv0.weights1"]),
    "skip missing": ({"w0__weight": None}, GIVEN, 1, ["no tensor w0.weight"]),
    "skip with a kernel": ({"w0__weight": (2, 2, 3, 3)}, GIVEN, 1, ["w0.weight", "(2, 2, 3, 3)"]),
    "skip of another width": ({"w0__weight": (3, 2, 1, 1)}, GIVEN, 1, ["w0.weight", "does not fit"]),
    "bias too long": ({"w0__bias": (3,)}, GIVEN, 1, ["w0.bias", "2 numbers"]),
    "lifting of another width": ({"fc0__weight": (4, 3)}, GIVEN, 1, ["fc0.weight", "does not fit"]),
    "projection missing": ({"fc2__weight": None}, GIVEN, 1, ["no tensor fc2.weight"]),
    "projection that does not follow": ({"fc2__weight": (1, 4)}, GIVEN, 1, ["fc2.weight", "(1, 4)"]),
    "another width than the file's": ({}, GIVEN + ("model.hidden_channels=2",), 1, ["another architecture"]),
}


class Bad(Case):
    def test_bad_state_dicts(self):
        for name, (changes, words, status, fragments) in BAD.items():
            with self.subTest(name=name):
                save_pt(self.folder / "a.pt", li(**changes))
                result = self.mpno("export", "a.pt", "-o", "b.safetensors", *words, status=status)
                self.assert_error(result, *fragments)
                self.assertEqual([path.name for path in self.folder.iterdir()], ["a.pt"])

    def test_the_same_without_a_fault(self):
        save_pt(self.folder / "a.pt", {f"conv1.{name}": tensor for name, tensor in li().items()})
        self.mpno("export", "a.pt", "-o", "b.safetensors", *GIVEN)

    def test_four_axes(self):
        save_pt(self.folder / "a.pt", li(modes=(1, 1, 1, 1)))
        self.assert_error(self.mpno("eval", "a.pt", GELU, status=1), "4-D")

    def test_parts_of_neuralop_0_3(self):
        for name, shape, fragments in (
                ("fno_blocks.mlp.0.fcs.0.weight", (2, 2, 1, 1), ["before the MLP"]),
                ("fno_blocks.norm.0.weight", (2,), ["norm before the skip"]),
                ("fno_blocks.convs.weight.0.tensor", (2, 2, 3, 2, 2), ["3 modes along axis 0", "0.3.0"]),
                ("fno_blocks.convs.bias", (1, 3, 1, 1), ["fno_blocks.convs.bias", "2 numbers"]),
                ("fno_blocks.fno_skips.0.weight", (1, 2, 1, 1), ["fno_skips.0.weight", "does not fit"])):
            shapes = {"fno_blocks.convs.weight.0.tensor": (2, 2, 2, 2, 2), "fno_blocks.convs.bias": (1, 2, 1, 1),
                      "fno_blocks.fno_skips.0.weight": (2, 2, 1, 1), "lifting.fcs.0.weight": (2, 1, 1, 1),
                      "projection.fcs.0.weight": (2, 2, 1, 1), "projection.fcs.1.weight": (1, 2, 1, 1),
                      name: shape}
            tensors = {}
            for key, size in shapes.items():
                count = 1
                for n in size:
                    count *= n
                tensors[key] = Tensor([0.5] * count, size)
            with self.subTest(name=name):
                save_pt(self.folder / "a.pt", tensors)
                self.assert_error(self.mpno("export", "a.pt", "-o", "b.safetensors", status=1), *fragments)


if __name__ == "__main__":
    unittest.main()
