#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes docs/reference/config.md from src/train/config.def; with --check, fails when the page is out of date."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "src/train/config.def"
PAGE = ROOT / "docs/reference/config.md"

INTRODUCTION = """\
# Configuration keys

Made from `src/train/config.def` by `scripts/make_config_reference.py`; do not edit.

A configuration is a YAML file of sections and keys. Any key can be given on the command line too, as
`--opt.learning_rate=1e-3`, `--opt.learning_rate 1e-3` or `opt.learning_rate=1e-3`; the last one wins. An unknown key is an
error that names the nearest one. Data paths in a file are relative to that file, those on the command line to the current
folder. `null` means not given. A run can be resumed only with the same values of the keys marked *result*.
"""
SECTIONS = {
    "": "The run", "model": "Network", "data": "Data", "augment": "Augmentation",
    "opt": "Training", "regularizer": "Regularisers", "precision": "Precision",
    "eval": "Evaluation", "checkpoint": "Checkpoints",
}
TYPES = {
    "INT": "whole number", "REAL": "number", "BOOL": "true or false", "TEXT": "text", "CHOICE": "one of",
    "INTS": "list of whole numbers", "REALS": "number, list or list of lists", "TEXTS": "list of texts",
}
ROW = re.compile(r'^X\(([\w.]+), (\w+), "([^"]*)", "([^"]*)", (\w+), "([^"]*)"\)$')


def values(kind, domain):
    """The third column: type and range."""
    if kind == "CHOICE":
        return ", ".join(f"`{choice}`" for choice in domain.split("|"))
    between = ": " if kind == "TEXT" else " in "
    return TYPES[kind] + (between + domain if domain else "")


def page():
    """The whole text of the page."""
    lines, last = [INTRODUCTION.rstrip()], None
    for line in TABLE.read_text().splitlines():
        if not line.startswith("X("):
            continue
        match = ROW.match(line)
        if not match:
            raise SystemExit(f"{TABLE}: this row is not understood: {line}")
        key, kind, default, domain, what, meaning = match.groups()
        section = key.split(".")[0] if "." in key else ""
        if section != last:
            lines.append(f"\n## {SECTIONS.get(section, section)}\n")
            lines.append("| key | default | values | result | meaning |\n|---|---|---|---|---|")
            last = section
        mark = "yes" if what == "RESULT" else ""
        lines.append(f"| `{key}` | `{default}` | {values(kind, domain)} | {mark} | {meaning} |")
    return "\n".join(lines) + "\n"


def main():
    """Writes or compares."""
    text = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text() != text:
            raise SystemExit(f"{PAGE.relative_to(ROOT)} is out of date: run make docs")
        return
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
