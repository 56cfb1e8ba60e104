#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The verdict on a NIC: a page for its release notes, from the output of the tests.

tls_report.py [--html FILE] [--text FILE] [--title TEXT] LOG...

Each feature has a row with its verdict: "yes", "expected failure", "NO", or "not offered"
if the NIC or the kernel lacks it. The evidence is the lines that the tests print for it.
Without --html and --text, the text goes to standard output. The exit status is 1 if a
verdict is NO.
"""

import argparse
import html
import re
import sys
import textwrap
from pathlib import Path

POINT = re.compile(r"(not ok|ok) \d+ (\w+)\.(\S+)(?: # (SKIP|XFAIL) (.*))?$")
EVIDENCE = re.compile(r"# evidence: (.*)")
ABOUT = re.compile(r"# interface: (\S+), driver: (\S+), kernel: (\S+)")
PLAN = re.compile(r"1\.\.(\d+)$")
VERDICT = {"pass": "yes", "xfail": "expected failure", "skip": "not offered", "fail": "NO"}
WORDS = {"tx": "sent", "rx": "received", "both": "both ways"}
WIDTHS = (44, 16, 60)


class Case:
    """One result of a test."""

    def __init__(self, match, evidence):
        status, self.group, self.name, directive, why = match.groups()
        self.result = (directive or {"ok": "pass"}.get(status, "fail")).lower()
        self.evidence = [why] if directive else evidence

    @property
    def feature(self):
        """The name of the feature in words; a variant's name, behind the dot, is spelled
        out."""
        name, _, variant = self.name.partition(".")
        words = [WORDS.get(word, word.replace("1_", "1."))
                 for word in re.findall(r"1_[23](?![0-9])|[^._]+", variant)]
        words = [name.replace("_", " "), *words]
        return f"{self.group.removeprefix('tls_')}: {' '.join(words)}"


def read(paths):
    """(about, cases, programs that ended early) of the logs."""
    about, cases, short = {}, [], []
    for path in paths:
        plan, count, evidence = 0, 0, []
        for line in Path(path).read_text("utf-8", errors="replace").splitlines():
            if (match := ABOUT.match(line)):
                about = {"interface": match[1], "driver": match[2], "kernel": match[3]}
            elif (match := PLAN.match(line)):
                short += [path] if count < plan else []
                plan, count = int(match[1]), 0
            elif (match := EVIDENCE.match(line)):
                evidence.append(match[1])
            elif (match := POINT.match(line)):
                cases.append(Case(match, evidence))
                count, evidence = count + 1, []
        short += [path] if count < plan else []
    return about, cases, short


def summary(about, cases, title):
    """The lines above the table."""
    counts = [sum(case.result == word for case in cases) for word in VERDICT]
    sums = ", ".join(f"{count} {VERDICT[word]}" for word, count in zip(VERDICT, counts))
    where = ", ".join(f"{name} {value}" for name, value in about.items())
    return [title, where, f"{len(cases)} cases: {sums}"]


def as_text(lines, cases):
    """The table as text for a terminal."""
    rows = [("Feature", "Verdict", "Evidence")]
    rows += [(case.feature, VERDICT[case.result], "; ".join(case.evidence)) for case in cases]
    out = lines + [""]
    for row in rows:
        cells = [textwrap.wrap(text, width) or [""] for text, width in zip(row, WIDTHS)]
        for i in range(max(map(len, cells))):
            parts = [(cell[i] if i < len(cell) else "").ljust(width)
                     for cell, width in zip(cells, WIDTHS)]
            out.append("  ".join(parts).rstrip())
    return "\n".join(out) + "\n"


STYLE = """body{font:15px/1.4 sans-serif;margin:2em;max-width:75em}
table{border-collapse:collapse}td,th{border:1px solid #999;padding:.25em .6em;text-align:left;
vertical-align:top}.pass{background:#dfd}.fail{background:#fbb;font-weight:bold}
.xfail{background:#ffd}.skip{color:#666}"""


def as_html(lines, cases):
    """The table as an HTML page that needs no other file."""
    title, where, sums = map(html.escape, lines)
    out = ["<!DOCTYPE html>", '<html lang="en">', "<head><meta charset=utf-8>",
           f"<title>{title}</title><style>{STYLE}</style></head>", f"<body><h1>{title}</h1>",
           f"<p>{where}</p><p>{sums}</p>", "<table>",
           "<tr><th>Feature</th><th>Verdict</th><th>Evidence</th></tr>"]
    for case in cases:
        cells = map(html.escape, (case.feature, VERDICT[case.result], "; ".join(case.evidence)))
        out.append(f'<tr class="{case.result}">' + "".join(f"<td>{c}</td>" for c in cells) +
                   "</tr>")
    return "\n".join(out + ["</table></body></html>"]) + "\n"


def main():
    """Read the logs and write the page."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--html", type=Path)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--title", default="TLS offload")
    parser.add_argument("logs", nargs="+")
    args = parser.parse_args()
    about, cases, short = read(args.logs)
    if not cases:
        sys.exit("no result in the logs")
    lines = summary(about, cases, args.title)
    if args.html:
        args.html.write_text(as_html(lines, cases), "utf-8")
    if args.text:
        args.text.write_text(as_text(lines, cases), "utf-8")
    if not args.html and not args.text:
        print(as_text(lines, cases), end="")
    for path in short:
        print(f"{path}: ended before its last case", file=sys.stderr)
    return 1 if short or any(case.result == "fail" for case in cases) else 0


if __name__ == "__main__":
    sys.exit(main())
