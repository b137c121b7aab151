# SPDX-License-Identifier: MIT
"""What the documents say is so: links lead somewhere, tables equal the sources, and every block of commands that begins
with ```sh run does what it shows. One that begins with ```sh run on goes on in the folder of the blocks before it."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import BUILD, ROOT, TIMEOUT

PAGES = sorted(path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"),
                                 *ROOT.glob("examples/**/*.md")])
BLOCK = re.compile(r"^```sh run( on)?\n(.*?)^```$", re.M | re.S)
CACHE = (BUILD / "CMakeCache.txt").read_text()
SANITIZED = "MPNO_SANITIZE:BOOL=ON" in CACHE


class Links(unittest.TestCase):
    def test_every_link_leads_to_a_file(self):
        for page in PAGES:
            text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                if not target.startswith(("https:", "#")):
                    with self.subTest(page=page.name, target=target):
                        self.assertTrue((page.parent / target.split("#")[0]).exists())

    def test_every_page_is_reached_from_the_readme(self):
        seen, todo = set(), [ROOT / "README.md"]
        while todo:
            page = todo.pop()
            if page in seen:
                continue
            seen.add(page)
            todo += [(page.parent / target.split("#")[0]).resolve()
                     for target in re.findall(r"\]\(([^)\s:]+\.md)", page.read_text())]
        self.assertEqual([str(page) for page in PAGES if page not in seen], [])

    def test_files_named_in_sources_exist(self):
        for source in [*ROOT.glob("src/**/*.[chd]*"), *ROOT.glob("include/**/*.h")]:
            for name in re.findall(r"\bdocs/[a-z_/]+\.md\b", source.read_text()):
                with self.subTest(source=source.name, name=name):
                    self.assertTrue((ROOT / name).is_file())


class Tables(unittest.TestCase):
    def test_configuration_keys(self):
        done = subprocess.run([sys.executable, "-B", "scripts/make_config_reference.py", "--check"],
                              cwd=ROOT, check=False, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_policies(self):
        rows = re.findall(r"^X\((\w+), (\w+), (\w+), (\w+), (\w+), (\w+)\)",
                          (ROOT / "src/graph/policies.def").read_text(), re.M)
        self.assertTrue(rows)
        page = (ROOT / "docs/reference/policies.md").read_text()
        for name, *columns in rows:
            cells = " | ".join(column.lower() for column in columns)
            self.assertIn(f"\n| `{name}` | {cells} |\n", page)

    def test_metrics(self):
        rows = re.findall(r'^X\(\w+, (\w+), "([^"]+)", \w+, "[^"]+"\)',
                          (ROOT / "src/train/metrics.def").read_text(), re.M)
        self.assertTrue(rows)
        page = (ROOT / "docs/reference/metrics.md").read_text()
        self.assertEqual(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", page, re.M), rows)


class Commands(unittest.TestCase):
    """One test for each block, made below."""

    def check(self, commands):
        with tempfile.TemporaryDirectory(prefix="mpno-docs-") as folder:
            (Path(folder) / "build").symlink_to(BUILD)
            shutil.copytree(ROOT / "examples", Path(folder) / "examples")
            environment = dict(os.environ)
            if SANITIZED:  # what links the library needs what it was built with
                tools = Path(folder) / "tools"
                tools.mkdir()
                compiler = re.search(r"^CMAKE_C_COMPILER:\w+=(.*)$", CACHE, re.M)[1]
                (tools / "cc").write_text(f'#!/bin/sh\nexec {compiler} -fsanitize=address,undefined "$@"\n')
                (tools / "cc").chmod(0o755)
                environment["PATH"] = f"{tools}:{environment['PATH']}"
            done = subprocess.run(["sh", "-eu"], input=commands, cwd=folder, check=False, text=True,
                                  env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  timeout=TIMEOUT)
            self.assertEqual(done.returncode, 0, f"{commands}\n{done.stdout}\n{done.stderr}")


def add_block(name, commands):
    setattr(Commands, name, lambda self: self.check(commands))


def scripts(text):
    """The blocks of a page that are to be run, each with those that go on from it."""
    found = []
    for goes_on, block in BLOCK.findall(text):
        if goes_on:
            found[-1] += block
        else:
            found.append(block)
    return found


for doc in PAGES:
    for number, script in enumerate(scripts(doc.read_text()), 1):
        add_block(f"test_{doc.stem}_{number}", script)


if __name__ == "__main__":
    unittest.main()
