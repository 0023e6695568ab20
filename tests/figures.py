"""Figures that tests measure: kept for the table at the end of `make test`, never asserted, with how busy the machine was beside them."""

from __future__ import annotations

import json
import re
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "build" / "test" / "figures.jsonl"
PRESSURE = Path("/proc/pressure/cpu")


def pressure() -> float | None:
    """Share of the last ten seconds in which something waited for a processor, per cent; None where the kernel does not tell."""
    try:
        match = re.search(r"^some avg10=([\d.]+)", PRESSURE.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return float(match[1]) if match else None


def figure(name: str, value: float, unit: str) -> None:
    """Keep a figure and print it.

    Parameters:
        name: what was measured, with the place.
        value: the figure.
        unit: its unit.
    """
    busy = pressure()
    FILE.parent.mkdir(parents=True, exist_ok=True)
    with FILE.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"name": name, "value": round(value, 3), "unit": unit, "pressure": busy}) + "\n")
    print(f"\nfigure: {name}: {value:.2f} {unit} (processors waited for {'?' if busy is None else f'{busy:.0f}'} % of the time)")
