# SPDX-License-Identifier: MIT
"""What the tests of bad inputs share: tables of cases, each run in a copy of a project with a finished run. Whatever happens,
no file that was there is changed and none is left behind, not even a temporary one."""
import os
import shutil
import tempfile

from support import CONFIG, Case, make_data, make_project, run, tree

USAGE, FAILURE = 2, 1
TRAIN = ("train", "config.yaml", "output=new")
AGAIN = ("train", "config.yaml")


def config(folder, old, new):
    """Replaces a piece of config.yaml."""
    assert old in CONFIG
    (folder / "config.yaml").write_text(CONFIG.replace(old, new, 1))


def two_channels(folder):
    make_data(folder / "two.pt", samples=4, grid=8, channels=2)


FINISHED = tempfile.TemporaryDirectory(prefix="mpno-cli-finished-")


def setUpModule():
    """One finished run, copied for every case."""
    make_project(FINISHED.name)
    result = run("train", "config.yaml", folder=FINISHED.name)
    assert result.status == 0, result.err


def tearDownModule():
    FINISHED.cleanup()


class Copy(Case):
    """A project folder with a finished run in it."""

    def setUp(self):
        super().setUp()
        shutil.copytree(FINISHED.name, self.folder, dirs_exist_ok=True)


class Cases(Copy):
    """One test for each row of a table, which add_cases makes."""

    def check(self, prepare, words, status, fragments):
        if prepare:
            prepare(self.folder)
        before = tree(self.folder)
        result = self.mpno(*words, status=status)
        self.assert_error(result, *fragments)
        self.assertNotIn("executed", os.listdir(self.folder))
        self.assertEqual(sorted(tree(self.folder)), sorted(before))
        self.assertEqual(tree(self.folder), before)


def add_cases(to, table):
    """table: {name: (what to do in the folder, words, exit status, what the one error line must hold)}."""
    for name, row in table.items():
        def test(self, row=row):
            self.check(*row)
        setattr(to, "test_" + "".join(c if c.isalnum() else "_" for c in name), test)
