#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Everything that the documents name exists: documents, files, make targets,
scripts."""

import glob
import os
import re
import sys

from abi import TOP, main

TOPS = ("drivers", "net", "qemu-device", "firmware", "tests", "docs",
        r"tools(?!/testing)", "scripts")
# A path with one of these is a pattern, or a placeholder for the reader to fill in.
FREE = re.compile(r"[A-Z]{3,}|[*\[{<]")


def documents():
    """(name, text) of each document."""
    for path in sorted(glob.glob(os.path.join(TOP, "docs/*.rst")) +
                       glob.glob(os.path.join(TOP, "docs/labs/*/*.rst"))) + [
            os.path.join(TOP, "README.md")]:
        with open(path) as f:
            yield os.path.relpath(path, TOP), f.read()


def exists(path):
    return os.path.exists(os.path.join(TOP, path))


def links_lead_somewhere():
    for name, text in documents():
        links = re.findall(r"<([\w./-]+\.rst)>`__", text)
        links += re.findall(r"\]\(([\w./-]+)\)", text)
        for link in links:
            assert exists(os.path.join(os.path.dirname(name), link)), f"{name}: {link}"


def index_lists_all():
    with open(os.path.join(TOP, "docs/index.rst")) as f:
        index = f.read()
    for name, _ in documents():
        base = os.path.basename(name)
        if base not in ("index.rst", "README.md", "task.rst"):
            assert f"<{base}>" in index, f"docs/index.rst does not list {base}"


def files_exist():
    for name, text in documents():
        for path in re.findall(r"`+((?:%s)/[\w./*\[\]{},<>-]*)`+" % "|".join(TOPS), text):
            path = path.rstrip("/.")
            assert FREE.search(path) or exists(path), f"{name}: {path}"


def make_targets_exist():
    with open(os.path.join(TOP, "Makefile")) as f:
        targets = set(re.findall(r"^([\w-]+):", f.read(), re.M))
    for name, text in documents():
        for target in re.findall(r"(?:`|^ +)make ([a-z][\w-]*)", text, re.M):
            assert target in targets, f"{name}: make {target}"


def sections_referred_to_exist():
    """Each `Title`_ in a document is the title of one of its sections."""
    for name, text in documents():
        titles = re.findall(r"^(.+)\n(?:=+|-+)$", text, re.M)
        for title in re.findall(r"`([^`<>]+)`_(?!_)", text):
            assert re.sub(r"\s+", " ", title) in titles, f"{name}: {title}"


sys.exit(main([links_lead_somewhere, index_lists_all, files_exist, make_targets_exist,
               sections_referred_to_exist]))
