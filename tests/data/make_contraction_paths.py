#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Paths that opt_einsum finds, for tests/unit/transform/test_contract.c: writes tests/data/contraction_paths.txt.

usage: make_contraction_paths.py    in a Python that has opt_einsum (the peer: ~/.cache/mpno-peer/bin/python)

One line a shape: EQUATION, sizes of its letters in their order, the default path (optimize="auto"), the greedy one; a path
is pairs of tensors, operands from 0 on, then the results of its steps. Shapes: spectral convolutions with CP, Tucker and
tensor train weights as the PyTorch library writes them, and random networks of 3 to 12 tensors (seed 1)."""
import random
from pathlib import Path

import opt_einsum
from opt_einsum import get_symbol

NAME = Path(__file__).resolve().parent / "contraction_paths.txt"


def numbered(path, n_operands):
    """opt_einsum's path, whose numbers shift as tensors are taken out, with fixed numbers."""
    alive, steps, following = list(range(n_operands)), [], n_operands
    for pair in path:
        taken = [alive[i] for i in pair]
        assert len(taken) == 2, "not a path of pairs"
        alive = [t for i, t in enumerate(alive) if i not in pair] + [following]
        following += 1
        steps.append("%d-%d" % tuple(taken))
    return " ".join(steps)


def spectral(factorisation, batch, channels, modes, rank):
    """The einsum of a spectral convolution: batch a, in b, modes, then ranks and out."""
    n = len(modes)
    letters = [get_symbol(i) for i in range(40)]
    a, b, axes, rest = letters[0], letters[1], letters[2:2 + n], letters[2 + n:]
    out, ranks = rest[0], rest[1:]
    sizes = {a: batch, b: channels, out: channels, **dict(zip(axes, modes))}
    terms, dims = [a + b + "".join(axes)], [b, out, *axes]
    if factorisation == "cp":
        r = ranks[0]
        sizes[r] = rank
        terms += [r] + [d + r for d in dims]
    elif factorisation == "tucker":
        ranks = ranks[:len(dims)]
        for r, d in zip(ranks, dims):
            sizes[r] = max(1, round(sizes[d] * rank))
        terms += ["".join(ranks)] + [d + r for d, r in zip(dims, ranks)]
    else:
        ranks = ranks[:len(dims) - 1]
        for i, r in enumerate(ranks):
            sizes[r] = max(1, round((sizes[dims[i]] + sizes[dims[i + 1]]) / 2 * rank))
        chain = ["", *ranks, ""]
        terms += [chain[i] + d + chain[i + 1] for i, d in enumerate(dims)]
    return ",".join(terms) + "->" + a + out + "".join(axes), sizes


def networks():
    """Random tensor networks, every letter in two or three tensors, the result counted."""
    rng = random.Random(1)
    for n in [3, 4, 5, 6, 7, 8, 9, 10, 11, 12] * 2:
        tensors, output, sizes = [set() for _ in range(n)], set(), {}
        for i in range(n + rng.randint(1, n)):
            letter = get_symbol(i)
            sizes[letter] = rng.choice([2, 3, 4, 6, 8, 12, 24])
            # a spanning tree first, so that no tensor stands alone
            pair = [i + 1, rng.randrange(i + 1)] if i + 1 < n else rng.sample(range(n), 2)
            for t in pair[:1 if rng.random() < 0.15 else 2]:
                tensors[t].add(letter)
            if sum(letter in t for t in tensors) < 2 or rng.random() < 0.1:
                output.add(letter)
        terms = ["".join(sorted(t)) for t in tensors if t]
        yield ",".join(terms) + "->" + "".join(sorted(output)), sizes


SPECTRAL = [("cp", 8, 64, (64, 33), 1922), ("cp", 1, 64, (64, 33), 1922), ("cp", 64, 64, (64, 33), 1922),
            ("cp", 8, 32, (64, 33), 672), ("cp", 32, 64, (32, 17), 1092), ("cp", 8, 32, (16,), 40),
            ("cp", 2, 16, (8, 8, 5), 97), ("tucker", 8, 64, (64, 33), 0.56), ("tucker", 1, 64, (64, 33), 0.56),
            ("tucker", 64, 32, (16, 9), 0.55), ("tucker", 8, 24, (8, 5), 0.3), ("tucker", 4, 16, (8, 8, 5), 0.4),
            ("tucker", 16, 32, (33,), 0.5), ("tt", 8, 64, (64, 33), 0.4), ("tt", 1, 64, (64, 33), 0.4),
            ("tt", 64, 32, (16, 9), 0.7), ("tt", 8, 24, (8, 5), 0.5), ("tt", 4, 16, (8, 8, 5), 0.4),
            ("tt", 16, 32, (33,), 0.5), ("tt", 2, 8, (4, 4, 4, 3), 0.8)]


def main():
    """Writes the file."""
    lines = []
    for equation, sizes in [*[spectral(*case) for case in SPECTRAL], *networks()]:
        terms = equation.split("->")[0].split(",")
        shapes = [tuple(sizes[letter] for letter in term) for term in terms]
        paths = [numbered(opt_einsum.contract_path(equation, *shapes, shapes=True, optimize=how)[0], len(terms))
                 for how in ("auto", "greedy")]
        numbers = ",".join(str(sizes[letter]) for letter in sorted(sizes))
        lines.append(";".join([equation, numbers, *paths]))
    NAME.write_text(f"# by make_contraction_paths.py with opt_einsum {opt_einsum.__version__}\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
