# SPDX-License-Identifier: MIT
"""The Fourier neural operator of a checkpoint in arithmetic of many digits, from its definition: an oracle for small models.

Shares no code with the library: checkpoints are taken apart here, transforms are the sums that define them, weights made of
factors are multiplied out, layers are matrix products of mpmath's numbers. What is defined where: docs/theory/transform.md,
docs/theory/resampling.md, docs/reference/policies.md (stabilisers), docs/howto/compat.md. Complex data, compat: neuralop and
the stabiliser that looks at a batch are refused.
"""
import json
import struct

import mpmath
import numpy as np
from mpmath import mpc, mpf

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}


class Refused(Exception):
    """Something that this oracle has no definition for, or a file that it cannot read."""


def exact(values):
    """An array of the same numbers, each an mpf."""
    values = np.asarray(values)
    flat = np.array([mpf(float(v)) for v in values.ravel()] + [None], dtype=object)[:-1]
    return flat.reshape(values.shape)


def each(function, values):
    """function of every number."""
    flat = np.array([function(v) for v in values.ravel()] + [None], dtype=object)[:-1]
    return flat.reshape(values.shape)


def read_safetensors(path):
    """({name: array}, metadata) of a safetensors file."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:8 + size])
    metadata = header.pop("__metadata__", {})
    data = content[8 + size:]
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] not in DTYPES:
            raise Refused(f"{path}: {name} is of type {entry['dtype']}")
        begin, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors, metadata


def per_axis(value, ndim, default):
    """A key that is nothing, one number, or one for each axis."""
    value = value if isinstance(value, list) else [value]
    if value == [None]:
        return [default] * ndim
    return value * ndim if len(value) == 1 else value


class Network:
    """A checkpoint. run() gives the answer to an input, both in physical units. averaged: of the averages of the weights, or
    the trained ones; None: as its configuration says."""

    def __init__(self, path, averaged=None):
        self.tensors, metadata = read_safetensors(path)
        if "config" not in metadata or "state" not in metadata:
            raise Refused(f"{path} is no checkpoint of mpno")
        self.config, self.state = json.loads(metadata["config"]), json.loads(metadata["state"])
        self.complex_names = set(metadata.get("mpno.complex", "").split("\n"))
        self.model = self.config["model"]
        self.ndim = len(self.model["n_modes"])
        if averaged is None:
            averaged = self.config["opt"]["ema_decay"] is not None and self.config["eval"]["weights"] != "trained"
        self.prefix = "ema." if averaged else ""
        self.stabilizer = self.state["phases"][-1]["stabilizer"]
        self.rooms = {}
        for what, refused in (("complex_data", self.model["complex_data"]),
                              ("compat", self.config["compat"] != "none"),
                              ("two_sigma_clip_batch", self.stabilizer == "two_sigma_clip_batch")):
            if refused:
                raise Refused(f"{path}: {what} has no definition here")

    # ---- weights ----

    def param(self, name):
        """The tensor of that name, exact; None: the model has none."""
        if name not in self.rooms:
            stored = self.tensors.get(self.prefix + name)
            values = None if stored is None else exact(stored)
            if stored is not None and self.prefix + name in self.complex_names:
                values = np.array([mpc(re, im) for re, im in values.reshape(-1, 2)] + [None],
                                  dtype=object)[:-1].reshape(stored.shape[:-1])
            self.rooms[name] = values
        return self.rooms[name]

    def spectral_weight(self, layer):
        """W[in][out][modes..], or of a separable one W[channel][modes..]."""
        prefix = f"fno_blocks.convs.{layer}.weight."
        kind = self.model["factorization"]
        if kind == "dense":
            return self.param(prefix + "tensor")
        factors = []
        while (factor := self.param(f"{prefix}factors.factor_{len(factors)}")) is not None:
            factors.append(factor)
        if kind == "tucker":
            whole = self.param(prefix + "core")
            for factor in factors:  # the axis in front goes, its rows come behind the others
                whole = np.tensordot(whole, factor, axes=(0, 1))
            return whole
        if kind == "tt":
            whole = factors[0]
            for factor in factors[1:]:
                whole = np.tensordot(whole, factor, axes=(whole.ndim - 1, 0))
            return whole[0, ..., 0]
        whole = 0
        for r, size in enumerate(self.param(prefix + "weights")):
            term = size
            for factor in factors:
                term = np.multiply.outer(term, factor[:, r])
            whole = whole + term
        return whole

    # ---- layers: fields are [channels, grid..] ----

    def linear(self, x, weight, bias=None):
        """weight x at every point, plus bias."""
        y = np.tensordot(weight.reshape(weight.shape[0], -1), x, axes=(1, 0))
        return y if bias is None else y + bias.reshape(-1, *[1] * (x.ndim - 1))

    def mlp(self, x, prefix):
        """Two linear maps, GELU between them."""
        for i in (0, 1):
            x = self.linear(x, self.param(f"{prefix}.fcs.{i}.weight"), self.param(f"{prefix}.fcs.{i}.bias"))
            x = each(gelu, x) if i == 0 else x
        return x

    def convolve(self, x, weight):
        """sum over offsets of W[offset] x[p + offset], zero outside the grid."""
        grid, width = x.shape[1:], weight.shape[2]
        y = np.full((weight.shape[0], *grid), mpf(0), dtype=object)
        for place in np.ndindex(*weight.shape[2:]):
            offset = [k - (width - 1) // 2 for k in place]
            to = tuple(slice(max(0, -o), max(0, n - max(0, o))) for o, n in zip(offset, grid))
            at = tuple(slice(max(0, o), max(0, n + min(0, o))) for o, n in zip(offset, grid))
            y[(slice(None), *to)] += np.tensordot(weight[(..., *place)], x[(slice(None), *at)], axes=(1, 0))
        return y

    def norm(self, x, index, embedding):
        """The norm of that number."""
        kind, prefix = self.model["norm"], f"fno_blocks.norm.{index}."
        shape = (-1, *[1] * self.ndim)
        if kind == "none":
            return x
        if kind == "batch_norm":
            prefix += "norm."
            mean, variance = self.param(prefix + "running_mean"), self.param(prefix + "running_var")
        else:
            groups = self.model["norm_groups"] if kind == "group_norm" else x.shape[0]
            rows = x.reshape(groups, -1)
            mean = rows.sum(axis=1) / rows.shape[1]
            variance = ((rows - mean[:, None])**2).sum(axis=1) / rows.shape[1]
            mean, variance = (np.repeat(v, x.shape[0] // groups) for v in (mean, variance))
        size = each(lambda v: mpmath.sqrt(v + mpf(10)**-5), variance)
        y = (x - mean.reshape(shape)) / size.reshape(shape)
        if kind == "ada_in":
            e = embedding.reshape(-1, 1)
            for i in (0, 2):
                e = self.linear(e, self.param(f"{prefix}mlp.{i}.weight"), self.param(f"{prefix}mlp.{i}.bias"))
                e = each(gelu, e) if i == 0 else e
            return y * e[:x.shape[0]].reshape(shape) + e[x.shape[0]:].reshape(shape)
        gamma, beta = self.param(prefix + "weight"), self.param(prefix + "bias")
        return y if gamma is None else y * gamma.reshape(shape) + beta.reshape(shape)

    def stabilize(self, x, layer):
        """What the transform of a block reads."""
        kind = self.stabilizer
        if kind in ("none", "prescale") or (layer > 0 and self.model["stabilizer_placement"] == "first"):
            return x
        if kind == "two_sigma_clip":
            mean = x.sum() / x.size
            reach = 2 * mpmath.sqrt(((x - mean)**2).sum() / x.size)
            return each(lambda v: min(max(v, mean - reach), mean + reach), x)
        if kind == "rms_norm":
            squares = (x**2).reshape(x.shape[0], -1).sum(axis=1) / x[0].size
            return x / each(lambda v: mpmath.sqrt(v + mpf(10)**-5), squares).reshape(-1, *[1] * self.ndim)
        gain = {"scale": lambda: mpf(self.model["stabilizer_scale"]),
                "learned_tanh": lambda: self.param(f"fno_blocks.stabilizers.{layer}.gain").item()}.get(kind, lambda: mpf(1))()
        function = {"tanh": mpmath.tanh, "hard_clip": lambda v: min(max(v, mpf(-1)), mpf(1)), "scale": lambda v: v / gain,
                    "sigmoid": lambda v: 1 / (1 + mpmath.exp(-v)), "relu": lambda v: max(v, mpf(0)),
                    "softsign": lambda v: v / (1 + abs(v)), "arcsinh": mpmath.asinh,
                    "learned_tanh": lambda v: gain * mpmath.tanh(v / gain)}[kind]
        return each(function, x)

    # ---- between grids ----

    def kept(self, layer, grid_in, grid_out):
        """For each axis the frequencies that the weights of a block and both grids have."""
        own = self.state["modes"]["layers"][layer] if "modes" in self.state else self.model["n_modes"]
        axes = []
        for d, (modes, n, out) in enumerate(zip(own, grid_in, grid_out)):
            if d == self.ndim - 1:
                axes.append(range(0, min(modes // 2, n // 2, out // 2) + 1))
            else:
                count = min(modes, n, out)
                axes.append(range(-(count // 2), count - count // 2))
        return axes

    def convolution(self, x, layer, grid):
        """The spectral convolution, with its bias."""
        frequencies = self.kept(layer, x.shape[1:], grid)
        z = forward(self.stabilize(x, layer), frequencies)
        weight = self.spectral_weight(layer)
        rows = [[k + size // 2 if d < self.ndim - 1 else k for k in axis]
                for d, (axis, size) in enumerate(zip(frequencies, weight.shape[-self.ndim:]))]
        lead = weight.ndim - self.ndim
        weight = weight[np.ix_(*(range(n) for n in weight.shape[:lead]), *rows)]
        z = z * weight if lead == 1 else (z[:, None] * weight).sum(axis=0)
        bias = self.param(f"fno_blocks.convs.{layer}.bias")
        return inverse(z, frequencies, grid) + bias.reshape(-1, *[1] * self.ndim)

    def skip(self, x, kind, prefix, grid):
        """A skip on its way to another grid."""
        if self.model["conv_bias_kernel"] > 1 and "fno_skips" in prefix:
            x = self.convolve(x, self.param(prefix + ".weight"))
        elif kind == "linear":
            x = self.linear(x, self.param(prefix + ".conv.weight"))
        elif kind == "soft-gating":
            x = x * self.param(prefix + ".weight").reshape(-1, *[1] * self.ndim)
        return resample(x, grid)

    # ---- the whole ----

    def block(self, x, layer, grid, embedding):
        """One Fourier layer, in one of its two orders."""
        model, last = self.model, layer + 1 == self.model["n_layers"]
        early = model["preactivation"]
        if early:
            x = self.norm(each(gelu, x), 2 * layer, embedding)
        y = self.convolution(x, layer, grid)
        y = y if early else self.norm(y, 2 * layer, embedding)
        if model["fno_skip"] != "none":
            y = y + self.skip(x, model["fno_skip"], f"fno_blocks.fno_skips.{layer}", grid)
        y = y if last else each(gelu, y)
        y = self.norm(y, 2 * layer + 1, embedding) if early else y
        if model["use_channel_mlp"]:
            y = self.mlp(y, f"fno_blocks.channel_mlp.{layer}")
            if model["channel_mlp_skip"] != "none":
                y = y + self.skip(x, model["channel_mlp_skip"], f"fno_blocks.channel_mlp_skips.{layer}", grid)
        if early:
            return y
        y = self.norm(y, 2 * layer + 1, embedding)
        return y if last else each(gelu, y)

    def inner_grids(self, grid, output_grid):
        """Grids of the blocks' outputs without their margins."""
        factors = self.model["resolution_scaling_factor"]
        grids = []
        for layer in range(self.model["n_layers"]):
            own = factors[layer if len(factors) > 1 else 0] if isinstance(factors, list) else factors
            own = per_axis(own, self.ndim, 1)
            grid = [round(f * n) for f, n in zip(own, grid)]  # halves to even
            grids.append(grid)
        if output_grid is not None:
            grids[-1] = list(output_grid)
        return grids

    def embed(self, x):
        """Coordinates as further channels."""
        bounds = self.model["grid_boundaries"] or [[0, 1]] * self.ndim
        for d, (start, stop) in enumerate(bounds):
            n = x.shape[1 + d]
            line = np.array([mpf(start) + (mpf(stop) - mpf(start)) * i / n for i in range(n)] + [None], dtype=object)[:-1]
            shape = [n if d == j else 1 for j in range(self.ndim)]
            x = np.concatenate([x, np.broadcast_to(line.reshape(shape), (1, *x.shape[1:self.ndim + 1]))])
        return x

    def normalizer(self, which):
        """(mean, deviation + 1e-7) of inputs "x" or outputs "y", of shapes that fit fields."""
        entry = self.state["normalizers"].get(which)
        if entry is None:
            return mpf(0), mpf(1)
        mean, std = ((mpf(entry["mean"]), mpf(entry["std"])) if "mean" in entry else
                     [self.channels_first(exact(self.tensors[f"normalizer.{which}.{part}"])) for part in ("mean", "std")])
        return mean, std + mpf(10)**-7

    def channels_first(self, values):
        """[channels] or [grid.., channels] as a factor of fields."""
        return values.reshape(-1, *[1] * self.ndim) if values.ndim == 1 else np.moveaxis(values, -1, 0)

    def run(self, x, output_grid=None, embedding=None):
        """x: [channels, grid..] of numbers as stored -> [channels, grid..] of mpf."""
        mean, size = self.normalizer("x")
        x = (exact(x) - mean) / size
        grid = x.shape[1:]
        if self.model["positional_embedding"] == "grid":
            x = self.embed(x)
        x = self.mlp(x, "lifting")
        parts = per_axis(self.model["domain_padding"], self.ndim, 0)
        margins = [round(part * n) for part, n in zip(parts, grid)]
        x = crop(x, [-m for m in margins], [n + 2 * m for n, m in zip(grid, margins)])
        embedding = None if embedding is None else exact(embedding)
        for layer, inner in enumerate(self.inner_grids(grid, output_grid)):
            around = [round(m * i / n) for m, i, n in zip(margins, inner, grid)]
            x = self.block(x, layer, [i + 2 * a for i, a in zip(inner, around)], embedding)
        x = self.mlp(crop(x, around, inner), "projection")
        mean, size = self.normalizer("y")
        return x * size + mean


