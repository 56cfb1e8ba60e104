#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Documents and files: each source file is named in the document of its part, each file
that a document names exists, and lines are short."""

import fnmatch
import glob
import os
import re
import subprocess
import sys

from abi import TOP, main

# the source files of each part, and the documents that must name them
PARTS = (
    ("net/tls/*.[ch]", ["ktls"]),
    ("include/**/*.h", ["ktls", "architecture", "tls", "driver"]),
    ("drivers/net/ethernet/vktls/*.[ch]", ["driver"]),
    ("qemu-device/**/*.[ch]", ["device", "device-tls", "firmware"]),
    ("firmware/**/*.[chS]", ["firmware"]),
    ("tools/*", ["ktls", "tlswhy", "tour", "vktls-card"]),
    ("tools/examples/*", ["ktls"]),
)
LINE = 100
# a file name in double backquotes; {a,b} and * make it stand for several
NAME = re.compile(r"``([\w./*{},\[\]-]+\.[chS])``")


def documents():
    paths = glob.glob(os.path.join(TOP, "docs/*.rst")) + \
        glob.glob(os.path.join(TOP, "docs/labs/*/*.rst")) + [os.path.join(TOP, "README.md")]
    for path in sorted(paths):
        with open(path, encoding="utf-8") as file:
            yield os.path.relpath(path, TOP), file.read()


def spread(name):
    """The names for which a name with braces stands: x/{a,b}.c is two names."""
    match = re.search(r"\{([^}]*)\}", name)
    if not match:
        return [name]
    return [one for part in match[1].split(",")
            for one in spread(name[:match.start()] + part + name[match.end():])]


def named(text):
    """The file names in a text, without placeholders (NAME_test.c) and files that are made
    (lab/)."""
    names = NAME.findall(text) + re.findall(r"^\.\. from (\S+)$", text, re.M)
    return {one for name in names for one in spread(name)
            if not re.search("[A-Z]{3}|^lab/", name)}


def is_named(path, names):
    """A file is named by its path or the end of its path, or as the header of a .c file
    that is named."""
    tails = [path, re.sub(r"(_priv)?\.h$", ".c", path)]
    return any(fnmatch.fnmatch(tail, name) or fnmatch.fnmatch(tail, "*/" + name)
               for tail in tails for name in names)


def sources_are_named_in_their_document():
    texts, missing = dict(documents()), []
    for pattern, pages in PARTS:
        text = "".join(texts.get(f"docs/{page}.rst", "") for page in pages)
        names = named(text)
        for path in sorted(glob.glob(pattern, root_dir=TOP, recursive=True)):
            if os.path.isdir(os.path.join(TOP, path)) or path.endswith(".mod.c"):
                continue
            if not is_named(path, names) and f"``{path}``" not in text:
                missing.append(f"{path}: not in {' or '.join(pages)}.rst")
    assert not missing, "\n".join(missing)


def files_named_exist():
    known = subprocess.run(["git", "ls-files"], cwd=TOP, capture_output=True, text=True,
                           check=True).stdout.split()
    missing = [f"{page}: {name}" for page, text in documents() for name in named(text)
               if not name.startswith("tools/testing/") and
               not any(fnmatch.fnmatch("/" + path, "*/" + name) for path in known)]
    assert not missing, "\n".join(missing)


def lines_are_short():
    for page, text in documents():
        for number, line in enumerate(text.splitlines(), 1):
            assert len(line) <= LINE or "README" in page, f"{page}:{number}: {len(line)}"


sys.exit(main([sources_are_named_in_their_document, files_named_exist, lines_are_short]))
