#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/install/symbols.txt, the functions that the library exports, from the headers in include/mpno."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "tests/install/symbols.txt"


def declared():
    """Names of all functions that a public header declares with MPNO_API."""
    names = set()
    for header in sorted(ROOT.glob("include/mpno/*.h")):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        names |= set(re.findall(r"MPNO_API\b[^;(]*?\b(mpno_\w+)\s*\(", text))
    return sorted(names)


if __name__ == "__main__":
    PAGE.write_text("".join(f"{name}\n" for name in declared()))