def gelu(x):
    """x times the distribution function of the normal distribution."""
    return x * (1 + mpmath.erf(x / mpmath.sqrt(2))) / 2


def roots(frequencies, n, sign):
    """The matrix exp(sign 2 pi i k j / n), k of the frequencies, j = 0 .. n - 1."""
    turn = [mpmath.expjpi(mpf(2 * sign * j) / n) for j in range(n)]
    return np.array([[turn[k * j % n] for j in range(n)] + [None] for k in frequencies], dtype=object)[:, :-1]


def along(values, axis, matrix):
    """matrix times values along an axis."""
    return np.moveaxis(np.tensordot(matrix, values, axes=(1, axis)), 0, axis)


def forward(x, frequencies):
    """1 / n sum_n x[n] exp(-2 pi i k n / N) along all axes but the first."""
    for d, axis in enumerate(frequencies):
        n = x.shape[1 + d]
        x = along(x, 1 + d, roots(axis, n, -1)) / n
    return x


def inverse(z, frequencies, grid):
    """The real field of which z are modes; those off the planes 0 and N / 2 of the last axis stand for two."""
    weights = np.array([mpf(1) if k == 0 or 2 * k == grid[-1] else mpf(2) for k in frequencies[-1]] + [None], dtype=object)
    z = z * weights[:-1]
    for d, axis in enumerate(frequencies):
        z = along(z, 1 + d, roots(axis, grid[d], 1).T)
    return each(lambda v: v.real, z)


