#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Code that a document quotes is in the file that the document names: a line ".. from FILE"
with a code block behind it."""

import glob
import os
import re
import sys
import textwrap

from abi import TOP, main

QUOTE = re.compile(r"^\.\. from (\S+)\n\n\.\. code-block:: \w+\n\n((?:   .*\n|\n)+)", re.M)


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def quotes():
    """Each quotation as (document, file, text), without the page's indentation."""
    for path in sorted(glob.glob(os.path.join(TOP, "docs/*.rst"))):
        name = os.path.relpath(path, TOP)
        for source, block in QUOTE.findall(read(name)):
            yield name, source, textwrap.dedent(re.sub("^   ", "", block, flags=re.M))


def quoted_code_is_in_its_file():
    for name, source, text in quotes():
        text = text.strip("\n")
        assert text in textwrap.dedent(read(source)) or \
            any(text == textwrap.dedent(part) for part in windows(read(source), text)), \
            f"{name}: not in {source}:\n{text}"


def windows(code, text):
    """From each line of the code, as many lines as the text has."""
    lines, count = code.splitlines(), text.count("\n") + 1
    for at in range(len(lines) - count + 1):
        yield "\n".join(lines[at:at + count])


def every_marker_has_a_quotation():
    for path in glob.glob(os.path.join(TOP, "docs/*.rst")):
        name = os.path.relpath(path, TOP)
        markers = len(re.findall(r"^\.\. from ", read(name), re.M))
        assert markers == len(QUOTE.findall(read(name))), name


def every_example_is_quoted():
    told = {source for _, source, _ in quotes()}
    for path in glob.glob(os.path.join(TOP, "tools/examples/*.[ch]")):
        assert os.path.relpath(path, TOP) in told, path


sys.exit(main([quoted_code_is_in_its_file, every_marker_has_a_quotation,
               every_example_is_quoted]))
