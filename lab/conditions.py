"""The state a wire can be brought into: cut, slow, lossy, doubling, disordering, narrow, filtering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from lab.errors import LabError


@dataclass(frozen=True)
class Conditions:
    """How a wire treats frames. The defaults are a perfect wire.

    Parameters:
        cut: True drops every frame silently; the NICs keep their carrier.
        delay_ms: added one-way delay, milliseconds.
        loss_percent: share of frames dropped at random.
        duplicate_percent: share of frames that arrive twice, chosen at random.
        reorder_percent: share of frames that are held back for a moment, chosen at random, so that those behind them come first.
        rate_kbit: limit for each sending NIC, kbit/s; 0 is no limit.
        mtu: frames with a longer IP packet than this many bytes vanish, as in a path-MTU black hole; 0 is no limit.
        drop_udp: UDP ports whose packets vanish, whether source or destination.
        drop_tcp: the same for TCP.
    """

    cut: bool = False
    delay_ms: float = 0
    loss_percent: float = 0
    duplicate_percent: float = 0
    reorder_percent: float = 0
    rate_kbit: int = 0
    mtu: int = 0
    drop_udp: tuple[int, ...] = ()
    drop_tcp: tuple[int, ...] = ()

    @classmethod
    def from_mapping(cls, data: Mapping[Any, Any]) -> Conditions:
        """Build from a plain mapping, as it stands in a topology file or a control message.

        Raises:
            LabError: one line for each unknown key or bad value.
        """
        problems = []
        good: dict[str, Any] = {}
        known = [entry.name for entry in fields(cls)]
        for key, value in data.items():
            if key not in known:
                problems.append(f"{key}: unknown key; there are: {', '.join(known)}")
            elif (rule := _violated_rule(key, value)) is not None:
                problems.append(f"{key}: {value!r}: must be {rule}")
            else:
                good[key] = tuple(value) if isinstance(value, list | tuple) else value
        if problems:
            raise LabError(*problems)
        return cls(**good)


def _violated_rule(key: str, value: object) -> str | None:
    """Return the rule that ``value`` breaks, or None."""
    if key == "cut":
        return None if isinstance(value, bool) else "true or false"
    if key in ("drop_udp", "drop_tcp"):
        good = isinstance(value, list | tuple) and all(_is_whole(port) and 1 <= port <= 65535 for port in value)
        return None if good else "a list of ports from 1 to 65535"
    if key in ("rate_kbit", "mtu"):
        return None if _is_whole(value) and value >= 0 else "a whole number, 0 for no limit"  # type: ignore[operator]
    limit = 100 if key.endswith("_percent") else 60_000
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= limit:
        return None
    return f"a number from 0 to {limit}"


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
