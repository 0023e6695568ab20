# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was measured of failovers, as a table and as a plot in SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.failover_test import Cut, problem_of

_WIDTH, _ROW, _LEFT, _BAND = 960, 110, 40, 56
_COLUMNS = ("from", "to", "cut", "how", "path", "lost", "outage", "limit", "on return", "verdict")


def cuts_of(report: Mapping[str, Any]) -> list[Cut]:
    """Return the cuts of all hosts of a report."""
    return [cut for host in report["hosts"] for cut in host["failover"]]


def table(cuts: Sequence[Cut]) -> str:
    """Return the figures as a table for a terminal."""
    rows = [_COLUMNS]
    for cut in cuts:
        path = f"{cut['path_before']} > {cut['path_cut']}"
        figures = (str(cut["lost"]), f"{cut['outage_ms']} ms", f"{cut['limit_ms']} ms", f"{cut['return_lost']} lost")
        rows.append((cut["host"], cut["peer"], cut["tunnel"], cut["method"], path, *figures, "FAILED" if problem_of(cut) else "passed"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows) + "\n"


def plot(cuts: Sequence[Cut]) -> str:
    """Return one band a cut: round trips as dots, lost probes in red, the moments of cut and restoration as lines."""
    height = _ROW * len(cuts) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" font-family="sans-serif">',
        "<title>Failover: what was lost while each tunnel was cut</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for number, cut in enumerate(cuts):
        parts += _band(cut, 20 + number * _ROW)
    return "\n".join([*parts, "</svg>", ""])


def _band(cut: Cut, top: int) -> list[str]:
    samples = cut["samples"]
    whole = max((sent for sent, _trip in samples), default=0) or 1
    trips = sorted(trip for _sent, trip in samples if trip is not None)
    highest = (trips[min(len(trips) - 1, len(trips) * 99 // 100)] if trips else 1) or 1

    def x(time: float) -> str:
        return f"{_LEFT + (_WIDTH - 2 * _LEFT) * time / whole:.1f}"

    bottom = top + 22 + _BAND
    how = {"packets": "packets dropped", "daemon": "daemon stopped", "wire": "wire cut"}.get(cut["method"], cut["method"])
    title = f"{cut['host']} to {cut['peer']}, {cut['tunnel']} {how}: {cut['lost']} probes lost, {cut['outage_ms']} ms (limit {cut['limit_ms']} ms)"
    parts = [
        f'<text x="{_LEFT}" y="{top + 12}" font-size="13" fill="{"#b00020" if problem_of(cut) else "#222"}">{escape(title)}</text>',
        f'<rect x="{_LEFT}" y="{top + 22}" width="{_WIDTH - 2 * _LEFT}" height="{_BAND}" fill="#f4f6f8"/>',
    ]
    for begin, end in _gaps(samples, cut["spacing_ms"]):
        width = max(1.0, (_WIDTH - 2 * _LEFT) * (end - begin) / whole)
        parts.append(f'<rect x="{x(begin)}" y="{top + 22}" width="{width:.1f}" height="{_BAND}" fill="#d32f2f" fill-opacity=".75"/>')
    step = max(1, len(samples) // 1500)
    dots = [(x(sent), bottom - 3 - (_BAND - 8) * min(trip / highest, 1)) for sent, trip in samples[::step] if trip is not None]
    parts.append(f'<path d="{"".join(f"M{left} {y:.1f}h1" for left, y in dots)}" stroke="#1565c0" stroke-width="1.4"/>')
    for key, label in (("cut_ms", "cut"), ("restore_ms", "restored")):
        place = x(cut[key])
        parts.append(f'<line x1="{place}" x2="{place}" y1="{top + 18}" y2="{bottom + 4}" stroke="#222" stroke-dasharray="3 2"/>')
        parts.append(f'<text x="{place}" y="{bottom + 15}" font-size="10" fill="#222">{label} {cut[key] / 1000:.1f} s</text>')
    parts.append(f'<text x="4" y="{top + 32}" font-size="9" fill="#555">{highest:.1f} ms</text>')
    return parts


def _gaps(samples: Sequence[Sequence[Any]], spacing: float) -> list[tuple[float, float]]:
    """Return begin and end of each run of lost probes."""
    gaps: list[tuple[float, float]] = []
    for sent, trip in samples:
        if trip is not None:
            continue
        if gaps and sent - gaps[-1][1] <= 1.5 * spacing:
            gaps[-1] = (gaps[-1][0], sent)
        else:
            gaps.append((sent, sent))
    return [(begin, end + spacing) for begin, end in gaps]
