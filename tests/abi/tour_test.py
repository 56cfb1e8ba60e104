#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""docs/tour.rst: its functions are in the files that it names, its edits change something,
and its picture is the one that docs/tour-svg draws."""

import importlib.machinery
import importlib.util
import os
import re
import sys

from abi import TOP, main


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


LOADER = importlib.machinery.SourceFileLoader("tour_svg", os.path.join(TOP, "docs/tour-svg"))
PICTURE = importlib.util.module_from_spec(
    importlib.util.spec_from_loader("tour_svg", LOADER))
LOADER.exec_module(PICTURE)
TOUR = read("docs/tour.rst")


def picture_is_current():
    assert read("docs/tour.svg") == "\n".join(PICTURE.draw()) + "\n", "docs/tour-svg >…"


def functions_are_in_their_files():
    for _, part, _, function, file, _ in PICTURE.steps():
        if file:
            path = PICTURE.FOLDERS[part] + file
            assert re.search(rf"^(?:\w.*[ *])?{function}\(.*[^;]$", read(path), re.M), \
                f"{path}: {function}"


def table_is_that_of_the_picture():
    rows = re.findall(r"^(\d+) +(?:``(\w+)``|the wire)", TOUR, re.M)
    assert rows == [(str(step[0]), step[3]) for step in PICTURE.steps()], rows


def edits_change_their_files():
    edits = re.findall(r"^   sed -i 's/(.+)/(.+)/' (\S+)$", TOUR, re.M)
    assert len(edits) >= 5, edits
    for old, _, path in edits:
        # characters that are special to only one of sed and Python
        pattern = re.escape(old).replace(r"\^VERSION", "^VERSION")
        assert re.search(pattern, read(path), re.M), f"{path}: {old}"


sys.exit(main([picture_is_current, functions_are_in_their_files,
               table_is_that_of_the_picture, edits_change_their_files]))
