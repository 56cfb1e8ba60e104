# SPDX-License-Identifier: GPL-2.0-only
"""Bar charts as SVG, with nothing but the standard library."""
from xml.sax.saxutils import escape

COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377",
           "#bbbbbb"]
WIDTH, BAR, GAP, LEFT, RIGHT, TOP = 720, 14, 12, 210, 70, 54


def text(x, y, words, anchor="start", size=12, weight="normal"):
    return (f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" '
            f'text-anchor="{anchor}" font-weight="{weight}">{escape(words)}</text>')


def legend(names):
    out, x = [], LEFT
    for i, name in enumerate(names):
        out.append(f'<rect x="{x}" y="30" width="10" height="10" '
                   f'fill="{COLOURS[i % len(COLOURS)]}"/>')
        out.append(text(x + 14, 39, name, size=11))
        x += 24 + 7 * len(name)
    return out


def bars(path, title, unit, series, groups):
    """Write a chart. @series: names; @groups: [(label, [value or None for each of
    series])]."""
    most = max(v for _, values in groups for v in values if v is not None) or 1
    scale = (WIDTH - LEFT - RIGHT) / most
    out, y = [text(8, 20, f"{title} ({unit})", size=14, weight="bold")], TOP
    out += legend(series)
    for label, values in groups:
        out.append(text(LEFT - 8, y + BAR * len(values) / 2 + 4, label, "end"))
        for i, value in enumerate(values):
            if value is not None:
                out.append(f'<rect x="{LEFT}" y="{y}" height="{BAR - 2}" '
                           f'width="{max(value * scale, 1):.1f}" '
                           f'fill="{COLOURS[i % len(COLOURS)]}"/>')
                out.append(text(LEFT + value * scale + 4, y + BAR - 3,
                                f"{value:.4g}", size=10))
            y += BAR
        y += GAP
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
        f'font-family="sans-serif">\n<!-- SPDX-License-Identifier: GPL-2.0-only -->\n'
        f'<rect width="{WIDTH}" height="{y}" fill="white"/>\n'
        + "\n".join(out) + "\n</svg>\n", encoding="ascii")