def resample(x, grid):
    """The same function on another grid: frequencies below half of both; all along an axis that stays."""
    if list(x.shape[1:]) == list(grid):
        return x
    frequencies = []
    for d, (n, out) in enumerate(zip(x.shape[1:], grid)):
        last, most = d == len(grid) - 1, (min(n, out) - 1) // 2
        if n == out:
            frequencies.append(range(0, n // 2 + 1) if last else range(-(n // 2), n - n // 2))
        else:
            frequencies.append(range(0 if last else -most, most + 1))
    return inverse(forward(x, frequencies), frequencies, grid)


def crop(x, first, grid):
    """The part of x that starts at `first` of each axis; zero where that is outside."""
    y = np.full((x.shape[0], *grid), mpf(0), dtype=object)
    to = tuple(slice(max(0, -f), max(0, -f) + min(f + n, m) - max(0, f)) for f, n, m in zip(first, grid, x.shape[1:]))
    at = tuple(slice(max(0, f), min(f + n, m)) for f, n, m in zip(first, grid, x.shape[1:]))
    y[(slice(None), *to)] = x[(slice(None), *at)]
    return y


# ---- distances ----

def difference(e, axis, step, one_sided):
    """Derivative along an axis: central differences that wrap around, or third-order ones at both ends."""
    d = (np.roll(e, -1, axis) - np.roll(e, 1, axis)) / (2 * step)
    if one_sided:
        d, e = np.moveaxis(d.copy(), axis, 0), np.moveaxis(e, axis, 0)
        d[0] = (-11 * e[0] + 18 * e[1] - 9 * e[2] + 2 * e[3]) / (6 * step)
        d[-1] = (11 * e[-1] - 18 * e[-2] + 9 * e[-3] - 2 * e[-4]) / (6 * step)
        d = np.moveaxis(d, 0, axis)
    return d


def distances(e, measure, one_sided):
    """{"l2", "h1", "max"} of a field [channels, grid..]: absolute norms of all channels together."""
    lengths = [mpf(m) for m in measure]
    steps = [length / n for length, n in zip(lengths, e.shape[1:])]
    volume = mpmath.fprod(steps)
    squares = (e**2).sum()
    slopes = sum((difference(e, 1 + d, step, one_sided[d])**2).sum() for d, step in enumerate(steps))
    return {"l2": mpmath.sqrt(volume * squares), "h1": mpmath.sqrt(volume * (squares + slopes)),
            "max": max(abs(v) for v in e.ravel())}
