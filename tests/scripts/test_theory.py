# SPDX-License-Identifier: MIT
"""Pages of docs/theory: every numbered statement has a proof, and a line in the page's table that names sources and tests
that exist; every operation with a bound is named by a statement."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "theory"
STATEMENT = re.compile(r"^\*\*([A-Z]\d+)(?:\.| \()|^## (P\d+)\.", re.M)
NUMBERED = {"certificates", "discretisation", "frequency", "population", "set", "spectral_norm", "static", "theorems"}
HEADING = "## Code and tests"


def known_tests():
    """Programs of tests and the functions that they run."""
    names = set()
    for source in (ROOT / "tests/unit").glob("*/test_*.c"):
        names.add(f"{source.parent.name}_{source.stem}")
        names.update(re.findall(r"cmocka_unit_test\w*\(\s*(\w+)", source.read_text()))
    return names


def statements(text):
    """{number: its text, up to the next one or the next heading}"""
    found = list(STATEMENT.finditer(text))
    ends = [m.start() for m in re.finditer(r"^(?:\*\*[A-Z]\d+|## )", text, re.M)] + [len(text)]
    return {m[1] or m[2]: text[m.start():next(e for e in ends if e > m.start())] for m in found}


def rows(text):
    """{number: (code, tests)} of the page's table; "N1 to N3" and "F2, F3" are several."""
    table = {}
    for line in text[text.index(HEADING):].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or len(cells) != 3 or not re.match(r"[A-Z]\d", cells[0]):
            continue
        span = re.fullmatch(r"([A-Z])(\d+) to \1(\d+)", cells[0])
        several = [f"{span[1]}{n}" for n in range(int(span[2]), int(span[3]) + 1)] if span else cells[0].split(", ")
        for number in several:
            table[number] = (re.findall(r"`([^`]+)`", cells[1]), re.findall(r"`([^`]+)`", cells[2]))
    return table


def problems(name, text, tests):
    """What is missing on a page, as sentences."""
    if HEADING not in text:
        return [f"{name}: no table '{HEADING}'"]
    stated, table, wrong = statements(text), rows(text), []
    for number, body in stated.items():
        if "*Proof" not in body:
            wrong.append(f"{name}: {number} has no proof")
        code, tested = table.get(number, ([], []))
        if not code or not tested:
            wrong.append(f"{name}: the table names no source or no test of {number}")
        wrong += [f"{name}: {number} names {path}, which is not there" for path in code if not (ROOT / path).is_file()]
        wrong += [f"{name}: {number} names the test {test}, which is not there" for test in tested if test not in tests]
    return wrong + [f"{name}: the table has {number}, the page has not" for number in table if number not in stated]


class Theory(unittest.TestCase):
    def pages(self):
        return {path.stem: path.read_text() for path in sorted(PAGES.glob("*.md"))}

    def test_statements_name_proofs_sources_and_tests(self):
        tests, pages = known_tests(), self.pages()
        numbered = {name for name, text in pages.items() if statements(text)}
        self.assertEqual(numbered, NUMBERED)
        wrong = [sentence for name in sorted(numbered) for sentence in problems(name, pages[name], tests)]
        self.assertEqual(wrong, [])

    def test_every_bound_is_of_a_statement(self):
        named = {path for code, _ in rows(self.pages()["certificates"]).values() for path in code}
        for source in sorted((ROOT / "src/graph/op").glob("*.c")):
            if re.search(r"^    \.bound = ", source.read_text(), re.M):
                self.assertIn(f"src/graph/op/{source.name}", named)

    def test_what_is_missing_is_seen(self):
        good = "**X1. One.** Text. *Proof.* So. []\n\n" + HEADING + "\n\n| X1 | `src/README.md` | `certify_test_point` |\n"
        tests = known_tests()
        self.assertEqual(problems("page", good, tests), [])
        for change in (("*Proof.*", "It is so."), ("src/README.md", "src/none.c"), ("certify_test_point", "certify_test_none"),
                       ("| X1 |", "| X2 |"), ("`certify_test_point`", "-"), (HEADING, "## Else")):
            self.assertNotEqual(problems("page", good.replace(*change), tests), [], change)


if __name__ == "__main__":
    unittest.main()
